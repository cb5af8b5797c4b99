/*
 * Offer/answer as tables (RFC 3264, RFC 4568 section 5, RFC 8643): what the
 * phone's m= section says, what policy says, what becomes of it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/entropy.h"
#include "lib/run.h"
#include "sdp/answer.h"

#define KEY30 "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
#define KEY28 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define L80   "AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n"
#define L32   "AES_CM_128_HMAC_SHA1_32 inline:" KEY30 "\r\n"
#define LGCM  "AEAD_AES_128_GCM inline:" KEY28 "\r\n"

static const enum suite all[] = {SUITE_AEAD_AES_128_GCM,
				 SUITE_AES_CM_128_HMAC_SHA1_80,
				 SUITE_AES_CM_128_HMAC_SHA1_32};
static const enum suite only32[] = {SUITE_AES_CM_128_HMAC_SHA1_32};

enum {
	NEVER = ANSWER_SRTP_NEVER,
	PREFER = ANSWER_SRTP_PREFER,
	REQUIRE = ANSWER_SRTP_REQUIRE
};
enum {
	AVP = SDP_PROTO_RTP_AVP,
	SAVP = SDP_PROTO_RTP_SAVP,
	AVPF = SDP_PROTO_RTP_AVPF,
	SAVPF = SDP_PROTO_RTP_SAVPF,
	OTHER = SDP_PROTO_OTHER
};

static struct sdp *section(const char *media)
{
	char text[2048];
	struct sdp *s = calloc(1, sizeof(*s));

	snprintf(text, sizeof(text),
		 "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\n"
		 "c=IN IP4 192.0.2.1\r\nt=0 0\r\n%s",
		 media);
	/* The views must outlive this function. */
	ck_assert_int_eq(sdp_parse(slice_make(strdup(text), strlen(text)), s),
			 0);
	return s;
}

static void drop(struct sdp *s)
{
	free((void *)(uintptr_t)s->text.ptr);
	free(s);
}

static struct answer_policy policy(int srtp, bool falls_back)
{
	return (struct answer_policy){.srtp = (enum answer_srtp)srtp,
				      .suite = all,
				      .suite_count = 3,
				      .peer_falls_back = falls_back};
}

