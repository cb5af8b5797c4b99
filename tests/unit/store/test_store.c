/* store/store.c on real files in a directory of its own. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "lib/run.h"
#include "store/store.h"

static char dir[64];
static char path[128];

static void set_up(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/sallyport-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/store.db", dir);
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

static int put(struct store *s, const char *user, const char *blob,
	       uint64_t now_s)
{
	struct store_credential c = {.user = slice_str(user),
				     .realm = slice_str("office"),
				     .blob = slice_str(blob),
				     .changed_s = now_s};

	return store_put(s, &c);
}

static int get(struct store *s, const char *user, char *ret)
{
	uint8_t buf[STORE_BLOB_MAX];
	size_t len = 0;
	int err = store_get(s, slice_str(user), slice_str("office"), buf, &len);

	if (!err)
		(void)snprintf(ret, 64, "%.*s", (int)len, (char *)buf);
	return err;
}

static void must_have(struct store *s, const char *user, const char *blob)
{
	char text[64] = "";

	ck_assert_int_eq(get(s, user, text), 0);
	ck_assert_str_eq(text, blob);
}

START_TEST(credential_outlives_closing)
{
	struct store *s = must_open();

	ck_assert_int_eq(put(s, "alice", "blob one", 100), 0);
	s = store_close(s);
	ck_assert_ptr_null(s);
	s = must_open();
	must_have(s, "alice", "blob one");
	ck_assert_int_eq(put(s, "alice", "blob two", 200), 0);
	must_have(s, "alice", "blob two");
	store_close(s);
}
END_TEST

START_TEST(new_file_is_for_its_owner_only)
{
	struct stat st;

	store_close(must_open());
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(absent_and_deleted_are_not_found)
{
	struct store *s = must_open();
	char text[64];

	ck_assert_int_eq(get(s, "bob", text), ERR_NOTFOUND);
	ck_assert_int_eq(store_delete(s, slice_str("bob"), slice_str("office")),
			 ERR_NOTFOUND);
	ck_assert_int_eq(put(s, "bob", "x", 1), 0);
	ck_assert_int_eq(store_delete(s, slice_str("bob"), slice_str("office")),
			 0);
	ck_assert_int_eq(get(s, "bob", text), ERR_NOTFOUND);
	store_close(s);
}
END_TEST

START_TEST(user_and_realm_both_count)
{
	struct store *s = must_open();
	uint8_t buf[STORE_BLOB_MAX];
	size_t len;

	ck_assert_int_eq(put(s, "bob", "x", 1), 0);
	ck_assert_int_eq(
		store_get(s, slice_str("bob"), slice_str("home"), buf, &len),
		ERR_NOTFOUND);
	/* SQL in a name is a name. */
	ck_assert_int_eq(put(s, "x' OR '1'='1", "y", 1), 0);
	must_have(s, "x' OR '1'='1", "y");
	must_have(s, "bob", "x");
	store_close(s);
}
END_TEST

static struct slice filled(size_t len)
{
	static uint8_t bytes[STORE_BLOB_MAX + 1];

	memset(bytes, 'a', sizeof(bytes));
	return slice_make(bytes, len);
}

START_TEST(lengths_are_limited)
{
	static const struct {
		size_t user, realm, blob;
		int err;
	} row[] = {
		{1, 1, 1, 0},
		{STORE_NAME_MAX, STORE_NAME_MAX, STORE_BLOB_MAX, 0},
		{0, 1, 1, ERR_BAD},
		{1, 0, 1, ERR_BAD},
		{1, 1, 0, ERR_BAD},
		{STORE_NAME_MAX + 1, 1, 1, ERR_BAD},
		{1, STORE_NAME_MAX + 1, 1, ERR_BAD},
		{1, 1, STORE_BLOB_MAX + 1, ERR_BAD},
	};
	struct store *s = must_open();

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct store_credential c = {.user = filled(row[i].user),
					     .realm = filled(row[i].realm),
					     .blob = filled(row[i].blob),
					     .changed_s = 1};

		ck_assert_int_eq(store_put(s, &c), row[i].err);
	}
	store_close(s);
}
END_TEST

struct seen {
	char text[256];
	int most;
};

