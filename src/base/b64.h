/* Base64 with the standard alphabet and padding (RFC 4648 section 4). */
#pragma once

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

/* Append s in base64 with padding. */
void b64_encode(struct writer *w, struct slice s);
/*
 * Decode s; padding is required when strict RFC 4648 asks for it, except
 * that it may be missing altogether (seen in a=crypto of some phones).
 * Returns ERR_BAD for a wrong character, length or trailing bits, ERR_SPACE
 * when cap bytes are too few. *ret_len gets the number of bytes.
 */
MUST_CHECK int b64_decode(struct slice s, uint8_t *buf, size_t cap,
			  size_t *ret_len);
