/*
 * May he? An ordered list of rules, compiled once; the first rule all of
 * whose conditions hold decides, and says which one it was. Pure evaluation
 * over slices: nothing of SIP is known here.
 *
 * Rules whose conditions begin with the same number of literal bytes are kept
 * in one hash table, so that a long list costs about as much as a short one:
 * what is looked at is one chain for each such shape, not each rule.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

enum {
	ACL_RULES_MAX = 16384, /* rules of one list */
	ACL_PATTERN_MAX = 256, /* bytes of one pattern */
	ACL_NO_RULE = -1       /* the fallback decided */
};

enum acl_action { ACL_DENY = 0, ACL_ALLOW = 1 };

/* What a request is told apart by. */
enum acl_field {
	ACL_PRINCIPAL, /* who: a device, an application */
	ACL_METHOD,    /* of the request, or what is to be done */
	ACL_EVENT,     /* event package, without parameters */
	ACL_FROM,      /* who asks, or the other party */
	ACL_TO,	       /* whom it is about */
	ACL_FROM_SIDE, /* "inside" or "outside" */
	ACL_TO_SIDE,
	ACL_FIELDS
};

/*
 * One rule as written. A pattern is text in which each '*' stands for any
 * bytes, also none; the empty pattern and "*" hold for everything, also for
 * an empty value. Patterns match without regard to ASCII case, method too.
 */
struct acl_rule {
	struct slice pattern[ACL_FIELDS];
	struct slice header;	   /* a header line with this name ... */
	struct slice header_value; /* ... and value is there; empty: any */
	struct slice body;	   /* some body has this media type */
	struct addr source;	   /* network; family NONE: any source */
	unsigned source_bits;	   /* prefix length in bits */
	enum acl_action action;
};

/* Is there a body of some media type? One that cannot be read through counts
 * for rules that deny, and not for those that allow. */
enum acl_body { ACL_BODY_NONE, ACL_BODY_FOUND, ACL_BODY_UNCLEAR };

/* The facts of one request; slices of any length. */
struct acl_query {
	struct slice value[ACL_FIELDS];
	struct addr source;
	/* Is there a header line whose name and value match the patterns? A
	 * body whose media type does? NULL: there is none. */
	bool (*has_header)(const void *ctx, struct slice name,
			   struct slice value);
	enum acl_body (*has_body)(const void *ctx, struct slice type);
	const void *ctx;
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
 * ACL_NO_RULE. Expected O(shapes + rules of equal literal beginnings); at
 * worst O(rules * (pattern * value)), without recursion.
 */
enum acl_action acl_eval(const struct acl *a, const struct acl_query *q,
			 int *ret_rule);
/* True when text matches pattern as described at struct acl_rule. */
bool acl_match(struct slice pattern, struct slice text);
