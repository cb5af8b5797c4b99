#include "sip/uri.h"

#include "base/text.h"

static bool is_hex(uint8_t c)
{
	uint8_t l = text_lower(c);

	return text_is_digit(c) || (l >= 'a' && l <= 'f');
}

/*
 * Bytes a URI may have anywhere. The grammar of RFC 3261 is narrower; phones
 * put '#' and the like into user parts, so only what could end a URI early in
 * some reader is refused.
 */
static bool is_uri_text(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (c <= 0x20 || c >= 0x7f || c == '<' || c == '>' ||
		    c == '"' || c == '\\')
			return false;
		if (c == '%' && (s.len - i < 3 || !is_hex(s.ptr[i + 1]) ||
				 !is_hex(s.ptr[i + 2])))
			return false;
	}
	return true;
}

static bool is_scheme(struct slice s)
{
	if (s.len == 0 || !text_is_alnum(s.ptr[0]) || text_is_digit(s.ptr[0]))
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (!text_is_alnum(s.ptr[i]) && s.ptr[i] != '+' &&
		    s.ptr[i] != '-' && s.ptr[i] != '.')
			return false;
	return true;
}

static bool is_host_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!text_is_alnum(s.ptr[i]) && s.ptr[i] != '-' &&
		    s.ptr[i] != '.' && s.ptr[i] != '_')
			return false;
	return s.len > 0;
}

static bool is_ipv6(struct slice s)
{
	if (s.len < 4 || s.ptr[0] != '[' || s.ptr[s.len - 1] != ']')
		return false;
	for (size_t i = 1; i < s.len - 1; i++)
		if (!is_hex(s.ptr[i]) && s.ptr[i] != ':' && s.ptr[i] != '.')
			return false;
	return true;
}

int sip_hostport_parse(struct slice s, struct slice *ret_host,
		       uint16_t *ret_port)
{
	struct slice host = s;
	struct slice port = SLICE_NULL;
	bool has_port;
	uint64_t v = 0;

	s = text_trim(s);
	if (s.len > 0 && s.ptr[0] == '[') {
		struct slice rest;

		if (!text_cut(s, ']', &host, &rest))
			return ERR_BAD;
		host = slice_sub(s, 0, host.len + 1);
		rest = text_trim(rest);
		has_port = rest.len > 0;
		if (has_port && rest.ptr[0] != ':')
			return ERR_BAD;
		port = slice_from(rest, 1);
		if (!is_ipv6(host))
			return ERR_BAD;
	} else {
		has_port = text_cut(s, ':', &host, &port);
		host = text_trim(host);
		if (!is_host_name(host))
			return ERR_BAD;
	}
	if (has_port &&
	    (text_dec(text_trim(port), UINT16_MAX, &v) != 0 || v == 0))
		return ERR_BAD;
	*ret_host = host;
	*ret_port = (uint16_t)v;
	return 0;
}

int sip_uri_parse(struct slice s, struct sip_uri *ret)
{
	struct sip_uri u = {.port = 0};
	struct slice rest;
	struct slice tail;
	size_t i = 0;

	if (!is_uri_text(s) || !text_cut(s, ':', &u.scheme, &rest) ||
	    !is_scheme(u.scheme) || rest.len == 0)
		return ERR_BAD;
	if (!text_ieqs(u.scheme, "sip") && !text_ieqs(u.scheme, "sips")) {
		*ret = u;
		return ERR_UNSUPPORTED;
	}
	/* ';' and '?' are legal in a user part, '@' nowhere but behind it, so
	 * the '@' must be looked for first (RFC 4475 3.1.1.2). */
	if (text_cut(rest, '@', &u.user, &tail)) {
		if (u.user.len == 0 ||
		    (tail.len > 0 && memchr(tail.ptr, '@', tail.len)))
			return ERR_BAD;
		(void)text_cut(u.user, ':', &u.user, NULL);
		rest = tail;
	} else {
		u.user = SLICE_NULL;
	}
	while (i < rest.len && rest.ptr[i] != ';' && rest.ptr[i] != '?')
		i++;
	if (sip_hostport_parse(slice_sub(rest, 0, i), &u.host, &u.port) != 0)
		return ERR_BAD;
	rest = slice_from(rest, i);
	(void)text_cut(rest, '?', &u.params, &u.headers);
	u.params = slice_from(u.params, 1);
	*ret = u;
	return 0;
}

bool sip_param_next(struct slice *params, struct slice *ret_name,
		    struct slice *ret_value)
{
	bool quoted = false;
	size_t i;
	struct slice item;

	if (params->len == 0)
		return false;
	for (i = 0; i < params->len; i++) {
		uint8_t c = params->ptr[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ';' && !quoted)
			break;
	}
	item = slice_sub(*params, 0, i);
	*params = slice_from(*params, i + 1);
	(void)text_cut(item, '=', ret_name, ret_value);
	*ret_name = text_trim(*ret_name);
	*ret_value = text_trim(*ret_value);
	return true;
}

bool sip_param(struct slice params, const char *name, struct slice *ret_value)
{
	struct slice n;
	struct slice v;

	while (sip_param_next(&params, &n, &v)) {
		if (text_ieqs(n, name)) {
			if (ret_value)
				*ret_value = v;
			return true;
		}
	}
	return false;
}

static uint8_t hex_value(uint8_t c)
{
	return (uint8_t)(text_is_digit(c) ? c - '0' : text_lower(c) - 'a' + 10);
}

/* Next character of s at *i with %XX taken as the byte it stands for. */
static unsigned next_char(struct slice s, size_t *i)
{
	uint8_t c = s.ptr[(*i)++];

	if (c != '%' || s.len - *i < 2)
		return c;
	c = (uint8_t)(hex_value(s.ptr[*i]) << 4 | hex_value(s.ptr[*i + 1]));
	*i += 2;
	/* An escaped reserved character is not the character itself. */
	return strchr(";/?:@&=+$,", c) ? 0x100u | c : c;
}

static bool user_eq(struct slice a, struct slice b)
{
	size_t i = 0;
	size_t k = 0;

	while (i < a.len && k < b.len)
		if (next_char(a, &i) != next_char(b, &k))
			return false;
	return i == a.len && k == b.len;
}

bool sip_uri_is_same_party(const struct sip_uri *a, const struct sip_uri *b)
{
	return text_ieq(a->host, b->host) && user_eq(a->user, b->user);
}

bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b)
{
	return text_ieq(a->scheme, b->scheme) && a->port == b->port &&
	       sip_uri_is_same_party(a, b);
}
