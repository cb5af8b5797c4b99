/* Challenges of call managers: which is answered, and with what. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "authn/digest.h"
#include "base/writer.h"
#include "lib/entropy.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "proxy/realm.h"

static struct realms *realms;
static struct test_entropy entropy;
static const char *method; /* of all requests */
static uint64_t store_ticket, keys_ticket;
static char asked_realm[64];
static uint8_t asked_alg;
static char asked_qop[16];
static char asked_body[DIGEST_HEX_MAX + 1];
static unsigned done_count;
static char lines[REALM_LINE_MAX];
static const char *reason;

static int on_credential(void *ctx, uint64_t ticket, struct slice realm)
{
	(void)ctx;
	store_ticket = ticket;
	(void)snprintf(asked_realm, sizeof(asked_realm), "%.*s",
		       SLICE_FMT(realm));
	return 0;
}

static int on_answer(void *ctx, uint64_t ticket, const struct keys_check *c)
{
	(void)ctx;
	keys_ticket = ticket;
	asked_alg = c->alg;
	(void)snprintf(asked_qop, sizeof(asked_qop), "%.*s", SLICE_FMT(c->qop));
	(void)snprintf(asked_body, sizeof(asked_body), "%.*s",
		       SLICE_FMT(c->body_hash));
	ck_assert(slice_eqs(c->method, method));
	ck_assert(slice_eqs(c->uri, "sip:pbx.example"));
	return 0;
}

static void on_done(void *ctx, uint64_t id, struct slice l, const char *why,
		    struct slice realm)
{
	(void)ctx;
	(void)realm;
	ck_assert_uint_eq(id, 77);
	(void)snprintf(lines, sizeof(lines), "%.*s", SLICE_FMT(l));
	reason = why;
	done_count++;
}

static void setup(void)
{
	struct realm_cb cb = {.credential = on_credential,
			      .answer = on_answer,
			      .done = on_done};
	struct entropy e = test_entropy(&entropy, 1);

	method = "REGISTER";
	realms = realms_new(&cb, &e, 5);
	ck_assert_ptr_nonnull(realms);
	store_ticket = keys_ticket = 0;
	done_count = 0;
	lines[0] = '\0';
	reason = NULL;
}

static void teardown(void)
{
	realms = realms_free(realms);
}

static const struct dest peer = {
	.peer = {.family = ADDR_V4, .port = 5060, .ip = {10, 0, 0, 2}}};

/* A REGISTER with this header to peer; response: the lines of what it got,
 * status first, NULL: nothing yet. */
static struct slice exchange(bool is_ahead, const char *request,
			     const char *response)
{
	static char common[256];
	static char q[2048];
	static char p[2048];
	static uint8_t buf[4200];
	struct writer w;

	(void)snprintf(common, sizeof(common),
		       "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n"
		       "From: <sip:a@x>;tag=1\r\nTo: <sip:a@x>\r\n"
		       "Call-ID: c\r\nCSeq: 1 %s\r\n",
		       method);
	(void)snprintf(q, sizeof(q),
		       "%s sip:pbx.example SIP/2.0\r\n%s"
		       "Max-Forwards: 70\r\n%sContent-Length: 0\r\n\r\n",
		       method, common, request);
	p[0] = '\0';
	if (response)
		(void)snprintf(p, sizeof(p),
			       "SIP/2.0 %.6s\r\n%s%sContent-Length: 0\r\n"
			       "\r\n",
			       response, common, response + 6);
	writer_init(&w, buf, sizeof(buf));
	writer_u8(&w, is_ahead);
	writer_blob(&w, slice_str(q));
	writer_blob(&w, slice_str(p));
	return writer_slice(&w);
}

/* A REGISTER with this header got a 401 with those. */
static void challenged(const char *request, const char *response)
{
	char text[2048];

	(void)snprintf(text, sizeof(text), "401 No%s", response);
	realms_ask(realms, 77, &peer, exchange(false, request, text));
}

