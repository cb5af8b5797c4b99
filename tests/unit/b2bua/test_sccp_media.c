/*
 * Streams of Skinny phones: addresses, keys, far ends.
 */
#include <check.h>

#include "base/alloc.h"
#include "b2bua/detail.h"
#include "b2bua/save.h"
#include "lib/run.h"
#include "unit/b2bua/sccp_play.h"

/* ---- media --------------------------------------------------------------------- */

static const uint32_t forms[] = {0, 11, 17, 20, 22};

/* One phone and a gateway inside that knows no encryption. */
START_TEST(a_channel_gets_our_addresses_and_a_key_of_its_own)
{
	uint32_t version = forms[_i];
	struct addr gateway = addr_of("10.0.0.77:7000");
	struct flow_key rx, tx;
	struct addr out_addr, in_addr;

	register_phone(0, version ? version : 5);
	open_channel(0, version, 17);
	start_sending(0, version, 17, &gateway);
	rx = key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	tx = key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	ck_assert_int_eq(rx.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert_int_eq(tx.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert(!flow_key_eq(&rx, &tx));
	out_addr = addr_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	in_addr = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	ck_assert(addr_ip_eq(&out_addr, &(struct addr){.family = ADDR_V4,
						       .ip = {192, 0, 2, 1}}));
	ck_assert(addr_ip_eq(&in_addr, &(struct addr){.family = ADDR_V4,
						      .ip = {10, 0, 0, 1}}));
	ck_assert(flow_key_eq(&flow_at(&out_addr)->in, &tx));
	ck_assert(flow_key_eq(&flow_at(&in_addr)->out, &rx));
	ck_assert_int_eq(flow_at(&in_addr)->in.suite, SUITE_NONE);
	ck_assert(addr_eq(&flow_at(&in_addr)->remote, &gateway));
	ck_assert_uint_eq(flow_at(&out_addr)->remote.port, 16500);
	ck_assert(!flow_at(&in_addr)->is_blocked);
	ck_assert(!flow_at(&out_addr)->is_blocked);
	end_stream(0, SCCP_STOP_TRANSMISSION, 17);
	ck_assert(flow_at(&out_addr)->is_blocked);
	end_stream(0, SCCP_CLOSE_RECEIVE, 17);
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

/* A call manager of protocol 3 leaves no room for a key. */
START_TEST(an_old_form_becomes_longer)
{
	struct sccp_msg *m;

	register_phone(0, 3);
	make(SCCP_OPEN_RECEIVE, 0, 40);
	set(SCCP_PARTY, 5);
	core_says(0);
	m = last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE);
	ck_assert_uint_eq(m->bytes.len, 80);
	ck_assert_int_eq(key_in(m).suite, SUITE_AES_CM_128_HMAC_SHA1_80);
}
END_TEST

START_TEST(two_phones_have_one_key_set_for_each_direction)
{
	struct flow_key rx[2], tx[2];
	struct addr a;

	register_phone(0, 17);
	register_phone(1, 17);
	call_between(17);
	for (unsigned i = 0; i < 2; i++) {
		rx[i] = key_in(last(i, SIDE_PHONE, SCCP_OPEN_RECEIVE));
		tx[i] = key_in(last(i, SIDE_PHONE, SCCP_START_TRANSMISSION));
	}
	ck_assert(flow_key_eq(&rx[0], &tx[1]));
	ck_assert(flow_key_eq(&rx[1], &tx[0]));
	ck_assert(!flow_key_eq(&rx[0], &rx[1]));
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	/* Whatever is not the other phone's passes encrypted by nobody. */
	ck_assert(flow_at(&a)->is_borrowed);
	/* One leaves: what it knows soon counts no more. */
	end_stream(1, SCCP_STOP_TRANSMISSION, 18);
	ck_assert(!flow_at(&a)->is_borrowed);
	now_ms += 500;
	step(&(struct event){.kind = EVENT_TIMER});
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_OPEN_RECEIVE), 2);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	rx[1] = key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	ck_assert(!flow_key_eq(&rx[0], &rx[1]));
	/* Until it says that it has the key it is not used. */
	ck_assert(flow_key_eq(&flow_at(&a)->out, &rx[0]));
	/* The phone's answer to that is ours alone. */
	make(SCCP_OPEN_RECEIVE_ACK, 17, 48);
	set(SCCP_PARTY, 17);
	set_addr("192.168.1.20:16700");
	phone_says(0);
	ck_assert(flow_key_eq(&flow_at(&a)->out, &rx[1]));
	ck_assert_uint_eq(count_to(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK), 1);
}
END_TEST

