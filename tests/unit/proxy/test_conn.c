/* What is remembered about connections: found by handle, limited. */
#include "lib/oom.h"
#include "lib/run.h"
#include "proxy/conn.h"

static struct handle ep(uint32_t index, uint32_t gen)
{
	return (struct handle){.index = index, .gen = gen};
}

START_TEST(a_connection_is_found_by_its_handle_and_generation)
{
	struct conns cs;
	struct conn *c;

	conns_init(&cs, 10, 1);
	ck_assert_int_eq(conns_add(&cs, ep(3, 1), &c), 0);
	ck_assert_ptr_eq(conns_find(&cs, ep(3, 1)), c);
	ck_assert_ptr_null(conns_find(&cs, ep(3, 2)));
	ck_assert_ptr_null(conns_find(&cs, HANDLE_NONE));
	ck_assert_ptr_null(c->device);
	ck_assert_uint_eq(c->scanned, 0);
	ck_assert_str_eq(c->subject, "");
	conns_del(&cs, c);
	ck_assert_ptr_null(conns_find(&cs, ep(3, 1)));
	conns_done(&cs);
}
END_TEST

START_TEST(connections_are_limited)
{
	struct conns cs;
	struct conn *c;
	struct conn *kept;

	conns_init(&cs, 2, 1);
	ck_assert_int_eq(conns_add(&cs, ep(1, 1), &kept), 0);
	ck_assert_int_eq(conns_add(&cs, ep(2, 1), &c), 0);
	ck_assert_int_eq(conns_add(&cs, ep(4, 1), &c), ERR_LIMIT);
	conns_del(&cs, kept);
	ck_assert_int_eq(conns_add(&cs, ep(4, 1), &c), 0);
	conns_done(&cs); /* frees what is left */
}
END_TEST

static void add_some(void *arg)
{
	struct conns cs;
	struct conn *c;

	(void)arg;
	conns_init(&cs, 10, 1);
	for (uint32_t i = 1; i < 4; i++)
		if (conns_add(&cs, ep(i, 1), &c) == 0)
			ck_assert_ptr_eq(conns_find(&cs, ep(i, 1)), c);
	conns_done(&cs);
}

START_TEST(out_of_memory_leaves_nothing_behind)
{
	oom_sweep(add_some, NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("connections");

	tcase_add_test(t, a_connection_is_found_by_its_handle_and_generation);
	tcase_add_test(t, connections_are_limited);
	tcase_add_test(t, out_of_memory_leaves_nothing_behind);
	return run_case("proxy/conn", t);
}
