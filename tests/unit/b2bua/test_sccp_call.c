/*
 * Calls of Skinny phones: what is shown, who may barge in, what is heard beside it.
 */
#include <check.h>

#include "base/alloc.h"
#include "b2bua/detail.h"
#include "lib/run.h"
#include "unit/b2bua/sccp_play.h"

/* ---- what phones show ---------------------------------------------------------- */

START_TEST(the_lock_is_there_while_it_is_true)
{
	struct call_info info;
	struct addr a;
	uint32_t pos = 0;

	register_phone(0, 17);
	register_phone(1, 17);
	call_info(0, 0);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_UNKNOWN);
	call_info(0, 3); /* nobody inside can know that */
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
	call_between(17);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_is(EVENT_FLOW_JOINED, &a, 2);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_ENCRYPTED);
	ck_assert(calls_next(c, &pos, &info));
	ck_assert(slice_eqs(info.caller, "1001"));
	ck_assert(slice_eqs(info.callee, "1002"));
	ck_assert_int_eq(info.security, CALL_ENCRYPTED);
	ck_assert(info.is_end_to_end);
	far_is(EVENT_FLOW_JOINED, &a, 1);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_AUTHENTICATED);
	far_is(EVENT_FLOW_PARTED, &a, 0);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
	call_info(0, 1);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
}
END_TEST

/* What sallyportctl call shows of it. */
START_TEST(all_of_a_call_is_told)
{
	char text[HISTORY_STR_MAX];
	struct call_detail d;
	struct call_info info;
	struct addr a;
	uint32_t pos = 0;

	register_phone(0, 17);
	register_phone(1, 17);
	call_info(0, 1);
	call_between(17);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_is(EVENT_FLOW_JOINED, &a, CALL_ENCRYPTED);
	ck_assert(calls_next(c, &pos, &info));
	ck_assert(calls_detail(c, info.id, &d));
	ck_assert(d.is_skinny);
	ck_assert_uint_eq(d.reference, 900);
	ck_assert(d.is_shown);
	ck_assert_int_eq(d.shown, CALL_ENCRYPTED);
	for (int side = 0; side < 2; side++) {
		struct dest at =
			side == SIDE_PHONE ? phone_dest(0) : core_dest(0);

		ck_assert(addr_eq(&d.leg[side].dest.peer, &at.peer));
	}
	ck_assert_uint_eq(d.stream_count, 1);
	ck_assert(addr_eq(&d.stream[0].local[SIDE_CORE], &a));
	ck_assert_int_eq(d.stream[0].suite[SIDE_PHONE],
			 SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert(d.stream[0].is_audio);
	ck_assert_uint_eq(d.history_count, 5);
	ck_assert_str_eq(history_str(&d.history[0], text),
			 "phone is shown NotAuthenticated");
	ck_assert_str_eq(history_str(&d.history[1], text),
			 "OpenReceiveChannel from call manager");
	ck_assert_str_eq(history_str(&d.history[2], text),
			 "OpenReceiveChannelAck from phone");
	ck_assert_str_eq(history_str(&d.history[3], text),
			 "StartMediaTransmission from call manager");
	ck_assert_str_eq(history_str(&d.history[4], text),
			 "phone is shown Encrypted");
	ck_assert(!calls_detail(c, info.id + 77777, &d));
}
END_TEST

/* ---- barge ------------------------------------------------------------------------ */

/* Somebody barges in: a second channel in the same call. */
START_TEST(a_model_that_cannot_mix_keys_refuses_barge)
{
	traits.refuses_barge = true;
	register_phone(0, 11);
	open_channel(0, 11, 17);
	open_channel(0, 11, 18);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_OPEN_RECEIVE), 1);
	ck_assert_uint_eq(sccp_u32(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK),
				   SCCP_STATUS),
			  2);
	end_stream(0, SCCP_CLOSE_RECEIVE, 17);
	open_channel(0, 11, 18);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_OPEN_RECEIVE), 2);
}
END_TEST

/* Phone 0 is in a call with phone 1 and lets phone 2 in, as party 27; phone 2
 * has party 37. */
