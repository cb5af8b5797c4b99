/*
 * A limit that several holders share: each may use what it has been leased and
 * no more, all together never more than the limit. What nobody uses goes to
 * whom it is short for; what a holder is to give back counts as its own until
 * it says that it has done so. This is the lender's book; messages are the
 * caller's affair.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LEASE_HOLDERS_MAX = 64 };

struct lease_holder {
	uint32_t held; /* it may use that much */
	uint32_t used; /* as it last said */
	uint32_t sent; /* number of the last message to it */
	bool is_asked; /* to give back; not yet answered */
};

struct lease {
	uint32_t limit;
	uint32_t count; /* holders */
	struct lease_holder holder[LEASE_HOLDERS_MAX];
};

/* A message to a holder: from now on it may use amount. */
struct lease_change {
	uint32_t holder;
	uint32_t amount;
	uint32_t number; /* to be repeated in its answer */
};

/* Everyone has an equal share. count: 1..LEASE_HOLDERS_MAX. */
void lease_init(struct lease *l, uint32_t limit, uint32_t count);
/* Another limit from now on; lease_next brings it about. */
void lease_limit(struct lease *l, uint32_t limit);
/* The share everyone begins with. */
uint32_t lease_share(uint32_t limit, uint32_t count, uint32_t holder);
/*
 * A holder says that it uses used and, having followed message number, may use
 * held. What it says of held counts only when number is the last that was
 * sent: otherwise the two have crossed.
 */
void lease_report(struct lease *l, uint32_t holder, uint32_t number,
		  uint32_t held, uint32_t used);
/* The next message that is to be sent; false: none. O(count^2). */
bool lease_next(struct lease *l, struct lease_change *ret);
/* A holder begins anew with its equal share; the message that tells it what
 * it may use is *ret. */
void lease_again(struct lease *l, uint32_t holder, struct lease_change *ret);
