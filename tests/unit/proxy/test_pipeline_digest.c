/*
 * The pipeline: digest, as far as other processes take part in it, which are
 * played (unit/proxy/world.h). RFC 7616, RFC 3261 section 22.
 */
#include <stdio.h>
#include <string.h>

#include "lib/run.h"
#include "unit/proxy/phone.h"

START_TEST(without_credentials_a_digest_device_is_challenged)
{
	udp("REGISTER", "2003", 1, "");
	answered(&w.udp, "401");
	ck_assert_ptr_nonnull(
		strstr(w.sent[0].text, "WWW-Authenticate: Digest realm="));
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "qop=\"auth\""));
	ck_assert_ptr_null(strstr(w.sent[0].text, "stale"));
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, ";tag="));
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_CHALLENGE], 1);
	ck_assert_uint_eq(w.store_count, 0);
	udp("INVITE", "2003", 101, "");
	answered(&w.udp, "401");
}
END_TEST

START_TEST(the_right_answer_goes_on)
{
	char nonce[128];

	fetch_nonce(nonce);
	try_cred(nonce, "00000001", "secret", 1);
	went_on("REGISTER ");
	/* Credentials are ours, not the call manager's. */
	ck_assert_ptr_null(strstr(w.sent[0].text, "Authorization"));
}
END_TEST

START_TEST(the_best_algorithm_is_offered_first_and_each_may_be_used)
{
	const char *text;
	const char *at[3];
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER",
			 .algorithm = "SHA-512-256"};

	udp("REGISTER", "2003", 4000, "");
	answered(&w.udp, "401");
	text = w.sent[0].text;
	at[0] = strstr(text, "algorithm=SHA-512-256");
	at[1] = strstr(text, "algorithm=SHA-256");
	at[2] = strstr(text, "algorithm=MD5");
	ck_assert(at[0] && at[1] && at[2] && at[0] < at[1] && at[1] < at[2]);
	take_nonce(nonce);
	udp("REGISTER", "2003", 1, authorization(&c));
	world_settle(&w);
	went_on("REGISTER ");
	/* One nonce, one count of its uses, whatever the algorithm. */
	c.algorithm = "MD5";
	udp("REGISTER", "2003", 2, authorization(&c));
	world_settle(&w);
	answered(&w.udp, "401");
	c.nc = "00000002";
	udp("REGISTER", "2003", 3, authorization(&c));
	world_settle(&w);
	went_on("REGISTER ");
}
END_TEST

/* The device whose line 2003 is, to be given other options. */
static struct config_device *digest_device(void)
{
	for (uint32_t i = 0; i < w.config->device_count; i++)
		if (strcmp(w.config->device[i].digest_user, "carol") == 0)
			return &w.config->device[i];
	ck_abort_msg("no device");
	return NULL;
}

/* RFC 7616 section 3.4.3: what was changed in the body on the way is seen. */
START_TEST(auth_int_protects_the_body)
{
	struct config_device *d = digest_device();
	char nonce[128];
	char extra[2048];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "MESSAGE",
			 .body = "hello\r\n"};
	int n = 1;

	d->qop = (struct config_words){
		.item = {CONFIG_QOP_AUTH_INT, CONFIG_QOP_AUTH}, .count = 2};
	fetch_nonce(nonce);
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "qop=\"auth-int,auth\""));
	try_cred(nonce, "00000009", "secret", n++);
	went_on("REGISTER ");
	world_answer(&w, "200 OK", "");
	for (int i = 0; i < 3; i++) {
		/* As it was, and with a letter changed on the way. */
		(void)snprintf(extra, sizeof(extra),
			       "%sContent-Type: text/plain\n\n%s\n",
			       authorization(&c), i == 1 ? "hullo" : "hello");
		udp("MESSAGE", "2003", 100 + n++, extra);
		world_settle(&w);
		if (i == 1)
			answered(&w.udp, "401");
		else
			went_on("MESSAGE ");
		c.nc = i == 0 ? "00000002" : "00000003";
	}
	/* What is not offered is not taken, but told again. */
	d->qop = (struct config_words){.item = {CONFIG_QOP_AUTH_INT},
				       .count = 1};
	try_cred(nonce, "00000010", "secret", 300);
	answered(&w.udp, "401");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "qop=\"auth-int\""));
	try_cred(nonce, "", "secret", 301);
	answered(&w.udp, "401");
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_CHALLENGE], 3);
}
END_TEST

