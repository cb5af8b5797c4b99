/* Hexadecimal (RFC 4648 section 8). */
#pragma once

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

/* Append s in lower-case hexadecimal. */
void hex_encode(struct writer *w, struct slice s);
/* Decode exactly cap bytes from 2 * cap digits of either case; ERR_BAD
 * otherwise. */
MUST_CHECK int hex_decode(struct slice s, uint8_t *buf, size_t cap);
