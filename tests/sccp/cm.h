/*
 * A call manager that speaks plain SCCP (and, beside it, plain SIP), as old as
 * it is told to be. cm.c has phones and their registration, cm_call.c calls,
 * cm_media.c who hears whom, cm_sip.c the other protocol, sccp_cm.c the loop
 * and the commands.
 */
#pragma once

#include "peer.h"

enum {
	NUMBER_LEN = 24, /* of a line, with its NUL */
	NAME_LEN = 17,
	LEGS_MAX = 400,
	LINES_MAX = 64
};

/* What a server of that age sends: how long its messages are at most. */
enum form { FORM_NEW, FORM_CM7, FORM_CM4, FORM_CM3, FORM_CM2 };

struct cm_phone {
	struct link link;
	uint32_t watched;
	char name[NAME_LEN], number[NUMBER_LEN];
	unsigned version;
	bool is_registered;
	uint64_t seen_ms;
	struct cm_phone *next;
};

/* What a leg ends in. */
enum leg_kind { LEG_PHONE, LEG_SIP, LEG_MTP };

struct conference {
	uint32_t id;
	unsigned members;
};

struct sip_leg; /* cm_sip.c */

/* One end of a call: a call of a phone, a dialog with a SIP phone, or a port
 * of our own that mixes or plays music. */
struct leg {
	enum leg_kind kind;
	struct cm_phone *phone;
	struct sip_leg *sip;
	struct media *port; /* of an MTP */
	uint32_t ref, party, conference_id;
	uint32_t state; /* CallState */
	char digits[NUMBER_LEN], other[NUMBER_LEN];
	bool is_caller;
	struct leg *peer;     /* of the call; NULL: none yet */
	struct leg *heard;    /* where its media go: the peer or an MTP */
	struct leg *consults; /* the held leg of the same phone it is for */
	bool for_conference;
	struct conference *conference;
	bool is_open, has_address, is_started, is_ending;
	bool has_group; /* hears music by multicast */
	struct sockaddr_in address;
	struct leg *next;
};

/* What the whole program works with. */
struct cm {
	enum form form;
	unsigned version, keepalive_s, secondary_s;
	unsigned token_wait_s; /* 0: tokens are granted */
	bool is_quiet, has_music, is_mute;
	const char *reject; /* device name that may not register */
	struct cm_phone *phones;
	struct leg *legs;
	struct {
		char name[NAME_LEN], number[NUMBER_LEN];
	} line[LINES_MAX];
	unsigned lines;
	int epoll;
	struct in_addr address;	  /* of our media */
	struct sockaddr_in group; /* of the music; port 0: each its own */
	struct media *group_port; /* where it comes from */
	uint32_t last_ref, last_party;
	unsigned registered, malformed;
	unsigned long taken;
};

extern struct cm cm;

/* States of a call, as on the wire. */
enum {
	ST_OFF_HOOK = 1,
	ST_ON_HOOK = 2,
	ST_RING_OUT = 3,
	ST_RING_IN = 4,
	ST_CONNECTED = 5,
	ST_BUSY = 6,
	ST_HOLD = 8,
	ST_PROCEED = 12,
	ST_INVALID = 14
};

/* --- cm.c --------------------------------------------------------------- */
/* A phone's connection came. */
void phone_new(int fd);
void phone_ready(struct cm_phone *p);
void phone_close(struct cm_phone *p, const char *why);
/* Begin a message for that phone, in its version. */
void message_begin(struct cm_phone *p, struct pdu *m, uint32_t id);
/* Send it, as short as the form says. */
void message_send(struct cm_phone *p, struct pdu *m);
struct cm_phone *phone_by_number(const char *number);
struct cm_phone *phone_by_name(const char *name);
/* Keepalives that did not come. */
void phones_tick(uint64_t now_ms);

/* --- cm_call.c ---------------------------------------------------------- */
void call_message(struct cm_phone *p, const struct pdu *m);
/* All calls of the phone are over. */
void call_phone_gone(struct cm_phone *p);
/* A leg for a call to or from SIP. */
struct leg *leg_new(enum leg_kind kind, struct cm_phone *p);
void leg_free(struct leg *l);
/* Ring number for the leg from; false when there is none. */
bool call_route(struct leg *from, const char *number);
/* The far end rings, answered, or is gone. */
void call_ringing(struct leg *l);
void call_answered(struct leg *l);
void call_ended(struct leg *l);
/* The number of a leg. */
const char *leg_number(const struct leg *l);
struct leg *leg_of_phone(const struct cm_phone *p);
void leg_rekey(struct leg *l);

/* --- cm_media.c --------------------------------------------------------- */
/* Let a and b hear each other; nothing is asked of a side twice. */
void media_connect(struct leg *a, struct leg *b);
/* Close the channels of l and of whom it hears. An MTP on the other end goes. */
void media_disconnect(struct leg *l);
/* A phone says where it hears: OpenReceiveChannelAck, or an SDP. */
void media_address_is(struct leg *l, struct sockaddr_in a);
/* Music for a held leg. */
void media_music(struct leg *l);
/* Play music to that group from now on (port 0: to none), and tell held phones
 * of it. */
void media_group(struct sockaddr_in group);
/* Put l in the conference. */
void media_confer(struct leg *l, struct conference *c);
struct leg *leg_by_party(uint32_t party, const struct cm_phone *p);
/* Mix what conferences heard, play music; every 20 ms. */
void media_mix(uint64_t now_ms);
/* A recorder's copy of what the phone says, to there. */
void media_fork(struct leg *l, struct sockaddr_in to);

/* --- cm_sip.c ----------------------------------------------------------- */
/* Listen there; SIP phones register themselves. */
void sip_begin(struct sockaddr_in address);
/* NUMBER=A:P: a SIP phone that need not register. */
void sip_phone_add(const char *text);
int sip_fd(void);
void sip_readable(void);
/* Retransmit what is due. */
void sip_tick(uint64_t now_ms);
/* True when such a SIP phone is registered. */
bool sip_knows(const char *number);
/* Ring it, with our media there: an INVITE. */
void sip_invite(struct leg *l, const char *from, struct sockaddr_in media);
/* It rings (180), is answered with media there (200), or refused. */
void sip_ringing(struct leg *l);
void sip_answer(struct leg *l, struct sockaddr_in media);
/* End: CANCEL, BYE or a refusal, whatever is due. Frees its state. */
void sip_end(struct leg *l);
/* It hears nobody until sip_answer. */
void sip_hold(struct leg *l);
