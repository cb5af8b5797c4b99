/* What "sallyportctl authz test" answers. */
#include <stdio.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "proxy/trial.h"

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
	{"acl", "border", NULL, ""},
	{"acl", "border", "rules", "deny method=MESSAGE body=text/html"},
	{"acl", "border", "rules", "deny header=X-Odd source=198.51.100.0/24"},
	{"acl", "border", "default", "allow"},
	{"calling-rights", "guard", NULL, ""},
	{"calling-rights", "guard", "rules", "deny call to=0900*"},
	{"calling-rights", "guard", "rules", "deny forward to=outside"},
	{"calling-rights", "guard", "default", "allow"},
	{"application-user", "crm", NULL, ""},
	{"application-user", "crm", "accept-out-of-dialog-refer", "yes"},
	{"trunk-profile", "plain", NULL, ""},
	{"trunk-profile", "plain", "security-mode", "nonsecure"},
	{"trunk-profile", "plain", "accept-replaces", "yes"},
	{"trunk-profile", "plain", "accept-presence-subscription", "yes"},
	{"trunk-profile", "plain", "acl", "border"},
	{"trunk-profile", "apps", NULL, ""},
	{"trunk-profile", "apps", "security-mode", "nonsecure"},
	{"trunk-profile", "apps", "digest", "yes"},
	{"trunk-profile", "apps", "application-authorization", "yes"},
	{"trunk-profile", "apps", "accept-out-of-dialog-refer", "yes"},
	{"trunk", "t1", NULL, ""},
	{"trunk", "t1", "profile", "plain"},
	{"trunk", "t1", "listeners", "out"},
	{"trunk", "t1", "peers", "udp:198.51.100.1:5060"},
	{"trunk", "t1", "hosts", "t1.example.com"},
	{"trunk", "t1", "calling-rights", "guard"},
	{"trunk", "t2", NULL, ""},
	{"trunk", "t2", "profile", "apps"},
	{"trunk", "t2", "listeners", "out"},
	{"trunk", "t2", "peers", "udp:198.51.100.2:5060"},
	{"trunk", "t2", "hosts", "t2.example.com"},
	{"presence-group", "board", NULL, ""},
	{"device", "A", NULL, ""},
	{"device", "A", "lines", "1001"},
	{"device", "A", "security-mode", "nonsecure"},
	{"device", "A", "digest", "yes"},
	{"device", "A", "digest-user", "alice"},
	{"device", "A", "calling-rights", "guard"},
	{"device", "A", "presence-group", "board"},
};

enum { TUPLES = sizeof(rows) / sizeof(rows[0]) };

static struct config *config;

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
	if (config_build(t, TUPLES, "/", &rep, &config) != 0)
		for (struct config_message *m = rep.first; m; m = m->next)
			ck_assert_msg(!m->is_error, "%s", m->text);
	config_report_done(&rep);
}

static void teardown(void)
{
	config = config_unref(config);
}

