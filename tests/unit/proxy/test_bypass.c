/*
 * What a phone or trunk could say to be believed more than it has proved:
 * identities, calling rights, presence groups, method lists, the lock, and
 * what of it waits while the configuration changes. In the world of world.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/run.h"
#include "unit/proxy/world.h"

static struct world w;
static char text[8192];

static const char *const more[][4] = {
	{"calling-rights", "xfer", "rules",
	 "deny transfer from=outside to=outside"},
	{"calling-rights", "xfer", "rules",
	 "deny forward from=outside to=outside"},
	{"calling-rights", "xfer", "default", "allow"},
	{"trunk-profile", "tight", "security-mode", "nonsecure"},
	{"trunk", "tight", "profile", "tight"},
	{"trunk", "tight", "listeners", "trunks"},
	{"trunk", "tight", "sources", "203.0.113.200"},
	{"trunk", "tight", "call-managers", "cm"},
	{"trunk", "tight", "direction", "in"},
	{"trunk", "tight", "hosts", "tight.example"},
	{"device", "SEP000000000005", "lines", "2005"},
	{"device", "SEP000000000005", "security-mode", "nonsecure"},
	{"device", "SEP000000000005", "digest", "no"},
	{"device", "SEP000000000005", "calling-rights", "xfer"},
	{"device", "SEP000000000006", "lines", "2006"},
	{"device", "SEP000000000006", "security-mode", "encrypted"},
};

static struct dest tight;

static void setup(void)
{
	world_init_more(&w, more, sizeof(more) / sizeof(more[0]));
	tight = w.asked_trunk;
	tight.peer.ip[3] = 200;
}

static void teardown(void)
{
	world_done(&w);
}

static void say(const struct dest *d, enum side side, struct conn *c,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void say(const struct dest *d, enum side side, struct conn *c,
		const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	world_forget(&w);
	world_say(&w, d, side, c, text);
	world_media(&w, 0);
}

static const char *get(const char *t, const char *mark, const char *end)
{
	static char buf[8][512];
	static int at;
	const char *p = strstr(t, mark);
	size_t n;

	ck_assert_msg(p != NULL, "no %s in %s", mark, t);
	p += strlen(mark);
	n = strcspn(p, end);
	at = (at + 1) % 8;
	snprintf(buf[at], sizeof(buf[at]), "%.*s", (int)n, p);
	return buf[at];
}

/* The last message to d that begins so, or NULL. */
static const char *to(const struct dest *d, const char *start)
{
	const char *r = NULL;

	for (uint32_t i = 0; i < w.sent_count; i++)
		if (dest_eq(&w.sent[i].to, d) &&
		    strncmp(w.sent[i].text, start, strlen(start)) == 0)
			r = w.sent[i].text;
	return r;
}

#define SDP \
	"v=0\no=- 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\nm=audio 4000 RTP/AVP 0\n"
#define SRTP \
	"v=0\no=- 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\nm=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\n"

static char ours[64], contact[256];

static void reg(const struct dest *d, struct conn *c, const char *line)
{
	say(d, SIDE_PHONE, c,
	    "REGISTER sip:192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKr%s\n"
	    "Max-Forwards: 70\nFrom: <sip:%s@192.0.2.1>;tag=r\nTo: <sip:%s@192.0.2.1>\n"
	    "Call-ID: reg-%s\nCSeq: 1 REGISTER\nContact: <sip:%s@198.51.100.7:5060>\n",
	    line, line, line, line, line);
	world_answer(&w, "200 OK", "");
}

