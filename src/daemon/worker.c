/*
 * The worker's role: a struct worker in its sandbox, and the monitor's
 * questions answered.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "control/command.h"
#include "daemon/queries.h"
#include "daemon/reports.h"
#include "daemon/roles.h"
#include "daemon/setup.h"
#include "daemon/wire.h"
#include "log/log.h"
#include "loop/loop.h"
#include "priv/channel.h"
#include "proxy/worker.h"
#include "tls/files.h"
#include "tls/random.h"

enum {
	USE_MS = 100 /* how often the monitor hears what we use */
};

_Static_assert((int)DWIRE_CALLS == (int)WORKER_CALLS &&
		       (int)DWIRE_REGISTRATIONS == (int)WORKER_REGISTRATIONS &&
		       (int)DWIRE_CONNECTIONS == (int)WORKER_CONNECTIONS &&
		       (int)DWIRE_TRANSACTIONS == (int)WORKER_TRANSACTIONS &&
		       (int)DWIRE_SUBSCRIPTIONS == (int)WORKER_SUBSCRIPTIONS,
	       "the same limits");

/* A lease of a limit. */
struct leased {
	uint32_t number; /* of the last LEASE; 0 = none came yet */
	uint32_t amount;
	uint32_t used; /* as last reported */
};

struct role {
	struct loop *loop;
	struct config *config;
	struct channel *monitor;
	struct worker *worker;
	struct queries *queries;
	uint32_t number; /* ours, from 0 */
	uint32_t count;	 /* of all workers */
	struct leased leased[DWIRE_LIMITS];
	struct loop_timer use_timer;
	uint32_t answering;	      /* number of the query being answered */
	uint8_t buf[CHANNEL_MSG_MAX]; /* a message on its way out */
};

static void send_msg(struct role *r, const struct dwire_msg *m)
{
	struct writer w;

	writer_init(&w, r->buf, sizeof(r->buf));
	dwire_write(&w, m);
	if (!writer_ok(&w) || channel_send(r->monitor, writer_slice(&w)) != 0)
		log_error("an answer to the monitor was lost");
}

static void emit_rows(void *ctx, struct slice text, bool is_last)
{
	struct role *r = ctx;
	struct dwire_msg m = {.op = DWIRE_ROWS,
			      .number = r->answering,
			      .is_last = is_last,
			      .text = text};

	send_msg(r, &m);
}

static void emit_query(void *ctx, uint32_t number, struct slice text,
		       bool is_last)
{
	struct role *r = ctx;

	r->answering = number;
	emit_rows(r, text, is_last);
}

static void on_arrived(void *ctx, struct slice bytes)
{
	struct role *r = ctx;

	send_msg(r, &(struct dwire_msg){.op = DWIRE_ARRIVED, .text = bytes});
}

static void on_stats(void *ctx, uint32_t number, const struct flow_stats *s,
		     uint32_t n)
{
	struct role *r = ctx;

	queries_stats(r->queries, number, s, n);
}

/* ---- the monitor's messages ---------------------------------------------- */

static void drop_call(struct role *r, struct slice which)
{
	uint64_t id = 0;
	uint32_t pos = 0;
	struct call_info info;
	bool is_known = false;

	if (text_dec(which, UINT64_MAX, &id) == 0)
		while (!is_known &&
		       calls_next(worker_calls(r->worker), &pos, &info))
			is_known = reports_call_id(r->worker, info.id) == id;
	if (is_known)
		worker_drop(r->worker, info.id);
	emit_rows(r, slice_str(is_known ? "[{\"dropped\":true}]" : "[]"), true);
}

/* which: a device, "*", or a line feed and a pool. */
static void reset_device(struct role *r, struct slice which,
			 enum phone_reset type)
{
	struct worker_phones of = {.device = which};
	bool is_any;

	if (slice_eqs(which, "*"))
		of.device = SLICE_NULL;
	else if (slice_starts(which, "\n"))
		of = (struct worker_phones){.pool = slice_from(which, 1)};
	is_any = worker_reset(r->worker, &of, type) > 0;
	emit_rows(r, slice_str(is_any ? "[{\"reset\":true}]" : "[]"), true);
}

