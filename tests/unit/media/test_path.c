/*
 * Who may send what, and what becomes of it: the latching rules against their
 * attacks, without sockets and without time.
 */
#include <check.h>
#include <stdlib.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "media/path.h"
#include "rtp/srtp.h"

static const struct addr phone = {ADDR_V4, {192, 0, 2, 1}, 5004};
static const struct addr phone_nat = {ADDR_V4, {192, 0, 2, 1}, 33000};
static const struct addr stranger = {ADDR_V4, {203, 0, 113, 9}, 5004};

static uint8_t buf[PATH_BUF_MAX];
static uint64_t now = 1000;

static struct flow_key key(uint8_t seed)
{
	struct flow_key k = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80};

	memset(k.key, seed, 16);
	memset(k.salt, seed + 1, 14);
	return k;
}

/* SRTP in, plain out (secure), or plain in, SRTP out. */
static struct flow flow(enum flow_latch latch, bool secure)
{
	struct flow f = {.id = 1, .peer_id = 2, .latch = latch};

	f.local = (struct addr){ADDR_V4, {127, 0, 0, 1}, 40000};
	f.remote = phone;
	if (secure)
		f.in = key(1);
	else
		f.out = key(2);
	return f;
}

static size_t rtp(uint16_t seq, uint32_t ssrc)
{
	memset(buf, 0, 60);
	buf[0] = 0x80;
	buf[2] = (uint8_t)(seq >> 8);
	buf[3] = (uint8_t)seq;
	buf[11] = (uint8_t)ssrc;
	return 60;
}

static size_t rtcp(uint32_t ssrc)
{
	memset(buf, 0, 8);
	buf[0] = 0x80;
	buf[1] = 201;
	buf[3] = 1;
	buf[7] = (uint8_t)ssrc;
	return 8;
}

static int arrive(struct path *p, const struct addr *src, bool is_rtcp,
		  size_t len)
{
	struct path_packet pkt = {buf, len, *src, is_rtcp};

	return path_receive(p, &pkt, now);
}

static int arrive_rtp(struct path *p, const struct addr *src, uint16_t seq)
{
	return arrive(p, src, false, rtp(seq, 1));
}

/* An authentic packet of sender s. */
static int arrive_srtp(struct path *p, struct rtp_srtp *s,
		       const struct addr *src, uint16_t seq)
{
	size_t len = rtp(seq, 1);

	ck_assert_int_eq(rtp_srtp_protect(s, buf, len, sizeof(buf), &len), 0);
	return arrive(p, src, false, len);
}

static int arrive_forged(struct path *p, const struct addr *src, uint16_t seq)
{
	size_t len = rtp(seq, 1);

	memset(buf + len, 0xee, 10);
	return arrive(p, src, false, len + 10);
}

static struct rtp_srtp *sender(uint8_t seed)
{
	struct flow_key k = key(seed);

	return rtp_srtp_new(&k);
}

static struct flow_stats stats(const struct path *p)
{
	struct flow_stats s;

	path_stats(p, &s);
	return s;
}

/* Latch mode, and from whom the first authentic packet is taken. */
static const struct {
	enum flow_latch latch;
	int from_phone, from_nat, from_stranger;
} firsts[] = {
	{FLOW_LATCH_OFF, 0, ERR_DENIED, ERR_DENIED},
	{FLOW_LATCH_RESTRICTED, 0, 0, ERR_DENIED},
	{FLOW_LATCH_NAT, 0, 0, 0},
};

static int first_from(enum flow_latch latch, const struct addr *src)
{
	struct flow f = flow(latch, true);
	struct path *p = path_new(&f, 0);
	struct rtp_srtp *s = sender(1);
	int err;

	/* Whatever mode: a wrong tag teaches nothing. */
	ck_assert_int_ne(arrive_forged(p, src, 1), 0);
	ck_assert(addr_eq(path_dest(p, false), &phone));
	ck_assert(!path_take_latched(p));
	err = arrive_srtp(p, s, src, 1);
	ck_assert(path_take_latched(p) == !err);
	ck_assert(addr_eq(path_dest(p, false), err ? &phone : src));
	rtp_srtp_free(s);
	path_free(p);
	return err;
}

