#include "media/choose_int.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "base/table.h"
#include "log/log.h"

enum { FLOWS_MAX = 200000 };

static struct choose *choose_of(struct media_backend *b)
{
	return (struct choose *)(void *)b;
}

struct entry *choose_find(const struct choose *c, uint64_t owner, uint64_t id)
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

/* --- what is known of flows ---------------------------------------------- */

static void unlink_far(struct entry *e)
{
	if (e && e->far)
		e->far = e->far->far = NULL;
}

static void take_out(struct choose *c, struct entry *e)
{
	unlink_far(e);
	unlink_far(choose_find(c, e->key[0], e->flow.peer_id));
	table_del(&c->flows, &e->node);
	e->at->flows--;
	secret_wipe(&e->flow, sizeof(e->flow));
}

void choose_forget(struct choose *c, struct entry *e)
{
	take_out(c, e);
	alloc_free(e);
}

void choose_lose(struct choose *c, struct entry *e)
{
	take_out(c, e);
	e->next_lost = c->lost;
	c->lost = e;
}

static bool next_lost(struct choose *c, struct media_event *ret)
{
	struct entry *e = c->lost;

	if (!e)
		return false;
	*ret = (struct media_event){.kind = MEDIA_EVENT_FAILED,
				    .owner = e->key[0],
				    .flow = e->key[1]};
	c->lost = e->next_lost;
	alloc_free(e);
	return true;
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
		choose_forget(c, choose_find(c, owner, f[i - 1].id));
	return err;
}

/* --- commands -------------------------------------------------------------- */

static void op_features(struct media_backend *b, struct media_features *ret)
{
	struct choose *c = choose_of(b);

	*ret = (struct media_features){.name = "none"};
	for (uint32_t i = c->count; i-- > 0;) {
		if (c->backend[i].b && !c->backend[i].is_leaving)
			choose_ops(&c->backend[i])
				->features(c->backend[i].b, ret);
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
	int err = is_old ? choose_ops(b)->revive(b->b, owner, f, n)
			 : choose_ops(b)->add(b->b, owner, f, n);

	if (err)
		return err;
	err = remember(c, owner, f, n, b);
	for (uint32_t i = 0; err && i < n; i++)
		(void)choose_ops(b)->remove(b->b, owner, f[i].id, NULL);
	return err;
}

static int add_first(struct choose *c, uint64_t owner, const struct flow *f,
		     uint32_t n, bool is_old)
{
	int err = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (choose_find(c, owner, f[i].id))
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

/* --- giving a backend up ---------------------------------------------------- */

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
		err = choose_move_on(c, e);
		/* It is gone, and its owner will hear of it. */
		if (err == ERR_CLOSED)
			err = 0;
	}
	*ret_moved = before - b->flows;
	/* What others have no room for stays in use. */
	b->is_leaving = b->is_left = !err;
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
	struct entry *e = choose_find(c, owner, f->id);
	struct backend *b;
	int err;

	if (!e)
		return ERR_NOTFOUND;
	b = e->at;
	err = choose_ops(b)->update(b->b, owner, f);
	/* A suite it cannot do, but another perhaps. */
	if (err == ERR_UNSUPPORTED && addr_eq(&f->local, &e->flow.local) &&
	    f->peer_id == e->flow.peer_id && has_other(c, b) &&
	    choose_move_on(c, e) == 0) {
		b = e->at;
		err = choose_ops(b)->update(b->b, owner, f);
	}
	if (!err)
		e->flow = *f;
	return err;
}

/* Both into one backend: the more wanted one, or where there is room. Entries
 * may go on the way. */
static int bring_together(struct choose *c, const uint64_t flow[2],
			  const uint64_t far[2])
{
	int err = 0;

	for (int i = 0; i < 2; i++) {
		struct entry *e = choose_find(c, flow[0], flow[1]);
		struct entry *g = choose_find(c, far[0], far[1]);
		struct backend *to;

		if (!e || !g)
			return ERR_NOTFOUND;
		if (e->at == g->at)
			return 0;
		to = (e->at < g->at) == (i == 0) ? e->at : g->at;
		err = to->is_leaving
			      ? ERR_STATE
			      : choose_move_joined(c, e->at == to ? g : e, to);
		if (!err || err == ERR_CLOSED)
			break;
	}
	if (err)
		log_warn("flows have no backend in common owner=%lu flow=%lu "
			 "far=%lu error=\"%s\"",
			 (unsigned long)flow[0], (unsigned long)flow[1],
			 (unsigned long)far[1], err_str(err));
	return err == ERR_CLOSED ? ERR_NOTFOUND : err;
}

