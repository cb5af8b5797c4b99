/* Structured headers: RFC 3261 section 20, RFC 7616, RFC 3581. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/run.h"
#include "sip/hdr.h"

static const struct {
	const char *value;
	int result;
	const char *display;
	const char *uri;
	const char *params;
} parties[] = {
	{"<sip:a@b>", 0, "", "sip:a@b", ""},
	{"<sip:a@b;x>;tag=1", 0, "", "sip:a@b;x", "tag=1"},
	{"sip:a@b;tag=1", 0, "", "sip:a@b", "tag=1"},
	{" sip:a@b ; tag=1", 0, "", "sip:a@b", " tag=1"},
	{"Bob <sip:a@b> ;tag=1", 0, "Bob", "sip:a@b", "tag=1"},
	{"Bob B. <sip:a@b>", 0, "Bob B.", "sip:a@b", ""},
	{"caller<sip:a@b>", 0, "caller", "sip:a@b", ""},
	{"\"B, <sip:x@y>;\\\"\" <sip:a@b>;q=1", 0, "\"B, <sip:x@y>;\\\"\"",
	 "sip:a@b", "q=1"},
	{"J\xc3\xb6rg <sip:a@b>", 0, "J\xc3\xb6rg", "sip:a@b", ""},
	{"<sip:a@b?Route=%3Cx%3E>", 0, "", "sip:a@b?Route=%3Cx%3E", ""},
	{"<sip:a@b>;x=\"<;>\"", 0, "", "sip:a@b", "x=\"<;>\""},
	{"*", 0, "", "*", ""},
	{"", ERR_BAD, "", "", ""},
	{"<sip:a@b", ERR_BAD, "", "", ""},
	{"sip:a@b>", ERR_BAD, "", "", ""},
	{"<>", ERR_BAD, "", "", ""},
	{"< sip:a@b >", ERR_BAD, "", "", ""},
	{"<sip:a@b> x", ERR_BAD, "", "", ""},
	{"<sip:a@b>;x=\"y", ERR_BAD, "", "", ""},
	{"\"Bob <sip:a@b>", ERR_BAD, "", "", ""},
	{"\"Bob\" sip:a@b", ERR_BAD, "", "", ""},
	{"Bell, A <sip:a@b>", ERR_BAD, "", "", ""},
	{"sip:x@y <sip:a@b>", ERR_BAD, "", "", ""},
	{"sip:a@b?x=y", ERR_BAD, "", "", ""},
	{"sip:a@b,sip:c@d", ERR_BAD, "", "", ""},
	{"<sip:a@b<sip:c@d>", ERR_BAD, "", "", ""},
	{"nonsense", ERR_BAD, "", "", ""},
};

START_TEST(name_addrs_are_read_as_the_table_says)
{
	struct sip_nameaddr a = {.uri = SLICE_NULL};
	const char *s = parties[_i].value;

	ck_assert_msg(sip_nameaddr_parse(slice_str(s), &a) ==
			      parties[_i].result,
		      "%s", s);
	if (parties[_i].result)
		return;
	ck_assert_msg(slice_eqs(a.display, parties[_i].display), "%s", s);
	ck_assert_msg(slice_eqs(a.uri, parties[_i].uri), "%s", s);
	ck_assert_msg(slice_eqs(a.params, parties[_i].params), "%s", s);
}
END_TEST

static const struct {
	const char *value;
	int result;
	const char *transport;
	const char *host;
	unsigned port;
	const char *branch;
} vias[] = {
	{"SIP/2.0/UDP h", 0, "UDP", "h", 0, ""},
	{"SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK1;rport", 0, "TLS",
	 "192.0.2.1", 5061, "z9hG4bK1"},
	{"sip / 2.0 / tcp\t h : 5060 ; branch = x", 0, "tcp", "h", 5060, "x"},
	{"SIP/2.0/UDP [2001:db8::1]:5070;received=192.0.2.1;branch=b", 0, "UDP",
	 "[2001:db8::1]", 5070, "b"},
	{"SIP/2.0/UDP h;x=\";branch=no\";branch=b/c", 0, "UDP", "h", 0, "b/c"},
	{"", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/UDP", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/ h", ERR_BAD, "", "", 0, ""},
	{"SIP/7.0/UDP h", ERR_BAD, "", "", 0, ""},
	{"HTTP/2.0/UDP h", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/UDP h;;", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/UDP h;", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/UDP h;branch=a;branch=b", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/UDP h;branch=", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/UDP h;branch=a b", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/UDP h:0", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/UDP h h2", ERR_BAD, "", "", 0, ""},
	{"SIP/2.0/UDP a@h", ERR_BAD, "", "", 0, ""},
};

START_TEST(vias_are_read_as_the_table_says)
{
	struct sip_via v = {.port = 0};
	const char *s = vias[_i].value;

	ck_assert_msg(sip_via_parse(slice_str(s), &v) == vias[_i].result, "%s",
		      s);
	if (vias[_i].result)
		return;
	ck_assert_msg(slice_eqs(v.transport, vias[_i].transport), "%s", s);
	ck_assert_msg(slice_eqs(v.host, vias[_i].host), "%s", s);
	ck_assert_uint_eq(v.port, vias[_i].port);
	ck_assert_msg(slice_eqs(v.branch, vias[_i].branch), "%s", s);
}
END_TEST

/* RFC 7616 section 3.9.1. */
START_TEST(digest_credentials_are_read)
{
	struct sip_cred c;

	ck_assert_int_eq(
		sip_cred_parse(
			slice_str("Digest username=\"Mufasa\", "
				  "realm=\"http-auth@example.org\", "
				  "uri=\"/dir/index.html\", "
				  "algorithm=MD5, nonce=\"7ypf/xlj9XXwfDPE\", "
				  "nc=00000001, cnonce=\"f2/wE4q74E6z\", "
				  "qop=auth, response=\"8ca523f5e9506fed\", "
				  "opaque=\"FQhe/qaU925kfnzj\", x=\"a,b\""),
			&c),
		0);
	ck_assert(slice_eqs(c.username, "Mufasa"));
	ck_assert(slice_eqs(c.realm, "http-auth@example.org"));
	ck_assert(slice_eqs(c.uri, "/dir/index.html"));
	ck_assert(slice_eqs(c.algorithm, "MD5"));
	ck_assert(slice_eqs(c.nonce, "7ypf/xlj9XXwfDPE"));
	ck_assert(slice_eqs(c.nc, "00000001"));
	ck_assert(slice_eqs(c.cnonce, "f2/wE4q74E6z"));
	ck_assert(slice_eqs(c.qop, "auth"));
	ck_assert(slice_eqs(c.response, "8ca523f5e9506fed"));
	ck_assert(slice_eqs(c.opaque, "FQhe/qaU925kfnzj"));
}
END_TEST

