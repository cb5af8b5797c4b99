/*
 * The event loop of a process: epoll, signals, deadlines and deferred work.
 * Nothing else calls epoll. One thread per loop; every function and callback
 * below runs in that thread. Watches, timers and work items are embedded in
 * their owners' structs and must be removed before those are freed; removing
 * one inside any callback is safe, also of an event already collected.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/timerq.h"

enum {
	LOOP_READ = 1,	/* readable, or the peer closed */
	LOOP_WRITE = 2, /* writable, or a connect finished */
	LOOP_ERROR = 4, /* error or hang-up; always reported */
	LOOP_END = 8,	/* reported beside the others: the peer has closed, or the
			 * connection is broken; bytes may still wait */
	LOOP_PAUSED = 16 /* loop_fd_pause's own */
};

struct loop;

/* fd is ready; events: LOOP_* bits. */
typedef void (*loop_fd_fn)(void *arg, uint32_t events);
/* A timer, a work item or a signal is due. */
typedef void (*loop_fn)(void *arg);

/* A watched file descriptor; the owner keeps fd open while it is watched. */
struct loop_fd {
	loop_fd_fn fn;
	void *arg;	 /* for fn */
	int fd;		 /* -1 = not watched */
	uint32_t events; /* LOOP_READ | LOOP_WRITE now asked for */
};

/* One deadline. */
struct loop_timer {
	struct timerq_node node;
	loop_fn fn;
	void *arg; /* for fn */
};

/* Work to be done once, before the loop waits again. */
struct loop_work {
	struct list node;
	loop_fn fn;
	void *arg; /* for fn */
};

/*
 * A machine with its own deadline (calls_deadline): the loop asks deadline()
 * before every wait and calls run() once now has reached it.
 */
struct loop_hook {
	struct list node;
	uint64_t (*deadline)(void *arg); /* ms, UINT64_MAX = none */
	void (*run)(void *arg, uint64_t now_ms);
	void *arg; /* for both */
};

/* A new loop on the monotonic clock. ERR_NOMEM, ERR_IO. */
MUST_CHECK int loop_new(struct loop **ret);
/* Close and free l (may be NULL); returns NULL. All watches must be gone. */
struct loop *loop_free(struct loop *l);
/*
 * Watch fd (non-blocking) for events with w, which must stay where it is.
 * fn(arg, bits) is called level-triggered. ERR_IO.
 */
MUST_CHECK int loop_fd_add(struct loop *l, struct loop_fd *w, int fd,
			   uint32_t events, loop_fd_fn fn, void *arg);
/* Ask for other events (0 = only LOOP_ERROR). Cheap when nothing changes. */
void loop_fd_set(struct loop *l, struct loop_fd *w, uint32_t events);
/* Ask for nothing, not even LOOP_ERROR, until loop_fd_set; one call of fn may
 * still come. */
void loop_fd_pause(struct loop *l, struct loop_fd *w);
/* Stop watching; w->fd stays open and is set to -1 in w. Harmless twice. */
void loop_fd_del(struct loop *l, struct loop_fd *w);
/* Prepare t; it is unset. fn(arg) is called once per deadline. */
void loop_timer_init(struct loop_timer *t, loop_fn fn, void *arg);
/* Set or move t to at_ms (loop_now_ms clock). O(log n). ERR_NOMEM only when
 * it was unset. */
MUST_CHECK int loop_timer_set(struct loop *l, struct loop_timer *t,
			      uint64_t at_ms);
/* Unset t; harmless when unset. */
void loop_timer_clear(struct loop *l, struct loop_timer *t);
/* Prepare w; it is not queued. */
void loop_work_init(struct loop_work *w, loop_fn fn, void *arg);
/* Queue w to run before the next wait; nothing happens when it is queued. */
void loop_work_add(struct loop *l, struct loop_work *w);
/* Take w out of the queue; harmless when it is not in it. */
void loop_work_del(struct loop_work *w);
/* Poll h (deadline, run, arg set by the caller) until loop_hook_del. */
void loop_hook_add(struct loop *l, struct loop_hook *h);
/* Stop polling h. */
void loop_hook_del(struct loop_hook *h);
/*
 * Call fn(arg) in the loop when signal signo arrives (signalfd); the signal
 * is blocked for the thread. ERR_IO, ERR_LIMIT beyond 8 signals.
 */
MUST_CHECK int loop_signal(struct loop *l, int signo, loop_fn fn, void *arg);
/* Milliseconds of the monotonic clock, read once per round of the loop; the
 * first value is far above 0. */
uint64_t loop_now_ms(const struct loop *l);
/* Rounds begun so far: another value says that other descriptors, timers and
 * work were served meanwhile. */
uint64_t loop_round(const struct loop *l);
/* Read the clock anew: after something slow, or to start with. */
uint64_t loop_refresh_ms(struct loop *l);
/* For tests: take the time from clock(arg) from now on; the loop then never
 * waits longer than loop_step's limit. */
void loop_set_clock(struct loop *l, uint64_t (*clock)(void *arg), void *arg);
/* Run until loop_stop. ERR_IO when epoll fails. */
MUST_CHECK int loop_run(struct loop *l);
/*
 * One round: due timers and hooks, work, at most max_wait_ms of waiting (not
 * beyond the next deadline), ready fds. For tests; not from inside a
 * callback. ERR_IO.
 */
MUST_CHECK int loop_step(struct loop *l, uint64_t max_wait_ms);
/* Make loop_run return 0 after the present round. */
void loop_stop(struct loop *l);
/* Wall clock, seconds since 1970: certificates, nonces, Date. */
uint64_t loop_wall_s(void);
