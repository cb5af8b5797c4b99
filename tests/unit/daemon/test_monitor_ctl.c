/*
 * The operator's commands that workers answer, over the control socket: whom
 * they are asked of, how the answers are joined, and what remains when a worker
 * ends, says nonsense or the client goes. The workers are played.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/mon.h"
#include "lib/run.h"

static void setup_none(void)
{
	mon_open("");
}

static void setup(void)
{
	setup_none();
	for (uint32_t i = 0; i < MON_WORKERS; i++)
		mon_up(MONITOR_WORKER, i);
}

/* What worker i is asked; its text is arg. */
static uint32_t asked(uint32_t i, enum control_id command, const char *arg)
{
	struct dwire_msg q = mon_question(MONITOR_WORKER, i);

	ck_assert_int_eq(q.command, command);
	ck_assert(slice_eqs(q.text, arg));
	return q.number;
}

static void say(uint32_t i, uint32_t number, const char *rows)
{
	mon_rows(MONITOR_WORKER, i, number, rows, true);
}

/* Worker 0 says first, worker 1 second; what is answered. */
static const char *both(const char *command, const char *args,
			enum control_id id, const char *arg, const char *first,
			const char *second)
{
	int client = mon_send(command, args, -1);
	uint32_t n = asked(0, id, arg);

	ck_assert_uint_eq(asked(1, id, arg), n);
	say(0, n, first);
	ck_assert(!mon_is_answered(client));
	say(1, n, second);
	return mon_answer(client);
}

static void has(const char *answer, const char *text)
{
	ck_assert_msg(mon_is_good(answer) && strstr(answer, text), "%s",
		      answer);
}

static void is_bad(const char *answer, const char *text)
{
	ck_assert_msg(mon_is_bad(answer, text), "%s", answer);
}

static void nothing_is_under_way(void)
{
	for (int i = 0; i < MONITOR_ASKED_MAX; i++)
		ck_assert_uint_eq(mon->asked[i].token, 0);
}

/* ---- joining ---------------------------------------------------------------- */

START_TEST(rows_of_all_workers_are_one_answer)
{
	has(both("calls", "", CONTROL_CALLS, "\n", "[1,2]", "[3]"), "[1,2,3]");
	has(both("registrations", "\"device\":\"A\",\"line\":\"7\"",
		 CONTROL_REGISTRATIONS, "A\n7", "[]", "[4]"),
	    "[4]");
	has(both("trunks", "", CONTROL_TRUNKS, "", "[]", "[]"), "[]");
	nothing_is_under_way();
}
END_TEST

START_TEST(pieces_come_in_any_order)
{
	int client = mon_send("calls", "", -1);
	uint32_t n = asked(0, CONTROL_CALLS, "\n");

	mon_rows(MONITOR_WORKER, 1, n, "[1]", false);
	mon_rows(MONITOR_WORKER, 0, n, "[2]", false);
	say(1, n, "[3]");
	mon_rows(MONITOR_WORKER, 1, n, "[8]", false); /* it has ended */
	say(1, n, "[9]");
	ck_assert(!mon_is_answered(client));
	say(0, n, "[4]");
	has(mon_answer(client), "[1,2,3,4]");
	say(0, n, "[5]"); /* too late for anything */
	nothing_is_under_way();
}
END_TEST

START_TEST(status_adds_up_what_workers_count)
{
	const char *a = both("status", "", CONTROL_STATUS, "",
			     "[{\"worker\":0,\"calls\":2,\"is-good\":true,"
			     "\"refused\":{\"full\":3}}]",
			     "[{\"worker\":1,\"calls\":5,\"is-good\":false,"
			     "\"refused\":{\"full\":4,\"other\":1}}]");

	has(a, "\"calls\":7");
	has(a, "\"is-good\":false");
	has(a, "\"full\":7");
	has(a, "\"other\":1");
	has(a, "{\"worker\":0,\"calls\":2}");
	has(a, "{\"worker\":1,\"calls\":5}");
	/* What is no row counts nothing. */
	a = both("status", "", CONTROL_STATUS, "", "nonsense",
		 "[{\"calls\":5}]");
	has(a, "\"calls\":5");
	nothing_is_under_way();
}
END_TEST

