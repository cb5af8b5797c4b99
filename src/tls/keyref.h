/* A private key that is elsewhere, as GnuTLS wants to see it. */
#pragma once

#include <gnutls/abstract.h>

#include "base/err.h"
#include "base/slice.h"
#include "pki/signer.h"

/*
 * A GnuTLS private key whose operations are done by signer with key_id (copied,
 * at most SIGNER_KEY_ID_MAX bytes); type and size are those of pub. signer
 * outlives it; owner: the caller, until gnutls_privkey_deinit. ERR_NOMEM,
 * ERR_UNSUPPORTED (neither RSA nor ECDSA).
 */
MUST_CHECK int tls_keyref_new(const struct signer *signer, struct slice key_id,
			      gnutls_pubkey_t pub, gnutls_privkey_t *ret);

/* The name a key has when nobody gave it one: SHA-256 of its public key's
 * SubjectPublicKeyInfo in hexadecimal, SIGNER_KEY_ID_MAX bytes. ERR_IO. */
MUST_CHECK int tls_keyref_name(gnutls_pubkey_t pub,
			       uint8_t ret_name[SIGNER_KEY_ID_MAX]);

/* Sign something with key and verify it with pub: a proof that they belong
 * together and that the signer works. 0 or a GnuTLS error. */
MUST_CHECK int tls_keyref_prove(gnutls_privkey_t key, gnutls_pubkey_t pub);
