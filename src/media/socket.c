#include "media/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/handle.h"
#include "base/secret.h"
#include "base/table.h"
#include "media/path.h"

enum {
	ROUND_MAX = 64,	   /* sockets served under one lock */
	SWEEP_MS = 250,	   /* how often idle flows are looked for */
	RCVBUF = 65536,	   /* a second or two of one stream */
	OUTBOX_MAX = 1024, /* events not yet taken */
	MAX_FLOWS = 20000,
	CACHE_LINE = 64
};

#define WAKE_DATA UINT64_MAX

/* Where packets leave to, in the system's form, made anew when the path's
 * epoch moves. */
struct target {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	socklen_t len; /* 0 = nowhere */
};

/* What each packet needs comes first: two cache lines. */
struct relay_flow {
	struct path *path;
	struct relay_flow *peer; /* NULL = not (or no longer) there */
	int fd[2];		 /* RTP, RTCP; -1 = closed */
	struct target to[2];	 /* this flow's remote party */
	uint32_t epoch;		 /* of the path when to[] was made */
	struct handle handle;	 /* in shard->slots */
	uint64_t key[2];	 /* owner, id */
	struct table_node node;	 /* in shard->by_key */
};

/* A packet of the present round. */
struct job {
	struct relay_flow *flow; /* arrived here; NULL = nothing to send */
	struct path_packet pkt;
	size_t received; /* bytes, as it arrived */
	uint8_t buf[PATH_BUF_MAX];
};

struct shard {
	pthread_mutex_t lock; /* everything below */
	pthread_t thread;
	struct relay *relay;
	struct table by_key;
	struct slots slots;
	uint64_t next_sweep_ms;
	struct job job[ROUND_MAX];
	atomic_uint waiters; /* commands that want the lock */
	int epoll;
	int wake; /* eventfd: leave epoll_wait and look at is_stopping */
	atomic_bool is_stopping;
	bool has_thread;
};

struct relay {
	struct media_backend base;
	struct media_socket_params params;
	struct shard *shard; /* params.threads of them */
	uint32_t shards;
	atomic_uint flows;
	pthread_mutex_t out_lock; /* outbox */
	struct media_event outbox[OUTBOX_MAX];
	uint32_t out_head, out_count;
	int out_fd; /* eventfd, readable while the outbox is not empty */
};

static struct relay *relay_of(struct media_backend *b)
{
	return (struct relay *)(void *)b;
}

static uint64_t now_ms(void)
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

static bool emit(struct relay *r, enum media_event_kind kind,
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

static int op_event_fd(struct media_backend *b)
{
	return relay_of(b)->out_fd;
}

static bool op_next_event(struct media_backend *b, struct media_event *ret)
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

/* --- sockets ------------------------------------------------------------ */

static void set_options(int fd, sa_family_t family, uint8_t dscp)
{
	int size = RCVBUF, tos = dscp << 2, one = 1;
	int df4 = IP_PMTUDISC_DO, df6 = IPV6_PMTUDISC_DO;

	/* None of these is worth refusing a call for. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* Media is never fragmented; without fragments the kernel need not
	 * draw an IP identification for each packet. */
	if (family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
				 sizeof(one));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &df6,
				 sizeof(df6));
	} else {
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &df4,
				 sizeof(df4));
	}
	if (dscp == 0)
		return;
	if (family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	else
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos,
				 sizeof(tos));
}

static int open_udp(const struct addr *a, uint8_t dscp)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);

	if (fd < 0)
		return -1;
	set_options(fd, ss.ss_family, dscp);
	if (bind(fd, (struct sockaddr *)&ss, len) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int watch(struct shard *s, int fd, uint64_t data)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = data};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : ERR_IO;
}

/* --- packets ------------------------------------------------------------ */

