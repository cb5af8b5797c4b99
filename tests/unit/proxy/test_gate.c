/*
 * What a message asks for, and what presence groups and calling rights say to
 * it. Requests are whole SIP messages, right ones and such as would slip by a
 * reader that is less careful than the call manager.
 */
#include <stdio.h>

#include "lib/run.h"
#include "proxy/gate.h"

enum { TUPLES_MAX = 64, TEXT_MAX = 2048 };

static const char *const rows[][4] = {
	{"", "", "inside-numbers", "2*"},
	{"listener", "udp", NULL, ""},
	{"listener", "udp", "address", "udp:192.0.2.1:5060"},
	{"call-manager", "cm", NULL, ""},
	{"call-manager", "cm", "address", "udp:10.0.0.2:5060"},
	{"call-manager", "cm", "local-address", "10.0.0.1:5070"},
	{"media", "", "outside-address", "192.0.2.1"},
	{"media", "", "inside-address", "10.0.0.1"},
	{"calling-rights", "lobby", NULL, ""},
	{"calling-rights", "lobby", "rules",
	 "deny transfer from=outside to=outside"},
	{"calling-rights", "lobby", "rules", "deny forward to=outside"},
	{"calling-rights", "lobby", "rules", "deny call to=0900*"},
	{"calling-rights", "lobby", "default", "allow"},
	{"presence-group", "sales", NULL, ""},
	{"presence-group", "sales", "may-watch", "default"},
	{"presence-group", "board", NULL, ""},
	{"presence-group", "board", "may-not-watch", "sales"},
	{"device", "A", NULL, ""},
	{"device", "A", "lines", "1001"},
	{"device", "A", "security-mode", "nonsecure"},
	{"device", "A", "calling-rights", "lobby"},
	{"device", "A", "presence-group", "sales"},
	{"device", "B", NULL, ""},
	{"device", "B", "lines", "1002"},
	{"device", "B", "security-mode", "nonsecure"},
	{"device", "B", "presence-group", "board"},
	{"device", "C", NULL, ""},
	{"device", "C", "lines", "1003"},
	{"device", "C", "security-mode", "nonsecure"},
};

static struct config *config;

static void setup(void)
{
	static struct config_tuple t[TUPLES_MAX];
	struct config_report rep;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		t[i] = (struct config_tuple){.section = rows[i][0],
					     .label = slice_str(rows[i][1]),
					     .name = rows[i][2],
					     .value = slice_str(rows[i][3]),
					     .file = "test.conf",
					     .line = (uint32_t)i};
	config_report_init(&rep);
	ck_assert_int_eq(config_build(t, sizeof(rows) / sizeof(rows[0]), "/",
				      &rep, &config),
			 0);
	config_report_done(&rep);
}

static void teardown(void)
{
	config = config_unref(config);
}

static uint8_t raw[TEXT_MAX];

/* head: start line to From and To; extra: header lines; LF becomes CRLF. */
static void parse(const char *start, const char *from, const char *to,
		  const char *extra, const char *body, struct sip_msg *ret)
{
	char text[TEXT_MAX];
	char method[16];
	size_t n = 0;
	int len;

	ck_assert_int_eq(
		sscanf(strncmp(start, "SIP/2.0", 7) == 0 ? "INVITE " : start,
		       "%15s", method),
		1);
	len = snprintf(text, sizeof(text),
		       "%s\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\n"
		       "Max-Forwards: 70\nFrom: %s;tag=a\nTo: %s\n"
		       "Call-ID: c\nCSeq: 1 %s\n%sContent-Length: %zu\n\n%s",
		       start, from, to, method, extra, strlen(body), body);
	ck_assert(len > 0 && len < TEXT_MAX);
	for (const char *p = text; *p; p++) {
		if (*p == '\n' && p < text + len - strlen(body))
			raw[n++] = '\r';
		raw[n++] = (uint8_t)*p;
		ck_assert_uint_lt(n, sizeof(raw) - 2);
	}
	ck_assert_int_eq(sip_msg_parse(raw, n, ret, NULL), 0);
}