static void barge_in(void)
{
	struct addr a, b;

	open_channel(0, 17, 27);
	open_channel(2, 17, 37);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	b = addr_in(last(2, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	start_sending(2, 17, 37, &a);
	start_sending(0, 17, 27, &b);
}

static const struct {
	bool encrypts; /* who comes in */
	bool is_encrypted;
} barges[] = {{true, true}, {false, true}, {true, false}, {false, false}};

enum { START_TONE = 0x0082 };

/* The guide: an encrypted call takes only who encrypts, and the other hears a
 * busy tone; every other call takes anybody. */
START_TEST(who_does_not_encrypt_is_kept_out_of_an_encrypted_call)
{
	bool may = barges[_i].encrypts || !barges[_i].is_encrypted;
	struct addr a, b;
	const struct sccp_msg *tone;

	traits.encrypts = barges[_i].is_encrypted;
	register_phone(0, 17);
	register_phone(1, 17);
	traits.encrypts = barges[_i].encrypts;
	register_phone(2, 17);
	call_between(17);
	make(SCCP_CALL_STATE, 17, 36);
	set(SCCP_STATE, 5);
	set(SCCP_LINE, 3);
	set(SCCP_CALL, 900);
	core_says(2);
	barge_in();
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	b = addr_in(last(2, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	ck_assert_int_eq(flow_at(&a)->is_blocked, !may);
	ck_assert_int_eq(flow_at(&b)->is_blocked, !may);
	ck_assert_uint_eq(count_to(2, SIDE_PHONE, SCCP_START_TRANSMISSION),
			  may);
	ck_assert_uint_eq(
		sccp_counts(c, &(uint32_t){0}, &(uint32_t){0})->barges,
		may ? 0 : 2);
	tone = last(2, SIDE_PHONE, START_TONE);
	ck_assert_int_eq(tone == NULL, may);
	if (!tone)
		return;
	/* Tone, direction, line, call. */
	ck_assert_uint_eq(tone->bytes.len, 28);
	ck_assert_mem_eq(tone->bytes.ptr + 12,
			 "\x23\0\0\0\0\0\0\0\3\0\0\0\x84\3\0\0", 16);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, START_TONE), 0);
}
END_TEST

/* Another worker's phone: the media process tells that it is in the clear. */
START_TEST(a_far_phone_that_does_not_encrypt_is_kept_out)
{
	struct addr far = addr_of("10.0.0.1:45000");
	struct addr a;

	register_phone(0, 17);
	register_phone(1, 17);
	call_between(17);
	open_channel(0, 17, 27);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	start_sending(0, 17, 27, &far);
	ck_assert(!flow_at(&a)->is_blocked);
	far_is(EVENT_FLOW_JOINED, &a, CALL_ENCRYPTED);
	ck_assert(!flow_at(&a)->is_blocked);
	far_is(EVENT_FLOW_JOINED, &a, CALL_NONSECURE);
	ck_assert(flow_at(&a)->is_blocked);
}
END_TEST

/* Whoever comes in is heard by all: what the third party is told of the phone
 * that mixes is the least of the two, but for a shield, which stays. */
START_TEST(a_barge_is_told_to_the_far_end)
{
	struct addr main_addr, barge_addr;

	traits.encrypts = _i == 0;
	register_phone(0, 17);
	register_phone(1, 17);
	register_phone(2, 17);
	call_between(17);
	main_addr = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	ck_assert_uint_eq(flow_at(&main_addr)->security,
			  _i == 0 ? CALL_ENCRYPTED : CALL_AUTHENTICATED);
	barge_in();
	barge_addr = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_is(EVENT_FLOW_JOINED, &barge_addr,
	       _i == 0 ? CALL_AUTHENTICATED : CALL_NONSECURE);
	ck_assert_uint_eq(flow_at(&main_addr)->security, CALL_AUTHENTICATED);
	end_stream(0, SCCP_STOP_TRANSMISSION, 27);
	end_stream(0, SCCP_CLOSE_RECEIVE, 27);
	ck_assert_uint_eq(flow_at(&main_addr)->security,
			  _i == 0 ? CALL_ENCRYPTED : CALL_AUTHENTICATED);
}
END_TEST

/* cBarge: the call moves to the call manager's bridge, which is in the clear
 * inside. */
START_TEST(a_cbarge_takes_the_lock_away)
{
	struct addr bridge = addr_of("10.0.0.88:9000");
	struct addr a;

	register_phone(0, 17);
	register_phone(1, 17);
	call_info(0, 1);
	call_between(17);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_is(EVENT_FLOW_JOINED, &a, CALL_ENCRYPTED);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_ENCRYPTED);
	end_stream(0, SCCP_STOP_TRANSMISSION, 17);
	start_sending(0, 17, 17, &bridge);
	far_is(EVENT_FLOW_PARTED, &a, 0);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
}
END_TEST

/* ---- multicast and video ------------------------------------------------------ */

START_TEST(multicast_is_refused_for_the_phone)
{
	policy.multicast = MULTICAST_NO;
	register_phone(0, 20);
	policy.multicast = MULTICAST_RELAY;
	make(SCCP_START_MC_RECEPTION, 20, 64);
	set(SCCP_PARTY, 5);
	set_addr("239.1.1.1:4000");
	core_says(0);
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_START_MC_RECEPTION));
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK),
			 SCCP_STATUS),
		1);
}
END_TEST

