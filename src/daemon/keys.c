#include "daemon/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authn/digest.h"
#include "base/alloc.h"
#include "base/bucket.h"
#include "base/list.h"
#include "base/reader.h"
#include "base/secret.h"
#include "daemon/wire.h"
#include "log/log.h"
#include "loop/loop.h"
#include "priv/channel.h"
#include "tls/creds.h"
#include "tls/keyring.h"
#include "tls/random.h"
#include "tls/seal.h"

enum {
	FILE_MAX = 65536, /* bytes of a key file */
	AAD_MAX = 512,	  /* users and realms have at most 128 bytes */
	PLAIN_MAX = KEYS_BLOB_MAX - SEAL_OVERHEAD,
	LOG_RATE = 5,
	LOG_BURST = 20,
	CLIENTS_MAX = 256
};

struct keys {
	struct keyring *ring;
	struct secret store_key; /* empty: no credentials */
	struct secret ticket_key;
	struct keys_stats stats;
};

int keys_new(struct keys **ret)
{
	struct keys *k = alloc_zero(sizeof(*k));
	struct entropy e = tls_entropy();
	uint8_t ticket[TLS_TICKET_KEY_LEN];
	int err;

	if (!k)
		return ERR_NOMEM;
	entropy_fill(&e, ticket, sizeof(ticket));
	err = secret_init(&k->ticket_key, slice_make(ticket, sizeof(ticket)));
	secret_wipe(ticket, sizeof(ticket));
	if (!err)
		err = keyring_new(&k->ring);
	if (err) {
		(void)keys_free(k);
		return err;
	}
	*ret = k;
	return 0;
}

struct keys *keys_free(struct keys *k)
{
	if (!k)
		return NULL;
	(void)keyring_free(k->ring);
	secret_done(&k->store_key);
	secret_done(&k->ticket_key);
	return alloc_free(k);
}

const struct keys_stats *keys_stats(const struct keys *k)
{
	return &k->stats;
}

static int explain(char *reterr, const char *path, const char *text, int err)
{
	(void)snprintf(reterr, KEYS_ERR_MAX, "%s: %s", path, text);
	return err;
}

static int explain_errno(char *reterr, const char *path, const char *what)
{
	(void)snprintf(reterr, KEYS_ERR_MAX, "%.300s: %s: %s", path, what,
		       strerror(errno));
	return ERR_IO;
}

/* A key that others can read is no key. */
static int check_file(int fd, const char *path, char *reterr)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return explain_errno(reterr, path, "cannot look at the file");
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return explain(reterr, path, "not a file, or too large",
			       ERR_BAD);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return explain(reterr, path, "must belong to root", ERR_DENIED);
	if (st.st_mode & 077) {
		(void)snprintf(reterr, KEYS_ERR_MAX,
			       "%s: readable by others (mode %04o); "
			       "chmod 600 %s",
			       path, (unsigned)(st.st_mode & 07777), path);
		return ERR_DENIED;
	}
	return 0;
}

