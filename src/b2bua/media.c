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

/* Those offered may be others than those accepted. */
static void offer_policy(const struct call *call, struct answer_policy *p)
{
	phone_policy(call, p);
	if (call->policy.offer_suite_count == 0)
		return;
	p->suite = call->policy.offer_suite;
	p->suite_count = call->policy.offer_suite_count;
}

static bool is_audio(const struct sdp_media *m)
{
	return text_ieqs(m->type, "audio");
}

/* Media without RTP whose datagrams can be relayed as they are: one transport
 * address, no connection. */
static bool is_raw(const struct sdp_media *m)
{
	return text_ieqs(m->proto_text, "udptl") ||
	       text_ieqs(m->proto_text, "udp");
}

/* What is not audio goes by a policy of its own. */
static bool is_relayable(const struct call *call, const struct sdp_media *m)
{
	if (m->port == 0 || m->port_count != 1)
		return false;
	if (is_audio(m))
		return sdp_proto_is_rtp(m->proto);
	switch (call->policy.other_media) {
	case OTHER_MEDIA_ENCRYPT:
		return sdp_proto_is_rtp(m->proto);
	case OTHER_MEDIA_RELAY:
		return sdp_proto_is_rtp(m->proto) || is_raw(m);
	case OTHER_MEDIA_REJECT:
		break;
	}
	return false;
}

/* With "relay", other media are SRTP if the phone says so, and never have to
 * be. */
static void loosen(const struct call *call, const struct sdp_media *m,
		   bool is_offered, struct answer_policy *p)
{
	if (is_audio(m) || call->policy.other_media != OTHER_MEDIA_RELAY ||
	    p->srtp == ANSWER_SRTP_NEVER)
		return;
	p->srtp = is_offered && call->sig == SIG_ENCRYPTED ? ANSWER_SRTP_PREFER
							   : ANSWER_SRTP_NEVER;
}

/* The key the phone hears us under, when it is ours and may go on: the stream
 * is SRTP with this suite now. A key must not come back after a pause, since
 * its packet index would begin anew. */
static bool key_in_use(const struct stream *s, enum suite suite)
{
	return s->has_flows && s->is_srtp && !s->flow[SIDE_CORE].is_borrowed &&
	       s->flow[SIDE_CORE].out.suite == suite;
}

static bool offer_from_phone(struct calls *c, struct call *call,
			     struct stream *s, const struct sdp_media *m,
			     const char **ret_why)
{
	struct answer_policy p;

	if (!sdp_proto_is_rtp(m->proto)) {
		s->decided = (struct answer){.kind = ANSWER_PLAIN,
					     .proto = m->proto};
		return true;
	}
	phone_policy(call, &p);
	loosen(call, m, true, &p);
	answer_decide(m, &p, &c->p.entropy, &s->decided);
	answer_usable(m, &p, &s->theirs);
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
	bool is_plain = s->is_agreed && !s->is_srtp && !s->is_raw;
	enum sdp_proto proto;

	if (sdp_proto_is_secure(m->proto)) {
		*ret_why = "only RTP is spoken with the call manager";
		return false;
	}
	s->offer = (struct answer_offer){.proto = m->proto};
	if (!sdp_proto_is_rtp(m->proto))
		return true;
	offer_policy(call, &p);
	loosen(call, m, s->has_flows && s->is_srtp, &p);
	if (p.srtp == ANSWER_SRTP_PREFER &&
	    ((call->media.no_srtp && !s->is_srtp) || is_plain))
		p.srtp = ANSWER_SRTP_NEVER;
	if (s->has_flows && s->is_srtp) {
		/* Only what is in use: a phone need not choose again, and
		 * some that do go on sending under the old one (decision
		 * 0014). */
		p.suite = &now;
		p.suite_count = 1;
	}
	proto = sdp_proto_with(m->proto, p.srtp != ANSWER_SRTP_NEVER &&
						 call->policy.srtp_offer !=
							 SRTP_OFFER_OSRTP);
	if (s->has_flows && s->is_srtp && p.srtp != ANSWER_SRTP_NEVER)
		proto = s->phone_proto; /* as it was agreed */
	answer_offer_make(&p, proto, &c->p.entropy, &s->offer);
	if (s->offer.count > 0 && key_in_use(s, now))
		s->offer.line[0].key = s->flow[SIDE_CORE].out;
	join_offer(c, call, s, &m->addr);
	return true;
}

/* Does somebody offer the same twice, and this is the one to reject? */
static bool is_spare(const struct calls *c, const struct call *call,
		     enum side from, size_t line)
{
	struct answer_policy p;

