/* Our media process, driven as a worker drives it. */
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "daemon/keeper.h"
#include "daemon/media.h"
#include "media/wire.h"
#include "priv/channel.h"

/* The bench is one thread and one relay at a time. */
static int channel = -1;
static int monitor = -1;
static struct keeper *keeper;

enum { QUEUE = 7070 };

static pid_t start_with(enum flow_backend backend)
{
	int worker_fds[2], monitor_fds[2];
	pid_t pid;

	if (channel_pair(worker_fds) || channel_pair(monitor_fds))
		die("socketpair: %m");
	pid = fork();
	if (pid < 0)
		die("fork: %m");
	if (pid == 0) {
		struct role_media_params p = {
			.monitor_fd = monitor_fds[1],
			.channel = {{worker_fds[1], 0}},
			.channel_count = 1,
			.backend = &backend,
			.backend_count = 1,
			.queue_first = QUEUE,
			.queues = 1,
		};

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(worker_fds[0]);
		(void)close(monitor_fds[0]);
		pin(CPU_RELAY);
		_exit(role_media(&p) ? 1 : 0);
	}
	(void)close(worker_fds[1]);
	(void)close(monitor_fds[1]);
	channel = worker_fds[0];
	monitor = monitor_fds[0];
	return pid;
}

static pid_t start(void)
{
	return start_with(FLOW_BACKEND_SOCKET);
}

/* One queue for one thread on one processor, as it has one socket thread. */
static pid_t start_queue(void)
{
	const struct queue_rules r = {.addr = &setup.host,
				      .addr_count = 1,
				      .port_min = RELAY_PORT,
				      .port_max = RELAY_PORT + 4 * CALLS_MAX,
				      .first = QUEUE,
				      .queues = 1};
	char why[MEDIA_WHY_MAX];

	if (keeper_start(&r, &keeper, why) != 0)
		die("no rules for the queue: %s", why);
	return start_with(FLOW_BACKEND_QUEUE);
}

static pid_t start_kernel(void)
{
	return start_with(FLOW_BACKEND_KERNEL);
}

static void make_key(struct flow_key *k, uint8_t seed)
{
	const struct suite_info *info = suite_info(setup.suite);

	*k = (struct flow_key){.suite = setup.suite};
	for (unsigned i = 0; i < info->key_len; i++)
		k->key[i] = (uint8_t)(seed + i * 11);
	for (unsigned i = 0; i < info->salt_len; i++)
		k->salt[i] = (uint8_t)(seed ^ (i * 7));
}

/* Send the request in buf; exits when it is not granted. */
static void ask(struct writer *w, uint8_t buf[MEDIA_WIRE_MAX])
{
	struct media_reply reply;
	ssize_t n;

	if (send(channel, buf, w->len, 0) < 0)
		die("send: %m");
	do { /* events come between */
		struct pollfd pfd = {.fd = channel, .events = POLLIN};

		(void)poll(&pfd, 1, 5000);
		n = recv(channel, buf, MEDIA_WIRE_MAX, MSG_DONTWAIT);
		if (n <= 0 ||
		    media_wire_read_reply(slice_make(buf, (size_t)n), &reply))
			die("no answer from the media process");
	} while (reply.is_event);
	if (reply.err)
		die("the media process refused");
}

static void call_add(unsigned i, struct call *c)
{
	uint8_t buf[MEDIA_WIRE_MAX];
	struct flow f[2] = {{0}};
	struct writer w;

	make_key(&c->to_relay, (uint8_t)i);
	make_key(&c->from_relay, (uint8_t)(i + 100));
	for (unsigned leg = 0; leg < 2; leg++) {
		c->relay[leg] = addr_with_port(
			&setup.host, (uint16_t)(RELAY_PORT + 4 * i + 2 * leg));
		f[leg].id = i * 2 + leg + 1;
		f[leg].peer_id = i * 2 + (1 - leg) + 1;
		f[leg].local = c->relay[leg];
		f[leg].remote = c->self[leg];
		f[leg].latch = FLOW_LATCH_RESTRICTED;
	}
	f[0].out = c->from_relay;
	f[1].in = c->to_relay;
	writer_init(&w, buf, sizeof(buf));
	media_wire_add(&w, i, f, 2);
	ask(&w, buf);
}

/* The flows go first: a kernel's would stay for a while. */
static void stop(pid_t pid)
{
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	media_wire_flush(&w, UINT32_MAX);
	ask(&w, buf);
	(void)close(channel);
	(void)close(monitor);
	(void)waitpid(pid, NULL, 0);
	if (keeper && keeper_remove(keeper) != 0)
		die("the rules of the queue stay");
	keeper = keeper_free(keeper);
}

const struct subject subject_ours = {
	.name = "sallyport",
	.start = start,
	.call_add = call_add,
	.stop = stop,
};

const struct subject subject_queue = {
	.name = "sallyport queue",
	.start = start_queue,
	.call_add = call_add,
	.stop = stop,
};

const struct subject subject_kernel = {
	.name = "sallyport nf_srtp",
	.start = start_kernel,
	.call_add = call_add,
	.stop = stop,
};