/* The call manager opens phone 1's channel anew and leaves phone 0 alone: the
 * relay encrypts with the new key what phone 0 says under the old one. When
 * phone 0 is started anew it may use the same numbers again, under that key. */
START_TEST(a_key_that_was_used_is_not_lent_afterwards)
{
	struct flow_key k;
	struct addr b;

	register_phone(0, 17);
	register_phone(1, 17);
	call_between(17);
	b = addr_in(last(1, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	ck_assert(flow_at(&b)->is_borrowed);
	end_stream(1, SCCP_CLOSE_RECEIVE, 18);
	open_channel(1, 17, 18);
	ck_assert(!flow_at(&b)->is_borrowed);
	end_stream(0, SCCP_STOP_TRANSMISSION, 17);
	start_sending(0, 17, 17, &b);
	k = key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	ck_assert(!flow_key_eq(&flow_at(&b)->out, &k));
	ck_assert(!flow_at(&b)->is_borrowed);
	/* Opened anew once more, before phone 0 says anything: lent as ever. */
	end_stream(0, SCCP_STOP_TRANSMISSION, 17);
	end_stream(1, SCCP_CLOSE_RECEIVE, 18);
	open_channel(1, 17, 18);
	start_sending(0, 17, 17, &b);
	k = key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	ck_assert(flow_key_eq(&flow_at(&b)->out, &k));
	ck_assert(flow_at(&b)->is_borrowed);
}
END_TEST

START_TEST(a_phone_falls_back_to_rtp_and_comes_back)
{
	struct addr gateway = addr_of("10.0.0.77:7000");
	struct addr b;

	policy.falls_back = true;
	register_phone(0, 17);
	register_phone(1, 17);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &gateway);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	ck_assert_int_eq(key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE)).suite,
			 SUITE_NONE);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_NONE);
	open_channel(1, 17, 18);
	b = addr_in(last(1, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	start_sending(0, 17, 17, &b);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 2);
	ck_assert_int_eq(key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE)).suite,
			 SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert_uint_eq(
		sccp_counts(c, &(uint32_t){0}, &(uint32_t){0})->fallbacks, 1);
}
END_TEST

/* That the far phone is in the clear is known when the media process tells. */
START_TEST(a_call_falls_back_in_its_middle)
{
	struct addr far = addr_of("10.0.0.1:45000");
	struct addr a;

	policy.falls_back = true;
	register_phone(0, 17);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &far);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_AES_CM_128_HMAC_SHA1_80);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_is(EVENT_FLOW_JOINED, &a, 0);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_STOP_TRANSMISSION), 1);
	ck_assert_int_eq(key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE)).suite,
			 SUITE_NONE);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_NONE);
	ck_assert_int_eq(flow_at(&a)->out.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
	say_open(0, 17, 17);
	ck_assert_int_eq(flow_at(&a)->out.suite, SUITE_NONE);
	far_is(EVENT_FLOW_JOINED, &a, 2);
	ck_assert_int_eq(key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE)).suite,
			 SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_AES_CM_128_HMAC_SHA1_80);
}
END_TEST

START_TEST(without_srtp_a_phone_that_must_have_it_gets_no_channel)
{
	policy.media = MEDIA_SRTP_REQUIRE;
	policy.suite_count = 1; /* GCM: key info has no room for it */
	register_phone(0, 17);
	make(SCCP_OPEN_RECEIVE, 17, 140);
	set(SCCP_PARTY, 5);
	core_says(0);
	policy.suite_count = 2;
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	ck_assert_uint_eq(sccp_u32(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK),
				   SCCP_STATUS),
			  2);
}
END_TEST

START_TEST(a_failed_channel_says_nothing_of_addresses)
{
	register_phone(0, 17);
	make(SCCP_OPEN_RECEIVE, 17, 140);
	set(SCCP_PARTY, 5);
	core_says(0);
	make(SCCP_OPEN_RECEIVE_ACK, 17, 48);
	set(SCCP_STATUS, 1);
	set(SCCP_PARTY, 5);
	set_addr("192.168.1.20:16500");
	phone_says(0);
	ck_assert_uint_eq(
		addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK)).port, 0);
}
END_TEST

START_TEST(copies_for_a_recorder_are_streams_of_their_own)
{
	struct addr rec = addr_of("10.0.0.88:9000");
	struct addr a[3];

	register_phone(0, 20);
	open_channel(0, 20, 17);
	for (uint32_t i = 0; i < 3; i++) {
		start_sending(0, 20, 17 + i, &rec);
		a[i] = addr_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	}
	ck_assert_uint_eq(flow_count(), 6);
	ck_assert(a[0].port != a[1].port && a[1].port != a[2].port);
}
END_TEST

