#include "rtp/srtp.h"

#include "base/alloc.h"
#include "base/be.h"
#include "base/secret.h"
#include "rtp/cipher.h"
#include "rtp/rtp.h"
#include "rtp/window.h"

enum { TAG_MAX = 20, INDEX_LEN = 4, CACHE_LINE = 64, PREFETCH_MAX = 640 };
#define RTP_INDEX_END  ((uint64_t)1 << 48)
#define RTCP_INDEX_END ((uint64_t)1 << 31)
#define RTCP_E_BIT     0x80000000u

/* One SSRC. RTP and RTCP have their own index and window. */
struct stream {
	uint32_t ssrc;
	struct window rtp;
	struct window rtcp;
	struct rtp_mark *mark; /* NULL: nobody notes how far it is */
};

struct rtp_srtp {
	const struct suite_info *info;
	uint32_t count;
	struct flow_key key; /* to tell a rekey from a repetition */
	struct stream *stream[RTP_SSRC_MAX];
	struct rtp_marks *marks; /* NULL: nobody does */
	struct cipher *rtp;	 /* both in the same block, behind this */
	struct cipher *rtcp;
	size_t size; /* of the block */
};

static size_t round_up(size_t n)
{
	return (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

struct rtp_srtp *rtp_srtp_new(const struct flow_key *k)
{
	size_t head = round_up(sizeof(struct rtp_srtp));
	size_t each = round_up(cipher_size(k->suite));
	struct rtp_srtp *s = alloc_zero(head + 2 * each);

	if (!s)
		return NULL;
	s->size = head + 2 * each;
	s->rtp = (struct cipher *)(void *)((char *)s + head);
	s->rtcp = (struct cipher *)(void *)((char *)s + head + each);
	s->key = *k;
	s->info = suite_info(k->suite);
	cipher_init(s->rtp, k, CIPHER_LABEL_RTP);
	cipher_init(s->rtcp, k, CIPHER_LABEL_RTCP);
	return s;
}

void rtp_srtp_forget_marks(struct rtp_srtp *s)
{
	s->marks = NULL;
	for (uint32_t i = 0; i < s->count; i++)
		s->stream[i]->mark = NULL;
}

uint64_t rtp_srtp_print(const struct flow_key *k)
{
	uint8_t out[8];
	uint64_t v = 0;

	cipher_derive(k, CIPHER_LABEL_PRINT, out, sizeof(out));
	for (size_t i = 0; i < sizeof(out); i++)
		v = v << 8 | out[i];
	return v;
}

bool rtp_spent_has(const struct rtp_spent *s, uint64_t print)
{
	for (uint32_t i = 0; print != 0 && i < RTP_SPENT_MAX; i++) {
		if (s->print[i] == print)
			return true;
	}
	return false;
}

void rtp_spent_add(struct rtp_spent *s, uint64_t print)
{
	if (print == 0 || rtp_spent_has(s, print))
		return;
	s->print[s->next] = print;
	s->next = (s->next + 1) % RTP_SPENT_MAX;
}

struct rtp_srtp *rtp_srtp_free(struct rtp_srtp *s)
{
	if (!s)
		return NULL;
	for (uint32_t i = 0; i < s->count; i++)
		alloc_free(s->stream[i]);
	secret_wipe(s, s->size);
	return alloc_free(s);
}

bool rtp_srtp_has_key(const struct rtp_srtp *s, const struct flow_key *k)
{
	return flow_key_eq(&s->key, k);
}

bool rtp_srtp_same_key(const struct rtp_srtp *a, const struct rtp_srtp *b)
{
	return rtp_srtp_has_key(a, &b->key);
}

uint32_t rtp_srtp_ssrcs(const struct rtp_srtp *s)
{
	return s->count;
}

static struct stream *find(const struct rtp_srtp *s, uint32_t ssrc)
{
	for (uint32_t i = 0; i < s->count; i++) {
		if (s->stream[i]->ssrc == ssrc)
			return s->stream[i];
	}
	return NULL;
}

bool rtp_srtp_knows(const struct rtp_srtp *s, uint32_t ssrc)
{
	return find(s, ssrc) != NULL;
}

bool rtp_srtp_has_rolled(const struct rtp_srtp *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct window *w = &s->stream[i]->rtp;

		if (w->is_set && w->top >= RTP_LEND_MAX)
			return true;
	}
	return false;
}

/* A new stream is noted beside the others, while there is room. */
static void note_stream(struct rtp_srtp *s, struct stream *st)
{
	struct rtp_marks *m = s->marks;

	if (!m)
		return;
	if (m->count == RTP_MARKS) {
		m->is_full = 1;
		return;
	}
	st->mark = &m->mark[m->count++];
	*st->mark = (struct rtp_mark){.ssrc = st->ssrc};
}

/*
 * A stream is never forgotten while the key lives: it would come back with an
 * empty window, and its old packets with it. Hence the limit.
 */
static int find_or_add(struct rtp_srtp *s, uint32_t ssrc, struct stream **ret)
{
	struct stream *st = find(s, ssrc);

	if (!st) {
		if (s->count == RTP_SSRC_MAX)
			return ERR_LIMIT;
		st = alloc_zero(sizeof(*st));
		if (!st)
			return ERR_NOMEM;
		st->ssrc = ssrc;
		s->stream[s->count++] = st;
		note_stream(s, st);
	}
	*ret = st;
	return 0;
}

static void commit_rtp(struct stream *st, uint64_t index)
{
	window_commit(&st->rtp, index);
	if (st->mark)
		st->mark->rtp = st->rtp.top + 1;
}

static void commit_rtcp(struct stream *st, uint64_t index)
{
	window_commit(&st->rtcp, index);
	if (st->mark)
		st->mark->rtcp = (uint32_t)st->rtcp.top + 1;
}

static int resume_stream(struct rtp_srtp *s, const struct rtp_mark *m,
			 struct rtp_mark *note)
{
	struct stream *st = alloc_zero(sizeof(*st));

	if (!st)
		return ERR_NOMEM;
	st->ssrc = m->ssrc;
	st->mark = note;
	if (m->rtp > 0)
		window_resume(&st->rtp, m->rtp - 1);
	if (m->rtcp > 0)
		window_resume(&st->rtcp, m->rtcp - 1);
	s->stream[s->count++] = st;
	return 0;
}

int rtp_srtp_resume(struct rtp_srtp *s, struct rtp_marks *m)
{
	int err = 0;

	if (m->is_full || m->count > RTP_MARKS)
		return ERR_STATE;
	for (uint32_t i = 0; !err && i < m->count; i++)
		err = resume_stream(s, &m->mark[i], &m->mark[i]);
	if (!err)
		s->marks = m;
	return err;
}

int rtp_srtp_begin(struct rtp_srtp *s, const struct rtp_mark *m, uint32_t n)
{
	int err = n > RTP_SSRC_MAX ? ERR_LIMIT : 0;

	for (uint32_t i = 0; !err && i < n; i++)
		err = resume_stream(s, &m[i], NULL);
	return err;
}

static struct rtp_mark mark_of(const struct stream *st)
{
	struct rtp_mark m = {.ssrc = st->ssrc};

	if (st->rtp.is_set)
		m.rtp = st->rtp.top + 1;
	if (st->rtcp.is_set)
		m.rtcp = (uint32_t)st->rtcp.top + 1;
	return m;
}

uint32_t rtp_srtp_streams(const struct rtp_srtp *s,
			  struct rtp_mark ret[RTP_SSRC_MAX])
{
	for (uint32_t i = 0; i < s->count; i++)
		ret[i] = mark_of(s->stream[i]);
	return s->count;
}

void rtp_srtp_note(struct rtp_srtp *s, struct rtp_marks *m)
{
	*m = (struct rtp_marks){.count = 0};
	s->marks = m;
	for (uint32_t i = 0; i < s->count; i++) {
		struct stream *st = s->stream[i];

		note_stream(s, st);
		if (st->mark)
			*st->mark = mark_of(st);
	}
}

/* The HMAC of an SRTP packet covers the roll-over counter behind it
 * (RFC 3711 section 4.2). */
static void rtp_tag(struct rtp_srtp *s, const uint8_t *buf, size_t len,
		    uint64_t index, uint8_t *ret_tag)
{
	uint8_t roc[4];

	put_be32(roc, (uint32_t)(index >> 16));
	cipher_hmac(s->rtp, slice_make(buf, len), slice_make(roc, sizeof(roc)),
		    s->info->rtp_tag_len, ret_tag);
}

int rtp_srtp_protect(struct rtp_srtp *s, uint8_t *buf, size_t len, size_t cap,
		     size_t *ret_len)
{
	size_t tag_len = s->info->rtp_tag_len, mki_len = s->key.mki_len;
	size_t tag_at;
	struct stream *st;
	struct rtp_hdr h;
	uint64_t index;
	int err;

	if (rtp_parse(slice_make(buf, len), &h))
		return ERR_BAD;
	if (cap < len || cap - len < tag_len + mki_len)
		return ERR_SPACE;
	err = find_or_add(s, h.ssrc, &st);
	if (err)
		return err;
	index = window_guess(&st->rtp, h.seq);
	if (index >= RTP_INDEX_END)
		return ERR_LIMIT;
	err = window_test(&st->rtp, index);
	if (err)
		return err;
	/* The MKI stands before the HMAC, but behind the AEAD's tag
	 * (RFC 3711 section 3.1, RFC 7714 section 8). */
	if (s->info->is_aead) {
		struct cipher_aead op = {
			h.ssrc, index, slice_make(buf, h.header_len),
			buf + h.header_len, len - h.header_len};

		cipher_seal(s->rtp, &op, buf + len);
		memcpy(buf + len + tag_len, s->key.mki, mki_len);
	} else {
		cipher_ctr(s->rtp, h.ssrc, index, buf + h.header_len,
			   len - h.header_len);
		tag_at = len + mki_len;
		memcpy(buf + len, s->key.mki, mki_len);
		rtp_tag(s, buf, len, index, buf + tag_at);
	}
	commit_rtp(st, index);
	*ret_len = len + tag_len + mki_len;
	return 0;
}

static bool tag_eq(const uint8_t *a, const uint8_t *b, size_t len)
{
	return secret_eq(slice_make(a, len), slice_make(b, len));
}

int rtp_srtp_unprotect(struct rtp_srtp *s, uint8_t *buf, size_t len,
		       size_t *ret_len)
{
	static const struct window empty;
	size_t tag_len = s->info->rtp_tag_len, mki_len = s->key.mki_len;
	const uint8_t *tag_at, *mki_at;
	uint8_t tag[TAG_MAX];
	struct stream *st;
	struct rtp_hdr h;
	uint64_t index;
	size_t body;
	int err;

	if (rtp_parse(slice_make(buf, len), &h) ||
	    len - h.header_len < tag_len + mki_len)
		return ERR_BAD;
	body = len - tag_len - mki_len;
	mki_at = buf + (s->info->is_aead ? body + tag_len : body);
	tag_at = buf + (s->info->is_aead ? body : body + mki_len);
	if (memcmp(mki_at, s->key.mki, mki_len) != 0)
		return ERR_AUTH;
	st = find(s, h.ssrc);
	index = window_guess(st ? &st->rtp : &empty, h.seq);
	if (index >= RTP_INDEX_END)
		return ERR_LIMIT;
	err = window_test(st ? &st->rtp : &empty, index);
	if (err)
		return err;
	if (s->info->is_aead) {
		struct cipher_aead op = {
			h.ssrc, index, slice_make(buf, h.header_len),
			buf + h.header_len, body - h.header_len};

		cipher_open(s->rtp, &op, tag);
	} else {
		rtp_tag(s, buf, body, index, tag);
	}
	if (!tag_eq(tag, tag_at, tag_len))
		return ERR_AUTH;
	err = find_or_add(s, h.ssrc, &st);
	if (err)
		return err;
	if (!s->info->is_aead)
		cipher_ctr(s->rtp, h.ssrc, index, buf + h.header_len,
			   body - h.header_len);
	commit_rtp(st, index);
	*ret_len = body;
	return 0;
}

/* What AES-GCM authenticates of an SRTCP packet: its first 8 bytes and the
 * word of E bit and index (RFC 7714 section 9.2). */
static void rtcp_aad(const uint8_t *buf, uint32_t word, uint8_t *ret_aad)
{
	memcpy(ret_aad, buf, RTCP_HDR_MIN);
	put_be32(ret_aad + RTCP_HDR_MIN, word);
}

int rtp_srtp_protect_rtcp(struct rtp_srtp *s, uint8_t *buf, size_t len,
			  size_t cap, size_t *ret_len)
{
	size_t tag_len = s->info->rtcp_tag_len, mki_len = s->key.mki_len;
	size_t growth = tag_len + mki_len + INDEX_LEN;
	uint8_t aad[RTCP_HDR_MIN + INDEX_LEN];
	struct stream *st;
	uint64_t index;
	uint32_t ssrc, word;
	int err;

	if (rtcp_parse(slice_make(buf, len), &ssrc))
		return ERR_BAD;
	if (cap < len || cap - len < growth)
		return ERR_SPACE;
	err = find_or_add(s, ssrc, &st);
	if (err)
		return err;
	index = st->rtcp.is_set ? st->rtcp.top + 1 : 1;
	if (index >= RTCP_INDEX_END)
		return ERR_LIMIT;
	word = RTCP_E_BIT | (uint32_t)index;
	if (s->info->is_aead) {
		struct cipher_aead op = {
			ssrc, index, slice_make(aad, sizeof(aad)),
			buf + RTCP_HDR_MIN, len - RTCP_HDR_MIN};

		rtcp_aad(buf, word, aad);
		cipher_seal(s->rtcp, &op, buf + len);
		put_be32(buf + len + tag_len, word);
		memcpy(buf + len + tag_len + INDEX_LEN, s->key.mki, mki_len);
	} else {
		cipher_ctr(s->rtcp, ssrc, index, buf + RTCP_HDR_MIN,
			   len - RTCP_HDR_MIN);
		put_be32(buf + len, word);
		memcpy(buf + len + INDEX_LEN, s->key.mki, mki_len);
		cipher_hmac(s->rtcp, slice_make(buf, len + INDEX_LEN),
			    SLICE_NULL, tag_len,
			    buf + len + INDEX_LEN + mki_len);
	}
	commit_rtcp(st, index);
	*ret_len = len + growth;
	return 0;
}

/* Where the parts of an SRTCP packet's trailer stand. */
struct rtcp_trailer {
	size_t body; /* bytes before the trailer */
	const uint8_t *tag;
	const uint8_t *word;
	const uint8_t *mki;
};

static struct rtcp_trailer rtcp_trailer(const struct rtp_srtp *s,
					const uint8_t *buf, size_t len)
{
	size_t tag_len = s->info->rtcp_tag_len, mki_len = s->key.mki_len;
	struct rtcp_trailer t;

	t.body = len - tag_len - mki_len - INDEX_LEN;
	if (s->info->is_aead) {
		t.tag = buf + t.body;
		t.word = t.tag + tag_len;
		t.mki = t.word + INDEX_LEN;
	} else {
		t.word = buf + t.body;
		t.mki = t.word + INDEX_LEN;
		t.tag = t.mki + mki_len;
	}
	return t;
}

int rtp_srtp_unprotect_rtcp(struct rtp_srtp *s, uint8_t *buf, size_t len,
			    size_t *ret_len)
{
	static const struct window empty;
	size_t tag_len = s->info->rtcp_tag_len, mki_len = s->key.mki_len;
	uint8_t aad[RTCP_HDR_MIN + INDEX_LEN];
	uint8_t tag[TAG_MAX];
	struct rtcp_trailer t;
	struct stream *st;
	uint32_t ssrc, word;
	int err;

	if (rtcp_parse(slice_make(buf, len), &ssrc) ||
	    len - RTCP_HDR_MIN < tag_len + mki_len + INDEX_LEN)
		return ERR_BAD;
	t = rtcp_trailer(s, buf, len);
	word = get_be32(t.word);
	if (!(word & RTCP_E_BIT) || memcmp(t.mki, s->key.mki, mki_len) != 0)
		return ERR_AUTH;
	st = find(s, ssrc);
	err = window_test(st ? &st->rtcp : &empty, word & ~RTCP_E_BIT);
	if (err)
		return err;
	if (s->info->is_aead) {
		struct cipher_aead op = {
			ssrc, word & ~RTCP_E_BIT, slice_make(aad, sizeof(aad)),
			buf + RTCP_HDR_MIN, t.body - RTCP_HDR_MIN};

		rtcp_aad(buf, word, aad);
		cipher_open(s->rtcp, &op, tag);
	} else {
		cipher_hmac(s->rtcp, slice_make(buf, t.body + INDEX_LEN),
			    SLICE_NULL, tag_len, tag);
	}
	if (!tag_eq(tag, t.tag, tag_len))
		return ERR_AUTH;
	err = find_or_add(s, ssrc, &st);
	if (err)
		return err;
	if (!s->info->is_aead)
		cipher_ctr(s->rtcp, ssrc, word & ~RTCP_E_BIT,
			   buf + RTCP_HDR_MIN, t.body - RTCP_HDR_MIN);
	commit_rtcp(st, word & ~RTCP_E_BIT);
	*ret_len = t.body;
	return 0;
}

void rtp_srtp_prefetch(const struct rtp_srtp *s)
{
	const char *p = (const char *)s + round_up(sizeof(*s));

	__builtin_prefetch(s);
	__builtin_prefetch((const char *)s + CACHE_LINE);
	__builtin_prefetch(&s->stream[0]);
	/* Of a GCM context the rest is a table that is not touched whole. */
	for (size_t i = 0; i < PREFETCH_MAX; i += CACHE_LINE)
		__builtin_prefetch(p + i);
}

void rtp_srtp_prefetch_stream(const struct rtp_srtp *s)
{
	const struct stream *st = s->count > 0 ? s->stream[0] : NULL;

	if (!st)
		return;
	__builtin_prefetch(st);
	__builtin_prefetch(&st->rtp.bit[st->rtp.top % WINDOW_BITS / 64]);
}
