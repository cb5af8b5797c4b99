/*
 * A CSV file for the daemon: read here, with the operator's own rights, and
 * handed over as a sealed memory file that nobody can change or block on.
 */
#pragma once

#include "base/err.h"

enum { DEVFILE_MAX = 32 << 20 }; /* bytes */

/* Copy the file at path ("-": standard input) into a sealed memory file;
 * *ret_fd is the caller's. ERR_IO with errno, ERR_LIMIT. */
MUST_CHECK int devfile_open(const char *path, int *ret_fd);
/* The same for one device: its name and count words "option=value". ERR_BAD
 * when a word has no "=", ERR_LIMIT, ERR_IO. */
MUST_CHECK int devfile_make(const char *name, char **words, int count,
			    int *ret_fd);
