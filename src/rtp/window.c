#include "rtp/window.h"

#include <string.h>

uint64_t window_guess(const struct window *w, uint16_t seq)
{
	uint16_t s_l = (uint16_t)w->top;
	uint64_t roc = w->top >> 16;

	if (!w->is_set)
		return seq;
	if (s_l < 0x8000) {
		/* A roll-over counter of -1 does not exist: at the start of a
		 * stream a far sequence number is a jump ahead. */
		if (seq > s_l + 0x8000 && roc > 0)
			roc--;
	} else if (s_l - 0x8000 > seq) {
		roc++;
	}
	return roc << 16 | seq;
}

static bool get_bit(const struct window *w, uint64_t index)
{
	return w->bit[index % WINDOW_BITS / 64] >> (index % 64) & 1;
}

int window_test(const struct window *w, uint64_t index)
{
	if (!w->is_set || index > w->top)
		return 0;
	if (w->top - index >= WINDOW_BITS || get_bit(w, index))
		return ERR_REPLAY;
	return 0;
}

void window_resume(struct window *w, uint64_t top)
{
	memset(w->bit, 0xff, sizeof(w->bit));
	w->top = top;
	w->is_set = true;
}

void window_commit(struct window *w, uint64_t index)
{
	if (!w->is_set || (index > w->top && index - w->top >= WINDOW_BITS)) {
		memset(w->bit, 0, sizeof(w->bit));
		w->top = index;
		w->is_set = true;
	}
	for (; w->top < index; w->top++) {
		uint64_t i = w->top + 1;

		w->bit[i % WINDOW_BITS / 64] &= ~((uint64_t)1 << (i % 64));
	}
	w->bit[index % WINDOW_BITS / 64] |= (uint64_t)1 << (index % 64);
}
