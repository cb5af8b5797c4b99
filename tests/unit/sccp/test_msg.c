/* Messages: the table, the fields, and every message cut at every length. */
#include <check.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/writer.h"
#include "lib/run.h"
#include "sccp/key.h"
#include "sccp/msg.h"
#include "unit/sccp/vectors.h"

static const uint32_t versions[] = {0, 10, 11, 15, 16, 17, 18, 19, 20, 21, 22};

static uint8_t buf[SCCP_PDU_MAX];

START_TEST(the_table_is_sorted_and_every_row_is_found)
{
	const struct sccp_row *row, *before = NULL;
	size_t n = 0;

	for (; (row = sccp_row_at(n)); before = row, n++) {
		ck_assert(!before || before->id < row->id);
		ck_assert_ptr_eq(sccp_row_find(row->id), row);
		ck_assert_ptr_eq(sccp_row_named(slice_str(row->name)), row);
		ck_assert_uint_ne(row->dir, 0);
	}
	ck_assert_uint_gt(n, 160);
	ck_assert_ptr_null(sccp_row_find(0x7fff));
	ck_assert_ptr_null(sccp_row_find(0xffffffff));
	ck_assert_str_eq(sccp_name(0x0105), "OpenReceiveChannel");
	ck_assert_str_eq(sccp_name(0x7fff), "unknown");
}
END_TEST

/* Everything that a message must be long enough for is one of its fields, and
 * known lengths are long enough. */
START_TEST(rows_agree_with_themselves)
{
	const struct sccp_row *row;

	for (size_t n = 0; (row = sccp_row_at(n)); n++) {
		for (int f = 0; f < 2; f++) {
			for (int k = 0; k < SCCP_KNOWN_MAX; k++)
				ck_assert(row->known[f][k] == 0 ||
					  row->known[f][k] + 8 >= row->need[f]);
			if (!row->is_media || row->need[f] == 0)
				continue;
			ck_assert_ptr_nonnull(row->place);
		}
	}
}
END_TEST

/* The tests below look a million times: they count what is wrong, since every
 * assertion of the framework is a message to its parent. */
static uint32_t wrong;

static void expect(bool is_right)
{
	wrong += !is_right;
}

static void check_fields(const struct sccp_msg *m, size_t len)
{
	for (int i = 0; i < SCCP_FIELD_COUNT; i++) {
		enum sccp_field f = (enum sccp_field)i;
		uint16_t at =
			m->row ? sccp_row_place(m->row, f, m->is_long) : 0;

		expect(sccp_has(m, f) ==
		       (at != 0 && at + sccp_field_len(f, m->is_long) <= len));
	}
}

static void read_all(const struct sccp_msg *m)
{
	static const enum sccp_field pairs[][2] = {
		{SCCP_ADDR, SCCP_PORT},
		{SCCP_ADDR, SCCP_RTCP_PORT},
		{SCCP_SRC_ADDR, SCCP_SRC_PORT}};
	struct addr a;
	struct flow_key k;
	int err;

	for (int f = 0; f < SCCP_FIELD_COUNT; f++)
		if (sccp_field_len((enum sccp_field)f, m->is_long) <= 4)
			(void)sccp_u32(m, (enum sccp_field)f);
	for (size_t i = 0; i < 3; i++) {
		err = sccp_addr(m, pairs[i][0], pairs[i][1], &a);
		expect(err == 0 || err == ERR_BAD || err == ERR_NOTFOUND);
		expect((err == ERR_NOTFOUND) == (!sccp_has(m, pairs[i][0]) ||
						 !sccp_has(m, pairs[i][1])));
	}
	expect(sccp_text(m, SCCP_NAME).len <= SCCP_NAME_LEN);
	if (sccp_key_len(m) == 0)
		return;
	err = sccp_key_parse(
		slice_sub(m->bytes, m->at[SCCP_KEY], sccp_key_len(m)), &k);
	expect(err == 0 || err == ERR_BAD || err == ERR_UNSUPPORTED);
}

