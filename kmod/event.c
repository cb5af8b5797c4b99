// SPDX-License-Identifier: GPL-2.0
/* What is told without being asked: messages to the multicast group. */
#include "flow.h"
#include "message.h"

#include <net/genetlink.h>

static struct sk_buff *nf_srtp_event_new(struct net *net, u32 kind, u64 owner,
					 void **hdr)
{
	struct sk_buff *msg;

	if (!genl_has_listeners(&nf_srtp_family, net, 0))
		return NULL;
	msg = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (!msg)
		return NULL;
	*hdr = genlmsg_put(msg, 0, 0, &nf_srtp_family, 0, NF_SRTP_CMD_EVENT);
	if (!*hdr || nla_put_u32(msg, NF_SRTP_A_EVENT, kind) ||
	    nf_srtp_put_u64(msg, NF_SRTP_A_OWNER, owner)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* How the number of an event is called. */
static int nf_srtp_put_number(struct sk_buff *msg, u32 kind, u64 number)
{
	switch (kind) {
	case NF_SRTP_EVENT_SRC_REJECT:
	case NF_SRTP_EVENT_AUTH_FAIL:
	case NF_SRTP_EVENT_REPLAY:
		return nf_srtp_put_u64(msg, NF_SRTP_A_COUNT, number);
	case NF_SRTP_EVENT_SSRC_NEW:
		return nla_put_u32(msg, NF_SRTP_A_SSRC, number);
	case NF_SRTP_EVENT_MTU:
		return nla_put_u32(msg, NF_SRTP_A_MTU, number);
	default:
		return 0;
	}
}

void nf_srtp_event(const struct nf_srtp_flow *f, u32 kind,
		   const struct nf_srtp_end *addr, bool on_rtcp, u64 number)
{
	struct net *net = f->ns->net;
	struct sk_buff *msg;
	void *hdr;

	msg = nf_srtp_event_new(net, kind, f->owner, &hdr);
	if (!msg)
		return;
	if (nf_srtp_put_u64(msg, NF_SRTP_A_ID, f->id) ||
	    (addr && nf_srtp_put_end(msg, NF_SRTP_A_SOURCE, addr)) ||
	    (on_rtcp && nla_put_flag(msg, NF_SRTP_A_ON_RTCP)) ||
	    nf_srtp_put_number(msg, kind, number)) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_end(msg, hdr);
	genlmsg_multicast_netns(&nf_srtp_family, net, msg, 0, 0, GFP_ATOMIC);
}

/* Which tally a verdict goes to, and what it is called. */
static int nf_srtp_tally_of(u32 verdict, u32 *kind)
{
	switch (verdict) {
	case NF_SRTP_STAT_SRC_REJECT:
		*kind = NF_SRTP_EVENT_SRC_REJECT;
		return NF_SRTP_TALLY_SRC;
	case NF_SRTP_STAT_AUTH_FAIL:
		*kind = NF_SRTP_EVENT_AUTH_FAIL;
		return NF_SRTP_TALLY_AUTH;
	case NF_SRTP_STAT_REPLAY:
		*kind = NF_SRTP_EVENT_REPLAY;
		return NF_SRTP_TALLY_REPLAY;
	case NF_SRTP_STAT_TOO_BIG:
		*kind = NF_SRTP_EVENT_MTU;
		return NF_SRTP_TALLY_MTU;
	case NF_SRTP_STAT_WORN:
		*kind = NF_SRTP_EVENT_KEY_WORN;
		return NF_SRTP_TALLY_WORN;
	default:
		return -1;
	}
}

void nf_srtp_tally(struct nf_srtp_flow *f, u32 verdict,
		   const struct nf_srtp_end *src, u32 number)
{
	struct nf_srtp_tally *t;
	bool tell = false;
	u64 count = 0;
	u32 kind;
	int which = nf_srtp_tally_of(verdict, &kind);

	if (which < 0)
		return;
	t = &f->tally[which];
	spin_lock(&f->lock);
	t->count++;
	if (!t->told || time_after_eq(jiffies, t->told + HZ)) {
		tell = true;
		count = t->count;
		t->count = 0;
		t->told = jiffies ?: 1;
	}
	spin_unlock(&f->lock);
	if (tell)
		nf_srtp_event(f, kind, src, false, number ?: count);
}

void nf_srtp_event_expired(struct nf_srtp_net *ns, u64 owner, u32 flows)
{
	struct sk_buff *msg;
	void *hdr;

	msg = nf_srtp_event_new(ns->net, NF_SRTP_EVENT_EXPIRED, owner, &hdr);
	if (!msg)
		return;
	if (nla_put_u32(msg, NF_SRTP_A_FLOWS, flows)) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_end(msg, hdr);
	genlmsg_multicast_netns(&nf_srtp_family, ns->net, msg, 0, 0,
				GFP_ATOMIC);
}
