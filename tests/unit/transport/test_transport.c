/* Endpoints over real sockets on loopback; time is the test's. */
#include "transport/transport.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/certs.h"
#include "lib/oom.h"
#include "tls/keyring.h"
#include "tls/random.h"

enum { ROUNDS = 2000, UNIT_LEN = 8 };

struct seen {
	int ups;
	int downs;
	int failed;
	int datagrams;
	struct handle conn; /* of the last conn_up */
	struct handle origin;
	uint32_t tag;
	bool is_outgoing;
	bool has_tls;
	bool has_cert;
	char reason[128];
	char text[4096]; /* all stream bytes used up */
	size_t len;
	char dgram[256];
	size_t dgram_len;
	struct dest from;
	bool eats_all; /* else units of UNIT_LEN bytes */
	bool holds;    /* on_data uses nothing up */
	bool refuses;
	bool closes; /* in data() */
};

static struct loop *loop;
static struct transport *t;
static struct seen seen;
static uint64_t now_ms;
static struct test_cert *ca;
static struct test_cert *server_cert;
static struct test_cert *phone;
static struct keyring *ring;
static struct tls_creds *sweep_creds;

static uint64_t clock_fn(void *arg)
{
	(void)arg;
	return now_ms;
}

static void on_up(void *ctx, struct handle conn,
		  const struct transport_peer *peer)
{
	struct seen *s = ctx;

	s->ups++;
	s->conn = conn;
	s->origin = peer->origin;
	s->tag = peer->tag;
	s->is_outgoing = peer->is_outgoing;
	s->has_tls = peer->tls != NULL;
	s->has_cert = peer->tls && peer->tls->peer_cert.len > 0;
}

static long on_data(void *ctx, struct handle conn, const uint8_t *buf,
		    size_t len, const char **reterr_reason)
{
	struct seen *s = ctx;
	size_t n = s->eats_all ? len : len >= UNIT_LEN ? UNIT_LEN : 0;

	if (s->holds)
		return 0;
	if (s->refuses) {
		*reterr_reason = "not what we speak";
		return ERR_BAD;
	}
	if (s->closes)
		transport_close(t, conn, "enough");
	if (n > 0 && s->len + n < sizeof(s->text)) {
		memcpy(s->text + s->len, buf, n);
		s->len += n;
	}
	return (long)n;
}

static void on_datagram(void *ctx, uint32_t tag, const struct dest *from,
			struct slice bytes)
{
	struct seen *s = ctx;

	s->datagrams++;
	s->tag = tag;
	s->from = *from;
	if (bytes.len < sizeof(s->dgram)) {
		memcpy(s->dgram, bytes.ptr, bytes.len);
		s->dgram_len = bytes.len;
	}
}