START_TEST(there_is_room_for_so_many_streams)
{
	register_phone(0, 20);
	for (uint32_t i = 0; i < 25; i++)
		open_channel(0, 20, 100 + i);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_OPEN_RECEIVE), 24);
	ck_assert_uint_eq(sccp_u32(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK),
				   SCCP_STATUS),
			  2);
}
END_TEST

START_TEST(the_relay_without_room_fails_the_channel)
{
	struct event ev = {.kind = EVENT_FLOW_FAILED};

	register_phone(0, 20);
	make(SCCP_OPEN_RECEIVE, 20, 140);
	set(SCCP_PARTY, 5);
	core_says(0);
	ev.flow.call = flows[0].call;
	ev.flow.flow = flows[0].id;
	step(&ev);
	ck_assert_uint_eq(flow_count(), 0);
	ck_assert_uint_eq(sccp_u32(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK),
				   SCCP_STATUS),
			  2);
	ck_assert_ptr_nonnull(last(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE));
}
END_TEST

START_TEST(a_port_that_is_asked_for_is_ours)
{
	struct addr a;

	register_phone(0, 20);
	make(SCCP_PORT_REQ, 20, 36);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	core_says(0);
	ck_assert_ptr_nonnull(last(0, SIDE_PHONE, SCCP_PORT_REQ));
	make(SCCP_PORT_RES, 20, 56);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	set_addr("192.168.1.20:16500");
	set(SCCP_RTCP_PORT, 16501);
	phone_says(0);
	a = addr_in(last(0, SIDE_CORE, SCCP_PORT_RES));
	ck_assert_uint_eq(flow_at(&a)->local.port, a.port);
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_CORE, SCCP_PORT_RES), SCCP_RTCP_PORT),
		a.port + 1u);
	make(SCCP_PORT_CLOSE, 20, 28);
	set(SCCP_PARTY, 5);
	core_says(0);
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

/* A media process that begins anew gets all flows again. */
START_TEST(all_flows_are_told_again)
{
	struct flow f[2];
	uint64_t pos = 0;
	uint32_t n = 0;

	register_phone(0, 17);
	register_phone(1, 17);
	call_between(17);
	open_channel(1, 17, 19);
	while (calls_flows(c, &pos, f)) {
		n++;
		for (int side = 0; side < 2; side++) {
			const struct flow *k = flow_find(f[side].id);

			ck_assert_ptr_nonnull(k);
			ck_assert(addr_eq(&k->local, &f[side].local));
			ck_assert(flow_key_eq(&k->in, &f[side].in));
			ck_assert(flow_key_eq(&k->out, &f[side].out));
		}
	}
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(flow_count(), 6);
}
END_TEST

/* A phone in a call that says it is another one: nothing of it stays in the
 * store, for nobody would ever take it out. */
START_TEST(a_phone_that_changes_its_name_leaves_nothing_saved)
{
	register_phone(0, 17);
	open_channel(0, 17, 17);
	ck_assert_uint_eq(saved_count, 1);
	say_register("SEP999999999999", 17);
	phone_says(0);
	ck_assert_uint_eq(saved_count, 0);
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

/* The same name again: its streams go on, and are saved. */
START_TEST(a_phone_that_registers_twice_keeps_its_streams)
{
	register_phone(0, 17);
	open_channel(0, 17, 17);
	say_register(name_of(0), 17);
	phone_says(0);
	ck_assert_uint_eq(saved_count, 1);
	ck_assert_uint_eq(flow_count(), 2);
}
END_TEST

/* Which suite that is does not matter, as long as this phone may use it. */
START_TEST(a_far_phone_may_send_under_another_suite)
{
	struct flow_key theirs = {.suite = SUITE_AES_CM_128_HMAC_SHA1_32,
				  .key = {9, 9, 9}};
	struct addr far = addr_of("10.0.0.1:45000");
	struct flow_key k;
	struct addr a;

	policy.suite[2] = SUITE_AES_CM_128_HMAC_SHA1_32;
	policy.suite_count = _i ? 3 : 2;
	register_phone(0, 17);
	policy.suite_count = 2;
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &far);
	k = key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	ck_assert_uint_eq(k.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_sends(&a, &theirs);
	say_open(0, 17, 17);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE),
			  (unsigned)_i);
	ck_assert_int_eq(flow_at(&a)->is_borrowed, _i);
	ck_assert_int_eq(flow_key_eq(&flow_at(&a)->out, &theirs), _i);
}
END_TEST

