/*
 * Skinny phones that went to a later call manager of their listener go back to
 * an earlier one when that is up again for long enough: they are told to
 * register anew, when they are idle, some at a time. A phone with call managers
 * of its own, at listeners of their own, does that by itself (tokens).
 */
#include "log/log.h"
#include "proxy/worker_int.h"

enum {
	LOOK_MS = 5000,
	MOVES_MAX = 100,      /* phones at each look */
	AGAIN_MS = 10 * 60000 /* before one is told again */
};

static uint32_t place_of(const struct worker *w,
			 const struct config_sccp_manager *m)
{
	return (uint32_t)(m - w->config->sccp_manager);
}

/* Is an earlier call manager up for i to go back to? Those that may be are
 * noted in wanted, by their places. */
static bool has_better(const struct worker *w, const struct sccp_info *i,
		       bool wanted[CONFIG_SCCP_MANAGERS_MAX])
{
	const struct config *c = w->config;
	bool is_up = false;

	for (uint32_t n = 0; i->listener < c->listener_count && n < i->rank;
	     n++) {
		const struct config_sccp_manager *m =
			config_sccp_manager_of(c, &c->listener[i->listener], n);

		if (!m)
			break;
		wanted[place_of(w, m)] = true;
		is_up |= sccp_health_is_settled(&w->sccp.health[place_of(w, m)],
						c->sccp.fail_back_s,
						loop_now_ms(w->loop));
	}
	return is_up;
}

static bool may_move(const struct sccp_info *i, uint64_t now_ms)
{
	return i->is_idle &&
	       (i->told_ms == 0 || now_ms - i->told_ms >= AGAIN_MS);
}

static void move_back(struct worker *w, bool wanted[CONFIG_SCCP_MANAGERS_MAX])
{
	uint64_t now = loop_now_ms(w->loop);
	struct sccp_info i;
	uint32_t pos = 0;
	uint32_t n = 0;

	while (sccp_next(w->calls, &pos, &i)) {
		struct actions out = {.item = NULL};

		if (i.rank == 0 || !has_better(w, &i, wanted) ||
		    n >= MOVES_MAX || !may_move(&i, now))
			continue;
		n += sccp_reset(w->calls, i.device, PHONE_RESTART, now, &out) ==
		     0;
		egress_run(w->egress, &out, now);
	}
	if (n > 0)
		log_info("Skinny phones are sent back to a better call manager "
			 "phones=%u",
			 n);
}

static void arm(struct worker *w)
{
	if (loop_timer_set(w->loop, &w->sccp.back_timer,
			   loop_now_ms(w->loop) + LOOK_MS) != 0)
		log_error("no memory: Skinny phones do not go back to their "
			  "first call manager");
}

static void on_timer(void *arg)
{
	struct worker *w = arg;
	bool wanted[CONFIG_SCCP_MANAGERS_MAX] = {false};
	uint64_t now = loop_now_ms(w->loop);

	if (w->config->sccp.fail_back_s > 0 &&
	    w->config->sccp_manager_count > 1)
		move_back(w, wanted);
	for (uint32_t i = 0; i < w->config->sccp_manager_count; i++)
		if (wanted[i] && sccp_health_ask(&w->sccp.health[i], now))
			worker_sccp_ask(w, &w->config->sccp_manager[i]);
	arm(w);
}

void worker_sccp_back_init(struct worker *w)
{
	loop_timer_init(&w->sccp.back_timer, on_timer, w);
	arm(w);
}

void worker_sccp_back_done(struct worker *w)
{
	loop_timer_clear(w->loop, &w->sccp.back_timer);
}
