#include "unit/authz/guide.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

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

void guide_read(struct guide *g)
{
	struct slice rest, line;

	*g = (struct guide){.text = read_file("authz/guide.tsv")};
	rest = slice_str(g->text);
	while (text_cut(rest, '\n', &line, &rest)) {
		if (line.len == 0 || line.ptr[0] == '#' ||
		    slice_starts(line, "request\t"))
			continue;
		ck_assert_uint_lt(g->count, GUIDE_ROWS_MAX);
		for (size_t i = 0; i < GUIDE_COLUMNS; i++)
			(void)text_cut(line, '\t', &g->cell[g->count][i],
				       &line);
		ck_assert_msg(g->cell[g->count][GUIDE_SENTENCE].len > 20,
			      "row %zu has no sentence", g->count);
		g->count++;
	}
	ck_assert_uint_gt(g->count, 50);
}

/* The requests; what they are is said in SIP's terms. */
const struct guide_request guide_requests[] = {
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

const size_t guide_request_count =
	sizeof(guide_requests) / sizeof(guide_requests[0]);

const char *const guide_creds[GUIDE_CREDS] = {"none", "wrong", "good"};

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
	ck_assert_uint_eq(cell.len, 4);
	for (size_t i = 0; i < 4; i++) {
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
	if (slice_eqs(cell, "unknown") || app == GUIDE_APP_UNKNOWN)
		return slice_eqs(cell, "unknown") && app == GUIDE_APP_UNKNOWN;
	return boxes_hold(cell, app);
}

static bool row_holds(const struct slice *cell, const struct guide_case *c)
{
	return (slice_eqs(cell[GUIDE_REQUEST], "-") ||
		has_word(cell[GUIDE_REQUEST], c->request->name)) &&
	       any_or(cell[GUIDE_DIGEST], c->digest ? "yes" : "no") &&
	       any_or(cell[GUIDE_PER_APP], c->per_app ? "yes" : "no") &&
	       boxes_hold(cell[GUIDE_TRUNK], c->trunk) &&
	       any_or(cell[GUIDE_CRED], c->cred) &&
	       app_holds(cell[GUIDE_APP], c->app);
}

const struct slice *guide_row(struct guide *g, const struct guide_case *c)
{
	const struct slice *found = NULL;

	for (size_t i = 0; i < g->count; i++) {
		/* A profile that is refused has no cases. */
		if (slice_eqs(g->cell[i][GUIDE_ANSWER], "config") ||
		    !row_holds(g->cell[i], c))
			continue;
		ck_assert_msg(!found, "two rows for %s, the second is %zu",
			      c->request->name, i);
		found = g->cell[i];
		g->used[i]++;
	}
	ck_assert_msg(found != NULL, "no row for %s", c->request->name);
	return found;
}

void guide_done(struct guide *g)
{
	for (size_t i = 0; i < g->count; i++)
		ck_assert_msg(
			g->used[i] > 0 ||
				slice_eqs(g->cell[i][GUIDE_ANSWER], "config"),
			"row %zu speaks of no case", i);
	free(g->text);
}
