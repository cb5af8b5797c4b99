/*
 * Restoring what a predecessor saved: all of it or nothing, whatever is missing
 * of the bytes or of memory; and that the present version of the format is what
 * it was (vectors/save), so that a daemon that is updated while calls go on
 * does not misread what the old one left.
 *
 * Called as "test_save write DIRECTORY" it writes these files anew: to be done
 * when SAVE_VERSION has been raised, or when the scenarios that make the objects
 * have changed and the format has not.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "b2bua/save.h"
#include "lib/entropy.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "replay/objects.h"

enum { NOW_MS = 1000000, BYTES_MAX = 8192, DIFFS_MAX = 8 };

static const char *const object[] = {
	"restart-out.scn C0", "joined.scn C0", "offer-two-lines.scn C0",
	"refer.scn C0",	      "refer.scn S0",  "restart-sub.scn S0",
	"restart-sub.scn B0"};
static uint8_t bytes[BYTES_MAX];
static struct test_entropy entropy;

/* A copy that may be changed. */
static struct slice object_make(const char *name)
{
	struct slice s = objects_find(name);

	ck_assert_uint_le(s.len, sizeof(bytes));
	memcpy(bytes, s.ptr, s.len);
	return slice_make(bytes, s.len);
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
				 .sub_limit = 2,
				 .sub_device_limit = 2,
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
	p.core.ep = (struct handle){.index = 1, .gen = 1};
	ck_assert_int_eq(
		addr_parse(slice_str("10.0.0.2:5060"), 0, &p.core.peer), 0);
	ck_assert_int_eq(
		addr_parse(slice_str("10.0.0.1:5060"), 0, &p.core.local), 0);
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
	uint32_t subs;
	uint64_t refused;

	calls_counts(c, &calls, &bindings, &txns);
	calls_subs(c, &subs, &refused);
	ck_assert_uint_eq(refused, 0);
	return calls + bindings + subs;
}

START_TEST(without_memory_nothing_is_left_of_it)
{
	struct slice s = object_make(object[_i]);
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
	struct slice s = object_make(object[_i]);
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
	struct slice s = object_make(object[_i]);
	struct calls *c = machine();

	bytes[0]++;
	ck_assert_int_eq(restore(c, s), ERR_BAD);
	ck_assert_uint_eq(objects(c), 0);
	calls_free(c);
}
END_TEST

/* Nor does one more than a limit allows. */
START_TEST(beyond_the_limit_nothing_is_left_of_it)
{
	static const char *const name[] = {"subscribe-fork.scn S0",
					   "subscribe-fork.scn S1",
					   "subscribe-fork.scn S2"};
	struct calls *c = machine();

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(restore(c, objects_find(name[i])), 0);
	ck_assert_int_eq(restore(c, objects_find(name[2])), ERR_LIMIT);
	ck_assert_uint_eq(objects(c), 2);
	calls_free(c);
}
END_TEST

/* ---- the present format ------------------------------------------------------- */

/* File and object. */
static const char *const golden[][2] = {
	{"call", "joined.scn C0"},
	{"call-two-lines", "offer-two-lines.scn C0"},
	{"call-refers", "refer.scn C0"},
	{"binding", "restart-sub.scn B0"},
	{"subscription", "restart-sub.scn S0"},
	{"subscription-refer", "refer.scn S0"}};

static void golden_path(char *buf, size_t cap, const char *dir, int i)
{
	(void)snprintf(buf, cap, "%s/%s", dir, golden[i][0]);
}

static struct slice golden_read(int i)
{
	char path[512];
	size_t len;
	FILE *f;

	golden_path(path, sizeof(path), TEST_SRCDIR "/vectors/save", i);
	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	len = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	ck_assert_uint_gt(len, 10);
	ck_assert_uint_lt(len, sizeof(bytes));
	return slice_make(bytes, len);
}

/* What was written by this version is read, and written again it is the same
 * but for the numbers that leave a gap and the times that look ahead. */
START_TEST(what_this_version_wrote_is_read)
{
	struct slice s = golden_read(_i);
	struct calls *c = machine();
	struct actions out = {.count = 0};
	struct slice key;
	struct slice rest;
	unsigned diffs = 0;

	ck_assert_int_eq(restore(c, s), 0);
	ck_assert_int_eq(calls_save_all(c, &out), 0);
	ck_assert_uint_eq(out.count, 1);
	ck_assert_int_eq(save_split(out.item[0].bytes, &key, &rest), 0);
	ck_assert_uint_eq(rest.len, s.len);
	for (size_t i = 0; i < s.len; i++)
		diffs += s.ptr[i] != rest.ptr[i];
	ck_assert_uint_le(diffs, DIFFS_MAX);
	actions_done(&out);
	calls_free(c);
}
END_TEST

START_TEST(this_version_writes_what_it_wrote)
{
	struct slice was = golden_read(_i);
	struct slice is = objects_find(golden[_i][1]);

	ck_assert_msg(was.ptr[0] == is.ptr[0],
		      "vectors/save is of version %u, this is %u: see the top "
		      "of test_save.c",
		      was.ptr[0], is.ptr[0]);
	ck_assert_msg(slice_eq(was, is),
		      "%s is not what vectors/save/%s has: if the format has "
		      "changed, raise SAVE_VERSION; see the top of test_save.c",
		      golden[_i][1], golden[_i][0]);
}
END_TEST

static int write_golden(const char *dir)
{
	for (int i = 0; i < (int)ROWS(golden); i++) {
		struct slice s = objects_find(golden[i][1]);
		char path[512];
		FILE *f;

		golden_path(path, sizeof(path), dir, i);
		f = fopen(path, "wb");
		if (!f || fwrite(s.ptr, 1, s.len, f) != s.len ||
		    fclose(f) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	TCase *tc = tcase_create("save");

	if (argc == 3 && strcmp(argv[1], "write") == 0)
		return write_golden(argv[2]);
	tcase_add_loop_test(tc, without_memory_nothing_is_left_of_it, 0,
			    ROWS(object));
	tcase_add_loop_test(tc, cut_short_anywhere_nothing_is_left_of_it, 0,
			    ROWS(object));
	tcase_add_loop_test(tc, another_version_is_refused, 0, ROWS(object));
	tcase_add_test(tc, beyond_the_limit_nothing_is_left_of_it);
	tcase_add_loop_test(tc, what_this_version_wrote_is_read, 0,
			    ROWS(golden));
	tcase_add_loop_test(tc, this_version_writes_what_it_wrote, 0,
			    ROWS(golden));
	return run_case("save", tc);
}
