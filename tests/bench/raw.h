/*
 * nf_srtp's flows made by hand, without a media process (subject_raw.c).
 */
#pragma once

#include "bench.h"

/* Find the module; exits on failure, as all of these. */
void raw_start(void);
/* Make call i between c->self[0] and c->self[1]: fills the rest of c. */
void raw_call_add(unsigned i, struct call *c);
/* A new key for what leg 1 sends; the one before is still accepted. */
void raw_call_rekey(unsigned i, struct call *c);
/* Remove all. */
void raw_stop(void);
