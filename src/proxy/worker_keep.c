/*
 * What outlives a worker: the state of its calls, registrations and
 * subscriptions goes to the store process as it changes; a successor begins with it, finds the flows
 * running in the media process and claims them.
 */
#include <stdio.h>

#include "log/log.h"
#include "proxy/worker_int.h"

struct restore {
	struct worker *w;
	struct save_restore how;
	uint32_t count;
	uint32_t failed;
};

static bool is_same_port(const struct addr *bound, const struct addr *local)
{
	return bound->port == local->port && bound->family == local->family &&
	       (addr_is_any(bound) || addr_ip_eq(bound, local));
}

/* A phone's connection died with the process that had it; a datagram socket
 * reaches whom it reached. */
static void reach(void *ctx, enum side side, struct dest *dest)
{
	struct worker *w = ctx;

	dest->ep = HANDLE_NONE;
	if (side == SIDE_CORE) {
		worker_core_reach(w, dest);
		return;
	}
	for (uint32_t i = 0;
	     !dest->is_reliable && i < w->config->listener_count; i++) {
		const struct config_endpoint *e =
			&w->config->listener[i].address;

		if (e->transport == CONFIG_UDP &&
		    is_same_port(&e->addr, &dest->local))
			dest->ep = w->tls.listener[i];
	}
}

static bool restore_one(void *ctx, struct slice key, struct slice bytes)
{
	struct restore *r = ctx;
	int err = calls_restore(r->w->calls, bytes, &r->how,
				loop_now_ms(r->w->loop));

	if (!err) {
		r->count++;
		return true;
	}
	if (err != ERR_NOTFOUND) {
		r->failed++;
		log_warn("cannot be restored kind=%c reason=\"%s\"",
			 key.len > 0 ? (int)key.ptr[0] : '?', err_str(err));
	}
	return false;
}

static int restore_all(struct worker *w, char *reterr)
{
	struct restore r = {.w = w, .how = {.reach = reach, .ctx = w}};
	int err = keep_fetch(w->keep, w->p.store_fd, restore_one, &r);

	/* A store that is gone comes back, and so do we. */
	if (err == ERR_CLOSED) {
		(void)snprintf(reterr, WORKER_ERR_MAX,
			       "the store process is gone");
		return err;
	}
	if (err)
		log_error("calls, registrations and subscriptions are not "
			  "restored: %s",
			  err_str(err));
	/* What was not read belongs to nobody. */
	if (err)
		worker_keep_all(w);
	if (r.count > 0 || r.failed > 0)
		log_info("restored count=%u failed=%u", r.count, r.failed);
	return 0;
}

/* Objects that there may be; a Skinny phone is a connection. */
static uint32_t room_of(const struct config *c)
{
	const struct config_limits *l = &c->limits;

	return l->calls + l->registrations + l->subscriptions + l->connections;
}

void worker_keep_room(struct worker *w)
{
	if (w->keep)
		keep_room(w->keep, room_of(w->config));
}

int worker_keep_open(struct worker *w, char *reterr)
{
	int err = keep_new(w->loop, w->keys, w->p.number, room_of(w->config),
			   &w->keep);

	if (err) {
		(void)snprintf(reterr, WORKER_ERR_MAX,
			       "no key for the state of calls: %s",
			       err_str(err));
		return err;
	}
	return restore_all(w, reterr);
}

void worker_keep_all(struct worker *w)
{
	struct actions out = {.count = 0};

	/* Whatever was to be forgotten may be there still. */
	if (calls_save_all(w->calls, &out) == 0)
		keep_anew(w->keep);
	else
		log_error("no memory: not everything is saved anew");
	egress_run(w->egress, &out, loop_now_ms(w->loop));
}

void worker_claim_media(struct worker *w)
{
	struct flow f[2];
	uint64_t pos = 0;
	uint32_t count = 0;

	medialink_disown(w->media);
	while (calls_flows(w->calls, &pos, f)) {
		medialink_claim(w->media, f);
		flow_wipe(&f[0]);
		flow_wipe(&f[1]);
		count++;
	}
	medialink_sweep(w->media);
	if (count > 0)
		log_info("streams claimed count=%u", count);
}
