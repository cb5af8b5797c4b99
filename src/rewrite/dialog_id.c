#include "rewrite/dialog_id.h"

#include "base/text.h"
#include "rewrite/hosts.h"
#include "sip/hdr.h"
#include "sip/uri.h"

enum { VALUE_MAX = 1024 };

/* A name alone; what there is none of stands for itself. */
static bool find_name(const struct sip_out_rules *r, struct slice in,
		      uint8_t *buf, struct slice *ret)
{
	struct writer w;

	*ret = in;
	if (in.len == 0)
		return true;
	writer_init(&w, buf, DIALOG_COVER_MAX);
	if (!r->lookup->name(r->lookup->ctx, r->to_phone, in, &w) ||
	    !writer_ok(&w))
		return false;
	*ret = writer_slice(&w);
	return true;
}

bool dialog_id_find(const struct sip_out_rules *r, const struct sip_out_ids *in,
		    struct dialog_id_other *ret)
{
	if (!r->lookup || in->call_id.len == 0)
		return false;
	return r->lookup->dialog(r->lookup->ctx, r->to_phone, in, &ret->ids) ||
	       (r->lookup->name &&
		find_name(r, in->call_id, ret->buf[2], &ret->ids.call_id) &&
		find_name(r, in->tag[0], ret->buf[0], &ret->ids.tag[0]) &&
		find_name(r, in->tag[1], ret->buf[1], &ret->ids.tag[1]));
}

struct slice dialog_id_own(const struct sip_out_rules *r, struct slice call_id,
			   struct dialog_id_other *other)
{
	struct slice own = other->ids.call_id;

	/* Its place is free where the dialog is known. */
	if (!r->to_phone || !r->lookup->name || own.ptr == other->buf[2] ||
	    !find_name(r, call_id, other->buf[2], &own))
		return other->ids.call_id;
	return own;
}

static struct slice unquoted(struct slice s)
{
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return slice_sub(s, 1, s.len - 2);
	return s;
}

