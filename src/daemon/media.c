#include "daemon/media.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "control/command.h"
#include "daemon/backends.h"
#include "daemon/setup.h"
#include "daemon/wire.h"
#include "log/log.h"
#include "loop/loop.h"
#include "media/media.h"
#include "media/wire.h"
#include "priv/channel.h"

/* A worker we talk to. Its flows outlive it, this does not. */
struct worker {
	struct role *role;
	struct channel *channel; /* NULL = free place */
	uint32_t number;
};

struct role {
	struct loop *loop;
	struct media *media;
	struct backends backends;
	struct journal *journal;
	struct channel *monitor;
	struct loop_fd events;
	struct worker worker[MEDIA_CHANNELS_MAX];
};

static void worker_down(void *ctx, const char *reason)
{
	struct worker *w = ctx;

	log_info("worker's channel is gone worker=%u reason=\"%s\"", w->number,
		 reason);
	w->channel = channel_free(w->channel);
}

static void worker_send(struct worker *w, const struct writer *msg)
{
	int err = channel_send(w->channel, writer_slice(msg));

	/* The queue holds thousands: a worker that reads nothing is as good
	 * as dead, and gets no say in how much we remember for it. */
	if (err)
		worker_down(w, err_str(err));
}

static struct worker *worker_find(struct role *r, uint64_t number)
{
	for (int i = 0; i < MEDIA_CHANNELS_MAX; i++) {
		if (r->worker[i].channel && r->worker[i].number == number)
			return &r->worker[i];
	}
	return NULL;
}

static void send_events(struct role *r)
{
	struct media_event e;

	while (media_next_event(r->media, &e)) {
		struct worker *w = worker_find(r, e.owner);
		uint8_t buf[MEDIA_WIRE_MAX];
		struct writer msg;

		/* No worker now: its successor asks for counters itself. */
		if (!w)
			continue;
		writer_init(&msg, buf, sizeof(buf));
		media_wire_event(&msg, &e);
		worker_send(w, &msg);
		secret_wipe(buf, msg.len);
	}
	secret_wipe(&e, sizeof(e));
}

static void worker_message(void *ctx, struct slice bytes, const int *fds,
			   size_t n)
{
	struct worker *w = ctx;
	uint8_t buf[MEDIA_WIRE_MAX];
	struct writer answer;

	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	writer_init(&answer, buf, sizeof(buf));
	if (media_request_do(w->role->media, w->number, bytes, &answer)) {
		log_warn("malformed request worker=%u", w->number);
		worker_down(w, "malformed request");
		return;
	}
	worker_send(w, &answer);
	send_events(w->role);
}

/* Serve the channel fd of a worker; a channel that spoke for the same number
 * before belonged to its predecessor. Closes fd on error. */
static int worker_add(struct role *r, int fd, uint32_t number)
{
	struct worker *w = worker_find(r, number);
	int err = ERR_LIMIT;

	if (w)
		worker_down(w, "replaced");
	for (int i = 0; i < MEDIA_CHANNELS_MAX; i++) {
		struct channel_params p = {.loop = r->loop,
					   .fd = fd,
					   .message = worker_message,
					   .down = worker_down};

		w = &r->worker[i];
		if (w->channel)
			continue;
		*w = (struct worker){.role = r, .number = number};
		p.ctx = w;
		err = channel_new(&p, &w->channel);
		break;
	}
	if (err)
		(void)close(fd);
	return err;
}

/* ---- the monitor's questions ------------------------------------------ */

/* Rows as an answer to question number; 0: nobody asked. */
static void tell(struct role *r, uint32_t number, json_t *rows)
{
	struct dwire_msg msg = {
		.op = DWIRE_ROWS, .number = number, .is_last = true};
	char *text = rows ? json_dumps(rows, JSON_COMPACT) : NULL;
	uint8_t buf[2048];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	msg.text = slice_str(text ? text : "[]");
	dwire_write(&w, &msg);
	if (!writer_ok(&w) || channel_send(r->monitor, writer_slice(&w)) != 0)
		log_error("the monitor could not be told of the backends");
	free(text);
	json_decref(rows);
}

/* One row: how many flows have moved, or why not all. */
static json_t *unload(struct role *r, enum flow_backend which)
{
	uint32_t moved = 0;
	int err = media_unload(r->media, which, &moved);

	send_events(r);
	if (err)
		log_error("media backend cannot be unloaded backend=%s "
			  "moved=%u error=\"%s\"",
			  flow_backend_str(which), moved, err_str(err));
	else
		log_info("media backend is unloaded backend=%s moved=%u",
			 flow_backend_str(which), moved);
	return json_pack("[{s:I, s:s}]", "moved", (json_int_t)moved, "error",
			 err == ERR_STATE      ? "it is the only backend"
			 : err == ERR_NOTFOUND ? "it is not in use"
			 : err		       ? err_str(err)
					       : "");
}

