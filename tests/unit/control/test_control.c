/* control/: the server on a socket in a directory of its own, with clients
 * that behave and clients that do not. Time is a number. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/control.h"
#include "control/rows.h"
#include "lib/run.h"
#include "loop/loop.h"

static char dir[64];
static char path[100];
static struct loop *loop;
static struct control *control;
static uint64_t now;
static uint64_t last_token;
static char last_arg[300];

static uint64_t clock_ms(void *arg)
{
	(void)arg;
	return now;
}

/* ---- handlers -------------------------------------------------------- */

static void answer_at_once(void *ctx, uint64_t token, const json_t *args)
{
	(void)ctx;
	(void)args;
	control_reply(control, token, json_pack("{s:s}", "version", "1"));
}

static void answer_later(void *ctx, uint64_t token, const json_t *args)
{
	(void)ctx;
	(void)args;
	last_token = token;
}

static void refuse(void *ctx, uint64_t token, const json_t *args)
{
	(void)ctx;
	control_fail(control, token, "no user %s",
		     control_arg_get(args, "name"));
}

static void remember(void *ctx, uint64_t token, const json_t *args)
{
	(void)ctx;
	(void)snprintf(last_arg, sizeof(last_arg), "%s",
		       control_arg_get(args, "call"));
	control_reply(control, token, json_object());
}

static void open_server(void)
{
	struct control_params p = {.loop = loop,
				   .path = path,
				   .gid = (gid_t)-1,
				   .handler = {
					   [CONTROL_STATUS] = answer_at_once,
					   [CONTROL_CALLS] = answer_later,
					   [CONTROL_USER_DELETE] = refuse,
					   [CONTROL_DROP] = remember,
				   }};

	ck_assert_int_eq(control_new(&p, &control), 0);
}

static void set_up(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/sallyport-control-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/socket", dir);
	ck_assert_int_eq(loop_new(&loop), 0);
	now = 1000000;
	loop_set_clock(loop, clock_ms, NULL);
	open_server();
}

