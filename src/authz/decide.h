/*
 * Whether a request that comes in on a trunk is processed: three gates, in
 * this order, of which the first that objects decides.
 *
 *   trunk's method list -> digest -> application's method list
 *      403                  401         403
 *
 * The method lists govern what may begin something without a call: presence
 * subscriptions, REFER and NOTIFY outside of a dialog, any request that
 * replaces a dialog, and what a list of rules names. They govern neither
 * INVITE without Replaces nor requests inside a dialog: those are a matter of
 * calling rights. Inside a dialog a request that replaces another one is
 * still asked whether it may: an attended transfer is such a REFER.
 *
 * The original of this order is the authorization of SIP trunks in
 * Cisco Unified CallManager 5.0; doc/authorization.md tells where this one
 * goes further.
 */
#pragma once

#include "authz/acl.h"
#include "base/writer.h"

/* What a request asks for, of which a list must accept each; bits. */
enum authz_kind {
	AUTHZ_PRESENCE = 1, /* SUBSCRIBE to presence */
	AUTHZ_REFER = 2,    /* REFER outside of a dialog */
	AUTHZ_NOTIFY = 4,   /* NOTIFY that nobody subscribed to */
	AUTHZ_REPLACES = 8  /* Replaces, as a header or in Refer-To */
};

/* A method list: of a trunk or of an application. */
struct authz_list {
	unsigned accept;       /* enum authz_kind, bits */
	const struct acl *acl; /* asked when all kinds are accepted; or NULL */
	const char *acl_name;  /* for messages; NULL without acl */
};

struct authz_request {
	struct acl_query query;
	bool is_in_dialog; /* it has a To tag */
	bool is_presence;  /* an Event header says presence */
	bool has_replaces;
};

/* What is known of the credentials in the request. */
enum authz_cred {
	AUTHZ_CRED_NONE,  /* none for our realm, or stale */
	AUTHZ_CRED_GIVEN, /* there are some, nobody has checked them */
	AUTHZ_CRED_WRONG,
	AUTHZ_CRED_GOOD
};

struct authz_case {
	const struct authz_list *trunk;
	bool digest;	      /* the profile asks for credentials */
	bool per_application; /* the applications' lists count, too */
	enum authz_cred cred;
	/* Of the user whom good credentials name; NULL: no such application */
	const struct authz_list *application;
};

enum authz_result {
	AUTHZ_ALLOW,
	AUTHZ_FORBID,	 /* 403 */
	AUTHZ_CHALLENGE, /* 401 */
	AUTHZ_CHECK	 /* check the credentials, then ask again */
};

enum authz_gate { AUTHZ_BY_TRUNK, AUTHZ_BY_DIGEST, AUTHZ_BY_APPLICATION };

/* What an AUTHZ_FORBID, or the last gate of an AUTHZ_ALLOW, went by. */
enum authz_rule {
	AUTHZ_RULE_NONE,       /* nothing objected */
	AUTHZ_RULE_UNGOVERNED, /* no method list speaks of such requests */
	AUTHZ_RULE_KIND,       /* a kind that is not accepted */
	AUTHZ_RULE_ACL,	       /* a rule of the list, or its default */
	AUTHZ_RULE_CRED,       /* credentials: missing or wrong */
	AUTHZ_RULE_UNKNOWN     /* the user is no application */
};

struct authz_verdict {
	enum authz_result result;
	enum authz_gate gate; /* that decided: the last one asked */
	enum authz_rule rule;
	enum authz_kind kind; /* AUTHZ_RULE_KIND */
	int acl_rule;	      /* AUTHZ_RULE_ACL: from 0, or ACL_NO_RULE */
	const char *acl_name; /* of the list; AUTHZ_RULE_ACL */
};

/* What r asks for; bits of enum authz_kind. */
unsigned authz_kinds(const struct authz_request *r);
/* Can a request of this method be challenged? ACK and CANCEL cannot
 * (RFC 3261 section 22.1). */
bool authz_can_challenge(struct slice method);
/* Decide about r. O(acl_eval), no allocation. */
struct authz_verdict authz_decide(const struct authz_case *c,
				  const struct authz_request *r);
/* The name of the option that accepts this kind: "accept-replaces". Static. */
const char *authz_kind_option(enum authz_kind k);
/* What decided, for log and operator: "trunk: accept-replaces = no",
 * "application: acl "crm" rule 3"; rules count from 1. */
void authz_verdict_print(struct writer *w, const struct authz_verdict *v);
