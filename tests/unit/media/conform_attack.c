/*
 * What strangers try: injected and stolen media, floods, packets that are not
 * what they seem. Nothing of it is forwarded, moves a stream, or stops it.
 */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <unistd.h>

#include "unit/media/conform.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* Plain legs on both sides: nothing proves anything but the address. */
static struct rig plain(enum flow_latch latch)
{
	struct rig r = rig_new(AF_INET, latch);

	for (int leg = 0; leg < 2; leg++) {
		r.flow[leg].in.suite = r.flow[leg].out.suite = SUITE_NONE;
		ck_assert_int_eq(rig_update(&r, leg), 0);
	}
	return r;
}

static void plain_talk(const struct rig *r, uint16_t seq)
{
	for (int leg = 0; leg < 2; leg++) {
		rig_send(r, leg, false, conform_rtp(seq));
		ck_assert_int_eq(conform_receive(r->fd[1 - leg][0]), 172);
	}
}

static bool is_quiet(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

/* RTP bleed: a stranger sprays the port of a stream that has begun. */
START_TEST(a_stream_that_has_begun_is_not_stolen)
{
	struct rig r = plain((enum flow_latch)_i);
	struct flow_stats st;
	struct addr self;
	int fd = conform_bound(AF_INET, &self);

	plain_talk(&r, 1);
	for (uint16_t i = 0; i < 100; i++)
		conform_send(fd, &r.flow[1].local,
			     conform_rtp((uint16_t)(500 + i)));
	while (rig_query(&r, 1).src_reject < 100)
		continue;
	plain_talk(&r, 2);
	ck_assert(is_quiet(fd));
	st = rig_query(&r, 1);
	ck_assert(addr_eq(&st.latched, &r.self[1][0]));
	(void)close(fd);
	rig_free(&r);
}
END_TEST

/* Before it began: from another port of the announced address only packets in
 * a row count, and those before the last are not forwarded. */
START_TEST(a_plain_source_has_to_prove_itself)
{
	struct rig r = plain(FLOW_LATCH_RESTRICTED);
	struct addr self;
	int fd = conform_bound(AF_INET, &self);

	conform_send(fd, &r.flow[1].local, conform_rtp(1));
	conform_send(fd, &r.flow[1].local, conform_rtp(7));
	conform_send(fd, &r.flow[1].local, conform_rtp(9));
	while (rig_query(&r, 1).src_reject < 3)
		continue;
	ck_assert_uint_eq(rig_query(&r, 1).rtp_packets, 0);
	conform_send(fd, &r.flow[1].local, conform_rtp(10));
	conform_send(fd, &r.flow[1].local, conform_rtp(11));
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	ck_assert_uint_eq(conform_buf[3], 11);
	ck_assert(is_quiet(r.fd[0][0]));
	(void)close(fd);
	rig_free(&r);
}
END_TEST

/* A phone moves to another port: authentic packets in a row move its stream,
 * one that was captured and is played back first does not. */
START_TEST(a_phone_may_move_and_its_echo_may_not)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_NAT);
	struct flow_stats st;
	struct addr self, moved;
	int thief = conform_bound(AF_INET, &self);
	int fd = conform_bound(AF_INET, &moved);

	rig_talk(&r, 1);
	/* Held back on its way, and sent from somewhere else. */
	conform_send(thief, &r.flow[1].local, conform_srtp(r.phone_out, 2));
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	rig_talk(&r, 3);
	ck_assert(is_quiet(thief));
	for (uint16_t i = 4; i < 8; i++) {
		conform_send(fd, &r.flow[1].local,
			     conform_srtp(r.phone_out, i));
		ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	}
	rig_send(&r, 0, false, conform_rtp(8));
	ck_assert_int_eq(conform_receive(fd), 182);
	st = rig_query(&r, 1);
	ck_assert(addr_eq(&st.latched, &moved));
	(void)close(thief);
	(void)close(fd);
	rig_free(&r);
}
END_TEST

START_TEST(a_flood_of_forged_packets_changes_nothing)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_NAT);
	struct addr self;
	int fd = conform_bound(AF_INET, &self);

	/* Numbers that nobody's packet has: a replay is another matter. */
	for (uint16_t i = 0; i < 20; i++) {
		for (int k = 0; k < 20; k++) {
			(void)conform_rtp((uint16_t)(100 + i * 700));
			conform_send(fd, &r.flow[1].local, 182);
		}
		rig_talk(&r, i);
		while (rig_query(&r, 1).auth_fail < (i + 1u) * 20)
			continue;
	}
	ck_assert(is_quiet(fd));
	(void)close(fd);
	rig_free(&r);
}
END_TEST

/* Each SSRC costs memory under a key: few at once. */
START_TEST(a_flood_of_sources_is_limited)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct flow_stats st;

	rig_talk(&r, 1);
	for (int i = 1; i <= 100; i++) {
		size_t len = conform_rtp(1);

		conform_buf[11] = (uint8_t)i;
		rig_send(&r, 0, false, len);
	}
	do
		st = rig_query(&r, 0);
	while (st.rtp_packets + st.dropped < 101);
	/* Two more in each second that the machine takes. */
	ck_assert_uint_ge(st.dropped, 20);
	for (uint64_t n = st.rtp_packets - 1; n > 0; n--)
		ck_assert_int_eq(conform_receive(r.fd[1][0]), 182);
	rig_talk(&r, 2);
	rig_free(&r);
}
END_TEST

