/*
 * Inside of store/: the database, shared by store.c (opening, credentials) and
 * devices.c.
 */
#pragma once

#include <sqlite3.h>

#include "store/store.h"

enum store_statement {
	GET,
	PUT,
	DEL,
	LIST,
	COUNT,
	LSC_PUT,
	LSC_GET,
	LSC_DEL,
	DEVICE_PUT,
	DEVICE_DEL,
	DEVICE_CLEAR,
	DEVICE_LIST,
	STATEMENTS
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENTS];
};

#define STORE_DEVICES_SCHEMA                                      \
	"CREATE TABLE devices("                                   \
	" name TEXT NOT NULL PRIMARY KEY, options TEXT NOT NULL," \
	" changed INTEGER NOT NULL) WITHOUT ROWID, STRICT;"

/* SQLite's result as one of ours; 0 for rows and the end of them. */
int store_err(int rc);
/* True for 1..STORE_NAME_MAX bytes without a NUL. */
bool store_is_name(struct slice s);
/* Bind the bytes of s, which the caller keeps until store_finish. */
int store_bind_text(sqlite3_stmt *q, int at, struct slice s);
/* A column of the present row; valid until the next step. */
struct slice store_column(sqlite3_stmt *q, int at);
/* Release the row and the caller's bytes. */
void store_finish(sqlite3_stmt *q);
