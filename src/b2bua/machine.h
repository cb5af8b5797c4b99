/*
 * Inside of the call machine, for b2bua/ only: the objects of one worker and
 * the helpers its files share. Everything is reached from struct calls;
 * objects that a transaction may outlive are found again by handle.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "b2bua/call.h"
#include "base/handle.h"
#include "base/list.h"
#include "base/slice.h"
#include "base/table.h"
#include "base/timerq.h"
#include "base/writer.h"
#include "flow/flow.h"
#include "flow/ports.h"
#include "rewrite/sip_out.h"
#include "sdp/answer.h"
#include "sdp/sdp.h"
#include "sip/dialog.h"
#include "sip/msg.h"
#include "sip/txn.h"

enum {
	STREAMS_MAX = 4,     /* RTP streams of a call that are relayed */
	CONTACTS_MAX = 8,    /* Contacts in one REGISTER, bindings of a line */
	TAG_LEN = 16,	     /* hex digits of our tags and tokens' halves */
	TOKEN_LEN = 32,	     /* hex digits: 128 bits nobody can guess */
	BRANCH_LEN = 7 + 16, /* cookie and hex digits */
	RING_MS = 300000,    /* longest silence while ringing, timer C */
	FORKS_MAX = 8,	     /* early dialogs of one INVITE */
	REFERS_MAX = 8,	     /* REFERs of a dialog that are still notified */
	JOIN_PEACE_MS = 500, /* before an offer of ours about keys */
	JOIN_OFFERS_MAX = 3, /* of these in a call with a far phone's key */
	RETRY_AFTER_S = 5    /* when we are full */
};

/* What a call waits for in time: one deadline each (deadline.c). */
enum call_deadline {
	DEADLINE_RING,	/* the final response to the exchange's INVITE */
	DEADLINE_REL,	/* a reliable provisional is sent again */
	DEADLINE_RENEW, /* a re-INVITE of our own may be tried */
	DEADLINE_SESSION_PHONE, /* a leg's session is refreshed, or over */
	DEADLINE_SESSION_CORE,
	DEADLINE_COUNT
};

enum obj_kind {
	OBJ_CALL,  /* struct call */
	OBJ_RELAY, /* struct relay */
	OBJ_MID,   /* struct mid */
	OBJ_REG,   /* struct reg_try */
	OBJ_SUB	   /* struct sub (b2bua/sub.h) */
};

/* What a transaction's user number names: the first member of each kind. */
struct obj {
	enum obj_kind kind;
	struct handle self;
	struct list failed; /* in calls.failed, see calls.c */
	bool client_failed;
	bool server_failed;
	enum sip_txn_fail why;
};

/* A request of a peer that we shall answer later: its server transaction
 * and the lines every response begins with. */
struct reply {
	struct handle txn;
	struct dest dest; /* the response goes there; for Contact */
	uint8_t *head;	  /* owned */
	size_t head_len;
};

struct sub;

/* REFERs whose NOTIFYs are not done (RFC 3515), oldest first: their CSeq
 * numbers on each side. */
struct refers {
	struct refer_ids {
		enum side from;
		uint32_t cseq[2];
	} item[REFERS_MAX];
	uint32_t count;
};

/* Session timer of one leg (RFC 4028, session.c). */
struct session {
	uint32_t interval_s; /* agreed; 0 = none */
	uint32_t min_s;	     /* the longest Min-SE of a 422; 0 = none */
	bool is_ours;	     /* we refresh it */
	uint64_t start_ms;   /* when it was refreshed last */
};

/* What a request says about session timers. */
struct session_ask {
	uint32_t interval_s; /* Session-Expires; 0 = none */
	uint32_t min_s;	     /* Min-SE; 0 = none */
	bool is_supported;
	bool names_uac; /* as refresher: its sender */
	bool names_uas;
};

/* One dialog of a call or of a subscription. */
struct leg {
	struct table_node node;	 /* in calls.dialogs by call-id and our tag */
	uint8_t *key;		 /* owned; NULL: not in the table */
	struct table_node by_ep; /* phone leg: in calls.leg_eps */
	uint8_t ep_key[8];
	bool has_ep;
	struct call *call; /* NULL: of sub */
	struct sub *sub;   /* NULL: of call */
	enum side side;
	bool is_uac;	   /* we sent the INVITE on it */
	bool is_confirmed; /* a 2xx went over it */
	bool is_gone;	   /* nothing can be expected from it */
	bool is_probe;	   /* an OPTIONS of our own goes over it */
	struct sip_dialog dialog;
	struct dest dest; /* requests on this leg go there */
	char tag[TAG_LEN + 1];
	char contact_user[TOKEN_LEN + 1];
	uint64_t sdp_id; /* of our o= line */
	uint64_t sdp_version;
	uint8_t *sdp; /* last body sent, owned; NULL = none */
	size_t sdp_len;
	bool allows_update;   /* the peer names UPDATE in Allow */
	struct handle update; /* an UPDATE of the peer's under way: its mid */
	struct session session;
	bool wants_renew; /* a re-INVITE of ours is to go over it */
	/* What the peer last said about media, raw and owned: in the offer and
	 * answer that count, and in those that are not complete. NULL: not
	 * known. */
	uint8_t *said;
	size_t said_len;
	uint8_t *saying;
	size_t saying_len;
};

/* One early dialog of the exchange's INVITE (RFC 3261 section 13.2.2.4): a
 * callee, where a proxy inside asked several. */
struct fork {
	char *tag;		  /* the callee's, owned; "" = it gave none */
	struct sip_dialog dialog; /* empty while it is the leg's */
	uint8_t *answer;	  /* its SDP answer from a 18x, owned */
	size_t answer_len;
	bool is_final; /* that 18x was reliable: the answer is the answer */
	bool is_over;  /* it lost: its 2xx was acknowledged and ended */
	uint32_t rseq; /* its last reliable provisional; 0 = none */
};

