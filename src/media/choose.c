#include "media/choose.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "base/table.h"
#include "log/log.h"

enum { FLOWS_MAX = 200000, LOST_MAX = 64 };

struct backend {
	struct media_backend *b; /* NULL = not there */
	enum flow_backend which;
	uint32_t flows;
	bool is_leaving; /* takes no new flows */
	bool is_left;	 /* has none either */
};

/* A flow and who has it. */
struct entry {
	struct table_node node;
	uint64_t key[2];   /* owner, id */
	struct flow flow;  /* as last said, with its keys */
	struct entry *far; /* joined with; NULL = not */
	struct backend *at;
	uint32_t round; /* the last one that looked at it */
};

struct choose {
	struct media_backend base;
	struct backend backend[FLOW_BACKENDS]; /* the most wanted first */
	uint32_t count;
	struct table flows;
	int epoll;	/* of the backends' event descriptors */
	uint32_t round; /* of looking at all flows, while some move */
	/* Flows that no backend has any more; their owners are not told. */
	struct media_event lost[LOST_MAX];
	uint32_t lost_count;
};

static struct choose *choose_of(struct media_backend *b)
{
	return (struct choose *)(void *)b;
}

static struct entry *find(const struct choose *c, uint64_t owner, uint64_t id)
{
	uint64_t key[2] = {owner, id};

	return TABLE_ENTRY(table_find(&c->flows, slice_make(key, sizeof(key))),
			   struct entry, node);
}

static struct backend *place(struct choose *c, enum flow_backend which)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->backend[i].b && c->backend[i].which == which)
			return &c->backend[i];
	}
	return NULL;
}

static const struct media_backend_ops *ops_of(const struct backend *b)
{
	return b->b->ops;
}

/* --- what is known of flows ---------------------------------------------- */

static void unlink_far(struct entry *e)
{
	if (e && e->far)
		e->far = e->far->far = NULL;
}

/* An entry that goes takes its stream's joins along. */
static void forget(struct choose *c, struct entry *e)
{
	unlink_far(e);
	unlink_far(find(c, e->key[0], e->flow.peer_id));
	table_del(&c->flows, &e->node);
	e->at->flows--;
	secret_wipe(&e->flow, sizeof(e->flow));
	alloc_free(e);
}

/* All or none; ERR_EXISTS. */
static int remember(struct choose *c, uint64_t owner, const struct flow *f,
		    uint32_t n, struct backend *b)
{
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < n; i++) {
		struct entry *e = alloc_zero(sizeof(*e));

		if (!e) {
			err = ERR_NOMEM;
			continue;
		}
		e->key[0] = owner;
		e->key[1] = f[i].id;
		e->flow = f[i];
		e->at = b;
		err = table_add(&c->flows, &e->node,
				slice_make(e->key, sizeof(e->key)));
		if (err) {
			secret_wipe(&e->flow, sizeof(e->flow));
			alloc_free(e);
			continue;
		}
		b->flows++;
	}
	while (err && i-- > 1)
		forget(c, find(c, owner, f[i - 1].id));
	return err;
}

/* --- commands -------------------------------------------------------------- */

static void op_features(struct media_backend *b, struct media_features *ret)
{
	struct choose *c = choose_of(b);

	*ret = (struct media_features){.name = "none"};
	for (uint32_t i = c->count; i-- > 0;) {
		if (c->backend[i].b && !c->backend[i].is_leaving)
			ops_of(&c->backend[i])->features(c->backend[i].b, ret);
	}
}

/* May another backend do what this one refused? What is wrong with the request
 * itself is wrong everywhere. */
static bool is_worth_trying(int err)
{
	return err != ERR_EXISTS && err != ERR_BAD;
}

static int add_to(struct choose *c, struct backend *b, uint64_t owner,
		  const struct flow *f, uint32_t n, bool is_old)
{
	int err = is_old ? ops_of(b)->revive(b->b, owner, f, n)
			 : ops_of(b)->add(b->b, owner, f, n);

	if (err)
		return err;
	err = remember(c, owner, f, n, b);
	for (uint32_t i = 0; err && i < n; i++)
		(void)ops_of(b)->remove(b->b, owner, f[i].id, NULL);
	return err;
}

