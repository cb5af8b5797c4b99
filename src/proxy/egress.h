/*
 * Stage 8: executes actions in order: flows first, bytes next. A batch that
 * adds flows waits, call by call, until the media process has answered (or
 * EGRESS_MEDIA_MS have passed), so that no SDP leaves before its ports are
 * true; other calls go on. When flows are refused the call machine is told,
 * and the session descriptions that waited for them are dropped. The world is
 * a struct of callbacks: the worker's transport and channel, or a recorder in
 * tests.
 *
 * A SIP call whose flows are refused is over; what waited without a session
 * description is sent: it may be the BYE of a call that has ended by then. All
 * streams of a Skinny phone share one cookie, and one that is refused leaves
 * the others: what waited for them is done in its order, further additions are
 * asked for in their turn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "b2bua/action.h"
#include "base/dest.h"
#include "base/err.h"
#include "flow/flow.h"

enum {
	EGRESS_MEDIA_MS = 1000,	 /* patience with the media process; a loop full
				  * of handshakes may be late itself */
	EGRESS_CALLS_MAX = 4096, /* calls that may wait at once */
	EGRESS_PARKED_MAX = 64	 /* actions one call may have waiting */
};

struct egress_cb {
	/* Send bytes; failures are the transport's to report (CONN_DOWN). */
	void (*send)(void *ctx, const struct dest *to, struct slice bytes);
	/* Close a connection. */
	void (*close)(void *ctx, struct handle ep);
	/* Ask for both directions of a stream; the answer comes to
	 * egress_answer with the same number. An error means: not asked. */
	int (*flow_add)(void *ctx, uint32_t number, const struct flow f[2]);
	/* Replace a flow; nobody waits for the answer. */
	void (*flow_update)(void *ctx, const struct flow *f);
	/* Remove a flow; nobody waits for the answer. */
	void (*flow_del)(void *ctx, uint64_t id);
	/* Something for log and call records. */
	void (*record)(void *ctx, const struct action *a);
	/* ACTION_SAVE or ACTION_FORGET; NULL: nothing is kept. */
	void (*save)(void *ctx, const struct action *a);
	/* ACTION_ARRIVED; NULL: there is nobody to tell. */
	void (*arrived)(void *ctx, struct slice bytes);
	/* ACTION_SCCP_LINK, ACTION_SCCP_UNLINK; NULL: there is no Skinny. */
	void (*link)(void *ctx, const struct action *a);
	/* ACTION_AUTH; NULL: nobody answers it. */
	void (*auth)(void *ctx, const struct action *a);
	void *ctx;
};

struct egress;

/* New egress; cb is copied. NULL when memory is out. */
struct egress *egress_new(const struct egress_cb *cb, uint64_t seed);
/* Free e (may be NULL) and what is parked, unsent; returns NULL. */
struct egress *egress_free(struct egress *e);
/* Execute all actions of a; a is empty afterwards. */
void egress_run(struct egress *e, struct actions *a, uint64_t now_ms);
/* The media process answered request number: err is 0 or negative. */
void egress_answer(struct egress *e, uint32_t number, int err, uint64_t now_ms);
/* Every request in flight failed: the media process is gone. */
void egress_media_down(struct egress *e);
/* When egress_expire must be called; UINT64_MAX = never. */
uint64_t egress_deadline(const struct egress *e);
/* Give up requests whose time is over. */
void egress_expire(struct egress *e, uint64_t now_ms);
/* Take one refused flow that the call machine must hear of as
 * EVENT_FLOW_FAILED; false when there is none. What waited behind it and still
 * counts is executed or waits for the next addition; now_ms: monotonic. */
bool egress_next_failed(struct egress *e, uint64_t now_ms, uint64_t *ret_call,
			uint64_t *ret_flow);
/* Calls that wait for the media process now. */
uint32_t egress_waiting(const struct egress *e);
