/*
 * Skinny phones inside the call machine, for b2bua/ only. A phone has one
 * connection and one to a call manager, with an interpreter between: what it
 * has no view of passes bit for bit. leg_sccp.c has connections, registration
 * and who may say what; sccp_media.c streams, keys and flows; sccp_call.c calls
 * as operators see them, and the lock. Streams are known by their
 * passThroughPartyId, which is one phone's own; a call may have several, and
 * the copies for a recorder have call references of their own.
 */
#pragma once

#include "b2bua/machine.h"
#include "base/bucket.h"
#include "base/buf.h"

struct coder;

enum {
	SCCP_STREAMS_MAX = 24,	   /* of one phone */
	SCCP_CALLS_MAX = 16,	   /* of one phone */
	SCCP_GROUPS_MAX = 4,	   /* multicast, of one phone */
	SCCP_PENDING_MAX = 16384,  /* bytes before the call manager is there */
	SCCP_KEEPALIVE_MS = 60000, /* where nobody has said */
	SCCP_MISSED = 3,	/* keepalives without a word from the phone */
	SCCP_KEPT_MS = 3600000, /* streams of a phone without connections */
	SCCP_KEPT_IDLE_MS = 30000, /* they end when nothing came for so long */
	SCCP_REKEY_MS = 400,	   /* after the far phone has gone */
	SCCP_SWITCH_MS = 1000,	   /* to say yes to another key */
	SCCP_PARTY_LEN = 80	   /* bytes of a number and name, with NUL */
};

/* Is a stream what the call manager thinks is multicast? */
enum sccp_multicast {
	SCCP_NO_GROUP,
	SCCP_HEARS_GROUP, /* flow[SIDE_CORE].group: the relay hears it */
	SCCP_SENDS_GROUP  /* flow[SIDE_CORE].remote is one */
};

/* One stream of a phone; flows by the side that they come from. */
struct sccp_stream {
	struct list node; /* in sccp_phone.streams */
	uint32_t party;
	uint32_t conf;
	uint32_t call;
	uint32_t codec;
	enum sccp_multicast group;
	bool is_video;
	bool is_receiving; /* OpenReceiveChannel without a Close */
	bool is_heard;	   /* the phone has said where it receives */
	bool is_sending;   /* StartMediaTransmission without a Stop */
	bool is_borrowed;  /* the far phone sends under our receive key */
	bool is_learned;   /* that key is the far phone's own, told anew */
	bool is_stale;	   /* a phone that is gone knows that key */
	bool is_fed;	   /* the relay may have encrypted with it what the far
			      phone of this worker says */
	bool has_next;	   /* the phone was told next and has not said yes */
	bool next_is_borrowed;
	struct flow_key next; /* what it hears with then */
	uint64_t next_ms;     /* it is used then, whatever the phone says */
	bool is_plain;	      /* fallen back to RTP */
	bool is_refused;      /* a barge that may not be: nothing passes */
	uint8_t own_opens; /* channels we opened anew, not yet acknowledged */
	uint16_t port[2];
	struct flow flow[2];
	struct far far;
	bool is_idle[2];  /* of a kept phone: nothing came for long */
	uint32_t open_id; /* OpenReceiveChannel or its video form */
	struct sccp_phone *phone;
	uint8_t *open; /* the message that opened it, raw; owned */
	size_t open_len;
	uint8_t *start; /* the message that made it send; owned */
	size_t start_len;
};

/* A multicast stream that the phone was told of as such: in the clear. */
struct sccp_group {
	bool is_on;
	uint32_t party;
	uint32_t call;
};

struct sccp_call {
	struct obj obj;	  /* first */
	struct list node; /* in sccp_phone.calls */
	struct sccp_phone *phone;
	uint32_t ref;
	uint32_t line;
	bool from_phone;
	uint32_t state; /* as in CallState */
	uint32_t shown; /* enum sccp_security, told last */
	uint64_t start_ms;
	uint64_t answer_ms; /* 0 = not yet */
	char caller[SCCP_PARTY_LEN];
	char callee[SCCP_PARTY_LEN];
	uint8_t *info; /* last CallInfo, raw; owned */
	size_t info_len;
	struct history history;
};

enum sccp_phase {
	SCCP_CONNECTED,	  /* nobody yet */
	SCCP_REGISTERING, /* Register went to the call manager */
	SCCP_REGISTERED
};

