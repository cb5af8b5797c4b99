/*
 * Key info: the 40 or 48 bytes in OpenReceiveChannel, StartMediaTransmission
 * and their video forms that hold an SRTP master key and salt. All zero means
 * plain RTP. The call manager makes the keys: a phone is told what to encrypt
 * with, and what to decrypt with.
 *
 *	0 algorithm, u32   4 key length, u16   6 salt length, u16
 *	8 key, 16 bytes   24 salt, 16 bytes   40 MKI present, u32
 *	44 key derivation rate, u32 (the last two not in old messages)
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include "flow/flow.h"

enum {
	SCCP_KEY_SHORT = 40, /* bytes: up to the salt */
	SCCP_KEY_FULL = 48,
	SCCP_KEY_SLOT = 16 /* bytes for a key and for a salt */
};

/* Number of a suite in key info. ERR_UNSUPPORTED: it has none, or its key does
 * not fit (GCM over SCCP is not documented anywhere). */
MUST_CHECK int sccp_alg_of(enum suite s, uint32_t *ret_alg);
/* Suite of a number. ERR_UNSUPPORTED for those we do not do. */
MUST_CHECK int sccp_alg_suite(uint32_t alg, enum suite *ret_suite);
/* Append SCCP_KEY_SHORT bytes; suite NONE writes zeros. ERR_UNSUPPORTED as
 * above, or for a key with an MKI: nothing is written then. */
MUST_CHECK int sccp_key_print(struct writer *w, const struct flow_key *key);
/* Read key info of at least SCCP_KEY_SHORT bytes. Algorithm 0 gives suite
 * NONE. ERR_BAD: too short, or lengths that are not the suite's;
 * ERR_UNSUPPORTED: another algorithm, or an MKI. */
MUST_CHECK int sccp_key_parse(struct slice s, struct flow_key *ret);
