/*
 * The primitives of the SRTP suites over nettle, which GnuTLS brings along and
 * which uses the processor's AES and SHA instructions: key derivation
 * (RFC 3711 section 4.3, RFC 6188 section 3, RFC 7714 section 11), AES counter
 * mode, HMAC-SHA1 and AES-GCM. Session keys live in struct cipher and nowhere
 * else; cipher_done wipes them. The only file pair that includes nettle.
 */
#pragma once

#include <stdint.h>

#include <nettle/aes.h>
#include <nettle/gcm.h>

#include "base/slice.h"
#include "flow/flow.h"

enum {
	CIPHER_LABEL_RTP = 0,	  /* first of the three RTP labels */
	CIPHER_LABEL_RTCP = 3,	  /* first of the three RTCP labels */
	CIPHER_LABEL_PRINT = 0x73 /* no label of the RFCs: see rtp_srtp_print */
};

/* HMAC-SHA1 between messages: what SHA-1 is after the block of the key (RFC 2104
 * section 4). A tenth of nettle's context, which holds three blocks. */
struct cipher_mac {
	uint32_t inner[5], outer[5];
};

/* A GCM context carries a table of 4 kB and the others do not: allocate
 * cipher_size bytes, not sizeof. */
struct cipher {
	uint8_t salt[SUITE_SALT_MAX]; /* session salt */
	enum suite suite;
	struct cipher_mac mac; /* not for GCM */
	union {
		struct aes128_ctx aes128;
		struct aes256_ctx aes256;
		struct gcm_aes128_ctx gcm128;
		struct gcm_aes256_ctx gcm256;
	} enc;
};

/* Bytes of a struct cipher for suite s. */
size_t cipher_size(enum suite s);
/* Derive the session keys of master key k (not SUITE_NONE) for label
 * CIPHER_LABEL_RTP or CIPHER_LABEL_RTCP. */
void cipher_init(struct cipher *c, const struct flow_key *k, uint8_t label);
/* Derive len bytes from master key k (not SUITE_NONE) for one label. */
void cipher_derive(const struct flow_key *k, uint8_t label, uint8_t *buf,
		   size_t len);
/* Wipe c, cipher_size bytes of it. */
void cipher_done(struct cipher *c);
/*
 * En- or decrypt len bytes at buf in place with AES in counter mode for the
 * packet index of ssrc: RTP 48 bits, RTCP 31. Not for GCM suites.
 */
void cipher_ctr(struct cipher *c, uint32_t ssrc, uint64_t index, uint8_t *buf,
		size_t len);
/* HMAC-SHA1 over msg followed by tail (<= 4 bytes), first tag_len (<= 20)
 * bytes to ret_tag. Not for GCM suites. */
void cipher_hmac(const struct cipher *c, struct slice msg, struct slice tail,
		 size_t tag_len, uint8_t *ret_tag);
/* One AES-GCM operation, in place. */
struct cipher_aead {
	uint32_t ssrc;
	uint64_t index;	  /* RTP 48 bits, RTCP 31 */
	struct slice aad; /* authenticated only */
	uint8_t *buf;	  /* authenticated and encrypted */
	size_t len;	  /* bytes at buf */
};

/* Encrypt op's buffer; 16 bytes of tag to ret_tag. GCM suites only. */
void cipher_seal(struct cipher *c, const struct cipher_aead *op,
		 uint8_t *ret_tag);
/* Decrypt op's buffer; ret_tag gets the tag it should have had: the caller
 * compares, and drops the buffer when they differ. GCM suites only. */
void cipher_open(struct cipher *c, const struct cipher_aead *op,
		 uint8_t *ret_tag);
