// SPDX-License-Identifier: GPL-2.0
#include "latch.h"

/* Same address, as far as the rule cares. */
static bool nf_srtp_near(const struct nf_srtp_latch_rule *rule,
			 const struct nf_srtp_end *a,
			 const struct nf_srtp_end *b)
{
	u32 bytes = rule->prefix / 8, bits = rule->prefix % 8;

	if (a->family != b->family || !a->family)
		return false;
	if (!rule->prefix)
		return a->half[0] == b->half[0] && a->half[1] == b->half[1];
	if (memcmp(a->ip, b->ip, bytes))
		return false;
	return !bits || !((a->ip[bytes] ^ b->ip[bytes]) >> (8 - bits));
}

bool nf_srtp_latch_may_try(const struct nf_srtp_latch_state *l,
			   const struct nf_srtp_latch_rule *rule,
			   const struct nf_srtp_end *src)
{
	if (nf_srtp_end_eq(src, &l->proven))
		return true;
	if (rule->mode == NF_SRTP_LATCH_OFF)
		return nf_srtp_end_eq(src, &l->signalled);
	if (rule->mode == NF_SRTP_LATCH_NAT && rule->is_secure)
		return true;
	if (!nf_srtp_near(rule, src, &l->signalled))
		return false;
	/* Plain RTP proves nothing once somebody is latched. */
	return rule->is_secure || !l->proven.family;
}

static enum nf_srtp_learned nf_srtp_latch_on(struct nf_srtp_latch_state *l,
					     const struct nf_srtp_end *src)
{
	l->proven = *src;
	l->count = 0;
	return NF_SRTP_LEARNED_NEW;
}

/* Another proof of src; true when it has enough. */
static bool nf_srtp_collect(struct nf_srtp_latch_state *l,
			    const struct nf_srtp_end *src,
			    const struct nf_srtp_proof *p)
{
	bool in_row = l->count && nf_srtp_end_eq(src, &l->candidate) &&
		      l->ssrc == p->ssrc &&
		      (p->is_rtcp || l->next_seq == p->seq);

	l->count = in_row ? l->count + 1 : 1;
	l->candidate = *src;
	l->ssrc = p->ssrc;
	l->next_seq = p->seq + 1;
	return l->count >= NF_SRTP_PROOF;
}

enum nf_srtp_learned nf_srtp_latch_learn(struct nf_srtp_latch_state *l,
					 const struct nf_srtp_latch_rule *rule,
					 const struct nf_srtp_end *src,
					 const struct nf_srtp_proof *proof)
{
	bool is_first = !l->proven.family;

	if (!is_first && nf_srtp_end_eq(src, &l->proven)) {
		l->count = 0;
		return NF_SRTP_LEARNED_OK;
	}
	if (is_first && (rule->is_secure || nf_srtp_end_eq(src, &l->signalled)))
		return nf_srtp_latch_on(l, src);
	if (nf_srtp_collect(l, src, proof))
		return nf_srtp_latch_on(l, src);
	/* An authentic packet is the stream's, wherever it came from. */
	return rule->is_secure ? NF_SRTP_LEARNED_OK : NF_SRTP_LEARNED_NO;
}
