/*
 * The operator's commands: the monitor asks the workers for rows, joins them,
 * and answers by token.
 */
#include <config.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keys.h"
#include "daemon/monitor.h"
#include "log/log.h"

/* ---- commands under way ---------------------------------------------------- */

struct monitor_asked *monitor_ctl_asked(struct monitor *m, uint64_t token,
					enum control_id command)
{
	for (size_t i = 0; i < MONITOR_ASKED_MAX; i++) {
		struct monitor_asked *a = &m->asked[i];

		if (a->token == 0) {
			*a = (struct monitor_asked){
				.token = token,
				.number = ++m->next_number,
				.command = command,
			};
			return a;
		}
	}
	control_fail(m->control, token, "too many commands at once");
	return NULL;
}

struct monitor_asked *monitor_ctl_find(struct monitor *m, uint32_t number)
{
	for (size_t i = 0; i < MONITOR_ASKED_MAX; i++)
		if (m->asked[i].token != 0 && m->asked[i].number == number)
			return &m->asked[i];
	return NULL;
}

static void asked_end(struct monitor_asked *a)
{
	a->token = 0;
	json_decref(a->sum);
	a->sum = NULL;
	a->devices = devset_free(a->devices);
}

void monitor_ctl_fail(struct monitor *m, struct monitor_asked *a,
		      const char *text)
{
	uint64_t token = a->token;

	asked_end(a);
	control_fail(m->control, token, "%s", text);
}

bool monitor_ctl_edits(const struct monitor *m)
{
	for (size_t i = 0; i < MONITOR_ASKED_MAX; i++)
		if (m->asked[i].token != 0 && m->asked[i].devices)
			return true;
	return false;
}

static bool is_for_store(enum control_id command)
{
	return control_command[command].who == CONTROL_BY_STORE;
}

static bool is_for_one(enum control_id command)
{
	return control_command[command].who == CONTROL_BY_ONE;
}

/* ---- commands the worker answers --------------------------------------------- */

static void worker_done(struct monitor *m, struct monitor_asked *a,
			uint32_t number, struct slice rows);
static void workers_done(struct monitor *m, struct monitor_asked *a);

/* What goes along with a reload. */
struct luggage {
	int tls_fd;	 /* files of TLS; -1: none */
	uint32_t joined; /* listeners, the last of the configuration */
};

static size_t pack_luggage(const struct monitor *m, uint32_t worker,
			   const struct luggage *l, int fds[CHANNEL_FDS_MAX])
{
	size_t n = 0;

	if (!l)
		return 0;
	fds[n++] = m->config_fd;
	for (uint32_t i = l->joined; i > 0; i--)
		fds[n++] = m->fd[(worker + 1) * m->sockets - i];
	if (l->tls_fd >= 0)
		fds[n++] = l->tls_fd;
	return n;
}

/* To all workers that run; l may be NULL. */
static void broadcast(struct monitor *m, struct monitor_asked *a,
		      const char *arg, const struct luggage *l)
{
	int fds[CHANNEL_FDS_MAX];
	struct dwire_msg msg = {.op = DWIRE_QUERY,
				.number = a->number,
				.command = (uint8_t)a->command,
				.text = slice_str(arg)};
	struct writer w;

	writer_init(&w, m->out, sizeof(m->out));
	dwire_write(&w, &msg);
	for (uint32_t i = 0; writer_ok(&w) && i < m->workers; i++) {
		struct monitor_child *worker = monitor_worker(m, i);

		if (a->waiting != 0 && is_for_one(a->command))
			break;
		if (worker->channel &&
		    channel_send_fds(worker->channel, writer_slice(&w), fds,
				     pack_luggage(m, i, l, fds)) == 0)
			a->waiting |= (uint64_t)1 << i;
	}
}

/* Ask all workers; who is not running has nothing to say. */
static void ask_workers(struct monitor *m, uint64_t token,
			enum control_id command, const char *arg)
{
	struct monitor_asked *a = monitor_ctl_asked(m, token, command);

	if (!a)
		return;
	broadcast(m, a, arg, NULL);
	if (a->waiting == 0)
		monitor_ctl_fail(m, a, "no worker is running");
}

