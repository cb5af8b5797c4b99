#include <poll.h>
#include <unistd.h>

#include "unit/media/conform.h"

START_TEST(rtp_and_rtcp_pass_both_ways)
{
	struct rig r = rig_new(_i ? AF_INET6 : AF_INET, FLOW_LATCH_OFF);
	size_t len;

	for (uint16_t i = 0; i < 50; i++)
		rig_talk(&r, i);
	rig_send(&r, 0, true, conform_rtcp());
	ck_assert_int_eq(conform_receive(r.fd[1][1]), 22);
	ck_assert_int_eq(
		rtp_srtp_unprotect_rtcp(r.phone_in, conform_buf, 22, &len), 0);
	len = conform_rtcp();
	ck_assert_int_eq(rtp_srtp_protect_rtcp(r.phone_out, conform_buf, len,
					       CONFORM_BUF, &len),
			 0);
	rig_send(&r, 1, true, len);
	ck_assert_int_eq(conform_receive(r.fd[0][1]), 8);
	ck_assert_uint_eq(rig_query(&r, 0).rtp_packets, 50);
	ck_assert_uint_eq(rig_query(&r, 0).rtp_bytes, 50 * 172);
	ck_assert_uint_eq(rig_query(&r, 1).rtp_packets, 50);
	ck_assert_uint_eq(rig_query(&r, 1).rtcp_packets, 1);
	rig_free(&r);
}
END_TEST

/* RFC 5761: the phone has RTP and RTCP on one port, the call manager not. */
START_TEST(a_party_may_multiplex_rtcp)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	size_t len = conform_rtcp();

	r.flow[1].is_muxed = true;
	ck_assert_int_eq(rig_update(&r, 1), 0);
	rig_send(&r, 0, true, len);
	ck_assert_int_eq(conform_receive(r.fd[1][0]), 22);
	len = conform_rtcp();
	ck_assert_int_eq(rtp_srtp_protect_rtcp(r.phone_out, conform_buf, len,
					       CONFORM_BUF, &len),
			 0);
	rig_send(&r, 1, false, len);
	ck_assert_int_eq(conform_receive(r.fd[0][1]), 8);
	rig_talk(&r, 1);
	r.flow[1].is_muxed = false;
	ck_assert_int_eq(rig_update(&r, 1), 0);
	rig_send(&r, 0, true, conform_rtcp());
	ck_assert_int_eq(conform_receive(r.fd[1][1]), 22);
	rig_free(&r);
}
END_TEST

START_TEST(what_leaves_comes_from_the_signalled_port)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr from;

	rig_send(&r, 0, false, conform_rtp(1));
	ck_assert_int_gt(recvfrom(r.fd[1][0], conform_buf, CONFORM_BUF, 0,
				  (struct sockaddr *)&ss, &len),
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
	int fd = conform_bound(AF_INET, &self);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct flow_stats st;
	size_t len;

	rig_talk(&r, 1);
	/* The classic: spray both ports and wait for the answer. */
	for (int i = 0; i < 20; i++) {
		conform_send(fd, &r.flow[0].local, conform_rtp((uint16_t)i));
		len = conform_rtp((uint16_t)i);
		conform_send(fd, &r.flow[1].local, len + 10);
	}
	for (uint16_t i = 2; i < 20; i++)
		rig_talk(&r, i);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	/* By whichever socket they came: it may be read last. Then a number of
	 * theirs may be one that is known by now. */
	while (rig_query(&r, 0).src_reject < 20)
		continue;
	do
		st = rig_query(&r, 1);
	while (st.auth_fail + st.replay < 20);
	ck_assert_uint_eq(rig_query(&r, 0).src_reject, 20);
	ck_assert_uint_eq(st.auth_fail + st.replay, 20);
	ck_assert_uint_eq(rig_query(&r, 1).rtp_packets, 19);
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
	int fd = conform_bound(AF_INET, &self);

	p.fd = media_event_fd(r.media);
	conform_send(fd, &r.flow[1].local, conform_srtp(r.phone_out, 1));
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	rig_send(&r, 0, false, conform_rtp(1));
	ck_assert_int_eq(conform_receive(fd), 182);
	ck_assert_int_eq(poll(&p, 1, conform_wait_ms()), 1);
	/* The other leg latched too; either order. */
	while (media_next_event(r.media, &e)) {
		ck_assert_int_eq(e.kind, MEDIA_EVENT_LATCHED);
		ck_assert_uint_eq(e.owner, 1);
		if (e.flow == 2)
			ck_assert(addr_eq(&e.addr, &self));
	}
	st = rig_query(&r, 1);
	ck_assert(addr_eq(&st.latched, &self));
	(void)close(fd);
	rig_free(&r);
}
END_TEST

