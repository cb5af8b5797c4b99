/*
 * Hash table with a hard entry limit. Nodes live in the objects; keys are
 * hashed with SipHash-like mixing under a secret seed, so an outsider cannot
 * choose collisions. The table never owns the objects.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct table_node {
	struct table_node *next;
	uint64_t hash;
	struct slice key; /* view into the object; stable while linked */
};

struct table {
	struct table_node **bucket; /* cap entries, a power of two */
	size_t cap;
	size_t count; /* linked nodes */
	size_t limit; /* hard limit of count */
	uint64_t seed;
};

/* Object of type that holds the table node ptr as member; NULL for NULL. */
#define TABLE_ENTRY(ptr, type, member) \
	((type *)(void *)((ptr) ? (char *)(ptr)-offsetof(type, member) : NULL))

/* The hash of key under a secret seed, as the table makes it. */
uint64_t table_hash(struct slice key, uint64_t seed);
/* Empty table for at most limit nodes, seeded. Allocates nothing yet. */
void table_init(struct table *t, size_t limit, uint64_t seed);
/* Free the buckets; the objects stay their owner's. */
void table_done(struct table *t);
/*
 * Link node under key, whose bytes must stay where they are while linked.
 * Several nodes may share a key. ERR_LIMIT at the limit, ERR_NOMEM.
 */
MUST_CHECK int table_add(struct table *t, struct table_node *node,
			 struct slice key);
/* First node with this key, or NULL. O(1) expected. */
struct table_node *table_find(const struct table *t, struct slice key);
/* Next node after node with the same key, or NULL. */
struct table_node *table_find_next(const struct table_node *node);
/* Unlink node; nothing happens when it is not in the table. */
void table_del(struct table *t, struct table_node *node);
