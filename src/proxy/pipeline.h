/*
 * The map of the program: the stages every unit of input passes, in order,
 * are one table (stages[] in pipeline.c, run by pipeline_run). A stage lets
 * the unit go on, ends it (with a reason that is counted, logged and, for
 * SIP, answered), or parks it until another process has answered. No stage
 * calls backwards.
 *
 *   transport, tls -> parse -> authn -> authz -> b2bua (rewrite) -> egress
 *
 * One worker owns one pipeline.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "authn/nonce.h"
#include "authn/principal.h"
#include "authz/limit.h"
#include "authz/strangers.h"
#include "b2bua/call.h"
#include "base/bucket.h"
#include "base/entropy.h"
#include "base/err.h"
#include "base/handle.h"
#include "base/timerq.h"
#include "config/config.h"
#include "priv/keys_wire.h"
#include "proxy/conn.h"
#include "proxy/egress.h"
#include "proxy/formers.h"
#include "proxy/retirees.h"
#include "sip/hdr.h"
#include "sip/msg.h"

enum {
	PIPELINE_PARKED_MAX = 2048, /* requests waiting for store or keys */
	PIPELINE_PARK_MS = 3000,    /* patience with store and keys */
	/* Numbers of trunks: some are gone, but have calls. */
	PIPELINE_TRUNKS_MAX = 2 * CONFIG_TRUNKS_MAX,
	PIPELINE_NONCES_MAX = 100000
};

/* What stopped a unit: label of a counter. */
enum pipeline_stop {
	STOP_NONE,	 /* it went through */
	STOP_MALFORMED,	 /* the parser refused it */
	STOP_RATE,	 /* too many messages from one source */
	STOP_SOURCE,	 /* a core-side message from a stranger */
	STOP_DEVICE,	 /* no configured device */
	STOP_MODE,	 /* the device must use TLS */
	STOP_CHALLENGE,	 /* 401: no or stale credentials */
	STOP_PASSWORD,	 /* 401: wrong, forged or replayed credentials */
	STOP_CREDENTIAL, /* 403: digest is on, but no credentials are stored */
	STOP_LINE,	 /* 403: the line is not the device's */
	STOP_PRESENCE,	 /* 403: presence groups object */
	STOP_RIGHTS,	 /* 403: calling rights object */
	STOP_LIST,	 /* 403: a method list of trunk or application */
	STOP_DIRECTION,	 /* 403: the trunk may not begin anything */
	STOP_TRUNK_RATE, /* 503: more than the trunk's profile allows */
	STOP_STRANGER,	 /* nobody known, at a listener for trunks */
	STOP_BUSY,	 /* 503: store or keys did not answer, or no room */
	STOP_COUNT
};

/* Requests to other processes; the answers come back through
 * pipeline_credential and pipeline_checked with the same ticket. */
struct pipeline_cb {
	/* Ask the store for the credential of (user, realm). */
	int (*credential)(void *ctx, uint64_t ticket, struct slice user,
			  struct slice realm);
	/* Ask the keys process whether a digest response is right. */
	int (*check)(void *ctx, uint64_t ticket, struct keys_check *check);
	/* Log that a request was stopped. text is valid during the call. */
	void (*stopped)(void *ctx, enum pipeline_stop why,
			const struct sip_msg *m, const struct dest *from,
			struct slice device, const char *text);
	/* A phone's request passed authentication and authorisation on this
	 * connection. May be NULL. */
	void (*admitted)(void *ctx, struct handle conn);
	void *ctx;
};

struct pipeline_params {
	const struct config *config;	 /* outlives the pipeline, or the next
					pipeline_reload */
	const struct retirees *retirees; /* outlives the pipeline */
	const struct formers *formers;	 /* the same */
	struct calls *calls;		 /* outlives the pipeline */
	struct egress *egress;		 /* outlives the pipeline */
	struct pipeline_cb cb;
	struct entropy entropy;
	uint8_t nonce_key[NONCE_KEY_MIN];
	uint8_t nonce_boot[NONCE_BOOT_LEN];
	uint16_t worker;
	uint64_t since_ms; /* nonces issued before are stale */
	uint64_t seed;
};

/* One message on its way. */
struct unit {
	struct sip_msg msg;
	struct dest from;
	enum side side;
	enum sig_level sig;
	struct conn *conn;		    /* NULL for datagrams */
	uint32_t listener;		    /* index in config.listener, or
			      CONFIG_LISTENER_NONE */
	const struct config_device *device; /* NULL until known */
	const struct config_trunk *trunk;   /* it is this one's; NULL: none's */
	bool is_former; /* of the trunk's past: begins nothing */
	/* Digest user that was proved, or is under check; views msg. A trunk's
	 * application is known by it. */
	struct slice user;
	struct sip_cred cred;	 /* of a request under check */
	struct nonce_info nonce; /* of the same */
	/* What is wrong with them, for the log; static. NULL: user, nonce or
	 * nonce count. */
	const char *why;
	/* Header line for a 2xx of it: the nonce of the next request; empty:
	 * none. Views the pipeline. */
	struct slice auth_info;
};

