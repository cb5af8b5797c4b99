/*
 * How far every SRTP stream of every flow has come, in a file that is mapped
 * into memory: written as packets go, without a call of the system, it is
 * there when the process is not. Its successor, given the same keys again,
 * goes on behind the last index that was used; without that knowledge a key
 * must not be used again (the keystream would be, too). The file belongs to one
 * boot of the system: a power cut may lose what was written last. It holds no
 * keys. Records are taken and dropped by one thread; each is written by the
 * thread that has its flow.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "rtp/srtp.h"

enum { JOURNAL_FLOWS = 20000 }; /* records; further flows are not noted */

/* A flow's record: in[] and out[] of struct flow. */
struct journal_record {
	uint64_t owner;
	uint64_t id;	   /* 0 = free */
	uint64_t print[2]; /* of the key, see rtp_srtp_print; 0 = none */
	struct rtp_marks marks[2];
};

struct journal;

/* For who opens the file: make fd a journal of this boot (a name of at most 40
 * bytes); one of another boot, or none, is begun anew. All its blocks are taken
 * from the disk. ERR_IO with errno; the file is then empty. */
MUST_CHECK int journal_prepare(int fd, const char *boot);
/* Map what journal_prepare made. fd stays the caller's and may be closed.
 * ERR_IO, ERR_BAD (not a journal), ERR_NOMEM. */
MUST_CHECK int journal_open(int fd, struct journal **ret);
/* Unmap; the records stay in the file. Takes NULL, returns NULL. */
struct journal *journal_close(struct journal *j);
/* Drop the records of owner's flows but those that is_kept(arg, owner, id). */
void journal_sweep(struct journal *j, uint64_t owner,
		   bool (*is_kept)(void *arg, uint64_t owner, uint64_t id),
		   void *arg);
/* A number drawn when the file was begun: whoever has the same journal goes on
 * with the same flows. */
uint64_t journal_instance(const struct journal *j);
/* The record of a flow, or NULL. O(1). */
struct journal_record *journal_find(struct journal *j, uint64_t owner,
				    uint64_t id);
/* A record for a new flow; NULL: none is free. */
struct journal_record *journal_take(struct journal *j, uint64_t owner,
				    uint64_t id);
/* The flow has ended: nobody will ask for r (may be NULL) again. */
void journal_drop(struct journal *j, struct journal_record *r);
