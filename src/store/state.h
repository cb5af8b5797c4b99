/*
 * What workers leave to their successors, in an SQLite file of its own: blobs
 * by worker and key, encrypted before they come here. The file is of use to
 * processes of the same boot only, and only for the lease after the last sign
 * of life: so it need not survive a power cut, is written without waiting for
 * the disk, and whatever cannot be read is begun anew. Writes gather in one
 * transaction until state_commit. Owned by the store process, one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
	STATE_KEY_MAX = 64,	/* bytes of a key */
	STATE_BLOB_MAX = 48000, /* bytes of a blob */
	STATE_MESSAGE_MAX = 256,
	STATE_BOOT_MAX = 64 /* bytes that name a boot, with their NUL */
};

struct state;

struct state_params {
	const char *path;
	const char *boot;  /* names the present boot of the system */
	uint64_t now_s;	   /* seconds since that boot */
	uint32_t lease_s;  /* what nobody kept alive for longer is dropped */
	uint32_t workers;  /* what others have left is dropped */
	uint32_t rows_max; /* hard limit of entries */
};

/*
 * Open, or make with mode 0600, the file. What is damaged, of another version,
 * another boot or too old is dropped: ret_message (STATE_MESSAGE_MAX bytes)
 * says so, or is empty. ERR_IO, ERR_NOMEM: ret_message says why. Owner: the
 * caller, until state_close.
 */
MUST_CHECK int state_open(const struct state_params *p, struct state **ret,
			  char *ret_message);
/* Commit and close s (may be NULL); returns NULL. */
struct state *state_close(struct state *s);
/* Write an entry, new or in place of the old one. ERR_BAD: lengths, or no
 * such worker. ERR_LIMIT: rows_max. ERR_SPACE, ERR_IO: what was there is
 * there still. */
MUST_CHECK int state_put(struct state *s, uint32_t worker, struct slice key,
			 struct slice blob);
/* Remove an entry; nothing happens when it is not there. ERR_SPACE, ERR_IO. */
MUST_CHECK int state_del(struct state *s, uint32_t worker, struct slice key);
/* Mark all entries of a worker: state_put takes the mark away. For the limit a
 * marked one does not count, up to rows_max of them. ERR_BAD: no such worker.
 * ERR_SPACE, ERR_IO. */
MUST_CHECK int state_mark(struct state *s, uint32_t worker);
/* Remove what is marked of a worker. Nothing is removed when any write has
 * failed since state_mark: what was put may not be there. ERR_SPACE, ERR_IO. */
MUST_CHECK int state_sweep(struct state *s, uint32_t worker);
/* Walk a worker's entries by key, those after key after (empty: all), until
 * fn returns false. ERR_IO. */
MUST_CHECK int state_list(struct state *s, uint32_t worker, struct slice after,
			  bool (*fn)(void *ctx, struct slice key,
				     struct slice blob),
			  void *ctx);
/* End the transaction, if one is open, and leave a sign of life: now_s as in
 * state_params. ERR_SPACE, ERR_IO. */
MUST_CHECK int state_commit(struct state *s, uint64_t now_s);
/* Entries there are. */
uint32_t state_count(const struct state *s);
/* Why the last operation failed, for the log. Valid until the next. */
const char *state_error(const struct state *s);