static int add_first(struct choose *c, uint64_t owner, const struct flow *f,
		     uint32_t n, bool is_old)
{
	int err = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (find(c, owner, f[i].id))
			return ERR_EXISTS;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		struct backend *b = &c->backend[i];

		if (!b->b || b->is_leaving)
			continue;
		err = add_to(c, b, owner, f, n, is_old);
		if (!err || !is_worth_trying(err))
			return err;
		log_debug("flow is not for this backend backend=%s owner=%lu "
			  "flow=%lu error=\"%s\"",
			  flow_backend_str(b->which), (unsigned long)owner,
			  (unsigned long)f[0].id, err_str(err));
	}
	return err ? err : ERR_STATE;
}

static int op_add(struct media_backend *b, uint64_t owner, const struct flow *f,
		  uint32_t n)
{
	return add_first(choose_of(b), owner, f, n, false);
}

/* Whoever knows how far the flows were goes on with them. */
static int op_revive(struct media_backend *b, uint64_t owner,
		     const struct flow *f, uint32_t n)
{
	return add_first(choose_of(b), owner, f, n, true);
}

/* --- moving ---------------------------------------------------------------- */

static void close_state(struct media_state *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->fd[i] >= 0)
			(void)close(s->fd[i]);
	}
}

static int take(struct backend *from, struct entry *const *e, uint32_t n,
		struct media_state *ret)
{
	uint64_t id[2];

	for (uint32_t i = 0; i < n; i++)
		id[i] = e[i]->key[1];
	return ops_of(from)->take(from->b, e[0]->key[0], id, n, ret);
}

static int give(struct backend *to, struct entry *const *e, uint32_t n,
		const struct media_state *s)
{
	struct flow f[2];
	int err;

	for (uint32_t i = 0; i < n; i++)
		f[i] = e[i]->flow;
	err = ops_of(to)->give(to->b, e[0]->key[0], f, s, n);
	for (uint32_t i = 0; i < n; i++)
		flow_wipe(&f[i]);
	return err;
}

static void settle(struct entry *const *e, uint32_t n, struct backend *from,
		   struct backend *to)
{
	for (uint32_t i = 0; i < n; i++)
		e[i]->at = to;
	from->flows -= n;
	to->flows += n;
}

static void tell_lost(struct choose *c, const struct entry *e)
{
	if (c->lost_count < LOST_MAX)
		c->lost[c->lost_count++] =
			(struct media_event){.kind = MEDIA_EVENT_FAILED,
					     .owner = e->key[0],
					     .flow = e->key[1]};
}

/* Nobody relays them any more, and their owner is told. */
static int lose(struct choose *c, struct entry *const *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		log_error("a flow was lost on its way from=%s owner=%lu "
			  "flow=%lu",
			  flow_backend_str(e[i]->at->which),
			  (unsigned long)e[i]->key[0],
			  (unsigned long)e[i]->key[1]);
		tell_lost(c, e[i]);
		forget(c, e[i]);
	}
	return ERR_CLOSED;
}

/* Both flows of e's stream to another backend. On errors they are where they
 * were; if that had not the room any more either, or did not know how far they
 * had come, they are gone: ERR_CLOSED. */
static int move(struct choose *c, struct entry *e, struct backend *to)
{
	struct entry *pair[2] = {e, find(c, e->key[0], e->flow.peer_id)};
	struct backend *from = e->at;
	uint32_t n = pair[1] && pair[1] != e && pair[1]->at == e->at &&
				     pair[1]->flow.peer_id == e->key[1]
			     ? 2
			     : 1;
	struct media_state s[2];
	int err;

	if (from == to)
		return 0;
	err = take(from, pair, n, s);
	if (err == ERR_CLOSED)
		return lose(c, pair, n);
	if (err)
		return err;
	err = give(to, pair, n, s);
	if (!err) {
		settle(pair, n, from, to);
		return 0;
	}
	if (give(from, pair, n, s) == 0)
		return err;
	for (uint32_t i = 0; i < n; i++)
		close_state(&s[i]);
	return lose(c, pair, n);
}

static int join_inside(const struct entry *e)
{
	struct media_backend *b = e->at->b;

	return b->ops->join(b, e->key, e->far->key);
}

/* The streams that both halves of one lead into come along, and lead there
 * again. */
static int move_far(struct choose *c, struct entry *const half[2],
		    struct backend *to)
{
	int err = 0;

	for (int i = 0; !err && i < 2; i++) {
		if (half[i] && half[i]->far)
			err = move(c, half[i]->far, to);
		if (!err && half[i] && half[i]->far)
			err = join_inside(half[i]);
	}
	return err;
}

