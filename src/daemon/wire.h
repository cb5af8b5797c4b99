/*
 * What the monitor and a worker say to each other: tagged byte strings over a
 * SEQPACKET channel, big-endian (base/reader, base/writer). Pure functions.
 *
 * Monitor: QUERY (number, command, argument) asks for rows; LINK (which, with
 * one descriptor) is a new line to a restarted process.
 * SHIELD (as proxy/shield.h writes it) tells what IPsec protects.
 * LEASE (which limit, how much) tells how much of it the worker may use.
 * Worker:  READY once; USE says how much it uses and, having followed LEASE
 * number, may use; ROWS (number, is_last, JSON array) answers a QUERY, in
 * pieces.
 * Either: ARRIVED (bytes) passes on that a phone has come to another worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

enum { DWIRE_ROWS_MAX = 60000 }; /* bytes of JSON in one ROWS */

enum dwire_op {
	DWIRE_READY = 'R',
	DWIRE_QUERY = 'Q',
	DWIRE_ROWS = 'A',
	DWIRE_LINK = 'L',
	DWIRE_LEASE = 'E',
	DWIRE_USE = 'U',
	DWIRE_ARRIVED = 'V',
	DWIRE_SHIELD = 'I'
};

/* Limits of the whole daemon, of which each worker has a lease. */
enum dwire_limit {
	DWIRE_CALLS,
	DWIRE_REGISTRATIONS,
	DWIRE_CONNECTIONS,
	DWIRE_TRANSACTIONS,
	DWIRE_SUBSCRIPTIONS,
	DWIRE_LIMITS /* count */
};

enum dwire_link { DWIRE_MEDIA = 'm', DWIRE_STORE = 's', DWIRE_KEYS = 'k' };

struct dwire_msg {
	enum dwire_op op;
	uint32_t number;	/* QUERY, ROWS; LEASE, USE: of the lease */
	uint8_t command;	/* QUERY: enum control_id */
	enum dwire_link link;	/* LINK */
	bool is_last;		/* ROWS */
	enum dwire_limit limit; /* LEASE, USE */
	uint32_t amount;	/* LEASE: may be used; USE: the same, now */
	uint32_t used;		/* USE */
	struct slice text; /* QUERY: argument; ROWS: JSON; ARRIVED; SHIELD */
};

enum { DWIRE_ADOPT_LEN = 5 };

/* Append the message that brings a worker's line, as a descriptor, to the
 * media, store or keys process: which worker speaks over it. */
void dwire_adopt_write(struct writer *w, uint32_t worker);
/* Read what dwire_adopt_write wrote, exactly. ERR_BAD. */
MUST_CHECK int dwire_adopt_read(struct slice s, uint32_t *ret_worker);
enum { DWIRE_PING_LEN = 2 };

/* What a child answers to a ping. */
#define DWIRE_PONG "P"

/* Append the question whether a child is alive; level: of log messages that
 * it shall write from now on (enum log_level). */
void dwire_ping_write(struct writer *w, uint8_t level);
/* Is s such a question? ERR_BAD: something else. */
MUST_CHECK int dwire_ping_read(struct slice s, uint8_t *ret_level);
/* Append m. */
void dwire_write(struct writer *w, const struct dwire_msg *m);
/* Read what dwire_write wrote, exactly; *ret views s. ERR_BAD. */
MUST_CHECK int dwire_read(struct slice s, struct dwire_msg *ret);
