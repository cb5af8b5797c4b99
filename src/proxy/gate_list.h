/*
 * The members of a list that a subscription carries along (RFC 5367): the
 * entries of an application/resource-lists+xml body (RFC 4826). No XML
 * parser: every uri attribute counts, wherever it stands.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "sip/msg.h"

struct gate_list {
	struct slice rest; /* of the body; views the message */
};

/* Begin with the list in m; it has no members when there is none. */
void gate_list_init(struct gate_list *l, const struct sip_msg *m);
/*
 * The next member's URI; false at the end. What is no plain attribute value
 * (XML references in it, no end) comes as text that is no URI, for the caller
 * to refuse. Linear in the body over all calls.
 */
bool gate_list_next(struct gate_list *l, struct slice *ret_uri);