/* Reliable provisionals of the exchange (RFC 3262, prack.c). */
struct rel {
	bool is_supported; /* the INVITE's sender lists 100rel */
	bool is_required;  /* it takes no other provisionals */
	bool is_asked;	   /* the callee was told that we take them */
	bool is_pending;   /* one was sent: PRACK is awaited */
	bool has_sdp;	   /* ... it has a session description */
	bool is_offer;	   /* ... that is an offer: PRACK answers it */
	uint32_t rseq;	   /* its number, our last; 0 = none yet */
	uint32_t rseq_in;  /* the callee's number, who awaits it too; 0 = no */
	struct fork *fork; /* who sent it, or NULL */
	uint8_t *bytes;	   /* to be sent again, owned; NULL = no more */
	size_t len;
	uint32_t interval_ms; /* between the last two sendings */
	uint64_t end_ms;      /* when its sender is given up */
	uint8_t *held; /* a response that must wait for the PRACK; owned */
	size_t held_len;
};

/* What an INVITE of ours is sent for. */
enum exch_kind {
	EXCH_INVITE, /* the sender's INVITE */
	EXCH_UPDATE, /* its UPDATE, to a peer that takes none */
	EXCH_OWN     /* nobody's: to repeat what the sender said before */
};

/* The INVITE transaction pair that is going on in a call; for those that are
 * not EXCH_INVITE only the one that we send is. */
struct exch {
	enum exch_kind kind;
	bool is_on;
	bool is_initial;
	enum side from; /* who sent the INVITE, or on whose behalf it is */
	struct reply reply;
	struct session_ask ask; /* of the request that reply answers */
	struct handle client;
	uint32_t cseq_in;
	uint32_t cseq_out;
	bool has_provisional; /* the other side has answered 1xx */
	bool is_cancelled;    /* its sender wants it no more */
	bool cancel_sent;
	bool is_answered; /* 2xx passed on, ACK awaited */
	bool has_offer;	  /* the INVITE carried one */
	bool is_offered;  /* it did not, a reliable provisional did */
	bool has_answer;  /* the answer came reliably before the 2xx */
	bool is_settled;  /* media know: that offer is no more pending */
	bool is_retry;	  /* second INVITE, without SRTP */
	uint8_t longer;	  /* INVITEs sent again with a longer session */
	uint8_t *raw;	  /* the INVITE for that, owned */
	size_t raw_len;
	uint8_t *cancel; /* finished CANCEL, owned */
	size_t cancel_len;
	char cancel_branch[BRANCH_LEN + 1];
	uint8_t *ack; /* our ACK of the 2xx, to be repeated; owned */
	size_t ack_len;
	struct fork *fork[FORKS_MAX]; /* owned, in the order they came */
	uint32_t fork_count;
	struct fork *now;   /* whose dialog the callee's leg holds, or NULL */
	struct fork *heard; /* who answered last in a provisional, or NULL */
	struct rel rel;
};

/* What a side last said about a stream. */
struct party {
	struct addr rtp;  /* family NONE: nowhere */
	struct addr rtcp; /* family NONE: next to rtp */
	bool is_on;	  /* port is not 0 */
	bool sends;
	bool wants;
	bool is_muxed; /* RTCP on the RTP port */
};

/* What the media process says of the far end of a stream. */
struct far {
	bool is_joined;	     /* it is another stream of ours */
	uint8_t security;    /* enum call_security of its phone */
	struct flow_key key; /* its phone sends under; NONE: plain, unknown */
};

/* One relayed stream: two flows, indexed by the side they come from. */
struct stream {
	bool is_used;	/* this place belongs to an m= line */
	bool has_flows; /* ports are taken, FLOW_ADD was emitted */
	bool is_new;	/* since the pending offer: undone when it fails */
	bool is_audio;
	bool is_raw;	 /* not RTP: datagrams as they are (fax by T.38) */
	bool was_audio;	 /* before the pending offer */
	bool offers_mux; /* our pending offer has a=rtcp-mux */
	enum sdp_proto phone_proto; /* agreed with the phone */
	bool is_offered;	    /* part of the pending offer */
	bool is_agreed;		    /* active after the last answer */
	bool is_srtp;		    /* agreed, on the phone's side */
	bool is_told;	  /* the phone has our answer to its pending offer */
	bool is_borrowed; /* decided.own is the far phone's key */
	bool is_idle[2];  /* the relay says so, by side */
	uint16_t port[2];
	struct flow flow[2];
	struct far far;
	struct party next[2];
	struct answer decided;	    /* ours to the phone's pending offer */
	struct answer_offer theirs; /* what the phone's pending offer has */
	struct answer_offer offer;  /* ours to the phone, pending */
	uint32_t offer_borrowed;    /* bit per line: its key is the far
				       phone's */
	char codec[24];
};

/* The media of a call. */
struct media {
	struct stream stream[STREAMS_MAX];
	uint8_t line[SDP_MEDIA_MAX]; /* m= line to stream plus one; 0: none */
	enum sdp_proto proto[SDP_MEDIA_MAX]; /* of the pending offer's lines */
	/* The phone's lines twin_at and following, unknown inside: RTP/AVP
	 * twins of the lines twin_of (twin.c). */
	uint8_t twin_at;
	uint8_t twin_count;
	uint8_t twin_of[SDP_MEDIA_MAX];
	bool is_pending; /* an offer waits for its answer */
	bool no_srtp;	 /* the phone refused it: offer plain RTP */
	enum side offerer;
	uint8_t *offer; /* our pending offer as sent, owned */
	size_t offer_len;
	bool is_agreed; /* some offer was answered */
};

enum call_state {
	CALL_TRYING,	/* INVITE passed on, no final answer */
	CALL_UP,	/* answered */
	CALL_CANCELLING /* over for the caller; the callee's end is awaited */
};

struct call {
	struct obj obj;	     /* first */
	struct list touched; /* in calls.touched, see save.c */
	bool is_saved;
	uint64_t saved_hash;	     /* of the bytes that were saved */
	struct table_node by_device; /* in calls.devices */
	bool has_device;
	struct timerq_node timer; /* always set: the first of deadline_ms */
	uint64_t deadline_ms[DEADLINE_COUNT]; /* deadlines; UINT64_MAX = none */
	enum call_state state;
	enum side caller;
	struct leg leg[2]; /* by enum side */
	struct exch ex;
	struct media media;
	uint32_t join_offers; /* of ours, see join_review */
	struct refers refers;
	char *device; /* owned; "" = unknown */
	char *from;   /* URI, owned */
	char *to;     /* URI, owned */
	struct call_policy policy;
	enum sig_level sig;
	bool pass_auth;
	bool falls_back;	  /* the phone names X-cisco-srtp-fallback */
	enum call_security shown; /* to the phone, when is_shown */
	bool is_shown;
	uint64_t start_ms;
	uint64_t answer_ms;
};

