/*
 * Cut a byte stream or a datagram into SIP messages (RFC 3261 sections 7, 18.3)
 * and prove, before any parser sees them, that line lengths, parameter and
 * header counts are within limits and that there is no bare CR, bare LF, NUL or
 * other control byte in the head: parsers behind us are quadratic on hostile
 * lines or split headers at a bare CR.
 * Control bytes pass only as a quoted-pair, right after a backslash.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum sip_frame_kind {
	SIP_FRAME_MSG,	/* a whole message */
	SIP_FRAME_PING, /* CRLFCRLF keep-alive (RFC 5626 section 3.5.1) */
	SIP_FRAME_SKIP	/* stray CRLF before a message: drop and go on */
};

struct sip_frame {
	enum sip_frame_kind kind;
	size_t len; /* bytes of the unit, to be consumed */
};

/*
 * Look at the first unit in a stream's buffer of len bytes. *scanned is the
 * caller's per-connection memory, 0 at first and after each consumed unit: it
 * makes byte-wise arrival linear (opaque, not a length). Returns 0 and *ret;
 * ERR_MORE when the unit is not complete; ERR_BAD or ERR_LIMIT when the stream is beyond repair
 * (*reterr_reason, static text, says why) and must be closed. A message without
 * Content-Length on a stream is ERR_BAD. A lone CRLF is ERR_MORE (a ping may
 * follow) but begins no message: no deadline needs to run for it.
 */
MUST_CHECK int sip_frame_stream(const uint8_t *buf, size_t len, size_t *scanned,
				struct sip_frame *ret,
				const char **reterr_reason);
/*
 * The same for one datagram: Content-Length may be missing (the body is the
 * rest) and bytes after the body are cut off: only the first message of a
 * datagram counts (ret->len; drop the rest), but go on after SIP_FRAME_SKIP.
 * A Content-Length that is wrong or too large gives the whole datagram, for
 * sip_msg_parse to refuse with 400. ERR_MORE never happens.
 */
MUST_CHECK int sip_frame_datagram(const uint8_t *buf, size_t len,
				  struct sip_frame *ret,
				  const char **reterr_reason);
