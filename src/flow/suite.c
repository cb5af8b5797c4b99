#include "flow/suite.h"

#include "base/text.h"

/* The SRTCP tag of the _32 suites is 80 bits all the same (RFC 3711 section
 * 5.2, RFC 4568 section 6.2.2). An AEAD tag counts as the packet's growth. */
static const struct suite_info table[SUITE_COUNT] = {
	[SUITE_NONE] = {"none", 0, 0, 0, 0, 0},
	[SUITE_AES_CM_128_HMAC_SHA1_80] = {"AES_CM_128_HMAC_SHA1_80", 16, 14,
					   10, 10, 0},
	[SUITE_AES_CM_128_HMAC_SHA1_32] = {"AES_CM_128_HMAC_SHA1_32", 16, 14, 4,
					   10, 0},
	[SUITE_AEAD_AES_128_GCM] = {"AEAD_AES_128_GCM", 16, 12, 16, 16, 1},
	[SUITE_AES_256_CM_HMAC_SHA1_80] = {"AES_256_CM_HMAC_SHA1_80", 32, 14,
					   10, 10, 0},
	[SUITE_AES_256_CM_HMAC_SHA1_32] = {"AES_256_CM_HMAC_SHA1_32", 32, 14, 4,
					   10, 0},
	[SUITE_AEAD_AES_256_GCM] = {"AEAD_AES_256_GCM", 32, 12, 16, 16, 1},
};

const struct suite_info *suite_info(enum suite s)
{
	return &table[s < SUITE_COUNT ? s : SUITE_NONE];
}

int suite_find(struct slice name, enum suite *ret)
{
	for (unsigned s = SUITE_NONE + 1; s < SUITE_COUNT; s++) {
		if (!text_ieqs(name, table[s].name))
			continue;
		*ret = (enum suite)s;
		return 0;
	}
	return ERR_NOTFOUND;
}
