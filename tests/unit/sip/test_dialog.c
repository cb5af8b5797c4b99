/* Dialog identity, route sets and CSeq rules: RFC 3261 section 12. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "sip/dialog.h"

static struct sip_msg msg;
static char text[4096];
static struct sip_dialog d;

/* Parse text with LF line ends. */
static const struct sip_msg *parse(const char *lf)
{
	size_t n = 0;

	for (; *lf != '\0'; lf++) {
		if (*lf == '\n')
			text[n++] = '\r';
		text[n++] = *lf;
	}
	if (sip_msg_parse((uint8_t *)text, n, &msg, NULL) != 0)
		abort();
	return &msg;
}

#define IDS(from, to, cseq)                                       \
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\n"            \
	"From: " from "\nTo: " to "\nCall-ID: call@example.com\n" \
	"CSeq: " cseq "\n"

static const char invite[] = "INVITE sip:bob@example.com SIP/2.0\n" IDS(
	"\"A;tag=no\" <sip:alice@example.com>;x=1; tag = a1 ;y=2",
	"<sip:bob@example.com>",
	"7 INVITE") "Contact: \"A\" <sip:alice@192.0.2.1:5062;transport=tcp>;q=1\n"
		    "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\n"
		    "Record-Route: <sip:p0.example.com;lr>\n\n";

static const char answer[] = "SIP/2.0 200 OK\n" IDS(
	"<sip:alice@example.com>;tag=a1", "<sip:bob@example.com>;tag=b1",
	"1 INVITE") "Contact: <sip:bob@192.0.2.2>\n"
		    "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\n\n";

static int init_uac(void)
{
	return sip_dialog_init_uac(&d, slice_str("call@example.com"),
				   slice_str("<sip:alice@example.com>"),
				   slice_str("a1"),
				   slice_str("<sip:bob@example.com>"),
				   slice_str("sip:bob@example.com"));
}

/* What the dialog would write, for comparison. */
static const char *printed(void)
{
	static char out[2048];
	struct writer w;

	writer_init(&w, out, sizeof(out) - 1);
	sip_dialog_print_routes(&w, &d);
	sip_dialog_print_ids(&w, &d, 42, slice_str("BYE"));
	ck_assert(writer_ok(&w));
	out[w.len] = '\0';
	return out;
}

START_TEST(uas_takes_identity_target_and_routes_in_order)
{
	ck_assert_int_eq(
		sip_dialog_init_uas(&d, parse(invite), slice_str("b1")), 0);
	ck_assert_str_eq(d.remote_tag, "a1");
	ck_assert_str_eq(d.target, "sip:alice@192.0.2.1:5062;transport=tcp");
	ck_assert_uint_eq(d.remote_cseq, 7);
	ck_assert_str_eq(
		printed(),
		"Route: <sip:p2.example.com;lr>\r\n"
		"Route: <sip:p1.example.com;lr>\r\n"
		"Route: <sip:p0.example.com;lr>\r\n"
		"From: <sip:bob@example.com>;tag=b1\r\n"
		"To: \"A;tag=no\" <sip:alice@example.com>;x=1;y=2;tag=a1\r\n"
		"Call-ID: call@example.com\r\n"
		"CSeq: 42 BYE\r\n");
	ck_assert(slice_eqs(sip_dialog_ruri(&d), d.target));
	sip_dialog_done(&d);
}
END_TEST

START_TEST(uac_learns_tag_target_and_reversed_routes)
{
	ck_assert_int_eq(init_uac(), 0);
	ck_assert_ptr_null(d.remote_tag);
	ck_assert_int_eq(sip_dialog_learn(&d, parse(answer)), 0);
	ck_assert_str_eq(printed(), "Route: <sip:p1.example.com;lr>\r\n"
				    "Route: <sip:p2.example.com;lr>\r\n"
				    "From: <sip:alice@example.com>;tag=a1\r\n"
				    "To: <sip:bob@example.com>;tag=b1\r\n"
				    "Call-ID: call@example.com\r\n"
				    "CSeq: 42 BYE\r\n");
	ck_assert(slice_eqs(sip_dialog_ruri(&d), "sip:bob@192.0.2.2"));
	sip_dialog_done(&d);
}
END_TEST

