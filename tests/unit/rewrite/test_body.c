/*
 * Bodies and names of dialogs on their way to the other side: RFC 3891, RFC
 * 3515, RFC 4235, RFC 5621, and Cisco's remotecc.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/run.h"
#include "rewrite/body.h"
#include "rewrite/dialog_id.h"
#include "rewrite/hosts.h"

/* One dialog is known: in@core;ti;fi inside is "out" outside. */
static bool dialog(void *ctx, bool to_phone, const struct sip_out_ids *in,
		   struct sip_out_ids *ret)
{
	(void)ctx;
	if (!to_phone || !slice_eqs(in->call_id, "in<1@core") ||
	    !slice_eqs(in->tag[0], "ti") || !slice_eqs(in->tag[1], "fi"))
		return false;
	*ret = (struct sip_out_ids){.call_id = SLICE("out&1"),
				    .tag = {SLICE("to"), SLICE("fo")}};
	return true;
}

static bool contact(void *ctx, bool to_phone, struct slice user,
		    struct slice *ret_uri, struct slice *ret_user)
{
	(void)ctx;
	(void)to_phone;
	if (slice_eqs(user, "token")) {
		*ret_user = (struct slice)SLICE("1003");
		return true;
	}
	if (!slice_eqs(user, "leg"))
		return false;
	*ret_uri = (struct slice)SLICE("sip:focus@192.0.2.9;x=y");
	return true;
}

/* Another call manager, by which this phone is not served. */
static bool is_inside(void *ctx, const struct addr *a);

static struct addr ip(const char *text)
{
	struct addr a = {.family = ADDR_NONE};

	ck_assert_int_eq(addr_parse_ip(slice_str(text), &a), 0);
	return a;
}

static bool is_inside(void *ctx, const struct addr *a)
{
	struct addr other = ip("10.0.0.7");

	(void)ctx;
	return addr_ip_eq(a, &other);
}

static struct sip_out_rules rules(void)
{
	static const struct sip_out_lookup lookup = {
		.dialog = dialog, .contact = contact, .is_inside = is_inside};

	return (struct sip_out_rules){.to_phone = true,
				      .has_body = true,
				      .lookup = &lookup,
				      .map = {.ours = ip("10.0.0.1"),
					      .ours_new = ip("198.51.100.7"),
					      .peer = ip("10.0.0.2"),
					      .peer_new = ip("192.0.2.1"),
					      .hides_all = true,
					      .inside = &lookup}};
}

#define KNOWN "in<1@core;to-tag=ti;from-tag=fi"