static void refresh_target(struct relay_flow *f)
{
	uint32_t epoch = path_epoch(f->path);
	struct sockaddr_storage ss;

	if (f->epoch == epoch)
		return;
	f->epoch = epoch;
	for (int i = 0; i < 2; i++) {
		f->to[i].len =
			addr_to_sockaddr(path_dest(f->path, i == 1), &ss);
		memcpy(&f->to[i].u, &ss, sizeof(f->to[i].u));
	}
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
	bool is_rtcp = j->pkt.is_rtcp;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n;

	j->flow = NULL;
	path_prefetch(f->path);
	n = syscall(SYS_recvfrom, f->fd[is_rtcp], j->buf, sizeof(j->buf),
		    MSG_TRUNC, &from, &from_len);
	if (n < 0) {
		if (errno == EBADF || errno == ENOTSOCK)
			(void)emit(s->relay, MEDIA_EVENT_FAILED, f);
		return;
	}
	if (addr_from_sockaddr(&from, &j->pkt.src))
		return;
	j->pkt.buf = j->buf;
	j->pkt.len = j->received = (size_t)n;
	j->flow = f;
	path_prefetch_keys(f->path);
	if (f->peer)
		prefetch_flow(f->peer);
}

static void judge(struct shard *s, struct job *j, uint64_t now)
{
	struct relay_flow *f = j->flow;

	if (!f)
		return;
	if (path_receive(f->path, &j->pkt, now))
		j->flow = NULL;
	refresh_target(f);
	if (path_take_latched(f->path))
		(void)emit(s->relay, MEDIA_EVENT_LATCHED, f);
}

static void forward(const struct job *j)
{
	const struct path_packet *pkt = &j->pkt;
	const struct target *to;
	struct relay_flow *peer;
	ssize_t n = -1;

	if (!j->flow)
		return;
	peer = j->flow->peer;
	if (peer) {
		to = &peer->to[pkt->is_rtcp];
		if (to->len > 0)
			n = syscall(SYS_sendto, peer->fd[pkt->is_rtcp],
				    pkt->buf, pkt->len, MSG_NOSIGNAL, &to->u.sa,
				    to->len);
	}
	path_sent(j->flow->path, pkt->is_rtcp, j->received, n < 0 ? ERR_IO : 0);
}

static void sweep(struct shard *s, uint64_t now)
{
	uint32_t i = 0;
	struct relay_flow *f;

	if (now < s->next_sweep_ms)
		return;
	s->next_sweep_ms = now + SWEEP_MS;
	while ((f = slots_next(&s->slots, &i))) {
		if (path_take_idle(f->path, now))
			(void)emit(s->relay, MEDIA_EVENT_IDLE, f);
	}
}

/* A handle and which of its two sockets, as epoll's 64 bits. */
static uint64_t watch_data(struct handle h, bool is_rtcp)
{
	return (uint64_t)h.gen << 32 | h.index << 1 | is_rtcp;
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
		struct handle h = {(uint32_t)data >> 1, (uint32_t)(data >> 32)};
		struct job *j = &s->job[jobs];

		/* Gone when it was removed since epoll_wait returned. */
		j->flow = data == WAKE_DATA ? NULL : slots_find(&s->slots, h);
		if (!j->flow)
			continue;
		prefetch_flow(j->flow);
		j->pkt.is_rtcp = data & 1;
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
		uint64_t now = now_ms();

		(void)pthread_mutex_lock(&s->lock);
		serve(s, ev, n, now);
		sweep(s, now);
		(void)pthread_mutex_unlock(&s->lock);
		/* A mutex is not fair: let a waiting command in. */
		while (atomic_load(&s->waiters) > 0)
			(void)sched_yield();
	}
	return NULL;
}

/* --- commands ----------------------------------------------------------- */

static void enter(struct shard *s)
{
	(void)atomic_fetch_add(&s->waiters, 1);
	(void)pthread_mutex_lock(&s->lock);
	(void)atomic_fetch_sub(&s->waiters, 1);
}

