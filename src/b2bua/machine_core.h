/*
 * Inside of the call machine, for b2bua/ only: call managers, trunks and the
 * requests to them. Part of machine.h, which includes this.
 */
#pragma once

#include "b2bua/objects.h"

/* --- core_map.c --------------------------------------------------------- */
/* Hosts to be replaced, the call manager's and ours, with their ports. */
struct core_map {
	struct addr from[2];
	struct addr to[2];
};
struct core_rewrite {
	const struct dest *was;	 /* whom the request was written for */
	const struct dest *dest; /* whom it is for now */
	struct slice branch;
	uint32_t cseq;
	bool drops_auth;    /* without the credentials it carries */
	struct slice extra; /* header lines to add */
};
/* What turns a text made for from into one for to. */
struct core_map core_map_of(const struct dest *from, const struct dest *to);
/* Write v with its hosts replaced. O(bytes). */
void core_map_put(struct writer *w, struct slice v, const struct core_map *map);
enum { CORE_MAP_TEXTS = 3 };
/* The same in place of each of count texts (owned; may be NULL), at most
 * CORE_MAP_TEXTS: of all or of none. ERR_NOMEM. */
MUST_CHECK int core_map_texts(char **const *text, size_t count,
			      const struct core_map *map);
/* Write request m anew. */
void core_rewrite(struct writer *w, const struct sip_msg *m,
		  const struct core_rewrite *r);

/* --- core_req.c --------------------------------------------------------- */
struct core_msg {
	enum sip_method method;
	struct slice branch;
	const struct dest *dest;
	struct slice bytes;  /* the finished request */
	uint64_t user;	     /* as sip_txn_client_new's */
	struct trunk *trunk; /* to its peer; NULL: to a call manager */
	bool is_new;	     /* outside of dialogs: may go to another place */
	bool is_probe;
};
/* Send a request to a call manager in a client transaction that fails or is
 * answered when no place is left to try. Errors as sip_txn_client_new. */
MUST_CHECK int core_send(struct calls *c, const struct core_msg *m,
			 struct handle *ret_txn);
/* A response came in txn. True: dealt with. */
bool core_response(struct calls *c, struct handle txn, const struct sip_msg *m);
/* A transaction failed (inside the table: only noted). True: it was ours. */
bool core_failed(struct calls *c, struct handle txn, enum sip_txn_fail why);
/* EVENT_AUTH. */
void core_auth(struct calls *c, const struct event_auth *ev);
/* Deal with what core_failed noted. */
void core_run_failed(struct calls *c);
/* sip_txn_forget for a client transaction that may be core_send's. */
void core_forget(struct calls *c, struct handle txn);
/* The place that serves binding b (NULL: none yet) of a phone named key. NULL:
 * no place is known at all. */
struct core_entry *core_pick(struct calls *c, const struct binding *b,
			     struct slice key);
/* The call managers that serve the trunk (NULL: phones), as core_choose's
 * mask of the others. */
uint64_t core_others(const struct calls *c, const struct trunk *t);
/* The place of a trunk's requests inside. NULL: no place is known at all. */
struct core_entry *core_pick_trunk(struct calls *c, const struct trunk *t,
				   struct slice key);
/* May response m to a request to a trunk's peer come from t (NULL: from no
 * trunk)? Other requests are not asked about: true. */
bool core_is_expected(const struct calls *c, const struct sip_msg *m,
		      const struct trunk *t);
/* Ask this place whether it is there; trunk: whose it is, or NULL. */
void core_probe(struct calls *c, struct core_entry *e, struct trunk *t);
/* Where requests go to the call manager that sent something from here. */
struct dest core_reply_dest(struct calls *c, const struct dest *from);
/* EVENT_CORE. */
void core_set(struct calls *c, const struct event_core *ev);
/* Time has passed. */
void core_timer(struct calls *c);
/* Free all. */
void core_reqs_free(struct calls *c);

/* --- trunk.c ------------------------------------------------------------ */
/* A system outside that is no phone: its peers are a group like that of the
 * call managers. Owned by struct calls, until it is gone and nobody points to
 * it (trunk_set). */
struct trunk {
	struct core group; /* of its peers; manager is the peer's number */
	struct core_entry *entry;
	struct table_node by_name;
	struct timerq_node timer; /* in calls.trunk_timers */
	uint32_t number;
	char *name; /* owned */
	struct call_policy policy;
	uint32_t managers;
	struct list owed; /* struct owed_bye, the oldest first */
	uint32_t owed_count;
};
/* Keep the BYE that leg owes to its trunk until the trunk's peer is known, for
 * 64*T1 at most; takes leg's dialog. O(1) but for those that are too old. */
void trunk_owe_bye(struct calls *c, struct leg *leg);
/* The trunk of an event, or NULL. */
struct trunk *trunk_of(const struct calls *c, const struct event_sip *ev);
/* The trunk of this name, or NULL. O(1). */
struct trunk *trunk_by_name(const struct calls *c, struct slice name);
/* Where the trunk's peers are reached for key, or NULL: it has none. */
struct core_entry *trunk_pick(struct calls *c, struct trunk *t,
			      struct slice key);
/* Where requests go to whom a message of the trunk came from: to its place,
 * where it has one at that address. */
struct dest trunk_reply_dest(struct trunk *t, const struct dest *from);
/* How the signalling to a peer of a trunk is protected. */
enum sig_level trunk_sig(const struct dest *d);
/* Is d a place of the trunk? */
bool trunk_has_place(struct trunk *t, const struct dest *d);
/* Something about its peers' health has changed: look at it in time. */
void trunk_rearm(struct calls *c, struct trunk *t);
/* The URI of a request, or a To, for the peer at to: where it names us, as
 * the call manager reaches us, it gets the peer's address. */
void trunk_map(struct sip_out_map *map, const struct leg *to);
/* Does a request to a peer of t, or on its behalf, wait for an answer? */
bool core_has_trunk(const struct calls *c, const struct trunk *t);
/* EVENT_TRUNK, EVENT_CORE of a trunk. */
void trunk_set(struct calls *c, const struct event_trunk *ev);
/* As trunk_set. */
void trunk_set_places(struct calls *c, const struct event_core *ev);
/* Time has passed. */
void trunk_timer(struct calls *c);
/* OPTIONS that asks whether we are there: may a call go on to the trunk? */
bool trunk_is_up(struct trunk *t);
/* Free all. */
void trunks_free(struct calls *c);

/* --- core_move.c -------------------------------------------------------- */
/* Set up. */
void core_move_init(struct calls *c);
/* Something changed: look at all bindings. */
void core_move_kick(struct calls *c);
/* Registering b elsewhere failed: again, later. */
void core_move_failed(struct calls *c, struct binding *b);
/* Time has passed. */
void core_move_timer(struct calls *c);
