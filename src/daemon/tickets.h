/*
 * The master keys of TLS session tickets: made at random, replaced by time, the
 * one before still handed out, so that its tickets are taken for a while. They
 * outlive a restart in a file, encrypted under the key of the store. The file
 * has two places that are written by turns: a crash while one is written leaves
 * the other. It is kept open, because the keys process may not open files.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

struct tickets;

enum { TICKETS_KEPT = 2 }; /* the key in use and the one before */

/*
 * Open the file at path, or make it (mode 0600). path NULL: the keys live in
 * memory only. seal_key: SEAL_KEY_LEN bytes, must outlive the tickets. period_s
 * > 0: how long a key is in use. A file that cannot be decrypted is written
 * anew: its tickets are worth a full handshake each, no more. ERR_IO,
 * ERR_DENIED (others may read it), ERR_NOMEM, with reterr (KEYS_ERR_MAX).
 */
MUST_CHECK int tickets_open(const char *path, struct slice seal_key,
			    uint32_t period_s, struct tickets **ret,
			    char *reterr);
/* Wipe and free t (may be NULL); returns NULL. */
struct tickets *tickets_free(struct tickets *t);
/* Append the keys that count at now_s (seconds since 1970), TLS_TICKET_KEY_LEN
 * bytes each, the newest first; makes a new one when its time has come. */
void tickets_get(struct tickets *t, int64_t now_s, struct writer *ret);
