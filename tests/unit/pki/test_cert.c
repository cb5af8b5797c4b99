/* Facts from certificates, made here with GnuTLS: RFC 5280, RFC 4514. */
#include <check.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <time.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "pki/cert.h"

enum { T0 = 1700000000, T1 = 1800000000 };

/* A self-signed certificate; cn may hold NULs. */
struct spec {
	const char *cn;
	size_t cn_len;
	const char *org;
	const char *dns[CERT_DNS_MAX + 2];
	bool is_ca;
};

static gnutls_datum_t make(const struct spec *s)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t der;

	ck_assert_int_eq(gnutls_x509_privkey_init(&key), 0);
	ck_assert_int_eq(
		gnutls_x509_privkey_generate(
			key, GNUTLS_PK_ECDSA,
			GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	ck_assert_int_eq(gnutls_x509_crt_init(&crt), 0);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\x01\x02\xff", 3);
	gnutls_x509_crt_set_activation_time(crt, T0);
	gnutls_x509_crt_set_expiration_time(crt, T1);
	if (s->org)
		gnutls_x509_crt_set_dn_by_oid(
			crt, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, s->org,
			(unsigned)strlen(s->org));
	if (s->cn)
		ck_assert_int_eq(gnutls_x509_crt_set_dn_by_oid(
					 crt, GNUTLS_OID_X520_COMMON_NAME, 0,
					 s->cn, (unsigned)s->cn_len),
				 0);
	for (size_t i = 0; i < CERT_DNS_MAX + 2 && s->dns[i]; i++)
		gnutls_x509_crt_set_subject_alt_name(
			crt, GNUTLS_SAN_DNSNAME, s->dns[i],
			(unsigned)strlen(s->dns[i]),
			i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
	if (s->is_ca)
		gnutls_x509_crt_set_ca_status(crt, 1);
	gnutls_x509_crt_set_key(crt, key);
	ck_assert_int_eq(
		gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	ck_assert_int_eq(
		gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der), 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return der;
}

static int parse(const struct spec *s, struct cert **ret)
{
	gnutls_datum_t der = make(s);
	int err = cert_parse(slice_make(der.data, der.size), ret);

	gnutls_free(der.data);
	return err;
}

static struct spec named(const char *cn)
{
	return (struct spec){.cn = cn, .cn_len = strlen(cn)};
}

START_TEST(a_phones_certificate_tells_its_facts)
{
	struct spec s = named("CP-7960-SEP001122334455");
	struct cert *c = NULL;
	char text[CERT_FINGERPRINT_LEN * 3] = "";
	uint8_t want[CERT_FINGERPRINT_LEN];
	size_t want_len = sizeof(want);
	gnutls_datum_t der;
	struct writer w;

	s.org = "Cisco, Inc.";
	s.dns[0] = "phone.example.com";
	der = make(&s);
	ck_assert_int_eq(cert_parse(slice_make(der.data, der.size), &c), 0);
	ck_assert_str_eq(c->cn, "CP-7960-SEP001122334455");
	ck_assert_str_eq(c->device, "SEP001122334455");
	ck_assert_uint_eq(c->dns_count, 1);
	ck_assert_str_eq(c->dns[0], "phone.example.com");
	/* RFC 4514: last part first, the comma escaped */
	ck_assert_str_eq(c->subject,
			 "CN=CP-7960-SEP001122334455,O=Cisco\\, Inc.");
	ck_assert_str_eq(c->issuer, c->subject);
	ck_assert_int_eq(c->not_before_s, T0);
	ck_assert_int_eq(c->not_after_s, T1);
	ck_assert_uint_eq(c->serial_len, 3);
	ck_assert_mem_eq(c->serial, "\x01\x02\xff", 3);
	ck_assert(!c->is_ca);
	ck_assert_ptr_eq(strstr(c->key, "EC"), c->key);
	ck_assert_int_eq(
		gnutls_fingerprint(GNUTLS_DIG_SHA256, &der, want, &want_len),
		0);
	ck_assert_mem_eq(c->fingerprint, want, sizeof(want));
	writer_init(&w, text, sizeof(text));
	cert_print_fingerprint(&w, c);
	ck_assert(writer_ok(&w));
	ck_assert_uint_eq(w.len, CERT_FINGERPRINT_LEN * 3 - 1);
	ck_assert_int_eq(text[2], ':');
	gnutls_free(der.data);
	c = cert_free(c);
	ck_assert_ptr_null(c);
}
END_TEST

static const struct {
	const char *cn, *device;
} device_rows[] = {
	{"SEP001122334455", "SEP001122334455"},
	{"CP-7960-SEP001122334455", "SEP001122334455"},
	{"CP-7960-SEPaabbccddeeff", "SEPaabbccddeeff"},
	{"ATA-ATA001122334455", "ATA001122334455"},
	{"CP-7960-SEP00112233445", "CP-7960-SEP00112233445"},
	{"CP-7960-SEP00112233445G", "CP-7960-SEP00112233445G"},
	{"CP-7960-sep001122334455", "CP-7960-sep001122334455"},
	{"CP-7960XSEP001122334455", "CP-7960XSEP001122334455"},
	{"SEP001122334455-old", "SEP001122334455-old"},
	{"alice", "alice"},
	{"", ""},
};

START_TEST(a_device_name_is_taken_out_of_the_cn)
{
	struct slice d = cert_device(slice_str(device_rows[_i].cn));

	ck_assert_msg(slice_eqs(d, device_rows[_i].device), "%.*s",
		      SLICE_FMT(d));
}
END_TEST

START_TEST(without_a_cn_the_first_dns_name_is_the_device)
{
	struct spec s = {.dns = {"a.example", "b.example"}};
	struct cert *c = NULL;

	ck_assert_int_eq(parse(&s, &c), 0);
	ck_assert_str_eq(c->cn, "");
	ck_assert_str_eq(c->device, "a.example");
	ck_assert_str_eq(c->subject, "");
	cert_free(c);
}
END_TEST

/* An LSC of some authorities names the device there only. */
START_TEST(a_device_name_may_be_an_alternative_name)
{
	struct spec s = named("phone of alice");
	struct cert *c = NULL;

	s.dns[0] = "a.example";
	s.dns[1] = "CP-7960-SEP001122334455";
	ck_assert_int_eq(parse(&s, &c), 0);
	ck_assert_str_eq(c->device, "SEP001122334455");
	c = cert_free(c);
	/* One in the CN counts before it. */
	s = named("SEP665544332211");
	s.dns[0] = "SEP001122334455";
	ck_assert_int_eq(parse(&s, &c), 0);
	ck_assert_str_eq(c->device, "SEP665544332211");
	cert_free(c);
}
END_TEST

START_TEST(validity_includes_both_ends)
{
	struct cert c = {.not_before_s = T0, .not_after_s = T1};

	ck_assert(!cert_is_valid_at(&c, T0 - 1));
	ck_assert(cert_is_valid_at(&c, T0));
	ck_assert(cert_is_valid_at(&c, T1));
	ck_assert(!cert_is_valid_at(&c, T1 + 1));
}
END_TEST

START_TEST(names_match_whole_and_dns_names_come_first)
{
	struct spec s = named("alice");
	struct cert *c = NULL;

	ck_assert_int_eq(parse(&s, &c), 0);
	ck_assert(cert_names(c, slice_str("ALICE")));
	ck_assert(!cert_names(c, slice_str("alic")));
	ck_assert(!cert_names(c, SLICE_NULL));
	cert_free(c);
	s.dns[0] = "a.example";
	s.is_ca = true;
	ck_assert_int_eq(parse(&s, &c), 0);
	ck_assert(cert_names(c, slice_str("A.example")));
	ck_assert(!cert_names(c, slice_str("alice")));
	ck_assert(!cert_names(c, slice_str("x.a.example")));
	ck_assert(c->is_ca);
	cert_free(c);
}
END_TEST

START_TEST(dns_names_beyond_the_limit_are_ignored)
{
	struct spec s = named("alice");
	struct cert *c = NULL;

	for (size_t i = 0; i < CERT_DNS_MAX + 2; i++)
		s.dns[i] = i == CERT_DNS_MAX - 1 ? "last.example" : "x.example";
	ck_assert_int_eq(parse(&s, &c), 0);
	ck_assert_uint_eq(c->dns_count, CERT_DNS_MAX);
	ck_assert_str_eq(c->dns[CERT_DNS_MAX - 1], "last.example");
	cert_free(c);
}
END_TEST

START_TEST(control_bytes_in_a_name_are_refused)
{
	struct spec s = {.cn = "alice\0.evil", .cn_len = 11};
	struct cert *c = NULL;

	ck_assert_int_eq(parse(&s, &c), ERR_BAD);
	s = named("ali\nce");
	ck_assert_int_eq(parse(&s, &c), ERR_BAD);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(names_that_are_too_long_are_refused)
{
	char cn[CERT_NAME_MAX + 1];
	struct spec s = {.cn = cn};
	struct cert *c = NULL;

	memset(cn, 'x', sizeof(cn));
	s.cn_len = CERT_NAME_MAX;
	ck_assert_int_eq(parse(&s, &c), ERR_LIMIT);
	s.cn_len = CERT_NAME_MAX - 1;
	ck_assert_int_eq(parse(&s, &c), 0);
	ck_assert_uint_eq(strlen(c->cn), CERT_NAME_MAX - 1);
	c = cert_free(c);
}
END_TEST

START_TEST(what_is_no_certificate_is_refused)
{
	struct spec s = named("alice");
	gnutls_datum_t der = make(&s);
	uint8_t *big = calloc(1, CERT_DER_MAX + 1);
	struct cert *c = NULL;

	ck_assert_int_eq(cert_parse(SLICE_NULL, &c), ERR_BAD);
	ck_assert_int_eq(cert_parse(slice_str("hello"), &c), ERR_BAD);
	for (size_t n = 0; n < der.size; n++)
		ck_assert_int_eq(cert_parse(slice_make(der.data, n), &c),
				 ERR_BAD);
	ck_assert_int_eq(cert_parse(slice_make(big, CERT_DER_MAX + 1), &c),
			 ERR_LIMIT);
	ck_assert_int_eq(cert_parse(slice_make(big, CERT_DER_MAX), &c),
			 ERR_BAD);
	free(big);
	gnutls_free(der.data);
}
END_TEST

static void parse_once(void *arg)
{
	const gnutls_datum_t *der = arg;
	struct cert *c = NULL;
	int err = cert_parse(slice_make(der->data, der->size), &c);

	ck_assert(err == 0 || (err == ERR_NOMEM && !c));
	cert_free(c);
}

START_TEST(reading_survives_failing_memory)
{
	struct spec s = named("alice");
	gnutls_datum_t der = make(&s);

	oom_sweep(parse_once, &der);
	gnutls_free(der.data);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("cert");

	tcase_add_test(tc, a_phones_certificate_tells_its_facts);
	tcase_add_loop_test(tc, a_device_name_is_taken_out_of_the_cn, 0,
			    ROWS(device_rows));
	tcase_add_test(tc, without_a_cn_the_first_dns_name_is_the_device);
	tcase_add_test(tc, a_device_name_may_be_an_alternative_name);
	tcase_add_test(tc, validity_includes_both_ends);
	tcase_add_test(tc, names_match_whole_and_dns_names_come_first);
	tcase_add_test(tc, dns_names_beyond_the_limit_are_ignored);
	tcase_add_test(tc, control_bytes_in_a_name_are_refused);
	tcase_add_test(tc, names_that_are_too_long_are_refused);
	tcase_add_test(tc, what_is_no_certificate_is_refused);
	tcase_add_test(tc, reading_survives_failing_memory);
	return run_case("pki/cert", tc);
}