START_TEST(what_all_know_one_is_asked)
{
	int client = mon_send("certs", "", -1);
	uint32_t n = asked(0, CONTROL_CERTS, "");

	ck_assert_uint_eq(mon_hear(MONITOR_WORKER, 1, NULL).len, 0);
	say(0, n, "[\"cert\"]");
	has(mon_answer(client), "[\"cert\"]");
}
END_TEST

/* ---- what one worker has --------------------------------------------------------- */

START_TEST(a_call_is_somewhere_or_nowhere)
{
	static const char id[] = "\"call\":\"7\"";

	has(both("call", id, CONTROL_CALL, "7", "[]", "[{\"legs\":2}]"),
	    "{\"legs\":2}");
	is_bad(both("call", id, CONTROL_CALL, "7", "[]", "[]"), "no such call");
	has(both("drop", id, CONTROL_DROP, "7", "[1]", "[]"), "\"ok\":true");
	is_bad(both("drop", id, CONTROL_DROP, "7", "[]", "[]"), "no such call");
	nothing_is_under_way();
}
END_TEST

START_TEST(a_phone_is_reset_by_name_or_pool)
{
	has(both("device reset", "\"name\":\"A\"", CONTROL_DEVICE_RESET, "A",
		 "[]", "[1]"),
	    "\"ok\":true");
	is_bad(both("device restart", "\"pool\":\"P\"", CONTROL_DEVICE_RESTART,
		    "\nP", "[]", "[]"),
	       "no such Skinny phone is registered");
	is_bad(mon_ask("device reset", ""), "give the name");
	is_bad(mon_ask("device reset", "\"name\":\"A\",\"pool\":\"P\""),
	       "give the name");
	nothing_is_under_way();
}
END_TEST

/* ---- who does not answer ----------------------------------------------------------- */

START_TEST(a_worker_that_ends_has_nothing_to_say)
{
	int client = mon_send("calls", "", -1);
	uint32_t n = asked(0, CONTROL_CALLS, "\n");

	say(0, n, "[1]");
	mon_down(MONITOR_WORKER, 1);
	has(mon_answer(client), "[1]");
	client = mon_send("calls", "", -1);
	n = asked(0, CONTROL_CALLS, "\n");
	say(0, n, "[2]"); /* the other is not waited for */
	has(mon_answer(client), "[2]");
	client = mon_send("status", "", -1);
	mon_down(MONITOR_WORKER, 0);
	has(mon_answer(client), "\"workers\":[");
	nothing_is_under_way();
}
END_TEST

START_TEST(without_workers_it_is_told)
{
	static const struct {
		const char *command, *args;
	} rows[] = {{"status", ""},
		    {"calls", ""},
		    {"registrations", ""},
		    {"certs", ""},
		    {"strangers", ""},
		    {"call", "\"call\":\"1\""},
		    {"drop", "\"call\":\"1\""},
		    {"device reset", "\"name\":\"A\""}};

	for (int i = 0; i < ROWS(rows); i++)
		is_bad(mon_ask(rows[i].command, rows[i].args),
		       "no worker is running");
	nothing_is_under_way();
}
END_TEST

START_TEST(nonsense_of_a_worker_is_an_error_for_its_client_only)
{
	int client = mon_send("calls", "", -1);
	uint32_t n = asked(0, CONTROL_CALLS, "\n");

	ck_assert_uint_eq(asked(1, CONTROL_CALLS, "\n"), n);
	mon_rows(MONITOR_WORKER, 0, n, "no rows", false);
	ck_assert(strstr(mon_answer(client), "\"ok\":false"));
	say(1, n, "[1]");
	nothing_is_under_way();
	has(both("calls", "", CONTROL_CALLS, "\n", "[1]", "[2]"), "[1,2]");
}
END_TEST

