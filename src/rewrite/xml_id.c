/*
 * Names of dialogs in XML bodies. No XML parser: a body is text with tags in
 * it, of which a few are looked at; everything else, well-formed or not,
 * passes as it is.
 */
#include "base/text.h"
#include "rewrite/dialog_id.h"
#include "rewrite/hosts.h"

enum { ID_MAX = DIALOG_ID_MAX };

/* Places of a group: the ids of a dialog, and what repeats its Call-ID. */
enum { CALL_ID = 2, SAME, PLACES };

/* Where the ids of one dialog stand in the text; a missing one is empty. */
struct group {
	struct slice id[PLACES]; /* first tag, second tag, Call-ID, its like */
	bool is_cdata[PLACES];
	struct slice outer; /* name of the last tag before that is no id */
	size_t end;	    /* the search goes on here */
};

/* Bytes up to the '>' of the tag that s begins in, which may stand in the quoted
 * value of an attribute as well; s.len: there is none before the next '<'. */
static size_t tag_len(struct slice s)
{
	size_t first = s.len;
	uint8_t quote = 0;

	for (size_t i = 0; i < s.len && s.ptr[i] != '<'; i++) {
		uint8_t c = s.ptr[i];

		if (c == '>' && quote == 0)
			return i;
		if (c == '>' && first == s.len)
			first = i;
		if (quote != 0)
			quote = c == quote ? 0 : quote;
		else if (c == '"' || c == '\'')
			quote = c;
	}
	return first;
}

/* The tag at pos, which is a '<': its name without prefix, its attributes.
 * Offset behind it; behind the '<': it does not end. */
static size_t read_tag(struct slice xml, size_t pos, struct slice *ret_name,
		       struct slice *ret_attrs)
{
	struct slice s = slice_from(xml, pos + 1);
	size_t len = tag_len(s);
	size_t n = 0;
	struct slice tail;

	*ret_name = *ret_attrs = SLICE_NULL;
	if (len == s.len)
		return pos + 1;
	s.len = len;
	while (n < s.len && s.ptr[n] != ' ' && s.ptr[n] != '\t' &&
	       s.ptr[n] != '\r' && s.ptr[n] != '\n')
		n++;
	*ret_name = slice_sub(s, 0, n);
	*ret_attrs = slice_from(s, n);
	if (text_cut(*ret_name, ':', NULL, &tail))
		*ret_name = tail;
	return pos + 1 + s.len + 1;
}