START_TEST(the_latch_mode_says_who_may_be_first)
{
	enum flow_latch latch = firsts[_i].latch;

	ck_assert_int_eq(first_from(latch, &phone), firsts[_i].from_phone);
	ck_assert_int_eq(first_from(latch, &phone_nat), firsts[_i].from_nat);
	ck_assert_int_eq(first_from(latch, &stranger),
			 firsts[_i].from_stranger);
}
END_TEST

START_TEST(a_flood_of_forged_packets_from_nowhere_steals_nothing)
{
	struct flow f = flow(FLOW_LATCH_NAT, true);
	struct path *p = path_new(&f, 0);
	struct rtp_srtp *s = sender(1);

	ck_assert_int_eq(arrive_srtp(p, s, &phone_nat, 1), 0);
	for (uint16_t i = 0; i < 1000; i++)
		ck_assert_int_ne(arrive_forged(p, &stranger, i), 0);
	ck_assert(addr_eq(path_dest(p, false), &phone_nat));
	ck_assert_int_eq(arrive_srtp(p, s, &phone_nat, 2), 0);
	/* One of them repeats a sequence number that was seen. */
	ck_assert_uint_eq(stats(p).auth_fail, 999);
	ck_assert_uint_eq(stats(p).replay, 1);
	rtp_srtp_free(s);
	path_free(p);
}
END_TEST

START_TEST(a_packet_played_back_from_elsewhere_steals_nothing)
{
	struct flow f = flow(FLOW_LATCH_NAT, true);
	struct path *p = path_new(&f, 0);
	struct rtp_srtp *s = sender(1);
	uint8_t copy[80];
	size_t len = rtp(9, 1);

	ck_assert_int_eq(rtp_srtp_protect(s, buf, len, sizeof(buf), &len), 0);
	memcpy(copy, buf, len);
	ck_assert_int_eq(arrive(p, &phone, false, len), 0);
	memcpy(buf, copy, len);
	ck_assert_int_eq(arrive(p, &stranger, false, len), ERR_REPLAY);
	ck_assert(addr_eq(path_dest(p, false), &phone));
	ck_assert_uint_eq(stats(p).replay, 1);
	rtp_srtp_free(s);
	path_free(p);
}
END_TEST

START_TEST(one_captured_packet_that_arrives_first_steals_nothing)
{
	struct flow f = flow(FLOW_LATCH_NAT, true);
	struct path *p = path_new(&f, 0);
	struct rtp_srtp *s = sender(1);

	ck_assert_int_eq(arrive_srtp(p, s, &phone, 1), 0);
	for (uint16_t i = 2; i < 40; i += 3) {
		/* Authentic, so it passes; but the stream stays. */
		ck_assert_int_eq(arrive_srtp(p, s, &stranger, i), 0);
		ck_assert_int_eq(
			arrive_srtp(p, s, &stranger, (uint16_t)(i + 1)), 0);
		ck_assert_int_eq(arrive_srtp(p, s, &phone, (uint16_t)(i + 2)),
				 0);
		ck_assert(addr_eq(path_dest(p, false), &phone));
	}
	rtp_srtp_free(s);
	path_free(p);
}
END_TEST

START_TEST(a_phone_behind_a_nat_may_move)
{
	struct flow f = flow(FLOW_LATCH_NAT, true);
	struct path *p = path_new(&f, 0);
	struct rtp_srtp *s = sender(1);

	ck_assert_int_eq(arrive_srtp(p, s, &phone, 1), 0);
	(void)path_take_latched(p);
	for (uint16_t i = 2; i < 2 + PATH_PROOF; i++)
		ck_assert_int_eq(arrive_srtp(p, s, &phone_nat, i), 0);
	ck_assert(addr_eq(path_dest(p, false), &phone_nat));
	ck_assert(path_take_latched(p));
	ck_assert(!path_take_latched(p));
	rtp_srtp_free(s);
	path_free(p);
}
END_TEST

