/*
 * What strangers, broken networks and broken senders send, against the relay
 * in the kernel: packets as only a real network makes them, so the parties are
 * in a network namespace of their own, behind a veth pair (tests/kernel/veth.sh
 * makes it). After each attack the call goes on as if nothing had been.
 */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/media/kernel_attacks.h"

enum { FLOOD = 2000, CHUNK = 100 };

/* Wait until the counter at offset of leg's statistics is n. */
static void await_count(const struct rig *r, int leg, size_t offset, uint64_t n)
{
	struct flow_stats st;
	uint64_t have;

	do {
		st = rig_query(r, leg);
		memcpy(&have, (const char *)&st + offset, sizeof(have));
	} while (have < n);
	ck_assert_uint_eq(have, n);
}

#define AWAIT(r, leg, member, n) \
	await_count(r, leg, offsetof(struct flow_stats, member), n)

static void run(const char *command)
{
	ck_assert_int_eq(system(command), 0);
}

/* Nothing is at fd, and nothing comes while a whole round trip takes place. */
static void is_silent(struct rig *r, int fd, uint16_t seq)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	rig_talk(r, seq);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
}

/* Gap 1: a forged packet far ahead in the index must not move it. */
START_TEST(forged_tags_change_nothing)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);

	rig_talk(&r, 65000);
	for (int i = 0; i < FLOOD; i++) {
		/* ahead: what is behind is old before it is forged */
		size_t len = conform_rtp((uint16_t)(65001 + i * 16));

		rig_send(&r, 1, false, len + 10);
		/* no faster than the machine takes them from the wire */
		if (i % CHUNK == CHUNK - 1)
			AWAIT(&r, 1, auth_fail, (uint64_t)i + 1);
	}
	rig_talk(&r, 65001);
	rig_free(&r);
}
END_TEST

/* Gap 2, and across the end of the sequence numbers. */
START_TEST(a_call_played_back_is_not_heard)
{
	enum { N = 100 };
	static uint8_t kept[N][182];
	struct rig r = rig_new(AF_INET, FLOW_LATCH_NAT);

	for (uint16_t i = 0; i < N; i++) {
		size_t len = conform_srtp(r.phone_out, (uint16_t)(65500 + i));

		ck_assert_uint_eq(len, 182);
		memcpy(kept[i], conform_buf, 182);
		rig_send(&r, 1, false, 182);
		ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	}
	for (int i = 0; i < N; i++) {
		memcpy(conform_buf, kept[i], 182);
		rig_send(&r, 1, false, 182);
	}
	AWAIT(&r, 1, replay, N);
	is_silent(&r, r.fd[0][0], (uint16_t)(65500 + N));
	rig_free(&r);
}
END_TEST

/* RTP bleed: whoever sprays all ports is sent nothing, by SRTP or RTP. */
START_TEST(a_spray_from_many_sources_is_not_answered)
{
	enum { SOURCES = 50 };
	struct rig r = rig_new(AF_INET, FLOW_LATCH_NAT);
	struct pollfd p[SOURCES];
	struct addr self;

	rig_talk(&r, 1);
	for (int i = 0; i < SOURCES; i++) {
		p[i] = (struct pollfd){.events = POLLIN};
		p[i].fd = conform_bound(AF_INET, &self);
		for (uint16_t k = 100; k < 110; k++) {
			conform_send(p[i].fd, &r.flow[0].local, conform_rtp(k));
			conform_send(p[i].fd, &r.flow[1].local,
				     conform_rtp(k) + 10);
		}
		AWAIT(&r, 0, src_reject, 10u * (unsigned)(i + 1));
		AWAIT(&r, 1, auth_fail, 10u * (unsigned)(i + 1));
	}
	rig_talk(&r, 2);
	for (int i = 0; i < SOURCES; i++) {
		ck_assert_int_eq(poll(&p[i], 1, 0), 0);
		(void)close(p[i].fd);
	}
	rig_free(&r);
}
END_TEST

