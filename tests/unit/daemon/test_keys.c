/* The keys process: requests answered in place, and the role over its
 * channels, sandboxed. */
#include "daemon/keys.h"
#include "daemon/wire.h"

#include <check.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <grp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authn/digest.h"
#include "base/reader.h"
#include "lib/certs.h"
#include "lib/run.h"
#include "priv/channel.h"
#include "priv/keys_client.h"
#include "tls/creds.h"
#include "tls/keyref.h"
#include "tls/random.h"
#include "tls/session.h"

static struct keys *keys;
static struct test_cert *rsa;
static struct test_cert *ec;
static char dir[64];
static char rsa_path[128];
static char ec_path[128];
static char store_path[128];

static struct slice str(const char *s)
{
	return slice_str(s);
}

/* The name of its key in the role, which nobody gave it one. */
static struct slice name_of(const struct test_cert *c,
			    uint8_t buf[SIGNER_KEY_ID_MAX])
{
	gnutls_pubkey_t pub;

	ck_assert_int_eq(gnutls_pubkey_init(&pub), 0);
	ck_assert_int_eq(gnutls_pubkey_import_x509(pub, c->crt, 0), 0);
	ck_assert_int_eq(tls_keyref_name(pub, buf), 0);
	gnutls_pubkey_deinit(pub);
	return slice_make(buf, SIGNER_KEY_ID_MAX);
}

static void set_up(void)
{
	char why[KEYS_ERR_MAX] = "";

	ck_assert_int_eq(tls_global_init(), 0);
	rsa = test_cert_new(
		&(struct test_cert_spec){.cn = "rsa", .is_rsa = true});
	ec = test_cert_new(&(struct test_cert_spec){.cn = "ec"});
	test_tmpdir(dir);
	(void)snprintf(rsa_path, sizeof(rsa_path), "%s/rsa.key", dir);
	(void)snprintf(ec_path, sizeof(ec_path), "%s/ec.key", dir);
	(void)snprintf(store_path, sizeof(store_path), "%s/store.key", dir);
	test_write(rsa_path, test_datum(&rsa->key_pem), 0600);
	test_write(ec_path, test_datum(&ec->key_pem), 0400);
	ck_assert_int_eq(keys_new(&keys), 0);
	ck_assert_msg(keys_load(keys, str("rsa"), rsa_path, why) == 0, "%s",
		      why);
	ck_assert_msg(keys_load(keys, str("ec"), ec_path, why) == 0, "%s", why);
	ck_assert_msg(keys_load_store_key(keys, store_path, why) == 0, "%s",
		      why);
}

