/* Every role at work in kill mode, and what it may not do any more. */
#include "priv/sandbox.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "config.h"
#include "lib/certs.h"
#include "lib/run.h"
#include "media/media.h"
#include "priv/proc.h"
#include "store/store.h"
#include "tls/keyring.h"
#include "tls/random.h"
#include "transport/transport.h"

#ifdef SP_SANITIZED
enum { IS_FILTERED = 0 };
#else
enum { IS_FILTERED = 1 };
#endif

static char dir[64];
static char root[64];
static char db[128];
static struct test_cert *cert;

/* A check in a child, where libcheck's own machinery may be forbidden. */
#define NEED(expr)                                                        \
	do {                                                              \
		if (!(expr)) {                                            \
			static const char text[] = "failed: " #expr "\n"; \
			(void)!write(2, text, sizeof(text) - 1);          \
			_exit(77);                                        \
		}                                                         \
	} while (0)

static void set_up(void)
{
	ck_assert_int_eq(tls_global_init(), 0);
	cert = test_cert_new(&(struct test_cert_spec){.cn = "proxy"});
	test_tmpdir(dir);
	test_tmpdir(root);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	(void)snprintf(db, sizeof(db), "%s/sallyport.db", dir);
}

static void tear_down(void)
{
	char cmd[160];

	test_cert_free(cert);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s %s", dir, root);
	ck_assert_int_eq(system(cmd), 0);
}

static void enter(enum sandbox_role role, enum sandbox_mode mode,
		  const char *chroot_dir)
{
	struct sandbox_params p = {.role = role,
				   .mode = mode,
				   .user = "nobody",
				   .group = "nogroup",
				   .chroot_dir = chroot_dir};
	char why[SANDBOX_ERR_MAX] = "";

	if (sandbox_enter(&p, why) != 0) {
		(void)!write(2, why, strlen(why));
		_exit(78);
	}
}

/* Status of a child that runs body. */
static int in_child(void (*body)(void))
{
	int status = 0;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void expect_ok(void (*body)(void))
{
	int status = in_child(body);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "exited=%d status=%d signal=%d", WIFEXITED(status),
		      WEXITSTATUS(status), WTERMSIG(status));
}

static void expect_killed(void (*body)(void))
{
	int status = in_child(body);

	if (IS_FILTERED)
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
			      "status=%x", (unsigned)status);
}

/* ---- what the roles do ---- */

static int ups;
static size_t got;

static void on_up(void *ctx, struct handle h, const struct transport_peer *p)
{
	(void)ctx;
	(void)h;
	(void)p;
	ups++;
}

static long on_data(void *ctx, struct handle h, const uint8_t *buf, size_t len,
		    const char **reterr)
{
	(void)ctx;
	(void)h;
	(void)buf;
	(void)reterr;
	got += len;
	return (long)len;
}

static void on_dgram(void *ctx, uint32_t tag, const struct dest *from,
		     struct slice s)
{
	(void)ctx;
	(void)tag;
	(void)from;
	got += s.len;
}

static void on_end(void *ctx, struct handle h, const char *reason)
{
	(void)ctx;
	(void)h;
	(void)reason;
}