/* The same, but its credentials had not been asked for. */
static void challenged_ahead(const char *request, const char *response)
{
	char text[2048];

	(void)snprintf(text, sizeof(text), "401 No%s", response);
	realms_ask(realms, 77, &peer, exchange(true, request, text));
}

/* A request is to go to this place. */
static void ask_ahead(const struct dest *to)
{
	done_count = 0;
	lines[0] = '\0';
	realms_ask(realms, 77, to, exchange(false, "", NULL));
}

/* A REGISTER with this header got a 200 with those. */
static void info(const char *request, const char *response)
{
	char text[2048];

	(void)snprintf(text, sizeof(text), "200 OK%s", response);
	realms_info(realms, &peer, exchange(false, request, text));
}

static void keys_answer(const char *user, const char *response)
{
	uint8_t buf[256];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_blob(&w, slice_str(user));
	writer_blob(&w, slice_str(response));
	realms_answered(realms, keys_ticket, 0, writer_slice(&w));
}

static void answer(const char *user, const char *response)
{
	realms_credential(realms, store_ticket, 0, slice_str("blob"));
	keys_answer(user, response);
}

#define MD5 "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\"\r\n"
#define SHA                                                        \
	"WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n256\", " \
	"algorithm=SHA-256, qop=\"auth-int,auth\", opaque=\"o\"\r\n"

START_TEST(the_strongest_algorithm_is_answered)
{
	challenged("", MD5 SHA);
	ck_assert_str_eq(asked_realm, "pbx");
	answer("bob", "0123");
	ck_assert_uint_eq(asked_alg, DIGEST_SHA256);
	ck_assert_str_eq(asked_qop, "auth");
	ck_assert_uint_eq(done_count, 1);
	ck_assert_ptr_null(reason);
	ck_assert_ptr_eq(
		strstr(lines, "Authorization: Digest username=\"bob\""), lines);
	ck_assert_ptr_nonnull(strstr(lines, "nonce=\"n256\""));
	ck_assert_ptr_nonnull(strstr(lines, "uri=\"sip:pbx.example\""));
	ck_assert_ptr_nonnull(strstr(lines, "response=\"0123\""));
	ck_assert_ptr_nonnull(strstr(lines, "algorithm=SHA-256"));
	ck_assert_ptr_nonnull(strstr(lines, "opaque=\"o\""));
	ck_assert_ptr_nonnull(strstr(lines, "qop=auth, nc=00000001, cnonce="));
}
END_TEST

START_TEST(without_qop_there_is_none)
{
	challenged("", MD5);
	answer("bob", "0123");
	ck_assert_uint_eq(asked_alg, DIGEST_MD5);
	ck_assert_str_eq(asked_qop, "");
	ck_assert_ptr_null(strstr(lines, "cnonce"));
}
END_TEST

START_TEST(a_proxys_challenge_is_answered_as_such)
{
	challenged("", "Proxy-Authenticate: Digest realm=\"pbx\", "
		       "nonce=\"n\"\r\n");
	answer("bob", "0123");
	ck_assert_ptr_eq(strstr(lines, "Proxy-Authorization: Digest "), lines);
}
END_TEST

START_TEST(what_cannot_be_answered_is_not)
{
	static const char *const rows[] = {
		"", "WWW-Authenticate: Basic realm=\"pbx\"\r\n",
		"WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", "
		"algorithm=SHA-1\r\n",
		"WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", "
		"qop=\"auth-conf\"\r\n",
		"WWW-Authenticate: Digest realm=\"pbx\"\r\n"};

	challenged("", rows[_i]);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_str_eq(lines, "");
	ck_assert_ptr_nonnull(reason);
	ck_assert_uint_eq(store_ticket, 0);
}
END_TEST

