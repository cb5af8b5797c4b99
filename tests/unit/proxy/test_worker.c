/*
 * A worker over loopback sockets: a phone and a call manager over UDP, the
 * ends of the media, store and keys processes in the test's hand.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/reload.h"
#include "lib/entropy.h"
#include "lib/run.h"
#include "priv/channel.h"
#include "priv/keys_wire.h"
#include "proxy/worker.h"
#include "proxy/worker_int.h"
#include "store/state_wire.h"
#include "store/wire.h"

enum { TEXT_MAX = 2048, WAIT_MS = 2000 };

static struct loop *loop;
static struct worker *worker;
static struct config *config;
static struct test_entropy entropy;
static int phone, cm; /* the peers' sockets */
static int media, store, keys;
static struct sockaddr_in listener, stream, core, joined;
static struct sockaddr_in peer; /* the call manager */
static int core_type;		/* of the socket it is reached by */
static char text[TEXT_MAX];

/* A socket of this type on loopback; *ret is its address. */
static int bound(int type, struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)ret, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

static int udp(struct sockaddr_in *ret)
{
	return bound(SOCK_DGRAM, ret);
}

static struct slice print(char *buf, const char *prefix,
			  const struct sockaddr_in *a)
{
	int n = snprintf(buf, 64, "%s127.0.0.1:%u", prefix,
			 (unsigned)ntohs(a->sin_port));

	return slice_make(buf, (size_t)n);
}

/* more: where another listener is, or NULL. */
static struct config *make_config(const struct sockaddr_in *more)
{
	char l[64], s[64], p[64], c[64], m[64];
	struct slice ip = slice_str("127.0.0.1");
	struct slice dev = slice_str("SEP000000000002");
	struct slice dig = slice_str("SEP000000000003");
	const struct config_tuple t[] = {
		{"listener", slice_str("l"), NULL, SLICE_NULL, "t", 1, false},
		{"listener", slice_str("l"), "address",
		 print(l, "udp:", &listener), "t", 1, false},
		{"listener", slice_str("s"), NULL, SLICE_NULL, "t", 1, false},
		{"listener", slice_str("s"), "address",
		 print(s, "tcp:", &stream), "t", 1, false},
		{"call-manager", slice_str("cm"), NULL, SLICE_NULL, "t", 2,
		 false},
		{"call-manager", slice_str("cm"), "address",
		 print(p, core_type == SOCK_STREAM ? "tcp:" : "udp:", &peer),
		 "t", 2, false},
		{"call-manager", slice_str("cm"), "local-address",
		 print(c, "", &core), "t", 2, false},
		{"media", SLICE_NULL, NULL, SLICE_NULL, "t", 3, false},
		{"media", SLICE_NULL, "outside-address", ip, "t", 3, false},
		{"media", SLICE_NULL, "inside-address", ip, "t", 3, false},
		{"failover", SLICE_NULL, "options-interval", slice_str("0"),
		 "t", 3, false},
		{"device", dev, NULL, SLICE_NULL, "t", 4, false},
		{"device", dev, "lines", slice_str("2002"), "t", 4, false},
		{"device", dev, "security-mode", slice_str("nonsecure"), "t", 4,
		 false},
		{"device", dev, "digest", slice_str("no"), "t", 4, false},
		{"device", dig, NULL, SLICE_NULL, "t", 5, false},
		{"device", dig, "lines", slice_str("2003"), "t", 5, false},
		{"device", dig, "security-mode", slice_str("nonsecure"), "t", 5,
		 false},
		{"device", dig, "digest", slice_str("yes"), "t", 5, false},
		{"device", dig, "digest-user", slice_str("carol"), "t", 5,
		 false},
		{"listener", slice_str("m"), NULL, SLICE_NULL, "t", 6, false},
		{"listener", slice_str("m"), "address",
		 print(m, "udp:", more ? more : &peer), "t", 6, false},
	};
	struct config_report rep;
	struct config *ret = NULL;

	config_report_init(&rep);
	ck_assert_int_eq(config_build(t,
				      sizeof(t) / sizeof(t[0]) - (more ? 0 : 2),
				      "/etc", &rep, &ret),
			 0);
	config_report_done(&rep);
	return ret;
}

