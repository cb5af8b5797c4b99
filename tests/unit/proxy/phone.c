#include "unit/proxy/phone.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct world w;

void setup(void)
{
	world_init(&w);
}

void teardown(void)
{
	world_done(&w);
}

/* A request of user; extra: header lines, may be empty. branch names the
 * transaction. */
const char *request(const char *method, const char *user, int branch,
		    const char *extra)
{
	static char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text),
			 "%s sip:%s192.0.2.1 SIP/2.0\n"
			 "Via: SIP/2.0/UDP 198.51.100.7:5060;"
			 "branch=z9hG4bK%d;rport\n"
			 "Max-Forwards: 70\n"
			 "From: <sip:%s@192.0.2.1>;tag=a\n"
			 "To: <sip:%s@192.0.2.1>\n"
			 "Call-ID: call-%d\n"
			 "CSeq: %d %s\n"
			 "Contact: <sip:%s@198.51.100.7:5060>\n"
			 "%s",
			 method, strcmp(method, "INVITE") == 0 ? "2009@" : "",
			 branch, user,
			 strcmp(method, "INVITE") == 0 ? "2009" : user,
			 branch / 100, branch, method, user, extra);

	ck_assert(n > 0 && n < TEXT_MAX);
	return text;
}

void udp(const char *method, const char *user, int branch, const char *extra)
{
	world_forget(&w);
	world_say(&w, &w.udp, SIDE_PHONE, NULL,
		  request(method, user, branch, extra));
}

void tls(const char *method, const char *user, int branch)
{
	world_forget(&w);
	world_say(&w, &w.phone.dest, SIDE_PHONE, &w.phone,
		  request(method, user, branch, ""));
}

/* Exactly one message left, to where it came from, beginning with status. */
void answered(const struct dest *to, const char *status)
{
	char start[64];

	ck_assert_msg(w.sent_count == 1, "%u messages, stop %s", w.sent_count,
		      pipeline_stop_str(w.stop));
	(void)snprintf(start, sizeof(start), "SIP/2.0 %s ", status);
	ck_assert_msg(strncmp(w.sent[0].text, start, strlen(start)) == 0, "%s",
		      w.sent[0].text);
	ck_assert(dest_eq(&w.sent[0].to, to));
}

/* Exactly one message left: this method, to the call manager. */
void went_on(const char *method)
{
	ck_assert_msg(w.sent_count == 1, "%u messages, stop %s", w.sent_count,
		      pipeline_stop_str(w.stop));
	ck_assert_msg(strncmp(w.sent[0].text, method, strlen(method)) == 0,
		      "%s", w.sent[0].text);
	ck_assert(dest_eq(&w.sent[0].to, &w.core));
	ck_assert_int_eq(w.stop, STOP_NONE);
}

struct slice param(const char *text, const char *name)
{
	const char *p = strstr(text, name);
	const char *end;

	ck_assert_msg(p != NULL, "no %s in %s", name, text);
	p += strlen(name);
	end = strchr(p, '"');
	ck_assert_ptr_nonnull(end);
	return slice_make(p, (size_t)(end - p));
}

/* The nonce of the 401 that was sent. */
void take_nonce(char nonce[128])
{
	struct slice s;

	ck_assert_uint_ge(w.sent_count, 1);
	s = param(w.sent[0].text, "nonce=\"");
	ck_assert_uint_lt(s.len, 128);
	memcpy(nonce, s.ptr, s.len);
	nonce[s.len] = '\0';
}

const char *authorization(const struct cred *c)
{
	static char text[1024];
	struct digest_fields f = {
		.alg = DIGEST_MD5,
		.method = slice_str(c->method),
		.uri = slice_str(c->uri ? c->uri : "sip:192.0.2.1"),
		.nonce = slice_str(c->nonce)};
	struct digest_hex ha1;
	struct digest_hex body;
	struct digest_hex r;
	char qop[128] = "";

	if (c->nc[0] != '\0') {
		f.qop = slice_str(c->body ? "auth-int" : "auth");
		f.nc = slice_str(c->nc);
		f.cnonce = slice_str("0a4f113b");
		(void)snprintf(qop, sizeof(qop),
			       ", qop=%s, nc=%s, cnonce=\"0a4f113b\"",
			       c->body ? "auth-int" : "auth", c->nc);
	}
	if (c->algorithm) {
		size_t n = strlen(qop);

		ck_assert_int_eq(
			digest_alg_find(slice_str(c->algorithm), &f.alg), 0);
		(void)snprintf(qop + n, sizeof(qop) - n, ", algorithm=%s",
			       c->algorithm);
	}
	if (c->body) {
		digest_hash(f.alg, slice_str(c->body), &body);
		f.body_hash = digest_hex_slice(&body);
	}
	ck_assert_int_eq(digest_ha1(f.alg, slice_str(c->user),
				    slice_str(w.config->realm),
				    slice_str(c->password), &ha1),
			 0);
	ck_assert_int_eq(digest_response(digest_hex_slice(&ha1), &f, &r), 0);
	(void)snprintf(text, sizeof(text),
		       "Authorization: Digest username=\"%s\", realm=\"%s\", "
		       "nonce=\"%s\", uri=\"%.*s\", "
		       "response=\"%.*s\"%s\n",
		       c->user, w.config->realm, c->nonce, (int)f.uri.len,
		       f.uri.ptr, (int)r.len, r.text, qop);
	return text;
}

/* A challenge is fetched; nonce gets what it says. */
void fetch_nonce(char nonce[128])
{
	static int branch = 5000;

	udp("REGISTER", "2003", branch++, "");
	answered(&w.udp, "401");
	take_nonce(nonce);
}

/* REGISTER as carol with these credentials, all questions answered. */
void try_cred(const char *nonce, const char *nc, const char *password,
	      int branch)
{
	struct cred c = {.user = "carol",
			 .password = password,
			 .nonce = nonce,
			 .nc = nc,
			 .method = "REGISTER"};

	udp("REGISTER", "2003", branch, authorization(&c));
	world_settle(&w);
}

/* The value behind mark in text, up to end, into buf. */
const char *between(const char *text, const char *mark, const char *end,
		    char *buf, size_t cap)
{
	const char *from = strstr(text, mark);
	size_t n;

	ck_assert_ptr_nonnull(from);
	from += strlen(mark);
	n = strcspn(from, end);
	ck_assert_uint_lt(n, cap);
	memcpy(buf, from, n);
	buf[n] = '\0';
	return buf;
}

/* One request with good credentials that is under way to the store. */
void park_one(int branch)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	udp("REGISTER", "2003", branch, authorization(&c));
	ck_assert_uint_eq(w.sent_count, 0);
	ck_assert_uint_eq(w.store_count, 1);
}
