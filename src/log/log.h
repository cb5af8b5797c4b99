/*
 * Five verbs to stderr or the journal. Effects log, pure code returns reasons.
 * One line per event, "text key=value ..."; untrusted text is escaped and cut
 * (log_quote), identical sources are rate-limited by their caller. The sink is
 * one of the two globals the program allows itself.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

enum {
	LOG_QUOTE_MAX = 256,
	/* Lines of a process in a second; the others are counted, and their
	 * number is logged. Errors are never left out. */
	LOG_PER_SECOND = 2000
};

struct log_ring;

/* Set the role's name (static or long-lived, printed in each line) and the
 * highest level printed. Under systemd (JOURNAL_STREAM) lines go to the journal
 * with fields (log/journald.h), whose socket is opened here: before the sandbox.
 * Where that cannot be they carry "<N>" prefixes. */
void log_init(const char *role, enum log_level level);
/* Keep the last lines in r (log/ring.h) too, which outlives all logging. */
void log_keep(struct log_ring *r);
/* Change the highest level printed. */
void log_set_level(enum log_level level);
/* An operation failed and somebody must act. printf-like. */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Something is wrong, the daemon goes on. printf-like. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Normal events an operator wants to see. printf-like. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For whoever follows one call. printf-like. */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Log an error and exit(1): only during start-up. printf-like. */
void log_fatal(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));
/* Escape untrusted s into buf (LOG_QUOTE_MAX bytes): printable ASCII stays,
 * the rest, " and \ become \xNN, long text is cut with "..."; returns buf. */
const char *log_quote(struct slice s, char *buf);
