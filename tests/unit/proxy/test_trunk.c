/*
 * Trunks in virtual time: calls and other requests both ways through the whole
 * pipeline, failover between peers, limits, digest, and who is nobody
 * (unit/proxy/world.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/run.h"
#include "unit/proxy/world.h"

static struct world w;
static int branch;

static void setup(void)
{
	world_init(&w);
	branch = 0;
}

static void teardown(void)
{
	world_done(&w);
}

/* ---- messages ------------------------------------------------------------ */

enum { TEXT_MAX = 2048 };

/* A request with a transaction of its own. host: where it goes; who: its
 * sender's host. */
static void say(const struct dest *from, enum side side, const char *method,
		const char *ruri, const char *extra)
{
	char text[TEXT_MAX];
	char peer[ADDR_STR_MAX];
	int n;

	(void)addr_str(&from->peer, peer);
	branch++;
	n = snprintf(text, sizeof(text),
		     "%s %s SIP/2.0\n"
		     "Via: SIP/2.0/UDP %s;branch=z9hG4bKt%d\n"
		     "Max-Forwards: 70\n"
		     "From: <sip:4711@%s>;tag=t%d\n"
		     "To: <%s>\n"
		     "Call-ID: trunk-%d\n"
		     "CSeq: %d %s\n"
		     "Contact: <sip:4711@%s>\n"
		     "%s",
		     method, ruri, peer, branch, peer, branch, ruri, branch,
		     branch, method, peer, extra);
	ck_assert(n > 0 && n < TEXT_MAX);
	world_forget(&w);
	world_say(&w, from, side, NULL, text);
}

static void from_peer(const char *method, const char *user, const char *extra)
{
	char ruri[64];

	(void)snprintf(ruri, sizeof(ruri), "sip:%s%s192.0.2.1:5070", user,
		       user[0] ? "@" : "");
	say(&w.carrier[0], SIDE_PHONE, method, ruri, extra);
}

static void from_core(const char *method, const char *user, const char *extra)
{
	char ruri[64];

	(void)snprintf(ruri, sizeof(ruri), "sip:%s%s10.0.0.1:5080", user,
		       user[0] ? "@" : "");
	say(&w.core_trunk, SIDE_CORE, method, ruri, extra);
}

/* The last message that left begins like this and went there. */
static const char *sent(const struct dest *to, const char *start)
{
	const struct world_sent *s;

	ck_assert_msg(w.sent_count > 0, "nothing was sent, stop %s: %s",
		      pipeline_stop_str(w.stop), w.why);
	s = &w.sent[w.sent_count - 1];
	ck_assert_msg(strncmp(s->text, start, strlen(start)) == 0, "%s",
		      s->text);
	ck_assert_msg(dest_eq(&s->to, to), "%s", s->text);
	return s->text;
}

static void has(const char *text, const char *what)
{
	ck_assert_msg(strstr(text, what) != NULL, "\"%s\" is not in:\n%s", what,
		      text);
}

static void has_not(const char *text, const char *what)
{
	ck_assert_msg(strstr(text, what) == NULL, "\"%s\" is in:\n%s", what,
		      text);
}

static const char *credentials(const char *user, const char *password,
			       const char *method, const char *uri,
			       const char *nc);
static void asked(const char *method, const char *extra);

static const char event[] = "Event: presence\n";
static const char refer[] = "Refer-To: <sip:5@192.0.2.1>\n";
static const char state[] = "Event: message-summary\n"
			    "Subscription-State: active\n";

/* ---- from outside --------------------------------------------------------- */

START_TEST(a_trunks_call_goes_to_its_call_manager)
{
	const char *text;

	from_peer("INVITE", "1001", "");
	text = sent(&w.core_trunk, "INVITE sip:1001@10.0.0.2 SIP/2.0");
	has(text, "To: <sip:1001@10.0.0.2");
	has(text, "From: <sip:4711@10.0.0.1");
	has_not(text, "203.0.113.1");
	w.answerer = &w.core_trunk;
	memcpy(w.asked, text, strlen(text) + 1);
	world_answer(&w, "486 Busy Here", "");
	text = sent(&w.carrier[0], "SIP/2.0 486");
	has_not(text, "10.0.0.");
}
END_TEST