/* A call to number, up. */
static void call(const struct dest *d, struct conn *c, const char *line,
		 const char *number, const char *sdp)
{
	const char *t;

	say(d, SIDE_PHONE, c,
	    "INVITE sip:%s@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKi\n"
	    "Max-Forwards: 70\nFrom: <sip:%s@192.0.2.1>;tag=a\nTo: <sip:%s@192.0.2.1>\n"
	    "Call-ID: c1\nCSeq: 1 INVITE\nContact: <sip:%s@198.51.100.7:5060>\n"
	    "Content-Type: application/sdp\n\n%s",
	    number, line, number, line, sdp);
	ck_assert_msg(to(&w.core, "INVITE") != NULL, "%s %s",
		      w.sent_count ? w.sent[0].text : "-", w.why);
	snprintf(w.asked, sizeof(w.asked), "%s", to(&w.core, "INVITE"));
	world_forget(&w);
	world_answer(&w, "200 OK", SDP);
	world_media(&w, 0);
	t = to(d, "SIP/2.0 200");
	ck_assert_ptr_nonnull(t);
	snprintf(ours, sizeof(ours), "%s",
		 get(strstr(t, "\r\nTo: "), "tag=", "\r;>"));
	snprintf(contact, sizeof(contact), "%s", get(t, "Contact: <", ">"));
	say(d, SIDE_PHONE, c,
	    "ACK %s SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKack\nMax-Forwards: 70\n"
	    "From: <sip:%s@192.0.2.1>;tag=a\nTo: <sip:%s@192.0.2.1>;tag=%s\nCall-ID: c1\nCSeq: 1 ACK\n",
	    contact, line, number, ours);
}

static void inside(const struct dest *d, struct conn *c, const char *method,
		   int n, const char *from, const char *whom, const char *extra)
{
	say(d, SIDE_PHONE, c,
	    "%s %s SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKd%d\nMax-Forwards: 70\n"
	    "From: <sip:%s@192.0.2.1>;tag=a\nTo: <sip:%s@192.0.2.1>;tag=%s\nCall-ID: c1\nCSeq: %d %s\n"
	    "Contact: <sip:x@198.51.100.7:5060>\n%s",
	    method, contact, n, from, whom, ours, n, method, extra);
}

/* ---- identity ------------------------------------------------------------ */

START_TEST(an_identity_in_a_dialog_is_the_lines)
{
	const char *t;

	reg(&w.phone.dest, &w.phone, "2001");
	call(&w.phone.dest, &w.phone, "2001", "5551", SRTP);
	inside(&w.phone.dest, &w.phone, "INFO", 2, "9999", "5551",
	       "P-Asserted-Identity: <sip:9999@192.0.2.1>\n"
	       "Remote-Party-ID: <sip:9999@192.0.2.1>\n");
	t = to(&w.core, "INFO");
	ck_assert_ptr_nonnull(t);
	ck_assert_msg(strstr(t, "9999") == NULL, "%s", t);
}
END_TEST

START_TEST(an_identity_in_a_reinvite_is_the_lines)
{
	const char *t;

	reg(&w.phone.dest, &w.phone, "2001");
	call(&w.phone.dest, &w.phone, "2001", "5551", SRTP);
	inside(&w.phone.dest, &w.phone, "INVITE", 2, "9999", "5551",
	       "P-Asserted-Identity: <sip:9999@192.0.2.1>\n"
	       "Content-Type: application/sdp\n\n" SRTP);
	t = to(&w.core, "INVITE");
	ck_assert_ptr_nonnull(t);
	ck_assert_msg(strstr(t, "9999") == NULL, "%s", t);
}
END_TEST

/* In the INVITE itself: the second value of a list, hidden behind a parameter. */
START_TEST(no_second_identity_hides_behind_a_parameter)
{
	static const char *const lines[] = {
		"P-Asserted-Identity: <sip:2001@192.0.2.1>, <tel:9999>\n",
		"P-Asserted-Identity: <sip:2001@192.0.2.1>;x=y, <tel:9999>\n",
		"Remote-Party-ID: <sip:2001@192.0.2.1>;party=calling, <sip:9999@192.0.2.1>;party=calling\n"};
	const char *t;

	reg(&w.phone.dest, &w.phone, "2001");
	say(&w.phone.dest, SIDE_PHONE, &w.phone,
	    "INVITE sip:5551@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKi\n"
	    "Max-Forwards: 70\nFrom: <sip:2001@192.0.2.1>;tag=a\nTo: <sip:5551@192.0.2.1>\n"
	    "Call-ID: c1\nCSeq: 1 INVITE\nContact: <sip:2001@198.51.100.7:5060>\n%s",
	    lines[_i]);
	t = to(&w.core, "INVITE");
	ck_assert_ptr_nonnull(t);
	ck_assert_msg(strstr(t, "9999") == NULL, "%s", t);
}
END_TEST

