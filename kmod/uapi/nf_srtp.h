/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * nf_srtp: relays RTP and SRTP inside the kernel. This is its whole interface:
 * a generic netlink family, in the network namespace of the socket.
 *
 * FLOWS
 *   A flow is one direction of media: packets that arrive at its LOCAL address
 *   from its REMOTE party, protected by the key IN, leave protected by the key
 *   OUT. They leave from the LOCAL address of another flow of the same owner,
 *   its PEER, towards the REMOTE (or learned) address of that one. The media
 *   of a call is thus a pair of flows, each the other's peer. RTP arrives at
 *   LOCAL, RTCP at LOCAL_RTCP (the port after it, unless said otherwise), and
 *   RTCP may also arrive at LOCAL (RFC 5761); where it leaves to is the matter
 *   of the flow it leaves from (F_MUXED). A flow whose PEER does not exist
 *   checks and counts, and forwards nothing.
 *
 *   Nobody else may receive at these addresses, and the module does not ask
 *   who has them: its owner binds sockets to them, so that nobody is given
 *   them, and reads there what the module does not take (fragments when the
 *   namespace does not reassemble them; F_PUNT). What is read there is handed
 *   back by CMD_PACKET and then treated as if it had arrived.
 *
 * OWNERS
 *   Flows belong to an owner, a number its program chooses and remembers; they
 *   are named by OWNER and ID. They do not depend on a socket or a process:
 *   when the program dies its calls go on. OWNER_SET claims what an owner had
 *   (nothing changes but the lease), FLOW_GET dumps it. An owner with a LEASE
 *   must say OWNER_SET (or any command that names it) before so many seconds
 *   have passed, else its flows are removed and EVENT_EXPIRED is sent. Each
 *   flow holds a reference to the module, which cannot be unloaded meanwhile.
 *
 * SOURCES
 *   LATCH_OFF         only the signalled address and port (REMOTE).
 *   LATCH_RESTRICTED  the signalled IP (or LATCH_PREFIX bits of it), any port.
 *   LATCH_NAT         any source, when IN is a key; plain as RESTRICTED.
 *   A source is learned ("latched") once a valid packet proves it: SRTP whose
 *   tag verifies and which is no replay; plain RTP from the signalled port, or
 *   three in a row of one SSRC with consecutive sequence numbers. Afterwards
 *   only that source is heard, until, with SRTP alone, three such packets in a
 *   row prove another. Nothing is sent to an address that is neither signalled
 *   nor proven. FLOW_SET with another REMOTE, REMOTE_RTCP, LATCH or EPOCH
 *   forgets what was learned. RTCP on its own port has a latch of its own.
 *   A flow that somebody else had before is added with what was proven there
 *   (LATCHED, LATCHED_RTCP), and goes on as if it had been learned here.
 *
 * KEYS
 *   Master keys are written and never read; a dump has fingerprints. Session
 *   keys are derived in the kernel (RFC 3711 section 4.3, rate 0) and the
 *   master key is forgotten. IN_NEXT is accepted beside IN, and becomes IN when
 *   the first packet verifies under it. The key that was IN before a change is
 *   accepted for GRACE_MS longer. FLOW_SET with the same key (suite, key, salt,
 *   MKI) keeps its streams.
 *
 *   STREAM says how far an SSRC has come under a key: one more than the
 *   highest index that was used (0: none was). A flow that is added with
 *   streams goes on there: nothing at or below is sent or accepted again. The
 *   answer to FLOW_DEL has the last word: no packet is sent with that key
 *   afterwards, so whoever goes on there repeats nothing.
 *
 * MESSAGES
 *   Family version NF_SRTP_VERSION. Attributes of all messages are one set
 *   (enum nf_srtp_attr); what a message does not know is refused. Numbers are
 *   in host byte order, addresses and ports in network byte order. All commands
 *   but FEATURES need CAP_NET_ADMIN in the user namespace of the network
 *   namespace. Refusals have a text (NLM_F_ACK with NETLINK_EXT_ACK). Commands
 *   are executed in order and each takes effect whole or not at all.
 *
 *   command    request                            answer
 *   FEATURES   -                                  VERSION, SUITES, FLOWS_MAX,
 *                                                 SSRC_MAX, WINDOW, PACKET_MAX,
 *                                                 SELFTEST, DRIVER_*, HOOK
 *   OWNER_SET  OWNER [LEASE]                      OWNER, LEASE, FLOWS
 *   FLOW_ADD   a flow, see below                  -
 *   FLOW_SET   a flow, all of it again            -
 *   FLOW_DEL   OWNER ID [PEER]                    the flow as in FLOW_GET, final
 *   FLOW_GET   OWNER ID                           the flow
 *     dump     [OWNER] [CALL]                     one message for each flow;
 *                                                 those that come or go
 *                                                 meanwhile may be missing
 *   CALL_DEL   OWNER CALL                         FLOWS (how many went)
 *   FLUSH      OWNER                              FLOWS (how many went)
 *   JOIN       OWNER ID FAR_OWNER FAR_ID          -
 *   PART       OWNER ID                           -
 *   PACKET     OWNER ID SOURCE PAYLOAD [ON_RTCP]  -
 *   STATS_GET  -                                  FLOWS, STATS of the namespace
 *
 *   A flow in FLOW_ADD and FLOW_SET:
 *     OWNER ID [PEER] [CALL] LOCAL [LOCAL_RTCP] [REMOTE] [REMOTE_RTCP]
 *     [LATCH] [LATCH_PREFIX] [EPOCH] [FLAGS] [IN] [IN_NEXT] [OUT] [GRACE_MS]
 *     [IDLE_MS] [PAYLOAD_TYPES] [DSCP] [MARK] [IFINDEX]
 *   and in FLOW_ADD alone
 *     [LATCHED] [LATCHED_RTCP]
 *   What is absent has its default. FLOW_SET cannot change PEER, LOCAL and
 *   LOCAL_RTCP (EOPNOTSUPP).
 *   In FLOW_GET there are also LATCHED, LATCHED_RTCP, FAR_OWNER, FAR_ID
 *   (joined), AGE_MS and STATS; keys have FINGERPRINT and STREAM.
 *
 *   FLOW_DEL with PEER, the ID of the flow's peer, removes both in one step:
 *   what comes from then on finds neither. There are two answers, ID's first.
 *
 *   JOIN makes one step of two: the flow's way out (from its LOCAL to its
 *   REMOTE) leads into FAR, and FAR's into it. A packet of the peer of one is
 *   judged as that flow says and leaves through the peer of the other as the
 *   other says: its OUT key, F_BLOCKED and counters. When one of the four
 *   flows is removed what led there is dropped, until the remaining flow is
 *   set again. ENOENT: a flow or a peer is missing.
 *
 *   Errors: ENOENT no such flow; EEXIST its ID; EADDRINUSE its LOCAL address
 *   is another flow's; ENOSPC too many flows; EOPNOTSUPP a suite this kernel
 *   has no cipher for; EINVAL, ERANGE with text; EPERM; ENOMEM.
 *
 * EVENTS
 *   NF_SRTP_CMD_EVENT to the multicast group "events": EVENT OWNER ID, and
 *     EVENT_LATCHED     SOURCE (ON_RTCP) learned or changed
 *     EVENT_IDLE        no valid packet for IDLE_MS
 *     EVENT_ACTIVE      a valid packet, or FLOW_SET, after EVENT_IDLE
 *     EVENT_SRC_REJECT  SOURCE, COUNT packets since the last such event
 *     EVENT_AUTH_FAIL   SOURCE, COUNT
 *     EVENT_REPLAY      SOURCE, COUNT
 *     EVENT_SSRC_NEW    SSRC
 *     EVENT_KEY_NEXT    IN_NEXT is IN now
 *     EVENT_KEY_WORN    OUT or IN nears the end of its index (2^47, 2^30):
 *                       COUNT packets beyond
 *     EVENT_MTU         COUNT packets too long for the route, MTU
 *     EVENT_REFUSED     SOURCE, COUNT of other packets that were not let pass,
 *                       VERDICT the last one's counter: STAT_MALFORMED,
 *                       CHECKSUM, PAYLOAD_TYPE, SSRC_LIMIT, or BLOCKED (by
 *                       IPsec or for a key, not what F_BLOCKED holds)
 *     EVENT_EXPIRED     the OWNER's lease ran out, FLOWS are gone
 *   The rejects, and MTU, are sent at most once a second for each flow. Events
 *   may be lost when nobody reads (ENOBUFS): then dump.
 *
 * This file only grows: numbers are never used for something else.
 */
