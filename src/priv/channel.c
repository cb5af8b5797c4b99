#include "priv/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/secret.h"

enum {
	QUEUE_DEFAULT = 1 << 20, /* bytes */
	SOCKET_BUFFER = 1 << 20, /* asked for; the system may give less */
	ROUND = 32		 /* messages read per loop round */
};

/* A message the socket did not take yet. */
struct item {
	struct list node;
	int fds[CHANNEL_FDS_MAX]; /* own duplicates */
	size_t fd_count;
	size_t len;
	uint8_t bytes[];
};

struct channel {
	struct channel_params p;
	struct loop_fd w;
	struct loop_work down_work; /* down() comes from the loop only */
	struct list queue;
	size_t queued;	    /* bytes in queue */
	uint64_t refused;   /* queue full */
	const char *reason; /* of the end; NULL = alive */
	bool is_busy;	    /* inside message(): channel_free waits */
	bool is_doomed;	    /* channel_free was called meanwhile */
	uint8_t *buf;	    /* CHANNEL_MSG_MAX, for reading */
};

/* Space for the descriptors of one message. */
union control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
};

int channel_pair(int ret_fds[2])
{
	int size = SOCKET_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0, ret_fds) < 0)
		return ERR_IO;
	/* Best effort: a smaller buffer only queues earlier. */
	for (int i = 0; i < 2; i++)
		(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &size,
				 sizeof(size));
	return 0;
}

static void item_free(struct channel *ch, struct item *it)
{
	list_del(&it->node);
	ch->queued -= it->len;
	for (size_t i = 0; i < it->fd_count; i++)
		(void)close(it->fds[i]);
	secret_wipe(it->bytes, it->len);
	(void)alloc_free(it);
}

static void drop_queue(struct channel *ch)
{
	while (!list_empty(&ch->queue))
		item_free(ch, LIST_ENTRY(ch->queue.next, struct item, node));
}

/* The channel is over: close now, tell from the loop. */
static void finish(struct channel *ch, const char *reason)
{
	int fd = ch->w.fd;

	if (ch->reason)
		return;
	ch->reason = reason;
	loop_fd_del(ch->p.loop, &ch->w);
	(void)close(fd);
	drop_queue(ch);
	loop_work_add(ch->p.loop, &ch->down_work);
}

static void on_down(void *arg)
{
	struct channel *ch = arg;

	ch->p.down(ch->p.ctx, ch->reason);
}

/* 0, ERR_AGAIN or ERR_IO. */
static int send_now(int fd, struct slice bytes, const int *fds, size_t n)
{
	union control control = {0};
	/* sendmsg does not write through iov_base. */
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes.ptr,
			    .iov_len = bytes.len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t rc;

	if (n > 0) {
		struct cmsghdr *c;

		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = &control.align; /* CMSG_FIRSTHDR */
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	do
		rc = sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (rc < 0 && errno == EINTR);
	if (rc >= 0)
		return 0;
	return errno == EAGAIN || errno == ENOBUFS ? ERR_AGAIN : ERR_IO;
}

static void flush(struct channel *ch)
{
	while (!list_empty(&ch->queue)) {
		struct item *it = LIST_ENTRY(ch->queue.next, struct item, node);
		int err = send_now(ch->w.fd, slice_make(it->bytes, it->len),
				   it->fds, it->fd_count);

		if (err == ERR_AGAIN)
			break;
		if (err) {
			finish(ch, "the other process is gone");
			return;
		}
		item_free(ch, it);
	}
	loop_fd_set(ch->p.loop, &ch->w,
		    LOOP_READ | (list_empty(&ch->queue) ? 0 : LOOP_WRITE));
}

static void close_fds(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
}

/* Descriptors that came with a message. */
static size_t take_fds(struct msghdr *mh, int fds[CHANNEL_FDS_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count && n < CHANNEL_FDS_MAX; i++)
			memcpy(&fds[n++], CMSG_DATA(c) + i * sizeof(int),
			       sizeof(int));
	}
	return n;
}