static void worker_body(void)
{
	static const struct transport_cb cb = {on_up, on_data, on_dgram, on_end,
					       on_end};
	struct addr at = {.family = ADDR_V4, .ip = {127, 0, 0, 1}};
	struct tls_creds_params cp = {.policy = tls_policy_at(0),
				      .is_peer_optional = true};
	struct transport_listen lp = {.proto = TRANSPORT_TLS};
	struct transport_connect kp = {.proto = TRANSPORT_TLS};
	struct transport_params tp = {.cb = &cb};
	struct dest d = {.is_tls = true};
	char why[TLS_CREDS_ERR_MAX];
	struct keyring *ring;
	struct tls_creds *c;
	struct loop *loop;
	struct transport *t;
	struct handle h;

	NEED(keyring_new(&ring) == 0);
	NEED(keyring_add(ring, slice_str("k"), test_datum(&cert->key_pem)) ==
	     0);
	NEED(tls_creds_new(&cp, &c) == 0);
	NEED(tls_creds_trust(c, "ca", test_datum(&cert->pem), why) == 0);
	NEED(tls_creds_identity(c, "c", test_datum(&cert->pem),
				keyring_signer(ring), slice_str("k"),
				why) == 0);
	enter(SANDBOX_WORKER, SANDBOX_KILL, root);
	/* All of it behind the filter: a worker makes sockets at any time. */
	NEED(loop_new(&loop) == 0);
	tp.loop = loop;
	NEED(transport_new(&tp, &t) == 0);
	NEED(transport_bind(TRANSPORT_TLS, &at, true, &lp.fd) == 0);
	lp.creds = c;
	NEED(transport_listen(t, &lp, &h) == 0);
	NEED(transport_local(t, h, &kp.peer) == 0);
	kp.creds = c;
	NEED(transport_connector(t, &kp, &d.ep) == 0);
	NEED(transport_send(t, &d, slice_str("hello")) == 0);
	for (int i = 0; i < 500 && got < 5; i++)
		NEED(loop_step(loop, 10) == 0);
	NEED(got == 5);
	lp = (struct transport_listen){.proto = TRANSPORT_UDP};
	NEED(transport_bind(TRANSPORT_UDP, &at, true, &lp.fd) == 0);
	NEED(transport_listen(t, &lp, &d.ep) == 0);
	NEED(transport_local(t, d.ep, &d.peer) == 0);
	NEED(transport_send(t, &d, slice_str("hello")) == 0);
	for (int i = 0; i < 500 && got < 10; i++)
		NEED(loop_step(loop, 10) == 0);
	NEED(got == 10);
	t = transport_free(t);
	loop = loop_free(loop);
}

static void *thread_body(void *arg)
{
	int *v = arg;
	void *p = malloc(1 << 20); /* a thread's own arena */

	*v = p != NULL;
	free(p);
	return NULL;
}

static void media_body(void)
{
	struct media_params mp = {.port_min = 0};
	struct media *m;
	pthread_t thread;
	int v = 0;

	enter(SANDBOX_MEDIA, SANDBOX_KILL, NULL);
	NEED(media_new(&mp, &m) == 0);
	NEED(pthread_create(&thread, NULL, thread_body, &v) == 0);
	NEED(pthread_join(thread, NULL) == 0);
	NEED(v == 1);
	m = media_free(m);
}

static void store_body(void)
{
	struct store_credential c = {.user = slice_str("alice"),
				     .realm = slice_str("example.org"),
				     .blob = slice_str("sealed"),
				     .changed_s = 1700000000};
	uint8_t buf[STORE_BLOB_MAX];
	char why[STORE_MESSAGE_MAX] = "";
	struct store *s;
	size_t len = 0;

	enter(SANDBOX_STORE, SANDBOX_KILL, NULL);
	NEED(store_open(db, &s, why) == 0);
	for (int i = 0; i < 20; i++)
		NEED(store_put(s, &c) == 0);
	NEED(store_get(s, c.user, c.realm, buf, &len) == 0);
	NEED(len == 6);
	NEED(store_delete(s, c.user, c.realm) == 0);
	s = store_close(s);
}

static int kid_start(void *arg, struct proc *p, struct proc_start *ret)
{
	(void)arg;
	(void)p;
	ret->args[0] = "child";
	ret->arg_count = 1;
	return 0;
}

static int kid_status = -1;

static void kid_down(void *arg, struct proc *p, int status, bool is_final)
{
	(void)arg;
	(void)p;
	(void)is_final;
	kid_status = status;
}

static void monitor_body(void)
{
	static const struct proc_ops ops = {kid_start, kid_down};
	struct procs_params pp = {.exe = "/proc/self/exe"};
	struct procs *procs;
	struct proc *p;

	NEED(setenv("SALLYPORT_TEST_CHILD", dir, 1) == 0);
	enter(SANDBOX_MONITOR, SANDBOX_KILL, NULL);
	NEED(loop_new(&pp.loop) == 0);
	NEED(procs_new(&pp, &procs) == 0);
	NEED(proc_add(procs, "kid", &ops, NULL, &p) == 0);
	for (int i = 0; i < 1000 && kid_status == -1; i++)
		NEED(loop_step(pp.loop, 10) == 0);
	NEED(WIFEXITED(kid_status) && WEXITSTATUS(kid_status) == 0);
	procs = procs_free(procs);
	(void)loop_free(pp.loop);
}

