/*
 * Multipart bodies (RFC 2046 section 5.1, RFC 5621) as views of their bytes.
 * Only one level is opened: a part that is multipart itself is one part.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
	SIP_PARTS_MAX = 16,	  /* parts of a body */
	SIP_PART_HEAD_MAX = 2048, /* bytes of a part's header lines */
	SIP_BOUNDARY_MAX = 70	  /* RFC 2046 section 5.1.1 */
};

struct sip_multipart {
	struct slice body;
	struct slice boundary; /* without quotes and dashes */
	size_t pos;	       /* the next part begins here; opaque */
	uint32_t count;	       /* parts given so far */
};

struct sip_part {
	struct slice head; /* header lines with their line ends; may be empty */
	struct slice type; /* Content-Type; empty: text/plain (RFC 2046) */
	struct slice encoding; /* of transfer or content; empty: none */
	struct slice body;     /* without the line end before the delimiter */
};

/*
 * Begin to read body, whose Content-Type value is type. ERR_NOTFOUND when
 * type is not multipart; ERR_BAD without a usable boundary, or when the body
 * does not begin with a delimiter line (a preamble is allowed). Linear.
 */
MUST_CHECK int sip_multipart_open(struct slice type, struct slice body,
				  struct sip_multipart *ret);
/*
 * The next part. ERR_NOTFOUND after the last; ERR_BAD when the closing
 * delimiter is missing or a part's header lines cannot be read, ERR_LIMIT for
 * too many parts or too long a head. Linear in the part.
 */
MUST_CHECK int sip_multipart_next(struct sip_multipart *m,
				  struct sip_part *ret);
/* True when type, without its parameters, is this media type. */
bool sip_type_is(struct slice type, const char *name);
/*
 * The session description in a body and its own type: the body itself, or the
 * only such part of a multipart/mixed or multipart/related. ERR_NOTFOUND when there is none;
 * ERR_BAD or ERR_LIMIT when the multipart cannot be read; ERR_UNSUPPORTED when
 * there are several, or where one could hide: in a part that is encoded or
 * multipart itself, or in alternatives. Linear.
 */
MUST_CHECK int sip_body_session(struct slice type, struct slice encoding,
				struct slice body, struct slice *ret_type,
				struct slice *ret);
