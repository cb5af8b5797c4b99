/* The line to the media process, whose part the test plays. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "media/wire.h"
#include "priv/channel.h"
#include "proxy/medialink.h"

static struct loop *loop;
static struct medialink *link_;
static int peer; /* the media process's end */
static char said[512];

static void note(const char *what, uint64_t a, uint64_t b)
{
	size_t len = strlen(said);

	(void)snprintf(said + len, sizeof(said) - len, "%s %llu %llu. ", what,
		       (unsigned long long)a, (unsigned long long)b);
}

static void on_answer(void *ctx, uint32_t number, int err)
{
	(void)ctx;
	note("answer", number, err ? 1 : 0);
}

static void on_event(void *ctx, const struct media_event *e, uint64_t call)
{
	static const char *const names[] = {
		[MEDIA_EVENT_LATCHED] = "latched",
		[MEDIA_EVENT_IDLE] = "idle",
		[MEDIA_EVENT_ACTIVE] = "active",
		[MEDIA_EVENT_FAILED] = "failed",
		[MEDIA_EVENT_ROLLED] = "rolled",
		[MEDIA_EVENT_JOINED] = "joined",
		[MEDIA_EVENT_PARTED] = "parted",
	};

	(void)ctx;
	note(names[e->kind], call, e->flow);
	/* As the call machine does: the call ends, its flows go. */
	if (e->kind == MEDIA_EVENT_FAILED)
		medialink_del(link_, e->flow ^ 1);
}

static void on_last(void *ctx, uint64_t call, const struct flow_stats *s)
{
	(void)ctx;
	note("last", call, s->rtp_packets);
}

static void on_stats(void *ctx, uint32_t number, const struct flow_stats *s,
		     uint32_t n)
{
	(void)ctx;
	(void)number;
	note("stats", n, n > 0 ? s[0].id : 0);
}

static void on_down(void *ctx)
{
	(void)ctx;
	note("down", 0, 0);
}

static void setup(void)
{
	static const struct medialink_cb cb = {.answer = on_answer,
					       .event = on_event,
					       .last = on_last,
					       .stats = on_stats,
					       .down = on_down};
	int fds[2];

	said[0] = '\0';
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(channel_pair(fds), 0);
	ck_assert_int_eq(medialink_new(loop, fds[0], &cb, 1, &link_), 0);
	peer = fds[1];
}

static void teardown(void)
{
	medialink_free(link_);
	if (peer >= 0)
		(void)close(peer);
	loop_free(loop);
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
}

/* The next request the media process gets. */
static void read_request(struct media_request *ret)
{
	uint8_t buf[MEDIA_WIRE_MAX];
	ssize_t n;

	turn();
	n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(
		media_wire_read_request(slice_make(buf, (size_t)n), ret), 0);
}

static void send_bytes(struct writer *w)
{
	ck_assert(writer_ok(w));
	ck_assert_int_eq(send(peer, w->buf, w->len, 0), (ssize_t)w->len);
	turn();
}

static void answer(uint32_t req, int err, const struct flow_stats *s,
		   uint32_t n)
{
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	media_wire_answer(&w, req, err, s, n);
	send_bytes(&w);
}

/* A stream of call: flows id and id + 1. */
static int add(uint32_t number, uint64_t call, uint64_t id)
{
	struct flow f[2];

	memset(f, 0, sizeof(f));
	for (int i = 0; i < 2; i++) {
		f[i].id = id + (uint64_t)i;
		f[i].peer_id = id + 1 - (uint64_t)i;
		f[i].call = call;
		ck_assert_int_eq(addr_parse(slice_str("192.0.2.1:20000"), 0,
					    &f[i].local),
				 0);
	}
	return medialink_add(link_, number, f);
}

START_TEST(an_addition_is_asked_with_its_number_and_answered)
{
	struct media_request r;

	ck_assert_int_eq(add(17, 5, 100), 0);
	read_request(&r);
	ck_assert_int_eq(r.op, MEDIA_OP_ADD);
	ck_assert_uint_eq(r.req, 17);
	ck_assert_uint_eq(r.flow_count, 2);
	answer(17, 0, NULL, 0);
	answer(18, ERR_LIMIT, NULL, 0);
	ck_assert_str_eq(said, "answer 17 0. answer 18 1. ");
}
END_TEST

START_TEST(events_are_told_with_the_call_unknown_flows_are_not)
{
	struct media_event e = {.kind = MEDIA_EVENT_LATCHED, .flow = 101};
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;

	ck_assert_int_eq(add(1, 5, 100), 0);
	for (int i = 0; i < 2; i++) {
		writer_init(&w, buf, sizeof(buf));
		media_wire_event(&w, &e);
		send_bytes(&w);
		e.flow = 999;
	}
	ck_assert_str_eq(said, "latched 5 101. ");
}
END_TEST

