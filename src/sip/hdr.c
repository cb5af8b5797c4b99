#include "sip/hdr.h"

#include "base/text.h"

enum { EXPIRES_MAX = 0x7fffffff, SIP_PORT = 5060, SIPS_PORT = 5061 };

/* Length of the quoted string at the beginning of s with both quotes, or 0. */
static size_t quoted_len(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == '"')
			return i + 1;
	}
	return 0;
}

/*
 * An unquoted display name is tokens and blanks by the grammar. Phones write
 * more, and UTF-8; what must not be there is a byte at which another reader
 * could see a second value or another URI begin (RFC 4475 3.1.2.15).
 */
static bool is_display(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '\0' || strchr("\",;:<>\\", s.ptr[i]))
			return false;
	return true;
}

static bool are_params_balanced(struct slice s)
{
	size_t i = 0;

	while (i < s.len) {
		if (s.ptr[i] == '"') {
			size_t n = quoted_len(slice_from(s, i));

			if (n == 0)
				return false;
			i += n;
		} else if (strchr(",<>", s.ptr[i])) {
			return false; /* another value would begin there */
		} else {
			i++;
		}
	}
	return true;
}

/* The URI's own bytes: sip_uri_parse looks closer where it matters. */
static bool is_plain(struct slice s, const char *deny)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= 0x20 || s.ptr[i] == 0x7f ||
		    strchr(deny, s.ptr[i]))
			return false;
	return s.len > 0;
}

/* addr-spec: a URI with ',' '?' or ';' must be in brackets (section 20). */
static int parse_addr_spec(struct slice s, struct sip_nameaddr *a)
{
	(void)text_cut(s, ';', &a->uri, &a->params);
	a->uri = text_trim(a->uri);
	if (slice_eqs(a->uri, "*"))
		return 0;
	if (!is_plain(a->uri, ",?<>\"") || !memchr(a->uri.ptr, ':', a->uri.len))
		return ERR_BAD;
	return 0;
}

int sip_nameaddr_parse(struct slice s, struct sip_nameaddr *ret)
{
	struct sip_nameaddr a = {.uri = SLICE_NULL};
	struct slice rest;
	size_t n = 0;
	int err = 0;

	s = text_trim(s);
	if (s.len == 0)
		return ERR_BAD;
	if (s.ptr[0] == '"') {
		n = quoted_len(s);
		rest = text_trim(slice_from(s, n));
		if (n == 0 || rest.len == 0 || rest.ptr[0] != '<')
			return ERR_BAD;
		a.display = slice_sub(s, 0, n);
		s = rest;
	}
	/* A '<' behind a ';' would belong to a parameter of an addr-spec. */
	n = 0;
	while (n < s.len && s.ptr[n] != '<' && s.ptr[n] != ';')
		n++;
	if (n == s.len || s.ptr[n] == ';') {
		err = parse_addr_spec(s, &a);
	} else {
		if (n > 0)
			a.display = text_trim(slice_sub(s, 0, n));
		if (n > 0 && !is_display(a.display))
			return ERR_BAD;
		if (!text_cut(slice_from(s, n + 1), '>', &a.uri, &rest) ||
		    !is_plain(a.uri, "<\""))
			return ERR_BAD;
		rest = text_trim(rest);
		if (rest.len > 0 && rest.ptr[0] != ';')
			return ERR_BAD;
		a.params = slice_from(rest, 1);
	}
	if (err || !are_params_balanced(a.params))
		return ERR_BAD;
	*ret = a;
	return 0;
}

static int parse_via_params(struct sip_via *v)
{
	struct slice rest = v->params;
	struct slice name;
	struct slice value;
	bool has_branch = false;

	while (sip_param_next(&rest, &name, &value)) {
		if (!text_all_token(name))
			return ERR_BAD;
		if (!text_ieqs(name, "branch"))
			continue;
		if (has_branch || value.len == 0 || !is_plain(value, "\""))
			return ERR_BAD;
		has_branch = true;
		v->branch = value;
	}
	return 0;
}

int sip_via_parse(struct slice s, struct sip_via *ret)
{
	struct sip_via v = {.port = 0};
	struct slice name;
	struct slice version;
	struct slice sent_by;
	struct slice rest;
	size_t i = 0;

	/* "SIP / 2.0 / UDP host : port ; ..." is legal (RFC 4475 3.1.1.1). */
	if (!text_cut(s, '/', &name, &rest) ||
	    !text_cut(rest, '/', &version, &rest) ||
	    !text_ieqs(text_trim(name), "SIP") ||
	    !slice_eqs(text_trim(version), "2.0"))
		return ERR_BAD;
	rest = text_trim(rest);
	while (i < rest.len && text_is_token(rest.ptr[i]))
		i++;
	v.transport = slice_sub(rest, 0, i);
	if (i == 0 || i == rest.len ||
	    (rest.ptr[i] != ' ' && rest.ptr[i] != '\t'))
		return ERR_BAD;
	rest = slice_from(rest, i);
	if (text_cut(rest, ';', &sent_by, &v.params)) {
		v.params = text_trim(v.params);
		/* ";" alone, or at the end, is an empty parameter. */
		if (v.params.len == 0 || v.params.ptr[v.params.len - 1] == ';')
			return ERR_BAD;
	}
	if (sip_hostport_parse(sent_by, &v.host, &v.port) != 0 ||
	    parse_via_params(&v) != 0)
		return ERR_BAD;
	*ret = v;
	return 0;
}

