/*
 * Two phones of one call manager: their calls lead into each other, and what
 * one says is heard by the other after one step.
 */
#include <poll.h>
#include <unistd.h>

#include "unit/media/conform.h"

/* Alice's stream belongs to worker 1, Bob's to worker 2. Either's call
 * manager is the other's inside port. */
struct pair {
	struct media *media;
	struct rig alice, bob;
};

static void lead(struct rig *r, const struct rig *far)
{
	r->flow[0].remote = far->flow[0].local;
	r->flow[0].remote_rtcp = (struct addr){.family = ADDR_NONE};
}

static struct pair pair_new(uint32_t threads)
{
	struct media_params mp = {.socket = {.threads = threads}};
	struct pair p = {.media = conform_media(&mp)};

	p.alice = rig_in(p.media, 1, FLOW_LATCH_OFF, 1);
	p.bob = rig_in(p.media, 2, FLOW_LATCH_OFF, 11);
	lead(&p.alice, &p.bob);
	lead(&p.bob, &p.alice);
	p.alice.flow[0].security = 2;
	p.bob.flow[0].security = 1;
	ck_assert_int_eq(rig_update(&p.alice, 0), 0);
	ck_assert_int_eq(rig_update(&p.bob, 0), 0);
	return p;
}

static void pair_free(struct pair *p)
{
	media_free(p->media);
	rig_done(&p->alice);
	rig_done(&p->bob);
}

/* Both phones have the other's key now. */
static void end_to_end(struct pair *p)
{
	p->alice.flow[0].out = p->bob.flow[1].in;
	p->alice.flow[0].is_borrowed = true;
	p->bob.flow[0].out = p->alice.flow[1].in;
	p->bob.flow[0].is_borrowed = true;
	ck_assert_int_eq(rig_update(&p->alice, 0), 0);
	ck_assert_int_eq(rig_update(&p->bob, 0), 0);
}

/* One packet from one phone to the other, who opens it with s. */
static void say(const struct rig *from, const struct rig *to,
		struct rtp_srtp *s, uint16_t seq)
{
	size_t len;

	rig_send(from, 1, false, conform_srtp(from->phone_out, seq));
	ck_assert_int_eq(conform_receive(to->fd[1][0]), 182);
	ck_assert_int_eq(rtp_srtp_unprotect(s, conform_buf, 182, &len), 0);
	ck_assert_uint_eq(len, 172);
	conform_is_payload();
}

/* One that must arrive as it was sent. */
static void say_through(const struct rig *from, const struct rig *to,
			uint16_t seq)
{
	static uint8_t sent[CONFORM_BUF];
	size_t len = conform_srtp(from->phone_out, seq);

	memcpy(sent, conform_buf, len);
	rig_send(from, 1, false, len);
	ck_assert_int_eq(conform_receive(to->fd[1][0]), (int)len);
	ck_assert_mem_eq(conform_buf, sent, len);
}

static void expect_event(struct media *m, enum media_event_kind kind,
			 uint64_t owner, struct media_event *ret)
{
	while (media_next_event(m, ret))
		if (ret->kind == kind && ret->owner == owner)
			return;
	ck_abort_msg("no event %d for owner %d", (int)kind, (int)owner);
}

START_TEST(two_phones_hear_each_other_in_one_step)
{
	struct pair p = pair_new((uint32_t)_i);

	for (uint16_t i = 0; i < 50; i++) {
		say(&p.alice, &p.bob, p.bob.phone_in, i);
		say(&p.bob, &p.alice, p.alice.phone_in, i);
	}
	/* Both halves count, and the inside sockets never saw a source. */
	ck_assert_uint_eq(rig_query(&p.alice, 1).rtp_packets, 50);
	ck_assert_uint_eq(rig_query(&p.bob, 0).rtp_packets, 50);
	ck_assert_uint_eq(rig_query(&p.bob, 0).latched.family, ADDR_NONE);
	ck_assert_uint_eq(rig_query(&p.alice, 0).latched.family, ADDR_NONE);
	pair_free(&p);
}
END_TEST

START_TEST(rtcp_takes_the_same_way)
{
	struct pair p = pair_new(1);
	size_t len = conform_rtcp();

	ck_assert_int_eq(rtp_srtp_protect_rtcp(p.alice.phone_out, conform_buf,
					       len, CONFORM_BUF, &len),
			 0);
	rig_send(&p.alice, 1, true, len);
	ck_assert_int_eq(conform_receive(p.bob.fd[1][1]), 22);
	ck_assert_int_eq(
		rtp_srtp_unprotect_rtcp(p.bob.phone_in, conform_buf, 22, &len),
		0);
	pair_free(&p);
}
END_TEST

