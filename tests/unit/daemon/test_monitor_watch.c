/*
 * Who hangs: the questions to the children, what comes of no answer, and what
 * the service manager is told. Time is the test's.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/mon.h"
#include "lib/run.h"

static uint64_t now;
static int downs;    /* of the child that is a process */
static int down_how; /* its status then */

static uint64_t clock_of(void *arg)
{
	(void)arg;
	return now;
}

static void setup_none(void)
{
	mon_open("");
	now = 1000000;
	loop_set_clock(mon->loop, clock_of, NULL);
	mon_up(MONITOR_STORE, 0);
}

static void setup(void)
{
	setup_none();
	ck_assert_int_eq(monitor_watch_begin(mon), 0);
}

static void teardown(void)
{
	monitor_watch_end(mon);
	mon->procs = procs_free(mon->procs);
	mon_close();
}

/* Time goes on to the next question, and so far. */
static void pass(uint64_t ms)
{
	now += ms;
	mon_turn();
}

/* How often a child was asked since it was last looked at; all with that
 * level. */
static int asked(enum monitor_kind kind, uint32_t number, enum log_level level)
{
	struct slice s = mon_hear(kind, number, NULL);
	uint8_t l;
	int n = 0;

	for (; s.len > 0; n++) {
		ck_assert_int_eq(dwire_ping_read(s, &l), 0);
		ck_assert_int_eq(l, level);
		s = mon_hear(kind, number, NULL);
	}
	return n;
}

static int store_asked(void)
{
	return asked(MONITOR_STORE, 0, LOG_LEVEL_INFO);
}

/* ---- asking ------------------------------------------------------------------ */

START_TEST(all_that_run_are_asked_every_five_seconds)
{
	mon_up(MONITOR_WORKER, 1);
	pass(4999);
	ck_assert_int_eq(store_asked(), 0);
	pass(1);
	ck_assert_int_eq(store_asked(), 1);
	ck_assert_int_eq(asked(MONITOR_WORKER, 1, LOG_LEVEL_INFO), 1);
	mon_down(MONITOR_STORE, 0);
	pass(5000);
	ck_assert_int_eq(asked(MONITOR_WORKER, 1, LOG_LEVEL_INFO), 1);
	mon_up(MONITOR_STORE, 0);
	pass(5000);
	ck_assert_int_eq(store_asked(), 1);
}
END_TEST

START_TEST(the_question_carries_the_level)
{
	monitor_watch_level(mon, LOG_LEVEL_DEBUG);
	ck_assert_int_eq(asked(MONITOR_STORE, 0, LOG_LEVEL_DEBUG), 1);
	pass(5000);
	ck_assert_int_eq(asked(MONITOR_STORE, 0, LOG_LEVEL_DEBUG), 1);
	log_set_level(LOG_LEVEL_INFO);
}
END_TEST

/* ---- not answering -------------------------------------------------------------- */

static int on_start(void *arg, struct proc *p, struct proc_start *ret)
{
	(void)arg;
	(void)p;
	ret->args[ret->arg_count++] = "1000";
	return 0;
}

static void on_proc_down(void *arg, struct proc *p, int status, bool is_final)
{
	(void)arg;
	(void)p;
	(void)is_final;
	downs++;
	down_how = status;
}

/* The store is a process that says what the test says, or nothing. */
static void setup_process(void)
{
	static const struct proc_ops ops = {.start = on_start,
					    .down = on_proc_down};
	struct procs_params p = {.exe = "/bin/sleep"};

	setup();
	downs = 0;
	p.loop = mon->loop;
	ck_assert_int_eq(procs_new(&p, &mon->procs), 0);
	ck_assert_int_eq(proc_add(mon->procs, "store", &ops, NULL,
				  &mon->child[MONITOR_STORE].proc),
			 0);
}

/* Has it ended, of a signal? Waits for what was sent. */
static bool is_killed(int times)
{
	for (int i = 0; i < 2000 && downs < times; i++)
		ck_assert_int_eq(loop_step(mon->loop, 10), 0);
	return downs == times && WIFSIGNALED(down_how) &&
	       WTERMSIG(down_how) == SIGKILL;
}