static const struct {
	const char *method;
	const char *extra;
} others[] = {
	{"SUBSCRIBE", event}, {"REFER", refer},	  {"NOTIFY", state},
	{"MESSAGE", ""},      {"PUBLISH", event}, {"OPTIONS", ""},
};

START_TEST(a_trunks_other_requests_go_inside)
{
	from_peer(others[_i].method, "1001", others[_i].extra);
	has(sent(&w.core_trunk, others[_i].method), " sip:1001@10.0.0.2 ");
}
END_TEST

START_TEST(requests_of_call_managers_go_to_the_trunk)
{
	const char *text;

	from_core(others[_i].method, "5551", others[_i].extra);
	text = sent(&w.carrier[0], others[_i].method);
	has(text, " sip:5551@203.0.113.1 ");
	has_not(text, "10.0.0.");
	w.answerer = &w.carrier[0];
	memcpy(w.asked, text, strlen(text) + 1);
	world_answer(&w, "480 Gone", "");
	sent(&w.core_trunk, "SIP/2.0 480");
}
END_TEST

/* RFC 3325: only whoever is trusted asserts identities. */
START_TEST(asserted_identities_pass_where_the_profile_trusts)
{
	static const char pai[] =
		"P-Asserted-Identity: <sip:+49301@carrier.example>\n";
	char extra[TEXT_MAX];

	from_peer(_i == 0 ? "INVITE" : "MESSAGE", "1001", pai);
	has(sent(&w.core_trunk, _i == 0 ? "INVITE" : "MESSAGE"),
	    "P-Asserted-Identity: <sip:+49301@carrier.example>");
	asked("MESSAGE", pai);
	(void)snprintf(extra, sizeof(extra), "%s%s", pai,
		       credentials("app", "secret", "MESSAGE",
				   "sip:1@192.0.2.1", "00000001"));
	asked("MESSAGE", extra);
	world_settle(&w);
	has_not(sent(&w.core, "MESSAGE"), "P-Asserted-Identity");
}
END_TEST

START_TEST(a_trunk_registers_nothing)
{
	from_peer("REGISTER", "", "");
	sent(&w.carrier[0], "SIP/2.0 405");
}
END_TEST

START_TEST(that_we_are_there_is_said_by_ourselves)
{
	from_peer("OPTIONS", "", "");
	sent(&w.carrier[0], "SIP/2.0 200");
	from_core("OPTIONS", "", "");
	sent(&w.core_trunk, "SIP/2.0 200");
}
END_TEST

/* ---- from inside ---------------------------------------------------------- */

START_TEST(a_call_managers_call_goes_to_the_trunk)
{
	const char *text;

	from_core("INVITE", "+4930123", "");
	text = sent(&w.carrier[0], "INVITE sip:+4930123@203.0.113.1 SIP/2.0");
	has(text, "To: <sip:+4930123@203.0.113.1");
	has_not(text, "10.0.0.");
	has_not(text, "Call-Info");
	has(text, "Contact: <sip:");
	has(text, "@192.0.2.1:5070");
}
END_TEST

START_TEST(a_host_of_the_uri_names_a_trunk)
{
	say(&w.core, SIDE_CORE, "INVITE", "sip:5@named.example", "");
	has(sent(&w.named, "INVITE"), "INVITE sip:5@named.example SIP/2.0");
	/* Others are phones' tokens, or nobody. */
	say(&w.core, SIDE_CORE, "INVITE", "sip:5@10.0.0.1:5070", "");
	sent(&w.core, "SIP/2.0 404");
}
END_TEST

/* The call manager forwards for a phone: that phone's rights count, and nothing
 * goes out where they do not allow it. */
