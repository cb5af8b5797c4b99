/*
 * Private keys in this process, by name: what the keys process is made of.
 * Nobody else uses it but tests. One thread.
 */
#pragma once

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include "pki/signer.h"

struct keyring;

enum { KEYRING_MAX = 128 };

/* No keys. ERR_NOMEM. */
MUST_CHECK int keyring_new(struct keyring **ret);
/* Wipe and free; takes NULL, returns NULL. */
struct keyring *keyring_free(struct keyring *k);
/*
 * Add the private key in pem (unencrypted PKCS#8, PKCS#1 or SEC1; certificates
 * beside it are ignored) under name (up to SIGNER_KEY_ID_MAX bytes, copied;
 * empty: the one that tls_keyref_name gives). ERR_EXISTS, ERR_LIMIT, ERR_NOMEM,
 * ERR_BAD; ERR_UNSUPPORTED for a key that is neither RSA nor ECDSA.
 */
MUST_CHECK int keyring_add(struct keyring *k, struct slice name,
			   struct slice pem);
/*
 * Add the private key that a PKCS#11 URI leads to (RFC 7512; its pin-source is
 * ignored). pin: of the token, copied; may be empty. The token does the
 * operations. Before sandbox_enter: the module is loaded here. Errors as keyring_add, with *reterr_why, static text:
 * ERR_IO, ERR_NOTFOUND (no such token or object), ERR_AUTH (PIN) besides.
 */
MUST_CHECK int keyring_add_token(struct keyring *k, struct slice name,
				 const char *uri, struct slice pin,
				 const char **reterr_why);
/* The key of this URI, which is there already, is still wanted. ERR_NOTFOUND
 * when it is not there. */
MUST_CHECK int keyring_keep_token(struct keyring *k, struct slice uri);
/*
 * All keys that are wanted were added, or kept, or found to be there
 * (ERR_EXISTS). The others serve whoever still uses them.
 */
void keyring_commit(struct keyring *k);
/*
 * Everybody has changed over to the keys of the last commit: forget those that
 * were wanted last before the time when that was said before. So a handshake
 * begun with the keys of before can end.
 */
void keyring_settle(struct keyring *k);
/*
 * The signer that uses the keys of k; lifetime of k. sign() wants a digest of
 * exactly the length of alg's hash (GNUTLS_SIGN_RSA_RAW: at most a
 * DigestInfo), so that nobody gets anything else signed. decrypt() gives 48
 * bytes always, random ones when the padding is wrong: no oracle (RFC 5246
 * section 7.4.7.1).
 */
const struct signer *keyring_signer(const struct keyring *k);
/* Append the public key of a key that was wanted at the last commit as
 * SubjectPublicKeyInfo in DER. ERR_NOTFOUND, ERR_SPACE, ERR_IO. */
MUST_CHECK int keyring_pubkey(struct keyring *k, struct slice name,
			      struct writer *ret_der);
