/*
 * Registrations of Skinny phones, and who may say what.
 */
#include <check.h>

#include "base/alloc.h"
#include "b2bua/detail.h"
#include "lib/run.h"
#include "unit/b2bua/sccp_play.h"

/* ---- registration ----------------------------------------------------------- */

static const struct {
	uint32_t offered, inside, agreed;
} versions[] = {
	{3, 3, 3},    {5, 5, 5},    {8, 8, 8},	  {10, 10, 10}, {11, 11, 11},
	{15, 15, 15}, {17, 17, 17}, {20, 20, 20}, {22, 20, 20},
};

START_TEST(a_registration_passes_with_what_both_can_do)
{
	struct sccp_info info;
	struct sccp_msg *m;
	struct addr local = core_dest(0).local;
	uint32_t pos = 0;

	say_register(name_of(0), versions[_i].offered);
	phone_says(0);
	ck_assert_uint_eq(links, 1);
	ck_assert_uint_eq(sent_count, 0); /* nobody is there yet */
	link_up(0);
	m = last(0, SIDE_CORE, SCCP_REGISTER);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(sccp_u32(m, SCCP_VERSION), versions[_i].inside);
	ck_assert_mem_eq(m->bytes.ptr + 36, local.ip, 4);
	make(SCCP_REGISTER_ACK, 0, 32);
	set(SCCP_KEEPALIVE_S, 30);
	set(SCCP_VERSION, 22);
	core_says(0);
	m = last(0, SIDE_PHONE, SCCP_REGISTER_ACK);
	ck_assert_uint_eq(sccp_u32(m, SCCP_VERSION), versions[_i].offered);
	ck_assert(sccp_next(c, &pos, &info));
	ck_assert_str_eq(info.state, "registered");
	ck_assert(slice_eqs(info.device, name_of(0)));
	ck_assert(slice_eqs(info.manager, "cm1"));
	ck_assert_uint_eq(info.model, 115);
}
END_TEST

/* Versions 0 to 2 have no channels that could be encrypted. */
START_TEST(a_phone_too_old_to_encrypt_is_rejected_where_it_must)
{
	policy.media = _i < 3 ? MEDIA_SRTP_REQUIRE : MEDIA_SRTP_PREFER;
	say_register(name_of(0), _i < 3 ? (uint32_t)_i + 1 : 2);
	phone_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_REGISTER_REJECT),
			  _i < 2);
	ck_assert_uint_eq(closed, _i < 2);
}
END_TEST

START_TEST(a_wrong_name_is_rejected)
{
	say_register("SEP999999999999", 11);
	say_as(0, SIDE_PHONE, _i ? "" : name_of(0));
	ck_assert_ptr_nonnull(last(0, SIDE_PHONE, SCCP_REGISTER_REJECT));
	ck_assert_uint_eq(closed, 1);
	link_up(0); /* too late: that connection is closed too */
	ck_assert_uint_eq(closed, 2);
	ck_assert_ptr_null(last(0, SIDE_CORE, SCCP_REGISTER));
}
END_TEST

static const struct {
	uint32_t id;
	uint32_t closed;
} strangers[] = {
	{SCCP_KEEPALIVE, 0},
	{SCCP_ALARM, 0},
	{SCCP_IP_PORT, 0},
	{0x0006, 1},
	{0x0003, 1},
	{0x7777, 1},
	{SCCP_OPEN_RECEIVE, 1},
	{SCCP_REGISTER_ACK, 1},
	{SCCP_RESET, 1},
	{SCCP_PORT_RES, 1},
	{SCCP_OPEN_RECEIVE_ACK, 1},
};

START_TEST(before_registering_little_is_allowed)
{
	make(strangers[_i].id, 0, 48);
	phone_says(0);
	ck_assert_uint_eq(closed, strangers[_i].closed);
}
END_TEST