START_TEST(a_call_that_was_forwarded_needs_the_forwarders_rights)
{
	say(&w.core, SIDE_CORE, "INVITE", "sip:5@named.example",
	    "Diversion: <sip:2001@10.0.0.2>;reason=unconditional\n");
	sent(&w.named, "INVITE");
	say(&w.core, SIDE_CORE, "INVITE", "sip:5@named.example",
	    "Diversion: <sip:2002@10.0.0.2>;reason=unconditional\n");
	has(sent(&w.core, "SIP/2.0 403"), "Warning: 399 ");
	ck_assert_int_eq(w.stop, STOP_RIGHTS);
	ck_assert_str_eq(w.why, "calling-rights \"guard\" rule 2");
	for (uint32_t i = 0; i < w.sent_count; i++)
		ck_assert(!dest_eq(&w.sent[i].to, &w.named));
}
END_TEST

START_TEST(a_trunk_that_only_comes_in_is_not_called)
{
	say(&w.core, SIDE_CORE, "INVITE", "sip:5@in.example", "");
	sent(&w.core, "SIP/2.0 404");
}
END_TEST

START_TEST(a_trunk_that_is_only_called_begins_nothing)
{
	say(&w.named, SIDE_PHONE, "INVITE", "sip:5@192.0.2.1", "");
	sent(&w.named, "SIP/2.0 403");
	ck_assert_int_eq(w.stop, STOP_DIRECTION);
	say(&w.named, SIDE_PHONE, "OPTIONS", "sip:192.0.2.1", "");
	sent(&w.named, "SIP/2.0 200");
	/* Whether somebody is there is not its business. */
	say(&w.named, SIDE_PHONE, "OPTIONS", "sip:5@192.0.2.1", "");
	sent(&w.named, "SIP/2.0 403");
	ck_assert_int_eq(w.stop, STOP_DIRECTION);
}
END_TEST

/* ---- what is shown ---------------------------------------------------------- */

#define KEY "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"

/* An INVITE with this session description, lines ending in LF. */
static void invite(const struct dest *from, enum side side, struct conn *c,
		   const char *ruri, const char *sdp)
{
	static char text[TEXT_MAX];
	static char body[1024];
	char peer[ADDR_STR_MAX];
	size_t n = 0;
	int len;

	for (; *sdp; sdp++) {
		if (*sdp == '\n')
			body[n++] = '\r';
		body[n++] = *sdp;
	}
	(void)addr_str(&from->peer, peer);
	branch++;
	len = snprintf(text, sizeof(text),
		       "INVITE %s SIP/2.0\r\n"
		       "Via: SIP/2.0/%s %s;branch=z9hG4bKt%d\r\n"
		       "Max-Forwards: 70\r\n"
		       "From: <sip:2001@192.0.2.1>;tag=t%d\r\n"
		       "To: <%s>\r\n"
		       "Call-ID: trunk-%d\r\n"
		       "CSeq: 1 INVITE\r\n"
		       "Contact: <sip:2001@%s>\r\n"
		       "Content-Type: application/sdp\r\n"
		       "Content-Length: %zu\r\n\r\n%.*s",
		       ruri, from->is_tls ? "TLS" : "UDP", peer, branch, branch,
		       ruri, branch, peer, n, (int)n, body);
	ck_assert(len > 0 && len < TEXT_MAX);
	world_forget(&w);
	pipeline_run(
		w.pipeline,
		&(struct pipeline_in){.bytes = slice_make(text, (size_t)len),
				      .from = from,
				      .side = side,
				      .listener = from->ep.index,
				      .conn = c},
		w.now);
	world_media(&w, 0);
}

/* A description with the port of the audio line of what was sent last. */
static const char *sdp_at_port_of(const char *text)
{
	static char sdp[512];
	const char *m = strstr(text, "m=audio ");

	ck_assert_ptr_nonnull(m);
	(void)snprintf(sdp, sizeof(sdp),
		       "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\n"
		       "c=IN IP4 10.0.0.1\nt=0 0\nm=audio %d RTP/AVP 0\n",
		       (int)strtol(m + 8, NULL, 10));
	return sdp;
}