START_TEST(restricted_does_not_move_to_another_ip)
{
	struct flow f = flow(FLOW_LATCH_RESTRICTED, true);
	struct path *p = path_new(&f, 0);
	struct rtp_srtp *s = sender(1);

	ck_assert_int_eq(arrive_srtp(p, s, &phone, 1), 0);
	for (uint16_t i = 2; i < 20; i++)
		ck_assert_int_eq(arrive_srtp(p, s, &stranger, i), ERR_DENIED);
	ck_assert_uint_eq(stats(p).src_reject, 18);
	ck_assert(addr_eq(path_dest(p, false), &phone));
	rtp_srtp_free(s);
	path_free(p);
}
END_TEST

START_TEST(plain_rtp_from_the_signalled_port_passes_at_once)
{
	struct flow f = flow(FLOW_LATCH_RESTRICTED, false);
	struct path *p = path_new(&f, 0);

	ck_assert_int_eq(arrive_rtp(p, &phone, 1), 0);
	/* After that nobody else, not even from the same IP. */
	for (uint16_t i = 2; i < 20; i++)
		ck_assert_int_eq(arrive_rtp(p, &phone_nat, i), ERR_DENIED);
	ck_assert(addr_eq(path_dest(p, false), &phone));
	path_free(p);
}
END_TEST

START_TEST(plain_rtp_from_another_port_proves_itself_first)
{
	struct flow f = flow(FLOW_LATCH_RESTRICTED, false);
	struct path *p = path_new(&f, 0);

	ck_assert_int_eq(arrive_rtp(p, &phone_nat, 10), ERR_DENIED);
	ck_assert_int_eq(arrive_rtp(p, &phone_nat, 12), ERR_DENIED);
	ck_assert_int_eq(arrive_rtp(p, &phone_nat, 13), ERR_DENIED);
	ck_assert(addr_eq(path_dest(p, false), &phone));
	ck_assert_int_eq(arrive_rtp(p, &phone_nat, 14), 0);
	ck_assert(addr_eq(path_dest(p, false), &phone_nat));
	ck_assert_int_eq(arrive_rtp(p, &phone, 15), ERR_DENIED);
	path_free(p);
}
END_TEST

START_TEST(plain_rtp_has_no_nat_mode)
{
	struct flow f = flow(FLOW_LATCH_NAT, false);
	struct path *p = path_new(&f, 0);

	for (uint16_t i = 0; i < 10; i++)
		ck_assert_int_eq(arrive_rtp(p, &stranger, i), ERR_DENIED);
	path_free(p);
}
END_TEST

START_TEST(without_a_signalled_address_only_a_tag_helps)
{
	struct flow f = flow(FLOW_LATCH_RESTRICTED, true);
	struct rtp_srtp *s = sender(1);
	struct path *p;

	f.remote = (struct addr){0};
	p = path_new(&f, 0);
	ck_assert_int_eq(path_dest(p, false)->family, ADDR_NONE);
	ck_assert_int_eq(arrive_srtp(p, s, &phone, 1), ERR_DENIED);
	f.latch = FLOW_LATCH_NAT;
	ck_assert_int_eq(path_update(p, &f, 1000), 0);
	ck_assert_int_eq(arrive_srtp(p, s, &phone, 2), 0);
	ck_assert(addr_eq(path_dest(p, false), &phone));
	rtp_srtp_free(s);
	path_free(p);
}
END_TEST

/* What arrives on which port, and the verdict. */
static const struct {
	uint8_t first, second;
	size_t len;
	bool is_rtcp;
} junk[] = {
	{0, 1, 20, false},    /* STUN */
	{22, 254, 60, false}, /* DTLS */
	{0x80, 0, 11, false}, /* too short */
	{0x9f, 0, 60, false}, /* lists longer than the packet */
	{0x80, 0, 60, true},  /* RTP on the RTCP port */
	{0x80, 200, 9, true}, /* length does not chain */
	{0x80, 0, PATH_PACKET_MAX + 1, false},
};

