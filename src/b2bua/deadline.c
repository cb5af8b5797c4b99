/*
 * Deadlines of a call. Its node stays in the heap from its first day to its
 * last, so that setting a deadline cannot fail.
 */
#include "b2bua/machine.h"

#include <assert.h>

static void arrange(struct calls *c, struct call *call)
{
	uint64_t at = UINT64_MAX;
	int err;

	for (size_t i = 0; i < DEADLINE_COUNT; i++)
		if (call->deadline_ms[i] < at)
			at = call->deadline_ms[i];
	err = timerq_set(&c->call_timers, &call->timer, at);
	assert(err == 0);
}

int deadline_init(struct calls *c, struct call *call)
{
	for (size_t i = 0; i < DEADLINE_COUNT; i++)
		call->deadline_ms[i] = UINT64_MAX;
	return timerq_set(&c->call_timers, &call->timer, UINT64_MAX);
}

void deadline_set(struct calls *c, struct call *call, enum call_deadline which,
		  uint64_t at_ms)
{
	call->deadline_ms[which] = at_ms;
	arrange(c, call);
}

void deadline_clear(struct calls *c, struct call *call,
		    enum call_deadline which)
{
	deadline_set(c, call, which, UINT64_MAX);
}

static enum call_deadline first(const struct call *call)
{
	enum call_deadline best = DEADLINE_RING;

	for (int i = 0; i < DEADLINE_COUNT; i++)
		if (call->deadline_ms[i] < call->deadline_ms[best])
			best = (enum call_deadline)i;
	return best;
}

void deadline_run(struct calls *c, struct call *call)
{
	enum call_deadline which = first(call);

	c->cookie = handle_u64(call->obj.self);
	deadline_clear(c, call, which);
	switch (which) {
	case DEADLINE_RING:
		invite_unanswered(c, call);
		break;
	case DEADLINE_REL:
		rel_again(c, call);
		break;
	case DEADLINE_RENEW:
		renew_due(c, call);
		break;
	case DEADLINE_SESSION_PHONE:
		session_due(c, &call->leg[SIDE_PHONE]);
		break;
	case DEADLINE_SESSION_CORE:
		session_due(c, &call->leg[SIDE_CORE]);
		break;
	case DEADLINE_COUNT:
		break;
	}
}
