/*
 * The relay in user space: two UDP sockets per flow (RTP and RTCP), some
 * threads with an epoll each, path.h for every decision. Both flows of a
 * stream live in the same thread. Commands and packets of a thread exclude
 * each other by one mutex, taken once per round, not per packet.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "media/backend.h"
#include "media/journal.h"

enum { MEDIA_THREADS_MAX = 64 };

struct media_socket_params {
	uint32_t threads;	 /* 1..MEDIA_THREADS_MAX; 0 = 1 */
	uint32_t max_flows;	 /* hard limit of flows; 0 = 20000 */
	uint64_t descriptors;	 /* that the process may have; 0 = as many as
				    the system says now */
	uint8_t dscp;		 /* of relayed packets, 0..63; 0 = unmarked */
	struct journal *journal; /* outlives the backend; NULL: no flow can be
				    revived */
};

/* Start the threads; they run until ops->free. ERR_NOMEM, ERR_IO. */
MUST_CHECK int media_socket_new(const struct media_socket_params *p,
				struct media_backend **ret);
