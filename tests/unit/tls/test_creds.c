/* Which certificate is shown, what is resumed, who is an LSC, the copy of the
 * files: RFC 5077, RFC 5246 section 7.4.1.2, RFC 6066 section 3. */
#include <sys/mman.h>
#include <time.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "tls/cache.h"
#include "unit/tls/peers.h"

static const char *const versions[] = {
	"NORMAL:-VERS-ALL:+VERS-TLS1.3",
	"NORMAL:-VERS-ALL:+VERS-TLS1.2",
};

static uint8_t keys[2][TLS_TICKET_KEY_LEN] = {{1, 2, 3}, {4, 5, 6}};

static struct slice key_at(int i, size_t n)
{
	return slice_make(keys[i], n * TLS_TICKET_KEY_LEN);
}

static struct tls_creds *server_with(struct slice ticket_keys)
{
	return peers_creds("default", "server", peers.server, peers.ca,
			   ticket_keys);
}

/* Visit sc twice, the second time with what the first left. */
static bool is_resumed_at(struct tls_creds *first, struct tls_creds *second,
			  const char *priority, bool without_tickets)
{
	struct peers_visit a = {.priority = priority,
				.without_tickets = without_tickets};
	struct peers_visit b = a;

	peers_visit(first, peers.phone, &a);
	ck_assert_int_eq(a.server, 0);
	ck_assert(!a.is_resumed);
	b.data = &a.next;
	peers_visit(second, peers.phone, &b);
	ck_assert_int_eq(b.server, 0);
	gnutls_free(a.next.data);
	gnutls_free(b.next.data);
	return b.is_resumed;
}

START_TEST(resumed_session_is_verified_again)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_creds *good = server_with(key_at(0, 1));
		struct tls_creds *strict = server_with(key_at(0, 1));
		gnutls_datum_t crl = test_crl(peers.ca, peers.phone, 3600);
		struct peers_visit a = {.priority = versions[i]};
		struct peers_visit b = a;
		char text[TLS_CREDS_ERR_MAX];

		ck_assert_int_eq(
			tls_creds_crl(strict, "crl", test_datum(&crl), text),
			0);
		peers_visit(good, peers.phone, &a);
		ck_assert_int_eq(a.server, 0);
		/* Revoked since: the ticket does not help. */
		b.data = &a.next;
		peers_visit(strict, peers.phone, &b);
		ck_assert_int_eq(b.server, ERR_AUTH);
		ck_assert_int_eq(b.refusal, TLS_REFUSAL_REVOKED);
		gnutls_free(a.next.data);
		gnutls_free(crl.data);
		(void)tls_creds_unref(good);
		(void)tls_creds_unref(strict);
	}
}
END_TEST

START_TEST(tickets_are_good_for_their_key_and_policy_only)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_creds *good = server_with(key_at(0, 1));
		struct tls_creds *other[] = {server_with(key_at(1, 1)),
					     peers_creds("legacy", "server",
							 peers.server, peers.ca,
							 key_at(0, 1)),
					     server_with(SLICE_NULL)};

		ck_assert(is_resumed_at(good, good, versions[i], false));
		for (size_t k = 0; k < 3; k++) {
			/* Legacy has no TLS 1.3. */
			if (k != 1 || i != 0)
				ck_assert(!is_resumed_at(good, other[k],
							 versions[i], false));
			(void)tls_creds_unref(other[k]);
		}
		(void)tls_creds_unref(good);
	}
}
END_TEST

/* The workers got a new key, with the old one behind it. */
START_TEST(tickets_of_the_key_before_are_taken)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_creds *old = server_with(key_at(1, 1));
		struct tls_creds *now = server_with(key_at(0, 2));
		struct tls_creds *later = server_with(key_at(0, 1));

		ck_assert(is_resumed_at(old, now, versions[i], false));
		/* And new ones are of the new key. */
		ck_assert(is_resumed_at(now, later, versions[i], false));
		ck_assert_int_eq(tls_creds_tickets(old, key_at(0, 2)), 0);
		ck_assert(is_resumed_at(old, later, versions[i], false));
		ck_assert_int_eq(tls_creds_tickets(old, str("short")), ERR_BAD);
		ck_assert(is_resumed_at(old, later, versions[i], false));
		(void)tls_creds_unref(old);
		(void)tls_creds_unref(now);
		(void)tls_creds_unref(later);
	}
}
END_TEST

