/*
 * The media process as a thread: its channels are real, the monitor and the
 * workers are this test. Waits are bounded by the test's timeout.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/media.h"
#include "lib/run.h"
#include "media/wire.h"
#include "priv/channel.h"

struct rig {
	struct role_media_params params;
	pthread_t thread;
	int monitor;
	int worker;
	int result;
	int entered;
};

static int enter(void *ctx)
{
	struct rig *r = ctx;

	return ++r->entered == 1 ? 0 : ERR_STATE;
}

static void *run(void *arg)
{
	struct rig *r = arg;

	r->result = role_media(&r->params);
	return NULL;
}

/* Our ends of the channels wait. */
static void blocking(int fd)
{
	struct timeval tv = {.tv_sec = 10};

	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
}

static void start(struct rig *r)
{
	int m[2], w[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, m), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, w), 0);
	*r = (struct rig){.monitor = m[0], .worker = w[0], .result = 1};
	blocking(r->monitor);
	blocking(r->worker);
	r->params.monitor_fd = m[1];
	r->params.channel[0].fd = w[1];
	r->params.channel[0].worker = 3;
	r->params.channel_count = 1;
	r->params.enter = enter;
	r->params.ctx = r;
	ck_assert_int_eq(pthread_create(&r->thread, NULL, run, r), 0);
}

static void stop(struct rig *r)
{
	(void)close(r->monitor);
	ck_assert_int_eq(pthread_join(r->thread, NULL), 0);
	ck_assert_int_eq(r->result, 0);
	ck_assert_int_eq(r->entered, 1);
	(void)close(r->worker);
}

static struct media_reply *ask(int fd, const struct writer *rq)
{
	static struct media_reply reply;
	uint8_t in[MEDIA_WIRE_MAX];
	ssize_t n;

	ck_assert_int_eq(send(fd, rq->buf, rq->len, MSG_NOSIGNAL),
			 (ssize_t)rq->len);
	n = recv(fd, in, sizeof(in), 0);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(
		media_wire_read_reply(slice_make(in, (size_t)n), &reply), 0);
	return &reply;
}

/* A flow on a port that was free a moment ago; another when it is not. */
static void add_flow(int fd)
{
	int err = ERR_IO;

	for (uint16_t port = 42000; err == ERR_IO && port < 43000; port += 2) {
		struct flow f = {.id = 1, .peer_id = 2};
		uint8_t out[MEDIA_WIRE_MAX];
		struct writer w;

		f.local = (struct addr){ADDR_V4, {127, 0, 0, 1}, port};
		writer_init(&w, out, sizeof(out));
		media_wire_add(&w, port, &f, 1);
		err = ask(fd, &w)->err;
	}
	ck_assert_int_eq(err, 0);
}

static int query(int fd)
{
	uint8_t out[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, out, sizeof(out));
	media_wire_query(&w, 9, 1);
	return ask(fd, &w)->err;
}

/* Hand the media process a channel for worker number; our end. */
static int new_worker(struct rig *r, uint32_t number)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	uint8_t msg[5] = {'W', 0, 0, 0, (uint8_t)number};
	struct iovec iov = {msg, sizeof(msg)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int w[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, w), 0);
	blocking(w[0]);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &w[1], sizeof(int));
	ck_assert_int_eq(sendmsg(r->monitor, &m, 0), sizeof(msg));
	(void)close(w[1]);
	return w[0];
}

START_TEST(it_ends_when_the_monitor_does)
{
	static struct rig r;

	start(&r);
	add_flow(r.worker);
	ck_assert_int_eq(query(r.worker), 0);
	stop(&r);
}
END_TEST

START_TEST(flows_outlive_their_worker_and_wait_for_its_successor)
{
	static struct rig r;
	int next, other;

	start(&r);
	add_flow(r.worker);
	(void)close(r.worker);
	other = new_worker(&r, 4);
	ck_assert_int_eq(query(other), ERR_NOTFOUND);
	next = new_worker(&r, 3);
	ck_assert_int_eq(query(next), 0);
	(void)close(other);
	r.worker = next;
	stop(&r);
}
END_TEST

START_TEST(a_worker_that_talks_nonsense_loses_its_channel)
{
	static struct rig r;
	int next;
	char c;

	start(&r);
	add_flow(r.worker);
	ck_assert_int_eq(send(r.worker, "nonsense", 8, 0), 8);
	ck_assert_int_eq(recv(r.worker, &c, 1, 0), 0);
	next = new_worker(&r, 3);
	ck_assert_int_eq(query(next), 0);
	(void)close(r.worker);
	r.worker = next;
	stop(&r);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("role");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, it_ends_when_the_monitor_does);
	tcase_add_test(t,
		       flows_outlive_their_worker_and_wait_for_its_successor);
	tcase_add_test(t, a_worker_that_talks_nonsense_loses_its_channel);
	return run_case("daemon/media", t);
}
