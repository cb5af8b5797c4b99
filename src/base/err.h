/*
 * The one error vocabulary. Functions that can fail return int: 0 (ERR_OK) or
 * one of these negative values; ERR_MORE ("feed me more") is never a refusal,
 * ERR_BAD ("reject") always is.
 */
#pragma once

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
	ERR_OK = 0,
	ERR_MORE = -1,	   /* input is a correct beginning, more is needed */
	ERR_BAD = -2,	   /* input breaks its grammar */
	ERR_LIMIT = -3,	   /* a configured or built-in limit is reached */
	ERR_NOMEM = -4,	   /* no memory */
	ERR_SPACE = -5,	   /* the caller's output buffer is too small */
	ERR_NOTFOUND = -6, /* no such object */
	ERR_EXISTS = -7,   /* the object is already there */
	ERR_STATE = -8,	   /* not allowed in this state */
	ERR_DENIED = -9,   /* policy or proof says no */
	ERR_UNSUPPORTED = -10, /* well-formed, but not something we do */
	ERR_IO = -11,	       /* the system refused; errno tells */
	ERR_TIMEOUT = -12,     /* a deadline passed */
	ERR_CLOSED = -13,      /* the peer is gone */
	ERR_AUTH = -14,	       /* authentication failed */
	ERR_REPLAY = -15,      /* authentic, but seen before or too old */
	ERR_AGAIN = -16,       /* would block; try when ready */
};

/*
 * Name of an error for logs and test output. err: any value of enum err.
 * Returns a static string, "unknown error" for other values; never NULL.
 */
const char *err_str(int err);
