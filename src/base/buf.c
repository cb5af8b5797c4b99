#include "base/buf.h"

#include "base/alloc.h"
#include "base/secret.h"

enum { BUF_FIRST = 1024 };

struct slice buf_slice(const struct buf *b)
{
	return slice_make(b->ptr ? b->ptr + b->off : NULL, b->len);
}

void buf_done(struct buf *b)
{
	if (b->ptr)
		secret_wipe(b->ptr, b->cap);
	(void)alloc_free(b->ptr);
	*b = (struct buf){.ptr = NULL};
}

/* Make room for more bytes behind those that wait. */
static int reserve(struct buf *b, size_t more)
{
	size_t need;
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	uint8_t *p;

	if (__builtin_add_overflow(b->len, more, &need) || need > ALLOC_MAX)
		return ERR_NOMEM;
	if (b->cap - b->off >= need && b->ptr)
		return 0;
	/* Moving down costs len bytes, and at least as many were used up
	 * since the last move, or the buffer doubles. */
	if (b->ptr && need <= b->cap && b->off >= b->len) {
		memmove(b->ptr, b->ptr + b->off, b->len);
		b->off = 0;
		return 0;
	}
	while (cap < need)
		cap *= 2;
	p = alloc_zero(cap);
	if (!p)
		return ERR_NOMEM;
	if (b->len > 0)
		memcpy(p, b->ptr + b->off, b->len);
	if (b->ptr)
		secret_wipe(b->ptr, b->cap);
	(void)alloc_free(b->ptr);
	b->ptr = p;
	b->cap = cap;
	b->off = 0;
	return 0;
}

int buf_add(struct buf *b, struct slice bytes, size_t limit)
{
	int err;

	if (bytes.len == 0)
		return 0;
	if (b->len > limit || bytes.len > limit - b->len)
		return ERR_LIMIT;
	err = reserve(b, bytes.len);
	if (err)
		return err;
	memcpy(b->ptr + b->off + b->len, bytes.ptr, bytes.len);
	b->len += bytes.len;
	return 0;
}

void buf_drop(struct buf *b, size_t len)
{
	if (len >= b->len) {
		buf_done(b);
		return;
	}
	b->off += len;
	b->len -= len;
}
