/*
 * A worker's line to the media process: flow commands out, answers and events
 * in. Knows which call a flow belongs to, so that a death of the media process
 * can be told to every call that had flows there. One thread.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "flow/flow.h"
#include "loop/loop.h"
#include "media/backend.h"

struct medialink;

enum { MEDIALINK_FLOWS_MAX = 40000 };

struct medialink_cb {
	/* The ADD with this number was answered. */
	void (*answer)(void *ctx, uint32_t number, int err);
	/* Something happened to a flow of a call. *e may hold a key. */
	void (*event)(void *ctx, const struct media_event *e, uint64_t call);
	/* Last counters of a flow that was removed. */
	void (*last)(void *ctx, uint64_t call, const struct flow_stats *s);
	/* Counters asked for with medialink_stats; n may be less than asked
	 * for. */
	void (*stats)(void *ctx, uint32_t number, const struct flow_stats *s,
		      uint32_t n);
	/* The media process is gone. Its flows are made again by
	 * medialink_claim, once there is another. */
	void (*down)(void *ctx);
	void *ctx;
};

/* A line over fd (SEQPACKET, owned on success). cb is copied. ERR_NOMEM,
 * ERR_IO. */
MUST_CHECK int medialink_new(struct loop *loop, int fd,
			     const struct medialink_cb *cb, uint64_t seed,
			     struct medialink **ret);
/* Close and free l (may be NULL); returns NULL. */
struct medialink *medialink_free(struct medialink *l);
/* Go on with a new media process; down is called when the end of the last one
 * was not seen yet. fd is owned on success. ERR_NOMEM, ERR_IO. */
MUST_CHECK int medialink_reconnect(struct medialink *l, int fd);
/* True while the media process is there. */
bool medialink_is_up(const struct medialink *l);
/* Ask for both directions of a stream under number (below 2^31). ERR_CLOSED,
 * ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int medialink_add(struct medialink *l, uint32_t number,
			     const struct flow f[2]);
/* A new worker, or a new media process: whatever flows of this worker there
 * are, nobody stands for them until they are claimed. */
void medialink_disown(struct medialink *l);
/* Stand for both directions of a stream: they go on, or are made again;
 * failure comes as MEDIA_EVENT_FAILED. The loop need not run between claims:
 * there is room for those of MEDIALINK_FLOWS_MAX flows. */
void medialink_claim(struct medialink *l, const struct flow f[2]);
/* All that there are have been claimed: the others end. What cannot be said now
 * is said when the media process is heard again. */
void medialink_sweep(struct medialink *l);
/* Replace a flow; failures come as MEDIA_EVENT_FAILED, also that of not having
 * been able to say it, once the media process is heard again. */
void medialink_update(struct medialink *l, const struct flow *f);
/* Remove a flow; nothing happens when it is unknown. What cannot be said now is
 * said when the media process is heard again. */
void medialink_del(struct medialink *l, uint64_t id);
/* Ask for the counters of n flows (at most MEDIA_WIRE_STATS_MAX);
 * *ret_number comes back with them. ERR_CLOSED, ERR_LIMIT. */
MUST_CHECK int medialink_stats(struct medialink *l, const uint64_t *id,
			       uint32_t n, uint32_t *ret_number);
