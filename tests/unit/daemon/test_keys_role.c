/* The keys process: the role over its channels, sandboxed. */
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authn/digest.h"
#include "daemon/wire.h"
#include "lib/run.h"
#include "priv/channel.h"
#include "priv/keys_client.h"
#include "tls/creds.h"
#include "tls/keyref.h"
#include "tls/session.h"
#include "unit/daemon/keys_rig.h"

struct role {
	pid_t pid;
	int control;
	int client;
};

/* The name of its key in the role, which nobody gave it one. */
static struct slice name_of(const struct test_cert *c,
			    uint8_t buf[SIGNER_KEY_ID_MAX])
{
	gnutls_pubkey_t pub;

	ck_assert_int_eq(gnutls_pubkey_init(&pub), 0);
	ck_assert_int_eq(gnutls_pubkey_import_x509(pub, c->crt, 0), 0);
	ck_assert_int_eq(tls_keyref_name(pub, buf), 0);
	gnutls_pubkey_deinit(pub);
	return slice_make(buf, SIGNER_KEY_ID_MAX);
}

static void run_role(enum sandbox_mode mode, bool as_user, int control)
{
	char root[64] = "/tmp";
	/* Two certificates may share a key. */
	const char *const files[] = {rsa_path, ec_path, ec_path};
	struct keys_main_params p = {
		.files = files,
		.file_count = 3,
		.store_key = store_path,
		.control_fd = control,
		.sandbox = {.role = SANDBOX_KEYS,
			    .mode = mode,
			    .user = "nobody",
			    .group = "nogroup"},
	};
	int rc;

	if (as_user) {
		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 ||
		    setuid(65534) < 0)
			_exit(99);
	} else {
		test_tmpdir(root);
		p.sandbox.chroot_dir = root;
	}
	rc = keys_main(&p);
	_exit(rc);
}

static struct role start_role(enum sandbox_mode mode, bool as_user)
{
	int control[2];
	int client[2];
	struct role r;
	char buf[16];
	struct pollfd pfd;

	ck_assert_int_eq(channel_pair(control), 0);
	ck_assert_int_eq(channel_pair(client), 0);
	r.pid = fork();
	ck_assert_int_ge(r.pid, 0);
	if (r.pid == 0) {
		(void)close(control[0]);
		(void)close(client[0]);
		(void)close(client[1]);
		run_role(mode, as_user, control[1]);
	}
	(void)close(control[1]);
	r.control = control[0];
	r.client = client[0];
	pfd = (struct pollfd){.fd = r.control, .events = POLLIN};
	ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
	ck_assert_int_eq(recv(r.control, buf, sizeof(buf), MSG_DONTWAIT), 5);
	ck_assert_mem_eq(buf, "ready", 5);
	{
		/* The worker's end, as the monitor brings it. */
		uint8_t text[DWIRE_ADOPT_LEN];
		struct writer w;
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} c = {.bytes = {0}};
		struct iovec iov = {text, sizeof(text)};
		struct msghdr mh = {.msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = &c,
				    .msg_controllen = sizeof(c)};

		writer_init(&w, text, sizeof(text));
		dwire_adopt_write(&w, 0);
		c.align.cmsg_level = SOL_SOCKET;
		c.align.cmsg_type = SCM_RIGHTS;
		c.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.align), &client[1], sizeof(int));
		ck_assert_int_eq(sendmsg(r.control, &mh, 0), DWIRE_ADOPT_LEN);
	}
	(void)close(client[1]);
	return r;
}

static void end_role(struct role *r, int want)
{
	int status = 0;

	(void)close(r->control);
	ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
	ck_assert_msg(status == want, "status %x", (unsigned)status);
}

static int answers;
static int last_err;
static uint64_t last_cookie;
static int downs;

static void on_answer(void *ctx, uint64_t cookie, int err, struct slice data)
{
	(void)ctx;
	(void)data;
	answers++;
	last_cookie = cookie;
	last_err = err;
}

static void on_down(void *ctx)
{
	(void)ctx;
	downs++;
}

#define RUN_UNTIL(loop, cond)                                     \
	do {                                                      \
		int left = 500;                                   \
		while (!(cond) && left-- > 0)                     \
			ck_assert_int_eq(loop_step(loop, 20), 0); \
		ck_assert(cond);                                  \
	} while (0)