/* One of a phone's two connections. */
struct sccp_end {
	struct table_node node; /* in sccp_phones.eps */
	struct sccp_phone *phone;
	uint8_t key[8];
	bool is_linked;
};

struct sccp_phone {
	struct obj obj;		/* first */
	struct sccp_end end[2]; /* by side */
	struct table_node by_name;
	bool has_name;
	struct timerq_node timer;
	enum sccp_phase phase;
	struct dest dest[2]; /* by side */
	bool is_linked;	     /* the call manager is there */
	bool is_kept; /* of a predecessor: without connections, until it comes */
	uint64_t saved_hash; /* 0: nothing of it is saved */
	uint32_t listener;
	uint32_t manager; /* the one that is tried, or serves */
	uint32_t manager_count;
	char manager_name[32];
	char name[SCCP_NAME_LEN];
	enum sig_level sig;
	struct call_policy policy;
	struct sccp_traits traits;
	uint32_t model;
	uint8_t version_offered; /* by the phone */
	uint32_t version;	 /* agreed */
	uint32_t header;	 /* version of the call manager's last header */
	uint32_t keepalive_ms;
	uint64_t heard_ms; /* last word of the phone */
	uint64_t rekey_ms; /* look for stale keys then; UINT64_MAX = never */
	uint64_t since_ms;
	uint64_t told_ms; /* to reset, last; 0 = never */
	struct bucket calls_bucket;
	struct bucket *rates; /* by rule; NULL: none has counted yet; owned */
	struct buf pending;   /* raw messages for the call manager */
	struct list streams;
	struct list calls;
	struct sccp_group group[SCCP_GROUPS_MAX];
	uint32_t stream_count;
	uint32_t call_count;
};

/* --- leg_sccp.c ----------------------------------------------------------- */
/* EVENT_SCCP. */
void sccp_event(struct calls *c, const struct event_sccp *ev);
/* EVENT_SCCP_LINK. */
void sccp_link(struct calls *c, const struct event_link *ev);
/* A connection is gone; nothing happens when it is no Skinny phone's. */
void sccp_conn_down(struct calls *c, struct handle conn);
/* Time has passed. */
void sccp_timers(struct calls *c);
/* Send o to a side of p, and wipe it. */
void sccp_send(struct calls *c, struct sccp_phone *p, enum side to,
	       struct sccp_out *o);
/* Send m there as it is. */
void sccp_pass(struct calls *c, struct sccp_phone *p, enum side to,
	       const struct sccp_msg *m);
/* End p: its streams, its connections. reason: for the log. */
void sccp_phone_end(struct calls *c, struct sccp_phone *p, const char *reason);
/* Free p, nothing is sent. */
void sccp_phone_free(struct calls *c, struct sccp_phone *p);
/* p's timer at the earliest of what it waits for. */
void sccp_arm(struct calls *c, struct sccp_phone *p);
/* Begin and end of this part of the machine. */
MUST_CHECK int sccp_init(struct calls *c);
/* How many connections of phones there may be, and as many kept phones. */
uint32_t sccp_room(const struct calls *c);
/* The tables have room for them; again after the parameters have changed. */
void sccp_limit(struct calls *c);
void sccp_done(struct calls *c);

/* A phone without connections; its name and streams are to come. NULL: there
 * are too many, or no memory. */
struct sccp_phone *sccp_phone_kept(struct calls *c);

/* --- sccp_rule.c ---------------------------------------------------------- */
/* May m, which came from that side of p, pass by the rules? */
bool sccp_may_pass(struct calls *c, struct sccp_phone *p, enum side from,
		   const struct sccp_msg *m);

/* --- sccp_save.c ---------------------------------------------------------- */
/* Save what p has now, if that is news. */
void sccp_save(struct calls *c, struct sccp_phone *p);
/* Nothing of p is to be kept. */
void sccp_save_done(struct calls *c, struct sccp_phone *p);
/* Make a phone without connections again, with those of its streams by which
 * anything passes. As calls_restore; k is behind version and kind. ERR_NOTFOUND
 * also: there is none of these. */
MUST_CHECK int sccp_restore(struct calls *c, struct coder *k);
/* The phone of this name registered with another worker: what is kept of it
 * ends. */
