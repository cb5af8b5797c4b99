// SPDX-License-Identifier: GPL-2.0
#include "index.h"

u64 nf_srtp_index_guess(const struct nf_srtp_window *w, u16 seq)
{
	u64 top = w->next - 1;
	u16 low = top;
	u64 guess = (top & ~0xffffull) | seq;

	if (!w->next)
		return seq;
	/* Appendix A; a roll-over counter of -1 does not exist: early in a
	 * stream a far sequence number is a jump ahead.
	 */
	if (low < 0x8000)
		return seq > low + 0x8000 && guess > 0xffff ? guess - 0x10000
							    : guess;
	return seq < low - 0x8000 ? guess + 0x10000 : guess;
}

static u64 nf_srtp_bit(u64 index)
{
	return 1ull << (index % 64);
}

static u64 *nf_srtp_word(struct nf_srtp_window *w, u64 index)
{
	return &w->bit[index % NF_SRTP_WINDOW / 64];
}

bool nf_srtp_index_test(const struct nf_srtp_window *w, u64 index)
{
	if (index >= w->next)
		return true;
	if (w->next - index > NF_SRTP_WINDOW)
		return false;
	return !(w->bit[index % NF_SRTP_WINDOW / 64] & nf_srtp_bit(index));
}

void nf_srtp_index_commit(struct nf_srtp_window *w, u64 index)
{
	if (index >= w->next) {
		if (!w->next || index - w->next >= NF_SRTP_WINDOW - 1) {
			memset(w->bit, 0, sizeof(w->bit));
			w->next = index;
		}
		/* What was skipped has not been seen. */
		for (; w->next < index; w->next++)
			*nf_srtp_word(w, w->next) &= ~nf_srtp_bit(w->next);
		w->next++;
	}
	*nf_srtp_word(w, index) |= nf_srtp_bit(index);
}

void nf_srtp_index_resume(struct nf_srtp_window *w, u64 next)
{
	memset(w->bit, 0xff, sizeof(w->bit));
	w->next = next;
}