static const char *token;
static char via[256], from[256], rto[256], id[256];

/* The call manager calls line; the phone's INVITE is read. */
static void ring(const struct dest *d, struct conn *c, const char *line,
		 const char *sdp)
{
	const char *t;

	reg(d, c, line);
	token = get(w.asked, "Contact: <", ">");
	say(&w.core, SIDE_CORE, NULL,
	    "INVITE %s SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKf\nMax-Forwards: 70\n"
	    "From: <sip:5551@10.0.0.2>;tag=c\nTo: <sip:%s@10.0.0.2>\nCall-ID: in\nCSeq: 1 INVITE\n"
	    "Contact: <sip:10.0.0.2:5060>\n%s%s",
	    token, line, sdp[0] ? "Content-Type: application/sdp\n\n" : "",
	    sdp);
	t = to(d, "INVITE");
	ck_assert_ptr_nonnull(t);
	snprintf(via, sizeof(via), "%s", get(t, "Via: ", "\r"));
	snprintf(from, sizeof(from), "%s", get(t, "From: ", "\r"));
	snprintf(rto, sizeof(rto), "%s", get(t, "\r\nTo: ", "\r"));
	snprintf(id, sizeof(id), "%s", get(t, "Call-ID: ", "\r"));
}

START_TEST(an_identity_in_a_response_is_the_lines)
{
	const char *t;

	ring(&w.phone.dest, &w.phone, "2001", "");
	say(&w.phone.dest, SIDE_PHONE, &w.phone,
	    "SIP/2.0 180 Ringing\nVia: %s\nFrom: %s\nTo: <sip:9999@192.0.2.1>;tag=p\nCall-ID: %s\n"
	    "CSeq: 1 INVITE\nContact: <sip:2001@198.51.100.7>\n"
	    "P-Asserted-Identity: <sip:9999@192.0.2.1>\n",
	    via, from, id);
	t = to(&w.core, "SIP/2.0 180");
	ck_assert_ptr_nonnull(t);
	ck_assert_msg(strstr(t, "9999") == NULL, "%s", t);
}
END_TEST

START_TEST(a_trunk_without_trust_asserts_nothing)
{
	const char *t;

	say(&tight, SIDE_PHONE, NULL,
	    "INVITE sip:2001@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.200;branch=z9hG4bKt\nMax-Forwards: 70\n"
	    "From: <sip:2000@192.0.2.1>;tag=t\nTo: <sip:2001@192.0.2.1>\nCall-ID: t\nCSeq: 1 INVITE\n"
	    "Contact: <sip:203.0.113.200>\nP-Asserted-Identity: \"Boss\" <sip:2000@192.0.2.1>\n");
	t = to(&w.core, "INVITE");
	ck_assert_ptr_nonnull(t);
	ck_assert_msg(strstr(t, "P-Asserted-Identity") == NULL, "%s", t);
}
END_TEST

/* ---- calling rights --------------------------------------------------------- */

START_TEST(a_transfer_is_judged_by_who_is_transferred)
{
	reg(&w.udp, NULL, "2005");
	call(&w.udp, NULL, "2005", "5551", SDP);
	inside(&w.udp, NULL, "REFER", 2, "2005", "5551",
	       "Refer-To: <sip:5552@192.0.2.1>\n");
	ck_assert_int_eq(w.stop, STOP_RIGHTS);
	/* To says somebody inside; its tag alone names the dialog. */
	inside(&w.udp, NULL, "REFER", 3, "2005", "2001",
	       "Refer-To: <sip:5552@192.0.2.1>\n");
	ck_assert_msg(to(&w.core, "REFER") == NULL, "%s", to(&w.core, "REFER"));
}
END_TEST

START_TEST(a_refer_without_a_call_is_judged_by_its_uri)
{
	reg(&w.udp, NULL, "2005");
	say(&w.udp, SIDE_PHONE, NULL,
	    "REFER sip:5551@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKi\n"
	    "Max-Forwards: 70\nFrom: <sip:2005@192.0.2.1>;tag=a\nTo: <sip:2001@192.0.2.1>\n"
	    "Call-ID: c1\nCSeq: 1 REFER\nContact: <sip:2005@198.51.100.7:5060>\n"
	    "Refer-To: <sip:5552@192.0.2.1>\n");
	ck_assert_msg(to(&w.core, "REFER") == NULL, "%s", to(&w.core, "REFER"));
}
END_TEST

