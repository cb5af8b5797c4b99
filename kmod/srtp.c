// SPDX-License-Identifier: GPL-2.0
#include "srtp.h"

#define NF_SRTP_RTP_END	 (1ull << 48)
#define NF_SRTP_RTCP_END (1ull << 31)
#define NF_SRTP_E_BIT	 0x80000000u

int nf_srtp_key_init(struct nf_srtp_key_state *k,
		     const struct nf_srtp_master *m)
{
	const struct nf_srtp_suite_row *suite = nf_srtp_suite_find(m->suite);
	int err;

	memset(k, 0, sizeof(*k));
	spin_lock_init(&k->lock);
	k->suite = suite;
	k->number = m->suite;
	k->mki_len = m->mki_len;
	memcpy(k->mki, m->mki, m->mki_len);
	k->tokens = NF_SRTP_SSRC_BURST;
	k->refilled = jiffies;
	nf_srtp_derive(suite, m->key, m->salt, NF_SRTP_LABEL_PRINT, k->print,
		       sizeof(k->print));
	err = nf_srtp_session_init(&k->rtp, suite, m->key, m->salt,
				   NF_SRTP_LABEL_RTP, true);
	if (!err)
		err = nf_srtp_session_init(&k->rtcp, suite, m->key, m->salt,
					   NF_SRTP_LABEL_RTCP, false);
	if (err)
		nf_srtp_key_done(k);
	return err;
}

void nf_srtp_key_done(struct nf_srtp_key_state *k)
{
	struct nf_srtp_stream_state *st, *next;

	for (st = k->streams; st; st = next) {
		next = st->next;
		if (st != &k->first)
			kfree(st);
	}
	nf_srtp_session_done(&k->rtp);
	nf_srtp_session_done(&k->rtcp);
	memzero_explicit(k, sizeof(*k));
}

bool nf_srtp_key_eq(const struct nf_srtp_key_state *a,
		    const struct nf_srtp_key_state *b)
{
	return a->number == b->number && a->mki_len == b->mki_len &&
	       !memcmp(a->mki, b->mki, a->mki_len) &&
	       !crypto_memneq(a->print, b->print, sizeof(a->print)) &&
	       !crypto_memneq(a->rtp.key, b->rtp.key, sizeof(a->rtp.key));
}

u64 nf_srtp_key_print(const struct nf_srtp_key_state *k)
{
	return (u64)nf_srtp_get32(k->print) << 32 | nf_srtp_get32(k->print + 4);
}

static struct nf_srtp_stream_state *
nf_srtp_find(const struct nf_srtp_key_state *k, u32 ssrc)
{
	struct nf_srtp_stream_state *st = k->streams;

	while (st && st->ssrc != ssrc)
		st = st->next;
	return st;
}

/*
 * A stream is never forgotten while the key lives: it would come back with an
 * empty window, and its old packets with it. Hence the limit.
 */
static int nf_srtp_add(struct nf_srtp_key_state *k, u32 ssrc,
		       struct nf_srtp_stream_state **ret)
{
	struct nf_srtp_stream_state *st = &k->first;

	if (k->count == NF_SRTP_SSRC_MAX)
		return NF_SRTP_STAT_SSRC_LIMIT;
	if (k->count)
		st = kzalloc(sizeof(*st), GFP_ATOMIC);
	if (!st)
		return NF_SRTP_STAT_NO_MEM;
	st->ssrc = ssrc;
	st->next = k->streams;
	k->streams = st;
	k->count++;
	WRITE_ONCE(k->ssrc_new, ssrc);
	WRITE_ONCE(k->has_ssrc_new, true);
	*ret = st;
	return 0;
}

int nf_srtp_key_resume(struct nf_srtp_key_state *k, u32 ssrc, u64 rtp, u32 rtcp)
{
	struct nf_srtp_stream_state *st;
	int err;

	if (nf_srtp_find(k, ssrc))
		return -EEXIST;
	err = nf_srtp_add(k, ssrc, &st);
	if (err)
		return err == NF_SRTP_STAT_NO_MEM ? -ENOMEM : -ENOSPC;
	k->has_ssrc_new = false;
	if (rtp)
		nf_srtp_index_resume(&st->rtp, rtp);
	if (rtcp)
		nf_srtp_index_resume(&st->rtcp, rtcp);
	return 0;
}

void nf_srtp_key_close(struct nf_srtp_key_state *k)
{
	spin_lock_bh(&k->lock);
	k->is_closed = true;
	spin_unlock_bh(&k->lock);
}

/* Towards SRTP each SSRC costs memory for as long as the key lives, and the
 * plain side proves nothing: so few, and slowly.
 */
