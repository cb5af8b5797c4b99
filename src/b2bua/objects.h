/*
 * Inside of the call machine, for b2bua/ only: the objects of one worker.
 * Everything is reached from struct calls; objects that a transaction may
 * outlive are found again by handle. What can be done with them is in
 * machine.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "b2bua/call.h"
#include "b2bua/detail.h"
#include "base/handle.h"
#include "base/list.h"
#include "base/slice.h"
#include "base/table.h"
#include "base/timerq.h"
#include "base/writer.h"
#include "flow/flow.h"
#include "flow/ports.h"
#include "rewrite/sccp_out.h"
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
	OBJ_CALL,     /* struct call */
	OBJ_RELAY,    /* struct relay */
	OBJ_MID,      /* struct mid */
	OBJ_REG,      /* struct reg_try */
	OBJ_SUB,      /* struct sub (b2bua/sub.h) */
	OBJ_SCCP,     /* struct sccp_phone (b2bua/sccp.h) */
	OBJ_SCCP_CALL /* struct sccp_call */
};

/* What a transaction's user number names: the first member of each kind. */
struct obj {
	enum obj_kind kind;
	struct handle self;
	struct list failed;  /* in calls.failed, see calls.c */
	struct list touched; /* in calls.touched, see save.c */
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
	uint8_t *info; /* header lines for a 2xx, owned; NULL: none */
	size_t info_len;
};

struct sub;
struct trunk;

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
	struct call *call;   /* NULL: of sub */
	struct sub *sub;     /* NULL: of call */
	struct trunk *trunk; /* the peer is this one's; NULL: it is none's */
	enum side side;
	bool is_uac;	   /* we sent the INVITE on it */
	bool is_confirmed; /* a 2xx went over it */
	bool is_gone;	   /* nothing can be expected from it */
	bool is_probe;	   /* an OPTIONS of our own goes over it */
	bool owes_bye;	   /* one was to go to a trunk that was away */
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
	uint8_t *ack; /* our last ACK of a 2xx, to be repeated; owned */
	size_t ack_len;
	uint32_t ack_cseq;
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
	bool has_left;	      /* ... anything, to this INVITE or one before */
	bool is_cancelled;    /* its sender wants it no more */
	bool cancel_sent;
	bool is_answered; /* 2xx passed on, ACK awaited */
	bool has_offer;	  /* the INVITE carried one */
	bool is_offered;  /* it did not, a reliable provisional did */
	bool has_answer;  /* the answer came reliably before the 2xx */
	bool is_settled;  /* media know: that offer is no more pending */
	bool is_unheard;  /* what was agreed early is news to who answered */
	bool is_retry;	  /* second INVITE, without SRTP */
	uint8_t longer;	  /* INVITEs sent again with a longer session */
	uint8_t *raw;	  /* the INVITE for that, owned */
	size_t raw_len;
	uint8_t *cancel; /* finished CANCEL, owned */
	size_t cancel_len;
	char cancel_branch[BRANCH_LEN + 1];
	struct fork *fork[FORKS_MAX]; /* owned, in the order they came */
	uint32_t fork_count;
	struct fork *now;    /* whose dialog the callee's leg holds, or NULL */
	struct fork *heard;  /* who answered last in a provisional, or NULL */
	struct fork *asked;  /* whose offer or answer media wait for, or NULL */
	struct fork *agreed; /* with whom media were settled last, or NULL */
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
	bool is_rolled;	     /* and nobody can begin to hear it under that */
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
	bool is_rolled;	  /* nobody can begin to hear what the phone sends under
			     flow[SIDE_PHONE].in */
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
	char was_codec[24]; /* before the pending offer */
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

/* What happened in a call; the newest overwrite the oldest. */
struct history { /* zeroed: empty */
	struct history_item item[HISTORY_MAX];
	uint32_t total; /* that happened */
};

struct call {
	struct obj obj; /* first */
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
	bool has_subscribed[2]; /* that side has sent SUBSCRIBE in the call */
	char *device;		/* owned; "" = unknown */
	char *from;		/* URI, owned */
	char *to;		/* URI, owned */
	struct call_policy policy;
	enum sig_level sig;
	bool pass_auth;
	bool falls_back;	  /* the phone names X-cisco-srtp-fallback */
	enum call_security shown; /* to the phone, when is_shown */
	bool is_shown;
	uint64_t start_ms;
	uint64_t answer_ms;
	struct history history;
};

