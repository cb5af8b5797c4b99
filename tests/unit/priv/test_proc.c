/* Children of the monitor: this program starts itself again. */
#include "priv/proc.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/run.h"

static struct loop *loop;
static struct procs *procs;
static int stopped;

struct kid {
	const char *what; /* argument: how the child behaves */
	struct proc *p;
	int fd; /* our end of its channel */
	int starts;
	int downs;
	int finals;
	int status;
	int start_err;
	bool opens;	   /* start_err comes after a descriptor was made */
	int failed_fd;	   /* the last one */
	uint64_t tried_ms; /* the last such start */
	uint64_t pause_ms; /* since the one before */
	int order;	   /* of its end */
};

static int order;

/* ---- the child ---- */

static int child(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	sigset_t blocked;
	char c;

	if (strcmp(what, "exit7") == 0)
		return 7;
	if (strcmp(what, "crash") == 0) {
		(void)raise(SIGKILL);
		return 1;
	}
	if (strcmp(what, "stubborn") == 0)
		(void)signal(SIGTERM, SIG_IGN);
	/* Descriptors: 3 and 4 are ours, 5 and all others closed; no signal
	 * is blocked. */
	if (fcntl(3, F_GETFD) < 0 || fcntl(4, F_GETFD) < 0)
		return 21;
	for (int fd = 5; fd < 200; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 22;
	if (sigprocmask(SIG_BLOCK, NULL, &blocked) < 0 ||
	    sigismember(&blocked, SIGCHLD) || sigismember(&blocked, SIGTERM))
		return 23;
	if (write(3, "up", 2) != 2)
		return 24;
	while (read(3, &c, 1) < 0 && errno == EINTR)
		;
	return 0;
}

/* ---- the tests ---- */

static int on_start(void *arg, struct proc *p, struct proc_start *ret)
{
	struct kid *k = arg;
	int fds[2];

	(void)p;
	if (k->start_err && k->opens) {
		uint64_t now = loop_refresh_ms(loop);

		k->failed_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(k->failed_fd, 0);
		ret->fds[ret->fd_count++] = k->failed_fd;
		ret->is_kept[ret->fd_count] = true;
		ret->fds[ret->fd_count++] = STDERR_FILENO;
		k->pause_ms = now - k->tried_ms;
		k->tried_ms = now;
	}
	if (k->start_err)
		return k->start_err;
	if (k->fd >= 0)
		(void)close(k->fd);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	k->fd = fds[0];
	k->starts++;
	ret->args[0] = k->what;
	ret->arg_count = 1;
	ret->fds[0] = fds[1];
	/* Descriptor numbers that overlap with the final ones. */
	ret->fds[1] = STDERR_FILENO;
	ret->is_kept[1] = true;
	ret->fd_count = 2;
	return 0;
}

static void on_down(void *arg, struct proc *p, int status, bool is_final)
{
	struct kid *k = arg;

	ck_assert_int_eq(proc_pid(p), 0);
	k->downs++;
	k->finals += is_final;
	k->status = status;
	k->order = ++order;
}

static const struct proc_ops ops = {.start = on_start, .down = on_down};

static void set_up(void)
{
	struct procs_params p = {.exe = "/proc/self/exe",
				 .backoff_min_ms = 1,
				 .backoff_max_ms = 4,
				 .stop_ms = 100};

	order = 0;
	stopped = 0;
	ck_assert_int_eq(setenv("SALLYPORT_TEST_CHILD", "1", 1), 0);
	ck_assert_int_eq(loop_new(&loop), 0);
	p.loop = loop;
	ck_assert_int_eq(procs_new(&p, &procs), 0);
}

static void tear_down(void)
{
	procs = procs_free(procs);
	loop = loop_free(loop);
}

/* cond is not asked again once it was true: it may use something up. */
#define RUN_UNTIL(cond)                                           \
	do {                                                      \
		int left = 1000;                                  \
		bool is_true;                                     \
		while (!(is_true = (cond)) && left-- > 0)         \
			ck_assert_int_eq(loop_step(loop, 10), 0); \
		ck_assert(is_true);                               \
	} while (0)

static bool is_up(struct kid *k)
{
	char buf[8];

	return recv(k->fd, buf, sizeof(buf), MSG_DONTWAIT) == 2;
}

static void on_stopped(void *arg)
{
	(void)arg;
	stopped++;
}

START_TEST(child_gets_its_descriptors_and_nothing_else)
{
	struct kid k = {.what = "serve", .fd = -1};

	ck_assert_int_eq(proc_add(procs, "serve", &ops, &k, &k.p), 0);
	ck_assert_int_gt(proc_pid(k.p), 0);
	ck_assert_str_eq(proc_name(k.p), "serve");
	RUN_UNTIL(is_up(&k));
	(void)close(k.fd);
	k.fd = -1;
	/* The end of its channel ends it, and it is started again. */
	RUN_UNTIL(k.downs == 1);
	ck_assert_int_eq(k.status, 0);
	ck_assert_int_eq(k.finals, 0);
	RUN_UNTIL(k.starts == 2 && is_up(&k));
	ck_assert_uint_eq(proc_starts(k.p), 2);
}
END_TEST

START_TEST(dead_child_is_restarted_with_a_growing_pause)
{
	struct kid k = {.what = "crash", .fd = -1};
	struct kid e = {.what = "exit7", .fd = -1};

	ck_assert_int_eq(proc_add(procs, "crash", &ops, &k, &k.p), 0);
	ck_assert_int_eq(proc_add(procs, "exit7", &ops, &e, &e.p), 0);
	RUN_UNTIL(k.downs >= 4 && e.downs >= 4);
	ck_assert(WIFSIGNALED(k.status));
	ck_assert_int_eq(WTERMSIG(k.status), SIGKILL);
	ck_assert(WIFEXITED(e.status));
	ck_assert_int_eq(WEXITSTATUS(e.status), 7);
}
END_TEST

START_TEST(start_that_fails_is_told_first_and_retried_later)
{
	struct kid k = {.what = "serve", .fd = -1, .start_err = ERR_IO};

	ck_assert_int_eq(proc_add(procs, "x", &ops, &k, &k.p), ERR_IO);
	ck_assert_ptr_null(k.p);
	k.start_err = 0;
	ck_assert_int_eq(proc_add(procs, "x", &ops, &k, &k.p), 0);
	RUN_UNTIL(is_up(&k));
	k.start_err = ERR_NOMEM;
	proc_signal(k.p, SIGKILL);
	RUN_UNTIL(k.downs == 1);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_step(loop, 5), 0);
	ck_assert_int_eq(k.starts, 1);
	k.start_err = 0;
	RUN_UNTIL(k.starts == 2 && is_up(&k));
}
END_TEST