static bool nf_srtp_take_token(struct nf_srtp_key_state *k)
{
	unsigned long more = (jiffies - k->refilled) * NF_SRTP_SSRC_RATE / HZ;

	if (more) {
		k->refilled = jiffies;
		k->tokens = min_t(unsigned long, k->tokens + more,
				  NF_SRTP_SSRC_BURST);
	}
	if (!k->tokens)
		return false;
	k->tokens--;
	return true;
}

/* The index of an outgoing packet, which is used up from here on. */
static int nf_srtp_reserve_locked(struct nf_srtp_key_state *k,
				  const struct nf_srtp_packet *p, u64 *ret)
{
	struct nf_srtp_stream_state *st = nf_srtp_find(k, p->ssrc);
	u64 index, end = p->is_rtcp ? NF_SRTP_RTCP_END : NF_SRTP_RTP_END;
	struct nf_srtp_window *w;
	int err;

	if (k->is_closed)
		return NF_SRTP_STAT_NO_DEST;
	if (!st) {
		if (!nf_srtp_take_token(k))
			return NF_SRTP_STAT_SSRC_LIMIT;
		err = nf_srtp_add(k, p->ssrc, &st);
		if (err)
			return err;
	}
	w = p->is_rtcp ? &st->rtcp : &st->rtp;
	if (p->is_rtcp)
		index = w->next ? w->next : 1;
	else
		index = nf_srtp_index_guess(w, p->seq);
	if (index >= end)
		return NF_SRTP_STAT_WORN;
	if (!nf_srtp_index_test(w, index))
		return NF_SRTP_STAT_REPLAY;
	nf_srtp_index_commit(w, index);
	if (index >= end / 2)
		WRITE_ONCE(k->is_worn, true);
	*ret = index;
	return 0;
}

static int nf_srtp_reserve(struct nf_srtp_key_state *k,
			   const struct nf_srtp_packet *p, u64 *ret)
{
	int err;

	spin_lock(&k->lock);
	err = nf_srtp_reserve_locked(k, p, ret);
	spin_unlock(&k->lock);
	return err;
}

/* The MKI stands before the HMAC, but behind the AEAD's tag (RFC 3711 section
 * 3.1, RFC 7714 section 8). The HMAC covers the roll-over counter behind the
 * packet, which is written where tag or MKI will stand (section 4.2).
 */
static int nf_srtp_protect_rtp(struct nf_srtp_key_state *k,
			       struct nf_srtp_packet *p)
{
	u32 tag_len = k->suite->rtp_tag_len;
	u8 *end = p->data + p->len;
	u8 mac[NF_SRTP_SHA1_BYTES];
	u64 index;
	int err;

	err = nf_srtp_reserve(k, p, &index);
	if (err)
		return err;
	if (k->suite->is_aead) {
		struct nf_srtp_piece piece = {p->data, p->header_len,
					      p->len - p->header_len};

		err = nf_srtp_session_seal(&k->rtp, p->ssrc, index, &piece);
		if (err)
			return err;
		memcpy(end + tag_len, k->mki, k->mki_len);
	} else {
		err = nf_srtp_session_ctr(&k->rtp, p->ssrc, index,
					  p->data + p->header_len,
					  p->len - p->header_len);
		if (err)
			return err;
		nf_srtp_put32(end, index >> 16);
		nf_srtp_session_mac(&k->rtp, p->data, p->len + 4, mac);
		memcpy(end, k->mki, k->mki_len);
		memcpy(end + k->mki_len, mac, tag_len);
	}
	p->len += tag_len + k->mki_len;
	return 0;
}

/* What AES-GCM authenticates of an SRTCP packet beside its text (RFC 7714
 * section 9.2).
 */
static void nf_srtp_rtcp_aad(const u8 *data, u32 word, u8 *aad)
{
	memcpy(aad, data, NF_SRTP_RTCP_MIN);
	nf_srtp_put32(aad + NF_SRTP_RTCP_MIN, word);
}

static int nf_srtp_protect_rtcp(struct nf_srtp_key_state *k,
				struct nf_srtp_packet *p)
{
	u32 tag_len = k->suite->rtcp_tag_len;
	u8 aad[NF_SRTP_RTCP_MIN + NF_SRTP_INDEX_BYTES];
	u8 *end = p->data + p->len;
	u8 mac[NF_SRTP_SHA1_BYTES];
	u32 word;
	u64 index;
	int err;