START_TEST(the_last_counters_of_a_flow_come_with_its_removal)
{
	struct flow_stats s = {.id = 100, .rtp_packets = 42};
	struct media_request r;

	ck_assert_int_eq(add(1, 5, 100), 0);
	read_request(&r);
	medialink_del(link_, 100);
	medialink_del(link_, 100); /* no longer known: nothing is asked */
	read_request(&r);
	ck_assert_int_eq(r.op, MEDIA_OP_DEL);
	answer(r.req, 0, &s, 1);
	answer(r.req, 0, &s, 1); /* twice: the second finds nobody */
	ck_assert_str_eq(said, "last 5 42. ");
	ck_assert_int_eq(recv(peer, &r, 1, MSG_DONTWAIT), -1);
}
END_TEST

START_TEST(an_update_that_fails_is_a_failed_flow)
{
	struct media_request r;
	struct flow f = {.id = 100, .call = 5};

	ck_assert_int_eq(add(1, 5, 100), 0);
	read_request(&r);
	medialink_update(link_, &f);
	read_request(&r);
	ck_assert_int_eq(r.op, MEDIA_OP_UPDATE);
	answer(r.req, ERR_NOTFOUND, NULL, 0);
	ck_assert_str_eq(said, "failed 5 100. ");
}
END_TEST

START_TEST(counters_come_back_under_the_number_given)
{
	uint64_t id[2] = {100, 101};
	struct flow_stats s = {.id = 101};
	struct media_request r;
	uint32_t number;

	ck_assert_int_eq(medialink_stats(link_, id, 2, &number), 0);
	read_request(&r);
	ck_assert_int_eq(r.op, MEDIA_OP_STATS);
	ck_assert_uint_eq(r.req, number);
	answer(number, 0, &s, 1);
	ck_assert_str_eq(said, "stats 1 101. ");
}
END_TEST

static void make_stream(struct flow f[2], uint64_t call, uint64_t id)
{
	memset(f, 0, 2 * sizeof(*f));
	for (int i = 0; i < 2; i++) {
		f[i].id = id + (uint64_t)i;
		f[i].peer_id = id + 1 - (uint64_t)i;
		f[i].call = call;
	}
}

START_TEST(flows_outlive_the_media_process_and_are_claimed_from_the_next)
{
	struct media_request r;
	struct flow f[2];
	int fds[2];

	ck_assert_int_eq(add(1, 5, 100), 0);
	(void)close(peer);
	turn();
	ck_assert(!medialink_is_up(link_));
	ck_assert_str_eq(said, "down 0 0. ");
	ck_assert_int_eq(add(3, 7, 300), ERR_CLOSED);
	medialink_del(link_, 300);
	/* Nobody is there to claim from: that is tried again. */
	make_stream(f, 5, 100);
	medialink_claim(link_, f);
	ck_assert_str_eq(said, "down 0 0. ");
	ck_assert_int_eq(channel_pair(fds), 0);
	ck_assert_int_eq(medialink_reconnect(link_, fds[0]), 0);
	peer = fds[1];
	medialink_disown(link_);
	medialink_claim(link_, f);
	medialink_sweep(link_);
	read_request(&r);
	ck_assert_int_eq(r.op, MEDIA_OP_DISOWN);
	read_request(&r);
	ck_assert_int_eq(r.op, MEDIA_OP_CLAIM);
	ck_assert_uint_eq(r.flow_count, 2);
	answer(r.req, 0, NULL, 0);
	read_request(&r);
	ck_assert_int_eq(r.op, MEDIA_OP_SWEEP);
	ck_assert_str_eq(said, "down 0 0. ");
}
END_TEST

START_TEST(a_claim_that_fails_is_a_failed_flow)
{
	struct media_request r;
	struct flow f[2];

	/* Restored: it was never added here. */
	make_stream(f, 9, 500);
	medialink_claim(link_, f);
	read_request(&r);
	answer(r.req, ERR_STATE, NULL, 0);
	ck_assert_str_eq(said, "failed 9 500. ");
}
END_TEST

START_TEST(with_a_new_media_process_it_goes_on)
{
	struct media_request r;
	int fds[2];

	(void)close(peer);
	turn();
	ck_assert_int_eq(channel_pair(fds), 0);
	ck_assert_int_eq(medialink_reconnect(link_, fds[0]), 0);
	peer = fds[1];
	ck_assert(medialink_is_up(link_));
	ck_assert_int_eq(add(4, 8, 400), 0);
	read_request(&r);
	ck_assert_uint_eq(r.req, 4);
}
END_TEST

