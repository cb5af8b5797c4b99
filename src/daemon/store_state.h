/*
 * The half of the store process that keeps what workers leave to their
 * successors (store/state.h): requests without answers, gathered into one
 * transaction for a tenth of a second, and pages for who begins. What could not
 * be written is lost here and known to the workers: they are asked for all of it
 * as soon as something can be written again. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/slice.h"
#include "config/config.h"
#include "loop/loop.h"
#include "priv/channel.h"
#include "store/state.h"

struct store_state_cb {
	/* Send bytes (STATE_OP_AGAIN) to every worker; false: one of them may
	 * not have got it, and all are told again later. */
	bool (*tell)(void *ctx, struct slice bytes);
	void *ctx;
};

struct store_state {
	struct loop *loop;
	struct state *state;
	struct loop_timer timer; /* commit, or sign of life */
	struct bucket log_bucket;
	bool is_dirty;
	bool is_lost;	   /* something was not written: say so */
	uint64_t again_ms; /* not before that time */
	uint64_t pause_ms; /* and the next time so much later */
	struct store_state_cb cb;
	uint64_t failed; /* writes that did not succeed */
	uint8_t out[CHANNEL_MSG_MAX];
};

struct store_state_params {
	const char *path;
	uint32_t lease_s;
	uint32_t workers;
	uint32_t rows_max;
};

/* As c has it, but for the number of workers: the monitor counted them, when
 * there may have been more processors. path (of the file) outlives what is
 * returned. */
struct store_state_params
store_state_params(const struct config *c, uint32_t workers, const char *path);
/* Open the file and begin. Errors were logged: ERR_IO, ERR_NOMEM. */
MUST_CHECK int store_state_open(struct store_state *s, struct loop *loop,
				const struct store_state_params *p,
				const struct store_state_cb *cb);
/* Commit and close; s may be zeroed or closed. */
void store_state_close(struct store_state *s);
/* Do the request in bytes for a worker; its answer, if it has one, goes to
 * ch. */
void store_state_request(struct store_state *s, struct channel *ch,
			 uint32_t worker, struct slice bytes);