/* Everything a worker asks for, through the client. */
static void use_role(struct role *r)
{
	struct loop *loop;
	struct keys_client *c;
	struct keys_client_params p = {.fd = r->client,
				       .answer = on_answer,
				       .down = on_down,
				       .pending_max = 3};
	const struct signer *s;
	uint8_t blob[KEYS_BLOB_MAX];
	uint8_t out[KEYS_ANSWER_MAX];
	uint8_t hash[32] = {1};
	uint8_t name[SIGNER_KEY_ID_MAX];
	struct keys_check q;
	struct writer w;
	size_t len = 0;

	/* The role reads the same store key file. */
	seal("Mufasa", "http-auth@example.org", "Circle of Life", blob, &len);
	answers = 0;
	downs = 0;
	ck_assert_int_eq(loop_new(&loop), 0);
	p.loop = loop;
	ck_assert_int_eq(keys_client_new(&p, &c), 0);
	s = keys_client_signer(c);
	q = mufasa(DIGEST_SHA256, slice_make(blob, len));
	ck_assert_int_eq(keys_client_check(c, &q, 1), 0);
	ck_assert_int_eq(keys_client_check(c, &q, 2), 0);
	ck_assert_int_eq(keys_client_check(c, &q, 3), 0);
	ck_assert_int_eq(keys_client_check(c, &q, 4), ERR_LIMIT);
	/* A signature overtakes nothing: earlier answers are kept. */
	writer_init(&w, out, sizeof(out));
	ck_assert_int_eq(s->sign(s->ctx, name_of(ec, name),
				 GNUTLS_SIGN_ECDSA_SHA256, slice_make(hash, 32),
				 &w),
			 0);
	{
		gnutls_datum_t h = {hash, 32};
		gnutls_datum_t sig = {out, (unsigned)w.len};

		ck_assert_int_ge(verify(ec, GNUTLS_SIGN_ECDSA_SHA256, &h, &sig),
				 0);
	}
	ck_assert_int_eq(answers, 0);
	RUN_UNTIL(loop, answers == 3);
	ck_assert_int_eq(last_err, 0);
	ck_assert_uint_eq(last_cookie, 3);
	q.nonce = str("another");
	ck_assert_int_eq(keys_client_check(c, &q, 5), 0);
	RUN_UNTIL(loop, answers == 4);
	ck_assert_int_eq(last_err, ERR_AUTH);
	writer_init(&w, out, sizeof(out));
	ck_assert_int_eq(s->sign(s->ctx, str("no"), GNUTLS_SIGN_RSA_SHA256,
				 slice_make(hash, 32), &w),
			 ERR_NOTFOUND);
	ck_assert_int_eq(keys_client_pubkey(c, name_of(rsa, name), &w), 0);
	writer_init(&w, out, sizeof(out));
	ck_assert_int_eq(keys_client_ticket(c, &w), 0);
	ck_assert_uint_eq(w.len, TLS_TICKET_KEY_LEN);
	writer_init(&w, out, 10);
	ck_assert_int_eq(keys_client_pubkey(c, name_of(rsa, name), &w),
			 ERR_SPACE);
	{
		struct keys_request seal_q = {
			.user = str("u"), .realm = str("r"), .ha1_count = 1};

		seal_q.ha1[0].hex = str("00112233445566778899aabbccddeeff");
		ck_assert_int_eq(keys_client_seal(c, &seal_q, &w), ERR_DENIED);
	}
	/* The process dies: what waits is answered, then it is told. */
	ck_assert_int_eq(keys_client_check(c, &q, 6), 0);
	ck_assert_int_eq(kill(r->pid, SIGKILL), 0);
	RUN_UNTIL(loop, downs == 1);
	ck_assert_int_eq(answers, 5);
	ck_assert_int_eq(keys_client_check(c, &q, 7), ERR_CLOSED);
	ck_assert_int_eq(s->sign(s->ctx, name_of(ec, name),
				 GNUTLS_SIGN_ECDSA_SHA256, slice_make(hash, 32),
				 &w),
			 ERR_CLOSED);
	c = keys_client_free(c);
	loop = loop_free(loop);
}

START_TEST(role_serves_its_clients_in_kill_mode)
{
	struct role r = start_role(SANDBOX_KILL, false);

	use_role(&r);
	end_role(&r, SIGKILL);
}
END_TEST

