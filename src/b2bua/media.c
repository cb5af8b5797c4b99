/*
 * The media of a call: what one side offers becomes an offer of ours to the
 * other, its answer becomes ours, and the flows between follow (RFC 3264).
 * The m= lines of both sides correspond one to one. Each relayed stream has a
 * port pair on either side; SRTP is spoken with the phone only.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"

static const struct addr *media_addr(const struct calls *c, enum side side)
{
	return side == SIDE_PHONE ? &c->p.media_outside : &c->p.media_inside;
}

static struct stream *stream_of(struct media *m, size_t line)
{
	return m->line[line] > 0 ? &m->stream[m->line[line] - 1] : NULL;
}

/* The place of a line's stream, a free one for a new line; NULL when the
 * call has as many streams as we relay. */
static struct stream *stream_make(struct media *m, size_t line)
{
	struct stream *s = stream_of(m, line);

	if (s)
		return s;
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		if (m->stream[i].is_used)
			continue;
		m->line[line] = (uint8_t)(i + 1);
		m->stream[i].is_used = true;
		return &m->stream[i];
	}
	return NULL;
}

static uint64_t *owner_of(const struct calls *c, uint16_t port)
{
	return &c->port_owner[(port - c->p.inside_port_min) / 2];
}

static void copy_codec(struct stream *s, struct slice codec)
{
	codec = slice_sub(codec, 0, sizeof(s->codec) - 1);
	memcpy(s->codec, codec.ptr ? codec.ptr : (const uint8_t *)"",
	       codec.len);
	s->codec[codec.len] = '\0';
}

static void party_read(struct party *p, const struct sdp_media *m)
{
	*p = (struct party){.is_on = m->port != 0,
			    .sends = sdp_sends_media(m),
			    .wants = sdp_wants_media(m)};
	if (m->port == 0 || addr_is_any(&m->addr))
		return;
	p->rtp = m->addr;
	if (m->has_rtcp && !addr_is_any(&m->rtcp))
		p->rtcp = m->rtcp;
}

static void flow_make(const struct calls *c, struct flow *f,
		      const struct party *from, const struct party *to,
		      bool is_open)
{
	f->remote = from->rtp;
	f->remote_rtcp = from->rtcp;
	f->is_blocked = !is_open || !from->sends || !to->wants;
	f->idle_ms = f->is_blocked ? 0 : c->p.media_idle_ms;
	f->in = (struct flow_key){.suite = SUITE_NONE};
	f->out = (struct flow_key){.suite = SUITE_NONE};
}

/*
 * Both flows as offer and answer have them. While the answer is missing they
 * are closed: a phone must not be heard in the clear because its keys are
 * not known yet.
 */
static void flows_make(const struct calls *c, const struct call *call,
		       struct stream *s, bool is_open)
{
	struct flow *out = &s->flow[SIDE_PHONE];
	struct flow *in = &s->flow[SIDE_CORE];

	flow_make(c, out, &s->next[SIDE_PHONE], &s->next[SIDE_CORE], is_open);
	flow_make(c, in, &s->next[SIDE_CORE], &s->next[SIDE_PHONE], is_open);
	out->latch = call->policy.nat ? FLOW_LATCH_NAT : FLOW_LATCH_RESTRICTED;
	in->latch = FLOW_LATCH_OFF;
	in->security = (uint8_t)security_own(call);
	if (s->decided.kind == ANSWER_SRTP) {
		out->in = s->decided.peer.key;
		in->out = s->decided.own.key;
	}
}

static int stream_ports(struct calls *c, struct stream *s, uint64_t cookie)
{
	int err = ports_take(c->ports[SIDE_PHONE], c->now_ms,
			     &s->port[SIDE_PHONE]);

	if (err)
		return err;
	err = ports_take(c->ports[SIDE_CORE], c->now_ms, &s->port[SIDE_CORE]);
	if (err) {
		(void)ports_give(c->ports[SIDE_PHONE], c->now_ms,
				 s->port[SIDE_PHONE]);
		return err;
	}
	*owner_of(c, s->port[SIDE_CORE]) = cookie;
	return 0;
}