/* The bytes of a key file into buf of FILE_MAX bytes. */
static int read_secret_file(const char *path, uint8_t *buf, size_t *ret_len,
			    char *reterr)
{
	size_t len = 0;
	int err;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return explain_errno(reterr, path, "cannot open");
	err = check_file(fd, path, reterr);
	while (!err && len < FILE_MAX) {
		ssize_t n = read(fd, buf + len, FILE_MAX - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = explain_errno(reterr, path, "cannot read");
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	(void)close(fd);
	if (!err)
		*ret_len = len;
	return err;
}

int keys_load(struct keys *k, struct slice name, const char *path, char *reterr)
{
	uint8_t *buf = alloc_zero(FILE_MAX);
	size_t len = 0;
	int err;

	if (!buf)
		return explain(reterr, path, "no memory", ERR_NOMEM);
	err = read_secret_file(path, buf, &len, reterr);
	if (!err) {
		err = keyring_add(k->ring, name, slice_make(buf, len));
		if (err == ERR_BAD)
			(void)explain(reterr, path,
				      "no unencrypted private key in PEM", err);
		else if (err == ERR_UNSUPPORTED)
			(void)explain(reterr, path,
				      "neither an RSA nor an ECDSA key", err);
		else if (err)
			(void)explain(reterr, path, err_str(err), err);
	}
	secret_wipe(buf, FILE_MAX);
	(void)alloc_free(buf);
	return err;
}

/* A new random store key, written so that a crash leaves all or nothing. */
static int make_store_key(const char *path, char *reterr)
{
	struct entropy e = tls_entropy();
	uint8_t key[SEAL_KEY_LEN];
	char tmp[2048];
	int fd;
	bool ok;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return explain(reterr, path, "path too long", ERR_LIMIT);
	(void)unlink(tmp); /* left by a crash, or not there */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return explain_errno(reterr, tmp, "cannot make");
	entropy_fill(&e, key, sizeof(key));
	ok = write(fd, key, sizeof(key)) == (ssize_t)sizeof(key) &&
	     fsync(fd) == 0;
	secret_wipe(key, sizeof(key));
	ok = close(fd) == 0 && ok;
	/* link, not rename: a key that appeared meanwhile is not replaced. */
	if (!ok || link(tmp, path) < 0) {
		int err = explain_errno(reterr, path, "cannot write");

		(void)unlink(tmp);
		return err;
	}
	(void)unlink(tmp);
	log_info("keys: made a new key of the credential store path=%s", path);
	return 0;
}

int keys_load_store_key(struct keys *k, const char *path, char *reterr)
{
	uint8_t *buf;
	size_t len = 0;
	int err = 0;

	if (k->store_key.ptr)
		return explain(reterr, path, "already loaded", ERR_EXISTS);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		err = make_store_key(path, reterr);
	if (err)
		return err;
	buf = alloc_zero(FILE_MAX);
	if (!buf)
		return explain(reterr, path, "no memory", ERR_NOMEM);
	err = read_secret_file(path, buf, &len, reterr);
	if (!err && len != SEAL_KEY_LEN)
		err = explain(reterr, path, "not a key of 32 bytes", ERR_BAD);
	if (!err)
		err = secret_init(&k->store_key, slice_make(buf, len));
	secret_wipe(buf, FILE_MAX);
	(void)alloc_free(buf);
	return err;
}

/* What a credential is bound to: a blob of one user is nothing for another. */
static struct slice make_aad(struct slice user, struct slice realm,
			     uint8_t buf[AAD_MAX])
{
	struct writer w;

	writer_init(&w, buf, AAD_MAX);
	writer_str(&w, "sallyport credential");
	writer_blob(&w, user);
	writer_blob(&w, realm);
	return writer_slice(&w); /* empty when user and realm are too long */
}

static int do_seal(struct keys *k, const struct keys_request *q,
		   struct writer *ret)
{
	uint8_t plain[PLAIN_MAX];
	uint8_t aad[AAD_MAX];
	struct slice bound = make_aad(q->user, q->realm, aad);
	struct writer w;
	int err;

	if (!k->store_key.ptr)
		return ERR_STATE;
	if (bound.len == 0 || q->user.len == 0)
		return ERR_BAD;
	writer_init(&w, plain, sizeof(plain));
	writer_u8(&w, q->ha1_count);
	for (uint8_t i = 0; i < q->ha1_count; i++) {
		if (q->ha1[i].alg >= DIGEST_COUNT ||
		    q->ha1[i].hex.len !=
			    digest_hex_len((enum digest_alg)q->ha1[i].alg))
			writer_bytes(&w, NULL, sizeof(plain) + 1);
		writer_u8(&w, q->ha1[i].alg);
		writer_blob(&w, q->ha1[i].hex);
	}
	err = writer_ok(&w) ? seal_close(secret_slice(&k->store_key), bound,
					 writer_slice(&w), ret)
			    : ERR_BAD;
	secret_wipe(plain, sizeof(plain));
	return err;
}

/* The HA1 of alg in an opened credential, a view of plain. */
static int find_ha1(struct slice plain, uint8_t alg, struct slice *ret)
{
	struct reader r;
	uint8_t count;

	reader_init(&r, plain);
	count = reader_u8(&r);
	for (uint8_t i = 0; i < count && reader_ok(&r); i++) {
		uint8_t a = reader_u8(&r);
		struct slice hex = reader_blob(&r);

		if (reader_ok(&r) && a == alg) {
			*ret = hex;
			return 0;
		}
	}
	return reader_ok(&r) ? ERR_NOTFOUND : ERR_BAD;
}

static int do_check(struct keys *k, const struct keys_check *c)
{
	uint8_t plain[PLAIN_MAX];
	uint8_t aad[AAD_MAX];
	struct slice bound = make_aad(c->user, c->realm, aad);
	struct digest_fields f = {.alg = (enum digest_alg)c->alg,
				  .method = c->method,
				  .uri = c->uri,
				  .nonce = c->nonce,
				  .qop = c->qop,
				  .nc = c->nc,
				  .cnonce = c->cnonce};
	struct digest_hex want = {.len = 0};
	struct slice ha1;
	size_t len = 0;
	int err;

	if (!k->store_key.ptr)
		return ERR_STATE;
	if (bound.len == 0 || c->alg >= DIGEST_COUNT)
		return ERR_BAD;
	err = seal_open(secret_slice(&k->store_key), bound, c->blob, plain,
			sizeof(plain), &len);
	/* A wrong blob is our own trouble, not a wrong password. */
	if (err == ERR_AUTH)
		err = ERR_BAD;
	if (!err)
		err = find_ha1(slice_make(plain, len), c->alg, &ha1);
	if (!err)
		err = digest_response(ha1, &f, &want);
	if (!err && !digest_eq(&want, c->response))
		err = ERR_AUTH;
	secret_wipe(&want, sizeof(want));
	secret_wipe(plain, sizeof(plain));
	return err;
}

static int serve(struct keys *k, const struct keys_request *q,
		 struct writer *ret)
{
	const struct signer *s = keyring_signer(k->ring);

	switch ((enum keys_op)q->op) {
	case KEYS_OP_SIGN:
		return s->sign(s->ctx, q->key, q->alg, q->data, ret);
	case KEYS_OP_DECRYPT:
		return s->decrypt(s->ctx, q->key, q->data, ret);
	case KEYS_OP_PUBKEY:
		return keyring_pubkey(k->ring, q->key, ret);
	case KEYS_OP_SEAL:
		return do_seal(k, q, ret);
	case KEYS_OP_CHECK:
		return do_check(k, &q->check);
	case KEYS_OP_TICKET:
		writer_put(ret, secret_slice(&k->ticket_key));
		return 0;
	case KEYS_OP_COUNT:
		break;
	}
	return ERR_UNSUPPORTED;
}

void keys_serve(struct keys *k, uint32_t may, struct slice request,
		struct writer *w)
{
	struct keys_request q = {.op = 0};
	struct keys_answer a;
	uint8_t out[KEYS_ANSWER_MAX - 64];
	struct writer result;

	writer_init(&result, out, sizeof(out));
	if (keys_request_parse(request, &q, &a) != 0) {
		k->stats.requests[0]++;
		k->stats.refused++;
		keys_answer_print(&a, w);
		return;
	}
	k->stats.requests[q.op]++;
	a = (struct keys_answer){.number = q.number, .op = q.op};
	a.err = may & KEYS_MAY(q.op) ? serve(k, &q, &result) : ERR_DENIED;
	if (!a.err)
		a.data = writer_slice(&result);
	if (a.err == ERR_AUTH)
		k->stats.failed++;
	else if (a.err)
		k->stats.refused++;
	keys_answer_print(&a, w);
	secret_wipe(out, result.len);
}

/* The role: one channel to the monitor, one to each client. */
struct role {
	struct keys *keys;
	struct loop *loop;
	struct channel *control;
	struct list clients;
	uint32_t client_count;
	struct bucket log_bucket;
	int status;
};

struct client {
	struct list node;
	struct role *role;
	struct channel *ch;
	uint32_t may;
};

static void client_free(struct client *c)
{
	(void)channel_free(c->ch);
	list_del(&c->node);
	c->role->client_count--;
	(void)alloc_free(c);
}

static void log_refused(struct role *r, struct slice request,
			struct slice answer)
{
	struct keys_answer a;

	if (keys_answer_parse(answer, &a) != 0 || a.err == 0 ||
	    a.err == ERR_AUTH ||
	    !bucket_take(&r->log_bucket, loop_now_ms(r->loop)))
		return;
	log_warn("keys: request refused op=%u error=\"%s\" bytes=%zu", a.op,
		 err_str(a.err), request.len);
}

static void on_request(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct client *c = ctx;
	uint8_t out[KEYS_ANSWER_MAX];
	struct writer w;

	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]); /* clients have nothing to give us */
	writer_init(&w, out, sizeof(out));
	keys_serve(c->role->keys, c->may, bytes, &w);
	log_refused(c->role, bytes, writer_slice(&w));
	if (channel_send(c->ch, writer_slice(&w)) != 0)
		log_warn("keys: a client does not take its answers");
	secret_wipe(out, w.len);
}

