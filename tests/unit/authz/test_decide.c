/* The order of the gates with rules in them, and what they are called. The
 * whole matrix is in test_guide. */
#include <check.h>
#include <stdlib.h>

#include "authz/decide.h"
#include "authz/rule.h"
#include "base/entropy.h"
#include "lib/entropy.h"
#include "lib/run.h"

static struct acl *rules(const char *const *text, size_t count,
			 enum acl_action fallback)
{
	struct acl_rule rule[8];
	struct acl *a = NULL;
	const char *why;

	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(rule_parse(RULE_METHODS, slice_str(text[i]),
					    &rule[i], &why),
				 0);
	ck_assert_int_eq(acl_new(rule, count, fallback, &a), 0);
	return a;
}

static const char *print(const struct authz_verdict *v)
{
	static char buf[200];
	struct writer w;

	writer_init(&w, buf, sizeof(buf) - 1);
	authz_verdict_print(&w, v);
	ck_assert(writer_ok(&w));
	buf[w.len] = '\0';
	return buf;
}

static const struct {
	const char *method, *from, *user;
	bool in_dialog, replaces, has_app;
	enum authz_cred cred;
	enum authz_result result;
	const char *text;
} rows[] = {
	{"MESSAGE", "a@evil", "", false, false, true, AUTHZ_CRED_GOOD,
	 AUTHZ_FORBID, "trunk: acl \"border\" rule 1"},
	{"MESSAGE", "a@good", "", false, false, true, AUTHZ_CRED_NONE,
	 AUTHZ_CHALLENGE, "digest: no valid credentials"},
	{"MESSAGE", "a@good", "", false, false, true, AUTHZ_CRED_GIVEN,
	 AUTHZ_CHECK, "digest: credentials are to be checked"},
	{"MESSAGE", "a@good", "crm", false, false, true, AUTHZ_CRED_GOOD,
	 AUTHZ_ALLOW, "application: acl \"apps\" rule 1"},
	{"MESSAGE", "a@good", "fax", false, false, true, AUTHZ_CRED_GOOD,
	 AUTHZ_FORBID, "application: acl \"apps\" default"},
	{"MESSAGE", "a@good", "fax", false, false, false, AUTHZ_CRED_GOOD,
	 AUTHZ_FORBID, "application: the user is no application-user"},
	/* Not governed, however hard the rules are. */
	{"INVITE", "a@evil", "fax", false, false, true, AUTHZ_CRED_GOOD,
	 AUTHZ_ALLOW, "application: not governed by method lists"},
	{"INFO", "a@evil", "fax", true, false, true, AUTHZ_CRED_GOOD,
	 AUTHZ_ALLOW, "application: not governed by method lists"},
	/* With Replaces it is. */
	{"INVITE", "a@good", "crm", false, true, true, AUTHZ_CRED_GOOD,
	 AUTHZ_FORBID, "trunk: accept-replaces = no"},
	{"REFER", "a@good", "crm", true, true, true, AUTHZ_CRED_GOOD,
	 AUTHZ_FORBID, "trunk: accept-replaces = no"},
	/* A rule that allows is no way around the kinds. */
	{"REFER", "a@good", "crm", false, false, true, AUTHZ_CRED_GOOD,
	 AUTHZ_FORBID, "application: accept-out-of-dialog-refer = no"},
	/* Accepted as a kind, the rules are asked. */
	{"INVITE", "a@evil", "replacer", false, true, true, AUTHZ_CRED_GOOD,
	 AUTHZ_FORBID, "trunk: acl \"border\" rule 1"},
	{"CANCEL", "a@evil", "", false, false, true, AUTHZ_CRED_NONE,
	 AUTHZ_ALLOW, "trunk: not governed by method lists"},
};

START_TEST(the_first_gate_that_objects_decides_and_is_named)
{
	static const char *const border[] = {"deny from=*@evil",
					     "allow method=REFER"};
	static const char *const apps[] = {"allow user=crm"};
	struct acl *trunk_acl = rules(border, 2, ACL_ALLOW);
	struct acl *app_acl = rules(apps, 1, ACL_DENY);
	struct authz_list trunk = {
		.accept = AUTHZ_REFER, .acl = trunk_acl, .acl_name = "border"};
	struct authz_list app = {.acl = app_acl, .acl_name = "apps"};
	struct authz_case c = {.trunk = &trunk,
			       .digest = true,
			       .per_application = true,
			       .cred = rows[_i].cred,
			       .application = rows[_i].has_app ? &app : NULL};
	struct authz_request r = {
		.query.value[ACL_METHOD] = slice_str(rows[_i].method),
		.query.value[ACL_FROM] = slice_str(rows[_i].from),
		.query.value[ACL_PRINCIPAL] = slice_str(rows[_i].user),
		.is_in_dialog = rows[_i].in_dialog,
		.has_replaces = rows[_i].replaces,
	};
	struct authz_verdict v;

	if (strcmp(rows[_i].user, "replacer") == 0)
		trunk.accept |= AUTHZ_REPLACES;
	v = authz_decide(&c, &r);
	ck_assert_int_eq(v.result, rows[_i].result);
	ck_assert_str_eq(print(&v), rows[_i].text);
	acl_free(app_acl);
	acl_free(trunk_acl);
}
END_TEST

/* Taking away an acceptance, or asking for digest too, never opens a gate. */
START_TEST(a_stricter_profile_never_lets_more_in)
{
	static const char *const methods[] = {"INVITE",	   "REFER",   "NOTIFY",
					      "SUBSCRIBE", "MESSAGE", "ACK"};
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 3);

	for (int i = 0; i < 20000; i++) {
		struct authz_list trunk = {.accept = entropy_u32(&e) % 16};
		struct authz_list app = {.accept = entropy_u32(&e) % 16};
		struct authz_list less = {.accept = trunk.accept &
						    entropy_u32(&e)};
		struct authz_request r = {
			.query.value[ACL_METHOD] =
				slice_str(methods[entropy_u32(&e) % 6]),
			.is_in_dialog = entropy_u32(&e) % 2,
			.is_presence = entropy_u32(&e) % 2,
			.has_replaces = entropy_u32(&e) % 2,
		};
		struct authz_case c = {
			.trunk = &trunk,
			.digest = entropy_u32(&e) % 2,
			.cred = entropy_u32(&e) % 2 ? AUTHZ_CRED_GOOD
						    : AUTHZ_CRED_NONE,
			.application = &app,
		};
		struct authz_case d = c;

		d.trunk = &less;
		d.digest = c.digest || entropy_u32(&e) % 2;
		d.per_application = d.digest && entropy_u32(&e) % 2;
		if (authz_decide(&d, &r).result == AUTHZ_ALLOW)
			ck_assert_int_eq(authz_decide(&c, &r).result,
					 AUTHZ_ALLOW);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("decide");

	tcase_add_loop_test(tc,
			    the_first_gate_that_objects_decides_and_is_named, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, a_stricter_profile_never_lets_more_in);
	return run_case("authz/decide", tc);
}
