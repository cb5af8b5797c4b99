/*
 * Inside of a worker, shared by worker.c (composition, lines to the other
 * processes) and worker_net.c (what transport brings up). Owned by worker.c.
 */
#pragma once

#include "authn/cover.h"
#include "base/bucket.h"
#include "base/secret.h"
#include "dns/dns.h"
#include "priv/channel.h"
#include "priv/keys_client.h"
#include "proxy/keep.h"
#include "proxy/medialink.h"
#include "proxy/realm.h"
#include "proxy/sccp_health.h"
#include "proxy/worker.h"
#include "store/wire.h"
#include "tls/cache.h"
#include "tls/files.h"

enum {
	WORKER_TAG_CORE = 0x10000,    /* transport tag of the core side */
	WORKER_TAG_TRUNK = 0x20000,   /* plus the trunk's number: of connections
				       to its peers */
	WORKER_TAG_SCCP = 0x40000,    /* one phone's Skinny, core side */
	WORKER_OWNER_SCCP = 0x8000,   /* from here names of Skinny call
					 managers */
	WORKER_OWNER_TRUNK = 0x10000, /* owners from here are peers of trunks:
					 number * CONFIG_PEERS_MAX + peer */
	WORKER_LOG_RATE = 20,	      /* refusals logged a second */
	WORKER_LOG_BURST = 100,
	WORKER_PLACES_MAX = 96, /* connectors to call managers */
	WORKER_TARGETS_MAX = 16 /* addresses of one call manager or peer */
};

/* A connector to a call manager or to a trunk's peer. */
struct worker_place {
	struct handle connector; /* none: this place is free */
	uint32_t owner;		 /* call manager, or WORKER_OWNER_TRUNK... */
	enum transport_proto proto;
	struct addr peer;
	bool is_listed; /* false: calls alone still use it */
	bool is_lost;	/* the call machine is to hear of it */
};

/* How an owner's places are reached. */
struct worker_way {
	uint32_t owner;
	struct addr local; /* ours, for Via and Contact */
	uint32_t tag;
	struct tls_creds *creds; /* of TLS */
	const char *name;	 /* the certificate must have; NULL: any */
	struct handle udp;	 /* endpoint of datagrams */
};

/* An address of a call manager or peer. */
struct worker_target {
	enum config_transport transport;
	struct addr addr;
	uint16_t order;	 /* the lowest is asked first */
	uint16_t weight; /* share among equal ones */
};

/* TLS of a worker: worker_tls.c. */
struct worker_tls {
	struct handle *listener;  /* count: one per config listener, or more */
	struct tls_creds **creds; /* the same; NULL unless TLS */
	uint32_t count;
	bool is_begun;		 /* some listener has needed TLS */
	struct tls_cache *cache; /* of all listeners */
	struct loop_timer timer; /* looks at keys and dates */
	uint64_t warned_ms;	 /* when dates were looked at; 0 = never */
};

/* A call manager's name: where it is. Watched as long as the worker lives. */
struct worker_sccp_name {
	char host[256];
	uint16_t port;
	enum addr_family family;
	struct addr at[WORKER_TARGETS_MAX];
	uint32_t count; /* 0: not known yet */
	uint32_t next;	/* tried next */
};

/* Skinny: worker_sccp.c and worker_sccp_back.c. */
struct worker_sccp {
	struct table by_connector; /* struct sccp_link */
	struct table by_id;
	struct list failed;
	struct loop_work failed_work;
	uint32_t next_source;
	struct sccp_health health[CONFIG_SCCP_MANAGERS_MAX];
	struct loop_timer back_timer;
	struct tls_creds *creds[CONFIG_SCCP_MANAGERS_MAX]; /* NULL: no TLS */
	struct worker_sccp_name *name; /* name_count, owned */
	uint32_t name_count;
};

