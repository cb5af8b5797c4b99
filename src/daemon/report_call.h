/*
 * The answer to "call ID": one call, with its legs, streams and history, as a
 * JSON object. sallyportctl(8) lists the members.
 */
#pragma once

#include <jansson.h>

#include "b2bua/detail.h"
#include "flow/flow.h"
#include "proxy/worker.h"

/*
 * The object of call d of worker w; NULL: no memory. now_ms: loop clock.
 * stats: n counters of its flows, as far as the media process told.
 */
json_t *report_call(struct worker *w, uint64_t now_ms,
		    const struct call_detail *d, const struct flow_stats *stats,
		    uint32_t n);
