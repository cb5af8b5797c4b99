/*
 * A phone that speaks SCCP: connections to its call managers, registration,
 * keepalives, failover; calls and their media. phone.c keeps it registered,
 * phone_call.c has its calls, sccp_phone.c has many of them and takes commands.
 */
#pragma once

#include "peer.h"

enum {
	SERVERS = 3, /* call managers of a phone, first choice first */
	CALLS = 6,   /* calls of a phone at once */
	STREAMS = 8, /* of all its calls */
	DIGITS = 32, /* of a number, with its NUL */
	NAME_LEN = 17
};

/* Where a phone stands with one call manager. */
enum reg { REG_NONE, REG_STANDBY, REG_TOKEN, REG_SENT, REG_ACKED, REG_DONE };

struct server {
	struct link link;
	enum reg reg;
	uint64_t retry_ms;     /* not connected again before */
	uint64_t keepalive_ms; /* when the next one is due */
	uint64_t token_ms;     /* no token is asked for before */
	unsigned unanswered;   /* keepalives */
	uint32_t watched;      /* epoll events; 0 = not in the set */
};

/* CallState values, as on the wire. */
enum call_state {
	CALL_NONE = 0,
	CALL_OFF_HOOK = 1,
	CALL_ON_HOOK = 2,
	CALL_RING_OUT = 3,
	CALL_RING_IN = 4,
	CALL_CONNECTED = 5,
	CALL_BUSY = 6,
	CALL_HOLD = 8,
	CALL_PROCEED = 12
};

struct call {
	uint32_t ref; /* 0: free */
	uint32_t line, state, security;
};

/* A stream, by passThroughPartyId. */
struct stream {
	uint32_t party, conference, call;
	struct media *media;
	bool is_open; /* for receiving */
	struct media_key in, out;
	struct sockaddr_in to;
	struct sockaddr_in from; /* a hint where media will come from */
	unsigned long mark;	 /* received when last marked */
};

struct phone {
	unsigned index;
	char name[NAME_LEN];
	struct server server[SERVERS];
	unsigned version;     /* agreed on; before that our own */
	unsigned keepalive_s; /* as the call manager said */
	unsigned secondary_s;
	struct call call[CALLS];
	struct stream *stream[STREAMS];
	char digits[DIGITS]; /* to be dialled as soon as off hook */
	uint64_t asked_us;   /* a LineStatReq is under way since; 0 = none */
	gnutls_datum_t ticket;
};

/* What all phones of the process share. */
struct setup {
	struct sockaddr_in server[SERVERS];
	unsigned servers;
	bool has_local;
	struct sockaddr_in local; /* source address, port 0 */
	unsigned spread;	  /* that many addresses, by turns; 0 = one */
	const char *priority;
	unsigned version, device_type;
	unsigned register_len; /* length field of Register; 0 = by version */
	bool is_answering, is_logging, use_tickets, is_quiet;
	bool is_slow; /* do not connect by itself */
	unsigned retry_ms;
	gnutls_certificate_credentials_t *cred; /* by index; NULL: plain */
	int epoll;
	/* sums over all phones */
	unsigned registered, connections, resumed, rejected, malformed;
	unsigned streams;
	unsigned long taken, sent; /* messages */
	void (*answered)(struct phone *p, uint64_t asked_us);
};

extern struct setup setup;

/* What epoll says: phone, and server number or stream number + SERVERS. */
uint64_t watch_key(const struct phone *p, unsigned slot);

/* --- phone.c ------------------------------------------------------------ */
/* What slot of the phone is ready. */
void phone_ready(struct phone *p, unsigned slot);
/* Connect, register, keep alive: what is due. */
void phone_tick(struct phone *p, uint64_t now_ms);
/* Close every connection; they come again at retry_ms unless is_slow. */
void phone_drop(struct phone *p, const char *why);
/* The server it is registered at, or NULL. */
struct server *phone_server(struct phone *p);
bool phone_is_registered(struct phone *p);
/* Send to that server, or to the first that is up. False if none is. */
bool phone_send(struct phone *p, const struct pdu *m);
bool phone_send_raw(struct phone *p, const uint8_t *b, size_t len);
/* Unregister from the server. */
void phone_unregister(struct phone *p);

/* --- phone_call.c ------------------------------------------------------- */
/* A message of calls and media; false when it is none. */
bool call_message(struct phone *p, const struct pdu *m);
/* The call that a command is about: in that state, 0 = the latest of all. */
struct call *call_find(struct phone *p, uint32_t state);
unsigned call_count(const struct phone *p);
/* Begin a call; digits are dialled when the call manager is ready. */
void call_dial(struct phone *p, const char *digits);
void call_digits(struct phone *p, const char *digits);
void call_answer(struct phone *p);
void call_hang_up(struct phone *p);
/* Press a soft key of the latest call. */
enum softkey {
	KEY_NEW_CALL = 2,
	KEY_HOLD = 3,
	KEY_TRANSFER = 4,
	KEY_END_CALL = 9,
	KEY_RESUME = 10,
	KEY_ANSWER = 11,
	KEY_CONFERENCE = 13
};
void call_softkey(struct phone *p, enum softkey key, const struct call *c);
/* Forget all calls and streams. */
void call_clear(struct phone *p);
/* Media that is due. */
void call_tick(struct phone *p, uint64_t now_ms);
const char *call_state_name(uint32_t state);
/* Say what calls and streams there are. */
void call_status(struct phone *p);
/* Say "STREAM name up|down source destination suite key" of each that is
 * encrypted (for srtpcheck). */
void call_streams(struct phone *p);
