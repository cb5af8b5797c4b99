#include "proxy/keep.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/secret.h"
#include "base/table.h"
#include "log/log.h"
#include "store/state.h"
#include "store/state_wire.h"
#include "tls/seal.h"

enum {
	AAD_MAX = 16 + STATE_KEY_MAX,
	AGAIN_MAX = 16 /* in front of a page: far more than there are */
};

_Static_assert((int)SAVE_KEY_MAX <= (int)STATE_KEY_MAX, "keys fit");
_Static_assert((int)SAVE_BYTES_MAX + (int)SEAL_OVERHEAD + 4 +
			       (int)KEYS_WRAPPED_MAX <=
		       (int)STATE_BLOB_MAX,
	       "sealed objects fit");

/* Something that is to be written. */
struct waiting {
	struct table_node node;
	struct list order; /* in keep.order */
	uint8_t key[SAVE_KEY_MAX];
	uint8_t *bytes; /* owned; NULL: it is to be forgotten */
	size_t len;
};

/* Everything is saved anew: then the store forgets the rest. */
enum round {
	ROUND_NONE,
	ROUND_MARK, /* before what waits */
	ROUND_SWEEP /* after it */
};

struct keep {
	struct loop *loop;
	struct keys_client *keys;
	struct channel *store;
	uint32_t worker;
	struct table waiting;
	struct list order;
	enum round round;
	struct loop_timer timer;
	uint8_t data_key[KEYS_WRAP_LEN];
	uint8_t wrapped[KEYS_WRAPPED_MAX];
	size_t wrapped_len;
	/* The last one that was opened: most are of one predecessor. */
	uint8_t old_key[KEYS_WRAP_LEN];
	uint8_t old_wrapped[KEYS_WRAPPED_MAX];
	size_t old_len;
	uint8_t blob[STATE_BLOB_MAX];
	uint8_t msg[STATE_WIRE_MAX];
};

static void on_timer(void *arg);

int keep_new(struct loop *loop, struct keys_client *keys, uint32_t worker,
	     uint32_t max, struct keep **ret)
{
	struct keep *k = alloc_zero(sizeof(*k));
	struct writer key;
	struct writer wrapped;
	int err;

	if (!k)
		return ERR_NOMEM;
	k->loop = loop;
	k->keys = keys;
	k->worker = worker;
	list_init(&k->order);
	loop_timer_init(&k->timer, on_timer, k);
	table_init(&k->waiting, max, worker);
	writer_init(&key, k->data_key, sizeof(k->data_key));
	writer_init(&wrapped, k->wrapped, sizeof(k->wrapped));
	err = keys_client_wrap(keys, &key, &wrapped);
	if (!err && !writer_ok(&wrapped))
		err = ERR_BAD;
	k->wrapped_len = wrapped.len;
	if (err) {
		(void)keep_free(k, NULL);
		return err;
	}
	*ret = k;
	return 0;
}

static void waiting_free(struct keep *k, struct waiting *w)
{
	table_del(&k->waiting, &w->node);
	list_del(&w->order);
	if (w->bytes)
		secret_wipe(w->bytes, w->len);
	alloc_free(w->bytes);
	alloc_free(w);
}

/* ---- out ----------------------------------------------------------------- */

/* Bound to worker and key: an object is nothing in another's place. */
static struct slice make_aad(const struct keep *k, struct slice key,
			     uint8_t buf[AAD_MAX])
{
	struct writer w;

	writer_init(&w, buf, AAD_MAX);
	writer_u32be(&w, k->worker);
	writer_put(&w, key);
	return writer_slice(&w);
}

/* The wrapped data key, then the object under it. */
static int seal(struct keep *k, struct slice key, struct slice bytes,
		struct slice *ret)
{
	uint8_t aad[AAD_MAX];
	struct writer w;
	int err;

	writer_init(&w, k->blob, sizeof(k->blob));
	writer_blob(&w, slice_make(k->wrapped, k->wrapped_len));
	err = seal_close(slice_make(k->data_key, sizeof(k->data_key)),
			 make_aad(k, key, aad), bytes, &w);
	*ret = writer_slice(&w);
	return err;
}

static int send_request(struct keep *k, const struct state_request *q)
{
	struct writer out;

	writer_init(&out, k->msg, sizeof(k->msg));
	state_request_write(&out, q);
	return writer_ok(&out) ? channel_send(k->store, writer_slice(&out))
			       : ERR_SPACE;
}

static int send_one(struct keep *k, const struct waiting *w)
{
	struct state_request q = {.op = STATE_OP_FORGET, .key = w->node.key};
	int err = 0;

	if (w->bytes) {
		q.op = STATE_OP_SAVE;
		err = seal(k, q.key, slice_make(w->bytes, w->len), &q.blob);
	}
	return err ? err : send_request(k, &q);
}