/* A SIP phone, or one of another worker, sends under a key of its own. */
START_TEST(the_key_of_a_far_phone_is_learned_by_opening_anew)
{
	struct flow_key theirs = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80,
				  .key = {9, 9, 9}};
	struct flow_key again = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80,
				 .key = {8, 8, 8}};
	struct addr far = addr_of("10.0.0.1:45000");
	struct flow_key own;
	struct flow_key k;
	struct addr a;

	register_phone(0, 17);
	open_channel(0, 17, 17);
	own = key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	start_sending(0, 17, 17, &far);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_sends(&a, &theirs);
	k = key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	ck_assert(flow_key_eq(&k, &theirs));
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	/* Nothing passes under a key that the phone does not have yet. */
	ck_assert(flow_key_eq(&flow_at(&a)->out, &own));
	ck_assert(!flow_at(&a)->is_borrowed);
	/* Told again it is the same. */
	far_sends(&a, &theirs);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	say_open(0, 17, 17);
	ck_assert(flow_key_eq(&flow_at(&a)->out, &theirs));
	ck_assert(flow_at(&a)->is_borrowed);
	/* The far phone takes another one. */
	far_sends(&a, &again);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 2);
	/* A phone that does not say yes: as if it had, after a second. */
	now_ms += 1001;
	step(&(struct event){.kind = EVENT_TIMER});
	ck_assert(flow_key_eq(&flow_at(&a)->out, &again));
	ck_assert(flow_at(&a)->is_borrowed);
	/* The far phone has gone: under its key nobody else is heard. */
	far_is(EVENT_FLOW_PARTED, &a, 0);
	ck_assert(flow_at(&a)->is_borrowed);
	now_ms += 401;
	step(&(struct event){.kind = EVENT_TIMER});
	say_open(0, 17, 17);
	say_open(0, 17, 17);
	ck_assert(!flow_at(&a)->is_borrowed);
	ck_assert(!flow_key_eq(&flow_at(&a)->out, &again));
	k = key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	ck_assert(flow_key_eq(&flow_at(&a)->out, &k));
}
END_TEST

/* Nobody can begin to hear that stream under its key, but who has it goes on. */
START_TEST(a_key_that_cannot_be_lent_is_not_learned)
{
	struct flow_key theirs = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80,
				  .key = {9, 9, 9}};
	struct addr far = addr_of("10.0.0.1:45000");
	struct event ev = {.kind = EVENT_FLOW_JOINED};
	struct addr a;

	register_phone(0, 17);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &far);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	ev.flow = (struct event_flow){.call = flow_at(&a)->call,
				      .flow = flow_at(&a)->id,
				      .security = 2,
				      .is_rolled = true,
				      .key = &theirs};
	step(&ev);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 0);
	ck_assert(!flow_at(&a)->is_borrowed);
	theirs.key[0] = 8;
	far_sends(&a, &theirs);
	say_open(0, 17, 17);
	ck_assert(flow_at(&a)->is_borrowed);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	step(&ev);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	ck_assert(flow_at(&a)->is_borrowed);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sccp_media");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc,
			    a_channel_gets_our_addresses_and_a_key_of_its_own,
			    0, ROWS(forms));
	tcase_add_test(tc, an_old_form_becomes_longer);
	tcase_add_test(tc, two_phones_have_one_key_set_for_each_direction);
	tcase_add_test(tc, a_key_that_was_used_is_not_lent_afterwards);
	tcase_add_test(tc, a_phone_falls_back_to_rtp_and_comes_back);
	tcase_add_test(tc, a_call_falls_back_in_its_middle);
	tcase_add_test(tc,
		       without_srtp_a_phone_that_must_have_it_gets_no_channel);
	tcase_add_test(tc, a_failed_channel_says_nothing_of_addresses);
	tcase_add_test(tc, copies_for_a_recorder_are_streams_of_their_own);
	tcase_add_test(tc, there_is_room_for_so_many_streams);
	tcase_add_test(tc, the_relay_without_room_fails_the_channel);
	tcase_add_test(tc, a_port_that_is_asked_for_is_ours);
	tcase_add_test(tc, all_flows_are_told_again);
	tcase_add_test(tc, a_phone_that_changes_its_name_leaves_nothing_saved);
	tcase_add_test(tc, a_phone_that_registers_twice_keeps_its_streams);
	tcase_add_loop_test(tc, a_far_phone_may_send_under_another_suite, 0, 2);
	tcase_add_test(tc, the_key_of_a_far_phone_is_learned_by_opening_anew);
	tcase_add_test(tc, a_key_that_cannot_be_lent_is_not_learned);
	return run_case("b2bua/sccp_media", tc);
}