/* Joined streams move together or not at all: what passes unopened between
 * them passes nowhere else. */
static int move_joined(struct choose *c, struct entry *e, struct backend *to)
{
	struct entry *half[2] = {e, find(c, e->key[0], e->flow.peer_id)};
	struct backend *from = e->at;
	int err = move(c, e, to);

	/* It was taken and given back: where it led, it leads again. */
	if (err && err != ERR_CLOSED)
		(void)move_far(c, half, from);
	if (err)
		return err;
	err = move_far(c, half, to);
	if (!err || err == ERR_CLOSED)
		return err;
	if (move(c, e, from) == 0)
		(void)move_far(c, half, from);
	return err;
}

static int move_on(struct choose *c, struct entry *e)
{
	struct backend *from = e->at;
	int err = ERR_STATE;

	for (uint32_t i = 0; i < c->count; i++) {
		struct backend *to = &c->backend[i];

		if (!to->b || to == from || to->is_leaving)
			continue;
		err = move_joined(c, e, to);
		if (!err || err == ERR_CLOSED)
			return err;
	}
	return err;
}

static struct entry *first_at(const struct choose *c, const struct backend *b)
{
	for (size_t i = 0; i < c->flows.cap; i++) {
		struct table_node *n = c->flows.bucket[i];

		for (; n; n = n->next) {
			struct entry *e = TABLE_ENTRY(n, struct entry, node);

			if (e->at == b)
				return e;
		}
	}
	return NULL;
}

static bool has_other(const struct choose *c, const struct backend *but)
{
	for (uint32_t i = 0; i < c->count; i++) {
		const struct backend *b = &c->backend[i];

		if (b != but && b->b && !b->is_leaving)
			return true;
	}
	return false;
}

int media_choose_unload(struct media_backend *base, enum flow_backend which,
			uint32_t *ret_moved)
{
	struct choose *c = choose_of(base);
	struct backend *b = place(c, which);
	uint32_t before;
	struct entry *e;
	int err = 0;

	if (!b || b->is_left)
		return ERR_NOTFOUND;
	if (!has_other(c, b))
		return ERR_STATE;
	b->is_leaving = true;
	before = b->flows;
	while (!err && (e = first_at(c, b))) {
		err = move_on(c, e);
		/* It is gone, and its owner will hear of it. */
		if (err == ERR_CLOSED)
			err = 0;
	}
	*ret_moved = before - b->flows;
	b->is_left = !err;
	return err;
}

bool media_choose_flows(const struct media_backend *b, enum flow_backend which,
			uint32_t *ret_flows)
{
	const struct choose *c = (const struct choose *)(const void *)b;

	for (uint32_t i = 0; i < c->count; i++) {
		if (!c->backend[i].b || c->backend[i].is_left ||
		    c->backend[i].which != which)
			continue;
		if (ret_flows)
			*ret_flows = c->backend[i].flows;
		return true;
	}
	return false;
}

/* --- commands on flows that are there --------------------------------------- */

static int op_update(struct media_backend *base, uint64_t owner,
		     const struct flow *f)
{
	struct choose *c = choose_of(base);
	struct entry *e = find(c, owner, f->id);
	struct backend *b;
	int err;

	if (!e)
		return ERR_NOTFOUND;
	b = e->at;
	err = ops_of(b)->update(b->b, owner, f);
	/* A suite it cannot do, but another perhaps. */
	if (err == ERR_UNSUPPORTED && addr_eq(&f->local, &e->flow.local) &&
	    f->peer_id == e->flow.peer_id && has_other(c, b) &&
	    move_on(c, e) == 0) {
		b = e->at;
		err = ops_of(b)->update(b->b, owner, f);
	}
	if (!err)
		e->flow = *f;
	return err;
}

static int op_join(struct media_backend *base, const uint64_t flow[2],
		   const uint64_t far[2])
{
	struct choose *c = choose_of(base);
	struct entry *e = find(c, flow[0], flow[1]);
	struct entry *g = find(c, far[0], far[1]);
	struct backend *b;
	int err;

	if (!e || !g)
		return ERR_NOTFOUND;
	if (e->at != g->at)
		return ERR_UNSUPPORTED;
	b = e->at;
	err = ops_of(b)->join(b->b, flow, far);
	if (err || e->far == g)
		return err;
	unlink_far(e);
	unlink_far(g);
	e->far = g;
	g->far = e;
	return 0;
}

