#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>

void *alloc_zero(size_t size)
{
	return alloc_array(1, size);
}

void *alloc_array(size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total) || total > ALLOC_MAX)
		return NULL;
	return calloc(1, total > 0 ? total : 1);
}

void *alloc_resize(void *ptr, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total) || total > ALLOC_MAX)
		return NULL;
	return realloc(ptr, total > 0 ? total : 1);
}

void *alloc_copy(struct slice s)
{
	uint8_t *p;

	if (s.len >= ALLOC_MAX)
		return NULL;
	p = alloc_zero(s.len + 1);
	if (p && s.len > 0)
		memcpy(p, s.ptr, s.len);
	return p;
}

void *alloc_free(void *ptr)
{
	free(ptr);
	return NULL;
}
