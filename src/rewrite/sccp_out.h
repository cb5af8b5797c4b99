/*
 * A Skinny message as the other side may see it: a copy in which addresses,
 * ports, keys and numbers are replaced, that is made longer where a field has
 * no room, and whose texts hold nothing behind their end. Also messages of our
 * own. Layouts are sccp/msg.h's.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "flow/flow.h"
#include "sccp/msg.h"

enum { SCCP_OUT_MAX = SCCP_PDU_MAX + 128 }; /* bytes; keys may be added */

struct sccp_out {
	uint8_t buf[SCCP_OUT_MAX]; /* may hold keys: sccp_out_wipe */
	size_t len;
	struct sccp_msg msg; /* of buf, as it is now */
};

/* Begin with a copy of m, at most SCCP_PDU_MAX bytes. */
void sccp_out_copy(struct sccp_out *o, const struct sccp_msg *m);
/* Begin with an empty message of ours: id, header version, zeros up to len
 * bytes (header included, SCCP_HEAD_LEN..SCCP_PDU_MAX). */
void sccp_out_make(struct sccp_out *o, uint32_t id, uint32_t version,
		   size_t len);
/*
 * Begin with the unicast message for what m says of a group, which has room for
 * keys: StartMulticastMediaReception becomes OpenReceiveChannel,
 * StartMulticastMediaTransmission StartMediaTransmission, whose address is still
 * the group's. is_old: as servers below protocol version 10 make them. m is one
 * of the two and does not view o.
 */
void sccp_out_unicast(struct sccp_out *o, const struct sccp_msg *m,
		      bool is_old);
/* Set a u32 field, or the u8 SCCP_VERSION; nothing happens when it is not
 * there. */
void sccp_out_u32(struct sccp_out *o, enum sccp_field f, uint32_t v);
/* Set address field f and port field p to a; a field that is not there is
 * left out. ERR_UNSUPPORTED: IPv6 in a message of the short form. */
MUST_CHECK int sccp_out_addr(struct sccp_out *o, enum sccp_field f,
			     enum sccp_field p, const struct addr *a);
/* Set the station addresses of a registration to a's IP: the field of its
 * family, the other one becomes zero. */
void sccp_out_station(struct sccp_out *o, const struct addr *a);
/* Set the key info; suite NONE clears it. A message too short for it is made
 * longer by zeros, unless there is nothing to say. ERR_UNSUPPORTED: a suite
 * that key info has no number for, or an id that has none. */
MUST_CHECK int sccp_out_key(struct sccp_out *o, const struct flow_key *key);
/* Set SCCP_NAME-like text of 16 bytes; s is cut to 15. */
void sccp_out_text(struct sccp_out *o, enum sccp_field f, struct slice s);
/* The servers of ServerRes: names, ports and addresses of the first count
 * (at most SCCP_SERVER_COUNT), the rest zero. Nothing happens where they are
 * not whole. ERR_UNSUPPORTED as for sccp_out_addr. */
MUST_CHECK int sccp_out_servers(struct sccp_out *o, const struct addr *server,
				size_t count);
/* Zero what stands behind the NUL of each fixed text. */
void sccp_out_clean(struct sccp_out *o);
/* The finished message, a view of o. */
struct slice sccp_out_bytes(const struct sccp_out *o);
/* Wipe o. */
void sccp_out_wipe(struct sccp_out *o);
