/*
 * The a=crypto attribute of SDES (RFC 4568): one line offers or accepts one
 * suite with one master key. A line we cannot use (unknown suite, wrong key
 * length, parameters that weaken or complicate SRTP) is not an error of the
 * SDP it stands in.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include "flow/flow.h"

enum {
	CRYPTO_TAG_MAX = 999999999, /* nine digits */
	CRYPTO_LINE_MAX = 256	    /* a printed line always fits */
};

/* One line. Holds a key: wipe with crypto_wipe on every path. */
struct crypto_line {
	uint32_t tag;	     /* 0..CRYPTO_TAG_MAX */
	struct flow_key key; /* suite, key, salt, MKI */
	uint64_t lifetime;   /* packets under this key; 0 = not given */
};

/*
 * Parse the value of an a=crypto attribute (what follows "crypto:"). ERR_BAD
 * when it breaks the grammar or the key length is wrong; ERR_UNSUPPORTED when
 * it is well-formed but unusable: unknown suite, several keys, MKI longer
 * than 4 bytes, KDR, UNENCRYPTED_SRTP, UNENCRYPTED_SRTCP,
 * UNAUTHENTICATED_SRTP, FEC_ORDER, FEC_KEY or an unknown mandatory session
 * parameter. WSH of 64 and more is accepted and ignored. Nothing of the key
 * is left behind on errors.
 */
MUST_CHECK int crypto_parse(struct slice value, struct crypto_line *ret);
/*
 * Write "a=crypto:TAG SUITE inline:..." without a line end, with lifetime and
 * MKI when they are set. The suite must not be SUITE_NONE.
 */
void crypto_print(struct writer *w, const struct crypto_line *c);
/* Wipe n lines. */
void crypto_wipe(struct crypto_line *c, size_t n);
