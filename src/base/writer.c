#include "base/writer.h"

#include <assert.h>

void writer_init(struct writer *w, void *buf, size_t cap)
{
	w->buf = buf;
	w->cap = cap;
	w->len = 0;
	w->full = false;
}

bool writer_ok(const struct writer *w)
{
	return !w->full;
}

struct slice writer_slice(const struct writer *w)
{
	return w->full ? SLICE_NULL : slice_make(w->buf, w->len);
}

void writer_bytes(struct writer *w, const void *ptr, size_t len)
{
	if (w->full || w->cap - w->len < len) {
		w->full = true;
		return;
	}
	if (len > 0)
		memcpy(w->buf + w->len, ptr, len);
	w->len += len;
}

void writer_put(struct writer *w, struct slice s)
{
	writer_bytes(w, s.ptr, s.len);
}

void writer_str(struct writer *w, const char *str)
{
	writer_put(w, slice_str(str));
}

static void store_be(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = n; i > 0; i--) {
		p[i - 1] = (uint8_t)v;
		v >>= 8;
	}
}

static void store_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		p[i] = (uint8_t)v;
		v >>= 8;
	}
}

static void put_be(struct writer *w, uint64_t v, size_t n)
{
	uint8_t tmp[8];

	store_be(tmp, v, n);
	writer_bytes(w, tmp, n);
}

static void put_le(struct writer *w, uint64_t v, size_t n)
{
	uint8_t tmp[8];

	store_le(tmp, v, n);
	writer_bytes(w, tmp, n);
}

void writer_u8(struct writer *w, uint8_t v)
{
	writer_bytes(w, &v, 1);
}

void writer_u16be(struct writer *w, uint16_t v)
{
	put_be(w, v, 2);
}

void writer_u32be(struct writer *w, uint32_t v)
{
	put_be(w, v, 4);
}

void writer_u64be(struct writer *w, uint64_t v)
{
	put_be(w, v, 8);
}

void writer_u16le(struct writer *w, uint16_t v)
{
	put_le(w, v, 2);
}

void writer_u32le(struct writer *w, uint32_t v)
{
	put_le(w, v, 4);
}

void writer_dec(struct writer *w, uint64_t v)
{
	uint8_t tmp[20];
	size_t n = sizeof(tmp);

	do {
		tmp[--n] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	writer_bytes(w, tmp + n, sizeof(tmp) - n);
}

void writer_blob(struct writer *w, struct slice s)
{
	if (s.len > UINT32_MAX) {
		w->full = true;
		return;
	}
	writer_u32be(w, (uint32_t)s.len);
	writer_put(w, s);
}

static uint8_t *patch_at(struct writer *w, size_t off, size_t n)
{
	if (w->full)
		return NULL;
	assert(off <= w->len && n <= w->len - off);
	return w->buf + off;
}

void writer_patch_u16be(struct writer *w, size_t off, uint16_t v)
{
	uint8_t *p = patch_at(w, off, 2);

	if (p)
		store_be(p, v, 2);
}

void writer_patch_u32be(struct writer *w, size_t off, uint32_t v)
{
	uint8_t *p = patch_at(w, off, 4);

	if (p)
		store_be(p, v, 4);
}

void writer_patch_u32le(struct writer *w, size_t off, uint32_t v)
{
	uint8_t *p = patch_at(w, off, 4);

	if (p)
		store_le(p, v, 4);
}
