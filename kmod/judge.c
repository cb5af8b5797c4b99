// SPDX-License-Identifier: GPL-2.0
/*
 * The rules: may this packet pass, what leaves instead, and what is learned
 * from it. Everything that is cheap is asked first; nothing is learned, and no
 * state moves, before the tag is checked.
 */
#include "flow.h"

/* What a packet is judged by. */
struct nf_srtp_case {
	struct nf_srtp_flow *f;
	struct nf_srtp_conf *conf;
	struct nf_srtp_key_ref *in; /* NULL: plain */
	struct nf_srtp_latch_rule rule;
	const struct nf_srtp_end *src;
	bool on_rtcp; /* came by the RTCP port */
};

static bool nf_srtp_may_try(const struct nf_srtp_case *c)
{
	const struct nf_srtp_flow *f = c->f;
	unsigned int start;
	bool may;

	do {
		start = read_seqcount_begin(&f->seq);
		may = nf_srtp_latch_may_try(&f->latch[c->on_rtcp], &c->rule,
					    c->src);
	} while (read_seqcount_retry(&f->seq, start));
	return may;
}

/* Is src whom the port already knows? Then there is nothing to learn. */
static bool nf_srtp_is_known(const struct nf_srtp_case *c)
{
	const struct nf_srtp_latch_state *l = &c->f->latch[c->on_rtcp];
	unsigned int start;
	bool is_known;

	do {
		start = read_seqcount_begin(&c->f->seq);
		is_known = nf_srtp_end_eq(c->src, &l->proven) && !l->count;
	} while (read_seqcount_retry(&c->f->seq, start));
	return is_known;
}

static bool nf_srtp_learn(const struct nf_srtp_case *c,
			  const struct nf_srtp_packet *p)
{
	struct nf_srtp_proof proof = {p->ssrc, p->seq, p->is_rtcp};
	struct nf_srtp_flow *f = c->f;
	enum nf_srtp_learned learned;

	if (nf_srtp_is_known(c))
		return true;
	spin_lock(&f->lock);
	write_seqcount_begin(&f->seq);
	learned = nf_srtp_latch_learn(&f->latch[c->on_rtcp], &c->rule, c->src,
				      &proof);
	write_seqcount_end(&f->seq);
	spin_unlock(&f->lock);
	if (learned == NF_SRTP_LEARNED_NEW)
		nf_srtp_event(f, NF_SRTP_EVENT_LATCHED, c->src, c->on_rtcp, 0);
	return learned != NF_SRTP_LEARNED_NO;
}

static int nf_srtp_read(const struct nf_srtp_case *c, struct nf_srtp_packet *p)
{
	enum nf_srtp_kind kind = nf_srtp_kind(p->data, p->len);

	p->is_rtcp = kind == NF_SRTP_KIND_RTCP;
	if (p->len > NF_SRTP_PACKET_MAX || kind == NF_SRTP_KIND_OTHER ||
	    (kind == NF_SRTP_KIND_RTP && c->on_rtcp) || !nf_srtp_parse(p))
		return NF_SRTP_STAT_MALFORMED;
	if (!p->is_rtcp && c->conf->has_payload_types &&
	    !(c->conf->payload_types[p->pt / 8] & 1 << p->pt % 8))
		return NF_SRTP_STAT_PAYLOAD_TYPE;
	return 0;
}

/* The first packet under the next key: it is the key now, and the one before
 * still opens what is on its way.
 */
static void nf_srtp_promote(const struct nf_srtp_case *c,
			    struct nf_srtp_key_ref *next)
{
	struct nf_srtp_flow *f = c->f;
	struct nf_srtp_key_ref *cur;

	spin_lock(&f->lock);
	if (rcu_access_pointer(f->in[NF_SRTP_KEY_NEXT]) == next) {
		cur = rcu_dereference_protected(f->in[NF_SRTP_KEY_CUR], true);
		nf_srtp_key_set(f, NF_SRTP_KEY_OLD, nf_srtp_key_get(cur));
		WRITE_ONCE(f->old_until,
			   jiffies + msecs_to_jiffies(c->conf->grace_ms));
		nf_srtp_key_set(f, NF_SRTP_KEY_CUR, nf_srtp_key_get(next));
		nf_srtp_key_set(f, NF_SRTP_KEY_NEXT, NULL);
	}
	spin_unlock(&f->lock);
	nf_srtp_event(f, NF_SRTP_EVENT_KEY_NEXT, NULL, false, 0);
}

