#include "lib/oom.h"

#include <stddef.h>
#include <stdlib.h>

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static uint64_t countdown;
static bool did_fail;

static bool must_fail(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	did_fail = true;
	return true;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return must_fail() ? NULL : __real_realloc(p, size);
}

void oom_arm(uint64_t n)
{
	countdown = n;
	did_fail = false;
}

bool oom_disarm(void)
{
	countdown = 0;
	return did_fail;
}

void oom_sweep(void (*body)(void *arg), void *arg)
{
	for (uint64_t n = 1; n < 100000; n++) {
		oom_arm(n);
		body(arg);
		if (!oom_disarm())
			return;
	}
}
