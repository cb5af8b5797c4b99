/*
 * Named sets of TLS versions and algorithms, one table row each. Which one a
 * listener uses is configuration; priorities are per session, so a weak
 * listener never weakens another one.
 *
 *	default		TLS 1.2 and 1.3 with forward secrecy
 *	authenticated	TLS 1.2 with the suites of default, static RSA and
 *			integrity-only suites (TLS_*_WITH_NULL_*, RFC 5246
 *			A.5) for phones in authenticated mode
 *	legacy		phones of 2006: from TLS 1.0 to 1.2, also static RSA,
 *			SHA-1 signatures, 1024-bit keys, integrity-only suites
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

struct tls_policy {
	const char *name;     /* in the configuration */
	const char *priority; /* GnuTLS priority string */
	const char *text;     /* one line for people */
	bool may_null;	      /* offers suites without encryption */
};

/* The policy of that name, or NULL. Static lifetime. */
const struct tls_policy *tls_policy_find(struct slice name);
/* The policy at place i from 0, or NULL at the end: for help texts. */
const struct tls_policy *tls_policy_at(size_t i);
/*
 * Prove at start-up that this system's GnuTLS accepts every policy (a
 * system-wide /etc/gnutls/config may forbid versions). ERR_UNSUPPORTED and
 * *reterr_name, the first policy refused.
 */
MUST_CHECK int tls_policy_selftest(const char **reterr_name);
