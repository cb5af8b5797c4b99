#include "loop/loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

enum {
	LOOP_BATCH = 512, /* events taken from epoll at once */
	LOOP_SIGNALS = 8, /* signals with a callback */
	LOOP_WAIT_MAX_MS = 3600000
};

struct loop_signal {
	int signo;
	loop_fn fn;
	void *arg;
};

struct loop {
	int epfd;
	uint64_t now_ms;
	uint64_t round;
	uint64_t (*clock)(void *arg); /* NULL: the system's */
	void *clock_arg;
	bool is_stopped;
	struct timerq timers;
	struct list work;
	struct list hooks;
	struct list mark; /* end of the present walk over either */
	/* Events of the present batch not yet handed out; loop_fd_del strikes
	 * out those of a watch that goes away. */
	struct epoll_event batch[LOOP_BATCH];
	int batch_count;
	int batch_pos;
	struct loop_fd signal_fd;
	sigset_t signal_mask;
	struct loop_signal signals[LOOP_SIGNALS];
	uint32_t signal_count;
};

static uint64_t system_ms(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail on Linux */
	/* An hour ahead, so that 0 always lies in the past. */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 +
	       3600000;
}

int loop_new(struct loop **ret)
{
	struct loop *l = alloc_zero(sizeof(*l));

	if (!l)
		return ERR_NOMEM;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		(void)alloc_free(l);
		return ERR_IO;
	}
	timerq_init(&l->timers);
	list_init(&l->work);
	list_init(&l->hooks);
	l->signal_fd.fd = -1;
	(void)sigemptyset(&l->signal_mask);
	(void)loop_refresh_ms(l);
	*ret = l;
	return 0;
}

struct loop *loop_free(struct loop *l)
{
	if (!l)
		return NULL;
	if (l->signal_fd.fd >= 0)
		(void)close(l->signal_fd.fd);
	(void)close(l->epfd);
	timerq_done(&l->timers);
	return alloc_free(l);
}

static uint32_t to_epoll(uint32_t events)
{
	return (events & LOOP_READ ? (uint32_t)(EPOLLIN | EPOLLRDHUP) : 0) |
	       (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0) |
	       (events & LOOP_PAUSED ? (uint32_t)EPOLLONESHOT : 0);
}

static int control(struct loop *l, int op, struct loop_fd *w)
{
	struct epoll_event ev = {.events = to_epoll(w->events),
				 .data = {.ptr = w}};

	return epoll_ctl(l->epfd, op, w->fd, &ev) == 0 ? 0 : ERR_IO;
}

int loop_fd_add(struct loop *l, struct loop_fd *w, int fd, uint32_t events,
		loop_fd_fn fn, void *arg)
{
	int err;

	*w = (struct loop_fd){.fn = fn, .arg = arg, .fd = fd, .events = events};
	err = control(l, EPOLL_CTL_ADD, w);
	if (err)
		w->fd = -1;
	return err;
}

void loop_fd_set(struct loop *l, struct loop_fd *w, uint32_t events)
{
	if (w->fd < 0 || w->events == events)
		return;
	w->events = events;
	/* Cannot fail: the descriptor is registered and nothing is added. */
	(void)control(l, EPOLL_CTL_MOD, w);
}

void loop_fd_pause(struct loop *l, struct loop_fd *w)
{
	loop_fd_set(l, w, LOOP_PAUSED);
}

void loop_fd_del(struct loop *l, struct loop_fd *w)
{
	if (w->fd < 0)
		return;
	(void)control(l, EPOLL_CTL_DEL, w);
	w->fd = -1;
	for (int i = l->batch_pos; i < l->batch_count; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

void loop_timer_init(struct loop_timer *t, loop_fn fn, void *arg)
{
	*t = (struct loop_timer){.fn = fn, .arg = arg};
}

int loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	return timerq_set(&l->timers, &t->node, at_ms);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
	timerq_clear(&l->timers, &t->node);
}

void loop_work_init(struct loop_work *w, loop_fn fn, void *arg)
{
	*w = (struct loop_work){.fn = fn, .arg = arg};
	list_init(&w->node);
}

void loop_work_add(struct loop *l, struct loop_work *w)
{
	if (list_empty(&w->node))
		list_append(&l->work, &w->node);
}

void loop_work_del(struct loop_work *w)
{
	list_del(&w->node);
}

void loop_hook_add(struct loop *l, struct loop_hook *h)
{
	list_append(&l->hooks, &h->node);
}

void loop_hook_del(struct loop_hook *h)
{
	list_del(&h->node);
}

/* One descriptor delivers all signals; read until it is empty. */
static void on_signal(void *arg, uint32_t events)
{
	struct loop *l = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(l->signal_fd.fd, &si, sizeof(si)) == sizeof(si)) {
		for (uint32_t i = 0; i < l->signal_count; i++)
			if ((uint32_t)l->signals[i].signo == si.ssi_signo)
				l->signals[i].fn(l->signals[i].arg);
	}
}