static void on_down(void *ctx, struct handle conn, const char *reason)
{
	struct seen *s = ctx;
	struct transport_peer peer;

	s->downs++;
	/* The handle is stale already. */
	ck_assert_int_eq(transport_peer(t, conn, &peer), ERR_NOTFOUND);
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

static void on_failed(void *ctx, struct handle connector, const char *reason)
{
	struct seen *s = ctx;

	s->failed++;
	s->origin = connector;
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

static const struct transport_cb cb = {.conn_up = on_up,
				       .data = on_data,
				       .datagram = on_datagram,
				       .conn_down = on_down,
				       .connect_failed = on_failed};

static const struct transport_stats *stats(void)
{
	return transport_stats(t);
}

static void start(struct transport_limits limits)
{
	struct transport_params p = {
		.loop = loop, .cb = &cb, .ctx = &seen, .limits = limits};

	ck_assert_int_eq(transport_new(&p, &t), 0);
}

static void set_up(void)
{
	seen = (struct seen){.eats_all = false};
	ck_assert_int_eq(tls_global_init(), 0);
	ck_assert_int_eq(loop_new(&loop), 0);
	now_ms = 1000000;
	loop_set_clock(loop, clock_fn, NULL);
}

static void tear_down(void)
{
	t = transport_free(t);
	loop = loop_free(loop);
}

static void set_up_tls(void)
{
	set_up();
	ca = test_cert_new(
		&(struct test_cert_spec){.cn = "Test CA", .is_ca = true});
	server_cert = test_cert_new(
		&(struct test_cert_spec){.cn = "proxy", .issuer = ca});
	phone = test_cert_new(&(struct test_cert_spec){.cn = "SEP001122334455",
						       .issuer = ca});
	ck_assert_int_eq(keyring_new(&ring), 0);
	ck_assert_int_eq(keyring_add(ring, slice_str("server"),
				     test_datum(&server_cert->key_pem)),
			 0);
	ck_assert_int_eq(keyring_add(ring, slice_str("phone"),
				     test_datum(&phone->key_pem)),
			 0);
}

static void tear_down_tls(void)
{
	tear_down();
	ring = keyring_free(ring);
	test_cert_free(phone);
	test_cert_free(server_cert);
	test_cert_free(ca);
}

/* One round of the loop, waiting at most 10 ms for a descriptor. */
static void step(void)
{
	ck_assert_int_eq(loop_step(loop, 10), 0);
}

/* Rounds until cond; bounded. */
#define RUN_UNTIL(cond)                                             \
	do {                                                        \
		int left = ROUNDS;                                  \
		while (!(cond) && left-- > 0)                       \
			step();                                     \
		ck_assert_msg((cond), "never happened: %s", #cond); \
	} while (0)

static struct addr loopback(uint16_t port)
{
	struct addr a = {.family = ADDR_V4, .ip = {127, 0, 0, 1}, .port = port};

	return a;
}

static struct handle listen_on(enum transport_proto proto,
			       struct tls_creds *creds, bool is_trusted,
			       struct addr *ret)
{
	struct addr any = loopback(0);
	struct transport_listen p = {.proto = proto,
				     .tag = 7,
				     .creds = creds,
				     .is_trusted = is_trusted,
				     .dscp = 24};
	struct handle h;

	ck_assert_int_eq(transport_bind(proto, &any, true, &p.fd), 0);
	ck_assert_int_eq(transport_listen(t, &p, &h), 0);
	ck_assert_int_eq(transport_local(t, h, ret), 0);
	ck_assert_uint_ne(ret->port, 0);
	return h;
}

static int dial(const struct addr *to)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 (long)strlen(text));
}

/* What has come on fd without waiting; 0 = closed, -1 = nothing. */
static long hear(int fd, char *buf, size_t cap)
{
	return recv(fd, buf, cap, MSG_DONTWAIT);
}

static bool is_closed(int fd)
{
	char c;
	long n = hear(fd, &c, 1);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

START_TEST(tcp_units_come_up_and_answers_go_down)
{
	struct addr at;
	struct dest d;
	char buf[64] = "";
	int fd;

	start((struct transport_limits){0});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd = dial(&at);
	RUN_UNTIL(seen.ups == 1);
	ck_assert_uint_eq(seen.tag, 7);
	ck_assert(!seen.has_tls);
	ck_assert(!seen.is_outgoing);
	say(fd, "abcdefghijkl");
	RUN_UNTIL(seen.len == 8);
	say(fd, "mnop");
	RUN_UNTIL(seen.len == 16);
	ck_assert_mem_eq(seen.text, "abcdefghijklmnop", 16);
	ck_assert_int_eq(transport_dest(t, seen.conn, &d), 0);
	ck_assert(d.is_reliable);
	ck_assert(!d.is_tls);
	ck_assert(addr_eq(&d.local, &at));
	ck_assert_int_eq(transport_send(t, &d, slice_str("answer")), 0);
	ck_assert_int_eq(hear(fd, buf, sizeof(buf)), 6);
	ck_assert_mem_eq(buf, "answer", 6);
	ck_assert_uint_eq(stats()->pending, 1);
	transport_trust(t, seen.conn);
	ck_assert_uint_eq(stats()->pending, 0);
	(void)close(fd);
	RUN_UNTIL(seen.downs == 1);
	ck_assert_uint_eq(stats()->closed_by_peer, 1);
	ck_assert_int_eq(transport_send(t, &d, slice_str("x")), ERR_NOTFOUND);
	transport_close(t, d.ep, "stale");
	ck_assert_uint_eq(stats()->conns, 0);
}
END_TEST

START_TEST(caller_refuses_a_stream)
{
	struct addr at;
	int fd;

	start((struct transport_limits){0});
	seen.refuses = true;
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd = dial(&at);
	say(fd, "GET / HTTP/1.0\r\n\r\n");
	RUN_UNTIL(seen.downs == 1);
	ck_assert_str_eq(seen.reason, "not what we speak");
	ck_assert_uint_eq(stats()->closed_by_caller, 1);
	RUN_UNTIL(is_closed(fd));
	(void)close(fd);
	RUN_UNTIL(stats()->conns == 0);
}
END_TEST

START_TEST(bytes_that_were_left_are_offered_again_when_asked_for)
{
	struct addr at;
	int fd;

	start((struct transport_limits){0});
	seen.holds = true;
	seen.eats_all = true;
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd = dial(&at);
	say(fd, "early");
	RUN_UNTIL(stats()->bytes_in == 5);
	step();
	ck_assert_uint_eq(seen.len, 0);
	transport_resume(t, seen.conn);
	seen.holds = false;
	/* Not from within the call. */
	ck_assert_uint_eq(seen.len, 0);
	RUN_UNTIL(seen.len == 5);
	(void)close(fd);
	RUN_UNTIL(seen.downs == 1);
	transport_resume(t, seen.conn);
	step();
	ck_assert_uint_eq(seen.len, 5);
}
END_TEST

START_TEST(close_in_data_flushes_what_was_sent)
{
	struct addr at;
	struct dest d;
	char buf[64];
	int fd;

	start((struct transport_limits){0});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd = dial(&at);
	RUN_UNTIL(seen.ups == 1);
	ck_assert_int_eq(transport_dest(t, seen.conn, &d), 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("goodbye")), 0);
	seen.closes = true;
	say(fd, "12345678more than is read");
	RUN_UNTIL(seen.downs == 1);
	ck_assert_str_eq(seen.reason, "enough");
	ck_assert_int_eq(hear(fd, buf, sizeof(buf)), 7);
	RUN_UNTIL(is_closed(fd));
	(void)close(fd);
	RUN_UNTIL(stats()->conns == 0);
	ck_assert_int_eq(seen.downs, 1);
}
END_TEST

/* Each deadline: nothing happens a millisecond before, all at the limit. */
START_TEST(deadlines_are_kept_to_the_millisecond)
{
	static const struct {
		const char *text; /* sent at the start */
		uint64_t ms;
		const char *reason;
	} rows[] = {
		{"", 10000, "no message in time"},
		{"abc", 10000, "no message in time"},
		{"12345678", 60000, "idle for too long"},
		{"12345678abc", 10000, "message was not completed in time"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr at;
		struct handle h;
		int fd;

		seen = (struct seen){.ups = 0};
		start((struct transport_limits){.idle_ms = 60000});
		h = listen_on(TRANSPORT_TCP, NULL, false, &at);
		fd = dial(&at);
		RUN_UNTIL(seen.ups == 1);
		if (rows[i].text[0])
			say(fd, rows[i].text);
		RUN_UNTIL(stats()->bytes_in == strlen(rows[i].text));
		step();
		now_ms += rows[i].ms - 1;
		step();
		step();
		ck_assert_int_eq(seen.downs, 0);
		now_ms += 1;
		RUN_UNTIL(seen.downs == 1);
		ck_assert_str_eq(seen.reason, rows[i].reason);
		ck_assert(is_closed(fd));
		ck_assert_uint_eq(stats()->timeout_first +
					  stats()->timeout_rest +
					  stats()->timeout_idle,
				  1);
		transport_unlisten(t, h);
		(void)close(fd);
		t = transport_free(t);
	}
}
END_TEST

START_TEST(slow_bytes_do_not_move_the_deadline_of_a_message)
{
	struct addr at;
	int fd;

	start((struct transport_limits){0});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd = dial(&at);
	RUN_UNTIL(seen.ups == 1);
	say(fd, "12345678");
	RUN_UNTIL(seen.len == 8);
	for (int i = 0; i < 6; i++) {
		uint64_t before = stats()->bytes_in;

		say(fd, "x");
		RUN_UNTIL(stats()->bytes_in == before + 1);
		now_ms += 1900;
	}
	RUN_UNTIL(seen.downs == 1);
	ck_assert_str_eq(seen.reason, "message was not completed in time");
	(void)close(fd);
}
END_TEST

START_TEST(activity_moves_the_idle_deadline)
{
	struct addr at;
	int fd;

	start((struct transport_limits){.idle_ms = 20000});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd = dial(&at);
	RUN_UNTIL(seen.ups == 1);
	for (size_t i = 1; i <= 5; i++) {
		say(fd, "12345678");
		RUN_UNTIL(seen.len == 8 * i);
		now_ms += 15000;
		step();
		ck_assert_int_eq(seen.downs, 0);
	}
	now_ms += 5000;
	RUN_UNTIL(seen.downs == 1);
	ck_assert_str_eq(seen.reason, "idle for too long");
	(void)close(fd);
}
END_TEST

START_TEST(limits_of_connections_hold_at_the_limit_and_one_more)
{
	static const struct {
		struct transport_limits limits;
		bool is_trusted;
		size_t offset; /* of the counter */
	} rows[] = {
		{{.conn_max = 3},
		 false,
		 offsetof(struct transport_stats, refused_total)},
		{{.conn_max = 3},
		 true,
		 offsetof(struct transport_stats, refused_total)},
		{{.conn_source_max = 3},
		 false,
		 offsetof(struct transport_stats, refused_source)},
		{{.pending_source_max = 3},
		 false,
		 offsetof(struct transport_stats, refused_pending_source)},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint64_t *counter;
		struct addr at;
		int fd[5];

		seen = (struct seen){.ups = 0};
		start(rows[i].limits);
		counter =
			(const uint64_t *)(const void *)((const char *)stats() +
							 rows[i].offset);
		(void)listen_on(TRANSPORT_TCP, NULL, rows[i].is_trusted, &at);
		for (int j = 0; j < 3; j++) {
			fd[j] = dial(&at);
			RUN_UNTIL(seen.ups == j + 1);
		}
		ck_assert_uint_eq(*counter, 0);
		fd[3] = dial(&at);
		RUN_UNTIL(*counter == 1);
		ck_assert_int_eq(seen.ups, 3);
		RUN_UNTIL(is_closed(fd[3]));
		/* A place is free again when one goes. */
		(void)close(fd[0]);
		RUN_UNTIL(seen.downs == 1);
		fd[4] = dial(&at);
		RUN_UNTIL(seen.ups == 4);
		for (int j = 1; j < 5; j++)
			(void)close(fd[j]);
		t = transport_free(t);
	}
}
END_TEST

START_TEST(connections_beyond_pending_max_wait_in_the_kernel)
{
	struct addr at;
	int fd[5];

	start((struct transport_limits){.pending_max = 3});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	for (int i = 0; i < 5; i++)
		fd[i] = dial(&at);
	RUN_UNTIL(stats()->accept_waits == 1);
	for (int i = 0; i < 5; i++)
		step();
	ck_assert_int_eq(seen.ups, 3);
	ck_assert_uint_eq(stats()->accept_waits, 1);
	ck_assert(!is_closed(fd[3]));
	/* One is authenticated, one goes: two more may come in. */
	transport_trust(t, seen.conn);
	RUN_UNTIL(seen.ups == 4);
	(void)close(fd[0]);
	RUN_UNTIL(seen.ups == 5);
	ck_assert_uint_eq(stats()->pending, 3);
	for (int i = 1; i < 5; i++)
		(void)close(fd[i]);
	RUN_UNTIL(seen.downs == 5);
	ck_assert_uint_eq(stats()->pending, 0);
}
END_TEST

/* Without descriptors the listener rests instead of spinning. */
START_TEST(accept_rests_when_descriptors_run_out)
{
	struct rlimit old;
	struct rlimit few;
	struct addr at;
	int fd;
	int top;

	start((struct transport_limits){0});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd = dial(&at);
	/* The next free number is the first that is forbidden. */
	top = dup(fd);
	ck_assert_int_ge(top, 0);
	(void)close(top);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)top;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	RUN_UNTIL(stats()->accept_errors == 1);
	for (int i = 0; i < 5; i++)
		step();
	ck_assert_uint_eq(stats()->accept_errors, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	now_ms += 100;
	RUN_UNTIL(seen.ups == 1);
	(void)close(fd);
}
END_TEST

START_TEST(trusted_connections_leave_the_pending_count)
{
	struct addr at;
	int fd[4];

	start((struct transport_limits){.pending_source_max = 1});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	for (int i = 0; i < 4; i++) {
		fd[i] = dial(&at);
		RUN_UNTIL(seen.ups == i + 1);
		transport_trust(t, seen.conn);
		transport_trust(t, seen.conn);
		ck_assert_uint_eq(stats()->pending, 0);
	}
	for (int i = 0; i < 4; i++)
		(void)close(fd[i]);
	RUN_UNTIL(seen.downs == 4);
}
END_TEST

START_TEST(unit_longer_than_the_buffer_is_refused)
{
	struct addr at;
	int fd;

	start((struct transport_limits){.read_max = 7});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd = dial(&at);
	say(fd, "123456");
	RUN_UNTIL(stats()->bytes_in == 6);
	step();
	ck_assert_int_eq(seen.downs, 0);
	say(fd, "7");
	RUN_UNTIL(seen.downs == 1);
	ck_assert_uint_eq(stats()->closed_read_limit, 1);
	(void)close(fd);
}
END_TEST

START_TEST(peer_that_does_not_read_is_closed_at_the_write_limit)
{
	static char block[65536];
	struct addr at;
	struct dest d;
	int fd;
	int err = 0;
	int rounds = 0;

	start((struct transport_limits){.write_max = 200000});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd = dial(&at);
	RUN_UNTIL(seen.ups == 1);
	ck_assert_int_eq(transport_dest(t, seen.conn, &d), 0);
	while (!err && rounds++ < 2000)
		err = transport_send(t, &d, slice_make(block, sizeof(block)));
	ck_assert_int_eq(err, ERR_LIMIT);
	/* The upcall comes from the loop, not from inside send. */
	ck_assert_int_eq(seen.downs, 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("x")), ERR_NOTFOUND);
	RUN_UNTIL(seen.downs == 1);
	ck_assert_uint_eq(stats()->closed_write_limit, 1);
	(void)close(fd);
}
END_TEST

START_TEST(datagrams_go_both_ways)
{
	struct addr at;
	struct addr me;
	struct dest d;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char buf[64];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	start((struct transport_limits){0});
	d = (struct dest){.ep = listen_on(TRANSPORT_UDP, NULL, false, &at)};
	len = addr_to_sockaddr(&at, &ss);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(sendto(fd, "OPTIONS", 7, 0,
					(struct sockaddr *)&ss, len),
				 7);
	RUN_UNTIL(seen.datagrams == 40);
	ck_assert_mem_eq(seen.dgram, "OPTIONS", 7);
	ck_assert_uint_eq(seen.tag, 7);
	ck_assert(handle_eq(seen.from.ep, d.ep));
	ck_assert(addr_eq(&seen.from.local, &at));
	ck_assert(!seen.from.is_reliable);
	len = sizeof(ss);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(addr_from_sockaddr(&ss, &me), 0);
	ck_assert_uint_eq(seen.from.peer.port, me.port);
	ck_assert_int_eq(transport_send(t, &seen.from, slice_str("200 OK")), 0);
	ck_assert_int_eq(hear(fd, buf, sizeof(buf)), 6);
	transport_unlisten(t, d.ep);
	ck_assert_int_eq(transport_send(t, &seen.from, slice_str("x")),
			 ERR_NOTFOUND);
	(void)close(fd);
}
END_TEST

START_TEST(wildcard_socket_answers_from_the_address_it_was_asked_on)
{
	struct transport_listen p = {.proto = TRANSPORT_UDP};
	struct addr any = {.family = ADDR_V4};
	struct addr at = {.family = ADDR_V4, .ip = {127, 0, 0, 9}};
	struct sockaddr_storage ss;
	socklen_t len;
	struct addr from;
	struct addr local;
	struct handle h;
	char buf[64];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	start((struct transport_limits){0});
	ck_assert_int_eq(transport_bind(TRANSPORT_UDP, &any, false, &p.fd), 0);
	ck_assert_int_eq(transport_listen(t, &p, &h), 0);
	ck_assert_int_eq(transport_local(t, h, &local), 0);
	at.port = local.port;
	len = addr_to_sockaddr(&at, &ss);
	ck_assert_int_eq(sendto(fd, "hi", 2, 0, (struct sockaddr *)&ss, len),
			 2);
	RUN_UNTIL(seen.datagrams == 1);
	ck_assert(addr_eq(&seen.from.local, &at));
	ck_assert_int_eq(transport_send(t, &seen.from, slice_str("yes")), 0);
	len = sizeof(ss);
	ck_assert_int_eq(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT,
				  (struct sockaddr *)&ss, &len),
			 3);
	ck_assert_int_eq(addr_from_sockaddr(&ss, &from), 0);
	ck_assert(addr_eq(&from, &at));
	(void)close(fd);
}
END_TEST

