/*
 * Packet index and replay window of one SRTP stream: the 48-bit index is
 * guessed from the 16-bit sequence number (RFC 3711 section 3.3.1, appendix
 * A) and a ring of bits remembers which of the last WINDOW_BITS were seen
 * (section 3.3.2). Guess and test change nothing; commit is for after the tag
 * verified.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { WINDOW_BITS = 1024 };

struct window {
	uint64_t top; /* highest index committed; valid if is_set */
	bool is_set;
	uint64_t bit[WINDOW_BITS / 64]; /* index i is bit i % WINDOW_BITS */
};

/* The most likely index of sequence number seq: roll-over counter << 16 |
 * seq. With an empty window the roll-over counter is 0. Pure. */
uint64_t window_guess(const struct window *w, uint16_t seq);
/* May index be used? ERR_REPLAY: seen, or older than the window. */
MUST_CHECK int window_test(const struct window *w, uint64_t index);
/* Begin again at top: it, and whatever is below, counts as seen. */
void window_resume(struct window *w, uint64_t top);
/* Mark index as seen; it passed window_test. O(1) for the next index,
 * O(WINDOW_BITS) at most after a gap. */
void window_commit(struct window *w, uint64_t index);
