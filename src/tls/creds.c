#include "tls/creds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"
#include "pki/signer.h"
#include "tls/creds_internal.h"
#include "tls/keyref.h"

enum { VERIFY_BITS_MAX = 16384 };

static gnutls_datum_t datum(struct slice s)
{
	/* GnuTLS takes its input through a non-const member. */
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)s.ptr,
				.size = (unsigned)s.len};
}

static int explain(char *reterr, const char *name, const char *what,
		   const char *why, int err)
{
	(void)snprintf(reterr, TLS_CREDS_ERR_MAX, "%s: %s%s%s", name, what,
		       why ? ": " : "", why ? why : "");
	return err;
}

static int explain_gnutls(char *reterr, const char *name, const char *what,
			  int rc)
{
	return explain(reterr, name, what, gnutls_strerror(rc),
		       rc == GNUTLS_E_MEMORY_ERROR ? ERR_NOMEM : ERR_BAD);
}

/* Each policy has tickets of its own, derived from the key all share: a ticket
 * of a weak listener must not bring its suite to a strong one. */
static int derive_ticket_key(struct tls_creds *c, struct slice key)
{
	_Static_assert(TLS_TICKET_KEY_LEN == 64, "an HMAC-SHA-512");

	if (key.len == 0)
		return 0;
	if (key.len != TLS_TICKET_KEY_LEN)
		return ERR_BAD;
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA512, key.ptr, key.len,
			     c->policy->name, strlen(c->policy->name),
			     c->ticket_key) < 0)
		return ERR_UNSUPPORTED;
	c->has_ticket_key = true;
	return 0;
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
	err = derive_ticket_key(c, p->ticket_key);
	if (err) {
		(void)tls_creds_unref(c);
		return err;
	}
	if (gnutls_certificate_allocate_credentials(&c->cred) < 0 ||
	    gnutls_priority_init(&c->priority, p->policy->priority, NULL) < 0) {
		(void)tls_creds_unref(c);
		return ERR_NOMEM;
	}
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
	while (c->crls) {
		struct tls_crl *crl = c->crls;

		c->crls = crl->next;
		gnutls_free(crl->issuer.data);
		(void)alloc_free(crl);
	}
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

static gnutls_x509_crt_fmt_t format_of(struct slice bytes)
{
	return text_find(bytes, "-----BEGIN") >= 0 ? GNUTLS_X509_FMT_PEM
						   : GNUTLS_X509_FMT_DER;
}

