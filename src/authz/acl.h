/*
 * May he? An ordered list of rules, compiled once; the first rule all of
 * whose conditions hold decides, and says which one it was. Pure evaluation
 * over slices: nothing of SIP is known here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

enum {
	ACL_RULES_MAX = 4096,  /* rules of one list */
	ACL_PATTERN_MAX = 256, /* bytes of one pattern */
	ACL_NO_RULE = -1       /* the fallback decided */
};

enum acl_action { ACL_DENY = 0, ACL_ALLOW = 1 };

/*
 * One rule as written. A pattern is text in which each '*' stands for any
 * bytes, also none; the empty pattern and "*" hold for everything, also for
 * an empty value. Patterns match without regard to ASCII case, method too.
 */
struct acl_rule {
	struct slice principal; /* pattern of the device name */
	struct addr source;	/* network; family NONE: any source */
	unsigned source_bits;	/* prefix length in bits */
	struct slice method;	/* pattern of the request method */
	struct slice from;	/* pattern of "user@host" */
	struct slice to;	/* pattern of "user@host" */
	enum acl_action action;
};

/* The facts of one request; slices of any length. */
struct acl_query {
	struct slice principal;
	struct addr source;
	struct slice method;
	struct slice from;
	struct slice to;
};

struct acl;

/*
 * Compile count rules; fallback decides when none holds. Texts are copied.
 * ERR_LIMIT when there are too many rules or a pattern is too long, ERR_BAD
 * for a prefix length that does not fit the family, ERR_NOMEM. Owner of *ret:
 * the caller, until acl_free.
 */
MUST_CHECK int acl_new(const struct acl_rule *rule, size_t count,
		       enum acl_action fallback, struct acl **ret);
/* Free a (may be NULL); returns NULL. */
struct acl *acl_free(struct acl *a);
/*
 * Decide. *ret_rule (may be NULL) gets the index of the rule that did, or
 * ACL_NO_RULE. O(rules * (pattern * value)) at worst, without recursion.
 */
enum acl_action acl_eval(const struct acl *a, const struct acl_query *q,
			 int *ret_rule);
/* True when text matches pattern as described at struct acl_rule. */
bool acl_match(struct slice pattern, struct slice text);
