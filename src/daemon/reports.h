/*
 * A worker's answers to the operator's questions: rows of JSON from what the
 * call machine shows. Rows go out in pieces that fit a channel message.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/slice.h"
#include "flow/flow.h"
#include "proxy/worker.h"

enum { REPORTS_ROWS = 100 }; /* of one turn of the loop */

/* Takes one piece of an answer: text is a JSON array; the last one is
 * marked. */
typedef void (*reports_emit_fn)(void *ctx, struct slice text, bool is_last);

/* What operators call a call: its cookie made unique among all workers, in 53
 * bits, which is what a number of JSON may have. */
uint64_t reports_call_id(const struct worker *w, uint64_t cookie);
/* One row: counters and what is connected. */
void reports_status(struct worker *w, reports_emit_fn emit, void *ctx);
/* Which rows are wanted; empty: all. */
struct reports_filter {
	struct slice device, line;
};

/*
 * The next rows for registered contacts: as many as one turn of the loop may
 * take, from *pos (0 at first) on, in one piece or more. now_ms: loop clock.
 * False when that was the last.
 */
bool reports_registrations(struct worker *w, uint64_t now_ms,
			   const struct reports_filter *f, uint32_t *pos,
			   reports_emit_fn emit, void *ctx);
/* Is this call's row wanted? */
bool reports_call_wanted(const struct reports_filter *f,
			 const struct call_info *c);
/* Append the row of a call, with the counters of its flows towards the call
 * manager and towards the phone. */
void reports_call(struct worker *w, uint64_t now_ms, const struct call_info *c,
		  const struct flow_stats *in, const struct flow_stats *out,
		  json_t *ret_rows);
/* Rows of certs: the certificates of each tls: listener, then its trust
 * directory. now_s: seconds since 1970. */
void reports_certs(struct worker *w, int64_t now_s, reports_emit_fn emit,
		   void *ctx);
/* The trunks: a row for each place of a peer, and for each trunk without. */
void reports_trunks(struct worker *w, reports_emit_fn emit, void *ctx);
/* Who came to listeners for trunks and is nobody, the last one first. */
void reports_strangers(struct worker *w, uint64_t now_ms, reports_emit_fn emit,
		       void *ctx);
