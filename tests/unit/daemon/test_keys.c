/* The keys process: requests answered in place, and the files it reads. */
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authn/digest.h"
#include "base/reader.h"
#include "lib/run.h"
#include "tls/creds.h"
#include "unit/daemon/keys_rig.h"

START_TEST(signatures_of_every_kind_verify)
{
	static const struct {
		const char *key;
		gnutls_sign_algorithm_t alg;
		int want;
	} rows[] = {
		{"rsa", GNUTLS_SIGN_RSA_SHA1, 0},
		{"rsa", GNUTLS_SIGN_RSA_SHA256, 0},
		{"rsa", GNUTLS_SIGN_RSA_SHA512, 0},
		{"rsa", GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, 0},
		{"rsa", GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, 0},
		{"ec", GNUTLS_SIGN_ECDSA_SHA256, 0},
		{"ec", GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, 0},
		{"ec", GNUTLS_SIGN_RSA_SHA256, ERR_UNSUPPORTED},
		{"rsa", GNUTLS_SIGN_ECDSA_SHA256, ERR_UNSUPPORTED},
		{"ec", GNUTLS_SIGN_RSA_RAW, ERR_UNSUPPORTED},
		{"rsa", 9999, ERR_UNSUPPORTED},
		{"nobody", GNUTLS_SIGN_RSA_SHA256, ERR_NOTFOUND},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		gnutls_digest_algorithm_t dig =
			gnutls_sign_get_hash_algorithm(rows[i].alg);
		uint8_t hash[64] = {1, 2, 3};
		uint8_t sig[SIGNER_OUT_MAX];
		size_t len = 0;
		size_t hlen = gnutls_hash_get_len(dig);
		struct keys_request q = {
			.op = KEYS_OP_SIGN,
			.key = str(rows[i].key),
			.alg = (uint16_t)rows[i].alg,
			.data = slice_make(hash, hlen ? hlen : 20)};
		const struct test_cert *c = rows[i].key[0] == 'r' ? rsa : ec;

		ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, sig, &len),
				 rows[i].want);
		if (rows[i].want == 0) {
			gnutls_datum_t h = {hash, (unsigned)hlen};
			gnutls_datum_t s = {sig, (unsigned)len};

			ck_assert_int_ge(verify(c, rows[i].alg, &h, &s), 0);
			hash[0] ^= 1;
			ck_assert_int_lt(verify(c, rows[i].alg, &h, &s), 0);
		}
		/* Anything but a digest of the right length is refused. */
		q.data.len--;
		ck_assert_int_lt(ask(KEYS_CLIENT_WORKER, &q, sig, &len), 0);
	}
	ck_assert_uint_gt(keys_stats(keys)->refused, 0);
}
END_TEST

START_TEST(decryption_is_no_oracle)
{
	uint8_t secret[48] = {3, 3, 'k'};
	gnutls_datum_t plain = {secret, sizeof(secret)};
	gnutls_datum_t cipher = {NULL, 0};
	uint8_t out[SIGNER_OUT_MAX];
	size_t len = 0;
	gnutls_pubkey_t pub;
	struct keys_request q = {.op = KEYS_OP_DECRYPT, .key = str("rsa")};

	ck_assert_int_eq(gnutls_pubkey_init(&pub), 0);
	ck_assert_int_eq(gnutls_pubkey_import_x509(pub, rsa->crt, 0), 0);
	ck_assert_int_eq(gnutls_pubkey_encrypt_data(pub, 0, &plain, &cipher),
			 0);
	gnutls_pubkey_deinit(pub);
	q.data = test_datum(&cipher);
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len), 0);
	ck_assert_uint_eq(len, sizeof(secret));
	ck_assert_mem_eq(out, secret, sizeof(secret));
	/* Broken padding: 48 bytes all the same, other ones each time. */
	cipher.data[5] ^= 1;
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len), 0);
	ck_assert_uint_eq(len, sizeof(secret));
	ck_assert_mem_ne(out, secret, sizeof(secret));
	q.key = str("ec");
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len),
			 ERR_UNSUPPORTED);
	gnutls_free(cipher.data);
}
END_TEST