/* Not RTP at all: from the signalled address, and from nowhere else. */
START_TEST(raw_datagrams_pass_from_the_signalled_address_only)
{
	struct flow f = flow(FLOW_LATCH_NAT, false);
	struct path *p;

	f.out = (struct flow_key){.suite = SUITE_NONE};
	f.is_raw = true;
	p = path_new(&f, 0);
	memset(buf, 0x7f, 40);
	ck_assert_int_eq(arrive(p, &phone, false, 40), 0);
	ck_assert_uint_eq(buf[39], 0x7f);
	ck_assert_int_eq(arrive(p, &phone_nat, false, 40), ERR_DENIED);
	ck_assert_int_eq(arrive(p, &stranger, false, 40), ERR_DENIED);
	ck_assert_int_eq(arrive(p, &phone, true, 40), ERR_DENIED);
	ck_assert_int_eq(arrive(p, &phone, false, PATH_PACKET_MAX + 1),
			 ERR_BAD);
	ck_assert(addr_eq(path_dest(p, false), &phone));
	f.is_blocked = true;
	ck_assert_int_eq(path_update(p, &f, now), 0);
	ck_assert_int_eq(arrive(p, &phone, false, 40), ERR_STATE);
	path_free(p);
}
END_TEST

/* Who is told the key in the midst of the stream cannot know its roll-over
 * counter: said once, a minute ahead, again after each update, and of that key
 * alone. */
START_TEST(a_stream_that_has_come_far_says_so)
{
	struct flow f = flow(FLOW_LATCH_OFF, true);
	struct path *p = path_new(&f, 0);
	struct rtp_srtp *s = sender(1), *again;

	ck_assert_int_eq(arrive_srtp(p, s, &phone, 100), 0);
	ck_assert_int_eq(arrive_srtp(p, s, &phone, RTP_LEND_MAX - 64), 0);
	ck_assert(!path_take_rolled(p));
	for (uint16_t i = 0; i <= 64; i++)
		ck_assert_int_eq(
			arrive_srtp(p, s, &phone, (uint16_t)(RTP_LEND_MAX + i)),
			0);
	ck_assert(path_take_rolled(p));
	ck_assert(!path_take_rolled(p));
	/* Over the edge, where the sequence numbers are small again. */
	ck_assert_int_eq(arrive_srtp(p, s, &phone, 0xffff), 0);
	ck_assert_int_eq(arrive_srtp(p, s, &phone, 64), 0);
	ck_assert(!path_take_rolled(p));
	ck_assert_int_eq(path_update(p, &f, now), 0);
	ck_assert(path_take_rolled(p));
	/* On hold as well. */
	f.is_blocked = true;
	ck_assert_int_eq(path_update(p, &f, now), 0);
	ck_assert(path_take_rolled(p));
	f.is_blocked = false;
	f.in = key(3);
	ck_assert_int_eq(path_update(p, &f, now), 0);
	again = sender(3);
	ck_assert_int_eq(arrive_srtp(p, again, &phone, 128), 0);
	ck_assert(!path_take_rolled(p));
	rtp_srtp_free(s);
	rtp_srtp_free(again);
	path_free(p);
}
END_TEST

/* Another key is another agreement: its roll-over counter begins at 0 on both
 * sides, whatever the sequence numbers have come to. What was sent before the
 * change goes by the counter of the key before. */
START_TEST(another_key_begins_anew)
{
	struct flow f = flow(FLOW_LATCH_OFF, true);
	struct path *p;
	struct rtp_srtp *s = sender(1), *again = sender(3);
	struct rtp_srtp *hears = sender(2), *hears_again = sender(4);
	uint8_t late[80];
	size_t len, late_len;

	f.out = key(2);
	p = path_new(&f, 0);
	for (uint32_t i = 0xfff0; i < 0x10010; i++) {
		ck_assert_int_eq(arrive_srtp(p, s, &phone, (uint16_t)i), 0);
		len = 70;
		ck_assert_int_eq(rtp_srtp_unprotect(hears, buf, len, &len), 0);
	}
	late_len = rtp(0x10, 1);
	ck_assert_int_eq(rtp_srtp_protect(s, buf, late_len, sizeof(buf),
					  &late_len),
			 0);
	memcpy(late, buf, late_len);
	f.in = key(3);
	f.out = key(4);
	ck_assert_int_eq(path_update(p, &f, now), 0);
	ck_assert_int_eq(arrive_srtp(p, again, &phone, 0x11), 0);
	len = 70;
	ck_assert_int_eq(rtp_srtp_unprotect(hears_again, buf, len, &len), 0);
	memcpy(buf, late, late_len);
	ck_assert_int_eq(arrive(p, &phone, false, late_len), 0);
	len = 70;
	ck_assert_int_eq(rtp_srtp_unprotect(hears_again, buf, len, &len), 0);
	rtp_srtp_free(s);
	rtp_srtp_free(again);
	rtp_srtp_free(hears);
	rtp_srtp_free(hears_again);
	path_free(p);
}
END_TEST

