/* Certificates: a CA, a server's and one per phone, all EC P-256. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum { DAYS = 30, PATH_LEN = 512 };

static void must(int err, const char *what)
{
	if (err < 0)
		die("%s: %s", what, gnutls_strerror(err));
}

static void save(const char *dir, const char *name, const gnutls_datum_t *d)
{
	char path[PATH_LEN];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		  strstr(name, ".key") ? 0600 : 0644);
	if (fd < 0 || write(fd, d->data, d->size) != (ssize_t)d->size)
		die("%s: %m", path);
	(void)close(fd);
}

static gnutls_datum_t load(const char *dir, const char *name)
{
	char path[PATH_LEN];
	gnutls_datum_t d;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	must(gnutls_load_file(path, &d), path);
	return d;
}

static gnutls_x509_privkey_t key_new(void)
{
	gnutls_x509_privkey_t k;

	must(gnutls_x509_privkey_init(&k), "key");
	must(gnutls_x509_privkey_generate(
		     k, GNUTLS_PK_ECDSA,
		     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
	     "key");
	return k;
}

static gnutls_x509_crt_t cert_new(const char *cn, unsigned serial,
				  gnutls_x509_privkey_t key)
{
	uint8_t number[5] = {1, (uint8_t)(serial >> 24),
			     (uint8_t)(serial >> 16), (uint8_t)(serial >> 8),
			     (uint8_t)serial};
	gnutls_x509_crt_t c;
	time_t now = time(NULL);

	must(gnutls_x509_crt_init(&c), "certificate");
	must(gnutls_x509_crt_set_version(c, 3), "version");
	must(gnutls_x509_crt_set_serial(c, number, sizeof(number)), "serial");
	must(gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0,
					   cn, (unsigned)strlen(cn)),
	     "name");
	must(gnutls_x509_crt_set_activation_time(c, now - 3600), "time");
	must(gnutls_x509_crt_set_expiration_time(c, now + DAYS * 86400),
	     "time");
	must(gnutls_x509_crt_set_key(c, key), "key");
	return c;
}

static void end_entity(gnutls_x509_crt_t c, gnutls_x509_crt_t ca,
		       gnutls_x509_privkey_t ca_key)
{
	must(gnutls_x509_crt_set_basic_constraints(c, 0, -1), "constraints");
	must(gnutls_x509_crt_set_key_usage(c, GNUTLS_KEY_DIGITAL_SIGNATURE),
	     "usage");
	must(gnutls_x509_crt_set_key_purpose_oid(c, GNUTLS_KP_TLS_WWW_CLIENT,
						 0),
	     "purpose");
	must(gnutls_x509_crt_set_key_purpose_oid(c, GNUTLS_KP_TLS_WWW_SERVER,
						 0),
	     "purpose");
	must(gnutls_x509_crt_sign2(c, ca, ca_key, GNUTLS_DIG_SHA256, 0),
	     "sign");
}

static void export_key(const char *dir, const char *name,
		       gnutls_x509_privkey_t k)
{
	gnutls_datum_t d;

	must(gnutls_x509_privkey_export2_pkcs8(k, GNUTLS_X509_FMT_PEM, NULL,
					       GNUTLS_PKCS_PLAIN, &d),
	     "export");
	save(dir, name, &d);
	gnutls_free(d.data);
}

static void export_cert(const char *dir, const char *name, gnutls_x509_crt_t c)
{
	gnutls_datum_t d;

	must(gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &d), "export");
	save(dir, name, &d);
	gnutls_free(d.data);
}

void certs_make(const char *dir, const char *address)
{
	gnutls_x509_privkey_t ca_key = key_new(), server_key = key_new();
	gnutls_x509_privkey_t phone_key = key_new();
	gnutls_x509_crt_t ca = cert_new("load CA", 1, ca_key), server;
	uint8_t password[] = PASSWORD "\n";
	gnutls_datum_t d = {password, sizeof(password) - 1};
	struct in_addr ip;

	must(gnutls_x509_crt_set_basic_constraints(ca, 1, -1), "constraints");
	must(gnutls_x509_crt_set_key_usage(ca, GNUTLS_KEY_KEY_CERT_SIGN),
	     "usage");
	must(gnutls_x509_crt_sign2(ca, ca, ca_key, GNUTLS_DIG_SHA256, 0),
	     "sign");
	server = cert_new("sallyport.load", 2, server_key);
	if (inet_pton(AF_INET, address, &ip) != 1)
		die("%s is no IPv4 address", address);
	must(gnutls_x509_crt_set_subject_alt_name(server, GNUTLS_SAN_IPADDRESS,
						  &ip, sizeof(ip),
						  GNUTLS_FSAN_SET),
	     "address");
	end_entity(server, ca, ca_key);
	export_key(dir, "ca.key", ca_key);
	export_key(dir, "server.key", server_key);
	export_key(dir, "phone.key", phone_key);
	export_cert(dir, "ca.pem", ca);
	export_cert(dir, "server.pem", server);
	save(dir, "password", &d);
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_crt_deinit(server);
	gnutls_x509_privkey_deinit(ca_key);
	gnutls_x509_privkey_deinit(server_key);
	gnutls_x509_privkey_deinit(phone_key);
}

void phone_name(unsigned i, char *ret)
{
	(void)snprintf(ret, NAME_MAX_LEN, "SEP%012X", i + 1);
}

unsigned phone_line(unsigned i)
{
	return 100000 + i;
}

static gnutls_x509_privkey_t key_load(const char *dir, const char *name)
{
	gnutls_datum_t d = load(dir, name);
	gnutls_x509_privkey_t k;

	must(gnutls_x509_privkey_init(&k), "key");
	must(gnutls_x509_privkey_import(k, &d, GNUTLS_X509_FMT_PEM), name);
	gnutls_free(d.data);
	return k;
}

gnutls_certificate_credentials_t *certs_phones(const char *dir, unsigned first,
					       unsigned n)
{
	gnutls_x509_privkey_t ca_key = key_load(dir, "ca.key");
	gnutls_x509_privkey_t key = key_load(dir, "phone.key");
	gnutls_datum_t pem = load(dir, "ca.pem");
	gnutls_certificate_credentials_t *cred = calloc(n, sizeof(*cred));
	gnutls_x509_crt_t ca;

	if (!cred)
		die("no memory");
	must(gnutls_x509_crt_init(&ca), "certificate");
	must(gnutls_x509_crt_import(ca, &pem, GNUTLS_X509_FMT_PEM), "ca.pem");
	for (unsigned i = 0; i < n; i++) {
		char name[NAME_MAX_LEN];
		gnutls_x509_crt_t c;

		phone_name(first + i, name);
		c = cert_new(name, first + i + 100, key);
		end_entity(c, ca, ca_key);
		must(gnutls_certificate_allocate_credentials(&cred[i]),
		     "credentials");
		must(gnutls_certificate_set_x509_key(cred[i], &c, 1, key),
		     name);
		gnutls_x509_crt_deinit(c);
	}
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_privkey_deinit(ca_key);
	gnutls_x509_privkey_deinit(key);
	return cred;
}
