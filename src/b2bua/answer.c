/*
 * The answering half of an INVITE: what the other side responds, and the ACK
 * that goes end to end, so that an offer in the 2xx finds its answer there
 * (RFC 3261 section 13.2.2.4).
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "sip/hdr.h"

enum { RETRIES_MAX = 4 /* 422s in a row */ };

/* Pass a response on to the exchange's sender. */
static int pass_on(struct calls *c, struct call *call, const struct sip_msg *m,
		   struct slice body, bool is_reliable)
{
	struct exch *ex = &call->ex;
	struct leg *leg = &call->leg[ex->from];
	struct sip_out_rules rules = leg_rules(c, call, !ex->from, true);
	struct sip_out_response r = {.status = m->status,
				     .reason = m->reason,
				     .src = m,
				     .rules = &rules,
				     .body = body};
	uint8_t buf[256];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	if (body.len > 0)
		r.type = (struct slice)SLICE("application/sdp");
	if (m->status < 300)
		r.contact_user = slice_str(leg->contact_user);
	if (m->status >= 200 && m->status < 300 && leg->side == SIDE_PHONE) {
		rules.security = security_show(c, call);
		rules.orientation_from = call->caller == SIDE_CORE;
	}
	if (m->status >= 200)
		rel_stop(c, call);
	if (m->status >= 200 && m->status < 300)
		session_grant(c, leg, &ex->ask, &w);
	if (is_reliable)
		rel_print(c, &w, &ex->rel);
	r.extra = writer_slice(&w);
	if (!is_reliable)
		return reply_send(c, &ex->reply, &r);
	return reply_send_kept(c, &ex->reply, &r, &ex->rel.bytes, &ex->rel.len);
}

static bool send_cancel(struct calls *c, struct call *call)
{
	struct exch *ex = &call->ex;
	struct handle txn;

	if (ex->cancel_sent || !ex->has_provisional)
		return true;
	ex->cancel_sent = true;
	if (sip_txn_client_new(c->txns, SIP_METHOD_CANCEL,
			       slice_make(ex->cancel_branch, BRANCH_LEN),
			       &call->leg[!ex->from].dest,
			       slice_make(ex->cancel, ex->cancel_len), 0,
			       c->now_ms, &txn) == 0)
		return true;
	/* Nothing would end the INVITE then: say it once, and forget. */
	calls_emit(c, &(struct action){
			      .kind = ACTION_SIP_SEND,
			      .call = c->cookie,
			      .dest = call->leg[!ex->from].dest,
			      .bytes = slice_make(ex->cancel, ex->cancel_len)});
	core_forget(c, ex->client);
	return false;
}

bool invite_cancel_out(struct calls *c, struct call *call)
{
	call->ex.is_cancelled = true;
	return send_cancel(c, call);
}

/* A 2xx that nobody wants: acknowledge it, then end its dialog. */
static void end_unwanted(struct calls *c, struct leg *leg,
			 const struct exch *ex)
{
	leg_ack(c, leg, ex->client, ex->cseq_out, SLICE_NULL);
	leg_bye(c, leg, NULL);
}

static void client_failed(struct calls *c, struct call *call,
			  enum sip_txn_fail why);

/* The session description of a provisional. False: it must not go on. */
static bool early_body(struct calls *c, struct call *call, struct fork *f,
		       const struct sip_msg *m, struct slice *ret_body)
{
	struct exch *ex = &call->ex;
	struct media_refusal no;

	/* An answer counts before the 2xx (RFC 6337 section 2.2), but in a
	 * re-INVITE media wait unless it is reliable: what is unreliable could
	 * not be undone. */
	if (ex->has_offer) {
		if ((ex->is_initial || f->is_final) && !ex->is_settled &&
		    offer_answer(c, call, !ex->from, m->body, ret_body, &no))
			fork_answered(ex, f, m->body);
		return true;
	}
	/* Only a reliable one may offer (RFC 3261 section 13.2.1). */
	if (ex->is_offered || !f->is_final)
		return true;
	ex->is_offered = true;
	if (offer_make(c, call, !ex->from, m->body, ret_body, &no))
		return true;
	if (ex->is_initial)
		call_end(c, call, NULL, no.status, no.why);
	return false;
}

