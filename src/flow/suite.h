/*
 * SRTP crypto suites: names and lengths (RFC 3711, 4568, 6188, 7714). One row
 * per suite; policy names them as SDP does.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum suite {
	SUITE_NONE = 0, /* plain RTP */
	SUITE_AES_CM_128_HMAC_SHA1_80 = 1,
	SUITE_AES_CM_128_HMAC_SHA1_32 = 2,
	SUITE_AEAD_AES_128_GCM = 3,
	SUITE_AES_256_CM_HMAC_SHA1_80 = 4,
	SUITE_AES_256_CM_HMAC_SHA1_32 = 5,
	SUITE_AEAD_AES_256_GCM = 6,
	SUITE_COUNT = 7
};

enum {
	SUITE_KEY_MAX = 32,  /* bytes of master key, largest suite */
	SUITE_SALT_MAX = 14, /* bytes of master salt, largest suite */
	SUITE_INLINE_MAX = SUITE_KEY_MAX + SUITE_SALT_MAX,
	SUITE_TRAILER_MAX = 16 + 4 /* bytes a packet grows: tag and index */
};

struct suite_info {
	const char *name;     /* as in a=crypto; "none" for SUITE_NONE */
	uint8_t key_len;      /* bytes of master key */
	uint8_t salt_len;     /* bytes of master salt */
	uint8_t rtp_tag_len;  /* bytes appended to an RTP packet */
	uint8_t rtcp_tag_len; /* bytes of tag in SRTCP, without the index */
	uint8_t is_aead;      /* 1 for GCM */
};

/* Facts of a suite; s must be below SUITE_COUNT. Static, never NULL. */
const struct suite_info *suite_info(enum suite s);
/* Suite with this a=crypto name (case-insensitive); ERR_NOTFOUND. */
MUST_CHECK int suite_find(struct slice name, enum suite *ret);
