/*
 * The pipeline: who gets through, who is stopped and with what answer. The
 * call machine and egress are the real ones, the other processes are played
 * (unit/proxy/world.h). Digest: RFC 7616, RFC 3261 section 22.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/run.h"
#include "sccp/frame.h"
#include "unit/proxy/world.h"

static struct world w;

static void setup(void)
{
	world_init(&w);
}

static void teardown(void)
{
	world_done(&w);
}

/* ---- messages ------------------------------------------------------------ */

enum { TEXT_MAX = 4096 };

/* A request of user; extra: header lines, may be empty. branch names the
 * transaction. */
static const char *request(const char *method, const char *user, int branch,
			   const char *extra)
{
	static char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text),
			 "%s sip:%s192.0.2.1 SIP/2.0\n"
			 "Via: SIP/2.0/UDP 198.51.100.7:5060;"
			 "branch=z9hG4bK%d;rport\n"
			 "Max-Forwards: 70\n"
			 "From: <sip:%s@192.0.2.1>;tag=a\n"
			 "To: <sip:%s@192.0.2.1>\n"
			 "Call-ID: call-%d\n"
			 "CSeq: %d %s\n"
			 "Contact: <sip:%s@198.51.100.7:5060>\n"
			 "%s",
			 method, strcmp(method, "INVITE") == 0 ? "2009@" : "",
			 branch, user,
			 strcmp(method, "INVITE") == 0 ? "2009" : user,
			 branch / 100, branch, method, user, extra);

	ck_assert(n > 0 && n < TEXT_MAX);
	return text;
}

static void udp(const char *method, const char *user, int branch,
		const char *extra)
{
	world_forget(&w);
	world_say(&w, &w.udp, SIDE_PHONE, NULL,
		  request(method, user, branch, extra));
}

static void tls(const char *method, const char *user, int branch)
{
	world_forget(&w);
	world_say(&w, &w.phone.dest, SIDE_PHONE, &w.phone,
		  request(method, user, branch, ""));
}

/* Exactly one message left, to where it came from, beginning with status. */
static void answered(const struct dest *to, const char *status)
{
	char start[64];

	ck_assert_msg(w.sent_count == 1, "%u messages, stop %s", w.sent_count,
		      pipeline_stop_str(w.stop));
	(void)snprintf(start, sizeof(start), "SIP/2.0 %s ", status);
	ck_assert_msg(strncmp(w.sent[0].text, start, strlen(start)) == 0, "%s",
		      w.sent[0].text);
	ck_assert(dest_eq(&w.sent[0].to, to));
}

/* Exactly one message left: this method, to the call manager. */
static void went_on(const char *method)
{
	ck_assert_msg(w.sent_count == 1, "%u messages, stop %s", w.sent_count,
		      pipeline_stop_str(w.stop));
	ck_assert_msg(strncmp(w.sent[0].text, method, strlen(method)) == 0,
		      "%s", w.sent[0].text);
	ck_assert(dest_eq(&w.sent[0].to, &w.core));
	ck_assert_int_eq(w.stop, STOP_NONE);
}

/* ---- who speaks ----------------------------------------------------------- */

START_TEST(an_unknown_line_over_udp_gets_403)
{
	udp("REGISTER", "4711", 1, "");
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_DEVICE);
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_DEVICE], 1);
	ck_assert_uint_eq(pipeline_messages(w.pipeline), 1);
}
END_TEST

/* RFC 3581: behind a translator the answer finds back by what we saw. */
START_TEST(the_answer_names_and_takes_the_port_we_saw)
{
	char want[64], addr[ADDR_STR_MAX];

	w.udp.peer.port = 40999;
	udp("OPTIONS", "4711", 1, "");
	answered(&w.udp, "403");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, ";rport=40999"));
	(void)snprintf(want, sizeof(want), ";received=%.*s",
		       (int)strcspn(addr_str(&w.udp.peer, addr), ":"), addr);
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, want));
}
END_TEST

START_TEST(a_device_that_must_use_tls_gets_403_over_udp)
{
	static const char *const lines[] = {"2001", "2004"};

	udp("REGISTER", lines[_i], 1, "");
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_MODE);
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "Warning: 399 "));
}
END_TEST

START_TEST(an_encrypted_device_gets_403_over_a_suite_without_encryption)
{
	w.phone.sig = SIG_AUTHENTICATED;
	tls("REGISTER", "2001", 1);
	answered(&w.phone.dest, "403");
	ck_assert_int_eq(w.stop, STOP_MODE);
}
END_TEST

START_TEST(a_nonsecure_device_goes_through_by_its_line)
{
	udp("REGISTER", "2002", 1, "");
	went_on("REGISTER ");
}
END_TEST

/* The rest of the security configuration is kept and does not count; digest
 * does, and nobody who is not configured registers in either mode. */
START_TEST(in_a_nonsecure_cluster_modes_do_not_count_but_digest_does)
{
	const struct config_device *d =
		config_device_find(w.config, slice_str("SEP000000000001"));
	struct call_policy policy;

	ingress_policy(w.config, d, &policy);
	ck_assert_int_eq(policy.media, MEDIA_SRTP_REQUIRE);
	w.config->mode = CONFIG_MODE_NONSECURE;
	udp("REGISTER", "2001", 1, "");
	went_on("REGISTER ");
	ck_assert_int_eq(w.stop, STOP_NONE);
	udp("REGISTER", "2004", 2, "");
	went_on("REGISTER ");
	ingress_policy(w.config, d, &policy);
	ck_assert_int_eq(policy.media, MEDIA_RTP_ONLY);
	udp("REGISTER", "2003", 3, "");
	answered(&w.udp, "401");
	udp("REGISTER", "4711", 4, "");
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_DEVICE);
}
END_TEST

START_TEST(a_certificate_names_the_device)
{
	tls("REGISTER", "2001", 1);
	went_on("REGISTER ");
	tls("INVITE", "2001", 101);
	ck_assert_uint_ge(w.sent_count, 1);
	ck_assert_int_eq(w.stop, STOP_NONE);
}
END_TEST

/* Whatever somebody asks for, he is asked first who he is. */
static const char *const all_methods[] = {
	"REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE",
	"PUBLISH",  "REFER",  "NOTIFY",	 "INFO",      "UPDATE",
	"PRACK",    "BYE",    "FOO"};

enum { METHODS = sizeof(all_methods) / sizeof(all_methods[0]) };

START_TEST(every_method_of_an_unknown_device_gets_403)
{
	udp(all_methods[_i], "4711", 1, "");
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_DEVICE);
}
END_TEST

START_TEST(every_method_of_a_digest_device_is_challenged)
{
	udp(all_methods[_i], "2003", 1, "");
	answered(&w.udp, "401");
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_CHALLENGE], 1);
}
END_TEST