/* The nonce that the 200 of a REGISTER tells; false: none. */
static bool told_nonce(char nonce[128])
{
	struct slice s;

	world_forget(&w);
	world_answer(&w, "200 OK", "");
	answered(&w.udp, "200");
	if (!strstr(w.sent[0].text, "Authentication-Info: nextnonce=\""))
		return false;
	s = param(w.sent[0].text, "nextnonce=\"");
	memcpy(nonce, s.ptr, s.len);
	nonce[s.len] = '\0';
	return true;
}

/* RFC 7616 section 3.5: told where the old nonce will soon be stale, so that
 * the next request is not challenged; and where configured. */
START_TEST(the_next_nonce_spares_a_challenge)
{
	uint64_t life = (uint64_t)w.config->nonce_lifetime_min * 60000;
	char nonce[128];
	char next[128];

	fetch_nonce(nonce);
	try_cred(nonce, "00000001", "secret", 1);
	ck_assert(!told_nonce(next));
	world_pass(&w, w.now + life / 2);
	try_cred(nonce, "00000002", "secret", 2);
	ck_assert(told_nonce(next));
	world_pass(&w, w.now + life / 2);
	try_cred(nonce, "00000003", "secret", 3);
	answered(&w.udp, "401"); /* stale */
	try_cred(next, "00000001", "secret", 4);
	went_on("REGISTER ");
	ck_assert(told_nonce(nonce));
	digest_device()->nextnonce = CONFIG_NEXTNONCE_NEVER;
	try_cred(nonce, "00000001", "secret", 5);
	ck_assert(!told_nonce(next));
	digest_device()->nextnonce = CONFIG_NEXTNONCE_ALWAYS;
	try_cred(nonce, "00000002", "secret", 6);
	ck_assert(told_nonce(next));
	/* Without qop a nonce is good once. */
	digest_device()->nextnonce = CONFIG_NEXTNONCE_AUTO;
	try_cred(next, "", "secret", 7);
	ck_assert(told_nonce(nonce));
	try_cred(nonce, "", "secret", 8);
	went_on("REGISTER ");
	/* A refusal tells nothing. */
	world_forget(&w);
	world_answer(&w, "403 Forbidden", "");
	answered(&w.udp, "403");
	ck_assert_ptr_null(strstr(w.sent[0].text, "Authentication-Info"));
}
END_TEST

START_TEST(algorithms_are_the_devices_or_its_models_or_everybodys)
{
	static const struct config_digests sha = {
		.item = {DIGEST_SHA512_256, DIGEST_MD5}, .count = 2};
	struct config_device *d = digest_device();
	struct config_model *m = w.config->model;

	d->digests.count = 0;
	udp("REGISTER", "2003", 1, "");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=MD5"));
	ck_assert_ptr_null(strstr(w.sent[0].text, "algorithm=SHA"));
	w.config->digests =
		(struct config_digests){.item = {DIGEST_SHA256}, .count = 1};
	udp("REGISTER", "2003", 2, "");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=SHA-256"));
	ck_assert_ptr_null(strstr(w.sent[0].text, "algorithm=MD5"));
	ck_assert_uint_gt(w.config->model_count, 0);
	m->digests = sha;
	d->model = m->name;
	udp("REGISTER", "2003", 3, "");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=SHA-512-256"));
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=MD5"));
	m->digests.count = 0;
	udp("REGISTER", "2003", 4, "");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=SHA-256"));
}
END_TEST

START_TEST(credentials_that_lack_an_algorithm_are_asked_for_another)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER",
			 .algorithm = "SHA-256"};

	fetch_nonce(nonce);
	udp("REGISTER", "2003", 1, authorization(&c));
	world_settle(&w);
	answered(&w.udp, "401");
	ck_assert_int_eq(w.stop, STOP_CREDENTIAL);
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "algorithm=MD5"));
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "stale=true"));
	ck_assert_ptr_null(strstr(w.sent[0].text, "algorithm=SHA-256"));
}
END_TEST

START_TEST(a_wrong_password_is_challenged_anew_and_counted)
{
	char nonce[128];

	fetch_nonce(nonce);
	try_cred(nonce, "00000001", "Secret", 1);
	answered(&w.udp, "401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
	/* It did not use up the count. */
	try_cred(nonce, "00000001", "secret", 2);
	went_on("REGISTER ");
}
END_TEST

START_TEST(a_stale_nonce_is_told_so)
{
	char nonce[128];

	fetch_nonce(nonce);
	world_pass(&w, w.now + (uint64_t)w.config->nonce_lifetime_min * 60000 +
			       1000);
	try_cred(nonce, "00000001", "secret", 1);
	answered(&w.udp, "401");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "stale=true"));
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_PASSWORD], 0);
}
END_TEST

