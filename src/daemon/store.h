/*
 * The store process: answers GET from workers, and GET, PUT, DEL and LIST from
 * the monitor, from one SQLite file, and keeps what workers leave to their
 * successors in another (daemon/store_state.h). Requests: store/wire.h, one packet each.
 * A descriptor from the monitor (dwire_adopt_write) is the channel of another
 * worker; it has no answer.
 */
#pragma once

#include <stdint.h>

#include "daemon/store_state.h"

enum { ROLE_STORE_CHANNELS = 64 };

struct role_store_params {
	const char *path;		 /* database file */
	struct store_state_params state; /* of calls */
	int monitor_fd;			 /* SOCK_SEQPACKET: may write */
	const int *worker_fd;  /* worker_count SOCK_SEQPACKET: may only GET */
	uint32_t worker_count; /* at most ROLE_STORE_CHANNELS - 1 */
	/* Called once, when the database and its log are open and before the
	 * first request: may enter the sandbox. Returns 0 or the exit code to
	 * end with. May be NULL. */
	int (*ready)(void *ctx);
	void *ctx; /* for ready */
};

/*
 * Run until the monitor closes its channel; owns and closes the channels.
 * Returns the exit code: 0, or 1 when the database cannot be used (logged).
 */
int role_store(const struct role_store_params *p);
