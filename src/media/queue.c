#include "media/queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "media/datagram.h"
#include "media/socket_int.h"

enum {
	COPY_RANGE = PATH_PACKET_MAX + 128, /* and its headers */
	MESSAGE_MAX = COPY_RANGE + 512,	    /* and what is said about it */
	QUEUE_PACKETS = 4096, /* that may wait; a second of 80 streams */
	RECEIVE_BYTES = 4 << 20,
	VERDICT_BYTES = 64, /* a message with one verdict */
	ROUNDS_AT_END = 64
};

/* A packet of the present round: its number, and what becomes of it. */
struct verdict {
	uint32_t id;
	uint32_t what; /* NF_ACCEPT, NF_DROP */
};

struct queue_thread {
	struct relay *relay;
	struct mnl_socket *netlink;
	uint16_t number; /* of the queue */
	uint32_t seq;	 /* of our requests */
	int wake;	 /* eventfd: the end */
	pthread_t thread;
	bool has_thread;
	struct job job; /* the packet at hand */
	uint32_t verdicts;
	struct verdict verdict[ROUND_MAX];
	struct mmsghdr msg[ROUND_MAX];
	struct iovec iov[ROUND_MAX];
	uint8_t in[ROUND_MAX][MESSAGE_MAX];
	uint8_t out[ROUND_MAX * VERDICT_BYTES];
};

struct queue {
	uint32_t threads;
	struct queue_thread *thread;
};

/* --- asking the kernel ------------------------------------------------------ */

static struct nlmsghdr *begin(struct queue_thread *t, void *buf, uint16_t type)
{
	struct nlmsghdr *h = nfq_nlmsg_put(buf, type, t->number);

	h->nlmsg_seq = ++t->seq;
	return h;
}

/* Send h, which asks for an acknowledgement, and wait for it: 0 or errno. A
 * packet that comes in between has the verdict of the next one's run. */
static int ask(struct queue_thread *t, struct nlmsghdr *h)
{
	unsigned portid = mnl_socket_get_portid(t->netlink);
	int n;

	h->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(t->netlink, h, h->nlmsg_len) < 0)
		return errno;
	do {
		n = (int)mnl_socket_recvfrom(t->netlink, t->in[0], MESSAGE_MAX);
		if (n < 0 && errno != ENOBUFS)
			return errno;
		if (n > 0 &&
		    ((struct nlmsghdr *)(void *)t->in[0])->nlmsg_type !=
			    NLMSG_ERROR)
			n = -1;
	} while (n < 0);
	return mnl_cb_run(t->in[0], (size_t)n, t->seq, portid, NULL, NULL) < 0
		       ? errno
		       : 0;
}

static int command(struct queue_thread *t, uint8_t cmd)
{
	uint8_t buf[256];
	struct nlmsghdr *h = begin(t, buf, NFQNL_MSG_CONFIG);

	nfq_nlmsg_cfg_put_cmd(h, AF_UNSPEC, cmd);
	return ask(t, h);
}

/* The kernel says EPERM to who may not ask at all, and to who wants another's
 * queue: a command without an effect tells them apart. */
static int bind_queue(struct queue_thread *t)
{
	int error = command(t, NFQNL_CFG_CMD_PF_UNBIND);

	if (error)
		return error;
	error = command(t, NFQNL_CFG_CMD_BIND);
	return error == EPERM ? EBUSY : error;
}

/* The whole packet, as it is: what still lacks a checksum or is a train of
 * datagrams is said to be so. A full queue lets nothing pass (fail-open is
 * off). */
