#include "base/reader.h"

void reader_init(struct reader *r, struct slice s)
{
	static const uint8_t none[1];

	r->pos = s.ptr ? s.ptr : none;
	r->end = s.ptr ? s.ptr + s.len : none;
	r->bad = false;
}

bool reader_ok(const struct reader *r)
{
	return !r->bad;
}

bool reader_end(const struct reader *r)
{
	return !r->bad && r->pos == r->end;
}

size_t reader_left(const struct reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->pos);
}

void reader_fail(struct reader *r)
{
	r->bad = true;
}

struct slice reader_bytes(struct reader *r, size_t len)
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

static uint64_t take_be(struct reader *r, size_t n)
{
	struct slice s = reader_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++)
		v = v << 8 | s.ptr[i];
	return v;
}

static uint64_t take_le(struct reader *r, size_t n)
{
	struct slice s = reader_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = s.len; i > 0; i--)
		v = v << 8 | s.ptr[i - 1];
	return v;
}

uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)take_be(r, 1);
}

uint16_t reader_u16be(struct reader *r)
{
	return (uint16_t)take_be(r, 2);
}

uint32_t reader_u32be(struct reader *r)
{
	return (uint32_t)take_be(r, 4);
}

uint64_t reader_u64be(struct reader *r)
{
	return take_be(r, 8);
}

uint16_t reader_u16le(struct reader *r)
{
	return (uint16_t)take_le(r, 2);
}

uint32_t reader_u32le(struct reader *r)
{
	return (uint32_t)take_le(r, 4);
}

struct reader reader_sub(struct reader *r, size_t len)
{
	struct slice s = reader_bytes(r, len);
	struct reader sub;

	reader_init(&sub, s);
	sub.bad = r->bad;
	return sub;
}

struct slice reader_blob(struct reader *r)
{
	return reader_bytes(r, reader_u32be(r));
}
