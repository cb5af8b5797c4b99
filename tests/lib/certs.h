/* Certificates, keys and revocation lists made at test time with GnuTLS. */
#pragma once

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct test_cert {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem;	/* the certificate */
	gnutls_datum_t der;	/* the certificate */
	gnutls_datum_t key_pem; /* its private key */
};

struct test_cert_spec {
	const char *cn;
	const struct test_cert *issuer; /* NULL = self-signed */
	bool is_ca;
	bool is_rsa;	     /* else ECDSA P-256 */
	unsigned bits;	     /* RSA; 0 = 2048 */
	long from_s;	     /* validity relative to now; 0 = an hour ago */
	long to_s;	     /* 0 = in a day */
	const char *purpose; /* OID or NULL = no extended key usage */
	const char *dns;     /* subjectAltName or NULL */
};

/* Make one; aborts on failure. */
struct test_cert *test_cert_new(const struct test_cert_spec *spec);
void test_cert_free(struct test_cert *c);
/* PEM of a revocation list of ca that names revoked (may be NULL); next_s:
 * next update relative to now. Free with gnutls_free(data). */
gnutls_datum_t test_crl(const struct test_cert *ca,
			const struct test_cert *revoked, long next_s);
/* View of d. */
struct slice test_datum(const gnutls_datum_t *d);
/* A new directory below $TMPDIR or /tmp; aborts on failure. */
void test_tmpdir(char path[64]);
/* Write a file with a mode; aborts on failure. */
void test_write(const char *path, struct slice bytes, unsigned mode);
