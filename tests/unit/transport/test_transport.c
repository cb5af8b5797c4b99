/* Endpoints without TLS over real sockets on loopback; time is the test's. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/run.h"
#include "unit/transport/rig.h"

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

/* A connection that has ended is told of later, from the loop, and then all
 * that was sent to its connector fails: nothing more may be on the way. */
START_TEST(connector_takes_nothing_until_the_end_is_told)
{
	struct linger reset = {.l_onoff = 1};

	for (int is_reset = 1; is_reset >= 0; is_reset--) {
		struct transport_connect p = {.proto = TRANSPORT_TCP};
		struct dest d = {.is_reliable = true};
		char buf[64];
		int listener = serve(&p.peer);
		int fd;

		seen = (struct seen){.ups = 0};
		start((struct transport_limits){0});
		ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
		ck_assert_int_eq(transport_send(t, &d, slice_str("one")), 0);
		RUN_UNTIL(seen.ups == 1);
		fd = accept(listener, NULL, NULL);
		if (is_reset) {
			ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER,
						    &reset, sizeof(reset)),
					 0);
			(void)close(fd);
			/* This one finds out. */
			ck_assert_int_eq(
				transport_send(t, &d, slice_str("two")), 0);
		} else {
			transport_close(t, seen.conn, "enough");
		}
		ck_assert_int_eq(transport_send(t, &d, slice_str("three")),
				 ERR_CLOSED);
		ck_assert_int_eq(seen.downs, 0);
		RUN_UNTIL(seen.downs == 1);
		if (!is_reset)
			(void)close(fd);
		ck_assert_int_eq(transport_send(t, &d, slice_str("four")), 0);
		RUN_UNTIL(seen.ups == 2);
		fd = accept(listener, NULL, NULL);
		RUN_UNTIL(stats()->bytes_out == 7);
		ck_assert_int_eq(hear(fd, buf, sizeof(buf)), 4);
		ck_assert_mem_eq(buf, "four", 4);
		(void)close(fd);
		(void)close(listener);
		t = transport_free(t);
	}
}
END_TEST

/* A part of a limit that others have used up is none, not the default; what we
 * connect to ourselves goes on. */
START_TEST(limit_of_no_connections_lets_nobody_in_and_us_out)
{
	struct transport_connect p = {.proto = TRANSPORT_TCP};
	struct dest d = {.is_reliable = true};
	int server = serve(&p.peer);
	struct addr at;
	int fd[2];

	start((struct transport_limits){.conn_max = 2});
	(void)listen_on(TRANSPORT_TCP, NULL, false, &at);
	fd[0] = dial(&at);
	RUN_UNTIL(seen.ups == 1);
	transport_set_limits(t, &(struct transport_limits){.conn_max = 0});
	fd[1] = dial(&at);
	RUN_UNTIL(seen.ups == 2 || stats()->refused_total == 1);
	ck_assert_int_eq(seen.ups, 1);
	RUN_UNTIL(is_closed(fd[1]));
	for (int i = 2; i < 6; i++) {
		ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
		ck_assert_int_eq(transport_send(t, &d, slice_str("x")), 0);
		RUN_UNTIL(seen.ups == i);
	}
	ck_assert_uint_eq(stats()->refused_total, 1);
	(void)close(fd[0]);
	(void)close(fd[1]);
	(void)close(server);
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

static Suite *suite(void)
{
	Suite *s = suite_create("transport");
	TCase *plain = tcase_create("streams and datagrams");
	TCase *limits = tcase_create("limits and deadlines");

	tcase_add_checked_fixture(plain, set_up, tear_down);
	tcase_add_checked_fixture(limits, set_up, tear_down);
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
	tcase_add_test(plain, connector_takes_nothing_until_the_end_is_told);
	tcase_add_test(plain,
		       limit_of_no_connections_lets_nobody_in_and_us_out);
	tcase_add_test(plain, connector_tells_of_failure_and_rests);
	tcase_add_test(
		plain,
		connector_rests_longer_each_time_and_forgets_when_it_connects);
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
	if (!emulation_lacks("descriptors"))
		tcase_add_test(limits, accept_rests_when_descriptors_run_out);
	tcase_add_test(limits, trusted_connections_leave_the_pending_count);
	tcase_add_test(limits, unit_longer_than_the_buffer_is_refused);
	tcase_add_test(limits,
		       peer_that_does_not_read_is_closed_at_the_write_limit);
	suite_add_tcase(s, plain);
	suite_add_tcase(s, limits);
	return s;
}
int main(void)
{
	return run_suite(suite());
}
