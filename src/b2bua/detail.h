/*
 * All that an operator sees of one call: its two dialogs, its streams, and
 * what happened in it. Values are the machine's own; keys are not among them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "b2bua/call.h"

enum {
	CALL_STREAMS_MAX = 8, /* shown of a call; SIP has fewer */
	HISTORY_MAX = 32,     /* last events of a call that are kept */
	HISTORY_STR_MAX = 128
};

enum history_what {
	HISTORY_REQUEST,  /* a request came: method */
	HISTORY_RESPONSE, /* a response came: status, method */
	HISTORY_OWN,	  /* a request of our own went out: method */
	HISTORY_SECURITY, /* the phone is shown text */
	HISTORY_FALLBACK, /* RTP instead of SRTP, because of text */
	HISTORY_SKINNY,	  /* Skinny message text came from side */
	HISTORY_REOPENED, /* a Skinny channel was opened anew by ourselves */
	HISTORY_MOVED,	  /* the phone is reached over another connection */
	HISTORY_RESTORED  /* taken over from a process that ended */
};

struct history_item {
	uint64_t at_ms; /* monotonic */
	enum history_what what;
	enum side side; /* whom it came from, or went to */
	enum sip_method method;
	unsigned status;
	const char *text; /* static; NULL = none */
};

/* One dialog. */
struct call_leg {
	struct dest dest; /* where its requests go */
	struct slice call_id, local_tag, remote_tag;
	bool is_confirmed;  /* a 2xx went over it */
	uint32_t session_s; /* session timer; 0 = none */
	bool is_refreshed;  /* by us */
};

/* One relayed stream; arrays are by the side that a packet comes from. */
struct call_stream {
	bool is_audio;
	bool is_raw; /* datagrams that are no RTP */
	struct slice codec;
	struct addr local[2];  /* our port towards that side */
	struct addr remote[2]; /* where that side is, as it said */
	enum suite suite[2];   /* phone: of what comes from it; core: of
				   what is sent to the phone */
	bool is_blocked[2];    /* on hold: that side is not heard */
	bool is_idle[2];       /* nothing has come for long */
	bool is_borrowed;      /* the phone has the far phone's key */
	uint64_t flow[2];
};

struct call_detail {
	struct call_info info;
	enum call_security shown; /* the phone has been told, if is_shown */
	bool is_shown;
	bool is_skinny;		/* legs have no dialogs */
	uint32_t reference;	/* Skinny's number of the call */
	struct call_leg leg[2]; /* by side */
	struct call_stream stream[CALL_STREAMS_MAX];
	uint32_t stream_count;
	struct history_item history[HISTORY_MAX]; /* oldest first */
	uint32_t history_count;
	uint32_t history_lost; /* older ones that are forgotten */
};

/* What happened, for people, into buf (HISTORY_STR_MAX bytes); returns buf. */
const char *history_str(const struct history_item *h, char *buf);
/* The call with this cookie; slices are valid until the next call_step. False:
 * there is none. */
bool calls_detail(const struct calls *c, uint64_t cookie,
		  struct call_detail *ret);
