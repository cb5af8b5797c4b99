/* The heap of deadlines, against a list that is searched. */
#include "lib/run.h"

#include "base/entropy.h"
#include "base/timerq.h"
#include "lib/entropy.h"
#include "lib/oom.h"

enum { NODES = 200 };

START_TEST(deadlines_come_in_order_and_not_early)
{
	struct timerq_node a = {0}, b = {0}, c = {0};
	struct timerq q;

	timerq_init(&q);
	ck_assert_uint_eq(timerq_next(&q), UINT64_MAX);
	ck_assert_ptr_null(timerq_pop(&q, UINT64_MAX));
	ck_assert_int_eq(timerq_set(&q, &a, 30), 0);
	ck_assert_int_eq(timerq_set(&q, &b, 10), 0);
	ck_assert_int_eq(timerq_set(&q, &c, 20), 0);
	ck_assert_uint_eq(timerq_next(&q), 10);
	ck_assert_ptr_null(timerq_pop(&q, 9));
	ck_assert_ptr_eq(timerq_pop(&q, 10), &b);
	ck_assert_uint_eq(b.pos, TIMERQ_NONE);
	ck_assert_ptr_eq(timerq_pop(&q, 99), &c);
	ck_assert_ptr_eq(timerq_pop(&q, 99), &a);
	ck_assert_ptr_null(timerq_pop(&q, 99));
	timerq_done(&q);
}
END_TEST

START_TEST(a_deadline_can_be_moved_and_cleared)
{
	struct timerq_node a = {0}, b = {0};
	struct timerq q;

	timerq_init(&q);
	timerq_clear(&q, &a); /* unset: nothing */
	ck_assert_int_eq(timerq_set(&q, &a, 10), 0);
	ck_assert_int_eq(timerq_set(&q, &b, 20), 0);
	ck_assert_int_eq(timerq_set(&q, &a, 30), 0);
	ck_assert_uint_eq(q.count, 2);
	ck_assert_uint_eq(timerq_next(&q), 20);
	timerq_clear(&q, &b);
	timerq_clear(&q, &b);
	ck_assert_uint_eq(timerq_next(&q), 30);
	timerq_clear(&q, &a);
	ck_assert_uint_eq(timerq_next(&q), UINT64_MAX);
	timerq_done(&q);
}
END_TEST

static uint64_t least(const struct timerq_node *n)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < NODES; i++)
		if (n[i].pos != TIMERQ_NONE && n[i].at_ms < at)
			at = n[i].at_ms;
	return at;
}

START_TEST(random_use_agrees_with_a_search)
{
	static struct timerq_node node[NODES];
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 3);
	struct timerq q;
	uint64_t now = 0;

	timerq_init(&q);
	for (int i = 0; i < 20000; i++) {
		struct timerq_node *n = &node[entropy_u32(&e) % NODES];
		struct timerq_node *due;

		if (entropy_u32(&e) % 4)
			ck_assert_int_eq(
				timerq_set(&q, n, now + entropy_u32(&e) % 500),
				0);
		else
			timerq_clear(&q, n);
		ck_assert_uint_eq(timerq_next(&q), least(node));
		now += entropy_u32(&e) % 5;
		while ((due = timerq_pop(&q, now)) != NULL)
			ck_assert_uint_le(due->at_ms, now);
		ck_assert_uint_gt(timerq_next(&q), now);
	}
	timerq_done(&q);
}
END_TEST

static void fill(void *arg)
{
	struct timerq_node node[NODES] = {0};
	struct timerq q;
	uint32_t n = 0;

	(void)arg;
	timerq_init(&q);
	for (size_t i = 0; i < NODES; i++) {
		int err = timerq_set(&q, &node[i], NODES - i);

		ck_assert(err == 0 || err == ERR_NOMEM);
		ck_assert_int_eq(node[i].pos != TIMERQ_NONE, err == 0);
		n += err == 0;
	}
	ck_assert_uint_eq(q.count, n);
	while (timerq_pop(&q, UINT64_MAX))
		n--;
	ck_assert_uint_eq(n, 0);
	timerq_done(&q);
}

START_TEST(the_heap_survives_failing_memory)
{
	oom_sweep(fill, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("timerq");

	tcase_add_test(tc, deadlines_come_in_order_and_not_early);
	tcase_add_test(tc, a_deadline_can_be_moved_and_cleared);
	tcase_add_test(tc, random_use_agrees_with_a_search);
	tcase_add_test(tc, the_heap_survives_failing_memory);
	return run_case("base/timerq", tc);
}
