/*
 * Cutting a byte stream into Skinny messages (SCCP, the protocol of Cisco's
 * desk phones; no public standard, see doc/sccp.md): a 32-bit length, a 32-bit
 * header version, then as many bytes as the length says, of which the first
 * four are the message id. All little-endian. Nothing in it marks a beginning,
 * so a header that cannot be one means that the stream is lost.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
	SCCP_HEAD_LEN = 12,    /* length, header version, message id */
	SCCP_LENGTH_SKIP = 8,  /* bytes that the length does not count */
	SCCP_PDU_MAX = 4096,   /* bytes of a message, header included */
	SCCP_VERSION_MAX = 22, /* newest header version that is known */
	SCCP_VERSION_LONG = 17 /* addresses are 20 bytes from here on */
};

struct sccp_pdu {
	struct slice bytes; /* all of it, a view of the input */
	uint32_t version;   /* of the header; 0 = basic */
	uint32_t id;	    /* message id */
};

/*
 * Cut the first message off in. limit: longest message that is taken, header
 * included, at most SCCP_PDU_MAX. *ret views in. ERR_MORE: in is a correct
 * beginning; ERR_LIMIT: it is too long; ERR_BAD: the length leaves no room for
 * an id, or no phone sends such a header version.
 */
MUST_CHECK int sccp_frame(struct slice in, size_t limit, struct sccp_pdu *ret);