static int pair(int *ret_ours)
{
	int fds[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	*ret_ours = fds[1];
	return fds[0];
}

static void on_stats(void *ctx, uint32_t number, const struct flow_stats *s,
		     uint32_t n)
{
	(void)ctx;
	(void)number;
	(void)s;
	(void)n;
}

/* The keys process, which has answered before it is asked. */
static void keys_answer(uint32_t number, enum keys_op op, size_t len)
{
	static const uint8_t data[KEYS_WRAP_LEN + 16] = {1};
	struct keys_answer a = {.number = number,
				.op = (uint8_t)op,
				.data = slice_make(data, len)};
	uint8_t buf[256];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	keys_answer_print(&a, &w);
	ck_assert(writer_ok(&w));
	ck_assert_int_eq(send(keys, buf, w.len, 0), (ssize_t)w.len);
}

static void store_says(struct slice what)
{
	ck_assert_int_eq(send(store, what.ptr, what.len, 0), (ssize_t)what.len);
}

/* page: what a predecessor left; empty: the worker keeps nothing. before: what
 * comes in front of it, if anything. */
static void start(struct slice page, struct slice before)
{
	struct sockaddr_in any;
	char why[WORKER_ERR_MAX];
	int fd[] = {udp(&listener), bound(SOCK_STREAM, &stream)};
	int core_fd = bound(core_type, &core);
	struct worker_params p = {
		.listener_fd = fd, .core_fd = &core_fd, .stats = on_stats};

	ck_assert_int_eq(listen(fd[1], 8), 0);
	phone = udp(&any);
	cm = bound(core_type, &peer);
	if (core_type == SOCK_STREAM) {
		ck_assert_int_eq(listen(core_fd, 8), 0);
		ck_assert_int_eq(listen(cm, 8), 0);
	}
	config = make_config(NULL);
	ck_assert_int_eq(loop_new(&loop), 0);
	p.loop = loop;
	p.config = config;
	p.entropy = test_entropy(&entropy, 1);
	p.media_fd = pair(&media);
	p.store_fd = pair(&store);
	p.keys_fd = pair(&keys);
	p.restores = page.len > 0;
	if (p.restores) {
		keys_answer(1, KEYS_OP_NONCE, KEYS_WRAP_LEN + KEYS_BOOT_LEN);
		keys_answer(2, KEYS_OP_NONCE, KEYS_WRAP_LEN + KEYS_BOOT_LEN);
		keys_answer(3, KEYS_OP_WRAP, KEYS_WRAP_LEN + 16);
		if (before.len > 0)
			store_says(before);
		store_says(page);
	}
	ck_assert_msg(worker_new(&p, &worker, why) == 0, "%s", why);
}

static void setup(void)
{
	core_type = SOCK_DGRAM;
	start(SLICE_NULL, SLICE_NULL);
}

/* A call manager that is connected to. */
static void setup_stream(void)
{
	core_type = SOCK_STREAM;
	start(SLICE_NULL, SLICE_NULL);
}

static void setup_keeping(void)
{
	static const uint8_t nothing[] = {STATE_OP_RESTORE, 1};

	core_type = SOCK_DGRAM;
	start(slice_make(nothing, sizeof(nothing)), SLICE_NULL);
}

static const uint8_t again[] = {STATE_OP_AGAIN};

/* The store has lost something of the predecessor's. */
static void setup_told(void)
{
	static const uint8_t nothing[] = {STATE_OP_RESTORE, 1};

	core_type = SOCK_DGRAM;
	start(slice_make(nothing, sizeof(nothing)),
	      slice_make(again, sizeof(again)));
}

/* The store has entries and cannot read them. */
static void setup_unread(void)
{
	static const uint8_t none[] = {STATE_OP_RESTORE, 0};

	core_type = SOCK_DGRAM;
	start(slice_make(none, sizeof(none)), SLICE_NULL);
}

static void teardown(void)
{
	worker_free(worker);
	config_unref(config);
	loop_free(loop);
	(void)close(phone);
	(void)close(cm);
	(void)close(media);
	(void)close(store);
	(void)close(keys);
}

/* What comes at fd, NUL-terminated in text. */
static size_t wait_at(int fd)
{
	ssize_t n = -1;

	for (int i = 0; n < 0 && i < WAIT_MS / 10; i++) {
		ck_assert_int_eq(loop_step(loop, 10), 0);
		n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	}
	ck_assert_msg(n >= 0, "nothing came");
	text[n] = '\0';
	return (size_t)n;
}

static void says(int fd, const struct sockaddr_in *to, const char *what)
{
	ck_assert_int_eq(sendto(fd, what, strlen(what), 0,
				(const struct sockaddr *)to, sizeof(*to)),
			 (ssize_t)strlen(what));
}

static void registration(const char *user, const char *extra, char msg[1024])
{
	static unsigned count;

	(void)snprintf(msg, 1024,
		       "REGISTER sip:127.0.0.1 SIP/2.0\r\n"
		       "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK%u;rport\r\n"
		       "Max-Forwards: 70\r\n"
		       "From: <sip:%s@127.0.0.1>;tag=a\r\n"
		       "To: <sip:%s@127.0.0.1>\r\n"
		       "Call-ID: 1\r\nCSeq: 1 REGISTER\r\n"
		       "Contact: <sip:%s@127.0.0.1>\r\n%s"
		       "Content-Length: 0\r\n\r\n",
		       ++count, user, user, user, extra);
}

static void phone_registers(const char *user, const char *extra)
{
	char msg[1024];

	registration(user, extra, msg);
	says(phone, &listener, msg);
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

/* Answer what came at the call manager's with 200. */
static void cm_accepts(void)
{
	char msg[TEXT_MAX];
	const char *head = strstr(text, "\r\n") + 2;
	size_t len = strlen(head) - 4;

	(void)snprintf(msg, sizeof(msg), "SIP/2.0 200 OK\r\n%.*s\r\n\r\n",
		       (int)len, head);
	says(cm, &core, msg);
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

/* What the worker has kept, or forgotten, next. */
static enum state_op keeps(int fd)
{
	struct state_request q;
	size_t len;

	do {
		len = wait_at(fd);
	} while (!state_wire_is(slice_make((uint8_t *)text, len)) ||
		 text[0] == STATE_OP_RESTORE);
	ck_assert_int_eq(
		state_request_read(slice_make((uint8_t *)text, len), &q), 0);
	return q.op;
}

static void registers_2002(void)
{
	phone_registers("2002", "");
	wait_at(cm);
	cm_accepts();
	wait_at(phone);
	ck_assert_ptr_eq(strstr(text, "SIP/2.0 200 "), text);
}

/* What the store was told and lost is not there when it is told all anew. */
START_TEST(a_new_store_gets_everything_before_it_forgets)
{
	registers_2002();
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
	/* One store is gone before it was told anything. */
	for (int i = 0; i < 2; i++) {
		(void)close(store);
		ck_assert_int_eq(worker_new_store(worker, pair(&store)), 0);
	}
	ck_assert_int_eq(keeps(store), STATE_OP_MARK);
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
	ck_assert_int_eq(keeps(store), STATE_OP_SWEEP);
}
END_TEST

START_TEST(a_new_store_forgets_although_there_is_nothing_to_keep)
{
	(void)close(store);
	ck_assert_int_eq(worker_new_store(worker, pair(&store)), 0);
	ck_assert_int_eq(keeps(store), STATE_OP_MARK);
	ck_assert_int_eq(keeps(store), STATE_OP_SWEEP);
}
END_TEST

/* The same store, whose disk was full. */
START_TEST(a_store_that_lost_something_gets_everything)
{
	registers_2002();
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
	for (int i = 0; i < 2; i++) {
		store_says(slice_make(again, sizeof(again)));
		ck_assert_int_eq(keeps(store), STATE_OP_MARK);
		ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
		ck_assert_int_eq(keeps(store), STATE_OP_SWEEP);
	}
}
END_TEST

START_TEST(who_keeps_nothing_has_nothing_to_say_again)
{
	store_says(slice_make(again, sizeof(again)));
	phone_registers("2002", "");
	wait_at(cm);
	ck_assert_ptr_eq(strstr(text, "REGISTER "), text);
}
END_TEST

START_TEST(a_loss_does_not_disturb_who_begins)
{
	registers_2002();
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
}
END_TEST

START_TEST(what_cannot_be_restored_is_swept)
{
	ck_assert_int_eq(keeps(store), STATE_OP_MARK);
	ck_assert_int_eq(keeps(store), STATE_OP_SWEEP);
	registers_2002();
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy/worker");
	TCase *t = tcase_create("worker");
	TCase *to_stream = tcase_create("stream");
	TCase *keeping = tcase_create("keeping");
	TCase *told = tcase_create("told");
	TCase *unread = tcase_create("unread");

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
	tcase_add_test(t, who_keeps_nothing_has_nothing_to_say_again);
	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(to_stream, setup_stream, teardown);
	tcase_add_test(to_stream, what_is_sent_after_the_end_was_told_goes_on);
	suite_add_tcase(suite, to_stream);
	tcase_add_checked_fixture(keeping, setup_keeping, teardown);
	tcase_add_test(keeping, a_new_store_gets_everything_before_it_forgets);
	tcase_add_test(keeping,
		       a_new_store_forgets_although_there_is_nothing_to_keep);
	tcase_add_test(keeping, a_store_that_lost_something_gets_everything);
	suite_add_tcase(suite, keeping);
	tcase_add_checked_fixture(told, setup_told, teardown);
	tcase_add_test(told, a_loss_does_not_disturb_who_begins);
	suite_add_tcase(suite, told);
	tcase_add_checked_fixture(unread, setup_unread, teardown);
	tcase_add_test(unread, what_cannot_be_restored_is_swept);
	suite_add_tcase(suite, unread);
	return run_suite(suite);
}
