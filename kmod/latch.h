/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whom a port listens to (uapi/nf_srtp.h, SOURCES). Pure: a state, and three
 * questions in order: may this source try, is it known already, and, after its
 * packet proved valid, what is learned from it.
 */
#ifndef _NF_SRTP_LATCH_H
#define _NF_SRTP_LATCH_H

#include "port.h"
#include "uapi/nf_srtp.h"

enum { NF_SRTP_PROOF = 3 /* packets in a row */ };

/* An address and port. IPv4 is in the first four bytes, unused bytes are 0. */
struct nf_srtp_end {
	union {
		u64 half[2];
		u8 ip[16];
	};
	union {
		u64 tail;
		struct {
			u16 port;   /* network order */
			u16 family; /* AF_INET, AF_INET6, 0: none */
			u32 zero;
		};
	};
};

struct nf_srtp_latch_state {
	struct nf_srtp_end signalled; /* family 0: not known */
	struct nf_srtp_end proven;    /* family 0: nobody yet */
	struct nf_srtp_end candidate; /* who collects proofs */
	u32 ssrc;		      /* of the candidate */
	u16 next_seq;		      /* the candidate's next, RTP */
	u8 count;		      /* proofs in a row */
};

/* What the rules are. */
struct nf_srtp_latch_rule {
	u8 mode;	/* enum nf_srtp_latch */
	u8 prefix;	/* bits that must agree, 0: all */
	bool is_secure; /* packets prove themselves by a tag */
};

/* What is known of a valid packet. */
struct nf_srtp_proof {
	u32 ssrc;
	u16 seq;
	bool is_rtcp;
};

enum nf_srtp_learned {
	NF_SRTP_LEARNED_NO, /* not proven: not to be forwarded */
	NF_SRTP_LEARNED_OK, /* forward */
	NF_SRTP_LEARNED_NEW /* forward; proven has changed */
};

static inline bool nf_srtp_end_eq(const struct nf_srtp_end *a,
				  const struct nf_srtp_end *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1] &&
	       a->tail == b->tail;
}

/* Before anything is computed: may src send anything at all? */
bool nf_srtp_latch_may_try(const struct nf_srtp_latch_state *l,
			   const struct nf_srtp_latch_rule *rule,
			   const struct nf_srtp_end *src);
/* A valid packet came from src, who might try. */
enum nf_srtp_learned nf_srtp_latch_learn(struct nf_srtp_latch_state *l,
					 const struct nf_srtp_latch_rule *rule,
					 const struct nf_srtp_end *src,
					 const struct nf_srtp_proof *proof);
/* Where packets for the party behind this latch go; family 0: nowhere. */
static inline const struct nf_srtp_end *
nf_srtp_latch_dest(const struct nf_srtp_latch_state *l)
{
	return l->proven.family ? &l->proven : &l->signalled;
}

#endif
