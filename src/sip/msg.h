/*
 * A SIP message (RFC 3261 section 7) as a list of raw header slices in their
 * order; structured values are read on demand (sip/hdr.h, sip/uri.h). The
 * message views the buffer it was parsed from; nothing is copied. One message
 * is at most SIP_MSG_MAX bytes with SIP_HDRS_MAX header lines; the framer
 * (sip/frame.h) has proved line lengths, parameter counts and the absence of
 * bare CR, NUL and control bytes before the parser sees it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
	SIP_MSG_MAX = 65535,	  /* bytes of a whole message */
	SIP_HEAD_MAX = 16384,	  /* bytes of start line and headers */
	SIP_HDRS_MAX = 100,	  /* header lines */
	SIP_LINE_MAX = 2048,	  /* bytes of a header line */
	SIP_LINE_LONG_MAX = 4096, /* the same for Authorization, Route, Via.. */
	SIP_PARAMS_MAX = 32,	  /* ';' in one line */
	SIP_VIAS_MAX = 40	  /* RFC 4475 "longreq" has 34 */
};

enum sip_method {
	SIP_METHOD_OTHER = 0, /* name is in method_name */
	SIP_METHOD_INVITE,
	SIP_METHOD_ACK,
	SIP_METHOD_BYE,
	SIP_METHOD_CANCEL,
	SIP_METHOD_REGISTER,
	SIP_METHOD_OPTIONS,
	SIP_METHOD_INFO,
	SIP_METHOD_PRACK,
	SIP_METHOD_UPDATE,
	SIP_METHOD_SUBSCRIBE,
	SIP_METHOD_NOTIFY,
	SIP_METHOD_REFER,
	SIP_METHOD_MESSAGE,
	SIP_METHOD_PUBLISH
};

enum sip_hdr_id {
	SIP_HDR_OTHER = 0,
	SIP_HDR_ACCEPT,
	SIP_HDR_ALLOW,
	SIP_HDR_AUTHORIZATION,
	SIP_HDR_CALL_ID,
	SIP_HDR_CALL_INFO,
	SIP_HDR_CONTACT,
	SIP_HDR_CONTENT_LENGTH,
	SIP_HDR_CONTENT_TYPE,
	SIP_HDR_CSEQ,
	SIP_HDR_EVENT,
	SIP_HDR_EXPIRES,
	SIP_HDR_FROM,
	SIP_HDR_MAX_FORWARDS,
	SIP_HDR_MIN_EXPIRES,
	SIP_HDR_PATH,
	SIP_HDR_PROXY_AUTHENTICATE,
	SIP_HDR_PROXY_AUTHORIZATION,
	SIP_HDR_PROXY_REQUIRE,
	SIP_HDR_RACK,
	SIP_HDR_RECORD_ROUTE,
	SIP_HDR_REFER_TO,
	SIP_HDR_REPLACES,
	SIP_HDR_REQUIRE,
	SIP_HDR_RETRY_AFTER,
	SIP_HDR_ROUTE,
	SIP_HDR_RSEQ,
	SIP_HDR_SERVICE_ROUTE,
	SIP_HDR_SESSION_EXPIRES,
	SIP_HDR_SUPPORTED,
	SIP_HDR_TO,
	SIP_HDR_UNSUPPORTED,
	SIP_HDR_USER_AGENT,
	SIP_HDR_SERVER,
	SIP_HDR_VIA,
	SIP_HDR_WARNING,
	SIP_HDR_WWW_AUTHENTICATE,
	SIP_HDR_COUNT
};

struct sip_hdr {
	enum sip_hdr_id id;
	struct slice name;  /* as written, compact form kept */
	struct slice value; /* trimmed; folds are blanks by now */
};