/* A peer's offer and what we answer. */
static const struct {
	const char *offer;
	int srtp;	 /* policy */
	bool falls_back; /* the peer knows X-cisco-srtp-fallback */
	enum answer_kind kind;
	int proto; /* of our answer */
	enum suite suite;
	unsigned tag;
} offer_rows[] = {
	/* SRTP offered as SRTP */
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " L80, PREFER, false,
	 ANSWER_SRTP, SAVP, SUITE_AES_CM_128_HMAC_SHA1_80, 1},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " L80, REQUIRE, false,
	 ANSWER_SRTP, SAVP, SUITE_AES_CM_128_HMAC_SHA1_80, 1},
	{"m=audio 4000 RTP/SAVPF 0\r\na=crypto:7 " L32, REQUIRE, false,
	 ANSWER_SRTP, SAVPF, SUITE_AES_CM_128_HMAC_SHA1_32, 7},
	/* our order counts, not the offer's */
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " L32 "a=crypto:2 " L80
	 "a=crypto:3 " LGCM,
	 PREFER, false, ANSWER_SRTP, SAVP, SUITE_AEAD_AES_128_GCM, 3},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " L32 "a=crypto:2 " L80, PREFER,
	 false, ANSWER_SRTP, SAVP, SUITE_AES_CM_128_HMAC_SHA1_80, 2},
	/* a line that is unusable does not hide the next one */
	{"m=audio 4000 RTP/SAVP 0\r\n"
	 "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30
	 " UNENCRYPTED_SRTP\r\n"
	 "a=crypto:2 " L80,
	 PREFER, false, ANSWER_SRTP, SAVP, SUITE_AES_CM_128_HMAC_SHA1_80, 2},
	{"m=audio 4000 RTP/SAVP 0\r\n"
	 "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:short\r\n"
	 "a=crypto:2 F8_128_HMAC_SHA1_80 inline:" KEY30 "\r\n",
	 PREFER, false, ANSWER_REFUSE, SAVP, SUITE_NONE, 0},
	{"m=audio 4000 RTP/SAVP 0\r\n", PREFER, false, ANSWER_REFUSE, SAVP,
	 SUITE_NONE, 0},
	{"m=audio 4000 RTP/SAVP 0\r\n", REQUIRE, false, ANSWER_REFUSE, SAVP,
	 SUITE_NONE, 0},
	/* Cisco's fallback: the same line with RTP/AVP */
	{"m=audio 4000 RTP/SAVP 0\r\n", PREFER, true, ANSWER_PLAIN, AVP,
	 SUITE_NONE, 0},
	{"m=audio 4000 RTP/SAVPF 0\r\n", PREFER, true, ANSWER_PLAIN, AVPF,
	 SUITE_NONE, 0},
	{"m=audio 4000 RTP/SAVP 0\r\n", REQUIRE, true, ANSWER_REFUSE, SAVP,
	 SUITE_NONE, 0},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " L80, NEVER, true,
	 ANSWER_PLAIN, AVP, SUITE_NONE, 0},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " L80, PREFER, true,
	 ANSWER_SRTP, SAVP, SUITE_AES_CM_128_HMAC_SHA1_80, 1},
	/* OSRTP: RTP/AVP with keys */
	{"m=audio 4000 RTP/AVP 0\r\na=crypto:1 " L80, PREFER, false,
	 ANSWER_SRTP, AVP, SUITE_AES_CM_128_HMAC_SHA1_80, 1},
	{"m=audio 4000 RTP/AVPF 0\r\na=crypto:1 " L80, REQUIRE, false,
	 ANSWER_SRTP, AVPF, SUITE_AES_CM_128_HMAC_SHA1_80, 1},
	{"m=audio 4000 RTP/AVP 0\r\na=crypto:1 x\r\n", PREFER, false,
	 ANSWER_PLAIN, AVP, SUITE_NONE, 0},
	{"m=audio 4000 RTP/AVP 0\r\na=crypto:1 x\r\n", REQUIRE, false,
	 ANSWER_REFUSE, AVP, SUITE_NONE, 0},
	{"m=audio 4000 RTP/AVP 0\r\na=crypto:1 " L80, NEVER, false,
	 ANSWER_PLAIN, AVP, SUITE_NONE, 0},
	/* plain RTP */
	{"m=audio 4000 RTP/AVP 0\r\n", NEVER, false, ANSWER_PLAIN, AVP,
	 SUITE_NONE, 0},
	{"m=audio 4000 RTP/AVP 0\r\n", PREFER, false, ANSWER_PLAIN, AVP,
	 SUITE_NONE, 0},
	{"m=audio 4000 RTP/AVP 0\r\n", REQUIRE, false, ANSWER_REFUSE, AVP,
	 SUITE_NONE, 0},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " L80, NEVER, false,
	 ANSWER_REFUSE, SAVP, SUITE_NONE, 0},
	/* not ours, or off */
	{"m=image 4000 udptl t38\r\n", PREFER, false, ANSWER_REFUSE, OTHER,
	 SUITE_NONE, 0},
	{"m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:x\r\n", PREFER,
	 true, ANSWER_REFUSE, OTHER, SUITE_NONE, 0},
	{"m=audio 4000/2 RTP/AVP 0\r\n", PREFER, false, ANSWER_REFUSE, AVP,
	 SUITE_NONE, 0},
	{"m=audio 0 RTP/SAVP 0\r\na=crypto:1 " L80, REQUIRE, false, ANSWER_OFF,
	 SAVP, SUITE_NONE, 0},
	{"m=image 0 udptl t38\r\n", PREFER, false, ANSWER_OFF, OTHER,
	 SUITE_NONE, 0},
};