static void pass_provisional(struct calls *c, struct call *call, struct fork *f,
			     const struct sip_msg *m, bool is_reliable,
			     uint32_t rseq)
{
	struct exch *ex = &call->ex;
	struct rel *rel = &ex->rel;
	struct slice body = SLICE_NULL;

	/* What is reliable on both sides, or acknowledged by us for a sender
	 * who offered already, is final. */
	if (rseq != 0 && (is_reliable || ex->has_offer))
		f->is_final = f->is_final || msg_has_sdp(m);
	if (msg_has_sdp(m) && !early_body(c, call, f, m, &body))
		return;
	if (ex->kind == EXCH_INVITE &&
	    pass_on(c, call, m, body, is_reliable) != 0 && is_reliable)
		return; /* it will be repeated */
	f->rseq = rseq != 0 ? rseq : f->rseq;
	if (!is_reliable && rseq != 0)
		rel_ack(c, call, rseq);
	if (!is_reliable)
		return;
	rel->rseq_in = rseq;
	rel->fork = f;
	rel->has_sdp = body.len > 0;
	rel->is_offer = body.len > 0 && !ex->has_offer;
	rel_sent(c, call);
}

static void on_provisional(struct calls *c, struct call *call,
			   const struct sip_msg *m)
{
	struct exch *ex = &call->ex;
	struct fork *f;
	uint32_t rseq = 0;
	enum rel_way way;

	ex->has_provisional = true;
	if (ex->is_cancelled) {
		if (!send_cancel(c, call))
			client_failed(c, call, SIP_TXN_FAIL_TIMEOUT);
		return;
	}
	/* Whoever rings after the answer rings in vain. */
	if (m->status == 100 || ex->is_answered)
		return;
	if (ex->kind != EXCH_UPDATE) /* its sender waits no longer for that */
		deadline_set(c, call, DEADLINE_RING, c->now_ms + RING_MS);
	f = fork_take(c, call, m);
	if (!f)
		return;
	leg_allow(&call->leg[!ex->from], m);
	way = rel_judge(ex, f, m, &rseq);
	if (way == REL_HOLD)
		rel_hold(c, &ex->rel, m);
	if (way == REL_PLAIN || way == REL_RELIABLE)
		pass_provisional(c, call, f, m, way == REL_RELIABLE, rseq);
}

/* The session description for the sender of the INVITE out of f's 2xx. False:
 * *ret_no says why there is none. */
static bool answer_body(struct calls *c, struct call *call,
			const struct fork *f, const struct sip_msg *m,
			struct slice *ret_body, struct media_refusal *ret_no)
{
	struct exch *ex = &call->ex;
	struct slice answer = m->body;

	*ret_body = SLICE_NULL;
	/* All was said before, in reliable provisionals and UPDATEs. */
	if (ex->is_settled || ex->is_offered)
		return true;
	if (!ex->has_offer) /* late offer: the 2xx makes it */
		return !msg_has_sdp(m) || offer_make(c, call, !ex->from,
						     m->body, ret_body, ret_no);
	/* The answer may have come in a 18x, and the 2xx need not repeat it;
	 * since then somebody else may have answered too, so it counts anew. */
	if (!msg_has_sdp(m))
		answer = fork_answer(ex, f);
	if (answer.len == 0) {
		*ret_no = (struct media_refusal){488, "no answer"};
		return false;
	}
	return offer_answer(c, call, !ex->from, answer, ret_body, ret_no);
}

/* The 2xx to a re-INVITE that no INVITE waits for. */
static void on_own_success(struct calls *c, struct call *call,
			   const struct sip_msg *m, struct slice body)
{
	struct exch *ex = &call->ex;

	leg_ack(c, &call->leg[!ex->from], ex->client, ex->cseq_out, SLICE_NULL);
	ex->is_on = false;
	if (ex->kind == EXCH_UPDATE) /* its sender may have given up */
		(void)pass_on(c, call, m, body, false);
	security_update(c, call);
}