static void tear_down(void)
{
	control = control_free(control);
	ck_assert_int_eq(access(path, F_OK), -1);
	loop = loop_free(loop);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- clients --------------------------------------------------------- */

static int client(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void run_loop(int rounds)
{
	for (int i = 0; i < rounds; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 (ssize_t)strlen(text));
	run_loop(6);
}

/* What has come so far; "" when nothing, NULL when the server closed. */
static const char *hear(int fd)
{
	static char buf[70000];
	ssize_t n;

	run_loop(6);
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return NULL;
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void expect(const char *request, const char *answer)
{
	int fd = client();

	say(fd, request);
	ck_assert_str_eq(hear(fd), answer);
	ck_assert_ptr_null(hear(fd));
	(void)close(fd);
}

START_TEST(requests_are_answered_in_one_line)
{
	expect("{\"command\":\"status\"}\n",
	       "{\"ok\":true,\"result\":{\"version\":\"1\"}}\n");
	expect("{\"command\":\"user delete\",\"args\":{\"name\":\"bob\"}}\n",
	       "{\"ok\":false,\"error\":\"no user bob\"}\n");
	expect("{\"command\":\"drop\",\"args\":{\"call\":\"17\"}}\n",
	       "{\"ok\":true,\"result\":{}}\n");
	ck_assert_str_eq(last_arg, "17");
}
END_TEST

START_TEST(wrong_requests_are_told_why)
{
	static const struct {
		const char *request, *error;
	} row[] = {
		{"\n", "the request is no JSON object"},
		{"hello\n", "the request is no JSON object"},
		{"{\"command\":\"status\"\n", "the request is no JSON object"},
		{"[]\n", "expected {\\\"command\\\":\\\"...\\\","
			 "\\\"args\\\":{...}}"},
		{"{\"command\":\"status\",\"x\":1}\n",
		 "expected {\\\"command\\\":\\\"...\\\",\\\"args\\\":{...}}"},
		{"{\"command\":7}\n", "expected {\\\"command\\\":\\\"...\\\","
				      "\\\"args\\\":{...}}"},
		{"{\"command\":\"reboot\"}\n", "unknown command"},
		{"{\"command\":\"drop\"}\n", "an argument is missing"},
		{"{\"command\":\"drop\",\"args\":{\"call\":7}}\n",
		 "an argument is no string"},
		{"{\"command\":\"drop\",\"args\":{\"call\":\"\"}}\n",
		 "an argument is empty, too long, or not printable"},
		{"{\"command\":\"drop\",\"args\":{\"call\":\"1\\n2\"}}\n",
		 "an argument is empty, too long, or not printable"},
		{"{\"command\":\"drop\",\"args\":{\"call\":"
		 "\"123456789012345678901\"}}\n",
		 "an argument is empty, too long, or not printable"},
		{"{\"command\":\"drop\",\"args\":{\"call\":\"1\","
		 "\"x\":\"1\"}}\n",
		 "unknown argument"},
		{"{\"command\":\"registrations\"}\n",
		 "this command is not available"},
	};
	char answer[256];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		(void)snprintf(answer, sizeof(answer),
			       "{\"ok\":false,\"error\":\"%s\"}\n",
			       row[i].error);
		expect(row[i].request, answer);
	}
}
END_TEST

START_TEST(request_may_come_in_pieces)
{
	static const char request[] = "{\"command\":\"status\"}\n";
	int fd = client();

	for (size_t i = 0; request[i]; i++) {
		char one[2] = {request[i], '\0'};

		ck_assert_str_eq(hear(fd), "");
		say(fd, one);
	}
	ck_assert_str_eq(hear(fd),
			 "{\"ok\":true,\"result\":{\"version\":\"1\"}}\n");
	(void)close(fd);
}
END_TEST

START_TEST(request_at_its_limit_passes_and_beyond_is_refused)
{
	static char line[CONTROL_LINE_MAX + 2];

	for (size_t extra = 0; extra < 2; extra++) {
		size_t len = CONTROL_LINE_MAX - 1 + extra;

		memset(line, ' ', sizeof(line));
		memcpy(line, "{\"command\":\"status\"}", 20);
		line[len] = '\n';
		line[len + 1] = '\0';
		expect(line,
		       extra ? "{\"ok\":false,\"error\":\"the request is too "
			       "long\"}\n"
			     : "{\"ok\":true,\"result\":{\"version\":\"1\"}}"
			       "\n");
	}
}
END_TEST

START_TEST(silent_client_is_closed_by_a_deadline)
{
	int fd = client();

	ck_assert_str_eq(hear(fd), "");
	now += CONTROL_IDLE_MS - 1;
	say(fd, "{");
	ck_assert_str_eq(hear(fd), "");
	now += 1;
	ck_assert_ptr_null(hear(fd));
	(void)close(fd);
}
END_TEST

START_TEST(missing_answer_is_told_in_time)
{
	int fd = client();
	uint64_t old;

	say(fd, "{\"command\":\"calls\"}\n");
	old = last_token;
	now += CONTROL_ANSWER_MS - 1;
	ck_assert_str_eq(hear(fd), "");
	now += 1;
	ck_assert_str_eq(hear(fd),
			 "{\"ok\":false,\"error\":\"no answer in time\"}\n");
	(void)close(fd);
	/* The late answer finds nobody. */
	control_reply(control, old, json_object());
	control_fail(control, old, "late");
	ck_assert_int_eq(
		control_reply_rows(control, old, slice_str("[]"), true), 0);
}
END_TEST

START_TEST(client_may_go_before_the_answer)
{
	int fd = client();

	say(fd, "{\"command\":\"calls\"}\n");
	(void)close(fd);
	run_loop(3);
	control_reply(control, last_token, json_object());
	run_loop(3);
	expect("{\"command\":\"status\"}\n",
	       "{\"ok\":true,\"result\":{\"version\":\"1\"}}\n");
}
END_TEST

START_TEST(client_may_shut_down_its_writing_side)
{
	int fd = client();

	say(fd, "{\"command\":\"calls\"}\n");
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	run_loop(3);
	control_reply(control, last_token, json_object());
	ck_assert_str_eq(hear(fd), "{\"ok\":true,\"result\":{}}\n");
	(void)close(fd);
}
END_TEST

START_TEST(rows_of_several_pieces_are_joined)
{
	int fd = client();

	say(fd, "{\"command\":\"calls\"}\n");
	ck_assert_int_eq(control_reply_rows(control, last_token,
					    slice_str("[{\"id\":1},{}]"),
					    false),
			 0);
	ck_assert_str_eq(hear(fd), "");
	ck_assert_int_eq(control_reply_rows(control, last_token,
					    slice_str("[{\"id\":2}]"), true),
			 0);
	ck_assert_str_eq(hear(fd),
			 "{\"result\":[{\"id\":1},{},{\"id\":2}],\"ok\":true}"
			 "\n");
	(void)close(fd);
}
END_TEST

START_TEST(broken_rows_fail_the_command)
{
	static const char *const row[] = {"", "{}", "[", "[{}", "[{}] x"};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int fd = client();

		say(fd, "{\"command\":\"calls\"}\n");
		ck_assert_int_eq(control_reply_rows(control, last_token,
						    slice_str(row[i]), true),
				 ERR_BAD);
		ck_assert_str_eq(hear(fd), "{\"ok\":false,\"error\":\"a "
					   "worker's answer is broken or too "
					   "long\"}\n");
		(void)close(fd);
	}
}
END_TEST

START_TEST(long_answer_waits_for_a_slow_reader)
{
	enum { ROWS = 20000 };
	json_t *rows = json_array();
	int fd = client();
	size_t total = 0;
	const char *piece;

	for (int i = 0; i < ROWS; i++)
		(void)json_array_append_new(rows, json_pack("{s:i}", "id", i));
	say(fd, "{\"command\":\"calls\"}\n");
	control_reply(control, last_token, rows);
	/* Slow, but never for longer than the limit. */
	for (int i = 0; (piece = hear(fd)) != NULL; i++) {
		ck_assert_int_lt(i, 1000);
		total += strlen(piece);
		now += CONTROL_IDLE_MS - 1;
	}
	ck_assert_uint_gt(total, ROWS * 8);
	(void)close(fd);
}
END_TEST

START_TEST(connections_beyond_the_limit_wait_for_a_place)
{
	int fd[CONTROL_CLIENTS_MAX + 1];

	for (size_t i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		fd[i] = client();
		run_loop(3);
	}
	say(fd[CONTROL_CLIENTS_MAX], "{\"command\":\"status\"}\n");
	ck_assert_str_eq(hear(fd[CONTROL_CLIENTS_MAX]), "");
	(void)close(fd[0]);
	run_loop(3);
	ck_assert_str_eq(hear(fd[CONTROL_CLIENTS_MAX]),
			 "{\"ok\":true,\"result\":{\"version\":\"1\"}}\n");
	for (size_t i = 1; i <= CONTROL_CLIENTS_MAX; i++)
		(void)close(fd[i]);
}
END_TEST

START_TEST(server_that_ends_closes_its_clients)
{
	int fd = client();

	say(fd, "{\"command\":\"calls\"}\n");
	control = control_free(control);
	ck_assert_ptr_null(hear(fd));
	(void)close(fd);
	open_server();
}
END_TEST

/* ---- the socket file ------------------------------------------------- */

START_TEST(socket_is_for_its_owner_only)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(socket_of_a_group_is_for_the_group)
{
	struct control_params p = {.loop = loop, .path = path, .gid = getgid()};
	struct stat st;

	control = control_free(control);
	ck_assert_int_eq(control_new(&p, &control), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
}
END_TEST

START_TEST(second_server_is_refused_a_stale_file_replaced)
{
	struct control_params p = {
		.loop = loop, .path = path, .gid = (gid_t)-1};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct control *other = NULL;
	int fd;

	ck_assert_int_eq(control_new(&p, &other), ERR_EXISTS);
	control = control_free(control);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	(void)close(fd);
	ck_assert_int_eq(control_new(&p, &control), 0);
}
END_TEST

START_TEST(other_files_are_not_replaced)
{
	struct control_params p = {
		.loop = loop, .path = path, .gid = (gid_t)-1};
	int fd;

	control = control_free(control);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	ck_assert_int_eq(control_new(&p, &control), ERR_IO);
	ck_assert_int_eq(errno, ENOTSOCK);
	ck_assert_int_eq(unlink(path), 0);
	p.path = "/nonexistent/socket";
	ck_assert_int_eq(control_new(&p, &control), ERR_IO);
	open_server();
}
END_TEST

/* ---- the blocking client --------------------------------------------- */

static int call_in_child(enum control_id id, const char *call, int *ret_ok)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		json_t *args = json_object();
		json_t *answer = NULL;
		int err;

		if (call)
			(void)json_object_set_new(args, "call",
						  json_string(call));
		err = control_call(path, id, args, 2000, &answer);
		_exit(err ? 100 - err
			  : json_is_true(json_object_get(answer, "ok")));
	}
	for (int i = 0; i < 500; i++) {
		ck_assert_int_eq(loop_step(loop, 0), 0);
		if (waitpid(pid, &status, WNOHANG) == pid) {
			ck_assert(WIFEXITED(status));
			*ret_ok = WEXITSTATUS(status);
			return 0;
		}
		(void)usleep(10000);
	}
	return -1;
}

