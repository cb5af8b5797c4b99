#include "base/secret.h"

#include <string.h>
#include <sys/mman.h>

void secret_wipe(void *ptr, size_t len)
{
	if (len > 0)
		explicit_bzero(ptr, len);
}

bool secret_eq(struct slice a, struct slice b)
{
	volatile uint8_t diff = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		diff = (uint8_t)(diff | (a.ptr[i] ^ b.ptr[i]));
	return diff == 0;
}

/* One mapping per secret: pages are the unit that MADV_DONTDUMP knows. */
int secret_init(struct secret *s, struct slice bytes)
{
	void *p;

	s->ptr = NULL;
	s->len = 0;
	if (bytes.len == 0)
		return 0;
	p = mmap(NULL, bytes.len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return ERR_NOMEM;
	(void)madvise(p, bytes.len, MADV_DONTDUMP); /* best effort */
	(void)mlock(p, bytes.len); /* best effort: RLIMIT_MEMLOCK may be 0 */
	memcpy(p, bytes.ptr, bytes.len);
	s->ptr = p;
	s->len = bytes.len;
	return 0;
}

void secret_done(struct secret *s)
{
	if (s->ptr) {
		secret_wipe(s->ptr, s->len);
		(void)munmap(s->ptr, s->len);
	}
	s->ptr = NULL;
	s->len = 0;
}

struct slice secret_slice(const struct secret *s)
{
	return slice_make(s->ptr, s->len);
}
