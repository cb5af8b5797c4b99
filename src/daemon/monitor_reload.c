/*
 * Reload: the files are read anew while everything runs; what can change takes
 * force in the worker, what cannot is named. An error leaves all as it was.
 */
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conffile/conffile.h"
#include "config/reload.h"
#include "daemon/monitor.h"
#include "daemon/setup.h"
#include "log/log.h"

enum {
	NAME_MAX_LEN = 3 * CONFIG_NAME_MAX,
	RESET_MAX = 1000,     /* phones named in an answer */
	WARNINGS_LOGGED = 20, /* restarts and warnings in the log */
	ERROR_TEXT_MAX = 16384
};

/* What a reload, or a check, would do and has done. */
struct outcome {
	json_t *changed; /* options that take force */
	json_t *restart; /* those that do not */
	json_t *reset;	 /* devices whose phone must be reset */
	json_t *warnings;
	uint64_t added, removed, modified, resets; /* devices */
	struct slice last, last_reset;		   /* device counted last */
};

/* ---- what is different ------------------------------------------------------ */

static void outcome_init(struct outcome *o)
{
	*o = (struct outcome){.changed = json_array(),
			      .restart = json_array(),
			      .reset = json_array(),
			      .warnings = json_array()};
}

static void outcome_done(struct outcome *o)
{
	json_decref(o->changed);
	json_decref(o->restart);
	json_decref(o->reset);
	json_decref(o->warnings);
}

static void add_text(json_t *array, const char *text)
{
	(void)json_array_append_new(array, json_string(text));
}

/* Options of one device come one after the other. */
static void device_change(struct outcome *o, const struct config_change *c)
{
	char name[CONFIG_NAME_MAX + 1];

	(void)snprintf(name, sizeof(name), "%.*s", SLICE_FMT(c->label));
	if (c->kind == CONFIG_ADDED)
		o->added++;
	else if (c->kind == CONFIG_REMOVED)
		o->removed++;
	else if (!slice_eq(o->last, c->label))
		o->modified++;
	o->last = c->label;
	if (c->kind != CONFIG_CHANGED || c->when != CONFIG_WHEN_RESET ||
	    slice_eq(o->last_reset, c->label))
		return;
	o->last_reset = c->label;
	if (o->resets++ < RESET_MAX)
		add_text(o->reset, name);
}

static void on_change(void *ctx, const struct config_change *c)
{
	static const char *const kinds[] = {
		[CONFIG_CHANGED] = "",
		[CONFIG_ADDED] = " (new)",
		[CONFIG_REMOVED] = " (removed)",
	};
	struct outcome *o = ctx;
	char text[NAME_MAX_LEN];

	if (strcmp(c->section->name, "device") == 0) {
		device_change(o, c);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s%s%.*s%s%s%s%s", c->section->name,
		       c->section->label ? " \"" : "", SLICE_FMT(c->label),
		       c->section->label ? "\"" : "",
		       c->section->name[0] && c->option ? ": " : "",
		       c->option ? c->option->name : "", kinds[c->kind]);
	add_text(c->when == CONFIG_WHEN_RESTART ? o->restart : o->changed,
		 text);
}

static json_t *outcome_json(const struct outcome *o)
{
	return json_pack("{s:O,s:O,s:I,s:I,s:I,s:O,s:O}", "changed", o->changed,
			 "needs-restart", o->restart, "devices-added",
			 (json_int_t)o->added, "devices-changed",
			 (json_int_t)o->modified, "devices-removed",
			 (json_int_t)o->removed, "reset-phones", o->reset,
			 "warnings", o->warnings);
}

/* ---- reading ------------------------------------------------------------------ */

static void take_warnings(struct outcome *o, const struct config_report *rep)
{
	for (const struct config_message *w = rep->first; w; w = w->next)
		if (!w->is_error)
			add_text(o->warnings, w->text);
}

/* All errors as lines of one text, for the operator. */
static void join_errors(const struct config_report *rep, char *text, size_t cap)
{
	struct writer w;

	writer_init(&w, text, cap - 1);
	for (const struct config_message *m = rep->first; m; m = m->next) {
		size_t before = w.len;

		if (!m->is_error)
			continue;
		writer_str(&w, w.len > 0 ? "\n" : "");
		writer_str(&w, m->text);
		if (!writer_ok(&w)) {
			w.len = before;
			break;
		}
	}
	text[w.len] = '\0';
}

