/*
 * Requests and answers of the keys process: what is read, printed again, is
 * the same bytes; what is refused has an answer that can be read.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "priv/keys_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[KEYS_MSG_MAX];
	struct slice in = slice_make(data, size);
	struct keys_request q = {.op = 0};
	struct keys_answer a;
	struct keys_answer back;
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	if (keys_request_parse(in, &q, &a) == 0) {
		keys_request_print(&q, &w);
		fuzz_check(slice_eq(writer_slice(&w), in));
	} else {
		fuzz_check(a.err < 0 && a.data.len == 0);
		keys_answer_print(&a, &w);
		fuzz_check(keys_answer_parse(writer_slice(&w), &back) == 0);
		fuzz_check(back.err == a.err && back.number == a.number);
	}
	writer_init(&w, buf, sizeof(buf));
	if (size <= sizeof(buf) && keys_answer_parse(in, &a) == 0) {
		keys_answer_print(&a, &w);
		fuzz_check(slice_eq(writer_slice(&w), in));
	}
	return 0;
}