/* A non-INVITE request on its way from one side to the other. */
struct relay {
	struct obj obj;	    /* first */
	struct handle call; /* it is in that call's dialog, or */
	struct handle sub;  /* in that subscription's; none: in no dialog */
	enum side from;
	struct reply reply;
	struct handle client;
	struct sip_out_map back; /* for the response */
	bool pass_auth;
	bool is_initial;   /* begins sub */
	bool is_sub_event; /* SUBSCRIBE or NOTIFY */
	bool is_refer;
	uint32_t expires_s; /* a SUBSCRIBE asked for */
	uint32_t cseq_in;
	char contact[TOKEN_LEN + 1]; /* ours, for a 2xx; empty: none */
	struct dest dest;	     /* where it went */
};

/* An UPDATE or PRACK on its way from one leg to the other, or an UPDATE of our
 * own. */
struct mid {
	struct obj obj; /* first */
	struct handle call;
	bool is_own;	/* ours: there is nobody to reply to */
	enum side from; /* it goes to the other one */
	struct reply reply;
	struct session_ask ask; /* of the request that reply answers */
	struct handle client;
	bool has_offer; /* its 2xx has the answer */
};

/* A line of a device: what its REGISTERs inside have in common. */
struct line {
	struct table_node node; /* in calls.lines by AOR and device */
	uint8_t *key;		/* owned */
	struct list bindings;
	char *aor; /* "user@domain", owned; so are the others */
	char *device;
	char *to; /* To value without tag, as the call manager knows it */
	char *ruri;
	char *headers;	  /* of the last REGISTER, for ours; may be NULL */
	struct dest core; /* the call manager these are written for */
	char call_id[TOKEN_LEN + 1];
	char tag[TAG_LEN + 1];
	uint32_t cseq;
	uint32_t try_count; /* reg_try objects that name this line */
};

/* One Contact of a line. */
struct binding {
	struct handle self; /* in calls.bindings */
	struct list node;   /* in line.bindings */
	struct line *line;
	struct table_node by_token;
	struct table_node by_ep;
	uint8_t ep_key[8];
	struct timerq_node timer;
	char token[TOKEN_LEN + 1];
	char *contact;	/* the phone's URI, owned */
	char *params;	/* other Contact parameters, owned */
	char *instance; /* +sip.instance, owned; "" = none */
	struct dest dest;
	enum sig_level sig;
	struct call_policy policy;
	bool pass_auth;
	bool falls_back;
	bool is_active; /* the call manager said yes */
	uint64_t expires_ms;
	uint64_t since_ms;
	struct handle place; /* in calls.core: where it is registered */
	uint32_t epoch;	     /* of that place, then */
	uint64_t move_ms;    /* not moved by ourselves before */
	bool is_longer;	     /* inside it lasts longer than for the phone */
	uint64_t saved_until_ms; /* 0 = was not saved, see save.c */
	uint64_t saved_hash;
};

/* A REGISTER on its way to the call manager. */
struct reg_try {
	struct obj obj; /* first */
	struct line *line;
	struct reply reply;
	struct handle client;
	struct dest dest;
	bool pass_auth;
	bool is_own; /* nobody asked us: there is no reply */
	struct sip_out_map back;
	uint32_t count;
	struct {
		struct handle binding;
		uint32_t expires_s; /* asked for; 0: to be removed */
		bool is_new;
	} item[CONTACTS_MAX];
};

struct calls {
	struct calls_params p;
	char *server_name; /* owned */
	struct sip_txns *txns;
	struct slots objs;     /* struct obj by transaction user and cookie */
	struct slots bindings; /* struct binding */
	struct table dialogs;
	struct table leg_eps;
	struct table devices;
	struct table lines;
	struct table tokens;
	struct table binding_eps;
	struct table sub_devices;
	struct timerq sub_timers;
	struct timerq call_timers;
	struct timerq binding_timers;
	struct ports *ports[2]; /* by side */
	uint64_t *port_owner;	/* inside pair to cookie, 0 = nobody */
	uint32_t call_count;
	uint32_t sub_count;
	uint64_t sub_refused; /* subscriptions and REFERs, by a limit */
	uint64_t next_flow;   /* last flow id given */
	struct sip_out_lookup lookup; /* replaces.c */
	struct list failed;   /* objs with failed transactions */
	/* Call managers and requests to them: core_req.c, core_move.c. */
	struct core core;
	struct table core_reqs;
	struct list core_failed;
	uint64_t core_checked_ms; /* hold-downs that ended are known */
	uint64_t move_at_ms;	  /* next tick of the walk over bindings */
	uint64_t move_retry_ms;	  /* next walk, for those that failed */
	uint32_t move_pos;	  /* where the walk is */
	uint32_t moving;	  /* registrations of our own under way */
	bool move_is_on;
	bool move_again; /* something changed during the walk */
	struct list touched;  /* calls that may have to be saved */
	/* During a step only: */
	uint64_t now_ms;
	struct actions *out;
	uint64_t cookie;	  /* the call on whose behalf bytes are sent */
	int err;		  /* sticky: actions were lost */
	struct handle from_place; /* of the response being dealt with */
	uint32_t from_epoch;
	/* Scratch, never kept across steps: */
	uint8_t msg_buf[SIP_MSG_MAX + 8192]; /* ours may be longer */
	uint8_t body_buf[SDP_PRINT_MAX];
	struct sip_msg msg;
	struct sip_msg core_msg; /* core_req.c's */
	struct sdp sdp;
	struct sdp sdp_offer;
	struct sdp_edit edit;
};

