/* Sources that are nobody: counted, answered slowly, bounded. */
#include <check.h>

#include "authz/strangers.h"
#include "lib/oom.h"
#include "lib/run.h"

static struct strangers *s;

static void setup(void)
{
	s = strangers_new(3, 1);
	ck_assert_ptr_nonnull(s);
}

static void teardown(void)
{
	s = strangers_free(s);
}

static bool note(const char *source, uint32_t per_minute, uint64_t now_ms)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(slice_str(source), 0, &a), 0);
	return strangers_note(s, &a, slice_str("INVITE"),
			      slice_str("a\r\n\x01 b"), per_minute, now_ms);
}

/* Number i in the list, or "-". */
static const char *at(uint32_t i)
{
	static char text[ADDR_STR_MAX];
	struct stranger x;

	if (!strangers_next(s, &i, &x))
		return "-";
	return addr_str(&x.source, text);
}

START_TEST(answers_have_a_pace)
{
	ck_assert(note("192.0.2.1:5060", 2, 0));
	ck_assert(note("192.0.2.1:5061", 2, 1)); /* ports do not count */
	ck_assert(!note("192.0.2.1:5062", 2, 2));
	ck_assert(!note("192.0.2.1:5062", 2, 29000));
	ck_assert(note("192.0.2.1:5062", 2, 31000)); /* half a minute */
	ck_assert(!note("192.0.2.1:5062", 2, 31001));
	ck_assert(note("192.0.2.2:5060", 2, 2));
}
END_TEST

START_TEST(one_network_of_ipv6_is_one_source)
{
	struct stranger x;
	uint32_t pos = 0;

	ck_assert(note("[2001:db8::1]:5060", 1, 0));
	ck_assert(!note("[2001:db8::2:0:0:2]:5060", 1, 0));
	ck_assert(note("[2001:db8:0:1::1]:5060", 1, 0));
	pos = 1;
	ck_assert(strangers_next(s, &pos, &x));
	ck_assert_uint_eq(x.count, 2);
	ck_assert(slice_eqs(x.agent, "a b")); /* nothing that is not text */
}
END_TEST

START_TEST(the_longest_silent_is_forgotten)
{
	uint32_t sources;
	uint64_t messages;

	(void)note("192.0.2.1:1", 1, 1);
	(void)note("192.0.2.2:1", 1, 2);
	(void)note("192.0.2.3:1", 1, 3);
	(void)note("192.0.2.1:1", 1, 4);
	ck_assert_str_eq(at(0), "192.0.2.1:0");
	(void)note("192.0.2.4:1", 1, 5);
	ck_assert_str_eq(at(0), "192.0.2.4:0");
	ck_assert_str_eq(at(1), "192.0.2.1:0");
	ck_assert_str_eq(at(2), "192.0.2.3:0");
	ck_assert_str_eq(at(3), "-");
	strangers_counts(s, &sources, &messages);
	ck_assert_uint_eq(sources, 3);
	ck_assert_uint_eq(messages, 5);
}
END_TEST

static void run_out(void *arg)
{
	struct strangers *t = strangers_new(2, 1);
	struct addr a = {.family = ADDR_V4};

	(void)arg;
	if (t)
		(void)strangers_note(t, &a, SLICE_NULL, SLICE_NULL, 1, 0);
	strangers_free(t);
}

START_TEST(lack_of_memory_is_no_answer)
{
	oom_sweep(run_out, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("strangers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, answers_have_a_pace);
	tcase_add_test(tc, one_network_of_ipv6_is_one_source);
	tcase_add_test(tc, the_longest_silent_is_forgotten);
	tcase_add_test(tc, lack_of_memory_is_no_answer);
	return run_case("authz/strangers", tc);
}