void monitor_ctl_lost(struct monitor *m, const struct monitor_child *child)
{
	for (size_t i = 0; i < MONITOR_ASKED_MAX; i++) {
		struct monitor_asked *a = &m->asked[i];

		if (a->token == 0)
			continue;
		/* Was it made or not? The store will tell. */
		if (child->kind == MONITOR_STORE && a->devices)
			m->devices = devset_free(m->devices);
		if ((child->kind == MONITOR_STORE &&
		     is_for_store(a->command)) ||
		    (child->kind == MONITOR_MEDIA &&
		     (a->command == CONTROL_MEDIA ||
		      a->command == CONTROL_MEDIA_UNLOAD ||
		      a->command == CONTROL_MEDIA_LOAD)))
			monitor_ctl_fail(
				m, a, "the process that had to answer ended");
		else if (child->kind == MONITOR_WORKER &&
			 a->waiting & (uint64_t)1 << child->number)
			worker_done(m, a, child->number, slice_str("[]"));
	}
	if (child->kind == MONITOR_STORE)
		monitor_devices_lost(m);
}

/* The filters as the workers get them: device, line feed, line. */
static void ask_filtered(struct monitor *m, uint64_t token,
			 enum control_id command, const json_t *args)
{
	const char *device = control_arg_get(args, "device");
	const char *line = control_arg_get(args, "line");
	char text[2 * CONFIG_NAME_MAX + 2];

	(void)snprintf(text, sizeof(text), "%s\n%s", device ? device : "",
		       line ? line : "");
	ask_workers(m, token, command, text);
}

static void on_registrations(void *ctx, uint64_t token, const json_t *args)
{
	ask_filtered(ctx, token, CONTROL_REGISTRATIONS, args);
}

static void on_certs(void *ctx, uint64_t token, const json_t *args)
{
	(void)args;
	ask_workers(ctx, token, CONTROL_CERTS, "");
}

static void on_trunks(void *ctx, uint64_t token, const json_t *args)
{
	(void)args;
	ask_workers(ctx, token, CONTROL_TRUNKS, "");
}

static void on_strangers(void *ctx, uint64_t token, const json_t *args)
{
	(void)args;
	ask_workers(ctx, token, CONTROL_STRANGERS, "");
}

static void on_calls(void *ctx, uint64_t token, const json_t *args)
{
	ask_filtered(ctx, token, CONTROL_CALLS, args);
}

static void on_call(void *ctx, uint64_t token, const json_t *args)
{
	const char *call = control_arg_get(args, "call");

	ask_workers(ctx, token, CONTROL_CALL, call ? call : "");
}

static void on_drop(void *ctx, uint64_t token, const json_t *args)
{
	const char *call = control_arg_get(args, "call");

	ask_workers(ctx, token, CONTROL_DROP, call ? call : "");
}

static void reset_device(struct monitor *m, uint64_t token,
			 enum control_id command, const json_t *args)
{
	const char *name = control_arg_get(args, "name");
	const char *pool = control_arg_get(args, "pool");
	char text[CONFIG_NAME_MAX + 2];

	if (!name == !pool) {
		control_fail(m->control, token,
			     "give the name of a device or a pool");
		return;
	}
	/* No name begins with a line feed. */
	(void)snprintf(text, sizeof(text), "%s%s", pool ? "\n" : "",
		       pool ? pool : name);
	ask_workers(m, token, command, text);
}

static void on_device_reset(void *ctx, uint64_t token, const json_t *args)
{
	reset_device(ctx, token, CONTROL_DEVICE_RESET, args);
}

static void on_device_restart(void *ctx, uint64_t token, const json_t *args)
{
	reset_device(ctx, token, CONTROL_DEVICE_RESTART, args);
}

/* Commands that some worker can do, or none. */
static bool is_somewhere(enum control_id command)
{
	return command == CONTROL_DROP || command == CONTROL_DEVICE_RESET ||
	       command == CONTROL_DEVICE_RESTART;
}

static void put(json_t *obj, const char *name, uint64_t v)
{
	(void)json_object_set_new(obj, name, json_integer((json_int_t)v));
}