static int op_join(struct media_backend *base, const uint64_t flow[2],
		   const uint64_t far[2])
{
	struct choose *c = choose_of(base);
	struct entry *e, *g;
	struct backend *b;
	int err = bring_together(c, flow, far);

	if (err)
		return err;
	e = choose_find(c, flow[0], flow[1]);
	g = choose_find(c, far[0], far[1]);
	b = e->at;
	err = choose_ops(b)->join(b->b, flow, far);
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
	struct entry *e = choose_find(c, flow[0], flow[1]);

	if (!e)
		return;
	unlink_far(e);
	choose_ops(e->at)->part(e->at->b, flow);
}

static int op_remove(struct media_backend *base, uint64_t owner, uint64_t id,
		     struct flow_stats *ret_last)
{
	struct choose *c = choose_of(base);
	struct entry *e = choose_find(c, owner, id);
	struct backend *b;
	int err;

	if (!e)
		return ERR_NOTFOUND;
	b = e->at;
	err = choose_ops(b)->remove(b->b, owner, id, ret_last);
	if (ret_last)
		ret_last->backend = (uint8_t)b->which;
	choose_forget(c, e);
	return err;
}

static int op_query(struct media_backend *base, uint64_t owner, uint64_t id,
		    struct flow_stats *ret)
{
	struct choose *c = choose_of(base);
	struct entry *e = choose_find(c, owner, id);
	struct backend *b;
	int err;

	if (!e)
		return ERR_NOTFOUND;
	b = e->at;
	err = choose_ops(b)->query(b->b, owner, id, ret);
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
			choose_forget(c, e);
	}
}

static void op_flush(struct media_backend *base, uint64_t owner)
{
	struct choose *c = choose_of(base);

	forget_all(c, false, owner);
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->backend[i].b)
			choose_ops(&c->backend[i])
				->flush(c->backend[i].b, owner);
	}
}

static void op_sweep(struct media_backend *base, uint64_t owner)
{
	struct choose *c = choose_of(base);

	for (uint32_t i = 0; i < c->count; i++) {
		if (c->backend[i].b)
			choose_ops(&c->backend[i])
				->sweep(c->backend[i].b, owner);
	}
}

/* Two of a stream, in one backend or not at all; nobody asks for less. */
static int op_take(struct media_backend *base, uint64_t owner,
		   const uint64_t *id, uint32_t n, struct media_state *ret)
{
	struct choose *c = choose_of(base);
	struct entry *e = choose_find(c, owner, id[0]);
	struct backend *b;
	int err;

	if (!e)
		return ERR_NOTFOUND;
	b = e->at;
	err = choose_ops(b)->take(b->b, owner, id, n, ret);
	for (uint32_t i = 0; i < n && (!err || err == ERR_CLOSED); i++) {
		e = choose_find(c, owner, id[i]);
		if (e && err)
			choose_lose(c, e);
		else if (e)
			choose_forget(c, e);
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
		(void)choose_ops(b)->take(b->b, owner, &f[i].id, 1, &s);
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
		err = choose_ops(b)->give(b->b, owner, f, s, n);
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
	(void)epoll_ctl(c->epoll, EPOLL_CTL_DEL, choose_ops(b)->event_fd(b->b),
			NULL);
	choose_ops(b)->free(b->b);
	b->b = NULL;
}

static bool op_next_event(struct media_backend *base, struct media_event *ret)
{
	struct choose *c = choose_of(base);

	if (next_lost(c, ret))
		return true;
	for (uint32_t i = 0; i < c->count; i++) {
		struct backend *b = &c->backend[i];

		if (b->b && choose_ops(b)->next_event(b->b, ret))
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
		(void)!choose_move_joined(c, e, p);
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
	struct media_event unheard;

	forget_all(c, true, 0);
	while (next_lost(c, &unheard))
		;
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