	phone_policy(call, &p);
	return from == SIDE_PHONE && twin_is_spare(&c->sdp, line, &p);
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
	if (!is_relayable(call, m) || is_spare(c, call, from, i))
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
	s->is_audio = is_audio(m);
	s->is_raw = !sdp_proto_is_rtp(m->proto);
	s->is_offered = true;
	s->offers_mux = s->flow[!from].is_muxed;
	stream_set_codec(s, m->codec);
	e->port = s->port[!from];
	e->proto = from == SIDE_PHONE ? sdp_proto_with(m->proto, false)
				      : s->offer.proto;
	e->crypto = s->offer.line;
	e->crypto_count = s->offer.count;
	e->rtcp_mux = s->offers_mux;
	if (addr_is_any(&m->addr)) /* hold as RFC 2543 said it */
		e->addr.family = stream_addr(c, !from)->family;
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
	c->edit.addr = addr_with_port(stream_addr(c, !from), 0);
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

/* Two lines are for a first offer that need not be SRTP. */
static bool wants_twins(const struct call *call)
{
	return !call->media.is_agreed &&
	       call->policy.srtp_offer == SRTP_OFFER_TWO_LINES &&
	       call->policy.media == MEDIA_SRTP_PREFER;
}

/* What to's side is told; empty: memory is out. */
static struct slice print(struct calls *c, struct call *call, enum side to,
			  bool is_first)
{
	if (to == SIDE_PHONE &&
	    twin_put(&call->media, &c->sdp, &c->edit, is_first) != 0)
		return SLICE_NULL;
	return leg_sdp(c, &call->leg[to], &c->sdp);
}

bool media_offer(struct calls *c, struct call *call, enum side from,
		 struct slice body, struct slice *ret_body,
		 struct media_refusal *ret_no)
{
	bool is_first;

	if (!call->media.is_agreed)
		call->media.twin_count = 0;
	if (sdp_parse(body, &c->sdp) != 0 ||
	    (from == SIDE_PHONE && twin_take(&call->media, &c->sdp) != 0))
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
	is_first = from == SIDE_CORE && wants_twins(call);
	if (is_first)
		twin_make(&call->media, &c->sdp);
	*ret_body = print(c, call, !from, is_first);
	if (ret_body->len == 0 || !offer_keep(&call->media, *ret_body)) {
		media_abort(c, call);
		return refuse(ret_no, 500, "out of memory");
	}
	return true;
}

/* The phone's answer to our offer. */
static void check_answer(struct stream *s, const struct sdp_media *m,
			 const struct answer_policy *p)
{
	if (s->is_raw && !sdp_proto_is_rtp(m->proto))
		s->decided = (struct answer){.kind = m->port ? ANSWER_PLAIN
							     : ANSWER_OFF,
					     .proto = m->proto};
	else
		answer_check(&s->offer, p, m, &s->decided);
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
	s->next[from].is_muxed &= s->offers_mux;
	if (from == SIDE_PHONE) {
		offer_policy(call, &p);
		loosen(call, m, s->offer.count > 0, &p);
		answer_wipe(&s->decided);
		check_answer(s, m, &p);
		if (s->decided.kind == ANSWER_REFUSE) {
			*ret_why = s->decided.reason;
			return false;
		}
		s->is_borrowed = s->decided.kind == ANSWER_SRTP &&
				 (s->offer_borrowed >> s->decided.own.tag & 1);
	} else if (m->port != 0) {
		if (m->proto != sdp_proto_with(call->media.proto[i], false)) {
			*ret_why = "the answer changes the profile";
			return false;
		}
		join_answer(c, call, s);
		s->is_told = true;
		e->proto = s->decided.proto;
		if (s->decided.kind == ANSWER_SRTP) {
			e->crypto = &s->decided.own;
			e->crypto_count = 1;
		}
	}
	if (m->port == 0)
		return true;
	stream_set_codec(s, m->codec);
	e->port = s->port[!from];
	e->rtcp_mux = s->next[!from].is_muxed;
	if (addr_is_any(&m->addr))
		e->addr.family = stream_addr(c, !from)->family;
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
	if (!answer_fits(&c->sdp_offer, &c->sdp) ||
	    (from == SIDE_PHONE && twin_take(m, &c->sdp) != 0))
		return refuse(ret_no, 488, "the answer does not fit the offer");
	memset(&c->edit, 0, sizeof(c->edit));
	c->edit.addr = addr_with_port(stream_addr(c, !from), 0);
	for (size_t i = 0; i < c->sdp.media_count; i++)
		if (!answer_line(c, call, from, i, &why))
			return refuse(ret_no, 488, why);
	*ret_body = print(c, call, !from, false);
	if (ret_body->len == 0)
		return refuse(ret_no, 500, "out of memory");
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &m->stream[i];

		if (s->is_offered && s->next[from].is_on)
			stream_update(c, call, s);
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
		s->was_audio = s->is_audio;
		memcpy(s->was_codec, s->codec, sizeof(s->codec));
		s->phone_proto = s->decided.proto;
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

		if (s->is_new) {
			stream_close(c, s);
			continue;
		}
		if (s->is_offered) {
			s->is_audio = s->was_audio;
			memcpy(s->codec, s->was_codec, sizeof(s->codec));
			s->is_raw = s->flow[0].is_raw;
		}
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
