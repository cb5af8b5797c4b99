/*
 * Watches over addresses that IPsec has to protect: tells when one is
 * protected, or no more. The kernel is read anew when it reports a change of
 * its policies or states, and every few seconds in case a report was lost.
 */
#pragma once

#include "authz/ipsec.h"
#include "base/err.h"

struct loop;
struct ipsec_watch;

enum {
	IPSEC_WATCH_MS = 5000, /* at the latest */
	IPSEC_SETTLE_MS = 50   /* changes come in bunches */
};

struct ipsec_watch_params {
	struct loop *loop;	       /* outlives the watch */
	const struct ipsec_flow *flow; /* count, copied */
	size_t count;
	/* Some verdicts are others than before (all are unknown before the
	 * first call): one for each flow, valid during the call. */
	void (*changed)(void *ctx, const enum ipsec_verdict *verdict,
			size_t count);
	void *ctx;
};

/* Watch; the first verdicts come from the loop. ERR_IO with errno: the kernel
 * does not answer questions about IPsec. ERR_NOMEM. Owner of *ret: the caller,
 * until ipsec_watch_free. */
MUST_CHECK int ipsec_watch_new(const struct ipsec_watch_params *p,
			       struct ipsec_watch **ret);
/* No more; w may be NULL. Returns NULL. */
struct ipsec_watch *ipsec_watch_free(struct ipsec_watch *w);