/* Ports and flows of a stream that has none yet. */
static int stream_open(struct calls *c, struct call *call, struct stream *s)
{
	uint64_t cookie = handle_u64(call->obj.self);
	struct action a = {.kind = ACTION_FLOW_ADD, .call = cookie};
	int err;

	if (s->has_flows)
		return 0;
	err = stream_ports(c, s, cookie);
	if (err)
		return err;
	for (int side = 0; side < 2; side++) {
		s->flow[side] = (struct flow){
			.id = ++c->next_flow,
			.call = cookie,
			.local = addr_with_port(media_addr(c, (enum side)side),
						s->port[side]),
		};
	}
	s->flow[SIDE_PHONE].peer_id = s->flow[SIDE_CORE].id;
	s->flow[SIDE_CORE].peer_id = s->flow[SIDE_PHONE].id;
	flows_make(c, call, s, false);
	s->has_flows = true;
	s->is_new = true;
	a.flow[0] = s->flow[SIDE_PHONE];
	a.flow[1] = s->flow[SIDE_CORE];
	calls_emit(c, &a);
	flow_wipe(&a.flow[0]);
	flow_wipe(&a.flow[1]);
	return 0;
}

static void stream_wipe(struct stream *s)
{
	answer_wipe(&s->decided);
	answer_offer_wipe(&s->offer);
	s->offer.count = 0;
	s->decided.kind = ANSWER_OFF;
	s->decided.reason = NULL;
	s->is_offered = false;
	s->is_new = false;
}

static void stream_close(struct calls *c, struct stream *s)
{
	struct action a = {.kind = ACTION_FLOW_DEL};

	stream_wipe(s);
	s->is_agreed = false;
	s->is_srtp = false;
	if (!s->has_flows)
		return;
	for (int side = 0; side < 2; side++) {
		a.call = s->flow[side].call;
		a.flow[0].id = s->flow[side].id;
		calls_emit(c, &a);
		flow_wipe(&s->flow[side]);
		(void)ports_give(c->ports[side], c->now_ms, s->port[side]);
	}
	*owner_of(c, s->port[SIDE_CORE]) = 0;
	s->has_flows = false;
	s->is_idle[0] = s->is_idle[1] = false;
	secret_wipe(&s->far, sizeof(s->far));
}

/* Compared as they cross the process border: no padding, nothing forgotten. */
static bool flow_eq(const struct flow *a, const struct flow *b)
{
	uint8_t buf[2][FLOW_BYTES_MAX];
	struct writer w[2];
	bool is_eq;

	writer_init(&w[0], buf[0], sizeof(buf[0]));
	writer_init(&w[1], buf[1], sizeof(buf[1]));
	flow_write(&w[0], a);
	flow_write(&w[1], b);
	is_eq = slice_eq(writer_slice(&w[0]), writer_slice(&w[1]));
	secret_wipe(buf, sizeof(buf));
	return is_eq;
}

static void flows_update(struct calls *c, struct call *call, struct stream *s)
{
	struct flow old[2] = {s->flow[0], s->flow[1]};
	struct action a = {.kind = ACTION_FLOW_UPDATE,
			   .call = handle_u64(call->obj.self)};

	flows_make(c, call, s, true);
	for (int side = 0; side < 2; side++) {
		if (!flow_eq(&old[side], &s->flow[side])) {
			s->is_idle[side] = false;
			a.flow[0] = s->flow[side];
			calls_emit(c, &a);
		}
		flow_wipe(&old[side]);
	}
	flow_wipe(&a.flow[0]);
}

/*
 * What the device's policy comes to over this signalling: a key that could be
 * read on the way must not be sent or taken (RFC 4568 section 7.1).
 */
