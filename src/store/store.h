/*
 * What must outlive a restart, in one SQLite file: today the digest
 * credentials. Everything secret in it is already encrypted by the keys
 * process; this room sees blobs only. Write-ahead log, synchronous=FULL: a
 * store_put that returned 0 survives a power cut, one that failed changed
 * nothing. Owned by the store process, one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
	STORE_NAME_MAX = 128,  /* bytes of a user or realm */
	STORE_BLOB_MAX = 1024, /* bytes of an encrypted credential */
	STORE_MESSAGE_MAX = 256,
	STORE_USERS_MAX = 1000000 /* credentials in one file */
};

/* The user under whom a call manager's realm has its credentials: no name a
 * device could have. */
#define STORE_REALM_USER "@"

struct store;

/* One credential. Slices are valid during the callback, or the caller's. */
struct store_credential {
	struct slice user;  /* 1..STORE_NAME_MAX bytes */
	struct slice realm; /* 1..STORE_NAME_MAX bytes */
	struct slice blob;  /* 1..STORE_BLOB_MAX bytes; empty in a list */
	uint64_t created_s; /* seconds since 1970 */
	uint64_t changed_s;
};

/*
 * Open, or make with mode 0600, the database file at path (its directory must
 * exist). A file that is no database, is damaged, or was written by a newer
 * version is refused and not touched: ERR_BAD; ERR_IO when the system refuses.
 * reterr_message (STORE_MESSAGE_MAX bytes, may be NULL) then says why and what
 * to do. Owner of *ret_store: the caller, until store_close.
 */
MUST_CHECK int store_open(const char *path, struct store **ret_store,
			  char *reterr_message);
/* Close s (may be NULL); returns NULL. */
struct store *store_close(struct store *s);
/*
 * Read the blob of (user, realm) into buf of STORE_BLOB_MAX bytes; *ret_len
 * bytes were written. ERR_NOTFOUND, ERR_IO.
 */
MUST_CHECK int store_get(struct store *s, struct slice user, struct slice realm,
			 uint8_t *buf, size_t *ret_len);
/*
 * Write a credential, new or in place of the old one (created_s then stays).
 * c->changed_s is the time now. ERR_BAD for lengths out of range, ERR_LIMIT at
 * STORE_USERS_MAX, ERR_SPACE when the disk is full, ERR_IO: the file is then
 * as it was.
 */
MUST_CHECK int store_put(struct store *s, const struct store_credential *c);
/* Delete (user, realm). ERR_NOTFOUND, ERR_SPACE, ERR_IO. */
MUST_CHECK int store_delete(struct store *s, struct slice user,
			    struct slice realm);
/*
 * Walk credentials in the order of (realm, user), those after (after_realm,
 * after_user) only (both empty: from the first), until fn returns false. The
 * blob is not read. ERR_IO. O(log n) to find the place.
 */
MUST_CHECK int
store_list(struct store *s, struct slice after_user, struct slice after_realm,
	   bool (*fn)(void *ctx, const struct store_credential *c), void *ctx);
/* Remember that a device has shown a locally significant certificate; the
 * first time counts. ERR_BAD (name), ERR_SPACE, ERR_IO. */
MUST_CHECK int store_lsc_put(struct store *s, struct slice device,
			     uint64_t now_s);
/* 0 when the device has shown one, ERR_NOTFOUND when not; ERR_IO. */
MUST_CHECK int store_lsc_get(struct store *s, struct slice device);
/* Forget that. ERR_NOTFOUND when there was nothing; ERR_SPACE, ERR_IO. */
MUST_CHECK int store_lsc_del(struct store *s, struct slice device);
/* Why the last operation on s failed, for the log. Valid until the next. */
const char *store_error(const struct store *s);
