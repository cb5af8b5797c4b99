#include "control/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/handle.h"
#include "base/secret.h"
#include "base/text.h"
#include "log/log.h"
#include "loop/loop.h"

enum { BACKLOG = 16 };

/* A connection: the request comes, a handler answers, the answer goes. */
enum client_state { CLIENT_READING, CLIENT_WAITING, CLIENT_WRITING };

struct client {
	struct control *control;
	struct handle handle;
	enum client_state state;
	struct loop_fd fd;
	struct loop_timer deadline;
	uid_t uid;
	char in[CONTROL_LINE_MAX]; /* may hold secrets: wiped */
	size_t in_len;
	int passed;	/* descriptor that came along; -1 = none */
	struct buf out; /* the answer, or the rows that have come so far */
	bool has_rows;	/* it was begun by control_reply_rows */
	bool ends_row;	/* a comma is needed before the next one */
};

struct control {
	struct control_params params;
	char *path;
	struct loop_fd listener;
	struct slots clients;
	bool is_closing;
};

/* ---- the socket ------------------------------------------------------ */

static int socket_address(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	return text_copy(slice_str(path), ret->sun_path, sizeof(ret->sun_path));
}

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* A socket file nobody answers on is left over from a crash. */
static int remove_stale(const struct sockaddr_un *un)
{
	struct stat st;
	int fd, rc;

	if (lstat(un->sun_path, &st))
		return errno == ENOENT ? 0 : ERR_IO;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return ERR_IO;
	}
	fd = new_socket();
	if (fd < 0)
		return ERR_IO;
	rc = connect(fd, (const struct sockaddr *)un, sizeof(*un));
	(void)close(fd);
	/* EAGAIN: somebody listens, and is busy. */
	if (rc == 0 || errno == EAGAIN)
		return ERR_EXISTS;
	return unlink(un->sun_path) ? ERR_IO : 0;
}

/* Nobody can connect between bind and listen, so modes come in between. */
static int listen_at(const struct control_params *p, int *ret_fd)
{
	bool has_group = p->gid != (gid_t)-1;
	struct sockaddr_un un;
	int err = socket_address(p->path, &un);
	int fd;

	if (err) {
		errno = ENAMETOOLONG;
		return ERR_IO;
	}
	err = remove_stale(&un);
	if (err)
		return err;
	fd = new_socket();
	if (fd < 0)
		return ERR_IO;
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) ||
	    chmod(p->path, has_group ? 0660 : 0600) ||
	    (has_group && chown(p->path, (uid_t)-1, p->gid)) ||
	    listen(fd, BACKLOG)) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
		return ERR_IO;
	}
	*ret_fd = fd;
	return 0;
}

/* ---- connections ----------------------------------------------------- */

static void client_free(struct client *k)
{
	struct control *c = k->control;
	int fd = k->fd.fd;

	loop_fd_del(c->params.loop, &k->fd);
	loop_timer_clear(c->params.loop, &k->deadline);
	(void)close(fd);
	slots_del(&c->clients, k->handle);
	buf_done(&k->out);
	if (k->passed >= 0)
		(void)close(k->passed);
	secret_wipe(k->in, sizeof(k->in));
	alloc_free(k);
	if (!c->is_closing)
		loop_fd_set(c->params.loop, &c->listener, LOOP_READ);
}

static void set_deadline(struct client *k, uint64_t ms)
{
	struct loop *l = k->control->params.loop;

	/* It is set already, and moving a timer needs no memory. */
	if (loop_timer_set(l, &k->deadline, loop_now_ms(l) + ms))
		log_warn("control connection without a deadline");
}

/* Send what is in k->out; without memory for it the client sees an end. */
static void start_writing(struct client *k)
{
	k->state = CLIENT_WRITING;
	set_deadline(k, CONTROL_IDLE_MS);
	loop_fd_set(k->control->params.loop, &k->fd, LOOP_WRITE);
}

/* Take answer's reference and send it, in place of rows that were begun. */
static void answer(struct client *k, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	json_decref(value);
	buf_done(&k->out);
	if (!text || buf_add(&k->out, slice_str(text), CONTROL_REPLY_MAX) ||
	    buf_add(&k->out, slice_str("\n"), CONTROL_REPLY_MAX))
		buf_done(&k->out);
	alloc_free(text);
	start_writing(k);
}

static void answer_error(struct client *k, const char *text)
{
	answer(k, json_pack("{s:b,s:s}", "ok", 0, "error", text));
}

