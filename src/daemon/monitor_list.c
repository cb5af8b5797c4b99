/*
 * The operator looks at the devices of the configuration in force, whether
 * they came from a file or from the store.
 */
#include <stdlib.h>

#include "base/text.h"
#include "config/build.h"
#include "config/csv.h"
#include "daemon/monitor.h"

enum {
	ROWS_AT_ONCE = 200,
	VALUE_MAX = DEVSET_TEXT_MAX,
	LINE_MAX_LEN = 4 * DEVSET_TEXT_MAX
};

/* ---- rows -------------------------------------------------------------------- */

/* Value of an option as one text, items of a list with blanks between. */
static struct slice value_of(const struct config_option *o,
			     const struct config_device *d, struct buf *b)
{
	char number[CONFIG_PRINT_MAX];
	struct slice item;
	int err = 0;

	buf_done(b);
	for (uint32_t n = 0; !err && config_value_text(o, d, n, number, &item);
	     n++) {
		err = n > 0 ? buf_add(b, slice_str(" "), VALUE_MAX) : 0;
		if (!err)
			err = buf_add(b, item, VALUE_MAX);
	}
	return buf_slice(b);
}

static json_t *text(struct slice s)
{
	return json_stringn(s.ptr ? (const char *)s.ptr : "", s.len);
}

/* All options, by their names in the configuration. */
static json_t *device_row(const struct config_device *d)
{
	const struct config_section *s =
		config_section_find(slice_str("device"));
	json_t *row = json_pack("{s:s,s:s}", "name", d->name, "source",
				d->is_stored ? "store" : "file");
	struct buf b = {.ptr = NULL};

	for (uint32_t i = 0; i < s->count; i++)
		(void)json_object_set_new(row, s->option[i].name,
					  text(value_of(&s->option[i], d, &b)));
	buf_done(&b);
	return row;
}

static int put(struct buf *b, struct slice s)
{
	return buf_add(b, s, LINE_MAX_LEN);
}

static int put_field(struct buf *b, struct slice v)
{
	struct slice head;
	int err;

	if (!csv_needs_quotes(v))
		return put(b, v);
	err = put(b, slice_str("\""));
	while (!err && text_cut(v, '"', &head, &v)) {
		err = put(b, head);
		if (!err)
			err = put(b, slice_str("\"\""));
	}
	if (!err)
		err = put(b, head);
	return err ? err : put(b, slice_str("\""));
}

/* A line of CSV; d is NULL for the first one. Defaults are left empty. */
static json_t *csv_row(const struct config_device *d)
{
	const struct config_section *s =
		config_section_find(slice_str("device"));
	struct buf value = {.ptr = NULL};
	struct buf line = {.ptr = NULL};
	int err = put_field(&line, slice_str(d ? d->name : "name"));
	json_t *row = NULL;

	for (uint32_t i = 0; !err && i < s->count; i++) {
		const struct config_option *o = &s->option[i];

		err = put(&line, slice_str(","));
		if (!err && !d)
			err = put(&line, slice_str(o->name));
		else if (!err && !config_value_is_default(o, d))
			err = put_field(&line, value_of(o, d, &value));
	}
	if (!err)
		row = json_pack("{s:o}", "csv", text(buf_slice(&line)));
	buf_done(&value);
	buf_done(&line);
	return row;
}

/* ---- answers ----------------------------------------------------------------- */

struct listing {
	struct monitor *m;
	uint64_t token;
	json_t *rows;
	int err;
};

static void flush(struct listing *l, bool is_last)
{
	char *text = json_dumps(l->rows, JSON_COMPACT);

	if (l->err == ERR_NOMEM || !text)
		control_fail_text(l->m->control, l->token, err_str(ERR_NOMEM));
	else if (!l->err)
		l->err = control_reply_rows(l->m->control, l->token,
					    slice_str(text), is_last);
	free(text);
	(void)json_array_clear(l->rows);
}

static void add(struct listing *l, json_t *row)
{
	if (!row || json_array_append_new(l->rows, row) != 0)
		l->err = ERR_NOMEM;
	if (json_array_size(l->rows) >= ROWS_AT_ONCE)
		flush(l, false);
}

static bool is_wanted(const struct config_device *d, const json_t *args)
{
	const char *name = control_arg_get(args, "device");
	const char *line = control_arg_get(args, "line");

	return (!name || text_ieqs(slice_str(d->name), name)) &&
	       (!line || config_device_has_line(d, slice_str(line)));
}

void monitor_devices_list(void *ctx, uint64_t token, const json_t *args)
{
	struct listing l = {.m = ctx, .token = token, .rows = json_array()};
	const struct config *c = l.m->config;

	for (uint32_t i = 0; i < c->device_count; i++)
		if (is_wanted(&c->device[i], args))
			add(&l, device_row(&c->device[i]));
	flush(&l, true);
	json_decref(l.rows);
}

void monitor_device_export(void *ctx, uint64_t token, const json_t *args)
{
	struct listing l = {.m = ctx, .token = token, .rows = json_array()};
	const struct config *c = l.m->config;

	(void)args;
	add(&l, csv_row(NULL));
	for (uint32_t i = 0; i < c->device_count; i++)
		if (c->device[i].is_stored)
			add(&l, csv_row(&c->device[i]));
	flush(&l, true);
	json_decref(l.rows);
}

void monitor_device_show(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	const struct config_device *d = config_device_find(
		m->config, slice_str(control_arg_get(args, "name")));

	if (d)
		control_reply(m->control, token, device_row(d));
	else
		control_fail_text(m->control, token, "no such device");
}
