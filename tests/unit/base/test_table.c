/* The hash table: growth, its limit, equal keys, failing memory. */
#include "lib/run.h"

#include <stdio.h>

#include "base/table.h"
#include "lib/oom.h"

enum { MANY = 1000 };

struct item {
	struct table_node node;
	char key[16];
};

static struct item items[MANY];

static struct slice key_of(int i)
{
	snprintf(items[i].key, sizeof(items[i].key), "key %d", i);
	return slice_str(items[i].key);
}

static struct item *find(struct table *t, const char *key)
{
	return TABLE_ENTRY(table_find(t, slice_str(key)), struct item, node);
}

START_TEST(many_keys_are_found_again)
{
	struct table t;

	table_init(&t, MANY, 12345);
	ck_assert_ptr_null(find(&t, "key 0"));
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(table_add(&t, &items[i].node, key_of(i)), 0);
	ck_assert_uint_eq(t.count, MANY);
	for (int i = 0; i < MANY; i++)
		ck_assert_ptr_eq(find(&t, items[i].key), &items[i]);
	ck_assert_ptr_null(find(&t, "key"));
	ck_assert_ptr_null(find(&t, "key 1000"));
	for (int i = 0; i < MANY; i += 2)
		table_del(&t, &items[i].node);
	for (int i = 0; i < MANY; i++)
		ck_assert_ptr_eq(find(&t, items[i].key),
				 i % 2 ? &items[i] : NULL);
	ck_assert_uint_eq(t.count, MANY / 2);
	table_done(&t);
}
END_TEST

START_TEST(the_limit_is_kept)
{
	struct table t;

	table_init(&t, 3, 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(table_add(&t, &items[i].node, key_of(i)), 0);
	ck_assert_int_eq(table_add(&t, &items[3].node, key_of(3)), ERR_LIMIT);
	table_del(&t, &items[1].node);
	ck_assert_int_eq(table_add(&t, &items[3].node, key_of(3)), 0);
	table_done(&t);
}
END_TEST

START_TEST(nodes_may_share_a_key)
{
	struct slice key = SLICE("same");
	struct table t;
	struct table_node *n;
	int found = 0;

	table_init(&t, 100, 1);
	for (int i = 0; i < 80; i++)
		ck_assert_int_eq(
			table_add(&t, &items[i].node, i % 4 ? key_of(i) : key),
			0);
	for (n = table_find(&t, key); n; n = table_find_next(n))
		found++;
	ck_assert_int_eq(found, 20);
	table_done(&t);
}
END_TEST

START_TEST(unlinking_what_is_not_linked_changes_nothing)
{
	struct item lone = {.key = "x"};
	struct table t;

	table_init(&t, 10, 1);
	table_del(&t, &lone.node);
	ck_assert_int_eq(table_add(&t, &items[0].node, key_of(0)), 0);
	table_del(&t, &lone.node);
	ck_assert_uint_eq(t.count, 1);
	table_del(&t, &items[0].node);
	table_del(&t, &items[0].node);
	ck_assert_uint_eq(t.count, 0);
	table_done(&t);
}
END_TEST

/* Keys of every length around the eight-byte blocks of the hash, in memory
 * of exactly that size. */
START_TEST(keys_of_every_length_are_told_apart)
{
	struct item it[33];
	uint8_t *key[33];
	struct table t;

	table_init(&t, 33, 99);
	for (size_t n = 0; n < 33; n++) {
		key[n] = calloc(1, n > 0 ? n : 1);
		ck_assert_int_eq(
			table_add(&t, &it[n].node, slice_make(key[n], n)), 0);
	}
	for (size_t n = 0; n < 33; n++)
		ck_assert_ptr_eq(table_find(&t, slice_make(key[n], n)),
				 &it[n].node);
	table_done(&t);
	for (size_t n = 0; n < 33; n++)
		free(key[n]);
}
END_TEST

START_TEST(another_seed_is_another_order)
{
	struct table a, b;

	table_init(&a, 10, 1);
	table_init(&b, 10, 2);
	ck_assert_int_eq(table_add(&a, &items[0].node, key_of(0)), 0);
	ck_assert_int_eq(table_add(&b, &items[1].node, key_of(0)), 0);
	ck_assert_uint_ne(items[0].node.hash, items[1].node.hash);
	table_done(&a);
	table_done(&b);
}
END_TEST

static void fill(void *arg)
{
	struct table t;
	size_t added = 0;

	(void)arg;
	table_init(&t, MANY, 1);
	for (int i = 0; i < 300; i++) {
		int err = table_add(&t, &items[i].node, key_of(i));

		ck_assert(err == 0 || err == ERR_NOMEM);
		if (err == 0) {
			added++;
			ck_assert_ptr_eq(find(&t, items[i].key), &items[i]);
		}
	}
	ck_assert_uint_eq(t.count, added);
	table_done(&t);
}

START_TEST(a_table_survives_failing_memory)
{
	oom_sweep(fill, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("table");

	tcase_add_test(tc, many_keys_are_found_again);
	tcase_add_test(tc, the_limit_is_kept);
	tcase_add_test(tc, nodes_may_share_a_key);
	tcase_add_test(tc, unlinking_what_is_not_linked_changes_nothing);
	tcase_add_test(tc, keys_of_every_length_are_told_apart);
	tcase_add_test(tc, another_seed_is_another_order);
	tcase_add_test(tc, a_table_survives_failing_memory);
	return run_case("base/table", tc);
}