static void on_first_success(struct calls *c, struct call *call,
			     const struct sip_msg *m)
{
	struct exch *ex = &call->ex;
	struct leg *leg = &call->leg[!ex->from];
	struct media_refusal no = {500, "dialog headers"};
	struct fork *f = fork_take(c, call, m);
	struct slice body;
	int err = 0;

	if (!ex->is_initial)
		err = sip_dialog_refresh(&leg->dialog, m);
	else if (!f) /* one too many, and the one that answers */
		err = sip_dialog_learn(&leg->dialog, m);
	if (!err && !leg->dialog.target)
		err = ERR_BAD;
	if (err || !answer_body(c, call, f, m, &body, &no)) {
		invite_refuse_media(c, call, &no);
		leg_ack(c, leg, ex->client, ex->cseq_out, SLICE_NULL);
		leg->is_confirmed = true;
		call_end(c, call, NULL, 0, no.why);
		return;
	}
	/* Another callee agreed early; the sender cannot be answered again. */
	ex->is_unheard = ex->is_initial && f != ex->agreed &&
			 (ex->is_settled || ex->is_offered);
	if (ex->has_offer && !ex->is_settled) {
		offer_settle(c, call);
		ex->is_settled = true;
	}
	ex->raw = calls_wipe(ex->raw, ex->raw_len);
	leg_allow(leg, m);
	leg->is_confirmed = true;
	session_learn(c, leg, m);
	deadline_clear(c, call, DEADLINE_RING);
	if (ex->kind != EXCH_INVITE) {
		on_own_success(c, call, m, body);
		return;
	}
	if (pass_on(c, call, m, body, false) != 0) {
		/* Nobody would ever acknowledge it. */
		ex->is_on = false;
		leg_ack(c, leg, ex->client, ex->cseq_out, SLICE_NULL);
		call_end(c, call, NULL, 0, "answer lost");
		return;
	}
	ex->is_answered = true;
	rel_drop(&ex->rel);
	call->leg[ex->from].is_confirmed = true;
	call->state = CALL_UP;
}

static void on_success(struct calls *c, struct call *call,
		       const struct sip_msg *m)
{
	struct exch *ex = &call->ex;
	struct leg *leg = &call->leg[!ex->from];

	if (call->state == CALL_CANCELLING) {
		/* CANCEL and 2xx crossed. */
		if (sip_dialog_learn(&leg->dialog, m) == 0)
			end_unwanted(c, leg, ex);
		call_free(c, call, NULL);
		return;
	}
	if (ex->is_on && !ex->is_answered) {
		/* RFC 3262 section 3: not before a session description that
		 * was sent reliably is acknowledged. */
		if (ex->rel.is_pending && ex->rel.has_sdp)
			rel_hold(c, &ex->rel, m);
		else
			on_first_success(c, call, m);
		return;
	}
	if (!leg->dialog.remote_tag ||
	    !slice_eqs(m->to_tag, leg->dialog.remote_tag)) {
		fork_end(c, call, m);
		return;
	}
	/* Our ACK was lost; before the caller's came there is none yet. */
	(void)leg_ack_again(c, leg, m);
}

/* The INVITE once more, of which no dialog came; body: what it offers. */
static bool send_again(struct calls *c, struct call *call, struct slice body)
{
	struct exch *ex = &call->ex;
	struct leg *leg = &call->leg[!ex->from];

	forks_done(ex);
	rel_stop(c, call);
	rel_done(&ex->rel);
	ex->rel.fork = NULL;
	if (ex->is_initial)
		leg->dialog.remote_tag = alloc_free(leg->dialog.remote_tag);
	return invite_forward(c, call, &c->msg, body) == 0;
}

/* The phone cannot do SRTP and need not: ask it again without. */
static bool retry_plain(struct calls *c, struct call *call, unsigned status)
{
	struct exch *ex = &call->ex;
	struct media_refusal no;
	struct slice body;
	bool has_srtp = false;

	for (size_t i = 0; i < STREAMS_MAX; i++)
		has_srtp |= call->media.stream[i].offer.count > 0;
	if (!has_srtp || !ex->is_initial || ex->is_retry ||
	    call->policy.media != MEDIA_SRTP_PREFER ||
	    (status != 488 && status != 415 && status != 606))
		return false;
	ex->is_retry = true;
	call->media.no_srtp = true;
	if (!offer_make(c, call, ex->from, c->msg.body, &body, &no) ||
	    !send_again(c, call, body))
		return false;
	record_call(c, RECORD_FALLBACK, call, "phone refused SRTP");
	return true;
}

/* The callee does it reliably or not at all (RFC 3261 section 21.4.15): we
 * can, whatever the sender can. */
static bool retry_rel(struct calls *c, struct call *call,
		      const struct sip_msg *m)
{
	struct exch *ex = &call->ex;

	if (m->status != 421 || ex->rel.is_asked ||
	    !sip_msg_has_token(m, SIP_HDR_REQUIRE, "100rel"))
		return false;
	ex->rel.is_asked = true;
	return send_again(c, call,
			  slice_make(call->media.offer, call->media.offer_len));
}

