/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SRTP and SRTCP under one master key, in one direction (RFC 3711, 6188,
 * 7714). Packets are worked on in place. State moves only after a tag verified
 * (in), and before a packet is made (out): a forged packet changes nothing,
 * and no keystream is used twice, not even by two processors at once.
 *
 * In: an SSRC is taken on when, and only when, its packet verifies. Out: a
 * sequence number that left already is refused, whatever it carries.
 *
 * The lock of a key protects its streams; the list of streams only grows, and
 * nothing is computed under the lock. Verdicts are the counter a packet goes
 * to (enum nf_srtp_stat), 0 when it may pass. Pure but for crypto.h.
 */
#ifndef _NF_SRTP_SRTP_H
#define _NF_SRTP_SRTP_H

#include "crypto.h"
#include "index.h"
#include "port.h"
#include "rtp.h"
#include "suite.h"

enum {
	NF_SRTP_SSRC_MAX = 32, /* streams of a key */
	NF_SRTP_SSRC_RATE = 2, /* new ones a second towards SRTP... */
	NF_SRTP_SSRC_BURST = 8 /* ...and at once */
};

/* One SSRC. */
struct nf_srtp_stream_state {
	struct nf_srtp_stream_state *next;
	u32 ssrc;
	struct nf_srtp_window rtp;
	struct nf_srtp_window rtcp;
};

/* A master key, as requests name it. */
struct nf_srtp_master {
	u32 suite; /* number; 0: none */
	u8 key[NF_SRTP_KEY_BYTES];
	u8 salt[NF_SRTP_SALT_BYTES];
	u8 mki[NF_SRTP_MKI_BYTES];
	u8 mki_len;
};

struct nf_srtp_key_state {
	const struct nf_srtp_suite_row *suite;
	u16 number; /* of the suite */
	u8 mki_len;
	bool is_closed;	   /* what was reported of it is final */
	bool is_worn;	   /* nears the end of its index */
	bool has_ssrc_new; /* an SSRC appeared, not reported yet */
	u32 ssrc_new;
	u32 count; /* streams */
	struct nf_srtp_stream_state *streams;
	struct nf_srtp_session rtp;
	struct nf_srtp_session rtcp;
	spinlock_t lock; /* everything of streams, tokens, the flags above */
	u32 tokens;	 /* new SSRCs that may still appear */
	unsigned long refilled; /* jiffies */
	u8 mki[NF_SRTP_MKI_BYTES];
	u8 print[16]; /* of the master key; the first half is told */
	struct nf_srtp_stream_state first;
};

/* Derive everything from m, whose suite is known. may sleep. -ENOMEM,
 * -EOPNOTSUPP: no cipher; then there is nothing to undo.
 */
int nf_srtp_key_init(struct nf_srtp_key_state *k,
		     const struct nf_srtp_master *m);
/* Free the streams and wipe k. */
void nf_srtp_key_done(struct nf_srtp_key_state *k);
/* The same key (suite, key, salt, MKI)? Constant time. */
bool nf_srtp_key_eq(const struct nf_srtp_key_state *a,
		    const struct nf_srtp_key_state *b);
/* What is told of the master key. */
u64 nf_srtp_key_print(const struct nf_srtp_key_state *k);
/* Go on where a predecessor stopped: next indices, 0: none was used. -ENOSPC
 * too many streams, -EEXIST, -ENOMEM.
 */
int nf_srtp_key_resume(struct nf_srtp_key_state *k, u32 ssrc, u64 rtp,
		       u32 rtcp);
/* From now on nothing is protected or accepted. */
void nf_srtp_key_close(struct nf_srtp_key_state *k);

/* Protect p, which is parsed and has room for NF_SRTP_GROWTH. On any other
 * verdict than 0 it is not to be used.
 */
int nf_srtp_protect(struct nf_srtp_key_state *k, struct nf_srtp_packet *p);
/*
 * Check and decrypt p, which is parsed. keep: it stays as it came. On a verdict
 * that another key may mend (AUTH_FAIL, REPLAY) it is as it came, too, if
 * careful; on any other than 0 it is not to be used.
 */
int nf_srtp_unprotect(struct nf_srtp_key_state *k, struct nf_srtp_packet *p,
		      bool keep, bool careful);

#endif
