/*
 * Anything instead of a ClientHello, in records of the sizes the input says:
 * the server neither comes up nor reads plaintext, says at most an alert, and
 * a refusal has a reason. Input: pairs of a length byte and that many bytes.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/reader.h"
#include "lib/certs.h"
#include "tls/keyring.h"
#include "tls/random.h"
#include "tls/session.h"

static struct tls_creds *creds;

static void set_up(void)
{
	struct tls_creds_params p = {.policy = tls_policy_at(0)};
	struct test_cert *cert;
	struct keyring *ring;
	char why[TLS_CREDS_ERR_MAX];

	fuzz_check(tls_global_init() == 0);
	cert = test_cert_new(&(struct test_cert_spec){.cn = "proxy"});
	/* Lives as long as the process. */
	fuzz_check(keyring_new(&ring) == 0);
	fuzz_check(keyring_add(ring, slice_str("k"),
			       test_datum(&cert->key_pem)) == 0);
	fuzz_check(tls_creds_new(&p, &creds) == 0);
	fuzz_check(tls_creds_identity(creds, "c", test_datum(&cert->pem),
				      keyring_signer(ring), slice_str("k"),
				      why) == 0);
	test_cert_free(cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_session *s;
	struct reader r;
	uint8_t plain[64];
	size_t n;
	int err = ERR_MORE;

	if (!creds)
		set_up();
	fuzz_check(tls_session_new(creds, TLS_SERVER, NULL, &s) == 0);
	reader_init(&r, slice_make(data, size));
	while (err == ERR_MORE && reader_left(&r) > 0) {
		size_t len = reader_u8(&r);

		if (len > reader_left(&r))
			len = reader_left(&r);
		if (tls_session_feed(s, reader_bytes(&r, len)) != 0)
			break;
		err = tls_session_handshake(s);
		/* No peer without a certificate's key comes up. */
		fuzz_check(err != 0);
	}
	if (err == ERR_MORE) {
		tls_session_feed_end(s);
		err = tls_session_handshake(s);
		fuzz_check(err != 0 && err != ERR_MORE);
	}
	fuzz_check(tls_session_reason(s) != NULL);
	fuzz_check(tls_session_facts(s) == NULL);
	fuzz_check(tls_session_read(s, plain, sizeof(plain), &n) == ERR_STATE);
	fuzz_check(tls_session_write(s, slice_str("x")) == ERR_STATE);
	(void)tls_session_free(s);
	return 0;
}
