/*
 * Everything that can go into the call machine. An event is valid during
 * call_step only; the machine copies what it keeps. The enum is closed: every
 * switch over it has no default.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "b2bua/core.h"
#include "base/dest.h"
#include "base/handle.h"
#include "base/slice.h"
#include "flow/flow.h"
#include "sccp/msg.h"
#include "sip/msg.h"

enum side {
	SIDE_PHONE, /* outside: phones and trunks */
	SIDE_CORE   /* inside: the call manager */
};

/* What protects the signalling of a phone (RFC 5246 suites, device mode). */
enum sig_level {
	SIG_NONSECURE,	   /* clear text */
	SIG_AUTHENTICATED, /* TLS, integrity only: no key may travel over it */
	SIG_ENCRYPTED	   /* TLS with a real cipher */
};

/* Whether a device's media must, may or shall not be encrypted. */
enum media_policy {
	MEDIA_RTP_ONLY,	   /* no SRTP is offered or accepted */
	MEDIA_SRTP_PREFER, /* SRTP where the phone can, RTP otherwise */
	MEDIA_SRTP_REQUIRE /* 488 without SRTP */
};

/* How SRTP is offered to a phone that need not take it. */
enum srtp_offer {
	SRTP_OFFER_SAVP,      /* RTP/SAVP; again without when refused */
	SRTP_OFFER_OSRTP,     /* RTP/AVP with a=crypto (RFC 8643) */
	SRTP_OFFER_TWO_LINES, /* RTP/SAVP and RTP/AVP, the phone rejects one */
	SRTP_OFFER_CISCO_FALLBACK /* RTP/SAVP, may be answered with RTP/AVP */
};

/* What becomes of media that are not audio. */
enum other_media {
	OTHER_MEDIA_ENCRYPT, /* RTP like audio; the rest is rejected */
	OTHER_MEDIA_RELAY,   /* all over UDP, SRTP where the phone offers it */
	OTHER_MEDIA_REJECT
};

/* Skinny: what becomes of multicast media, whose messages have no keys. */
enum multicast {
	MULTICAST_RELAY, /* the relay hears the group, the phone a stream */
	MULTICAST_CLEAR, /* the phone is told of the group as it is inside */
	MULTICAST_NO	 /* refused */
};

struct call_policy {
	enum media_policy media;
	enum suite suite[SUITE_COUNT]; /* accepted, best first */
	uint32_t suite_count;
	enum suite offer_suite[SUITE_COUNT]; /* offered, best first */
	uint32_t offer_suite_count;	     /* 0: those accepted */
	enum srtp_offer srtp_offer;
	enum other_media other_media;
	uint32_t
		call_limit; /* simultaneous calls of the device; 0 = no limit */
	bool trusts_identity; /* it may assert identities */
	bool no_lock;	      /* the lock is not shown, whatever is agreed */
	/* Trunks: in a call it notifies of what the other end asked for, and of
	 * nothing else. */
	bool no_unsolicited;
	/* SCCP: where the far end of a stream is none of our phones the phone
	 * sends and hears RTP, not SRTP that ends here. */
	bool falls_back;
	enum multicast multicast; /* SCCP */
	bool nat; /* latch media on the first authentic packet from anywhere */
};

enum event_kind {
	EVENT_CONN_DOWN,    /* a connection is gone: conn */
	EVENT_SIP,	    /* a SIP message passed authn and authz: sip */
	EVENT_SCCP,	    /* a Skinny message: sccp */
	EVENT_SCCP_LINK,    /* ACTION_SCCP_LINK was dealt with: link */
	EVENT_TIMER,	    /* calls_deadline() has come */
	EVENT_FLOW_FAILED,  /* a FLOW_ADD was refused, or a flow died: flow */
	EVENT_FLOW_IDLE,    /* no media for the flow's idle time: flow */
	EVENT_FLOW_ACTIVE,  /* media after that: flow */
	EVENT_FLOW_JOINED,  /* its far end is a flow of ours, or has changed:
			       flow with security and key */
	EVENT_FLOW_PARTED,  /* it is no more: flow */
	EVENT_FLOW_LATCHED, /* a source was learned: flow */
	EVENT_FLOW_ROLLED,  /* what arrives has come too far under its key for
			       anybody to begin to hear it there: flow */
	EVENT_CALL_DROP,    /* an operator ends a call: call */
	EVENT_BINDING,	    /* the configuration says so: binding */
	EVENT_CORE,	    /* where a call manager is has become known: core */
	EVENT_TRUNK,	    /* what a trunk is has become known: trunk */
	EVENT_AUTH,	    /* ACTION_AUTH was dealt with: auth */
	EVENT_ARRIVED	    /* another worker's ACTION_ARRIVED: bytes */
};

