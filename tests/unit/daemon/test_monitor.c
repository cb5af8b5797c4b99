/*
 * Parts of the monitor that need no processes: leases of limits over real
 * channels, and what is told of devices and messages. The operator is played.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/monitor.h"
#include "lib/run.h"

enum { WORKERS = 2 };

static struct monitor *m;
static int worker_fd[WORKERS]; /* the workers' ends */
static char answer[65536];     /* JSON, or the text of a failure */
static bool is_failure;

/* ---- the operator ------------------------------------------------------------ */

static void keep(const char *text, bool failure)
{
	ck_assert_uint_lt(strlen(text), sizeof(answer));
	(void)snprintf(answer, sizeof(answer), "%s", text);
	is_failure = failure;
}

void control_reply(struct control *c, uint64_t token, json_t *result)
{
	char *text = json_dumps(result, JSON_COMPACT | JSON_SORT_KEYS);

	(void)c;
	ck_assert_uint_eq(token, 7);
	ck_assert_ptr_nonnull(text);
	keep(text, false);
	free(text);
	json_decref(result);
}

void control_fail(struct control *c, uint64_t token, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	(void)c;
	ck_assert_uint_eq(token, 7);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	keep(text, true);
}

void control_fail_text(struct control *c, uint64_t token, const char *text)
{
	(void)c;
	ck_assert_uint_eq(token, 7);
	keep(text, true);
}

int control_reply_rows(struct control *c, uint64_t token, struct slice text,
		       bool is_last)
{
	size_t len = strlen(answer);

	(void)c;
	ck_assert_uint_eq(token, 7);
	(void)snprintf(answer + len, sizeof(answer) - len, "%.*s%s",
		       (int)text.len, (const char *)text.ptr,
		       is_last ? "." : "");
	return 0;
}

const char *control_arg_get(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

struct monitor_child *monitor_worker(struct monitor *mon, uint32_t number)
{
	return &mon->child[MONITOR_WORKER + number];
}

/* handler(name=value), an argument at most. */
static void command(void (*handler)(void *, uint64_t, const json_t *),
		    const char *name, const char *value)
{
	json_t *args = json_object();

	answer[0] = '\0';
	is_failure = false;
	if (name)
		(void)json_object_set_new(args, name, json_string(value));
	handler(m, 7, args);
	json_decref(args);
}

/* ---- the world ------------------------------------------------------------------ */

static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	(void)ctx;
	(void)bytes;
	(void)fds;
	(void)n;
}

static void on_down(void *ctx, const char *reason)
{
	(void)ctx;
	(void)reason;
}

