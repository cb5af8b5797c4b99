/*
 * A locally significant certificate is issued by the operator's own authority,
 * one that a manufacturer installed is in every phone of its kind, sold or
 * stolen: a device that has once shown the former is not let in with the latter
 * until an operator resets it (sallyportctl device reset-lsc).
 */
#include "log/log.h"
#include "proxy/worker_int.h"

static int ask(struct worker *w, enum store_op op, const struct conn *c)
{
	return worker_ask_store(
		w, &(struct store_request){.op = op,
					   .id = handle_u64(c->ep),
					   .user = slice_str(c->device->name)});
}

enum conn_refusal worker_lsc_judge(struct worker *w, struct conn *c,
				   bool is_lsc)
{
	int err = ask(w, is_lsc ? STORE_OP_LSC_PUT : STORE_OP_LSC_GET, c);

	if (err && is_lsc)
		log_error("it cannot be remembered that device=%s has an LSC "
			  "reason=\"%s\"",
			  c->device->name, err_str(err));
	if (is_lsc)
		return CONN_REFUSAL_NONE;
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
		log_error("an LSC cannot be remembered reason=\"%s\"",
			  err_str(r->status));
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