static const struct {
	struct trial trial;
	unsigned status;
	const char *rule;
} answers[] = {
	{{.trunk = "t1", .method = "REFER"},
	 403,
	 "trunk: accept-out-of-dialog-refer = no"},
	{{.trunk = "t1", .method = "REFER", .is_in_dialog = true},
	 0,
	 "trunk: not governed by method lists"},
	{{.trunk = "t2",
	  .method = "REFER",
	  .is_in_dialog = true,
	  .has_replaces = true},
	 403,
	 "trunk: accept-replaces = no"},
	{{.trunk = "t2", .method = "REFER"},
	 401,
	 "digest: no valid credentials"},
	{{.trunk = "t2", .method = "REFER", .user = "fax"},
	 403,
	 "application: the user is no application-user"},
	{{.trunk = "t2", .method = "REFER", .user = "crm"},
	 0,
	 "application: nothing objects"},
	{{.trunk = "t1", .method = "NOTIFY", .event = "message-summary"},
	 403,
	 "trunk: accept-unsolicited-notification = no"},
	{{.trunk = "t1",
	  .method = "INVITE",
	  .has_replaces = true,
	  .to = "1001"},
	 0,
	 "trunk: acl \"border\" default"},
	{{.trunk = "t1", .method = "INVITE", .to = "09001"},
	 403,
	 "calling-rights \"guard\" rule 1"},
	{{.trunk = "t1", .method = "MESSAGE", .body = "text/html"},
	 403,
	 "trunk: acl \"border\" rule 1"},
	{{.trunk = "t1", .method = "MESSAGE", .body = "text/plain"},
	 0,
	 "trunk: acl \"border\" default"},
	{{.trunk = "t1",
	  .method = "OPTIONS",
	  .header = "X-Odd: 1",
	  .source = "198.51.100.9"},
	 403,
	 "trunk: acl \"border\" rule 2"},
	{{.trunk = "t1",
	  .method = "OPTIONS",
	  .header = "X-Odd: 1",
	  .source = "203.0.113.9"},
	 0,
	 "trunk: acl \"border\" default"},
	{{.trunk = "t1",
	  .method = "SUBSCRIBE",
	  .event = "presence",
	  .to = "1001"},
	 403,
	 "presence-group \"default\" watches \"board\": "
	 "presence-between-groups = deny"},
	{{.device = "A", .method = "INVITE", .to = "1002"},
	 401,
	 "digest: no valid credentials"},
	{{.device = "A", .method = "INVITE", .to = "1002", .user = "bob"},
	 401,
	 "digest: not the digest-user of the device"},
	{{.device = "A", .method = "INVITE", .to = "1002", .user = "alice"},
	 0,
	 "nothing objects"},
	{{.device = "A", .method = "INVITE", .to = "0900-1", .user = "alice"},
	 403,
	 "calling-rights \"guard\" rule 1"},
	{{.device = "A",
	  .method = "INVITE",
	  .to = "1002",
	  .user = "alice",
	  .from = "1003"},
	 403,
	 "lines: not one of the device"},
	{{.device = "A", .forward = "5551", .from = "5552", .to = "1001"},
	 403,
	 "calling-rights \"guard\" rule 2"},
	{{.device = "A", .forward = "1001", .from = "5552"},
	 0,
	 "nothing objects"},
};

START_TEST(a_request_becomes_what_its_row_says)
{
	struct trial_answer a = {.status = 1};
	char why[TRIAL_TEXT_MAX] = "";

	ck_assert_msg(trial_run(config, &answers[_i].trial, &a, why) == 0, "%s",
		      why);
	ck_assert_str_eq(a.rule, answers[_i].rule);
	ck_assert_uint_eq(a.status, answers[_i].status);
}
END_TEST

static const struct {
	struct trial trial;
	const char *why;
} wrong[] = {
	{{.method = "INVITE"}, "either a trunk or a device"},
	{{.trunk = "t1", .device = "A", .method = "INVITE"}, "either a trunk"},
	{{.trunk = "t9", .method = "INVITE"}, "no such trunk: t9"},
	{{.device = "B", .method = "INVITE"}, "no such device: B"},
	{{.trunk = "t1"}, "either a method or a forward"},
	{{.trunk = "t1", .method = "INVITE", .source = "x"}, "no address: x"},
	{{.trunk = "t1", .method = "IN VITE"}, "no SIP"},
	{{.trunk = "t1", .method = "OPTIONS", .header = "Call-ID: 2"},
	 "no SIP"},
};

START_TEST(what_cannot_be_tried_is_told_why)
{
	struct trial_answer a;
	char why[TRIAL_TEXT_MAX] = "";

	ck_assert_int_eq(trial_run(config, &wrong[_i].trial, &a, why), ERR_BAD);
	ck_assert_msg(strstr(why, wrong[_i].why) != NULL, "%s", why);
}
END_TEST

static void try_one(void *arg)
{
	struct trial t = {.trunk = "t1", .method = "REFER"};
	struct trial_answer a;
	char why[TRIAL_TEXT_MAX] = "";
	int err = trial_run(config, &t, &a, why);

	(void)arg;
	ck_assert(err == 0 || err == ERR_NOMEM);
}

START_TEST(a_trial_survives_failing_memory)
{
	oom_sweep(try_one, NULL);
}
END_TEST

#define LOOP(t, a) \
	tcase_add_loop_test(tc, t, 0, (int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	TCase *tc = tcase_create("trial");

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(a_request_becomes_what_its_row_says, answers);
	LOOP(what_cannot_be_tried_is_told_why, wrong);
	tcase_add_test(tc, a_trial_survives_failing_memory);
	return run_case("proxy/trial", tc);
}
