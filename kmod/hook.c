// SPDX-License-Identifier: GPL-2.0
/*
 * Where packets come in. Whatever is not for one of our ports is none of our
 * business and passes after a few instructions: protocol, a bit for the port.
 * What is ours is judged, rewritten and sent on, and never seen by the rest of
 * the stack.
 *
 *   nf_srtp_hook4/6 -> nf_srtp_take -> nf_srtp_receive -> nf_srtp_forward
 *                                   -> nf_srtp_judge, nf_srtp_xmit
 */
#include "flow.h"

#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/udp.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/xfrm.h>
#ifdef HAVE_NET_GSO_H
#include <net/gso.h>
#endif

enum {
	UDP_BYTES = sizeof(struct udphdr),
	/* Behind defragmentation (-400), before everything else. */
	NF_SRTP_PRIORITY = -350,
	HEADERS_MAX = sizeof(struct ipv6hdr) + UDP_BYTES
};

bool nf_srtp_local_in;

/* A UDP packet that is for one of our ports. */
struct nf_srtp_arrival {
	const struct nf_hook_state *state;
	const struct nf_srtp_port *port;
	struct nf_srtp_end src;
	u32 udp; /* offset of the UDP header */
	u8 ttl;	 /* that it may go on with; 0: any */
};

static void nf_srtp_count_way(const struct nf_srtp_way *way, u32 which, u64 n)
{
	nf_srtp_count(way->in, which, n);
	if (way->out != way->in)
		nf_srtp_count(way->out, which, n);
}

/* The payload of skb, which is linear and ours alone, is at offset at, with len
 * bytes. Takes skb.
 */
static void nf_srtp_forward(struct sk_buff *skb,
			    const struct nf_srtp_arrival *a, u32 len)
{
	u32 at = a->udp + UDP_BYTES;
	struct nf_srtp_packet p = {
		.data = skb->data + at,
		.len = len,
		.cap = len + skb_tailroom(skb),
	};
	struct nf_srtp_way way;
	int verdict;

	if (nf_srtp_judge(a->port, &a->src, &p, &way)) {
		kfree_skb(skb);
		return;
	}
	if (p.len > len)
		__skb_put(skb, p.len - len);
	else
		__skb_trim(skb, at + p.len);
	verdict = nf_srtp_xmit(skb, at, way.from, p.is_rtcp, a->ttl);
	if (verdict) {
		nf_srtp_count_way(&way, verdict, 1);
	} else if (p.is_rtcp) {
		nf_srtp_count_way(&way, NF_SRTP_STAT_RTCP_PACKETS, 1);
	} else {
		nf_srtp_count_way(&way, NF_SRTP_STAT_RTP_PACKETS, 1);
		nf_srtp_count_way(&way, NF_SRTP_STAT_RTP_BYTES, len);
	}
}

/* Linear, ours alone, exactly as long as UDP says, and with room to grow. */
static int nf_srtp_prepare(struct sk_buff *skb, u32 end)
{
	int tail;

	if (skb->len > end && pskb_trim_rcsum(skb, end))
		return -ENOMEM;
	if (unlikely(skb_is_nonlinear(skb)) && skb_linearize(skb))
		return -ENOMEM;
	tail = NF_SRTP_GROWTH - skb_tailroom(skb);
	if (likely(!skb_cloned(skb) && tail <= 0))
		return 0;
	return pskb_expand_head(skb, 0, max(tail, 0), GFP_ATOMIC);
}

/* The tag is stronger than the checksum, but of plain RTP nothing else tells
 * that it is damaged, and it would leave with a tag that is right.
 */
static bool nf_srtp_is_damaged(struct sk_buff *skb,
			       const struct nf_srtp_arrival *a)
{
	const struct nf_srtp_flow *f = a->port->flow;
	const struct udphdr *uh = (void *)(skb->data + a->udp);

	if (rcu_access_pointer(f->in[NF_SRTP_KEY_CUR]))
		return false;
	if (!uh->check && a->src.family == AF_INET)
		return false;
	return nf_checksum(skb, a->state->hook, a->udp, IPPROTO_UDP,
			   a->src.family);
}