START_TEST(ipv6_serves_streams_and_datagrams)
{
	struct addr at = {.family = ADDR_V6};
	struct transport_listen lp = {.proto = TRANSPORT_TCP};
	struct transport_connect kp = {.proto = TRANSPORT_TCP};
	struct dest d = {.is_reliable = true};
	struct handle h;

	at.ip[15] = 1;
	start((struct transport_limits){0});
	/* A host without IPv6 has nothing to test. */
	if (transport_bind(TRANSPORT_TCP, &at, true, &lp.fd) != 0)
		return;
	ck_assert_int_eq(transport_listen(t, &lp, &h), 0);
	ck_assert_int_eq(transport_local(t, h, &kp.peer), 0);
	ck_assert_int_eq(transport_connector(t, &kp, &d.ep), 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("12345678")), 0);
	RUN_UNTIL(seen.len == 8);
	lp = (struct transport_listen){.proto = TRANSPORT_UDP, .dscp = 24};
	memset(at.ip, 0, sizeof(at.ip)); /* any: needs the packet info */
	ck_assert_int_eq(transport_bind(TRANSPORT_UDP, &at, false, &lp.fd), 0);
	ck_assert_int_eq(transport_listen(t, &lp, &d.ep), 0);
	ck_assert_int_eq(transport_local(t, d.ep, &d.peer), 0);
	d.peer.ip[15] = 1;
	ck_assert_int_eq(transport_send(t, &d, slice_str("hello")), 0);
	RUN_UNTIL(seen.datagrams == 1);
	ck_assert(addr_eq(&seen.from.local, &d.peer));
	ck_assert_int_eq(transport_send(t, &seen.from, slice_str("back")), 0);
	RUN_UNTIL(seen.datagrams == 2);
	d.peer = loopback(5060);
	ck_assert_int_eq(transport_send(t, &d, slice_str("x")),
			 ERR_UNSUPPORTED);
}
END_TEST

