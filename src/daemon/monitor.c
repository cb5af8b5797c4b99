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
#include "config/reload.h"
#include "daemon/keys.h"
#include "daemon/roles.h"
#include "daemon/setup.h"
#include "log/log.h"
#include "transport/transport.h"

static const char *const kind_name[MONITOR_WORKER] = {
	[MONITOR_KEYS] = "keys",
	[MONITOR_STORE] = "store",
	[MONITOR_MEDIA] = "media",
};

/* ---- sockets and directories ---------------------------------------------- */

struct bound {
	enum config_transport transport;
	struct addr addr;
	const char *what; /* for messages: kind of section */
	const char *name; /* its label */
};

/* rep: who hears of an error; NULL: the log. */
static int bind_one(const struct bound *p, bool is_shared, int *ret_fd,
		    struct config_report *rep)
{
	static const enum transport_proto protos[] = {
		[CONFIG_UDP] = TRANSPORT_UDP,
		[CONFIG_TCP] = TRANSPORT_TCP,
		[CONFIG_TLS] = TRANSPORT_TLS,
	};
	char addr[ADDR_STR_MAX];
	char text[256];
	int err = transport_bind(protos[p->transport], &p->addr, is_shared,
				 ret_fd);

	if (!err)
		return 0;
	(void)snprintf(text, sizeof(text),
		       "%s \"%.100s\": cannot bind %s:%s: %s", p->what, p->name,
		       transport_proto_str(protos[p->transport]),
		       addr_str(&p->addr, addr),
		       err == ERR_IO ? strerror(errno) : err_str(err));
	if (rep)
		config_report_add(rep, true, "listeners", 0, slice_str(text));
	else
		log_error("%s", text);
	return err;
}

/* One socket for each worker, on their own ports. */
static int bind_core(struct monitor *m, uint32_t at,
		     const struct config_core *k)
{
	const struct config_call_manager *cm =
		&m->config->call_manager[k->manager];
	struct bound p = {.transport = k->transport,
			  .what = "call-manager",
			  .name = cm->name};
	int err = 0;

	for (uint32_t i = 0; !err && i < m->workers; i++) {
		p.addr = config_local_address(cm, i);
		err = bind_one(&p, false, &m->fd[i * m->sockets + at], NULL);
	}
	return err;
}

_Static_assert((int)CONFIG_STEERED_MAX == (int)TRANSPORT_RULES_MAX,
	       "every source that is steered has a rule");

/* Sources of trunks go to the trunk's worker, others at a listener for trunks
 * to its home, and those of phones wherever they fall. */
static int steer(struct monitor *m, const struct config *c, uint32_t listener)
{
	const struct config_listener *l = &c->listener[listener];
	struct steer *s = alloc_zero(sizeof(*s));
	int err = s ? 0 : ERR_NOMEM;

	if (!err) {
		steer_fill(s, c, listener, m->steer[listener]);
		err = transport_steer_by(
			m->fd[c->core_count + listener], l->address.addr.family,
			m->workers, s->rule, s->count,
			l->serves == CONFIG_TRUNKS ? l->home
						   : TRANSPORT_HASHED);
	}
	if (err) {
		log_error("listener \"%s\": cannot share it among workers: %s",
			  l->name,
			  err == ERR_IO ? strerror(errno) : err_str(err));
		alloc_free(s);
		return err;
	}
	alloc_free(m->steer[listener]);
	m->steer[listener] = s;
	return 0;
}

void monitor_steer(struct monitor *m)
{
	if (m->workers == 1)
		return;
	/* One that fails, which it has said, goes on as it was. */
	for (uint32_t i = 0; i < m->config->listener_count; i++)
		(void)!steer(m, m->config, i);
}

/*
 * One socket for each worker on the same port, each source of phones always to
 * the same. SO_REUSEPORT would let a second daemon in as well: bound without
 * it first, the address is known to be free.
 */
