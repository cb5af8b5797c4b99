/*
 * Who sends without being anybody: sources of messages at listeners where
 * strangers have no business. Counted per IP address (IPv6: per /64), and
 * answered, where they are answered at all, at a rate of their own, so that
 * a scanner learns little and slowly. Bounded: the source that has been silent
 * longest is forgotten for a new one. Owned by one worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

enum {
	STRANGERS_MAX = 4096,	/* sources kept */
	STRANGER_TEXT_MAX = 40, /* bytes of a text kept */
};

struct strangers;

/* What is known of one source; valid until the next strangers_note. */
struct stranger {
	struct addr source; /* port 0; IPv6: the first 64 bits */
	uint64_t count;	    /* messages */
	uint64_t answered;  /* of these */
	uint64_t first_ms, last_ms;
	struct slice method; /* of the last one */
	struct slice agent;  /* its User-Agent, or empty */
};

/* No strangers yet, at most limit (1..STRANGERS_MAX). NULL: no memory. */
struct strangers *strangers_new(uint32_t limit, uint64_t seed);
/* Free s (may be NULL); returns NULL. */
struct strangers *strangers_free(struct strangers *s);
/*
 * A message came from this source; method and agent are copied, cut and
 * stripped of what is not printable. True: it may be answered, when at most
 * per_minute are. Without memory nothing is kept and nothing answered. O(1).
 */
bool strangers_note(struct strangers *s, const struct addr *source,
		    struct slice method, struct slice agent,
		    uint32_t per_minute, uint64_t now_ms);
/* Walk from the one heard last: start *pos at 0; false at the end. No note
 * during the walk. O(*pos). */
bool strangers_next(const struct strangers *s, uint32_t *pos,
		    struct stranger *ret);
/* Sources kept now, and messages of all that ever were. */
void strangers_counts(const struct strangers *s, uint32_t *ret_sources,
		      uint64_t *ret_messages);
