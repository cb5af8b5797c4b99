/*
 * The call machine: every dialog, transaction, registration and call of one
 * worker. Events go in, actions come out; time and randomness are arguments.
 * From here every call is phone <-> call manager; two phones talking are two
 * such calls, joined where one call's inside media address is the other's.
 * One worker owns one struct calls.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "b2bua/action.h"
#include "b2bua/binding.h"
#include "b2bua/core.h"
#include "b2bua/event.h"
#include "base/entropy.h"
#include "base/err.h"
#include "rewrite/sip_out.h"

struct calls;

/* What was done with Skinny messages and phones since the start. */
struct sccp_counts {
	uint64_t from_phone, from_core; /* messages that came in */
	uint64_t unknown;		/* of these, with an id nobody knows */
	uint64_t dropped;   /* by a rule, or since they cannot be relayed */
	uint64_t malformed; /* too short for what must be replaced */
	uint64_t direction; /* phone closed: it spoke as a call manager */
	uint64_t state;	    /* phone closed: it spoke before it registered */
	uint64_t name;	    /* registrations under a wrong name */
	uint64_t flood;	    /* calls above the rate */
	uint64_t keys;	    /* key sets made */
	uint64_t fallbacks; /* streams that went from SRTP to RTP */
	uint64_t barges;    /* that were not let into an encrypted call */
};

/* What calls met since the start that not every call meets. */
struct early_counts {
	uint64_t forks;		  /* callees of an INVITE after its first */
	uint64_t forks_ended;	  /* answered too late: ACK and BYE of ours */
	uint64_t forks_refused;	  /* one callee too many */
	uint64_t reliable;	  /* provisionals of ours with 100rel */
	uint64_t reliable_again;  /* sent again for want of a PRACK */
	uint64_t reliable_failed; /* calls that ended for want of one */
};

enum sccp_verdict { SCCP_ALLOW, SCCP_DROP, SCCP_LOG, SCCP_RATE };

/* What is done with messages by their id; the first that fits. */
struct sccp_rule {
	uint32_t first, last; /* message ids */
	enum sccp_verdict verdict;
	uint32_t rate; /* SCCP_RATE: a second, of each phone */
};

enum { SCCP_RULES_MAX = 32 };

struct sccp_params {
	uint32_t version_max; /* protocol version offered inside; 0 = newest */
	uint32_t phone_limit; /* connections; 0 = binding_limit */
	uint32_t call_rate;   /* calls a minute of one phone; 0 = no limit */
	struct sccp_rule rule[SCCP_RULES_MAX];
	uint32_t rule_count;
};

/* Covers for names of dialogs that only the call managers' side knows; see
 * authn/cover.h. Both append to w; an error says that there is none. NULL: such
 * names pass as they are. */
struct calls_names {
	int (*cover)(void *ctx, struct slice name, struct writer *w);
	int (*open)(void *ctx, struct slice cover, struct writer *w);
	void *ctx;
};

struct calls_params {
	struct dest core; /* a first call manager; ep none: EVENT_CORE tells */
	struct core_params group;
	uint32_t phone_managers; /* bits: the call managers of phones; 0:
				      all */
	uint32_t trunk_limit;	 /* trunks: their numbers are below */
	struct sccp_params sccp;
	bool has_realms;	   /* ACTION_AUTH is understood */
	bool has_siblings;	   /* other workers hear ACTION_ARRIVED */
	struct addr media_outside; /* our media address towards phones */
	struct addr media_inside;  /* our media address towards the core */
	uint16_t outside_port_min, outside_port_max; /* UDP, inclusive */
	uint16_t inside_port_min, inside_port_max;   /* UDP, inclusive */
	uint32_t port_cooldown_ms;
	uint32_t binding_limit;		       /* registered contacts */
	uint32_t call_limit;		       /* calls at once */
	uint32_t txn_limit;		       /* transactions at once */
	uint32_t sub_limit;		       /* subscriptions at once */
	uint32_t sub_device_limit;	       /* the same of one device */
	uint32_t expires_min_s, expires_max_s; /* towards phones */
	uint32_t session_s;	/* session timers (RFC 4028); 0 = none */
	uint32_t session_min_s; /* shortest that is granted, at least 90 */
	uint32_t media_idle_ms; /* end a call without media; 0 = never */
	bool end_to_end;	/* phones of ours get each other's keys */
	bool show_phone_leg; /* phones are shown their own leg's state only */
	uint32_t t1_ms, t2_ms, t4_ms; /* RFC 3261 timers */
	const char *server_name; /* Server and User-Agent value; "" = none */
	struct calls_names names;
	struct entropy entropy;
	uint64_t seed;	    /* for hash tables */
	uint64_t flow_base; /* flow ids begin above; no predecessor of ours
			       may have come so far */
};