/* Add row to sum: numbers are added up, truths hold when they hold for all,
 * objects member by member. */
static void add_up(json_t *sum, json_t *row)
{
	const char *key;
	json_t *v;

	json_object_foreach(row, key, v)
	{
		json_t *had = json_object_get(sum, key);

		if (!had)
			(void)json_object_set_new(sum, key, json_deep_copy(v));
		else if (json_is_integer(v))
			put(sum, key,
			    (uint64_t)(json_integer_value(had) +
				       json_integer_value(v)));
		else if (json_is_false(v))
			(void)json_object_set(sum, key, v);
	}
}

/* One level of objects inside, as "refused" is one. */
static void add_row(json_t *sum, json_t *row)
{
	const char *key;
	json_t *v;

	/* Before add_up, which copies the objects that are not there yet. */
	json_object_foreach(row, key, v)
	{
		json_t *had = json_object_get(sum, key);

		if (json_is_object(v) && json_is_object(had))
			add_up(had, v);
	}
	add_up(sum, row);
}

/* A worker's status row: into the sum, and its own line beside the others. */
static void take_status(struct monitor_asked *a, uint32_t number,
			struct slice text)
{
	static const char *const own[] = {"calls", "registrations",
					  "transactions", "connections",
					  "messages"};
	json_t *rows = json_loadb((const char *)text.ptr, text.len, 0, NULL);
	json_t *row = json_array_get(rows, 0);
	json_t *line = json_object();
	json_t *lines;

	if (!a->sum) {
		a->sum = json_object();
		(void)json_object_set_new(a->sum, "workers", json_array());
	}
	lines = json_object_get(a->sum, "workers");
	put(line, "worker", number);
	for (size_t i = 0; row && i < sizeof(own) / sizeof(own[0]); i++)
		(void)json_object_set(line, own[i],
				      json_object_get(row, own[i]));
	(void)json_array_append_new(lines, line);
	(void)json_object_del(row, "worker");
	if (row)
		add_row(a->sum, row);
	json_decref(rows);
}

/* What the monitor knows, and what the workers said inside it. */
static void reply_status(struct monitor *m, uint64_t token, json_t *sum)
{
	uint64_t now = loop_now_ms(m->loop);
	json_t *result = json_object();
	json_t *processes = json_array();
	json_t *devices = monitor_devices_status(m);

	(void)json_object_set_new(result, "version",
				  json_string(PACKAGE_VERSION));
	(void)json_object_set_new(result, "realm",
				  json_string(m->config->realm));
	put(result, "uptime", (now - m->start_ms) / 1000);
	for (uint32_t i = 0; i < MONITOR_WORKER + m->workers; i++) {
		const struct proc *p = m->child[i].proc;
		json_t *row;

		if (!p)
			continue; /* a worker, before the store answered */
		row = json_object();
		(void)json_object_set_new(row, "name",
					  json_string(proc_name(p)));
		put(row, "pid", (uint64_t)proc_pid(p));
		put(row, "starts", proc_starts(p));
		put(row, "uptime", (now - m->child[i].since_ms) / 1000);
		(void)json_array_append_new(processes, row);
	}
	(void)json_object_set_new(result, "processes", processes);
	(void)json_object_set_new(result, "media-backends",
				  monitor_media_status(m));
	if (devices)
		(void)json_object_set_new(result, "store-devices", devices);
	(void)json_object_update_missing(result, sum);
	control_reply(m->control, token, result);
}

static bool has_worker(struct monitor *m)
{
	for (uint32_t i = 0; i < m->workers; i++)
		if (monitor_worker(m, i)->channel)
			return true;
	return false;
}

/* Workers begin when the devices are known: what keeps these from coming is
 * told without them. */
static void on_status(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;

	(void)args;
	if (m->fetch.err && !has_worker(m))
		reply_status(m, token, NULL);
	else
		ask_workers(m, token, CONTROL_STATUS, "");
}

/* ---- reload ------------------------------------------------------------------ */

