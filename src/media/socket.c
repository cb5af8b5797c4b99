#include "media/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "media/socket_int.h"
#include "media/udp.h"

enum {
	SWEEP_MS = 250, /* how often idle flows are looked for */
	MAX_FLOWS = 20000,
	CACHE_LINE = 64
};

#define WAKE_DATA UINT64_MAX

static struct relay *relay_of(struct media_backend *b)
{
	return (struct relay *)(void *)b;
}

uint64_t socket_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void poke(int fd)
{
	uint64_t one = 1;

	/* Fails only when the counter is full: then it is readable. */
	(void)!write(fd, &one, sizeof(one));
}

/* --- events ------------------------------------------------------------ */

bool socket_emit(struct relay *r, enum media_event_kind kind,
		 const struct relay_flow *f)
{
	struct media_event e = {
		.kind = kind, .owner = f->key[0], .flow = f->key[1]};
	bool fits;

	if (kind == MEDIA_EVENT_LATCHED)
		e.addr = *path_dest(f->path, false);
	(void)pthread_mutex_lock(&r->out_lock);
	fits = r->out_count < OUTBOX_MAX;
	if (fits) {
		r->outbox[(r->out_head + r->out_count) % OUTBOX_MAX] = e;
		r->out_count++;
	}
	(void)pthread_mutex_unlock(&r->out_lock);
	if (fits)
		poke(r->out_fd);
	return fits;
}

/* What finds no room waits in the flow for the next sweep. */
static void tell_owed(struct relay *r, struct relay_flow *f)
{
	for (int kind = 0; f->owed >> kind != 0; kind++) {
		if (!(f->owed & 1u << kind))
			continue;
		if (!socket_emit(r, (enum media_event_kind)kind, f))
			return;
		f->owed &= (uint8_t) ~(1u << kind);
	}
}

static void tell(struct relay *r, enum media_event_kind kind,
		 struct relay_flow *f)
{
	f->owed |= (uint8_t)(1u << kind);
	tell_owed(r, f);
}

int socket_event_fd(struct media_backend *b)
{
	return relay_of(b)->out_fd;
}

bool socket_next_event(struct media_backend *b, struct media_event *ret)
{
	struct relay *r = relay_of(b);
	uint64_t n;
	bool found;

	(void)pthread_mutex_lock(&r->out_lock);
	found = r->out_count > 0;
	if (found) {
		*ret = r->outbox[r->out_head];
		r->out_head = (r->out_head + 1) % OUTBOX_MAX;
		r->out_count--;
	} else {
		(void)!read(r->out_fd, &n, sizeof(n));
	}
	(void)pthread_mutex_unlock(&r->out_lock);
	return found;
}

int socket_watch(struct shard *s, int fd, uint64_t data)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = data};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : ERR_IO;
}

/* --- packets ------------------------------------------------------------ */

static void make_target(struct relay *r, struct relay_flow *f)
{
	struct sockaddr_storage ss = {0};
	struct target was = f->to[0];

	f->epoch = path_epoch(f->path);
	for (int i = 0; i < 2; i++) {
		f->to[i].len =
			addr_to_sockaddr(path_dest(f->path, i == 1), &ss);
		memcpy(&f->to[i].u, &ss, sizeof(f->to[i].u));
		media_udp_towards(f->fd[i], path_dest(f->path, i == 1));
	}
	if (was.len != f->to[0].len ||
	    memcmp(&was.u, &f->to[0].u, sizeof(was.u)) != 0)
		socket_near_drop(r, f);
	f->to[1].from_odd = !path_flow(f->path)->is_muxed;
}

void socket_refresh_target(struct relay *r, struct relay_flow *f)
{
	if (f->epoch != path_epoch(f->path))
		make_target(r, f);
}

static void prefetch_flow(const struct relay_flow *f)
{
	__builtin_prefetch(f);
	__builtin_prefetch((const char *)f + CACHE_LINE);
}

/* Read one packet. One per round and socket: epoll is level-triggered, so
 * what is left comes up again, and no socket starves others; normally nothing
 * is left and a second read would be wasted. */
static void receive(struct shard *s, struct job *j)
{
	struct relay_flow *f = j->flow;
	int fd = j->is_connected ? f->connected : f->fd[j->pkt.is_rtcp];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n;

	j->flow = NULL;
	/* The connected socket may have gone since epoll_wait returned. */
	if (fd < 0)
		return;
	path_prefetch(f->path);
	n = syscall(SYS_recvfrom, fd, j->buf, sizeof(j->buf), MSG_TRUNC, &from,
		    &from_len);
	if (n < 0) {
		if (errno == EBADF || errno == ENOTSOCK)
			tell(s->relay, MEDIA_EVENT_FAILED, f);
		return;
	}
	if (addr_from_sockaddr(&from, &j->pkt.src))
		return;
	j->pkt.buf = j->buf;
	j->pkt.len = j->received = (size_t)n;
	j->flow = f;
	path_prefetch_keys(f->path);
	if (f->exit)
		prefetch_flow(f->exit);
}

