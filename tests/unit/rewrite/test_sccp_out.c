/* Messages as the other side sees them. */
#include <check.h>
#include <stdlib.h>

#include "base/writer.h"
#include "lib/run.h"
#include "rewrite/sccp_out.h"
#include "sccp/key.h"
#include "unit/sccp/vectors.h"

static const uint32_t versions[] = {0, 10, 11, 15, 16, 17, 18, 19, 20, 21, 22};
static uint8_t buf[SCCP_PDU_MAX];
static struct sccp_out out;

static struct flow_key some_key(void)
{
	struct flow_key k = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80};

	memset(k.key, 0x77, 16);
	memset(k.salt, 0x55, 14);
	return k;
}

static struct addr some_addr(void)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(slice_str("192.0.2.1:16390"), 0, &a), 0);
	return a;
}

static void check_key_is(const struct flow_key *want)
{
	struct flow_key k;

	ck_assert_int_eq(sccp_key_parse(slice_sub(sccp_out_bytes(&out),
						  out.msg.at[SCCP_KEY],
						  sccp_key_len(&out.msg)),
					&k),
			 0);
	ck_assert(flow_key_eq(&k, want));
}

static uint32_t length_of(const struct sccp_out *o)
{
	return (uint32_t)o->buf[0] | (uint32_t)o->buf[1] << 8;
}

static const char *const starts[] = {vector_start_short, vector_start_long};

START_TEST(only_what_is_set_changes)
{
	struct flow_key k = some_key();
	struct addr a = some_addr(), got;
	struct sccp_msg m;
	uint8_t was[200];
	size_t changed = 0;

	vector_msg(starts[_i], buf, sizeof(buf), &m);
	memcpy(was, m.bytes.ptr, m.bytes.len);
	sccp_out_copy(&out, &m);
	ck_assert(slice_eq(sccp_out_bytes(&out), m.bytes));
	ck_assert_int_eq(sccp_out_addr(&out, SCCP_ADDR, SCCP_PORT, &a), 0);
	ck_assert_int_eq(sccp_out_key(&out, &k), 0);
	ck_assert_uint_eq(out.len, m.bytes.len);
	ck_assert_int_eq(sccp_addr(&out.msg, SCCP_ADDR, SCCP_PORT, &got), 0);
	ck_assert(addr_eq(&a, &got));
	check_key_is(&k);
	for (size_t i = 0; i < out.len; i++)
		changed += out.buf[i] != was[i];
	/* 4 of the address, 2 of the port, 16 + 14 of the key, its number. */
	ck_assert_uint_le(changed, 4 + 2 + 30 + 1);
	k.suite = SUITE_NONE;
	ck_assert_int_eq(sccp_out_key(&out, &k), 0);
	for (size_t i = 0; i < SCCP_KEY_FULL; i++)
		ck_assert_uint_eq(out.buf[out.msg.at[SCCP_KEY] + i], 0);
}
END_TEST

static const struct {
	uint32_t id, version;
	size_t len, grown; /* whole messages */
} shorts[] = {
	/* CallManager 3.x knows no key info: the form of 4.x has it. */
	{SCCP_OPEN_RECEIVE, 0, 36, 80},
	{SCCP_OPEN_RECEIVE, 0, 40, 80},
	{SCCP_OPEN_RECEIVE, 0, 79, 80},
	{SCCP_OPEN_RECEIVE, 0, 80, 80},
	{SCCP_OPEN_RECEIVE, 11, 40, 80},
	{SCCP_OPEN_RECEIVE, 0, 104, 104},
	{SCCP_OPEN_RECEIVE, 17, 40, 140},
	{SCCP_OPEN_RECEIVE, 20, 140, 140},
	{SCCP_START_TRANSMISSION, 0, 52, 96},
	{SCCP_START_TRANSMISSION, 0, 56, 96},
	{SCCP_START_TRANSMISSION, 0, 96, 96},
	{SCCP_START_TRANSMISSION, 17, 72, 144},
	{SCCP_START_TRANSMISSION, 22, 180, 180},
	{SCCP_OPEN_MM_RECEIVE, 0, 120, 176},
	{SCCP_START_MM_TRANSMISSION, 0, 120, 180},
	{SCCP_START_MM_TRANSMISSION, 17, 140, 196},
};