/* In memory of just this size, so that a sanitizer sees a byte too many. */
static void cut_one(uint32_t id, uint32_t version, size_t len, int fill)
{
	uint8_t *exact = malloc(len);
	struct sccp_pdu pdu;
	struct sccp_msg m;
	struct writer w;

	ck_assert_ptr_nonnull(exact);
	memset(exact, fill, len);
	writer_init(&w, exact, len);
	writer_u32le(&w, (uint32_t)(len - 8));
	writer_u32le(&w, version);
	writer_u32le(&w, id);
	expect(sccp_frame(slice_make(exact, len), SCCP_PDU_MAX, &pdu) == 0);
	sccp_msg_parse(&pdu, &m);
	check_fields(&m, len);
	read_all(&m);
	expect(sccp_msg_is_whole(&m) ==
	       (!m.row || len >= m.row->need[m.is_long]));
	free(exact);
}

START_TEST(every_message_is_cut_at_every_length_in_every_version)
{
	const struct sccp_row *row;

	for (size_t n = 0; (row = sccp_row_at(n)); n++)
		for (size_t len = 12; len < 420; len++)
			cut_one(row->id, versions[_i], len,
				len % 2 ? 0xff : 0x00);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

struct numbers {
	enum sccp_field field;
	uint32_t value;
};

static void check_numbers(const struct sccp_msg *m, const struct numbers *n,
			  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ck_assert(sccp_has(m, n[i].field));
		ck_assert_uint_eq(sccp_u32(m, n[i].field), n[i].value);
	}
}

#define NUMBERS(m, ...)                                               \
	check_numbers(m, (const struct numbers[]){__VA_ARGS__},       \
		      sizeof((const struct numbers[]){__VA_ARGS__}) / \
			      sizeof(struct numbers))

static void check_addr(const struct sccp_msg *m, enum sccp_field f,
		       enum sccp_field p, const char *text)
{
	char s[ADDR_STR_MAX];
	struct addr a;

	ck_assert_int_eq(sccp_addr(m, f, p, &a), 0);
	ck_assert_str_eq(addr_str(&a, s), text);
}

static void check_key(const struct sccp_msg *m)
{
	struct flow_key k;

	ck_assert_uint_eq(sccp_key_len(m), SCCP_KEY_FULL);
	ck_assert_int_eq(sccp_key_parse(slice_sub(m->bytes, m->at[SCCP_KEY],
						  SCCP_KEY_FULL),
					&k),
			 0);
	ck_assert_int_eq(k.suite, SUITE_AES_CM_128_HMAC_SHA1_32);
	ck_assert_uint_eq(k.key[0], 0x10);
	ck_assert_uint_eq(k.key[15], 0x1f);
	ck_assert_uint_eq(k.salt[13], 0xad);
}

START_TEST(a_registration_says_who_the_phone_is)
{
	struct sccp_msg m;

	vector_msg(vector_register, buf, sizeof(buf), &m);
	ck_assert(slice_eqs(sccp_text(&m, SCCP_NAME), "SEP001122334455"));
	NUMBERS(&m, {SCCP_MODEL, 0x73}, {SCCP_VERSION, 17});
	vector_msg(vector_register_ack, buf, sizeof(buf), &m);
	NUMBERS(&m, {SCCP_KEEPALIVE_S, 30}, {SCCP_KEEPALIVE_SECOND, 60},
		{SCCP_VERSION, 17});
}
END_TEST

START_TEST(channels_say_where_and_under_which_key)
{
	static const char *const open[] = {vector_open_short, vector_open_long};
	static const char *const start[] = {vector_start_short,
					    vector_start_long};
	struct sccp_msg m;

	vector_msg(open[_i], buf, sizeof(buf), &m);
	NUMBERS(&m, {SCCP_CONF, 0x01000001}, {SCCP_PARTY, 0x01000011},
		{SCCP_CALL, 0x01000001}, {SCCP_CODEC, 4}, {SCCP_PACKET_MS, 20});
	check_key(&m);
	ck_assert_int_eq(sccp_has(&m, SCCP_SRC_ADDR), _i);
	if (_i)
		check_addr(&m, SCCP_SRC_ADDR, SCCP_SRC_PORT, "10.0.0.9:4000");
	vector_msg(start[_i], buf, sizeof(buf), &m);
	NUMBERS(&m, {SCCP_CONF, 0x01000001}, {SCCP_PARTY, 0x01000011},
		{SCCP_CALL, 0x01000001}, {SCCP_CODEC, 4}, {SCCP_PACKET_MS, 20});
	check_key(&m);
	check_addr(&m, SCCP_ADDR, SCCP_PORT, "10.0.0.9:30004");
}
END_TEST

