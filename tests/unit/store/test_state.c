/* store/state.c: what workers leave to their successors. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "lib/run.h"
#include "store/state.h"
#include "store/state_wire.h"

static char dir[64];
static char path[100];
static struct state_params params;

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/sallyport-state-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/state.db", dir);
	params = (struct state_params){.path = path,
				       .boot = "boot-1",
				       .now_s = 1000,
				       .lease_s = 300,
				       .workers = 2,
				       .rows_max = 3};
}

static void teardown(void)
{
	static const char *const tail[] = {"", "-wal", "-shm"};
	char name[128];

	for (int i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, tail[i]);
		(void)unlink(name);
	}
	(void)rmdir(dir);
}

/* Open; message must contain word, or be empty. */
static struct state *open_with(const char *word)
{
	char message[STATE_MESSAGE_MAX];
	struct state *s = NULL;

	ck_assert_msg(state_open(&params, &s, message) == 0, "%s", message);
	if (word)
		ck_assert_ptr_nonnull(strstr(message, word));
	else
		ck_assert_str_eq(message, "");
	return s;
}

static int put(struct state *s, uint32_t worker, const char *key,
	       const char *blob)
{
	return state_put(s, worker, slice_str(key), slice_str(blob));
}

static bool add(void *ctx, struct slice key, struct slice blob)
{
	char *got = ctx;

	(void)sprintf(got + strlen(got), "%.*s=%.*s ", SLICE_FMT(key),
		      SLICE_FMT(blob));
	return true;
}

static void expect(struct state *s, uint32_t worker, const char *after,
		   const char *want)
{
	char got[256] = "";

	ck_assert_int_eq(state_list(s, worker, slice_str(after), add, got), 0);
	ck_assert_str_eq(got, want);
}

static struct state *with_two(void)
{
	struct state *s = open_with(NULL);

	ck_assert_int_eq(put(s, 0, "a", "1"), 0);
	ck_assert_int_eq(put(s, 0, "b", "2"), 0);
	ck_assert_int_eq(put(s, 0, "a", "3"), 0);
	return s;
}

START_TEST(entries_are_each_workers_own)
{
	struct state *s = with_two();

	ck_assert_int_eq(put(s, 1, "a", "4"), 0);
	ck_assert_uint_eq(state_count(s), 3);
	expect(s, 0, "", "a=3 b=2 ");
	expect(s, 0, "a", "b=2 ");
	expect(s, 1, "", "a=4 ");
	ck_assert_int_eq(state_del(s, 1, slice_str("b")), 0);
	ck_assert_int_eq(state_del(s, 0, slice_str("a")), 0);
	expect(s, 0, "", "b=2 ");
	expect(s, 1, "", "a=4 ");
	ck_assert_uint_eq(state_count(s), 2);
	state_close(s);
}
END_TEST

START_TEST(sweeping_is_of_what_was_not_saved_anew)
{
	struct state *s = with_two();

	ck_assert_int_eq(put(s, 1, "a", "4"), 0);
	ck_assert_int_eq(state_commit(s, 1000), 0);
	ck_assert_int_eq(state_mark(s, 0), 0);
	ck_assert_int_eq(put(s, 0, "b", "5"), 0);
	/* A worker that ends here has lost nothing. */
	expect(s, 0, "", "a=3 b=5 ");
	ck_assert_int_eq(state_commit(s, 1000), 0);
	ck_assert_int_eq(state_sweep(s, 0), 0);
	expect(s, 0, "", "b=5 ");
	expect(s, 1, "", "a=4 ");
	ck_assert_uint_eq(state_count(s), 2);
	/* Without a mark there is nothing to sweep. */
	ck_assert_int_eq(state_sweep(s, 0), 0);
	ck_assert_int_eq(state_sweep(s, 1), 0);
	ck_assert_int_eq(state_mark(s, 2), ERR_BAD);
	ck_assert_int_eq(state_sweep(s, 2), 0);
	ck_assert_uint_eq(state_count(s), 2);
	ck_assert_int_eq(state_mark(s, 0), 0);
	ck_assert_int_eq(state_sweep(s, 0), 0);
	expect(s, 0, "", "");
	state_close(s);
}
END_TEST