struct pipeline;

/* New pipeline; p is copied. NULL when memory is out. */
struct pipeline *pipeline_new(const struct pipeline_params *p);
/* Free p (may be NULL) with its parked units; returns NULL. */
struct pipeline *pipeline_free(struct pipeline *p);
/* A message that came in. */
struct pipeline_in {
	struct slice bytes; /* whole, as the framer cut it, at most SIP_MSG_MAX;
			       copied */
	const struct dest *from;
	enum side side;
	uint32_t listener; /* index in config.listener, or
			      CONFIG_LISTENER_NONE */
	struct conn *conn; /* NULL for datagrams */
};

/* Run all stages over it. */
void pipeline_run(struct pipeline *p, const struct pipeline_in *in,
		  uint64_t now_ms);
/* The store answered: err 0 and the sealed credential, or an error. */
void pipeline_credential(struct pipeline *p, uint64_t ticket, int err,
			 struct slice blob, uint64_t now_ms);
/* The keys process answered: 0 = right, ERR_AUTH = wrong, or an error. */
void pipeline_checked(struct pipeline *p, uint64_t ticket, int err,
		      uint64_t now_ms);
/* An event for the call machine that is no message; runs stages 6 to 8. */
void pipeline_event(struct pipeline *p, const struct event *ev,
		    uint64_t now_ms);
/* A Skinny message: counted, then as pipeline_event. ERR_LIMIT: its connection
 * is over the rate of messages, and must end: phones do not send again what was
 * lost in the middle. */
MUST_CHECK int pipeline_sccp(struct pipeline *p, const struct event *ev,
			     uint64_t now_ms);
/* When pipeline_expire must be called; UINT64_MAX = never. Includes the call
 * machine and egress. */
uint64_t pipeline_deadline(const struct pipeline *p);
/* Run everything that is due. */
void pipeline_expire(struct pipeline *p, uint64_t now_ms);
/* A connection is gone: parked units forget it, its calls hear of it. */
void pipeline_conn_down(struct pipeline *p, struct handle ep, uint64_t now_ms);
/* Room for what the trunks of c need. ERR_NOMEM. */
MUST_CHECK int pipeline_room(struct pipeline *p, const struct config *c);
/*
 * Another configuration from now on, for which there is room; it outlives the
 * pipeline or the next call. Requests that wait belong to the device or trunk of
 * the same name, or are refused when it is gone and not among the retirees.
 */
void pipeline_reload(struct pipeline *p, const struct config *c,
		     uint64_t now_ms);
/* What a trunk was stopped at, for reports. */
struct pipeline_trunk {
	uint64_t requests;   /* that were its own */
	uint64_t challenged; /* 401 */
	uint64_t refused;    /* 403, and wrong passwords */
	uint64_t over;	     /* a rate of its profile */
};

/* d is to be freed: requests of it that wait for an answer are refused. */
void pipeline_forget_device(struct pipeline *p, const struct config_device *d,
			    uint64_t now_ms);
/* The same of a trunk. */
void pipeline_forget_trunk(struct pipeline *p, const struct config_trunk *t,
			   uint64_t now_ms);
/* Counters of trunk number i (config_trunk.number); until the next
 * pipeline_room. */
const struct pipeline_trunk *pipeline_trunk(const struct pipeline *p,
					    uint32_t i);
/* Who came to listeners for trunks and was nobody; lifetime of p. */
const struct strangers *pipeline_strangers(const struct pipeline *p);
/* Units stopped, by reason; STOP_COUNT numbers. Lifetime of p. */
const uint64_t *pipeline_stops(const struct pipeline *p);
/* Messages that came in. */
uint64_t pipeline_messages(const struct pipeline *p);
/* Times the call machine ran out of memory. */
uint64_t pipeline_lost(const struct pipeline *p);
/* Name of a reason: "wrong-password". Static. */
const char *pipeline_stop_str(enum pipeline_stop s);

/* ---- between pipeline.c and ingress.c --------------------------------- */

/* What a stage decided about a unit. */
enum stage {
	STAGE_NEXT,  /* go on */
	STAGE_DONE,  /* dealt with */
	STAGE_PARKED /* waits for another process */
};

/* A trunk's rates, and what became of its requests. */
struct trunk_gate {
	char name[CONFIG_NAME_MAX + 1]; /* the trunk's; empty: nobody's */
	struct bucket requests, calls;
	struct pipeline_trunk count;
};

struct ingress {
	const struct config *config;
	/* Devices that are configured no more but have calls: those may be
	 * gone on with and ended. */
	const struct retirees *retirees;
	const struct formers *formers; /* the same of trunks; or NULL */
	struct nonce_params nonce;
	struct nonce_window *window;
	struct limit *limit;
	struct strangers *strangers;
	struct trunk_gate *gate; /* gate_count, by number of the trunk */
	uint32_t gate_count;
	uint16_t worker;
};