struct worker {
	struct worker_params p;
	uint32_t leased[WORKER_LEASES];
	const struct config *config; /* the one in force: held */
	struct config *held;	     /* a reference */
	struct retirees retirees;
	struct formers formers;
	/* By number: as configured, or as it was; NULL: nobody's. */
	const struct config_trunk *trunk_at[PIPELINE_TRUNKS_MAX];
	struct loop_timer sweep;	  /* of the retirees */
	struct loop_timer lsc_timer;	  /* notes LSCs again */
	uint32_t mics;			  /* connections with conn.is_mic */
	uint8_t cover_key[COVER_KEY_LEN]; /* of names that phones are told */
	struct loop *loop;
	struct transport *transport;
	struct conns conns;
	struct calls *calls;
	struct egress *egress;
	struct pipeline *pipeline;
	struct shield *shield;
	struct medialink *media;
	struct channel *store;
	struct keep *keep;
	struct keys_client *keys;
	bool has_keys;
	struct loop_hook hook;
	struct bucket log_bucket;
	uint64_t log_suppressed;
	struct handle core_ep[2 * CONFIG_MANAGERS_MAX];	   /* by config.core */
	struct tls_creds *core_creds[CONFIG_MANAGERS_MAX]; /* by manager */
	struct worker_place *place; /* place_cap, owned */
	size_t place_cap;
	struct loop_work lost_work;
	struct realms *realms;
	struct list challenges; /* struct worker_challenge */
	struct loop_work challenge_work;
	struct dns *dns;		     /* NULL: nobody has a name */
	uint32_t dns_owner[DNS_WATCHES_MAX]; /* by number of the watch */
	enum dns_transport dns_transport[DNS_WATCHES_MAX];
	bool dns_is_used[DNS_WATCHES_MAX];
	struct worker_tls tls;
	struct worker_sccp sccp;
	uint64_t refusals[CONN_REFUSAL_COUNT];
};

/* Log, count and close a connection; name: of its certificate, or empty. */
void worker_refuse(struct worker *w, struct handle ep, const struct addr *peer,
		   enum conn_refusal why, struct slice name);
/* Put a question to the store process. ERR_CLOSED, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int worker_ask_store(struct worker *w,
				const struct store_request *r);
/*
 * A device with a certificate has come, and the trust store tells LSCs from
 * others: an LSC is remembered, and what the device has with another one at
 * this worker ends; with another one the connection is held until the store has
 * said whether the device had an LSC before.
 */
enum conn_refusal worker_lsc_judge(struct worker *w, struct conn *c,
				   bool is_lsc);
/* The store's answer to that. */
void worker_lsc_answer(struct worker *w, const struct store_reply *r);
/* No answer will come any more. */
void worker_lsc_lost(struct worker *w);
/* c ends. */
void worker_lsc_gone(struct worker *w, struct conn *c);
/* Tell the store, a new one, of LSCs that it has not noted. */
void worker_lsc_again(struct worker *w);
/* Prepare; free. */
void worker_lsc_init(struct worker *w);
void worker_lsc_done(struct worker *w);
/* The upcalls of struct transport; ctx is the worker. */
extern const struct transport_cb worker_transport_cb;

/* May another refusal be logged now? Counts what was not. */
bool worker_may_log(struct worker *w);
/* Room for the listeners' credentials; the timer runs. ERR_NOMEM. */
MUST_CHECK int worker_tls_begin(struct worker *w);
/* The same for the listeners of c, which has more. ERR_NOMEM. */
MUST_CHECK int worker_tls_grow(struct worker *w, const struct config *c);
/* Free what worker_tls_begin made and the credentials. */
void worker_tls_end(struct worker *w);
/* Credentials of l, a tls: listener of cfg, from files; the caller's reference.
 * reterr as worker_new. */
MUST_CHECK int worker_tls_creds(struct worker *w, const struct config *cfg,
				const struct config_listener *l,
				const struct tls_files *f,
				struct tls_creds **ret, char *reterr);
/* Guard what c says from now on; what is known of addresses stays. ERR_NOMEM. */
MUST_CHECK int worker_shield_follow(struct worker *w, const struct config *c);
/* Hold the call machine to c and to what is leased. ERR_NOMEM. */
MUST_CHECK int worker_update_calls(struct worker *w, const struct config *c);
/* Hold transport and connections to the limits of the configuration. */
void worker_limit(struct worker *w);
/* No device has retired yet. */
void worker_reload_init(struct worker *w);
/* Something of a device or trunk that is gone may end by itself: look. */
void worker_sweep_later(struct worker *w);
/* Let go of the configurations. */
void worker_reload_done(struct worker *w);
/* Open listeners, the core endpoint and its connector. reterr as
 * worker_new. */
