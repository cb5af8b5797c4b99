// SPDX-License-Identifier: GPL-2.0
/*
 * The way out: a route that is kept and asked whether it still holds, headers
 * that are new from the first byte to the last, and the rest is the stack's
 * (LOCAL_OUT and POST_ROUTING rules, IPsec, traffic control, the driver's
 * checksum).
 */
#include "flow.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/udp.h>
#include <net/netfilter/nf_conntrack.h>

/* How a packet leaves. */
struct nf_srtp_exit {
	struct nf_srtp_flow *f;
	const struct nf_srtp_conf *conf;
	const struct nf_srtp_end *local;
	struct nf_srtp_end to;
	struct dst_entry *dst; /* lives as long as the RCU read lock */
	int odd;	       /* 1: from the RTCP port */
	u8 ttl;		       /* 0: as the route says */
};

void nf_srtp_route_free(struct nf_srtp_route *r)
{
	if (!r)
		return;
	/* Packets that have it without a reference are done a grace period
	 * later, and only then the route is freed.
	 */
	dst_release(r->dst);
	kfree_rcu(r, rcu);
}

static __be32 nf_srtp_ip4(const struct nf_srtp_end *e)
{
	__be32 ip;

	memcpy(&ip, e->ip, sizeof(ip));
	return ip;
}

static struct dst_entry *nf_srtp_lookup4(const struct nf_srtp_exit *x)
{
	struct flowi4 fl4 = {
		.flowi4_oif = x->conf->ifindex,
		.flowi4_mark = x->conf->mark,
#ifdef HAVE_FLOWI4_DSCP
		.flowi4_dscp = inet_dsfield_to_dscp(x->conf->dscp << 2),
#else
		.flowi4_tos = x->conf->dscp << 2,
#endif
		.flowi4_proto = IPPROTO_UDP,
		.daddr = nf_srtp_ip4(&x->to),
		.saddr = nf_srtp_ip4(x->local),
		.fl4_sport = (__force __be16)x->local->port,
		.fl4_dport = (__force __be16)x->to.port,
	};
	struct rtable *rt = ip_route_output_flow(x->f->ns->net, &fl4, NULL);

	if (IS_ERR(rt))
		return NULL;
	/* Nor does a socket without SO_BROADCAST. */
	if (rt->rt_flags & RTCF_BROADCAST) {
		ip_rt_put(rt);
		return NULL;
	}
	return &rt->dst;
}

static struct dst_entry *nf_srtp_lookup6(const struct nf_srtp_exit *x,
					 u32 *cookie)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct flowi6 fl6 = {
		.flowi6_oif = x->conf->ifindex,
		.flowi6_mark = x->conf->mark,
		.flowi6_proto = IPPROTO_UDP,
		.flowlabel = ip6_make_flowinfo(x->conf->dscp << 2, 0),
		.fl6_sport = (__force __be16)x->local->port,
		.fl6_dport = (__force __be16)x->to.port,
	};
	struct dst_entry *dst;

	memcpy(&fl6.daddr, x->to.ip, sizeof(fl6.daddr));
	memcpy(&fl6.saddr, x->local->ip, sizeof(fl6.saddr));
	/* with IPsec, which ip6_route_output leaves out */
	dst = ip6_dst_lookup_flow(x->f->ns->net, NULL, &fl6, NULL);
	if (IS_ERR(dst))
		return NULL;
	*cookie = rt6_get_cookie((struct rt6_info *)dst);
	return dst;
#else
	return NULL;
#endif
}

static noinline struct dst_entry *
nf_srtp_route_new(const struct nf_srtp_exit *x)
{
	struct nf_srtp_route *r = kzalloc(sizeof(*r), GFP_ATOMIC), *old;
	struct nf_srtp_flow *f = x->f;

	if (!r)
		return NULL;
	r->to = x->to;
	r->dst = x->to.family == AF_INET ? nf_srtp_lookup4(x)
					 : nf_srtp_lookup6(x, &r->cookie);
	if (!r->dst) {
		kfree(r);
		return NULL;
	}
	spin_lock(&f->lock);
	old = rcu_replace_pointer(f->route[x->odd], r,
				  lockdep_is_held(&f->lock));
	spin_unlock(&f->lock);
	nf_srtp_route_free(old);
	return r->dst;
}

static struct dst_entry *nf_srtp_route(const struct nf_srtp_exit *x)
{
	const struct nf_srtp_route *r = rcu_dereference(x->f->route[x->odd]);

	if (likely(r && nf_srtp_end_eq(&r->to, &x->to) &&
		   dst_check(r->dst, r->cookie)))
		return r->dst;
	return nf_srtp_route_new(x);
}

static void nf_srtp_push_udp(struct sk_buff *skb, const struct nf_srtp_exit *x)
{
	struct udphdr *uh = __skb_push(skb, sizeof(*uh));

	skb_reset_transport_header(skb);
	uh->source = (__force __be16)x->local->port;
	uh->dest = (__force __be16)x->to.port;
	uh->len = htons(skb->len);
	uh->check = 0;
}

/* A group stays on the link, as a socket has it that says nothing else. */
static u8 nf_srtp_hops4(const struct nf_srtp_exit *x, __be32 to)
{
	return ipv4_is_multicast(to) ? 1 : x->ttl ?: ip4_dst_hoplimit(x->dst);
}

