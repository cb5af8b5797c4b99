/*
 * A backend made of backends: each stream is relayed by the first of them
 * that can, and may be moved to another while packets come in. Keeps every
 * flow's keys, since who moves a flow must know them, and wipes them with it.
 * Streams that are joined are in one backend: they move to meet.
 * One thread, like any backend.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "media/backend.h"

/*
 * b: n backends (1..FLOW_BACKENDS, none twice), the most wanted first, taken
 * over: errors end them, too. ERR_NOMEM, ERR_IO.
 */
MUST_CHECK int media_choose_new(struct media_backend *const *b, uint32_t n,
				struct media_backend **ret);
/* How many flows backend which has now; what it is, in *ret (may be NULL).
 * False: it is not there. */
bool media_choose_flows(const struct media_backend *b, enum flow_backend which,
			uint32_t *ret_flows);
/*
 * Give backend which up: its flows go on in the next one that takes them.
 * *ret_moved: how many went. ERR_NOTFOUND: it is not there. ERR_STATE: it is
 * the only one. Other errors: of the first flow that could not be moved; it
 * and all that come after it are where they were, and it is used as before,
 * for new ones, too. Until media_choose_close it lets what is no flow of its
 * pass. A stream that neither takes any more, because memory is out, ends:
 * MEDIA_EVENT_FAILED, to be taken at once.
 */
MUST_CHECK int media_choose_unload(struct media_backend *b,
				   enum flow_backend which,
				   uint32_t *ret_moved);
/*
 * Take b, another one of a kind that was unloaded, into its old place, and have
 * the streams of less wanted backends go on in it, where it can do what they
 * need. *ret_moved: its flows then. b is taken over, by errors too.
 * ERR_NOTFOUND: there was none of its kind at the start. ERR_EXISTS: there is
 * one. ERR_IO.
 */
MUST_CHECK int media_choose_load(struct media_backend *base,
				 struct media_backend *b, uint32_t *ret_moved);
/* End backend which, that was unloaded; events it has are lost. Nothing
 * happens when it has flows, or is not there. */
void media_choose_close(struct media_backend *b, enum flow_backend which);