static const struct {
	void (*copy)(struct writer *w, struct slice value,
		     const struct sip_out_rules *r);
	const char *in, *out;
} names[] = {
	{dialog_id_copy, KNOWN, "out&1;to-tag=to;from-tag=fo"},
	{dialog_id_copy, KNOWN ";early-only",
	 "out&1;to-tag=to;from-tag=fo;early-only"},
	{dialog_id_copy, "in<1@core ; from-tag=fi;to-tag=ti",
	 "out&1;from-tag=fo;to-tag=to"},
	{dialog_id_copy, "in<1@core;to-tag=ti;from-tag=no",
	 "in<1@core;to-tag=ti;from-tag=no"},
	{dialog_id_copy, "in<1@core;local-tag=ti;remote-tag=fi",
	 "out&1;local-tag=to;remote-tag=fo"},
	{dialog_id_copy_event,
	 "kpml;call-id=\"in<1@core\";from-tag=fi;to-tag=ti;id=7",
	 "kpml;call-id=\"out&1\";from-tag=fo;to-tag=to;id=7"},
	{dialog_id_copy_event, "presence", "presence"},
	/* The example of RFC 3891 section 5, our dialog in it. */
	{dialog_id_copy_refer_to,
	 "<sip:c@10.0.0.2?Replaces=in%3C1%40core%3Bto-tag%3Dti%3Bfrom-tag%3Dfi"
	 "&Require=replaces>",
	 "<sip:c@192.0.2.1?Replaces=out%261%3Bto-tag%3Dto%3Bfrom-tag%3Dfo"
	 "&Require=replaces>"},
	{dialog_id_copy_refer_to,
	 "\"C\" <sip:token@10.0.0.1:5060;x=y;method="
	 "INVITE>;early",
	 "\"C\" <sip:1003@192.0.2.1;method=INVITE>;early"},
	{dialog_id_copy_refer_to, "sip:leg@10.0.0.1",
	 "<sip:focus@192.0.2.9;x=y>"},
	{dialog_id_copy_refer_to, "<sip:leg@10.0.0.2>", "<sip:leg@192.0.2.1>"},
	{dialog_id_copy_refer_to, "<urn:x-cisco-remotecc:callback>",
	 "<urn:x-cisco-remotecc:callback>"},
	{dialog_id_copy_refer_to, "<sip:c@10.77.0.1?&a=%zz&>",
	 "<sip:c@192.0.2.1>"},
	{dialog_id_copy_xml,
	 "<dialogid>\n<callid>in&lt;1@core</callid>\n"
	 "<localtag>ti</localtag><remotetag>fi</remotetag></dialogid>",
	 "<dialogid>\n<callid>out&amp;1</callid>\n"
	 "<localtag>to</localtag><remotetag>fo</remotetag></dialogid>"},
	{dialog_id_copy_xml,
	 "<c:callid>in&lt;1@core</c:callid><c:remotetag> fi </c:remotetag>"
	 "<c:localtag>ti</c:localtag> at 10.0.0.2",
	 "<c:callid>out&amp;1</c:callid><c:remotetag> fo </c:remotetag>"
	 "<c:localtag>to</c:localtag> at 192.0.2.1"},
	{dialog_id_copy_xml,
	 "<dialog id='1' local-tag='ti' call-id='in&lt;1@core' remote-tag=\"fi\""
	 "><target uri=\"sip:1@10.9.9.9\"/></dialog>",
	 "<dialog id='1' local-tag='to' call-id='out&amp;1' remote-tag=\"fo\""
	 "><target uri=\"sip:1@192.0.2.1\"/></dialog>"},
	/* The id of the element is often the Call-ID again. */
	{dialog_id_copy_xml,
	 "<dialog id=\"in&lt;1@core\" call-id=\"in&lt;1@core\" "
	 "local-tag=\"ti\" remote-tag=\"fi\" direction=\"recipient\">",
	 "<dialog id=\"out&amp;1\" call-id=\"out&amp;1\" "
	 "local-tag=\"to\" remote-tag=\"fo\" direction=\"recipient\">"},
	/* The same in other words: a '>' may stand in a value, characters by
	 * number, text in CDATA. */
	{dialog_id_copy_xml,
	 "<dialog x='a>b' call-id='in&#60;1&#x40;core' local-tag=ti' "
	 "local-tag='ti' remote-tag='fi'>",
	 "<dialog x='a>b' call-id='in&#60;1&#x40;core' local-tag=ti' "
	 "local-tag='ti' remote-tag='fi'>"},
	{dialog_id_copy_xml,
	 "<dialog x='a>b' call-id='in&#60;1&#x40;core' local-tag='ti' "
	 "remote-tag='fi'>",
	 "<dialog x='a>b' call-id='out&amp;1' local-tag='to' "
	 "remote-tag='fo'>"},
	{dialog_id_copy_xml,
	 "<callid><![CDATA[in<1@core]]></callid><localtag>ti</localtag>"
	 "<remotetag>fi</remotetag>",
	 "<callid><![CDATA[out&1]]></callid><localtag>to</localtag>"
	 "<remotetag>fo</remotetag>"},
	/* A call in conference-info (RFC 4575 section 5.7). */
	{dialog_id_copy_xml,
	 "<call-info><sip><display-text>full</display-text>"
	 "<call-id>in&lt;1@core</call-id><from-tag>fi</from-tag>"
	 "<to-tag>ti</to-tag></sip></call-info>",
	 "<call-info><sip><display-text>full</display-text>"
	 "<call-id>out&amp;1</call-id><from-tag>fo</from-tag>"
	 "<to-tag>to</to-tag></sip></call-info>"},
	/* A Contact of ours is the line; ports go with their hosts; another
	 * call manager is not told of wherever it stands. */
	{dialog_id_copy_xml,
	 "<target uri=\"sip:token@10.0.0.1:5060;transport=udp\"/>"
	 "<identity>sip:2001@10.0.0.2:5080</identity> 10.0.0.7:1",
	 "<target uri=\"sip:1003@198.51.100.7;transport=udp\"/>"
	 "<identity>sip:2001@192.0.2.1</identity> 192.0.2.1:1"},
	{dialog_id_copy_xml, "sip:other@10.0.0.1 token@10.0.0.1",
	 "sip:other@198.51.100.7 token@198.51.100.7"},
	{dialog_id_copy_xml, "<callid>x</callid><callid",
	 "<callid>x</callid>"
	 "<callid"},
	{dialog_id_copy_xml, "<dialog call-id=in", "<dialog call-id=in"},
	{dialog_id_copy_xml, "<<<callid><localtag></localtag>>",
	 "<<<callid><localtag></localtag>>"},
};

