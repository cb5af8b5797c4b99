/* The input cursor: byte orders, the sticky error, exact ends. */
#include "lib/run.h"

#include "base/reader.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};

static struct reader over(size_t n)
{
	struct reader r;

	reader_init(&r, slice_make(bytes, n));
	return r;
}

START_TEST(numbers_are_read_in_both_byte_orders)
{
	struct reader r = over(8);

	ck_assert_uint_eq(reader_u64be(&r), 0x0102030405060708ULL);
	ck_assert(reader_end(&r));
	r = over(8);
	ck_assert_uint_eq(reader_u8(&r), 1);
	ck_assert_uint_eq(reader_u16be(&r), 0x0203);
	ck_assert_uint_eq(reader_u16le(&r), 0x0504);
	ck_assert_uint_eq(reader_left(&r), 3);
	r = over(8);
	ck_assert_uint_eq(reader_u32be(&r), 0x01020304);
	ck_assert_uint_eq(reader_u32le(&r), 0x08070605);
	ck_assert(reader_end(&r));
}
END_TEST

START_TEST(a_short_read_gives_zero_and_sticks)
{
	for (size_t n = 0; n < 8; n++) {
		struct reader r = over(n);

		ck_assert_uint_eq(reader_u64be(&r), 0);
		ck_assert(!reader_ok(&r));
		ck_assert(!reader_end(&r));
		ck_assert_uint_eq(reader_left(&r), 0);
		ck_assert_uint_eq(reader_u8(&r), 0);
		ck_assert_uint_eq(reader_bytes(&r, 0).len, 0);
	}
}
END_TEST

START_TEST(a_caller_can_fail_the_reader)
{
	struct reader r = over(8);

	reader_fail(&r);
	ck_assert_uint_eq(reader_u8(&r), 0);
	ck_assert(!reader_ok(&r));
}
END_TEST

START_TEST(nothing_can_be_read_from_nothing)
{
	struct reader r;

	reader_init(&r, SLICE_NULL);
	ck_assert(reader_ok(&r));
	ck_assert(reader_end(&r));
	ck_assert_uint_eq(reader_bytes(&r, 0).len, 0);
	ck_assert(reader_ok(&r));
	ck_assert_uint_eq(reader_u8(&r), 0);
	ck_assert(!reader_ok(&r));
}
END_TEST

START_TEST(a_sub_reader_has_its_part_and_the_reader_the_rest)
{
	struct reader r = over(8);
	struct reader sub = reader_sub(&r, 3);

	ck_assert_uint_eq(reader_left(&sub), 3);
	ck_assert_uint_eq(reader_u16be(&sub), 0x0102);
	ck_assert(!reader_end(&sub));
	ck_assert_uint_eq(reader_u8(&sub), 3);
	ck_assert(reader_end(&sub));
	ck_assert_uint_eq(reader_u8(&r), 4);
	sub = reader_sub(&r, 5);
	ck_assert(!reader_ok(&sub));
	ck_assert(!reader_ok(&r));
}
END_TEST

START_TEST(huge_lengths_do_not_wrap)
{
	struct reader r = over(8);

	ck_assert_uint_eq(reader_bytes(&r, SIZE_MAX).len, 0);
	ck_assert(!reader_ok(&r));
}
END_TEST

START_TEST(a_blob_is_length_and_bytes)
{
	static const uint8_t good[] = {0, 0, 0, 2, 'a', 'b', 'c'};
	static const uint8_t bad[] = {0xff, 0xff, 0xff, 0xff, 'a'};
	struct reader r;

	reader_init(&r, slice_make(good, sizeof(good)));
	ck_assert(slice_eqs(reader_blob(&r), "ab"));
	ck_assert_uint_eq(reader_left(&r), 1);
	ck_assert_uint_eq(reader_blob(&r).len, 0);
	ck_assert(!reader_ok(&r));
	reader_init(&r, slice_make(bad, sizeof(bad)));
	ck_assert_uint_eq(reader_blob(&r).len, 0);
	ck_assert(!reader_ok(&r));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("reader");

	tcase_add_test(tc, numbers_are_read_in_both_byte_orders);
	tcase_add_test(tc, a_short_read_gives_zero_and_sticks);
	tcase_add_test(tc, a_caller_can_fail_the_reader);
	tcase_add_test(tc, nothing_can_be_read_from_nothing);
	tcase_add_test(tc, a_sub_reader_has_its_part_and_the_reader_the_rest);
	tcase_add_test(tc, huge_lengths_do_not_wrap);
	tcase_add_test(tc, a_blob_is_length_and_bytes);
	return run_case("base/reader", tc);
}
