#include "daemon/store.h"

#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/store_state.h"
#include "base/buf.h"
#include "daemon/setup.h"
#include "daemon/wire.h"
#include "log/log.h"
#include "loop/loop.h"
#include "priv/channel.h"
#include "store/state_wire.h"
#include "store/devices.h"
#include "store/store.h"
#include "store/wire.h"

struct role;

struct peer {
	struct role *role;
	struct channel *channel; /* NULL = free place */
	bool is_monitor;	 /* may write, and bring workers */
	uint32_t worker;	 /* else: whose it is */
};

struct role {
	struct loop *loop;
	struct store *store;
	struct store_state state;
	struct peer peer[ROLE_STORE_CHANNELS]; /* the monitor first */
	uint8_t out[STORE_WIRE_MAX];	       /* the answer being written */
	uint8_t items[STORE_WIRE_MAX - 64];    /* of a list being written */
};

static int add_peer(struct role *r, int fd, bool is_monitor, uint32_t worker);

/* ---- requests -------------------------------------------------------- */

static void send_reply(struct peer *p, const struct store_reply *reply)
{
	struct writer w;
	int err = ERR_SPACE;

	writer_init(&w, p->role->out, sizeof(p->role->out));
	store_reply_write(&w, reply);
	if (writer_ok(&w))
		err = channel_send(p->channel, writer_slice(&w));
	if (err)
		log_warn("answer not sent op=%d err=\"%s\"", (int)reply->op,
			 err_str(err));
}

/* The system's reasons belong into the log: the asker only sees a code. */
static int note(struct role *r, const char *what, int err)
{
	if (err == ERR_IO || err == ERR_SPACE || err == ERR_BAD)
		log_error("credentials or devices not %s: %s (%s)", what,
			  err_str(err), store_error(r->store));
	return err;
}

struct page {
	struct writer w;
	bool is_full;
};

static bool add_item(void *ctx, const struct store_credential *c)
{
	struct page *page = ctx;
	struct store_item item = {c->user, c->realm, c->created_s,
				  c->changed_s};

	/* Room for the header of the reply is kept free by the caller. */
	if (page->w.cap - page->w.len < 2 * STORE_NAME_MAX + 32) {
		page->is_full = true;
		return false;
	}
	store_item_write(&page->w, &item);
	return true;
}

static void answer_list(struct peer *p, const struct store_request *q)
{
	struct page page = {.is_full = false};
	struct store_reply reply = {.op = q->op, .id = q->id};

	writer_init(&page.w, p->role->items, sizeof(p->role->items));
	reply.status = note(
		p->role, "listed",
		store_list(p->role->store, q->user, q->realm, add_item, &page));
	reply.blob = writer_slice(&page.w);
	reply.is_last = !page.is_full;
	send_reply(p, &reply);
}

static bool add_device(void *ctx, struct slice name, struct slice text)
{
	struct page *page = ctx;
	struct store_change c = {
		.kind = STORE_CHANGE_PUT, .name = name, .text = text};

	if (page->w.cap - page->w.len < store_change_len(&c)) {
		page->is_full = true;
		return false;
	}
	store_change_write(&page->w, &c);
	return true;
}

static void answer_devices(struct peer *p, const struct store_request *q)
{
	struct page page = {.is_full = false};
	struct store_reply reply = {.op = q->op, .id = q->id};

	writer_init(&page.w, p->role->items, sizeof(p->role->items));
	reply.status = note(
		p->role, "listed",
		store_devices_list(p->role->store, q->user, add_device, &page));
	reply.blob = writer_slice(&page.w);
	reply.is_last = !page.is_full;
	send_reply(p, &reply);
}

/* fd: a memory file of changes. */
static void change_devices(struct peer *p, const struct store_request *q,
			   int fd)
{
	struct store_reply reply = {.op = q->op, .id = q->id, .is_last = true};
	struct buf changes = {.ptr = NULL};

	reply.status = setup_read_fd(fd, STORE_CHANGES_MAX, &changes);
	if (!reply.status)
		reply.status = note(p->role, "changed",
				    store_devices_change(p->role->store,
							 buf_slice(&changes),
							 loop_wall_s()));
	buf_done(&changes);
	send_reply(p, &reply);
}

static int put(struct role *r, const struct store_request *q)
{
	struct store_credential c = {.user = q->user,
				     .realm = q->realm,
				     .blob = q->blob,
				     .changed_s = loop_wall_s()};

	return note(r, "stored", store_put(r->store, &c));
}