static void nf_srtp_drop(struct sk_buff *skb, const struct nf_srtp_arrival *a,
			 u32 why)
{
	nf_srtp_count(a->port->flow, why, 1);
	nf_srtp_tally(a->port->flow, why, &a->src, 0);
	kfree_skb(skb);
}

/* One packet, not a bundle. Takes skb. */
static void nf_srtp_receive(struct sk_buff *skb,
			    const struct nf_srtp_arrival *a)
{
	const struct udphdr *uh;
	u32 len;

	if (!pskb_may_pull(skb, a->udp + UDP_BYTES)) {
		nf_srtp_drop(skb, a, NF_SRTP_STAT_MALFORMED);
		return;
	}
	uh = (void *)(skb->data + a->udp);
	len = ntohs(uh->len);
	if (len < UDP_BYTES || len > skb->len - a->udp)
		nf_srtp_drop(skb, a, NF_SRTP_STAT_MALFORMED);
	else if (nf_srtp_is_damaged(skb, a))
		nf_srtp_drop(skb, a, NF_SRTP_STAT_CHECKSUM);
	else if (nf_srtp_prepare(skb, a->udp + len))
		nf_srtp_drop(skb, a, NF_SRTP_STAT_NO_MEM);
	else
		nf_srtp_forward(skb, a, len - UDP_BYTES);
}

/* A bundle that a sender or a driver made of many datagrams. */
static void nf_srtp_receive_bundle(struct sk_buff *skb,
				   const struct nf_srtp_arrival *a)
{
	struct sk_buff *list, *next;

	list = skb_gso_segment(skb, 0);
	if (IS_ERR_OR_NULL(list)) {
		nf_srtp_drop(skb, a, NF_SRTP_STAT_MALFORMED);
		return;
	}
	consume_skb(skb);
	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		nf_srtp_receive(skb, a);
	}
}

/* Does the socket want it? Nothing has been changed so far. */
static bool nf_srtp_is_punted(const struct sk_buff *skb,
			      const struct nf_srtp_arrival *a)
{
	const struct nf_srtp_conf *conf = rcu_dereference(a->port->flow->conf);
	u8 buf[2];
	const u8 *b;

	if (likely(!conf || !(conf->flags & NF_SRTP_F_PUNT)))
		return false;
	b = skb_header_pointer(skb, a->udp + UDP_BYTES, sizeof(buf), buf);
	return !b || nf_srtp_kind(b, sizeof(buf)) == NF_SRTP_KIND_OTHER;
}

/* The loopback device, and devices whose disable_policy says so: routes, which
 * say it to others, are not asked yet.
 */
static bool nf_srtp_is_exempt(const struct sk_buff *skb, u16 family)
{
	struct in_device *in4;
#if IS_ENABLED(CONFIG_IPV6)
	const struct inet6_dev *in6;

	if (family == AF_INET6) {
		in6 = __in6_dev_get(skb->dev);
		return dev_net(skb->dev)->ipv6.devconf_all->disable_policy ||
		       (in6 && in6->cnf.disable_policy);
	}
#endif
	in4 = __in_dev_get_rcu(skb->dev);
	return in4 && IN_DEV_ORCONF(in4, NOPOLICY);
}

/* May the packet have come as it did, in the clear or by IPsec? A socket would
 * ask the same.
 */
static bool nf_srtp_is_allowed(struct sk_buff *skb, u16 family)
{
	return nf_srtp_is_exempt(skb, family) ||
	       xfrm_policy_check(NULL, XFRM_POLICY_IN, skb, family);
}