START_TEST(public_key_is_that_of_the_certificate)
{
	struct keys_request q = {.op = KEYS_OP_PUBKEY, .key = str("ec")};
	gnutls_datum_t want = {NULL, 0};
	gnutls_pubkey_t pub;
	uint8_t out[KEYS_ANSWER_MAX];
	size_t len = 0;

	ck_assert_int_eq(gnutls_pubkey_init(&pub), 0);
	ck_assert_int_eq(gnutls_pubkey_import_x509(pub, ec->crt, 0), 0);
	ck_assert_int_eq(gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &want),
			 0);
	gnutls_pubkey_deinit(pub);
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len), 0);
	ck_assert(slice_eq(slice_make(out, len), test_datum(&want)));
	gnutls_free(want.data);
	q.key = str("none");
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len), ERR_NOTFOUND);
}
END_TEST

START_TEST(sealed_credential_checks_rfc_7616_responses)
{
	uint8_t blob[KEYS_BLOB_MAX];
	size_t len = 0;
	struct keys_request q = {.op = KEYS_OP_CHECK};

	seal("Mufasa", "http-auth@example.org", "Circle of Life", blob, &len);
	for (uint8_t alg = DIGEST_MD5; alg <= DIGEST_SHA256; alg++) {
		q.check = mufasa(alg, slice_make(blob, len));
		ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, NULL, NULL), 0);
		q.check.nc = str("00000002");
		ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, NULL, NULL),
				 ERR_AUTH);
		q.check = mufasa(alg, slice_make(blob, len));
		q.check.response = str("00");
		ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, NULL, NULL),
				 ERR_AUTH);
	}
	ck_assert_uint_eq(keys_stats(keys)->failed, 4);
	q.check.alg = DIGEST_COUNT;
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, NULL, NULL), ERR_BAD);
}
END_TEST

START_TEST(credential_is_bound_to_user_realm_and_key)
{
	uint8_t blob[KEYS_BLOB_MAX];
	size_t len = 0;
	struct keys_request q = {.op = KEYS_OP_CHECK};
	char why[KEYS_ERR_MAX];

	seal("Mufasa", "http-auth@example.org", "Circle of Life", blob, &len);
	q.check = mufasa(DIGEST_MD5, slice_make(blob, len));
	q.check.user = str("Scar");
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, NULL, NULL), ERR_BAD);
	q.check = mufasa(DIGEST_MD5, slice_make(blob, len));
	q.check.realm = str("example.org");
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, NULL, NULL), ERR_BAD);
	for (size_t cut = 0; cut < len; cut++) {
		q.check = mufasa(DIGEST_MD5, slice_make(blob, cut));
		ck_assert_int_lt(ask(KEYS_CLIENT_WORKER, &q, NULL, NULL), 0);
	}
	for (size_t i = 0; i < len; i++) {
		blob[i] ^= 0x40;
		q.check = mufasa(DIGEST_MD5, slice_make(blob, len));
		ck_assert_int_lt(ask(KEYS_CLIENT_WORKER, &q, NULL, NULL), 0);
		blob[i] ^= 0x40;
	}
	/* Another store key. */
	keys = keys_free(keys);
	ck_assert_int_eq(unlink(store_path), 0);
	ck_assert_int_eq(keys_new(&keys), 0);
	ck_assert_int_eq(keys_load_store_key(keys, store_path, why), 0);
	q.check = mufasa(DIGEST_MD5, slice_make(blob, len));
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, NULL, NULL), ERR_BAD);
}
END_TEST

START_TEST(a_realms_password_answers_and_is_bound_to_its_realm)
{
	static uint8_t blob[KEYS_ANSWER_MAX];
	static uint8_t out[KEYS_ANSWER_MAX];
	size_t len = 0;
	size_t blob_len = 0;
	struct reader r;
	struct slice user;
	struct slice response;
	struct keys_check c = mufasa(DIGEST_SHA256, SLICE_NULL);
	struct slice want = c.response;
	struct keys_request q = {.op = KEYS_OP_SEAL_REALM,
				 .user = str("Mufasa"),
				 .realm = c.realm,
				 .data = str("Circle of Life")};

	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, blob, &blob_len),
			 ERR_DENIED);
	ck_assert_int_eq(ask(KEYS_CLIENT_MONITOR, &q, blob, &blob_len), 0);
	ck_assert_ptr_null(memmem(blob, blob_len, "Circle", 6));
	c.blob = slice_make(blob, blob_len);
	c.user = SLICE_NULL;
	c.response = SLICE_NULL;
	q = (struct keys_request){.op = KEYS_OP_ANSWER, .check = c};
	ck_assert_int_eq(ask(KEYS_CLIENT_MONITOR, &q, out, &len), ERR_DENIED);
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len), 0);
	reader_init(&r, slice_make(out, len));
	user = reader_blob(&r);
	response = reader_blob(&r);
	ck_assert(reader_end(&r));
	ck_assert(slice_eqs(user, "Mufasa"));
	ck_assert(slice_eq(response, want));
	/* Another realm's it cannot be, nor a phone's. */
	q.check.realm = str("elsewhere");
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len), ERR_BAD);
	q = (struct keys_request){.op = KEYS_OP_CHECK, .check = c};
	q.check.user = str("Mufasa");
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len), ERR_BAD);
}
END_TEST

