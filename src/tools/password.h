/* Passwords from the person at the terminal, or from standard input. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"

enum { PASSWORD_MAX = 256 }; /* bytes */

/*
 * Read a password: with from_stdin one line of standard input, else from the
 * terminal without echo, twice. ERR_IO without a terminal or at the end of
 * input, ERR_BAD when it is empty, too long, or differs the second time: then
 * a message was printed. *ret (empty before) is the caller's: secret_done.
 */
MUST_CHECK int password_read(bool from_stdin, struct secret *ret);
