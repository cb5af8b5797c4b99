#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

enum {
	STATE_VERSION = 1, /* PRAGMA user_version */
	PATH_MAX_LEN = 512
};

enum statement {
	HAS,
	PUT,
	DEL,
	MARK,
	UNMARK,
	UNMARK_ALL,
	SWEEP,
	MARKED,
	LIST,
	COUNT,
	ALIVE,
	BEGIN,
	COMMIT,
	ROLLBACK,
	STATEMENTS
};

struct state {
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENTS];
	uint32_t workers;
	uint32_t rows_max;
	uint32_t count;
	bool is_open;	/* a transaction */
	bool *is_whole; /* by worker: nothing failed since its mark */
};

static const char schema[] =
	"BEGIN;"
	"CREATE TABLE state("
	" worker INTEGER NOT NULL, key BLOB NOT NULL, blob BLOB NOT NULL,"
	" PRIMARY KEY(worker, key)) WITHOUT ROWID, STRICT;"
	"CREATE TABLE life(boot TEXT NOT NULL, alive INTEGER NOT NULL) STRICT;"
	"INSERT INTO life VALUES('', 0);"
	"PRAGMA user_version=1;"
	"COMMIT;";

/* Marks die with the process: whoever comes after it is told all anew. */
static const char marks[] = "CREATE TEMP TABLE mark("
			    " worker INTEGER NOT NULL, key BLOB NOT NULL,"
			    " PRIMARY KEY(worker, key)) WITHOUT ROWID, STRICT;";

static const char *const sql[STATEMENTS] = {
	[HAS] = "SELECT 1 FROM state WHERE worker=?1 AND key=?2",
	[PUT] = ("INSERT INTO state(worker, key, blob) VALUES(?1, ?2, ?3)"
		 " ON CONFLICT(worker, key) DO UPDATE SET"
		 " blob=excluded.blob"),
	[DEL] = "DELETE FROM state WHERE worker=?1 AND key=?2",
	[MARK] = ("INSERT INTO mark(worker, key)"
		  " SELECT worker, key FROM state WHERE worker=?1"),
	[UNMARK] = "DELETE FROM mark WHERE worker=?1 AND key=?2",
	[UNMARK_ALL] = "DELETE FROM mark WHERE worker=?1",
	[SWEEP] = ("DELETE FROM state WHERE worker=?1 AND key IN"
		   " (SELECT key FROM mark WHERE worker=?1)"),
	[MARKED] = "SELECT count(*) FROM mark",
	[LIST] = ("SELECT key, blob FROM state WHERE worker=?1 AND key > ?2"
		  " ORDER BY key"),
	[COUNT] = "SELECT count(*) FROM state",
	[ALIVE] = "UPDATE life SET alive=?1",
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
};

static int err_of(int rc)
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
	default:
		return ERR_IO;
	}
}

/* ---- opening ----------------------------------------------------------- */

static void close_db(struct state *s)
{
	for (int i = 0; i < STATEMENTS; i++) {
		(void)sqlite3_finalize(s->stmt[i]);
		s->stmt[i] = NULL;
	}
	(void)sqlite3_close_v2(s->db);
	s->db = NULL;
}

/* The one number, or text, that a query gives; empty: there is none. */
static int query(sqlite3 *db, const char *text, char *buf, size_t cap)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_prepare_v2(db, text, -1, &q, NULL);

	buf[0] = '\0';
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	if (rc == SQLITE_ROW && sqlite3_column_text(q, 0))
		(void)snprintf(buf, cap, "%s",
			       (const char *)sqlite3_column_text(q, 0));
	(void)sqlite3_finalize(q);
	return err_of(rc);
}

static int open_db(struct state *s, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return ERR_IO;
	(void)close(fd);
	rc = sqlite3_open_v2(path, &s->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				     SQLITE_OPEN_NOFOLLOW |
				     SQLITE_OPEN_EXRESCODE,
			     NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db,
				  "PRAGMA locking_mode=EXCLUSIVE;"
				  "PRAGMA temp_store=MEMORY;PRAGMA mmap_size=0;"
				  "PRAGMA cell_size_check=ON;"
				  "PRAGMA journal_mode=WAL;"
				  "PRAGMA synchronous=OFF;"
				  "PRAGMA journal_size_limit=16777216",
				  NULL, NULL, NULL);
	return err_of(rc);
}

