/*
 * SRTP: published vectors, and the same packets through libsrtp2, which must
 * give the same bytes and the same verdicts for every suite.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <srtp2/srtp.h>

#include "base/hex.h"
#include "lib/entropy.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "rtp/cipher.h"
#include "rtp/rtp.h"
#include "rtp/srtp.h"

enum { BUF = 640, ORACLE_WINDOW = 1024 };

static const enum suite suites[] = {
	SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_32,
	SUITE_AEAD_AES_128_GCM,	       SUITE_AES_256_CM_HMAC_SHA1_80,
	SUITE_AES_256_CM_HMAC_SHA1_32, SUITE_AEAD_AES_256_GCM,
};

static struct flow_key random_key(enum suite suite, uint64_t seed)
{
	struct test_entropy te;
	struct entropy e = test_entropy(&te, seed);
	struct flow_key k = {.suite = suite};

	entropy_fill(&e, k.key, suite_info(suite)->key_len);
	entropy_fill(&e, k.salt, suite_info(suite)->salt_len);
	return k;
}

static void oracle_policy(srtp_crypto_policy_t *rtp, srtp_crypto_policy_t *rtcp,
			  enum suite suite)
{
	switch (suite) {
	case SUITE_NONE:
	case SUITE_COUNT:
		ck_abort();
	case SUITE_AES_CM_128_HMAC_SHA1_80:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(rtp);
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(rtcp);
		break;
	case SUITE_AES_CM_128_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(rtp);
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(rtcp);
		break;
	case SUITE_AEAD_AES_128_GCM:
		srtp_crypto_policy_set_aes_gcm_128_16_auth(rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(rtcp);
		break;
	case SUITE_AES_256_CM_HMAC_SHA1_80:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(rtp);
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(rtcp);
		break;
	case SUITE_AES_256_CM_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(rtp);
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(rtcp);
		break;
	case SUITE_AEAD_AES_256_GCM:
		srtp_crypto_policy_set_aes_gcm_256_16_auth(rtp);
		srtp_crypto_policy_set_aes_gcm_256_16_auth(rtcp);
		break;
	}
}

static srtp_t oracle_new(const struct flow_key *k, srtp_ssrc_type_t type)
{
	const struct suite_info *si = suite_info(k->suite);
	unsigned char master[SUITE_INLINE_MAX];
	unsigned char mki[4];
	srtp_master_key_t mk = {master, mki, k->mki_len};
	srtp_master_key_t *keys[] = {&mk};
	srtp_policy_t p = {.window_size = ORACLE_WINDOW};
	srtp_t s;

	memcpy(master, k->key, si->key_len);
	memcpy(master + si->key_len, k->salt, si->salt_len);
	memcpy(mki, k->mki, sizeof(mki));
	oracle_policy(&p.rtp, &p.rtcp, k->suite);
	p.ssrc.type = type;
	if (k->mki_len > 0) {
		p.keys = keys;
		p.num_master_keys = 1;
	} else {
		p.key = master;
	}
	ck_assert_int_eq(srtp_create(&s, &p), srtp_err_status_ok);
	return s;
}

static int verdict(srtp_err_status_t e)
{
	switch ((int)e) {
	case srtp_err_status_ok:
		return 0;
	case srtp_err_status_replay_fail:
	case srtp_err_status_replay_old:
		return ERR_REPLAY;
	case srtp_err_status_auth_fail:
	case srtp_err_status_bad_mki:
		return ERR_AUTH;
	default:
		return ERR_BAD;
	}
}

static size_t make_rtp(uint8_t *buf, uint16_t seq, uint32_t ssrc, size_t len)
{
	static const uint8_t ext[] = {0xbe, 0xde, 0, 1, 0x10, 7, 0, 0};
	size_t n = 12;

	memset(buf, 0, 12);
	buf[0] = 0x80;
	buf[1] = (uint8_t)(seq % 7);
	buf[2] = (uint8_t)(seq >> 8);
	buf[3] = (uint8_t)seq;
	buf[7] = (uint8_t)seq;
	memcpy(buf + 8, &ssrc, 4);
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
	size_t len = 4 + 4 * words;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(i * 3);
	buf[0] = 0x80;
	buf[1] = 200;
	buf[2] = (uint8_t)(words >> 8);
	buf[3] = (uint8_t)words;
	memcpy(buf + 4, &ssrc, 4);
	return len;
}

struct pair {
	struct rtp_srtp *out, *in;
	srtp_t oout, oin;
	unsigned mki; /* libsrtp2 wants to be told */
};

