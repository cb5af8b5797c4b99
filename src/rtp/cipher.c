#include "rtp/cipher.h"

#include <nettle/ctr.h>
#include <nettle/nettle-meta.h>

#include "base/secret.h"

enum { AUTH_KEY_LEN = 20, GCM_IV_LEN = 12 };

/* Master keys are 128 or 256 bits (flow/suite.c). */
static bool is_256(enum suite s)
{
	return suite_info(s)->key_len == 32;
}

size_t cipher_size(enum suite s)
{
	const size_t enc = offsetof(struct cipher, enc);

	if (suite_info(s)->is_aead)
		return sizeof(struct cipher);
	return enc + (is_256(s) ? sizeof(struct aes256_ctx)
				: sizeof(struct aes128_ctx));
}

struct prf {
	union {
		struct aes128_ctx aes128;
		struct aes256_ctx aes256;
	} u;
	nettle_cipher_func *encrypt;
	uint8_t x[14]; /* master salt, padded on the right with zeros */
};

/* RFC 3711 section 4.3.3: the counter mode keystream of (key_id XOR salt) *
 * 2^16; with a key derivation rate of zero key_id is the label in byte 7. */
static void derive(struct prf *p, uint8_t label, uint8_t *buf, size_t len)
{
	uint8_t iv[16] = {0};

	memcpy(iv, p->x, sizeof(p->x));
	iv[7] ^= label;
	memset(buf, 0, len);
	ctr_crypt(&p->u, p->encrypt, 16, iv, len, buf, buf);
	secret_wipe(iv, sizeof(iv));
}

static void set_key(struct cipher *c, const uint8_t *key)
{
	bool aead = suite_info(c->suite)->is_aead;

	if (aead && is_256(c->suite))
		gcm_aes256_set_key(&c->enc.gcm256, key);
	else if (aead)
		gcm_aes128_set_key(&c->enc.gcm128, key);
	else if (is_256(c->suite))
		aes256_set_encrypt_key(&c->enc.aes256, key);
	else
		aes128_set_encrypt_key(&c->enc.aes128, key);
}

static void prf_init(struct prf *p, const struct flow_key *k)
{
	*p = (struct prf){.encrypt = nettle_aes128.encrypt};
	memcpy(p->x, k->salt, suite_info(k->suite)->salt_len);
	if (is_256(k->suite)) {
		aes256_set_encrypt_key(&p->u.aes256, k->key);
		p->encrypt = nettle_aes256.encrypt;
	} else {
		aes128_set_encrypt_key(&p->u.aes128, k->key);
	}
}

void cipher_derive(const struct flow_key *k, uint8_t label, uint8_t *buf,
		   size_t len)
{
	struct prf p;

	prf_init(&p, k);
	derive(&p, label, buf, len);
	secret_wipe(&p, sizeof(p));
}

void cipher_init(struct cipher *c, const struct flow_key *k, uint8_t label)
{
	const struct suite_info *si = suite_info(k->suite);
	uint8_t buf[SUITE_KEY_MAX];
	struct prf p;

	memset(c, 0, cipher_size(k->suite));
	c->suite = k->suite;
	prf_init(&p, k);
	derive(&p, label, buf, si->key_len);
	set_key(c, buf);
	if (!si->is_aead) {
		derive(&p, label + 1, buf, AUTH_KEY_LEN);
		hmac_sha1_set_key(&c->mac, AUTH_KEY_LEN, buf);
	}
	derive(&p, label + 2, c->salt, si->salt_len);
	secret_wipe(buf, sizeof(buf));
	secret_wipe(&p, sizeof(p));
}

void cipher_done(struct cipher *c)
{
	secret_wipe(c, cipher_size(c->suite));
}

/* XOR the n low bytes of v, most significant first, to p. */
static void xor_be(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] ^= (uint8_t)(v >> (8 * (n - 1 - i)));
}

void cipher_ctr(struct cipher *c, uint32_t ssrc, uint64_t index, uint8_t *buf,
		size_t len)
{
	uint8_t iv[16] = {0};

	/* RFC 3711 section 4.1.1: (salt * 2^16) XOR (SSRC * 2^64) XOR
	 * (index * 2^16); the last 16 bits count blocks. */
	memcpy(iv, c->salt, sizeof(c->salt));
	xor_be(iv + 4, ssrc, 4);
	xor_be(iv + 8, index, 6);
	ctr_crypt(&c->enc,
		  is_256(c->suite) ? nettle_aes256.encrypt
				   : nettle_aes128.encrypt,
		  16, iv, len, buf, buf);
}

void cipher_hmac(struct cipher *c, struct slice msg, struct slice tail,
		 size_t tag_len, uint8_t *ret_tag)
{
	hmac_sha1_update(&c->mac, msg.len, msg.ptr);
	if (tail.len > 0)
		hmac_sha1_update(&c->mac, tail.len, tail.ptr);
	/* Leaves the context keyed and ready for the next message. */
	hmac_sha1_digest(&c->mac, tag_len, ret_tag);
}

/* RFC 7714 sections 8.1 and 9.1: two zero bytes, SSRC and the index in 48
 * bits (roll-over counter and sequence number, or the SRTCP index), XORed
 * with the session salt. */
static void gcm_iv(const struct cipher *c, const struct cipher_aead *op,
		   uint8_t *iv)
{
	memcpy(iv, c->salt, GCM_IV_LEN);
	xor_be(iv + 2, op->ssrc, 4);
	xor_be(iv + 6, op->index, 6);
}

typedef void gcm128_fn(struct gcm_aes128_ctx *ctx, size_t len, uint8_t *dst,
		       const uint8_t *src);
typedef void gcm256_fn(struct gcm_aes256_ctx *ctx, size_t len, uint8_t *dst,
		       const uint8_t *src);

/* Both directions differ in the one call that touches the text. */
static void gcm_run(struct cipher *c, const struct cipher_aead *op,
		    gcm128_fn *crypt128, gcm256_fn *crypt256, uint8_t *ret_tag)
{
	uint8_t iv[GCM_IV_LEN];

	gcm_iv(c, op, iv);
	if (is_256(c->suite)) {
		struct gcm_aes256_ctx *g = &c->enc.gcm256;

		gcm_aes256_set_iv(g, sizeof(iv), iv);
		gcm_aes256_update(g, op->aad.len, op->aad.ptr);
		crypt256(g, op->len, op->buf, op->buf);
		gcm_aes256_digest(g, GCM_DIGEST_SIZE, ret_tag);
	} else {
		struct gcm_aes128_ctx *g = &c->enc.gcm128;

		gcm_aes128_set_iv(g, sizeof(iv), iv);
		gcm_aes128_update(g, op->aad.len, op->aad.ptr);
		crypt128(g, op->len, op->buf, op->buf);
		gcm_aes128_digest(g, GCM_DIGEST_SIZE, ret_tag);
	}
}

void cipher_seal(struct cipher *c, const struct cipher_aead *op,
		 uint8_t *ret_tag)
{
	gcm_run(c, op, gcm_aes128_encrypt, gcm_aes256_encrypt, ret_tag);
}

void cipher_open(struct cipher *c, const struct cipher_aead *op,
		 uint8_t *ret_tag)
{
	gcm_run(c, op, gcm_aes128_decrypt, gcm_aes256_decrypt, ret_tag);
}
