/*
 * What happens to each header on its way to the other side: one table row
 * per header that does not simply pass.
 */
#pragma once

#include "base/writer.h"
#include "rewrite/sip_out.h"
#include "sip/msg.h"

enum { HDR_REDIRECTS_MAX = 16 /* Contacts of a redirection that go on */ };

/* Write all headers of m that go on, as rules says; Contact of a redirection
 * (3xx) included, the first HDR_REDIRECTS_MAX of them, Content-Type and
 * Content-Length not. */
void hdr_rule_copy(struct writer *w, const struct sip_msg *m,
		   const struct sip_out_rules *rules);