/* The callee wants a longer session (RFC 4028 section 7.3): its own. */
static bool retry_longer(struct calls *c, struct call *call,
			 const struct sip_msg *m)
{
	struct exch *ex = &call->ex;

	if (ex->longer == RETRIES_MAX ||
	    !session_longer(c, &call->leg[!ex->from], m))
		return false;
	ex->longer++;
	return send_again(c, call,
			  slice_make(call->media.offer, call->media.offer_len));
}

/* Is there something we can do about the failure ourselves? */
static bool retry(struct calls *c, struct call *call, const struct sip_msg *m)
{
	struct exch *ex = &call->ex;

	if (!ex->raw || ex->is_settled || ex->rel.is_pending ||
	    sip_msg_parse(ex->raw, ex->raw_len, &c->msg, NULL) != 0)
		return false;
	return retry_plain(c, call, m->status) || retry_rel(c, call, m) ||
	       retry_longer(c, call, m);
}

unsigned exch_status(const struct call *call, enum side from, unsigned status)
{
	if (status != 401 && status != 407)
		return status;
	if (from == SIDE_CORE)
		return 403; /* nobody answers a phone's challenge */
	return call->pass_auth ? status : 502;
}

void exch_abort(struct calls *c, struct call *call)
{
	struct exch *ex = &call->ex;

	ex->is_on = false;
	if (ex->is_settled)
		return; /* what is pending now is an UPDATE's */
	if (ex->has_answer)
		offer_settle(c, call);
	else
		offer_abort(c, call);
}

static void on_failure(struct calls *c, struct call *call,
		       const struct sip_msg *m)
{
	struct exch *ex = &call->ex;
	unsigned status = exch_status(call, ex->from, m->status);
	struct media_refusal no = {488, "SRTP required by policy"};
	bool is_over = m->status == 408 || m->status == 481;
	char reason[16];
	struct writer w;

	writer_init(&w, reason, sizeof(reason) - 1);
	writer_str(&w, "status ");
	writer_dec(&w, m->status);
	reason[w.len] = '\0';

	if (call->state == CALL_CANCELLING) {
		call_free(c, call, NULL);
		return;
	}
	if (!ex->is_on || ex->is_answered)
		return;
	if (retry(c, call, m))
		return;
	if (status != m->status)
		invite_refuse(c, call, status, "", "");
	else if (ex->is_initial && ex->from == SIDE_CORE &&
		 call->policy.media == MEDIA_SRTP_REQUIRE && status == 488)
		invite_refuse_media(c, call, &no);
	else if (ex->kind == EXCH_UPDATE && ex->is_cancelled)
		invite_refuse(c, call, 504, "", "");
	else if (ex->kind != EXCH_OWN)
		(void)pass_on(c, call, m, SLICE_NULL, false); /* c->err tells */
	exch_abort(c, call);
	deadline_clear(c, call, DEADLINE_RING);
	if (ex->is_initial)
		call_free(c, call, reason);
	else if (is_over) /* RFC 3261 section 12.2.1.2, RFC 5057 */
		call_end(c, call,
			 m->status == 481 ? &call->leg[!ex->from] : NULL, 0,
			 "re-INVITE found no dialog");
	else if (ex->kind == EXCH_OWN)
		renew_failed(c, &call->leg[!ex->from], m);
}

void invite_response(struct calls *c, struct call *call,
		     const struct sip_msg *m)
{
	c->cookie = handle_u64(call->obj.self);
	call->ex.has_left = true;
	if (m->status >= 300)
		on_failure(c, call, m);
	else if (m->status >= 200)
		on_success(c, call, m);
	else if (call->ex.is_on || call->state == CALL_CANCELLING)
		on_provisional(c, call, m);
}

/*
 * What was agreed with it died with the process that sent the INVITE, so the
 * peer is told again where media stand. A 2xx whose ACK is still to come from
 * the other side waits for that.
 */
void invite_stray(struct calls *c, struct leg *leg, struct handle invite,
		  const struct sip_msg *m)
{
	struct call *call = leg->call;
	const struct exch *ex = &call->ex;

	c->cookie = handle_u64(call->obj.self);
	if (ex->is_on && ex->from != leg->side && ex->cseq_out == m->cseq)
		return;
	if (leg_ack_again(c, leg, m))
		return;
	leg_ack(c, leg, invite, m->cseq, SLICE_NULL);
	renew_want(c, leg, 0);
}