/* Who changed something is worth a line, who looked is not. */
static void note_command(const struct control_command *cmd, uid_t uid)
{
	static const char fmt[] = "control command=\"%s\" uid=%u";
	bool is_look = !cmd->arg[0].is_required;

	if (is_look)
		log_debug(fmt, cmd->name, (unsigned)uid);
	else
		log_info(fmt, cmd->name, (unsigned)uid);
}

static void dispatch(struct client *k, struct slice line)
{
	struct control *c = k->control;
	const struct control_command *cmd = NULL;
	const char *why = "";
	json_t *args = NULL;
	control_fn fn;
	int err = control_request_parse(line, &cmd, &args, &why);

	secret_wipe(k->in, sizeof(k->in));
	if (err) {
		answer_error(k, why);
		return;
	}
	note_command(cmd, k->uid);
	k->state = CLIENT_WAITING;
	set_deadline(k, CONTROL_ANSWER_MS);
	loop_fd_set(c->params.loop, &k->fd, 0);
	fn = c->params.handler[cmd->id];
	if (fn)
		fn(c->params.ctx, handle_u64(k->handle), args);
	else
		answer_error(k, "this command is not available");
	control_args_free(args);
}

/* A descriptor beside the bytes is kept: the first that comes. */
static void keep_passed(struct client *k, struct msghdr *m)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(m);
	size_t n;

	if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
		return;
	n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(h) + i * sizeof(fd), sizeof(fd));
		if (k->passed < 0)
			k->passed = fd;
		else
			(void)close(fd);
	}
}

static ssize_t receive(struct client *k)
{
	struct iovec io = {.iov_base = k->in + k->in_len,
			   .iov_len = sizeof(k->in) - k->in_len};
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} u;
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = u.buf,
			   .msg_controllen = sizeof(u.buf)};
	ssize_t n = recvmsg(k->fd.fd, &m, MSG_CMSG_CLOEXEC);

	if (n >= 0)
		keep_passed(k, &m);
	return n;
}

static void read_request(struct client *k)
{
	ssize_t n = receive(k);
	const char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(k);
		return;
	}
	end = memchr(k->in + k->in_len, '\n', (size_t)n);
	k->in_len += (size_t)n;
	if (end)
		dispatch(k, slice_make(k->in, (size_t)(end - k->in)));
	else if (k->in_len == sizeof(k->in))
		answer_error(k, "the request is too long");
}

static void write_answer(struct client *k)
{
	struct slice left = buf_slice(&k->out);
	ssize_t n = 0;

	if (left.len > 0)
		n = send(k->fd.fd, left.ptr, left.len, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		buf_drop(&k->out, (size_t)n);
		set_deadline(k, CONTROL_IDLE_MS);
	}
	if (n < 0 || k->out.len == 0)
		client_free(k);
}

static void on_client(void *arg, uint32_t events)
{
	struct client *k = arg;

	if (k->state == CLIENT_READING && (events & LOOP_READ))
		read_request(k);
	else if (k->state == CLIENT_WRITING && (events & LOOP_WRITE))
		write_answer(k);
	else if (events & LOOP_ERROR)
		client_free(k);
}

static void on_deadline(void *arg)
{
	struct client *k = arg;

	if (k->state != CLIENT_WAITING) {
		client_free(k);
		return;
	}
	/* start_writing moves the timer, which has just fired: set it anew. */
	if (loop_timer_set(k->control->params.loop, &k->deadline, UINT64_MAX))
		client_free(k);
	else
		answer_error(k, "no answer in time");
}

static int client_new(struct control *c, int fd)
{
	struct loop *l = c->params.loop;
	struct client *k = alloc_zero(sizeof(*k));
	struct ucred cred = {.uid = (uid_t)-1};
	socklen_t len = sizeof(cred);
	int err;

	if (!k)
		return ERR_NOMEM;
	k->control = c;
	k->passed = -1;
	k->fd.fd = -1;
	loop_timer_init(&k->deadline, on_deadline, k);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
		k->uid = cred.uid;
	err = slots_add(&c->clients, k, &k->handle);
	if (err)
		goto out;
	err = loop_timer_set(l, &k->deadline, loop_now_ms(l) + CONTROL_IDLE_MS);
	if (!err)
		err = loop_fd_add(l, &k->fd, fd, LOOP_READ, on_client, k);
	if (!err)
		return 0;
	loop_timer_clear(l, &k->deadline);
	slots_del(&c->clients, k->handle);
out:
	alloc_free(k);
	return err;
}

