/*
 * Registrations follow the health of the call managers: what is registered at
 * one that went down is registered at the next one, by ourselves, and comes
 * back when the better one has been up for long enough. All at a pace, since
 * ten thousand phones lose their call manager at the same moment.
 */
#include "b2bua/machine.h"

enum {
	TICK_MS = 100,
	TICKS = 1000 / TICK_MS,
	SCAN_MAX = 2000,      /* bindings looked at in one tick */
	RETRY_MIN_MS = 10000, /* after a registration that failed */
	RETRY_SPREAD_MS = 10000
};

/* A rate of 0: registrations stay where they are. */
static void wake_at(struct calls *c, uint64_t at_ms)
{
	if (c->core.p.register_rate > 0 && at_ms < c->move_at_ms)
		c->move_at_ms = at_ms;
}

void core_move_kick(struct calls *c)
{
	c->move_again = true;
	wake_at(c, c->now_ms);
}

void core_move_failed(struct calls *c, struct binding *b)
{
	b->move_ms = c->now_ms + RETRY_MIN_MS +
		     entropy_u32(&c->p.entropy) % RETRY_SPREAD_MS;
	wake_at(c, b->move_ms);
}

static struct core_entry *wish_of(struct calls *c, const struct binding *b)
{
	if (!b->is_active || b->line->try_count > 0 ||
	    b->expires_ms <= c->now_ms)
		return NULL;
	return core_better(&c->core, b->place, b->epoch,
			   slice_str(b->line->device), core_others(c, NULL),
			   c->now_ms);
}

/* Look at one binding. True: it was sent on its way. */
static bool move_one(struct calls *c, struct binding *b, uint64_t *retry_ms)
{
	struct core_entry *e = wish_of(c, b);

	if (!e)
		return false;
	if (b->move_ms > c->now_ms) {
		if (b->move_ms < *retry_ms)
			*retry_ms = b->move_ms;
		return false;
	}
	if (reg_move(c, b->line, e) == 0)
		return true;
	core_move_failed(c, b);
	if (b->move_ms < *retry_ms)
		*retry_ms = b->move_ms;
	return false;
}

/* One walk over all bindings takes as many ticks as the pace asks for. */
static void tick(struct calls *c)
{
	uint32_t rate = c->core.p.register_rate;
	uint32_t left = rate < TICKS ? 1 : rate / TICKS;
	/* Not more on the way than two seconds' worth: a call manager that
	 * answers slowly sets the pace. */
	uint32_t room = 2 * rate;

	for (uint32_t i = 0; i < SCAN_MAX && left > 0; i++) {
		struct binding *b;

		if (c->moving >= room)
			break;
		b = slots_next(&c->bindings, &c->move_pos);
		if (!b) {
			c->move_pos = 0;
			c->move_is_on = false;
			break;
		}
		if (move_one(c, b, &c->move_retry_ms))
			left--;
	}
	c->move_at_ms = c->move_is_on ? c->now_ms + TICK_MS : UINT64_MAX;
	if (!c->move_is_on)
		wake_at(c, c->move_retry_ms);
}

void core_move_timer(struct calls *c)
{
	if (c->move_at_ms > c->now_ms)
		return;
	/* What changed while a walk is under way is seen by another one. */
	if (!c->move_is_on) {
		c->move_is_on = true;
		c->move_again = false;
		c->move_retry_ms = UINT64_MAX;
	}
	tick(c);
	if (!c->move_is_on && c->move_again)
		wake_at(c, c->now_ms + TICK_MS);
}

void core_move_init(struct calls *c)
{
	c->move_at_ms = UINT64_MAX;
	c->move_retry_ms = UINT64_MAX;
}