/* In a dialog too: knowing its ids proves nothing. */
START_TEST(every_method_in_a_dialog_is_challenged)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
			 "%s sip:x@192.0.2.1 SIP/2.0\n"
			 "Via: SIP/2.0/UDP 198.51.100.7:5060;"
			 "branch=z9hG4bK7;rport\nMax-Forwards: 70\n"
			 "From: <sip:2003@192.0.2.1>;tag=a\n"
			 "To: <sip:2009@192.0.2.1>;tag=b\nCall-ID: c\n"
			 "CSeq: 5 %s\n",
			 all_methods[_i], all_methods[_i]);

	ck_assert(n > 0 && (size_t)n < sizeof(text));
	world_forget(&w);
	world_say(&w, &w.udp, SIDE_PHONE, NULL, text);
	answered(&w.udp, "401");
}
END_TEST

START_TEST(every_method_of_a_stranger_inside_is_dropped)
{
	struct dest stranger = w.core;

	ck_assert_int_eq(
		addr_parse(slice_str("10.9.9.9:5060"), 0, &stranger.peer), 0);
	world_forget(&w);
	world_say(&w, &stranger, SIDE_CORE, NULL,
		  request(all_methods[_i], "2001", 1, ""));
	ck_assert_uint_eq(w.sent_count, 0);
	ck_assert_int_eq(w.stop, STOP_SOURCE);
}
END_TEST

START_TEST(who_is_not_registered_may_not_subscribe_publish_refer_or_write)
{
	static const char *const asked[] = {"SUBSCRIBE", "PUBLISH", "REFER",
					    "MESSAGE"};

	world_forget(&w);
	world_say(&w, &w.phone.dest, SIDE_PHONE, &w.phone,
		  request(asked[_i], "2001", 1,
			  "Event: presence\nRefer-To: <sip:1@192.0.2.1>\n"));
	answered(&w.phone.dest, "403");
	tls("REGISTER", "2001", 101);
	world_answer(&w, "200 OK", "");
	world_forget(&w);
	world_say(&w, &w.phone.dest, SIDE_PHONE, &w.phone,
		  request(asked[_i], "2001", 201,
			  "Event: presence\nRefer-To: <sip:1@192.0.2.1>\n"));
	went_on(asked[_i]);
}
END_TEST

START_TEST(a_foreign_line_gets_403)
{
	tls(all_methods[_i], "2002", 1);
	answered(&w.phone.dest, "403");
	ck_assert_int_eq(w.stop, STOP_LINE);
	ck_assert_uint_eq(w.flow_adds, 0);
}
END_TEST

START_TEST(registering_for_somebody_else_gets_403)
{
	world_say(&w, &w.udp, SIDE_PHONE, NULL,
		  "REGISTER sip:192.0.2.1 SIP/2.0\n"
		  "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1;rport\n"
		  "Max-Forwards: 70\n"
		  "From: <sip:2002@192.0.2.1>;tag=a\n"
		  "To: <sip:2001@192.0.2.1>\n"
		  "Call-ID: 1\n"
		  "CSeq: 1 REGISTER\n"
		  "Contact: <sip:2002@198.51.100.7:5060>\n");
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_LINE);
}
END_TEST

/* A To tag claims a dialog: that is no way round the check of the line. */
START_TEST(a_message_in_an_unknown_dialog_goes_nowhere)
{
	static const char *const methods[] = {
		"BYE",	 "INVITE", "MESSAGE", "OPTIONS",   "NOTIFY",
		"REFER", "UPDATE", "INFO",    "SUBSCRIBE", "PRACK",
	};
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "%s sip:x@192.0.2.1 SIP/2.0\n"
		       "Via: SIP/2.0/TLS 198.51.100.1:5060;branch=z9hG4bK1\n"
		       "Max-Forwards: 70\n"
		       "From: <sip:2002@192.0.2.1>;tag=a\n"
		       "To: <sip:2003@192.0.2.1>;tag=b\n"
		       "Contact: <sip:2002@198.51.100.1>\n"
		       "Call-ID: 1\n"
		       "CSeq: 1 %s\n",
		       methods[_i], methods[_i]);
	world_say(&w, &w.phone.dest, SIDE_PHONE, &w.phone, text);
	answered(&w.phone.dest, "481");
}
END_TEST

/* ---- bytes and sources ----------------------------------------------------- */

START_TEST(a_malformed_request_gets_400_where_it_can_be_answered)
{
	world_say(&w, &w.udp, SIDE_PHONE, NULL,
		  "REGISTER sip:192.0.2.1 SIP/2.0\n"
		  "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1;rport\n"
		  "From: <sip:2002@192.0.2.1>;tag=a\n"
		  "To: <sip:2002@192.0.2.1>\n"
		  "Call-ID: 1\n"
		  "CSeq: one REGISTER\n");
	ck_assert_int_eq(w.stop, STOP_MALFORMED);
	if (w.sent_count > 0)
		answered(&w.udp, "400");
	ck_assert_uint_eq(w.flow_adds, 0);
}
END_TEST

START_TEST(what_is_no_sip_is_not_answered)
{
	world_say(&w, &w.udp, SIDE_PHONE, NULL, "hello\n");
	ck_assert_int_eq(w.stop, STOP_MALFORMED);
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

START_TEST(a_stranger_on_the_core_side_is_dropped_without_an_answer)
{
	struct dest from = w.core;

	from.peer = w.udp.peer;
	world_say(&w, &from, SIDE_CORE, NULL,
		  request("OPTIONS", "2002", 1, ""));
	ck_assert_int_eq(w.stop, STOP_SOURCE);
	world_say(&w, &from, SIDE_CORE, NULL,
		  "OPTIONS sip:x SIP/2.0\n"
		  "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1;rport\n");
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

START_TEST(the_call_manager_is_known_by_its_address_not_its_port)
{
	struct dest from = w.core;

	from.peer.port = 40000;
	world_say(&w, &from, SIDE_CORE, NULL, request("INVITE", "2009", 1, ""));
	ck_assert_int_eq(w.stop, STOP_NONE);
	/* No phone has that token. */
	ck_assert_uint_ge(w.sent_count, 1);
	ck_assert(strncmp(w.sent[w.sent_count - 1].text, "SIP/2.0 4", 9) == 0);
}
END_TEST

START_TEST(a_flood_over_udp_is_dropped_over_tls_told_503)
{
	uint64_t before;

	for (int i = 1; i <= 300; i++)
		udp("OPTIONS", "4711", i, "");
	ck_assert_int_eq(w.stop, STOP_RATE);
	ck_assert_uint_eq(w.sent_count, 0);
	before = pipeline_stops(w.pipeline)[STOP_RATE];
	ck_assert_uint_gt(before, 90);
	for (int i = 1; i <= 300; i++)
		tls("OPTIONS", "4711", i);
	answered(&w.phone.dest, "503");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "Retry-After: "));
	/* Time heals it. */
	world_pass(&w, w.now + 1000);
	udp("REGISTER", "2002", 900, "");
	went_on("REGISTER ");
}
END_TEST

START_TEST(the_call_manager_is_not_limited)
{
	for (int i = 1; i <= 400; i++) {
		world_forget(&w);
		world_say(&w, &w.core, SIDE_CORE, NULL,
			  request("OPTIONS", "2009", i, ""));
		ck_assert_int_ne(w.stop, STOP_RATE);
	}
}
END_TEST

