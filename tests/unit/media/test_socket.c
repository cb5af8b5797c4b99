/*
 * The relay over real sockets on the loopback: waits are for packets and
 * bounded; nothing sleeps.
 */
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "media/media.h"
#include "media/wire.h"
#include "rtp/srtp.h"

enum { WAIT_MS = 5000, BUF = 2048 };

/* Leg 0 is the call manager in plain RTP, leg 1 the phone in SRTP; [leg][0]
 * is RTP, [leg][1] RTCP. */
struct rig {
	struct media *media;
	struct flow flow[2];
	struct addr self[2][2];
	int fd[2][2];
	struct rtp_srtp *phone_out; /* phone -> relay */
	struct rtp_srtp *phone_in;  /* relay -> phone */
};

static uint8_t buf[BUF];

static int bound(sa_family_t family, struct addr *ret)
{
	struct addr a = {family == AF_INET ? ADDR_V4 : ADDR_V6, {0}, 0};
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		memcpy(a.ip, "\x7f\0\0\1", 4);
	else
		a.ip[15] = 1;
	len = addr_to_sockaddr(&a, &ss);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(addr_from_sockaddr(&ss, ret), 0);
	return fd;
}

/* An even port whose neighbour is free too. The relay opens the pair a moment
 * later; who else binds on this machine is told by EXISTS or IO, and the
 * caller tries another. */
static struct addr free_pair(sa_family_t family)
{
	for (;;) {
		struct addr a;
		int fd = bound(family, &a);

		(void)close(fd);
		if (a.port % 2 == 0)
			return a;
	}
}

static struct media_reply *ask(struct rig *r, const struct writer *rq)
{
	static struct media_reply reply;
	uint8_t out[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, out, sizeof(out));
	ck_assert_int_eq(media_request_do(r->media, 1, writer_slice(rq), &w),
			 0);
	ck_assert_int_eq(media_wire_read_reply(writer_slice(&w), &reply), 0);
	return &reply;
}

static int add(struct rig *r)
{
	uint8_t bytes[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	media_wire_add(&w, 1, r->flow, 2);
	return ask(r, &w)->err;
}

static int update(struct rig *r, int leg)
{
	uint8_t bytes[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	media_wire_update(&w, 2, &r->flow[leg]);
	return ask(r, &w)->err;
}

static struct flow_stats query(struct rig *r, int leg)
{
	uint8_t bytes[MEDIA_WIRE_MAX];
	struct media_reply *reply;
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	media_wire_query(&w, 3, r->flow[leg].id);
	reply = ask(r, &w);
	ck_assert_int_eq(reply->err, 0);
	ck_assert_uint_eq(reply->stats_count, 1);
	return reply->stats[0];
}

static struct flow_key key(uint8_t seed)
{
	struct flow_key k = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80};

	memset(k.key, seed, 16);
	memset(k.salt, seed, 14);
	return k;
}

static struct rig rig_new(sa_family_t family, enum flow_latch latch)
{
	struct media_params p = {.socket = {.dscp = 46}};
	struct flow_key up = key(1), down = key(2);
	struct rig r = {0};
	int err = ERR_IO;

	ck_assert_int_eq(media_new(&p, &r.media), 0);
	for (int leg = 0; leg < 2; leg++) {
		struct flow *f = &r.flow[leg];

		r.fd[leg][0] = bound(family, &r.self[leg][0]);
		r.fd[leg][1] = bound(family, &r.self[leg][1]);
		f->id = (uint64_t)leg + 1;
		f->peer_id = 2 - (uint64_t)leg;
		f->latch = latch;
		f->remote = r.self[leg][0];
		f->remote_rtcp = r.self[leg][1];
	}
	r.flow[0].out = down;
	r.flow[1].in = up;
	r.phone_out = rtp_srtp_new(&up);
	r.phone_in = rtp_srtp_new(&down);
	for (int i = 0; err == ERR_IO && i < 100; i++) {
		r.flow[0].local = free_pair(family);
		r.flow[1].local = free_pair(family);
		err = add(&r);
	}
	ck_assert_int_eq(err, 0);
	return r;
}

static void rig_free(struct rig *r)
{
	media_free(r->media);
	for (int i = 0; i < 4; i++)
		(void)close(r->fd[i / 2][i % 2]);
	rtp_srtp_free(r->phone_out);
	rtp_srtp_free(r->phone_in);
}

static void send_from(int fd, const struct addr *to, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(to, &ss);

	ck_assert_int_eq(
		sendto(fd, buf, len, 0, (struct sockaddr *)&ss, ss_len),
		(ssize_t)len);
}

static void send_leg(struct rig *r, int leg, bool rtcp, size_t len)
{
	struct addr to =
		addr_with_port(&r->flow[leg].local,
			       (uint16_t)(r->flow[leg].local.port + rtcp));

	send_from(r->fd[leg][rtcp], &to, len);
}

/* The next packet at fd, or -1 after WAIT_MS. */
static ssize_t receive(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, WAIT_MS) != 1)
		return -1;
	return recv(fd, buf, sizeof(buf), 0);
}

