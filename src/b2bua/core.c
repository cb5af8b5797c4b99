#include "b2bua/core.h"

#include "base/text.h"

void core_init(struct core *g, const struct core_params *p,
	       struct core_entry *entry, uint32_t cap)
{
	*g = (struct core){.p = *p, .entry = entry, .cap = cap};
	if (g->p.failures == 0)
		g->p.failures = 1;
	if (g->p.successes == 0)
		g->p.successes = 1;
}

struct handle core_handle(const struct core *g, const struct core_entry *e)
{
	return (struct handle){.index = (uint32_t)(e - g->entry),
			       .gen = e->gen};
}

struct core_entry *core_get(struct core *g, struct handle h)
{
	if (h.gen == 0 || h.index >= g->used || g->entry[h.index].gen != h.gen)
		return NULL;
	return &g->entry[h.index];
}

uint64_t core_bit(const struct core *g, const struct core_entry *e)
{
	return 1ULL << (e - g->entry);
}

static bool is_same_place(const struct core_entry *e,
			  const struct core_place *p)
{
	return e->gen != 0 && e->place.manager == p->manager &&
	       dest_eq(&e->place.dest, &p->dest);
}

/* A free entry, or else one that serves nobody new. */
static struct core_entry *take_entry(struct core *g)
{
	struct core_entry *old = NULL;

	for (size_t i = 0; i < g->used; i++) {
		struct core_entry *e = &g->entry[i];

		if (e->gen == 0)
			return e;
		if (!e->is_listed && (!old || e->changed_ms < old->changed_ms))
			old = e;
	}
	return g->used < g->cap ? &g->entry[g->used++] : old;
}

static int add_place(struct core *g, const struct core_place *p,
		     uint64_t now_ms)
{
	struct core_entry *e = NULL;

	for (size_t i = 0; i < g->used && !e; i++)
		if (is_same_place(&g->entry[i], p))
			e = &g->entry[i];
	if (e) {
		e->place = *p;
		/* Nobody watched it meanwhile. */
		if (!e->is_listed && !e->is_probing &&
		    g->p.options_interval_ms > 0)
			e->probe_ms = now_ms;
		e->is_listed = true;
		return 0;
	}
	e = take_entry(g);
	if (!e)
		return ERR_LIMIT;
	/* Nobody has asked it yet: it counts as up until proved otherwise. */
	*e = (struct core_entry){
		.place = *p,
		.gen = ++g->next_gen,
		.is_listed = true,
		.is_up = true,
		.changed_ms = now_ms,
		.probe_ms = g->p.options_interval_ms ? now_ms : UINT64_MAX,
	};
	return 0;
}

int core_set_places(struct core *g, uint32_t manager,
		    const struct core_place *place, uint32_t n, uint64_t now_ms)
{
	int err = 0;

	for (size_t i = 0; i < g->used; i++) {
		struct core_entry *e = &g->entry[i];
		bool is_named = false;

		if (e->gen == 0 || e->place.manager != manager)
			continue;
		for (uint32_t k = 0; k < n; k++)
			is_named |= is_same_place(e, &place[k]);
		if (is_named || !e->is_listed)
			continue;
		e->is_listed = false;
		e->changed_ms = now_ms;
		e->probe_ms = UINT64_MAX;
	}
	for (uint32_t k = 0; k < n; k++)
		if (add_place(g, &place[k], now_ms) != 0)
			err = ERR_LIMIT;
	return err;
}

struct core_entry *core_by_dest(struct core *g, const struct dest *d)
{
	for (size_t i = 0; i < g->used; i++) {
		struct core_entry *e = &g->entry[i];

		if (e->gen != 0 && (dest_eq(&e->place.dest, d) ||
				    (!handle_is_none(e->place.large.ep) &&
				     dest_eq(&e->place.large, d))))
			return e;
	}
	return NULL;
}

const struct core_entry *core_by_peer(const struct core *g,
				      const struct addr *peer)
{
	const struct core_entry *found = NULL;

	for (size_t i = 0; i < g->used; i++) {
		const struct core_entry *e = &g->entry[i];

		if (e->gen == 0 || !addr_ip_eq(&e->place.dest.peer, peer))
			continue;
		if (addr_eq(&e->place.dest.peer, peer))
			return e;
		if (!found || (e->is_listed && !found->is_listed))
			found = e;
	}
	return found;
}

/* Lower is better: up and settled, up, down; then the two priorities. */
static uint64_t rank_of(const struct core_entry *e, uint64_t now_ms)
{
	uint64_t doubt = !e->is_up ? 2 : e->settled_ms > now_ms ? 1 : 0;

	return doubt << 56 | (uint64_t)e->place.priority << 16 | e->place.order;
}

static uint32_t weight_of(const struct core_entry *e)
{
	return e->place.weight > 0 ? e->place.weight : 1;
}

static bool is_candidate(const struct core *g, const struct core_entry *e,
			 uint64_t tried)
{
	return e->gen != 0 && e->is_listed && !(tried & core_bit(g, e));
}

