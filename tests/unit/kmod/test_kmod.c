/*
 * The kernel module's transform in user space: its own tests, and the same
 * packets through libsrtp2 and through src/rtp, which must give the same bytes
 * and the same verdicts for every suite, in order, out of order, lost, twice
 * and forged.
 */
#include <arpa/inet.h>
#include <check.h>
#include <srtp2/srtp.h>

#include "kmod/latch.h"
#include "kmod/selftest/selftest.h"
#include "kmod/srtp.h"
#include "lib/entropy.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "rtp/rtp.h"
#include "rtp/srtp.h"

enum { BUF = 640, ROUNDS = 3000 };

static struct flow_key random_key(enum suite suite, uint64_t seed, uint8_t mki)
{
	struct test_entropy te;
	struct entropy e = test_entropy(&te, seed);
	struct flow_key k = {.suite = suite, .mki_len = mki};

	entropy_fill(&e, k.key, suite_info(suite)->key_len);
	entropy_fill(&e, k.salt, suite_info(suite)->salt_len);
	entropy_fill(&e, k.mki, mki);
	return k;
}

static void key_init(struct nf_srtp_key_state *ks, const struct flow_key *k)
{
	struct nf_srtp_master m = {.suite = k->suite, .mki_len = k->mki_len};

	memcpy(m.key, k->key, sizeof(m.key));
	memcpy(m.salt, k->salt, sizeof(m.salt));
	memcpy(m.mki, k->mki, sizeof(k->mki));
	ck_assert_int_eq(nf_srtp_key_init(ks, &m), 0);
}

/* The counter a packet would go to, as src/rtp says it. */
static int as_stat(int err)
{
	switch (err) {
	case 0:
		return 0;
	case ERR_AUTH:
		return NF_SRTP_STAT_AUTH_FAIL;
	case ERR_REPLAY:
		return NF_SRTP_STAT_REPLAY;
	case ERR_LIMIT:
		return NF_SRTP_STAT_SSRC_LIMIT;
	default:
		return NF_SRTP_STAT_MALFORMED;
	}
}

static size_t make_rtp(uint8_t *buf, uint16_t seq, uint32_t ssrc, size_t len)
{
	static const uint8_t ext[] = {0xbe, 0xde, 0, 1, 0x10, 7, 0, 0};
	size_t n = 12;

	memset(buf, 0, 12);
	buf[0] = 0x80;
	nf_srtp_put32(buf + 8, ssrc);
	buf[2] = (uint8_t)(seq >> 8);
	buf[3] = (uint8_t)seq;
	if (seq % 5 == 0) { /* one CSRC */
		buf[0] |= 1;
		memset(buf + n, 0x33, 4);
		n += 4;
	}
	if (seq % 3 == 0) {
		buf[0] |= 0x10;
		memcpy(buf + n, ext, sizeof(ext));
		n += sizeof(ext);
	}
	for (size_t i = 0; i < len; i++)
		buf[n + i] = (uint8_t)(i * 7 + seq);
	return n + len;
}

static size_t make_rtcp(uint8_t *buf, uint32_t ssrc, size_t words)
{
	size_t len = 8 + 4 * words;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(i * 3);
	buf[0] = 0x81;
	buf[1] = 201;
	buf[2] = 0;
	buf[3] = (uint8_t)(len / 4 - 1);
	nf_srtp_put32(buf + 4, ssrc);
	return len;
}

static bool parse(struct nf_srtp_packet *p, uint8_t *buf, size_t len, bool rtcp)
{
	*p = (struct nf_srtp_packet){
		.data = buf, .len = len, .cap = BUF, .is_rtcp = rtcp};
	return nf_srtp_parse(p);
}

static bool suite_is_aead(int number)
{
	return nf_srtp_suite_find((u32)number)->is_aead;
}

/* --- the module's own ----------------------------------------------------- */

START_TEST(the_tests_at_load_pass)
{
	ck_assert_int_ge(nf_srtp_selftest(), 60);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
	oom_arm(1);
	ck_assert_int_eq(nf_srtp_selftest(), -ENOMEM);
	ck_assert(oom_disarm());
}
END_TEST

