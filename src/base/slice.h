/*
 * A read-only view of bytes: pointer and length, never an owner. A struct
 * that keeps a slice says in its own comment which buffer must outlive it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *ptr; /* may be NULL when len is 0 */
	size_t len;	    /* bytes */
};

/* A string literal as a slice (without its NUL); usable as an initialiser. */
#define SLICE(lit)                                         \
	{                                                  \
		(const uint8_t *)("" lit), sizeof(lit) - 1 \
	}

/* The empty slice. */
#define SLICE_NULL ((struct slice){NULL, 0})

/* Arguments for a "%.*s" format; the value must not exceed INT_MAX bytes. */
#define SLICE_FMT(s) \
	(int)(s).len, (const char *)((s).ptr ? (s).ptr : (const uint8_t *)"")

/* View of len bytes at ptr; nothing is copied. */
static inline struct slice slice_make(const void *ptr, size_t len)
{
	return (struct slice){(const uint8_t *)ptr, len};
}

/* View of a NUL-terminated string without its NUL; str may be NULL (empty). */
static inline struct slice slice_str(const char *str)
{
	return slice_make(str, str ? strlen(str) : 0);
}

/* True when both have the same bytes (not constant-time: not for secrets). */
static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* True when s has exactly the bytes of the NUL-terminated str. */
static inline bool slice_eqs(struct slice s, const char *str)
{
	return slice_eq(s, slice_str(str));
}

/* The part of s from byte off on, at most len bytes; clamped to s. */
static inline struct slice slice_sub(struct slice s, size_t off, size_t len)
{
	if (off > s.len)
		off = s.len;
	if (len > s.len - off)
		len = s.len - off;
	return s.ptr ? slice_make(s.ptr + off, len) : SLICE_NULL;
}

/* The part of s from byte off to its end; clamped to s. */
static inline struct slice slice_from(struct slice s, size_t off)
{
	return slice_sub(s, off, s.len);
}

/* True when s begins with the NUL-terminated prefix. */
static inline bool slice_starts(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && (n == 0 || memcmp(s.ptr, prefix, n) == 0);
}
