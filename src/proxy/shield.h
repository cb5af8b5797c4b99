/*
 * Addresses that nothing is sent to and nothing taken from while IPsec does
 * not protect them. Which they are the configuration says, which of them are
 * protected the monitor tells; until it has, none is.
 */
#pragma once

#include "base/addr.h"
#include "config/config.h"

struct shield;

struct shield_stats {
	uint64_t in, out; /* messages held back */
	uint32_t held;	  /* addresses without protection now */
};

/* Guard the addresses of c's trunks with require-ipsec = yes; seed: for
 * hashing. NULL: no memory. Owner: the caller, until shield_free. */
struct shield *shield_new(const struct config *c, uint64_t seed);
/* Free s (may be NULL); returns NULL. */
struct shield *shield_free(struct shield *s);
/* Write the news for shield_set: count addresses are protected. */
void shield_write(struct writer *w, const struct addr *a, uint32_t count);
/* These addresses are protected, all others that s guards are not. ERR_BAD:
 * not what shield_write wrote; nothing has changed then. */
MUST_CHECK int shield_set(struct shield *s, struct slice news);
/* Must a message to or from a be held back? Counts it. O(1); false for every
 * address that is not guarded. Ports do not count. */
bool shield_holds(struct shield *s, const struct addr *a, bool is_out);
/* s goes on where old was: what is known of addresses, and counters. */
void shield_follow(struct shield *s, const struct shield *old);
/* Counters. */
void shield_stats(const struct shield *s, struct shield_stats *ret);