/* --- calls.c: shared by all -------------------------------------------- */
/* Append an action of the current step. */
void calls_emit(struct calls *c, const struct action *a);
/* Write len hex digits and a NUL of fresh randomness to ret. */
void calls_hex(struct calls *c, char *ret, size_t len);
/* Write a fresh branch with its cookie. */
void calls_branch(struct calls *c, char ret[BRANCH_LEN + 1]);
/* Give o a handle. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int obj_init(struct calls *c, struct obj *o, enum obj_kind kind);
/* Take o out of everything that obj_init and transactions put it in. */
void obj_done(struct calls *c, struct obj *o);
/* The object of a user number or cookie, or NULL. */
struct obj *obj_find(const struct calls *c, uint64_t user);
/* The call of a cookie, or NULL. */
struct call *call_find(const struct calls *c, uint64_t cookie);
/* Key bytes of an endpoint for the tables by endpoint. */
void calls_ep_key(struct handle ep, uint8_t ret[8]);
/* The client or server transaction of an object has failed: it hears of it
 * at the end of the step. */
void obj_mark_failed(struct calls *c, struct handle txn, uint64_t user,
		     enum sip_txn_fail why);
/* Wipe and free a text that may hold keys; p may be NULL. Returns NULL. */
void *calls_wipe(void *p, size_t len);
/* What we call ourselves; may be empty. */
struct slice calls_agent(const struct calls *c);

/* Hold the tables to the limits of c->p. */
void calls_limit(struct calls *c);

/* --- update.c ------------------------------------------------------------ */
/* EVENT_BINDING. */
void binding_update(struct calls *c, const struct event_binding *ev);

/* --- record.c ----------------------------------------------------------- */
/* What happened to a call; reason may be NULL. */
void record_call(struct calls *c, enum record_kind kind,
		 const struct call *call, const char *reason);
/* A refused request: who, what and why. */
void record_refused(struct calls *c, const struct event_sip *ev,
		    const char *reason);
/* A call manager went up or down. */
void record_core(struct calls *c, const struct core_entry *e, const char *why);
/* A binding was made, refreshed or ended (reason). */
void record_binding(struct calls *c, enum record_kind kind,
		    const struct binding *b, const char *reason);

/* --- leg_sip.c: requests and responses ---------------------------------- */
/* Answer a request at once and for good. extra: header lines or "". */
void sip_answer(struct calls *c, const struct event_sip *ev, unsigned status,
		const char *reason, const char *extra);
/* The same with a record of the refusal. */
void sip_refuse(struct calls *c, const struct event_sip *ev, unsigned status,
		const char *why, const char *extra);
/* Answer 500 and ask for another try within ten seconds: the same side has
 * another request under way (RFC 3261 section 14.2, RFC 3311 section 5.2). */
void answer_later(struct calls *c, const struct event_sip *ev);
/* Open the server transaction of a request that is answered later. to_tag:
 * ours. ERR_LIMIT, ERR_NOMEM, ERR_EXISTS. */
MUST_CHECK int reply_open(struct calls *c, const struct event_sip *ev,
			  uint64_t user, struct slice to_tag,
			  struct reply *ret);
/* Send r's response and keep a copy of it in *ret (owned by the caller). As
 * reply_send; ERR_NOMEM also when there is no copy, and nothing was sent. */
MUST_CHECK int reply_send_kept(struct calls *c, struct reply *r,
			       struct sip_out_response *m, uint8_t **ret,
			       size_t *ret_len);
/* Send r's response; dest and head are filled in. On ERR_NOMEM a final
 * response is lost for good; ERR_NOTFOUND, ERR_STATE: nobody waits for it. */
int reply_send(struct calls *c, struct reply *r, struct sip_out_response *m);
/* The short form: status, static text and header lines ("" = none). */
void reply_status(struct calls *c, struct reply *r, unsigned status,
		  const char *reason, const char *extra);
/* Send another final response in place of one that may never have left, once
 * and without a transaction. */
void reply_override(struct calls *c, struct reply *r, unsigned status);
/* Forget r. */
void reply_done(struct reply *r);
/* What stands for addresses of from's side on to's side. */
struct sip_out_map leg_map(const struct dest *from, const struct dest *to,
			   bool to_phone);
/* Rules for passing m from one leg of call to the other. */
struct sip_out_rules leg_rules(const struct calls *c, const struct call *call,
			       enum side from, bool has_body);
/* Learn from the peer's Allow, if m has one. */
void leg_allow(struct leg *leg, const struct sip_msg *m);
/* Link leg under its Call-ID and tag. ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK int leg_link(struct calls *c, struct leg *leg);
/* (Re)link a phone's leg under its connection. */
MUST_CHECK int leg_set_dest(struct calls *c, struct leg *leg,
			    const struct dest *dest);
/* A leg towards a call manager goes to another one. ERR_NOMEM. */
MUST_CHECK int leg_move(struct leg *leg, const struct dest *was,
			const struct dest *now);
/* Unlink and empty. */
void leg_done(struct calls *c, struct leg *leg);
/* The leg an in-dialog request belongs to, or NULL. Of several early dialogs
 * the leg goes over to the one the request speaks in. */
struct leg *leg_find(struct calls *c, const struct sip_msg *m);
/* The first node in calls.dialogs with this Call-ID and tag of ours, or
 * NULL. */
struct table_node *leg_find_first(struct calls *c, struct slice call_id,
				  struct slice tag);
/* A leg with m's Call-ID and m's To tag as ours, whoever its peer is. */
struct leg *leg_find_ours(struct calls *c, const struct sip_msg *m);
/* Does this message come from where leg's peer is? A call manager is
 * believed by its side; a phone by its connection, or, where a new one was
 * made, by its authenticated name. */
bool leg_is_peer(const struct leg *leg, const struct event_sip *ev);
/* The leg of this Call-ID and tag of ours, or NULL. */
struct leg *leg_by_ids(struct calls *c, struct slice call_id, struct slice tag);
/* Send a request on leg in a client transaction. m: method, src, rules,
 * body, extra, max_forwards are the caller's; the rest is filled in. With
 * user 0 nobody waits for the answer, and a request for which there is no
 * transaction is sent once without. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int leg_request(struct calls *c, struct leg *leg,
			   enum sip_method method,
			   const struct sip_out_request *m, uint64_t user,
			   struct handle *ret_txn);
/* Send BYE on leg; its answer does not matter. reason: value of a Reason
 * header or NULL. */
void leg_bye(struct calls *c, struct leg *leg, const char *reason);
/* Send the ACK of a 2xx with this CSeq on dialog; ret_* (may be NULL) get a
 * copy for repetitions. */
void leg_ack(struct calls *c, struct leg *leg, uint32_t cseq, struct slice body,
	     uint8_t **ret_ack, size_t *ret_len);
