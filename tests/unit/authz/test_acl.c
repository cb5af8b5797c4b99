/* Access rules: a policy as a table, and against a naive evaluator. */
#include <check.h>
#include <stdlib.h>

#include "authz/acl.h"
#include "base/entropy.h"
#include "lib/entropy.h"
#include "lib/oom.h"
#include "lib/run.h"

static struct addr ip(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_ip(slice_str(text), &a), 0);
	return a;
}

static const struct {
	const char *pattern, *text;
	bool want;
} match_rows[] = {
	{"", "", true},
	{"", "anything", true},
	{"*", "", true},
	{"*", "anything", true},
	{"SEP*", "sep001122334455", true},
	{"SEP*", "SE", false},
	{"*@example.com", "bob@Example.com", true},
	{"*@example.com", "bob@example.com.evil", false},
	{"b*b@*", "bob@x", true},
	{"b*b@*", "bb@", true},
	{"a*b*c", "aXbXbXc", true},
	{"a*b*c", "aXbXbX", false},
	{"**a", "ba", true},
	{"INVITE", "INVITE", true},
	{"INVITE", "INVITED", false},
	{"INVITED", "INVITE", false},
	{"x", "", false},
};

START_TEST(a_pattern_matches_as_its_row_says)
{
	ck_assert_int_eq(acl_match(slice_str(match_rows[_i].pattern),
				   slice_str(match_rows[_i].text)),
			 match_rows[_i].want);
}
END_TEST

START_TEST(hostile_patterns_take_no_exponential_time)
{
	char pattern[ACL_PATTERN_MAX];
	char text[3000];

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 ? '*' : 'a';
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 'b';
	pattern[sizeof(pattern) - 1] = 'c';
	ck_assert(!acl_match(slice_make(pattern, sizeof(pattern)),
			     slice_make(text, sizeof(text))));
}
END_TEST

/* A policy as an operator would write it. */
static struct acl *policy(void)
{
	struct acl_rule rule[] = {
		{.source = ip("203.0.113.66"),
		 .source_bits = 32,
		 .action = ACL_DENY},
		{.pattern[ACL_METHOD] = slice_str("MESSAGE"),
		 .action = ACL_DENY},
		{.pattern[ACL_PRINCIPAL] = slice_str("SEP*"),
		 .source = ip("10.0.0.0"),
		 .source_bits = 8,
		 .action = ACL_ALLOW},
		{.pattern[ACL_PRINCIPAL] = slice_str("lobby"),
		 .pattern[ACL_METHOD] = slice_str("INVITE"),
		 .pattern[ACL_TO] = slice_str("*@inside.example"),
		 .action = ACL_ALLOW},
		{.pattern[ACL_FROM] = slice_str("trunk@*"),
		 .source = ip("2001:db8::"),
		 .source_bits = 32,
		 .action = ACL_ALLOW},
	};
	struct acl *a = NULL;

	ck_assert_int_eq(acl_new(rule, 5, ACL_DENY, &a), 0);
	return a;
}

static const struct {
	const char *principal, *source, *method, *from, *to;
	enum acl_action action;
	int rule;
} query_rows[] = {
	{"SEP001122334455", "10.1.2.3", "INVITE", "a@x", "b@y", ACL_ALLOW, 2},
	{"SEP001122334455", "11.1.2.3", "INVITE", "a@x", "b@y", ACL_DENY,
	 ACL_NO_RULE},
	{"SEP001122334455", "10.1.2.3", "MESSAGE", "a@x", "b@y", ACL_DENY, 1},
	{"SEP001122334455", "203.0.113.66", "INVITE", "a@x", "b@y", ACL_DENY,
	 0},
	{"lobby", "192.0.2.1", "INVITE", "a@x", "bob@inside.example", ACL_ALLOW,
	 3},
	{"lobby", "192.0.2.1", "INVITE", "a@x", "bob@else.example", ACL_DENY,
	 ACL_NO_RULE},
	{"lobby", "192.0.2.1", "REGISTER", "a@x", "bob@inside.example",
	 ACL_DENY, ACL_NO_RULE},
	{"", "2001:db8:5::1", "INVITE", "trunk@x", "b@y", ACL_ALLOW, 4},
	{"", "2001:db9::1", "INVITE", "trunk@x", "b@y", ACL_DENY, ACL_NO_RULE},
	{"", "10.0.0.1", "INVITE", "trunk@x", "b@y", ACL_DENY, ACL_NO_RULE},
};

