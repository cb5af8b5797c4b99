#include "store/devices.h"

#include "store/store_int.h"

/* ---- lists of changes ------------------------------------------------ */

void store_change_write(struct writer *w, const struct store_change *c)
{
	writer_u8(w, (uint8_t)c->kind);
	writer_blob(w, c->name);
	writer_blob(w, c->text);
}

size_t store_change_len(const struct store_change *c)
{
	return 1 + 4 + c->name.len + 4 + c->text.len;
}

bool store_change_next(struct reader *r, struct store_change *ret)
{
	struct store_change c;
	uint8_t kind;

	if (reader_left(r) == 0)
		return false;
	kind = reader_u8(r);
	c.name = reader_blob(r);
	c.text = reader_blob(r);
	if (kind < STORE_CHANGE_PUT || kind > STORE_CHANGE_CLEAR ||
	    c.text.len > STORE_DEVICE_TEXT_MAX ||
	    (kind != STORE_CHANGE_CLEAR && !store_is_name(c.name)))
		reader_fail(r);
	if (!reader_ok(r))
		return false;
	c.kind = (enum store_change_kind)kind;
	*ret = c;
	return true;
}

/* ---- the table ------------------------------------------------------- */

static int change(struct store *s, const struct store_change *c, uint64_t now_s)
{
	static const enum store_statement rows[] = {
		[STORE_CHANGE_PUT] = DEVICE_PUT,
		[STORE_CHANGE_DEL] = DEVICE_DEL,
		[STORE_CHANGE_CLEAR] = DEVICE_CLEAR,
	};
	sqlite3_stmt *q = s->stmt[rows[c->kind]];
	int rc = SQLITE_OK;

	if (c->kind != STORE_CHANGE_CLEAR)
		rc = store_bind_text(q, 1, c->name);
	if (rc == SQLITE_OK && c->kind == STORE_CHANGE_PUT)
		rc = store_bind_text(q, 2, c->text);
	if (rc == SQLITE_OK && c->kind == STORE_CHANGE_PUT)
		rc = sqlite3_bind_int64(q, 3, (sqlite3_int64)now_s);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q);
	store_finish(q);
	return store_err(rc);
}

int store_devices_change(struct store *s, struct slice changes, uint64_t now_s)
{
	struct store_change c;
	struct reader r;
	int err = store_err(sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL));

	if (err)
		return err;
	reader_init(&r, changes);
	while (!err && store_change_next(&r, &c))
		err = change(s, &c, now_s);
	if (!err && !reader_end(&r))
		err = ERR_BAD;
	if (!err)
		err = store_err(
			sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL));
	/* Also after a commit that failed: then nothing is under way. */
	if (err && !sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

int store_devices_list(struct store *s, struct slice after,
		       bool (*fn)(void *ctx, struct slice name,
				  struct slice text),
		       void *ctx)
{
	sqlite3_stmt *q = s->stmt[DEVICE_LIST];
	int rc = store_bind_text(q, 1, after);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(q);
		if (rc == SQLITE_ROW &&
		    !fn(ctx, store_column(q, 0), store_column(q, 1)))
			rc = SQLITE_DONE;
	}
	store_finish(q);
	return store_err(rc);
}
