/* SPDX-License-Identifier: GPL-2.0 */
/* SRTP suites, a row each (RFC 3711, 4568, 6188, 7714). Pure. */
#ifndef _NF_SRTP_SUITE_H
#define _NF_SRTP_SUITE_H

#include "port.h"
#include "uapi/nf_srtp.h"

enum {
	NF_SRTP_KEY_BYTES = 32,	 /* of the longest master key */
	NF_SRTP_SALT_BYTES = 14, /* of the longest master salt */
	NF_SRTP_TAG_BYTES = 16,	 /* of the longest tag on the wire */
	NF_SRTP_MKI_BYTES = 16,	 /* of the longest MKI */
	NF_SRTP_INDEX_BYTES = 4, /* of E bit and index in SRTCP */
	/* How much a packet may grow. */
	NF_SRTP_GROWTH =
		NF_SRTP_TAG_BYTES + NF_SRTP_MKI_BYTES + NF_SRTP_INDEX_BYTES
};

struct nf_srtp_suite_row {
	u8 key_len;
	u8 salt_len;
	u8 rtp_tag_len;
	u8 rtcp_tag_len; /* 80 bits even where RTP has 32 */
	bool is_aead;
};

/* NULL: unknown, or NF_SRTP_SUITE_NONE. */
const struct nf_srtp_suite_row *nf_srtp_suite_find(u32 number);

#endif
