/*
 * What a message asks for, in the terms of authz/, and what the configuration
 * says to it: presence groups and calling rights of whoever sent it, method
 * lists of a trunk. Nothing is remembered here and nothing is answered.
 *
 * Numbers are compared as the call manager will read them: percent escapes
 * are decoded (RFC 3261 section 19.1.2), parameters behind the user part and
 * a password are cut off, and visual separators of telephone numbers dropped
 * (RFC 3966 section 5.1.1), so that no spelling passes a rule by.
 */
#pragma once

#include "authz/decide.h"
#include "base/writer.h"
#include "config/config.h"
#include "rewrite/sip_out.h"
#include "sip/msg.h"

enum {
	GATE_NUMBER_MAX = 256, /* bytes of a user part that can be judged */
	GATE_PARTY_MAX = 512,  /* bytes of user@host */
	GATE_ENTRIES_MAX = 256 /* members of a list that is subscribed to */
};

/* The facts of a request; request views msg and the texts here, so this is
 * neither copied nor moved while it is used. */
struct gate_facts {
	struct authz_request request;
	const struct sip_msg *msg;
	char from[GATE_PARTY_MAX], to[GATE_PARTY_MAX];
};

/* Who knows the dialogs of whoever sent a message. */
struct gate_dialogs {
	/* URI of the other party of the dialog that the sender knows by these
	 * ids, and the user part of the Contact that stands for it; false:
	 * there is none. */
	bool (*far)(void *ctx, const struct sip_out_ids *ids,
		    struct slice *ret_uri, struct slice *ret_contact);
	void *ctx;
};

/* Who asks, as far as presence groups and calling rights go. */
struct gate_party {
	const char *presence_group;
	const struct config_rules *rights;  /* NULL: none */
	const struct config_device *device; /* NULL: it is a trunk */
	const struct gate_dialogs *dialogs; /* NULL: nobody knows any */
	/* Who is at the other end of the message's dialog, as the call machine
	 * knows it: what its From and To say inside a dialog proves nothing.
	 * Empty: it is in none. */
	struct slice far;
};

/* A request on a trunk, and what is known of its credentials. */
struct gate_trunk {
	const struct config_trunk *trunk;
	bool digest; /* this request must be proved */
	enum authz_cred cred;
	struct slice user; /* whom good credentials name; else empty */
	struct addr source;
};

enum gate_answer {
	GATE_OPEN,
	GATE_PRESENCE, /* presence groups object */
	GATE_RIGHTS    /* calling rights object */
};

/* Fill in ret from the request m that came from source; user: the proven
 * digest user, may be empty. Linear in m. */
void gate_facts(const struct sip_msg *m, const struct addr *source,
		struct slice user, struct gate_facts *ret);
/*
 * May party do what the request m asks for? A call (INVITE outside of a
 * dialog), a transfer (REFER to a number, or one whose body is a request of
 * Cisco's remotecc that connects two calls) or a subscription to presence or
 * dialogs is judged; everything else is open. rule gets what decided where
 * the gate is not open: "calling-rights \"lobby\" rule 2". What cannot be
 * read is not open where there are rules that would have to judge it.
 */
enum gate_answer gate_request(const struct config *c,
			      const struct gate_party *party,
			      const struct sip_msg *m, struct writer *rule);
/* The same for a final response of 3xx: may party have its caller go on to
 * these contacts? Open for all other responses. */
enum gate_answer gate_response(const struct config *c,
			       const struct gate_party *party,
			       const struct sip_msg *m, struct writer *rule);
/*
 * A call manager's INVITE outside of dialogs that says by Diversion (RFC 5806)
 * or History-Info (RFC 7044) that a device here has forwarded the call: do the
 * rights of that device allow it, from the caller to whom it is sent?
 * *ret_device (may be NULL) is the device where not.
 */
enum gate_answer gate_forwarded(const struct config *c, const struct sip_msg *m,
				struct writer *rule,
				const struct config_device **ret_device);
/* The gates of g's trunk for the request m (see authz/decide.h). Linear in m
 * and in what acl_eval costs. */
struct authz_verdict gate_trunk(const struct config *c,
				const struct gate_trunk *g,
				const struct sip_msg *m);
/* Who asks, on a trunk: its application where the profile tells them apart. */
struct gate_party gate_trunk_party(const struct config *c,
				   const struct gate_trunk *g);