START_TEST(worker_works_in_kill_mode)
{
	expect_ok(worker_body);
}
END_TEST

START_TEST(media_works_in_kill_mode)
{
	expect_ok(media_body);
}
END_TEST

START_TEST(store_works_in_kill_mode)
{
	expect_ok(store_body);
}
END_TEST

START_TEST(monitor_starts_sandboxed_children_in_kill_mode)
{
	expect_ok(monitor_body);
}
END_TEST

/* ---- what they may not ---- */

static void worker_execs(void)
{
	enter(SANDBOX_WORKER, SANDBOX_KILL, NULL);
	(void)execl("/bin/true", "true", NULL);
}

static void media_execs(void)
{
	enter(SANDBOX_MEDIA, SANDBOX_KILL, NULL);
	(void)execl("/bin/true", "true", NULL);
}

static void keys_makes_a_socket(void)
{
	enter(SANDBOX_KEYS, SANDBOX_KILL, NULL);
	(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void store_makes_a_socket(void)
{
	enter(SANDBOX_STORE, SANDBOX_KILL, NULL);
	(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void worker_traces(void)
{
	enter(SANDBOX_WORKER, SANDBOX_KILL, NULL);
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void monitor_traces(void)
{
	enter(SANDBOX_MONITOR, SANDBOX_KILL, NULL);
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

START_TEST(forbidden_calls_kill)
{
	expect_killed(worker_execs);
	expect_killed(media_execs);
	expect_killed(keys_makes_a_socket);
	expect_killed(store_makes_a_socket);
	expect_killed(worker_traces);
	expect_killed(monitor_traces);
}
END_TEST

static void log_mode_lets_pass(void)
{
	enter(SANDBOX_KEYS, SANDBOX_LOG, NULL);
	NEED(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static void off_mode_lets_pass(void)
{
	enter(SANDBOX_KEYS, SANDBOX_OFF, NULL);
	NEED(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static void worker_finds_no_files(void)
{
	enter(SANDBOX_WORKER, SANDBOX_KILL, NULL);
	if (IS_FILTERED) {
		NEED(open("/etc/passwd", O_RDONLY) < 0);
		NEED(errno == ENOENT);
	}
}

START_TEST(other_modes_and_missing_files)
{
	expect_ok(log_mode_lets_pass);
	expect_ok(off_mode_lets_pass);
	expect_ok(worker_finds_no_files);
}
END_TEST

static void rights_are_gone(void)
{
	struct rlimit core;
	gid_t groups[4];
	char line[256];
	bool is_clear = false;
	FILE *f;

	if (geteuid() != 0)
		return;
	/* Open before the root goes away. */
	f = fopen("/proc/self/status", "r");
	NEED(f);
	enter(SANDBOX_KEYS, SANDBOX_OFF, root);
	NEED(getuid() == 65534 && geteuid() == 65534);
	NEED(getgid() == 65534 && getgroups(4, groups) == 0);
	NEED(setuid(0) < 0 && setgid(0) < 0);
	NEED(open("/etc/passwd", O_RDONLY) < 0);
	NEED(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	NEED(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	NEED(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "CapEff:", 7) == 0 ||
		    strncmp(line, "CapPrm:", 7) == 0 ||
		    strncmp(line, "CapBnd:", 7) == 0) {
			is_clear = strtoull(line + 7, NULL, 16) == 0;
			NEED(is_clear);
		}
	}
	NEED(is_clear);
}

START_TEST(root_is_given_up_for_good)
{
	expect_ok(rights_are_gone);
}
END_TEST

static uint64_t capabilities(FILE *f, const char *which)
{
	char line[256];

	rewind(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, which, strlen(which)) == 0)
			return strtoull(line + strlen(which), NULL, 16);
	return UINT64_MAX;
}

/* Of all that root may, what speaking with netfilter takes. */
static void media_keeps_net_admin(void)
{
	struct sandbox_params p = {.role = SANDBOX_MEDIA,
				   .mode = SANDBOX_OFF,
				   .user = "nobody",
				   .keeps_net_admin = true};
	char why[SANDBOX_ERR_MAX] = "";
	FILE *f = fopen("/proc/self/status", "r");

	if (geteuid() != 0)
		return;
	NEED(f && sandbox_enter(&p, why) == 0);
	NEED(getuid() != 0 && setuid(0) < 0);
	NEED(capabilities(f, "CapEff:") == 1u << CAP_NET_ADMIN);
	NEED(capabilities(f, "CapPrm:") == 1u << CAP_NET_ADMIN);
	NEED(capabilities(f, "CapBnd:") == 0);
}

static void keeper_keeps_two(void)
{
	const uint64_t two = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;
	FILE *f = fopen("/proc/self/status", "r");

	if (geteuid() != 0)
		return;
	NEED(f && sandbox_limit_keeper() == 0);
	NEED(capabilities(f, "CapEff:") == two);
	NEED(capabilities(f, "CapPrm:") == two);
	NEED(capabilities(f, "CapBnd:") == two);
}

START_TEST(netfilter_takes_few_rights)
{
	expect_ok(media_keeps_net_admin);
	expect_ok(keeper_keeps_two);
}
END_TEST

static void unknown_user(void)
{
	struct sandbox_params p = {.role = SANDBOX_KEYS,
				   .mode = SANDBOX_OFF,
				   .user = "no-such-user"};
	char why[SANDBOX_ERR_MAX] = "";

	if (geteuid() != 0)
		return;
	NEED(sandbox_enter(&p, why) == ERR_NOTFOUND);
	NEED(text_find(slice_str(why), "no-such-user") >= 0);
	p = (struct sandbox_params){.role = SANDBOX_KEYS,
				    .user = "nobody",
				    .group = "no-such-group"};
	NEED(sandbox_enter(&p, why) == ERR_NOTFOUND);
	p = (struct sandbox_params){.role = SANDBOX_KEYS,
				    .user = "nobody",
				    .chroot_dir = "/nonexistent"};
	NEED(sandbox_enter(&p, why) == ERR_IO);
}

static void without_root(void)
{
	if (geteuid() == 0)
		NEED(setgroups(0, NULL) == 0 && setgid(65534) == 0 &&
		     setuid(65534) == 0);
	enter(SANDBOX_WORKER, SANDBOX_KILL, "/nonexistent");
	NEED(getpid() > 0);
}

START_TEST(wrong_names_are_refused_and_root_is_not_needed)
{
	expect_ok(unknown_user);
	expect_ok(without_root);
}
END_TEST

START_TEST(modes_have_names)
{
	enum sandbox_mode m = SANDBOX_OFF;

	ck_assert_int_eq(sandbox_mode_parse(slice_str("kill"), &m), 0);
	ck_assert_int_eq(m, SANDBOX_KILL);
	ck_assert_int_eq(sandbox_mode_parse(slice_str("LOG"), &m), 0);
	ck_assert_int_eq(m, SANDBOX_LOG);
	ck_assert_int_eq(sandbox_mode_parse(slice_str("off"), &m), 0);
	ck_assert_int_eq(m, SANDBOX_OFF);
	ck_assert_int_eq(sandbox_mode_parse(slice_str("on"), &m), ERR_BAD);
	ck_assert_str_eq(sandbox_role_str(SANDBOX_WORKER), "worker");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("priv/sandbox");
	TCase *tc = tcase_create("roles");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, worker_works_in_kill_mode);
	tcase_add_test(tc, media_works_in_kill_mode);
	tcase_add_test(tc, store_works_in_kill_mode);
	tcase_add_test(tc, monitor_starts_sandboxed_children_in_kill_mode);
	tcase_add_test(tc, forbidden_calls_kill);
	tcase_add_test(tc, other_modes_and_missing_files);
	tcase_add_test(tc, root_is_given_up_for_good);
	tcase_add_test(tc, netfilter_takes_few_rights);
	tcase_add_test(tc, wrong_names_are_refused_and_root_is_not_needed);
	tcase_add_test(tc, modes_have_names);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	const char *child = getenv("SALLYPORT_TEST_CHILD");

	if (child) {
		/* Under the monitor's filter and its own. */
		NEED(tls_global_init() == 0);
		(void)snprintf(db, sizeof(db), "%s/child.db", child);
		store_body();
		return 0;
	}
	return run_suite(suite());
}