/* ---- digest ---------------------------------------------------------------- */

static struct slice param(const char *text, const char *name)
{
	const char *p = strstr(text, name);
	const char *end;

	ck_assert_msg(p != NULL, "no %s in %s", name, text);
	p += strlen(name);
	end = strchr(p, '"');
	ck_assert_ptr_nonnull(end);
	return slice_make(p, (size_t)(end - p));
}

/* The nonce of the 401 that was sent. */
static void take_nonce(char nonce[128])
{
	struct slice s;

	ck_assert_uint_ge(w.sent_count, 1);
	s = param(w.sent[0].text, "nonce=\"");
	ck_assert_uint_lt(s.len, 128);
	memcpy(nonce, s.ptr, s.len);
	nonce[s.len] = '\0';
}

struct cred {
	const char *user, *password, *nonce;
	const char *nc; /* "" = no qop */
	const char *method;
	const char *algorithm; /* NULL = not named: MD5 */
	const char *body;      /* not NULL: auth-int over it */
};

static const char *authorization(const struct cred *c)
{
	static char text[1024];
	struct digest_fields f = {.alg = DIGEST_MD5,
				  .method = slice_str(c->method),
				  .uri = slice_str("sip:192.0.2.1"),
				  .nonce = slice_str(c->nonce)};
	struct digest_hex ha1;
	struct digest_hex body;
	struct digest_hex r;
	char qop[128] = "";

	if (c->nc[0] != '\0') {
		f.qop = slice_str(c->body ? "auth-int" : "auth");
		f.nc = slice_str(c->nc);
		f.cnonce = slice_str("0a4f113b");
		(void)snprintf(qop, sizeof(qop),
			       ", qop=%s, nc=%s, cnonce=\"0a4f113b\"",
			       c->body ? "auth-int" : "auth", c->nc);
	}
	if (c->algorithm) {
		size_t n = strlen(qop);

		ck_assert_int_eq(
			digest_alg_find(slice_str(c->algorithm), &f.alg), 0);
		(void)snprintf(qop + n, sizeof(qop) - n, ", algorithm=%s",
			       c->algorithm);
	}
	if (c->body) {
		digest_hash(f.alg, slice_str(c->body), &body);
		f.body_hash = digest_hex_slice(&body);
	}
	ck_assert_int_eq(digest_ha1(f.alg, slice_str(c->user),
				    slice_str(w.config->realm),
				    slice_str(c->password), &ha1),
			 0);
	ck_assert_int_eq(digest_response(digest_hex_slice(&ha1), &f, &r), 0);
	(void)snprintf(text, sizeof(text),
		       "Authorization: Digest username=\"%s\", realm=\"%s\", "
		       "nonce=\"%s\", uri=\"sip:192.0.2.1\", "
		       "response=\"%.*s\"%s\n",
		       c->user, w.config->realm, c->nonce, (int)r.len, r.text,
		       qop);
	return text;
}

/* A challenge is fetched; nonce gets what it says. */
static void fetch_nonce(char nonce[128])
{
	static int branch = 5000;

	udp("REGISTER", "2003", branch++, "");
	answered(&w.udp, "401");
	take_nonce(nonce);
}

/* REGISTER as carol with these credentials, all questions answered. */
static void try_cred(const char *nonce, const char *nc, const char *password,
		     int branch)
{
	struct cred c = {.user = "carol",
			 .password = password,
			 .nonce = nonce,
			 .nc = nc,
			 .method = "REGISTER"};

	udp("REGISTER", "2003", branch, authorization(&c));
	world_settle(&w);
}

START_TEST(without_credentials_a_digest_device_is_challenged)
{
	udp("REGISTER", "2003", 1, "");
	answered(&w.udp, "401");
	ck_assert_ptr_nonnull(
		strstr(w.sent[0].text, "WWW-Authenticate: Digest realm="));
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "qop=\"auth\""));
	ck_assert_ptr_null(strstr(w.sent[0].text, "stale"));
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, ";tag="));
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_CHALLENGE], 1);
	ck_assert_uint_eq(w.store_count, 0);
	udp("INVITE", "2003", 101, "");
	answered(&w.udp, "401");
}
END_TEST

START_TEST(the_right_answer_goes_on)
{
	char nonce[128];

	fetch_nonce(nonce);
	try_cred(nonce, "00000001", "secret", 1);
	went_on("REGISTER ");
	/* Credentials are ours, not the call manager's. */
	ck_assert_ptr_null(strstr(w.sent[0].text, "Authorization"));
}
END_TEST

START_TEST(the_best_algorithm_is_offered_first_and_each_may_be_used)
{
	const char *text;
	const char *at[3];
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER",
			 .algorithm = "SHA-512-256"};

	udp("REGISTER", "2003", 4000, "");
	answered(&w.udp, "401");
	text = w.sent[0].text;
	at[0] = strstr(text, "algorithm=SHA-512-256");
	at[1] = strstr(text, "algorithm=SHA-256");
	at[2] = strstr(text, "algorithm=MD5");
	ck_assert(at[0] && at[1] && at[2] && at[0] < at[1] && at[1] < at[2]);
	take_nonce(nonce);
	udp("REGISTER", "2003", 1, authorization(&c));
	world_settle(&w);
	went_on("REGISTER ");
	/* One nonce, one count of its uses, whatever the algorithm. */
	c.algorithm = "MD5";
	udp("REGISTER", "2003", 2, authorization(&c));
	world_settle(&w);
	answered(&w.udp, "401");
	c.nc = "00000002";
	udp("REGISTER", "2003", 3, authorization(&c));
	world_settle(&w);
	went_on("REGISTER ");
}
END_TEST

/* The device whose line 2003 is, to be given other options. */
static struct config_device *digest_device(void)
{
	for (uint32_t i = 0; i < w.config->device_count; i++)
		if (strcmp(w.config->device[i].digest_user, "carol") == 0)
			return &w.config->device[i];
	ck_abort_msg("no device");
	return NULL;
}

/* RFC 7616 section 3.4.3: what was changed in the body on the way is seen. */
START_TEST(auth_int_protects_the_body)
{
	struct config_device *d = digest_device();
	char nonce[128];
	char extra[2048];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "MESSAGE",
			 .body = "hello\r\n"};
	int n = 1;

	d->qop = (struct config_words){
		.item = {CONFIG_QOP_AUTH_INT, CONFIG_QOP_AUTH}, .count = 2};
	fetch_nonce(nonce);
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "qop=\"auth-int,auth\""));
	try_cred(nonce, "00000009", "secret", n++);
	went_on("REGISTER ");
	world_answer(&w, "200 OK", "");
	for (int i = 0; i < 3; i++) {
		/* As it was, and with a letter changed on the way. */
		(void)snprintf(extra, sizeof(extra),
			       "%sContent-Type: text/plain\n\n%s\n",
			       authorization(&c), i == 1 ? "hullo" : "hello");
		udp("MESSAGE", "2003", 100 + n++, extra);
		world_settle(&w);
		if (i == 1)
			answered(&w.udp, "401");
		else
			went_on("MESSAGE ");
		c.nc = i == 0 ? "00000002" : "00000003";
	}
	/* What is not offered is not taken, but told again. */
	d->qop = (struct config_words){.item = {CONFIG_QOP_AUTH_INT},
				       .count = 1};
	try_cred(nonce, "00000010", "secret", 300);
	answered(&w.udp, "401");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "qop=\"auth-int\""));
	try_cred(nonce, "", "secret", 301);
	answered(&w.udp, "401");
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_CHALLENGE], 3);
}
END_TEST