void sccp_left(struct calls *c, struct slice name);
/* A flow of a kept phone fell silent, is heard again, or is gone: the phone ends
 * when nothing is heard of it any more. */
void sccp_kept_event(struct calls *c, struct sccp_phone *p,
		     const struct event *ev);
/* As calls_media_new. */
void sccp_media_new(struct sccp_phone *p);

/* --- sccp_media.c --------------------------------------------------------- */
/* A message about media; true: dealt with (also where it is not passed on).
 * m is long enough for all that must be replaced. */
bool sccp_media_from_core(struct calls *c, struct sccp_phone *p,
			  const struct sccp_msg *m);
bool sccp_media_from_phone(struct calls *c, struct sccp_phone *p,
			   const struct sccp_msg *m);
/* EVENT_FLOW_* of p. */
void sccp_flow_event(struct calls *c, struct sccp_phone *p,
		     const struct event *ev);
/* Does SRTP come into question for p at all? */
bool sccp_is_secure(const struct sccp_phone *p);
/* End all streams. */
void sccp_media_end(struct calls *c, struct sccp_phone *p);
/* Free all streams, nothing is sent. */
void sccp_media_free(struct calls *c, struct sccp_phone *p);
/* The stream of a node in sccp_phone.streams. */
static inline struct sccp_stream *sccp_stream_at(struct list *l)
{
	return LIST_ENTRY(l, struct sccp_stream, node);
}
/* The suite that is used with p; NONE: none. */
enum suite sccp_suite_of(const struct sccp_phone *p);
/* A fresh key of that suite. */
void sccp_make_key(struct calls *c, const struct sccp_phone *p,
		   struct flow_key *ret);
/* Tell the media process what of s has changed since before, which is wiped. */
void sccp_update(struct calls *c, struct sccp_stream *s, struct flow before[2]);
/* The same for all streams of p, since the security of one is told in the
 * flows of all; then what the phone shows. */
void sccp_update_all(struct calls *c, struct sccp_phone *p);

/* The stream with that party of that kind, or NULL. */
struct sccp_stream *sccp_stream_find(const struct sccp_phone *p, uint32_t party,
				     enum sccp_multicast kind);
/* A stream of that kind with ports and flows, for m. group: what it hears, or
 * NULL. NULL: there are too many. */
struct sccp_stream *sccp_stream_make(struct calls *c, struct sccp_phone *p,
				     const struct sccp_msg *m,
				     enum sccp_multicast kind,
				     const struct addr *group);
/* Have the phone receive s as m says, an OpenReceiveChannel or its video form,
 * under a fresh key. */
void sccp_stream_open(struct calls *c, struct sccp_stream *s,
		      const struct sccp_msg *m);
/* Have the phone send s, as m says, to what m names a. */
void sccp_stream_start(struct calls *c, struct sccp_stream *s,
		       const struct sccp_msg *m, const struct addr *a);
/* End s: its flows, its ports. */
void sccp_stream_end(struct calls *c, struct sccp_stream *s);
/* Does p's policy want SRTP that it cannot have? */
bool sccp_must_refuse(const struct sccp_phone *p);

/* --- sccp_join.c ----------------------------------------------------------- */
/* The phone of s has the key that it was told last: from now on it is used. */
void sccp_switch(struct calls *c, struct sccp_stream *s);
/* It may not have said so for too long: look at all streams of p. Returns when
 * to look again; UINT64_MAX: never. */
uint64_t sccp_switch_due(struct calls *c, struct sccp_phone *p);
/* Is there a Skinny phone's stream of this worker at this inside address? Which
 * suite its phone uses. */
bool sccp_suite_at(const struct calls *c, const struct addr *a,
		   enum suite *ret_suite);
/* Streams that phones which are gone could listen to get new keys. */
void sccp_rekey(struct calls *c, struct sccp_phone *p);
/* What s sent to is not sent to any more. */
void sccp_leave_far(struct calls *c, struct sccp_stream *s);
/* Where the policy follows it: SRTP, or RTP where what s sends to is none of
 * our phones. */
void sccp_follow_far(struct calls *c, struct sccp_stream *s);
/* What the phone of s is to send under, to whom it sends now. */
void sccp_sending_key(struct calls *c, struct sccp_stream *s,
		      struct flow_key *ret);
