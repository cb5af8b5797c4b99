/* Messages as lists of header slices: RFC 3261 sections 7 and 20. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/run.h"
#include "sip/msg.h"
#include "sip/print.h"

static struct sip_msg m;
static struct sip_reject why;
static char text[32768];

/* Parse printf-made text with CRLF line ends in it. */
static int parse(const char *s, size_t len)
{
	memcpy(text, s, len);
	memset(&why, 0, sizeof(why));
	return sip_msg_parse((uint8_t *)text, len, &m, &why);
}

#define V   "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
#define F   "From: <sip:a@h>;tag=1\r\n"
#define T   "To: <sip:b@h>\r\n"
#define I   "Call-ID: c@h\r\n"
#define C   "CSeq: 1 INFO\r\n"
#define REQ "INFO sip:b@h SIP/2.0\r\n"
#define E   "\r\n"

static const struct {
	const char *bytes;
	unsigned status; /* 0 = accepted */
} rows[] = {
	{REQ V F T I C E, 0},
	{REQ V F T I C "Content-Length: 0\r\n" E, 0},
	{REQ "v : SIP/2.0/UDP h\r\nf:<sip:a@h>\r\nt:<sip:b@h>\r\ni:c\r\n" C E,
	 0},
	{"INFO sip:b@h sip/2.0\r\n" V F T I C E, 0},
	{"INFO tel:+123 SIP/2.0\r\n" V F T I C E, 0},
	{"INFO urn:service:sos SIP/2.0\r\n" V F T I C E, 0},
	{"INFO mailto:a@b SIP/2.0\r\n" V F T I C E, 416},
	{"INFO sip:b@h SIP/3.0\r\n" V F T I C E, 505},
	{"INFO sip:b@h HTTP/1.1\r\n" V F T I C E, 400},
	{"INFO sip:b@h\r\n" V F T I C E, 400},
	{"INFO\r\n" V F T I C E, 400},
	{"IN(FO sip:b@h SIP/2.0\r\n" V F T I C E, 400},
	{"info sip:b@h SIP/2.0\r\n" V F T I C E, 400}, /* CSeq says INFO */
	{REQ F T I C E, 400},
	{REQ V T I C E, 400},
	{REQ V F I C E, 400},
	{REQ V F T C E, 400},
	{REQ V F T I E, 400},
	{REQ V F F T I C E, 400},
	{REQ V F T T I C E, 400},
	{REQ V F T I I C E, 400},
	{REQ V F T I C C E, 400},
	{REQ V F T I "i: other\r\n" C E, 400},
	{REQ V F T I C "Max-Forwards: 1\r\nMax-Forwards : 2\r\n" E, 400},
	{REQ V F T I C "Content-Length: 0\r\nl : 0\r\n" E, 400},
	{REQ V F T I C "Max-Forwards: 256\r\n" E, 400},
	{REQ V F T I C "Max-Forwards: -1\r\n" E, 400},
	{REQ V F T I C "Max-Forwards:\r\n" E, 400},
	{REQ V F T I C "Content-Length: 1\r\n" E, 400},
	{REQ V F T I C "Content-Length: +0\r\n" E, 400},
	{REQ V F T I "CSeq: 2147483648 INFO\r\n" E, 400},
	{REQ V F T I "CSeq: 2147483647 INFO\r\n" E, 0},
	{REQ V F T I "CSeq: 1INFO\r\n" E, 400},
	{REQ V F T I "CSeq: INFO\r\n" E, 400},
	{REQ V F T I "CSeq: 1\r\n" E, 400},
	{REQ V F T I "CSeq: 1 BYE\r\n" E, 400},
	{REQ V F T "Call-ID: a b\r\n" C E, 400},
	{REQ V "From: <sip:a@h>;tag=1;tag=2\r\n" T I C E, 400},
	{REQ V "From: <sip:a@h>;tag=\r\n" T I C E, 400},
	{REQ V F T I C "Contact: <sip:a@h\r\n" E, 400},
	{REQ V F T I C "no colon here\r\n" E, 400},
	{REQ V F T I C ": no name\r\n" E, 400},
	{REQ V F T I C "bad name: x\r\n" E, 400},
	{REQ V F T I C, 400},
	{REQ " folded start line\r\n" V F T I C E, 400},
	{"SIP/2.0 200 OK\r\n" V F T I C E, 0},
	{"SIP/2.0 200\r\n" V F T I C E, 0},
	{"SIP/2.0 99 Low\r\n" V F T I C E, 400},
	{"SIP/2.0 700 High\r\n" V F T I C E, 400},
	{"SIP/2.0 0200 OK\r\n" V F T I C E, 400},
	{"SIP/3.0 200 OK\r\n" V F T I C E, 505},
	{"", 400},
	{"\r\n", 400},
	{"\r\n\r\n", 400},
};