#ifndef _UAPI_NF_SRTP_H
#define _UAPI_NF_SRTP_H

#define NF_SRTP_GENL_NAME   "nf_srtp"
#define NF_SRTP_GENL_EVENTS "events"
#define NF_SRTP_VERSION	    1

enum nf_srtp_cmd {
	NF_SRTP_CMD_UNSPEC,
	NF_SRTP_CMD_FEATURES,
	NF_SRTP_CMD_OWNER_SET,
	NF_SRTP_CMD_FLOW_ADD,
	NF_SRTP_CMD_FLOW_SET,
	NF_SRTP_CMD_FLOW_DEL,
	NF_SRTP_CMD_FLOW_GET,
	NF_SRTP_CMD_CALL_DEL,
	NF_SRTP_CMD_FLUSH,
	NF_SRTP_CMD_JOIN,
	NF_SRTP_CMD_PART,
	NF_SRTP_CMD_PACKET,
	NF_SRTP_CMD_STATS_GET,
	NF_SRTP_CMD_EVENT, /* from the module only */
	__NF_SRTP_CMD_MAX
};

#define NF_SRTP_CMD_MAX (__NF_SRTP_CMD_MAX - 1)

/* Attributes of all messages. */
enum nf_srtp_attr {
	NF_SRTP_A_UNSPEC,
	NF_SRTP_A_PAD,
	NF_SRTP_A_OWNER,	/* u64, not 0 */
	NF_SRTP_A_ID,		/* u64, not 0, unique for its owner */
	NF_SRTP_A_PEER,		/* u64, id of a flow of the same owner */
	NF_SRTP_A_CALL,		/* u64, cookie; 0 none */
	NF_SRTP_A_LOCAL,	/* nest of enum nf_srtp_addr */
	NF_SRTP_A_LOCAL_RTCP,	/* nest; port 0: no RTCP port; LOCAL's IP */
	NF_SRTP_A_REMOTE,	/* nest; absent: not known */
	NF_SRTP_A_REMOTE_RTCP,	/* nest; absent: the port after REMOTE's */
	NF_SRTP_A_LATCH,	/* u8, enum nf_srtp_latch; OFF */
	NF_SRTP_A_LATCH_PREFIX, /* u8, bits; all of the address */
	NF_SRTP_A_EPOCH,	/* u32; 0 */
	NF_SRTP_A_FLAGS,	/* u32, NF_SRTP_F_*; 0 */
	NF_SRTP_A_IN,		/* nest of enum nf_srtp_key; absent: plain */
	NF_SRTP_A_IN_NEXT,	/* nest of enum nf_srtp_key */
	NF_SRTP_A_OUT,		/* nest of enum nf_srtp_key; absent: plain */
	NF_SRTP_A_GRACE_MS,	/* u32, at most 60,000; 2000 */
	NF_SRTP_A_IDLE_MS,	/* u32; 0 never */
	/* 16 bytes, bit n % 8 of byte n / 8: n may arrive; absent: all */
	NF_SRTP_A_PAYLOAD_TYPES,
	/* How packets leave from LOCAL towards REMOTE. */
	NF_SRTP_A_DSCP,	   /* u8, 0..63; 0 */
	NF_SRTP_A_MARK,	   /* u32, firewall mark, also of the route; 0 */
	NF_SRTP_A_IFINDEX, /* u32, interface or VRF of the route; 0 any */
	/* State of a flow. */
	NF_SRTP_A_LATCHED,	/* nest of enum nf_srtp_addr; absent: nobody */
	NF_SRTP_A_LATCHED_RTCP, /* nest of enum nf_srtp_addr; absent: nobody */
	NF_SRTP_A_FAR_OWNER,	/* u64 */
	NF_SRTP_A_FAR_ID,	/* u64 */
	NF_SRTP_A_AGE_MS,	/* u64, since the last valid packet */
	NF_SRTP_A_STATS,	/* nest of enum nf_srtp_stat, u64 each */
	/* Owners. */
	NF_SRTP_A_LEASE, /* u32, seconds; 0 for ever, the default */
	NF_SRTP_A_FLOWS, /* u32 */
	/* CMD_PACKET and events. */
	NF_SRTP_A_SOURCE,  /* nest of enum nf_srtp_addr */
	NF_SRTP_A_PAYLOAD, /* the UDP payload */
	NF_SRTP_A_ON_RTCP, /* flag: at or of the RTCP port */
	NF_SRTP_A_EVENT,   /* u32, enum nf_srtp_event */
	NF_SRTP_A_COUNT,   /* u64 */
	NF_SRTP_A_SSRC,	   /* u32 */
	NF_SRTP_A_MTU,	   /* u32, bytes of an IP packet */
	/* FEATURES. */
	NF_SRTP_A_VERSION,    /* string, of the module */
	NF_SRTP_A_SUITES,     /* u32, bit n: suite number n */
	NF_SRTP_A_FLOWS_MAX,  /* u32, of a namespace */
	NF_SRTP_A_SSRC_MAX,   /* u32, of a key */
	NF_SRTP_A_WINDOW,     /* u32, packets of the replay window */
	NF_SRTP_A_PACKET_MAX, /* u32, longest UDP payload relayed */
	NF_SRTP_A_SELFTEST,   /* u32, tests that passed at load */
	NF_SRTP_A_DRIVER_CTR, /* string, what does AES counter mode */
	NF_SRTP_A_DRIVER_GCM, /* string, "" none */
	NF_SRTP_A_DRIVER_MAC, /* string */
	NF_SRTP_A_HOOK,	      /* string, "prerouting" or "input" */
	/* Events. */
	NF_SRTP_A_VERDICT, /* u32, enum nf_srtp_stat */
	__NF_SRTP_A_MAX
};

