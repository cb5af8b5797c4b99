/*
 * The only way to the heap. Memory comes zeroed; sizes are checked for
 * overflow and limited, so a hostile length cannot become a huge block. The
 * tests wrap calloc and realloc below it and rerun each test with the n-th
 * allocation failing (tests/lib/oom.h), which is why nothing else calls them.
 */
#pragma once

#include <stddef.h>

#include "base/slice.h"

enum {
	ALLOC_MAX = 64 << 20, /* largest single block in bytes */
};

/* Zeroed block of size bytes (size 0 gives 1); NULL when memory is out or
 * size exceeds ALLOC_MAX. Owner: the caller, until alloc_free. */
void *alloc_zero(size_t size);
/* Zeroed array of count items of size bytes; NULL as above or on overflow. */
void *alloc_array(size_t count, size_t size);
/* Grow or shrink ptr (may be NULL) to count items of size bytes; new bytes
 * are not zeroed. NULL leaves ptr as it was. */
void *alloc_resize(void *ptr, size_t count, size_t size);
/* Copy of s followed by a NUL, or NULL. */
void *alloc_copy(struct slice s);
/* Free ptr (may be NULL); returns NULL so that p = alloc_free(p) clears. */
void *alloc_free(void *ptr);