START_TEST(an_offer_is_answered_as_its_row_says)
{
	struct sdp *s = section(offer_rows[_i].offer);
	struct answer_policy p =
		policy(offer_rows[_i].srtp, offer_rows[_i].falls_back);
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 1);
	static const struct flow_key none;
	struct answer a;

	answer_decide(&s->media[0], &p, &e, &a);
	ck_assert_int_eq(a.kind, offer_rows[_i].kind);
	ck_assert_int_eq((int)a.proto, offer_rows[_i].proto);
	ck_assert_int_eq(a.peer.key.suite, offer_rows[_i].suite);
	ck_assert_int_eq(a.own.key.suite, offer_rows[_i].suite);
	ck_assert_uint_eq(a.peer.tag, offer_rows[_i].tag);
	ck_assert_uint_eq(a.own.tag, offer_rows[_i].tag);
	ck_assert_int_eq(a.reason != NULL || a.kind != ANSWER_REFUSE, true);
	if (a.kind == ANSWER_SRTP) {
		/* A key of our own, and no MKI or lifetime to trip over. */
		ck_assert_mem_ne(a.own.key.key, a.peer.key.key, 16);
		ck_assert_mem_ne(a.own.key.key, none.key, 16);
		ck_assert_uint_eq(a.own.key.mki_len, 0);
		ck_assert_uint_eq(a.own.lifetime, 0);
	}
	answer_wipe(&a);
	ck_assert_mem_eq(a.peer.key.key, none.key, sizeof(none.key));
	ck_assert_mem_eq(a.own.key.key, none.key, sizeof(none.key));
	drop(s);
}
END_TEST

START_TEST(a_suite_that_policy_leaves_out_is_not_taken)
{
	struct sdp *s = section("m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " L80);
	struct answer_policy p = {
		.srtp = ANSWER_SRTP_PREFER, .suite = only32, .suite_count = 1};
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 1);
	struct answer a;

	answer_decide(&s->media[0], &p, &e, &a);
	ck_assert_int_eq(a.kind, ANSWER_REFUSE);
	ck_assert_str_eq(a.reason, "no usable a=crypto line");
	p.suite_count = 0;
	answer_decide(&s->media[0], &p, &e, &a);
	ck_assert_int_eq(a.kind, ANSWER_REFUSE);
	drop(s);
}
END_TEST

START_TEST(the_peers_key_and_mki_arrive_whole)
{
	struct sdp *s = section("m=audio 4000 RTP/SAVP 0\r\na=crypto:1 "
				"AES_CM_128_HMAC_SHA1_80 inline:" KEY30
				"|2^31|1:4\r\n");
	struct answer_policy p = policy(PREFER, false);
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 1);
	struct answer a;

	answer_decide(&s->media[0], &p, &e, &a);
	ck_assert_int_eq(a.kind, ANSWER_SRTP);
	ck_assert_mem_eq(a.peer.key.key, "wDfvg&T+)xG7@fb5", 16);
	ck_assert_uint_eq(a.peer.key.mki_len, 4);
	ck_assert_uint_eq(a.own.key.mki_len, 0);
	drop(s);
}
END_TEST

