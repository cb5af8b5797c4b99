/* Which trunk somebody is. */
#include <check.h>
#include "config/config.h"
#include "lib/run.h"

static const char *const rows[][4] = {
	{"listener", "phones", "address", "udp:192.0.2.1:5060"},
	{"listener", "tls", "address", "tls:192.0.2.1:5061"},
	{"listener", "tls", "certificate", "server.pem"},
	{"listener", "tls", "key", "server.key"},
	{"listener", "tls", "trust", "trunks"},
	{"listener", "tls", "serves", "trunks"},
	{"listener", "udp", "address", "udp:192.0.2.1:5070"},
	{"listener", "udp", "serves", "trunks"},
	{"call-manager", "cm", "address", "udp:10.0.0.2:5060"},
	{"call-manager", "cm", "local-address", "10.0.0.1:5070"},
	{"call-manager", "cm", "serves", "both"},
	{"media", "", "outside-address", "192.0.2.1"},
	{"media", "", "inside-address", "10.0.0.1"},
	{"trunk-profile", "tls", "security-mode", "nonsecure"},
	{"trunk-profile", "tls", "digest", "yes"},
	{"trunk-profile", "open", "security-mode", "nonsecure"},
	{"trunk-profile", "open", "digest", "yes"},
	{"trunk-profile", "open", "mutual-tls", "no"},
	{"trunk", "exact", "profile", "tls"},
	{"trunk", "exact", "listeners", "tls"},
	{"trunk", "exact", "direction", "in"},
	{"trunk", "exact", "subjects", "SBC.example.com"},
	{"trunk", "wild", "profile", "tls"},
	{"trunk", "wild", "listeners", "tls"},
	{"trunk", "wild", "direction", "in"},
	{"trunk", "wild", "subjects", "*.example.com"},
	{"trunk", "wild", "hosts", "Wild.example"},
	{"trunk", "net", "profile", "tls"},
	{"trunk", "net", "listeners", "udp"},
	{"trunk", "net", "direction", "in"},
	{"trunk", "net", "sources", "198.51.100.0/24"},
	{"trunk", "host", "profile", "tls"},
	{"trunk", "host", "listeners", "udp"},
	{"trunk", "host", "direction", "in"},
	{"trunk", "host", "sources", "198.51.100.7"},
	{"trunk", "host", "sources", "2001:db8::/33"},
	{"trunk", "both", "profile", "tls"},
	{"trunk", "both", "listeners", "tls"},
	{"trunk", "both", "direction", "in"},
	{"trunk", "both", "identify", "both"},
	{"trunk", "both", "subjects", "both.example.net"},
	{"trunk", "both", "sources", "203.0.113.0/24"},
	{"trunk", "open", "profile", "open"},
	{"trunk", "open", "listeners", "tls"},
	{"trunk", "open", "direction", "in"},
	{"trunk", "open", "sources", "198.51.100.128/25"},
};

enum { TLS = 1, UDP = 2 };

static struct config *config;

static void setup(void)
{
	static struct config_tuple t[2 * ROWS(rows)];
	struct config_report rep;
	size_t n = 0;

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct config_tuple x = {.section = rows[i][0],
					 .label = slice_str(rows[i][1]),
					 .name = rows[i][2],
					 .value = slice_str(rows[i][3]),
					 .file = "test.conf"};

		if (i == 0 || strcmp(rows[i][0], rows[i - 1][0]) != 0 ||
		    strcmp(rows[i][1], rows[i - 1][1]) != 0) {
			t[n] = x;
			t[n++].name = NULL;
		}
		t[n++] = x;
	}
	config_report_init(&rep);
	if (config_build(t, n, "/etc", &rep, &config) != 0)
		ck_abort_msg("%s", rep.first ? rep.first->text : "no config");
	config_report_done(&rep);
}

static void teardown(void)
{
	config = config_unref(config);
}

