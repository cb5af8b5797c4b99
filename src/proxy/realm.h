/*
 * Challenges of call managers and of trunks' peers (RFC 3261 section 22): for
 * each realm the best of its challenges is answered, with the credentials of
 * the realm from the store and a response that the keys process calculates.
 * Credentials of other realms that the request carried go along with the next
 * nonce count, so that several on the way can ask one after the other. A realm
 * that refuses what it got gets no second answer, unless it says that the nonce
 * is stale. A nonce that a peer told for the next request (RFC 7616 section
 * 3.5) is kept for that peer, and used with rising counts until it is refused or
 * another one is told. Owned by one worker.
 */
#pragma once

#include <stdint.h>

#include "base/dest.h"
#include "base/entropy.h"
#include "base/err.h"
#include "base/slice.h"
#include "priv/keys_wire.h"

struct realms;

enum {
	REALM_ASKS_MAX = 1024,	/* challenges that are being answered */
	REALM_LINE_MAX = 4096,	/* bytes of all answers to one response */
	REALM_NONCES_MAX = 4096 /* nonces to be used next; of more the one that
				   was not used longest goes */
};

struct realm_cb {
	/* Ask the store for the credentials of realm; the answer comes to
	 * realm_credential. */
	int (*credential)(void *ctx, uint64_t ticket, struct slice realm);
	/* Ask the keys process for the response; the answer comes to
	 * realm_answered. */
	int (*answer)(void *ctx, uint64_t ticket, const struct keys_check *c);
	/* Done: header lines, or nothing when there is no answer. why: static,
	 * for the log; NULL: it was answered, or has no credentials. */
	void (*done)(void *ctx, uint64_t id, struct slice lines,
		     const char *why, struct slice realm);
	void *ctx;
};

/* New; cb is copied, seed is for hashing. NULL when memory is out. */
struct realms *realms_new(const struct realm_cb *cb, const struct entropy *e,
			  uint64_t seed);
/* Free r (may be NULL) and what it was asked; returns NULL. */
struct realms *realms_free(struct realms *r);
/* A request to peer was challenged, or is to go out with what peer told:
 * ACTION_AUTH. done is called for this id, perhaps at once. */
void realms_ask(struct realms *r, uint64_t id, const struct dest *peer,
		struct slice bytes);
/* A response of peer tells a nonce: ACTION_AUTH_INFO. What cannot be read is
 * passed over. */
void realms_info(struct realms *r, const struct dest *peer, struct slice bytes);
/* Nonces that are kept. */
size_t realms_nonces(const struct realms *r);
/* The store answered. */
void realms_credential(struct realms *r, uint64_t ticket, int err,
		       struct slice blob);
/* What the store was asked will not be answered: done is called for each that
 * waits for it, with what there is of other realms. Who waits for the keys
 * process goes on. O(asks). */
void realms_lost(struct realms *r);
/* The keys process answered. */
void realms_answered(struct realms *r, uint64_t ticket, int err,
		     struct slice data);