/* A non-INVITE request on its way from one side to the other. */
struct relay {
	struct obj obj;	     /* first */
	struct trunk *trunk; /* it is of that one; NULL: of none */
	struct handle call;  /* it is in that call's dialog, or */
	struct handle sub;   /* in that subscription's; none: in no dialog */
	enum side from;
	struct reply reply;
	struct handle client;
	struct sip_out_map back; /* for the response */
	bool pass_auth;
	bool is_initial;   /* begins sub */
	bool is_sub_event; /* SUBSCRIBE or NOTIFY */
	bool is_refer;
	bool is_moved;	    /* another place did not answer it */
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
	struct table_node node;	   /* in calls.lines by AOR and device */
	struct table_node by_user; /* in calls.line_users */
	struct table_node by_id;   /* in calls.line_ids */
	uint8_t *key;		   /* owned: device, AOR */
	uint8_t *user_key;	   /* owned: device, user of the AOR */
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
	bool takes_service; /* Cisco's service-control */
	char *register_id;  /* Call-ID of its REGISTER, owned */
	bool is_active;	    /* the call manager said yes */
	uint64_t accept_ms; /* and when, last; 0 = to a process before us */
	uint64_t expires_ms;
	uint64_t renew_ms; /* by ourselves, inside; 0 = it lasts as long there */
	uint64_t since_ms;
	struct handle place;	 /* in calls.core: where it is registered */
	uint32_t epoch;		 /* of that place, then */
	uint64_t move_ms;	 /* not moved by ourselves before */
	bool is_longer;		 /* inside it lasts longer than for the phone */
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
		char token[TOKEN_LEN + 1]; /* the binding's */
		uint32_t expires_s;	   /* asked for; 0: to be removed */
		bool is_new;
	} item[CONTACTS_MAX];
};

/* Skinny phones of a worker (sccp.h). */
struct sccp_phones {
	struct table eps;   /* struct sccp_end by connection, both sides */
	struct table names; /* those that register, by device name */
	struct timerq timers;
	uint32_t count;	     /* connections */
	uint32_t registered; /* of these */
	uint32_t kept;	     /* besides them, see sccp_save.c */
	struct sccp_counts counts;
	struct sccp_out *out; /* scratch, owned */
};

enum {
	HUNG_UP_MAX = 32, /* late callees that are remembered */
	HUNG_UP_TAG_MAX = 64
};

/* Who was hung up too late: each answer of his is acknowledged, the first one
 * has a BYE. */
struct hung_up {
	struct handle txn; /* of the INVITE */
	char tag[HUNG_UP_TAG_MAX];
	size_t tag_len; /* the tag's; what does not fit is not compared */
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
	struct table line_users; /* lines by device and user */
	struct table line_ids;	 /* lines by our Call-ID */
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
	struct early_counts early;
	struct hung_up hung_up[HUNG_UP_MAX]; /* late.c: the last ones */
	uint32_t hung_up_next;
	uint64_t next_flow;	      /* last flow id given */
	struct sip_out_lookup lookup; /* replaces.c */
	struct list failed;	      /* objs with failed transactions */
	struct trunk **trunk; /* p.trunk_limit, owned; NULL: not known */
	struct table trunks;  /* by name */
	struct timerq trunk_timers;
	/* Call managers and requests to them: core_req.c, core_move.c. */
	struct core core;
	struct core_entry core_entry[CORE_PLACES_MAX]; /* core's */
	struct table core_reqs;
	struct list core_failed;
	struct sccp_phones sccp;
	struct timerq core_asks;  /* challenges that wait for EVENT_AUTH */
	uint64_t core_checked_ms; /* hold-downs that ended are known */
	uint64_t move_at_ms;	  /* next tick of the walk over bindings */
	uint64_t move_retry_ms;	  /* next walk, for those that failed */
	uint32_t move_pos;	  /* where the walk is */
	uint32_t moving;	  /* registrations of our own under way */
	bool move_is_on;
	bool move_again;     /* something changed during the walk */
	struct list touched; /* objects that may have to be saved */
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
