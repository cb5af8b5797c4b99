// SPDX-License-Identifier: GPL-2.0
#include "rtp.h"

enum nf_srtp_kind nf_srtp_kind(const u8 *p, u32 len)
{
	if (len < 2 || p[0] >> 6 != 2)
		return NF_SRTP_KIND_OTHER;
	/* RTCP packet types 192..223: the RTP payload types that would look
	 * like them are not used (RFC 5761).
	 */
	if (p[1] >= 192 && p[1] < 224)
		return NF_SRTP_KIND_RTCP;
	return NF_SRTP_KIND_RTP;
}

static bool nf_srtp_parse_rtp(struct nf_srtp_packet *p)
{
	const u8 *b = p->data;
	u32 len;

	if (p->len < NF_SRTP_RTP_MIN || b[0] >> 6 != 2)
		return false;
	len = NF_SRTP_RTP_MIN + (b[0] & 0x0f) * 4;
	if (b[0] & 0x10) {
		if (p->len < len + 4)
			return false;
		len += 4 + nf_srtp_get16(b + len + 2) * 4;
	}
	if (p->len < len)
		return false;
	p->header_len = len;
	p->pt = b[1] & 0x7f;
	p->seq = nf_srtp_get16(b + 2);
	p->ssrc = nf_srtp_get32(b + 8);
	return true;
}

static bool nf_srtp_parse_rtcp(struct nf_srtp_packet *p)
{
	if (p->len < NF_SRTP_RTCP_MIN || p->data[0] >> 6 != 2)
		return false;
	p->header_len = NF_SRTP_RTCP_MIN;
	p->pt = 0;
	p->seq = 0;
	p->ssrc = nf_srtp_get32(p->data + 4);
	return true;
}

bool nf_srtp_parse(struct nf_srtp_packet *p)
{
	return p->is_rtcp ? nf_srtp_parse_rtcp(p) : nf_srtp_parse_rtp(p);
}

bool nf_srtp_rtcp_check(const u8 *p, u32 len)
{
	u32 at = 0;

	if (len < NF_SRTP_RTCP_MIN)
		return false;
	while (at < len) {
		if (len - at < 4 || p[at] >> 6 != 2)
			return false;
		at += 4 + nf_srtp_get16(p + at + 2) * 4;
	}
	return at == len;
}
