#include "media/datagram.h"

#include <string.h>

#include "base/reader.h"

enum {
	PROTO_UDP = 17,
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	UDP_HEADER = 8,
	IPV6_HOP_BY_HOP = 0,
	IPV6_DESTINATION = 60,
	IPV6_OPTIONS_MAX = 4,  /* extension headers we step over */
	FRAGMENT_BITS = 0x3fff /* more fragments, and the offset */
};

/* What the network layer says. */
struct network {
	struct slice udp; /* the datagram, or what there is of it */
	size_t len;	  /* of the datagram as sent */
};

static void read_ip(struct reader *r, enum addr_family family, size_t len,
		    struct addr *ret)
{
	struct slice ip = reader_bytes(r, len);

	*ret = (struct addr){.family = family};
	if (ip.len == len)
		memcpy(ret->ip, ip.ptr, len);
}

static int parse_v4(struct slice packet, struct network *ret_net,
		    struct datagram *ret)
{
	struct reader r;
	uint16_t total, fragment;
	uint8_t first, protocol;
	size_t header;

	reader_init(&r, packet);
	first = reader_u8(&r);
	(void)reader_u8(&r); /* type of service */
	total = reader_u16be(&r);
	(void)reader_u16be(&r); /* identification */
	fragment = reader_u16be(&r);
	(void)reader_u8(&r); /* time to live */
	protocol = reader_u8(&r);
	(void)reader_u16be(&r); /* checksum, verified by the kernel */
	read_ip(&r, ADDR_V4, 4, &ret->src);
	read_ip(&r, ADDR_V4, 4, &ret->dst);
	header = (size_t)(first & 15) * 4;
	if (!reader_ok(&r) || header < IPV4_HEADER || total < header)
		return ERR_BAD;
	if (protocol != PROTO_UDP || (fragment & FRAGMENT_BITS) != 0)
		return ERR_UNSUPPORTED;
	(void)reader_bytes(&r, header - IPV4_HEADER);
	if (!reader_ok(&r))
		return ERR_BAD;
	ret_net->len = total - header;
	ret_net->udp = reader_bytes(&r, reader_left(&r));
	return 0;
}

/* Over the extension headers that change nothing about where a packet goes.
 * Each is a multiple of 8 bytes long (RFC 8200 section 4.3). */
static int skip_options(struct reader *r, uint8_t *next, size_t *len)
{
	for (int i = 0; *next != PROTO_UDP; i++) {
		size_t size;

		if (i == IPV6_OPTIONS_MAX ||
		    (*next != IPV6_HOP_BY_HOP && *next != IPV6_DESTINATION))
			return ERR_UNSUPPORTED;
		*next = reader_u8(r);
		size = ((size_t)reader_u8(r) + 1) * 8;
		(void)reader_bytes(r, size - 2);
		if (!reader_ok(r) || *len < size)
			return ERR_BAD;
		*len -= size;
	}
	return 0;
}

static int parse_v6(struct slice packet, struct network *ret_net,
		    struct datagram *ret)
{
	struct reader r;
	uint8_t next;
	int err;

	reader_init(&r, packet);
	(void)reader_u32be(&r); /* version, class, flow label */
	ret_net->len = reader_u16be(&r);
	next = reader_u8(&r);
	(void)reader_u8(&r); /* hop limit */
	read_ip(&r, ADDR_V6, 16, &ret->src);
	read_ip(&r, ADDR_V6, 16, &ret->dst);
	if (!reader_ok(&r))
		return ERR_BAD;
	err = skip_options(&r, &next, &ret_net->len);
	if (!err)
		ret_net->udp = reader_bytes(&r, reader_left(&r));
	return err;
}

static uint32_t add_up(uint32_t sum, struct slice s)
{
	const uint8_t *p = (const uint8_t *)s.ptr;

	for (size_t i = 0; i + 1 < s.len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (s.len % 2 == 1)
		sum += (uint32_t)p[s.len - 1] << 8;
	return sum;
}

/* RFC 768, RFC 8200 section 8.1: over a pseudo header and the datagram. 32
 * bits hold the sum of the longest one. */
static bool is_sum_right(const struct datagram *d, struct slice udp)
{
	size_t ip_len = d->src.family == ADDR_V4 ? 4 : 16;
	uint32_t sum = PROTO_UDP + (uint32_t)udp.len;

	sum = add_up(sum, slice_make(d->src.ip, ip_len));
	sum = add_up(sum, slice_make(d->dst.ip, ip_len));
	sum = add_up(sum, udp);
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	return sum == 0xffff;
}

static int parse_udp(const struct network *net, bool is_sum_checked,
		     struct datagram *ret)
{
	struct reader r;
	uint16_t len, sum;

	reader_init(&r, net->udp);
	ret->src.port = reader_u16be(&r);
	ret->dst.port = reader_u16be(&r);
	len = reader_u16be(&r);
	sum = reader_u16be(&r);
	if (!reader_ok(&r) || len < UDP_HEADER || len > net->len)
		return ERR_BAD;
	ret->len = (size_t)len - UDP_HEADER;
	ret->payload = reader_bytes(&r, reader_left(&r));
	if (ret->payload.len >= ret->len)
		ret->payload = slice_sub(ret->payload, 0, ret->len);
	else
		is_sum_checked = true;
	/* IPv4 may do without (RFC 768), IPv6 may not. */
	if (is_sum_checked || (sum == 0 && ret->src.family == ADDR_V4))
		return 0;
	return sum != 0 && is_sum_right(ret, slice_sub(net->udp, 0, len))
		       ? 0
		       : ERR_BAD;
}

int datagram_parse(struct slice packet, bool is_sum_checked,
		   struct datagram *ret)
{
	struct network net = {.len = 0};
	struct datagram d = {.len = 0};
	struct reader r;
	int err = ERR_UNSUPPORTED;

	reader_init(&r, packet);
	switch (reader_u8(&r) >> 4) {
	case 4:
		err = parse_v4(packet, &net, &d);
		break;
	case 6:
		err = parse_v6(packet, &net, &d);
		break;
	default:
		break;
	}
	if (!err)
		err = parse_udp(&net, is_sum_checked, &d);
	if (!err)
		*ret = d;
	return err;
}

size_t datagram_copy(const struct datagram *d, void *buf, size_t cap)
{
	if (d->len > cap || d->payload.len < d->len)
		return cap + 1;
	memcpy(buf, d->payload.ptr, d->len);
	return d->len;
}