START_TEST(client_asks_and_gets_its_answer)
{
	int ok = 0;

	ck_assert_int_eq(call_in_child(CONTROL_STATUS, NULL, &ok), 0);
	ck_assert_int_eq(ok, 1);
	ck_assert_int_eq(call_in_child(CONTROL_DROP, "4", &ok), 0);
	ck_assert_int_eq(ok, 1);
	ck_assert_str_eq(last_arg, "4");
	ck_assert_int_eq(call_in_child(CONTROL_REGISTRATIONS, NULL, &ok), 0);
	ck_assert_int_eq(ok, 0);
}
END_TEST

START_TEST(client_tells_absent_from_silent)
{
	json_t *answer = NULL;

	ck_assert_int_eq(control_call("/nonexistent", CONTROL_STATUS, NULL, 100,
				      &answer),
			 ERR_NOTFOUND);
	/* The loop does not run: nobody answers. */
	ck_assert_int_eq(control_call(path, CONTROL_STATUS, NULL, 50, &answer),
			 ERR_TIMEOUT);
	ck_assert_ptr_null(answer);
}
END_TEST

/* ---- rows ------------------------------------------------------------ */

START_TEST(rows_have_their_keys_and_survive_any_text)
{
	struct row_registration r = {.worker = 2,
				     .device = slice_str("A"),
				     .aor = slice_str("bad\xff text"),
				     .contact = slice_str("b\xc3\xa4"),
				     .transport = "tls",
				     .security = "Encrypted",
				     .expires_s = UINT64_MAX};
	struct row_call call = {.state = "ringing",
				.security = "Authenticated",
				.suite = "none",
				.media = "-",
				.id = 7};
	struct row_user user = {.user = slice_str("bob")};
	json_t *row = row_registration(&r);

	ck_assert_str_eq(json_string_value(json_object_get(row, "aor")),
			 "bad? text");
	ck_assert_str_eq(json_string_value(json_object_get(row, "contact")),
			 "b\xc3\xa4");
	ck_assert_str_eq(json_string_value(json_object_get(row, "certificate")),
			 "");
	ck_assert_int_eq(json_integer_value(json_object_get(row, "expires-in")),
			 INT64_MAX);
	ck_assert_int_eq(json_integer_value(json_object_get(row, "worker")), 2);
	ck_assert_uint_eq(json_object_size(row), 9);
	json_decref(row);
	row = row_call(&call);
	ck_assert_uint_eq(json_object_size(row), 15);
	ck_assert_int_eq(json_integer_value(json_object_get(row, "id")), 7);
	json_decref(row);
	row = row_user(&user);
	ck_assert_uint_eq(json_object_size(row), 4);
	json_decref(row);
}
END_TEST

