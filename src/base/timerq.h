/*
 * A heap of deadlines in virtual time: the caller passes now. Nodes live in
 * the objects. All times are milliseconds of one monotonic clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { TIMERQ_NONE = 0 };

struct timerq_node {
	uint64_t at_ms; /* deadline */
	uint32_t pos;	/* place in the heap plus one; TIMERQ_NONE = not set */
};

struct timerq {
	struct timerq_node **heap;
	uint32_t count; /* nodes set */
	uint32_t cap;	/* allocated places */
};

/* Object of type that holds the timer node ptr as member. */
#define TIMERQ_ENTRY(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Empty queue; allocates nothing yet. */
void timerq_init(struct timerq *q);
/* Free the heap; the objects stay their owner's. */
void timerq_done(struct timerq *q);
/* Set or move node's deadline. O(log n). ERR_NOMEM only when it was unset
 * and the heap had to grow. */
MUST_CHECK int timerq_set(struct timerq *q, struct timerq_node *node,
			  uint64_t at_ms);
/* Clear node; nothing happens when it is unset. O(log n). */
void timerq_clear(struct timerq *q, struct timerq_node *node);
/* The earliest deadline, or UINT64_MAX when there is none. O(1). */
uint64_t timerq_next(const struct timerq *q);
/* Take out one node whose deadline is <= now_ms, or NULL. O(log n). */
struct timerq_node *timerq_pop(struct timerq *q, uint64_t now_ms);
