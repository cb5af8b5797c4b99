/* See wire.h. */
#include "wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

enum { HEADER_LONG_IP = 17, HEADER_FIRST = 10, DYN_MAX = 700 };

/* A field of a row, and where it lies in a message. */
struct field {
	const char *name;
	size_t name_len;
	char type;	       /* u, s, b, i (ip4), f (ipf), d */
	size_t size;	       /* bytes */
	unsigned since, until; /* versions: [since, until) */
};

/* Read the next "name:type@version" at *spec; false at the end. */
static bool field_next(const char **spec, bool is_long, struct field *ret)
{
	const char *p = *spec + strspn(*spec, " "), *type;
	size_t len = strcspn(p, " ");

	if (len == 0)
		return false;
	*spec = p + len;
	ret->name = p;
	ret->name_len = strcspn(p, ":");
	type = p + ret->name_len + 1;
	ret->type = *type;
	ret->since = 0;
	ret->until = VERSION_MAX + 1;
	if (*type == 'i') {
		ret->size = 4;
		if (type[2] == 'f') {
			ret->type = 'f';
			ret->size = is_long ? 20 : 4;
		}
	} else if (*type == 'd') {
		ret->size = 0;
	} else {
		ret->size = strtoul(type + 1, NULL, 10);
		if (*type == 'u')
			ret->size /= 8;
	}
	if (memchr(p, '@', len))
		ret->since = (unsigned)strtoul(strchr(p, '@') + 1, NULL, 10);
	if (memchr(p, '<', len))
		ret->until = (unsigned)strtoul(strchr(p, '<') + 1, NULL, 10);
	return true;
}

static bool is_in(const struct field *f, unsigned version)
{
	return version >= f->since && version < f->until;
}