static const struct {
	char device; /* of the configuration; 't': a trunk with A's rights */
	const char *start, *from, *to, *extra;
	enum gate_answer want;
	const char *rule;
} requests[] = {
	/* Calls. */
	{'A', "INVITE sip:1002@x SIP/2.0", "<sip:1001@x>", "<sip:1002@x>", "",
	 GATE_OPEN, ""},
	{'A', "INVITE sip:09001@x SIP/2.0", "<sip:1001@x>", "<sip:1002@x>", "",
	 GATE_RIGHTS, "calling-rights \"lobby\" rule 3"},
	{'A', "INVITE sip:%309%300%30@x SIP/2.0", "<sip:1001@x>",
	 "<sip:1002@x>", "", GATE_RIGHTS, "calling-rights \"lobby\" rule 3"},
	{'A', "INVITE sip:0-900-1@x SIP/2.0", "<sip:1001@x>", "<sip:1@x>", "",
	 GATE_RIGHTS, "calling-rights \"lobby\" rule 3"},
	{'A', "INVITE sip:(09)00.1;phone-context=x:pw@x SIP/2.0",
	 "<sip:1001@x>", "<sip:1@x>", "", GATE_RIGHTS,
	 "calling-rights \"lobby\" rule 3"},
	{'A', "INVITE tel:0900-1;phone-context=x SIP/2.0", "<sip:1001@x>",
	 "<sip:1@x>", "", GATE_RIGHTS, "calling-rights \"lobby\" rule 3"},
	{'B', "INVITE sip:09001@x SIP/2.0", "<sip:1002@x>", "<sip:1@x>", "",
	 GATE_OPEN, ""},
	{'A', "INVITE sip:09001@x SIP/2.0", "<sip:1001@x>", "<sip:1@x>;tag=b",
	 "", GATE_OPEN, ""},
	{'t', "INVITE sip:09001@x SIP/2.0", "<sip:1001@x>", "<sip:1@x>", "",
	 GATE_RIGHTS, "calling-rights \"lobby\" rule 3"},
	/* Transfers: whom To names goes to Refer-To. */
	{'A', "REFER sip:5551@x SIP/2.0", "<sip:1001@x>", "<sip:5551@x>;tag=b",
	 "Refer-To: <sip:5552@x>\n", GATE_RIGHTS,
	 "calling-rights \"lobby\" rule 1"},
	{'A', "REFER sip:5551@x SIP/2.0", "<sip:1001@x>", "<sip:5551@x>;tag=b",
	 "Refer-To: <sip:5552@x?Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db>\n",
	 GATE_RIGHTS,
	 "calling-rights \"lobby\": names a dialog that is not known"},
	{'A', "REFER sip:5551@x SIP/2.0", "<sip:1001@x>", "<sip:5551@x>;tag=b",
	 "r: tel:+5552\n", GATE_RIGHTS, "calling-rights \"lobby\" rule 1"},
	{'A', "REFER sip:5551@x SIP/2.0", "<sip:1001@x>", "<sip:5551@x>;tag=b",
	 "Refer-To: <sip:1002@x>\n", GATE_OPEN, ""},
	{'A', "REFER sip:5551@x SIP/2.0", "<sip:1001@x>", "<sip:5551@x>;tag=b",
	 "Refer-To: <sip:200@x>\n", GATE_OPEN, ""},
	{'A', "REFER sip:1002@x SIP/2.0", "<sip:1001@x>", "<sip:1002@x>;tag=b",
	 "Refer-To: <sip:5552@x>\n", GATE_OPEN, ""},
	{'A', "REFER sip:5551@x SIP/2.0", "<sip:1001@x>", "<sip:5551@x>",
	 "Refer-To: <cid:1@x>\n", GATE_OPEN, ""},
	{'A', "REFER sip:5551@x SIP/2.0", "<sip:1001@x>", "<sip:5551@x>",
	 "Refer-To: <sip:1002@@x>\n", GATE_RIGHTS,
	 "calling-rights \"lobby\": a number cannot be read"},
	{'B', "REFER sip:5551@x SIP/2.0", "<sip:1002@x>", "<sip:5551@x>",
	 "Refer-To: <sip:5552@x>\n", GATE_OPEN, ""},
	/* Presence: sales may watch default, not board; board watches nobody. */
	{'A', "SUBSCRIBE sip:1003@x SIP/2.0", "<sip:1001@x>", "<sip:1003@x>",
	 "Event: presence\n", GATE_OPEN, ""},
	{'A', "SUBSCRIBE sip:1002@x SIP/2.0", "<sip:1001@x>", "<sip:1003@x>",
	 "Event: presence\n", GATE_PRESENCE,
	 "presence-group \"sales\" watches \"board\": "
	 "presence-between-groups = deny"},
	{'B', "SUBSCRIBE sip:1001@x SIP/2.0", "<sip:1002@x>", "<sip:1001@x>",
	 "o: dialog;call-id=x\n", GATE_PRESENCE,
	 "presence-group \"board\" watches \"sales\": may-not-watch of the "
	 "presence group"},
	{'B', "SUBSCRIBE sip:9999@x SIP/2.0", "<sip:1002@x>", "<sip:9999@x>",
	 "Event: Presence.winfo\n", GATE_PRESENCE,
	 "presence-group \"board\" watches \"default\": "
	 "presence-between-groups = deny"},
	{'B', "SUBSCRIBE sip:1002@x SIP/2.0", "<sip:1002@x>", "<sip:1002@x>",
	 "Event: dialog\n", GATE_OPEN, ""},
	{'B', "SUBSCRIBE sip:1001@x SIP/2.0", "<sip:1002@x>", "<sip:1001@x>",
	 "Event: message-summary\n", GATE_OPEN, ""},
	{'B', "SUBSCRIBE sip:1001@x SIP/2.0", "<sip:1002@x>",
	 "<sip:1001@x>;tag=b", "Event: presence\n", GATE_OPEN, ""},
	{'B', "SUBSCRIBE sip:%31001@x SIP/2.0", "<sip:1002@x>", "<sip:1002@x>",
	 "Event: presence\n", GATE_PRESENCE,
	 "presence-group \"board\" watches \"sales\": may-not-watch of the "
	 "presence group"},
	{'t', "SUBSCRIBE sip:1001@x SIP/2.0", "<sip:1001@x>", "<sip:1001@x>",
	 "Event: presence\n", GATE_PRESENCE,
	 "presence-group \"default\" watches \"sales\": "
	 "presence-between-groups = deny"},
	{'t', "SUBSCRIBE sip:1003@x SIP/2.0", "<sip:1001@x>", "<sip:1003@x>",
	 "Event: presence\n", GATE_OPEN, ""},
};

