/* Sessions against each other over memory: RFC 5246, RFC 8446, RFC 5280. */
#include "lib/run.h"
#include "tls/session.h"

#include "tls/creds_internal.h"
#include "unit/tls/peers.h"

static struct peers_pair good_pair(const char *server_policy,
				   const char *client_policy)
{
	return peers_pair(peers_creds(server_policy, "server", peers.server,
				      peers.ca, SLICE_NULL),
			  peers_creds(client_policy, "phone", peers.phone,
				      peers.ca, SLICE_NULL));
}

static void pass_text(struct tls_session *from, struct tls_session *to)
{
	static const char text[] = "REGISTER sip:example SIP/2.0\r\n";
	uint8_t buf[256];
	size_t n = 0;

	ck_assert_int_eq(tls_session_write(from, str(text)), 0);
	peers_carry(from, to, 1);
	ck_assert_int_eq(tls_session_read(to, buf, sizeof(buf), &n), 0);
	ck_assert(slice_eq(slice_make(buf, n), str(text)));
	ck_assert_int_eq(tls_session_read(to, buf, sizeof(buf), &n), ERR_MORE);
}

START_TEST(every_policy_is_accepted_by_this_gnutls)
{
	const char *name = "";

	ck_assert_msg(tls_policy_selftest(&name) == 0, "%s", name);
}
END_TEST

START_TEST(mutual_handshake_gives_facts_and_carries_text)
{
	struct peers_pair p = good_pair("default", "default");
	struct peers_result r = peers_shake(p.server, p.client);
	const struct tls_facts *f;

	ck_assert_int_eq(r.server, 0);
	ck_assert_int_eq(r.client, 0);
	f = tls_session_facts(p.server);
	ck_assert_str_eq(f->version, "TLS1.3");
	ck_assert(!f->is_null);
	ck_assert(!f->is_resumed);
	ck_assert(slice_eq(f->peer_cert, test_datum(&peers.phone->der)));
	pass_text(p.client, p.server);
	pass_text(p.server, p.client);
	tls_session_bye(p.client);
	peers_carry(p.client, p.server, 1);
	{
		uint8_t buf[16];
		size_t n;

		ck_assert_int_eq(
			tls_session_read(p.server, buf, sizeof(buf), &n),
			ERR_CLOSED);
	}
	peers_pair_done(&p);
}
END_TEST

START_TEST(handshake_survives_single_bytes)
{
	struct peers_pair p = good_pair("default", "default");
	int s = ERR_MORE;
	int c = ERR_MORE;

	for (int i = 0; i < 20000 && (s == ERR_MORE || c == ERR_MORE); i++) {
		if (c == ERR_MORE)
			c = tls_session_handshake(p.client);
		if (tls_session_out(p.client).len > 0) {
			struct slice b =
				slice_sub(tls_session_out(p.client), 0, 1);

			ck_assert_int_eq(tls_session_feed(p.server, b), 0);
			tls_session_sent(p.client, 1);
		}
		if (s == ERR_MORE)
			s = tls_session_handshake(p.server);
		peers_carry(p.server, p.client, 100000);
	}
	ck_assert_int_eq(s, 0);
	ck_assert_int_eq(c, 0);
	peers_pair_done(&p);
}
END_TEST

/* RFC 8446 section 5.1: a handshake message may be spread over records. */
START_TEST(hello_in_many_records_of_one_read_is_taken)
{
	struct peers_pair p = good_pair("default", "default");
	static uint8_t bytes[8192];
	struct slice hello;
	size_t n = 0;

	ck_assert_int_eq(tls_session_handshake(p.client), ERR_MORE);
	hello = slice_from(tls_session_out(p.client), 5);
	for (size_t i = 0; i < hello.len; i++) {
		const uint8_t record[] = {0x16, 3, 1, 0, 1, hello.ptr[i]};

		ck_assert_uint_le(n + sizeof(record), sizeof(bytes));
		memcpy(bytes + n, record, sizeof(record));
		n += sizeof(record);
	}
	tls_session_sent(p.client, SIZE_MAX);
	ck_assert_int_eq(tls_session_feed(p.server, slice_make(bytes, n)), 0);
	ck_assert_int_eq(tls_session_handshake(p.server), ERR_MORE);
	/* It was understood: the server's answer waits. */
	ck_assert_uint_gt(tls_session_out(p.server).len, 100);
	peers_pair_done(&p);
}
END_TEST