#define CRED                                                      \
	"Authorization: Digest username=\"bob\", realm=\"pbx\", " \
	"nonce=\"old\", uri=\"sip:pbx.example\", response=\"00\"\r\n"

START_TEST(what_was_refused_is_not_said_again)
{
	challenged(CRED, MD5);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_str_eq(reason, "the credentials were refused");
}
END_TEST

START_TEST(a_stale_nonce_is_answered_anew)
{
	challenged(CRED, "WWW-Authenticate: Digest stale=TRUE, realm=\"pbx\", "
			 "nonce=\"new\"\r\n");
	ck_assert_uint_eq(done_count, 0);
	answer("bob", "0123");
	ck_assert_ptr_nonnull(strstr(lines, "nonce=\"new\""));
}
END_TEST

START_TEST(a_realm_without_credentials_is_no_trouble)
{
	challenged("", MD5);
	realms_credential(realms, store_ticket, ERR_NOTFOUND, SLICE_NULL);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_str_eq(lines, "");
	ck_assert_ptr_null(reason);
	/* Late answers find nobody. */
	realms_answered(realms, store_ticket, 0, SLICE_NULL);
	ck_assert_uint_eq(done_count, 1);
}
END_TEST

/* RFC 7616 section 3.4.3: the body is part of it. */
START_TEST(auth_int_hashes_the_body)
{
	challenged("", "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", "
		       "qop=\"auth-int\"\r\n");
	answer("bob", "0123");
	ck_assert_str_eq(asked_qop, "auth-int");
	/* MD5 of nothing. */
	ck_assert_str_eq(asked_body, "d41d8cd98f00b204e9800998ecf8427e");
	ck_assert_ptr_nonnull(strstr(lines, "qop=auth-int, nc=00000001"));
}
END_TEST

#define PROXY(realm)                                                    \
	"Proxy-Authenticate: Digest realm=\"" realm "\", nonce=\"p\", " \
	"qop=\"auth\"\r\n"

START_TEST(each_realm_gets_its_answer)
{
	challenged("", MD5 PROXY("one") PROXY("two"));
	ck_assert_str_eq(asked_realm, "pbx");
	answer("bob", "0123");
	ck_assert_uint_eq(done_count, 0);
	ck_assert_str_eq(asked_realm, "one");
	/* Of this one nobody has credentials. */
	realms_credential(realms, store_ticket, ERR_NOTFOUND, SLICE_NULL);
	ck_assert_str_eq(asked_realm, "two");
	answer("tom", "4567");
	ck_assert_uint_eq(done_count, 1);
	ck_assert_ptr_nonnull(strstr(lines, "realm=\"pbx\""));
	ck_assert_ptr_null(strstr(lines, "realm=\"one\""));
	ck_assert_ptr_nonnull(strstr(
		lines, "\r\nProxy-Authorization: Digest username=\"tom\", "
		       "realm=\"two\""));
}
END_TEST

/* A proxy was satisfied, now the one behind it asks. */
START_TEST(credentials_of_other_realms_go_along_with_the_next_count)
{
	challenged("Proxy-Authorization: Digest username=\"tom\", "
		   "realm=\"two\", nonce=\"p\", uri=\"x\", response=\"00\", "
		   "qop=auth, nc=0000000f, cnonce=\"c\", opaque=\"o\"\r\n",
		   MD5);
	answer("bob", "0123");
	ck_assert_str_eq(asked_realm, "two");
	answer("tom", "4567");
	ck_assert_uint_eq(done_count, 1);
	ck_assert_ptr_nonnull(strstr(lines, "nonce=\"n\""));
	ck_assert_ptr_nonnull(strstr(lines, "nonce=\"p\""));
	ck_assert_ptr_nonnull(strstr(lines, "nc=00000010"));
	ck_assert_ptr_nonnull(strstr(lines, "opaque=\"o\""));
}
END_TEST

