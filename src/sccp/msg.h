/*
 * Skinny messages by id: which there are, who may send them, and where in
 * them stand the fields that a proxy reads or replaces. A message of unknown
 * id has no fields and passes as it is. Newer protocol versions only append
 * fields, so a field is there when the message is long enough for it; nothing
 * is refused for being shorter or longer than somebody's newest layout. The
 * one exception is the form of addresses: 4 bytes below header version 17, 20
 * from there on. doc/sccp.md lists messages and layouts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "sccp/frame.h"

/* Messages that the code names; the table (msg_table.c) has them all. */
enum sccp_id {
	SCCP_KEEPALIVE = 0x0000,
	SCCP_REGISTER = 0x0001,
	SCCP_IP_PORT = 0x0002,
	SCCP_ALARM = 0x0020,
	SCCP_MULTICAST_RECEPTION_ACK = 0x0021,
	SCCP_OPEN_RECEIVE_ACK = 0x0022,
	SCCP_STATISTICS_RES = 0x0023,
	SCCP_UNREGISTER = 0x0027,
	SCCP_TOKEN_REQ = 0x0029,
	SCCP_TRANSMISSION_FAILURE = 0x002A,
	SCCP_OPEN_MM_RECEIVE_ACK = 0x0031,
	SCCP_PORT_RES = 0x0045,
	SCCP_REGISTER_ACK = 0x0081,
	SCCP_START_TRANSMISSION = 0x008A,
	SCCP_STOP_TRANSMISSION = 0x008B,
	SCCP_CALL_INFO = 0x008F,
	SCCP_START_SESSION = 0x0095,
	SCCP_STOP_SESSION = 0x0096,
	SCCP_REGISTER_REJECT = 0x009D,
	SCCP_SERVER_RES = 0x009E,
	SCCP_RESET = 0x009F,
	SCCP_KEEPALIVE_ACK = 0x0100,
	SCCP_START_MC_RECEPTION = 0x0101,
	SCCP_START_MC_TRANSMISSION = 0x0102,
	SCCP_STOP_MC_RECEPTION = 0x0103,
	SCCP_STOP_MC_TRANSMISSION = 0x0104,
	SCCP_OPEN_RECEIVE = 0x0105,
	SCCP_CLOSE_RECEIVE = 0x0106,
	SCCP_CALL_STATE = 0x0111,
	SCCP_UNREGISTER_ACK = 0x0118,
	SCCP_TOKEN_ACK = 0x011A,
	SCCP_TOKEN_REJECT = 0x011B,
	SCCP_OPEN_MM_RECEIVE = 0x0131,
	SCCP_START_MM_TRANSMISSION = 0x0132,
	SCCP_STOP_MM_TRANSMISSION = 0x0133,
	SCCP_CLOSE_MM_RECEIVE = 0x0136,
	SCCP_CALL_INFO_V2 = 0x014A,
	SCCP_PORT_REQ = 0x014B,
	SCCP_PORT_CLOSE = 0x014C,
	SCCP_START_TRANSMISSION_ACK = 0x0154,
	SCCP_START_MM_TRANSMISSION_ACK = 0x0155,
	SCCP_SPCP_TOKEN_REQ = 0x8000,
	SCCP_SPCP_TOKEN_ACK = 0x8100,
	SCCP_SPCP_TOKEN_REJECT = 0x8101
};

/* Who sends a message, as bits. */
enum sccp_dir {
	SCCP_FROM_PHONE = 1,
	SCCP_FROM_CORE = 2, /* the call manager */
	SCCP_MEDIA_RESOURCE =
		4 /* between call manager and bridges, MTPs and the like, in
		     either direction */
};

/* What stands in a message; its place is found by sccp_msg_parse. */
enum sccp_field {
	SCCP_CONF,	  /* u32: conferenceId */
	SCCP_PARTY,	  /* u32: passThroughPartyId, one stream of a phone */
	SCCP_CALL,	  /* u32: callReference */
	SCCP_STATUS,	  /* u32: 0 = ok */
	SCCP_ADDR,	  /* address: where media go or come from */
	SCCP_PORT,	  /* u32: its port */
	SCCP_RTCP_PORT,	  /* u32 */
	SCCP_SRC_ADDR,	  /* address: where media will come from, a hint */
	SCCP_SRC_PORT,	  /* u32 */
	SCCP_CODEC,	  /* u32: compressionType */
	SCCP_PACKET_MS,	  /* u32: packet size in milliseconds */
	SCCP_KEY,	  /* key info (sccp/key.h) */
	SCCP_NAME,	  /* text of 16: device name */
	SCCP_STATION_V4,  /* 4 bytes: the phone's idea of its address */
	SCCP_STATION_V6,  /* 16 bytes */
	SCCP_MODEL,	  /* u32: device type */
	SCCP_VERSION,	  /* u8: protocol version */
	SCCP_KEEPALIVE_S, /* u32: seconds between keepalives */
	SCCP_KEEPALIVE_SECOND, /* u32: the same to a standby */
	SCCP_SECURITY,	       /* u32: enum sccp_security */
	SCCP_LINE,	       /* u32: line instance */
	SCCP_CALL_TYPE,	       /* u32: 1 in, 2 out, 3 forwarded */
	SCCP_STATE,	       /* u32: of a call */
	SCCP_WAIT_S,	       /* u32: seconds until the next try */
	SCCP_RESET_TYPE,       /* u32: 1 reset, 2 restart, 3 apply */
	SCCP_SERVERS,	       /* five names, ports and addresses */
	SCCP_FIELD_COUNT
};

