/*
 * A source of random bytes, handed in: pure code never asks the system.
 * The daemon gives GnuTLS's generator, tests a counter.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct entropy {
	/* Fill buf with len unpredictable bytes; cannot fail. */
	void (*fill)(void *ctx, uint8_t *buf, size_t len);
	void *ctx; /* for fill */
};

/* Fill buf with len random bytes from e. */
static inline void entropy_fill(const struct entropy *e, void *buf, size_t len)
{
	e->fill(e->ctx, buf, len);
}

/* A random number of len bytes (at most 8) from e: the same bytes are the same
 * number on every machine. */
static inline uint64_t entropy_number(const struct entropy *e, size_t len)
{
	uint8_t byte[sizeof(uint64_t)];
	uint64_t v = 0;

	entropy_fill(e, byte, len);
	while (len-- > 0)
		v = v << 8 | byte[len];
	return v;
}

/* A random 32-bit number from e. */
static inline uint32_t entropy_u32(const struct entropy *e)
{
	return (uint32_t)entropy_number(e, sizeof(uint32_t));
}

/* A random 64-bit number from e. */
static inline uint64_t entropy_u64(const struct entropy *e)
{
	return entropy_number(e, sizeof(uint64_t));
}