/* --- beside src/rtp -------------------------------------------------------- */

struct both {
	struct nf_srtp_key_state out, in;
	struct rtp_srtp *ref_out, *ref_in;
	uint8_t buf[BUF], ref[BUF];
};

static struct both b;

static void both_new(const struct flow_key *k)
{
	key_init(&b.out, k);
	key_init(&b.in, k);
	b.ref_out = rtp_srtp_new(k);
	b.ref_in = rtp_srtp_new(k);
	ck_assert(b.ref_out && b.ref_in);
	/* Not the limit of how fast SSRCs may come, which src/media has. */
	b.out.tokens = 1000;
}

static void both_free(void)
{
	nf_srtp_key_done(&b.out);
	nf_srtp_key_done(&b.in);
	rtp_srtp_free(b.ref_out);
	rtp_srtp_free(b.ref_in);
}

/* Protect both ways; what left, or 0. */
static size_t protect_both(size_t len, bool rtcp)
{
	struct nf_srtp_packet p;
	size_t ref_len = 0;
	int err, stat;

	memcpy(b.ref, b.buf, len);
	ck_assert(parse(&p, b.buf, len, rtcp));
	stat = nf_srtp_protect(&b.out, &p);
	err = rtcp ? rtp_srtp_protect_rtcp(b.ref_out, b.ref, len, BUF, &ref_len)
		   : rtp_srtp_protect(b.ref_out, b.ref, len, BUF, &ref_len);
	ck_assert_int_eq(stat, as_stat(err));
	if (err)
		return 0;
	ck_assert_uint_eq(p.len, ref_len);
	ck_assert_mem_eq(b.buf, b.ref, ref_len);
	return ref_len;
}

static int unprotect_both(size_t len, bool rtcp)
{
	struct nf_srtp_packet p;
	size_t ref_len = 0;
	int err, stat;

	memcpy(b.ref, b.buf, len);
	stat = parse(&p, b.buf, len, rtcp)
		       ? nf_srtp_unprotect(&b.in, &p, false, true)
		       : NF_SRTP_STAT_MALFORMED;
	err = rtcp ? rtp_srtp_unprotect_rtcp(b.ref_in, b.ref, len, &ref_len)
		   : rtp_srtp_unprotect(b.ref_in, b.ref, len, &ref_len);
	ck_assert_int_eq(stat, as_stat(err));
	if (err)
		return stat;
	ck_assert_uint_eq(p.len, ref_len);
	ck_assert_mem_eq(b.buf, b.ref, ref_len);
	return 0;
}

START_TEST(bytes_and_verdicts_are_those_of_src_rtp)
{
	enum suite suite = (enum suite)(1 + _i % 6);
	struct flow_key k = random_key(suite, (uint64_t)_i, _i < 6 ? 0 : 4);
	struct test_entropy te;
	struct entropy e = test_entropy(&te, 77u + (uint64_t)_i);
	uint16_t seq = 65000;
	uint8_t r[8], copy[BUF];
	size_t len;

	both_new(&k);
	for (int i = 0; i < ROUNDS; i++) {
		bool rtcp;
		uint32_t ssrc;

		entropy_fill(&e, r, sizeof(r));
		rtcp = r[0] % 16 == 0;
		ssrc = 0x1000u + r[1] % 3;
		/* Mostly one further, at times back, or far ahead. */
		seq = (uint16_t)(seq + 1 - (r[2] % 9 == 0) * (r[3] % 40) +
				 (r[2] % 90 == 1) * 900 +
				 (r[2] % 250 == 2) * 20000);
		len = rtcp ? make_rtcp(b.buf, ssrc, r[4] % 40)
			   : make_rtp(b.buf, seq, ssrc, r[4]);
		len = protect_both(len, rtcp);
		if (len == 0 || r[5] % 20 == 0)
			continue; /* refused, or lost */
		memcpy(copy, b.buf, len);
		if (r[5] % 20 == 1) {
			b.buf[r[6] % len] ^= (uint8_t)(1 + r[7] % 255);
			(void)unprotect_both(len, rtcp);
			memcpy(b.buf, copy, len);
		}
		(void)unprotect_both(len, rtcp);
		if (r[5] % 20 == 2) {
			memcpy(b.buf, copy, len);
			ck_assert_int_ne(unprotect_both(len, rtcp), 0);
		}
	}
	ck_assert_uint_gt(b.in.first.rtp.next, 0x10000);
	both_free();
}
END_TEST

