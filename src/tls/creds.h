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
#include "pki/signer.h"
#include "tls/files.h"
#include "tls/policy.h"

struct cert;
struct tls_cache;
struct tls_creds;
struct tls_files;

enum {
	TLS_CHAIN_MAX = 8,	     /* certificates in a peer's chain */
	TLS_CHAIN_BYTES_MAX = 32768, /* bytes of a peer's certificate message */
	TLS_TRUST_MAX = 4096,	     /* certificates in a trust store */
	TLS_CREDS_ERR_MAX = 512,     /* bytes of an error text */
	TLS_TICKET_KEY_LEN = 64,
	TLS_TICKET_KEYS_MAX = 4, /* ticket keys accepted at once */
	TLS_IDENTITIES_MAX = 16	 /* certificates of our own */
};

/* What a peer's certificate must be good for (extended key usage). */
enum tls_purpose {
	TLS_PURPOSE_ANY, /* not checked: many phones carry none */
	TLS_PURPOSE_SIDE /* its side: id-kp-clientAuth of whoever connects to
			    us, id-kp-serverAuth of whom we connect to */
};

struct tls_creds_params {
	const struct tls_policy *policy; /* not NULL */
	enum tls_purpose purpose;	 /* of the peer's certificate */
	bool is_peer_optional;	 /* server: a client without a certificate is
				  let in (facts say so); default false */
	struct slice ticket_key; /* see tls_creds_tickets */
	uint32_t session_s;	 /* how long a session can be resumed; 0: as
				    long as GnuTLS thinks, 1 hour */
	struct tls_cache *cache; /* server: sessions of peers that know no
				    tickets; outlives c; NULL: not resumed */
	bool is_crl_lenient;	 /* go by revocation lists that are out of date
				    (default: refuse) */
};

/* New credentials with neither identity nor trust. ERR_NOMEM, ERR_BAD (length
 * of the ticket key), ERR_UNSUPPORTED (the library refuses). */
MUST_CHECK int tls_creds_new(const struct tls_creds_params *p,
			     struct tls_creds **ret);
/*
 * Replace the keys of session tickets: none (no tickets), or one to
 * TLS_TICKET_KEYS_MAX of TLS_TICKET_KEY_LEN bytes each, the newest first.
 * Tickets are made with the newest and taken with any. Copied. ERR_BAD,
 * ERR_UNSUPPORTED; then the old ones stay.
 */
MUST_CHECK int tls_creds_tickets(struct tls_creds *c, struct slice keys);
/* One more reference; returns c. */
struct tls_creds *tls_creds_ref(struct tls_creds *c);
/* One reference less, the last one frees; takes NULL, returns NULL. */
struct tls_creds *tls_creds_unref(struct tls_creds *c);
/*
 * Our chain, own certificate first, in PEM, and the key that belongs to it:
 * key_id in signer (which must outlive c); empty: the name that tls_keyref_name
 * gives the certificate's public key. May be called up to
 * TLS_IDENTITIES_MAX times: a client is shown the first certificate that has
 * the name it asks for (SNI) and a key it can use, or else the first with such
 * a key. On error reterr (TLS_CREDS_ERR_MAX bytes) says what is wrong with
 * name, a file name for the text. ERR_BAD, ERR_LIMIT, ERR_UNSUPPORTED (key
 * type), ERR_NOMEM.
 */
MUST_CHECK int tls_creds_identity(struct tls_creds *c, const char *name,
				  struct slice chain_pem,
				  const struct signer *signer,
				  struct slice key_id, char *reterr);
/* Facts of the first certificate in a chain in PEM. ERR_BAD, ERR_LIMIT,
 * ERR_NOMEM. Owner of *ret: the caller, until cert_free. */
MUST_CHECK int tls_chain_leaf(struct slice chain_pem, struct cert **ret);
/* The name of the key that belongs to it (tls_keyref_name). ERR_BAD, ERR_IO,
 * ERR_NOMEM. */
MUST_CHECK int tls_chain_key_name(struct slice chain_pem,
				  uint8_t ret_name[SIGNER_KEY_ID_MAX]);
/*
 * The OCSP response (DER) that is shown with the identity added last to clients
 * that ask for it (RFC 6066 section 8), as long as it is fresh. ERR_BAD when it
 * is none, or is not about that certificate.
 */
MUST_CHECK int tls_creds_ocsp(struct tls_creds *c, const char *name,
			      struct slice response, char *reterr);
/* Trust the certificates in bytes (PEM, any number, or one DER): issuers or
 * peers themselves. Errors as above. */
MUST_CHECK int tls_creds_trust(struct tls_creds *c, const char *name,
			       struct slice bytes, char *reterr);
/* Honour the revocation lists in bytes (PEM or DER). Add their issuers with
 * tls_creds_trust first. Errors as above. */
MUST_CHECK int tls_creds_crl(struct tls_creds *c, const char *name,
			     struct slice bytes, char *reterr);
/*
 * Take the files below dir out of a copy: *.crl are revocation lists, the
 * others trusted certificates; those in dir/lsc are besides issuers of locally
 * significant certificates (tls_facts.is_lsc). Errors as above, with reterr
 * naming the file. None is not an error.
 */
MUST_CHECK int tls_creds_trust_files(struct tls_creds *c,
				     const struct tls_files *f, const char *dir,
				     char *reterr);
/* The same with the directory read from the disk (tls_files_read_dir). Before
 * sandbox_enter. ERR_IO besides. */
MUST_CHECK int tls_creds_trust_dir(struct tls_creds *c, const char *dir,
				   char *reterr);
/* Read a PEM chain file and call tls_creds_identity. */
MUST_CHECK int tls_creds_identity_file(struct tls_creds *c, const char *path,
				       const struct signer *signer,
				       struct slice key_id, char *reterr);
/* Trusted certificates so far. */
size_t tls_creds_trust_count(const struct tls_creds *c);
/* Our own certificates so far. */
unsigned tls_creds_identity_count(const struct tls_creds *c);
/* Our certificate number i, less than tls_creds_identity_count, in DER;
 * lifetime of c. *ret_ocsp_s: until when its OCSP response is fresh (seconds
 * since 1970), 0 without one. ERR_IO. */
MUST_CHECK int tls_creds_identity_at(const struct tls_creds *c, unsigned i,
				     struct slice *ret_der,
				     int64_t *ret_ocsp_s);
/* When the first of the trusted certificates expires (seconds since 1970); 0
 * when there is none. O(trusted certificates). */
int64_t tls_creds_trust_expiry(const struct tls_creds *c);
/* True when there are issuers of locally significant certificates. */
bool tls_creds_has_lsc(const struct tls_creds *c);
/* Revocation lists so far. */
size_t tls_creds_crl_count(const struct tls_creds *c);
/* Revocation lists that are out of date at now_s (seconds since 1970) and not
 * replaced by a newer one. */
size_t tls_creds_crl_old_count(const struct tls_creds *c, int64_t now_s);
/* The policy c was made with. */
const struct tls_policy *tls_creds_policy(const struct tls_creds *c);
