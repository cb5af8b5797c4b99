/*
 * What is left of Skinny phones when the process that looked after them dies,
 * and how it ends.
 */
#include <check.h>
#include <string.h>

#include "b2bua/save.h"
#include "lib/run.h"
#include "unit/b2bua/sccp_play.h"

static const struct flow_key theirs = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80,
				       .key = {9, 9, 9}};

static struct addr inside_of(unsigned i)
{
	return addr_in(last(i, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
}

START_TEST(streams_outlive_their_process_until_the_phone_is_back)
{
	struct flow was[4];
	struct sccp_info info;
	uint32_t pos = 0;

	register_phone(0, 17);
	register_phone(1, 17);
	ck_assert_uint_eq(saved_count, 0);
	call_between(17);
	memcpy(was, flows, sizeof(was));
	ck_assert_uint_eq(saved_count, 2);
	ck_assert_uint_gt(restart(), 0);
	ck_assert_uint_eq(flow_count(), 4);
	ck_assert_uint_eq(claim_flows(), 4);
	for (int i = 0; i < 4; i++) {
		ck_assert(flow_key_eq(&flows[i].out, &was[i].out));
		ck_assert_int_eq(flows[i].is_borrowed, was[i].is_borrowed);
	}
	/* Nobody is there, and nothing is sent to anybody. */
	ck_assert(sccp_next(c, &pos, &info));
	ck_assert(info.is_kept);
	sent_count = 0;
	far_is(EVENT_FLOW_JOINED, &flows[0].local, 2);
	far_is(EVENT_FLOW_PARTED, &flows[0].local, 0);
	now_ms += 2000;
	step(&(struct event){.kind = EVENT_TIMER});
	ck_assert_uint_eq(sent_count, 0);
	/* What a successor of the successor gets is the same. */
	ck_assert_uint_eq(saved_count, 2);
	register_phone(0, 17);
	ck_assert_uint_eq(flow_count(), 2);
	ck_assert_uint_eq(saved_count, 1);
	open_channel(0, 17, 40);
	ck_assert_uint_eq(flow_count(), 4);
	ck_assert_uint_eq(saved_count, 2);
	register_phone(1, 17);
	ck_assert_uint_eq(flow_count(), 2);
	end_stream(0, SCCP_CLOSE_RECEIVE, 40);
	ck_assert_uint_eq(flow_count(), 0);
	ck_assert_uint_eq(saved_count, 0);
}
END_TEST

static void falls_silent(enum event_kind kind, const struct flow *f)
{
	struct event ev = {.kind = kind,
			   .flow = {.call = f->call, .flow = f->id}};

	step(&ev);
}

START_TEST(streams_of_a_phone_that_stays_away_end)
{
	struct addr gateway = addr_of("10.0.0.77:7000");
	struct flow f[2];

	register_phone(0, 17);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &gateway);
	ck_assert_uint_gt(restart(), 0);
	ck_assert_uint_eq(claim_flows(), 2);
	f[0] = flows[0];
	f[1] = flows[1];
	if (_i == 0) {
		/* Silence, of both. */
		ck_assert_uint_ne(f[0].idle_ms, 0);
		falls_silent(EVENT_FLOW_IDLE, &f[0]);
		falls_silent(EVENT_FLOW_ACTIVE, &f[0]);
		falls_silent(EVENT_FLOW_IDLE, &f[1]);
		ck_assert_uint_eq(flow_count(), 2);
		/* Another media process has not said so of either. */
		calls_media_new(c);
		falls_silent(EVENT_FLOW_IDLE, &f[0]);
		ck_assert_uint_eq(flow_count(), 2);
		falls_silent(EVENT_FLOW_IDLE, &f[1]);
	} else {
		/* Somebody talks on and on. */
		now_ms += 3500000;
		step(&(struct event){.kind = EVENT_TIMER});
		ck_assert_uint_eq(flow_count(), 2);
		now_ms += 100001;
		step(&(struct event){.kind = EVENT_TIMER});
	}
	ck_assert_uint_eq(flow_count(), 0);
	ck_assert_uint_eq(saved_count, 0);
}
END_TEST

/* ---- what the streams go by ------------------------------------------------- */

/* A phone behind a NAT is where its packets come from, not where it says. What
 * the media process tells in between must not make the relay forget that, nor
 * anybody take the phone for one that does not encrypt. */
START_TEST(a_kept_phone_is_what_it_was)
{
	struct addr far = addr_of("10.0.0.1:45000");
	struct flow was[2];
	struct addr in;

	policy.nat = true;
	register_phone(0, 17);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &far);
	in = inside_of(0);
	far_is(EVENT_FLOW_JOINED, &in, 2);
	memcpy(was, flows, sizeof(was));
	ck_assert_uint_eq(restart(), 1);
	ck_assert_uint_eq(claim_flows(), 2);
	far_is(EVENT_FLOW_JOINED, &in, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(flows[i].latch, was[i].latch);
		ck_assert_int_eq(flows[i].security, was[i].security);
	}
	ck_assert_int_eq(was[0].latch, FLOW_LATCH_NAT);
	register_phone(0, 17);
}
END_TEST

