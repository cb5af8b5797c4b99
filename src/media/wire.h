/*
 * What a worker and the media process say to each other over a SOCK_SEQPACKET
 * channel: one message per packet, written with base/writer and read with
 * base/reader. A request carries a number the worker chose; the answer repeats
 * it, so several may be under way. Events come unasked. The owner of a flow is
 * the channel it came over (the worker's number), so no message names one.
 * Messages hold keys: wipe the buffer after sending or reading a request.
 *
 * Worker:  media_wire_add(&w, req, flows, 2) -> send writer_slice(&w)
 *          receive -> media_wire_read_reply(msg, &reply)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include "flow/flow.h"
#include "media/backend.h"

enum {
	MEDIA_WIRE_FLOWS_MAX = 2,  /* flows of one ADD */
	MEDIA_WIRE_STATS_MAX = 16, /* flows of one STATS */
	MEDIA_WIRE_MAX = 2048	   /* bytes; every message fits */
};

enum media_op {
	MEDIA_OP_ADD = 1,    /* flows; all or none */
	MEDIA_OP_UPDATE = 2, /* one flow, same id and local address */
	MEDIA_OP_DEL = 3,    /* one id; the answer has its last counters */
	MEDIA_OP_QUERY = 4,  /* one id; the answer has its counters */
	MEDIA_OP_FLUSH = 5,  /* all flows of this owner */
	MEDIA_OP_STATS = 6,  /* many ids; unknown ones are left out */
	/* A worker that begins, or whose media process is new: nobody stands
	 * for this owner's flows until they are claimed. */
	MEDIA_OP_DISOWN = 7,
	MEDIA_OP_CLAIM = 8, /* flows, both directions of a stream: taken over
			       as they run, or made again; ERR_STATE when that would not be safe */
	MEDIA_OP_SWEEP = 9  /* what was not claimed since is removed */
};

/* A request as the media process reads it. */
struct media_request {
	enum media_op op;
	uint32_t req;	     /* number to repeat in the answer */
	uint32_t flow_count; /* ADD 1..2, CLAIM 2, UPDATE 1, else 0 */
	uint32_t id_count;   /* DEL, QUERY 1, STATS 1..8, else 0 */
	struct flow flow[MEDIA_WIRE_FLOWS_MAX];
	uint64_t id[MEDIA_WIRE_STATS_MAX];
};

/* An answer or an event as the worker reads it. */
struct media_reply {
	bool is_event;	      /* event is valid, else the rest */
	uint32_t req;	      /* of the request answered */
	int err;	      /* 0 or enum err (see media_backend_ops) */
	uint32_t stats_count; /* DEL, QUERY: 1 unless err; STATS: found */
	struct flow_stats stats[MEDIA_WIRE_STATS_MAX];
	struct media_event event; /* owner is not carried: 0 */
};

/* Append an ADD of n flows, 1..MEDIA_WIRE_FLOWS_MAX, under number req. */
void media_wire_add(struct writer *w, uint32_t req, const struct flow *f,
		    uint32_t n);
/* Append an UPDATE to f. */
void media_wire_update(struct writer *w, uint32_t req, const struct flow *f);
/* Append a DEL of flow id. */
void media_wire_del(struct writer *w, uint32_t req, uint64_t id);
/* Append a QUERY of flow id. */
void media_wire_query(struct writer *w, uint32_t req, uint64_t id);
/* Append a FLUSH. */
void media_wire_flush(struct writer *w, uint32_t req);
/* Append a DISOWN. */
void media_wire_disown(struct writer *w, uint32_t req);
/* Append a CLAIM of both directions of a stream. */
void media_wire_claim(struct writer *w, uint32_t req, const struct flow f[2]);
/* Append a SWEEP. */
void media_wire_sweep(struct writer *w, uint32_t req);
/* Append a STATS of n ids, 1..MEDIA_WIRE_STATS_MAX. */
void media_wire_stats(struct writer *w, uint32_t req, const uint64_t *id,
		      uint32_t n);
/* Read one answer or event, the whole of msg. ERR_BAD otherwise. The caller
 * wipes *ret (an event may bring a key) with media_reply_wipe. */
MUST_CHECK int media_wire_read_reply(struct slice msg, struct media_reply *ret);
/* Wipe the key of r's event. */
void media_reply_wipe(struct media_reply *r);

/* Read one request, the whole of msg. ERR_BAD otherwise. The caller wipes
 * *ret (keys) with media_request_wipe. */
MUST_CHECK int media_wire_read_request(struct slice msg,
				       struct media_request *ret);
/* Wipe the keys of r's flows. */
void media_request_wipe(struct media_request *r);
/* Append the answer to request req: err and n sets of counters (may be
 * NULL when n is 0). */
void media_wire_answer(struct writer *w, uint32_t req, int err,
		       const struct flow_stats *s, uint32_t n);
/* Append an event; its owner is left out. The caller wipes the buffer. */
void media_wire_event(struct writer *w, const struct media_event *e);
