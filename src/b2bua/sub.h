/*
 * Subscriptions (RFC 6665) and what REFER begins (RFC 3515), for b2bua/
 * only. A subscription is two dialogs, like a call: one with the subscriber,
 * one with the notifier, with ids of their own. What a REFER inside of a call
 * begins lives in the call's dialogs; it is kept here only as long as it
 * outlives the call. Owned by struct calls.
 */
#pragma once

#include "b2bua/machine.h"

enum {
	SUB_GRACE_MS = 32000, /* for the last NOTIFY, and the first */
	SUB_EXPIRES_S = 3600, /* when nobody says */
	SUB_REFER_S = 180,    /* the same after a REFER */
	SUB_EXPIRES_MAX_S = 604800
};

struct sub {
	struct obj obj;		     /* first */
	struct table_node by_device; /* in calls.sub_devices */
	bool has_device;
	struct timerq_node timer; /* in calls.sub_timers */
	struct leg leg[2];	  /* by enum side */
	enum side subscriber;
	char *device; /* of the phone, owned; "" = unknown */
	char *event;  /* package and id, owned */
	bool pass_auth;
	bool is_refer;
	bool is_over; /* but for REFERs in its dialog */
	struct refers refers;
	uint32_t epoch; /* of the call manager's place when it last granted */
	bool is_lost;	/* the phone is to be told when it is back */
	struct handle refresh; /* the phone's SUBSCRIBE under way (a relay) */
	uint64_t fork_ms;      /* until then a NOTIFY may come from a fork */
	bool is_saved;	       /* see save_sub.c */
	uint64_t saved_hash;
	uint64_t saved_until_ms; /* a successor keeps it so long */
	uint32_t saved_cseq[2];	 /* local numbers that were saved */
};

/* --- sub.c --------------------------------------------------------------- */
/* Is there room for one more of this device ("": of none)? O(its own). */
bool sub_room(const struct calls *c, struct slice device);
/* An empty subscription of a phone that lives for the first grace time.
 * NULL: a limit (counted), or memory. */
struct sub *sub_new(struct calls *c, enum side subscriber, struct slice device);
/* SUBSCRIBE or REFER outside of dialogs. */
void sub_begin(struct calls *c, const struct event_sip *ev);
/* A request in a subscription's dialog. */
void sub_request(struct calls *c, struct leg *leg, const struct event_sip *ev);
/* A NOTIFY for which leg_find knows no leg: it may make the dialog before
 * the 2xx does, or be of a fork (RFC 6665 section 4.4.1). Its leg, or NULL. */
struct leg *sub_adopt(struct calls *c, const struct event_sip *ev);
/* m, a response to r's request of subscription s, was passed on. */
void sub_response(struct calls *c, struct sub *s, const struct relay *r,
		  const struct sip_msg *m);
/* There was none. */
void sub_failed(struct calls *c, struct sub *s, const struct relay *r);
/* The phone of leg is gone: the other side is told. */
void sub_conn_down(struct calls *c, struct leg *leg);
/* End it towards the call manager, whatever that is in it. */
void sub_tell_core(struct calls *c, struct sub *s);
/* End it towards the phone, who is to begin it anew (RFC 6665 section 4.1.3). */
void sub_tell_phone(struct calls *c, struct sub *s);
/* Its time is over. */
void sub_timer(struct calls *c, struct sub *s);
/* The call ends, but what its REFERs began does not: take its dialogs over.
 * Nothing happens when there is nothing to keep, or no room. */
void sub_inherit(struct calls *c, struct call *call);
/* Unlink and free. */
void sub_free(struct calls *c, struct sub *s);

/* --- sub_move.c ---------------------------------------------------------- */
/* Is its call manager down, and another one there, where the phone had better
 * subscribe anew? */
bool sub_is_lost(struct calls *c, const struct sub *s);
/* b is registered elsewhere now, or anew: what its phone has subscribed to
 * under it ends where it was, and the phone is told. O(its subscriptions). */
void sub_follow(struct calls *c, const struct binding *b);
/* s ends at its call manager, and its phone is told to begin it anew. */
void sub_move(struct calls *c, struct sub *s);

/* --- refer.c ------------------------------------------------------------- */
/* What the REFERs in leg's dialogs have begun. */
struct refers *refer_of(struct leg *leg);
/* The place for one more. False: there is none; counted. */
bool refer_room(struct calls *c, struct leg *leg);
/* A REFER from leg with this number went on under the other. */
void refer_add(struct leg *leg, uint32_t cseq_in, uint32_t cseq_out);
/* The REFER that came with this number has gone again on leg, under the other:
 * its NOTIFYs name that one. */
void refer_moved(struct leg *leg, uint32_t cseq_in, uint32_t cseq_out);
/* Its final response m; NULL: there was none. */
void refer_answer(struct refers *refers, enum side from, uint32_t cseq_in,
		  const struct sip_msg *m);
/* Event of m, which came in on leg, as the other side knows it: ids of
 * refer are CSeq numbers there (RFC 3515 section 2.4.6). Empty: as it is.
 * Views buf. */
struct slice refer_event(struct leg *leg, const struct sip_msg *m, uint8_t *buf,
			 size_t cap);
/* m, a NOTIFY from leg, has ended one if it says so. */
void refer_notified(struct leg *leg, const struct sip_msg *m);
/* True when Subscription-State says that it is over. */
bool refer_is_terminated(const struct sip_msg *m);
/* Is m, a NOTIFY from leg, about a REFER of the other side? */
bool refer_is_about(struct leg *leg, const struct sip_msg *m);
