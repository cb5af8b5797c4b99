/*
 * Names that are shown to strangers without telling them anything: Call-IDs and
 * tags of dialogs that only the other side has. A name is encrypted under a key
 * of ours, so that nothing is remembered, and whoever comes back with it, to
 * any worker and after any restart, names the same dialog. The same name gives
 * the same text, always: whoever sees two of them knows whether they are one.
 * Synthetic IV as in RFC 5297, over HMAC-SHA-256. No state; any thread.
 */
#pragma once

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

enum {
	COVER_KEY_LEN = 32,  /* bytes of a key */
	COVER_NAME_MAX = 512 /* bytes of a name */
};

/* The key of names from another secret of at least COVER_KEY_LEN bytes, that
 * must not be used for them itself. ERR_BAD for a shorter one, ERR_UNSUPPORTED
 * when the library refuses to hash. */
MUST_CHECK int cover_key(struct slice secret, uint8_t ret[COVER_KEY_LEN]);
/* Append what stands for name: letters, digits, '.', '-' and '_' (a token of RFC
 * 3261). key is COVER_KEY_LEN bytes. ERR_LIMIT for an empty or too long name,
 * ERR_UNSUPPORTED as above. */
MUST_CHECK int cover_put(struct writer *w, struct slice key, struct slice name);
/* Append the name for which text stands. ERR_BAD: it was not made under this
 * key. */
MUST_CHECK int cover_open(struct writer *w, struct slice key,
			  struct slice text);
