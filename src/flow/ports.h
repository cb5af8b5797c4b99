/*
 * Pool of relay ports as plain memory: even/odd pairs (RTP, RTCP) of one
 * local address. A pair that is given back rests for a cool-down, so that
 * late packets of the old call do not reach a new one.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct ports;

/*
 * Pool over [min, max] (UDP ports; odd edges are left out). cooldown_ms: how
 * long a returned pair rests. start: where the search begins (random, so that
 * ports are not guessable from the boot). NULL when memory is out or the
 * range holds no pair. Owner: the caller, until ports_free.
 */
struct ports *ports_new(uint16_t min, uint16_t max, uint64_t cooldown_ms,
			uint32_t start);
/* Free p (may be NULL); returns NULL. */
struct ports *ports_free(struct ports *p);
/* Take a pair; *ret_port is the even port. ERR_LIMIT when none is free or
 * cooled down at now_ms. O(1). */
MUST_CHECK int ports_take(struct ports *p, uint64_t now_ms, uint16_t *ret_port);
/* Take this very pair, resting or not: it belongs to a call that was there
 * before the pool. ERR_NOTFOUND when it is none of ours, ERR_EXISTS when it is
 * taken. O(pairs). */
MUST_CHECK int ports_claim(struct ports *p, uint16_t port);
/* Give the pair of the even port back at now_ms. ERR_NOTFOUND when it was
 * not taken. */
int ports_give(struct ports *p, uint64_t now_ms, uint16_t port);
/* Pairs given back from now on rest for so long. */
void ports_cooldown(struct ports *p, uint64_t cooldown_ms);
/* Pairs taken now. */
uint32_t ports_used(const struct ports *p);
/* Pairs in the pool. */
uint32_t ports_total(const struct ports *p);