/* Whoever cannot be told of another configuration begins with it instead. */
static void restart_deaf(struct monitor *m, const struct monitor_asked *a)
{
	for (uint32_t i = 0; i < m->workers; i++) {
		const struct monitor_child *worker = monitor_worker(m, i);

		if (!worker->channel || (a->waiting >> i & 1))
			continue;
		log_error("worker %u does not take the configuration: it is "
			  "started anew",
			  i);
		proc_signal(worker->proc, SIGKILL);
	}
}

void monitor_ctl_reload(struct monitor *m, uint64_t token, json_t *result,
			int tls_fd, uint32_t joined)
{
	const struct luggage l = {.tls_fd = tls_fd, .joined = joined};
	struct monitor_asked *a = monitor_ctl_asked(m, token, CONTROL_RELOAD);
	struct monitor_asked unheard = {.command = CONTROL_RELOAD};
	char before[16]; /* listeners that a worker has to have */

	(void)snprintf(before, sizeof(before), "%u",
		       m->config->listener_count - joined);
	if (a) {
		a->sum = result;
	} else {
		/* It has been taken up, whether somebody hears of it or not. */
		unheard.number = ++m->next_number;
		json_decref(result);
		a = &unheard;
	}
	broadcast(m, a, before, &l);
	restart_deaf(m, a);
	/* One that does not run will begin with the new configuration. */
	if (a != &unheard && a->waiting == 0)
		workers_done(m, a);
}

/* Numbers of what ended are added up over the workers. */
static void take_reload(struct monitor_asked *a, struct slice text)
{
	json_t *rows = json_loadb((const char *)text.ptr, text.len,
				  JSON_REJECT_DUPLICATES, NULL);
	json_t *row = json_array_get(rows, 0);

	if (json_object_get(row, "error")) {
		a->is_found = true;
		if (a->sum)
			(void)json_object_set(a->sum, "error",
					      json_object_get(row, "error"));
	}
	if (row && a->sum && !json_object_get(row, "error"))
		add_up(a->sum, row);
	json_decref(rows);
}

/* The one worker that has the call says everything about it. */
static void take_call(struct monitor_asked *a, struct slice text)
{
	json_t *rows = json_loadb((const char *)text.ptr, text.len, 0, NULL);
	json_t *row = json_array_get(rows, 0);

	if (row && !a->sum)
		a->sum = json_incref(row);
	json_decref(rows);
}

static void on_reload(void *ctx, uint64_t token, const json_t *args)
{
	(void)args;
	monitor_reload(ctx, token, false);
}

static void on_check(void *ctx, uint64_t token, const json_t *args)
{
	(void)args;
	monitor_reload(ctx, token, true);
}

static void reload_failed(struct monitor *m, uint64_t token, const json_t *sum)
{
	const char *why = json_string_value(json_object_get(sum, "error"));

	control_fail(m->control, token, "a worker goes on as before: %s",
		     why ? why : err_str(ERR_NOMEM));
}

/* What the workers used before is needed no more: the keys process may forget
 * it. One that has ended begins with what there is now. */
static void reload_settled(struct monitor *m, uint64_t token, json_t *sum)
{
	struct channel *keys = m->child[MONITOR_KEYS].channel;

	if (keys && channel_send(keys, slice_str(KEYS_SETTLED)) != 0)
		log_warn("the keys process keeps private keys of before");
	control_reply(m->control, token, json_incref(sum));
}

/* All workers have answered: the end of the command. */
static void workers_done(struct monitor *m, struct monitor_asked *a)
{
	uint64_t token = a->token;

	a->token = 0;
	if (a->command == CONTROL_STATUS)
		reply_status(m, token, a->sum);
	else if (a->command == CONTROL_CALL && a->sum)
		control_reply(m->control, token, json_incref(a->sum));
	else if (is_somewhere(a->command) && a->is_found)
		control_reply(m->control, token, json_object());
	else if (a->command == CONTROL_DROP || a->command == CONTROL_CALL)
		control_fail(m->control, token, "no such call");
	else if (is_somewhere(a->command))
		control_fail(m->control, token,
			     "no such Skinny phone is registered");
	else if (a->command == CONTROL_RELOAD && a->is_found)
		reload_failed(m, token, a->sum);
	else if (a->command == CONTROL_RELOAD)
		reload_settled(m, token, a->sum);
	asked_end(a);
}

