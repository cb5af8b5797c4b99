/*
 * Pauses between tries of what failed: each twice the one before, up to a
 * longest one. The caller waits.
 */
#pragma once

#include <stdint.h>

struct backoff {
	uint32_t min_ms;  /* the first pause, at least 1 */
	uint32_t max_ms;  /* the longest, at least min_ms */
	uint32_t next_ms; /* the pause after the next failure */
	uint32_t tries;	  /* that have failed; stops at UINT32_MAX */
};

/* Nothing has failed yet. max_ms less than min_ms counts as min_ms. */
void backoff_init(struct backoff *b, uint32_t min_ms, uint32_t max_ms);
/* A try has failed: how long to wait, in ms, before the next one. */
uint32_t backoff_fail(struct backoff *b);
/* It has worked: the next failure is the first again. */
void backoff_reset(struct backoff *b);