/* The far phone's key was told, and the phone has not said yes: it has it. */
START_TEST(a_channel_that_was_being_opened_anew_has_its_new_key)
{
	struct addr far = addr_of("10.0.0.1:45000");
	struct addr in;

	register_phone(0, 17);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &far);
	in = inside_of(0);
	far_sends(&in, &theirs);
	ck_assert(!flow_at(&in)->is_borrowed);
	ck_assert_uint_eq(restart(), 1);
	ck_assert_uint_eq(claim_flows(), 2);
	ck_assert(flow_at(&in)->is_borrowed);
	ck_assert(flow_key_eq(&flow_at(&in)->out, &theirs));
	/* A successor of the successor thinks so, too. */
	far_is(EVENT_FLOW_JOINED, &in, 2);
	ck_assert_uint_eq(restart(), 1);
	ck_assert_uint_eq(claim_flows(), 2);
	ck_assert(flow_key_eq(&flow_at(&in)->out, &theirs));
	register_phone(0, 17);
}
END_TEST

/* One of two phones is back, and knows what the other hears with. That one cannot
 * be told anything else, so nothing is encrypted under it. */
START_TEST(what_a_kept_phone_hears_with_is_used_for_nobody_else)
{
	struct addr in;

	register_phone(0, 17);
	register_phone(1, 17);
	call_between(17);
	in = inside_of(0);
	ck_assert(flow_at(&in)->is_borrowed);
	ck_assert_uint_eq(restart(), 2);
	ck_assert_uint_eq(claim_flows(), 4);
	register_phone(1, 17);
	now_ms += 401;
	step(&(struct event){.kind = EVENT_TIMER});
	ck_assert(flow_at(&in)->is_borrowed);
	register_phone(0, 17);
}
END_TEST

/* ---- what nobody needs ------------------------------------------------------- */

/* The phone's yes was on its way: nothing would ever pass, and nobody end it. */
START_TEST(a_channel_without_an_answer_is_not_kept)
{
	struct addr far = addr_of("10.0.0.77:7000");

	register_phone(0, 17);
	if (_i) {
		open_channel(0, 17, 17);
		start_sending(0, 17, 17, &far);
	}
	make(SCCP_OPEN_RECEIVE, 17, 140);
	set(SCCP_CALL, 901);
	set(SCCP_PARTY, 30);
	core_says(0);
	ck_assert_uint_eq(saved_count, 1);
	ck_assert_uint_eq(restart(), (unsigned)_i);
	ck_assert_uint_eq(claim_flows(), (unsigned)_i * 2);
	ck_assert_uint_eq(saved_count, (unsigned)_i);
	register_phone(0, 17);
	ck_assert_uint_eq(flow_count(), 0);
	ck_assert_uint_eq(saved_count, 0);
}
END_TEST

/* The media process died as well and does not know how far the streams were. */
START_TEST(a_kept_phone_without_streams_ends)
{
	struct flow f[2];
	struct sccp_info info;
	uint32_t pos = 0;

	register_phone(0, 17);
	open_channel(0, 17, 17);
	open_channel(0, 17, 18);
	ck_assert_uint_eq(restart(), 1);
	ck_assert_uint_eq(claim_flows(), 4);
	f[0] = flows[0];
	f[1] = flows[2];
	falls_silent(EVENT_FLOW_FAILED, &f[0]);
	ck_assert_uint_eq(flow_count(), 2);
	ck_assert_uint_eq(saved_count, 1);
	falls_silent(EVENT_FLOW_FAILED, &f[1]);
	ck_assert_uint_eq(flow_count(), 0);
	ck_assert_uint_eq(saved_count, 0);
	ck_assert(!sccp_next(c, &pos, &info));
}
END_TEST

/* Phones that were in no call come back before those that were: there is room for
 * all of them. */
START_TEST(kept_phones_take_nobodys_room)
{
	uint32_t phones, registered;

	for (unsigned i = 0; i < PHONES; i++)
		register_phone(i, 17);
	call_between(17);
	ck_assert_uint_eq(restart(), 2);
	ck_assert_uint_eq(claim_flows(), 4);
	(void)sccp_counts(c, &phones, &registered);
	ck_assert_uint_eq(phones, 0);
	for (unsigned i = PHONES; i-- > 0;) {
		links = i; /* link_id[] goes by the phone's number here */
		register_phone(i, 17);
	}
	(void)sccp_counts(c, &phones, &registered);
	ck_assert_uint_eq(phones, PHONES);
	ck_assert_uint_eq(registered, PHONES);
	ck_assert_uint_eq(flow_count(), 0);
	ck_assert_uint_eq(saved_count, 0);
}
END_TEST

