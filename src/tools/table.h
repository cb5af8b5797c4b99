/*
 * What people see: rows of JSON objects as an aligned table, one object as
 * lines. Text of outsiders is escaped, so that it cannot write to the
 * terminal's control sequences.
 */
#pragma once

#include <stdio.h>

#include <jansson.h>

#include "base/err.h"

enum table_kind {
	TABLE_TEXT,	/* as it is; numbers in decimal, right-aligned */
	TABLE_DURATION, /* seconds as h:mm:ss */
	TABLE_DATE	/* seconds since 1970 as date and time, UTC */
};

struct table_column {
	const char *key;   /* of the row's object; NULL ends the columns */
	const char *title; /* heading */
	enum table_kind kind;
};

/* Print rows, an array of objects, in columns. ERR_NOMEM; ERR_BAD when rows
 * is something else. */
MUST_CHECK int table_print(FILE *out, const struct table_column *column,
			   const json_t *rows);
/* Print one message: time_ms since 1970, then process, level and text (each
 * may be NULL). */
void table_print_message(FILE *out, json_int_t time_ms, const char *process,
			 const char *level, const char *text);
/* Print an object as "key: value" lines; inner objects as "key=value ...", a
 * list of them on a line each. */
void table_print_object(FILE *out, const json_t *object);