/* _i: 0 honest; 1 From forged; 2 To forged. */
START_TEST(a_forward_is_judged_by_who_called)
{
	const char *t;

	ring(&w.udp, NULL, "2005", "");
	say(&w.udp, SIDE_PHONE, NULL,
	    "SIP/2.0 302 Moved\nVia: %s\nFrom: %s\nTo: %s;tag=p\nCall-ID: %s\nCSeq: 1 INVITE\n"
	    "Contact: <sip:5552@192.0.2.1>\n",
	    via, _i == 1 ? "<sip:2001@192.0.2.1>;tag=x" : from,
	    _i == 2 ? "<sip:2001@192.0.2.1>" : rto, id);
	t = to(&w.core, "SIP/2.0 302");
	ck_assert_msg(t == NULL, "%s", t);
}
END_TEST

START_TEST(a_forward_over_tcp_is_judged)
{
	static struct conn c;
	const char *t;

	c = (struct conn){.ep = {.index = 1, .gen = 7},
			  .side = SIDE_PHONE,
			  .listener = 1};
	c.dest = w.udp;
	c.dest.ep = c.ep;
	c.dest.is_reliable = true;
	ring(&c.dest, &c, "2005", "");
	say(&c.dest, SIDE_PHONE, &c,
	    "SIP/2.0 302 Moved\nVia: %s\nFrom: %s\nTo: %s;tag=p\nCall-ID: %s\nCSeq: 1 INVITE\n"
	    "Contact: <sip:5552@192.0.2.1>\n",
	    via, from, rto, id);
	t = to(&w.core, "SIP/2.0 302");
	ck_assert_msg(t == NULL, "%s", t);
}
END_TEST

/* ---- method lists and presence groups --------------------------------------- */

START_TEST(a_trunks_presence_subscription_in_a_call_is_one_too)
{
	call(&tight, NULL, "4711", "2001", SDP);
	inside(&tight, NULL, "SUBSCRIBE", 2, "4711", "2001",
	       "Event: presence\nExpires: 600\n");
	ck_assert_msg(to(&w.core, "SUBSCRIBE") == NULL, "%s",
		      to(&w.core, "SUBSCRIBE"));
}
END_TEST

/* Another package, which nothing governs, opens the dialog. */
START_TEST(a_refer_or_presence_in_a_subscription_is_judged_too)
{
	const char *t;

	say(&tight, SIDE_PHONE, NULL,
	    "SUBSCRIBE sip:2001@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKi\n"
	    "Max-Forwards: 70\nFrom: <sip:4711@192.0.2.1>;tag=a\nTo: <sip:2001@192.0.2.1>\n"
	    "Call-ID: c1\nCSeq: 1 SUBSCRIBE\nContact: <sip:x@198.51.100.7:5060>\nEvent: kpml\n");
	snprintf(w.asked, sizeof(w.asked), "%s", to(&w.core, "SUBSCRIBE"));
	world_forget(&w);
	world_answer(&w, "200 OK", "");
	t = to(&tight, "SIP/2.0 200");
	ck_assert_ptr_nonnull(t);
	snprintf(ours, sizeof(ours), "%s",
		 get(strstr(t, "\r\nTo: "), "tag=", "\r;>"));
	snprintf(contact, sizeof(contact), "%s", get(t, "Contact: <", ">"));
	if (_i == 0)
		inside(&tight, NULL, "REFER", 2, "4711", "2001",
		       "Refer-To: <sip:5552@192.0.2.1>\n");
	else
		inside(&tight, NULL, "SUBSCRIBE", 2, "4711", "2001",
		       "Event: presence\n");
	t = to(&w.core, _i == 0 ? "REFER" : "SUBSCRIBE");
	ck_assert_msg(t == NULL, "%s", t);
}
END_TEST