START_TEST(the_owners_learn_of_each_other)
{
	struct pair p = pair_new(1);
	struct media_event e;

	/* The one whose update did it is told first. */
	expect_event(p.media, MEDIA_EVENT_JOINED, 2, &e);
	ck_assert_uint_eq(e.security, 2);
	ck_assert(flow_key_eq(&e.key, &p.alice.flow[1].in));
	expect_event(p.media, MEDIA_EVENT_JOINED, 1, &e);
	ck_assert_uint_eq(e.flow, p.alice.flow[0].id);
	ck_assert_uint_eq(e.security, 1);
	ck_assert(flow_key_eq(&e.key, &p.bob.flow[1].in));
	ck_assert(!media_next_event(p.media, &e));
	/* A new key of Bob's phone is news for Alice's worker. */
	p.bob.flow[1].in = conform_key(77);
	ck_assert_int_eq(rig_update(&p.bob, 1), 0);
	expect_event(p.media, MEDIA_EVENT_JOINED, 1, &e);
	ck_assert(flow_key_eq(&e.key, &p.bob.flow[1].in));
	ck_assert(!media_next_event(p.media, &e));
	/* Bob is put on hold with music from the call manager. */
	p.bob.flow[0].remote = p.bob.self[0][0];
	ck_assert_int_eq(rig_update(&p.bob, 0), 0);
	expect_event(p.media, MEDIA_EVENT_PARTED, 1, &e);
	pair_free(&p);
}
END_TEST

/* Alice's worker and Bob's learn that her key is not to be lent any more. */
static void expect_rolled(const struct pair *p)
{
	struct pollfd fd = {.fd = media_event_fd(p->media), .events = POLLIN};
	bool is_said = false, is_told = false;
	struct media_event e;

	while (!is_said || !is_told) {
		ck_assert_int_eq(poll(&fd, 1, conform_wait_ms()), 1);
		while (media_next_event(p->media, &e)) {
			is_said |= e.kind == MEDIA_EVENT_ROLLED &&
				   e.owner == 1 &&
				   e.flow == p->alice.flow[1].id;
			is_told |= e.kind == MEDIA_EVENT_JOINED &&
				   e.owner == 2 && e.is_rolled;
		}
	}
}

/* A stream keeps its roll-over counter whoever it leads to; and whoever did not
 * hear it from its beginning is told that it is too late for that. */
START_TEST(a_stream_rolls_over_while_it_is_joined_and_parted)
{
	struct pair p = pair_new((uint32_t)_i);
	size_t len;

	for (uint32_t i = 0xffe0; i < 0xfff8; i++)
		say(&p.alice, &p.bob, p.bob.phone_in, (uint16_t)i);
	/* The call manager is in between for a while, and over the edge. */
	p.alice.flow[0].remote = p.alice.self[0][0];
	ck_assert_int_eq(rig_update(&p.alice, 0), 0);
	for (uint32_t i = 0xfff8; i < 0x10008; i++) {
		rig_send(&p.alice, 1, false,
			 conform_srtp(p.alice.phone_out, (uint16_t)i));
		ck_assert_int_eq(conform_receive(p.alice.fd[0][0]), 172);
	}
	p.alice.flow[0].remote = p.bob.flow[0].local;
	ck_assert_int_eq(rig_update(&p.alice, 0), 0);
	/* Bob's phone has counted what it heard: its guess is the relay's. */
	for (uint32_t i = 0x10008; i < 0x10080; i++)
		say(&p.alice, &p.bob, p.bob.phone_in, (uint16_t)i);
	/* On hold and back, with the same keys; late ones from before. */
	len = conform_srtp(p.alice.phone_out, 0x90);
	p.alice.flow[1].is_blocked = true;
	ck_assert_int_eq(rig_update(&p.alice, 1), 0);
	rig_send(&p.alice, 1, false, len);
	while (rig_query(&p.alice, 1).dropped == 0)
		continue;
	p.alice.flow[1].is_blocked = false;
	ck_assert_int_eq(rig_update(&p.alice, 1), 0);
	say(&p.alice, &p.bob, p.bob.phone_in, 0x91);
	say(&p.alice, &p.bob, p.bob.phone_in, 0x8f);
	/* The module is asked every minute or two only. */
	if (strcmp(conform_backend->name, "kernel") != 0)
		expect_rolled(&p);
	pair_free(&p);
}
END_TEST

