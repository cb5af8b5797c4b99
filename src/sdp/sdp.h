/*
 * Session descriptions (RFC 8866) as views of their text: what a relay must
 * know is read, everything else stays a line that is printed again bit by
 * bit. Printing is where an address, a port or a key is replaced: topology is
 * hidden and nothing that would lead media around the relay (ICE, DTLS,
 * bundles, multiplexed RTCP, alternative addresses) gets through.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include "sdp/crypto.h"

enum {
	SDP_MAX = 8192,	     /* bytes of a whole body */
	SDP_LINES_MAX = 200, /* lines of a whole body */
	SDP_MEDIA_MAX = 16,  /* m= lines of a whole body */
	/* A printed body always fits here, whatever the edit says. */
	SDP_PRINT_MAX = SDP_MAX + 512 + SDP_MEDIA_MAX * 1280
};

enum sdp_proto {
	SDP_PROTO_OTHER = 0, /* text in proto_text; never relayed */
	SDP_PROTO_RTP_AVP,
	SDP_PROTO_RTP_SAVP,
	SDP_PROTO_RTP_AVPF,
	SDP_PROTO_RTP_SAVPF
};

enum sdp_dir { SDP_SENDRECV = 0, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };

/* One m= section; its slices view the body, codec may be static text. */
struct sdp_media {
	struct slice text;	 /* the section's lines, m= line first */
	struct slice type;	 /* "audio", "video", "image" ... */
	uint16_t port;		 /* 0 = rejected, or offered as disabled */
	uint16_t port_count;	 /* after '/', else 1 */
	struct slice proto_text; /* as written */
	enum sdp_proto proto;
	struct slice formats; /* the format list as written, never empty */
	struct slice codec;   /* first format: "PCMU/8000"; empty: unknown */
	struct addr addr;     /* c= of the section or the session, with port;
				    family NONE: none, or a host name */
	struct addr rtcp;     /* a=rtcp if given, else addr at port + 1 */
	bool has_rtcp;	      /* a=rtcp was given */
	bool has_rtcp_mux;    /* a=rtcp-mux was given */
	enum sdp_dir dir;     /* the section's, else the session's */
	uint8_t crypto_count; /* a=crypto lines, usable or not */
};

/* A parsed body: about 3 KB (allocate two of them), views the text it was parsed from. */
struct sdp {
	struct slice text;	   /* the whole body */
	struct slice head;	   /* the lines before the first m= */
	struct slice origin_user;  /* first part of o= */
	struct slice sess_id;	   /* of o=, as written */
	struct slice sess_version; /* of o=, as written */
	struct addr addr;	   /* session c=; family NONE: none */
	struct sdp_media media[SDP_MEDIA_MAX];
	size_t media_count;
};

/* What one m= section becomes when it is printed. */
struct sdp_media_edit {
	uint16_t port;	      /* RTP port; 0 rejects the stream */
	uint16_t rtcp_port;   /* written as a=rtcp unless 0 or port + 1 */
	struct addr addr;     /* for c=; family NONE: the session's */
	enum sdp_proto proto; /* to write; SDP_PROTO_OTHER: as it was */
	bool rtcp_mux;	      /* write a=rtcp-mux */
	bool keep_crypto;     /* keep the section's own a=crypto lines */
	bool set_dir;	      /* write dir instead of what stands there */
	enum sdp_dir dir;
	const struct crypto_line *crypto; /* lines to add, may be NULL */
	size_t crypto_count; /* of crypto, at most SUITE_COUNT are written */
};

/* What a body becomes when it is printed. */
struct sdp_edit {
	uint64_t sess_id;      /* for o= */
	uint64_t sess_version; /* for o=; grows with every change */
	struct addr addr;      /* for o= and the session's c= */
	struct sdp_media_edit media[SDP_MEDIA_MAX]; /* same order as parsed */
};

/*
 * Parse a body; lines may end with CRLF or LF. *ret views body. Strict where
 * the relay depends on it (v=, o=, m=, c= syntax, no control bytes), lenient
 * about what it only passes on. ERR_BAD when it is not an SDP, ERR_LIMIT when
 * it exceeds a limit above. Linear in body.
 */
MUST_CHECK int sdp_parse(struct slice body, struct sdp *ret);
/*
 * Print s with the substitutions of e; lines end with CRLF. Always dropped:
 * k=, and the attributes of ICE, DTLS, ZRTP, MIKEY, capability negotiation,
 * BUNDLE, RTCP multiplexing and alternative addresses. a=crypto is dropped
 * unless kept. Other lines are bit-identical and in order. Overflow is the
 * writer's; SDP_PRINT_MAX bytes always suffice.
 */
void sdp_print(struct writer *w, const struct sdp *s, const struct sdp_edit *e);
/*
 * Walk the a=crypto lines of a section in order: *pos starts at 0 and is
 * opaque. *ret_value is what follows "a=crypto:", for crypto_parse. False at
 * the end.
 */
bool sdp_crypto_next(const struct sdp_media *m, size_t *pos,
		     struct slice *ret_value);
/* Value of the attribute "a=name:value" of a section (first one, name
 * case-sensitive); true when present, value empty for "a=name". */
bool sdp_media_attr(const struct sdp_media *m, const char *name,
		    struct slice *ret_value);
/* True when the writer of this section wants to receive media: the port is
 * not 0, the address not 0.0.0.0 or :: (hold of RFC 2543), the direction
 * sendrecv or recvonly. */
bool sdp_wants_media(const struct sdp_media *m);
/* True when the writer of this section will send media: port not 0 and
 * direction sendrecv or sendonly. */
bool sdp_sends_media(const struct sdp_media *m);
/* True for the four RTP profiles, false for SDP_PROTO_OTHER. */
bool sdp_proto_is_rtp(enum sdp_proto p);
/* True for RTP/SAVP and RTP/SAVPF. */
bool sdp_proto_is_secure(enum sdp_proto p);
/* The same profile with (RTP/SAVP for RTP/AVP) or without SRTP; feedback
 * kept. SDP_PROTO_OTHER stays. */
enum sdp_proto sdp_proto_with(enum sdp_proto p, bool secure);
/* "RTP/AVP" ...; "" for SDP_PROTO_OTHER. Static. */
const char *sdp_proto_str(enum sdp_proto p);
/* "sendrecv" ... Static. */
const char *sdp_dir_str(enum sdp_dir d);
/* The direction as the other side says it: sendonly and recvonly swapped. */
enum sdp_dir sdp_dir_reverse(enum sdp_dir d);
