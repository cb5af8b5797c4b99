/*
 * Which sources of trunks belong to which worker, as rules for the sockets of a
 * listener (transport_steer_by).
 */
#pragma once

#include "config/config.h"
#include "transport/transport.h"

struct steer {
	struct transport_rule rule[TRANSPORT_RULES_MAX];
	size_t count;
};

/*
 * The rules of c's listener number listener, the longest prefix first, as trunks
 * are found. Those of before, which may be NULL, follow while there is room,
 * unless their very network is named again: calls of a trunk that comes from
 * elsewhere now, or is gone, go on in their worker. O(trunks + rules^2).
 */
void steer_fill(struct steer *s, const struct config *c, uint32_t listener,
		const struct steer *before);
