#include "media/path.h"

#include "base/alloc.h"
#include "base/bucket.h"
#include "base/secret.h"
#include "rtp/rtp.h"
#include "rtp/srtp.h"

/* What is known about the source of one port. */
struct latch {
	struct addr signalled; /* family NONE = unknown */
	struct addr proven;    /* family NONE = not latched */
	struct addr candidate; /* who is collecting proof */
	uint32_t ssrc;	       /* of the candidate */
	uint16_t next_seq;     /* the candidate's next, RTP only */
	uint8_t count;	       /* proofs in a row */
};

struct path {
	struct flow flow;      /* without keys */
	struct latch latch[2]; /* RTP, RTCP */
	struct rtp_srtp *in;   /* NULL: plain */
	struct rtp_srtp *out;
	struct rtp_srtp *in_old; /* the key before, until old_until_ms */
	uint64_t old_until_ms;
	uint64_t out_print; /* of out's key; 0: plain, or not our own */
	struct rtp_spent spent;
	struct journal_record *record; /* NULL: nothing is noted */
	struct bucket new_ssrc;
	struct flow_stats stats;
	uint64_t last_ms; /* of the last valid packet */
	uint32_t epoch;
	struct path *far; /* see path_join; NULL = none */
	bool is_through;  /* far has our own key */
	bool was_latched; /* not yet reported */
	bool is_idle;	  /* reported */
	bool is_active;	  /* again, not yet reported */
	bool has_rolled;  /* see path_take_rolled */
	bool is_told;	  /* that is reported */
};

/* What is known of a packet before and after the checks. */
struct facts {
	uint32_t ssrc;
	uint16_t seq;
	bool is_rtcp; /* by content */
};

static int srtp_for(const struct flow_key *k, struct rtp_srtp **ret)
{
	struct rtp_srtp *s = NULL;

	if (k->suite != SUITE_NONE) {
		s = rtp_srtp_new(k);
		if (!s)
			return ERR_NOMEM;
	}
	*ret = s;
	return 0;
}

/* Under a borrowed key nothing is protected here. */
static uint64_t own_print(const struct flow *f)
{
	return f->out.suite == SUITE_NONE || f->is_borrowed
		       ? 0
		       : rtp_srtp_print(&f->out);
}

static void set_signalled(struct path *p, const struct flow *f)
{
	struct addr rtcp = f->remote_rtcp;

	if (rtcp.family == ADDR_NONE && f->remote.family != ADDR_NONE)
		rtcp = addr_with_port(&f->remote,
				      (uint16_t)(f->remote.port + 1));
	p->latch[0] = (struct latch){.signalled = f->remote};
	p->latch[1] = (struct latch){.signalled = rtcp};
	p->stats.latched = (struct addr){0};
	p->epoch++;
}

static void set_flow(struct path *p, const struct flow *f)
{
	p->flow = *f;
	flow_wipe(&p->flow);
}

struct path *path_new(const struct flow *f, uint64_t now_ms)
{
	struct path *p = alloc_zero(sizeof(*p));

	if (!p)
		return NULL;
	if (srtp_for(&f->in, &p->in) || srtp_for(&f->out, &p->out))
		return path_free(p);
	set_flow(p, f);
	p->out_print = own_print(f);
	set_signalled(p, f);
	bucket_init(&p->new_ssrc, PATH_SSRC_RATE, PATH_SSRC_BURST, now_ms);
	p->stats.id = f->id;
	p->last_ms = now_ms;
	return p;
}

struct path *path_free(struct path *p)
{
	if (!p)
		return NULL;
	rtp_srtp_free(p->in);
	rtp_srtp_free(p->in_old);
	rtp_srtp_free(p->out);
	return alloc_free(p);
}

/* Note how far s comes under key k in half which of the record. */
static void note_key(struct path *p, int which, struct rtp_srtp *s,
		     const struct flow_key *k)
{
	struct journal_record *r = p->record;

	if (!r)
		return;
	/* First nothing is known of any key, then how far this one is: nobody
	 * must ever read one key's number with another's print. */
	r->print[which] = 0;
	r->marks[which] = (struct rtp_marks){.count = 0};
	if (!s)
		return;
	rtp_srtp_note(s, &r->marks[which]);
	r->print[which] = rtp_srtp_print(k);
}

