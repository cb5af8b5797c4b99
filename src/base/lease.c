#include "base/lease.h"

uint32_t lease_share(uint32_t limit, uint32_t count, uint32_t holder)
{
	return limit / count + (holder < limit % count);
}

void lease_init(struct lease *l, uint32_t limit, uint32_t count)
{
	*l = (struct lease){.limit = limit, .count = count};
	for (uint32_t i = 0; i < count; i++)
		l->holder[i].held = lease_share(limit, count, i);
}

void lease_limit(struct lease *l, uint32_t limit)
{
	l->limit = limit;
}

void lease_report(struct lease *l, uint32_t holder, uint32_t number,
		  uint32_t held, uint32_t used)
{
	struct lease_holder *h = &l->holder[holder];

	h->used = used;
	if (number != h->sent)
		return;
	h->held = held;
	h->is_asked = false;
}

static uint64_t sum_used(const struct lease *l)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < l->count; i++)
		sum += l->holder[i].used;
	return sum;
}

static uint64_t sum_held(const struct lease *l)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < l->count; i++)
		sum += l->holder[i].held;
	return sum;
}

/* How many use more than i does. */
static uint32_t rank(const struct lease *l, uint32_t i)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < l->count; k++)
		n += l->holder[k].used > l->holder[i].used ||
		     (l->holder[k].used == l->holder[i].used && k < i);
	return n;
}

/* What i ought to have: what it uses and its part of what is left; the last
 * few go to those who use most. */
static uint32_t target(const struct lease *l, uint32_t i)
{
	uint64_t used = sum_used(l);
	uint64_t spare = l->limit > used ? l->limit - used : 0;

	return (uint32_t)(l->holder[i].used + spare / l->count +
			  (rank(l, i) < spare % l->count));
}

/* It has used more than half of what it ought to have free. */
static bool is_hungry(const struct lease *l, uint32_t i)
{
	const struct lease_holder *h = &l->holder[i];
	uint32_t want = target(l, i);

	if (h->held >= want)
		return false;
	return h->held <= h->used || (h->held - h->used) * 2 < want - h->used;
}

static void fill(struct lease *l, uint32_t i, uint32_t amount,
		 struct lease_change *ret)
{
	*ret = (struct lease_change){
		.holder = i, .amount = amount, .number = ++l->holder[i].sent};
}

static bool grow(struct lease *l, struct lease_change *ret)
{
	uint64_t held = sum_held(l);
	uint64_t free = l->limit > held ? l->limit - held : 0;

	for (uint32_t i = 0; free > 0 && i < l->count; i++) {
		struct lease_holder *h = &l->holder[i];
		uint32_t want = target(l, i);

		if (h->is_asked || h->held >= want)
			continue;
		if (want - h->held > free)
			want = h->held + (uint32_t)free;
		h->held = want;
		fill(l, i, want, ret);
		return true;
	}
	return false;
}

static bool shrink(struct lease *l, struct lease_change *ret)
{
	bool must = sum_held(l) > l->limit;

	for (uint32_t i = 0; !must && i < l->count; i++)
		must = is_hungry(l, i);
	for (uint32_t i = 0; must && i < l->count; i++) {
		struct lease_holder *h = &l->holder[i];

		if (h->is_asked || h->held <= target(l, i))
			continue;
		h->is_asked = true;
		fill(l, i, target(l, i), ret);
		return true;
	}
	return false;
}

bool lease_next(struct lease *l, struct lease_change *ret)
{
	return grow(l, ret) || shrink(l, ret);
}

void lease_again(struct lease *l, uint32_t holder, struct lease_change *ret)
{
	l->holder[holder].is_asked = false;
	fill(l, holder, l->holder[holder].held, ret);
}