START_TEST(acknowledgements_say_where_the_phone_is)
{
	static const char *const ack[] = {vector_open_ack_short,
					  vector_open_ack_long};
	struct sccp_msg m;

	vector_msg(ack[_i], buf, sizeof(buf), &m);
	NUMBERS(&m, {SCCP_STATUS, 0}, {SCCP_PARTY, 0x01000011},
		{SCCP_CALL, 0x01000001});
	check_addr(&m, SCCP_ADDR, SCCP_PORT, "10.0.0.5:20002");
	vector_msg(vector_start_ack_long, buf, sizeof(buf), &m);
	NUMBERS(&m, {SCCP_STATUS, 0}, {SCCP_PARTY, 0x01000011},
		{SCCP_CONF, 0x01000001});
	check_addr(&m, SCCP_ADDR, SCCP_PORT, "10.0.0.5:20002");
	vector_msg(vector_call_info, buf, sizeof(buf), &m);
	NUMBERS(&m, {SCCP_LINE, 1}, {SCCP_CALL, 0x01000001},
		{SCCP_CALL_TYPE, 1}, {SCCP_SECURITY, SCCP_SECURITY_ENCRYPTED});
}
END_TEST

/* A header may say less than is in the message. */
START_TEST(a_lying_header_is_found_out_by_the_length)
{
	struct sccp_msg m;
	struct slice s;
	struct sccp_pdu pdu;

	s = vector_read(vector_open_ack_long, buf, sizeof(buf));
	buf[4] = 0;
	ck_assert_int_eq(sccp_frame(s, SCCP_PDU_MAX, &pdu), 0);
	sccp_msg_parse(&pdu, &m);
	ck_assert(m.is_long);
	check_addr(&m, SCCP_ADDR, SCCP_PORT, "10.0.0.5:20002");
	s = vector_read(vector_open_ack_short, buf, sizeof(buf));
	buf[4] = 20;
	ck_assert_int_eq(sccp_frame(s, SCCP_PDU_MAX, &pdu), 0);
	sccp_msg_parse(&pdu, &m);
	ck_assert(!m.is_long);
	check_addr(&m, SCCP_ADDR, SCCP_PORT, "10.0.0.5:20002");
}
END_TEST

START_TEST(addresses_that_are_none_are_refused)
{
	struct sccp_msg m;
	struct slice s;
	struct sccp_pdu pdu;
	struct addr a;

	s = vector_read(vector_open_ack_long, buf, sizeof(buf));
	ck_assert_int_eq(sccp_frame(s, SCCP_PDU_MAX, &pdu), 0);
	sccp_msg_parse(&pdu, &m);
	buf[16] = 1;
	ck_assert_int_eq(sccp_addr(&m, SCCP_ADDR, SCCP_PORT, &a), 0);
	ck_assert_int_eq(a.family, ADDR_V6);
	buf[16] = 3;
	ck_assert_int_eq(sccp_addr(&m, SCCP_ADDR, SCCP_PORT, &a), ERR_BAD);
	buf[16] = 0;
	buf[38] = 1;
	ck_assert_int_eq(sccp_addr(&m, SCCP_ADDR, SCCP_PORT, &a), ERR_BAD);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("msg");

	tcase_add_test(tc, the_table_is_sorted_and_every_row_is_found);
	tcase_add_test(tc, rows_agree_with_themselves);
	tcase_add_loop_test(
		tc, every_message_is_cut_at_every_length_in_every_version, 0,
		ROWS(versions));
	tcase_add_test(tc, a_registration_says_who_the_phone_is);
	tcase_add_loop_test(tc, channels_say_where_and_under_which_key, 0, 2);
	tcase_add_loop_test(tc, acknowledgements_say_where_the_phone_is, 0, 2);
	tcase_add_test(tc, a_lying_header_is_found_out_by_the_length);
	tcase_add_test(tc, addresses_that_are_none_are_refused);
	return run_case("sccp/msg", tc);
}
