#include "priv/keys_client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/secret.h"
#include "log/log.h"

enum {
	TIMEOUT_MS = 2000,
	PENDING_MAX = 1024,
	STALL_MS = 1000 /* pause after a blocking request timed out */
};

/* An asynchronous request; answers come in the order of requests. */
struct pending {
	struct list node; /* client.waiting or client.answered */
	uint32_t number;
	uint64_t cookie;
	uint64_t at_ms; /* deadline */
	int err;	/* once answered */
	uint8_t *data;	/* the same; owned, may be NULL */
	size_t data_len;
};

struct keys_client {
	struct keys_client_params p;
	struct signer signer;
	int fd; /* -1 = the keys process is gone */
	struct loop_fd w;
	struct loop_work work; /* delivers answers, and the end */
	struct loop_timer timer;
	struct list waiting;
	struct list answered;
	uint32_t pending_count;
	uint32_t number; /* of the last request */
	bool is_down_due;
	uint64_t stalled_until_ms;   /* of clock_ms: do not wait before */
	uint8_t out[KEYS_MSG_MAX];   /* request; wiped after use */
	uint8_t in[KEYS_ANSWER_MAX]; /* answer; wiped after use */
};

static void on_readable(void *arg, uint32_t events);
static void on_work(void *arg);
static void on_timer(void *arg);
static int sign(void *ctx, struct slice key_id, int alg, struct slice hash,
		struct writer *ret_sig);
static int decrypt(void *ctx, struct slice key_id, struct slice data,
		   struct writer *ret_plain);