#define USED                                                       \
	"Authorization: Digest username=\"bob\", realm=\"pbx\", "  \
	"nonce=\"n\", uri=\"sip:pbx.example\", response=\"00\", "  \
	"algorithm=SHA-256, opaque=\"o\", qop=auth, nc=00000001, " \
	"cnonce=\"c\"\r\n"

/* RFC 7616 section 3.5. */
START_TEST(a_nonce_that_was_told_is_used_next_with_rising_counts)
{
	struct dest other = peer;

	ask_ahead(&peer);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_str_eq(lines, "");
	info(USED, "Authentication-Info: qop=auth, nextnonce=\"next\", "
		   "nc=00000001\r\n");
	ck_assert_uint_eq(realms_nonces(realms), 1);
	for (int i = 1; i <= 2; i++) {
		char nc[32];

		ask_ahead(&peer);
		ck_assert_str_eq(asked_realm, "pbx");
		answer("bob", "0123");
		ck_assert_uint_eq(asked_alg, DIGEST_SHA256);
		ck_assert_ptr_nonnull(strstr(lines, "nonce=\"next\""));
		ck_assert_ptr_nonnull(strstr(lines, "opaque=\"o\""));
		(void)snprintf(nc, sizeof(nc), "qop=auth, nc=%08d", i);
		ck_assert_ptr_nonnull(strstr(lines, nc));
	}
	/* It is that place's, over that transport, and nobody else's. */
	other.peer.port++;
	ask_ahead(&other);
	ck_assert_str_eq(lines, "");
	other = peer;
	other.is_tls = true;
	ask_ahead(&other);
	ck_assert_str_eq(lines, "");
	/* Another one takes its place. */
	info(USED, "Authentication-Info: nextnonce=\"third\"\r\n");
	ck_assert_uint_eq(realms_nonces(realms), 1);
	ask_ahead(&peer);
	answer("bob", "0123");
	ck_assert_ptr_nonnull(strstr(lines, "nonce=\"third\""));
	ck_assert_ptr_nonnull(strstr(lines, "nc=00000001"));
}
END_TEST

#define PROXY_CRED                                                      \
	"Proxy-Authorization: Digest username=\"tom\", realm=\"two\", " \
	"nonce=\"p\", uri=\"x\", response=\"00\", qop=auth, "           \
	"nc=00000001, cnonce=\"c\"\r\n"

/* A registrar sends other requests on, to others than it; a proxy does so with
 * all. */
START_TEST(what_a_registrar_told_is_for_it_alone)
{
	info(USED PROXY_CRED, "Authentication-Info: nextnonce=\"a\"\r\n"
			      "Proxy-Authentication-Info: nextnonce=\"b\"\r\n");
	method = "INVITE";
	ask_ahead(&peer);
	ck_assert_str_eq(asked_realm, "two");
	answer("tom", "0123");
	ck_assert_ptr_eq(strstr(lines, "Proxy-Authorization: "), lines);
	ck_assert_ptr_null(strstr(lines, "\nAuthorization: "));
	info(USED, "Authentication-Info: nextnonce=\"c\"\r\n");
	ck_assert_uint_eq(realms_nonces(realms), 3);
	method = "REGISTER";
	challenged_ahead(CRED, MD5);
	ck_assert_uint_eq(realms_nonces(realms), 2);
}
END_TEST

/* Whatever the challenge says: the password has not been tried. */
START_TEST(a_nonce_that_is_refused_is_forgotten_and_the_challenge_answered)
{
	info(USED, "Authentication-Info: nextnonce=\"next\"\r\n");
	challenged_ahead(CRED, MD5);
	ck_assert_uint_eq(realms_nonces(realms), 0);
	ck_assert_uint_eq(done_count, 0);
	answer("bob", "0123");
	ck_assert_ptr_nonnull(strstr(lines, "nonce=\"n\""));
	ask_ahead(&peer);
	ck_assert_str_eq(lines, "");
}
END_TEST