/* A policy that lets it pass: in the clear, and shown so. */
START_TEST(multicast_passes_where_the_policy_says_so)
{
	struct addr group = addr_of("239.1.1.1:4000");

	policy.multicast = MULTICAST_CLEAR;
	policy.media = _i ? MEDIA_SRTP_REQUIRE : MEDIA_SRTP_PREFER;
	register_phone(0, 20);
	policy.multicast = MULTICAST_RELAY;
	call_info(0, 1);
	make(SCCP_START_MC_RECEPTION, 20, 64);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	set_addr("239.1.1.1:4000");
	core_says(0);
	if (_i) {
		ck_assert_ptr_null(
			last(0, SIDE_PHONE, SCCP_START_MC_RECEPTION));
		return;
	}
	ck_assert_uint_eq(
		addr_in(last(0, SIDE_PHONE, SCCP_START_MC_RECEPTION)).port,
		group.port);
	make(SCCP_MULTICAST_RECEPTION_ACK, 20, 24);
	set(SCCP_PARTY, 5);
	phone_says(0);
	ck_assert_ptr_nonnull(last(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK));
	open_channel(0, 20, 17);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
	ck_assert_uint_eq(flow_count(), 2);
	make(SCCP_STOP_MC_RECEPTION, 20, 24);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	core_says(0);
	ck_assert_ptr_nonnull(last(0, SIDE_PHONE, SCCP_STOP_MC_RECEPTION));
	/* Of one that it was not told of the phone is told no end, nor the
	 * call manager an answer. */
	core_says(0);
	make(SCCP_MULTICAST_RECEPTION_ACK, 20, 24);
	set(SCCP_PARTY, 5);
	phone_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_STOP_MC_RECEPTION), 1);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK),
			  1);
}
END_TEST

START_TEST(there_is_room_for_so_many_groups)
{
	policy.multicast = MULTICAST_CLEAR;
	register_phone(0, 20);
	policy.multicast = MULTICAST_RELAY;
	for (uint32_t i = 0; i < 5; i++) {
		make(SCCP_START_MC_RECEPTION, 20, 64);
		set(SCCP_PARTY, 5 + i);
		set_addr("239.1.1.1:4000");
		core_says(0);
	}
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_START_MC_RECEPTION), 4);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK),
			  1);
}
END_TEST

/* The call manager says that phone 0 hears (or stops, or sends to) a group. */
static void group_message(uint32_t id, uint32_t version, const char *group)
{
	bool is_long = version >= SCCP_VERSION_LONG;
	size_t len = id == SCCP_START_MC_RECEPTION ? 48 : 56;

	make(id, version, group ? len + (is_long ? 16 : 0) : 24);
	set(SCCP_CONF, 900);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	if (group) {
		set(SCCP_CODEC, 4);
		set(SCCP_PACKET_MS, 20);
		set_addr(group);
	}
	core_says(0);
}