START_TEST(short_packets_are_refused_alike)
{
	struct flow_key k = random_key((enum suite)(1 + _i), 5, 4);
	uint8_t whole[BUF];
	size_t len;

	both_new(&k);
	for (int rtcp = 0; rtcp < 2; rtcp++) {
		len = rtcp ? make_rtcp(b.buf, 7, 4) : make_rtp(b.buf, 15, 7, 9);
		len = protect_both(len, rtcp);
		memcpy(whole, b.buf, len);
		for (size_t n = 0; n < len; n++) {
			memcpy(b.buf, whole, n);
			ck_assert_int_ne(unprotect_both(n, rtcp), 0);
		}
		memcpy(b.buf, whole, len);
		ck_assert_int_eq(unprotect_both(len, rtcp), 0);
	}
	both_free();
}
END_TEST

START_TEST(fingerprints_are_those_of_src_rtp)
{
	struct flow_key k = random_key((enum suite)(1 + _i), 6, 0);
	struct nf_srtp_key_state ks;

	key_init(&ks, &k);
	ck_assert_uint_eq(nf_srtp_key_print(&ks), rtp_srtp_print(&k));
	nf_srtp_key_done(&ks);
}
END_TEST

/* What a key did is over in one place and goes on in the other. */
START_TEST(an_index_moves_to_src_rtp_and_back)
{
	struct flow_key k = random_key((enum suite)(1 + _i), 8, 0);
	struct rtp_marks marks = {.count = 1};
	struct nf_srtp_key_state again;
	struct nf_srtp_packet p;
	size_t len;

	both_new(&k);
	for (uint16_t s = 65000; s != 100; s++)
		ck_assert_uint_ne(
			protect_both(make_rtp(b.buf, s, 9, 20), false), 0);
	ck_assert_uint_ne(protect_both(make_rtcp(b.buf, 9, 5), true), 0);
	marks.mark[0] = (struct rtp_mark){9, (uint32_t)b.out.first.rtcp.next,
					  b.out.first.rtp.next};
	nf_srtp_key_close(&b.out);
	ck_assert(parse(&p, b.buf, make_rtp(b.buf, 100, 9, 20), false));
	ck_assert_int_eq(nf_srtp_protect(&b.out, &p), NF_SRTP_STAT_NO_DEST);
	rtp_srtp_free(b.ref_out);
	b.ref_out = rtp_srtp_new(&k);
	ck_assert_int_eq(rtp_srtp_resume(b.ref_out, &marks), 0);
	len = make_rtp(b.ref, 99, 9, 20);
	ck_assert_int_eq(rtp_srtp_protect(b.ref_out, b.ref, len, BUF, &len),
			 ERR_REPLAY);
	len = make_rtp(b.ref, 100, 9, 20);
	ck_assert_int_eq(rtp_srtp_protect(b.ref_out, b.ref, len, BUF, &len), 0);
	key_init(&again, &k);
	ck_assert_int_eq(nf_srtp_key_resume(&again, 9, marks.mark[0].rtp,
					    marks.mark[0].rtcp),
			 0);
	ck_assert_int_eq(nf_srtp_key_resume(&again, 9, 1, 1), -EEXIST);
	ck_assert(parse(&p, b.buf, make_rtp(b.buf, 100, 9, 20), false));
	ck_assert_int_eq(nf_srtp_protect(&again, &p), NF_SRTP_STAT_REPLAY);
	ck_assert(parse(&p, b.buf, make_rtp(b.buf, 101, 9, 20), false));
	ck_assert_int_eq(nf_srtp_protect(&again, &p), 0);
	nf_srtp_key_done(&again);
	both_free();
}
END_TEST