/* A successor that goes on in the midst of a stream knows it, too. */
START_TEST(a_stream_that_goes_on_elsewhere_has_come_as_far)
{
	struct flow f = flow(FLOW_LATCH_OFF, true);
	struct path *p = path_new(&f, 0), *next = path_new(&f, 0);
	struct rtp_srtp *s = sender(1);
	struct media_state at = {.fd = {-1, -1}};

	for (uint32_t i = 0xfff0; i < 0x10040; i++)
		ck_assert_int_eq(arrive_srtp(p, s, &phone, (uint16_t)i), 0);
	path_state(p, &at);
	ck_assert_int_eq(path_begin(next, &at), 0);
	ck_assert_int_eq(arrive_srtp(next, s, &phone, 0x40), 0);
	ck_assert(path_take_rolled(next));
	rtp_srtp_free(s);
	path_free(p);
	path_free(next);
}
END_TEST

/* A join without sockets: through, opened and closed again, or not at all. */
START_TEST(a_joined_path_leaves_as_the_far_one_says)
{
	struct flow f = flow(FLOW_LATCH_OFF, true);
	struct flow g = flow(FLOW_LATCH_OFF, false);
	struct path *near = path_new(&f, 0), *far = path_new(&g, 0);
	struct rtp_srtp *s = sender(1), *other = sender(2);
	uint8_t copy[70];
	size_t len;

	path_join(near, far);
	ck_assert_int_eq(arrive_srtp(near, s, &phone, 1), 0);
	len = 70;
	ck_assert_int_eq(rtp_srtp_unprotect(other, buf, len, &len), 0);
	g.out = f.in;
	g.is_borrowed = true;
	ck_assert_int_eq(path_update(far, &g, now), 0);
	path_join(near, far);
	len = rtp(2, 1);
	ck_assert_int_eq(rtp_srtp_protect(s, buf, len, sizeof(buf), &len), 0);
	memcpy(copy, buf, len);
	ck_assert_int_eq(arrive(near, &phone, false, len), 0);
	ck_assert_mem_eq(buf, copy, len);
	ck_assert_int_eq(arrive(near, &phone, false, len), ERR_REPLAY);
	ck_assert_int_eq(arrive_forged(near, &phone, 3), ERR_AUTH);
	/* Another borrowed key than the sender's: nothing. */
	g.out = key(9);
	ck_assert_int_eq(path_update(far, &g, now), 0);
	path_join(near, far);
	ck_assert_int_eq(arrive_srtp(near, s, &phone, 4), ERR_STATE);
	/* Alone again it is what it was. */
	path_join(near, NULL);
	ck_assert_int_eq(arrive_srtp(near, s, &phone, 5), 0);
	rtp_srtp_free(s);
	rtp_srtp_free(other);
	path_free(near);
	path_free(far);
}
END_TEST

START_TEST(what_is_not_rtp_is_counted_and_dropped)
{
	struct flow f = flow(FLOW_LATCH_OFF, false);
	struct path *p = path_new(&f, 0);
	struct addr src = phone;

	if (junk[_i].is_rtcp)
		src.port++;
	(void)rtp(1, 1);
	buf[0] = junk[_i].first;
	buf[1] = junk[_i].second;
	ck_assert_int_eq(arrive(p, &src, junk[_i].is_rtcp, junk[_i].len),
			 ERR_BAD);
	ck_assert_uint_eq(stats(p).malformed, 1);
	path_free(p);
}
END_TEST

