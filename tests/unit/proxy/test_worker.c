/* A worker between a phone, a call manager and the other processes. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/reload.h"
#include "lib/run.h"
#include "store/wire.h"
#include "unit/proxy/worker_world.h"

static struct sockaddr_in joined; /* a listener that comes later */

/* A call manager that is connected to. */
static void setup_stream(void)
{
	core_type = SOCK_STREAM;
	start(SLICE_NULL, SLICE_NULL);
}

START_TEST(a_registration_reaches_the_call_manager)
{
	phone_registers("2002", "");
	wait_at(cm);
	ck_assert_ptr_eq(strstr(text, "REGISTER "), text);
	ck_assert_uint_eq(pipeline_messages(worker_pipeline(worker)), 1);
}
END_TEST

/* What could not be sent fails soon, from the loop. The end of a connection may
 * be told in between: that tells of it, and what is sent then goes on. */
START_TEST(what_is_sent_after_the_end_was_told_goes_on)
{
	struct handle h = worker->place[0].connector;
	struct dest from = {.ep = worker->tls.listener[0]};
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	char msg[1024];
	int fd = -1;

	ck_assert(!handle_is_none(h));
	ck_assert_int_eq(getsockname(phone, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(addr_from_sockaddr(&ss, &from.peer), 0);
	registration("2002", "", msg);
	worker_core_lost(worker, h);
	worker_transport_cb.connect_failed(worker, h, "refused");
	worker_transport_cb.datagram(worker, 0, &from, slice_str(msg));
	for (int i = 0; fd < 0 && i < WAIT_MS / 10; i++) {
		ck_assert_int_eq(loop_step(loop, 10), 0);
		fd = accept4(cm, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	ck_assert_int_ge(fd, 0);
	wait_at(fd);
	ck_assert_ptr_eq(strstr(text, "REGISTER "), text);
	ck_assert_msg(recv(phone, text, sizeof(text), MSG_DONTWAIT) < 0,
		      "the phone hears %.15s", text);
	(void)close(fd);
}
END_TEST

START_TEST(a_listener_that_joins_is_served)
{
	struct sockaddr_in first = listener;
	struct worker_reload done;
	char why[WORKER_ERR_MAX];
	int fd = udp(&joined);
	struct config *next = make_config(&joined);

	ck_assert_int_eq(worker_listen(worker, next, &fd, NULL, why), 0);
	ck_assert_int_eq(worker_reload(worker, next, &done), 0);
	(void)close(fd); /* it has a copy */
	config_unref(config);
	config = next;
	listener = joined;
	phone_registers("2002", "");
	wait_at(cm);
	ck_assert_ptr_eq(strstr(text, "REGISTER "), text);
	listener = first;
	phone_registers("4711", ""); /* the others are served on */
	(void)wait_at(phone);
}
END_TEST

START_TEST(a_listener_that_cannot_be_served_changes_nothing)
{
	char why[WORKER_ERR_MAX] = "";
	int fd = -1;
	struct config *next;

	(void)close(udp(&joined));
	next = make_config(&joined);
	ck_assert_int_eq(worker_listen(worker, next, &fd, NULL, why), ERR_IO);
	ck_assert_str_ne(why, "");
	config_unref(next);
	/* Served, but not taken up. */
	fd = udp(&joined);
	next = make_config(&joined);
	ck_assert_int_eq(worker_listen(worker, next, &fd, NULL, why), 0);
	worker_unlisten(worker, config->listener_count);
	config_unref(next);
	says(phone, &joined, "anything");
	phone_registers("2002", "");
	wait_at(cm);
	ck_assert_uint_eq(pipeline_messages(worker_pipeline(worker)), 1);
	(void)close(fd);
}
END_TEST

/* RFC 5626 section 3.5.1: on connections. A datagram like that keeps an address
 * translator's entry, and who answered it would do so to forged addresses. */
START_TEST(a_keep_alive_is_answered_on_connections_only)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(
		connect(fd, (const struct sockaddr *)&stream, sizeof(stream)),
		0);
	ck_assert_int_eq(send(fd, "\r\n\r\n", 4, 0), 4);
	ck_assert_uint_eq(wait_at(fd), 2);
	ck_assert_str_eq(text, "\r\n");
	(void)close(fd);
	says(phone, &listener, "\r\n\r\n");
	says(cm, &core, "\r\n\r\n");
	/* What comes first is the answer to what was sent last. */
	phone_registers("4711", "");
	(void)wait_at(phone);
	ck_assert_ptr_eq(strstr(text, "SIP/2.0 401 "), text);
	ck_assert_int_lt(recv(cm, text, 3, MSG_DONTWAIT), 0);
}
END_TEST

static int streams(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(
		connect(fd, (const struct sockaddr *)&stream, sizeof(stream)),
		0);
	ck_assert_int_eq(loop_step(loop, 10), 0);
	return fd;
}

START_TEST(a_share_of_no_connections_lets_nobody_in)
{
	const struct transport_stats *s = worker_transport(worker);
	int fd;

	ck_assert_uint_eq(worker_lease(worker, WORKER_CONNECTIONS, 0), 0);
	fd = streams();
	for (int i = 0; s->accepted + s->refused_total == 0 && i < 100; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
	ck_assert_uint_eq(s->refused_total, 1);
	ck_assert_uint_eq(s->accepted, 0);
	(void)close(fd);
}
END_TEST

/* Requests that everybody sends at once, several on each of these connections,
 * and after them one by somebody else: it is answered before most of them are
 * taken up, and all of them are taken up. */
static void crowd_sends(const char *method)
{
	enum { CONNS = 12, EACH = 5 };
	const struct pipeline *p = worker_pipeline(worker);
	uint64_t before = pipeline_messages(p);
	int fd[CONNS + 1];
	char msg[1024];

	for (int i = 0; i <= CONNS; i++)
		fd[i] = streams();
	for (int i = 0; i <= CONNS * EACH; i++) {
		int n = snprintf(msg, sizeof(msg),
				 "%s sip:127.0.0.1 SIP/2.0\r\n"
				 "Via: SIP/2.0/TCP 127.0.0.1;"
				 "branch=z9hG4bK-%s%d\r\n"
				 "Max-Forwards: 70\r\n"
				 "From: <sip:2002@127.0.0.1>;tag=a\r\n"
				 "To: <sip:2002@127.0.0.1>\r\n"
				 "Call-ID: %d\r\nCSeq: 1 %s\r\n"
				 "Contact: <sip:2002@127.0.0.1>\r\n"
				 "Content-Length: 0\r\n\r\n",
				 i < CONNS * EACH ? method : "BYE", method, i,
				 i, i < CONNS * EACH ? method : "BYE");

		ck_assert_int_eq(send(fd[i / EACH], msg, (size_t)n, 0), n);
	}
	(void)wait_at(fd[CONNS]);
	ck_assert_ptr_eq(strstr(text, "SIP/2.0 481 "), text);
	ck_assert_uint_le(pipeline_messages(p) - before, CONNS * EACH / 2);
	for (int i = 0;
	     i < 100 && pipeline_messages(p) <= before + CONNS * EACH; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
	ck_assert_uint_eq(pipeline_messages(p), before + CONNS * EACH + 1);
	for (int i = 0; i <= CONNS; i++)
		(void)close(fd[i]);
}

START_TEST(calls_do_not_wait_for_all_registrations)
{
	crowd_sends("REGISTER");
	crowd_sends("SUBSCRIBE");
	crowd_sends("PUBLISH");
}
END_TEST

/* Fetch a nonce and answer with something; the store is asked. */
static void phone_answers_challenge(void)
{
	char cred[512];
	const char *nonce;

	phone_registers("2003", "");
	wait_at(phone);
	ck_assert_ptr_eq(strstr(text, "SIP/2.0 401 "), text);
	nonce = strstr(text, "nonce=\"");
	ck_assert_ptr_nonnull(nonce);
	(void)snprintf(cred, sizeof(cred),
		       "Authorization: Digest username=\"carol\", "
		       "realm=\"%s\", %.*s\", uri=\"sip:127.0.0.1\", "
		       "response=\"00000000000000000000000000000000\"\r\n",
		       config->realm, (int)(7 + strcspn(nonce + 7, "\"")),
		       nonce);
	phone_registers("2003", cred);
}

START_TEST(the_store_is_asked_for_a_credential_and_its_no_is_a_403)
{
	struct store_request r;
	uint8_t buf[512];
	struct writer w;

	phone_answers_challenge();
	ck_assert_int_eq(
		store_request_read(slice_make(text, wait_at(store)), &r), 0);
	ck_assert_int_eq(r.op, STORE_OP_GET);
	ck_assert(slice_eqs(r.user, "carol"));
	writer_init(&w, buf, sizeof(buf));
	store_reply_write(&w, &(struct store_reply){.op = STORE_OP_GET,
						    .id = r.id,
						    .status = ERR_NOTFOUND});
	ck_assert(writer_ok(&w));
	ck_assert_int_eq(send(store, w.buf, w.len, 0), (ssize_t)w.len);
	wait_at(phone);
	ck_assert_ptr_eq(strstr(text, "SIP/2.0 403 "), text);
}
END_TEST

static bool links_are(bool want_media, bool want_store, bool want_keys)
{
	bool is_media, is_store, is_keys;

	worker_links(worker, &is_media, &is_store, &is_keys);
	return is_media == want_media && is_store == want_store &&
	       is_keys == want_keys;
}

START_TEST(without_a_store_it_says_503_and_goes_on_with_a_new_one)
{
	int old = store;

	ck_assert(links_are(true, true, true));
	(void)close(old);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
	ck_assert(links_are(true, false, true));
	phone_answers_challenge();
	wait_at(phone);
	ck_assert_ptr_eq(strstr(text, "SIP/2.0 503 "), text);
	ck_assert_int_eq(worker_new_store(worker, pair(&store)), 0);
	ck_assert(links_are(true, true, true));
	phone_answers_challenge();
	ck_assert_uint_gt(wait_at(store), 0);
}
END_TEST

START_TEST(it_lives_without_any_of_the_other_processes)
{
	(void)close(media);
	(void)close(store);
	(void)close(keys);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
	ck_assert(links_are(false, false, false));
	phone_registers("2002", "");
	wait_at(cm);
	ck_assert_int_eq(worker_new_media(worker, pair(&media)), 0);
	ck_assert_int_eq(worker_new_store(worker, pair(&store)), 0);
	ck_assert_int_eq(worker_new_keys(worker, pair(&keys)), 0);
	ck_assert(links_are(true, true, true));
}
END_TEST

/* Somebody with this device's certificate. */
static struct conn *device_conn(uint32_t number)
{
	struct handle ep = {.index = 100000 + number, .gen = 1};
	struct conn *c = NULL;

	ck_assert_int_eq(conns_add(&worker->conns, ep, &c), 0);
	c->device = config_device_find(config, slice_str("SEP000000000002"));
	ck_assert_ptr_nonnull(c->device);
	return c;
}

/* The store is told of its LSC. */
static void lsc_is_told(const struct conn *c)
{
	struct store_request r;

	ck_assert_int_eq(
		store_request_read(slice_make(text, wait_at(store)), &r), 0);
	ck_assert_int_eq(r.op, STORE_OP_LSC_PUT);
	ck_assert(slice_eqs(r.user, "SEP000000000002"));
	ck_assert_uint_eq(r.id, handle_u64(c->ep));
}

static void lsc_answer(const struct conn *c, int status)
{
	uint8_t buf[64];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	store_reply_write(&w, &(struct store_reply){.op = STORE_OP_LSC_PUT,
						    .id = handle_u64(c->ep),
						    .status = status});
	ck_assert_int_eq(send(store, w.buf, w.len, 0), (ssize_t)w.len);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
}

static bool lsc_waits(void)
{
	return worker->lsc_timer.node.pos != TIMERQ_NONE;
}

START_TEST(an_lsc_is_told_until_the_store_has_noted_it)
{
	struct conn *c = device_conn(1);

	(void)close(store);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
	ck_assert(links_are(true, false, true));
	ck_assert_int_eq(worker_lsc_judge(worker, c, true), CONN_REFUSAL_NONE);
	ck_assert(!lsc_waits());
	ck_assert_int_eq(worker_new_store(worker, pair(&store)), 0);
	lsc_is_told(c);
	/* Its disk is full: later. */
	lsc_answer(c, ERR_IO);
	ck_assert(lsc_waits());
	worker->lsc_timer.fn(worker->lsc_timer.arg);
	lsc_is_told(c);
	/* It has gone before it answered. */
	(void)close(store);
	ck_assert_int_eq(worker_new_store(worker, pair(&store)), 0);
	lsc_is_told(c);
	lsc_answer(c, 0);
	/* Noted: an operator's reset is not undone. */
	(void)close(store);
	ck_assert_int_eq(worker_new_store(worker, pair(&store)), 0);
	phone_answers_challenge();
	(void)wait_at(store);
	ck_assert_ptr_null(memmem(text, sizeof(text), "SEP000000000002", 15));
}
END_TEST

START_TEST(an_lsc_ends_what_came_with_the_devices_mic)
{
	struct conn *mic = device_conn(1);
	struct conn *other = device_conn(2);
	struct conn *old = device_conn(3);

	other->device =
		config_device_find(config, slice_str("SEP000000000003"));
	ck_assert_int_eq(worker_lsc_judge(worker, mic, false), 0);
	ck_assert_int_eq(worker_lsc_judge(worker, other, false), 0);
	ck_assert_int_eq(worker_lsc_judge(worker, old, true), 0);
	ck_assert_uint_eq(worker_refusals(worker)[CONN_REFUSAL_MIC], 1);
	ck_assert(!mic->is_mic && other->is_mic);
	ck_assert_int_eq(worker_lsc_judge(worker, device_conn(4), true), 0);
	ck_assert_uint_eq(worker_refusals(worker)[CONN_REFUSAL_MIC], 1);
}
END_TEST

START_TEST(what_the_other_processes_babble_is_ignored)
{
	ck_assert_int_eq(send(store, "babble", 6, 0), 6);
	ck_assert_int_eq(send(media, "babble", 6, 0), 6);
	says(phone, &listener, "babble");
	says(cm, &core, "babble");
	phone_registers("2002", "");
	wait_at(cm);
	ck_assert_ptr_eq(strstr(text, "REGISTER "), text);
}
END_TEST

/* The configuration without its first device, or with all. */
static struct config *reloaded(bool has_first)
{
	struct buf bytes = {.ptr = NULL};
	struct config_report rep;
	struct config *c = NULL;
	struct config_device *first = config->device;

	config_report_init(&rep);
	config->device += has_first ? 0 : 1;
	config->device_count -= has_first ? 0 : 1;
	ck_assert_int_eq(config_pack(NULL, config, &bytes), 0);
	config->device_count += has_first ? 0 : 1;
	config->device = first;
	ck_assert_int_eq(config_unpack(buf_slice(&bytes), &rep, &c), 0);
	config_report_done(&rep);
	buf_done(&bytes);
	return c;
}

static void reload(bool has_first, uint32_t ended)
{
	struct config *c = reloaded(has_first);
	struct worker_reload done;

	ck_assert_int_eq(worker_reload(worker, c, &done), 0);
	ck_assert_uint_eq(done.registrations, ended);
	config_unref(c);
}

static uint32_t registrations(void)
{
	struct binding_info b;
	uint32_t pos = 0;
	uint32_t n = 0;

	while (bindings_next(worker_calls(worker), &pos, &b))
		n++;
	return n;
}

/* The next message at the call manager that is not the one before, which a
 * slow machine may have made the worker repeat. */
static void wait_at_cm_after(const char *before)
{
	do
		wait_at(cm);
	while (strcmp(text, before) == 0);
}

START_TEST(a_reload_ends_registrations_of_devices_that_are_gone)
{
	static char before[TEXT_MAX];

	phone_registers("2002", "");
	wait_at(cm);
	(void)snprintf(before, sizeof(before), "%s", text);
	cm_accepts();
	wait_at(phone);
	ck_assert_ptr_eq(strstr(text, "SIP/2.0 200 "), text);
	reload(true, 0);
	ck_assert_uint_eq(registrations(), 1);
	reload(false, 1);
	ck_assert_uint_eq(registrations(), 0);
	wait_at_cm_after(before);
	ck_assert_ptr_eq(strstr(text, "REGISTER "), text);
	ck_assert_ptr_nonnull(strstr(text, ";expires=0\r\n"));
	phone_registers("2002", "");
	wait_at(phone);
	ck_assert_ptr_eq(strstr(text, "SIP/2.0 401 "), text);
	reload(true, 0);
	phone_registers("2002", "");
	wait_at(cm);
	ck_assert_ptr_nonnull(strstr(text, ";expires=3600\r\n"));
}
END_TEST

START_TEST(a_request_that_waits_for_the_store_outlives_a_reload)
{
	struct store_request r;
	size_t len;

	phone_answers_challenge();
	len = wait_at(store);
	ck_assert_int_eq(store_request_read(slice_make(text, len), &r), 0);
	reload(false, 0);
	reload(true, 0);
	(void)close(store);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy/worker");
	TCase *t = tcase_create("worker");
	TCase *to_stream = tcase_create("stream");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_registration_reaches_the_call_manager);
	tcase_add_test(t, a_listener_that_joins_is_served);
	tcase_add_test(t, a_listener_that_cannot_be_served_changes_nothing);
	tcase_add_test(t, a_keep_alive_is_answered_on_connections_only);
	tcase_add_test(t, a_share_of_no_connections_lets_nobody_in);
	tcase_add_test(t, calls_do_not_wait_for_all_registrations);
	tcase_add_test(t,
		       the_store_is_asked_for_a_credential_and_its_no_is_a_403);
	tcase_add_test(t,
		       without_a_store_it_says_503_and_goes_on_with_a_new_one);
	tcase_add_test(t, it_lives_without_any_of_the_other_processes);
	tcase_add_test(t, what_the_other_processes_babble_is_ignored);
	tcase_add_test(t, an_lsc_is_told_until_the_store_has_noted_it);
	tcase_add_test(t, an_lsc_ends_what_came_with_the_devices_mic);
	tcase_add_test(t, a_reload_ends_registrations_of_devices_that_are_gone);
	tcase_add_test(t, a_request_that_waits_for_the_store_outlives_a_reload);
	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(to_stream, setup_stream, teardown);
	tcase_add_test(to_stream, what_is_sent_after_the_end_was_told_goes_on);
	suite_add_tcase(suite, to_stream);
	return run_suite(suite);
}
