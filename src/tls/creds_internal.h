/* What tls/session.c may see of credentials. */
#pragma once

#include <gnutls/gnutls.h>
#include <time.h>

#include "tls/creds.h"

/* When a revocation list should have been replaced. */
struct tls_crl {
	struct tls_crl *next;
	time_t next_update;
	gnutls_datum_t issuer; /* DN, DER */
};

struct tls_creds {
	unsigned refs;
	const struct tls_policy *policy;
	enum tls_purpose purpose;
	bool is_peer_optional;
	bool has_ticket_key;
	uint8_t ticket_key[TLS_TICKET_KEY_LEN]; /* wiped with the object */
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
	size_t trust_count;
	size_t crl_count;
	struct tls_crl *crls;
};

/* Verify the peer of a session inside its handshake: GnuTLS's callback, set
 * by creds.c, implemented by session.c. */
int tls_session_verify_cb(gnutls_session_t gs);

/* True when one of the n certificates has an issuer whose revocation list is
 * past its next update: GnuTLS does not look at that date. */
bool tls_creds_crl_is_old(const struct tls_creds *c,
			  const gnutls_datum_t *chain, unsigned n);