static void reload_failed(struct role *r, const char *what, const char *why)
{
	json_t *rows = json_pack("[{s:s}]", "error", why);
	char *text = rows ? json_dumps(rows, JSON_COMPACT) : NULL;

	log_error("%s not taken up: %s", what, why);
	emit_rows(r, slice_str(text ? text : "[{\"error\":\"\"}]"), true);
	free(text);
	json_decref(rows);
}

/* What comes with another configuration. */
struct luggage {
	struct config *next;
	uint32_t joined;     /* listeners, the last of next */
	const int *sockets;  /* theirs */
	struct tls_files *f; /* NULL: there is none */
};

/* fds: the configuration, sockets of new listeners, and the files of TLS if
 * there are any; before: how many listeners there were. */
static int unpack(const struct role *r, struct slice before, const int *fds,
		  size_t n, struct luggage *l)
{
	uint64_t have = 0;
	int err = text_dec(before, CONFIG_LISTENERS_MAX, &have);

	if (!err)
		err = n > 0 ? setup_config_read(fds[0], &l->next) : ERR_BAD;
	if (err)
		return err;
	/* One that could not take up a reload lacks what came with it. */
	if (have != r->config->listener_count)
		return ERR_STATE;
	l->joined = l->next->listener_count - (uint32_t)have;
	if (l->next->listener_count < have || n < 1 + (size_t)l->joined)
		return ERR_BAD;
	l->sockets = fds + 1;
	return n > 1 + (size_t)l->joined
		       ? tls_files_load(fds[1 + l->joined], &l->f)
		       : 0;
}

static int take_up(struct role *r, const struct luggage *l,
		   struct worker_reload *ret, char *why)
{
	uint32_t have = r->config->listener_count;
	int err = worker_listen(r->worker, l->next, l->sockets, l->f, why);

	if (!err)
		err = worker_reload(r->worker, l->next, ret);
	if (err)
		worker_unlisten(r->worker, have);
	return err;
}

static void reload(struct role *r, struct slice before, const int *fds,
		   size_t n)
{
	struct luggage l = {.next = NULL};
	struct worker_reload done;
	char why[WORKER_ERR_MAX] = "";
	char text[128];
	int err = unpack(r, before, fds, n, &l);

	if (err == ERR_STATE)
		(void)snprintf(
			why, sizeof(why),
			"it lacks listeners of a reload before: it needs "
			"a restart");
	if (!err)
		err = take_up(r, &l, &done, why);
	if (err) {
		reload_failed(r, "configuration", why[0] ? why : err_str(err));
		config_unref(l.next);
		(void)tls_files_free(l.f);
		return;
	}
	config_unref(r->config);
	r->config = l.next;
	log_set_level((enum log_level)l.next->log_level);
	log_info("configuration taken up connections-closed=%u "
		 "registrations-ended=%u",
		 done.connections, done.registrations);
	if (l.f)
		err = worker_reload_tls(r->worker, l.f, why);
	(void)tls_files_free(l.f);
	if (err) {
		reload_failed(r, "certificates", why);
		return;
	}
	(void)snprintf(text, sizeof(text),
		       "[{\"connections-closed\":%u,"
		       "\"registrations-ended\":%u}]",
		       done.connections, done.registrations);
	emit_rows(r, slice_str(text), true);
}

