#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"
#include "control/control.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, int64_t until_ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = until_ms - now_ms();
		int rc = poll(&p, 1, left > 0 ? (int)left : 0);

		if (rc > 0)
			return 0;
		if (rc == 0)
			return ERR_TIMEOUT;
		if (errno != EINTR)
			return ERR_IO;
	}
}

static int connect_to(const char *path, int *ret_fd)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd;

	if (text_copy(slice_str(path), un.sun_path, sizeof(un.sun_path)))
		return ERR_NOTFOUND;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_IO;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un))) {
		int err = errno == ENOENT || errno == ECONNREFUSED
				  ? ERR_NOTFOUND
			  : errno == EACCES || errno == EPERM ? ERR_DENIED
							      : ERR_IO;

		(void)close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/* The first bytes, and passed (unless -1) with them. */
static ssize_t send_with(int fd, const char *p, size_t len, int passed)
{
	struct iovec io = {.iov_len = len};
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {.buf = {0}};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	struct cmsghdr *h = &u.align;

	/* sendmsg only reads what its struct cannot call const. */
	memcpy(&io.iov_base, &p, sizeof(p));
	if (passed >= 0) {
		m.msg_control = u.buf;
		m.msg_controllen = sizeof(u.buf);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &passed, sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int send_all(int fd, const char *p, size_t len, int passed,
		    int64_t until_ms)
{
	while (len > 0) {
		int err = wait_for(fd, POLLOUT, until_ms);
		ssize_t n;

		if (err)
			return err;
		n = send_with(fd, p, len, passed);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return ERR_IO;
		if (n > 0) {
			passed = -1;
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Read to the end of the stream; *ret_text is the caller's also on failure. */
static int read_all(int fd, int64_t until_ms, char **ret_text, size_t *ret_len)
{
	size_t cap = 0;
	size_t len = 0;

	for (;;) {
		int err = wait_for(fd, POLLIN, until_ms);
		ssize_t n;

		if (err)
			return err;
		if (len == cap) {
			char *p;

			cap = cap ? cap * 2 : 65536;
			p = cap > 2 * (size_t)CONTROL_REPLY_MAX
				    ? NULL
				    : alloc_resize(*ret_text, cap, 1);
			if (!p)
				return ERR_NOMEM;
			*ret_text = p;
		}
		n = read(fd, *ret_text + len, cap - len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return ERR_IO;
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	*ret_len = len;
	return 0;
}

/* The request line; it may hold secrets: request_free. */
static char *request_text(enum control_id id, const json_t *args,
			  size_t *ret_len)
{
	json_t *root = json_pack("{s:s}", "command", control_command[id].name);
	char *text = NULL;
	json_t *copy = args ? json_deep_copy(args) : NULL;

	if (root &&
	    (!args || (copy && json_object_set(root, "args", copy) == 0)))
		text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	control_args_free(copy);
	if (!text)
		return NULL;
	*ret_len = strlen(text) + 1;
	text[*ret_len - 1] = '\n';
	return text;
}

int control_call(const char *path, enum control_id id, const json_t *args,
		 int timeout_ms, json_t **ret_answer)
{
	return control_call_fd(path, id, args, -1, timeout_ms, ret_answer);
}

int control_call_fd(const char *path, enum control_id id, const json_t *args,
		    int passed, int timeout_ms, json_t **ret_answer)
{
	int64_t until_ms = now_ms() + timeout_ms;
	char *request = NULL;
	char *answer = NULL;
	json_t *root = NULL;
	size_t len = 0;
	int fd = -1;
	int err = connect_to(path, &fd);

	if (err)
		return err;
	request = request_text(id, args, &len);
	err = request ? send_all(fd, request, len, passed, until_ms)
		      : ERR_NOMEM;
	if (request) {
		secret_wipe(request, len);
		alloc_free(request);
	}
	len = 0;
	if (!err)
		err = read_all(fd, until_ms, &answer, &len);
	if (!err) {
		root = json_loadb(answer ? answer : "", len, 0, NULL);
		if (!json_is_boolean(json_object_get(root, "ok"))) {
			json_decref(root);
			err = ERR_BAD;
		}
	}
	if (!err)
		*ret_answer = root;
	alloc_free(answer);
	(void)close(fd);
	return err;
}
