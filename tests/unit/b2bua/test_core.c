/* The group of call managers: health, choice, hold-down. */
#include <check.h>
#include <stdio.h>

#include "b2bua/core.h"
#include "lib/run.h"

static struct core g;
static struct core_entry entries[CORE_PLACES_MAX];

static const struct core_params params = {
	.options_interval_ms = 30000,
	.failures = 3,
	.successes = 2,
	.hold_down_ms = 60000,
};

static struct core_place place_at(uint32_t manager, uint32_t priority,
				  unsigned host)
{
	struct core_place p = {.manager = manager,
			       .priority = priority,
			       .dest = {.ep = {.index = 1, .gen = 1}}};
	char text[32];

	(void)snprintf(text, sizeof(text), "10.0.0.%u:5060", host);
	ck_assert_int_eq(addr_parse(slice_str(text), 0, &p.dest.peer), 0);
	return p;
}

static void add(uint32_t manager, uint32_t priority)
{
	struct core_place p = place_at(manager, priority, manager + 1);

	ck_assert_int_eq(core_set_places(&g, manager, &p, 1, 0), 0);
}

static void setup(void)
{
	core_init(&g, &params, entries, CORE_PLACES_MAX);
	add(0, 1);
	add(1, 2);
	add(2, 2);
}

static uint32_t chosen(const char *key, uint64_t tried, uint64_t now_ms)
{
	struct core_entry *e = core_choose(&g, slice_str(key), tried, now_ms);

	return e ? e->place.manager : UINT32_MAX;
}

static void lose(uint32_t manager, unsigned times, uint64_t now_ms)
{
	for (unsigned i = 0; i < times; i++)
		(void)core_result(&g, &g.entry[manager], false, false, now_ms);
}

static void recover(uint32_t manager, uint64_t now_ms)
{
	for (unsigned i = 0; i < params.successes; i++)
		(void)core_result(&g, &g.entry[manager], true, true, now_ms);
}

START_TEST(the_lowest_priority_that_is_up_serves)
{
	ck_assert_uint_eq(chosen("a", 0, 0), 0);
	lose(0, 2, 10);
	ck_assert_uint_eq(chosen("a", 0, 10), 0);
	ck_assert(core_result(&g, &g.entry[0], false, false, 10));
	ck_assert_uint_ne(chosen("a", 0, 10), 0);
	/* What was tried is not chosen, what is down comes last. */
	ck_assert_uint_eq(chosen("a", 2 | 4, 10), 0);
	ck_assert_uint_eq(chosen("a", 1 | 2 | 4, 10), UINT32_MAX);
	ck_assert(!core_has_other(&g, 2 | 4));
	ck_assert(core_has_other(&g, 1 | 2));
}
END_TEST

START_TEST(an_answer_in_between_starts_the_count_anew)
{
	lose(0, 2, 0);
	(void)core_result(&g, &g.entry[0], true, false, 0);
	lose(0, 2, 0);
	ck_assert(g.entry[0].is_up);
}
END_TEST

START_TEST(phones_are_spread_over_equal_ones_and_stay)
{
	unsigned count[3] = {0, 0, 0};

	for (unsigned i = 0; i < 1000; i++) {
		char key[16];
		uint32_t m;

		(void)snprintf(key, sizeof(key), "SEP%06u", i);
		m = chosen(key, 1, 0);
		ck_assert_uint_eq(m, chosen(key, 1, 5));
		ck_assert_uint_lt(m, 3);
		count[m]++;
	}
	ck_assert_uint_eq(count[0], 0);
	ck_assert_uint_gt(count[1], 350);
	ck_assert_uint_gt(count[2], 350);
}
END_TEST

START_TEST(weights_are_shares)
{
	struct core_place p[2] = {place_at(3, 0, 10), place_at(3, 0, 11)};
	unsigned count[2] = {0, 0};

	p[0].weight = 9;
	p[1].weight = 1;
	ck_assert_int_eq(core_set_places(&g, 3, p, 2, 0), 0);
	for (unsigned i = 0; i < 1000; i++) {
		char key[16];
		struct core_entry *e;

		(void)snprintf(key, sizeof(key), "SEP%06u", i);
		e = core_choose(&g, slice_str(key), 0, 0);
		ck_assert_ptr_nonnull(e);
		ck_assert_uint_eq(e->place.manager, 3);
		count[e->place.dest.peer.ip[3] - 10]++;
	}
	ck_assert_uint_gt(count[0], 800);
	ck_assert_uint_gt(count[1], 40);
}
END_TEST

