/* What is held back for want of IPsec. */
#include "lib/oom.h"
#include "lib/run.h"
#include "proxy/shield.h"

static const char *const rows[][4] = {
	{"listener", "out", NULL, ""},
	{"listener", "out", "address", "udp:192.0.2.1:5060"},
	{"listener", "out", "serves", "both"},
	{"call-manager", "cm", NULL, ""},
	{"call-manager", "cm", "address", "udp:10.0.0.2:5060"},
	{"call-manager", "cm", "local-address", "10.0.0.1:5070"},
	{"call-manager", "cm", "serves", "both"},
	{"media", "", "outside-address", "192.0.2.1"},
	{"media", "", "inside-address", "10.0.0.1"},
	{"trunk-profile", "plain", NULL, ""},
	{"trunk-profile", "plain", "security-mode", "nonsecure"},
	{"trunk", "t1", NULL, ""},
	{"trunk", "t1", "profile", "plain"},
	{"trunk", "t1", "listeners", "out"},
	{"trunk", "t1", "peers", "udp:198.51.100.1:5060"},
	{"trunk", "t1", "peers", "udp:198.51.100.2:5060"},
	{"trunk", "t1", "sources", "198.51.100.3"},
	{"trunk", "t1", "hosts", "t1.example.com"},
	{"trunk", "t1", "require-ipsec", "yes"},
	{"trunk", "t2", NULL, ""},
	{"trunk", "t2", "profile", "plain"},
	{"trunk", "t2", "listeners", "out"},
	{"trunk", "t2", "peers", "udp:198.51.100.4:5060"},
	{"trunk", "t2", "hosts", "t2.example.com"},
	{"trunk", "t2", "require-ipsec", "warn"},
	{"gateway", "g", NULL, ""},
	{"gateway", "g", "address", "198.51.100.5"},
	{"gateway", "g", "require-ipsec", "yes"},
};

enum { TUPLES = sizeof(rows) / sizeof(rows[0]) };

static struct config *config;
static struct shield *shield;

static void setup(void)
{
	static struct config_tuple t[TUPLES];
	struct config_report rep;

	for (size_t i = 0; i < TUPLES; i++)
		t[i] = (struct config_tuple){.section = rows[i][0],
					     .label = slice_str(rows[i][1]),
					     .name = rows[i][2],
					     .value = slice_str(rows[i][3]),
					     .file = "test.conf",
					     .line = (uint32_t)i + 1};
	config_report_init(&rep);
	ck_assert_int_eq(config_build(t, TUPLES, "/", &rep, &config), 0);
	config_report_done(&rep);
	shield = shield_new(config, 1);
	ck_assert_ptr_nonnull(shield);
}

static void teardown(void)
{
	shield = shield_free(shield);
	config = config_unref(config);
}

static struct addr at(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(slice_str(text), 0, &a), 0);
	return a;
}

static bool holds(const char *text)
{
	struct addr a = at(text);

	return shield_holds(shield, &a, true);
}

static uint32_t held(void)
{
	struct shield_stats s;

	shield_stats(shield, &s);
	return s.held;
}

START_TEST(what_is_known_stays_under_another_configuration)
{
	struct addr a = {.family = ADDR_V4, .ip = {198, 51, 100, 1}};
	struct addr b = {.family = ADDR_V4, .ip = {198, 51, 100, 2}};
	struct shield *next = shield_new(config, 2);
	struct shield_stats n;
	uint8_t news[64];
	struct writer to;

	ck_assert_ptr_nonnull(next);
	writer_init(&to, news, sizeof(news));
	shield_write(&to, &a, 1);
	ck_assert_int_eq(shield_set(shield, writer_slice(&to)), 0);
	ck_assert(shield_holds(shield, &b, true));
	shield_follow(next, shield);
	ck_assert(!shield_holds(next, &a, true));
	ck_assert(shield_holds(next, &b, true));
	shield_stats(next, &n);
	ck_assert_uint_eq(n.out, 2);
	shield_free(next);
}
END_TEST

START_TEST(nothing_is_protected_before_the_news)
{
	struct shield_stats s;
	struct addr a = at("198.51.100.1:5060");

	ck_assert(holds("198.51.100.1:5060"));
	ck_assert(holds("198.51.100.1:9")); /* whatever the port */
	ck_assert(holds("198.51.100.2"));
	ck_assert(holds("198.51.100.3"));
	/* Warnings, gateways and all others do not hold anything back. */
	ck_assert(!holds("198.51.100.4:5060"));
	ck_assert(!holds("198.51.100.5:5060"));
	ck_assert(!holds("10.0.0.2:5060"));
	ck_assert(!holds("[2001:db8::1]:5060"));
	ck_assert(shield_holds(shield, &a, false));
	shield_stats(shield, &s);
	ck_assert_uint_eq(s.out, 4);
	ck_assert_uint_eq(s.in, 1);
	ck_assert_uint_eq(s.held, 3);
}
END_TEST

START_TEST(news_open_and_close)
{
	struct addr a[] = {at("198.51.100.1"), at("198.51.100.9"),
			   at("198.51.100.3")};
	uint8_t buf[256];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	shield_write(&w, a, 3);
	ck_assert_int_eq(shield_set(shield, writer_slice(&w)), 0);
	ck_assert(!holds("198.51.100.1:5060"));
	ck_assert(holds("198.51.100.2"));
	ck_assert(!holds("198.51.100.3"));
	ck_assert_uint_eq(held(), 1);
	writer_init(&w, buf, sizeof(buf));
	shield_write(&w, a, 0);
	ck_assert_int_eq(shield_set(shield, writer_slice(&w)), 0);
	ck_assert_uint_eq(held(), 3);
}
END_TEST

START_TEST(cut_news_change_nothing)
{
	struct addr a[] = {at("198.51.100.1"), at("198.51.100.2")};
	uint8_t buf[256];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	shield_write(&w, a, 2);
	for (size_t n = 0; n < w.len; n++)
		ck_assert_int_eq(shield_set(shield, slice_make(buf, n)),
				 ERR_BAD);
	buf[w.len] = 0;
	ck_assert_int_eq(shield_set(shield, slice_make(buf, w.len + 1)),
			 ERR_BAD);
	ck_assert_uint_eq(held(), 3);
}
END_TEST

static void make(void *arg)
{
	(void)arg;
	shield_free(shield_new(config, 2));
}

START_TEST(a_shield_survives_failing_memory)
{
	oom_sweep(make, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("shield");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_known_stays_under_another_configuration);
	tcase_add_test(tc, nothing_is_protected_before_the_news);
	tcase_add_test(tc, news_open_and_close);
	tcase_add_test(tc, cut_news_change_nothing);
	tcase_add_test(tc, a_shield_survives_failing_memory);
	return run_case("proxy/shield", tc);
}
