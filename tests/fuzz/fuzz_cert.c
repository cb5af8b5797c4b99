/* Certificates: facts are text without control bytes that ends. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "pki/cert.h"

static void check_text(const char *text, size_t cap)
{
	size_t n = strnlen(text, cap);

	fuzz_check(n < cap);
	for (size_t i = 0; i < n; i++)
		fuzz_check((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cert *c = NULL;

	if (cert_parse(slice_make(data, size), &c) != 0) {
		fuzz_check(!c);
		return 0;
	}
	check_text(c->subject, sizeof(c->subject));
	check_text(c->issuer, sizeof(c->issuer));
	check_text(c->cn, sizeof(c->cn));
	check_text(c->device, sizeof(c->device));
	fuzz_check(c->dns_count <= CERT_DNS_MAX);
	for (size_t i = 0; i < c->dns_count; i++)
		check_text(c->dns[i], CERT_NAME_MAX);
	fuzz_check(c->serial_len <= CERT_SERIAL_MAX);
	fuzz_check(c->cn[0] == '\0' || c->device[0] != '\0');
	(void)cert_is_valid_at(c, 0);
	(void)cert_names(c, slice_str(c->cn));
	cert_free(c);
	return 0;
}
