/* The pool of relay ports. */
#include <check.h>
#include <stdlib.h>

#include "flow/ports.h"
#include "lib/oom.h"
#include "lib/run.h"

static const struct {
	uint16_t min, max;
	uint32_t total;
} ranges[] = {
	{40000, 40001, 1}, {40000, 40002, 1}, {40001, 40003, 1},
	{40000, 40009, 5}, {40001, 40002, 0}, {40000, 40000, 0},
	{0, 3, 1},	   {65534, 65535, 1}, {1024, 65535, 32256},
};

START_TEST(odd_edges_of_a_range_are_left_out)
{
	struct ports *p = ports_new(ranges[_i].min, ranges[_i].max, 0, 1);

	if (ranges[_i].total == 0) {
		ck_assert_ptr_null(p);
		return;
	}
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(ports_total(p), ranges[_i].total);
	ports_free(p);
}
END_TEST

START_TEST(every_pair_is_given_once_and_is_even)
{
	struct ports *p = ports_new(40000, 40199, 1000, 3);
	bool seen[200] = {false};
	uint16_t port;

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(ports_take(p, 0, &port), 0);
		ck_assert(port >= 40000 && port <= 40198 && port % 2 == 0);
		ck_assert(!seen[port - 40000]);
		seen[port - 40000] = true;
	}
	ck_assert_uint_eq(ports_used(p), 100);
	ck_assert_int_eq(ports_take(p, 0, &port), ERR_LIMIT);
	ports_free(p);
}
END_TEST

START_TEST(a_returned_pair_rests_to_the_millisecond)
{
	struct ports *p = ports_new(40000, 40001, 1000, 0);
	uint16_t port;

	ck_assert_int_eq(ports_take(p, 5, &port), 0);
	ck_assert_int_eq(ports_give(p, 10, port), 0);
	ck_assert_int_eq(ports_take(p, 1009, &port), ERR_LIMIT);
	ck_assert_int_eq(ports_take(p, 1010, &port), 0);
	ports_free(p);
}
END_TEST

START_TEST(what_was_not_taken_cannot_be_given_back)
{
	struct ports *p = ports_new(40000, 40009, 0, 0);
	uint16_t port;

	ck_assert_int_eq(ports_take(p, 0, &port), 0);
	ck_assert_int_eq(ports_give(p, 0, (uint16_t)(port + 1)), ERR_NOTFOUND);
	ck_assert_int_eq(ports_give(p, 0, 39998), ERR_NOTFOUND);
	ck_assert_int_eq(ports_give(p, 0, 40010), ERR_NOTFOUND);
	ck_assert_int_eq(ports_give(p, 0, port), 0);
	ck_assert_int_eq(ports_give(p, 0, port), ERR_NOTFOUND);
	ck_assert_uint_eq(ports_used(p), 0);
	ports_free(p);
}
END_TEST

START_TEST(the_order_depends_on_the_start)
{
	struct ports *a = ports_new(20000, 29999, 0, 1);
	struct ports *b = ports_new(20000, 29999, 0, 2);
	int same = 0;

	for (int i = 0; i < 100; i++) {
		uint16_t x, y;

		ck_assert_int_eq(ports_take(a, 0, &x), 0);
		ck_assert_int_eq(ports_take(b, 0, &y), 0);
		same += x == y;
	}
	ck_assert_int_lt(same, 5);
	ports_free(a);
	ports_free(b);
}
END_TEST

static void make(void *arg)
{
	(void)arg;
	ports_free(ports_new(40000, 40009, 0, 0));
}

START_TEST(no_memory_is_survived)
{
	oom_sweep(make, NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("ports");

	tcase_add_loop_test(t, odd_edges_of_a_range_are_left_out, 0, 9);
	tcase_add_test(t, every_pair_is_given_once_and_is_even);
	tcase_add_test(t, a_returned_pair_rests_to_the_millisecond);
	tcase_add_test(t, what_was_not_taken_cannot_be_given_back);
	tcase_add_test(t, the_order_depends_on_the_start);
	tcase_add_test(t, no_memory_is_survived);
	return run_case("ports", t);
}
