/* What workers and the store say about saved objects: what is read is written
 * as the same bytes again; pages are walked to their end. */
#include "fuzz/fuzz.h"

#include "store/state_wire.h"

static uint8_t buf[2 * STATE_WIRE_MAX];

static void check_request(struct slice s)
{
	struct state_request r;
	struct writer w;

	if (!state_wire_is(s) || state_request_read(s, &r) != 0)
		return;
	writer_init(&w, buf, sizeof(buf));
	state_request_write(&w, &r);
	fuzz_check(writer_ok(&w) && slice_eq(writer_slice(&w), s));
}

static void check_again(struct slice s)
{
	struct writer w;

	if (!state_again_is(s))
		return;
	writer_init(&w, buf, sizeof(buf));
	state_again_write(&w);
	fuzz_check(slice_eq(writer_slice(&w), s) && !state_wire_is(s));
}

static void check_page(struct slice s)
{
	struct slice key;
	struct slice blob;
	struct writer w;
	struct reader r;
	bool is_last;

	if (state_page_read(s, &is_last, &r) != 0)
		return;
	writer_init(&w, buf, sizeof(buf));
	state_page_begin(&w);
	while (state_page_next(&r, &key, &blob))
		if (!state_page_add(&w, key, blob))
			return; /* longer than any page of ours */
	if (!reader_end(&r))
		return;
	if (is_last)
		state_page_last(&w);
	fuzz_check(writer_ok(&w) && slice_eq(writer_slice(&w), s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make(data, size);

	check_request(s);
	check_again(s);
	check_page(s);
	return 0;
}
