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
/* Value of a ;name=value parameter; true when present (value may be empty). */
bool sip_param(struct slice params, const char *name, struct slice *ret_value);
/* Equal as RFC 3261 section 19.1.4 asks for scheme, user, host and port. */
bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b);