MUST_CHECK int worker_net_open(struct worker *w, char *reterr);

/* --- worker_core.c -------------------------------------------------------- */
/* Prepare; before anything else of this part. ERR_NOMEM. */
MUST_CHECK int worker_core_init(struct worker *w);
/* Open the endpoints towards the call managers. reterr as worker_new. */
MUST_CHECK int worker_core_open(struct worker *w, const struct tls_files *f,
				char *reterr);
/* Whose credentials: one of the two, and what is said of it. */
struct worker_server {
	const struct config_call_manager *manager;
	const struct config_sccp_manager *sccp;
	const char *name, *trust;
};
/* Credentials towards one call manager on TLS from files; the caller's
 * reference. reterr as worker_new. */
MUST_CHECK int worker_core_make_creds(struct worker *w,
				      const struct worker_server *s,
				      const struct tls_files *f,
				      struct tls_creds **ret, char *reterr);
/* Credentials towards each call manager on TLS from files, into ret by its
 * number; the caller's references, also on error. reterr as worker_new. */
MUST_CHECK int worker_core_creds(struct worker *w, const struct tls_files *f,
				 struct tls_creds *ret[CONFIG_MANAGERS_MAX],
				 char *reterr);
/* Use these from now on; takes the references over. A call manager that is new
 * and waited for them begins. */
void worker_core_set_creds(struct worker *w,
			   struct tls_creds *const creds[CONFIG_MANAGERS_MAX]);
/* The certificate, key and OCSP response of id into c. reterr as worker_new. */
MUST_CHECK int worker_tls_identity(struct worker *w, struct tls_creds *c,
				   const struct config_identity *id,
				   const struct tls_files *f, char *reterr);
/* Give up the credentials; the endpoints go with the transport. */
void worker_core_close(struct worker *w);
/* The call machine is there: tell it of call managers that are addresses. */
void worker_core_start(struct worker *w);
/* These n addresses of way's owner are where it is from now on; ret gets them
 * as places (WORKER_TARGETS_MAX) without manager, priority and name. Returns
 * how many. worker_core_unlist follows, now or later. */
uint32_t worker_core_places(struct worker *w, const struct worker_way *way,
			    const struct worker_target *t, uint32_t n,
			    struct core_place *ret);
/* Drop connections to where nobody is any longer and no call goes on to. True
 * when some are left. */
bool worker_core_unlist(struct worker *w);
/* w->config is another now, old was the one before: call managers that are
 * elsewhere now, have another priority or are new. */
void worker_core_reload(struct worker *w, const struct config *old);
/* The call managers of phones in c, as bits; as calls_params has it. */
uint32_t worker_phone_managers(const struct config *c);
/* May what comes over a connection of this connector begin something? */
bool worker_core_is_listed(const struct worker *w, struct handle connector);
/* Room for the connectors that c needs, beside those that are there.
 * ERR_NOMEM. */
MUST_CHECK int worker_core_room(struct worker *w, const struct config *c);
/* Set the places of an owner's host as they were told last, if they were. */
void worker_core_repeat(struct worker *w, uint32_t owner);
/* Look up the host of an owner no more. */
void worker_core_unwatch(struct worker *w, uint32_t owner);
/* Where peer is over transport, by way. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int worker_core_dest(struct worker *w, const struct worker_way *way,
				enum config_transport transport,
				const struct addr *peer, struct dest *ret);
/* Look up the host of an owner from now on. */
void worker_core_watch(struct worker *w, uint32_t owner,
		       const struct config_remote *r, enum addr_family family);
/* Fill in d->ep, by which its peer is reached from its local address; none
 * where no call manager's is. */
void worker_core_reach(struct worker *w, struct dest *d);
/* These n addresses are where the call manager is from now on. */
void worker_core_set(struct worker *w, uint32_t manager,
		     const struct worker_target *t, uint32_t n);
