/*
 * Reload over the control socket: files that changed while everything runs, what
 * takes force and what does not, errors that leave all as it was, and the keys
 * process that has to have the keys first. Workers and the keys process are
 * played.
 */
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/keys.h"
#include "daemon/setup.h"
#include "lib/certs.h"
#include "lib/mon.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "tls/random.h"

static const char plain[] = "limits {\n\tcalls = 10\n}\n";
static const char more[] = "limits {\n\tcalls = 20\n}\n";

static void begin(const char *text)
{
	mon_open(text);
	(void)mon_store();
	for (uint32_t i = 0; i < MON_WORKERS; i++)
		mon_up(MONITOR_WORKER, i);
}

static void setup(void)
{
	begin(plain);
}

static size_t taken_fds;      /* that came with it */
static uint64_t taken_before; /* listeners that it counts on */

/* Worker i is told of a reload and says rows; its limit of calls by then. */
static uint32_t take(uint32_t i, const char *rows)
{
	struct dwire_msg q = {.op = DWIRE_READY};
	struct config *c = NULL;
	uint32_t calls;
	int fd = -1;

	while (q.op != DWIRE_QUERY) {
		struct slice s = mon_hear(MONITOR_WORKER, i, &fd);

		ck_assert_msg(s.len > 0, "worker %u was not told", i);
		if (dwire_read(s, &q) != 0)
			q.op = DWIRE_READY;
	}
	ck_assert_int_eq(q.command, CONTROL_RELOAD);
	ck_assert_int_ge(fd, 0);
	taken_fds = mon_heard_fds();
	ck_assert_int_eq(text_dec(q.text, 64, &taken_before), 0);
	ck_assert_int_eq(setup_config_read(fd, &c), 0);
	(void)close(fd);
	calls = c->limits.calls;
	config_unref(c);
	mon_rows(MONITOR_WORKER, i, q.number, rows, true);
	return calls;
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

/* ---- what takes force ----------------------------------------------------------- */

START_TEST(a_change_reaches_every_worker_and_is_told)
{
	const char *a;
	int client;

	mon_config(more);
	client = mon_send("reload", "", -1);
	ck_assert_uint_eq(take(0, "[{\"registrations-ended\":2}]"), 20);
	ck_assert(!mon_is_answered(client));
	ck_assert_uint_eq(take(1, "[{\"registrations-ended\":3}]"), 20);
	a = mon_answer(client);
	has(a, "limits: calls");
	has(a, "\"registrations-ended\":5");
	has(a, "\"needs-restart\":[]");
	ck_assert_uint_eq(mon->config->limits.calls, 20);
	/* A child that is started anew reads the same. */
	{
		struct config *c = NULL;

		ck_assert_int_eq(setup_config_read(mon->config_fd, &c), 0);
		ck_assert_uint_eq(c->limits.calls, 20);
		config_unref(c);
	}
}
END_TEST

/* ---- listeners that join --------------------------------------------------------- */

static const char *with_listener(unsigned port)
{
	static char text[256];

	(void)snprintf(text, sizeof(text),
		       "listener \"more\" {\n"
		       "\taddress = \"udp:127.0.0.1:%u\"\n}\n%s",
		       port, plain);
	return text;
}

static unsigned port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

/* A socket on a port that so is nobody else's. */
static int take_port(unsigned *ret)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	*ret = port_of(fd);
	return fd;
}

