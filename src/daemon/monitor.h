/*
 * Inside of the monitor: starts the other processes and keeps them running,
 * holds the sockets they serve, and owns the control socket. It never reads
 * bytes from the network. Shared by monitor.c (processes) and monitor_ctl.c
 * (operator's commands).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/backoff.h"
#include "base/lease.h"
#include "config/config.h"
#include "config/devset.h"
#include "control/control.h"
#include "daemon/steer.h"
#include "daemon/wire.h"
#include "media/backend.h"
#include "log/log.h"
#include "log/ring.h"
#include "loop/loop.h"
#include "priv/channel.h"
#include "priv/keys_client.h"
#include "priv/proc.h"
#include "store/store.h"
#include "store/wire.h"

enum monitor_kind {
	MONITOR_KEYS,
	MONITOR_STORE,
	MONITOR_MEDIA,
	MONITOR_WORKER,
	MONITOR_KINDS
};

enum {
	MONITOR_ASKED_MAX = 64, /* operator's commands under way */
	/* Listeners of one reload: their sockets go to a worker with the
	 * configuration and the files of TLS. */
	MONITOR_JOINING_MAX = CHANNEL_FDS_MAX - 2,
	/* One child of each kind but workers, which come last. */
	MONITOR_CHILDREN_MAX = MONITOR_WORKER + CONFIG_WORKERS_MAX
};

/* A child. */
struct monitor_child {
	struct monitor *m;
	enum monitor_kind kind;
	uint32_t number; /* of a worker, from 0; else 0 */
	char name[24];	 /* "store", "worker 2" */
	char arg[32];	 /* how a worker is told its number */
	struct proc *proc;
	struct channel *channel; /* NULL while it is down */
	bool is_ready;		 /* worker: has said so */
	uint64_t asked_ms;     /* since when a ping has no answer; 0 = it has */
	uint64_t since_ms;     /* of the present start */
	int ring_fd;	       /* 0 = none */
	struct log_ring *ring; /* its last messages */
};

/* An operator's command that waits for a child's answer. */
struct monitor_asked {
	uint64_t token;	 /* control's; 0 = free */
	uint32_t number; /* ours */
	enum control_id command;
	char user[STORE_NAME_MAX + 1]; /* user add, user passwd */
	char realm[STORE_NAME_MAX + 1];
	json_t *result;		     /* reload: what there is to tell; owned */
	uint8_t blob[KEYS_BLOB_MAX]; /* sealed credential to be kept */
	size_t blob_len;	     /* 0 = it was sent */
	uint64_t waiting;	     /* bit per worker that has to answer */
	bool is_found;		     /* drop: some worker had it; reload: some
					could not take it up */
	struct devset *devices; /* change of devices: the store's after it */
	json_t *sum;		/* status, reload: what is to be told */
};

/* The store's list of devices, while it does not come. */
struct monitor_fetch {
	struct backoff backoff;
	struct loop_timer timer; /* of the next question */
	uint64_t next_ms;	 /* when it is due; 0: it is not known */
	int err; /* why the last did not work; 0: none, or it did */
};

struct monitor {
	struct loop *loop;
	const char *config_path;
	struct config *config; /* the one in force */
	int config_fd;
	int tls_fd;	/* the public files of TLS in force, for workers */
	int journal_fd; /* of the media process */
	struct devset *devices; /* the store's; NULL: not fetched yet */
	uint64_t again; /* token of a reload that waits for another; 0 = none */
	struct devset *fetched; /* pages that have come so far */
	struct monitor_fetch fetch;
	uint32_t workers;
	uint32_t sockets; /* of a worker: managers', then listeners' */
	int *fd;	  /* workers times sockets, a worker's together */
	struct steer *steer[CONFIG_LISTENERS_MAX]; /* of listeners; or NULL */
	struct lease lease[DWIRE_LIMITS];
	struct log_ring *ring; /* our own last messages */
	struct procs *procs;
	struct monitor_child child[MONITOR_CHILDREN_MAX];
	struct keys_client *keys; /* for user add */
	struct keeper *keeper;	  /* of the packet queues' rules; or NULL */
	uint16_t queues;	  /* that have rules */
	char queue_why[MEDIA_WHY_MAX]; /* there are none; or empty */
	json_t *media; /* rows of its backends, as last told; or NULL */
	struct control *control;
	struct monitor_asked asked[MONITOR_ASKED_MAX];
	uint32_t next_number;
	uint8_t out[STORE_WIRE_MAX];	 /* a request on its way out */
	struct monitor_pending *pending; /* a reload under way; or NULL */
	uint64_t start_ms;
	enum log_level log_level;
	struct monitor_ipsec *ipsec; /* monitor_ipsec.c; NULL: nothing to do */
	struct loop_timer watch;     /* monitor_watch.c */
	uint64_t ping_ms;
	uint64_t watch_ms; /* the service manager's patience; 0 = none */
	bool is_started;   /* READY was said */
	bool is_stopping;
	int status; /* exit status */
};

