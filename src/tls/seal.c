#include "tls/seal.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/secret.h"

enum { NONCE_LEN = 12, TAG_LEN = 16, HEAD_LEN = 1 + NONCE_LEN };

_Static_assert(SEAL_OVERHEAD == HEAD_LEN + TAG_LEN, "blob layout");

static int open_cipher(struct slice key, gnutls_aead_cipher_hd_t *ret)
{
	gnutls_datum_t k = {.data = (unsigned char *)(uintptr_t)key.ptr,
			    .size = (unsigned)key.len};

	if (key.len != SEAL_KEY_LEN)
		return ERR_BAD;
	return gnutls_aead_cipher_init(ret, GNUTLS_CIPHER_AES_256_GCM, &k) < 0
		       ? ERR_IO
		       : 0;
}

int seal_close(struct slice key, struct slice aad, struct slice plain,
	       struct writer *ret_blob)
{
	gnutls_aead_cipher_hd_t h;
	uint8_t nonce[NONCE_LEN];
	size_t len = ret_blob->cap - ret_blob->len;
	int err;

	if (ret_blob->full || len < SEAL_OVERHEAD ||
	    len - SEAL_OVERHEAD < plain.len)
		return ERR_SPACE;
	err = open_cipher(key, &h);
	if (err)
		return err;
	len -= HEAD_LEN;
	/* Random nonces: 2^32 blobs of one key keep the chance of a repetition
	 * below 2^-32 (SP 800-38D section 8.3). */
	if (gnutls_rnd(GNUTLS_RND_NONCE, nonce, sizeof(nonce)) < 0 ||
	    gnutls_aead_cipher_encrypt(h, nonce, sizeof(nonce), aad.ptr,
				       aad.len, TAG_LEN, plain.ptr, plain.len,
				       ret_blob->buf + ret_blob->len + HEAD_LEN,
				       &len) < 0)
		err = ERR_IO;
	gnutls_aead_cipher_deinit(h);
	if (err)
		return err;
	writer_u8(ret_blob, SEAL_VERSION);
	writer_bytes(ret_blob, nonce, sizeof(nonce));
	ret_blob->len += len;
	return 0;
}

int seal_open(struct slice key, struct slice aad, struct slice blob,
	      uint8_t *buf, size_t cap, size_t *ret_len)
{
	gnutls_aead_cipher_hd_t h;
	size_t len = cap;
	int err;

	if (blob.len < SEAL_OVERHEAD)
		return ERR_BAD;
	if (blob.ptr[0] != SEAL_VERSION)
		return ERR_UNSUPPORTED;
	if (cap < blob.len - SEAL_OVERHEAD)
		return ERR_SPACE;
	err = open_cipher(key, &h);
	if (err)
		return err;
	if (gnutls_aead_cipher_decrypt(h, blob.ptr + 1, NONCE_LEN, aad.ptr,
				       aad.len, TAG_LEN, blob.ptr + HEAD_LEN,
				       blob.len - HEAD_LEN, buf, &len) < 0) {
		secret_wipe(buf, cap);
		err = ERR_AUTH;
	}
	gnutls_aead_cipher_deinit(h);
	if (!err)
		*ret_len = len;
	return err;
}

int seal_derive(struct slice key, struct slice label, uint8_t ret[SEAL_KEY_LEN])
{
	if (key.len != SEAL_KEY_LEN)
		return ERR_BAD;
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.ptr, key.len, label.ptr,
				label.len, ret) < 0
		       ? ERR_IO
		       : 0;
}
