/*
 * Offer/answer for one stream (RFC 3264) where SRTP is negotiated with SDES
 * (RFC 4568), opportunistically where the profile is RTP/AVP with a=crypto
 * (RFC 8643), with the fallback to RTP that policy allows. Both sides: our
 * answer to a peer's offer, and a peer's answer to our offer. Each side
 * protects what it sends with the key it generated itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/entropy.h"
#include "base/err.h"
#include "flow/suite.h"
#include "sdp/crypto.h"
#include "sdp/sdp.h"

/* May, must or shall a stream not be SRTP? */
enum answer_srtp {
	ANSWER_SRTP_NEVER,  /* RTP only; RTP/SAVP is refused */
	ANSWER_SRTP_PREFER, /* SRTP where the peer can, else RTP */
	ANSWER_SRTP_REQUIRE /* no stream without SRTP */
};

struct answer_policy {
	enum answer_srtp srtp;
	const enum suite *suite; /* allowed suites, best first */
	size_t suite_count;	 /* 0 with ANSWER_SRTP_NEVER is fine */
	/* The peer lists X-cisco-srtp-fallback in Supported: an RTP/SAVP
	 * offer we cannot use is answered with RTP/AVP instead of a refusal
	 * (unless SRTP is required). */
	bool peer_falls_back;
};

enum answer_kind {
	ANSWER_OFF,   /* the stream is disabled by its peer: port 0 */
	ANSWER_SRTP,  /* SRTP with peer and own */
	ANSWER_PLAIN, /* RTP */
	ANSWER_REFUSE /* 488: reason says why */
};

/* What was decided. Holds keys: wipe with answer_wipe on every path. */
struct answer {
	enum answer_kind kind;
	struct crypto_line peer; /* SRTP: key of what arrives from the peer */
	struct crypto_line own;	 /* SRTP: key of what we send; same tag */
	enum sdp_proto proto;	 /* OFF, SRTP, PLAIN: profile of the stream,
				    to be written in our answer */
	/* Static text: REFUSE: for the Warning header; PLAIN although SRTP
	 * was wanted: why; else NULL. */
	const char *reason;
};

/* Our own offer of one stream; n lines in order of preference. Holds keys:
 * wipe with answer_offer_wipe. */
struct answer_offer {
	struct crypto_line line[SUITE_COUNT];
	size_t count;	      /* 0 = plain RTP was offered */
	enum sdp_proto proto; /* what the m= line says */
};

/*
 * Decide our answer to the offered section m. The suite is the first of
 * policy that the offer has a usable line for (unsupported lines are skipped);
 * own repeats tag and suite with a fresh key from e, without lifetime and
 * MKI. ret is always filled; nothing can fail.
 */
void answer_decide(const struct sdp_media *m, const struct answer_policy *p,
		   const struct entropy *e, struct answer *ret);
/*
 * All that the offered section m has for policy: its first usable line of
 * each allowed suite, in the order of policy. None with ANSWER_SRTP_NEVER.
 * Wipe with answer_offer_wipe.
 */
void answer_usable(const struct sdp_media *m, const struct answer_policy *p,
		   struct answer_offer *ret);
/* A fresh key of ours for suite (not SUITE_NONE). */
void answer_key(enum suite suite, const struct entropy *e,
		struct flow_key *ret);
/*
 * Make our own offer: one line per suite of policy in its order, tags 1..n,
 * fresh keys from e, no lifetime and no MKI (Cisco phones refuse lines that
 * have them). proto: the profile to offer; lines are made unless policy is
 * ANSWER_SRTP_NEVER, so RTP/AVP with ANSWER_SRTP_PREFER is an OSRTP offer.
 */
void answer_offer_make(const struct answer_policy *p, enum sdp_proto proto,
		       const struct entropy *e, struct answer_offer *ret);
/*
 * Read the peer's answer m to our offer: SRTP when exactly one a=crypto line
 * repeats tag and suite of one of our lines (own is that line of ours), PLAIN
 * when it has none, the profile is not a secure one and policy allows it, OFF
 * for port 0, REFUSE for everything else (wrong tag, changed suite, several
 * lines, SRTP that we did not offer). ret is always filled.
 */
void answer_check(const struct answer_offer *o, const struct answer_policy *p,
		  const struct sdp_media *m, struct answer *ret);
/* True when the peer's answer has as many m= lines as our offer, of the same
 * types in the same order (RFC 3264 section 6). */
bool answer_fits(const struct sdp *offer, const struct sdp *ans);
/* The direction we may answer when the offer says offered and the far end is
 * willing to do far: never more than the offer allows (RFC 3264 6.1). */
enum sdp_dir answer_dir(enum sdp_dir offered, enum sdp_dir far);
/* Wipe the keys. */
void answer_wipe(struct answer *a);
/* Wipe the keys. */
void answer_offer_wipe(struct answer_offer *o);