START_TEST(role_works_without_root)
{
	struct role r;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(dir, 0711), 0);
	ck_assert_int_eq(chown(rsa_path, 65534, 65534), 0);
	ck_assert_int_eq(chown(ec_path, 65534, 65534), 0);
	ck_assert_int_eq(chown(store_path, 65534, 65534), 0);
	r = start_role(SANDBOX_KILL, true);
	(void)close(r.client);
	end_role(&r, 0);
}
END_TEST

START_TEST(role_ends_with_its_monitor)
{
	struct role r = start_role(SANDBOX_LOG, false);

	(void)close(r.client);
	end_role(&r, 0);
}
END_TEST

START_TEST(role_ends_at_sigterm)
{
	struct role r = start_role(SANDBOX_KILL, false);
	struct pollfd pfd = {.fd = r.control, .events = POLLIN};
	char c;

	ck_assert_int_eq(kill(r.pid, SIGTERM), 0);
	ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
	ck_assert_int_eq(recv(r.control, &c, 1, MSG_DONTWAIT), 0);
	(void)close(r.client);
	end_role(&r, 0);
}
END_TEST

/* To the role, with the file at path when there is one. */
static void tell(const struct role *r, const char *text, const char *path)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} c = {.bytes = {0}};
	char copy[256];
	struct iovec iov = {copy, strlen(text)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	if (fd >= 0) {
		mh.msg_control = &c;
		mh.msg_controllen = sizeof(c);
		c.align.cmsg_level = SOL_SOCKET;
		c.align.cmsg_type = SCM_RIGHTS;
		c.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.align), &fd, sizeof(int));
	}
	ck_assert_int_eq(sendmsg(r->control, &mh, 0), (ssize_t)strlen(text));
	if (fd >= 0)
		(void)close(fd);
}

static void answers_with(const struct role *r, const char *want)
{
	struct pollfd pfd = {.fd = r->control, .events = POLLIN};
	char buf[KEYS_ERR_MAX + 1];
	ssize_t n;

	ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
	n = recv(r->control, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	ck_assert_int_gt(n, 0);
	buf[n] = '\0';
	ck_assert_msg(strstr(buf, want) != NULL, "%s", buf);
}

static int sign_with(struct keys_client *c, const struct test_cert *cert)
{
	const struct signer *s = keys_client_signer(c);
	uint8_t name[SIGNER_KEY_ID_MAX];
	uint8_t out[KEYS_ANSWER_MAX];
	uint8_t hash[32] = {1};
	struct writer w;

	writer_init(&w, out, sizeof(out));
	return s->sign(s->ctx, name_of(cert, name), GNUTLS_SIGN_ECDSA_SHA256,
		       slice_make(hash, 32), &w);
}

static void change_to(const struct role *r, const char *path)
{
	tell(r, KEYS_RELOAD_FILE, path);
	tell(r, KEYS_RELOAD_END, NULL);
	answers_with(r, KEYS_RELOADED);
}

START_TEST(role_takes_new_keys_and_keeps_the_old_for_one_reload)
{
	struct role r = start_role(SANDBOX_KILL, false);
	struct keys_client_params kp = {.fd = r.client};
	struct test_cert *other =
		test_cert_new(&(struct test_cert_spec){.cn = "other"});
	struct keys_client *kc;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/other.key", dir);
	test_write(path, test_datum(&other->key_pem), 0600);
	ck_assert_int_eq(keys_client_new(&kp, &kc), 0);
	ck_assert_int_eq(sign_with(kc, ec), 0);
	ck_assert_int_eq(sign_with(kc, other), ERR_NOTFOUND);
	/* An error changes nothing, and the first one is told. */
	tell(&r, KEYS_RELOAD_TOKEN "pkcs11:token=x", NULL);
	tell(&r, KEYS_RELOAD_FILE, store_path);
	tell(&r, KEYS_RELOAD_END, NULL);
	answers_with(&r, "restart");
	ck_assert_int_eq(sign_with(kc, ec), 0);
	/* Whoever begins anew as root would not take a key of the account's. */
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 65534, 65534), 0);
		tell(&r, KEYS_RELOAD_FILE, path);
		tell(&r, KEYS_RELOAD_END, NULL);
		answers_with(&r, "must belong to root");
		ck_assert_int_eq(chown(path, 0, 0), 0);
	}
	/* So does a round that is given up, and nothing is said. */
	tell(&r, KEYS_RELOAD_TOKEN "pkcs11:token=x", NULL);
	tell(&r, KEYS_RELOAD_FILE, path);
	tell(&r, KEYS_RELOAD_ABORT, NULL);
	for (int i = 0; i < 2; i++) {
		/* Workers change over one after the other. */
		ck_assert_int_eq(sign_with(kc, ec), 0);
		change_to(&r, path);
		ck_assert_int_eq(sign_with(kc, other), 0);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sign_with(kc, ec), 0);
		tell(&r, KEYS_SETTLED, NULL);
		change_to(&r, path);
	}
	ck_assert_int_eq(sign_with(kc, ec), ERR_NOTFOUND);
	kc = keys_client_free(kc);
	end_role(&r, 0);
	test_cert_free(other);
}
END_TEST

