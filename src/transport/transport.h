/*
 * Endpoints: listeners, connections, connectors and datagram sockets. Bytes
 * come up, bytes go down; framing and meaning belong to the caller. Every
 * buffer, queue and count an outsider can fill has a limit and a counter.
 * Upcalls come from the loop only, never from inside a transport_* call, so
 * a caller may send and close from everywhere. One thread (the loop's).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/dest.h"
#include "base/err.h"
#include "base/handle.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "tls/creds.h"
#include "tls/session.h"

struct transport;

enum transport_proto {
	TRANSPORT_UDP,
	TRANSPORT_TCP,
	TRANSPORT_TLS,
	TRANSPORT_PROTO_COUNT
};

/* Facts about a connection, valid during the upcall. */
struct transport_peer {
	enum transport_proto proto;
	uint32_t tag;		     /* of its listener or connector */
	struct handle origin;	     /* its listener or connector */
	bool is_outgoing;	     /* we connected */
	struct addr peer;	     /* the other side */
	struct addr local;	     /* our side */
	const struct tls_facts *tls; /* NULL when not TLS */
};

/* Upcalls; all are required. ctx: transport_params.ctx. */
struct transport_cb {
	/* A connection is up: TCP connected, TLS verified. What waits in its
	 * connector goes out when this returns; nothing of it does when this
	 * closes the connection. */
	void (*conn_up)(void *ctx, struct handle conn,
			const struct transport_peer *peer);
	/*
	 * len bytes of a stream's plaintext wait at buf (valid during the
	 * call). Returns how many were used up, 0 when a unit is incomplete,
	 * ERR_MORE when a whole unit has to wait (transport_turn), or another
	 * negative enum err to close the connection; then *reterr_reason
	 * (static text) tells the log why. Called again with the rest only
	 * when more bytes have come or something was used up.
	 */
	long (*data)(void *ctx, struct handle conn, const uint8_t *buf,
		     size_t len, const char **reterr_reason);
	/* A datagram came in on endpoint ep; from.ep == ep. tag: its
	 * endpoint's. */
	void (*datagram)(void *ctx, uint32_t tag, const struct dest *from,
			 struct slice bytes);
	/* A connection that was up is gone; its handle is stale already.
	 * reason: static text. Once per conn_up. */
	void (*conn_down)(void *ctx, struct handle conn, const char *reason);
	/* A connector could not connect (or was refused by TLS): everything
	 * queued for it is lost. reason: static text. */
	void (*connect_failed)(void *ctx, struct handle connector,
			       const char *reason);
};

/* Limits; 0 in any field means its default. Times in ms. */
struct transport_limits {
	uint32_t conn_max;	     /* connections, both directions, with
					which nobody more is let in; 4096 */
	uint32_t conn_source_max;    /* accepted from one IPv4 address or IPv6
				      /64; 64 */
	uint32_t pending_max;	     /* accepted and not yet trusted, of TLS
					and of plain ones; more wait in the
					kernel; 512 */
	uint32_t pending_source_max; /* the same from one source; 16 */
	uint32_t read_max;	     /* bytes of one stream's buffer; 81920 */
	uint32_t write_max;	     /* bytes waiting for one peer; 262144 */
	uint32_t handshake_ms;	     /* connect and TLS handshake; 5000 */
	uint32_t first_ms;  /* until the first unit was used up; 10000 */
	uint32_t rest_ms;   /* until a begun unit is complete; 10000 */
	uint32_t idle_ms;   /* without a received byte; 900000 */
	uint32_t linger_ms; /* to flush a closing stream; 2000 */
	uint32_t retry_ms;  /* connector's pause after a failure, doubled by
			       each further one up to eight times; 1000 */
};

struct transport_params {
	struct loop *loop;	       /* outlives the transport */
	const struct transport_cb *cb; /* outlives the transport */
	void *ctx;		       /* for cb */
	struct transport_limits limits;
};

