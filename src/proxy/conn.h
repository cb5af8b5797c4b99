/*
 * What the proxy remembers about a connection: framing state, who is at the
 * other end, on which side. Found by the transport's handle; datagram peers
 * have none. Owned by one worker's table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "b2bua/event.h"
#include "base/dest.h"
#include "base/err.h"
#include "base/table.h"
#include "config/config.h"

enum { CONN_SUBJECT_MAX = 512 };

struct conn {
	struct table_node node;
	struct handle ep;     /* the transport's */
	struct dest dest;     /* answers go here */
	struct handle origin; /* connector that made it, or none */
	enum side side;
	enum sig_level sig;
	size_t scanned;	   /* framer's memory (sip/frame.h) */
	bool is_held;	   /* not heard before the store has answered */
	bool is_mic;	   /* not an LSC, where these are told from others */
	bool owes_lsc;	   /* the store has not yet noted its LSC */
	uint32_t listener; /* index in config.listener; CONFIG_LISTENER_NONE:
			      we connected */
	bool is_sccp;	   /* Skinny, else SIP */
	const struct config_device *device; /* by certificate, or NULL */
	const struct config_trunk *trunk;   /* whose it is, or NULL */
	bool is_former; /* of the trunk's past (proxy/formers.h) */
	char subject[CONN_SUBJECT_MAX]; /* of the certificate, RFC 4514 text */
};

struct conns {
	struct table table;
};

/* No connections yet, at most limit. */
void conns_init(struct conns *cs, size_t limit, uint64_t seed);
/* Forget and free all. */
void conns_done(struct conns *cs);
/* A new connection, zeroed but for ep. ERR_LIMIT, ERR_NOMEM. Owner: cs. */
MUST_CHECK int conns_add(struct conns *cs, struct handle ep, struct conn **ret);
/* The connection of ep, or NULL. O(1). */
struct conn *conns_find(const struct conns *cs, struct handle ep);
/* The next connection at or after *bucket, c being the last one (NULL, and
 * *bucket 0, at first), or NULL: a walk during which none is added or deleted. */
struct conn *conns_next(const struct conns *cs, size_t *bucket, struct conn *c);
/* Forget and free c. */
void conns_del(struct conns *cs, struct conn *c);
