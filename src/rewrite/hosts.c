#include "rewrite/hosts.h"

#include "base/text.h"

enum { HOST_MAX = 48 };

const struct addr *hosts_find(const struct sip_out_map *map, struct slice host,
			      bool is_uri)
{
	struct addr a;

	if (addr_parse_ip(host, &a) != 0)
		return NULL;
	if (map->ours.family != ADDR_NONE && addr_ip_eq(&a, &map->ours))
		return &map->ours_new;
	if ((map->peer.family != ADDR_NONE && addr_ip_eq(&a, &map->peer)) ||
	    (map->alias.family != ADDR_NONE && addr_ip_eq(&a, &map->alias)) ||
	    (map->hides_all && is_uri && !addr_ip_eq(&a, &map->peer_new)))
		return map->peer_new.family != ADDR_NONE ? &map->peer_new
							 : NULL;
	return NULL;
}

static bool is_hex(uint8_t c)
{
	c = text_lower(c);
	return text_is_digit(c) || (c >= 'a' && c <= 'f');
}

/* Could an address not begin after this byte, or end before it? */
static bool is_inner(uint8_t c)
{
	return text_is_alnum(c) || c == '.' || c == '_';
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
	return (n >= 4 && text_ieqs(slice_from(before, n - 4), "sip:")) ||
	       (n >= 5 && text_ieqs(slice_from(before, n - 5), "sips:")) ||
	       (n >= 3 && text_ieqs(slice_from(before, n - 3), "://"));
}

/* Bytes of an address at pos that was replaced; 0: there is none. */
static size_t replace(struct writer *w, struct slice text, size_t pos,
		      const struct sip_out_map *map)
{
	struct slice s = slice_from(text, pos);
	const struct addr *found;
	size_t n;

	if (s.len == 0 || (pos > 0 && is_inner(text.ptr[pos - 1])))
		return 0;
	if (s.ptr[0] != '[' && s.ptr[0] != ':' && !is_hex(s.ptr[0]))
		return 0;
	n = candidate(s);
	if (n == 0 || (n < s.len && text_is_alnum(s.ptr[n])))
		return 0;
	found = hosts_find(map, slice_sub(s, 0, n), is_uri_host(text, pos));
	if (!found)
		return 0;
	if (s.ptr[0] == '[')
		addr_print_host(w, found);
	else
		addr_print_ip(w, found);
	return n;
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
			n = replace(&probe, text, pos, map);
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