uint32_t u32le(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static void put_le(uint8_t *p, size_t size, uint32_t v)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

uint32_t pdu_id(const struct pdu *p)
{
	return u32le(p->b + PDU_HEAD);
}

uint32_t pdu_header(const struct pdu *p)
{
	return u32le(p->b + 4);
}

static bool is_long(const struct pdu *p)
{
	return pdu_header(p) >= HEADER_LONG_IP;
}

static void length_update(struct pdu *p)
{
	put_le(p->b, 4, (uint32_t)(p->len - PDU_HEAD));
}

static void begin(struct pdu *p, uint32_t id, unsigned version, uint32_t header)
{
	const struct wire_row *row = wire_row(id);
	const char *spec = row && row->fields ? row->fields : "";
	struct field f;

	memset(p->b, 0, sizeof(p->b));
	p->version = version;
	p->len = PDU_MIN;
	put_le(p->b + 4, 4, header);
	put_le(p->b + PDU_HEAD, 4, id);
	while (field_next(&spec, header >= HEADER_LONG_IP, &f))
		if (is_in(&f, version))
			p->len += f.size;
	length_update(p);
}

void pdu_init(struct pdu *p, uint32_t id, unsigned version)
{
	begin(p, id, version, version < HEADER_FIRST ? 0 : version);
}

void pdu_init_old(struct pdu *p, uint32_t id, unsigned version)
{
	begin(p, id, version, 0);
}

/* Where field name lies: its offset, or 0 if the message has it not. */
static size_t field_find(const struct pdu *p, const char *name,
			 struct field *ret)
{
	const struct wire_row *row = wire_row(pdu_id(p));
	const char *spec = row && row->fields ? row->fields : "";
	size_t at = PDU_MIN;

	while (field_next(&spec, is_long(p), ret)) {
		if (!is_in(ret, p->version))
			continue;
		if (at + ret->size > p->len)
			return 0;
		if (ret->name_len == strlen(name) &&
		    strncmp(ret->name, name, ret->name_len) == 0)
			return at;
		at += ret->size;
	}
	return 0;
}

static size_t field_get(const struct pdu *p, const char *name,
			struct field *ret)
{
	size_t at = field_find(p, name, ret);

	if (!at)
		die("message %#x has no field %s", pdu_id(p), name);
	return at;
}

void pdu_set(struct pdu *p, const char *field, uint32_t value)
{
	struct field f;
	size_t at = field_get(p, field, &f);

	put_le(p->b + at, f.size, value);
}

void pdu_set_text(struct pdu *p, const char *field, const char *text)
{
	struct field f;
	size_t at = field_get(p, field, &f), len = strlen(text);

	memcpy(p->b + at, text, len < f.size ? len : f.size);
}

void pdu_set_bytes(struct pdu *p, const char *field, const uint8_t *b,
		   size_t len)
{
	struct field f;
	size_t at = field_get(p, field, &f);

	memcpy(p->b + at, b, len < f.size ? len : f.size);
}

void pdu_set_ip(struct pdu *p, const char *field, struct in_addr ip)
{
	struct field f;
	size_t at = field_get(p, field, &f);

	/* the type before the 16 bytes is 0, IPv4 */
	memcpy(p->b + at + (f.size == 20 ? 4 : 0), &ip, sizeof(ip));
}

static bool set_hex(struct pdu *p, const char *field, const char *text)
{
	uint8_t b[64];
	size_t len = hex_bytes(text, b, sizeof(b));

	if (len == 0)
		return false;
	pdu_set_bytes(p, field, b, len);
	return true;
}

bool pdu_set_any(struct pdu *p, const char *field, const char *text)
{
	struct field f;
	struct in_addr ip;

	if (!field_find(p, field, &f))
		return false;
	switch (f.type) {
	case 'u':
		pdu_set(p, field, (uint32_t)strtoul(text, NULL, 0));
		return true;
	case 's':
		pdu_set_text(p, field, text);
		return true;
	case 'b':
		return set_hex(p, field, text);
	case 'i':
	case 'f':
		if (inet_pton(AF_INET, text, &ip) != 1)
			return false;
		pdu_set_ip(p, field, ip);
		return true;
	default:
		pdu_strings(p, 1, &text);
		return true;
	}
}

void pdu_strings(struct pdu *p, unsigned n, const char *const *text)
{
	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(text[i]) + 1;

		if (p->len + len + 4 > sizeof(p->b))
			die("too many strings in message %#x", pdu_id(p));
		memcpy(p->b + p->len, text[i], len);
		p->len += len;
	}
	while (p->len % 4)
		p->b[p->len++] = 0;
	length_update(p);
}

void pdu_cut(struct pdu *p, uint32_t length)
{
	if (length + PDU_HEAD > p->len)
		return;
	p->len = length + PDU_HEAD;
	length_update(p);
}

bool pdu_has(const struct pdu *p, const char *field)
{
	struct field f;

	return field_find(p, field, &f) != 0;
}

uint32_t pdu_get(const struct pdu *p, const char *field)
{
	struct field f;
	size_t at = field_find(p, field, &f);
	uint32_t v = 0;

	for (size_t i = at ? f.size : 0; i > 0; i--)
		v = v << 8 | p->b[at + i - 1];
	return v;
}

void pdu_text(const struct pdu *p, const char *field, char *ret, size_t cap)
{
	struct field f;
	size_t at = field_find(p, field, &f), n = 0;

	while (at && n < f.size && n < cap - 1 && p->b[at + n])
		n++;
	memcpy(ret, p->b + at, n);
	ret[n] = 0;
}

void pdu_bytes(const struct pdu *p, const char *field, uint8_t *ret, size_t len)
{
	struct field f;
	size_t at = field_find(p, field, &f);

	memset(ret, 0, len);
	if (at)
		memcpy(ret, p->b + at, len < f.size ? len : f.size);
}

struct in_addr pdu_ip(const struct pdu *p, const char *field)
{
	struct in_addr ip = {0};
	struct field f;
	size_t at = field_find(p, field, &f);

	if (at)
		memcpy(&ip, p->b + at + (f.size == 20 ? 4 : 0), sizeof(ip));
	return ip;
}

