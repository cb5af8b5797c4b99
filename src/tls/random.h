/* The daemon's source of randomness: GnuTLS's generator. Any thread. */
#pragma once

#include "base/entropy.h"
#include "base/err.h"

/*
 * Initialise GnuTLS once per process, before sandbox_enter, and prove that
 * its generator works. ERR_IO when it does not: the caller must not go on.
 */
MUST_CHECK int tls_global_init(void);
/* Cryptographic randomness (GNUTLS_RND_RANDOM). The returned value holds no
 * state and may be copied; a failing generator ends the process. */
struct entropy tls_entropy(void);
