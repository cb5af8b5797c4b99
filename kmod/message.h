/* SPDX-License-Identifier: GPL-2.0 */
/* Between netlink attributes and our structures. Internal to the module. */
#ifndef _NF_SRTP_MESSAGE_H
#define _NF_SRTP_MESSAGE_H

#include <net/genetlink.h>

#include "flow.h"

/* A key in a request. */
struct nf_srtp_key_request {
	bool is_there;
	bool is_same; /* named by its fingerprint */
	u64 print;
	struct nf_srtp_master master;
	struct nlattr *nest; /* holds the streams; NULL: none */
};

/* A flow in a request. Wiped by nf_srtp_request_done. */
struct nf_srtp_request {
	u64 owner;
	u64 id;
	u64 peer_id;
	u64 call;
	struct nf_srtp_end local[2];
	struct nf_srtp_end remote[2];
	struct nf_srtp_end proven[2]; /* family 0: nobody */
	u32 flags;
	u32 epoch;
	u32 grace_ms;
	u32 idle_ms;
	u8 latch;
	u8 prefix;
	u8 dscp;
	u32 mark;
	u32 ifindex;
	const u8 *payload_types; /* 16 bytes in the message; NULL: all */
	struct nf_srtp_key_request in;
	struct nf_srtp_key_request next;
	struct nf_srtp_key_request out;
};

extern const struct nla_policy nf_srtp_policy[NF_SRTP_A_MAX + 1];

static inline int nf_srtp_put_u64(struct sk_buff *msg, int type, u64 v)
{
	return nla_put_u64_64bit(msg, type, v, NF_SRTP_A_PAD);
}

/* Append an address. */
int nf_srtp_put_end(struct sk_buff *msg, int type, const struct nf_srtp_end *e);
/* Read an address. -EINVAL with a text. */
int nf_srtp_get_end(struct nlattr *a, struct nf_srtp_end *ret,
		    struct netlink_ext_ack *extack);
/* Append all that may be told of a flow. -EMSGSIZE. */
int nf_srtp_put_flow(struct sk_buff *msg, struct nf_srtp_flow *f);
/* Append counters. */
int nf_srtp_put_stats(struct sk_buff *msg, const u64 *sum);
/* Wipe the keys in a request, whatever became of it. */
void nf_srtp_keys_wipe(struct genl_info *info);
/* Read a flow. */
int nf_srtp_request_read(struct nlattr **attrs, struct nf_srtp_request *ret,
			 struct netlink_ext_ack *extack);
void nf_srtp_request_done(struct nf_srtp_request *rq);
/* Have k go on where the request says. */
int nf_srtp_resume_streams(struct nf_srtp_key_state *k, struct nlattr *nest,
			   struct netlink_ext_ack *extack);

#endif
