/*
 * A locally significant certificate is issued by the operator's own authority,
 * one that a manufacturer installed is in every phone of its kind, sold or
 * stolen: a device that has once shown the former is not let in with the latter
 * until an operator resets it (sallyportctl device reset-lsc).
 */
#include "log/log.h"
#include "proxy/worker_int.h"

enum { AGAIN_MS = 10000 };

static int ask(struct worker *w, enum store_op op, const struct conn *c)
{
	return worker_ask_store(
		w, &(struct store_request){.op = op,
					   .id = handle_u64(c->ep),
					   .user = slice_str(c->device->name)});
}

/* Without a store there is nothing to wait for: a new one is told all. */
static void again_later(struct worker *w)
{
	if (w->store && loop_timer_set(w->loop, &w->lsc_timer,
				       loop_now_ms(w->loop) + AGAIN_MS) != 0)
		log_warn("LSCs are noted with the next store process only");
}

/* The device's, or, when it has gone meanwhile, nobody's. */
static void not_noted(struct worker *w, const struct conn *c, int err)
{
	if (worker_may_log(w))
		log_error("it cannot be remembered yet that device=%s has an "
			  "LSC reason=\"%s\"",
			  c && c->device ? c->device->name : "-", err_str(err));
	again_later(w);
}

static void note(struct worker *w, struct conn *c)
{
	int err = ask(w, STORE_OP_LSC_PUT, c);

	if (err)
		not_noted(w, c, err);
}

void worker_lsc_gone(struct worker *w, struct conn *c)
{
	w->mics -= c->is_mic;
	c->is_mic = false;
}

/* Who held the device's MIC before may be a thief. */
static void end_mics(struct worker *w, const struct config_device *d)
{
	struct conn *c = NULL;
	size_t at = 0;

	/* Most have none: a storm of phones must not walk over all each time.
	 * conn_down comes from the loop: the table stays as it is. */
	while (w->mics > 0 && (c = conns_next(&w->conns, &at, c))) {
		if (!c->is_mic || c->device != d)
			continue;
		worker_lsc_gone(w, c); /* refused once */
		worker_refuse(w, c->ep, &c->dest.peer, CONN_REFUSAL_MIC,
			      slice_str(d->name));
	}
}

enum conn_refusal worker_lsc_judge(struct worker *w, struct conn *c,
				   bool is_lsc)
{
	int err;

	if (is_lsc) {
		c->owes_lsc = true;
		note(w, c);
		end_mics(w, c->device);
		return CONN_REFUSAL_NONE;
	}
	err = ask(w, STORE_OP_LSC_GET, c);
	c->is_mic = true;
	w->mics++;
	c->is_held = !err;
	return err ? CONN_REFUSAL_STORE : CONN_REFUSAL_NONE;
}

void worker_lsc_answer(struct worker *w, const struct store_reply *r)
{
	struct handle ep = {.index = (uint32_t)r->id,
			    .gen = (uint32_t)(r->id >> 32)};
	struct conn *c = conns_find(&w->conns, ep);
	struct slice name;

	if (r->op == STORE_OP_LSC_PUT && r->status != 0)
		not_noted(w, c, r->status);
	else if (r->op == STORE_OP_LSC_PUT && c)
		c->owes_lsc = false;
	if (r->op != STORE_OP_LSC_GET || !c || !c->is_held)
		return;
	name = c->device ? slice_str(c->device->name) : SLICE_NULL;
	if (r->status == ERR_NOTFOUND) {
		c->is_held = false;
		transport_resume(w->transport, ep);
	} else if (r->status == 0) {
		worker_refuse(w, ep, &c->dest.peer, CONN_REFUSAL_MIC, name);
	} else {
		worker_refuse(w, ep, &c->dest.peer, CONN_REFUSAL_STORE, name);
	}
}

void worker_lsc_lost(struct worker *w)
{
	struct conn *c = NULL;
	size_t at = 0;

	/* conn_down comes from the loop: the table stays as it is. */
	while ((c = conns_next(&w->conns, &at, c)))
		if (c->is_held)
			worker_refuse(w, c->ep, &c->dest.peer,
				      CONN_REFUSAL_STORE,
				      c->device ? slice_str(c->device->name)
						: SLICE_NULL);
}

void worker_lsc_again(struct worker *w)
{
	struct conn *c = NULL;
	size_t at = 0;

	while ((c = conns_next(&w->conns, &at, c)))
		if (c->owes_lsc && c->device)
			note(w, c);
}

static void on_again(void *arg)
{
	worker_lsc_again(arg);
}

void worker_lsc_init(struct worker *w)
{
	loop_timer_init(&w->lsc_timer, on_again, w);
}

void worker_lsc_done(struct worker *w)
{
	loop_timer_clear(w->loop, &w->lsc_timer);
}
