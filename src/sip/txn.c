#include "sip/txn.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "sip/txn_impl.h"

struct sip_txns *sip_txns_new(const struct sip_txn_params *p,
			      const struct sip_txn_cb *cb)
{
	struct sip_txns *t = alloc_zero(sizeof(*t));

	if (!t)
		return NULL;
	t->p = *p;
	/* A timer that fires at its own instant would never let go. */
	if (t->p.t1_ms == 0)
		t->p.t1_ms = 1;
	if (t->p.t2_ms < t->p.t1_ms)
		t->p.t2_ms = t->p.t1_ms;
	t->cb = *cb;
	slots_init(&t->slots, p->limit);
	table_init(&t->table, p->limit, p->seed);
	table_init(&t->eps, p->limit, p->seed);
	table_init(&t->merges, p->limit, p->seed);
	table_init(&t->awaits, p->limit, p->seed);
	timerq_init(&t->timerq);
	return t;
}

struct sip_txns *sip_txns_free(struct sip_txns *t)
{
	uint32_t i = 0;
	struct txn *x;

	if (!t)
		return NULL;
	while ((x = slots_next(&t->slots, &i)))
		txn_drop(t, x);
	slots_done(&t->slots);
	table_done(&t->table);
	table_done(&t->eps);
	table_done(&t->merges);
	table_done(&t->awaits);
	timerq_done(&t->timerq);
	return alloc_free(t);
}

void sip_txns_limit(struct sip_txns *t, uint32_t limit)
{
	t->p.limit = limit;
	t->slots.limit = limit;
	t->table.limit = limit;
	t->eps.limit = limit;
	t->merges.limit = limit;
	t->awaits.limit = limit;
}

uint32_t sip_txns_count(const struct sip_txns *t)
{
	return t->slots.count;
}

uint64_t txn_64t1(const struct sip_txns *t)
{
	return (uint64_t)t->p.t1_ms * 64;
}

void txn_plan(struct sip_txns *t, struct txn *x, uint64_t again_ms,
	      uint64_t end_ms)
{
	int err;

	x->again_ms = again_ms;
	x->end_ms = end_ms;
	/* The node has been set since txn_new, so nothing is allocated. */
	err = timerq_set(&t->timerq, &x->timer,
			 again_ms < end_ms ? again_ms : end_ms);
	assert(err == 0);
}

void txn_send(struct sip_txns *t, const struct txn *x)
{
	if (x->bytes)
		t->cb.send(t->cb.ctx, &x->dest, slice_make(x->bytes, x->len));
}

/* A session description among them may carry SRTP keys. */
static void drop_bytes(struct txn *x)
{
	if (x->bytes)
		secret_wipe(x->bytes, x->len);
	x->bytes = alloc_free(x->bytes);
}

int txn_keep(struct txn *x, struct slice bytes)
{
	uint8_t *p = alloc_copy(bytes);

	if (!p)
		return ERR_NOMEM;
	drop_bytes(x);
	x->bytes = p;
	x->len = bytes.len;
	return 0;
}

static struct txn_ep *ep_find(const struct sip_txns *t, struct handle ep)
{
	return TABLE_ENTRY(table_find(&t->eps, slice_make(&ep, sizeof(ep))),
			   struct txn_ep, node);
}

/* Hang x on the list of its endpoint, which is made when it is the first. */
static int ep_add(struct sip_txns *t, struct txn *x)
{
	struct txn_ep *e = ep_find(t, x->dest.ep);
	int err;

	if (!e) {
		e = alloc_zero(sizeof(*e));
		if (!e)
			return ERR_NOMEM;
		e->ep = x->dest.ep;
		list_init(&e->txns);
		err = table_add(&t->eps, &e->node,
				slice_make(&e->ep, sizeof(e->ep)));
		if (err) {
			alloc_free(e);
			return err;
		}
	}
	x->ep = e;
	list_append(&e->txns, &x->link);
	return 0;
}

static void ep_del(struct sip_txns *t, struct txn *x)
{
	list_del(&x->link);
	if (list_empty(&x->ep->txns)) {
		table_del(&t->eps, &x->ep->node);
		alloc_free(x->ep);
	}
}