static bool has_work(const struct keep *k)
{
	return k->round != ROUND_NONE || !list_empty(&k->order);
}

/* Go from one step of the round, if it is there, to the next. False: the store
 * does not take it now. */
static bool send_round(struct keep *k, enum round at, enum state_op op,
		       enum round next)
{
	struct state_request q = {.op = op};

	if (!k->store || k->round != at)
		return true;
	if (send_request(k, &q) != 0)
		return false;
	k->round = next;
	return true;
}

/* What the store does not take now stays, and is tried again. */
static void flush(struct keep *k)
{
	if (!send_round(k, ROUND_MARK, STATE_OP_MARK, ROUND_SWEEP))
		return;
	while (k->store && !list_empty(&k->order)) {
		struct waiting *w =
			LIST_ENTRY(k->order.next, struct waiting, order);
		int err = send_one(k, w);

		if (err == ERR_LIMIT || err == ERR_CLOSED)
			return;
		if (err) {
			log_error("a call, registration or subscription is "
				  "not saved: %s",
				  err_str(err));
			k->round = ROUND_NONE;
		}
		waiting_free(k, w);
	}
}

static void arm(struct keep *k)
{
	if (loop_timer_set(k->loop, &k->timer,
			   loop_now_ms(k->loop) + KEEP_MS) != 0)
		flush(k);
}

static void on_timer(void *arg)
{
	struct keep *k = arg;

	flush(k);
	/* Here all that was to be saved anew has come to the queue. */
	if (list_empty(&k->order))
		(void)send_round(k, ROUND_SWEEP, STATE_OP_SWEEP, ROUND_NONE);
	if (k->store && has_work(k))
		arm(k);
}

static struct waiting *waiting_new(struct keep *k, struct slice key)
{
	struct waiting *w = alloc_zero(sizeof(*w));

	if (!w)
		return NULL;
	list_init(&w->order);
	memcpy(w->key, key.ptr, key.len);
	if (table_add(&k->waiting, &w->node, slice_make(w->key, key.len)) != 0)
		return alloc_free(w);
	return w;
}

void keep_action(struct keep *k, bool is_save, struct slice bytes)
{
	struct slice key;
	struct slice rest;
	struct waiting *w = NULL;
	uint8_t *copy = NULL;

	if (save_split(bytes, &key, &rest) == 0)
		w = TABLE_ENTRY(table_find(&k->waiting, key), struct waiting,
				node);
	else
		return;
	if (is_save && rest.len <= SAVE_BYTES_MAX)
		copy = (uint8_t *)alloc_copy(rest);
	if (!w)
		w = waiting_new(k, key);
	if (!w || (is_save && !copy)) {
		log_warn("a call, registration or subscription is not "
			 "saved: too long, or no memory");
		/* Its old state is better than none. */
		k->round = ROUND_NONE;
		alloc_free(copy);
		return;
	}
	if (w->bytes)
		secret_wipe(w->bytes, w->len);
	alloc_free(w->bytes);
	w->bytes = copy;
	w->len = rest.len;
	if (list_empty(&k->order))
		arm(k);
	if (list_empty(&w->order))
		list_append(&k->order, &w->order);
}

void keep_room(struct keep *k, uint32_t max)
{
	if (max > k->waiting.limit)
		k->waiting.limit = max;
}

void keep_set_store(struct keep *k, struct channel *store)
{
	k->store = store;
	if (store && has_work(k))
		arm(k);
}

void keep_anew(struct keep *k)
{
	k->round = ROUND_MARK;
	arm(k);
}

struct keep *keep_free(struct keep *k, struct channel *store)
{
	if (!k)
		return NULL;
	k->store = store;
	flush(k);
	loop_timer_clear(k->loop, &k->timer);
	while (!list_empty(&k->order))
		waiting_free(k,
			     LIST_ENTRY(k->order.next, struct waiting, order));
	table_done(&k->waiting);
	secret_wipe(k, sizeof(*k));
	return alloc_free(k);
}

/* ---- in ------------------------------------------------------------------ */

/* The data key of an object's writer, as k->old_key. */
static int unwrap(struct keep *k, struct slice wrapped)
{
	struct writer w;
	int err;

	if (k->old_len > 0 &&
	    slice_eq(wrapped, slice_make(k->old_wrapped, k->old_len)))
		return 0;
	k->old_len = 0;
	if (wrapped.len == 0 || wrapped.len > sizeof(k->old_wrapped))
		return ERR_BAD;
	writer_init(&w, k->old_key, sizeof(k->old_key));
	err = keys_client_unwrap(k->keys, wrapped, &w);
	if (!err && w.len != sizeof(k->old_key))
		err = ERR_BAD;
	if (err)
		return err;
	memcpy(k->old_wrapped, wrapped.ptr, wrapped.len);
	k->old_len = wrapped.len;
	return 0;
}

