/*
 * What a predecessor has saved: whatever the bytes are, they make an object or
 * none. The input says which object of this version to begin with
 * (replay/objects.h, fuzz/skinny.h) and what to change in it, so that a corpus
 * outlives the versions. One that they made can be saved and made again by the next successor,
 * lives on while time passes, and leaves nothing behind.
 */
#include <string.h>

#include "b2bua/save.h"
#include "base/alloc.h"
#include "fuzz/fuzz.h"
#include "fuzz/skinny.h"
#include "base/reader.h"
#include "lib/entropy.h"
#include "replay/objects.h"

enum { NOW_MS = 1000000, BYTES_MAX = 16384, SKINNY_FROM = 240 };

static struct calls *machine(struct test_entropy *state)
{
	struct calls_params p = {.outside_port_min = 20000,
				 .outside_port_max = 20099,
				 .inside_port_min = 30000,
				 .inside_port_max = 30099,
				 .binding_limit = 8,
				 .call_limit = 8,
				 .txn_limit = 64,
				 .sub_limit = 8,
				 .sub_device_limit = 8,
				 .sccp = {.version_max = 20, .phone_limit = 8},
				 .expires_min_s = 60,
				 .expires_max_s = 3600,
				 .session_min_s = 90,
				 .t1_ms = 500,
				 .t2_ms = 4000,
				 .t4_ms = 5000,
				 .server_name = "Sallyport",
				 .entropy = test_entropy(state, 1),
				 .seed = 42};
	struct calls *c;

	fuzz_check(addr_parse_ip(slice_str("192.0.2.1"), &p.media_outside) ==
		   0);
	fuzz_check(addr_parse_ip(slice_str("10.0.0.1"), &p.media_inside) == 0);
	c = calls_new(&p, NOW_MS);
	fuzz_check(c);
	return c;
}

static void reach(void *ctx, enum side side, struct dest *dest)
{
	(void)ctx;
	dest->ep = side == SIDE_CORE ? (struct handle){.index = 1, .gen = 1}
				     : HANDLE_NONE;
}

/* The next successor takes what this one saves. */
static void again(struct calls *c)
{
	struct test_entropy state;
	struct save_restore how = {.reach = reach};
	struct calls *next = machine(&state);
	struct actions out = {.count = 0};
	struct slice key;
	struct slice rest;

	fuzz_check(calls_save_all(c, &out) == 0);
	for (uint32_t i = 0; i < out.count; i++) {
		fuzz_check(out.item[i].kind == ACTION_SAVE);
		fuzz_check(save_split(out.item[i].bytes, &key, &rest) == 0);
		fuzz_check(calls_restore(next, rest, &how, NOW_MS) == 0);
	}
	actions_done(&out);
	calls_free(next);
}

/* Time passes, and an operator ends what is left. */
static void live(struct calls *c)
{
	struct event ev = {.kind = EVENT_TIMER};
	struct actions out = {.count = 0};
	struct call_info info;
	uint64_t now = NOW_MS;
	uint32_t pos;

	for (int i = 0; i < 4 && calls_deadline(c) != UINT64_MAX; i++) {
		if (calls_deadline(c) > now)
			now = calls_deadline(c);
		(void)!call_step(c, &ev, now, &out);
		actions_done(&out);
	}
	for (int i = 0; i < 8; i++) {
		pos = 0;
		if (!calls_next(c, &pos, &info))
			break;
		ev = (struct event){.kind = EVENT_CALL_DROP, .call = info.id};
		(void)!call_step(c, &ev, now, &out);
		actions_done(&out);
	}
	pos = 0;
	fuzz_check(!calls_next(c, &pos, &info));
}

static uint8_t bytes[BYTES_MAX];
static size_t len;

/* One change: what, where, and a byte. */
static void edit(struct reader *r)
{
	unsigned what = reader_u8(r) % 4;
	size_t at = reader_u16be(r) % (len + 1);
	uint8_t v = reader_u8(r);

	if (!reader_ok(r) || at == len || len == BYTES_MAX)
		return;
	switch (what) {
	case 0:
		bytes[at] ^= v;
		break;
	case 1: /* one more */
		memmove(bytes + at + 1, bytes + at, len - at);
		bytes[at] = v;
		len++;
		break;
	case 2: /* one less */
		memmove(bytes + at, bytes + at + 1, len - at - 1);
		len--;
		break;
	case 3: /* the rest is another's, or missing */
		len = v & 1 ? at : len;
		memset(bytes + at, v, len - at);
		break;
	}
}

static struct slice make(const uint8_t *data, size_t size)
{
	const struct object *all;
	struct slice skinny[SKINNY_OBJECTS], object;
	size_t count = objects_make(&all);
	struct reader r;
	uint8_t which;

	skinny_objects(skinny);
	reader_init(&r, slice_make(data, size));
	which = reader_u8(&r);
	object = which >= SKINNY_FROM
			 ? skinny[(which - SKINNY_FROM) % SKINNY_OBJECTS]
			 : slice_make(all[which % count].bytes,
				      all[which % count].len);
	len = object.len < BYTES_MAX ? object.len : BYTES_MAX;
	memcpy(bytes, object.ptr, len);
	while (reader_ok(&r) && reader_left(&r) > 0)
		edit(&r);
	return slice_make(bytes, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct test_entropy state;
	struct save_restore how = {.reach = reach};
	struct calls *c = machine(&state);

	if (calls_restore(c, make(data, size), &how, NOW_MS) == 0) {
		again(c);
		live(c);
	}
	calls_free(c);
	return 0;
}