static void phone_policy(const struct call *call, struct answer_policy *p)
{
	*p = (struct answer_policy){.srtp = ANSWER_SRTP_NEVER,
				    .suite = call->policy.suite,
				    .suite_count = call->policy.suite_count,
				    .peer_falls_back = call->falls_back};
	switch (call->policy.media) {
	case MEDIA_RTP_ONLY:
		break;
	case MEDIA_SRTP_PREFER:
		if (call->sig == SIG_ENCRYPTED)
			p->srtp = ANSWER_SRTP_PREFER;
		break;
	case MEDIA_SRTP_REQUIRE:
		p->srtp = ANSWER_SRTP_REQUIRE;
		break;
	}
}

/* The key we send with, when it may go on: the stream is SRTP with this
 * suite now. A key must not come back after a pause, since its packet index
 * would begin anew. */
static bool key_in_use(const struct stream *s, enum suite suite)
{
	return s->has_flows && s->is_srtp &&
	       s->flow[SIDE_CORE].out.suite == suite;
}

static bool offer_from_phone(struct calls *c, struct call *call,
			     struct stream *s, const struct sdp_media *m,
			     const char **ret_why)
{
	struct answer_policy p;

	phone_policy(call, &p);
	answer_decide(m, &p, &c->p.entropy, &s->decided);
	if (s->decided.kind == ANSWER_REFUSE)
		*ret_why = s->decided.reason;
	if (s->decided.kind == ANSWER_SRTP &&
	    key_in_use(s, s->decided.own.key.suite))
		s->decided.own.key = s->flow[SIDE_CORE].out;
	return s->decided.kind == ANSWER_SRTP ||
	       s->decided.kind == ANSWER_PLAIN;
}

static bool offer_to_phone(struct calls *c, struct call *call, struct stream *s,
			   const struct sdp_media *m, const char **ret_why)
{
	struct answer_policy p;
	enum suite now = s->flow[SIDE_CORE].out.suite;
	bool is_plain = s->is_agreed && !s->is_srtp;

	if (sdp_proto_is_secure(m->proto) || m->port_count != 1) {
		*ret_why = "only RTP is spoken with the call manager";
		return false;
	}
	phone_policy(call, &p);
	if (p.srtp == ANSWER_SRTP_PREFER &&
	    ((call->media.no_srtp && !s->is_srtp) || is_plain))
		p.srtp = ANSWER_SRTP_NEVER;
	if (s->is_srtp && key_in_use(s, now)) {
		/* Only what is in use: a phone need not choose again. */
		p.suite = &now;
		p.suite_count = 1;
	}
	answer_offer_make(&p,
			  sdp_proto_with(m->proto, p.srtp != ANSWER_SRTP_NEVER),
			  &c->p.entropy, &s->offer);
	if (s->offer.count > 0 && key_in_use(s, now))
		s->offer.line[0].key = s->flow[SIDE_CORE].out;
	return true;
}

static bool is_relayable(const struct sdp_media *m)
{
	return m->port != 0 && sdp_proto_is_rtp(m->proto) &&
	       (text_ieqs(m->type, "audio") || text_ieqs(m->type, "video"));
}