static void op_part(struct media_backend *base, const uint64_t flow[2])
{
	struct choose *c = choose_of(base);
	struct entry *e = find(c, flow[0], flow[1]);

	if (!e)
		return;
	unlink_far(e);
	ops_of(e->at)->part(e->at->b, flow);
}

static int op_remove(struct media_backend *base, uint64_t owner, uint64_t id,
		     struct flow_stats *ret_last)
{
	struct choose *c = choose_of(base);
	struct entry *e = find(c, owner, id);
	struct backend *b;
	int err;

	if (!e)
		return ERR_NOTFOUND;
	b = e->at;
	err = ops_of(b)->remove(b->b, owner, id, ret_last);
	if (ret_last)
		ret_last->backend = (uint8_t)b->which;
	forget(c, e);
	return err;
}

static int op_query(struct media_backend *base, uint64_t owner, uint64_t id,
		    struct flow_stats *ret)
{
	struct choose *c = choose_of(base);
	struct entry *e = find(c, owner, id);
	struct backend *b;
	int err;

	if (!e)
		return ERR_NOTFOUND;
	b = e->at;
	err = ops_of(b)->query(b->b, owner, id, ret);
	if (!err)
		ret->backend = (uint8_t)b->which;
	return err;
}

static struct entry *owned_in(const struct choose *c, size_t bucket, bool all,
			      uint64_t owner)
{
	struct table_node *n = c->flows.bucket[bucket];

	for (; n; n = n->next) {
		struct entry *e = TABLE_ENTRY(n, struct entry, node);

		if (all || e->key[0] == owner)
			return e;
	}
	return NULL;
}

static void forget_all(struct choose *c, bool all, uint64_t owner)
{
	struct entry *e;

	for (size_t i = 0; i < c->flows.cap; i++) {
		while ((e = owned_in(c, i, all, owner)))
			forget(c, e);
	}
}

static void op_flush(struct media_backend *base, uint64_t owner)
{
	struct choose *c = choose_of(base);

	forget_all(c, false, owner);
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->backend[i].b)
			ops_of(&c->backend[i])->flush(c->backend[i].b, owner);
	}
}

static void op_sweep(struct media_backend *base, uint64_t owner)
{
	struct choose *c = choose_of(base);

	for (uint32_t i = 0; i < c->count; i++) {
		if (c->backend[i].b)
			ops_of(&c->backend[i])->sweep(c->backend[i].b, owner);
	}
}

/* Two of a stream, in one backend or not at all; nobody asks for less. */
static int op_take(struct media_backend *base, uint64_t owner,
		   const uint64_t *id, uint32_t n, struct media_state *ret)
{
	struct choose *c = choose_of(base);
	struct entry *e = find(c, owner, id[0]);
	struct backend *b;
	int err;

	if (!e)
		return ERR_NOTFOUND;
	b = e->at;
	err = ops_of(b)->take(b->b, owner, id, n, ret);
	for (uint32_t i = 0; i < n && (!err || err == ERR_CLOSED); i++) {
		e = find(c, owner, id[i]);
		if (err)
			tell_lost(c, e);
		forget(c, e);
	}
	return err;
}

static int keep_given(struct choose *c, struct backend *b, uint64_t owner,
		      const struct flow *f, uint32_t n)
{
	struct media_state s;
	int err = remember(c, owner, f, n, b);

	/* The descriptors are the giver's again. */
	for (uint32_t i = 0; err && i < n; i++)
		(void)ops_of(b)->take(b->b, owner, &f[i].id, 1, &s);
	return err;
}

static int op_give(struct media_backend *base, uint64_t owner,
		   const struct flow *f, const struct media_state *s,
		   uint32_t n)
{
	struct choose *c = choose_of(base);
	int err = ERR_STATE;

	for (uint32_t i = 0; err && i < c->count; i++) {
		struct backend *b = &c->backend[i];

		if (!b->b || b->is_leaving)
			continue;
		err = ops_of(b)->give(b->b, owner, f, s, n);
		if (!err)
			return keep_given(c, b, owner, f, n);
	}
	return err;
}

/* --- events ------------------------------------------------------------------ */

static int op_event_fd(struct media_backend *base)
{
	return choose_of(base)->epoll;
}

static void end_backend(struct choose *c, struct backend *b)
{
	if (!b->b)
		return;
	(void)epoll_ctl(c->epoll, EPOLL_CTL_DEL, ops_of(b)->event_fd(b->b),
			NULL);
	ops_of(b)->free(b->b);
	b->b = NULL;
}