START_TEST(a_phone_that_speaks_as_call_manager_is_closed)
{
	register_phone(0, 11);
	make(SCCP_START_TRANSMISSION, 11, 120);
	phone_says(0);
	ck_assert_uint_eq(closed, 2);
	ck_assert_ptr_null(last(0, SIDE_CORE, SCCP_START_TRANSMISSION));
}
END_TEST

START_TEST(what_nobody_knows_passes_bit_for_bit)
{
	register_phone(0, 11);
	make(0x7123, 11, 333);
	for (size_t i = 12; i < 333; i++)
		out.buf[i] = (uint8_t)(i * 7);
	phone_says(0);
	ck_assert(slice_eq(last(0, SIDE_CORE, 0x7123)->bytes,
			   sccp_out_bytes(&out)));
	core_says(0);
	ck_assert(slice_eq(last(0, SIDE_PHONE, 0x7123)->bytes,
			   sccp_out_bytes(&out)));
}
END_TEST

START_TEST(the_next_call_manager_is_tried_then_the_phone_is_let_go)
{
	struct event ev = {.kind = EVENT_SCCP_LINK};

	make(SCCP_KEEPALIVE, 0, 12);
	phone_says(0);
	ck_assert_uint_eq(link_manager, 0);
	ev.link.id = link_id[0];
	step(&ev);
	ck_assert_uint_eq(links, 2);
	ck_assert_uint_eq(link_manager, 1);
	ck_assert_uint_eq(closed, 0);
	step(&ev);
	ck_assert_uint_eq(closed, 1);
}
END_TEST

START_TEST(a_standby_hears_keepalives_and_nothing_else_is_asked_of_it)
{
	for (int i = 0; i < 10; i++) {
		make(SCCP_KEEPALIVE, 0, 12);
		phone_says(0);
		if (i == 0)
			link_up(0);
		now_ms += 60000;
		step(&(struct event){.kind = EVENT_TIMER});
	}
	ck_assert_uint_eq(count_to(0, SIDE_CORE, SCCP_KEEPALIVE), 10);
	ck_assert_uint_eq(closed, 0);
}
END_TEST

START_TEST(a_phone_without_keepalives_is_closed)
{
	register_phone(0, 11);
	now_ms += 104999;
	step(&(struct event){.kind = EVENT_TIMER});
	ck_assert_uint_eq(closed, 0);
	ck_assert_uint_le(calls_deadline(c), now_ms + 1);
	now_ms += 1;
	step(&(struct event){.kind = EVENT_TIMER});
	ck_assert_uint_eq(closed, 2);
}
END_TEST

START_TEST(a_phone_that_comes_back_replaces_its_old_connection)
{
	uint32_t phones, registered;

	register_phone(0, 11);
	say_register(name_of(0), 11);
	say_as(1, SIDE_PHONE, name_of(0));
	ck_assert_uint_eq(closed, 2);
	(void)sccp_counts(c, &phones, &registered);
	ck_assert_uint_eq(phones, 1);
	ck_assert_uint_eq(registered, 0);
}
END_TEST

/* A connection that is none of the four phones' says something. */
static void another_says(void)
{
	struct dest d = phone_dest(0);
	struct sccp_pdu pdu;
	struct sccp_msg m;
	struct event ev = {.kind = EVENT_SCCP};

	d.ep.index = 99;
	ck_assert_int_eq(sccp_frame(sccp_out_bytes(&out), SCCP_PDU_MAX, &pdu),
			 0);
	sccp_msg_parse(&pdu, &m);
	ev.sccp = (struct event_sccp){.msg = &m, .from = d, .side = SIDE_PHONE};
	step(&ev);
}

START_TEST(there_is_room_for_so_many_phones)
{
	make(SCCP_KEEPALIVE, 0, 12);
	for (unsigned i = 0; i < PHONES; i++)
		phone_says(i);
	ck_assert_uint_eq(closed, 0);
	another_says();
	ck_assert_uint_eq(closed, 1);
}
END_TEST