static struct gate_party party(char name)
{
	const struct config_device *a =
		config_device_find(config, slice_str("A"));
	struct gate_party p = {.presence_group = "default",
			       .rights = a->rights};

	if (name == 't')
		return p;
	p.device = config_device_find(config, slice_make(&name, 1));
	p.rights = p.device->rights;
	p.presence_group = p.device->presence_group;
	return p;
}

static void check(enum gate_answer got, enum gate_answer want,
		  const struct writer *rule, const char *text)
{
	ck_assert_msg(slice_eqs(writer_slice(rule), text), "%.*s",
		      SLICE_FMT(writer_slice(rule)));
	ck_assert_int_eq(got, want);
}

START_TEST(a_request_is_open_as_its_row_says)
{
	static struct sip_msg m;
	struct gate_party p = party(requests[_i].device);
	char text[512];
	struct writer rule;

	writer_init(&rule, text, sizeof(text));
	parse(requests[_i].start, requests[_i].from, requests[_i].to,
	      requests[_i].extra, "", &m);
	check(gate_request(config, &p, &m, &rule), requests[_i].want, &rule,
	      requests[_i].rule);
}
END_TEST

static const struct {
	char device;
	const char *start, *from, *contact;
	enum gate_answer want;
} responses[] = {
	{'A', "SIP/2.0 302 Moved", "<sip:5551@x>", "<sip:5552@x>", GATE_RIGHTS},
	{'A', "SIP/2.0 302 Moved", "<sip:1002@x>", "<sip:5552@x>", GATE_RIGHTS},
	{'A', "SIP/2.0 302 Moved", "<sip:5551@x>", "<sip:1002@x>", GATE_OPEN},
	{'A', "SIP/2.0 300 Choose", "<sip:5551@x>",
	 "<sip:1002@x>, <sip:5552@x>", GATE_RIGHTS},
	{'A', "SIP/2.0 180 Ringing", "<sip:5551@x>", "<sip:5552@x>", GATE_OPEN},
	{'A', "SIP/2.0 200 OK", "<sip:5551@x>", "<sip:5552@x>", GATE_OPEN},
	{'B', "SIP/2.0 302 Moved", "<sip:5551@x>", "<sip:5552@x>", GATE_OPEN},
};

START_TEST(a_forward_is_open_as_its_row_says)
{
	static struct sip_msg m;
	struct gate_party p = party(responses[_i].device);
	char text[512];
	char contact[256];
	struct writer rule;

	writer_init(&rule, text, sizeof(text));
	(void)snprintf(contact, sizeof(contact), "m: %s\n",
		       responses[_i].contact);
	parse(responses[_i].start, responses[_i].from, "<sip:1001@x>;tag=b",
	      contact, "", &m);
	ck_assert_int_eq(gate_response(config, &p, &m, &rule),
			 responses[_i].want);
}
END_TEST

