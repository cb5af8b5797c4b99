/* daemon/store.c as the process it is: a child, asked over its channels. */
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "config/rows.h"
#include "daemon/store.h"
#include "daemon/store_state.h"
#include "daemon/wire.h"
#include "lib/run.h"
#include "priv/channel.h"
#include "store/store.h"
#include "store/state_wire.h"
#include "store/wire.h"

static char dir[64];
static char path[100];
static char state[100];
static pid_t child;
static int monitor_fd;
static int worker_fd;

static void start(void)
{
	int monitor[2], worker[2];

	ck_assert_int_eq(channel_pair(monitor), 0);
	ck_assert_int_eq(channel_pair(worker), 0);
	child = fork();
	if (child == 0) {
		struct role_store_params p = {.path = path,
					      .state = {.path = state,
							.lease_s = 300,
							.workers = 4,
							.rows_max = 100},
					      .monitor_fd = monitor[0],
					      .worker_fd = &worker[0],
					      .worker_count = 1};

		(void)close(monitor[1]);
		(void)close(worker[1]);
		_exit(role_store(&p));
	}
	(void)close(monitor[0]);
	(void)close(worker[0]);
	monitor_fd = monitor[1];
	worker_fd = worker[1];
}

/* The process ends by itself when the monitor has gone. */
static int stop(void)
{
	int status = -1;

	(void)close(monitor_fd);
	(void)close(worker_fd);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void set_up(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/sallyport-role-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/db", dir);
	(void)snprintf(state, sizeof(state), "%s/state", dir);
	start();
}

static void unlink_tail(const char *tail)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "%s%s", state, tail);
	(void)unlink(name);
}

