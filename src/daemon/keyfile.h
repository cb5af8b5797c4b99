/* Files that hold secrets: who may read them, and reading them whole. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { KEYFILE_MAX = 65536 /* bytes of a file */ };

/* Put "path: text" into reterr (KEYS_ERR_MAX bytes); returns err. */
int keyfile_explain(char *reterr, const char *path, const char *text, int err);
/* The same with the system's reason; returns ERR_IO. */
int keyfile_explain_errno(char *reterr, const char *path, const char *what);
/* A regular file that belongs to root or owner and that nobody else may read?
 * ERR_BAD, ERR_DENIED, ERR_IO with reterr naming the cure. */
MUST_CHECK int keyfile_check(int fd, const char *path, uid_t owner,
			     char *reterr);
/* Check an open file and read it into buf of KEYFILE_MAX bytes, a secret. fd
 * stays the caller's. Errors as keyfile_check. */
MUST_CHECK int keyfile_read_fd(int fd, const char *path, uid_t owner,
			       uint8_t *buf, size_t *ret_len, char *reterr);
/* The same with the file at path, which may be ours. */
MUST_CHECK int keyfile_read(const char *path, uint8_t *buf, size_t *ret_len,
			    char *reterr);
