/* Deterministic entropy for tests: a counter hashed into bytes. */
#pragma once

#include "base/entropy.h"

struct test_entropy {
	uint64_t state;
};

/* A source that repeats itself for the same seed; e must outlive it. */
struct entropy test_entropy(struct test_entropy *e, uint64_t seed);
