/*
 * The store process's messages: one packet each way on a SOCK_SEQPACKET
 * channel, big-endian, blobs with 32-bit lengths (base/reader.h). The number
 * id pairs an answer with its request; answers may come in any order.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/reader.h"
#include "base/slice.h"
#include "base/writer.h"

enum {
	STORE_WIRE_MAX = 8192, /* bytes of any message */
};

enum store_op {
	STORE_OP_GET = 1,     /* user, realm -> blob */
	STORE_OP_PUT = 2,     /* user, realm, blob -> status */
	STORE_OP_DEL = 3,     /* user, realm -> status */
	STORE_OP_LIST = 4,    /* after user, realm -> items, more */
	STORE_OP_LSC_PUT = 5, /* device (user) has shown an LSC -> status */
	STORE_OP_LSC_GET = 6, /* has it? -> 0, ERR_NOTFOUND */
	STORE_OP_LSC_DEL = 7, /* forget it -> status */
	/* after name (in user) -> PUTs of store/devices.h, more */
	STORE_OP_DEVICES = 8,
	/* With a memory file of changes (store/devices.h) -> status. */
	STORE_OP_DEVICES_CHANGE = 9,
	STORE_OP_LAST = STORE_OP_DEVICES_CHANGE
};

/* Slices are views into the caller's buffers. */
struct store_request {
	enum store_op op;
	uint64_t id;
	struct slice user, realm;
	struct slice blob; /* PUT only */
};

struct store_reply {
	enum store_op op;
	uint64_t id;
	int status;	   /* 0 or an enum err */
	struct slice blob; /* GET: the credential; LIST: packed items */
	bool is_last;	   /* LIST: nothing follows these items */
};

struct store_item {
	struct slice user, realm;
	uint64_t created_s, changed_s; /* since 1970 */
};

/* Append r. */
void store_request_write(struct writer *w, const struct store_request *r);
/* Read what store_request_write wrote, exactly; slices of *ret are views into
 * s. ERR_BAD for an unknown operation, a wrong length or trailing bytes. */
MUST_CHECK int store_request_read(struct slice s, struct store_request *ret);
/* Append r. */
void store_reply_write(struct writer *w, const struct store_reply *r);
/* Read what store_reply_write wrote, exactly; views into s. ERR_BAD. */
MUST_CHECK int store_reply_read(struct slice s, struct store_reply *ret);
/* Append one item of a LIST reply's blob. */
void store_item_write(struct writer *w, const struct store_item *item);
/* Take the next item from r, a reader over a LIST reply's blob: false at the
 * end or when the rest is no item (then reader_end(r) is false). */
bool store_item_next(struct reader *r, struct store_item *ret);
