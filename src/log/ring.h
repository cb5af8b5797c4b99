/*
 * The last lines that a process logged, in memory that it shares with the
 * monitor: they are there when the process is not. The process writes, from
 * any thread; the monitor reads, and believes nothing but bytes: lengths and
 * levels are held to their limits. The memory cannot change its size.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "log/log.h"

enum {
	LOG_RING_LINES = 256, /* kept of each process */
	LOG_RING_TEXT = 488   /* bytes of a line that are kept */
};

struct log_ring;

struct log_line {
	uint64_t time_ms; /* since 1970 */
	enum log_level level;
	size_t len;
	char text[LOG_RING_TEXT];
};

/* A new ring as a memory file; *ret_fd is the caller's. ERR_IO. */
MUST_CHECK int log_ring_new(int *ret_fd);
/* Map a file of log_ring_new; fd may be closed afterwards. NULL: it is none, or
 * there is no memory. */
struct log_ring *log_ring_map(int fd);
/* Undo log_ring_map; takes NULL, returns NULL. */
struct log_ring *log_ring_unmap(struct log_ring *r);
/* Append a line, over the oldest one; what is too long is cut. */
void log_ring_put(struct log_ring *r, uint64_t time_ms, enum log_level level,
		  struct slice text);
/* The line in place i (below LOG_RING_LINES; places are in no order); false:
 * there is none, or it is being written. */
bool log_ring_get(const struct log_ring *r, size_t i, struct log_line *ret);