/* Nothing can be sent to ep now: if it is a call manager's connector, its
 * requests fail soon (from the loop, not at once). */
void worker_core_lost(struct worker *w, struct handle ep);
/* The connection of ep, a connector, has ended or could not be made: its
 * requests fail. */
void worker_core_down(struct worker *w, struct handle ep);
/* --- worker_trunk.c -------------------------------------------------------- */
/* Connectors that trunks may need. */
size_t worker_trunk_places(const struct config *c);
/* Does any trunk have a peer with a name? */
bool worker_trunk_has_names(const struct config *c);
/* The call machine is there: tell it of the trunks and their peers. */
void worker_trunk_start(struct worker *w);
/*
 * Numbers for the trunks of next, which is to follow the configuration in force:
 * what has a number keeps it, also one that is gone while it has calls. Trunks
 * that have something going on and are gone in next, or told by other sources,
 * become formers. ERR_NOMEM, ERR_LIMIT; harmless then.
 */
MUST_CHECK int worker_trunk_prepare(struct worker *w, struct config *next);
/* w->config is another now, old was the one before: tell the call machine of
 * trunks that are new, changed or gone, and of their peers. */
void worker_trunk_reload(struct worker *w, const struct config *old);
/* Hold a connection of a trunk to the configuration in force, old being what it
 * was let in by, which is still there. True when it was closed. */
bool worker_trunk_judge(struct worker *w, struct conn *c);
/* Forget what is no longer used of trunks that are gone. True while something
 * of them is left. */
bool worker_trunk_sweep(struct worker *w);
/* A peer's name has become known: owner is WORKER_OWNER_TRUNK and more. */
void worker_trunk_set(struct worker *w, uint32_t owner,
		      const struct worker_target *t, uint32_t n);
/* Name and host of an owner, for the log. */
void worker_trunk_names(const struct worker *w, uint32_t owner,
			const char **ret_name, const char **ret_host);
/* The listeners have new credentials: those of connections to peers follow. */
void worker_trunk_set_creds(struct worker *w);
/* How a peer is reached over this transport. ERR_NOTFOUND: no listener has
 * it. */
MUST_CHECK int worker_trunk_way(const struct worker *w, uint32_t owner,
				enum config_transport transport,
				struct worker_way *ret);
/* Whose is a connection that came up: at a listener for trunks, or to a peer
 * of ours? c->trunk is filled in. *ret_name: buffer of CERT_NAME_MAX for what
 * its certificate says. */
enum conn_refusal worker_trunk_bind(struct worker *w, struct conn *c,
				    const struct transport_peer *peer,
				    char *ret_name);
/* --- worker_sccp_at.c: where Skinny call managers are, and their TLS ------- */
/* As worker_core_creds, by the number of the sccp-manager. */
MUST_CHECK int
worker_sccp_creds(struct worker *w, const struct tls_files *f,
		  struct tls_creds *ret[CONFIG_SCCP_MANAGERS_MAX],
		  char *reterr);
/* Use these from now on; takes the references over. */
void worker_sccp_set_creds(
	struct worker *w,
	struct tls_creds *const creds[CONFIG_SCCP_MANAGERS_MAX]);
/* Each has the credentials that the one of its name had in old, until there are
 * others: their numbers may have changed. */
void worker_sccp_keep_creds(struct worker *w, const struct config *old);
/* Watch the names of call managers that are not watched yet. */
void worker_sccp_watch(struct worker *w);
/* The name of this owner (WORKER_OWNER_SCCP and more) has become known. */
void worker_sccp_set(struct worker *w, uint32_t owner,
		     const struct worker_target *t, uint32_t n);
/* Its host. */
const char *worker_sccp_host(const struct worker *w, uint32_t owner);
/* Where m is; ERR_NOTFOUND: its name is not known yet. */
MUST_CHECK int worker_sccp_at(const struct worker *w,
			      const struct config_sccp_manager *m,
			      struct addr *ret);
/* It could not be reached there: another address of its name comes next. */
void worker_sccp_avoid(struct worker *w, const struct config_sccp_manager *m);
/* The connector's parameters for m: where to, how, under which name.
 * ERR_NOTFOUND: its name is not known yet, or its credentials. */
