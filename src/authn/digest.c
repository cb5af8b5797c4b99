#include "authn/digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/hex.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/writer.h"

static const struct {
	const char *name;
	gnutls_digest_algorithm_t gnutls;
	uint8_t len; /* bytes */
} algs[DIGEST_COUNT] = {
	[DIGEST_MD5] = {"MD5", GNUTLS_DIG_MD5, 16},
	[DIGEST_SHA256] = {"SHA-256", GNUTLS_DIG_SHA256, 32},
};

int digest_alg_find(struct slice name, enum digest_alg *ret)
{
	if (name.len == 0) {
		*ret = DIGEST_MD5; /* RFC 7616 section 3.3 */
		return 0;
	}
	for (size_t i = 0; i < DIGEST_COUNT; i++) {
		if (text_ieqs(name, algs[i].name)) {
			*ret = (enum digest_alg)i;
			return 0;
		}
	}
	return ERR_UNSUPPORTED;
}

const char *digest_alg_name(enum digest_alg alg)
{
	return algs[alg].name;
}

size_t digest_hex_len(enum digest_alg alg)
{
	return 2 * (size_t)algs[alg].len;
}

struct slice digest_hex_slice(const struct digest_hex *h)
{
	return slice_make(h->text, h->len);
}

/* H(part ":" part ...) in hexadecimal. */
static int hash_parts(enum digest_alg alg, const struct slice *part, size_t n,
		      struct digest_hex *ret)
{
	uint8_t raw[DIGEST_LEN_MAX];
	gnutls_hash_hd_t h;
	struct writer w;
	int err = 0;

	if (gnutls_hash_init(&h, algs[alg].gnutls) != 0)
		return ERR_UNSUPPORTED;
	for (size_t i = 0; i < n && err == 0; i++) {
		if (i > 0)
			err = gnutls_hash(h, ":", 1);
		if (err == 0 && part[i].len > 0)
			err = gnutls_hash(h, part[i].ptr, part[i].len);
	}
	gnutls_hash_deinit(h, raw);
	if (err == 0) {
		writer_init(&w, ret->text, sizeof(ret->text));
		hex_encode(&w, slice_make(raw, algs[alg].len));
		ret->len = w.len;
	}
	secret_wipe(raw, sizeof(raw));
	return err == 0 ? 0 : ERR_UNSUPPORTED;
}

int digest_ha1(enum digest_alg alg, struct slice user, struct slice realm,
	       struct slice password, struct digest_hex *ret)
{
	const struct slice part[] = {user, realm, password};

	return hash_parts(alg, part, 3, ret);
}

int digest_response(struct slice ha1_hex, const struct digest_fields *f,
		    struct digest_hex *ret)
{
	const struct slice a2[] = {f->method, f->uri};
	struct slice part[6] = {ha1_hex, f->nonce};
	struct digest_hex ha2;
	size_t n = 2;
	int err;

	if (ha1_hex.len != digest_hex_len(f->alg))
		return ERR_BAD;
	if (f->qop.len > 0 && !text_ieqs(f->qop, "auth"))
		return ERR_UNSUPPORTED; /* auth-int hashes the body */
	err = hash_parts(f->alg, a2, 2, &ha2);
	if (err)
		return err;
	if (f->qop.len > 0) {
		part[n++] = f->nc;
		part[n++] = f->cnonce;
		part[n++] = f->qop;
	}
	part[n++] = digest_hex_slice(&ha2);
	return hash_parts(f->alg, part, n, ret);
}

bool digest_eq(const struct digest_hex *want, struct slice response)
{
	uint8_t lower[DIGEST_HEX_MAX];

	if (response.len != want->len)
		return false;
	for (size_t i = 0; i < response.len; i++)
		lower[i] = text_lower(response.ptr[i]);
	return secret_eq(digest_hex_slice(want),
			 slice_make(lower, response.len));
}

int digest_hmac(struct slice key, struct slice data, uint8_t *ret)
{
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.ptr, key.len, data.ptr,
			     data.len, ret) != 0)
		return ERR_UNSUPPORTED;
	return 0;
}
