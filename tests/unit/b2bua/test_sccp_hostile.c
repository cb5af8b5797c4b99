/*
 * Every message that is known, and some that are not, from either side, in every
 * state of a phone, at many lengths and with nonsense in it. Nothing happens but
 * what the play checks by itself: a flow that is changed or removed exists,
 * every message that leaves is whole, and at the end no flow is left.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "unit/b2bua/sccp_play.h"
#include "lib/run.h"
#include "sccp/frame.h"

enum { HIGH_UNKNOWN = 0x7777, OTHER_PHONE = 2, STATES = 6 };

static const size_t lengths[] = {12, 16, 20, 24, 28, 44, 48, 64, 104, 144, 408};
static const uint32_t versions[] = {0, 11, 17, 22};

static uint32_t noise = 1;

static uint8_t next_byte(void)
{
	noise = noise * 1664525u + 1013904223u;
	return (uint8_t)(noise >> 24);
}

static void hold_music(void)
{
	make(SCCP_START_MC_RECEPTION, 17, 64);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	set_addr("239.1.1.1:4000");
	core_says(0);
	say_open(0, 17, 5);
}

/* Where phone 0 stands before it is attacked. */
static void be_in(int state)
{
	if (state >= 1) {
		say_register(name_of(0), 17);
		phone_says(0);
	}
	if (state >= 2)
		link_up(0);
	if (state >= 3)
		register_phone(0, 17);
	if (state >= 4) {
		register_phone(1, 17);
		call_info(0, 1);
		call_between(17);
	}
	if (state >= 5)
		hold_music();
	closed = 0;
}

/* The fields that name a stream or call are real ones, or nonsense. */
static void fill(bool is_real)
{
	for (size_t i = SCCP_HEAD_LEN; i < out.len; i++)
		out.buf[i] = next_byte();
	if (!is_real)
		return;
	set(SCCP_CONF, 900);
	set(SCCP_CALL, 900);
	set(SCCP_PARTY, next_byte() & 1 ? 17 : 5);
	set(SCCP_STATUS, next_byte() & 1);
	set(SCCP_PORT, 4000);
	set(SCCP_VERSION, next_byte() % 23);
}

/* out, in memory that is its own and gone afterwards: a reader beyond its end,
 * or one who keeps a view, is found by the sanitizer. */
static void attack(enum side side)
{
	uint8_t *own = malloc(out.len);
	struct sccp_msg m;
	struct sccp_pdu pdu;
	struct event ev = {.kind = EVENT_SCCP};

	ck_assert_ptr_nonnull(own);
	memcpy(own, out.buf, out.len);
	ck_assert_int_eq(
		sccp_frame(slice_make(own, out.len), SCCP_PDU_MAX, &pdu), 0);
	sccp_msg_parse(&pdu, &m);
	ev.sccp = (struct event_sccp){
		.msg = &m,
		.from = side == SIDE_PHONE ? phone_dest(0) : core_dest(0),
		.side = side,
		.device = slice_str(side == SIDE_PHONE ? name_of(0) : ""),
		.sig = SIG_ENCRYPTED,
		.policy = side == SIDE_PHONE ? &policy : NULL,
		.traits = traits,
		.manager_count = 2,
	};
	sent_count = 0;
	step(&ev);
	free(own);
}

/* Where SRTP is required nothing passes from or to outside without a key. */
static void nothing_is_plain(void)
{
	struct addr inside = addr_of("10.0.0.1:0");

	for (size_t i = 0; i < sizeof(flows) / sizeof(*flows); i++) {
		const struct flow *f = &flows[i];
		const struct flow_key *k =
			addr_ip_eq(&f->local, &inside) ? &f->out : &f->in;

		ck_assert(f->id == 0 || f->is_blocked ||
			  k->suite != SUITE_NONE);
	}
}

/* Somebody else's phone comes, and is given a channel under a key. */
static void others_are_served(void)
{
	sent_count = 0;
	links = OTHER_PHONE;
	register_phone(OTHER_PHONE, 17);
	open_channel(OTHER_PHONE, 17, 33);
	ck_assert_uint_eq(
		key_in(last(OTHER_PHONE, SIDE_PHONE, SCCP_OPEN_RECEIVE)).suite,
		SUITE_AES_CM_128_HMAC_SHA1_80);
}

static uint32_t id_at(size_t n)
{
	const struct sccp_row *row = sccp_row_at(n);

	return row ? row->id : HIGH_UNKNOWN;
}

static void begin_again(int state)
{
	enum media_policy media = policy.media;

	stop();
	start();
	policy.media = media;
	be_in(state);
}

static void attack_with(uint32_t id, enum side side, int state)
{
	size_t count = sizeof(lengths) / sizeof(*lengths);

	for (size_t i = 0; i < 2 * count; i++) {
		make(id, versions[next_byte() % 4], lengths[i / 2]);
		fill(i % 2);
		attack(side);
		if (policy.media == MEDIA_SRTP_REQUIRE)
			nothing_is_plain();
		now_ms += 300;
		step(&(struct event){.kind = EVENT_TIMER});
		if (closed == 0)
			continue;
		/* It was put out: the next one begins from the start. */
		begin_again(state);
	}
}

START_TEST(nonsense_harms_nobody_in_any_state)
{
	enum side side = _i % 2 ? SIDE_PHONE : SIDE_CORE;
	int state = _i / 2 % STATES;
	size_t n = 0;

	policy.media = _i / 2 < STATES ? MEDIA_SRTP_PREFER : MEDIA_SRTP_REQUIRE;
	be_in(state);
	do {
		attack_with(id_at(n), side, state);
	} while (sccp_row_at(n++));
	others_are_served();
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("hostile");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, nonsense_harms_nobody_in_any_state, 0,
			    4 * STATES);
	return run_case("b2bua/sccp_hostile", tc);
}
