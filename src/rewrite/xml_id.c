/*
 * Names of dialogs in XML bodies. No XML parser: a body is text with tags in
 * it, of which a few are looked at; everything else, well-formed or not,
 * passes as it is.
 */
#include "base/text.h"
#include "rewrite/dialog_id.h"
#include "rewrite/hosts.h"

enum { ID_MAX = DIALOG_ID_MAX };

/* Where the ids of one dialog stand in the text; a missing one is empty. */
struct group {
	struct slice id[3]; /* first tag, second tag, Call-ID */
	struct slice outer; /* name of the last tag before that is no id */
	size_t end;	    /* the search goes on here */
};

/* The tag at pos, which is a '<': its name without prefix, its attributes.
 * Offset behind it; 0: it does not end. */
static size_t read_tag(struct slice xml, size_t pos, struct slice *ret_name,
		       struct slice *ret_attrs)
{
	struct slice s = slice_from(xml, pos + 1);
	const uint8_t *gt = s.len > 0 ? memchr(s.ptr, '>', s.len) : NULL;
	size_t n = 0;
	struct slice tail;

	if (!gt)
		return 0;
	s.len = (size_t)(gt - s.ptr);
	while (n < s.len && s.ptr[n] != ' ' && s.ptr[n] != '\t' &&
	       s.ptr[n] != '\r' && s.ptr[n] != '\n')
		n++;
	*ret_name = slice_sub(s, 0, n);
	*ret_attrs = slice_from(s, n);
	if (text_cut(*ret_name, ':', NULL, &tail))
		*ret_name = tail;
	return pos + 1 + s.len + 1;
}

static int element_id(struct slice name)
{
	if (text_ieqs(name, "localtag"))
		return 0;
	if (text_ieqs(name, "remotetag"))
		return 1;
	return text_ieqs(name, "callid") ? 2 : -1;
}

static int attribute_id(struct slice name)
{
	if (text_ieqs(name, "local-tag"))
		return 0;
	if (text_ieqs(name, "remote-tag"))
		return 1;
	return text_ieqs(name, "call-id") ? 2 : -1;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
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
		int id = body > 0 ? element_id(name) : -1;

		if (id < 0 || g->id[id].ptr ||
		    !text_cut(slice_from(xml, body), '<', &text, NULL))
			return;
		g->id[id] = text_trim(text);
		pos = read_tag(xml, body + text.len, &name, &attrs);
		if (pos == 0)
			return;
		g->end = pos;
		while (pos < xml.len && is_blank(xml.ptr[pos]))
			pos++;
	}
}

/* Attributes of one tag. */
static void read_attributes(struct slice attrs, struct group *g)
{
	while (attrs.len > 0) {
		struct slice name;
		struct slice rest;
		struct slice value;
		uint8_t quote;
		int id;

		if (!text_cut(attrs, '=', &name, &rest))
			return;
		while (rest.len > 0 && is_blank(rest.ptr[0]))
			rest = slice_from(rest, 1);
		quote = rest.len > 0 ? rest.ptr[0] : 0;
		if ((quote != '"' && quote != '\'') ||
		    !text_cut(slice_from(rest, 1), quote, &value, &attrs))
			return;
		id = attribute_id(text_trim(name));
		if (id >= 0)
			g->id[id] = value;
	}
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
		if (g.end == 0)
			return false;
		if (element_id(name) >= 0) {
			read_elements(xml, pos, &g);
		} else {
			read_attributes(attrs, &g);
			outer = name;
		}
		if (g.id[2].len > 0) {
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

static struct slice decode(struct slice s, uint8_t *buf)
{
	struct writer w;

	writer_init(&w, buf, ID_MAX);
	while (s.len > 0) {
		size_t i = 0;

		while (i < ENTITIES && !slice_starts(s, entities[i].name))
			i++;
		writer_u8(&w, i < ENTITIES ? entities[i].c : s.ptr[0]);
		s = slice_from(s, i < ENTITIES ? strlen(entities[i].name) : 1);
	}
	return writer_slice(&w);
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
		       const struct group *g, const struct sip_out_ids *ids,
		       const struct sip_out_map *map)
{
	const struct slice value[3] = {ids->tag[0], ids->tag[1], ids->call_id};

	for (int n = 0; n < 3; n++) {
		int next = -1;

		for (int i = 0; i < 3; i++)
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
		encode(w, value[next]);
		*pos = (size_t)(g->id[next].ptr - xml.ptr) + g->id[next].len;
	}
}

void dialog_id_copy_xml(struct writer *w, struct slice xml,
			const struct sip_out_rules *r)
{
	uint8_t buf[3][ID_MAX];
	struct group g;
	size_t done = 0;
	size_t pos = 0;

	while (next_group(xml, pos, &g)) {
		struct sip_out_ids ids = {.call_id = decode(g.id[2], buf[2]),
					  .tag = {decode(g.id[0], buf[0]),
						  decode(g.id[1], buf[1])}};
		struct sip_out_ids other;

		if (dialog_id_find(r, &ids, &other))
			copy_group(w, xml, &done, &g, &other, &r->map);
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
	ret->ids.call_id = decode(g.id[2], ret->buf[2]);
	ret->ids.tag[0] = decode(g.id[0], ret->buf[0]);
	ret->ids.tag[1] = decode(g.id[1], ret->buf[1]);
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
		if (end == 0)
			return false;
		*pos = end;
		if (!text_ieqs(found, name))
			continue;
		text_cut(slice_from(xml, end), '<', ret, NULL);
		*ret = text_trim(*ret);
		return true;
	}
	return false;
}
