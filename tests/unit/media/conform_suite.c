/*
 * Every suite, with and without an MKI, in every direction: plain to SRTP and
 * back, SRTP to SRTP under another suite, plain to plain, and what is no RTP.
 */
#include "unit/media/conform.h"

enum { MKI_LEN = 4, CASES = 2 * (SUITE_COUNT - 1) };

/* The two contexts of a party that has keys. */
struct party {
	const struct suite_info *info;
	size_t mki_len;
	struct rtp_srtp *out, *in;
};

/* Suite and MKI of a case. */
static struct flow_key key_of(int i, uint8_t seed)
{
	struct flow_key k = {.suite = (enum suite)(1 + i / 2)};
	const struct suite_info *info = suite_info(k.suite);

	memset(k.key, seed, info->key_len);
	memset(k.salt, seed, info->salt_len);
	k.mki_len = i % 2 ? MKI_LEN : 0;
	memset(k.mki, seed, k.mki_len);
	return k;
}

/* Give leg new keys: what arrives there, and what leaves there. */
static struct party secure(struct rig *r, int leg, int i, uint8_t seed)
{
	struct flow_key up = key_of(i, seed);
	struct flow_key down = key_of(i, (uint8_t)(seed + 1));

	r->flow[leg].in = up;
	r->flow[1 - leg].out = down;
	ck_assert_int_eq(rig_update(r, leg), 0);
	ck_assert_int_eq(rig_update(r, 1 - leg), 0);
	return (struct party){.info = suite_info(up.suite),
			      .mki_len = up.mki_len,
			      .out = rtp_srtp_new(&up),
			      .in = rtp_srtp_new(&down)};
}

static void party_done(struct party *p)
{
	rtp_srtp_free(p->out);
	rtp_srtp_free(p->in);
}

/* Send what is in the packet from leg; p NULL: as it is. */
static void say(const struct rig *r, int leg, bool rtcp, size_t len,
		struct party *p)
{
	if (p && rtcp)
		ck_assert_int_eq(rtp_srtp_protect_rtcp(p->out, conform_buf, len,
						       CONFORM_BUF, &len),
				 0);
	else if (p)
		ck_assert_int_eq(rtp_srtp_protect(p->out, conform_buf, len,
						  CONFORM_BUF, &len),
				 0);
	rig_send(r, leg, rtcp, len);
}

/* The next packet at leg is one of len bytes, opened with p. */
static void hear(const struct rig *r, int leg, bool rtcp, size_t len,
		 struct party *p)
{
	size_t tag = !p	    ? 0
		     : rtcp ? p->info->rtcp_tag_len + 4u
			    : p->info->rtp_tag_len;
	size_t got = len + tag + (p ? p->mki_len : 0);

	ck_assert_int_eq(conform_receive(r->fd[leg][rtcp]), (int)got);
	if (p && rtcp)
		ck_assert_int_eq(
			rtp_srtp_unprotect_rtcp(p->in, conform_buf, got, &got),
			0);
	else if (p)
		ck_assert_int_eq(
			rtp_srtp_unprotect(p->in, conform_buf, got, &got), 0);
	ck_assert_uint_eq(got, len);
}

/* One of each, both ways. */
static void talk(const struct rig *r, struct party *zero, struct party *one,
		 uint16_t seq)
{
	struct party *party[2] = {zero, one};

	for (int leg = 0; leg < 2; leg++) {
		say(r, leg, false, conform_rtp(seq), party[leg]);
		hear(r, 1 - leg, false, 172, party[1 - leg]);
		conform_is_payload();
		say(r, leg, true, conform_rtcp(), party[leg]);
		hear(r, 1 - leg, true, 8, party[1 - leg]);
	}
}

/* Sequence numbers that roll over, with gaps and out of order. */
static const uint16_t walk[] = {65530, 65531, 65533, 65532, 65535, 1,
				0,     2,     40,    39,    100};
enum { WALK = sizeof(walk) / sizeof(walk[0]) };

START_TEST(every_suite_towards_plain_rtp)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct party phone = secure(&r, 1, _i, 30);

	for (int i = 0; i < WALK; i++)
		talk(&r, NULL, &phone, walk[i]);
	ck_assert_uint_eq(rig_query(&r, 1).rtp_packets, WALK);
	ck_assert_uint_eq(rig_query(&r, 1).rtcp_packets, WALK);
	party_done(&phone);
	rig_free(&r);
}
END_TEST