/* The nonce that the 200 of a REGISTER tells; false: none. */
static bool told_nonce(char nonce[128])
{
	struct slice s;

	world_forget(&w);
	world_answer(&w, "200 OK", "");
	answered(&w.udp, "200");
	if (!strstr(w.sent[0].text, "Authentication-Info: nextnonce=\""))
		return false;
	s = param(w.sent[0].text, "nextnonce=\"");
	memcpy(nonce, s.ptr, s.len);
	nonce[s.len] = '\0';
	return true;
}

/* RFC 7616 section 3.5: told where the old nonce will soon be stale, so that
 * the next request is not challenged; and where configured. */
START_TEST(the_next_nonce_spares_a_challenge)
{
	uint64_t life = (uint64_t)w.config->nonce_lifetime_min * 60000;
	char nonce[128];
	char next[128];

	fetch_nonce(nonce);
	try_cred(nonce, "00000001", "secret", 1);
	ck_assert(!told_nonce(next));
	world_pass(&w, w.now + life / 2);
	try_cred(nonce, "00000002", "secret", 2);
	ck_assert(told_nonce(next));
	world_pass(&w, w.now + life / 2);
	try_cred(nonce, "00000003", "secret", 3);
	answered(&w.udp, "401"); /* stale */
	try_cred(next, "00000001", "secret", 4);
	went_on("REGISTER ");
	ck_assert(told_nonce(nonce));
	digest_device()->nextnonce = CONFIG_NEXTNONCE_NEVER;
	try_cred(nonce, "00000001", "secret", 5);
	ck_assert(!told_nonce(next));
	digest_device()->nextnonce = CONFIG_NEXTNONCE_ALWAYS;
	try_cred(nonce, "00000002", "secret", 6);
	ck_assert(told_nonce(next));
	/* Without qop a nonce is good once. */
	digest_device()->nextnonce = CONFIG_NEXTNONCE_AUTO;
	try_cred(next, "", "secret", 7);
	ck_assert(told_nonce(nonce));
	try_cred(nonce, "", "secret", 8);
	went_on("REGISTER ");
	/* A refusal tells nothing. */
	world_forget(&w);
	world_answer(&w, "403 Forbidden", "");
	answered(&w.udp, "403");
	ck_assert_ptr_null(strstr(w.sent[0].text, "Authentication-Info"));
}
END_TEST

START_TEST(algorithms_are_the_devices_or_its_models_or_everybodys)
{
	static const struct config_digests sha = {
		.item = {DIGEST_SHA512_256, DIGEST_MD5}, .count = 2};
	struct config_device *d = digest_device();
	struct config_model *m = w.config->model;

	d->digests.count = 0;
	udp("REGISTER", "2003", 1, "");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=MD5"));
	ck_assert_ptr_null(strstr(w.sent[0].text, "algorithm=SHA"));
	w.config->digests =
		(struct config_digests){.item = {DIGEST_SHA256}, .count = 1};
	udp("REGISTER", "2003", 2, "");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=SHA-256"));
	ck_assert_ptr_null(strstr(w.sent[0].text, "algorithm=MD5"));
	ck_assert_uint_gt(w.config->model_count, 0);
	m->digests = sha;
	d->model = m->name;
	udp("REGISTER", "2003", 3, "");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=SHA-512-256"));
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=MD5"));
	m->digests.count = 0;
	udp("REGISTER", "2003", 4, "");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=SHA-256"));
}
END_TEST

START_TEST(credentials_that_lack_an_algorithm_are_asked_for_another)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER",
			 .algorithm = "SHA-256"};

	fetch_nonce(nonce);
	udp("REGISTER", "2003", 1, authorization(&c));
	world_settle(&w);
	answered(&w.udp, "401");
	ck_assert_int_eq(w.stop, STOP_CREDENTIAL);
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=MD5"));
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "stale=true"));
	ck_assert_ptr_null(strstr(w.sent[0].text, "algorithm=SHA-256"));
}
END_TEST

START_TEST(a_wrong_password_is_challenged_anew_and_counted)
{
	char nonce[128];

	fetch_nonce(nonce);
	try_cred(nonce, "00000001", "Secret", 1);
	answered(&w.udp, "401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
	/* It did not use up the count. */
	try_cred(nonce, "00000001", "secret", 2);
	went_on("REGISTER ");
}
END_TEST

START_TEST(a_stale_nonce_is_told_so)
{
	char nonce[128];

	fetch_nonce(nonce);
	world_pass(&w, w.now + (uint64_t)w.config->nonce_lifetime_min * 60000 +
			       1000);
	try_cred(nonce, "00000001", "secret", 1);
	answered(&w.udp, "401");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "stale=true"));
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_PASSWORD], 0);
}
END_TEST

START_TEST(a_forged_nonce_is_refused_without_asking_anybody)
{
	struct cred c = {
		.user = "carol",
		.password = "secret",
		.nonce = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		.nc = "00000001",
		.method = "REGISTER"};

	udp("REGISTER", "2003", 1, authorization(&c));
	answered(&w.udp, "401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
	ck_assert_ptr_null(strstr(w.sent[0].text, "stale"));
	ck_assert_uint_eq(w.store_count, 0);
}
END_TEST

START_TEST(a_nonce_count_is_good_once_in_any_order)
{
	static const struct {
		const char *nc;
		bool is_good;
	} rows_[] = {
		{"00000003", true},  {"00000001", true},  {"00000003", false},
		{"00000002", true},  {"00000002", false}, {"00000100", true},
		{"00000004", false}, /* older than the window of 64 */
		{"00000101", true},
	};
	char nonce[128];

	fetch_nonce(nonce);
	for (int i = 0; i < ROWS(rows_); i++) {
		try_cred(nonce, rows_[i].nc, "secret", 10 + i);
		if (rows_[i].is_good)
			went_on("REGISTER ");
		else
			answered(&w.udp, "401");
	}
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_PASSWORD], 3);
}
END_TEST

START_TEST(without_qop_a_nonce_is_good_once_then_stale)
{
	char nonce[128];

	fetch_nonce(nonce);
	try_cred(nonce, "", "secret", 1);
	went_on("REGISTER ");
	try_cred(nonce, "", "secret", 2);
	answered(&w.udp, "401");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "stale=true"));
}
END_TEST

START_TEST(credentials_for_another_method_are_wrong)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	udp("INVITE", "2003", 101, authorization(&c));
	world_settle(&w);
	answered(&w.udp, "401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
}
END_TEST

