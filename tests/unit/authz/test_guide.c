/*
 * Every case there is of profile, digest, method list, application and
 * request, against tests/authz/guide.tsv, which is typed by hand: what is to
 * come out is read from there alone.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "authz/decide.h"
#include "base/text.h"

enum { ROWS_MAX = 200, COLUMNS = 9, BOXES = 4, APP_UNKNOWN = 16 };

enum column {
	COL_REQUEST,
	COL_DIGEST,
	COL_PER_APP,
	COL_TRUNK,
	COL_CRED,
	COL_APP,
	COL_ANSWER,
	COL_GATE,
	COL_SENTENCE
};

struct table {
	char *text;
	struct slice cell[ROWS_MAX][COLUMNS];
	size_t used[ROWS_MAX]; /* cases it spoke of */
	size_t count;
};

static char *read_file(const char *name)
{
	char path[512];
	char *text = calloc(1, 1 << 20);
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", TEST_SRCDIR, name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, f), 0);
	(void)fclose(f);
	return text;
}

static void table_read(struct table *t)
{
	struct slice rest, line;

	*t = (struct table){.text = read_file("authz/guide.tsv")};
	rest = slice_str(t->text);
	while (text_cut(rest, '\n', &line, &rest)) {
		if (line.len == 0 || line.ptr[0] == '#' ||
		    slice_starts(line, "request\t"))
			continue;
		ck_assert_uint_lt(t->count, ROWS_MAX);
		for (size_t i = 0; i < COLUMNS; i++)
			(void)text_cut(line, '\t', &t->cell[t->count][i],
				       &line);
		ck_assert_msg(t->cell[t->count][COL_SENTENCE].len > 20,
			      "row %zu has no sentence", t->count);
		t->count++;
	}
	ck_assert_uint_gt(t->count, 50);
}

/* The requests; what they are is said in SIP's terms. */
static const struct request {
	const char *name, *method, *event;
	bool is_in_dialog, has_replaces;
} requests[] = {
	{"subscribe-presence", "SUBSCRIBE", "presence", false, false},
	{"subscribe-dialog", "SUBSCRIBE", "dialog", false, false},
	{"subscribe-in-dialog", "SUBSCRIBE", "presence", true, false},
	{"refer", "REFER", "", false, false},
	{"refer-replaces", "REFER", "", false, true},
	{"refer-in-dialog", "REFER", "", true, false},
	{"refer-in-dialog-replaces", "REFER", "", true, true},
	{"notify", "NOTIFY", "message-summary", false, false},
	{"notify-in-dialog", "NOTIFY", "presence", true, false},
	{"invite", "INVITE", "", false, false},
	{"invite-replaces", "INVITE", "", false, true},
	{"invite-in-dialog", "INVITE", "", true, false},
	{"message", "MESSAGE", "", false, false},
	{"options", "OPTIONS", "", false, false},
	{"publish", "PUBLISH", "presence", false, false},
	{"bye", "BYE", "", true, false},
	{"info-in-dialog", "INFO", "", true, false},
	{"ack", "ACK", "", true, false},
	{"cancel", "CANCEL", "", false, false},
};

enum { REQUESTS = sizeof(requests) / sizeof(requests[0]) };

/* One case; boxes are bits 0 to 3 for P, R, N, X. */
struct matrix_case {
	const struct request *request;
	bool digest, per_app;
	unsigned trunk, app; /* app: APP_UNKNOWN = no application user */
	const char *cred;
};

static bool has_word(struct slice list, const char *word)
{
	struct slice item;

	while (list.len > 0) {
		(void)text_cut(list, ',', &item, &list);
		if (slice_eqs(item, word))
			return true;
	}
	return false;
}

static bool any_or(struct slice cell, const char *word)
{
	return slice_eqs(cell, "-") || slice_eqs(cell, word);
}

/* "P-!-": box P ticked, N not, the others either. */
static bool boxes_hold(struct slice cell, unsigned boxes)
{
	ck_assert_uint_eq(cell.len, BOXES);
	for (size_t i = 0; i < BOXES; i++) {
		bool is_ticked = boxes >> i & 1;

		if (cell.ptr[i] == '!' ? is_ticked
				       : cell.ptr[i] != '-' && !is_ticked)
			return false;
		ck_assert(strchr("!-", cell.ptr[i]) ||
			  cell.ptr[i] == "PRNX"[i]);
	}
	return true;
}

static bool app_holds(struct slice cell, unsigned app)
{
	if (slice_eqs(cell, "-"))
		return true;
	if (slice_eqs(cell, "unknown") || app == APP_UNKNOWN)
		return slice_eqs(cell, "unknown") && app == APP_UNKNOWN;
	return boxes_hold(cell, app);
}