static uint64_t clock_ms(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail on Linux */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int watch(struct keys_client *c, int fd)
{
	int err = 0;

	if (c->p.loop)
		err = loop_fd_add(c->p.loop, &c->w, fd, LOOP_READ, on_readable,
				  c);
	if (!err)
		c->fd = fd;
	return err;
}

int keys_client_new(const struct keys_client_params *p,
		    struct keys_client **ret)
{
	struct keys_client *c = alloc_zero(sizeof(*c));
	int err;

	if (!c)
		return ERR_NOMEM;
	c->p = *p;
	if (c->p.timeout_ms == 0)
		c->p.timeout_ms = TIMEOUT_MS;
	if (c->p.pending_max == 0)
		c->p.pending_max = PENDING_MAX;
	c->signer = (struct signer){.sign = sign, .decrypt = decrypt, .ctx = c};
	c->w.fd = -1;
	list_init(&c->waiting);
	list_init(&c->answered);
	loop_work_init(&c->work, on_work, c);
	loop_timer_init(&c->timer, on_timer, c);
	err = watch(c, p->fd);
	if (err) {
		(void)alloc_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

static void drop_list(struct list *l)
{
	while (!list_empty(l)) {
		struct pending *p = LIST_ENTRY(l->next, struct pending, node);

		list_del(&p->node);
		(void)alloc_free(p->data);
		(void)alloc_free(p);
	}
}

struct keys_client *keys_client_free(struct keys_client *c)
{
	if (!c)
		return NULL;
	if (c->p.loop) {
		loop_fd_del(c->p.loop, &c->w);
		loop_timer_clear(c->p.loop, &c->timer);
	}
	loop_work_del(&c->work);
	if (c->fd >= 0)
		(void)close(c->fd);
	drop_list(&c->waiting);
	drop_list(&c->answered);
	secret_wipe(c->in, sizeof(c->in));
	secret_wipe(c->out, sizeof(c->out));
	return alloc_free(c);
}

/* p has its result; the caller hears of it from the loop. */
static void answered(struct keys_client *c, struct pending *p, int err)
{
	list_del(&p->node);
	p->err = err;
	list_append(&c->answered, &p->node);
	loop_work_add(c->p.loop, &c->work);
}

static void go_down(struct keys_client *c)
{
	if (c->fd < 0)
		return;
	if (c->p.loop)
		loop_fd_del(c->p.loop, &c->w);
	(void)close(c->fd);
	c->fd = -1;
	while (!list_empty(&c->waiting))
		answered(c, LIST_ENTRY(c->waiting.next, struct pending, node),
			 ERR_CLOSED);
	if (c->p.loop && c->p.down) {
		c->is_down_due = true;
		loop_work_add(c->p.loop, &c->work);
	}
}

int keys_client_reconnect(struct keys_client *c, int fd)
{
	go_down(c);
	c->is_down_due = false;
	return watch(c, fd);
}

const struct signer *keys_client_signer(struct keys_client *c)
{
	return &c->signer;
}

static void on_work(void *arg)
{
	struct keys_client *c = arg;

	while (!list_empty(&c->answered)) {
		struct pending *p =
			LIST_ENTRY(c->answered.next, struct pending, node);
		uint64_t cookie = p->cookie;
		int err = p->err;
		uint8_t *data = p->data;
		size_t len = p->data_len;

		list_del(&p->node);
		(void)alloc_free(p);
		c->pending_count--;
		c->p.answer(c->p.ctx, cookie, err, slice_make(data, len));
		(void)alloc_free(data);
	}
	if (c->is_down_due) {
		c->is_down_due = false;
		c->p.down(c->p.ctx);
	}
}

/* The oldest request has the earliest deadline. */
static void arm(struct keys_client *c)
{
	struct pending *p;

	if (list_empty(&c->waiting)) {
		loop_timer_clear(c->p.loop, &c->timer);
		return;
	}
	p = LIST_ENTRY(c->waiting.next, struct pending, node);
	if (loop_timer_set(c->p.loop, &c->timer, p->at_ms) != 0)
		answered(c, p, ERR_NOMEM);
}

static void on_timer(void *arg)
{
	struct keys_client *c = arg;

	while (!list_empty(&c->waiting)) {
		struct pending *p =
			LIST_ENTRY(c->waiting.next, struct pending, node);

		if (p->at_ms > loop_now_ms(c->p.loop))
			break;
		answered(c, p, ERR_TIMEOUT);
	}
	arm(c);
}

/* One answer into *ret, which views c->in. ERR_AGAIN, ERR_CLOSED. */
static int receive(struct keys_client *c, struct keys_answer *ret)
{
	ssize_t n;

	if (c->fd < 0)
		return ERR_CLOSED;
	do
		n = recv(c->fd, c->in, sizeof(c->in), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return ERR_AGAIN;
	if (n <= 0 ||
	    keys_answer_parse(slice_make(c->in, (size_t)n), ret) != 0) {
		log_error("keys: the keys process %s",
			  n > 0 ? "answers nonsense" : "is gone");
		go_down(c);
		return ERR_CLOSED;
	}
	c->stalled_until_ms = 0;
	return 0;
}

/* What comes with the answer, for later. Its error, or ours. */
static int keep_data(struct pending *p, const struct keys_answer *a)
{
	if (a->err || a->data.len == 0)
		return a->err;
	p->data = alloc_copy(a->data);
	p->data_len = p->data ? a->data.len : 0;
	return p->data ? 0 : ERR_NOMEM;
}

static void match(struct keys_client *c, const struct keys_answer *a)
{
	struct list *pos;

	/* Answers to requests that have timed out find nobody. */
	list_for_each(pos, &c->waiting) {
		struct pending *p = LIST_ENTRY(pos, struct pending, node);

		if (p->number == a->number) {
			answered(c, p, keep_data(p, a));
			return;
		}
	}
}

static void on_readable(void *arg, uint32_t events)
{
	struct keys_client *c = arg;
	struct keys_answer a;

	(void)events;
	while (receive(c, &a) == 0)
		match(c, &a);
	arm(c);
}

static int wait_for(int fd, short events, uint64_t until_ms)
{
	uint64_t now = clock_ms();
	struct pollfd pfd = {.fd = fd, .events = events};

	if (now >= until_ms)
		return ERR_TIMEOUT;
	/* EINTR, error and readiness alike: the caller looks again. */
	(void)poll(&pfd, 1, (int)(until_ms - now));
	return 0;
}

/* Send q under a new number; waits for room only when until_ms > 0. */
static int transmit(struct keys_client *c, struct keys_request *q,
		    uint64_t until_ms)
{
	struct writer w;
	int err = ERR_CLOSED;

	if (c->fd < 0)
		return ERR_CLOSED;
	q->number = ++c->number;
	writer_init(&w, c->out, sizeof(c->out));
	keys_request_print(q, &w);
	if (!writer_ok(&w))
		return ERR_LIMIT;
	for (;;) {
		if (send(c->fd, c->out, w.len, MSG_DONTWAIT | MSG_NOSIGNAL) >=
		    0) {
			err = 0;
			break;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != ENOBUFS) {
			go_down(c);
			break;
		}
		err = until_ms > 0 ? wait_for(c->fd, POLLOUT, until_ms)
				   : ERR_LIMIT;
		if (err)
			break;
	}
	secret_wipe(c->out, w.len);
	return err;
}

/* Send q and wait for its answer; the result is appended to *ret. */
static int call(struct keys_client *c, struct keys_request *q,
		struct writer *ret)
{
	uint64_t until = clock_ms() + c->p.timeout_ms;
	struct keys_answer a;
	int err;

	/* The keys process hangs: one caller has waited, the next ones would
	 * only stop the loop again and again. */
	if (clock_ms() < c->stalled_until_ms)
		return ERR_TIMEOUT;
	err = transmit(c, q, until);

	while (!err) {
		err = receive(c, &a);
		if (err == ERR_AGAIN) {
			err = wait_for(c->fd, POLLIN, until);
			continue;
		}
		if (err)
			break;
		if (a.number != q->number) {
			match(c, &a);
			continue;
		}
		err = a.err;
		if (!err)
			writer_put(ret, a.data);
		break;
	}
	secret_wipe(c->in, sizeof(c->in));
	if (err == ERR_TIMEOUT && clock_ms() >= until)
		c->stalled_until_ms = clock_ms() + STALL_MS;
	if (!err && !writer_ok(ret))
		err = ERR_SPACE;
	return err;
}

static int sign(void *ctx, struct slice key_id, int alg, struct slice hash,
		struct writer *ret_sig)
{
	struct keys_request q = {.op = KEYS_OP_SIGN,
				 .key = key_id,
				 .alg = (uint16_t)alg,
				 .data = hash};

	return call(ctx, &q, ret_sig);
}

static int decrypt(void *ctx, struct slice key_id, struct slice data,
		   struct writer *ret_plain)
{
	struct keys_request q = {
		.op = KEYS_OP_DECRYPT, .key = key_id, .data = data};

	return call(ctx, &q, ret_plain);
}

int keys_client_pubkey(struct keys_client *c, struct slice key,
		       struct writer *ret_der)
{
	struct keys_request q = {.op = KEYS_OP_PUBKEY, .key = key};

	return call(c, &q, ret_der);
}

int keys_client_ticket(struct keys_client *c, struct writer *ret_key)
{
	struct keys_request q = {.op = KEYS_OP_TICKET};

	return call(c, &q, ret_key);
}

int keys_client_nonce(struct keys_client *c, struct writer *ret_key)
{
	struct keys_request q = {.op = KEYS_OP_NONCE};

	return call(c, &q, ret_key);
}

int keys_client_wrap(struct keys_client *c, struct writer *ret_key,
		     struct writer *ret_wrapped)
{
	struct keys_request q = {.op = KEYS_OP_WRAP};
	uint8_t both[KEYS_WRAP_LEN + KEYS_WRAPPED_MAX];
	struct writer w;
	struct slice s;
	int err;

	writer_init(&w, both, sizeof(both));
	err = call(c, &q, &w);
	s = writer_slice(&w);
	if (!err && s.len <= KEYS_WRAP_LEN)
		err = ERR_BAD;
	if (!err) {
		writer_put(ret_key, slice_sub(s, 0, KEYS_WRAP_LEN));
		writer_put(ret_wrapped, slice_from(s, KEYS_WRAP_LEN));
	}
	secret_wipe(both, sizeof(both));
	return err;
}

int keys_client_unwrap(struct keys_client *c, struct slice wrapped,
		       struct writer *ret_key)
{
	struct keys_request q = {.op = KEYS_OP_UNWRAP, .data = wrapped};

	return call(c, &q, ret_key);
}

int keys_client_seal(struct keys_client *c, struct keys_request *seal,
		     struct writer *ret_blob)
{
	seal->op = KEYS_OP_SEAL;
	return call(c, seal, ret_blob);
}

int keys_client_seal_realm(struct keys_client *c, struct keys_request *seal,
			   struct writer *ret_blob)
{
	seal->op = KEYS_OP_SEAL_REALM;
	return call(c, seal, ret_blob);
}

static int ask(struct keys_client *c, enum keys_op op,
	       const struct keys_check *q, uint64_t cookie)
{
	struct keys_request r = {.op = (uint8_t)op, .check = *q};
	struct pending *p;
	int err;

	if (c->pending_count >= c->p.pending_max)
		return ERR_LIMIT;
	p = alloc_zero(sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	list_init(&p->node);
	err = transmit(c, &r, 0);
	if (err) {
		(void)alloc_free(p);
		return err;
	}
	p->number = r.number;
	p->cookie = cookie;
	p->at_ms = loop_now_ms(c->p.loop) + c->p.timeout_ms;
	list_append(&c->waiting, &p->node);
	c->pending_count++;
	arm(c);
	return 0;
}

int keys_client_check(struct keys_client *c, const struct keys_check *q,
		      uint64_t cookie)
{
	return ask(c, KEYS_OP_CHECK, q, cookie);
}

int keys_client_answer(struct keys_client *c, const struct keys_check *q,
		       uint64_t cookie)
{
	return ask(c, KEYS_OP_ANSWER, q, cookie);
}
