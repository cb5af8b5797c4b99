/*
 * Subscriptions field by field, and when they are saved: a lamp field brings a
 * NOTIFY for every change of every line, so what each of them changes, the
 * numbers of requests and the time that is left, is saved ahead.
 */
#include "b2bua/coder.h"
#include "b2bua/sub.h"

#include "base/alloc.h"

static void code_sub(struct coder *k, struct sub *s)
{
	coder_text(k, &s->event);
	s->pass_auth = coder_bool(k, s->pass_auth);
	s->is_refer = coder_bool(k, s->is_refer);
	coder_refers(k, &s->refers);
	s->fork_ms = coder_u64(k, s->fork_ms);
	coder_peer(k, &s->leg[SIDE_PHONE]);
	coder_peer(k, &s->leg[SIDE_CORE]);
}

/* The subscriber's leg has a tag of its own; forks share the notifier's. */
static const char *sub_name(const struct sub *s)
{
	return s->leg[s->subscriber].tag;
}

/* Is what was saved last still good for a successor? */
static bool is_covered(const struct sub *s, uint64_t hash)
{
	if (!s->is_saved || hash != s->saved_hash ||
	    s->timer.at_ms > s->saved_until_ms)
		return false;
	for (int side = 0; side < 2; side++)
		if (s->leg[side].dialog.local_cseq - s->saved_cseq[side] >
		    CSEQ_GAP_SUB / 2)
			return false;
	return true;
}

void save_sub(struct calls *c, struct sub *s)
{
	uint64_t at = s->timer.at_ms;
	uint64_t left = at > c->now_ms ? at - c->now_ms : 0;
	struct coder k;
	uint64_t hash;

	if (!s->leg[SIDE_PHONE].dialog.remote_tag ||
	    !s->leg[SIDE_CORE].dialog.remote_tag)
		return;
	save_begin(c, &k, SAVE_SUB, sub_name(s));
	writer_u8(&k.w, SAVE_VERSION);
	writer_u8(&k.w, SAVE_SUB);
	writer_u8(&k.w, (uint8_t)s->subscriber);
	writer_blob(&k.w, slice_str(s->device));
	code_sub(&k, s);
	hash = table_hash(writer_slice(&k.w), c->p.seed);
	if (is_covered(s, hash))
		return;
	s->is_saved = true;
	s->saved_hash = hash;
	s->saved_until_ms = at + left / 4;
	coder_u64(&k, s->saved_until_ms);
	for (int side = 0; side < 2; side++) {
		coder_cseqs(&k, &s->leg[side]);
		s->saved_cseq[side] = s->leg[side].dialog.local_cseq;
	}
	save_emit(c, ACTION_SAVE, &k);
}

void save_sub_done(struct calls *c, struct sub *s)
{
	if (s->is_saved)
		save_forget(c, SAVE_SUB, sub_name(s));
}

static int fill(struct calls *c, struct coder *k, struct sub *s,
		const struct save_restore *how)
{
	const struct leg *leg = &s->leg[s->subscriber];
	const struct core_entry *e;
	uint64_t until;
	int err;

	code_sub(k, s);
	until = coder_u64(k, 0);
	coder_cseqs(k, &s->leg[0]);
	coder_cseqs(k, &s->leg[1]);
	err = coder_end(k);
	if (err)
		return err;
	if (until <= c->now_ms)
		return ERR_NOTFOUND;
	if (leg_by_ids(c, slice_str(leg->dialog.call_id), slice_str(leg->tag)))
		return ERR_EXISTS;
	s->leg[SIDE_PHONE].trunk = trunk_by_name(c, slice_str(s->device));
	for (int side = 0; !err && side < 2; side++)
		err = save_link_leg(c, &s->leg[side], how, CSEQ_GAP_SUB);
	if (err)
		return err;
	e = core_by_peer(&c->core, &s->leg[SIDE_CORE].dest.peer);
	s->epoch = e ? e->epoch : 0;
	s->is_saved = true;
	s->saved_until_ms = until;
	return timerq_set(&c->sub_timers, &s->timer, until);
}

int save_restore_sub(struct calls *c, struct coder *k,
		     const struct save_restore *how)
{
	enum side subscriber = (enum side)coder_max(k, 0, SIDE_CORE);
	struct slice device = reader_blob(&k->r);
	uint64_t refused = c->sub_refused;
	struct sub *s;
	int err;

	if (!reader_ok(&k->r))
		return ERR_BAD;
	s = sub_new(c, subscriber, device);
	if (!s) {
		/* Nobody was refused anything. */
		c->sub_refused = refused;
		return sub_room(c, device) ? ERR_NOMEM : ERR_LIMIT;
	}
	err = fill(c, k, s, how);
	if (err)
		sub_free(c, s);
	return err;
}

void save_follow_subs(struct calls *c, const struct binding *b)
{
	struct table_node *n =
		table_find(&c->sub_devices, slice_str(b->line->device));

	while (n) {
		struct sub *s = TABLE_ENTRY(n, struct sub, by_device);
		struct leg *leg = &s->leg[SIDE_PHONE];

		n = table_find_next(n);
		if (leg->has_ep || leg_set_dest(c, leg, &b->dest) != 0)
			continue;
		save_touch(c, &s->obj);
		if (s->is_lost)
			sub_move(c, s);
	}
}

void save_follow_trunk_subs(struct calls *c, struct trunk *t)
{
	struct table_node *n = table_find(&c->sub_devices, slice_str(t->name));

	while (n) {
		struct sub *s = TABLE_ENTRY(n, struct sub, by_device);

		n = table_find_next(n);
		if (!save_follow_leg(c, &s->leg[SIDE_PHONE], t))
			continue;
		save_touch(c, &s->obj);
		if (s->is_lost)
			sub_move(c, s);
	}
}