START_TEST(the_first_rule_that_holds_decides)
{
	struct acl *a = policy();
	struct acl_query q = {
		.value[ACL_PRINCIPAL] = slice_str(query_rows[_i].principal),
		.source = ip(query_rows[_i].source),
		.value[ACL_METHOD] = slice_str(query_rows[_i].method),
		.value[ACL_FROM] = slice_str(query_rows[_i].from),
		.value[ACL_TO] = slice_str(query_rows[_i].to),
	};
	int rule = 99;

	ck_assert_int_eq(acl_eval(a, &q, &rule), query_rows[_i].action);
	ck_assert_int_eq(rule, query_rows[_i].rule);
	ck_assert_int_eq(acl_eval(a, &q, NULL), query_rows[_i].action);
	a = acl_free(a);
	ck_assert_ptr_null(a);
}
END_TEST

START_TEST(without_rules_the_fallback_decides)
{
	struct acl_query q = {.value[ACL_METHOD] = slice_str("INVITE")};
	struct acl *a = NULL;

	ck_assert_int_eq(acl_new(NULL, 0, ACL_ALLOW, &a), 0);
	ck_assert_int_eq(acl_eval(a, &q, NULL), ACL_ALLOW);
	acl_free(a);
	ck_assert_int_eq(acl_new(NULL, 0, ACL_DENY, &a), 0);
	ck_assert_int_eq(acl_eval(a, &q, NULL), ACL_DENY);
	acl_free(a);
}
END_TEST

START_TEST(rules_and_patterns_have_limits)
{
	struct acl_rule *rule = calloc(ACL_RULES_MAX + 1, sizeof(*rule));
	char text[ACL_PATTERN_MAX + 1];
	struct acl *a = NULL;

	ck_assert_int_eq(acl_new(rule, ACL_RULES_MAX + 1, ACL_DENY, &a),
			 ERR_LIMIT);
	ck_assert_int_eq(acl_new(rule, ACL_RULES_MAX, ACL_DENY, &a), 0);
	a = acl_free(a);
	memset(text, 'x', sizeof(text));
	rule[0].pattern[ACL_TO] = slice_make(text, sizeof(text));
	ck_assert_int_eq(acl_new(rule, 1, ACL_DENY, &a), ERR_LIMIT);
	rule[0].pattern[ACL_TO].len--;
	ck_assert_int_eq(acl_new(rule, 1, ACL_DENY, &a), 0);
	a = acl_free(a);
	rule[0].source = ip("10.0.0.0");
	rule[0].source_bits = 33;
	ck_assert_int_eq(acl_new(rule, 1, ACL_DENY, &a), ERR_BAD);
	rule[0].source = ip("::");
	ck_assert_int_eq(acl_new(rule, 1, ACL_DENY, &a), 0);
	a = acl_free(a);
	rule[0].source_bits = 129;
	ck_assert_int_eq(acl_new(rule, 1, ACL_DENY, &a), ERR_BAD);
	free(rule);
}
END_TEST

START_TEST(rules_outlive_the_text_they_were_made_from)
{
	char text[] = "SEP*";
	struct acl_rule rule = {.pattern[ACL_PRINCIPAL] = slice_str(text),
				.action = ACL_ALLOW};
	struct acl_query q = {.value[ACL_PRINCIPAL] = slice_str("SEPX")};
	struct acl *a = NULL;

	ck_assert_int_eq(acl_new(&rule, 1, ACL_DENY, &a), 0);
	memset(text, 'z', sizeof(text));
	ck_assert_int_eq(acl_eval(a, &q, NULL), ACL_ALLOW);
	acl_free(a);
}
END_TEST

/* The naive matcher tries everything. */
static bool naive_match(const char *p, size_t pn, const char *t, size_t tn)
{
	if (pn == 0)
		return tn == 0;
	if (*p == '*')
		return naive_match(p + 1, pn - 1, t, tn) ||
		       (tn > 0 && naive_match(p, pn, t + 1, tn - 1));
	return tn > 0 && *p == *t && naive_match(p + 1, pn - 1, t + 1, tn - 1);
}

