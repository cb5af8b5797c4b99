/* The serialiser: RFC 3261 section 8.2.6, RFC 3581 section 4. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/run.h"
#include "sip/print.h"

static struct sip_msg m;
static char text[2048];
static char out[4096];
static struct writer w;

static void begin(void)
{
	writer_init(&w, out, sizeof(out) - 1);
}

static void assert_out(const char *want)
{
	ck_assert(writer_ok(&w));
	out[w.len] = '\0';
	ck_assert_str_eq(out, want);
}

static const struct {
	const char *via;
	const char *answered;
} vias[] = {
	/* Source is 192.0.2.9:1234. */
	{"SIP/2.0/UDP 192.0.2.9;branch=b", "SIP/2.0/UDP 192.0.2.9;branch=b"},
	{"SIP/2.0/UDP h:5070;branch=b",
	 "SIP/2.0/UDP h:5070;branch=b;received=192.0.2.9"},
	{"SIP/2.0/UDP 10.0.0.1;rport;branch=b",
	 "SIP/2.0/UDP 10.0.0.1;branch=b;received=192.0.2.9;rport=1234"},
	{"SIP/2.0/UDP 192.0.2.9;rport;branch=b",
	 "SIP/2.0/UDP 192.0.2.9;branch=b;received=192.0.2.9;rport=1234"},
	{"SIP/2.0/UDP h;received=10.9.9.9;rport=1;branch=b;x=\";y\"",
	 "SIP/2.0/UDP h;branch=b;x=\";y\";received=192.0.2.9;rport=1234"},
	{"SIP/2.0/UDP h;branch=b;ttl=1 , SIP/2.0/UDP h2;rport;received=1",
	 "SIP/2.0/UDP h;branch=b;ttl=1;received=192.0.2.9, "
	 "SIP/2.0/UDP h2;rport;received=1"},
};

START_TEST(received_and_rport_go_into_the_first_via_only)
{
	struct addr from = {
		.family = ADDR_V4, .ip = {192, 0, 2, 9}, .port = 1234};
	char want[1024];
	int n = snprintf(text, sizeof(text),
			 "OPTIONS sip:h SIP/2.0\r\nVia: %s\r\n"
			 "v: SIP/2.0/TCP h3;rport\r\n"
			 "f: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\n"
			 "Call-ID: c\r\nCSeq: 01  OPTIONS\r\n\r\n",
			 vias[_i].via);

	ck_assert_int_eq(sip_msg_parse((uint8_t *)text, (size_t)n, &m, NULL),
			 0);
	sip_print_reply(&w, &m, 200, SLICE_NULL, slice_str("new"), &from);
	sip_print_body(&w, SLICE_NULL, SLICE_NULL);
	snprintf(want, sizeof(want),
		 "SIP/2.0 200 OK\r\nVia: %s\r\nVia: SIP/2.0/TCP h3;rport\r\n"
		 "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=new\r\n"
		 "Call-ID: c\r\nCSeq: 01  OPTIONS\r\nContent-Length: 0\r\n"
		 "\r\n",
		 vias[_i].answered);
	assert_out(want);
}
END_TEST

START_TEST(tag_is_added_only_where_there_is_none)
{
	int n = snprintf(text, sizeof(text),
			 "BYE sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n"
			 "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n"
			 "Call-ID: c\r\nCSeq: 1 BYE\r\n\r\n");

	ck_assert_int_eq(sip_msg_parse((uint8_t *)text, (size_t)n, &m, NULL),
			 0);
	sip_print_reply(&w, &m, 481, slice_str("Gone fishing"),
			slice_str("new"), NULL);
	assert_out("SIP/2.0 481 Gone fishing\r\nVia: SIP/2.0/UDP h\r\n"
		   "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n"
		   "Call-ID: c\r\nCSeq: 1 BYE\r\n");
}
END_TEST

START_TEST(request_and_body_are_written_in_order)
{
	struct sip_hdr h = {.name = SLICE("x-OWN"), .value = SLICE("v")};

	sip_print_request(&w, slice_str("INFO"), slice_str("sip:a@h"));
	sip_print_hdr_copy(&w, &h);
	sip_print_hdr(&w, "Expires", slice_str("3"));
	sip_print_body(&w, slice_str("text/plain"), slice_str("hello"));
	assert_out("INFO sip:a@h SIP/2.0\r\nx-OWN: v\r\nExpires: 3\r\n"
		   "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
		   "hello");
}
END_TEST

START_TEST(what_does_not_fit_is_no_message)
{
	writer_init(&w, out, 10);
	sip_print_status(&w, 200, SLICE_NULL);
	sip_print_body(&w, SLICE_NULL, SLICE_NULL);
	ck_assert(!writer_ok(&w));
	ck_assert_uint_eq(writer_slice(&w).len, 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("answers");

	tcase_add_checked_fixture(tc, begin, NULL);
	tcase_add_loop_test(tc, received_and_rport_go_into_the_first_via_only,
			    0, (int)(sizeof(vias) / sizeof(vias[0])));
	tcase_add_test(tc, tag_is_added_only_where_there_is_none);
	tcase_add_test(tc, request_and_body_are_written_in_order);
	tcase_add_test(tc, what_does_not_fit_is_no_message);
	return run_case("print", tc);
}
