/*
 * What must outlive the process: established calls, registrations and
 * subscriptions, as bytes that a successor reads. The call machine puts out ACTION_SAVE whenever such
 * an object has changed in a way that its successor must know, ACTION_FORGET
 * when it is over; who executes them need not understand the bytes. They hold
 * keys, tags and tokens: to be encrypted before they are written anywhere.
 *
 * One function describes each object for both directions, so that nothing is
 * written that is not read. The first byte is the version; bytes of another
 * version are refused, never guessed at.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "b2bua/call.h"

enum {
	SAVE_KEY_MAX = 40,     /* bytes of a key */
	SAVE_BYTES_MAX = 40000 /* bytes of one object; longer are not saved */
};

/* Cut the bytes of ACTION_SAVE or ACTION_FORGET into key and rest (views).
 * ERR_BAD. */
MUST_CHECK int save_split(struct slice bytes, struct slice *ret_key,
			  struct slice *ret_rest);

struct save_restore {
	/*
	 * The endpoint by which a destination is reached now: fill in
	 * dest->ep, whose handle died with the old process, or leave it
	 * HANDLE_NONE where there is none (a phone's connection: the phone
	 * will make another).
	 */
	void (*reach)(void *ctx, enum side side, struct dest *dest);
	void *ctx;
};

/*
 * Make the object again that bytes (the rest of an ACTION_SAVE) describe. Its
 * relay ports are taken; its flows are to be claimed from the media process,
 * see calls_flows. Numbers of requests leave a gap for what may have been sent
 * after the last save. ERR_BAD: not readable, or of another version.
 * ERR_NOTFOUND: it has expired meanwhile. ERR_EXISTS: it, or a port of it, is
 * there already. ERR_LIMIT, ERR_NOMEM.
 */
MUST_CHECK int calls_restore(struct calls *c, struct slice bytes,
			     const struct save_restore *how, uint64_t now_ms);
/* Put out an ACTION_SAVE for everything that is to be saved: whoever kept it
 * has lost it. ERR_NOMEM. */
MUST_CHECK int calls_save_all(struct calls *c, struct actions *ret_out);
/* Walk the streams that have flows: start *pos at 0; ret gets both directions,
 * with keys: the caller wipes them. False at the end. */
bool calls_flows(const struct calls *c, uint64_t *pos, struct flow ret[2]);
