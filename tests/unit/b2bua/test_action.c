/* Lists of actions own their bytes and survive lack of memory. */
#include <check.h>
#include <stdlib.h>

#include "b2bua/action.h"
#include "lib/oom.h"
#include "lib/run.h"

START_TEST(an_action_is_copied_with_its_bytes)
{
	char text[] = "INVITE";
	struct actions a = {.count = 0};

	ck_assert_int_eq(
		actions_add(&a, &(struct action){.kind = ACTION_SIP_SEND,
						 .call = 7,
						 .bytes = slice_str(text)}),
		0);
	text[0] = 'X';
	ck_assert_uint_eq(a.count, 1);
	ck_assert(slice_eqs(a.item[0].bytes, "INVITE"));
	ck_assert_uint_eq(a.item[0].call, 7);
	actions_done(&a);
	ck_assert_uint_eq(a.count, 0);
	ck_assert_ptr_null(a.item);
}
END_TEST

START_TEST(many_actions_keep_their_order)
{
	struct actions a = {.count = 0};

	for (uint64_t i = 0; i < 100; i++)
		ck_assert_int_eq(
			actions_add(&a,
				    &(struct action){.kind = ACTION_FLOW_DEL,
						     .call = i}),
			0);
	for (uint64_t i = 0; i < 100; i++)
		ck_assert_uint_eq(a.item[i].call, i);
	actions_done(&a);
}
END_TEST

static void body(void *arg)
{
	struct actions a = {.count = 0};
	uint32_t added = 0;

	(void)arg;
	for (int i = 0; i < 20; i++)
		if (actions_add(&a, &(struct action){
					    .kind = ACTION_RECORD,
					    .bytes = slice_str("k=v")}) == 0)
			added++;
	ck_assert_uint_eq(a.count, added);
	actions_done(&a);
}

START_TEST(lack_of_memory_loses_one_action_at_most)
{
	oom_sweep(body, NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("list");

	tcase_add_test(t, an_action_is_copied_with_its_bytes);
	tcase_add_test(t, many_actions_keep_their_order);
	tcase_add_test(t, lack_of_memory_loses_one_action_at_most);
	return run_case("b2bua/action", t);
}
