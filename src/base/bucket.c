#include "base/bucket.h"

void bucket_init(struct bucket *b, uint32_t rate, uint32_t burst,
		 uint64_t now_ms)
{
	b->rate = rate;
	b->burst = burst > 0 ? burst : 1;
	b->last_ms = now_ms;
	b->level_ms = (uint64_t)b->burst * 1000;
}

void bucket_set(struct bucket *b, uint32_t rate, uint32_t burst)
{
	b->rate = rate;
	b->burst = burst > 0 ? burst : 1;
	if (b->level_ms > (uint64_t)b->burst * 1000)
		b->level_ms = (uint64_t)b->burst * 1000;
}

/* One event costs 1000 units; rate units flow in each millisecond. */
bool bucket_take(struct bucket *b, uint64_t now_ms)
{
	uint64_t full = (uint64_t)b->burst * 1000;

	if (b->rate == 0)
		return true;
	if (now_ms > b->last_ms) {
		uint64_t gone = now_ms - b->last_ms;

		/* Divided, because gone times rate may not fit. */
		if (gone > (full - b->level_ms) / b->rate)
			b->level_ms = full;
		else
			b->level_ms += gone * b->rate;
		b->last_ms = now_ms;
	}
	if (b->level_ms < 1000)
		return false;
	b->level_ms -= 1000;
	return true;
}
