/*
 * The call managers as a group, or the peers of a trunk: where each one is,
 * whether it answers, and which of them a phone is served by. A call manager is a section of the
 * configuration; a place is one address of it (a host name may have several).
 * Health is counted per place, from OPTIONS and from what every request comes
 * to. A place that came up again is preferred to a worse one only after a
 * hold-down, which doubles while it does not stay up (no flapping). Pure: what
 * is sent and what follows is core_req.c's and core_move.c's business.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/dest.h"
#include "base/err.h"
#include "base/handle.h"
#include "base/slice.h"

enum {
	CORE_PLACES_MAX = 64,	   /* of all call managers */
	CORE_MANAGERS_MAX = 16,	   /* call managers */
	CORE_NAME_MAX = 64,	   /* bytes of a name */
	CORE_PROBE_FAST_MS = 1000, /* interval while in doubt */
	CORE_FLAPS_MAX = 4	   /* the hold-down doubles so often */
};

/* Where a call manager is. */
struct core_place {
	uint32_t manager;  /* index of its section */
	uint32_t priority; /* the section's: the lowest is asked first */
	uint16_t order;	   /* the same among the places of one manager */
	uint16_t weight;   /* share among equal ones; 0 counts as 1 */
	char name[CORE_NAME_MAX + 1]; /* the section's */
	struct dest dest;
	struct dest large; /* instead of dest for what no datagram holds;
			      ep none: there is no such way */
};

struct core_params {
	uint32_t options_interval_ms; /* 0 = no OPTIONS */
	uint32_t failures;	      /* in a row until down; 0 = 1 */
	uint32_t successes;	      /* OPTIONS in a row until up; 0 = 1 */
	uint32_t hold_down_ms;
	uint32_t try_timeout_ms; /* patience while there is another place */
	uint32_t register_rate;	 /* registrations made anew a second */
	uint32_t datagram_max;	 /* bytes; 0 = no limit */
};

struct core_entry {
	struct core_place place;
	uint32_t gen;	/* 0 = free */
	bool is_listed; /* false: the name no longer leads here */
	bool is_up;
	bool is_probing;    /* an OPTIONS is under way */
	uint8_t wants_cred; /* it told the nonce of the next request: bits of
			       core_req.c, 1 for REGISTER, 2 for others */
	uint32_t failures;  /* in a row */
	uint32_t successes; /* in a row, while down */
	uint32_t epoch;	    /* grows each time it goes down: registrations
			       made before may be lost */
	uint32_t flaps;
	uint64_t changed_ms;
	uint64_t settled_ms; /* preferred from then on */
	uint64_t probe_ms;   /* next OPTIONS; UINT64_MAX = never */
};

struct core {
	struct core_params p;
	uint32_t next_gen;
	uint32_t used; /* entries that may hold a place */
	uint32_t cap;
	struct core_entry *entry; /* cap of them, the caller's */
};

/* A group without places, with room for cap (at most CORE_PLACES_MAX) of them
 * in entry, which outlives g. */
void core_init(struct core *g, const struct core_params *p,
	       struct core_entry *entry, uint32_t cap);
/*
 * These n places (all of one manager) are where it is from now on. Places it
 * had already keep their health; those that are not named any more serve
 * nobody new. ERR_LIMIT when some did not fit; the others are taken.
 */
MUST_CHECK int core_set_places(struct core *g, uint32_t manager,
			       const struct core_place *place, uint32_t n,
			       uint64_t now_ms);
/* The place of a handle, or NULL when it is gone. */
struct core_entry *core_get(struct core *g, struct handle h);
/* Handle of an entry of g. */
struct handle core_handle(const struct core *g, const struct core_entry *e);
/* The place whose dest or large is d, or NULL. */
struct core_entry *core_by_dest(struct core *g, const struct dest *d);
/* The place a message from this address belongs to, by IP address, and by
 * port where several have it; NULL: a stranger. Places that are no longer
 * listed count: their calls go on. */
const struct core_entry *core_by_peer(const struct core *g,
				      const struct addr *peer);
/*
 * The place that serves key (a phone's name: the same one gets the same place
 * as long as nothing changes), without those whose index bits are set in
 * tried. Of what is up the lowest priority, settled ones first; when nothing
 * is up, the best of all, so that a phone is refused by an answer that failed
 * to come and not by a guess. NULL: there is none left.
 */
struct core_entry *core_choose(struct core *g, struct slice key, uint64_t tried,
			       uint64_t now_ms);
/* Mask of places for core_choose's tried: those of managers that are not in
 * the bits of managers. */
uint64_t core_without(const struct core *g, uint32_t managers);
/* True when core_choose would find a place that is up. */
bool core_has_other(struct core *g, uint64_t tried);
/* Bit of e in a tried mask. */
uint64_t core_bit(const struct core *g, const struct core_entry *e);
/*
 * Should what is registered at place h (since epoch) be registered elsewhere,
 * or there anew? Returns that place, or NULL when it is well where it is.
 * Not one of those in the mask without.
 */
struct core_entry *core_better(struct core *g, struct handle h, uint32_t epoch,
			       struct slice key, uint64_t without,
			       uint64_t now_ms);
/* A request to e was answered (is_ok), or was not. is_probe: it was an
 * OPTIONS of ours. True when e went up or down. */
bool core_result(struct core *g, struct core_entry *e, bool is_ok,
		 bool is_probe, uint64_t now_ms);
/* An answer came from e that may be its own trouble, or that of somebody behind
 * it: it is asked soon, where it is asked at all. */
void core_doubt(struct core *g, struct core_entry *e, uint64_t now_ms);
/* A place whose OPTIONS is due; it counts as under way. NULL: none. */
struct core_entry *core_probe_next(struct core *g, uint64_t now_ms);
/* When something is due: an OPTIONS, or a place that becomes settled (after
 * now_ms); UINT64_MAX = never. */
uint64_t core_deadline(const struct core *g, uint64_t now_ms);