static void on_query(struct role *r, const struct dwire_msg *m, const int *fds,
		     size_t n)
{
	r->answering = m->number;
	switch ((enum control_id)m->command) {
	case CONTROL_STATUS:
		reports_status(r->worker, emit_rows, r);
		break;
	case CONTROL_REGISTRATIONS:
	case CONTROL_CALLS:
		queries_add(r->queries, m->number,
			    m->command == CONTROL_CALLS ? QUERIES_CALLS
							: QUERIES_REGISTRATIONS,
			    m->text);
		break;
	case CONTROL_CALL:
		queries_add(r->queries, m->number, QUERIES_CALL, m->text);
		break;
	case CONTROL_CERTS:
		reports_certs(r->worker, (int64_t)loop_wall_s(), emit_rows, r);
		break;
	case CONTROL_TRUNKS:
		reports_trunks(r->worker, emit_rows, r);
		break;
	case CONTROL_STRANGERS:
		reports_strangers(r->worker, loop_now_ms(r->loop), emit_rows,
				  r);
		break;
	case CONTROL_DROP:
		drop_call(r, m->text);
		break;
	case CONTROL_DEVICE_RESET:
		reset_device(r, m->text, PHONE_RESET);
		break;
	case CONTROL_DEVICE_RESTART:
		reset_device(r, m->text, PHONE_RESTART);
		break;
	case CONTROL_RELOAD:
		reload(r, m->text, fds, n);
		break;
	case CONTROL_CHECK:
	case CONTROL_DEVICE_RESET_LSC:
	case CONTROL_DEVICE_IMPORT:
	case CONTROL_DEVICE_ADD:
	case CONTROL_DEVICE_DELETE:
	case CONTROL_DEVICE_SHOW:
	case CONTROL_DEVICE_EXPORT:
	case CONTROL_DEVICES:
	case CONTROL_LOG:
	case CONTROL_AUTHZ_TEST:
	case CONTROL_MEDIA:
	case CONTROL_MEDIA_UNLOAD:
	case CONTROL_MEDIA_LOAD:
	case CONTROL_IPSEC:
	case CONTROL_IPSEC_RULES:
	case CONTROL_IPSEC_INSTALL:
	case CONTROL_IPSEC_REMOVE:
	case CONTROL_REALM_ADD:
	case CONTROL_REALM_LIST:
	case CONTROL_REALM_DELETE:
	case CONTROL_USER_ADD:
	case CONTROL_USER_PASSWD:
	case CONTROL_USER_LIST:
	case CONTROL_USER_DELETE:
	case CONTROL_COMMANDS:
		emit_rows(r, slice_str("[]"), true);
		break;
	}
}

static void on_link(struct role *r, enum dwire_link link, int fd)
{
	int err = ERR_BAD;
	const char *name = "";

	switch (link) {
	case DWIRE_MEDIA:
		name = "media";
		err = worker_new_media(r->worker, fd);
		break;
	case DWIRE_STORE:
		name = "store";
		err = worker_new_store(r->worker, fd);
		break;
	case DWIRE_KEYS:
		name = "keys";
		err = worker_new_keys(r->worker, fd);
		break;
	}
	if (err)
		log_error("no line to the new %s process: %s", name,
			  err_str(err));
	else
		log_info("line to the new %s process is open", name);
}

/* ---- leases -------------------------------------------------------------- */

static void say_use(struct role *r, enum dwire_limit which)
{
	struct leased *l = &r->leased[which];
	struct dwire_msg m = {.op = DWIRE_USE, .limit = which};

	l->used = worker_used(r->worker, (enum worker_lease)which);
	m.number = l->number;
	m.amount = l->amount;
	m.used = l->used;
	send_msg(r, &m);
}

static void on_lease(struct role *r, const struct dwire_msg *m)
{
	struct leased *l = &r->leased[m->limit];

	l->number = m->number;
	l->amount =
		worker_lease(r->worker, (enum worker_lease)m->limit, m->amount);
	say_use(r, m->limit);
}

static void on_use_timer(void *arg)
{
	struct role *r = arg;

	for (int i = 0; i < DWIRE_LIMITS; i++)
		if (worker_used(r->worker, (enum worker_lease)i) !=
		    r->leased[i].used)
			say_use(r, (enum dwire_limit)i);
	if (loop_timer_set(r->loop, &r->use_timer,
			   loop_now_ms(r->loop) + USE_MS) != 0)
		log_fatal("no memory for a timer");
}