START_TEST(streams_are_limited)
{
	struct flow_key k = random_key(SUITE_AES_CM_128_HMAC_SHA1_80, 9, 0);
	struct nf_srtp_packet p;
	unsigned refused = 0;

	both_new(&k);
	for (uint32_t s = 0; s < NF_SRTP_SSRC_MAX + 1; s++) {
		size_t len = protect_both(make_rtp(b.buf, 1, s, 20), false);

		refused += len == 0;
	}
	ck_assert_uint_eq(refused, 1);
	nf_srtp_key_done(&b.out);
	key_init(&b.out, &k);
	for (uint32_t s = 0; s < 20; s++) {
		ck_assert(parse(&p, b.buf, make_rtp(b.buf, 1, s, 20), false));
		ck_assert_int_eq(
			nf_srtp_protect(&b.out, &p),
			s < NF_SRTP_SSRC_BURST ? 0 : NF_SRTP_STAT_SSRC_LIMIT);
	}
	jiffies += HZ;
	for (uint32_t s = 50; s < 53; s++) {
		ck_assert(parse(&p, b.buf, make_rtp(b.buf, 1, s, 20), false));
		ck_assert_int_eq(nf_srtp_protect(&b.out, &p),
				 s < 50 + NF_SRTP_SSRC_RATE
					 ? 0
					 : NF_SRTP_STAT_SSRC_LIMIT);
	}
	both_free();
}
END_TEST

START_TEST(a_key_ends_before_its_index_does)
{
	struct flow_key k = random_key(SUITE_AES_CM_128_HMAC_SHA1_80, 10, 0);
	struct nf_srtp_key_state ks;
	struct nf_srtp_packet p;
	uint8_t buf[BUF];

	key_init(&ks, &k);
	ck_assert_int_eq(
		nf_srtp_key_resume(&ks, 9, (1ull << 48) - 2, (1u << 31) - 1),
		0);
	ck_assert(parse(&p, buf, make_rtp(buf, 0xfffe, 9, 20), false));
	ck_assert_int_eq(nf_srtp_protect(&ks, &p), 0);
	ck_assert(ks.is_worn);
	ck_assert(parse(&p, buf, make_rtp(buf, 0, 9, 20), false));
	ck_assert_int_eq(nf_srtp_protect(&ks, &p), NF_SRTP_STAT_WORN);
	ck_assert(parse(&p, buf, make_rtcp(buf, 9, 3), true));
	ck_assert_int_eq(nf_srtp_protect(&ks, &p), 0);
	ck_assert(parse(&p, buf, make_rtcp(buf, 9, 3), true));
	ck_assert_int_eq(nf_srtp_protect(&ks, &p), NF_SRTP_STAT_WORN);
	nf_srtp_key_done(&ks);
}
END_TEST

/* A driver gives up in the middle of a packet. Half of that is text, and the
 * tag over it would be right: it goes nowhere, and its index does not come
 * back.
 */
START_TEST(what_a_driver_left_half_done_is_dropped)
{
	struct flow_key k = random_key((enum suite)(1 + _i), 12, 0);
	uint8_t buf[BUF], sealed[BUF];
	struct nf_srtp_packet p;
	size_t len;

	both_new(&k); /* without a driver */
	len = protect_both(make_rtp(b.buf, 1, 7, 160), false);
	memcpy(sealed, b.buf, len);
	nf_srtp_key_done(&b.in);
	nf_srtp_key_done(&b.out);
	shim_breaks_at = 96;
	key_init(&b.in, &k);
	key_init(&b.out, &k);
	ck_assert(parse(&p, buf, make_rtp(buf, 1, 7, 160), false));
	ck_assert_int_eq(nf_srtp_protect(&b.out, &p), NF_SRTP_STAT_NO_MEM);
	ck_assert(parse(&p, buf, make_rtp(buf, 1, 7, 160), false));
	ck_assert_int_eq(nf_srtp_protect(&b.out, &p), NF_SRTP_STAT_REPLAY);
	for (int careful = 0; careful < 2; careful++) {
		memcpy(buf, sealed, len);
		ck_assert(parse(&p, buf, len, false));
		/* AES-CM has accepted it when it decrypts it. */
		ck_assert_int_eq(nf_srtp_unprotect(&b.in, &p, false, careful),
				 careful && !suite_is_aead(_i + 1)
					 ? NF_SRTP_STAT_REPLAY
					 : NF_SRTP_STAT_NO_MEM);
	}
	ck_assert(!suite_is_aead(_i + 1) || !memcmp(buf, sealed, len));
	/* Not now: then it is done without. */
	shim_breaks_at = 0;
	ck_assert(parse(&p, buf, make_rtp(buf, 2, 7, 160), false));
	ck_assert_int_eq(nf_srtp_protect(&b.out, &p), 0);
	ck_assert_int_eq(nf_srtp_unprotect(&b.in, &p, false, false), 0);
	both_free();
}
END_TEST