/* Where the value of a Digest parameter goes; NULL for those we ignore. */
static struct slice *cred_field(struct sip_cred *c, struct slice name)
{
	struct {
		const char *name;
		struct slice *field;
	} rows[] = {
		{"username", &c->username},
		{"realm", &c->realm},
		{"nonce", &c->nonce},
		{"uri", &c->uri},
		{"response", &c->response},
		{"algorithm", &c->algorithm},
		{"cnonce", &c->cnonce},
		{"qop", &c->qop},
		{"nc", &c->nc},
		{"opaque", &c->opaque},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (text_ieqs(name, rows[i].name))
			return rows[i].field;
	return NULL;
}

static int take_cred_param(struct sip_cred *c, struct slice item)
{
	struct slice name;
	struct slice value;
	struct slice *field;

	if (!text_cut(item, '=', &name, &value))
		return ERR_BAD;
	name = text_trim(name);
	value = text_trim(value);
	if (!text_all_token(name) || value.len == 0)
		return ERR_BAD;
	if (value.ptr[0] == '"') {
		if (quoted_len(value) != value.len)
			return ERR_BAD;
		value = slice_sub(value, 1, value.len - 2);
	} else if (!text_all_token(value)) {
		return ERR_BAD;
	}
	field = cred_field(c, name);
	if (!field)
		return 0;
	if (field->ptr)
		return ERR_BAD; /* given twice: which one was checked? */
	*field = value;
	return 0;
}

int sip_cred_parse(struct slice s, struct sip_cred *ret)
{
	struct sip_cred c = {.nc = SLICE_NULL};
	struct slice item;
	size_t i = 0;

	s = text_trim(s);
	while (i < s.len && text_is_token(s.ptr[i]))
		i++;
	if (i == 0 || (i < s.len && s.ptr[i] != ' ' && s.ptr[i] != '\t'))
		return ERR_BAD;
	if (!text_ieqs(slice_sub(s, 0, i), "Digest"))
		return ERR_UNSUPPORTED;
	s = slice_from(s, i);
	while (text_next(&s, ',', &item))
		if (take_cred_param(&c, item) != 0)
			return ERR_BAD;
	*ret = c;
	return 0;
}

static bool parse_expires(struct slice s, uint32_t *ret)
{
	uint64_t v = EXPIRES_MAX;
	int err = text_dec(s, EXPIRES_MAX, &v);

	if (err && err != ERR_LIMIT)
		return false;
	*ret = (uint32_t)v;
	return true;
}

uint32_t sip_expires(const struct sip_msg *m, struct slice contact_params,
		     uint32_t fallback)
{
	struct slice value;
	uint32_t v;

	if (sip_param(contact_params, "expires", &value))
		return parse_expires(value, &v) ? v : fallback;
	value = sip_msg_value(m, SIP_HDR_EXPIRES);
	return parse_expires(value, &v) ? v : fallback;
}

bool sip_is_keep_alive(const struct sip_msg *m)
{
	struct sip_nameaddr na;
	struct slice value;
	size_t pos = 0;

	return m->method == SIP_METHOD_REGISTER &&
	       sip_msg_next(m, SIP_HDR_CONTACT, &pos, &value) &&
	       sip_nameaddr_parse(value, &na) == 0 && !slice_eqs(na.uri, "*") &&
	       sip_param(na.params, "cisco-keep-alive", NULL) &&
	       sip_expires(m, na.params, 1) == 0 &&
	       !sip_msg_next(m, SIP_HDR_CONTACT, &pos, &value);
}

struct addr sip_response_addr(const struct sip_msg *m,
			      const struct addr *source)
{
	struct sip_via via;
	struct addr sent_by;

	if (sip_via_parse(m->via, &via) != 0 ||
	    sip_param(via.params, "rport", NULL) ||
	    addr_parse_ip(via.host, &sent_by) != 0 ||
	    !addr_ip_eq(&sent_by, source))
		return *source;
	if (via.port != 0)
		return addr_with_port(source, via.port);
	return addr_with_port(
		source, text_ieqs(via.transport, "TLS") ? SIPS_PORT : SIP_PORT);
}
