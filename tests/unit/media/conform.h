/*
 * What every media backend must do, as cases over real sockets on the
 * loopback, or between network namespaces: whoever implements media/backend.h names itself (conform_backend)
 * and runs them all (conform_run). The rig is one stream: leg 0 is the call
 * manager in plain RTP, leg 1 the phone in SRTP. Waits are for packets and
 * bounded; nothing sleeps.
 */
#pragma once

#include <check.h>
#include <sys/socket.h>

#include "media/media.h"
#include "media/wire.h"
#include "rtp/srtp.h"

enum { CONFORM_BUF = 2048 };

/* How long to wait for what must come, in ms: 5 s, times
 * CK_TIMEOUT_MULTIPLIER on slow machines. */
int conform_wait_ms(void);

/* A backend under test. */
struct conform_backend {
	const char *name;
	/* A new one with these limits; 0 = as it likes. */
	int (*new)(const struct media_socket_params *p,
		   struct media_backend **ret);
};

/* [leg][0] is RTP, [leg][1] RTCP. */
struct rig {
	struct media *media;
	uint64_t owner;
	struct flow flow[2];
	struct addr self[2][2];
	int fd[2][2];
	struct rtp_srtp *phone_out; /* phone -> relay */
	struct rtp_srtp *phone_in;  /* relay -> phone */
};

extern const struct conform_backend *conform_backend;
/* The packet at hand. */
extern uint8_t conform_buf[CONFORM_BUF];

/* A media process over the backend under test. */
struct media *conform_media(const struct media_params *p);
/*
 * A socket of the parties' side, bound or not. That side is the loopback, or,
 * with CONFORM_NETNS, CONFORM_PARTY and CONFORM_RELAY in the environment (a
 * file, and "IPv4 IPv6" twice), another network namespace.
 */
int conform_socket(sa_family_t family, int type, int protocol);
int conform_bound(sa_family_t family, struct addr *ret);
/* An even port whose neighbour is free too. */
struct addr conform_free_pair(sa_family_t family);
/* Send the request, read the answer, which lives until the next one. */
struct media_reply *conform_ask(const struct rig *r, const struct writer *rq);
/* ADD of r's flows, UPDATE, QUERY and DEL of one leg's; error or counters. */
int rig_add(const struct rig *r);
int rig_update(const struct rig *r, int leg);
struct flow_stats rig_query(const struct rig *r, int leg);
int rig_del(const struct rig *r, int leg);
/* Key of a seed. */
struct flow_key conform_key(uint8_t seed);
/* A stream in a media process of its own, or (media not NULL) in that one;
 * keys are seed and seed + 1, flow ids too. */
struct rig rig_new(sa_family_t family, enum flow_latch latch);
struct rig rig_in(struct media *m, uint64_t owner, enum flow_latch latch,
		  uint8_t seed);
/* Close its sockets; with the media process, or without. */
void rig_free(struct rig *r);
void rig_done(struct rig *r);
/* Send the first len bytes of the packet from fd. */
void conform_send(int fd, const struct addr *to, size_t len);
/* The same from a leg's party to the relay. */
void rig_send(const struct rig *r, int leg, bool rtcp, size_t len);
/* The next packet at fd, or -1 after conform_wait_ms. */
ssize_t conform_receive(int fd);
/* Make a plain RTP or RTCP packet, an SRTP packet of s; its length. */
size_t conform_rtp(uint16_t seq);
size_t conform_rtcp(void);
size_t conform_srtp(struct rtp_srtp *s, uint16_t seq);
/* The packet carries what conform_rtp put into it. */
void conform_is_payload(void);
/* One RTP packet each way, checked at its end. */
void rig_talk(struct rig *r, uint16_t seq);

/* Cases about one stream, every suite, attacks, two that lead into each other,
 * and moving to another backend. */
TCase *conform_stream_cases(void);
TCase *conform_suite_cases(void);
TCase *conform_attack_cases(void);
TCase *conform_join_cases(void);
TCase *conform_move_cases(void);
/* All of them for b, and more (NULL: none) of its own; how many failed. */
int conform_run(const struct conform_backend *b, TCase *more);
