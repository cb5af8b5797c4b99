#include "tls/keyring.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/alloc.h"
#include "base/secret.h"

enum {
	PREMASTER_LEN = 48,  /* RFC 5246 section 7.4.7.1 */
	DIGEST_INFO_MAX = 83 /* PKCS#1 DigestInfo of SHA-512 */
};

struct key {
	uint8_t name[SIGNER_KEY_ID_MAX];
	size_t name_len;
	gnutls_privkey_t priv;
	int pk; /* gnutls_pk_algorithm_t */
};

struct keyring {
	struct signer signer;
	struct key key[KEYRING_MAX];
	size_t count;
};

static const struct key *find(const struct keyring *k, struct slice name)
{
	for (size_t i = 0; i < k->count; i++)
		if (slice_eq(name,
			     slice_make(k->key[i].name, k->key[i].name_len)))
			return &k->key[i];
	return NULL;
}

static int put(struct writer *w, gnutls_datum_t *d)
{
	writer_bytes(w, d->data, d->size);
	secret_wipe(d->data, d->size);
	gnutls_free(d->data);
	return writer_ok(w) ? 0 : ERR_SPACE;
}

static int sign_raw(const struct key *key, const gnutls_datum_t *in,
		    gnutls_datum_t *ret)
{
	if (key->pk != GNUTLS_PK_RSA || in->size > DIGEST_INFO_MAX)
		return ERR_UNSUPPORTED;
	return gnutls_privkey_sign_hash(key->priv, GNUTLS_DIG_UNKNOWN,
					GNUTLS_PRIVKEY_SIGN_FLAG_TLS1_RSA, in,
					ret) < 0
		       ? ERR_IO
		       : 0;
}

static int sign_digest(const struct key *key, gnutls_sign_algorithm_t alg,
		       const gnutls_datum_t *in, gnutls_datum_t *ret)
{
	unsigned len = gnutls_hash_get_len(gnutls_sign_get_hash_algorithm(alg));

	if (len == 0 || in->size != len ||
	    !gnutls_sign_supports_pk_algorithm(alg,
					       (gnutls_pk_algorithm_t)key->pk))
		return ERR_UNSUPPORTED;
	return gnutls_privkey_sign_hash2(key->priv, alg, 0, in, ret) < 0
		       ? ERR_IO
		       : 0;
}

static int sign(void *ctx, struct slice key_id, int alg, struct slice hash,
		struct writer *ret_sig)
{
	const struct key *key = find(ctx, key_id);
	gnutls_datum_t in = {.data = (unsigned char *)(uintptr_t)hash.ptr,
			     .size = (unsigned)hash.len};
	gnutls_datum_t out = {.data = NULL};
	int err;

	if (!key)
		return ERR_NOTFOUND;
	err = alg == GNUTLS_SIGN_RSA_RAW
		      ? sign_raw(key, &in, &out)
		      : sign_digest(key, (gnutls_sign_algorithm_t)alg, &in,
				    &out);
	return err ? err : put(ret_sig, &out);
}

static int decrypt(void *ctx, struct slice key_id, struct slice data,
		   struct writer *ret_plain)
{
	const struct key *key = find(ctx, key_id);
	gnutls_datum_t in = {.data = (unsigned char *)(uintptr_t)data.ptr,
			     .size = (unsigned)data.len};
	uint8_t out[PREMASTER_LEN];

	if (!key)
		return ERR_NOTFOUND;
	if (key->pk != GNUTLS_PK_RSA || data.len > SIGNER_IN_MAX)
		return ERR_UNSUPPORTED;
	if (gnutls_rnd(GNUTLS_RND_RANDOM, out, sizeof(out)) < 0)
		return ERR_IO;
	/* Constant time; leaves out as it was when the padding is wrong. */
	(void)gnutls_privkey_decrypt_data2(key->priv, 0, &in, out, sizeof(out));
	writer_bytes(ret_plain, out, sizeof(out));
	secret_wipe(out, sizeof(out));
	return writer_ok(ret_plain) ? 0 : ERR_SPACE;
}

int keyring_new(struct keyring **ret)
{
	struct keyring *k = alloc_zero(sizeof(*k));

	if (!k)
		return ERR_NOMEM;
	k->signer = (struct signer){.sign = sign, .decrypt = decrypt, .ctx = k};
	*ret = k;
	return 0;
}

struct keyring *keyring_free(struct keyring *k)
{
	if (!k)
		return NULL;
	for (size_t i = 0; i < k->count; i++)
		gnutls_privkey_deinit(k->key[i].priv);
	return alloc_free(k);
}

int keyring_add(struct keyring *k, struct slice name, struct slice pem)
{
	struct key *key = &k->key[k->count];
	gnutls_datum_t d = {.data = (unsigned char *)(uintptr_t)pem.ptr,
			    .size = (unsigned)pem.len};
	gnutls_privkey_t priv = NULL;
	int err = 0;

	if (name.len == 0 || name.len > SIGNER_KEY_ID_MAX)
		return ERR_BAD;
	if (find(k, name))
		return ERR_EXISTS;
	if (k->count == KEYRING_MAX)
		return ERR_LIMIT;
	if (gnutls_privkey_init(&priv) < 0)
		return ERR_NOMEM;
	if (gnutls_privkey_import_x509_raw(priv, &d, GNUTLS_X509_FMT_PEM, NULL,
					   0) < 0)
		err = ERR_BAD;
	if (!err) {
		key->pk = gnutls_privkey_get_pk_algorithm(priv, NULL);
		if (key->pk != GNUTLS_PK_RSA && key->pk != GNUTLS_PK_RSA_PSS &&
		    key->pk != GNUTLS_PK_ECDSA)
			err = ERR_UNSUPPORTED;
	}
	if (err) {
		gnutls_privkey_deinit(priv);
		return err;
	}
	memcpy(key->name, name.ptr, name.len);
	key->name_len = name.len;
	key->priv = priv;
	k->count++;
	return 0;
}

const struct signer *keyring_signer(const struct keyring *k)
{
	return &k->signer;
}

int keyring_pubkey(const struct keyring *k, struct slice name,
		   struct writer *ret_der)
{
	const struct key *key = find(k, name);
	gnutls_datum_t out = {.data = NULL};
	gnutls_pubkey_t pub = NULL;
	int err = ERR_IO;

	if (!key)
		return ERR_NOTFOUND;
	if (gnutls_pubkey_init(&pub) < 0)
		return ERR_NOMEM;
	if (gnutls_pubkey_import_privkey(pub, key->priv, 0, 0) == 0 &&
	    gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &out) == 0)
		err = put(ret_der, &out);
	gnutls_pubkey_deinit(pub);
	return err;
}
