/*
 * Devices that stand in no file: those of the store, or of a CSV file on its
 * way there. A device is its name and its options as text, one "option=value"
 * a line, items of a list with a blank between them; options that are not
 * named have their defaults. What the values mean is the business of
 * config_build, which gets them as tuples.
 */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "config/config.h"

enum { DEVSET_TEXT_MAX = 4096 }; /* bytes of one device's options */

struct devset;

/* One device; valid until it changes or the set is freed. */
struct devset_item {
	const char *name;
	const char *text;
	uint32_t line; /* of the CSV file it came from; 0 = none */
};

/* Tuples of a whole set; item is the caller's to alloc_free, its slices and
 * labels view the set. */
struct devset_tuples {
	struct config_tuple *item;
	size_t count;
};

/* An empty set, at most CONFIG_DEVICES_MAX devices. NULL: no memory. */
struct devset *devset_new(void);
/* Free ds (may be NULL); returns NULL. */
struct devset *devset_free(struct devset *ds);
/* Number of devices. */
size_t devset_count(const struct devset *ds);
/* The device of this name; false: there is none. O(1). */
bool devset_find(const struct devset *ds, struct slice name,
		 struct devset_item *ret);
/* Put a device in place of one with the same name, or as a new one (last).
 * ERR_LIMIT for the set's or the text's limit, ERR_NOMEM; then nothing has
 * changed. O(1). */
MUST_CHECK int devset_put(struct devset *ds, struct slice name,
			  struct slice text, uint32_t line);
/* Take a device out; ERR_NOTFOUND. O(1). */
int devset_del(struct devset *ds, struct slice name);
/* The devices come from no file any more: the store has them. */
void devset_settle(struct devset *ds);
/* Walk in order: *pos is NULL at first. False at the end. */
bool devset_next(const struct devset *ds, struct list **pos,
		 struct devset_item *ret);
/*
 * Read CSV text: a first line with the names of columns, which are "name" and
 * options of a device, in any order; then a line for each device. An empty
 * field is the default. Each error is in rep with file and line; ERR_BAD when
 * there was one, ERR_NOMEM. ds is empty before.
 */
MUST_CHECK int devset_read_csv(struct devset *ds, struct slice text,
			       const char *file, struct config_report *rep);
/* The set as tuples for config_build, all is_stored. Those that came from a
 * CSV file name file and line, others "device store". An option that does not
 * exist is an error in rep: ERR_BAD. ERR_NOMEM. */
MUST_CHECK int devset_tuples(const struct devset *ds, const char *file,
			     struct config_report *rep,
			     struct devset_tuples *ret);
/* Append the options of d that are not the defaults as devset text. ERR_NOMEM,
 * ERR_LIMIT. */
MUST_CHECK int devset_text_of(const struct config_device *d, struct buf *ret);
