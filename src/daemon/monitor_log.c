/*
 * The last messages of all processes. Each writes into memory of its own that
 * only the monitor reads (log/ring.h), so that what a process said last can be
 * read when it has been killed, and none can read or forge another's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "control/rows.h"
#include "daemon/monitor.h"
#include "log/log.h"

enum { SHOWN = 50, SHOWN_MAX = 1000 };

static const char *const level_name[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

int monitor_log_open(struct monitor *m)
{
	for (uint32_t i = 0; i < MONITOR_WORKER + m->workers; i++) {
		struct monitor_child *child = &m->child[i];

		if (log_ring_new(&child->ring_fd) != 0) {
			log_error("memory for messages: %s", strerror(errno));
			return ERR_IO;
		}
		child->ring = log_ring_map(child->ring_fd);
		if (!child->ring)
			return ERR_NOMEM;
	}
	return 0;
}

void monitor_log_close(struct monitor *m)
{
	for (uint32_t i = 0; i < MONITOR_CHILDREN_MAX; i++) {
		struct monitor_child *child = &m->child[i];

		if (child->ring_fd > 0)
			(void)close(child->ring_fd);
		child->ring_fd = 0;
		child->ring = log_ring_unmap(child->ring);
	}
}

/* ---- showing ------------------------------------------------------------- */

/* A line that can be shown. */
struct found {
	uint64_t time_ms;
	const struct log_ring *ring;
	const char *process;
	uint32_t place;
};

static int by_time(const void *a, const void *b)
{
	const struct found *x = a;
	const struct found *y = b;

	return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

static size_t find(const struct log_ring *r, const char *process,
		   struct found *ret)
{
	struct log_line line;
	size_t n = 0;

	for (uint32_t i = 0; r && i < LOG_RING_LINES; i++)
		if (log_ring_get(r, i, &line))
			ret[n++] = (struct found){.time_ms = line.time_ms,
						  .ring = r,
						  .process = process,
						  .place = i};
	return n;
}

/* A place may have been written again since: then a newer line is shown. */
static void put_line(json_t *rows, const struct found *f)
{
	struct log_line line;
	json_t *row;

	if (!log_ring_get(f->ring, f->place, &line))
		return;
	row = json_pack("{s:I,s:s,s:s}", "time-ms", (json_int_t)line.time_ms,
			"process", f->process, "level", level_name[line.level]);
	(void)json_object_set_new(row, "text",
				  rows_text(slice_make(line.text, line.len)));
	(void)json_array_append_new(rows, row);
}

/* The last lines, oldest first. */
static json_t *lines(const struct monitor *m, uint64_t shown)
{
	uint32_t children = MONITOR_WORKER + m->workers;
	struct found *f =
		alloc_array((children + 1) * LOG_RING_LINES, sizeof(*f));
	json_t *rows = json_array();
	size_t n;

	if (!f)
		return rows;
	n = find(m->ring, "sallyportd", f);
	for (uint32_t i = 0; i < children; i++)
		n += find(m->child[i].ring, m->child[i].name, f + n);
	qsort(f, n, sizeof(*f), by_time);
	for (size_t i = n > shown ? n - (size_t)shown : 0; i < n; i++)
		put_line(rows, &f[i]);
	alloc_free(f);
	return rows;
}

/* ---- the command --------------------------------------------------------- */

/* level: until the next reload or restart. */
static int set_level(struct monitor *m, const char *level)
{
	int i = LOG_LEVEL_ERROR;

	while (i <= LOG_LEVEL_DEBUG && strcmp(level, level_name[i]) != 0)
		i++;
	if (i > LOG_LEVEL_DEBUG)
		return ERR_BAD;
	monitor_watch_level(m, (enum log_level)i);
	return 0;
}

void monitor_log_show(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	const char *level = control_arg_get(args, "level");
	const char *tail = control_arg_get(args, "tail");
	uint64_t shown = level ? 0 : SHOWN;
	json_t *result;

	if (tail && text_dec(slice_str(tail), SHOWN_MAX, &shown) != 0) {
		control_fail(m->control, token, "--tail is a number up to %d",
			     SHOWN_MAX);
		return;
	}
	if (level && set_level(m, level) != 0) {
		control_fail_text(m->control, token,
				  "the level is error, warning, info or debug");
		return;
	}
	result = json_pack("{s:s}", "level", level_name[m->log_level]);
	(void)json_object_set_new(result, "lines", lines(m, shown));
	control_reply(m->control, token, result);
}
