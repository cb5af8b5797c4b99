/*
 * Reload: the files are read anew while everything runs; what can change takes
 * force in the worker, what cannot is named. An error leaves all as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conffile/conffile.h"
#include "config/reload.h"
#include "daemon/keys.h"
#include "daemon/monitor.h"
#include "daemon/setup.h"
#include "log/log.h"
#include "proxy/worker.h"
#include "tls/files.h"

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

/* A reload on its way: read, but not in force. */
struct monitor_pending {
	uint64_t token;
	struct config_report rep;
	struct config *next;   /* as the files have it */
	struct config *merged; /* as it takes force */
	struct buf bytes;      /* merged, packed */
	struct outcome o;
	int tls_fd;    /* public files of TLS; -1 = not read */
	size_t files;  /* in it */
	int config_fd; /* the merged one, for children; -1 = none */
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

int monitor_config_read(struct monitor *m, const struct devset *devices,
			const char *file, struct config_report *rep,
			struct config **ret)
{
	struct devset_tuples t = {.count = 0};
	struct config *next = NULL;
	int err = devices ? devset_tuples(devices, file, rep, &t) : 0;

	if (!err)
		err = conffile_load_more(m->config_path, t.item, t.count, rep,
					 &next);
	if (!err)
		err = conffile_check_files(next, rep);
	if (!err)
		err = config_check_workers(next, setup_workers(next), rep);
	alloc_free(t.item);
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
	if (!err)
		err = config_share_on(*ret, m->config, m->workers, &inner);
	/* The file may have another number, which waits for a restart. */
	if (!err)
		err = config_check_workers(*ret, m->workers, &inner);
	if (!err)
		err = config_pack_share(*ret, ret_bytes);
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

void monitor_refuse(struct monitor *m, uint64_t token,
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

/* From here on a child that is started anew gets the new one, c, from fd, and
 * the files of TLS from tls_fd; both are the monitor's then. */
static void adopt(struct monitor *m, struct config *c, int fd, int tls_fd)
{
	(void)close(m->config_fd);
	m->config_fd = fd;
	if (m->tls_fd > 0)
		(void)close(m->tls_fd);
	m->tls_fd = tls_fd;
	config_unref(m->config);
	m->config = config_ref(c);
	monitor_watch_level(m, (enum log_level)c->log_level);
	monitor_lease_limits(m);
	monitor_steer(m);
	monitor_ipsec_follow(m);
}

static void say_reloading(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
			 (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

/* What is different, and what takes force. */
static int compare(struct monitor *m, const struct config *next,
		   struct config_report *rep, struct outcome *o,
		   struct buf *ret_bytes, struct config **ret)
{
	int err = merge(m, next, rep, ret_bytes, ret);

	if (err)
		return err;
	config_diff(m->config, next, on_change, o);
	take_warnings(o, rep);
	return 0;
}

void monitor_tell(struct monitor *m, uint64_t token, const struct config *next,
		  struct config_report *rep)
{
	struct outcome o;
	struct buf bytes = {.ptr = NULL};
	struct config *merged = NULL;
	int err;

	outcome_init(&o);
	err = compare(m, next, rep, &o, &bytes, &merged);
	if (err)
		monitor_refuse(m, token, rep, err);
	else
		control_reply(m->control, token, outcome_json(&o));
	outcome_done(&o);
	buf_done(&bytes);
	config_unref(merged);
}

int monitor_begin(struct monitor *m)
{
	struct config_report rep;
	struct outcome o;
	struct buf bytes = {.ptr = NULL};
	struct config *next = NULL;
	struct config *merged = NULL;
	size_t files;
	int tls_fd = -1;
	int fd = -1;
	int err;

	config_report_init(&rep);
	outcome_init(&o);
	err = monitor_config_read(m, m->devices, "", &rep, &next);
	if (!err)
		err = compare(m, next, &rep, &o, &bytes, &merged);
	if (!err)
		err = setup_config_fd(buf_slice(&bytes), &fd);
	if (!err)
		err = monitor_tls_read(merged, &rep, &tls_fd, &files);
	if (!err)
		err = monitor_sockets_add(m, merged, &rep);
	if (err) {
		if (fd >= 0)
			(void)close(fd);
		if (tls_fd >= 0)
			(void)close(tls_fd);
		monitor_refuse(m, MONITOR_TOKEN_NONE, &rep, err);
	} else {
		adopt(m, merged, fd, tls_fd);
		log_texts("", o.warnings);
	}
	outcome_done(&o);
	buf_done(&bytes);
	config_unref(next);
	config_unref(merged);
	config_report_done(&rep);
	return err;
}

/* ---- certificates and keys ---------------------------------------------------- */

int monitor_tls_read(const struct config *c, struct config_report *rep,
		     int *ret_fd, size_t *ret_count)
{
	char why[WORKER_ERR_MAX] = "";
	struct tls_files *f = NULL;
	int err = worker_tls_files(c, &f, why);

	if (err)
		config_report_add(rep, true, "certificates", 0, slice_str(why));
	if (!err)
		err = setup_tls_fd(f, ret_fd);
	if (!err)
		*ret_count = tls_files_count(f);
	(void)tls_files_free(f);
	return err;
}

static int ask_for_key(struct channel *keys, const char *key, char *why)
{
	char text[2 * CONFIG_TEXT_MAX + 2];
	int fd;
	int err;

	if (config_key_is_token(key)) {
		(void)snprintf(text, sizeof(text), "%s%s", KEYS_RELOAD_TOKEN,
			       key);
		return channel_send(keys, slice_str(text));
	}
	fd = open(key, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		(void)snprintf(why, WORKER_ERR_MAX, "%s: %s", key,
			       strerror(errno));
		return ERR_IO;
	}
	err = channel_send_fds(keys, slice_str(KEYS_RELOAD_FILE), &fd, 1);
	(void)close(fd);
	return err;
}

/*
 * The keys process gets the private keys, opened but not read, and must have
 * them before the workers get the certificates: its answer comes to
 * monitor_reload_keys. *ret_asked: false when there is no key.
 */
static int ask_keys(struct monitor *m, struct monitor_pending *p,
		    bool *ret_asked)
{
	struct channel *keys = m->child[MONITOR_KEYS].channel;
	char why[WORKER_ERR_MAX] = "";
	struct config_identity id;
	int err = 0;
	uint32_t n = 0;

	for (; !err && config_identity_at(p->merged, n, &id); n++)
		err = keys ? ask_for_key(keys, id.key, why) : ERR_CLOSED;
	/* Only a whole round is answered, and what it left out given up. */
	if (n > 0 && keys &&
	    channel_send(keys, slice_str(err ? KEYS_RELOAD_ABORT
					     : KEYS_RELOAD_END)) != 0 &&
	    !err)
		err = ERR_CLOSED;
	if (err)
		config_report_add(&p->rep, true, m->config_path, 0,
				  slice_str(why[0] ? why
						   : "the keys process does "
						     "not take the keys"));
	*ret_asked = n > 0;
	return err;
}

/* ---- from the beginning to the end ---------------------------------------------- */

static struct monitor_pending *pending_free(struct monitor_pending *p)
{
	if (!p)
		return NULL;
	outcome_done(&p->o);
	buf_done(&p->bytes);
	config_unref(p->merged);
	config_unref(p->next);
	config_report_done(&p->rep);
	if (p->tls_fd >= 0)
		(void)close(p->tls_fd);
	if (p->config_fd >= 0)
		(void)close(p->config_fd);
	return alloc_free(p);
}

static int prepare(struct monitor *m, struct monitor_pending *p)
{
	int err = monitor_config_read(m, m->devices, "", &p->rep, &p->next);

	if (!err)
		err = compare(m, p->next, &p->rep, &p->o, &p->bytes,
			      &p->merged);
	if (!err)
		err = setup_config_fd(buf_slice(&p->bytes), &p->config_fd);
	return err ? err
		   : monitor_tls_read(p->merged, &p->rep, &p->tls_fd,
				      &p->files);
}

/* The sockets of listeners that came with it go, too. */
static void refuse(struct monitor *m, struct monitor_pending *p, int err)
{
	monitor_sockets_cut(m);
	monitor_refuse(m, p->token, &p->rep, err);
}

static void commit(struct monitor *m, struct monitor_pending *p)
{
	uint32_t joined = p->merged->listener_count - m->config->listener_count;

	adopt(m, p->merged, p->config_fd, p->tls_fd);
	p->config_fd = -1;
	p->tls_fd = -1;
	log_outcome(&p->o);
	monitor_ctl_reload(m, p->token, outcome_json(&p->o),
			   p->files > 0 ? m->tls_fd : -1, joined);
}

static void reload_end(struct monitor *m, bool is_good)
{
	struct monitor_pending *p = m->pending;

	uint64_t again = m->again;

	m->pending = NULL;
	m->again = 0;
	if (is_good)
		commit(m, p);
	else
		refuse(m, p, ERR_BAD);
	if (m->is_started)
		(void)sd_notify(0, "READY=1");
	(void)pending_free(p);
	if (again != 0)
		monitor_reload(m, again, false);
}

void monitor_reload_keys(struct monitor *m, struct slice text)
{
	bool is_good = slice_eqs(text, KEYS_RELOADED);

	/* The keys process may end at any time. */
	if (!m->pending)
		return;
	if (!is_good)
		config_report_add(&m->pending->rep, true, m->config_path, 0,
				  text);
	reload_end(m, is_good);
}

static void begin(struct monitor *m, struct monitor_pending *p)
{
	bool is_asked = false;
	int err;

	if (m->is_started)
		say_reloading();
	m->pending = p;
	err = prepare(m, p);
	/* Before the keys process changes over, which cannot be undone. */
	if (!err)
		err = monitor_sockets_add(m, p->merged, &p->rep);
	if (!err)
		err = ask_keys(m, p, &is_asked);
	if (err || !is_asked)
		reload_end(m, !err);
}

void monitor_reload(struct monitor *m, uint64_t token, bool is_check)
{
	struct monitor_pending *p;
	int err;

	/* Without them all of the store's devices would seem removed. */
	if (!m->devices) {
		log_error("no reload: the store's devices are not here yet");
		control_fail_text(m->control, token, monitor_devices_why(m));
		return;
	}
	if (m->pending && !is_check && m->again == 0) {
		m->again = token; /* after the one that is under way */
		return;
	}
	if (m->pending) {
		control_fail(m->control, token, "a reload is under way");
		return;
	}
	p = alloc_zero(sizeof(*p));
	if (!p) {
		control_fail(m->control, token, "%s", err_str(ERR_NOMEM));
		return;
	}
	p->token = token;
	p->tls_fd = -1;
	p->config_fd = -1;
	config_report_init(&p->rep);
	outcome_init(&p->o);
	if (!is_check) {
		begin(m, p);
		return;
	}
	err = prepare(m, p);
	if (err)
		monitor_refuse(m, token, &p->rep, err);
	else
		control_reply(m->control, token, outcome_json(&p->o));
	(void)pending_free(p);
}