static int resume_key(struct journal_record *r, int which, struct rtp_srtp *s,
		      const struct flow_key *k)
{
	if (!s)
		return 0;
	if (r->print[which] == 0 || r->print[which] != rtp_srtp_print(k))
		return ERR_STATE;
	return rtp_srtp_resume(s, &r->marks[which]);
}

int path_journal(struct path *p, const struct flow *f, struct journal_record *r,
		 bool is_old)
{
	int err;

	p->record = r;
	if (is_old) {
		err = resume_key(r, 0, p->in, &f->in);
		return err ? err : resume_key(r, 1, p->out, &f->out);
	}
	note_key(p, 0, p->in, &f->in);
	note_key(p, 1, p->out, &f->out);
	return 0;
}

static void streams_of(const struct rtp_srtp *s, struct media_streams *ret)
{
	ret->count = s ? rtp_srtp_streams(s, ret->mark) : 0;
}

void path_state(const struct path *p, struct media_state *ret)
{
	streams_of(p->in, &ret->in);
	streams_of(p->out, &ret->out);
	for (int i = 0; i < 2; i++)
		ret->proven[i] = p->latch[i].proven;
	ret->stats = p->stats;
	ret->spent = p->spent;
	/* What was told. */
	ret->is_idle = p->is_idle || p->is_active;
}

/* What was protected there must not come a second time, and SRTCP's sender
 * counts for itself: it leaves a gap that others may have been in. */
static int begin_out(struct rtp_srtp *s, const struct media_streams *at)
{
	struct rtp_mark mark[RTP_SSRC_MAX];

	for (uint32_t i = 0; i < at->count && i < RTP_SSRC_MAX; i++) {
		mark[i] = at->mark[i];
		mark[i].rtcp += MEDIA_RTCP_SKIP;
	}
	return rtp_srtp_begin(s, mark, at->count);
}

int path_begin(struct path *p, const struct media_state *s)
{
	int err = 0;

	if (p->in)
		err = rtp_srtp_begin(p->in, s->in.mark, s->in.count);
	if (!err && p->out)
		err = begin_out(p->out, &s->out);
	for (int i = 0; i < 2; i++)
		p->latch[i].proven = s->proven[i];
	p->stats = s->stats;
	p->stats.id = p->flow.id;
	p->spent = s->spent;
	p->is_idle = s->is_idle;
	p->epoch++;
	return err;
}

static bool same_key(const struct rtp_srtp *s, const struct flow_key *k)
{
	if (!s)
		return k->suite == SUITE_NONE;
	return rtp_srtp_has_key(s, k);
}

/* A silence ends here, and its end is told. */
static void touch(struct path *p, uint64_t now_ms)
{
	p->last_ms = now_ms;
	p->is_active |= p->is_idle;
	p->is_idle = false;
}

int path_update(struct path *p, const struct flow *f, uint64_t now_ms)
{
	bool new_in = !same_key(p->in, &f->in);
	bool new_out = !same_key(p->out, &f->out);
	uint64_t print = own_print(f);
	struct rtp_srtp *in = NULL, *out = NULL;

	/* The current one is not spent, unless it was borrowed meanwhile. */
	if (rtp_spent_has(&p->spent, print))
		return ERR_STATE;
	if (new_in && srtp_for(&f->in, &in))
		return ERR_NOMEM;
	if (new_out && srtp_for(&f->out, &out)) {
		rtp_srtp_free(in);
		return ERR_NOMEM;
	}
	if (new_in)
		note_key(p, 0, in, &f->in);
	if (new_out)
		note_key(p, 1, out, &f->out);
	if (new_in) {
		/* The old context has nowhere to note its steps: it goes on
		 * for PATH_GRACE_MS and is never resumed. */
		if (p->in && p->record)
			rtp_srtp_forget_marks(p->in);
		rtp_srtp_free(p->in_old);
		p->has_rolled = false;
		p->in_old = in ? p->in : NULL;
		if (!in)
			rtp_srtp_free(p->in);
		p->in = in;
		p->old_until_ms = now_ms + PATH_GRACE_MS;
	}
	if (new_out) {
		rtp_srtp_free(p->out);
		p->out = out;
	}
	if (print != p->out_print)
		rtp_spent_add(&p->spent, p->out_print);
	p->out_print = print;
	if (!addr_eq(&f->remote, &p->flow.remote) ||
	    !addr_eq(&f->remote_rtcp, &p->flow.remote_rtcp) ||
	    f->latch != p->flow.latch)
		set_signalled(p, f);
	else if (f->is_muxed != p->flow.is_muxed)
		p->epoch++;
	set_flow(p, f);
	touch(p, now_ms);
	p->is_told = false;
	return 0;
}

