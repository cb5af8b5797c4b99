/*
 * Inside of the pipeline: what pipeline.c (the stages) and pipeline_reply.c
 * (answers made without the call machine) share.
 */
#pragma once

#include "proxy/pipeline.h"

enum {
	REPLY_MAX = 8192,     /* bytes of an answer made here */
	AUTH_INFO_MAX = 128,  /* bytes of a line with the next nonce */
	LIMIT_ENTRIES = 20000 /* sources whose rate is watched */
};

/* A request that waits for the store, then for the keys process. */
struct parked {
	struct unit unit;
	struct handle ticket;
	struct timerq_node timer;
	uint8_t *raw; /* unit.msg views it */
};

struct pipeline {
	struct pipeline_params p;
	struct ingress in;
	struct slots parked;
	struct timerq timers;
	uint64_t stops[STOP_COUNT];
	uint64_t messages;
	uint64_t lost;	  /* call_step ran out of memory */
	struct unit unit; /* the one being run */
	uint8_t scratch[SIP_MSG_MAX];
	uint8_t out[REPLY_MAX];	       /* an answer made here */
	char auth_info[AUTH_INFO_MAX]; /* of the unit being run */
};

/* Answer a request statelessly: nothing is remembered for somebody who has not
 * proven who he is. header (lines) and reason may be NULL. */
void pipeline_reply(struct pipeline *p, const struct unit *u, unsigned status,
		    const char *reason, const char *header, uint64_t now_ms);
/* Count and tell why a unit ends here; text is static. */
void pipeline_stop_unit(struct pipeline *p, const struct unit *u,
			enum pipeline_stop why, const char *text);
/* The same, and answer it as the reason asks for. */
void pipeline_refuse(struct pipeline *p, const struct unit *u,
		     enum pipeline_stop why, uint64_t now_ms);
/* 403 by a rule, which the log names; the peer is told of what kind it is. */
void pipeline_forbid(struct pipeline *p, const struct unit *u,
		     enum pipeline_stop why, const char *rule, uint64_t now_ms);
/* Answer 401 with a fresh nonce, without an algorithm that is of no use to this
 * user (DIGEST_COUNT: with all). */
void pipeline_challenge(struct pipeline *p, const struct unit *u, bool is_stale,
			enum digest_alg without, uint64_t now_ms);
/* The credentials of u were right: let a 2xx tell the next nonce, where that
 * is wanted. */
void pipeline_next_nonce(struct pipeline *p, struct unit *u, uint64_t now_ms);
/* The credentials are wrong: counted, and challenged again. */
void pipeline_wrong(struct pipeline *p, const struct unit *u, const char *text,
		    uint64_t now_ms);

/*
 * Answer the heartbeat that Cisco's phones send to a call manager they stand by
 * for (REGISTER, cisco-keep-alive, Expires 0). It changes nothing, and phones
 * answer no challenge for it: so whoever sends it without a certificate hears
 * 200 with nothing in it, whether there is such a line or not. False: it is
 * none, or its sender is known by his certificate, or the listener does not
 * hide lines.
 */
bool pipeline_heartbeat(struct pipeline *p, const struct unit *u,
			uint64_t now_ms);

/* --- pipeline_gate.c ----------------------------------------------------- */
/* Presence groups and calling rights of u's device. False: answered. */
bool pipeline_gate_device(struct pipeline *p, const struct unit *u,
			  uint64_t now_ms);
/*
 * Refuse somebody without a certificate who names a line that is not there, or
 * must not be used like this, as one would be that asks for a password: who
 * tries out lines shall find no difference. The log has the reason.
 */
void pipeline_decoy(struct pipeline *p, struct unit *u, enum pipeline_stop why,
		    uint64_t now_ms);
/* What the method lists of u's trunk say and, once it is_proved who sent it,
 * those of his application, presence groups and calling rights. False:
 * answered. */
bool pipeline_gate_trunk(struct pipeline *p, const struct unit *u,
			 bool is_proved, uint64_t now_ms);
/* May whoever has forwarded a call manager's INVITE, as it says, do so? False:
 * answered. */
bool pipeline_gate_forwarded(struct pipeline *p, const struct unit *u,
			     uint64_t now_ms);
/* A response that forwards where its sender may not becomes a refusal. */
void pipeline_gate_response(struct pipeline *p, struct unit *u);
