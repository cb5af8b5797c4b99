/*
 * One direction of media, said without doing it: what arrives where, from
 * whom, under which key, and under which key it leaves. The opposite direction
 * is another flow, its peer: a packet of this flow leaves from the peer's
 * local address towards the peer's remote (or latched) address. RTP uses the
 * even port named here, RTCP the next one, under the same keys; both belong
 * to the flow. A flow may hear a multicast group instead of its own port, so
 * that one who has no multicast gets what is sent there. Crosses process borders as bytes (flow_write, flow_read).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/reader.h"
#include "base/writer.h"
#include "flow/suite.h"

enum flow_latch {
	FLOW_LATCH_OFF = 0,	   /* only the signalled address and port */
	FLOW_LATCH_RESTRICTED = 1, /* signalled IP, any port; latch once */
	FLOW_LATCH_NAT = 2 /* any source whose first packet authenticates */
};

struct flow_key {
	enum suite suite;	      /* SUITE_NONE: plain, rest unused */
	uint8_t key[SUITE_KEY_MAX];   /* master key, suite_info lengths */
	uint8_t salt[SUITE_SALT_MAX]; /* master salt */
	uint8_t mki[4];		      /* big-endian MKI value, mki_len used */
	uint8_t mki_len;	      /* bytes, 0..4; 0 = no MKI */
};

struct flow {
	uint64_t id;	    /* unique for its owner, never 0 */
	uint64_t peer_id;   /* the opposite direction */
	uint64_t call;	    /* cookie of the call, for CALL-wide removal */
	struct addr local;  /* arrival: our address and even RTP port */
	struct addr group;  /* multicast, with its RTP port: what is sent there
			    * arrives, from anybody, instead of at local;
			    * family NONE = no group */
	struct addr remote; /* signalled source; family NONE = not known */
	struct addr remote_rtcp; /* signalled RTCP source; port + 1 if unset */
	enum flow_latch latch;	 /* what may be learned about the source */
	struct flow_key in;	 /* protection of what arrives */
	struct flow_key out;	 /* protection of what leaves */
	bool is_raw; /* no RTP: any datagram of remote passes, plain */
	/* out is another phone's own key: what arrives under that key, checked,
	 * may leave as it is; nothing is ever encrypted with it. */
	bool is_borrowed;
	bool is_muxed;	  /* RTCP of remote uses its RTP port (RFC 5761) */
	uint8_t security; /* of whoever is behind this flow, told to whom
				  it is joined with; 0..FLOW_SECURITY_MAX */
	bool is_blocked;  /* on hold: check, count, do not forward */
	uint32_t
		idle_ms; /* FLOW_IDLE after so long without a packet; 0 = never */
};

/* Who relays a flow, see media/backend.h; from the most wanted to what always
 * works. */
enum flow_backend {
	FLOW_BACKEND_KERNEL,
	FLOW_BACKEND_QUEUE,
	FLOW_BACKEND_SOCKET,
	FLOW_BACKENDS /* count */
};

struct flow_stats {
	uint64_t id;
	uint8_t backend;       /* enum flow_backend */
	struct addr latched;   /* learned RTP source; family NONE = not yet */
	uint64_t rtp_packets;  /* forwarded */
	uint64_t rtp_bytes;    /* UDP payload as received */
	uint64_t rtcp_packets; /* forwarded */
	uint64_t auth_fail;    /* tag did not verify */
	uint64_t replay;       /* seen before or older than the window */
	uint64_t src_reject;   /* from an address that nobody named */
	uint64_t malformed;    /* not RTP/RTCP, or too short or long */
	uint64_t dropped;      /* blocked, no destination, or send refused */
};

enum {
	FLOW_BYTES_MAX = 512, /* a serialised flow always fits */
	FLOW_SECURITY_MAX = 2
};

/* Same suite, key, salt and MKI? The key is compared in constant time. */
bool flow_key_eq(const struct flow_key *a, const struct flow_key *b);
/* Wipe the keys of f. */
void flow_wipe(struct flow *f);
/* Append f as bytes, keys included: only for the media channel and, there
 * encrypted, the store. */
void flow_write(struct writer *w, const struct flow *f);
/* Read what flow_write wrote. ERR_BAD for anything else: unknown suite,
 * family, latch or version, or a length that does not fit. */
MUST_CHECK int flow_read(struct reader *r, struct flow *ret);
/* "kernel", "queue" or "socket". */
const char *flow_backend_str(enum flow_backend b);
/* Append s as bytes. */
void flow_stats_write(struct writer *w, const struct flow_stats *s);
/* Read what flow_stats_write wrote; ERR_BAD otherwise. */
MUST_CHECK int flow_stats_read(struct reader *r, struct flow_stats *ret);