START_TEST(a_new_listener_is_bound_for_every_worker)
{
	uint32_t had = mon->sockets;
	unsigned port;
	const char *a;
	int client;

	(void)close(take_port(&port));
	mon_config(with_listener(port));
	a = mon_ask("check", ""); /* does nothing */
	has(a, "listener \\\"more\\\" (new)");
	has(a, "\"needs-restart\":[]");
	ck_assert_uint_eq(mon->sockets, had);
	client = mon_send("reload", "", -1);
	for (uint32_t i = 0; i < MON_WORKERS; i++) {
		(void)take(i, "[]");
		ck_assert_uint_eq(taken_fds, 2);
		ck_assert_uint_eq(taken_before, 1);
	}
	has(mon_answer(client), "\"needs-restart\":[]");
	ck_assert_uint_eq(mon->sockets, had + 1);
	for (uint32_t i = 0; i < MON_WORKERS; i++)
		ck_assert_uint_eq(port_of(mon->fd[i * mon->sockets + had]),
				  port);
	ck_assert_ptr_nonnull(mon->steer[1]);
	/* It is there by the next one. */
	client = mon_send("reload", "", -1);
	(void)take(0, "[]");
	ck_assert_uint_eq(taken_fds, 1);
	ck_assert_uint_eq(taken_before, 2);
	(void)take(1, "[]");
	has(mon_answer(client), "\"changed\":[]");
	/* To close it takes a restart. */
	mon_config(plain);
	client = mon_send("reload", "", -1);
	(void)take(0, "[]");
	(void)take(1, "[]");
	has(mon_answer(client), "listener \\\"more\\\" (removed)");
	ck_assert_uint_eq(mon->sockets, had + 1);
}
END_TEST

START_TEST(a_port_in_use_changes_nothing)
{
	uint32_t had = mon->sockets;
	unsigned port;
	int fd = take_port(&port);
	int first = mon->fd[0];
	int client;

	mon_config(with_listener(port));
	is_bad(mon_ask("reload", ""), "listener \\\"more\\\": cannot bind "
				      "udp:127.0.0.1:");
	ck_assert_uint_eq(mon->sockets, had);
	ck_assert_int_eq(mon->fd[0], first);
	ck_assert_uint_eq(mon->config->listener_count, 1);
	ck_assert_uint_eq(mon_hear(MONITOR_WORKER, 0, NULL).len, 0);
	(void)close(fd);
	client = mon_send("reload", "", -1);
	(void)take(0, "[]");
	(void)take(1, "[]");
	has(mon_answer(client), "(new)");
}
END_TEST

START_TEST(so_many_new_ones_at_once_need_a_restart)
{
	static char text[4096];
	uint32_t had = mon->sockets;
	size_t len = 0;

	for (int i = 0; i < MONITOR_JOINING_MAX + 1; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"listener \"l%d\" {\n"
					"\taddress = \"udp:127.0.0.1:%d\"\n}\n",
					i, 45100 + i);
	mon_config(text);
	is_bad(mon_ask("reload", ""), "need a restart");
	ck_assert_uint_eq(mon->sockets, had);
}
END_TEST

/* As sallyport.conf, with a number of workers that a restart brings. */
static void fewer_workers(const char *text)
{
	static char all[4096];
	size_t len;
	FILE *f;
	char *at;

	mon_config(text);
	f = fopen(mon_path("sallyport.conf"), "r");
	ck_assert_ptr_nonnull(f);
	len = fread(all, 1, sizeof(all) - 1, f);
	(void)fclose(f);
	all[len] = '\0';
	at = strstr(all, "workers = 2");
	ck_assert_ptr_nonnull(at);
	at[strlen("workers = ")] = '1';
	test_write(mon_path("sallyport.conf"), slice_str(all), 0600);
}

static const char core[] =
	"call-manager \"t\" {\n\taddress = \"udp:127.0.0.1:45072\"\n"
	"\tlocal-address = \"127.0.0.1:45082\"\n\tserves = trunks\n}\n";

static const char border[] =
	"%slistener \"edge\" {\n\taddress = \"udp:127.0.0.1:%u\"\n"
	"\tserves = both\n}\n"
	"trunk-profile \"p\" {\n\tsecurity-mode = nonsecure\n"
	"\tacl = \"a\"\n}\n"
	"acl \"a\" {\n\tdefault = allow\n}\n"
	"trunk \"c\" {\n\tprofile = \"p\"\n\tlisteners = { \"edge\" }\n"
	"\tpeers = { \"udp:peer.example:5060\" }\n"
	"\tsources = { \"192.0.2.9\" }\n\tcall-managers = { \"t\" }\n}\n";

