#include "tls/creds.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/ocsp.h>
#include <gnutls/x509.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "pki/cert.h"
#include "pki/signer.h"
#include "tls/creds_internal.h"
#include "tls/keyref.h"

enum { VERIFY_BITS_MAX = 16384 };

gnutls_datum_t tls_creds_datum(struct slice s)
{
	/* GnuTLS takes its input through a non-const member. */
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)s.ptr,
				.size = (unsigned)s.len};
}

int tls_creds_explain(char *reterr, const char *name, const char *what,
		      const char *why, int err)
{
	(void)snprintf(reterr, TLS_CREDS_ERR_MAX, "%s: %s%s%s", name, what,
		       why ? ": " : "", why ? why : "");
	return err;
}

int tls_creds_explain_gnutls(char *reterr, const char *name, const char *what,
			     int rc)
{
	return tls_creds_explain(reterr, name, what, gnutls_strerror(rc),
				 rc == GNUTLS_E_MEMORY_ERROR ? ERR_NOMEM
							     : ERR_BAD);
}

/* Each policy has tickets of its own, derived from the keys all share: a
 * ticket of a weak listener must not bring its suite to a strong one. */
int tls_creds_tickets(struct tls_creds *c, struct slice keys)
{
	uint8_t made[TLS_TICKET_KEYS_MAX][TLS_TICKET_KEY_LEN];
	size_t n = keys.len / TLS_TICKET_KEY_LEN;
	int err = 0;

	_Static_assert(TLS_TICKET_KEY_LEN == 64, "an HMAC-SHA-512");
	if (keys.len % TLS_TICKET_KEY_LEN != 0 || n > TLS_TICKET_KEYS_MAX)
		return ERR_BAD;
	for (size_t i = 0; i < n && !err; i++)
		if (gnutls_hmac_fast(GNUTLS_MAC_SHA512,
				     keys.ptr + i * TLS_TICKET_KEY_LEN,
				     TLS_TICKET_KEY_LEN, c->policy->name,
				     strlen(c->policy->name), made[i]) < 0)
			err = ERR_UNSUPPORTED;
	if (!err) {
		memcpy(c->ticket_key, made, sizeof(made));
		c->ticket_count = (unsigned)n;
	}
	secret_wipe(made, sizeof(made));
	return err;
}

int tls_creds_new(const struct tls_creds_params *p, struct tls_creds **ret)
{
	struct tls_creds *c = alloc_zero(sizeof(*c));
	int err;

	if (!c)
		return ERR_NOMEM;
	c->refs = 1;
	c->policy = p->policy;
	c->purpose = p->purpose;
	c->is_peer_optional = p->is_peer_optional;
	c->is_crl_lenient = p->is_crl_lenient;
	c->session_s = p->session_s;
	c->cache = p->cache;
	err = tls_creds_tickets(c, p->ticket_key);
	if (err) {
		(void)tls_creds_unref(c);
		return err;
	}
	if (gnutls_certificate_allocate_credentials(&c->cred) < 0 ||
	    gnutls_priority_init(&c->priority, p->policy->priority, NULL) < 0) {
		(void)tls_creds_unref(c);
		return ERR_NOMEM;
	}
	gnutls_certificate_set_flags(c->cred, GNUTLS_CERTIFICATE_API_V2);
	gnutls_certificate_set_verify_limits(c->cred, VERIFY_BITS_MAX,
					     TLS_CHAIN_MAX);
	gnutls_certificate_set_verify_function(c->cred, tls_session_verify_cb);
	(void)gnutls_certificate_set_known_dh_params(c->cred,
						     GNUTLS_SEC_PARAM_MEDIUM);
	*ret = c;
	return 0;
}

struct tls_creds *tls_creds_ref(struct tls_creds *c)
{
	c->refs++;
	return c;
}

struct tls_creds *tls_creds_unref(struct tls_creds *c)
{
	if (!c || --c->refs > 0)
		return NULL;
	if (c->cred)
		gnutls_certificate_free_credentials(c->cred);
	if (c->priority)
		gnutls_priority_deinit(c->priority);
	secret_wipe(c->ticket_key, sizeof(c->ticket_key));
	tls_creds_trust_done(c);
	return alloc_free(c);
}