void path_join(struct path *p, struct path *far)
{
	p->far = far;
	p->is_through = far && far->flow.is_borrowed && !p->flow.is_raw &&
			p->in && far->out && rtp_srtp_same_key(p->in, far->out);
}

static bool is_group(const struct path *p)
{
	return p->flow.group.family != ADDR_NONE;
}

/* Before anything is computed: may this source send us anything at all? */
static bool may_try(const struct path *p, const struct latch *l,
		    const struct addr *src)
{
	if (addr_eq(src, &l->proven))
		return true;
	/* Nobody says who sends to a group. */
	if (is_group(p))
		return true;
	if (p->flow.latch == FLOW_LATCH_OFF)
		return addr_eq(src, &l->signalled);
	if (p->flow.latch == FLOW_LATCH_NAT && p->in)
		return true;
	if (l->signalled.family == ADDR_NONE || !addr_ip_eq(src, &l->signalled))
		return false;
	/* Plain RTP proves nothing once somebody is latched. */
	return p->in || l->proven.family == ADDR_NONE;
}

static void latch_on(struct path *p, struct latch *l, const struct addr *src)
{
	l->proven = *src;
	l->count = 0;
	p->epoch++;
	if (l == &p->latch[0]) {
		p->stats.latched = *src;
		p->was_latched = true;
	}
}

/* Another proof from src; true when it has enough. */
static bool collect(struct latch *l, const struct addr *src,
		    const struct facts *f)
{
	bool in_row = l->count > 0 && addr_eq(src, &l->candidate) &&
		      l->ssrc == f->ssrc &&
		      (f->is_rtcp || l->next_seq == f->seq);

	l->count = in_row ? (uint8_t)(l->count + 1) : 1;
	l->candidate = *src;
	l->ssrc = f->ssrc;
	l->next_seq = (uint16_t)(f->seq + 1);
	return l->count >= PATH_PROOF;
}

/*
 * A valid packet came from src, which may_try let through. Learn from it;
 * false: not to be forwarded (plain and not proven).
 */
static bool learn(struct path *p, struct latch *l, const struct addr *src,
		  const struct facts *f)
{
	bool is_first = l->proven.family == ADDR_NONE;

	if (is_group(p))
		return true;
	if (!is_first && addr_eq(src, &l->proven)) {
		l->count = 0;
		return true;
	}
	if (is_first && (p->in || addr_eq(src, &l->signalled))) {
		latch_on(p, l, src);
		return true;
	}
	if (collect(l, src, f))
		latch_on(p, l, src);
	/* An authentic packet is the stream's, wherever it came from. */
	return p->in || addr_eq(src, &l->proven);
}

static int unprotect_with(struct rtp_srtp *s, struct path_packet *pkt,
			  bool is_rtcp)
{
	return is_rtcp ? rtp_srtp_unprotect_rtcp(s, pkt->buf, pkt->len,
						 &pkt->len)
		       : rtp_srtp_unprotect(s, pkt->buf, pkt->len, &pkt->len);
}

/* During a change of keys packets under the old one are still on their way.
 * A failed attempt may have garbled the bytes (AEAD), so work on a copy. */
static int unprotect_either(struct path *p, struct path_packet *pkt,
			    bool is_rtcp)
{
	uint8_t copy[PATH_PACKET_MAX];
	size_t len = pkt->len;
	int err;

	memcpy(copy, pkt->buf, len);
	err = unprotect_with(p->in, pkt, is_rtcp);
	if (!err)
		return 0;
	memcpy(pkt->buf, copy, len);
	return unprotect_with(p->in_old, pkt, is_rtcp) ? err : 0;
}

static int unprotect(struct path *p, struct path_packet *pkt, bool is_rtcp,
		     uint64_t now_ms)
{
	if (!p->in_old)
		return unprotect_with(p->in, pkt, is_rtcp);
	if (now_ms < p->old_until_ms)
		return unprotect_either(p, pkt, is_rtcp);
	p->in_old = rtp_srtp_free(p->in_old);
	return unprotect_with(p->in, pkt, is_rtcp);
}

