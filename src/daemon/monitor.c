#include "daemon/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/roles.h"
#include "daemon/setup.h"
#include "log/log.h"
#include "transport/transport.h"

static const char *const kind_name[MONITOR_KINDS] = {
	[MONITOR_KEYS] = "keys",
	[MONITOR_STORE] = "store",
	[MONITOR_MEDIA] = "media",
	[MONITOR_WORKER] = "worker",
};

/* ---- sockets and directories ---------------------------------------------- */

static int bind_one(enum config_transport t, const struct addr *a,
		    const char *what, const char *name, int *ret_fd)
{
	static const enum transport_proto protos[] = {
		[CONFIG_UDP] = TRANSPORT_UDP,
		[CONFIG_TCP] = TRANSPORT_TCP,
		[CONFIG_TLS] = TRANSPORT_TLS,
	};
	char addr[ADDR_STR_MAX];
	int err = transport_bind(protos[t], a, false, ret_fd);

	if (err)
		log_error("%s \"%s\": cannot bind %s:%s: %s", what, name,
			  transport_proto_str(protos[t]), addr_str(a, addr),
			  err == ERR_IO ? strerror(errno) : err_str(err));
	return err;
}

static int bind_all(struct monitor *m)
{
	const struct config *c = m->config;
	const struct config_call_manager *cm = &c->call_manager[0];
	int err;

	m->listener_fd = alloc_array(c->listener_count, sizeof(int));
	if (!m->listener_fd)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listener[i];

		err = bind_one(l->address.transport, &l->address.addr,
			       "listener", l->name, &m->listener_fd[i]);
		if (err)
			return err;
	}
	return bind_one(cm->address.transport, &cm->local_address,
			"call-manager", cm->name, &m->core_fd);
}

/* The state directory belongs to the account the store runs as. */
static int make_directory(const struct config *c)
{
	char empty[ROLE_PATH_MAX];
	struct passwd *pw = NULL;

	if (mkdir(c->state_directory, 0700) != 0 && errno != EEXIST) {
		log_error("state-directory %s: %s", c->state_directory,
			  strerror(errno));
		return ERR_IO;
	}
	(void)snprintf(empty, sizeof(empty), "%s/empty", c->state_directory);
	if (mkdir(empty, 0555) != 0 && errno != EEXIST) {
		log_error("%s: %s", empty, strerror(errno));
		return ERR_IO;
	}
	if (geteuid() != 0)
		return 0;
	pw = getpwnam(c->user);
	if (!pw) {
		log_error("user \"%s\" does not exist: create it "
			  "(systemd-sysusers) or set user in sallyport.conf",
			  c->user);
		return ERR_NOTFOUND;
	}
	if (chown(c->state_directory, pw->pw_uid, pw->pw_gid) != 0) {
		log_error("state-directory %s: %s", c->state_directory,
			  strerror(errno));
		return ERR_IO;
	}
	return 0;
}

/* ---- lines between children ------------------------------------------------ */

/* Give the child its end of a new line: what its control channel takes. */
static int give_end(struct monitor_child *child, int fd)
{
	/* media: 'W' and the worker's number; keys, store: 'W' alone. */
	static const uint8_t text[] = {'W', 0, 0, 0, 0};
	size_t len = child->kind == MONITOR_MEDIA ? sizeof(text) : 1;

	return child->channel ? channel_send_fds(child->channel,
						 slice_make(text, len), &fd, 1)
			      : ERR_CLOSED;
}

/* A new line from the worker to child; *ret_fd is the worker's end. */
static int make_link(struct monitor_child *child, int *ret_fd)
{
	int fds[2];
	int err = channel_pair(fds);

	if (err)
		return err;
	err = give_end(child, fds[0]);
	(void)close(fds[0]);
	if (err)
		(void)close(fds[1]);
	else
		*ret_fd = fds[1];
	return err;
}

/* A child was started anew: the running worker gets a line to it. */
static void relink(struct monitor *m, struct monitor_child *child)
{
	static const enum dwire_link links[] = {
		[MONITOR_KEYS] = DWIRE_KEYS,
		[MONITOR_STORE] = DWIRE_STORE,
		[MONITOR_MEDIA] = DWIRE_MEDIA,
	};
	struct monitor_child *worker = &m->child[MONITOR_WORKER];
	struct dwire_msg msg = {.op = DWIRE_LINK};
	uint8_t buf[16];
	struct writer w;
	int fd;

	if (!worker->channel || make_link(child, &fd) != 0)
		return;
	msg.link = links[child->kind];
	writer_init(&w, buf, sizeof(buf));
	dwire_write(&w, &msg);
	if (channel_send_fds(worker->channel, writer_slice(&w), &fd, 1) != 0)
		log_error("the worker got no line to the new %s process",
			  kind_name[child->kind]);
	(void)close(fd);
}

