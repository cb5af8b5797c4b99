/*
 * Devices that a new configuration does not have, but that are in a call: the
 * call goes on under the configuration it began with, until it ends. Owned by
 * one worker; short, since devices are seldom removed while they talk.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/list.h"
#include "config/config.h"

struct retirees {
	struct list list;
};

/* Empty. */
void retirees_init(struct retirees *r);
/* Forget all. */
void retirees_done(struct retirees *r);
/* Keep d, and with it c, which has it. ERR_NOMEM. */
MUST_CHECK int retirees_add(struct retirees *r, struct config *c,
			    const struct config_device *d);
/* Is d, by address, one of them? O(retirees). */
bool retirees_has(const struct retirees *r, const struct config_device *d);
/* The device of this name as c has it, or as it was when it retired, or
 * NULL. */
const struct config_device *retirees_current(const struct retirees *r,
					     const struct config *c,
					     struct slice name);
/* The one that had this line, or NULL. r may be NULL. */
const struct config_device *retirees_by_line(const struct retirees *r,
					     struct slice line);
/* Forget those for which keep(ctx, name) is false, or whose name c has again.
 * gone(ctx, device) is called before. True while some are left. */
bool retirees_sweep(struct retirees *r, const struct config *c,
		    bool (*keep)(void *ctx, struct slice name),
		    void (*gone)(void *ctx, const struct config_device *d),
		    void *ctx);