/* One m= line of an offer. False: memory or ports are out. */
static bool offer_line(struct calls *c, struct call *call, enum side from,
		       size_t i, const char **ret_why)
{
	const struct sdp_media *m = &c->sdp.media[i];
	struct sdp_media_edit *e = &c->edit.media[i];
	struct stream *s;
	bool is_ok;

	call->media.proto[i] = m->proto;
	*e = (struct sdp_media_edit){.proto = m->proto};
	if (from == SIDE_PHONE)
		e->proto = sdp_proto_with(m->proto, false);
	if (!is_relayable(m))
		return true;
	s = stream_make(&call->media, i);
	if (!s)
		return true;
	if (from == SIDE_PHONE)
		is_ok = offer_from_phone(c, call, s, m, ret_why);
	else
		is_ok = offer_to_phone(c, call, s, m, ret_why);
	if (!is_ok)
		return true;
	party_read(&s->next[from], m);
	if (!s->has_flows)
		s->next[!from] = (struct party){.is_on = false};
	if (stream_open(c, call, s) != 0)
		return false;
	s->is_audio = text_ieqs(m->type, "audio");
	s->is_offered = true;
	copy_codec(s, m->codec);
	e->port = s->port[!from];
	e->proto = from == SIDE_PHONE ? sdp_proto_with(m->proto, false)
				      : s->offer.proto;
	e->crypto = s->offer.line;
	e->crypto_count = s->offer.count;
	if (addr_is_any(&m->addr)) /* hold as RFC 2543 said it */
		e->addr.family = media_addr(c, !from)->family;
	return true;
}

static bool refuse(struct media_refusal *ret, unsigned status, const char *why)
{
	*ret = (struct media_refusal){.status = status, .why = why};
	return false;
}

static void offer_begin(struct calls *c, struct call *call, enum side from)
{
	struct media *m = &call->media;

	for (size_t i = 0; i < STREAMS_MAX; i++)
		stream_wipe(&m->stream[i]);
	memset(&c->edit, 0, sizeof(c->edit));
	c->edit.addr = addr_with_port(media_addr(c, !from), 0);
	m->offerer = from;
	m->is_pending = true;
}

/* Keep the offer as the other side got it, to hold its answer against. */
static bool offer_keep(struct media *m, struct slice body)
{
	calls_wipe(m->offer, m->offer_len);
	m->offer = alloc_copy(body);
	m->offer_len = m->offer ? body.len : 0;
	return m->offer != NULL;
}

/* After all lines: is there anything to talk about? */
static bool offer_lines(struct calls *c, struct call *call, enum side from,
			struct media_refusal *ret_no)
{
	const char *why = NULL;
	size_t offered = 0;
	size_t active = 0;

	for (size_t i = 0; i < c->sdp.media_count; i++) {
		const struct stream *s;

		if (!offer_line(c, call, from, i, &why))
			return refuse(ret_no, 503, "no relay port is free");
		s = stream_of(&call->media, i);
		offered += c->sdp.media[i].port != 0;
		active += s && s->is_offered;
	}
	if (offered > 0 && active == 0)
		return refuse(ret_no, 488,
			      why ? why : "no stream that can be relayed");
	return true;
}

bool media_offer(struct calls *c, struct call *call, enum side from,
		 struct slice body, struct slice *ret_body,
		 struct media_refusal *ret_no)
{
	if (sdp_parse(body, &c->sdp) != 0)
		return refuse(ret_no, 488, "session description is malformed");
	if (call->policy.media == MEDIA_SRTP_REQUIRE &&
	    call->sig != SIG_ENCRYPTED)
		return refuse(ret_no, 488,
			      "SRTP required but signalling is not encrypted");
	offer_begin(c, call, from);
	if (!offer_lines(c, call, from, ret_no)) {
		media_abort(c, call);
		return false;
	}
	*ret_body = leg_sdp(c, &call->leg[!from], &c->sdp);
	if (ret_body->len == 0 || !offer_keep(&call->media, *ret_body)) {
		media_abort(c, call);
		return refuse(ret_no, 500, "out of memory");
	}
	return true;
}

