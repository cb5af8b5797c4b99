/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ciphers of a session key: the kernel's fastest synchronous drivers where
 * the vector unit may be used, soft.c where not. The same file compiles in user
 * space, where everything is soft.
 *
 * Context: bottom halves off, except init and done.
 */
#ifndef _NF_SRTP_CRYPTO_H
#define _NF_SRTP_CRYPTO_H

#include "port.h"
#include "soft.h"
#include "suite.h"

/* Session keys of RTP or RTCP. */
struct nf_srtp_session {
	void *tfm; /* struct crypto_skcipher or crypto_aead; NULL: soft */
	u32 inner[NF_SRTP_SHA1_WORDS]; /* HMAC states */
	u32 outer[NF_SRTP_SHA1_WORDS];
	u8 key[NF_SRTP_KEY_BYTES];
	u8 salt[NF_SRTP_SALT_BYTES];
	u8 key_len;
	bool is_aead;
	u32 soft; /* packets the driver could not do; about */
};

/* Bytes of one AEAD packet, all in one piece: aad, text, tag. */
struct nf_srtp_piece {
	u8 *data;
	u32 aad_len;
	u32 len; /* of the text */
};

/* First of the three labels of RFC 3711 section 4.3.2, and one of our own. */
enum {
	NF_SRTP_LABEL_RTP = 0,
	NF_SRTP_LABEL_RTCP = 3,
	NF_SRTP_LABEL_PRINT = 0x73
};

/* Derive len bytes from a master key under a label. */
void nf_srtp_derive(const struct nf_srtp_suite_row *suite, const u8 *key,
		    const u8 *salt, u8 label, u8 *out, u32 len);
/* Derive a session's keys; is_fast: with a driver. -ENOMEM, -EOPNOTSUPP. */
int nf_srtp_session_init(struct nf_srtp_session *s,
			 const struct nf_srtp_suite_row *suite, const u8 *key,
			 const u8 *salt, u8 label, bool is_fast);
void nf_srtp_session_done(struct nf_srtp_session *s);
/* AES counter mode in place. 0, or NF_SRTP_STAT_NO_MEM: data is of no use. */
int nf_srtp_session_ctr(struct nf_srtp_session *s, u32 ssrc, u64 index,
			u8 *data, u32 len);
/* HMAC-SHA1. */
void nf_srtp_session_mac(struct nf_srtp_session *s, const u8 *data, u32 len,
			 u8 *mac);
/* AES-GCM over one piece, in place; the tag is, or goes, behind it. 0, or
 * NF_SRTP_STAT_NO_MEM: it is of no use.
 */
int nf_srtp_session_seal(struct nf_srtp_session *s, u32 ssrc, u64 index,
			 const struct nf_srtp_piece *p);
/* keep: only check. NF_SRTP_STAT_AUTH_FAIL: the tag is wrong, or
 * NF_SRTP_STAT_NO_MEM; then the text is as it was, if keep or careful.
 */
int nf_srtp_session_open(struct nf_srtp_session *s, u32 ssrc, u64 index,
			 const struct nf_srtp_piece *p, bool keep,
			 bool careful);
/* The same for SRTCP, whose aad is in two pieces; always soft. */
void nf_srtp_session_seal_parts(struct nf_srtp_session *s, u32 ssrc, u64 index,
				const struct nf_srtp_aead *parts, u8 *tag);
bool nf_srtp_session_open_parts(struct nf_srtp_session *s, u32 ssrc, u64 index,
				const struct nf_srtp_aead *parts, const u8 *tag,
				bool keep);

#endif