/* The media process says something, about a flow that nobody knows. */
static void hear(void)
{
	struct media_event e = {.kind = MEDIA_EVENT_LATCHED, .flow = 999};
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	media_wire_event(&w, &e);
	send_bytes(&w);
}

/* A flow that should have changed and did not is not believed in, and one that
 * should be gone does not keep its ports. */
START_TEST(what_could_not_be_said_is_owed)
{
	struct media_request r;
	struct flow f = {.id = 100, .call = 5};

	ck_assert_int_eq(add(1, 5, 100), 0);
	ck_assert_int_eq(add(2, 6, 200), 0);
	read_request(&r);
	read_request(&r);
	oom_arm(1);
	medialink_update(link_, &f);
	ck_assert(oom_disarm());
	oom_arm(1);
	medialink_del(link_, 200);
	ck_assert(oom_disarm());
	medialink_del(link_, 200);
	turn();
	ck_assert_int_eq(recv(peer, &r, 1, MSG_DONTWAIT), -1);
	ck_assert_str_eq(said, "");
	hear();
	ck_assert_str_eq(said, "failed 5 100. ");
	/* What is owed, and the other flow of the call that ends. */
	for (int i = 0; i < 2; i++) {
		read_request(&r);
		ck_assert_int_eq(r.op, MEDIA_OP_DEL);
		ck_assert(r.id[0] == 200 || r.id[0] == 101);
	}
	hear();
	ck_assert_str_eq(said, "failed 5 100. ");
	ck_assert_int_eq(recv(peer, &r, 1, MSG_DONTWAIT), -1);
}
END_TEST

/* The next media process is told of all flows anew. */
START_TEST(nothing_is_owed_to_the_next_media_process)
{
	struct media_request r;
	struct flow f = {.id = 100, .call = 5};
	int fds[2];

	ck_assert_int_eq(add(1, 5, 100), 0);
	ck_assert_int_eq(add(2, 6, 200), 0);
	oom_arm(1);
	medialink_update(link_, &f);
	(void)oom_disarm();
	oom_arm(1);
	medialink_del(link_, 200);
	(void)oom_disarm();
	(void)close(peer);
	turn();
	ck_assert_str_eq(said, "down 0 0. ");
	ck_assert_int_eq(channel_pair(fds), 0);
	peer = fds[1];
	ck_assert_int_eq(medialink_reconnect(link_, fds[0]), 0);
	hear();
	ck_assert_str_eq(said, "down 0 0. ");
	ck_assert_int_eq(recv(peer, &r, 1, MSG_DONTWAIT), -1);
	/* It is known no more. */
	ck_assert_int_eq(add(3, 6, 200), 0);
}
END_TEST

/* The line to the next one comes by another way: it may be here first. */
START_TEST(what_the_last_media_process_was_asked_has_no_answer)
{
	struct media_request r;
	uint64_t id = 100;
	uint32_t number = 0;
	int fds[2];

	ck_assert_int_eq(add(1, 5, id), 0);
	ck_assert_int_eq(medialink_stats(link_, &id, 1, &number), 0);
	ck_assert_int_eq(channel_pair(fds), 0);
	(void)close(peer);
	peer = fds[1];
	ck_assert_int_eq(medialink_reconnect(link_, fds[0]), 0);
	ck_assert_str_eq(said, "down 0 0. ");
	ck_assert(medialink_is_up(link_));
	/* A number of that time means nothing to it. */
	answer(number, 0, NULL, 0);
	ck_assert_str_eq(said, "down 0 0. ");
	ck_assert_int_eq(add(2, 5, 300), 0);
	read_request(&r);
	ck_assert_uint_eq(r.req, 2);
}
END_TEST

/* The next message, whenever it fits through; 0 = there is none. */
static enum media_op next_op(uint64_t *ret_id)
{
	uint8_t buf[MEDIA_WIRE_MAX];
	struct media_request r;
	ssize_t n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0) {
		turn();
		n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT);
	}
	if (n <= 0)
		return 0;
	ck_assert_int_eq(
		media_wire_read_request(slice_make(buf, (size_t)n), &r), 0);
	*ret_id = r.flow[0].id;
	return r.op;
}

/* As many bytes as a stream can have. */
static void claim_large(uint64_t id)
{
	struct flow f[2];

	make_stream(f, id, id);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(addr_parse(slice_str("[2001:db8::1]:20000"), 0,
					    &f[i].local),
				 0);
		f[i].remote = f[i].local;
		f[i].remote_rtcp = f[i].local;
		f[i].in.suite = SUITE_AES_256_CM_HMAC_SHA1_80;
		f[i].in.mki_len = 4;
		f[i].out = f[i].in;
	}
	medialink_claim(link_, f);
}