START_TEST(a_dialog_has_its_other_names_on_the_other_side)
{
	uint8_t out[512];
	struct writer w;
	struct sip_out_rules r = rules();

	writer_init(&w, out, sizeof(out));
	names[_i].copy(&w, slice_str(names[_i].in), &r);
	ck_assert_msg(slice_eqs(writer_slice(&w), names[_i].out),
		      "%s gives %.*s", names[_i].in,
		      SLICE_FMT(writer_slice(&w)));
}
END_TEST

#define PARTS(a, b, c)                                                  \
	"--x\r\nContent-Type: application/isup\r\n\r\n" a "\r\n--x\r\n" \
	"Content-Type: application/sdp\r\n" c "\r\n" b "\r\n--x--\r\n"

static const struct {
	const char *head; /* header lines of the source */
	const char *body;
	const char *method;
	const char *session; /* given by the caller; NULL: none */
	const char *out;     /* from Content-Type on */
} bodies[] = {
	{"Content-Type: application/x", "at 10.0.0.2", "MESSAGE", NULL,
	 "Content-Type: application/x\r\nContent-Length: 11\r\n\r\n"
	 "at 10.0.0.2"},
	{"", "untyped", "MESSAGE", NULL, "Content-Length: 7\r\n\r\nuntyped"},
	{"Content-Type: application/simple-message-summary",
	 "Message-Account: sip:1@10.0.0.2\r\n", "NOTIFY", NULL,
	 "Content-Type: application/simple-message-summary\r\n"
	 "Content-Length: 34\r\n\r\nMessage-Account: sip:1@192.0.2.1\r\n"},
	{"Content-Type: application/pidf+xml\r\nContent-Encoding: gzip",
	 "<10.0.0.2>", "NOTIFY", NULL,
	 "Content-Type: application/pidf+xml\r\nContent-Length: 10\r\n\r\n"
	 "<10.0.0.2>"},
	{"Content-Type: message/sipfrag;version=2.0",
	 "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.2\r\n", "NOTIFY", NULL,
	 "Content-Type: message/sipfrag;version=2.0\r\nContent-Length: 16\r\n"
	 "\r\nSIP/2.0 200 OK\r\n"},
	/* Fragments without a status are headers of the other side. */
	{"Content-Type: message/sipfrag", "Call-ID: x@10.0.0.2\r\n", "REFER",
	 NULL,
	 "Content-Type: message/sipfrag\r\nContent-Length: 2\r\n\r\n\r\n"},
	{"Content-Type: message/cpim", "From: <sip:a@10.0.0.2>\r\n\r\nx",
	 "MESSAGE", NULL,
	 "Content-Type: message/cpim\r\nContent-Length: 28\r\n\r\n"
	 "From: <sip:a@192.0.2.1>\r\n\r\nx"},
	/* A report of quality (RFC 6035), what is to be had elsewhere (RFC 4483);
	 * a boundary is no address. */
	{"Content-Type: application/vq-rtcpxr",
	 "RemoteAddr:IP=10.0.0.2 PORT=5000\r\n", "PUBLISH", NULL,
	 "Content-Type: application/vq-rtcpxr\r\nContent-Length: 35\r\n\r\n"
	 "RemoteAddr:IP=192.0.2.1 PORT=5000\r\n"},
	{"Content-Type: message/external-body; URL=\"http://10.0.0.9:8080/x\"; "
	 "boundary=\"10.0.0.2\"; z=10.0.0.2",
	 "10.0.0.2", "NOTIFY", NULL,
	 "Content-Type: message/external-body; URL=\"http://192.0.2.1/x\"; "
	 "boundary=\"10.0.0.2\"; z=192.0.2.1\r\nContent-Length: 8\r\n\r\n"
	 "10.0.0.2"},
	/* A list of resources refers to its parts by their Content-ID (RFC 4662),
	 * and so does the type (RFC 2387). */
	{"Content-Type: multipart/related;start=\"<a@10.0.0.2>\";boundary=x",
	 "--x\r\nContent-ID: <a@10.0.0.2>\r\nContent-Type: "
	 "application/rlmi+xml\r\n\r\n<i cid=\"b@10.0.0.2\"/>\r\n"
	 "--x\nContent-ID: <b@10.0.0.2>\nContent-Length: 8\n\n"
	 "10.0.0.2\n--x--\n",
	 "NOTIFY", NULL,
	 "Content-Type: multipart/related;start=\"<a@192.0.2.1>\";boundary=x"
	 "\r\nContent-Length: 158\r\n\r\n"
	 "--x\r\nContent-ID: <a@192.0.2.1>\r\nContent-Type: "
	 "application/rlmi+xml\r\n\r\n<i cid=\"b@192.0.2.1\"/>\r\n"
	 "--x\nContent-ID: <b@192.0.2.1>\nContent-Length: 8\n\n"
	 "10.0.0.2\n--x--\n"},
	/* What is nested is searched for names, too; keys hide neither there nor
	 * behind an encoding. */
	{"Content-Type: multipart/mixed;boundary=x",
	 "--x\r\nContent-Type: Multipart/Mixed;boundary=y\r\n\r\n--y\r\n\r\n"
	 "<callid>in&lt;1@core</callid><localtag>ti</localtag><remotetag>fi"
	 "</remotetag>\r\n--y--\r\n--x--",
	 "REFER", NULL,
	 "Content-Type: multipart/mixed;boundary=x\r\nContent-Length: 144\r\n"
	 "\r\n--x\r\nContent-Type: Multipart/Mixed;boundary=y\r\n\r\n--y\r\n"
	 "\r\n<callid>out&amp;1</callid><localtag>to</localtag><remotetag>fo"
	 "</remotetag>\r\n--y--\r\n--x--"},
	{"Content-Type: multipart/mixed;boundary=x",
	 "--x\r\nContent-Type: Multipart/Mixed;boundary=y\r\n\r\n--y\r\n\r\n"
	 "a=crypto\r\n--y--\r\n--x\r\nContent-Type: Application/SDP\r\n"
	 "Content-Transfer-Encoding: base64\r\n\r\ndj0w\r\n--x--",
	 "REFER", NULL,
	 "Content-Type: multipart/mixed;boundary=x\r\nContent-Length: 131\r\n"
	 "\r\n--x\r\nContent-Type: Multipart/Mixed;boundary=y\r\n\r\n\r\n--x"
	 "\r\nContent-Type: Application/SDP\r\n"
	 "Content-Transfer-Encoding: base64\r\n\r\n\r\n--x--"},
	/* Session descriptions: replaced, kept back, or plain text. */
	{"Content-Type: application/sdp", "v=0 10.0.0.2", "INVITE", "new",
	 "Content-Type: application/sdp\r\nContent-Length: 3\r\n\r\nnew"},
	{"Content-Type: application/sdp", "v=0 10.0.0.2", "INVITE", NULL,
	 "Content-Length: 0\r\n\r\n"},
	{"Content-Type: application/sdp", "c=IN IP4 10.0.0.2", "OPTIONS", NULL,
	 "Content-Length: 0\r\n\r\n"},
	{"Content-Type: application/isup", "\1\2", "INVITE", NULL,
	 "Content-Type: application/isup\r\nContent-Length: 2\r\n\r\n\1\2"},
	{"Content-Type: multipart/mixed;boundary=x",
	 PARTS("10.0.0.2", "v=0", "Content-Length: 3\r\n"), "INVITE", "newer",
	 "Content-Type: multipart/mixed;boundary=x\r\nContent-Length: 101\r\n"
	 "\r\n" PARTS("10.0.0.2", "newer", "")},
	{"Content-Type: multipart/mixed;boundary=x",
	 PARTS("10.0.0.2", "v=0", ""), "INVITE", NULL,
	 "Content-Length: 0\r\n\r\n"},
	{"Content-Type: multipart/mixed;boundary=x",
	 "--x\r\nContent-Type: text/xml\r\n\r\n<a>10.0.0.2</a>\r\n--x--",
	 "REFER", NULL,
	 "Content-Type: multipart/mixed;boundary=x\r\nContent-Length: 54\r\n"
	 "\r\n--x\r\nContent-Type: text/xml\r\n\r\n<a>192.0.2.1</a>\r\n"
	 "--x--"},
	/* Not readable: no address goes through all the same. */
	{"Content-Type: multipart/mixed;boundary=x", "--y 10.0.0.2 --y--",
	 "REFER", NULL,
	 "Content-Type: multipart/mixed;boundary=x\r\nContent-Length: 19\r\n"
	 "\r\n--y 192.0.2.1 --y--"},
};