/* One packet through both protectors; both results to ours and theirs. */
static int protect_both(struct pair *p, bool rtcp, uint8_t *buf, size_t *len)
{
	struct rtp_srtp *s = p->out;
	srtp_t o = p->oout;
	uint8_t theirs[BUF];
	int olen = (int)*len, err, oerr;
	size_t len_out = 0;

	memcpy(theirs, buf, *len);
	if (rtcp) {
		err = rtp_srtp_protect_rtcp(s, buf, *len, BUF, &len_out);
		oerr = verdict(
			srtp_protect_rtcp_mki(o, theirs, &olen, p->mki, 0));
	} else {
		err = rtp_srtp_protect(s, buf, *len, BUF, &len_out);
		oerr = verdict(srtp_protect_mki(o, theirs, &olen, p->mki, 0));
	}
	ck_assert_int_eq(err, oerr);
	if (err)
		return err;
	ck_assert_uint_eq(len_out, (size_t)olen);
	ck_assert_mem_eq(buf, theirs, len_out);
	*len = len_out;
	return 0;
}

static int unprotect_both(struct pair *p, bool rtcp, const uint8_t *pkt,
			  size_t len)
{
	struct rtp_srtp *s = p->in;
	srtp_t o = p->oin;
	uint8_t ours[BUF], theirs[BUF];
	int olen = (int)len, err, oerr;
	size_t len_out = 0;

	memcpy(ours, pkt, len);
	memcpy(theirs, pkt, len);
	if (rtcp) {
		err = rtp_srtp_unprotect_rtcp(s, ours, len, &len_out);
		oerr = verdict(
			srtp_unprotect_rtcp_mki(o, theirs, &olen, p->mki));
	} else {
		err = rtp_srtp_unprotect(s, ours, len, &len_out);
		oerr = verdict(srtp_unprotect_mki(o, theirs, &olen, p->mki));
	}
	ck_assert_int_eq(err, oerr);
	if (err)
		return err;
	ck_assert_uint_eq(len_out, (size_t)olen);
	ck_assert_mem_eq(ours, theirs, len_out);
	return 0;
}

static struct pair pair_new(const struct flow_key *k)
{
	struct pair p = {rtp_srtp_new(k), rtp_srtp_new(k),
			 oracle_new(k, ssrc_any_outbound),
			 oracle_new(k, ssrc_any_inbound), k->mki_len > 0};

	ck_assert_ptr_nonnull(p.out);
	ck_assert_ptr_nonnull(p.in);
	return p;
}

static void pair_free(struct pair *p)
{
	rtp_srtp_free(p->out);
	rtp_srtp_free(p->in);
	srtp_dealloc(p->oout);
	srtp_dealloc(p->oin);
}

/*
 * A lossy, reordering, duplicating and forging network over two roll-overs:
 * libsrtp2 and we agree on every packet.
 */
static void storm(enum suite suite, uint8_t mki_len)
{
	struct flow_key k = random_key(suite, 77 + suite);
	struct test_entropy te;
	struct entropy e = test_entropy(&te, 5);
	static uint8_t held[8][BUF];
	size_t held_len[8] = {0};
	struct pair p;
	uint16_t seq = 65000;
	int accepted = 0, refused = 0;

	k.mki_len = mki_len;
	memcpy(k.mki, "\1\2\3\4", 4);
	p = pair_new(&k);
	for (int i = 0; i < 5000; i++) {
		uint32_t r = entropy_u32(&e), slot = r % 8;
		uint8_t pkt[BUF];
		/* libsrtp2 2.5 looks for the MKI of SRTCP where the tag of RTP
		 * would begin, which is wrong when they differ in length. */
		bool rtcp = r >> 28 == 0 &&
			    (mki_len == 0 ||
			     suite_info(suite)->rtp_tag_len ==
				     suite_info(suite)->rtcp_tag_len);
		size_t len;

		seq = (uint16_t)(seq + 1 + ((r >> 8) % 40 == 0 ? 700 : 0));
		len = rtcp ? make_rtcp(pkt, 9, 1 + (r >> 16) % 40)
			   : make_rtp(pkt, seq, 1 + (r >> 12) % 3,
				      (r >> 16) % 300);
		if (protect_both(&p, rtcp, pkt, &len))
			continue;
		if ((r >> 4) % 16 == 0) { /* forged */
			pkt[8 + r % (len - 8)] ^= 0x10;
			refused += !!unprotect_both(&p, rtcp, pkt, len);
			pkt[8 + r % (len - 8)] ^= 0x10;
		}
		if (rtcp || (r >> 4) % 16 < 12) {
			accepted += !unprotect_both(&p, rtcp, pkt, len);
			continue;
		}
		/* Late, and now and then twice. */
		if (held_len[slot] > 0)
			accepted += !unprotect_both(&p, false, held[slot],
						    held_len[slot]);
		memcpy(held[slot], pkt, len);
		held_len[slot] = len;
	}
	ck_assert_int_gt(accepted, 3000);
	ck_assert_int_gt(refused, 100);
	pair_free(&p);
}