/* Who marked and ended before the sweep leaves no marks to its successor. */
START_TEST(a_new_mark_counts_anew)
{
	struct state *s = with_two();

	ck_assert_int_eq(state_mark(s, 0), 0);
	ck_assert_int_eq(put(s, 0, "a", "5"), 0);
	ck_assert_int_eq(state_mark(s, 0), 0);
	ck_assert_int_eq(put(s, 0, "b", "6"), 0);
	ck_assert_int_eq(put(s, 0, "c", "7"), 0);
	ck_assert_int_eq(state_sweep(s, 0), 0);
	expect(s, 0, "", "b=6 c=7 ");
	state_close(s);
}
END_TEST

/* What is to be swept takes no place from what is saved; but there is an end,
 * however often a worker marks. */
START_TEST(what_is_marked_makes_room)
{
	struct state *s = with_two();
	int err = 0;

	ck_assert_int_eq(put(s, 0, "c", "3"), 0);
	ck_assert_int_eq(put(s, 0, "d", "4"), ERR_LIMIT);
	ck_assert_int_eq(state_mark(s, 0), 0);
	ck_assert_int_eq(put(s, 0, "d", "4"), 0);
	expect(s, 0, "", "a=3 b=2 c=3 d=4 ");
	ck_assert_int_eq(state_sweep(s, 0), 0);
	expect(s, 0, "", "d=4 ");
	for (int i = 0; !err && i < 20; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(state_mark(s, 0), 0);
		err = put(s, 0, key, "1");
	}
	ck_assert_int_eq(err, ERR_LIMIT);
	ck_assert_uint_eq(state_count(s), 2 * params.rows_max);
	state_close(s);
}
END_TEST

START_TEST(a_successor_within_the_lease_finds_them)
{
	struct state *s = with_two();

	ck_assert_int_eq(state_commit(s, 1500), 0);
	state_close(s);
	params.now_s = 1800;
	s = open_with(NULL);
	expect(s, 0, "", "a=3 b=2 ");
	ck_assert_uint_eq(state_count(s), 2);
	state_close(s);
}
END_TEST

START_TEST(after_the_lease_nothing_is_left)
{
	struct state *s = with_two();

	ck_assert_int_eq(state_commit(s, 1500), 0);
	state_close(s);
	params.now_s = 1801;
	s = open_with(
		"2 saved calls, registrations and subscriptions are older than");
	expect(s, 0, "", "");
	ck_assert_uint_eq(state_count(s), 0);
	state_close(s);
}
END_TEST

START_TEST(another_boot_begins_with_nothing)
{
	struct state *s = with_two();

	ck_assert_int_eq(state_commit(s, 1001), 0);
	state_close(s);
	params.boot = "boot-2";
	s = open_with("of another boot");
	expect(s, 0, "", "");
	state_close(s);
	/* Not even when nobody knows which boot it is. */
	s = open_with(NULL);
	ck_assert_int_eq(put(s, 0, "a", "1"), 0);
	state_close(s);
	params.now_s = 10; /* a clock that began again */
	s = open_with("older");
	state_close(s);
}
END_TEST

START_TEST(workers_that_are_no_more_leave_nothing)
{
	struct state *s = with_two();

	ck_assert_int_eq(put(s, 1, "a", "4"), 0);
	ck_assert_int_eq(state_commit(s, 1000), 0);
	state_close(s);
	params.workers = 1;
	s = open_with(NULL);
	ck_assert_uint_eq(state_count(s), 2);
	ck_assert_int_eq(put(s, 1, "a", "4"), ERR_BAD);
	state_close(s);
}
END_TEST

