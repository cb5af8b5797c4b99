/*
 * UDP in IPv4 (RFC 791) or IPv6 (RFC 8200), read as it stands in a packet that
 * the kernel hands out before it was delivered. Pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

struct datagram {
	struct addr src, dst;
	struct slice payload; /* as much of it as there is in the packet */
	size_t len;	      /* of the payload as sent; more if it was cut */
};

/*
 * Read packet, from its IP header on; *ret views it. is_sum_checked: the UDP
 * checksum is known to be right. ERR_UNSUPPORTED: not UDP, a fragment, or with
 * options that are not ours to understand. ERR_BAD: lengths or the checksum
 * are wrong; one that cannot be computed because the packet was cut is not.
 */
MUST_CHECK int datagram_parse(struct slice packet, bool is_sum_checked,
			      struct datagram *ret);
/* Copy the payload into buf[cap]; its length, or cap + 1 when it is longer or
 * was cut: then buf has not got it. */
size_t datagram_copy(const struct datagram *d, void *buf, size_t cap);