/* The monitor's own line to the keys process, for sealing credentials. */
static int link_keys(struct monitor *m)
{
	struct keys_client_params p = {.timeout_ms = 5000};
	static const uint8_t text[] = {'M'};
	int fds[2];
	int err = channel_pair(fds);

	if (err)
		return err;
	err = channel_send_fds(m->child[MONITOR_KEYS].channel,
			       slice_make(text, sizeof(text)), &fds[0], 1);
	(void)close(fds[0]);
	p.fd = fds[1];
	m->keys = keys_client_free(m->keys);
	if (!err)
		err = keys_client_new(&p, &m->keys);
	if (err)
		(void)close(fds[1]);
	return err;
}

/* ---- children ---------------------------------------------------------------- */

static void child_ready(struct monitor_child *child)
{
	struct monitor *m = child->m;

	child->is_ready = true;
	if (child->kind != MONITOR_WORKER || m->is_started)
		return;
	m->is_started = true;
	log_info("ready");
	(void)sd_notifyf(0, "READY=1\nMAINPID=%lu", (unsigned long)getpid());
}

static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct monitor_child *child = ctx;
	struct dwire_msg msg;
	struct store_reply reply;

	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]); /* children hand nothing up */
	switch (child->kind) {
	case MONITOR_WORKER:
		if (dwire_read(bytes, &msg) != 0)
			log_error("unreadable message from the worker");
		else if (msg.op == DWIRE_READY)
			child_ready(child);
		else if (msg.op == DWIRE_ROWS)
			monitor_ctl_rows(child->m, &msg);
		break;
	case MONITOR_STORE:
		if (store_reply_read(bytes, &reply) != 0)
			log_error("unreadable message from the store");
		else
			monitor_ctl_store(child->m, &reply);
		break;
	case MONITOR_KEYS:
	case MONITOR_MEDIA:
	case MONITOR_KINDS:
		child_ready(child);
		break;
	}
}

static void on_down(void *ctx, const char *reason)
{
	struct monitor_child *child = ctx;

	(void)reason; /* proc's down tells more */
	child->channel = channel_free(child->channel);
	child->is_ready = false;
}

static int open_channel(struct monitor_child *child, int *ret_child_fd)
{
	struct channel_params p = {.loop = child->m->loop,
				   .message = on_message,
				   .down = on_down,
				   .ctx = child};
	int fds[2];
	int err = channel_pair(fds);

	if (err)
		return err;
	child->channel = channel_free(child->channel);
	p.fd = fds[0];
	err = channel_new(&p, &child->channel);
	if (err) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return err;
	}
	*ret_child_fd = fds[1];
	return 0;
}

static void put_fd(struct proc_start *s, int fd, bool is_kept)
{
	s->is_kept[s->fd_count] = is_kept;
	s->fds[s->fd_count++] = fd;
}

static int start_worker(struct monitor *m, struct proc_start *s)
{
	static const enum monitor_kind kinds[] = {MONITOR_MEDIA, MONITOR_STORE,
						  MONITOR_KEYS};

	for (size_t i = 0; i < 3; i++) {
		int fd;
		int err = make_link(&m->child[kinds[i]], &fd);

		if (err)
			return err;
		put_fd(s, fd, false);
	}
	put_fd(s, m->core_fd, true);
	for (uint32_t i = 0; i < m->config->listener_count; i++)
		put_fd(s, m->listener_fd[i], true);
	return 0;
}

static int on_start(void *arg, struct proc *p, struct proc_start *s)
{
	static const char *const roles[MONITOR_KINDS] = {
		[MONITOR_KEYS] = "--role=keys",
		[MONITOR_STORE] = "--role=store",
		[MONITOR_MEDIA] = "--role=media",
		[MONITOR_WORKER] = "--role=worker",
	};
	struct monitor_child *child = arg;
	struct monitor *m = child->m;
	int fd;
	int err = open_channel(child, &fd);

	(void)p;
	if (err)
		return err;
	s->args[s->arg_count++] = roles[child->kind];
	put_fd(s, fd, false);
	put_fd(s, m->config_fd, true);
	child->since_ms = loop_now_ms(m->loop);
	if (child->kind == MONITOR_WORKER)
		return start_worker(m, s);
	relink(m, child);
	return child->kind == MONITOR_KEYS ? link_keys(m) : 0;
}

