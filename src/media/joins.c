#include "media/joins.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/secret.h"
#include "base/table.h"

struct entry {
	struct table_node by_id;
	struct table_node by_addr; /* local */
	struct list changed;	   /* linked while its owner is not told */
	uint64_t id[2];		   /* owner, flow */
	uint64_t peer_id;
	uint8_t addr_key[ADDR_KEY_LEN];
	bool can_join;	/* its party is exactly where it is said to be */
	bool is_told;	/* JOINED was reported last */
	bool is_orphan; /* nobody stands for it, see joins_disown */
	bool is_rolled; /* see joins_rolled; of in */
	struct entry *far;
	struct addr local;
	struct addr remote;
	struct addr remote_rtcp;
	uint8_t security;
	struct flow_key in;
};

struct joins {
	struct media_backend *backend;
	struct table by_id;
	struct table by_addr;
	struct list changed;
};

/* Ids and addresses are our own workers': nobody outside can make them
 * collide, so the tables need no secret seed. */
struct joins *joins_new(struct media_backend *b)
{
	struct joins *j = alloc_zero(sizeof(*j));

	if (!j)
		return NULL;
	j->backend = b;
	table_init(&j->by_id, JOINS_FLOWS_MAX, 0);
	table_init(&j->by_addr, JOINS_FLOWS_MAX, 0);
	list_init(&j->changed);
	return j;
}

static void entry_free(struct joins *j, struct entry *e)
{
	table_del(&j->by_id, &e->by_id);
	table_del(&j->by_addr, &e->by_addr);
	list_del(&e->changed);
	secret_wipe(&e->in, sizeof(e->in));
	alloc_free(e);
}

struct joins *joins_free(struct joins *j)
{
	if (!j)
		return NULL;
	for (size_t i = 0; i < j->by_id.cap; i++)
		while (j->by_id.bucket[i])
			entry_free(j, TABLE_ENTRY(j->by_id.bucket[i],
						  struct entry, by_id));
	table_done(&j->by_id);
	table_done(&j->by_addr);
	return alloc_free(j);
}

static struct entry *find(const struct joins *j, uint64_t owner, uint64_t id)
{
	uint64_t key[2] = {owner, id};

	return TABLE_ENTRY(table_find(&j->by_id, slice_make(key, sizeof(key))),
			   struct entry, by_id);
}

static struct entry *find_local(const struct joins *j, const struct addr *a)
{
	uint8_t key[ADDR_KEY_LEN];

	addr_key(a, key);
	return TABLE_ENTRY(
		table_find(&j->by_addr, slice_make(key, sizeof(key))),
		struct entry, by_addr);
}

static void mark(struct joins *j, struct entry *e)
{
	if (list_empty(&e->changed))
		list_append(&j->changed, &e->changed);
}

/* The backend knows already. */
static void parted(struct joins *j, struct entry *e)
{
	struct entry *far = e->far;

	if (!far)
		return;
	e->far = far->far = NULL;
	mark(j, e);
	mark(j, far);
}

static void part(struct joins *j, struct entry *e)
{
	if (e->far)
		j->backend->ops->part(j->backend, e->id);
	parted(j, e);
}

/* RTP and RTCP of e's party are f's two sockets. */
static bool leads_to(const struct entry *e, const struct entry *f)
{
	struct addr rtcp =
		addr_with_port(&f->local, (uint16_t)(f->local.port + 1));

	return e->can_join && addr_eq(&e->remote, &f->local) &&
	       (e->remote_rtcp.family == ADDR_NONE ||
		addr_eq(&e->remote_rtcp, &rtcp));
}

/* The flow e leads into, that leads into e. */
static struct entry *far_of(const struct joins *j, const struct entry *e)
{
	struct entry *f = find_local(j, &e->remote);
	bool is_pair = f && f->id[0] == e->id[0] &&
		       (f->id[1] == e->id[1] || f->id[1] == e->peer_id);

	return f && !is_pair && leads_to(e, f) && leads_to(f, e) ? f : NULL;
}

static void rejoin(struct joins *j, struct entry *e)
{
	struct entry *far = far_of(j, e);

	if (far == e->far)
		return;
	part(j, e);
	if (!far)
		return;
	part(j, far);
	if (j->backend->ops->join(j->backend, e->id, far->id))
		return; /* it goes on in two steps */
	e->far = far;
	far->far = e;
	mark(j, e);
	mark(j, far);
}