/* All claims are made before the media process takes the first. */
START_TEST(all_streams_there_can_be_are_claimed_at_once)
{
	uint64_t id;

	medialink_disown(link_);
	for (uint64_t i = 2; i <= MEDIALINK_FLOWS_MAX; i += 2)
		claim_large(i);
	medialink_sweep(link_);
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(next_op(&id), MEDIA_OP_DISOWN);
	for (uint64_t i = 2; i <= MEDIALINK_FLOWS_MAX; i += 2) {
		ck_assert_int_eq(next_op(&id), MEDIA_OP_CLAIM);
		ck_assert_uint_eq(id, i);
	}
	ck_assert_int_eq(next_op(&id), MEDIA_OP_SWEEP);
	ck_assert_int_eq(next_op(&id), 0);
	ck_assert_str_eq(said, "");
}
END_TEST

/* Claims wait, and the sweep finds no memory to wait behind them. */
static void fail_sweep(void)
{
	medialink_disown(link_);
	for (uint64_t i = 2; i <= MEDIALINK_FLOWS_MAX / 2; i += 2)
		claim_large(i);
	oom_arm(1);
	medialink_sweep(link_);
	ck_assert(oom_disarm());
}

static void read_claims(void)
{
	uint64_t id;

	ck_assert_int_eq(next_op(&id), MEDIA_OP_DISOWN);
	for (uint64_t i = 2; i <= MEDIALINK_FLOWS_MAX / 2; i += 2)
		ck_assert_int_eq(next_op(&id), MEDIA_OP_CLAIM);
	ck_assert_int_eq(next_op(&id), 0);
}

START_TEST(a_sweep_that_could_not_be_said_is_owed)
{
	uint64_t id;

	fail_sweep();
	read_claims();
	hear();
	ck_assert_int_eq(next_op(&id), MEDIA_OP_SWEEP);
	hear();
	ck_assert_int_eq(next_op(&id), 0);
}
END_TEST

/* Nothing may be swept between a new beginning and its own last claim. */
START_TEST(a_sweep_owed_is_dropped_when_claiming_begins_anew)
{
	uint64_t id;

	fail_sweep();
	read_claims();
	medialink_disown(link_);
	hear();
	ck_assert_int_eq(next_op(&id), MEDIA_OP_DISOWN);
	ck_assert_int_eq(next_op(&id), 0);
}
END_TEST

START_TEST(a_sweep_is_not_owed_to_the_next_media_process)
{
	uint64_t id;
	int fds[2];

	fail_sweep();
	(void)close(peer);
	turn();
	ck_assert_int_eq(channel_pair(fds), 0);
	peer = fds[1];
	ck_assert_int_eq(medialink_reconnect(link_, fds[0]), 0);
	hear();
	ck_assert_int_eq(next_op(&id), 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_ignored)
{
	ck_assert_int_eq(send(peer, "garbage", 7, 0), 7);
	turn();
	ck_assert_str_eq(said, "");
	ck_assert(medialink_is_up(link_));
}
END_TEST

START_TEST(the_same_flow_twice_is_the_call_machine_s_business)
{
	ck_assert_int_eq(add(1, 5, 100), 0);
	medialink_del(link_, 101);
	medialink_del(link_, 100);
	ck_assert_int_eq(add(2, 5, 100), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("media link");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_addition_is_asked_with_its_number_and_answered);
	tcase_add_test(t, events_are_told_with_the_call_unknown_flows_are_not);
	tcase_add_test(t, the_last_counters_of_a_flow_come_with_its_removal);
	tcase_add_test(t, an_update_that_fails_is_a_failed_flow);
	tcase_add_test(t, counters_come_back_under_the_number_given);
	tcase_add_test(
		t,
		flows_outlive_the_media_process_and_are_claimed_from_the_next);
	tcase_add_test(t, a_claim_that_fails_is_a_failed_flow);
	tcase_add_test(t, with_a_new_media_process_it_goes_on);
	tcase_add_test(t, what_could_not_be_said_is_owed);
	tcase_add_test(t, nothing_is_owed_to_the_next_media_process);
	tcase_add_test(t, what_the_last_media_process_was_asked_has_no_answer);
	tcase_add_test(t, all_streams_there_can_be_are_claimed_at_once);
	tcase_add_test(t, a_sweep_that_could_not_be_said_is_owed);
	tcase_add_test(t, a_sweep_owed_is_dropped_when_claiming_begins_anew);
	tcase_add_test(t, a_sweep_is_not_owed_to_the_next_media_process);
	tcase_add_test(t, what_cannot_be_read_is_ignored);
	tcase_add_test(t, the_same_flow_twice_is_the_call_machine_s_business);
	return run_case("proxy/medialink", t);
}