static void tear_down(void)
{
	char cmd[96];

	keys = keys_free(keys);
	test_cert_free(rsa);
	test_cert_free(ec);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* Ask in place; returns the error, *ret_len bytes of result in out. */
static int ask(uint32_t may, struct keys_request *q, uint8_t *out,
	       size_t *ret_len)
{
	static uint8_t request[KEYS_MSG_MAX];
	uint8_t answer[KEYS_ANSWER_MAX];
	struct keys_answer a;
	struct writer w;
	struct slice r;

	q->number = 4711;
	writer_init(&w, request, sizeof(request));
	keys_request_print(q, &w);
	ck_assert(writer_ok(&w));
	r = writer_slice(&w);
	writer_init(&w, answer, sizeof(answer));
	keys_serve(keys, may, r, &w);
	ck_assert_int_eq(keys_answer_parse(writer_slice(&w), &a), 0);
	ck_assert_uint_eq(a.number, 4711);
	ck_assert_uint_eq(a.op, q->op);
	if (a.err == 0 && out) {
		memcpy(out, a.data.ptr, a.data.len);
		*ret_len = a.data.len;
	}
	return a.err;
}

static int verify(const struct test_cert *c, gnutls_sign_algorithm_t alg,
		  const gnutls_datum_t *hash, const gnutls_datum_t *sig)
{
	gnutls_pubkey_t pub;
	int rc;

	ck_assert_int_eq(gnutls_pubkey_init(&pub), 0);
	ck_assert_int_eq(gnutls_pubkey_import_x509(pub, c->crt, 0), 0);
	rc = gnutls_pubkey_verify_hash2(pub, alg, 0, hash, sig);
	gnutls_pubkey_deinit(pub);
	return rc;
}

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

static void seal(const char *user, const char *realm, const char *password,
		 uint8_t *blob, size_t *ret_len)
{
	struct digest_hex md5;
	struct digest_hex sha;
	struct keys_request q = {.op = KEYS_OP_SEAL,
				 .user = str(user),
				 .realm = str(realm),
				 .ha1_count = 2};

	ck_assert_int_eq(digest_ha1(DIGEST_MD5, str(user), str(realm),
				    str(password), &md5),
			 0);
	ck_assert_int_eq(digest_ha1(DIGEST_SHA256, str(user), str(realm),
				    str(password), &sha),
			 0);
	q.ha1[0] = (struct keys_ha1){DIGEST_MD5, digest_hex_slice(&md5)};
	q.ha1[1] = (struct keys_ha1){DIGEST_SHA256, digest_hex_slice(&sha)};
	ck_assert_int_eq(ask(KEYS_CLIENT_MONITOR, &q, blob, ret_len), 0);
}

/* RFC 7616 section 3.9.1: user Mufasa, both algorithms. */
static struct keys_check mufasa(uint8_t alg, struct slice blob)
{
	return (struct keys_check){
		.blob = blob,
		.user = str("Mufasa"),
		.realm = str("http-auth@example.org"),
		.alg = alg,
		.method = str("GET"),
		.uri = str("/dir/index.html"),
		.nonce = str("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"),
		.nc = str("00000001"),
		.cnonce = str("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"),
		.qop = str("auth"),
		.response =
			alg == DIGEST_MD5
				? str("8ca523f5e9506fed4657c9700eebdbec")
				: str("753927fa0e85d155564e2e272a28d1802ca10d"
				      "af4496794697cf8db5856cb6c1"),
	};
}

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

/* ---- the role ---- */

struct role {
	pid_t pid;
	int control;
	int client;
};

static void run_role(enum sandbox_mode mode, bool as_user, int control)
{
	char root[64] = "/tmp";
	/* Two certificates may share a key. */
	const char *const files[] = {rsa_path, ec_path, ec_path};
	struct keys_main_params p = {
		.files = files,
		.file_count = 3,
		.store_key = store_path,
		.control_fd = control,
		.sandbox = {.role = SANDBOX_KEYS,
			    .mode = mode,
			    .user = "nobody",
			    .group = "nogroup"},
	};
	int rc;

	if (as_user) {
		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 ||
		    setuid(65534) < 0)
			_exit(99);
	} else {
		test_tmpdir(root);
		p.sandbox.chroot_dir = root;
	}
	rc = keys_main(&p);
	_exit(rc);
}

static struct role start_role(enum sandbox_mode mode, bool as_user)
{
	int control[2];
	int client[2];
	struct role r;
	char buf[16];
	struct pollfd pfd;

	ck_assert_int_eq(channel_pair(control), 0);
	ck_assert_int_eq(channel_pair(client), 0);
	r.pid = fork();
	ck_assert_int_ge(r.pid, 0);
	if (r.pid == 0) {
		(void)close(control[0]);
		(void)close(client[0]);
		(void)close(client[1]);
		run_role(mode, as_user, control[1]);
	}
	(void)close(control[1]);
	r.control = control[0];
	r.client = client[0];
	pfd = (struct pollfd){.fd = r.control, .events = POLLIN};
	ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
	ck_assert_int_eq(recv(r.control, buf, sizeof(buf), MSG_DONTWAIT), 5);
	ck_assert_mem_eq(buf, "ready", 5);
	{
		/* The worker's end, as the monitor brings it. */
		uint8_t text[DWIRE_ADOPT_LEN];
		struct writer w;
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} c = {.bytes = {0}};
		struct iovec iov = {text, sizeof(text)};
		struct msghdr mh = {.msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = &c,
				    .msg_controllen = sizeof(c)};

		writer_init(&w, text, sizeof(text));
		dwire_adopt_write(&w, 0);
		c.align.cmsg_level = SOL_SOCKET;
		c.align.cmsg_type = SCM_RIGHTS;
		c.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.align), &client[1], sizeof(int));
		ck_assert_int_eq(sendmsg(r.control, &mh, 0), DWIRE_ADOPT_LEN);
	}
	(void)close(client[1]);
	return r;
}

static void end_role(struct role *r, int want)
{
	int status = 0;

	(void)close(r->control);
	ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
	ck_assert_msg(status == want, "status %x", (unsigned)status);
}

static int answers;
static int last_err;
static uint64_t last_cookie;
static int downs;

static void on_answer(void *ctx, uint64_t cookie, int err, struct slice data)
{
	(void)ctx;
	(void)data;
	answers++;
	last_cookie = cookie;
	last_err = err;
}

static void on_down(void *ctx)
{
	(void)ctx;
	downs++;
}