/* Print body as the leg's next session description: stamps o=, remembers. */
struct slice leg_sdp(struct calls *c, struct leg *leg, const struct sdp *s);

/* --- core_map.c --------------------------------------------------------- */
/* Hosts to be replaced, the call manager's and ours, with their ports. */
struct core_map {
	struct addr from[2];
	struct addr to[2];
};
struct core_rewrite {
	const struct dest *was;	 /* whom the request was written for */
	const struct dest *dest; /* whom it is for now */
	struct slice branch;
	uint32_t cseq;
	bool drops_auth;    /* without the credentials it carries */
	struct slice extra; /* header lines to add */
};
/* What turns a text made for from into one for to. */
struct core_map core_map_of(const struct dest *from, const struct dest *to);
/* Write v with its hosts replaced. O(bytes). */
void core_map_put(struct writer *w, struct slice v, const struct core_map *map);
/* The same in place of *text (owned; may be NULL). ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK int core_map_text(char **text, const struct core_map *map);
/* Write request m anew. */
void core_rewrite(struct writer *w, const struct sip_msg *m,
		  const struct core_rewrite *r);

/* --- core_req.c --------------------------------------------------------- */
struct core_msg {
	enum sip_method method;
	struct slice branch;
	const struct dest *dest;
	struct slice bytes; /* the finished request */
	uint64_t user;	    /* as sip_txn_client_new's */
	bool is_new;	    /* outside of dialogs: may go to another place */
	bool is_probe;
};
/* Send a request to a call manager in a client transaction that fails or is
 * answered when no place is left to try. Errors as sip_txn_client_new. */
MUST_CHECK int core_send(struct calls *c, const struct core_msg *m,
			 struct handle *ret_txn);
/* A response came in txn. True: dealt with. */
bool core_response(struct calls *c, struct handle txn, const struct sip_msg *m);
/* A transaction failed (inside the table: only noted). True: it was ours. */
bool core_failed(struct calls *c, struct handle txn, enum sip_txn_fail why);
/* Deal with what core_failed noted. */
void core_run_failed(struct calls *c);
/* sip_txn_forget for a client transaction that may be core_send's. */
void core_forget(struct calls *c, struct handle txn);
/* The place that serves binding b (NULL: none yet) of a phone named key. NULL:
 * no place is known at all. */
struct core_entry *core_pick(struct calls *c, const struct binding *b,
			     struct slice key);
/* Where requests go to the call manager that sent something from here. */
struct dest core_reply_dest(struct calls *c, const struct dest *from);
/* EVENT_CORE. */
void core_set(struct calls *c, const struct event_core *ev);
/* Time has passed. */
void core_timer(struct calls *c);
/* Free all. */
void core_reqs_free(struct calls *c);

/* --- core_move.c -------------------------------------------------------- */
/* Set up. */
void core_move_init(struct calls *c);
/* Something changed: look at all bindings. */
void core_move_kick(struct calls *c);
/* Registering b elsewhere failed: again, later. */
void core_move_failed(struct calls *c, struct binding *b);
/* Time has passed. */
void core_move_timer(struct calls *c);

/* --- stream.c ----------------------------------------------------------- */
/* Our media address on a side; its port is 0. */
const struct addr *stream_addr(const struct calls *c, enum side side);
/* The stream of an m= line, or NULL. */
struct stream *stream_of(struct media *m, size_t line);
/* The same; a free place for a new line. NULL when the call has as many
 * streams as we relay. */
struct stream *stream_make(struct media *m, size_t line);
/* Remember the name of the codec. */
void stream_set_codec(struct stream *s, struct slice codec);
/* What a section says about its writer. */
void party_read(struct party *p, const struct sdp_media *m);
/* Ports and flows of a stream that has none yet; FLOW_ADD. ERR_LIMIT,
 * ERR_NOMEM. */
MUST_CHECK int stream_open(struct calls *c, struct call *call,
			   struct stream *s);
/* Both flows as offer and answer have them now; FLOW_UPDATE where they
 * change. */
void stream_update(struct calls *c, struct call *call, struct stream *s);
/* Forget what is pending, wipe its keys. */
void stream_wipe(struct stream *s);
/* End it: FLOW_DEL, ports back. */
void stream_close(struct calls *c, struct stream *s);

/* --- twin.c ------------------------------------------------------------- */
/* The offer s is the first one to a phone that gets two lines for each audio
 * stream that is offered as SRTP: decide which have a twin. */
void twin_make(struct media *m, const struct sdp *s);
/* Take the twins out of what the phone says; where it rejects the line and
 * not its twin, the twin stands for it. ERR_BAD: lines are missing. */
MUST_CHECK int twin_take(const struct media *m, struct sdp *s);
/* Put the twins into what the phone is told. is_first: both are offered; else
 * only the one in use. ERR_LIMIT: too many lines. */
MUST_CHECK int twin_put(const struct media *m, struct sdp *s,
			struct sdp_edit *e, bool is_first);
/* The phone's offer s has the same media twice, as RTP/SAVP and as RTP/AVP:
 * is it this line that p makes us reject? */
bool twin_is_spare(const struct sdp *s, size_t line,
		   const struct answer_policy *p);

/* --- media.c ------------------------------------------------------------ */
struct media_refusal {
	unsigned status;
	const char *why; /* static text for Warning and record */
};
/* Side from makes an offer. Writes what the other side is offered to
 * *ret_body (scratch, valid until the next media_ call). Takes ports and
 * emits FLOW_ADD. False: refused, *ret_no says how; nothing has changed. */
bool media_offer(struct calls *c, struct call *call, enum side from,
		 struct slice body, struct slice *ret_body,
		 struct media_refusal *ret_no);
/* Side from answers the pending offer; flows are updated; *ret_body is the
 * answer for the other side. False: refused; the offer stays pending. */
bool media_answer(struct calls *c, struct call *call, enum side from,
		  struct slice body, struct slice *ret_body,
		  struct media_refusal *ret_no);
/* The pending offer is complete. */
void media_settle(struct calls *c, struct call *call);
/* The pending offer came to nothing: undo what is new. */
void media_abort(struct calls *c, struct call *call);
/* End all flows, give the ports back, wipe the keys. */
void media_done(struct calls *c, struct call *call);

