/*
 * Messages between our own processes: SOCK_SEQPACKET, so a message arrives
 * whole or not at all; tagged byte strings inside (base/reader), never
 * structs. File descriptors travel beside a message. Sending never blocks:
 * what the socket does not take waits in a bounded queue. One thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "loop/loop.h"

struct channel;

enum {
	CHANNEL_MSG_MAX = 65536, /* bytes of one message */
	CHANNEL_FDS_MAX = 16	 /* descriptors with one message */
};

struct channel_params {
	struct loop *loop;  /* outlives the channel */
	int fd;		    /* SEQPACKET socket; the channel owns it */
	uint32_t queue_max; /* bytes waiting to be sent; 0 = 1 MB */
	/* A message; bytes are valid during the call; the n fds are the
	 * callee's. May send and may call channel_free. */
	void (*message)(void *ctx, struct slice bytes, const int *fds,
			size_t n);
	/* The other process is gone, or broke the rules; once. May call
	 * channel_free. reason: static text. */
	void (*down)(void *ctx, const char *reason);
	void *ctx; /* for both */
};

/* A connected pair, non-blocking, close-on-exec. ERR_IO. */
MUST_CHECK int channel_pair(int ret_fds[2]);
/* Serve p->fd. ERR_NOMEM, ERR_IO; then p->fd stays the caller's. */
MUST_CHECK int channel_new(const struct channel_params *p,
			   struct channel **ret);
/* Close and free; takes NULL, returns NULL. What is queued is lost. */
struct channel *channel_free(struct channel *ch);
/*
 * Queue bytes (copied, 1..CHANNEL_MSG_MAX). ERR_LIMIT when too long or the
 * queue is full (nothing was queued), ERR_CLOSED after the peer has gone,
 * ERR_NOMEM.
 */
MUST_CHECK int channel_send(struct channel *ch, struct slice bytes);
/* The same with n descriptors, which stay the caller's (they are
 * duplicated). */
MUST_CHECK int channel_send_fds(struct channel *ch, struct slice bytes,
				const int *fds, size_t n);
/* Messages refused because the queue was full. */
uint64_t channel_refused(const struct channel *ch);