/* Which id a parameter is: 0 the first tag, 1 the second, 2 the Call-ID. */
static int id_of(struct slice name)
{
	static const struct {
		const char *name;
		int id;
	} rows[] = {{"to-tag", 0},
		    {"local-tag", 0},
		    {"from-tag", 1},
		    {"remote-tag", 1},
		    {"call-id", 2}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (text_ieqs(name, rows[i].name))
			return rows[i].id;
	return -1;
}

static struct slice *field(struct sip_out_ids *ids, int id)
{
	return id == 2 ? &ids->call_id : &ids->tag[id];
}

static void read_params(struct slice params, struct sip_out_ids *ids)
{
	struct slice name;
	struct slice value;

	while (sip_param_next(&params, &name, &value)) {
		int id = id_of(name);

		if (id >= 0)
			*field(ids, id) = unquoted(value);
	}
}

/* Copy parameters; those that are ids from ids, if it is not NULL. */
static void copy_params(struct writer *w, struct slice params,
			struct sip_out_ids *ids, const struct sip_out_map *map)
{
	struct slice name;
	struct slice value;

	while (sip_param_next(&params, &name, &value)) {
		int id = ids ? id_of(name) : -1;
		bool is_quoted = value.len > 1 && value.ptr[0] == '"';

		if (name.len == 0)
			continue;
		writer_u8(w, ';');
		writer_put(w, name);
		if (value.len == 0)
			continue;
		writer_u8(w, '=');
		if (id < 0) {
			hosts_copy(w, value, map);
			continue;
		}
		writer_str(w, is_quoted ? "\"" : "");
		writer_put(w, *field(ids, id));
		writer_str(w, is_quoted ? "\"" : "");
	}
}

void dialog_id_copy(struct writer *w, struct slice value,
		    const struct sip_out_rules *r)
{
	struct sip_out_ids ids = {.call_id = SLICE_NULL};
	struct dialog_id_other other;
	struct slice call_id;
	struct slice params;
	bool is_known;

	text_cut(value, ';', &call_id, &params);
	read_params(params, &ids);
	ids.call_id = text_trim(call_id);
	is_known = dialog_id_find(r, &ids, &other);
	if (is_known)
		writer_put(w, other.ids.call_id);
	else
		hosts_copy(w, ids.call_id, &r->map);
	copy_params(w, params, is_known ? &other.ids : NULL, &r->map);
}

void dialog_id_copy_event(struct writer *w, struct slice value,
			  const struct sip_out_rules *r)
{
	struct sip_out_ids ids = {.call_id = SLICE_NULL};
	struct dialog_id_other other;
	struct slice package;
	struct slice params;
	bool is_known;

	text_cut(value, ';', &package, &params);
	read_params(params, &ids);
	is_known = dialog_id_find(r, &ids, &other);
	if (ids.call_id.len == 0) {
		hosts_copy(w, value, &r->map);
		return;
	}
	writer_put(w, package);
	copy_params(w, params, is_known ? &other.ids : NULL, &r->map);
}

static int hex_digit(uint8_t c)
{
	c = text_lower(c);
	if (text_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX; what is no escape stays. */
static void unescape(struct writer *w, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		int hi = -1;
		int lo = -1;

		if (s.ptr[i] == '%' && i + 2 < s.len) {
			hi = hex_digit(s.ptr[i + 1]);
			lo = hex_digit(s.ptr[i + 2]);
		}
		if (hi < 0 || lo < 0) {
			writer_u8(w, s.ptr[i]);
			continue;
		}
		writer_u8(w, (uint8_t)(hi << 4 | lo));
		i += 2;
	}
}

/* hvalue of RFC 3261 section 25.1. */
static void escape(struct writer *w, struct slice s)
{
	static const char digit[] = "0123456789ABCDEF";
	static const char plain[] = "-_.!~*'()[]/?:+$";

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (text_is_alnum(c) || (c != 0 && strchr(plain, c))) {
			writer_u8(w, c);
			continue;
		}
		writer_u8(w, '%');
		writer_u8(w, (uint8_t)digit[c >> 4]);
		writer_u8(w, (uint8_t)digit[c & 15]);
	}
}

static bool is_control(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
			return true;
	return false;
}

/* The header of a URI that its reader may put into the request he is asked to
 * send, by its name as we write it; NULL: it is not for others to say. */
static const char *passing(struct slice name)
{
	static const char *const names[] = {"Replaces", "Join", "Target-Dialog",
					    "Require"};
	uint8_t buf[32];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	unescape(&w, name);
	name = text_trim(writer_slice(&w));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (writer_ok(&w) && text_ieqs(name, names[i]))
			return names[i];
	return NULL;
}

/* One name=value of a URI's headers. A value that hides a line end, or is
 * too long to be read, does not pass. */
static bool copy_header(struct writer *w, struct slice item,
			const struct sip_out_rules *r)
{
	uint8_t in[VALUE_MAX];
	uint8_t out[2 * VALUE_MAX];
	struct writer wi;
	struct writer wo;
	struct slice part;
	struct slice value;
	const char *name;

	text_cut(item, '=', &part, &value);
	name = passing(part);
	writer_init(&wi, in, sizeof(in));
	unescape(&wi, value);
	if (!name || !writer_ok(&wi) || is_control(writer_slice(&wi)))
		return false;
	writer_init(&wo, out, sizeof(out));
	if (strcmp(name, "Require") != 0)
		dialog_id_copy(&wo, writer_slice(&wi), r);
	else
		hosts_copy(&wo, writer_slice(&wi), &r->map);
	if (!writer_ok(&wo))
		return false;
	writer_str(w, name);
	writer_u8(w, '=');
	escape(w, writer_slice(&wo));
	return true;
}

static void copy_headers(struct writer *w, struct slice headers,
			 const struct sip_out_rules *r)
{
	char sep = '?';
	struct slice item;

	while (headers.len > 0) {
		struct writer probe = *w;

		text_cut(headers, '&', &item, &headers);
		writer_u8(&probe, (uint8_t)sep);
		if (item.len == 0 || !copy_header(&probe, item, r))
			continue;
		*w = probe;
		sep = '&';
	}
}

/* Does the name of a header in a URI say that it names a dialog to be replaced
 * or joined? */
static bool connects(struct slice name)
{
	uint8_t buf[16];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	unescape(&w, name);
	name = text_trim(writer_slice(&w));
	return text_ieqs(name, "Replaces") || text_ieqs(name, "Join");
}

bool dialog_id_next_uri(struct slice uri, size_t *pos,
			struct dialog_id_named *ret)
{
	struct slice headers, item, name, value, params;
	struct writer w;

	(void)text_cut(uri, '?', NULL, &headers);
	headers = slice_from(headers, *pos);
	while (headers.len > 0) {
		size_t len = headers.len;

		text_cut(headers, '&', &item, &headers);
		*pos += len - headers.len;
		text_cut(item, '=', &name, &value);
		if (!connects(name))
			continue;
		writer_init(&w, ret->value, sizeof(ret->value));
		unescape(&w, value);
		ret->ids = (struct sip_out_ids){.call_id = SLICE_NULL};
		ret->outer = SLICE_NULL;
		if (!writer_ok(&w) || is_control(writer_slice(&w)))
			return true;
		text_cut(writer_slice(&w), ';', &ret->ids.call_id, &params);
		ret->ids.call_id = text_trim(ret->ids.call_id);
		read_params(params, &ret->ids);
		return true;
	}
	return false;
}

/* A Contact of ours stands for somebody on the other side. */
static bool copy_contact(struct writer *w, const struct sip_uri *u,
			 const struct sip_out_rules *r)
{
	struct slice uri = SLICE_NULL;
	struct slice user = SLICE_NULL;
	struct slice method;
	struct addr host;

	if (!r->lookup || addr_parse_ip(u->host, &host) != 0 ||
	    !addr_ip_eq(&host, &r->map.ours) ||
	    !r->lookup->contact(r->lookup->ctx, r->to_phone, u->user, &uri,
				&user))
		return false;
	if (uri.len > 0) {
		writer_put(w, uri);
	} else {
		writer_str(w, "sip:");
		writer_put(w, user);
		writer_str(w, "@");
		addr_print_host(w, &r->map.peer_new);
	}
	if (sip_param(u->params, "method", &method)) {
		writer_str(w, ";method=");
		writer_put(w, method);
	}
	return true;
}

/* A URI of another scheme, or none: a reader that understands it gets no headers
 * from it. Only brackets tell where it ends. */
static void copy_other(struct writer *w, struct slice value, struct slice uri,
		       const struct sip_out_map *map)
{
	const uint8_t *end = value.ptr + value.len;

	if (uri.len > 0 && uri.ptr > value.ptr && uri.ptr[-1] == '<')
		hosts_copy(w,
			   slice_make(value.ptr, (size_t)(uri.ptr - value.ptr)),
			   map);
	else
		uri = value;
	value = slice_make(uri.ptr + uri.len,
			   (size_t)(end - (uri.ptr + uri.len)));
	text_cut(uri, '?', &uri, NULL);
	hosts_copy(w, uri, map);
	hosts_copy(w, value, map);
}

void dialog_id_copy_refer_to(struct writer *w, struct slice value,
			     const struct sip_out_rules *r)
{
	struct sip_nameaddr na;
	struct sip_uri u;
	struct slice uri;
	bool has_bracket;

	if (sip_nameaddr_parse(value, &na) != 0) {
		copy_other(w, value, SLICE_NULL, &r->map);
		return;
	}
	uri = na.uri;
	if (sip_uri_parse(uri, &u) != 0 || u.host.len == 0) {
		copy_other(w, value, uri, &r->map);
		return;
	}
	if (u.headers.len > 0)
		uri = slice_sub(uri, 0, (size_t)(u.headers.ptr - uri.ptr) - 1);
	has_bracket = na.uri.ptr > value.ptr && na.uri.ptr[-1] == '<';
	writer_put(w, slice_sub(value, 0, (size_t)(na.uri.ptr - value.ptr)));
	/* A mapped URI may have parameters, which must stay its own. */
	writer_str(w, has_bracket ? "" : "<");
	if (!copy_contact(w, &u, r))
		sip_out_addr(w, uri, &r->map);
	copy_headers(w, u.headers, r);
	writer_str(w, has_bracket ? "" : ">");
	writer_put(w, slice_from(value, (size_t)(na.uri.ptr - value.ptr) +
						na.uri.len));
}
