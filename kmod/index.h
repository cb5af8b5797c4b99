/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packet index and replay window of one SRTP or SRTCP stream (RFC 3711
 * sections 3.3.1, 3.3.2 and appendix A). Pure. The window is a ring of bits;
 * guess and test change nothing, commit is for after the tag verified.
 */
#ifndef _NF_SRTP_INDEX_H
#define _NF_SRTP_INDEX_H

#include "port.h"

#define NF_SRTP_WINDOW 1024 /* packets; a power of two */

struct nf_srtp_window {
	u64 next; /* highest index committed, and one; 0: none was */
	u64 bit[NF_SRTP_WINDOW / 64]; /* index i is bit i % NF_SRTP_WINDOW */
};

/* The likeliest index of a sequence number. */
u64 nf_srtp_index_guess(const struct nf_srtp_window *w, u16 seq);
/* May the index be used: neither seen nor older than the window? */
bool nf_srtp_index_test(const struct nf_srtp_window *w, u64 index);
/* Mark an index that passed the test. */
void nf_srtp_index_commit(struct nf_srtp_window *w, u64 index);
/* Go on at next: what is below counts as seen. */
void nf_srtp_index_resume(struct nf_srtp_window *w, u64 next);

#endif
