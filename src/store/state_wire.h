/*
 * Messages about what workers leave to their successors: between a worker and
 * the store process, on the channel of store/wire.h, whose operations have
 * lower numbers. Whose entries they are is the channel's affair. SAVE, FORGET,
 * MARK and SWEEP have no answer; RESTORE gets pages of entries. An empty page
 * that is not the last: they cannot be read. Unasked, at any time, the store
 * says AGAIN: what it was told before may be lost.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/reader.h"
#include "base/slice.h"
#include "base/writer.h"

enum {
	STATE_WIRE_MAX = 65000 /* bytes of any message */
};

enum state_op {
	STATE_OP_SAVE = 65,    /* key, blob */
	STATE_OP_FORGET = 66,  /* key */
	STATE_OP_RESTORE = 67, /* entries after key (empty: all) -> page */
	STATE_OP_MARK = 68,    /* all entries: what stays is saved anew */
	STATE_OP_SWEEP = 69,   /* what was not saved anew since MARK goes */
	STATE_OP_AGAIN = 70    /* from the store: MARK, save anew, SWEEP */
};

/* Slices are views into the caller's buffers. */
struct state_request {
	enum state_op op;
	struct slice key;
	struct slice blob; /* SAVE only */
};

/* Is this message a worker's and one of ours, by its first byte? */
bool state_wire_is(struct slice s);
/* Append r. */
void state_request_write(struct writer *w, const struct state_request *r);
/* Read what state_request_write wrote, exactly; views into s. ERR_BAD. */
MUST_CHECK int state_request_read(struct slice s, struct state_request *ret);
/* Append an AGAIN. */
void state_again_write(struct writer *w);
/* Is this message an AGAIN, exactly? */
bool state_again_is(struct slice s);
/* Begin a page: entries follow with state_page_add. is_last may be changed
 * later with state_page_last. */
void state_page_begin(struct writer *w);
/* Append an entry; false when it does not fit (nothing was written). */
bool state_page_add(struct writer *w, struct slice key, struct slice blob);
/* Say that nothing follows this page. */
void state_page_last(struct writer *w);
/* Read a page's head; *ret_r walks its entries. ERR_BAD. */
MUST_CHECK int state_page_read(struct slice s, bool *ret_is_last,
			       struct reader *ret_r);
/* Take the next entry; false at the end or when the rest is none (then
 * reader_end(r) is false). */
bool state_page_next(struct reader *r, struct slice *ret_key,
		     struct slice *ret_blob);