START_TEST(freed_arguments_are_wiped)
{
	static const char line[] =
		"{\"command\":\"user add\",\"args\":{\"name\":\"bob\","
		"\"md5\":\"0123456789abcdef0123456789abcdef\","
		"\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef"
		"0123456789abcdef\"}}";
	const struct control_command *cmd;
	const char *why;
	json_t *args = NULL;
	json_t *kept;

	ck_assert_int_eq(
		control_request_parse(slice_str(line), &cmd, &args, &why), 0);
	ck_assert_int_eq(cmd->id, CONTROL_USER_ADD);
	ck_assert_str_eq(control_arg_get(args, "name"), "bob");
	ck_assert_ptr_null(control_arg_get(args, "realm"));
	kept = json_incref(json_object_get(args, "md5"));
	control_args_free(args);
	for (size_t i = 0; i < 32; i++)
		ck_assert_int_eq(json_string_value(kept)[i], 0);
	json_decref(kept);
	ck_assert_ptr_null(control_args_free(NULL));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tc = tcase_create("server");
	TCase *plain = tcase_create("rows and requests");

	rows_seed(1);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, requests_are_answered_in_one_line);
	tcase_add_test(tc, wrong_requests_are_told_why);
	tcase_add_test(tc, request_may_come_in_pieces);
	tcase_add_test(tc, request_at_its_limit_passes_and_beyond_is_refused);
	tcase_add_test(tc, silent_client_is_closed_by_a_deadline);
	tcase_add_test(tc, missing_answer_is_told_in_time);
	tcase_add_test(tc, client_may_go_before_the_answer);
	tcase_add_test(tc, client_may_shut_down_its_writing_side);
	tcase_add_test(tc, rows_of_several_pieces_are_joined);
	tcase_add_test(tc, broken_rows_fail_the_command);
	tcase_add_test(tc, long_answer_waits_for_a_slow_reader);
	tcase_add_test(tc, connections_beyond_the_limit_wait_for_a_place);
	tcase_add_test(tc, server_that_ends_closes_its_clients);
	tcase_add_test(tc, socket_is_for_its_owner_only);
	tcase_add_test(tc, socket_of_a_group_is_for_the_group);
	tcase_add_test(tc, second_server_is_refused_a_stale_file_replaced);
	tcase_add_test(tc, other_files_are_not_replaced);
	tcase_add_test(tc, client_asks_and_gets_its_answer);
	tcase_add_test(tc, client_tells_absent_from_silent);
	suite_add_tcase(suite, tc);
	tcase_add_test(plain, rows_have_their_keys_and_survive_any_text);
	tcase_add_test(plain, freed_arguments_are_wiped);
	suite_add_tcase(suite, plain);
	return run_suite(suite);
}