/* Our offer of GCM (tag 1), _80 (2), _32 (3) and the peer's answer. */
static const struct {
	const char *answer;
	int offered; /* profile of our offer */
	int srtp;    /* policy */
	enum answer_kind kind;
	enum suite suite;
	const char *reason;
} answer_rows[] = {
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " LGCM, SAVP, REQUIRE,
	 ANSWER_SRTP, SUITE_AEAD_AES_128_GCM, NULL},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:3 " L32, SAVP, PREFER,
	 ANSWER_SRTP, SUITE_AES_CM_128_HMAC_SHA1_32, NULL},
	{"m=audio 4000 RTP/AVP 0\r\na=crypto:2 " L80, AVP, PREFER, ANSWER_SRTP,
	 SUITE_AES_CM_128_HMAC_SHA1_80, NULL},
	/* fallback */
	{"m=audio 4000 RTP/AVP 0\r\n", AVP, PREFER, ANSWER_PLAIN, SUITE_NONE,
	 "SRTP was offered but not answered"},
	{"m=audio 4000 RTP/AVP 0\r\n", SAVP, PREFER, ANSWER_PLAIN, SUITE_NONE,
	 "SRTP was offered but not answered"},
	{"m=audio 4000 RTP/AVP 0\r\n", SAVP, REQUIRE, ANSWER_REFUSE, SUITE_NONE,
	 "SRTP is required"},
	{"m=audio 4000 RTP/AVP 0\r\n", AVP, NEVER, ANSWER_PLAIN, SUITE_NONE,
	 NULL},
	/* lies and mistakes */
	{"m=audio 4000 RTP/SAVP 0\r\n", SAVP, PREFER, ANSWER_REFUSE, SUITE_NONE,
	 "no usable a=crypto line"},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:4 " L32, SAVP, PREFER,
	 ANSWER_REFUSE, SUITE_NONE, "a=crypto tag was not offered"},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:2 " L32, SAVP, PREFER,
	 ANSWER_REFUSE, SUITE_NONE, "a=crypto suite was not offered"},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:2 " L80 "a=crypto:3 " L32, SAVP,
	 PREFER, ANSWER_REFUSE, SUITE_NONE,
	 "more than one a=crypto line in the answer"},
	{"m=audio 4000 RTP/SAVP 0\r\n"
	 "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:" KEY30
	 " UNENCRYPTED_SRTP\r\n",
	 SAVP, PREFER, ANSWER_REFUSE, SUITE_NONE, "no usable a=crypto line"},
	{"m=audio 4000 RTP/AVP 0\r\na=crypto:1 " L80, AVP, NEVER, ANSWER_REFUSE,
	 SUITE_NONE, "SRTP was answered but not offered"},
	{"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 " L80, AVP, NEVER,
	 ANSWER_REFUSE, SUITE_NONE, "SRTP was answered but not offered"},
	{"m=audio 4000 UDP/TLS/RTP/SAVP 0\r\n", SAVP, PREFER, ANSWER_REFUSE,
	 SUITE_NONE, "transport profile is not supported"},
	/* declined */
	{"m=audio 0 RTP/SAVP 0\r\n", SAVP, REQUIRE, ANSWER_OFF, SUITE_NONE,
	 NULL},
	{"m=audio 0 RTP/SAVP 0\r\na=crypto:2 " L80, SAVP, REQUIRE, ANSWER_OFF,
	 SUITE_NONE, NULL},
};

START_TEST(an_answer_to_our_offer_is_judged_as_its_row_says)
{
	struct sdp *s = section(answer_rows[_i].answer);
	struct answer_policy p = policy(answer_rows[_i].srtp, false);
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 1);
	struct answer_offer o;
	struct answer a;

	answer_offer_make(&p, (enum sdp_proto)answer_rows[_i].offered, &e, &o);
	answer_check(&o, &p, &s->media[0], &a);
	ck_assert_int_eq(a.kind, answer_rows[_i].kind);
	ck_assert_int_eq(a.peer.key.suite, answer_rows[_i].suite);
	ck_assert_int_eq(a.own.key.suite, answer_rows[_i].suite);
	ck_assert_pstr_eq(a.reason, answer_rows[_i].reason);
	if (a.kind == ANSWER_SRTP)
		ck_assert_mem_eq(&a.own.key, &o.line[a.own.tag - 1].key,
				 sizeof(a.own.key));
	drop(s);
}
END_TEST

