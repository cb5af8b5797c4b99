/*
 * Random peers around one call machine: they answer, repeat, forget, forge
 * and disappear as the dice say. The dice are a seed or a fuzzer's bytes.
 * Whatever must always hold is checked here and ends the program when it does
 * not. One play at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/entropy.h"

struct play_params {
	struct entropy dice;
	uint64_t seed;
	unsigned policy; /* enum media_policy of all phones */
	bool has_oom;	 /* allocations fail now and then */
	bool is_lossy;	 /* somebody else makes them fail */
};

/* Begin. */
void play_new(const struct play_params *p);
/* One thing happens. */
void play_step(void);
/* Peer 0 (the call manager) to 3 sends these bytes. Bytes 1 to 4 stand for
 * branch, Call-ID, From and To tag of the last message it got, TOKEN for a
 * registered phone's token. */
void play_raw(int peer, const uint8_t *data, size_t len);
/* Everybody goes, time passes: nothing may be left. */
void play_end(void);
/* Free all, whatever state it is in. */
void play_free(void);
/* Calls that were answered so far. */
unsigned play_answered(void);
