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
#include "b2bua/call.h"
#include "base/entropy.h"
#include "base/err.h"
#include "base/handle.h"
#include "base/timerq.h"
#include "config/config.h"
#include "priv/keys_wire.h"
#include "proxy/conn.h"
#include "proxy/egress.h"
#include "proxy/retirees.h"
#include "sip/hdr.h"
#include "sip/msg.h"

enum {
	PIPELINE_PARKED_MAX = 2048, /* requests waiting for store or keys */
	PIPELINE_PARK_MS = 3000,    /* patience with store and keys */
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
	struct calls *calls;		 /* outlives the pipeline */
	struct egress *egress;		 /* outlives the pipeline */
	struct pipeline_cb cb;
	struct entropy entropy;
	uint8_t nonce_key[NONCE_KEY_MIN];
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
	const struct config_device *device; /* NULL until known */
	struct sip_cred cred;		    /* of a request under check */
	struct nonce_info nonce;	    /* of the same */
};

struct pipeline;

/* New pipeline; p is copied. NULL when memory is out. */
struct pipeline *pipeline_new(const struct pipeline_params *p);
/* Free p (may be NULL) with its parked units; returns NULL. */
struct pipeline *pipeline_free(struct pipeline *p);
/*
 * One whole message (as the framer cut it, at most SIP_MSG_MAX bytes, copied)
 * that came from from on side; conn is NULL for datagrams. Runs all stages.
 */
void pipeline_run(struct pipeline *p, struct slice bytes,
		  const struct dest *from, enum side side, struct conn *conn,
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
/* When pipeline_expire must be called; UINT64_MAX = never. Includes the call
 * machine and egress. */
uint64_t pipeline_deadline(const struct pipeline *p);
/* Run everything that is due. */
void pipeline_expire(struct pipeline *p, uint64_t now_ms);
/* A connection is gone: parked units forget it, its calls hear of it. */
void pipeline_conn_down(struct pipeline *p, struct handle ep, uint64_t now_ms);
/*
 * Another configuration from now on; it outlives the pipeline or the next
 * call. Requests that wait belong to the device of the same name, or are
 * refused when it is gone and not among the retirees.
 */
void pipeline_reload(struct pipeline *p, const struct config *c,
		     uint64_t now_ms);
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

struct ingress {
	const struct config *config;
	/* Devices that are configured no more but have calls: those may be
	 * gone on with and ended. */
	const struct retirees *retirees;
	struct nonce_params nonce;
	struct nonce_window *window;
	struct limit *limit;
};

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
