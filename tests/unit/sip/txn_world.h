/*
 * A transaction table in virtual time with its surroundings recorded: what
 * was sent when, who failed why.
 */
#pragma once

#include "sip/txn.h"

enum { WORLD_MAX = 256 };

struct world_sent {
	uint64_t at_ms;
	char text[2048]; /* NUL-terminated */
	struct dest dest;
};

struct world {
	struct sip_txns *t;
	uint64_t now_ms;
	struct world_sent sent[WORLD_MAX];
	size_t sent_count;
	uint64_t fail_ms[WORLD_MAX];
	uint64_t fail_user[WORLD_MAX];
	enum sip_txn_fail fail_why[WORLD_MAX];
	size_t fail_count;
	struct sip_msg msg; /* the last one made by world_msg */
	char text[4096];    /* its bytes */
	bool is_inside;	    /* a callback runs */
};

/* A new world at 1000 ms with the timers of RFC 3261 and room for limit
 * transactions; w->t is NULL when memory is out. There is one at a time. */
struct world *world_new(uint32_t limit);
/* End it. */
void world_free(struct world *w);
/* Let time pass until at_ms, running timers at their instants. */
void world_until(struct world *w, uint64_t at_ms);
/* Parse printf-made text with LF as line ends; aborts when it is no message. */
const struct sip_msg *world_msg(struct world *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A request of method with branch, CSeq 1, from 192.0.2.1:5060. */
const struct sip_msg *world_request(struct world *w, const char *method,
				    const char *branch);
/* A response to method with branch. */
const struct sip_msg *world_response(struct world *w, unsigned status,
				     const char *method, const char *branch);
/* 192.0.2.1:5060 over UDP (endpoint 1), or over TLS (endpoint 2). */
struct dest world_dest(bool is_reliable);