static void nf_srtp_forget_old(struct nf_srtp_flow *f)
{
	spin_lock(&f->lock);
	if (time_after_eq(jiffies, f->old_until))
		nf_srtp_key_set(f, NF_SRTP_KEY_OLD, NULL);
	spin_unlock(&f->lock);
}

/* What the key just used has to tell. */
static void nf_srtp_report_key(struct nf_srtp_flow *f,
			       struct nf_srtp_key_state *k)
{
	if (unlikely(READ_ONCE(k->has_ssrc_new))) {
		WRITE_ONCE(k->has_ssrc_new, false);
		nf_srtp_event(f, NF_SRTP_EVENT_SSRC_NEW, NULL, false,
			      READ_ONCE(k->ssrc_new));
	}
	if (unlikely(READ_ONCE(k->is_worn)))
		nf_srtp_tally(f, NF_SRTP_STAT_WORN, NULL, 0);
}

/* Under another key than the present one? That one's verdict counts. */
static int nf_srtp_unprotect_other(const struct nf_srtp_case *c,
				   struct nf_srtp_packet *p, bool keep,
				   int verdict)
{
	struct nf_srtp_key_ref *next, *old;
	struct nf_srtp_flow *f = c->f;

	if (verdict != NF_SRTP_STAT_AUTH_FAIL && verdict != NF_SRTP_STAT_REPLAY)
		return verdict;
	next = rcu_dereference(f->in[NF_SRTP_KEY_NEXT]);
	if (next && !nf_srtp_unprotect(&next->state, p, keep, true)) {
		nf_srtp_promote(c, next);
		return 0;
	}
	old = rcu_dereference(f->in[NF_SRTP_KEY_OLD]);
	if (!old)
		return verdict;
	if (time_after_eq(jiffies, READ_ONCE(f->old_until))) {
		nf_srtp_forget_old(f);
		return verdict;
	}
	return nf_srtp_unprotect(&old->state, p, keep, true) ? verdict : 0;
}

static int nf_srtp_open(const struct nf_srtp_case *c, struct nf_srtp_packet *p,
			bool keep)
{
	struct nf_srtp_flow *f = c->f;
	bool others = rcu_access_pointer(f->in[NF_SRTP_KEY_NEXT]) ||
		      rcu_access_pointer(f->in[NF_SRTP_KEY_OLD]);
	int verdict;

	verdict = nf_srtp_unprotect(&c->in->state, p, keep, others);
	if (unlikely(others))
		verdict = nf_srtp_unprotect_other(c, p, keep, verdict);
	if (!verdict)
		nf_srtp_report_key(f, &c->in->state);
	return verdict;
}

static void nf_srtp_touch(struct nf_srtp_flow *f)
{
	unsigned long now = jiffies;

	if (READ_ONCE(f->last) != now)
		WRITE_ONCE(f->last, now);
	if (unlikely(READ_ONCE(f->is_idle))) {
		WRITE_ONCE(f->is_idle, false);
		nf_srtp_event(f, NF_SRTP_EVENT_ACTIVE, NULL, false, 0);
	}
}

/* The way a packet of f takes; way->from NULL: there is none. */
static void nf_srtp_find_way(struct nf_srtp_flow *f, struct nf_srtp_way *way)
{
	struct nf_srtp_flow *peer = rcu_dereference(f->peer), *far;

	way->in = f;
	way->out = f;
	way->from = peer;
	if (!peer)
		return;
	far = rcu_dereference(peer->far);
	if (far) {
		way->out = far;
		way->from = rcu_dereference(far->peer);
	} else if (READ_ONCE(peer->is_lost)) {
		way->from = NULL;
	}
}

/* A packet may leave as it came when the way out has the very key it came
 * under.
 */
static bool nf_srtp_is_through(const struct nf_srtp_case *c,
			       const struct nf_srtp_conf *out)
{
	return (out->flags & NF_SRTP_F_BORROWED) && c->in && out->out &&
	       nf_srtp_key_eq(&c->in->state, &out->out->state);
}

static int nf_srtp_leave(const struct nf_srtp_case *c,
			 const struct nf_srtp_conf *out, bool is_through,
			 struct nf_srtp_packet *p, struct nf_srtp_way *way)
{
	int verdict;