static void on_client_down(void *ctx, const char *reason)
{
	(void)reason;
	client_free(ctx);
}

static int client_add(struct role *r, int fd, uint32_t may)
{
	struct client *c;
	struct channel_params p = {.loop = r->loop,
				   .fd = fd,
				   .message = on_request,
				   .down = on_client_down};
	int err;

	if (r->client_count >= CLIENTS_MAX)
		return ERR_LIMIT;
	c = alloc_zero(sizeof(*c));
	if (!c)
		return ERR_NOMEM;
	p.ctx = c;
	c->role = r;
	c->may = may;
	list_init(&c->node);
	err = channel_new(&p, &c->ch);
	if (err) {
		(void)alloc_free(c);
		return err;
	}
	list_append(&r->clients, &c->node);
	r->client_count++;
	return 0;
}

/* From the monitor: a worker's line, or 'M' and its own. */
static void on_control(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct role *r = ctx;
	uint32_t may = 0;
	uint32_t worker;

	if (dwire_adopt_read(bytes, &worker) == 0)
		may = KEYS_CLIENT_WORKER;
	else if (slice_eqs(bytes, "M"))
		may = KEYS_CLIENT_MONITOR;
	if (may != 0 && n == 1 && client_add(r, fds[0], may) == 0)
		return;
	log_error("keys: cannot add a client bytes=%zu fds=%zu", bytes.len, n);
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
}

