/*
 * The commands of the socket backend: flows come, change, are joined and go.
 */
#include "media/socket_int.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "media/udp.h"

static struct relay *relay_of(struct media_backend *b)
{
	return (struct relay *)(void *)b;
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
			   struct relay_flow, by_key);
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

static struct relay_flow *find_local(struct shard *s, const struct addr *local)
{
	uint8_t key[ADDR_KEY_LEN];

	addr_key(local, key);
	return TABLE_ENTRY(
		table_find(&s->by_addr, slice_make(key, sizeof(key))),
		struct relay_flow, by_addr);
}

struct relay_flow *socket_find_enter(struct relay *r, const struct addr *local,
				     struct shard **ret)
{
	uint32_t first = atomic_load(&r->shard_of[local->port]);

	for (uint32_t i = 0; i < r->shards; i++) {
		struct shard *s = &r->shard[(first + i) % r->shards];
		struct relay_flow *f;

		enter(s);
		f = find_local(s, local);
		if (f) {
			*ret = s;
			return f;
		}
		leave(s);
	}
	return NULL;
}

void socket_leave(struct shard *s)
{
	leave(s);
}

/* Let it be found by handle, by number, and by address. */
static int index_flow(struct shard *s, struct relay_flow *f)
{
	int err = slots_add(&s->slots, f, &f->handle);

	if (!err)
		err = table_add(&s->by_key, &f->by_key,
				slice_make(f->key, sizeof(f->key)));
	if (!err)
		err = table_add(&s->by_addr, &f->by_addr,
				slice_make(f->local, sizeof(f->local)));
	atomic_store(&s->relay->shard_of[path_flow(f->path)->local.port],
		     (unsigned char)(s - s->relay->shard));
	return err;
}

static void unindex(struct shard *s, struct relay_flow *f)
{
	table_del(&s->by_key, &f->by_key);
	table_del(&s->by_addr, &f->by_addr);
	slots_del(&s->slots, f->handle);
}

static void set_peers(struct relay_flow *a, struct relay_flow *b)
{
	a->peer = a->exit = b;
	b->peer = b->exit = a;
}

/* What enters f's peer leaves through far's: the paths know, the sockets
 * follow. far NULL: through f again. */
static void lead_out(struct relay_flow *f, struct relay_flow *far)
{
	f->far = far;
	if (!f->peer)
		return;
	path_join(f->peer->path, far ? far->path : NULL);
	f->peer->exit = far ? far->peer : f;
}

/* After a change of f: does what passes unopened still pass so? */
static void join_again(struct relay_flow *f)
{
	struct relay_flow *far = f->far;

	if (!far && f->peer && !f->peer->exit)
		f->peer->exit = f; /* see lose() */
	if (!far && f->peer)
		far = f->peer->far ? f->peer : NULL;
	if (!far || !far->far)
		return;
	lead_out(far, far->far);
	lead_out(far->far, far);
}

static void part(struct relay_flow *f)
{
	struct relay_flow *far = f->far;

	if (!far)
		return;
	lead_out(f, NULL);
	lead_out(far, NULL);
}

/* Where f leads nobody is any more: what was on its way there must not be
 * opened and sent into the dark. Until f is updated it leads nowhere. */
static void lose(struct relay_flow *f)
{
	struct relay_flow *far = f->far;

	part(f);
	if (far && far->peer)
		far->peer->exit = NULL;
}

static void destroy(struct shard *s, struct relay_flow *f)
{
	lose(f);
	if (f->peer) {
		lose(f->peer);
		f->peer->peer = f->peer->exit = NULL;
	}
	unindex(s, f);
	socket_near_drop(s->relay, f);
	for (int i = 0; i < 2; i++) {
		if (f->fd[i] >= 0)
			(void)close(f->fd[i]);
	}
	path_free(f->path);
	/* At the end of the process only the process ends. */
	if (f->record && !s->relay->is_ending)
		journal_drop(s->relay->params.journal, f->record);
	alloc_free(f);
	(void)atomic_fetch_sub(&s->relay->flows, 1);
}

/* RTP's socket (i 0), or RTCP's. */
static int open_one(const struct shard *s, const struct flow *conf, int i)
{
	const struct addr *to =
		conf->group.family == ADDR_NONE ? &conf->local : &conf->group;
	struct addr a = addr_with_port(to, (uint16_t)(to->port + i));
	uint8_t dscp = s->relay->params.dscp;

	return conf->group.family == ADDR_NONE
		       ? media_udp_open(&a, dscp)
		       : media_udp_open_group(&a, &conf->local, dscp);
}

static int watch(struct shard *s, const struct relay_flow *f, int i)
{
	return socket_watch(s, f->fd[i],
			    media_udp_data(f->handle, i == 1 ? MEDIA_UDP_RTCP
							     : MEDIA_UDP_RTP));
}