struct core_entry *core_choose(struct core *g, struct slice key, uint64_t tried,
			       uint64_t now_ms)
{
	uint64_t best = UINT64_MAX;
	uint64_t total = 0;
	uint64_t pick;

	for (size_t i = 0; i < g->used; i++) {
		const struct core_entry *e = &g->entry[i];
		uint64_t rank = rank_of(e, now_ms);

		if (!is_candidate(g, e, tried) || rank > best)
			continue;
		total = rank < best ? weight_of(e) : total + weight_of(e);
		best = rank;
	}
	if (total == 0)
		return NULL;
	pick = text_ihash(key, 0) % total;
	for (size_t i = 0; i < g->used; i++) {
		struct core_entry *e = &g->entry[i];

		if (!is_candidate(g, e, tried) || rank_of(e, now_ms) != best)
			continue;
		if (pick < weight_of(e))
			return e;
		pick -= weight_of(e);
	}
	return NULL;
}

bool core_has_other(struct core *g, uint64_t tried)
{
	for (size_t i = 0; i < g->used; i++)
		if (is_candidate(g, &g->entry[i], tried) && g->entry[i].is_up)
			return true;
	return false;
}

uint64_t core_without(const struct core *g, uint32_t managers)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < g->used; i++)
		if (!(managers >> (g->entry[i].place.manager & 31) & 1))
			mask |= 1ULL << i;
	return mask;
}

struct core_entry *core_better(struct core *g, struct handle h, uint32_t epoch,
			       struct slice key, uint64_t without,
			       uint64_t now_ms)
{
	struct core_entry *at = core_get(g, h);
	struct core_entry *best = core_choose(g, key, without, now_ms);

	if (!best || !best->is_up)
		return NULL;
	if (!at || !at->is_listed || !at->is_up)
		return best;
	if (at->epoch != epoch)
		return at;
	/* Equal ones stay where they are: only a better class is worth it. */
	return rank_of(best, now_ms) < rank_of(at, now_ms) ? best : NULL;
}

static void go_down(struct core *g, struct core_entry *e, uint64_t now_ms)
{
	uint64_t span = now_ms - e->changed_ms;
	uint64_t soon = (uint64_t)g->p.hold_down_ms << (e->flaps + 1);

	/* Not long up: it flaps. */
	if (e->epoch == 0 || span > soon)
		e->flaps = 0;
	else if (e->flaps < CORE_FLAPS_MAX)
		e->flaps++;
	e->is_up = false;
	e->successes = 0;
	e->epoch++;
	e->changed_ms = now_ms;
}

static void go_up(struct core *g, struct core_entry *e, uint64_t now_ms)
{
	e->is_up = true;
	e->failures = 0;
	e->changed_ms = now_ms;
	e->settled_ms = now_ms + ((uint64_t)g->p.hold_down_ms << e->flaps);
}

static bool count(struct core *g, struct core_entry *e, bool is_ok,
		  bool is_probe, uint64_t now_ms)
{
	if (!is_ok) {
		e->successes = 0;
		if (e->failures < UINT32_MAX)
			e->failures++;
		if (!e->is_up || e->failures < g->p.failures)
			return false;
		go_down(g, e, now_ms);
		return true;
	}
	e->failures = 0;
	/* Without OPTIONS the requests themselves are all there is. */
	if (e->is_up || (!is_probe && g->p.options_interval_ms > 0))
		return false;
	if (++e->successes < g->p.successes)
		return false;
	go_up(g, e, now_ms);
	return true;
}

bool core_result(struct core *g, struct core_entry *e, bool is_ok,
		 bool is_probe, uint64_t now_ms)
{
	bool has_changed = count(g, e, is_ok, is_probe, now_ms);
	uint64_t interval = g->p.options_interval_ms;
	uint64_t next;

	if (is_probe)
		e->is_probing = false;
	if (interval == 0 || e->is_probing || !e->is_listed)
		return has_changed;
	/* In doubt it is asked soon, and so is one that answers again. */
	if (interval > CORE_PROBE_FAST_MS &&
	    ((e->is_up && e->failures > 0) || (!e->is_up && e->successes > 0)))
		interval = CORE_PROBE_FAST_MS;
	next = now_ms + interval;
	if (is_probe || next < e->probe_ms)
		e->probe_ms = next;
	return has_changed;
}

void core_doubt(struct core *g, struct core_entry *e, uint64_t now_ms)
{
	uint64_t at = now_ms + CORE_PROBE_FAST_MS;

	if (g->p.options_interval_ms > 0 && !e->is_probing && e->is_listed &&
	    at < e->probe_ms)
		e->probe_ms = at;
}

struct core_entry *core_probe_next(struct core *g, uint64_t now_ms)
{
	for (size_t i = 0; i < g->used; i++) {
		struct core_entry *e = &g->entry[i];

		if (e->gen == 0 || e->probe_ms > now_ms)
			continue;
		e->is_probing = true;
		e->probe_ms = UINT64_MAX;
		return e;
	}
	return NULL;
}

uint64_t core_deadline(const struct core *g, uint64_t now_ms)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < g->used; i++) {
		const struct core_entry *e = &g->entry[i];

		if (e->gen == 0)
			continue;
		if (e->probe_ms < at)
			at = e->probe_ms;
		if (e->is_up && e->settled_ms > now_ms && e->settled_ms < at)
			at = e->settled_ms;
	}
	return at;
}
