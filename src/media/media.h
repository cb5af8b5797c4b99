/*
 * The media process without its channels: takes the bytes of a request, does
 * it with the backend that suits, and gives the bytes of the answer. One
 * thread; the backend's threads are its own affair.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include "media/backend.h"
#include "media/socket.h"

struct media;

struct media_params {
	struct media_socket_params socket;
	/* The most wanted first, see media/choose.h; taken over. */
	struct media_backend *const *backend;
	uint32_t backend_count;	 /* 0 = only a socket backend, made of socket */
	const struct addr *bind; /* flows' local addresses; copied */
	uint32_t bind_count;	 /* 0 = any, at most MEDIA_BIND_MAX */
	uint16_t port_min;	 /* lowest local port; 0 = any */
	uint16_t port_max;	 /* highest local RTCP port */
};

enum { MEDIA_BIND_MAX = 16 };

/* Start. Errors end the backends, too. ERR_NOMEM, ERR_IO, ERR_LIMIT too many addresses. */
MUST_CHECK int media_new(const struct media_params *p, struct media **ret);
/* End flows, sockets, threads; m may be NULL; returns NULL. */
struct media *media_free(struct media *m);
/*
 * Do the request in msg (media/wire.h) for owner and append the answer, which
 * MEDIA_WIRE_MAX bytes always hold. ERR_BAD: not a request, nothing was
 * appended: the channel is broken. Errors of the request itself are in the
 * answer; ERR_DENIED there: an address or port that is not ours to use.
 */
MUST_CHECK int media_request_do(struct media *m, uint64_t owner,
				struct slice msg, struct writer *answer);
/* As media_choose_unload. */
MUST_CHECK int media_unload(struct media *m, enum flow_backend which,
			    uint32_t *ret_moved);
/* As media_choose_load. */
MUST_CHECK int media_load(struct media *m, struct media_backend *b,
			  uint32_t *ret_moved);
/* As media_choose_close. */
void media_close(struct media *m, enum flow_backend which);
/* As media_choose_flows. */
bool media_flows(const struct media *m, enum flow_backend which,
		 uint32_t *ret_flows);
/* Readable while media_next_event has something from the backend; what a
 * request of a worker brings about is there when media_request_do returns. */
int media_event_fd(struct media *m);
/* Take an event, which may hold a key (joins.h); false when there is none. */
bool media_next_event(struct media *m, struct media_event *ret);
