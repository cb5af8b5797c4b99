#include "base/table.h"

#include "base/alloc.h"

enum { TABLE_FIRST = 64 };

static uint64_t rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void sip_round(uint64_t *v)
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein) with the seed in both key words. */
uint64_t table_hash(struct slice key, uint64_t seed)
{
	uint64_t v[4] = {0x736f6d6570736575ULL ^ seed,
			 0x646f72616e646f6dULL ^ rotl(seed, 32),
			 0x6c7967656e657261ULL ^ seed,
			 0x7465646279746573ULL ^ rotl(seed, 32)};
	uint64_t m;
	size_t i;

	for (i = 0; i + 8 <= key.len; i += 8) {
		memcpy(&m, key.ptr + i, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = (uint64_t)key.len << 56;
	for (size_t k = 0; i + k < key.len; k++)
		m |= (uint64_t)key.ptr[i + k] << (8 * k);
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (unsigned r = 0; r < 3; r++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void table_init(struct table *t, size_t limit, uint64_t seed)
{
	*t = (struct table){.limit = limit, .seed = seed};
}

void table_done(struct table *t)
{
	t->bucket = alloc_free(t->bucket);
	t->cap = 0;
	t->count = 0;
}

static struct table_node **slot_of(const struct table *t, uint64_t hash)
{
	return &t->bucket[hash & (t->cap - 1)];
}

static int table_grow(struct table *t)
{
	size_t cap = t->cap ? t->cap * 2 : TABLE_FIRST;
	struct table_node **old = t->bucket;
	size_t old_cap = t->cap;
	struct table_node **p = alloc_array(cap, sizeof(struct table_node *));

	if (!p)
		return old ? 0 : ERR_NOMEM; /* a full table still works */
	t->bucket = p;
	t->cap = cap;
	for (size_t i = 0; i < old_cap; i++) {
		struct table_node *n = old[i];

		while (n) {
			struct table_node *next = n->next;
			struct table_node **b = slot_of(t, n->hash);

			n->next = *b;
			*b = n;
			n = next;
		}
	}
	alloc_free(old);
	return 0;
}

int table_add(struct table *t, struct table_node *node, struct slice key)
{
	struct table_node **b;

	if (t->count >= t->limit)
		return ERR_LIMIT;
	if (t->count >= t->cap) {
		int err = table_grow(t);

		if (err)
			return err;
	}
	node->key = key;
	node->hash = table_hash(key, t->seed);
	b = slot_of(t, node->hash);
	node->next = *b;
	*b = node;
	t->count++;
	return 0;
}

static struct table_node *match(struct table_node *n, uint64_t hash,
				struct slice key)
{
	while (n && (n->hash != hash || !slice_eq(n->key, key)))
		n = n->next;
	return n;
}

struct table_node *table_find(const struct table *t, struct slice key)
{
	uint64_t hash;

	if (t->cap == 0)
		return NULL;
	hash = table_hash(key, t->seed);
	return match(*slot_of(t, hash), hash, key);
}

struct table_node *table_find_next(const struct table_node *node)
{
	return match(node->next, node->hash, node->key);
}

void table_del(struct table *t, struct table_node *node)
{
	struct table_node **b;

	if (t->cap == 0)
		return;
	for (b = slot_of(t, node->hash); *b; b = &(*b)->next) {
		if (*b == node) {
			*b = node->next;
			node->next = NULL;
			t->count--;
			return;
		}
	}
}
