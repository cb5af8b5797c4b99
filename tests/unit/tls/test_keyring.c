/* Private keys by name: added, kept over a change, forgotten after two
 * that were taken up. What
 * they sign is test_keys' matter. */
#include "tls/keyring.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "lib/certs.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "tls/random.h"

enum { DER_MAX = 1024 };

static struct test_cert *rsa, *ec;
static struct keyring *ring;

static void setup(void)
{
	ck_assert_int_eq(tls_global_init(), 0);
	rsa = test_cert_new(
		&(struct test_cert_spec){.cn = "rsa", .is_rsa = true});
	ec = test_cert_new(&(struct test_cert_spec){.cn = "ec"});
	ck_assert_int_eq(keyring_new(&ring), 0);
}

static void teardown(void)
{
	ring = keyring_free(ring);
	test_cert_free(rsa);
	test_cert_free(ec);
}

static int add(struct keyring *k, const char *name, const struct test_cert *c)
{
	return keyring_add(k, slice_str(name), test_datum(&c->key_pem));
}

static int has(struct keyring *k, const char *name)
{
	uint8_t der[DER_MAX];
	struct writer w;

	writer_init(&w, der, sizeof(der));
	return keyring_pubkey(k, slice_str(name), &w);
}

START_TEST(a_key_is_found_by_its_name)
{
	ck_assert_int_eq(add(ring, "rsa", rsa), 0);
	keyring_commit(ring);
	ck_assert_int_eq(has(ring, "rsa"), 0);
	ck_assert_int_eq(has(ring, "ec"), ERR_NOTFOUND);
}
END_TEST

static int sign_with_ec(void)
{
	uint8_t out[SIGNER_OUT_MAX];
	uint8_t hash[32] = {1};
	const struct signer *s = keyring_signer(ring);
	struct writer w;

	writer_init(&w, out, sizeof(out));
	return s->sign(s->ctx, slice_str("ec"), GNUTLS_SIGN_ECDSA_SHA256,
		       slice_make(hash, sizeof(hash)), &w);
}

static void change_to(const char *name)
{
	ck_assert_int_eq(add(ring, name, rsa), 0);
	keyring_commit(ring);
}

START_TEST(what_is_not_wanted_any_more_stays_for_one_change)
{
	static const char *const other[] = {"a", "b", "c"};
	int want[] = {0, 0, ERR_NOTFOUND};

	ck_assert_int_eq(add(ring, "ec", ec), 0);
	keyring_commit(ring);
	keyring_settle(ring);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(sign_with_ec(), want[i]);
		change_to(other[i]);
		keyring_settle(ring);
	}
}
END_TEST

START_TEST(what_nobody_changed_over_from_stays)
{
	static const char *const other[] = {"a", "b", "c", "d"};

	ck_assert_int_eq(add(ring, "ec", ec), 0);
	keyring_commit(ring);
	keyring_settle(ring);
	for (int i = 0; i < ROWS(other); i++) {
		change_to(other[i]);
		ck_assert_int_eq(sign_with_ec(), 0);
		ck_assert_int_eq(has(ring, "ec"), ERR_NOTFOUND);
	}
	/* All have, now: it stays for one change as ever. */
	keyring_settle(ring);
	ck_assert_int_eq(sign_with_ec(), 0);
	change_to("e");
	keyring_settle(ring);
	ck_assert_int_eq(sign_with_ec(), ERR_NOTFOUND);
	ck_assert_int_eq(has(ring, "e"), 0);
}
END_TEST

START_TEST(what_is_no_key_is_refused)
{
	static const char *const bad[] = {
		"", "-----BEGIN PRIVATE KEY-----\nAAAA\n", "nonsense"};

	for (size_t i = 0; i < ROWS(bad); i++)
		ck_assert_int_eq(
			keyring_add(ring, slice_str("x"), slice_str(bad[i])),
			ERR_BAD);
	keyring_commit(ring);
	ck_assert_int_eq(has(ring, "x"), ERR_NOTFOUND);
	ck_assert_int_eq(add(ring, "x", ec), 0);
	ck_assert_int_eq(add(ring, "x", ec), ERR_EXISTS);
}
END_TEST

START_TEST(there_is_room_for_so_many)
{
	char name[16];

	for (int i = 0; i < KEYRING_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		ck_assert_int_eq(add(ring, name, ec), 0);
	}
	ck_assert_int_eq(add(ring, "more", ec), ERR_LIMIT);
}
END_TEST

/* A key is added whole or not at all. */
static void sweep_body(void *arg)
{
	struct keyring *k = NULL;
	int err[2];

	(void)arg;
	if (keyring_new(&k) != 0)
		return;
	err[0] = add(k, "rsa", rsa);
	err[1] = add(k, "ec", ec);
	keyring_commit(k);
	for (int i = 0; i < 2; i++) {
		int found = has(k, i == 0 ? "rsa" : "ec");

		ck_assert(err[i] == 0 || err[i] == ERR_NOMEM);
		ck_assert(err[i] == 0 ? found == 0 || found == ERR_NOMEM
				      : found == ERR_NOTFOUND);
	}
	(void)keyring_free(k);
}

START_TEST(missing_memory_leaks_nothing)
{
	oom_sweep(sweep_body, NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("keyring");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_key_is_found_by_its_name);
	tcase_add_test(t, what_is_not_wanted_any_more_stays_for_one_change);
	tcase_add_test(t, what_nobody_changed_over_from_stays);
	tcase_add_test(t, what_is_no_key_is_refused);
	tcase_add_test(t, there_is_room_for_so_many);
	tcase_add_test(t, missing_memory_leaks_nothing);
	return run_case("tls/keyring", t);
}
