/*
 * Our own serialiser: header order and case are what the caller writes.
 * Everything goes into a struct writer; overflow is sticky there.
 */
#pragma once

#include "base/addr.h"
#include "base/slice.h"
#include "base/writer.h"
#include "sip/msg.h"

/* Write "METHOD uri SIP/2.0". */
void sip_print_request(struct writer *w, struct slice method,
		       struct slice ruri);
/* Write "SIP/2.0 status reason"; reason empty: the canonical one. */
void sip_print_status(struct writer *w, unsigned status, struct slice reason);
/* Write "name: value". */
void sip_print_hdr(struct writer *w, const char *name, struct slice value);
/* Write a header as it stands in another message, name case kept. */
void sip_print_hdr_copy(struct writer *w, const struct sip_hdr *hdr);
/* Write Content-Type (when type is not empty), Content-Length, the empty
 * line and the body: ends the message. */
void sip_print_body(struct writer *w, struct slice type, struct slice body);
/*
 * Write the beginning of a response to request m: status line, all Vias (with
 * received and rport filled in from source, RFC 3581), From, To (with to_tag
 * when it has none and to_tag is not empty), Call-ID, CSeq. source may be NULL:
 * the first Via goes back as it came. The caller adds headers and ends it with
 * sip_print_body.
 */
void sip_print_reply(struct writer *w, const struct sip_msg *m, unsigned status,
		     struct slice reason, struct slice to_tag,
		     const struct addr *source);
