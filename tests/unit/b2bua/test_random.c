/*
 * Invariants under random play, with and without memory. Whatever happens,
 * nothing crashes, every flow that was added is deleted once, every port
 * returns, keys are where policy wants them, and when everybody is gone and
 * time has passed nothing is left.
 */
#include <check.h>
#include <stdlib.h>

#include "lib/entropy.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "unit/b2bua/play.h"

enum { STEPS = 3000 };

static struct test_entropy state;

static void begin(uint64_t seed, bool has_oom, bool is_lossy)
{
	play_new(&(struct play_params){.dice = test_entropy(&state, seed),
				       .seed = seed,
				       .policy = (unsigned)(seed % 3),
				       .has_oom = has_oom,
				       .is_lossy = is_lossy});
}

static unsigned play(uint64_t seed, bool has_oom)
{
	unsigned answered;

	begin(seed, has_oom, false);
	for (int i = 0; i < STEPS; i++)
		play_step();
	play_end();
	answered = play_answered();
	play_free();
	return answered;
}

START_TEST(random_play_leaves_nothing_behind)
{
	unsigned answered = 0;

	for (uint64_t seed = 1; seed <= 30; seed++)
		answered += play(seed + 1000 * (uint64_t)_i, false);
	/* The play is worth something: calls do come about. */
	ck_assert_uint_gt(answered, 100);
}
END_TEST

START_TEST(random_play_survives_lack_of_memory)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		(void)play(seed + 1000 * (uint64_t)_i, true);
}
END_TEST

/* Several plays, so that reliable provisionals, forks, UPDATEs and re-INVITEs
 * of our own are among what lacks memory. */
START_TEST(each_allocation_may_fail_once)
{
	bool did_fail = true;

	for (uint64_t n = 1; did_fail; n++) {
		begin(4 + (uint64_t)_i, false, true);
		oom_arm(n);
		for (int i = 0; i < 90; i++)
			play_step();
		play_end();
		did_fail = oom_disarm();
		play_free();
	}
}
END_TEST

START_TEST(half_played_machines_are_freed_whole)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		begin(seed, false, false);
		for (unsigned i = 0; i < 20 * seed; i++)
			play_step();
		play_free();
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("invariants");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, random_play_leaves_nothing_behind, 0, 2);
	tcase_add_loop_test(t, random_play_survives_lack_of_memory, 0, 2);
	tcase_add_loop_test(t, each_allocation_may_fail_once, 0, 6);
	tcase_add_test(t, half_played_machines_are_freed_whole);
	return run_case("b2bua/random", t);
}
