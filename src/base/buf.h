/*
 * A queue of bytes that grows on demand up to the caller's limit: appended at
 * its end, used up at its beginning, freed when empty. Old memory is wiped,
 * because signalling carries keys. A zeroed struct is an empty queue.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct buf {
	uint8_t *ptr; /* cap bytes, NULL when empty */
	size_t off;   /* first byte not yet used up */
	size_t len;   /* bytes waiting from off on */
	size_t cap;
};

/* Bytes waiting; the view is valid until the next call that changes b. */
struct slice buf_slice(const struct buf *b);
/* Append bytes; afterwards at most limit wait. ERR_LIMIT, ERR_NOMEM: then
 * nothing was appended. Amortised O(len). */
MUST_CHECK int buf_add(struct buf *b, struct slice bytes, size_t limit);
/* Use up the first len bytes, at most all. */
void buf_drop(struct buf *b, size_t len);
/* Wipe and free; b is empty. */
void buf_done(struct buf *b);