/* Who comes from there, with that name in his certificate? */
static const char *who(uint32_t listener, const char *source, const char *name)
{
	struct slice names[2] = {SLICE("unknown.example"), SLICE_NULL};
	struct config_claim q = {
		.listener = listener, .is_tls = listener == TLS, .name = names};
	const struct config_trunk *t;

	ck_assert_int_eq(addr_parse_ip(slice_str(source), &q.source), 0);
	if (name) {
		names[1] = slice_str(name);
		q.name_count = 2;
	}
	t = config_trunk_identify(config, &q);
	return t ? t->name : "";
}

START_TEST(certificates_name_trunks)
{
	ck_assert_str_eq(who(TLS, "192.0.2.77", "sbc.EXAMPLE.com"), "exact");
	ck_assert_str_eq(who(TLS, "192.0.2.77", "sbc.example.com."), "exact");
	ck_assert_str_eq(who(TLS, "192.0.2.77", "a.example.com"), "wild");
	/* One label, no less and no more. */
	ck_assert_str_eq(who(TLS, "192.0.2.77", "example.com"), "");
	ck_assert_str_eq(who(TLS, "192.0.2.77", "a.b.example.com"), "");
	ck_assert_str_eq(who(TLS, "192.0.2.77", ".example.com"), "");
	ck_assert_str_eq(who(TLS, "192.0.2.77", "aexample.com"), "");
	ck_assert_str_eq(who(TLS, "192.0.2.77", "*.example.com"), "wild");
	/* Not at another listener. */
	ck_assert_str_eq(who(UDP, "192.0.2.77", "sbc.example.com"), "");
	ck_assert_str_eq(who(0, "192.0.2.77", "sbc.example.com"), "");
}
END_TEST

START_TEST(addresses_name_trunks)
{
	ck_assert_str_eq(who(UDP, "198.51.100.7", NULL), "host");
	ck_assert_str_eq(who(UDP, "198.51.100.8", NULL), "net");
	ck_assert_str_eq(who(UDP, "198.51.101.8", NULL), "");
	ck_assert_str_eq(who(UDP, "2001:db8:7fff::1", NULL), "host");
	ck_assert_str_eq(who(UDP, "2001:db8:8000::1", NULL), "");
	ck_assert_str_eq(who(TLS, "198.51.100.7", NULL), "");
}
END_TEST

START_TEST(both_means_both)
{
	ck_assert_str_eq(who(TLS, "203.0.113.9", "both.example.net"), "both");
	ck_assert_str_eq(who(TLS, "203.0.114.9", "both.example.net"), "");
	ck_assert_str_eq(who(TLS, "203.0.113.9", "other.example.net"), "");
	ck_assert_str_eq(who(TLS, "203.0.113.9", NULL), "");
}
END_TEST

START_TEST(without_mutual_tls_the_address_is_enough)
{
	ck_assert_str_eq(who(TLS, "198.51.100.200", NULL), "open");
	ck_assert_str_eq(who(TLS, "198.51.100.100", NULL), "");
}
END_TEST

START_TEST(hosts_of_requests_name_trunks)
{
	const struct config_trunk *t =
		config_trunk_by_host(config, slice_str("wild.EXAMPLE"));

	ck_assert_ptr_nonnull(t);
	ck_assert_str_eq(t->name, "wild");
	ck_assert_ptr_null(config_trunk_by_host(config, slice_str("wild")));
	ck_assert_ptr_null(config_trunk_by_host(config, SLICE_NULL));
	ck_assert(slice_eqs(config_trunk_realm(t), "wild"));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("trunk");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, certificates_name_trunks);
	tcase_add_test(tc, addresses_name_trunks);
	tcase_add_test(tc, both_means_both);
	tcase_add_test(tc, without_mutual_tls_the_address_is_enough);
	tcase_add_test(tc, hosts_of_requests_name_trunks);
	return run_case("config/trunk", tc);
}