struct event_sip {
	const struct sip_msg *msg;
	struct dest from; /* where it came from; answers go back there */
	enum side side;
	struct slice device; /* authenticated device name; empty on the core
				side */
	enum sig_level sig;
	const struct call_policy *policy; /* the device's; NULL on the core
					     side */
	/* Number of the trunk plus one: it came from it, device is its name;
	 * on the core side: it is meant for it unless it names a phone. 0 =
	 * none. */
	uint32_t trunk;
	/* Header lines for a 2xx (Authentication-Info); may be empty. */
	struct slice auth_info;
	bool pass_auth; /* Sallyport does not challenge this device itself:
			   Authorization and challenges pass through */
};

/* What a model of phone can and cannot do. */
struct sccp_traits {
	bool encrypts;	     /* SRTP over SCCP */
	bool refuses_barge;  /* into an encrypted call of its own */
	bool loses_wideband; /* where it encrypts */
};

struct event_sccp {
	const struct sccp_msg *msg;
	struct dest from;
	enum side side;
	/* Of a phone's message only: */
	struct slice device; /* proven by certificate, or, over clear text,
				the name in msg where it is configured so;
				empty: neither */
	enum sig_level sig;
	const struct call_policy *policy; /* of device, with a Register; NULL
					     without one */
	struct sccp_traits traits;	  /* of the model in msg, when it is a
					     Register */
	uint32_t listener;	/* number that ACTION_SCCP_LINK gives back */
	uint32_t manager_count; /* call managers that can be tried */
};

/* The connection to a call manager is there, or not. */
struct event_link {
	uint64_t id;	      /* the action's */
	struct dest dest;     /* ep none: there is none */
	struct slice manager; /* its name */
};

struct event_flow {
	uint64_t call;		    /* cookie */
	uint64_t flow;		    /* id */
	uint8_t security;	    /* JOINED: flow.security of the far end */
	const struct flow_key *key; /* JOINED: what the far phone sends under;
				       suite NONE: plain or not known */
	bool is_rolled; /* JOINED: who is not under that key cannot begin */
};

/* The binding of a token gets another policy, or ends. */
struct event_binding {
	struct slice token;
	const struct call_policy *policy; /* NULL: it ends */
	bool pass_auth;			  /* as in event_sip */
	const char *reason;		  /* why it ends, for the record */
};

/* All places of one call manager; none: nobody knows where it is. */
struct event_core {
	uint32_t trunk;	  /* not 0: of that peer of this trunk (number + 1) */
	uint32_t manager; /* its index, or the peer's */
	const struct core_place *place;
	uint32_t count;
};

/*
 * A trunk; its name and number belong together until it is gone and nothing of
 * it is left (calls_trunk_is_known). is_gone: nothing new begins with it, what
 * has begun goes on; told again, it is forgotten as soon as nothing of it is
 * left. Only number and is_gone count then.
 */
struct event_trunk {
	uint32_t number;
	bool is_gone;
	struct slice name; /* as event_sip's device */
	struct call_policy policy;
	uint32_t managers; /* bits: the call managers it is served by */
	uint32_t places;   /* of its peers at most, CORE_PLACES_MAX */
};

/* What answers a call manager's challenge. */
struct event_auth {
	uint64_t id;	    /* the action's */
	struct slice lines; /* header lines; empty: nobody knows an answer */
};

struct event {
	enum event_kind kind;
	union {
		struct handle conn;	      /* EVENT_CONN_DOWN */
		struct event_sip sip;	      /* EVENT_SIP */
		struct event_sccp sccp;	      /* EVENT_SCCP */
		struct event_link link;	      /* EVENT_SCCP_LINK */
		struct event_flow flow;	      /* EVENT_FLOW_* */
		uint64_t call;		      /* EVENT_CALL_DROP: cookie */
		struct event_binding binding; /* EVENT_BINDING */
		struct event_core core;	      /* EVENT_CORE */
		struct event_trunk trunk;     /* EVENT_TRUNK */
		struct event_auth auth;	      /* EVENT_AUTH */
		struct slice bytes;	      /* EVENT_ARRIVED */
	};
};