static const struct {
	const char *type, *body;
	enum gate_answer want;
} lists[] = {
	{"application/resource-lists+xml", "<entry uri=\"sip:1003@x\"/>",
	 GATE_OPEN},
	{"application/resource-lists+xml",
	 "<entry uri=\"sip:1003@x\"/><entry uri = 'sip:1002@x'/>",
	 GATE_PRESENCE},
	{"application/resource-lists+xml", "<entry uri=\"sip:&#49;002@x\"/>",
	 GATE_PRESENCE},
	{"application/resource-lists+xml", "<entry uri=\"sip:1003@x",
	 GATE_PRESENCE},
	{"application/resource-lists+xml", "<entry uri=sip:1003@x>",
	 GATE_PRESENCE},
	{"Application/Resource-Lists+XML;charset=utf-8",
	 "<e:entry uri=\"sip:1002@x\"/>", GATE_PRESENCE},
	{"multipart/mixed;boundary=b",
	 "--b\r\nContent-Type: application/resource-lists+xml\r\n\r\n"
	 "<entry uri=\"sip:1002@x\"/>\r\n--b--\r\n",
	 GATE_PRESENCE},
	{"text/plain", "<entry uri=\"sip:1002@x\"/>", GATE_OPEN},
};

START_TEST(members_of_a_list_are_watched_too)
{
	static struct sip_msg m;
	struct gate_party p = party('A');
	char text[512];
	char extra[256];
	struct writer rule;

	writer_init(&rule, text, sizeof(text));
	(void)snprintf(extra, sizeof(extra),
		       "Event: presence\nContent-Type: %s\n", lists[_i].type);
	parse("SUBSCRIBE sip:1003@x SIP/2.0", "<sip:1001@x>", "<sip:1003@x>",
	      extra, lists[_i].body, &m);
	ck_assert_int_eq(gate_request(config, &p, &m, &rule), lists[_i].want);
}
END_TEST

START_TEST(a_list_without_end_is_not_watched)
{
	static struct sip_msg m;
	struct gate_party p = party('A');
	static char body[TEXT_MAX];
	char text[512];
	struct writer rule;
	size_t n = 0;

	for (int i = 0; i < GATE_ENTRIES_MAX; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "uri=''");
	writer_init(&rule, text, sizeof(text));
	parse("SUBSCRIBE sip:1003@x SIP/2.0", "<sip:1001@x>", "<sip:1003@x>",
	      "Event: presence\n", "", &m);
	m.package = slice_make(body, n);
	m.package_type = slice_str("application/resource-lists+xml");
	ck_assert_int_eq(gate_request(config, &p, &m, &rule), GATE_PRESENCE);
}
END_TEST

static const struct {
	const char *start, *to, *extra;
	unsigned kinds;
} kinds[] = {
	{"REFER sip:1@x SIP/2.0", "<sip:1@x>", "Refer-To: <sip:2@x>\n",
	 AUTHZ_REFER},
	{"REFER sip:1@x SIP/2.0", "<sip:1@x>",
	 "r: <sip:2@x?Subject=a&rEPLACES=x>\n", AUTHZ_REFER | AUTHZ_REPLACES},
	{"REFER sip:1@x SIP/2.0", "<sip:1@x>;tag=b",
	 "r: <sip:2@x?%52epl%61ces=x>\n", AUTHZ_REPLACES},
	{"REFER sip:1@x SIP/2.0", "<sip:1@x>;tag=b",
	 "r: <sip:2@x;replaces=x>\n", 0},
	{"INVITE sip:1@x SIP/2.0", "<sip:1@x>",
	 "Replaces: c;to-tag=a;from-tag=b\n", AUTHZ_REPLACES},
	{"INVITE sip:1@x SIP/2.0", "<sip:1@x>", "Supported: replaces\n", 0},
	{"SUBSCRIBE sip:1@x SIP/2.0", "<sip:1@x>", "Event: presence;id=1\n",
	 AUTHZ_PRESENCE},
	{"SUBSCRIBE sip:1@x SIP/2.0", "<sip:1@x>", "Event: dialog\n", 0},
	{"SUBSCRIBE sip:1@x SIP/2.0", "<sip:1@x>;tag=b", "Event: presence\n",
	 0},
	{"NOTIFY sip:1@x SIP/2.0", "<sip:1@x>", "Event: message-summary\n",
	 AUTHZ_NOTIFY},
	{"NOTIFY sip:1@x SIP/2.0", "<sip:1@x>;tag=b", "Event: dialog\n", 0},
	{"PUBLISH sip:1@x SIP/2.0", "<sip:1@x>", "Event: presence\n", 0},
};

START_TEST(a_message_is_of_the_kinds_its_row_says)
{
	static struct sip_msg m;
	struct gate_facts f;
	struct addr source = {.family = ADDR_NONE};

	parse(kinds[_i].start, "<sip:9@y>", kinds[_i].to, kinds[_i].extra, "",
	      &m);
	gate_facts(&m, &source, SLICE_NULL, &f);
	ck_assert_uint_eq(authz_kinds(&f.request), kinds[_i].kinds);
}
END_TEST

