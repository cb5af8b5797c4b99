#include "authz/limit.h"

#include "base/alloc.h"
#include "base/bucket.h"
#include "base/list.h"
#include "base/table.h"
#include "base/writer.h"

/* Names and addresses share the table; the first byte keeps them apart. */
enum { KIND_NAME = 'n', KIND_ADDR = 'a', KEY_MAX = 1 + LIMIT_KEY_MAX };

struct entry {
	struct table_node node;
	struct list idle; /* linked in limit.idle while open is 0 */
	struct bucket bucket;
	uint32_t open;
	uint8_t key[]; /* node.key views it */
};

struct limit {
	struct limit_params params;
	struct table table;
	struct list idle; /* entries with nothing open, longest unused first */
	struct list busy; /* entries with something open */
	struct limit_stats stats;
};

struct limit *limit_new(const struct limit_params *p)
{
	struct limit *l = alloc_zero(sizeof(*l));

	if (!l)
		return NULL;
	l->params = *p;
	table_init(&l->table, p->entries > 0 ? p->entries : 1, p->seed);
	list_init(&l->idle);
	list_init(&l->busy);
	return l;
}

static void drop(struct limit *l, struct list *node)
{
	struct entry *e = LIST_ENTRY(node, struct entry, idle);

	table_del(&l->table, &e->node);
	list_del(&e->idle);
	alloc_free(e);
}

struct limit *limit_free(struct limit *l)
{
	if (!l)
		return NULL;
	while (!list_empty(&l->idle))
		drop(l, l->idle.next);
	while (!list_empty(&l->busy))
		drop(l, l->busy.next);
	table_done(&l->table);
	return alloc_free(l);
}

static struct slice make_key(uint8_t *buf, uint8_t kind, struct slice name)
{
	struct writer w;

	writer_init(&w, buf, KEY_MAX);
	writer_u8(&w, kind);
	writer_put(&w, slice_sub(name, 0, LIMIT_KEY_MAX));
	return writer_slice(&w);
}

/* Last in the list it belongs to. */
static void touch(struct limit *l, struct entry *e)
{
	list_del(&e->idle);
	list_append(e->open > 0 ? &l->busy : &l->idle, &e->idle);
}

static int add(struct limit *l, struct slice key, uint64_t now_ms,
	       struct entry **ret)
{
	struct entry *e;
	int err;

	if (l->table.count >= l->table.limit) {
		if (list_empty(&l->idle)) {
			l->stats.full++;
			return ERR_LIMIT;
		}
		drop(l, l->idle.next);
		l->stats.evicted++;
	}
	e = alloc_zero(sizeof(*e) + key.len);
	if (!e)
		return ERR_NOMEM;
	memcpy(e->key, key.ptr, key.len);
	list_init(&e->idle);
	bucket_init(&e->bucket, l->params.rate, l->params.burst, now_ms);
	err = table_add(&l->table, &e->node, slice_make(e->key, key.len));
	if (err) {
		alloc_free(e);
		return err;
	}
	*ret = e;
	return 0;
}

static struct entry *find(const struct limit *l, struct slice key)
{
	return TABLE_ENTRY(table_find(&l->table, key), struct entry, node);
}

static int find_or_add(struct limit *l, struct slice key, uint64_t now_ms,
		       struct entry **ret)
{
	struct entry *e = find(l, key);
	int err = 0;

	if (!e)
		err = add(l, key, now_ms, &e);
	if (err)
		return err;
	touch(l, e);
	*ret = e;
	return 0;
}

static void set_rate(struct list *entries, uint32_t rate, uint32_t burst)
{
	struct list *n;

	list_for_each(n, entries)
		bucket_set(&LIST_ENTRY(n, struct entry, idle)->bucket, rate,
			   burst);
}

void limit_set_rate(struct limit *l, uint32_t rate, uint32_t burst)
{
	l->params.rate = rate;
	l->params.burst = burst;
	set_rate(&l->idle, rate, burst);
	set_rate(&l->busy, rate, burst);
}

static int take(struct limit *l, struct slice key, uint64_t now_ms)
{
	struct entry *e;
	int err;

	if (l->params.rate == 0)
		return 0;
	err = find_or_add(l, key, now_ms, &e);
	if (err)
		return err;
	if (bucket_take(&e->bucket, now_ms))
		return 0;
	l->stats.rate_refused++;
	return ERR_LIMIT;
}

int limit_take(struct limit *l, struct slice key, uint64_t now_ms)
{
	uint8_t buf[KEY_MAX];

	return take(l, make_key(buf, KIND_NAME, key), now_ms);
}

int limit_take_addr(struct limit *l, const struct addr *source, uint64_t now_ms)
{
	uint8_t buf[KEY_MAX];
	size_t len = source->family == ADDR_V4 ? 4 : 16;

	return take(l, make_key(buf, KIND_ADDR, slice_make(source->ip, len)),
		    now_ms);
}

int limit_open(struct limit *l, struct slice key, uint64_t now_ms)
{
	uint8_t buf[KEY_MAX];
	struct entry *e;
	int err;

	err = find_or_add(l, make_key(buf, KIND_NAME, key), now_ms, &e);
	if (err)
		return err;
	if (l->params.open > 0 && e->open >= l->params.open) {
		l->stats.open_refused++;
		return ERR_LIMIT;
	}
	e->open++;
	touch(l, e);
	return 0;
}

void limit_close(struct limit *l, struct slice key)
{
	uint8_t buf[KEY_MAX];
	struct entry *e = find(l, make_key(buf, KIND_NAME, key));

	if (!e || e->open == 0)
		return;
	e->open--;
	touch(l, e);
}

uint32_t limit_open_count(const struct limit *l, struct slice key)
{
	uint8_t buf[KEY_MAX];
	const struct entry *e = find(l, make_key(buf, KIND_NAME, key));

	return e ? e->open : 0;
}

void limit_stats(const struct limit *l, struct limit_stats *ret)
{
	*ret = l->stats;
	ret->entries = (uint32_t)l->table.count;
}
