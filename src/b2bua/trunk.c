/*
 * Trunks: who is at the other end is a group of places like the call managers
 * are, with the same health, choice and failover (core.c, core_req.c). From
 * here a trunk is a peer outside that registers nothing.
 */
#include "b2bua/machine.h"

#include "b2bua/sub.h"
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

/* ---- calls that ended before its peer was known --------------------------- */

enum { OWED_MAX = 1024, OWED_T1 = 64 };

/* A BYE that waits for the peer's place. */
struct owed_bye {
	struct list node; /* in trunk.owed */
	struct sip_dialog dialog;
	struct dest dest; /* where the peer was */
	uint64_t end_ms;
};

static struct owed_bye *owed_first(const struct trunk *t)
{
	return LIST_ENTRY(t->owed.next, struct owed_bye, node);
}

static void owed_free(struct trunk *t, struct owed_bye *o)
{
	list_del(&o->node);
	sip_dialog_done(&o->dialog);
	alloc_free(o);
	t->owed_count--;
}

static void owed_expire(struct trunk *t, uint64_t now_ms)
{
	while (!list_empty(&t->owed) && owed_first(t)->end_ms <= now_ms)
		owed_free(t, owed_first(t));
}

void trunk_owe_bye(struct calls *c, struct leg *leg)
{
	struct trunk *t = leg->trunk;
	struct owed_bye *o;

	owed_expire(t, c->now_ms);
	o = t->owed_count < OWED_MAX ? alloc_zero(sizeof(*o)) : NULL;
	if (!o)
		return; /* as lost as one that nobody answers */
	o->dialog = leg->dialog;
	leg->dialog = (struct sip_dialog){.call_id = NULL};
	o->dest = leg->dest;
	o->end_ms = c->now_ms + (uint64_t)c->p.t1_ms * OWED_T1;
	list_append(&t->owed, &o->node);
	t->owed_count++;
}

/* Send those whose peer is known now; the others wait on. */
static void owed_send(struct calls *c, struct trunk *t)
{
	owed_expire(t, c->now_ms);
	c->cookie = 0;
	for (uint32_t n = t->owed_count; n > 0; n--) {
		struct owed_bye *o = owed_first(t);
		struct leg leg = {.side = SIDE_PHONE, .trunk = t};

		list_del(&o->node);
		list_append(&t->owed, &o->node);
		leg.dest = trunk_reply_dest(t, &o->dest);
		if (handle_is_none(leg.dest.ep))
			continue;
		leg.dialog = o->dialog;
		o->dialog = (struct sip_dialog){.call_id = NULL};
		leg_bye(c, &leg, NULL);
		sip_dialog_done(&leg.dialog);
		owed_free(t, o);
	}
}

/* ---- what it is -------------------------------------------------------------- */

static struct trunk *trunk_free(struct calls *c, struct trunk *t)
{
	if (!t)
		return NULL;
	while (!list_empty(&t->owed))
		owed_free(t, owed_first(t));
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
	list_init(&t->owed);
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

/* More places than it had room for: entries are known by their number. */
static int make_room(struct trunk *t, uint32_t places)
{
	uint32_t cap = places < CORE_PLACES_MAX ? places : CORE_PLACES_MAX;
	struct core_entry *e;

	if (cap <= t->group.cap)
		return 0;
	e = alloc_resize(t->entry, cap, sizeof(*e));
	if (!e)
		return ERR_NOMEM;
	t->entry = t->group.entry = e;
	t->group.cap = cap;
	return 0;
}

static void trunk_gone(struct calls *c, uint32_t number)
{
	if (calls_trunk_is_used(c, number))
		return;
	trunk_free(c, c->trunk[number]);
	c->trunk[number] = NULL;
}

void trunk_set(struct calls *c, const struct event_trunk *ev)
{
	struct trunk *t;

	if (ev->number >= c->p.trunk_limit) {
		c->err = ERR_LIMIT;
		return;
	}
	if (ev->is_gone) {
		trunk_gone(c, ev->number);
		return;
	}
	if (!c->trunk[ev->number])
		c->trunk[ev->number] = trunk_new(c, ev);
	t = c->trunk[ev->number];
	if (!t || make_room(t, ev->places) != 0) {
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
	if (!t)
		return;
	trunk_rearm(c, t);
	save_follow_trunk(c, t);
	owed_send(c, t);
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

/* ---- what is asked from outside ------------------------------------------------ */

static bool info_of(const struct core *g, uint32_t *pos, uint64_t now_ms,
		    struct core_info *ret)
{
	while (*pos < g->used) {
		const struct core_entry *e = &g->entry[(*pos)++];

		if (e->gen == 0 || !e->is_listed)
			continue;
		*ret = (struct core_info){
			.name = slice_str(e->place.name),
			.dest = e->place.dest,
			.priority = e->place.priority,
			.is_up = e->is_up,
			.is_settled = e->settled_ms <= now_ms,
			.failures = e->failures,
			.changed_ms = e->changed_ms,
		};
		return true;
	}
	return false;
}

bool core_next(const struct calls *c, uint32_t *pos, struct core_info *ret)
{
	return info_of(&c->core, pos, c->now_ms, ret);
}

bool trunk_next(const struct calls *c, uint32_t number, uint32_t *pos,
		struct core_info *ret)
{
	return calls_trunk_is_known(c, number) &&
	       info_of(&c->trunk[number]->group, pos, c->now_ms, ret);
}

static bool is_there(const struct leg leg[2], struct handle ep)
{
	return handle_eq(leg[0].dest.ep, ep) || handle_eq(leg[1].dest.ep, ep);
}

bool calls_reach(const struct calls *c, struct handle ep)
{
	struct obj *o;
	uint32_t i = 0;

	while ((o = slots_next(&c->objs, &i)))
		if ((o->kind == OBJ_CALL &&
		     is_there(LIST_ENTRY(o, struct call, obj)->leg, ep)) ||
		    (o->kind == OBJ_SUB &&
		     is_there(LIST_ENTRY(o, struct sub, obj)->leg, ep)))
			return true;
	return false;
}

uint32_t calls_trunk_number(const struct calls *c, struct slice name)
{
	const struct trunk *t = trunk_by_name(c, name);

	return t ? t->number : UINT32_MAX;
}

bool calls_trunk_is_known(const struct calls *c, uint32_t number)
{
	return number < c->p.trunk_limit && c->trunk[number];
}

struct slice calls_trunk_name(const struct calls *c, uint32_t number)
{
	return slice_str(c->trunk[number]->name);
}

static bool obj_has(struct obj *o, const struct trunk *t)
{
	switch (o->kind) {
	case OBJ_CALL:
		return LIST_ENTRY(o, struct call, obj)->leg[SIDE_PHONE].trunk ==
		       t;
	case OBJ_SUB:
		return LIST_ENTRY(o, struct sub, obj)->leg[SIDE_PHONE].trunk ==
		       t;
	case OBJ_RELAY:
		return LIST_ENTRY(o, struct relay, obj)->trunk == t;
	case OBJ_MID:
	case OBJ_REG:
	case OBJ_SCCP:
	case OBJ_SCCP_CALL:
		break;
	}
	return false;
}

bool calls_trunk_is_used(const struct calls *c, uint32_t number)
{
	const struct trunk *t;
	struct obj *o;
	uint32_t i = 0;

	if (!calls_trunk_is_known(c, number))
		return false;
	t = c->trunk[number];
	if (table_find(&c->devices, slice_str(t->name)))
		return true;
	while ((o = slots_next(&c->objs, &i)))
		if (obj_has(o, t))
			return true;
	return core_has_trunk(c, t);
}
