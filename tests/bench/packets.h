/*
 * The packets of the bench: G.711 in RTP, 20 ms each, and what libsrtp2 makes
 * of them. The SSRC tells call and leg, the sequence number which one it is.
 */
#pragma once

#include <srtp2/srtp.h>

#include "bench.h"

enum { PACKET_MAX = 12 + PAYLOAD + 16 };

struct packet {
	uint16_t len;
	uint8_t bytes[PACKET_MAX];
};

/* libsrtp2 with a key of setup.suite. */
srtp_t packet_oracle(const struct flow_key *k, srtp_ssrc_type_t type);
/* The plain packet n of a leg; both ends can make it. */
void packet_plain(unsigned call, unsigned leg, unsigned n, struct packet *ret);
/* The same protected by s. */
void packet_secure(srtp_t s, unsigned call, unsigned leg, unsigned n,
		   struct packet *ret);
/* Whose packet, at least 12 bytes, and which one. */
void packet_which(const uint8_t *buf, unsigned *call, unsigned *n);
/* Is buf, under the key of s (NULL: plain), packet n of call's leg? Decrypts
 * in place. */
bool packet_is_right(srtp_t s, unsigned call, unsigned leg, unsigned n,
		     uint8_t *buf, int len);
