#include "media/udp.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RCVBUF = 65536, /* a second or two of one stream */
	MULTICAST_HOPS = 16
};

static void set_options(int fd, sa_family_t family, uint8_t dscp)
{
	int size = RCVBUF, tos = dscp << 2, one = 1;
	int df4 = IP_PMTUDISC_DO, df6 = IPV6_PMTUDISC_DO;

	/* None of these is worth refusing a call for. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* Media is never fragmented; without fragments the kernel need not
	 * draw an IP identification for each packet. */
	if (family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
				 sizeof(one));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &df6,
				 sizeof(df6));
	} else {
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &df4,
				 sizeof(df4));
	}
	if (dscp == 0)
		return;
	if (family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	else
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos,
				 sizeof(tos));
}

/* Only groups that this very socket has joined: by default it would hear every
 * group of the host, by any interface. */
static int join(int fd, const struct addr *group, const struct addr *local)
{
	struct sockaddr_storage g, l;
	int zero = 0;

	(void)addr_to_sockaddr(group, &g);
	(void)addr_to_sockaddr(local, &l);
	if (g.ss_family == AF_INET6) {
		struct ipv6_mreq m = {
			.ipv6mr_multiaddr =
				((struct sockaddr_in6 *)&g)->sin6_addr};

		return setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &zero,
				  sizeof(zero)) ||
		       setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m,
				  sizeof(m));
	}
	struct ip_mreqn m = {
		.imr_multiaddr = ((struct sockaddr_in *)&g)->sin_addr,
		.imr_address = ((struct sockaddr_in *)&l)->sin_addr};

	return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &zero,
			  sizeof(zero)) ||
	       setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m));
}

/* A socket of a's family, as the relay wants it; -1. */
static int open_like(const struct addr *a, uint8_t dscp)
{
	sa_family_t family = a->family == ADDR_V6 ? AF_INET6 : AF_INET;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		set_options(fd, family, dscp);
	return fd;
}

static int bind_to(int fd, const struct addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);

	return bind(fd, (struct sockaddr *)&ss, len);
}

static bool share(int fd, int may)
{
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &may, sizeof(may)) == 0;
}

/* fd, or -1 without it. */
static int keep(int fd, bool is_good)
{
	if (is_good)
		return fd;
	(void)close(fd);
	return -1;
}

int media_udp_open_group(const struct addr *group, const struct addr *local,
			 uint8_t dscp)
{
	int fd = open_like(group, dscp);

	if (fd < 0)
		return -1;
	/* With whoever else hears the group. */
	return keep(fd, share(fd, 1) && bind_to(fd, group) == 0 &&
				join(fd, group, local) == 0);
}

void media_udp_towards(int fd, const struct addr *a)
{
	int hops = MULTICAST_HOPS;

	if (!addr_is_multicast(a))
		return;
	if (a->family == ADDR_V6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
				 sizeof(hops));
	else
		(void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops,
				 sizeof(hops));
}

int media_udp_open(const struct addr *a, uint8_t dscp)
{
	int fd = open_like(a, dscp);

	return fd < 0 ? -1 : keep(fd, bind_to(fd, a) == 0);
}

int media_udp_open_connected(int fd, const struct addr *a,
			     const struct addr *to, uint8_t dscp)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	int ret = open_like(a, dscp);
	bool is_good;

	if (ret < 0)
		return -1;
	/* Both must say so, and only now: a relay's port is nobody else's. */
	(void)share(ret, 1);
	(void)share(fd, 1);
	is_good = bind_to(ret, a) == 0 &&
		  connect(ret, (struct sockaddr *)&ss, len) == 0;
	(void)share(fd, 0);
	(void)share(ret, 0);
	return keep(ret, is_good);
}

uint64_t media_udp_data(struct handle h, enum media_udp_which which)
{
	return (uint64_t)h.gen << 32 | h.index << 2 | which;
}

struct handle media_udp_handle(uint64_t data, enum media_udp_which *ret)
{
	*ret = data & 3;
	return (struct handle){(uint32_t)data >> 2, (uint32_t)(data >> 32)};
}