static uint64_t late_ms(void *arg)
{
	struct timespec ts;

	(void)arg;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return 100000000 + (uint64_t)ts.tv_sec * 1000 +
	       (uint64_t)ts.tv_nsec / 1000000;
}

/* One that had run for long: each try costs nothing, and they become rarer. */
START_TEST(start_that_goes_on_failing_leaves_nothing_open)
{
	struct kid k = {.what = "serve", .fd = -1, .opens = true};
	struct procs_params p = {.exe = "/proc/self/exe",
				 .backoff_min_ms = 40,
				 .backoff_max_ms = 4000};

	/* With a loop of its own: SIGCHLD of the other one is the others'. */
	tear_down();
	ck_assert_int_eq(loop_new(&loop), 0);
	p.loop = loop;
	ck_assert_int_eq(procs_new(&p, &procs), 0);
	ck_assert_int_eq(proc_add(procs, "x", &ops, &k, &k.p), 0);
	RUN_UNTIL(is_up(&k));
	loop_set_clock(loop, late_ms, NULL);
	k.start_err = ERR_CLOSED;
	proc_signal(k.p, SIGKILL);
	RUN_UNTIL(k.pause_ms >= 140 && k.pause_ms < 10000);
	ck_assert_int_lt(fcntl(k.failed_fd, F_GETFD), 0);
	ck_assert_int_ge(fcntl(STDERR_FILENO, F_GETFD), 0);
	k.start_err = 0;
	RUN_UNTIL(k.starts == 2 && is_up(&k));
}
END_TEST

START_TEST(stopping_ends_the_last_first_and_kills_the_stubborn)
{
	struct kid k[3] = {{.what = "serve", .fd = -1},
			   {.what = "stubborn", .fd = -1},
			   {.what = "serve", .fd = -1}};
	struct kid late = {.what = "serve", .fd = -1};

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
			proc_add(procs, k[i].what, &ops, &k[i], &k[i].p), 0);
	for (int i = 0; i < 3; i++)
		RUN_UNTIL(is_up(&k[i]));
	procs_stop(procs, on_stopped, NULL);
	procs_stop(procs, on_stopped, NULL);
	ck_assert_int_eq(proc_add(procs, "late", &ops, &late, &late.p),
			 ERR_LIMIT);
	RUN_UNTIL(stopped == 1);
	ck_assert_int_eq(k[2].order, 1);
	ck_assert_int_eq(k[1].order, 2);
	ck_assert_int_eq(k[0].order, 3);
	ck_assert_int_eq(WTERMSIG(k[2].status), SIGTERM);
	ck_assert_int_eq(WTERMSIG(k[1].status), SIGKILL);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(k[i].finals, 1);
		ck_assert_int_eq(k[i].starts, 1);
	}
}
END_TEST

START_TEST(stopping_without_children_is_told_too)
{
	procs_stop(procs, on_stopped, NULL);
	RUN_UNTIL(stopped == 1);
}
END_TEST

START_TEST(children_are_limited)
{
	static struct kid k[PROC_MAX + 1];

	for (int i = 0; i < PROC_MAX; i++) {
		k[i] = (struct kid){.what = "serve", .fd = -1};
		ck_assert_int_eq(proc_add(procs, "kid", &ops, &k[i], &k[i].p),
				 0);
	}
	k[PROC_MAX].fd = -1;
	ck_assert_int_eq(
		proc_add(procs, "kid", &ops, &k[PROC_MAX], &k[PROC_MAX].p),
		ERR_LIMIT);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("priv/proc");
	TCase *tc = tcase_create("processes");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, child_gets_its_descriptors_and_nothing_else);
	tcase_add_test(tc, dead_child_is_restarted_with_a_growing_pause);
	tcase_add_test(tc, start_that_fails_is_told_first_and_retried_later);
	tcase_add_test(tc, start_that_goes_on_failing_leaves_nothing_open);
	tcase_add_test(tc, stopping_ends_the_last_first_and_kills_the_stubborn);
	tcase_add_test(tc, stopping_without_children_is_told_too);
	tcase_add_test(tc, children_are_limited);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	if (getenv("SALLYPORT_TEST_CHILD"))
		return child(argc, argv);
	return run_suite(suite());
}
