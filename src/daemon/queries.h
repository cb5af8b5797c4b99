/*
 * The operator's long questions to a worker, answered a few rows in each turn
 * of the loop, so that ten thousand registrations delay no call. One question
 * after the other; counters of calls come from the media process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "flow/flow.h"
#include "loop/loop.h"
#include "proxy/worker.h"

struct queries;

enum queries_kind { QUERIES_REGISTRATIONS, QUERIES_CALLS, QUERIES_CALL };

/* A piece of the answer to question number: a JSON array; the last is
 * marked. */
typedef void (*queries_emit_fn)(void *ctx, uint32_t number, struct slice text,
				bool is_last);

/* None yet; loop and worker outlive it. NULL: no memory. */
struct queries *queries_new(struct loop *loop, struct worker *w,
			    queries_emit_fn emit, void *ctx);
/* Forget all questions; takes NULL, returns NULL. */
struct queries *queries_free(struct queries *q);
/*
 * A question. text: device, line feed, line (each may be empty) as a filter of
 * rows, or the id of a call; copied. One question too many is answered with
 * nothing.
 */
void queries_add(struct queries *q, uint32_t number, enum queries_kind kind,
		 struct slice text);
/* Counters that were asked for have come. */
void queries_stats(struct queries *q, uint32_t number,
		   const struct flow_stats *s, uint32_t n);