START_TEST(without_qop_a_nonce_that_was_told_is_used_once)
{
	info(CRED, "Authentication-Info: nextnonce=\"next\"\r\n");
	ask_ahead(&peer);
	answer("bob", "0123");
	ck_assert_ptr_nonnull(strstr(lines, "nonce=\"next\""));
	ck_assert_ptr_null(strstr(lines, "nc="));
	ask_ahead(&peer);
	ck_assert_str_eq(lines, "");
}
END_TEST

START_TEST(whose_nonce_is_told_is_known_or_it_is_not_kept)
{
	static const struct {
		const char *request, *response;
		size_t count;
	} rows_[] = {
		{USED PROXY_CRED, "Authentication-Info: nextnonce=\"a\"\r\n",
		 1},
		{USED PROXY_CRED,
		 "Authentication-Info: nextnonce=\"a\"\r\n"
		 "Proxy-Authentication-Info: nextnonce=\"b\"\r\n",
		 2},
		/* A proxy that takes the servers' header. */
		{PROXY_CRED, "Authentication-Info: nextnonce=\"a\"\r\n", 1},
		{USED CRED, "Authentication-Info: nextnonce=\"a\"\r\n", 0},
		{"", "Authentication-Info: nextnonce=\"a\"\r\n", 0},
		{USED, "Authentication-Info: rspauth=\"00\"\r\n", 0},
		{USED, "Authentication-Info: nextnonce=\"\"\r\n", 0},
		{USED, "Authentication-Info: nextnonce=a\r\n", 0},
	};

	info(rows_[_i].request, rows_[_i].response);
	ck_assert_uint_eq(realms_nonces(realms), rows_[_i].count);
}
END_TEST

START_TEST(what_peers_tell_has_an_end)
{
	struct dest to = peer;

	for (unsigned i = 0; i <= REALM_NONCES_MAX; i++) {
		to.peer.ip[2] = (uint8_t)(i >> 8);
		to.peer.ip[1] = (uint8_t)i;
		realms_info(realms, &to,
			    exchange(false, USED,
				     "200 OKAuthentication-Info: "
				     "nextnonce=\"n\"\r\n"));
	}
	ck_assert_uint_eq(realms_nonces(realms), REALM_NONCES_MAX);
	to.peer.ip[2] = to.peer.ip[1] = 0;
	ask_ahead(&to); /* the first one made room */
	ck_assert_str_eq(lines, "");
	for (unsigned i = 0; i < 9; i++) {
		char used[512];

		(void)snprintf(used, sizeof(used),
			       "Authorization: Digest username=\"b\", "
			       "realm=\"%u\", nonce=\"n\", uri=\"x\", "
			       "response=\"00\"\r\n",
			       i);
		info(used, "Authentication-Info: nextnonce=\"a\"\r\n");
	}
	ask_ahead(&peer); /* of one peer the last four realms */
	for (int i = 0; i < 4; i++) {
		ck_assert_msg(asked_realm[0] >= '5' && asked_realm[0] <= '8',
			      "%s", asked_realm);
		ck_assert_uint_eq(done_count, 0);
		answer("b", "00");
	}
	ck_assert_uint_eq(done_count, 1);
}
END_TEST

static void run_out_ahead(void *arg)
{
	(void)arg;
	store_ticket = 0;
	info(USED, "Authentication-Info: nextnonce=\"next\"\r\n");
	ask_ahead(&peer);
	if (store_ticket)
		realms_credential(realms, store_ticket, ERR_NOTFOUND,
				  SLICE_NULL);
}

static void run_out(void *arg)
{
	(void)arg;
	store_ticket = 0;
	challenged("", MD5);
	if (store_ticket)
		realms_credential(realms, store_ticket, ERR_NOTFOUND,
				  SLICE_NULL);
}

START_TEST(lack_of_memory_is_no_answer)
{
	oom_sweep(run_out, NULL);
	oom_sweep(run_out_ahead, NULL);
}
END_TEST

