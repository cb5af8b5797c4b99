// SPDX-License-Identifier: GPL-2.0
#include "suite.h"

static const struct nf_srtp_suite_row nf_srtp_suites[] = {
	[NF_SRTP_SUITE_AES_CM_128_HMAC_SHA1_80] = {16, 14, 10, 10, false},
	[NF_SRTP_SUITE_AES_CM_128_HMAC_SHA1_32] = {16, 14, 4, 10, false},
	[NF_SRTP_SUITE_AEAD_AES_128_GCM] = {16, 12, 16, 16, true},
	[NF_SRTP_SUITE_AES_256_CM_HMAC_SHA1_80] = {32, 14, 10, 10, false},
	[NF_SRTP_SUITE_AES_256_CM_HMAC_SHA1_32] = {32, 14, 4, 10, false},
	[NF_SRTP_SUITE_AEAD_AES_256_GCM] = {32, 12, 16, 16, true},
};

const struct nf_srtp_suite_row *nf_srtp_suite_find(u32 number)
{
	if (number == NF_SRTP_SUITE_NONE || number > NF_SRTP_SUITE_MAX)
		return NULL;
	return &nf_srtp_suites[number];
}
