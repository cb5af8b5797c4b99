// SPDX-License-Identifier: GPL-2.0
#include "crypto.h"
#include "driver.h"

enum { IV_BYTES = 16, LABEL_AT = 7 };

/* RFC 3711 section 4.3.3; the salt of the AEAD suites is padded to 14 bytes
 * (RFC 7714 section 11).
 */
void nf_srtp_derive(const struct nf_srtp_suite_row *suite, const u8 *key,
		    const u8 *salt, u8 label, u8 *out, u32 len)
{
	u8 iv[IV_BYTES] = {0};

	memcpy(iv, salt, suite->salt_len);
	iv[LABEL_AT] ^= label;
	memset(out, 0, len);
	nf_srtp_soft_ctr(key, suite->key_len, iv, out, len);
	memzero_explicit(iv, sizeof(iv));
}

int nf_srtp_session_init(struct nf_srtp_session *s,
			 const struct nf_srtp_suite_row *suite, const u8 *key,
			 const u8 *salt, u8 label, bool is_fast)
{
	u8 auth[NF_SRTP_SHA1_BYTES];
	int err = 0;

	memset(s, 0, sizeof(*s));
	s->key_len = suite->key_len;
	s->is_aead = suite->is_aead;
	nf_srtp_derive(suite, key, salt, label, s->key, s->key_len);
	nf_srtp_derive(suite, key, salt, label + 2, s->salt, suite->salt_len);
	if (!suite->is_aead) {
		nf_srtp_derive(suite, key, salt, label + 1, auth, sizeof(auth));
		nf_srtp_soft_mac_key(auth, sizeof(auth), s->inner, s->outer);
		memzero_explicit(auth, sizeof(auth));
	}
	if (is_fast)
		err = nf_srtp_driver_alloc(s->is_aead, s->key, s->key_len,
					   &s->tfm);
	return err;
}

void nf_srtp_session_done(struct nf_srtp_session *s)
{
	if (s->tfm)
		nf_srtp_driver_free(s->is_aead, s->tfm);
	memzero_explicit(s, sizeof(*s));
}

static void nf_srtp_put48(u8 *p, u64 v)
{
	p[0] ^= v >> 40;
	p[1] ^= v >> 32;
	p[2] ^= v >> 24;
	p[3] ^= v >> 16;
	p[4] ^= v >> 8;
	p[5] ^= v;
}

static void nf_srtp_xor32(u8 *p, u32 v)
{
	p[0] ^= v >> 24;
	p[1] ^= v >> 16;
	p[2] ^= v >> 8;
	p[3] ^= v;
}

/* RFC 3711 section 4.1.1: (salt * 2^16) ^ (SSRC * 2^64) ^ (index * 2^16) */
static void nf_srtp_ctr_iv(const struct nf_srtp_session *s, u32 ssrc, u64 index,
			   u8 *iv)
{
	memcpy(iv, s->salt, NF_SRTP_SALT_BYTES);
	iv[14] = 0;
	iv[15] = 0;
	nf_srtp_xor32(iv + 4, ssrc);
	nf_srtp_put48(iv + 8, index);
}

/* RFC 7714 sections 8.1 and 9.1, in one: the SRTCP index has 31 bits. */
static void nf_srtp_gcm_iv(const struct nf_srtp_session *s, u32 ssrc, u64 index,
			   u8 *iv)
{
	memcpy(iv, s->salt, NF_SRTP_IV_BYTES);
	nf_srtp_xor32(iv + 2, ssrc);
	nf_srtp_put48(iv + 6, index);
}

/* There is a driver, and it could not. */
static void nf_srtp_was_soft(struct nf_srtp_session *s)
{
	if (s->tfm)
		WRITE_ONCE(s->soft, READ_ONCE(s->soft) + 1);
}

/* What a driver has begun is never done again: where it came to the text would
 * be in the clear, under a tag that is right.
 */
static int nf_srtp_stat_of(enum nf_srtp_driven driven)
{
	if (driven == NF_SRTP_DRIVEN_DONE)
		return 0;
	return driven == NF_SRTP_DRIVEN_FORGED ? NF_SRTP_STAT_AUTH_FAIL
					       : NF_SRTP_STAT_NO_MEM;
}