static int open_blob(struct keep *k, struct slice key, struct slice blob,
		     struct slice *ret)
{
	uint8_t aad[AAD_MAX];
	struct reader r;
	struct slice wrapped;
	size_t len = 0;
	int err;

	reader_init(&r, blob);
	wrapped = reader_blob(&r);
	if (!reader_ok(&r) || key.len > STATE_KEY_MAX)
		return ERR_BAD;
	err = unwrap(k, wrapped);
	if (!err)
		err = seal_open(slice_make(k->old_key, sizeof(k->old_key)),
				make_aad(k, key, aad),
				reader_bytes(&r, reader_left(&r)), k->blob,
				sizeof(k->blob), &len);
	*ret = slice_make(k->blob, len);
	return err;
}

static int send_now(struct keep *k, int fd, const struct state_request *q)
{
	uint8_t buf[STATE_KEY_MAX + 16];
	struct writer w;

	(void)k;
	writer_init(&w, buf, sizeof(buf));
	state_request_write(&w, q);
	if (!writer_ok(&w))
		return ERR_SPACE;
	/* The socket is fresh and takes a request or two. */
	return send(fd, w.buf, w.len, MSG_NOSIGNAL) < 0 ? ERR_CLOSED : 0;
}

static int receive(struct keep *k, int fd, struct slice *ret)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;
	int rc;

	do
		rc = poll(&p, 1, KEEP_FETCH_MS);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return ERR_TIMEOUT;
	n = recv(fd, k->msg, sizeof(k->msg), 0);
	if (n <= 0)
		return ERR_CLOSED;
	*ret = slice_make(k->msg, (size_t)n);
	return 0;
}

/* Whoever is beginning has told the store nothing that could be lost. */
static int receive_page(struct keep *k, int fd, struct slice *ret)
{
	for (int i = 0; i < AGAIN_MAX; i++) {
		int err = receive(k, fd, ret);

		if (err || !state_again_is(*ret))
			return err;
	}
	return ERR_BAD;
}

struct fetch {
	bool (*fn)(void *ctx, struct slice key, struct slice bytes);
	void *ctx;
	uint8_t last[STATE_KEY_MAX]; /* key of the page's last entry */
	size_t last_len;
	bool is_last; /* no page follows */
};

static void forget_later(struct keep *k, struct slice key)
{
	uint8_t buf[STATE_KEY_MAX + 1];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_u8(&w, (uint8_t)key.len);
	writer_put(&w, key);
	keep_action(k, false, writer_slice(&w));
}

static int take_page(struct keep *k, struct fetch *f, struct slice page)
{
	struct reader r;
	struct slice key;
	struct slice blob;
	bool is_empty = true;

	if (state_page_read(page, &f->is_last, &r) != 0)
		return ERR_BAD;
	while (state_page_next(&r, &key, &blob)) {
		struct slice bytes;
		int err;

		is_empty = false;
		err = open_blob(k, key, blob, &bytes);

		if (key.len > STATE_KEY_MAX)
			return ERR_BAD;
		memcpy(f->last, key.ptr, key.len);
		f->last_len = key.len;
		if (err)
			log_warn("a saved call, registration or subscription "
				 "cannot be opened: %s",
				 err_str(err));
		if (err || !f->fn(f->ctx, key, bytes))
			forget_later(k, key);
		if (!err)
			secret_wipe(k->blob, bytes.len);
	}
	if (!reader_end(&r))
		return ERR_BAD;
	return is_empty && !f->is_last ? ERR_IO : 0;
}

int keep_fetch(struct keep *k, int store_fd,
	       bool (*fn)(void *ctx, struct slice key, struct slice bytes),
	       void *ctx)
{
	struct fetch f = {.fn = fn, .ctx = ctx};
	int err = 0;

	while (!err && !f.is_last) {
		struct state_request q = {
			.op = STATE_OP_RESTORE,
			.key = slice_make(f.last, f.last_len)};
		struct slice page;

		err = send_now(k, store_fd, &q);
		if (!err)
			err = receive_page(k, store_fd, &page);
		if (!err)
			err = take_page(k, &f, page);
	}
	secret_wipe(k->old_key, sizeof(k->old_key));
	k->old_len = 0;
	return err;
}
