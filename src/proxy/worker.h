/*
 * A worker: one of each, wired together. Transport brings bytes, the pipeline
 * turns them into actions, the lines to the media, store and keys processes
 * carry what those must do. There are no globals: everything hangs on struct
 * worker. One thread, the loop's.
 */
#pragma once

#include <stdint.h>

#include "b2bua/call.h"
#include "base/entropy.h"
#include "base/err.h"
#include "config/config.h"
#include "flow/flow.h"
#include "loop/loop.h"
#include "proxy/shield.h"
#include "proxy/conn.h"
#include "proxy/pipeline.h"
#include "transport/transport.h"

struct tls_files;
struct worker;

enum { WORKER_ERR_MAX = 600 };

/* Why a connection that was up was refused; the name is the counter's. */
enum conn_refusal {
	CONN_REFUSAL_NONE,
	CONN_REFUSAL_LIMIT,	 /* no room for it */
	CONN_REFUSAL_CORE,	 /* not a call manager's address */
	CONN_REFUSAL_UNREADABLE, /* certificate without facts */
	CONN_REFUSAL_DEVICE,	 /* names no configured device */
	CONN_REFUSAL_NULL_SUITE, /* nothing encrypted, and not in that mode */
	CONN_REFUSAL_MIC,	 /* has shown an LSC, now another one */
	CONN_REFUSAL_TRUNK,	 /* nobody's, at a listener for trunks */
	CONN_REFUSAL_STORE,	 /* the store does not know whether it has */
	CONN_REFUSAL_COUNT
};

/* Counters asked for by worker_stats have come; s: n of them. */
typedef void (*worker_stats_fn)(void *ctx, uint32_t number,
				const struct flow_stats *s, uint32_t n);

/* A phone has come to this worker: bytes are for worker_arrived of all
 * others. */
typedef void (*worker_arrived_fn)(void *ctx, struct slice bytes);

struct worker_params {
	struct loop *loop;     /* outlives the worker */
	struct config *config; /* the worker takes a reference */
	uint16_t number;       /* from 0 */
	uint16_t count;	       /* of all workers; 0 = 1 */
	bool restores;	       /* keep calls for a successor, begin with what a
			  predecessor left, share the key of nonces */
	struct entropy entropy;
	const int *listener_fd; /* one per config listener, bound; owned */
	const int *core_fd;	/* one per config core, bound to this
					worker's local address; owned */
	int media_fd, store_fd, keys_fd; /* channels; owned */
	const struct tls_files *files; /* while worker_new runs; NULL: they are
					  read from the disk */
	worker_stats_fn stats;
	worker_arrived_fn arrived; /* may be NULL */
	void *role_ctx;		   /* of both */
};

/*
 * Make a worker and begin to serve. Reads certificates and trust directories:
 * before the sandbox. Asks the keys process (blocking, seconds). On error
 * reterr (WORKER_ERR_MAX bytes) says what to mend. ERR_NOMEM, ERR_IO, ERR_BAD.
 */
MUST_CHECK int worker_new(const struct worker_params *p, struct worker **ret,
			  char *reterr);
/* Close all connections and free w (may be NULL); returns NULL. */
struct worker *worker_free(struct worker *w);
/* New lines to processes that were restarted; fd is owned. ERR_NOMEM,
 * ERR_IO. */
MUST_CHECK int worker_new_media(struct worker *w, int fd);
/* As worker_new_media. */
MUST_CHECK int worker_new_store(struct worker *w, int fd);
/* As worker_new_media. */
MUST_CHECK int worker_new_keys(struct worker *w, int fd);
/*
 * The public files that the tls: listeners of c need, read from the disk: by
 * the monitor for a reload, by a worker before its sandbox. On error reterr
 * (WORKER_ERR_MAX bytes) names the file. ERR_IO, ERR_LIMIT, ERR_NOMEM. Owner of
 * *ret: the caller, until tls_files_free.
 */
MUST_CHECK int worker_tls_files(const struct config *c, struct tls_files **ret,
				char *reterr);
/*
 * New certificates, trust and revocation lists for all tls: listeners, for
 * handshakes from now on; connections stay as they are. The keys process must
 * hold the keys already (blocking, seconds). All or nothing: on error every
 * listener keeps what it has and reterr (WORKER_ERR_MAX bytes) says why.
 * ERR_BAD, ERR_NOTFOUND (a file is not in f), ERR_NOMEM, ERR_CLOSED...
 */
