/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Headers of RTP and RTCP (RFC 3550 sections 5.1, 5.3.1, 6.1; RFC 5761 section
 * 4; RFC 7983). Pure: every length of a packet is proven here, so the others
 * may index.
 */
#ifndef _NF_SRTP_RTP_H
#define _NF_SRTP_RTP_H

#include "port.h"

enum {
	NF_SRTP_RTP_MIN = 12, /* bytes of a header without CSRC, extension */
	NF_SRTP_RTCP_MIN = 8, /* bytes that SRTCP leaves in the clear */
	NF_SRTP_PACKET_MAX = 1800 /* bytes of the longest payload relayed */
};

enum nf_srtp_kind {
	NF_SRTP_KIND_RTP,
	NF_SRTP_KIND_RTCP,
	NF_SRTP_KIND_OTHER /* STUN, DTLS, anything */
};

/* A packet on its way. data has room for cap bytes. */
struct nf_srtp_packet {
	u8 *data;
	u32 len;
	u32 cap;
	u32 ssrc;
	u32 header_len; /* bytes before what is encrypted */
	u16 seq;	/* RTP */
	u8 pt;		/* RTP, 0..127 */
	bool is_rtcp;	/* by content */
};

/* What the first bytes say it is. */
enum nf_srtp_kind nf_srtp_kind(const u8 *p, u32 len);
/* Fill in what the header of p->data says; false: version, or CSRC list or
 * extension beyond the end. p->is_rtcp says which header.
 */
bool nf_srtp_parse(struct nf_srtp_packet *p);
/* Do the versions and lengths of a plain compound packet chain to its end? */
bool nf_srtp_rtcp_check(const u8 *p, u32 len);

#endif
