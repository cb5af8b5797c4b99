/*
 * Devices of the store: fetched once before the workers start, kept by the
 * monitor, and changed by the operator in one piece: read, checked together
 * with the files, written in one transaction, taken up like a reload.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/monitor.h"
#include "daemon/setup.h"
#include "log/log.h"
#include "store/devices.h"

enum {
	IMPORT_MAX = 32 << 20, /* bytes of a CSV file */
	/* Pauses before the store is asked again for its list. */
	FETCH_MIN_MS = 500,
	FETCH_MAX_MS = 60000
};

/* ---- fetching ------------------------------------------------------------------ */

static int ask(struct monitor *m, struct slice after)
{
	struct monitor_child *store = &m->child[MONITOR_STORE];
	struct store_request r = {.op = STORE_OP_DEVICES, .user = after};
	struct writer w;

	writer_init(&w, m->out, sizeof(m->out));
	store_request_write(&w, &r);
	return store->channel && writer_ok(&w)
		       ? channel_send(store->channel, writer_slice(&w))
		       : ERR_CLOSED;
}

static void fetch_failed(struct monitor *m, int err);

static void on_fetch_time(void *arg)
{
	struct monitor *m = arg;
	int err = monitor_devices_fetch(m);

	if (err)
		fetch_failed(m, err);
}

void monitor_devices_init(struct monitor *m)
{
	backoff_init(&m->fetch.backoff, FETCH_MIN_MS, FETCH_MAX_MS);
	loop_timer_init(&m->fetch.timer, on_fetch_time, m);
}

void monitor_devices_end(struct monitor *m)
{
	if (m->loop && m->fetch.timer.fn)
		loop_timer_clear(m->loop, &m->fetch.timer);
}

int monitor_devices_fetch(struct monitor *m)
{
	loop_timer_clear(m->loop, &m->fetch.timer);
	m->fetch.next_ms = 0;
	devset_free(m->fetched);
	m->fetched = devset_new();
	return m->fetched ? ask(m, SLICE_NULL) : ERR_NOMEM;
}

/* What has come so far is of no use: the next answer may come from another
 * state of the database. */
static void fetch_failed(struct monitor *m, int err)
{
	uint32_t pause_ms = backoff_fail(&m->fetch.backoff);

	m->fetched = devset_free(m->fetched);
	m->fetch.err = err;
	m->fetch.next_ms = loop_now_ms(m->loop) + pause_ms;
	log_error("devices cannot be read from the store: %s: tried again in "
		  "%u ms",
		  err_str(err), pause_ms);
	if (loop_timer_set(m->loop, &m->fetch.timer, m->fetch.next_ms) != 0) {
		m->fetch.next_ms = 0;
		log_error("out of memory: the store is asked for its devices "
			  "when it is started anew");
	}
}

void monitor_devices_lost(struct monitor *m)
{
	if (m->devices)
		return;
	(void)backoff_fail(&m->fetch.backoff);
	loop_timer_clear(m->loop, &m->fetch.timer);
	m->fetched = devset_free(m->fetched);
	m->fetch.next_ms = 0;
	m->fetch.err = ERR_CLOSED;
}

static int take_page(struct monitor *m, const struct store_reply *reply)
{
	struct store_change c = {.name = SLICE_NULL};
	struct reader r;
	int err = reply->status;

	reader_init(&r, reply->blob);
	while (!err && store_change_next(&r, &c))
		err = devset_put(m->fetched, c.name, c.text, 0);
	if (!err && !reader_end(&r))
		err = ERR_BAD;
	return !err && !reply->is_last ? ask(m, c.name) : err;
}

void monitor_devices_page(struct monitor *m, const struct store_reply *reply)
{
	int err;

	if (!m->fetched)
		return;
	err = take_page(m, reply);
	if (err) {
		fetch_failed(m, err);
		return;
	}
	if (!reply->is_last)
		return;
	devset_free(m->devices);
	m->devices = m->fetched;
	m->fetched = NULL;
	m->fetch.err = 0;
	backoff_reset(&m->fetch.backoff);
	monitor_devices_ready(m);
}

const char *monitor_devices_why(const struct monitor *m)
{
	return m->fetch.err && m->fetch.err != ERR_CLOSED
		       ? "the store's devices cannot be read: status tells why"
		       : "the store is being started: try again";
}