START_TEST(rules_see_headers_bodies_and_parties)
{
	static struct sip_msg m;
	struct gate_facts f;
	struct addr source = {.family = ADDR_NONE};
	const struct acl_query *q = &f.request.query;

	parse("MESSAGE sip:%62ob@y SIP/2.0", "\"A\" <sip:al%69ce@Evil.org>",
	      "<sip:bob@y>",
	      "k: x\nX-Odd: some value\nContent-Type: multipart/mixed;"
	      "boundary=b\n",
	      "--b\r\nContent-Type: text/html;a=b\r\n\r\nx\r\n--b\r\n\r\ny"
	      "\r\n--b--\r\n",
	      &m);
	gate_facts(&m, &source, slice_str("crm"), &f);
	ck_assert(slice_eqs(q->value[ACL_PRINCIPAL], "crm"));
	ck_assert(slice_eqs(q->value[ACL_METHOD], "MESSAGE"));
	ck_assert(slice_eqs(q->value[ACL_FROM], "alice@Evil.org"));
	ck_assert(slice_eqs(q->value[ACL_TO], "bob@y"));
	ck_assert(q->has_header(q->ctx, slice_str("supported"), SLICE_NULL));
	ck_assert(q->has_header(q->ctx, slice_str("K"), SLICE_NULL));
	ck_assert(q->has_header(q->ctx, slice_str("x-*"), slice_str("*VAL*")));
	ck_assert(!q->has_header(q->ctx, slice_str("x-o"), SLICE_NULL));
	ck_assert(!q->has_header(q->ctx, slice_str("X-Odd"), slice_str("no")));
	ck_assert_int_eq(q->has_body(q->ctx, slice_str("multipart/mixed")),
			 ACL_BODY_FOUND);
	ck_assert_int_eq(q->has_body(q->ctx, slice_str("TEXT/html")),
			 ACL_BODY_FOUND);
	ck_assert_int_eq(q->has_body(q->ctx, slice_str("text/plain")),
			 ACL_BODY_FOUND);
	ck_assert_int_eq(q->has_body(q->ctx, slice_str("application/sdp")),
			 ACL_BODY_NONE);
}
END_TEST

/* Where another body may hide, a rule that denies it holds and one that allows it
 * does not. */
static const struct {
	const char *type, *body;
	enum acl_body found; /* text/evil */
} hidden[] = {
	{"text/plain", "x", ACL_BODY_NONE},
	{"text/evil", "x", ACL_BODY_FOUND},
	{"multipart/mixed;boundary=b",
	 "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n"
	 "--c\r\nContent-Type: text/evil\r\n\r\nx\r\n--c--\r\n--b--\r\n",
	 ACL_BODY_FOUND},
	{"multipart/mixed;boundary=b",
	 "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n"
	 "--c\r\nContent-Type: text/good\r\n\r\nx\r\n--c--\r\n"
	 "--b\r\nContent-Type: text/evil\r\n\r\nx\r\n--b--\r\n",
	 ACL_BODY_FOUND},
	{"multipart/mixed;boundary=b",
	 "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n"
	 "--c\r\nContent-Type: text/good\r\n\r\nx\r\n--c--\r\n--b--\r\n",
	 ACL_BODY_NONE},
	{"multipart/mixed;boundary=b",
	 "--b\r\nContent-Type: text/good\r\n\r\nx", ACL_BODY_UNCLEAR},
	{"multipart/mixed;boundary=b", "text/evil", ACL_BODY_UNCLEAR},
	{"multipart/mixed", "--b\r\n\r\nx\r\n--b--\r\n", ACL_BODY_UNCLEAR},
	/* Four in each other are not opened. */
	{"multipart/mixed;boundary=a",
	 "--a\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n"
	 "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n"
	 "--c\r\nContent-Type: multipart/mixed;boundary=d\r\n\r\n"
	 "--d\r\n\r\nx\r\n--d--\r\n--c--\r\n--b--\r\n--a--\r\n",
	 ACL_BODY_UNCLEAR},
};

START_TEST(a_body_may_hide)
{
	static struct sip_msg m;
	struct addr source = {.family = ADDR_NONE};
	struct gate_facts f;
	char head[128];

	snprintf(head, sizeof(head), "Content-Type: %s\n", hidden[_i].type);
	parse("MESSAGE sip:1@y SIP/2.0", "<sip:2@x>", "<sip:1@y>", head,
	      hidden[_i].body, &m);
	gate_facts(&m, &source, SLICE_NULL, &f);
	ck_assert_int_eq(f.request.query.has_body(f.request.query.ctx,
						  slice_str("text/evil")),
			 hidden[_i].found);
}
END_TEST