static int configure(struct queue_thread *t)
{
	uint8_t buf[256];
	struct nlmsghdr *h = begin(t, buf, NFQNL_MSG_CONFIG);

	nfq_nlmsg_cfg_put_params(h, NFQNL_COPY_PACKET, COPY_RANGE);
	nfq_nlmsg_cfg_put_qmaxlen(h, QUEUE_PACKETS);
	mnl_attr_put_u32(h, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(h, NFQA_CFG_MASK,
			 htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
	return ask(t, h);
}

/* --- packets ------------------------------------------------------------------ */

/* Is it one of a flow? Then it is done with. */
static bool relay_packet(struct queue_thread *t, struct slice packet,
			 bool is_sum_checked, uint64_t now, uint32_t *ret_what)
{
	struct job *j = &t->job;
	struct datagram d;
	int err = datagram_parse(packet, is_sum_checked, &d);

	*ret_what = NF_ACCEPT;
	if (err)
		return false; /* the kernel knows what to do with it */
	/* One that is too long, or is not all here, is counted as malformed. */
	j->pkt = (struct path_packet){
		.buf = j->buf,
		.len = datagram_copy(&d, j->buf, PATH_PACKET_MAX),
		.src = d.src};
	j->received = d.len;
	if (!socket_relay(t->relay, &d.dst, j, now))
		return false;
	*ret_what = NF_DROP;
	return true;
}

static void take_packet(struct queue_thread *t, const struct nlmsghdr *h,
			uint64_t now)
{
	struct nlattr *attr[NFQA_MAX + 1] = {NULL};
	struct verdict *v = &t->verdict[t->verdicts];
	uint32_t info = 0;

	if (nfq_nlmsg_parse(h, attr) < 0 || !attr[NFQA_PACKET_HDR])
		return;
	v->id = ntohl(((struct nfqnl_msg_packet_hdr *)mnl_attr_get_payload(
			       attr[NFQA_PACKET_HDR]))
			      ->packet_id);
	v->what = NF_ACCEPT;
	t->verdicts++;
	if (attr[NFQA_SKB_INFO])
		info = ntohl(mnl_attr_get_u32(attr[NFQA_SKB_INFO]));
	/* The kernel takes a train apart in front of the socket. */
	if (!attr[NFQA_PAYLOAD] || info & NFQA_SKB_GSO)
		return;
	(void)relay_packet(
		t,
		slice_make(mnl_attr_get_payload(attr[NFQA_PAYLOAD]),
			   mnl_attr_get_payload_len(attr[NFQA_PAYLOAD])),
		info & NFQA_SKB_CSUMNOTREADY ||
			!(info & NFQA_SKB_CSUM_NOTVERIFIED),
		now, &v->what);
}

/* One message speaks for a packet and all before it that have no verdict yet:
 * so one for each run of the same. */
static void send_verdicts(struct queue_thread *t)
{
	size_t len = 0;

	for (uint32_t i = 0; i < t->verdicts; i++) {
		const struct verdict *v = &t->verdict[i];
		struct nlmsghdr *h;

		if (i + 1 < t->verdicts && v[1].what == v->what)
			continue;
		h = begin(t, t->out + len, NFQNL_MSG_VERDICT_BATCH);
		nfq_nlmsg_verdict_put(h, (int)v->id, (int)v->what);
		len += (h->nlmsg_len + 3u) & ~3u;
	}
	if (len > 0)
		(void)mnl_socket_sendto(t->netlink, t->out, len);
	t->verdicts = 0;
}

/* One round of what waits; false: nothing did. */
static bool serve(struct queue_thread *t)
{
	int n = recvmmsg(mnl_socket_get_fd(t->netlink), t->msg, ROUND_MAX,
			 MSG_DONTWAIT, NULL);
	uint64_t now = socket_now_ms();

	for (int i = 0; i < n; i++) {
		const struct nlmsghdr *h = (struct nlmsghdr *)(void *)t->in[i];
		int len = (int)t->msg[i].msg_len;

		if (mnl_nlmsg_ok(h, len) &&
		    h->nlmsg_type ==
			    (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
			take_packet(t, h, now);
	}
	send_verdicts(t);
	return n > 0;
}

static void *run(void *arg)
{
	struct queue_thread *t = arg;
	struct pollfd p[2] = {
		{.fd = mnl_socket_get_fd(t->netlink), .events = POLLIN},
		{.fd = t->wake, .events = POLLIN},
	};

	while (p[1].revents == 0) {
		if (!serve(t))
			(void)poll(p, 2, -1);
		else
			(void)poll(&p[1], 1, 0);
	}
	/* What is left is no flow's any more; the sockets may want it. */
	for (int i = 0; i < ROUNDS_AT_END && serve(t); i++)
		continue;
	return NULL;
}

/* --- beginning and end --------------------------------------------------------- */

static void thread_done(struct queue_thread *t)
{
	uint64_t one = 1;

	if (t->has_thread) {
		(void)!write(t->wake, &one, sizeof(one));
		(void)pthread_join(t->thread, NULL);
	}
	if (t->wake >= 0)
		(void)close(t->wake);
	if (t->netlink)
		(void)mnl_socket_close(t->netlink);
	secret_wipe(&t->job, sizeof(t->job));
	secret_wipe(t->in, sizeof(t->in));
}

static void end_threads(struct relay *r)
{
	struct queue *q = r->queue;

	if (!q)
		return;
	for (uint32_t i = 0; i < q->threads; i++)
		thread_done(&q->thread[i]);
	alloc_free(q->thread);
	r->queue = alloc_free(q);
}

static void op_free(struct media_backend *b)
{
	end_threads((struct relay *)(void *)b);
	socket_free(b);
}

static int explain(char *reterr, uint16_t number, int error)
{
	static const struct {
		int error, err;
		const char *text;
	} rows[] = {
		{EPERM, ERR_DENIED, "CAP_NET_ADMIN is missing"},
		{EBUSY, ERR_EXISTS, "another process has it"},
		{EINVAL, ERR_UNSUPPORTED, "the kernel has no nfnetlink_queue"},
		{EPROTONOSUPPORT, ERR_UNSUPPORTED,
		 "the kernel has no netfilter"},
		{ENOMEM, ERR_NOMEM, "no memory"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].error != error)
			continue;
		(void)snprintf(reterr, MEDIA_WHY_MAX, "packet queue %u: %s",
			       number, rows[i].text);
		return rows[i].err;
	}
	(void)snprintf(reterr, MEDIA_WHY_MAX, "packet queue %u: %s", number,
		       strerror(error));
	return ERR_IO;
}

static void set_options(struct queue_thread *t)
{
	int fd = mnl_socket_get_fd(t->netlink), on = 1, size = RECEIVE_BYTES;

	/* A packet that finds no room is dropped, and that is all. */
	(void)mnl_socket_setsockopt(t->netlink, NETLINK_NO_ENOBUFS, &on,
				    sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size,
				 sizeof(size));
}

static int open_queue(struct queue_thread *t)
{
	int error;

	t->netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!t->netlink ||
	    mnl_socket_bind(t->netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		return errno;
	set_options(t);
	for (int i = 0; i < ROUND_MAX; i++) {
		t->iov[i] = (struct iovec){t->in[i], MESSAGE_MAX};
		t->msg[i].msg_hdr =
			(struct msghdr){.msg_iov = &t->iov[i], .msg_iovlen = 1};
	}
	error = bind_queue(t);
	if (!error)
		error = configure(t);
	if (!error && (t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		error = errno;
	return error;
}

static int start_thread(struct queue_thread *t)
{
	sigset_t all, old;
	int error;

	/* Signals are the main thread's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	error = pthread_create(&t->thread, NULL, run, t);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	t->has_thread = error == 0;
	return error;
}

static int start(struct relay *r, const struct media_queue_params *p,
		 char *reterr)
{
	struct queue *q = alloc_zero(sizeof(*q));
	int error = 0;

	r->queue = q;
	if (q)
		q->thread = alloc_array(r->shards, sizeof(*q->thread));
	if (!q || !q->thread)
		return explain(reterr, p->first, ENOMEM);
	while (!error && q->threads < r->shards) {
		struct queue_thread *t = &q->thread[q->threads];

		t->relay = r;
		t->wake = -1;
		t->number = (uint16_t)(p->first + q->threads++);
		error = open_queue(t);
		if (!error)
			error = start_thread(t);
		if (error)
			return explain(reterr, t->number, error);
	}
	return 0;
}

static void op_features(struct media_backend *b, struct media_features *ret)
{
	(void)b;
	*ret = (struct media_features){
		.name = "queue",
		.backend = FLOW_BACKEND_QUEUE,
		.suites = (1u << SUITE_COUNT) - 1,
	};
}

static const struct media_backend_ops ops = {
	.features = op_features,
	.add = socket_add,
	.revive = socket_revive,
	.update = socket_update,
	.join = socket_join,
	.part = socket_part,
	.remove = socket_remove,
	.take = socket_take,
	.give = socket_give,
	.query = socket_query,
	.flush = socket_flush,
	.sweep = socket_sweep,
	.event_fd = socket_event_fd,
	.next_event = socket_next_event,
	.free = op_free,
};

int media_queue_new(const struct media_queue_params *p,
		    struct media_backend **ret, char reterr[MEDIA_WHY_MAX])
{
	struct media_socket_params sp = p->socket;
	struct media_backend *b;
	int err;

	if (sp.threads > MEDIA_QUEUES_MAX)
		sp.threads = MEDIA_QUEUES_MAX;
	err = media_socket_new(&sp, &b);
	if (err) {
		(void)snprintf(reterr, MEDIA_WHY_MAX, "%s", err_str(err));
		return err;
	}
	err = start((struct relay *)(void *)b, p, reterr);
	b->ops = &ops;
	if (err) {
		op_free(b);
		return err;
	}
	*ret = b;
	return 0;
}
