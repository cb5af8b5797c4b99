/*
 * Rules of the packet filter, put in force by the operator's nft(8), with the
 * operator's rights: the daemon has none for that.
 */
#pragma once

#include <jansson.h>

/*
 * Hand the lines of rows (objects with a text "csv") to `nft -f -` and wait for
 * its end. What nft complains of goes to our standard error. 0; or errno when nft
 * cannot be run, EIO when it did not take the rules: nothing has changed then.
 */
int nft_apply(const json_t *rows);