/* The last that a worker has to say: rows. */
static void worker_done(struct monitor *m, struct monitor_asked *a,
			uint32_t number, struct slice rows)
{
	bool is_last;

	a->waiting &= ~((uint64_t)1 << number);
	is_last = a->waiting == 0;
	if (a->command == CONTROL_STATUS)
		take_status(a, number, rows);
	else if (is_somewhere(a->command))
		a->is_found |= !slice_eqs(rows, "[]");
	else if (a->command == CONTROL_RELOAD)
		take_reload(a, rows);
	else if (a->command == CONTROL_CALL)
		take_call(a, rows);
	else if (control_reply_rows(m->control, a->token, rows, is_last) != 0)
		a->waiting = 0;
	if (a->waiting == 0)
		workers_done(m, a);
}

void monitor_ctl_rows(struct monitor *m, uint32_t number,
		      const struct dwire_msg *msg)
{
	struct monitor_asked *a = monitor_ctl_find(m, msg->number);

	if (!a || !(a->waiting & (uint64_t)1 << number))
		return;
	if (msg->is_last)
		worker_done(m, a, number, msg->text);
	else if (control_reply_rows(m->control, a->token, msg->text, false))
		asked_end(a);
}

/* ---- opening ---------------------------------------------------------------------- */

static gid_t group_of(const struct config *c)
{
	struct group *g = getgrnam(c->group);

	return g ? g->gr_gid : (gid_t)-1;
}

/* The directory of the socket: systemd's RuntimeDirectory, or ours. */
static void make_run_directory(const char *path)
{
	char dir[CONFIG_TEXT_MAX + 1];
	char *slash;

	(void)snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return;
	*slash = '\0';
	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		log_warn("%s: %s", dir, strerror(errno));
}

int monitor_ctl_open(struct monitor *m)
{
	struct control_params p = {
		.loop = m->loop,
		.path = m->config->control_socket,
		.gid = group_of(m->config),
		.handler = {[CONTROL_STATUS] = on_status,
			    [CONTROL_REGISTRATIONS] = on_registrations,
			    [CONTROL_CALLS] = on_calls,
			    [CONTROL_CALL] = on_call,
			    [CONTROL_CERTS] = on_certs,
			    [CONTROL_TRUNKS] = on_trunks,
			    [CONTROL_STRANGERS] = on_strangers,
			    [CONTROL_DROP] = on_drop,
			    [CONTROL_DEVICE_RESET] = on_device_reset,
			    [CONTROL_DEVICE_RESTART] = on_device_restart,
			    [CONTROL_RELOAD] = on_reload,
			    [CONTROL_CHECK] = on_check,
			    [CONTROL_DEVICE_IMPORT] = monitor_device_import,
			    [CONTROL_DEVICE_ADD] = monitor_device_import,
			    [CONTROL_LOG] = monitor_log_show,
			    [CONTROL_AUTHZ_TEST] = monitor_authz_test,
			    [CONTROL_IPSEC] = monitor_ipsec_list,
			    [CONTROL_IPSEC_RULES] = monitor_ipsec_rules,
			    [CONTROL_IPSEC_INSTALL] = monitor_ipsec_rules,
			    [CONTROL_IPSEC_REMOVE] = monitor_ipsec_no_rules,
			    [CONTROL_DEVICES] = monitor_devices_list,
			    [CONTROL_DEVICE_SHOW] = monitor_device_show,
			    [CONTROL_DEVICE_EXPORT] = monitor_device_export,
			    [CONTROL_MEDIA] = monitor_media,
			    [CONTROL_MEDIA_UNLOAD] = monitor_media_unload,
			    [CONTROL_MEDIA_LOAD] = monitor_media_load,
			    [CONTROL_DEVICE_DELETE] = monitor_device_delete},
		.ctx = m,
	};
	int err;

	monitor_users_fill(p.handler);
	make_run_directory(p.path);
	err = control_new(&p, &m->control);
	if (err == ERR_EXISTS)
		log_error("another sallyportd answers on %s", p.path);
	else if (err)
		log_error("control-socket %s: %s", p.path,
			  err == ERR_IO ? strerror(errno) : err_str(err));
	return err;
}
