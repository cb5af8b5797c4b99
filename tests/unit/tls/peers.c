#include "unit/tls/peers.h"

struct peers peers;

void peers_add_key(const char *name, const struct test_cert *c)
{
	ck_assert_int_eq(
		keyring_add(peers.ring, str(name), test_datum(&c->key_pem)), 0);
}

void peers_set_up(void)
{
	ck_assert_int_eq(tls_global_init(), 0);
	peers.ca = test_cert_new(
		&(struct test_cert_spec){.cn = "Test CA", .is_ca = true});
	peers.server = test_cert_new(&(struct test_cert_spec){
		.cn = "proxy", .issuer = peers.ca, .dns = "proxy.example"});
	peers.rsa = test_cert_new(&(struct test_cert_spec){
		.cn = "proxy", .issuer = peers.ca, .is_rsa = true});
	peers.phone = test_cert_new(&(struct test_cert_spec){
		.cn = "SEP001122334455", .issuer = peers.ca});
	ck_assert_int_eq(keyring_new(&peers.ring), 0);
	peers_add_key("server", peers.server);
	peers_add_key("rsa", peers.rsa);
	peers_add_key("phone", peers.phone);
}

void peers_tear_down(void)
{
	peers.ring = keyring_free(peers.ring);
	test_cert_free(peers.phone);
	test_cert_free(peers.rsa);
	test_cert_free(peers.server);
	test_cert_free(peers.ca);
}

/* Credentials with an identity (cert may be NULL) that trust one CA. */
struct tls_creds *peers_creds(const char *policy, const char *key,
			      const struct test_cert *cert,
			      const struct test_cert *trust,
			      struct slice ticket_key)
{
	struct tls_creds_params p = {.policy = tls_policy_find(str(policy)),
				     .ticket_key = ticket_key};
	struct tls_creds *c;
	char why[TLS_CREDS_ERR_MAX] = "";

	ck_assert_ptr_nonnull(p.policy);
	ck_assert_int_eq(tls_creds_new(&p, &c), 0);
	if (cert)
		ck_assert_msg(tls_creds_identity(c, "test",
						 test_datum(&cert->pem),
						 keyring_signer(peers.ring),
						 str(key), why) == 0,
			      "%s", why);
	ck_assert_msg(tls_creds_trust(c, "ca", test_datum(&trust->der), why) ==
			      0,
		      "%s", why);
	return c;
}

/* Carry bytes from one session to the other, step bytes at a time. */
void peers_carry(struct tls_session *from, struct tls_session *to, size_t step)
{
	struct slice s;

	while ((s = tls_session_out(from)).len > 0) {
		s = slice_sub(s, 0, step);
		ck_assert_int_eq(tls_session_feed(to, s), 0);
		tls_session_sent(from, s.len);
	}
}

struct peers_result peers_shake(struct tls_session *server,
				struct tls_session *client)
{
	struct peers_result r = {ERR_MORE, ERR_MORE};

	for (int i = 0; i < ROUNDS; i++) {
		if (r.client == ERR_MORE)
			r.client = tls_session_handshake(client);
		peers_carry(client, server, 100000);
		if (r.server == ERR_MORE)
			r.server = tls_session_handshake(server);
		peers_carry(server, client, 100000);
		if (r.server != ERR_MORE && r.client != ERR_MORE)
			break;
	}
	return r;
}

struct peers_pair peers_pair(struct tls_creds *sc, struct tls_creds *cc)
{
	struct peers_pair p = {.sc = sc, .cc = cc};

	ck_assert_int_eq(tls_session_new(sc, TLS_SERVER, NULL, &p.server), 0);
	ck_assert_int_eq(tls_session_new(cc, TLS_CLIENT, NULL, &p.client), 0);
	return p;
}

void peers_pair_done(struct peers_pair *p)
{
	ck_assert_ptr_null(tls_session_free(p->server));
	ck_assert_ptr_null(tls_session_free(p->client));
	(void)tls_creds_unref(p->sc);
	(void)tls_creds_unref(p->cc);
}

/* ---- a client of GnuTLS's own ---- */

struct gclient {
	gnutls_session_t gs;
	struct tls_session *server;
};

