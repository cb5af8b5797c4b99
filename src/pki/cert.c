#include "pki/cert.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "base/text.h"

enum {
	SAN_MAX = 64,	/* alternative names looked at: each look is a walk */
	CN_MAX = 8,	/* common names looked at */
	DEVICE_LEN = 15 /* "SEP" and twelve digits */
};

static bool is_text(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
			return false;
	return true;
}

/* A name with a NUL inside would read differently elsewhere. */
static int copy_name(struct slice s, char *buf, size_t cap)
{
	if (!is_text(s))
		return ERR_BAD;
	return text_copy(s, buf, cap) == 0 ? 0 : ERR_LIMIT;
}

static int read_cn(gnutls_x509_crt_t crt, struct cert *c)
{
	for (unsigned i = 0; i < CN_MAX; i++) {
		char buf[CERT_NAME_MAX];
		size_t len = sizeof(buf);
		int rc = gnutls_x509_crt_get_dn_by_oid(
			crt, GNUTLS_OID_X520_COMMON_NAME, i, 0, buf, &len);
		int err;

		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
			return ERR_LIMIT;
		/* GnuTLS gives "#" and the DER in hexadecimal for a value that
		 * is no text (a NUL inside, for example). */
		if (rc != 0 || (len > 0 && buf[0] == '#'))
			return ERR_BAD;
		err = copy_name(slice_make(buf, len), c->cn, sizeof(c->cn));
		if (err)
			return err;
	}
	return 0;
}

static int read_dn(gnutls_x509_crt_t crt, bool issuer, char *buf, size_t cap)
{
	gnutls_datum_t dn = {NULL, 0};
	int rc = issuer ? gnutls_x509_crt_get_issuer_dn3(crt, &dn, 0)
			: gnutls_x509_crt_get_dn3(crt, &dn, 0);
	int err = 0;

	if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return 0; /* an empty name */
	if (rc != 0)
		return ERR_BAD;
	err = copy_name(slice_make(dn.data, dn.size), buf, cap);
	gnutls_free(dn.data);
	return err;
}

/* The device name at the end of s, or nothing. */
static struct slice find_device(struct slice s)
{
	struct slice name;
	uint8_t raw[6];

	if (s.len < DEVICE_LEN ||
	    (s.len > DEVICE_LEN && s.ptr[s.len - DEVICE_LEN - 1] != '-'))
		return SLICE_NULL;
	name = slice_from(s, s.len - DEVICE_LEN);
	for (size_t i = 0; i < 3; i++)
		if (name.ptr[i] < 'A' || name.ptr[i] > 'Z')
			return SLICE_NULL;
	return hex_decode(slice_from(name, 3), raw, sizeof(raw)) == 0
		       ? name
		       : SLICE_NULL;
}

struct slice cert_device(struct slice cn)
{
	struct slice name = find_device(cn);

	return name.len > 0 ? name : cn;
}

/* The first device name among the alternative names counts. */
static void note_device(struct slice name, struct cert *c)
{
	struct slice device = find_device(name);

	/* Fifteen bytes fit. */
	if (device.len > 0 && c->device[0] == '\0')
		(void)!text_copy(device, c->device, sizeof(c->device));
}

static int read_dns(gnutls_x509_crt_t crt, struct cert *c)
{
	for (unsigned i = 0; i < SAN_MAX && c->dns_count < CERT_DNS_MAX; i++) {
		char buf[CERT_NAME_MAX];
		size_t len = sizeof(buf);
		int rc = gnutls_x509_crt_get_subject_alt_name(crt, i, buf, &len,
							      NULL);
		int err;

		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
			continue; /* no DNS name is that long */
		if (rc < 0)
			return ERR_BAD;
		if (rc == GNUTLS_SAN_DNSNAME || rc == GNUTLS_SAN_URI)
			note_device(slice_make(buf, len), c);
		if (rc != GNUTLS_SAN_DNSNAME)
			continue;
		err = copy_name(slice_make(buf, len), c->dns[c->dns_count],
				CERT_NAME_MAX);
		if (err)
			return err;
		c->dns_count++;
	}
	return 0;
}