/* RTP inside leads from a phone of ours to a trunk: the phone is shown what
 * both have, and of the trunk no more than trunk-lock lets be shown. */
START_TEST(a_trunk_call_shows_what_trunk_lock_says)
{
	static const char *const host[] = {"sip:9@locked.example",
					   "sip:9@shielded.example"};
	static const char *const shown[] = {"security=Encrypted",
					    "security=Authenticated"};
	static const char srtp[] = "v=0\no=- 1 1 IN IP4 203.0.113.77\ns=-\n"
				   "c=IN IP4 203.0.113.77\nt=0 0\n"
				   "m=audio 4000 RTP/SAVP 0\na=crypto:%d "
				   "AES_CM_128_HMAC_SHA1_80 " KEY "\n";
	char offer[sizeof(srtp) + 16];
	char answer[512];
	static char asked[WORLD_TEXT_MAX];
	const char *text;
	const char *line;

	(void)snprintf(offer, sizeof(offer), srtp, 1);
	invite(&w.phone.dest, SIDE_PHONE, &w.phone, "sip:9@192.0.2.1", offer);
	text = sent(&w.core, "INVITE");
	memcpy(asked, text, sizeof(asked));
	invite(&w.core, SIDE_CORE, NULL, host[_i], sdp_at_port_of(text));
	text = sent(&w.secure[_i], "INVITE");
	has_not(text, "Call-Info");
	line = strstr(text, " AES_CM_128_HMAC_SHA1_80 ");
	ck_assert_ptr_nonnull(line);
	(void)snprintf(answer, sizeof(answer), srtp, line[-1] - '0');
	w.answerer = &w.secure[_i];
	memcpy(w.asked, text, sizeof(w.asked));
	world_answer(&w, "200 OK", answer);
	text = sent(&w.core, "SIP/2.0 200");
	(void)snprintf(answer, sizeof(answer), "%s", sdp_at_port_of(text));
	w.answerer = &w.core;
	memcpy(w.asked, asked, sizeof(asked));
	world_answer(&w, "200 OK", answer);
	has(sent(&w.phone.dest, "SIP/2.0 200"), shown[_i]);
}
END_TEST

/* ---- failover ------------------------------------------------------------- */

START_TEST(the_next_peer_is_asked_when_one_does_not_answer)
{
	const char *text;

	from_core("INVITE", "5", "");
	sent(&w.carrier[0], "INVITE");
	world_pass(&w, w.now + 4000);
	text = sent(&w.carrier[1], "INVITE sip:5@203.0.113.2 SIP/2.0");
	has_not(text, "203.0.113.1");
	/* It counts as down: the next call goes to the other one at once. */
	from_core("INVITE", "6", "");
	sent(&w.carrier[1], "INVITE");
}
END_TEST

START_TEST(the_next_peer_is_asked_when_one_says_503)
{
	from_core("MESSAGE", "5", "");
	w.answerer = &w.carrier[0];
	memcpy(w.asked, w.sent[0].text, sizeof(w.asked));
	world_answer(&w, "503 Service Unavailable", "");
	sent(&w.carrier[1], "MESSAGE");
}
END_TEST

START_TEST(call_managers_hear_when_no_peer_is_left)
{
	from_core("MESSAGE", "5", "");
	world_pass(&w, w.now + 60000);
	sent(&w.core_trunk, "SIP/2.0 408");
	from_core("OPTIONS", "", "");
	sent(&w.core_trunk, "SIP/2.0 503");
}
END_TEST

START_TEST(nobody_else_answers_for_a_peer)
{
	from_core("MESSAGE", "5", "");
	w.answerer = &w.udp; /* a phone */
	memcpy(w.asked, w.sent[0].text, sizeof(w.asked));
	world_forget(&w);
	world_answer(&w, "200 OK", "");
	ck_assert_uint_eq(w.sent_count, 0);
	w.answerer = &w.named; /* another trunk */
	world_answer(&w, "200 OK", "");
	ck_assert_uint_eq(w.sent_count, 0);
	w.answerer = &w.carrier[0];
	world_answer(&w, "200 OK", "");
	sent(&w.core_trunk, "SIP/2.0 200");
}
END_TEST

