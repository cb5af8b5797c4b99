/*
 * TLS credentials of one listener or connector: our certificate chain and the
 * key that signs for it, the certificates we trust, what has been revoked.
 * Built by one thread, then read-only and shared by reference; a reload makes
 * a new object and old sessions keep theirs. Private keys never enter: every
 * operation goes through pki/signer.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "tls/policy.h"

struct signer;
struct tls_creds;

enum {
	TLS_CHAIN_MAX = 8,	     /* certificates in a peer's chain */
	TLS_CHAIN_BYTES_MAX = 32768, /* bytes of a peer's certificate message */
	TLS_TRUST_MAX = 4096,	     /* certificates in a trust store */
	TLS_FILE_MAX = 1 << 20,	     /* bytes of one trust, CRL or chain file */
	TLS_CREDS_ERR_MAX = 512,     /* bytes of an error text */
	TLS_TICKET_KEY_LEN = 64
};

/* What a peer's certificate must be good for (extended key usage). */
enum tls_purpose {
	TLS_PURPOSE_ANY,    /* not checked: many phones carry none */
	TLS_PURPOSE_CLIENT, /* id-kp-clientAuth */
	TLS_PURPOSE_SERVER  /* id-kp-serverAuth */
};

struct tls_creds_params {
	const struct tls_policy *policy; /* not NULL */
	enum tls_purpose purpose;	 /* of the peer's certificate */
	bool is_peer_optional;	 /* server: a client without a certificate is
				  let in (facts say so); default false */
	struct slice ticket_key; /* TLS_TICKET_KEY_LEN bytes, or empty: no
				    resumption; copied */
};

/* New credentials with neither identity nor trust. ERR_NOMEM, ERR_BAD (length
 * of the ticket key), ERR_UNSUPPORTED (the library refuses). */
MUST_CHECK int tls_creds_new(const struct tls_creds_params *p,
			     struct tls_creds **ret);
/* One more reference; returns c. */
struct tls_creds *tls_creds_ref(struct tls_creds *c);
/* One reference less, the last one frees; takes NULL, returns NULL. */
struct tls_creds *tls_creds_unref(struct tls_creds *c);
/*
 * Our chain, own certificate first, in PEM, and the key that belongs to it:
 * key_id in signer (which must outlive c). May be called twice, once with an
 * RSA and once with an ECDSA certificate. On error reterr (TLS_CREDS_ERR_MAX
 * bytes) says what is wrong with name, a file name for the text. ERR_BAD,
 * ERR_LIMIT, ERR_UNSUPPORTED (key type), ERR_NOMEM.
 */
MUST_CHECK int tls_creds_identity(struct tls_creds *c, const char *name,
				  struct slice chain_pem,
				  const struct signer *signer,
				  struct slice key_id, char *reterr);
/* Trust the certificates in bytes (PEM, any number, or one DER): issuers or
 * peers themselves. Errors as above. */
MUST_CHECK int tls_creds_trust(struct tls_creds *c, const char *name,
			       struct slice bytes, char *reterr);
/* Honour the revocation lists in bytes (PEM or DER). Add their issuers with
 * tls_creds_trust first. Errors as above. */
MUST_CHECK int tls_creds_crl(struct tls_creds *c, const char *name,
			     struct slice bytes, char *reterr);
/*
 * Read every file of a directory whose name does not begin with a dot: *.crl
 * as revocation lists, *.pem, *.crt, *.cer and *.der as trusted certificates;
 * other names are ignored. Before sandbox_enter. ERR_IO, ERR_BAD, ERR_LIMIT,
 * with reterr naming the file. An empty directory is not an error.
 */
MUST_CHECK int tls_creds_trust_dir(struct tls_creds *c, const char *dir,
				   char *reterr);
/* Read a PEM chain file and call tls_creds_identity. */
MUST_CHECK int tls_creds_identity_file(struct tls_creds *c, const char *path,
				       const struct signer *signer,
				       struct slice key_id, char *reterr);
/* Trusted certificates so far. */
size_t tls_creds_trust_count(const struct tls_creds *c);
/* Revocation lists so far. */
size_t tls_creds_crl_count(const struct tls_creds *c);
/* The policy c was made with. */
const struct tls_policy *tls_creds_policy(const struct tls_creds *c);
