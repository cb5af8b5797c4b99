#include "tls/keyring.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "tls/keyref.h"

enum {
	PREMASTER_LEN = 48,  /* RFC 5246 section 7.4.7.1 */
	DIGEST_INFO_MAX = 83 /* PKCS#1 DigestInfo of SHA-512 */
};

struct key {
	uint8_t name[SIGNER_KEY_ID_MAX];
	size_t name_len;
	gnutls_privkey_t priv;
	int pk;		    /* gnutls_pk_algorithm_t */
	char *uri;	    /* of a key in a token; NULL: from a file */
	struct secret *pin; /* of the token */
	uint32_t round;	    /* of k when it was last wanted */
};

struct keyring {
	struct signer signer;
	struct key key[KEYRING_MAX];
	size_t count;
	uint32_t round;	  /* commits so far */
	uint32_t settled; /* round when everybody last changed over */
};

static void key_done(struct key *key)
{
	gnutls_privkey_deinit(key->priv);
	key->uri = alloc_free(key->uri);
	if (key->pin)
		secret_done(key->pin);
	key->pin = alloc_free(key->pin);
}

static struct key *find(struct keyring *k, struct slice name)
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
		key_done(&k->key[i]);
	return alloc_free(k);
}

/* SHA-256 of the public key, in hexadecimal: certificate and key find each
 * other without a name. */
static int derive_name(gnutls_privkey_t priv, struct key *key)
{
	gnutls_pubkey_t pub = NULL;
	int err = ERR_IO;

	if (gnutls_pubkey_init(&pub) < 0)
		return ERR_NOMEM;
	if (gnutls_pubkey_import_privkey(pub, priv, 0, 0) == 0)
		err = tls_keyref_name(pub, key->name);
	gnutls_pubkey_deinit(pub);
	key->name_len = SIGNER_KEY_ID_MAX;
	return err;
}

/* Take over *key; name empty: it is derived. */
static int put_key(struct keyring *k, struct slice name, struct key *key)
{
	struct key *old;
	int err = name.len > SIGNER_KEY_ID_MAX ? ERR_BAD : 0;

	if (!err && name.len == 0) {
		err = derive_name(key->priv, key);
	} else if (!err) {
		memcpy(key->name, name.ptr, name.len);
		key->name_len = name.len;
	}
	if (err)
		return err;
	key->round = k->round + 1;
	old = find(k, slice_make(key->name, key->name_len));
	if (old) {
		old->round = key->round;
		return ERR_EXISTS;
	}
	if (k->count == KEYRING_MAX)
		return ERR_LIMIT;
	k->key[k->count++] = *key;
	return 0;
}

static int kind_of(gnutls_privkey_t priv, int *ret_pk)
{
	*ret_pk = gnutls_privkey_get_pk_algorithm(priv, NULL);
	return *ret_pk == GNUTLS_PK_RSA || *ret_pk == GNUTLS_PK_RSA_PSS ||
			       *ret_pk == GNUTLS_PK_ECDSA
		       ? 0
		       : ERR_UNSUPPORTED;
}

int keyring_add(struct keyring *k, struct slice name, struct slice pem)
{
	gnutls_datum_t d = {.data = (unsigned char *)(uintptr_t)pem.ptr,
			    .size = (unsigned)pem.len};
	struct key key = {.priv = NULL};
	int err = 0;

	if (gnutls_privkey_init(&key.priv) < 0)
		return ERR_NOMEM;
	if (gnutls_privkey_import_x509_raw(key.priv, &d, GNUTLS_X509_FMT_PEM,
					   NULL, 0) < 0)
		err = ERR_BAD;
	if (!err)
		err = kind_of(key.priv, &key.pk);
	if (!err)
		err = put_key(k, name, &key);
	if (err)
		key_done(&key);
	return err;
}

static int token_error(int rc)
{
	switch (rc) {
	case GNUTLS_E_MEMORY_ERROR:
		return ERR_NOMEM;
	case GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE:
		return ERR_NOTFOUND;
	case GNUTLS_E_PKCS11_PIN_ERROR:
	case GNUTLS_E_PKCS11_PIN_EXPIRED:
	case GNUTLS_E_PKCS11_PIN_LOCKED:
		return ERR_AUTH;
	default:
		return ERR_IO;
	}
}