json_t *monitor_devices_status(const struct monitor *m)
{
	uint64_t now = loop_now_ms(m->loop);
	uint64_t next = m->fetch.next_ms;

	if (!m->fetch.err)
		return NULL;
	return json_pack(
		"{s:s, s:I, s:I}", "error", err_str(m->fetch.err), "failures",
		(json_int_t)m->fetch.backoff.tries, "next-try",
		(json_int_t)(next > now ? (next - now + 999) / 1000 : 0));
}

/* ---- what is changed ------------------------------------------------------------- */

static int put_change(struct buf *b, const struct store_change *c)
{
	size_t len = store_change_len(c);
	uint8_t *bytes = alloc_zero(len);
	struct writer w;
	int err = ERR_NOMEM;

	if (bytes) {
		writer_init(&w, bytes, len);
		store_change_write(&w, c);
		err = buf_add(b, writer_slice(&w), STORE_CHANGES_MAX);
	}
	alloc_free(bytes);
	return err;
}

static int put_all(struct buf *b, const struct devset *ds)
{
	struct list *pos = NULL;
	struct devset_item i;
	int err = 0;

	while (!err && devset_next(ds, &pos, &i)) {
		struct store_change c = {.kind = STORE_CHANGE_PUT,
					 .name = slice_str(i.name),
					 .text = slice_str(i.text)};

		err = put_change(b, &c);
	}
	return err;
}

/* Everything of from, over what is there already. */
static int copy_all(struct devset *to, const struct devset *from, bool has_line)
{
	struct list *pos = NULL;
	struct devset_item i;
	int err = 0;

	while (!err && devset_next(from, &pos, &i))
		err = devset_put(to, slice_str(i.name), slice_str(i.text),
				 has_line ? i.line : 0);
	return err;
}

/* A change on its way. */
struct edit {
	struct devset *next; /* the store's devices afterwards */
	struct buf changes;
	const char *file; /* for messages */
	bool is_dry;
};

static void edit_done(struct edit *e)
{
	e->next = devset_free(e->next);
	buf_done(&e->changes);
}

/* Does the whole still make sense? Messages go to the operator. */
static bool is_sound(struct monitor *m, uint64_t token, const struct edit *e)
{
	struct config_report rep;
	struct config *c = NULL;
	int err;

	config_report_init(&rep);
	err = monitor_config_read(m, e->next, e->file, &rep, &c);
	if (err)
		monitor_refuse(m, token, &rep, err);
	else if (e->is_dry)
		monitor_tell(m, token, c, &rep);
	config_unref(c);
	config_report_done(&rep);
	return !err && !e->is_dry;
}

static void send_changes(struct monitor *m, uint64_t token,
			 enum control_id command, struct edit *e)
{
	struct monitor_child *store = &m->child[MONITOR_STORE];
	struct monitor_asked *a = monitor_ctl_asked(m, token, command);
	struct store_request r = {.op = STORE_OP_DEVICES_CHANGE};
	struct writer w;
	int fd = -1;
	int err = ERR_CLOSED;

	if (!a)
		return;
	r.id = a->number;
	writer_init(&w, m->out, sizeof(m->out));
	store_request_write(&w, &r);
	if (store->channel && setup_config_fd(buf_slice(&e->changes), &fd) == 0)
		err = channel_send_fds(store->channel, writer_slice(&w), &fd,
				       1);
	if (fd >= 0)
		(void)close(fd);
	if (err) {
		monitor_ctl_fail(m, a, "the store process is not running");
		return;
	}
	a->devices = e->next;
	e->next = NULL;
}

/* A change begins with all that the store has, and one goes after the other. */
static bool can_edit(struct monitor *m, uint64_t token)
{
	const char *why = NULL;

	if (!m->devices)
		why = monitor_devices_why(m);
	else if (monitor_ctl_edits(m) || m->pending)
		why = "another change of devices is under way";
	if (why)
		control_fail_text(m->control, token, why);
	return !why;
}

static void run_edit(struct monitor *m, uint64_t token, enum control_id command,
		     struct edit *e)
{
	if (is_sound(m, token, e))
		send_changes(m, token, command, e);
}

void monitor_devices_changed(struct monitor *m, struct monitor_asked *a,
			     int status)
{
	uint64_t token = a->token;

	if (status) {
		monitor_ctl_fail(m, a,
				 status == ERR_SPACE
					 ? "the store's disk is full: nothing "
					   "has changed"
					 : "the store did not take it: nothing "
					   "has changed");
		return;
	}
	devset_free(m->devices);
	m->devices = a->devices;
	a->devices = NULL;
	devset_settle(m->devices);
	a->token = 0;
	monitor_reload(m, token, false);
}