/* A Refer-To that cannot be read here might be read by somebody else. */
static const struct {
	const char *refer_to;
	bool has_replaces;
} refer_to[] = {
	{"<sip:1@x?Replaces=a>", true},
	{"<sip:1@x?%52eplace%73=a>", true},
	{"<sip:1@x?Subject=replaced>", false},
	{"<sip:1@x?rEPLACES=a", true},
	{"<sip:1@x?%52EPLACE%53=a", true},
	{"<sip:1@x?%5Replaces", true},
	{"<sip:1@x?%52eplace=a", false},
};

START_TEST(a_refer_to_may_hide_replaces)
{
	static struct sip_msg m;
	struct addr source = {.family = ADDR_NONE};
	struct gate_facts f;
	char head[128];

	snprintf(head, sizeof(head), "Refer-To: %s\n", refer_to[_i].refer_to);
	parse("REFER sip:1@y SIP/2.0", "<sip:2@x>", "<sip:1@y>", head, "", &m);
	gate_facts(&m, &source, SLICE_NULL, &f);
	ck_assert_int_eq(f.request.has_replaces, refer_to[_i].has_replaces);
}
END_TEST

#define LOOP(t, a) \
	tcase_add_loop_test(tc, t, 0, (int)(sizeof(a) / sizeof((a)[0])))

/* ---- remotecc ------------------------------------------------------------------ */

/* Calls of the phone: out1 and out2 lead outside, in1 to 1002. */
static bool far(void *ctx, const struct sip_out_ids *ids, struct slice *ret_uri,
		struct slice *ret_contact)
{
	static const char *const known[][3] = {{"out1", "sip:0123@x", "t1"},
					       {"out&2", "sip:0456@x", "t2"},
					       {"in1", "sip:1002@x", "t3"}};

	(void)ctx;
	for (size_t i = 0; i < 3; i++)
		if (slice_eqs(ids->call_id, known[i][0]) &&
		    slice_eqs(ids->tag[0], "l") &&
		    slice_eqs(ids->tag[1], "r")) {
			*ret_uri = slice_str(known[i][1]);
			*ret_contact = slice_str(known[i][2]);
			return true;
		}
	return false;
}

#define IDS(id)                     \
	"<callid>" id "</callid>\n" \
	"<localtag>l</localtag>"    \
	"<remotetag>r</remotetag>"
#define EVENT(key, rest)                                                \
	"<x-cisco-remotecc-request><softkeyeventmsg><softkeyevent>" key \
	"</softkeyevent>" rest "</softkeyeventmsg></x-cisco-remotecc-request>"
#define CALL(id)   "<dialogid>" IDS(id) "</dialogid>"
#define TARGET(id) "<consultdialogid>" IDS(id) "</consultdialogid>"

static const struct {
	const char *body;
	enum gate_answer want;
	const char *rule;
} remotecc[] = {
	{EVENT("Transfer", CALL("out1") TARGET("out&amp;2")), GATE_RIGHTS,
	 "calling-rights \"lobby\" rule 1"},
	{EVENT("Transfer", CALL("out1") TARGET("in1")), GATE_OPEN, ""},
	{EVENT("Transfer", CALL("in1") TARGET("out1")), GATE_OPEN, ""},
	/* The second key press tells both; the first is no transfer yet. */
	{EVENT("Transfer", CALL("out1")), GATE_OPEN, ""},
	{EVENT("Transfer", CALL("out1") "<consultdialogid><callid></callid>"
					"</consultdialogid>"),
	 GATE_OPEN, ""},
	/* The order of the elements, other spellings, other keys. */
	{EVENT("Transfer", TARGET("out&amp;2") CALL("out1")), GATE_RIGHTS,
	 "calling-rights \"lobby\" rule 1"},
	{"<a:softkeyevent x='>'>Transfer</a:softkeyevent>" CALL("out1")
		 TARGET("out&amp;2"),
	 GATE_RIGHTS, "calling-rights \"lobby\" rule 1"},
	{EVENT("Hurl", CALL("out1") TARGET("out&amp;2")), GATE_RIGHTS,
	 "calling-rights \"lobby\" rule 1"},
	{EVENT("<![CDATA[Transfer]]>", CALL("out1") TARGET("out&amp;2")),
	 GATE_RIGHTS, "calling-rights \"lobby\" rule 1"},
	/* The phone stays in it. */
	{EVENT("Conference", CALL("out1") TARGET("out&amp;2")), GATE_OPEN, ""},
	{EVENT("Conference", CALL("in1"))
		 EVENT("Transfer", CALL("out1") TARGET("out&amp;2")),
	 GATE_RIGHTS, "calling-rights \"lobby\" rule 1"},
	/* Whose calls these are nobody knows. */
	{EVENT("Transfer", CALL("out1") TARGET("other")), GATE_RIGHTS,
	 "calling-rights \"lobby\": a number cannot be read"},
	{EVENT("Transfer",
	       CALL("in1") CALL("in1") CALL("in1") CALL("in1") CALL("in1")
		       CALL("in1") CALL("in1") CALL("in1") TARGET("in1")),
	 GATE_RIGHTS, "calling-rights \"lobby\": a number cannot be read"},
};

