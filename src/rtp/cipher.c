#include "rtp/cipher.h"

#include <nettle/ctr.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha1.h>

#include "base/be.h"
#include "base/secret.h"

enum {
	AUTH_KEY_LEN = 20,
	GCM_IV_LEN = 12,
	SHA1_BLOCK = 64,
	SHA1_LEN_AT = 56, /* in the last block: the length in bits */
	TAIL_MAX = 4
};

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

/* SHA-1 after one block: the key, each byte changed by pad. */
static void keyed(uint32_t state[5], const uint8_t key[AUTH_KEY_LEN],
		  uint8_t pad)
{
	struct sha1_ctx begin;
	uint8_t block[SHA1_BLOCK];

	for (size_t i = 0; i < SHA1_BLOCK; i++)
		block[i] = pad ^ (i < AUTH_KEY_LEN ? key[i] : 0);
	sha1_init(&begin);
	memcpy(state, begin.state, sizeof(begin.state));
	nettle_sha1_compress(state, block);
	secret_wipe(block, sizeof(block));
}

/* The end of a message of total bytes, of which end holds the last (< 64 +
 * TAIL_MAX): RFC 3174 section 4. end has room for two blocks. */
static void finish(uint32_t state[5], uint8_t *end, size_t len, size_t total)
{
	size_t blocks = len < SHA1_LEN_AT ? 1 : 2;
	uint8_t *at = end + (blocks - 1) * SHA1_BLOCK + SHA1_LEN_AT;

	memset(end + len, 0, blocks * SHA1_BLOCK - len);
	end[len] = 0x80;
	put_be32(at, (uint32_t)((uint64_t)total >> 29));
	put_be32(at + 4, (uint32_t)total << 3);
	for (size_t i = 0; i < blocks; i++)
		nettle_sha1_compress(state, end + i * SHA1_BLOCK);
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
		keyed(c->mac.inner, buf, 0x36);
		keyed(c->mac.outer, buf, 0x5c);
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

void cipher_hmac(const struct cipher *c, struct slice msg, struct slice tail,
		 size_t tag_len, uint8_t *ret_tag)
{
	size_t whole = msg.len / SHA1_BLOCK * SHA1_BLOCK,
	       rest = msg.len - whole;
	uint8_t end[2 * SHA1_BLOCK], tag[SHA1_DIGEST_SIZE];
	uint32_t state[5];

	memcpy(state, c->mac.inner, sizeof(state));
	for (size_t i = 0; i < whole; i += SHA1_BLOCK)
		nettle_sha1_compress(state, msg.ptr + i);
	if (rest > 0)
		memcpy(end, msg.ptr + whole, rest);
	if (tail.len > 0)
		memcpy(end + rest, tail.ptr, tail.len);
	finish(state, end, rest + tail.len, SHA1_BLOCK + msg.len + tail.len);
	for (size_t i = 0; i < 5; i++)
		put_be32(end + 4 * i, state[i]);
	memcpy(state, c->mac.outer, sizeof(state));
	finish(state, end, sizeof(tag), SHA1_BLOCK + sizeof(tag));
	for (size_t i = 0; i < 5; i++)
		put_be32(tag + 4 * i, state[i]);
	memcpy(ret_tag, tag, tag_len);
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
