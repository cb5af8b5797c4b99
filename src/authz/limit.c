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
	struct list used; /* in limit.used */
	struct bucket bucket;
	uint8_t key[]; /* node.key views it */
};

struct limit {
	struct limit_params params;
	struct table table;
	struct list used; /* entries, the longest unused first */
	struct limit_stats stats;
};

struct limit *limit_new(const struct limit_params *p)
{
	struct limit *l = alloc_zero(sizeof(*l));

	if (!l)
		return NULL;
	l->params = *p;
	table_init(&l->table, p->entries > 0 ? p->entries : 1, p->seed);
	list_init(&l->used);
	return l;
}

static void drop(struct limit *l, struct list *node)
{
	struct entry *e = LIST_ENTRY(node, struct entry, used);

	table_del(&l->table, &e->node);
	list_del(&e->used);
	alloc_free(e);
}

struct limit *limit_free(struct limit *l)
{
	if (!l)
		return NULL;
	while (!list_empty(&l->used))
		drop(l, l->used.next);
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

static int add(struct limit *l, struct slice key, uint64_t now_ms,
	       struct entry **ret)
{
	struct entry *e;
	int err;

	if (l->table.count >= l->table.limit) {
		drop(l, l->used.next);
		l->stats.evicted++;
	}
	e = alloc_zero(sizeof(*e) + key.len);
	if (!e)
		return ERR_NOMEM;
	memcpy(e->key, key.ptr, key.len);
	list_init(&e->used);
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
	list_del(&e->used);
	list_append(&l->used, &e->used);
	*ret = e;
	return 0;
}

void limit_set_rate(struct limit *l, uint32_t rate, uint32_t burst)
{
	struct list *n;

	l->params.rate = rate;
	l->params.burst = burst;
	list_for_each(n, &l->used)
		bucket_set(&LIST_ENTRY(n, struct entry, used)->bucket, rate,
			   burst);
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

void limit_stats(const struct limit *l, struct limit_stats *ret)
{
	*ret = l->stats;
	ret->entries = (uint32_t)l->table.count;
}
