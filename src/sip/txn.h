/*
 * The four transaction machines of RFC 3261 section 17 with RFC 6026's
 * Accepted states, in virtual time. The table owns its transactions and the
 * bytes they may have to send again; the user (the call machine) gets
 * callbacks, which must not call back into the table. 2xx to INVITE are sent
 * again by the server transaction until the user reports the ACK (RFC 3261
 * section 13.3.1.4 puts that on the user; it is a timer like the others).
 * One worker owns one table.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/dest.h"
#include "base/err.h"
#include "base/slice.h"
#include "sip/dialog.h"
#include "sip/msg.h"

struct sip_txns;

struct sip_txn_params {
	uint32_t t1_ms;	  /* 500 */
	uint32_t t2_ms;	  /* 4000 */
	uint32_t t4_ms;	  /* 5000 */
	uint32_t nict_ms; /* patience of a client other than INVITE and
			     CANCEL; 0 = 64*T1 (timer F) */
	uint32_t limit;	  /* transactions alive at once */
	uint64_t seed;	  /* for the hash table */
};

/* Why a client or server transaction failed. */
enum sip_txn_fail {
	SIP_TXN_FAIL_TIMEOUT,  /* timer B, F, or no ACK (H, or 2xx: L) */
	SIP_TXN_FAIL_TRANSPORT /* sip_txn_conn_down */
};

struct sip_txn_cb {
	/* Send bytes to dest; bytes are valid during the call only. */
	void (*send)(void *ctx, const struct dest *dest, struct slice bytes);
	/* The transaction failed and is gone (user: the user's number). */
	void (*fail)(void *ctx, struct handle txn, uint64_t user,
		     enum sip_txn_fail why);
	void *ctx;
};

enum sip_txn_verdict {
	SIP_TXN_NEW,	  /* unknown request: the user decides about it */
	SIP_TXN_ABSORBED, /* a retransmission or hop ACK, dealt with */
	SIP_TXN_ACK,	  /* an ACK of a 2xx (or of nothing): to the user */
	SIP_TXN_CANCEL /* a new CANCEL whose INVITE transaction is *ret_txn */
};

/* A new table. cb is copied. NULL when memory is out. */
struct sip_txns *sip_txns_new(const struct sip_txn_params *p,
			      const struct sip_txn_cb *cb);
/* At most limit transactions from now on; those that are there stay. */
void sip_txns_limit(struct sip_txns *t, uint32_t limit);
/* Free t (may be NULL) without callbacks; returns NULL. */
struct sip_txns *sip_txns_free(struct sip_txns *t);
/* Transactions alive. */
uint32_t sip_txns_count(const struct sip_txns *t);
/*
 * A request came from dest: is it known? Nothing is created. For ABSORBED
 * the last response was sent again through cb->send. For ACK and CANCEL
 * *ret_txn is the INVITE server transaction (HANDLE_NONE: none) and
 * *ret_user its user number. Matching is RFC 3261 section 17.2.3 (branch with
 * cookie, sent-by, method) and the RFC 2543 rules without the cookie; a request
 * belongs to a transaction only when it came from the same connection, over
 * datagrams from the same IP address, so that nobody cancels another's call.
 */
enum sip_txn_verdict
sip_txn_recv_request(struct sip_txns *t, const struct sip_msg *m,
		     const struct dest *from, uint64_t now_ms,
		     struct handle *ret_txn, uint64_t *ret_user);
/*
 * Is m, which is SIP_TXN_NEW, a request of an ongoing server transaction that
 * came here a second time by another way (a fork that joined again)? Answer
 * 482 then (RFC 3261 section 8.2.2.2). Another request-URI is another
 * destination behind us, and what was refused is not ongoing: neither is a
 * repetition. False inside of dialogs. O(1).
 */
bool sip_txn_is_merged(struct sip_txns *t, const struct sip_msg *m);
/*
 * Open the server transaction of request m (not ACK). The response will go
 * to dest. A non-INVITE one that is not answered within 64*T1 ends silently
 * (RFC 4320): no client waits any more. ERR_LIMIT, ERR_NOMEM, ERR_EXISTS,
 * ERR_BAD (first Via).
 */
MUST_CHECK int sip_txn_server_new(struct sip_txns *t, const struct sip_msg *m,
				  const struct dest *dest, uint64_t user,
				  uint64_t now_ms, struct handle *ret);
/*
 * Send a response with this status in the server transaction; bytes are
 * copied. ERR_NOTFOUND when it is gone, ERR_STATE when a final response was
 * sent before (a 2xx may follow a 2xx), ERR_NOMEM.
 */
MUST_CHECK int sip_txn_respond(struct sip_txns *t, struct handle txn,
			       unsigned status, struct slice bytes,
			       uint64_t now_ms);
/* The ACK of the 2xx of this INVITE server transaction came: stop sending it
 * again. Nothing happens when txn is gone. */
void sip_txn_acked(struct sip_txns *t, struct handle txn, uint64_t now_ms);
/* The user ends before the ACK of the 2xx of this INVITE server transaction
 * has come. The peer may not have got the 2xx, so it is still sent again until
 * an ACK comes with these tags, Call-ID and CSeq number, which is absorbed, or
 * until 64*T1. Nothing happens when txn is gone or acknowledged; without
 * memory the ACK is not known. */