static struct tls_creds *server_with_cache(const char *policy,
					   struct tls_cache *cache)
{
	struct tls_creds_params p = {.policy = tls_policy_find(str(policy)),
				     .cache = cache};
	struct tls_creds *c;
	char why[TLS_CREDS_ERR_MAX] = "";

	ck_assert_int_eq(tls_creds_new(&p, &c), 0);
	ck_assert_int_eq(tls_creds_identity(c, "s",
					    test_datum(&peers.server->pem),
					    keyring_signer(peers.ring),
					    str("server"), why),
			 0);
	ck_assert_int_eq(
		tls_creds_trust(c, "ca", test_datum(&peers.ca->der), why), 0);
	return c;
}

START_TEST(peers_without_tickets_resume_by_session_id)
{
	struct tls_cache *cache;
	struct tls_creds *c, *other;

	ck_assert_int_eq(tls_cache_new(2, 1 << 20, 1, &cache), 0);
	c = server_with_cache("default", cache);
	other = server_with_cache("legacy", cache);
	ck_assert(is_resumed_at(c, c, versions[1], true));
	ck_assert_uint_ge(tls_cache_count(cache), 1);
	/* Not with the session of another policy. */
	ck_assert(!is_resumed_at(c, other, versions[1], true));
	for (int i = 0; i < 4; i++)
		(void)is_resumed_at(c, c, versions[1], true);
	ck_assert_uint_eq(tls_cache_count(cache), 2);
	(void)tls_creds_unref(c);
	(void)tls_creds_unref(other);
	(void)tls_cache_free(cache);
}
END_TEST

START_TEST(cache_keeps_to_its_limits_and_drops_the_oldest)
{
	static const char text[] = "0123456789";
	struct tls_cache *c;
	struct slice got;

	ck_assert_int_eq(tls_cache_new(3, 25, 1, &c), 0);
	ck_assert_int_eq(tls_cache_put(c, str("a"), str(text)), 0);
	ck_assert_int_eq(tls_cache_put(c, str("b"), str(text)), 0);
	ck_assert_int_eq(tls_cache_get(c, str("a"), &got), 0);
	ck_assert(slice_eqs(got, text));
	/* 30 bytes are too many: b was used longest ago. */
	ck_assert_int_eq(tls_cache_put(c, str("c"), str(text)), 0);
	ck_assert_int_eq(tls_cache_get(c, str("b"), &got), ERR_NOTFOUND);
	ck_assert_int_eq(tls_cache_get(c, str("a"), &got), 0);
	/* The same key again takes no more room. */
	ck_assert_int_eq(tls_cache_put(c, str("a"), str("new")), 0);
	ck_assert_int_eq(tls_cache_get(c, str("a"), &got), 0);
	ck_assert(slice_eqs(got, "new"));
	ck_assert_uint_eq(tls_cache_count(c), 2);
	ck_assert_int_eq(tls_cache_put(c, str("d"), str("")), 0);
	ck_assert_int_eq(tls_cache_put(c, str("e"), str("")), 0);
	ck_assert_uint_eq(tls_cache_count(c), 3);
	tls_cache_del(c, str("e"));
	tls_cache_del(c, str("e"));
	ck_assert_uint_eq(tls_cache_count(c), 2);
	ck_assert_int_eq(
		tls_cache_put(c, str("f"), str("26 bytes are one too many.")),
		ERR_LIMIT);
	ck_assert_int_eq(tls_cache_put(c, SLICE_NULL, str("x")), ERR_LIMIT);
	ck_assert_ptr_null(tls_cache_free(c));
}
END_TEST

