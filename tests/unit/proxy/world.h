/*
 * The pipeline with everything pure and real around it (configuration, call
 * machine, egress), and the rest of the world played from one thread in
 * virtual time: what is sent is recorded, the store and keys processes answer
 * when they are told to. For test_pipeline and fuzz_pipeline.
 */
#pragma once

#include "authn/digest.h"
#include "lib/entropy.h"
#include "proxy/pipeline.h"
#include "proxy/retirees.h"

enum {
	WORLD_SENT_MAX = 64,
	WORLD_TEXT_MAX = 8192,
	WORLD_MORE_MAX = 128,
	WORLD_ASKS_MAX = PIPELINE_PARKED_MAX + 8
};

/* A message that left. */
struct world_sent {
	struct dest to;
	char text[WORLD_TEXT_MAX];
};

/* A question to the store (response empty) or to the keys process. */
struct world_ask {
	uint64_t ticket;
	char user[64];
	char realm[64];
	char method[32];
	char uri[256];
	char nonce[128];
	char nc[16];
	char cnonce[128];
	char qop[16];
	char response[128];
	char body_hash[128];
	uint8_t alg;
};

struct world {
	uint64_t now;
	struct config *config;
	struct calls *calls;
	struct egress *egress;
	struct pipeline *pipeline;
	struct test_entropy entropy;
	struct retirees retirees;
	struct formers formers;
	uint32_t admitted;  /* connections told to be known */
	struct conn phone;  /* TLS, SEP000000000001 */
	struct dest udp;    /* a phone at the datagram listener */
	struct dest hiding; /* at another one: unknown-lines = challenge */
	struct dest core;   /* the call manager */
	/* Trunk "carrier" with two peers and a call manager's address of its
	 * own; "asked" is challenged and only comes in; "named" is called by
	 * its host, named.example, only. */
	struct dest core_trunk, carrier[2], asked_trunk, named;
	/* Peers of "locked" and "shielded" on TLS, which differ in
	 * trunk-lock; called by locked.example and shielded.example. */
	struct dest secure[2];
	/* Who answers in world_answer: one of these, core at first. */
	const struct dest *answerer;
	/* what happened since world_forget */
	struct world_sent *sent; /* WORLD_SENT_MAX */
	uint32_t sent_count;
	uint32_t closes, flow_adds;
	enum pipeline_stop stop; /* the last */
	char why[128];
	char asked[WORLD_TEXT_MAX]; /* the last request to the core */
	/* questions not answered yet */
	struct world_ask *store, *keys; /* WORLD_ASKS_MAX */
	uint32_t store_count, keys_count;
	int store_err, keys_err; /* refused to be asked */
	uint32_t number;	 /* of the last flow_add */
	bool is_asked;		 /* it has not been answered */
	/* called with each message that leaves; may be NULL */
	void (*on_send)(struct world *w, const struct dest *to);
	const void *user; /* the test's */
};

/* Devices: SEP000000000001 with line 2001, encrypted, no digest (phone);
 * ...02 with 2002, nonsecure, no digest, in
 * presence group apart, which may watch default, and with the calling rights
 * guard (no call to 0900*, no forward to the outside); ...03 with 2003 and 2033, nonsecure,
 * digest user "carol", password "secret"; ...04 with 2004, authenticated. */
void world_init(struct world *w);
/* The same with more rows of configuration (section, label, option, value),
 * at most WORLD_MORE_MAX. */
void world_init_more(struct world *w, const char *const (*more)[4],
		     size_t count);
/* What world_init_more makes its configuration of, without the rows of one
 * section of that label; the caller's reference. */
struct config *world_config(const char *const (*more)[4], size_t count,
			    const char *without);
/* Free all. */
void world_done(struct world *w);
/* Forget what was sent and stopped. */
void world_forget(struct world *w);
/* A request in text: lines end in LF, which becomes CRLF; Content-Length and,
 * unless a body follows behind one, the empty line are added. From a datagram peer, or from c. */
void world_say(struct world *w, const struct dest *from, enum side side,
	       struct conn *c, const char *text);
/* The answerer answers the last request it got, which may be none: "200
 * OK"; sdp as its body where it is not empty, lines ending in LF. */
void world_answer(struct world *w, const char *status, const char *sdp);
/* The store finds every credential; the keys process judges by password
 * "secret" (MD5). All open questions are answered. */
void world_settle(struct world *w);
/* The same for the store alone, with err. */
void world_store(struct world *w, int err);
/* The keys process answers with err. */
void world_keys(struct world *w, int err);
/* The media process accepts the flows asked for. */
void world_media(struct world *w, int err);
/* Let time pass until t, running what is due. */
void world_pass(struct world *w, uint64_t t);
