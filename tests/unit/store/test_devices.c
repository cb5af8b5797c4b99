/* store/devices.c on a real file: changes are made together or not at all. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/run.h"
#include "store/devices.h"

static char dir[64];
static char path[128];
static uint8_t bytes[8192];
static struct writer w;

static void set_up(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/sallyport-devices-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/store.db", dir);
	writer_init(&w, bytes, sizeof(bytes));
}

static void tear_down(void)
{
	static const char *const suffix[] = {"", "-wal", "-shm", "-journal"};
	char name[160];

	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		(void)unlink(name);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct store *must_open(void)
{
	char why[STORE_MESSAGE_MAX] = "";
	struct store *s = NULL;

	ck_assert_msg(store_open(path, &s, why) == 0, "%s", why);
	return s;
}

static void add(enum store_change_kind kind, const char *name, const char *text)
{
	store_change_write(&w, &(struct store_change){.kind = kind,
						      .name = slice_str(name),
						      .text = slice_str(text)});
	ck_assert(writer_ok(&w));
}

static int change(struct store *s)
{
	int err = store_devices_change(s, writer_slice(&w), 1);

	writer_init(&w, bytes, sizeof(bytes));
	return err;
}

static bool collect(void *ctx, struct slice name, struct slice text)
{
	char *out = ctx;
	size_t n = strlen(out);

	(void)snprintf(out + n, 256 - n, "%.*s=%.*s;", SLICE_FMT(name),
		       SLICE_FMT(text));
	return strstr(out, "STOP") == NULL;
}

static void must_hold(struct store *s, const char *after, const char *all)
{
	char out[256] = "";

	ck_assert_int_eq(store_devices_list(s, slice_str(after), collect, out),
			 0);
	ck_assert_str_eq(out, all);
}

START_TEST(devices_are_put_replaced_and_deleted)
{
	struct store *s = must_open();

	must_hold(s, "", "");
	add(STORE_CHANGE_PUT, "B", "nat=yes\n");
	add(STORE_CHANGE_PUT, "A", "");
	ck_assert_int_eq(change(s), 0);
	must_hold(s, "", "A=;B=nat=yes\n;");
	must_hold(s, "A", "B=nat=yes\n;");
	add(STORE_CHANGE_PUT, "A", "x");
	add(STORE_CHANGE_DEL, "B", "");
	add(STORE_CHANGE_DEL, "C", "");
	ck_assert_int_eq(change(s), 0);
	store_close(s);
	s = must_open();
	must_hold(s, "", "A=x;");
	add(STORE_CHANGE_CLEAR, "", "");
	add(STORE_CHANGE_PUT, "STOP", "1");
	add(STORE_CHANGE_PUT, "Z", "2");
	ck_assert_int_eq(change(s), 0);
	must_hold(s, "", "STOP=1;"); /* the walk ends when told */
	store_close(s);
}
END_TEST

START_TEST(a_list_that_is_broken_anywhere_changes_nothing)
{
	struct store *s = must_open();
	size_t len;

	add(STORE_CHANGE_PUT, "A", "1");
	ck_assert_int_eq(change(s), 0);
	add(STORE_CHANGE_CLEAR, "", "");
	add(STORE_CHANGE_PUT, "B", "2");
	len = w.len;
	for (size_t n = 1; n < len; n++) {
		if (n == 9) /* the first change alone is a list */
			continue;
		ck_assert_int_eq(
			store_devices_change(s, slice_make(bytes, n), 1),
			ERR_BAD);
		must_hold(s, "", "A=1;");
	}
	bytes[0] = 9; /* no such change */
	ck_assert_int_eq(store_devices_change(s, slice_make(bytes, len), 1),
			 ERR_BAD);
	must_hold(s, "", "A=1;");
	store_close(s);
}
END_TEST

START_TEST(a_file_of_version_1_gets_the_table)
{
	sqlite3 *db = NULL;
	struct store *s;

	store_close(must_open());
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
				      "DROP TABLE devices;"
				      "PRAGMA user_version=1",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	s = must_open();
	add(STORE_CHANGE_PUT, "A", "1");
	ck_assert_int_eq(change(s), 0);
	store_close(s);
	s = must_open();
	must_hold(s, "", "A=1;");
	store_close(s);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("devices");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, devices_are_put_replaced_and_deleted);
	tcase_add_test(t, a_list_that_is_broken_anywhere_changes_nothing);
	tcase_add_test(t, a_file_of_version_1_gets_the_table);
	return run_case("store/devices", t);
}