/* The flow that hears a group, or NULL. */
static struct flow *group_flow(void)
{
	for (size_t i = 0; i < sizeof(flows) / sizeof(*flows); i++)
		if (flows[i].id && flows[i].group.family != ADDR_NONE)
			return &flows[i];
	return NULL;
}

/* The same, which exists; and its other direction. */
static struct flow *the_group(void)
{
	static struct flow none;
	struct flow *f = group_flow();

	ck_assert_ptr_nonnull(f);
	return f ? f : &none;
}

static struct flow *other_way(const struct flow *of)
{
	static struct flow none;
	struct flow *f = flow_find(of->peer_id);

	ck_assert_ptr_nonnull(f);
	return f ? f : &none;
}

static const uint32_t group_versions[] = {5, 11, 17, 20};

START_TEST(a_group_is_relayed_to_the_phone_under_a_key)
{
	struct addr group = addr_of("239.1.1.1:4000");
	uint32_t v = group_versions[_i];
	struct flow_key key;
	struct sccp_msg *m;

	register_phone(0, v);
	call_info(0, 1);
	group_message(SCCP_START_MC_RECEPTION, v, "239.1.1.1:4000");
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_START_MC_RECEPTION));
	m = last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE);
	key = key_in(m);
	ck_assert_uint_eq(key.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert_uint_eq(sccp_u32(m, SCCP_PARTY), 5);
	ck_assert_uint_eq(sccp_u32(m, SCCP_CODEC), 4);
	ck_assert_uint_eq(sccp_u32(m, SCCP_PACKET_MS), 20);
	ck_assert_ptr_nonnull(group_flow());
	ck_assert(addr_eq(&the_group()->group, &group));
	ck_assert(flow_key_eq(&the_group()->out, &key));
	/* Nothing is sent where it has not yet said that it listens. */
	ck_assert(the_group()->is_blocked);
	ck_assert_ptr_null(last(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK));
	say_open(0, v, 5);
	ck_assert(!the_group()->is_blocked);
	ck_assert(other_way(the_group())->is_blocked);
	ck_assert_uint_eq(other_way(the_group())->remote.port, 16500);
	m = last(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(sccp_u32(m, SCCP_STATUS), 0);
	ck_assert_uint_eq(sccp_u32(m, SCCP_PARTY), 5);
	ck_assert_uint_eq(sccp_u32(m, SCCP_CALL), 900);
	ck_assert_ptr_null(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	/* Music from inside is not encrypted from end to end. */
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
	group_message(SCCP_STOP_MC_RECEPTION, v, NULL);
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), SCCP_PARTY),
		5);
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_STOP_MC_RECEPTION));
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

START_TEST(a_phone_that_will_not_hear_a_group_hears_none)
{
	register_phone(0, 20);
	group_message(SCCP_START_MC_RECEPTION, 20, "239.1.1.1:4000");
	make(SCCP_OPEN_RECEIVE_ACK, 20, 48);
	set(SCCP_STATUS, 3);
	set(SCCP_PARTY, 5);
	phone_says(0);
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK),
			 SCCP_STATUS),
		3);
	ck_assert_uint_eq(flow_count(), 0);
	group_message(SCCP_STOP_MC_RECEPTION, 20, NULL);
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE));
}
END_TEST

START_TEST(a_relay_without_room_for_a_group_says_so)
{
	struct event ev = {.kind = EVENT_FLOW_FAILED};

	register_phone(0, 20);
	group_message(SCCP_START_MC_RECEPTION, 20, "239.1.1.1:4000");
	ev.flow.call = the_group()->call;
	ev.flow.flow = the_group()->id;
	step(&ev);
	ck_assert_uint_ne(
		sccp_u32(last(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK),
			 SCCP_STATUS),
		0);
	ck_assert_ptr_nonnull(last(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE));
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

/* No group, no port, no room for RTCP, a family that the inside does not have. */
static const char *const no_groups[] = {"10.1.1.1:4000", "239.1.1.1:0",
					"239.1.1.1:65535", "[ff15::1]:4000"};

START_TEST(what_is_no_group_is_not_relayed)
{
	register_phone(0, 20);
	group_message(SCCP_START_MC_RECEPTION, 20, no_groups[_i]);
	group_message(SCCP_START_MC_TRANSMISSION, 20, no_groups[_i]);
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK),
			 SCCP_STATUS),
		1);
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