#define LIST(n)                                                                      \
	"Event: presence\nSupported: eventlist\nRequire: recipient-list-subscribe\n" \
	"Content-Type: application/resource-lists+xml\n\n"                           \
	"<resource-lists><list><entry uri=\"sip:" n                                  \
	"@192.0.2.1\"/></list></resource-lists>\n"
#define LIST2(n)                                           \
	"Event: presence\nSupported: eventlist\n"          \
	"Content-Type: application/resource-lists+xml\n\n" \
	"<resource-lists><list><entry uri=\"sip:" n        \
	"@192.0.2.1\"/></list></resource-lists>\n"

START_TEST(another_list_in_a_subscription_is_judged_too)
{
	const char *t;

	reg(&w.phone.dest, &w.phone, "2001");
	say(&w.phone.dest, SIDE_PHONE, &w.phone,
	    "SUBSCRIBE sip:list@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKi\n"
	    "Max-Forwards: 70\nFrom: <sip:2001@192.0.2.1>;tag=a\nTo: <sip:list@192.0.2.1>\n"
	    "Call-ID: c1\nCSeq: 1 SUBSCRIBE\nContact: <sip:x@198.51.100.7:5060>\n%s",
	    LIST2("2003"));
	ck_assert_msg(to(&w.core, "SUBSCRIBE") != NULL, "%s", w.sent[0].text);
	snprintf(w.asked, sizeof(w.asked), "%s", to(&w.core, "SUBSCRIBE"));
	world_forget(&w);
	world_answer(&w, "200 OK", "");
	t = to(&w.phone.dest, "SIP/2.0 200");
	ck_assert_ptr_nonnull(t);
	snprintf(ours, sizeof(ours), "%s",
		 get(strstr(t, "\r\nTo: "), "tag=", "\r;>"));
	snprintf(contact, sizeof(contact), "%s", get(t, "Contact: <", ">"));
	/* 2002 is of the group apart, which 2001 may not watch. */
	inside(&w.phone.dest, &w.phone, "SUBSCRIBE", 2, "2001", "list",
	       LIST2("2002"));
	t = to(&w.core, "SUBSCRIBE");
	ck_assert_msg(t == NULL, "%s", t);
}
END_TEST

#define XML(n)                                      \
	"<resource-lists><list><entry uri=\"sip:" n \
	"@192.0.2.1\"/></list></resource-lists>\n"
#define PART "Content-Type: application/resource-lists+xml\n"

static const struct {
	const char *name, *extra;
} lists[] = {
	{"plain", PART "\n" XML("2002")},
	{"two parts",
	 "Content-Type: multipart/mixed;boundary=b\n\n--b\n" PART
	 "\n" XML("2002") "\n--b\n" PART "\n" XML("2003") "\n--b--\n"},
	{"a fold in the part's head",
	 "Content-Type: multipart/mixed;boundary=b\n\n--b\n"
	 "Content-ID: <a>\n x\n" PART "\n" XML("2002") "\n--b--\n"},
	{"nested",
	 "Content-Type: multipart/mixed;boundary=b\n\n--b\nContent-Type: multipart/mixed;boundary=d\n\n"
	 "--d\n" PART "\n" XML("2002") "\n--d--\n\n--b--\n"},
	{"encoded", "Content-Encoding: gzip\n" PART "\n"
		    "\x1f\x8b\x08 what gzip makes of it\n"},
	{"entity", PART
	 "\n"
	 "<!DOCTYPE r [<!ENTITY e \"<entry &#117;ri='sip:2002@192.0.2.1'/>\">]>"
	 "<resource-lists><list>&e;</list></resource-lists>\n"},
};

START_TEST(no_list_hides_whom_it_watches)
{
	const char *t;

	reg(&w.phone.dest, &w.phone, "2001");
	say(&w.phone.dest, SIDE_PHONE, &w.phone,
	    "SUBSCRIBE sip:list@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKi\n"
	    "Max-Forwards: 70\nFrom: <sip:2001@192.0.2.1>;tag=a\nTo: <sip:list@192.0.2.1>\n"
	    "Call-ID: c1\nCSeq: 1 SUBSCRIBE\nContact: <sip:x@198.51.100.7:5060>\nEvent: presence\n"
	    "Supported: eventlist\n%s",
	    lists[_i].extra);
	t = to(&w.core, "SUBSCRIBE");
	ck_assert_msg(t == NULL, "%s:\n%s", lists[_i].name, t);
}
END_TEST

