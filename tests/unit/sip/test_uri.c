/* SIP URIs: RFC 3261 sections 19.1 and 25.1. */
#include <check.h>
#include <stdlib.h>

#include "lib/run.h"
#include "sip/uri.h"

static const struct {
	const char *uri;
	int result;
	const char *user;
	const char *host;
	unsigned port;
	const char *params;
	const char *headers;
} rows[] = {
	{"sip:alice@example.com", 0, "alice", "example.com", 0, "", ""},
	{"SIPS:example.com", 0, "", "example.com", 0, "", ""},
	{"sip:a:pw@h:5070;lr;x=1?s=t", 0, "a", "h", 5070, "lr;x=1", "s=t"},
	{"sip:h?s=t", 0, "", "h", 0, "", "s=t"},
	{"sip:a@[2001:db8::1]:5060", 0, "a", "[2001:db8::1]", 5060, "", ""},
	{"sip:[2001:db8::1]", 0, "", "[2001:db8::1]", 0, "", ""},
	/* RFC 4475 3.1.1.2 and 3.1.1.9: ';' and '?' in a user part. */
	{"sip:a;b=c?d@h", 0, "a;b=c?d", "h", 0, "", ""},
	{"sip:%61lice@h", 0, "%61lice", "h", 0, "", ""},
	{"sip:#31#123@h", 0, "#31#123", "h", 0, "", ""},
	{"sip:+1.2-(3)@my_host.", 0, "+1.2-(3)", "my_host.", 0, "", ""},
	{"tel:+123", ERR_UNSUPPORTED, "", "", 0, "", ""},
	{"urn:service:sos", ERR_UNSUPPORTED, "", "", 0, "", ""},
	{"", ERR_BAD, "", "", 0, "", ""},
	{"sip", ERR_BAD, "", "", 0, "", ""},
	{"sip:", ERR_BAD, "", "", 0, "", ""},
	{":h", ERR_BAD, "", "", 0, "", ""},
	{"1sip:h", ERR_BAD, "", "", 0, "", ""},
	{"sip:@h", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@b@c", ERR_BAD, "", "", 0, "", ""},
	{"sip:;lr", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@h:", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@h:0", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@h:65536", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@h:+5", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@h:5060x", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@[::1", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@[::1]x", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@[g::1]", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@h%00", ERR_BAD, "", "", 0, "", ""},
	{"sip:a%4@h", ERR_BAD, "", "", 0, "", ""},
	{"sip:a%zz@h", ERR_BAD, "", "", 0, "", ""},
	{"sip:a b@h", ERR_BAD, "", "", 0, "", ""},
	{" sip:a@h", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@h>", ERR_BAD, "", "", 0, "", ""},
	{"sip:\"a\"@h", ERR_BAD, "", "", 0, "", ""},
	{"sip:a@h\r\nX: y", ERR_BAD, "", "", 0, "", ""},
	{"sip:\xc3\xa4@h", ERR_BAD, "", "", 0, "", ""},
};

START_TEST(uris_are_read_as_the_table_says)
{
	struct sip_uri u = {.port = 9};
	const char *s = rows[_i].uri;

	ck_assert_msg(sip_uri_parse(slice_str(s), &u) == rows[_i].result, "%s",
		      s);
	if (rows[_i].result == ERR_BAD)
		return;
	ck_assert(u.scheme.len > 0);
	ck_assert_msg(slice_eqs(u.user, rows[_i].user), "%s", s);
	ck_assert_msg(slice_eqs(u.host, rows[_i].host), "%s", s);
	ck_assert_uint_eq(u.port, rows[_i].port);
	ck_assert_msg(slice_eqs(u.params, rows[_i].params), "%s", s);
	ck_assert_msg(slice_eqs(u.headers, rows[_i].headers), "%s", s);
}
END_TEST

static const struct {
	const char *a;
	const char *b;
	bool is_equal;
} pairs[] = {
	/* RFC 3261 section 19.1.4's examples, as far as host and user go. */
	{"sip:%61lice@atlanta.com", "sip:alice@AtLanTa.CoM", true},
	{"SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM", false},
	{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
	{"sip:a@h", "sips:a@h", false},
	{"sip:a@h", "sip:h", false},
	{"sip:a@h", "sip:a@h2", false},
	/* An escaped reserved character is another one. */
	{"sip:a%3bb@h", "sip:a;b@h", false},
	{"sip:a%3bb@h", "sip:a%3Bb@h", true},
	{"sip:ab@h", "sip:abc@h", false},
};

START_TEST(uris_compare_as_the_table_says)
{
	struct sip_uri a;
	struct sip_uri b;

	ck_assert_int_eq(sip_uri_parse(slice_str(pairs[_i].a), &a), 0);
	ck_assert_int_eq(sip_uri_parse(slice_str(pairs[_i].b), &b), 0);
	ck_assert_msg(sip_uri_eq(&a, &b) == pairs[_i].is_equal, "%s %s",
		      pairs[_i].a, pairs[_i].b);
	ck_assert(sip_uri_eq(&b, &a) == pairs[_i].is_equal);
}
END_TEST

static const struct {
	const char *params;
	const char *name;
	const char *value; /* NULL = missing */
} params[] = {
	{"lr", "lr", ""},
	{"a=1;LR;b=2", "lr", ""},
	{"a = 1 ; b", "a", "1"},
	{"x=\";lr;\"", "lr", NULL},
	{"x=\"\\\";lr;\"", "lr", NULL},
	{"x=\";lr;\";lr=no", "lr", "no"},
	{"tag=a;tag=b", "tag", "a"},
	{"lrx;xlr", "lr", NULL},
	{"", "lr", NULL},
	{";;lr", "lr", ""},
	{"x=\"\\", "lr", NULL},
};

START_TEST(parameters_are_found_as_the_table_says)
{
	struct slice v = SLICE("unset");
	bool found =
		sip_param(slice_str(params[_i].params), params[_i].name, &v);

	ck_assert_msg(found == (params[_i].value != NULL), "%s",
		      params[_i].params);
	if (found)
		ck_assert_msg(slice_eqs(v, params[_i].value), "%s",
			      params[_i].params);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("RFC 3261 section 19.1");

	tcase_add_loop_test(tc, uris_are_read_as_the_table_says, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_loop_test(tc, uris_compare_as_the_table_says, 0,
			    (int)(sizeof(pairs) / sizeof(pairs[0])));
	tcase_add_loop_test(tc, parameters_are_found_as_the_table_says, 0,
			    (int)(sizeof(params) / sizeof(params[0])));
	return run_case("uri", tc);
}
