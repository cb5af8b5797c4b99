/*
 * Inside of conffile/: the growing list of tuples that files are read into.
 * The list owns labels and values; section and option names are the schema's.
 */
#pragma once

#include "config/config.h"

/* Room for a print-back of CONFIG_DEVICES_MAX devices with 16 lines each. */
enum { TUPLES_MAX = 900000 };

struct tuples {
	struct config_tuple *item;
	size_t count;
	size_t cap;
};

/* Free the list and all labels and values. */
void tuples_done(struct tuples *t);
/*
 * Append a tuple; label and value are copied where the tuple owns them: the
 * value always, the label when it opens a section (t->name NULL); options of
 * that section share it. ERR_NOMEM, ERR_LIMIT.
 */
MUST_CHECK int tuples_add(struct tuples *t, const struct config_tuple *add);
