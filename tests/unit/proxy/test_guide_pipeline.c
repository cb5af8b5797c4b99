/*
 * The matrix of tests/authz/guide.tsv once more, with everything real: each
 * case is a SIP message that comes from the peer of a trunk, with digest
 * credentials where it has some, through the whole pipeline. What is to come
 * out is read from the table alone (unit/authz/guide.h).
 */
#include <stdio.h>

#include "lib/run.h"
#include "unit/authz/guide.h"
#include "unit/proxy/world.h"

enum { TEXT_MAX = 2048, ROWS_MAX = 110 };

static struct world w;
static struct dest peer;
static uint32_t number; /* of the message */
static uint32_t nc;
static char nonce[128];

/* ---- configuration -------------------------------------------------------- */

static const char *const options[4] = {
	"accept-presence-subscription", "accept-out-of-dialog-refer",
	"accept-unsolicited-notification", "accept-replaces"};

static const char *const app_names[GUIDE_BOXES] = {
	"app0", "app1", "app2",	 "app3",  "app4",  "app5",  "app6",  "app7",
	"app8", "app9", "app10", "app11", "app12", "app13", "app14", "app15"};

static const char *(*add(const char *(*row)[4], const char *section,
			 const char *label, const char *option,
			 const char *value))[4]
{
	(*row)[0] = section;
	(*row)[1] = label;
	(*row)[2] = option;
	(*row)[3] = value;
	return row + 1;
}

static void begin(const struct guide_case *c)
{
	static const char *more[ROWS_MAX][4];
	const char *(*r)[4] = more;

	r = add(r, "trunk-profile", "case", "security-mode", "nonsecure");
	r = add(r, "trunk-profile", "case", "digest", c->digest ? "yes" : "no");
	r = add(r, "trunk-profile", "case", "application-authorization",
		c->per_app ? "yes" : "no");
	for (unsigned i = 0; i < 4; i++)
		r = add(r, "trunk-profile", "case", options[i],
			c->trunk >> i & 1 ? "yes" : "no");
	r = add(r, "trunk", "case", "profile", "case");
	r = add(r, "trunk", "case", "listeners", "trunks");
	r = add(r, "trunk", "case", "peers", "udp:203.0.113.9:5060");
	r = add(r, "trunk", "case", "call-managers", "cm");
	r = add(r, "trunk", "case", "hosts", "case.example");
	for (unsigned app = 0; app < GUIDE_BOXES; app++)
		for (unsigned i = 0; i < 4; i++)
			r = add(r, "application-user", app_names[app],
				options[i], app >> i & 1 ? "yes" : "no");
	ck_assert_uint_le((size_t)(r - more), ROWS_MAX);
	world_init_more(&w, (const char *const(*)[4])more, (size_t)(r - more));
	peer = w.carrier[0];
	ck_assert_int_eq(
		addr_parse(slice_str("203.0.113.9:5060"), 0, &peer.peer), 0);
	nonce[0] = '\0';
	nc = 0;
}

/* ---- messages ------------------------------------------------------------- */

static const char *extra_of(const struct guide_request *q)
{
	static char text[256];
	bool is_refer = strcmp(q->method, "REFER") == 0;

	(void)snprintf(text, sizeof(text), "%s%s%s%s%s%s%s",
		       q->event[0] ? "Event: " : "", q->event,
		       q->event[0] ? "\n" : "",
		       strcmp(q->method, "NOTIFY") == 0
			       ? "Subscription-State: active\n"
			       : "",
		       is_refer ? "Refer-To: <sip:5@192.0.2.1" : "",
		       is_refer && q->has_replaces
			       ? "?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db"
			       : "",
		       is_refer		 ? ">\n"
		       : q->has_replaces ? "Replaces: x;to-tag=a;from-tag=b\n"
					 : "");
	return text;
}

static void say(const struct guide_request *q, const char *authorization)
{
	char text[TEXT_MAX];
	int n;

	number++;
	n = snprintf(text, sizeof(text),
		     "%s sip:1001@192.0.2.1:5070 SIP/2.0\n"
		     "Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKg%u\n"
		     "Max-Forwards: 70\n"
		     "From: <sip:4711@203.0.113.9>;tag=g%u\n"
		     "To: <sip:1001@192.0.2.1:5070>%s\n"
		     "Call-ID: guide-%u\n"
		     "CSeq: 1 %s\n"
		     "Contact: <sip:4711@203.0.113.9>\n"
		     "%s%s",
		     q->method, number, number,
		     q->is_in_dialog ? ";tag=there" : "", number, q->method,
		     extra_of(q), authorization);
	ck_assert(n > 0 && n < TEXT_MAX);
	world_forget(&w);
	world_say(&w, &peer, SIDE_PHONE, NULL, text);
}

static const struct guide_request plain = {"message", "MESSAGE", "", false,
					   false};