	err = nf_srtp_reserve(k, p, &index);
	if (err)
		return err;
	word = NF_SRTP_E_BIT | (u32)index;
	if (k->suite->is_aead) {
		struct nf_srtp_aead parts = {
			.aad = aad,
			.aad_len = sizeof(aad),
			.data = p->data + NF_SRTP_RTCP_MIN,
			.len = p->len - NF_SRTP_RTCP_MIN,
		};

		nf_srtp_rtcp_aad(p->data, word, aad);
		nf_srtp_session_seal_parts(&k->rtcp, p->ssrc, index, &parts,
					   end);
		nf_srtp_put32(end + tag_len, word);
		memcpy(end + tag_len + NF_SRTP_INDEX_BYTES, k->mki, k->mki_len);
	} else {
		err = nf_srtp_session_ctr(&k->rtcp, p->ssrc, index,
					  p->data + NF_SRTP_RTCP_MIN,
					  p->len - NF_SRTP_RTCP_MIN);
		if (err)
			return err;
		nf_srtp_put32(end, word);
		end += NF_SRTP_INDEX_BYTES;
		nf_srtp_session_mac(&k->rtcp, p->data,
				    p->len + NF_SRTP_INDEX_BYTES, mac);
		memcpy(end, k->mki, k->mki_len);
		memcpy(end + k->mki_len, mac, tag_len);
	}
	p->len += tag_len + k->mki_len + NF_SRTP_INDEX_BYTES;
	return 0;
}

int nf_srtp_protect(struct nf_srtp_key_state *k, struct nf_srtp_packet *p)
{
	return p->is_rtcp ? nf_srtp_protect_rtcp(k, p)
			  : nf_srtp_protect_rtp(k, p);
}

static struct nf_srtp_window *nf_srtp_window_of(struct nf_srtp_stream_state *st,
						const struct nf_srtp_packet *p)
{
	return p->is_rtcp ? &st->rtcp : &st->rtp;
}

/* Before anything is computed: could p be new? RTCP says its index. */
static int nf_srtp_consider(struct nf_srtp_key_state *k,
			    const struct nf_srtp_packet *p, u64 *index)
{
	struct nf_srtp_stream_state *st;
	int verdict = 0;

	spin_lock(&k->lock);
	st = nf_srtp_find(k, p->ssrc);
	if (!st && !p->is_rtcp)
		*index = p->seq;
	if (st && !p->is_rtcp)
		*index = nf_srtp_index_guess(&st->rtp, p->seq);
	if (*index >= NF_SRTP_RTP_END)
		verdict = NF_SRTP_STAT_WORN;
	else if (st && !nf_srtp_index_test(nf_srtp_window_of(st, p), *index))
		verdict = NF_SRTP_STAT_REPLAY;
	spin_unlock(&k->lock);
	return verdict;
}

/* The tag verified. Another processor may have had the same packet. */
static int nf_srtp_accept_locked(struct nf_srtp_key_state *k,
				 const struct nf_srtp_packet *p, u64 index)
{
	struct nf_srtp_stream_state *st = nf_srtp_find(k, p->ssrc);
	int err;

	if (k->is_closed)
		return NF_SRTP_STAT_NO_DEST;
	if (!st) {
		err = nf_srtp_add(k, p->ssrc, &st);
		if (err)
			return err;
	}
	if (!nf_srtp_index_test(nf_srtp_window_of(st, p), index))
		return NF_SRTP_STAT_REPLAY;
	nf_srtp_index_commit(nf_srtp_window_of(st, p), index);
	if (index >= (p->is_rtcp ? NF_SRTP_RTCP_END : NF_SRTP_RTP_END) / 2)
		WRITE_ONCE(k->is_worn, true);
	return 0;
}

static int nf_srtp_accept(struct nf_srtp_key_state *k,
			  const struct nf_srtp_packet *p, u64 index)
{
	int err;

	spin_lock(&k->lock);
	err = nf_srtp_accept_locked(k, p, index);
	spin_unlock(&k->lock);
	return err;
}

/* Does the HMAC over data, covering more bytes that are put behind body for
 * the while, have the tag? The packet is as it was afterwards.
 */
static bool nf_srtp_check_rtp(struct nf_srtp_key_state *k, u8 *body_end,
			      u8 *data, u64 index)
{
	u32 tag_len = k->suite->rtp_tag_len;
	u8 mac[NF_SRTP_SHA1_BYTES];
	u8 saved[4];

	/* At least four bytes of MKI and tag stand there. */
	memcpy(saved, body_end, sizeof(saved));
	nf_srtp_put32(body_end, index >> 16);
	nf_srtp_session_mac(&k->rtp, data, body_end - data + 4, mac);
	memcpy(body_end, saved, sizeof(saved));
	return !crypto_memneq(mac, body_end + k->mki_len, tag_len);
}