/* --- beside libsrtp2 -------------------------------------------------------- */

static void oracle_policy(srtp_crypto_policy_t *rtp, srtp_crypto_policy_t *rtcp,
			  int suite)
{
	switch (suite) {
	case NF_SRTP_SUITE_AES_CM_128_HMAC_SHA1_80:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(rtp);
		break;
	case NF_SRTP_SUITE_AES_CM_128_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(rtp);
		break;
	case NF_SRTP_SUITE_AEAD_AES_128_GCM:
		srtp_crypto_policy_set_aes_gcm_128_16_auth(rtp);
		break;
	case NF_SRTP_SUITE_AES_256_CM_HMAC_SHA1_80:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(rtp);
		break;
	case NF_SRTP_SUITE_AES_256_CM_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(rtp);
		break;
	default:
		srtp_crypto_policy_set_aes_gcm_256_16_auth(rtp);
		break;
	}
	*rtcp = *rtp;
	/* RFC 3711 section 5.2: 80 bits for SRTCP in any case. */
	if (rtcp->auth_tag_len == 4)
		rtcp->auth_tag_len = 10;
}

static srtp_t oracle_new(const struct flow_key *k, srtp_ssrc_type_t type)
{
	const struct suite_info *si = suite_info(k->suite);
	unsigned char master[SUITE_INLINE_MAX];
	srtp_policy_t p = {.window_size = NF_SRTP_WINDOW, .key = master};
	srtp_t s;

	memcpy(master, k->key, si->key_len);
	memcpy(master + si->key_len, k->salt, si->salt_len);
	oracle_policy(&p.rtp, &p.rtcp, (int)k->suite);
	p.ssrc.type = type;
	ck_assert_int_eq(srtp_create(&s, &p), srtp_err_status_ok);
	return s;
}

START_TEST(libsrtp2_opens_what_the_module_closes_and_back)
{
	struct flow_key k = random_key((enum suite)(1 + _i), 33, 0);
	srtp_t out = oracle_new(&k, ssrc_any_outbound);
	srtp_t in = oracle_new(&k, ssrc_any_inbound);
	static _Alignas(8) uint8_t buf[BUF], other[BUF], plain[BUF];
	struct nf_srtp_packet p;
	int len;

	both_new(&k);
	for (int i = 0; i < 400; i++) {
		bool rtcp = i % 9 == 0;
		uint16_t seq = (uint16_t)(65400 + i);
		size_t n = rtcp ? make_rtcp(buf, 0x77, (size_t)i % 50)
				: make_rtp(buf, seq, 0x77, (size_t)i);

		memcpy(plain, buf, n);
		memcpy(other, buf, n);
		ck_assert(parse(&p, buf, n, rtcp));
		ck_assert_int_eq(nf_srtp_protect(&b.out, &p), 0);
		len = (int)n;
		ck_assert_int_eq(rtcp ? srtp_protect_rtcp(out, other, &len)
				      : srtp_protect(out, other, &len),
				 srtp_err_status_ok);
		ck_assert_int_eq(len, (int)p.len);
		ck_assert_mem_eq(buf, other, p.len);
		ck_assert_int_eq(rtcp ? srtp_unprotect_rtcp(in, other, &len)
				      : srtp_unprotect(in, other, &len),
				 srtp_err_status_ok);
		ck_assert(parse(&p, buf, p.len, rtcp));
		ck_assert_int_eq(nf_srtp_unprotect(&b.in, &p, false, i & 1), 0);
		ck_assert_uint_eq(p.len, n);
		ck_assert_mem_eq(buf, plain, n);
	}
	srtp_dealloc(out);
	srtp_dealloc(in);
	both_free();
}
END_TEST