MUST_CHECK int worker_reload_tls(struct worker *w, const struct tls_files *f,
				 char *reterr);
/* Credentials of listener number i of the configuration, for reports; NULL
 * unless it is a tls: one. */
const struct tls_creds *worker_creds(const struct worker *w, uint32_t i);
/* What a reload has ended. */
struct worker_reload {
	uint32_t connections; /* closed */
	uint32_t registrations;
};

/*
 * Before worker_reload: serve the listeners that next has beyond those of the
 * configuration in force, the last ones, on their sockets, which are copied. f:
 * the files of TLS for all; NULL: there are none. On error, of which reterr
 * (WORKER_ERR_MAX bytes) says why, none of them is served. ERR_IO, ERR_NOMEM,
 * ERR_LIMIT, and what credentials can bring (worker_reload_tls).
 */
MUST_CHECK int worker_listen(struct worker *w, const struct config *next,
			     const int *sockets, const struct tls_files *f,
			     char *reterr);
/* worker_reload did not happen: serve the first count listeners only. */
void worker_unlisten(struct worker *w, uint32_t count);
/*
 * Another configuration from now on (config/reload.h: what cannot change is
 * as it was); the worker takes a reference. Connections of devices that are
 * gone are closed and their registrations end, calls go on; other devices'
 * policies count at once. ERR_NOMEM: then the old one stays in force.
 */
MUST_CHECK int worker_reload(struct worker *w, struct config *next,
			     struct worker_reload *ret);
/* The configuration in force. */
const struct config *worker_config(const struct worker *w);
/* Name of the trunk with this number, below PIPELINE_TRUNKS_MAX, that is
 * configured no more but has something going on; empty: there is none. */
struct slice worker_trunk_gone(const struct worker *w, uint32_t number);
/* Which guarded addresses are protected, as shield_write wrote it. ERR_BAD. */
MUST_CHECK int worker_shield_set(struct worker *w, struct slice news);
/* What is held back for want of IPsec. */
void worker_shield_stats(const struct worker *w, struct shield_stats *ret);
/* Refusals by reason, CONN_REFUSAL_COUNT numbers; lifetime of w. */
const uint64_t *worker_refusals(const struct worker *w);
/* Short name of a refusal. */
const char *worker_refusal_str(enum conn_refusal r);
/* The call machine, for reports. */
const struct calls *worker_calls(const struct worker *w);
/* What another worker told by worker_arrived_fn: if the phone was here, its
 * registration here ends. */
void worker_arrived(struct worker *w, struct slice bytes);
/* The pipeline, for reports. */
const struct pipeline *worker_pipeline(const struct worker *w);
/* Transport's counters, for reports. */
const struct transport_stats *worker_transport(const struct worker *w);
/* Certificate subject and transport of a connection; "" and UDP for
 * datagrams. */
const char *worker_subject(const struct worker *w, const struct dest *d,
			   enum transport_proto *ret_proto);
/* Ask for counters of n flows, at most MEDIA_WIRE_STATS_MAX; they come to
 * params.stats under *ret_number. ERR_CLOSED, ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK int worker_stats(struct worker *w, const uint64_t *id, uint32_t n,
			    uint32_t *ret_number);
/* Which phones are meant: those of this device or of this pool, where one is
 * given, else all. */
struct worker_phones {
	struct slice device;
	struct slice pool;
};
/* Tell registered phones to start from anew or to register anew; how many were
 * told. O(registrations). */
uint32_t worker_reset(struct worker *w, const struct worker_phones *of,
		      enum phone_reset type);
/* End a call by its id; nothing happens when it is unknown. */
void worker_drop(struct worker *w, uint64_t call);
/* Limits of the whole daemon, of which a worker has a lease. */
enum worker_lease {
	WORKER_CALLS,
	WORKER_REGISTRATIONS,
	WORKER_CONNECTIONS,
	WORKER_TRANSACTIONS,
	WORKER_SUBSCRIPTIONS,
	WORKER_LEASES /* count */
};
/* w may use amount of a limit from now on; what is there stays. Returns what
 * it may use: amount, or as much as it uses already. */
uint32_t worker_lease(struct worker *w, enum worker_lease which,
		      uint32_t amount);
/* What w uses of a limit now. */
uint32_t worker_used(const struct worker *w, enum worker_lease which);
/* Number of w among the workers, from 0. */
uint16_t worker_number(const struct worker *w);
/* Which of the other processes are there: for status. */
void worker_links(const struct worker *w, bool *ret_media, bool *ret_store,
		  bool *ret_keys);
