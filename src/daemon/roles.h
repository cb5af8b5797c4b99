/*
 * The roles of the program, one function each: the monitor starts the others
 * by running its own binary again with --role. A child finds its descriptors
 * at fixed numbers: ROLE_FD_MONITOR to ROLE_FD_LOG always, then what the
 * role's function says.
 */
#pragma once

#include "config/config.h"
#include "priv/proc.h"

enum {
	ROLE_FD_MONITOR = PROC_FD_FIRST, /* channel to the monitor */
	ROLE_FD_CONFIG,			 /* memory file (daemon/setup.h) */
	ROLE_FD_LOG,			 /* memory file (log/ring.h) */
	ROLE_FD_MEDIA,			 /* worker: line to the media process */
	ROLE_FD_JOURNAL = ROLE_FD_MEDIA, /* media: media/journal.h */
	ROLE_FD_STORE,			 /* worker: line to the store process */
	ROLE_FD_KEYS,			 /* worker: line to the keys process */
	ROLE_FD_TLS, /* worker: memory file, public files (tls/files.h) */
	ROLE_FD_CORE /* worker: config's core_count sockets towards call
			managers, then its listeners', in order */
};

enum { ROLE_PATH_MAX = 512 };

/* Run the monitor until SIGTERM; owns c's reference, which was read from path
 * (which outlives it) and is read from there again for a reload. Returns the
 * exit status. */
int role_monitor(const char *path, struct config *c);
/* Run worker number (from 0) of count. Returns the exit status. */
int role_worker(uint32_t number, uint32_t count);
/* Run the keys process: keys_main (daemon/keys.h) with c's keys. */
int role_keys(void);
/* Run the store process: role_store (daemon/store.h) in its sandbox; workers:
 * as many there are. */
int role_store_process(uint32_t workers);
/* Run the media process: role_media (daemon/media.h) in its sandbox; queues:
 * as many packet queues have rules. */
int role_media_process(uint16_t queues);