START_TEST(process_that_hangs_is_waited_for_once)
{
	struct keys_client_params p = {.timeout_ms = 30};
	struct keys_client *c;
	uint8_t out[KEYS_ANSWER_MAX];
	struct writer w;
	int fds[2];
	uint8_t request[64];
	long n = 0;

	ck_assert_int_eq(channel_pair(fds), 0);
	p.fd = fds[0];
	ck_assert_int_eq(keys_client_new(&p, &c), 0);
	writer_init(&w, out, sizeof(out));
	/* The second call is not even sent. */
	ck_assert_int_eq(keys_client_ticket(c, &w), ERR_TIMEOUT);
	ck_assert_int_eq(keys_client_ticket(c, &w), ERR_TIMEOUT);
	while (recv(fds[1], request, sizeof(request), MSG_DONTWAIT) > 0)
		n++;
	ck_assert_int_eq(n, 1);
	c = keys_client_free(c);
	(void)close(fds[1]);
}
END_TEST

START_TEST(tls_handshake_signs_through_the_role)
{
	struct role r = start_role(SANDBOX_KILL, false);
	struct keys_client_params kp = {.fd = r.client};
	struct keys_client *kc;

	ck_assert_int_eq(keys_client_new(&kp, &kc), 0);
	for (int i = 0; i < 2; i++) {
		const struct test_cert *cert = i ? ec : rsa;
		struct tls_creds_params cp = {.policy = tls_policy_at(0),
					      .is_peer_optional = true};
		struct tls_creds *c;
		struct tls_session *server;
		struct tls_session *client;
		char why[TLS_CREDS_ERR_MAX] = "";
		int s = ERR_MORE;
		int k = ERR_MORE;

		ck_assert_int_eq(tls_creds_new(&cp, &c), 0);
		ck_assert_msg(tls_creds_identity(c, "cert",
						 test_datum(&cert->pem),
						 keys_client_signer(kc),
						 SLICE_NULL, why) == 0,
			      "%s", why);
		ck_assert_int_eq(
			tls_creds_trust(c, "ca", test_datum(&cert->pem), why),
			0);
		ck_assert_int_eq(tls_session_new(c, TLS_SERVER, NULL, &server),
				 0);
		ck_assert_int_eq(tls_session_new(c, TLS_CLIENT, NULL, &client),
				 0);
		for (int j = 0; j < 10 && (s || k); j++) {
			struct slice out;

			if (k)
				k = tls_session_handshake(client);
			out = tls_session_out(client);
			ck_assert_int_eq(tls_session_feed(server, out), 0);
			tls_session_sent(client, out.len);
			if (s)
				s = tls_session_handshake(server);
			out = tls_session_out(server);
			ck_assert_int_eq(tls_session_feed(client, out), 0);
			tls_session_sent(server, out.len);
		}
		ck_assert_int_eq(s, 0);
		ck_assert_int_eq(k, 0);
		(void)tls_session_free(server);
		(void)tls_session_free(client);
		(void)tls_creds_unref(c);
	}
	kc = keys_client_free(kc);
	end_role(&r, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("daemon/keys_role");
	TCase *role = tcase_create("the role");

	tcase_add_checked_fixture(role, set_up, tear_down);
	tcase_set_timeout(role, 60);
	tcase_add_test(role, role_serves_its_clients_in_kill_mode);
	tcase_add_test(role, role_works_without_root);
	tcase_add_test(role, role_ends_with_its_monitor);
	tcase_add_test(role, role_ends_at_sigterm);
	tcase_add_test(role,
		       role_takes_new_keys_and_keeps_the_old_for_one_reload);
	tcase_add_test(role, process_that_hangs_is_waited_for_once);
	tcase_add_test(role, tls_handshake_signs_through_the_role);
	suite_add_tcase(s, role);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