static unsigned int nf_srtp_take(struct sk_buff *skb,
				 const struct nf_srtp_arrival *a)
{
	if (unlikely(skb->pkt_type != PACKET_HOST))
		return NF_ACCEPT;
	if (unlikely(nf_srtp_is_punted(skb, a))) {
		nf_srtp_count(a->port->flow, NF_SRTP_STAT_PUNT, 1);
		return NF_ACCEPT;
	}
	if (unlikely(!nf_srtp_is_allowed(skb, a->src.family))) {
		nf_srtp_count(a->port->flow, NF_SRTP_STAT_BLOCKED, 1);
		nf_srtp_tally(a->port->flow, NF_SRTP_STAT_BLOCKED, &a->src, 0);
		return NF_DROP;
	}
	if (unlikely(skb_is_gso(skb)))
		nf_srtp_receive_bundle(skb, a);
	else
		nf_srtp_receive(skb, a);
	return NF_STOLEN;
}

/* What goes round and round on this machine must come to an end. */
static bool nf_srtp_age(struct nf_srtp_arrival *a, u8 ttl)
{
	if (likely(!a->state->in || !(a->state->in->flags & IFF_LOOPBACK)))
		return true;
	if (ttl <= 1)
		return false;
	a->ttl = ttl - 1;
	return true;
}

static void nf_srtp_end4(struct nf_srtp_end *e, __be32 ip, __be16 port)
{
	memset(e, 0, sizeof(*e));
	memcpy(e->ip, &ip, sizeof(ip));
	e->family = AF_INET;
	e->port = (__force u16)port;
}

static void nf_srtp_end6(struct nf_srtp_end *e, const struct in6_addr *ip,
			 __be16 port)
{
	memcpy(e->ip, ip, sizeof(*ip));
	e->tail = 0;
	e->family = AF_INET6;
	e->port = (__force u16)port;
}

static noinline unsigned int nf_srtp_ours4(const struct nf_srtp_net *ns,
					   struct sk_buff *skb,
					   const struct nf_hook_state *state,
					   const struct udphdr *uh)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct nf_srtp_arrival a = {.state = state, .udp = iph->ihl * 4};
	struct nf_srtp_end local;

	nf_srtp_end4(&local, iph->daddr, uh->dest);
	a.port = nf_srtp_port_find(ns, &local);
	if (!a.port)
		return NF_ACCEPT;
	if (unlikely(ip_is_fragment(iph))) {
		nf_srtp_count(a.port->flow, NF_SRTP_STAT_FRAGMENT, 1);
		return NF_ACCEPT;
	}
	if (!nf_srtp_age(&a, iph->ttl))
		return NF_DROP;
	nf_srtp_end4(&a.src, iph->saddr, uh->source);
	return nf_srtp_take(skb, &a);
}

static unsigned int nf_srtp_hook4(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	const struct nf_srtp_net *ns = priv;
	const struct iphdr *iph = ip_hdr(skb);
	const struct udphdr *uh;
	unsigned int verdict;
	struct udphdr buf;

	if (iph->protocol != IPPROTO_UDP)
		return NF_ACCEPT;
	/* Of a datagram in pieces only the first has ports. */
	if (iph->frag_off & htons(IP_OFFSET))
		return NF_ACCEPT;
	uh = skb_header_pointer(skb, iph->ihl * 4, sizeof(buf), &buf);
	if (!uh || !test_bit(ntohs(uh->dest), ns->ports))
		return NF_ACCEPT;
	/* What user space had in a queue comes from its process. */
	local_bh_disable();
	verdict = nf_srtp_ours4(ns, skb, state, uh);
	local_bh_enable();
	return verdict;
}

#if IS_ENABLED(CONFIG_IPV6)
static noinline unsigned int nf_srtp_ours6(const struct nf_srtp_net *ns,
					   struct sk_buff *skb,
					   const struct nf_hook_state *state,
					   const struct udphdr *uh, u32 at,
					   bool is_fragment)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb);
	struct nf_srtp_arrival a = {.state = state, .udp = at};
	struct nf_srtp_end local;

	nf_srtp_end6(&local, &iph->daddr, uh->dest);
	a.port = nf_srtp_port_find(ns, &local);
	if (!a.port)
		return NF_ACCEPT;
	if (unlikely(is_fragment)) {
		nf_srtp_count(a.port->flow, NF_SRTP_STAT_FRAGMENT, 1);
		return NF_ACCEPT;
	}
	if (!nf_srtp_age(&a, iph->hop_limit))
		return NF_DROP;
	nf_srtp_end6(&a.src, &iph->saddr, uh->source);
	return nf_srtp_take(skb, &a);
}

