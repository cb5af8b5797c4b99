/*
 * Skinny phones in the call machine, in virtual time: four phones, each with a
 * connection of its own to a call manager, a machine between, and a relay that
 * only remembers its flows. A test makes a message in out, lets a phone or its
 * call manager say it, and looks at what the other side was sent.
 */
#pragma once

#include "b2bua/call.h"
#include "lib/entropy.h"
#include "rewrite/sccp_out.h"
#include "sccp/key.h"

enum { SENT_MAX = 512, PHONES = 4, SAVED_MAX = 8 };

/* What one connection was sent, in order. */
struct sent {
	struct dest dest;
	uint8_t bytes[1024];
	struct sccp_msg msg;
};

/* One object as the store has it. */
struct kept {
	char key[64];
	uint8_t bytes[4096];
	size_t len;
};

extern struct calls *c;
extern struct calls_params params; /* of the machine; those of a successor */
extern uint64_t now_ms;
extern uint32_t sent_count;
extern struct flow flows[64]; /* as the relay has them now; id 0: none */
extern struct kept saved[SAVED_MAX];
extern size_t saved_count;
extern struct kept arrived; /* what other workers were told last */
extern uint32_t closed;	    /* connections */
extern uint32_t records; /* of messages that a rule wants logged */
extern uint32_t links;	 /* asked for */
extern uint64_t link_id[PHONES];
extern uint32_t link_manager;	  /* of the last one */
extern struct sccp_out out;	  /* the message that is said next */
extern struct call_policy policy; /* of phones that register from now on */
extern struct sccp_traits traits; /* the same */

/* Fixture. */
void start(void);
void stop(void);

struct addr addr_of(const char *text);
struct dest phone_dest(unsigned i);
struct dest core_dest(unsigned i);
const char *name_of(unsigned i);
struct flow *flow_find(uint64_t id);
/* The flow with this local address, which exists. */
struct flow *flow_at(const struct addr *local);
uint32_t flow_count(void);
/* The process dies, and a successor begins with what was saved; how many objects
 * it has. The relay notices nothing. */
uint32_t restart(void);
/* What a successor claims of the relay's flows, as they were there; how many that
 * are. Others end. */
uint32_t claim_flows(void);
/* One action of the machine, one event into it. */
void take_one(const struct action *a);
void step(const struct event *ev);
/* The message in out: make it, set its fields, say it. */
void make(uint32_t id, uint32_t version, size_t len);
void set(enum sccp_field f, uint32_t v);
void set_addr(const char *text);
void say_as(unsigned i, enum side side, const char *device);
void phone_says(unsigned i);
void core_says(unsigned i);
/* The last message with this id to phone i or its call manager, or NULL; how
 * many there were. */
struct sccp_msg *last(unsigned i, enum side to, uint32_t id);
uint32_t count_to(unsigned i, enum side to, uint32_t id);
struct flow_key key_in(const struct sccp_msg *m);
struct addr addr_in(const struct sccp_msg *m);
/* Registration. */
void link_up(unsigned i);
void say_register(const char *name, uint32_t version);
void register_phone(unsigned i, uint32_t version);
/* Media, in call 900 unless another one is said. */
void open_channel(unsigned i, uint32_t version, uint32_t party);
/* The phone says yes to a channel; what it says reaches the call manager only
 * where that has asked. */
void say_open(unsigned i, uint32_t version, uint32_t party);
void start_sending(unsigned i, uint32_t version, uint32_t party,
		   const struct addr *to);
void end_stream(unsigned i, uint32_t id, uint32_t party);
/* Phones 0 and 1 in call 900, with parties 17 and 18. */
void call_between(uint32_t version);
/* The media process tells who is at the far end, without a key. */
void far_is(enum event_kind kind, const struct addr *local, uint8_t security);
/* The same with a key, of a far end that is secure: it is joined. */
void far_sends(const struct addr *local, const struct flow_key *key);
/* The call manager's CallInfoV2, and what the phone was shown last. */
void call_info(unsigned i, uint32_t status);
uint32_t shown(unsigned i);