/* What can change while calls go on; as in calls_params. */
struct calls_update {
	uint32_t binding_limit, call_limit, txn_limit;
	uint32_t sub_limit, sub_device_limit;
	uint32_t sccp_phone_limit; /* as sccp_params.phone_limit */
	uint32_t phone_managers;   /* as calls_params.phone_managers */
	uint32_t expires_min_s, expires_max_s;
	uint32_t media_idle_ms;
	uint32_t port_cooldown_ms;
	bool end_to_end, show_phone_leg;
	const char *server_name; /* copied */
};

enum call_security {
	CALL_NONSECURE,	    /* NotAuthenticated: no icon */
	CALL_AUTHENTICATED, /* shield */
	CALL_ENCRYPTED	    /* lock */
};

/* What the operator sees of a call; slices are valid until the next
 * call_step. */
struct call_info {
	uint64_t id;		     /* cookie */
	struct slice device;	     /* the phone's device name */
	struct slice caller;	     /* From value's URI */
	struct slice callee;	     /* To value's URI */
	bool from_phone;	     /* the phone began it */
	const char *state;	     /* "ringing", "established", "ending" */
	enum call_security security; /* the least over all known parties */
	enum suite suite;	     /* of the first stream, phone side */
	struct slice codec;	     /* of the first stream, "PCMU/8000" */
	uint64_t start_ms;	     /* monotonic */
	uint64_t answer_ms;	     /* 0 = not yet */
	uint64_t flow_out_in; /* flow ids of the first stream, 0 = none */
	uint64_t flow_in_out;
	bool is_joined;	    /* the far end is another call of ours */
	bool is_end_to_end; /* all its audio passes us without being opened */
};

/* What the operator sees of a call manager's place; slices are valid until
 * the next call_step. */
struct core_info {
	struct slice name;
	struct dest dest;
	uint32_t priority;
	bool is_up;
	bool is_settled;   /* the hold-down is over */
	uint32_t failures; /* in a row */
	uint64_t changed_ms;
};

/* What the operator sees of a Skinny phone; slices are valid until the next
 * call_step. */
struct sccp_info {
	uint64_t id;
	struct slice device;  /* name it registered under, or of its
				 certificate; may be empty */
	struct slice manager; /* call manager it is connected to */
	struct dest dest;     /* the phone's connection */
	enum sig_level sig;
	const char *state; /* "connected", "registering", "registered" */
	uint32_t model;	   /* device type */
	uint32_t version;  /* protocol, as agreed */
	uint32_t streams;  /* relayed now */
	uint64_t since_ms; /* registered, or connected */
	uint32_t listener; /* as the event had it */
	uint32_t rank;	   /* of its call manager there, from 0 */
	bool is_idle;	   /* registered, in no call */
	bool is_kept;	   /* of a predecessor: streams only, without a phone */
	uint64_t told_ms;  /* when it was told to reset last; 0 = never */
};

/* New machine; p is copied (server_name too). NULL when memory is out. */
struct calls *calls_new(const struct calls_params *p, uint64_t now_ms);
/* Free c (may be NULL) without actions; returns NULL. */
struct calls *calls_free(struct calls *c);
/*
 * Is this request one the machine knows already: a retransmission (its answer
 * is repeated through ret_out), an ACK or CANCEL of its own? Runs before
 * authentication, since ACK and CANCEL cannot be challenged and a repeated
 * request would look like a replayed nonce. True: done, do not go on.
 */
bool calls_absorb(struct calls *c, const struct event_sip *ev, uint64_t now_ms,
		  struct actions *ret_out);
/*
 * One event in, actions out, in the order to be executed. Returns ERR_NOMEM
 * when actions were lost (calls stay consistent); ERR_OK otherwise: whatever
 * is wrong with a message is answered, not returned.
 */
MUST_CHECK int call_step(struct calls *c, const struct event *ev,
			 uint64_t now_ms, struct actions *ret_out);
/* Take over what a new configuration says; what is there already stays, also
 * over a lower limit. ERR_NOMEM: then nothing has changed. */
MUST_CHECK int calls_update(struct calls *c, const struct calls_update *u);
/* The media process is another one: what the last one said of silence does not
 * count, since this one tells of its own only. O(all calls). */
void calls_media_new(struct calls *c);
/* Has this device a call? */
bool calls_has_device(const struct calls *c, struct slice device);
/* When EVENT_TIMER must come next (monotonic ms); UINT64_MAX = never. */
uint64_t calls_deadline(const struct calls *c);
/* Walk the calls: start *pos at 0; false at the end. */
bool calls_next(const struct calls *c, uint32_t *pos, struct call_info *ret);
/* Walk the bindings: start *pos at 0; false at the end. */
bool bindings_next(const struct calls *c, uint32_t *pos,
		   struct binding_info *ret);
