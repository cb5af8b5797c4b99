#include "tls/keyref.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "base/secret.h"
#include "base/writer.h"
#include "pki/signer.h"

struct keyref {
	const struct signer *signer;
	uint8_t id[SIGNER_KEY_ID_MAX];
	size_t id_len;
	int pk;	       /* gnutls_pk_algorithm_t */
	unsigned bits; /* of the key */
};

static int copy_out(struct slice s, gnutls_datum_t *ret)
{
	ret->data = gnutls_malloc(s.len);
	if (!ret->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(ret->data, s.ptr, s.len);
	ret->size = (unsigned)s.len;
	return 0;
}

static int sign_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t alg,
		     void *userdata, unsigned flags, const gnutls_datum_t *hash,
		     gnutls_datum_t *ret_sig)
{
	struct keyref *k = userdata;
	uint8_t out[SIGNER_OUT_MAX];
	struct writer w;

	(void)key;
	(void)flags;
	writer_init(&w, out, sizeof(out));
	if (k->signer->sign(k->signer->ctx, slice_make(k->id, k->id_len),
			    (int)alg, slice_make(hash->data, hash->size),
			    &w) != 0 ||
	    !writer_ok(&w) || w.len == 0)
		return GNUTLS_E_PK_SIGN_FAILED;
	return copy_out(writer_slice(&w), ret_sig);
}

static int sign_data(gnutls_privkey_t key, gnutls_sign_algorithm_t alg,
		     void *userdata, unsigned flags, const gnutls_datum_t *data,
		     gnutls_datum_t *ret_sig)
{
	uint8_t hash[64];
	gnutls_digest_algorithm_t dig = gnutls_sign_get_hash_algorithm(alg);
	unsigned len = gnutls_hash_get_len(dig);
	gnutls_datum_t d = {.data = hash, .size = len};

	if (len == 0 || len > sizeof(hash) ||
	    gnutls_hash_fast(dig, data->data, data->size, hash) < 0)
		return GNUTLS_E_UNKNOWN_HASH_ALGORITHM;
	return sign_hash(key, alg, userdata, flags, &d, ret_sig);
}

static int decrypt(gnutls_privkey_t key, void *userdata,
		   const gnutls_datum_t *cipher, gnutls_datum_t *ret_plain)
{
	struct keyref *k = userdata;
	uint8_t out[SIGNER_OUT_MAX];
	struct writer w;
	int rc;

	(void)key;
	writer_init(&w, out, sizeof(out));
	if (k->signer->decrypt(k->signer->ctx, slice_make(k->id, k->id_len),
			       slice_make(cipher->data, cipher->size),
			       &w) != 0 ||
	    !writer_ok(&w))
		rc = GNUTLS_E_DECRYPTION_FAILED;
	else
		rc = copy_out(writer_slice(&w), ret_plain);
	secret_wipe(out, sizeof(out));
	return rc;
}

/* Signature algorithms of our kind of key, the raw one for TLS 1.0. */
static int can_sign(const struct keyref *k, unsigned flags)
{
	gnutls_sign_algorithm_t alg = GNUTLS_FLAGS_TO_SIGN_ALGO(flags);

	if (alg == GNUTLS_SIGN_RSA_RAW)
		return k->pk == GNUTLS_PK_RSA;
	return gnutls_sign_supports_pk_algorithm(
		       alg, (gnutls_pk_algorithm_t)k->pk) != 0;
}

static int info(gnutls_privkey_t key, unsigned flags, void *userdata)
{
	struct keyref *k = userdata;

	(void)key;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return k->pk;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)k->bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return can_sign(k, flags);
	return -1;
}

static void deinit(gnutls_privkey_t key, void *userdata)
{
	(void)key;
	(void)alloc_free(userdata);
}

int tls_keyref_new(const struct signer *signer, struct slice key_id,
		   gnutls_pubkey_t pub, gnutls_privkey_t *ret)
{
	struct keyref *k;
	gnutls_privkey_t key = NULL;

	if (key_id.len > SIGNER_KEY_ID_MAX)
		return ERR_LIMIT;
	k = alloc_zero(sizeof(*k));
	if (!k)
		return ERR_NOMEM;
	k->signer = signer;
	memcpy(k->id, key_id.ptr, key_id.len);
	k->id_len = key_id.len;
	k->pk = gnutls_pubkey_get_pk_algorithm(pub, &k->bits);
	if (k->pk != GNUTLS_PK_RSA && k->pk != GNUTLS_PK_RSA_PSS &&
	    k->pk != GNUTLS_PK_ECDSA) {
		(void)alloc_free(k);
		return ERR_UNSUPPORTED;
	}
	if (gnutls_privkey_init(&key) < 0 ||
	    gnutls_privkey_import_ext4(key, k, sign_data, sign_hash, decrypt,
				       deinit, info, 0) < 0) {
		if (key)
			gnutls_privkey_deinit(key);
		(void)alloc_free(k);
		return ERR_NOMEM;
	}
	*ret = key;
	return 0;
}

int tls_keyref_prove(gnutls_privkey_t key, gnutls_pubkey_t pub)
{
	static unsigned char text[] = "is this your key?";
	const gnutls_datum_t data = {.data = text, .size = sizeof(text)};
	gnutls_sign_algorithm_t alg = gnutls_pk_to_sign(
		(gnutls_pk_algorithm_t)gnutls_pubkey_get_pk_algorithm(pub,
								      NULL),
		GNUTLS_DIG_SHA256);
	gnutls_datum_t sig = {.data = NULL};
	int rc = gnutls_privkey_sign_data2(key, alg, 0, &data, &sig);

	if (rc < 0)
		return rc;
	rc = gnutls_pubkey_verify_data2(pub, alg, 0, &data, &sig);
	gnutls_free(sig.data);
	return rc;
}

int tls_keyref_name(gnutls_pubkey_t pub, uint8_t ret_name[SIGNER_KEY_ID_MAX])
{
	_Static_assert(SIGNER_KEY_ID_MAX == 64, "SHA-256 in hexadecimal");
	uint8_t hash[32];
	size_t len = sizeof(hash);
	struct writer w;

	if (gnutls_pubkey_get_key_id(pub, GNUTLS_KEYID_USE_SHA256, hash, &len) <
	    0)
		return ERR_IO;
	writer_init(&w, ret_name, SIGNER_KEY_ID_MAX);
	hex_encode(&w, slice_make(hash, len));
	return writer_ok(&w) ? 0 : ERR_IO;
}
