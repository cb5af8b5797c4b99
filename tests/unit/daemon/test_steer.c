/* Rules by which the kernel finds a trunk's worker. */
#include "daemon/steer.h"
#include "lib/run.h"

static struct config_net net[3];
static struct config_trunk trunk[3];
static struct config config = {.trunk = trunk, .trunk_count = 3};
static struct steer now, before;

static void set(uint32_t i, uint8_t last, unsigned bits, uint32_t worker)
{
	net[i] = (struct config_net){
		.addr = {.family = ADDR_V4, .ip = {192, 0, 2, last}},
		.bits = bits};
	trunk[i] = (struct config_trunk){.source = &net[i],
					 .source_count = 1,
					 .listener_bits = 2,
					 .is_steered = true,
					 .worker = worker};
}

static void setup(void)
{
	set(0, 0, 24, 1);
	set(1, 7, 32, 2);
	set(2, 9, 32, 0);
	before.count = 0;
}

static void is(size_t i, uint8_t last, unsigned bits, uint32_t worker)
{
	ck_assert_uint_lt(i, now.count);
	ck_assert_uint_eq(now.rule[i].net.ip[3], last);
	ck_assert_uint_eq(now.rule[i].bits, bits);
	ck_assert_uint_eq(now.rule[i].to, worker);
}

/* As a trunk is found: a host before the network around it. */
START_TEST(the_longest_prefix_comes_first)
{
	steer_fill(&now, &config, 1, NULL);
	ck_assert_uint_eq(now.count, 3);
	is(0, 7, 32, 2);
	is(1, 9, 32, 0);
	is(2, 0, 24, 1);
}
END_TEST

START_TEST(other_listeners_and_trunks_that_sources_do_not_tell_do_not_count)
{
	trunk[0].is_steered = false;
	trunk[1].listener_bits = 1;
	steer_fill(&now, &config, 1, &before);
	ck_assert_uint_eq(now.count, 1);
	is(0, 9, 32, 0);
}
END_TEST

START_TEST(what_was_before_goes_on_behind_what_is)
{
	steer_fill(&before, &config, 1, NULL);
	set(1, 8, 32, 2); /* moved */
	set(2, 9, 32, 3); /* another's now */
	steer_fill(&now, &config, 1, &before);
	ck_assert_uint_eq(now.count, 4);
	is(0, 8, 32, 2);
	is(1, 9, 32, 3);
	is(2, 0, 24, 1);
	is(3, 7, 32, 2);
	config.trunk_count = 0;
	before = now;
	steer_fill(&now, &config, 1, &before);
	ck_assert_uint_eq(now.count, 4);
	config.trunk_count = 3;
}
END_TEST

START_TEST(there_is_an_end)
{
	for (size_t i = 0; i < TRANSPORT_RULES_MAX; i++)
		before.rule[i] = (struct transport_rule){
			.net = {.family = ADDR_V4,
				.ip = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}},
			.bits = 32};
	before.count = TRANSPORT_RULES_MAX;
	steer_fill(&now, &config, 1, &before);
	ck_assert_uint_eq(now.count, TRANSPORT_RULES_MAX);
	is(0, 7, 32, 2);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("steer");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, the_longest_prefix_comes_first);
	tcase_add_test(
		t,
		other_listeners_and_trunks_that_sources_do_not_tell_do_not_count);
	tcase_add_test(t, what_was_before_goes_on_behind_what_is);
	tcase_add_test(t, there_is_an_end);
	return run_case("daemon/steer", t);
}