/* Is the plain packet what its kind says? */
static int check_plain(const struct path_packet *pkt, bool is_rtcp)
{
	struct rtp_hdr h;

	if (is_rtcp)
		return rtcp_check(slice_make(pkt->buf, pkt->len));
	return rtp_parse(slice_make(pkt->buf, pkt->len), &h);
}

/* Towards SRTP each new SSRC costs memory for as long as the key lives, and
 * the plain side proves nothing: so few, and slowly. */
static int protect(struct path *p, struct path_packet *pkt,
		   const struct facts *f, uint64_t now_ms)
{
	if (!p->out)
		return 0;
	if (!rtp_srtp_knows(p->out, f->ssrc) &&
	    !bucket_take(&p->new_ssrc, now_ms))
		return ERR_LIMIT;
	if (f->is_rtcp)
		return rtp_srtp_protect_rtcp(p->out, pkt->buf, pkt->len,
					     PATH_BUF_MAX, &pkt->len);
	return rtp_srtp_protect(p->out, pkt->buf, pkt->len, PATH_BUF_MAX,
				&pkt->len);
}

static int read_facts(const struct path_packet *pkt, struct facts *ret)
{
	struct slice s = slice_make(pkt->buf, pkt->len);
	enum rtp_kind kind = rtp_kind(s);
	struct rtp_hdr h;

	*ret = (struct facts){.is_rtcp = kind == RTP_KIND_RTCP};
	if (pkt->len > PATH_PACKET_MAX)
		return ERR_BAD;
	if (kind == RTP_KIND_RTCP)
		return rtcp_parse(s, &ret->ssrc);
	if (kind != RTP_KIND_RTP || pkt->is_rtcp || rtp_parse(s, &h))
		return ERR_BAD;
	ret->ssrc = h.ssrc;
	ret->seq = h.seq;
	return 0;
}

static int count(struct path *p, int err)
{
	switch (err) {
	case 0:
		break;
	case ERR_AUTH:
		p->stats.auth_fail++;
		break;
	case ERR_REPLAY:
		p->stats.replay++;
		break;
	case ERR_DENIED:
		p->stats.src_reject++;
		break;
	case ERR_BAD:
		p->stats.malformed++;
		break;
	default:
		p->stats.dropped++;
		break;
	}
	return err;
}

/* Looked at now and then: one RTP_LEND_MAX has some room behind it. */
static void look_rolled(struct path *p, const struct facts *f)
{
	enum { LOOK_EVERY = 64 };

	if (f->seq % LOOK_EVERY == 0 && p->in && !p->has_rolled)
		p->has_rolled = rtp_srtp_has_rolled(p->in);
}

/* The way out, which may be another path's. */
static int leave(struct path *p, struct path_packet *pkt, const struct facts *f,
		 uint64_t now_ms)
{
	struct path *out = p->far ? p->far : p;

	if (p->flow.is_blocked)
		return ERR_STATE;
	if (p->far)
		touch(p->far, now_ms);
	if (out->flow.is_blocked)
		return ERR_STATE;
	pkt->is_rtcp = f->is_rtcp;
	if (p->is_through)
		return 0;
	return out->flow.is_borrowed ? ERR_STATE : protect(out, pkt, f, now_ms);
}

/* Nothing proves a datagram but the very address it was announced from. */
static int judge_raw(struct path *p, struct path_packet *pkt, uint64_t now_ms)
{
	struct facts f = {.is_rtcp = false};

	if (pkt->is_rtcp || !addr_eq(&pkt->src, &p->latch[0].signalled))
		return ERR_DENIED;
	if (pkt->len > PATH_PACKET_MAX)
		return ERR_BAD;
	touch(p, now_ms);
	return leave(p, pkt, &f, now_ms);
}

