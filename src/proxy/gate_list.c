#include "proxy/gate_list.h"

#include "base/text.h"
#include "sip/multipart.h"

static const char list_type[] = "application/resource-lists+xml";

void gate_list_init(struct gate_list *l, const struct sip_msg *m)
{
	struct slice type = sip_msg_value(m, SIP_HDR_CONTENT_TYPE);
	struct slice body = m->body;
	struct sip_multipart parts;
	struct sip_part part;

	*l = (struct gate_list){.rest = SLICE_NULL};
	if (m->package.len > 0) {
		type = m->package_type;
		body = m->package;
	}
	if (sip_type_is(type, list_type)) {
		l->rest = body;
		return;
	}
	if (sip_multipart_open(type, body, &parts) != 0)
		return;
	while (sip_multipart_next(&parts, &part) == 0)
		if (sip_type_is(part.type, list_type))
			l->rest = part.body;
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
