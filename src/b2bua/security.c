/*
 * What may be said about a call's security: computed from what is agreed on
 * each leg, never from what somebody claims. The state of a call is the least
 * of all its parties; whoever is not one of our phones is a plain endpoint
 * inside.
 */
#include "b2bua/machine.h"

#include "flow/flow.h"

const char *call_security_str(enum call_security s)
{
	switch (s) {
	case CALL_NONSECURE:
		break;
	case CALL_AUTHENTICATED:
		return "Authenticated";
	case CALL_ENCRYPTED:
		return "Encrypted";
	}
	return "NotAuthenticated";
}

/* SRTP agreed, or, while the answer is missing, offered, for all audio. With
 * is_agreed what is being offered does not count. */
static bool audio_is_srtp(const struct call *call, bool is_agreed)
{
	const struct media *m = &call->media;
	bool is_any = false;

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *s = &m->stream[i];
		bool is_srtp = s->is_srtp;

		if (!s->has_flows || (is_agreed && !s->is_agreed) ||
		    !(is_agreed ? s->was_audio : s->is_audio))
			continue;
		if (!is_agreed && m->is_pending && s->is_offered)
			is_srtp = s->decided.kind == ANSWER_SRTP ||
				  (s->decided.kind == ANSWER_OFF &&
				   s->offer.count > 0);
		if (!is_srtp)
			return false;
		is_any = true;
	}
	return is_any;
}

/* What is protected on the phone's or trunk's leg, whatever may be shown. */
static enum call_security own_state(const struct call *call, bool is_agreed)
{
	switch (call->sig) {
	case SIG_NONSECURE:
		break;
	case SIG_AUTHENTICATED:
		return CALL_AUTHENTICATED;
	case SIG_ENCRYPTED:
		return audio_is_srtp(call, is_agreed) ? CALL_ENCRYPTED
						      : CALL_AUTHENTICATED;
	}
	return CALL_NONSECURE;
}

static enum call_security showable(const struct call *call, bool is_agreed)
{
	enum call_security s = own_state(call, is_agreed);

	return s == CALL_ENCRYPTED && call->policy.no_lock ? CALL_AUTHENTICATED
							   : s;
}

enum call_security security_own(const struct call *call)
{
	return showable(call, false);
}

/* The least of the far ends of all audio: calls of ours, or what another worker
 * looks after, as the media process tells. */
static enum call_security far_state(const struct calls *c,
				    const struct call *call)
{
	enum call_security least = CALL_ENCRYPTED;
	bool is_any = false;

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *s = &call->media.stream[i];
		const struct call *far;
		enum call_security state = CALL_NONSECURE;

		if (!s->has_flows || !s->is_audio)
			continue;
		far = join_stream_call(c, call, s);
		if (far)
			state = security_own(far);
		else if (s->far.is_joined)
			state = (enum call_security)s->far.security;
		if (state < least)
			least = state;
		is_any = true;
	}
	return is_any ? least : CALL_NONSECURE;
}

enum call_security security_state(const struct calls *c,
				  const struct call *call)
{
	enum call_security own = security_own(call);
	enum call_security other = far_state(c, call);

	return own < other ? own : other;
}

/* What the phone is to show. */
static enum call_security to_show(const struct calls *c,
				  const struct call *call)
{
	return c->p.show_phone_leg ? security_own(call)
				   : security_state(c, call);
}

const char *security_show(struct calls *c, struct call *call)
{
	enum call_security state = to_show(c, call);
	const char *text = call_security_str(state);

	if (call->leg[SIDE_PHONE].trunk)
		return NULL; /* no phone: there is nothing to show it on */
	if (!call->is_shown || call->shown != state)
		history_add(c, call,
			    &(struct history_item){.what = HISTORY_SECURITY,
						   .text = text});
	call->shown = state;
	call->is_shown = true;
	return text;
}

void security_line(struct calls *c, struct call *call, struct writer *w)
{
	const char *state = security_show(c, call);

	if (!state)
		return;
	writer_str(w, "Call-Info: <urn:x-cisco-remotecc:callinfo>"
		      ";orientation=");
	writer_str(w, call->caller == SIDE_PHONE ? "to" : "from");
	writer_str(w, ";security=");
	writer_str(w, state);
	writer_str(w, "\r\n");
}

/* RFC 3311 lets an UPDATE without an offer go at any time. A phone without
 * UPDATE gets a re-INVITE. */
static void update_one(struct calls *c, struct call *call)
{
	struct leg *leg = &call->leg[SIDE_PHONE];
	uint64_t cookie = c->cookie;
	uint8_t buf[128];
	struct writer w;

	if (call->state != CALL_UP || call->ex.is_on || !leg->is_confirmed ||
	    !call->is_shown || call->shown == to_show(c, call))
		return;
	/* It is told when it is back. */
	if (leg_is_away(leg))
		return;
	if (!leg->allows_update) {
		renew_want(c, leg, 0);
		return;
	}
	writer_init(&w, buf, sizeof(buf));
	security_line(c, call, &w);
	c->cookie = handle_u64(call->obj.self);
	update_own(c, leg, writer_slice(&w));
	c->cookie = cookie;
}

/* The media process tells other workers, whose phones show what it says. A
 * first offer can only take away from what was told with its flows. */
static void tell_flows(struct calls *c, struct call *call)
{
	struct action a = {.kind = ACTION_FLOW_UPDATE,
			   .call = handle_u64(call->obj.self)};
	bool is_agreed = call->media.is_agreed;
	enum call_security state = showable(call, is_agreed);

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &call->media.stream[i];
		uint8_t *told = &s->flow[SIDE_CORE].security;

		if (!s->has_flows || *told == (uint8_t)state ||
		    (!is_agreed && *told < (uint8_t)state))
			continue;
		*told = (uint8_t)state;
		a.flow[0] = s->flow[SIDE_CORE];
		calls_emit(c, &a);
	}
	flow_wipe(&a.flow[0]);
}

void security_update(struct calls *c, struct call *call)
{
	struct call *far = join_call(c, call);

	tell_flows(c, call);
	update_one(c, call);
	join_review(c, call);
	if (!far)
		return;
	update_one(c, far);
	join_review(c, far);
}