START_TEST(there_is_a_limit)
{
	struct state *s = with_two();

	ck_assert_int_eq(put(s, 1, "c", "5"), 0);
	ck_assert_int_eq(put(s, 1, "d", "6"), ERR_LIMIT);
	ck_assert_int_eq(put(s, 1, "c", "7"), 0);
	ck_assert_int_eq(state_del(s, 0, slice_str("a")), 0);
	ck_assert_int_eq(put(s, 1, "d", "6"), 0);
	ck_assert_int_eq(put(s, 0, "", "6"), ERR_BAD);
	ck_assert_int_eq(put(s, 0, "x", ""), ERR_BAD);
	state_close(s);
}
END_TEST

static void scribble(off_t at, const char *text)
{
	int fd = open(path, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, text, strlen(text), at),
			 (ssize_t)strlen(text));
	(void)close(fd);
}

START_TEST(a_damaged_file_is_begun_anew)
{
	static const off_t at[] = {0, 100, 4096 + 8, 2 * 4096 + 8};
	struct state *s;

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		char message[STATE_MESSAGE_MAX];

		s = open_with(i == 0 ? NULL : "");
		(void)put(s, 0, "a", "1");
		state_close(s);
		scribble(at[i], "this is no database at all");
		ck_assert_int_eq(state_open(&params, &s, message), 0);
		ck_assert_int_eq(put(s, 0, "z", "1"), 0);
		expect(s, 0, "y", "z=1 ");
		state_close(s);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(a_place_that_is_none_is_an_error)
{
	char message[STATE_MESSAGE_MAX];
	struct state *s = NULL;

	params.path = "/nonexistent/state.db";
	ck_assert_int_eq(state_open(&params, &s, message), ERR_IO);
	ck_assert_ptr_nonnull(strstr(message, "No such file"));
}
END_TEST

/* Files may grow no further: what is there stays, and later it goes on. */
START_TEST(a_full_disk_keeps_what_is_there)
{
	static char big[STATE_BLOB_MAX];
	struct slice blob = slice_make((const uint8_t *)big, sizeof(big));
	struct rlimit now, few = {200000, 0};
	struct state *s = with_two();
	int err = 0;

	ck_assert_int_eq(state_commit(s, 1000), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &now), 0);
	few.rlim_max = now.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
	for (int i = 0; !err && i < 50; i++) {
		/* What does not change is not written. */
		memset(big, 'a' + i, sizeof(big));
		err = state_put(s, 0, slice_str("b"), blob);
		if (!err)
			err = state_commit(s, 1001);
	}
	ck_assert_int_ne(err, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	ck_assert_int_eq(put(s, 0, "b", "small"), 0);
	ck_assert_int_eq(state_commit(s, 1002), 0);
	expect(s, 0, "", "a=3 b=small ");
	state_close(s);
}
END_TEST

static struct rlimit files;

static void files_may_grow(rlim_t to)
{
	struct rlimit few = files;

	few.rlim_cur = to;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
}

static void limit_files(void)
{
	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &files), 0);
}

/* What a failed commit has taken back does not count. */
START_TEST(a_full_disk_takes_no_places)
{
	struct state *s = with_two();

	ck_assert_int_eq(state_commit(s, 1000), 0);
	limit_files();
	files_may_grow(4096);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(put(s, 0, "c", "5"), 0);
		ck_assert_int_ne(state_commit(s, 1001), 0);
		ck_assert_uint_eq(state_count(s), 2);
	}
	ck_assert_int_eq(state_del(s, 0, slice_str("a")), 0);
	ck_assert_int_ne(state_commit(s, 1001), 0);
	ck_assert_uint_eq(state_count(s), 2);
	files_may_grow(files.rlim_cur);
	ck_assert_int_eq(put(s, 0, "c", "5"), 0);
	ck_assert_int_eq(put(s, 0, "d", "6"), ERR_LIMIT);
	ck_assert_int_eq(state_commit(s, 1002), 0);
	expect(s, 0, "", "a=3 b=2 c=5 ");
	state_close(s);
}
END_TEST

