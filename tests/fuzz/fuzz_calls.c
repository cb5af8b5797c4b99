/*
 * The call machine among peers whose every choice is a byte of the input:
 * what must always hold is checked by the play itself.
 */
#include "fuzz/fuzz.h"
#include "unit/b2bua/play.h"

struct bytes {
	const uint8_t *data;
	size_t left;
};

/* One byte of input for a number; zeros when it is used up. */
static void fill(void *ctx, uint8_t *buf, size_t len)
{
	struct bytes *b = ctx;

	for (size_t i = 0; i < len; i++)
		buf[i] = 0;
	if (b->left == 0 || len == 0)
		return;
	buf[0] = *b->data++;
	b->left--;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = {.data = data, .left = size};
	struct play_params p = {.dice = {.fill = fill, .ctx = &b}, .seed = 1};

	if (size == 0)
		return 0;
	p.policy = data[0];
	b.data++;
	b.left--;
	play_new(&p);
	while (b.left > 0)
		play_step();
	play_end();
	play_free();
	return 0;
}
