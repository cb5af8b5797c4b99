/*
 * Every case there is of profile, digest, method list, application and
 * request, against tests/authz/guide.tsv, which is typed by hand: what is to
 * come out is read from there alone. Here the decision alone is asked;
 * test_guide_pipeline sends whole messages.
 */
#include <check.h>
#include <stdlib.h>

#include "authz/decide.h"
#include "lib/run.h"
#include "unit/authz/guide.h"

static unsigned kinds_of(unsigned boxes)
{
	return (boxes & 1 ? AUTHZ_PRESENCE : 0U) |
	       (boxes & 2 ? AUTHZ_REFER : 0U) |
	       (boxes & 4 ? AUTHZ_NOTIFY : 0U) |
	       (boxes & 8 ? AUTHZ_REPLACES : 0U);
}

static struct authz_verdict decide(const struct guide_case *c,
				   enum authz_cred cred)
{
	struct authz_list trunk = {.accept = kinds_of(c->trunk)};
	struct authz_list app = {.accept = kinds_of(c->app)};
	struct authz_case ac = {
		.trunk = &trunk,
		.digest = c->digest,
		.per_application = c->per_app,
		.cred = cred,
		.application = c->app == GUIDE_APP_UNKNOWN ? NULL : &app,
	};
	struct authz_request r = {
		.query.value[ACL_METHOD] = slice_str(c->request->method),
		.query.value[ACL_EVENT] = slice_str(c->request->event),
		.is_presence = strcmp(c->request->event, "presence") == 0,
		.is_in_dialog = c->request->is_in_dialog,
		.has_replaces = c->request->has_replaces,
	};

	return authz_decide(&ac, &r);
}

static enum authz_cred cred_of(const char *word)
{
	return strcmp(word, "none") == 0    ? AUTHZ_CRED_NONE
	       : strcmp(word, "wrong") == 0 ? AUTHZ_CRED_WRONG
					    : AUTHZ_CRED_GOOD;
}

static const char *answer_of(enum authz_result r)
{
	return r == AUTHZ_ALLOW	      ? "process"
	       : r == AUTHZ_FORBID    ? "403"
	       : r == AUTHZ_CHALLENGE ? "401"
				      : "check";
}

static void check_case(struct guide *g, const struct guide_case *c)
{
	static const char *const gates[] = {"trunk", "digest", "application"};
	const struct slice *row = guide_row(g, c);
	struct authz_verdict v = decide(c, cred_of(c->cred));

	ck_assert_msg(slice_eqs(row[GUIDE_ANSWER], answer_of(v.result)) &&
			      slice_eqs(row[GUIDE_GATE], gates[v.gate]),
		      "%s digest=%d per-app=%d trunk=%u app=%u cred=%s: %s by "
		      "%s, but: %.*s",
		      c->request->name, c->digest, c->per_app, c->trunk, c->app,
		      c->cred, answer_of(v.result), gates[v.gate],
		      SLICE_FMT(row[GUIDE_SENTENCE]));
	if (strcmp(c->cred, "none") == 0)
		return;
	/* Until they have been checked, credentials decide nothing. */
	v = decide(c, AUTHZ_CRED_GIVEN);
	ck_assert(v.gate != AUTHZ_BY_APPLICATION);
	ck_assert_int_eq(v.result == AUTHZ_CHECK,
			 !slice_eqs(row[GUIDE_GATE], "trunk"));
}

START_TEST(every_case_is_answered_as_the_guide_says)
{
	static struct guide g;
	struct guide_case c;
	size_t count = 0;

	guide_read(&g);
	for (size_t i = 0; i < guide_request_count * 4 * GUIDE_BOXES *
				       GUIDE_APPS * GUIDE_CREDS;
	     i++) {
		size_t n = i;

		c.request = &guide_requests[n % guide_request_count];
		n /= guide_request_count;
		c.digest = n % 2;
		c.per_app = n / 2 % 2;
		n /= 4;
		c.trunk = n % GUIDE_BOXES;
		n /= GUIDE_BOXES;
		c.app = (unsigned)(n % GUIDE_APPS);
		c.cred = guide_creds[n / GUIDE_APPS];
		if (c.per_app && !c.digest)
			continue;
		check_case(&g, &c);
		count++;
	}
	ck_assert_uint_eq(count, guide_request_count * 3 * GUIDE_BOXES *
					 GUIDE_APPS * GUIDE_CREDS);
	guide_done(&g);
}
END_TEST

/* The one kind of profile without cases lets nobody in, should it exist. */
START_TEST(applications_are_known_by_digest_alone)
{
	struct guide_case c = {.per_app = true, .trunk = 15, .app = 15};

	for (size_t i = 0; i < guide_request_count; i++) {
		c.request = &guide_requests[i];
		if (authz_can_challenge(slice_str(c.request->method)))
			ck_assert_int_eq(decide(&c, AUTHZ_CRED_NONE).result,
					 AUTHZ_CHALLENGE);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("guide");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_case_is_answered_as_the_guide_says);
	tcase_add_test(tc, applications_are_known_by_digest_alone);
	return run_case("authz/guide", tc);
}
