/* Handles: stale ones find nothing, slots grow to their limit. */
#include "lib/run.h"

#include "base/handle.h"
#include "lib/oom.h"

static int obj[100];

START_TEST(a_handle_finds_its_object_until_it_is_retired)
{
	struct slots s;
	struct handle a, b;

	slots_init(&s, 10);
	ck_assert_int_eq(slots_add(&s, &obj[0], &a), 0);
	ck_assert_int_eq(slots_add(&s, &obj[1], &b), 0);
	ck_assert_ptr_eq(slots_find(&s, a), &obj[0]);
	ck_assert_ptr_eq(slots_find(&s, b), &obj[1]);
	slots_del(&s, a);
	ck_assert_ptr_null(slots_find(&s, a));
	slots_del(&s, a); /* again: nothing */
	ck_assert_uint_eq(s.count, 1);
	slots_done(&s);
}
END_TEST

START_TEST(a_stale_handle_does_not_find_the_successor)
{
	struct slots s;
	struct handle a, b;

	slots_init(&s, 1);
	ck_assert_int_eq(slots_add(&s, &obj[0], &a), 0);
	slots_del(&s, a);
	ck_assert_int_eq(slots_add(&s, &obj[1], &b), 0);
	ck_assert_uint_eq(a.index, b.index);
	ck_assert(!handle_eq(a, b));
	ck_assert_uint_ne(handle_u64(a), handle_u64(b));
	ck_assert_ptr_null(slots_find(&s, a));
	slots_del(&s, a);
	ck_assert_ptr_eq(slots_find(&s, b), &obj[1]);
	slots_done(&s);
}
END_TEST

START_TEST(generations_pass_over_zero)
{
	struct slots s;
	struct handle a;

	slots_init(&s, 1);
	ck_assert_int_eq(slots_add(&s, &obj[0], &a), 0);
	slots_del(&s, a);
	s.slot[0].gen = UINT32_MAX;
	ck_assert_int_eq(slots_add(&s, &obj[0], &a), 0);
	ck_assert_uint_eq(a.gen, 1);
	ck_assert(!handle_is_none(a));
	slots_done(&s);
}
END_TEST

START_TEST(nothing_is_found_for_the_handle_of_nothing)
{
	struct slots s;
	struct handle far = {.index = 5000, .gen = 1};

	slots_init(&s, 10);
	ck_assert(handle_is_none(HANDLE_NONE));
	ck_assert_ptr_null(slots_find(&s, HANDLE_NONE));
	ck_assert_ptr_null(slots_find(&s, far));
	slots_del(&s, far);
	slots_done(&s);
}
END_TEST

START_TEST(the_limit_is_kept_and_places_are_used_again)
{
	struct slots s;
	struct handle h[20], more;

	slots_init(&s, 20);
	for (size_t i = 0; i < 20; i++)
		ck_assert_int_eq(slots_add(&s, &obj[i], &h[i]), 0);
	ck_assert_int_eq(slots_add(&s, &obj[20], &more), ERR_LIMIT);
	slots_del(&s, h[7]);
	ck_assert_int_eq(slots_add(&s, &obj[20], &more), 0);
	ck_assert_uint_eq(more.index, h[7].index);
	ck_assert_uint_eq(s.count, 20);
	slots_done(&s);
}
END_TEST

START_TEST(a_walk_may_delete_what_it_is_given)
{
	struct slots s;
	struct handle h[30];
	uint32_t pos = 0;
	unsigned n = 0;
	int *p;

	slots_init(&s, 30);
	for (size_t i = 0; i < 30; i++)
		ck_assert_int_eq(slots_add(&s, &obj[i], &h[i]), 0);
	slots_del(&s, h[3]);
	while ((p = slots_next(&s, &pos)) != NULL) {
		slots_del(&s, h[p - obj]);
		n++;
	}
	ck_assert_uint_eq(n, 29);
	ck_assert_uint_eq(s.count, 0);
	slots_done(&s);
}
END_TEST

static void fill(void *arg)
{
	struct slots s;
	struct handle h;

	(void)arg;
	slots_init(&s, 40);
	for (size_t i = 0; i < 40; i++) {
		int err = slots_add(&s, &obj[i], &h);

		ck_assert(err == 0 || err == ERR_NOMEM);
		if (err == 0)
			ck_assert_ptr_eq(slots_find(&s, h), &obj[i]);
	}
	slots_done(&s);
}

START_TEST(slots_survive_failing_memory)
{
	oom_sweep(fill, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("handle");

	tcase_add_test(tc, a_handle_finds_its_object_until_it_is_retired);
	tcase_add_test(tc, a_stale_handle_does_not_find_the_successor);
	tcase_add_test(tc, generations_pass_over_zero);
	tcase_add_test(tc, nothing_is_found_for_the_handle_of_nothing);
	tcase_add_test(tc, the_limit_is_kept_and_places_are_used_again);
	tcase_add_test(tc, a_walk_may_delete_what_it_is_given);
	tcase_add_test(tc, slots_survive_failing_memory);
	return run_case("base/handle", tc);
}
