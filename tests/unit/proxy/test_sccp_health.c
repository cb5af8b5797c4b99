/*
 * When a call manager for Skinny phones is believed to be there.
 */
#include <check.h>

#include "lib/run.h"
#include "proxy/sccp_health.h"

enum { HOLD_S = 60 };

START_TEST(one_that_nobody_knows_is_tried)
{
	struct sccp_health h = {.up_ms = 0};

	ck_assert(!sccp_health_is_down(&h, 1000));
	ck_assert(!sccp_health_is_settled(&h, HOLD_S, 1000));
}
END_TEST

START_TEST(one_that_failed_is_passed_over_for_half_a_minute)
{
	struct sccp_health h = {.up_ms = 0};

	sccp_health_down(&h, 100000);
	ck_assert(sccp_health_is_down(&h, 129999));
	ck_assert(!sccp_health_is_down(&h, 130000));
	ck_assert(!sccp_health_ask(&h, 129999));
	ck_assert(sccp_health_ask(&h, 130000));
	ck_assert(!sccp_health_ask(&h, 139999));
	ck_assert(sccp_health_ask(&h, 140000));
	sccp_health_up(&h, 140001);
	ck_assert(!sccp_health_is_down(&h, 140001));
	ck_assert(!sccp_health_is_settled(&h, HOLD_S, 200000));
	ck_assert(sccp_health_is_settled(&h, HOLD_S, 200001));
	/* Further success changes nothing. */
	sccp_health_up(&h, 200001);
	ck_assert(sccp_health_is_settled(&h, HOLD_S, 200001));
}
END_TEST

START_TEST(one_that_comes_and_goes_is_believed_later_each_time)
{
	static const uint32_t times[] = {1, 2, 4, 8, 16, 16, 16};
	struct sccp_health h = {.up_ms = 0};
	uint64_t now = 1000000;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		sccp_health_up(&h, now);
		ck_assert(!sccp_health_is_settled(
			&h, HOLD_S, now + times[i] * HOLD_S * 1000 - 1));
		ck_assert(sccp_health_is_settled(
			&h, HOLD_S, now + times[i] * HOLD_S * 1000));
		now += 100000;
		sccp_health_down(&h, now);
		/* All phones notice that: it is one failure. */
		sccp_health_down(&h, now);
		now += 40000;
	}
	/* After a long time without a failure all is forgiven. */
	sccp_health_up(&h, now);
	now += SCCP_FLAP_MS;
	sccp_health_down(&h, now);
	sccp_health_up(&h, now);
	ck_assert(sccp_health_is_settled(&h, HOLD_S, now + HOLD_S * 1000));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sccp_health");

	tcase_add_test(tc, one_that_nobody_knows_is_tried);
	tcase_add_test(tc, one_that_failed_is_passed_over_for_half_a_minute);
	tcase_add_test(tc, one_that_comes_and_goes_is_believed_later_each_time);
	return run_case("proxy/sccp_health", tc);
}
