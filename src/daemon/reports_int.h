/*
 * Inside of the reports: rows on their way to the monitor, in pieces that fit
 * a message, shared by reports.c and reports_trunk.c.
 */
#pragma once

#include <jansson.h>

#include "daemon/reports.h"

/* Rows gathered until a piece is full. */
struct piece {
	reports_emit_fn emit;
	void *ctx;
	json_t *rows;
	size_t len;
};

/* Nothing gathered yet. */
void piece_begin(struct piece *p, reports_emit_fn emit, void *ctx);
/* Gather row, whose reference is taken over; NULL is left out. */
void piece_add(struct piece *p, json_t *row);
/* Emit what is gathered. */
void piece_send(struct piece *p, bool is_last);
/* Emit the rest, and free. */
void piece_end(struct piece *p);
/* Set a number. */
void reports_put(json_t *obj, const char *name, uint64_t v);
/* What status says of strangers, into its row. */
void reports_strangers_status(struct worker *w, json_t *row);
