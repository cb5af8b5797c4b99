/*
 * Two phones of the same call manager: the far end of one's stream is the
 * inside port of the other's. Then each is told the other's sending key where
 * their suites allow, so that the relay need not open what passes (RFC 4568
 * leaves to who makes an offer or answer whose keys are in it). And what the
 * media process tells about flows: silence, and far ends that another worker
 * looks after.
 */
#include "b2bua/sccp.h"

#include "base/secret.h"

/* The stream whose inside port is a, of a call other than self. */
static const struct stream *find_far(const struct calls *c,
				     const struct call *self,
				     const struct addr *a,
				     const struct call **ret_call)
{
	const struct call *far;
	uint64_t owner;

	owner = stream_port_owner(c, a);
	far = owner ? call_find(c, owner) : NULL;
	if (!far || far == self)
		return NULL;
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *s = &far->media.stream[i];

		if (!s->has_flows || s->port[SIDE_CORE] != a->port)
			continue;
		*ret_call = far;
		return s;
	}
	return NULL;
}

/* Where the call manager wants what the phone of s says. */
static const struct addr *core_addr(const struct stream *s)
{
	return s->is_offered ? &s->next[SIDE_CORE].rtp
			     : &s->flow[SIDE_CORE].remote;
}

const struct call *join_stream_call(const struct calls *c,
				    const struct call *call,
				    const struct stream *s)
{
	const struct call *far = NULL;

	return find_far(c, call, core_addr(s), &far) ? far : NULL;
}

struct call *join_call(const struct calls *c, const struct call *call)
{
	const struct call *far;

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *s = &call->media.stream[i];

		if (s->has_flows && find_far(c, call, core_addr(s), &far))
			return call_find(c, handle_u64(far->obj.self));
	}
	return NULL;
}

/*
 * A stream's roll-over counter is not in its packets: who is told the key in the
 * midst of it begins at 0 and hears nothing (RFC 3711 section 3.3.1). Who has the
 * key already has counted along.
 */
static bool can_follow(const struct stream *s, const struct flow_key *k,
		       bool has_rolled)
{
	const struct flow *f = &s->flow[SIDE_CORE];

	return !has_rolled ||
	       (s->has_flows && f->is_borrowed && flow_key_eq(k, &f->out));
}

/* The key that the phone of s sends under, or would send under if this suite
 * were chosen; NULL: none, or not one that another phone can use as it is. */
static const struct flow_key *
sending_key(const struct call *call, const struct stream *s, enum suite suite)
{
	const struct flow_key *k = &s->flow[SIDE_PHONE].in;

	if (s->is_offered && s->decided.kind == ANSWER_SRTP)
		k = &s->decided.peer.key;
	if (s->is_offered && call->media.offerer == SIDE_PHONE && !s->is_told)
		for (size_t i = 0; i < s->theirs.count; i++)
			if (s->theirs.line[i].key.suite == suite)
				k = &s->theirs.line[i].key;
	return k->suite == suite && k->mki_len == 0 ? k : NULL;
}

/* Two phones that change their keys with every answer would never come to an
 * end: after some offers of our own they get keys of ours only. */
static bool may_borrow(const struct calls *c, const struct call *call)
{
	return c->p.end_to_end && call->join_offers <= JOIN_OFFERS_MAX;
}

/* What another worker's phone at address far, the far end of s, sends under, as
 * the media process tells; NULL: it does not, or nothing that another phone can
 * use. */
static const struct flow_key *told_key(const struct stream *s,
				       const struct addr *far_addr)
{
	return s->far.is_joined && s->far.key.mki_len == 0 &&
			       can_follow(s, &s->far.key, s->far.is_rolled) &&
			       addr_eq(far_addr, &s->flow[SIDE_CORE].remote)
		       ? &s->far.key
		       : NULL;
}

/* What the phone at address far, the far end of s, sends under with this
 * suite; NULL: nobody of ours, or nothing that another phone can use. */
static const struct flow_key *
far_key(const struct calls *c, const struct call *call, const struct stream *s,
	const struct addr *far_addr, enum suite suite)
{
	const struct call *far_call = NULL;
	const struct stream *far = find_far(c, call, far_addr, &far_call);
	const struct flow_key *k;

	if (far) {
		bool has_rolled;

		k = sending_key(far_call, far, suite);
		has_rolled = k && far->is_rolled &&
			     flow_key_eq(k, &far->flow[SIDE_PHONE].in);
		return k && can_follow(s, k, has_rolled) ? k : NULL;
	}
	k = told_key(s, far_addr);
	return k && k->suite == suite ? k : NULL;
}