int nf_srtp_session_ctr(struct nf_srtp_session *s, u32 ssrc, u64 index,
			u8 *data, u32 len)
{
	enum nf_srtp_driven driven = NF_SRTP_DRIVEN_NOT;
	u8 iv[IV_BYTES];

	nf_srtp_ctr_iv(s, ssrc, index, iv);
	if (s->tfm)
		driven = nf_srtp_driver_ctr(s->tfm, iv, data, len);
	if (driven != NF_SRTP_DRIVEN_NOT)
		return nf_srtp_stat_of(driven);
	nf_srtp_was_soft(s);
	nf_srtp_soft_ctr(s->key, s->key_len, iv, data, len);
	return 0;
}

void nf_srtp_session_mac(struct nf_srtp_session *s, const u8 *data, u32 len,
			 u8 *mac)
{
	if (!nf_srtp_driver_mac(s->inner, s->outer, data, len, mac))
		nf_srtp_soft_mac(s->inner, s->outer, data, len, mac);
}

static void nf_srtp_soft_parts(const struct nf_srtp_session *s, const u8 *iv,
			       const struct nf_srtp_piece *p,
			       struct nf_srtp_aead *op)
{
	op->key = s->key;
	op->key_len = s->key_len;
	op->iv = iv;
	op->aad = p->data;
	op->aad_len = p->aad_len;
	op->data = p->data + p->aad_len;
	op->len = p->len;
}

int nf_srtp_session_seal(struct nf_srtp_session *s, u32 ssrc, u64 index,
			 const struct nf_srtp_piece *p)
{
	enum nf_srtp_driven driven = NF_SRTP_DRIVEN_NOT;
	u8 iv[NF_SRTP_IV_BYTES];
	struct nf_srtp_aead op;

	nf_srtp_gcm_iv(s, ssrc, index, iv);
	if (s->tfm)
		driven = nf_srtp_driver_seal(s->tfm, iv, p);
	if (driven != NF_SRTP_DRIVEN_NOT)
		return nf_srtp_stat_of(driven);
	nf_srtp_was_soft(s);
	nf_srtp_soft_parts(s, iv, p, &op);
	nf_srtp_soft_seal(&op, p->data + p->aad_len + p->len);
	return 0;
}

int nf_srtp_session_open(struct nf_srtp_session *s, u32 ssrc, u64 index,
			 const struct nf_srtp_piece *p, bool keep, bool careful)
{
	const u8 *tag = p->data + p->aad_len + p->len;
	enum nf_srtp_driven driven = NF_SRTP_DRIVEN_NOT;
	u8 iv[NF_SRTP_IV_BYTES];
	struct nf_srtp_aead op;
	bool is_good;

	nf_srtp_gcm_iv(s, ssrc, index, iv);
	if (s->tfm)
		driven = nf_srtp_driver_open(s->tfm, iv, p, keep, careful);
	if (driven != NF_SRTP_DRIVEN_NOT)
		return nf_srtp_stat_of(driven);
	nf_srtp_was_soft(s);
	nf_srtp_soft_parts(s, iv, p, &op);
	is_good = keep ? nf_srtp_soft_check(&op, tag)
		       : nf_srtp_soft_open(&op, tag);
	return is_good ? 0 : NF_SRTP_STAT_AUTH_FAIL;
}

void nf_srtp_session_seal_parts(struct nf_srtp_session *s, u32 ssrc, u64 index,
				const struct nf_srtp_aead *parts, u8 *tag)
{
	struct nf_srtp_aead op = *parts;
	u8 iv[NF_SRTP_IV_BYTES];

	nf_srtp_gcm_iv(s, ssrc, index, iv);
	op.key = s->key;
	op.key_len = s->key_len;
	op.iv = iv;
	nf_srtp_soft_seal(&op, tag);
}

bool nf_srtp_session_open_parts(struct nf_srtp_session *s, u32 ssrc, u64 index,
				const struct nf_srtp_aead *parts, const u8 *tag,
				bool keep)
{
	struct nf_srtp_aead op = *parts;
	u8 iv[NF_SRTP_IV_BYTES];

	nf_srtp_gcm_iv(s, ssrc, index, iv);
	op.key = s->key;
	op.key_len = s->key_len;
	op.iv = iv;
	return keep ? nf_srtp_soft_check(&op, tag)
		    : nf_srtp_soft_open(&op, tag);
}
