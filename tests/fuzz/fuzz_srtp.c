/*
 * A context fed with arbitrary packets accepts none of them and learns
 * nothing; what it protects, its twin opens to the same bytes. The first byte
 * chooses suite, MKI and RTCP, the rest is packets, each with a length byte.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/reader.h"
#include "rtp/srtp.h"

enum { BUF = 512 };

static uint8_t buf[BUF], plain[BUF];

static void round_trip(struct rtp_srtp *out, struct rtp_srtp *in, bool rtcp,
		       struct slice pkt)
{
	size_t len, back;
	int err;

	memcpy(buf, pkt.ptr, pkt.len);
	memcpy(plain, pkt.ptr, pkt.len);
	err = rtcp ? rtp_srtp_protect_rtcp(out, buf, pkt.len, BUF, &len)
		   : rtp_srtp_protect(out, buf, pkt.len, BUF, &len);
	if (err)
		return;
	err = rtcp ? rtp_srtp_unprotect_rtcp(in, buf, len, &back)
		   : rtp_srtp_unprotect(in, buf, len, &back);
	fuzz_check(err == 0);
	fuzz_check(back == pkt.len && memcmp(buf, plain, back) == 0);
}

static void refuse(struct rtp_srtp *in, bool rtcp, struct slice pkt)
{
	uint32_t before = rtp_srtp_ssrcs(in);
	size_t len;
	int err;

	memcpy(buf, pkt.ptr, pkt.len);
	err = rtcp ? rtp_srtp_unprotect_rtcp(in, buf, pkt.len, &len)
		   : rtp_srtp_unprotect(in, buf, pkt.len, &len);
	fuzz_check(err != 0);
	fuzz_check(rtp_srtp_ssrcs(in) == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_key k = {.key = {7}, .salt = {9}};
	struct rtp_srtp *in, *out;
	struct reader r;
	uint8_t how;

	reader_init(&r, slice_make(data, size));
	how = reader_u8(&r);
	k.suite = (enum suite)(1 + how % (SUITE_COUNT - 1));
	k.mki_len = how & 0x40 ? 4 : 0;
	in = rtp_srtp_new(&k);
	out = rtp_srtp_new(&k);
	fuzz_check(in && out);
	while (reader_ok(&r) && reader_left(&r) > 0) {
		struct slice pkt = reader_bytes(&r, reader_u8(&r));

		if (!reader_ok(&r) || pkt.len == 0)
			break;
		refuse(in, how & 0x80, pkt);
		round_trip(out, in, how & 0x80, pkt);
	}
	rtp_srtp_free(in);
	rtp_srtp_free(out);
	return 0;
}
