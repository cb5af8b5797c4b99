/* Token buckets in virtual time. */
#include "lib/run.h"

#include "base/bucket.h"

static unsigned take_all(struct bucket *b, uint64_t now_ms)
{
	unsigned n = 0;

	while (n < 10000 && bucket_take(b, now_ms))
		n++;
	return n;
}

START_TEST(a_full_bucket_holds_its_burst)
{
	struct bucket b;

	bucket_init(&b, 10, 5, 1000);
	ck_assert_uint_eq(take_all(&b, 1000), 5);
	ck_assert_uint_eq(take_all(&b, 1099), 0);
	ck_assert_uint_eq(take_all(&b, 1100), 1);
	ck_assert_uint_eq(take_all(&b, 1000000), 5); /* no more than full */
}
END_TEST

START_TEST(the_average_is_the_rate)
{
	struct bucket b;
	unsigned n = 0;

	bucket_init(&b, 7, 1, 0);
	for (uint64_t t = 0; t <= 60000; t += 3)
		n += bucket_take(&b, t);
	/* 7 a second; what arrives while one waits is lost above the burst */
	ck_assert_uint_ge(n, 400);
	ck_assert_uint_le(n, 421);
}
END_TEST

START_TEST(rate_zero_never_refuses)
{
	struct bucket b;

	bucket_init(&b, 0, 1, 0);
	ck_assert_uint_eq(take_all(&b, 0), 10000);
}
END_TEST

START_TEST(burst_zero_is_one)
{
	struct bucket b;

	bucket_init(&b, 1, 0, 0);
	ck_assert_uint_eq(take_all(&b, 0), 1);
}
END_TEST

START_TEST(a_clock_that_steps_back_gives_nothing)
{
	struct bucket b;

	bucket_init(&b, 1000, 1, 5000);
	ck_assert_uint_eq(take_all(&b, 5000), 1);
	ck_assert_uint_eq(take_all(&b, 1), 0);
	ck_assert_uint_eq(take_all(&b, 5000), 0);
	ck_assert_uint_eq(take_all(&b, 5001), 1);
}
END_TEST

START_TEST(the_largest_numbers_do_not_overflow)
{
	struct bucket b;

	bucket_init(&b, UINT32_MAX, UINT32_MAX, 0);
	b.level_ms = 0;
	/* 2^32 - 1 a second for 2^32 + 2 ms is far more than full, and its
	 * product wraps to a small number */
	ck_assert(bucket_take(&b, (uint64_t)UINT32_MAX + 3));
	ck_assert_uint_eq(b.level_ms, (uint64_t)UINT32_MAX * 1000 - 1000);
	bucket_init(&b, 1, 1, 0);
	b.level_ms = 0;
	ck_assert_uint_eq(take_all(&b, UINT64_MAX), 1);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("bucket");

	tcase_add_test(tc, a_full_bucket_holds_its_burst);
	tcase_add_test(tc, the_average_is_the_rate);
	tcase_add_test(tc, rate_zero_never_refuses);
	tcase_add_test(tc, burst_zero_is_one);
	tcase_add_test(tc, a_clock_that_steps_back_gives_nothing);
	tcase_add_test(tc, the_largest_numbers_do_not_overflow);
	return run_case("base/bucket", tc);
}
