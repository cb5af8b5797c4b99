/*
 * A key ring of the keys process in a directory of its own: a key of RSA, one
 * of an elliptic curve, the certificates of both and a store key. One at a
 * time, made and freed by the fixture of each test; every function aborts the
 * test on failure. For test_keys and test_keys_role.
 */
#pragma once

#include <check.h>

#include "daemon/keys.h"
#include "lib/certs.h"

/* The ring, which holds the keys of these as "rsa" and "ec". */
extern struct keys *keys;
extern struct test_cert *rsa;
extern struct test_cert *ec;
/* Where the files are. */
extern char dir[64];
extern char rsa_path[128];
extern char ec_path[128];
extern char store_path[128];

static inline struct slice str(const char *s)
{
	return slice_str(s);
}

/* Fixtures. */
void set_up(void);
void tear_down(void);

/* Ask the ring in place, as a client that may do this (KEYS_CLIENT_x); returns
 * the error, *ret_len bytes of result in out (KEYS_ANSWER_MAX; NULL: the result
 * is dropped). */
int ask(uint32_t may, struct keys_request *q, uint8_t *out, size_t *ret_len);
/* GnuTLS's verdict, negative where sig is not c's signature of hash. */
int verify(const struct test_cert *c, gnutls_sign_algorithm_t alg,
	   const gnutls_datum_t *hash, const gnutls_datum_t *sig);
/* The ring seals that credential, both algorithms, into blob (KEYS_BLOB_MAX);
 * *ret_len bytes. */
void seal(const char *user, const char *realm, const char *password,
	  uint8_t *blob, size_t *ret_len);
/* The check of RFC 7616 section 3.9.1's response under alg (DIGEST_x): user
 * Mufasa of http-auth@example.org, "Circle of Life"; blob: that credential,
 * sealed. */
struct keys_check mufasa(uint8_t alg, struct slice blob);