START_TEST(workers_are_counted_as_they_run)
{
	char text[sizeof(border) + sizeof(core) + 8];
	unsigned port;

	mon_close();
	begin(core);
	(void)close(take_port(&port));
	(void)snprintf(text, sizeof(text), border, core, port);
	fewer_workers(text);
	is_bad(mon_ask("reload", ""), "needs workers = 1");
	ck_assert_uint_eq(mon->config->trunk_count, 0);
	ck_assert_ptr_null(mon->pending);
}
END_TEST

START_TEST(what_needs_a_restart_is_named_and_stays)
{
	const char *a;
	int client;

	mon_config("limits {\n\tcalls = 10\n}\nuser = \"somebody\"\n");
	client = mon_send("reload", "", -1);
	ck_assert_uint_eq(take(0, "[]"), 10);
	ck_assert_uint_eq(take(1, "[]"), 10);
	a = mon_answer(client);
	has(a, "\"needs-restart\":[\"user\"]");
	has(a, "\"changed\":[]");
	ck_assert_str_ne(mon->config->user, "somebody");
}
END_TEST

START_TEST(check_tells_the_same_and_changes_nothing)
{
	mon_config(more);
	has(mon_ask("check", ""), "limits: calls");
	ck_assert_uint_eq(mon->config->limits.calls, 10);
	ck_assert_uint_eq(mon_hear(MONITOR_WORKER, 0, NULL).len, 0);
	mon_config("limits {\n\tcalls = 0\n}\n");
	is_bad(mon_ask("check", ""), "sallyport.conf:");
}
END_TEST

START_TEST(devices_are_counted_and_told_when_their_phone_is_to_be_reset)
{
	const char *a;
	int client;

	mon_config("limits {\n\tcalls = 10\n}\n"
		   "device \"A\" {\n\tlines = { \"1\" }\n"
		   "\tsecurity-mode = nonsecure\n}\n");
	client = mon_send("reload", "", -1);
	(void)take(0, "[]");
	(void)take(1, "[]");
	a = mon_answer(client);
	has(a, "\"devices-added\":1");
	mon_config(plain);
	client = mon_send("reload", "", -1);
	(void)take(0, "[]");
	(void)take(1, "[]");
	has(mon_answer(client), "\"devices-removed\":1");
}
END_TEST

/* ---- what goes wrong ---------------------------------------------------------- */

START_TEST(an_error_names_its_line_and_leaves_all_as_it_was)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"limits {\n\tcalls = many\n}\n", "sallyport.conf:17"},
		{"limits {\n\tcall = 1\n}\n", "sallyport.conf:17"},
		{"limits {\n\tcalls = 1\n", "sallyport.conf:"},
		{"device \"A\" {\n\tsecurity-mode = loud\n}\n",
		 "nonsecure, authenticated or encrypted"},
	};

	for (int i = 0; i < ROWS(rows); i++) {
		mon_config(rows[i].text);
		is_bad(mon_ask("reload", ""), rows[i].why);
		ck_assert_uint_eq(mon->config->limits.calls, 10);
		ck_assert_uint_eq(mon_hear(MONITOR_WORKER, 0, NULL).len, 0);
	}
	ck_assert_int_eq(unlink(mon_path("sallyport.conf")), 0);
	is_bad(mon_ask("reload", ""), "sallyport.conf");
	ck_assert_ptr_null(mon->pending);
}
END_TEST

START_TEST(a_worker_that_cannot_take_it_up_is_told)
{
	int client;

	mon_config(more);
	client = mon_send("reload", "", -1);
	(void)take(0, "[{\"error\":\"no room\"}]");
	(void)take(1, "[]");
	is_bad(mon_answer(client), "a worker goes on as before: no room");
}
END_TEST