/* Behind extension headers; the offset, or negative: not UDP. */
static int nf_srtp_skip6(const struct sk_buff *skb, bool *is_fragment)
{
	u8 next = ipv6_hdr(skb)->nexthdr;
	__be16 frag = 0;
	int at;

	if (!ipv6_ext_hdr(next))
		return -1;
	at = ipv6_skip_exthdr(skb, sizeof(struct ipv6hdr), &next, &frag);
	if (at < 0 || next != IPPROTO_UDP || frag & htons(~0x7))
		return -1;
	*is_fragment = frag != 0;
	return at;
}

static unsigned int nf_srtp_hook6(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	const struct nf_srtp_net *ns = priv;
	int at = sizeof(struct ipv6hdr);
	const struct udphdr *uh;
	bool is_fragment = false;
	unsigned int verdict;
	struct udphdr buf;

	if (ipv6_hdr(skb)->nexthdr != IPPROTO_UDP)
		at = nf_srtp_skip6(skb, &is_fragment);
	if (at < 0)
		return NF_ACCEPT;
	uh = skb_header_pointer(skb, at, sizeof(buf), &buf);
	if (!uh || !test_bit(ntohs(uh->dest), ns->ports))
		return NF_ACCEPT;
	local_bh_disable();
	verdict = nf_srtp_ours6(ns, skb, state, uh, at, is_fragment);
	local_bh_enable();
	return verdict;
}
#endif

static unsigned int nf_srtp_families(void)
{
	return IS_ENABLED(CONFIG_IPV6) ? 2 : 1;
}

int nf_srtp_hooks_start(struct nf_srtp_net *ns)
{
	struct nf_hook_ops *ops = ns->hooks;
	int i, err;

	for (i = 0; i < 2; i++) {
		ops[i].priv = ns;
		ops[i].hooknum = nf_srtp_local_in ? NF_INET_LOCAL_IN
						  : NF_INET_PRE_ROUTING;
		ops[i].priority = nf_srtp_local_in ? -1 : NF_SRTP_PRIORITY;
	}
	ops[0].hook = nf_srtp_hook4;
	ops[0].pf = NFPROTO_IPV4;
#if IS_ENABLED(CONFIG_IPV6)
	ops[1].hook = nf_srtp_hook6;
	ops[1].pf = NFPROTO_IPV6;
#endif
	err = nf_register_net_hooks(ns->net, ops, nf_srtp_families());
	ns->has_hooks = !err;
	return err;
}

void nf_srtp_hooks_stop(struct nf_srtp_net *ns)
{
	nf_unregister_net_hooks(ns->net, ns->hooks, nf_srtp_families());
	ns->has_hooks = false;
	/* Packets that found a flow are done. */
	synchronize_net();
}

int nf_srtp_inject(struct nf_srtp_flow *f, const struct nf_srtp_end *src,
		   bool on_rtcp, const void *payload, u32 len)
{
	struct nf_srtp_arrival a = {
		.port = &f->port[on_rtcp],
		.src = *src,
		.udp = HEADERS_MAX - UDP_BYTES,
	};
	struct sk_buff *skb;

	if (len > NF_SRTP_PACKET_MAX)
		return -EMSGSIZE;
	if (src->family != f->port[0].local.family)
		return -EAFNOSUPPORT;
	skb = alloc_skb(LL_MAX_HEADER + HEADERS_MAX + len + NF_SRTP_GROWTH,
			GFP_ATOMIC);
	if (!skb)
		return -ENOMEM;
	skb_reserve(skb, LL_MAX_HEADER);
	skb_reset_network_header(skb);
	skb_put_zero(skb, HEADERS_MAX);
	skb_put_data(skb, payload, len);
	nf_srtp_forward(skb, &a, len);
	return 0;
}
