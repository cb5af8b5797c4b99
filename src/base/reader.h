/*
 * Bounds-checked input cursor with a sticky error: a read past the end gives
 * zero, marks the reader bad, and every later read gives zero too, so a
 * parser reads a whole group and asks reader_ok() once. Byte order is in the
 * name. A reader never owns the bytes it walks over.
 *
 * What is read most is inline: a relayed packet's header is some ten reads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/be.h"
#include "base/slice.h"

struct reader {
	const uint8_t *pos; /* next byte to read */
	const uint8_t *end; /* one past the last byte */
	bool bad;	    /* sticky: something was read past the end */
};

/* Start reading s; s must outlive the reader. */
static inline void reader_init(struct reader *r, struct slice s)
{
	static const uint8_t none[1];

	r->pos = s.ptr ? s.ptr : none;
	r->end = s.ptr ? s.ptr + s.len : none;
	r->bad = false;
}

/* True while no read went past the end. */
static inline bool reader_ok(const struct reader *r)
{
	return !r->bad;
}

/* True when everything was read, exactly, and nothing failed. */
static inline bool reader_end(const struct reader *r)
{
	return !r->bad && r->pos == r->end;
}

/* Bytes left to read; 0 once bad. */
static inline size_t reader_left(const struct reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->pos);
}

/* Mark the reader bad: for a caller that found a wrong value. */
static inline void reader_fail(struct reader *r)
{
	r->bad = true;
}

/* View of the next len bytes, or an empty slice and bad. */
static inline struct slice reader_bytes(struct reader *r, size_t len)
{
	struct slice s;

	if (reader_left(r) < len) {
		r->bad = true;
		return SLICE_NULL;
	}
	s = slice_make(r->pos, len);
	r->pos += len;
	return s;
}

/* Next byte, or 0 and bad. */
static inline uint8_t reader_u8(struct reader *r)
{
	struct slice s = reader_bytes(r, 1);

	return s.len == 0 ? 0 : s.ptr[0];
}

/* Next 2 bytes, big-endian, or 0 and bad. */
static inline uint16_t reader_u16be(struct reader *r)
{
	struct slice s = reader_bytes(r, 2);

	return s.len == 0 ? 0 : (uint16_t)(s.ptr[0] << 8 | s.ptr[1]);
}

/* Next 4 bytes, big-endian, or 0 and bad. */
static inline uint32_t reader_u32be(struct reader *r)
{
	struct slice s = reader_bytes(r, 4);

	return s.len == 0 ? 0 : get_be32(s.ptr);
}

/* Next 2 bytes, little-endian (SCCP), or 0 and bad. */
static inline uint16_t reader_u16le(struct reader *r)
{
	struct slice s = reader_bytes(r, 2);

	return s.len == 0 ? 0 : (uint16_t)(s.ptr[1] << 8 | s.ptr[0]);
}

/* Next 4 bytes, little-endian (SCCP), or 0 and bad. */
static inline uint32_t reader_u32le(struct reader *r)
{
	struct slice s = reader_bytes(r, 4);

	return s.len == 0
		       ? 0
		       : (uint32_t)s.ptr[3] << 24 | (uint32_t)s.ptr[2] << 16 |
				 (uint32_t)s.ptr[1] << 8 | s.ptr[0];
}

/* Next 8 bytes, big-endian, or 0 and bad. */
uint64_t reader_u64be(struct reader *r);
/* Reader over the next len bytes; bad when r has fewer. The caller checks
 * reader_end() of the sub-reader: a length-prefixed thing ends exactly. */
struct reader reader_sub(struct reader *r, size_t len);
/* A 32-bit big-endian length followed by that many bytes (our own process
 * messages); an empty slice and bad when short. */
struct slice reader_blob(struct reader *r);