/* How a Cisco phone completes a transfer: the same as by Refer-To. */
START_TEST(a_transfer_by_remotecc_is_judged_like_a_refer)
{
	static const char part[] =
		"--b\r\nContent-Type: application/x-cisco-remotecc-request+xml"
		"\r\n\r\n";
	struct gate_dialogs dialogs = {.far = far};
	struct gate_party p = {
		.presence_group = "sales",
		.device = config_device_find(config, slice_str("A")),
		.dialogs = &dialogs};
	static struct sip_msg m;
	char text[2048];
	char got[256];
	struct writer rule;

	p.rights = p.device->rights;
	for (int multipart = 0; multipart < 2; multipart++) {
		(void)snprintf(text, sizeof(text), "%s%s%s",
			       multipart ? part : "", remotecc[_i].body,
			       multipart ? "\r\n--b--\r\n" : "");
		parse("REFER sip:x@x SIP/2.0", "<sip:1001@x>", "<sip:x@x>",
		      multipart ? "Refer-To: <cid:1@x>\nContent-Type: "
				  "multipart/mixed;boundary=b\n"
				: "Refer-To: <cid:1@x>\nContent-Type: "
				  "application/x-cisco-remotecc-request+xml\n",
		      text, &m);
		writer_init(&rule, got, sizeof(got) - 1);
		ck_assert_int_eq(gate_request(config, &p, &m, &rule),
				 remotecc[_i].want);
		got[rule.len] = '\0';
		ck_assert_str_eq(got, remotecc[_i].rule);
	}
}
END_TEST

#define IN1   "in1%3Bto-tag%3Dl%3Bfrom-tag%3Dr"
#define OUT1  "out1%3Bto-tag%3Dl%3Bfrom-tag%3Dr"
#define LOBBY "calling-rights \"lobby\" rule 1"
#define LOST  "calling-rights \"lobby\": names a dialog that is not known"

/* Somebody outside is handed over to whom one speaks with. */
static const struct {
	const char *uri;
	enum gate_answer want;
	const char *rule;
} replaced[] = {
	{"sip:1002@x?Replaces=" IN1, GATE_OPEN, ""},
	/* Our Contact, which is nobody's number. */
	{"sip:t3@192.0.2.1?Replaces=" IN1, GATE_OPEN, ""},
	{"sip:t3@192.0.2.1?a=b&Replaces=" IN1 "&Require=replaces", GATE_OPEN,
	 ""},
	/* The number says inside, the dialog leads outside. */
	{"sip:1002@x?Replaces=" OUT1, GATE_RIGHTS, LOBBY},
	{"sip:t1@192.0.2.1?Replaces=" OUT1, GATE_RIGHTS, LOBBY},
	{"sip:1002@x?Repl%61ces=" OUT1, GATE_RIGHTS, LOBBY},
	{"sip:1002@x?replaces=%6Fut1%3Bfrom-tag%3Dr%3Bto-tag%3Dl", GATE_RIGHTS,
	 LOBBY},
	{"sip:1002@x?Join=" OUT1, GATE_RIGHTS, LOBBY},
	{"sip:1002@x?Replaces=" IN1 "&Replaces=" OUT1, GATE_RIGHTS, LOBBY},
	/* The other way: who is called does not know the dialog. */
	{"sip:0456@x?Replaces=" IN1, GATE_RIGHTS, LOBBY},
	/* Another dialog's Contact. */
	{"sip:t1@192.0.2.1?Replaces=" IN1, GATE_RIGHTS, LOBBY},
	/* Whose dialogs these are nobody knows. */
	{"sip:1002@x?Replaces=other%3Bto-tag%3Dl%3Bfrom-tag%3Dr", GATE_RIGHTS,
	 LOST},
	{"sip:1002@x?Replaces=in1", GATE_RIGHTS, LOST},
	{"sip:1002@x?Replaces", GATE_RIGHTS, LOST},
	{"sip:1002@x?Replaces=in1%0D%0A%3Bto-tag%3Dl%3Bfrom-tag%3Dr",
	 GATE_RIGHTS, LOST},
};

