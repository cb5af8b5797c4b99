/*
 * The machine from its beginning to its end: tables, limits, and what is freed
 * when a worker stops.
 */
#include "b2bua/sccp.h"
#include "b2bua/sub.h"

#include <assert.h>

#include "base/alloc.h"

void calls_limit(struct calls *c)
{
	const struct calls_params *p = &c->p;

	size_t subs = p->sub_limit;

	c->dialogs.limit = (p->call_limit + subs) * 2;
	c->leg_eps.limit = p->call_limit + subs;
	c->sub_devices.limit = subs;
	c->devices.limit = p->call_limit;
	c->lines.limit = p->binding_limit;
	c->line_ids.limit = p->binding_limit;
	c->line_users.limit = p->binding_limit;
	c->tokens.limit = p->binding_limit;
	c->binding_eps.limit = p->binding_limit;
	/* Skinny phones, standby connections too, and their calls. */
	c->objs.limit = 2 * p->call_limit + p->txn_limit + p->sub_limit +
			2 * sccp_room(c);
	c->bindings.limit = p->binding_limit;
	c->core_reqs.limit = p->txn_limit;
	sccp_limit(c);
}

static void init_tables(struct calls *c)
{
	const struct calls_params *p = &c->p;

	table_init(&c->dialogs, 0, p->seed);
	table_init(&c->leg_eps, 0, p->seed);
	table_init(&c->sub_devices, 0, p->seed);
	table_init(&c->devices, 0, p->seed);
	table_init(&c->lines, 0, p->seed);
	table_init(&c->line_ids, 0, p->seed);
	table_init(&c->line_users, 0, p->seed);
	table_init(&c->tokens, 0, p->seed);
	table_init(&c->binding_eps, 0, p->seed);
	timerq_init(&c->call_timers);
	timerq_init(&c->binding_timers);
	timerq_init(&c->sub_timers);
	slots_init(&c->objs, 0);
	slots_init(&c->bindings, 0);
	list_init(&c->failed);
	table_init(&c->core_reqs, 0, p->seed);
	list_init(&c->core_failed);
	list_init(&c->touched);
	timerq_init(&c->core_asks);
	timerq_init(&c->trunk_timers);
	table_init(&c->trunks, p->trunk_limit, p->seed);
}

static int init_parts(struct calls *c, uint64_t now_ms)
{
	const struct calls_params *p = &c->p;
	struct sip_txn_params tp = {.t1_ms = p->t1_ms,
				    .t2_ms = p->t2_ms,
				    .t4_ms = p->t4_ms,
				    /* 48*T1: less than who asked us waits
				     * (64*T1), so that it gets an answer. */
				    .nict_ms = p->t1_ms * 48,
				    .limit = p->txn_limit,
				    .seed = p->seed};
	struct sip_txn_cb cb = {
		.send = calls_on_send, .fail = calls_on_fail, .ctx = c};

	c->now_ms = now_ms;
	c->next_flow = p->flow_base;
	c->server_name =
		alloc_copy(slice_str(p->server_name ? p->server_name : ""));
	c->txns = sip_txns_new(&tp, &cb);
	c->ports[SIDE_PHONE] =
		ports_new(p->outside_port_min, p->outside_port_max,
			  p->port_cooldown_ms, entropy_u32(&p->entropy));
	c->ports[SIDE_CORE] =
		ports_new(p->inside_port_min, p->inside_port_max,
			  p->port_cooldown_ms, entropy_u32(&p->entropy));
	c->port_owner = alloc_array(
		(size_t)(p->inside_port_max - p->inside_port_min) / 2 + 1,
		sizeof(*c->port_owner));
	if (sccp_init(c) != 0)
		return ERR_NOMEM;
	c->trunk = alloc_array(p->trunk_limit, sizeof(*c->trunk));
	if (!c->trunk || !c->server_name || !c->txns || !c->ports[SIDE_PHONE] ||
	    !c->ports[SIDE_CORE] || !c->port_owner)
		return ERR_NOMEM;
	return 0;
}

/* One call manager may be known from the start. */
static void init_core(struct calls *c, uint64_t now_ms)
{
	struct core_place place = {.dest = c->p.core};
	int err = 0;

	core_init(&c->core, &c->p.group, c->core_entry, CORE_PLACES_MAX);
	core_move_init(c);
	c->core_checked_ms = now_ms;
	/* An empty group has room for it. */
	if (!handle_is_none(place.dest.ep))
		err = core_set_places(&c->core, 0, &place, 1, now_ms);
	assert(err == 0);
}

struct calls *calls_new(const struct calls_params *p, uint64_t now_ms)
{
	struct calls *c = alloc_zero(sizeof(*c));

	if (!c)
		return NULL;
	c->p = *p;
	if (c->p.phone_managers == 0)
		c->p.phone_managers = UINT32_MAX;
	init_core(c, now_ms);
	init_tables(c);
	replaces_init(c);
	if (init_parts(c, now_ms) != 0)
		return calls_free(c);
	calls_limit(c);
	c->p.server_name = c->server_name;
	return c;
}

/* What is still alive; each object frees what it holds. */
static void free_objects(struct calls *c)
{
	struct obj *o;
	struct binding *b;
	uint32_t i = 0;

	while ((o = slots_next(&c->objs, &i))) {
		switch (o->kind) {
		case OBJ_CALL:
			call_free(c, LIST_ENTRY(o, struct call, obj), NULL);
			break;
		case OBJ_RELAY:
			relay_free(c, LIST_ENTRY(o, struct relay, obj));
			break;
		case OBJ_MID:
			mid_free(c, LIST_ENTRY(o, struct mid, obj));
			break;
		case OBJ_REG:
			reg_try_free(c, LIST_ENTRY(o, struct reg_try, obj));
			break;
		case OBJ_SCCP:
			sccp_phone_free(c,
					LIST_ENTRY(o, struct sccp_phone, obj));
			break;
		case OBJ_SCCP_CALL: /* its phone's */
			break;
		case OBJ_SUB:
			sub_free(c, LIST_ENTRY(o, struct sub, obj));
			break;
		}
	}
	i = 0;
	while ((b = slots_next(&c->bindings, &i)))
		binding_free(c, b);
}

struct calls *calls_free(struct calls *c)
{
	if (!c)
		return NULL;
	free_objects(c);
	core_reqs_free(c);
	trunks_free(c);
	sccp_done(c);
	c->txns = sip_txns_free(c->txns);
	ports_free(c->ports[SIDE_PHONE]);
	ports_free(c->ports[SIDE_CORE]);
	alloc_free(c->port_owner);
	alloc_free(c->server_name);
	table_done(&c->dialogs);
	table_done(&c->leg_eps);
	table_done(&c->devices);
	table_done(&c->lines);
	table_done(&c->line_ids);
	table_done(&c->line_users);
	table_done(&c->tokens);
	table_done(&c->binding_eps);
	table_done(&c->sub_devices);
	timerq_done(&c->sub_timers);
	timerq_done(&c->call_timers);
	timerq_done(&c->binding_timers);
	slots_done(&c->objs);
	slots_done(&c->bindings);
	return calls_wipe(c, sizeof(*c));
}
