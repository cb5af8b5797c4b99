/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ciphers without the vector unit: for key derivation, for RTCP, which is
 * rare, and for the packet that arrives while the unit is in use. Needs
 * nothing but AES and SHA-1 block by block (lib/crypto). Pure; the key schedule
 * is made on the stack for each call and wiped, so nothing is kept for a path
 * that is seldom taken. GHASH is done bit by bit, without tables: constant
 * time.
 */
#ifndef _NF_SRTP_SOFT_H
#define _NF_SRTP_SOFT_H

#include "port.h"

enum { NF_SRTP_SHA1_WORDS = 5, NF_SRTP_SHA1_BYTES = 20, NF_SRTP_IV_BYTES = 12 };

struct nf_srtp_aead {
	const u8 *key;
	u32 key_len;
	const u8 *iv; /* NF_SRTP_IV_BYTES */
	const u8 *aad;
	u32 aad_len;
	u8 *data; /* en- or decrypted in place */
	u32 len;
};

/* XOR the AES keystream of counter block iv (16 bytes, big-endian counter in
 * the last two) over data.
 */
void nf_srtp_soft_ctr(const u8 *key, u32 key_len, const u8 *iv, u8 *data,
		      u32 len);
/* Encrypt; 16 bytes to tag. */
void nf_srtp_soft_seal(const struct nf_srtp_aead *op, u8 *tag);
/* Decrypt if tag is right; false: it is not, data is unchanged. */
bool nf_srtp_soft_open(const struct nf_srtp_aead *op, const u8 *tag);
/* Is tag right? Nothing is decrypted. */
bool nf_srtp_soft_check(const struct nf_srtp_aead *op, const u8 *tag);
/* The SHA-1 states after the inner and the outer padded key of an HMAC. */
void nf_srtp_soft_mac_key(const u8 *key, u32 len, u32 *inner, u32 *outer);
/* HMAC-SHA1 of data under those states. */
void nf_srtp_soft_mac(const u32 *inner, const u32 *outer, const u8 *data,
		      u32 len, u8 *mac);

#endif