START_TEST(with_each_others_keys_nothing_is_touched)
{
	struct pair p = pair_new((uint32_t)_i);
	size_t len;

	end_to_end(&p);
	for (uint16_t i = 0; i < 50; i++) {
		say_through(&p.alice, &p.bob, i);
		say_through(&p.bob, &p.alice, i);
	}
	len = conform_rtcp();
	ck_assert_int_eq(rtp_srtp_protect_rtcp(p.alice.phone_out, conform_buf,
					       len, CONFORM_BUF, &len),
			 0);
	rig_send(&p.alice, 1, true, len);
	ck_assert_int_eq(conform_receive(p.bob.fd[1][1]), 22);
	pair_free(&p);
}
END_TEST

START_TEST(what_passes_unopened_is_checked_all_the_same)
{
	struct pair p = pair_new(1);
	struct pollfd bob = {.fd = p.bob.fd[1][0], .events = POLLIN};
	struct flow_stats st;
	size_t len;

	end_to_end(&p);
	say_through(&p.alice, &p.bob, 5);
	/* The same again, another payload, a wrong tag. */
	rig_send(&p.alice, 1, false, 182);
	len = conform_rtp(6);
	rig_send(&p.alice, 1, false, len + 10);
	do {
		st = rig_query(&p.alice, 1);
	} while (st.replay < 1 || st.auth_fail < 1);
	ck_assert_int_eq(poll(&bob, 1, 0), 0);
	say_through(&p.alice, &p.bob, 7);
	pair_free(&p);
}
END_TEST

START_TEST(nothing_is_encrypted_with_a_borrowed_key)
{
	struct pair p = pair_new(1);
	struct pollfd bob = {.fd = p.bob.fd[1][0], .events = POLLIN};

	end_to_end(&p);
	say_through(&p.alice, &p.bob, 1);
	/* Bob's far end is the call manager now, his key still Alice's. */
	p.bob.flow[0].remote = p.bob.self[0][0];
	ck_assert_int_eq(rig_update(&p.bob, 0), 0);
	rig_send(&p.bob, 0, false, conform_rtp(2));
	while (rig_query(&p.bob, 0).dropped < 1)
		continue;
	ck_assert_int_eq(poll(&bob, 1, 0), 0);
	/* And back, with Alice under another key by now: it is not Bob's. */
	lead(&p.bob, &p.alice);
	ck_assert_int_eq(rig_update(&p.bob, 0), 0);
	p.alice.flow[1].in = conform_key(99);
	ck_assert_int_eq(rig_update(&p.alice, 1), 0);
	rtp_srtp_free(p.alice.phone_out);
	p.alice.phone_out = rtp_srtp_new(&p.alice.flow[1].in);
	rig_send(&p.alice, 1, false, conform_srtp(p.alice.phone_out, 3));
	while (rig_query(&p.alice, 1).dropped < 1)
		continue;
	ck_assert_int_eq(poll(&bob, 1, 0), 0);
	/* Bob is told. */
	p.bob.flow[0].out = p.alice.flow[1].in;
	ck_assert_int_eq(rig_update(&p.bob, 0), 0);
	say_through(&p.alice, &p.bob, 4);
	pair_free(&p);
}
END_TEST

START_TEST(hold_of_either_stops_it)
{
	struct pair p = pair_new(1);
	struct pollfd bob = {.fd = p.bob.fd[1][0], .events = POLLIN};
	struct rig *r = _i ? &p.bob : &p.alice;
	int leg = _i ? 0 : 1;

	say(&p.alice, &p.bob, p.bob.phone_in, 1);
	r->flow[leg].is_blocked = true;
	ck_assert_int_eq(rig_update(r, leg), 0);
	rig_send(&p.alice, 1, false, conform_srtp(p.alice.phone_out, 2));
	while (rig_query(&p.alice, 1).dropped < 1)
		continue;
	ck_assert_int_eq(poll(&bob, 1, 0), 0);
	r->flow[leg].is_blocked = false;
	ck_assert_int_eq(rig_update(r, leg), 0);
	say(&p.alice, &p.bob, p.bob.phone_in, 3);
	pair_free(&p);
}
END_TEST

