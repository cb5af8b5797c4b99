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

/* Takes one piece of an answer: text is a JSON array; the last one is
 * marked. */
typedef void (*reports_emit_fn)(void *ctx, struct slice text, bool is_last);

/* What operators call a call: its cookie made unique among all workers, in 53
 * bits, which is what a number of JSON may have. */
uint64_t reports_call_id(const struct worker *w, uint64_t cookie);
/* One row: counters and what is connected. */
void reports_status(struct worker *w, reports_emit_fn emit, void *ctx);
/* A row for each registered contact. now_ms: loop clock. */
void reports_registrations(struct worker *w, uint64_t now_ms,
			   reports_emit_fn emit, void *ctx);
/* A row for each call with the counters in stats (n of them, any order).
 * O(calls * n). */
void reports_calls(struct worker *w, uint64_t now_ms,
		   const struct flow_stats *stats, size_t n,
		   reports_emit_fn emit, void *ctx);
/* Rows of certs: the certificates of each tls: listener, then its trust
 * directory. now_s: seconds since 1970. */
void reports_certs(struct worker *w, int64_t now_s, reports_emit_fn emit,
		   void *ctx);
