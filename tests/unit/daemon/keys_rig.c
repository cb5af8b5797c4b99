/* The keys, and what is asked of them in place. */
#include "unit/daemon/keys_rig.h"

#include <gnutls/abstract.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authn/digest.h"
#include "tls/random.h"

struct keys *keys;
struct test_cert *rsa;
struct test_cert *ec;
char dir[64];
char rsa_path[128];
char ec_path[128];
char store_path[128];

void set_up(void)
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

void tear_down(void)
{
	char cmd[96];

	keys = keys_free(keys);
	test_cert_free(rsa);
	test_cert_free(ec);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

int ask(uint32_t may, struct keys_request *q, uint8_t *out, size_t *ret_len)
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

int verify(const struct test_cert *c, gnutls_sign_algorithm_t alg,
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

void seal(const char *user, const char *realm, const char *password,
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

struct keys_check mufasa(uint8_t alg, struct slice blob)
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
