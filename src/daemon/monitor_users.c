/*
 * Credentials of phones' users and of call managers' realms: the keys process
 * seals, the store keeps.
 */
#include <stdlib.h>
#include <string.h>

#include "authn/digest.h"
#include "base/text.h"
#include "control/rows.h"
#include "daemon/monitor.h"

static void ask_store(struct monitor *m, struct monitor_asked *a,
		      struct store_request *r)
{
	struct monitor_child *store = &m->child[MONITOR_STORE];
	struct writer w;

	r->id = a->number;
	writer_init(&w, m->out, sizeof(m->out));
	store_request_write(&w, r);
	if (!store->channel || !writer_ok(&w) ||
	    channel_send(store->channel, writer_slice(&w)) != 0)
		monitor_ctl_fail(m, a, "the store process is not running");
}

static const char *realm_of(const struct monitor *m, const json_t *args)
{
	const char *realm = control_arg_get(args, "realm");

	return realm && realm[0] != '\0' ? realm : m->config->realm;
}

/* HA1s as they came from the tool; their text lives in args, which the control
 * server wipes. */
static uint8_t take_ha1s(const json_t *args, struct keys_ha1 *ret)
{
	static const struct {
		const char *name;
		enum digest_alg alg;
	} rows[] = {{"md5", DIGEST_MD5},
		    {"sha256", DIGEST_SHA256},
		    {"sha512-256", DIGEST_SHA512_256}};
	uint8_t n = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *hex = control_arg_get(args, rows[i].name);

		if (hex && strlen(hex) == digest_hex_len(rows[i].alg))
			ret[n++] = (struct keys_ha1){(uint8_t)rows[i].alg,
						     slice_str(hex)};
	}
	return n;
}

/*
 * Seal, then ask the store whether the user is there: "add" must not replace
 * somebody by a slip of the name, "passwd" must not make somebody.
 */
static void put_user(struct monitor *m, uint64_t token, const json_t *args,
		     enum control_id command)
{
	struct keys_request seal = {.op = KEYS_OP_SEAL};
	struct store_request get = {.op = STORE_OP_GET};
	struct monitor_asked *a = monitor_ctl_asked(m, token, command);
	struct writer w;
	int err = ERR_CLOSED;

	if (!a)
		return;
	seal.user = slice_str(control_arg_get(args, "name"));
	seal.realm = slice_str(realm_of(m, args));
	seal.ha1_count = take_ha1s(args, seal.ha1);
	if (seal.ha1_count == 0 ||
	    text_copy(seal.user, a->user, sizeof(a->user)) != 0 ||
	    text_copy(seal.realm, a->realm, sizeof(a->realm)) != 0) {
		monitor_ctl_fail(m, a,
				 "name, realm or password hash is unusable");
		return;
	}
	writer_init(&w, a->blob, sizeof(a->blob));
	if (m->keys)
		err = keys_client_seal(m->keys, &seal, &w);
	if (err) {
		monitor_ctl_fail(m, a,
				 "the keys process did not seal the password");
		return;
	}
	a->blob_len = w.len;
	get.user = slice_str(a->user);
	get.realm = slice_str(a->realm);
	ask_store(m, a, &get);
}

/* The store has told whether the user is there. */
static void put_user_now(struct monitor *m, struct monitor_asked *a, int status)
{
	struct store_request put = {.op = STORE_OP_PUT,
				    .user = slice_str(a->user),
				    .realm = slice_str(a->realm),
				    .blob = slice_make(a->blob, a->blob_len)};
	bool is_add = a->command == CONTROL_USER_ADD;

	if (is_add && status == 0) {
		monitor_ctl_fail(m, a, "this user exists: use \"user passwd\"");
	} else if (status == (is_add ? ERR_NOTFOUND : 0)) {
		a->blob_len = 0;
		ask_store(m, a, &put);
	} else {
		monitor_ctl_fail(m, a,
				 status == ERR_NOTFOUND
					 ? "no such user in this realm: use "
					   "\"user add\""
					 : "the store cannot be read");
	}
}

static void on_user_add(void *ctx, uint64_t token, const json_t *args)
{
	put_user(ctx, token, args, CONTROL_USER_ADD);
}

static void on_user_passwd(void *ctx, uint64_t token, const json_t *args)
{
	put_user(ctx, token, args, CONTROL_USER_PASSWD);
}

static void on_user_delete(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	struct monitor_asked *a =
		monitor_ctl_asked(m, token, CONTROL_USER_DELETE);
	struct store_request r = {.op = STORE_OP_DEL};

	if (!a)
		return;
	r.user = slice_str(control_arg_get(args, "name"));
	r.realm = slice_str(realm_of(m, args));
	ask_store(m, a, &r);
}

static void on_reset_lsc(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	struct monitor_asked *a =
		monitor_ctl_asked(m, token, CONTROL_DEVICE_RESET_LSC);
	struct store_request r = {.op = STORE_OP_LSC_DEL};

	if (!a)
		return;
	r.user = slice_str(control_arg_get(args, "name"));
	ask_store(m, a, &r);
}

static void on_user_list(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	struct monitor_asked *a =
		monitor_ctl_asked(m, token, CONTROL_USER_LIST);
	struct store_request r = {.op = STORE_OP_LIST};

	(void)args;
	if (a)
		ask_store(m, a, &r);
}