#define RUN_UNTIL(loop, cond)                                     \
	do {                                                      \
		int left = 500;                                   \
		while (!(cond) && left-- > 0)                     \
			ck_assert_int_eq(loop_step(loop, 20), 0); \
		ck_assert(cond);                                  \
	} while (0)

/* Everything a worker asks for, through the client. */
static void use_role(struct role *r)
{
	struct loop *loop;
	struct keys_client *c;
	struct keys_client_params p = {.fd = r->client,
				       .answer = on_answer,
				       .down = on_down,
				       .pending_max = 3};
	const struct signer *s;
	uint8_t blob[KEYS_BLOB_MAX];
	uint8_t out[KEYS_ANSWER_MAX];
	uint8_t hash[32] = {1};
	uint8_t name[SIGNER_KEY_ID_MAX];
	struct keys_check q;
	struct writer w;
	size_t len = 0;

	/* The role reads the same store key file. */
	seal("Mufasa", "http-auth@example.org", "Circle of Life", blob, &len);
	answers = 0;
	downs = 0;
	ck_assert_int_eq(loop_new(&loop), 0);
	p.loop = loop;
	ck_assert_int_eq(keys_client_new(&p, &c), 0);
	s = keys_client_signer(c);
	q = mufasa(DIGEST_SHA256, slice_make(blob, len));
	ck_assert_int_eq(keys_client_check(c, &q, 1), 0);
	ck_assert_int_eq(keys_client_check(c, &q, 2), 0);
	ck_assert_int_eq(keys_client_check(c, &q, 3), 0);
	ck_assert_int_eq(keys_client_check(c, &q, 4), ERR_LIMIT);
	/* A signature overtakes nothing: earlier answers are kept. */
	writer_init(&w, out, sizeof(out));
	ck_assert_int_eq(s->sign(s->ctx, name_of(ec, name),
				 GNUTLS_SIGN_ECDSA_SHA256, slice_make(hash, 32),
				 &w),
			 0);
	{
		gnutls_datum_t h = {hash, 32};
		gnutls_datum_t sig = {out, (unsigned)w.len};

		ck_assert_int_ge(verify(ec, GNUTLS_SIGN_ECDSA_SHA256, &h, &sig),
				 0);
	}
	ck_assert_int_eq(answers, 0);
	RUN_UNTIL(loop, answers == 3);
	ck_assert_int_eq(last_err, 0);
	ck_assert_uint_eq(last_cookie, 3);
	q.nonce = str("another");
	ck_assert_int_eq(keys_client_check(c, &q, 5), 0);
	RUN_UNTIL(loop, answers == 4);
	ck_assert_int_eq(last_err, ERR_AUTH);
	writer_init(&w, out, sizeof(out));
	ck_assert_int_eq(s->sign(s->ctx, str("no"), GNUTLS_SIGN_RSA_SHA256,
				 slice_make(hash, 32), &w),
			 ERR_NOTFOUND);
	ck_assert_int_eq(keys_client_pubkey(c, name_of(rsa, name), &w), 0);
	writer_init(&w, out, sizeof(out));
	ck_assert_int_eq(keys_client_ticket(c, &w), 0);
	ck_assert_uint_eq(w.len, TLS_TICKET_KEY_LEN);
	writer_init(&w, out, 10);
	ck_assert_int_eq(keys_client_pubkey(c, name_of(rsa, name), &w),
			 ERR_SPACE);
	{
		struct keys_request seal_q = {
			.user = str("u"), .realm = str("r"), .ha1_count = 1};

		seal_q.ha1[0].hex = str("00112233445566778899aabbccddeeff");
		ck_assert_int_eq(keys_client_seal(c, &seal_q, &w), ERR_DENIED);
	}
	/* The process dies: what waits is answered, then it is told. */
	ck_assert_int_eq(keys_client_check(c, &q, 6), 0);
	ck_assert_int_eq(kill(r->pid, SIGKILL), 0);
	RUN_UNTIL(loop, downs == 1);
	ck_assert_int_eq(answers, 5);
	ck_assert_int_eq(keys_client_check(c, &q, 7), ERR_CLOSED);
	ck_assert_int_eq(s->sign(s->ctx, name_of(ec, name),
				 GNUTLS_SIGN_ECDSA_SHA256, slice_make(hash, 32),
				 &w),
			 ERR_CLOSED);
	c = keys_client_free(c);
	loop = loop_free(loop);
}

START_TEST(role_serves_its_clients_in_kill_mode)
{
	struct role r = start_role(SANDBOX_KILL, false);

	use_role(&r);
	end_role(&r, SIGKILL);
}
END_TEST

