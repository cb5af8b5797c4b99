#include "rtp/rtp.h"

#include "base/reader.h"

enum rtp_kind rtp_kind(struct slice pkt)
{
	uint8_t b;

	if (pkt.len < 2)
		return RTP_KIND_OTHER;
	b = pkt.ptr[0];
	if (b < 4)
		return RTP_KIND_STUN;
	if (b >= 20 && b < 64)
		return RTP_KIND_DTLS;
	if (b < 128 || b >= 192)
		return RTP_KIND_OTHER;
	/* RTCP packet types 192..223: RFC 5761 keeps the RTP payload types
	 * that would look like them (64..95 with marker) out of use. */
	if (pkt.ptr[1] >= 192 && pkt.ptr[1] < 224)
		return RTP_KIND_RTCP;
	return RTP_KIND_RTP;
}

int rtp_parse(struct slice pkt, struct rtp_hdr *ret)
{
	const uint8_t *p = pkt.ptr;
	struct reader r;

	reader_init(&r, pkt);
	(void)reader_bytes(&r, RTP_HDR_MIN);
	if (!reader_ok(&r) || p[0] >> 6 != 2)
		return ERR_BAD;
	(void)reader_bytes(&r, (p[0] & 0x0fu) * 4u);
	if (p[0] & 0x10) {
		(void)reader_u16be(&r);
		(void)reader_bytes(&r, reader_u16be(&r) * 4u);
	}
	if (!reader_ok(&r))
		return ERR_BAD;
	*ret = (struct rtp_hdr){
		.marker = p[1] >> 7,
		.pt = p[1] & 0x7f,
		.seq = (uint16_t)(p[2] << 8 | p[3]),
		.timestamp = get_be32(p + 4),
		.ssrc = get_be32(p + 8),
		.header_len = pkt.len - reader_left(&r),
	};
	return 0;
}

int rtcp_parse(struct slice pkt, uint32_t *ret_ssrc)
{
	struct reader r;
	uint32_t ssrc;
	uint8_t b0;

	reader_init(&r, pkt);
	b0 = reader_u8(&r);
	(void)reader_bytes(&r, 3);
	ssrc = reader_u32be(&r);
	if (!reader_ok(&r) || b0 >> 6 != 2)
		return ERR_BAD;
	*ret_ssrc = ssrc;
	return 0;
}

int rtcp_check(struct slice pkt)
{
	struct reader r;

	if (pkt.len < RTCP_HDR_MIN)
		return ERR_BAD;
	reader_init(&r, pkt);
	while (reader_ok(&r) && reader_left(&r) > 0) {
		if (reader_u8(&r) >> 6 != 2)
			return ERR_BAD;
		(void)reader_u8(&r);
		(void)reader_bytes(&r, reader_u16be(&r) * 4u);
	}
	return reader_ok(&r) ? 0 : ERR_BAD;
}
