/*
 * The messages of nf_srtp's netlink family (kmod/uapi/nf_srtp.h), made and
 * read. No socket here: link.c of the kernel backend has it. Answers come from
 * the kernel, but are read with the same mistrust as any bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "media/backend.h"

struct nlmsghdr;

enum {
	KERNEL_MSG_MAX = 8192, /* a request or an answer always fits */
	KERNEL_TEXT_MAX = 64   /* names of drivers, and a NUL */
};

/* Of the module, as FEATURES tells. */
struct kernel_features {
	char version[KERNEL_TEXT_MAX];
	char ctr[KERNEL_TEXT_MAX];
	char mac[KERNEL_TEXT_MAX];
	char hook[KERNEL_TEXT_MAX];
	uint32_t suites;     /* bit per enum suite */
	uint32_t flows_max;  /* in this network namespace */
	uint32_t packet_max; /* longest UDP payload relayed */
};

/* What a message of the module says; what it does not say is 0 or NONE. */
struct kernel_answer {
	uint64_t owner, id;
	struct addr local;
	struct addr latched[2]; /* RTP, RTCP */
	uint64_t age_ms;	/* since the last valid packet */
	struct flow_stats stats;
	struct media_streams in, out;
	uint32_t flows;
	uint32_t event;	    /* enum nf_srtp_event */
	struct addr source; /* of an event */
	bool on_rtcp;
	struct kernel_features features;
};

/* How a flow comes about, beside what struct flow says. */
struct kernel_flow_options {
	uint8_t dscp;
	const struct media_state *state; /* it goes on there; NULL = new */
};

/* The lease of e's owner has run out: its flows are gone. */
bool kernel_msg_is_expiry(const struct kernel_answer *e);
/* FEATURES into buf (KERNEL_MSG_MAX bytes); family: the number the kernel gave
 * it. All of these leave sequence number and NLM_F_ACK to the caller. */
struct nlmsghdr *kernel_msg_features(void *buf, uint16_t family);
/* OWNER_SET: claim owner's flows, for lease_s seconds (0: for ever). */
struct nlmsghdr *kernel_msg_owner(void *buf, uint16_t family, uint64_t owner,
				  uint32_t lease_s);
/* FLOW_ADD, or FLOW_SET of all that f says. The message holds keys. */
struct nlmsghdr *kernel_msg_add(void *buf, uint16_t family, uint64_t owner,
				const struct flow *f,
				const struct kernel_flow_options *o);
/* See kernel_msg_add. */
struct nlmsghdr *kernel_msg_set(void *buf, uint16_t family, uint64_t owner,
				const struct flow *f,
				const struct kernel_flow_options *o);
/* FLOW_DEL; its answer is the flow's last word. peer: unless 0 the flow's peer,
 * which goes in the same step, with an answer of its own. */
struct nlmsghdr *kernel_msg_del(void *buf, uint16_t family, uint64_t owner,
				uint64_t id, uint64_t peer);
/* FLOW_GET of one flow. */
struct nlmsghdr *kernel_msg_get(void *buf, uint16_t family, uint64_t owner,
				uint64_t id);
/* FLOW_GET of all flows of all owners. */
struct nlmsghdr *kernel_msg_dump(void *buf, uint16_t family);
/* FLUSH. */
struct nlmsghdr *kernel_msg_flush(void *buf, uint16_t family, uint64_t owner);
/* JOIN of two (owner, id). */
struct nlmsghdr *kernel_msg_join(void *buf, uint16_t family,
				 const uint64_t flow[2], const uint64_t far[2]);
/* PART. */
struct nlmsghdr *kernel_msg_part(void *buf, uint16_t family,
				 const uint64_t flow[2]);
/* PACKET: payload arrived at the flow's address, or its RTCP address. payload:
 * at most KERNEL_MSG_MAX / 2 bytes. */
struct nlmsghdr *kernel_msg_packet(void *buf, uint16_t family,
				   const uint64_t flow[2],
				   const struct addr *source, bool on_rtcp,
				   struct slice payload);
/* Read an answer or event. ERR_BAD: it is none. */
MUST_CHECK int kernel_msg_read(const struct nlmsghdr *h,
			       struct kernel_answer *ret);
/* The media event e stands for, owner and flow as the module knows them; false:
 * for none. */
bool kernel_msg_event(const struct kernel_answer *e, struct media_event *ret);
