/*
 * Registrations of our own: what a phone has registered is registered anew
 * where call managers have changed, without the phone's doing.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "base/text.h"

static int move_send(struct calls *c, struct reg_try *t)
{
	struct line *l = t->line;
	struct sip_out_request m = {.max_forwards = 70};
	struct writer w;

	writer_init(&w, c->body_buf, sizeof(c->body_buf));
	writer_str(&w, l->headers ? l->headers : "");
	for (uint32_t i = 0; i < t->count; i++) {
		const struct binding *b =
			slots_find(&c->bindings, t->item[i].binding);

		/* It may have ended since the first sending. */
		if (b)
			reg_print_inside(&w, b, t->item[i].expires_s);
	}
	if (!writer_ok(&w))
		return ERR_LIMIT;
	m.extra = writer_slice(&w);
	return reg_send(c, l, &m, slice_str(l->to), handle_u64(t->obj.self),
			&t->client);
}

int reg_move(struct calls *c, struct line *l, const struct core_entry *e)
{
	struct reg_try *t;
	struct list *n;
	int err = reg_line_move(l, &e->place.dest);

	if (err)
		return err;
	t = alloc_zero(sizeof(*t));
	if (!t || obj_init(c, &t->obj, OBJ_REG) != 0) {
		alloc_free(t);
		return ERR_NOMEM;
	}
	t->is_own = true;
	t->line = l;
	l->try_count++;
	c->moving++;
	list_for_each(n, &l->bindings) {
		struct binding *b = LIST_ENTRY(n, struct binding, node);

		if (b->is_active && b->expires_ms > c->now_ms)
			reg_try_add(
				t, b,
				(uint32_t)((b->expires_ms - c->now_ms + 999) /
					   1000),
				false);
	}
	err = move_send(c, t);
	if (err)
		reg_try_free(c, t);
	return err;
}

/* The bindings stay as the phone knows them; later again. */
void reg_move_refused(struct calls *c, struct reg_try *t)
{
	for (uint32_t i = 0; i < t->count; i++) {
		struct binding *b =
			slots_find(&c->bindings, t->item[i].binding);

		if (b)
			core_move_failed(c, b);
	}
	reg_try_free(c, t);
}

/* 423: the rest of the phone's time is too brief for the call manager, which
 * gets what it wants; we shall tell it when the phone's time is over. */
static bool move_longer(struct calls *c, struct reg_try *t,
			const struct sip_msg *m)
{
	const struct core_entry *e = core_get(&c->core, c->from_place);
	uint64_t min_s;
	bool is_more = false;

	if (m->status != 423 || text_dec(sip_msg_value(m, SIP_HDR_MIN_EXPIRES),
					 UINT32_MAX, &min_s) != 0)
		return false;
	for (uint32_t i = 0; i < t->count; i++) {
		struct binding *b =
			slots_find(&c->bindings, t->item[i].binding);

		if (!b || t->item[i].expires_s >= min_s)
			continue;
		t->item[i].expires_s = (uint32_t)min_s;
		is_more = true;
	}
	/* What has ended meanwhile was told elsewhere, perhaps. */
	return is_more && e && reg_line_move(t->line, &e->place.dest) == 0 &&
	       move_send(c, t) == 0;
}

static void move_accepted(struct calls *c, struct binding *b, uint32_t seconds)
{
	uint64_t left_s = (b->expires_ms - c->now_ms + 999) / 1000;

	if (seconds == 0 || b->expires_ms <= c->now_ms) {
		core_move_failed(c, b);
		return;
	}
	reg_accept_own(c, b, seconds);
	b->is_longer = seconds > left_s;
}

void reg_move_answered(struct calls *c, struct reg_try *t,
		       const struct sip_msg *m)
{
	if (move_longer(c, t, m))
		return;
	if (m->status >= 300) {
		reg_move_refused(c, t);
		return;
	}
	for (uint32_t i = 0; i < t->count; i++) {
		struct binding *b =
			slots_find(&c->bindings, t->item[i].binding);

		if (b)
			move_accepted(
				c, b,
				reg_granted(m, b->token, t->item[i].expires_s));
	}
	reg_remove_ended(c, t, m);
	reg_try_free(c, t);
}
