/*
 * The words of the configuration: what an option may say, and the small values
 * that sections are made of. A word's place in its enum is its place in the list
 * of words of its row in the schema.
 */
#pragma once

#include <stdint.h>

#include "authn/digest.h"
#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "flow/suite.h"

enum config_mode {
	CONFIG_MODE_MIXED,    /* device security modes count */
	CONFIG_MODE_NONSECURE /* they are kept but ignored; digest counts */
};

enum config_sandbox {
	CONFIG_SANDBOX_ENFORCE,
	CONFIG_SANDBOX_LOG,
	CONFIG_SANDBOX_OFF
};

/* The order is that of enum log_level. */
enum config_log {
	CONFIG_LOG_ERROR,
	CONFIG_LOG_WARN,
	CONFIG_LOG_INFO,
	CONFIG_LOG_DEBUG
};

enum config_transport { CONFIG_UDP, CONFIG_TCP, CONFIG_TLS };

enum config_device_mode {
	CONFIG_DEVICE_NONSECURE,
	CONFIG_DEVICE_AUTHENTICATED,
	CONFIG_DEVICE_ENCRYPTED
};

enum config_media_policy {
	CONFIG_MEDIA_AUTO, /* never left in a built configuration */
	CONFIG_MEDIA_RTP_ONLY,
	CONFIG_MEDIA_SRTP_PREFERRED,
	CONFIG_MEDIA_SRTP_REQUIRED
};

/* What to do with a peer whose issuer's revocation list is out of date. */
enum config_crl { CONFIG_CRL_REFUSE, CONFIG_CRL_WARN };

/* How SRTP is offered to a phone (see call_policy of b2bua/event.h). */
enum config_srtp_offer {
	CONFIG_OFFER_SAVP,
	CONFIG_OFFER_OSRTP,
	CONFIG_OFFER_TWO_LINES,
	CONFIG_OFFER_CISCO_FALLBACK
};

/* What becomes of multicast media, see enum multicast of b2bua/event.h. */
enum config_multicast {
	CONFIG_MULTICAST_RELAY,
	CONFIG_MULTICAST_CLEAR,
	CONFIG_MULTICAST_NO
};

/* What becomes of media that are not audio. */
enum config_other_media {
	CONFIG_OTHER_ENCRYPT,
	CONFIG_OTHER_RELAY,
	CONFIG_OTHER_REJECT
};

/* What the icon on a phone speaks of. */
enum config_icon { CONFIG_ICON_WHOLE_CALL, CONFIG_ICON_PHONE_LEG };

/* Who comes to a listener, whom a call manager serves. */
enum config_serves { CONFIG_PHONES, CONFIG_TRUNKS, CONFIG_BOTH };

/* What a stranger at a listener for trunks gets. */
enum config_unknown { CONFIG_UNKNOWN_IGNORE, CONFIG_UNKNOWN_REFUSE };

/* Who begins: dialogs and requests outside of them. */
enum config_direction {
	CONFIG_DIRECTION_BOTH,
	CONFIG_DIRECTION_IN, /* the trunk's peers alone */
	CONFIG_DIRECTION_OUT /* the call managers alone */
};

/* What tells that a message is a trunk's. */
enum config_identify {
	CONFIG_IDENTIFY_AUTO, /* never left in a built configuration */
	CONFIG_IDENTIFY_ADDRESS,
	CONFIG_IDENTIFY_CERTIFICATE,
	CONFIG_IDENTIFY_BOTH
};

/* What a trunk's peers may come over. */
enum config_incoming {
	CONFIG_INCOMING_ANY,
	CONFIG_INCOMING_UDP_TCP,
	CONFIG_INCOMING_UDP,
	CONFIG_INCOMING_TCP,
	CONFIG_INCOMING_TLS
};

/* What a trunk's peers may be reached over. */
enum config_outgoing {
	CONFIG_OUTGOING_ANY,
	CONFIG_OUTGOING_UDP,
	CONFIG_OUTGOING_TCP,
	CONFIG_OUTGOING_TLS
};
/* What is done where IPsec does not protect an address that it should. */
enum config_ipsec { CONFIG_IPSEC_NO, CONFIG_IPSEC_WARN, CONFIG_IPSEC_YES };

/* What a gateway speaks, beside us. */
enum config_gateway_protocol { CONFIG_GATEWAY_MGCP, CONFIG_GATEWAY_H323 };

/* What who names no line of a device, or not in its way, is told. */
enum config_unknown_lines { CONFIG_LINES_CHALLENGE, CONFIG_LINES_REFUSE };

/* What a rule or a default says. The order is that of enum acl_action. */
enum config_right { CONFIG_DENY, CONFIG_ALLOW };

struct config_endpoint {
	enum config_transport transport;
	bool is_sccp;	  /* Skinny over TCP or TLS; else SIP */
	struct addr addr; /* port is never 0 */
};

/* Somebody else's address: as numbers, or a name to be looked up. */
struct config_remote {
	enum config_transport transport;
	const char *host; /* as written, without port and brackets */
	struct addr addr; /* family NONE: host is a name; else with port */
	uint16_t port;	  /* 0: a name whose port the DNS tells (SRV) */
};

struct config_ports {
	uint16_t min, max; /* UDP, inclusive; min is even, max is odd */
};

struct config_strings {
	const char **item; /* count strings */
	uint32_t count;
};

enum { CONFIG_WORDS_MAX = 8 };

/* Each word once, by its place in the option's words. */
struct config_words {
	uint8_t item[CONFIG_WORDS_MAX];
	uint32_t count;
};

struct config_suites {
	enum suite item[SUITE_COUNT]; /* best first */
	uint32_t count;
};

struct config_digests {
	enum digest_alg item[DIGEST_COUNT]; /* best first */
	uint32_t count;
};

/* What a digest protects; words of digest-qop. */
enum config_qop { CONFIG_QOP_AUTH, CONFIG_QOP_AUTH_INT };

/* When an answer tells the next nonce. */
enum config_nextnonce {
	CONFIG_NEXTNONCE_AUTO, /* where it spares a challenge */
	CONFIG_NEXTNONCE_ALWAYS,
	CONFIG_NEXTNONCE_NEVER
};

/* Must the URI that a digest is about be that of the request? */
enum config_digest_uri {
	CONFIG_URI_AUTO, /* unless TLS protects the way here */
	CONFIG_URI_MATCH,
	CONFIG_URI_ANY
};
