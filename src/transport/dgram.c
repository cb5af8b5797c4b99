#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "transport/internal.h"

/* Room for the destination address of a datagram in either family. */
union control {
	struct cmsghdr align;
	uint8_t v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
	uint8_t v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Which of our addresses a datagram was sent to: a socket bound to any must
 * answer from the same one. */
static void read_local(struct msghdr *mh, struct addr *local)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo pi;

			memcpy(&pi, CMSG_DATA(c), sizeof(pi));
			memcpy(local->ip, &pi.ipi_addr, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo pi;

			memcpy(&pi, CMSG_DATA(c), sizeof(pi));
			memcpy(local->ip, &pi.ipi6_addr, 16);
		}
	}
}

static void deliver(struct dgram *d, struct mmsghdr *m,
		    const struct sockaddr_storage *ss, const uint8_t *bytes)
{
	struct transport *t = d->ep.t;
	struct dest from = {.ep = d->ep.h, .local = d->local};

	if (m->msg_hdr.msg_flags & MSG_TRUNC) {
		t->stats.datagrams_truncated++;
		return;
	}
	if (addr_from_sockaddr(ss, &from.peer) != 0)
		return;
	if (addr_is_any(&d->local))
		read_local(&m->msg_hdr, &from.local);
	t->stats.datagrams_in++;
	t->stats.bytes_in += m->msg_len;
	t->cb->datagram(t->ctx, d->ep.tag, &from,
			slice_make(bytes, m->msg_len));
}

static void on_readable(void *arg, uint32_t events)
{
	struct dgram *d = arg;
	struct transport *t = d->ep.t;
	struct handle h = d->ep.h;
	struct mmsghdr m[DGRAM_BATCH] = {0};
	struct iovec iov[DGRAM_BATCH];
	struct sockaddr_storage *ss =
		(struct sockaddr_storage *)(void *)(t->dgrams +
						    (size_t)DGRAM_BATCH *
							    DGRAM_LEN);
	union control control[DGRAM_BATCH];
	int n;

	(void)events;
	for (int i = 0; i < DGRAM_BATCH; i++) {
		iov[i].iov_base = t->dgrams + (size_t)i * DGRAM_LEN;
		iov[i].iov_len = DGRAM_LEN;
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &ss[i];
		m[i].msg_hdr.msg_namelen = sizeof(ss[i]);
		m[i].msg_hdr.msg_control = &control[i];
		m[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	/* An error here is an ICMP message about something sent earlier. */
	n = recvmmsg(d->w.fd, m, DGRAM_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		deliver(d, &m[i], &ss[i], iov[i].iov_base);
		/* The upcall may have removed the endpoint. */
		if (!transport_ep_find(t, h, EP_DGRAM))
			return;
	}
}

int dgram_listen(struct transport *t, const struct transport_listen *p,
		 struct handle *ret)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	struct dgram *d;
	int on = 1;
	int err;

	if (!t->dgrams)
		t->dgrams = alloc_zero(DGRAM_BATCH * (DGRAM_LEN + sizeof(ss)));
	d = alloc_zero(sizeof(*d));
	if (!d || !t->dgrams) {
		(void)alloc_free(d);
		return ERR_NOMEM;
	}
	d->w.fd = -1;
	if (getsockname(p->fd, (struct sockaddr *)&ss, &len) < 0 ||
	    addr_from_sockaddr(&ss, &d->local) != 0 ||
	    (addr_is_any(&d->local) &&
	     (d->local.family == ADDR_V6
		      ? setsockopt(p->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on,
				   sizeof(on))
		      : setsockopt(p->fd, IPPROTO_IP, IP_PKTINFO, &on,
				   sizeof(on))) < 0)) {
		(void)alloc_free(d);
		return ERR_IO;
	}
	transport_set_dscp(p->fd, d->local.family, p->dscp);
	err = transport_ep_add(t, &d->ep, EP_DGRAM, p->tag);
	if (err) {
		(void)alloc_free(d);
		return err;
	}
	err = loop_fd_add(t->loop, &d->w, p->fd, LOOP_READ, on_readable, d);
	if (err) {
		dgram_free(d);
		return err;
	}
	*ret = d->ep.h;
	return 0;
}

void dgram_free(struct dgram *d)
{
	struct transport *t = d->ep.t;
	int fd = d->w.fd;

	loop_fd_del(t->loop, &d->w);
	if (fd >= 0)
		(void)close(fd);
	slots_del(&t->eps, d->ep.h);
	t->ep_count--;
	(void)alloc_free(d);
}

static void write_local(struct msghdr *mh, union control *control,
			const struct addr *local)
{
	struct cmsghdr *c;

	mh->msg_control = control;
	if (local->family == ADDR_V6) {
		struct in6_pktinfo pi = {0};

		memcpy(&pi.ipi6_addr, local->ip, 16);
		mh->msg_controllen = sizeof(control->v6);
		c = CMSG_FIRSTHDR(mh);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(pi));
		memcpy(CMSG_DATA(c), &pi, sizeof(pi));
	} else {
		struct in_pktinfo pi = {0};

		memcpy(&pi.ipi_spec_dst, local->ip, 4);
		mh->msg_controllen = sizeof(control->v4);
		c = CMSG_FIRSTHDR(mh);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(pi));
		memcpy(CMSG_DATA(c), &pi, sizeof(pi));
	}
}

int dgram_send(struct dgram *d, const struct dest *to, struct slice bytes)
{
	struct transport *t = d->ep.t;
	struct sockaddr_storage ss;
	union control control = {0};
	/* sendmsg does not write through iov_base. */
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes.ptr,
			    .iov_len = bytes.len};
	struct msghdr mh = {.msg_name = &ss, .msg_iov = &iov, .msg_iovlen = 1};

	if (to->peer.family != d->local.family)
		return ERR_UNSUPPORTED;
	mh.msg_namelen = addr_to_sockaddr(&to->peer, &ss);
	if (addr_is_any(&d->local) && to->local.family == d->local.family &&
	    !addr_is_any(&to->local))
		write_local(&mh, &control, &to->local);
	if (sendmsg(d->w.fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		t->stats.datagrams_unsent++;
		return ERR_IO;
	}
	t->stats.datagrams_out++;
	t->stats.bytes_out += bytes.len;
	return 0;
}