/* How many SIP phones may be registered is another matter. */
START_TEST(room_follows_a_new_configuration)
{
	struct calls_update u = {.binding_limit = 1,
				 .call_limit = params.call_limit,
				 .txn_limit = 1,
				 .server_name = ""};

	u.sccp_phone_limit = 2;
	ck_assert_int_eq(calls_update(c, &u), 0);
	register_phone(0, 17);
	register_phone(1, 17);
	ck_assert_uint_eq(closed, 0);
	make(SCCP_KEEPALIVE, 0, 12);
	another_says();
	ck_assert_uint_eq(closed, 1);
	u.sccp_phone_limit = PHONES;
	ck_assert_int_eq(calls_update(c, &u), 0);
	register_phone(2, 17);
	register_phone(3, 17);
	ck_assert_uint_eq(closed, 1);
	make(SCCP_KEEPALIVE, 0, 12);
	another_says();
	ck_assert_uint_eq(closed, 2);
}
END_TEST

/* ---- what passes ------------------------------------------------------------------ */

START_TEST(rules_drop_messages_by_their_id)
{
	register_phone(0, 11);
	make(0x7200, 11, 16);
	phone_says(0);
	core_says(0);
	make(0x7201, 11, 16);
	phone_says(0);
	core_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, 0x7200), 1);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, 0x7200), 1);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, 0x7201), 0);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, 0x7201), 0);
}
END_TEST

START_TEST(rules_log_messages_and_hold_their_rate)
{
	register_phone(0, 11);
	register_phone(1, 11);
	make(0x7300, 11, 16);
	phone_says(0);
	core_says(0);
	ck_assert_uint_eq(records, 2);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, 0x7300), 1);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, 0x7300), 1);
	for (uint32_t i = 0; i < 6; i++) {
		make(0x7301 + i % 2, 11, 16);
		phone_says(0);
	}
	/* A rate is each phone's own. */
	phone_says(1);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, 0x7301), 2);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, 0x7302), 1);
	ck_assert_uint_eq(count_to(1, SIDE_CORE, 0x7302), 1);
	now_ms += 1000;
	phone_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, 0x7302), 2);
	ck_assert_uint_eq(closed, 0);
}
END_TEST

START_TEST(a_phone_begins_so_many_calls_a_minute)
{
	enum { OFF_HOOK = 0x0006 };

	register_phone(0, 11);
	for (int i = 0; i < 5; i++) {
		make(OFF_HOOK, 11, 20);
		phone_says(0);
	}
	ck_assert_uint_eq(count_to(0, SIDE_CORE, OFF_HOOK), 2);
	now_ms += 31000;
	phone_says(0);
	phone_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, OFF_HOOK), 3);
	ck_assert_uint_eq(closed, 0);
}
END_TEST

START_TEST(a_phone_has_so_many_calls_at_once)
{
	enum { OFF_HOOK = 0x0006 };

	policy.call_limit = 1;
	register_phone(0, 11);
	policy.call_limit = 0;
	make(SCCP_CALL_STATE, 11, 36);
	set(SCCP_STATE, 5);
	set(SCCP_CALL, 900);
	core_says(0);
	make(OFF_HOOK, 11, 20);
	phone_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, OFF_HOOK), 0);
	make(SCCP_CALL_STATE, 11, 36);
	set(SCCP_STATE, 2);
	set(SCCP_CALL, 900);
	core_says(0);
	make(OFF_HOOK, 11, 20);
	phone_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, OFF_HOOK), 1);
}
END_TEST

START_TEST(stack_garbage_stays_inside)
{
	enum { TEXT = 0x0099 };
	const struct sccp_msg *m;

	register_phone(0, 11);
	make(TEXT, 11, 44);
	memcpy(out.buf + 12, "Hello\0secret of the stack", 25);
	core_says(0);
	m = last(0, SIDE_PHONE, TEXT);
	ck_assert_str_eq((const char *)m->bytes.ptr + 12, "Hello");
	for (size_t i = 17; i < m->bytes.len; i++)
		ck_assert_uint_eq(m->bytes.ptr[i], 0);
}
END_TEST