static void judge(struct shard *s, struct job *j, uint64_t now)
{
	struct relay_flow *f = j->flow;

	if (!f)
		return;
	if (path_receive(f->path, &j->pkt, now))
		j->flow = NULL;
	socket_refresh_target(s->relay, f);
	if (path_take_latched(f->path)) {
		tell(s->relay, MEDIA_EVENT_LATCHED, f);
		socket_near_want(s, f);
	}
}

/* A connected socket also says what the network answered to an earlier packet,
 * instead of sending this one. */
static ssize_t send_out(const struct relay_flow *f, const struct target *to,
			const struct path_packet *pkt)
{
	bool is_near = f->connected >= 0 && !pkt->is_rtcp;
	ssize_t n = -1;

	if (is_near)
		n = syscall(SYS_sendto, f->connected, pkt->buf, pkt->len,
			    MSG_NOSIGNAL, NULL, 0);
	if (n < 0)
		n = syscall(SYS_sendto, f->fd[to->from_odd], pkt->buf, pkt->len,
			    MSG_NOSIGNAL, &to->u.sa, to->len);
	return n;
}

static void forward(const struct job *j)
{
	const struct path_packet *pkt = &j->pkt;
	const struct target *to;
	struct relay_flow *exit;
	ssize_t n = -1;

	if (!j->flow)
		return;
	exit = j->flow->exit;
	if (exit) {
		to = &exit->to[pkt->is_rtcp];
		if (to->len > 0)
			n = send_out(exit, to, pkt);
	}
	path_sent(j->flow->path, pkt->is_rtcp, j->received, n < 0 ? ERR_IO : 0);
}

bool socket_relay(struct relay *r, const struct addr *local, struct job *j,
		  uint64_t now_ms)
{
	struct addr rtp = addr_with_port(local, local->port & 0xfffe);
	struct shard *s;

	j->flow = socket_find_enter(r, &rtp, &s);
	if (!j->flow)
		return false;
	j->pkt.is_rtcp = local->port & 1;
	judge(s, j, now_ms);
	forward(j);
	socket_leave(s);
	return true;
}

void socket_drain(struct shard *s, struct relay_flow *f, bool is_connected)
{
	struct job *j = &s->job[0];

	for (int i = 0; i < ROUND_MAX && f->connected >= 0; i++) {
		j->flow = f;
		j->pkt.is_rtcp = false;
		j->is_connected = is_connected;
		receive(s, j);
		if (!j->flow)
			break;
		judge(s, j, socket_now_ms());
		forward(j);
	}
}

/* At most one of the two: what came first is told first. */
static void tell_news(struct relay *r, struct relay_flow *f, uint64_t now)
{
	if (path_take_active(f->path))
		tell(r, MEDIA_EVENT_ACTIVE, f);
	else if (path_take_idle(f->path, now))
		tell(r, MEDIA_EVENT_IDLE, f);
	if (path_take_rolled(f->path))
		tell(r, MEDIA_EVENT_ROLLED, f);
}

static void sweep(struct shard *s, uint64_t now)
{
	uint32_t i = 0;
	struct relay_flow *f;

	if (now < s->next_sweep_ms)
		return;
	s->next_sweep_ms = now + SWEEP_MS;
	while ((f = slots_next(&s->slots, &i))) {
		tell_owed(s->relay, f);
		if (!f->owed)
			tell_news(s->relay, f, now);
		socket_near_sweep(s, f);
	}
}

/*
 * All packets of a round are read, then all judged, then all sent: each of the
 * three runs through a good deal of code, which then stays in the processor's
 * caches from packet to packet.
 */
