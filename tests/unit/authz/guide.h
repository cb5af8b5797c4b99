/*
 * tests/authz/guide.tsv, the guide typed by hand, as a table that is asked
 * about cases: for test_guide (the decision alone) and test_guide_pipeline
 * (whole SIP messages through the whole pipeline).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum {
	GUIDE_ROWS_MAX = 200,
	GUIDE_APP_UNKNOWN = 16, /* no application user */
	GUIDE_BOXES = 16,	/* sets of check boxes */
	GUIDE_APPS = 17,
	GUIDE_CREDS = 3
};

enum guide_column {
	GUIDE_REQUEST,
	GUIDE_DIGEST,
	GUIDE_PER_APP,
	GUIDE_TRUNK,
	GUIDE_CRED,
	GUIDE_APP,
	GUIDE_ANSWER,
	GUIDE_GATE,
	GUIDE_SENTENCE,
	GUIDE_COLUMNS
};

struct guide {
	char *text;
	struct slice cell[GUIDE_ROWS_MAX][GUIDE_COLUMNS];
	size_t used[GUIDE_ROWS_MAX]; /* cases it spoke of */
	size_t count;
};

/* A request, in SIP's terms. */
struct guide_request {
	const char *name, *method, *event;
	bool is_in_dialog, has_replaces;
};

extern const struct guide_request guide_requests[];
extern const size_t guide_request_count;
/* "none", "wrong", "good". */
extern const char *const guide_creds[GUIDE_CREDS];

/* One case; boxes are bits 0 to 3 for P, R, N, X. */
struct guide_case {
	const struct guide_request *request;
	bool digest, per_app;
	unsigned trunk, app; /* app: GUIDE_APP_UNKNOWN = none such */
	const char *cred;
};

/* Read the table. */
void guide_read(struct guide *g);
/* Every row spoke of some case; free the table. */
void guide_done(struct guide *g);
/* The one row that speaks of c; the test fails when it is not one. */
const struct slice *guide_row(struct guide *g, const struct guide_case *c);