START_TEST(a_digest_user_is_good_for_its_own_lines_only)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	udp("REGISTER", "2033", 1, authorization(&c));
	world_settle(&w);
	went_on("REGISTER ");
	/* An encrypted device's line, with a password that is right. */
	c.nc = "00000002";
	udp("REGISTER", "2001", 2, authorization(&c));
	world_settle(&w);
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_MODE);
}
END_TEST

START_TEST(credentials_that_are_not_stored_give_403)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	udp("REGISTER", "2003", 1, authorization(&c));
	ck_assert_uint_eq(w.store_count, 1);
	ck_assert_str_eq(w.store[0].user, "carol");
	world_store(&w, ERR_NOTFOUND);
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_CREDENTIAL);
	ck_assert_uint_eq(pipeline_deadline(w.pipeline), UINT64_MAX);
}
END_TEST

/* ---- scanners -------------------------------------------------------------- */

static void scan(const char *method, const char *user, int branch,
		 const char *extra)
{
	world_forget(&w);
	world_say(&w, &w.hiding, SIDE_PHONE, NULL,
		  request(method, user, branch, extra));
}

static const char *const names[] = {
	"2003", /* asks for a password */
	"2001", /* must come by TLS */
	"2004", /* the same, without encryption */
	"4711", /* is nobody's */
};

static const char *const scan_methods[] = {"REGISTER", "INVITE", "OPTIONS",
					   "SUBSCRIBE", "MESSAGE"};

START_TEST(who_tries_out_lines_finds_no_difference)
{
	const char *method = scan_methods[_i];
	char wrong[512];

	for (int i = 0; i < ROWS(names); i++) {
		scan(method, names[i], 10 + i, "");
		ck_assert_uint_eq(w.sent_count, 1);
		ck_assert_ptr_nonnull(
			strstr(w.sent[0].text, "SIP/2.0 401 Unauthorized"));
		ck_assert_ptr_null(strstr(w.sent[0].text, "Warning"));
		ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=MD5"));
		(void)snprintf(wrong, sizeof(wrong),
			       "Authorization: Digest username=\"%s\", "
			       "realm=\"sallyport\", nonce=\"x\", "
			       "uri=\"sip:x\", response=\"0\"\n",
			       names[i]);
		scan(method, names[i], 20 + i, wrong);
		ck_assert_ptr_nonnull(
			strstr(w.sent[0].text, "SIP/2.0 401 Unauthorized"));
	}
	ck_assert_uint_gt(pipeline_stops(w.pipeline)[STOP_DEVICE], 0);
	ck_assert_uint_gt(pipeline_stops(w.pipeline)[STOP_MODE], 0);
}
END_TEST

START_TEST(a_scanner_is_answered_slowly_and_listed)
{
	uint32_t answers = 0, pos = 0;
	struct stranger s;

	for (int i = 0; i < 100; i++) {
		scan("REGISTER", "4711", i + 1, "User-Agent: friendly\n");
		answers += w.sent_count;
		world_pass(&w, w.now + 100);
	}
	ck_assert_uint_ge(answers, 20);
	ck_assert_uint_le(answers, 40);
	ck_assert(strangers_next(pipeline_strangers(w.pipeline), &pos, &s));
	ck_assert_uint_eq(s.count, 100);
	ck_assert(slice_eqs(s.agent, "friendly"));
	/* Others are not the slower for it. */
	w.hiding.peer.ip[3]++;
	scan("REGISTER", "4711", 1, "");
	ck_assert_uint_eq(w.sent_count, 1);
}
END_TEST

/* ---- may he? ------------------------------------------------------------- */

/* A request of line 2002 about number. */
static void ask_about(const char *method, const char *number, const char *extra)
{
	static char text[TEXT_MAX];
	static int branch = 5000;
	int n = snprintf(text, sizeof(text),
			 "%s sip:%s@192.0.2.1 SIP/2.0\n"
			 "Via: SIP/2.0/UDP 198.51.100.7:5060;"
			 "branch=z9hG4bK%d;rport\n"
			 "Max-Forwards: 70\n"
			 "From: <sip:2002@192.0.2.1>;tag=a\n"
			 "To: <sip:%s@192.0.2.1>\n"
			 "Call-ID: call-%d\n"
			 "CSeq: 1 %s\n"
			 "Contact: <sip:2002@198.51.100.7:5060>\n"
			 "%s",
			 method, number, branch, number, branch, method, extra);

	branch++;
	ck_assert(n > 0 && n < TEXT_MAX);
	world_forget(&w);
	world_say(&w, &w.udp, SIDE_PHONE, NULL, text);
}

START_TEST(calling_rights_and_presence_groups_are_asked)
{
	udp("REGISTER", "2002", 6999, "");
	world_answer(&w, "200 OK", "");
	ask_about("INVITE", "09001234", "");
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_RIGHTS);
	ck_assert_str_eq(w.why, "calling-rights \"guard\" rule 1");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "Warning: 399"));
	/* How the house is arranged is nobody else's business. */
	ck_assert_ptr_null(strstr(w.sent[0].text, "guard"));
	ask_about("SUBSCRIBE", "2001", "Event: presence\n");
	went_on("SUBSCRIBE ");
	ask_about("SUBSCRIBE", "2002", "Event: dialog\n");
	went_on("SUBSCRIBE ");
	/* 2003 is of the default group, too, but may not watch this one. */
	world_forget(&w);
	world_say(&w, &w.phone.dest, SIDE_PHONE, &w.phone,
		  "SUBSCRIBE sip:2002@192.0.2.1 SIP/2.0\n"
		  "Via: SIP/2.0/TLS 198.51.100.7:5060;branch=z9hG4bKs\n"
		  "Max-Forwards: 70\n"
		  "From: <sip:2001@192.0.2.1>;tag=a\n"
		  "To: <sip:2002@192.0.2.1>\n"
		  "Call-ID: sub\nCSeq: 1 SUBSCRIBE\n"
		  "Contact: <sip:2001@198.51.100.7:5060>\n"
		  "Event: presence\n");
	answered(&w.phone.dest, "403");
	ck_assert_int_eq(w.stop, STOP_PRESENCE);
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_PRESENCE], 1);
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_RIGHTS], 1);
}
END_TEST

/* The value behind mark in text, up to end, into buf. */
static const char *between(const char *text, const char *mark, const char *end,
			   char *buf, size_t cap)
{
	const char *from = strstr(text, mark);
	size_t n;

	ck_assert_ptr_nonnull(from);
	from += strlen(mark);
	n = strcspn(from, end);
	ck_assert_uint_lt(n, cap);
	memcpy(buf, from, n);
	buf[n] = '\0';
	return buf;
}

/* The call manager calls 2002, which sends the caller on to number. What the
 * call manager hears, its last message, is left in *ret. */
