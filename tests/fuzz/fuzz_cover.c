/*
 * Covers of names: whoever does not know our key has none but those he was
 * given, and each name has one cover, which opens to it.
 */
#include "fuzz/fuzz.h"

#include "authn/cover.h"

static const struct slice key = SLICE("this key is only used in this test");

/* The cover of the corpus, of "x1@10.0.0.7" under key. */
static const char known[] = "spn.t7rVDnVuNUgqCFS0dwy-vaVGaiJvR1M";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t text[1024];
	uint8_t name[COVER_NAME_MAX];
	struct slice in = slice_make(data, size);
	struct writer w;
	struct writer wn;

	writer_init(&wn, name, sizeof(name));
	if (cover_open(&wn, slice_sub(key, 0, COVER_KEY_LEN), in) == 0)
		fuzz_check(slice_eqs(in, known));
	writer_init(&w, text, sizeof(text));
	if (cover_put(&w, slice_sub(key, 0, COVER_KEY_LEN), in) != 0) {
		fuzz_check(size == 0 || size > COVER_NAME_MAX);
		return 0;
	}
	writer_init(&wn, name, sizeof(name));
	fuzz_check(cover_open(&wn, slice_sub(key, 0, COVER_KEY_LEN),
			      writer_slice(&w)) == 0);
	fuzz_check(slice_eq(writer_slice(&wn), in));
	return 0;
}