START_TEST(rsa_key_serves_every_version)
{
	static const struct {
		const char *server;
		const char *client;
		const char *version;
	} rows[] = {
		{"default", "default", "TLS1.3"},
		{"default", "authenticated", "TLS1.2"},
		{"legacy", "legacy", "TLS1.2"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peers_pair p = peers_pair(
			peers_creds(rows[i].server, "rsa", peers.rsa, peers.ca,
				    SLICE_NULL),
			peers_creds(rows[i].client, "phone", peers.phone,
				    peers.ca, SLICE_NULL));
		struct peers_result r = peers_shake(p.server, p.client);

		ck_assert_int_eq(r.server, 0);
		ck_assert_int_eq(r.client, 0);
		ck_assert_str_eq(tls_session_facts(p.server)->version,
				 rows[i].version);
		pass_text(p.client, p.server);
		peers_pair_done(&p);
	}
}
END_TEST

/* A policy of the test's own, for the peer only. */
static struct tls_creds *creds_with(const char *priority, const char *key,
				    const struct test_cert *cert)
{
	static struct tls_policy own;
	struct tls_creds_params p = {.policy = &own};
	struct tls_creds *c;
	char why[TLS_CREDS_ERR_MAX] = "";

	own = (struct tls_policy){.name = "own", .priority = priority};
	ck_assert_int_eq(tls_creds_new(&p, &c), 0);
	if (cert)
		ck_assert_int_eq(tls_creds_identity(c, "own",
						    test_datum(&cert->pem),
						    keyring_signer(peers.ring),
						    str(key), why),
				 0);
	ck_assert_int_eq(
		tls_creds_trust(c, "ca", test_datum(&peers.ca->pem), why), 0);
	return c;
}

START_TEST(null_cipher_is_told_apart)
{
	static const struct {
		const char *client;
		const char *server_key;
		bool is_null;
		const char *policy; /* NULL: authenticated */
	} rows[] = {
		/* A phone of 2006 in authenticated mode, and one that can do
		 * both: our order counts. */
		{"NONE:+VERS-TLS1.0:+NULL:+SHA1:+RSA:+COMP-NULL:+SIGN-ALL:"
		 "+CTYPE-ALL",
		 "rsa", true, "legacy"},
		{"NONE:+VERS-TLS1.0:+NULL:+AES-128-CBC:+SHA1:+RSA:+COMP-NULL:"
		 "+SIGN-ALL:+CTYPE-ALL",
		 "rsa", false, "legacy"},
		{"NONE:+VERS-TLS1.2:+NULL:+SHA1:+ECDHE-ECDSA:+GROUP-ALL:"
		 "+COMP-NULL:+SIGN-ALL:+CTYPE-ALL",
		 "server", true, NULL},
		{"NONE:+VERS-TLS1.2:+NULL:+SHA256:+RSA:+COMP-NULL:+SIGN-ALL:"
		 "+CTYPE-ALL",
		 "rsa", true, NULL},
		{"NORMAL:-VERS-TLS1.3", "server", false, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is_rsa = slice_eqs(str(rows[i].server_key), "rsa");
		struct peers_pair p = peers_pair(
			peers_creds(rows[i].policy ? rows[i].policy
						   : "authenticated",
				    rows[i].server_key,
				    is_rsa ? peers.rsa : peers.server, peers.ca,
				    SLICE_NULL),
			creds_with(rows[i].client, "phone", peers.phone));
		struct peers_result r = peers_shake(p.server, p.client);

		ck_assert_int_eq(r.server, 0);
		ck_assert_int_eq(r.client, 0);
		ck_assert(tls_session_facts(p.server)->is_null ==
			  rows[i].is_null);
		pass_text(p.client, p.server);
		peers_pair_done(&p);
	}
}
END_TEST

START_TEST(default_policy_refuses_null_static_rsa_and_old_versions)
{
	static const char *const rows[] = {
		"NONE:+VERS-TLS1.2:+NULL:+SHA1:+ECDHE-RSA:+GROUP-ALL:"
		"+COMP-NULL:+SIGN-ALL:+CTYPE-ALL",
		"NONE:+VERS-TLS1.2:+AES-128-CBC:+SHA1:+RSA:+COMP-NULL:"
		"+SIGN-ALL:+CTYPE-ALL",
		"NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peers_pair p =
			peers_pair(peers_creds("default", "rsa", peers.rsa,
					       peers.ca, SLICE_NULL),
				   creds_with(rows[i], "phone", peers.phone));
		struct peers_result r = peers_shake(p.server, p.client);

		ck_assert_int_eq(r.server, ERR_BAD);
		ck_assert_int_eq(tls_session_refusal(p.server),
				 TLS_REFUSAL_POLICY);
		ck_assert_int_ne(r.client, 0);
		ck_assert_ptr_null(tls_session_facts(p.server));
		peers_pair_done(&p);
	}
}
END_TEST

START_TEST(legacy_policy_serves_a_phone_of_2006)
{
	struct test_cert *old =
		test_cert_new(&(struct test_cert_spec){.cn = "SEP000000000001",
						       .issuer = peers.ca,
						       .is_rsa = true,
						       .bits = 1024});
	struct peers_pair p;
	struct peers_result r;

	peers_add_key("old", old);
	p = peers_pair(
		peers_creds("legacy", "rsa", peers.rsa, peers.ca, SLICE_NULL),
		creds_with("NONE:+VERS-TLS1.0:+AES-128-CBC:+SHA1:+RSA:"
			   "+COMP-NULL:+SIGN-ALL:+CTYPE-ALL",
			   "old", old));
	r = peers_shake(p.server, p.client);
	ck_assert_int_eq(r.server, 0);
	ck_assert_int_eq(r.client, 0);
	ck_assert_str_eq(tls_session_facts(p.server)->version, "TLS1.0");
	pass_text(p.client, p.server);
	peers_pair_done(&p);
	test_cert_free(old);
}
END_TEST

/* Shake with a client that shows cert; expect this refusal. */
static void expect_refusal(struct tls_creds *sc, struct tls_creds *cc,
			   enum tls_refusal want)
{
	struct peers_pair p = peers_pair(sc, cc);
	struct peers_result r = peers_shake(p.server, p.client);
	uint8_t buf[16];
	size_t n;

	ck_assert_int_eq(r.server, ERR_AUTH);
	ck_assert_msg(tls_session_refusal(p.server) == want, "got %s",
		      tls_refusal_str(tls_session_refusal(p.server)));
	ck_assert_str_ne(tls_session_reason(p.server), "");
	ck_assert_ptr_null(tls_session_facts(p.server));
	ck_assert_int_eq(tls_session_write(p.server, str("x")), ERR_STATE);
	ck_assert_int_eq(tls_session_handshake(p.server), ERR_BAD);
	/* TLS 1.3: the client is done before it learns of the refusal. */
	if (r.client == 0)
		ck_assert_int_eq(
			tls_session_read(p.client, buf, sizeof(buf), &n),
			ERR_BAD);
	else
		ck_assert_int_eq(tls_session_refusal(p.client),
				 TLS_REFUSAL_ALERT);
	peers_pair_done(&p);
}

START_TEST(bad_certificates_are_refused_with_their_reason)
{
	struct test_cert *other_ca = test_cert_new(
		&(struct test_cert_spec){.cn = "Other CA", .is_ca = true});
	/* The same name as ours, another key. */
	struct test_cert *fake_ca = test_cert_new(
		&(struct test_cert_spec){.cn = "Test CA", .is_ca = true});
	const struct {
		struct test_cert_spec spec;
		enum tls_refusal want;
	} rows[] = {
		{{.cn = "p", .issuer = other_ca}, TLS_REFUSAL_UNKNOWN_CA},
		{{.cn = "p"}, TLS_REFUSAL_UNKNOWN_CA},
		{{.cn = "p", .issuer = peers.ca, .from_s = -7200, .to_s = -60},
		 TLS_REFUSAL_EXPIRED},
		{{.cn = "p", .issuer = peers.ca, .from_s = 3600},
		 TLS_REFUSAL_NOT_YET},
		{{.cn = "p", .issuer = peers.phone}, TLS_REFUSAL_UNKNOWN_CA},
		{{.cn = "p", .issuer = peers.ca, .is_rsa = true, .bits = 1024},
		 TLS_REFUSAL_WEAK},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct test_cert *bad = test_cert_new(&rows[i].spec);
		char key[8];

		(void)snprintf(key, sizeof(key), "bad%zu", i);
		peers_add_key(key, bad);
		for (size_t j = 0; j < 2; j++)
			expect_refusal(
				peers_creds("default", "server", peers.server,
					    peers.ca, SLICE_NULL),
				creds_with(j ? "NORMAL:-VERS-TLS1.3:"
					       "%PROFILE_VERY_WEAK"
					     : "NORMAL:%PROFILE_VERY_WEAK",
					   key, bad),
				rows[i].want);
		test_cert_free(bad);
	}
	{
		struct test_cert *bad = test_cert_new(
			&(struct test_cert_spec){.cn = "p", .issuer = fake_ca});
		struct peers_pair p;
		struct peers_result r;

		peers_add_key("fake", bad);
		p = peers_pair(peers_creds("default", "server", peers.server,
					   peers.ca, SLICE_NULL),
			       creds_with("NORMAL", "fake", bad));
		r = peers_shake(p.server, p.client);
		ck_assert_int_eq(r.server, ERR_AUTH);
		peers_pair_done(&p);
		test_cert_free(bad);
	}
	test_cert_free(fake_ca);
	test_cert_free(other_ca);
}
END_TEST

START_TEST(client_without_certificate_is_refused)
{
	static const char *const rows[] = {"NORMAL", "NORMAL:-VERS-TLS1.3"};

	for (size_t i = 0; i < 2; i++)
		expect_refusal(peers_creds("default", "server", peers.server,
					   peers.ca, SLICE_NULL),
			       creds_with(rows[i], NULL, NULL),
			       TLS_REFUSAL_NO_CERT);
}
END_TEST

START_TEST(optional_client_certificate_lets_in_without_facts)
{
	struct tls_creds_params cp = {.policy = tls_policy_find(str("default")),
				      .is_peer_optional = true};
	struct tls_creds *sc;
	char why[TLS_CREDS_ERR_MAX];
	struct peers_pair p;
	struct peers_result r;

	ck_assert_int_eq(tls_creds_new(&cp, &sc), 0);
	ck_assert_int_eq(tls_creds_identity(sc, "s",
					    test_datum(&peers.server->pem),
					    keyring_signer(peers.ring),
					    str("server"), why),
			 0);
	p = peers_pair(sc, creds_with("NORMAL", NULL, NULL));
	r = peers_shake(p.server, p.client);
	ck_assert_int_eq(r.server, 0);
	ck_assert_int_eq(r.client, 0);
	ck_assert_uint_eq(tls_session_facts(p.server)->peer_cert.len, 0);
	peers_pair_done(&p);
}
END_TEST

START_TEST(revoked_certificate_and_expired_list_are_refused)
{
	static const struct {
		bool is_revoked;
		long next_s;
		enum tls_refusal want;
	} rows[] = {
		{true, 3600, TLS_REFUSAL_REVOKED},
		{false, 3600, TLS_REFUSAL_NONE},
		{false, -60, TLS_REFUSAL_CRL_OLD},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_creds *sc =
			peers_creds("default", "server", peers.server, peers.ca,
				    SLICE_NULL);
		struct tls_creds *cc = peers_creds(
			"default", "phone", peers.phone, peers.ca, SLICE_NULL);
		gnutls_datum_t crl = test_crl(
			peers.ca, rows[i].is_revoked ? peers.phone : NULL,
			rows[i].next_s);
		char why[TLS_CREDS_ERR_MAX] = "";

		ck_assert_msg(tls_creds_crl(sc, "crl", test_datum(&crl), why) ==
				      0,
			      "%s", why);
		ck_assert_uint_eq(tls_creds_crl_count(sc), 1);
		gnutls_free(crl.data);
		if (rows[i].want != TLS_REFUSAL_NONE) {
			expect_refusal(sc, cc, rows[i].want);
		} else {
			struct peers_pair p = peers_pair(sc, cc);
			struct peers_result r = peers_shake(p.server, p.client);

			ck_assert_int_eq(r.server, 0);
			ck_assert_int_eq(r.client, 0);
			peers_pair_done(&p);
		}
	}
}
END_TEST

START_TEST(list_of_a_false_issuer_is_refused)
{
	/* The same name as our authority, another key. */
	struct test_cert *fake = test_cert_new(
		&(struct test_cert_spec){.cn = "Test CA", .is_ca = true});
	struct tls_creds *c = peers_creds("default", "server", peers.server,
					  peers.ca, SLICE_NULL);
	gnutls_datum_t crl = test_crl(fake, peers.phone, 3600);
	char why[TLS_CREDS_ERR_MAX] = "";

	ck_assert_int_eq(tls_creds_crl(c, "x.crl", test_datum(&crl), why),
			 ERR_BAD);
	ck_assert_ptr_nonnull(strstr(why, "x.crl"));
	ck_assert_uint_eq(tls_creds_crl_count(c), 0);
	gnutls_free(crl.data);
	(void)tls_creds_unref(c);
	test_cert_free(fake);
}
END_TEST

START_TEST(purpose_is_checked_when_asked)
{
	static const struct {
		enum tls_purpose want;
		const char *has;
		enum tls_refusal refusal;
	} rows[] = {
		{TLS_PURPOSE_ANY, GNUTLS_KP_TLS_WWW_SERVER, TLS_REFUSAL_NONE},
		{TLS_PURPOSE_SIDE, GNUTLS_KP_TLS_WWW_CLIENT, TLS_REFUSAL_NONE},
		{TLS_PURPOSE_SIDE, NULL, TLS_REFUSAL_NONE},
		{TLS_PURPOSE_SIDE, GNUTLS_KP_TLS_WWW_SERVER,
		 TLS_REFUSAL_PURPOSE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct test_cert *c = test_cert_new(&(struct test_cert_spec){
			.cn = "p", .issuer = peers.ca, .purpose = rows[i].has});
		struct tls_creds_params cp = {
			.policy = tls_policy_find(str("default")),
			.purpose = rows[i].want};
		struct tls_creds *sc;
		struct tls_creds *cc;
		char why[TLS_CREDS_ERR_MAX];
		char key[8];

		(void)snprintf(key, sizeof(key), "eku%zu", i);
		peers_add_key(key, c);
		ck_assert_int_eq(tls_creds_new(&cp, &sc), 0);
		ck_assert_int_eq(
			tls_creds_identity(
				sc, "s", test_datum(&peers.server->pem),
				keyring_signer(peers.ring), str("server"), why),
			0);
		ck_assert_int_eq(tls_creds_trust(sc, "ca",
						 test_datum(&peers.ca->pem),
						 why),
				 0);
		cc = creds_with("NORMAL", key, c);
		if (rows[i].refusal != TLS_REFUSAL_NONE) {
			expect_refusal(sc, cc, rows[i].refusal);
		} else {
			struct peers_pair p = peers_pair(sc, cc);
			struct peers_result r = peers_shake(p.server, p.client);

			ck_assert_int_eq(r.server, 0);
			peers_pair_done(&p);
		}
		test_cert_free(c);
	}
}
END_TEST

/* RFC 5280 section 4.2.1.12: whom we connect to is a server, whatever the
 * credentials ask of those who connect to us. */
START_TEST(purpose_of_a_server_is_checked_by_its_client)
{
	static const struct {
		const char *has;
		int want;
	} rows[] = {
		{GNUTLS_KP_TLS_WWW_SERVER, 0},
		{NULL, 0},
		{GNUTLS_KP_TLS_WWW_CLIENT, ERR_AUTH},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct test_cert *c = test_cert_new(&(struct test_cert_spec){
			.cn = "s", .issuer = peers.ca, .purpose = rows[i].has});
		struct tls_creds_params cp = {
			.policy = tls_policy_find(str("default")),
			.purpose = TLS_PURPOSE_SIDE};
		struct tls_creds *cc;
		struct peers_pair p;
		char why[TLS_CREDS_ERR_MAX];
		char key[8];

		(void)snprintf(key, sizeof(key), "sku%zu", i);
		peers_add_key(key, c);
		ck_assert_int_eq(tls_creds_new(&cp, &cc), 0);
		ck_assert_int_eq(tls_creds_identity(
					 cc, "c", test_datum(&peers.phone->pem),
					 keyring_signer(peers.ring),
					 str("phone"), why),
				 0);
		ck_assert_int_eq(tls_creds_trust(cc, "ca",
						 test_datum(&peers.ca->pem),
						 why),
				 0);
		p = peers_pair(
			peers_creds("default", key, c, peers.ca, SLICE_NULL),
			cc);
		ck_assert_int_eq(peers_shake(p.server, p.client).client,
				 rows[i].want);
		if (rows[i].want)
			ck_assert_int_eq(tls_session_refusal(p.client),
					 TLS_REFUSAL_PURPOSE);
		peers_pair_done(&p);
		test_cert_free(c);
	}
}
END_TEST

START_TEST(client_checks_the_name_of_the_server)
{
	static const struct {
		const char *name;
		int want;
	} rows[] = {
		{"proxy.example", 0},
		{"other.example", ERR_AUTH},
		{"192.0.2.1", ERR_AUTH},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_creds *sc =
			peers_creds("default", "server", peers.server, peers.ca,
				    SLICE_NULL);
		struct tls_creds *cc = peers_creds(
			"default", "phone", peers.phone, peers.ca, SLICE_NULL);
		struct tls_session *server;
		struct tls_session *client;
		struct peers_result r;

		ck_assert_int_eq(tls_session_new(sc, TLS_SERVER, NULL, &server),
				 0);
		ck_assert_int_eq(
			tls_session_new(cc, TLS_CLIENT, rows[i].name, &client),
			0);
		r = peers_shake(server, client);
		ck_assert_int_eq(r.client, rows[i].want);
		if (r.client)
			ck_assert_int_eq(tls_session_refusal(client),
					 TLS_REFUSAL_NAME);
		(void)tls_session_free(server);
		(void)tls_session_free(client);
		(void)tls_creds_unref(sc);
		(void)tls_creds_unref(cc);
	}
}
END_TEST

START_TEST(garbage_instead_of_a_hello_is_refused)
{
	static const char *const rows[] = {
		"REGISTER sip:example SIP/2.0\r\n\r\n",
		"\x16\x03\x01\xff\xff zzzzzzzzzzzzzzzzzzzzzzzzzzzz",
		"\x80\x2e\x01\x03\x02 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		"\x17\x03\x03\x7f\xff garbage in place of a record",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_creds *sc =
			peers_creds("default", "server", peers.server, peers.ca,
				    SLICE_NULL);
		struct tls_session *s;
		int err;

		ck_assert_int_eq(tls_session_new(sc, TLS_SERVER, NULL, &s), 0);
		ck_assert_int_eq(tls_session_feed(s, str(rows[i])), 0);
		err = tls_session_handshake(s);
		/* A long record must come before it can be judged. */
		for (int j = 0; j < 40 && err == ERR_MORE; j++) {
			ck_assert_int_eq(tls_session_feed(s, str(rows[0])), 0);
			for (int k = 0; k < 50; k++)
				if (tls_session_feed(s, str(rows[0])))
					break;
			err = tls_session_handshake(s);
		}
		ck_assert_int_eq(err, ERR_BAD);
		/* The third looks like a hello of SSL 2.0. */
		ck_assert(tls_session_refusal(s) == TLS_REFUSAL_PROTOCOL ||
			  tls_session_refusal(s) == TLS_REFUSAL_POLICY);
		(void)tls_session_free(s);
		(void)tls_creds_unref(sc);
	}
}
END_TEST

START_TEST(half_open_handshake_waits_and_ends_with_the_peer)
{
	struct peers_pair p = good_pair("default", "default");

	ck_assert_int_eq(tls_session_handshake(p.client), ERR_MORE);
	ck_assert_int_eq(tls_session_handshake(p.server), ERR_MORE);
	ck_assert_int_eq(
		tls_session_feed(p.server,
				 slice_sub(tls_session_out(p.client), 0, 20)),
		0);
	ck_assert_int_eq(tls_session_handshake(p.server), ERR_MORE);
	tls_session_feed_end(p.server);
	ck_assert_int_eq(tls_session_handshake(p.server), ERR_CLOSED);
	peers_pair_done(&p);
}
END_TEST

START_TEST(damaged_record_ends_the_session)
{
	struct peers_pair p = good_pair("default", "default");
	struct peers_result r = peers_shake(p.server, p.client);
	uint8_t bytes[512];
	uint8_t buf[64];
	struct slice out;
	size_t n;

	ck_assert_int_eq(r.server, 0);
	ck_assert_int_eq(tls_session_write(p.client, str("hello")), 0);
	out = tls_session_out(p.client);
	ck_assert_uint_lt(out.len, sizeof(bytes));
	memcpy(bytes, out.ptr, out.len);
	bytes[out.len - 1] ^= 1;
	ck_assert_int_eq(tls_session_feed(p.server, slice_make(bytes, out.len)),
			 0);
	ck_assert_int_eq(tls_session_read(p.server, buf, sizeof(buf), &n),
			 ERR_BAD);
	peers_pair_done(&p);
}
END_TEST

START_TEST(feeding_without_end_is_limited)
{
	struct peers_pair p = good_pair("default", "default");
	static const uint8_t zero[16384];
	int err = 0;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
			tls_session_feed(p.server,
					 slice_make(zero, sizeof(zero))),
			0);
	err = tls_session_feed(p.server, slice_make(zero, 1));
	ck_assert_int_eq(err, ERR_LIMIT);
	peers_pair_done(&p);
}
END_TEST

/* Each certificate issued by the one before, the leaf first in pem. */
static void make_chain(struct test_cert **chain, size_t len, char *pem,
		       size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char cn[32];

		(void)snprintf(cn, sizeof(cn), "link %zu", i);
		chain[i] = test_cert_new(&(struct test_cert_spec){
			.cn = cn,
			.is_ca = i < len - 1,
			.issuer = i ? chain[i - 1] : peers.ca});
	}
	for (size_t i = len; i > 0; i--) {
		memcpy(pem + n, chain[i - 1]->pem.data, chain[i - 1]->pem.size);
		n += chain[i - 1]->pem.size;
	}
	*ret_len = n;
}

START_TEST(chain_at_the_limit_passes_and_longer_is_refused)
{
	for (size_t len = TLS_CHAIN_MAX; len <= TLS_CHAIN_MAX + 1; len++) {
		struct test_cert *chain[TLS_CHAIN_MAX + 1];
		struct tls_creds *cc = creds_with("NORMAL", NULL, NULL);
		static char pem[16384];
		gnutls_datum_t d = {.data = (unsigned char *)pem};
		size_t n = 0;
		char why[TLS_CREDS_ERR_MAX] = "";
		struct peers_pair p;
		struct peers_result r;

		make_chain(chain, len, pem, &n);
		d.size = (unsigned)n;
		ck_assert_int_eq(gnutls_certificate_set_x509_key_mem(
					 cc->cred, &d, &chain[len - 1]->key_pem,
					 GNUTLS_X509_FMT_PEM),
				 0);
		p = peers_pair(peers_creds("default", "server", peers.server,
					   peers.ca, SLICE_NULL),
			       cc);
		r = peers_shake(p.server, p.client);
		ck_assert_int_eq(r.server, len <= TLS_CHAIN_MAX ? 0 : ERR_AUTH);
		if (r.server)
			ck_assert_int_eq(tls_session_refusal(p.server),
					 TLS_REFUSAL_CHAIN);
		peers_pair_done(&p);
		/* Our own chains have the same limit. */
		cc = creds_with("NORMAL", NULL, NULL);
		peers_add_key(len == 7	 ? "k7"
			      : len == 8 ? "k8"
					 : "k9",
			      chain[len - 1]);
		ck_assert_int_eq(tls_creds_identity(cc, "chain",
						    slice_make(pem, n),
						    keyring_signer(peers.ring),
						    str(len == 7   ? "k7"
							: len == 8 ? "k8"
								   : "k9"),
						    why),
				 len <= TLS_CHAIN_MAX ? 0 : ERR_LIMIT);
		(void)tls_creds_unref(cc);
		for (size_t i = 0; i < len; i++)
			test_cert_free(chain[i]);
	}
}
END_TEST

START_TEST(wrong_key_for_a_certificate_is_an_error_with_text)
{
	struct tls_creds_params cp = {.policy =
					      tls_policy_find(str("default"))};
	struct tls_creds *c;
	char why[TLS_CREDS_ERR_MAX] = "";

	ck_assert_int_eq(tls_creds_new(&cp, &c), 0);
	ck_assert_int_eq(tls_creds_identity(
				 c, "proxy.pem", test_datum(&peers.server->pem),
				 keyring_signer(peers.ring), str("phone"), why),
			 ERR_BAD);
	ck_assert_ptr_nonnull(strstr(why, "proxy.pem"));
	ck_assert_int_eq(tls_creds_identity(
				 c, "proxy.pem", test_datum(&peers.server->pem),
				 keyring_signer(peers.ring), str("none"), why),
			 ERR_BAD);
	ck_assert_int_eq(tls_creds_identity(c, "x", str("nonsense"),
					    keyring_signer(peers.ring),
					    str("phone"), why),
			 ERR_BAD);
	ck_assert_int_eq(tls_creds_trust(c, "x", str("nonsense"), why),
			 ERR_BAD);
	ck_assert_int_eq(tls_creds_crl(c, "x", str("nonsense"), why), ERR_BAD);
	(void)tls_creds_unref(c);
}
END_TEST

START_TEST(trust_directory_reads_certificates_and_lists)
{
	struct tls_creds_params cp = {.policy =
					      tls_policy_find(str("default"))};
	gnutls_datum_t crl = test_crl(peers.ca, peers.phone, 3600);
	struct tls_creds *c;
	char dir[64];
	char path[128];
	char why[TLS_CREDS_ERR_MAX] = "";

	test_tmpdir(dir);
	ck_assert_int_eq(tls_creds_new(&cp, &c), 0);
	ck_assert_int_eq(tls_creds_trust_dir(c, dir, why), 0);
	(void)snprintf(path, sizeof(path), "%s/a.crl", dir);
	test_write(path, test_datum(&crl), 0644);
	(void)snprintf(path, sizeof(path), "%s/ca.der", dir);
	test_write(path, test_datum(&peers.ca->der), 0644);
	(void)snprintf(path, sizeof(path), "%s/phone.pem", dir);
	test_write(path, test_datum(&peers.phone->pem), 0644);
	(void)snprintf(path, sizeof(path), "%s/README", dir);
	test_write(path, str("not a certificate"), 0644);
	ck_assert_msg(tls_creds_trust_dir(c, dir, why) == 0, "%s", why);
	ck_assert_uint_eq(tls_creds_trust_count(c), 2);
	ck_assert_uint_eq(tls_creds_crl_count(c), 1);
	(void)snprintf(path, sizeof(path), "%s/bad.pem", dir);
	test_write(path, str("nothing"), 0644);
	ck_assert_int_eq(tls_creds_trust_dir(c, dir, why), ERR_BAD);
	ck_assert_ptr_nonnull(strstr(why, "bad.pem"));
	ck_assert_int_eq(tls_creds_trust_dir(c, "/nonexistent", why), ERR_IO);
	(void)tls_creds_unref(c);
	gnutls_free(crl.data);
	{
		char cmd[160];

		(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
		ck_assert_int_eq(system(cmd), 0);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("tls/session");
	TCase *good = tcase_create("handshakes that succeed");
	TCase *bad = tcase_create("hostile and wrong peers");
	TCase *own = tcase_create("our own files");

	tcase_add_checked_fixture(good, peers_set_up, peers_tear_down);
	tcase_add_checked_fixture(bad, peers_set_up, peers_tear_down);
	tcase_add_checked_fixture(own, peers_set_up, peers_tear_down);
	tcase_set_timeout(good, 60);
	tcase_set_timeout(bad, 60);
	tcase_add_test(good, every_policy_is_accepted_by_this_gnutls);
	tcase_add_test(good, mutual_handshake_gives_facts_and_carries_text);
	tcase_add_test(good, handshake_survives_single_bytes);
	tcase_add_test(good, hello_in_many_records_of_one_read_is_taken);
	tcase_add_test(good, rsa_key_serves_every_version);
	tcase_add_test(good, null_cipher_is_told_apart);
	tcase_add_test(good, legacy_policy_serves_a_phone_of_2006);
	tcase_add_test(good, optional_client_certificate_lets_in_without_facts);
	tcase_add_test(bad,
		       default_policy_refuses_null_static_rsa_and_old_versions);
	tcase_add_test(bad, bad_certificates_are_refused_with_their_reason);
	tcase_add_test(bad, client_without_certificate_is_refused);
	tcase_add_test(bad, revoked_certificate_and_expired_list_are_refused);
	tcase_add_test(bad, list_of_a_false_issuer_is_refused);
	tcase_add_test(bad, purpose_is_checked_when_asked);
	tcase_add_test(bad, purpose_of_a_server_is_checked_by_its_client);
	tcase_add_test(bad, client_checks_the_name_of_the_server);
	tcase_add_test(bad, garbage_instead_of_a_hello_is_refused);
	tcase_add_test(bad, half_open_handshake_waits_and_ends_with_the_peer);
	tcase_add_test(bad, damaged_record_ends_the_session);
	tcase_add_test(bad, feeding_without_end_is_limited);
	tcase_add_test(own, chain_at_the_limit_passes_and_longer_is_refused);
	tcase_add_test(own, wrong_key_for_a_certificate_is_an_error_with_text);
	tcase_add_test(own, trust_directory_reads_certificates_and_lists);
	suite_add_tcase(s, good);
	suite_add_tcase(s, bad);
	suite_add_tcase(s, own);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
