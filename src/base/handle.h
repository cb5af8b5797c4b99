/*
 * A name for an object that may vanish: index and generation. Handles cross
 * stage borders where pointers must not; a stale one is a clean ERR_NOTFOUND,
 * never a use after free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct handle {
	uint32_t index; /* slot */
	uint32_t gen;	/* generation; 0 = no object */
};

/* The handle of nothing. */
#define HANDLE_NONE ((struct handle){0, 0})

/* True when h names nothing. */
static inline bool handle_is_none(struct handle h)
{
	return h.gen == 0;
}

/* Same object. */
static inline bool handle_eq(struct handle a, struct handle b)
{
	return a.index == b.index && a.gen == b.gen;
}

/* h as one number, for keys and logs. */
static inline uint64_t handle_u64(struct handle h)
{
	return (uint64_t)h.gen << 32 | h.index;
}

struct slot {
	void *obj;     /* NULL when free */
	uint32_t gen;  /* of the present or last object; never 0 in use */
	uint32_t next; /* next free slot */
};

/* Slots for objects of one kind; grows up to a hard limit. */
struct slots {
	struct slot *slot; /* cap entries */
	uint32_t cap;	   /* allocated slots */
	uint32_t limit;	   /* hard limit of live objects */
	uint32_t count;	   /* live objects */
	uint32_t free;	   /* head of the free list, UINT32_MAX = none */
};

/* Empty slots for at most limit objects. */
void slots_init(struct slots *s, uint32_t limit);
/* Free the slots; the objects stay their owner's. */
void slots_done(struct slots *s);
/* Give obj (not NULL) a handle. ERR_LIMIT at the limit, ERR_NOMEM. */
MUST_CHECK int slots_add(struct slots *s, void *obj, struct handle *ret);
/* The object of h, or NULL when it is gone. O(1). */
void *slots_find(const struct slots *s, struct handle h);
/* Retire h; nothing happens when it is stale. */
void slots_del(struct slots *s, struct handle h);
/* Walk: object at or after *index (start with 0), advancing it; NULL at the
 * end. The walk may delete the object it was just given. */
void *slots_next(const struct slots *s, uint32_t *index);
