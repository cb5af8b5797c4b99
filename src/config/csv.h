/*
 * A strict reader of comma-separated values (RFC 4180): fields with commas,
 * quotes or blanks at their ends stand in double quotes, a quote inside is
 * doubled; lines end in LF or CRLF. Nothing is guessed: what a spreadsheet in
 * another dialect writes is refused with line and column, not misread. No
 * memory is taken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { CSV_FIELD_MAX = 4096 }; /* bytes of one field */

struct csv {
	struct slice rest;   /* not read yet */
	uint32_t line;	     /* of the next byte, from 1 */
	uint32_t column;     /* fields of this line that were read */
	const char *why;     /* after ERR_BAD: what is wrong; static */
	bool is_in_record;   /* the line has begun */
	bool was_comma_last; /* an empty field is still to come */
};

/* Read text, which outlives c. A byte order mark of UTF-8 is skipped. */
void csv_init(struct csv *c, struct slice text);
/*
 * Next field: *ret is a view into the text or into buf (CSV_FIELD_MAX bytes);
 * *ret_is_last: it ends its line. Empty lines are skipped. ERR_NOTFOUND at the
 * end of the text; ERR_BAD: c->why says what is wrong at c->line, field
 * c->column, and reading cannot go on.
 */
MUST_CHECK int csv_field(struct csv *c, char *buf, struct slice *ret,
			 bool *ret_is_last);
/* True when s must be quoted to be read back as it is. */
bool csv_needs_quotes(struct slice s);