/* GnuTLS asks for the PIN; a second time it was wrong, and a third would lock
 * the token. */
static int give_pin(void *ctx, int attempt, const char *url, const char *label,
		    unsigned flags, char *pin, size_t cap)
{
	const struct secret *s = ctx;

	(void)attempt;
	(void)url;
	(void)label;
	if (s->len == 0 || s->len >= cap ||
	    (flags & (GNUTLS_PIN_WRONG | GNUTLS_PIN_FINAL_TRY)) != 0)
		return GNUTLS_E_PKCS11_PIN_ERROR;
	memcpy(pin, s->ptr, s->len);
	pin[s->len] = '\0';
	return 0;
}

/* The URI without its pin-source, which is ours to read. */
static char *strip_pin(const char *uri)
{
	const char *at = strstr(uri, "pin-source=");
	char *copy = alloc_copy(slice_str(uri));
	size_t from;
	size_t end;

	if (!at || !copy || at == uri)
		return copy;
	/* Only one delimiter goes with it: "a?pin-source=b&c" is "a?c". */
	from = (size_t)(at - uri);
	end = from + strcspn(at, ";&?");
	if (uri[end] == '\0')
		from--;
	else
		end++;
	memmove(copy + from, uri + end, strlen(uri + end) + 1);
	return copy;
}

static int open_token(struct key *key, const char *uri, struct slice pin,
		      const char **reterr_why)
{
	char *url = strip_pin(uri);
	int err = ERR_NOMEM;
	int rc;

	key->uri = alloc_copy(slice_str(uri));
	key->pin = alloc_zero(sizeof(*key->pin));
	if (!url || !key->uri || !key->pin || secret_init(key->pin, pin) != 0)
		goto out;
	gnutls_privkey_set_pin_function(key->priv, give_pin, key->pin);
	rc = gnutls_privkey_import_url(key->priv, url, 0);
	if (rc < 0)
		*reterr_why = gnutls_strerror(rc);
	err = rc < 0 ? token_error(rc) : kind_of(key->priv, &key->pk);
out:
	(void)alloc_free(url);
	return err;
}

int keyring_add_token(struct keyring *k, struct slice name, const char *uri,
		      struct slice pin, const char **reterr_why)
{
	struct key key = {.priv = NULL};
	int err;

	*reterr_why = "";
	if (gnutls_privkey_init(&key.priv) < 0)
		return ERR_NOMEM;
	err = open_token(&key, uri, pin, reterr_why);
	if (!err)
		err = put_key(k, name, &key);
	if (err)
		key_done(&key);
	return err;
}

int keyring_keep_token(struct keyring *k, struct slice uri)
{
	int err = ERR_NOTFOUND;

	for (size_t i = 0; i < k->count; i++) {
		if (!k->key[i].uri || !slice_eqs(uri, k->key[i].uri))
			continue;
		k->key[i].round = k->round + 1;
		err = 0;
	}
	return err;
}

void keyring_commit(struct keyring *k)
{
	k->round++;
}

void keyring_settle(struct keyring *k)
{
	size_t n = 0;

	for (size_t i = 0; i < k->count; i++) {
		if (k->key[i].round < k->settled)
			key_done(&k->key[i]);
		else
			k->key[n++] = k->key[i];
	}
	k->count = n;
	k->settled = k->round;
}

const struct signer *keyring_signer(const struct keyring *k)
{
	return &k->signer;
}

int keyring_pubkey(struct keyring *k, struct slice name, struct writer *ret_der)
{
	const struct key *key = find(k, name);
	gnutls_datum_t out = {.data = NULL};
	gnutls_pubkey_t pub = NULL;
	int err = ERR_IO;

	/* One that only serves those who have not changed over is no key that
	 * somebody may begin with. */
	if (!key || key->round < k->round)
		return ERR_NOTFOUND;
	if (gnutls_pubkey_init(&pub) < 0)
		return ERR_NOMEM;
	if (gnutls_pubkey_import_privkey(pub, key->priv, 0, 0) == 0 &&
	    gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &out) == 0)
		err = put(ret_der, &out);
	gnutls_pubkey_deinit(pub);
	return err;
}