/* --- join.c ------------------------------------------------------------- */
/* The call in whose inside address this call's far end is, or NULL. */
struct call *join_call(const struct calls *c, const struct call *call);
/*
 * Before s's offer goes to its phone, as the call manager's offer at far (an
 * address) led to it: where far is a stream of another phone of ours, the
 * lines get that phone's keys, as far as it has them for the suite, and come
 * first.
 */
void join_offer(struct calls *c, const struct call *call, struct stream *s,
		const struct addr *far);
/* Before the phone of s gets the answer to its offer, which the call manager
 * has answered: where the far end is another phone of ours, s->decided gets
 * that phone's key under a suite both have; else a key of our own. */
void join_answer(struct calls *c, const struct call *call, struct stream *s);
/* After media changed here or at the far end: where the phone hears its far
 * end under a key that is no longer right, or could hear it under its own, it
 * gets a re-INVITE of ours, in a while. */
void join_review(struct calls *c, struct call *call);
/* True when what both sides say passes without being opened. */
bool join_is_end_to_end(const struct calls *c, const struct call *call);
/* The media process says something about a flow of call. */
void flow_event(struct calls *c, struct call *call, const struct event *ev);

/* --- security.c --------------------------------------------------------- */
/* State of the phone's own leg. */
enum call_security security_own(const struct call *call);
/* State of the call as a whole, from what is agreed or offered by now. */
enum call_security security_state(const struct calls *c,
				  const struct call *call);
/* The state, remembered as shown to the phone, as Call-Info has it. */
const char *security_show(struct calls *c, struct call *call);
/* The same as a header line. */
void security_line(struct calls *c, struct call *call, struct writer *w);
/* After media changed: tell phones whose shown state is wrong by now. */
void security_update(struct calls *c, struct call *call);

/* --- invite.c, answer.c, end.c ------------------------------------------ */
/* A request outside dialogs that begins a call. */
void invite_begin(struct calls *c, const struct event_sip *ev);
/* An INVITE inside a dialog. */
void invite_again(struct calls *c, struct leg *leg, const struct event_sip *ev);
/* Send the exchange's INVITE to the other leg: m has what is special. It can
 * be cancelled from here on. */
MUST_CHECK int exch_send(struct calls *c, struct call *call,
			 struct sip_out_request *m);
/* The exchange came to nothing; what was agreed on the way, reliably, stays
 * (RFC 6141 section 3.4). */
void exch_abort(struct calls *c, struct call *call);
/* Send the exchange's INVITE with the headers of m to the other leg. */
MUST_CHECK int invite_forward(struct calls *c, struct call *call,
			      const struct sip_msg *m, struct slice body);
/* A response to the exchange's INVITE. */
void invite_response(struct calls *c, struct call *call,
		     const struct sip_msg *m);
/* The ACK of a 2xx of the exchange. */
void invite_ack(struct calls *c, struct leg *leg, const struct sip_msg *m);
/* CANCEL from the sender of the exchange's INVITE. */
void invite_cancel(struct calls *c, struct call *call);
/* Stop the exchange's INVITE on the other side: CANCEL, now or after its
 * first provisional (RFC 3261 section 9.1). False: memory is out and its
 * final response must not be waited for. */
bool invite_cancel_out(struct calls *c, struct call *call);
/* Nobody gave the exchange's INVITE a final response for too long: a new call
 * is over, an old one goes on as it was. */
void invite_unanswered(struct calls *c, struct call *call);
/* The exchange's INVITE was sent again, under another branch and number, to
 * where its leg goes by now. ERR_NOMEM: it cannot be cancelled. */
MUST_CHECK int invite_moved(struct calls *c, struct call *call,
			    struct handle client, struct slice branch);
/* A transaction of the exchange failed. */
void invite_failed(struct calls *c, struct call *call, bool is_client,
		   enum sip_txn_fail why);
/* Refuse the exchange's INVITE (server side) and end what it began. */
void invite_refuse(struct calls *c, struct call *call, unsigned status,
		   const char *reason, const char *extra);
/* The same because of media. */
void invite_refuse_media(struct calls *c, struct call *call,
			 const struct media_refusal *no);
/* Empty the exchange. */
void exch_done(struct exch *ex);

/* New empty call, linked nowhere but in objs; NULL when memory or limit is
 * out. */
struct call *call_alloc(struct calls *c);
/* The same, begun by caller with ev. */
struct call *call_new(struct calls *c, const struct event_sip *ev,
		      enum side caller);
/* End media, unlink, free. Nothing is sent but FLOW_DEL; the end is
 * recorded with reason (NULL: not recorded). */
void call_free(struct calls *c, struct call *call, const char *reason);
/* End the call towards both sides, whatever its state, and free it.
 * status: for an INVITE that is still unanswered. spare: the leg that needs
 * no BYE (it is gone, or sent BYE itself), or NULL. */
void call_end(struct calls *c, struct call *call, const struct leg *spare,
	      unsigned status, const char *reason);
/* BYE from a peer. */
void call_bye(struct calls *c, struct leg *leg, const struct event_sip *ev);
/* Media is gone: a flow failed, or all fell silent. */
void call_media_lost(struct calls *c, struct call *call, uint64_t flow,
		     bool is_idle);

/* A status of the other side as the sender (from) can use it: challenges of
 * the wrong side are none of its business. */
unsigned exch_status(const struct call *call, enum side from, unsigned status);

/* --- offer.c ------------------------------------------------------------ */
/* True when the body is a session description. */
bool msg_has_sdp(const struct sip_msg *m);
/* May the peer of leg make an offer now? 0: yes; 491: one of ours to it is
 * not answered; 500: one of its own is not. */
unsigned offer_busy(const struct leg *leg);
/* media_offer, media_answer, media_settle and media_abort, remembering what
 * each side said. */
bool offer_make(struct calls *c, struct call *call, enum side from,
		struct slice body, struct slice *ret_body,
		struct media_refusal *ret_no);
bool offer_answer(struct calls *c, struct call *call, enum side from,
		  struct slice body, struct slice *ret_body,
		  struct media_refusal *ret_no);
void offer_settle(struct calls *c, struct call *call);
void offer_abort(struct calls *c, struct call *call);
/* Header lines that go with the refusal of an offer: Warning (RFC 3261
 * section 20.43) for 488, Retry-After for others. NUL-terminated in ret of
 * cap bytes. */
