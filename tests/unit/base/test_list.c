/* Intrusive lists. */
#include "lib/run.h"

#include "base/list.h"

struct item {
	int n;
	struct list node;
};

START_TEST(nodes_stay_in_order_and_leave_from_anywhere)
{
	struct list head, *pos, *tmp;
	struct item it[5];
	int sum = 0;

	list_init(&head);
	ck_assert(list_empty(&head));
	for (int i = 0; i < 5; i++) {
		it[i].n = i;
		list_append(&head, &it[i].node);
	}
	list_for_each(pos, &head)
		sum = sum * 10 + LIST_ENTRY(pos, struct item, node)->n;
	ck_assert_int_eq(sum, 1234);
	list_for_each_safe(pos, tmp, &head)
		if (LIST_ENTRY(pos, struct item, node)->n % 2 == 0)
			list_del(pos);
	sum = 0;
	list_for_each(pos, &head)
		sum = sum * 10 + LIST_ENTRY(pos, struct item, node)->n;
	ck_assert_int_eq(sum, 13);
	list_del(&it[0].node); /* again: harmless */
	list_del(&it[1].node);
	list_del(&it[3].node);
	ck_assert(list_empty(&head));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("list");

	tcase_add_test(tc, nodes_stay_in_order_and_leave_from_anywhere);
	return run_case("base/list", tc);
}
