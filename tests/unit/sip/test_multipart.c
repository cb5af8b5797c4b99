/*
 * Multipart bodies: RFC 2046 section 5.1.1, and what RFC 5621 asks of a SIP
 * element that must find a session description.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/run.h"
#include "sip/msg.h"
#include "sip/multipart.h"

#define TYPE	 "multipart/mixed;boundary=\"b 1\""
#define SDP_PART "--b 1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n"

static struct sip_multipart m;
static struct sip_part part;

static int begin(const char *type, const char *body)
{
	return sip_multipart_open(slice_str(type), slice_str(body), &m);
}

START_TEST(parts_come_in_order_without_the_line_end_before_the_delimiter)
{
	ck_assert_int_eq(begin(TYPE,
			       "preamble\r\n--b 1\r\nContent-Type: a/b\r\n"
			       "Content-Encoding: gzip\r\nX: y\r\n\r\n"
			       "one\r\n\r\n--b 1  \r\n\r\ntwo\n--b 1--\r\n"
			       "epilogue"),
			 0);
	ck_assert_int_eq(sip_multipart_next(&m, &part), 0);
	ck_assert(slice_eqs(part.type, "a/b"));
	ck_assert(slice_eqs(part.encoding, "gzip"));
	ck_assert(slice_eqs(part.body, "one\r\n"));
	ck_assert_int_eq(sip_multipart_next(&m, &part), 0);
	ck_assert_uint_eq(part.type.len, 0);
	ck_assert_uint_eq(part.head.len, 0);
	ck_assert(slice_eqs(part.body, "two"));
	ck_assert_int_eq(sip_multipart_next(&m, &part), ERR_NOTFOUND);
	ck_assert_int_eq(sip_multipart_next(&m, &part), ERR_NOTFOUND);
}
END_TEST

static const struct {
	const char *type;
	const char *body;
	int open; /* result of sip_multipart_open */
	int next; /* of the first sip_multipart_next */
} broken[] = {
	{"text/plain;boundary=x", "--x\r\n\r\n--x--", ERR_NOTFOUND, 0},
	{"multipart/mixed", "--x\r\n\r\n--x--", ERR_BAD, 0},
	{"multipart/mixed;boundary=", "--\r\n\r\n----", ERR_BAD, 0},
	{"multipart/mixed;boundary="
	 "0123456789012345678901234567890123456789012345678901234567890123456"
	 "789x",
	 "", ERR_BAD, 0},
	{"multipart/mixed;boundary=x", "", ERR_BAD, 0},
	{"multipart/mixed;boundary=x", "nothing", ERR_BAD, 0},
	{"multipart/mixed;boundary=x", "--x--", ERR_BAD, 0},
	{"multipart/mixed;boundary=x", "--xy\r\n\r\n--xy--", ERR_BAD, 0},
	{"multipart/mixed;boundary=x", "--x\r\n\r\nno end", 0, ERR_BAD},
	{"multipart/mixed;boundary=x", "--x\r\nA: b\r\n--x--", 0, ERR_BAD},
	{"multipart/mixed;boundary=x", "--x\r\nA: b\r\n c\r\n\r\n--x--", 0,
	 ERR_BAD},
	{"multipart/mixed;boundary=x", "--x\r\n\r\n\r\n--x--", 0, 0},
};

START_TEST(what_cannot_be_read_is_refused)
{
	ck_assert_int_eq(begin(broken[_i].type, broken[_i].body),
			 broken[_i].open);
	if (broken[_i].open == 0)
		ck_assert_int_eq(sip_multipart_next(&m, &part),
				 broken[_i].next);
}
END_TEST

START_TEST(parts_and_their_heads_have_limits)
{
	static char body[64 * 1024];
	size_t n = 0;
	int err = 0;
	int count = 0;

	for (int i = 0; i <= SIP_PARTS_MAX; i++)
		n += (size_t)sprintf(body + n, "--x\r\n\r\n%d\r\n", i);
	sprintf(body + n, "--x--");
	ck_assert_int_eq(begin("multipart/mixed;boundary=x", body), 0);
	while ((err = sip_multipart_next(&m, &part)) == 0)
		count++;
	ck_assert_int_eq(err, ERR_LIMIT);
	ck_assert_int_eq(count, SIP_PARTS_MAX);
	for (int i = 0; i < 2; i++) {
		/* At the limit, and one byte more. */
		n = (size_t)sprintf(body, "--x\r\nA: %0*d\r\n",
				    SIP_PART_HEAD_MAX - 5 + i, 1);
		sprintf(body + n, "\r\nbody\r\n--x--");
		ck_assert_int_eq(begin("multipart/mixed;boundary=x", body), 0);
		ck_assert_int_eq(sip_multipart_next(&m, &part),
				 i ? ERR_LIMIT : 0);
	}
}
END_TEST

