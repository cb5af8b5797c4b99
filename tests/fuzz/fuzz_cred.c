/*
 * The value of an Authorization header up to the verdict: whoever does not
 * know our key has no good nonce, whoever does not know HA1 no response.
 */
#include "fuzz/fuzz.h"

#include "authn/digest.h"
#include "authn/nonce.h"
#include "sip/hdr.h"

static const struct nonce_params params = {
	.key = SLICE("this key is only used in this test"),
	.realm = SLICE("sallyport"),
	.worker = 1,
	.lifetime_ms = 60000,
};

/* The nonce of the corpus, made with params at 1000000 ms. */
static const char known[] = "AAAAAAAPQkAHBwcHBwcHBwABH34Q5IYRBpLHrbefJZbDQk9K";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest_fields f = {.method = SLICE("REGISTER")};
	struct digest_hex ha1, want;
	struct nonce_info info;
	struct sip_cred c;
	uint32_t nc;

	if (sip_cred_parse(slice_make(data, size), &c) != 0)
		return 0;
	if (nonce_check(&params, c.nonce, 1000001, &info) != NONCE_FORGED)
		fuzz_check(slice_eqs(c.nonce, known));
	if (nonce_count_parse(c.nc, &nc) == 0)
		fuzz_check(c.nc.len == 8 && nc > 0);
	if (digest_alg_find(c.algorithm, &f.alg) != 0)
		return 0;
	f.uri = c.uri;
	f.nonce = c.nonce;
	f.qop = c.qop;
	f.nc = c.nc;
	f.cnonce = c.cnonce;
	if (digest_ha1(f.alg, c.username, params.realm,
		       slice_make("a password nobody guesses", 25),
		       &ha1) != 0 ||
	    digest_response(digest_hex_slice(&ha1), &f, &want) != 0)
		return 0;
	fuzz_check(!digest_eq(&want, c.response));
	fuzz_check(digest_eq(&want, digest_hex_slice(&want)));
	return 0;
}
