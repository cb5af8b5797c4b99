/* Reading test vectors from tests/vectors. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { VECTOR_MAX = 128 << 10 };

/* The bytes of tests/vectors/name; the caller frees them. Aborts the test
 * program when the file is missing. */
uint8_t *vector_read(const char *name, size_t *ret_len);