static int open_sockets(struct shard *s, struct relay_flow *f,
			const struct flow *conf, const struct media_state *had)
{
	for (int i = 0; i < 2; i++) {
		f->fd[i] = had && had->fd[i] >= 0 ? had->fd[i]
						  : open_one(s, conf, i);
		if (f->fd[i] < 0 || watch(s, f, i))
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

static bool has_keys(const struct flow *f)
{
	return f->in.suite != SUITE_NONE || f->out.suite != SUITE_NONE;
}

/* Have the flow's steps noted; an old one goes on where its record says, and
 * without one not at all, unless it has no keys. */
static int note(struct shard *s, struct relay_flow *f, const struct flow *conf,
		bool is_old)
{
	struct journal *j = s->relay->params.journal;

	f->record = j ? journal_find(j, f->key[0], f->key[1]) : NULL;
	if (is_old && !f->record && has_keys(conf))
		return ERR_STATE;
	if (f->record && is_old)
		return path_journal(f->path, conf, f->record, true);
	if (f->record)
		journal_drop(j, f->record);
	f->record = j ? journal_take(j, f->key[0], f->key[1]) : NULL;
	return f->record ? path_journal(f->path, conf, f->record, false) : 0;
}

/* What came with the flow is its giver's again. */
static void give_back(struct shard *s, struct relay_flow *f,
		      const struct media_state *had)
{
	for (int i = 0; i < 2; i++) {
		if (f->fd[i] < 0 || f->fd[i] != had->fd[i])
			continue;
		(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, f->fd[i], NULL);
		f->fd[i] = -1;
	}
}

static void undo(struct shard *s, struct relay_flow *f,
		 const struct media_state *had)
{
	if (had)
		give_back(s, f, had);
	destroy(s, f);
}

/* Where a flow comes from; all zero: it is new. */
struct origin {
	bool is_old; /* it was there in a process that is gone */
	const struct media_state *state; /* n: another backend had them */
};

/* had: the flow's own state, or NULL. */
static int create(struct shard *s, uint64_t owner, const struct flow *conf,
		  bool is_old, const struct media_state *had)
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
	f->fd[0] = f->fd[1] = f->connected = -1;
	f->key[0] = owner;
	f->key[1] = conf->id;
	addr_key(&conf->local, f->local);
	f->path = path_new(conf, socket_now_ms());
	err = f->path ? 0 : ERR_NOMEM;
	if (!err && had)
		err = path_begin(f->path, had);
	if (!err)
		err = note(s, f, conf, is_old);
	if (!err)
		err = index_flow(s, f);
	if (!err)
		err = open_sockets(s, f, conf, had);
	if (err) {
		undo(s, f, had);
		return err;
	}
	socket_refresh_target(s->relay, f);
	peer = find_in(s, owner, conf->peer_id);
	/* Both say so, or neither has one. */
	if (peer && peer != f && !peer->peer &&
	    path_flow(peer->path)->peer_id == conf->id)
		set_peers(f, peer);
	return 0;
}

/* Be in shard want (NULL: none) instead of in held; which may be the same. */
static struct shard *go(struct shard *held, struct shard *want)
{
	if (held == want)
		return want;
	if (held)
		leave(held);
	if (want)
		enter(want);
	return want;
}

/* The two flows of a stream share a shard, which no packet sees in between. */
static int add_flows(struct media_backend *b, uint64_t owner,
		     const struct flow *f, uint32_t n,
		     const struct origin *from)
{
	struct relay *r = relay_of(b);
	struct shard *s = NULL;
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < n; i++) {
		s = go(s, shard_for(r, owner, f[i].id, f[i].peer_id));
		err = create(s, owner, &f[i], from->is_old,
			     from->state ? &from->state[i] : NULL);
	}
	/* All or none: the last one failed, those before it go. */
	while (err && i-- > 1) {
		s = go(s, shard_for(r, owner, f[i - 1].id, f[i - 1].peer_id));
		undo(s, find_in(s, owner, f[i - 1].id),
		     from->state ? &from->state[i - 1] : NULL);
	}
	(void)go(s, NULL);
	return err;
}

int socket_add(struct media_backend *b, uint64_t owner, const struct flow *f,
	       uint32_t n)
{
	const struct origin new = {.is_old = false};

	return add_flows(b, owner, f, n, &new);
}

int socket_revive(struct media_backend *b, uint64_t owner, const struct flow *f,
		  uint32_t n)
{
	const struct origin old = {.is_old = true};

	return add_flows(b, owner, f, n, &old);
}

int socket_give(struct media_backend *b, uint64_t owner, const struct flow *f,
		const struct media_state *s, uint32_t n)
{
	const struct origin other = {.state = s};

	return add_flows(b, owner, f, n, &other);
}

int socket_update(struct media_backend *b, uint64_t owner,
		  const struct flow *conf)
{
	struct shard *s;
	struct relay_flow *f = find_enter(relay_of(b), owner, conf->id, &s);
	int err;

	if (!f)
		return ERR_NOTFOUND;
	if (addr_eq(&conf->local, &path_flow(f->path)->local) &&
	    addr_eq(&conf->group, &path_flow(f->path)->group) &&
	    conf->peer_id == path_flow(f->path)->peer_id)
		err = path_update(f->path, conf, socket_now_ms());
	else
		err = ERR_UNSUPPORTED;
	socket_refresh_target(s->relay, f);
	join_again(f);
	leave(s);
	return err;
}

