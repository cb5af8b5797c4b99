#include "proxy/gate_list.h"

#include "base/text.h"
#include "sip/multipart.h"

static const char list_type[] = "application/resource-lists+xml";

static const struct slice unreadable = SLICE("uri=\"&\"");

/* As text, and without what could hide a member (encodings, UTF-16, entities). */
static bool is_readable(struct slice body, struct slice encoding)
{
	return (encoding.len == 0 || text_ieqs(encoding, "identity")) &&
	       (body.len == 0 || !memchr(body.ptr, 0, body.len)) &&
	       text_find(body, "<!") < 0;
}

static struct slice encoding_of(const struct sip_msg *m)
{
	for (size_t i = 0; i < m->hdr_count; i++)
		if (text_ieqs(m->hdr[i].name, "Content-Encoding") ||
		    text_ieqs(m->hdr[i].name, "e"))
			return m->hdr[i].value;
	return SLICE_NULL;
}

void gate_list_init(struct gate_list *l, const struct sip_msg *m)
{
	struct slice type = sip_msg_value(m, SIP_HDR_CONTENT_TYPE);
	struct slice body = m->body;
	struct slice encoding = encoding_of(m);
	struct sip_multipart parts;
	struct sip_part part;
	int err;

	*l = (struct gate_list){.rest = SLICE_NULL};
	if (m->package.len > 0) {
		type = m->package_type;
		body = m->package;
	}
	if (sip_type_is(type, list_type)) {
		l->rest = is_readable(body, encoding) ? body : unreadable;
		return;
	}
	if (type.len < 10 || !text_ieqs(slice_sub(type, 0, 10), "multipart/"))
		return;
	err = encoding.len > 0 ? ERR_BAD
			       : sip_multipart_open(type, body, &parts);
	while (!err && (err = sip_multipart_next(&parts, &part)) == 0) {
		bool is_list = sip_type_is(part.type, list_type);

		if (text_ieqs(slice_sub(part.type, 0, 10), "multipart/") ||
		    (is_list && (l->rest.len > 0 ||
				 !is_readable(part.body, part.encoding))))
			err = ERR_BAD;
		else if (is_list)
			l->rest = part.body;
	}
	if (err != ERR_NOTFOUND)
		l->rest = unreadable;
}

/* s from its first byte that is no blank. Not text_trim, whose look at the
 * end would make a body of many members and blanks quadratic. */
static struct slice skip_blanks(struct slice s)
{
	size_t n = 0;

	while (n < s.len && (s.ptr[n] == ' ' || s.ptr[n] == '\t' ||
			     s.ptr[n] == '\r' || s.ptr[n] == '\n'))
		n++;
	return slice_from(s, n);
}

/* Behind "uri", blanks, '=', blanks: the quoted value. */
static bool read_value(struct slice *rest, struct slice *ret)
{
	struct slice s = skip_blanks(*rest);
	struct slice value;

	if (s.len == 0 || s.ptr[0] != '=')
		return false;
	s = skip_blanks(slice_from(s, 1));
	*ret = s;
	*rest = SLICE_NULL;
	if (s.len == 0 || (s.ptr[0] != '"' && s.ptr[0] != '\''))
		return true;
	if (!text_cut(slice_from(s, 1), s.ptr[0], &value, &s))
		return true;
	*rest = s;
	*ret = value.len > 0 && !memchr(value.ptr, '&', value.len)
		       ? value
		       : slice_str("&");
	return true;
}

bool gate_list_next(struct gate_list *l, struct slice *ret_uri)
{
	while (l->rest.len > 0) {
		long at = text_find(l->rest, "uri");

		if (at < 0)
			break;
		l->rest = slice_from(l->rest, (size_t)at + 3);
		if (read_value(&l->rest, ret_uri))
			return true;
	}
	l->rest = SLICE_NULL;
	return false;
}
