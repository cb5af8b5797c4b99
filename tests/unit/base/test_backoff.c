/* Pauses between tries. */
#include "lib/run.h"

#include "base/backoff.h"

START_TEST(pauses_double_up_to_the_longest)
{
	static const uint32_t pauses[] = {300, 600, 1000, 1000, 1000};
	struct backoff b;

	backoff_init(&b, 300, 1000);
	for (int i = 0; i < ROWS(pauses); i++) {
		ck_assert_uint_eq(b.tries, (uint32_t)i);
		ck_assert_uint_eq(backoff_fail(&b), pauses[i]);
	}
}
END_TEST

START_TEST(after_a_success_they_begin_anew)
{
	struct backoff b;

	backoff_init(&b, 100, 10000);
	for (int i = 0; i < 5; i++)
		(void)backoff_fail(&b);
	backoff_reset(&b);
	ck_assert_uint_eq(b.tries, 0);
	ck_assert_uint_eq(backoff_fail(&b), 100);
	ck_assert_uint_eq(backoff_fail(&b), 200);
}
END_TEST

/* Nobody tries without a pause, and nothing runs over. */
START_TEST(odd_limits_are_mended)
{
	static const struct {
		uint32_t min_ms, max_ms, first_ms, later_ms;
	} rows[] = {{0, 0, 1, 1},
		    {5, 3, 5, 5},
		    {7, 7, 7, 7},
		    {UINT32_MAX - 1, UINT32_MAX, UINT32_MAX - 1, UINT32_MAX}};
	struct backoff b;

	for (int i = 0; i < ROWS(rows); i++) {
		backoff_init(&b, rows[i].min_ms, rows[i].max_ms);
		ck_assert_uint_eq(backoff_fail(&b), rows[i].first_ms);
		ck_assert_uint_eq(backoff_fail(&b), rows[i].later_ms);
		ck_assert_uint_eq(backoff_fail(&b), rows[i].later_ms);
	}
	b.tries = UINT32_MAX;
	ck_assert_uint_eq(backoff_fail(&b), UINT32_MAX);
	ck_assert_uint_eq(b.tries, UINT32_MAX);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("backoff");

	tcase_add_test(tc, pauses_double_up_to_the_longest);
	tcase_add_test(tc, after_a_success_they_begin_anew);
	tcase_add_test(tc, odd_limits_are_mended);
	return run_case("base/backoff", tc);
}
