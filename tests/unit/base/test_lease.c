/* base/lease.h: together never over the limit, and up to it. */
#include <check.h>

#include "base/lease.h"
#include "lib/run.h"

enum { HOLDERS = 2, QUEUE = 64 };

static struct lease l;
static bool is_over; /* the limit was lowered below what is in use */

/* Holders, and what is under way to them. */
static struct {
	uint32_t held, used, number;
	struct lease_change queue[QUEUE];
	uint32_t count;
} holder[LEASE_HOLDERS_MAX];

static void start(uint32_t limit, uint32_t count)
{
	lease_init(&l, limit, count);
	is_over = false;
	memset(holder, 0, sizeof(holder));
	for (uint32_t i = 0; i < count; i++)
		holder[i].held = lease_share(limit, count, i);
}

static void send_all(void)
{
	struct lease_change c;

	while (lease_next(&l, &c)) {
		ck_assert_uint_lt(holder[c.holder].count, QUEUE);
		holder[c.holder].queue[holder[c.holder].count++] = c;
	}
}

static void check_sum(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < l.count; i++)
		sum += holder[i].held > holder[i].used ? holder[i].held
						       : holder[i].used;
	ck_assert(is_over || sum <= l.limit);
}

static void report(uint32_t i)
{
	lease_report(&l, i, holder[i].number, holder[i].held, holder[i].used);
	send_all();
}

/* The oldest message arrives, and is answered. */
static void deliver(uint32_t i)
{
	struct lease_change c;

	if (holder[i].count == 0)
		return;
	c = holder[i].queue[0];
	memmove(holder[i].queue, holder[i].queue + 1,
		--holder[i].count * sizeof(c));
	holder[i].number = c.number;
	holder[i].held = c.amount > holder[i].used ? c.amount : holder[i].used;
	check_sum();
	report(i);
}

static void settle(void)
{
	for (int round = 0; round < 20; round++)
		for (uint32_t i = 0; i < l.count; i++)
			deliver(i);
}

static bool take(uint32_t i)
{
	if (holder[i].used >= holder[i].held)
		return false;
	holder[i].used++;
	check_sum();
	return true;
}

START_TEST(one_holder_may_come_to_the_limit_and_no_further)
{
	start(10, HOLDERS);
	for (int i = 0; i < 10; i++) {
		ck_assert(take(0));
		report(0);
		settle();
	}
	ck_assert(!take(0));
	ck_assert(!take(1));
	/* One ends: it is free for whoever asks first. */
	holder[0].used--;
	report(0);
	settle();
	ck_assert(take(0));
	ck_assert(!take(1));
}
END_TEST

START_TEST(what_one_gives_up_the_other_gets)
{
	start(10, HOLDERS);
	for (int i = 0; i < 10; i++) {
		ck_assert(take(0));
		report(0);
		settle();
	}
	holder[0].used = 4;
	report(0);
	settle();
	for (int i = 0; i < 6; i++) {
		ck_assert(take(1));
		report(1);
		settle();
	}
	ck_assert(!take(1));
	ck_assert(!take(0));
}
END_TEST

START_TEST(a_lower_limit_is_come_to_as_places_fall_free)
{
	start(10, HOLDERS);
	for (int i = 0; i < 4; i++) {
		ck_assert(take(0));
		ck_assert(take(1));
	}
	report(0);
	report(1);
	settle();
	lease_limit(&l, 6);
	is_over = true; /* eight are in use */
	send_all();
	settle();
	ck_assert(!take(0));
	ck_assert(!take(1));
	holder[0].used -= 2;
	report(0);
	settle();
	is_over = false;
	check_sum();
	ck_assert(!take(0));
	ck_assert(!take(1));
	holder[0].used--;
	report(0);
	settle();
	ck_assert(take(1) || take(0));
	ck_assert(!take(0));
	ck_assert(!take(1));
}
END_TEST

START_TEST(who_begins_anew_is_told_what_it_has)
{
	struct lease_change c;

	start(10, HOLDERS);
	for (int i = 0; i < 8; i++) {
		(void)take(0);
		report(0);
		settle();
	}
	lease_again(&l, 0, &c);
	ck_assert_uint_eq(c.holder, 0);
	ck_assert_uint_eq(c.amount, l.holder[0].held);
	/* What it said before the message says nothing of its lease. */
	lease_report(&l, 0, c.number - 1, 5, 0);
	ck_assert_uint_eq(l.holder[0].held, c.amount);
	lease_report(&l, 0, c.number, c.amount, 8);
	ck_assert_uint_eq(l.holder[0].used, 8);
}
END_TEST

/* Whatever the order in which things happen. */
START_TEST(random_play_never_exceeds_the_limit)
{
	uint64_t x = (uint64_t)_i + 1;
	uint32_t count = 1 + (uint32_t)_i % 7;
	uint32_t left = 0;

	start(5 + (uint32_t)_i * 3, count);
	for (int i = 0; i < 20000; i++) {
		uint32_t h;

		x = x * 6364136223846793005u + 1442695040888963407u;
		h = (uint32_t)(x >> 33) % count;
		switch (x >> 60) {
		case 0:
		case 1:
			report(h);
			break;
		case 2:
		case 3:
			deliver(h);
			break;
		case 4:
			if (holder[h].used > 0)
				holder[h].used--;
			break;
		case 5:
			holder[h].used /= 2;
			break;
		default:
			(void)take(h);
			break;
		}
		check_sum();
	}
	/* At rest, whoever wants gets, until all is used. */
	for (uint32_t i = 0; i < count; i++)
		report(i);
	settle();
	for (uint32_t i = 0; i < l.limit; i++) {
		(void)take(0);
		report(0);
		settle();
	}
	ck_assert(!take(0));
	/* The last few are with those who use most. */
	for (uint32_t i = 1; i < count; i++)
		left += take(i);
	ck_assert_uint_lt(left, count);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("lease");

	tcase_add_test(t, one_holder_may_come_to_the_limit_and_no_further);
	tcase_add_test(t, what_one_gives_up_the_other_gets);
	tcase_add_test(t, a_lower_limit_is_come_to_as_places_fall_free);
	tcase_add_test(t, who_begins_anew_is_told_what_it_has);
	tcase_add_loop_test(t, random_play_never_exceeds_the_limit, 0, 20);
	return run_case("base/lease", t);
}