static int make_schema(struct state *s)
{
	char version[32];
	char things[32];
	int err = query(s->db, "PRAGMA user_version", version, sizeof(version));

	if (!err)
		err = query(s->db, "SELECT count(*) FROM sqlite_master", things,
			    sizeof(things));
	if (err)
		return err;
	if (strcmp(things, "0") == 0)
		return err_of(sqlite3_exec(s->db, schema, NULL, NULL, NULL));
	if (strcmp(version, "1") != 0)
		return ERR_BAD;
	err = query(s->db, "PRAGMA quick_check(1)", things, sizeof(things));
	return err || strcmp(things, "ok") == 0 ? err : ERR_BAD;
}

static int prepare(struct state *s)
{
	int rc = sqlite3_exec(s->db, marks, NULL, NULL, NULL);

	for (int i = 0; rc == SQLITE_OK && i < STATEMENTS; i++)
		rc = sqlite3_prepare_v3(s->db, sql[i], -1,
					SQLITE_PREPARE_PERSISTENT, &s->stmt[i],
					NULL);
	return err_of(rc);
}

static int open_once(struct state *s, const char *path)
{
	int err = open_db(s, path);

	if (!err)
		err = make_schema(s);
	if (!err)
		err = prepare(s);
	if (err)
		close_db(s);
	return err;
}