static void on_accept(void *arg, uint32_t events)
{
	struct control *c = arg;
	int fd;

	(void)events;
	fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (client_new(c, fd)) {
		log_warn("control connection refused: no room");
		(void)close(fd);
	}
	/* Others wait in the kernel until one has gone. */
	if (c->clients.count >= CONTROL_CLIENTS_MAX)
		loop_fd_set(c->params.loop, &c->listener, 0);
}

/* ---- the server ------------------------------------------------------ */

int control_new(const struct control_params *p, struct control **ret_control)
{
	struct control *c = alloc_zero(sizeof(*c));
	int fd = -1;
	int err;

	if (!c)
		return ERR_NOMEM;
	c->params = *p;
	c->listener.fd = -1;
	slots_init(&c->clients, CONTROL_CLIENTS_MAX);
	c->path = alloc_copy(slice_str(p->path));
	err = c->path ? listen_at(p, &fd) : ERR_NOMEM;
	if (!err)
		err = loop_fd_add(p->loop, &c->listener, fd, LOOP_READ,
				  on_accept, c);
	if (err) {
		int saved = errno;

		if (fd >= 0)
			(void)close(fd);
		alloc_free(c->path);
		alloc_free(c);
		errno = saved;
		return err;
	}
	*ret_control = c;
	return 0;
}

struct control *control_free(struct control *c)
{
	uint32_t at = 0;
	struct client *k;
	int fd;

	if (!c)
		return NULL;
	c->is_closing = true;
	while ((k = slots_next(&c->clients, &at)) != NULL)
		client_free(k);
	slots_done(&c->clients);
	fd = c->listener.fd;
	loop_fd_del(c->params.loop, &c->listener);
	(void)close(fd);
	(void)unlink(c->path);
	alloc_free(c->path);
	return alloc_free(c);
}

/* The client of a token that still waits for its answer, or NULL. */
static struct client *waiting(struct control *c, uint64_t token)
{
	struct handle h = {.index = (uint32_t)token,
			   .gen = (uint32_t)(token >> 32)};
	struct client *k = slots_find(&c->clients, h);

	return k && k->state == CLIENT_WAITING ? k : NULL;
}

int control_take_fd(struct control *c, uint64_t token)
{
	struct client *k = waiting(c, token);
	int fd = k ? k->passed : -1;

	if (k)
		k->passed = -1;
	return fd;
}

void control_reply(struct control *c, uint64_t token, json_t *result)
{
	struct client *k = waiting(c, token);

	if (k && result)
		answer(k, json_pack("{s:b,s:o}", "ok", 1, "result", result));
	else
		json_decref(result);
	if (k && !result)
		answer_error(k, "out of memory");
}

void control_fail(struct control *c, uint64_t token, const char *fmt, ...)
{
	struct client *k = waiting(c, token);
	char text[512];
	va_list ap;

	if (!k)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	answer_error(k, text);
}

void control_fail_text(struct control *c, uint64_t token, const char *text)
{
	struct client *k = waiting(c, token);

	if (k)
		answer_error(k, text);
}

static int add_text(struct client *k, struct slice s)
{
	return buf_add(&k->out, s, CONTROL_REPLY_MAX);
}

/*
 * The text goes on as it came: the monitor does not read what workers write,
 * which may be long. Whether it is JSON is for the client's parser.
 */
int control_reply_rows(struct control *c, uint64_t token, struct slice text,
		       bool is_last)
{
	struct client *k = waiting(c, token);
	bool is_array = text.len >= 2 && text.ptr[0] == '[' &&
			text.ptr[text.len - 1] == ']';
	int err = is_array ? 0 : ERR_BAD;

	if (!k)
		return 0;
	if (!err && !k->has_rows)
		err = add_text(k, slice_str("{\"result\":["));
	else if (!err && text.len > 2 && k->ends_row)
		err = add_text(k, slice_str(","));
	k->has_rows = true;
	k->ends_row = k->ends_row || text.len > 2;
	if (!err)
		err = add_text(k, slice_sub(text, 1, text.len - 2));
	if (!err && is_last)
		err = add_text(k, slice_str("],\"ok\":true}\n"));
	if (err) {
		answer_error(k, "a worker's answer is broken or too long");
		return ERR_BAD;
	}
	set_deadline(k, CONTROL_ANSWER_MS);
	if (is_last)
		start_writing(k);
	return 0;
}
