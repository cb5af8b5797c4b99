/*
 * UPDATE (RFC 3311) and PRACK (RFC 3262): requests inside a dialog, early or
 * not, that may carry an offer. They pass to the other leg where its peer can
 * take them, and are answered here where it cannot.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "sip/hdr.h"

void mid_free(struct calls *c, struct mid *x)
{
	struct call *call = call_find(c, handle_u64(x->call));

	if (call && handle_eq(call->leg[x->from].update, x->obj.self))
		call->leg[x->from].update = HANDLE_NONE;
	obj_done(c, &x->obj);
	reply_done(&x->reply);
	alloc_free(x);
}

static struct mid *mid_new(struct calls *c, const struct leg *leg,
			   const struct event_sip *ev)
{
	struct mid *x = alloc_zero(sizeof(*x));

	if (x && obj_init(c, &x->obj, OBJ_MID) != 0)
		x = alloc_free(x);
	if (x && reply_open(c, ev, handle_u64(x->obj.self), SLICE_NULL,
			    &x->reply) != 0) {
		mid_free(c, x);
		x = NULL;
	}
	if (!x) {
		sip_refuse(c, ev, 503, "transaction limit",
			   "Retry-After: 5\r\n");
		return NULL;
	}
	x->call = leg->call->obj.self;
	x->from = leg->side;
	session_read(&x->ask, ev->msg);
	return x;
}

void update_own(struct calls *c, struct leg *leg, struct slice extra)
{
	struct sip_out_request q = {.method = SLICE("UPDATE"), .extra = extra};
	struct mid *x = alloc_zero(sizeof(*x));

	if (x && obj_init(c, &x->obj, OBJ_MID) != 0)
		x = alloc_free(x);
	if (!x) {
		session_again(c, leg, 1000);
		return;
	}
	history_add(c, leg->call,
		    &(struct history_item){.what = HISTORY_OWN,
					   .side = leg->side,
					   .method = SIP_METHOD_UPDATE});
	x->is_own = true;
	x->call = leg->call->obj.self;
	x->from = !leg->side;
	if (leg_request(c, leg, SIP_METHOD_UPDATE, &q, handle_u64(x->obj.self),
			&x->client) == 0)
		return;
	session_again(c, leg, 1000);
	mid_free(c, x);
}

/* The other leg gets it; extra: header lines. */
static void pass(struct calls *c, struct mid *x, const struct sip_msg *m,
		 struct slice extra, struct slice body)
{
	struct call *call = call_find(c, handle_u64(x->call));
	struct sip_out_rules rules = leg_rules(c, call, x->from, true);
	struct sip_out_request q = {
		.method = m->method_name,
		.max_forwards = m->max_forwards > 0 ? m->max_forwards - 1 : 0,
		.src = m,
		.rules = &rules,
		.extra = extra,
		.body = body,
	};

	if (body.len > 0)
		q.type = (struct slice)SLICE("application/sdp");
	if (leg_request(c, &call->leg[!x->from], m->method, &q,
			handle_u64(x->obj.self), &x->client) == 0)
		return;
	if (x->has_offer)
		offer_abort(c, call);
	reply_status(c, &x->reply, 503, "", "Retry-After: 5\r\n");
	mid_free(c, x);
}

static void refuse_offer(struct calls *c, struct mid *x,
			 const struct media_refusal *no)
{
	char extra[256];

	offer_warning(&x->reply, no, extra, sizeof(extra));
	reply_status(c, &x->reply, no->status, "", extra);
	mid_free(c, x);
}

/* The answer to an offer in a reliable provisional. False: unusable, and the
 * call is over. */
static bool late_answer(struct calls *c, struct call *call, struct mid *x,
			const struct sip_msg *m, struct slice *ret_body)
{
	struct media_refusal no = {488, "no answer in PRACK"};

	if (msg_has_sdp(m) &&
	    offer_answer(c, call, x->from, m->body, ret_body, &no)) {
		offer_settle(c, call);
		call->ex.is_settled = true;
		call->ex.has_answer = true;
		return true;
	}
	refuse_offer(c, x, &no);
	call_end(c, call, NULL, 488, no.why);
	return false;
}