/* No client waits for the answer to a command of our own. */
#define MONITOR_TOKEN_NONE UINT64_MAX

/*
 * Read the configuration's files, and devices (NULL: none) after them; file is
 * where those with a line come from. Messages go to rep. ERR_BAD, ERR_NOMEM.
 */
MUST_CHECK int monitor_config_read(struct monitor *m,
				   const struct devset *devices,
				   const char *file, struct config_report *rep,
				   struct config **ret);
/* Answer token with the errors in rep, or err, and log them. */
void monitor_refuse(struct monitor *m, uint64_t token,
		    const struct config_report *rep, int err);
/* Answer token with what it would change to take next up. */
void monitor_tell(struct monitor *m, uint64_t token, const struct config *next,
		  struct config_report *rep);
/* The public files of TLS that c needs, as a sealed memory file; *ret_count: of
 * them. Errors go to rep. ERR_IO, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int monitor_tls_read(const struct config *c,
				struct config_report *rep, int *ret_fd,
				size_t *ret_count);
/* Take up the files with the store's devices, before there are workers. An
 * error is logged. */
MUST_CHECK int monitor_begin(struct monitor *m);
/* Nothing was asked yet; the loop is there. */
void monitor_devices_init(struct monitor *m);
/* Ask no more; harmless before. */
void monitor_devices_end(struct monitor *m);
/* Ask the store for its devices; monitor_devices_page gets them. ERR_NOMEM,
 * ERR_CLOSED, ERR_IO. */
MUST_CHECK int monitor_devices_fetch(struct monitor *m);
/* A page of devices has come; with the last one m->devices is all of them, and
 * they are taken up. After an error, which is logged, the store is asked again
 * from the beginning, later and later. */
void monitor_devices_page(struct monitor *m, const struct store_reply *reply);
/* The store has ended; its successor is asked when it starts. */
void monitor_devices_lost(struct monitor *m);
/* Why m->devices is NULL, for the operator. */
const char *monitor_devices_why(const struct monitor *m);
/* For status: what keeps the devices from coming; NULL: nothing has. */
json_t *monitor_devices_status(const struct monitor *m);
/* The store has made a change of devices, or says why not. */
void monitor_devices_changed(struct monitor *m, struct monitor_asked *a,
			     int status);
/* Set the rules of the packet queues, if the configuration wants them, and
 * clear up what a killed daemon has left. Before the sandbox. */
void monitor_media_open(struct monitor *m);
/* Take the rules away. */
void monitor_media_close(struct monitor *m);
/* What the media process has to say: unasked (number 0), or to a. */
void monitor_media_rows(struct monitor *m, struct monitor_asked *a,
			const struct dwire_msg *msg);
/* Rows for status; the caller's reference. */
json_t *monitor_media_status(const struct monitor *m);
/* Handler of "media". */
void monitor_media(void *ctx, uint64_t token, const json_t *args);
/* Handler of "media load". */
void monitor_media_load(void *ctx, uint64_t token, const json_t *args);
/* Handler of "media unload". */
void monitor_media_unload(void *ctx, uint64_t token, const json_t *args);
/* The command under way with this number, or NULL. */
struct monitor_asked *monitor_ctl_find(struct monitor *m, uint32_t number);
/* Begin to watch over the children. ERR_NOMEM. */
MUST_CHECK int monitor_watch_begin(struct monitor *m);
/* No more; harmless before the beginning. */
void monitor_watch_end(struct monitor *m);
/* All processes log from level on, at once. */
void monitor_watch_level(struct monitor *m, enum log_level level);
/* Handler of "device import". */
void monitor_device_import(void *ctx, uint64_t token, const json_t *args);
/* Handler of "device delete". */
void monitor_device_delete(void *ctx, uint64_t token, const json_t *args);
/*
 * Bind what next, which is to be in force, has of listeners beyond those there
 * are: the last ones. ERR_IO, ERR_LIMIT (rep says why), ERR_NOMEM: nothing has
 * changed.
 */
MUST_CHECK int monitor_sockets_add(struct monitor *m, const struct config *next,
				   struct config_report *rep);
