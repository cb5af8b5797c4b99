/*
 * Everything that can come out of the call machine, to be executed in order
 * by proxy/egress.c: a batch that begins with FLOW_ADD waits, call by call,
 * until the media process has answered. A list of actions owns its bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/dest.h"
#include "base/err.h"
#include "base/handle.h"
#include "base/slice.h"
#include "flow/flow.h"

enum action_kind {
	ACTION_FLOW_ADD,    /* flow[0], flow[1]: both directions of a stream */
	ACTION_FLOW_UPDATE, /* flow[0] */
	ACTION_FLOW_DEL,    /* flow[0].id */
	ACTION_SIP_SEND,    /* dest, bytes */
	ACTION_SCCP_SEND,   /* dest, bytes */
	ACTION_SCCP_LINK,   /* id, link[0], link[1]: connect a phone of that
			       listener to the call manager of that number;
			       EVENT_SCCP_LINK answers */
	ACTION_SCCP_UNLINK, /* id: not any more, whether it is there or not */
	ACTION_CONN_CLOSE,  /* dest.ep */
	ACTION_AUTH,	    /* id, dest, bytes: 1 when its credentials came
			       unasked (u8), a request to dest and the challenge
			       it got, or an empty one: it was not sent yet, as
			       blobs (base/writer.h); EVENT_AUTH answers */
	ACTION_AUTH_INFO,   /* dest, bytes: the same, of a response that tells
			       a nonce for the next request */
	ACTION_ARRIVED,	    /* bytes: a phone has come to this worker; for
			       EVENT_ARRIVED of the others */
	ACTION_RECORD,	    /* record, bytes: "key=value ..." for log and CDR */
	ACTION_SAVE,	    /* bytes: key and what must outlive us (save.h) */
	ACTION_FORGET	    /* bytes: key; what was saved under it is over */
};

enum record_kind {
	RECORD_REGISTERED,   /* a binding was made or refreshed */
	RECORD_UNREGISTERED, /* a binding ended */
	RECORD_CALL_START,   /* an INVITE was accepted for relaying */
	RECORD_CALL_ANSWER,  /* media is agreed */
	RECORD_CALL_END,     /* with its reason */
	RECORD_REFUSED,	     /* a request was refused, with its reason */
	RECORD_FALLBACK,     /* SRTP was wanted, RTP was agreed, and why */
	RECORD_CORE,	     /* a call manager went up or down, and why */
	RECORD_TRUNK,	     /* the same of a trunk's peer */
	RECORD_MESSAGE	     /* a Skinny message that a rule wants logged */
};

struct action {
	enum action_kind kind;
	uint64_t call; /* cookie; 0 = belongs to no call, never parked */
	bool is_alone; /* FLOW_ADD: if it fails, the call's other streams go on */
	struct flow flow[2];
	struct dest dest;
	enum record_kind record;
	uint64_t id;	    /* AUTH, SCCP_LINK: comes back in the event */
	uint32_t link[2];   /* SCCP_LINK: listener, call manager */
	struct slice bytes; /* owned by the list */
};

struct actions {
	struct action *item;
	uint32_t count;
	uint32_t cap;
};

/* Free all actions and their bytes, keys wiped; a is empty afterwards. */
void actions_done(struct actions *a);
/* Append a copy of *act; its bytes are copied too. ERR_NOMEM. */
MUST_CHECK int actions_add(struct actions *a, const struct action *act);