START_TEST(our_offer_has_one_line_per_suite_with_its_own_key)
{
	struct answer_policy p = policy(PREFER, false);
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 5);
	static const struct answer_offer zero;
	struct answer_offer o;

	answer_offer_make(&p, SDP_PROTO_RTP_AVP, &e, &o);
	ck_assert_uint_eq(o.count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(o.line[i].tag, i + 1);
		ck_assert_int_eq(o.line[i].key.suite, all[i]);
		ck_assert_uint_eq(o.line[i].lifetime, 0);
		ck_assert_uint_eq(o.line[i].key.mki_len, 0);
	}
	ck_assert_mem_ne(o.line[0].key.key, o.line[1].key.key, 16);
	answer_offer_wipe(&o);
	ck_assert_mem_eq(o.line, zero.line, sizeof(o.line));
	p.srtp = ANSWER_SRTP_NEVER;
	answer_offer_make(&p, SDP_PROTO_RTP_AVP, &e, &o);
	ck_assert_uint_eq(o.count, 0);
}
END_TEST

START_TEST(our_offer_and_a_peer_of_the_same_kind_agree)
{
	struct answer_policy p = policy(REQUIRE, false);
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 9);
	struct answer_offer o;
	struct answer theirs, ours;
	struct sdp *s = section("m=audio 4000 RTP/SAVP 0\r\n");
	struct sdp *s2, *s3;
	char line[SUITE_COUNT * CRYPTO_LINE_MAX];
	struct sdp_edit edit = {.media[0].port = 4000};
	struct writer w;

	/* We print an offer, they answer, we read it. */
	answer_offer_make(&p, SDP_PROTO_RTP_SAVP, &e, &o);
	edit.media[0].crypto = o.line;
	edit.media[0].crypto_count = o.count;
	writer_init(&w, line, sizeof(line));
	sdp_print(&w, s, &edit);
	s2 = calloc(1, sizeof(*s2));
	ck_assert_int_eq(sdp_parse(writer_slice(&w), s2), 0);
	answer_decide(&s2->media[0], &p, &e, &theirs);
	ck_assert_int_eq(theirs.kind, ANSWER_SRTP);
	edit.media[0].crypto = &theirs.own;
	edit.media[0].crypto_count = 1;
	writer_init(&w, line, sizeof(line));
	sdp_print(&w, s, &edit);
	s3 = calloc(1, sizeof(*s3));
	ck_assert_int_eq(sdp_parse(writer_slice(&w), s3), 0);
	answer_check(&o, &p, &s3->media[0], &ours);
	ck_assert_int_eq(ours.kind, ANSWER_SRTP);
	ck_assert_mem_eq(&ours.own.key, &theirs.peer.key, sizeof(ours.own.key));
	ck_assert_mem_eq(&ours.peer.key, &theirs.own.key,
			 sizeof(ours.peer.key));
	free(s2);
	free(s3);
	drop(s);
}
END_TEST

/* RFC 3264 section 6: as many m= lines, in the same order. */
START_TEST(an_answer_must_have_the_offers_streams)
{
	struct sdp *one = section("m=audio 1 RTP/AVP 0\r\n");
	struct sdp *two = section("m=audio 1 RTP/AVP 0\r\n"
				  "m=video 2 RTP/AVP 34\r\n");
	struct sdp *turned = section("m=video 2 RTP/AVP 34\r\n"
				     "m=audio 1 RTP/AVP 0\r\n");
	struct sdp *off = section("m=audio 1 RTP/AVP 8\r\n"
				  "m=video 0 RTP/AVP 34\r\n");

	ck_assert(answer_fits(one, one));
	ck_assert(answer_fits(two, off));
	ck_assert(!answer_fits(two, one));
	ck_assert(!answer_fits(one, two));
	ck_assert(!answer_fits(two, turned));
	drop(one);
	drop(two);
	drop(turned);
	drop(off);
}
END_TEST

