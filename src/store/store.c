#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/store_int.h"

enum {
	STORE_APP = 0x53414c59, /* PRAGMA application_id: "SALY" */
	STORE_BUSY_MS = 2000	/* another process holds the lock */
};

static const char schema[] =
	"BEGIN;"
	"CREATE TABLE credentials("
	" realm TEXT NOT NULL, user TEXT NOT NULL, blob BLOB NOT NULL,"
	" created INTEGER NOT NULL, changed INTEGER NOT NULL,"
	" PRIMARY KEY(realm, user)) WITHOUT ROWID, STRICT;" STORE_DEVICES_SCHEMA
	"PRAGMA application_id=1396788313;"
	"PRAGMA user_version=2;"
	"COMMIT;";

/* Version 1 had no devices. */
static const char upgrade[] =
	"BEGIN;" STORE_DEVICES_SCHEMA "PRAGMA user_version=2;"
	"COMMIT;";

/* Apart from the schema: a program that does not know it is not disturbed. */
static const char lsc_table[] =
	"CREATE TABLE IF NOT EXISTS lsc(device TEXT PRIMARY KEY NOT NULL,"
	" since INTEGER NOT NULL) WITHOUT ROWID, STRICT";

_Static_assert(STORE_APP == 1396788313, "the number in the schema");

static const char *const sql[STATEMENTS] = {
	[GET] = "SELECT blob FROM credentials WHERE realm=?1 AND user=?2",
	[PUT] = ("INSERT INTO credentials(realm, user, blob, created, changed)"
		 " VALUES(?1, ?2, ?3, ?4, ?4) ON CONFLICT(realm, user)"
		 " DO UPDATE SET blob=excluded.blob, changed=excluded.changed"),
	[DEL] = "DELETE FROM credentials WHERE realm=?1 AND user=?2",
	[LIST] = ("SELECT realm, user, created, changed FROM credentials"
		  " WHERE (realm, user) > (?1, ?2) ORDER BY realm, user"),
	[COUNT] = "SELECT count(*) FROM credentials",
	[LSC_PUT] = "INSERT OR IGNORE INTO lsc(device, since) VALUES(?1, ?2)",
	[LSC_GET] = "SELECT since FROM lsc WHERE device=?1",
	[LSC_DEL] = "DELETE FROM lsc WHERE device=?1",
	[DEVICE_PUT] = ("INSERT INTO devices(name, options, changed)"
			" VALUES(?1, ?2, ?3) ON CONFLICT(name) DO UPDATE"
			" SET options=excluded.options,"
			" changed=excluded.changed"),
	[DEVICE_DEL] = "DELETE FROM devices WHERE name=?1",
	[DEVICE_CLEAR] = "DELETE FROM devices",
	[DEVICE_LIST] = ("SELECT name, options FROM devices WHERE name > ?1"
			 " ORDER BY name"),
};

/* ---- opening --------------------------------------------------------- */

static int refuse(int err, char *reterr, const char *path, const char *why)
{
	if (reterr)
		(void)snprintf(reterr, STORE_MESSAGE_MAX, "%s: %s", path, why);
	return err;
}

int store_err(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_FULL:
		return ERR_SPACE;
	case SQLITE_NOMEM:
		return ERR_NOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_BAD;
	default:
		return ERR_IO;
	}
}

static int first_text(void *ctx, int n, char **value, char **name)
{
	char *buf = ctx;

	(void)name;
	if (n > 0 && value[0])
		(void)snprintf(buf, STORE_MESSAGE_MAX, "%s", value[0]);
	return 0;
}

/* First column of the last row of a pragma into buf (STORE_MESSAGE_MAX). */
static int pragma(sqlite3 *db, const char *text, char *buf)
{
	buf[0] = '\0';
	return sqlite3_exec(db, text, first_text, buf, NULL);
}

static int pragma_is(sqlite3 *db, const char *text, const char *wanted)
{
	char buf[STORE_MESSAGE_MAX];
	int rc = pragma(db, text, buf);

	if (rc != SQLITE_OK)
		return store_err(rc);
	return strcmp(buf, wanted) == 0 ? 0 : ERR_BAD;
}