START_TEST(every_suite_agrees_with_libsrtp2)
{
	storm(suites[_i], 0);
}
END_TEST

START_TEST(every_suite_agrees_with_libsrtp2_with_an_mki)
{
	storm(suites[_i], 4);
	storm(suites[_i], 1);
}
END_TEST

static int send_rtp(struct rtp_srtp *s, uint16_t seq, uint32_t ssrc,
		    uint8_t *pkt, size_t *ret_len)
{
	size_t len = make_rtp(pkt, seq, ssrc, 40);

	return rtp_srtp_protect(s, pkt, len, BUF, ret_len);
}

START_TEST(a_repeated_sequence_number_never_reuses_keystream)
{
	struct flow_key k = random_key(suites[_i], 1);
	struct rtp_srtp *s = rtp_srtp_new(&k);
	uint8_t pkt[BUF];
	size_t len;

	ck_assert_int_eq(send_rtp(s, 100, 1, pkt, &len), 0);
	ck_assert_int_eq(send_rtp(s, 100, 1, pkt, &len), ERR_REPLAY);
	ck_assert_int_eq(send_rtp(s, 99, 1, pkt, &len), 0);
	ck_assert_int_eq(send_rtp(s, 99, 1, pkt, &len), ERR_REPLAY);
	ck_assert_int_eq(send_rtp(s, 2000, 1, pkt, &len), 0);
	ck_assert_int_eq(send_rtp(s, 500, 1, pkt, &len), ERR_REPLAY);
	ck_assert_int_eq(send_rtp(s, 100, 2, pkt, &len), 0);
	rtp_srtp_free(s);
}
END_TEST

START_TEST(a_forged_packet_moves_nothing)
{
	struct flow_key k = random_key(suites[_i], 2);
	struct rtp_srtp *out = rtp_srtp_new(&k), *in = rtp_srtp_new(&k);
	uint8_t good[BUF], bad[BUF];
	size_t len, n;

	ck_assert_int_eq(send_rtp(out, 1000, 1, good, &len), 0);
	/* Each far sequence number and SSRC, were it believed, would move the
	 * roll-over counter or fill the table. */
	for (unsigned i = 0; i < 200; i++) {
		memcpy(bad, good, len);
		bad[2] = (uint8_t)(i * 37);
		bad[11] = (uint8_t)(i % 50);
		bad[len - 1] ^= 1;
		ck_assert_int_eq(rtp_srtp_unprotect(in, bad, len, &n),
				 ERR_AUTH);
	}
	ck_assert_uint_eq(rtp_srtp_ssrcs(in), 0);
	ck_assert_int_eq(rtp_srtp_unprotect(in, good, len, &n), 0);
	ck_assert_uint_eq(rtp_srtp_ssrcs(in), 1);
	rtp_srtp_free(out);
	rtp_srtp_free(in);
}
END_TEST

START_TEST(streams_are_limited)
{
	struct flow_key k = random_key(SUITE_AES_CM_128_HMAC_SHA1_80, 3);
	struct rtp_srtp *in = rtp_srtp_new(&k);
	uint8_t pkt[BUF];
	size_t len, n;

	for (uint32_t i = 0; i <= RTP_SSRC_MAX; i++) {
		struct rtp_srtp *out = rtp_srtp_new(&k);

		ck_assert_int_eq(send_rtp(out, 7, i, pkt, &len), 0);
		ck_assert_int_eq(rtp_srtp_unprotect(in, pkt, len, &n),
				 i < RTP_SSRC_MAX ? 0 : ERR_LIMIT);
		ck_assert_int_eq(send_rtp(in, 9, i, pkt, &len),
				 i < RTP_SSRC_MAX ? 0 : ERR_LIMIT);
		rtp_srtp_free(out);
	}
	ck_assert_uint_eq(rtp_srtp_ssrcs(in), RTP_SSRC_MAX);
	rtp_srtp_free(in);
}
END_TEST