/* What was saved anew was taken back: what was there before is not swept. */
START_TEST(a_full_disk_sweeps_nothing)
{
	struct state *s = with_two();

	ck_assert_int_eq(state_mark(s, 0), 0);
	ck_assert_int_eq(state_commit(s, 1000), 0);
	limit_files();
	files_may_grow(4096);
	ck_assert_int_eq(put(s, 0, "a", "5"), 0);
	ck_assert_int_ne(state_commit(s, 1001), 0);
	files_may_grow(files.rlim_cur);
	ck_assert_int_eq(put(s, 0, "b", "6"), 0);
	ck_assert_int_eq(state_sweep(s, 0), 0);
	expect(s, 0, "", "a=3 b=6 ");
	state_close(s);
}
END_TEST

static bool count_one(void *ctx, struct slice key, struct slice blob)
{
	(void)key;
	(void)blob;
	++*(uint32_t *)ctx;
	return true;
}

/* So much in one transaction that it is written before its end: a write fails
 * in the midst, and all of them are taken back. */
START_TEST(a_full_disk_in_the_midst_takes_no_places)
{
	static char big[STATE_BLOB_MAX];
	struct slice blob = slice_make((const uint8_t *)big, sizeof(big));
	struct state *s;
	uint32_t there = 0;
	int err = 0;

	params.rows_max = 500;
	s = with_two();
	ck_assert_int_eq(state_commit(s, 1000), 0);
	limit_files();
	files_may_grow(200000);
	memset(big, 'a', sizeof(big));
	for (int i = 0; !err && i < 400; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		err = state_put(s, 1, slice_str(key), blob);
	}
	ck_assert_int_ne(err, 0);
	files_may_grow(files.rlim_cur);
	ck_assert_int_eq(state_list(s, 1, SLICE_NULL, count_one, &there), 0);
	ck_assert_uint_eq(state_count(s), 2 + there);
	state_close(s);
}
END_TEST

START_TEST(messages_come_back_as_they_were_written)
{
	static const struct state_request rows[] = {
		{STATE_OP_SAVE, SLICE("Ca"), SLICE("blob")},
		{STATE_OP_FORGET, SLICE("Ca"), SLICE("")},
		{STATE_OP_RESTORE, SLICE(""), SLICE("")},
		{STATE_OP_RESTORE, SLICE("Ca"), SLICE("")},
		{STATE_OP_MARK, SLICE(""), SLICE("")},
		{STATE_OP_SWEEP, SLICE(""), SLICE("")},
	};
	static const struct state_request bad[] = {
		{STATE_OP_SAVE, SLICE("Ca"), SLICE("")},
		{STATE_OP_SAVE, SLICE(""), SLICE("blob")},
		{STATE_OP_FORGET, SLICE(""), SLICE("")},
		{STATE_OP_FORGET, SLICE("Ca"), SLICE("blob")},
		{STATE_OP_MARK, SLICE("Ca"), SLICE("")},
		{STATE_OP_MARK, SLICE(""), SLICE("blob")},
		{STATE_OP_SWEEP, SLICE("Ca"), SLICE("")},
		{STATE_OP_SWEEP, SLICE(""), SLICE("blob")},
	};
	uint8_t buf[64];
	struct writer w;
	struct state_request q;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		writer_init(&w, buf, sizeof(buf));
		state_request_write(&w, &rows[i]);
		ck_assert(state_wire_is(writer_slice(&w)));
		ck_assert_int_eq(state_request_read(writer_slice(&w), &q), 0);
		ck_assert_int_eq(q.op, rows[i].op);
		ck_assert(slice_eq(q.key, rows[i].key));
		ck_assert(slice_eq(q.blob, rows[i].blob));
		for (size_t n = 0; n < w.len; n++)
			ck_assert_int_eq(
				state_request_read(slice_make(buf, n), &q),
				ERR_BAD);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		writer_init(&w, buf, sizeof(buf));
		state_request_write(&w, &bad[i]);
		ck_assert_int_eq(state_request_read(writer_slice(&w), &q),
				 ERR_BAD);
	}
}
END_TEST

