/*
 * Devices in the store's file: a name and its options as text (config/devset.h
 * says what is in it; this room does not look). Changes come as one list and
 * are made together or not at all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/reader.h"
#include "base/writer.h"
#include "store/store.h"

enum {
	STORE_DEVICE_TEXT_MAX = 4096, /* bytes of a device's options */
	STORE_CHANGES_MAX = 64 << 20  /* bytes of one list of changes */
};

enum store_change_kind {
	STORE_CHANGE_PUT = 1,  /* name, text: new, or in place of the old */
	STORE_CHANGE_DEL = 2,  /* name: it need not be there */
	STORE_CHANGE_CLEAR = 3 /* all go */
};

struct store_change {
	enum store_change_kind kind;
	struct slice name, text; /* views */
};

/* Append a change to a list. */
void store_change_write(struct writer *w, const struct store_change *c);
/* Bytes that store_change_write takes. */
size_t store_change_len(const struct store_change *c);
/* Next change of a list; false at the end or when the rest is none (then
 * reader_end(r) is false). */
bool store_change_next(struct reader *r, struct store_change *ret);
/*
 * Make all changes of a list, at now_s (since 1970), in one transaction.
 * ERR_BAD when the list is none, ERR_SPACE, ERR_IO: the file is then as it
 * was. O(changes * log devices).
 */
MUST_CHECK int store_devices_change(struct store *s, struct slice changes,
				    uint64_t now_s);
/* Walk the devices in the order of their names, those after after only, until
 * fn returns false. ERR_IO. */
MUST_CHECK int store_devices_list(struct store *s, struct slice after,
				  bool (*fn)(void *ctx, struct slice name,
					     struct slice text),
				  void *ctx);
