/* The program sallyportctl against a server: what people and programs see,
 * exit codes, and what of a password goes over the socket. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/control.h"
#include "control/rows.h"
#include "lib/run.h"
#include "loop/loop.h"

enum { TEXT_MAX = 8192 };

static char dir[64];
static char path[100];
static struct loop *loop;
static struct control *control;
static char seen[TEXT_MAX]; /* arguments of the last command, as JSON */

static void note(const json_t *args)
{
	char *text = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS);

	(void)snprintf(seen, sizeof(seen), "%s", text);
	free(text);
}

static void on_status(void *ctx, uint64_t token, const json_t *args)
{
	(void)ctx;
	(void)args;
	control_reply(
		control, token,
		json_pack("{s:s,s:i,s:s,s:[{s:s,s:i},{s:s,s:i}],s:[],s:{}}",
			  "version", "0.1", "uptime", 3661, "realm", "office",
			  "processes", "name", "keys", "pid", 7, "name",
			  "store", "uptime", 60, "none", "empty"));
}

static void on_calls(void *ctx, uint64_t token, const json_t *args)
{
	struct row_call c = {.worker = 3,
			     .id = 12,
			     .device = slice_str("SEP1"),
			     .from = slice_str("sip:bob\033[2J@x"),
			     .to = slice_str("sip:\xc3\xa4@x"),
			     .state = "established",
			     .security = "Encrypted",
			     .suite = "AEAD_AES_128_GCM",
			     .is_end_to_end = true,
			     .media = "queue",
			     .codec = slice_str("PCMU/8000"),
			     .duration_s = 75,
			     .packets_out_in = 1000,
			     .packets_in_out = 99,
			     .srtp_errors = 0};
	json_t *rows = json_array();

	(void)ctx;
	(void)args;
	(void)json_array_append_new(rows, row_call(&c));
	c.id = 3;
	c.duration_s = 36000;
	(void)json_array_append_new(rows, row_call(&c));
	control_reply(control, token, rows);
}

static void on_registrations(void *ctx, uint64_t token, const json_t *args)
{
	(void)ctx;
	(void)args;
	control_reply(control, token, json_array());
}

static void on_user(void *ctx, uint64_t token, const json_t *args)
{
	(void)ctx;
	note(args);
	control_reply(control, token, json_object());
}

static void on_user_list(void *ctx, uint64_t token, const json_t *args)
{
	struct row_user u = {slice_str("bob"), slice_str("office"), 1700000000,
			     0};
	json_t *rows = json_array();

	(void)ctx;
	(void)args;
	(void)json_array_append_new(rows, row_user(&u));
	control_reply(control, token, rows);
}

static void on_log(void *ctx, uint64_t token, const json_t *args)
{
	(void)ctx;
	note(args);
	control_reply(control, token,
		      json_pack("{s:s,s:[{s:I,s:s,s:s,s:s}]}", "level", "info",
				"lines", "time-ms", (json_int_t)1700000000042,
				"process", "worker 3", "level", "warning",
				"text", "a\x1b[2Jb"));
}

static void on_drop(void *ctx, uint64_t token, const json_t *args)
{
	(void)ctx;
	control_fail(control, token, "no call %s",
		     control_arg_get(args, "call"));
}

static void set_up(void)
{
	struct control_params p = {
		.path = path,
		.gid = (gid_t)-1,
		.handler = {[CONTROL_STATUS] = on_status,
			    [CONTROL_CALLS] = on_calls,
			    [CONTROL_REGISTRATIONS] = on_registrations,
			    [CONTROL_USER_ADD] = on_user,
			    [CONTROL_USER_PASSWD] = on_user,
			    [CONTROL_USER_DELETE] = on_user,
			    [CONTROL_USER_LIST] = on_user_list,
			    [CONTROL_LOG] = on_log,
			    [CONTROL_DROP] = on_drop}};

	(void)snprintf(dir, sizeof(dir), "/tmp/sallyport-ctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/socket", dir);
	ck_assert_int_eq(loop_new(&loop), 0);
	p.loop = loop;
	ck_assert_int_eq(control_new(&p, &control), 0);
	seen[0] = '\0';
}

