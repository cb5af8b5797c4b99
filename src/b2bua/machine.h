/*
 * Inside of the call machine, for b2bua/ only: the helpers its files share,
 * file by file. The objects they work on are in objects.h.
 */
#pragma once

#include "b2bua/machine_core.h"
#include "b2bua/machine_media.h"
#include "b2bua/objects.h"

/* --- calls.c: shared by all -------------------------------------------- */
/* A step begins: actions go to out (untouched so far). */
void calls_begin(struct calls *c, uint64_t now_ms, struct actions *out);
/* It ends: what waited for that is done. ERR_NOMEM: actions were lost. */
int calls_end(struct calls *c);
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
/* Both legs, by side, of a call or a subscription; NULL: o has none. */
struct leg *obj_legs(struct obj *o);
/* The call of a cookie, or NULL. */
struct call *call_find(const struct calls *c, uint64_t cookie);
/* Key bytes of an endpoint for the tables by endpoint. */
void calls_ep_key(struct handle ep, uint8_t ret[8]);
/* Give the response m of txn to the object of this user number. */
void calls_deliver(struct calls *c, struct handle txn, uint64_t user,
		   const struct sip_msg *m);
/* The client or server transaction of an object has failed: it hears of it
 * at the end of the step. */
void obj_mark_failed(struct calls *c, struct handle txn, uint64_t user,
		     enum sip_txn_fail why);
/* Wipe and free a text that may hold keys; p may be NULL. Returns NULL. */
void *calls_wipe(void *p, size_t len);
/* What we call ourselves; may be empty. */
struct slice calls_agent(const struct calls *c);
/* Callback of the transactions: bytes leave. */
void calls_on_send(void *ctx, const struct dest *dest, struct slice bytes);
/* Callback of the transactions: one has failed. */
void calls_on_fail(void *ctx, struct handle txn, uint64_t user,
		   enum sip_txn_fail why);

/* --- life.c -------------------------------------------------------------- */
/* Hold the tables to the limits of c->p. */
void calls_limit(struct calls *c);

/* --- update.c ------------------------------------------------------------ */
/* EVENT_BINDING. */
void binding_update(struct calls *c, const struct event_binding *ev);

/* --- record.c ----------------------------------------------------------- */
/* What happened to a call; reason may be NULL. */
void record_call(struct calls *c, enum record_kind kind, struct call *call,
		 const char *reason);
/* A refused request: who, what and why. */
void record_refused(struct calls *c, const struct event_sip *ev,
		    const char *reason);
/* A call manager went up or down. */
void record_core(struct calls *c, const struct core_entry *e, const char *why);
/* A trunk's peer did. */
void record_trunk(struct calls *c, const struct core_entry *e, const char *why);
/* A binding was made, refreshed or ended (reason). */
void record_binding(struct calls *c, enum record_kind kind,
		    const struct binding *b, const char *reason);

/* --- query.c, detail.c -------------------------------------------------- */
/* What an operator sees of call at first sight. */
void call_fill(const struct calls *c, const struct call *call,
	       struct call_info *ret);
/* Something happened: item, whose time is set to now, into h. */
void history_put(const struct calls *c, struct history *h,
		 const struct history_item *item);
/* Something happened in call. */
void history_add(const struct calls *c, struct call *call,
		 const struct history_item *item);
/* A request or response came. */
void history_message(const struct calls *c, struct call *call, enum side from,
		     const struct sip_msg *m);

struct sccp_msg;
struct sccp_phone;
struct sccp_call;
/* A Skinny phone registered, did not, or is not any more (reason). */
void record_sccp(struct calls *c, enum record_kind kind,
		 const struct sccp_phone *p, const char *reason);
/* A message from or to one, as a rule wants it. */
void record_sccp_message(struct calls *c, const struct sccp_phone *p,
			 enum side from, const struct sccp_msg *m);
/* What happened to a call of one. */
void record_sccp_call(struct calls *c, enum record_kind kind,
		      const struct sccp_call *call);

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
/* The user that leg's phone was proven to be when its dialog began, or empty;
 * the same of a request outside of dialogs. */
struct slice leg_identity(const struct leg *leg);
struct slice leg_identity_new(const struct event_sip *ev);
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
/* The leg that m, a request of ours, was sent on, or NULL. Of several with its
 * Call-ID and tag of ours, as forked subscriptions have, the one whose peer has
 * m's To tag; where none has, any of them. */
struct leg *leg_of_ours(struct calls *c, const struct sip_msg *m);
/* The phone of what was restored has not come back yet: it has no
 * connection, and no request can be sent to it. */
bool leg_is_away(const struct leg *leg);
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
/*
 * Send the ACK of a 2xx with this CSeq on leg, with the credentials that the
 * INVITE had (RFC 3261 section 22.1), as long as its transaction is there. A leg
 * of a call keeps it for repetitions.
 */
void leg_ack(struct calls *c, struct leg *leg, struct handle invite,
	     uint32_t cseq, struct slice body);
/* The 2xx m on leg came again: its ACK was lost. False: none was kept. */
bool leg_ack_again(struct calls *c, const struct leg *leg,
		   const struct sip_msg *m);
/* A 2xx to an INVITE that the call has left behind: with a re-INVITE of later,
 * or with the process before us. It is acknowledged all the same. */
void invite_stray(struct calls *c, struct leg *leg, struct handle invite,
		  const struct sip_msg *m);
/* The leg of a call that sent the INVITE whose 2xx m is, or NULL. */
struct leg *leg_find_answered(struct calls *c, const struct sip_msg *m);
/* Print body as the leg's next session description: stamps o=, remembers. */
struct slice leg_sdp(struct calls *c, struct leg *leg, const struct sdp *s);

