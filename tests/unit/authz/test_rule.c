/* Rules as an operator writes them. Whole files, with lines, are in
 * tests/conf/authz*.in. */
#include <check.h>
#include <stdlib.h>

#include "authz/rule.h"
#include "lib/run.h"

static const struct {
	enum rule_kind kind;
	const char *text;
	enum acl_action action;
	enum acl_field field; /* the one that is set, ACL_FIELDS: none */
	const char *pattern;
} good[] = {
	{RULE_METHODS, "deny", ACL_DENY, ACL_FIELDS, ""},
	{RULE_METHODS, "  Allow   method=REFER ", ACL_ALLOW, ACL_METHOD,
	 "REFER"},
	{RULE_METHODS, "allow METHOD=*", ACL_ALLOW, ACL_METHOD, "*"},
	{RULE_METHODS, "deny event=dialog", ACL_DENY, ACL_EVENT, "dialog"},
	{RULE_METHODS, "deny from=a=b@c", ACL_DENY, ACL_FROM, "a=b@c"},
	{RULE_METHODS, "deny to=outside", ACL_DENY, ACL_TO, "outside"},
	{RULE_METHODS, "deny user=crm", ACL_DENY, ACL_PRINCIPAL, "crm"},
	{RULE_RIGHTS, "deny", ACL_DENY, ACL_FIELDS, ""},
	{RULE_RIGHTS, "deny transfer", ACL_DENY, ACL_METHOD, "transfer"},
	{RULE_RIGHTS, "deny to=Outside", ACL_DENY, ACL_TO_SIDE, "Outside"},
	{RULE_RIGHTS, "deny from=inside", ACL_DENY, ACL_FROM_SIDE, "inside"},
	{RULE_RIGHTS, "deny from=0*", ACL_DENY, ACL_FROM, "0*"},
};

START_TEST(a_rule_is_read_as_its_row_says)
{
	struct acl_rule r;
	const char *why = NULL;

	ck_assert_int_eq(
		rule_parse(good[_i].kind, slice_str(good[_i].text), &r, &why),
		0);
	ck_assert_int_eq(r.action, good[_i].action);
	for (int i = 0; i < ACL_FIELDS; i++)
		ck_assert(slice_eqs(r.pattern[i], i == (int)good[_i].field
							  ? good[_i].pattern
							  : ""));
}
END_TEST

START_TEST(headers_bodies_and_sources_are_read)
{
	struct acl_rule r;
	const char *why = NULL;

	ck_assert_int_eq(
		rule_parse(RULE_METHODS,
			   slice_str("deny header=X-A:b:c* body=text/* "
				     "source=2001:db8::/32"),
			   &r, &why),
		0);
	ck_assert(slice_eqs(r.header, "X-A"));
	ck_assert(slice_eqs(r.header_value, "b:c*"));
	ck_assert(slice_eqs(r.body, "text/*"));
	ck_assert_int_eq(r.source.family, ADDR_V6);
	ck_assert_uint_eq(r.source_bits, 32);
	ck_assert_int_eq(rule_parse(RULE_METHODS,
				    slice_str("deny source=192.0.2.1"), &r,
				    &why),
			 0);
	ck_assert_uint_eq(r.source_bits, 32);
}
END_TEST

static const struct {
	enum rule_kind kind;
	const char *text, *why;
} wrong[] = {
	{RULE_METHODS, "", "allow or deny"},
	{RULE_METHODS, "refuse method=REFER", "allow or deny"},
	{RULE_METHODS, "deny method", "method="},
	{RULE_METHODS, "deny method=", "method="},
	{RULE_METHODS, "deny call", "method="},
	{RULE_METHODS, "deny from=a from=b", "once"},
	{RULE_METHODS, "deny header=", "method="},
	{RULE_METHODS, "deny header=:x", "name of a header"},
	{RULE_METHODS, "deny header=A header=B", "once"},
	{RULE_METHODS, "deny source=10.0.0.0/33", "prefix"},
	{RULE_METHODS, "deny source=10.0.0.0/", "prefix"},
	{RULE_METHODS, "deny source=10.0.0.0 source=10.0.0.1", "once"},
	{RULE_METHODS, "deny method=ACK", "inside a dialog"},
	{RULE_METHODS, "deny method=bye", "inside a dialog"},
	{RULE_RIGHTS, "deny method=INVITE", "call, transfer"},
	{RULE_RIGHTS, "deny call forward", "call, transfer"},
	{RULE_RIGHTS, "deny to=inside to=1*", "once"},
};

START_TEST(a_wrong_rule_is_refused_with_what_is_expected)
{
	struct acl_rule r = {.source_bits = 77};
	const char *why = NULL;

	ck_assert_int_eq(
		rule_parse(wrong[_i].kind, slice_str(wrong[_i].text), &r, &why),
		ERR_BAD);
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, wrong[_i].why) != NULL, "%s", why);
	ck_assert_uint_eq(r.source_bits, 77);
}
END_TEST

START_TEST(a_rule_has_a_longest_length)
{
	char text[RULE_TEXT_MAX + 1];
	struct acl_rule r;
	const char *why = NULL;

	memset(text, 'a', sizeof(text));
	memcpy(text, "deny to=", 8);
	ck_assert_int_eq(rule_parse(RULE_METHODS,
				    slice_make(text, RULE_TEXT_MAX), &r, &why),
			 0);
	ck_assert_int_eq(rule_parse(RULE_METHODS,
				    slice_make(text, RULE_TEXT_MAX + 1), &r,
				    &why),
			 ERR_BAD);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("rule");

	tcase_add_loop_test(tc, a_rule_is_read_as_its_row_says, 0, ROWS(good));
	tcase_add_test(tc, headers_bodies_and_sources_are_read);
	tcase_add_loop_test(tc, a_wrong_rule_is_refused_with_what_is_expected,
			    0, ROWS(wrong));
	tcase_add_test(tc, a_rule_has_a_longest_length);
	return run_case("authz/rule", tc);
}