static void on_exit_all(void *arg)
{
	struct monitor *m = arg;

	loop_stop(m->loop);
}

static void stop_all(struct monitor *m, int status)
{
	if (m->is_stopping)
		return;
	m->is_stopping = true;
	m->status = status;
	(void)sd_notify(0, "STOPPING=1");
	procs_stop(m->procs, on_exit_all, m);
}

static void on_child_down(void *arg, struct proc *p, int status, bool is_final)
{
	struct monitor_child *child = arg;
	struct monitor *m = child->m;

	child->channel = channel_free(child->channel);
	child->is_ready = false;
	monitor_ctl_lost(m, child->kind);
	if (is_final || m->is_stopping)
		return;
	if (WIFSIGNALED(status))
		log_error("%s process was killed by signal %d: it is started "
			  "anew",
			  proc_name(p), WTERMSIG(status));
	else
		log_error("%s process ended with status %d%s", proc_name(p),
			  WEXITSTATUS(status),
			  m->is_started ? ": it is started anew" : "");
	/* What fails before the first READY would fail again: say so and end,
	 * so that the service manager and the operator see it. */
	if (!m->is_started)
		stop_all(m, 1);
}

static int start_children(struct monitor *m)
{
	static const struct proc_ops ops = {.start = on_start,
					    .down = on_child_down};
	struct procs_params p = {.loop = m->loop, .exe = "/proc/self/exe"};
	int err = procs_new(&p, &m->procs);

	for (int i = 0; !err && i < MONITOR_KINDS; i++) {
		struct monitor_child *child = &m->child[i];

		child->m = m;
		child->kind = (enum monitor_kind)i;
		err = proc_add(m->procs, kind_name[i], &ops, child,
			       &child->proc);
	}
	if (err)
		log_error("processes cannot be started: %s", err_str(err));
	return err;
}

/* ---- the monitor ---------------------------------------------------------------- */

static void on_term(void *arg)
{
	struct monitor *m = arg;

	log_info("stopping");
	stop_all(m, 0);
}

/* The monitor stays root, with what starting and ending children takes; they
 * inherit its call filter and add their own. */
static int enter_sandbox(const struct config *c)
{
	struct sandbox_params p = setup_sandbox(c, SANDBOX_MONITOR, NULL);
	char why[SANDBOX_ERR_MAX] = "";
	int err = sandbox_enter(&p, why);

	if (err)
		log_error("sandbox: %s", why);
	return err;
}

static int monitor_open(struct monitor *m)
{
	int err = loop_new(&m->loop);

	if (!err)
		err = loop_signal(m->loop, SIGTERM, on_term, m);
	if (!err)
		err = loop_signal(m->loop, SIGINT, on_term, m);
	if (!err)
		err = make_directory(m->config);
	if (!err)
		err = bind_all(m);
	if (!err)
		err = setup_config_fd(m->config, &m->config_fd);
	if (!err)
		err = monitor_ctl_open(m);
	if (!err)
		err = enter_sandbox(m->config);
	if (!err)
		err = start_children(m);
	return err;
}

static void monitor_close(struct monitor *m)
{
	m->control = control_free(m->control);
	m->procs = procs_free(m->procs);
	for (int i = 0; i < MONITOR_KINDS; i++)
		m->child[i].channel = channel_free(m->child[i].channel);
	m->keys = keys_client_free(m->keys);
	for (uint32_t i = 0; m->listener_fd && i < m->config->listener_count;
	     i++)
		if (m->listener_fd[i] > 0)
			(void)close(m->listener_fd[i]);
	alloc_free(m->listener_fd);
	if (m->core_fd > 0)
		(void)close(m->core_fd);
	if (m->config_fd > 0)
		(void)close(m->config_fd);
	m->loop = loop_free(m->loop);
	m->config = config_unref(m->config);
}

int role_monitor(struct config *c)
{
	struct monitor *m = alloc_zero(sizeof(*m));
	int status = 1;

	setup_role(c, "sallyportd");
	if (!m)
		return 1;
	m->config = c;
	if (monitor_open(m) == 0) {
		m->start_ms = loop_now_ms(m->loop);
		status = loop_run(m->loop) == 0 ? m->status : 1;
	}
	monitor_close(m);
	alloc_free(m);
	return status;
}
