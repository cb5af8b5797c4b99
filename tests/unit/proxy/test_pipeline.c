/*
 * The pipeline: who gets through, who is stopped and with what answer. The
 * call machine and egress are the real ones, the other processes are played
 * (unit/proxy/world.h).
 */
#include <stdio.h>
#include <string.h>

#include "lib/run.h"
#include "sccp/frame.h"
#include "unit/proxy/phone.h"

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

/* Whoever forges sources has us answer others: no faster than anything else. */
START_TEST(what_is_malformed_is_answered_at_a_rate)
{
	uint32_t answers = 0;

	for (int i = 1; i <= 300; i++) {
		udp("OPTIONS", "4711", i, "Content-Length: x\n");
		answers += w.sent_count;
		if (i == 1)
			answered(&w.udp, "400");
	}
	ck_assert_uint_ge(answers, 100);
	ck_assert_uint_lt(answers, 210);
	ck_assert_uint_eq(answers + pipeline_stops(w.pipeline)[STOP_RATE], 300);
	/* They count with everything else. */
	udp("REGISTER", "2002", 900, "");
	ck_assert_int_eq(w.stop, STOP_RATE);
	world_pass(&w, w.now + 1000);
	udp("REGISTER", "2002", 901, "");
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
	tcase_add_test(t, what_is_malformed_is_answered_at_a_rate);
	tcase_add_test(t, the_call_manager_is_not_limited);
	tcase_add_test(t, dropping_an_unknown_call_does_nothing);
	tcase_add_test(
		t, nothing_is_left_when_a_pipeline_is_freed_with_work_in_it);
	return t;
}

int main(void)
{
	return run_case("proxy/pipeline", sources());
}
