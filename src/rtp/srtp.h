/*
 * SRTP and SRTCP (RFC 3711, 6188, 7714): one context for one direction under
 * one master key. State moves only after a tag verified (in) or a packet was
 * made (out): a forged packet changes nothing. Packets are worked on in place.
 * Owner: the caller. One thread at a time.
 *
 * In: a new SSRC is taken on when, and only when, its packet verifies.
 * Out: a sequence number that left already is refused, whatever it carries:
 * the same keystream over two payloads gives both away.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/flow.h"

struct rtp_srtp;

enum { RTP_MARKS = 4 }; /* streams whose indices can be noted */

/* How far a stream has come: highest index and one; 0 = no packet yet. */
struct rtp_mark {
	uint32_t ssrc;
	uint32_t rtcp;
	uint64_t rtp;
};

/* How far all streams under one key have come, in memory that outlives the
 * process. All zero: no packet yet. */
struct rtp_marks {
	struct rtp_mark mark[RTP_MARKS]; /* in the order they appeared */
	uint32_t count;
	uint32_t is_full; /* there were more: not all are noted */
};

enum {
	RTP_SSRC_MAX = 32, /* streams per context; more are ERR_LIMIT */
	/* Who is told a key before a stream has come so far has a minute of
	 * voice to begin with it: later its roll-over counter is not 0. */
	RTP_LEND_MAX = 0xf000,
	RTP_GROWTH_MAX = 16 + 4 + 4 /* tag, SRTCP index, MKI */
};

/* Context under master key k (not SUITE_NONE). NULL when memory is out. */
struct rtp_srtp *rtp_srtp_new(const struct flow_key *k);
/*
 * Go on where m says that a predecessor under the same key stood: nothing at
 * or below is protected or taken once more, so that no keystream is used
 * twice, and from now on note in m how far s has come, before a packet can
 * leave. s is new; m outlives it. ERR_STATE: m does not tell all. ERR_NOMEM.
 */
MUST_CHECK int rtp_srtp_resume(struct rtp_srtp *s, struct rtp_marks *m);
/* Note nothing any more: the marks are another key's from now on. */
void rtp_srtp_forget_marks(struct rtp_srtp *s);
/* Note in m how far all streams of s are, and from now on how they go on,
 * before a packet can leave. m outlives s. */
void rtp_srtp_note(struct rtp_srtp *s, struct rtp_marks *m);
/* How far the streams of s are; how many there are. */
uint32_t rtp_srtp_streams(const struct rtp_srtp *s,
			  struct rtp_mark ret[RTP_SSRC_MAX]);
/*
 * Go on with n streams where m says; s is new, under the key they had. Nothing
 * at or below is protected or taken once more. ERR_LIMIT: more than
 * RTP_SSRC_MAX. ERR_NOMEM: s is to be freed.
 */
MUST_CHECK int rtp_srtp_begin(struct rtp_srtp *s, const struct rtp_mark *m,
			      uint32_t n);
/* A number that tells keys apart and tells nothing about them: derived like
 * the session keys (RFC 3711 section 4.3), under a label of its own. */
uint64_t rtp_srtp_print(const struct flow_key *k);

/*
 * The last keys that were sent under and are no more, by their prints; all zero
 * is none. How far they came is forgotten, so none of them may be sent under
 * again: the keystream would be used twice (RFC 3711 section 9.1).
 */
enum { RTP_SPENT_MAX = 4 };
struct rtp_spent {
	uint64_t print[RTP_SPENT_MAX];
	uint32_t next;
};
/* print 0 is never one. */
bool rtp_spent_has(const struct rtp_spent *s, uint64_t print);
/* Instead of the oldest; 0 is not kept. */
void rtp_spent_add(struct rtp_spent *s, uint64_t print);
/* Wipe and free s (may be NULL); returns NULL. */
struct rtp_srtp *rtp_srtp_free(struct rtp_srtp *s);
/* Is s under exactly this key? Compared in constant time. */
bool rtp_srtp_has_key(const struct rtp_srtp *s, const struct flow_key *k);
/* Are both under the same key? Compared in constant time. */
bool rtp_srtp_same_key(const struct rtp_srtp *a, const struct rtp_srtp *b);
/* Streams (SSRCs) s knows. */
uint32_t rtp_srtp_ssrcs(const struct rtp_srtp *s);
/* Has a stream of s come as far as RTP_LEND_MAX? Then nobody can begin in its
 * midst: the roll-over counter is not in the packets (RFC 3711 section 3.3.1).
 * O(RTP_SSRC_MAX). */
bool rtp_srtp_has_rolled(const struct rtp_srtp *s);
/* True when s knows ssrc. O(RTP_SSRC_MAX). */
bool rtp_srtp_knows(const struct rtp_srtp *s, uint32_t ssrc);

/*
 * Protect the RTP packet of len bytes at buf, in place; cap bytes may be used
 * (len + RTP_GROWTH_MAX always suffices). ERR_BAD: not RTP. ERR_REPLAY: its
 * sequence number was used or is too old. ERR_LIMIT: one SSRC too many, or
 * the key is worn out (2^48 packets). ERR_SPACE, ERR_NOMEM.
 */
MUST_CHECK int rtp_srtp_protect(struct rtp_srtp *s, uint8_t *buf, size_t len,
				size_t cap, size_t *ret_len);
/*
 * Check and decrypt the SRTP packet of len bytes at buf, in place; on error
 * the bytes are not to be used. ERR_BAD: not RTP or too short. ERR_AUTH: tag
 * or MKI wrong. ERR_REPLAY: seen or too old. ERR_LIMIT, ERR_NOMEM: authentic,
 * but one SSRC too many.
 */
MUST_CHECK int rtp_srtp_unprotect(struct rtp_srtp *s, uint8_t *buf, size_t len,
				  size_t *ret_len);
/* The same for an RTCP packet; ERR_LIMIT also after 2^31 packets. */
MUST_CHECK int rtp_srtp_protect_rtcp(struct rtp_srtp *s, uint8_t *buf,
				     size_t len, size_t cap, size_t *ret_len);
/* The same for an SRTCP packet; one that is not encrypted (E bit clear) is
 * ERR_AUTH, since we never agree to UNENCRYPTED_SRTCP. */
MUST_CHECK int rtp_srtp_unprotect_rtcp(struct rtp_srtp *s, uint8_t *buf,
				       size_t len, size_t *ret_len);

/* Bring what the next RTP packet needs into the caches: keys, then (when they
 * have arrived) the window of the first stream. No effect otherwise. */
void rtp_srtp_prefetch(const struct rtp_srtp *s);
void rtp_srtp_prefetch_stream(const struct rtp_srtp *s);