/* Nothing in it is worth more than a fresh beginning. */
static void remove_files(const char *path)
{
	static const char *const tail[] = {"", "-wal", "-shm"};
	char name[PATH_MAX_LEN];

	for (size_t i = 0; i < sizeof(tail) / sizeof(tail[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, tail[i]);
		(void)unlink(name);
	}
}

/* Run text with one text and one number. */
static int run(struct state *s, const char *text, const char *first,
	       uint64_t second)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_prepare_v2(s->db, text, -1, &q, NULL);

	if (rc == SQLITE_OK && first)
		rc = sqlite3_bind_text(q, 1, first, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(q, first ? 2 : 1,
					(sqlite3_int64)second);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	(void)sqlite3_finalize(q);
	return err_of(rc);
}

/* Where a transaction was rolled back nobody has counted. */
static int recount(struct state *s)
{
	sqlite3_stmt *q = s->stmt[COUNT];
	int rc = sqlite3_step(q);

	if (rc == SQLITE_ROW)
		s->count = (uint32_t)sqlite3_column_int64(q, 0);
	(void)sqlite3_reset(q);
	return err_of(rc);
}

/* Drop what is of another boot, too old, or nobody's. */
static int age(struct state *s, const struct state_params *p, char *ret_message)
{
	char boot[STATE_BOOT_MAX];
	char alive[32];
	const char *why = NULL;
	int err = query(s->db, "SELECT boot FROM life", boot, sizeof(boot));
	uint64_t at;

	if (!err)
		err = query(s->db, "SELECT alive FROM life", alive,
			    sizeof(alive));
	if (err)
		return err;
	at = strtoull(alive, NULL, 10);
	if (strcmp(boot, p->boot) != 0)
		why = "of another boot of the system";
	else if (at > p->now_s || p->now_s - at > p->lease_s)
		why = "older than restart-lease";
	if (!why)
		err = run(s, "DELETE FROM state WHERE worker >= ?1", NULL,
			  p->workers);
	else
		err = err_of(sqlite3_exec(s->db, "DELETE FROM state", NULL,
					  NULL, NULL));
	if (why && boot[0] && sqlite3_changes(s->db) > 0)
		(void)snprintf(ret_message, STATE_MESSAGE_MAX,
			       "%d saved calls, registrations and "
			       "subscriptions are %s: "
			       "dropped",
			       sqlite3_changes(s->db), why);
	if (!err)
		err = run(s, "UPDATE life SET boot=?1, alive=?2", p->boot,
			  p->now_s);
	return err ? err : recount(s);
}

int state_open(const struct state_params *p, struct state **ret,
	       char *ret_message)
{
	struct state *s = alloc_zero(sizeof(*s));
	int err;

	ret_message[0] = '\0';
	if (!s)
		return ERR_NOMEM;
	s->workers = p->workers;
	s->rows_max = p->rows_max;
	s->is_whole = alloc_array(p->workers, sizeof(*s->is_whole));
	if (!s->is_whole) {
		alloc_free(s);
		return ERR_NOMEM;
	}
	err = open_once(s, p->path);
	if (err && err != ERR_NOMEM) {
		(void)snprintf(ret_message, STATE_MESSAGE_MAX,
			       "%s: damaged or of another version: begun anew",
			       p->path);
		remove_files(p->path);
		err = open_once(s, p->path);
	}
	if (!err)
		err = age(s, p, ret_message);
	if (err) {
		(void)snprintf(ret_message, STATE_MESSAGE_MAX, "%s: %s",
			       p->path,
			       s->db ? sqlite3_errmsg(s->db) : strerror(errno));
		close_db(s);
		alloc_free(s->is_whole);
		alloc_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

struct state *state_close(struct state *s)
{
	if (!s)
		return NULL;
	if (s->is_open)
		(void)sqlite3_step(s->stmt[COMMIT]);
	close_db(s);
	alloc_free(s->is_whole);
	return alloc_free(s);
}

const char *state_error(const struct state *s)
{
	return sqlite3_errmsg(s->db);
}

uint32_t state_count(const struct state *s)
{
	return s->count;
}

/* ---- reading and writing ------------------------------------------------- */

static void finish(sqlite3_stmt *q)
{
	(void)sqlite3_reset(q);
	(void)sqlite3_clear_bindings(q);
}

static int step(struct state *s, enum statement which)
{
	int rc = sqlite3_step(s->stmt[which]);

	finish(s->stmt[which]);
	return err_of(rc);
}

/* What was saved anew, by whomever, may not be there: nobody sweeps. */
static int forbid_sweeps(struct state *s, int err)
{
	if (err)
		memset(s->is_whole, 0, s->workers * sizeof(*s->is_whole));
	return err;
}

static int begin(struct state *s)
{
	int err = s->is_open ? 0 : step(s, BEGIN);

	if (!err)
		s->is_open = true;
	return forbid_sweeps(s, err);
}

static int bind(sqlite3_stmt *q, uint32_t worker, struct slice key)
{
	int rc = sqlite3_bind_int64(q, 1, worker);

	if (rc != SQLITE_OK)
		return rc;
	return sqlite3_bind_blob(q, 2, key.ptr ? key.ptr : (const uint8_t *)"",
				 (int)key.len, SQLITE_STATIC);
}

static bool is_key(const struct state *s, uint32_t worker, struct slice key)
{
	return worker < s->workers && key.len > 0 && key.len <= STATE_KEY_MAX;
}

/* A statement failed: with a full disk SQLite may have rolled the transaction
 * back by itself. */
static int failed(struct state *s, int err)
{
	if (err && sqlite3_get_autocommit(s->db)) {
		s->is_open = false;
		(void)recount(s);
	}
	return forbid_sweeps(s, err);
}

static bool has(struct state *s, uint32_t worker, struct slice key)
{
	sqlite3_stmt *q = s->stmt[HAS];
	bool found = bind(q, worker, key) == SQLITE_OK &&
		     sqlite3_step(q) == SQLITE_ROW;

	finish(q);
	return found;
}

/* What is to be swept takes no place, but that has an end too. */
static bool is_full(struct state *s)
{
	sqlite3_stmt *q = s->stmt[MARKED];
	uint64_t marked = 0;

	if (s->count < s->rows_max)
		return false;
	if (sqlite3_step(q) == SQLITE_ROW)
		marked = (uint64_t)sqlite3_column_int64(q, 0);
	finish(q);
	if (marked > s->rows_max)
		marked = s->rows_max;
	return s->count >= s->rows_max + marked;
}

/* rc: of binding q, which changes marks. */
static int change_marks(struct state *s, sqlite3_stmt *q, int rc)
{
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	finish(q);
	return rc == SQLITE_DONE ? 0 : failed(s, err_of(rc));
}

static int change_all_marks(struct state *s, enum statement which,
			    uint32_t worker)
{
	sqlite3_stmt *q = s->stmt[which];

	return change_marks(s, q, sqlite3_bind_int64(q, 1, worker));
}

int state_put(struct state *s, uint32_t worker, struct slice key,
	      struct slice blob)
{
	sqlite3_stmt *q = s->stmt[PUT];
	bool is_new;
	int err, rc;

	if (!is_key(s, worker, key) || blob.len == 0 ||
	    blob.len > STATE_BLOB_MAX)
		return ERR_BAD;
	is_new = !has(s, worker, key);
	if (is_new && is_full(s))
		return ERR_LIMIT;
	err = begin(s);
	if (err)
		return err;
	rc = bind(q, worker, key);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(q, 3, blob.ptr, (int)blob.len,
				       SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	finish(q);
	if (rc != SQLITE_DONE)
		return failed(s, err_of(rc));
	s->count += is_new;
	q = s->stmt[UNMARK];
	return s->is_whole[worker] ? change_marks(s, q, bind(q, worker, key))
				   : 0;
}

/* rc: of binding q, which deletes. */
static int delete_bound(struct state *s, sqlite3_stmt *q, int rc)
{
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	finish(q);
	if (rc != SQLITE_DONE)
		return failed(s, err_of(rc));
	s->count -= (uint32_t)sqlite3_changes(s->db);
	return 0;
}

int state_del(struct state *s, uint32_t worker, struct slice key)
{
	sqlite3_stmt *q = s->stmt[DEL];
	int err;

	if (!is_key(s, worker, key))
		return 0;
	err = begin(s);
	return err ? err : delete_bound(s, q, bind(q, worker, key));
}

int state_mark(struct state *s, uint32_t worker)
{
	int err;

	if (worker >= s->workers)
		return ERR_BAD;
	err = begin(s);
	if (!err)
		err = change_all_marks(s, UNMARK_ALL, worker);
	if (!err)
		err = change_all_marks(s, MARK, worker);
	if (!err)
		s->is_whole[worker] = true;
	return err;
}

int state_sweep(struct state *s, uint32_t worker)
{
	sqlite3_stmt *q = s->stmt[SWEEP];
	int err;

	if (worker >= s->workers || !s->is_whole[worker])
		return 0;
	s->is_whole[worker] = false;
	err = begin(s);
	if (!err)
		err = delete_bound(s, q, sqlite3_bind_int64(q, 1, worker));
	return err ? err : change_all_marks(s, UNMARK_ALL, worker);
}

int state_list(struct state *s, uint32_t worker, struct slice after,
	       bool (*fn)(void *ctx, struct slice key, struct slice blob),
	       void *ctx)
{
	sqlite3_stmt *q = s->stmt[LIST];
	int rc = bind(q, worker, after);

	if (rc != SQLITE_OK) {
		finish(q);
		return err_of(rc);
	}
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct slice key =
			slice_make(sqlite3_column_blob(q, 0),
				   (size_t)sqlite3_column_bytes(q, 0));
		struct slice blob =
			slice_make(sqlite3_column_blob(q, 1),
				   (size_t)sqlite3_column_bytes(q, 1));

		if (!fn(ctx, key, blob)) {
			rc = SQLITE_DONE;
			break;
		}
	}
	finish(q);
	return err_of(rc);
}

int state_commit(struct state *s, uint64_t now_s)
{
	sqlite3_stmt *q = s->stmt[ALIVE];
	int err = begin(s);
	int rc;

	if (err)
		return err;
	rc = sqlite3_bind_int64(q, 1, (sqlite3_int64)now_s);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	finish(q);
	err = err_of(rc);
	if (!err)
		err = step(s, COMMIT);
	if (err && !sqlite3_get_autocommit(s->db))
		(void)step(s, ROLLBACK);
	s->is_open = false;
	if (err)
		(void)recount(s);
	return forbid_sweeps(s, err);
}