void prack_pass(struct calls *c, struct leg *leg, const struct event_sip *ev)
{
	struct call *call = leg->call;
	struct exch *ex = &call->ex;
	struct media_refusal no = {488, "no offer may be made now"};
	struct mid *x = mid_new(c, leg, ev);
	bool is_sdp = msg_has_sdp(ev->msg);
	struct slice body = is_sdp ? ev->msg->body : SLICE_NULL;
	uint8_t buf[64];
	struct writer w;

	if (!x)
		return;
	if (ex->rel.is_offer && !late_answer(c, call, x, ev->msg, &body))
		return;
	/* An early dialog that is not the last one spoken in. */
	if (ex->rel.fork)
		(void)fork_switch(&call->leg[!leg->side],
				  slice_str(ex->rel.fork->tag));
	if (is_sdp && !ex->rel.is_offer) {
		if (offer_busy(leg) != 0 ||
		    !offer_make(c, call, leg->side, body, &body, &no)) {
			rel_ack(c, call, ex->rel.rseq_in);
			refuse_offer(c, x, &no);
			return;
		}
		x->has_offer = true;
	}
	writer_init(&w, buf, sizeof(buf));
	rel_print_rack(&w, ex, ex->rel.rseq_in);
	pass(c, x, ev->msg, writer_slice(&w), body);
}

/* 200 to an UPDATE that the other side need not, or cannot, know of. */
static void answer_here(struct calls *c, struct leg *leg,
			const struct event_sip *ev)
{
	struct mid *x = mid_new(c, leg, ev);
	struct sip_out_response r = {.status = 200};
	uint8_t buf[128];
	struct writer w;

	if (!x)
		return;
	writer_init(&w, buf, sizeof(buf));
	if (leg->is_confirmed)
		session_grant(c, leg, &x->ask, &w);
	r.extra = writer_slice(&w);
	r.contact_user = slice_str(leg->contact_user);
	(void)reply_send(c, &x->reply, &r); /* c->err tells */
	mid_free(c, x);
}

/* RFC 3311 section 5.2; answered then. */
static bool refuse_update(struct calls *c, struct leg *leg,
			  const struct event_sip *ev)
{
	const struct call *call = leg->call;
	unsigned busy = 0;

	if (call->state == CALL_CANCELLING ||
	    !call->leg[!leg->side].dialog.remote_tag) {
		sip_answer(c, ev, 481, "", "");
		return true;
	}
	if (!handle_is_none(leg->update))
		busy = 500;
	else if (msg_has_sdp(ev->msg))
		busy = offer_busy(leg);
	if (busy == 500)
		answer_later(c, ev);
	else if (busy != 0)
		sip_answer(c, ev, busy, "", "");
	if (busy != 0 || session_refuse(c, ev))
		return true;
	if (sip_dialog_refresh(&leg->dialog, ev->msg) != 0) {
		sip_answer(c, ev, 400, "", "");
		return true;
	}
	return false;
}

void update_request(struct calls *c, struct leg *leg,
		    const struct event_sip *ev)
{
	struct call *call = leg->call;
	struct leg *to = &call->leg[!leg->side];
	bool is_offer = msg_has_sdp(ev->msg);
	struct slice body = is_offer ? ev->msg->body : SLICE_NULL;
	struct media_refusal no;
	struct mid *x;

	if (refuse_update(c, leg, ev))
		return;
	leg_allow(leg, ev->msg);
	if (!to->allows_update) {
		/* Section 5.2: 504 where it cannot be done without asking. */
		if (!is_offer)
			answer_here(c, leg, ev);
		else if (call->state == CALL_UP && !call->ex.is_on)
			renew_update(c, leg, ev);
		else
			sip_answer(c, ev, 504, "", "");
		return;
	}
	x = mid_new(c, leg, ev);
	if (!x)
		return;
	if (is_offer && !offer_make(c, call, leg->side, body, &body, &no)) {
		refuse_offer(c, x, &no);
		return;
	}
	x->has_offer = is_offer;
	leg->update = x->obj.self;
	pass(c, x, ev->msg, SLICE_NULL, body);
}

/* The answer to x's offer. False: it cannot be used. */
static bool take_answer(struct calls *c, const struct mid *x, struct call *call,
			const struct sip_msg *m, struct slice *ret_body)
{
	struct media_refusal no;

	if (m->status >= 300) {
		offer_abort(c, call);
		return true;
	}
	if (!offer_answer(c, call, !x->from, m->body, ret_body, &no))
		return false;
	offer_settle(c, call);
	return true;
}

