#include "lib/mon.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conffile/conffile.h"
#include "config/reload.h"
#include "daemon/keys.h"
#include "daemon/setup.h"
#include "daemon/store.h"
#include "lib/certs.h"
#include "lib/run.h"
#include "tls/random.h"
#include "transport/transport.h"

/* 20 s on a machine that does nothing else: never reached by what works. */
enum { TURNS = 2000, TURN_MS = 10, PATH_MAX_LEN = 160 };

struct monitor *mon;
static char dir[64];
static int end[MONITOR_CHILDREN_MAX]; /* of children that are played; 0: none */
static pid_t store_pid, keys_pid;
static char answer[1 << 20];

const char *mon_path(const char *name)
{
	static char path[PATH_MAX_LEN];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* ---- beginning and end ---------------------------------------------------- */

void mon_config(const char *text)
{
	static char all[16384];
	int n = snprintf(all, sizeof(all),
			 "state-directory = \"%s\"\n"
			 "control-socket = \"%s/control\"\n"
			 "workers = %d\n"
			 "listener \"phones\" {\n"
			 "\taddress = \"udp:127.0.0.1:45060\"\n}\n"
			 "call-manager \"cm\" {\n"
			 "\taddress = \"udp:127.0.0.1:45070\"\n"
			 "\tlocal-address = \"127.0.0.1:45080\"\n}\n"
			 "media {\n\toutside-address = \"127.0.0.1\"\n"
			 "\tinside-address = \"127.0.0.1\"\n"
			 "\tports = 26000-26999\n}\n%s",
			 dir, dir, MON_WORKERS, text);

	ck_assert_int_lt(n, (int)sizeof(all));
	test_write(mon_path("sallyport.conf"), slice_make(all, (size_t)n),
		   0600);
}

static struct config *load(const char *path)
{
	struct config_report rep;
	struct config *c = NULL;
	int err;

	config_report_init(&rep);
	err = conffile_load(path, &rep, &c);
	ck_assert_msg(err == 0, "%s", rep.first ? rep.first->text : "");
	config_report_done(&rep);
	return c;
}

/* Sockets of listeners that are shared among workers, as steering wants them,
 * on ports of nobody. */
static void bind_sockets(void)
{
	struct addr a = {.family = ADDR_V4, .ip = {127, 0, 0, 1}};

	mon->sockets = mon->config->core_count + mon->config->listener_count;
	mon->fd = calloc((size_t)MON_WORKERS * mon->sockets, sizeof(int));
	ck_assert_ptr_nonnull(mon->fd);
	for (uint32_t i = 0; i < MON_WORKERS * mon->sockets; i++)
		ck_assert_int_eq(
			transport_bind(TRANSPORT_UDP, &a, true, &mon->fd[i]),
			0);
}

static void put_config(void)
{
	struct buf bytes = {.ptr = NULL};

	ck_assert_int_eq(config_pack(NULL, mon->config, &bytes), 0);
	ck_assert_int_eq(config_pack_share(mon->config, &bytes), 0);
	ck_assert_int_eq(setup_config_fd(buf_slice(&bytes), &mon->config_fd),
			 0);
	buf_done(&bytes);
}

void mon_open(const char *text)
{
	static char path[PATH_MAX_LEN];

	test_tmpdir(dir);
	mon_config(text);
	(void)snprintf(path, sizeof(path), "%s", mon_path("sallyport.conf"));
	mon = calloc(1, sizeof(*mon));
	ck_assert_ptr_nonnull(mon);
	ck_assert_int_eq(loop_new(&mon->loop), 0);
	monitor_devices_init(mon);
	mon->config_path = path;
	mon->config = load(path);
	mon->workers = MON_WORKERS;
	mon->log_level = LOG_LEVEL_INFO;
	for (uint32_t i = 0; i < MONITOR_CHILDREN_MAX; i++) {
		bool is_worker = i >= MONITOR_WORKER;

		mon->child[i].m = mon;
		mon->child[i].kind =
			is_worker ? MONITOR_WORKER : (enum monitor_kind)i;
		mon->child[i].number = is_worker ? i - MONITOR_WORKER : 0;
	}
	monitor_lease_init(mon);
	bind_sockets();
	put_config();
	ck_assert_int_eq(monitor_ctl_open(mon), 0);
}

static void reap(pid_t *pid)
{
	if (*pid == 0)
		return;
	ck_assert_int_eq(kill(*pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(*pid, NULL, 0), *pid);
	*pid = 0;
}

void mon_close(void)
{
	char cmd[96];

	monitor_ipsec_end(mon);
	monitor_devices_end(mon);
	mon->control = control_free(mon->control);
	monitor_media_close(mon);
	for (uint32_t i = 0; i < MONITOR_CHILDREN_MAX; i++) {
		mon->child[i].channel = channel_free(mon->child[i].channel);
		if (end[i] > 0)
			(void)close(end[i]);
		end[i] = 0;
	}
	mon->keys = keys_client_free(mon->keys);
	reap(&store_pid);
	reap(&keys_pid);
	for (uint32_t i = 0; i < CONFIG_LISTENERS_MAX; i++)
		free(mon->steer[i]);
	for (uint32_t i = 0; i < MON_WORKERS * mon->sockets; i++)
		(void)close(mon->fd[i]);
	free(mon->fd);
	(void)close(mon->config_fd);
	devset_free(mon->devices);
	devset_free(mon->fetched);
	config_unref(mon->config);
	loop_free(mon->loop);
	free(mon);
	mon = NULL;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- children -------------------------------------------------------------- */

static uint32_t at(enum monitor_kind kind, uint32_t number)
{
	return (uint32_t)kind + number;
}

/* As the monitor does with what its children say. */
static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct monitor_child *child = ctx;
	struct store_reply reply;

	(void)fds;
	ck_assert_uint_eq(n, 0);
	child->asked_ms = 0;
	if (slice_eqs(bytes, DWIRE_PONG))
		return;
	if (child->kind == MONITOR_KEYS) {
		monitor_reload_keys(mon, bytes);
	} else if (child->kind == MONITOR_STORE) {
		ck_assert_int_eq(store_reply_read(bytes, &reply), 0);
		monitor_ctl_store(mon, &reply);
	}
}

static void on_down(void *ctx, const char *reason)
{
	struct monitor_child *child = ctx;

	(void)reason;
	child->channel = channel_free(child->channel);
}

static int line_to(enum monitor_kind kind, uint32_t number)
{
	struct monitor_child *child = &mon->child[at(kind, number)];
	struct channel_params p = {.loop = mon->loop,
				   .message = on_message,
				   .down = on_down,
				   .ctx = child};
	int fds[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	p.fd = fds[0];
	ck_assert_ptr_null(child->channel);
	ck_assert_int_eq(channel_new(&p, &child->channel), 0);
	return fds[1];
}

void mon_up(enum monitor_kind kind, uint32_t number)
{
	end[at(kind, number)] = line_to(kind, number);
}

void mon_down(enum monitor_kind kind, uint32_t number)
{
	struct monitor_child *child = &mon->child[at(kind, number)];

	if (end[at(kind, number)] > 0)
		(void)close(end[at(kind, number)]);
	end[at(kind, number)] = 0;
	child->channel = channel_free(child->channel);
	monitor_ctl_lost(mon, child);
	if (kind == MONITOR_KEYS)
		monitor_reload_keys(mon, slice_str("the keys process ended"));
}

static size_t heard_fds;

size_t mon_heard_fds(void)
{
	return heard_fds;
}

void mon_turn(void)
{
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(loop_step(mon->loop, 0), 0);
}

struct slice mon_hear(enum monitor_kind kind, uint32_t number, int *ret_fd)
{
	static uint8_t buf[CHANNEL_MSG_MAX];
	union {
		char buf[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} u;
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = u.buf,
			   .msg_controllen = sizeof(u.buf)};
	const struct cmsghdr *h;
	ssize_t n;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;

	mon_turn();
	n = recvmsg(end[at(kind, number)], &m, MSG_DONTWAIT);
	if (n < 0)
		return SLICE_NULL;
	h = CMSG_FIRSTHDR(&m);
	if (h) {
		count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(h), count * sizeof(int));
	}
	heard_fds = count;
	if (ret_fd)
		*ret_fd = count > 0 ? fds[0] : -1;
	for (size_t i = ret_fd ? 1 : 0; i < count; i++)
		(void)close(fds[i]);
	return slice_make(buf, (size_t)n);
}

void mon_say(enum monitor_kind kind, uint32_t number, struct slice bytes)
{
	ck_assert_int_eq(
		send(end[at(kind, number)], bytes.ptr, bytes.len, MSG_NOSIGNAL),
		(ssize_t)bytes.len);
	mon_turn();
}

struct dwire_msg mon_question(enum monitor_kind kind, uint32_t number)
{
	struct dwire_msg msg = {.op = DWIRE_READY};
	struct slice s;

	do {
		s = mon_hear(kind, number, NULL);
		ck_assert_msg(s.len > 0, "no question came");
	} while (dwire_read(s, &msg) != 0 || msg.op != DWIRE_QUERY);
	return msg;
}

void mon_rows(enum monitor_kind kind, uint32_t child, uint32_t number,
	      const char *text, bool is_last)
{
	struct dwire_msg msg = {.op = DWIRE_ROWS,
				.number = number,
				.is_last = is_last,
				.text = slice_str(text)};

	if (kind == MONITOR_MEDIA)
		monitor_media_rows(mon, monitor_ctl_find(mon, number), &msg);
	else
		monitor_ctl_rows(mon, child, &msg);
}

/* ---- real ones ----------------------------------------------------------------- */

/* In a child: only one end of the line is its own. */
static void keep_only(int fd)
{
	if (fd > 3)
		(void)close_range(3, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0U, 0);
}

static void run_store(int fd)
{
	char path[PATH_MAX_LEN], state[PATH_MAX_LEN];
	struct role_store_params p = {.path = path,
				      .state = {.path = state,
						.lease_s = 300,
						.workers = MON_WORKERS,
						.rows_max = 100},
				      .monitor_fd = fd};

	(void)snprintf(path, sizeof(path), "%s", mon_path("db"));
	(void)snprintf(state, sizeof(state), "%s", mon_path("state"));
	(void)signal(SIGXFSZ, SIG_IGN); /* a full disk is an error */
	_exit(role_store(&p));
}

pid_t mon_store(void)
{
	int fd = line_to(MONITOR_STORE, 0);

	store_pid = fork();
	ck_assert_int_ge(store_pid, 0);
	if (store_pid == 0) {
		keep_only(fd);
		run_store(fd);
	}
	(void)close(fd);
	ck_assert_int_eq(monitor_devices_fetch(mon), 0);
	for (int i = 0; i < TURNS && mon->fetched; i++)
		ck_assert_int_eq(loop_step(mon->loop, TURN_MS), 0);
	ck_assert_ptr_nonnull(mon->devices);
	return store_pid;
}

void mon_store_kill(void)
{
	reap(&store_pid);
	mon_down(MONITOR_STORE, 0);
}

static void run_keys(int fd)
{
	static uint8_t in[KEYS_MSG_MAX], out[KEYS_ANSWER_MAX];
	char why[KEYS_ERR_MAX] = "";
	struct keys *k;
	struct writer w;
	ssize_t n;

	if (tls_global_init() != 0 || keys_new(&k) != 0 ||
	    keys_load_store_key(k, mon_path("store.key"), why) != 0)
		_exit(1);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		(void)poll(&p, 1, -1);
		n = recv(fd, in, sizeof(in), 0);
		if (n <= 0)
			_exit(0);
		writer_init(&w, out, sizeof(out));
		keys_serve(k, KEYS_CLIENT_MONITOR, slice_make(in, (size_t)n),
			   &w);
		(void)!send(fd, out, w.len, MSG_NOSIGNAL);
	}
}

void mon_keys(void)
{
	struct keys_client_params p = {.timeout_ms = 20000};
	int fds[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	keys_pid = fork();
	ck_assert_int_ge(keys_pid, 0);
	if (keys_pid == 0) {
		keep_only(fds[1]);
		run_keys(fds[1]);
	}
	(void)close(fds[1]);
	p.fd = fds[0];
	ck_assert_int_eq(keys_client_new(&p, &mon->keys), 0);
}

/* ---- the operator ----------------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_lt(strlen(path), sizeof(un.sun_path));
	memcpy(un.sun_path, path, strlen(path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

int mon_send(const char *command, const char *args, int fd)
{
	static char line[CONTROL_LINE_MAX];
	int n = snprintf(line, sizeof(line),
			 "{\"command\":\"%s\",\"args\":{%s}}\n", command, args);
	int client = connect_to(mon_path("control"));
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {.buf = ""};
	struct iovec iov = {.iov_base = line, .iov_len = (size_t)n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	ck_assert_int_lt(n, (int)sizeof(line));
	if (fd >= 0) {
		m.msg_control = u.buf;
		m.msg_controllen = sizeof(u.buf);
		u.align.cmsg_level = SOL_SOCKET;
		u.align.cmsg_type = SCM_RIGHTS;
		u.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&u.align), &fd, sizeof(int));
	}
	ck_assert_int_eq(sendmsg(client, &m, MSG_NOSIGNAL), n);
	mon_turn();
	return client;
}

bool mon_is_answered(int client)
{
	struct pollfd p = {.fd = client, .events = POLLIN};

	mon_turn();
	return poll(&p, 1, 0) == 1;
}

const char *mon_answer(int client)
{
	size_t len = 0;

	for (int i = 0; i < TURNS; i++) {
		ssize_t n = recv(client, answer + len, sizeof(answer) - 1 - len,
				 MSG_DONTWAIT);

		len += n > 0 ? (size_t)n : 0;
		answer[len] = '\0';
		if (n == 0 || (len > 0 && answer[len - 1] == '\n'))
			break;
		ck_assert_int_lt(i, TURNS - 1);
		if (n < 0)
			ck_assert_int_eq(loop_step(mon->loop, TURN_MS), 0);
	}
	(void)close(client);
	mon_turn();
	return answer;
}

const char *mon_ask(const char *command, const char *args)
{
	return mon_answer(mon_send(command, args, -1));
}

const char *mon_ask_file(const char *command, const char *args,
			 const char *text)
{
	int fd;
	int client;

	ck_assert_int_eq(setup_config_fd(slice_str(text), &fd), 0);
	client = mon_send(command, args, fd);
	(void)close(fd);
	return mon_answer(client);
}

bool mon_is_good(const char *a)
{
	return strstr(a, "\"ok\":true") != NULL;
}

bool mon_is_bad(const char *a, const char *text)
{
	return strstr(a, "\"ok\":false") && strstr(a, text);
}
