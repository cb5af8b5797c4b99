/*
 * Re-INVITEs that no INVITE of the other side caused: a session refresh or a
 * word about security to a peer without UPDATE, which repeat what the other
 * side said last; and an UPDATE of the other side for such a peer. Their 2xx
 * is acknowledged here at once.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "base/text.h"

enum { BUSY_MS = 500, AGAIN_MS = 1000, AGAIN_MAX_S = 60 };

/* RFC 3261 section 14.1: who made the Call-ID waits longer, so that the two
 * do not meet again. */
uint64_t glare_wait_ms(struct calls *c, const struct leg *leg)
{
	uint32_t r = entropy_u32(&c->p.entropy);

	return leg->is_uac ? 2100 + r % 191 * 10 : r % 201 * 10;
}

void renew_want(struct calls *c, struct leg *leg, uint64_t wait_ms)
{
	leg->wants_renew = true;
	deadline_set(c, leg->call, DEADLINE_RENEW, c->now_ms + wait_ms);
}

static int send_invite(struct calls *c, struct leg *leg, struct slice body)
{
	struct sip_out_request q = {.method = SLICE("INVITE"), .body = body};
	uint8_t buf[256];
	struct writer w;

	q.type = (struct slice)SLICE("application/sdp");
	writer_init(&w, buf, sizeof(buf));
	if (leg->side == SIDE_PHONE)
		security_line(c, leg->call, &w);
	q.extra = writer_slice(&w);
	return exch_send(c, leg->call, &q);
}

static void begin(struct calls *c, struct leg *leg)
{
	struct call *call = leg->call;
	struct exch *ex = &call->ex;
	const struct leg *other = &call->leg[!leg->side];
	struct media_refusal no;
	struct slice body;

	leg->wants_renew = false;
	if (!other->said ||
	    !offer_make(c, call, other->side,
			slice_make(other->said, other->said_len), &body, &no))
		return;
	exch_done(ex);
	ex->kind = EXCH_OWN;
	ex->is_on = true;
	ex->from = other->side;
	ex->has_offer = true;
	history_add(c, call,
		    &(struct history_item){.what = HISTORY_OWN,
					   .side = leg->side,
					   .method = SIP_METHOD_INVITE});
	deadline_set(c, call, DEADLINE_RING, c->now_ms + RING_MS);
	if (send_invite(c, leg, body) == 0)
		return;
	exch_abort(c, call);
	deadline_clear(c, call, DEADLINE_RING);
	renew_want(c, leg, AGAIN_MS);
}

void renew_due(struct calls *c, struct call *call)
{
	for (int side = 0; side < 2; side++) {
		struct leg *leg = &call->leg[side];

		if (!leg->wants_renew || call->state != CALL_UP)
			continue;
		if (call->ex.is_on || call->media.is_pending)
			renew_want(c, leg, BUSY_MS);
		else if (leg_is_away(leg))
			renew_want(c, leg, AGAIN_MS);
		else
			begin(c, leg);
	}
}

/* Refused for what the phone is about just now, not for what was offered. */
static bool is_for_now(unsigned status)
{
	return status == 480 || status == 486 || status == 600 ||
	       status / 100 == 5;
}

static uint64_t again_ms(const struct sip_msg *m)
{
	struct slice value = text_trim(sip_msg_value(m, SIP_HDR_RETRY_AFTER));
	uint64_t wait_s = 0;
	size_t n = 0;

	/* A comment or parameters may follow (RFC 3261 section 20.33). */
	while (n < value.len && text_is_digit(value.ptr[n]))
		n++;
	if (text_dec(slice_sub(value, 0, n), AGAIN_MAX_S, &wait_s) != 0)
		wait_s = n > 0 ? AGAIN_MAX_S : 0;
	return wait_s > 0 ? wait_s * 1000 : AGAIN_MS;
}

void renew_failed(struct calls *c, struct leg *leg, const struct sip_msg *m)
{
	/* 408 and 481 have ended the call. */
	if (m->status == 491)
		renew_want(c, leg, glare_wait_ms(c, leg));
	else if (session_longer(c, leg, m))
		renew_want(c, leg, 0);
	else if (leg->side == SIDE_PHONE && is_for_now(m->status))
		join_again(c, leg->call, again_ms(m));
}

void renew_update(struct calls *c, struct leg *leg, const struct event_sip *ev)
{
	struct call *call = leg->call;
	struct exch *ex = &call->ex;
	struct media_refusal no = {503, "limit"};
	struct slice body;
	bool is_ok;

	exch_done(ex);
	if (reply_open(c, ev, handle_u64(call->obj.self), SLICE_NULL,
		       &ex->reply) != 0) {
		sip_refuse(c, ev, 503, "transaction limit",
			   "Retry-After: 5\r\n");
		return;
	}
	ex->kind = EXCH_UPDATE;
	ex->is_on = true;
	ex->from = leg->side;
	session_read(&ex->ask, ev->msg);
	is_ok = offer_make(c, call, leg->side, ev->msg->body, &body, &no);
	ex->has_offer = is_ok;
	/* The sender of an UPDATE does not wait as long as that of an INVITE:
	 * as with other requests, 48*T1. */
	deadline_set(c, call, DEADLINE_RING,
		     c->now_ms + (uint64_t)c->p.t1_ms * 48);
	if (is_ok && invite_forward(c, call, ev->msg, body) == 0)
		return;
	record_refused(c, ev, no.why);
	invite_refuse_media(c, call, &no);
	if (is_ok)
		exch_abort(c, call);
	deadline_clear(c, call, DEADLINE_RING);
}