/* What a new key ring answers in a boot of this name. */
static void nonce_in(const char *boot, uint8_t ret[KEYS_ANSWER_MAX])
{
	struct keys_request q = {.op = KEYS_OP_NONCE};
	char why[KEYS_ERR_MAX] = "";
	size_t len = 0;

	keys = keys_free(keys);
	ck_assert_int_eq(keys_new(&keys), 0);
	keys_boot(keys, slice_str(boot));
	ck_assert_int_eq(keys_load_store_key(keys, store_path, why), 0);
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, ret, &len), 0);
	ck_assert_uint_eq(len, KEYS_WRAP_LEN + KEYS_BOOT_LEN);
}

START_TEST(the_key_of_nonces_outlives_a_boot_and_their_time_does_not)
{
	static uint8_t a[KEYS_ANSWER_MAX], b[KEYS_ANSWER_MAX];

	nonce_in("one", a);
	nonce_in("one", b);
	ck_assert_mem_eq(a, b, KEYS_WRAP_LEN + KEYS_BOOT_LEN);
	nonce_in("two", b);
	ck_assert_mem_eq(a, b, KEYS_WRAP_LEN);
	ck_assert_mem_ne(a + KEYS_WRAP_LEN, b + KEYS_WRAP_LEN, KEYS_BOOT_LEN);
	/* Where nobody knows, it is another one each time. */
	nonce_in("", a);
	nonce_in("", b);
	ck_assert_mem_eq(a, b, KEYS_WRAP_LEN);
	ck_assert_mem_ne(a + KEYS_WRAP_LEN, b + KEYS_WRAP_LEN, KEYS_BOOT_LEN);
}
END_TEST

START_TEST(clients_may_only_what_they_may)
{
	uint8_t out[KEYS_ANSWER_MAX];
	size_t len = 0;
	struct keys_request q = {.op = KEYS_OP_SEAL,
				 .user = str("u"),
				 .realm = str("r"),
				 .ha1_count = 1,
				 .ha1 = {{0, str("00112233445566778899aabbcc"
						 "ddeeff")}}};

	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len), ERR_DENIED);
	ck_assert_int_eq(ask(KEYS_CLIENT_MONITOR, &q, out, &len), 0);
	q = (struct keys_request){.op = KEYS_OP_SIGN,
				  .key = str("rsa"),
				  .alg = GNUTLS_SIGN_RSA_SHA256,
				  .data = slice_make(out, 32)};
	ck_assert_int_eq(ask(KEYS_CLIENT_MONITOR, &q, out, &len), ERR_DENIED);
	q = (struct keys_request){.op = KEYS_OP_TICKET};
	ck_assert_int_eq(ask(KEYS_CLIENT_MONITOR, &q, out, &len), ERR_DENIED);
	ck_assert_int_eq(ask(KEYS_CLIENT_WORKER, &q, out, &len), 0);
	ck_assert_uint_eq(len, TLS_TICKET_KEY_LEN);
	ck_assert_uint_eq(keys_stats(keys)->refused, 3);
}
END_TEST

START_TEST(unreadable_requests_get_an_answer)
{
	static const uint8_t rows[][8] = {
		{0},
		{1},
		{1, 1, 0, 0, 0, 9},
		{9, 1, 0, 0, 0, 9, 0},
		{1, 77, 0, 0, 0, 9},
	};
	static const size_t lens[] = {0, 1, 6, 7, 6};

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint8_t answer[KEYS_ANSWER_MAX];
		struct keys_answer a;
		struct writer w;

		writer_init(&w, answer, sizeof(answer));
		keys_serve(keys, UINT32_MAX, slice_make(rows[i], lens[i]), &w);
		ck_assert_int_eq(keys_answer_parse(writer_slice(&w), &a), 0);
		ck_assert_int_lt(a.err, 0);
		if (lens[i] >= 6)
			ck_assert_uint_eq(a.number, 9);
	}
	ck_assert_uint_eq(keys_stats(keys)->requests[0], 5);
}
END_TEST