/* ---- elsewhere, or no more --------------------------------------------------- */

/* Its address has changed, and with it the worker. */
START_TEST(a_phone_that_returns_at_another_worker_ends_here)
{
	struct event ev = {.kind = EVENT_ARRIVED};

	params.has_siblings = true;
	(void)restart();
	register_phone(0, 17);
	ck_assert_uint_gt(arrived.len, 0);
	ev.bytes = slice_make(arrived.bytes, arrived.len);
	open_channel(0, 17, 17);
	/* One that is there is left to its call manager. */
	step(&ev);
	ck_assert_uint_eq(flow_count(), 2);
	ck_assert_uint_eq(restart(), 1);
	ck_assert_uint_eq(claim_flows(), 2);
	step(&ev);
	ck_assert_uint_eq(flow_count(), 0);
	ck_assert_uint_eq(saved_count, 0);
	step(&ev);
}
END_TEST

START_TEST(a_kept_phone_that_is_configured_no_more_ends)
{
	struct actions got = {.count = 0};
	struct sccp_info info;
	uint32_t pos = 0;

	register_phone(0, 17);
	open_channel(0, 17, 17);
	ck_assert_uint_eq(restart(), 1);
	ck_assert_uint_eq(claim_flows(), 2);
	ck_assert(sccp_next(c, &pos, &info));
	ck_assert(info.is_kept);
	ck_assert(slice_eqs(info.device, name_of(0)));
	ck_assert_int_eq(sccp_policy(c, info.id, NULL, &traits, now_ms, &got),
			 0);
	for (uint32_t i = 0; i < got.count; i++)
		take_one(&got.item[i]);
	actions_done(&got);
	ck_assert_uint_eq(flow_count(), 0);
	ck_assert_uint_eq(saved_count, 0);
}
END_TEST

/* ---- what cannot be read ------------------------------------------------------ */

static void reach_nobody(void *ctx, enum side side, struct dest *dest)
{
	(void)ctx;
	(void)side;
	dest->ep = HANDLE_NONE;
}

/* All of it or nothing: no name, no port, no room is gone afterwards. */
START_TEST(saved_streams_are_read_whole_or_not_at_all)
{
	static const struct save_restore how = {.reach = reach_nobody};
	static struct kept good;
	struct sccp_info info;
	uint32_t pos = 0;
	struct slice s;

	register_phone(0, 17);
	open_channel(0, 17, 17);
	open_channel(0, 17, 18);
	good = saved[0];
	s = slice_make(good.bytes, good.len);
	saved_count = 0;
	(void)restart();
	for (size_t len = 0; len < s.len; len++)
		ck_assert_int_ne(
			calls_restore(c, slice_sub(s, 0, len), &how, now_ms),
			0);
	ck_assert(!sccp_next(c, &pos, &info));
	ck_assert_int_eq(calls_restore(c, s, &how, now_ms), 0);
	ck_assert_int_eq(calls_restore(c, s, &how, now_ms), ERR_EXISTS);
	/* One byte is another: whatever comes of it goes with the machine. */
	for (size_t i = 0; i < s.len; i++) {
		good.bytes[i] ^= 0x81;
		(void)restart();
		(void)!calls_restore(c, s, &how, now_ms);
		good.bytes[i] ^= 0x81;
	}
	(void)restart();
	ck_assert_int_eq(calls_restore(c, s, &how, now_ms), 0);
	ck_assert_uint_eq(claim_flows(), 4);
	saved[saved_count++] = good;
	register_phone(0, 17);
	ck_assert_uint_eq(saved_count, 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sccp_save");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc,
		       streams_outlive_their_process_until_the_phone_is_back);
	tcase_add_loop_test(tc, streams_of_a_phone_that_stays_away_end, 0, 2);
	tcase_add_test(tc, a_kept_phone_is_what_it_was);
	tcase_add_test(tc,
		       a_channel_that_was_being_opened_anew_has_its_new_key);
	tcase_add_test(tc,
		       what_a_kept_phone_hears_with_is_used_for_nobody_else);
	tcase_add_loop_test(tc, a_channel_without_an_answer_is_not_kept, 0, 2);
	tcase_add_test(tc, a_kept_phone_without_streams_ends);
	tcase_add_test(tc, kept_phones_take_nobodys_room);
	tcase_add_test(tc, a_phone_that_returns_at_another_worker_ends_here);
	tcase_add_test(tc, a_kept_phone_that_is_configured_no_more_ends);
	tcase_add_test(tc, saved_streams_are_read_whole_or_not_at_all);
	return run_case("b2bua/sccp_save", tc);
}
