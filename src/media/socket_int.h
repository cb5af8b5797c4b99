/*
 * Inside of the socket backend, for media/socket*.c only: socket.c moves
 * packets and owns the threads, socket_flows.c does the commands. A shard is a
 * thread with its epoll and its flows; its lock protects them. Commands come
 * from one thread, packets from the shards'.
 */
#pragma once

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/handle.h"
#include "base/table.h"
#include "media/backend.h"
#include "media/path.h"
#include "media/socket.h"

enum {
	ROUND_MAX = 64,	   /* sockets served under one lock */
	WAITING_MAX = 256, /* flows to be connected */
	OUTBOX_MAX = 1024, /* events not yet taken */
};

/* Where packets leave to, in the system's form, made anew when the path's
 * epoch moves. */
struct target {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	socklen_t len;	  /* 0 = nowhere */
	uint8_t from_odd; /* 1: leaves from the RTCP socket */
};

/* What each packet needs comes first: two cache lines. */
struct relay_flow {
	struct path *path;
	struct relay_flow *exit; /* packets leave from there; NULL = nowhere */
	int fd[2];		 /* RTP, RTCP; -1 = closed */
	int connected;		 /* RTP, to to[0] alone; -1 = none */
	struct target to[2];	 /* this flow's remote party */
	uint32_t epoch;		 /* of the path when to[] was made */
	struct handle handle;	 /* in shard->slots */
	struct relay_flow *peer; /* NULL = not (or no longer) there */
	struct relay_flow *far;	 /* see op_join; NULL = not joined */
	uint64_t key[2];	 /* owner, id */
	bool is_waiting;	 /* in shard->waiting, or tried in vain */
	uint8_t owed; /* bit per event kind: found no room in the outbox */
	struct journal_record *record;	   /* NULL: none */
	uint8_t local[ADDR_KEY_LEN];	   /* RTP address */
	struct table_node by_key, by_addr; /* in the shard's */
};

/* A packet of the present round. */
struct job {
	struct relay_flow *flow; /* arrived here; NULL = nothing to send */
	struct path_packet pkt;
	bool is_connected; /* came by that socket */
	size_t received;   /* bytes, as it arrived */
	uint8_t buf[PATH_BUF_MAX];
};

struct shard {
	pthread_mutex_t lock; /* everything below */
	pthread_t thread;
	struct relay *relay;
	struct table by_key;
	struct table by_addr; /* local, RTP */
	struct slots slots;
	uint64_t next_sweep_ms;
	struct handle waiting[WAITING_MAX]; /* a ring, see socket_near.c */
	uint32_t waiting_head, waiting_count;
	struct job job[ROUND_MAX];
	atomic_uint waiters; /* commands that want the lock */
	int epoll;
	int wake; /* eventfd: leave epoll_wait and look at is_stopping */
	atomic_bool is_stopping;
	bool has_thread;
};

struct relay {
	struct media_backend base;
	struct media_socket_params params;
	struct shard *shard; /* params.threads of them */
	uint32_t shards;
	bool is_ending;	     /* flows go, what is noted of them stays */
	struct queue *queue; /* queue.c's; NULL: it is a plain socket relay */
	/* Where a flow with this port was put last: a good guess. */
	atomic_uchar shard_of[UINT16_MAX + 1];
	atomic_uint flows;
	atomic_uint connected; /* sockets */
	uint64_t descriptors;  /* that the process may have */
	pthread_mutex_t out_lock; /* outbox */
	struct media_event outbox[OUTBOX_MAX];
	uint32_t out_head, out_count;
	int out_fd; /* eventfd, readable while the outbox is not empty */
};

/* --- socket.c ----------------------------------------------------------- */
/* Monotonic. */
uint64_t socket_now_ms(void);
/*
 * Relay what did not come by a socket but was sent to local: j's packet, but
 * for is_rtcp. False: no flow has that address, nothing happened.
 */
bool socket_relay(struct relay *r, const struct addr *local, struct job *j,
		  uint64_t now_ms);
/* See media/backend.h. */
int socket_event_fd(struct media_backend *b);
/* See media/backend.h. */
bool socket_next_event(struct media_backend *b, struct media_event *ret);
/* See media/backend.h. */
void socket_free(struct media_backend *b);
/* Put out an event about f; false when the outbox is full. */
bool socket_emit(struct relay *r, enum media_event_kind kind,
		 const struct relay_flow *f);
/* Make f's targets anew when its path's epoch moved. */
void socket_refresh_target(struct relay *r, struct relay_flow *f);
/* Have the shard read fd; data comes back with it. ERR_IO. */
MUST_CHECK int socket_watch(struct shard *s, int fd, uint64_t data);

/* Read, judge and send what came to f, which has a connected socket, by that or
 * by the first one for RTP; a round's worth at most. */
void socket_drain(struct shard *s, struct relay_flow *f, bool is_connected);

/* --- socket_near.c: connected sockets ------------------------------------ */
/* f's party proved itself: soon it has a socket of its own. */
void socket_near_want(struct shard *s, struct relay_flow *f);
/* Connect some of those who wait. */
void socket_near_serve(struct shard *s);
/* For each flow now and then: give back what is needed more elsewhere, want
 * what was not possible before. */
void socket_near_sweep(struct shard *s, struct relay_flow *f);
/* f goes on with the sockets that it began with; what has come is relayed. */
void socket_near_leave(struct shard *s, struct relay_flow *f);
/* f's party is elsewhere, or f goes; what has come is not read. */
void socket_near_drop(struct relay *r, struct relay_flow *f);

/* --- socket_flows.c: what media_backend_ops asks for --------------------- */
/* The flow at this local address, and its shard entered; NULL: entered none. */
struct relay_flow *socket_find_enter(struct relay *r, const struct addr *local,
				     struct shard **ret);
/* Leave a shard that was entered. */
void socket_leave(struct shard *s);
/* See media/backend.h. */
int socket_add(struct media_backend *b, uint64_t owner, const struct flow *f,
	       uint32_t n);
/* See media/backend.h. */
int socket_revive(struct media_backend *b, uint64_t owner, const struct flow *f,
		  uint32_t n);
/* See media/backend.h. */
int socket_update(struct media_backend *b, uint64_t owner,
		  const struct flow *conf);
/* See media/backend.h. */
int socket_join(struct media_backend *b, const uint64_t flow[2],
		const uint64_t far[2]);
/* See media/backend.h. */
void socket_part(struct media_backend *b, const uint64_t flow[2]);
/* See media/backend.h. */
int socket_remove(struct media_backend *b, uint64_t owner, uint64_t id,
		  struct flow_stats *ret_last);
/* See media/backend.h. */
int socket_take(struct media_backend *b, uint64_t owner, const uint64_t *id,
		uint32_t n, struct media_state *ret);
/* See media/backend.h. */
int socket_give(struct media_backend *b, uint64_t owner, const struct flow *f,
		const struct media_state *s, uint32_t n);
/* See media/backend.h. */
int socket_query(struct media_backend *b, uint64_t owner, uint64_t id,
		 struct flow_stats *ret);
/* See media/backend.h. */
void socket_flush(struct media_backend *b, uint64_t owner);
/* See media/backend.h: a process' sockets end with it. */
void socket_sweep(struct media_backend *b, uint64_t owner);
/* Remove the flows of owner, or all. */
void socket_flush_shard(struct shard *s, bool all, uint64_t owner);
