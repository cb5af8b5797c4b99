/*
 * Child processes of the monitor: fork and re-exec of our own binary, so that
 * address layouts differ; descriptors at fixed numbers; restart with back-off
 * (OpenSMTPD's arrangement). One thread, the monitor's loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "loop/loop.h"

struct procs;
struct proc;

enum {
	PROC_FD_FIRST = 3,  /* child's number of fds[0]; then 4, 5, ... */
	PROC_FDS_MAX = 128, /* a worker has one for each listener and manager */
	PROC_ARGS_MAX = 64,
	PROC_MAX = 64
};

/* What a child starts with; filled by proc_ops.start before each start. */
struct proc_start {
	const char *args[PROC_ARGS_MAX]; /* after argv[0], which is the binary;
					    valid until start has returned and
					    the child was forked */
	size_t arg_count;
	int fds[PROC_FDS_MAX]; /* become PROC_FD_FIRST + i in the child; closed
				  in the parent after the fork unless kept */
	bool is_kept[PROC_FDS_MAX]; /* fds[i] stays open in the parent */
	size_t fd_count;
};

struct proc_ops {
	/* About to (re)start: make channels, fill *ret (zeroed). An error
	 * counts as a failed start and is tried again after the back-off; what
	 * is in *ret by then is closed, unless kept. */
	int (*start)(void *arg, struct proc *p, struct proc_start *ret);
	/* The child is gone; status as from waitpid. It is restarted by
	 * itself unless is_final (procs_stop). */
	void (*down)(void *arg, struct proc *p, int status, bool is_final);
};

struct procs_params {
	struct loop *loop;	 /* outlives procs; SIGCHLD becomes ours */
	const char *exe;	 /* "/proc/self/exe" or a path; copied */
	uint32_t backoff_min_ms; /* pause before the first restart; 0 = 100 */
	uint32_t backoff_max_ms; /* doubled up to this; 0 = 10000 */
	uint32_t stop_ms;	 /* SIGTERM to SIGKILL; 0 = 3000 */
};

/* No children yet. ERR_NOMEM, ERR_IO. */
MUST_CHECK int procs_new(const struct procs_params *p, struct procs **ret);
/* Free; children still running are killed. Takes NULL, returns NULL. */
struct procs *procs_free(struct procs *ps);
/*
 * Start a child and keep it running. name (copied) is for logs; ops and arg
 * outlive it. ERR_LIMIT, ERR_NOMEM, or what ops->start returned the first
 * time (then there is no such child).
 */
MUST_CHECK int proc_add(struct procs *ps, const char *name,
			const struct proc_ops *ops, void *arg,
			struct proc **ret);
/* Process id, or 0 while it is not running. */
pid_t proc_pid(const struct proc *p);
/* Name given to proc_add. */
const char *proc_name(const struct proc *p);
/* Times it was started, 1 after proc_add. */
uint32_t proc_starts(const struct proc *p);
/* Send a signal; nothing happens while it is not running. */
void proc_signal(struct proc *p, int signo);
/*
 * End all children, the last added first, one after the other; done(arg) is
 * called from the loop when none is left. No child is restarted from now on.
 */
void procs_stop(struct procs *ps, loop_fn done, void *arg);