START_TEST(response_without_tag_teaches_nothing)
{
	ck_assert_int_eq(init_uac(), 0);
	ck_assert_int_eq(
		sip_dialog_learn(
			&d, parse("SIP/2.0 100 Trying\n" IDS(
				    "<sip:alice@example.com>;tag=a1",
				    "<sip:bob@example.com>", "1 INVITE") "\n")),
		0);
	ck_assert_ptr_null(d.remote_tag);
	ck_assert(slice_eqs(sip_dialog_ruri(&d), "sip:bob@example.com"));
	sip_dialog_done(&d);
}
END_TEST

/* Section 12.2.1.1, the example with <sip:proxy1> in first place. */
START_TEST(strict_router_gets_its_uri_and_the_target_last)
{
	ck_assert_int_eq(init_uac(), 0);
	ck_assert_int_eq(
		sip_dialog_learn(
			&d,
			parse("SIP/2.0 200 OK\n" IDS(
				"<sip:alice@example.com>;tag=a1",
				"<sip:bob@example.com>;tag=b1",
				"1 INVITE") "Contact: <sip:user@remoteua>\n"
					    "Record-Route: <sip:proxy4>,<sip:proxy3;lr>\n"
					    "Record-Route: <sip:proxy2>\n"
					    "Record-Route: <sip:proxy1>\n\n")),
		0);
	ck_assert(slice_eqs(sip_dialog_ruri(&d), "sip:proxy1"));
	ck_assert_str_eq(printed(), "Route: <sip:proxy2>\r\n"
				    "Route: <sip:proxy3;lr>\r\n"
				    "Route: <sip:proxy4>\r\n"
				    "Route: <sip:user@remoteua>\r\n"
				    "From: <sip:alice@example.com>;tag=a1\r\n"
				    "To: <sip:bob@example.com>;tag=b1\r\n"
				    "Call-ID: call@example.com\r\n"
				    "CSeq: 42 BYE\r\n");
	sip_dialog_done(&d);
}
END_TEST

START_TEST(failed_update_keeps_what_was_known)
{
	ck_assert_int_eq(init_uac(), 0);
	ck_assert_int_eq(sip_dialog_learn(&d, parse(answer)), 0);
	ck_assert_int_eq(
		sip_dialog_learn(&d, parse("SIP/2.0 200 OK\n" IDS(
					     "<sip:alice@example.com>;tag=a1",
					     "<sip:bob@example.com>;tag=b2",
					     "1 INVITE") "Contact: *\n\n")),
		ERR_BAD);
	ck_assert_str_eq(d.remote_tag, "b1");
	ck_assert_uint_eq(d.route_count, 2);
	ck_assert(slice_eqs(sip_dialog_ruri(&d), "sip:bob@192.0.2.2"));
	sip_dialog_done(&d);
}
END_TEST

START_TEST(routes_have_a_limit)
{
	char lf[2048];
	int n;

	for (int extra = 0; extra < 2; extra++) {
		n = snprintf(lf, sizeof(lf), "%s",
			     "INVITE sip:b@example.com SIP/2.0\n" IDS(
				     "<sip:a@example.com>;tag=a1",
				     "<sip:b@example.com>", "7 INVITE"));
		for (int i = 0; i < SIP_ROUTES_MAX + extra; i++)
			n += snprintf(lf + n, sizeof(lf) - (size_t)n,
				      "Record-Route: <sip:p%d;lr>\n", i);
		snprintf(lf + n, sizeof(lf) - (size_t)n, "\n");
		ck_assert_int_eq(
			sip_dialog_init_uas(&d, parse(lf), slice_str("b1")),
			extra ? ERR_LIMIT : 0);
		sip_dialog_done(&d);
	}
}
END_TEST

