/*
 * Reliable provisional responses (RFC 3262). Each leg has its own: towards the
 * sender of the INVITE we number them, repeat them and await PRACK; from the
 * callee we take them in order. Where both can do it, the sender's PRACK goes
 * on to the callee, with the offer or answer it carries. Where only the sender
 * wants it, we stand in for the callee; where only the callee does it, for the
 * sender.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "base/text.h"

enum { RSEQ_MAX = 0x7fffffff };

void rel_begin(struct rel *rel, const struct sip_msg *invite)
{
	rel->is_required = sip_msg_has_token(invite, SIP_HDR_REQUIRE, "100rel");
	rel->is_supported =
		rel->is_required ||
		sip_msg_has_token(invite, SIP_HDR_SUPPORTED, "100rel");
	rel->is_asked = rel->is_supported;
}

void rel_done(struct rel *rel)
{
	rel->bytes = calls_wipe(rel->bytes, rel->len);
	rel->len = 0;
	rel_drop(rel);
	rel->is_pending = false;
}

void rel_drop(struct rel *rel)
{
	rel->held = calls_wipe(rel->held, rel->held_len);
	rel->held_len = 0;
}

/* The number of a provisional that was sent reliably; 0: it was not. */
static uint32_t rseq_of(const struct sip_msg *m)
{
	uint64_t v;

	if (!sip_msg_has_token(m, SIP_HDR_REQUIRE, "100rel") ||
	    text_dec(sip_msg_value(m, SIP_HDR_RSEQ), UINT32_MAX, &v) != 0)
		return 0;
	return (uint32_t)v;
}

enum rel_way rel_judge(const struct exch *ex, const struct fork *f,
		       const struct sip_msg *m, uint32_t *ret_rseq)
{
	const struct rel *rel = &ex->rel;
	uint32_t rseq = rseq_of(m);

	/* Section 4: one repeated or out of order is no business of ours; the
	 * callee repeats what is missing. */
	if (rseq != 0 && f->rseq != 0 && rseq != f->rseq + 1)
		return REL_DROP;
	*ret_rseq = rseq;
	if (!rel->is_supported || (rseq == 0 && !rel->is_required))
		return REL_PLAIN;
	if (!rel->is_pending)
		return REL_RELIABLE;
	/* Section 3: one at a time. A reliable one will come again. */
	return rseq != 0 ? REL_DROP : REL_HOLD;
}

void rel_hold(struct calls *c, struct rel *rel, const struct sip_msg *m)
{
	uint8_t *raw = alloc_copy(m->raw);

	if (!raw) {
		c->err = ERR_NOMEM;
		return;
	}
	calls_wipe(rel->held, rel->held_len);
	rel->held = raw;
	rel->held_len = m->raw.len;
}

void rel_print(struct calls *c, struct writer *w, struct rel *rel)
{
	/* Section 3: the first number is random, each next one higher by 1. */
	if (rel->rseq == 0)
		rel->rseq = 1 + entropy_u32(&c->p.entropy) % (RSEQ_MAX / 2);
	else
		rel->rseq++;
	writer_str(w, "Require: 100rel\r\nRSeq: ");
	writer_dec(w, rel->rseq);
	writer_str(w, "\r\n");
}

void rel_sent(struct calls *c, struct call *call)
{
	struct rel *rel = &call->ex.rel;

	c->early.reliable++;
	rel->is_pending = true;
	rel->interval_ms = c->p.t1_ms;
	rel->end_ms = c->now_ms + (uint64_t)c->p.t1_ms * 64;
	deadline_set(c, call, DEADLINE_REL, c->now_ms + rel->interval_ms);
}

void rel_ack(struct calls *c, struct call *call, uint32_t rseq)
{
	struct exch *ex = &call->ex;
	uint8_t buf[64];
	struct writer w;
	struct handle txn;
	struct sip_out_request q = {.method = SLICE("PRACK")};

	writer_init(&w, buf, sizeof(buf));
	rel_print_rack(&w, ex, rseq);
	q.extra = writer_slice(&w);
	if (leg_request(c, &call->leg[!ex->from], SIP_METHOD_PRACK, &q, 0,
			&txn) != 0)
		c->err = ERR_NOMEM;
}

