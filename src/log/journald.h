/*
 * Lines for systemd's journal with their key=value tail as fields of their own,
 * by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), so that an
 * operator asks for SALLYPORT_DEVICE=SEP001122334455. Without a library: the
 * socket is connected before the sandbox closes, and a line is one write.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "base/writer.h"

#define JOURNALD_SOCKET "/run/systemd/journal/socket"

enum {
	JOURNALD_ENTRY_MAX =
		2560 /* bytes of an entry; longer ones are not made */
};

/* What journald says about fd 2 in JOURNAL_STREAM (stream, "DEVICE:INODE"; may
 * be NULL): is that the journal? */
bool journald_is_stderr(const char *stream);
/* A socket that journald listens at, connected and not blocking; -1: there is
 * none. Owner: the caller. */
int journald_open(const char *path);
/*
 * Write the entry of a line: text as its message, priority (0 to 7), role, and
 * a field for each known key=value of the text, the first of each. A value with
 * spaces is in quotes, in which log_quote has left none. O(bytes).
 */
void journald_print(struct writer *w, unsigned priority, const char *role,
		    struct slice text);