static void tear_down(void)
{
	ck_assert_int_eq(stop(), 0);
	(void)unlink(path);
	(void)unlink(state);
	unlink_tail("-wal");
	ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- asking ---------------------------------------------------------- */

static struct slice receive(int fd)
{
	static uint8_t buf[STORE_WIRE_MAX + 1];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	n = recv(fd, buf, sizeof(buf), 0);
	ck_assert_int_gt(n, 0);
	return slice_make(buf, (size_t)n);
}

static void send_request(int fd, const struct store_request *q)
{
	static uint8_t buf[STORE_WIRE_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	store_request_write(&w, q);
	ck_assert(writer_ok(&w));
	ck_assert_int_eq(send(fd, buf, w.len, 0), (ssize_t)w.len);
}

static struct store_reply ask(int fd, enum store_op op, const char *user,
			      const char *blob)
{
	static uint64_t id;
	struct store_request q = {.op = op,
				  .id = ++id,
				  .user = slice_str(user),
				  .realm = slice_str(user[0] ? "office" : ""),
				  .blob = slice_str(blob)};
	struct store_reply p;

	send_request(fd, &q);
	ck_assert_int_eq(store_reply_read(receive(fd), &p), 0);
	ck_assert_int_eq(p.op, op);
	ck_assert_uint_eq(p.id, id);
	return p;
}

START_TEST(monitor_writes_and_worker_reads)
{
	struct store_reply p;

	ck_assert_int_eq(ask(worker_fd, STORE_OP_GET, "bob", "").status,
			 ERR_NOTFOUND);
	ck_assert_int_eq(ask(monitor_fd, STORE_OP_PUT, "bob", "blob").status,
			 0);
	p = ask(worker_fd, STORE_OP_GET, "bob", "");
	ck_assert_int_eq(p.status, 0);
	ck_assert(slice_eqs(p.blob, "blob"));
	ck_assert_int_eq(ask(monitor_fd, STORE_OP_DEL, "bob", "").status, 0);
	ck_assert_int_eq(ask(worker_fd, STORE_OP_GET, "bob", "").status,
			 ERR_NOTFOUND);
}
END_TEST

START_TEST(worker_may_only_read)
{
	ck_assert_int_eq(ask(worker_fd, STORE_OP_PUT, "bob", "blob").status,
			 ERR_DENIED);
	ck_assert_int_eq(ask(worker_fd, STORE_OP_DEL, "bob", "").status,
			 ERR_DENIED);
	ck_assert_int_eq(ask(worker_fd, STORE_OP_LIST, "", "").status,
			 ERR_DENIED);
	ck_assert_int_eq(ask(monitor_fd, STORE_OP_GET, "bob", "").status,
			 ERR_NOTFOUND);
}
END_TEST

START_TEST(unreadable_requests_are_dropped_and_nothing_else)
{
	static uint8_t junk[100];

	memset(junk, 0xff, sizeof(junk));

	for (size_t n = 1; n < sizeof(junk); n++)
		ck_assert_int_eq(send(worker_fd, junk, n, 0), (ssize_t)n);
	ck_assert_int_eq(ask(worker_fd, STORE_OP_GET, "bob", "").status,
			 ERR_NOTFOUND);
}
END_TEST

START_TEST(long_list_comes_in_pages)
{
	enum { USERS = 300 };
	char name[32];
	char last_user[STORE_NAME_MAX] = "";
	int seen = 0;
	int pages = 0;
	bool is_last = false;

	for (int i = 0; i < USERS; i++) {
		(void)snprintf(name, sizeof(name), "user%04d", i);
		ck_assert_int_eq(
			ask(monitor_fd, STORE_OP_PUT, name, "b").status, 0);
	}
	while (!is_last) {
		struct store_reply p =
			ask(monitor_fd, STORE_OP_LIST, last_user, "");
		struct store_item item;
		struct reader r;

		reader_init(&r, p.blob);
		while (store_item_next(&r, &item)) {
			(void)snprintf(name, sizeof(name), "user%04d", seen++);
			ck_assert(slice_eqs(item.user, name));
			ck_assert(slice_eqs(item.realm, "office"));
			(void)snprintf(last_user, sizeof(last_user), "%s",
				       name);
		}
		ck_assert(reader_end(&r));
		is_last = p.is_last;
		ck_assert_int_lt(++pages, USERS);
	}
	ck_assert_int_eq(seen, USERS);
	ck_assert_int_gt(pages, 1);
}
END_TEST

/* A worker's line, as the monitor brings it. */
static void send_fd(int by, int fd)
{
	union {
		struct cmsghdr head;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {.buf = {0}};
	uint8_t text[DWIRE_ADOPT_LEN];
	struct iovec iov = {text, sizeof(text)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.buf,
			   .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct writer w;

	writer_init(&w, text, sizeof(text));
	dwire_adopt_write(&w, 1);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	ck_assert_int_gt(sendmsg(by, &m, 0), 0);
}

static void state_send(int fd, enum state_op op, const char *key,
		       const char *blob)
{
	struct state_request q = {
		.op = op, .key = slice_str(key), .blob = slice_str(blob)};
	uint8_t buf[256];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	state_request_write(&w, &q);
	ck_assert_int_eq(send(fd, w.buf, w.len, 0), (ssize_t)w.len);
}

/* Entries of a worker as "key=blob " in a row. */
static const char *entries(int fd)
{
	static uint8_t page[STATE_WIRE_MAX];
	static char got[256];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct reader r;
	struct slice key, blob;
	bool is_last;
	ssize_t n;

	got[0] = '\0';
	state_send(fd, STATE_OP_RESTORE, "", "");
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	n = recv(fd, page, sizeof(page), 0);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(
		state_page_read(slice_make(page, (size_t)n), &is_last, &r), 0);
	ck_assert(is_last);
	while (state_page_next(&r, &key, &blob))
		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got),
			       "%.*s=%.*s ", SLICE_FMT(key), SLICE_FMT(blob));
	return got;
}

static void state_expect(int fd, const char *want)
{
	ck_assert_str_eq(entries(fd), want);
}

START_TEST(a_successor_finds_what_its_predecessor_left)
{
	int pair[2];

	state_send(worker_fd, STATE_OP_SAVE, "Ca", "one");
	state_send(worker_fd, STATE_OP_SAVE, "Cb", "two");
	state_send(worker_fd, STATE_OP_SAVE, "Ca", "three");
	state_send(worker_fd, STATE_OP_FORGET, "Cb", "");
	state_expect(worker_fd, "Ca=three ");
	/* Another worker has none of it. */
	ck_assert_int_eq(channel_pair(pair), 0);
	send_fd(monitor_fd, pair[0]);
	(void)close(pair[0]);
	state_expect(pair[1], "");
	state_send(pair[1], STATE_OP_FORGET, "Ca", "");
	state_expect(pair[1], "");
	(void)close(pair[1]);
	state_expect(worker_fd, "Ca=three ");
	/* And the store's own successor has it too. */
	ck_assert_int_eq(stop(), 0);
	start();
	state_expect(worker_fd, "Ca=three ");
}
END_TEST

START_TEST(a_worker_sweeps_its_own)
{
	int pair[2];

	ck_assert_int_eq(channel_pair(pair), 0);
	send_fd(monitor_fd, pair[0]);
	(void)close(pair[0]);
	state_send(pair[1], STATE_OP_SAVE, "Cb", "other");
	state_expect(pair[1], "Cb=other ");
	state_send(worker_fd, STATE_OP_SAVE, "Ca", "one");
	state_send(worker_fd, STATE_OP_MARK, "", "");
	state_send(worker_fd, STATE_OP_SAVE, "Cc", "two");
	/* If it dies now its successor finds everything. */
	state_expect(worker_fd, "Ca=one Cc=two ");
	state_send(worker_fd, STATE_OP_SWEEP, "", "");
	state_expect(worker_fd, "Cc=two ");
	state_expect(pair[1], "Cb=other ");
	(void)close(pair[1]);
}
END_TEST

/* There may have been more, and what those had is dropped. As many as there are
 * processors: the monitor counted them, who knows how many there are now. */
START_TEST(the_file_is_of_the_workers_there_are)
{
	static const struct config c = {
		.workers = 0,
		.restart_lease_s = 300,
		.limits = {.calls = 5, .registrations = 6, .subscriptions = 7}};
	struct store_state_params p = store_state_params(&c, 61, state);

	ck_assert_uint_eq(p.workers, 61);
	ck_assert_uint_eq(p.lease_s, 300);
}
END_TEST

static uint64_t limit_max(const char *name)
{
	for (size_t i = 0; i < CONFIG_LIMIT_ROWS; i++)
		if (strcmp(config_limit_rows[i].name, name) == 0)
			return (uint64_t)config_limit_rows[i].max;
	ck_abort_msg("no limit %s", name);
	return 0;
}

/* A reload raises limits, and this process stays. */
START_TEST(there_is_room_for_all_that_a_reload_may_allow)
{
	static const struct config c = {
		.restart_lease_s = 300,
		.limits = {.calls = 5, .registrations = 6, .subscriptions = 7}};
	struct store_state_params p = store_state_params(&c, 2, state);

	ck_assert_uint_ge(p.rows_max, limit_max("calls") +
					      limit_max("registrations") +
					      limit_max("subscriptions") +
					      limit_max("connections"));
}
END_TEST

/* When the log was last written, in ns. */
static uint64_t written_ns(void)
{
	char log[128];
	struct stat st;

	(void)snprintf(log, sizeof(log), "%s-wal", state);
	ck_assert_int_eq(stat(log, &st), 0);
	return (uint64_t)st.st_mtim.tv_sec * 1000000000 +
	       (uint64_t)st.st_mtim.tv_nsec;
}

START_TEST(what_was_gathered_survives_a_kill)
{
	uint64_t before;
	int status;

	state_send(worker_fd, STATE_OP_SAVE, "Ca", "one");
	state_expect(worker_fd, "Ca=one ");
	before = written_ns();
	/* Either it is written now, or it was already. */
	for (int i = 0; i < 200 && written_ns() == before; i++)
		(void)poll(NULL, 0, 10);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	(void)close(monitor_fd);
	(void)close(worker_fd);
	start();
	state_expect(worker_fd, "Ca=one ");
}
END_TEST

/* No file of the process may grow beyond: as if the disk were full. */
static void disk_is(rlim_t max)
{
	struct rlimit to;

	ck_assert_int_eq(prlimit(child, RLIMIT_FSIZE, NULL, &to), 0);
	to.rlim_cur = max < to.rlim_max ? max : to.rlim_max;
	ck_assert_int_eq(prlimit(child, RLIMIT_FSIZE, &to, NULL), 0);
}

/* Cx is saved, and taken back because the disk is full. */
static void lose_one(void)
{
	const char *lost = "Cx=lost ";

	disk_is(4096);
	state_send(worker_fd, STATE_OP_SAVE, "Cx", "lost");
	for (int i = 0; i < 1000 && strstr(entries(worker_fd), lost); i++)
		(void)poll(NULL, 0, 10);
	ck_assert_ptr_null(strstr(entries(worker_fd), lost));
}

/* Nothing but AGAIN comes. */
static void expect_again(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t got[16];
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	n = recv(fd, got, sizeof(got), 0);
	ck_assert_int_eq(n, 1);
	ck_assert(state_again_is(slice_make(got, 1)));
}

static int64_t clock_ms(void)
{
	struct timespec t;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Workers believe that it is saved: all of them are asked for everything when
 * there is room, and not in a loop while there is hardly any. */
START_TEST(what_a_full_disk_lost_is_asked_for)
{
	int64_t before;
	int pair[2];

	ck_assert_int_eq(channel_pair(pair), 0);
	send_fd(monitor_fd, pair[0]);
	(void)close(pair[0]);
	state_send(worker_fd, STATE_OP_SAVE, "Ca", "one");
	state_expect(worker_fd, "Ca=one ");
	lose_one();
	before = clock_ms();
	for (int i = 0; i < 2; i++) {
		disk_is(RLIM_INFINITY);
		state_send(worker_fd, STATE_OP_SAVE, "Cb", "two");
		expect_again(worker_fd);
		expect_again(pair[1]);
		if (i == 0)
			lose_one();
	}
	ck_assert_int_ge(clock_ms() - before, 4900);
	state_send(worker_fd, STATE_OP_MARK, "", "");
	state_send(worker_fd, STATE_OP_SAVE, "Cx", "lost");
	state_send(worker_fd, STATE_OP_SWEEP, "", "");
	state_expect(worker_fd, "Cx=lost ");
	(void)close(pair[1]);
}
END_TEST

static uint32_t told;

static bool tell(void *ctx, struct slice bytes)
{
	(void)ctx;
	ck_assert(state_again_is(bytes));
	told++;
	return true;
}

/* One of many writes fails in the midst of a transaction, with all before it;
 * the commit succeeds. */
START_TEST(what_a_failed_write_took_back_is_asked_for)
{
	static struct store_state s;
	static uint8_t blob[STATE_BLOB_MAX], msg[STATE_WIRE_MAX];
	struct store_state_params p = {
		.path = state, .lease_s = 300, .workers = 1, .rows_max = 1000};
	struct store_state_cb cb = {.tell = tell};
	struct state_request q = {.op = STATE_OP_SAVE};
	struct rlimit files;
	struct loop *loop;

	(void)snprintf(dir, sizeof(dir), "/tmp/sallyport-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(state, sizeof(state), "%s/state.db", dir);
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(store_state_open(&s, loop, &p, &cb), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &files), 0);
	memset(blob, 'a', sizeof(blob));
	q.blob = slice_make(blob, sizeof(blob));
	child = getpid();
	disk_is(200000);
	for (int i = 0; s.failed == 0 && i < 400; i++) {
		char key[16];
		struct writer w;

		(void)snprintf(key, sizeof(key), "C%d", i);
		q.key = slice_str(key);
		writer_init(&w, msg, sizeof(msg));
		state_request_write(&w, &q);
		store_state_request(&s, NULL, 0, writer_slice(&w));
	}
	ck_assert_uint_eq(s.failed, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &files), 0);
	ck_assert_uint_eq(told, 0);
	for (int i = 0; told == 0 && i < 1000; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
	ck_assert_uint_eq(told, 1);
	ck_assert_uint_eq(s.failed, 1);
	store_state_close(&s);
	loop_free(loop);
	(void)unlink(state);
	(void)rmdir(dir);
}
END_TEST

START_TEST(monitor_brings_new_workers)
{
	int pair[2];

	ck_assert_int_eq(channel_pair(pair), 0);
	send_fd(monitor_fd, pair[0]);
	(void)close(pair[0]);
	ck_assert_int_eq(ask(pair[1], STORE_OP_GET, "bob", "").status,
			 ERR_NOTFOUND);
	ck_assert_int_eq(ask(pair[1], STORE_OP_PUT, "bob", "b").status,
			 ERR_DENIED);
	(void)close(pair[1]);
	ck_assert_int_eq(ask(worker_fd, STORE_OP_GET, "bob", "").status,
			 ERR_NOTFOUND);
}
END_TEST

START_TEST(worker_cannot_bring_workers)
{
	struct pollfd p = {.events = POLLIN};
	int pair[2];

	ck_assert_int_eq(channel_pair(pair), 0);
	send_fd(worker_fd, pair[0]);
	(void)close(pair[0]);
	/* The other end was closed instead. */
	p.fd = pair[1];
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert(p.revents & POLLHUP);
	(void)close(pair[1]);
}
END_TEST

START_TEST(what_was_acknowledged_outlives_the_process)
{
	ck_assert_int_eq(ask(monitor_fd, STORE_OP_PUT, "bob", "blob").status,
			 0);
	ck_assert_int_eq(stop(), 0);
	start();
	ck_assert(slice_eqs(ask(worker_fd, STORE_OP_GET, "bob", "").blob,
			    "blob"));
}
END_TEST

START_TEST(sigterm_ends_it_in_order)
{
	char log[128];

	ck_assert_int_eq(ask(monitor_fd, STORE_OP_PUT, "bob", "blob").status,
			 0);
	(void)snprintf(log, sizeof(log), "%s-wal", path);
	ck_assert_int_eq(access(log, F_OK), 0);
	ck_assert_int_eq(kill(child, SIGTERM), 0);
	ck_assert_int_eq(stop(), 0);
	/* The log was written back and removed. */
	ck_assert_int_eq(access(log, F_OK), -1);
	start();
	ck_assert(slice_eqs(ask(worker_fd, STORE_OP_GET, "bob", "").blob,
			    "blob"));
}
END_TEST

START_TEST(unusable_database_ends_the_process)
{
	struct role_store_params p = {.path = "/nonexistent/dir/db"};
	int fds[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	p.monitor_fd = fds[0];
	ck_assert_int_eq(role_store(&p), 1);
	(void)close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store role");
	TCase *tc = tcase_create("process");
	TCase *none = tcase_create("no database");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, monitor_writes_and_worker_reads);
	tcase_add_test(tc, worker_may_only_read);
	tcase_add_test(tc, a_successor_finds_what_its_predecessor_left);
	tcase_add_test(tc, a_worker_sweeps_its_own);
	tcase_add_test(tc, what_was_gathered_survives_a_kill);
	tcase_add_test(tc, what_a_full_disk_lost_is_asked_for);
	tcase_add_test(tc, unreadable_requests_are_dropped_and_nothing_else);
	tcase_add_test(tc, long_list_comes_in_pages);
	tcase_add_test(tc, monitor_brings_new_workers);
	tcase_add_test(tc, worker_cannot_bring_workers);
	tcase_add_test(tc, what_was_acknowledged_outlives_the_process);
	tcase_add_test(tc, sigterm_ends_it_in_order);
	suite_add_tcase(suite, tc);
	tcase_add_test(none, the_file_is_of_the_workers_there_are);
	tcase_add_test(none, there_is_room_for_all_that_a_reload_may_allow);
	tcase_add_test(none, what_a_failed_write_took_back_is_asked_for);
	tcase_add_test(none, unusable_database_ends_the_process);
	suite_add_tcase(suite, none);
	return run_suite(suite);
}