static void on_control_down(void *ctx, const char *reason)
{
	struct role *r = ctx;

	(void)reason;
	loop_stop(r->loop);
}

static void on_term(void *arg)
{
	struct role *r = arg;

	loop_stop(r->loop);
}

static int load_all(struct keys *k, const struct keys_main_params *p)
{
	char why[KEYS_ERR_MAX] = "";

	for (size_t i = 0; i < p->file_count; i++) {
		if (keys_load(k, slice_str(p->files[i].name), p->files[i].path,
			      why) != 0) {
			log_error("keys: private key name=%s: %s",
				  p->files[i].name, why);
			return ERR_BAD;
		}
	}
	if (p->store_key && keys_load_store_key(k, p->store_key, why) != 0) {
		log_error("keys: key of the credential store: %s", why);
		return ERR_BAD;
	}
	return 0;
}

/* Everything that needs files or may fail, before the sandbox closes. */
static int set_up(struct role *r, const struct keys_main_params *p)
{
	struct channel_params cp = {.fd = p->control_fd,
				    .message = on_control,
				    .down = on_control_down,
				    .ctx = r};
	int err = tls_global_init();

	if (!err)
		err = keys_new(&r->keys);
	if (!err)
		err = load_all(r->keys, p);
	if (!err)
		err = loop_new(&r->loop);
	if (!err)
		err = loop_signal(r->loop, SIGTERM, on_term, r);
	cp.loop = r->loop;
	if (!err)
		err = channel_new(&cp, &r->control);
	if (!err)
		bucket_init(&r->log_bucket, LOG_RATE, LOG_BURST,
			    loop_now_ms(r->loop));
	return err;
}

static void tear_down(struct role *r)
{
	struct list *pos;
	struct list *tmp;

	list_for_each_safe(pos, tmp, &r->clients)
		client_free(LIST_ENTRY(pos, struct client, node));
	(void)channel_free(r->control);
	(void)loop_free(r->loop);
	(void)keys_free(r->keys);
}

int keys_main(const struct keys_main_params *p)
{
	struct role r = {.status = 1};
	char why[SANDBOX_ERR_MAX] = "";
	int err;

	list_init(&r.clients);
	err = set_up(&r, p);
	if (err) {
		log_error("keys: cannot start: %s", err_str(err));
	} else if (sandbox_enter(&p->sandbox, why) != 0) {
		log_error("keys: sandbox: %s", why);
	} else if (channel_send(r.control,
				slice_make("ready", strlen("ready"))) == 0) {
		r.status = loop_run(r.loop) == 0 ? 0 : 1;
	}
	tear_down(&r);
	return r.status;
}