static int bind_listener(struct monitor *m, const struct config *c,
			 uint32_t number, struct config_report *rep)
{
	const struct config_listener *l = &c->listener[number];
	uint32_t at = c->core_count + number;
	struct bound p = {.transport = l->address.transport,
			  .addr = l->address.addr,
			  .what = "listener",
			  .name = l->name};
	int probe;
	int err =
		bind_one(&p, false, m->workers > 1 ? &probe : &m->fd[at], rep);

	if (err || m->workers == 1)
		return err;
	(void)close(probe);
	for (uint32_t i = 0; !err && i < m->workers; i++)
		err = bind_one(&p, true, &m->fd[i * m->sockets + at], rep);
	if (!err)
		err = steer(m, c, number);
	return err;
}

static int bind_all(struct monitor *m)
{
	const struct config *c = m->config;
	int err = 0;

	m->sockets = c->core_count + c->listener_count;
	m->fd = alloc_array((size_t)m->workers * m->sockets, sizeof(int));
	if (!m->fd)
		return ERR_NOMEM;
	for (uint32_t i = 0; !err && i < c->core_count; i++)
		err = bind_core(m, i, &c->core[i]);
	for (uint32_t i = 0; !err && i < c->listener_count; i++)
		err = bind_listener(m, c, i, NULL);
	return err;
}

/* Another number of sockets for each worker: those it has had, as far as there
 * is room, and none in the places behind. */
static int resize_sockets(struct monitor *m, uint32_t sockets)
{
	int *fd = alloc_array((size_t)m->workers * sockets, sizeof(int));

	if (!fd)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < m->workers; i++)
		for (uint32_t k = 0; k < m->sockets; k++) {
			int had = m->fd[i * m->sockets + k];

			if (k < sockets)
				fd[i * sockets + k] = had;
			else if (had > 0)
				(void)close(had);
		}
	alloc_free(m->fd);
	m->fd = fd;
	m->sockets = sockets;
	return 0;
}

int monitor_sockets_add(struct monitor *m, const struct config *next,
			struct config_report *rep)
{
	uint32_t have = m->config->listener_count;
	char text[64];
	int err = 0;

	if (next->listener_count == have)
		return 0;
	if (next->listener_count - have > MONITOR_JOINING_MAX) {
		(void)snprintf(text, sizeof(text),
			       "more than %d new ones at once need a restart",
			       MONITOR_JOINING_MAX);
		config_report_add(rep, true, "listeners", 0, slice_str(text));
		return ERR_LIMIT;
	}
	err = resize_sockets(m, next->core_count + next->listener_count);
	for (uint32_t i = have; !err && i < next->listener_count; i++)
		err = bind_listener(m, next, i, rep);
	if (err)
		monitor_sockets_cut(m);
	return err;
}

