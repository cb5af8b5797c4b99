/*
 * sip/frame: a stream to units. The first two bytes say where it is split;
 * the units must be the same as without a split, and byte by byte. What the
 * framer lets through has no bare CR, bare LF or loose control byte in its
 * head.
 */
#include <stdbool.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "sip/frame.h"
#include "sip/msg.h"

enum { UNITS_MAX = 64 };

struct units {
	struct sip_frame unit[UNITS_MAX];
	size_t count;
	int err; /* how it ended */
};

/* Take all units of buf, first as far as cut, then as far as len. */
static void take(const uint8_t *buf, size_t cut, size_t len, struct units *u)
{
	size_t off = 0;
	size_t scanned = 0;
	const char *why = NULL;

	u->count = 0;
	while (u->count < UNITS_MAX) {
		struct sip_frame f;
		size_t end = off < cut ? cut : len;

		u->err = sip_frame_stream(buf + off, end - off, &scanned, &f,
					  &why);
		if (u->err == ERR_MORE && end < len) {
			cut = off;
			continue;
		}
		if (u->err) {
			fuzz_check(u->err == ERR_MORE || why);
			return;
		}
		fuzz_check(f.len > 0 && f.len <= end - off);
		u->unit[u->count++] = f;
		off += f.len;
		scanned = 0;
	}
}

static void check_head(const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (i >= 3 && memcmp(buf + i - 3, "\r\n\r\n", 4) == 0)
			return;
		if (buf[i] == '\r')
			fuzz_check(i + 1 < len && buf[i + 1] == '\n');
		else if (buf[i] == '\n')
			fuzz_check(i > 0 && buf[i - 1] == '\r');
		else if ((buf[i] < 0x20 && buf[i] != '\t') || buf[i] == 0x7f)
			fuzz_check(i > 0 && buf[i - 1] == '\\');
	}
	fuzz_check(false); /* a head without end */
}

static void check_bytewise(const uint8_t *buf, size_t len, int want_err,
			   const struct sip_frame *want)
{
	size_t scanned = 0;
	struct sip_frame f = {.len = 0};
	int err = ERR_MORE;

	for (size_t n = 0; n <= len && err == ERR_MORE; n++)
		err = sip_frame_stream(buf, n, &scanned, &f, NULL);
	fuzz_check(err == want_err);
	if (!err)
		fuzz_check(f.len == want->len && f.kind == want->kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct units whole;
	struct units split;
	struct sip_frame f;
	size_t cut;

	if (size < 2)
		return 0;
	cut = (size_t)(data[0] << 8 | data[1]);
	data += 2;
	size -= 2;
	if (cut > size)
		cut = size;
	take(data, size, size, &whole);
	take(data, cut, size, &split);
	fuzz_check(whole.count == split.count && whole.err == split.err);
	for (size_t i = 0; i < whole.count; i++)
		fuzz_check(whole.unit[i].len == split.unit[i].len &&
			   whole.unit[i].kind == split.unit[i].kind);
	check_bytewise(data, size, whole.count > 0 ? 0 : whole.err,
		       &whole.unit[0]);
	if (whole.count > 0 && whole.unit[0].kind == SIP_FRAME_MSG)
		check_head(data, whole.unit[0].len);
	if (sip_frame_datagram(data, size, &f, NULL) == 0) {
		fuzz_check(f.len <= size);
		if (f.kind == SIP_FRAME_MSG)
			check_head(data, f.len);
	}
	return 0;
}