/* For people; "" when GnuTLS does not know the algorithm. */
static void read_key(gnutls_x509_crt_t crt, struct cert *c)
{
	unsigned bits = 0;
	int pk = gnutls_x509_crt_get_pk_algorithm(crt, &bits);
	const char *name = gnutls_pk_get_name((gnutls_pk_algorithm_t)pk);
	struct writer w;

	if (pk < 0 || !name)
		return;
	writer_init(&w, c->key, sizeof(c->key) - 1);
	writer_str(&w, name);
	writer_str(&w, " ");
	writer_dec(&w, bits);
	c->key[writer_ok(&w) ? w.len : 0] = '\0';
}

static int read_numbers(gnutls_x509_crt_t crt, struct cert *c)
{
	size_t len = sizeof(c->fingerprint);
	unsigned critical;

	if (gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256,
					    c->fingerprint, &len) != 0)
		return ERR_BAD;
	c->serial_len = sizeof(c->serial);
	if (gnutls_x509_crt_get_serial(crt, c->serial, &c->serial_len) != 0)
		return ERR_BAD;
	c->not_before_s = gnutls_x509_crt_get_activation_time(crt);
	c->not_after_s = gnutls_x509_crt_get_expiration_time(crt);
	if (c->not_before_s == -1 || c->not_after_s == -1)
		return ERR_BAD;
	read_key(crt, c);
	c->is_ca = gnutls_x509_crt_get_ca_status(crt, &critical) > 0;
	return 0;
}

static int read_facts(gnutls_x509_crt_t crt, struct cert *c)
{
	struct slice device;
	int err = read_cn(crt, c);

	if (!err)
		err = read_dn(crt, false, c->subject, sizeof(c->subject));
	if (!err)
		err = read_dn(crt, true, c->issuer, sizeof(c->issuer));
	if (!err)
		err = read_dns(crt, c);
	if (!err)
		err = read_numbers(crt, c);
	if (err)
		return err;
	device = find_device(slice_str(c->cn));
	if (device.len == 0 && c->device[0] != '\0')
		return 0; /* among the alternative names */
	if (device.len == 0)
		device = slice_str(c->cn);
	if (device.len == 0 && c->dns_count > 0)
		device = slice_str(c->dns[0]);
	return text_copy(device, c->device, sizeof(c->device));
}

int cert_parse(struct slice der, struct cert **ret)
{
	/* GnuTLS's datum is not const, but import only reads. */
	union {
		const uint8_t *in;
		unsigned char *out;
	} ptr = {.in = der.ptr};
	gnutls_datum_t d = {ptr.out, 0};
	gnutls_x509_crt_t crt;
	struct cert *c;
	int err;

	if (der.len > CERT_DER_MAX)
		return ERR_LIMIT;
	d.size = (unsigned)der.len;
	if (gnutls_x509_crt_init(&crt) != 0)
		return ERR_NOMEM;
	c = alloc_zero(sizeof(*c));
	if (!c)
		err = ERR_NOMEM;
	else if (gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_DER) != 0)
		err = ERR_BAD;
	else
		err = read_facts(crt, c);
	gnutls_x509_crt_deinit(crt);
	if (err) {
		alloc_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

struct cert *cert_free(struct cert *c)
{
	return alloc_free(c);
}

bool cert_is_valid_at(const struct cert *c, int64_t now_s)
{
	return c->not_before_s <= now_s && now_s <= c->not_after_s;
}

bool cert_names(const struct cert *c, struct slice name)
{
	/* RFC 6125 section 6.4.4: the CN counts only without DNS names. */
	if (c->dns_count == 0)
		return c->cn[0] != '\0' && text_ieqs(name, c->cn);
	for (size_t i = 0; i < c->dns_count; i++)
		if (text_ieqs(name, c->dns[i]))
			return true;
	return false;
}

void cert_print_fingerprint(struct writer *w, const struct cert *c)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < sizeof(c->fingerprint); i++) {
		if (i > 0)
			writer_u8(w, ':');
		writer_u8(w, (uint8_t)digits[c->fingerprint[i] >> 4]);
		writer_u8(w, (uint8_t)digits[c->fingerprint[i] & 15]);
	}
}