void offer_warning(const struct reply *r, const struct media_refusal *no,
		   char *ret, size_t cap);

/* --- prack.c ------------------------------------------------------------ */
/* How a provisional of the callee goes on to the INVITE's sender. */
enum rel_way {
	REL_DROP,    /* not at all: repeated, or its turn has not come */
	REL_HOLD,    /* when the one before it is acknowledged */
	REL_PLAIN,   /* unreliably */
	REL_RELIABLE /* with a number of ours */
};
/* What the INVITE's sender can do. */
void rel_begin(struct rel *rel, const struct sip_msg *invite);
/* Forget what is kept. */
void rel_done(struct rel *rel);
/* Judge m, a provisional of f. *ret_rseq: its number, 0 = it is unreliable;
 * not written for REL_DROP. */
enum rel_way rel_judge(const struct exch *ex, const struct fork *f,
		       const struct sip_msg *m, uint32_t *ret_rseq);
/* Keep m until the PRACK comes; it replaces what was kept. */
void rel_hold(struct calls *c, struct rel *rel, const struct sip_msg *m);
/* Print Require and the next RSeq. */
void rel_print(struct calls *c, struct writer *w, struct rel *rel);
/* rel.bytes were sent: repeat them until PRACK comes. */
void rel_sent(struct calls *c, struct call *call);
/* Repeat them no more. */
void rel_stop(struct calls *c, struct call *call);
/* They are due again, or have been for too long. */
void rel_again(struct calls *c, struct call *call);
/* Process what was kept, if anything; may end the call. */
void rel_release(struct calls *c, struct call *call);
/* Acknowledge the callee's provisional ourselves. */
void rel_ack(struct calls *c, struct call *call, uint32_t rseq);
/* Print RAck for the callee's provisional. */
void rel_print_rack(struct writer *w, const struct exch *ex, uint32_t rseq);
/* PRACK from the peer of leg. */
void prack_request(struct calls *c, struct leg *leg,
		   const struct event_sip *ev);

/* --- session.c ---------------------------------------------------------- */
/* What m says about session timers. */
void session_read(struct session_ask *ask, const struct sip_msg *m);
/* True when a request asks for too short a session: answered 422. */
bool session_refuse(struct calls *c, const struct event_sip *ev);
/* Our 2xx goes to the peer of leg: print what is granted, and begin. */
void session_grant(struct calls *c, struct leg *leg,
		   const struct session_ask *ask, struct writer *w);
/* Print what an INVITE or UPDATE of ours asks for. */
void session_ask_for(const struct calls *c, const struct leg *leg,
		     struct writer *w);
/* m is the 2xx to such a request: begin as it says. */
void session_learn(struct calls *c, struct leg *leg, const struct sip_msg *m);
/* True when m is a 422 and the next request asks for more than this one. */
bool session_longer(const struct calls *c, struct leg *leg,
		    const struct sip_msg *m);
/* A refresh failed: the next one after so long, or the end. Nothing happens
 * where the peer refreshes. */
void session_again(struct calls *c, struct leg *leg, uint64_t wait_ms);
/* The same because of m, the response to an UPDATE; may end the call. */
void session_refused(struct calls *c, struct leg *leg, const struct sip_msg *m);
/* The leg's deadline: refresh, or end the call. */
void session_due(struct calls *c, struct leg *leg);

/* --- renew.c ------------------------------------------------------------ */
/* How long to wait after a 491 to a request of ours on leg. */
uint64_t glare_wait_ms(struct calls *c, const struct leg *leg);
/* Send a re-INVITE of our own on leg, after so long and when nothing else is
 * under way. */
void renew_want(struct calls *c, struct leg *leg, uint64_t wait_ms);
/* Those that are wanted may be tried. */
void renew_due(struct calls *c, struct call *call);
/* One was refused with m, and the call lives. */
void renew_failed(struct calls *c, struct leg *leg, const struct sip_msg *m);
/* An UPDATE with an offer, from the peer of leg, becomes a re-INVITE. */
void renew_update(struct calls *c, struct leg *leg, const struct event_sip *ev);

/* --- mid.c --------------------------------------------------------------- */
/* UPDATE from the peer of leg. */
void update_request(struct calls *c, struct leg *leg,
		    const struct event_sip *ev);
/* Send an UPDATE of our own on leg, without an offer; extra: header lines. It
 * refreshes the session too. */
void update_own(struct calls *c, struct leg *leg, struct slice extra);
/* A PRACK of the exchange that is the callee's too goes on to it. */
void prack_pass(struct calls *c, struct leg *leg, const struct event_sip *ev);
/* Their responses. */
void mid_response(struct calls *c, struct mid *x, const struct sip_msg *m);
/* There was none. */
void mid_failed(struct calls *c, struct mid *x, enum sip_txn_fail why);
/* Forget x. */
void mid_free(struct calls *c, struct mid *x);

/* --- deadline.c ------------------------------------------------------------ */
/* Begin with no deadline. ERR_NOMEM. Nothing fails after this. */
MUST_CHECK int deadline_init(struct calls *c, struct call *call);
/* Set or move a deadline (absolute). */
void deadline_set(struct calls *c, struct call *call, enum call_deadline which,
		  uint64_t at_ms);
/* Take it away. */
void deadline_clear(struct calls *c, struct call *call,
		    enum call_deadline which);
/* The earliest deadline is due: it is taken away and dealt with, which may
 * end the call. */
void deadline_run(struct calls *c, struct call *call);

/* --- fork.c ------------------------------------------------------------- */
/*
 * The early dialog that a response to the exchange's INVITE belongs to; the
 * callee's leg speaks in it from here on, and knows what m says of it. NULL:
 * there are too many, m's headers are unusable, or memory is out.
 */
struct fork *fork_take(struct calls *c, struct call *call,
		       const struct sip_msg *m);
/* The callee's leg goes over to the early dialog with this tag. False: there
 * is none. */
bool fork_switch(struct leg *leg, struct slice tag);
/* A 2xx from somebody who is not the one that won: acknowledge it and end
 * its dialog, or only acknowledge it again. */
void fork_end(struct calls *c, struct call *call, const struct sip_msg *m);
/* Keep what f answered in a provisional (raw). */
void fork_answered(struct exch *ex, struct fork *f, struct slice body);
/* What f (may be NULL) answered so, or whoever did last, since a tag may
 * change without another callee; empty when nobody did. */
