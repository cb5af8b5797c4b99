#include "proxy/shield.h"

#include "base/alloc.h"
#include "base/reader.h"
#include "base/table.h"

struct guarded {
	struct table_node node;
	struct addr addr; /* the key views its ip */
	bool is_protected;
};

struct shield {
	struct table table;
	struct guarded *item;
	uint32_t count;
	uint64_t in, out;
};

static struct slice key_of(const struct addr *a)
{
	return slice_make(a->ip, a->family == ADDR_V4 ? 4 : 16);
}

static struct guarded *find(const struct shield *s, const struct addr *a)
{
	if (s->count == 0)
		return NULL;
	return TABLE_ENTRY(table_find(&s->table, key_of(a)), struct guarded,
			   node);
}

static bool is_held(const struct config_guard *g)
{
	return g->ipsec == CONFIG_IPSEC_YES && !g->is_gateway;
}

static int fill(struct shield *s, const struct config *c)
{
	struct config_guard g;
	int err = 0;

	for (uint32_t i = 0; !err && config_guard_at(c, i, &g); i++) {
		struct guarded *n = &s->item[s->count];

		if (!is_held(&g) || find(s, &g.peer))
			continue;
		n->addr = g.peer;
		err = table_add(&s->table, &n->node, key_of(&n->addr));
		s->count++;
	}
	return err;
}

struct shield *shield_new(const struct config *c, uint64_t seed)
{
	struct shield *s = alloc_zero(sizeof(*s));
	struct config_guard g;
	uint32_t n = 0;

	if (!s)
		return NULL;
	while (config_guard_at(c, n, &g))
		n++;
	table_init(&s->table, n, seed);
	s->item = alloc_array(n, sizeof(*s->item));
	if (!s->item || fill(s, c) != 0)
		return shield_free(s);
	return s;
}

struct shield *shield_free(struct shield *s)
{
	if (!s)
		return NULL;
	table_done(&s->table);
	alloc_free(s->item);
	return alloc_free(s);
}

void shield_write(struct writer *w, const struct addr *a, uint32_t count)
{
	writer_u32be(w, count);
	for (uint32_t i = 0; i < count; i++)
		addr_write(w, &a[i]);
}

/* Read all of the news, taking them when s is given. */
static int take(struct shield *s, struct slice news)
{
	struct reader r;
	uint32_t count;

	reader_init(&r, news);
	count = reader_u32be(&r);
	for (uint32_t i = 0; i < count && reader_ok(&r); i++) {
		struct addr a = {.family = ADDR_NONE};
		struct guarded *g;

		addr_read(&r, &a);
		g = s && reader_ok(&r) ? find(s, &a) : NULL;
		if (g)
			g->is_protected = true;
	}
	return reader_end(&r) ? 0 : ERR_BAD;
}

int shield_set(struct shield *s, struct slice news)
{
	int err = take(NULL, news);

	if (err)
		return err;
	for (uint32_t i = 0; i < s->count; i++)
		s->item[i].is_protected = false;
	return take(s, news);
}

bool shield_holds(struct shield *s, const struct addr *a, bool is_out)
{
	const struct guarded *g = find(s, a);

	if (!g || g->is_protected)
		return false;
	s->in += !is_out;
	s->out += is_out;
	return true;
}

void shield_follow(struct shield *s, const struct shield *old)
{
	s->in = old->in;
	s->out = old->out;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct guarded *g = find(old, &s->item[i].addr);

		s->item[i].is_protected = g && g->is_protected;
	}
}

void shield_stats(const struct shield *s, struct shield_stats *ret)
{
	*ret = (struct shield_stats){.in = s->in, .out = s->out};
	for (uint32_t i = 0; i < s->count; i++)
		ret->held += !s->item[i].is_protected;
}