START_TEST(rtcp_has_a_latch_of_its_own)
{
	struct flow f = flow(FLOW_LATCH_RESTRICTED, false);
	struct path *p = path_new(&f, 0);
	struct addr rtcp_src = addr_with_port(&phone, 5005);

	ck_assert_int_eq(arrive(p, &phone, true, rtcp(1)), ERR_DENIED);
	ck_assert_int_eq(arrive(p, &rtcp_src, true, rtcp(1)), 0);
	ck_assert(addr_eq(path_dest(p, true), &rtcp_src));
	ck_assert_int_eq(arrive(p, &phone_nat, true, rtcp(1)), ERR_DENIED);
	ck_assert(!path_take_latched(p));
	f.remote_rtcp = phone_nat;
	ck_assert_int_eq(path_update(p, &f, 1000), 0);
	ck_assert_int_eq(arrive(p, &rtcp_src, true, rtcp(1)), ERR_DENIED);
	ck_assert_int_eq(arrive(p, &phone_nat, true, rtcp(1)), 0);
	path_free(p);
}
END_TEST

START_TEST(a_blocked_flow_checks_but_does_not_forward)
{
	struct flow f = flow(FLOW_LATCH_RESTRICTED, true);
	struct rtp_srtp *s = sender(1);
	struct path *p;

	f.is_blocked = true;
	p = path_new(&f, 0);
	ck_assert_int_eq(arrive_srtp(p, s, &phone_nat, 1), ERR_STATE);
	ck_assert_uint_eq(stats(p).dropped, 1);
	ck_assert(addr_eq(path_dest(p, false), &phone_nat));
	f.is_blocked = false;
	ck_assert_int_eq(path_update(p, &f, 1000), 0);
	/* The key is the same, so what it saw it still knows. */
	ck_assert(addr_eq(path_dest(p, false), &phone_nat));
	ck_assert_int_eq(arrive_srtp(p, s, &phone_nat, 2), 0);
	rtp_srtp_free(s);
	path_free(p);
}
END_TEST

START_TEST(an_update_with_the_same_key_keeps_the_index)
{
	struct flow f = flow(FLOW_LATCH_OFF, true);
	struct path *p = path_new(&f, 0);
	struct rtp_srtp *s = sender(1);

	/* Over the wrap of the sequence number. */
	for (uint32_t i = 65500; i < 65600; i++)
		ck_assert_int_eq(arrive_srtp(p, s, &phone, (uint16_t)i), 0);
	f.remote = phone_nat;
	ck_assert_int_eq(path_update(p, &f, 1000), 0);
	ck_assert_int_eq(arrive_srtp(p, s, &phone, 64), ERR_DENIED);
	ck_assert_int_eq(arrive_srtp(p, s, &phone_nat, 65), 0);
	rtp_srtp_free(s);
	path_free(p);
}
END_TEST

/* Whoever says so knows less than we do: under it sequence numbers would be used
 * a second time. */
START_TEST(an_earlier_key_of_ours_does_not_come_back)
{
	struct flow f = flow(FLOW_LATCH_OFF, false);
	struct path *p = path_new(&f, 0);
	struct media_state state;

	ck_assert_int_eq(arrive_rtp(p, &phone, 100), 0);
	for (uint8_t i = 10; i < 13; i++) {
		f.out = key(i);
		ck_assert_int_eq(path_update(p, &f, 1000), 0);
	}
	f.out = key(2);
	ck_assert_int_eq(path_update(p, &f, 1000), ERR_STATE);
	f.out = key(12);
	ck_assert_int_eq(path_update(p, &f, 1000), 0);
	f.out = key(11);
	ck_assert_int_eq(path_update(p, &f, 1000), ERR_STATE);
	/* Nor elsewhere. */
	path_state(p, &state);
	path_free(p);
	f.out = key(12);
	p = path_new(&f, 0);
	ck_assert_int_eq(path_begin(p, &state), 0);
	f.out = key(2);
	ck_assert_int_eq(path_update(p, &f, 1000), ERR_STATE);
	/* The far phone's, which only passes here, may. */
	f.is_borrowed = true;
	ck_assert_int_eq(path_update(p, &f, 1000), 0);
	path_free(p);
}
END_TEST

static int set_out(struct path *p, uint8_t k, bool is_borrowed)
{
	struct flow f = flow(FLOW_LATCH_OFF, false);

	f.out = key(k);
	f.is_borrowed = is_borrowed;
	return path_update(p, &f, now);
}

/* A key that was borrowed, and is ours without another between: it counts from
 * then on, and one of ours that is lent back to us is still spent. */