/* The answer to an offer that the 2xx made. False: the call is over. */
static bool late_answer(struct calls *c, struct call *call,
			const struct sip_msg *m, struct slice *ret_body)
{
	struct exch *ex = &call->ex;
	struct media_refusal no = {488, "no answer in ACK"};

	if (msg_has_sdp(m) &&
	    offer_answer(c, call, ex->from, m->body, ret_body, &no)) {
		offer_settle(c, call);
		ex->is_settled = true;
		return true;
	}
	ex->is_on = false;
	leg_ack(c, &call->leg[!ex->from], ex->client, ex->cseq_out, SLICE_NULL);
	call_end(c, call, NULL, 0, no.why);
	return false;
}

void invite_ack(struct calls *c, struct leg *leg, const struct sip_msg *m)
{
	struct call *call = leg->call;
	struct exch *ex = &call->ex;
	struct slice body = SLICE_NULL;

	if (!ex->is_on || !ex->is_answered || ex->from != leg->side ||
	    m->cseq != ex->cseq_in)
		return; /* repeated, or of an exchange that is over */
	c->cookie = handle_u64(call->obj.self);
	history_message(c, call, leg->side, m);
	sip_txn_acked(c->txns, ex->reply.txn, c->now_ms);
	if (!ex->is_settled && !ex->is_offered && call->media.is_pending &&
	    !late_answer(c, call, m, &body))
		return;
	leg_ack(c, &call->leg[!ex->from], ex->client, ex->cseq_out, body);
	ex->is_on = false;
	if (ex->is_unheard) /* he is asked for his media */
		renew_want(c, &call->leg[!ex->from], 0);
	if (call->answer_ms == 0) {
		call->answer_ms = c->now_ms;
		record_call(c, RECORD_CALL_ANSWER, call, NULL);
	}
	security_update(c, call);
}

/* CANCEL from the sender. A new call is over for it at once; a re-INVITE's
 * fate is the callee's to decide, so that both sides agree about media. */
void invite_cancel(struct calls *c, struct call *call)
{
	struct exch *ex = &call->ex;

	if (ex->is_answered)
		return; /* too late, RFC 3261 section 9.2 */
	c->cookie = handle_u64(call->obj.self);
	if (ex->is_initial)
		call_end(c, call, NULL, 487, "cancelled");
	else if (!invite_cancel_out(c, call))
		client_failed(c, call, SIP_TXN_FAIL_TIMEOUT);
}

static void client_failed(struct calls *c, struct call *call,
			  enum sip_txn_fail why)
{
	struct exch *ex = &call->ex;
	bool to_phone = ex->from == SIDE_CORE;
	unsigned status = to_phone ? 408 : 504;

	if (call->state == CALL_CANCELLING) {
		call_free(c, call, NULL);
		return;
	}
	if (!ex->is_on || ex->is_answered)
		return;
	if (why == SIP_TXN_FAIL_TRANSPORT)
		status = to_phone ? 480 : 503;
	invite_refuse(c, call, ex->is_cancelled ? 487 : status, "", "");
	deadline_clear(c, call, DEADLINE_RING);
	if (ex->is_initial) {
		call_free(c, call, "no answer");
	} else if (ex->is_cancelled && ex->has_provisional) {
		/* RFC 3261 section 9.1: it counts as cancelled, and the call
		 * is what it was. */
		exch_abort(c, call);
	} else {
		call_end(c, call, NULL, 0, "re-INVITE timed out");
	}
}

void invite_unanswered(struct calls *c, struct call *call)
{
	if (call->ex.is_initial)
		call_end(c, call, NULL, 408, "nobody answered");
	else if (!invite_cancel_out(c, call))
		client_failed(c, call, SIP_TXN_FAIL_TIMEOUT);
}

void invite_failed(struct calls *c, struct call *call, bool is_client,
		   enum sip_txn_fail why)
{
	if (!call)
		return;
	c->cookie = handle_u64(call->obj.self);
	if (is_client)
		client_failed(c, call, why);
	else if (call->ex.is_on && call->ex.is_answered)
		call_end(c, call, NULL, 0, "no ACK");
}
