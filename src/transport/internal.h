/* What the files of transport/ share; nobody else includes it. */
#pragma once

#include "base/bucket.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/table.h"
#include "transport/transport.h"

enum {
	EP_MAX = 256,	     /* listeners, connectors, datagram sockets */
	SCRATCH_LEN = 16384, /* bytes read at once */
	READ_ROUND = 65536,  /* bytes of one connection per loop round */
	DGRAM_BATCH = 16,    /* datagrams read at once */
	DGRAM_LEN = 65536,   /* longest datagram */
	SOURCE_KEY_LEN = 9   /* family and up to 64 bits of the address */
};

enum ep_kind { EP_LISTENER, EP_DGRAM, EP_CONNECTOR, EP_CONN };

/* What a handle leads to: the first member of each kind below. */
struct ep {
	enum ep_kind kind;
	struct transport *t;
	struct handle h;
	uint32_t tag;
};

/* Connections accepted from one address (IPv4) or network (IPv6 /64). */
struct source {
	struct table_node node;
	uint8_t key[SOURCE_KEY_LEN];
	uint32_t conns;
	uint32_t pending;
};

struct listener {
	struct ep ep;
	struct loop_fd w;
	struct loop_timer pause; /* after accept() ran out of descriptors */
	struct list wait_node;	 /* transport.waiting: pending_max is reached */
	enum transport_proto proto;
	struct addr local;
	struct tls_creds *creds;
	uint8_t dscp;
	bool is_trusted;
};

struct dgram {
	struct ep ep;
	struct loop_fd w;
	struct addr local;
};

struct connector {
	struct ep ep;
	enum transport_proto proto;
	struct addr peer;
	struct addr local;
	struct tls_creds *creds;
	char *expect_name; /* NULL = any */
	uint8_t dscp;
	struct handle conn; /* its connection; stale: has ended, which the
			       caller has not been told yet */
	uint64_t rest_until_ms;
	uint32_t failures; /* in a row */
};

enum conn_state {
	CONN_CONNECTING, /* connect() under way */
	CONN_HANDSHAKE,	 /* TLS */
	CONN_UP,
	CONN_LINGER, /* closing: the queue is being flushed */
	CONN_DEAD    /* waits for its funeral in the loop */
};

struct conn {
	struct ep ep;
	struct list node;      /* transport.conns */
	struct list turn_node; /* turns.waiting of one kind */
	struct loop_fd w;
	struct loop_timer timer; /* never later than the true deadline */
	struct loop_work work;	 /* tells the caller that it is down, frees */
	enum conn_state state;
	enum transport_proto proto;
	bool is_outgoing;
	bool was_up;	    /* conn_up was called */
	bool is_told;	    /* conn_down or connect_failed was called */
	bool is_counted;    /* in stats.conns and source */
	bool is_first_done; /* a unit was used up */
	bool is_pending;    /* counts as not yet trusted */
	bool is_shut;	    /* our direction is closed (linger) */
	bool is_held;	    /* out waits for conn_up to accept the peer */
	struct handle origin;
	struct addr peer;
	struct addr local;
	struct tls_session *tls; /* NULL when plain */
	struct source *source;	 /* accepted, untrusted listeners only */
	struct buf in;		 /* plaintext not used up */
	struct buf out;		 /* plain: to be sent; TLS: plaintext that
				    waits for the handshake and conn_up */
	uint64_t since_ms;	 /* begin of the present state */
	uint64_t rx_ms;		 /* last received byte */
	uint64_t unit_ms;	 /* begin of an incomplete unit; 0 = none */
	const char *reason;	 /* of the end */
};

/* What takes turns, a few per round of the loop (turn.c). */
enum turn {
	TURN_HANDSHAKE, /* a step of a handshake */
	TURN_PARTING,	/* the last bytes and the end of a connection that the
			   peer has closed */
	TURN_UNIT,	/* a unit that the caller wants a turn for */
	TURN_COUNT
};

struct turns {
	struct transport *t;
	enum turn kind;
	struct list waiting;   /* connections, first come first */
	struct loop_work work; /* takes them up */
	uint64_t round;	       /* of the loop, that left is about */
	uint8_t left;
	bool is_granted; /* a connection whose turn it is has not used it */
};