/* Close those again that the configuration in force does not have. */
void monitor_sockets_cut(struct monitor *m);
/* Have the kernel take what comes to listeners to the workers that the
 * configuration in force says. */
void monitor_steer(struct monitor *m);
/* Watch what IPsec has to protect, as the configuration says. ERR_NOMEM. */
MUST_CHECK int monitor_ipsec_begin(struct monitor *m);
/* No more; harmless before the beginning. */
void monitor_ipsec_end(struct monitor *m);
/* The configuration is another: watch what it says. What is known of an address
 * that was watched before stays. */
void monitor_ipsec_follow(struct monitor *m);
/* Tell a worker what IPsec protects now. */
void monitor_ipsec_tell(struct monitor *m, struct monitor_child *worker);
/* Handler of "ipsec". */
void monitor_ipsec_list(void *ctx, uint64_t token, const json_t *args);
/* Handler of "ipsec rules" and "ipsec install-rules": a script for nft. */
void monitor_ipsec_rules(void *ctx, uint64_t token, const json_t *args);
/* Handler of "ipsec remove-rules": the same. */
void monitor_ipsec_no_rules(void *ctx, uint64_t token, const json_t *args);
/* Handler of "authz test". */
void monitor_authz_test(void *ctx, uint64_t token, const json_t *args);
/* Handler of "devices": those of files and of the store. */
void monitor_devices_list(void *ctx, uint64_t token, const json_t *args);
/* Handler of "device export": the store's, as lines of CSV. */
void monitor_device_export(void *ctx, uint64_t token, const json_t *args);
/* Handler of "device show". */
void monitor_device_show(void *ctx, uint64_t token, const json_t *args);
/* Devices are there: start the workers, or reload when they run. */
void monitor_devices_ready(struct monitor *m);
/* A new command under way, or NULL after an error was answered. */
struct monitor_asked *monitor_ctl_asked(struct monitor *m, uint64_t token,
					enum control_id command);
/* The command under way with this number, or NULL. */
struct monitor_asked *monitor_ctl_find(struct monitor *m, uint32_t number);
/* End a command with an error. */
void monitor_ctl_fail(struct monitor *m, struct monitor_asked *a,
		      const char *text);
/* Is a change of devices under way? */
bool monitor_ctl_edits(const struct monitor *m);
/*
 * Read the configuration anew and take it up, or with is_check only tell what
 * that would do. Answers token, which may be MONITOR_TOKEN_NONE, and logs.
 */
void monitor_reload(struct monitor *m, uint64_t token, bool is_check);
/* The keys process has the keys of the reload under way, or says in text why
 * not, or has ended. */
void monitor_reload_keys(struct monitor *m, struct slice text);
/* The configuration in force is another: the workers are told, with the files
 * of TLS (-1: none) and the sockets of the last joined listeners, then token is
 * answered with result, whose reference is taken. */
void monitor_ctl_reload(struct monitor *m, uint64_t token, json_t *result,
			int tls_fd, uint32_t joined);
/* Memory for the last messages of all children. ERR_IO, ERR_NOMEM. */
MUST_CHECK int monitor_log_open(struct monitor *m);
/* Give it back; harmless before. */
void monitor_log_close(struct monitor *m);
/* Handler of "log". */
void monitor_log_show(void *ctx, uint64_t token, const json_t *args);
/* Open the control socket and its commands. ERR_EXISTS, ERR_IO. */
MUST_CHECK int monitor_ctl_open(struct monitor *m);
/* The child of a worker. */
struct monitor_child *monitor_worker(struct monitor *m, uint32_t number);
/* Rows of worker number have come. */
void monitor_ctl_rows(struct monitor *m, uint32_t number,
		      const struct dwire_msg *msg);
/* Set the handlers of commands about credentials (monitor_users.c); the array
 * has CONTROL_COMMANDS places. */
void monitor_users_fill(control_fn *handler);
/* The store answered. */
void monitor_ctl_store(struct monitor *m, const struct store_reply *r);
/* A child is gone: commands that waited for it go on without, or fail. */
void monitor_ctl_lost(struct monitor *m, const struct monitor_child *child);

/* --- monitor_lease.c: limits of the whole daemon ------------------------------ */
/* Every worker has an equal share. */
void monitor_lease_init(struct monitor *m);
/* The configuration in force has changed. */
void monitor_lease_limits(struct monitor *m);
/* A worker says what it uses. */
void monitor_lease_use(struct monitor *m, uint32_t worker,
		       const struct dwire_msg *msg);
/* A worker begins (its channel is open): it is told what it may use. */
void monitor_lease_start(struct monitor *m, uint32_t worker);