START_TEST(an_attended_transfer_is_judged_by_its_dialog)
{
	struct gate_dialogs dialogs = {.far = far};
	struct gate_party p = party('A');
	static struct sip_msg m;
	char extra[512], got[256];
	struct writer rule;

	p.dialogs = &dialogs;
	p.far = slice_str("sip:5551@x");
	(void)snprintf(extra, sizeof(extra), "Refer-To: <%s>\n",
		       replaced[_i].uri);
	parse("REFER sip:5551@x SIP/2.0", "<sip:1001@x>", "<sip:5551@x>;tag=b",
	      extra, "", &m);
	writer_init(&rule, got, sizeof(got) - 1);
	ck_assert_int_eq(gate_request(config, &p, &m, &rule),
			 replaced[_i].want);
	got[rule.len] = '\0';
	ck_assert_str_eq(got, replaced[_i].rule);
}
END_TEST

static const struct {
	const char *start, *from, *extra;
	enum gate_answer want;
} forwarded[] = {
	{"INVITE sip:0123@x SIP/2.0", "<sip:0456@x>",
	 "Diversion: <sip:1001@x>;reason=unconditional\n", GATE_RIGHTS},
	{"INVITE sip:1002@x SIP/2.0", "<sip:0456@x>",
	 "Diversion: <sip:1001@x>;reason=unconditional\n", GATE_OPEN},
	/* The last one to forward stands first; B may. */
	{"INVITE sip:0123@x SIP/2.0", "<sip:0456@x>",
	 "Diversion: <sip:1002@x>, <sip:1001@x>\n", GATE_OPEN},
	{"INVITE sip:0123@x SIP/2.0", "<sip:0456@x>",
	 "Diversion: \"a, b\" <sip:1001@x>, <sip:1002@x>\n", GATE_RIGHTS},
	{"INVITE sip:0123@x SIP/2.0", "<sip:0456@x>",
	 "History-Info: <sip:1001@x>;index=1, "
	 "<sip:0123@x;cause=302>;index=1.1\n",
	 GATE_RIGHTS},
	{"INVITE sip:0123@x SIP/2.0", "<sip:0456@x>",
	 "History-Info: <sip:1001@x>;index=1\n"
	 "History-Info: <sip:1002@x;cause=302>;index=1.1\n"
	 "History-Info: <sip:0123@x;cause=302>;index=1.1.1\n",
	 GATE_OPEN},
	{"INVITE sip:0123@x SIP/2.0", "<sip:1001@x>",
	 "History-Info: <sip:0123@x>;index=1\n", GATE_OPEN},
	{"INVITE sip:0123@x SIP/2.0", "<sip:1001@x>", "", GATE_OPEN},
	{"OPTIONS sip:0123@x SIP/2.0", "<sip:0456@x>",
	 "Diversion: <sip:1001@x>\n", GATE_OPEN},
};

START_TEST(what_the_call_manager_forwards_for_a_phone_needs_its_rights)
{
	const struct config_device *d = NULL;
	static struct sip_msg m;
	char got[256];
	struct writer rule;

	parse(forwarded[_i].start, forwarded[_i].from, "<sip:x@x>",
	      forwarded[_i].extra, "", &m);
	writer_init(&rule, got, sizeof(got) - 1);
	ck_assert_int_eq(gate_forwarded(config, &m, &rule, &d),
			 forwarded[_i].want);
	got[rule.len] = '\0';
	ck_assert_str_eq(got, forwarded[_i].want == GATE_OPEN
				      ? ""
				      : "calling-rights \"lobby\" rule 2");
	if (forwarded[_i].want != GATE_OPEN)
		ck_assert_str_eq(d->name, "A");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("gate");

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(a_request_is_open_as_its_row_says, requests);
	LOOP(a_forward_is_open_as_its_row_says, responses);
	LOOP(members_of_a_list_are_watched_too, lists);
	tcase_add_test(tc, a_list_without_end_is_not_watched);
	LOOP(a_message_is_of_the_kinds_its_row_says, kinds);
	LOOP(an_attended_transfer_is_judged_by_its_dialog, replaced);
	LOOP(a_body_may_hide, hidden);
	LOOP(a_refer_to_may_hide_replaces, refer_to);
	tcase_add_test(tc, rules_see_headers_bodies_and_parties);
	tcase_add_loop_test(tc, a_transfer_by_remotecc_is_judged_like_a_refer,
			    0, sizeof(remotecc) / sizeof(remotecc[0]));
	tcase_add_loop_test(
		tc, what_the_call_manager_forwards_for_a_phone_needs_its_rights,
		0, sizeof(forwarded) / sizeof(forwarded[0]));
	return run_case("proxy/gate", tc);
}
