#include "sdp/answer.h"

#include "base/secret.h"
#include "base/text.h"

static const char why_profile[] = "transport profile is not supported";
static const char why_ports[] = "several ports in one stream";
static const char why_never[] = "SRTP is not allowed for this device";
static const char why_required[] = "SRTP is required";
static const char why_not_offered[] = "SRTP was not offered";
static const char why_not_answered[] = "SRTP was offered but not answered";
static const char why_unusable[] = "no usable a=crypto line";
static const char why_tag[] = "a=crypto tag was not offered";
static const char why_suite[] = "a=crypto suite was not offered";
static const char why_lines[] = "more than one a=crypto line in the answer";
static const char why_surprise[] = "SRTP was answered but not offered";

static void decide(struct answer *a, enum answer_kind kind, const char *reason)
{
	a->kind = kind;
	a->reason = reason;
}

void answer_key(enum suite suite, const struct entropy *e, struct flow_key *ret)
{
	const struct suite_info *info = suite_info(suite);

	*ret = (struct flow_key){.suite = suite};
	entropy_fill(e, ret->key, info->key_len);
	entropy_fill(e, ret->salt, info->salt_len);
}

/* What makes a stream none of ours, before anything about SRTP; true when
 * that is decided. */
static bool decide_early(const struct sdp_media *m, struct answer *ret)
{
	*ret = (struct answer){.proto = m->proto};
	if (m->port == 0)
		decide(ret, ANSWER_OFF, NULL);
	else if (!sdp_proto_is_rtp(m->proto))
		decide(ret, ANSWER_REFUSE, why_profile);
	else if (m->port_count != 1)
		decide(ret, ANSWER_REFUSE, why_ports);
	else
		return false;
	return true;
}

/* The section's first usable line of this suite. */
static bool find_line(const struct sdp_media *m, enum suite suite,
		      struct crypto_line *ret)
{
	struct slice value;
	size_t pos = 0;

	while (sdp_crypto_next(m, &pos, &value)) {
		struct crypto_line c;

		if (crypto_parse(value, &c) != 0)
			continue;
		if (c.key.suite == suite) {
			*ret = c;
			crypto_wipe(&c, 1);
			return true;
		}
		crypto_wipe(&c, 1);
	}
	return false;
}

void answer_usable(const struct sdp_media *m, const struct answer_policy *p,
		   struct answer_offer *ret)
{
	*ret = (struct answer_offer){.proto = m->proto};
	if (p->srtp == ANSWER_SRTP_NEVER)
		return;
	for (size_t i = 0; i < p->suite_count && ret->count < SUITE_COUNT; i++)
		if (p->suite[i] != SUITE_NONE &&
		    find_line(m, p->suite[i], &ret->line[ret->count]))
			ret->count++;
}

/* Our preference decides, not the peer's: RFC 4568 section 5.1.2 lets the
 * answerer choose. */
static bool choose(const struct sdp_media *m, const struct answer_policy *p,
		   struct crypto_line *ret)
{
	for (size_t i = 0; i < p->suite_count; i++)
		if (p->suite[i] != SUITE_NONE && find_line(m, p->suite[i], ret))
			return true;
	return false;
}

/* No SRTP with this offer; why says what was missing. */
static void decide_plain(const struct answer_policy *p, const char *why,
			 struct answer *ret)
{
	if (p->srtp == ANSWER_SRTP_REQUIRE) {
		decide(ret, ANSWER_REFUSE,
		       why == why_not_offered ? why_required : why);
		return;
	}
	if (sdp_proto_is_secure(ret->proto) && !p->peer_falls_back) {
		decide(ret, ANSWER_REFUSE, why);
		return;
	}
	ret->proto = sdp_proto_with(ret->proto, false);
	decide(ret, ANSWER_PLAIN, why);
}

void answer_decide(const struct sdp_media *m, const struct answer_policy *p,
		   const struct entropy *e, struct answer *ret)
{
	bool is_secure = sdp_proto_is_secure(m->proto);

	if (decide_early(m, ret))
		return;
	if (p->srtp == ANSWER_SRTP_NEVER) {
		decide_plain(p, is_secure ? why_never : NULL, ret);
	} else if (choose(m, p, &ret->peer)) {
		ret->own.tag = ret->peer.tag;
		answer_key(ret->peer.key.suite, e, &ret->own.key);
		decide(ret, ANSWER_SRTP, NULL);
	} else if (m->crypto_count > 0 || is_secure) {
		decide_plain(p, why_unusable, ret);
	} else {
		decide_plain(p, why_not_offered, ret);
	}
}

