/* The event loop: order, deadlines, removal inside callbacks. */
#include "loop/loop.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/run.h"

static struct loop *loop;
static uint64_t now_ms;
static char trace[64];
static size_t trace_len;

static uint64_t clock_fn(void *arg)
{
	(void)arg;
	return now_ms;
}

static void set_up(void)
{
	trace_len = 0;
	ck_assert_int_eq(loop_new(&loop), 0);
	now_ms = 5000000;
	loop_set_clock(loop, clock_fn, NULL);
}

static void tear_down(void)
{
	loop = loop_free(loop);
}

static void note(void *arg)
{
	const char *c = arg;

	ck_assert_uint_lt(trace_len, sizeof(trace) - 1);
	trace[trace_len++] = *c;
	trace[trace_len] = '\0';
}

static void step(void)
{
	ck_assert_int_eq(loop_step(loop, 0), 0);
}

static char a[] = "a";
static char b[] = "b";
static char c[] = "c";

START_TEST(timers_come_in_order_and_not_early)
{
	struct loop_timer ta;
	struct loop_timer tb;
	struct loop_timer tc;

	loop_timer_init(&ta, note, a);
	loop_timer_init(&tb, note, b);
	loop_timer_init(&tc, note, c);
	ck_assert_int_eq(loop_timer_set(loop, &ta, now_ms + 30), 0);
	ck_assert_int_eq(loop_timer_set(loop, &tb, now_ms + 10), 0);
	ck_assert_int_eq(loop_timer_set(loop, &tc, now_ms + 20), 0);
	loop_timer_clear(loop, &tc);
	loop_timer_clear(loop, &tc);
	now_ms += 9;
	step();
	ck_assert_uint_eq(trace_len, 0);
	now_ms += 1;
	step();
	ck_assert_str_eq(trace, "b");
	now_ms += 100;
	step();
	step();
	ck_assert_str_eq(trace, "ba");
}
END_TEST

struct again {
	struct loop_timer timer;
	int count;
};

static void set_again(void *arg)
{
	struct again *g = arg;

	g->count++;
	ck_assert_int_eq(loop_timer_set(loop, &g->timer, now_ms - 1), 0);
}

START_TEST(timer_that_sets_itself_to_the_past_does_not_hang)
{
	struct again g = {.count = 0};

	loop_timer_init(&g.timer, set_again, &g);
	ck_assert_int_eq(loop_timer_set(loop, &g.timer, now_ms), 0);
	step();
	ck_assert_int_eq(g.count, 1);
	step();
	ck_assert_int_eq(g.count, 2);
	loop_timer_clear(loop, &g.timer);
}
END_TEST

static struct loop_work wa;
static struct loop_work wb;

static void queue_b(void *arg)
{
	note(arg);
	loop_work_add(loop, &wb);
}

START_TEST(work_runs_once_and_its_own_work_in_the_next_round)
{
	struct loop_work wc;

	loop_work_init(&wa, queue_b, a);
	loop_work_init(&wb, note, b);
	loop_work_init(&wc, note, c);
	loop_work_add(loop, &wa);
	loop_work_add(loop, &wa);
	loop_work_add(loop, &wc);
	loop_work_del(&wc);
	loop_work_del(&wc);
	step();
	ck_assert_str_eq(trace, "a");
	step();
	ck_assert_str_eq(trace, "ab");
	step();
	ck_assert_str_eq(trace, "ab");
}
END_TEST

static uint64_t hook_deadline;

static uint64_t get_deadline(void *arg)
{
	(void)arg;
	return hook_deadline;
}

static void run_hook(void *arg, uint64_t now)
{
	ck_assert_uint_eq(now, now_ms);
	hook_deadline = UINT64_MAX;
	note(arg);
}

START_TEST(hook_runs_at_its_machines_deadline)
{
	struct loop_hook h = {
		.deadline = get_deadline, .run = run_hook, .arg = a};

	hook_deadline = now_ms + 500;
	loop_hook_add(loop, &h);
	step();
	now_ms += 499;
	step();
	ck_assert_uint_eq(trace_len, 0);
	now_ms += 1;
	step();
	step();
	ck_assert_str_eq(trace, "a");
	hook_deadline = 0;
	loop_hook_del(&h);
	step();
	ck_assert_str_eq(trace, "a");
}
END_TEST

struct pipe_watch {
	struct loop_fd w;
	int fd[2];
	struct pipe_watch *other;
	int calls;
	uint32_t events;
};

static void open_watch(struct pipe_watch *p, loop_fd_fn fn)
{
	*p = (struct pipe_watch){.calls = 0};
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
	ck_assert_int_eq(loop_fd_add(loop, &p->w, p->fd[0], LOOP_READ, fn, p),
			 0);
}

