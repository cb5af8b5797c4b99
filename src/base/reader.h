/*
 * Bounds-checked input cursor with a sticky error: a read past the end gives
 * zero, marks the reader bad, and every later read gives zero too, so a
 * parser reads a whole group and asks reader_ok() once. Byte order is in the
 * name. A reader never owns the bytes it walks over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct reader {
	const uint8_t *pos; /* next byte to read */
	const uint8_t *end; /* one past the last byte */
	bool bad;	    /* sticky: something was read past the end */
};

/* Start reading s; s must outlive the reader. */
void reader_init(struct reader *r, struct slice s);
/* True while no read went past the end. */
bool reader_ok(const struct reader *r);
/* True when everything was read, exactly, and nothing failed. */
bool reader_end(const struct reader *r);
/* Bytes left to read; 0 once bad. */
size_t reader_left(const struct reader *r);
/* Mark the reader bad: for a caller that found a wrong value. */
void reader_fail(struct reader *r);
/* Next byte, or 0 and bad. */
uint8_t reader_u8(struct reader *r);
/* Next 2 bytes, big-endian, or 0 and bad. */
uint16_t reader_u16be(struct reader *r);
/* Next 4 bytes, big-endian, or 0 and bad. */
uint32_t reader_u32be(struct reader *r);
/* Next 8 bytes, big-endian, or 0 and bad. */
uint64_t reader_u64be(struct reader *r);
/* Next 2 bytes, little-endian (SCCP), or 0 and bad. */
uint16_t reader_u16le(struct reader *r);
/* Next 4 bytes, little-endian (SCCP), or 0 and bad. */
uint32_t reader_u32le(struct reader *r);
/* View of the next len bytes, or an empty slice and bad. */
struct slice reader_bytes(struct reader *r, size_t len);
/* Reader over the next len bytes; bad when r has fewer. The caller checks
 * reader_end() of the sub-reader: a length-prefixed thing ends exactly. */
struct reader reader_sub(struct reader *r, size_t len);
/* A 32-bit big-endian length followed by that many bytes (our own process
 * messages); an empty slice and bad when short. */
struct slice reader_blob(struct reader *r);
