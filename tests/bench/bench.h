/*
 * make bench: two relays, the same packets, by turns. subject.h says how a
 * relay is started and given calls, gen.h sends and measures, bench.c decides
 * and prints.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "flow/flow.h"

enum {
	CALLS_MAX = 400,  /* 2 flows each */
	GEN_PORT = 20000, /* generator: RTP of leg 0; leg 1 two above */
	RELAY_PORT = 30000,
	CPU_GEN = 0,
	CPU_RELAY = 1,
	PAYLOAD = 160 /* G.711, 20 ms */
};

/* Where relay and generator are, and the suite of leg 1. */
struct setup {
	struct addr host; /* the relay's; without a port */
	enum suite suite;
	bool is_shared; /* one processor for all: nobody is pinned */
};

extern struct setup setup; /* the loopback and AES_CM_128_HMAC_SHA1_80 */

/* Leg 0 is plain RTP (the call manager), leg 1 SRTP (the phone). */
struct call {
	struct addr self[2];	    /* their addresses */
	struct addr relay[2];	    /* where each leg sends to */
	struct flow_key to_relay;   /* leg 1 protects with it */
	struct flow_key from_relay; /* leg 1 receives under it */
};

/* A relay under test. */
struct subject {
	const char *name;
	/* Start it on CPU_RELAY; returns its pid, exits on failure. */
	pid_t (*start)(void);
	/* Make a call between c->self[0] and c->self[1]: fills relay[],
	 * to_relay, from_relay. */
	void (*call_add)(unsigned i, struct call *c);
	/* End it and wait for the process. */
	void (*stop)(pid_t pid);
};

extern const struct subject subject_ours;
extern const struct subject subject_queue;  /* ours, by a packet queue */
extern const struct subject subject_kernel; /* ours, by nf_srtp */
extern const struct subject subject_rtpengine;
extern const struct subject subject_rtpengine_kernel;

struct run {
	unsigned calls; /* each 2 x 50 packets a second */
	unsigned seconds;
	bool verify; /* check every byte; no figures then */
};

struct result {
	uint64_t sent;
	uint64_t received;
	uint64_t wrong;	       /* verify: not what was sent */
	double cpu_us;	       /* relay's CPU time per packet */
	double p50_us, p99_us; /* delay */
};

/* Send through subject s (NULL: to sockets nobody reads, for the baseline)
 * and measure. softirq_base_us: the baseline's softirq time per packet. */
void gen_run(const struct subject *s, const struct run *r,
	     double softirq_base_us, struct result *ret);
/* Print like printf to stderr and exit(1). */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* CPU time of all threads of pid. */
uint64_t cpu_ns(pid_t pid);
/* Run the calling process on this CPU only, before all others. */
void pin(unsigned cpu);