void rel_print_rack(struct writer *w, const struct exch *ex, uint32_t rseq)
{
	writer_str(w, "RAck: ");
	writer_dec(w, rseq);
	writer_str(w, " ");
	writer_dec(w, ex->cseq_out);
	writer_str(w, " INVITE\r\n");
}

void rel_stop(struct calls *c, struct call *call)
{
	struct rel *rel = &call->ex.rel;

	rel->bytes = calls_wipe(rel->bytes, rel->len);
	rel->len = 0;
	deadline_clear(c, call, DEADLINE_REL);
}

void rel_release(struct calls *c, struct call *call)
{
	struct rel *rel = &call->ex.rel;
	uint8_t *raw = rel->held;
	size_t len = rel->held_len;

	rel->held = NULL;
	rel->held_len = 0;
	if (raw && sip_msg_parse(raw, len, &c->msg, NULL) == 0)
		invite_response(c, call, &c->msg);
	calls_wipe(raw, len);
}

/* Section 3: after 64*T1 without PRACK the INVITE is refused. */
static void give_up(struct calls *c, struct call *call)
{
	struct exch *ex = &call->ex;

	c->early.reliable_failed++;
	ex->rel.is_pending = false;
	rel_stop(c, call);
	if (ex->is_initial)
		call_end(c, call, NULL, 504, "no PRACK");
	else
		invite_unanswered(c, call);
}

void rel_again(struct calls *c, struct call *call)
{
	struct rel *rel = &call->ex.rel;
	uint64_t at;

	if (c->now_ms >= rel->end_ms) {
		give_up(c, call);
		return;
	}
	calls_emit(c,
		   &(struct action){.kind = ACTION_SIP_SEND,
				    .call = c->cookie,
				    .dest = call->ex.reply.dest,
				    .bytes = slice_make(rel->bytes, rel->len)});
	c->early.reliable_again++;
	rel->interval_ms *= 2;
	at = c->now_ms + rel->interval_ms;
	deadline_set(c, call, DEADLINE_REL,
		     at < rel->end_ms ? at : rel->end_ms);
}

/* RAck: response number, CSeq number, method (section 7.2). */
static bool is_rack(const struct sip_msg *m, uint32_t rseq, uint32_t cseq)
{
	struct slice rest = sip_msg_value(m, SIP_HDR_RACK);
	struct slice a;
	struct slice b;
	uint64_t n;
	uint64_t s;

	text_cut(rest, ' ', &a, &rest);
	text_cut(text_trim(rest), ' ', &b, &rest);
	return text_dec(a, UINT32_MAX, &n) == 0 &&
	       text_dec(b, UINT32_MAX, &s) == 0 && n == rseq && s == cseq &&
	       slice_eqs(text_trim(rest), "INVITE");
}

void prack_request(struct calls *c, struct leg *leg, const struct event_sip *ev)
{
	struct call *call = leg->call;
	struct exch *ex = &call->ex;
	struct rel *rel = &ex->rel;
	uint64_t cookie = handle_u64(call->obj.self);

	/* Cancelled: the dialog is over, and nothing may begin in it. */
	if (call->state == CALL_CANCELLING || leg->side != ex->from ||
	    !rel->is_pending || !is_rack(ev->msg, rel->rseq, ex->cseq_in)) {
		sip_answer(c, ev, 481, "", "");
		return;
	}
	rel->is_pending = false;
	rel_stop(c, call);
	if (rel->has_sdp && !rel->is_offer && rel->fork && rel->fork->is_final)
		ex->has_answer = true;
	if (rel->rseq_in != 0)
		prack_pass(c, leg, ev);
	else if (msg_has_sdp(ev->msg))
		sip_answer(c, ev, 488, "", ""); /* there is nobody to ask */
	else
		sip_answer(c, ev, 200, "", "");
	call = call_find(c, cookie);
	if (call)
		rel_release(c, call);
}
