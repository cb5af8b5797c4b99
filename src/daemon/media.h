/*
 * The media process: holds the relay's sockets and the flows with their keys,
 * takes requests (media/wire.h) from the workers' channels and sends them
 * answers and events. A worker's death leaves its flows running under its
 * number; its successor speaks for the same number and flushes or claims them.
 * The process ends when the monitor closes its channel. Over that channel it
 * tells, at the start and when asked, what its backends are, and gives one up
 * or takes it back when it is told to (DWIRE_QUERY with CONTROL_MEDIA,
 * CONTROL_MEDIA_UNLOAD or CONTROL_MEDIA_LOAD).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "flow/flow.h"

enum { MEDIA_CHANNELS_MAX = 64 }; /* workers */

struct role_media_channel {
	int fd;		 /* SOCK_SEQPACKET to the worker; taken over */
	uint32_t worker; /* its number: owner id of its flows */
};

struct role_media_params {
	int monitor_fd; /* closed by the monitor = end. A message on it with
			 * one fd attached is a new worker's channel:
			 * dwire_adopt_write */
	struct role_media_channel channel[MEDIA_CHANNELS_MAX];
	uint32_t channel_count;
	const struct addr *bind; /* addresses flows may use (port ignored) */
	uint32_t bind_count;	 /* 0 = any */
	uint16_t port_min;	 /* even RTP ports allowed; 0 = any */
	uint16_t port_max;
	uint32_t max_flows; /* hard limit; 0 = 20000 */
	uint32_t threads;   /* relay threads; 0 = 1 */
	uint8_t dscp;	    /* of relayed packets, 46 = EF; 0 = none */
	const enum flow_backend *backend; /* the most wanted first */
	uint32_t backend_count;		  /* 0 = sockets alone */
	uint32_t lease_s;		  /* see daemon/backends.h */
	uint16_t queue_first;		  /* see daemon/backends.h */
	uint16_t queues;
	int journal_fd; /* what media/journal.h prepared; 0 = none: flows
			       with keys end with the process */
	/* Called once, before the first thread and the first packet: the
	 * place to enter the sandbox. May be NULL; non-zero ends the role. */
	int (*enter)(void *ctx);
	void *ctx; /* for enter */
};

/*
 * Run the media process over the fds of p until the monitor's channel is
 * closed. Blocks. 0, or an error when the relay could not be made.
 */
int role_media(const struct role_media_params *p);