START_TEST(bind_refuses_a_taken_port)
{
	struct addr a = loopback(0);
	struct transport_listen p = {.proto = TRANSPORT_UDP};
	struct handle h;
	int fd;

	start((struct transport_limits){0});
	ck_assert_int_eq(transport_bind(TRANSPORT_UDP, &a, false, &p.fd), 0);
	ck_assert_int_eq(transport_listen(t, &p, &h), 0);
	ck_assert_int_eq(transport_local(t, h, &a), 0);
	ck_assert_int_eq(transport_bind(TRANSPORT_UDP, &a, false, &fd), ERR_IO);
	ck_assert_int_eq(errno, EADDRINUSE);
}
END_TEST

/* A server of the test's own for connectors. */
static int serve(struct addr *ret)
{
	struct addr any = loopback(0);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd;

	ck_assert_int_eq(transport_bind(TRANSPORT_TCP, &any, false, &fd), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(addr_from_sockaddr(&ss, ret), 0);
	return fd;
}

START_TEST(connector_connects_on_demand_and_is_used_again)
{
	struct transport_connect p = {.proto = TRANSPORT_TCP, .tag = 9};
	struct dest d = {.is_reliable = true};
	char buf[64];
	int listener = serve(&p.peer);
	int fd;

	start((struct transport_limits){0});
	ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
	step();
	ck_assert_uint_eq(stats()->conns, 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("one")), 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("two")), 0);
	ck_assert_int_eq(seen.ups, 0);
	RUN_UNTIL(seen.ups == 1);
	ck_assert(seen.is_outgoing);
	ck_assert(handle_eq(seen.origin, d.ep));
	ck_assert_uint_eq(seen.tag, 9);
	ck_assert_uint_eq(stats()->pending, 0);
	fd = accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	RUN_UNTIL(stats()->bytes_out == 6);
	ck_assert_int_eq(hear(fd, buf, sizeof(buf)), 6);
	ck_assert_mem_eq(buf, "onetwo", 6);
	ck_assert_int_eq(transport_send(t, &d, slice_str("three")), 0);
	ck_assert_int_eq(hear(fd, buf, sizeof(buf)), 5);
	ck_assert_uint_eq(stats()->connected, 1);
	say(fd, "response");
	RUN_UNTIL(seen.len == 8);
	(void)close(fd);
	RUN_UNTIL(seen.downs == 1);
	/* Gone: the next bytes make a new connection. */
	ck_assert_int_eq(transport_send(t, &d, slice_str("four")), 0);
	RUN_UNTIL(seen.ups == 2);
	fd = accept(listener, NULL, NULL);
	transport_connector_del(t, d.ep);
	ck_assert_int_eq(transport_send(t, &d, slice_str("x")), ERR_NOTFOUND);
	RUN_UNTIL(seen.downs == 2);
	(void)close(fd);
	(void)close(listener);
}
END_TEST

