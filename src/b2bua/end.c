/*
 * How calls end: BYE, CANCEL, lost connections, lost media, the operator.
 */
#include "b2bua/sub.h"

#include "base/alloc.h"

void call_free(struct calls *c, struct call *call, const char *reason)
{
	if (reason)
		record_call(c, RECORD_CALL_END, call, reason);
	media_done(c, call);
	save_call_done(c, call);
	timerq_clear(&c->call_timers, &call->timer);
	if (call->ex.is_on && call->ex.is_answered)
		sip_txn_leave(c->txns, call->ex.reply.txn,
			      &call->leg[call->ex.from].dialog,
			      call->ex.cseq_in);
	if (call->leg[SIDE_PHONE].owes_bye)
		trunk_owe_bye(c, &call->leg[SIDE_PHONE]);
	leg_done(c, &call->leg[0]);
	leg_done(c, &call->leg[1]);
	if (call->has_device)
		table_del(&c->devices, &call->by_device);
	sip_txn_orphan(c->txns, call->ex.client, c->now_ms);
	exch_done(&call->ex);
	obj_done(c, &call->obj);
	alloc_free(call->device);
	alloc_free(call->from);
	alloc_free(call->to);
	alloc_free(call);
	c->call_count--;
}

/* The caller hears no more of it; the callee is told to stop ringing, which
 * takes until its final answer. */
static void end_trying(struct calls *c, struct call *call,
		       const struct leg *spare, unsigned status,
		       const char *reason)
{
	struct exch *ex = &call->ex;
	bool is_callee_gone =
		spare == &call->leg[!ex->from] || call->leg[!ex->from].is_gone;

	invite_refuse(c, call, status ? status : 480, "", "");
	record_call(c, RECORD_CALL_END, call, reason);
	media_done(c, call);
	deadline_clear(c, call, DEADLINE_RING);
	if (is_callee_gone) {
		call_free(c, call, NULL);
		return;
	}
	call->state = CALL_CANCELLING;
	if (!invite_cancel_out(c, call))
		call_free(c, call, NULL);
	else
		rel_release(c, call); /* it may have answered already */
}

static void end_up(struct calls *c, struct call *call, const struct leg *spare,
		   unsigned status, const char *reason)
{
	struct exch *ex = &call->ex;
	uint8_t buf[128];
	struct writer w;

	/* An unfinished re-INVITE dies with the dialog: its sender is
	 * answered, its receiver's transaction is limited by a CANCEL; a 2xx
	 * that still waits for the ACK gets one first. */
	if (ex->is_on && ex->is_answered)
		leg_ack(c, &call->leg[!ex->from], ex->client, ex->cseq_out,
			SLICE_NULL);
	else if (ex->is_on)
		(void)invite_cancel_out(c, call); /* freed below anyway */
	invite_refuse(c, call, status ? status : 487, "", "");
	writer_init(&w, buf, sizeof(buf) - 1);
	writer_str(&w, "Q.850;cause=16;text=\"");
	writer_str(&w, reason);
	writer_str(&w, "\"");
	buf[w.len] = '\0';
	for (int side = 0; side < 2; side++) {
		struct leg *leg = &call->leg[side];

		if (leg != spare && leg->is_confirmed)
			leg_bye(c, leg, (const char *)buf);
	}
	call_free(c, call, reason);
}

void call_end(struct calls *c, struct call *call, const struct leg *spare,
	      unsigned status, const char *reason)
{
	c->cookie = handle_u64(call->obj.self);
	switch (call->state) {
	case CALL_TRYING:
		if (call->leg[!call->ex.from].is_confirmed)
			end_up(c, call, spare, status, reason);
		else
			end_trying(c, call, spare, status, reason);
		break;
	case CALL_UP:
		end_up(c, call, spare, status, reason);
		break;
	case CALL_CANCELLING:
		/* Nothing more can be done than wait, unless the callee is
		 * the one who left. */
		if (spare == &call->leg[!call->ex.from])
			call_free(c, call, NULL);
		break;
	}
}

/* BYE goes on with its headers (Reason, Cisco's statistics). */
static void pass_bye(struct calls *c, struct call *call, enum side from,
		     const struct sip_msg *m)
{
	struct sip_out_rules rules = leg_rules(c, call, from, true);
	struct sip_out_request r = {.method = SLICE("BYE"),
				    .max_forwards = 70,
				    .src = m,
				    .rules = &rules};
	struct handle txn;

	if (leg_request(c, &call->leg[!from], SIP_METHOD_BYE, &r, 0, &txn) != 0)
		c->err = ERR_NOMEM;
}

void call_bye(struct calls *c, struct leg *leg, const struct event_sip *ev)
{
	struct call *call = leg->call;
	struct exch *ex = &call->ex;
	enum side from = leg->side;

	if (call->state == CALL_CANCELLING ||
	    (call->state == CALL_TRYING && leg->is_uac)) {
		sip_answer(c, ev, 481, "", "");
		return;
	}
	sip_answer(c, ev, 200, "", "");
	if (call->state == CALL_TRYING) {
		/* RFC 3261 section 15: a caller may end an early dialog. */
		call_end(c, call, NULL, 487, "BYE while ringing");
		return;
	}
	if (ex->is_on && ex->is_answered)
		leg_ack(c, &call->leg[!ex->from], ex->client, ex->cseq_out,
			SLICE_NULL);
	else if (ex->is_on)
		(void)invite_cancel_out(c, call); /* freed below anyway */
	invite_refuse(c, call, 487, "", "");
	pass_bye(c, call, from, ev->msg);
	sub_inherit(c, call);
	call_free(c, call, "BYE");
}

/* A stream that an offer in the midst of a call would have added: the offer is
 * refused, and the session is what it was (RFC 3261 section 14.1). False: its
 * other side knows of it already. */
static bool give_up_offer(struct calls *c, struct call *call)
{
	struct exch *ex = &call->ex;

	if (mid_give_up(c, call))
		return true;
	if (!ex->is_on || ex->kind == EXCH_OWN || ex->is_answered ||
	    ex->has_provisional)
		return false;
	/* It may never have left, as with a first INVITE. */
	core_forget(c, ex->client);
	invite_refuse(c, call, 503, "", "Retry-After: 5\r\n");
	exch_abort(c, call);
	deadline_clear(c, call, DEADLINE_RING);
	return true;
}

void call_media_lost(struct calls *c, struct call *call, uint64_t flow,
		     bool is_idle)
{
	c->cookie = handle_u64(call->obj.self);
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *s = &call->media.stream[i];
		bool is_ours = s->has_flows &&
			       (s->flow[0].id == flow || s->flow[1].id == flow);

		if (!is_ours)
			continue;
		if (!is_idle && call->state == CALL_UP && s->is_new &&
		    give_up_offer(c, call))
			return;
		if (!is_idle && call->state == CALL_TRYING &&
		    !call->ex.has_left) {
			/* The INVITE that showed these ports may never have
			 * left, and must not be repeated. */
			core_forget(c, call->ex.client);
			call->leg[!call->ex.from].is_gone = true;
		}
		/* A 2xx that showed these ports may have been held back. */
		if (!is_idle && call->ex.is_on && call->ex.is_answered)
			reply_override(c, &call->ex.reply, 503);
		/* Silence while on hold is what was asked for. */
		if (is_idle &&
		    (s->flow[0].id == flow ? s->flow[0].idle_ms == 0
					   : s->flow[1].idle_ms == 0))
			return;
		call_end(c, call, NULL, 503,
			 is_idle ? "no media" : "media relay failed");
		return;
	}
}