/* --- headers ------------------------------------------------------------------ */

START_TEST(headers_are_read_as_in_src_rtp)
{
	struct test_entropy te;
	struct entropy e = test_entropy(&te, 4);
	uint8_t buf[80];

	for (int i = 0; i < 200000; i++) {
		struct nf_srtp_packet p;
		enum rtp_kind kind;
		struct rtp_hdr h;
		struct slice s;
		size_t len;

		entropy_fill(&e, buf, sizeof(buf));
		len = buf[79] % sizeof(buf);
		if (i % 2 == 0)
			buf[0] = (uint8_t)(0x80 | (buf[0] & 0x3f));
		if (i % 4 == 0) /* lengths that may chain */
			buf[2] = 0;
		if (i % 8 == 0)
			buf[3] = buf[3] % 20;
		s = slice_make(buf, len);
		kind = rtp_kind(s);
		ck_assert_int_eq(nf_srtp_kind(buf, len),
				 kind == RTP_KIND_RTP	 ? NF_SRTP_KIND_RTP
				 : kind == RTP_KIND_RTCP ? NF_SRTP_KIND_RTCP
							 : NF_SRTP_KIND_OTHER);
		ck_assert_int_eq(parse(&p, buf, len, false),
				 rtp_parse(s, &h) == 0);
		if (rtp_parse(s, &h) == 0) {
			ck_assert_uint_eq(p.header_len, h.header_len);
			ck_assert_uint_eq(p.seq, h.seq);
			ck_assert_uint_eq(p.ssrc, h.ssrc);
			ck_assert_uint_eq(p.pt, h.pt);
		}
		ck_assert_int_eq(nf_srtp_rtcp_check(buf, len),
				 rtcp_check(s) == 0);
	}
}
END_TEST

/* --- sources ------------------------------------------------------------------- */

static struct nf_srtp_end at(const char *ip, uint16_t port)
{
	struct nf_srtp_end e = {.port = htons(port), .family = AF_INET};

	ck_assert_int_eq(inet_pton(AF_INET, ip, e.ip), 1);
	return e;
}

/* One valid packet after the other to a port that was told of 10.0.0.1:4000. */
static const struct {
	int mode;
	bool is_secure;
	const char *ip;
	uint16_t port;
	uint16_t seq;
	bool may; /* try */
	int learned;
} sources[] = {
	{NF_SRTP_LATCH_OFF, true, "10.0.0.1", 4001, 1, false, 0},
	{NF_SRTP_LATCH_OFF, true, "10.0.0.1", 4000, 1, true,
	 NF_SRTP_LEARNED_NEW},
	{NF_SRTP_LATCH_RESTRICTED, true, "10.0.1.1", 4001, 1, false, 0},
	{NF_SRTP_LATCH_RESTRICTED, true, "10.0.0.1", 4001, 1, true,
	 NF_SRTP_LEARNED_NEW},
	{NF_SRTP_LATCH_NAT, true, "9.9.9.9", 1, 1, true, NF_SRTP_LEARNED_NEW},
	{NF_SRTP_LATCH_NAT, false, "9.9.9.9", 1, 1, false, 0},
	{NF_SRTP_LATCH_NAT, false, "10.0.0.1", 4000, 1, true,
	 NF_SRTP_LEARNED_NEW},
	{NF_SRTP_LATCH_RESTRICTED, false, "10.0.0.1", 4002, 1, true,
	 NF_SRTP_LEARNED_NO},
};