	if (c->conf->flags & NF_SRTP_F_BLOCKED)
		return NF_SRTP_STAT_BLOCKED;
	if (way->out != c->f)
		nf_srtp_touch(way->out);
	if (out->flags & NF_SRTP_F_BLOCKED)
		return NF_SRTP_STAT_BLOCKED;
	if (!way->from)
		return NF_SRTP_STAT_NO_DEST;
	if (is_through)
		return 0;
	/* A datagram leaves as it came, never where only SRTP may. */
	if (c->conf->flags & NF_SRTP_F_RAW)
		return out->out || (out->flags & NF_SRTP_F_BORROWED)
			       ? NF_SRTP_STAT_BLOCKED
			       : 0;
	if (out->flags & NF_SRTP_F_BORROWED)
		return NF_SRTP_STAT_BLOCKED;
	if (!out->out)
		return 0;
	verdict = nf_srtp_protect(&out->out->state, p);
	if (!verdict)
		nf_srtp_report_key(way->out, &out->out->state);
	return verdict;
}

/* Nothing proves a datagram but the very address it was announced from. */
static int nf_srtp_check_raw(const struct nf_srtp_case *c,
			     const struct nf_srtp_packet *p)
{
	struct nf_srtp_end signalled;
	unsigned int start;

	do {
		start = read_seqcount_begin(&c->f->seq);
		signalled = c->f->latch[0].signalled;
	} while (read_seqcount_retry(&c->f->seq, start));
	if (c->on_rtcp || !nf_srtp_end_eq(c->src, &signalled))
		return NF_SRTP_STAT_SRC_REJECT;
	return p->len > NF_SRTP_PACKET_MAX ? NF_SRTP_STAT_MALFORMED : 0;
}

static int nf_srtp_check(const struct nf_srtp_case *c, struct nf_srtp_packet *p,
			 bool keep)
{
	int verdict;

	if (c->conf->flags & NF_SRTP_F_RAW)
		return nf_srtp_check_raw(c, p);
	/* What a stranger sends is not worth a diagnosis. */
	if (!nf_srtp_may_try(c))
		return NF_SRTP_STAT_SRC_REJECT;
	verdict = nf_srtp_read(c, p);
	if (verdict)
		return verdict;
	if (c->in)
		verdict = nf_srtp_open(c, p, keep);
	else if (p->is_rtcp && !nf_srtp_rtcp_check(p->data, p->len))
		verdict = NF_SRTP_STAT_MALFORMED;
	if (verdict)
		return verdict;
	/* Plain RTCP on the RTP port has no sequence: it tells nothing about
	 * where RTP comes from.
	 */
	if (p->is_rtcp && !c->on_rtcp && !c->in && !nf_srtp_is_known(c))
		return NF_SRTP_STAT_SRC_REJECT;
	return nf_srtp_learn(c, p) ? 0 : NF_SRTP_STAT_SRC_REJECT;
}

int nf_srtp_judge(const struct nf_srtp_port *port,
		  const struct nf_srtp_end *src, struct nf_srtp_packet *p,
		  struct nf_srtp_way *way)
{
	struct nf_srtp_flow *f = port->flow;
	struct nf_srtp_case c = {
		.f = f,
		.conf = rcu_dereference(f->conf),
		.in = rcu_dereference(f->in[NF_SRTP_KEY_CUR]),
		.src = src,
		.on_rtcp = port->is_rtcp,
	};
	struct nf_srtp_conf *out;
	bool is_through;
	int verdict;

	nf_srtp_find_way(f, way);
	/* Unlinked, on its way out. */
	out = rcu_dereference(way->out->conf);
	if (unlikely(!c.conf || !out))
		return NF_SRTP_STAT_NO_DEST;
	c.rule = c.conf->rule;
	/* What counts is whether this packet will prove itself. */
	c.rule.is_secure = c.in;
	is_through = nf_srtp_is_through(&c, out);
	verdict = nf_srtp_check(&c, p, is_through);
	if (!verdict) {
		nf_srtp_touch(f);
		verdict = nf_srtp_leave(&c, out, is_through, p, way);
	}
	if (verdict) {
		nf_srtp_count(f, verdict, 1);
		/* What is on hold is no news. */
		if (!((c.conf->flags | out->flags) & NF_SRTP_F_BLOCKED) ||
		    verdict != NF_SRTP_STAT_BLOCKED)
			nf_srtp_tally(f, verdict, src, 0);
	}
	return verdict;
}
