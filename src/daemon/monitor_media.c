/*
 * What the monitor does for the media process' backends: the firewall rules of
 * the packet queues, by a keeper of its own, and the operator's questions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/backends.h"
#include "daemon/keeper.h"
#include "daemon/monitor.h"
#include "daemon/roles.h"
#include "log/log.h"
#include "media/queue.h"

/* ---- rules -------------------------------------------------------------- */

static void mark_path(const struct monitor *m, char ret[ROLE_PATH_MAX])
{
	(void)snprintf(ret, ROLE_PATH_MAX, "%s/queue-rules",
		       m->config->state_directory);
}

static bool wants_queues(const struct config *c)
{
	const struct config_words *l = &c->media.backends;

	for (uint32_t i = 0; i < l->count; i++)
		if (l->item[i] == FLOW_BACKEND_QUEUE)
			return true;
	return false;
}

/* One for each processor: the kernel chooses by the one that has the packet. */
static uint16_t queues_here(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1		      ? 1
	       : n > MEDIA_QUEUES_MAX ? MEDIA_QUEUES_MAX
				      : (uint16_t)n;
}

static void set_rules(struct monitor *m)
{
	const struct config_media *c = &m->config->media;
	const struct addr addr[] = {c->outside_address, c->inside_address};
	struct queue_rules r = {.addr = addr,
				.addr_count =
					addr_ip_eq(&addr[0], &addr[1]) ? 1 : 2,
				.port_min = c->ports.min,
				.port_max = c->ports.max,
				.first = (uint16_t)c->queue_first,
				.queues = queues_here()};

	if (keeper_start(&r, &m->keeper, m->queue_why) != 0) {
		log_warn("media: no rules for packet queues: %s", m->queue_why);
		return;
	}
	m->queues = r.queues;
	log_info("media: packet queues %u to %u are fed by %s", r.first,
		 r.first + r.queues - 1, keeper_tool(m->keeper));
}

/* Rules nobody reads the queues of would let no media in: look for what a
 * killed daemon has left even when none are wanted any more. */
static bool clear_rules(void)
{
	struct keeper *k;
	char why[MEDIA_WHY_MAX];

	if (keeper_start(NULL, &k, why) != 0) {
		log_error("media: rules of packet queues may be left behind: "
			  "%s",
			  why);
		return false;
	}
	keeper_free(k);
	return true;
}

void monitor_media_open(struct monitor *m)
{
	char path[ROLE_PATH_MAX];
	bool is_clear = false;

	mark_path(m, path);
	if (wants_queues(m->config) && geteuid() != 0)
		(void)snprintf(m->queue_why, sizeof(m->queue_why),
			       "sallyportd is not root: CAP_NET_ADMIN is "
			       "missing");
	else if (wants_queues(m->config))
		set_rules(m);
	else if (keeper_was_here(path))
		is_clear = clear_rules();
	/* A mark whose rules could not be taken away stays for the next. */
	if (m->keeper || is_clear)
		keeper_mark(path, m->keeper != NULL);
}

/* When the daemon ends in order the keeper will have done its work before the
 * next one could look. */
void monitor_media_close(struct monitor *m)
{
	char path[ROLE_PATH_MAX];

	json_decref(m->media);
	m->media = NULL;
	if (!m->keeper)
		return;
	mark_path(m, path);
	if (keeper_remove(m->keeper) == 0)
		keeper_mark(path, false);
	m->keeper = keeper_free(m->keeper);
}

/* ---- questions ------------------------------------------------------------ */

static int send_media(struct monitor *m, uint32_t number,
		      enum control_id command, const char *text)
{
	struct dwire_msg msg = {.op = DWIRE_QUERY,
				.number = number,
				.command = (uint8_t)command,
				.text = slice_str(text)};
	struct channel *c = m->child[MONITOR_MEDIA].channel;
	uint8_t buf[128];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	dwire_write(&w, &msg);
	return c && writer_ok(&w) ? channel_send(c, writer_slice(&w))
				  : ERR_CLOSED;
}

static void ask(struct monitor *m, uint64_t token, enum control_id command,
		const char *backend)
{
	struct monitor_asked *a = monitor_ctl_asked(m, token, command);

	if (!a)
		return;
	(void)snprintf(a->user, sizeof(a->user), "%s", backend);
	if (send_media(m, a->number, command, backend) != 0)
		monitor_ctl_fail(m, a, "the media process is not running");
}

void monitor_media(void *ctx, uint64_t token, const json_t *args)
{
	(void)args;
	ask(ctx, token, CONTROL_MEDIA, "");
}

/* Ask for what is to be done with the backend that args name, or the kernel's;
 * never: with this one, and why. */