static bool see(void *ctx, const struct store_credential *c)
{
	struct seen *n = ctx;
	size_t len = strlen(n->text);

	(void)snprintf(n->text + len, sizeof(n->text) - len, "%.*s:%u:%u ",
		       SLICE_FMT(c->user), (unsigned)c->created_s,
		       (unsigned)c->changed_s);
	return --n->most > 0;
}

START_TEST(devices_with_an_lsc_are_remembered_until_reset)
{
	struct store *s = must_open();
	struct slice dev = slice_str("SEP001122334455");

	ck_assert_int_eq(store_lsc_get(s, dev), ERR_NOTFOUND);
	ck_assert_int_eq(store_lsc_put(s, dev, 1), 0);
	ck_assert_int_eq(store_lsc_put(s, dev, 2), 0);
	store_close(s);
	s = must_open();
	ck_assert_int_eq(store_lsc_get(s, dev), 0);
	ck_assert_int_eq(store_lsc_get(s, slice_str("SEP")), ERR_NOTFOUND);
	ck_assert_int_eq(store_lsc_del(s, dev), 0);
	ck_assert_int_eq(store_lsc_del(s, dev), ERR_NOTFOUND);
	ck_assert_int_eq(store_lsc_get(s, dev), ERR_NOTFOUND);
	ck_assert_int_eq(store_lsc_put(s, SLICE_NULL, 1), ERR_BAD);
	ck_assert_int_eq(store_lsc_get(s, SLICE_NULL), ERR_NOTFOUND);
	ck_assert_int_eq(store_lsc_del(s, SLICE_NULL), ERR_NOTFOUND);
	store_close(s);
}
END_TEST

START_TEST(list_goes_on_after_a_name)
{
	struct store *s = must_open();
	struct seen n = {.most = 2};

	ck_assert_int_eq(put(s, "bob", "b", 2), 0);
	ck_assert_int_eq(put(s, "alice", "a", 1), 0);
	ck_assert_int_eq(put(s, "carol", "c", 3), 0);
	ck_assert_int_eq(put(s, "alice", "A", 9), 0);
	ck_assert_int_eq(store_list(s, SLICE_NULL, SLICE_NULL, see, &n), 0);
	ck_assert_str_eq(n.text, "alice:1:9 bob:2:2 ");
	n = (struct seen){.most = 9};
	ck_assert_int_eq(
		store_list(s, slice_str("bob"), slice_str("office"), see, &n),
		0);
	ck_assert_str_eq(n.text, "carol:3:3 ");
	store_close(s);
}
END_TEST

/* ---- files that cannot be used --------------------------------------- */

static void write_at(long at, const char *bytes, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, at), (ssize_t)len);
	(void)close(fd);
}

static void must_refuse(int err, const char *text)
{
	char why[STORE_MESSAGE_MAX] = "";
	struct store *s = NULL;
	struct stat before, after;

	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(store_open(path, &s, why), err);
	ck_assert_ptr_null(s);
	ck_assert_msg(strstr(why, text) != NULL, "%s", why);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	ck_assert_int_eq(before.st_size, after.st_size);
}

START_TEST(file_that_is_no_database_is_refused_and_kept)
{
	static char text[4096];

	memset(text, 'x', sizeof(text));
	write_at(0, text, sizeof(text));
	must_refuse(ERR_BAD, "no database, or damaged");
}
END_TEST

START_TEST(damaged_database_is_refused_and_kept)
{
	struct store *s = must_open();
	char name[32];
	char junk[1024];

	for (int i = 0; i < 400; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		ck_assert_int_eq(put(s, name, "some blob of a user", 1), 0);
	}
	store_close(s);
	memset(junk, 0xa5, sizeof(junk));
	write_at(2 * 4096, junk, sizeof(junk));
	must_refuse(ERR_BAD, "amaged");
}
END_TEST

START_TEST(newer_version_is_refused_and_kept)
{
	store_close(must_open());
	write_at(60, "\0\0\0\3", 4); /* user_version, file format 1.3 */
	must_refuse(ERR_BAD, "another version");
}
END_TEST