START_TEST(a_borrowed_key_that_becomes_ours_does_not_come_back)
{
	struct flow f = flow(FLOW_LATCH_OFF, false);
	struct path *p = path_new(&f, 0);

	ck_assert_int_eq(set_out(p, 11, true), 0);
	ck_assert_int_eq(set_out(p, 11, false), 0);
	ck_assert_int_eq(set_out(p, 12, false), 0);
	ck_assert_int_eq(set_out(p, 11, false), ERR_STATE);
	ck_assert_int_eq(set_out(p, 11, true), 0);
	ck_assert_int_eq(set_out(p, 11, false), ERR_STATE);
	ck_assert_int_eq(set_out(p, 13, false), 0);
	path_free(p);
}
END_TEST

START_TEST(the_old_key_opens_for_a_while_and_no_longer)
{
	struct flow f = flow(FLOW_LATCH_OFF, true);
	struct path *p = path_new(&f, 0);
	struct rtp_srtp *old = sender(1), *new = sender(9);

	ck_assert_int_eq(arrive_srtp(p, old, &phone, 1), 0);
	f.in = key(9);
	ck_assert_int_eq(path_update(p, &f, 1000), 0);
	ck_assert_int_eq(arrive_srtp(p, old, &phone, 2), 0);
	ck_assert_int_eq(arrive_srtp(p, new, &phone, 3), 0);
	ck_assert_int_eq(arrive_srtp(p, old, &phone, 4), 0);
	ck_assert_int_eq(arrive_forged(p, &phone, 5), ERR_AUTH);
	now += PATH_GRACE_MS - 1;
	ck_assert_int_eq(arrive_srtp(p, old, &phone, 5), 0);
	now++;
	ck_assert_int_eq(arrive_srtp(p, old, &phone, 6), ERR_AUTH);
	ck_assert_int_eq(arrive_srtp(p, new, &phone, 7), 0);
	rtp_srtp_free(old);
	rtp_srtp_free(new);
	path_free(p);
}
END_TEST

START_TEST(new_ssrcs_towards_srtp_are_rationed)
{
	struct flow f = flow(FLOW_LATCH_OFF, false);
	struct path *p = path_new(&f, 1000);
	int passed = 0;

	for (uint32_t i = 0; i < 100; i++)
		passed += !arrive(p, &phone, false, rtp(1, i));
	ck_assert_int_eq(passed, PATH_SSRC_BURST);
	ck_assert_uint_eq(stats(p).dropped, 100 - PATH_SSRC_BURST);
	/* Those it knows go on. */
	ck_assert_int_eq(arrive(p, &phone, false, rtp(2, 0)), 0);
	path_free(p);
}
END_TEST

START_TEST(silence_is_reported_once)
{
	struct flow f = flow(FLOW_LATCH_OFF, false);
	struct path *p;

	f.idle_ms = 500;
	p = path_new(&f, 0);
	ck_assert(!path_take_idle(p, 499));
	ck_assert(path_take_idle(p, 500));
	ck_assert(!path_take_idle(p, 5000));
	ck_assert_int_eq(arrive_rtp(p, &phone, 1), 0); /* at 1000 */
	/* Whoever asks read the clock before the packet's thread did. */
	ck_assert(!path_take_idle(p, 999));
	ck_assert(!path_take_idle(p, 1499));
	ck_assert(path_take_idle(p, 1500));
	/* Refused packets are silence. */
	ck_assert_int_eq(arrive_rtp(p, &stranger, 2), ERR_DENIED);
	ck_assert(!path_take_idle(p, 9000));
	path_free(p);
}
END_TEST

/* Whoever changed the flow may hear that it is idle only then: by itself it
 * counts anew, so that is taken back. */