int joins_add(struct joins *j, uint64_t owner, const struct flow *f)
{
	struct entry *e = alloc_zero(sizeof(*e));
	int err;

	if (!e)
		return ERR_NOMEM;
	list_init(&e->changed);
	e->id[0] = owner;
	e->id[1] = f->id;
	e->peer_id = f->peer_id;
	e->local = f->local;
	addr_key(&f->local, e->addr_key);
	err = table_add(&j->by_id, &e->by_id, slice_make(e->id, sizeof(e->id)));
	if (!err)
		err = table_add(&j->by_addr, &e->by_addr,
				slice_make(e->addr_key, ADDR_KEY_LEN));
	if (err) {
		entry_free(j, e);
		return err;
	}
	joins_update(j, owner, f);
	return 0;
}

void joins_update(struct joins *j, uint64_t owner, const struct flow *f)
{
	struct entry *e = find(j, owner, f->id);
	struct entry *peer;

	if (!e)
		return;
	peer = find(j, owner, e->peer_id);
	if (!flow_key_eq(&e->in, &f->in)) {
		e->is_rolled = false;
		if (peer && peer->far)
			mark(j, peer->far);
	}
	if (e->far && e->security != f->security)
		mark(j, e->far);
	e->can_join = f->latch == FLOW_LATCH_OFF;
	e->remote = f->remote;
	e->remote_rtcp = f->remote_rtcp;
	e->security = f->security;
	secret_wipe(&e->in, sizeof(e->in));
	e->in = f->in;
	/* Until both are known there is nothing to lead anything into. */
	if (peer)
		rejoin(j, e);
}

void joins_rolled(struct joins *j, uint64_t owner, uint64_t id)
{
	struct entry *e = find(j, owner, id);
	struct entry *peer;

	if (!e || e->is_rolled)
		return;
	e->is_rolled = true;
	peer = find(j, owner, e->peer_id);
	if (peer && peer->far)
		mark(j, peer->far);
}

void joins_remove(struct joins *j, uint64_t owner, uint64_t id)
{
	struct entry *e = find(j, owner, id);
	struct entry *peer;

	if (!e)
		return;
	peer = find(j, owner, e->peer_id);
	parted(j, e);
	if (peer)
		parted(j, peer);
	entry_free(j, e);
}

static struct entry *find_owned(const struct joins *j, size_t bucket,
				uint64_t owner)
{
	struct table_node *n = j->by_id.bucket[bucket];

	for (; n; n = n->next) {
		struct entry *e = TABLE_ENTRY(n, struct entry, by_id);

		if (e->id[0] == owner)
			return e;
	}
	return NULL;
}

void joins_disown(struct joins *j, uint64_t owner)
{
	for (size_t i = 0; i < j->by_id.cap; i++) {
		struct table_node *n = j->by_id.bucket[i];

		for (; n; n = n->next) {
			struct entry *e = TABLE_ENTRY(n, struct entry, by_id);

			if (e->id[0] == owner)
				e->is_orphan = true;
		}
	}
}

void joins_claim(struct joins *j, uint64_t owner, uint64_t id)
{
	struct entry *e = find(j, owner, id);

	if (!e)
		return;
	e->is_orphan = false;
	e->is_told = false;
	if (e->far)
		mark(j, e);
}

bool joins_has(const struct joins *j, uint64_t owner, uint64_t id)
{
	return find(j, owner, id) != NULL;
}

bool joins_unclaimed(const struct joins *j, uint64_t owner, uint64_t *ret_id)
{
	for (size_t i = 0; i < j->by_id.cap; i++) {
		struct table_node *n = j->by_id.bucket[i];

		for (; n; n = n->next) {
			struct entry *e = TABLE_ENTRY(n, struct entry, by_id);

			if (e->id[0] != owner || !e->is_orphan)
				continue;
			*ret_id = e->id[1];
			return true;
		}
	}
	return false;
}

void joins_flush(struct joins *j, uint64_t owner)
{
	struct entry *e;

	for (size_t i = 0; i < j->by_id.cap; i++)
		while ((e = find_owned(j, i, owner)))
			joins_remove(j, owner, e->id[1]);
}

static void fill(const struct joins *j, const struct entry *e,
		 struct media_event *ret)
{
	const struct entry *far = e->far;
	const struct entry *phone;

	*ret = (struct media_event){.kind = far ? MEDIA_EVENT_JOINED
						: MEDIA_EVENT_PARTED,
				    .owner = e->id[0],
				    .flow = e->id[1]};
	if (!far)
		return;
	phone = find(j, far->id[0], far->peer_id);
	ret->security = far->security;
	if (!phone)
		return;
	ret->key = phone->in;
	ret->is_rolled = phone->is_rolled;
}

bool joins_next_event(struct joins *j, struct media_event *ret)
{
	while (!list_empty(&j->changed)) {
		struct entry *e =
			LIST_ENTRY(j->changed.next, struct entry, changed);
		bool is_news = e->far || e->is_told;

		list_del(&e->changed);
		e->is_told = e->far != NULL;
		if (!is_news)
			continue;
		fill(j, e, ret);
		return true;
	}
	return false;
}