START_TEST(role_works_without_root)
{
	struct role r;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(dir, 0711), 0);
	ck_assert_int_eq(chown(rsa_path, 65534, 65534), 0);
	ck_assert_int_eq(chown(ec_path, 65534, 65534), 0);
	ck_assert_int_eq(chown(store_path, 65534, 65534), 0);
	r = start_role(SANDBOX_KILL, true);
	(void)close(r.client);
	end_role(&r, 0);
}
END_TEST

START_TEST(role_ends_with_its_monitor)
{
	struct role r = start_role(SANDBOX_LOG, false);

	(void)close(r.client);
	end_role(&r, 0);
}
END_TEST

START_TEST(role_ends_at_sigterm)
{
	struct role r = start_role(SANDBOX_KILL, false);
	struct pollfd pfd = {.fd = r.control, .events = POLLIN};
	char c;

	ck_assert_int_eq(kill(r.pid, SIGTERM), 0);
	ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
	ck_assert_int_eq(recv(r.control, &c, 1, MSG_DONTWAIT), 0);
	(void)close(r.client);
	end_role(&r, 0);
}
END_TEST

/* To the role, with the file at path when there is one. */
static void tell(const struct role *r, const char *text, const char *path)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} c = {.bytes = {0}};
	char copy[256];
	struct iovec iov = {copy, strlen(text)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	if (fd >= 0) {
		mh.msg_control = &c;
		mh.msg_controllen = sizeof(c);
		c.align.cmsg_level = SOL_SOCKET;
		c.align.cmsg_type = SCM_RIGHTS;
		c.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.align), &fd, sizeof(int));
	}
	ck_assert_int_eq(sendmsg(r->control, &mh, 0), (ssize_t)strlen(text));
	if (fd >= 0)
		(void)close(fd);
}

static void answers_with(const struct role *r, const char *want)
{
	struct pollfd pfd = {.fd = r->control, .events = POLLIN};
	char buf[KEYS_ERR_MAX + 1];
	ssize_t n;

	ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
	n = recv(r->control, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	ck_assert_int_gt(n, 0);
	buf[n] = '\0';
	ck_assert_msg(strstr(buf, want) != NULL, "%s", buf);
}

static int sign_with(struct keys_client *c, const struct test_cert *cert)
{
	const struct signer *s = keys_client_signer(c);
	uint8_t name[SIGNER_KEY_ID_MAX];
	uint8_t out[KEYS_ANSWER_MAX];
	uint8_t hash[32] = {1};
	struct writer w;

	writer_init(&w, out, sizeof(out));
	return s->sign(s->ctx, name_of(cert, name), GNUTLS_SIGN_ECDSA_SHA256,
		       slice_make(hash, 32), &w);
}

static void change_to(const struct role *r, const char *path)
{
	tell(r, KEYS_RELOAD_FILE, path);
	tell(r, KEYS_RELOAD_END, NULL);
	answers_with(r, KEYS_RELOADED);
}

START_TEST(role_takes_new_keys_and_keeps_the_old_for_one_reload)
{
	struct role r = start_role(SANDBOX_KILL, false);
	struct keys_client_params kp = {.fd = r.client};
	struct test_cert *other =
		test_cert_new(&(struct test_cert_spec){.cn = "other"});
	struct keys_client *kc;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/other.key", dir);
	test_write(path, test_datum(&other->key_pem), 0600);
	ck_assert_int_eq(keys_client_new(&kp, &kc), 0);
	ck_assert_int_eq(sign_with(kc, ec), 0);
	ck_assert_int_eq(sign_with(kc, other), ERR_NOTFOUND);
	/* An error changes nothing, and the first one is told. */
	tell(&r, KEYS_RELOAD_TOKEN "pkcs11:token=x", NULL);
	tell(&r, KEYS_RELOAD_FILE, store_path);
	tell(&r, KEYS_RELOAD_END, NULL);
	answers_with(&r, "restart");
	ck_assert_int_eq(sign_with(kc, ec), 0);
	/* Whoever begins anew as root would not take a key of the account's. */
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 65534, 65534), 0);
		tell(&r, KEYS_RELOAD_FILE, path);
		tell(&r, KEYS_RELOAD_END, NULL);
		answers_with(&r, "must belong to root");
		ck_assert_int_eq(chown(path, 0, 0), 0);
	}
	/* So does a round that is given up, and nothing is said. */
	tell(&r, KEYS_RELOAD_TOKEN "pkcs11:token=x", NULL);
	tell(&r, KEYS_RELOAD_FILE, path);
	tell(&r, KEYS_RELOAD_ABORT, NULL);
	for (int i = 0; i < 2; i++) {
		/* Workers change over one after the other. */
		ck_assert_int_eq(sign_with(kc, ec), 0);
		change_to(&r, path);
		ck_assert_int_eq(sign_with(kc, other), 0);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sign_with(kc, ec), 0);
		tell(&r, KEYS_SETTLED, NULL);
		change_to(&r, path);
	}
	ck_assert_int_eq(sign_with(kc, ec), ERR_NOTFOUND);
	kc = keys_client_free(kc);
	end_role(&r, 0);
	test_cert_free(other);
}
END_TEST