static void tear_down(void)
{
	control = control_free(control);
	loop = loop_free(loop);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- running it ------------------------------------------------------ */

static char out[TEXT_MAX];
static char err[TEXT_MAX];

static void slurp(int fd, char *buf)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	(void)close(fd);
}

/* The program with words of command, split at blanks; its exit code. */
static int ctl(const char *command, const char *input)
{
	const char *argv[16] = {"sallyportctl", "--socket", path};
	char words[256];
	int in[2], o[2], e[2];
	int status;
	pid_t pid;
	size_t n = 3;
	char *p = words;

	(void)snprintf(words, sizeof(words), "%s", command);
	while (*p) {
		argv[n++] = p;
		p += strcspn(p, " ");
		if (*p)
			*p++ = '\0';
	}
	ck_assert_int_eq(pipe(in) | pipe(o) | pipe(e), 0);
	pid = fork();
	if (pid == 0) {
		char *args[16];

		memcpy(args, argv, sizeof(args));
		(void)dup2(in[0], 0);
		(void)dup2(o[1], 1);
		(void)dup2(e[1], 2);
		(void)close(in[1]);
		(void)execv(CTL_PROGRAM, args);
		_exit(99);
	}
	(void)close(in[0]);
	(void)close(o[1]);
	(void)close(e[1]);
	ck_assert_int_eq(write(in[1], input, strlen(input)),
			 (ssize_t)strlen(input));
	(void)close(in[1]);
	for (int i = 0; waitpid(pid, &status, WNOHANG) != pid; i++) {
		ck_assert_int_lt(i, 2000);
		ck_assert_int_eq(loop_step(loop, 5), 0);
	}
	slurp(o[0], out);
	slurp(e[0], err);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(calls_are_an_aligned_table)
{
	ck_assert_int_eq(ctl("calls", ""), 0);
	ck_assert_str_eq(
		out,
		"ID  DEVICE  FROM              TO       STATE        SECURITY"
		"   SUITE             MEDIA  CODEC      DURATION  WORKER  OUT>IN  IN>OUT  "
		"ERRORS\n"
		"12  SEP1    sip:bob\\x1b[2J@x  sip:\xc3\xa4@x  established  "
		"Encrypted  AEAD_AES_128_GCM  queue  PCMU/8000   0:01:15       3    1000      "
		"99       0\n"
		" 3  SEP1    sip:bob\\x1b[2J@x  sip:\xc3\xa4@x  established  "
		"Encrypted  AEAD_AES_128_GCM  queue  PCMU/8000  10:00:00       3    1000      "
		"99       0\n");
	ck_assert_str_eq(err, "");
}
END_TEST

START_TEST(json_is_for_programs)
{
	json_t *rows;

	ck_assert_int_eq(ctl("--json calls", ""), 0);
	rows = json_loads(out, 0, NULL);
	ck_assert_uint_eq(json_array_size(rows), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(
				 json_array_get(rows, 0), "id")),
			 12);
	json_decref(rows);
}
END_TEST

START_TEST(empty_table_has_its_heading)
{
	ck_assert_int_eq(ctl("registrations", ""), 0);
	ck_assert_str_eq(out,
			 "DEVICE  ADDRESS OF RECORD  CONTACT  PEER  "
			 "TRANSPORT  SECURITY  EXPIRES  WORKER  CERTIFICATE\n");
}
END_TEST

START_TEST(status_is_shown_by_lines)
{
	ck_assert_int_eq(ctl("status", ""), 0);
	ck_assert_str_eq(out, "version:    0.1\n"
			      "uptime:     1:01:01\n"
			      "realm:      office\n"
			      "processes:  name=keys pid=7\n"
			      "            name=store uptime=0:01:00\n"
			      "none:       -\n"
			      "empty:      -\n");
}
END_TEST

