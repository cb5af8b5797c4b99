/*
 * How often: request rates per source address and per principal. Memory is
 * bounded: an entry is forgotten when its place is needed, the longest unused
 * first. Owned by one worker.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

enum {
	LIMIT_KEY_MAX = 255 /* bytes of a principal's name that count */
};

struct limit_params {
	uint32_t entries; /* places; at least 1 */
	uint32_t rate;	  /* requests a second per key; 0 = no limit */
	uint32_t burst;	  /* requests at once per key, at least 1 */
	uint64_t seed;	  /* for hashing */
};

struct limit_stats {
	uint64_t rate_refused; /* requests over the rate */
	uint64_t evicted;      /* entries that were forgotten for others */
	uint32_t entries;      /* in use now */
};

struct limit;

/* A table of limits. NULL when memory is out. Owner: the caller, until
 * limit_free. */
struct limit *limit_new(const struct limit_params *p);
/* Free l (may be NULL); returns NULL. */
struct limit *limit_free(struct limit *l);
/* Another rate and burst (see limit_params) for every key, at once. */
void limit_set_rate(struct limit *l, uint32_t rate, uint32_t burst);
/*
 * Count one request of key (a device name; longer than LIMIT_KEY_MAX: its
 * beginning). ERR_LIMIT: over the rate; ERR_NOMEM. O(1).
 */
MUST_CHECK int limit_take(struct limit *l, struct slice key, uint64_t now_ms);
/* The same for a source address, its port ignored. */
MUST_CHECK int limit_take_addr(struct limit *l, const struct addr *source,
			       uint64_t now_ms);
/* Counters. */
void limit_stats(const struct limit *l, struct limit_stats *ret);
