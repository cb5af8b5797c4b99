/*
 * Authenticated encryption of small secrets at rest: AES-256-GCM (NIST SP
 * 800-38D) with a random nonce. A sealed blob is: version (1 byte), nonce
 * (12), cipher text, tag (16). What aad says is bound to it.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

enum {
	SEAL_KEY_LEN = 32,
	SEAL_OVERHEAD = 29, /* bytes a blob is longer than its content */
	SEAL_VERSION = 1
};

/* Append plain, encrypted under key (SEAL_KEY_LEN bytes). ERR_SPACE, ERR_BAD
 * (key length), ERR_IO (the library refuses). */
MUST_CHECK int seal_close(struct slice key, struct slice aad,
			  struct slice plain, struct writer *ret_blob);
/* Decrypt blob into buf of cap bytes; *ret_len were written, a secret. ERR_AUTH
 * when key, aad or blob are not those of seal_close, ERR_BAD, ERR_SPACE,
 * ERR_UNSUPPORTED (version). */
MUST_CHECK int seal_open(struct slice key, struct slice aad, struct slice blob,
			 uint8_t *buf, size_t cap, size_t *ret_len);
/* Another key (SEAL_KEY_LEN bytes) that follows from key and label and gives
 * neither away: HMAC-SHA-256. ERR_BAD (key length), ERR_IO. */
MUST_CHECK int seal_derive(struct slice key, struct slice label,
			   uint8_t ret[SEAL_KEY_LEN]);
