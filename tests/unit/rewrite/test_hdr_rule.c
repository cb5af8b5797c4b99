/*
 * Each header on its way to the other side, one row per case: RFC 3261
 * section 20, RFC 3325 (identities), RFC 4028 (session timers), RFC 5806
 * (Diversion).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/run.h"
#include "rewrite/hdr_rule.h"

enum { TO_CORE, TO_PHONE, TO_PHONE_IPV6, FROM_PHONE_IPV6 };

struct row {
	int direction;
	const char *in;
	const char *out; /* NULL: nothing */
	bool pass_auth;
	bool has_body;
	const char *security;
};

#define DIGEST "Digest realm=\"r\", nonce=\"n\""

static const struct row rows[] = {
	/* Of one hop, or ours to write. */
	{.in = "Route: <sip:a@b;lr>", .out = NULL},
	{.in = "Record-Route: <sip:a@b;lr>", .out = NULL},
	{.in = "Contact: <sip:a@b>", .out = NULL},
	{.in = "Path: <sip:a@b>", .out = NULL},
	{.in = "RSeq: 1", .out = NULL},
	{.in = "Session-Expires: 1800", .out = NULL},
	{.in = "x: 1800", .out = NULL},
	{.in = "Min-SE: 90", .out = NULL},
	{.in = "Security-Client: tls", .out = NULL},
	/* Unknown ones pass, name as written. */
	{.in = "X-Whatever: 1, 2;a=b", .out = "X-Whatever: 1, 2;a=b\r\n"},
	{.in = "Subject: hi", .out = "Subject: hi\r\n"},
	{.in = "s: hi", .out = "s: hi\r\n"},
	{.in = "Retry-After: 30", .out = "Retry-After: 30\r\n"},
	/* Challenges and credentials. */
	{.in = "Authorization: " DIGEST, .out = NULL},
	{.in = "Proxy-Authorization: " DIGEST, .out = NULL},
	{.direction = TO_PHONE, .in = "WWW-Authenticate: " DIGEST},
	{.in = "Authorization: " DIGEST,
	 .out = "Authorization: " DIGEST "\r\n",
	 .pass_auth = true},
	{.direction = TO_PHONE,
	 .in = "WWW-Authenticate: " DIGEST,
	 .out = "WWW-Authenticate: " DIGEST "\r\n",
	 .pass_auth = true},
	/* Option tags. */
	{.in = "Supported: 100rel, replaces, timer, path",
	 .out = "Supported: replaces\r\n"},
	{.in = "k: 100REL , eventlist", .out = "k: eventlist\r\n"},
	{.in = "Supported: timer", .out = NULL},
	{.in = "Supported:", .out = NULL},
	{.direction = TO_PHONE, .in = "Require: 100rel", .out = NULL},
	{.in = "Allow: INVITE, PRACK, BYE, FOO",
	 .out = "Allow: INVITE, PRACK, BYE\r\n"},
	/* Addresses: 192.0.2.1 is ours outside, 198.51.100.7 the phone's,
	 * 10.0.0.1 ours inside, 10.0.0.2 the call manager's. */
	{.in = "Diversion: \"A\" <sip:1@192.0.2.1:5061>;reason=x",
	 .out = "Diversion: \"A\" <sip:1@10.0.0.2>;reason=x\r\n"},
	{.direction = TO_PHONE,
	 .in = "History-Info: <sip:1@10.0.0.2>;index=1, <sip:2@x>;index=2",
	 .out = "History-Info: <sip:1@192.0.2.1>;index=1, "
		"<sip:2@x>;index=2\r\n"},
	{.direction = TO_PHONE,
	 .in = "Refer-To: <sip:3@10.0.0.2?Replaces=a%40b%3Bto-tag%3D1>",
	 .out = "Refer-To: <sip:3@192.0.2.1?Replaces=a%40b%3Bto-tag%3D1>\r\n"},
	{.in = "Refer-To: sip:3@198.51.100.7",
	 .out = "Refer-To: <sip:3@10.0.0.1>\r\n"},
	/* What is escaped there is mapped and escaped again; a line end is
	 * not let through. */
	{TO_PHONE,
	 .in = "Refer-To: <sip:3@x?Require=10.0.0.2&Join=a%0D%0AZ:%201&"
	       "Require=%3c>;z=1",
	 .out = "Refer-To: <sip:3@x?Require=192.0.2.1&Require=%3C>;z=1\r\n"},
	/* Of the headers that the other side would put into its request those
	 * pass that name a dialog, however they are spelled. */
	{TO_PHONE,
	 .in = "Refer-To: <sip:3@x?P-Asserted-Identity=sip%3A1%40x&"
	       "%52eplaces=a%3Bto-tag%3D1&body=b&Target-Dialog=a&Via=c&"
	       "Call-Info=d&join=e>",
	 .out = "Refer-To: <sip:3@x?Replaces=a%3Bto-tag%3D1&Target-Dialog=a&"
		"Join=e>\r\n"},
	{TO_PHONE, .in = "Refer-To: <sip:3@x?Route=sip%3Aevil>",
	 .out = "Refer-To: <sip:3@x>\r\n"},
	/* What nobody can read brings none with it. */
	{TO_PHONE, .in = "Refer-To: <x:?Route=a>", .out = "Refer-To: <x:>\r\n"},
	{TO_PHONE, .in = "Refer-To: \"Who?\" <tel:+1?a=b>;c=10.0.0.2",
	 .out = "Refer-To: \"Who?\" <tel:+1>;c=192.0.2.1\r\n"},
	{TO_PHONE, .in = "Refer-To: x:10.0.0.2;a?Route=b",
	 .out = "Refer-To: x:192.0.2.1;a\r\n"},
	/* Addresses are nobody's business wherever they stand. */
	{TO_PHONE, .in = "X-Trace: at 10.0.0.2:5060, [10.0.0.2] v110.0.0.2",
	 .out = "X-Trace: at 192.0.2.1:5060, [192.0.2.1] v110.0.0.2\r\n"},
	{TO_PHONE, .in = "Alert-Info: <http://10.0.0.2/ring>;info=x",
	 .out = "Alert-Info: <http://192.0.2.1/ring>;info=x\r\n"},
	/* The phone speaks IPv6: a URI's host is in brackets then (RFC 3986
	 * section 3.2.2), and so is what has a port. */
	{TO_PHONE_IPV6, .in = "Call-Info: <sip:10.0.0.2:5060>;purpose=x",
	 .out = "Call-Info: <sip:[2001:db8::1]>;purpose=x\r\n"},
	{TO_PHONE_IPV6, .in = "Alert-Info: <http://10.0.0.2/ring>",
	 .out = "Alert-Info: <http://[2001:db8::1]/ring>\r\n"},
	{TO_PHONE_IPV6, .in = "X-Trace: at 10.0.0.2:5060, 10.0.0.2",
	 .out = "X-Trace: at [2001:db8::1]:5060, 2001:db8::1\r\n"},
	{FROM_PHONE_IPV6,
	 .in = "X-Trace: <sip:a@[2001:db8::7]:5061>, "
	       "2001:db8::7, [2001:db8::7]:5004",
	 .out = "X-Trace: <sip:a@10.0.0.1>, 10.0.0.1, 10.0.0.1:5004\r\n"},
	{TO_PHONE, .in = "Replaces: id@10.0.0.2;to-tag=1;from-tag=2;early-only",
	 .out = "Replaces: id@192.0.2.1;to-tag=1;from-tag=2;early-only\r\n"},
	{TO_PHONE, .in = "Join: id@10.0.0.2;to-tag=1;from-tag=2",
	 .out = "Join: id@192.0.2.1;to-tag=1;from-tag=2\r\n"},
	{TO_PHONE, .in = "Event: kpml;call-id=\"a@10.0.0.2\";from-tag=f",
	 .out = "Event: kpml;call-id=\"a@192.0.2.1\";from-tag=f\r\n"},
	{.in = "SIP-If-Match: tag1", .out = "SIP-If-Match: tag1\r\n"},
	{.in = "Refer-To: <urn:x-cisco-remotecc:token-registration>",
	 .out = "Refer-To: <urn:x-cisco-remotecc:token-registration>\r\n"},
	/* Identities: From is 1001. */
	{.in = "P-Asserted-Identity: <sip:1001@pbx>",
	 .out = "P-Asserted-Identity: <sip:1001@pbx>\r\n"},
	{.in = "P-Asserted-Identity: <sip:9999@pbx>", .out = NULL},
	{.in = "P-Served-User: <sip:9999@pbx>;sescase=orig", .out = NULL},
	{.in = "Remote-Party-ID: \"Boss\" <sip:1@pbx>;party=calling",
	 .out = NULL},
	{.direction = TO_PHONE,
	 .in = "P-Asserted-Identity: \"B\" <sip:9999@10.0.0.2>",
	 .out = "P-Asserted-Identity: \"B\" <sip:9999@192.0.2.1>\r\n"},
	{.direction = TO_PHONE, .in = "P-Charging-Vector: icid-value=1"},
	/* Software names. */
	{.in = "User-Agent: Phone/9", .out = "User-Agent: Phone/9\r\n"},
	{.direction = TO_PHONE, .in = "User-Agent: CUCM", .out = NULL},
	{.direction = TO_PHONE, .in = "Server: CUCM", .out = NULL},
	/* The agent of a Warning is a host name. */
	{.direction = TO_PHONE,
	 .in = "Warning: 399 10.0.0.2 \"no luck\"",
	 .out = "Warning: 399 sallyport \"no luck\"\r\n"},
	{.direction = TO_PHONE,
	 .in = "Warning: 399 10.0.0.2 \"no answer, 10.0.0.2:5060\" , "
	       "301 cm1.inside \"x\"",
	 .out = "Warning: 399 sallyport \"no answer, 192.0.2.1:5060\", "
		"301 sallyport \"x\"\r\n"},
	/* Escaped, it is an address no less; a URI's port goes with its host,
	 * another one stays. */
	{.direction = TO_PHONE,
	 .in = "History-Info: <sip:1@x?Reason=SIP%3Btext%3D%2210.0.0.2%22>",
	 .out = "History-Info: <sip:1@x?Reason=SIP%3Btext%3D%22192.0.2.1%22>"
		"\r\n"},
	{.direction = TO_PHONE,
	 .in = "X-From: sip%3A1%4010.0.0.2%3A5 <sip:1@10.0.0.2:5080>;a=10.0.0.2:5"
	       " %210.0.0.2",
	 .out = "X-From: sip%3A1%40192.0.2.1%3A5 <sip:1@192.0.2.1>;"
		"a=192.0.2.1:5 %210.0.0.2\r\n"},
	{.direction = TO_PHONE,
	 .in = "X-Trace: ::ffff:10.0.0.2, [::FFFF:a00:2]:5060 sip:[::ffff:10.0.0.2]:1",
	 .out = "X-Trace: 192.0.2.1, 192.0.2.1:5060 sip:192.0.2.1\r\n"},
	/* What describes the body goes with it. */
	{.in = "e: gzip", .out = NULL},
	{.in = "e: gzip", .out = "e: gzip\r\n", .has_body = true},
	{.in = "Content-Disposition: session", .out = NULL},
	{.in = "Content-Disposition: session",
	 .out = "Content-Disposition: session\r\n",
	 .has_body = true},
	/* The security state is ours to say. */
	{.in = "Call-Info: <urn:x-cisco-remotecc:callinfo>;security=Encrypted",
	 .out = "Call-Info: <urn:x-cisco-remotecc:callinfo>\r\n"},
	{.direction = TO_PHONE,
	 .in = "Call-Info: <urn:x-cisco-remotecc:callinfo>; orientation=to; "
	       "call-instance=1; security=Encrypted",
	 .out = "Call-Info: <urn:x-cisco-remotecc:callinfo>;orientation=from;"
		"call-instance=1;security=Authenticated\r\n",
	 .security = "Authenticated"},
	{.direction = TO_PHONE,
	 .in = "Call-Info: <http://x/y>;purpose=icon",
	 .out = "Call-Info: <http://x/y>;purpose=icon\r\n"
		"Call-Info: <urn:x-cisco-remotecc:callinfo>;orientation=from;"
		"security=NotAuthenticated\r\n",
	 .security = "NotAuthenticated"},
	{.direction = TO_PHONE,
	 .in = "Call-Info: <urn:x-cisco-remotecc:callinfo>;security=Encrypted,"
	       " <urn:X-cisco-remotecc:CALLINFO>;Security=Encrypted",
	 .out = "Call-Info: <urn:x-cisco-remotecc:callinfo>;orientation=from;"
		"security=NotAuthenticated\r\n",
	 .security = "NotAuthenticated"},
};