int loop_signal(struct loop *l, int signo, loop_fn fn, void *arg)
{
	int fd;
	int err;

	if (l->signal_count == LOOP_SIGNALS)
		return ERR_LIMIT;
	if (sigaddset(&l->signal_mask, signo) < 0 ||
	    pthread_sigmask(SIG_BLOCK, &l->signal_mask, NULL) != 0)
		return ERR_IO;
	fd = signalfd(l->signal_fd.fd, &l->signal_mask,
		      SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	if (l->signal_fd.fd < 0) {
		err = loop_fd_add(l, &l->signal_fd, fd, LOOP_READ, on_signal,
				  l);
		if (err) {
			(void)close(fd);
			return err;
		}
	}
	l->signals[l->signal_count++] =
		(struct loop_signal){.signo = signo, .fn = fn, .arg = arg};
	return 0;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

uint64_t loop_round(const struct loop *l)
{
	return l->round;
}

uint64_t loop_refresh_ms(struct loop *l)
{
	l->now_ms = l->clock ? l->clock(l->clock_arg) : system_ms();
	return l->now_ms;
}

void loop_set_clock(struct loop *l, uint64_t (*clock)(void *arg), void *arg)
{
	l->clock = clock;
	l->clock_arg = arg;
	(void)loop_refresh_ms(l);
}

/* At most as many as were set at the start: a timer that sets itself to the
 * past must not keep the loop from its descriptors. */
static void run_timers(struct loop *l)
{
	for (uint32_t n = l->timers.count; n > 0; n--) {
		struct timerq_node *node = timerq_pop(&l->timers, l->now_ms);
		struct loop_timer *t;

		if (!node)
			return;
		t = TIMERQ_ENTRY(node, struct loop_timer, node);
		t->fn(t->arg);
	}
}

/* A hook may remove itself or others, so the walk keeps its place in the list
 * by rotating it: each hook is moved to the end before it runs. */
static void run_hooks(struct loop *l)
{
	struct list *end = &l->mark;

	list_append(&l->hooks, end);
	while (l->hooks.next != end) {
		struct list *node = l->hooks.next;
		struct loop_hook *h = LIST_ENTRY(node, struct loop_hook, node);

		list_del(node);
		list_append(&l->hooks, node);
		if (h->deadline(h->arg) <= l->now_ms)
			h->run(h->arg, l->now_ms);
	}
	list_del(end);
}

/* What is queued by the work itself waits for the next round. */
static void run_work(struct loop *l)
{
	struct list *end = &l->mark;

	list_append(&l->work, end);
	while (l->work.next != end) {
		struct loop_work *w =
			LIST_ENTRY(l->work.next, struct loop_work, node);

		list_del(&w->node);
		w->fn(w->arg);
	}
	list_del(end);
}

static uint64_t next_deadline(struct loop *l)
{
	uint64_t at = timerq_next(&l->timers);
	struct list *pos;

	list_for_each(pos, &l->hooks) {
		struct loop_hook *h = LIST_ENTRY(pos, struct loop_hook, node);
		uint64_t d = h->deadline(h->arg);

		if (d < at)
			at = d;
	}
	return at;
}

static int wait_ms(struct loop *l, uint64_t max_wait_ms)
{
	uint64_t at = next_deadline(l);
	uint64_t wait = max_wait_ms;

	if (!list_empty(&l->work) || at <= l->now_ms)
		return 0;
	/* Under a test's clock a deadline in the future says nothing about
	 * how long to wait for real. */
	if (!l->clock && at - l->now_ms < wait)
		wait = at - l->now_ms;
	return (int)(wait < LOOP_WAIT_MAX_MS ? wait : LOOP_WAIT_MAX_MS);
}

static uint32_t from_epoll(uint32_t events)
{
	uint32_t r = 0;

	if (events & (EPOLLIN | EPOLLRDHUP))
		r |= LOOP_READ;
	if (events & EPOLLOUT)
		r |= LOOP_WRITE;
	if (events & (EPOLLERR | EPOLLHUP))
		r |= LOOP_ERROR;
	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		r |= LOOP_END;
	return r;
}

int loop_step(struct loop *l, uint64_t max_wait_ms)
{
	int n;

	l->round++;
	(void)loop_refresh_ms(l);
	run_timers(l);
	run_hooks(l);
	run_work(l);
	if (l->is_stopped)
		return 0;
	n = epoll_wait(l->epfd, l->batch, LOOP_BATCH, wait_ms(l, max_wait_ms));
	if (n < 0)
		return errno == EINTR ? 0 : ERR_IO;
	(void)loop_refresh_ms(l);
	l->batch_count = n;
	for (l->batch_pos = 0; l->batch_pos < l->batch_count;) {
		struct epoll_event *ev = &l->batch[l->batch_pos++];
		struct loop_fd *w = ev->data.ptr;

		if (w)
			w->fn(w->arg, from_epoll(ev->events));
	}
	l->batch_count = 0;
	return 0;
}

int loop_run(struct loop *l)
{
	int err = 0;

	while (!err && !l->is_stopped)
		err = loop_step(l, LOOP_WAIT_MAX_MS);
	l->is_stopped = false;
	return err;
}

void loop_stop(struct loop *l)
{
	l->is_stopped = true;
}

uint64_t loop_wall_s(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail on Linux */
	return (uint64_t)ts.tv_sec;
}