START_TEST(parted_flows_go_their_own_way)
{
	struct pair p = pair_new((uint32_t)_i);
	size_t len;

	say(&p.alice, &p.bob, p.bob.phone_in, 1);
	/* Alice's far end is the call manager again, then Bob is gone. */
	p.alice.flow[0].remote = p.alice.self[0][0];
	p.alice.flow[0].remote_rtcp = p.alice.self[0][1];
	ck_assert_int_eq(rig_update(&p.alice, 0), 0);
	rig_talk(&p.alice, 2);
	lead(&p.alice, &p.bob);
	ck_assert_int_eq(rig_update(&p.alice, 0), 0);
	say(&p.alice, &p.bob, p.bob.phone_in, 3);
	ck_assert_int_eq(rig_del(&p.bob, 1), 0);
	ck_assert_int_eq(rig_del(&p.bob, 0), 0);
	len = conform_srtp(p.alice.phone_out, 4);
	rig_send(&p.alice, 1, false, len);
	/* Nobody is there any more: it is not opened and sent after him. */
	while (rig_query(&p.alice, 1).dropped < 1)
		continue;
	ck_assert_uint_eq(rig_query(&p.alice, 1).rtp_packets, 3);
	p.alice.flow[0].remote = p.alice.self[0][0];
	ck_assert_int_eq(rig_update(&p.alice, 0), 0);
	rig_talk(&p.alice, 5);
	pair_free(&p);
}
END_TEST

START_TEST(a_flow_that_anybody_may_move_is_not_joined)
{
	struct media_params mp = {.socket = {.threads = 1}};
	struct pair p = {.media = conform_media(&mp)};
	struct media_event e;

	p.alice = rig_in(p.media, 1, FLOW_LATCH_RESTRICTED, 1);
	p.bob = rig_in(p.media, 1, FLOW_LATCH_OFF, 11);
	lead(&p.alice, &p.bob);
	lead(&p.bob, &p.alice);
	ck_assert_int_eq(rig_update(&p.alice, 0), 0);
	ck_assert_int_eq(rig_update(&p.bob, 0), 0);
	ck_assert(!media_next_event(p.media, &e));
	pair_free(&p);
}
END_TEST

START_TEST(one_side_only_is_no_join)
{
	struct media_params mp = {.socket = {.threads = 1}};
	struct pair p = {.media = conform_media(&mp)};
	struct media_event e;

	p.alice = rig_in(p.media, 1, FLOW_LATCH_OFF, 1);
	p.bob = rig_in(p.media, 2, FLOW_LATCH_OFF, 11);
	/* Alice's worker says so, Bob's knows nothing of it. */
	lead(&p.alice, &p.bob);
	ck_assert_int_eq(rig_update(&p.alice, 0), 0);
	/* Nor does a flow lead into itself or its peer. */
	p.bob.flow[0].remote = p.bob.flow[0].local;
	ck_assert_int_eq(rig_update(&p.bob, 0), 0);
	p.bob.flow[0].remote = p.bob.flow[1].local;
	p.bob.flow[1].remote = p.bob.flow[0].local;
	ck_assert_int_eq(rig_update(&p.bob, 0), 0);
	ck_assert_int_eq(rig_update(&p.bob, 1), 0);
	ck_assert(!media_next_event(p.media, &e));
	pair_free(&p);
}
END_TEST

START_TEST(the_end_of_a_worker_parts_its_flows)
{
	struct pair p = pair_new(2);
	uint8_t bytes[MEDIA_WIRE_MAX];
	struct media_event e;
	struct writer w;

	expect_event(p.media, MEDIA_EVENT_JOINED, 1, &e);
	writer_init(&w, bytes, sizeof(bytes));
	media_wire_flush(&w, 6);
	ck_assert_int_eq(conform_ask(&p.bob, &w)->err, 0);
	expect_event(p.media, MEDIA_EVENT_PARTED, 1, &e);
	p.alice.flow[0].remote = p.alice.self[0][0];
	ck_assert_int_eq(rig_update(&p.alice, 0), 0);
	rig_talk(&p.alice, 1);
	pair_free(&p);
}
END_TEST

TCase *conform_join_cases(void)
{
	TCase *t = tcase_create("join");

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, two_phones_hear_each_other_in_one_step, 1, 5);
	tcase_add_test(t, rtcp_takes_the_same_way);
	tcase_add_test(t, the_owners_learn_of_each_other);
	tcase_add_loop_test(
		t, a_stream_rolls_over_while_it_is_joined_and_parted, 1, 5);
	tcase_add_loop_test(t, with_each_others_keys_nothing_is_touched, 1, 5);
	tcase_add_test(t, what_passes_unopened_is_checked_all_the_same);
	tcase_add_test(t, nothing_is_encrypted_with_a_borrowed_key);
	tcase_add_loop_test(t, hold_of_either_stops_it, 0, 2);
	tcase_add_loop_test(t, parted_flows_go_their_own_way, 1, 5);
	tcase_add_test(t, a_flow_that_anybody_may_move_is_not_joined);
	tcase_add_test(t, one_side_only_is_no_join);
	tcase_add_test(t, the_end_of_a_worker_parts_its_flows);
	return t;
}
