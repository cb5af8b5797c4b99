#include "rewrite/hosts.h"

#include "base/text.h"

enum { HOST_MAX = 48 };

/* "::ffff:10.0.0.2" is the same host as "10.0.0.2" (RFC 4291 section 2.5.5.2). */
static void unmap(struct addr *a)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (a->family != ADDR_V6 || memcmp(a->ip, prefix, sizeof(prefix)) != 0)
		return;
	memmove(a->ip, a->ip + sizeof(prefix), 4);
	memset(a->ip + 4, 0, sizeof(a->ip) - 4);
	a->family = ADDR_V4;
}

const struct addr *hosts_find(const struct sip_out_map *map, struct slice host,
			      bool is_uri)
{
	struct addr a;

	if (addr_parse_ip(host, &a) != 0)
		return NULL;
	unmap(&a);
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

/* Bytes of an address at pos that was replaced; 0: there is none. w has the
 * text from from on. */
static size_t replace(struct writer *w, struct slice text, size_t from,
		      size_t pos, const struct sip_out_map *map)
{
	struct slice s = slice_from(text, pos);
	struct slice user = SLICE_NULL;
	const struct addr *found;
	bool is_uri;
	size_t n;

	if (s.len == 0 || is_inner(text, pos))
		return 0;
	if (s.ptr[0] != '[' && s.ptr[0] != ':' && !is_hex(s.ptr[0]))
		return 0;
	n = candidate(s);
	if (n == 0 || (n < s.len && text_is_alnum(s.ptr[n])))
		return 0;
	is_uri = is_uri_host(text, pos);
	found = hosts_find(map, slice_sub(s, 0, n), is_uri);
	if (!found)
		return 0;
	if (hosts_find_user(map, found, user_before(text, from, pos), &user) &&
	    writer_ok(w)) {
		w->len -= user_before(text, from, pos).len + 1;
		writer_put(w, user);
		writer_u8(w, '@');
	}
	if (s.ptr[0] == '[')
		addr_print_host(w, found);
	else
		addr_print_ip(w, found);
	return is_uri ? n + port_len(slice_from(s, n)) : n;
}

void hosts_copy(struct writer *w, struct slice text,
		const struct sip_out_map *map)
{
	size_t done = 0;
	size_t pos = 0;

	while (pos < text.len) {
		uint8_t c = text.ptr[pos];
		size_t n = 0;

		/* Most bytes begin no address. */
		if (c == '[' || c == ':' || is_hex(c)) {
			struct writer probe = *w;

			writer_put(&probe, slice_sub(text, done, pos - done));
			n = replace(&probe, text, done, pos, map);
			if (n > 0)
				*w = probe;
		}
		if (n > 0) {
			pos += n;
			done = pos;
			continue;
		}
		pos++;
	}
	writer_put(w, slice_from(text, done));
}