/* ---- strangers ------------------------------------------------------------ */

START_TEST(strangers_are_refused_slowly_and_counted)
{
	struct dest who = w.carrier[0];
	struct stranger s;
	uint64_t messages;
	uint32_t sources;
	uint32_t pos = 0;
	int answers = 0;

	who.peer.ip[3] = 9;
	for (int i = 0; i < 30; i++) {
		say(&who, SIDE_PHONE, "INVITE", "sip:100@192.0.2.1",
		    "User-Agent: friendly-scanner\n");
		ck_assert_int_eq(w.stop, STOP_STRANGER);
		if (w.sent_count > 0) {
			sent(&who, "SIP/2.0 403");
			answers++;
		}
	}
	ck_assert_int_eq(answers, 5); /* unknown-rate */
	strangers_counts(pipeline_strangers(w.pipeline), &sources, &messages);
	ck_assert_uint_eq(sources, 1);
	ck_assert_uint_eq(messages, 30);
	ck_assert(strangers_next(pipeline_strangers(w.pipeline), &pos, &s));
	ck_assert_uint_eq(s.count, 30);
	ck_assert_uint_eq(s.answered, 5);
	ck_assert(slice_eqs(s.agent, "friendly-scanner"));
	ck_assert(slice_eqs(s.method, "INVITE"));
	world_pass(&w, w.now + 12000); /* a fifth of a minute */
	say(&who, SIDE_PHONE, "INVITE", "sip:100@192.0.2.1", "");
	ck_assert_uint_eq(w.sent_count, 1);
	say(&who, SIDE_PHONE, "INVITE", "sip:100@192.0.2.1", "");
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

START_TEST(strangers_are_ignored_where_it_is_said)
{
	struct dest who = w.named;

	who.peer.ip[3] = 9;
	say(&who, SIDE_PHONE, "INVITE", "sip:100@192.0.2.1", "");
	ck_assert_uint_eq(w.sent_count, 0);
	ck_assert_int_eq(w.stop, STOP_STRANGER);
	/* What cannot be read is not answered either. */
	world_forget(&w);
	world_say(&w, &who, SIDE_PHONE, NULL, "INVITE x SIP/2.0\nVia: x\n");
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

/* ---- limits --------------------------------------------------------------- */

START_TEST(calls_have_a_rate)
{
	int refused = 0;

	for (int i = 0; i < 10; i++) {
		say(&w.asked_trunk, SIDE_PHONE, "INVITE", "sip:1@192.0.2.1",
		    "");
		refused += w.stop == STOP_TRUNK_RATE;
	}
	ck_assert_int_eq(refused, 7); /* burst = 3 */
	sent(&w.asked_trunk, "SIP/2.0 503");
	ck_assert_uint_eq(pipeline_trunk(w.pipeline, 1)->over, 7);
	world_pass(&w, w.now + 1000);
	say(&w.asked_trunk, SIDE_PHONE, "INVITE", "sip:1@192.0.2.1", "");
	sent(&w.asked_trunk, "SIP/2.0 401");
}
END_TEST

START_TEST(calls_at_once_have_a_limit)
{
	from_core("INVITE", "1", "");
	from_core("INVITE", "2", "");
	sent(&w.carrier[0], "INVITE");
	from_core("INVITE", "3", "");
	sent(&w.core_trunk, "SIP/2.0 486");
	from_peer("INVITE", "4", "");
	sent(&w.carrier[0], "SIP/2.0 503");
}
END_TEST

/* ---- digest --------------------------------------------------------------- */

/* Credentials for the challenge that was sent last. */
static const char *credentials(const char *user, const char *password,
			       const char *method, const char *uri,
			       const char *nc)
{
	static char text[TEXT_MAX];
	char nonce[NONCE_LEN + 1] = "";
	const char *p = strstr(w.sent[0].text, "nonce=\"");
	struct digest_fields f = {.alg = DIGEST_MD5,
				  .method = slice_str(method),
				  .uri = slice_str(uri),
				  .qop = SLICE("auth"),
				  .nc = slice_str(nc),
				  .cnonce = SLICE("c0")};
	struct digest_hex ha1;
	struct digest_hex r;

	ck_assert_ptr_nonnull(p);
	memcpy(nonce, p + 7, NONCE_LEN);
	f.nonce = slice_str(nonce);
	ck_assert_int_eq(digest_ha1(f.alg, slice_str(user),
				    slice_str("asked.example"),
				    slice_str(password), &ha1),
			 0);
	ck_assert_int_eq(digest_response(digest_hex_slice(&ha1), &f, &r), 0);
	(void)snprintf(text, sizeof(text),
		       "Authorization: Digest username=\"%s\", "
		       "realm=\"asked.example\", nonce=\"%s\", uri=\"%s\", "
		       "response=\"%.*s\", algorithm=MD5, qop=auth, nc=%s, "
		       "cnonce=\"c0\"\n",
		       user, nonce, uri, SLICE_FMT(digest_hex_slice(&r)), nc);
	return text;
}

static void asked(const char *method, const char *extra)
{
	say(&w.asked_trunk, SIDE_PHONE, method, "sip:1@192.0.2.1", extra);
}

static void message_by(const char *user, const char *password, const char *nc)
{
	char extra[TEXT_MAX];

	(void)snprintf(
		extra, sizeof(extra), "%s",
		credentials(user, password, "MESSAGE", "sip:1@192.0.2.1", nc));
	asked("MESSAGE", extra);
	world_settle(&w);
}

START_TEST(a_trunk_is_challenged_in_its_own_realm)
{
	asked("MESSAGE", "");
	has(sent(&w.asked_trunk, "SIP/2.0 401"), "realm=\"asked.example\"");
	message_by("app", "secret", "00000001");
	sent(&w.core, "MESSAGE");
	has_not(w.sent[w.sent_count - 1].text, "Authorization");
}
END_TEST

/* The guide's order: the trunk's method list comes before digest. */
START_TEST(what_the_method_list_refuses_is_not_challenged)
{
	asked(others[_i].method, others[_i].extra);
	sent(&w.asked_trunk, "SIP/2.0 403");
	has(w.sent[0].text, "Warning: 399 ");
	ck_assert_int_eq(w.stop, STOP_LIST);
	ck_assert_uint_eq(pipeline_trunk(w.pipeline, 1)->refused, 1);
}
END_TEST

START_TEST(a_wrong_password_is_challenged_again)
{
	asked("MESSAGE", "");
	message_by("app", "wrong", "00000001");
	sent(&w.asked_trunk, "SIP/2.0 401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
	ck_assert_uint_eq(pipeline_trunk(w.pipeline, 1)->refused, 1);
}
END_TEST

START_TEST(an_unknown_user_looks_like_a_wrong_password)
{
	char extra[TEXT_MAX];

	asked("MESSAGE", "");
	(void)snprintf(extra, sizeof(extra), "%s",
		       credentials("nobody", "x", "MESSAGE", "sip:1@192.0.2.1",
				   "00000001"));
	asked("MESSAGE", extra);
	world_store(&w, ERR_NOTFOUND);
	sent(&w.asked_trunk, "SIP/2.0 401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
}
END_TEST

START_TEST(a_nonce_grows_old_by_the_profile)
{
	char extra[TEXT_MAX];

	asked("MESSAGE", "");
	(void)snprintf(extra, sizeof(extra), "%s",
		       credentials("app", "secret", "MESSAGE",
				   "sip:1@192.0.2.1", "00000001"));
	world_pass(&w, w.now + 2 * 60000 + 1); /* nonce-lifetime = 2 */
	asked("MESSAGE", extra);
	has(sent(&w.asked_trunk, "SIP/2.0 401"), "stale=true");
}
END_TEST

START_TEST(a_replayed_count_is_refused)
{
	char extra[TEXT_MAX];

	asked("MESSAGE", "");
	(void)snprintf(extra, sizeof(extra), "%s",
		       credentials("app", "secret", "MESSAGE",
				   "sip:1@192.0.2.1", "00000001"));
	asked("MESSAGE", extra);
	world_settle(&w);
	sent(&w.core, "MESSAGE");
	asked("MESSAGE", extra);
	world_settle(&w);
	sent(&w.asked_trunk, "SIP/2.0 401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
}
END_TEST

START_TEST(credentials_of_another_realm_do_not_count)
{
	asked("MESSAGE", "Authorization: Digest username=\"app\", "
			 "realm=\"sallyport\", nonce=\"x\", uri=\"sip:1\", "
			 "response=\"00\"\n");
	has(sent(&w.asked_trunk, "SIP/2.0 401"), "realm=\"asked.example\"");
	ck_assert_uint_eq(w.store_count, 0);
}
END_TEST

START_TEST(options_without_a_user_need_no_credentials)
{
	say(&w.asked_trunk, SIDE_PHONE, "OPTIONS", "sip:192.0.2.1", "");
	sent(&w.asked_trunk, "SIP/2.0 200");
	asked("OPTIONS", "");
	sent(&w.asked_trunk, "SIP/2.0 401");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("trunk");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_trunks_call_goes_to_its_call_manager);
	tcase_add_loop_test(tc, a_trunks_other_requests_go_inside, 0,
			    ROWS(others));
	tcase_add_loop_test(tc, requests_of_call_managers_go_to_the_trunk, 0,
			    ROWS(others));
	tcase_add_loop_test(
		tc, asserted_identities_pass_where_the_profile_trusts, 0, 2);
	tcase_add_test(tc, a_trunk_registers_nothing);
	tcase_add_test(tc, that_we_are_there_is_said_by_ourselves);
	tcase_add_test(tc, a_call_managers_call_goes_to_the_trunk);
	tcase_add_test(tc, a_host_of_the_uri_names_a_trunk);
	tcase_add_test(tc, a_trunk_that_only_comes_in_is_not_called);
	tcase_add_test(tc,
		       a_call_that_was_forwarded_needs_the_forwarders_rights);
	tcase_add_test(tc, a_trunk_that_is_only_called_begins_nothing);
	tcase_add_loop_test(tc, a_trunk_call_shows_what_trunk_lock_says, 0, 2);
	tcase_add_test(tc, the_next_peer_is_asked_when_one_does_not_answer);
	tcase_add_test(tc, the_next_peer_is_asked_when_one_says_503);
	tcase_add_test(tc, call_managers_hear_when_no_peer_is_left);
	tcase_add_test(tc, nobody_else_answers_for_a_peer);
	tcase_add_test(tc, strangers_are_refused_slowly_and_counted);
	tcase_add_test(tc, strangers_are_ignored_where_it_is_said);
	tcase_add_test(tc, calls_have_a_rate);
	tcase_add_test(tc, calls_at_once_have_a_limit);
	tcase_add_test(tc, a_trunk_is_challenged_in_its_own_realm);
	tcase_add_loop_test(tc, what_the_method_list_refuses_is_not_challenged,
			    0, 3);
	tcase_add_test(tc, a_wrong_password_is_challenged_again);
	tcase_add_test(tc, an_unknown_user_looks_like_a_wrong_password);
	tcase_add_test(tc, a_nonce_grows_old_by_the_profile);
	tcase_add_test(tc, a_replayed_count_is_refused);
	tcase_add_test(tc, credentials_of_another_realm_do_not_count);
	tcase_add_test(tc, options_without_a_user_need_no_credentials);
	return run_case("proxy/trunk", tc);
}