/* Each SSRC towards SRTP costs memory; the plain side proves nothing. */
START_TEST(a_flood_of_ssrcs_is_held_down)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct flow_stats st = rig_query(&r, 0);
	struct pollfd p = {.fd = r.fd[1][0], .events = POLLIN};
	uint64_t heard = 0;

	rig_talk(&r, 1);
	for (int i = 0; i < FLOOD; i++) {
		size_t len = conform_rtp((uint16_t)i);

		conform_buf[8] = 1;
		conform_buf[10] = (uint8_t)(i >> 8);
		conform_buf[11] = (uint8_t)i;
		rig_send(&r, 0, false, len);
		/* as above; each is counted somewhere, and the one of rig_talk */
		while (i % CHUNK == CHUNK - 1 &&
		       st.dropped + st.rtp_packets < (uint64_t)i + 2)
			st = rig_query(&r, 0);
	}
	while (poll(&p, 1, 0) == 1) {
		ck_assert_int_gt(conform_receive(p.fd), 0);
		heard++;
	}
	ck_assert_uint_le(heard, 64);
	ck_assert_uint_ge(st.dropped, FLOOD - 64);
	rig_talk(&r, 2);
	rig_free(&r);
}
END_TEST

/* One large packet of many, as the receive path of a fast card makes them. */
START_TEST(a_burst_in_one_packet_is_taken_apart)
{
	enum { N = 16 };
	static uint8_t burst[N * 182];
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(&r.flow[1].local, &ss);
	int size = 182;

	for (uint16_t i = 0; i < N; i++) {
		ck_assert_uint_eq(conform_srtp(r.phone_out, i), 182);
		memcpy(burst + i * 182, conform_buf, 182);
	}
	ck_assert_int_eq(setsockopt(r.fd[1][0], SOL_UDP, UDP_SEGMENT, &size,
				    sizeof(size)),
			 0);
	ck_assert_int_eq(sendto(r.fd[1][0], burst, sizeof(burst), 0,
				(struct sockaddr *)&ss, ss_len),
			 (ssize_t)sizeof(burst));
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
		ck_assert_int_eq(conform_buf[3], i);
		conform_is_payload();
	}
	size = 0;
	(void)setsockopt(r.fd[1][0], SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
	rig_talk(&r, N);
	rig_free(&r);
}
END_TEST

/* They reach the bound socket whole, and the relay by that way. */
START_TEST(fragments_are_relayed_by_the_socket)
{
	struct rig r = rig_new(_i ? AF_INET6 : AF_INET, FLOW_LATCH_OFF);
	struct pollfd p = {.fd = media_event_fd(r.media), .events = POLLIN};
	struct media_event e;
	size_t len = conform_rtp(1);

	/* the parties' routes take 1280 bytes, the relay's 1500 */
	memset(conform_buf + len, 0x5a, 1400 - len);
	ck_assert_int_eq(rtp_srtp_protect(r.phone_out, conform_buf, 1400,
					  CONFORM_BUF, &len),
			 0);
	rig_send(&r, 1, false, len);
	ck_assert_int_eq(poll(&p, 1, conform_wait_ms()), 1);
	while (media_next_event(r.media, &e))
		continue;
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 1400);
	conform_is_payload();
	rig_talk(&r, 2);
	rig_free(&r);
}
END_TEST

START_TEST(extension_headers_are_walked_over)
{
	/* destination options: PadN to 8 bytes */
	static const uint8_t options[8] = {0, 0, 1, 4};
	struct rig r = rig_new(AF_INET6, FLOW_LATCH_OFF);

	ck_assert_int_eq(setsockopt(r.fd[1][0], IPPROTO_IPV6, IPV6_DSTOPTS,
				    options, sizeof(options)),
			 0);
	for (uint16_t i = 0; i < 20; i++)
		rig_talk(&r, i);
	rig_free(&r);
}
END_TEST

/* The plain party's RTP from its own port, with a UDP header of our own. */
static void send_raw(const struct rig *r, uint16_t checksum)
{
	uint8_t packet[8 + 172];
	uint16_t field[4] = {htons(r->self[0][0].port),
			     htons(r->flow[0].local.port), htons(8 + 172),
			     checksum};
	struct sockaddr_storage ss;
	struct addr to = addr_with_port(&r->flow[0].local, 0);
	socklen_t ss_len = addr_to_sockaddr(&to, &ss);
	struct sockaddr_storage from;
	struct addr self = addr_with_port(&r->self[0][0], 0);
	socklen_t from_len = addr_to_sockaddr(&self, &from);
	int fd = conform_socket(AF_INET, SOCK_RAW, IPPROTO_UDP);

	memcpy(packet, field, 8);
	memcpy(packet + 8, conform_buf, 172);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, from_len), 0);
	ck_assert_int_eq(sendto(fd, packet, sizeof(packet), 0,
				(struct sockaddr *)&ss, ss_len),
			 (ssize_t)sizeof(packet));
	(void)close(fd);
}