START_TEST(messages_are_shown_as_in_a_log)
{
	ck_assert_int_eq(ctl("log", ""), 0);
	ck_assert_str_eq(out, "2023-11-14 22:13:20.042Z worker 3: warning: "
			      "a\\x1b[2Jb\n");
	ck_assert_str_eq(seen, "{}");
	ck_assert_int_eq(ctl("log debug --tail 7", ""), 0);
	ck_assert_str_eq(seen, "{\"level\":\"debug\",\"tail\":\"7\"}");
	ck_assert_int_eq(ctl("log debug info", ""), 2);
	ck_assert_int_eq(ctl("calls --tail 7", ""), 2);
}
END_TEST

START_TEST(users_are_listed_with_dates)
{
	ck_assert_int_eq(ctl("user list", ""), 0);
	ck_assert_str_eq(out, "USER  REALM   CREATED               CHANGED\n"
			      "bob   office  2023-11-14 22:13:20Z  1970-01-01 "
			      "00:00:00Z\n");
}
END_TEST

/* RFC 7616 section 3.9.1 has this user, realm and password. */
START_TEST(only_hashes_of_a_password_are_sent)
{
	ck_assert_int_eq(ctl("user add Mufasa --realm http-auth@example.org "
			     "--stdin",
			     "Circle of Life\n"),
			 0);
	ck_assert_str_eq(
		seen, "{\"md5\":\"3d78807defe7de2157e2b0b6573a855f\","
		      "\"name\":\"Mufasa\",\"realm\":\"http-auth@example.org\","
		      "\"sha256\":\"7987c64c30e25f1b74be53f966b49b90f2808aa92fa"
		      "f9a00262392d7b4794232\",\"sha512-256\":\"fb174f5c3c7802"
		      "721517cae13b98e2b8dae2e0118cb705d94ee29946319204ce\"}");
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(realm_is_asked_of_the_daemon)
{
	ck_assert_int_eq(ctl("user passwd bob", "secret"), 0);
	ck_assert_ptr_nonnull(strstr(seen, "\"realm\":\"office\""));
	ck_assert_ptr_null(strstr(seen, "secret"));
	ck_assert_int_eq(ctl("user delete bob", ""), 0);
	ck_assert_str_eq(seen, "{\"name\":\"bob\",\"realm\":\"office\"}");
}
END_TEST

START_TEST(unusable_passwords_are_refused_here)
{
	static char longest[300];

	memset(longest, 'x', sizeof(longest) - 1);
	ck_assert_int_eq(ctl("user add bob", ""), 1);
	ck_assert_str_eq(err, "sallyportctl: no password was given\n");
	ck_assert_int_eq(ctl("user add bob", "\n"), 1);
	ck_assert_str_eq(err, "sallyportctl: an empty password is not taken\n");
	ck_assert_int_eq(ctl("user add bob", longest), 1);
	ck_assert_str_eq(err, "sallyportctl: the password is too long\n");
	ck_assert_str_eq(seen, "");
}
END_TEST

/* The program on a terminal of its own; *ret_pid is its process. */
static int on_terminal(pid_t *ret_pid)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];

	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master) | unlockpt(master), 0);
	ck_assert_int_eq(ptsname_r(master, name, sizeof(name)), 0);
	*ret_pid = fork();
	if (*ret_pid == 0) {
		int tty;

		(void)setsid(); /* the terminal opened next is ours */
		tty = open(name, O_RDWR);
		(void)dup2(tty, 0);
		(void)dup2(tty, 1);
		(void)dup2(tty, 2);
		(void)execl(CTL_PROGRAM, "sallyportctl", "--socket", path,
			    "user", "add", "bob", (char *)NULL);
		_exit(99);
	}
	ck_assert_int_eq(fcntl(master, F_SETFL, O_NONBLOCK), 0);
	return master;
}

