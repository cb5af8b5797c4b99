/*
 * The pipeline: who tries out what is not his, what he may do who is known, and
 * the heartbeat that nobody is asked about.
 */
#include <stdio.h>
#include <string.h>

#include "lib/run.h"
#include "unit/proxy/phone.h"

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
	char id[128], tag[128], contact[128];
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
	between(text, "Contact: <", ">", contact, sizeof(contact));
	(void)snprintf(ids, cap,
		       "<callid>%s</callid><localtag>a</localtag>"
		       "<remotetag>%s</remotetag><contact>%s</contact>",
		       id, tag, contact);
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

/* What names the dialog, from call_up, into the URI of a Refer-To. */
static void refer_to(const char *user, const char *ids, char *ret, size_t cap)
{
	char id[128], remote[128];

	between(ids, "<callid>", "<", id, sizeof(id));
	between(ids, "<remotetag>", "<", remote, sizeof(remote));
	(void)snprintf(ret, cap,
		       "Refer-To: <sip:%s@192.0.2.1?Replaces=%s%%3Bto-tag%%3D%s"
		       "%%3Bfrom-tag%%3Da>\n",
		       user, id, remote);
}

START_TEST(an_attended_transfer_needs_its_right)
{
	char out[512], in[512], to[1024];

	udp("REGISTER", "2002", 6999, "");
	world_answer(&w, "200 OK", "");
	call_up("5552", out, sizeof(out));
	call_up("2001", in, sizeof(in));
	refer_to("2001", out, to, sizeof(to));
	ask_about("REFER", "5551", to);
	answered(&w.udp, "403");
	ck_assert_str_eq(w.why, "calling-rights \"guard\" rule 3");
	refer_to("2001", in, to, sizeof(to));
	ask_about("REFER", "5551", to);
	went_on("REFER ");
	/* By the Contact of the dialog, which is no number of anybody's. */
	between(in, "<contact>sip:", "@", out, sizeof(out));
	refer_to(out, in, to, sizeof(to));
	ask_about("REFER", "5551", to);
	went_on("REFER ");
}
END_TEST

/* ---- keep-alive ------------------------------------------------------------- */

/* A REGISTER of 2003 over UDP with these Contact and Expires lines. */
/* From this peer, of this line, with these header lines. */
static void beat(const struct dest *from, const char *line, const char *lines)
{
	char text[2048];
	static int branch = 7000;

	(void)snprintf(text, sizeof(text),
		       "REGISTER sip:192.0.2.1 SIP/2.0\n"
		       "Via: SIP/2.0/UDP 198.51.100.7:5060;"
		       "branch=z9hG4bK%d;rport\n"
		       "Max-Forwards: 70\n"
		       "From: <sip:%s@192.0.2.1>;tag=a\n"
		       "To: <sip:%s@192.0.2.1>\n"
		       "Call-ID: heartbeat\n"
		       "CSeq: %d REGISTER\n%s",
		       branch, line, line, branch, lines);
	branch++;
	world_forget(&w);
	world_say(&w, from, SIDE_PHONE, NULL, text);
}

static void heartbeat(const char *lines)
{
	beat(&w.udp, "2003", lines);
}

/* Text without what differs from answer to answer. */
static void without_names(char *text, const char *line)
{
	static const char *const marks[] = {";branch=", ";tag=", "CSeq: "};
	char *p;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		for (p = text; (p = strstr(p, marks[i])); p++)
			for (char *q = p + strlen(marks[i]);
			     *q != '\0' && !strchr("; \r", *q); q++)
				*q = 'x';
	for (p = text; (p = strstr(p, line)); p++)
		memcpy(p, "line", strlen(line));
}

/* Who sends it has not proven who he is, so the answer says nothing: neither
 * of the device nor of its mode, nor, after a while, by silence. */
START_TEST(a_heartbeat_tells_no_line_from_none)
{
	static const char lines[] =
		"Contact: <sip:x@198.51.100.7>;cisco-keep-alive\nExpires: 0\n";
	static char first[WORLD_TEXT_MAX];

	for (int i = 0; i < 40 * ROWS(names); i++) {
		const char *line = names[i % ROWS(names)];

		beat(&w.hiding, line, lines);
		answered(&w.hiding, "200");
		without_names(w.sent[0].text, line);
		if (i == 0)
			memcpy(first, w.sent[0].text, sizeof(first));
		ck_assert_str_eq(w.sent[0].text, first);
		world_pass(&w, w.now + 100);
	}
}
END_TEST

/* Nobody sees a difference, but who stands by over TCP for months is no stranger
 * whose connection is in the way of others, if he needs no proof. */
START_TEST(a_heartbeat_of_who_needs_no_proof_admits_him)
{
	static const char lines[] =
		"Contact: <sip:x@198.51.100.7>;cisco-keep-alive\nExpires: 0\n";
	static const struct {
		const char *line;
		uint32_t admitted;
	} rows[] = {{"2002", 1}, {"2003", 0}, {"2001", 0}, {"4711", 0}};
	struct dest tcp = w.hiding;
	struct dest refusing = w.udp;

	tcp.is_reliable = refusing.is_reliable = true;
	for (int i = 0; i < ROWS(rows); i++) {
		w.admitted = 0;
		beat(&tcp, rows[i].line, lines);
		answered(&tcp, "200");
		ck_assert_uint_eq(w.admitted, rows[i].admitted);
		w.admitted = 0;
		beat(&refusing, rows[i].line, lines);
		ck_assert_uint_eq(w.admitted, rows[i].admitted);
	}
}
END_TEST

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
	tcase_add_test(tc, an_attended_transfer_needs_its_right);
	return tc;
}

static TCase *heartbeats(void)
{
	TCase *t = tcase_create("heartbeats");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(
		t,
		the_heartbeat_of_a_cisco_phone_is_answered_without_a_challenge);
	tcase_add_loop_test(t, what_only_looks_like_a_heartbeat_is_challenged,
			    0, 10);
	tcase_add_test(t, a_heartbeat_leaves_a_registration_alone);
	tcase_add_test(t, a_heartbeat_tells_no_line_from_none);
	tcase_add_test(t, a_heartbeat_of_who_needs_no_proof_admits_him);
	return t;
}

int main(void)
{
	Suite *s = suite_create("proxy/pipeline_rights");

	suite_add_tcase(s, scanners());
	suite_add_tcase(s, rights());
	suite_add_tcase(s, heartbeats());
	return run_suite(s);
}