/* Everything counted since the start. */
struct transport_stats {
	uint64_t accepted;		 /* connections let in */
	uint64_t connected;		 /* connections made by us */
	uint64_t refused_total;		 /* accept: conn_max */
	uint64_t refused_source;	 /* accept: conn_source_max */
	uint64_t accept_waits;		 /* accept had to wait: pending_max */
	uint64_t refused_pending_source; /* accept: pending_source_max */
	uint64_t accept_errors;		 /* accept() itself failed */
	uint64_t timeout_handshake;
	uint64_t timeout_first;
	uint64_t timeout_rest;
	uint64_t timeout_idle;
	uint64_t closed_read_limit;  /* unit longer than read_max */
	uint64_t closed_write_limit; /* peer did not take write_max bytes */
	uint64_t closed_by_caller;   /* data() said so, transport_close */
	uint64_t closed_by_peer;
	uint64_t closed_by_error; /* reset, broken TLS record */
	uint64_t connect_failed;
	uint64_t tls_up;      /* handshakes done */
	uint64_t tls_null;    /* of these: integrity only */
	uint64_t tls_resumed; /* of these: by ticket */
	uint64_t tls_refused[TLS_REFUSAL_COUNT];
	uint64_t datagrams_in;
	uint64_t datagrams_out;
	uint64_t datagrams_truncated; /* larger than the buffer: dropped */
	uint64_t datagrams_unsent;    /* the system refused */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint32_t conns;	  /* now */
	uint32_t pending; /* now: accepted and not yet trusted */
};

/* A new transport. ERR_NOMEM. */
MUST_CHECK int transport_new(const struct transport_params *p,
			     struct transport **ret);
/* Other limits from now on; connections that are there stay, their deadlines
 * too. Here a conn_max of 0 means that nobody is let in. */
void transport_set_limits(struct transport *t,
			  const struct transport_limits *l);
/* Close everything without upcalls, free; takes NULL, returns NULL. */
struct transport *transport_free(struct transport *t);

/*
 * Bind a socket for proto at addr: SO_REUSEADDR, SO_REUSEPORT when reuse_port,
 * IPV6_V6ONLY, non-blocking, close-on-exec, listening when it is a stream.
 * For the monitor; needs no struct transport. *ret_fd is the caller's.
 * ERR_IO with errno.
 */
MUST_CHECK int transport_bind(enum transport_proto proto,
			      const struct addr *addr, bool reuse_port,
			      int *ret_fd);

/*
 * Sockets that transport_bind bound to one address with reuse_port are a group
 * of count: from now on the kernel gives a connection or datagram from one
 * source (IPv4 address or IPv6 /64) always to the same of them, in the order
 * in which they were bound. fd: any of them. It holds as long as none is
 * closed. ERR_IO with errno.
 */
MUST_CHECK int transport_steer(int fd, enum addr_family family, uint32_t count);
/* Sources that belong to one of the group whatever the others do. */
struct transport_rule {
	struct addr net; /* port does not count */
	uint8_t bits;	 /* of net that count */
	uint32_t to;	 /* below count */
};
enum { TRANSPORT_RULES_MAX = 400 };
/*
 * The same, but the first rule (of n) that holds decides, of those of family;
 * when none does, the hash of the source over count, or with rest, below count,
 * that one (TRANSPORT_HASHED: the hash). O(n) in the kernel for each connection
 * or datagram. ERR_IO with errno; ERR_LIMIT: more than TRANSPORT_RULES_MAX.
 */
MUST_CHECK int transport_steer_by(int fd, enum addr_family family,
				  uint32_t count,
				  const struct transport_rule *rule, size_t n,
				  uint32_t rest);
#define TRANSPORT_HASHED UINT32_MAX
/* The one of count that transport_steer chooses for this source. */
uint32_t transport_steered(const struct addr *source, uint32_t count);

struct transport_listen {
	enum transport_proto proto; /* UDP gives a datagram endpoint */
	int fd;	      /* bound; the transport owns it on success */
	uint32_t tag; /* the caller's: comes back in transport_peer */
	struct tls_creds *creds; /* TLS: a reference is taken */
	uint8_t dscp;		 /* 0..63, marks what we send; 0 = leave */
	bool is_trusted; /* its connections are trusted from the start and
			     count against conn_max alone: the core side */
};

