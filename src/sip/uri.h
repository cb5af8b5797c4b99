/*
 * SIP and SIPS URIs (RFC 3261 section 19.1) as views of their text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct sip_uri {
	struct slice scheme;  /* "sip", "sips", "tel", "urn" ... as written */
	struct slice user;    /* without password; empty when missing */
	struct slice host;    /* IPv6 with its brackets */
	uint16_t port;	      /* 0 when missing */
	struct slice params;  /* after the first ';', without it */
	struct slice headers; /* after '?', without it */
};

/*
 * Parse a URI without angle brackets. ERR_BAD when malformed (control bytes,
 * blanks, bad port, no host in a sip/sips URI); ERR_UNSUPPORTED for a
 * well-formed URI of another scheme (scheme is set, the rest empty).
 */
MUST_CHECK int sip_uri_parse(struct slice s, struct sip_uri *ret);
/*
 * Parse "host", "host:port", "[IPv6]" or "[IPv6]:port"; blanks around the
 * colon are allowed (Via). *ret_port is 0 when missing. ERR_BAD.
 */
MUST_CHECK int sip_hostport_parse(struct slice s, struct slice *ret_host,
				  uint16_t *ret_port);
/*
 * Take the next ";name=value" off *params (which does not begin with ';').
 * Name and value are trimmed; the value keeps its quotes and is empty when
 * there is none; both are empty for an empty parameter. False at the end.
 */
bool sip_param_next(struct slice *params, struct slice *ret_name,
		    struct slice *ret_value);
/* Value of the first ;name=value parameter; true when present (the value may be
 * empty). ret_value may be NULL. */
bool sip_param(struct slice params, const char *name, struct slice *ret_value);
/* Do both name the same user (none, too) at the same host? Scheme, port and
 * parameters do not count; escapes are compared by what they stand for. */
bool sip_uri_is_same_party(const struct sip_uri *a, const struct sip_uri *b);
/* Equal as RFC 3261 section 19.1.4 asks for scheme, user, host and port. */
bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b);
