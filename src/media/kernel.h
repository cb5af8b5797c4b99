/*
 * The relay in the kernel: flows are made true by the module nf_srtp, packets
 * never enter user space. What is left here is to bind their ports, so that
 * nobody else gets them, to hand back what the module did not take, and to
 * pass on events.
 *
 * The module's flows outlive the process. They carry an instance number that
 * the caller remembers (one per network namespace and boot), and a lease: a
 * successor finds them, and takes over with revive those that its owners still
 * want; the others go when the lease is over.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "media/backend.h"

enum {
	MEDIA_KERNEL_OWNERS = 1 << 12 /* owners are 0..this - 1 */
};

struct media_kernel_params {
	uint64_t instance;  /* tells our flows from other programs' */
	uint32_t lease_s;   /* flows outlive us so long; 0 = 300 */
	uint32_t max_flows; /* hard limit; 0 = as the module says */
	uint8_t dscp;	    /* of relayed packets, 0..63; 0 = unmarked */
};

/*
 * Find the module and what it has of this instance. ERR_NOTFOUND there is no
 * module, ERR_DENIED, ERR_NOMEM, ERR_IO; why, for the operator, in reterr
 * (MEDIA_WHY_MAX bytes).
 */
MUST_CHECK int media_kernel_new(const struct media_kernel_params *p,
				struct media_backend **ret, char *reterr);