/* Read the chain into pcerts; they are the caller's. */
static int load_chain(const char *name, struct slice pem,
		      gnutls_pcert_st *pcerts, unsigned *ret_count,
		      char *reterr)
{
	gnutls_datum_t d = datum(pem);
	unsigned count = TLS_CHAIN_MAX;
	int rc;

	rc = gnutls_pcert_list_import_x509_raw(
		pcerts, &count, &d, GNUTLS_X509_FMT_PEM,
		GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
		return explain(reterr, name,
			       "more than 8 certificates in our "
			       "chain",
			       NULL, ERR_LIMIT);
	if (rc < 0)
		return explain_gnutls(reterr, name,
				      "no certificate chain in PEM", rc);
	*ret_count = count;
	return 0;
}

int tls_creds_identity(struct tls_creds *c, const char *name,
		       struct slice chain_pem, const struct signer *signer,
		       struct slice key_id, char *reterr)
{
	gnutls_pcert_st pcerts[TLS_CHAIN_MAX];
	gnutls_privkey_t key = NULL;
	unsigned count = 0;
	int rc;
	int err;

	if (key_id.len == 0 || key_id.len > SIGNER_KEY_ID_MAX)
		return explain(reterr, name, "bad name of a private key", NULL,
			       ERR_BAD);
	if (chain_pem.len > TLS_FILE_MAX)
		return explain(reterr, name, "file too large", NULL, ERR_LIMIT);
	err = load_chain(name, chain_pem, pcerts, &count, reterr);
	if (err)
		return err;
	err = tls_keyref_new(signer, key_id, pcerts[0].pubkey, &key);
	if (err) {
		err = explain(reterr, name, "key type of the certificate",
			      err_str(err), err);
		goto out;
	}
	/* GnuTLS itself takes a key that cannot sign at all. */
	rc = tls_keyref_prove(key, pcerts[0].pubkey);
	if (rc >= 0)
		rc = gnutls_certificate_set_key(c->cred, NULL, 0, pcerts,
						(int)count, key);
	if (rc >= 0)
		return 0;
	err = explain_gnutls(reterr, name,
			     "the private key does not fit the certificate "
			     "or cannot be used",
			     rc);
	gnutls_privkey_deinit(key);
out:
	for (unsigned i = 0; i < count; i++)
		gnutls_pcert_deinit(&pcerts[i]);
	return err;
}

int tls_creds_trust(struct tls_creds *c, const char *name, struct slice bytes,
		    char *reterr)
{
	gnutls_datum_t d = datum(bytes);
	int rc;

	if (bytes.len > TLS_FILE_MAX)
		return explain(reterr, name, "file too large", NULL, ERR_LIMIT);
	rc = gnutls_certificate_set_x509_trust_mem(c->cred, &d,
						   format_of(bytes));
	if (rc < 0)
		return explain_gnutls(reterr, name,
				      "not a certificate in PEM or DER", rc);
	c->trust_count += (size_t)rc;
	if (c->trust_count > TLS_TRUST_MAX)
		return explain(reterr, name, "too many trusted certificates",
			       NULL, ERR_LIMIT);
	return 0;
}

/*
 * The issuer of crl is trusted and signed it. An old list is still better than
 * none: its date is not judged here, tls_creds_crl_is_old() does at each use.
 */
static bool is_signed(gnutls_x509_trust_list_t trust, gnutls_x509_crl_t crl,
		      const gnutls_datum_t *issuer)
{
	const unsigned dates = GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED |
			       GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE |
			       GNUTLS_CERT_INVALID;
	gnutls_x509_crt_t ca = NULL;
	unsigned status = 0;
	bool is_good;

	if (gnutls_x509_trust_list_get_issuer_by_dn(trust, issuer, &ca,
						    GNUTLS_TL_GET_COPY) < 0)
		return false;
	is_good = gnutls_x509_crl_verify(crl, &ca, 1, 0, &status) == 0 &&
		  (status & ~dates) == 0;
	gnutls_x509_crt_deinit(ca);
	return is_good;
}

/* Check crl and give it to the trust list, which owns it then. */
static int add_crl(struct tls_creds *c, const char *name, gnutls_x509_crl_t crl,
		   char *reterr)
{
	gnutls_x509_trust_list_t trust = NULL;
	struct tls_crl *rec = alloc_zero(sizeof(*rec));
	int err = ERR_NOMEM;

	gnutls_certificate_get_trust_list(c->cred, &trust);
	if (!rec || gnutls_x509_crl_get_raw_issuer_dn(crl, &rec->issuer) < 0) {
		(void)explain(reterr, name, "no memory", NULL, err);
		goto fail;
	}
	if (!is_signed(trust, crl, &rec->issuer)) {
		err = explain(reterr, name,
			      "its issuer is not in the trust store, or did "
			      "not sign it",
			      NULL, ERR_BAD);
		goto fail;
	}
	rec->next_update = gnutls_x509_crl_get_next_update(crl);
	if (gnutls_x509_trust_list_add_crls(trust, &crl, 1, 0, 0) < 1) {
		(void)explain(reterr, name, "no memory", NULL, err);
		goto fail;
	}
	rec->next = c->crls;
	c->crls = rec;
	c->crl_count++;
	return 0;
fail:
	gnutls_x509_crl_deinit(crl);
	if (rec)
		gnutls_free(rec->issuer.data);
	(void)alloc_free(rec);
	return err;
}

int tls_creds_crl(struct tls_creds *c, const char *name, struct slice bytes,
		  char *reterr)
{
	gnutls_datum_t d = datum(bytes);
	gnutls_x509_crl_t *crls = NULL;
	unsigned count = 0;
	int err = 0;
	int rc;

	if (bytes.len > TLS_FILE_MAX)
		return explain(reterr, name, "file too large", NULL, ERR_LIMIT);
	rc = gnutls_x509_crl_list_import2(&crls, &count, &d, format_of(bytes),
					  0);
	if (rc < 0)
		return explain_gnutls(reterr, name,
				      "not a revocation list in PEM or DER",
				      rc);
	for (unsigned i = 0; i < count; i++) {
		if (err)
			gnutls_x509_crl_deinit(crls[i]);
		else
			err = add_crl(c, name, crls[i], reterr);
	}
	gnutls_free(crls);
	return err;
}

/* The issuer of a certificate (DER) is crl's. */
static bool is_issuer(const gnutls_datum_t *der, const struct tls_crl *crl)
{
	gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t dn = {.data = NULL};
	bool is_same;

	is_same = gnutls_x509_crt_init(&crt) == 0 &&
		  gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0 &&
		  gnutls_x509_crt_get_raw_issuer_dn(crt, &dn) == 0 &&
		  slice_eq(slice_make(dn.data, dn.size),
			   slice_make(crl->issuer.data, crl->issuer.size));
	gnutls_free(dn.data);
	if (crt)
		gnutls_x509_crt_deinit(crt);
	return is_same;
}

/* A newer list of the same issuer makes an old one harmless. */
static bool is_replaced(const struct tls_creds *c, const struct tls_crl *old,
			time_t now)
{
	for (const struct tls_crl *crl = c->crls; crl; crl = crl->next)
		if (crl->next_update >= now &&
		    slice_eq(slice_make(crl->issuer.data, crl->issuer.size),
			     slice_make(old->issuer.data, old->issuer.size)))
			return true;
	return false;
}

bool tls_creds_crl_is_old(const struct tls_creds *c,
			  const gnutls_datum_t *chain, unsigned n)
{
	time_t now = time(NULL);

	for (const struct tls_crl *crl = c->crls; crl; crl = crl->next) {
		/* (time_t)-1: the list names no next update. */
		if (crl->next_update >= now || crl->next_update == (time_t)-1 ||
		    is_replaced(c, crl, now))
			continue;
		for (unsigned i = 0; i < n; i++)
			if (is_issuer(&chain[i], crl))
				return true;
	}
	return false;
}

/* Whole file into *ret_bytes (alloc_free), at most TLS_FILE_MAX bytes. */
static int read_file(const char *path, uint8_t **ret_bytes, size_t *ret_len,
		     char *reterr)
{
	struct stat st;
	uint8_t *p = NULL;
	size_t len = 0;
	int err = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0) {
		err = explain(reterr, path, "cannot read", strerror(errno),
			      ERR_IO);
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > TLS_FILE_MAX) {
		err = explain(reterr, path, "not a file, or too large", NULL,
			      ERR_LIMIT);
		goto out;
	}
	p = alloc_zero((size_t)st.st_size + 1);
	if (!p) {
		err = ERR_NOMEM;
		goto out;
	}
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, p + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	*ret_bytes = p;
	*ret_len = len;
	p = NULL;
out:
	if (fd >= 0)
		(void)close(fd);
	(void)alloc_free(p);
	return err;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name);
	size_t m = strlen(suffix);

	return n > m && text_ieqs(slice_str(name + n - m), suffix);
}

