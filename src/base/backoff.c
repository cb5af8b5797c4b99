#include "base/backoff.h"

void backoff_init(struct backoff *b, uint32_t min_ms, uint32_t max_ms)
{
	b->min_ms = min_ms > 0 ? min_ms : 1;
	b->max_ms = max_ms > b->min_ms ? max_ms : b->min_ms;
	backoff_reset(b);
}

uint32_t backoff_fail(struct backoff *b)
{
	uint32_t pause_ms = b->next_ms;

	b->next_ms = pause_ms > b->max_ms / 2 ? b->max_ms : pause_ms * 2;
	if (b->tries < UINT32_MAX)
		b->tries++;
	return pause_ms;
}

void backoff_reset(struct backoff *b)
{
	b->next_ms = b->min_ms;
	b->tries = 0;
}
