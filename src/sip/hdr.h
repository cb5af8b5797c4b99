/*
 * The structured headers we act on (RFC 3261 section 20), read from the raw
 * values of a message; all slices view the value they were read from.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "sip/msg.h"
#include "sip/uri.h"

struct sip_nameaddr {
	struct slice display; /* as written, quotes included; may be empty */
	struct slice uri;     /* without angle brackets; "*" for Contact: * */
	struct slice params;  /* header parameters after the first ';' */
};

struct sip_via {
	struct slice transport; /* "UDP", "TCP", "TLS" */
	struct slice host;	/* sent-by host */
	uint16_t port;		/* sent-by port, 0 when missing */
	struct slice params;	/* branch, rport, received ... */
	struct slice branch;	/* empty when missing */
};

struct sip_cred {
	struct slice username; /* unquoted, escapes kept */
	struct slice realm;
	struct slice nonce;
	struct slice uri;
	struct slice response;	/* hex */
	struct slice algorithm; /* empty = MD5 */
	struct slice cnonce;
	struct slice qop;
	struct slice nc; /* 8 hex digits when qop is given */
	struct slice opaque;
};

/* Parse one name-addr or addr-spec (From, To, Contact, Refer-To, Route).
 * ERR_BAD. */
MUST_CHECK int sip_nameaddr_parse(struct slice s, struct sip_nameaddr *ret);
/* Parse one Via value. ERR_BAD. */
MUST_CHECK int sip_via_parse(struct slice s, struct sip_via *ret);
/*
 * Parse a Digest challenge or credentials (RFC 7616). ERR_BAD when malformed
 * or a parameter comes twice, ERR_UNSUPPORTED for another scheme than Digest.
 */
MUST_CHECK int sip_cred_parse(struct slice s, struct sip_cred *ret);
/* Expires: from the Contact parameter, else the header, else fallback;
 * capped at 2^31 - 1. */
uint32_t sip_expires(const struct sip_msg *m, struct slice contact_params,
		     uint32_t fallback);
/*
 * The heartbeat Cisco phones send to a standby call manager: a REGISTER with
 * one Contact that has the parameter cisco-keep-alive and expires now. It is
 * to be answered and changes nothing. Whoever leaves it unchallenged and
 * whoever acts on registrations must ask here, so that they agree.
 */
bool sip_is_keep_alive(const struct sip_msg *m);
/*
 * Where a response to this request goes over a datagram socket (RFC 3261
 * section 18.2.2, RFC 3581): source address when rport is asked for or the
 * source IP differs from sent-by; else sent-by's port at the source IP.
 */
struct addr sip_response_addr(const struct sip_msg *m,
			      const struct addr *source);
