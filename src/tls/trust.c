#include "tls/creds.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/text.h"
#include "tls/creds_internal.h"

static gnutls_x509_crt_fmt_t format_of(struct slice bytes)
{
	return text_find(bytes, "-----BEGIN") >= 0 ? GNUTLS_X509_FMT_PEM
						   : GNUTLS_X509_FMT_DER;
}

int tls_creds_trust(struct tls_creds *c, const char *name, struct slice bytes,
		    char *reterr)
{
	gnutls_datum_t d = tls_creds_datum(bytes);
	int rc;

	if (bytes.len > TLS_FILE_MAX)
		return tls_creds_explain(reterr, name, "file too large", NULL,
					 ERR_LIMIT);
	rc = gnutls_certificate_set_x509_trust_mem(c->cred, &d,
						   format_of(bytes));
	if (rc < 0)
		return tls_creds_explain_gnutls(
			reterr, name, "not a certificate in PEM or DER", rc);
	c->trust_count += (size_t)rc;
	if (c->trust_count > TLS_TRUST_MAX)
		return tls_creds_explain(reterr, name,
					 "too many trusted certificates", NULL,
					 ERR_LIMIT);
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
		(void)tls_creds_explain(reterr, name, "no memory", NULL, err);
		goto fail;
	}
	if (!is_signed(trust, crl, &rec->issuer)) {
		err = tls_creds_explain(
			reterr, name,
			"its issuer is not in the trust store, or did "
			"not sign it",
			NULL, ERR_BAD);
		goto fail;
	}
	rec->next_update = gnutls_x509_crl_get_next_update(crl);
	if (gnutls_x509_trust_list_add_crls(trust, &crl, 1, 0, 0) < 1) {
		(void)tls_creds_explain(reterr, name, "no memory", NULL, err);
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
	gnutls_datum_t d = tls_creds_datum(bytes);
	gnutls_x509_crl_t *crls = NULL;
	unsigned count = 0;
	int err = 0;
	int rc;

	if (bytes.len > TLS_FILE_MAX)
		return tls_creds_explain(reterr, name, "file too large", NULL,
					 ERR_LIMIT);
	rc = gnutls_x509_crl_list_import2(&crls, &count, &d, format_of(bytes),
					  0);
	if (rc < 0)
		return tls_creds_explain_gnutls(
			reterr, name, "not a revocation list in PEM or DER",
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

/* Out of date at now, and no newer one of its issuer is there. */
static bool is_old(const struct tls_creds *c, const struct tls_crl *crl,
		   time_t now)
{
	/* (time_t)-1: the list names no next update. */
	return crl->next_update < now && crl->next_update != (time_t)-1 &&
	       !is_replaced(c, crl, now);
}

size_t tls_creds_crl_old_count(const struct tls_creds *c, int64_t now_s)
{
	size_t n = 0;

	for (const struct tls_crl *crl = c->crls; crl; crl = crl->next)
		n += is_old(c, crl, (time_t)now_s);
	return n;
}

bool tls_creds_crl_is_old(const struct tls_creds *c,
			  const gnutls_datum_t *chain, unsigned n)
{
	time_t now = time(NULL);

	for (const struct tls_crl *crl = c->crls; crl; crl = crl->next)
		for (unsigned i = 0; i < n; i++)
			if (is_old(c, crl, now) && is_issuer(&chain[i], crl))
				return true;
	return false;
}

int64_t tls_creds_trust_expiry(const struct tls_creds *c)
{
	gnutls_x509_trust_list_t trust = NULL;
	gnutls_x509_trust_list_iter_t iter = NULL;
	gnutls_x509_crt_t crt = NULL;
	int64_t first = 0;

	gnutls_certificate_get_trust_list(c->cred, &trust);
	while (gnutls_x509_trust_list_iter_get_ca(trust, &iter, &crt) == 0) {
		int64_t at = gnutls_x509_crt_get_expiration_time(crt);

		gnutls_x509_crt_deinit(crt);
		if (first == 0 || at < first)
			first = at;
	}
	if (iter)
		gnutls_x509_trust_list_iter_deinit(iter);
	return first;
}

/* ---- issuers of locally significant certificates ------------------------- */

static int add_lsc(struct tls_creds *c, const char *name, struct slice bytes,
		   char *reterr)
{
	gnutls_datum_t d = tls_creds_datum(bytes);
	int rc = 0;

	if (!c->lsc)
		rc = gnutls_x509_trust_list_init(&c->lsc, 0);
	if (rc >= 0)
		rc = gnutls_x509_trust_list_add_trust_mem(
			c->lsc, &d, NULL, format_of(bytes), 0, 0);
	return rc < 0 ? tls_creds_explain_gnutls(
				reterr, name, "not a certificate in PEM or DER",
				rc)
		      : 0;
}

bool tls_creds_has_lsc(const struct tls_creds *c)
{
	return c->lsc != NULL;
}

bool tls_creds_is_lsc(const struct tls_creds *c, const gnutls_datum_t *chain,
		      unsigned n)
{
	/* Valid it is already; which issuer it has is the question. */
	const unsigned flags = GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
			       GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS |
			       GNUTLS_VERIFY_DISABLE_CRL_CHECKS |
			       GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1;
	gnutls_x509_crt_t crts[TLS_CHAIN_MAX];
	unsigned status = 0;
	unsigned count = 0;
	bool is_lsc = false;

	if (!c->lsc || n > TLS_CHAIN_MAX)
		return false;
	while (count < n && gnutls_x509_crt_init(&crts[count]) == 0) {
		count++;
		if (gnutls_x509_crt_import(crts[count - 1], &chain[count - 1],
					   GNUTLS_X509_FMT_DER) != 0)
			goto out;
	}
	is_lsc =
		count == n &&
		gnutls_x509_trust_list_verify_crt2(c->lsc, crts, count, NULL, 0,
						   flags, &status, NULL) == 0 &&
		status == 0;
out:
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(crts[i]);
	return is_lsc;
}

void tls_creds_trust_done(struct tls_creds *c)
{
	while (c->crls) {
		struct tls_crl *crl = c->crls;

		c->crls = crl->next;
		gnutls_free(crl->issuer.data);
		(void)alloc_free(crl);
	}
	if (c->lsc)
		gnutls_x509_trust_list_deinit(c->lsc, 1);
}

/* ---- directories ---------------------------------------------------------- */

enum kind { ELSEWHERE, CERTIFICATE, LSC_ISSUER, LIST };

/* What a file of the copy is for a trust directory. */
static enum kind kind_of(const char *path, const char *dir)
{
	struct slice p = slice_str(path);
	struct slice d = slice_str(dir);
	struct slice rest;

	if (p.len <= d.len + 1 || !slice_eq(slice_sub(p, 0, d.len), d) ||
	    p.ptr[d.len] != '/')
		return ELSEWHERE;
	if (p.len > 4 && text_ieqs(slice_from(p, p.len - 4), ".crl"))
		return LIST;
	rest = slice_from(p, d.len + 1);
	return slice_eqs(slice_sub(rest, 0, 4), "lsc/") ? LSC_ISSUER
							: CERTIFICATE;
}

static int take_file(struct tls_creds *c, const struct tls_file *f,
		     enum kind kind, char *reterr)
{
	int err;

	if (kind == LIST)
		return tls_creds_crl(c, f->path, f->bytes, reterr);
	err = tls_creds_trust(c, f->path, f->bytes, reterr);
	if (!err && kind == LSC_ISSUER)
		err = add_lsc(c, f->path, f->bytes, reterr);
	return err;
}

int tls_creds_trust_files(struct tls_creds *c, const struct tls_files *f,
			  const char *dir, char *reterr)
{
	int err = 0;

	/* Certificates first, so that a revocation list finds its issuer. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < tls_files_count(f) && !err; i++) {
			struct tls_file file = tls_files_at(f, i);
			enum kind kind = kind_of(file.path, dir);

			if (kind != ELSEWHERE && (kind == LIST) == pass)
				err = take_file(c, &file, kind, reterr);
		}
	}
	return err;
}

int tls_creds_trust_dir(struct tls_creds *c, const char *dir, char *reterr)
{
	struct tls_files *f = NULL;
	int err = tls_files_new(&f);

	if (!err)
		err = tls_files_read_dir(f, dir, reterr);
	if (!err)
		err = tls_creds_trust_files(c, f, dir, reterr);
	(void)tls_files_free(f);
	return err;
}