const char *pdu_string(const struct pdu *p, unsigned i, char *ret, size_t cap)
{
	struct field f;
	size_t at = 0, n = 0;
	const struct wire_row *row = wire_row(pdu_id(p));
	const char *dyn =
		row && row->fields ? strstr(row->fields, ":dyn") : NULL;

	ret[0] = 0;
	if (!dyn)
		return ret;
	at = field_find(p, "strings", &f);
	for (; at && at < p->len && i > 0; at++)
		if (!p->b[at])
			i--;
	for (; at && at < p->len && n < cap - 1 && p->b[at]; at++)
		ret[n++] = (char)p->b[at];
	ret[n] = 0;
	return ret;
}

/* --- printing ----------------------------------------------------------- */
struct out {
	char *p;
	size_t len, cap;
};

static void put_char(struct out *o, char c)
{
	if (o->len + 1 < o->cap)
		o->p[o->len++] = c;
	o->p[o->len] = 0;
}

static void put_str(struct out *o, const char *s)
{
	while (*s)
		put_char(o, *s++);
}

static void put_text(struct out *o, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len && b[i]; i++)
		put_char(o, b[i] > ' ' && b[i] < 127 ? (char)b[i] : '_');
}

static void put_hex(struct out *o, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char hex[3];

		(void)snprintf(hex, sizeof(hex), "%02x", b[i]);
		put_str(o, hex);
	}
}

static void put_dyn(struct out *o, const uint8_t *b, size_t len)
{
	size_t last = len;

	while (last > 0 && !b[last - 1])
		last--;
	for (size_t i = 0; i < last; i++)
		put_char(o, b[i] > ' ' && b[i] < 127 ? (char)b[i]
			    : b[i]		     ? '_'
						     : '|');
}

static void put_field(struct out *o, const struct pdu *p, const struct field *f,
		      size_t at)
{
	char text[INET_ADDRSTRLEN + 12];

	put_char(o, ' ');
	for (size_t i = 0; i < f->name_len; i++)
		put_char(o, f->name[i]);
	put_char(o, '=');
	switch (f->type) {
	case 's':
		put_text(o, p->b + at, f->size);
		return;
	case 'b':
		put_hex(o, p->b + at, f->size);
		return;
	case 'd':
		put_dyn(o, p->b + at, p->len - at);
		return;
	case 'i':
	case 'f':
		(void)inet_ntop(AF_INET, p->b + at + (f->size == 20 ? 4 : 0),
				text, sizeof(text));
		break;
	default: {
		uint32_t v = 0;

		for (size_t i = f->size; i > 0; i--)
			v = v << 8 | p->b[at + i - 1];
		(void)snprintf(text, sizeof(text), "%u", v);
	}
	}
	put_str(o, text);
}

const char *pdu_print(const struct pdu *p, char *ret, size_t cap)
{
	const struct wire_row *row = wire_row(pdu_id(p));
	struct out o = {ret, 0, cap};
	const char *spec;
	struct field f;
	size_t at = PDU_MIN;
	char text[40];

	ret[0] = 0;
	if (!row) {
		(void)snprintf(text, sizeof(text), "Unknown-%#x len=%zu",
			       pdu_id(p), p->len - PDU_HEAD);
		put_str(&o, text);
		return "unknown message";
	}
	put_str(&o, row->name);
	(void)snprintf(text, sizeof(text), " header=%u len=%zu", pdu_header(p),
		       p->len - PDU_HEAD);
	put_str(&o, text);
	if (!row->fields)
		return NULL;
	spec = row->fields;
	while (at < p->len && field_next(&spec, is_long(p), &f)) {
		if (!is_in(&f, p->version))
			continue;
		if (at + f.size > p->len)
			return "it ends in the middle of a field";
		put_field(&o, p, &f, at);
		at = f.type == 'd' ? p->len : at + f.size;
	}
	return at < p->len ? "bytes after the last field" : NULL;
}
