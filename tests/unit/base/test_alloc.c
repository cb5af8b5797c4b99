/* The way to the heap: zeroed, bounded, and able to fail on demand. */
#include "lib/run.h"

#include "base/alloc.h"
#include "lib/oom.h"

START_TEST(memory_comes_zeroed)
{
	uint8_t *p = alloc_array(100, 3);

	for (size_t i = 0; i < 300; i++)
		ck_assert_uint_eq(p[i], 0);
	p = alloc_free(p);
	ck_assert_ptr_null(p);
	ck_assert_ptr_null(alloc_free(NULL));
}
END_TEST

START_TEST(nothing_is_still_a_block)
{
	void *p = alloc_zero(0);
	void *q = alloc_array(0, 8);

	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_nonnull(q);
	alloc_free(p);
	alloc_free(q);
}
END_TEST

START_TEST(the_largest_block_is_given_and_one_byte_more_is_not)
{
	void *p = alloc_zero(ALLOC_MAX);

	ck_assert_ptr_nonnull(p);
	alloc_free(p);
	ck_assert_ptr_null(alloc_zero((size_t)ALLOC_MAX + 1));
	ck_assert_ptr_null(alloc_resize(NULL, (size_t)ALLOC_MAX + 1, 1));
}
END_TEST

START_TEST(products_that_overflow_are_refused)
{
	ck_assert_ptr_null(alloc_array(SIZE_MAX / 2 + 1, 2));
	ck_assert_ptr_null(alloc_array(SIZE_MAX, SIZE_MAX));
	ck_assert_ptr_null(alloc_resize(NULL, SIZE_MAX / 4 + 1, 8));
}
END_TEST

START_TEST(growing_keeps_what_was_there)
{
	uint8_t *p = alloc_resize(NULL, 4, 1);
	uint8_t *q;

	memcpy(p, "abcd", 4);
	q = alloc_resize(p, 4000, 1);
	ck_assert_mem_eq(q, "abcd", 4);
	ck_assert_ptr_null(alloc_resize(q, SIZE_MAX, 2));
	ck_assert_mem_eq(q, "abcd", 4); /* still ours */
	alloc_free(q);
}
END_TEST

START_TEST(a_copy_ends_with_nul)
{
	char *p = alloc_copy(slice_str("abc"));
	char *q = alloc_copy(SLICE_NULL);

	ck_assert_str_eq(p, "abc");
	ck_assert_str_eq(q, "");
	alloc_free(p);
	alloc_free(q);
	ck_assert_ptr_null(alloc_copy((struct slice){NULL, ALLOC_MAX}));
}
END_TEST

static void count_up(void *arg)
{
	int *runs = arg;
	void *p = alloc_zero(1);
	void *q = alloc_resize(NULL, 1, 1);

	alloc_free(p);
	alloc_free(q);
	(*runs)++;
}

START_TEST(the_sweep_fails_each_allocation_once)
{
	int runs = 0;

	oom_sweep(count_up, &runs);
	ck_assert_int_eq(runs, 3);
	oom_arm(1);
	ck_assert_ptr_null(alloc_zero(1));
	ck_assert(oom_disarm());
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("alloc");

	tcase_add_test(tc, memory_comes_zeroed);
	tcase_add_test(tc, nothing_is_still_a_block);
	tcase_add_test(tc, the_largest_block_is_given_and_one_byte_more_is_not);
	tcase_add_test(tc, products_that_overflow_are_refused);
	tcase_add_test(tc, growing_keeps_what_was_there);
	tcase_add_test(tc, a_copy_ends_with_nul);
	tcase_add_test(tc, the_sweep_fails_each_allocation_once);
	return run_case("base/alloc", tc);
}
