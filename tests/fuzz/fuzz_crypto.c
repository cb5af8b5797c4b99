/* a=crypto lines: parse(print(line)) is the line. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "sdp/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[CRYPTO_LINE_MAX];
	struct crypto_line a, b;
	struct writer w;

	if (crypto_parse(slice_make(data, size), &a) != 0)
		return 0;
	fuzz_check(a.key.suite != SUITE_NONE && a.key.suite < SUITE_COUNT);
	fuzz_check(a.tag <= CRYPTO_TAG_MAX && a.key.mki_len <= 4);
	writer_init(&w, out, sizeof(out));
	crypto_print(&w, &a);
	fuzz_check(writer_ok(&w));
	fuzz_check(crypto_parse(slice_from(writer_slice(&w), 9), &b) == 0);
	fuzz_check(a.tag == b.tag && a.lifetime == b.lifetime);
	fuzz_check(memcmp(&a.key, &b.key, sizeof(a.key)) == 0);
	crypto_wipe(&a, 1);
	crypto_wipe(&b, 1);
	return 0;
}
