/* Packets as a queue hands them out: what is read lies within, and a packet
 * that is good with its checksum is good without. */
#include "fuzz/fuzz.h"

#include "media/datagram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make(data, size);
	struct datagram d, e;

	if (datagram_parse(s, false, &d) != 0)
		return 0;
	fuzz_check(d.payload.len <= d.len && d.len <= UINT16_MAX);
	fuzz_check(d.payload.len == 0 ||
		   (d.payload.ptr >= data &&
		    d.payload.ptr + d.payload.len <= data + size));
	fuzz_check(datagram_parse(s, true, &e) == 0);
	fuzz_check(addr_eq(&d.src, &e.src) && addr_eq(&d.dst, &e.dst));
	return 0;
}
