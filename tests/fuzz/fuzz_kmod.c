/*
 * The kernel module's transform beside the one of src/rtp: any packet gets the
 * same verdict from both, and the same bytes when it passes; what was forged
 * teaches neither anything. The first byte chooses suite, MKI and RTCP, the rest
 * is packets, each with a length byte.
 */
#include "fuzz/fuzz.h"

#include "base/reader.h"
#include "kmod/srtp.h"
#include "rtp/rtp.h"
#include "rtp/srtp.h"

enum { BUF = 512 };

struct both {
	struct nf_srtp_key_state in, out;
	struct rtp_srtp *ref_in, *ref_out;
	bool rtcp;
};

static uint8_t ours[BUF], theirs[BUF];

static bool parse(struct nf_srtp_packet *p, size_t len, bool rtcp)
{
	*p = (struct nf_srtp_packet){
		.data = ours, .len = (u32)len, .cap = BUF, .is_rtcp = rtcp};
	return nf_srtp_parse(p);
}

static void same_bytes(const struct nf_srtp_packet *p, size_t len)
{
	fuzz_check(p->len == len && memcmp(ours, theirs, len) == 0);
}

static void refuse(struct both *b, struct slice pkt)
{
	u32 before = b->in.count;
	struct nf_srtp_packet p;
	size_t len;

	memcpy(ours, pkt.ptr, pkt.len);
	memcpy(theirs, pkt.ptr, pkt.len);
	fuzz_check(!parse(&p, pkt.len, b->rtcp) ||
		   nf_srtp_unprotect(&b->in, &p, false, true) != 0);
	fuzz_check((b->rtcp ? rtp_srtp_unprotect_rtcp(b->ref_in, theirs,
						      pkt.len, &len)
			    : rtp_srtp_unprotect(b->ref_in, theirs, pkt.len,
						 &len)) != 0);
	fuzz_check(b->in.count == before);
	/* As it came. */
	fuzz_check(memcmp(ours, pkt.ptr, pkt.len) == 0);
}

static void round_trip(struct both *b, struct slice pkt)
{
	struct nf_srtp_packet p;
	size_t len = 0;
	bool is_good;
	int err;

	memcpy(ours, pkt.ptr, pkt.len);
	memcpy(theirs, pkt.ptr, pkt.len);
	is_good = parse(&p, pkt.len, b->rtcp) && !nf_srtp_protect(&b->out, &p);
	err = b->rtcp ? rtp_srtp_protect_rtcp(b->ref_out, theirs, pkt.len, BUF,
					      &len)
		      : rtp_srtp_protect(b->ref_out, theirs, pkt.len, BUF,
					 &len);
	fuzz_check(is_good == (err == 0));
	if (!is_good)
		return;
	same_bytes(&p, len);
	fuzz_check(parse(&p, len, b->rtcp));
	fuzz_check(!nf_srtp_unprotect(&b->in, &p, false, false));
	fuzz_check(p.len == pkt.len && !memcmp(ours, pkt.ptr, pkt.len));
	fuzz_check(
		(b->rtcp ? rtp_srtp_unprotect_rtcp(b->ref_in, theirs, len, &len)
			 : rtp_srtp_unprotect(b->ref_in, theirs, len, &len)) ==
		0);
	same_bytes(&p, len);
}

static void headers(struct slice pkt)
{
	struct nf_srtp_packet p;
	struct rtp_hdr h;

	memcpy(ours, pkt.ptr, pkt.len);
	fuzz_check(parse(&p, pkt.len, false) == (rtp_parse(pkt, &h) == 0));
	fuzz_check(nf_srtp_rtcp_check(ours, (u32)pkt.len) ==
		   (rtcp_check(pkt) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_key k = {.key = {7}, .salt = {9}, .mki = {1, 2, 3, 4}};
	struct nf_srtp_master m = {
		.key = {7}, .salt = {9}, .mki = {1, 2, 3, 4}};
	static struct both b;
	struct reader r;
	uint8_t how;

	reader_init(&r, slice_make(data, size));
	how = reader_u8(&r);
	k.suite = (enum suite)(1 + how % (SUITE_COUNT - 1));
	k.mki_len = how & 0x40 ? 4 : 0;
	m.suite = k.suite;
	m.mki_len = k.mki_len;
	b.rtcp = how & 0x80;
	fuzz_check(!nf_srtp_key_init(&b.in, &m) &&
		   !nf_srtp_key_init(&b.out, &m));
	b.out.tokens = 1000;
	b.ref_in = rtp_srtp_new(&k);
	b.ref_out = rtp_srtp_new(&k);
	fuzz_check(b.ref_in && b.ref_out);
	while (reader_ok(&r) && reader_left(&r) > 0) {
		struct slice pkt = reader_bytes(&r, reader_u8(&r));

		if (!reader_ok(&r) || pkt.len == 0)
			break;
		headers(pkt);
		refuse(&b, pkt);
		round_trip(&b, pkt);
	}
	nf_srtp_key_done(&b.in);
	nf_srtp_key_done(&b.out);
	rtp_srtp_free(b.ref_in);
	rtp_srtp_free(b.ref_out);
	return 0;
}