#define ISUP "--b 1\r\nContent-Type: application/isup\r\n\r\nxx\r\n"

static const struct {
	const char *type, *encoding, *body;
	int result;
} sessions[] = {
	{"application/sdp", "", "v=0\r\n", 0},
	{"Application/SDP ; charset=utf-8", "identity", "v=0\r\n", 0},
	{"application/sdp", "gzip", "v=0\r\n", ERR_UNSUPPORTED},
	{"application/sdp", "", "", ERR_NOTFOUND},
	{"text/plain", "", "v=0\r\n", ERR_NOTFOUND},
	{TYPE, "", ISUP SDP_PART "--b 1--", 0},
	{TYPE, "", SDP_PART ISUP "--b 1--", 0},
	{"multipart/related; boundary=\"b 1\"", "", SDP_PART "--b 1--", 0},
	{"multipart/alternative; boundary=\"b 1\"", "", SDP_PART "--b 1--",
	 ERR_UNSUPPORTED},
	{TYPE, "", ISUP "--b 1--", ERR_NOTFOUND},
	{TYPE, "", SDP_PART SDP_PART "--b 1--", ERR_UNSUPPORTED},
	{TYPE, "", SDP_PART ISUP, ERR_BAD},
	{TYPE, "deflate", SDP_PART "--b 1--", ERR_UNSUPPORTED},
	{TYPE, "",
	 "--b 1\r\nContent-Type: application/sdp\r\n"
	 "Content-Transfer-Encoding: base64\r\n\r\nv=0\r\n--b 1--",
	 ERR_UNSUPPORTED},
	{TYPE, "",
	 SDP_PART "--b 1\r\nContent-Type: multipart/mixed;boundary=y\r\n\r\n"
		  "--y--\r\n--b 1--",
	 ERR_UNSUPPORTED},
};

START_TEST(only_one_session_description_can_be_meant)
{
	struct slice type;
	struct slice body;
	int err = sip_body_session(slice_str(sessions[_i].type),
				   slice_str(sessions[_i].encoding),
				   slice_str(sessions[_i].body), &type, &body);

	ck_assert_int_eq(err, sessions[_i].result);
	if (err)
		return;
	ck_assert(slice_eqs(body, "v=0\r\n"));
	ck_assert(sip_type_is(type, "application/sdp"));
}
END_TEST

START_TEST(message_shows_the_session_and_keeps_the_package)
{
	static char text[] =
		"INVITE sip:b SIP/2.0\r\n"
		"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
		"From: <sip:x@y>;tag=1\r\nTo: <sip:x@y>\r\n"
		"Call-ID: c\r\nCSeq: 1 INVITE\r\n"
		"Content-Type: " TYPE "\r\n\r\n" ISUP SDP_PART "--b 1--";
	static struct sip_msg msg;

	ck_assert_int_eq(
		sip_msg_parse((uint8_t *)text, sizeof(text) - 1, &msg, NULL),
		0);
	ck_assert(slice_eqs(msg.body, "v=0\r\n"));
	ck_assert(slice_eqs(sip_msg_value(&msg, SIP_HDR_CONTENT_TYPE),
			    "application/sdp"));
	ck_assert(slice_eqs(msg.package, ISUP SDP_PART "--b 1--"));
	ck_assert(slice_eqs(msg.package_type, TYPE));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("RFC 2046, RFC 5621");

	tcase_add_test(
		t,
		parts_come_in_order_without_the_line_end_before_the_delimiter);
	tcase_add_loop_test(t, what_cannot_be_read_is_refused, 0,
			    (int)(sizeof(broken) / sizeof(broken[0])));
	tcase_add_test(t, parts_and_their_heads_have_limits);
	tcase_add_loop_test(t, only_one_session_description_can_be_meant, 0,
			    (int)(sizeof(sessions) / sizeof(sessions[0])));
	tcase_add_test(t, message_shows_the_session_and_keeps_the_package);
	return run_case("sip/multipart", t);
}
