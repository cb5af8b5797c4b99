/*
 * Bodies that go on to the other side: what is known to hold addresses or
 * dialog ids is rewritten, a session description is taken out or replaced,
 * everything else passes untouched.
 */
#pragma once

#include "base/slice.h"
#include "base/writer.h"
#include "rewrite/sip_out.h"
#include "sip/msg.h"

/*
 * Write Content-Type, Content-Length and the body of a message that passes
 * src on, and so end it. type and body: what the caller puts in place of src's
 * session description; empty: src's own body goes on, unless it is one or has
 * one in it: that holds media keys and addresses, and only the call machine
 * knows which of them the other side may see.
 */
void body_print(struct writer *w, const struct sip_msg *src,
		const struct sip_out_rules *r, struct slice type,
		struct slice body);
/* Will body_print write one: do the headers that describe src's go along? */
bool body_goes_on(const struct sip_msg *src, const struct sip_out_rules *r,
		  struct slice body);