START_TEST(refresh_moves_the_target_only)
{
	ck_assert_int_eq(init_uac(), 0);
	ck_assert_int_eq(sip_dialog_learn(&d, parse(answer)), 0);
	ck_assert_int_eq(
		sip_dialog_refresh(
			&d,
			parse("INVITE sip:alice@192.0.2.1 SIP/2.0\n" IDS(
				"<sip:bob@example.com>;tag=b1",
				"<sip:alice@example.com>;tag=a1",
				"9 INVITE") "Contact: <sip:bob@192.0.2.9>\n"
					    "Record-Route: <sip:evil;lr>\n\n")),
		0);
	ck_assert(slice_eqs(sip_dialog_ruri(&d), "sip:bob@192.0.2.9"));
	ck_assert_uint_eq(d.route_count, 2);
	sip_dialog_done(&d);
}
END_TEST

static const struct {
	const char *start;
	const char *from;
	const char *to;
	const char *call;
	bool is_ours;
} matches[] = {
	{"BYE sip:a SIP/2.0", "b1", "a1", "call@example.com", true},
	{"BYE sip:a SIP/2.0", "b1", "a2", "call@example.com", false},
	{"BYE sip:a SIP/2.0", "b2", "a1", "call@example.com", false},
	{"BYE sip:a SIP/2.0", "a1", "b1", "call@example.com", false},
	{"BYE sip:a SIP/2.0", "b1", "a1", "CALL@example.com", false},
	{"SIP/2.0 200 OK", "a1", "b1", "call@example.com", true},
	{"SIP/2.0 200 OK", "a1", "b2", "call@example.com", false},
	{"SIP/2.0 200 OK", "b1", "a1", "call@example.com", false},
};

START_TEST(messages_match_by_call_id_and_both_tags)
{
	char lf[1024];

	ck_assert_int_eq(init_uac(), 0);
	ck_assert_int_eq(sip_dialog_learn(&d, parse(answer)), 0);
	snprintf(lf, sizeof(lf),
		 "%s\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\n"
		 "From: <sip:x@y>;tag=%s\nTo: <sip:x@y>;tag=%s\n"
		 "Call-ID: %s\nCSeq: 1 BYE\n\n",
		 matches[_i].start, matches[_i].from, matches[_i].to,
		 matches[_i].call);
	ck_assert(sip_dialog_match(&d, parse(lf)) == matches[_i].is_ours);
	sip_dialog_done(&d);
}
END_TEST

static const struct {
	const char *cseq;
	int result;
	uint32_t after;
} cseqs[] = {
	{"8 BYE", 0, 8}, {"7 INFO", 0, 7},   {"6 BYE", ERR_BAD, 7},
	{"1 ACK", 0, 7}, {"1 CANCEL", 0, 7}, {"2147483647 BYE", 0, 2147483647},
};

START_TEST(cseq_may_not_go_back)
{
	char lf[1024];

	ck_assert_int_eq(
		sip_dialog_init_uas(&d, parse(invite), slice_str("b1")), 0);
	snprintf(lf, sizeof(lf),
		 "%s sip:b SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\n"
		 "From: <sip:x@y>;tag=a1\nTo: <sip:x@y>;tag=b1\n"
		 "Call-ID: call@example.com\nCSeq: %s\n\n",
		 strchr(cseqs[_i].cseq, ' ') + 1, cseqs[_i].cseq);
	ck_assert_int_eq(sip_dialog_recv(&d, parse(lf)), cseqs[_i].result);
	ck_assert_uint_eq(d.remote_cseq, cseqs[_i].after);
	sip_dialog_done(&d);
}
END_TEST