void monitor_sockets_cut(struct monitor *m)
{
	const struct config *c = m->config;

	for (uint32_t i = c->listener_count; i < CONFIG_LISTENERS_MAX; i++)
		m->steer[i] = alloc_free(m->steer[i]);
	if (m->sockets > c->core_count + c->listener_count &&
	    resize_sockets(m, c->core_count + c->listener_count) != 0)
		log_error("out of memory: sockets of listeners stay open");
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

/* Give the child its end of a new line to a worker. */
static int give_end(struct monitor_child *child, uint32_t worker, int fd)
{
	uint8_t text[DWIRE_ADOPT_LEN];
	struct writer w;

	writer_init(&w, text, sizeof(text));
	dwire_adopt_write(&w, worker);
	return child->channel ? channel_send_fds(child->channel,
						 writer_slice(&w), &fd, 1)
			      : ERR_CLOSED;
}

/* A new line from a worker to child; *ret_fd is the worker's end. */
static int make_link(struct monitor_child *child, uint32_t worker, int *ret_fd)
{
	int fds[2];
	int err = channel_pair(fds);

	if (err)
		return err;
	err = give_end(child, worker, fds[0]);
	(void)close(fds[0]);
	if (err)
		(void)close(fds[1]);
	else
		*ret_fd = fds[1];
	return err;
}

struct monitor_child *monitor_worker(struct monitor *m, uint32_t number)
{
	return &m->child[MONITOR_WORKER + number];
}

static void relink_worker(struct monitor_child *worker,
			  struct monitor_child *child)
{
	static const enum dwire_link links[] = {
		[MONITOR_KEYS] = DWIRE_KEYS,
		[MONITOR_STORE] = DWIRE_STORE,
		[MONITOR_MEDIA] = DWIRE_MEDIA,
	};
	struct dwire_msg msg = {.op = DWIRE_LINK, .link = links[child->kind]};
	uint8_t buf[16];
	struct writer w;
	int fd;

	if (!worker->channel || make_link(child, worker->number, &fd) != 0)
		return;
	writer_init(&w, buf, sizeof(buf));
	dwire_write(&w, &msg);
	if (channel_send_fds(worker->channel, writer_slice(&w), &fd, 1) != 0)
		log_error("%s got no line to the new %s process", worker->name,
			  child->name);
	(void)close(fd);
}

/* A child was started anew: the running workers get lines to it. */
static void relink(struct monitor *m, struct monitor_child *child)
{
	for (uint32_t i = 0; i < m->workers; i++)
		relink_worker(monitor_worker(m, i), child);
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
	if (child->kind == MONITOR_WORKER)
		monitor_ipsec_tell(m, child);
	for (uint32_t i = 0; i < m->workers; i++)
		if (!monitor_worker(m, i)->is_ready)
			return;
	if (m->is_started)
		return;
	m->is_started = true;
	log_info("ready");
	(void)sd_notifyf(0, "READY=1\nMAINPID=%lu", (unsigned long)getpid());
}

/* What a worker tells the others. */
static void pass_on(const struct monitor_child *from, struct slice bytes)
{
	for (uint32_t i = 0; i < from->m->workers; i++) {
		struct monitor_child *to = monitor_worker(from->m, i);

		if (to != from && to->channel &&
		    channel_send(to->channel, bytes) != 0)
			log_error("a message to %s was lost", to->name);
	}
}

static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct monitor_child *child = ctx;
	struct dwire_msg msg;
	struct store_reply reply;

	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]); /* children hand nothing up */
	child->asked_ms = 0;	     /* whatever it says, it lives */
	if (slice_eqs(bytes, DWIRE_PONG))
		return;
	switch (child->kind) {
	case MONITOR_WORKER:
		if (dwire_read(bytes, &msg) != 0)
			log_error("unreadable message from %s", child->name);
		else if (msg.op == DWIRE_READY)
			child_ready(child);
		else if (msg.op == DWIRE_USE)
			monitor_lease_use(child->m, child->number, &msg);
		else if (msg.op == DWIRE_ARRIVED)
			pass_on(child, bytes);
		else if (msg.op == DWIRE_ROWS)
			monitor_ctl_rows(child->m, child->number, &msg);
		break;
	case MONITOR_STORE:
		if (store_reply_read(bytes, &reply) != 0)
			log_error("unreadable message from the store");
		else
			monitor_ctl_store(child->m, &reply);
		break;
	case MONITOR_KEYS:
		if (slice_eqs(bytes, KEYS_READY))
			child_ready(child);
		else
			monitor_reload_keys(child->m, bytes);
		break;
	case MONITOR_MEDIA:
		child_ready(child);
		if (dwire_read(bytes, &msg) == 0 && msg.op == DWIRE_ROWS)
			monitor_media_rows(
				child->m,
				monitor_ctl_find(child->m, msg.number), &msg);
		break;
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
	child->asked_ms = 0;
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

static int start_worker(struct monitor *m, uint32_t number,
			struct proc_start *s)
{
	static const enum monitor_kind kinds[] = {MONITOR_MEDIA, MONITOR_STORE,
						  MONITOR_KEYS};

	for (size_t i = 0; i < 3; i++) {
		int fd;
		int err = make_link(&m->child[kinds[i]], number, &fd);

		if (err)
			return err;
		put_fd(s, fd, false);
	}
	put_fd(s, m->tls_fd, true);
	/* Not those of a reload that is under way. */
	for (uint32_t i = 0;
	     i < m->config->core_count + m->config->listener_count; i++)
		put_fd(s, m->fd[number * m->sockets + i], true);
	return 0;
}

static int fill_start(struct monitor_child *child, struct proc_start *s)
{
	static const char *const roles[MONITOR_KINDS] = {
		[MONITOR_KEYS] = "--role=keys",
		[MONITOR_STORE] = "--role=store",
		[MONITOR_MEDIA] = "--role=media",
		[MONITOR_WORKER] = "--role=worker",
	};
	struct monitor *m = child->m;
	int fd;
	int err = open_channel(child, &fd);

	if (err)
		return err;
	s->args[s->arg_count++] = roles[child->kind];
	put_fd(s, fd, false);
	put_fd(s, m->config_fd, true);
	put_fd(s, child->ring_fd, true);
	child->since_ms = loop_now_ms(m->loop);
	if (child->kind == MONITOR_WORKER) {
		s->args[s->arg_count++] = child->arg;
		monitor_lease_start(m, child->number);
		return start_worker(m, child->number, s);
	}
	if (child->kind == MONITOR_MEDIA) {
		put_fd(s, m->journal_fd, true);
		(void)snprintf(child->arg, sizeof(child->arg), "--queues=%u",
			       m->queues);
		s->args[s->arg_count++] = child->arg;
	}
	if (child->kind == MONITOR_STORE) {
		(void)snprintf(child->arg, sizeof(child->arg), "--workers=%u",
			       m->workers);
		s->args[s->arg_count++] = child->arg;
	}
	relink(m, child);
	if (child->kind == MONITOR_STORE && !m->devices)
		return monitor_devices_fetch(m);
	return child->kind == MONITOR_KEYS ? link_keys(m) : 0;
}

static int on_start(void *arg, struct proc *p, struct proc_start *s)
{
	struct monitor_child *child = arg;
	int err = fill_start(child, s);

	(void)p;
	/* Nobody is to be asked what nobody will answer. */
	if (err) {
		child->channel = channel_free(child->channel);
		monitor_ctl_lost(child->m, child);
	}
	return err;
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
	monitor_ctl_lost(m, child);
	if (child->kind == MONITOR_KEYS)
		monitor_reload_keys(m, slice_str("the keys process ended"));
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

static void child_name(struct monitor *m, struct monitor_child *child,
		       uint32_t i)
{
	child->m = m;
	if (i < MONITOR_WORKER) {
		child->kind = (enum monitor_kind)i;
		(void)snprintf(child->name, sizeof(child->name), "%s",
			       kind_name[i]);
		return;
	}
	child->kind = MONITOR_WORKER;
	child->number = i - MONITOR_WORKER;
	(void)snprintf(child->name, sizeof(child->name), "worker %u",
		       child->number);
	(void)snprintf(child->arg, sizeof(child->arg), "--worker=%u/%u",
		       child->number, m->workers);
}

/* Children from number first up to, not including, end. */
static int start_children(struct monitor *m, uint32_t first, uint32_t end)
{
	static const struct proc_ops ops = {.start = on_start,
					    .down = on_child_down};
	int err = 0;

	for (uint32_t i = first; !err && i < end; i++) {
		struct monitor_child *child = &m->child[i];

		child_name(m, child, i);
		err = proc_add(m->procs, child->name, &ops, child,
			       &child->proc);
	}
	if (err)
		log_error("processes cannot be started: %s", err_str(err));
	return err;
}

/* Workers begin with all devices: a phone must not be refused because the
 * store has not answered yet. */
void monitor_devices_ready(struct monitor *m)
{
	int err = 0;

	if (m->child[MONITOR_WORKER].m) {
		monitor_reload(m, MONITOR_TOKEN_NONE, false);
		return;
	}
	if (devset_count(m->devices) > 0)
		err = monitor_begin(m);
	if (!err)
		err = start_children(m, MONITOR_WORKER,
				     MONITOR_WORKER + m->workers);
	if (err)
		stop_all(m, 1);
}

static int start_all(struct monitor *m)
{
	struct procs_params p = {.loop = m->loop, .exe = "/proc/self/exe"};
	int err = procs_new(&p, &m->procs);

	return err ? err : start_children(m, 0, MONITOR_WORKER);
}

/* ---- the monitor ---------------------------------------------------------------- */

static void on_term(void *arg)
{
	struct monitor *m = arg;

	log_info("stopping");
	stop_all(m, 0);
}

static void on_hup(void *arg)
{
	log_info("told to reload by a signal");
	monitor_reload(arg, MONITOR_TOKEN_NONE, false);
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

/* A worker's successor gets what the worker had, whatever happened to the files
 * meanwhile. */
static int open_tls(struct monitor *m)
{
	struct config_report rep;
	size_t count;
	int err;

	config_report_init(&rep);
	err = monitor_tls_read(m->config, &rep, &m->tls_fd, &count);
	for (const struct config_message *e = rep.first; e; e = e->next)
		log_error("%s", e->text);
	config_report_done(&rep);
	return err;
}

static int monitor_open(struct monitor *m)
{
	struct buf bytes = {.ptr = NULL};
	int err = loop_new(&m->loop);

	if (!err) {
		monitor_devices_init(m);
		err = loop_signal(m->loop, SIGHUP, on_hup, m);
	}
	if (!err)
		err = loop_signal(m->loop, SIGTERM, on_term, m);
	if (!err)
		err = loop_signal(m->loop, SIGINT, on_term, m);
	if (!err)
		err = make_directory(m->config);
	if (!err)
		err = setup_journal_fd(m->config, &m->journal_fd);
	if (!err)
		err = monitor_log_open(m);
	if (!err)
		err = bind_all(m);
	if (!err)
		err = config_pack(NULL, m->config, &bytes);
	if (!err)
		err = config_pack_share(m->config, &bytes);
	if (!err)
		err = setup_config_fd(buf_slice(&bytes), &m->config_fd);
	buf_done(&bytes);
	if (!err)
		err = open_tls(m);
	if (!err)
		err = monitor_ctl_open(m);
	if (!err) {
		monitor_media_open(m);
		err = enter_sandbox(m->config);
	}
	if (!err)
		err = start_all(m);
	if (!err)
		err = monitor_watch_begin(m);
	if (!err)
		err = monitor_ipsec_begin(m);
	return err;
}

static void monitor_close(struct monitor *m)
{
	monitor_watch_end(m);
	monitor_ipsec_end(m);
	monitor_devices_end(m);
	for (uint32_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
		m->steer[i] = alloc_free(m->steer[i]);
	m->control = control_free(m->control);
	m->procs = procs_free(m->procs);
	monitor_media_close(m);
	for (uint32_t i = 0; i < MONITOR_CHILDREN_MAX; i++)
		m->child[i].channel = channel_free(m->child[i].channel);
	m->keys = keys_client_free(m->keys);
	devset_free(m->devices);
	devset_free(m->fetched);
	monitor_log_close(m);
	for (uint32_t i = 0; m->fd && i < m->workers * m->sockets; i++)
		if (m->fd[i] > 0)
			(void)close(m->fd[i]);
	alloc_free(m->fd);
	if (m->config_fd > 0)
		(void)close(m->config_fd);
	if (m->tls_fd > 0)
		(void)close(m->tls_fd);
	if (m->journal_fd > 0)
		(void)close(m->journal_fd);
	m->loop = loop_free(m->loop);
	m->config = config_unref(m->config);
}

int role_monitor(const char *path, struct config *c)
{
	struct monitor *m = alloc_zero(sizeof(*m));
	int status = 1;
	int log_fd = -1;

	if (!m)
		return 1;
	if (log_ring_new(&log_fd) == 0)
		m->ring = log_ring_map(log_fd);
	setup_role(c, "sallyportd", log_fd);
	m->config_path = path;
	m->config = c;
	m->log_level = (enum log_level)c->log_level;
	m->workers = setup_workers(c);
	monitor_lease_init(m);
	if (monitor_open(m) == 0) {
		m->start_ms = loop_now_ms(m->loop);
		status = loop_run(m->loop) == 0 ? m->status : 1;
	}
	monitor_close(m);
	alloc_free(m);
	return status;
}