static int nf_srtp_unprotect_rtp(struct nf_srtp_key_state *k,
				 struct nf_srtp_packet *p, bool keep,
				 bool careful)
{
	u32 tag_len = k->suite->rtp_tag_len, body;
	u8 *text = p->data + p->header_len;
	u64 index;
	int err;

	if (p->len - p->header_len < tag_len + k->mki_len)
		return NF_SRTP_STAT_MALFORMED;
	body = p->len - tag_len - k->mki_len;
	if (memcmp(p->data + body + (k->suite->is_aead ? tag_len : 0), k->mki,
		   k->mki_len))
		return NF_SRTP_STAT_AUTH_FAIL;
	err = nf_srtp_consider(k, p, &index);
	if (err)
		return err;
	if (k->suite->is_aead) {
		struct nf_srtp_piece piece = {p->data, p->header_len,
					      body - p->header_len};

		err = nf_srtp_session_open(&k->rtp, p->ssrc, index, &piece,
					   keep, careful);
	} else if (!nf_srtp_check_rtp(k, p->data + body, p->data, index)) {
		err = NF_SRTP_STAT_AUTH_FAIL;
	}
	if (!err)
		err = nf_srtp_accept(k, p, index);
	if (err || keep)
		return err;
	if (!k->suite->is_aead)
		err = nf_srtp_session_ctr(&k->rtp, p->ssrc, index, text,
					  body - p->header_len);
	p->len = body;
	return err;
}

/* Where the parts of an SRTCP packet's trailer stand. */
struct nf_srtp_trailer {
	u8 *tag;
	u8 *word;
	u8 *mki;
};

static void nf_srtp_trailer_find(const struct nf_srtp_key_state *k, u8 *at,
				 struct nf_srtp_trailer *t)
{
	t->tag = at;
	if (k->suite->is_aead)
		at += k->suite->rtcp_tag_len;
	t->word = at;
	t->mki = at + NF_SRTP_INDEX_BYTES;
	if (!k->suite->is_aead)
		t->tag = t->mki + k->mki_len;
}

static bool nf_srtp_check_rtcp(struct nf_srtp_key_state *k,
			       struct nf_srtp_packet *p, u32 body,
			       const struct nf_srtp_trailer *t, bool keep)
{
	u8 aad[NF_SRTP_RTCP_MIN + NF_SRTP_INDEX_BYTES];
	u32 word = nf_srtp_get32(t->word);
	u8 mac[NF_SRTP_SHA1_BYTES];

	if (k->suite->is_aead) {
		struct nf_srtp_aead parts = {
			.aad = aad,
			.aad_len = sizeof(aad),
			.data = p->data + NF_SRTP_RTCP_MIN,
			.len = body - NF_SRTP_RTCP_MIN,
		};

		nf_srtp_rtcp_aad(p->data, word, aad);
		return nf_srtp_session_open_parts(&k->rtcp, p->ssrc,
						  word & ~NF_SRTP_E_BIT, &parts,
						  t->tag, keep);
	}
	nf_srtp_session_mac(&k->rtcp, p->data, body + NF_SRTP_INDEX_BYTES, mac);
	return !crypto_memneq(mac, t->tag, k->suite->rtcp_tag_len);
}

static int nf_srtp_unprotect_rtcp(struct nf_srtp_key_state *k,
				  struct nf_srtp_packet *p, bool keep)
{
	u32 growth = k->suite->rtcp_tag_len + k->mki_len + NF_SRTP_INDEX_BYTES;
	struct nf_srtp_trailer t;
	u32 body, word;
	u64 index;
	int err;

	if (p->len - NF_SRTP_RTCP_MIN < growth)
		return NF_SRTP_STAT_MALFORMED;
	body = p->len - growth;
	nf_srtp_trailer_find(k, p->data + body, &t);
	word = nf_srtp_get32(t.word);
	/* Nobody agreed to UNENCRYPTED_SRTCP. */
	if (!(word & NF_SRTP_E_BIT) || memcmp(t.mki, k->mki, k->mki_len))
		return NF_SRTP_STAT_AUTH_FAIL;
	index = word & ~NF_SRTP_E_BIT;
	err = nf_srtp_consider(k, p, &index);
	if (err)
		return err;
	if (!nf_srtp_check_rtcp(k, p, body, &t, keep))
		return NF_SRTP_STAT_AUTH_FAIL;
	err = nf_srtp_accept(k, p, index);
	if (err || keep)
		return err;
	if (!k->suite->is_aead)
		err = nf_srtp_session_ctr(&k->rtcp, p->ssrc, index,
					  p->data + NF_SRTP_RTCP_MIN,
					  body - NF_SRTP_RTCP_MIN);
	p->len = body;
	return err;
}

int nf_srtp_unprotect(struct nf_srtp_key_state *k, struct nf_srtp_packet *p,
		      bool keep, bool careful)
{
	return p->is_rtcp ? nf_srtp_unprotect_rtcp(k, p, keep)
			  : nf_srtp_unprotect_rtp(k, p, keep, careful);
}