size_t tls_creds_trust_count(const struct tls_creds *c)
{
	return c->trust_count;
}

size_t tls_creds_crl_count(const struct tls_creds *c)
{
	return c->crl_count;
}

const struct tls_policy *tls_creds_policy(const struct tls_creds *c)
{
	return c->policy;
}

/* Read the chain into pcerts; they are the caller's. */
static int load_chain(const char *name, struct slice pem,
		      gnutls_pcert_st *pcerts, unsigned *ret_count,
		      char *reterr)
{
	gnutls_datum_t d = tls_creds_datum(pem);
	unsigned count = TLS_CHAIN_MAX;
	int rc;

	rc = gnutls_pcert_list_import_x509_raw(
		pcerts, &count, &d, GNUTLS_X509_FMT_PEM,
		GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
		return tls_creds_explain(reterr, name,
					 "more than 8 certificates in our "
					 "chain",
					 NULL, ERR_LIMIT);
	if (rc < 0)
		return tls_creds_explain_gnutls(
			reterr, name, "no certificate chain in PEM", rc);
	*ret_count = count;
	return 0;
}

/* Hand over to GnuTLS, which takes key and pcerts on success, with the names
 * a client may ask for. Its number of the identity, or its error. */
static int set_key(struct tls_creds *c, gnutls_pcert_st *pcerts, int count,
		   gnutls_privkey_t key)
{
	const char *names[CERT_DNS_MAX];
	struct cert *cert = NULL;
	int rc;

	if (cert_parse(slice_make(pcerts[0].cert.data, pcerts[0].cert.size),
		       &cert) != 0)
		return GNUTLS_E_CERTIFICATE_ERROR;
	for (size_t i = 0; i < cert->dns_count; i++)
		names[i] = cert->dns[i];
	rc = gnutls_certificate_set_key(
		c->cred, cert->dns_count > 0 ? names : NULL,
		(int)cert->dns_count, pcerts, count, key);
	(void)cert_free(cert);
	return rc;
}

int tls_creds_identity(struct tls_creds *c, const char *name,
		       struct slice chain_pem, const struct signer *signer,
		       struct slice key_id, char *reterr)
{
	gnutls_pcert_st pcerts[TLS_CHAIN_MAX];
	uint8_t derived[SIGNER_KEY_ID_MAX];
	gnutls_privkey_t key = NULL;
	unsigned count = 0;
	int rc;
	int err;

	if (c->identity_count == TLS_IDENTITIES_MAX)
		return tls_creds_explain(reterr, name,
					 "too many certificates of our own",
					 NULL, ERR_LIMIT);
	if (key_id.len > SIGNER_KEY_ID_MAX)
		return tls_creds_explain(reterr, name,
					 "bad name of a private key", NULL,
					 ERR_BAD);
	if (chain_pem.len > TLS_FILE_MAX)
		return tls_creds_explain(reterr, name, "file too large", NULL,
					 ERR_LIMIT);
	err = load_chain(name, chain_pem, pcerts, &count, reterr);
	if (err)
		return err;
	if (key_id.len == 0) {
		err = tls_keyref_name(pcerts[0].pubkey, derived);
		key_id = slice_make(derived, sizeof(derived));
	}
	if (!err)
		err = tls_keyref_new(signer, key_id, pcerts[0].pubkey, &key);
	if (err) {
		err = tls_creds_explain(reterr, name,
					"key type of the certificate",
					err_str(err), err);
		goto out;
	}
	/* GnuTLS itself takes a key that cannot sign at all. */
	rc = tls_keyref_prove(key, pcerts[0].pubkey);
	if (rc >= 0)
		rc = set_key(c, pcerts, (int)count, key);
	if (rc >= 0) {
		c->identity_count++;
		return 0;
	}
	err = tls_creds_explain_gnutls(
		reterr, name,
		"the private key does not fit the certificate "
		"or cannot be used",
		rc);
	gnutls_privkey_deinit(key);
out:
	for (unsigned i = 0; i < count; i++)
		gnutls_pcert_deinit(&pcerts[i]);
	return err;
}

int tls_chain_leaf(struct slice chain_pem, struct cert **ret)
{
	gnutls_datum_t pem = tls_creds_datum(chain_pem);
	gnutls_datum_t der = {.data = NULL};
	int err;

	if (gnutls_pem_base64_decode2("CERTIFICATE", &pem, &der) < 0)
		return ERR_BAD;
	err = cert_parse(slice_make(der.data, der.size), ret);
	gnutls_free(der.data);
	return err;
}

int tls_chain_key_name(struct slice chain_pem,
		       uint8_t ret_name[SIGNER_KEY_ID_MAX])
{
	gnutls_datum_t pem = tls_creds_datum(chain_pem);
	gnutls_x509_crt_t crt = NULL;
	gnutls_pubkey_t pub = NULL;
	int err = ERR_BAD;

	if (gnutls_x509_crt_init(&crt) < 0)
		return ERR_NOMEM;
	if (gnutls_pubkey_init(&pub) < 0) {
		gnutls_x509_crt_deinit(crt);
		return ERR_NOMEM;
	}
	if (gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) == 0 &&
	    gnutls_pubkey_import_x509(pub, crt, 0) == 0)
		err = tls_keyref_name(pub, ret_name);
	gnutls_pubkey_deinit(pub);
	gnutls_x509_crt_deinit(crt);
	return err;
}