#define NF_SRTP_A_MAX (__NF_SRTP_A_MAX - 1)

/* An address: one of the two IPs. */
enum nf_srtp_addr {
	NF_SRTP_ADDR_UNSPEC,
	NF_SRTP_ADDR_IP4,  /* be32 */
	NF_SRTP_ADDR_IP6,  /* 16 bytes */
	NF_SRTP_ADDR_PORT, /* be16 */
	__NF_SRTP_ADDR_MAX
};

#define NF_SRTP_ADDR_MAX (__NF_SRTP_ADDR_MAX - 1)

/*
 * A key. Requests have SUITE, KEY and SALT of the suite's lengths, or, in
 * FLOW_SET, FINGERPRINT alone: the key the flow has, unchanged.
 */
enum nf_srtp_key {
	NF_SRTP_KEY_UNSPEC,
	NF_SRTP_KEY_PAD,
	NF_SRTP_KEY_SUITE,  /* u16, enum nf_srtp_suite */
	NF_SRTP_KEY_KEY,    /* master key; never in an answer */
	NF_SRTP_KEY_SALT,   /* master salt; never in an answer */
	NF_SRTP_KEY_MKI,    /* 1..16 bytes; absent: none on the wire */
	NF_SRTP_KEY_STREAM, /* nest of enum nf_srtp_stream, repeated */
	/*
	 * u64: 8 bytes, big-endian, derived from the master key under the
	 * label 0x73
	 */
	NF_SRTP_KEY_FINGERPRINT,
	__NF_SRTP_KEY_MAX
};