/* The lines in bits come first; tags are numbered anew. */
static void bring_forward(struct answer_offer *o, uint32_t bits)
{
	struct answer_offer old = *o;
	size_t n = 0;

	for (int pass = 1; pass >= 0; pass--)
		for (size_t i = 0; i < old.count; i++)
			if ((int)(bits >> i & 1) == pass)
				o->line[n++] = old.line[i];
	for (size_t i = 0; i < n; i++)
		o->line[i].tag = (uint32_t)i + 1;
	answer_offer_wipe(&old);
}

/* On hold as RFC 2543 said it, without an address, there is no far end; the
 * one that will be back is expected to be the same. */
static bool keeps_borrowed(const struct stream *s, const struct addr *far,
			   enum suite suite)
{
	const struct flow *f = &s->flow[SIDE_CORE];

	return addr_is_any(far) && s->has_flows && f->is_borrowed &&
	       f->out.suite == suite;
}

/* A Skinny phone is at far: it has one suite, and is given no other. If the
 * phone takes that too, each can be told the other's key later. */
static void suit_skinny(const struct calls *c, struct stream *s,
			const struct addr *far)
{
	enum suite suite;

	if (!sccp_suite_at(c, far, &suite))
		return;
	for (size_t i = 0; i < s->offer.count; i++)
		if (s->offer.line[i].key.suite == suite) {
			bring_forward(&s->offer, 1u << i);
			return;
		}
}

void join_offer(struct calls *c, const struct call *call, struct stream *s,
		const struct addr *far_addr)
{
	uint32_t bits = 0;

	if (s->offer.count == 1 &&
	    keeps_borrowed(s, far_addr, s->offer.line[0].key.suite)) {
		s->offer.line[0].key = s->flow[SIDE_CORE].out;
		s->offer_borrowed = 1u << s->offer.line[0].tag;
	}
	if (!may_borrow(c, call))
		return;
	for (size_t i = 0; i < s->offer.count; i++) {
		struct flow_key *k = &s->offer.line[i].key;
		const struct flow_key *theirs =
			far_key(c, call, s, far_addr, k->suite);

		if (!theirs)
			continue;
		*k = *theirs;
		bits |= 1u << i;
	}
	if (bits == 0) {
		suit_skinny(c, s, far_addr);
		return;
	}
	bring_forward(&s->offer, bits);
	for (; bits; bits &= bits - 1) /* tags count from 1 */
		s->offer_borrowed = s->offer_borrowed << 1 | 2;
}

void join_answer(struct calls *c, const struct call *call, struct stream *s)
{
	const struct addr *far = &s->next[SIDE_CORE].rtp;

	if (s->decided.kind != ANSWER_SRTP)
		return;
	for (size_t i = 0; may_borrow(c, call) && i < s->theirs.count; i++) {
		const struct crypto_line *line = &s->theirs.line[i];
		const struct flow_key *k =
			far_key(c, call, s, far, line->key.suite);

		if (!k)
			continue;
		s->decided.peer = *line;
		s->decided.own =
			(struct crypto_line){.tag = line->tag, .key = *k};
		s->is_borrowed = true;
		return;
	}
	if (keeps_borrowed(s, &s->next[SIDE_CORE].rtp,
			   s->decided.peer.key.suite)) {
		s->decided.own.key = s->flow[SIDE_CORE].out;
		s->is_borrowed = true;
		return;
	}
	/* An earlier answer in this exchange may have had another far end. */
	if (s->is_borrowed)
		answer_key(s->decided.peer.key.suite, &c->p.entropy,
			   &s->decided.own.key);
	s->is_borrowed = false;
}

/* The key that the phone of s hears its far end under is that phone's. */
static bool is_right(const struct stream *s, const struct flow_key *far)
{
	return far && flow_key_eq(far, &s->flow[SIDE_CORE].out);
}

/* Must the phone of s be told another key, or could it be told a better one? */
static bool needs_key(const struct calls *c, const struct call *call,
		      const struct stream *s)
{
	const struct flow *f = &s->flow[SIDE_CORE];
	const struct flow_key *k;

	/* Without a far end, on hold, the last one is expected back. */
	if (!s->has_flows || !s->is_agreed || !s->is_srtp ||
	    f->remote.family == ADDR_NONE)
		return false;
	k = far_key(c, call, s, &f->remote, f->out.suite);
	return f->is_borrowed ? !is_right(s, k) : k && may_borrow(c, call);
}

static void review(struct calls *c, struct call *call, uint64_t wait_ms)
{
	struct leg *leg = &call->leg[SIDE_PHONE];
	bool is_any = false;

	for (size_t i = 0; i < STREAMS_MAX; i++)
		is_any |= needs_key(c, call, &call->media.stream[i]);
	if (!is_any || call->state != CALL_UP || leg->wants_renew)
		return;
	call->join_offers++;
	renew_want(c, leg, wait_ms);
}

void join_review(struct calls *c, struct call *call)
{
	review(c, call, JOIN_PEACE_MS);
}