START_TEST(workers_that_are_not_there_begin_with_it)
{
	int client;

	mon_config(more);
	mon_down(MONITOR_WORKER, 0);
	client = mon_send("reload", "", -1);
	mon_down(MONITOR_WORKER, 1); /* before it has answered */
	has(mon_answer(client), "limits: calls");
	mon_config(plain);
	has(mon_ask("reload", ""), "limits: calls");
	ck_assert_uint_eq(mon->config->limits.calls, 10);
}
END_TEST

/* ---- keys -------------------------------------------------------------------------- */

static const char tls[] = "limits {\n\tcalls = %d\n}\n"
			  "listener \"tls\" {\n"
			  "\taddress = \"tls:127.0.0.1:45061\"\n"
			  "\tcertificate = \"server.pem\"\n"
			  "\tkey = \"server.key\"\n\ttrust = \"device\"\n}\n";

static void tls_config(int calls, void (*put)(const char *text))
{
	char text[sizeof(tls) + 16];

	(void)snprintf(text, sizeof(text), tls, calls);
	put(text);
}

/* As sallyport.conf, beside the files that it names, which a reload reads. */
static void put_files(void)
{
	struct test_cert *c;

	c = test_cert_new(&(struct test_cert_spec){.cn = "x", .is_ca = true});
	test_write(mon_path("server.pem"), test_datum(&c->pem), 0600);
	test_write(mon_path("server.key"), test_datum(&c->key_pem), 0600);
	(void)mkdir(mon_path("trust"), 0700);
	(void)mkdir(mon_path("trust/device"), 0700);
	test_write(mon_path("trust/device/ca.pem"), test_datum(&c->pem), 0600);
	test_cert_free(c);
}

static void setup_tls(void)
{
	ck_assert_int_eq(tls_global_init(), 0);
	tls_config(10, begin);
	put_files();
	mon_up(MONITOR_KEYS, 0);
}

/* A reload that waits for the keys process, which has the key's file. */
static int waits(void)
{
	struct slice s;
	int client;
	int fd = -1;

	tls_config(20, mon_config);
	client = mon_send("reload", "", -1);
	s = mon_hear(MONITOR_KEYS, 0, &fd);
	if (s.len == 0)
		ck_abort_msg("the keys process was not asked: %s",
			     mon_answer(client));
	ck_assert(slice_eqs(s, KEYS_RELOAD_FILE));
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	ck_assert(slice_eqs(mon_hear(MONITOR_KEYS, 0, NULL), KEYS_RELOAD_END));
	ck_assert(!mon_is_answered(client));
	ck_assert_uint_eq(mon->config->limits.calls, 10);
	return client;
}

/* What a worker that is started anew gets: has it the certificate? */
static bool successor_has_certificate(void)
{
	struct tls_files *f = NULL;
	struct slice bytes;
	bool has_it;

	if (mon->tls_fd <= 0)
		return false;
	ck_assert_int_eq(tls_files_load(mon->tls_fd, &f), 0);
	has_it = tls_files_find(f, mon_path("server.pem"), &bytes) == 0 &&
		 text_find(bytes, "BEGIN CERTIFICATE") >= 0;
	(void)tls_files_free(f);
	return has_it;
}

START_TEST(a_successor_has_the_certificates_in_force)
{
	int client = waits();

	ck_assert(!successor_has_certificate());
	monitor_reload_keys(mon, slice_str(KEYS_RELOADED));
	(void)take(0, "[]");
	(void)take(1, "[]");
	(void)mon_answer(client);
	ck_assert(successor_has_certificate());
	/* Whatever the file is by then. */
	test_write(mon_path("server.pem"), slice_str("x"), 0600);
	ck_assert(successor_has_certificate());
}
END_TEST

