/*
 * Inside of the transaction table, shared by txn.c (table, keys, timers),
 * txn_client.c and txn_server.c (the machines). Nobody else includes it.
 */
#pragma once

#include "base/handle.h"
#include "base/list.h"
#include "base/table.h"
#include "base/timerq.h"
#include "sip/txn.h"

enum { TXN_ACK_MAX = SIP_HEAD_MAX + 256, TXN_KEY_MAX = SIP_HEAD_MAX + 64 };

enum txn_kind {
	TXN_CLIENT_INVITE,
	TXN_CLIENT_OTHER,
	TXN_SERVER_INVITE,
	TXN_SERVER_OTHER
};

/* The states of all four machines; which has which is drawn there. */
enum txn_state {
	TXN_CALLING,
	TXN_TRYING,
	TXN_PROCEEDING,
	TXN_ACCEPTED,
	TXN_COMPLETED,
	TXN_CONFIRMED
};

/* The transactions of one endpoint, so that losing a connection costs what
 * hangs on it and not a walk over the table. */
struct txn_ep {
	struct table_node node; /* under the bytes of ep */
	struct handle ep;
	struct list txns;
};

struct txn {
	enum txn_kind kind;
	enum txn_state state;
	struct handle handle;
	uint64_t user;
	struct dest dest;
	struct table_node node;
	struct txn_ep *ep;	  /* that of dest */
	struct list link;	  /* in ep->txns */
	struct timerq_node timer; /* always set: the earlier of the two below,
				     so that moving it cannot fail */
	uint64_t again_ms;	  /* send again at; UINT64_MAX = never */
	uint64_t end_ms;	  /* the state ends at; UINT64_MAX = never */
	uint64_t full_end_ms;	  /* client: end_ms but for lost patience */
	enum sip_method method;	  /* client: of its request */
	bool is_held;		  /* client: not sent yet */
	uint32_t interval_ms;	  /* between the last two sendings */
	bool is_acked;		  /* server: the ACK of our 2xx came;
				     client: bytes is the ACK by now */
	char *key;		  /* owned */
	struct table_node merge;  /* by what a merged request shares */
	char *merge_key;	  /* owned; NULL = not in the table */
	struct table_node await;  /* by what the ACK of our 2xx will say */
	char *await_key;	  /* owned; NULL = not in the table */
	uint8_t *bytes;		  /* owned; what would be sent again, or NULL */
	size_t len;		  /* of bytes */
};

struct sip_txns {
	struct sip_txn_params p;
	struct sip_txn_cb cb;
	struct slots slots;
	struct table table;  /* by key */
	struct table eps;    /* struct txn_ep */
	struct table merges; /* by merge_key */
	struct table awaits; /* by await_key */
	struct timerq timerq;
	struct sip_msg scratch;	  /* the INVITE an ACK is made from */
	uint8_t key[TXN_KEY_MAX]; /* the key being looked up */
	uint8_t ack[TXN_ACK_MAX]; /* the ACK being made */
};

/* 64*T1: how long the other side may still be sending. */
uint64_t txn_64t1(const struct sip_txns *t);
/* Set again_ms and end_ms to x's new plans. */
void txn_plan(struct sip_txns *t, struct txn *x, uint64_t again_ms,
	      uint64_t end_ms);
/* Send the kept bytes, if any. */
void txn_send(struct sip_txns *t, const struct txn *x);
/* Replace the kept bytes by a copy. ERR_NOMEM (they stay as they were). */
MUST_CHECK int txn_keep(struct txn *x, struct slice bytes);
/* Remove and free x. */
void txn_drop(struct sip_txns *t, struct txn *x);
/* Remove and free x, then tell the user why. */
void txn_fail(struct sip_txns *t, struct txn *x, enum sip_txn_fail why);
/* New transaction with dest under key. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int txn_new(struct sip_txns *t, enum txn_kind kind, struct slice key,
		       const struct dest *dest, struct txn **ret);
/* First transaction under key, or NULL. */
struct txn *txn_find(const struct sip_txns *t, struct slice key);

/* The retransmission timer of x is due (A, E). */
void txn_client_again(struct sip_txns *t, struct txn *x, uint64_t now_ms);
/* The state timer of x is due (B, D, F, K, M). */
void txn_client_end(struct sip_txns *t, struct txn *x);
/* The retransmission timer of x is due (G, or 2xx). */
void txn_server_again(struct sip_txns *t, struct txn *x, uint64_t now_ms);
/* The state timer of x is due (H, I, J, L). */
void txn_server_end(struct sip_txns *t, struct txn *x);