static void ask_named(struct monitor *m, uint64_t token, const json_t *args,
		      enum control_id command, enum flow_backend never,
		      const char *why)
{
	const char *backend = control_arg_get(args, "backend");
	enum flow_backend which;

	if (!backend)
		backend = flow_backend_str(FLOW_BACKEND_KERNEL);
	if (backends_find(slice_str(backend), &which) != 0)
		control_fail_text(m->control, token,
				  "the backend is kernel, queue or socket");
	else if (which == never)
		control_fail_text(m->control, token, why);
	else
		ask(m, token, command, backend);
}

void monitor_media_unload(void *ctx, uint64_t token, const json_t *args)
{
	ask_named(ctx, token, args, CONTROL_MEDIA_UNLOAD, FLOW_BACKENDS, "");
}

void monitor_media_load(void *ctx, uint64_t token, const json_t *args)
{
	ask_named(ctx, token, args, CONTROL_MEDIA_LOAD, FLOW_BACKEND_QUEUE,
		  "packet queues come back with a restart of sallyportd");
}

/* What only the monitor knows of the packet queues. */
static void add_rules(const struct monitor *m, json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		const char *name =
			json_string_value(json_object_get(row, "backend"));
		bool is_queue = name && strcmp(name, "queue") == 0;

		if (is_queue && m->keeper)
			(void)json_object_set_new(
				row, "rules",
				json_string(keeper_tool(m->keeper)));
		if (is_queue && m->queue_why[0] != '\0')
			(void)json_object_set_new(row, "why",
						  json_string(m->queue_why));
	}
}

static void reply_rows(struct monitor *m, struct monitor_asked *a, json_t *rows)
{
	uint64_t token = a->token;
	char *text = json_dumps(rows, JSON_COMPACT);

	a->token = 0;
	if (!text ||
	    control_reply_rows(m->control, token, slice_str(text), true) != 0)
		log_warn("media: an answer did not reach its client");
	free(text);
}

/* Its flows are elsewhere: without its rules it may end. */
static void end_queue(struct monitor *m, struct monitor_asked *a)
{
	char path[ROLE_PATH_MAX];

	if (keeper_remove(m->keeper) != 0) {
		monitor_ctl_fail(m, a,
				 "its streams have moved, but its rules could "
				 "not be removed: they pass what comes in as "
				 "long as sallyportd runs");
		return;
	}
	mark_path(m, path);
	keeper_mark(path, false);
	m->keeper = keeper_free(m->keeper);
	m->queues = 0;
	(void)snprintf(m->queue_why, sizeof(m->queue_why),
		       "it was unloaded; a restart of sallyportd takes it "
		       "again");
}

static void reply_unload(struct monitor *m, struct monitor_asked *a,
			 const json_t *row)
{
	const char *error = json_string_value(json_object_get(row, "error"));
	uint64_t token = a->token;
	char name[16];

	if (!error || error[0] != '\0') {
		monitor_ctl_fail(m, a, error ? error : "no answer");
		return;
	}
	(void)snprintf(name, sizeof(name), "-%.14s", a->user);
	if (strcmp(a->user, "queue") == 0 && m->keeper) {
		end_queue(m, a);
		if (a->token == 0)
			return;
	}
	(void)send_media(m, 0, CONTROL_MEDIA_UNLOAD, name);
	a->token = 0;
	control_reply(m->control, token,
		      json_pack("{s:s, s:O}", "unloaded", name + 1,
				"streams-moved",
				json_object_get(row, "moved")));
}

static void reply_load(struct monitor *m, struct monitor_asked *a,
		       const json_t *row)
{
	const char *error = json_string_value(json_object_get(row, "error"));
	uint64_t token = a->token;

	if (!error || error[0] != '\0') {
		monitor_ctl_fail(m, a, error ? error : "no answer");
		return;
	}
	a->token = 0;
	control_reply(m->control, token,
		      json_pack("{s:s, s:O}", "loaded", a->user,
				"streams-moved",
				json_object_get(row, "moved")));
}

void monitor_media_rows(struct monitor *m, struct monitor_asked *a,
			const struct dwire_msg *msg)
{
	json_t *rows = json_loadb((const char *)msg->text.ptr, msg->text.len,
				  JSON_REJECT_DUPLICATES, NULL);

	if (msg->number == 0) {
		add_rules(m, rows);
		json_decref(m->media);
		m->media = rows;
		return;
	}
	if (a && a->command == CONTROL_MEDIA) {
		add_rules(m, rows);
		reply_rows(m, a, rows);
	} else if (a && a->command == CONTROL_MEDIA_LOAD) {
		reply_load(m, a, json_array_get(rows, 0));
	} else if (a) {
		reply_unload(m, a, json_array_get(rows, 0));
	}
	json_decref(rows);
}

/* For status: what new streams use, and what cannot be had. */
json_t *monitor_media_status(const struct monitor *m)
{
	json_t *rows = json_array();
	size_t i;
	json_t *row;

	json_array_foreach(m->media, i, row)
	{
		json_t *copy = json_copy(row);

		(void)json_object_del(copy, "flows");
		(void)json_array_append_new(rows, copy);
	}
	return rows;
}