static void serve(struct shard *s, const struct epoll_event *ev, int n,
		  uint64_t now)
{
	int jobs = 0;

	/* With many flows each one's memory is far away: ask for it early. */
	for (int i = 0; i < n; i++) {
		uint64_t data = ev[i].data.u64;
		enum media_udp_which which;
		struct handle h = media_udp_handle(data, &which);
		struct job *j = &s->job[jobs];

		/* Gone when it was removed since epoll_wait returned. */
		j->flow = data == WAKE_DATA ? NULL : slots_find(&s->slots, h);
		if (!j->flow)
			continue;
		prefetch_flow(j->flow);
		j->pkt.is_rtcp = which == MEDIA_UDP_RTCP;
		j->is_connected = which == MEDIA_UDP_CONNECTED;
		jobs++;
	}
	for (int i = 0; i < jobs; i++)
		receive(s, &s->job[i]);
	for (int i = 0; i < jobs; i++) {
		if (s->job[i].flow)
			path_prefetch_streams(s->job[i].flow->path);
	}
	for (int i = 0; i < jobs; i++)
		judge(s, &s->job[i], now);
	for (int i = 0; i < jobs; i++)
		forward(&s->job[i]);
}

static void *run(void *arg)
{
	struct shard *s = arg;
	struct epoll_event ev[ROUND_MAX];

	while (!atomic_load(&s->is_stopping)) {
		int n = epoll_wait(s->epoll, ev, ROUND_MAX, SWEEP_MS);
		uint64_t now = socket_now_ms();

		(void)pthread_mutex_lock(&s->lock);
		serve(s, ev, n, now);
		socket_near_serve(s);
		sweep(s, now);
		(void)pthread_mutex_unlock(&s->lock);
		/* A mutex is not fair: let a waiting command in. */
		while (atomic_load(&s->waiters) > 0)
			(void)sched_yield();
	}
	return NULL;
}

static void op_features(struct media_backend *b, struct media_features *ret)
{
	(void)b;
	*ret = (struct media_features){
		.name = "socket",
		.backend = FLOW_BACKEND_SOCKET,
		.suites = (1u << SUITE_COUNT) - 1,
	};
}

/* --- beginning and end -------------------------------------------------- */

static void shard_done(struct shard *s)
{
	if (s->has_thread) {
		atomic_store(&s->is_stopping, true);
		poke(s->wake);
		(void)pthread_join(s->thread, NULL);
	}
	socket_flush_shard(s, true, 0);
	table_done(&s->by_key);
	table_done(&s->by_addr);
	slots_done(&s->slots);
	if (s->epoll >= 0)
		(void)close(s->epoll);
	if (s->wake >= 0)
		(void)close(s->wake);
	secret_wipe(s->job, sizeof(s->job));
	(void)pthread_mutex_destroy(&s->lock);
}

void socket_free(struct media_backend *b)
{
	struct relay *r = relay_of(b);

	r->is_ending = true;
	for (uint32_t i = 0; i < r->shards; i++)
		shard_done(&r->shard[i]);
	if (r->out_fd >= 0)
		(void)close(r->out_fd);
	(void)pthread_mutex_destroy(&r->out_lock);
	alloc_free(r->shard);
	alloc_free(r);
}

static int shard_init(struct shard *s, struct relay *r)
{
	sigset_t all, old;
	int err;

	s->relay = r;
	(void)pthread_mutex_init(&s->lock, NULL);
	/* Keys of this table are our own workers' numbers: nobody outside
	 * can choose them to collide. */
	table_init(&s->by_key, r->params.max_flows, 0);
	table_init(&s->by_addr, r->params.max_flows, 0);
	slots_init(&s->slots, r->params.max_flows);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll < 0 || s->wake < 0 || socket_watch(s, s->wake, WAKE_DATA))
		return ERR_IO;
	/* Signals are the main thread's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&s->thread, NULL, run, s);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->has_thread = err == 0;
	return err == 0 ? 0 : ERR_IO;
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
	.free = socket_free,
};

static uint64_t descriptors(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) == 0 ? l.rlim_cur : 0;
}

int media_socket_new(const struct media_socket_params *p,
		     struct media_backend **ret)
{
	struct relay *r = alloc_zero(sizeof(*r));
	uint32_t threads = p->threads == 0 ? 1 : p->threads;
	int err = 0;

	if (!r)
		return ERR_NOMEM;
	r->base.ops = &ops;
	r->descriptors = p->descriptors > 0 ? p->descriptors : descriptors();
	r->params = *p;
	if (r->params.max_flows == 0)
		r->params.max_flows = MAX_FLOWS;
	if (threads > MEDIA_THREADS_MAX)
		threads = MEDIA_THREADS_MAX;
	(void)pthread_mutex_init(&r->out_lock, NULL);
	r->out_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->out_fd < 0)
		err = ERR_IO;
	r->shard = alloc_array(threads, sizeof(*r->shard));
	if (!r->shard)
		err = ERR_NOMEM;
	while (!err && r->shards < threads)
		err = shard_init(&r->shard[r->shards++], r);
	if (err) {
		socket_free(&r->base);
		return err;
	}
	*ret = &r->base;
	return 0;
}
