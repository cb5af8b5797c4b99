/*
 * The keeper of the packet queues' rules: a process of its own that sets them
 * with nft, or iptables where the kernel lacks nftables' queue expression, and
 * takes them away when it is told to or when the monitor is gone, however that
 * came about. Before it sets any it takes away what a keeper has left that was
 * killed itself. It reads nothing but its monitor's channel, holds
 * CAP_NET_ADMIN and CAP_NET_RAW, and outlives the monitor by a moment.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "media/backend.h"
#include "media/queue_rules.h"

struct keeper;

/*
 * Start one that sets r (pid is its own affair); r NULL: one that only clears
 * up and ends. Blocks until it is done, 20 s at most. Call it before the
 * sandbox and any thread. ERR_UNSUPPORTED: neither tool could set the rules;
 * reterr tells what they said. ERR_IO, ERR_NOMEM, ERR_TIMEOUT.
 */
MUST_CHECK int keeper_start(const struct queue_rules *r, struct keeper **ret,
			    char reterr[MEDIA_WHY_MAX]);
/* What set the rules: "nftables" or "iptables". */
const char *keeper_tool(const struct keeper *k);
/* Are there rules of an earlier keeper, that is gone, or could there be? The
 * file at path tells; keeper_mark made it. */
bool keeper_was_here(const char *path);
/* Note at path that there are rules, or (false) that there are none. */
void keeper_mark(const char *path, bool has_rules);
/* Take the rules away and wait for that, 20 s at most. ERR_IO, ERR_TIMEOUT:
 * they may be there still. */
MUST_CHECK int keeper_remove(struct keeper *k);
/* Take the rules away; do not wait. Takes NULL, returns NULL. */
struct keeper *keeper_free(struct keeper *k);