/*
 * Serve a bound socket. The handle names the listener, or the datagram
 * endpoint to send from. ERR_NOMEM, ERR_LIMIT (256 of them), ERR_IO.
 */
MUST_CHECK int transport_listen(struct transport *t,
				const struct transport_listen *p,
				struct handle *ret);
/* Credentials for handshakes from now on, of a TLS listener or connector:
 * reload. ERR_NOTFOUND. */
MUST_CHECK int transport_set_creds(struct transport *t, struct handle ep,
				   struct tls_creds *creds);
/* Stop serving; its connections stay. */
void transport_unlisten(struct transport *t, struct handle listener);
/* Address a listener or datagram endpoint is bound to. ERR_NOTFOUND. */
MUST_CHECK int transport_local(const struct transport *t, struct handle ep,
			       struct addr *ret);

struct transport_connect {
	enum transport_proto proto; /* TCP or TLS */
	struct addr peer;	    /* where to */
	struct addr local;	 /* where from; ADDR_NONE: the system's choice,
				     port 0: any port */
	uint32_t tag;		 /* the caller's */
	struct tls_creds *creds; /* TLS: a reference is taken */
	const char *expect_name; /* TLS: name in the server's certificate, or
				     NULL; copied */
	uint8_t dscp;		 /* 0..63 */
};

/*
 * A connector: a place to send to, which connects when it is needed and again
 * after the connection has gone. Its connections are announced by conn_up with
 * origin = the connector and are trusted. No connection is made yet.
 * ERR_NOMEM, ERR_LIMIT (256 with the listeners, and limits.conn_max),
 * ERR_UNSUPPORTED.
 */
MUST_CHECK int transport_connector(struct transport *t,
				   const struct transport_connect *p,
				   struct handle *ret);
/* Close the connector and its connection. */
void transport_connector_del(struct transport *t, struct handle connector);

/*
 * Send all of bytes (copied) to d: d->ep may be a connection, a connector (the
 * bytes wait until it is connected) or a datagram endpoint (then d->peer is
 * the address, and d->local the source address when the socket is bound to
 * any). ERR_NOTFOUND for a stale handle, ERR_LIMIT when the queue is full (the
 * connection is then closed), ERR_CLOSED while a connector rests after a
 * failure or the end of its connection is still to be told, ERR_IO when the
 * system refused a datagram, ERR_NOMEM.
 */
MUST_CHECK int transport_send(struct transport *t, const struct dest *d,
			      struct slice bytes);
/*
 * Close a connection: what is queued is flushed first (limits.linger_ms). The
 * handle is stale at once, conn_down follows from the loop. reason: static
 * text. Harmless with a stale handle.
 */
void transport_close(struct transport *t, struct handle conn,
		     const char *reason);
/* data() left bytes lying for a reason of the caller's: offer them again, from
 * the loop. Harmless with a stale handle. */
void transport_resume(struct transport *t, struct handle conn);
/*
 * May data() go on with a unit that costs much more than others? So it may a
 * few times in each round of the loop. false: the turn of others comes first;
 * data() must then return ERR_MORE, the connection is not read meanwhile (what
 * is sent on it goes out), and
 * data() is called with the same bytes when its own turn has come.
 */
MUST_CHECK bool transport_turn(struct transport *t);
/* The caller has authenticated this connection: it no longer counts as
 * pending. Connections with a verified client certificate, and those of
 * trusted listeners, are trusted by themselves. */
void transport_trust(struct transport *t, struct handle conn);
/* Facts about a live connection; *ret is valid until the loop goes on.
 * ERR_NOTFOUND. */
MUST_CHECK int transport_peer(const struct transport *t, struct handle conn,
			      struct transport_peer *ret);
/* The struct dest that answers on conn. ERR_NOTFOUND. */
MUST_CHECK int transport_dest(const struct transport *t, struct handle conn,
			      struct dest *ret);
/* Counters; lifetime of t. */
const struct transport_stats *transport_stats(const struct transport *t);
/* "udp", "tcp" or "tls". */
const char *transport_proto_str(enum transport_proto p);