START_TEST(a_source_is_heard_as_the_rule_says)
{
	struct nf_srtp_latch_rule rule = {(uint8_t)sources[_i].mode, 0,
					  sources[_i].is_secure};
	struct nf_srtp_latch_state l = {.signalled = at("10.0.0.1", 4000)};
	struct nf_srtp_end src = at(sources[_i].ip, sources[_i].port);
	struct nf_srtp_proof proof = {1, sources[_i].seq, false};

	ck_assert_int_eq(nf_srtp_latch_may_try(&l, &rule, &src),
			 sources[_i].may);
	if (sources[_i].may)
		ck_assert_int_eq(nf_srtp_latch_learn(&l, &rule, &src, &proof),
				 sources[_i].learned);
}
END_TEST

START_TEST(three_plain_packets_in_a_row_prove_a_port_and_then_no_other)
{
	struct nf_srtp_latch_rule rule = {NF_SRTP_LATCH_RESTRICTED, 0, false};
	struct nf_srtp_latch_state l = {.signalled = at("10.0.0.1", 4000)};
	struct nf_srtp_end src = at("10.0.0.1", 5000);
	struct nf_srtp_end other = at("10.0.0.1", 6000);
	static const struct {
		uint32_t ssrc;
		uint16_t seq;
		int learned;
	} rows[] = {
		{1, 1, NF_SRTP_LEARNED_NO},  {1, 2, NF_SRTP_LEARNED_NO},
		{1, 4, NF_SRTP_LEARNED_NO},  {1, 5, NF_SRTP_LEARNED_NO},
		{2, 6, NF_SRTP_LEARNED_NO},  {2, 7, NF_SRTP_LEARNED_NO},
		{2, 8, NF_SRTP_LEARNED_NEW}, {2, 8, NF_SRTP_LEARNED_OK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct nf_srtp_proof p = {rows[i].ssrc, rows[i].seq, false};

		ck_assert(nf_srtp_latch_may_try(&l, &rule, &src));
		ck_assert_int_eq(nf_srtp_latch_learn(&l, &rule, &src, &p),
				 rows[i].learned);
	}
	ck_assert(!nf_srtp_latch_may_try(&l, &rule, &other));
	ck_assert(nf_srtp_end_eq(nf_srtp_latch_dest(&l), &src));
}
END_TEST

START_TEST(a_prefix_admits_its_network_alone)
{
	struct nf_srtp_latch_rule rule = {NF_SRTP_LATCH_RESTRICTED, 22, true};
	struct nf_srtp_latch_state l = {.signalled = at("10.0.4.1", 4000)};
	struct nf_srtp_end in = at("10.0.7.255", 1), out = at("10.0.8.0", 1);

	ck_assert(nf_srtp_latch_may_try(&l, &rule, &in));
	ck_assert(!nf_srtp_latch_may_try(&l, &rule, &out));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("kmod");

	if (srtp_init() != srtp_err_status_ok)
		return EXIT_FAILURE;
	tcase_set_timeout(t, 30);
	tcase_add_test(t, the_tests_at_load_pass);
	tcase_add_test(t, no_memory_is_an_error);
	tcase_add_loop_test(t, bytes_and_verdicts_are_those_of_src_rtp, 0, 12);
	tcase_add_loop_test(t, short_packets_are_refused_alike, 0, 6);
	tcase_add_loop_test(t, fingerprints_are_those_of_src_rtp, 0, 6);
	tcase_add_loop_test(t, an_index_moves_to_src_rtp_and_back, 0, 6);
	tcase_add_test(t, streams_are_limited);
	tcase_add_test(t, a_key_ends_before_its_index_does);
	tcase_add_loop_test(t, what_a_driver_left_half_done_is_dropped, 0, 6);
	tcase_add_loop_test(t, libsrtp2_opens_what_the_module_closes_and_back,
			    0, 6);
	tcase_add_test(t, headers_are_read_as_in_src_rtp);
	tcase_add_loop_test(t, a_source_is_heard_as_the_rule_says, 0,
			    ROWS(sources));
	tcase_add_test(
		t, three_plain_packets_in_a_row_prove_a_port_and_then_no_other);
	tcase_add_test(t, a_prefix_admits_its_network_alone);
	return run_case("kmod", t);
}