/* An RSA certificate beside the ECDSA one, and one for another name. */
START_TEST(client_gets_the_certificate_it_can_use_and_asks_for)
{
	static const struct {
		const char *priority, *name;
		gnutls_pk_algorithm_t want;
		const char *cn;
	} rows[] = {
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL, GNUTLS_PK_ECDSA,
		 "proxy"},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-ECDHE-ECDSA", NULL,
		 GNUTLS_PK_RSA, "proxy"},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.3:-SIGN-ALL:"
		 "+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-ECDSA-SECP256R1-SHA256",
		 "second.example", GNUTLS_PK_ECDSA, "second"},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2", "second.example",
		 GNUTLS_PK_ECDSA, "second"},
		{"NORMAL", "proxy.example", GNUTLS_PK_ECDSA, "proxy"},
		{"NORMAL", "unknown.example", GNUTLS_PK_ECDSA, "proxy"},
	};
	struct test_cert *second = test_cert_new(&(struct test_cert_spec){
		.cn = "second", .issuer = peers.ca, .dns = "second.example"});
	struct tls_creds *c = server_with(SLICE_NULL);
	char why[TLS_CREDS_ERR_MAX] = "";
	struct slice der;
	int64_t ocsp_s = 1;

	peers_add_key("second", second);
	ck_assert_int_eq(
		tls_creds_identity(c, "rsa", test_datum(&peers.rsa->pem),
				   keyring_signer(peers.ring), str("rsa"), why),
		0);
	ck_assert_int_eq(tls_creds_identity(c, "second",
					    test_datum(&second->pem),
					    keyring_signer(peers.ring),
					    str("second"), why),
			 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peers_visit v = {.priority = rows[i].priority,
					.name = rows[i].name};

		peers_visit(c, peers.phone, &v);
		ck_assert_int_eq(v.server, 0);
		ck_assert_int_eq(v.shown, rows[i].want);
		ck_assert_str_eq(v.shown_cn, rows[i].cn);
		gnutls_free(v.next.data);
	}
	ck_assert_uint_eq(tls_creds_identity_count(c), 3);
	ck_assert_int_eq(tls_creds_identity_at(c, 2, &der, &ocsp_s), 0);
	ck_assert(slice_eq(der, test_datum(&second->der)));
	ck_assert_int_eq(ocsp_s, 0);
	ck_assert_int_eq(tls_creds_ocsp(c, "x.ocsp", str("nonsense"), why),
			 ERR_BAD);
	ck_assert_ptr_nonnull(strstr(why, "x.ocsp"));
	(void)tls_creds_unref(c);
	test_cert_free(second);
}
END_TEST

START_TEST(identities_have_a_limit)
{
	struct tls_creds *c = server_with(SLICE_NULL);
	char why[TLS_CREDS_ERR_MAX] = "";
	int err = 0;

	for (int i = 1; i < TLS_IDENTITIES_MAX; i++)
		err |= tls_creds_identity(
			c, "s", test_datum(&peers.server->pem),
			keyring_signer(peers.ring), str("server"), why);
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(tls_creds_identity(c, "s",
					    test_datum(&peers.server->pem),
					    keyring_signer(peers.ring),
					    str("server"), why),
			 ERR_LIMIT);
	(void)tls_creds_unref(c);
}
END_TEST

static void write_to(const char *dir, const char *name, struct slice bytes)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	test_write(path, bytes, 0644);
}