static void forward_to(const char *number, int call, const char **ret)
{
	char uri[256], via[256], from[256], to[256], id[256];
	static char text[TEXT_MAX];
	int n;

	udp("REGISTER", "2002", 7000 + call, "");
	world_answer(&w, "200 OK", "");
	between(w.asked, "Contact: <", ">", uri, sizeof(uri));
	n = snprintf(text, sizeof(text),
		     "INVITE %s SIP/2.0\n"
		     "Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKf%d\n"
		     "Max-Forwards: 70\n"
		     "From: <sip:5551@10.0.0.2>;tag=c\n"
		     "To: <sip:2002@10.0.0.2>\n"
		     "Call-ID: in-%d\nCSeq: 1 INVITE\n"
		     "Contact: <sip:10.0.0.2:5060>\n",
		     uri, call, call);
	ck_assert(n > 0 && n < TEXT_MAX);
	world_forget(&w);
	world_say(&w, &w.core, SIDE_CORE, NULL, text);
	n = (int)w.sent_count - 1;
	while (n >= 0 && strncmp(w.sent[n].text, "INVITE", 6) != 0)
		n--;
	ck_assert_int_ge(n, 0);
	between(w.sent[n].text, "Via: ", "\r", via, sizeof(via));
	between(w.sent[n].text, "From: ", "\r", from, sizeof(from));
	between(w.sent[n].text, "To: ", "\r", to, sizeof(to));
	between(w.sent[n].text, "Call-ID: ", "\r", id, sizeof(id));
	n = snprintf(text, sizeof(text),
		     "SIP/2.0 302 Moved\nVia: %s\nFrom: %s\nTo: %s;tag=p\n"
		     "Call-ID: %s\nCSeq: 1 INVITE\n"
		     "Contact: <sip:%s@192.0.2.1>\n",
		     via, from, to, id, number);
	ck_assert(n > 0 && n < TEXT_MAX);
	world_forget(&w);
	world_say(&w, &w.udp, SIDE_PHONE, NULL, text);
	*ret = NULL;
	for (uint32_t i = 0; i < w.sent_count; i++)
		if (dest_eq(&w.sent[i].to, &w.core))
			*ret = w.sent[i].text;
	ck_assert_ptr_nonnull(*ret);
}

START_TEST(a_forward_to_the_outside_becomes_a_refusal)
{
	const char *text;

	forward_to("2001", 1, &text);
	ck_assert_msg(strncmp(text, "SIP/2.0 302 ", 12) == 0, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "sip:2001@"));
	forward_to("5552", 2, &text);
	ck_assert_msg(strncmp(text, "SIP/2.0 403 ", 12) == 0, "%s", text);
	ck_assert_ptr_null(strstr(text, "5552"));
	ck_assert_int_eq(w.stop, STOP_RIGHTS);
	ck_assert_str_eq(w.why, "calling-rights \"guard\" rule 2");
}
END_TEST

/* 2002 calls number, which answers: what names the dialog, as the phone has it,
 * into ids. */
static void call_up(const char *number, char *ids, size_t cap)
{
	char id[128], tag[128];
	const char *text = NULL;

	ask_about("INVITE", number, "");
	between(w.sent[0].text, "Call-ID: ", "\r", id, sizeof(id));
	world_media(&w, 0);
	world_forget(&w);
	world_answer(&w, "200 OK",
		     "v=0\no=- 1 1 IN IP4 10.0.0.2\ns=-\n"
		     "c=IN IP4 10.0.0.2\nt=0 0\nm=audio 4000 RTP/AVP 0\n");
	world_media(&w, 0);
	for (uint32_t i = 0; i < w.sent_count; i++)
		if (dest_eq(&w.sent[i].to, &w.udp))
			text = w.sent[i].text;
	ck_assert_ptr_nonnull(text);
	ck_assert_msg(strncmp(text, "SIP/2.0 200", 11) == 0, "%s", text);
	between(strstr(text, "To: "), ";tag=", "\r;>", tag, sizeof(tag));
	(void)snprintf(ids, cap,
		       "<callid>%s</callid><localtag>a</localtag>"
		       "<remotetag>%s</remotetag>",
		       id, tag);
}

/* As Cisco's phones complete a transfer: the same rule as for Refer-To. */
START_TEST(a_transfer_by_remotecc_needs_its_right)
{
	char out1[512], out2[512], in1[512];
	char body[2048];
	const char *const target[] = {out2, in1};

	udp("REGISTER", "2002", 6999, "");
	world_answer(&w, "200 OK", "");
	call_up("5551", out1, sizeof(out1));
	call_up("5552", out2, sizeof(out2));
	call_up("2001", in1, sizeof(in1));
	for (int i = 0; i < 2; i++) {
		(void)snprintf(body, sizeof(body),
			       "Refer-To: <cid:1@192.0.2.1>\n"
			       "Content-Type: "
			       "application/x-cisco-remotecc-request+xml\n\n"
			       "<x-cisco-remotecc-request><softkeyeventmsg>"
			       "<softkeyevent>Transfer</softkeyevent>"
			       "<dialogid>%s</dialogid>"
			       "<consultdialogid>%s</consultdialogid>"
			       "</softkeyeventmsg></x-cisco-remotecc-request>",
			       out1, target[i]);
		ask_about("REFER", "2002", body);
		if (i == 1) {
			went_on("REFER ");
			continue;
		}
		answered(&w.udp, "403");
		ck_assert_int_eq(w.stop, STOP_RIGHTS);
		ck_assert_str_eq(w.why, "calling-rights \"guard\" rule 3");
	}
}
END_TEST

/* One request with good credentials that is under way to the store. */
static void park_one(int branch)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	udp("REGISTER", "2003", branch, authorization(&c));
	ck_assert_uint_eq(w.sent_count, 0);
	ck_assert_uint_eq(w.store_count, 1);
}

START_TEST(a_silent_store_gives_503_after_three_seconds)
{
	park_one(1);
	world_pass(&w, w.now + PIPELINE_PARK_MS - 1);
	ck_assert_uint_eq(w.sent_count, 0);
	world_pass(&w, w.now + 1);
	answered(&w.udp, "503");
	ck_assert_int_eq(w.stop, STOP_BUSY);
	/* Its answer comes too late and finds nobody. */
	world_forget(&w);
	world_store(&w, 0);
	ck_assert_uint_eq(w.keys_count, 0);
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

START_TEST(a_silent_keys_process_gives_503_as_well)
{
	park_one(1);
	world_store(&w, 0);
	ck_assert_uint_eq(w.keys_count, 1);
	world_pass(&w, w.now + PIPELINE_PARK_MS);
	answered(&w.udp, "503");
	world_forget(&w);
	world_keys(&w, 0);
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

START_TEST(processes_that_fail_give_503_at_once)
{
	static const struct {
		int store_ask, store, keys_ask, keys;
	} rows_[] = {
		{ERR_CLOSED, 0, 0, 0},	    {0, ERR_IO, 0, 0},
		{0, 0, ERR_CLOSED, 0},	    {0, 0, 0, ERR_TIMEOUT},
		{0, 0, 0, ERR_UNSUPPORTED},
	};
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	w.store_err = rows_[_i].store_ask;
	w.keys_err = rows_[_i].keys_ask;
	udp("REGISTER", "2003", 1, authorization(&c));
	world_store(&w, rows_[_i].store);
	world_keys(&w, rows_[_i].keys);
	answered(&w.udp, "503");
	ck_assert_int_eq(w.stop, STOP_BUSY);
	ck_assert_uint_eq(pipeline_deadline(w.pipeline), UINT64_MAX);
}
END_TEST

START_TEST(a_retransmission_of_what_is_parked_is_absorbed)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};
	const char *text;

	fetch_nonce(nonce);
	text = authorization(&c);
	udp("REGISTER", "2003", 1, text);
	udp("REGISTER", "2003", 1, text);
	udp("REGISTER", "2003", 1, text);
	ck_assert_uint_eq(w.store_count, 1);
	world_settle(&w);
	went_on("REGISTER ");
	/* And afterwards the transaction absorbs it. */
	udp("REGISTER", "2003", 1, text);
	ck_assert_uint_eq(w.sent_count, 0);
	ck_assert_uint_eq(w.store_count, 0);
	ck_assert_int_eq(w.stop, STOP_NONE);
}
END_TEST