START_TEST(again_is_one_byte_and_no_request)
{
	static const uint8_t longer[] = {STATE_OP_AGAIN, 0};
	static const uint8_t other[] = {STATE_OP_SWEEP};
	uint8_t buf[4];
	struct writer w;
	struct state_request q;
	struct reader r;
	bool is_last;

	writer_init(&w, buf, sizeof(buf));
	state_again_write(&w);
	ck_assert(state_again_is(writer_slice(&w)));
	ck_assert(!state_wire_is(writer_slice(&w)));
	ck_assert_int_eq(state_request_read(writer_slice(&w), &q), ERR_BAD);
	ck_assert_int_eq(state_page_read(writer_slice(&w), &is_last, &r),
			 ERR_BAD);
	ck_assert(!state_again_is(SLICE_NULL));
	ck_assert(!state_again_is(slice_make(longer, sizeof(longer))));
	ck_assert(!state_again_is(slice_make(other, sizeof(other))));
}
END_TEST

START_TEST(pages_hold_what_fits)
{
	uint8_t buf[40];
	struct writer w;
	struct reader r;
	struct slice key, blob;
	bool is_last;

	writer_init(&w, buf, sizeof(buf));
	state_page_begin(&w);
	ck_assert(state_page_add(&w, slice_str("a"), slice_str("one")));
	ck_assert(!state_page_add(&w, slice_str("b"),
				  slice_str("far too long to fit in here")));
	ck_assert(state_page_add(&w, slice_str("c"), slice_str("two")));
	ck_assert_int_eq(state_page_read(writer_slice(&w), &is_last, &r), 0);
	ck_assert(!is_last);
	state_page_last(&w);
	ck_assert_int_eq(state_page_read(writer_slice(&w), &is_last, &r), 0);
	ck_assert(is_last);
	ck_assert(state_page_next(&r, &key, &blob));
	ck_assert(slice_eqs(blob, "one"));
	ck_assert(state_page_next(&r, &key, &blob));
	ck_assert(slice_eqs(key, "c"));
	ck_assert(!state_page_next(&r, &key, &blob));
	ck_assert(reader_end(&r));
	ck_assert_int_eq(
		state_page_read(slice_make(buf, w.len - 1), &is_last, &r), 0);
	ck_assert(state_page_next(&r, &key, &blob));
	ck_assert(!state_page_next(&r, &key, &blob));
	ck_assert(!reader_end(&r));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("state");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, entries_are_each_workers_own);
	tcase_add_test(t, sweeping_is_of_what_was_not_saved_anew);
	tcase_add_test(t, a_new_mark_counts_anew);
	tcase_add_test(t, what_is_marked_makes_room);
	tcase_add_test(t, a_successor_within_the_lease_finds_them);
	tcase_add_test(t, after_the_lease_nothing_is_left);
	tcase_add_test(t, another_boot_begins_with_nothing);
	tcase_add_test(t, workers_that_are_no_more_leave_nothing);
	tcase_add_test(t, there_is_a_limit);
	tcase_add_test(t, a_damaged_file_is_begun_anew);
	tcase_add_test(t, a_place_that_is_none_is_an_error);
	tcase_add_test(t, a_full_disk_keeps_what_is_there);
	tcase_add_test(t, a_full_disk_takes_no_places);
	tcase_add_test(t, a_full_disk_sweeps_nothing);
	tcase_add_test(t, a_full_disk_in_the_midst_takes_no_places);
	tcase_add_test(t, messages_come_back_as_they_were_written);
	tcase_add_test(t, again_is_one_byte_and_no_request);
	tcase_add_test(t, pages_hold_what_fits);
	return run_case("store/state", t);
}