static void open_worker(uint32_t i)
{
	struct channel_params p = {
		.loop = m->loop, .message = on_message, .down = on_down};
	int fds[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	p.fd = fds[0];
	ck_assert_int_eq(channel_new(&p, &monitor_worker(m, i)->channel), 0);
	worker_fd[i] = fds[1];
}

static struct config *make_config(void)
{
	static const char *const rows[][4] = {
		{"listener", "udp", NULL, ""},
		{"listener", "udp", "address", "udp:192.0.2.1:5060"},
		{"call-manager", "cm", NULL, ""},
		{"call-manager", "cm", "address", "udp:10.0.0.2:5060"},
		{"call-manager", "cm", "local-address", "10.0.0.1:5070"},
		{"media", "", "outside-address", "192.0.2.1"},
		{"media", "", "inside-address", "10.0.0.1"},
		{"limits", "", "calls", "10"},
		{"device", "A", NULL, ""},
		{"device", "A", "description", "the \"lobby\", left"},
		{"device", "A", "lines", "1001"},
		{"device", "A", "lines", "1002"},
		{"device", "A", "security-mode", "nonsecure"},
		{"device", "B", NULL, ""},
		{"device", "B", "lines", "2001"},
	};
	struct config_tuple t[ROWS(rows)];
	struct config_report rep;
	struct config *c = NULL;

	for (int i = 0; i < ROWS(rows); i++)
		t[i] = (struct config_tuple){.section = rows[i][0],
					     .label = slice_str(rows[i][1]),
					     .name = rows[i][2],
					     .value = slice_str(rows[i][3]),
					     .file = "test.conf",
					     .line = (uint32_t)i};
	config_report_init(&rep);
	ck_assert_int_eq(config_build(t, ROWS(rows), "/", &rep, &c), 0);
	config_report_done(&rep);
	return c;
}

static void setup(void)
{
	m = calloc(1, sizeof(*m));
	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(loop_new(&m->loop), 0);
	m->config = make_config();
	m->workers = WORKERS;
	m->log_level = LOG_LEVEL_INFO;
	for (uint32_t i = 0; i < WORKERS; i++) {
		struct monitor_child *w = monitor_worker(m, i);

		(void)snprintf(w->name, sizeof(w->name), "worker %u", i + 1);
		open_worker(i);
	}
	monitor_lease_init(m);
}

static void teardown(void)
{
	for (uint32_t i = 0; i < WORKERS; i++) {
		channel_free(monitor_worker(m, i)->channel);
		(void)close(worker_fd[i]);
	}
	monitor_log_close(m);
	config_unref(m->config);
	loop_free(m->loop);
	free(m);
}

/* ---- leases --------------------------------------------------------------------- */

/* What has come for worker i, of cap bytes; -1: nothing. */
static ssize_t hear(uint32_t i, uint8_t *buf, size_t cap)
{
	ssize_t n = -1;

	for (int k = 0; k < 5 && n < 0; k++) {
		ck_assert_int_eq(loop_step(m->loop, 1), 0);
		n = recv(worker_fd[i], buf, cap, MSG_DONTWAIT);
	}
	return n;
}

/* The next lease that worker i is told; false: none. */
static bool told(uint32_t i, struct dwire_msg *ret)
{
	static uint8_t buf[64];
	ssize_t n = hear(i, buf, sizeof(buf));

	if (n < 0)
		return false;
	ck_assert_int_eq(dwire_read(slice_make(buf, (size_t)n), ret), 0);
	ck_assert_int_eq(ret->op, DWIRE_LEASE);
	return true;
}

/* Worker i says that it uses so many calls and, having followed number, may
 * use held. */
static void use(uint32_t i, uint32_t number, uint32_t held, uint32_t used)
{
	monitor_lease_use(m, i,
			  &(struct dwire_msg){.op = DWIRE_USE,
					      .limit = DWIRE_CALLS,
					      .number = number,
					      .amount = held,
					      .used = used});
}

START_TEST(what_one_worker_does_not_need_goes_to_another)
{
	struct dwire_msg less, more;

	use(0, 0, 5, 5);
	ck_assert(!told(0, &more)); /* not before the other has given it up */
	ck_assert(told(1, &less));
	ck_assert_int_eq(less.limit, DWIRE_CALLS);
	ck_assert_uint_lt(less.amount, 5);
	use(1, less.number, less.amount, 0);
	ck_assert(told(0, &more));
	ck_assert_uint_eq(less.amount + more.amount, 10);
}
END_TEST

START_TEST(another_limit_is_told_to_who_has_too_much)
{
	struct dwire_msg msg;
	uint32_t sum = 0;

	m->config->limits.calls = 4;
	monitor_lease_limits(m);
	for (uint32_t i = 0; i < WORKERS; i++) {
		ck_assert(told(i, &msg));
		ck_assert_int_eq(msg.limit, DWIRE_CALLS);
		sum += msg.amount;
		ck_assert(!told(i, &msg));
	}
	ck_assert_uint_eq(sum, 4);
}
END_TEST

START_TEST(who_begins_is_told_all_its_limits)
{
	struct dwire_msg msg;

	monitor_lease_start(m, 1);
	for (int i = 0; i < DWIRE_LIMITS; i++) {
		ck_assert(told(1, &msg));
		ck_assert_int_eq((int)msg.limit, i);
		if (i == DWIRE_CALLS)
			ck_assert_uint_eq(msg.amount, 5);
	}
	ck_assert(!told(1, &msg));
	ck_assert(!told(0, &msg));
}
END_TEST

START_TEST(who_is_down_is_told_when_it_begins)
{
	struct monitor_child *w = monitor_worker(m, 1);
	struct dwire_msg msg;

	w->channel = channel_free(w->channel);
	(void)close(worker_fd[1]);
	use(0, 0, 5, 5);
	open_worker(1);
	monitor_lease_start(m, 1);
	ck_assert(told(1, &msg));
	ck_assert_int_eq(msg.limit, DWIRE_CALLS);
	ck_assert_uint_le(msg.amount, 5);
}
END_TEST

/* ---- messages ----------------------------------------------------------------------- */

START_TEST(the_last_messages_of_all_come_in_their_order)
{
	struct monitor_child *w;

	ck_assert_int_eq(monitor_log_open(m), 0);
	w = monitor_worker(m, 1);
	log_ring_put(w->ring, 3000, LOG_LEVEL_WARN, slice_str("third \"x\""));
	log_ring_put(m->child[MONITOR_KEYS].ring, 1000, LOG_LEVEL_INFO,
		     slice_str("first"));
	(void)snprintf(m->child[MONITOR_KEYS].name, 24, "keys");
	log_ring_put(w->ring, 2000, LOG_LEVEL_INFO, slice_str("second"));
	command(monitor_log_show, NULL, NULL);
	ck_assert_str_eq(answer,
			 "{\"level\":\"info\",\"lines\":["
			 "{\"level\":\"info\",\"process\":\"keys\",\"text\":"
			 "\"first\",\"time-ms\":1000},"
			 "{\"level\":\"info\",\"process\":\"worker 2\","
			 "\"text\":\"second\",\"time-ms\":2000},"
			 "{\"level\":\"warning\",\"process\":\"worker 2\","
			 "\"text\":\"third \\\"x\\\"\",\"time-ms\":3000}]}");
	command(monitor_log_show, "tail", "1");
	ck_assert_ptr_nonnull(strstr(answer, "third"));
	ck_assert_ptr_null(strstr(answer, "second"));
	for (int i = 0; i < 3; i++) {
		static const char *const wrong[] = {"1001", "-1", "some"};

		command(monitor_log_show, "tail", wrong[i]);
		ck_assert(is_failure);
	}
}
END_TEST

START_TEST(a_level_reaches_every_process)
{
	uint8_t buf[64], level;
	ssize_t n;

	command(monitor_log_show, "level", "loud");
	ck_assert(is_failure);
	ck_assert_int_eq(m->log_level, LOG_LEVEL_INFO);
	command(monitor_log_show, "level", "debug");
	ck_assert_str_eq(answer, "{\"level\":\"debug\",\"lines\":[]}");
	for (uint32_t i = 0; i < WORKERS; i++) {
		n = hear(i, buf, sizeof(buf));
		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(
			dwire_ping_read(slice_make(buf, (size_t)n), &level), 0);
		ck_assert_int_eq((int)level, LOG_LEVEL_DEBUG);
	}
	log_set_level(LOG_LEVEL_INFO);
}
END_TEST

/* ---- devices --------------------------------------------------------------------------- */

START_TEST(devices_are_listed_and_shown)
{
	command(monitor_devices_list, NULL, NULL);
	ck_assert_ptr_nonnull(strstr(answer, "\"name\":\"A\""));
	ck_assert_ptr_nonnull(strstr(answer, "\"lines\":\"1001 1002\""));
	ck_assert_ptr_nonnull(strstr(answer, "\"name\":\"B\""));
	command(monitor_devices_list, "line", "1002");
	ck_assert_ptr_nonnull(strstr(answer, "\"name\":\"A\""));
	ck_assert_ptr_null(strstr(answer, "\"name\":\"B\""));
	command(monitor_devices_list, "device", "b");
	ck_assert_ptr_null(strstr(answer, "\"name\":\"A\""));
	ck_assert_ptr_nonnull(strstr(answer, "\"source\":\"file\""));
	command(monitor_device_show, "name", "A");
	ck_assert_ptr_nonnull(
		strstr(answer, "\"security-mode\":\"nonsecure\""));
	command(monitor_device_show, "name", "C");
	ck_assert(is_failure);
	ck_assert_str_eq(answer, "no such device");
}
END_TEST

/* Only the store's, what is not the default, with quotes where CSV wants
 * them. */
START_TEST(stored_devices_are_exported)
{
	command(monitor_device_export, NULL, NULL);
	ck_assert_ptr_nonnull(strstr(answer, "{\"csv\":\"name,description,"));
	ck_assert_ptr_null(strstr(answer, "lobby"));
	m->config->device[0].is_stored = true;
	command(monitor_device_export, NULL, NULL);
	ck_assert_ptr_nonnull(strstr(answer, "{\"csv\":\"A,\\\"the "
					     "\\\"\\\"lobby\\\"\\\", "
					     "left\\\",1001 1002,nonsecure,"));
	ck_assert_ptr_null(strstr(answer, "2001"));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("monitor");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_one_worker_does_not_need_goes_to_another);
	tcase_add_test(t, another_limit_is_told_to_who_has_too_much);
	tcase_add_test(t, who_begins_is_told_all_its_limits);
	tcase_add_test(t, who_is_down_is_told_when_it_begins);
	tcase_add_test(t, the_last_messages_of_all_come_in_their_order);
	tcase_add_test(t, a_level_reaches_every_process);
	tcase_add_test(t, devices_are_listed_and_shown);
	tcase_add_test(t, stored_devices_are_exported);
	return run_case("daemon/monitor", t);
}