START_TEST(a_client_that_goes_leaves_nothing_behind)
{
	int client = mon_send("calls", "", -1);
	uint32_t n = asked(0, CONTROL_CALLS, "\n");

	ck_assert_uint_eq(asked(1, CONTROL_CALLS, "\n"), n);
	(void)close(client);
	mon_turn();
	say(0, n, "[1]");
	say(1, n, "[2]");
	nothing_is_under_way();
	has(both("calls", "", CONTROL_CALLS, "\n", "[3]", "[]"), "[3]");
}
END_TEST

START_TEST(answers_of_nobody_are_ignored)
{
	int client = mon_send("calls", "", -1);
	uint32_t n = asked(0, CONTROL_CALLS, "\n");

	say(0, n + 1, "[8]");
	say(0, 0, "[9]");
	ck_assert(!mon_is_answered(client));
	say(0, n, "[1]");
	say(1, n, "[]");
	has(mon_answer(client), "[1]");
}
END_TEST

/* ---- media, rights, IPsec -------------------------------------------------------- */

START_TEST(the_media_process_is_asked_for_its_backends)
{
	struct dwire_msg q;
	int client;

	is_bad(mon_ask("media", ""), "the media process is not running");
	mon_up(MONITOR_MEDIA, 0);
	client = mon_send("media", "", -1);
	q = mon_question(MONITOR_MEDIA, 0);
	mon_rows(MONITOR_MEDIA, 0, q.number,
		 "[{\"backend\":\"socket\",\"flows\":3}]", true);
	has(mon_answer(client), "\"flows\":3");
	/* told unasked: for status, without the flows */
	mon_rows(MONITOR_MEDIA, 0, 0, "[{\"backend\":\"socket\",\"flows\":4}]",
		 true);
	has(both("status", "", CONTROL_STATUS, "", "[]", "[]"),
	    "\"media-backends\":[{\"backend\":\"socket\"}]");
	client = mon_send("media", "", -1);
	mon_down(MONITOR_MEDIA, 0);
	is_bad(mon_answer(client), "the process that had to answer ended");
	nothing_is_under_way();
}
END_TEST

/* The row of the media process to "media unload socket". */
static const char *unload(const char *row)
{
	int client = mon_send("media unload", "\"backend\":\"socket\"", -1);
	struct dwire_msg q = mon_question(MONITOR_MEDIA, 0);

	ck_assert(slice_eqs(q.text, "socket"));
	mon_rows(MONITOR_MEDIA, 0, q.number, row, true);
	return mon_answer(client);
}

START_TEST(a_backend_is_unloaded_when_its_streams_have_moved)
{
	struct dwire_msg q;

	mon_up(MONITOR_MEDIA, 0);
	is_bad(unload("[{\"error\":\"it is the last\"}]"), "it is the last");
	is_bad(unload("[]"), "no answer");
	is_bad(unload("nonsense"), "no answer");
	has(unload("[{\"error\":\"\",\"moved\":5}]"), "\"streams-moved\":5");
	q = mon_question(MONITOR_MEDIA, 0); /* then it may end */
	ck_assert(slice_eqs(q.text, "-socket"));
	is_bad(mon_ask("media unload", "\"backend\":\"disk\""),
	       "the backend is kernel, queue or socket");
	is_bad(mon_ask("media load", "\"backend\":\"queue\""), "restart");
	nothing_is_under_way();
}
END_TEST