/* ---- the lock ------------------------------------------------------------------- */

#define K1 \
	"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\n"
#define AV                                                                      \
	"v=0\no=- 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\n" \
	"m=audio 4000 RTP/SAVP 0\n" K1 "m=video 4002 RTP/SAVP 34\n" K1

static int port_of(const char *t, const char *kind)
{
	const char *m = strstr(t, kind);

	ck_assert_ptr_nonnull(m);
	return (int)strtol(m + strlen(kind), NULL, 10);
}

/* Audio goes over something inside that is no phone (a transcoder), video from
 * phone to phone: no lock. */
START_TEST(audio_that_goes_elsewhere_has_no_lock)
{
	static struct conn b;
	static char sdp[1024], ask[WORLD_TEXT_MAX];
	const char *t;
	int v;

	b = w.phone;
	b.ep.index = b.dest.ep.index = 11;
	b.dest.peer.ip[3] = 2;
	b.device = config_device_find(w.config, slice_str("SEP000000000006"));
	reg(&b.dest, &b, "2006");
	token = get(w.asked, "Contact: <", ">");
	reg(&w.phone.dest, &w.phone, "2001");
	say(&w.phone.dest, SIDE_PHONE, &w.phone,
	    "INVITE sip:2006@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKi\n"
	    "Max-Forwards: 70\nFrom: <sip:2001@192.0.2.1>;tag=a\nTo: <sip:2006@192.0.2.1>\n"
	    "Call-ID: c1\nCSeq: 1 INVITE\nContact: <sip:2001@198.51.100.7:5060>\n"
	    "Content-Type: application/sdp\n\n" AV);
	world_media(&w, 0);
	t = to(&w.core, "INVITE");
	ck_assert_ptr_nonnull(t);
	snprintf(ask, sizeof(ask), "%s", t);
	v = port_of(t, "m=video ");
	snprintf(
		sdp, sizeof(sdp),
		"v=0\no=- 1 1 IN IP4 10.0.0.2\ns=-\nc=IN IP4 10.0.0.9\nt=0 0\n"
		"m=audio 7000 RTP/AVP 0\nm=video %d RTP/AVP 34\nc=IN IP4 10.0.0.1\n",
		v);
	say(&w.core, SIDE_CORE, NULL,
	    "INVITE %s SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKf\nMax-Forwards: 70\n"
	    "From: <sip:2001@10.0.0.2>;tag=c\nTo: <sip:2006@10.0.0.2>\nCall-ID: in\nCSeq: 1 INVITE\n"
	    "Contact: <sip:10.0.0.2:5060>\nContent-Type: application/sdp\n\n%s",
	    token, sdp);
	world_media(&w, 0);
	t = to(&b.dest, "INVITE");
	ck_assert_ptr_nonnull(t);
	snprintf(via, sizeof(via), "%s", get(t, "Via: ", "\r"));
	snprintf(from, sizeof(from), "%s", get(t, "From: ", "\r"));
	snprintf(rto, sizeof(rto), "%s", get(t, "\r\nTo: ", "\r"));
	snprintf(id, sizeof(id), "%s", get(t, "Call-ID: ", "\r"));
	{
		const char *k = strstr(t, " AES_CM_128_HMAC_SHA1_80 ");
		ck_assert_ptr_nonnull(k);
		snprintf(
			sdp, sizeof(sdp),
			"v=0\no=- 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\n"
			"m=audio 4000 RTP/SAVP 0\na=crypto:%c%s"
			"m=video 4002 RTP/SAVP 34\na=crypto:%c%s",
			k[-1], strchr(K1, ' '), k[-1], strchr(K1, ' '));
	}
	say(&b.dest, SIDE_PHONE, &b,
	    "SIP/2.0 200 OK\nVia: %s\nFrom: %s\nTo: %s;tag=p\nCall-ID: %s\nCSeq: 1 INVITE\n"
	    "Contact: <sip:2006@198.51.100.7:5060>\nContent-Type: application/sdp\n\n%s",
	    via, from, rto, id, sdp);
	t = to(&w.core, "SIP/2.0 200");
	ck_assert_msg(t != NULL, "%s", w.sent_count ? w.sent[0].text : "-");
	v = port_of(t, "m=video ");
	snprintf(
		sdp, sizeof(sdp),
		"v=0\no=- 1 1 IN IP4 10.0.0.2\ns=-\nc=IN IP4 10.0.0.9\nt=0 0\n"
		"m=audio 7002 RTP/AVP 0\nm=video %d RTP/AVP 34\nc=IN IP4 10.0.0.1\n",
		v);
	snprintf(w.asked, sizeof(w.asked), "%s", ask);
	world_forget(&w);
	world_answer(&w, "200 OK", sdp);
	world_media(&w, 0);
	t = to(&w.phone.dest, "SIP/2.0 200");
	ck_assert_ptr_nonnull(t);
	ck_assert_msg(strstr(t, "security=Encrypted") == NULL, "%s", t);
}
END_TEST