static bool answer_line(struct calls *c, struct call *call, enum side from,
			size_t i, const char **ret_why)
{
	const struct sdp_media *m = &c->sdp.media[i];
	struct sdp_media_edit *e = &c->edit.media[i];
	struct stream *s = stream_of(&call->media, i);
	struct answer_policy p;

	*e = (struct sdp_media_edit){.proto = call->media.proto[i]};
	if (!s || !s->is_offered)
		return true;
	party_read(&s->next[from], m);
	if (from == SIDE_PHONE) {
		phone_policy(call, &p);
		answer_wipe(&s->decided);
		answer_check(&s->offer, &p, m, &s->decided);
		if (s->decided.kind == ANSWER_REFUSE) {
			*ret_why = s->decided.reason;
			return false;
		}
	} else if (m->port != 0) {
		if (m->proto != sdp_proto_with(call->media.proto[i], false)) {
			*ret_why = "the answer changes the profile";
			return false;
		}
		e->proto = s->decided.proto;
		if (s->decided.kind == ANSWER_SRTP) {
			e->crypto = &s->decided.own;
			e->crypto_count = 1;
		}
	}
	if (m->port == 0)
		return true;
	copy_codec(s, m->codec);
	e->port = s->port[!from];
	if (addr_is_any(&m->addr))
		e->addr.family = media_addr(c, !from)->family;
	return true;
}

bool media_answer(struct calls *c, struct call *call, enum side from,
		  struct slice body, struct slice *ret_body,
		  struct media_refusal *ret_no)
{
	struct media *m = &call->media;
	const char *why = "";

	if (sdp_parse(slice_make(m->offer, m->offer_len), &c->sdp_offer) != 0 ||
	    sdp_parse(body, &c->sdp) != 0)
		return refuse(ret_no, 488, "session description is malformed");
	if (!answer_fits(&c->sdp_offer, &c->sdp))
		return refuse(ret_no, 488, "the answer does not fit the offer");
	memset(&c->edit, 0, sizeof(c->edit));
	c->edit.addr = addr_with_port(media_addr(c, !from), 0);
	for (size_t i = 0; i < c->sdp.media_count; i++)
		if (!answer_line(c, call, from, i, &why))
			return refuse(ret_no, 488, why);
	*ret_body = leg_sdp(c, &call->leg[!from], &c->sdp);
	if (ret_body->len == 0)
		return refuse(ret_no, 500, "out of memory");
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &m->stream[i];

		if (s->is_offered && s->next[from].is_on)
			flows_update(c, call, s);
	}
	return true;
}

void media_settle(struct calls *c, struct call *call)
{
	struct media *m = &call->media;

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &m->stream[i];

		if (!s->is_used)
			continue;
		if (!s->is_offered || !s->next[0].is_on || !s->next[1].is_on) {
			stream_close(c, s);
			continue;
		}
		s->is_agreed = true;
		s->is_srtp = s->decided.kind == ANSWER_SRTP;
		if (s->decided.kind == ANSWER_PLAIN && s->decided.reason &&
		    call->policy.media != MEDIA_RTP_ONLY)
			record_call(c, RECORD_FALLBACK, call,
				    s->decided.reason);
		stream_wipe(s);
	}
	m->is_pending = false;
	m->is_agreed = true;
	m->offer = calls_wipe(m->offer, m->offer_len);
	m->offer_len = 0;
}

void media_abort(struct calls *c, struct call *call)
{
	struct media *m = &call->media;

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &m->stream[i];

		if (s->is_new)
			stream_close(c, s);
		else
			stream_wipe(s);
	}
	m->is_pending = false;
	m->offer = calls_wipe(m->offer, m->offer_len);
	m->offer_len = 0;
}

void media_done(struct calls *c, struct call *call)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		stream_close(c, &call->media.stream[i]);
	media_abort(c, call);
}

struct call *media_joined(const struct calls *c, const struct call *call)
{
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *s = &call->media.stream[i];
		const struct addr *a = s->is_offered
					       ? &s->next[SIDE_CORE].rtp
					       : &s->flow[SIDE_CORE].remote;
		uint64_t owner;

		if (!s->has_flows || !addr_ip_eq(a, &c->p.media_inside) ||
		    a->port < c->p.inside_port_min ||
		    a->port > c->p.inside_port_max)
			continue;
		owner = *owner_of(c, a->port);
		if (owner != 0 && owner != handle_u64(call->obj.self))
			return call_find(c, owner);
	}
	return NULL;
}