static struct addr ip(const char *s)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_ip(slice_str(s), &a), 0);
	return a;
}

static void set_map_ipv6(struct sip_out_map *m, bool to_phone)
{
	if (to_phone)
		*m = (struct sip_out_map){.ours = ip("10.0.0.1"),
					  .ours_new = ip("2001:db8::1"),
					  .peer = ip("10.0.0.2"),
					  .peer_new = ip("2001:db8::1")};
	else
		*m = (struct sip_out_map){.ours = ip("2001:db8::1"),
					  .ours_new = ip("10.0.0.2"),
					  .peer = ip("2001:db8::7"),
					  .peer_new = ip("10.0.0.1")};
}

static void set_map(struct sip_out_map *m, bool to_phone)
{
	if (to_phone)
		*m = (struct sip_out_map){.ours = ip("10.0.0.1"),
					  .ours_new = ip("192.0.2.1"),
					  .peer = ip("10.0.0.2"),
					  .peer_new = ip("192.0.2.1")};
	else
		*m = (struct sip_out_map){.ours = ip("192.0.2.1"),
					  .ours_new = ip("10.0.0.2"),
					  .peer = ip("198.51.100.7"),
					  .peer_new = ip("10.0.0.1")};
}

START_TEST(a_header_passes_as_its_row_says)
{
	const struct row *row = &rows[_i];
	static struct sip_msg m;
	char text[1024];
	uint8_t out[1024];
	bool to_phone =
		row->direction == TO_PHONE || row->direction == TO_PHONE_IPV6;
	struct sip_out_rules r = {.to_phone = to_phone,
				  .pass_auth = row->pass_auth,
				  .has_body = row->has_body,
				  .security = row->security,
				  .identity = slice_str("1001"),
				  .orientation_from = true};
	struct writer w;
	int len = snprintf(text, sizeof(text),
			   "INVITE sip:a@b SIP/2.0\r\n"
			   "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
			   "From: <sip:1001@pbx>;tag=1\r\n"
			   "To: <sip:2@pbx>\r\nCall-ID: c\r\n"
			   "CSeq: 1 INVITE\r\n%s\r\n"
			   "Content-Length: 0\r\n\r\n",
			   row->in);

	if (row->direction > TO_PHONE)
		set_map_ipv6(&r.map, to_phone);
	else
		set_map(&r.map, to_phone);
	ck_assert_int_eq(sip_msg_parse((uint8_t *)text, (size_t)len, &m, NULL),
			 0);
	writer_init(&w, out, sizeof(out));
	hdr_rule_copy(&w, &m, &r);
	ck_assert_msg(slice_eqs(writer_slice(&w), row->out ? row->out : ""),
		      "%s gives %.*s", row->in, SLICE_FMT(writer_slice(&w)));
}
END_TEST

