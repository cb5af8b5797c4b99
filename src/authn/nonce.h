/*
 * Nonces for Digest challenges (RFC 7616 section 5.4) that need no memory:
 * issue time, random id, worker number and boot under a MAC, so whoever has the key
 * can tell an authentic one from a forgery and knows its age. What needs
 * memory is the nonce count: a window per nonce in use refuses a request that
 * was seen before. Owned by one worker.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/entropy.h"

enum {
	NONCE_LEN = 56,	    /* characters of a nonce, base64 */
	NONCE_KEY_MIN = 32, /* bytes of the secret key */
	NONCE_ID_LEN = 16,  /* bytes that name a nonce in the window */
	NONCE_BOOT_LEN = 6  /* bytes that name a boot of the host */
};

struct nonce_params {
	struct slice key;	      /* secret, at least NONCE_KEY_MIN bytes */
	struct slice realm;	      /* a nonce is good for one realm only */
	uint16_t worker;	      /* whose window counts its uses */
	uint8_t boot[NONCE_BOOT_LEN]; /* whose clock it is: the time begins
				      again with each boot of the host */
	uint64_t lifetime_ms;	      /* how long a nonce is good */
	uint64_t since_ms; /* the worker's beginning: of what its predecessor
			      issued nobody knows the counts, it is stale */
};

enum nonce_verdict {
	NONCE_OK,    /* authentic and fresh */
	NONCE_STALE, /* authentic, but expired, another worker's or of another
			boot: challenge again with stale=true, the password is not asked */
	NONCE_FORGED /* not ours */
};

/* What an authentic nonce says. */
struct nonce_info {
	uint8_t id[NONCE_ID_LEN]; /* names it in the window */
	uint64_t issued_ms;
	uint64_t expires_ms;
};

/* Make a nonce of NONCE_LEN characters (no NUL) at now_ms into ret.
 * ERR_UNSUPPORTED when the library refuses to hash, ERR_BAD for a short
 * key. */
MUST_CHECK int nonce_make(const struct nonce_params *p, const struct entropy *e,
			  uint64_t now_ms, char *ret);
/*
 * Judge a nonce at now_ms. *ret is written for NONCE_OK only. A nonce from the
 * future is stale.
 */
enum nonce_verdict nonce_check(const struct nonce_params *p, struct slice nonce,
			       uint64_t now_ms, struct nonce_info *ret);
/* The eight hexadecimal digits of nc=; ERR_BAD for anything else and 0. */
MUST_CHECK int nonce_count_parse(struct slice nc, uint32_t *ret);

struct nonce_window;

/*
 * Windows of at most limit nonces; seed for hashing. NULL when memory is out.
 * Owner: the caller, until nonce_window_free.
 */
struct nonce_window *nonce_window_new(uint32_t limit, uint64_t seed);
/* Free w (may be NULL); returns NULL. */
struct nonce_window *nonce_window_free(struct nonce_window *w);
/*
 * Use nonce count nc of an authentic nonce, after the response was verified
 * (so that only those who know a password occupy memory). Counts may arrive
 * out of order within 64. A client without qop uses nc 1: once.
 * ERR_REPLAY: this count was used, or is older than the window. ERR_STATE:
 * the nonce was pushed out by the limit, so nobody knows its counts:
 * challenge again with stale=true. ERR_NOMEM. O(log n).
 */
MUST_CHECK int nonce_window_use(struct nonce_window *w,
				const struct nonce_info *info, uint32_t nc,
				uint64_t now_ms);
/* Nonces in use now. */
uint32_t nonce_window_count(const struct nonce_window *w);