static bool op_next_event(struct media_backend *base, struct media_event *ret)
{
	struct choose *c = choose_of(base);

	if (c->lost_count > 0) {
		*ret = c->lost[--c->lost_count];
		return true;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		struct backend *b = &c->backend[i];

		if (b->b && ops_of(b)->next_event(b->b, ret))
			return true;
	}
	return false;
}

static int watch(struct choose *c, struct media_backend *b)
{
	struct epoll_event ev = {.events = EPOLLIN};

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, b->ops->event_fd(b), &ev) == 0
		       ? 0
		       : ERR_IO;
}

/* A flow of a less wanted backend that this round has not looked at, in bucket
 * *at (at first 0) or behind it. What was moved may have gone, with others of
 * its bucket, so each time that one is begun again. */
static struct entry *next_below(const struct choose *c, const struct backend *b,
				size_t *at)
{
	for (; *at < c->flows.cap; (*at)++) {
		struct table_node *n = c->flows.bucket[*at];

		for (; n; n = n->next) {
			struct entry *e = TABLE_ENTRY(n, struct entry, node);

			if (e->at > b && e->round != c->round)
				return e;
		}
	}
	return NULL;
}

static struct backend *place_left(struct choose *c, enum flow_backend which,
				  int *ret_err)
{
	for (uint32_t i = 0; i < c->count; i++) {
		struct backend *b = &c->backend[i];

		if (b->which != which)
			continue;
		*ret_err = b->b && !b->is_left ? ERR_EXISTS : 0;
		return *ret_err ? NULL : b;
	}
	*ret_err = ERR_NOTFOUND;
	return NULL;
}

int media_choose_load(struct media_backend *base, struct media_backend *b,
		      uint32_t *ret_moved)
{
	struct choose *c = choose_of(base);
	struct media_features f;
	struct backend *p;
	struct entry *e;
	size_t at = 0;
	int err;

	b->ops->features(b, &f);
	p = place_left(c, f.backend, &err);
	if (p)
		err = watch(c, b);
	if (err) {
		b->ops->free(b);
		return err;
	}
	end_backend(c, p);
	p->b = b;
	p->is_leaving = p->is_left = false;
	c->round++;
	while ((e = next_below(c, p, &at))) {
		e->round = c->round;
		/* What cannot move stays where it is. */
		(void)!move_joined(c, e, p);
	}
	*ret_moved = p->flows;
	return 0;
}

void media_choose_close(struct media_backend *base, enum flow_backend which)
{
	struct choose *c = choose_of(base);
	struct backend *b = place(c, which);

	if (b && b->is_left)
		end_backend(c, b);
}

static void op_free(struct media_backend *base)
{
	struct choose *c = choose_of(base);

	forget_all(c, true, 0);
	table_done(&c->flows);
	for (uint32_t i = 0; i < c->count; i++)
		end_backend(c, &c->backend[i]);
	if (c->epoll >= 0)
		(void)close(c->epoll);
	alloc_free(c);
}

static const struct media_backend_ops ops = {
	.features = op_features,
	.add = op_add,
	.revive = op_revive,
	.update = op_update,
	.join = op_join,
	.part = op_part,
	.remove = op_remove,
	.take = op_take,
	.give = op_give,
	.query = op_query,
	.flush = op_flush,
	.sweep = op_sweep,
	.event_fd = op_event_fd,
	.next_event = op_next_event,
	.free = op_free,
};

static struct choose *make(void)
{
	struct choose *c = alloc_zero(sizeof(*c));

	if (!c)
		return NULL;
	c->base.ops = &ops;
	/* Numbers are our own workers': nobody outside can choose them. */
	table_init(&c->flows, FLOWS_MAX, 0);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	return c;
}

int media_choose_new(struct media_backend *const *b, uint32_t n,
		     struct media_backend **ret)
{
	struct choose *c = make();
	int err = c ? 0 : ERR_NOMEM;

	for (uint32_t i = 0; c && i < n; i++) {
		struct media_features f;

		b[i]->ops->features(b[i], &f);
		c->backend[c->count++] =
			(struct backend){.b = b[i], .which = f.backend};
		if (!err)
			err = watch(c, b[i]);
	}
	for (uint32_t i = 0; !c && i < n; i++)
		b[i]->ops->free(b[i]);
	if (err && c)
		op_free(&c->base);
	if (!err)
		*ret = &c->base;
	return err;
}
