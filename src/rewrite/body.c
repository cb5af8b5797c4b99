#include "rewrite/body.h"

#include "base/text.h"
#include "rewrite/dialog_id.h"
#include "rewrite/hosts.h"
#include "sip/multipart.h"
#include "sip/print.h"

enum body_kind {
	BODY_OPAQUE,
	BODY_TEXT,    /* holds addresses */
	BODY_XML,     /* holds addresses and names of dialogs */
	BODY_SERVICE, /* names a registration */
	BODY_STATUS, /* a message of the other side; the first line is enough */
	BODY_NESTED, /* parts that are not looked at one by one */
	BODY_SESSION
};

static bool ends_with(struct slice type, const char *tail)
{
	size_t n = strlen(tail);

	text_cut(type, ';', &type, NULL);
	type = text_trim(type);
	return type.len >= n && text_ieqs(slice_from(type, type.len - n), tail);
}

static enum body_kind kind_of(struct slice type, struct slice encoding,
			      const struct sip_out_rules *r)
{
	static const struct {
		const char *type;
		enum body_kind kind;
	} rows[] = {
		{"application/sdp", BODY_SESSION},
		{"message/sipfrag", BODY_STATUS},
		{"message/sip", BODY_STATUS},
		{"message/cpim", BODY_TEXT},
		{"application/vq-rtcpxr", BODY_TEXT}, /* RFC 6035 */
		{"application/simple-message-summary", BODY_TEXT},
		{"application/xml", BODY_XML},
		{"text/xml", BODY_XML},
	};

	bool is_plain = encoding.len == 0 || text_ieqs(encoding, "identity");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sip_type_is(type, rows[i].type) &&
		    (is_plain || rows[i].kind == BODY_SESSION))
			return rows[i].kind;
	if (!is_plain)
		return BODY_OPAQUE;
	if (r->register_id.len > 0 && sip_type_is(type, "text/plain"))
		return BODY_SERVICE;
	if (ends_with(type, "+xml"))
		return BODY_XML;
	return text_ieqs(slice_sub(type, 0, 10), "multipart/") ? BODY_NESTED
							       : BODY_OPAQUE;
}

static struct slice encoding_of(const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_msg_find_name(m, "Content-Encoding");

	if (!h)
		h = sip_msg_find_name(m, "e");
	return h ? h->value : SLICE_NULL;
}

/* Of a fragment of a message (RFC 3420) only the status line: what else is in
 * it are the other side's headers. */
static void copy_status(struct writer *w, struct slice s,
			const struct sip_out_map *map)
{
	struct slice line;

	text_cut(s, '\n', &line, NULL);
	if (text_ieqs(slice_sub(line, 0, 8), "SIP/2.0 "))
		hosts_copy(w, text_trim(line), map);
	writer_str(w, "\r\n");
}

static void copy_service(struct writer *w, struct slice s,
			 const struct sip_out_rules *r)
{
	const struct slice was = r->register_id;
	const uint8_t *p;

	while (s.len >= was.len &&
	       (p = memmem(s.ptr, s.len, was.ptr, was.len))) {
		writer_put(w, slice_make(s.ptr, (size_t)(p - s.ptr)));
		writer_put(w, r->register_id_new);
		s = slice_from(s, (size_t)(p - s.ptr) + was.len);
	}
	writer_put(w, s);
}

static void copy_kind(struct writer *w, enum body_kind kind, struct slice s,
		      const struct sip_out_rules *r)
{
	switch (kind) {
	case BODY_OPAQUE:
		writer_put(w, s);
		break;
	case BODY_SESSION:
		break; /* it holds keys, which are nobody's but ours to give */
	case BODY_NESTED:
		if (text_find(s, "a=crypto") < 0)
			dialog_id_copy_xml(w, s, r);
		break;
	case BODY_TEXT:
		hosts_copy(w, s, &r->map);
		break;
	case BODY_XML:
		dialog_id_copy_xml(w, s, r);
		break;
	case BODY_SERVICE:
		copy_service(w, s, r);
		break;
	case BODY_STATUS:
		copy_status(w, s, &r->map);
		break;
	}
}

/* A part's header lines; its Content-Length, where that may change, is left
 * out. Other parts and headers refer to it by its Content-ID, which may hold an
 * address. */
static void copy_part_head(struct writer *w, struct slice head, bool has_length,
			   const struct sip_out_map *map)
{
	while (head.len > 0) {
		struct slice line;
		struct slice name;

		text_cut(head, '\n', &line, &head);
		text_cut(line, ':', &name, NULL);
		if (!has_length && text_ieqs(text_trim(name), "Content-Length"))
			continue;
		hosts_copy(w, line, map);
		writer_u8(w, '\n');
	}
}