/* Is it left alone? What was sent would have come by then. */
static bool is_alive(void)
{
	pid_t pid = proc_pid(mon->child[MONITOR_STORE].proc);

	mon_turn();
	return downs == 0 && waitpid(pid, NULL, WNOHANG) == 0;
}

START_TEST(who_does_not_answer_for_thirty_seconds_is_killed)
{
	struct monitor_child *store = &mon->child[MONITOR_STORE];

	pass(5000); /* the first question */
	for (int i = 0; i < 5; i++)
		pass(5000);
	ck_assert(is_alive());
	ck_assert_int_eq(store_asked(), 6);
	pass(4999);
	ck_assert(is_alive());
	pass(1);
	ck_assert(is_killed(1));
	/* Its successor has patience of its own. */
	pass(100);
	ck_assert_uint_eq(proc_starts(store->proc), 2);
	for (int i = 0; i < 6; i++)
		pass(5000);
	ck_assert_int_eq(downs, 1);
	ck_assert_int_eq(store_asked(), 6);
	pass(5000);
	ck_assert(is_killed(2));
}
END_TEST

/* It was slow, but it lives: the next question is a new one. */
START_TEST(an_answer_at_the_last_moment_is_an_answer)
{
	pass(5000);
	for (int i = 0; i < 5; i++)
		pass(5000);
	mon_say(MONITOR_STORE, 0, slice_str(DWIRE_PONG));
	for (int i = 0; i < 6; i++)
		pass(5000);
	ck_assert(is_alive());
	pass(5000);
	ck_assert(is_killed(1));
}
END_TEST

START_TEST(who_answers_is_never_killed)
{
	for (int i = 0; i < 100; i++) {
		pass(5000);
		ck_assert_int_eq(store_asked(), 1);
		mon_say(MONITOR_STORE, 0, slice_str(DWIRE_PONG));
	}
	ck_assert(is_alive());
}
END_TEST

/* ---- the service manager --------------------------------------------------------- */

static int notify_fd(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const char *path = mon_path("notify");

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_lt(strlen(path), sizeof(un.sun_path));
	memcpy(un.sun_path, path, strlen(path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", path, 1), 0);
	return fd;
}

static bool is_told(int fd)
{
	char text[64] = "";
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	ck_assert(n < 0 || strcmp(text, "WATCHDOG=1") == 0);
	return n > 0;
}

START_TEST(a_watchdog_is_told_thrice_in_its_patience)
{
	int fd = notify_fd();

	ck_assert_int_eq(setenv("WATCHDOG_USEC", "6000000", 1), 0);
	ck_assert_int_eq(monitor_watch_begin(mon), 0);
	for (int i = 0; i < 3; i++) {
		pass(2000);
		ck_assert(!is_told(fd));
		pass(1);
		ck_assert(is_told(fd));
		ck_assert_int_eq(store_asked(), 1);
	}
	ck_assert_int_eq(unsetenv("WATCHDOG_USEC"), 0);
	ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
	(void)close(fd);
}
END_TEST

START_TEST(without_a_watchdog_nobody_is_told)
{
	int fd = notify_fd();

	ck_assert_int_eq(monitor_watch_begin(mon), 0);
	pass(5000);
	ck_assert_int_eq(store_asked(), 1);
	ck_assert(!is_told(fd));
	ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
	(void)close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon/monitor_watch");
	TCase *t = tcase_create("asking");
	TCase *hang = tcase_create("a process that hangs");
	TCase *none = tcase_create("the service manager");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, all_that_run_are_asked_every_five_seconds);
	tcase_add_test(t, the_question_carries_the_level);
	tcase_add_checked_fixture(hang, setup_process, teardown);
	tcase_add_test(hang, who_does_not_answer_for_thirty_seconds_is_killed);
	tcase_add_test(hang, an_answer_at_the_last_moment_is_an_answer);
	tcase_add_test(hang, who_answers_is_never_killed);
	tcase_add_checked_fixture(none, setup_none, teardown);
	tcase_add_test(none, a_watchdog_is_told_thrice_in_its_patience);
	tcase_add_test(none, without_a_watchdog_nobody_is_told);
	suite_add_tcase(s, t);
	suite_add_tcase(s, hang);
	suite_add_tcase(s, none);
	return run_suite(s);
}
