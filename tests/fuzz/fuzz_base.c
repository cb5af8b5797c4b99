/*
 * The small readers of base: what they accept, printed, is accepted again
 * and means the same. The first byte chooses one.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/addr.h"
#include "base/b64.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/text.h"

enum { BUF = 4096 };

static uint8_t raw[BUF], raw2[BUF], text[2 * BUF];

static void check_b64(struct slice s)
{
	struct writer w;
	size_t len, len2;

	if (b64_decode(s, raw, sizeof(raw), &len) != 0)
		return;
	writer_init(&w, text, sizeof(text));
	b64_encode(&w, slice_make(raw, len));
	/* The same text, with padding where it was left out. */
	fuzz_check(writer_ok(&w) && w.len >= s.len &&
		   slice_eq(slice_sub(writer_slice(&w), 0, s.len), s));
	fuzz_check(b64_decode(writer_slice(&w), raw2, sizeof(raw2), &len2) ==
			   0 &&
		   len == len2 && memcmp(raw, raw2, len) == 0);
}

static void check_hex(struct slice s)
{
	struct writer w;

	if (s.len / 2 > BUF || hex_decode(s, raw, s.len / 2) != 0)
		return;
	writer_init(&w, text, sizeof(text));
	hex_encode(&w, slice_make(raw, s.len / 2));
	fuzz_check(text_ieq(writer_slice(&w), s));
}

static void check_addr(struct slice s)
{
	char buf[ADDR_STR_MAX];
	struct addr a, b;
	struct sockaddr_storage ss;

	if (addr_parse(s, 5060, &a) != 0)
		return;
	fuzz_check(addr_parse(slice_str(addr_str(&a, buf)), 0, &b) == 0);
	fuzz_check(addr_eq(&a, &b));
	fuzz_check(addr_in_prefix(&a, &b, a.family == ADDR_V4 ? 32 : 128));
	fuzz_check(addr_to_sockaddr(&a, &ss) > 0);
	fuzz_check(addr_from_sockaddr(&ss, &b) == 0 && a.port == b.port);
}

static void check_text(struct slice s)
{
	struct slice rest = s, item, head, tail;
	size_t items = 0;
	uint64_t v;

	while (text_next(&rest, ',', &item)) {
		fuzz_check(item.len <= s.len);
		fuzz_check(++items <= s.len);
	}
	if (text_cut(s, '=', &head, &tail))
		fuzz_check(head.len + tail.len + 1 == s.len);
	if (text_dec(s, 1000, &v) == 0)
		fuzz_check(v <= 1000);
}

static void check_reader(struct slice s)
{
	struct reader r;
	size_t total = 0;

	reader_init(&r, s);
	while (reader_ok(&r) && reader_left(&r) > 0) {
		struct slice b = reader_blob(&r);
		struct reader sub;

		if (!reader_ok(&r))
			break;
		total += 4 + b.len;
		reader_init(&sub, b);
		sub = reader_sub(&sub, reader_u8(&sub));
		(void)reader_u64be(&sub);
		fuzz_check(reader_left(&sub) <= b.len);
	}
	fuzz_check(total <= s.len);
	fuzz_check(!reader_end(&r) || total == s.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const check[])(struct slice) = {
		check_b64, check_hex, check_addr, check_text, check_reader};

	if (size > 0)
		check[data[0] % 5](slice_make(data + 1, size - 1));
	return 0;
}