/* Read what the terminal shows into out until text is there. */
static void wait_for(int master, const char *text)
{
	for (int i = 0; !strstr(out, text); i++) {
		size_t len = strlen(out);
		ssize_t n = read(master, out + len, TEXT_MAX - 1 - len);

		out[len + (n > 0 ? (size_t)n : 0)] = '\0';
		ck_assert_msg(i < 2000, "no \"%s\" in \"%s\"", text, out);
		ck_assert_int_eq(loop_step(loop, 5), 0);
	}
}

static int finish(int master, pid_t pid)
{
	int status;

	for (int i = 0; waitpid(pid, &status, WNOHANG) != pid; i++) {
		ck_assert_int_lt(i, 2000);
		ck_assert_int_eq(loop_step(loop, 5), 0);
	}
	(void)close(master);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(password_is_asked_twice_without_echo)
{
	static const struct {
		const char *first, *second;
		int code;
	} row[] = {{"open sesame\n", "open sesame\n", 0},
		   {"open sesame\n", "open barley\n", 1}};

	for (size_t i = 0; i < 2; i++) {
		pid_t pid;
		int master;

		out[0] = '\0';
		seen[0] = '\0';
		master = on_terminal(&pid);
		wait_for(master, "Password: ");
		ck_assert_int_gt(write(master, row[i].first, 12), 0);
		wait_for(master, "Again: ");
		ck_assert_int_gt(write(master, row[i].second, 12), 0);
		if (row[i].code)
			wait_for(master, "the passwords differ");
		ck_assert_int_eq(finish(master, pid), row[i].code);
		ck_assert_ptr_null(strstr(out, "open"));
		ck_assert_int_eq(seen[0] == '\0', row[i].code);
	}
}
END_TEST

START_TEST(failed_command_is_exit_code_1)
{
	ck_assert_int_eq(ctl("drop 17", ""), 1);
	ck_assert_str_eq(err, "sallyportctl: no call 17\n");
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(wrong_usage_is_exit_code_2)
{
	static const char *const row[] = {
		"",	      "reboot",
		"user",	      "user add",
		"drop",	      "calls now",
		"--nonsense", "user add a b",
		"user bob",   "drop 123456789012345678901",
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		ck_assert_msg(ctl(row[i], "") == 2, "%s", row[i]);
		ck_assert_ptr_nonnull(strstr(err, "usage: sallyportctl"));
	}
}
END_TEST

START_TEST(absent_daemon_is_exit_code_3)
{
	ck_assert_int_eq(ctl("--socket /nonexistent status", ""), 3);
	ck_assert_ptr_nonnull(strstr(err, "sallyportd is not running"));
}
END_TEST

START_TEST(help_names_every_command)
{
	ck_assert_int_eq(ctl("--help", ""), 0);
	for (size_t i = 0; i < CONTROL_COMMANDS; i++)
		ck_assert_ptr_nonnull(strstr(out, control_command[i].help));
	ck_assert_int_eq(ctl("--version", ""), 0);
	ck_assert_ptr_nonnull(strstr(out, "sallyportctl "));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("program");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, calls_are_an_aligned_table);
	tcase_add_test(tc, json_is_for_programs);
	tcase_add_test(tc, empty_table_has_its_heading);
	tcase_add_test(tc, status_is_shown_by_lines);
	tcase_add_test(tc, messages_are_shown_as_in_a_log);
	tcase_add_test(tc, users_are_listed_with_dates);
	tcase_add_test(tc, only_hashes_of_a_password_are_sent);
	tcase_add_test(tc, realm_is_asked_of_the_daemon);
	tcase_add_test(tc, unusable_passwords_are_refused_here);
	tcase_add_test(tc, password_is_asked_twice_without_echo);
	tcase_add_test(tc, failed_command_is_exit_code_1);
	tcase_add_test(tc, wrong_usage_is_exit_code_2);
	tcase_add_test(tc, absent_daemon_is_exit_code_3);
	tcase_add_test(tc, help_names_every_command);
	return run_case("sallyportctl", tc);
}
