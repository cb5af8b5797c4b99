/*
 * Output cursor over a buffer the caller owns, with a sticky overflow: a
 * write that does not fit writes nothing and marks the writer full, and every
 * later write is a no-op, so a printer writes everything and asks writer_ok()
 * once. Byte order is in the name.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct writer {
	uint8_t *buf; /* the caller's buffer */
	size_t cap;   /* its size in bytes */
	size_t len;   /* bytes written */
	bool full;    /* sticky: something did not fit */
};

/* Start writing into buf of cap bytes; buf must outlive the writer. */
void writer_init(struct writer *w, void *buf, size_t cap);
/* True while everything fitted. */
bool writer_ok(const struct writer *w);
/* View of what was written; empty once full. */
struct slice writer_slice(const struct writer *w);
/* Append one byte. */
void writer_u8(struct writer *w, uint8_t v);
/* Append 2 bytes, big-endian. */
void writer_u16be(struct writer *w, uint16_t v);
/* Append 4 bytes, big-endian. */
void writer_u32be(struct writer *w, uint32_t v);
/* Append 8 bytes, big-endian. */
void writer_u64be(struct writer *w, uint64_t v);
/* Append 2 bytes, little-endian (SCCP). */
void writer_u16le(struct writer *w, uint16_t v);
/* Append 4 bytes, little-endian (SCCP). */
void writer_u32le(struct writer *w, uint32_t v);
/* Append len bytes at ptr. */
void writer_bytes(struct writer *w, const void *ptr, size_t len);
/* Append the bytes of s. */
void writer_put(struct writer *w, struct slice s);
/* Append a NUL-terminated string without its NUL. */
void writer_str(struct writer *w, const char *str);
/* Append v in decimal. */
void writer_dec(struct writer *w, uint64_t v);
/* Append a 32-bit big-endian length and the bytes of s (reader_blob). */
void writer_blob(struct writer *w, struct slice s);
/* Overwrite 2 bytes at offset off, big-endian; off + 2 must be written. */
void writer_patch_u16be(struct writer *w, size_t off, uint16_t v);
/* Overwrite 4 bytes at offset off, big-endian; off + 4 must be written. */
void writer_patch_u32be(struct writer *w, size_t off, uint32_t v);
/* Overwrite 4 bytes at offset off, little-endian; off + 4 must be written. */
void writer_patch_u32le(struct writer *w, size_t off, uint32_t v);
