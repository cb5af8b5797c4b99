/* Growable byte queue: order, limits, and memory given back. */
#include "base/buf.h"

#include <check.h>
#include <stdlib.h>

#include "lib/oom.h"
#include "lib/run.h"

START_TEST(bytes_leave_in_the_order_they_came)
{
	struct buf b = {.ptr = NULL};
	uint8_t next_in = 0;
	uint8_t next_out = 0;

	for (size_t round = 1; round < 3000; round++) {
		uint8_t block[97];
		size_t n = round % sizeof(block);
		size_t out = (round * 7) % (b.len + 1);

		for (size_t i = 0; i < n; i++)
			block[i] = next_in++;
		ck_assert_int_eq(buf_add(&b, slice_make(block, n), 1 << 20), 0);
		for (size_t i = 0; i < out; i++)
			ck_assert_uint_eq(buf_slice(&b).ptr[i],
					  (uint8_t)(next_out + i));
		next_out = (uint8_t)(next_out + out);
		buf_drop(&b, out);
	}
	buf_drop(&b, SIZE_MAX);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_null(b.ptr);
}
END_TEST

START_TEST(limit_holds_at_the_limit_and_one_more)
{
	struct buf b = {.ptr = NULL};

	ck_assert_int_eq(buf_add(&b, slice_str("12345"), 8), 0);
	ck_assert_int_eq(buf_add(&b, slice_str("6789"), 8), ERR_LIMIT);
	ck_assert_int_eq(buf_add(&b, slice_str("678"), 8), 0);
	ck_assert_int_eq(buf_add(&b, slice_str("9"), 8), ERR_LIMIT);
	ck_assert_int_eq(buf_add(&b, SLICE_NULL, 8), 0);
	ck_assert_int_eq(buf_add(&b, slice_str("9"), 2), ERR_LIMIT);
	ck_assert(slice_eqs(buf_slice(&b), "12345678"));
	buf_done(&b);
	buf_done(&b);
	ck_assert_uint_eq(buf_slice(&b).len, 0);
}
END_TEST

static void fill(void *arg)
{
	struct buf b = {.ptr = NULL};
	static const uint8_t block[700];

	(void)arg;
	for (int i = 0; i < 5; i++) {
		size_t before = b.len;
		int err =
			buf_add(&b, slice_make(block, sizeof(block)), 1 << 20);

		/* After a failure nothing has changed. */
		ck_assert_uint_eq(b.len, before + (err ? 0 : sizeof(block)));
	}
	buf_done(&b);
}

START_TEST(missing_memory_changes_nothing)
{
	oom_sweep(fill, NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/buf");
	TCase *tc = tcase_create("buf");

	tcase_add_test(tc, bytes_leave_in_the_order_they_came);
	tcase_add_test(tc, limit_holds_at_the_limit_and_one_more);
	tcase_add_test(tc, missing_memory_changes_nothing);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
