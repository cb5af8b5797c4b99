/* Addresses as values: parsing, printing, prefixes, system form. */
#include "lib/run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/addr.h"

static struct addr get(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(slice_str(text), 0, &a), 0);
	return a;
}

static const struct {
	const char *text;
	int err;
	const char *printed;
} parse_rows[] = {
	{"192.0.2.1", 0, "192.0.2.1:5060"},
	{"192.0.2.1:0", 0, "192.0.2.1:0"},
	{"192.0.2.1:65535", 0, "192.0.2.1:65535"},
	{"[2001:db8::1]", 0, "[2001:db8::1]:5060"},
	{"[2001:db8::1]:1", 0, "[2001:db8::1]:1"},
	{"[::ffff:1.2.3.4]:1", 0, "[::ffff:1.2.3.4]:1"},
	{"", ERR_BAD, NULL},
	{":5060", ERR_BAD, NULL},
	{"192.0.2.1:", ERR_BAD, NULL},
	{"192.0.2.1:65536", ERR_BAD, NULL},
	{"192.0.2.1:-1", ERR_BAD, NULL},
	{"192.0.2.1:5 ", ERR_BAD, NULL},
	{"192.0.2", ERR_BAD, NULL},
	{"192.0.2.256", ERR_BAD, NULL},
	{"192.0.2.1.5", ERR_BAD, NULL},
	{"192.0.02.1", ERR_BAD, NULL},
	{"2001:db8::1", ERR_BAD, NULL},
	{"[192.0.2.1]", ERR_BAD, NULL},
	{"[2001:db8::1", ERR_BAD, NULL},
	{"[2001:db8::1]5", ERR_BAD, NULL},
	{"[2001:db8::1]:", ERR_BAD, NULL},
	{"[]", ERR_BAD, NULL},
	{"[fe80::1%eth0]", ERR_BAD, NULL},
	{"example.com", ERR_BAD, NULL},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 ERR_BAD, NULL},
};

START_TEST(an_address_and_port_is_read_as_its_row_says)
{
	char buf[ADDR_STR_MAX];
	struct addr a = {.port = 77};

	ck_assert_int_eq(addr_parse(slice_str(parse_rows[_i].text), 5060, &a),
			 parse_rows[_i].err);
	if (parse_rows[_i].err)
		ck_assert_uint_eq(a.port, 77); /* not touched */
	else
		ck_assert_str_eq(addr_str(&a, buf), parse_rows[_i].printed);
}
END_TEST

START_TEST(an_ip_is_read_with_and_without_brackets)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_ip(slice_str("2001:db8::1"), &a), 0);
	ck_assert_int_eq(a.family, ADDR_V6);
	ck_assert_int_eq(addr_parse_ip(slice_str("[2001:db8::1]"), &a), 0);
	ck_assert_int_eq(addr_parse_ip(slice_str("10.0.0.1"), &a), 0);
	ck_assert_int_eq(a.family, ADDR_V4);
	ck_assert_uint_eq(a.port, 0);
	ck_assert_int_eq(addr_parse_ip(slice_str("10.0.0.1:5"), &a), ERR_BAD);
	ck_assert_int_eq(addr_parse_ip(slice_make("10.0.0.1\0x", 10), &a),
			 ERR_BAD);
}
END_TEST

START_TEST(printing_knows_sdp_and_uri_form)
{
	struct addr six = get("[2001:db8::1]:9");
	struct addr none = {.family = ADDR_NONE};
	char buf[ADDR_STR_MAX + 1] = "";
	struct writer w;

	writer_init(&w, buf, ADDR_STR_MAX);
	addr_print_ip(&w, &six);
	writer_u8(&w, ' ');
	addr_print_host(&w, &six);
	writer_u8(&w, ' ');
	addr_print_ip(&w, &none);
	ck_assert_str_eq(buf, "2001:db8::1 [2001:db8::1] -");
}
END_TEST