static const char two_realms[] =
	"WWW-Authenticate: Digest realm=\"r1\", nonce=\"n1\"\r\n"
	"Proxy-Authenticate: Digest realm=\"r2\", nonce=\"n2\"\r\n";

START_TEST(what_a_lost_store_was_asked_is_answered_and_makes_room)
{
	for (unsigned i = 0; i < REALM_ASKS_MAX; i++)
		challenged("", MD5);
	ck_assert_uint_eq(done_count, 0);
	challenged("", MD5);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_str_eq(reason, "too many challenges at once");
	done_count = 0;
	realms_lost(realms);
	ck_assert_uint_eq(done_count, REALM_ASKS_MAX);
	ck_assert_str_eq(reason, "the store process is not there");
	/* The answer to the last one comes too late. */
	realms_credential(realms, store_ticket, 0, slice_str("blob"));
	ck_assert_uint_eq(keys_ticket, 0);
	store_ticket = 0;
	challenged("", MD5);
	ck_assert_uint_ne(store_ticket, 0);
	ck_assert_uint_eq(done_count, REALM_ASKS_MAX);
}
END_TEST

START_TEST(who_waits_for_the_keys_does_not_mind_that_the_store_is_lost)
{
	challenged("", MD5);
	realms_credential(realms, store_ticket, 0, slice_str("blob"));
	ck_assert_uint_ne(keys_ticket, 0);
	realms_lost(realms);
	ck_assert_uint_eq(done_count, 0);
	keys_answer("bob", "0123");
	ck_assert_uint_eq(done_count, 1);
	ck_assert_ptr_null(reason);
}
END_TEST

START_TEST(what_was_answered_before_the_store_was_lost_is_sent)
{
	challenged("", two_realms);
	realms_credential(realms, store_ticket, 0, slice_str("blob"));
	keys_answer("bob", "0123");
	ck_assert_uint_eq(done_count, 0);
	realms_lost(realms);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_ptr_null(reason);
	ck_assert_ptr_nonnull(strstr(lines, "r1"));
	ck_assert_ptr_null(strstr(lines, "r2"));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("realm");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_strongest_algorithm_is_answered);
	tcase_add_test(t, without_qop_there_is_none);
	tcase_add_test(t, a_proxys_challenge_is_answered_as_such);
	tcase_add_loop_test(t, what_cannot_be_answered_is_not, 0, 5);
	tcase_add_test(t, what_was_refused_is_not_said_again);
	tcase_add_test(t, a_stale_nonce_is_answered_anew);
	tcase_add_test(t, a_realm_without_credentials_is_no_trouble);
	tcase_add_test(t, auth_int_hashes_the_body);
	tcase_add_test(t, each_realm_gets_its_answer);
	tcase_add_test(
		t, credentials_of_other_realms_go_along_with_the_next_count);
	tcase_add_test(t,
		       a_nonce_that_was_told_is_used_next_with_rising_counts);
	tcase_add_test(
		t,
		a_nonce_that_is_refused_is_forgotten_and_the_challenge_answered);
	tcase_add_test(t, what_a_registrar_told_is_for_it_alone);
	tcase_add_test(t, without_qop_a_nonce_that_was_told_is_used_once);
	tcase_add_loop_test(t, whose_nonce_is_told_is_known_or_it_is_not_kept,
			    0, 8);
	tcase_add_test(t, what_peers_tell_has_an_end);
	tcase_add_test(t,
		       what_a_lost_store_was_asked_is_answered_and_makes_room);
	tcase_add_test(
		t, who_waits_for_the_keys_does_not_mind_that_the_store_is_lost);
	tcase_add_test(t, what_was_answered_before_the_store_was_lost_is_sent);
	tcase_add_test(t, lack_of_memory_is_no_answer);
	return run_case("proxy/realm", t);
}
