/*
 * Endpoints with TLS over real sockets on loopback, handshakes that take turns,
 * and what is left when memory is missing; time is the test's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "unit/transport/rig.h"

static struct tls_creds *sweep_creds;

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

static const enum transport_proto streams[] = {TRANSPORT_TLS, TRANSPORT_TCP};

/* A connector to a listener of ours, to which "for him" waits to be sent. */
static void wait_for_him(enum transport_proto proto)
{
	struct transport_connect p = {.proto = proto};
	struct dest d = {.is_reliable = true};
	struct tls_creds *c = NULL;

	start((struct transport_limits){0});
	if (proto == TRANSPORT_TLS) {
		c = creds("server", server_cert);
		p.creds = creds("phone", phone);
	}
	(void)listen_on(proto, c, false, &p.peer);
	ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("for him")), 0);
	(void)tls_creds_unref(c);
	(void)tls_creds_unref(p.creds);
}

/* RFC 5922 section 7.3: the chain was verified, but it is somebody else. */
START_TEST(nothing_goes_to_a_peer_that_conn_up_refuses)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		seen = (struct seen){.eats_all = true, .parts = true};
		wait_for_him(streams[i]);
		RUN_UNTIL(seen.ups == 2);
		RUN_UNTIL(seen.downs == 2);
		RUN_UNTIL(stats()->conns == 0);
		ck_assert_msg(seen.len == 0, "%s: heard \"%s\"",
			      transport_proto_str(streams[i]), seen.text);
		t = transport_free(t);
	}
}
END_TEST

START_TEST(what_waited_goes_before_what_conn_up_sends)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		seen = (struct seen){.eats_all = true, .greeting = ", again"};
		wait_for_him(streams[i]);
		RUN_UNTIL(seen.len == 14);
		ck_assert_str_eq(seen.text, "for him, again");
		t = transport_free(t);
	}
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

enum { CROWD = 60 };

static int crowd[CROWD];

/* So many connections with room for more. */
static void gather_with(uint32_t write_max, struct addr *ret)
{
	start((struct transport_limits){.conn_source_max = 2 * CROWD,
					.write_max = write_max,
					.pending_max = 2 * CROWD,
					.pending_source_max = 2 * CROWD});
	(void)listen_on(TRANSPORT_TCP, NULL, false, ret);
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = dial(ret);
		RUN_UNTIL(seen.ups == i + 1);
	}
}

static void gather(struct addr *ret)
{
	gather_with(0, ret);
}

static void disperse(void)
{
	for (int i = 0; i < CROWD; i++)
		if (crowd[i] >= 0)
			(void)close(crowd[i]);
	RUN_UNTIL(stats()->conns == 0);
}

/* Units that cost much take turns, in the order of their arrival, and others
 * are heard between them; what is behind one on its connection stays behind. */
START_TEST(a_message_is_served_between_units_that_take_turns)
{
	struct addr at;
	int other, before;
	char unit[2 * UNIT_LEN + 1];

	gather(&at);
	other = dial(&at);
	RUN_UNTIL(seen.ups == CROWD + 1);
	for (int i = 0; i < CROWD; i++) {
		(void)snprintf(unit, sizeof(unit), "T-----%02db-----%02d", i,
			       i);
		say(crowd[i], unit);
	}
	say(other, "abcdefgh");
	step();
	ck_assert_msg(has_come("abcdefgh"), "it waits");
	ck_assert_int_le(seen.turns, 8);
	for (before = seen.turns; seen.turns < CROWD; before = seen.turns) {
		now_ms += 20000; /* and no deadline of a message runs */
		step();
		ck_assert_int_le(seen.turns, before + 8);
		ck_assert_int_gt(seen.turns, before);
	}
	ck_assert_uint_eq(seen.len, (2 * CROWD + 1) * UNIT_LEN);
	for (int i = 0; i < CROWD; i++) {
		char *first, *next;

		(void)snprintf(unit, sizeof(unit), "T-----%02d", i);
		first = strstr(seen.text, unit);
		(void)snprintf(unit, sizeof(unit), "b-----%02d", i);
		next = strstr(seen.text, unit);
		ck_assert(first && next && first < next);
	}
	ck_assert_int_eq(seen.downs, 0);
	/* Nothing is left over that would let one wait, or pass. */
	say(other, "T-single");
	RUN_UNTIL(has_come("T-single"));
	(void)close(other);
	disperse();
}
END_TEST

/* Whoever waits for a turn may end meanwhile, from either side. */
START_TEST(a_turn_outlives_the_end_of_its_connection)
{
	struct addr at;

	gather(&at);
	for (int i = 0; i < CROWD; i++)
		say(crowd[i], "T-parted");
	step();
	ck_assert_int_eq(seen.turns, 8);
	for (int i = 0; i < CROWD; i += 2)
		(void)shutdown(crowd[i], SHUT_WR);
	transport_close(t, seen.conn, "enough"); /* the last one */
	RUN_UNTIL(seen.downs == CROWD / 2 + 1);
	ck_assert_int_eq(seen.turns, CROWD - 1);
	disperse();
}
END_TEST

/* Whoever waits for a turn gets what is sent to it, though more than the kernel
 * takes at once, and may be sent away without waiting for it. */