/* --- arrive.c ------------------------------------------------------------ */
/* Binding b is new: the other workers are told. */
void arrive_tell(struct calls *c, const struct binding *b);
/* The same for a Skinny phone that has registered, by its device's name. */
void arrive_tell_sccp(struct calls *c, const char *name);
/* EVENT_ARRIVED: what another worker told. */
void arrive_told(struct calls *c, struct slice bytes);

/* --- late.c -------------------------------------------------------------- */
/* m came in a client transaction of which nobody waits for the end. */
void late_response(struct calls *c, struct handle txn, const struct sip_msg *m);

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
/* What was kept until then is old news. */
void rel_drop(struct rel *rel);
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
/* The deadline that a successor has to keep; UINT64_MAX: none. What we refresh
 * and have asked for is refreshed anew, since no answer to that is heard. */
uint64_t session_successor_ms(const struct leg *leg);
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
/* What an UPDATE under way offers cannot be had: it is refused, and forgotten.
 * False: there is none. */
bool mid_give_up(struct calls *c, struct call *call);
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
	struct trunk *trunk; /* whose it is; NULL: a phone's */
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
/* Its request was sent again, there, under this number; leg: in whose dialog,
 * NULL: in none. */
void relay_moved(struct relay *r, struct handle client, const struct dest *dest,
		 struct leg *leg, uint32_t cseq);
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
/* Its request was sent again, there. ERR_NOMEM. */
MUST_CHECK int reg_moved(struct reg_try *t, struct handle client,
			 const struct dest *dest);
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
/* Expiry, or nearly so at the call manager alone, which is asked again. */
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
/* The next number of the line whose REGISTERs to call managers have this
 * Call-ID, no less than least. */
uint32_t line_cseq(const struct calls *c, struct slice call_id, uint32_t least);
/* l's Call-ID is new: line_cseq finds it. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int line_link_id(struct calls *c, struct line *l);
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

/* --- between reg.c and reg_move.c --------------------------------------- */
/* Write b as a Contact line that the call manager may see. */
void reg_print_inside(struct writer *w, const struct binding *b,
		      uint64_t expires_s);
/* Send a REGISTER of l inside. src and rules as in sip_out_request. */
MUST_CHECK int reg_send(struct calls *c, struct line *l,
			struct sip_out_request *m, struct slice from,
			uint64_t user, struct handle *ret_txn);
/* What call managers know of l is written for dest from now on. ERR_NOMEM: it
 * is not. */
MUST_CHECK int reg_line_move(struct line *l, const struct dest *dest);
/* One more binding that t asks for; nothing happens beyond CONTACTS_MAX. */
void reg_try_add(struct reg_try *t, const struct binding *b, uint32_t expires_s,
		 bool is_new);
/* Does anything that t asks for still exist, or is it to be removed? */
bool reg_is_wanted(const struct calls *c, const struct reg_try *t);
/* m, a 2xx to t, may grant something to bindings that have ended since: that is
 * taken back where it came from. */
void reg_remove_ended(struct calls *c, const struct reg_try *t,
		      const struct sip_msg *m);
/* What the call manager grants to token: asked when it lists no Contact at
 * all, 0 when it lists others only. */
uint32_t reg_granted(const struct sip_msg *m, const char *token,
		     uint32_t asked);
/* A binding that is accepted now. */
struct reg_same {
	const struct binding *binding; /* NULL: another worker's */
	struct slice contact, instance;
	uint64_t accept_ms; /* another worker's: when */
};

/* End the bindings of line l that stood for the same phone before; l may be
 * gone afterwards. */
void reg_replace(struct calls *c, struct line *l, const struct reg_same *now);
/* b is good for so many seconds from now; 0: not any more, and it is freed. */
void reg_accept(struct calls *c, struct binding *b, uint32_t seconds);
/* b, active and not expired, is good for so many seconds (> 0) at a call
 * manager where we registered it ourselves: the phone's time stays what it was,
 * and binding_timer asks again before that one's is over. */
void reg_accept_own(struct calls *c, struct binding *b, uint32_t seconds);
/* No call manager took t, one of our own; t is freed. */
void reg_move_refused(struct calls *c, struct reg_try *t);
/* A final response to t, one of our own; t is freed unless asked again. */
void reg_move_answered(struct calls *c, struct reg_try *t,
		       const struct sip_msg *m);

/* --- save.c --------------------------------------------------------------- */
/* Something happens to o, a call or subscription (may be NULL): look at the
 * end of the step whether it must be saved anew. */
void save_touch(struct calls *c, struct obj *o);
/* The same to whatever leg is of. */
void save_touch_leg(struct calls *c, const struct leg *leg);
/* The end of the step: save what was touched and has changed. */
void save_touched(struct calls *c);
/* The call is being freed. */
void save_call_done(struct calls *c, struct call *call);
/* The call manager accepted b. */
void save_binding(struct calls *c, struct binding *b);
/* b is being freed. */
void save_binding_done(struct calls *c, struct binding *b);
/* The subscription is being freed. */
void save_sub_done(struct calls *c, struct sub *s);
/* A new connection of b's phone: calls and subscriptions of its device that
 * have none take it. */
void save_follow(struct calls *c, const struct binding *b);
/* t has other places: calls and subscriptions of it that were restored before
 * one was known may get one. */
void save_follow_trunk(struct calls *c, struct trunk *t);
/* Call managers have other places: what was restored before one was known goes
 * its way. O(objects). */
void save_follow_core(struct calls *c);