START_TEST(who_came_back_is_held_until_it_is_settled)
{
	struct handle h;
	struct core_entry *e;

	while (core_probe_next(&g, 0)) {
	}
	lose(0, 3, 1000);
	h = core_handle(&g, core_choose(&g, slice_str("a"), 0, 1000));
	recover(0, 5000);
	(void)core_probe_next(&g, 60000);
	ck_assert(g.entry[0].is_up);
	ck_assert_uint_ne(chosen("a", 0, 5000 + 59999), 0);
	ck_assert_ptr_null(core_better(&g, h, 0, slice_str("a"), 0, 64999));
	ck_assert_uint_eq(core_deadline(&g, 64000), 65000);
	ck_assert_uint_eq(chosen("a", 0, 65000), 0);
	e = core_better(&g, h, 0, slice_str("a"), 0, 65000);
	ck_assert_ptr_eq(e, &g.entry[0]);
	/* When the others are down it serves at once. */
	lose(0, 3, 70000);
	recover(0, 71000);
	lose(1, 3, 71000);
	lose(2, 3, 71000);
	ck_assert_uint_eq(chosen("a", 0, 71000), 0);
}
END_TEST

START_TEST(who_flaps_is_held_longer)
{
	uint64_t now = 1000;
	uint64_t held = 0;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t before = held;

		lose(0, 3, now);
		recover(0, now + 10);
		held = g.entry[0].settled_ms - (now + 10);
		ck_assert_uint_ge(held, before);
		now += 1000;
	}
	ck_assert_uint_eq(held, (uint64_t)params.hold_down_ms << 4);
	/* After a long quiet time all is forgiven. */
	now += 100ULL * 60000 * 16;
	lose(0, 3, now);
	recover(0, now);
	ck_assert_uint_eq(g.entry[0].settled_ms - now, params.hold_down_ms);
}
END_TEST

START_TEST(registrations_made_before_it_went_down_are_made_anew)
{
	struct handle h = core_handle(&g, &g.entry[0]);
	struct slice key = slice_str("a");

	ck_assert_ptr_null(core_better(&g, h, 0, key, 0, 0));
	lose(1, 3, 0);
	lose(2, 3, 0);
	lose(0, 3, 0);
	/* Nobody is up: nothing can be done about it. */
	ck_assert_ptr_null(core_better(&g, h, 0, key, 0, 0));
	recover(0, 100);
	ck_assert_ptr_eq(core_better(&g, h, 0, key, 0, 100), &g.entry[0]);
	ck_assert_ptr_null(core_better(&g, h, g.entry[0].epoch, key, 0, 100));
}
END_TEST

START_TEST(only_options_bring_it_back)
{
	lose(0, 3, 0);
	for (int i = 0; i < 10; i++)
		ck_assert(!core_result(&g, &g.entry[0], true, false, 0));
	ck_assert(!g.entry[0].is_up);
	/* An OPTIONS that fails in between starts the count anew. */
	ck_assert(!core_result(&g, &g.entry[0], true, true, 0));
	ck_assert(!core_result(&g, &g.entry[0], false, true, 0));
	ck_assert(!core_result(&g, &g.entry[0], true, true, 0));
	ck_assert(core_result(&g, &g.entry[0], true, true, 0));
}
END_TEST

START_TEST(in_doubt_it_is_asked_every_second)
{
	struct core_entry *e;

	for (int i = 0; i < 3; i++) {
		e = core_probe_next(&g, 0);
		ck_assert_ptr_nonnull(e);
		(void)core_result(&g, e, true, true, 0);
	}
	ck_assert_ptr_null(core_probe_next(&g, 29999));
	ck_assert_uint_eq(core_deadline(&g, 0), 30000);
	(void)core_result(&g, &g.entry[1], false, false, 10000);
	ck_assert_uint_eq(core_deadline(&g, 10000), 11000);
	e = core_probe_next(&g, 11000);
	ck_assert_ptr_eq(e, &g.entry[1]);
	/* One is under way: no second one. */
	(void)core_result(&g, e, false, false, 11000);
	ck_assert_ptr_null(core_probe_next(&g, 29999));
	(void)core_result(&g, e, true, true, 11500);
	ck_assert_uint_eq(e->probe_ms, 41500);
}
END_TEST

