/*
 * What a worker keeps for its successor: the call machine's saves, gathered
 * for KEEP_MS so that what changes twice in a row is written once, encrypted
 * under a data key of this worker and sent to the store process; and, at the
 * beginning, what a predecessor left. The data key comes from the keys
 * process, which alone can open it again. One thread.
 */
#pragma once

#include <stdint.h>

#include "b2bua/save.h"
#include "base/err.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "priv/channel.h"
#include "priv/keys_client.h"

struct keep;

enum {
	KEEP_MS = 200,	      /* what is younger may be lost */
	KEEP_FETCH_MS = 10000 /* patience with the store at the beginning */
};

/* ERR_NOMEM; ERR_IO and others of keys_client_wrap. worker: its number; max:
 * objects that may wait. */
MUST_CHECK int keep_new(struct loop *loop, struct keys_client *keys,
			uint32_t worker, uint32_t max, struct keep **ret);
/* Send what waits to store (may be NULL), wipe and free k (may be NULL);
 * returns NULL. */
struct keep *keep_free(struct keep *k, struct channel *store);
/* From now on max objects may wait, where that is more than before. */
void keep_room(struct keep *k, uint32_t max);
/* Where saves go from now on; NULL: they wait. */
void keep_set_store(struct keep *k, struct channel *store);
/* The caller saves everything anew, at once: when the store has taken all of it,
 * and not before, it drops what else it has of this worker. Waits for a store
 * as saves do. */
void keep_anew(struct keep *k);
/* Execute ACTION_SAVE (is_save) or ACTION_FORGET. Without memory the object
 * is not kept, which is logged. */
void keep_action(struct keep *k, bool is_save, struct slice bytes);
/*
 * Blocking, before the loop runs: read what the predecessor left through
 * store_fd (SEQPACKET, stays the caller's) and give every object to fn, which
 * says whether it is to be kept: what is not, and what cannot be opened, is
 * forgotten at the store. ERR_CLOSED: the store process is gone.
 * ERR_TIMEOUT: it does not answer. ERR_IO: it cannot read. ERR_NOMEM, ERR_BAD.
 */
MUST_CHECK int keep_fetch(struct keep *k, int store_fd,
			  bool (*fn)(void *ctx, struct slice key,
				     struct slice bytes),
			  void *ctx);
