/*
 * Facts from an X.509 certificate (RFC 5280): who it names, when it is valid,
 * what identifies it. Nothing is proved here: the chain is verified by tls/
 * before anybody asks for these facts. All text is UTF-8 as the certificate
 * has it, without NUL and control bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

enum {
	CERT_DER_MAX = 16384,	   /* bytes of a certificate we look at */
	CERT_NAME_MAX = 256,	   /* bytes of a CN or DNS name with its NUL */
	CERT_DN_MAX = 512,	   /* bytes of a distinguished name with NUL */
	CERT_DNS_MAX = 8,	   /* DNS names kept; more are ignored */
	CERT_FINGERPRINT_LEN = 32, /* SHA-256 of the DER */
	CERT_KEY_MAX = 32,	   /* bytes of the kind of a key with NUL */
	CERT_SERIAL_MAX = 20	   /* bytes, RFC 5280 section 4.1.2.2 */
};

/* Facts of one certificate; all text NUL-terminated. Owner: the caller. */
struct cert {
	char subject[CERT_DN_MAX]; /* RFC 4514 text */
	char issuer[CERT_DN_MAX];  /* RFC 4514 text */
	char cn[CERT_NAME_MAX];	   /* last CN of the subject; may be "" */
	/* Device name (cert_device) in the CN, or else in a DNS name or URI of
	 * the subjectAltName; without one the CN, or else the first DNS name. */
	char device[CERT_NAME_MAX];
	char dns[CERT_DNS_MAX][CERT_NAME_MAX]; /* subjectAltName */
	size_t dns_count;
	uint8_t fingerprint[CERT_FINGERPRINT_LEN];
	uint8_t serial[CERT_SERIAL_MAX]; /* big-endian, serial_len bytes */
	size_t serial_len;
	int64_t not_before_s; /* seconds since 1970 UTC */
	int64_t not_after_s;  /* seconds since 1970 UTC */
	bool is_ca;
	char key[CERT_KEY_MAX]; /* "RSA 2048", "EC/ECDSA 256" */
};

/*
 * Read the facts of the certificate der. ERR_BAD when it is not one, or its
 * CN holds control bytes or is no text; ERR_LIMIT when it or its names are too
 * long, ERR_NOMEM. Owner of *ret: the caller, until cert_free.
 */
MUST_CHECK int cert_parse(struct slice der, struct cert **ret);
/* Free c (may be NULL); returns NULL. */
struct cert *cert_free(struct cert *c);
/*
 * Device name in the CN of a device certificate. Phones are named by a prefix
 * of three capitals and twelve hexadecimal digits (SEP001122334455), which the
 * manufacturer's certificates carry behind a model ("CP-7960-SEP001122334455"):
 * then that part, else the whole CN. Views cn.
 */
struct slice cert_device(struct slice cn);
/* True when now_s is inside the validity period, both ends included. */
bool cert_is_valid_at(const struct cert *c, int64_t now_s);
/* True when one of the DNS names, or the CN when there are none, equals name
 * (case-insensitive, no wildcards). */
bool cert_names(const struct cert *c, struct slice name);
/* Write the fingerprint as "AA:BB:.." */
void cert_print_fingerprint(struct writer *w, const struct cert *c);
