/*
 * The call machine and the rewriting behind it, fed with whole messages: the
 * input is one message after the other, each with the digit of its sender
 * before it and a byte 0x1e behind it.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "lib/entropy.h"
#include "unit/b2bua/play.h"

enum { MESSAGES_MAX = 20, END = 0x1e };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct test_entropy state;
	struct play_params p = {.dice = test_entropy(&state, 1), .seed = 1};

	if (size == 0)
		return 0;
	p.policy = data[0];
	data++;
	size--;
	play_new(&p);
	for (int i = 0; i < MESSAGES_MAX && size > 0; i++) {
		const uint8_t *end = memchr(data, END, size);
		size_t len = end ? (size_t)(end - data) : size;

		if (len > 1)
			play_raw(data[0] % 4, data + 1, len - 1);
		data += len + (end ? 1 : 0);
		size -= len + (end ? 1 : 0);
	}
	play_end();
	play_free();
	return 0;
}
