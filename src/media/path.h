/*
 * One direction of a relayed stream, without sockets: takes a packet as it
 * arrived, decides whether it may pass, turns it into what leaves, and counts.
 * The rules about sources (against injected media and against media stolen
 * by a packet from nowhere, known as RTP bleed) are all here:
 *
 *   OFF         only the signalled address and port.
 *   RESTRICTED  the signalled IP. A valid packet proves its port; then only
 *               that port, until another proves itself (SRTP only).
 *   NAT         anybody whose packet has the right tag (SRTP only; for plain
 *               RTP as RESTRICTED); then only he, until another proves
 *               himself.
 *
 * Proof: SRTP, a fresh packet whose tag verifies; the first one latches, a
 * later change takes PATH_PROOF such packets in a row, so that one captured
 * packet played back first does not move the stream. Plain, a valid packet
 * from exactly the signalled port, or PATH_PROOF valid ones in a row from
 * another port: RTP of one SSRC with consecutive sequence numbers, RTCP of one
 * SSRC. Nothing is learned before the tag is checked, and unproven plain
 * packets are not forwarded. RTCP on the odd port has a latch of its own.
 *
 * What comes to a group (flow.group) comes from whoever may send there.
 *
 * What is not RTP (flow.is_raw) passes from exactly the signalled address, as
 * it is.
 *
 * Two phones that talk to each other are two pairs of flows, back to back:
 * what enters the first pair from its phone leaves the second towards the
 * other. path_join makes one step of that: the packet is judged by the path it
 * came to and leaves as the far path says. Where the far phone was given the
 * near one's own key (flow.is_borrowed), what leaves is the packet as it came,
 * its tag verified.
 *
 * Not thread-safe; time is the caller's milliseconds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "flow/flow.h"
#include "media/journal.h"
#include "media/state.h"

struct path;

enum {
	PATH_PROOF = 3,		/* packets in a row */
	PATH_PACKET_MAX = 1800, /* longest packet relayed, as received */
	PATH_BUF_MAX = PATH_PACKET_MAX + 64, /* buffer that always suffices */
	PATH_GRACE_MS = 2000, /* the old key still opens packets so long */
	PATH_SSRC_RATE = 2,   /* new SSRCs a second towards SRTP... */
	PATH_SSRC_BURST = 8   /* ...and at once */
};

/* A packet on its way. */
struct path_packet {
	uint8_t *buf;	 /* PATH_BUF_MAX bytes */
	size_t len;	 /* bytes of the UDP payload */
	struct addr src; /* where it came from */
	bool is_rtcp;	 /* in: came by the odd port; out: leaves by it */
};

/* Path for f; its keys are copied. NULL when memory is out. */
struct path *path_new(const struct flow *f, uint64_t now_ms);
/*
 * Note in r, from now on, how far the streams of p come. r is new, or tells
 * where they stood in a process that is gone (is_old): then p, which is new,
 * goes on there, and ERR_STATE means that r does not tell, or tells it of
 * another key. r outlives p. ERR_NOMEM.
 */
MUST_CHECK int path_journal(struct path *p, const struct flow *f,
			    struct journal_record *r, bool is_old);
/*
 * What another path for the same flow needs to go on where p is, for
 * path_begin. Leaves the descriptors of *ret alone. What still opens under a
 * key that was just replaced is not in it.
 */
void path_state(const struct path *p, struct media_state *ret);
/* Go on where s says; p is new and nothing is noted of it yet. ERR_NOMEM,
 * ERR_LIMIT too many streams: p is to be freed. */
MUST_CHECK int path_begin(struct path *p, const struct media_state *s);
/* Wipe and free p (may be NULL); returns NULL. */
struct path *path_free(struct path *p);
/*
 * Take over remote, latch, keys, blocked and idle time of f. Contexts with an
 * unchanged key keep their index; a changed remote or latch mode forgets what
 * was learned. ERR_STATE: f sends under a key that this flow once had and left.
 * ERR_NOMEM. After an error nothing has changed.
 */
MUST_CHECK int path_update(struct path *p, const struct flow *f,
			   uint64_t now_ms);
/*
 * From now on what passes p leaves as far says (its key, its hold, its
 * counters), instead of as p itself says. far: the path a packet of p would
 * have come to next; NULL: p is on its own again. far must outlive that. To
 * be called again after an update of either.
 */
void path_join(struct path *p, struct path *far);
/*
 * Judge pkt and turn it, in place, into what leaves towards the peer flow.
 * 0: forward it. Otherwise drop it, it is counted: ERR_DENIED source,
 * ERR_AUTH tag, ERR_REPLAY, ERR_BAD malformed, ERR_LIMIT or ERR_NOMEM too
 * many SSRCs, ERR_STATE blocked, or not under the borrowed key it would have
 * to leave under. Constant time.
 */
MUST_CHECK int path_receive(struct path *p, struct path_packet *pkt,
			    uint64_t now_ms);
/* Count a packet that path_receive let pass as sent or, with an error, as
 * dropped. received: its length as it arrived. */
void path_sent(struct path *p, bool is_rtcp, size_t received, int err);
/* Where packets for p's remote party go: proven, else signalled; family NONE
 * when neither is known. RTCP of a party that multiplexes goes where its RTP
 * goes. Valid until p changes. */
const struct addr *path_dest(const struct path *p, bool is_rtcp);
/* Has p's party shown by a packet that its RTP comes from path_dest? */
bool path_is_proven(const struct path *p);
/* A number that changes whenever path_dest does. */
uint32_t path_epoch(const struct path *p);
/* The flow as added or last updated, keys cleared. */
const struct flow *path_flow(const struct path *p);
/* Counters; *ret_stats is a copy. */
void path_stats(const struct path *p, struct flow_stats *ret_stats);
/* True once after the RTP source was learned or changed. */
bool path_take_latched(struct path *p);
/* True once when nothing valid arrived for the flow's idle time. */
bool path_take_idle(struct path *p, uint64_t now_ms);
/* True once when something valid arrived, or an update began to count anew,
 * after path_take_idle was true. */
bool path_take_active(struct path *p);
/* True once, and again after each path_update, when what arrives has come so far
 * under its key that nobody can begin to hear it there (RTP_LEND_MAX). */
bool path_take_rolled(struct path *p);

/*
 * A relay with many flows finds a flow's memory cold for each packet. These
 * three ask for it ahead of path_receive, one pointer deeper each time, with
 * other work between: the path, its keys, the streams' replay windows.
 */
void path_prefetch(const struct path *p);
void path_prefetch_keys(const struct path *p);
void path_prefetch_streams(const struct path *p);
