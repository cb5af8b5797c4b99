#include "base/hex.h"

#include "base/text.h"

void hex_encode(struct writer *w, struct slice s)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s.len; i++) {
		writer_u8(w, (uint8_t)digits[s.ptr[i] >> 4]);
		writer_u8(w, (uint8_t)digits[s.ptr[i] & 15]);
	}
}

static int digit_of(uint8_t c)
{
	c = text_lower(c);
	if (text_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(struct slice s, uint8_t *buf, size_t cap)
{
	if (s.len / 2 != cap || s.len % 2 != 0)
		return ERR_BAD;
	for (size_t i = 0; i < cap; i++) {
		int hi = digit_of(s.ptr[2 * i]);
		int lo = digit_of(s.ptr[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return ERR_BAD;
		buf[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}