/* callSecurityStatus: the icon a phone shows. */
enum sccp_security {
	SCCP_SECURITY_UNKNOWN = 0,
	SCCP_SECURITY_NONE = 1,		 /* no icon */
	SCCP_SECURITY_AUTHENTICATED = 2, /* shield */
	SCCP_SECURITY_ENCRYPTED = 3	 /* lock */
};

enum {
	SCCP_NAME_LEN = 16,    /* bytes of a device name with its NUL */
	SCCP_ADDR_SHORT = 4,   /* bytes of an address */
	SCCP_ADDR_LONG = 20,   /* type and 16 bytes */
	SCCP_SERVER_COUNT = 5, /* in ServerRes */
	SCCP_SERVER_NAME = 48, /* bytes of each name there */
	SCCP_SERVERS_SHORT =
		SCCP_SERVER_COUNT * (SCCP_SERVER_NAME + 4 + SCCP_ADDR_SHORT),
	SCCP_SERVERS_LONG =
		SCCP_SERVER_COUNT * (SCCP_SERVER_NAME + 4 + SCCP_ADDR_LONG),
	SCCP_KNOWN_MAX = 4 /* known lengths of one message and form */
};

/* Where a field stands, from the first byte of the message; 0: it does not. */
struct sccp_place {
	enum sccp_field field;
	uint16_t at[2]; /* with short and with long addresses */
};

struct sccp_string {
	uint16_t at;
	uint16_t len;	/* bytes with the NUL */
	uint16_t count; /* so many; 0 means one */
	uint16_t step;	/* bytes from one to the next */
};

/* One message id. */
struct sccp_row {
	uint32_t id;
	const char *name;
	uint8_t dir;	  /* enum sccp_dir, as bits */
	bool is_media;	  /* carries addresses, ports or keys of media */
	uint16_t need[2]; /* bytes a message has at least when it can be dealt
			     with, header included; 0 = any. By form */
	/* Lengths (as the length field has them) that are known, by form;
	 * zeros behind. They tell forms apart where the header lies. */
	uint16_t known[2][SCCP_KNOWN_MAX];
	const struct sccp_place *place;	  /* ends with at {0, 0} */
	const struct sccp_string *string; /* texts ended by NUL; ends with 0 */
};

struct sccp_msg {
	struct slice bytes; /* the whole message, a view */
	uint32_t version;
	uint32_t id;
	const struct sccp_row *row;    /* NULL: nobody knows this id */
	bool is_long;		       /* addresses have 20 bytes */
	uint16_t at[SCCP_FIELD_COUNT]; /* offset in bytes; 0: not there */
};

/* The row of a message id, or NULL. O(log n). */
const struct sccp_row *sccp_row_find(uint32_t id);
/* Walk the table: row i (from 0), or NULL behind the last. */
const struct sccp_row *sccp_row_at(size_t i);
/* Row with this name (case does not matter), or NULL. O(n). */
const struct sccp_row *sccp_row_named(struct slice name);
/* Name of a message id for logs; "unknown" where there is none. Static. */
const char *sccp_name(uint32_t id);

/* Find the fields of a message. *ret views the same bytes as pdu. Cannot
 * fail: what is too short for a field has none. */
void sccp_msg_parse(const struct sccp_pdu *pdu, struct sccp_msg *ret);
/* Is the message long enough for all that must be read or replaced? True for
 * ids without such fields. */
bool sccp_msg_is_whole(const struct sccp_msg *m);
/* Is this field there? */
bool sccp_has(const struct sccp_msg *m, enum sccp_field f);
/* Value of a u32 field, or of the u8 SCCP_VERSION; 0 when it is not there. */
uint32_t sccp_u32(const struct sccp_msg *m, enum sccp_field f);
/* Text of SCCP_NAME up to its NUL, a view; empty when it is not there. */
struct slice sccp_text(const struct sccp_msg *m, enum sccp_field f);
/* Address field f with port field p. ERR_NOTFOUND when one is not there;
 * ERR_BAD: no address type that is known, or a port over 65535. */
MUST_CHECK int sccp_addr(const struct sccp_msg *m, enum sccp_field f,
			 enum sccp_field p, struct addr *ret);
/* Bytes of key info that are there: 0, 40, or 48 with its last fields. */
size_t sccp_key_len(const struct sccp_msg *m);
/* Offset of a field in a message of this row and form, whether or not it is
 * long enough; 0: there is none. */
uint16_t sccp_row_place(const struct sccp_row *row, enum sccp_field f,
			bool is_long);
/* Bytes of a field. is_long: of addresses. */
size_t sccp_field_len(enum sccp_field f, bool is_long);
