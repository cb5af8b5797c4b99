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

/* What is told of a flow beside its name. */
struct nf_srtp_news {
	u32 kind;
	const struct nf_srtp_end *addr; /* NULL: none */
	bool on_rtcp;
	/* 0: not told */
	u64 count;
	u32 ssrc;
	u32 mtu;
	u32 verdict;
};

static int nf_srtp_put_news(struct sk_buff *msg, const struct nf_srtp_news *n)
{
	if ((n->addr && nf_srtp_put_end(msg, NF_SRTP_A_SOURCE, n->addr)) ||
	    (n->on_rtcp && nla_put_flag(msg, NF_SRTP_A_ON_RTCP)) ||
	    (n->count && nf_srtp_put_u64(msg, NF_SRTP_A_COUNT, n->count)) ||
	    (n->kind == NF_SRTP_EVENT_SSRC_NEW &&
	     nla_put_u32(msg, NF_SRTP_A_SSRC, n->ssrc)) ||
	    (n->mtu && nla_put_u32(msg, NF_SRTP_A_MTU, n->mtu)) ||
	    (n->verdict && nla_put_u32(msg, NF_SRTP_A_VERDICT, n->verdict)))
		return -EMSGSIZE;
	return 0;
}

static void nf_srtp_send_news(const struct nf_srtp_flow *f,
			      const struct nf_srtp_news *n)
{
	struct net *net = f->ns->net;
	struct sk_buff *msg;
	void *hdr;

	msg = nf_srtp_event_new(net, n->kind, f->owner, &hdr);
	if (!msg)
		return;
	if (nf_srtp_put_u64(msg, NF_SRTP_A_ID, f->id) ||
	    nf_srtp_put_news(msg, n)) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_end(msg, hdr);
	genlmsg_multicast_netns(&nf_srtp_family, net, msg, 0, 0, GFP_ATOMIC);
}

void nf_srtp_event(const struct nf_srtp_flow *f, u32 kind,
		   const struct nf_srtp_end *addr, bool on_rtcp, u32 ssrc)
{
	struct nf_srtp_news n = {
		.kind = kind,
		.addr = addr,
		.on_rtcp = on_rtcp,
		.ssrc = ssrc,
	};

	nf_srtp_send_news(f, &n);
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
	case NF_SRTP_STAT_MALFORMED:
	case NF_SRTP_STAT_CHECKSUM:
	case NF_SRTP_STAT_PAYLOAD_TYPE:
	case NF_SRTP_STAT_SSRC_LIMIT:
	case NF_SRTP_STAT_BLOCKED:
		*kind = NF_SRTP_EVENT_REFUSED;
		return NF_SRTP_TALLY_OTHER;
	default:
		return -1;
	}
}

/* Is it time to tell of them? Then how many there were. */
static u32 nf_srtp_tally_up(struct nf_srtp_flow *f, int which)
{
	struct nf_srtp_tallies *t = &f->tallies;
	u32 count;

	lockdep_assert_held(&f->lock);
	count = ++t->count[which];
	if (t->told[which] && time_before(jiffies, t->told[which] + HZ))
		return 0;
	t->count[which] = 0;
	t->told[which] = jiffies ?: 1;
	return count;
}

void nf_srtp_tally(struct nf_srtp_flow *f, u32 verdict,
		   const struct nf_srtp_end *src, u32 mtu)
{
	struct nf_srtp_news n = {.addr = src, .mtu = mtu};
	int which = nf_srtp_tally_of(verdict, &n.kind);

	if (which < 0)
		return;
	if (which == NF_SRTP_TALLY_OTHER)
		n.verdict = verdict;
	spin_lock(&f->lock);
	n.count = nf_srtp_tally_up(f, which);
	spin_unlock(&f->lock);
	if (n.count)
		nf_srtp_send_news(f, &n);
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
