#include "authn/digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <nettle/md5.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha2.h>

#include "base/hex.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/writer.h"

static const struct {
	const char *name;
	const struct nettle_hash *hash;
	uint8_t len; /* bytes */
} algs[DIGEST_COUNT] = {
	[DIGEST_MD5] = {"MD5", &nettle_md5, 16},
	[DIGEST_SHA256] = {"SHA-256", &nettle_sha256, 32},
	[DIGEST_SHA512_256] = {"SHA-512-256", &nettle_sha512_256, 32},
};

/* Room for the state of any of them. */
union hash_state {
	struct md5_ctx md5;
	struct sha256_ctx sha256;
	struct sha512_ctx sha512;
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
static void hash_parts(enum digest_alg alg, const struct slice *part, size_t n,
		       struct digest_hex *ret)
{
	const struct nettle_hash *h = algs[alg].hash;
	uint8_t raw[DIGEST_LEN_MAX];
	union hash_state state;
	struct writer w;

	h->init(&state);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			h->update(&state, 1, (const uint8_t *)":");
		if (part[i].len > 0)
			h->update(&state, part[i].len, part[i].ptr);
	}
	h->digest(&state, algs[alg].len, raw);
	writer_init(&w, ret->text, sizeof(ret->text));
	hex_encode(&w, slice_make(raw, algs[alg].len));
	ret->len = w.len;
	secret_wipe(raw, sizeof(raw));
	secret_wipe(&state, sizeof(state));
}

int digest_ha1(enum digest_alg alg, struct slice user, struct slice realm,
	       struct slice password, struct digest_hex *ret)
{
	const struct slice part[] = {user, realm, password};

	hash_parts(alg, part, 3, ret);
	return 0;
}

void digest_hash(enum digest_alg alg, struct slice bytes,
		 struct digest_hex *ret)
{
	hash_parts(alg, &bytes, 1, ret);
}

int digest_response(struct slice ha1_hex, const struct digest_fields *f,
		    struct digest_hex *ret)
{
	bool is_int = text_ieqs(f->qop, "auth-int");
	const struct slice a2[] = {f->method, f->uri, f->body_hash};
	struct slice part[6] = {ha1_hex, f->nonce};
	struct digest_hex ha2;
	size_t n = 2;

	if (ha1_hex.len != digest_hex_len(f->alg))
		return ERR_BAD;
	if (f->qop.len > 0 && !text_ieqs(f->qop, "auth") &&
	    (!is_int || f->body_hash.len == 0))
		return ERR_UNSUPPORTED;
	if (is_int && f->body_hash.len != digest_hex_len(f->alg))
		return ERR_BAD;
	hash_parts(f->alg, a2, is_int ? 3 : 2, &ha2);
	if (f->qop.len > 0) {
		part[n++] = f->nc;
		part[n++] = f->cnonce;
		part[n++] = f->qop;
	}
	part[n++] = digest_hex_slice(&ha2);
	hash_parts(f->alg, part, n, ret);
	return 0;
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