START_TEST(a_connection_that_goes_takes_its_parked_requests_along)
{
	struct conn c = w.phone;
	char nonce[128];
	struct cred cred = {.user = "carol",
			    .password = "secret",
			    .nonce = nonce,
			    .nc = "00000001",
			    .method = "REGISTER"};

	c.device = NULL;
	c.sig = SIG_NONSECURE;
	c.dest.is_tls = false;
	fetch_nonce(nonce);
	world_forget(&w);
	world_say(&w, &c.dest, SIDE_PHONE, &c,
		  request("REGISTER", "2003", 1, authorization(&cred)));
	ck_assert_uint_eq(w.store_count, 1);
	pipeline_conn_down(w.pipeline, c.ep, w.now);
	world_settle(&w);
	ck_assert_uint_eq(w.keys_count, 0);
	ck_assert_uint_eq(w.sent_count, 0);
	ck_assert_uint_eq(pipeline_deadline(w.pipeline), UINT64_MAX);
}
END_TEST

START_TEST(requests_that_wait_are_limited)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	for (int i = 0; i < PIPELINE_PARKED_MAX + 1; i++) {
		/* From many sources: no rate limit is in the way. */
		w.udp.peer.ip[3] = (uint8_t)(i & 0xff);
		udp("REGISTER", "2003", i + 1, authorization(&c));
		if (i < PIPELINE_PARKED_MAX)
			ck_assert_uint_eq(w.sent_count, 0);
	}
	answered(&w.udp, "503");
	ck_assert_int_eq(w.stop, STOP_BUSY);
	ck_assert_uint_eq(w.store_count, PIPELINE_PARKED_MAX);
}
END_TEST

START_TEST(ack_and_responses_are_never_challenged)
{
	udp("ACK", "2003", 1, "");
	ck_assert_uint_eq(w.sent_count, 0);
	world_forget(&w);
	world_say(&w, &w.udp, SIDE_PHONE, NULL,
		  "SIP/2.0 200 OK\n"
		  "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\n"
		  "From: <sip:2003@192.0.2.1>;tag=a\n"
		  "To: <sip:2003@192.0.2.1>;tag=b\n"
		  "Call-ID: 1\n"
		  "CSeq: 1 INVITE\n");
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

/* ---- keep-alive ------------------------------------------------------------- */

/* A REGISTER of 2003 over UDP with these Contact and Expires lines. */
static void heartbeat(const char *lines)
{
	char text[2048];
	static int branch = 7000;

	(void)snprintf(text, sizeof(text),
		       "REGISTER sip:192.0.2.1 SIP/2.0\n"
		       "Via: SIP/2.0/UDP 198.51.100.7:5060;"
		       "branch=z9hG4bK%d;rport\n"
		       "Max-Forwards: 70\n"
		       "From: <sip:2003@192.0.2.1>;tag=a\n"
		       "To: <sip:2003@192.0.2.1>\n"
		       "Call-ID: heartbeat\n"
		       "CSeq: %d REGISTER\n%s",
		       branch, branch, lines);
	branch++;
	world_forget(&w);
	world_say(&w, &w.udp, SIDE_PHONE, NULL, text);
}

START_TEST(the_heartbeat_of_a_cisco_phone_is_answered_without_a_challenge)
{
	heartbeat("Contact: <sip:2003@198.51.100.7:5060;transport=udp>;"
		  "+sip.instance=\"<urn:uuid:1>\";cisco-keep-alive\n"
		  "Expires: 0\n");
	answered(&w.udp, "200");
	/* Whoever sends it has not proven who he is: he learns nothing. */
	ck_assert_ptr_null(strstr(w.sent[0].text, "Contact:"));
}
END_TEST

/* Whatever is not exactly the heartbeat could change a registration. */
START_TEST(what_only_looks_like_a_heartbeat_is_challenged)
{
	static const char *const lines[] = {
		"Contact: <sip:2003@203.0.113.9>;x=cisco-keep-alive\n"
		"Expires: 0\n",
		"Contact: <sip:cisco-keep-alive@203.0.113.9>\nExpires: 0\n",
		"Contact: <sip:2003@203.0.113.9>;cisco-keep-alive;expires=60\n"
		"Expires: 0\n",
		"Contact: <sip:2003@203.0.113.9>;expires=60;"
		"x=cisco-keep-alive\nExpires: 0\n",
		"Contact: *;x=cisco-keep-alive\nExpires: 0\n",
		"Contact: *;cisco-keep-alive\nExpires: 0\n",
		"Contact: <sip:2003@a>;cisco-keep-alive, <sip:2003@b>\n"
		"Expires: 0\n",
		"Contact: <sip:2003@a>;cisco-keep-alive\n"
		"Contact: <sip:2003@b>;expires=60\nExpires: 0\n",
		"Contact: <sip:2003@a>;cisco-keep-alive\nExpires: 60\n",
		"Contact: <sip:2003@a>;cisco-keep-alive\n",
	};

	heartbeat(lines[_i]);
	answered(&w.udp, "401");
}
END_TEST

START_TEST(a_heartbeat_leaves_a_registration_alone)
{
	char nonce[128];
	uint32_t calls, bindings, txns;

	fetch_nonce(nonce);
	try_cred(nonce, "00000001", "secret", 1);
	went_on("REGISTER ");
	world_forget(&w);
	world_answer(&w, "200 OK", "");
	answered(&w.udp, "200");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "Contact:"));
	heartbeat("Contact: <sip:2003@198.51.100.7:5060>;cisco-keep-alive\n"
		  "Expires: 0\n");
	answered(&w.udp, "200");
	ck_assert_ptr_null(strstr(w.sent[0].text, "Contact:"));
	calls_counts(w.calls, &calls, &bindings, &txns);
	ck_assert_uint_eq(bindings, 1);
}
END_TEST

/* ---- flows and events --------------------------------------------------------- */

