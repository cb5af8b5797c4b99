/*
 * What would happen? A request that an operator describes is written as a SIP
 * message and put to the same functions as one from the network, without
 * anything being sent, answered or counted.
 */
#pragma once

#include "config/config.h"

/* The request. Strings may be NULL; from and to are numbers, user@host or
 * URIs. */
struct trial {
	const char *trunk, *device; /* by name: one of the two */
	const char *method;	    /* needed, unless forward is given */
	const char *event;	    /* package */
	const char *user;	    /* digest user whose password was right */
	const char *from, *to;	    /* to: the request-URI, too */
	const char *header;	    /* one more line: "Name: value" */
	const char *body;	    /* its media type */
	const char *refer_to;
	const char *source;  /* address of the sender */
	const char *forward; /* instead: a 302 to this number */
	bool has_replaces;   /* as a header; in Refer-To of REFER */
	bool is_in_dialog;
};

enum {
	TRIAL_TEXT_MAX = 512 /* bytes of an answer's text with its NUL */
};

struct trial_answer {
	unsigned status; /* 401 or 403; 0: it is processed */
	char rule[TRIAL_TEXT_MAX];
};

/*
 * Try t under c. ERR_BAD: it cannot be tried, reterr (TRIAL_TEXT_MAX bytes)
 * says why; ERR_NOMEM.
 */
MUST_CHECK int trial_run(const struct config *c, const struct trial *t,
			 struct trial_answer *ret, char *reterr);