/* A new file is made by us, so that nobody else can ever read it. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? 0 : ERR_IO;
	(void)close(fd);
	return 0;
}

/* Is it ours, whole and of our version? Reads only. */
static int examine(struct store *s, const char *path, char *reterr,
		   bool *ret_is_new, bool *ret_is_old)
{
	char version[STORE_MESSAGE_MAX];
	char app[STORE_MESSAGE_MAX];
	char things[STORE_MESSAGE_MAX];
	int rc = pragma(s->db, "PRAGMA user_version", version);

	if (rc == SQLITE_OK)
		rc = pragma(s->db, "PRAGMA application_id", app);
	if (rc == SQLITE_OK)
		rc = pragma(s->db, "SELECT count(*) FROM sqlite_master",
			    things);
	if ((rc & 0xff) == SQLITE_BUSY)
		return refuse(ERR_IO, reterr, path,
			      "in use by another process");
	if (rc != SQLITE_OK)
		return refuse(store_err(rc), reterr, path,
			      "no database, or damaged: put a copy back, or "
			      "move it away to begin with an empty one");
	/* Going to WAL writes a first page before there is a schema: whoever
	 * is stopped there leaves a database without anything in it. */
	*ret_is_new = strcmp(app, "0") == 0 && strcmp(version, "0") == 0 &&
		      strcmp(things, "0") == 0;
	if (*ret_is_new)
		return 0;
	if (strcmp(app, "1396788313") != 0)
		return refuse(ERR_BAD, reterr, path,
			      "a database of another program");
	*ret_is_old = strcmp(version, "1") == 0;
	if (strcmp(version, "2") != 0 && !*ret_is_old)
		return refuse(ERR_BAD, reterr, path,
			      "written by another version of Sallyport");
	if (pragma_is(s->db, "PRAGMA quick_check(1)", "ok"))
		return refuse(ERR_BAD, reterr, path,
			      "damaged: put a copy back, or move it away to "
			      "begin with an empty one");
	return 0;
}

/*
 * Locked for us alone: no shared memory file, all descriptors are open before
 * the sandbox closes, and a second daemon is told.
 */
static int set_up(struct store *s, bool is_new, bool is_old)
{
	char buf[STORE_MESSAGE_MAX];
	int rc = sqlite3_exec(s->db,
			      "PRAGMA secure_delete=ON;"
			      "PRAGMA journal_size_limit=4194304",
			      NULL, NULL, NULL);
	int err;

	if (rc != SQLITE_OK)
		return store_err(rc);
	err = pragma_is(s->db, "PRAGMA journal_mode=WAL", "wal");
	if (err)
		return err == ERR_BAD ? ERR_IO : err;
	rc = pragma(s->db, "PRAGMA synchronous=FULL", buf);
	if (rc == SQLITE_OK && is_new)
		rc = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, lsc_table, NULL, NULL, NULL);
	if (rc == SQLITE_OK && is_old)
		rc = sqlite3_exec(s->db, upgrade, NULL, NULL, NULL);
	for (int i = 0; rc == SQLITE_OK && i < STATEMENTS; i++)
		rc = sqlite3_prepare_v3(s->db, sql[i], -1,
					SQLITE_PREPARE_PERSISTENT, &s->stmt[i],
					NULL);
	return store_err(rc);
}

