/*
 * Restoring what a predecessor saved (fuzz/fuzz_save.in holds such objects):
 * all of it or nothing, whatever is missing of the bytes or of memory.
 */
#include <check.h>
#include <stdio.h>

#include "b2bua/save.h"
#include "lib/entropy.h"
#include "lib/oom.h"
#include "lib/run.h"

enum { NOW_MS = 1000000, BYTES_MAX = 8192 };

static const char *const object[] = {"call-1", "call-5", "call-10",
				     "binding-1"};
static uint8_t bytes[BYTES_MAX];
static struct test_entropy entropy;

static struct slice object_read(const char *name)
{
	char path[512];
	size_t len;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/fuzz/fuzz_save.in/%s",
		       TEST_SRCDIR, name);
	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	len = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	ck_assert_uint_gt(len, 10);
	ck_assert_uint_lt(len, sizeof(bytes));
	return slice_make(bytes, len);
}

static struct calls *machine(void)
{
	struct calls_params p = {.outside_port_min = 20000,
				 .outside_port_max = 20019,
				 .inside_port_min = 30000,
				 .inside_port_max = 30019,
				 .binding_limit = 2,
				 .call_limit = 2,
				 .txn_limit = 16,
				 .t1_ms = 500,
				 .t2_ms = 4000,
				 .t4_ms = 5000,
				 .entropy = test_entropy(&entropy, 1),
				 .seed = 42};
	struct calls *c;

	ck_assert_int_eq(
		addr_parse_ip(slice_str("192.0.2.1"), &p.media_outside), 0);
	ck_assert_int_eq(addr_parse_ip(slice_str("10.0.0.1"), &p.media_inside),
			 0);
	c = calls_new(&p, NOW_MS);
	ck_assert_ptr_nonnull(c);
	return c;
}

static void reach(void *ctx, enum side side, struct dest *dest)
{
	(void)ctx;
	dest->ep = side == SIDE_CORE ? (struct handle){.index = 1, .gen = 1}
				     : HANDLE_NONE;
}

static int restore(struct calls *c, struct slice s)
{
	struct save_restore how = {.reach = reach};

	return calls_restore(c, s, &how, NOW_MS);
}

static uint32_t objects(const struct calls *c)
{
	uint32_t calls;
	uint32_t bindings;
	uint32_t txns;

	calls_counts(c, &calls, &bindings, &txns);
	return calls + bindings;
}

START_TEST(without_memory_nothing_is_left_of_it)
{
	struct slice s = object_read(object[_i]);
	bool has_failed = true;

	for (uint64_t n = 1; has_failed; n++) {
		struct calls *c = machine();
		int err;

		ck_assert_uint_lt(n, 1000);
		oom_arm(n);
		err = restore(c, s);
		has_failed = oom_disarm();
		ck_assert_int_eq(err, has_failed ? ERR_NOMEM : 0);
		ck_assert_uint_eq(objects(c), has_failed ? 0 : 1);
		/* Its ports and names are free. */
		if (has_failed)
			ck_assert_int_eq(restore(c, s), 0);
		ck_assert_int_eq(restore(c, s), ERR_EXISTS);
		calls_free(c);
	}
}
END_TEST

START_TEST(cut_short_anywhere_nothing_is_left_of_it)
{
	struct slice s = object_read(object[_i]);
	struct calls *c = machine();

	for (size_t len = 0; len < s.len; len++) {
		ck_assert_int_eq(restore(c, slice_make(s.ptr, len)), ERR_BAD);
		ck_assert_uint_eq(objects(c), 0);
	}
	ck_assert_int_eq(restore(c, s), 0);
	ck_assert_uint_eq(objects(c), 1);
	calls_free(c);
}
END_TEST

START_TEST(another_version_is_refused)
{
	struct slice s = object_read(object[_i]);
	struct calls *c = machine();

	bytes[0]++;
	ck_assert_int_eq(restore(c, s), ERR_BAD);
	ck_assert_uint_eq(objects(c), 0);
	calls_free(c);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("save");

	tcase_add_loop_test(tc, without_memory_nothing_is_left_of_it, 0,
			    ROWS(object));
	tcase_add_loop_test(tc, cut_short_anywhere_nothing_is_left_of_it, 0,
			    ROWS(object));
	tcase_add_loop_test(tc, another_version_is_refused, 0, ROWS(object));
	return run_case("save", tc);
}