/* Lengths and headers that lie, in both directions and on both ports. */
START_TEST(what_is_malformed_is_counted)
{
	static const size_t lens[] = {0, 1, 3, 4, 7, 11, 1801, 1900, 2000};
	enum { LENS = sizeof(lens) / sizeof(lens[0]) };
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);

	rig_talk(&r, 1);
	for (int leg = 0; leg < 2; leg++) {
		for (int port = 0; port < 2; port++) {
			for (int i = 0; i < LENS; i++) {
				memset(conform_buf, 0, CONFORM_BUF);
				conform_buf[0] = 0x80;
				conform_buf[1] = port ? 200 : 0;
				rig_send(&r, leg, port == 1, lens[i]);
			}
		}
		while (rig_query(&r, leg).malformed < 2 * LENS)
			continue;
	}
	/* More sources and an extension than there are bytes. */
	(void)conform_rtp(2);
	conform_buf[0] = 0x9f;
	rig_send(&r, 0, false, 40);
	while (rig_query(&r, 0).malformed < 2 * LENS + 1)
		continue;
	rig_talk(&r, 2);
	rig_free(&r);
}
END_TEST

/* A sender may hand many datagrams to its kernel at once (UDP_SEGMENT); on a
 * virtual wire they may arrive as one. */
START_TEST(a_train_of_datagrams_is_taken_apart)
{
	enum { EACH = 182, TRAIN = 10 };
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	uint8_t train[TRAIN * EACH];
	uint32_t seen = 0;
	int each = EACH;

	rig_talk(&r, 1);
	for (uint16_t i = 0; i < TRAIN; i++) {
		ck_assert_uint_eq(conform_srtp(r.phone_out, (uint16_t)(2 + i)),
				  EACH);
		memcpy(train + i * EACH, conform_buf, EACH);
	}
	memcpy(conform_buf, train, sizeof(train));
	if (setsockopt(r.fd[1][0], IPPROTO_UDP, UDP_SEGMENT, &each,
		       sizeof(each)) == 0) {
		rig_send(&r, 1, false, sizeof(train));
		for (int i = 0; i < TRAIN; i++) {
			ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
			seen |= 1u << conform_buf[3];
		}
		/* Whose processor changes between two sends may overtake
		 * itself, so in any order. */
		ck_assert_uint_eq(seen, ((1u << TRAIN) - 1) << 2);
	}
	rig_free(&r);
}
END_TEST

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Plain RTP whose checksum says that it was damaged must not get a valid SRTP
 * tag. A raw socket is root's: otherwise nothing is shown here. */
START_TEST(a_damaged_packet_is_not_protected)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
	struct sockaddr_storage ss;
	uint8_t datagram[8 + 172];
	socklen_t len;
	struct addr to;

	rig_talk(&r, 1);
	if (fd >= 0) {
		put16(datagram, r.self[0][0].port);
		put16(datagram + 2, r.flow[0].local.port);
		put16(datagram + 4, sizeof(datagram));
		put16(datagram + 6, 0xbad);
		(void)conform_rtp(2);
		memcpy(datagram + 8, conform_buf, 172);
		to = addr_with_port(&r.flow[0].local, 0);
		len = addr_to_sockaddr(&to, &ss);
		ck_assert_int_eq(sendto(fd, datagram, sizeof(datagram), 0,
					(struct sockaddr *)&ss, len),
				 (int)sizeof(datagram));
		(void)close(fd);
	}
	/* The next that arrives is the next that is sound. */
	rig_talk(&r, 3);
	ck_assert_uint_eq(conform_buf[3], 3);
	rig_free(&r);
}
END_TEST

/* A worker that was taken over names a flow as the peer of its own, which does
 * not say the same: nothing becomes of it, then or when one of them ends. */
START_TEST(a_flow_is_nobodys_peer_on_one_word)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct flow third = {.id = 200,
			     .peer_id = r.flow[0].id,
			     .local = conform_free_pair(AF_INET),
			     .remote = r.self[0][0]};
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;

	rig_talk(&r, 1);
	writer_init(&w, buf, sizeof(buf));
	media_wire_add(&w, 9, &third, 1);
	ck_assert_int_eq(conform_ask(&r, &w)->err, 0);
	rig_talk(&r, 2);
	ck_assert_int_eq(rig_del(&r, 0), 0);
	ck_assert_int_eq(rig_update(&r, 1), 0);
	writer_init(&w, buf, sizeof(buf));
	media_wire_update(&w, 10, &third);
	ck_assert_int_eq(conform_ask(&r, &w)->err, 0);
	rig_free(&r);
}
END_TEST

TCase *conform_attack_cases(void)
{
	TCase *t = tcase_create("attacks");

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, a_stream_that_has_begun_is_not_stolen, 0, 3);
	tcase_add_test(t, a_plain_source_has_to_prove_itself);
	tcase_add_test(t, a_phone_may_move_and_its_echo_may_not);
	tcase_add_test(t, a_flood_of_forged_packets_changes_nothing);
	tcase_add_test(t, a_flood_of_sources_is_limited);
	tcase_add_test(t, what_is_malformed_is_counted);
	tcase_add_test(t, a_train_of_datagrams_is_taken_apart);
	tcase_add_test(t, a_damaged_packet_is_not_protected);
	tcase_add_test(t, a_flow_is_nobodys_peer_on_one_word);
	return t;
}