/* Stopped between the first page and the schema: nothing is lost by going on,
 * and refusing it would need the operator at every start. */
START_TEST(a_creation_that_was_stopped_half_way_is_finished)
{
	struct store *s;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	s = must_open();
	ck_assert_int_eq(put(s, "alice", "blob", 1), 0);
	store_close(s);
}
END_TEST

START_TEST(other_programs_database_is_refused_and_kept)
{
	store_close(must_open());
	write_at(68, "\1\2\3\4", 4); /* application_id */
	must_refuse(ERR_BAD, "another program");
}
END_TEST

START_TEST(second_opener_is_told)
{
	struct store *s = must_open();
	char why[STORE_MESSAGE_MAX] = "";
	struct store *other = NULL;
	pid_t pid;
	int status;

	/* POSIX locks do not hold within one process. */
	pid = fork();
	if (pid == 0) {
		int err = store_open(path, &other, why);

		_exit(err == ERR_IO && strstr(why, "in use") ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	store_close(s);
}
END_TEST

START_TEST(missing_directory_is_told)
{
	char why[STORE_MESSAGE_MAX] = "";
	struct store *s = NULL;

	ck_assert_int_eq(store_open("/nonexistent/dir/x.db", &s, why), ERR_IO);
	ck_assert_str_eq(why,
			 "/nonexistent/dir/x.db: No such file or directory");
}
END_TEST

/* The first write that fails leaves what was there, and the next one works
 * as soon as there is room. */
START_TEST(full_file_loses_nothing)
{
	struct rlimit old, now;
	struct store *s = must_open();
	char name[32];
	int err = 0;
	int done = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(put(s, "alice", "before", 1), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	now = old;
	now.rlim_cur = 128 << 10;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	while (!err && done < 1000) {
		(void)snprintf(name, sizeof(name), "user%d", done);
		err = put(s, name, "blob", 1);
		done += !err;
	}
	ck_assert_msg(err == ERR_IO || err == ERR_SPACE, "%s", err_str(err));
	must_have(s, "alice", "before");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(put(s, "alice", "after", 2), 0);
	store_close(s);
	s = must_open();
	must_have(s, "alice", "after");
	for (int i = 0; i < done; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		must_have(s, name, "blob");
	}
	store_close(s);
}
END_TEST

/* A process that dies without closing: what was acknowledged is there. */
START_TEST(acknowledged_writes_outlive_a_kill)
{
	pid_t pid = fork();
	struct store *s;
	int status;

	if (pid == 0) {
		s = must_open();
		if (put(s, "alice", "one", 1) == 0 &&
		    put(s, "bob", "two", 1) == 0)
			(void)kill(getpid(), SIGKILL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	s = must_open();
	must_have(s, "alice", "one");
	must_have(s, "bob", "two");
	store_close(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("credentials");
	TCase *bad = tcase_create("files that cannot be used");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, credential_outlives_closing);
	tcase_add_test(tc, new_file_is_for_its_owner_only);
	tcase_add_test(tc, absent_and_deleted_are_not_found);
	tcase_add_test(tc, user_and_realm_both_count);
	tcase_add_test(tc, lengths_are_limited);
	tcase_add_test(tc, devices_with_an_lsc_are_remembered_until_reset);
	tcase_add_test(tc, list_goes_on_after_a_name);
	tcase_add_test(tc, acknowledged_writes_outlive_a_kill);
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(bad, set_up, tear_down);
	tcase_set_timeout(bad, 30);
	tcase_add_test(bad, file_that_is_no_database_is_refused_and_kept);
	tcase_add_test(bad, damaged_database_is_refused_and_kept);
	tcase_add_test(bad, newer_version_is_refused_and_kept);
	tcase_add_test(bad, other_programs_database_is_refused_and_kept);
	tcase_add_test(bad, a_creation_that_was_stopped_half_way_is_finished);
	tcase_add_test(bad, second_opener_is_told);
	tcase_add_test(bad, full_file_loses_nothing);
	suite_add_tcase(suite, bad);
	{
		TCase *none = tcase_create("no directory");

		tcase_add_test(none, missing_directory_is_told);
		suite_add_tcase(suite, none);
	}
	return run_suite(suite);
}