static const struct {
	const char *value;
	int result;
} creds[] = {
	{"Digest realm=\"r\"", 0},
	{"dIgEsT realm=\"\"", 0},
	{"Digest\trealm = \"a\\\"b\" , nonce=\"n\"", 0},
	{"Digest realm=\"a\", qop=\"auth,auth-int\"", 0},
	{"Basic YTpi", ERR_UNSUPPORTED},
	{"NoOneKnowsThisScheme opaque-data=here", ERR_UNSUPPORTED},
	{"", ERR_BAD},
	{"Digest realm", ERR_BAD},
	{"Digest realm=", ERR_BAD},
	{"Digest realm=\"a\", realm=\"b\"", ERR_BAD},
	{"Digest username=\"\", username=\"b\"", ERR_BAD},
	{"Digest realm=\"a", ERR_BAD},
	{"Digest realm=\"a\"b", ERR_BAD},
	{"Digest realm=a b", ERR_BAD},
	{"Digest realm=\"a\",,nonce=\"b\"", ERR_BAD},
	{"Digest, realm=\"a\"", ERR_BAD},
};

START_TEST(credentials_are_accepted_or_refused_as_the_table_says)
{
	struct sip_cred c;

	ck_assert_msg(sip_cred_parse(slice_str(creds[_i].value), &c) ==
			      creds[_i].result,
		      "%s", creds[_i].value);
}
END_TEST