static int judge(struct path *p, struct path_packet *pkt, uint64_t now_ms)
{
	struct latch *l = &p->latch[pkt->is_rtcp];
	struct facts f;
	int err;

	if (p->flow.is_raw)
		return judge_raw(p, pkt, now_ms);
	/* The source first: it is the cheapest question, and what a stranger
	 * sends is not worth a diagnosis. */
	if (!may_try(p, l, &pkt->src))
		return ERR_DENIED;
	err = read_facts(pkt, &f);
	if (err)
		return err;
	err = p->in ? unprotect(p, pkt, f.is_rtcp, now_ms)
		    : check_plain(pkt, f.is_rtcp);
	if (err)
		return err;
	/* RTCP on the RTP port tells nothing about where RTP comes from
	 * when it is plain: it has no sequence. */
	if (f.is_rtcp && !pkt->is_rtcp && !p->in && !is_group(p) &&
	    !addr_eq(&pkt->src, &l->proven))
		return ERR_DENIED;
	if (!learn(p, l, &pkt->src, &f))
		return ERR_DENIED;
	if (!f.is_rtcp)
		look_rolled(p, &f);
	touch(p, now_ms);
	return leave(p, pkt, &f, now_ms);
}

/* The far phone has the sender's own key: it gets the packet as it came, once
 * all that makes a packet good has been checked on a copy. */
static int judge_through(struct path *p, struct path_packet *pkt,
			 uint64_t now_ms)
{
	uint8_t copy[PATH_BUF_MAX];
	struct path_packet opened = *pkt;
	int err;

	if (pkt->len > PATH_PACKET_MAX)
		return ERR_BAD;
	memcpy(copy, pkt->buf, pkt->len);
	opened.buf = copy;
	err = judge(p, &opened, now_ms);
	secret_wipe(copy, pkt->len);
	pkt->is_rtcp = opened.is_rtcp;
	return err;
}

int path_receive(struct path *p, struct path_packet *pkt, uint64_t now_ms)
{
	return count(p, p->is_through ? judge_through(p, pkt, now_ms)
				      : judge(p, pkt, now_ms));
}

static void count_sent(struct path *p, bool is_rtcp, size_t received, int err)
{
	if (err) {
		p->stats.dropped++;
	} else if (is_rtcp) {
		p->stats.rtcp_packets++;
	} else {
		p->stats.rtp_packets++;
		p->stats.rtp_bytes += received;
	}
}

void path_sent(struct path *p, bool is_rtcp, size_t received, int err)
{
	count_sent(p, is_rtcp, received, err);
	if (p->far)
		count_sent(p->far, is_rtcp, received, err);
}

const struct addr *path_dest(const struct path *p, bool is_rtcp)
{
	const struct latch *l = &p->latch[is_rtcp && !p->flow.is_muxed];

	return l->proven.family != ADDR_NONE ? &l->proven : &l->signalled;
}

bool path_is_proven(const struct path *p)
{
	return p->latch[0].proven.family != ADDR_NONE;
}

uint32_t path_epoch(const struct path *p)
{
	return p->epoch;
}

const struct flow *path_flow(const struct path *p)
{
	return &p->flow;
}

void path_stats(const struct path *p, struct flow_stats *ret_stats)
{
	*ret_stats = p->stats;
}

bool path_take_latched(struct path *p)
{
	bool was = p->was_latched;

	p->was_latched = false;
	return was;
}

bool path_take_idle(struct path *p, uint64_t now_ms)
{
	if (p->flow.idle_ms == 0 || p->is_idle ||
	    now_ms < p->last_ms + p->flow.idle_ms)
		return false;
	p->is_idle = true;
	return true;
}

bool path_take_active(struct path *p)
{
	bool was = p->is_active;

	p->is_active = false;
	return was;
}

bool path_take_rolled(struct path *p)
{
	bool is_news = p->has_rolled && !p->is_told;

	p->is_told |= p->has_rolled;
	return is_news;
}

static void prefetch(const void *ptr, size_t len)
{
	for (size_t i = 0; i < len; i += 64)
		__builtin_prefetch((const char *)ptr + i);
}

void path_prefetch(const struct path *p)
{
	prefetch(p, sizeof(*p));
}

void path_prefetch_keys(const struct path *p)
{
	if (p->in)
		rtp_srtp_prefetch(p->in);
	if (p->out)
		rtp_srtp_prefetch(p->out);
}

void path_prefetch_streams(const struct path *p)
{
	if (p->in)
		rtp_srtp_prefetch_stream(p->in);
	if (p->out)
		rtp_srtp_prefetch_stream(p->out);
}
