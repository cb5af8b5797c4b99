/*
 * The arithmetic of Digest authentication (RFC 7616, RFC 8760) on slices; the
 * one place in authn that knows a hash: Nettle's, since GnuTLS has no
 * SHA-512/256. Session variants (-sess) are not supported.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* In the order of their strength; stored credentials hold these numbers. */
enum digest_alg {
	DIGEST_MD5 = 0,
	DIGEST_SHA256 = 1,
	DIGEST_SHA512_256 = 2,
	DIGEST_COUNT = 3
};

enum {
	DIGEST_LEN_MAX = 32, /* bytes of the longest hash */
	DIGEST_HEX_MAX = 64, /* digits of the longest hash */
	DIGEST_HMAC_LEN = 32 /* bytes of an HMAC-SHA-256 */
};

/* A hash as lower-case hexadecimal text. HA1 is a secret: wipe it. */
struct digest_hex {
	char text[DIGEST_HEX_MAX]; /* len digits, no NUL */
	size_t len;		   /* 32 or 64 */
};

/* What a response is computed over besides HA1. */
struct digest_fields {
	enum digest_alg alg;
	struct slice method; /* of the request */
	struct slice uri;    /* digest-uri as the client wrote it */
	struct slice nonce;
	struct slice qop;    /* empty (RFC 2069), "auth" or "auth-int" */
	struct slice nc;     /* as written; with qop only */
	struct slice cnonce; /* with qop only */
	/* With "auth-int": digest_hash of the body of the request. */
	struct slice body_hash;
};

/* Algorithm by its name in a header, case-insensitive; empty means MD5.
 * ERR_UNSUPPORTED for others. */
MUST_CHECK int digest_alg_find(struct slice name, enum digest_alg *ret);
/* Name for the algorithm parameter: "MD5", "SHA-256", "SHA-512-256".
 * Static. */
const char *digest_alg_name(enum digest_alg alg);
/* Digits of a hash in hexadecimal: 32 or 64. */
size_t digest_hex_len(enum digest_alg alg);
/* View of the digits of h, which must outlive it. */
struct slice digest_hex_slice(const struct digest_hex *h);
/* HA1 = H(user ":" realm ":" password). Returns 0. */
MUST_CHECK int digest_ha1(enum digest_alg alg, struct slice user,
			  struct slice realm, struct slice password,
			  struct digest_hex *ret);
/* H(bytes), which may be empty, in hexadecimal. */
void digest_hash(enum digest_alg alg, struct slice bytes,
		 struct digest_hex *ret);
/*
 * The response for HA1 (lower-case hexadecimal of f->alg's length) and f.
 * ERR_BAD when ha1_hex or body_hash has the wrong length, ERR_UNSUPPORTED for
 * another qop, or "auth-int" without body_hash.
 */
MUST_CHECK int digest_response(struct slice ha1_hex,
			       const struct digest_fields *f,
			       struct digest_hex *ret);
/* True when response is want in hexadecimal of either case; the time taken
 * depends on the lengths only. */
bool digest_eq(const struct digest_hex *want, struct slice response);
/* HMAC-SHA-256 (RFC 2104) of data under key, DIGEST_HMAC_LEN bytes into ret.
 * ERR_UNSUPPORTED when the library refuses. */
MUST_CHECK int digest_hmac(struct slice key, struct slice data, uint8_t *ret);