START_TEST(the_usable_lines_of_an_offer_come_in_our_order)
{
	static const enum suite ours[] = {SUITE_AES_CM_128_HMAC_SHA1_80,
					  SUITE_AEAD_AES_256_GCM,
					  SUITE_AES_CM_128_HMAC_SHA1_32};
	struct answer_policy p = {
		.srtp = ANSWER_SRTP_PREFER, .suite = ours, .suite_count = 3};
	struct sdp *s = section(
		"m=audio 1 RTP/SAVP 0\r\n"
		"a=crypto:1 AES_CM_128_HMAC_SHA1_32 "
		"inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd\r\n"
		"a=crypto:2 AES_CM_128_HMAC_SHA1_80 "
		"inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd KDR=1\r\n"
		"a=crypto:3 AES_CM_128_HMAC_SHA1_80 "
		"inline:QAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd\r\n"
		"a=crypto:4 F8_128_HMAC_SHA1_80 "
		"inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd\r\n");
	struct answer_offer o;

	answer_usable(&s->media[0], &p, &o);
	ck_assert_uint_eq(o.count, 2);
	ck_assert_uint_eq(o.line[0].tag, 3);
	ck_assert_uint_eq(o.line[0].key.key[0], 0x40);
	ck_assert_uint_eq(o.line[1].tag, 1);
	answer_offer_wipe(&o);
	p.srtp = ANSWER_SRTP_NEVER;
	answer_usable(&s->media[0], &p, &o);
	ck_assert_uint_eq(o.count, 0);
	drop(s);
}
END_TEST

/* RFC 3264 section 6.1: offered, what the far end would, what is answered. */
static const struct {
	enum sdp_dir offered, far, want;
} dir_rows[] = {
	{SDP_SENDRECV, SDP_SENDRECV, SDP_SENDRECV},
	{SDP_SENDRECV, SDP_SENDONLY, SDP_SENDONLY},
	{SDP_SENDRECV, SDP_RECVONLY, SDP_RECVONLY},
	{SDP_SENDRECV, SDP_INACTIVE, SDP_INACTIVE},
	{SDP_SENDONLY, SDP_SENDRECV, SDP_RECVONLY},
	{SDP_SENDONLY, SDP_SENDONLY, SDP_INACTIVE},
	{SDP_SENDONLY, SDP_RECVONLY, SDP_RECVONLY},
	{SDP_SENDONLY, SDP_INACTIVE, SDP_INACTIVE},
	{SDP_RECVONLY, SDP_SENDRECV, SDP_SENDONLY},
	{SDP_RECVONLY, SDP_SENDONLY, SDP_SENDONLY},
	{SDP_RECVONLY, SDP_RECVONLY, SDP_INACTIVE},
	{SDP_RECVONLY, SDP_INACTIVE, SDP_INACTIVE},
	{SDP_INACTIVE, SDP_SENDRECV, SDP_INACTIVE},
	{SDP_INACTIVE, SDP_SENDONLY, SDP_INACTIVE},
	{SDP_INACTIVE, SDP_RECVONLY, SDP_INACTIVE},
	{SDP_INACTIVE, SDP_INACTIVE, SDP_INACTIVE},
};

START_TEST(a_direction_never_exceeds_the_offer)
{
	ck_assert_int_eq(answer_dir(dir_rows[_i].offered, dir_rows[_i].far),
			 dir_rows[_i].want);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("offer and answer");

	tcase_add_loop_test(tc, an_offer_is_answered_as_its_row_says, 0,
			    ROWS(offer_rows));
	tcase_add_test(tc, a_suite_that_policy_leaves_out_is_not_taken);
	tcase_add_test(tc, the_peers_key_and_mki_arrive_whole);
	tcase_add_loop_test(tc,
			    an_answer_to_our_offer_is_judged_as_its_row_says, 0,
			    ROWS(answer_rows));
	tcase_add_test(tc, our_offer_has_one_line_per_suite_with_its_own_key);
	tcase_add_test(tc, our_offer_and_a_peer_of_the_same_kind_agree);
	tcase_add_test(tc, an_answer_must_have_the_offers_streams);
	tcase_add_test(tc, the_usable_lines_of_an_offer_come_in_our_order);
	tcase_add_loop_test(tc, a_direction_never_exceeds_the_offer, 0,
			    ROWS(dir_rows));
	return run_case("sdp/answer", tc);
}