START_TEST(what_is_too_short_is_malformed)
{
	struct flow_key k = random_key(suites[_i], 4);
	struct rtp_srtp *s;
	uint8_t pkt[BUF], copy[BUF];
	size_t len, n;

	k.mki_len = 4;
	s = rtp_srtp_new(&k);
	len = make_rtcp(pkt, 1, 2);
	ck_assert_int_eq(rtp_srtp_protect_rtcp(s, pkt, len, BUF, &len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		memcpy(copy, pkt, cut);
		ck_assert_int_ne(rtp_srtp_unprotect_rtcp(s, copy, cut, &n), 0);
	}
	ck_assert_int_eq(send_rtp(s, 1, 1, pkt, &len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		memcpy(copy, pkt, cut);
		ck_assert_int_ne(rtp_srtp_unprotect(s, copy, cut, &n), 0);
	}
	rtp_srtp_free(s);
}
END_TEST

START_TEST(a_packet_that_does_not_fit_is_not_touched)
{
	struct flow_key k = random_key(suites[_i], 5);
	struct rtp_srtp *s = rtp_srtp_new(&k);
	uint8_t pkt[BUF];
	size_t tag = suite_info(suites[_i])->rtp_tag_len;
	size_t len = make_rtp(pkt, 1, 1, 20), n;

	ck_assert_int_eq(rtp_srtp_protect(s, pkt, len, len + tag - 1, &n),
			 ERR_SPACE);
	ck_assert_int_eq(rtp_srtp_protect(s, pkt, len, len + tag, &n), 0);
	ck_assert_uint_eq(n, len + tag);
	rtp_srtp_free(s);
}
END_TEST

START_TEST(srtcp_that_is_not_encrypted_is_refused)
{
	struct flow_key k = random_key(SUITE_AES_CM_128_HMAC_SHA1_80, 6);
	struct rtp_srtp *s = rtp_srtp_new(&k);
	struct cipher *c = calloc(1, sizeof(*c));
	uint8_t pkt[BUF];
	size_t len = make_rtcp(pkt, 1, 4), n;

	/* A correct tag over a packet with the E bit clear. */
	memcpy(pkt + len, "\0\0\0\1", 4);
	cipher_init(c, &k, CIPHER_LABEL_RTCP);
	cipher_hmac(c, slice_make(pkt, len + 4), SLICE_NULL, 10, pkt + len + 4);
	ck_assert_int_eq(rtp_srtp_unprotect_rtcp(s, pkt, len + 14, &n),
			 ERR_AUTH);
	free(c);
	rtp_srtp_free(s);
}
END_TEST

START_TEST(the_same_key_is_known_again)
{
	struct flow_key k = random_key(suites[_i], 7), other = k;
	struct rtp_srtp *s = rtp_srtp_new(&k);

	ck_assert(rtp_srtp_has_key(s, &k));
	other.salt[11] ^= 1;
	ck_assert(!rtp_srtp_has_key(s, &other));
	other = k;
	other.mki_len = 1;
	ck_assert(!rtp_srtp_has_key(s, &other));
	other = k;
	other.suite = SUITE_NONE;
	ck_assert(!rtp_srtp_has_key(s, &other));
	rtp_srtp_free(s);
}
END_TEST

static void sweep_body(void *arg)
{
	struct flow_key k = random_key(SUITE_AES_CM_128_HMAC_SHA1_80, 8);
	struct rtp_srtp *s = rtp_srtp_new(&k);
	uint8_t pkt[BUF];
	size_t len;
	int err;

	(void)arg;
	if (s) {
		err = send_rtp(s, 1, 1, pkt, &len);
		ck_assert(err == 0 || err == ERR_NOMEM);
	}
	rtp_srtp_free(s);
}

START_TEST(no_memory_is_survived)
{
	oom_sweep(sweep_body, NULL);
}
END_TEST

static void start(void)
{
	ck_assert_int_eq(srtp_init(), srtp_err_status_ok);
}

static void stop(void)
{
	srtp_shutdown();
}

int main(void)
{
	Suite *s = suite_create("srtp");
	TCase *t;

	t = tcase_create("libsrtp2");
	tcase_add_unchecked_fixture(t, start, stop);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, every_suite_agrees_with_libsrtp2, 0, 6);
	tcase_add_loop_test(t, every_suite_agrees_with_libsrtp2_with_an_mki, 0,
			    6);
	suite_add_tcase(s, t);
	t = tcase_create("state");
	tcase_add_loop_test(
		t, a_repeated_sequence_number_never_reuses_keystream, 0, 6);
	tcase_add_loop_test(t, a_forged_packet_moves_nothing, 0, 6);
	tcase_add_test(t, streams_are_limited);
	tcase_add_loop_test(t, what_is_too_short_is_malformed, 0, 6);
	tcase_add_loop_test(t, a_packet_that_does_not_fit_is_not_touched, 0, 6);
	tcase_add_test(t, srtcp_that_is_not_encrypted_is_refused);
	tcase_add_loop_test(t, the_same_key_is_known_again, 0, 6);
	tcase_add_test(t, no_memory_is_survived);
	suite_add_tcase(s, t);
	return run_suite(s);
}
