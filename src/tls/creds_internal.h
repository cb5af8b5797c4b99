/* What tls/session.c may see of credentials. */
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
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
	bool is_crl_lenient;
	uint32_t session_s;
	struct tls_cache *cache; /* or NULL */
	/* Newest first; wiped with the object. */
	uint8_t ticket_key[TLS_TICKET_KEYS_MAX][TLS_TICKET_KEY_LEN];
	unsigned ticket_count;
	unsigned identity_count;	    /* also GnuTLS's numbers of them */
	int64_t ocsp_s[TLS_IDENTITIES_MAX]; /* fresh until; 0 = none */
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
	size_t trust_count;
	size_t crl_count;
	struct tls_crl *crls;
	gnutls_x509_trust_list_t lsc; /* issuers of LSCs; NULL = none */
};

/* Verify the peer of a session inside its handshake: GnuTLS's callback, set
 * by creds.c, implemented by session.c. */
int tls_session_verify_cb(gnutls_session_t gs);

/* What creds.c and trust.c tell about a file. */
int tls_creds_explain(char *reterr, const char *name, const char *what,
		      const char *why, int err);
/* The same with GnuTLS's reason. */
int tls_creds_explain_gnutls(char *reterr, const char *name, const char *what,
			     int rc);
/* s as GnuTLS takes its input: not const, though only read. */
gnutls_datum_t tls_creds_datum(struct slice s);
/* Free the lists that trust.c made. */
void tls_creds_trust_done(struct tls_creds *c);

/* True when the chain of n certificates, which is valid, leads to an issuer of
 * locally significant certificates. */
bool tls_creds_is_lsc(const struct tls_creds *c, const gnutls_datum_t *chain,
		      unsigned n);

/* ticket.c: let a server session be resumed, by ticket and by the cache;
 * before its handshake. c outlives it. */
void tls_ticket_enable(gnutls_session_t gs, const struct tls_creds *c);

/* True when one of the n certificates has an issuer whose revocation list is
 * past its next update: GnuTLS does not look at that date. */
bool tls_creds_crl_is_old(const struct tls_creds *c,
			  const gnutls_datum_t *chain, unsigned n);