/* What digest is about for a unit whose device or trunk is known. */
struct digest_scope {
	struct slice realm;
	const struct config_digests *digests;
	const struct config_words *qop; /* enum config_qop */
	enum config_nextnonce nextnonce;
	bool checks_uri;   /* it must be the request's own */
	struct slice user; /* who must answer; empty: whoever has credentials */
	struct nonce_params nonce;
};
/* The scope of u, whose device or trunk is known; views the configuration. */
struct digest_scope ingress_scope(const struct ingress *in,
				  const struct unit *u);
/* Credentials of u's realm among those it carries; false: none. */
bool ingress_find_cred(const struct ingress *in, const struct unit *u,
		       struct sip_cred *ret);
/* Credentials of this request, as far as they can be judged here; u->cred,
 * u->nonce and u->user are filled for AUTHN_OK. */
enum authn_verdict ingress_judge_cred(const struct ingress *in, struct unit *u,
				      uint64_t now_ms);

/* Media as configured for a device or a trunk. */
struct media_terms {
	enum config_media_policy policy;
	const struct config_suites *suites, *offer_suites;
	enum config_srtp_offer srtp_offer;
	enum config_other_media other_media;
};
/* Write m into ret as the call machine wants it; the rest of ret stays. */
void ingress_media_policy(const struct media_terms *m, struct call_policy *ret);

/* --- ingress_trunk.c ---------------------------------------------------- */
/* Fill in u->trunk: on the outside whose it is, inside whom it is for (its
 * request-URI's host, or where it came in). */
void ingress_trunk_find(const struct ingress *in, const struct calls *calls,
			struct unit *u);
/* May the trunk of u send this at all: its way, its direction, its rate of
 * calls? STOP_NONE or why not. */
enum pipeline_stop ingress_trunk_gate(struct ingress *in, const struct unit *u,
				      uint64_t now_ms);
/* Does it begin something, though its trunk may only go on with what it has
 * begun? */
bool ingress_trunk_is_new(const struct unit *u);
/* May the trunk of u send one more request now? */
bool ingress_trunk_rate(struct ingress *in, const struct unit *u,
			uint64_t now_ms);
/* Must a request of the trunk of u be proved by digest? */
bool ingress_trunk_digest(const struct unit *u);
/* Is the listener of u for trunks alone? */
bool ingress_is_for_trunks(const struct ingress *in, const struct unit *u);
/*
 * Numbers for the trunks of next: those that calls knows by name keep theirs,
 * though they may be gone; the others get numbers that it knows nobody by.
 * ERR_LIMIT: there is none left below PIPELINE_TRUNKS_MAX. O(trunks).
 */
MUST_CHECK int ingress_trunk_numbers(const struct calls *calls,
				     struct config *next);
/* Room for gates of the trunks of c. ERR_NOMEM. */
MUST_CHECK int ingress_trunk_room(struct ingress *in, const struct config *c);
/* Gates for the trunks of in->config, or new rates for them: there is room. */
void ingress_trunk_config(struct ingress *in, uint64_t now_ms);
/* The trunk's policy as the call machine wants it. */
void ingress_trunk_policy(const struct config_trunk *t,
			  struct call_policy *ret);

/* Which device speaks, and does it have to prove it? AUTHN_OK: go on;
 * AUTHN_CHALLENGE, AUTHN_STALE, AUTHN_WRONG: answer 401; AUTHN_REFUSE: *ret_stop
 * says why. *ret_check: u->cred and u->nonce are filled and the credential of
 * the device's digest user must be checked. */
enum authn_verdict ingress_authn(const struct ingress *in, struct unit *u,
				 uint64_t now_ms, bool *ret_check,
				 enum pipeline_stop *ret_stop);
/* The password was right: is the nonce count new? AUTHN_OK, AUTHN_STALE or
 * AUTHN_WRONG. */
enum authn_verdict ingress_authn_count(const struct ingress *in,
				       const struct unit *u, uint64_t now_ms);
/* Does it spare u, whose credentials were right, a challenge to be told another
 * nonce now? Or does the configuration want it anyway? */
bool ingress_wants_nonce(const struct ingress *in, const struct unit *u,
			 uint64_t now_ms);
/* User part of a From or To value; empty when it has none. */
struct slice ingress_user(struct slice value);
/* May this device do what it asks for? STOP_NONE or why not. */
enum pipeline_stop ingress_authz(const struct unit *u);
/* Does the device's security mode allow signalling protected like this? */
bool ingress_mode_allows(const struct config *c, const struct config_device *d,
			 enum sig_level sig);
/* The device's media policy as the call machine wants it. */
void ingress_policy(const struct config *c, const struct config_device *d,
		    struct call_policy *ret);
/* The same for a Skinny phone, which registers as this model (device type), and
 * what the model can do. */
void ingress_sccp_policy(const struct config *c, const struct config_device *d,
			 uint32_t type, struct call_policy *ret,
			 struct sccp_traits *ret_traits);
