/* Messages between monitor and worker. */
#include <check.h>

#include "daemon/wire.h"
#include "lib/run.h"

START_TEST(every_message_comes_back_as_it_was_written)
{
	static const struct dwire_msg rows[] = {
		{.op = DWIRE_READY},
		{.op = DWIRE_QUERY,
		 .number = 7,
		 .command = 3,
		 .text = SLICE("12")},
		{.op = DWIRE_ROWS,
		 .number = 0xffffffff,
		 .is_last = true,
		 .text = SLICE("[{}]")},
		{.op = DWIRE_ROWS, .number = 1, .text = SLICE("")},
		{.op = DWIRE_LINK, .link = DWIRE_STORE},
		{.op = DWIRE_SHIELD, .text = SLICE("\0\0\0\0")},
		{.op = DWIRE_LEASE,
		 .number = 3,
		 .limit = DWIRE_TRANSACTIONS,
		 .amount = 20000},
		{.op = DWIRE_USE,
		 .number = 4,
		 .limit = DWIRE_CALLS,
		 .amount = 10,
		 .used = 7},
		{.op = DWIRE_ARRIVED, .text = SLICE("bytes")},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[64];
		struct writer w;
		struct dwire_msg m;

		writer_init(&w, buf, sizeof(buf));
		dwire_write(&w, &rows[i]);
		ck_assert(writer_ok(&w));
		ck_assert_int_eq(dwire_read(writer_slice(&w), &m), 0);
		ck_assert_int_eq(m.op, rows[i].op);
		ck_assert_uint_eq(m.number, rows[i].number);
		ck_assert_uint_eq(m.command, rows[i].command);
		ck_assert_int_eq(m.is_last, rows[i].is_last);
		ck_assert_int_eq(m.limit, rows[i].limit);
		ck_assert_uint_eq(m.amount, rows[i].amount);
		ck_assert_uint_eq(m.used, rows[i].used);
		ck_assert(slice_eq(m.text, rows[i].text));
		/* Cut short anywhere, or longer, it is refused. */
		for (size_t n = 0; n < w.len; n++)
			ck_assert_int_eq(dwire_read(slice_make(buf, n), &m),
					 ERR_BAD);
		writer_u8(&w, 0);
		ck_assert_int_eq(dwire_read(writer_slice(&w), &m), ERR_BAD);
	}
}
END_TEST

START_TEST(a_workers_line_tells_its_number)
{
	uint8_t buf[16];
	struct writer w;
	uint32_t worker = 0;

	writer_init(&w, buf, sizeof(buf));
	dwire_adopt_write(&w, 59);
	ck_assert_uint_eq(w.len, DWIRE_ADOPT_LEN);
	ck_assert_int_eq(dwire_adopt_read(writer_slice(&w), &worker), 0);
	ck_assert_uint_eq(worker, 59);
	for (size_t n = 0; n < w.len; n++)
		ck_assert_int_eq(dwire_adopt_read(slice_make(buf, n), &worker),
				 ERR_BAD);
	writer_u8(&w, 0);
	ck_assert_int_eq(dwire_adopt_read(writer_slice(&w), &worker), ERR_BAD);
	buf[0] = 'M';
	ck_assert_int_eq(
		dwire_adopt_read(slice_make(buf, DWIRE_ADOPT_LEN), &worker),
		ERR_BAD);
}
END_TEST

START_TEST(unknown_operations_and_lines_are_refused)
{
	struct dwire_msg m;
	uint8_t link[] = {DWIRE_LINK, 'x'};

	ck_assert_int_eq(dwire_read(slice_str("Z"), &m), ERR_BAD);
	ck_assert_int_eq(dwire_read(slice_make(link, 2), &m), ERR_BAD);
}
END_TEST

START_TEST(a_ping_carries_the_level)
{
	uint8_t buf[DWIRE_PING_LEN + 1];
	struct writer w;
	uint8_t level = 0;

	writer_init(&w, buf, sizeof(buf));
	dwire_ping_write(&w, 3);
	ck_assert_uint_eq(w.len, DWIRE_PING_LEN);
	ck_assert_int_eq(dwire_ping_read(writer_slice(&w), &level), 0);
	ck_assert_uint_eq(level, 3);
	ck_assert_int_eq(dwire_ping_read(slice_make(buf, 1), &level), ERR_BAD);
	ck_assert_int_eq(dwire_ping_read(slice_str("P12"), &level), ERR_BAD);
	ck_assert_int_eq(dwire_ping_read(slice_str("R1"), &level), ERR_BAD);
	ck_assert_int_eq(dwire_ping_read(SLICE_NULL, &level), ERR_BAD);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("codec");

	tcase_add_test(t, every_message_comes_back_as_it_was_written);
	tcase_add_test(t, a_workers_line_tells_its_number);
	tcase_add_test(t, unknown_operations_and_lines_are_refused);
	tcase_add_test(t, a_ping_carries_the_level);
	return run_case("daemon/wire", t);
}
