/* Rates, in virtual time. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "authz/limit.h"
#include "lib/oom.h"
#include "lib/run.h"

static struct limit *make(uint32_t entries, uint32_t rate, uint32_t burst)
{
	struct limit_params p = {
		.entries = entries, .rate = rate, .burst = burst, .seed = 1};
	struct limit *l = limit_new(&p);

	ck_assert_ptr_nonnull(l);
	return l;
}

static struct limit_stats stats(const struct limit *l)
{
	struct limit_stats s;

	limit_stats(l, &s);
	return s;
}

START_TEST(a_burst_passes_and_then_the_rate)
{
	struct limit *l = make(10, 2, 3);
	struct slice a = SLICE("SEP1");
	struct slice b = SLICE("SEP2");

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(limit_take(l, a, 0), 0);
	ck_assert_int_eq(limit_take(l, a, 0), ERR_LIMIT);
	ck_assert_int_eq(limit_take(l, b, 0), 0); /* its own bucket */
	ck_assert_int_eq(limit_take(l, a, 499), ERR_LIMIT);
	ck_assert_int_eq(limit_take(l, a, 500), 0);
	ck_assert_int_eq(limit_take(l, a, 500), ERR_LIMIT);
	ck_assert_uint_eq(stats(l).rate_refused, 3);
	l = limit_free(l);
	ck_assert_ptr_null(l);
}
END_TEST

START_TEST(rate_zero_limits_nothing_and_remembers_nothing)
{
	struct limit *l = make(1, 0, 1);

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(limit_take(l, slice_str("x"), 0), 0);
	ck_assert_uint_eq(stats(l).entries, 0);
	limit_free(l);
}
END_TEST

START_TEST(an_address_counts_without_its_port)
{
	struct limit *l = make(10, 1, 1);
	struct addr a, b, c;

	ck_assert_int_eq(addr_parse(slice_str("192.0.2.1:1"), 0, &a), 0);
	ck_assert_int_eq(addr_parse(slice_str("192.0.2.1:2"), 0, &b), 0);
	ck_assert_int_eq(addr_parse(slice_str("192.0.2.2:1"), 0, &c), 0);
	ck_assert_int_eq(limit_take_addr(l, &a, 0), 0);
	ck_assert_int_eq(limit_take_addr(l, &b, 0), ERR_LIMIT);
	ck_assert_int_eq(limit_take_addr(l, &c, 0), 0);
	/* A device cannot pose as an address by its name. */
	ck_assert_int_eq(limit_take(l, slice_make(a.ip, 4), 0), 0);
	limit_free(l);
}
END_TEST

START_TEST(a_full_table_forgets_the_longest_unused)
{
	struct limit *l = make(2, 1, 1);

	ck_assert_int_eq(limit_take(l, slice_str("a"), 0), 0);
	ck_assert_int_eq(limit_take(l, slice_str("b"), 0), 0);
	ck_assert_int_eq(limit_take(l, slice_str("a"), 0), ERR_LIMIT);
	ck_assert_int_eq(limit_take(l, slice_str("c"), 0), 0); /* b goes */
	ck_assert_int_eq(limit_take(l, slice_str("a"), 0), ERR_LIMIT);
	ck_assert_int_eq(limit_take(l, slice_str("b"), 0), 0); /* c goes */
	ck_assert_uint_eq(stats(l).evicted, 2);
	ck_assert_uint_eq(stats(l).entries, 2);
	limit_free(l);
}
END_TEST

START_TEST(long_names_count_by_their_beginning)
{
	struct limit *l = make(10, 1, 1);
	char name[LIMIT_KEY_MAX + 1];

	memset(name, 'x', sizeof(name));
	ck_assert_int_eq(limit_take(l, slice_make(name, LIMIT_KEY_MAX + 1), 0),
			 0);
	ck_assert_int_eq(limit_take(l, slice_make(name, LIMIT_KEY_MAX), 0),
			 ERR_LIMIT);
	ck_assert_int_eq(limit_take(l, slice_make(name, LIMIT_KEY_MAX - 1), 0),
			 0);
	limit_free(l);
}
END_TEST

START_TEST(a_flood_of_sources_stays_bounded)
{
	struct limit *l = make(100, 1, 1);

	for (int i = 0; i < 10000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		ck_assert_int_eq(limit_take(l, slice_str(name), 0), 0);
	}
	ck_assert_uint_eq(stats(l).entries, 100);
	ck_assert_uint_eq(stats(l).evicted, 9900);
	limit_free(l);
}
END_TEST

static void use_some(void *arg)
{
	struct limit_params p = {.entries = 2, .rate = 1, .burst = 1};
	struct limit *l = limit_new(&p);

	(void)arg;
	if (!l)
		return;
	(void)!limit_take(l, slice_str("a"), 0);
	(void)!limit_take(l, slice_str("b"), 0);
	(void)!limit_take(l, slice_str("c"), 0);
	limit_free(l);
}

START_TEST(limits_survive_failing_memory)
{
	oom_sweep(use_some, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("limit");

	tcase_add_test(tc, a_burst_passes_and_then_the_rate);
	tcase_add_test(tc, rate_zero_limits_nothing_and_remembers_nothing);
	tcase_add_test(tc, an_address_counts_without_its_port);
	tcase_add_test(tc, a_full_table_forgets_the_longest_unused);
	tcase_add_test(tc, long_names_count_by_their_beginning);
	tcase_add_test(tc, a_flood_of_sources_stays_bounded);
	tcase_add_test(tc, limits_survive_failing_memory);
	return run_case("authz/limit", tc);
}