void join_again(struct calls *c, struct call *call, uint64_t wait_ms)
{
	/* Not even one with a key of ours was taken. */
	if (call->join_offers <= JOIN_OFFERS_MAX)
		review(c, call, wait_ms);
}

/* Does what the phone of a says reach that of b unopened? */
static bool passes(const struct stream *a, const struct stream *b)
{
	return b->flow[SIDE_CORE].is_borrowed &&
	       flow_key_eq(&a->flow[SIDE_PHONE].in, &b->flow[SIDE_CORE].out);
}

static bool stream_is_end_to_end(const struct calls *c, const struct call *call,
				 const struct stream *s)
{
	const struct call *far_call;
	const struct stream *far = find_far(c, call, core_addr(s), &far_call);

	if (far)
		return passes(s, far) && passes(far, s);
	/* What another worker gave its phone we cannot see; that it gave us
	 * the key, and we gave it on, we can. */
	return s->far.is_joined && s->flow[SIDE_CORE].is_borrowed &&
	       flow_key_eq(&s->far.key, &s->flow[SIDE_CORE].out);
}

bool join_is_end_to_end(const struct calls *c, const struct call *call)
{
	bool is_any = false;

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *s = &call->media.stream[i];

		if (!s->has_flows || !s->is_audio)
			continue;
		if (!stream_is_end_to_end(c, call, s))
			return false;
		is_any = true;
	}
	return is_any;
}

/* The stream a flow belongs to, and its side. */
static struct stream *stream_of_flow(struct call *call, uint64_t flow,
				     enum side *ret_side)
{
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &call->media.stream[i];

		for (int side = 0; s->has_flows && side < 2; side++) {
			if (s->flow[side].id != flow)
				continue;
			*ret_side = (enum side)side;
			return s;
		}
	}
	return NULL;
}

/* A call is dead when nothing comes from anywhere; one who listens, or whose
 * phone sends nothing while he is silent, is not. What is on hold does not
 * count. */
static bool is_silent(const struct call *call)
{
	bool is_any = false;

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *s = &call->media.stream[i];

		for (int side = 0; s->has_flows && side < 2; side++) {
			if (s->flow[side].idle_ms == 0)
				continue;
			if (!s->is_idle[side])
				return false;
			is_any = true;
		}
	}
	return is_any;
}

static void set_far(struct calls *c, struct call *call, struct stream *s,
		    const struct event_flow *f)
{
	secret_wipe(&s->far, sizeof(s->far));
	if (f) {
		s->far.is_joined = true;
		s->far.security = f->security;
		s->far.is_rolled = f->is_rolled;
		if (f->key)
			s->far.key = *f->key;
	}
	c->cookie = handle_u64(call->obj.self);
	security_update(c, call);
}

void flow_event(struct calls *c, struct call *call, const struct event *ev)
{
	enum side side;
	struct stream *s = stream_of_flow(call, ev->flow.flow, &side);

	if (!s)
		return;
	switch (ev->kind) {
	case EVENT_FLOW_FAILED:
		call_media_lost(c, call, ev->flow.flow, false);
		break;
	case EVENT_FLOW_IDLE:
		s->is_idle[side] = true;
		if (is_silent(call))
			call_media_lost(c, call, ev->flow.flow, true);
		break;
	case EVENT_FLOW_ACTIVE:
		s->is_idle[side] = false;
		break;
	case EVENT_FLOW_ROLLED:
		s->is_rolled |= side == SIDE_PHONE;
		break;
	case EVENT_FLOW_JOINED:
		set_far(c, call, s, &ev->flow);
		break;
	case EVENT_FLOW_PARTED:
		set_far(c, call, s, NULL);
		break;
	case EVENT_CONN_DOWN:
	case EVENT_SIP:
	case EVENT_SCCP:
	case EVENT_SCCP_LINK:
	case EVENT_TIMER:
	case EVENT_FLOW_LATCHED:
	case EVENT_CORE:
	case EVENT_TRUNK:
	case EVENT_AUTH:
	case EVENT_ARRIVED:
	case EVENT_CALL_DROP:
	case EVENT_BINDING:
		break;
	}
}

void calls_media_new(struct calls *c)
{
	struct obj *o;
	uint32_t i = 0;

	while ((o = slots_next(&c->objs, &i))) {
		struct call *call;

		if (o->kind == OBJ_SCCP)
			sccp_media_new(LIST_ENTRY(o, struct sccp_phone, obj));
		if (o->kind != OBJ_CALL)
			continue;
		call = LIST_ENTRY(o, struct call, obj);
		for (size_t k = 0; k < STREAMS_MAX; k++)
			memset(call->media.stream[k].is_idle, 0,
			       sizeof(call->media.stream[k].is_idle));
	}
}