MUST_CHECK int worker_sccp_way(const struct worker *w,
			       const struct config_sccp_manager *m,
			       struct transport_connect *ret);

/* --- worker_sccp_back.c: back to the first call manager -------------------- */
/* From now on phones are looked at. */
void worker_sccp_back_init(struct worker *w);
/* No more. */
void worker_sccp_back_done(struct worker *w);

/* --- worker_sccp.c -------------------------------------------------------- */
/* Is m there? Its health will tell. */
void worker_sccp_ask(struct worker *w, const struct config_sccp_manager *m);
/* Prepare. */
MUST_CHECK int worker_sccp_init(struct worker *w);
/* Free; the connectors go with the transport. */
void worker_sccp_done(struct worker *w);
/* Bytes of a stream, as transport_cb.data. */
long worker_sccp_data(struct worker *w, struct conn *c, struct slice bytes,
		      const char **reterr_reason);
/* ACTION_SCCP_LINK, ACTION_SCCP_UNLINK. */
void worker_sccp_link(struct worker *w, const struct action *a);
/* A connection of a connector is up; false: nobody wants it any more. */
bool worker_sccp_up(struct worker *w, const struct conn *c);
/* The same could not be made. False: not one of these. */
bool worker_sccp_failed(struct worker *w, struct handle connector);
/* It was there and is gone. */
void worker_sccp_down(struct worker *w, struct handle connector);
/* What the call machine is to know of Skinny. */
struct sccp_params worker_sccp_params(const struct config *c);
/* Hold all phones to the configuration; how many had to go. */
uint32_t worker_sccp_judge(struct worker *w);
/* --- worker_names.c ------------------------------------------------------- */
/* The key of nonces. All workers' and their successors' are authentic everywhere,
 * also after a reboot, so that a phone hears "stale" and not that its password
 * is wrong; ret_boot names the host's boot. ERR_BAD, or what the keys process
 * answers. */
MUST_CHECK int worker_nonce_key(struct worker *w, uint8_t ret[NONCE_KEY_MIN],
				uint8_t ret_boot[NONCE_BOOT_LEN]);
/* Make the key of covers, which all workers and their successors open, and tell
 * how to use it; w is to be there as long. Errors as above, and those of
 * cover_key. */
MUST_CHECK int worker_names(struct worker *w, struct calls_names *ret);
/* --- worker_realms.c ------------------------------------------------------ */
/* Prepare. */
void worker_realms_init(struct worker *w);
/* Free. */
void worker_realms_close(struct worker *w);
/* Answers to call managers' challenges. ERR_NOMEM. */
MUST_CHECK int worker_realms_open(struct worker *w);
/* Is this ticket of the store or the keys process one of them? Then it is
 * dealt with. */
bool worker_realms_credential(struct worker *w, uint64_t ticket, int err,
			      struct slice blob);
/* The store process is gone: what waits for it ends. */
void worker_realms_lost(struct worker *w);
/* As worker_realms_credential. */
bool worker_realms_answered(struct worker *w, uint64_t ticket, int err,
			    struct slice data);
/* ACTION_AUTH. */
void worker_realms_ask(struct worker *w, const struct action *a);
/* Ask the store for a credential; the answer has this ticket. ERR_CLOSED,
 * ERR_LIMIT. */
MUST_CHECK int worker_store_get(struct worker *w, uint64_t ticket,
				struct slice user, struct slice realm);
/* Transport's word for it. */
enum transport_proto worker_proto(enum config_transport t);

/* --- worker_keep.c: what outlives a worker ---------------------------------- */
/* Begin to keep; where params.restores, go on with what a predecessor left.
 * Needs keys, calls, egress and the endpoints; params.store_fd must not be
 * served yet. reterr as worker_new. */
MUST_CHECK int worker_keep_open(struct worker *w, char *reterr);
/* The configuration is another one: there is room for what it allows. */
void worker_keep_room(struct worker *w);
/* The store process is new: it gets everything that is to be kept. */
void worker_keep_all(struct worker *w);
/* Line or media process are new: claim the flows of all calls, and have the
 * others end. */
void worker_claim_media(struct worker *w);