START_TEST(process_that_hangs_is_waited_for_once)
{
	struct keys_client_params p = {.timeout_ms = 30};
	struct keys_client *c;
	uint8_t out[KEYS_ANSWER_MAX];
	struct writer w;
	int fds[2];
	uint8_t request[64];
	long n = 0;

	ck_assert_int_eq(channel_pair(fds), 0);
	p.fd = fds[0];
	ck_assert_int_eq(keys_client_new(&p, &c), 0);
	writer_init(&w, out, sizeof(out));
	/* The second call is not even sent. */
	ck_assert_int_eq(keys_client_ticket(c, &w), ERR_TIMEOUT);
	ck_assert_int_eq(keys_client_ticket(c, &w), ERR_TIMEOUT);
	while (recv(fds[1], request, sizeof(request), MSG_DONTWAIT) > 0)
		n++;
	ck_assert_int_eq(n, 1);
	c = keys_client_free(c);
	(void)close(fds[1]);
}
END_TEST

START_TEST(tls_handshake_signs_through_the_role)
{
	struct role r = start_role(SANDBOX_KILL, false);
	struct keys_client_params kp = {.fd = r.client};
	struct keys_client *kc;

	ck_assert_int_eq(keys_client_new(&kp, &kc), 0);
	for (int i = 0; i < 2; i++) {
		const struct test_cert *cert = i ? ec : rsa;
		struct tls_creds_params cp = {.policy = tls_policy_at(0),
					      .is_peer_optional = true};
		struct tls_creds *c;
		struct tls_session *server;
		struct tls_session *client;
		char why[TLS_CREDS_ERR_MAX] = "";
		int s = ERR_MORE;
		int k = ERR_MORE;

		ck_assert_int_eq(tls_creds_new(&cp, &c), 0);
		ck_assert_msg(tls_creds_identity(c, "cert",
						 test_datum(&cert->pem),
						 keys_client_signer(kc),
						 SLICE_NULL, why) == 0,
			      "%s", why);
		ck_assert_int_eq(
			tls_creds_trust(c, "ca", test_datum(&cert->pem), why),
			0);
		ck_assert_int_eq(tls_session_new(c, TLS_SERVER, NULL, &server),
				 0);
		ck_assert_int_eq(tls_session_new(c, TLS_CLIENT, NULL, &client),
				 0);
		for (int j = 0; j < 10 && (s || k); j++) {
			struct slice out;

			if (k)
				k = tls_session_handshake(client);
			out = tls_session_out(client);
			ck_assert_int_eq(tls_session_feed(server, out), 0);
			tls_session_sent(client, out.len);
			if (s)
				s = tls_session_handshake(server);
			out = tls_session_out(server);
			ck_assert_int_eq(tls_session_feed(client, out), 0);
			tls_session_sent(server, out.len);
		}
		ck_assert_int_eq(s, 0);
		ck_assert_int_eq(k, 0);
		(void)tls_session_free(server);
		(void)tls_session_free(client);
		(void)tls_creds_unref(c);
	}
	kc = keys_client_free(kc);
	end_role(&r, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("daemon/keys");
	TCase *ops = tcase_create("operations");
	TCase *files = tcase_create("files");
	TCase *role = tcase_create("the role");

	tcase_add_checked_fixture(ops, set_up, tear_down);
	tcase_add_checked_fixture(files, set_up, tear_down);
	tcase_add_checked_fixture(role, set_up, tear_down);
	tcase_set_timeout(role, 60);
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
	tcase_add_test(role, role_serves_its_clients_in_kill_mode);
	tcase_add_test(role, role_works_without_root);
	tcase_add_test(role, role_ends_with_its_monitor);
	tcase_add_test(role, role_ends_at_sigterm);
	tcase_add_test(role,
		       role_takes_new_keys_and_keeps_the_old_for_one_reload);
	tcase_add_test(role, process_that_hangs_is_waited_for_once);
	tcase_add_test(role, tls_handshake_signs_through_the_role);
	suite_add_tcase(s, ops);
	suite_add_tcase(s, files);
	suite_add_tcase(s, role);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