/* A nonce of the trunk's; only where it challenges. */
static void fetch_nonce(void)
{
	const char *at;

	say(&plain, "");
	ck_assert_uint_eq(w.sent_count, 1);
	at = strstr(w.sent[0].text, "nonce=\"");
	ck_assert_msg(at != NULL, "%s", w.sent[0].text);
	ck_assert_int_eq(sscanf(at, "nonce=\"%127[^\"]", nonce), 1);
}

static const char *authorization_of(const struct guide_case *c)
{
	static char text[512];
	const char *user =
		c->app == GUIDE_APP_UNKNOWN ? "nobody" : app_names[c->app];
	char count[16];
	struct digest_fields f = {.method = slice_str(c->request->method),
				  .uri = slice_str("sip:1001@192.0.2.1:5070"),
				  .nonce = slice_str(nonce),
				  .qop = slice_str("auth"),
				  .cnonce = slice_str("c")};
	struct digest_hex ha1, response;

	(void)snprintf(count, sizeof(count), "%08x", ++nc);
	f.nc = slice_str(count);
	ck_assert_int_eq(
		digest_ha1(DIGEST_MD5, slice_str(user), slice_str("case"),
			   slice_str(strcmp(c->cred, "good") == 0 ? "secret"
								  : "Secret"),
			   &ha1),
		0);
	ck_assert_int_eq(digest_response(digest_hex_slice(&ha1), &f, &response),
			 0);
	(void)snprintf(text, sizeof(text),
		       "Authorization: Digest username=\"%s\", realm=\"case\", "
		       "nonce=\"%s\", uri=\"sip:1001@192.0.2.1:5070\", "
		       "response=\"%.*s\", algorithm=MD5, qop=auth, nc=%s, "
		       "cnonce=\"c\"\n",
		       user, nonce, SLICE_FMT(digest_hex_slice(&response)),
		       count);
	return text;
}

/* ---- the matrix -------------------------------------------------------------- */

static bool is_challenged(void)
{
	for (uint32_t i = 0; i < w.sent_count; i++)
		if (strncmp(w.sent[i].text, "SIP/2.0 401 ", 12) == 0)
			return dest_eq(&w.sent[i].to, &peer);
	return false;
}

static bool is_forbidden(void)
{
	return w.stop == STOP_LIST && w.sent_count == 1 &&
	       strncmp(w.sent[0].text, "SIP/2.0 403 ", 12) == 0 &&
	       strstr(w.sent[0].text, "\r\nWarning: 399 ") != NULL;
}

static void check_case(struct guide *g, const struct guide_case *c)
{
	const struct slice *row = guide_row(g, c);
	bool has_cred = strcmp(c->cred, "none") != 0;
	const char *answer;

	if (c->digest && has_cred && nonce[0] == '\0')
		fetch_nonce();
	say(c->request, has_cred ? authorization_of(c) : "");
	world_settle(&w);
	answer = is_challenged() ? "401" : is_forbidden() ? "403" : "process";
	ck_assert_msg(slice_eqs(row[GUIDE_ANSWER], answer),
		      "%s digest=%d per-app=%d trunk=%u app=%u cred=%s: %s "
		      "(%s), but: %.*s",
		      c->request->name, c->digest, c->per_app, c->trunk, c->app,
		      c->cred, answer, w.why, SLICE_FMT(row[GUIDE_SENTENCE]));
	/* A refusal names the gate, and which rule it was, in the log. */
	if (strcmp(answer, "403") == 0)
		ck_assert_msg(slice_starts(slice_str(w.why), "trunk: ") ==
				      slice_eqs(row[GUIDE_GATE], "trunk"),
			      "%s", w.why);
	else if (strcmp(answer, "process") == 0)
		ck_assert_msg(w.stop == STOP_NONE, "%s: %s", c->request->name,
			      w.why);
	/* What is let in goes inside, except where the call machine has a
	 * better answer: no such dialog. */
	if (strcmp(answer, "process") == 0 && !c->request->is_in_dialog &&
	    strcmp(c->request->method, "CANCEL") != 0)
		ck_assert_msg(w.sent_count > 0, "%s went nowhere",
			      c->request->name);
}

static void check_profile(struct guide *g, struct guide_case *c)
{
	for (size_t i = 0; i < guide_request_count; i++) {
		c->request = &guide_requests[i];
		for (unsigned n = 0; n < GUIDE_CREDS * GUIDE_APPS; n++) {
			c->app = n % GUIDE_APPS;
			c->cred = guide_creds[n / GUIDE_APPS];
			/* Without credentials there is no application. */
			if (n > 0 && n < GUIDE_APPS)
				continue;
			check_case(g, c);
		}
	}
}

START_TEST(every_message_is_answered_as_the_guide_says)
{
	static struct guide g;
	struct guide_case c = {.digest = _i % 3 > 0,
			       .per_app = _i % 3 == 2,
			       .trunk = (unsigned)_i / 3};

	guide_read(&g);
	begin(&c);
	check_profile(&g, &c);
	world_done(&w);
	free(g.text);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("guide");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_message_is_answered_as_the_guide_says, 0,
			    3 * GUIDE_BOXES);
	return run_case("proxy/guide", tc);
}