/* ---- a device that is gone, and a request of it that waits ------------------------ */

static bool has_calls(void *ctx, struct slice name)
{
	(void)ctx;
	return calls_has_device(w.calls, name);
}

static void gone(void *ctx, const struct config_device *d)
{
	(void)ctx;
	pipeline_forget_device(w.pipeline, d, w.now);
}

static const char *auth(const char *nonce, const char *nc, const char *method,
			const char *uri)
{
	static char t[1024];
	struct digest_fields f = {.alg = DIGEST_MD5,
				  .method = slice_str(method),
				  .uri = slice_str(uri),
				  .nonce = slice_str(nonce),
				  .qop = slice_str("auth"),
				  .nc = slice_str(nc),
				  .cnonce = slice_str("0a4f113b")};
	struct digest_hex ha1, r;

	ck_assert_int_eq(digest_ha1(f.alg, slice_str("carol"),
				    slice_str(w.config->realm),
				    slice_str("secret"), &ha1),
			 0);
	ck_assert_int_eq(digest_response(digest_hex_slice(&ha1), &f, &r), 0);
	snprintf(
		t, sizeof(t),
		"Authorization: Digest username=\"carol\", realm=\"%s\", nonce=\"%s\", "
		"uri=\"%s\", response=\"%.*s\", qop=auth, nc=%s, cnonce=\"0a4f113b\"\n",
		w.config->realm, nonce, uri, (int)r.len, r.text, nc);
	return t;
}

/* _i: 0 a device without digest, 1 one that has proved its password. */
START_TEST(a_connection_that_has_proved_itself_is_admitted)
{
	static struct conn c;
	char nonce[128];
	const char *line = _i ? "2003" : "2005";

	c = (struct conn){.ep = {.index = 1, .gen = 7},
			  .side = SIDE_PHONE,
			  .listener = 1};
	c.dest = w.udp;
	c.dest.ep = c.ep;
	c.dest.is_reliable = true;
	for (int i = 0; i < 2; i++) {
		say(&c.dest, SIDE_PHONE, &c,
		    "OPTIONS sip:192.0.2.1 SIP/2.0\nVia: SIP/2.0/TCP 198.51.100.7;branch=z9hG4bKo%d\nMax-Forwards: 70\n"
		    "From: <sip:%s@192.0.2.1>;tag=a\nTo: <sip:x@192.0.2.1>\nCall-ID: o%d\nCSeq: 1 OPTIONS\n%s",
		    i, line, i,
		    i && _i ? auth(nonce, "00000001", "OPTIONS",
				   "sip:192.0.2.1")
			    : "");
		world_settle(&w);
		if (i == 0 && _i)
			snprintf(nonce, sizeof(nonce), "%s",
				 get(w.sent[0].text, "nonce=\"", "\""));
	}
	ck_assert_ptr_nonnull(to(&c.dest, "SIP/2.0 200"));
	ck_assert_uint_gt(w.admitted, 0);
}
END_TEST

