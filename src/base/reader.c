#include "base/reader.h"

uint64_t reader_u64be(struct reader *r)
{
	struct slice s = reader_bytes(r, 8);
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++)
		v = v << 8 | s.ptr[i];
	return v;
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
