/*
 * Trunks: who is at the other end is a group of places like the call managers
 * are, with the same health, choice and failover (core.c, core_req.c). From
 * here a trunk is a peer outside that registers nothing.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"

struct trunk *trunk_of(const struct calls *c, const struct event_sip *ev)
{
	return ev->trunk > 0 && ev->trunk <= c->p.trunk_limit
		       ? c->trunk[ev->trunk - 1]
		       : NULL;
}

struct trunk *trunk_by_name(const struct calls *c, struct slice name)
{
	return TABLE_ENTRY(table_find(&c->trunks, name), struct trunk, by_name);
}

struct core_entry *trunk_pick(struct calls *c, struct trunk *t,
			      struct slice key)
{
	return core_choose(&t->group, key, 0, c->now_ms);
}

struct dest trunk_reply_dest(struct trunk *t, const struct dest *from)
{
	const struct core_entry *e = core_by_peer(&t->group, &from->peer);

	return e && e->place.dest.is_reliable == from->is_reliable &&
			       e->place.dest.is_tls == from->is_tls
		       ? e->place.dest
		       : *from;
}

enum sig_level trunk_sig(const struct dest *d)
{
	return d->is_tls ? SIG_ENCRYPTED : SIG_NONSECURE;
}

bool trunk_has_place(struct trunk *t, const struct dest *d)
{
	return core_by_dest(&t->group, d) != NULL;
}

bool trunk_is_up(struct trunk *t)
{
	return core_has_other(&t->group, 0);
}

void trunk_map(struct sip_out_map *map, const struct leg *to)
{
	if (to->trunk)
		map->ours_new = to->dest.peer;
}

/* ---- what it is -------------------------------------------------------------- */

static struct trunk *trunk_free(struct calls *c, struct trunk *t)
{
	if (!t)
		return NULL;
	table_del(&c->trunks, &t->by_name);
	timerq_clear(&c->trunk_timers, &t->timer);
	alloc_free(t->entry);
	alloc_free(t->name);
	return alloc_free(t);
}

void trunks_free(struct calls *c)
{
	for (uint32_t i = 0; c->trunk && i < c->p.trunk_limit; i++)
		trunk_free(c, c->trunk[i]);
	c->trunk = alloc_free(c->trunk);
	table_done(&c->trunks);
	timerq_done(&c->trunk_timers);
}

static struct trunk *trunk_new(struct calls *c, const struct event_trunk *ev)
{
	uint32_t cap =
		ev->places < CORE_PLACES_MAX ? ev->places : CORE_PLACES_MAX;
	struct trunk *t = alloc_zero(sizeof(*t));

	if (!t)
		return NULL;
	t->number = ev->number;
	t->entry = alloc_array(cap, sizeof(*t->entry));
	t->name = alloc_copy(ev->name);
	if (t->entry && t->name &&
	    table_add(&c->trunks, &t->by_name, slice_str(t->name)) == 0) {
		core_init(&t->group, &c->p.group, t->entry, cap);
		return t;
	}
	return trunk_free(c, t);
}

void trunk_set(struct calls *c, const struct event_trunk *ev)
{
	struct trunk *t;

	if (ev->number >= c->p.trunk_limit) {
		c->err = ERR_LIMIT;
		return;
	}
	if (!c->trunk[ev->number])
		c->trunk[ev->number] = trunk_new(c, ev);
	t = c->trunk[ev->number];
	if (!t) {
		c->err = ERR_NOMEM;
		return;
	}
	t->policy = ev->policy;
	t->managers = ev->managers;
}

void trunk_set_places(struct calls *c, const struct event_core *ev)
{
	struct trunk *t =
		ev->trunk <= c->p.trunk_limit ? c->trunk[ev->trunk - 1] : NULL;

	if (!t || core_set_places(&t->group, ev->manager, ev->place, ev->count,
				  c->now_ms) != 0)
		c->err = ERR_LIMIT;
	if (t)
		trunk_rearm(c, t);
}

/* ---- time ---------------------------------------------------------------------- */

/* When nothing of a group but its probes asks for time: that a place has
 * settled is looked at whenever one is chosen. */
static uint64_t probe_at(const struct core *g)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < g->used; i++)
		if (g->entry[i].gen != 0 && g->entry[i].probe_ms < at)
			at = g->entry[i].probe_ms;
	return at;
}

void trunk_rearm(struct calls *c, struct trunk *t)
{
	uint64_t at = probe_at(&t->group);

	if (at == UINT64_MAX)
		timerq_clear(&c->trunk_timers, &t->timer);
	else if (timerq_set(&c->trunk_timers, &t->timer, at) != 0)
		c->err = ERR_NOMEM;
}

void trunk_timer(struct calls *c)
{
	struct timerq_node *n;

	while ((n = timerq_pop(&c->trunk_timers, c->now_ms))) {
		struct trunk *t = TIMERQ_ENTRY(n, struct trunk, timer);
		struct core_entry *e;

		while ((e = core_probe_next(&t->group, c->now_ms)))
			core_probe(c, e, t);
		trunk_rearm(c, t);
	}
}

bool trunk_next(const struct calls *c, uint64_t *pos, struct core_info *ret)
{
	uint32_t number = (uint32_t)(*pos >> 32);
	uint32_t at = (uint32_t)*pos;

	for (; number < c->p.trunk_limit; number++, at = 0) {
		const struct trunk *t = c->trunk[number];

		if (!t || !core_info_of(&t->group, &at, c->now_ms, ret))
			continue;
		*pos = (uint64_t)number << 32 | at;
		return true;
	}
	return false;
}