static bool is_cert_name(const char *name)
{
	return has_suffix(name, ".pem") || has_suffix(name, ".crt") ||
	       has_suffix(name, ".cer") || has_suffix(name, ".der");
}

static int load_one(struct tls_creds *c, const char *dir, const char *file,
		    bool is_crl, char *reterr)
{
	char path[2048];
	uint8_t *bytes = NULL;
	size_t len = 0;
	int err;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >=
	    (int)sizeof(path))
		return explain(reterr, dir, "path too long", NULL, ERR_LIMIT);
	err = read_file(path, &bytes, &len, reterr);
	if (err)
		return err;
	err = is_crl ? tls_creds_crl(c, path, slice_make(bytes, len), reterr)
		     : tls_creds_trust(c, path, slice_make(bytes, len), reterr);
	(void)alloc_free(bytes);
	return err;
}

/* One pass over the directory: certificates first, so that a revocation list
 * finds its issuer. */
static int load_dir(struct tls_creds *c, const char *dir, bool is_crl,
		    char *reterr)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int err = 0;

	if (!d)
		return explain(reterr, dir, "cannot read the directory",
			       strerror(errno), ERR_IO);
	while (!err && (e = readdir(d)) != NULL) {
		bool wanted = is_crl ? has_suffix(e->d_name, ".crl")
				     : is_cert_name(e->d_name);

		if (wanted && e->d_name[0] != '.')
			err = load_one(c, dir, e->d_name, is_crl, reterr);
	}
	(void)closedir(d);
	return err;
}

int tls_creds_trust_dir(struct tls_creds *c, const char *dir, char *reterr)
{
	int err = load_dir(c, dir, false, reterr);

	return err ? err : load_dir(c, dir, true, reterr);
}

int tls_creds_identity_file(struct tls_creds *c, const char *path,
			    const struct signer *signer, struct slice key_id,
			    char *reterr)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	int err = read_file(path, &bytes, &len, reterr);

	if (err)
		return err;
	err = tls_creds_identity(c, path, slice_make(bytes, len), signer,
				 key_id, reterr);
	(void)alloc_free(bytes);
	return err;
}
