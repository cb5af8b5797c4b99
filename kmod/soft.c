// SPDX-License-Identifier: GPL-2.0
#include "soft.h"

enum { BLOCK = 16, SHA1_BLOCK = 64 };

static void nf_srtp_ctr(const struct crypto_aes_ctx *aes, u8 *iv, u32 iv_len,
			u8 *data, u32 len)
{
	u8 stream[BLOCK];
	u32 i, n;
	int at;

	while (len) {
		aes_encrypt(aes, stream, iv);
		n = len < BLOCK ? len : BLOCK;
		for (i = 0; i < n; i++)
			data[i] ^= stream[i];
		data += n;
		len -= n;
		for (at = BLOCK - 1; at >= (int)iv_len && !++iv[at]; at--)
			;
	}
	memzero_explicit(stream, sizeof(stream));
}

void nf_srtp_soft_ctr(const u8 *key, u32 key_len, const u8 *iv, u8 *data,
		      u32 len)
{
	struct crypto_aes_ctx aes;
	u8 block[BLOCK];

	aes_expandkey(&aes, key, key_len);
	memcpy(block, iv, BLOCK);
	nf_srtp_ctr(&aes, block, BLOCK - 2, data, len);
	memzero_explicit(&aes, sizeof(aes));
}

/* GF(2^128) of NIST SP 800-38D section 6.3, high half first. */
struct nf_srtp_u128 {
	u64 hi;
	u64 lo;
};

static struct nf_srtp_u128 nf_srtp_load(const u8 *p)
{
	struct nf_srtp_u128 v;

	v.hi = (u64)nf_srtp_get32(p) << 32 | nf_srtp_get32(p + 4);
	v.lo = (u64)nf_srtp_get32(p + 8) << 32 | nf_srtp_get32(p + 12);
	return v;
}

static void nf_srtp_store(u8 *p, struct nf_srtp_u128 v)
{
	nf_srtp_put32(p, v.hi >> 32);
	nf_srtp_put32(p + 4, v.hi);
	nf_srtp_put32(p + 8, v.lo >> 32);
	nf_srtp_put32(p + 12, v.lo);
}

static struct nf_srtp_u128 nf_srtp_multiply(struct nf_srtp_u128 x,
					    struct nf_srtp_u128 v)
{
	struct nf_srtp_u128 z = {0, 0};
	u64 take, carry;
	int i;

	for (i = 0; i < 128; i++) {
		take = -((i < 64 ? x.hi >> (63 - i) : x.lo >> (127 - i)) & 1);
		z.hi ^= v.hi & take;
		z.lo ^= v.lo & take;
		carry = -(v.lo & 1);
		v.lo = v.lo >> 1 | v.hi << 63;
		v.hi = v.hi >> 1 ^ (carry & 0xe100000000000000ull);
	}
	return z;
}

static struct nf_srtp_u128 nf_srtp_ghash(struct nf_srtp_u128 y,
					 struct nf_srtp_u128 h, const u8 *p,
					 u32 len)
{
	struct nf_srtp_u128 x;
	u8 block[BLOCK];
	u32 n;

	for (; len; p += n, len -= n) {
		n = len < BLOCK ? len : BLOCK;
		memset(block, 0, sizeof(block));
		memcpy(block, p, n);
		x = nf_srtp_load(block);
		y.hi ^= x.hi;
		y.lo ^= x.lo;
		y = nf_srtp_multiply(y, h);
	}
	return y;
}

/* The tag of what op has encrypted, or will decrypt. */
static void nf_srtp_tag(const struct crypto_aes_ctx *aes,
			const struct nf_srtp_aead *op, u8 *tag)
{
	struct nf_srtp_u128 h, y = {0, 0};
	u8 block[BLOCK] = {0};

	aes_encrypt(aes, block, block);
	h = nf_srtp_load(block);
	y = nf_srtp_ghash(y, h, op->aad, op->aad_len);
	y = nf_srtp_ghash(y, h, op->data, op->len);
	y.hi ^= (u64)op->aad_len * 8;
	y.lo ^= (u64)op->len * 8;
	y = nf_srtp_multiply(y, h);
	memcpy(block, op->iv, NF_SRTP_IV_BYTES);
	nf_srtp_put32(block + NF_SRTP_IV_BYTES, 1);
	aes_encrypt(aes, block, block);
	nf_srtp_store(tag, y);
	crypto_xor(tag, block, BLOCK);
	memzero_explicit(&h, sizeof(h));
	memzero_explicit(block, sizeof(block));
}

