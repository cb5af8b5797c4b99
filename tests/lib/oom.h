/*
 * The allocation-failure sweep: run a test body again and again with the n-th
 * allocation failing, until it runs through without a failure. The linker
 * wraps calloc and realloc of our own objects (see tests/Makefile.am).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Fail the n-th allocation from now on (1 = the next); 0 = none. */
void oom_arm(uint64_t n);
/* Stop failing; true when a failure was injected since oom_arm. */
bool oom_disarm(void);
/* Call body(arg) with the 1st, 2nd, ... allocation failing until none does.
 * body must leave no memory behind and survive (return value ignored). */
void oom_sweep(void (*body)(void *arg), void *arg);