struct sip_msg {
	struct slice raw; /* the whole message, start line to body */
	bool is_request;
	enum sip_method method;	  /* of the request, or of CSeq */
	struct slice method_name; /* the same as text */
	struct slice ruri;	  /* request-URI; empty in responses */
	unsigned status;	  /* 100..699 in responses, 0 in requests */
	struct slice reason;	  /* reason phrase */
	struct sip_hdr hdr[SIP_HDRS_MAX];
	size_t hdr_count;
	struct slice body;    /* the session description of a multipart body */
	struct slice package; /* that multipart body; empty: none */
	struct slice package_type; /* its Content-Type */
	/* The singular headers every message must have: */
	struct slice call_id;
	struct slice from;     /* whole value */
	struct slice to;       /* whole value */
	struct slice from_tag; /* empty when missing (RFC 2543) */
	struct slice to_tag;   /* empty when missing */
	uint32_t cseq;	       /* below 2^31 */
	struct slice via;      /* first Via value */
	struct slice branch;   /* branch of the first Via; may be empty */
	unsigned max_forwards; /* 0..255; 70 when missing */
};

struct sip_reject {
	unsigned status;    /* what to answer: 400, 416, 505 ... */
	const char *reason; /* static text naming what is wrong */
};

/*
 * Parse len bytes at buf, one whole message as the framer cut it. Header
 * folds in buf are overwritten with blanks. The message views buf, which must
 * outlive it. ERR_BAD and *reterr (if not NULL) when it is not a message we
 * can act on: missing, doubled or contradicting singular headers, CSeq method
 * mismatch, number out of range, wrong version. Where the basic headers of a
 * request other than ACK were readable *ret is filled enough for
 * sip_print_reply to answer, and ret->via is not empty; otherwise it is empty:
 * drop. Escaped control bytes in quoted strings (legal, RFC 4475 3.1.1.2) are
 * overwritten with '?', so no slice holds a control byte but TAB. Where a multipart body
 * holds one session description (sip/multipart.h), that is the message's body
 * and its type; the whole is the package. Schemes of
 * the request-URI: sip, sips, tel, urn; 416 for others. Linear in len, no
 * allocation. A struct sip_msg is 4 KB: keep it off the stack.
 */
MUST_CHECK int sip_msg_parse(uint8_t *buf, size_t len, struct sip_msg *ret,
			     struct sip_reject *reterr);
/* The whole body as it came, of several parts too. */
struct slice sip_msg_entity(const struct sip_msg *m);
/* First header with this id, or NULL. */
const struct sip_hdr *sip_msg_find(const struct sip_msg *m, enum sip_hdr_id id);
/* Value of the first header with this id; empty when missing. */
struct slice sip_msg_value(const struct sip_msg *m, enum sip_hdr_id id);
/*
 * Walk the comma-separated values of all headers with this id, in order.
 * *pos starts at 0 and is opaque. False at the end. Not for headers with
 * commas inside values (dates, digests).
 */
bool sip_msg_next(const struct sip_msg *m, enum sip_hdr_id id, size_t *pos,
		  struct slice *ret_value);
/* First header with this name (case-insensitive, for SIP_HDR_OTHER). */
const struct sip_hdr *sip_msg_find_name(const struct sip_msg *m,
					const char *name);
/* True when a list header (Supported, Require, Allow) names this token. */
bool sip_msg_has_token(const struct sip_msg *m, enum sip_hdr_id id,
		       const char *token);
/* Method by its (case-sensitive) name; SIP_METHOD_OTHER when unknown. */
enum sip_method sip_method_find(struct slice name);
/* Name of a known method; static. method must not be SIP_METHOD_OTHER. */
const char *sip_method_name(enum sip_method method);
/* Header id of a name, compact forms included; SIP_HDR_OTHER. */
enum sip_hdr_id sip_hdr_find(struct slice name);
/* Canonical name of a header; static. id must not be SIP_HDR_OTHER. */
const char *sip_hdr_name(enum sip_hdr_id id);
/* Canonical reason phrase of a status; static, "" when unknown. */
const char *sip_status_reason(unsigned status);
