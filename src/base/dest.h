/*
 * Where bytes go, or came from: a transport endpoint by handle and the peer's
 * address. A stream connection is one endpoint; a datagram socket is one
 * endpoint for many peers. For a stream towards a call manager the handle may
 * be the connector's: transport opens the connection when it is needed.
 */
#pragma once

#include "base/addr.h"
#include "base/handle.h"

struct dest {
	struct handle ep;  /* transport's endpoint */
	struct addr peer;  /* the other side */
	struct addr local; /* our side's address, for Via and Contact */
	bool is_reliable;  /* TCP or TLS: no retransmission by timers A, E, G */
	bool is_tls;	   /* for Via and Contact */
};

/* Same endpoint and same peer: bytes from one answer bytes to the other. */
static inline bool dest_eq(const struct dest *a, const struct dest *b)
{
	return handle_eq(a->ep, b->ep) && addr_eq(&a->peer, &b->peer);
}
