#include "priv/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/list.h"
#include "log/log.h"

enum {
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 10000,
	STOP_MS = 3000,
	STABLE_MS = 60000 /* ran this long: the back-off starts anew */
};

struct proc {
	struct list node; /* procs.all, in order of proc_add */
	struct procs *ps;
	char *name;
	const struct proc_ops *ops;
	void *arg;
	pid_t pid; /* 0 = not running */
	uint32_t starts;
	struct backoff backoff;
	uint64_t started_ms;
	struct loop_timer timer; /* restart, or SIGKILL while stopping */
};

struct procs {
	struct loop *loop;
	char *exe;
	uint32_t backoff_min_ms;
	uint32_t backoff_max_ms;
	uint32_t stop_ms;
	struct list all;
	uint32_t count;
	bool is_stopping;
	loop_fn done;
	void *done_arg;
	struct loop_work work; /* next step of stopping */
};

static void on_sigchld(void *arg);
static void on_stop_work(void *arg);

static uint32_t or_default(uint32_t v, uint32_t def)
{
	return v > 0 ? v : def;
}

int procs_new(const struct procs_params *p, struct procs **ret)
{
	struct procs *ps = alloc_zero(sizeof(*ps));
	int err;

	if (!ps)
		return ERR_NOMEM;
	ps->loop = p->loop;
	ps->backoff_min_ms = or_default(p->backoff_min_ms, BACKOFF_MIN_MS);
	ps->backoff_max_ms = or_default(p->backoff_max_ms, BACKOFF_MAX_MS);
	ps->stop_ms = or_default(p->stop_ms, STOP_MS);
	list_init(&ps->all);
	loop_work_init(&ps->work, on_stop_work, ps);
	ps->exe = alloc_copy(slice_str(p->exe));
	err = ps->exe ? loop_signal(p->loop, SIGCHLD, on_sigchld, ps)
		      : ERR_NOMEM;
	if (err) {
		(void)alloc_free(ps->exe);
		(void)alloc_free(ps);
		return err;
	}
	*ret = ps;
	return 0;
}

static void proc_free(struct proc *p)
{
	loop_timer_clear(p->ps->loop, &p->timer);
	list_del(&p->node);
	p->ps->count--;
	(void)alloc_free(p->name);
	(void)alloc_free(p);
}

struct procs *procs_free(struct procs *ps)
{
	struct list *pos;
	struct list *tmp;

	if (!ps)
		return NULL;
	list_for_each_safe(pos, tmp, &ps->all) {
		struct proc *p = LIST_ENTRY(pos, struct proc, node);

		if (p->pid > 0) {
			(void)kill(p->pid, SIGKILL);
			(void)waitpid(p->pid, NULL, 0);
		}
		proc_free(p);
	}
	loop_work_del(&ps->work);
	(void)alloc_free(ps->exe);
	return alloc_free(ps);
}

/*
 * In the child, between fork and exec: only calls that are safe there. The
 * descriptors are first moved out of the way of their final numbers.
 */
static void __attribute__((noreturn))
become(const char *exe, char *const *argv, const int *fds, size_t n)
{
	int tmp[PROC_FDS_MAX];
	sigset_t none;
	int base = PROC_FD_FIRST + PROC_FDS_MAX;

	for (size_t i = 0; i < n; i++) {
		tmp[i] = fcntl(fds[i], F_DUPFD, base);
		if (tmp[i] < 0)
			_exit(126);
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(tmp[i], PROC_FD_FIRST + (int)i) < 0)
			_exit(126);
	if (close_range(PROC_FD_FIRST + (unsigned)n, UINT_MAX, 0) < 0)
		_exit(126);
	/* The loop has blocked its signals; a child begins with none. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execv(exe, argv);
	_exit(127);
}

static void close_given(struct proc_start *s, bool keep)
{
	for (size_t i = 0; i < s->fd_count; i++)
		if (!keep || !s->is_kept[i])
			(void)close(s->fds[i]);
}

static int start(struct proc *p)
{
	struct procs *ps = p->ps;
	struct proc_start s = {.arg_count = 0};
	char *argv[PROC_ARGS_MAX + 2];
	char argv0[] = "sallyportd"; /* what ps shows */
	pid_t pid;
	int err = p->ops->start(p->arg, p, &s);

	if (!err && (s.fd_count > PROC_FDS_MAX || s.arg_count > PROC_ARGS_MAX))
		return ERR_LIMIT;
	if (err) {
		close_given(&s, true);
		return err;
	}
	argv[0] = argv0;
	/* execv does not write through argv. */
	for (size_t i = 0; i < s.arg_count; i++)
		argv[i + 1] = (char *)(uintptr_t)s.args[i];
	argv[s.arg_count + 1] = NULL;
	pid = fork();
	if (pid == 0)
		become(ps->exe, argv, s.fds, s.fd_count);
	close_given(&s, true);
	if (pid < 0)
		return ERR_IO;
	p->pid = pid;
	p->starts++;
	p->started_ms = loop_refresh_ms(ps->loop);
	log_debug("process started name=%s pid=%d", p->name, (int)pid);
	return 0;
}

