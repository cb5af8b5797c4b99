#include "proxy/medialink.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "base/table.h"
#include "media/wire.h"
#include "priv/channel.h"

#define NUMBER_OWN 0x80000000u /* numbers we choose, beside the callers' */

/* All flows are claimed before the media process has read the first: a change
 * of a flow and what happens to it must find it claimed. So claims of as many
 * as there can be have room, beside what else is said. */
enum { QUEUE_MAX = MEDIALINK_FLOWS_MAX * FLOW_BYTES_MAX + (1 << 20) };

struct known {
	struct table_node node;
	uint64_t id;
	uint64_t call;
	bool is_lost; /* an update of it never left */
	bool is_gone; /* it was removed, and that never left */
};

/* A number of ours whose answer matters. */
enum pending_kind { PENDING_NONE, PENDING_UPDATE, PENDING_DEL, PENDING_STATS };

struct pending {
	struct table_node node;
	uint32_t number;
	enum pending_kind kind;
	uint64_t id;
	uint64_t call;
};

struct medialink {
	struct loop *loop;
	struct channel *channel;
	struct medialink_cb cb;
	struct table flows;
	struct table pending;
	uint32_t next;
	uint32_t owed;	 /* flows that are lost or gone */
	bool owes_sweep; /* it never left */
};

static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n);
static void on_down(void *ctx, const char *reason);

static int open_channel(struct medialink *l, int fd)
{
	struct channel_params p = {.loop = l->loop,
				   .fd = fd,
				   .queue_max = QUEUE_MAX,
				   .message = on_message,
				   .down = on_down,
				   .ctx = l};

	return channel_new(&p, &l->channel);
}

