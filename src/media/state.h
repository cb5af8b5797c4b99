/*
 * What goes along when a flow moves from one backend to another, so that its
 * calls notice nothing: how far each stream has come, who proved to be where,
 * the counters, and the bound sockets, in which packets wait meanwhile. The
 * keys are not in it: who moves a flow has them (struct flow).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "flow/flow.h"
#include "rtp/srtp.h"

enum {
	/* SRTCP indices that are left out when streams go on elsewhere: the
	 * sender counts them itself, so whatever may have left between the
	 * last look at a counter and the end of its owner is behind. */
	MEDIA_RTCP_SKIP = 256
};

/* All streams under one key. */
struct media_streams {
	uint64_t print; /* of the key, rtp_srtp_print; 0 = not told */
	uint32_t count;
	struct rtp_mark mark[RTP_SSRC_MAX];
};

struct media_state {
	struct media_streams in, out; /* under flow.in and flow.out */
	struct addr proven[2];	      /* RTP, RTCP source; NONE = none yet */
	struct flow_stats stats;
	struct rtp_spent spent; /* keys that out had before */
	bool is_idle;		/* MEDIA_EVENT_IDLE was the last of its kind */
	int fd[2];		/* RTP, RTCP socket, bound; -1 = to be opened */
};