static void nf_srtp_gcm_ctr(const struct crypto_aes_ctx *aes,
			    const struct nf_srtp_aead *op)
{
	u8 block[BLOCK];

	memcpy(block, op->iv, NF_SRTP_IV_BYTES);
	nf_srtp_put32(block + NF_SRTP_IV_BYTES, 2);
	nf_srtp_ctr(aes, block, NF_SRTP_IV_BYTES, op->data, op->len);
}

void nf_srtp_soft_seal(const struct nf_srtp_aead *op, u8 *tag)
{
	struct crypto_aes_ctx aes;

	aes_expandkey(&aes, op->key, op->key_len);
	nf_srtp_gcm_ctr(&aes, op);
	nf_srtp_tag(&aes, op, tag);
	memzero_explicit(&aes, sizeof(aes));
}

static bool nf_srtp_verify(const struct crypto_aes_ctx *aes,
			   const struct nf_srtp_aead *op, const u8 *tag)
{
	u8 want[BLOCK];
	bool is_good;

	nf_srtp_tag(aes, op, want);
	is_good = !crypto_memneq(want, tag, BLOCK);
	memzero_explicit(want, sizeof(want));
	return is_good;
}

bool nf_srtp_soft_check(const struct nf_srtp_aead *op, const u8 *tag)
{
	struct crypto_aes_ctx aes;
	bool is_good;

	aes_expandkey(&aes, op->key, op->key_len);
	is_good = nf_srtp_verify(&aes, op, tag);
	memzero_explicit(&aes, sizeof(aes));
	return is_good;
}

bool nf_srtp_soft_open(const struct nf_srtp_aead *op, const u8 *tag)
{
	struct crypto_aes_ctx aes;
	bool is_good;

	aes_expandkey(&aes, op->key, op->key_len);
	is_good = nf_srtp_verify(&aes, op, tag);
	if (is_good)
		nf_srtp_gcm_ctr(&aes, op);
	memzero_explicit(&aes, sizeof(aes));
	return is_good;
}

static void nf_srtp_pad_state(const u8 *key, u32 len, u8 pad, u32 *state)
{
	u32 work[SHA1_WORKSPACE_WORDS];
	u8 block[SHA1_BLOCK];
	u32 i;

	memset(block, pad, sizeof(block));
	for (i = 0; i < len; i++)
		block[i] ^= key[i];
	sha1_init(state);
	sha1_transform(state, (const char *)block, work);
	memzero_explicit(block, sizeof(block));
	memzero_explicit(work, sizeof(work));
}

void nf_srtp_soft_mac_key(const u8 *key, u32 len, u32 *inner, u32 *outer)
{
	nf_srtp_pad_state(key, len, 0x36, inner);
	nf_srtp_pad_state(key, len, 0x5c, outer);
}

/* SHA-1 of data behind one block that start is the state after. */
static void nf_srtp_sha1(const u32 *start, const u8 *data, u32 len, u8 *hash)
{
	u32 work[SHA1_WORKSPACE_WORDS];
	u32 state[NF_SRTP_SHA1_WORDS];
	u8 block[SHA1_BLOCK];
	u32 left = len;
	int i;

	memcpy(state, start, sizeof(state));
	for (; left >= SHA1_BLOCK; left -= SHA1_BLOCK, data += SHA1_BLOCK)
		sha1_transform(state, (const char *)data, work);
	memset(block, 0, sizeof(block));
	memcpy(block, data, left);
	block[left] = 0x80;
	if (left >= SHA1_BLOCK - 8) {
		sha1_transform(state, (const char *)block, work);
		memset(block, 0, sizeof(block));
	}
	nf_srtp_put32(block + SHA1_BLOCK - 4, (len + SHA1_BLOCK) * 8);
	sha1_transform(state, (const char *)block, work);
	for (i = 0; i < NF_SRTP_SHA1_WORDS; i++)
		nf_srtp_put32(hash + 4 * i, state[i]);
	memzero_explicit(state, sizeof(state));
	memzero_explicit(work, sizeof(work));
}

void nf_srtp_soft_mac(const u32 *inner, const u32 *outer, const u8 *data,
		      u32 len, u8 *mac)
{
	nf_srtp_sha1(inner, data, len, mac);
	nf_srtp_sha1(outer, mac, NF_SRTP_SHA1_BYTES, mac);
}
