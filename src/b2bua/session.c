/*
 * Session timers (RFC 4028), on each leg for itself: what a peer asks for is
 * granted, we ask in every INVITE and UPDATE of ours, and refresh where the
 * peer does not. A session that nobody refreshed in time ends the call.
 */
#include "b2bua/machine.h"

#include "base/text.h"
#include "sip/hdr.h"

enum { SE_LEAST_S = 90, AGAIN_MS = 10000 };

/* Session-Expires and Min-SE: seconds, then parameters. 0 when m has none. */
static uint32_t seconds(struct slice value, struct slice *ret_params)
{
	struct slice head;
	uint64_t v;

	text_cut(value, ';', &head, ret_params);
	if (text_dec(text_trim(head), INT32_MAX, &v) != 0)
		return 0;
	return (uint32_t)v;
}

static uint32_t min_se(const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_msg_find_name(m, "Min-SE");
	struct slice params;

	return h ? seconds(h->value, &params) : 0;
}

void session_read(struct session_ask *ask, const struct sip_msg *m)
{
	struct slice params = SLICE_NULL;
	struct slice who = SLICE_NULL;

	*ask = (struct session_ask){
		.interval_s = seconds(sip_msg_value(m, SIP_HDR_SESSION_EXPIRES),
				      &params),
		.min_s = min_se(m),
		.is_supported =
			sip_msg_has_token(m, SIP_HDR_SUPPORTED, "timer") ||
			sip_msg_has_token(m, SIP_HDR_REQUIRE, "timer"),
	};
	(void)sip_param(params, "refresher", &who);
	ask->names_uac = text_ieqs(who, "uac");
	ask->names_uas = text_ieqs(who, "uas");
}

bool session_refuse(struct calls *c, const struct event_sip *ev)
{
	struct session_ask ask;
	char extra[64];
	struct writer w;

	session_read(&ask, ev->msg);
	if (c->p.session_s == 0 || !ask.is_supported || ask.interval_s == 0 ||
	    ask.interval_s >= c->p.session_min_s)
		return false;
	writer_init(&w, extra, sizeof(extra) - 1);
	writer_str(&w, "Min-SE: ");
	writer_dec(&w, c->p.session_min_s);
	writer_str(&w, "\r\n");
	extra[w.len] = '\0';
	sip_refuse(c, ev, 422, "session interval too small", extra);
	return true;
}

static uint32_t most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static enum call_deadline deadline_of(const struct leg *leg)
{
	return leg->side == SIDE_PHONE ? DEADLINE_SESSION_PHONE
				       : DEADLINE_SESSION_CORE;
}

/* Section 10: the last moment is a third of the interval, at most 32 s,
 * before its end. */
static uint64_t end_ms(const struct session *s)
{
	uint32_t spare_s = s->interval_s / 3 < 32 ? s->interval_s / 3 : 32;

	return s->start_ms + (uint64_t)(s->interval_s - spare_s) * 1000;
}

/* Section 10: whoever refreshes does so after half of it. */
static uint64_t half_ms(const struct session *s)
{
	return (uint64_t)s->interval_s * 500;
}

static void begin(struct calls *c, struct leg *leg, uint32_t interval_s,
		  bool is_ours)
{
	struct session *s = &leg->session;

	s->interval_s = most(interval_s, SE_LEAST_S);
	s->is_ours = is_ours;
	s->start_ms = c->now_ms;
	deadline_set(c, leg->call, deadline_of(leg),
		     is_ours ? c->now_ms + half_ms(s) : end_ms(s));
}

void session_grant(struct calls *c, struct leg *leg,
		   const struct session_ask *ask, struct writer *w)
{
	uint32_t interval_s = most(c->p.session_s, ask->min_s);
	bool is_ours = !ask->is_supported || ask->names_uas;

	if (c->p.session_s == 0)
		return;
	/* Section 9: shorter than asked for, never longer. */
	if (ask->interval_s != 0 && ask->interval_s < interval_s)
		interval_s = most(ask->interval_s, c->p.session_min_s);
	writer_str(w, "Session-Expires: ");
	writer_dec(w, most(interval_s, SE_LEAST_S));
	writer_str(w, is_ours ? ";refresher=uas\r\n" : ";refresher=uac\r\n");
	if (ask->is_supported)
		writer_str(w, "Require: timer\r\n");
	begin(c, leg, interval_s, is_ours);
}