START_TEST(the_longest_address_fits_the_string)
{
	struct addr a = get("[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
	char buf[ADDR_STR_MAX];

	ck_assert_str_eq(addr_str(&a, buf),
			 "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}
END_TEST

START_TEST(addresses_compare_with_and_without_port)
{
	struct addr a = get("192.0.2.1:1");
	struct addr b = get("192.0.2.1:2");
	struct addr c = get("192.0.2.2:1");
	struct addr d = addr_with_port(&b, 1);

	ck_assert(!addr_eq(&a, &b));
	ck_assert(addr_ip_eq(&a, &b));
	ck_assert(!addr_ip_eq(&a, &c));
	ck_assert(addr_eq(&a, &d));
	ck_assert_uint_eq(addr_hash(&a, 5), addr_hash(&d, 5));
	ck_assert_uint_ne(addr_hash(&a, 5), addr_hash(&b, 5));
	ck_assert_uint_ne(addr_hash(&a, 5), addr_hash(&a, 6));
	ck_assert_uint_ne(addr_hash(&a, 5), addr_hash(&c, 5));
}
END_TEST

START_TEST(the_any_addresses_are_recognised)
{
	struct addr a = get("0.0.0.0:5"), b = get("[::]"), c = get("0.0.0.1");
	struct addr none = {.family = ADDR_NONE};

	ck_assert(addr_is_any(&a));
	ck_assert(addr_is_any(&b));
	ck_assert(addr_is_any(&none));
	ck_assert(!addr_is_any(&c));
}
END_TEST

static const struct {
	const char *addr, *net;
	unsigned bits;
	bool want;
} prefix_rows[] = {
	{"10.1.2.3", "10.0.0.0", 8, true},
	{"11.1.2.3", "10.0.0.0", 8, false},
	{"10.1.2.3", "10.1.2.2", 31, true},
	{"10.1.2.4", "10.1.2.2", 31, false},
	{"10.1.2.3", "10.1.2.3", 32, true},
	{"10.1.2.3", "10.1.2.2", 32, false},
	{"10.1.2.3", "99.9.9.9", 0, true},
	{"10.1.2.3", "10.1.2.3", 33, false},
	{"10.1.2.3", "[::]", 0, false},
	{"[2001:db8::5]", "[2001:db8::]", 32, true},
	{"[2001:db9::5]", "[2001:db8::]", 32, false},
	{"[2001:db9::5]", "[2001:db8::]", 31, true},
	{"[2001:db8::5]", "[2001:db8::5]", 128, true},
	{"[2001:db8::5]", "[2001:db8::5]", 129, false},
	{"[2001:db8::5]", "[::]", 0, true},
};

START_TEST(a_prefix_holds_as_its_row_says)
{
	struct addr a = get(prefix_rows[_i].addr);
	struct addr net = get(prefix_rows[_i].net);

	ck_assert_int_eq(addr_in_prefix(&a, &net, prefix_rows[_i].bits),
			 prefix_rows[_i].want);
}
END_TEST

START_TEST(nothing_is_in_no_network)
{
	struct addr none = {.family = ADDR_NONE};

	ck_assert(!addr_in_prefix(&none, &none, 0));
}
END_TEST

START_TEST(the_system_form_comes_back_the_same)
{
	const char *text[] = {"192.0.2.1:5060", "[2001:db8::1]:5061"};

	for (size_t i = 0; i < 2; i++) {
		struct addr a = get(text[i]), b;
		struct sockaddr_storage ss;

		ck_assert_uint_gt(addr_to_sockaddr(&a, &ss), 0);
		ck_assert_int_eq(addr_from_sockaddr(&ss, &b), 0);
		ck_assert(addr_eq(&a, &b));
	}
}
END_TEST

START_TEST(mapped_addresses_become_ipv4_and_other_families_nothing)
{
	struct addr a = get("[::ffff:192.0.2.1]:5060"), b;
	struct addr none = {.family = ADDR_NONE};
	struct sockaddr_storage ss;
	char buf[ADDR_STR_MAX];

	ck_assert_uint_eq(addr_to_sockaddr(&a, &ss),
			  sizeof(struct sockaddr_in6));
	ck_assert_int_eq(addr_from_sockaddr(&ss, &b), 0);
	ck_assert_str_eq(addr_str(&b, buf), "192.0.2.1:5060");
	ck_assert_uint_eq(addr_to_sockaddr(&none, &ss), 0);
	ss.ss_family = AF_UNIX;
	ck_assert_int_eq(addr_from_sockaddr(&ss, &b), ERR_UNSUPPORTED);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("addr");

	tcase_add_loop_test(tc, an_address_and_port_is_read_as_its_row_says, 0,
			    ROWS(parse_rows));
	tcase_add_test(tc, an_ip_is_read_with_and_without_brackets);
	tcase_add_test(tc, printing_knows_sdp_and_uri_form);
	tcase_add_test(tc, the_longest_address_fits_the_string);
	tcase_add_test(tc, addresses_compare_with_and_without_port);
	tcase_add_test(tc, the_any_addresses_are_recognised);
	tcase_add_loop_test(tc, a_prefix_holds_as_its_row_says, 0,
			    ROWS(prefix_rows));
	tcase_add_test(tc, nothing_is_in_no_network);
	tcase_add_test(tc, the_system_form_comes_back_the_same);
	tcase_add_test(tc,
		       mapped_addresses_become_ipv4_and_other_families_nothing);
	return run_case("base/addr", tc);
}