void answer_offer_make(const struct answer_policy *p, enum sdp_proto proto,
		       const struct entropy *e, struct answer_offer *ret)
{
	*ret = (struct answer_offer){.proto = proto};
	if (p->srtp == ANSWER_SRTP_NEVER)
		return;
	for (size_t i = 0; i < p->suite_count && i < SUITE_COUNT; i++) {
		struct crypto_line *c = &ret->line[ret->count];

		if (p->suite[i] == SUITE_NONE)
			continue;
		c->tag = (uint32_t)++ret->count;
		answer_key(p->suite[i], e, &c->key);
	}
}

static const struct crypto_line *find_offered(const struct answer_offer *o,
					      uint32_t tag)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->line[i].tag == tag)
			return &o->line[i];
	return NULL;
}

/* The answer has exactly one a=crypto line; whether it fits is judged here
 * (RFC 4568 section 5.1.3). */
static void check_line(const struct answer_offer *o, const struct sdp_media *m,
		       struct answer *ret)
{
	const struct crypto_line *own;
	struct slice value = SLICE_NULL;
	size_t pos = 0;

	(void)sdp_crypto_next(m, &pos, &value);
	if (crypto_parse(value, &ret->peer) != 0) {
		decide(ret, ANSWER_REFUSE, why_unusable);
		return;
	}
	own = find_offered(o, ret->peer.tag);
	if (own && own->key.suite == ret->peer.key.suite) {
		ret->own = *own;
		decide(ret, ANSWER_SRTP, NULL);
		return;
	}
	crypto_wipe(&ret->peer, 1);
	decide(ret, ANSWER_REFUSE, own ? why_suite : why_tag);
}

void answer_check(const struct answer_offer *o, const struct answer_policy *p,
		  const struct sdp_media *m, struct answer *ret)
{
	if (decide_early(m, ret))
		return;
	if (m->crypto_count > 0 && o->count == 0)
		decide(ret, ANSWER_REFUSE, why_surprise);
	else if (m->crypto_count > 1)
		decide(ret, ANSWER_REFUSE, why_lines);
	else if (m->crypto_count == 1)
		check_line(o, m, ret);
	else if (sdp_proto_is_secure(m->proto))
		decide(ret, ANSWER_REFUSE, why_unusable);
	else if (p->srtp == ANSWER_SRTP_REQUIRE)
		decide(ret, ANSWER_REFUSE, why_required);
	else
		decide(ret, ANSWER_PLAIN,
		       o->count > 0 ? why_not_answered : NULL);
}

bool answer_fits(const struct sdp *offer, const struct sdp *ans)
{
	if (offer->media_count != ans->media_count)
		return false;
	for (size_t i = 0; i < offer->media_count; i++)
		if (!text_ieq(offer->media[i].type, ans->media[i].type))
			return false;
	return true;
}

enum { CAN_SEND = 1, CAN_RECEIVE = 2 };

static unsigned dir_bits(enum sdp_dir d)
{
	switch (d) {
	case SDP_SENDRECV:
		return CAN_SEND | CAN_RECEIVE;
	case SDP_SENDONLY:
		return CAN_SEND;
	case SDP_RECVONLY:
		return CAN_RECEIVE;
	case SDP_INACTIVE:
		break;
	}
	return 0;
}

enum sdp_dir answer_dir(enum sdp_dir offered, enum sdp_dir far)
{
	static const enum sdp_dir dir[] = {
		[0] = SDP_INACTIVE,
		[CAN_SEND] = SDP_SENDONLY,
		[CAN_RECEIVE] = SDP_RECVONLY,
		[CAN_SEND | CAN_RECEIVE] = SDP_SENDRECV,
	};

	return dir[dir_bits(sdp_dir_reverse(offered)) & dir_bits(far)];
}

void answer_wipe(struct answer *a)
{
	secret_wipe(&a->peer, sizeof(a->peer));
	secret_wipe(&a->own, sizeof(a->own));
}

void answer_offer_wipe(struct answer_offer *o)
{
	secret_wipe(o->line, sizeof(o->line));
}