/* Which id has this name, as element or as attribute; -1: none. */
static int id_of(struct slice name)
{
	static const struct {
		const char *name;
		int id;
	} rows[] = {
		/* Cisco's dialogid */
		{"localtag", 0},
		{"remotetag", 1},
		{"callid", CALL_ID}, /* and of reginfo (RFC 3680) */
		/* dialog-info (RFC 4235) */
		{"local-tag", 0},
		{"remote-tag", 1},
		{"call-id", CALL_ID},
		/* conference-info (RFC 4575) */
		{"to-tag", 0},
		{"from-tag", 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (text_ieqs(name, rows[i].name))
			return rows[i].id;
	return -1;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The text at pos up to the next tag, or in a CDATA section. Offset behind it. */
static size_t read_text(struct slice xml, size_t pos, struct slice *ret,
			bool *ret_is_cdata)
{
	static const char open[] = "<![CDATA[";
	struct slice s = slice_from(xml, pos);
	long end = -1;

	*ret_is_cdata = slice_starts(s, open);
	if (*ret_is_cdata) {
		*ret = slice_sub(s, sizeof(open) - 1, ID_MAX);
		end = text_find(*ret, "]]>");
	}
	if (end >= 0) {
		ret->len = (size_t)end;
		return pos + sizeof(open) - 1 + ret->len + 3;
	}
	*ret_is_cdata = false;
	text_cut(s, '<', ret, NULL);
	return pos + ret->len;
}

/* Elements in a row, from the tag at pos on: <callid>..</callid><localtag>. */
static void read_elements(struct slice xml, size_t pos, struct group *g)
{
	g->end = pos + 1; /* whatever follows, the search goes on */
	while (pos < xml.len && xml.ptr[pos] == '<') {
		struct slice name;
		struct slice attrs;
		struct slice text;
		size_t body = read_tag(xml, pos, &name, &attrs);
		int id = id_of(name);

		if (id < 0 || g->id[id].ptr)
			return;
		pos = read_text(xml, body, &text, &g->is_cdata[id]);
		if (pos == xml.len)
			return;
		g->id[id] = text_trim(text);
		pos = read_tag(xml, pos, &name, &attrs);
		g->end = pos;
		while (pos < xml.len && is_blank(xml.ptr[pos]))
			pos++;
	}
}

/* Attributes of one tag. Many notifiers take the Call-ID for the id of the
 * element, too. */
static void read_attributes(struct slice attrs, struct group *g)
{
	struct slice own = SLICE_NULL;

	while (attrs.len > 0) {
		struct slice name;
		struct slice rest;
		struct slice value;
		uint8_t quote;
		int id;

		if (!text_cut(attrs, '=', &name, &rest))
			break;
		while (rest.len > 0 && is_blank(rest.ptr[0]))
			rest = slice_from(rest, 1);
		quote = rest.len > 0 ? rest.ptr[0] : 0;
		if ((quote != '"' && quote != '\'') ||
		    !text_cut(slice_from(rest, 1), quote, &value, &attrs))
			break;
		id = id_of(text_trim(name));
		if (id >= 0)
			g->id[id] = value;
		else if (text_ieqs(text_trim(name), "id"))
			own = value;
	}
	if (slice_eq(own, g->id[CALL_ID]))
		g->id[SAME] = own;
}

/* The next group at or after pos whose Call-ID is there. */
static bool next_group(struct slice xml, size_t pos, struct group *ret)
{
	struct slice outer = SLICE_NULL;

	while (pos < xml.len) {
		const uint8_t *lt = memchr(xml.ptr + pos, '<', xml.len - pos);
		struct group g = {.end = 0};
		struct slice name;
		struct slice attrs;

		if (!lt)
			return false;
		pos = (size_t)(lt - xml.ptr);
		g.end = read_tag(xml, pos, &name, &attrs);
		if (id_of(name) >= 0) {
			read_elements(xml, pos, &g);
		} else {
			read_attributes(attrs, &g);
			outer = name;
		}
		if (g.id[CALL_ID].len > 0) {
			*ret = g;
			ret->outer = outer;
			return true;
		}
		pos = g.end > pos ? g.end : pos + 1;
	}
	return false;
}

static const struct {
	const char *name;
	uint8_t c;
} entities[] = {{"&amp;", '&'},
		{"&lt;", '<'},
		{"&gt;", '>'},
		{"&quot;", '"'},
		{"&apos;", '\''}};

enum { ENTITIES = sizeof(entities) / sizeof(entities[0]) };

/* The character of "&#64;" or "&#x40;" at the beginning of s, in ASCII; 0: it is
 * none of these. */
static uint8_t read_number(struct slice s, size_t *ret_len)
{
	unsigned base =
		slice_starts(s, "&#x") || slice_starts(s, "&#X") ? 16 : 10;
	unsigned v = 0;
	size_t n = base == 16 ? 3 : 2;

	if (!slice_starts(s, "&#"))
		return 0;
	for (; n < s.len && s.ptr[n] != ';' && v < 0x80; n++) {
		uint8_t c = text_lower(s.ptr[n]);
		unsigned digit = text_is_digit(c) ? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f'
					 ? (unsigned)(c - 'a' + 10)
					 : 99;

		if (digit >= base)
			return 0;
		v = v * base + digit;
	}
	*ret_len = n + 1;
	return n < s.len && v > ' ' && v < 0x7f ? (uint8_t)v : 0;
}

static struct slice decode(struct slice s, bool is_cdata, uint8_t *buf)
{
	struct writer w;

	writer_init(&w, buf, ID_MAX);
	while (s.len > 0) {
		size_t i = 0;
		size_t len = 1;
		uint8_t c = is_cdata ? 0 : read_number(s, &len);

		while (i < ENTITIES && !slice_starts(s, entities[i].name))
			i++;
		if (c == 0 && i < ENTITIES && !is_cdata) {
			c = entities[i].c;
			len = strlen(entities[i].name);
		}
		writer_u8(&w, c != 0 ? c : s.ptr[0]);
		s = slice_from(s, c != 0 ? len : 1);
	}
	return writer_slice(&w);
}

static void read_ids(const struct group *g, uint8_t buf[3][ID_MAX],
		     struct sip_out_ids *ret)
{
	ret->tag[0] = decode(g->id[0], g->is_cdata[0], buf[0]);
	ret->tag[1] = decode(g->id[1], g->is_cdata[1], buf[1]);
	ret->call_id =
		decode(g->id[CALL_ID], g->is_cdata[CALL_ID], buf[CALL_ID]);
}

static void encode(struct writer *w, struct slice s)
{
	for (size_t k = 0; k < s.len; k++) {
		size_t i = 0;

		while (i < ENTITIES && entities[i].c != s.ptr[k])
			i++;
		if (i < ENTITIES)
			writer_str(w, entities[i].name);
		else
			writer_u8(w, s.ptr[k]);
	}
}

/* Copy from *pos on with the values of g replaced, in the order in which they
 * stand there. */
static void copy_group(struct writer *w, struct slice xml, size_t *pos,
		       const struct group *g, const struct slice value[PLACES],
		       const struct sip_out_map *map)
{
	for (int n = 0; n < PLACES; n++) {
		int next = -1;

		for (int i = 0; i < PLACES; i++)
			if (g->id[i].len > 0 &&
			    (size_t)(g->id[i].ptr - xml.ptr) >= *pos &&
			    (next < 0 || g->id[i].ptr < g->id[next].ptr))
				next = i;
		if (next < 0)
			return;
		hosts_copy(
			w,
			slice_sub(xml, *pos,
				  (size_t)(g->id[next].ptr - xml.ptr) - *pos),
			map);
		if (g->is_cdata[next])
			writer_put(w, value[next]);
		else
			encode(w, value[next]);
		*pos = (size_t)(g->id[next].ptr - xml.ptr) + g->id[next].len;
	}
}

static void copy_known(struct writer *w, struct slice xml, size_t *pos,
		       const struct group *g, const struct sip_out_ids *ids,
		       struct dialog_id_other *other,
		       const struct sip_out_rules *r)
{
	const struct slice value[PLACES] = {
		other->ids.tag[0], other->ids.tag[1], other->ids.call_id,
		g->id[SAME].len > 0 ? dialog_id_own(r, ids->call_id, other)
				    : SLICE_NULL};

	copy_group(w, xml, pos, g, value, &r->map);
}

void dialog_id_copy_xml(struct writer *w, struct slice xml,
			const struct sip_out_rules *r)
{
	uint8_t buf[3][ID_MAX];
	struct dialog_id_other other;
	struct group g;
	size_t done = 0;
	size_t pos = 0;

	while (next_group(xml, pos, &g)) {
		struct sip_out_ids ids;

		read_ids(&g, buf, &ids);
		if (dialog_id_find(r, &ids, &other))
			copy_known(w, xml, &done, &g, &ids, &other, r);
		pos = g.end;
	}
	hosts_copy(w, slice_from(xml, done), &r->map);
}

bool dialog_id_next_xml(struct slice xml, size_t *pos,
			struct dialog_id_named *ret)
{
	struct group g;

	if (!next_group(xml, *pos, &g))
		return false;
	*pos = g.end;
	ret->outer = g.outer;
	read_ids(&g, ret->buf, &ret->ids);
	return true;
}

bool dialog_id_next_text(struct slice xml, size_t *pos, const char *name,
			 struct slice *ret)
{
	while (*pos < xml.len) {
		const uint8_t *lt = memchr(xml.ptr + *pos, '<', xml.len - *pos);
		struct slice found;
		struct slice attrs;
		size_t end;

		if (!lt)
			return false;
		*pos = (size_t)(lt - xml.ptr);
		end = read_tag(xml, *pos, &found, &attrs);
		*pos = end;
		if (!text_ieqs(found, name))
			continue;
		text_cut(slice_from(xml, end), '<', ret, NULL);
		*ret = text_trim(*ret);
		return true;
	}
	return false;
}
