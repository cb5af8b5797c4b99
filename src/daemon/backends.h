/*
 * The media process' backends as the configuration wants them: made in their
 * order at the start, told to the operator, given up one by one.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "media/media.h"

struct backends_params {
	enum flow_backend wanted[FLOW_BACKENDS]; /* the most wanted first */
	uint32_t wanted_count;
	struct media_socket_params socket; /* threads: without queues */
	uint32_t lease_s;     /* flows in the kernel outlive us so long */
	uint16_t queue_first; /* number of the first packet queue */
	uint16_t queues;      /* there are rules for so many; 0 = for none */
};

struct backends {
	struct backends_params params;
	bool is_there[FLOW_BACKENDS]; /* or was, until it was unloaded */
	char why[FLOW_BACKENDS][MEDIA_WHY_MAX]; /* it cannot be had */
};

/*
 * Make what can be had of p and, with it, the media process (mp: all but its
 * backends). What cannot be had is logged with its reason. ERR_UNSUPPORTED:
 * nothing can. ERR_NOMEM, ERR_IO.
 */
MUST_CHECK int backends_open(struct backends *b,
			     const struct backends_params *p,
			     struct media_params *mp, struct media **ret);
/*
 * Have backend which again, that was unloaded, with all streams that it can
 * take from less wanted ones; *ret_moved: its flows then. An error, as
 * media_load or of what cannot be had, with its reason for the operator.
 */
MUST_CHECK int backends_load(struct backends *b, struct media *m,
			     enum flow_backend which, uint32_t *ret_moved,
			     char reterr[MEDIA_WHY_MAX]);
/* A row for each backend that is wanted, in their order: "backend", "state",
 * "flows", "why". The caller's reference. */
json_t *backends_rows(const struct backends *b, const struct media *m);
/* Find a backend by its name. ERR_NOTFOUND. */
MUST_CHECK int backends_find(struct slice name, enum flow_backend *ret);
