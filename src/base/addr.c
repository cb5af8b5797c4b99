#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/text.h"

int addr_parse_ip(struct slice s, struct addr *ret)
{
	char buf[INET6_ADDRSTRLEN];
	struct addr a = {.family = ADDR_NONE};

	if (s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']') {
		s = slice_sub(s, 1, s.len - 2);
		if (!memchr(s.ptr, ':', s.len))
			return ERR_BAD;
	}
	if (text_copy(s, buf, sizeof(buf)) != 0)
		return ERR_BAD;
	if (inet_pton(AF_INET, buf, a.ip) == 1)
		a.family = ADDR_V4;
	else if (inet_pton(AF_INET6, buf, a.ip) == 1)
		a.family = ADDR_V6;
	else
		return ERR_BAD;
	*ret = a;
	return 0;
}

int addr_parse(struct slice s, uint16_t default_port, struct addr *ret)
{
	struct slice host = s;
	struct slice port = SLICE_NULL;
	uint64_t v = default_port;
	struct addr a;

	if (s.len > 0 && s.ptr[0] == '[') {
		struct slice rest;

		if (!text_cut(s, ']', NULL, &rest))
			return ERR_BAD;
		host = slice_sub(s, 0, s.len - rest.len);
		if (rest.len > 0 && rest.ptr[0] != ':')
			return ERR_BAD;
		port = slice_from(rest, 1);
		if (rest.len == 1)
			return ERR_BAD;
	} else if (text_cut(s, ':', &host, &port) && port.len == 0) {
		return ERR_BAD;
	}
	if (port.len > 0 && text_dec(port, UINT16_MAX, &v) != 0)
		return ERR_BAD;
	if (addr_parse_ip(host, &a) != 0)
		return ERR_BAD;
	a.port = (uint16_t)v;
	*ret = a;
	return 0;
}

void addr_print_ip(struct writer *w, const struct addr *a)
{
	char buf[INET6_ADDRSTRLEN];

	if (a->family == ADDR_NONE ||
	    !inet_ntop(a->family == ADDR_V4 ? AF_INET : AF_INET6, a->ip, buf,
		       sizeof(buf)))
		writer_str(w, "-");
	else
		writer_str(w, buf);
}

void addr_print_host(struct writer *w, const struct addr *a)
{
	if (a->family == ADDR_V6)
		writer_u8(w, '[');
	addr_print_ip(w, a);
	if (a->family == ADDR_V6)
		writer_u8(w, ']');
}

void addr_print(struct writer *w, const struct addr *a)
{
	addr_print_host(w, a);
	writer_u8(w, ':');
	writer_dec(w, a->port);
}

const char *addr_str(const struct addr *a, char *buf)
{
	struct writer w;

	writer_init(&w, buf, ADDR_STR_MAX - 1);
	addr_print(&w, a);
	buf[w.len] = '\0';
	return buf;
}

bool addr_ip_eq(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_ip_eq(a, b);
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

bool addr_is_multicast(const struct addr *a)
{
	return (a->family == ADDR_V4 && (a->ip[0] & 0xf0) == 0xe0) ||
	       (a->family == ADDR_V6 && a->ip[0] == 0xff);
}

bool addr_in_prefix(const struct addr *a, const struct addr *net, unsigned bits)
{
	unsigned whole = bits / 8;
	unsigned rest = bits % 8;

	if (a->family != net->family || a->family == ADDR_NONE ||
	    bits > (a->family == ADDR_V4 ? 32u : 128u))
		return false;
	if (memcmp(a->ip, net->ip, whole) != 0)
		return false;
	return rest == 0 || (a->ip[whole] ^ net->ip[whole]) >> (8 - rest) == 0;
}

void addr_key(const struct addr *a, uint8_t ret[ADDR_KEY_LEN])
{
	ret[0] = (uint8_t)a->family;
	memcpy(ret + 1, a->ip, sizeof(a->ip));
	memcpy(ret + 1 + sizeof(a->ip), &a->port, sizeof(a->port));
}

uint64_t addr_hash(const struct addr *a, uint64_t seed)
{
	uint64_t h = 14695981039346656037ULL ^ seed;

	for (size_t i = 0; i < sizeof(a->ip); i++)
		h = (h ^ a->ip[i]) * 1099511628211ULL;
	return (h ^ a->port ^ (uint64_t)a->family << 16) * 1099511628211ULL;
}

struct addr addr_with_port(const struct addr *a, uint16_t port)
{
	struct addr r = *a;

	r.port = port;
	return r;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->family == ADDR_V4) {
		struct sockaddr_in sin = {.sin_family = AF_INET,
					  .sin_port = htons(a->port)};

		memcpy(&sin.sin_addr, a->ip, 4);
		memcpy(ret, &sin, sizeof(sin));
		return sizeof(sin);
	}
	if (a->family == ADDR_V6) {
		struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
					    .sin6_port = htons(a->port)};

		memcpy(&sin6.sin6_addr, a->ip, 16);
		memcpy(ret, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}
	return 0;
}

void addr_unmap(struct addr *a)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (a->family != ADDR_V6 || memcmp(a->ip, prefix, sizeof(prefix)) != 0)
		return;
	memmove(a->ip, a->ip + sizeof(prefix), 4);
	memset(a->ip + 4, 0, sizeof(a->ip) - 4);
	a->family = ADDR_V4;
}

int addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *ret)
{
	struct addr a = {.family = ADDR_NONE};

	if (ss->ss_family == AF_INET) {
		struct sockaddr_in sin;

		memcpy(&sin, ss, sizeof(sin));
		a.family = ADDR_V4;
		memcpy(a.ip, &sin.sin_addr, 4);
		a.port = ntohs(sin.sin_port);
	} else if (ss->ss_family == AF_INET6) {
		struct sockaddr_in6 sin6;

		memcpy(&sin6, ss, sizeof(sin6));
		a.port = ntohs(sin6.sin6_port);
		a.family = ADDR_V6;
		memcpy(a.ip, &sin6.sin6_addr, 16);
		addr_unmap(&a);
	} else {
		return ERR_UNSUPPORTED;
	}
	*ret = a;
	return 0;
}

void addr_write(struct writer *w, const struct addr *a)
{
	writer_u8(w, (uint8_t)a->family);
	if (a->family == ADDR_NONE)
		return;
	writer_bytes(w, a->ip, a->family == ADDR_V4 ? 4 : 16);
	writer_u16be(w, a->port);
}

void addr_read(struct reader *r, struct addr *ret)
{
	uint8_t family = reader_u8(r);
	struct slice ip;

	*ret = (struct addr){0};
	if (family == ADDR_NONE)
		return;
	if (family != ADDR_V4 && family != ADDR_V6) {
		reader_fail(r);
		return;
	}
	ip = reader_bytes(r, family == ADDR_V4 ? 4 : 16);
	if (!reader_ok(r))
		return;
	ret->family = family == ADDR_V4 ? ADDR_V4 : ADDR_V6;
	memcpy(ret->ip, ip.ptr, ip.len);
	ret->port = reader_u16be(r);
}
