/* The output cursor: byte orders, the sticky overflow, patches. */
#include "lib/run.h"

#include "base/reader.h"
#include "base/writer.h"

START_TEST(numbers_are_written_in_both_byte_orders)
{
	uint8_t buf[32];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_u8(&w, 1);
	writer_u16be(&w, 0x0203);
	writer_u32be(&w, 0x04050607);
	writer_u64be(&w, 0x08090a0b0c0d0e0fULL);
	writer_u16le(&w, 0x1110);
	writer_u32le(&w, 0x15141312);
	ck_assert(writer_ok(&w));
	ck_assert_uint_eq(w.len, 21);
	for (size_t i = 0; i < 15; i++)
		ck_assert_uint_eq(buf[i], i + 1);
	for (size_t i = 15; i < 21; i++)
		ck_assert_uint_eq(buf[i], i + 1);
}
END_TEST

START_TEST(what_does_not_fit_is_not_written_and_sticks)
{
	uint8_t buf[4] = {9, 9, 9, 9};
	struct writer w;

	writer_init(&w, buf, 3);
	writer_u16be(&w, 0x0102);
	writer_u16be(&w, 0x0304);
	ck_assert(!writer_ok(&w));
	ck_assert_uint_eq(buf[2], 9);
	writer_u8(&w, 5); /* would fit, but an earlier part is missing */
	ck_assert_uint_eq(buf[2], 9);
	ck_assert_uint_eq(writer_slice(&w).len, 0);
	writer_init(&w, buf, 2);
	writer_u16be(&w, 0x0102);
	ck_assert(writer_ok(&w));
	writer_bytes(&w, NULL, 0);
	writer_str(&w, "");
	ck_assert(writer_ok(&w));
	writer_init(&w, NULL, 0);
	writer_put(&w, SLICE_NULL);
	ck_assert(writer_ok(&w));
	writer_u8(&w, 1);
	ck_assert(!writer_ok(&w));
}
END_TEST

static const struct {
	uint64_t v;
	const char *text;
} dec_rows[] = {
	{0, "0"},
	{9, "9"},
	{10, "10"},
	{4294967296, "4294967296"},
	{UINT64_MAX, "18446744073709551615"},
};

START_TEST(decimals_are_written_without_leading_zeros)
{
	char buf[21] = "";
	struct writer w;

	writer_init(&w, buf, 20);
	writer_dec(&w, dec_rows[_i].v);
	ck_assert(writer_ok(&w));
	ck_assert_str_eq(buf, dec_rows[_i].text);
}
END_TEST

START_TEST(a_blob_comes_back)
{
	uint8_t buf[16];
	struct writer w;
	struct reader r;

	writer_init(&w, buf, sizeof(buf));
	writer_blob(&w, slice_str("hello"));
	writer_blob(&w, SLICE_NULL);
	reader_init(&r, writer_slice(&w));
	ck_assert(slice_eqs(reader_blob(&r), "hello"));
	ck_assert_uint_eq(reader_blob(&r).len, 0);
	ck_assert(reader_end(&r));
	writer_blob(&w, (struct slice){buf, (size_t)UINT32_MAX + 1});
	ck_assert(!writer_ok(&w));
}
END_TEST

START_TEST(lengths_are_patched_afterwards)
{
	uint8_t buf[10] = {0};
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_u16be(&w, 0);
	writer_u32be(&w, 0);
	writer_u32le(&w, 0);
	writer_patch_u16be(&w, 0, 0x0102);
	writer_patch_u32be(&w, 2, 0x03040506);
	writer_patch_u32le(&w, 6, 0x0a090807);
	for (size_t i = 0; i < 10; i++)
		ck_assert_uint_eq(buf[i], i + 1);
	writer_u8(&w, 1);
	writer_patch_u16be(&w, 0, 0xffff); /* full: no effect */
	ck_assert_uint_eq(buf[0], 1);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("writer");

	tcase_add_test(tc, numbers_are_written_in_both_byte_orders);
	tcase_add_test(tc, what_does_not_fit_is_not_written_and_sticks);
	tcase_add_loop_test(tc, decimals_are_written_without_leading_zeros, 0,
			    ROWS(dec_rows));
	tcase_add_test(tc, a_blob_comes_back);
	tcase_add_test(tc, lengths_are_patched_afterwards);
	return run_case("base/writer", tc);
}