static struct sip_msg msg;
static char text[2048];

static const struct sip_msg *with(const char *via, const char *more)
{
	int n = snprintf(text, sizeof(text),
			 "REGISTER sip:h SIP/2.0\r\nVia: %s\r\n"
			 "From: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\n"
			 "Call-ID: c\r\nCSeq: 1 REGISTER\r\n%s\r\n",
			 via, more);

	if (sip_msg_parse((uint8_t *)text, (size_t)n, &msg, NULL) != 0)
		abort();
	return &msg;
}

static const struct {
	const char *header;
	const char *params;
	uint32_t expires;
} expiries[] = {
	{"", "", 77},
	{"Expires: 60\r\n", "", 60},
	{"Expires: 60\r\n", "expires=0", 0},
	{"Expires: 60\r\n", "q=1;Expires=5", 5},
	{"Expires: 99999999999999999999999\r\n", "", 0x7fffffff},
	{"Expires: -1\r\n", "", 77},
	{"Expires: 60\r\n", "expires=soon", 77},
	{"", "expires=280297596632815", 0x7fffffff},
};

START_TEST(expiry_is_of_the_contact_then_the_header)
{
	ck_assert_uint_eq(
		sip_expires(with("SIP/2.0/UDP h;branch=1", expiries[_i].header),
			    slice_str(expiries[_i].params), 77),
		expiries[_i].expires);
}
END_TEST

static const struct {
	const char *via;
	unsigned port;
} answers[] = {
	{"SIP/2.0/UDP 192.0.2.9:5070;rport", 1234},
	{"SIP/2.0/UDP 192.0.2.9:5070", 5070},
	{"SIP/2.0/UDP 192.0.2.9", 5060},
	{"SIP/2.0/TLS 192.0.2.9", 5061},
	{"SIP/2.0/UDP 10.0.0.1:5070", 1234},
	{"SIP/2.0/UDP phone.example.com:5070", 1234},
	/* Never anywhere but to the source's IP. */
	{"SIP/2.0/UDP 192.0.2.9;maddr=10.0.0.1;received=10.0.0.1", 5060},
};

START_TEST(answers_go_to_the_source_ip)
{
	struct addr from = {
		.family = ADDR_V4, .ip = {192, 0, 2, 9}, .port = 1234};
	struct addr to = sip_response_addr(with(answers[_i].via, ""), &from);

	ck_assert(addr_ip_eq(&to, &from));
	ck_assert_uint_eq(to.port, answers[_i].port);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("structured headers");

	tcase_add_loop_test(tc, name_addrs_are_read_as_the_table_says, 0,
			    (int)(sizeof(parties) / sizeof(parties[0])));
	tcase_add_loop_test(tc, vias_are_read_as_the_table_says, 0,
			    (int)(sizeof(vias) / sizeof(vias[0])));
	tcase_add_test(tc, digest_credentials_are_read);
	tcase_add_loop_test(
		tc, credentials_are_accepted_or_refused_as_the_table_says, 0,
		(int)(sizeof(creds) / sizeof(creds[0])));
	tcase_add_loop_test(tc, expiry_is_of_the_contact_then_the_header, 0,
			    (int)(sizeof(expiries) / sizeof(expiries[0])));
	tcase_add_loop_test(tc, answers_go_to_the_source_ip, 0,
			    (int)(sizeof(answers) / sizeof(answers[0])));
	return run_case("hdr", tc);
}