START_TEST(connector_tells_of_failure_and_rests)
{
	struct transport_connect p = {.proto = TRANSPORT_TCP};
	struct dest d = {.is_reliable = true};
	int listener = serve(&p.peer);

	(void)close(listener); /* nobody listens there now */
	start((struct transport_limits){0});
	ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("one")), 0);
	RUN_UNTIL(seen.failed == 1);
	ck_assert(handle_eq(seen.origin, d.ep));
	ck_assert_str_eq(seen.reason, "Connection refused");
	ck_assert_int_eq(transport_send(t, &d, slice_str("two")), ERR_CLOSED);
	now_ms += 1000;
	step();
	ck_assert_int_eq(transport_send(t, &d, slice_str("three")), 0);
	RUN_UNTIL(seen.failed == 2);
	ck_assert_int_eq(seen.ups + seen.downs, 0);
	ck_assert_uint_eq(stats()->conns, 0);
}
END_TEST

/* The longest time that sending is refused, in steps of 100 ms. */
static uint64_t rested(const struct dest *d)
{
	uint64_t from = now_ms;

	while (transport_send(t, d, slice_str("x")) == ERR_CLOSED) {
		ck_assert_uint_lt(now_ms - from, 60000);
		now_ms += 100;
		step();
	}
	return now_ms - from;
}

