/*
 * Objects as bytes, for save*.c only: one description of each object for both
 * directions, so that nothing is written that is not read. Every function
 * writes the value it is given, or reads one in its place; what is wrong with
 * the bytes shows in the reader, which is sticky.
 */
#pragma once

#include "b2bua/machine.h"
#include "b2bua/save.h"
#include "base/reader.h"

struct coder {
	struct writer w;
	struct reader r;
	bool is_reading;
	int err; /* sticky: ERR_NOMEM */
};

/* Numbers; returns v, or what was read. */
uint64_t coder_u64(struct coder *k, uint64_t v);
/* The same, of 32 bits. */
uint32_t coder_u32(struct coder *k, uint32_t v);
/* A small number, at most max: enums, counts. */
unsigned coder_max(struct coder *k, unsigned v, unsigned max);
/* A truth. */
bool coder_bool(struct coder *k, bool v);
/* len characters, none of them NUL. */
void coder_chars(struct coder *k, char *buf, size_t len);
/* An owned text that is never NULL; what *p was is freed when reading. */
void coder_text(struct coder *k, char **p);
/* The same where NULL means something. */
void coder_text_opt(struct coder *k, char **p);
/* Owned bytes; NULL means something. *p is NULL when reading. */
void coder_bytes(struct coder *k, uint8_t **p, size_t *len);
/* An address. */
void coder_addr(struct coder *k, struct addr *a);
/* A flow without the cookie of its call, which is a handle and means nothing
 * to a successor. */
void coder_flow(struct coder *k, struct flow *f);
/* A destination without its endpoint. */
void coder_dest(struct coder *k, struct dest *d);
/* What a device may do. */
void coder_policy(struct coder *k, struct call_policy *p);
/* The dialog of a leg, and where its peer is, without the numbers of requests.
 */
void coder_peer(struct coder *k, struct leg *leg);
/* The numbers of its last requests. */
void coder_cseqs(struct coder *k, struct leg *leg);
/* REFERs that are still notified. */
void coder_refers(struct coder *k, struct refers *r);
/* Everything was read: 0, ERR_BAD or ERR_NOMEM. */
MUST_CHECK int coder_end(const struct coder *k);

/* --- save.c -------------------------------------------------------------- */
enum {
	SAVE_VERSION = 9,
	SAVE_CALL = 'C',
	SAVE_BINDING = 'B',
	SAVE_SUB = 'S',
	SAVE_SKINNY = 'K', /* streams of a Skinny phone */
	/* Requests that may have left after the last save. A line's are not
	 * saved one by one, nor are a subscription's. */
	CSEQ_GAP = 64,
	CSEQ_GAP_SUB = 2 * CSEQ_GAP,
	CSEQ_GAP_LINE = 10000,
	SDP_GAP = 64 /* versions of session descriptions, likewise */
};

/* Begin the bytes of an action about the object of this kind and name. */
void save_begin(struct calls *c, struct coder *k, uint8_t kind,
		const char *name);
/* Put them out as an action, ACTION_SAVE or ACTION_FORGET. */
void save_emit(struct calls *c, enum action_kind kind, const struct coder *k);
/* ACTION_FORGET; nothing at the end of the process. */
void save_forget(struct calls *c, uint8_t kind, const char *name);
/* leg was read: it is found again, and its peer is reached where it can be.
 * gap: numbers of requests to leave out. ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK int save_link_leg(struct calls *c, struct leg *leg,
			     const struct save_restore *how, uint32_t gap);

/* A leg of t that was restored without a place has one now. False: no, or it
 * had one. */
bool save_follow_leg(struct calls *c, struct leg *leg, struct trunk *t);

/* --- save_sub.c ---------------------------------------------------------- */
/* Save s, when both its dialogs are made and there is something new. */
void save_sub(struct calls *c, struct sub *s);
/* As calls_restore; k is behind version and kind. */
MUST_CHECK int save_restore_sub(struct calls *c, struct coder *k,
				const struct save_restore *how);
/* The phone of b's device is reached over b's connection: so are its
 * subscriptions that have none. */
void save_follow_subs(struct calls *c, const struct binding *b);
/* t has other places: its subscriptions that have none may get one. */
void save_follow_trunk_subs(struct calls *c, struct trunk *t);