static size_t rtp(uint16_t seq)
{
	memset(buf, 0x5a, 172);
	memset(buf, 0, 12);
	buf[0] = 0x80;
	buf[2] = (uint8_t)(seq >> 8);
	buf[3] = (uint8_t)seq;
	return 172;
}

static size_t rtcp(void)
{
	memset(buf, 0, 8);
	buf[0] = 0x80;
	buf[1] = 201;
	buf[3] = 1;
	return 8;
}

static size_t srtp(struct rtp_srtp *s, uint16_t seq)
{
	size_t len = rtp(seq);

	ck_assert_int_eq(rtp_srtp_protect(s, buf, len, BUF, &len), 0);
	return len;
}

static void is_payload(void)
{
	for (int i = 12; i < 172; i++)
		ck_assert_uint_eq(buf[i], 0x5a);
}

/* One RTP packet each way, checked at its end. */
static void talk(struct rig *r, uint16_t seq)
{
	size_t len;

	send_leg(r, 1, false, srtp(r->phone_out, seq));
	ck_assert_int_eq(receive(r->fd[0][0]), 172);
	is_payload();
	send_leg(r, 0, false, rtp(seq));
	ck_assert_int_eq(receive(r->fd[1][0]), 182);
	ck_assert_int_eq(rtp_srtp_unprotect(r->phone_in, buf, 182, &len), 0);
	ck_assert_uint_eq(len, 172);
	is_payload();
}

START_TEST(rtp_and_rtcp_pass_both_ways)
{
	struct rig r = rig_new(_i ? AF_INET6 : AF_INET, FLOW_LATCH_OFF);
	size_t len;

	for (uint16_t i = 0; i < 50; i++)
		talk(&r, i);
	send_leg(&r, 0, true, rtcp());
	ck_assert_int_eq(receive(r.fd[1][1]), 22);
	ck_assert_int_eq(rtp_srtp_unprotect_rtcp(r.phone_in, buf, 22, &len), 0);
	len = rtcp();
	ck_assert_int_eq(
		rtp_srtp_protect_rtcp(r.phone_out, buf, len, BUF, &len), 0);
	send_leg(&r, 1, true, len);
	ck_assert_int_eq(receive(r.fd[0][1]), 8);
	ck_assert_uint_eq(query(&r, 0).rtp_packets, 50);
	ck_assert_uint_eq(query(&r, 0).rtp_bytes, 50 * 172);
	ck_assert_uint_eq(query(&r, 1).rtp_packets, 50);
	ck_assert_uint_eq(query(&r, 1).rtcp_packets, 1);
	rig_free(&r);
}
END_TEST

START_TEST(what_leaves_comes_from_the_signalled_port)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr from;

	send_leg(&r, 0, false, rtp(1));
	ck_assert_int_gt(
		recvfrom(r.fd[1][0], buf, BUF, 0, (struct sockaddr *)&ss, &len),
		0);
	ck_assert_int_eq(addr_from_sockaddr(&ss, &from), 0);
	ck_assert(addr_eq(&from, &r.flow[1].local));
	rig_free(&r);
}
END_TEST