static void unlink_flow(struct shard *s, struct relay_flow *f)
{
	for (int i = 0; i < 2; i++)
		(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, f->fd[i], NULL);
	unindex(s, f);
}

static int link_flow(struct shard *s, struct relay_flow *f)
{
	int err = index_flow(s, f);

	for (int i = 0; !err && i < 2; i++)
		err = watch(s, f, i);
	if (err)
		unlink_flow(s, f);
	return err;
}

/* Both are locked. Without memory for it f stays where it was, and if even
 * that fails it is lost: its owner learns so. */
static int rehome(struct shard *from, struct shard *to, struct relay_flow *f)
{
	int err;

	socket_near_leave(from, f);
	unlink_flow(from, f);
	err = link_flow(to, f);
	if (err && link_flow(from, f))
		(void)socket_emit(from->relay, MEDIA_EVENT_FAILED, f);
	return err;
}

/* Joined flows meet in one shard: one lock, one thread. */
static int bring(struct shard *from, struct shard *to, struct relay_flow *f)
{
	int err;

	if (from == to)
		return 0;
	err = rehome(from, to, f);
	if (!err)
		err = rehome(from, to, f->peer);
	/* A pair is never torn apart. */
	if (err && find_in(to, f->key[0], f->key[1]))
		(void)rehome(to, from, f);
	return err;
}

static struct shard *shard_of(struct relay *r, const uint64_t key[2],
			      struct relay_flow **ret)
{
	struct shard *s = NULL;

	*ret = find_enter(r, key[0], key[1], &s);
	if (*ret)
		leave(s);
	return s;
}

/* Only commands move or remove flows, and they come from one thread: what was
 * found stays there between the locks. */
int socket_join(struct media_backend *b, const uint64_t flow[2],
		const uint64_t far[2])
{
	struct relay_flow *f, *g;
	struct shard *sf = shard_of(relay_of(b), flow, &f);
	struct shard *sg = shard_of(relay_of(b), far, &g);
	int err;

	if (!f || !g || !f->peer || !g->peer || f == g || f->peer == g)
		return ERR_NOTFOUND;
	if (f->far == g)
		return 0;
	enter(sf < sg ? sf : sg);
	if (sf != sg)
		enter(sf < sg ? sg : sf);
	part(f);
	part(g);
	err = bring(sg, sf, g);
	if (!err) {
		lead_out(f, g);
		lead_out(g, f);
	}
	leave(sf);
	if (sf != sg)
		leave(sg);
	return err;
}

void socket_part(struct media_backend *b, const uint64_t flow[2])
{
	struct shard *s;
	struct relay_flow *f = find_enter(relay_of(b), flow[0], flow[1], &s);

	if (!f)
		return;
	part(f);
	leave(s);
}

int socket_remove(struct media_backend *b, uint64_t owner, uint64_t id,
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

/* What is on its way to f still gets there, by its sockets. */
static void take_away(struct shard *s, struct relay_flow *f,
		      struct media_state *ret)
{
	path_state(f->path, ret);
	/* What was told, not what is owed. */
	if (f->owed & (1u << MEDIA_EVENT_IDLE | 1u << MEDIA_EVENT_ACTIVE))
		ret->is_idle = f->owed & 1u << MEDIA_EVENT_ACTIVE;
	memcpy(ret->fd, f->fd, sizeof(ret->fd));
	part(f);
	if (f->peer)
		part(f->peer);
	give_back(s, f, ret);
	destroy(s, f);
}

int socket_take(struct media_backend *b, uint64_t owner, const uint64_t *id,
		uint32_t n, struct media_state *ret)
{
	struct shard *s;
	struct relay_flow *f = find_enter(relay_of(b), owner, id[0], &s);
	int err = f ? 0 : ERR_NOTFOUND;

	for (uint32_t i = 1; !err && i < n; i++)
		err = find_in(s, owner, id[i]) ? 0 : ERR_NOTFOUND;
	/* While both flows of a pair are there. */
	for (uint32_t i = 0; !err && i < n; i++)
		socket_near_leave(s, find_in(s, owner, id[i]));
	for (uint32_t i = 0; !err && i < n; i++) {
		struct relay_flow *g = find_in(s, owner, id[i]);

		if (g)
			take_away(s, g, &ret[i]);
	}
	if (f)
		leave(s);
	return err;
}

int socket_query(struct media_backend *b, uint64_t owner, uint64_t id,
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

void socket_flush_shard(struct shard *s, bool all, uint64_t owner)
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

void socket_flush(struct media_backend *b, uint64_t owner)
{
	struct relay *r = relay_of(b);

	for (uint32_t i = 0; i < r->shards; i++)
		socket_flush_shard(&r->shard[i], false, owner);
}

void socket_sweep(struct media_backend *b, uint64_t owner)
{
	(void)b;
	(void)owner;
}
