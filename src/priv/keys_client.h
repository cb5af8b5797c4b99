/*
 * A worker's side of the keys process: a struct signer for TLS (blocking,
 * with a timeout, inside handshakes) and asynchronous requests for everything
 * else. Both use the same channel; answers to asynchronous requests that come
 * in while a signature is waited for are kept and delivered from the loop.
 * A keys process that hangs is waited for once; then blocking requests fail at
 * once for a second. One thread.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "pki/signer.h"
#include "priv/keys_wire.h"

struct keys_client;

/* The answer to keys_client_check: cookie as given; err: 0, ERR_AUTH,
 * ERR_TIMEOUT, ERR_CLOSED...; data: what
 * keys_client_answer asked for, else empty. */
typedef void (*keys_answer_fn)(void *ctx, uint64_t cookie, int err,
			       struct slice data);

struct keys_client_params {
	struct loop *loop;	 /* outlives the client; NULL: only the blocking
				calls are used */
	int fd;			 /* SEQPACKET, owned by the client */
	uint32_t timeout_ms;	 /* of each request; 0 = 2000 */
	uint32_t pending_max;	 /* asynchronous requests; 0 = 1024 */
	keys_answer_fn answer;	 /* may be NULL without asynchronous requests */
	void (*down)(void *ctx); /* the keys process is gone; may be NULL */
	void *ctx;		 /* for both */
};

/* ERR_NOMEM, ERR_IO; then p->fd stays the caller's. */
MUST_CHECK int keys_client_new(const struct keys_client_params *p,
			       struct keys_client **ret);
/* Close and free; no more answers come. Takes NULL, returns NULL. */
struct keys_client *keys_client_free(struct keys_client *c);
/* Go on with a new keys process (the old one died): pending requests have
 * been answered ERR_CLOSED. fd is then the client's. ERR_IO, ERR_NOMEM. */
MUST_CHECK int keys_client_reconnect(struct keys_client *c, int fd);
/* The signer for tls_creds_identity; lifetime of c. */
const struct signer *keys_client_signer(struct keys_client *c);
/* Blocking: append the public key of a named key (SubjectPublicKeyInfo, DER)
 * to *ret_der. ERR_NOTFOUND, ERR_SPACE, ERR_TIMEOUT, ERR_CLOSED. */
MUST_CHECK int keys_client_pubkey(struct keys_client *c, struct slice key,
				  struct writer *ret_der);
/* Blocking: append the ticket key all workers share (secret; 64 bytes).
 * Errors as above. */
MUST_CHECK int keys_client_ticket(struct keys_client *c,
				  struct writer *ret_key);
/* Blocking: append the key of nonces (secret, KEYS_WRAP_LEN bytes) and the name
 * of the host's boot (KEYS_BOOT_LEN). Errors as above. */
MUST_CHECK int keys_client_nonce(struct keys_client *c, struct writer *ret_key);
/* Blocking: append a new data key (secret, KEYS_WRAP_LEN bytes) to ret_key,
 * and to ret_wrapped what keys_client_unwrap makes it from. Errors as above. */
MUST_CHECK int keys_client_wrap(struct keys_client *c, struct writer *ret_key,
				struct writer *ret_wrapped);
/* Blocking: append the data key (secret) that was wrapped. Errors as above,
 * ERR_BAD: not ours. */
MUST_CHECK int keys_client_unwrap(struct keys_client *c, struct slice wrapped,
				  struct writer *ret_key);
/* Blocking: encrypt the HA1s of seal (user, realm, ha1, ha1_count; the rest
 * is filled in here) into *ret_blob. Errors as above, ERR_BAD. */
MUST_CHECK int keys_client_seal(struct keys_client *c,
				struct keys_request *seal,
				struct writer *ret_blob);
/* Blocking: encrypt user and password (seal: user, realm, data) of a realm of
 * call managers into *ret_blob. Errors as keys_client_seal. */
MUST_CHECK int keys_client_seal_realm(struct keys_client *c,
				      struct keys_request *seal,
				      struct writer *ret_blob);
/* Ask for the digest response to a challenge of such a realm (q without user
 * and response); it comes to answer() as two blobs, user and response. Errors
 * as keys_client_check. */
MUST_CHECK int keys_client_answer(struct keys_client *c,
				  const struct keys_check *q, uint64_t cookie);
/*
 * Ask whether a digest response is right; the answer comes to answer() with
 * this cookie: 0, ERR_AUTH (wrong), ERR_NOTFOUND (no HA1 of that algorithm),
 * ERR_BAD (blob), ERR_TIMEOUT, ERR_CLOSED. ERR_LIMIT (pending_max, or the
 * channel is full), ERR_CLOSED, ERR_NOMEM at once, without an answer.
 */
MUST_CHECK int keys_client_check(struct keys_client *c,
				 const struct keys_check *q, uint64_t cookie);
