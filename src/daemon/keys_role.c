#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bucket.h"
#include "base/list.h"
#include "base/reader.h"
#include "base/secret.h"
#include "daemon/keyfile.h"
#include "daemon/keys.h"
#include "daemon/setup.h"
#include "daemon/wire.h"
#include "log/log.h"
#include "loop/loop.h"
#include "priv/channel.h"
#include "tls/random.h"

enum { LOG_RATE = 5, LOG_BURST = 20, CLIENTS_MAX = 256 };

/* The role: one channel to the monitor, one to each client. */
struct role {
	struct keys *keys;
	struct loop *loop;
	struct channel *control;
	struct list clients;
	uint32_t client_count;
	struct bucket log_bucket;
	char why[KEYS_ERR_MAX]; /* of the reload under way; "" = all is well */
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

/* ---- a reload -------------------------------------------------------------- */

static void answer_reload(struct role *r)
{
	const char *text = r->why[0] ? r->why : KEYS_RELOADED;

	if (r->why[0])
		log_error("keys: not reloaded: %s", r->why);
	else
		keys_commit(r->keys);
	if (channel_send(r->control, slice_str(text)) != 0)
		log_error("keys: the monitor does not take an answer");
	r->why[0] = '\0';
}

/* False when it is no message of a reload. The first error counts. */
static bool reload(struct role *r, struct slice bytes, const int *fds, size_t n)
{
	struct slice rest = slice_from(bytes, bytes.len > 0);
	char why[KEYS_ERR_MAX] = "";
	int err = 0;

	if (slice_eqs(bytes, KEYS_RELOAD_FILE) && n == 1)
		err = keys_load_fd(r->keys, fds[0], why);
	else if (slice_eqs(slice_sub(bytes, 0, 1), KEYS_RELOAD_TOKEN) && n == 0)
		err = keys_keep_token(r->keys, rest, why);
	else if (slice_eqs(bytes, KEYS_RELOAD_END) && n == 0)
		answer_reload(r);
	else if (slice_eqs(bytes, KEYS_RELOAD_ABORT) && n == 0)
		r->why[0] = '\0';
	else if (slice_eqs(bytes, KEYS_SETTLED) && n == 0)
		keys_settle(r->keys);
	else
		return false;
	if (err && !r->why[0])
		memcpy(r->why, why, sizeof(r->why));
	if (n == 1)
		(void)close(fds[0]);
	return true;
}

/* From the monitor: a worker's line, 'M' and its own, or a reload. */
static void on_control(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct role *r = ctx;
	uint32_t may = 0;
	uint32_t worker;

	if (setup_pong(r->control, bytes) || reload(r, bytes, fds, n))
		return;
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
		int err = keys_load(k, SLICE_NULL, p->files[i], why);

		/* Two certificates may share a key. */
		if (err && err != ERR_EXISTS) {
			log_error("keys: private key: %s", why);
			return ERR_BAD;
		}
	}
	keys_commit(k);
	keys_settle(k);
	if (p->store_key && keys_load_store_key(k, p->store_key, why) != 0) {
		log_error("keys: key of the credential store: %s", why);
		return ERR_BAD;
	}
	if (p->ticket_file && keys_load_tickets(k, p->ticket_file,
						p->ticket_period_s, why) != 0) {
		log_error("keys: keys of session tickets: %s", why);
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
	char boot[SETUP_BOOT_MAX];
	int err = tls_global_init();

	if (!err)
		err = keys_new(&r->keys);
	if (!err) {
		setup_boot(boot);
		keys_boot(r->keys, slice_str(boot));
		err = load_all(r->keys, p);
	}
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
	} else if (channel_send(r.control, slice_str(KEYS_READY)) == 0) {
		r.status = loop_run(r.loop) == 0 ? 0 : 1;
	}
	tear_down(&r);
	return r.status;
}
