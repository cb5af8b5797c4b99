/*
 * "Use that private key": the interface between those who need a signature
 * (TLS handshakes, signed files) and those who hold keys (the keys process).
 * The pipeline never sees a private key, only names of keys and results.
 */
#pragma once

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

enum {
	SIGNER_KEY_ID_MAX = 64, /* bytes of a key id */
	SIGNER_IN_MAX = 4096,	/* bytes to be signed or decrypted */
	SIGNER_OUT_MAX = 1024	/* bytes of a signature, RSA 8192 fits */
};

/*
 * What can be done with a named key. key_id: as the holder of the keys knows
 * it, at most SIGNER_KEY_ID_MAX bytes. Both calls may wait for another
 * process. Errors: ERR_NOTFOUND (no such key), ERR_UNSUPPORTED (the key cannot
 * do alg), ERR_DENIED (this caller may not), ERR_SPACE, ERR_CLOSED,
 * ERR_TIMEOUT, ERR_IO (the library refused).
 */
struct signer {
	/*
	 * Append the signature to *ret_sig. alg: a gnutls_sign_algorithm_t of
	 * the GnuTLS both ends are linked with (one binary). hash: the digest
	 * made with alg's hash; for algorithms that hash by themselves
	 * (EdDSA) the message; for GNUTLS_SIGN_RSA_RAW the bytes to be padded.
	 */
	int (*sign)(void *ctx, struct slice key_id, int alg, struct slice hash,
		    struct writer *ret_sig);
	/* Append the PKCS#1 v1.5 decryption of data to *ret_plain (the caller
	 * wipes it): TLS with RSA key transport. */
	int (*decrypt)(void *ctx, struct slice key_id, struct slice data,
		       struct writer *ret_plain);
	void *ctx; /* for both */
};
