/*
 * Which flows lead into each other. A flow whose party's address is another
 * flow's local address, and that one's party is here, are two phones talking
 * through the same call manager: the packets need not go through the sockets
 * between them. Knows all flows of all owners, tells the backend
 * (media_backend_ops.join, part), and tells the owners by events what they
 * need to know of each other: the far party's security and the key it sends
 * under. Only flows that take packets from the signalled address alone
 * (FLOW_LATCH_OFF) are joined: outside, an address is what a stranger says it
 * is. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/flow.h"
#include "media/backend.h"

struct joins;

enum { JOINS_FLOWS_MAX = 200000 };

/* No flows yet; b is told. NULL when memory is out. */
struct joins *joins_new(struct media_backend *b);
/* Wipe and free j (may be NULL); returns NULL. The backend is not told. */
struct joins *joins_free(struct joins *j);
/* A flow was added to the backend. ERR_NOMEM, ERR_LIMIT: it is not known
 * here. */
MUST_CHECK int joins_add(struct joins *j, uint64_t owner, const struct flow *f);
/* A flow changed; nothing happens when it is unknown. Joins and parts what
 * must be. */
void joins_update(struct joins *j, uint64_t owner, const struct flow *f);
/* A flow is about to be removed; nothing happens when it is unknown. */
void joins_remove(struct joins *j, uint64_t owner, uint64_t id);
/* Nobody stands for the flows of owner any more. O(flows). */
void joins_disown(struct joins *j, uint64_t owner);
/* Somebody stands for flow id again; what its owner was told of it is told
 * anew. Nothing happens when it is unknown. */
void joins_claim(struct joins *j, uint64_t owner, uint64_t id);
/* MEDIA_EVENT_ROLLED of a flow: whoever it is told to shall not borrow its key.
 * Nothing happens when it is unknown. */
void joins_rolled(struct joins *j, uint64_t owner, uint64_t id);
/* Is the flow known? */
bool joins_has(const struct joins *j, uint64_t owner, uint64_t id);
/* A flow of owner that nobody stands for; false: none. O(flows). */
bool joins_unclaimed(const struct joins *j, uint64_t owner, uint64_t *ret_id);
/* All flows of owner are about to be removed. O(flows). */
void joins_flush(struct joins *j, uint64_t owner);
/* Next MEDIA_EVENT_JOINED or PARTED: what holds now, however often it
 * changed since. *ret may hold a key. False when there is none. */
bool joins_next_event(struct joins *j, struct media_event *ret);
