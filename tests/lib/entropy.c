#include "lib/entropy.h"

/* splitmix64 (Steele, Lea, Flood): good enough for distinct test values. */
static void fill(void *ctx, uint8_t *buf, size_t len)
{
	struct test_entropy *e = ctx;

	for (size_t i = 0; i < len; i++) {
		uint64_t z = (e->state += 0x9e3779b97f4a7c15ULL);

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
		buf[i] = (uint8_t)(z ^ z >> 31);
	}
}

struct entropy test_entropy(struct test_entropy *e, uint64_t seed)
{
	e->state = seed;
	return (struct entropy){.fill = fill, .ctx = e};
}
