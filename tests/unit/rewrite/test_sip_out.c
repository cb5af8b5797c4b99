/*
 * Addresses, Contacts, option tags and response heads as the other side sees
 * them (RFC 3261 sections 8.1.1, 8.2.2.3, 12.1.1).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/run.h"
#include "rewrite/sip_out.h"

static struct addr ip(const char *s)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_ip(slice_str(s), &a), 0);
	return a;
}

struct addr_row {
	const char *in;
	const char *out;
};

static const struct addr_row addr_rows[] = {
	{"sip:1@192.0.2.1", "sip:1@10.0.0.2"},
	{"<sip:1@192.0.2.1:5061;transport=tls>",
	 "<sip:1@10.0.0.2;transport=tls>"},
	{"\"192.0.2.1\" <sip:192.0.2.1@192.0.2.1>",
	 "\"10.0.0.2\" <sip:10.0.0.2@10.0.0.2>"},
	{"<sip:192.0.2.1>;tag=9", "<sip:10.0.0.2>;tag=9"},
	{"<sip:1@192.0.2.10>", "<sip:1@192.0.2.10>"},
	{"<sip:1@198.51.100.7>", "<sip:1@10.0.0.1>"},
	{"<sip:1@pbx.example>", "<sip:1@pbx.example>"},
	{"<tel:+4912345>", "<tel:+4912345>"},
	{"<sip:1@[2001:db8::1]:5060>", "<sip:1@[2001:db8::1]:5060>"},
	{"nonsense <", "nonsense <"},
};

static const struct sip_out_map *the_map(void)
{
	static struct sip_out_map m;

	m = (struct sip_out_map){.ours = ip("192.0.2.1"),
				 .ours_new = ip("10.0.0.2"),
				 .peer = ip("198.51.100.7"),
				 .peer_new = ip("10.0.0.1")};
	return &m;
}

START_TEST(only_the_hosts_of_this_side_are_replaced)
{
	uint8_t out[256];
	struct writer w;

	writer_init(&w, out, sizeof(out));
	sip_out_addr(&w, slice_str(addr_rows[_i].in), the_map());
	ck_assert_msg(slice_eqs(writer_slice(&w), addr_rows[_i].out),
		      "%s gives %.*s", addr_rows[_i].in,
		      SLICE_FMT(writer_slice(&w)));
}
END_TEST

static const struct addr_row identity_rows[] = {
	{"<sip:1@pbx>;tag=abc", "<sip:1@pbx>"},
	{"<sip:1@pbx>;x=1;tag=abc;y=2", "<sip:1@pbx>;x=1;y=2"},
	{"<sip:1@pbx> ; TAG = abc", "<sip:1@pbx>"},
	{"\"a;tag=b\" <sip:1@192.0.2.1;tag=no>;tag=abc",
	 "\"a;tag=b\" <sip:1@10.0.0.2;tag=no>"},
	{"<sip:1@pbx>", "<sip:1@pbx>"},
};

START_TEST(an_identity_loses_its_tag_only)
{
	uint8_t out[256];
	struct writer w;

	writer_init(&w, out, sizeof(out));
	sip_out_identity(&w, slice_str(identity_rows[_i].in), the_map());
	ck_assert_msg(slice_eqs(writer_slice(&w), identity_rows[_i].out),
		      "%s gives %.*s", identity_rows[_i].in,
		      SLICE_FMT(writer_slice(&w)));
}
END_TEST

START_TEST(a_contact_names_our_address_and_transport)
{
	struct dest d = {.local = addr_with_port(&(struct addr){0}, 0)};
	uint8_t out[256];
	struct writer w;

	d.local = ip("2001:db8::1");
	d.local.port = 5061;
	d.is_reliable = true;
	d.is_tls = true;
	writer_init(&w, out, sizeof(out));
	sip_out_contact(&w, &d, slice_str("u"));
	d.is_tls = false;
	sip_out_contact(&w, &d, slice_str("u"));
	d.is_reliable = false;
	sip_out_contact(&w, &d, slice_str("u"));
	ck_assert(slice_eqs(writer_slice(&w),
			    "<sip:u@[2001:db8::1]:5061;transport=tls>"
			    "<sip:u@[2001:db8::1]:5061;transport=tcp>"
			    "<sip:u@[2001:db8::1]:5061;transport=udp>"));
}
END_TEST

static void parse(struct sip_msg *m, char *text)
{
	ck_assert_int_eq(sip_msg_parse((uint8_t *)text, strlen(text), m, NULL),
			 0);
}

START_TEST(unknown_option_tags_are_found_in_both_lists)
{
	static struct sip_msg m;
	char text[] = "INVITE sip:a@b SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
		      "From: <sip:1@pbx>;tag=1\r\nTo: <sip:2@pbx>\r\n"
		      "Call-ID: c\r\nCSeq: 1 INVITE\r\n"
		      "Proxy-Require: p1, norefersub\r\n"
		      "Require: X-cisco-xsi, 100rel\r\nRequire: r2\r\n"
		      "Proxy-Require: p2\r\nContent-Length: 0\r\n\r\n";
	static const char *const want[] = {"r2", "p1", "p2"};
	struct slice tag;
	size_t pos = 0;

	parse(&m, text);
	for (size_t i = 0; i < 3; i++) {
		ck_assert(sip_out_unsupported(&m, &pos, &tag));
		ck_assert(slice_eqs(tag, want[i]));
	}
	ck_assert(!sip_out_unsupported(&m, &pos, &tag));
}
END_TEST

START_TEST(a_response_head_is_what_the_peer_needs_to_find_its_request)
{
	static struct sip_msg m;
	char text[] = "INVITE sip:a@b SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n"
		      "Via: SIP/2.0/UDP g;branch=z9hG4bK0\r\n"
		      "Record-Route: <sip:h;lr>\r\n"
		      "From: <sip:1@pbx>;tag=1\r\nTo: <sip:2@pbx>\r\n"
		      "Call-ID: c\r\nCSeq: 1 INVITE\r\nSubject: no\r\n"
		      "Content-Length: 0\r\n\r\n";
	struct addr source = ip("198.51.100.7");
	uint8_t out[512];
	struct writer w;

	source.port = 4000;
	parse(&m, text);
	writer_init(&w, out, sizeof(out));
	sip_out_reply_head(&w, &m, slice_str("tt"), &source);
	ck_assert_msg(slice_eqs(writer_slice(&w),
				"Via: SIP/2.0/UDP h;branch=z9hG4bK1"
				";received=198.51.100.7;rport=4000\r\n"
				"Via: SIP/2.0/UDP g;branch=z9hG4bK0\r\n"
				"From: <sip:1@pbx>;tag=1\r\n"
				"To: <sip:2@pbx>;tag=tt\r\n"
				"Call-ID: c\r\nCSeq: 1 INVITE\r\n"
				"Record-Route: <sip:h;lr>\r\n"),
		      "%.*s", SLICE_FMT(writer_slice(&w)));
}
END_TEST

START_TEST(a_message_that_does_not_fit_is_marked_and_stays_inside)
{
	struct dest d = {.local = ip("192.0.2.1")};
	struct sip_dialog dialog = {.call_id = (char[]){"c"},
				    .local = (char[]){"<sip:a>"},
				    .remote = (char[]){"<sip:b>"},
				    .local_tag = (char[]){"t"},
				    .target = (char[]){"sip:b"}};
	struct sip_out_request r = {.method = SLICE("BYE"),
				    .branch = SLICE("z9hG4bK1"),
				    .dest = &d,
				    .max_forwards = 70,
				    .dialog = &dialog,
				    .cseq = 1};
	uint8_t out[512];
	size_t need;
	struct writer w;

	writer_init(&w, out, sizeof(out));
	sip_out_request(&w, &r);
	need = w.len;
	ck_assert(writer_ok(&w));
	for (size_t cap = 0; cap < need; cap++) {
		out[cap] = 0xa5;
		writer_init(&w, out, cap);
		sip_out_request(&w, &r);
		ck_assert(!writer_ok(&w));
		ck_assert_uint_eq(out[cap], 0xa5);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("messages");

	tcase_add_loop_test(t, only_the_hosts_of_this_side_are_replaced, 0,
			    (int)(sizeof(addr_rows) / sizeof(addr_rows[0])));
	tcase_add_loop_test(
		t, an_identity_loses_its_tag_only, 0,
		(int)(sizeof(identity_rows) / sizeof(identity_rows[0])));
	tcase_add_test(t, a_contact_names_our_address_and_transport);
	tcase_add_test(t, unknown_option_tags_are_found_in_both_lists);
	tcase_add_test(
		t, a_response_head_is_what_the_peer_needs_to_find_its_request);
	tcase_add_test(t,
		       a_message_that_does_not_fit_is_marked_and_stays_inside);
	return run_case("rewrite/sip_out", t);
}