START_TEST(key_files_others_can_read_are_refused)
{
	static const struct {
		unsigned mode;
		int want;
	} rows[] = {
		{0600, 0},	    {0400, 0},		{0640, ERR_DENIED},
		{0604, ERR_DENIED}, {0620, ERR_DENIED}, {0601, ERR_DENIED},
		{0644, ERR_DENIED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char why[KEYS_ERR_MAX] = "";
		char name[16];

		(void)snprintf(name, sizeof(name), "key%zu", i);
		test_write(rsa_path, test_datum(&rsa->key_pem), rows[i].mode);
		ck_assert_int_eq(keys_load(keys, str(name), rsa_path, why),
				 rows[i].want);
		if (rows[i].want)
			ck_assert_ptr_nonnull(strstr(why, "chmod 600"));
		ck_assert_int_eq(chmod(store_path, rows[i].mode), 0);
		{
			struct keys *other;

			ck_assert_int_eq(keys_new(&other), 0);
			ck_assert_int_eq(
				keys_load_store_key(other, store_path, why),
				rows[i].want);
			(void)keys_free(other);
		}
	}
}
END_TEST

START_TEST(wrong_key_files_are_explained)
{
	char path[128];
	char why[KEYS_ERR_MAX] = "";

	(void)snprintf(path, sizeof(path), "%s/x", dir);
	ck_assert_int_eq(keys_load(keys, str("x"), path, why), ERR_IO);
	test_write(path, str("nothing"), 0600);
	ck_assert_int_eq(keys_load(keys, str("x"), path, why), ERR_BAD);
	ck_assert_ptr_nonnull(strstr(why, "PEM"));
	test_write(path,
		   str("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
		       "-----END ENCRYPTED PRIVATE KEY-----\n"),
		   0600);
	ck_assert_int_eq(keys_load(keys, str("x"), path, why), ERR_BAD);
	ck_assert_ptr_nonnull(strstr(why, "is encrypted"));
	test_write(path, str("nothing"), 0600);
	ck_assert_int_eq(keys_load(keys, str("x"), dir, why), ERR_BAD);
	ck_assert_int_eq(keys_load(keys, str("rsa"), ec_path, why), ERR_EXISTS);
	ck_assert_int_eq(keys_load_store_key(keys, path, why), ERR_EXISTS);
	keys = keys_free(keys);
	ck_assert_int_eq(keys_new(&keys), 0);
	ck_assert_int_eq(keys_load_store_key(keys, path, why), ERR_BAD);
	if (geteuid() == 0) {
		test_write(path, test_datum(&ec->key_pem), 0600);
		ck_assert_int_eq(chown(path, 1, 1), 0);
		ck_assert_int_eq(keys_load(keys, str("x"), path, why),
				 ERR_DENIED);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("daemon/keys");
	TCase *ops = tcase_create("operations");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(ops, set_up, tear_down);
	tcase_add_checked_fixture(files, set_up, tear_down);
	tcase_add_test(ops, signatures_of_every_kind_verify);
	tcase_add_test(ops, decryption_is_no_oracle);
	tcase_add_test(ops, public_key_is_that_of_the_certificate);
	tcase_add_test(ops, sealed_credential_checks_rfc_7616_responses);
	tcase_add_test(ops, credential_is_bound_to_user_realm_and_key);
	tcase_add_test(ops,
		       a_realms_password_answers_and_is_bound_to_its_realm);
	tcase_add_test(
		ops, the_key_of_nonces_outlives_a_boot_and_their_time_does_not);
	tcase_add_test(ops, clients_may_only_what_they_may);
	tcase_add_test(ops, unreadable_requests_get_an_answer);
	tcase_add_test(files, key_files_others_can_read_are_refused);
	tcase_add_test(files, wrong_key_files_are_explained);
	suite_add_tcase(s, ops);
	suite_add_tcase(s, files);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
