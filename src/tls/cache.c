#include "tls/cache.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/secret.h"
#include "base/table.h"

struct entry {
	struct table_node node;
	struct list used; /* the cache's, oldest first */
	uint8_t key[TLS_CACHE_KEY_MAX];
	size_t len;
	uint8_t data[];
};

struct tls_cache {
	struct table table;
	struct list used;
	size_t count_max;
	size_t bytes_max;
	size_t bytes; /* of the sessions now */
};

int tls_cache_new(size_t count, size_t bytes, uint64_t seed,
		  struct tls_cache **ret)
{
	struct tls_cache *c = alloc_zero(sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	table_init(&c->table, count, seed);
	list_init(&c->used);
	c->count_max = count;
	c->bytes_max = bytes;
	*ret = c;
	return 0;
}

static void forget(struct tls_cache *c, struct entry *e)
{
	table_del(&c->table, &e->node);
	list_del(&e->used);
	c->bytes -= e->len;
	secret_wipe(e->data, e->len);
	(void)alloc_free(e);
}

static struct entry *oldest(struct tls_cache *c)
{
	return LIST_ENTRY(c->used.next, struct entry, used);
}

struct tls_cache *tls_cache_free(struct tls_cache *c)
{
	if (!c)
		return NULL;
	while (!list_empty(&c->used))
		forget(c, oldest(c));
	table_done(&c->table);
	return alloc_free(c);
}

static struct entry *find(const struct tls_cache *c, struct slice key)
{
	return TABLE_ENTRY(table_find(&c->table, key), struct entry, node);
}

int tls_cache_put(struct tls_cache *c, struct slice key, struct slice data)
{
	struct entry *e;

	if (key.len == 0 || key.len > TLS_CACHE_KEY_MAX ||
	    data.len > TLS_CACHE_DATA_MAX || data.len > c->bytes_max ||
	    c->count_max == 0)
		return ERR_LIMIT;
	tls_cache_del(c, key);
	while (!list_empty(&c->used) && (c->table.count >= c->count_max ||
					 data.len > c->bytes_max - c->bytes))
		forget(c, oldest(c));
	e = alloc_zero(sizeof(*e) + data.len);
	if (!e)
		return ERR_NOMEM;
	memcpy(e->key, key.ptr, key.len);
	if (data.len > 0)
		memcpy(e->data, data.ptr, data.len);
	e->len = data.len;
	if (table_add(&c->table, &e->node, slice_make(e->key, key.len)) != 0) {
		secret_wipe(e->data, e->len);
		(void)alloc_free(e);
		return ERR_NOMEM;
	}
	list_append(&c->used, &e->used);
	c->bytes += e->len;
	return 0;
}

int tls_cache_get(struct tls_cache *c, struct slice key, struct slice *ret)
{
	struct entry *e = find(c, key);

	if (!e)
		return ERR_NOTFOUND;
	list_del(&e->used);
	list_append(&c->used, &e->used);
	*ret = slice_make(e->data, e->len);
	return 0;
}

void tls_cache_del(struct tls_cache *c, struct slice key)
{
	struct entry *e = find(c, key);

	if (e)
		forget(c, e);
}

size_t tls_cache_count(const struct tls_cache *c)
{
	return c->table.count;
}
