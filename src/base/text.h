/*
 * Text on slices: ASCII only, no locale, no NUL termination. Used by every
 * line-based parser (SIP, SDP, configuration values).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* ASCII lower case of c; other bytes unchanged. */
static inline uint8_t text_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* True for '0'..'9'. */
static inline bool text_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* True for ASCII letters and digits. */
static inline bool text_is_alnum(uint8_t c)
{
	uint8_t l = text_lower(c);

	return text_is_digit(c) || (l >= 'a' && l <= 'z');
}

/* True for the token characters of RFC 3261 section 25.1. */
bool text_is_token(uint8_t c);
/* True when s is not empty and all token characters. */
bool text_all_token(struct slice s);
/* Equal without regard to ASCII case. */
bool text_ieq(struct slice a, struct slice b);
/* Equal to the NUL-terminated str without regard to ASCII case. */
bool text_ieqs(struct slice a, const char *str);
/* s without leading and trailing blanks, tabs, CR and LF. */
struct slice text_trim(struct slice s);
/*
 * Cut s at the first byte c: ret_head gets what stands before, ret_tail what
 * follows (both may be NULL). True when c was found; otherwise head = s and
 * tail is empty.
 */
bool text_cut(struct slice s, uint8_t c, struct slice *ret_head,
	      struct slice *ret_tail);
/*
 * Take the next element of a list separated by sep out of *s, trimmed; sep
 * inside "quoted strings" (with \ escapes) and <angle brackets> does not
 * count. False when *s is used up. Linear over the whole list.
 */
bool text_next(struct slice *s, uint8_t sep, struct slice *ret_item);
/* Offset of needle in s, or -1. O(len * needle). */
long text_find(struct slice s, const char *needle);
/*
 * Strict decimal: only digits, at least one, no sign, at most max.
 * ERR_BAD when it is not a number, ERR_LIMIT when it exceeds max.
 */
MUST_CHECK int text_dec(struct slice s, uint64_t max, uint64_t *ret_v);
/* Copy s and a NUL into buf of cap bytes; ERR_SPACE when it does not fit,
 * ERR_BAD when s holds a NUL. */
MUST_CHECK int text_copy(struct slice s, char *buf, size_t cap);
/* FNV-1a hash of s in lower case, mixed with seed; for struct table keys
 * the table seeds again. */
uint64_t text_ihash(struct slice s, uint64_t seed);
