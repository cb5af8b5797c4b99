#include "lib/certs.h"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MUST(expr)                                              \
	do {                                                    \
		if ((expr) < 0) {                               \
			fprintf(stderr, "failed: %s\n", #expr); \
			abort();                                \
		}                                               \
	} while (0)

enum { HOUR = 3600, DAY = 86400 };

static void sign(struct test_cert *c, const struct test_cert *issuer)
{
	const struct test_cert *by = issuer ? issuer : c;

	MUST(gnutls_x509_crt_sign2(c->crt, by->crt, by->key, GNUTLS_DIG_SHA256,
				   0));
}

struct test_cert *test_cert_new(const struct test_cert_spec *spec)
{
	struct test_cert *c = calloc(1, sizeof(*c));
	time_t now = time(NULL);
	unsigned char serial[8];

	if (!c)
		abort();
	MUST(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)));
	serial[0] &= 0x7f;
	MUST(gnutls_x509_privkey_init(&c->key));
	MUST(gnutls_x509_privkey_generate(
		c->key, spec->is_rsa ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA,
		spec->is_rsa ? (spec->bits ? spec->bits : 2048)
			     : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
		0));
	MUST(gnutls_x509_crt_init(&c->crt));
	MUST(gnutls_x509_crt_set_version(c->crt, 3));
	MUST(gnutls_x509_crt_set_serial(c->crt, serial, sizeof(serial)));
	MUST(gnutls_x509_crt_set_dn_by_oid(c->crt, GNUTLS_OID_X520_COMMON_NAME,
					   0, spec->cn,
					   (unsigned)strlen(spec->cn)));
	MUST(gnutls_x509_crt_set_activation_time(
		c->crt, now + (spec->from_s ? spec->from_s : -HOUR)));
	MUST(gnutls_x509_crt_set_expiration_time(
		c->crt, now + (spec->to_s ? spec->to_s : DAY)));
	MUST(gnutls_x509_crt_set_key(c->crt, c->key));
	MUST(gnutls_x509_crt_set_basic_constraints(c->crt, spec->is_ca, -1));
	if (spec->is_ca)
		MUST(gnutls_x509_crt_set_key_usage(
			c->crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN |
					GNUTLS_KEY_DIGITAL_SIGNATURE));
	if (spec->purpose)
		MUST(gnutls_x509_crt_set_key_purpose_oid(c->crt, spec->purpose,
							 0));
	if (spec->dns)
		MUST(gnutls_x509_crt_set_subject_alt_name(
			c->crt, GNUTLS_SAN_DNSNAME, spec->dns,
			(unsigned)strlen(spec->dns), GNUTLS_FSAN_SET));
	sign(c, spec->issuer);
	MUST(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_PEM, &c->pem));
	MUST(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_DER, &c->der));
	MUST(gnutls_x509_privkey_export2(c->key, GNUTLS_X509_FMT_PEM,
					 &c->key_pem));
	return c;
}

void test_cert_free(struct test_cert *c)
{
	if (!c)
		return;
	gnutls_x509_crt_deinit(c->crt);
	gnutls_x509_privkey_deinit(c->key);
	gnutls_free(c->pem.data);
	gnutls_free(c->der.data);
	gnutls_free(c->key_pem.data);
	free(c);
}

gnutls_datum_t test_crl(const struct test_cert *ca,
			const struct test_cert *revoked, long next_s)
{
	gnutls_x509_crl_t crl;
	gnutls_datum_t out = {.data = NULL};
	unsigned char number = 1;
	time_t now = time(NULL);

	MUST(gnutls_x509_crl_init(&crl));
	MUST(gnutls_x509_crl_set_version(crl, 2));
	MUST(gnutls_x509_crl_set_this_update(crl, now - 2 * DAY));
	MUST(gnutls_x509_crl_set_next_update(crl, now + next_s));
	MUST(gnutls_x509_crl_set_number(crl, &number, 1));
	if (revoked)
		MUST(gnutls_x509_crl_set_crt(crl, revoked->crt, now - HOUR));
	MUST(gnutls_x509_crl_sign2(crl, ca->crt, ca->key, GNUTLS_DIG_SHA256,
				   0));
	MUST(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, &out));
	gnutls_x509_crl_deinit(crl);
	return out;
}

struct slice test_datum(const gnutls_datum_t *d)
{
	return slice_make(d->data, d->size);
}

void test_tmpdir(char path[64])
{
	(void)snprintf(path, 64, "/tmp/sallyport-test-XXXXXX");
	if (!mkdtemp(path))
		abort();
}

void test_write(const char *path, struct slice bytes, unsigned mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(fd);
	if (write(fd, bytes.ptr, bytes.len) != (ssize_t)bytes.len)
		abort();
	MUST(fchmod(fd, mode));
	MUST(close(fd));
}