#define NF_SRTP_KEY_MAX (__NF_SRTP_KEY_MAX - 1)

/* How far a stream has come under a key. */
enum nf_srtp_stream {
	NF_SRTP_STREAM_UNSPEC,
	NF_SRTP_STREAM_PAD,
	NF_SRTP_STREAM_SSRC, /* u32 */
	NF_SRTP_STREAM_RTP,  /* u64, next index (ROC << 16 | SEQ), 0 none yet */
	NF_SRTP_STREAM_RTCP, /* u32, next SRTCP index, 0 none yet */
	__NF_SRTP_STREAM_MAX
};

#define NF_SRTP_STREAM_MAX (__NF_SRTP_STREAM_MAX - 1)

/* RFC 3711, 4568, 6188, 7714. Key and salt lengths in bytes behind it. */
enum nf_srtp_suite {
	NF_SRTP_SUITE_NONE = 0,
	NF_SRTP_SUITE_AES_CM_128_HMAC_SHA1_80 = 1, /* 16, 14 */
	NF_SRTP_SUITE_AES_CM_128_HMAC_SHA1_32 = 2, /* 16, 14 */
	NF_SRTP_SUITE_AEAD_AES_128_GCM = 3,	   /* 16, 12 */
	NF_SRTP_SUITE_AES_256_CM_HMAC_SHA1_80 = 4, /* 32, 14 */
	NF_SRTP_SUITE_AES_256_CM_HMAC_SHA1_32 = 5, /* 32, 14 */
	NF_SRTP_SUITE_AEAD_AES_256_GCM = 6,	   /* 32, 12 */
	__NF_SRTP_SUITE_MAX
};

