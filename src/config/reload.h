/*
 * A configuration on its way into a running daemon: what differs from the one
 * in force, what of that can be taken up without a restart, and the result as
 * bytes for the other processes. Which options can change is said by the rows
 * of the schema (enum config_when); everything here follows them.
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "config/schema.h"

enum config_change_kind { CONFIG_CHANGED, CONFIG_ADDED, CONFIG_REMOVED };

/* One difference. Slices are the configurations'. */
struct config_change {
	enum config_change_kind kind;
	enum config_when when; /* never CONFIG_WHEN_SECTION */
	const struct config_section *section;
	struct slice label; /* empty where the section has none */
	/* NULL when the section as a whole was added or removed. */
	const struct config_option *option;
};

/*
 * Tell fn each difference from old to next, section by section in the order
 * of the schema; an added or removed section is one difference. O(values).
 */
void config_diff(const struct config *old, const struct config *next,
		 void (*fn)(void *ctx, const struct config_change *change),
		 void *ctx);
/*
 * Append to *ret, as bytes for config_unpack, the configuration that takes
 * force when next replaces running without a restart: values that need one,
 * and sections of a kind that cannot come and go, are running's. running may
 * be NULL: then it is next. ERR_NOMEM, ERR_LIMIT.
 */
MUST_CHECK int config_pack(const struct config *running,
			   const struct config *next, struct buf *ret);
/* Append what config_share filled in, for the config_unpack of what is before
 * it. ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK int config_pack_share(const struct config *c, struct buf *ret);
/*
 * Build what config_pack and config_pack_share wrote; messages (of config_build, without lines) go
 * to rep, which is initialised. ERR_BAD when bytes are something else, or
 * values of running and next do not go together; ERR_NOMEM.
 */
MUST_CHECK int config_unpack(struct slice bytes, struct config_report *rep,
			     struct config **ret_config);
