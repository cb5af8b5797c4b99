/*
 * The relay that takes its packets from the kernel's packet queues instead of
 * from sockets (libnetfilter_queue): rules of ours (media/queue_rules.h) lead
 * what comes in for the relay's ports into queues, one for each thread, shared
 * out by processor. A queue hands out the packets of all flows together, where
 * a socket has those of one. What belongs to a flow is judged, turned and sent
 * on by the very code of the socket relay, whose sockets it leaves by, and the
 * kernel drops the original; everything else goes its usual way.
 *
 * It fails closed: nothing that is not protected ever leaves the process, and
 * nothing that comes by another way than the queue is trusted more. Without
 * the process the rules let nothing in; without the rules (somebody has
 * emptied the tables) the packets reach the sockets, where the same code waits
 * for them.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "media/backend.h"
#include "media/socket.h"

enum { MEDIA_QUEUES_MAX = 16 };

struct media_queue_params {
	struct media_socket_params socket; /* threads: also how many queues */
	uint16_t first; /* number of the first queue; the others follow */
};

/*
 * Bind the queues and start the threads; the rules are the caller's affair.
 * Needs CAP_NET_ADMIN, as long as it lives. ERR_DENIED (that is missing),
 * ERR_EXISTS (another process has one of the queues), ERR_UNSUPPORTED (the
 * kernel has no packet queues), ERR_NOMEM, ERR_IO; reterr says it for people.
 */
MUST_CHECK int media_queue_new(const struct media_queue_params *p,
			       struct media_backend **ret,
			       char reterr[MEDIA_WHY_MAX]);