START_TEST(messages_are_accepted_or_refused_as_the_table_says)
{
	int err = parse(rows[_i].bytes, strlen(rows[_i].bytes));

	ck_assert_msg(why.status == rows[_i].status, "%u %s:\n%s", why.status,
		      why.reason, rows[_i].bytes);
	ck_assert_int_eq(err, rows[_i].status ? ERR_BAD : 0);
}
END_TEST

START_TEST(parts_of_a_request_are_found)
{
	static const char s[] =
		"INVITE sip:b@h;x SIP/2.0\r\n"
		"v: SIP/2.0/TLS h1;branch=z9hG4bKa,SIP/2.0/UDP h2\r\n"
		"VIA: SIP/2.0/UDP h3;branch=z9hG4bKb\r\n"
		"fRoM : A\r\n\t<sip:a@h>\r\n ;tag=ft\r\n"
		"To: <sip:b@h>;tag=tt\r\n"
		"i:\t id@h \r\n"
		"CSeq: 0009\r\n INVITE\r\n"
		"Max-Forwards: 007\r\n"
		"X-Own: \xc3\xa4,b\r\n"
		"Empty:\r\n"
		"Supported: 100rel , timer;x=1\r\n"
		"k: replaces\r\n"
		"Content-Length: 3\r\n\r\nabc trailing";
	struct slice v;
	size_t pos = 0;

	ck_assert_int_eq(parse(s, sizeof(s) - 1), 0);
	ck_assert(m.is_request);
	ck_assert_int_eq(m.method, SIP_METHOD_INVITE);
	ck_assert(slice_eqs(m.ruri, "sip:b@h;x"));
	ck_assert(slice_eqs(m.branch, "z9hG4bKa"));
	ck_assert(slice_eqs(m.via, "SIP/2.0/TLS h1;branch=z9hG4bKa"));
	ck_assert(slice_eqs(m.from_tag, "ft"));
	ck_assert(slice_eqs(m.to_tag, "tt"));
	ck_assert(slice_eqs(m.call_id, "id@h"));
	ck_assert_uint_eq(m.cseq, 9);
	ck_assert_uint_eq(m.max_forwards, 7);
	ck_assert(slice_eqs(m.body, "abc"));
	ck_assert_uint_eq(m.raw.len, sizeof(s) - 1 - strlen(" trailing"));
	ck_assert(slice_eqs(m.hdr[2].name, "fRoM"));
	ck_assert(slice_eqs(m.from, "A  \t<sip:a@h>   ;tag=ft"));
	ck_assert(sip_msg_next(&m, SIP_HDR_VIA, &pos, &v));
	ck_assert(sip_msg_next(&m, SIP_HDR_VIA, &pos, &v));
	ck_assert(slice_eqs(v, "SIP/2.0/UDP h2"));
	ck_assert(sip_msg_next(&m, SIP_HDR_VIA, &pos, &v));
	ck_assert(slice_eqs(v, "SIP/2.0/UDP h3;branch=z9hG4bKb"));
	ck_assert(!sip_msg_next(&m, SIP_HDR_VIA, &pos, &v));
	ck_assert(!sip_msg_next(&m, SIP_HDR_VIA, &pos, &v));
	ck_assert(sip_msg_has_token(&m, SIP_HDR_SUPPORTED, "TIMER"));
	ck_assert(sip_msg_has_token(&m, SIP_HDR_SUPPORTED, "replaces"));
	ck_assert(!sip_msg_has_token(&m, SIP_HDR_SUPPORTED, "100"));
	ck_assert(!sip_msg_has_token(&m, SIP_HDR_REQUIRE, "timer"));
	ck_assert_ptr_eq(sip_msg_find_name(&m, "x-own"), &m.hdr[7]);
	ck_assert_uint_eq(sip_msg_find_name(&m, "Empty")->value.len, 0);
	ck_assert_ptr_null(sip_msg_find_name(&m, "X-Ow"));
	ck_assert_ptr_null(sip_msg_find(&m, SIP_HDR_CONTACT));
	ck_assert_uint_eq(sip_msg_value(&m, SIP_HDR_CONTACT).len, 0);
}
END_TEST

START_TEST(parts_of_a_response_are_found)
{
	static const char s[] = "SIP/2.0 480 \xc3\xa4\xc3\xb6 later\r\n" V F T I
				"CSeq: 5 NEW-method\r\n" E "body without type";

	ck_assert_int_eq(parse(s, sizeof(s) - 1), 0);
	ck_assert(!m.is_request);
	ck_assert_uint_eq(m.status, 480);
	ck_assert(slice_eqs(m.reason, "\xc3\xa4\xc3\xb6 later"));
	ck_assert_int_eq(m.method, SIP_METHOD_OTHER);
	ck_assert(slice_eqs(m.method_name, "NEW-method"));
	ck_assert_uint_eq(m.max_forwards, 70);
	ck_assert(slice_eqs(m.body, "body without type"));
	ck_assert_uint_eq(m.to_tag.len, 0);
}
END_TEST