/* ---- import ---------------------------------------------------------------------- */

/* A sealed memory file cannot block the reader, nor change under it. */
static int read_passed(struct monitor *m, uint64_t token, struct buf *ret)
{
	enum { SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };
	int fd = control_take_fd(m->control, token);
	/* -1, which has every bit: what is no memory file has no seals */
	int seals = fd >= 0 ? fcntl(fd, F_GET_SEALS) : -1;
	int err = ERR_BAD;

	if (seals >= 0 && (seals & SEALS) == SEALS)
		err = setup_read_fd(fd, IMPORT_MAX, ret);
	if (fd >= 0)
		(void)close(fd);
	return err;
}

static bool is_arg(const json_t *args, const char *name, const char *value)
{
	const char *v = control_arg_get(args, name);

	return v && strcmp(v, value) == 0;
}

/* What the store has that the file must not, for "device add". */
static const char *already_there(const struct monitor *m,
				 const struct devset *rows)
{
	struct list *pos = NULL;
	struct devset_item i;
	struct devset_item old;

	while (devset_next(rows, &pos, &i))
		if (devset_find(m->devices, slice_str(i.name), &old))
			return old.name;
	return NULL;
}

/* The rows of a file, over what the store has or in place of it. */
static int plan(struct monitor *m, const struct devset *rows, bool is_replace,
		struct edit *e)
{
	static const struct store_change clear = {.kind = STORE_CHANGE_CLEAR};
	int err;

	e->next = devset_new();
	if (!e->next)
		return ERR_NOMEM;
	err = is_replace ? put_change(&e->changes, &clear)
			 : copy_all(e->next, m->devices, false);
	if (!err)
		err = copy_all(e->next, rows, true);
	return err ? err : put_all(&e->changes, rows);
}

static void import(struct monitor *m, uint64_t token, const json_t *args,
		   struct devset *rows)
{
	struct edit e = {.file = control_arg_get(args, "file"),
			 .is_dry = is_arg(args, "dry-run", "yes")};
	const char *there =
		is_arg(args, "mode", "add") ? already_there(m, rows) : NULL;
	int err = 0;

	if (there) {
		control_fail(m->control, token,
			     "device \"%s\" is in the store already", there);
		return;
	}
	err = plan(m, rows, is_arg(args, "mode", "replace"), &e);
	if (err)
		control_fail(m->control, token, "%s",
			     err == ERR_LIMIT ? "too many devices"
					      : err_str(err));
	else
		run_edit(m, token, CONTROL_DEVICE_IMPORT, &e);
	edit_done(&e);
}

void monitor_device_import(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	struct devset *rows;
	struct buf text = {.ptr = NULL};
	struct config_report rep;
	int err;

	if (!can_edit(m, token))
		return;
	rows = devset_new();
	err = rows ? read_passed(m, token, &text) : ERR_NOMEM;
	config_report_init(&rep);
	if (err) {
		control_fail_text(m->control, token,
				  err == ERR_BAD ? "no sealed file came along"
						 : err_str(err));
	} else {
		err = devset_read_csv(rows, buf_slice(&text),
				      control_arg_get(args, "file"), &rep);
		if (err)
			monitor_refuse(m, token, &rep, err);
		else
			import(m, token, args, rows);
	}
	config_report_done(&rep);
	buf_done(&text);
	devset_free(rows);
}

void monitor_device_delete(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	struct slice name = slice_str(control_arg_get(args, "name"));
	struct store_change c = {.kind = STORE_CHANGE_DEL, .name = name};
	struct edit e = {.file = ""};
	int err = ERR_NOMEM;

	if (!can_edit(m, token))
		return;
	e.next = devset_new();
	if (e.next)
		err = copy_all(e.next, m->devices, false);
	if (!err)
		err = devset_del(e.next, name);
	if (!err)
		err = put_change(&e.changes, &c);
	if (err == ERR_NOTFOUND)
		control_fail_text(m->control, token,
				  config_device_find(m->config, name)
					  ? "this device stands in a file: "
					    "delete it there, then reload"
					  : "no such device in the store");
	else if (err)
		control_fail(m->control, token, "%s", err_str(err));
	else
		run_edit(m, token, CONTROL_DEVICE_DELETE, &e);
	edit_done(&e);
}