START_TEST(a_forged_nonce_is_refused_without_asking_anybody)
{
	struct cred c = {
		.user = "carol",
		.password = "secret",
		.nonce = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		.nc = "00000001",
		.method = "REGISTER"};

	udp("REGISTER", "2003", 1, authorization(&c));
	answered(&w.udp, "401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
	ck_assert_ptr_null(strstr(w.sent[0].text, "stale"));
	ck_assert_uint_eq(w.store_count, 0);
}
END_TEST

START_TEST(a_nonce_count_is_good_once_in_any_order)
{
	static const struct {
		const char *nc;
		bool is_good;
	} rows_[] = {
		{"00000003", true},  {"00000001", true},  {"00000003", false},
		{"00000002", true},  {"00000002", false}, {"00000100", true},
		{"00000004", false}, /* older than the window of 64 */
		{"00000101", true},
	};
	char nonce[128];

	fetch_nonce(nonce);
	for (int i = 0; i < ROWS(rows_); i++) {
		try_cred(nonce, rows_[i].nc, "secret", 10 + i);
		if (rows_[i].is_good)
			went_on("REGISTER ");
		else
			answered(&w.udp, "401");
	}
	ck_assert_uint_eq(pipeline_stops(w.pipeline)[STOP_PASSWORD], 3);
}
END_TEST

START_TEST(without_qop_a_nonce_is_good_once_then_stale)
{
	char nonce[128];

	fetch_nonce(nonce);
	try_cred(nonce, "", "secret", 1);
	went_on("REGISTER ");
	try_cred(nonce, "", "secret", 2);
	answered(&w.udp, "401");
	ck_assert_ptr_nonnull(strstr(w.sent[0].text, "stale=true"));
}
END_TEST

START_TEST(credentials_for_another_method_are_wrong)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	udp("INVITE", "2003", 101, authorization(&c));
	world_settle(&w);
	answered(&w.udp, "401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
}
END_TEST

static const struct {
	const char *method, *uri;
	enum config_digest_uri rule;
	bool is_right;
} digest_uris[] = {
	{"REGISTER", "sip:192.0.2.1", CONFIG_URI_AUTO, true},
	{"INVITE", "sip:2009@192.0.2.1", CONFIG_URI_AUTO, true},
	/* Written differently, but about the same. */
	{"INVITE", "sip:2009@192.0.2.1:5060;user=phone", CONFIG_URI_AUTO, true},
	{"INVITE", "sip:200%39@192.0.2.1", CONFIG_URI_MATCH, true},
	/* Whoever is on the way took an answer for one call for another, or
	 * the one of a registration for a call. */
	{"INVITE", "sip:2008@192.0.2.1", CONFIG_URI_AUTO, false},
	{"INVITE", "sip:2009@192.0.2.7", CONFIG_URI_AUTO, false},
	{"INVITE", "sip:192.0.2.1", CONFIG_URI_AUTO, false},
	{"INVITE", "sip:20099@192.0.2.1", CONFIG_URI_MATCH, false},
	{"REGISTER", "sip:2003@192.0.2.1", CONFIG_URI_MATCH, false},
	{"INVITE", "tel:2009", CONFIG_URI_AUTO, false},
	{"INVITE", "", CONFIG_URI_AUTO, false},
	{"INVITE", "sip:192.0.2.1", CONFIG_URI_ANY, true},
	{"INVITE", "tel:2009", CONFIG_URI_ANY, true},
};

/* RFC 7616 section 3.4.6 */
START_TEST(credentials_are_for_the_request_uri)
{
	bool is_right = digest_uris[_i].is_right;
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = digest_uris[_i].method,
			 .uri = digest_uris[_i].uri};

	fetch_nonce(nonce);
	digest_device()->digest_uri = digest_uris[_i].rule;
	udp(c.method, "2003", 100, authorization(&c));
	ck_assert_uint_eq(w.store_count, is_right);
	if (is_right)
		return;
	answered(&w.udp, "401");
	ck_assert_int_eq(w.stop, STOP_PASSWORD);
	ck_assert_ptr_nonnull(strstr(w.why, "digest-uri"));
}
END_TEST