START_TEST(a_message_without_room_for_a_key_becomes_longer)
{
	struct flow_key k = some_key(), none = {.suite = SUITE_NONE};

	sccp_out_make(&out, shorts[_i].id, shorts[_i].version, shorts[_i].len);
	ck_assert_int_eq(sccp_out_key(&out, &none), 0);
	ck_assert_uint_eq(out.len, shorts[_i].len);
	ck_assert_int_eq(sccp_out_key(&out, &k), 0);
	ck_assert_uint_eq(out.len, shorts[_i].grown);
	ck_assert_uint_eq(length_of(&out), shorts[_i].grown - 8);
	check_key_is(&k);
}
END_TEST

START_TEST(what_has_no_place_for_a_key_gets_none)
{
	struct flow_key k = some_key(), gcm = {.suite = SUITE_AEAD_AES_128_GCM};

	sccp_out_make(&out, SCCP_CALL_STATE, 0, 40);
	ck_assert_int_eq(sccp_out_key(&out, &k), ERR_UNSUPPORTED);
	sccp_out_make(&out, 0x7777, 0, 40);
	ck_assert_int_eq(sccp_out_key(&out, &k), ERR_UNSUPPORTED);
	sccp_out_make(&out, SCCP_OPEN_RECEIVE, 0, 104);
	ck_assert_int_eq(sccp_out_key(&out, &gcm), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(ipv6_needs_the_long_form)
{
	struct addr a, got;

	ck_assert_int_eq(addr_parse(slice_str("[2001:db8::7]:4000"), 0, &a), 0);
	sccp_out_make(&out, SCCP_OPEN_RECEIVE_ACK, 0, 32);
	ck_assert_int_eq(sccp_out_addr(&out, SCCP_ADDR, SCCP_PORT, &a),
			 ERR_UNSUPPORTED);
	sccp_out_make(&out, SCCP_OPEN_RECEIVE_ACK, 17, 48);
	ck_assert_int_eq(sccp_out_addr(&out, SCCP_ADDR, SCCP_PORT, &a), 0);
	ck_assert_int_eq(sccp_addr(&out.msg, SCCP_ADDR, SCCP_PORT, &got), 0);
	ck_assert(addr_eq(&a, &got));
	sccp_out_station(&out, &a);
	sccp_out_make(&out, SCCP_REGISTER, 0, 136);
	sccp_out_station(&out, &a);
	ck_assert_mem_eq(out.buf + 84, a.ip, 16);
	a = some_addr();
	sccp_out_station(&out, &a);
	ck_assert_mem_eq(out.buf + 36, a.ip, 4);
	ck_assert_uint_eq(out.buf[84], 0);
}
END_TEST

START_TEST(servers_are_ours)
{
	struct addr a[2] = {some_addr(), some_addr()}, v6;
	size_t len = _i ? 372 : 292;

	a[1].port = 2443;
	sccp_out_make(&out, SCCP_SERVER_RES, 0, len);
	memset(out.buf + 12, 0xee, len - 12);
	ck_assert_int_eq(sccp_out_servers(&out, a, 2), 0);
	ck_assert_str_eq((const char *)out.buf + 12, "192.0.2.1");
	ck_assert_str_eq((const char *)out.buf + 60, "192.0.2.1");
	ck_assert_uint_eq(out.buf[12 + 96], 0);
	ck_assert_uint_eq(out.buf[252] | out.buf[253] << 8, 16390);
	ck_assert_uint_eq(out.buf[256] | out.buf[257] << 8, 2443);
	ck_assert_mem_eq(out.buf + (_i ? 272 + 24 : 276), a[0].ip, 4);
	for (size_t i = len - 12; i < len; i++)
		ck_assert_uint_eq(out.buf[i], 0);
	ck_assert_int_eq(addr_parse(slice_str("[2001:db8::7]:4000"), 0, &v6),
			 0);
	ck_assert_int_eq(sccp_out_servers(&out, &v6, 1),
			 _i ? 0 : ERR_UNSUPPORTED);
	sccp_out_make(&out, SCCP_SERVER_RES, 0, 200);
	ck_assert_int_eq(sccp_out_servers(&out, a, 2), 0);
}
END_TEST

START_TEST(nothing_stands_behind_the_end_of_a_text)
{
	struct sccp_msg m;

	sccp_out_make(&out, SCCP_REGISTER, 0, 184);
	memset(out.buf + 12, 'x', 172);
	out.buf[12 + 5] = 0;
	out.buf[104] = 0;
	sccp_out_clean(&out);
	ck_assert_str_eq((const char *)out.buf + 12, "xxxxx");
	for (size_t i = 17; i < 28; i++)
		ck_assert_uint_eq(out.buf[i], 0);
	ck_assert_uint_eq(out.buf[28], 'x');
	for (size_t i = 104; i < 136; i++)
		ck_assert_uint_eq(out.buf[i], 0);
	/* Without a NUL it is all text. */
	ck_assert_uint_eq(out.buf[136], 'x');
	ck_assert_uint_eq(out.buf[183], 'x');
	vector_msg(vector_start_long, buf, sizeof(buf), &m);
	sccp_out_copy(&out, &m);
	sccp_out_clean(&out);
	ck_assert(slice_eq(sccp_out_bytes(&out), m.bytes));
	sccp_out_make(&out, SCCP_REGISTER, 0, 136);
	sccp_out_text(&out, SCCP_NAME, slice_str("SEP0011223344556677"));
	ck_assert_str_eq((const char *)out.buf + 12, "SEP001122334455");
}
END_TEST

static bool has_key(const struct flow_key *want)
{
	struct flow_key k;

	return sccp_key_parse(slice_sub(sccp_out_bytes(&out),
					out.msg.at[SCCP_KEY],
					sccp_key_len(&out.msg)),
			      &k) == 0 &&
	       flow_key_eq(&k, want);
}

/* Set everything; how many things are wrong then. */
static uint32_t rewrite_one(uint32_t id, uint32_t version, size_t len)
{
	struct flow_key k = some_key();
	struct addr a = {.family = ADDR_V4, .ip = {192, 0, 2, 1}, .port = 9};
	uint32_t wrong = 0;
	bool was_long;

	sccp_out_make(&out, id, version, len);
	memset(out.buf + len, 0xa5, sizeof(out.buf) - len);
	was_long = out.msg.is_long;
	wrong += sccp_out_addr(&out, SCCP_ADDR, SCCP_PORT, &a) != 0;
	wrong += sccp_out_addr(&out, SCCP_SRC_ADDR, SCCP_SRC_PORT, &a) != 0;
	wrong += sccp_out_servers(&out, &a, 1) != 0;
	sccp_out_station(&out, &a);
	sccp_out_text(&out, SCCP_NAME, slice_str("SEP"));
	sccp_out_clean(&out);
	wrong += out.len != len || out.buf[len] != 0xa5;
	wrong += was_long != out.msg.is_long;
	if (sccp_out_key(&out, &k) == 0)
		wrong += !has_key(&k);
	wrong += length_of(&out) != out.len - 8 || out.buf[out.len] != 0xa5;
	return wrong;
}

/* Nothing is written outside of the message, and it becomes longer for a key
 * only. */
START_TEST(every_message_can_be_rewritten_at_every_length)
{
	const struct sccp_row *row;
	uint32_t wrong = 0;

	for (size_t n = 0; (row = sccp_row_at(n)); n++)
		for (size_t len = 12; len < 400; len++)
			wrong += rewrite_one(row->id, versions[_i], len);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* ---- groups ------------------------------------------------------------------ */

static const struct {
	bool is_start;
	uint32_t version;
	size_t len;
	bool is_old;
	size_t want;
} unicasts[] = {
	{false, 0, 48, true, 80},    {false, 11, 48, false, 104},
	{false, 17, 64, false, 140}, {false, 0, 64, false, 140},
	{true, 0, 56, true, 96},     {true, 16, 56, false, 120},
	{true, 22, 72, false, 144},
};

/* Every field of the group's message stands where the other has it, and a key
 * fits without the message growing. */
START_TEST(a_group_becomes_a_stream_of_its_own)
{
	static struct sccp_out in;
	bool is_start = unicasts[_i].is_start;
	struct flow_key k = some_key();
	struct addr group = {
		.family = ADDR_V4, .ip = {239, 1, 2, 3}, .port = 5};
	struct addr a;

	sccp_out_make(&in,
		      is_start ? SCCP_START_MC_TRANSMISSION
			       : SCCP_START_MC_RECEPTION,
		      unicasts[_i].version, unicasts[_i].len);
	sccp_out_u32(&in, SCCP_CONF, 1);
	sccp_out_u32(&in, SCCP_PARTY, 2);
	sccp_out_u32(&in, SCCP_PACKET_MS, 20);
	sccp_out_u32(&in, SCCP_CODEC, 4);
	sccp_out_u32(&in, SCCP_CALL, 6);
	ck_assert_int_eq(sccp_out_addr(&in, SCCP_ADDR, SCCP_PORT, &group), 0);
	/* In front of the call reference stands the rate. */
	in.buf[in.msg.at[SCCP_CALL] - 4] = 0x77;
	sccp_out_unicast(&out, &in.msg, unicasts[_i].is_old);
	ck_assert_uint_eq(out.len, unicasts[_i].want);
	ck_assert_uint_eq(out.msg.id, is_start ? SCCP_START_TRANSMISSION
					       : SCCP_OPEN_RECEIVE);
	ck_assert_uint_eq(out.msg.version, unicasts[_i].version);
	ck_assert_uint_eq(out.msg.is_long, in.msg.is_long);
	ck_assert_uint_eq(sccp_u32(&out.msg, SCCP_CONF), 1);
	ck_assert_uint_eq(sccp_u32(&out.msg, SCCP_PARTY), 2);
	ck_assert_uint_eq(sccp_u32(&out.msg, SCCP_PACKET_MS), 20);
	ck_assert_uint_eq(sccp_u32(&out.msg, SCCP_CODEC), 4);
	ck_assert_uint_eq(sccp_u32(&out.msg, SCCP_CALL), 6);
	ck_assert_uint_eq(out.buf[out.msg.at[SCCP_CALL] - 4], 0x77);
	if (is_start) {
		ck_assert_int_eq(sccp_addr(&out.msg, SCCP_ADDR, SCCP_PORT, &a),
				 0);
		ck_assert(addr_eq(&a, &group));
	} else if (sccp_has(&out.msg, SCCP_SRC_ADDR)) {
		ck_assert_int_eq(
			sccp_addr(&out.msg, SCCP_SRC_ADDR, SCCP_SRC_PORT, &a),
			0);
		ck_assert(addr_is_any(&a));
	}
	ck_assert_int_eq(sccp_out_key(&out, &k), 0);
	ck_assert_uint_eq(out.len, unicasts[_i].want);
}
END_TEST

/* Cut anywhere: what is missing is zero. */
START_TEST(a_short_group_message_becomes_a_whole_one)
{
	static struct sccp_out in;
	uint32_t id = _i ? SCCP_START_MC_TRANSMISSION : SCCP_START_MC_RECEPTION;

	for (size_t len = 12; len < 80; len++) {
		sccp_out_make(&in, id, 17, len);
		memset(in.buf + 12, 0xa5, len - 12);
		sccp_out_unicast(&out, &in.msg, false);
		ck_assert_uint_eq(length_of(&out), out.len - 8);
		ck_assert(sccp_has(&in.msg, SCCP_PACKET_MS) ||
			  sccp_u32(&out.msg, SCCP_CALL) == 0);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sccp_out");

	tcase_add_loop_test(tc, only_what_is_set_changes, 0, ROWS(starts));
	tcase_add_loop_test(tc, a_message_without_room_for_a_key_becomes_longer,
			    0, ROWS(shorts));
	tcase_add_test(tc, what_has_no_place_for_a_key_gets_none);
	tcase_add_test(tc, ipv6_needs_the_long_form);
	tcase_add_loop_test(tc, servers_are_ours, 0, 2);
	tcase_add_test(tc, nothing_stands_behind_the_end_of_a_text);
	tcase_add_loop_test(tc, every_message_can_be_rewritten_at_every_length,
			    0, ROWS(versions));
	tcase_add_loop_test(tc, a_group_becomes_a_stream_of_its_own, 0,
			    ROWS(unicasts));
	tcase_add_loop_test(tc, a_short_group_message_becomes_a_whole_one, 0,
			    2);
	return run_case("rewrite/sccp_out", tc);
}