START_TEST(workers_are_told_when_the_keys_are_there)
{
	int client = waits();

	monitor_reload_keys(mon, slice_str(KEYS_RELOADED));
	ck_assert_uint_eq(take(0, "[]"), 20);
	ck_assert_uint_eq(take(1, "[]"), 20);
	has(mon_answer(client), "limits: calls");
	/* of a round that has ended */
	monitor_reload_keys(mon, slice_str(KEYS_RELOADED));
}
END_TEST

/* Among questions whether it lives. */
static bool is_settled(void)
{
	struct slice s;
	bool is_told = false;

	while ((s = mon_hear(MONITOR_KEYS, 0, NULL)).len > 0)
		is_told |= slice_eqs(s, KEYS_SETTLED);
	return is_told;
}

START_TEST(keys_of_before_go_when_every_worker_has_changed_over)
{
	static const char *const says[] = {"[{\"error\":\"a bad CRL\"}]", "[]"};

	for (int i = 0; i < ROWS(says); i++) {
		int client = i == 0 ? waits() : mon_send("reload", "", -1);

		if (i > 0) {
			ck_assert(slice_eqs(mon_hear(MONITOR_KEYS, 0, NULL),
					    KEYS_RELOAD_FILE));
			ck_assert(slice_eqs(mon_hear(MONITOR_KEYS, 0, NULL),
					    KEYS_RELOAD_END));
		}
		monitor_reload_keys(mon, slice_str(KEYS_RELOADED));
		(void)take(0, says[i]);
		ck_assert(!is_settled());
		(void)take(1, "[]");
		ck_assert_int_eq(mon_is_good(mon_answer(client)), i > 0);
		ck_assert_int_eq(is_settled(), i > 0);
	}
}
END_TEST

START_TEST(a_key_that_is_refused_is_told_and_nothing_changes)
{
	int client = waits();

	monitor_reload_keys(mon, slice_str("server.key: others can read it"));
	is_bad(mon_answer(client), "server.key: others can read it");
	ck_assert_uint_eq(mon->config->limits.calls, 10);
	ck_assert_uint_eq(mon_hear(MONITOR_WORKER, 0, NULL).len, 0);
}
END_TEST

START_TEST(a_keys_process_that_ends_ends_the_reload)
{
	int client = waits();

	mon_down(MONITOR_KEYS, 0);
	is_bad(mon_answer(client), "the keys process ended");
	is_bad(mon_ask("reload", ""), "the keys process does not take");
	ck_assert_uint_eq(mon->config->limits.calls, 10);
	ck_assert_ptr_null(mon->pending);
}
END_TEST

START_TEST(a_certificate_or_key_that_is_not_there_is_named)
{
	ck_assert_int_eq(unlink(mon_path("server.key")), 0);
	is_bad(mon_ask("reload", ""), "server.key");
	put_files();
	ck_assert_int_eq(unlink(mon_path("server.pem")), 0);
	is_bad(mon_ask("reload", ""), "server.pem");
	ck_assert_ptr_null(mon->pending);
}
END_TEST

START_TEST(one_reload_waits_for_another_and_a_third_is_refused)
{
	int first = waits();
	int second = mon_send("reload", "", -1);

	ck_assert(!mon_is_answered(second));
	is_bad(mon_ask("reload", ""), "a reload is under way");
	is_bad(mon_ask("check", ""), "a reload is under way");
	is_bad(mon_ask("device delete", "\"name\":\"A\""),
	       "another change of devices is under way");
	monitor_reload_keys(mon, slice_str("not yet"));
	is_bad(mon_answer(first), "not yet");
	/* the second has begun, and asks on its own */
	ck_assert(slice_eqs(mon_hear(MONITOR_KEYS, 0, NULL), KEYS_RELOAD_FILE));
	monitor_reload_keys(mon, slice_str(KEYS_RELOADED));
	ck_assert_uint_eq(take(0, "[]"), 20);
	ck_assert_uint_eq(take(1, "[]"), 20);
	has(mon_answer(second), "limits: calls");
}
END_TEST

/* ---- no memory ----------------------------------------------------------------------- */

