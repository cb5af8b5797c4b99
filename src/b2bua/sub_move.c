/*
 * Subscriptions and the health of call managers. A dialog stays with its call
 * manager, so what a phone subscribed to at one that is gone is lost, and the
 * phone would learn that with its next refresh, perhaps an hour later: its lamps
 * would stand still until then. A subscription ends when its phone's registration
 * has moved, and the phone is told to begin it anew (RFC 6665 section 4.1.3:
 * "deactivated"), which leads it to where it is registered now. The pace is that of
 * the registrations.
 */
#include "b2bua/sub.h"

/* NULL: a predecessor of ours knew it. */
static const struct core_entry *place_of(const struct calls *c,
					 const struct sub *s)
{
	return core_by_peer(&c->core, &s->leg[SIDE_CORE].dest.peer);
}

/* A phone's, which call managers can end without anybody's harm: what a REFER
 * began cannot be begun anew. */
static bool is_movable(const struct sub *s)
{
	return s->subscriber == SIDE_PHONE && !s->is_refer &&
	       !s->leg[SIDE_PHONE].trunk && s->leg[SIDE_CORE].dialog.remote_tag;
}

bool sub_is_lost(struct calls *c, const struct sub *s)
{
	const struct core_entry *e = place_of(c, s);
	uint64_t others = core_others(c, NULL);

	if (s->is_lost)
		return true;
	if (!is_movable(s) || (e && e->is_up))
		return false;
	return core_has_other(&c->core,
			      e ? others | core_bit(&c->core, e) : others);
}

/* The phone's own refresh would be answered when its time is over. */
static void answer_refresh(struct calls *c, struct sub *s)
{
	struct obj *o = obj_find(c, handle_u64(s->refresh));
	struct relay *r;

	if (!o || o->kind != OBJ_RELAY)
		return;
	r = LIST_ENTRY(o, struct relay, obj);
	core_forget(c, r->client);
	reply_status(c, &r->reply, 481, "", "");
	relay_free(c, r);
}

void sub_move(struct calls *c, struct sub *s)
{
	const struct core_entry *e = place_of(c, s);

	/* A predecessor of ours has left it, and the phone has not come yet. */
	s->is_lost = leg_is_away(&s->leg[SIDE_PHONE]);
	if (s->is_lost)
		return;

	/* One that is there may have kept it. */
	if (e && e->is_up)
		sub_tell_core(c, s);
	answer_refresh(c, s);
	sub_tell_phone(c, s);
	sub_free(c, s);
}

/* One that began while the phone was not known under this connection, or under a
 * registration that is gone, goes with any of the phone's. */
static bool is_under(struct calls *c, const struct sub *s,
		     const struct binding *b)
{
	const struct binding *own =
		binding_find(c, slice_str(s->leg[SIDE_CORE].contact_user));

	return !own || own == b;
}

void sub_follow(struct calls *c, const struct binding *b)
{
	struct table_node *n =
		table_find(&c->sub_devices, slice_str(b->line->device));

	while (n) {
		struct sub *s = TABLE_ENTRY(n, struct sub, by_device);
		const struct core_entry *e = place_of(c, s);

		n = table_find_next(n);
		if (is_movable(s) && is_under(c, s, b) &&
		    (!e || s->epoch != b->epoch ||
		     !handle_eq(core_handle(&c->core, e), b->place)))
			sub_move(c, s);
	}
}