static void close_watch(struct pipe_watch *p)
{
	loop_fd_del(loop, &p->w);
	loop_fd_del(loop, &p->w);
	(void)close(p->fd[0]);
	(void)close(p->fd[1]);
}

static void count_call(void *arg, uint32_t events)
{
	struct pipe_watch *p = arg;

	p->calls++;
	p->events = events;
}

START_TEST(descriptors_report_what_was_asked)
{
	struct pipe_watch p;

	open_watch(&p, count_call);
	step();
	ck_assert_int_eq(p.calls, 0);
	ck_assert_int_eq(write(p.fd[1], "x", 1), 1);
	step();
	ck_assert_int_eq(p.calls, 1);
	ck_assert_uint_eq(p.events, LOOP_READ);
	loop_fd_set(loop, &p.w, LOOP_WRITE);
	step();
	ck_assert_uint_eq(p.events, LOOP_WRITE);
	loop_fd_set(loop, &p.w, 0);
	step();
	ck_assert_int_eq(p.calls, 2);
	(void)close(p.fd[1]);
	p.fd[1] = dup(p.fd[0]);
	step();
	ck_assert_uint_ne(p.events & LOOP_ERROR, 0);
	close_watch(&p);
}
END_TEST

static void remove_other(void *arg, uint32_t events)
{
	struct pipe_watch *p = arg;

	count_call(arg, events);
	loop_fd_del(loop, &p->other->w);
}

START_TEST(watch_removed_in_a_callback_is_not_called_any_more)
{
	struct pipe_watch p;
	struct pipe_watch q;

	open_watch(&p, remove_other);
	open_watch(&q, remove_other);
	p.other = &q;
	q.other = &p;
	ck_assert_int_eq(write(p.fd[1], "x", 1), 1);
	ck_assert_int_eq(write(q.fd[1], "x", 1), 1);
	step();
	/* Both were ready in one batch; the first removed the second. */
	ck_assert_int_eq(p.calls + q.calls, 1);
	close_watch(&p);
	close_watch(&q);
}
END_TEST

static int signals;

static void on_signal(void *arg)
{
	(void)arg;
	signals++;
	loop_stop(loop);
}

START_TEST(signals_arrive_in_the_loop_and_stop_it)
{
	signals = 0;
	ck_assert_int_eq(loop_signal(loop, SIGUSR1, on_signal, NULL), 0);
	ck_assert_int_eq(loop_signal(loop, SIGUSR2, on_signal, NULL), 0);
	ck_assert_int_eq(raise(SIGUSR2), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(signals, 1);
	ck_assert_int_eq(raise(SIGUSR1), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(signals, 2);
	for (int i = 2; i < 8; i++)
		ck_assert_int_eq(loop_signal(loop, SIGUSR1, on_signal, NULL),
				 0);
	ck_assert_int_eq(loop_signal(loop, SIGUSR1, on_signal, NULL),
			 ERR_LIMIT);
}
END_TEST

START_TEST(real_clock_waits_for_a_deadline)
{
	struct loop *real;
	struct loop_timer t;
	uint64_t start;

	ck_assert_int_eq(loop_new(&real), 0);
	start = loop_now_ms(real);
	ck_assert_uint_gt(start, 3600000 - 1);
	loop_timer_init(&t, note, a);
	ck_assert_int_eq(loop_timer_set(real, &t, start + 20), 0);
	for (int i = 0; i < 100 && trace_len == 0; i++)
		ck_assert_int_eq(loop_step(real, 100), 0);
	ck_assert_str_eq(trace, "a");
	ck_assert_uint_ge(loop_refresh_ms(real), start + 20);
	ck_assert_uint_lt(loop_now_ms(real), start + 4000);
	ck_assert_uint_gt(loop_wall_s(), 1600000000);
	real = loop_free(real);
	ck_assert_ptr_null(loop_free(NULL));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, timers_come_in_order_and_not_early);
	tcase_add_test(tc, timer_that_sets_itself_to_the_past_does_not_hang);
	tcase_add_test(tc, work_runs_once_and_its_own_work_in_the_next_round);
	tcase_add_test(tc, hook_runs_at_its_machines_deadline);
	tcase_add_test(tc, descriptors_report_what_was_asked);
	tcase_add_test(tc, watch_removed_in_a_callback_is_not_called_any_more);
	tcase_add_test(tc, signals_arrive_in_the_loop_and_stop_it);
	tcase_add_test(tc, real_clock_waits_for_a_deadline);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