START_TEST(every_suite_towards_another)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct party phone = secure(&r, 1, _i, 30);
	struct party core = secure(&r, 0, (_i + 3) % CASES, 40);

	for (int i = 0; i < WALK; i++)
		talk(&r, &core, &phone, walk[i]);
	party_done(&phone);
	party_done(&core);
	rig_free(&r);
}
END_TEST

START_TEST(every_suite_refuses_forgeries_and_replays)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct party phone = secure(&r, 1, _i, 30);
	uint8_t kept[CONFORM_BUF];
	size_t len = conform_rtp(5);

	ck_assert_int_eq(rtp_srtp_protect(phone.out, conform_buf, len,
					  CONFORM_BUF, &len),
			 0);
	memcpy(kept, conform_buf, len);
	/* Each byte counts: header, payload, MKI, tag. */
	for (size_t at = 2; at < len; at += 9) {
		memcpy(conform_buf, kept, len);
		conform_buf[at] ^= 0x10;
		rig_send(&r, 1, false, len);
	}
	/* Before the true one is sent: on two processors that may overtake, and
	 * what has its number is a replay from then on. */
	while (rig_query(&r, 1).auth_fail < (len - 2 + 8) / 9)
		continue;
	memcpy(conform_buf, kept, len);
	rig_send(&r, 1, false, len);
	hear(&r, 0, false, 172, NULL);
	conform_is_payload();
	memcpy(conform_buf, kept, len);
	rig_send(&r, 1, false, len);
	while (rig_query(&r, 1).replay == 0)
		continue;
	ck_assert_uint_eq(rig_query(&r, 1).auth_fail, (len - 2 + 8) / 9);
	talk(&r, NULL, &phone, 6);
	party_done(&phone);
	rig_free(&r);
}
END_TEST

/* What was on its way under the old key still arrives. */
START_TEST(a_rekey_loses_nothing)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct party old = secure(&r, 1, _i, 30), new;

	talk(&r, NULL, &old, 1);
	new = secure(&r, 1, (_i + 2) % CASES, 50);
	say(&r, 1, false, conform_rtp(2), &old);
	hear(&r, 0, false, 172, NULL);
	talk(&r, NULL, &new, 3);
	/* An update that says the same keys again changes no index. */
	ck_assert_int_eq(rig_update(&r, 1), 0);
	ck_assert_int_eq(rig_update(&r, 0), 0);
	talk(&r, NULL, &new, 4);
	party_done(&old);
	party_done(&new);
	rig_free(&r);
}
END_TEST

START_TEST(plain_rtp_passes_as_it_is)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);

	r.flow[1].in.suite = SUITE_NONE;
	r.flow[0].out.suite = SUITE_NONE;
	ck_assert_int_eq(rig_update(&r, 1), 0);
	ck_assert_int_eq(rig_update(&r, 0), 0);
	for (int i = 0; i < WALK; i++)
		talk(&r, NULL, NULL, walk[i]);
	rig_free(&r);
}
END_TEST

/* Fax over UDPTL: any datagram, of the announced address alone. */
START_TEST(what_is_no_rtp_passes_where_it_may)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);

	for (int leg = 0; leg < 2; leg++) {
		r.flow[leg].in.suite = r.flow[leg].out.suite = SUITE_NONE;
		r.flow[leg].is_raw = true;
		ck_assert_int_eq(rig_update(&r, leg), 0);
	}
	memcpy(conform_buf, "\0\1udptl", 7);
	rig_send(&r, 1, false, 7);
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 7);
	ck_assert_int_eq(memcmp(conform_buf, "\0\1udptl", 7), 0);
	rig_send(&r, 0, true, 7);
	while (rig_query(&r, 0).src_reject == 0)
		continue;
	rig_free(&r);
}
END_TEST

TCase *conform_suite_cases(void)
{
	TCase *t = tcase_create("suites");

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, every_suite_towards_plain_rtp, 0, CASES);
	tcase_add_loop_test(t, every_suite_towards_another, 0, CASES);
	tcase_add_loop_test(t, every_suite_refuses_forgeries_and_replays, 0,
			    CASES);
	tcase_add_loop_test(t, a_rekey_loses_nothing, 0, CASES);
	tcase_add_test(t, plain_rtp_passes_as_it_is);
	tcase_add_test(t, what_is_no_rtp_passes_where_it_may);
	return t;
}
