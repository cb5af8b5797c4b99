/* A DNS message whose times to live are read: no beginning of a good one is
 * one, since every byte before the last answer's end is needed. */
#include "fuzz/fuzz.h"

#include "dns/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t ttl = UINT32_MAX;
	int err = dns_ttl(slice_make(data, size), &ttl);

	fuzz_check(err == 0 || err == ERR_BAD || err == ERR_NOTFOUND);
	fuzz_check((err == 0) == (ttl <= INT32_MAX));
	return 0;
}