static size_t random_text(const struct entropy *e, char *buf, size_t max)
{
	size_t n = entropy_u32(e) % (max + 1);

	for (size_t i = 0; i < n; i++)
		buf[i] = "ab*"[entropy_u32(e) % 3];
	return n;
}

START_TEST(random_patterns_match_as_the_naive_matcher_says)
{
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 42);

	for (int i = 0; i < 20000; i++) {
		char p[8], t[12];
		size_t pn = random_text(&e, p, sizeof(p));
		size_t tn = random_text(&e, t, sizeof(t));

		ck_assert_msg(acl_match(slice_make(p, pn), slice_make(t, tn)) ==
				      (pn == 0 || naive_match(p, pn, t, tn)),
			      "'%.*s' '%.*s'", (int)pn, p, (int)tn, t);
	}
}
END_TEST

/* Putting a deny rule in front never turns deny into allow. */
START_TEST(a_further_deny_rule_never_allows)
{
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 7);

	for (int i = 0; i < 2000; i++) {
		char text[5][6];
		struct acl_rule rule[5];
		struct acl_query q = {.value[ACL_PRINCIPAL] = slice_str("ab"),
				      .value[ACL_TO] = slice_str("ba")};
		struct acl *without = NULL, *with = NULL;

		for (size_t k = 0; k < 5; k++)
			rule[k] = (struct acl_rule){
				.pattern[ACL_PRINCIPAL] = slice_make(
					text[k], random_text(&e, text[k], 6)),
				.action = k > 0 && entropy_u32(&e) % 2
						  ? ACL_ALLOW
						  : ACL_DENY,
			};
		ck_assert_int_eq(acl_new(rule + 1, 4, ACL_DENY, &without), 0);
		ck_assert_int_eq(acl_new(rule, 5, ACL_DENY, &with), 0);
		if (acl_eval(without, &q, NULL) == ACL_DENY)
			ck_assert_int_eq(acl_eval(with, &q, NULL), ACL_DENY);
		acl_free(without);
		acl_free(with);
	}
}
END_TEST

static bool naive_header(const void *ctx, struct slice name, struct slice value)
{
	const char *both = ctx;

	return naive_match((const char *)name.ptr, name.len, both, 1) &&
	       (value.len == 0 ||
		naive_match((const char *)value.ptr, value.len, both + 1, 1));
}

/* "a" cannot be read through. */
static enum acl_body naive_body(const void *ctx, struct slice type)
{
	if (naive_match((const char *)type.ptr, type.len, ctx, 2))
		return ACL_BODY_FOUND;
	return *(const char *)ctx == 'a' ? ACL_BODY_UNCLEAR : ACL_BODY_NONE;
}

/* What acl.h says of one rule, word by word. */
static bool naive_holds(const struct acl_rule *r, const struct acl_query *q)
{
	for (int f = 0; f < ACL_FIELDS; f++)
		if (r->pattern[f].len > 0 &&
		    !naive_match(
			    (const char *)r->pattern[f].ptr, r->pattern[f].len,
			    (const char *)q->value[f].ptr, q->value[f].len))
			return false;
	if (r->source.family != ADDR_NONE &&
	    (r->source.family != q->source.family ||
	     (r->source_bits > 0 &&
	      r->source.ip[0] >> (8 - r->source_bits) !=
		      q->source.ip[0] >> (8 - r->source_bits))))
		return false;
	if (r->header.len > 0 &&
	    !naive_header(q->ctx, r->header, r->header_value))
		return false;
	return r->body.len == 0 ||
	       naive_body(q->ctx, r->body) == ACL_BODY_FOUND ||
	       (r->action == ACL_DENY &&
		naive_body(q->ctx, r->body) == ACL_BODY_UNCLEAR);
}

enum { NAIVE_RULES = 300, NAIVE_TEXT = 3, NAIVE_TEXTS = ACL_FIELDS + 3 };

static char naive_text[NAIVE_RULES + 1][NAIVE_TEXTS][NAIVE_TEXT];

