/*
 * A request written anew for another call manager: the hosts of the one it was
 * made for are replaced by the other's, whatever header they stand in.
 */
#include "b2bua/machine.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/text.h"
#include "rewrite/sip_out.h"
#include "sip/hdr.h"
#include "sip/print.h"
#include "sip/uri.h"

enum { HOST_MAX = 64 };

static bool is_word(uint8_t b)
{
	return text_is_alnum(b) || b == '.' || b == '-';
}

/* Length of a's host at the beginning of v, as a whole word; 0: not there. */
static size_t host_len(struct slice v, const struct addr *a)
{
	uint8_t host[HOST_MAX];
	struct writer w;

	writer_init(&w, host, sizeof(host));
	addr_print_host(&w, a);
	if (w.len == 0 || v.len < w.len || memcmp(v.ptr, host, w.len) != 0 ||
	    (v.len > w.len && is_word(v.ptr[w.len])))
		return 0;
	return w.len;
}

/* Length of ":port" at the beginning of v; 0: another, or none. */
static size_t port_len(struct slice v, uint16_t port)
{
	uint8_t text[8];
	struct writer w;

	writer_init(&w, text, sizeof(text));
	writer_u8(&w, ':');
	writer_dec(&w, port);
	if (v.len < w.len || memcmp(v.ptr, text, w.len) != 0 ||
	    (v.len > w.len && text_is_digit(v.ptr[w.len])))
		return 0;
	return w.len;
}

void core_map_put(struct writer *w, struct slice v, const struct core_map *map)
{
	bool in_word = false;

	while (v.len > 0) {
		size_t n = 0;
		size_t i;

		for (i = 0; i < 2 && !in_word; i++) {
			n = host_len(v, &map->from[i]);
			if (n > 0)
				break;
		}
		if (n == 0) {
			in_word = is_word(v.ptr[0]);
			writer_u8(w, v.ptr[0]);
			v = slice_from(v, 1);
			continue;
		}
		addr_print_host(w, &map->to[i]);
		v = slice_from(v, n);
		n = port_len(v, map->from[i].port);
		if (n == 0)
			continue;
		writer_u8(w, ':');
		writer_dec(w, map->to[i].port);
		v = slice_from(v, n);
	}
}

/* v with its hosts replaced; NULL: memory is out. */
static char *map_text(struct slice v, const struct core_map *map)
{
	struct writer w = {.full = true};
	char *text = NULL;

	/* How often a longer host takes a shorter one's place is not known. */
	for (size_t cap = v.len + 4 * HOST_MAX; !writer_ok(&w); cap *= 2) {
		uint8_t *buf = alloc_zero(cap);

		if (!buf)
			return NULL;
		writer_init(&w, buf, cap);
		core_map_put(&w, v, map);
		if (writer_ok(&w))
			text = alloc_copy(writer_slice(&w));
		alloc_free(buf);
	}
	return text;
}

int core_map_texts(char **const *text, size_t count, const struct core_map *map)
{
	char *p[CORE_MAP_TEXTS] = {NULL};
	int err = 0;

	assert(count <= CORE_MAP_TEXTS);
	for (size_t i = 0; i < count && !err; i++) {
		if (!*text[i])
			continue;
		p[i] = map_text(slice_str(*text[i]), map);
		if (!p[i])
			err = ERR_NOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		if (err || !p[i]) {
			alloc_free(p[i]);
			continue;
		}
		alloc_free(*text[i]);
		*text[i] = p[i];
	}
	return err;
}

struct core_map core_map_of(const struct dest *from, const struct dest *to)
{
	return (struct core_map){.from = {from->peer, from->local},
				 .to = {to->peer, to->local}};
}

static void print_contact(struct writer *w, struct slice value,
			  const struct core_rewrite *r)
{
	struct sip_nameaddr na;
	struct sip_uri u;

	writer_str(w, "Contact: ");
	if (sip_nameaddr_parse(value, &na) != 0 ||
	    sip_uri_parse(na.uri, &u) != 0) {
		writer_put(w, value);
	} else {
		sip_out_contact(w, r->dest, u.user);
		if (na.params.len > 0)
			writer_u8(w, ';');
		writer_put(w, na.params);
	}
	writer_str(w, "\r\n");
}

static void print_hdr(struct writer *w, const struct sip_hdr *h,
		      const struct core_rewrite *r, const struct core_map *map)
{
	switch ((int)h->id) {
	case SIP_HDR_VIA:
	case SIP_HDR_CSEQ:
	case SIP_HDR_CONTENT_LENGTH:
		return;
	case SIP_HDR_CONTACT:
		print_contact(w, h->value, r);
		return;
	case SIP_HDR_AUTHORIZATION:
	case SIP_HDR_PROXY_AUTHORIZATION:
		/* What is in it was proved over; it cannot be changed. */
		if (!r->drops_auth)
			sip_print_hdr_copy(w, h);
		return;
	default:
		writer_put(w, h->name);
		writer_str(w, ": ");
		core_map_put(w, h->value, map);
		writer_str(w, "\r\n");
	}
}

void core_rewrite(struct writer *w, const struct sip_msg *m,
		  const struct core_rewrite *r)
{
	struct core_map map = core_map_of(r->was, r->dest);

	writer_put(w, m->method_name);
	writer_u8(w, ' ');
	core_map_put(w, m->ruri, &map);
	writer_str(w, " SIP/2.0\r\n");
	sip_out_via(w, r->dest, r->branch);
	writer_str(w, "CSeq: ");
	writer_dec(w, r->cseq);
	writer_u8(w, ' ');
	writer_put(w, m->method_name);
	writer_str(w, "\r\n");
	for (size_t i = 0; i < m->hdr_count; i++)
		if (m->package.len == 0 || m->hdr[i].id != SIP_HDR_CONTENT_TYPE)
			print_hdr(w, &m->hdr[i], r, &map);
	writer_put(w, r->extra);
	if (m->package.len > 0)
		sip_print_body(w, m->package_type, m->package);
	else
		sip_print_body(w, SLICE_NULL, m->body);
}