START_TEST(a_stranger_hears_nothing_and_is_not_heard)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_RESTRICTED);
	struct addr self;
	int fd = bound(AF_INET, &self);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len;

	talk(&r, 1);
	/* The classic: spray both ports and wait for the answer. */
	for (int i = 0; i < 20; i++) {
		send_from(fd, &r.flow[0].local, rtp((uint16_t)i));
		len = rtp((uint16_t)i);
		send_from(fd, &r.flow[1].local, len + 10);
	}
	for (uint16_t i = 2; i < 20; i++)
		talk(&r, i);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	ck_assert_uint_eq(query(&r, 0).src_reject, 20);
	ck_assert_uint_eq(query(&r, 1).auth_fail, 19);
	ck_assert_uint_eq(query(&r, 1).rtp_packets, 19);
	(void)close(fd);
	rig_free(&r);
}
END_TEST

START_TEST(a_phone_is_answered_where_it_proved_to_be)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_NAT);
	struct pollfd p = {.events = POLLIN};
	struct flow_stats st;
	struct media_event e;
	struct addr self;
	int fd = bound(AF_INET, &self);

	p.fd = media_event_fd(r.media);
	send_from(fd, &r.flow[1].local, srtp(r.phone_out, 1));
	ck_assert_int_eq(receive(r.fd[0][0]), 172);
	send_leg(&r, 0, false, rtp(1));
	ck_assert_int_eq(receive(fd), 182);
	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	/* The other leg latched too; either order. */
	while (media_next_event(r.media, &e)) {
		ck_assert_int_eq(e.kind, MEDIA_EVENT_LATCHED);
		ck_assert_uint_eq(e.owner, 1);
		if (e.flow == 2)
			ck_assert(addr_eq(&e.addr, &self));
	}
	st = query(&r, 1);
	ck_assert(addr_eq(&st.latched, &self));
	(void)close(fd);
	rig_free(&r);
}
END_TEST

START_TEST(a_rekey_and_hold_and_resume)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct flow_key up = key(7), down = key(8);

	talk(&r, 1);
	r.flow[1].in = up;
	r.flow[0].out = down;
	ck_assert_int_eq(update(&r, 0), 0);
	ck_assert_int_eq(update(&r, 1), 0);
	rtp_srtp_free(r.phone_out);
	rtp_srtp_free(r.phone_in);
	r.phone_out = rtp_srtp_new(&up);
	r.phone_in = rtp_srtp_new(&down);
	talk(&r, 2);
	r.flow[0].is_blocked = true;
	ck_assert_int_eq(update(&r, 0), 0);
	send_leg(&r, 0, false, rtp(3));
	r.flow[0].is_blocked = false;
	/* Packets and commands take turns, in whichever order: wait until
	 * the blocked one is counted. */
	while (query(&r, 0).dropped == 0)
		continue;
	ck_assert_int_eq(update(&r, 0), 0);
	talk(&r, 4);
	rig_free(&r);
}
END_TEST

START_TEST(silence_is_an_event)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct pollfd p = {.events = POLLIN};
	struct media_event e;

	p.fd = media_event_fd(r.media);
	r.flow[1].idle_ms = 1;
	ck_assert_int_eq(update(&r, 1), 0);
	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	ck_assert(media_next_event(r.media, &e));
	ck_assert_int_eq(e.kind, MEDIA_EVENT_IDLE);
	ck_assert_uint_eq(e.flow, 2);
	rig_free(&r);
}
END_TEST

START_TEST(commands_on_flows_that_are_not_there)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	uint8_t bytes[MEDIA_WIRE_MAX];
	uint64_t ids[3] = {1, 99, 2};
	struct media_reply *reply;
	struct writer w;

	ck_assert_int_eq(add(&r), ERR_EXISTS);
	writer_init(&w, bytes, sizeof(bytes));
	media_wire_stats(&w, 4, ids, 3);
	ck_assert_uint_eq(ask(&r, &w)->stats_count, 2);
	for (int i = 0; i < 2; i++) {
		writer_init(&w, bytes, sizeof(bytes));
		media_wire_del(&w, 5, 1);
		reply = ask(&r, &w);
		ck_assert_int_eq(reply->err, i == 0 ? 0 : ERR_NOTFOUND);
		ck_assert_uint_eq(reply->stats_count, i == 0);
	}
	ck_assert_int_eq(update(&r, 0), ERR_NOTFOUND);
	/* The other one has nobody to forward to now. */
	send_leg(&r, 1, false, srtp(r.phone_out, 1));
	while (query(&r, 1).dropped == 0)
		continue;
	writer_init(&w, bytes, sizeof(bytes));
	media_wire_flush(&w, 6);
	ck_assert_int_eq(ask(&r, &w)->err, 0);
	ck_assert_int_eq(update(&r, 1), ERR_NOTFOUND);
	/* Ports and numbers are free again. */
	ck_assert_int_eq(add(&r), 0);
	rig_free(&r);
}
END_TEST