/* Most conditions are empty, as in real lists, or no rule would ever hold. */
static struct slice naive_pattern(const struct entropy *e, char *buf,
				  unsigned one_in)
{
	if (entropy_u32(e) % one_in != 0)
		return SLICE_NULL;
	return slice_make(buf, random_text(e, buf, NAIVE_TEXT));
}

static void naive_rule(const struct entropy *e, struct acl_rule *r,
		       char text[NAIVE_TEXTS][NAIVE_TEXT])
{
	*r = (struct acl_rule){.action = entropy_u32(e) % 2 ? ACL_ALLOW
							    : ACL_DENY};
	for (int f = 0; f < ACL_FIELDS; f++)
		r->pattern[f] = naive_pattern(e, text[f], 2);
	r->header = naive_pattern(e, text[ACL_FIELDS], 8);
	r->header_value = naive_pattern(e, text[ACL_FIELDS + 1], 8);
	r->body = naive_pattern(e, text[ACL_FIELDS + 2], 8);
	if (entropy_u32(e) % 4 == 0) {
		r->source = ip("128.0.0.0");
		r->source.ip[0] = (uint8_t)entropy_u32(e);
		r->source_bits = entropy_u32(e) % 9;
	}
}

static struct acl_query naive_query(const struct entropy *e)
{
	char(*text)[NAIVE_TEXT] = naive_text[NAIVE_RULES];
	struct acl_query q = {.source = ip("192.0.2.1"),
			      .has_header = naive_header,
			      .has_body = naive_body,
			      .ctx = entropy_u32(e) % 2 ? "ab" : "bb"};

	for (int f = 0; f < ACL_FIELDS; f++)
		q.value[f] = slice_make(text[f],
					random_text(e, text[f], NAIVE_TEXT));
	q.source.ip[0] = (uint8_t)entropy_u32(e);
	return q;
}

/* Compiled into tables of shapes, more than there is room for, the list still
 * says what reading it from the top says. */
START_TEST(a_compiled_list_decides_as_the_naive_evaluator)
{
	static struct acl_rule rule[NAIVE_RULES];
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 99);
	int held = 0;

	for (int i = 0; i < 60; i++) {
		size_t count = entropy_u32(&e) % (NAIVE_RULES + 1);
		struct acl *a = NULL;

		for (size_t k = 0; k < count; k++)
			naive_rule(&e, &rule[k], naive_text[k]);
		ck_assert_int_eq(acl_new(rule, count, ACL_DENY, &a), 0);
		for (int n = 0; n < 100; n++) {
			struct acl_query q = naive_query(&e);
			enum acl_action want = ACL_DENY;
			size_t k = 0;
			int got;

			while (k < count && !naive_holds(&rule[k], &q))
				k++;
			if (k < count)
				want = rule[k].action;
			held += k < count;
			ck_assert_int_eq(acl_eval(a, &q, &got), want);
			ck_assert_int_eq(got, k < count ? (int)k : ACL_NO_RULE);
		}
		acl_free(a);
	}
	ck_assert_int_gt(held, 1000);
}
END_TEST

static void build(void *arg)
{
	struct acl_rule rule = {.pattern[ACL_TO] = slice_str("x")};
	struct acl *a = NULL;

	(void)arg;
	if (acl_new(&rule, 1, ACL_DENY, &a) == 0)
		acl_free(a);
	else
		ck_assert_ptr_null(a);
}

START_TEST(rules_survive_failing_memory)
{
	oom_sweep(build, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("acl");

	tcase_add_loop_test(tc, a_pattern_matches_as_its_row_says, 0,
			    ROWS(match_rows));
	tcase_add_test(tc, hostile_patterns_take_no_exponential_time);
	tcase_add_loop_test(tc, the_first_rule_that_holds_decides, 0,
			    ROWS(query_rows));
	tcase_add_test(tc, without_rules_the_fallback_decides);
	tcase_add_test(tc, rules_and_patterns_have_limits);
	tcase_add_test(tc, rules_outlive_the_text_they_were_made_from);
	tcase_add_test(tc, random_patterns_match_as_the_naive_matcher_says);
	tcase_add_test(tc, a_further_deny_rule_never_allows);
	tcase_add_test(tc, a_compiled_list_decides_as_the_naive_evaluator);
	tcase_add_test(tc, rules_survive_failing_memory);
	return run_case("authz/acl", tc);
}
