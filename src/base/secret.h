/*
 * Key material: wiped on every path, compared in constant time, kept out of
 * core dumps. Local arrays are wiped with secret_wipe before they go out of
 * scope; longer-lived secrets are a struct secret.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct secret {
	uint8_t *ptr; /* own pages, MADV_DONTDUMP; NULL when empty */
	size_t len;   /* bytes */
};

/* Overwrite len bytes at ptr in a way no optimiser removes. */
void secret_wipe(void *ptr, size_t len);
/* Equal contents; time depends on the lengths only. */
bool secret_eq(struct slice a, struct slice b);
/* Make s a copy of bytes; s must be empty. ERR_NOMEM. */
MUST_CHECK int secret_init(struct secret *s, struct slice bytes);
/* Wipe and free; s becomes empty. Takes an empty s. */
void secret_done(struct secret *s);
/* View of the bytes, valid until secret_done. */
struct slice secret_slice(const struct secret *s);