/* Over TLS nobody is on the way, and phones write what they like. */
START_TEST(over_tls_the_uri_is_compared_where_it_is_asked_for)
{
	struct cred c = {.user = "2001",
			 .password = "secret",
			 .nc = "00000001",
			 .method = "REGISTER",
			 .uri = "sip:127.0.0.1:15061"};
	struct config_device *d;
	char nonce[128];

	c.nonce = nonce;
	memcpy(&d, &w.phone.device, sizeof(d));
	d->digest = true;
	for (int i = 0; i < 2; i++) {
		d->digest_uri = i == 0 ? CONFIG_URI_AUTO : CONFIG_URI_MATCH;
		tls("REGISTER", "2001", 10 * i + 1);
		answered(&w.phone.dest, "401");
		take_nonce(nonce);
		world_forget(&w);
		world_say(&w, &w.phone.dest, SIDE_PHONE, &w.phone,
			  request("REGISTER", "2001", 10 * i + 2,
				  authorization(&c)));
		if (i == 0)
			ck_assert_uint_eq(w.store_count, 1);
		else
			answered(&w.phone.dest, "401");
	}
	d->digest = false;
}
END_TEST

START_TEST(a_digest_user_is_good_for_its_own_lines_only)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	udp("REGISTER", "2033", 1, authorization(&c));
	world_settle(&w);
	went_on("REGISTER ");
	/* An encrypted device's line, with a password that is right. */
	c.nc = "00000002";
	udp("REGISTER", "2001", 2, authorization(&c));
	world_settle(&w);
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_MODE);
}
END_TEST

START_TEST(credentials_that_are_not_stored_give_403)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	udp("REGISTER", "2003", 1, authorization(&c));
	ck_assert_uint_eq(w.store_count, 1);
	ck_assert_str_eq(w.store[0].user, "carol");
	world_store(&w, ERR_NOTFOUND);
	answered(&w.udp, "403");
	ck_assert_int_eq(w.stop, STOP_CREDENTIAL);
	ck_assert_uint_eq(pipeline_deadline(w.pipeline), UINT64_MAX);
}
END_TEST

START_TEST(a_silent_store_gives_503_after_three_seconds)
{
	park_one(1);
	world_pass(&w, w.now + PIPELINE_PARK_MS - 1);
	ck_assert_uint_eq(w.sent_count, 0);
	world_pass(&w, w.now + 1);
	answered(&w.udp, "503");
	ck_assert_int_eq(w.stop, STOP_BUSY);
	/* Its answer comes too late and finds nobody. */
	world_forget(&w);
	world_store(&w, 0);
	ck_assert_uint_eq(w.keys_count, 0);
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

START_TEST(a_silent_keys_process_gives_503_as_well)
{
	park_one(1);
	world_store(&w, 0);
	ck_assert_uint_eq(w.keys_count, 1);
	world_pass(&w, w.now + PIPELINE_PARK_MS);
	answered(&w.udp, "503");
	world_forget(&w);
	world_keys(&w, 0);
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

START_TEST(processes_that_fail_give_503_at_once)
{
	static const struct {
		int store_ask, store, keys_ask, keys;
	} rows_[] = {
		{ERR_CLOSED, 0, 0, 0},	    {0, ERR_IO, 0, 0},
		{0, 0, ERR_CLOSED, 0},	    {0, 0, 0, ERR_TIMEOUT},
		{0, 0, 0, ERR_UNSUPPORTED},
	};
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	w.store_err = rows_[_i].store_ask;
	w.keys_err = rows_[_i].keys_ask;
	udp("REGISTER", "2003", 1, authorization(&c));
	world_store(&w, rows_[_i].store);
	world_keys(&w, rows_[_i].keys);
	answered(&w.udp, "503");
	ck_assert_int_eq(w.stop, STOP_BUSY);
	ck_assert_uint_eq(pipeline_deadline(w.pipeline), UINT64_MAX);
}
END_TEST

START_TEST(a_retransmission_of_what_is_parked_is_absorbed)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};
	const char *text;

	fetch_nonce(nonce);
	text = authorization(&c);
	udp("REGISTER", "2003", 1, text);
	udp("REGISTER", "2003", 1, text);
	udp("REGISTER", "2003", 1, text);
	ck_assert_uint_eq(w.store_count, 1);
	world_settle(&w);
	went_on("REGISTER ");
	/* And afterwards the transaction absorbs it. */
	udp("REGISTER", "2003", 1, text);
	ck_assert_uint_eq(w.sent_count, 0);
	ck_assert_uint_eq(w.store_count, 0);
	ck_assert_int_eq(w.stop, STOP_NONE);
}
END_TEST