START_TEST(an_update_ends_a_silence)
{
	struct flow f = flow(FLOW_LATCH_OFF, false);
	struct path *p;

	f.idle_ms = 500;
	p = path_new(&f, 0);
	ck_assert_int_eq(path_update(p, &f, 100), 0);
	ck_assert(!path_take_active(p));
	ck_assert(path_take_idle(p, 600));
	ck_assert_int_eq(path_update(p, &f, 700), 0);
	ck_assert(!path_take_idle(p, 1199));
	ck_assert(path_take_active(p));
	ck_assert(!path_take_active(p));
	/* What was not told before is told after. */
	ck_assert(path_take_idle(p, 1200));
	ck_assert_int_eq(arrive_rtp(p, &phone, 1), 0);
	ck_assert_int_eq(path_update(p, &f, 1300), 0);
	ck_assert(path_take_active(p));
	path_free(p);
}
END_TEST

/* It has ended, but nobody has been told. */
START_TEST(the_end_of_a_silence_is_told_elsewhere)
{
	struct flow f = flow(FLOW_LATCH_OFF, false);
	struct media_state at = {.fd = {-1, -1}};
	struct path *p, *next;

	f.idle_ms = 500;
	p = path_new(&f, 0);
	next = path_new(&f, 0);
	ck_assert(path_take_idle(p, 500));
	ck_assert_int_eq(arrive_rtp(p, &phone, 1), 0);
	path_state(p, &at);
	ck_assert_int_eq(path_begin(next, &at), 0);
	ck_assert(!path_take_active(next));
	ck_assert_int_eq(arrive_rtp(next, &phone, 2), 0);
	ck_assert(path_take_active(next));
	path_free(p);
	path_free(next);
}
END_TEST

static void sweep_body(void *arg)
{
	struct flow f = flow(FLOW_LATCH_OFF, true);
	struct path *p;

	(void)arg;
	f.out = key(5);
	p = path_new(&f, 0);
	if (!p)
		return;
	f.in = key(6);
	f.out = key(7);
	(void)!path_update(p, &f, 0);
	path_free(p);
}

START_TEST(no_memory_is_survived)
{
	oom_sweep(sweep_body, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("path");
	TCase *t = tcase_create("srtp");

	tcase_add_loop_test(t, the_latch_mode_says_who_may_be_first, 0, 3);
	tcase_add_test(t,
		       a_flood_of_forged_packets_from_nowhere_steals_nothing);
	tcase_add_test(t, a_packet_played_back_from_elsewhere_steals_nothing);
	tcase_add_test(t,
		       one_captured_packet_that_arrives_first_steals_nothing);
	tcase_add_test(t, a_phone_behind_a_nat_may_move);
	tcase_add_test(t, restricted_does_not_move_to_another_ip);
	tcase_add_test(t, without_a_signalled_address_only_a_tag_helps);
	suite_add_tcase(s, t);
	t = tcase_create("plain");
	tcase_add_test(t, plain_rtp_from_the_signalled_port_passes_at_once);
	tcase_add_test(t, plain_rtp_from_another_port_proves_itself_first);
	tcase_add_test(t, plain_rtp_has_no_nat_mode);
	tcase_add_test(t, raw_datagrams_pass_from_the_signalled_address_only);
	tcase_add_test(t, a_joined_path_leaves_as_the_far_one_says);
	tcase_add_loop_test(t, what_is_not_rtp_is_counted_and_dropped, 0, 7);
	tcase_add_test(t, rtcp_has_a_latch_of_its_own);
	suite_add_tcase(s, t);
	t = tcase_create("changes");
	tcase_add_test(t, a_blocked_flow_checks_but_does_not_forward);
	tcase_add_test(t, an_update_with_the_same_key_keeps_the_index);
	tcase_add_test(t, an_earlier_key_of_ours_does_not_come_back);
	tcase_add_test(t, a_borrowed_key_that_becomes_ours_does_not_come_back);
	tcase_add_test(t, the_old_key_opens_for_a_while_and_no_longer);
	tcase_add_test(t, new_ssrcs_towards_srtp_are_rationed);
	tcase_add_test(t, a_stream_that_has_come_far_says_so);
	tcase_add_test(t, a_stream_that_goes_on_elsewhere_has_come_as_far);
	tcase_add_test(t, another_key_begins_anew);
	tcase_add_test(t, silence_is_reported_once);
	tcase_add_test(t, an_update_ends_a_silence);
	tcase_add_test(t, the_end_of_a_silence_is_told_elsewhere);
	tcase_add_test(t, no_memory_is_survived);
	suite_add_tcase(s, t);
	return run_suite(s);
}