static void answer(struct peer *p, const struct store_request *q)
{
	uint8_t blob[STORE_BLOB_MAX];
	struct store_reply reply = {.op = q->op, .id = q->id, .is_last = true};
	size_t len = 0;

	switch (q->op) {
	case STORE_OP_GET:
		reply.status = note(p->role, "read",
				    store_get(p->role->store, q->user, q->realm,
					      blob, &len));
		reply.blob = slice_make(blob, len);
		break;
	case STORE_OP_PUT:
		reply.status = p->is_monitor ? put(p->role, q) : ERR_DENIED;
		break;
	case STORE_OP_DEL:
		reply.status = p->is_monitor
				       ? note(p->role, "deleted",
					      store_delete(p->role->store,
							   q->user, q->realm))
				       : ERR_DENIED;
		break;
	case STORE_OP_LSC_PUT:
		reply.status = note(
			p->role, "changed",
			store_lsc_put(p->role->store, q->user, loop_wall_s()));
		break;
	case STORE_OP_LSC_GET:
		reply.status = note(p->role, "read",
				    store_lsc_get(p->role->store, q->user));
		break;
	case STORE_OP_LSC_DEL:
		reply.status =
			p->is_monitor
				? note(p->role, "changed",
				       store_lsc_del(p->role->store, q->user))
				: ERR_DENIED;
		break;
	case STORE_OP_LIST:
	case STORE_OP_DEVICES:
		if (p->is_monitor && q->op == STORE_OP_LIST) {
			answer_list(p, q);
			return;
		}
		if (p->is_monitor) {
			answer_devices(p, q);
			return;
		}
		reply.status = ERR_DENIED;
		break;
	case STORE_OP_DEVICES_CHANGE:
		reply.status = ERR_DENIED; /* it comes with a descriptor */
		break;
	}
	if (reply.status == ERR_DENIED)
		log_warn("a worker asked for op=%d, refused", (int)q->op);
	send_reply(p, &reply);
}

/* ---- channels -------------------------------------------------------- */

/* Descriptors come as workers' lines from the monitor, and not otherwise. */
static void adopt(struct peer *p, const uint32_t *worker, const int *fds,
		  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (worker && add_peer(p->role, fds[i], false, *worker) == 0)
			continue;
		log_warn("a descriptor was not taken");
		(void)close(fds[i]);
	}
}

static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct peer *p = ctx;
	uint32_t worker;
	bool is_link = p->is_monitor && n == 1 &&
		       dwire_adopt_read(bytes, &worker) == 0;
	struct store_request q;

	if (p->is_monitor && setup_pong(p->channel, bytes))
		return;
	if (p->is_monitor && n == 1 && store_request_read(bytes, &q) == 0 &&
	    q.op == STORE_OP_DEVICES_CHANGE) {
		change_devices(p, &q, fds[0]);
		(void)close(fds[0]);
		return;
	}
	adopt(p, is_link ? &worker : NULL, fds, n);
	if (is_link)
		return;
	if (state_wire_is(bytes) && !p->is_monitor)
		store_state_request(&p->role->state, p->channel, p->worker,
				    bytes);
	else if (store_request_read(bytes, &q))
		log_warn("unreadable request of %zu bytes dropped", bytes.len);
	else
		answer(p, &q);
}

static void on_down(void *ctx, const char *reason)
{
	struct peer *p = ctx;

	if (p->is_monitor)
		loop_stop(p->role->loop);
	else
		log_debug("channel of a worker closed: %s", reason);
	p->channel = channel_free(p->channel);
}

static int add_peer(struct role *r, int fd, bool is_monitor, uint32_t worker)
{
	struct channel_params params = {.loop = r->loop,
					.fd = fd,
					.message = on_message,
					.down = on_down};

	for (size_t i = is_monitor ? 0 : 1; i < ROLE_STORE_CHANNELS; i++) {
		struct peer *p = &r->peer[i];

		if (p->channel)
			continue;
		*p = (struct peer){
			.role = r, .is_monitor = is_monitor, .worker = worker};
		params.ctx = p;
		return channel_new(&params, &p->channel);
	}
	return ERR_LIMIT;
}

/* Who is gone has nothing more to say. */
static bool tell_workers(void *ctx, struct slice bytes)
{
	struct role *r = ctx;
	bool all = true;

	for (size_t i = 0; i < ROLE_STORE_CHANNELS; i++) {
		const struct peer *p = &r->peer[i];
		int err = p->channel && !p->is_monitor
				  ? channel_send(p->channel, bytes)
				  : 0;

		if (err && err != ERR_CLOSED)
			all = false;
	}
	return all;
}

/* Told to end: the database is closed in order, its log written back. */
static void on_term(void *arg)
{
	struct role *r = arg;

	loop_stop(r->loop);
}

static int start(struct role *r, const struct role_store_params *p)
{
	const struct store_state_cb cb = {.tell = tell_workers, .ctx = r};
	char message[STORE_MESSAGE_MAX];
	int err = store_open(p->path, &r->store, message);

	if (err) {
		log_error("credential database: %s", message);
		return err;
	}
	err = loop_new(&r->loop);
	if (!err)
		err = loop_signal(r->loop, SIGTERM, on_term, r);
	if (!err)
		err = store_state_open(&r->state, r->loop, &p->state, &cb);
	if (!err)
		err = add_peer(r, p->monitor_fd, true, 0);
	for (uint32_t i = 0; i < p->worker_count && !err; i++)
		err = add_peer(r, p->worker_fd[i], false, i);
	if (err)
		log_error("store process: %s", err_str(err));
	return err;
}

int role_store(const struct role_store_params *p)
{
	struct role *r = alloc_zero(sizeof(*r));
	int code = 1;

	/* A full file is an error of write(), not the end of the process. */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!r)
		return 1;
	if (start(r, p) == 0) {
		code = p->ready ? p->ready(p->ctx) : 0;
		if (code == 0)
			code = loop_run(r->loop) ? 1 : 0;
	}
	for (size_t i = 0; i < ROLE_STORE_CHANNELS; i++)
		r->peer[i].channel = channel_free(r->peer[i].channel);
	store_state_close(&r->state);
	store_close(r->store);
	loop_free(r->loop);
	alloc_free(r);
	return code;
}