/* Gap 7: what the network has broken must not leave with a good tag. */
START_TEST(a_wrong_checksum_is_not_made_good)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	size_t len;

	rig_talk(&r, 1);
	for (uint16_t i = 2; i < 12; i++) {
		(void)conform_rtp(i);
		send_raw(&r, htons(0x1234));
	}
	AWAIT(&r, 0, malformed, 10);
	is_silent(&r, r.fd[1][0], 12);
	/* No checksum at all is allowed. */
	(void)conform_rtp(13);
	send_raw(&r, 0);
	ck_assert_int_eq(conform_receive(r.fd[1][0]), 182);
	ck_assert_int_eq(rtp_srtp_unprotect(r.phone_in, conform_buf, 182, &len),
			 0);
	rig_free(&r);
}
END_TEST

/* Gap 6: one sequence number, two payloads: only one ever leaves. */
START_TEST(no_keystream_is_used_twice)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	size_t len;

	rig_talk(&r, 5);
	for (int i = 0; i < 10; i++) {
		len = conform_rtp(5);
		memset(conform_buf + 12, i, len - 12);
		rig_send(&r, 0, false, len);
	}
	AWAIT(&r, 0, replay, 10);
	is_silent(&r, r.fd[1][0], 6);
	rig_free(&r);
}
END_TEST

/* Gap 5: MKI is compared, not skipped. */
START_TEST(another_mki_is_another_key)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct flow_key with = r.flow[1].in;
	size_t len;

	with.mki_len = 2;
	with.mki[1] = 7;
	r.flow[1].in = with;
	ck_assert_int_eq(rig_update(&r, 1), 0);
	rtp_srtp_free(r.phone_out);
	r.phone_out = rtp_srtp_new(&with);
	len = conform_srtp(r.phone_out, 1);
	ck_assert_uint_eq(len, 184);
	rig_send(&r, 1, false, len);
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	len = conform_srtp(r.phone_out, 2);
	conform_buf[172 + 1] ^= 1;
	rig_send(&r, 1, false, len);
	AWAIT(&r, 1, auth_fail, 1);
	rig_free(&r);
}
END_TEST

START_TEST(what_is_too_long_for_the_route_is_dropped)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	size_t len = conform_rtp(1);

	run("ip route replace 10.9.0.2/32 dev va mtu 900");
	memset(conform_buf + len, 0x5a, 1000 - len);
	rig_send(&r, 0, false, 1000);
	AWAIT(&r, 0, dropped, 1);
	is_silent(&r, r.fd[1][0], 2);
	run("ip route del 10.9.0.2/32 dev va mtu 900");
	len = conform_rtp(3);
	memset(conform_buf + len, 0x5a, 1000 - len);
	rig_send(&r, 0, false, 1000);
	ck_assert_int_eq(conform_receive(r.fd[1][0]), 1010);
	rig_free(&r);
}
END_TEST

static uint64_t packets_at(const char *device)
{
	char command[128], text[32] = "";
	FILE *f;

	(void)snprintf(command, sizeof(command),
		       "cat /sys/class/net/%s/statistics/tx_packets", device);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	(void)pclose(f);
	return strtoull(text, NULL, 10);
}

/* Gap 11: the route that is kept is asked whether it still holds. */
START_TEST(a_change_of_the_route_is_followed)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	uint64_t before;

	rig_talk(&r, 1);
	before = packets_at("vc");
	run("ip route replace 10.9.0.2/32 via 10.9.1.2 dev vc");
	for (uint16_t i = 2; i < 22; i++)
		rig_talk(&r, i);
	run("ip route del 10.9.0.2/32 via 10.9.1.2 dev vc");
	ck_assert_uint_ge(packets_at("vc") - before, 40);
	rig_talk(&r, 22);
	rig_free(&r);
}
END_TEST

TCase *kernel_attack_cases(void)
{
	TCase *t = tcase_create("attacks");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, forged_tags_change_nothing);
	tcase_add_test(t, a_call_played_back_is_not_heard);
	tcase_add_test(t, a_spray_from_many_sources_is_not_answered);
	tcase_add_test(t, a_flood_of_ssrcs_is_held_down);
	tcase_add_test(t, a_burst_in_one_packet_is_taken_apart);
	tcase_add_loop_test(t, fragments_are_relayed_by_the_socket, 0, 2);
	tcase_add_test(t, extension_headers_are_walked_over);
	tcase_add_test(t, a_wrong_checksum_is_not_made_good);
	tcase_add_test(t, no_keystream_is_used_twice);
	tcase_add_test(t, another_mki_is_another_key);
	tcase_add_test(t, what_is_too_long_for_the_route_is_dropped);
	tcase_add_test(t, a_change_of_the_route_is_followed);
	return t;
}
