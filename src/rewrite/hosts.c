#include "rewrite/hosts.h"

#include "base/text.h"

enum { HOST_MAX = 48 };

const struct addr *hosts_find(const struct sip_out_map *map, struct slice host,
			      bool is_uri)
{
	struct addr a;

	if (addr_parse_ip(host, &a) != 0)
		return NULL;
	addr_unmap(&a);
	if (map->ours.family != ADDR_NONE && addr_ip_eq(&a, &map->ours))
		return &map->ours_new;
	if ((map->peer.family != ADDR_NONE && addr_ip_eq(&a, &map->peer)) ||
	    (map->alias.family != ADDR_NONE && addr_ip_eq(&a, &map->alias)) ||
	    (map->hides_all && is_uri && !addr_ip_eq(&a, &map->peer_new)) ||
	    (map->inside && map->inside->is_inside(map->inside->ctx, &a)))
		return map->peer_new.family != ADDR_NONE ? &map->peer_new
							 : NULL;
	return NULL;
}

static bool is_hex(uint8_t c)
{
	c = text_lower(c);
	return text_is_digit(c) || (c >= 'a' && c <= 'f');
}

/* Does an escape (RFC 3261 section 25.1) end at pos? */
static bool is_escape(struct slice text, size_t pos)
{
	return pos >= 3 && text.ptr[pos - 3] == '%' &&
	       is_hex(text.ptr[pos - 2]) && is_hex(text.ptr[pos - 1]);
}

static bool is_word(uint8_t c)
{
	return text_is_alnum(c) || c == '.' || c == '_';
}

/* Does pos stand inside of a word, where no address can begin? */
static bool is_inner(struct slice text, size_t pos)
{
	return pos > 0 && is_word(text.ptr[pos - 1]) && !is_escape(text, pos);
}

/* The longest beginning of s that could be an address, brackets included. */
static size_t candidate(struct slice s)
{
	size_t n = 0;
	size_t colons = 0;

	if (s.ptr[0] == '[') {
		while (n < s.len && n < HOST_MAX && s.ptr[n] != ']')
			n++;
		return n < s.len && s.ptr[n] == ']' ? n + 1 : 0;
	}
	while (n < s.len && n < HOST_MAX &&
	       (is_hex(s.ptr[n]) || s.ptr[n] == '.' || s.ptr[n] == ':'))
		colons += s.ptr[n++] == ':';
	if (colons < 2) /* "10.0.0.2:5060" */
		for (n = 0; n < s.len && n < HOST_MAX &&
			    (text_is_digit(s.ptr[n]) || s.ptr[n] == '.');)
			n++;
	while (n > 0 && (s.ptr[n - 1] == '.' || s.ptr[n - 1] == ':'))
		n--;
	return n;
}

/* Does a URI's host stand at pos? */
static bool is_uri_host(struct slice text, size_t pos)
{
	struct slice before = slice_sub(text, 0, pos);
	size_t n = before.len;

	if (n > 0 && before.ptr[n - 1] == '@')
		return true;
	/* The same escaped: "%40", "sip%3A". */
	if (is_escape(text, pos) && before.ptr[n - 2] == '4' &&
	    before.ptr[n - 1] == '0')
		return true;
	if (is_escape(text, pos) && before.ptr[n - 2] == '3' &&
	    text_lower(before.ptr[n - 1]) == 'a')
		return (n >= 6 &&
			text_ieqs(slice_sub(before, n - 6, 3), "sip")) ||
		       (n >= 7 &&
			text_ieqs(slice_sub(before, n - 7, 4), "sips"));
	return (n >= 4 && text_ieqs(slice_from(before, n - 4), "sip:")) ||
	       (n >= 5 && text_ieqs(slice_from(before, n - 5), "sips:")) ||
	       (n >= 3 && text_ieqs(slice_from(before, n - 3), "://"));
}

/* Bytes of ":port" at the beginning of s: it belongs to the host that was
 * replaced. */
static size_t port_len(struct slice s)
{
	size_t n = 1;

	if (s.len < 2 || s.ptr[0] != ':')
		return 0;
	while (n < s.len && text_is_digit(s.ptr[n]))
		n++;
	return n > 1 && (n == s.len || !is_word(s.ptr[n])) ? n : 0;
}

bool hosts_find_user(const struct sip_out_map *map, const struct addr *host,
		     struct slice user, struct slice *ret)
{
	struct slice uri = SLICE_NULL;

	return map->inside && host == &map->ours_new && user.len > 0 &&
	       map->inside->contact(map->inside->ctx, true, user, &uri, ret) &&
	       uri.len == 0;
}

/* The user of the URI whose host stands at pos, if it stands behind from. */
static struct slice user_before(struct slice text, size_t from, size_t pos)
{
	size_t end = pos > 0 && text.ptr[pos - 1] == '@' ? pos - 1 : from;
	size_t n = end;

	while (n > from && end - n < HOST_MAX && text_is_alnum(text.ptr[n - 1]))
		n--;
	return n > from && text.ptr[n - 1] == ':' ? slice_sub(text, n, end - n)
						  : SLICE_NULL;
}

/* An address in a text, with the user before it if that is replaced, too. */
struct hit {
	size_t begin, end;
	const struct addr *host; /* is written instead */
	struct slice user;	 /* likewise, if has_user */
	bool has_user;
	bool has_bracket; /* where host is IPv6 */
};

/* Is what stands at pos to be replaced? What is before from is done. */
static bool find_at(const struct sip_out_map *map, struct slice text,
		    size_t from, size_t pos, struct hit *ret)
{
	struct slice s = slice_from(text, pos);
	struct slice user;
	bool is_uri;
	size_t n;

	if (s.len == 0 || is_inner(text, pos))
		return false;
	n = candidate(s);
	if (n == 0 || (n < s.len && text_is_alnum(s.ptr[n])))
		return false;
	is_uri = is_uri_host(text, pos);
	*ret = (struct hit){.begin = pos,
			    .end = pos + n,
			    .host = hosts_find(map, slice_sub(s, 0, n), is_uri),
			    .has_bracket = s.ptr[0] == '[' || is_uri};
	if (!ret->host)
		return false;
	/* Nor could a port be told from the address. */
	ret->has_bracket |= port_len(slice_from(s, n)) > 0;
	if (is_uri)
		ret->end += port_len(slice_from(s, n));
	user = user_before(text, from, pos);
	ret->has_user = hosts_find_user(map, ret->host, user, &ret->user);
	if (ret->has_user)
		ret->begin -= user.len + 1;
	return true;
}

static void put_hit(struct writer *w, const struct hit *h)
{
	if (h->has_user) {
		writer_put(w, h->user);
		writer_u8(w, '@');
	}
	if (h->has_bracket)
		addr_print_host(w, h->host);
	else
		addr_print_ip(w, h->host);
}

void hosts_copy(struct writer *w, struct slice text,
		const struct sip_out_map *map)
{
	size_t done = 0;
	size_t pos = 0;

	while (pos < text.len) {
		uint8_t c = text.ptr[pos];
		struct hit h;

		/* Most bytes begin no address. */
		if ((c != '[' && c != ':' && !is_hex(c)) ||
		    !find_at(map, text, done, pos, &h)) {
			pos++;
			continue;
		}
		writer_put(w, slice_sub(text, done, h.begin - done));
		put_hit(w, &h);
		pos = done = h.end;
	}
	writer_put(w, slice_from(text, done));
}