static const char border[] =
	"listener \"t\" {\n\taddress = \"udp:127.0.0.1:45062\"\n"
	"\tserves = trunks\n}\n"
	"call-manager \"t\" {\n\taddress = \"udp:127.0.0.1:45072\"\n"
	"\tlocal-address = \"127.0.0.1:45082\"\n\tserves = trunks\n}\n"
	"trunk-profile \"p\" {\n\tsecurity-mode = nonsecure\n"
	"\tacl = \"a\"\n}\n"
	"acl \"a\" {\n\trules = { \"deny method=MESSAGE\" }\n"
	"\tdefault = allow\n}\n"
	"trunk \"c\" {\n\tprofile = \"p\"\n\tlisteners = { \"t\" }\n"
	"\tpeers = { \"udp:192.0.2.9:5060\" }\n"
	"\tcall-managers = { \"t\" }\n}\n"
	"gateway \"g\" {\n\taddress = \"192.0.2.7\"\n\tprotocol = mgcp\n"
	"\trequire-ipsec = yes\n}\n";

START_TEST(a_trial_of_rights_tells_who_decided)
{
	const char *a;

	mon_close();
	mon_open(border);
	a = mon_ask("authz test", "\"trunk\":\"c\",\"method\":\"MESSAGE\"");
	has(a, "403 Forbidden");
	a = mon_ask("authz test", "\"trunk\":\"none\",\"method\":\"MESSAGE\"");
	is_bad(a, "none");
	a = mon_ask("authz test", "\"trunk\":\"c\",\"method\":\"B D\"");
	is_bad(a, "such a message is no SIP");
}
END_TEST

START_TEST(gateways_get_rules_and_are_listed)
{
	const char *a;

	mon_close();
	mon_open(border);
	a = mon_ask("ipsec rules", "");
	has(a, "ip saddr 192.0.2.7 udp dport { 2427, 2727 } meta ipsec "
	       "missing counter drop");
	has(a, "ip daddr 192.0.2.7 tcp dport 2428 rt ipsec missing");
	has(a, "delete table inet sallyport_ipsec");
	a = mon_ask("ipsec remove-rules", "");
	has(a, "delete table inet sallyport_ipsec");
	ck_assert_ptr_null(strstr(a, "192.0.2.7"));
	has(mon_ask("ipsec", ""), "[]"); /* nothing is watched yet */
	ck_assert_int_eq(monitor_ipsec_begin(mon), 0);
	a = mon_ask("ipsec", "");
	has(a, "\"name\":\"g\"");
	has(a, "\"address\":\"192.0.2.7\"");
	has(a, "\"require-ipsec\":\"yes\"");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("workers");
	TCase *none = tcase_create("no workers");
	Suite *s = suite_create("daemon/monitor_ctl");

	tcase_add_checked_fixture(t, setup, mon_close);
	tcase_add_test(t, rows_of_all_workers_are_one_answer);
	tcase_add_test(t, pieces_come_in_any_order);
	tcase_add_test(t, status_adds_up_what_workers_count);
	tcase_add_test(t, what_all_know_one_is_asked);
	tcase_add_test(t, a_call_is_somewhere_or_nowhere);
	tcase_add_test(t, a_phone_is_reset_by_name_or_pool);
	tcase_add_test(t, a_worker_that_ends_has_nothing_to_say);
	tcase_add_test(t, nonsense_of_a_worker_is_an_error_for_its_client_only);
	tcase_add_test(t, a_client_that_goes_leaves_nothing_behind);
	tcase_add_test(t, answers_of_nobody_are_ignored);
	tcase_add_test(t, the_media_process_is_asked_for_its_backends);
	tcase_add_test(t, a_backend_is_unloaded_when_its_streams_have_moved);
	tcase_add_checked_fixture(none, setup_none, mon_close);
	tcase_add_test(none, without_workers_it_is_told);
	tcase_add_test(none, a_trial_of_rights_tells_who_decided);
	tcase_add_test(none, gateways_get_rules_and_are_listed);
	suite_add_tcase(s, t);
	suite_add_tcase(s, none);
	return run_suite(s);
}