/* One message; false when there is none or the channel is over. */
static bool receive_one(struct channel *ch)
{
	union control control;
	struct iovec iov = {.iov_base = ch->buf, .iov_len = CHANNEL_MSG_MAX};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control)};
	int fds[CHANNEL_FDS_MAX];
	size_t n;
	ssize_t len;

	do
		len = recvmsg(ch->w.fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0 && errno == EAGAIN)
		return false;
	if (len <= 0) {
		finish(ch, "the other process is gone");
		return false;
	}
	n = take_fds(&mh, fds);
	if (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		close_fds(fds, n);
		finish(ch, "the other process sent too long a message");
		return false;
	}
	ch->p.message(ch->p.ctx, slice_make(ch->buf, (size_t)len), fds, n);
	return true;
}

static void on_event(void *arg, uint32_t events)
{
	struct channel *ch = arg;

	if (events & LOOP_WRITE)
		flush(ch);
	if (ch->reason || !(events & (LOOP_READ | LOOP_ERROR)))
		return;
	ch->is_busy = true;
	for (int i = 0; i < ROUND && !ch->is_doomed && !ch->reason; i++)
		if (!receive_one(ch))
			break;
	ch->is_busy = false;
	if (ch->is_doomed)
		(void)channel_free(ch);
}

int channel_new(const struct channel_params *p, struct channel **ret)
{
	struct channel *ch = alloc_zero(sizeof(*ch));
	int err = ERR_NOMEM;

	if (!ch)
		return ERR_NOMEM;
	ch->p = *p;
	if (ch->p.queue_max == 0)
		ch->p.queue_max = QUEUE_DEFAULT;
	list_init(&ch->queue);
	loop_work_init(&ch->down_work, on_down, ch);
	ch->buf = alloc_zero(CHANNEL_MSG_MAX);
	if (ch->buf)
		err = loop_fd_add(p->loop, &ch->w, p->fd, LOOP_READ, on_event,
				  ch);
	if (err) {
		(void)alloc_free(ch->buf);
		(void)alloc_free(ch);
		return err;
	}
	*ret = ch;
	return 0;
}

struct channel *channel_free(struct channel *ch)
{
	int fd;

	if (!ch)
		return NULL;
	fd = ch->w.fd;
	loop_fd_del(ch->p.loop, &ch->w);
	if (fd >= 0)
		(void)close(fd);
	loop_work_del(&ch->down_work);
	drop_queue(ch);
	if (!ch->reason)
		ch->reason = "freed";
	ch->is_doomed = true;
	/* The message being handled lies in our buffer. */
	if (ch->is_busy)
		return NULL;
	secret_wipe(ch->buf, CHANNEL_MSG_MAX);
	(void)alloc_free(ch->buf);
	return alloc_free(ch);
}

static int enqueue(struct channel *ch, struct slice bytes, const int *fds,
		   size_t n)
{
	struct item *it;

	if (bytes.len > ch->p.queue_max ||
	    ch->queued > ch->p.queue_max - bytes.len) {
		ch->refused++;
		return ERR_LIMIT;
	}
	it = alloc_zero(sizeof(*it) + bytes.len);
	if (!it)
		return ERR_NOMEM;
	list_init(&it->node);
	for (; it->fd_count < n; it->fd_count++) {
		int fd = fcntl(fds[it->fd_count], F_DUPFD_CLOEXEC, 3);

		if (fd < 0) {
			close_fds(it->fds, it->fd_count);
			(void)alloc_free(it);
			return ERR_IO;
		}
		it->fds[it->fd_count] = fd;
	}
	memcpy(it->bytes, bytes.ptr, bytes.len);
	it->len = bytes.len;
	ch->queued += bytes.len;
	list_append(&ch->queue, &it->node);
	loop_fd_set(ch->p.loop, &ch->w, LOOP_READ | LOOP_WRITE);
	return 0;
}

int channel_send_fds(struct channel *ch, struct slice bytes, const int *fds,
		     size_t n)
{
	int err = ERR_AGAIN;

	if (ch->reason)
		return ERR_CLOSED;
	if (bytes.len == 0 || bytes.len > CHANNEL_MSG_MAX ||
	    n > CHANNEL_FDS_MAX)
		return ERR_LIMIT;
	if (list_empty(&ch->queue))
		err = send_now(ch->w.fd, bytes, fds, n);
	if (err == ERR_IO) {
		finish(ch, "the other process is gone");
		return ERR_CLOSED;
	}
	return err == ERR_AGAIN ? enqueue(ch, bytes, fds, n) : 0;
}

int channel_send(struct channel *ch, struct slice bytes)
{
	return channel_send_fds(ch, bytes, NULL, 0);
}

uint64_t channel_refused(const struct channel *ch)
{
	return ch->refused;
}