START_TEST(places_that_are_named_again_keep_their_health)
{
	struct core_place p[2] = {place_at(0, 1, 1), place_at(0, 1, 9)};
	struct handle h = core_handle(&g, &g.entry[0]);

	lose(0, 3, 0);
	ck_assert_int_eq(core_set_places(&g, 0, p, 2, 50), 0);
	ck_assert(!core_get(&g, h)->is_up);
	ck_assert_uint_eq(
		core_choose(&g, slice_str("a"), 0, 50)->place.dest.peer.ip[3],
		9);
	/* Named no more: nobody new goes there, but who is there is known. */
	ck_assert_int_eq(core_set_places(&g, 0, &p[0], 1, 60), 0);
	ck_assert_ptr_nonnull(core_by_peer(&g, &p[1].dest.peer));
	ck_assert_uint_ne(chosen("a", 0, 60), 0);
	ck_assert_int_eq(core_set_places(&g, 0, NULL, 0, 70), 0);
	ck_assert_uint_ne(chosen("a", 2 | 4, 70), 0);
}
END_TEST

START_TEST(a_place_that_is_named_again_is_asked_at_once)
{
	struct core_place p = place_at(0, 1, 1);

	ck_assert_ptr_eq(core_probe_next(&g, 0), &g.entry[0]);
	(void)core_result(&g, &g.entry[0], false, true, 0);
	lose(0, 2, 0);
	ck_assert(!g.entry[0].is_up);
	ck_assert_int_eq(core_set_places(&g, 0, NULL, 0, 10), 0);
	ck_assert_int_eq(core_set_places(&g, 0, &p, 1, 20), 0);
	ck_assert_ptr_eq(core_probe_next(&g, 20), &g.entry[0]);
	recover(0, 20);
	ck_assert(g.entry[0].is_up);
	/* Who is named once more is asked when its time comes. */
	ck_assert_int_eq(core_set_places(&g, 0, &p, 1, 30), 0);
	ck_assert_ptr_ne(core_probe_next(&g, 30), &g.entry[0]);
}
END_TEST

START_TEST(who_is_being_asked_is_not_asked_again)
{
	struct core_place p = place_at(0, 1, 1);

	ck_assert_ptr_eq(core_probe_next(&g, 0), &g.entry[0]);
	ck_assert_int_eq(core_set_places(&g, 0, NULL, 0, 10), 0);
	ck_assert_int_eq(core_set_places(&g, 0, &p, 1, 20), 0);
	ck_assert_ptr_ne(core_probe_next(&g, 20), &g.entry[0]);
	(void)core_result(&g, &g.entry[0], true, true, 30);
	ck_assert_uint_eq(g.entry[0].probe_ms, 30 + params.options_interval_ms);
}
END_TEST

START_TEST(there_is_room_for_so_many_and_no_more)
{
	static struct core_place p[CORE_PLACES_MAX];

	for (unsigned i = 0; i < CORE_PLACES_MAX; i++)
		p[i] = place_at(5, 1, 20 + i);
	ck_assert_int_eq(core_set_places(&g, 5, p, CORE_PLACES_MAX - 3, 0), 0);
	ck_assert_int_eq(core_set_places(&g, 5, p, CORE_PLACES_MAX - 2, 0),
			 ERR_LIMIT);
	/* The room of those that are gone is used again; a handle to one that
	 * was there is stale then. */
	ck_assert_int_eq(core_set_places(&g, 5, p, 1, 10), 0);
	ck_assert_int_eq(core_set_places(&g, 5, p + 40, 24, 20), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("group");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, the_lowest_priority_that_is_up_serves);
	tcase_add_test(t, an_answer_in_between_starts_the_count_anew);
	tcase_add_test(t, phones_are_spread_over_equal_ones_and_stay);
	tcase_add_test(t, weights_are_shares);
	tcase_add_test(t, who_came_back_is_held_until_it_is_settled);
	tcase_add_test(t, who_flaps_is_held_longer);
	tcase_add_test(t, registrations_made_before_it_went_down_are_made_anew);
	tcase_add_test(t, only_options_bring_it_back);
	tcase_add_test(t, in_doubt_it_is_asked_every_second);
	tcase_add_test(t, places_that_are_named_again_keep_their_health);
	tcase_add_test(t, a_place_that_is_named_again_is_asked_at_once);
	tcase_add_test(t, who_is_being_asked_is_not_asked_again);
	tcase_add_test(t, there_is_room_for_so_many_and_no_more);
	return run_case("b2bua/core", t);
}
