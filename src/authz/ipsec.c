#include "authz/ipsec.h"

static bool is_unset(const struct addr *a)
{
	return a->family == ADDR_NONE;
}

/* Does the whole of what is asked about lie in the selector's end? */
static bool net_holds(const struct ipsec_net *n, const struct addr *a,
		      uint16_t port)
{
	if (!is_unset(&n->addr) && !is_unset(a) &&
	    !addr_in_prefix(a, &n->addr, n->bits))
		return false;
	return ((port ^ n->port) & n->port_mask) == 0;
}

/* Might a packet of what is asked about fall under the selector's end? A
 * policy for one port comes before the one for all: where all are asked
 * about, it must not be the hole. */
static bool net_touches(const struct ipsec_net *n, const struct addr *a,
			uint16_t port)
{
	struct ipsec_net any_port = *n;

	if (port != 0)
		return net_holds(n, a, port);
	any_port.port_mask = 0;
	return net_holds(&any_port, a, 0);
}

static bool touches(const struct ipsec_policy *p, const struct ipsec_flow *f)
{
	bool is_out = p->dir == IPSEC_OUT;
	const struct ipsec_net *ours = is_out ? &p->src : &p->dst;
	const struct ipsec_net *theirs = is_out ? &p->dst : &p->src;

	return (p->proto == 0 || f->proto == 0 || p->proto == f->proto) &&
	       net_touches(ours, &f->local, f->local_port) &&
	       net_touches(theirs, &f->peer, f->peer_port);
}

static bool covers(const struct ipsec_policy *p, const struct ipsec_flow *f)
{
	bool is_out = p->dir == IPSEC_OUT;
	const struct ipsec_net *ours = is_out ? &p->src : &p->dst;
	const struct ipsec_net *theirs = is_out ? &p->dst : &p->src;

	return (p->proto == 0 || p->proto == f->proto) &&
	       (f->local_port != 0 || ours->port_mask == 0) &&
	       (f->peer_port != 0 || theirs->port_mask == 0);
}

static bool comes_first(const struct ipsec_policy *a,
			const struct ipsec_policy *b)
{
	return !b || a->priority < b->priority ||
	       (a->priority == b->priority && a->index < b->index);
}

/* Does p give this traffic to ESP, or to nobody? */
static bool is_safe(const struct ipsec_policy *p)
{
	return p->is_block || (p->has_esp && !p->is_optional);
}

/*
 * The policy that the kernel takes: of those that hold the one with the
 * lowest priority. What comes before it and covers a part of the traffic only
 * must be safe as well.
 */
static const struct ipsec_policy *policy_of(const struct ipsec_view *v,
					    const struct ipsec_flow *f,
					    enum ipsec_dir dir)
{
	const struct ipsec_policy *best = NULL;

	for (size_t i = 0; i < v->policy_count; i++) {
		const struct ipsec_policy *p = &v->policy[i];

		if (p->dir == dir && touches(p, f) && covers(p, f) &&
		    comes_first(p, best))
			best = p;
	}
	for (size_t i = 0; best && i < v->policy_count; i++) {
		const struct ipsec_policy *p = &v->policy[i];

		if (p->dir == dir && p != best && touches(p, f) &&
		    comes_first(p, best) && !is_safe(p))
			return NULL;
	}
	return best && !best->is_block && is_safe(best) ? best : NULL;
}

/* The outer addresses of what p makes of the flow's packets. */
static bool state_holds(const struct ipsec_state *s,
			const struct ipsec_policy *p,
			const struct ipsec_flow *f)
{
	bool is_out = p->dir == IPSEC_OUT;
	const struct addr *src = is_out ? &f->local : &f->peer;
	const struct addr *dst = is_out ? &f->peer : &f->local;

	if (!is_unset(&p->tunnel_src) && !addr_is_any(&p->tunnel_src))
		src = &p->tunnel_src;
	if (!is_unset(&p->tunnel_dst) && !addr_is_any(&p->tunnel_dst))
		dst = &p->tunnel_dst;
	return s->is_esp && s->is_encrypted && !s->is_dead &&
	       s->is_tunnel == p->is_tunnel &&
	       (p->reqid == 0 || s->reqid == p->reqid) &&
	       (is_unset(src) || addr_ip_eq(&s->src, src)) &&
	       (is_unset(dst) || addr_ip_eq(&s->dst, dst));
}

static bool has_state(const struct ipsec_view *v, const struct ipsec_policy *p,
		      const struct ipsec_flow *f)
{
	for (size_t i = 0; i < v->state_count; i++)
		if (state_holds(&v->state[i], p, f))
			return true;
	return false;
}

enum ipsec_verdict ipsec_judge(const struct ipsec_view *v,
			       const struct ipsec_flow *f)
{
	const struct ipsec_policy *out, *in;

	if (!v->is_known)
		return IPSEC_UNKNOWN;
	out = policy_of(v, f, IPSEC_OUT);
	if (!out)
		return IPSEC_NO_POLICY_OUT;
	in = policy_of(v, f, IPSEC_IN);
	if (!in)
		return IPSEC_NO_POLICY_IN;
	if (!has_state(v, out, f))
		return IPSEC_NO_STATE_OUT;
	return has_state(v, in, f) ? IPSEC_PROTECTED : IPSEC_NO_STATE_IN;
}

const char *ipsec_verdict_str(enum ipsec_verdict v)
{
	static const char *const texts[IPSEC_VERDICTS] = {
		[IPSEC_PROTECTED] = "protected",
		[IPSEC_UNKNOWN] = "the kernel's policies cannot be read",
		[IPSEC_NO_POLICY_OUT] = "no policy demands ESP towards it",
		[IPSEC_NO_POLICY_IN] = "no policy demands ESP from it",
		[IPSEC_NO_STATE_OUT] =
			"no live security association towards it",
		[IPSEC_NO_STATE_IN] = "no live security association from it",
	};

	return texts[v];
}