/* Until when a response is fresh; 0 when it cannot be read. */
static int64_t ocsp_until(const gnutls_datum_t *d)
{
	gnutls_ocsp_resp_t resp = NULL;
	time_t next = 0;

	if (gnutls_ocsp_resp_init(&resp) < 0)
		return 0;
	if (gnutls_ocsp_resp_import(resp, d) < 0 ||
	    gnutls_ocsp_resp_get_single(resp, 0, NULL, NULL, NULL, NULL, NULL,
					NULL, &next, NULL, NULL) < 0)
		next = 0;
	gnutls_ocsp_resp_deinit(resp);
	/* (time_t)-1: it names no end. */
	return next == (time_t)-1 ? INT64_MAX : (int64_t)next;
}

int tls_creds_ocsp(struct tls_creds *c, const char *name, struct slice response,
		   char *reterr)
{
	gnutls_datum_t d = tls_creds_datum(response);
	unsigned last = c->identity_count - 1;
	int rc;

	if (c->identity_count == 0 || response.len > TLS_FILE_MAX)
		return tls_creds_explain(reterr, name, "file too large", NULL,
					 ERR_LIMIT);
	rc = gnutls_certificate_set_ocsp_status_request_mem(
		c->cred, &d, last, GNUTLS_X509_FMT_DER);
	if (rc < 0)
		return tls_creds_explain_gnutls(
			reterr, name,
			"no OCSP response (DER) about the certificate", rc);
	c->ocsp_s[last] = ocsp_until(&d);
	return 0;
}

unsigned tls_creds_identity_count(const struct tls_creds *c)
{
	return c->identity_count;
}

int tls_creds_identity_at(const struct tls_creds *c, unsigned i,
			  struct slice *ret_der, int64_t *ret_ocsp_s)
{
	gnutls_datum_t d = {.data = NULL};

	if (gnutls_certificate_get_crt_raw(c->cred, i, 0, &d) < 0)
		return ERR_IO;
	*ret_der = slice_make(d.data, d.size);
	*ret_ocsp_s = c->ocsp_s[i];
	return 0;
}

int tls_creds_identity_file(struct tls_creds *c, const char *path,
			    const struct signer *signer, struct slice key_id,
			    char *reterr)
{
	struct tls_files *f = NULL;
	struct slice bytes;
	int err = tls_files_new(&f);

	if (!err)
		err = tls_files_read(f, path, reterr);
	if (!err)
		err = tls_files_find(f, path, &bytes);
	if (!err)
		err = tls_creds_identity(c, path, bytes, signer, key_id,
					 reterr);
	(void)tls_files_free(f);
	return err;
}