void session_ask_for(const struct calls *c, const struct leg *leg,
		     struct writer *w)
{
	const struct session *s = &leg->session;
	uint32_t min_s = most(s->min_s, c->p.session_min_s);

	if (c->p.session_s == 0)
		return;
	writer_str(w, "Supported: timer\r\nSession-Expires: ");
	writer_dec(w,
		   most(s->interval_s ? s->interval_s : c->p.session_s, min_s));
	/* Section 7.4: who refreshes stays who does. */
	if (s->interval_s != 0)
		writer_str(w, s->is_ours ? ";refresher=uac" : ";refresher=uas");
	writer_str(w, "\r\n");
	if (min_s > SE_LEAST_S) {
		writer_str(w, "Min-SE: ");
		writer_dec(w, min_s);
		writer_str(w, "\r\n");
	}
}

void session_learn(struct calls *c, struct leg *leg, const struct sip_msg *m)
{
	struct session_ask ask;

	if (c->p.session_s == 0)
		return;
	session_read(&ask, m);
	/* Section 7.2: without a word of it the peer has no session timer,
	 * and we refresh for both. */
	if (ask.interval_s == 0)
		begin(c, leg, most(c->p.session_s, leg->session.min_s), true);
	else
		begin(c, leg, ask.interval_s, !ask.names_uas);
}

bool session_longer(const struct calls *c, struct leg *leg,
		    const struct sip_msg *m)
{
	struct session *s = &leg->session;
	uint32_t min_s = min_se(m);
	uint32_t now_s =
		most(s->interval_s ? s->interval_s : c->p.session_s, s->min_s);

	if (m->status != 422 || c->p.session_s == 0 || min_s <= now_s)
		return false;
	s->min_s = min_s;
	return true;
}

void session_again(struct calls *c, struct leg *leg, uint64_t wait_ms)
{
	uint64_t at = c->now_ms + wait_ms;
	uint64_t end = end_ms(&leg->session);

	/* What the peer refreshes is not ours to hurry. */
	if (leg->session.interval_s != 0 && leg->session.is_ours)
		deadline_set(c, leg->call, deadline_of(leg),
			     at < end ? at : end);
}

uint64_t session_successor_ms(const struct leg *leg)
{
	const struct session *s = &leg->session;

	if (s->interval_s == 0)
		return UINT64_MAX;
	return s->is_ours ? s->start_ms + half_ms(s) : end_ms(s);
}

void session_due(struct calls *c, struct leg *leg)
{
	const struct session *s = &leg->session;

	if (!s->is_ours || c->now_ms >= end_ms(s)) {
		call_end(c, leg->call, NULL, 0, "session expired");
		return;
	}
	deadline_set(c, leg->call, deadline_of(leg), end_ms(s));
	if (leg->allows_update)
		update_own(c, leg, SLICE_NULL);
	else
		renew_want(c, leg, 0);
}

void session_refused(struct calls *c, struct leg *leg, const struct sip_msg *m)
{
	switch (m->status) {
	case 408:
	case 481: /* section 10 */
		call_end(c, leg->call, m->status == 481 ? leg : NULL, 0,
			 "session refresh found no dialog");
		break;
	case 405:
	case 420:
	case 501: /* it does not do UPDATE after all */
		leg->allows_update = false;
		renew_want(c, leg, 0);
		break;
	case 422:
		session_again(c, leg, session_longer(c, leg, m) ? 0 : AGAIN_MS);
		break;
	case 491:
		session_again(c, leg, glare_wait_ms(c, leg));
		break;
	default:
		session_again(c, leg, AGAIN_MS);
		break;
	}
}
