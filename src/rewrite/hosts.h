/*
 * Addresses of one side in texts for the other: header values, bodies, URIs.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "base/writer.h"
#include "rewrite/sip_out.h"

/* What is written in place of this host of a URI or this address in a text
 * (is_uri false); NULL: it may be shown. */
const struct addr *hosts_find(const struct sip_out_map *map, struct slice host,
			      bool is_uri);
/* Whom a user at host, which hosts_find found, stands for where that is a
 * Contact of ours; false: it is none. */
bool hosts_find_user(const struct sip_out_map *map, const struct addr *host,
		     struct slice user, struct slice *ret);
/* Copy text; each IP address in it that map speaks of is replaced, in a URI
 * without its port, and with the user where that is a Contact of ours. Linear. */
void hosts_copy(struct writer *w, struct slice text,
		const struct sip_out_map *map);
