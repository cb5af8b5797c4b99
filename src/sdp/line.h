/*
 * Walking the lines of a session description: shared by reading and printing,
 * which must agree on what a line is.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/*
 * Take the next line out of *rest, without its LF or CRLF. False when *rest is
 * used up. *ret_line views *rest.
 */
bool sdp_line_next(struct slice *rest, struct slice *ret_line);
/*
 * Name and value of an attribute line "a=name:value" or "a=name"; false when
 * the line is something else. Both view line.
 */
bool sdp_line_attr(struct slice line, struct slice *ret_name,
		   struct slice *ret_value);
/* Take the next field, up to a blank, out of *rest; empty at the end. Runs of
 * blanks count as one. */
struct slice sdp_line_field(struct slice *rest);