static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct role *r = ctx;
	struct dwire_msg m = {.op = DWIRE_READY};

	if (setup_pong(r->monitor, bytes))
		return;
	if (dwire_read(bytes, &m) != 0)
		log_error("unreadable message from the monitor");
	else if (m.op == DWIRE_QUERY)
		on_query(r, &m, fds, n);
	else if (m.op == DWIRE_LEASE)
		on_lease(r, &m);
	else if (m.op == DWIRE_ARRIVED)
		worker_arrived(r->worker, m.text);
	else if (m.op == DWIRE_SHIELD) {
		if (worker_shield_set(r->worker, m.text) != 0)
			log_error("unreadable news of IPsec");
	} else if (m.op == DWIRE_LINK && n == 1) {
		on_link(r, m.link, fds[0]);
		return; /* which owns it */
	}
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
}

static void on_down(void *ctx, const char *reason)
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

/* ---- start ---------------------------------------------------------------- */

static void open_monitor(struct role *r)
{
	struct channel_params p = {.loop = r->loop,
				   .fd = ROLE_FD_MONITOR,
				   .queue_max = 64 << 20,
				   .message = on_message,
				   .down = on_down,
				   .ctx = r};

	if (loop_new(&r->loop) != 0)
		log_fatal("event loop cannot be made");
	p.loop = r->loop;
	if (channel_new(&p, &r->monitor) != 0 ||
	    loop_signal(r->loop, SIGTERM, on_term, r) != 0)
		log_fatal("channel to the monitor cannot be served");
}

static void open_worker(struct role *r)
{
	char why[WORKER_ERR_MAX];
	struct tls_files *files = NULL;
	uint32_t core = r->config->core_count;
	uint32_t count = core + r->config->listener_count;
	int *fds = alloc_array(count, sizeof(*fds));
	struct worker_params p = {.loop = r->loop,
				  .config = r->config,
				  .number = (uint16_t)r->number,
				  .count = (uint16_t)r->count,
				  .restores = true,
				  .entropy = tls_entropy(),
				  .core_fd = fds,
				  .listener_fd = fds ? fds + core : NULL,
				  .media_fd = ROLE_FD_MEDIA,
				  .store_fd = ROLE_FD_STORE,
				  .keys_fd = ROLE_FD_KEYS,
				  .stats = on_stats,
				  .arrived = on_arrived,
				  .role_ctx = r};

	if (!fds)
		log_fatal("out of memory");
	for (uint32_t i = 0; i < count; i++)
		fds[i] = ROLE_FD_CORE + (int)i;
	if (tls_files_load(ROLE_FD_TLS, &files) != 0)
		log_fatal("no certificates came from the monitor");
	p.files = files;
	if (worker_new(&p, &r->worker, why) != 0)
		log_fatal("%s", why);
	(void)tls_files_free(files);
	(void)close(ROLE_FD_TLS);
	alloc_free(fds);
	r->queries = queries_new(r->loop, r->worker, emit_query, r);
	if (!r->queries)
		log_fatal("out of memory");
}

static void enter_sandbox(const struct config *c)
{
	char dir[ROLE_PATH_MAX];
	char why[SANDBOX_ERR_MAX];
	struct sandbox_params p;

	(void)snprintf(dir, sizeof(dir), "%s/empty", c->state_directory);
	p = setup_sandbox(c, SANDBOX_WORKER, dir);
	if (sandbox_enter(&p, why) != 0)
		log_fatal("sandbox: %s", why);
}

int role_worker(uint32_t number, uint32_t count)
{
	struct role *r = alloc_zero(sizeof(*r));
	struct dwire_msg ready = {.op = DWIRE_READY};
	char name[16];
	int err;

	if (!r)
		return 1;
	r->config = setup_config_from_fd(ROLE_FD_CONFIG);
	(void)snprintf(name, sizeof(name), "worker %u", number);
	setup_role(r->config, name, ROLE_FD_LOG);
	open_monitor(r);
	r->number = number;
	r->count = count;
	open_worker(r);
	enter_sandbox(r->config);
	loop_timer_init(&r->use_timer, on_use_timer, r);
	on_use_timer(r);
	send_msg(r, &ready);
	err = loop_run(r->loop);
	loop_timer_clear(r->loop, &r->use_timer);
	r->queries = queries_free(r->queries);
	r->worker = worker_free(r->worker);
	r->monitor = channel_free(r->monitor);
	loop_free(r->loop);
	config_unref(r->config);
	alloc_free(r);
	return err ? 1 : 0;
}