START_TEST(a_body_passes_as_its_type_asks)
{
	static struct sip_msg m;
	static char text[2048];
	uint8_t out[2048];
	struct sip_out_rules r = rules();
	struct slice session = slice_str(bodies[_i].session);
	struct writer w;
	int len = snprintf(
		text, sizeof(text),
		"%s sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
		"From: <sip:1@x>;tag=1\r\nTo: <sip:2@x>\r\nCall-ID: c\r\n"
		"CSeq: 1 %s\r\n%s%s\r\n%s",
		bodies[_i].method, bodies[_i].method, bodies[_i].head,
		bodies[_i].head[0] ? "\r\n" : "", bodies[_i].body);

	ck_assert_int_eq(sip_msg_parse((uint8_t *)text, (size_t)len, &m, NULL),
			 0);
	writer_init(&w, out, sizeof(out));
	body_print(&w, &m, &r,
		   slice_str(session.len > 0 ? "application/sdp" : ""),
		   session);
	ck_assert_msg(slice_eqs(writer_slice(&w), bodies[_i].out),
		      "row %d gives %.*s", _i, SLICE_FMT(writer_slice(&w)));
	/* Every size of buffer is either enough or says that it is not. */
	for (size_t cap = 0; cap < strlen(bodies[_i].out); cap++) {
		writer_init(&w, out, cap);
		body_print(&w, &m, &r,
			   slice_str(session.len > 0 ? "application/sdp" : ""),
			   session);
		ck_assert(!writer_ok(&w));
	}
}
END_TEST

/* Work that grows with the square of this would take minutes. */
enum { LONG = 2 << 20 };

static uint8_t long_in[LONG];
static uint8_t long_out[LONG];

START_TEST(a_long_text_takes_no_longer_for_what_is_no_address)
{
	const struct sip_out_map map = {.hides_all = true};
	struct slice in = slice_make(long_in, sizeof(long_in));
	struct writer w;

	for (size_t i = 0; i < LONG; i++)
		long_in[i] = (uint8_t) "a 1:[b"[i % 6];
	writer_init(&w, long_out, sizeof(long_out));
	hosts_copy(&w, in, &map);
	ck_assert(slice_eq(writer_slice(&w), in));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("rows");

	tcase_add_loop_test(t, a_dialog_has_its_other_names_on_the_other_side,
			    0, (int)(sizeof(names) / sizeof(names[0])));
	tcase_add_loop_test(t, a_body_passes_as_its_type_asks, 0,
			    (int)(sizeof(bodies) / sizeof(bodies[0])));
	tcase_add_test(t, a_long_text_takes_no_longer_for_what_is_no_address);
	return run_case("rewrite/body", t);
}