static void clean(const char *dir)
{
	char cmd[160];

	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void make_lsc_dir(const char *dir)
{
	char cmd[160];

	(void)snprintf(cmd, sizeof(cmd), "mkdir %s/lsc", dir);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(certificates_of_issuers_below_lsc_are_told_apart)
{
	struct test_cert *capf = test_cert_new(
		&(struct test_cert_spec){.cn = "Test CAPF", .is_ca = true});
	struct test_cert *lsc = test_cert_new(&(struct test_cert_spec){
		.cn = "SEP001122334455", .issuer = capf});
	struct tls_creds *c = peers_creds("default", "server", peers.server,
					  peers.server, SLICE_NULL);
	struct peers_visit v = {.priority = "NORMAL"};
	char why[TLS_CREDS_ERR_MAX] = "";
	char dir[64];

	test_tmpdir(dir);
	make_lsc_dir(dir);
	write_to(dir, "mic.pem", test_datum(&peers.ca->pem));
	write_to(dir, "lsc/capf.der", test_datum(&capf->der));
	ck_assert(!tls_creds_has_lsc(c));
	ck_assert_msg(tls_creds_trust_dir(c, dir, why) == 0, "%s", why);
	ck_assert(tls_creds_has_lsc(c));
	ck_assert_uint_eq(tls_creds_trust_count(c), 3);
	ck_assert_int_gt(tls_creds_trust_expiry(c), time(NULL));
	peers_visit(c, peers.phone, &v);
	ck_assert_int_eq(v.server, 0);
	ck_assert(v.facts.has_lsc && !v.facts.is_lsc);
	gnutls_free(v.next.data);
	peers_visit(c, lsc, &v);
	ck_assert_int_eq(v.server, 0);
	ck_assert(v.facts.has_lsc && v.facts.is_lsc);
	gnutls_free(v.next.data);
	clean(dir);
	(void)tls_creds_unref(c);
	test_cert_free(lsc);
	test_cert_free(capf);
}
END_TEST

START_TEST(expired_list_may_be_gone_by_where_the_operator_says_so)
{
	struct tls_creds_params p = {.policy = tls_policy_find(str("default")),
				     .is_crl_lenient = true};
	struct peers_visit v = {.priority = "NORMAL"};
	struct test_cert *other = test_cert_new(&(struct test_cert_spec){
		.cn = "SEP001122334466", .issuer = peers.ca});
	gnutls_datum_t crl = test_crl(peers.ca, peers.phone, -60);
	struct tls_creds *c;
	char why[TLS_CREDS_ERR_MAX] = "";

	ck_assert_int_eq(tls_creds_new(&p, &c), 0);
	ck_assert_int_eq(tls_creds_identity(c, "s",
					    test_datum(&peers.server->pem),
					    keyring_signer(peers.ring),
					    str("server"), why),
			 0);
	ck_assert_int_eq(
		tls_creds_trust(c, "ca", test_datum(&peers.ca->der), why), 0);
	ck_assert_int_eq(tls_creds_crl(c, "crl", test_datum(&crl), why), 0);
	ck_assert_uint_eq(tls_creds_crl_old_count(c, time(NULL)), 1);
	ck_assert_uint_eq(tls_creds_crl_old_count(c, time(NULL) - 3600), 0);
	/* What it revokes stays revoked. */
	peers_visit(c, peers.phone, &v);
	ck_assert_int_eq(v.refusal, TLS_REFUSAL_REVOKED);
	peers_visit(c, other, &v);
	ck_assert_int_eq(v.server, 0);
	gnutls_free(v.next.data);
	gnutls_free(crl.data);
	(void)tls_creds_unref(c);
	test_cert_free(other);
}
END_TEST

START_TEST(a_copy_of_files_survives_the_way_to_another_process)
{
	struct tls_files *f, *g;
	char why[TLS_CREDS_ERR_MAX] = "";
	char dir[64], path[80];
	struct slice got;
	int fd = memfd_create("files", MFD_CLOEXEC);

	test_tmpdir(dir);
	make_lsc_dir(dir);
	write_to(dir, "b.pem", str("B"));
	write_to(dir, "a.crl", str(""));
	write_to(dir, ".hidden.pem", str("no"));
	write_to(dir, "README", str("no"));
	write_to(dir, "lsc/c.der", str("C"));
	(void)snprintf(path, sizeof(path), "%s/README", dir);
	ck_assert_int_eq(tls_files_new(&f), 0);
	ck_assert_int_eq(tls_files_read_dir(f, dir, why), 0);
	ck_assert_int_eq(tls_files_read_dir(f, dir, why), 0);
	ck_assert_uint_eq(tls_files_count(f), 3);
	ck_assert_int_eq(tls_files_read(f, path, why), 0);
	ck_assert_int_eq(tls_files_read(f, dir, why), ERR_LIMIT);
	ck_assert_int_eq(tls_files_read(f, "/nonexistent", why), ERR_IO);
	ck_assert_ptr_nonnull(strstr(why, "/nonexistent"));
	ck_assert_int_eq(tls_files_save(f, fd), 0);
	ck_assert_int_eq(tls_files_load(fd, &g), 0);
	ck_assert_uint_eq(tls_files_count(g), 4);
	for (size_t i = 0; i < 4; i++) {
		struct tls_file a = tls_files_at(f, i);
		struct tls_file b = tls_files_at(g, i);

		ck_assert_str_eq(a.path, b.path);
		ck_assert(slice_eq(a.bytes, b.bytes));
	}
	ck_assert_int_eq(tls_files_find(g, path, &got), 0);
	ck_assert(slice_eqs(got, "no"));
	ck_assert_int_eq(tls_files_find(g, "/b", &got), ERR_NOTFOUND);
	(void)tls_files_free(f);
	(void)tls_files_free(g);
	(void)close(fd);
	clean(dir);
}
END_TEST

START_TEST(a_copy_that_is_none_is_refused)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{"", 0},
		{"\0\0\0\2", 4},
		{"\0\0\0\1\0\0\0\1", 8},
		{"\0\0\0\1\0\0\0\0\0\0\0\0", 12},
		{"\0\0\0\1\0\0\0\2a\0\0\0\0\0", 14},
		{"\0\0\0\1\0\0\0\1a\0\0\0\2x", 14},
	};
	struct tls_files *f;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_int_eq(
			tls_files_parse(slice_make(rows[i].bytes, rows[i].len),
					&f),
			ERR_BAD);
	ck_assert_int_eq(tls_files_parse(slice_make("\0\0\0\1", 4), &f), 0);
	ck_assert_uint_eq(tls_files_count(f), 0);
	(void)tls_files_free(f);
}
END_TEST