START_TEST(copy_is_another_dialog_of_the_same_peers)
{
	struct sip_dialog copy;

	ck_assert_int_eq(
		sip_dialog_init_uas(&d, parse(invite), slice_str("b1")), 0);
	d.local_cseq = 7;
	ck_assert_int_eq(sip_dialog_copy(&copy, &d, slice_str("b2")), 0);
	ck_assert_str_eq(copy.call_id, d.call_id);
	ck_assert_str_eq(copy.local_tag, "b2");
	ck_assert_str_eq(copy.remote_tag, d.remote_tag);
	ck_assert_str_eq(copy.target, d.target);
	ck_assert_uint_eq(copy.route_count, d.route_count);
	for (uint32_t i = 0; i < d.route_count; i++)
		ck_assert_str_eq(copy.route[i], d.route[i]);
	ck_assert_uint_eq(copy.local_cseq, 0);
	sip_dialog_done(&copy);
	sip_dialog_done(&d);
}
END_TEST

/* RFC 6665 section 4.4.1: the subscriber is the UAS of this request. */
START_TEST(request_may_make_the_dialog_with_routes_in_order)
{
	ck_assert_int_eq(init_uac(), 0);
	ck_assert_ptr_null(d.remote_tag);
	ck_assert_int_eq(sip_dialog_adopt(&d, parse(invite)), 0);
	ck_assert_ptr_nonnull(d.remote_tag);
	ck_assert(slice_eqs(parse(invite)->from_tag, d.remote_tag));
	ck_assert_uint_gt(d.route_count, 1);
	ck_assert(
		slice_eqs(sip_msg_value(parse(invite), SIP_HDR_RECORD_ROUTE),
			  d.route[0]) ||
		slice_starts(sip_msg_value(parse(invite), SIP_HDR_RECORD_ROUTE),
			     d.route[0]));
	sip_dialog_done(&d);
}
END_TEST

static int lives; /* halves of whole_life that went well */

static void whole_life(void *arg)
{
	struct sip_dialog copy;

	(void)arg;
	if (init_uac() == 0 && sip_dialog_learn(&d, parse(answer)) == 0 &&
	    sip_dialog_refresh(&d, parse(answer)) == 0)
		lives++;
	sip_dialog_done(&d);
	if (sip_dialog_init_uas(&d, parse(invite), slice_str("b1")) == 0)
		lives++;
	if (sip_dialog_copy(&copy, &d, slice_str("b2")) == 0 &&
	    sip_dialog_adopt(&copy, parse(invite)) == 0)
		lives++;
	sip_dialog_done(&copy);
	sip_dialog_done(&d);
}

START_TEST(lack_of_memory_anywhere_is_survived)
{
	oom_sweep(whole_life, NULL);
	lives = 0;
	whole_life(NULL);
	ck_assert_int_eq(lives, 3);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("RFC 3261 section 12");

	tcase_add_test(tc, uas_takes_identity_target_and_routes_in_order);
	tcase_add_test(tc, uac_learns_tag_target_and_reversed_routes);
	tcase_add_test(tc, response_without_tag_teaches_nothing);
	tcase_add_test(tc, strict_router_gets_its_uri_and_the_target_last);
	tcase_add_test(tc, failed_update_keeps_what_was_known);
	tcase_add_test(tc, routes_have_a_limit);
	tcase_add_test(tc, refresh_moves_the_target_only);
	tcase_add_loop_test(tc, messages_match_by_call_id_and_both_tags, 0,
			    (int)(sizeof(matches) / sizeof(matches[0])));
	tcase_add_loop_test(tc, cseq_may_not_go_back, 0,
			    (int)(sizeof(cseqs) / sizeof(cseqs[0])));
	tcase_add_test(tc, copy_is_another_dialog_of_the_same_peers);
	tcase_add_test(tc, request_may_make_the_dialog_with_routes_in_order);
	tcase_add_test(tc, lack_of_memory_anywhere_is_survived);
	return run_case("dialog", tc);
}