static void nf_srtp_push_ip4(struct sk_buff *skb, const struct nf_srtp_exit *x)
{
	__be32 from = nf_srtp_ip4(x->local), to = nf_srtp_ip4(&x->to);
	u32 len = skb->len;
	struct iphdr *iph;

	udp_set_csum(false, skb, from, to, len);
	iph = __skb_push(skb, sizeof(*iph));
	skb_reset_network_header(skb);
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tos = x->conf->dscp << 2;
	/* Without fragments there is nothing to identify (RFC 6864). */
	iph->id = 0;
	iph->frag_off = htons(IP_DF);
	iph->ttl = nf_srtp_hops4(x, to);
	iph->protocol = IPPROTO_UDP;
	iph->saddr = from;
	iph->daddr = to;
	skb->protocol = htons(ETH_P_IP);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
}

#if IS_ENABLED(CONFIG_IPV6)
static u8 nf_srtp_hops6(const struct nf_srtp_exit *x, const struct in6_addr *to)
{
	return ipv6_addr_is_multicast(to) ? 1
					  : x->ttl ?: ip6_dst_hoplimit(x->dst);
}
#endif

static void nf_srtp_push_ip6(struct sk_buff *skb, const struct nf_srtp_exit *x)
{
#if IS_ENABLED(CONFIG_IPV6)
	u32 len = skb->len;
	struct ipv6hdr *iph;
	struct in6_addr from, to;

	memcpy(&from, x->local->ip, sizeof(from));
	memcpy(&to, x->to.ip, sizeof(to));
	udp6_set_csum(false, skb, &from, &to, len);
	iph = __skb_push(skb, sizeof(*iph));
	skb_reset_network_header(skb);
	ip6_flow_hdr(iph, x->conf->dscp << 2, 0);
	iph->payload_len = htons(len);
	iph->nexthdr = IPPROTO_UDP;
	iph->hop_limit = nf_srtp_hops6(x, &to);
	iph->saddr = from;
	iph->daddr = to;
	skb->protocol = htons(ETH_P_IPV6);
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
#endif
}

/* It is a new packet: nothing of where it came from goes with it. */
static void nf_srtp_scrub(struct sk_buff *skb, const struct nf_srtp_exit *x)
{
	/* behind INPUT it may already be a socket's */
	skb_orphan(skb);
	skb_scrub_packet(skb, true);
	skb->queue_mapping = 0;
	skb->ip_summed = CHECKSUM_NONE;
	skb->csum_valid = 0;
	skb->encapsulation = 0;
	skb->mark = x->conf->mark;
	skb->priority = rt_tos2priority(x->conf->dscp << 2);
	if (!(x->conf->flags & NF_SRTP_F_TRACK))
		nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
}

static int nf_srtp_send(struct sk_buff *skb, const struct nf_srtp_exit *x)
{
	struct net *net = x->f->ns->net;
	int err;

	skb_dst_set_noref(skb, x->dst);
	if (x->to.family == AF_INET)
		err = ip_local_out(net, NULL, skb);
	else
		err = IS_ENABLED(CONFIG_IPV6) ? ip6_local_out(net, NULL, skb)
					      : -EAFNOSUPPORT;
	return net_xmit_eval(err) ? NF_SRTP_STAT_SEND : 0;
}

static int nf_srtp_find_exit(struct nf_srtp_exit *x, bool is_rtcp)
{
	x->conf = rcu_dereference(x->f->conf);
	if (unlikely(!x->conf))
		return NF_SRTP_STAT_NO_DEST;
	x->odd = is_rtcp && !(x->conf->flags & NF_SRTP_F_MUXED);
	x->local = &x->f->port[x->odd].local;
	nf_srtp_dest(x->f, x->odd, &x->to);
	if (!x->to.family || !x->to.port || !x->local->port)
		return NF_SRTP_STAT_NO_DEST;
	x->dst = nf_srtp_route(x);
	return x->dst ? 0 : NF_SRTP_STAT_NO_ROUTE;
}

int nf_srtp_xmit(struct sk_buff *skb, u32 payload, struct nf_srtp_flow *f,
		 bool is_rtcp, u8 ttl)
{
	struct nf_srtp_exit x = {.f = f, .ttl = ttl};
	u32 headers, mtu;
	int verdict;

	verdict = nf_srtp_find_exit(&x, is_rtcp);
	if (unlikely(verdict))
		goto drop;
	headers = sizeof(struct udphdr) + (x.to.family == AF_INET
						   ? sizeof(struct iphdr)
						   : sizeof(struct ipv6hdr));
	mtu = dst_mtu(x.dst);
	if (unlikely(skb->len - payload + headers > mtu)) {
		nf_srtp_tally(f, NF_SRTP_STAT_TOO_BIG, &x.to, mtu);
		verdict = NF_SRTP_STAT_TOO_BIG;
		goto drop;
	}
	__skb_pull(skb, payload);
	if (unlikely(skb_cow_head(skb,
				  LL_RESERVED_SPACE(x.dst->dev) + headers))) {
		verdict = NF_SRTP_STAT_NO_MEM;
		goto drop;
	}
	nf_srtp_scrub(skb, &x);
	nf_srtp_push_udp(skb, &x);
	if (x.to.family == AF_INET)
		nf_srtp_push_ip4(skb, &x);
	else
		nf_srtp_push_ip6(skb, &x);
	return nf_srtp_send(skb, &x);
drop:
	kfree_skb(skb);
	return verdict;
}