/* The media process knows the far end (f), or knows it no more (NULL). */
void sccp_set_far(struct calls *c, struct sccp_stream *s,
		  const struct event_flow *f);
/* m, the channel's message of the call manager, as the phone is to see it. */
void sccp_send_open(struct calls *c, struct sccp_stream *s,
		    const struct sccp_msg *m);
/* The same for what makes it send. */
void sccp_send_start(struct calls *c, struct sccp_stream *s,
		     const struct sccp_msg *m);
/* End a channel of the phone of our own accord; id: the message's. */
void sccp_send_end(struct calls *c, struct sccp_stream *s, uint32_t id);
/* Parse a kept message; false: there is none. */
bool sccp_reparse(const uint8_t *ptr, size_t len, struct sccp_msg *ret);

/* The stream of another Skinny phone of this worker at this inside address, or
 * NULL. */
struct sccp_stream *sccp_far_stream(const struct calls *c,
				    const struct sccp_stream *self,
				    const struct addr *a);
/* May the far end at a be a phone of Sallyport? */
bool sccp_is_ours(const struct calls *c, const struct addr *a);

/* --- sccp_barge.c --------------------------------------------------------- */
/* Is m a channel for somebody who barges in, where p's model cannot mix? */
bool sccp_refuses_barge(const struct sccp_phone *p, const struct sccp_msg *m);
/* What s sends to now is known: where that would let a phone without encryption
 * into an encrypted call, nothing passes, that phone hears a busy tone, and the
 * answer is true. */
bool sccp_keep_out(struct calls *c, struct sccp_stream *s);
/* Did somebody barge in over s? */
bool sccp_is_guest(const struct sccp_stream *s);
/* What protects s together with all that its phone mixes into it: the least. */
enum call_security sccp_security_with(const struct calls *c,
				      const struct sccp_stream *s);

/* --- sccp_group.c --------------------------------------------------------- */
/* Start and Stop of multicast media, and the phone's answer. */
void sccp_group_start(struct calls *c, struct sccp_phone *p,
		      const struct sccp_msg *m);
void sccp_group_stop(struct calls *c, struct sccp_phone *p,
		     const struct sccp_msg *m);
void sccp_group_ack(struct calls *c, struct sccp_phone *p,
		    const struct sccp_msg *m);
/* The phone has answered the channel of s, which hears a group, or the relay
 * has no room for it: the call manager's answer. */
void sccp_group_answer(struct calls *c, const struct sccp_stream *s,
		       uint32_t status);
/* Does p hear or send multicast in the clear in the call ref (0: in any)? */
bool sccp_hears_group(const struct sccp_phone *p, uint32_t ref);
/* The call is over, and what was heard in it. */
void sccp_group_call_end(struct sccp_phone *p, uint32_t ref);

/* --- sccp_call.c ---------------------------------------------------------- */
/* CallInfo and CallState of the call manager: noted and passed on. */
void sccp_call_info(struct calls *c, struct sccp_phone *p,
		    const struct sccp_msg *m);
void sccp_call_state(struct calls *c, struct sccp_phone *p,
		     const struct sccp_msg *m);
/* Media have changed: tell the phone where what it shows is not true. */
void sccp_show(struct calls *c, struct sccp_phone *p);
/* What protects p's own part of the call ref (0: of all). */
enum call_security sccp_security_own(const struct sccp_phone *p, uint32_t ref);
/* Is s a stream of the call with this reference? */
bool sccp_stream_is_of(const struct sccp_stream *s, uint32_t ref);
/* End all calls. */
void sccp_calls_end(struct calls *c, struct sccp_phone *p);
/* Fill in what operators see. */
void sccp_call_fill(const struct calls *c, const struct sccp_call *call,
		    struct call_info *ret);
/* Its connections, streams, and what its phone was shown. */
void sccp_call_detail(const struct sccp_call *call, struct call_detail *ret);
/* Something happened in the call ref of p, if that is known: item, whose time is
 * set to now. */
void sccp_note(struct calls *c, struct sccp_phone *p, uint32_t ref,
	       const struct history_item *item);
/* The line on which p has the call ref; 0: not known. */
uint32_t sccp_line_of(const struct sccp_phone *p, uint32_t ref);
/* EVENT_CALL_DROP. */
void sccp_call_drop(struct calls *c, struct sccp_call *call);