static void retry_later(struct proc *p)
{
	struct procs *ps = p->ps;

	if (loop_timer_set(ps->loop, &p->timer,
			   loop_now_ms(ps->loop) + backoff_fail(&p->backoff)) !=
	    0)
		log_fatal("no memory to restart process name=%s", p->name);
}

static void on_timer(void *arg)
{
	struct proc *p = arg;
	int err;

	if (p->ps->is_stopping) {
		if (p->pid > 0) {
			log_warn("process did not end in time, killed "
				 "name=%s pid=%d",
				 p->name, (int)p->pid);
			(void)kill(p->pid, SIGKILL);
		}
		return;
	}
	err = start(p);
	if (err) {
		log_error("cannot start process name=%s error=%s", p->name,
			  err_str(err));
		retry_later(p);
	}
}

int proc_add(struct procs *ps, const char *name, const struct proc_ops *ops,
	     void *arg, struct proc **ret)
{
	struct proc *p;
	int err;

	if (ps->count >= PROC_MAX || ps->is_stopping)
		return ERR_LIMIT;
	p = alloc_zero(sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	p->ps = ps;
	p->ops = ops;
	p->arg = arg;
	backoff_init(&p->backoff, ps->backoff_min_ms, ps->backoff_max_ms);
	loop_timer_init(&p->timer, on_timer, p);
	list_append(&ps->all, &p->node);
	ps->count++;
	p->name = alloc_copy(slice_str(name));
	/* start() hands p to the caller's start function already. */
	*ret = p;
	err = p->name ? start(p) : ERR_NOMEM;
	if (err) {
		*ret = NULL;
		proc_free(p);
	}
	return err;
}

static void log_exit(const struct proc *p, int status)
{
	bool is_asked = p->ps->is_stopping &&
			(status == 0 ||
			 (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));

	if (is_asked)
		log_debug("process ended name=%s pid=%d", p->name, (int)p->pid);
	else if (WIFSIGNALED(status))
		log_error("process died name=%s pid=%d signal=%d%s", p->name,
			  (int)p->pid, WTERMSIG(status),
			  WTERMSIG(status) == SIGSYS
				  ? " (a system call its sandbox forbids)"
				  : "");
	else
		log_error("process ended name=%s pid=%d status=%d", p->name,
			  (int)p->pid, WEXITSTATUS(status));
}

static void reap(struct proc *p, int status)
{
	struct procs *ps = p->ps;

	log_exit(p, status);
	p->pid = 0;
	loop_timer_clear(ps->loop, &p->timer);
	p->ops->down(p->arg, p, status, ps->is_stopping);
	if (ps->is_stopping) {
		loop_work_add(ps->loop, &ps->work);
		return;
	}
	if (loop_now_ms(ps->loop) - p->started_ms >= STABLE_MS)
		backoff_reset(&p->backoff);
	retry_later(p);
}

/* Only our own pids are waited for: libraries may have children too. */
static void on_sigchld(void *arg)
{
	struct procs *ps = arg;
	struct list *pos;
	struct list *tmp;

	list_for_each_safe(pos, tmp, &ps->all) {
		struct proc *p = LIST_ENTRY(pos, struct proc, node);
		int status = 0;

		if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid)
			reap(p, status);
	}
}

pid_t proc_pid(const struct proc *p)
{
	return p->pid;
}

const char *proc_name(const struct proc *p)
{
	return p->name;
}

uint32_t proc_starts(const struct proc *p)
{
	return p->starts;
}

void proc_signal(struct proc *p, int signo)
{
	if (p->pid > 0)
		(void)kill(p->pid, signo);
}

/* End the last child that still runs; at the end of the list, report. */
static void on_stop_work(void *arg)
{
	struct procs *ps = arg;

	for (struct list *pos = ps->all.prev; pos != &ps->all;
	     pos = pos->prev) {
		struct proc *p = LIST_ENTRY(pos, struct proc, node);

		if (p->pid == 0)
			continue;
		(void)kill(p->pid, SIGTERM);
		if (loop_timer_set(ps->loop, &p->timer,
				   loop_now_ms(ps->loop) + ps->stop_ms) != 0)
			(void)kill(p->pid, SIGKILL);
		return;
	}
	ps->done(ps->done_arg);
}

void procs_stop(struct procs *ps, loop_fn done, void *arg)
{
	struct list *pos;

	if (ps->is_stopping)
		return;
	ps->is_stopping = true;
	ps->done = done;
	ps->done_arg = arg;
	list_for_each(pos, &ps->all)
		loop_timer_clear(ps->loop,
				 &LIST_ENTRY(pos, struct proc, node)->timer);
	loop_work_add(ps->loop, &ps->work);
}