START_TEST(whoever_waits_for_a_turn_is_served_otherwise)
{
	enum { MUCH = 16 << 20, ROUNDS_WAITED = 2 };
	struct dest d = {.is_tls = false};
	struct addr at;
	char *buf = calloc(1, MUCH);
	long n;

	ck_assert_ptr_nonnull(buf);
	gather_with(MUCH, &at);
	d.ep = seen.conn; /* the last one */
	for (int i = 0; i < CROWD; i++)
		say(crowd[i], "T-waiter");
	step();
	ck_assert_int_eq(seen.turns, 8);
	ck_assert_int_eq(transport_send(t, &d, slice_make(buf, MUCH)), 0);
	while (hear(crowd[CROWD - 1], buf, MUCH) > 0)
		;
	for (int i = 0; i < ROUNDS_WAITED; i++) {
		step();
		n = hear(crowd[CROWD - 1], buf, MUCH);
		ck_assert_int_gt(n, 0);
		while (hear(crowd[CROWD - 1], buf, MUCH) > 0)
			;
	}
	transport_close(t, d.ep, "enough");
	(void)close(crowd[CROWD - 1]);
	crowd[CROWD - 1] = -1;
	step();
	step();
	ck_assert_uint_eq(stats()->conns, CROWD - 1);
	ck_assert_int_lt(seen.turns, CROWD - 1);
	RUN_UNTIL(seen.turns == CROWD - 1);
	free(buf);
	disperse();
}
END_TEST

/* Silence is no reason to end a connection that we do not read, nor is it when
 * its turn has come. */
START_TEST(a_connection_that_waits_for_a_turn_is_not_idle)
{
	struct addr at;

	gather(&at);
	for (int i = 0; i < CROWD; i++)
		say(crowd[i], "T-silent");
	step();
	now_ms += 899000;
	step();
	now_ms += 2000;
	step();
	ck_assert_int_eq(seen.turns, 3 * 8);
	/* Those that had their turn in the first round. */
	RUN_UNTIL(seen.turns == CROWD);
	step();
	ck_assert_int_eq(seen.downs, 8);
	disperse();
}
END_TEST

/* TLS has taken what comes behind from the socket already: nothing announces
 * it when the turn has come. */
START_TEST(what_tls_holds_behind_a_turn_is_read)
{
	struct transport_connect p = {.proto = TRANSPORT_TLS};
	struct tls_creds *c = creds("server", server_cert);
	struct dest d = {.is_tls = true};
	struct addr at;

	gather(&at);
	(void)listen_on(TRANSPORT_TLS, c, false, &p.peer);
	p.creds = creds("phone", phone);
	ck_assert_int_eq(transport_connector(t, &p, &d.ep), 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("connects")), 0);
	RUN_UNTIL(has_come("connects"));
	for (int i = 0; i < CROWD; i++)
		say(crowd[i], "T-before");
	ck_assert_int_eq(transport_send(t, &d, slice_str("T-secret")), 0);
	ck_assert_int_eq(transport_send(t, &d, slice_str("behindit")), 0);
	RUN_UNTIL(seen.turns == CROWD + 1);
	RUN_UNTIL(has_come("T-secretbehindit"));
	(void)tls_creds_unref(p.creds);
	(void)tls_creds_unref(c);
	transport_connector_del(t, d.ep);
	disperse();
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
	Suite *s = suite_create("transport/tls");
	TCase *plain = tcase_create("streams");
	TCase *tls = tcase_create("TLS");

	tcase_add_checked_fixture(plain, set_up, tear_down);
	tcase_add_checked_fixture(tls, set_up_tls, tear_down_tls);
	tcase_set_timeout(tls, 60);
	tcase_add_test(plain, a_message_is_served_between_the_ends_of_many);
	tcase_add_test(tls, tls_listener_and_connector_meet);
	tcase_add_test(tls,
		       plain_connections_that_say_nothing_keep_no_tls_waiting);
	tcase_add_test(tls, tls_carries_more_than_a_record_and_a_buffer);
	tcase_add_test(tls, nothing_goes_to_a_peer_that_conn_up_refuses);
	tcase_add_test(tls, what_waited_goes_before_what_conn_up_sends);
	tcase_add_test(tls, tls_without_certificate_is_refused_and_told);
	tcase_add_test(tls, a_message_is_served_between_units_that_take_turns);
	tcase_add_test(tls, a_turn_outlives_the_end_of_its_connection);
	tcase_add_test(tls, whoever_waits_for_a_turn_is_served_otherwise);
	tcase_add_test(tls, a_connection_that_waits_for_a_turn_is_not_idle);
	tcase_add_test(tls, what_tls_holds_behind_a_turn_is_read);
	tcase_add_test(tls, handshakes_take_turns);
	tcase_add_test(tls,
		       a_message_is_served_between_the_handshakes_of_a_storm);
	tcase_add_test(tls, tls_handshake_has_a_deadline);
	tcase_add_test(tls, garbage_on_the_tls_port_is_refused);
	tcase_add_test(tls, everything_can_be_freed_at_any_time);
	tcase_add_test(tls, missing_memory_ends_connections_and_leaks_nothing);
	suite_add_tcase(s, plain);
	suite_add_tcase(s, tls);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