int monitor_config_read(struct monitor *m, struct config_report *rep,
			struct config **ret)
{
	struct config *next = NULL;
	int err = conffile_load(m->config_path, rep, &next);

	if (!err)
		err = conffile_check_files(next, rep);
	if (!err)
		err = config_check_workers(next, setup_workers(next), rep);
	if (err)
		config_unref(next);
	else
		*ret = next;
	return err;
}

/*
 * What takes force when next replaces the configuration that runs: packed, for
 * the other processes, and as they will read it.
 */
static int merge(struct monitor *m, const struct config *next,
		 struct config_report *rep, struct buf *ret_bytes,
		 struct config **ret)
{
	struct config_report inner;
	int err = config_pack(m->config, next, ret_bytes);

	config_report_init(&inner);
	if (!err)
		err = config_unpack(buf_slice(ret_bytes), &inner, ret);
	/* Its warnings are next's; an error tells of old and new together. */
	for (const struct config_message *e = inner.first; err && e;
	     e = e->next)
		if (e->is_error)
			config_report_add(rep, true, m->config_path, 0,
					  slice_str(e->text));
	if (err == ERR_BAD)
		config_report_add(rep, true, m->config_path, 0,
				  slice_str("this change needs a restart"));
	config_report_done(&inner);
	return err;
}

/* ---- taking it up --------------------------------------------------------------- */

static void refuse(struct monitor *m, uint64_t token,
		   const struct config_report *rep, int err)
{
	char *text = alloc_zero(ERROR_TEXT_MAX);

	for (const struct config_message *e = rep->first; e; e = e->next)
		if (e->is_error)
			log_error("%s", e->text);
	log_error("the configuration stays as it was");
	if (text)
		join_errors(rep, text, ERROR_TEXT_MAX);
	control_fail_text(m->control, token,
			  text && text[0] ? text : err_str(err));
	alloc_free(text);
}

static void log_texts(const char *what, const json_t *array)
{
	size_t n = json_array_size(array);

	for (size_t i = 0; i < n && i < WARNINGS_LOGGED; i++)
		log_warn("%s%s", what,
			 json_string_value(json_array_get(array, i)));
	if (n > WARNINGS_LOGGED)
		log_warn("%zu more", n - WARNINGS_LOGGED);
}

static void log_outcome(const struct outcome *o)
{
	log_info(
		"configuration reloaded devices-added=%llu "
		"devices-changed=%llu devices-removed=%llu options-changed=%zu "
		"needs-restart=%zu",
		(unsigned long long)o->added, (unsigned long long)o->modified,
		(unsigned long long)o->removed, json_array_size(o->changed),
		json_array_size(o->restart));
	log_texts("takes force at the next restart: ", o->restart);
	log_texts("", o->warnings);
}

/* From here on a child that is started anew gets the new one. */
static int adopt(struct monitor *m, struct config *c, struct slice bytes)
{
	int fd;
	int err = setup_config_fd(bytes, &fd);

	if (err)
		return err;
	(void)close(m->config_fd);
	m->config_fd = fd;
	config_unref(m->config);
	m->config = config_ref(c);
	log_set_level((enum log_level)c->log_level);
	return 0;
}

static void say_reloading(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
			 (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

void monitor_reload(struct monitor *m, uint64_t token, bool is_check)
{
	struct config_report rep;
	struct outcome o;
	struct buf bytes = {.ptr = NULL};
	struct config *next = NULL;
	struct config *merged = NULL;
	int err;

	config_report_init(&rep);
	outcome_init(&o);
	if (!is_check)
		say_reloading();
	err = monitor_config_read(m, &rep, &next);
	if (!err)
		err = merge(m, next, &rep, &bytes, &merged);
	if (!err) {
		config_diff(m->config, next, on_change, &o);
		take_warnings(&o, &rep);
	}
	if (!err && !is_check)
		err = adopt(m, merged, buf_slice(&bytes));
	if (err) {
		refuse(m, token, &rep, err);
	} else if (is_check) {
		control_reply(m->control, token, outcome_json(&o));
	} else {
		log_outcome(&o);
		monitor_ctl_reload(m, token, outcome_json(&o));
	}
	if (!is_check)
		(void)sd_notify(0, "READY=1");
	outcome_done(&o);
	buf_done(&bytes);
	config_unref(merged);
	config_unref(next);
	config_report_done(&rep);
}