void sip_txn_leave(struct sip_txns *t, struct handle txn,
		   const struct sip_dialog *d, uint32_t cseq);
/*
 * Open a client transaction and send its request; bytes are copied and must
 * hold exactly the request whose first Via carries branch. For INVITE the
 * ACK of a non-2xx final response is made and sent from the kept bytes. A
 * CANCEL with the branch of an INVITE of ours also gives that one 64*T1 to
 * get its final response (RFC 3261 section 9.1), then it fails with TIMEOUT.
 * ERR_LIMIT (also a branch over 256 bytes), ERR_NOMEM, ERR_EXISTS (branch in
 * use with this method).
 */
MUST_CHECK int sip_txn_client_new(struct sip_txns *t, enum sip_method method,
				  struct slice branch, const struct dest *dest,
				  struct slice bytes, uint64_t user,
				  uint64_t now_ms, struct handle *ret);
/*
 * The same, but nothing is sent yet: sip_txn_client_release does that. It fails
 * with TIMEOUT after 64*T1 like one that was never answered. Errors as above.
 */
MUST_CHECK int sip_txn_client_hold(struct sip_txns *t, enum sip_method method,
				   struct slice branch, const struct dest *dest,
				   struct slice bytes, uint64_t user,
				   uint64_t now_ms, struct handle *ret);
/* Send the request of a transaction that is held: these bytes (copied) in place
 * of its own, with the same branch. ERR_NOTFOUND when it is gone or not held,
 * ERR_NOMEM (it is held on). */
MUST_CHECK int sip_txn_client_release(struct sip_txns *t, struct handle txn,
				      struct slice bytes, uint64_t now_ms);
/*
 * A response came. 0: give it to the user (*ret_txn, *ret_user); every 2xx of
 * an INVITE is given, retransmissions and forks included, since the user
 * answers each with an ACK. *ret_txn may be stale already (a final response
 * over a reliable transport ends the transaction). ERR_EXISTS: a
 * retransmission, dealt with. ERR_NOTFOUND: no such transaction; drop.
 */
MUST_CHECK int sip_txn_recv_response(struct sip_txns *t,
				     const struct sip_msg *m, uint64_t now_ms,
				     struct handle *ret_txn,
				     uint64_t *ret_user);
/* The endpoint is gone: every transaction whose dest has this handle fails
 * with SIP_TXN_FAIL_TRANSPORT (server transactions end silently). */
void sip_txn_conn_down(struct sip_txns *t, struct handle ep);
/* End txn without a word and without callbacks; nothing happens when it is
 * gone. For a request that must not be sent again, or a response that could
 * not be made. */
void sip_txn_forget(struct sip_txns *t, struct handle txn);
/*
 * The client transaction txn, just opened, shall be patient until end_ms only:
 * it fails then if there was no response at all. A first provisional response
 * gives it its full time again. That of an INVITE lives on until its full time
 * is over, silent and with user number 0, so that what comes late can still be
 * cancelled or hung up. Nothing happens when txn is gone.
 */
void sip_txn_patience(struct sip_txns *t, struct handle txn, uint64_t end_ms);
/*
 * Nobody decides about the INVITE of client transaction txn any more: where it
 * would wait for its final response without end (RFC 3261 section 17.1.1.2), it
 * gets 64*T1 from now_ms and fails then. Nothing happens when txn is gone, has
 * an end, or is none.
 */
void sip_txn_orphan(struct sip_txns *t, struct handle txn, uint64_t now_ms);
/*
 * Cancel the INVITE of client transaction txn (RFC 3261 section 9.1); nobody
 * hears of the CANCEL's own response. ERR_STATE when it has had no provisional
 * response or a final one, ERR_NOTFOUND when it is gone, ERR_EXISTS when it is
 * cancelled already, ERR_NOMEM, ERR_LIMIT.
 */
MUST_CHECK int sip_txn_cancel(struct sip_txns *t, struct handle txn,
			      uint64_t now_ms);
/* The request of client transaction txn into *ret, which views it until t is
 * used again. ERR_NOTFOUND when it is gone, or was an INVITE that got something
 * else than a 2xx. */
MUST_CHECK int sip_txn_request(struct sip_txns *t, struct handle txn,
			       struct sip_msg *ret);
/* Where the request went whose response m is, or NULL when there is no such
 * client transaction. Valid until t is used again. */
const struct dest *sip_txn_client_dest(struct sip_txns *t,
				       const struct sip_msg *m);
/* The user number of the client transaction whose response m is; 0: none. */
uint64_t sip_txn_client_user(struct sip_txns *t, const struct sip_msg *m);
/* The client transaction whose response m is; none when there is none. */
struct handle sip_txn_client_find(struct sip_txns *t, const struct sip_msg *m);
/* Change the user number of txn; ERR_NOTFOUND. */
int sip_txn_set_user(struct sip_txns *t, struct handle txn, uint64_t user);
/* When sip_txns_expire must be called next; UINT64_MAX = never. */
uint64_t sip_txns_deadline(const struct sip_txns *t);
/* Run all timers that are due at now_ms. */
void sip_txns_expire(struct sip_txns *t, uint64_t now_ms);