START_TEST(a_rekey_and_hold_and_resume)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct flow_key up = conform_key(7), down = conform_key(8);

	rig_talk(&r, 1);
	r.flow[1].in = up;
	r.flow[0].out = down;
	ck_assert_int_eq(rig_update(&r, 0), 0);
	ck_assert_int_eq(rig_update(&r, 1), 0);
	rtp_srtp_free(r.phone_out);
	rtp_srtp_free(r.phone_in);
	r.phone_out = rtp_srtp_new(&up);
	r.phone_in = rtp_srtp_new(&down);
	rig_talk(&r, 2);
	r.flow[0].is_blocked = true;
	ck_assert_int_eq(rig_update(&r, 0), 0);
	rig_send(&r, 0, false, conform_rtp(3));
	r.flow[0].is_blocked = false;
	/* Packets and commands take turns, in whichever order: wait until
	 * the blocked one is counted. */
	while (rig_query(&r, 0).dropped == 0)
		continue;
	ck_assert_int_eq(rig_update(&r, 0), 0);
	rig_talk(&r, 4);
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
	ck_assert_int_eq(rig_update(&r, 1), 0);
	ck_assert_int_eq(poll(&p, 1, conform_wait_ms()), 1);
	ck_assert(media_next_event(r.media, &e));
	ck_assert_int_eq(e.kind, MEDIA_EVENT_IDLE);
	ck_assert_uint_eq(e.flow, 2);
	/* What was learned of the sources is news too. */
	rig_talk(&r, 1);
	do {
		if (!media_next_event(r.media, &e))
			ck_assert_int_eq(poll(&p, 1, conform_wait_ms()), 1);
	} while (e.kind != MEDIA_EVENT_ACTIVE);
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

	ck_assert_int_eq(rig_add(&r), ERR_EXISTS);
	writer_init(&w, bytes, sizeof(bytes));
	media_wire_stats(&w, 4, ids, 3);
	ck_assert_uint_eq(conform_ask(&r, &w)->stats_count, 2);
	for (int i = 0; i < 2; i++) {
		writer_init(&w, bytes, sizeof(bytes));
		media_wire_del(&w, 5, 1);
		reply = conform_ask(&r, &w);
		ck_assert_int_eq(reply->err, i == 0 ? 0 : ERR_NOTFOUND);
		ck_assert_uint_eq(reply->stats_count, i == 0);
	}
	ck_assert_int_eq(rig_update(&r, 0), ERR_NOTFOUND);
	/* The other one has nobody to forward to now. */
	rig_send(&r, 1, false, conform_srtp(r.phone_out, 1));
	while (rig_query(&r, 1).dropped == 0)
		continue;
	writer_init(&w, bytes, sizeof(bytes));
	media_wire_flush(&w, 6);
	ck_assert_int_eq(conform_ask(&r, &w)->err, 0);
	ck_assert_int_eq(rig_update(&r, 1), ERR_NOTFOUND);
	/* Ports and numbers are free again. */
	ck_assert_int_eq(rig_add(&r), 0);
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
	r.flow[0].local = conform_free_pair(AF_INET);
	r.flow[1].id = 12;
	r.flow[1].peer_id = 11;
	ck_assert_int_eq(rig_add(&r), ERR_IO);
	ck_assert_int_eq(rig_update(&r, 0), ERR_NOTFOUND);
	r.flow[0] = good;
	r.flow[1] = bad;
	rig_talk(&r, 1);
	rig_free(&r);
}
END_TEST

START_TEST(addresses_that_are_not_ours_are_denied)
{
	struct addr at[2] = {conform_free_pair(AF_INET),
			     conform_free_pair(AF_INET)};
	bool is_down = at[0].port > at[1].port;
	const struct addr low = at[is_down], high = at[!is_down];
	struct media_params p = {.bind = &low,
				 .bind_count = 1,
				 .port_min = low.port,
				 .port_max = (uint16_t)(high.port + 2)};
	struct rig r = {0};

	r.media = conform_media(&p);
	for (uint64_t i = 0; i < 2; i++) {
		r.flow[i].id = i + 1;
		r.flow[i].peer_id = 2 - i;
		r.flow[i].local = low;
	}
	r.flow[1].local.port = (uint16_t)(low.port - 2);
	ck_assert_int_eq(rig_add(&r), ERR_DENIED);
	/* RTCP would be beyond */
	r.flow[1].local.port = (uint16_t)(high.port + 2);
	ck_assert_int_eq(rig_add(&r), ERR_DENIED);
	r.flow[1].local = high;
	r.flow[1].local.ip[3]++;
	ck_assert_int_eq(rig_add(&r), ERR_DENIED);
	r.flow[1].local = high;
	r.flow[1].local.port++;
	ck_assert_int_eq(rig_add(&r), ERR_BAD);
	/* and those that are, are not */
	r.flow[1].local = high;
	ck_assert_int_eq(rig_add(&r), 0);
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
	ck_assert_int_eq(conform_ask(&r, &w)->err, 0);
	media_free(r.media);
	r.media = conform_media(&p);
	ck_assert_int_eq(rig_add(&r), ERR_LIMIT);
	/* None of the two was left behind. */
	ck_assert_int_eq(rig_update(&r, 0), ERR_NOTFOUND);
	rig_free(&r);
}
END_TEST

START_TEST(flows_go_over_several_threads)
{
	struct media_params p = {.socket = {.threads = 4}};
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);

	media_free(r.media);
	r.media = conform_media(&p);
	ck_assert_int_eq(rig_add(&r), 0);
	for (uint16_t i = 0; i < 50; i++)
		rig_talk(&r, i);
	rig_free(&r);
}
END_TEST

TCase *conform_stream_cases(void)
{
	TCase *t = tcase_create("stream");

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, rtp_and_rtcp_pass_both_ways, 0, 2);
	tcase_add_test(t, a_party_may_multiplex_rtcp);
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
	return t;
}
