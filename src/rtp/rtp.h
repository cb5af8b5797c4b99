/*
 * Reading RTP and RTCP headers (RFC 3550 sections 5.1, 5.3.1, 6.1) and telling
 * apart what shares a media port (RFC 5761 section 4, RFC 7983). Views only;
 * every length is proven here, so srtp.c may index.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum rtp_kind {
	RTP_KIND_RTP,
	RTP_KIND_RTCP,
	RTP_KIND_STUN,
	RTP_KIND_DTLS,
	RTP_KIND_OTHER
};

enum {
	RTP_HDR_MIN = 12, /* bytes of a header without CSRC or extension */
	RTCP_HDR_MIN = 8  /* bytes of the part SRTCP leaves in the clear */
};

struct rtp_hdr {
	uint8_t pt; /* payload type, 0..127 */
	bool marker;
	uint16_t seq;
	uint32_t timestamp;
	uint32_t ssrc;
	size_t header_len; /* bytes up to the payload, extension included */
};

/* What the first two bytes of pkt say it is. O(1). */
enum rtp_kind rtp_kind(struct slice pkt);
/* Read the header of an RTP or SRTP packet. ERR_BAD: not version 2, or
 * CSRC list or extension reach past the end. */
MUST_CHECK int rtp_parse(struct slice pkt, struct rtp_hdr *ret);
/* Read the sender's SSRC of an RTCP or SRTCP packet. ERR_BAD: not version
 * 2, or shorter than RTCP_HDR_MIN. */
MUST_CHECK int rtcp_parse(struct slice pkt, uint32_t *ret_ssrc);
/* Check a plain compound packet: versions and lengths chain exactly to its
 * end. ERR_BAD otherwise. O(length). */
MUST_CHECK int rtcp_check(struct slice pkt);