START_TEST(a_request_that_waits_outlives_no_device)
{
	struct config *old, *next;
	char nonce[128];
	const char *t;

	say(&w.udp, SIDE_PHONE, NULL,
	    "OPTIONS sip:192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKo\nMax-Forwards: 70\n"
	    "From: <sip:2003@192.0.2.1>;tag=a\nTo: <sip:x@192.0.2.1>\nCall-ID: o\nCSeq: 1 OPTIONS\n");
	snprintf(nonce, sizeof(nonce), "%s",
		 get(w.sent[0].text, "nonce=\"", "\""));
	say(&w.udp, SIDE_PHONE, NULL,
	    "INVITE sip:5551@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKi\n"
	    "Max-Forwards: 70\nFrom: <sip:2003@192.0.2.1>;tag=a\nTo: <sip:5551@192.0.2.1>\n"
	    "Call-ID: c1\nCSeq: 1 INVITE\nContact: <sip:2003@198.51.100.7:5060>\n%s",
	    auth(nonce, "00000001", "INVITE", "sip:5551@192.0.2.1"));
	world_settle(&w);
	ck_assert_ptr_nonnull(to(&w.core, "INVITE"));
	snprintf(w.asked, sizeof(w.asked), "%s", to(&w.core, "INVITE"));
	world_forget(&w);
	world_answer(&w, "180 Ringing", "");
	t = to(&w.udp, "SIP/2.0 180");
	ck_assert_ptr_nonnull(t);
	snprintf(ours, sizeof(ours), "%s",
		 get(strstr(t, "\r\nTo: "), "tag=", "\r;>"));
	snprintf(contact, sizeof(contact), "%s", get(t, "Contact: <", ">"));
	/* The device is taken out of the configuration: it retires. */
	old = w.config;
	next = world_config(more, sizeof(more) / sizeof(more[0]),
			    "SEP000000000003");
	ck_assert_int_eq(
		retirees_add(
			&w.retirees, old,
			config_device_find(old, slice_str("SEP000000000003"))),
		0);
	pipeline_reload(w.pipeline, next, w.now);
	w.config = next;
	config_unref(old);
	/* A request in its dialog waits for the store. */
	inside(&w.udp, NULL, "INFO", 2, "2003", "5551",
	       auth(nonce, "00000002", "INFO", contact));
	ck_assert_uint_eq(w.store_count, 1);
	/* Meanwhile the call ends, and the worker sweeps. */
	world_answer(&w, "486 Busy Here", "");
	ck_assert(!calls_has_device(w.calls, slice_str("SEP000000000003")));
	(void)retirees_sweep(&w.retirees, w.config, has_calls, gone, NULL);
	world_store(&w, 0); /* reads the device */
	world_keys(&w, 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("attacks");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_identity_in_a_dialog_is_the_lines);
	tcase_add_test(t, an_identity_in_a_reinvite_is_the_lines);
	tcase_add_loop_test(t, no_second_identity_hides_behind_a_parameter, 0,
			    3);
	tcase_add_test(t, an_identity_in_a_response_is_the_lines);
	tcase_add_test(t, a_trunk_without_trust_asserts_nothing);
	tcase_add_test(t, a_transfer_is_judged_by_who_is_transferred);
	tcase_add_test(t, a_refer_without_a_call_is_judged_by_its_uri);
	tcase_add_loop_test(t, a_forward_is_judged_by_who_called, 0, 3);
	tcase_add_test(t, a_forward_over_tcp_is_judged);
	tcase_add_test(t, a_trunks_presence_subscription_in_a_call_is_one_too);
	tcase_add_loop_test(
		t, a_refer_or_presence_in_a_subscription_is_judged_too, 0, 2);
	tcase_add_test(t, another_list_in_a_subscription_is_judged_too);
	tcase_add_loop_test(t, no_list_hides_whom_it_watches, 0,
			    (int)(sizeof(lists) / sizeof(lists[0])));
	tcase_add_test(t, audio_that_goes_elsewhere_has_no_lock);
	tcase_add_loop_test(t, a_connection_that_has_proved_itself_is_admitted,
			    0, 2);
	tcase_add_test(t, a_request_that_waits_outlives_no_device);
	return run_case("proxy/bypass", t);
}
