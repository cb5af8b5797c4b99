/* Key info. */
#include <check.h>
#include <stdlib.h>

#include "lib/run.h"
#include "sccp/key.h"

static struct flow_key key_of(enum suite s)
{
	struct flow_key k = {.suite = s};

	for (uint8_t i = 0; i < 16; i++)
		k.key[i] = (uint8_t)(0x10 + i);
	for (uint8_t i = 0; i < 14; i++)
		k.salt[i] = (uint8_t)(0xa0 + i);
	return k;
}

static const struct {
	enum suite suite;
	uint8_t alg;
} suites[] = {
	{SUITE_AES_CM_128_HMAC_SHA1_32, 1},
	{SUITE_AES_CM_128_HMAC_SHA1_80, 2},
};

START_TEST(a_key_is_read_as_it_was_printed)
{
	struct flow_key k = key_of(suites[_i].suite), back;
	uint8_t buf[SCCP_KEY_FULL] = {0};
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	ck_assert_int_eq(sccp_key_print(&w, &k), 0);
	ck_assert_uint_eq(w.len, SCCP_KEY_SHORT);
	ck_assert_uint_eq(buf[0], suites[_i].alg);
	ck_assert_uint_eq(buf[4], 16);
	ck_assert_uint_eq(buf[6], 14);
	ck_assert_uint_eq(buf[8], 0x10);
	ck_assert_uint_eq(buf[24], 0xa0);
	ck_assert_uint_eq(buf[38], 0);
	for (size_t len = SCCP_KEY_SHORT; len <= SCCP_KEY_FULL; len += 8) {
		ck_assert_int_eq(sccp_key_parse(slice_make(buf, len), &back),
				 0);
		ck_assert(flow_key_eq(&k, &back));
	}
	for (size_t len = 0; len < SCCP_KEY_SHORT; len++)
		ck_assert_int_eq(sccp_key_parse(slice_make(buf, len), &back),
				 ERR_BAD);
}
END_TEST

START_TEST(no_key_is_all_zero)
{
	struct flow_key k = {.suite = SUITE_NONE, .key = {1}}, back;
	uint8_t buf[SCCP_KEY_SHORT], zero[SCCP_KEY_SHORT] = {0};
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	ck_assert_int_eq(sccp_key_print(&w, &k), 0);
	ck_assert_mem_eq(buf, zero, sizeof(zero));
	ck_assert_int_eq(sccp_key_parse(writer_slice(&w), &back), 0);
	ck_assert_int_eq(back.suite, SUITE_NONE);
}
END_TEST

START_TEST(suites_without_a_number_are_refused)
{
	for (unsigned s = 0; s < SUITE_COUNT; s++) {
		struct flow_key k = key_of((enum suite)s);
		uint8_t buf[SCCP_KEY_SHORT];
		struct writer w;
		bool can = s == SUITE_NONE ||
			   s == SUITE_AES_CM_128_HMAC_SHA1_80 ||
			   s == SUITE_AES_CM_128_HMAC_SHA1_32;

		writer_init(&w, buf, sizeof(buf));
		ck_assert_int_eq(sccp_key_print(&w, &k),
				 can ? 0 : ERR_UNSUPPORTED);
		ck_assert_uint_eq(w.len, can ? SCCP_KEY_SHORT : 0);
	}
}
END_TEST

static const struct {
	uint8_t at, value;
	int err;
} wrong[] = {
	{0, 3, ERR_UNSUPPORTED}, {0, 5, ERR_UNSUPPORTED},
	{1, 1, ERR_UNSUPPORTED}, {4, 15, ERR_BAD},
	{4, 32, ERR_BAD},	 {6, 16, ERR_BAD},
	{7, 1, ERR_BAD},	 {40, 1, ERR_UNSUPPORTED},
};

START_TEST(what_is_not_a_key_of_ours_is_refused)
{
	struct flow_key k = key_of(SUITE_AES_CM_128_HMAC_SHA1_32), back;
	uint8_t buf[SCCP_KEY_FULL] = {0};
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	ck_assert_int_eq(sccp_key_print(&w, &k), 0);
	buf[wrong[_i].at] = wrong[_i].value;
	ck_assert_int_eq(sccp_key_parse(slice_make(buf, sizeof(buf)), &back),
			 wrong[_i].err);
	k.mki_len = 1;
	ck_assert_int_eq(sccp_key_print(&w, &k), ERR_UNSUPPORTED);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("key");

	tcase_add_loop_test(tc, a_key_is_read_as_it_was_printed, 0,
			    ROWS(suites));
	tcase_add_test(tc, no_key_is_all_zero);
	tcase_add_test(tc, suites_without_a_number_are_refused);
	tcase_add_loop_test(tc, what_is_not_a_key_of_ours_is_refused, 0,
			    ROWS(wrong));
	return run_case("sccp/key", tc);
}