START_TEST(a_connection_that_goes_takes_its_parked_requests_along)
{
	struct conn c = w.phone;
	char nonce[128];
	struct cred cred = {.user = "carol",
			    .password = "secret",
			    .nonce = nonce,
			    .nc = "00000001",
			    .method = "REGISTER"};

	c.device = NULL;
	c.sig = SIG_NONSECURE;
	c.dest.is_tls = false;
	fetch_nonce(nonce);
	world_forget(&w);
	world_say(&w, &c.dest, SIDE_PHONE, &c,
		  request("REGISTER", "2003", 1, authorization(&cred)));
	ck_assert_uint_eq(w.store_count, 1);
	pipeline_conn_down(w.pipeline, c.ep, w.now);
	world_settle(&w);
	ck_assert_uint_eq(w.keys_count, 0);
	ck_assert_uint_eq(w.sent_count, 0);
	ck_assert_uint_eq(pipeline_deadline(w.pipeline), UINT64_MAX);
}
END_TEST

START_TEST(requests_that_wait_are_limited)
{
	char nonce[128];
	struct cred c = {.user = "carol",
			 .password = "secret",
			 .nonce = nonce,
			 .nc = "00000001",
			 .method = "REGISTER"};

	fetch_nonce(nonce);
	for (int i = 0; i < PIPELINE_PARKED_MAX + 1; i++) {
		/* From many sources: no rate limit is in the way. */
		w.udp.peer.ip[3] = (uint8_t)(i & 0xff);
		udp("REGISTER", "2003", i + 1, authorization(&c));
		if (i < PIPELINE_PARKED_MAX)
			ck_assert_uint_eq(w.sent_count, 0);
	}
	answered(&w.udp, "503");
	ck_assert_int_eq(w.stop, STOP_BUSY);
	ck_assert_uint_eq(w.store_count, PIPELINE_PARKED_MAX);
}
END_TEST

START_TEST(ack_and_responses_are_never_challenged)
{
	udp("ACK", "2003", 1, "");
	ck_assert_uint_eq(w.sent_count, 0);
	world_forget(&w);
	world_say(&w, &w.udp, SIDE_PHONE, NULL,
		  "SIP/2.0 200 OK\n"
		  "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\n"
		  "From: <sip:2003@192.0.2.1>;tag=a\n"
		  "To: <sip:2003@192.0.2.1>;tag=b\n"
		  "Call-ID: 1\n"
		  "CSeq: 1 INVITE\n");
	ck_assert_uint_eq(w.sent_count, 0);
}
END_TEST

static TCase *digest(void)
{
	TCase *t = tcase_create("digest");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, without_credentials_a_digest_device_is_challenged);
	tcase_add_test(t, the_right_answer_goes_on);
	tcase_add_test(
		t, the_best_algorithm_is_offered_first_and_each_may_be_used);
	tcase_add_test(
		t, credentials_that_lack_an_algorithm_are_asked_for_another);
	tcase_add_test(t, a_wrong_password_is_challenged_anew_and_counted);
	tcase_add_test(t, a_stale_nonce_is_told_so);
	tcase_add_test(t, auth_int_protects_the_body);
	tcase_add_test(t, the_next_nonce_spares_a_challenge);
	tcase_add_test(t,
		       algorithms_are_the_devices_or_its_models_or_everybodys);
	tcase_add_test(t, a_forged_nonce_is_refused_without_asking_anybody);
	tcase_add_test(t, a_nonce_count_is_good_once_in_any_order);
	tcase_add_test(t, without_qop_a_nonce_is_good_once_then_stale);
	tcase_add_test(t, credentials_for_another_method_are_wrong);
	tcase_add_loop_test(t, credentials_are_for_the_request_uri, 0,
			    ROWS(digest_uris));
	tcase_add_test(t, over_tls_the_uri_is_compared_where_it_is_asked_for);
	tcase_add_test(t, a_digest_user_is_good_for_its_own_lines_only);
	tcase_add_test(t, credentials_that_are_not_stored_give_403);
	tcase_add_test(t, a_silent_store_gives_503_after_three_seconds);
	tcase_add_test(t, a_silent_keys_process_gives_503_as_well);
	tcase_add_loop_test(t, processes_that_fail_give_503_at_once, 0, 5);
	tcase_add_test(t, a_retransmission_of_what_is_parked_is_absorbed);
	tcase_add_test(t,
		       a_connection_that_goes_takes_its_parked_requests_along);
	tcase_add_test(t, requests_that_wait_are_limited);
	tcase_add_test(t, ack_and_responses_are_never_challenged);
	return t;
}

int main(void)
{
	return run_case("proxy/pipeline_digest", digest());
}