/* What answers a call manager's challenges: sealed, then kept in place of what
 * was there. */
static void on_realm_add(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	struct keys_request seal = {.op = KEYS_OP_SEAL_REALM};
	struct store_request put = {.op = STORE_OP_PUT};
	struct monitor_asked *a =
		monitor_ctl_asked(m, token, CONTROL_REALM_ADD);
	uint8_t blob[KEYS_BLOB_MAX];
	struct writer w;
	int err = ERR_CLOSED;

	if (!a)
		return;
	seal.user = slice_str(control_arg_get(args, "user"));
	seal.realm = slice_str(control_arg_get(args, "realm"));
	seal.data = slice_str(control_arg_get(args, "password"));
	/* They stand between quotes in a header. */
	if (memchr(seal.user.ptr, '"', seal.user.len) ||
	    memchr(seal.user.ptr, '\\', seal.user.len) ||
	    memchr(seal.realm.ptr, '"', seal.realm.len)) {
		monitor_ctl_fail(m, a, "user and realm must not hold quotes");
		return;
	}
	writer_init(&w, blob, sizeof(blob));
	if (m->keys)
		err = keys_client_seal_realm(m->keys, &seal, &w);
	if (err) {
		monitor_ctl_fail(m, a,
				 "the keys process did not seal the password");
		return;
	}
	put.user = slice_str(STORE_REALM_USER);
	put.realm = seal.realm;
	put.blob = writer_slice(&w);
	ask_store(m, a, &put);
}

static void on_realm_delete(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	struct monitor_asked *a =
		monitor_ctl_asked(m, token, CONTROL_REALM_DELETE);
	struct store_request r = {.op = STORE_OP_DEL,
				  .user = slice_str(STORE_REALM_USER)};

	if (!a)
		return;
	r.realm = slice_str(control_arg_get(args, "realm"));
	ask_store(m, a, &r);
}

static void on_realm_list(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	struct monitor_asked *a =
		monitor_ctl_asked(m, token, CONTROL_REALM_LIST);
	struct store_request r = {.op = STORE_OP_LIST};

	(void)args;
	if (a)
		ask_store(m, a, &r);
}

/* One page of users; the next is asked for after its last. */
static void reply_users(struct monitor *m, struct monitor_asked *a,
			const struct store_reply *reply)
{
	struct store_request next = {.op = STORE_OP_LIST};
	json_t *rows = json_array();
	struct store_item item;
	struct reader r;
	char *text;
	int err = ERR_NOMEM;

	reader_init(&r, reply->blob);
	while (store_item_next(&r, &item)) {
		struct row_user row = {.user = item.user,
				       .realm = item.realm,
				       .created_s = item.created_s,
				       .changed_s = item.changed_s};

		/* Users of phones and realms of call managers are one table. */
		if (slice_eqs(item.user, STORE_REALM_USER) ==
		    (a->command == CONTROL_REALM_LIST))
			(void)json_array_append_new(rows, row_user(&row));
		next.user = item.user;
		next.realm = item.realm;
	}
	text = json_dumps(rows, JSON_COMPACT);
	json_decref(rows);
	if (text)
		err = control_reply_rows(m->control, a->token, slice_str(text),
					 reply->is_last);
	free(text);
	if (err || reply->is_last)
		a->token = 0;
	else
		ask_store(m, a, &next);
}

void monitor_ctl_store(struct monitor *m, const struct store_reply *reply)
{
	struct monitor_asked *a = monitor_ctl_find(m, (uint32_t)reply->id);
	enum control_id command;
	uint64_t token;

	if (reply->op == STORE_OP_DEVICES) {
		monitor_devices_page(m, reply);
		return;
	}
	if (!a)
		return;
	if (reply->op == STORE_OP_DEVICES_CHANGE) {
		monitor_devices_changed(m, a, reply->status);
		return;
	}
	token = a->token;
	if (reply->op == STORE_OP_GET && a->blob_len > 0) {
		put_user_now(m, a, reply->status);
		return;
	}
	if (reply->status == 0 && reply->op == STORE_OP_LIST) {
		reply_users(m, a, reply);
		return;
	}
	command = a->command;
	a->token = 0;
	if (reply->status == 0)
		control_reply(m->control, token, json_object());
	else if (reply->status == ERR_NOTFOUND)
		control_fail(m->control, token, "%s",
			     reply->op == STORE_OP_LSC_DEL
				     ? "this device has shown no LSC"
			     : command == CONTROL_REALM_DELETE
				     ? "no such realm"
				     : "no such user in this realm");
	else
		control_fail(m->control, token, "store: %s",
			     err_str(reply->status));
}

void monitor_users_fill(control_fn *handler)
{
	handler[CONTROL_USER_ADD] = on_user_add;
	handler[CONTROL_USER_PASSWD] = on_user_passwd;
	handler[CONTROL_USER_LIST] = on_user_list;
	handler[CONTROL_USER_DELETE] = on_user_delete;
	handler[CONTROL_DEVICE_RESET_LSC] = on_reset_lsc;
	handler[CONTROL_REALM_ADD] = on_realm_add;
	handler[CONTROL_REALM_LIST] = on_realm_list;
	handler[CONTROL_REALM_DELETE] = on_realm_delete;
}
