/*
 * A running worker takes another configuration: its connections and bindings
 * are judged anew, calls go on. Devices that are gone lose registrations and
 * connections; the connection of one that is in a call is closed after it.
 */
#include "base/text.h"
#include "log/log.h"
#include "proxy/worker_int.h"

enum {
	SWEEP_MS = 1000, /* how often retired devices are looked at */
	TOKEN_MAX = 64
};

/* ---- connections --------------------------------------------------------- */

static void forget_device(struct worker *w, struct conn *c)
{
	/* conn_down follows later: the device's configuration is gone then. */
	c->device = NULL;
	transport_close(w->transport, c->ep,
			"the device is configured no more");
}

static void rebind_conns(struct worker *w, struct worker_reload *ret)
{
	struct conn *c = NULL;
	size_t at = 0;

	while ((c = conns_next(&w->conns, &at, c))) {
		if (worker_trunk_judge(w, c))
			ret->connections++;
		if (!c->device)
			continue;
		c->device = retirees_current(&w->retirees, w->config,
					     slice_str(c->device->name));
		if (c->device)
			continue;
		forget_device(w, c);
		ret->connections++;
	}
}

/* ---- bindings ------------------------------------------------------------ */

/* Why must b end? NULL: it may stay. */
static const char *objection(const struct worker *w,
			     const struct config_device *d,
			     const struct binding_info *b)
{
	struct slice user;

	text_cut(b->aor, '@', &user, NULL);
	if (!d)
		return "device removed";
	if (!ingress_mode_allows(w->config, d, b->sig))
		return "security mode changed";
	if (!config_device_has_line(d, user) && !text_ieqs(user, d->name))
		return "line removed";
	return NULL;
}

/* The walk is by slots, which an ending binding leaves as they are. */
static void judge_bindings(struct worker *w, struct worker_reload *ret)
{
	struct binding_info b;
	uint32_t pos = 0;

	while (bindings_next(w->calls, &pos, &b)) {
		const struct config_device *d =
			config_device_find(w->config, b.device);
		char token[TOKEN_MAX];
		struct call_policy policy;
		struct event ev = {.kind = EVENT_BINDING};

		if (text_copy(b.token, token, sizeof(token)) != 0)
			continue;
		ev.binding.token = slice_str(token);
		ev.binding.reason = objection(w, d, &b);
		if (ev.binding.reason) {
			ret->registrations++;
		} else {
			ingress_policy(w->config, d, &policy);
			ev.binding.policy = &policy;
			ev.binding.pass_auth = !d->digest;
		}
		pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
	}
}

/* ---- devices that are gone, but talk ------------------------------------- */

static bool has_calls(void *ctx, struct slice name)
{
	struct worker *w = ctx;

	return calls_has_device(w->calls, name);
}

static void on_gone(void *ctx, const struct config_device *d)
{
	struct worker *w = ctx;
	struct conn *c = NULL;
	size_t at = 0;

	while ((c = conns_next(&w->conns, &at, c)))
		if (c->device == d)
			forget_device(w, c);
	pipeline_forget_device(w->pipeline, d, loop_now_ms(w->loop));
}

void worker_sweep_later(struct worker *w)
{
	/* Without memory for the timer the next reload sweeps. */
	if (loop_timer_set(w->loop, &w->sweep,
			   loop_now_ms(w->loop) + SWEEP_MS) != 0)
		log_warn("connections of removed devices and trunks stay open");
}

static void sweep(void *arg)
{
	struct worker *w = arg;
	bool is_any =
		retirees_sweep(&w->retirees, w->config, has_calls, on_gone, w);

	is_any |= worker_trunk_sweep(w);
	if (is_any)
		worker_sweep_later(w);
}

static int retire(struct worker *w, const struct config *next)
{
	const struct config *old = w->config;
	int err = 0;

	for (uint32_t i = 0; !err && i < old->device_count; i++) {
		const struct config_device *d = &old->device[i];
		struct slice name = slice_str(d->name);

		if (!config_device_find(next, name) &&
		    calls_has_device(w->calls, name))
			err = retirees_add(&w->retirees, w->held, d);
	}
	return err;
}