/* The parts of a multipart body, each as its type asks; session takes the
 * place of the session description. False: it cannot be read. */
static bool copy_parts(struct writer *w, struct slice type, struct slice body,
		       struct slice session, const struct sip_out_rules *r)
{
	struct sip_multipart m;
	struct sip_part part;
	const uint8_t *done = body.ptr;
	int err;

	if (sip_multipart_open(type, body, &m) != 0)
		return false;
	while ((err = sip_multipart_next(&m, &part)) == 0) {
		enum body_kind kind = kind_of(part.type, part.encoding, r);

		writer_bytes(w, done, (size_t)(part.head.ptr - done));
		copy_part_head(w, part.head, kind == BODY_OPAQUE, &r->map);
		done = part.head.ptr + part.head.len;
		writer_bytes(w, done, (size_t)(part.body.ptr - done));
		if (kind == BODY_SESSION && session.len > 0)
			writer_put(w, session);
		else
			copy_kind(w, kind, part.body, r);
		done = part.body.ptr + part.body.len;
	}
	if (err != ERR_NOTFOUND)
		return false;
	writer_bytes(w, done, (size_t)(body.ptr + body.len - done));
	return true;
}

static void copy_whole(struct writer *w, struct slice type, struct slice body,
		       struct slice encoding, const struct sip_out_rules *r)
{
	struct writer probe = *w;

	if (encoding.len == 0 && copy_parts(&probe, type, body, SLICE_NULL, r))
		*w = probe;
	else
		copy_kind(w, kind_of(type, encoding, r), body, r);
}

bool body_goes_on(const struct sip_msg *src, const struct sip_out_rules *r,
		  struct slice body)
{
	bool is_session = src->package.len > 0 ||
			  kind_of(sip_msg_value(src, SIP_HDR_CONTENT_TYPE),
				  SLICE_NULL, r) == BODY_SESSION;

	if (body.len > 0)
		return true;
	return r->has_body && src->body.len > 0 && !is_session;
}

/*
 * Content-Type with the addresses in it replaced: the Content-ID of the first
 * part (RFC 2387) as copy_part_head writes it, a URL of what is elsewhere (RFC
 * 4483). The boundary stays, as it does between the parts.
 */
static void print_type(struct writer *w, struct slice type,
		       const struct sip_out_map *map)
{
	struct slice rest = type;
	struct slice item;

	writer_str(w, "Content-Type: ");
	while (text_next(&rest, ';', &item)) {
		if (!text_ieqs(slice_sub(item, 0, 8), "boundary"))
			continue;
		hosts_copy(w,
			   slice_make(type.ptr, (size_t)(item.ptr - type.ptr)),
			   map);
		writer_put(w, item);
		type = slice_from(type,
				  (size_t)(item.ptr - type.ptr) + item.len);
	}
	hosts_copy(w, type, map);
	writer_str(w, "\r\n");
}

/* Put the header lines that were still missing before the body, which begins
 * at from. */
static void insert_head(struct writer *w, size_t from, struct slice type,
			const struct sip_out_map *map)
{
	uint8_t head[SIP_LINE_MAX + 64];
	struct writer wh;
	size_t len = w->len - from;

	writer_init(&wh, head, sizeof(head));
	if (type.len > 0)
		print_type(&wh, type, map);
	writer_str(&wh, "Content-Length: ");
	writer_dec(&wh, len);
	writer_str(&wh, "\r\n\r\n");
	writer_bytes(w, head, wh.len); /* grows w, or marks it full */
	if (!writer_ok(w) || !writer_ok(&wh)) {
		w->full = true;
		return;
	}
	memmove(w->buf + from + wh.len, w->buf + from, len);
	memcpy(w->buf + from, head, wh.len);
}

void body_print(struct writer *w, const struct sip_msg *src,
		const struct sip_out_rules *r, struct slice type,
		struct slice body)
{
	struct slice own = sip_msg_value(src, SIP_HDR_CONTENT_TYPE);
	struct slice whole = src->body;
	size_t from = w->len;

	if (!body_goes_on(src, r, body)) {
		sip_print_body(w, SLICE_NULL, SLICE_NULL);
		return;
	}
	if (src->package.len > 0) {
		own = src->package_type;
		whole = src->package;
	}
	if (body.len == 0) {
		copy_whole(w, own, whole, encoding_of(src), r);
	} else if (src->package.len == 0 ||
		   !copy_parts(w, own, whole, body, r)) {
		sip_print_body(w, type, body);
		return;
	}
	if (writer_ok(w))
		insert_head(w, from, own, &r->map);
}