START_TEST(what_is_between_bridges_passes_nowhere)
{
	enum { ADD_PARTICIPANT = 0x013A };

	register_phone(0, 11);
	make(ADD_PARTICIPANT, 11, 120);
	phone_says(0);
	core_says(0);
	ck_assert_ptr_null(last(0, SIDE_CORE, ADD_PARTICIPANT));
	ck_assert_ptr_null(last(0, SIDE_PHONE, ADD_PARTICIPANT));
	ck_assert_uint_eq(closed, 0);
}
END_TEST

/* Three codecs, the second of them wideband. */
START_TEST(a_model_that_loses_wideband_does_not_offer_it)
{
	enum { CAPABILITIES = 0x0010, LEN = 304 };
	const struct sccp_msg *m;

	traits.loses_wideband = _i != 0;
	register_phone(0, 11);
	make(CAPABILITIES, 11, LEN);
	out.buf[12] = 3;
	out.buf[16] = 4;
	out.buf[32] = 25;
	out.buf[48] = 11;
	phone_says(0);
	m = last(0, SIDE_CORE, CAPABILITIES);
	ck_assert_uint_eq(m->bytes.len, LEN);
	ck_assert_uint_eq(m->bytes.ptr[12], _i ? 2 : 3);
	ck_assert_uint_eq(m->bytes.ptr[16], 4);
	ck_assert_uint_eq(m->bytes.ptr[32], _i ? 11 : 25);
	ck_assert_uint_eq(m->bytes.ptr[48], _i ? 0 : 11);
}
END_TEST

/* ---- operators ---------------------------------------------------------------- */

START_TEST(an_operator_resets_a_phone)
{
	struct actions got = {.count = 0};

	ck_assert_int_eq(sccp_reset(c, slice_str(name_of(0)), 2, now_ms, &got),
			 ERR_NOTFOUND);
	register_phone(0, 17);
	ck_assert_int_eq(sccp_reset(c, slice_str(name_of(0)), 2, now_ms, &got),
			 0);
	ck_assert_uint_eq(got.count, 1);
	take_one(&got.item[0]);
	actions_done(&got);
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_PHONE, SCCP_RESET), SCCP_RESET_TYPE), 2);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sccp");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, a_registration_passes_with_what_both_can_do, 0,
			    ROWS(versions));
	tcase_add_loop_test(
		tc, a_phone_too_old_to_encrypt_is_rejected_where_it_must, 0, 4);
	tcase_add_loop_test(tc, a_wrong_name_is_rejected, 0, 2);
	tcase_add_loop_test(tc, before_registering_little_is_allowed, 0,
			    ROWS(strangers));
	tcase_add_test(tc, a_phone_that_speaks_as_call_manager_is_closed);
	tcase_add_test(tc, what_nobody_knows_passes_bit_for_bit);
	tcase_add_test(tc,
		       the_next_call_manager_is_tried_then_the_phone_is_let_go);
	tcase_add_test(
		tc, a_standby_hears_keepalives_and_nothing_else_is_asked_of_it);
	tcase_add_test(tc, a_phone_without_keepalives_is_closed);
	tcase_add_test(tc, a_phone_that_comes_back_replaces_its_old_connection);
	tcase_add_test(tc, there_is_room_for_so_many_phones);
	tcase_add_test(tc, room_follows_a_new_configuration);
	tcase_add_test(tc, rules_drop_messages_by_their_id);
	tcase_add_test(tc, rules_log_messages_and_hold_their_rate);
	tcase_add_test(tc, a_phone_begins_so_many_calls_a_minute);
	tcase_add_test(tc, a_phone_has_so_many_calls_at_once);
	tcase_add_test(tc, stack_garbage_stays_inside);
	tcase_add_test(tc, what_is_between_bridges_passes_nowhere);
	tcase_add_loop_test(tc, a_model_that_loses_wideband_does_not_offer_it,
			    0, 2);
	tcase_add_test(tc, an_operator_resets_a_phone);
	return run_case("b2bua/sccp", tc);
}