static void pass_back(struct calls *c, struct mid *x, struct call *call,
		      const struct sip_msg *m, struct slice body)
{
	struct sip_out_rules rules = leg_rules(c, call, !x->from, true);
	struct sip_out_response r = {.status = m->status,
				     .reason = m->reason,
				     .src = m,
				     .rules = &rules,
				     .body = body};
	struct leg *leg = &call->leg[x->from];
	unsigned status = exch_status(call, x->from, m->status);
	uint8_t buf[128];
	struct writer w;

	if (status != m->status) {
		reply_status(c, &x->reply, status, "", "");
		return;
	}
	if (body.len > 0)
		r.type = (struct slice)SLICE("application/sdp");
	writer_init(&w, buf, sizeof(buf));
	if (m->method == SIP_METHOD_UPDATE && status < 300) {
		r.contact_user = slice_str(leg->contact_user);
		if (leg->is_confirmed)
			session_grant(c, leg, &x->ask, &w);
	}
	r.extra = writer_slice(&w);
	(void)reply_send(c, &x->reply, &r); /* c->err tells */
}

static void mid_end(struct calls *c, struct mid *x, struct call *call,
		    const struct sip_msg *m)
{
	struct leg *to = &call->leg[!x->from];
	bool is_update = m->method == SIP_METHOD_UPDATE;
	struct slice body = SLICE_NULL; /* an answer is made anew */

	if (x->has_offer && !take_answer(c, x, call, m, &body)) {
		reply_status(c, &x->reply, 488, "", "");
		call_end(c, call, NULL, 0, "answer unusable");
		return;
	}
	/* An unreadable Contact leaves the target as it was. */
	if (is_update && m->status < 300 && sip_dialog_match(&to->dialog, m) &&
	    sip_dialog_refresh(&to->dialog, m) == ERR_NOMEM)
		c->err = ERR_NOMEM;
	if (is_update && m->status < 300 && to->is_confirmed)
		session_learn(c, to, m);
	if (x->is_own) {
		if (m->status >= 300)
			session_refused(c, to, m);
		return;
	}
	pass_back(c, x, call, m, body);
	if (m->status < 300 && x->has_offer)
		security_update(c, call);
	/* RFC 5057: the dialog is gone. */
	if (is_update && call->state == CALL_UP &&
	    (m->status == 481 || m->status == 408))
		call_end(c, call, m->status == 481 ? to : NULL, 0,
			 "UPDATE found no dialog");
}

void mid_response(struct calls *c, struct mid *x, const struct sip_msg *m)
{
	struct call *call = call_find(c, handle_u64(x->call));

	if (m->status < 200)
		return;
	if (call) {
		c->cookie = handle_u64(call->obj.self);
		mid_end(c, x, call, m);
	} else if (!x->is_own) {
		reply_status(c, &x->reply, 481, "", "");
	}
	mid_free(c, x);
}

void mid_failed(struct calls *c, struct mid *x, enum sip_txn_fail why)
{
	struct call *call = call_find(c, handle_u64(x->call));

	if (call) {
		c->cookie = handle_u64(call->obj.self);
		if (x->has_offer)
			offer_abort(c, call);
		/* RFC 4028 section 10: nobody is there any more. */
		if (x->is_own && call->state == CALL_UP)
			call_end(c, call, NULL, 0, "no answer to UPDATE");
	}
	/* Not 408: the sender's dialog lives. */
	if (!x->is_own)
		reply_status(c, &x->reply,
			     why == SIP_TXN_FAIL_TIMEOUT ? 504 : 503, "", "");
	mid_free(c, x);
}

bool mid_give_up(struct calls *c, struct call *call)
{
	for (int side = 0; side < 2; side++) {
		struct obj *o = obj_find(c, handle_u64(call->leg[side].update));
		struct mid *x;

		if (!o || o->kind != OBJ_MID)
			continue;
		x = LIST_ENTRY(o, struct mid, obj);
		if (!x->has_offer)
			continue;
		core_forget(c, x->client);
		offer_abort(c, call);
		reply_status(c, &x->reply, 503, "", "Retry-After: 5\r\n");
		mid_free(c, x);
		return true;
	}
	return false;
}
