/* Headers of RTP and RTCP: every length they give lies within the packet. */
#include "fuzz/fuzz.h"

#include "rtp/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make(data, size);
	struct rtp_hdr h;
	uint32_t ssrc;

	if (!rtp_parse(s, &h)) {
		fuzz_check(h.header_len >= RTP_HDR_MIN && h.header_len <= size);
		fuzz_check(rtp_kind(s) == RTP_KIND_RTP ||
			   rtp_kind(s) == RTP_KIND_RTCP);
	}
	if (!rtcp_check(s))
		fuzz_check(rtcp_parse(s, &ssrc) == 0);
	return 0;
}
