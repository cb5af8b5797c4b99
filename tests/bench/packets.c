#include <arpa/inet.h>
#include <string.h>

#include "packets.h"

enum { SEQ_FIRST = 1000 };

srtp_t packet_oracle(const struct flow_key *k, srtp_ssrc_type_t type)
{
	const struct suite_info *info = suite_info(k->suite);
	static uint8_t master[SUITE_INLINE_MAX];
	srtp_policy_t p = {.window_size = 1024};
	srtp_t s;

	memcpy(master, k->key, info->key_len);
	memcpy(master + info->key_len, k->salt, info->salt_len);
	if (info->is_aead) {
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p.rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p.rtcp);
	} else {
		srtp_crypto_policy_set_rtp_default(&p.rtp);
		srtp_crypto_policy_set_rtcp_default(&p.rtcp);
	}
	p.key = master;
	p.ssrc.type = type;
	if (srtp_create(&s, &p) != srtp_err_status_ok)
		die("srtp_create failed");
	return s;
}

void packet_plain(unsigned call, unsigned leg, unsigned n, struct packet *ret)
{
	uint32_t seq = SEQ_FIRST + n, ts = n * PAYLOAD, ssrc = call * 2 + leg;
	uint8_t *b = ret->bytes;
	uint16_t be16 = htons((uint16_t)seq);
	uint32_t be32 = htonl(ts);

	b[0] = 0x80;
	b[1] = 0;
	memcpy(b + 2, &be16, 2);
	memcpy(b + 4, &be32, 4);
	be32 = htonl(ssrc);
	memcpy(b + 8, &be32, 4);
	for (unsigned i = 0; i < PAYLOAD; i++)
		b[12 + i] = (uint8_t)(i + n * 3 + call);
	ret->len = 12 + PAYLOAD;
}

void packet_secure(srtp_t s, unsigned call, unsigned leg, unsigned n,
		   struct packet *ret)
{
	int len;

	packet_plain(call, leg, n, ret);
	len = ret->len;
	if (srtp_protect(s, ret->bytes, &len) != srtp_err_status_ok)
		die("srtp_protect failed");
	ret->len = (uint16_t)len;
}

void packet_which(const uint8_t *buf, unsigned *call, unsigned *n)
{
	*n = (unsigned)(((buf[2] << 8 | buf[3]) - SEQ_FIRST) & 0xffff);
	*call = (unsigned)(buf[10] << 8 | buf[11]) / 2;
}

bool packet_is_right(srtp_t s, unsigned call, unsigned leg, unsigned n,
		     uint8_t *buf, int len)
{
	struct packet want;

	if (s && srtp_unprotect(s, buf, &len) != srtp_err_status_ok)
		return false;
	packet_plain(call, leg, n, &want);
	return len == want.len && memcmp(buf, want.bytes, want.len) == 0;
}