/* The same of a backend that is there again. */
static json_t *load(struct role *r, enum flow_backend which)
{
	char why[MEDIA_WHY_MAX] = "";
	uint32_t moved = 0;
	int err = backends_load(&r->backends, r->media, which, &moved, why);

	send_events(r);
	if (err)
		log_error("media backend cannot be loaded backend=%s "
			  "reason=\"%s\"",
			  flow_backend_str(which), why);
	else
		log_info("media backend is loaded backend=%s moved=%u",
			 flow_backend_str(which), moved);
	return json_pack("[{s:I, s:s}]", "moved", (json_int_t)moved, "error",
			 why);
}

/* The text of an UNLOAD names the backend; behind a minus: its flows are gone
 * and so are its rules, end it. */
static void answer(struct role *r, const struct dwire_msg *q)
{
	enum flow_backend which;

	if (q->command == CONTROL_MEDIA)
		tell(r, q->number, backends_rows(&r->backends, r->media));
	else if (backends_find(q->text, &which) == 0)
		tell(r, q->number,
		     q->command == CONTROL_MEDIA_LOAD ? load(r, which)
						      : unload(r, which));
	else if (slice_starts(q->text, "-") &&
		 backends_find(slice_from(q->text, 1), &which) == 0)
		media_close(r->media, which);
}

static void monitor_message(void *ctx, struct slice bytes, const int *fds,
			    size_t n)
{
	struct role *r = ctx;
	struct dwire_msg q;
	uint32_t number;
	int err;

	if (setup_pong(r->monitor, bytes))
		return;
	if (n == 0 && dwire_read(bytes, &q) == 0 && q.op == DWIRE_QUERY) {
		answer(r, &q);
		return;
	}
	if (dwire_adopt_read(bytes, &number) != 0 || n != 1) {
		for (size_t i = 0; i < n; i++)
			(void)close(fds[i]);
		log_warn("malformed message from the monitor");
		return;
	}
	err = worker_add(r, fds[0], number);
	if (err)
		log_error("cannot serve worker=%u error=\"%s\"", number,
			  err_str(err));
}

static void monitor_down(void *ctx, const char *reason)
{
	struct role *r = ctx;

	(void)reason;
	loop_stop(r->loop);
}

static void events_ready(void *arg, uint32_t bits)
{
	(void)bits;
	send_events(arg);
}

/* Two sockets per flow: take all the descriptors we may have. */
static void raise_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) != 0)
		log_warn("cannot raise the limit of open files");
}

static int open_media(struct role *r, const struct role_media_params *p)
{
	struct backends_params bp = {
		.wanted = {FLOW_BACKEND_SOCKET},
		.wanted_count = p->backend_count ? p->backend_count : 1,
		.socket = {.threads = p->threads,
			   .max_flows = p->max_flows,
			   .dscp = p->dscp,
			   .journal = r->journal},
		.lease_s = p->lease_s,
		.queue_first = p->queue_first,
		.queues = p->queues};
	struct media_params mp = {.bind = p->bind,
				  .bind_count = p->bind_count,
				  .port_min = p->port_min,
				  .port_max = p->port_max};

	for (uint32_t i = 0; i < p->backend_count; i++)
		bp.wanted[i] = p->backend[i];
	return backends_open(&r->backends, &bp, &mp, &r->media);
}

static int open_all(struct role *r, const struct role_media_params *p)
{
	struct channel_params cp = {.fd = p->monitor_fd,
				    .message = monitor_message,
				    .down = monitor_down,
				    .ctx = r};
	int err = loop_new(&r->loop);

	/* The sandbox first: it wants to be entered by one thread, and what
	 * the relay opens from here on it must be able to open later too. */
	if (!err && p->enter)
		err = p->enter(p->ctx);
	/* Without it there are calls all the same, only no second life. */
	if (!err && p->journal_fd > 0 &&
	    journal_open(p->journal_fd, &r->journal) != 0)
		log_error("the journal of SRTP indices cannot be used: calls "
			  "will not survive the media process");
	if (!err)
		err = open_media(r, p);
	cp.loop = r->loop;
	if (!err)
		err = channel_new(&cp, &r->monitor);
	if (!err)
		tell(r, 0, backends_rows(&r->backends, r->media));
	for (uint32_t i = 0; !err && i < p->channel_count; i++)
		err = worker_add(r, p->channel[i].fd, p->channel[i].worker);
	if (!err)
		err = loop_fd_add(r->loop, &r->events, media_event_fd(r->media),
				  LOOP_READ, events_ready, r);
	return err;
}

static void close_all(struct role *r)
{
	for (int i = 0; i < MEDIA_CHANNELS_MAX; i++)
		channel_free(r->worker[i].channel);
	channel_free(r->monitor);
	if (r->loop)
		loop_fd_del(r->loop, &r->events);
	media_free(r->media);
	journal_close(r->journal);
	loop_free(r->loop);
}

int role_media(const struct role_media_params *p)
{
	struct role *r = alloc_zero(sizeof(*r));
	int err;

	if (!r)
		return ERR_NOMEM;
	r->events.fd = -1;
	raise_limits();
	err = open_all(r, p);
	if (!err)
		err = loop_run(r->loop);
	close_all(r);
	alloc_free(r);
	return err;
}
