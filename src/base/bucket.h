/*
 * Token bucket: at most burst events at once and rate events a second on
 * average. The caller passes now; nothing ticks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t level_ms; /* credit in milliseconds times rate */
	uint64_t last_ms;  /* when level was computed */
	uint32_t rate;	   /* events a second; 0 = unlimited */
	uint32_t burst;	   /* events at once, at least 1 */
};

/* A full bucket at now_ms. rate 0 never refuses. */
void bucket_init(struct bucket *b, uint32_t rate, uint32_t burst,
		 uint64_t now_ms);
/* Another rate and burst; credit over the burst is lost. */
void bucket_set(struct bucket *b, uint32_t rate, uint32_t burst);
/* Take one event; false when the rate is exceeded. O(1). */
bool bucket_take(struct bucket *b, uint64_t now_ms);