struct transport {
	struct loop *loop;
	const struct transport_cb *cb;
	void *ctx;
	struct transport_limits limits;
	struct transport_stats stats;
	/* stats.pending by protocol. */
	uint32_t pending[TRANSPORT_PROTO_COUNT];
	uint32_t outgoing;   /* of stats.conns: that we have made */
	struct slots eps;    /* all kinds */
	uint32_t ep_count;   /* all but connections */
	struct list conns;   /* also those whose handle is stale */
	struct list waiting; /* listeners that accept nothing for now */
	struct turns turns[TURN_COUNT];
	struct table sources;
	struct bucket log_bucket; /* of lines an outsider can cause */
	uint64_t log_muted;	  /* lines not written */
	uint8_t *scratch; /* SCRATCH_LEN of ciphertext, as much plaintext */
	uint8_t *dgrams;  /* DGRAM_BATCH * DGRAM_LEN, on demand */
};

/* transport.c */

/* Connections of our own making that there may be. They do not wait for room
 * among the accepted ones: their connectors are limited. Twice, as one may
 * linger while the next is made. */
uint32_t transport_outgoing_max(const struct transport_limits *l);
/* True when a line about an outsider may be logged now. */
bool transport_may_log(struct transport *t);
/* Give ep a handle. */
MUST_CHECK int transport_ep_add(struct transport *t, struct ep *ep,
				enum ep_kind kind, uint32_t tag);
/* The endpoint of that kind, or NULL. */
struct ep *transport_ep_find(const struct transport *t, struct handle h,
			     enum ep_kind kind);

/* listen.c */
void listener_free(struct listener *l);
/* A connection is pending no more: let waiting listeners accept again. */
void listeners_wake(struct transport *t);
/* Mark what fd sends; failure is logged. */
void transport_set_dscp(int fd, enum addr_family family, uint8_t dscp);

/* dgram.c */
MUST_CHECK int dgram_listen(struct transport *t,
			    const struct transport_listen *p,
			    struct handle *ret);
MUST_CHECK int dgram_send(struct dgram *d, const struct dest *to,
			  struct slice bytes);
void dgram_free(struct dgram *d);

/* connect.c */
MUST_CHECK int connector_send(struct connector *k, struct slice bytes);
void connector_free(struct connector *k);
/* Its connection is up. */
void connector_up(struct transport *t, struct handle connector);
/* The caller is about to be told that its connection c has ended. */
void connector_parted(struct transport *t, const struct conn *c);
/* Its connection ended before it was up. */
void connector_failed(struct transport *t, struct handle connector,
		      const char *reason);

/* conn.c */
struct conn_params {
	int fd;
	enum transport_proto proto;
	bool is_outgoing;
	uint32_t tag;
	struct handle origin;
	struct addr peer;
	struct tls_creds *creds;
	const char *expect_name;
	struct source *source; /* is given back by the connection */
	bool is_pending;
};

/* It is c's turn. */
void conn_turn(struct conn *c, enum turn kind);
/* Take over fd (on success); outgoing: connect() is under way. */
MUST_CHECK int conn_new(struct transport *t, const struct conn_params *p,
			struct conn **ret);
/* Queue bytes; ends the connection when the queue is full or broken. */
MUST_CHECK int conn_send(struct conn *c, struct slice bytes);
/* Flush, then end. */
void conn_close(struct conn *c, const char *reason);
/* Free at once, without upcalls. */
void conn_free(struct conn *c);
void conn_trust(struct conn *c);
void conn_resume(struct conn *c);
void conn_peer(const struct conn *c, struct transport_peer *ret);

/* source.c */

/* Count one more connection from peer, or say why not (NULL and *ret_counter,
 * the counter of the refusal). */
struct source *source_take(struct transport *t, const struct addr *peer,
			   uint64_t **ret_counter);
/* One connection less; frees the record of the last one. */
void source_drop(struct transport *t, struct source *s);

/* turn.c */

/* Nobody waits yet. */
void turns_init(struct transport *t);
/* All connections must be gone. */
void turns_done(struct transport *t);
/* c is heard again when its turn comes; harmless when it waits already. */
void turn_wait(struct conn *c, enum turn kind);