/* Whatever hides in an escape, no slice holds a control byte. */
START_TEST(escaped_control_bytes_are_neutralised)
{
	static const char s[] =
		REQ V F "To: \"\\\0\\\007\\\177\" <sip:b@h>\r\n" I C E;

	ck_assert_int_eq(parse(s, sizeof(s) - 1), 0);
	ck_assert(slice_eqs(m.to, "\"\\?\\?\\?\" <sip:b@h>"));
}
END_TEST

START_TEST(refused_requests_can_be_answered_but_not_acks_or_responses)
{
	static const char bad[] = "Max-Forwards: 999\r\n" E;
	char s[512];
	char out[1024];
	struct writer w;

	snprintf(s, sizeof(s), "%s%s", REQ V F T I C, bad);
	ck_assert_int_eq(parse(s, strlen(s)), ERR_BAD);
	ck_assert(m.via.len > 0);
	writer_init(&w, out, sizeof(out) - 1);
	sip_print_reply(&w, &m, why.status, slice_str(why.reason),
			slice_str("t"), NULL);
	out[w.len] = '\0';
	ck_assert_str_eq(out, "SIP/2.0 400 Bad Max-Forwards\r\n" V F
			      "To: <sip:b@h>;tag=t\r\n" I C);
	snprintf(s, sizeof(s), "%s%s",
		 "ACK sip:b@h SIP/2.0\r\n" V F T I "CSeq: 1 ACK\r\n", bad);
	ck_assert_int_eq(parse(s, strlen(s)), ERR_BAD);
	ck_assert_uint_eq(m.via.len, 0);
	snprintf(s, sizeof(s), "%s%s", "SIP/2.0 200 OK\r\n" V F T I C, bad);
	ck_assert_int_eq(parse(s, strlen(s)), ERR_BAD);
	ck_assert_uint_eq(m.via.len, 0);
}
END_TEST

START_TEST(vias_and_headers_have_limits)
{
	for (int extra = 0; extra < 2; extra++) {
		static char s[16384];
		int n = sprintf(s, "%s", REQ F T I C);

		for (int i = 0; i < SIP_VIAS_MAX + extra; i++)
			n += sprintf(s + n, "%s%s", i % 2 ? "," : "\r\nVia: ",
				     "SIP/2.0/UDP h");
		n += sprintf(s + n, "\r\n\r\n");
		/* The first CRLF above would end the head. */
		memmove(s + strlen(REQ F T I C), s + strlen(REQ F T I C) + 2,
			(size_t)n - strlen(REQ F T I C) - 1);
		ck_assert_int_eq(parse(s, (size_t)n - 2), extra ? ERR_BAD : 0);
		n = sprintf(s, "%s", REQ V F T I C);
		for (int i = 0; i < SIP_HDRS_MAX - 5 + extra; i++)
			n += sprintf(s + n, "a: b\r\n");
		n += sprintf(s + n, "\r\n");
		ck_assert_int_eq(parse(s, (size_t)n), extra ? ERR_BAD : 0);
	}
}
END_TEST

START_TEST(every_name_finds_itself)
{
	for (int i = 1; i < SIP_HDR_COUNT; i++)
		ck_assert_int_eq((int)sip_hdr_find(slice_str(
					 sip_hdr_name((enum sip_hdr_id)i))),
				 i);
	for (int i = 1; i <= SIP_METHOD_PUBLISH; i++)
		ck_assert_int_eq((int)sip_method_find(slice_str(
					 sip_method_name((enum sip_method)i))),
				 i);
	ck_assert_int_eq(sip_hdr_find(slice_str("V")), SIP_HDR_VIA);
	ck_assert_int_eq(sip_hdr_find(slice_str("z")), SIP_HDR_OTHER);
	ck_assert_int_eq(sip_hdr_find(SLICE_NULL), SIP_HDR_OTHER);
	ck_assert_int_eq(sip_method_find(slice_str("invite")),
			 SIP_METHOD_OTHER);
	ck_assert_str_eq(sip_status_reason(488), "Not Acceptable Here");
	ck_assert_str_eq(sip_status_reason(299), "");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("RFC 3261 section 7");

	tcase_add_loop_test(tc,
			    messages_are_accepted_or_refused_as_the_table_says,
			    0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, parts_of_a_request_are_found);
	tcase_add_test(tc, parts_of_a_response_are_found);
	tcase_add_test(tc, escaped_control_bytes_are_neutralised);
	tcase_add_test(
		tc, refused_requests_can_be_answered_but_not_acks_or_responses);
	tcase_add_test(tc, vias_and_headers_have_limits);
	tcase_add_test(tc, every_name_finds_itself);
	return run_case("msg", tc);
}
