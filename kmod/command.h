/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What handlers of commands have in common (netlink.c), and those of command.c.
 * All may sleep.
 */
#ifndef _NF_SRTP_COMMAND_H
#define _NF_SRTP_COMMAND_H

#include "message.h"

struct nf_srtp_net *nf_srtp_ns(const struct net *net);
/* Who asks is alive. */
void nf_srtp_owner_touch(struct nf_srtp_net *ns, u64 id);
/* Begin a command: its form, its namespace, which is locked. NULL: *err. */
struct nf_srtp_net *nf_srtp_enter(struct genl_info *info, int *err);
/* The flow that two attributes name; NULL, with a text: there is none. */
struct nf_srtp_flow *nf_srtp_flow_asked(struct nf_srtp_net *ns,
					struct genl_info *info, int owner,
					int id);
/* An answer of at most so many bytes, begun; NULL: no memory. */
struct sk_buff *nf_srtp_answer(struct genl_info *info, u32 bytes, void **hdr);

int nf_srtp_flow_del(struct sk_buff *skb, struct genl_info *info);
int nf_srtp_flow_get(struct sk_buff *skb, struct genl_info *info);
int nf_srtp_dump_start(struct netlink_callback *cb);
int nf_srtp_flow_dump(struct sk_buff *msg, struct netlink_callback *cb);
int nf_srtp_call_del(struct sk_buff *skb, struct genl_info *info);
int nf_srtp_flush_owner(struct sk_buff *skb, struct genl_info *info);
int nf_srtp_do_join(struct sk_buff *skb, struct genl_info *info);
int nf_srtp_do_part(struct sk_buff *skb, struct genl_info *info);
int nf_srtp_packet(struct sk_buff *skb, struct genl_info *info);
int nf_srtp_stats_get(struct sk_buff *skb, struct genl_info *info);

#endif