static ssize_t gpush(gnutls_transport_ptr_t ptr, const void *buf, size_t len)
{
	struct gclient *g = ptr;

	return tls_session_feed(g->server, slice_make(buf, len)) == 0
		       ? (ssize_t)len
		       : -1;
}

static ssize_t gpull(gnutls_transport_ptr_t ptr, void *buf, size_t len)
{
	struct gclient *g = ptr;
	struct slice out = slice_sub(tls_session_out(g->server), 0, len);

	if (out.len == 0) {
		gnutls_transport_set_errno(g->gs, EAGAIN);
		return -1;
	}
	memcpy(buf, out.ptr, out.len);
	tls_session_sent(g->server, out.len);
	return (ssize_t)out.len;
}

static void look_at_shown(struct gclient *g, struct peers_visit *v)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(g->gs, &n);
	gnutls_x509_crt_t crt;
	size_t len = sizeof(v->shown_cn);

	if (!chain || n == 0)
		return;
	ck_assert_int_eq(gnutls_x509_crt_init(&crt), 0);
	ck_assert_int_eq(
		gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER), 0);
	v->shown = (gnutls_pk_algorithm_t)gnutls_x509_crt_get_pk_algorithm(
		crt, NULL);
	ck_assert_int_eq(
		gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME,
					      0, 0, v->shown_cn, &len),
		0);
	gnutls_x509_crt_deinit(crt);
}

static void after(struct gclient *g, struct peers_visit *v)
{
	uint8_t buf[16];

	v->facts = *tls_session_facts(g->server);
	v->facts.version = NULL;
	v->facts.suite = NULL;
	v->facts.peer_cert = SLICE_NULL;
	v->is_resumed = v->facts.is_resumed;
	look_at_shown(g, v);
	/* TLS 1.3: the ticket comes after the handshake. */
	(void)gnutls_record_recv(g->gs, buf, sizeof(buf));
	ck_assert_int_eq(gnutls_session_get_data2(g->gs, &v->next), 0);
}

void peers_visit(struct tls_creds *sc, const struct test_cert *cert,
		 struct peers_visit *v)
{
	struct gclient g = {.gs = NULL};
	gnutls_certificate_credentials_t cred;
	int c = GNUTLS_E_AGAIN;

	v->server = ERR_MORE;
	v->next = (gnutls_datum_t){.data = NULL};
	ck_assert_int_eq(tls_session_new(sc, TLS_SERVER, NULL, &g.server), 0);
	ck_assert_int_eq(gnutls_certificate_allocate_credentials(&cred), 0);
	ck_assert_int_eq(
		gnutls_certificate_set_x509_key_mem(
			cred, &cert->pem, &cert->key_pem, GNUTLS_X509_FMT_PEM),
		0);
	ck_assert_int_eq(gnutls_init(&g.gs, GNUTLS_CLIENT | GNUTLS_NONBLOCK |
						    (v->without_tickets
							     ? GNUTLS_NO_TICKETS
							     : 0U)),
			 0);
	ck_assert_int_eq(gnutls_priority_set_direct(g.gs, v->priority, NULL),
			 0);
	ck_assert_int_eq(
		gnutls_credentials_set(g.gs, GNUTLS_CRD_CERTIFICATE, cred), 0);
	gnutls_transport_set_ptr(g.gs, &g);
	gnutls_transport_set_push_function(g.gs, gpush);
	gnutls_transport_set_pull_function(g.gs, gpull);
	if (v->name)
		ck_assert_int_eq(gnutls_server_name_set(g.gs, GNUTLS_NAME_DNS,
							v->name,
							strlen(v->name)),
				 0);
	if (v->data)
		ck_assert_int_eq(gnutls_session_set_data(g.gs, v->data->data,
							 v->data->size),
				 0);
	for (int i = 0; i < ROUNDS && (v->server == ERR_MORE || c < 0); i++) {
		if (c < 0 && !gnutls_error_is_fatal(c))
			c = gnutls_handshake(g.gs);
		if (v->server == ERR_MORE)
			v->server = tls_session_handshake(g.server);
	}
	v->refusal = tls_session_refusal(g.server);
	if (v->server == 0)
		after(&g, v);
	gnutls_deinit(g.gs);
	gnutls_certificate_free_credentials(cred);
	(void)tls_session_free(g.server);
}