static void leave(struct shard *s)
{
	(void)pthread_mutex_unlock(&s->lock);
}

/* Both flows of a pair must meet in one shard: owner and the smaller id
 * decide, which both know. */
static struct shard *shard_for(struct relay *r, uint64_t owner, uint64_t id,
			       uint64_t peer_id)
{
	uint64_t x = owner * 31 + (id < peer_id ? id : peer_id);

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	return &r->shard[(x ^ x >> 27) % r->shards];
}

static struct relay_flow *find_in(struct shard *s, uint64_t owner, uint64_t id)
{
	uint64_t key[2] = {owner, id};

	return TABLE_ENTRY(table_find(&s->by_key, slice_make(key, sizeof(key))),
			   struct relay_flow, node);
}

/* Find a flow by id alone, and enter its shard; NULL: entered none. */
static struct relay_flow *find_enter(struct relay *r, uint64_t owner,
				     uint64_t id, struct shard **ret)
{
	for (uint32_t i = 0; i < r->shards; i++) {
		struct shard *s = &r->shard[i];
		struct relay_flow *f;

		enter(s);
		f = find_in(s, owner, id);
		if (f) {
			*ret = s;
			return f;
		}
		leave(s);
	}
	return NULL;
}

static void destroy(struct shard *s, struct relay_flow *f)
{
	if (f->peer)
		f->peer->peer = NULL;
	table_del(&s->by_key, &f->node);
	slots_del(&s->slots, f->handle);
	for (int i = 0; i < 2; i++) {
		if (f->fd[i] >= 0)
			(void)close(f->fd[i]);
	}
	path_free(f->path);
	alloc_free(f);
	(void)atomic_fetch_sub(&s->relay->flows, 1);
}

static int open_sockets(struct shard *s, struct relay_flow *f,
			const struct addr *local)
{
	uint8_t dscp = s->relay->params.dscp;

	for (int i = 0; i < 2; i++) {
		struct addr a =
			addr_with_port(local, (uint16_t)(local->port + i));

		f->fd[i] = open_udp(&a, dscp);
		if (f->fd[i] < 0 ||
		    watch(s, f->fd[i], watch_data(f->handle, i == 1)))
			return ERR_IO;
	}
	return 0;
}

static int check_flow(const struct flow *f)
{
	if (f->id == 0 || f->local.family == ADDR_NONE || f->local.port == 0 ||
	    (f->local.port & 1))
		return ERR_BAD;
	return 0;
}

static int create(struct shard *s, uint64_t owner, const struct flow *conf)
{
	struct relay_flow *f, *peer;
	int err = check_flow(conf);

	if (!err && find_in(s, owner, conf->id))
		err = ERR_EXISTS;
	if (err)
		return err;
	if (atomic_fetch_add(&s->relay->flows, 1) >=
	    s->relay->params.max_flows) {
		(void)atomic_fetch_sub(&s->relay->flows, 1);
		return ERR_LIMIT;
	}
	f = alloc_zero(sizeof(*f));
	if (!f) {
		(void)atomic_fetch_sub(&s->relay->flows, 1);
		return ERR_NOMEM;
	}
	f->fd[0] = f->fd[1] = -1;
	f->key[0] = owner;
	f->key[1] = conf->id;
	f->path = path_new(conf, now_ms());
	err = f->path ? slots_add(&s->slots, f, &f->handle) : ERR_NOMEM;
	if (!err)
		err = table_add(&s->by_key, &f->node,
				slice_make(f->key, sizeof(f->key)));
	if (!err)
		err = open_sockets(s, f, &conf->local);
	if (err) {
		destroy(s, f);
		return err;
	}
	refresh_target(f);
	peer = find_in(s, owner, conf->peer_id);
	if (peer && peer != f) {
		f->peer = peer;
		peer->peer = f;
	}
	return 0;
}

