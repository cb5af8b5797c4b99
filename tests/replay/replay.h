/*
 * Inside of the scenario player: its state and what its files share. Every
 * function that can fail ends the program with the place in the scenario.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "b2bua/call.h"
#include "lib/entropy.h"
#include "lib/hidden.h"

enum {
	CONNS_MAX = 8,
	QUEUE_MAX = 64,
	VARS_MAX = 64,
	VALUE_MAX = 600,
	FLOWS_MAX = 64,
	SHOWN_MAX = 64,
	SAVED_MAX = 16,
	TEXT_MAX = 16384
};

struct conn {
	char name[32];
	char host[64]; /* of its address, must not show on the other side */
	struct dest dest;
	enum side side;
	char device[32];
	enum sig_level sig;
	struct call_policy policy;
	bool pass_auth;
	uint32_t priority; /* of a call manager */
	bool is_named;	   /* that one is known by its name: core-back */
	bool is_trunk;	   /* the peer of the one trunk, called as it is */
	char *queue[QUEUE_MAX];
	size_t count;
};

struct var {
	char name[32];
	char value[VALUE_MAX];
};

/* What the machine wants kept for its successor. */
struct saved {
	char key[48];
	uint8_t *bytes;
	size_t len;
};

struct run {
	const char *file;
	unsigned line;
	FILE *in;
	struct test_entropy entropy;
	struct calls_params p;
	struct calls *c;
	uint64_t now_ms;
	struct conn conn[CONNS_MAX];
	size_t conn_count;
	char *flow[QUEUE_MAX]; /* flow actions as text */
	size_t flow_count;
	char *record[QUEUE_MAX];
	size_t record_count;
	struct flow live[FLOWS_MAX];
	size_t live_count;
	struct var var[VARS_MAX];
	size_t var_count;
	uint64_t last_call;
	struct hidden hidden;
	uint64_t auth;		/* id of the ACTION_AUTH that waits; 0 = none */
	char *shown[SHOWN_MAX]; /* messages with ports in them */
	size_t shown_count;
	struct saved saved[SAVED_MAX];
	size_t saved_count;
	unsigned saves; /* ACTION_SAVE so far */
	unsigned auth_infos;	/* ACTION_AUTH_INFO so far */
	/* Each of them; may be NULL. */
	void (*on_save)(void *ctx, const char *key, struct slice bytes);
	void *ctx;
	uint8_t arrived[512]; /* the last ACTION_ARRIVED */
	size_t arrived_len;
};

/* --- script.c: text of the scenario ---------------------------------------- */
/* Say why and where, show what waits, exit. */
void replay_fail(struct run *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* Keep a variable. */
void replay_var_set(struct run *r, const char *name, size_t nlen,
		    const char *value, size_t vlen);
/* Replace ${name} by its value; $(name) captures stay. */
void replay_expand(struct run *r, const char *in, char *out, size_t cap);
/* '*' matches anything, $(name) a word, which is kept. */
bool replay_match(struct run *r, const char *pat, const char *s);
/* Next line without its end; false at the end. */
bool replay_read_line(struct run *r, char *buf, size_t cap);
/* The lines up to EOF, variables expanded, LF between them. */
void replay_read_text(struct run *r, char *out, size_t cap);

/* --- peer.c: what comes out of the machine and goes in --------------------- */
/* A peer by name. */
struct conn *replay_conn_find(struct run *r, const char *name);
/* Sort actions into the queues and check what always holds; empties out. */
void replay_take(struct run *r, struct actions *out);
/* One event into the machine. */
void replay_step(struct run *r, const struct event *ev);
/* The message that follows in the scenario, from this peer. */
void replay_send(struct run *r, struct conn *from);
/* Hold the oldest message for this peer against "START [<<EOF]". */
void replay_receive(struct run *r, struct conn *at, char *rest);
/* Take the oldest text out of a queue; the caller frees it. */
char *replay_queue_pop(char **queue, size_t *count);

/* --- runner.c ----------------------------------------------------------------- */
/* Play the scenario at path with a fresh r, but for on_save and ctx. */
void replay_file(struct run *r, const char *path);
/* Tell the machine where the call managers are, and of the trunk. */
void replay_cores(struct run *r);

/* --- look.c: what an operator sees -------------------------------------------- */
/* N PATTERN: the n-th call, which is the one looked at from now on. */
void look_call(struct run *r, char *rest);
/* PATTERN: the events of that call, "; " between them. */
void look_history(struct run *r, const char *pat);
/* phone|core PATTERN: that dialog of it. */
void look_leg(struct run *r, const char *rest);
/* N PATTERN: its n-th stream. */
void look_stream(struct run *r, char *rest);
/* PATTERN: counters of early dialogs. */
void look_early(struct run *r, const char *pat);
/* PATTERN: subscriptions, and refused ones. */
void look_subs(struct run *r, const char *pat);

/* --- restart.c: what is saved, and the successor ----------------------------- */
/* Keep, or forget, what an action says. */
void replay_save(struct run *r, const struct action *a);
/* The machine ends without a word; its successor begins with what was saved. */
void replay_restart(struct run *r);
/* Forget what was saved. */
void replay_saved_done(struct run *r);