START_TEST(dropping_an_unknown_call_does_nothing)
{
	struct event ev = {.kind = EVENT_CALL_DROP, .call = 12345};

	pipeline_event(w.pipeline, &ev, w.now);
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

static void a_life(void *arg)
{
	(void)arg;
	for (int i = 0; i < 4; i++)
		udp("REGISTER", "2002", i + 1, "");
	tls("REGISTER", "2001", 9);
	pipeline_conn_down(w.pipeline, w.phone.ep, w.now);
}

START_TEST(nothing_is_left_when_a_pipeline_is_freed_with_work_in_it)
{
	a_life(NULL);
	park_one(77);
}
END_TEST

/* Keepalives of one connection at one moment, until it is over its rate. */
static int say_alive(uint32_t connection, int most)
{
	/* length 4, header version 0, KeepAlive */
	static const uint8_t bytes[12] = {4};
	struct event ev = {.kind = EVENT_SCCP};
	struct sccp_pdu pdu;
	struct sccp_msg m;
	int n = 0;

	ck_assert_int_eq(sccp_frame(slice_make(bytes, sizeof(bytes)),
				    SCCP_PDU_MAX, &pdu),
			 0);
	sccp_msg_parse(&pdu, &m);
	ev.sccp = (struct event_sccp){.msg = &m, .side = SIDE_PHONE};
	ev.sccp.from = w.phone.dest;
	ev.sccp.from.ep.index = connection;
	while (n < most && pipeline_sccp(w.pipeline, &ev, w.now) == 0)
		n++;
	return n;
}

/* Phones behind one address do not use up each other's rate, and nothing is
 * dropped from the middle of a stream: the connection ends. */
START_TEST(a_skinny_connection_has_a_rate_of_its_own)
{
	ck_assert_int_eq(say_alive(50, 1000), 200);
	ck_assert_int_eq(say_alive(50, 1000), 0);
	ck_assert_int_eq(say_alive(51, 1000), 200);
}
END_TEST

static TCase *sources(void)
{
	TCase *t = tcase_create("who speaks");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_skinny_connection_has_a_rate_of_its_own);
	tcase_add_test(t, an_unknown_line_over_udp_gets_403);
	tcase_add_test(t, the_answer_names_and_takes_the_port_we_saw);
	tcase_add_loop_test(t, a_device_that_must_use_tls_gets_403_over_udp, 0,
			    2);
	tcase_add_test(
		t,
		an_encrypted_device_gets_403_over_a_suite_without_encryption);
	tcase_add_test(t, a_nonsecure_device_goes_through_by_its_line);
	tcase_add_test(
		t, in_a_nonsecure_cluster_modes_do_not_count_but_digest_does);
	tcase_add_test(t, a_certificate_names_the_device);
	tcase_add_loop_test(t, a_foreign_line_gets_403, 0, METHODS);
	tcase_add_loop_test(t, every_method_of_an_unknown_device_gets_403, 0,
			    METHODS);
	tcase_add_loop_test(t, every_method_of_a_digest_device_is_challenged, 0,
			    METHODS);
	tcase_add_loop_test(t, every_method_in_a_dialog_is_challenged, 0,
			    METHODS);
	tcase_add_loop_test(t, every_method_of_a_stranger_inside_is_dropped, 0,
			    METHODS);
	tcase_add_loop_test(
		t,
		who_is_not_registered_may_not_subscribe_publish_refer_or_write,
		0, 4);
	tcase_add_test(t, registering_for_somebody_else_gets_403);
	tcase_add_loop_test(t, a_message_in_an_unknown_dialog_goes_nowhere, 0,
			    10);
	tcase_add_test(t,
		       a_malformed_request_gets_400_where_it_can_be_answered);
	tcase_add_test(t, what_is_no_sip_is_not_answered);
	tcase_add_test(
		t, a_stranger_on_the_core_side_is_dropped_without_an_answer);
	tcase_add_test(t,
		       the_call_manager_is_known_by_its_address_not_its_port);
	tcase_add_test(t, a_flood_over_udp_is_dropped_over_tls_told_503);
	tcase_add_test(t, the_call_manager_is_not_limited);
	tcase_add_test(t, dropping_an_unknown_call_does_nothing);
	tcase_add_test(
		t, nothing_is_left_when_a_pipeline_is_freed_with_work_in_it);
	return t;
}

static TCase *scanners(void)
{
	TCase *tc = tcase_create("scanners");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, who_tries_out_lines_finds_no_difference, 0,
			    ROWS(scan_methods));
	tcase_add_test(tc, a_scanner_is_answered_slowly_and_listed);
	return tc;
}

static TCase *rights(void)
{
	TCase *tc = tcase_create("rights");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, calling_rights_and_presence_groups_are_asked);
	tcase_add_test(tc, a_forward_to_the_outside_becomes_a_refusal);
	tcase_add_test(tc, a_transfer_by_remotecc_needs_its_right);
	return tc;
}

static TCase *digest(void)
{
	TCase *t = tcase_create("digest");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, without_credentials_a_digest_device_is_challenged);
	tcase_add_test(t, the_right_answer_goes_on);
	tcase_add_test(
		t, the_best_algorithm_is_offered_first_and_each_may_be_used);
	tcase_add_test(
		t, credentials_that_lack_an_algorithm_are_asked_for_another);
	tcase_add_test(t, a_wrong_password_is_challenged_anew_and_counted);
	tcase_add_test(t, a_stale_nonce_is_told_so);
	tcase_add_test(t, auth_int_protects_the_body);
	tcase_add_test(t, the_next_nonce_spares_a_challenge);
	tcase_add_test(t,
		       algorithms_are_the_devices_or_its_models_or_everybodys);
	tcase_add_test(t, a_forged_nonce_is_refused_without_asking_anybody);
	tcase_add_test(t, a_nonce_count_is_good_once_in_any_order);
	tcase_add_test(t, without_qop_a_nonce_is_good_once_then_stale);
	tcase_add_test(t, credentials_for_another_method_are_wrong);
	tcase_add_test(t, a_digest_user_is_good_for_its_own_lines_only);
	tcase_add_test(t, credentials_that_are_not_stored_give_403);
	tcase_add_test(t, a_silent_store_gives_503_after_three_seconds);
	tcase_add_test(t, a_silent_keys_process_gives_503_as_well);
	tcase_add_loop_test(t, processes_that_fail_give_503_at_once, 0, 5);
	tcase_add_test(t, a_retransmission_of_what_is_parked_is_absorbed);
	tcase_add_test(t,
		       a_connection_that_goes_takes_its_parked_requests_along);
	tcase_add_test(t, requests_that_wait_are_limited);
	tcase_add_test(t, ack_and_responses_are_never_challenged);
	tcase_add_test(
		t,
		the_heartbeat_of_a_cisco_phone_is_answered_without_a_challenge);
	tcase_add_loop_test(t, what_only_looks_like_a_heartbeat_is_challenged,
			    0, 10);
	tcase_add_test(t, a_heartbeat_leaves_a_registration_alone);
	return t;
}

int main(void)
{
	Suite *s = suite_create("proxy/pipeline");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, sources());
	suite_add_tcase(s, digest());
	suite_add_tcase(s, rights());
	suite_add_tcase(s, scanners());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