void txn_drop(struct sip_txns *t, struct txn *x)
{
	ep_del(t, x);
	timerq_clear(&t->timerq, &x->timer);
	table_del(&t->table, &x->node);
	if (x->merge_key)
		table_del(&t->merges, &x->merge);
	if (x->await_key)
		table_del(&t->awaits, &x->await);
	slots_del(&t->slots, x->handle);
	alloc_free(x->key);
	alloc_free(x->merge_key);
	alloc_free(x->await_key);
	drop_bytes(x);
	alloc_free(x);
}

void txn_fail(struct sip_txns *t, struct txn *x, enum sip_txn_fail why)
{
	struct handle h = x->handle;
	uint64_t user = x->user;

	txn_drop(t, x);
	t->cb.fail(t->cb.ctx, h, user, why);
}

int txn_new(struct sip_txns *t, enum txn_kind kind, struct slice key,
	    const struct dest *dest, struct txn **ret)
{
	struct txn *x = alloc_zero(sizeof(*x));
	int err = ERR_NOMEM;

	if (!x)
		return ERR_NOMEM;
	x->kind = kind;
	x->dest = *dest;
	x->again_ms = UINT64_MAX;
	x->end_ms = UINT64_MAX;
	x->key = alloc_copy(key);
	if (!x->key)
		goto out_free;
	err = slots_add(&t->slots, x, &x->handle);
	if (err)
		goto out_free;
	err = table_add(&t->table, &x->node, slice_make(x->key, key.len));
	if (err)
		goto out_slot;
	err = timerq_set(&t->timerq, &x->timer, UINT64_MAX);
	if (err)
		goto out_table;
	err = ep_add(t, x);
	if (err)
		goto out_timer;
	*ret = x;
	return 0;
out_timer:
	timerq_clear(&t->timerq, &x->timer);
out_table:
	table_del(&t->table, &x->node);
out_slot:
	slots_del(&t->slots, x->handle);
out_free:
	alloc_free(x->key);
	alloc_free(x);
	return err;
}

struct txn *txn_find(const struct sip_txns *t, struct slice key)
{
	return TABLE_ENTRY(table_find(&t->table, key), struct txn, node);
}

void sip_txn_forget(struct sip_txns *t, struct handle txn)
{
	struct txn *x = slots_find(&t->slots, txn);

	if (x)
		txn_drop(t, x);
}

int sip_txn_set_user(struct sip_txns *t, struct handle txn, uint64_t user)
{
	struct txn *x = slots_find(&t->slots, txn);

	if (!x)
		return ERR_NOTFOUND;
	x->user = user;
	return 0;
}

void sip_txn_conn_down(struct sip_txns *t, struct handle ep)
{
	struct txn_ep *e;

	/* Looked up each time: e goes with its last transaction. */
	while ((e = ep_find(t, ep))) {
		struct txn *x = LIST_ENTRY(e->txns.next, struct txn, link);

		if (x->kind == TXN_CLIENT_INVITE || x->kind == TXN_CLIENT_OTHER)
			txn_fail(t, x, SIP_TXN_FAIL_TRANSPORT);
		else
			txn_drop(t, x);
	}
}

uint64_t sip_txns_deadline(const struct sip_txns *t)
{
	return timerq_next(&t->timerq);
}

static void expire_one(struct sip_txns *t, struct txn *x, uint64_t now_ms)
{
	bool is_end = x->end_ms <= now_ms;

	switch (x->kind) {
	case TXN_CLIENT_INVITE:
	case TXN_CLIENT_OTHER:
		if (is_end)
			txn_client_end(t, x);
		else
			txn_client_again(t, x, now_ms);
		break;
	case TXN_SERVER_INVITE:
	case TXN_SERVER_OTHER:
		if (is_end)
			txn_server_end(t, x);
		else
			txn_server_again(t, x, now_ms);
		break;
	}
}

void sip_txns_expire(struct sip_txns *t, uint64_t now_ms)
{
	/* Looked at, not popped: a node stays in the heap for all its life.
	 * Each round ends a transaction or moves its timer beyond now. */
	while (timerq_next(&t->timerq) <= now_ms && t->timerq.count > 0)
		expire_one(t,
			   TIMERQ_ENTRY(t->timerq.heap[0], struct txn, timer),
			   now_ms);
}