int medialink_new(struct loop *loop, int fd, const struct medialink_cb *cb,
		  uint64_t seed, struct medialink **ret)
{
	struct medialink *l = alloc_zero(sizeof(*l));
	int err;

	if (!l)
		return ERR_NOMEM;
	l->loop = loop;
	l->cb = *cb;
	table_init(&l->flows, MEDIALINK_FLOWS_MAX, seed);
	table_init(&l->pending, MEDIALINK_FLOWS_MAX, ~seed);
	err = open_channel(l, fd);
	if (err) {
		medialink_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

static void forget_all(struct table *t)
{
	for (size_t i = 0; i < t->cap; i++) {
		while (t->bucket[i]) {
			struct table_node *n = t->bucket[i];

			table_del(t, n);
			/* The node is the first member of both kinds. */
			alloc_free(n);
		}
	}
}

_Static_assert(offsetof(struct known, node) == 0, "freed by its node");
_Static_assert(offsetof(struct pending, node) == 0, "freed by its node");

struct medialink *medialink_free(struct medialink *l)
{
	if (!l)
		return NULL;
	channel_free(l->channel);
	forget_all(&l->flows);
	forget_all(&l->pending);
	table_done(&l->flows);
	table_done(&l->pending);
	return alloc_free(l);
}

int medialink_reconnect(struct medialink *l, int fd)
{
	/* The next one came before the end of the last one was seen: what that
	 * was asked has no answer all the same. */
	if (l->channel)
		on_down(l, "another media process");
	return open_channel(l, fd);
}

bool medialink_is_up(const struct medialink *l)
{
	return l->channel != NULL;
}

static struct known *known_find(struct medialink *l, uint64_t id)
{
	return TABLE_ENTRY(table_find(&l->flows, slice_make(&id, sizeof(id))),
			   struct known, node);
}

static void known_del(struct medialink *l, struct known *k)
{
	l->owed -= k->is_lost || k->is_gone;
	table_del(&l->flows, &k->node);
	alloc_free(k);
}

static int known_add(struct medialink *l, const struct flow *f)
{
	struct known *k = alloc_zero(sizeof(*k));
	int err;

	if (!k)
		return ERR_NOMEM;
	k->id = f->id;
	k->call = f->call;
	err = table_add(&l->flows, &k->node, slice_make(&k->id, sizeof(k->id)));
	if (err)
		alloc_free(k);
	return err;
}

static struct pending *pending_find(struct medialink *l, uint32_t number)
{
	return TABLE_ENTRY(
		table_find(&l->pending, slice_make(&number, sizeof(number))),
		struct pending, node);
}

static int pending_add(struct medialink *l, enum pending_kind kind, uint64_t id,
		       uint64_t call, uint32_t *ret_number)
{
	struct pending *p = alloc_zero(sizeof(*p));
	int err;

	if (!p)
		return ERR_NOMEM;
	p->number = NUMBER_OWN | (++l->next & ~NUMBER_OWN);
	p->kind = kind;
	p->id = id;
	p->call = call;
	err = table_add(&l->pending, &p->node,
			slice_make(&p->number, sizeof(p->number)));
	if (err) {
		alloc_free(p);
		return err;
	}
	*ret_number = p->number;
	return 0;
}

static void pending_del(struct medialink *l, struct pending *p)
{
	table_del(&l->pending, &p->node);
	alloc_free(p);
}

/* Send what w holds and wipe it: it may hold keys. */
static int send_wiped(struct medialink *l, struct writer *w)
{
	int err = ERR_CLOSED;

	if (!writer_ok(w))
		err = ERR_LIMIT;
	else if (l->channel)
		err = channel_send(l->channel, writer_slice(w));
	secret_wipe(w->buf, w->len);
	return err;
}

int medialink_add(struct medialink *l, uint32_t number, const struct flow f[2])
{
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;
	int err;

	err = known_add(l, &f[0]);
	if (!err)
		err = known_add(l, &f[1]);
	if (!err) {
		writer_init(&w, buf, sizeof(buf));
		media_wire_add(&w, number & ~NUMBER_OWN, f, 2);
		err = send_wiped(l, &w);
	}
	for (size_t i = 0; err && i < 2; i++) {
		struct known *k = known_find(l, f[i].id);

		if (k)
			known_del(l, k);
	}
	return err;
}

static void tell_failed(struct medialink *l, uint64_t call, uint64_t id)
{
	struct media_event e = {.kind = MEDIA_EVENT_FAILED, .flow = id};

	l->cb.event(l->cb.ctx, &e, call);
}

static int send_plain(struct medialink *l,
		      void (*write)(struct writer *w, uint32_t req))
{
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	write(&w, NUMBER_OWN);
	return send_wiped(l, &w);
}

void medialink_disown(struct medialink *l)
{
	/* A line that breaks is made anew. One that is new has room. */
	(void)send_plain(l, media_wire_disown);
	l->owes_sweep = false; /* there will be another */
}

void medialink_sweep(struct medialink *l)
{
	int err = send_plain(l, media_wire_sweep);

	l->owes_sweep = err && err != ERR_CLOSED;
}

void medialink_claim(struct medialink *l, const struct flow f[2])
{
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;
	uint32_t number;
	int err = 0;

	for (size_t i = 0; !err && i < 2; i++)
		if (!known_find(l, f[i].id))
			err = known_add(l, &f[i]);
	if (!err)
		err = pending_add(l, PENDING_UPDATE, f[0].id, f[0].call,
				  &number);
	if (!err) {
		writer_init(&w, buf, sizeof(buf));
		media_wire_claim(&w, number, f);
		err = send_wiped(l, &w);
		if (err)
			pending_del(l, pending_find(l, number));
	}
	if (err && err != ERR_CLOSED) /* then it is claimed again */
		tell_failed(l, f[0].call, f[0].id);
}

/* What could not be said is owed until the media process can be heard again;
 * one that is gone is told everything anew. */
static void owe(struct medialink *l, struct known *k, bool is_gone)
{
	l->owed += !k->is_lost && !k->is_gone;
	k->is_lost |= !is_gone;
	k->is_gone |= is_gone;
}

void medialink_update(struct medialink *l, const struct flow *f)
{
	struct known *k = known_find(l, f->id);
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;
	uint32_t number;
	int err = pending_add(l, PENDING_UPDATE, f->id, f->call, &number);

	if (!err) {
		writer_init(&w, buf, sizeof(buf));
		media_wire_update(&w, number, f);
		err = send_wiped(l, &w);
		if (err)
			pending_del(l, pending_find(l, number));
	}
	if (err && err != ERR_CLOSED && k)
		owe(l, k, false);
}

static int send_del(struct medialink *l, const struct known *k)
{
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;
	uint32_t number;
	int err = pending_add(l, PENDING_DEL, k->id, k->call, &number);

	if (err)
		return err;
	writer_init(&w, buf, sizeof(buf));
	media_wire_del(&w, number, k->id);
	err = send_wiped(l, &w);
	if (err)
		pending_del(l, pending_find(l, number));
	return err;
}

void medialink_del(struct medialink *l, uint64_t id)
{
	struct known *k = known_find(l, id);
	int err;

	if (!k || k->is_gone)
		return;
	err = send_del(l, k);
	if (err && err != ERR_CLOSED)
		owe(l, k, true);
	else
		known_del(l, k);
}

static struct known *first_owed(struct medialink *l)
{
	if (l->owed == 0)
		return NULL;
	for (size_t i = 0; i < l->flows.cap; i++)
		for (struct table_node *n = l->flows.bucket[i]; n;
		     n = n->next) {
			struct known *k = TABLE_ENTRY(n, struct known, node);

			if (k->is_lost || k->is_gone)
				return k;
		}
	return NULL;
}

/* The media process is heard: what was owed is said. A call whose flow was not
 * changed must not go on believing otherwise. */
static void settle(struct medialink *l)
{
	struct known *k;

	if (l->owes_sweep)
		medialink_sweep(l);
	while ((k = first_owed(l))) {
		if (k->is_gone) {
			if (send_del(l, k) != 0)
				return;
			known_del(l, k);
			continue;
		}
		k->is_lost = false;
		l->owed--;
		tell_failed(l, k->call, k->id);
	}
}

/* Another media process will be told of all flows as they are now. */
static void forget_owed(struct medialink *l)
{
	struct known *k;

	while ((k = first_owed(l))) {
		if (k->is_gone) {
			known_del(l, k);
			continue;
		}
		k->is_lost = false;
		l->owed--;
	}
}

int medialink_stats(struct medialink *l, const uint64_t *id, uint32_t n,
		    uint32_t *ret_number)
{
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer w;
	uint32_t number;
	int err = pending_add(l, PENDING_STATS, 0, 0, &number);

	if (err)
		return err;
	writer_init(&w, buf, sizeof(buf));
	media_wire_stats(&w, number, id, n);
	err = send_wiped(l, &w);
	if (err)
		pending_del(l, pending_find(l, number));
	else
		*ret_number = number;
	return err;
}

static void on_event(struct medialink *l, const struct media_event *e)
{
	struct known *k = known_find(l, e->flow);

	if (k && !k->is_gone)
		l->cb.event(l->cb.ctx, e, k->call);
}

static void on_own_answer(struct medialink *l, const struct media_reply *r)
{
	struct pending *p = pending_find(l, r->req);
	struct pending was;

	if (!p)
		return;
	was = *p;
	pending_del(l, p);
	switch (was.kind) {
	case PENDING_STATS:
		l->cb.stats(l->cb.ctx, was.number, r->stats,
			    r->err ? 0 : r->stats_count);
		break;
	case PENDING_DEL:
		if (!r->err && r->stats_count == 1)
			l->cb.last(l->cb.ctx, was.call, &r->stats[0]);
		break;
	case PENDING_UPDATE:
		/* A flow that could not be changed still has its old keys and
		 * addresses: the call must not go on believing otherwise. */
		if (r->err && known_find(l, was.id))
			tell_failed(l, was.call, was.id);
		break;
	case PENDING_NONE:
		break;
	}
}

static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct medialink *l = ctx;
	struct media_reply r;

	(void)fds;
	(void)n; /* this channel carries no descriptors */
	if (media_wire_read_reply(bytes, &r) != 0)
		return;
	if (r.is_event)
		on_event(l, &r.event);
	else if (r.req & NUMBER_OWN)
		on_own_answer(l, &r);
	else
		l->cb.answer(l->cb.ctx, r.req, r.err);
	media_reply_wipe(&r);
	settle(l);
}

static void on_down(void *ctx, const char *reason)
{
	struct medialink *l = ctx;

	(void)reason; /* the worker logs it */
	l->channel = channel_free(l->channel);
	l->owes_sweep = false;
	forget_owed(l);
	l->cb.down(l->cb.ctx);
	forget_all(&l->pending);
}