static int op_add(struct media_backend *b, uint64_t owner, const struct flow *f,
		  uint32_t n)
{
	struct relay *r = relay_of(b);
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < n; i++) {
		struct shard *s = shard_for(r, owner, f[i].id, f[i].peer_id);

		enter(s);
		err = create(s, owner, &f[i]);
		leave(s);
	}
	/* All or none: the last one failed, those before it go. */
	while (err && i-- > 1) {
		struct shard *s =
			shard_for(r, owner, f[i - 1].id, f[i - 1].peer_id);

		enter(s);
		destroy(s, find_in(s, owner, f[i - 1].id));
		leave(s);
	}
	return err;
}

static int op_update(struct media_backend *b, uint64_t owner,
		     const struct flow *conf)
{
	struct shard *s;
	struct relay_flow *f = find_enter(relay_of(b), owner, conf->id, &s);
	int err;

	if (!f)
		return ERR_NOTFOUND;
	if (addr_eq(&conf->local, &path_flow(f->path)->local) &&
	    conf->peer_id == path_flow(f->path)->peer_id)
		err = path_update(f->path, conf, now_ms());
	else
		err = ERR_UNSUPPORTED;
	refresh_target(f);
	leave(s);
	return err;
}

static int op_remove(struct media_backend *b, uint64_t owner, uint64_t id,
		     struct flow_stats *ret_last)
{
	struct shard *s;
	struct relay_flow *f = find_enter(relay_of(b), owner, id, &s);

	if (!f)
		return ERR_NOTFOUND;
	if (ret_last)
		path_stats(f->path, ret_last);
	destroy(s, f);
	leave(s);
	return 0;
}

static int op_query(struct media_backend *b, uint64_t owner, uint64_t id,
		    struct flow_stats *ret)
{
	struct shard *s;
	struct relay_flow *f = find_enter(relay_of(b), owner, id, &s);

	if (!f)
		return ERR_NOTFOUND;
	path_stats(f->path, ret);
	leave(s);
	return 0;
}

static void flush_shard(struct shard *s, bool all, uint64_t owner)
{
	uint32_t i = 0;
	struct relay_flow *f;

	enter(s);
	while ((f = slots_next(&s->slots, &i))) {
		if (all || f->key[0] == owner)
			destroy(s, f);
	}
	leave(s);
}

static void op_flush(struct media_backend *b, uint64_t owner)
{
	struct relay *r = relay_of(b);

	for (uint32_t i = 0; i < r->shards; i++)
		flush_shard(&r->shard[i], false, owner);
}

static void op_features(struct media_backend *b, struct media_features *ret)
{
	(void)b;
	*ret = (struct media_features){
		.name = "socket",
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
	flush_shard(s, true, 0);
	table_done(&s->by_key);
	slots_done(&s->slots);
	if (s->epoll >= 0)
		(void)close(s->epoll);
	if (s->wake >= 0)
		(void)close(s->wake);
	secret_wipe(s->job, sizeof(s->job));
	(void)pthread_mutex_destroy(&s->lock);
}

static void op_free(struct media_backend *b)
{
	struct relay *r = relay_of(b);

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
	slots_init(&s->slots, r->params.max_flows);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll < 0 || s->wake < 0 || watch(s, s->wake, WAKE_DATA))
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
	.add = op_add,
	.update = op_update,
	.remove = op_remove,
	.query = op_query,
	.flush = op_flush,
	.event_fd = op_event_fd,
	.next_event = op_next_event,
	.free = op_free,
};

int media_socket_new(const struct media_socket_params *p,
		     struct media_backend **ret)
{
	struct relay *r = alloc_zero(sizeof(*r));
	uint32_t threads = p->threads == 0 ? 1 : p->threads;
	int err = 0;

	if (!r)
		return ERR_NOMEM;
	r->base.ops = &ops;
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
		op_free(&r->base);
		return err;
	}
	*ret = &r->base;
	return 0;
}