static void try_reload(void *arg)
{
	const char *a;
	bool is_good;

	(void)arg;
	mon_config(more);
	a = mon_ask("reload", "");
	is_good = mon_is_good(a);
	/* Whoever is told that it is in force can rely on it. */
	ck_assert(!is_good || mon->config->limits.calls == 20);
	ck_assert_ptr_null(mon->pending);
	ck_assert_uint_eq(mon->again, 0);
}

START_TEST(a_reload_survives_every_failure_of_memory)
{
	mon_down(MONITOR_WORKER, 0);
	mon_down(MONITOR_WORKER, 1);
	oom_sweep(try_reload, NULL);
	ck_assert_uint_eq(mon->config->limits.calls, 20);
}
END_TEST

static void try_listener(void *arg)
{
	const char *a = mon_ask("reload", "");
	uint32_t had = *(uint32_t *)arg;
	bool is_there = mon->config->listener_count == 2;

	/* What is refused has not happened, or has as a whole. */
	ck_assert(!mon_is_good(a) || is_there);
	ck_assert_uint_ge(mon->sockets, had + is_there);
	if (is_there)
		for (uint32_t i = 0; i < MON_WORKERS; i++)
			ck_assert_int_gt(mon->fd[i * mon->sockets + had], 0);
}

START_TEST(a_listener_joins_whole_or_not_at_all_without_memory)
{
	uint32_t had = mon->sockets;
	unsigned port;

	(void)close(take_port(&port));
	mon_config(with_listener(port));
	mon_down(MONITOR_WORKER, 0);
	mon_down(MONITOR_WORKER, 1);
	oom_sweep(try_listener, &had);
	ck_assert_uint_eq(mon->config->listener_count, 2);
	ck_assert_uint_eq(mon->sockets, had + 1);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("plain");
	TCase *keys = tcase_create("keys");
	Suite *s = suite_create("daemon/monitor_reload");

	tcase_add_checked_fixture(t, setup, mon_close);
	tcase_add_test(t, a_change_reaches_every_worker_and_is_told);
	/* Workers share a listener by a program in the kernel. */
	if (!emulation_lacks("options")) {
		tcase_add_test(t, a_new_listener_is_bound_for_every_worker);
		tcase_add_test(t, a_port_in_use_changes_nothing);
		tcase_add_test(
			t, a_listener_joins_whole_or_not_at_all_without_memory);
	}
	tcase_add_test(t, so_many_new_ones_at_once_need_a_restart);
	tcase_add_test(t, workers_are_counted_as_they_run);
	tcase_add_test(t, what_needs_a_restart_is_named_and_stays);
	tcase_add_test(t, check_tells_the_same_and_changes_nothing);
	tcase_add_test(
		t,
		devices_are_counted_and_told_when_their_phone_is_to_be_reset);
	tcase_add_test(t, an_error_names_its_line_and_leaves_all_as_it_was);
	tcase_add_test(t, a_worker_that_cannot_take_it_up_is_told);
	tcase_add_test(t, workers_that_are_not_there_begin_with_it);
	tcase_add_test(t, a_reload_survives_every_failure_of_memory);
	tcase_add_checked_fixture(keys, setup_tls, mon_close);
	tcase_add_test(keys, a_successor_has_the_certificates_in_force);
	tcase_add_test(keys, workers_are_told_when_the_keys_are_there);
	tcase_add_test(keys,
		       keys_of_before_go_when_every_worker_has_changed_over);
	tcase_add_test(keys, a_key_that_is_refused_is_told_and_nothing_changes);
	tcase_add_test(keys, a_keys_process_that_ends_ends_the_reload);
	tcase_add_test(keys, a_certificate_or_key_that_is_not_there_is_named);
	tcase_add_test(keys,
		       one_reload_waits_for_another_and_a_third_is_refused);
	suite_add_tcase(s, t);
	suite_add_tcase(s, keys);
	return run_suite(s);
}
