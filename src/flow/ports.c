#include "flow/ports.h"

#include <stdbool.h>

#include "base/alloc.h"

struct pair {
	uint64_t free_at_ms; /* not before; 0 = never used */
	bool is_taken;
};

/*
 * Free pairs wait in a ring in the order they came back, so the head is
 * always the one that rested longest: if it still rests, all do.
 */
struct ports {
	struct pair *pair; /* total entries */
	uint16_t *ring;	   /* total indices, count of them valid from head */
	uint64_t cooldown_ms;
	uint32_t total;
	uint32_t head;
	uint32_t count;
	uint16_t base; /* even port of pair 0 */
};

/* Fill the ring with all pairs in an order that depends on seed only: the
 * next port of a call should not be the last one plus two. */
static void shuffle(struct ports *p, uint32_t seed)
{
	uint64_t x = seed;

	for (uint32_t i = 0; i < p->total; i++)
		p->ring[i] = (uint16_t)i;
	for (uint32_t i = p->total - 1; i > 0; i--) {
		uint64_t z = (x += 0x9e3779b97f4a7c15u);
		uint32_t j;
		uint16_t tmp;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		j = (uint32_t)((z ^ (z >> 31)) % (i + 1));
		tmp = p->ring[i];
		p->ring[i] = p->ring[j];
		p->ring[j] = tmp;
	}
}

struct ports *ports_new(uint16_t min, uint16_t max, uint64_t cooldown_ms,
			uint32_t start)
{
	uint32_t first = (min + 1u) & ~1u;
	struct ports *p;

	if (first == 0)
		first = 2;
	if (first + 1 > max)
		return NULL;
	p = alloc_zero(sizeof(*p));
	if (!p)
		return NULL;
	p->base = (uint16_t)first;
	p->total = (max - first + 1) / 2;
	p->cooldown_ms = cooldown_ms;
	p->pair = alloc_array(p->total, sizeof(*p->pair));
	p->ring = alloc_array(p->total, sizeof(*p->ring));
	if (!p->pair || !p->ring)
		return ports_free(p);
	p->count = p->total;
	shuffle(p, start);
	return p;
}

struct ports *ports_free(struct ports *p)
{
	if (!p)
		return NULL;
	alloc_free(p->pair);
	alloc_free(p->ring);
	return alloc_free(p);
}

int ports_take(struct ports *p, uint64_t now_ms, uint16_t *ret_port)
{
	uint16_t i;

	if (p->count == 0)
		return ERR_LIMIT;
	i = p->ring[p->head];
	if (p->pair[i].free_at_ms > now_ms)
		return ERR_LIMIT;
	p->head = (p->head + 1) % p->total;
	p->count--;
	p->pair[i].is_taken = true;
	*ret_port = (uint16_t)(p->base + 2u * i);
	return 0;
}

int ports_claim(struct ports *p, uint16_t port)
{
	uint32_t i = (uint32_t)(port - p->base) / 2;
	uint32_t at = p->head;

	if (port < p->base || (port & 1) || i >= p->total)
		return ERR_NOTFOUND;
	if (p->pair[i].is_taken)
		return ERR_EXISTS;
	while (p->ring[at] != i)
		at = (at + 1) % p->total;
	/* The head takes its place, so that the ring has no hole. */
	p->ring[at] = p->ring[p->head];
	p->head = (p->head + 1) % p->total;
	p->count--;
	p->pair[i].is_taken = true;
	return 0;
}

int ports_give(struct ports *p, uint64_t now_ms, uint16_t port)
{
	uint32_t i = (uint32_t)(port - p->base) / 2;

	if (port < p->base || (port & 1) || i >= p->total ||
	    !p->pair[i].is_taken)
		return ERR_NOTFOUND;
	p->pair[i].is_taken = false;
	p->pair[i].free_at_ms = now_ms + p->cooldown_ms;
	p->ring[(p->head + p->count) % p->total] = (uint16_t)i;
	p->count++;
	return 0;
}

void ports_cooldown(struct ports *p, uint64_t cooldown_ms)
{
	p->cooldown_ms = cooldown_ms;
}

uint32_t ports_used(const struct ports *p)
{
	return p->total - p->count;
}

uint32_t ports_total(const struct ports *p)
{
	return p->total;
}