struct slice fork_answer(const struct exch *ex, const struct fork *f);
/* Forget all. */
void forks_done(struct exch *ex);

/* --- relay.c ------------------------------------------------------------ */
/* A request inside a dialog that is neither INVITE, ACK, BYE nor CANCEL. */
void relay_in_dialog(struct calls *c, struct leg *leg,
		     const struct event_sip *ev);
/* A request outside dialogs that is passed on statefully. */
void relay_out_of_dialog(struct calls *c, const struct event_sip *ev);
/* True when ev, outside of dialogs, may come from a registered phone only and
 * does not; it is answered then. */
bool relay_refuse_unregistered(struct calls *c, const struct event_sip *ev);
/* Where a request outside dialogs goes. */
struct relay_target {
	struct dest dest;
	struct slice ruri;   /* the phone's Contact; empty: the request's */
	struct slice device; /* of the phone, whichever side it is on */
	struct slice token;  /* of the phone's binding; empty: not registered */
	bool pass_auth;
};
/* The request-URI's phone, or the call manager. False: no such phone. *ret
 * views ev and bindings. */
bool relay_find_target(struct calls *c, const struct event_sip *ev,
		       struct relay_target *ret);
/* Make to's dialog for passing m on outside of dialogs: our ids, identities
 * as they look over there; ruri empty: m's. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int relay_carrier(struct calls *c, struct leg *to,
			     const struct sip_msg *m, struct slice ruri,
			     const struct sip_out_map *map);
/* A relay with its server transaction open. NULL: refused already. */
struct relay *relay_new(struct calls *c, const struct event_sip *ev,
			struct slice to_tag);
/* Send r's request ev on to; event takes the place of its Event (empty: it
 * stays). r->pass_auth is set. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int relay_send(struct calls *c, struct relay *r, struct leg *to,
			  const struct event_sip *ev, struct slice event);
/* Its response. */
void relay_response(struct calls *c, struct relay *r, const struct sip_msg *m);
/* Its request was sent again, there. */
void relay_moved(struct relay *r, struct handle client,
		 const struct dest *dest);
/* Its client transaction failed. */
void relay_failed(struct calls *c, struct relay *r, enum sip_txn_fail why);
/* Forget r. */
void relay_free(struct calls *c, struct relay *r);

/* --- replaces.c --------------------------------------------------------- */
/* Make c->lookup, by which rewrite/ asks for dialogs and Contacts. */
void replaces_init(struct calls *c);
/* True when an INVITE outside of dialogs names one that it cannot replace or
 * join (RFC 3891, RFC 3911); it is answered then. */
bool replaces_refuse(struct calls *c, const struct event_sip *ev);

/* --- reg.c, binding.c --------------------------------------------------- */
/* REGISTER from a phone. */
void reg_request(struct calls *c, const struct event_sip *ev);
/* The call manager's answer. */
void reg_response(struct calls *c, struct reg_try *t, const struct sip_msg *m);
/* Its request was sent again, there, under this number. ERR_NOMEM. */
MUST_CHECK int reg_moved(struct reg_try *t, struct handle client,
			 const struct dest *dest, uint32_t cseq);
/* Register what is active of l at e, without being asked. ERR_NOMEM,
 * ERR_LIMIT. */
MUST_CHECK int reg_move(struct calls *c, struct line *l,
			const struct core_entry *e);
/* There was none. */
void reg_failed(struct calls *c, struct reg_try *t, enum sip_txn_fail why);
/* Forget t. */
void reg_try_free(struct calls *c, struct reg_try *t);
/* A connection is gone: its bindings end, here and inside. */
void binding_conn_down(struct calls *c, struct handle conn);
/* Expiry. */
void binding_timer(struct calls *c, struct binding *b);
/* By token (user part of a request-URI), or NULL. */
struct binding *binding_find(const struct calls *c, struct slice token);
/* A registered binding of this device for this user at dest, or NULL. */
struct binding *binding_of(const struct calls *c, struct slice aor_user,
			   struct slice device, const struct dest *dest);
/* What the phone that sends this has registered, or NULL. */
struct binding *binding_of_caller(const struct calls *c,
				  const struct event_sip *ev);
/* Line by AOR and device; NULL when missing. */
struct line *line_find(const struct calls *c, struct slice aor,
		       struct slice device);
/* The same, made when missing. NULL: memory is out. */
struct line *line_make(struct calls *c, struct slice aor, struct slice device);
/* Free l unless something still needs it. */
void line_drop(struct calls *c, struct line *l);
/* New inactive binding of l. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int binding_new(struct calls *c, struct line *l,
			   const struct event_sip *ev, struct slice uri,
			   struct slice params, struct binding **ret);
/* Take what a REGISTER says about b's Contact and connection. ERR_NOMEM. */
MUST_CHECK int binding_refresh(struct calls *c, struct binding *b,
			       const struct event_sip *ev, struct slice uri,
			       struct slice params);
/* New binding of l with this token and nothing else, linked under neither
 * Contact nor connection. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int binding_alloc(struct calls *c, struct line *l,
			     const char token[TOKEN_LEN + 1],
			     struct binding **ret);
/* (Re)link b under its connection. ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK int binding_set_ep(struct calls *c, struct binding *b,
			      const struct dest *dest);
/* Unlink and free. */
void binding_free(struct calls *c, struct binding *b);
/* Tell the call manager that b is gone (REGISTER with expires 0). */
void reg_remove(struct calls *c, struct line *l, struct binding *const *b,
		uint32_t n);

/* --- save.c --------------------------------------------------------------- */
/* Something happens to call (may be NULL): look at the end of the step
 * whether it must be saved anew. */
void save_touch(struct calls *c, struct call *call);
/* The end of the step: save what was touched and has changed. */
void save_touched(struct calls *c);
/* The call is being freed. */
void save_call_done(struct calls *c, struct call *call);
/* The call manager accepted b. */
void save_binding(struct calls *c, struct binding *b);
/* b is being freed. */
void save_binding_done(struct calls *c, struct binding *b);
/* A new connection of b's phone: calls of its device that have none take it. */
void save_follow(struct calls *c, const struct binding *b);
