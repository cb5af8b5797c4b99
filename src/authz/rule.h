/*
 * Rules as an operator writes them, one text each:
 *
 *   method list:    "deny method=MESSAGE body=text/html from=*@example.com"
 *   calling rights: "deny transfer from=outside to=outside"
 *
 * The first word says what happens when all conditions behind it hold. A
 * value is a pattern (see authz/acl.h) without blanks.
 */
#pragma once

#include "authz/acl.h"

enum rule_kind {
	RULE_METHODS, /* of a method list: what may come in on a trunk */
	RULE_RIGHTS   /* of calling rights: who may reach what */
};

enum {
	RULE_TEXT_MAX = 256 /* bytes of a rule */
};

/*
 * Read one rule. Its patterns view text, which must outlive it. ERR_BAD:
 * *reterr says what is expected ("allow or deny as first word"), static.
 */
MUST_CHECK int rule_parse(enum rule_kind kind, struct slice text,
			  struct acl_rule *ret, const char **reterr);