START_TEST(a_phone_sends_to_a_group_under_a_key)
{
	struct addr group = addr_of("239.1.1.1:4000");
	struct flow_key key;
	struct flow *f = &flows[0];

	policy.falls_back = true; /* of which a group knows nothing */
	register_phone(0, 20);
	group_message(SCCP_START_MC_TRANSMISSION, 20, "239.1.1.1:4000");
	key = key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	ck_assert_uint_eq(key.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
	for (size_t i = 0; i < sizeof(flows) / sizeof(*flows); i++)
		if (flows[i].id && addr_eq(&flows[i].remote, &group))
			f = &flows[i];
	ck_assert(addr_eq(&f->remote, &group));
	ck_assert(f->is_blocked);
	ck_assert(flow_key_eq(&other_way(f)->in, &key));
	ck_assert(!other_way(f)->is_blocked);
	make(SCCP_START_TRANSMISSION_ACK, 20, 52);
	set(SCCP_PARTY, 5);
	phone_says(0);
	ck_assert_ptr_null(last(0, SIDE_CORE, SCCP_START_TRANSMISSION_ACK));
	group_message(SCCP_STOP_MC_TRANSMISSION, 20, NULL);
	ck_assert_ptr_nonnull(last(0, SIDE_PHONE, SCCP_STOP_TRANSMISSION));
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

/* One number, one channel: the call manager's own come first. */
START_TEST(a_group_and_a_channel_do_not_share_a_number)
{
	register_phone(0, 20);
	open_channel(0, 20, 5);
	group_message(SCCP_START_MC_RECEPTION, 20, "239.1.1.1:4000");
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK),
			 SCCP_STATUS),
		1);
	end_stream(0, SCCP_CLOSE_RECEIVE, 5);
	group_message(SCCP_START_MC_RECEPTION, 20, "239.1.1.1:4000");
	ck_assert_ptr_nonnull(group_flow());
	open_channel(0, 20, 5);
	ck_assert_ptr_null(group_flow());
	ck_assert_uint_eq(flow_count(), 2);
	/* Another group takes the place of the first one. */
	end_stream(0, SCCP_CLOSE_RECEIVE, 5);
	group_message(SCCP_START_MC_RECEPTION, 20, "239.1.1.1:4000");
	group_message(SCCP_START_MC_RECEPTION, 20, "239.1.1.2:4000");
	ck_assert_uint_eq(the_group()->group.ip[3], 2);
	ck_assert_uint_eq(flow_count(), 2);
}
END_TEST

START_TEST(a_phone_that_must_encrypt_and_cannot_hears_no_group)
{
	traits.encrypts = false;
	policy.media = MEDIA_SRTP_REQUIRE;
	register_phone(0, 20);
	group_message(SCCP_START_MC_RECEPTION, 20, "239.1.1.1:4000");
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

/* The process dies while music plays: a successor knows the flow and its group,
 * and ends it when the phone comes back. */
START_TEST(a_group_outlives_the_process)
{
	register_phone(0, 20);
	group_message(SCCP_START_MC_RECEPTION, 20, "239.1.1.1:4000");
	say_open(0, 20, 5);
	(void)restart();
	ck_assert_ptr_nonnull(group_flow());
	register_phone(0, 20);
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

START_TEST(video_is_encrypted_or_refused_by_policy)
{
	policy.other_media = _i ? OTHER_MEDIA_REJECT : OTHER_MEDIA_ENCRYPT;
	register_phone(0, 17);
	policy.other_media = OTHER_MEDIA_ENCRYPT;
	make(SCCP_OPEN_MM_RECEIVE, 17, 204);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	core_says(0);
	if (_i) {
		ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_OPEN_MM_RECEIVE));
		ck_assert_uint_eq(
			sccp_u32(last(0, SIDE_CORE, SCCP_OPEN_MM_RECEIVE_ACK),
				 SCCP_STATUS),
			2);
		return;
	}
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_OPEN_MM_RECEIVE)).suite,
		SUITE_AES_CM_128_HMAC_SHA1_80);
	make(SCCP_OPEN_MM_RECEIVE_ACK, 17, 48);
	set(SCCP_PARTY, 5);
	set_addr("192.168.1.20:16600");
	phone_says(0);
	ck_assert(addr_ip_eq(
		&(struct addr){.family = ADDR_V4, .ip = {10, 0, 0, 1}},
		&flow_at(&(struct addr){
				 .family = ADDR_V4,
				 .ip = {10, 0, 0, 1},
				 .port = addr_in(last(0, SIDE_CORE,
						      SCCP_OPEN_MM_RECEIVE_ACK))
						 .port})
			 ->local));
	make(SCCP_START_MM_TRANSMISSION, 17, 196);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	set_addr("10.0.0.77:7002");
	core_says(0);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_MM_TRANSMISSION)).suite,
		SUITE_AES_CM_128_HMAC_SHA1_80);
}
END_TEST