static void body(void *ctx)
{
	static const char text[] = "\0\0\0\1\0\0\0\1a\0\0\0\1x";
	struct tls_cache *c = NULL;
	struct tls_files *f = NULL;

	(void)ctx;
	if (tls_files_parse(slice_make(text, sizeof(text) - 1), &f) == 0)
		(void)tls_files_free(f);
	if (tls_cache_new(4, 100, 1, &c) != 0)
		return;
	if (tls_cache_put(c, str("a"), str("b")) == 0)
		ck_assert_uint_eq(tls_cache_count(c), 1);
	(void)tls_cache_free(c);
}

START_TEST(missing_memory_leaks_nothing)
{
	oom_sweep(body, NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("creds");

	tcase_add_checked_fixture(t, peers_set_up, peers_tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, resumed_session_is_verified_again);
	tcase_add_test(t, tickets_are_good_for_their_key_and_policy_only);
	tcase_add_test(t, tickets_of_the_key_before_are_taken);
	tcase_add_test(t, peers_without_tickets_resume_by_session_id);
	tcase_add_test(t, cache_keeps_to_its_limits_and_drops_the_oldest);
	tcase_add_test(t, client_gets_the_certificate_it_can_use_and_asks_for);
	tcase_add_test(t, identities_have_a_limit);
	tcase_add_test(t, certificates_of_issuers_below_lsc_are_told_apart);
	tcase_add_test(t,
		       expired_list_may_be_gone_by_where_the_operator_says_so);
	tcase_add_test(t, a_copy_of_files_survives_the_way_to_another_process);
	tcase_add_test(t, a_copy_that_is_none_is_refused);
	tcase_add_test(t, missing_memory_leaks_nothing);
	return run_case("tls/creds", t);
}