START_TEST(connector_rests_longer_each_time_and_forgets_when_it_connects)
{
	static const uint64_t pause_ms[] = {1000, 2000, 4000, 8000, 8000};
	struct transport_connect p = {.proto = TRANSPORT_TCP};
	struct dest d = {.is_reliable = true};
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int server = socket(AF_INET, SOCK_STREAM, 0);
	int fd;

	/* Ours, and refusing until it listens. */
	ck_assert_int_eq(bind(server, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(getsockname(server, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(addr_from_sockaddr(&ss, &p.peer), 0);
	start((struct transport_limits){0});
	ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
	ck_assert_uint_eq(rested(&d), 0);
	for (size_t i = 0; i < sizeof(pause_ms) / sizeof(pause_ms[0]); i++) {
		RUN_UNTIL(seen.failed == (int)i + 1);
		ck_assert_uint_eq(rested(&d), pause_ms[i]);
	}
	RUN_UNTIL(seen.failed == 6);
	ck_assert_int_eq(listen(server, 5), 0);
	ck_assert_uint_eq(rested(&d), 8000);
	RUN_UNTIL(seen.ups == 1);
	/* It goes away again: the first pause is the short one. */
	fd = accept(server, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	(void)close(server);
	(void)close(fd);
	RUN_UNTIL(seen.downs == 1);
	ck_assert_uint_eq(rested(&d), 0);
	RUN_UNTIL(seen.failed == 7);
	ck_assert_uint_eq(rested(&d), 1000);
}
END_TEST

START_TEST(connect_that_hangs_times_out)
{
	/* A listener whose queue is full answers no further SYN. */
	struct transport_connect p = {.proto = TRANSPORT_TCP};
	struct dest d = {.is_reliable = true};
	struct addr any = loopback(0);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&any, &ss);
	int fill[4];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	len = sizeof(ss);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(addr_from_sockaddr(&ss, &p.peer), 0);
	for (int i = 0; i < 4; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&ss, len);
	}
	start((struct transport_limits){0});
	ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("one")), 0);
	for (int i = 0; i < 5; i++)
		step();
	ck_assert_int_eq(seen.ups + seen.failed, 0);
	now_ms += 5000;
	RUN_UNTIL(seen.failed == 1);
	ck_assert_str_eq(seen.reason, "connect timed out");
	ck_assert_uint_eq(stats()->timeout_handshake, 1);
	for (int i = 0; i < 4; i++)
		(void)close(fill[i]);
	(void)close(fd);
}
END_TEST

static struct tls_creds *creds(const char *key, const struct test_cert *cert)
{
	struct tls_creds_params p = {.policy = tls_policy_at(0)};
	struct tls_creds *c;
	char why[TLS_CREDS_ERR_MAX] = "";

	ck_assert_int_eq(tls_creds_new(&p, &c), 0);
	if (cert)
		ck_assert_int_eq(tls_creds_identity(c, key,
						    test_datum(&cert->pem),
						    keyring_signer(ring),
						    slice_str(key), why),
				 0);
	ck_assert_int_eq(tls_creds_trust(c, "ca", test_datum(&ca->pem), why),
			 0);
	return c;
}

START_TEST(plain_connections_that_say_nothing_keep_no_tls_waiting)
{
	struct tls_creds *c = NULL;
	struct addr plain, tls;
	int fd[3];

	start((struct transport_limits){.pending_max = 1});
	c = creds("server", server_cert);
	(void)listen_on(TRANSPORT_TCP, NULL, false, &plain);
	(void)listen_on(TRANSPORT_TLS, c, false, &tls);
	(void)tls_creds_unref(c);
	fd[0] = dial(&plain);
	fd[1] = dial(&plain);
	RUN_UNTIL(stats()->accept_waits == 1);
	ck_assert_uint_eq(stats()->pending, 1);
	fd[2] = dial(&tls);
	RUN_UNTIL(stats()->pending == 2);
	for (int i = 0; i < 3; i++)
		(void)close(fd[i]);
	RUN_UNTIL(stats()->pending == 0);
}
END_TEST

START_TEST(tls_listener_and_connector_meet)
{
	struct transport_connect p = {.proto = TRANSPORT_TLS};
	struct dest d = {.is_reliable = true, .is_tls = true};
	struct dest back;
	struct addr at;

	start((struct transport_limits){0});
	p.creds = creds("server", server_cert);
	(void)listen_on(TRANSPORT_TLS, p.creds, false, &at);
	(void)tls_creds_unref(p.creds);
	p.creds = creds("phone", phone);
	p.peer = at;
	ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
	(void)tls_creds_unref(p.creds);
	ck_assert_int_eq(transport_send(t, &d, slice_str("REGISTER")), 0);
	/* Both ends are ours. */
	RUN_UNTIL(seen.ups == 2 && seen.len == 8);
	ck_assert(seen.has_tls);
	ck_assert(seen.has_cert);
	ck_assert_mem_eq(seen.text, "REGISTER", 8);
	ck_assert_uint_eq(stats()->tls_up, 2);
	ck_assert_uint_eq(stats()->tls_null, 0);
	ck_assert_uint_eq(stats()->pending, 0);
	ck_assert_int_eq(transport_dest(t, seen.conn, &back), 0);
	ck_assert(back.is_tls);
	transport_close(t, seen.conn, "test is over");
	RUN_UNTIL(seen.downs == 2);
	RUN_UNTIL(stats()->conns == 0);
}
END_TEST

START_TEST(tls_carries_more_than_a_record_and_a_buffer)
{
	static char block[40000];
	struct transport_connect p = {.proto = TRANSPORT_TLS};
	struct dest d = {.is_reliable = true, .is_tls = true};
	uint64_t before;
	struct addr at;

	memset(block, 'x', sizeof(block));
	seen.eats_all = true;
	start((struct transport_limits){.read_max = 5000});
	p.creds = creds("server", server_cert);
	(void)listen_on(TRANSPORT_TLS, p.creds, false, &at);
	(void)tls_creds_unref(p.creds);
	p.creds = creds("phone", phone);
	p.peer = at;
	ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
	(void)tls_creds_unref(p.creds);
	ck_assert_int_eq(transport_send(t, &d, slice_str("hello")), 0);
	RUN_UNTIL(seen.ups == 2 && seen.len == 5);
	before = stats()->bytes_in;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(
			transport_send(t, &d, slice_make(block, sizeof(block))),
			0);
	RUN_UNTIL(stats()->bytes_in - before >= 5 * sizeof(block));
	ck_assert_int_eq(seen.downs, 0);
}
END_TEST

START_TEST(tls_without_certificate_is_refused_and_told)
{
	struct transport_connect p = {.proto = TRANSPORT_TLS};
	struct dest d = {.is_reliable = true, .is_tls = true};
	struct addr at;

	start((struct transport_limits){0});
	p.creds = creds("server", server_cert);
	(void)listen_on(TRANSPORT_TLS, p.creds, false, &at);
	(void)tls_creds_unref(p.creds);
	p.creds = creds("phone", NULL);
	p.peer = at;
	ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
	(void)tls_creds_unref(p.creds);
	ck_assert_int_eq(transport_send(t, &d, slice_str("REGISTER")), 0);
	RUN_UNTIL(stats()->tls_refused[TLS_REFUSAL_NO_CERT] == 1);
	RUN_UNTIL(stats()->conns == 0);
	ck_assert_uint_eq(seen.len, 0);
}
END_TEST

START_TEST(tls_handshake_has_a_deadline)
{
	static const char *const rows[] = {
		"",		    /* says nothing */
		"\x16\x03\x01\x01", /* half a record header */
	};

	for (size_t i = 0; i < 2; i++) {
		struct tls_creds *c = creds("server", server_cert);
		struct addr at;
		int fd;

		seen = (struct seen){.ups = 0};
		start((struct transport_limits){0});
		(void)listen_on(TRANSPORT_TLS, c, false, &at);
		(void)tls_creds_unref(c);
		fd = dial(&at);
		RUN_UNTIL(stats()->conns == 1);
		if (rows[i][0])
			say(fd, rows[i]);
		RUN_UNTIL(stats()->bytes_in == strlen(rows[i]));
		now_ms += 4999;
		step();
		step();
		ck_assert_uint_eq(stats()->conns, 1);
		now_ms += 1;
		RUN_UNTIL(stats()->conns == 0);
		ck_assert_uint_eq(stats()->timeout_handshake, 1);
		/* Never up, so never down. */
		ck_assert_int_eq(seen.ups + seen.downs, 0);
		ck_assert(is_closed(fd));
		(void)close(fd);
		t = transport_free(t);
	}
}
END_TEST

START_TEST(handshakes_take_turns)
{
	enum { COUNT = 12 };
	struct transport_connect p = {.proto = TRANSPORT_TLS};
	struct tls_creds *c = creds("server", server_cert);
	struct dest d = {.is_tls = true};
	uint64_t before = 0;

	start((struct transport_limits){0});
	(void)listen_on(TRANSPORT_TLS, c, false, &p.peer);
	p.creds = creds("phone", phone);
	for (int i = 0; i < COUNT; i++) {
		ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
		ck_assert_int_eq(transport_send(t, &d, slice_str("x")), 0);
	}
	(void)tls_creds_unref(p.creds);
	(void)tls_creds_unref(c);
	for (int i = 0; i < ROUNDS && seen.ups < 2 * COUNT; i++) {
		step();
		/* A round ends the handshakes of two connections at most. */
		ck_assert_uint_le(stats()->tls_up, before + 2);
		before = stats()->tls_up;
	}
	ck_assert_int_eq(seen.ups, 2 * COUNT);
	ck_assert_int_eq(seen.downs + seen.failed, 0);
}
END_TEST

static int signatures; /* made by the server */

static int count_sign(void *ctx, struct slice key_id, int alg,
		      struct slice hash, struct writer *ret_sig)
{
	const struct signer *s = keyring_signer(ctx);

	signatures++;
	return s->sign(s->ctx, key_id, alg, hash, ret_sig);
}

static bool has_come(const char *text)
{
	return memmem(seen.text, seen.len, text, strlen(text)) != NULL;
}

/* A signature is what a step of a handshake costs: a message waits for those of
 * one round, two, and not for those of everybody who waits. */
START_TEST(a_message_is_served_between_the_handshakes_of_a_storm)
{
	enum { COUNT = 24 };
	struct transport_connect p = {.proto = TRANSPORT_TLS};
	struct signer counting = *keyring_signer(ring);
	struct tls_creds_params cp = {.policy = tls_policy_at(0)};
	struct tls_creds *c;
	struct dest d = {.is_tls = true};
	char why[TLS_CREDS_ERR_MAX];
	struct addr plain;
	int messages = 0;
	int before, fd;

	counting.sign = count_sign;
	counting.ctx = ring;
	start((struct transport_limits){.pending_source_max = 2 * COUNT});
	seen.eats_all = true;
	ck_assert_int_eq(tls_creds_new(&cp, &c), 0);
	ck_assert_int_eq(
		tls_creds_identity(c, "s", test_datum(&server_cert->pem),
				   &counting, slice_str("server"), why),
		0);
	ck_assert_int_eq(tls_creds_trust(c, "ca", test_datum(&ca->der), why),
			 0);
	(void)listen_on(TRANSPORT_TLS, c, false, &p.peer);
	(void)listen_on(TRANSPORT_TCP, NULL, false, &plain);
	fd = dial(&plain);
	RUN_UNTIL(seen.ups == 1);
	p.creds = creds("phone", phone);
	for (int i = 0; i < COUNT; i++) {
		ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
		ck_assert_int_eq(transport_send(t, &d, slice_str("x")), 0);
	}
	RUN_UNTIL(stats()->accepted == COUNT + 1);
	signatures = 0;
	while (signatures < COUNT / 2) {
		char text[32];

		before = signatures;
		ck_assert_int_lt(messages, ROUNDS);
		(void)snprintf(text, sizeof(text), "MESSAGE %d.", messages++);
		say(fd, text);
		step();
		ck_assert_msg(has_come(text), "%s waits", text);
		ck_assert_int_le(signatures, before + 2);
	}
	ck_assert_int_gt(messages, COUNT / 4);
	RUN_UNTIL(stats()->tls_up == 2 * COUNT);
	(void)tls_creds_unref(p.creds);
	(void)tls_creds_unref(c);
	(void)close(fd);
}
END_TEST

/* A switch loses power: hundreds of connections end at once. What another phone
 * says meanwhile is heard before most of them are taken leave of, however they
 * ended, and what they said last is not lost. */
START_TEST(a_message_is_served_between_the_ends_of_many)
{
	enum { MANY = 400 };
	struct linger reset = {.l_onoff = 1};
	struct addr at;
	int fd[MANY];
	int other;

	start((struct transport_limits){.conn_source_max = MANY + 1,
					.pending_max = MANY + 1,
					.pending_source_max = MANY + 1});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	other = dial(&at);
	for (int i = 0; i < MANY; i++) {
		fd[i] = dial(&at);
		RUN_UNTIL(seen.ups == i + 2);
	}
	for (int i = 0; i < MANY; i++) {
		if (i == MANY - 1)
			say(fd[i], "lastword");
		else if (i % 2)
			ck_assert_int_eq(setsockopt(fd[i], SOL_SOCKET,
						    SO_LINGER, &reset,
						    sizeof(reset)),
					 0);
		(void)close(fd[i]);
	}
	say(other, "abcdefgh");
	RUN_UNTIL(seen.len > 0);
	ck_assert_mem_eq(seen.text, "abcdefgh", 8);
	ck_assert_int_lt(seen.downs, MANY / 10);
	RUN_UNTIL(seen.downs == MANY);
	ck_assert_mem_eq(seen.text, "abcdefghlastword", 16);
	ck_assert_uint_eq(stats()->closed_by_peer, MANY / 2 + 1);
	ck_assert_uint_eq(stats()->closed_by_error, MANY / 2 - 1);
	ck_assert_uint_eq(stats()->conns, 1);
	(void)close(other);
}
END_TEST

START_TEST(garbage_on_the_tls_port_is_refused)
{
	struct tls_creds *c = creds("server", server_cert);
	struct addr at;
	char buf[64];
	int fd;

	start((struct transport_limits){0});
	(void)listen_on(TRANSPORT_TLS, c, false, &at);
	(void)tls_creds_unref(c);
	fd = dial(&at);
	say(fd, "REGISTER sip:example SIP/2.0\r\n\r\n");
	RUN_UNTIL(stats()->tls_refused[TLS_REFUSAL_PROTOCOL] == 1);
	/* An alert, then the end. */
	ck_assert_int_gt(hear(fd, buf, sizeof(buf)), 0);
	ck_assert_int_eq(buf[0], 21);
	RUN_UNTIL(is_closed(fd));
	(void)close(fd);
	RUN_UNTIL(stats()->conns == 0);
}
END_TEST

START_TEST(everything_can_be_freed_at_any_time)
{
	struct tls_creds *c = creds("server", server_cert);
	struct transport_connect p = {.proto = TRANSPORT_TLS, .creds = c};
	struct dest d = {.is_tls = true};
	int fd;

	for (int steps = 0; steps < 12; steps++) {
		start((struct transport_limits){0});
		(void)listen_on(TRANSPORT_TLS, c, false, &p.peer);
		ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
		ck_assert_int_eq(transport_send(t, &d, slice_str("x")), 0);
		fd = dial(&p.peer);
		for (int i = 0; i < steps; i++)
			step();
		t = transport_free(t);
		(void)close(fd);
	}
	(void)tls_creds_unref(c);
}
END_TEST

/* The life of a TLS connection; any step may fail, nothing may leak. */
static void live(void *arg)
{
	struct transport_params tp = {.cb = &cb, .ctx = &seen};
	struct transport_listen lp = {.proto = TRANSPORT_TLS};
	struct transport_connect kp = {.proto = TRANSPORT_TLS};
	struct addr any = loopback(0);
	struct dest d = {.is_tls = true};
	struct loop *l = NULL;
	struct handle h;

	(void)arg;
	t = NULL;
	seen = (struct seen){.ups = 0};
	if (loop_new(&l) != 0)
		return;
	tp.loop = l;
	if (transport_new(&tp, &t) != 0)
		goto out;
	ck_assert_int_eq(transport_bind(TRANSPORT_TLS, &any, false, &lp.fd), 0);
	lp.creds = kp.creds = sweep_creds;
	if (transport_listen(t, &lp, &h) != 0) {
		(void)close(lp.fd);
		goto out;
	}
	ck_assert_int_eq(transport_local(t, h, &kp.peer), 0);
	if (transport_connector(t, &kp, &d.ep) == 0 &&
	    transport_send(t, &d, slice_str("12345678")) == 0)
		for (int i = 0; i < 40 && seen.len < 8 && !seen.failed; i++)
			ck_assert_int_eq(loop_step(l, 2), 0);
out:
	t = transport_free(t);
	l = loop_free(l);
}

START_TEST(missing_memory_ends_connections_and_leaks_nothing)
{
	sweep_creds = creds("server", server_cert);
	live(NULL);
	ck_assert_uint_eq(seen.len, 8);
	oom_sweep(live, NULL);
	ck_assert_uint_eq(seen.len, 8);
	sweep_creds = tls_creds_unref(sweep_creds);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("transport");
	TCase *plain = tcase_create("streams and datagrams");
	TCase *limits = tcase_create("limits and deadlines");
	TCase *tls = tcase_create("TLS");
	const char *lacks = getenv("EMULATION_LACKS");

	tcase_add_checked_fixture(plain, set_up, tear_down);
	tcase_add_checked_fixture(limits, set_up, tear_down);
	tcase_add_checked_fixture(tls, set_up_tls, tear_down_tls);
	tcase_set_timeout(tls, 60);
	tcase_add_test(plain, tcp_units_come_up_and_answers_go_down);
	tcase_add_test(plain, caller_refuses_a_stream);
	tcase_add_test(plain,
		       bytes_that_were_left_are_offered_again_when_asked_for);
	tcase_add_test(plain, close_in_data_flushes_what_was_sent);
	tcase_add_test(plain, datagrams_go_both_ways);
	tcase_add_test(
		plain,
		wildcard_socket_answers_from_the_address_it_was_asked_on);
	tcase_add_test(plain, ipv6_serves_streams_and_datagrams);
	tcase_add_test(plain, bind_refuses_a_taken_port);
	tcase_add_test(plain, connector_connects_on_demand_and_is_used_again);
	tcase_add_test(plain, connector_tells_of_failure_and_rests);
	tcase_add_test(
		plain,
		connector_rests_longer_each_time_and_forgets_when_it_connects);
	tcase_add_test(plain, a_message_is_served_between_the_ends_of_many);
	tcase_add_test(limits, connect_that_hangs_times_out);
	tcase_add_test(limits, deadlines_are_kept_to_the_millisecond);
	tcase_add_test(limits,
		       slow_bytes_do_not_move_the_deadline_of_a_message);
	tcase_add_test(limits, activity_moves_the_idle_deadline);
	tcase_add_test(limits,
		       limits_of_connections_hold_at_the_limit_and_one_more);
	tcase_add_test(limits,
		       connections_beyond_pending_max_wait_in_the_kernel);
	/* valgrind keeps descriptors of its own beyond the limit */
	if (!lacks || !strstr(lacks, "descriptors"))
		tcase_add_test(limits, accept_rests_when_descriptors_run_out);
	tcase_add_test(limits, trusted_connections_leave_the_pending_count);
	tcase_add_test(limits, unit_longer_than_the_buffer_is_refused);
	tcase_add_test(limits,
		       peer_that_does_not_read_is_closed_at_the_write_limit);
	tcase_add_test(tls, tls_listener_and_connector_meet);
	tcase_add_test(tls,
		       plain_connections_that_say_nothing_keep_no_tls_waiting);
	tcase_add_test(tls, tls_carries_more_than_a_record_and_a_buffer);
	tcase_add_test(tls, tls_without_certificate_is_refused_and_told);
	tcase_add_test(tls, handshakes_take_turns);
	tcase_add_test(tls,
		       a_message_is_served_between_the_handshakes_of_a_storm);
	tcase_add_test(tls, tls_handshake_has_a_deadline);
	tcase_add_test(tls, garbage_on_the_tls_port_is_refused);
	tcase_add_test(tls, everything_can_be_freed_at_any_time);
	tcase_add_test(tls, missing_memory_ends_connections_and_leaks_nothing);
	suite_add_tcase(s, plain);
	suite_add_tcase(s, limits);
	suite_add_tcase(s, tls);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