/* ---- all of it ------------------------------------------------------------ */

int worker_update_calls(struct worker *w, const struct config *c)
{
	struct calls_update u = {
		.binding_limit = w->leased[WORKER_REGISTRATIONS],
		.call_limit = w->leased[WORKER_CALLS],
		.txn_limit = w->leased[WORKER_TRANSACTIONS],
		.sub_limit = w->leased[WORKER_SUBSCRIPTIONS],
		.sub_device_limit = c->limits.subscriptions_per_device,
		.sccp_phone_limit = c->limits.connections,
		.phone_managers = worker_phone_managers(c),
		.expires_min_s = c->sip.expires_min_s,
		.expires_max_s = c->sip.expires_max_s,
		.media_idle_ms = c->media.idle_timeout_s * 1000,
		.port_cooldown_ms = c->media.cool_down_s * 1000,
		.end_to_end = c->media.end_to_end,
		.show_phone_leg = c->sip.security_icon == CONFIG_ICON_PHONE_LEG,
		.server_name = c->server_name,
	};

	return calls_update(w->calls, &u);
}

void worker_reload_init(struct worker *w)
{
	retirees_init(&w->retirees);
	formers_init(&w->formers);
	loop_timer_init(&w->sweep, sweep, w);
}

void worker_reload_done(struct worker *w)
{
	loop_timer_clear(w->loop, &w->sweep);
	retirees_done(&w->retirees);
	formers_done(&w->formers);
	w->held = config_unref(w->held);
}

int worker_reload(struct worker *w, struct config *next,
		  struct worker_reload *ret)
{
	struct config *old = w->held;
	int err = retire(w, next);

	*ret = (struct worker_reload){.connections = 0};
	if (!err)
		err = worker_trunk_prepare(w, next);
	if (!err)
		err = worker_shield_follow(w, next);
	if (!err)
		err = worker_update_calls(w, next);
	if (err) {
		sweep(w); /* what is configured still does not retire */
		return err;
	}
	w->held = config_ref(next);
	w->config = next;
	worker_limit(w);
	worker_keep_room(w);
	worker_sccp_keep_creds(w, old);
	worker_sccp_watch(w);
	pipeline_reload(w->pipeline, next, loop_now_ms(w->loop));
	worker_core_reload(w, old);
	worker_trunk_reload(w, old);
	rebind_conns(w, ret);
	judge_bindings(w, ret);
	ret->registrations += worker_sccp_judge(w);
	sweep(w);
	config_unref(old);
	return 0;
}

/* ---- leases ---------------------------------------------------------------- */

uint32_t worker_used(const struct worker *w, enum worker_lease which)
{
	uint32_t calls;
	uint32_t bindings;
	uint32_t txns;
	uint32_t subs;
	uint64_t refused;

	calls_counts(w->calls, &calls, &bindings, &txns);
	calls_subs(w->calls, &subs, &refused);
	switch (which) {
	case WORKER_CALLS:
		return calls;
	case WORKER_REGISTRATIONS:
		return bindings;
	case WORKER_CONNECTIONS:
		return transport_stats(w->transport)->conns;
	case WORKER_TRANSACTIONS:
		return txns;
	case WORKER_SUBSCRIPTIONS:
		return subs;
	case WORKER_LEASES:
		break;
	}
	return 0;
}

uint32_t worker_lease(struct worker *w, enum worker_lease which,
		      uint32_t amount)
{
	uint32_t used = worker_used(w, which);
	uint32_t before = w->leased[which];

	w->leased[which] = amount > used ? amount : used;
	if (which == WORKER_CONNECTIONS)
		worker_limit(w);
	else if (worker_update_calls(w, w->config) != 0)
		w->leased[which] = before; /* no memory: as it was */
	return w->leased[which];
}