START_TEST(a_pair_is_added_whole_or_not_at_all)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct flow good = r.flow[0], bad = r.flow[1];

	/* The second asks for the port of a flow that lives. */
	r.flow[0].id = 11;
	r.flow[0].peer_id = 12;
	r.flow[0].local = free_pair(AF_INET);
	r.flow[1].id = 12;
	r.flow[1].peer_id = 11;
	ck_assert_int_eq(add(&r), ERR_IO);
	ck_assert_int_eq(update(&r, 0), ERR_NOTFOUND);
	r.flow[0] = good;
	r.flow[1] = bad;
	talk(&r, 1);
	rig_free(&r);
}
END_TEST

START_TEST(addresses_that_are_not_ours_are_denied)
{
	struct addr lo = {ADDR_V4, {127, 0, 0, 1}, 0};
	struct media_params p = {.bind = &lo,
				 .bind_count = 1,
				 .port_min = 40000,
				 .port_max = 40100};
	struct rig r = {0};

	ck_assert_int_eq(media_new(&p, &r.media), 0);
	for (uint64_t i = 0; i < 2; i++) {
		r.flow[i].id = i + 1;
		r.flow[i].peer_id = 2 - i;
		r.flow[i].local =
			addr_with_port(&lo, (uint16_t)(40000 + 2 * i));
	}
	r.flow[1].local.port = 5060;
	ck_assert_int_eq(add(&r), ERR_DENIED);
	r.flow[1].local.port = 40100; /* RTCP would be beyond */
	ck_assert_int_eq(add(&r), ERR_DENIED);
	r.flow[1].local.port = 40002;
	r.flow[1].local.ip[3] = 2;
	ck_assert_int_eq(add(&r), ERR_DENIED);
	r.flow[1].local.ip[3] = 1;
	r.flow[1].local.port = 40003;
	ck_assert_int_eq(add(&r), ERR_BAD);
	media_free(r.media);
}
END_TEST

START_TEST(flows_are_limited)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct media_params p = {.socket = {.max_flows = 1}};
	uint8_t bytes[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	media_wire_flush(&w, 6);
	ck_assert_int_eq(ask(&r, &w)->err, 0);
	media_free(r.media);
	ck_assert_int_eq(media_new(&p, &r.media), 0);
	ck_assert_int_eq(add(&r), ERR_LIMIT);
	/* None of the two was left behind. */
	ck_assert_int_eq(update(&r, 0), ERR_NOTFOUND);
	rig_free(&r);
}
END_TEST

START_TEST(flows_go_over_several_threads)
{
	struct media_params p = {.socket = {.threads = 4}};
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);

	media_free(r.media);
	ck_assert_int_eq(media_new(&p, &r.media), 0);
	ck_assert_int_eq(add(&r), 0);
	for (uint16_t i = 0; i < 50; i++)
		talk(&r, i);
	rig_free(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("socket");
	SRunner *r;
	TCase *t = tcase_create("loopback");
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, rtp_and_rtcp_pass_both_ways, 0, 2);
	tcase_add_test(t, what_leaves_comes_from_the_signalled_port);
	tcase_add_test(t, a_stranger_hears_nothing_and_is_not_heard);
	tcase_add_test(t, a_phone_is_answered_where_it_proved_to_be);
	tcase_add_test(t, a_rekey_and_hold_and_resume);
	tcase_add_test(t, silence_is_an_event);
	tcase_add_test(t, commands_on_flows_that_are_not_there);
	tcase_add_test(t, a_pair_is_added_whole_or_not_at_all);
	tcase_add_test(t, addresses_that_are_not_ours_are_denied);
	tcase_add_test(t, flows_are_limited);
	tcase_add_test(t, flows_go_over_several_threads);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