#define NF_SRTP_SUITE_MAX (__NF_SRTP_SUITE_MAX - 1)

enum nf_srtp_latch {
	NF_SRTP_LATCH_OFF = 0,
	NF_SRTP_LATCH_RESTRICTED = 1,
	NF_SRTP_LATCH_NAT = 2,
};

/* NF_SRTP_A_FLAGS */
#define NF_SRTP_F_BLOCKED 0x1 /* check and count, do not forward */
#define NF_SRTP_F_MUXED	  0x2 /* RTCP leaves with RTP: from LOCAL to REMOTE */
#define NF_SRTP_F_RAW	  0x4 /* no RTP: what REMOTE sends passes as it is */
/*
 * OUT is the key of another party, known for this alone: what arrived under
 * that very key and verified leaves as it came, anything else is dropped.
 */
#define NF_SRTP_F_BORROWED 0x8
#define NF_SRTP_F_PUNT	   0x10 /* what is no RTP or RTCP goes to the socket */
#define NF_SRTP_F_TRACK	   0x20 /* what leaves is seen by connection tracking */
#define NF_SRTP_F_ALL	   0x3f

/* Packets, unless said otherwise. Each packet is in one of them. */
enum nf_srtp_stat {
	NF_SRTP_STAT_UNSPEC,
	NF_SRTP_STAT_PAD,
	NF_SRTP_STAT_RTP_PACKETS,  /* forwarded */
	NF_SRTP_STAT_RTP_BYTES,	   /* their UDP payload as received; bytes */
	NF_SRTP_STAT_RTCP_PACKETS, /* forwarded */
	NF_SRTP_STAT_AUTH_FAIL,	   /* tag or MKI wrong, SRTCP not encrypted */
	NF_SRTP_STAT_REPLAY,	   /* seen, or older than the window */
	NF_SRTP_STAT_SRC_REJECT,   /* from an address nobody named */
	NF_SRTP_STAT_MALFORMED,	   /* not RTP or RTCP, or too long */
	NF_SRTP_STAT_CHECKSUM,	   /* plain, and its UDP checksum is wrong */
	NF_SRTP_STAT_PAYLOAD_TYPE, /* not in PAYLOAD_TYPES */
	NF_SRTP_STAT_SSRC_LIMIT,   /* one SSRC too many, or too fast */
	NF_SRTP_STAT_BLOCKED,	   /* F_BLOCKED, borrowed key, IPsec policy */
	NF_SRTP_STAT_NO_DEST,	   /* no peer, or its address is not known */
	NF_SRTP_STAT_NO_ROUTE,
	NF_SRTP_STAT_TOO_BIG, /* for the route's MTU */
	NF_SRTP_STAT_WORN,    /* the key has done all packets it may */
	NF_SRTP_STAT_NO_MEM,
	NF_SRTP_STAT_SEND,     /* the stack refused it */
	NF_SRTP_STAT_FRAGMENT, /* went to the socket */
	NF_SRTP_STAT_PUNT,     /* went to the socket: F_PUNT */
	/* beside the others: done without the vector unit, which was busy */
	NF_SRTP_STAT_SOFT,
	__NF_SRTP_STAT_MAX
};

#define NF_SRTP_STAT_MAX (__NF_SRTP_STAT_MAX - 1)

enum nf_srtp_event {
	NF_SRTP_EVENT_UNSPEC,
	NF_SRTP_EVENT_LATCHED,
	NF_SRTP_EVENT_IDLE,
	NF_SRTP_EVENT_ACTIVE,
	NF_SRTP_EVENT_SRC_REJECT,
	NF_SRTP_EVENT_AUTH_FAIL,
	NF_SRTP_EVENT_REPLAY,
	NF_SRTP_EVENT_SSRC_NEW,
	NF_SRTP_EVENT_KEY_NEXT,
	NF_SRTP_EVENT_KEY_WORN,
	NF_SRTP_EVENT_MTU,
	NF_SRTP_EVENT_EXPIRED,
	NF_SRTP_EVENT_REFUSED,
	__NF_SRTP_EVENT_MAX
};

#define NF_SRTP_EVENT_MAX (__NF_SRTP_EVENT_MAX - 1)

#endif