static bool row_holds(const struct slice *cell, const struct matrix_case *c)
{
	return (slice_eqs(cell[COL_REQUEST], "-") ||
		has_word(cell[COL_REQUEST], c->request->name)) &&
	       any_or(cell[COL_DIGEST], c->digest ? "yes" : "no") &&
	       any_or(cell[COL_PER_APP], c->per_app ? "yes" : "no") &&
	       boxes_hold(cell[COL_TRUNK], c->trunk) &&
	       any_or(cell[COL_CRED], c->cred) &&
	       app_holds(cell[COL_APP], c->app);
}

static const struct slice *row_of(struct table *t, const struct matrix_case *c)
{
	const struct slice *found = NULL;

	for (size_t i = 0; i < t->count; i++) {
		/* A profile that is refused has no cases. */
		if (slice_eqs(t->cell[i][COL_ANSWER], "config") ||
		    !row_holds(t->cell[i], c))
			continue;
		ck_assert_msg(!found, "two rows for %s, the second is %zu",
			      c->request->name, i);
		found = t->cell[i];
		t->used[i]++;
	}
	ck_assert_msg(found != NULL, "no row for %s", c->request->name);
	return found;
}

static unsigned kinds_of(unsigned boxes)
{
	return (boxes & 1 ? AUTHZ_PRESENCE : 0U) |
	       (boxes & 2 ? AUTHZ_REFER : 0U) |
	       (boxes & 4 ? AUTHZ_NOTIFY : 0U) |
	       (boxes & 8 ? AUTHZ_REPLACES : 0U);
}

static struct authz_verdict decide(const struct matrix_case *c,
				   enum authz_cred cred)
{
	struct authz_list trunk = {.accept = kinds_of(c->trunk)};
	struct authz_list app = {.accept = kinds_of(c->app)};
	struct authz_case ac = {
		.trunk = &trunk,
		.digest = c->digest,
		.per_application = c->per_app,
		.cred = cred,
		.application = c->app == APP_UNKNOWN ? NULL : &app,
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

static void check_case(struct table *t, const struct matrix_case *c)
{
	static const char *const gates[] = {"trunk", "digest", "application"};
	const struct slice *row = row_of(t, c);
	struct authz_verdict v = decide(c, cred_of(c->cred));

	ck_assert_msg(slice_eqs(row[COL_ANSWER], answer_of(v.result)) &&
			      slice_eqs(row[COL_GATE], gates[v.gate]),
		      "%s digest=%d per-app=%d trunk=%u app=%u cred=%s: %s by "
		      "%s, but: %.*s",
		      c->request->name, c->digest, c->per_app, c->trunk, c->app,
		      c->cred, answer_of(v.result), gates[v.gate],
		      SLICE_FMT(row[COL_SENTENCE]));
	if (strcmp(c->cred, "none") == 0)
		return;
	/* Until they have been checked, credentials decide nothing. */
	v = decide(c, AUTHZ_CRED_GIVEN);
	ck_assert(v.gate != AUTHZ_BY_APPLICATION);
	ck_assert_int_eq(v.result == AUTHZ_CHECK,
			 !slice_eqs(row[COL_GATE], "trunk"));
}

START_TEST(every_case_is_answered_as_the_guide_says)
{
	static const char *const creds[] = {"none", "wrong", "good"};
	static struct table t;
	struct matrix_case c;
	size_t count = 0;

	table_read(&t);
	for (size_t i = 0; i < REQUESTS * 4 * 16 * 17 * 3; i++) {
		size_t n = i;

		c.request = &requests[n % REQUESTS];
		n /= REQUESTS;
		c.digest = n % 2;
		c.per_app = n / 2 % 2;
		n /= 4;
		c.trunk = n % 16;
		n /= 16;
		c.app = (unsigned)(n % 17);
		c.cred = creds[n / 17];
		if (c.per_app && !c.digest)
			continue;
		check_case(&t, &c);
		count++;
	}
	ck_assert_uint_eq(count, REQUESTS * 3 * 16 * 17 * 3);
	for (size_t i = 0; i < t.count; i++)
		ck_assert_msg(t.used[i] > 0 || slice_eqs(t.cell[i][COL_ANSWER],
							 "config"),
			      "row %zu speaks of no case", i);
	free(t.text);
}
END_TEST

/* The one kind of profile without cases lets nobody in, should it exist. */
START_TEST(applications_are_known_by_digest_alone)
{
	struct matrix_case c = {.per_app = true, .trunk = 15, .app = 15};

	for (size_t i = 0; i < REQUESTS; i++) {
		c.request = &requests[i];
		if (authz_can_challenge(slice_str(c.request->method)))
			ck_assert_int_eq(decide(&c, AUTHZ_CRED_NONE).result,
					 AUTHZ_CHALLENGE);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("authz/guide");
	TCase *tc = tcase_create("guide");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_case_is_answered_as_the_guide_says);
	tcase_add_test(tc, applications_are_known_by_digest_alone);
	suite_add_tcase(suite, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