/* Walk the Skinny phones, and those of which only streams are left: start *pos
 * at 0; false at the end. */
bool sccp_next(const struct calls *c, uint32_t *pos, struct sccp_info *ret);
/* Counters of Skinny; connections and registrations now. */
const struct sccp_counts *sccp_counts(const struct calls *c,
				      uint32_t *ret_phones,
				      uint32_t *ret_registered);
/* What a phone can be told to do; as Skinny's Reset has it. */
enum phone_reset {
	PHONE_RESET = 1,  /* start from anew */
	PHONE_RESTART = 2 /* register anew */
};

/* Tell the SIP phone of the binding with this token (type: enum phone_reset).
 * ERR_NOTFOUND: there is none, or the phone has another one, which counts;
 * ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int binding_reset(struct calls *c, struct slice token, uint32_t type,
			     uint64_t now_ms, struct actions *ret_out);
/* What was counted about early dialogs; lifetime of c. */
const struct early_counts *calls_early(const struct calls *c);
/* Tell a Skinny phone (type: enum phone_reset). ERR_NOTFOUND: none of this name
 * is registered here; ERR_NOMEM. */
MUST_CHECK int sccp_reset(struct calls *c, struct slice device, uint32_t type,
			  uint64_t now_ms, struct actions *ret_out);
/* Another policy for a Skinny phone, and what its model can do, from its next
 * stream on; policy NULL: its connection is closed. Nothing happens to one that
 * is not there. ERR_NOMEM. */
MUST_CHECK int sccp_policy(struct calls *c, uint64_t id,
			   const struct call_policy *policy,
			   const struct sccp_traits *traits, uint64_t now_ms,
			   struct actions *ret_out);
/* Walk the places of the call managers: start *pos at 0; false at the end. */
bool core_next(const struct calls *c, uint32_t *pos, struct core_info *ret);
/* Walk the places of the peers of trunk number: start *pos at 0; false at the
 * end. */
bool trunk_next(const struct calls *c, uint32_t number, uint32_t *pos,
		struct core_info *ret);
/* Is this where a call or subscription goes on to? O(all of them). */
bool calls_reach(const struct calls *c, struct handle ep);
/* Number of the trunk of this name, gone or not; UINT32_MAX: none. O(1). */
uint32_t calls_trunk_number(const struct calls *c, struct slice name);
/* Its name, while it is known. */
struct slice calls_trunk_name(const struct calls *c, uint32_t number);
/* Does the number belong to a trunk, though it may be gone? */
bool calls_trunk_is_known(const struct calls *c, uint32_t number);
/* Is there a call, a subscription or a request of trunk number? O(1) where it
 * has a call, else O(all of them). */
bool calls_trunk_is_used(const struct calls *c, uint32_t number);
/* Calls a device or trunk has now. O(its calls). */
uint32_t calls_of_device(const struct calls *c, struct slice device);
/*
 * The URI of the other party of a call outside that these ids name, the sender's
 * tag and ours in either order, and the user part of the Contact that the sender
 * knows it by; valid until the next call_step. False: no call has them.
 */
bool calls_far_party(struct calls *c, const struct sip_out_ids *ids,
		     struct slice *ret_uri, struct slice *ret_contact);
/* The call manager (by its index) whose listening address a connection of ours
 * or a datagram came from; UINT32_MAX: none. */
uint32_t calls_manager(const struct calls *c, const struct addr *peer);
/*
 * Who is at the other end of the phone's or trunk's dialog that m, from outside,
 * names: *ret_far, as a From or To value, and whose dialog it is (*ret_device,
 * may be NULL). Slices are valid until the next call_step. False: there is none.
 */
bool calls_party(struct calls *c, const struct sip_msg *m,
		 struct slice *ret_far, struct slice *ret_device);
/* True when messages from this address are a call manager's, as far as an
 * address can prove it; ports do not count. */
bool calls_is_core(const struct calls *c, const struct addr *peer);
/* Counters for status: live calls, bindings, transactions. */
void calls_counts(const struct calls *c, uint32_t *ret_calls,
		  uint32_t *ret_bindings, uint32_t *ret_txns);
/* Subscriptions alive, and how many were refused by a limit so far. */
void calls_subs(const struct calls *c, uint32_t *ret_count,
		uint64_t *ret_refused);
/* Name of a security state as Call-Info has it: "NotAuthenticated",
 * "Authenticated", "Encrypted". Static. */
const char *call_security_str(enum call_security s);