/* Opens without making changes to what is there. */
static int open_db(struct store *s, const char *path, char *reterr)
{
	int rc;

	if (make_file(path))
		return refuse(ERR_IO, reterr, path, strerror(errno));
	rc = sqlite3_open_v2(path, &s->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				     SQLITE_OPEN_NOFOLLOW |
				     SQLITE_OPEN_EXRESCODE,
			     NULL);
	if (rc != SQLITE_OK)
		return refuse(store_err(rc), reterr, path, sqlite3_errstr(rc));
	if (sqlite3_db_readonly(s->db, "main"))
		return refuse(ERR_IO, reterr, path,
			      "may be read only: check owner and mode");
	(void)sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	rc = sqlite3_exec(s->db,
			  "PRAGMA locking_mode=EXCLUSIVE;"
			  "PRAGMA temp_store=MEMORY;PRAGMA mmap_size=0;"
			  "PRAGMA cell_size_check=ON",
			  NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0
			       : refuse(store_err(rc), reterr, path,
					sqlite3_errmsg(s->db));
}

int store_open(const char *path, struct store **ret_store, char *reterr_message)
{
	struct store *s = alloc_zero(sizeof(*s));
	bool is_new = false;
	bool is_old = false;
	int err;

	if (!s)
		return refuse(ERR_NOMEM, reterr_message, path, "out of memory");
	err = open_db(s, path, reterr_message);
	if (!err)
		err = examine(s, path, reterr_message, &is_new, &is_old);
	if (!err) {
		err = set_up(s, is_new, is_old);
		if (err)
			(void)refuse(err, reterr_message, path,
				     sqlite3_errmsg(s->db));
	}
	if (err)
		store_close(s);
	else
		*ret_store = s;
	return err;
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(s->stmt[i]);
	(void)sqlite3_close_v2(s->db);
	return alloc_free(s);
}

const char *store_error(const struct store *s)
{
	return sqlite3_errmsg(s->db);
}

/* ---- reading and writing --------------------------------------------- */

bool store_is_name(struct slice s)
{
	return s.len >= 1 && s.len <= STORE_NAME_MAX &&
	       memchr(s.ptr, 0, s.len) == NULL;
}

int store_bind_text(sqlite3_stmt *q, int at, struct slice s)
{
	return sqlite3_bind_text(q, at, s.ptr ? (const char *)s.ptr : "",
				 (int)s.len, SQLITE_STATIC);
}

static int bind_names(sqlite3_stmt *q, struct slice realm, struct slice user)
{
	int rc = store_bind_text(q, 1, realm);

	return rc == SQLITE_OK ? store_bind_text(q, 2, user) : rc;
}

/* Release the row and the caller's bytes. */
void store_finish(sqlite3_stmt *q)
{
	(void)sqlite3_reset(q);
	(void)sqlite3_clear_bindings(q);
}

int store_get(struct store *s, struct slice user, struct slice realm,
	      uint8_t *buf, size_t *ret_len)
{
	sqlite3_stmt *q = s->stmt[GET];
	int rc, len, err;

	if (!store_is_name(user) || !store_is_name(realm))
		return ERR_NOTFOUND;
	rc = bind_names(q, realm, user);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	if (rc == SQLITE_ROW) {
		len = sqlite3_column_bytes(q, 0);
		err = len > 0 && len <= STORE_BLOB_MAX ? 0 : ERR_IO;
		if (!err) {
			memcpy(buf, sqlite3_column_blob(q, 0), (size_t)len);
			*ret_len = (size_t)len;
		}
	} else {
		err = rc == SQLITE_DONE ? ERR_NOTFOUND : store_err(rc);
	}
	store_finish(q);
	return err;
}

/* Is there room for one more? Only asked for names that are not there. */
static int check_room(struct store *s, const struct store_credential *c)
{
	uint8_t blob[STORE_BLOB_MAX];
	sqlite3_stmt *q = s->stmt[COUNT];
	size_t len;
	int err = store_get(s, c->user, c->realm, blob, &len);

	if (err != ERR_NOTFOUND)
		return err;
	err = sqlite3_step(q) == SQLITE_ROW ? 0 : ERR_IO;
	if (!err && sqlite3_column_int64(q, 0) >= STORE_USERS_MAX)
		err = ERR_LIMIT;
	store_finish(q);
	return err;
}

int store_put(struct store *s, const struct store_credential *c)
{
	sqlite3_stmt *q = s->stmt[PUT];
	int rc, err;

	if (!store_is_name(c->user) || !store_is_name(c->realm) ||
	    c->blob.len == 0 || c->blob.len > STORE_BLOB_MAX)
		return ERR_BAD;
	err = check_room(s, c);
	if (err)
		return err;
	rc = bind_names(q, c->realm, c->user);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(q, 3, c->blob.ptr, (int)c->blob.len,
				       SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(q, 4, (sqlite3_int64)c->changed_s);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	store_finish(q);
	return store_err(rc);
}

int store_delete(struct store *s, struct slice user, struct slice realm)
{
	sqlite3_stmt *q = s->stmt[DEL];
	int rc;

	if (!store_is_name(user) || !store_is_name(realm))
		return ERR_NOTFOUND;
	rc = bind_names(q, realm, user);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	store_finish(q);
	if (rc != SQLITE_DONE)
		return store_err(rc);
	return sqlite3_changes(s->db) > 0 ? 0 : ERR_NOTFOUND;
}

struct slice store_column(sqlite3_stmt *q, int at)
{
	const void *p = sqlite3_column_text(q, at);

	return slice_make(p, (size_t)sqlite3_column_bytes(q, at));
}

int store_list(struct store *s, struct slice after_user,
	       struct slice after_realm,
	       bool (*fn)(void *ctx, const struct store_credential *c),
	       void *ctx)
{
	sqlite3_stmt *q = s->stmt[LIST];
	int rc = bind_names(q, after_realm, after_user);

	if (rc != SQLITE_OK) {
		store_finish(q);
		return store_err(rc);
	}
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct store_credential c = {
			.realm = store_column(q, 0),
			.user = store_column(q, 1),
			.created_s = (uint64_t)sqlite3_column_int64(q, 2),
			.changed_s = (uint64_t)sqlite3_column_int64(q, 3),
		};

		if (!fn(ctx, &c)) {
			rc = SQLITE_DONE;
			break;
		}
	}
	store_finish(q);
	return store_err(rc);
}

/* ---- devices that have shown an LSC -------------------------------------- */

/* Run a statement about device; SQLite's result. */
static int lsc_step(struct store *s, enum store_statement which,
		    struct slice device, uint64_t now_s)
{
	sqlite3_stmt *q = s->stmt[which];
	int rc = store_bind_text(q, 1, device);

	if (rc == SQLITE_OK && which == LSC_PUT)
		rc = sqlite3_bind_int64(q, 2, (sqlite3_int64)now_s);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	store_finish(q);
	return rc;
}

int store_lsc_put(struct store *s, struct slice device, uint64_t now_s)
{
	if (!store_is_name(device))
		return ERR_BAD;
	return store_err(lsc_step(s, LSC_PUT, device, now_s));
}

int store_lsc_get(struct store *s, struct slice device)
{
	int rc;

	if (!store_is_name(device))
		return ERR_NOTFOUND;
	rc = lsc_step(s, LSC_GET, device, 0);
	return rc == SQLITE_DONE ? ERR_NOTFOUND : store_err(rc);
}

int store_lsc_del(struct store *s, struct slice device)
{
	int rc;

	if (!store_is_name(device))
		return ERR_NOTFOUND;
	rc = lsc_step(s, LSC_DEL, device, 0);
	if (rc != SQLITE_DONE)
		return store_err(rc);
	return sqlite3_changes(s->db) > 0 ? 0 : ERR_NOTFOUND;
}