static bool no_contact(void *ctx, bool to_phone, struct slice user,
		       struct slice *ret_uri, struct slice *ret_user)
{
	int *looks = ctx;

	(void)to_phone;
	(void)user;
	(void)ret_uri;
	(void)ret_user;
	++*looks;
	return false;
}

/* Whose Contact it is takes a walk over all calls. */
START_TEST(a_redirection_leads_to_a_few)
{
	static struct sip_msg m;
	static uint8_t text[8192];
	static uint8_t out[8192];
	int looks = 0;
	const struct sip_out_lookup lookup = {.contact = no_contact,
					      .ctx = &looks};
	struct sip_out_rules r = {.lookup = &lookup};
	struct writer w;

	writer_init(&w, text, sizeof(text));
	writer_str(&w, "SIP/2.0 302 Moved\r\n"
		       "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
		       "From: <sip:1001@pbx>;tag=1\r\n"
		       "To: <sip:2@pbx>;tag=2\r\nCall-ID: c\r\n"
		       "CSeq: 1 INVITE\r\nContent-Length: 0\r\n");
	for (int i = 0; i < 20; i++)
		writer_str(&w, "m: <sip:a@192.0.2.1>, <sip:b@192.0.2.1>, "
			       "<sip:c@192.0.2.1>\r\n");
	writer_str(&w, "\r\n");
	set_map(&r.map, false);
	ck_assert_int_eq(sip_msg_parse(text, w.len, &m, NULL), 0);
	writer_init(&w, out, sizeof(out));
	hdr_rule_copy(&w, &m, &r);
	ck_assert_int_eq(looks, HDR_REDIRECTS_MAX);
	/* The first ones, each as it should be. */
	for (int i = 0; i < HDR_REDIRECTS_MAX; i++) {
		char want[64];
		int len = snprintf(want, sizeof(want),
				   "Contact: <sip:%c@10.0.0.2>\r\n",
				   "abc"[i % 3]);

		ck_assert(slice_eqs(slice_sub(writer_slice(&w),
					      (size_t)(i * len), (size_t)len),
				    want));
		ck_assert(w.len >= (size_t)((i + 1) * len));
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("rows");

	tcase_add_loop_test(t, a_header_passes_as_its_row_says, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(t, a_redirection_leads_to_a_few);
	return run_case("rewrite/hdr_rule", t);
}
