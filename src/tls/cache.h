/*
 * Sessions of peers that know no tickets (RFC 5246 section 7.4.1.2, session
 * IDs), so that they can be resumed: in memory, bounded, the one that was not
 * used for longest goes first. A worker's own; what it holds is secret and
 * wiped. One thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
	TLS_CACHE_KEY_MAX = 64,	   /* bytes of policy and session ID */
	TLS_CACHE_DATA_MAX = 16384 /* bytes of a session, chain included */
};

struct tls_cache;

/* Nothing in it; at most count sessions of bytes bytes in all. seed: of its
 * hash. ERR_NOMEM. */
MUST_CHECK int tls_cache_new(size_t count, size_t bytes, uint64_t seed,
			     struct tls_cache **ret);
/* Wipe and free c (may be NULL); returns NULL. */
struct tls_cache *tls_cache_free(struct tls_cache *c);
/* Keep a session under key, in place of an older one (copied). ERR_LIMIT for
 * a session that is too large, ERR_NOMEM. */
MUST_CHECK int tls_cache_put(struct tls_cache *c, struct slice key,
			     struct slice data);
/* The session under key, valid until the next call; ERR_NOTFOUND. */
MUST_CHECK int tls_cache_get(struct tls_cache *c, struct slice key,
			     struct slice *ret);
/* Forget it, if it is there. */
void tls_cache_del(struct tls_cache *c, struct slice key);
/* Sessions in it. */
size_t tls_cache_count(const struct tls_cache *c);
