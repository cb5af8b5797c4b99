/*
 * What every media backend can do: sockets in user space, the netfilter queue,
 * the kernel module. The commands are the vocabulary of nf_srtp's netlink
 * family and of the worker's channel to the media process alike. A backend
 * belongs to the media process; nothing here blocks. After an error of add or
 * update nothing has changed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/flow.h"
#include "media/state.h"

enum media_event_kind {
	MEDIA_EVENT_LATCHED, /* the source was learned: addr */
	MEDIA_EVENT_IDLE,    /* no packet for the flow's idle time */
	MEDIA_EVENT_ACTIVE,  /* a packet or an update after MEDIA_EVENT_IDLE */
	MEDIA_EVENT_FAILED,  /* the flow died: a port was lost */
	/* What arrives has come so far under its key that nobody can begin to
	 * hear it there: the key is not to be lent (RTP_LEND_MAX). Said again
	 * after an update, while it is so. */
	MEDIA_EVENT_ROLLED,
	/* Not from backends, see joins.h: the flow's far end is another flow
	 * of ours (security, key), or is one no more. */
	MEDIA_EVENT_JOINED,
	MEDIA_EVENT_PARTED
};

struct media_event {
	enum media_event_kind kind;
	uint64_t owner;	     /* of the flow */
	uint64_t flow;	     /* id */
	struct addr addr;    /* LATCHED */
	uint8_t security;    /* JOINED: flow.security of the far flow */
	struct flow_key key; /* JOINED: what the far phone sends under */
	bool is_rolled;	     /* JOINED: who is not under it cannot begin */
};

struct media_features {
	const char *name; /* as flow_backend_str */
	enum flow_backend backend;
	uint32_t suites;      /* bit per enum suite */
	bool is_in_kernel;    /* packets do not enter user space */
	bool survives_daemon; /* flows go on when the process dies */
};

struct media_backend;

struct media_backend_ops {
	/* What this backend can do. */
	void (*features)(struct media_backend *b, struct media_features *ret);
	/*
	 * Make n flows true, all or none: a call adds both directions of a
	 * stream at once. ERR_EXISTS, ERR_LIMIT, ERR_NOMEM, ERR_UNSUPPORTED
	 * (suite, multicast), ERR_IO (a port could not be had).
	 */
	int (*add)(struct media_backend *b, uint64_t owner,
		   const struct flow *f, uint32_t n);
	/*
	 * The same for flows that were there before, in a process that is
	 * gone, under the same keys: what has been used of each key must be
	 * known, or ERR_STATE.
	 */
	int (*revive)(struct media_backend *b, uint64_t owner,
		      const struct flow *f, uint32_t n);
	/*
	 * Replace remote, latch, keys, blocked of a flow (same id and local).
	 * Unchanged keys keep their index and roll-over counter; a changed
	 * remote starts latching anew. ERR_NOTFOUND, ERR_UNSUPPORTED,
	 * ERR_STATE: out is a key that the flow had and left.
	 */
	int (*update)(struct media_backend *b, uint64_t owner,
		      const struct flow *f);
	/*
	 * Flow id's way out leads into flow far and the other way round: a
	 * packet for one of their peers now leaves through the other's peer
	 * in one step, as the flow it would have come to says. Ends by part,
	 * or when one of the four is removed: then what led there is dropped
	 * until the remaining flow is updated. Joining them again is no error.
	 * ERR_NOTFOUND (also: no peer), ERR_NOMEM, ERR_LIMIT: nothing changed.
	 */
	int (*join)(struct media_backend *b, const uint64_t flow[2],
		    const uint64_t far[2]);
	/* Undo join; nothing happens when flow (owner, id) is not joined, or
	 * not here. */
	void (*part)(struct media_backend *b, const uint64_t flow[2]);
	/* Remove a flow, wipe its keys, *ret_last (may be NULL) gets its
	 * final counters. ERR_NOTFOUND. */
	int (*remove)(struct media_backend *b, uint64_t owner, uint64_t id,
		      struct flow_stats *ret_last);
	/*
	 * Remove n flows, the two of a stream, all or none and in one step: a
	 * packet finds both or neither. ret[n] gets what give needs to go on
	 * elsewhere; nothing has left, or will, beyond what it tells, and its
	 * descriptors are the caller's. A join of theirs ends. ERR_NOTFOUND;
	 * ERR_CLOSED: they are gone, and what give needs of them is not known.
	 */
	int (*take)(struct media_backend *b, uint64_t owner, const uint64_t *id,
		    uint32_t n, struct media_state *ret);
	/*
	 * Make n flows true as add does, which go on where s[n] says: no index
	 * at or below is used again. The descriptors in s are taken over, or,
	 * after an error (as add's), still the caller's.
	 */
	int (*give)(struct media_backend *b, uint64_t owner,
		    const struct flow *f, const struct media_state *s,
		    uint32_t n);
	/* All of owner's flows that go on were claimed: what a predecessor
	 * of this process left of the others ends. */
	void (*sweep)(struct media_backend *b, uint64_t owner);
	/* Counters of a flow now. ERR_NOTFOUND. */
	int (*query)(struct media_backend *b, uint64_t owner, uint64_t id,
		     struct flow_stats *ret);
	/* Remove all flows of an owner. */
	void (*flush)(struct media_backend *b, uint64_t owner);
	/* A descriptor that is readable while next_event has something. */
	int (*event_fd)(struct media_backend *b);
	/* Take the oldest event; false when there is none. */
	bool (*next_event)(struct media_backend *b, struct media_event *ret);
	/* End the backend: flows, sockets, threads. */
	void (*free)(struct media_backend *b);
};

struct media_backend {
	const struct media_backend_ops *ops;
};

/* Bytes of a sentence for the operator: why a backend cannot be had. Makers
 * of backends take char reterr[MEDIA_WHY_MAX] for it. */
enum { MEDIA_WHY_MAX = 240 };
