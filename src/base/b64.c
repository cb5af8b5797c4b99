#include "base/b64.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void b64_encode(struct writer *w, struct slice s)
{
	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t v = (uint32_t)s.ptr[i] << 16;

		if (n > 1)
			v |= (uint32_t)s.ptr[i + 1] << 8;
		if (n > 2)
			v |= s.ptr[i + 2];
		for (size_t k = 0; k < 4; k++) {
			if (k > n)
				writer_u8(w, '=');
			else
				writer_u8(w,
					  (uint8_t)alphabet[v >> (18 - 6 * k) &
							    63]);
		}
	}
}

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int b64_decode(struct slice s, uint8_t *buf, size_t cap, size_t *ret_len)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t len = 0;

	if (s.len > 0 && s.len % 4 == 0) {
		if (s.ptr[s.len - 1] == '=')
			s.len--;
		if (s.ptr[s.len - 1] == '=')
			s.len--;
	}
	if (s.len % 4 == 1)
		return ERR_BAD;
	for (size_t i = 0; i < s.len; i++) {
		int v = value_of(s.ptr[i]);

		if (v < 0)
			return ERR_BAD;
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			if (len == cap)
				return ERR_SPACE;
			buf[len++] = (uint8_t)(acc >> bits);
			acc &= (1u << bits) - 1;
		}
	}
	if (acc != 0)
		return ERR_BAD;
	*ret_len = len;
	return 0;
}