/* _i calls of the phone (shared lines) are known before the one that is looked at. */
START_TEST(the_lock_goes_in_a_call_that_found_no_place)
{
	struct addr a;

	register_phone(0, 17);
	register_phone(1, 17);
	for (uint32_t ref = 1; ref <= (uint32_t)_i; ref++) {
		make(SCCP_CALL_INFO_V2, 17, 88);
		set(SCCP_LINE, 1);
		set(SCCP_CALL, ref);
		set(SCCP_CALL_TYPE, 2);
		set(SCCP_SECURITY, 1);
		core_says(0);
	}
	call_between(17);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_is(EVENT_FLOW_JOINED, &a, 2);
	call_info(0, 1);
	ck_assert_msg(shown(0) == SCCP_SECURITY_ENCRYPTED || _i >= 16, "%u",
		      shown(0));
	far_is(EVENT_FLOW_PARTED, &a, 0);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sccp_call");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, the_lock_is_there_while_it_is_true);
	tcase_add_test(tc, all_of_a_call_is_told);
	tcase_add_test(tc, a_model_that_cannot_mix_keys_refuses_barge);
	tcase_add_loop_test(
		tc, who_does_not_encrypt_is_kept_out_of_an_encrypted_call, 0,
		ROWS(barges));
	tcase_add_test(tc, a_far_phone_that_does_not_encrypt_is_kept_out);
	tcase_add_loop_test(tc, a_barge_is_told_to_the_far_end, 0, 2);
	tcase_add_test(tc, a_cbarge_takes_the_lock_away);
	tcase_add_test(tc, multicast_is_refused_for_the_phone);
	tcase_add_loop_test(tc, a_group_is_relayed_to_the_phone_under_a_key, 0,
			    4);
	tcase_add_test(tc, a_phone_that_will_not_hear_a_group_hears_none);
	tcase_add_test(tc, a_relay_without_room_for_a_group_says_so);
	tcase_add_loop_test(tc, what_is_no_group_is_not_relayed, 0, 4);
	tcase_add_test(tc, a_phone_sends_to_a_group_under_a_key);
	tcase_add_test(tc, a_group_and_a_channel_do_not_share_a_number);
	tcase_add_test(tc, a_phone_that_must_encrypt_and_cannot_hears_no_group);
	tcase_add_test(tc, a_group_outlives_the_process);
	tcase_add_loop_test(tc, multicast_passes_where_the_policy_says_so, 0,
			    2);
	tcase_add_test(tc, there_is_room_for_so_many_groups);
	tcase_add_loop_test(tc, video_is_encrypted_or_refused_by_policy, 0, 2);
	tcase_add_loop_test(tc, the_lock_goes_in_a_call_that_found_no_place, 2,
			    3);
	tcase_add_loop_test(tc, the_lock_goes_in_a_call_that_found_no_place, 16,
			    17);
	return run_case("b2bua/sccp_call", tc);
}
