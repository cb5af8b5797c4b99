/*
 * Trunks as they were before the configuration changed, while something of
 * theirs goes on: a trunk that is configured no more, or that may come from
 * elsewhere now. Who is such a trunk may go on with what has begun, and begin
 * nothing. Owned by one worker; short, since few trunks change while there are
 * calls.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/list.h"
#include "config/config.h"

struct formers {
	struct list list;
};

/* Empty. */
void formers_init(struct formers *f);
/* Forget all. */
void formers_done(struct formers *f);
/* Keep t as c, which is kept too, has it; nothing happens when it is there
 * with the same sources already. ERR_NOMEM. */
MUST_CHECK int formers_add(struct formers *f, struct config *c,
			   const struct config_trunk *t);
/*
 * The trunk that q was: as c, the configuration in force, has it, whose subjects
 * then count for the certificate, or as it was where c does not have it. NULL:
 * none. f may be NULL. O(formers).
 */
const struct config_trunk *formers_identify(const struct formers *f,
					    const struct config *c,
					    const struct config_claim *q);
/* The trunk of this name as it was last, or NULL. */
const struct config_trunk *formers_find(const struct formers *f,
					struct slice name);
/* Forget those for which keep(ctx, t) is false; gone(ctx, t) is called before.
 * True while some are left. */
bool formers_sweep(struct formers *f,
		   bool (*keep)(void *ctx, const struct config_trunk *t),
		   void (*gone)(void *ctx, const struct config_trunk *t),
		   void *ctx);
