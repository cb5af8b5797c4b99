// SPDX-License-Identifier: GPL-2.0
/*
 * Where flows are found: by address for packets, by owner and id for commands;
 * and the sweep that notices silence and leases that ran out.
 */
#include "flow.h"

#include <linux/bitmap.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rculist.h>

static u32 nf_srtp_hash_end(const struct nf_srtp_net *ns,
			    const struct nf_srtp_end *e)
{
	u64 ip = e->half[0] ^ e->half[1];

	return jhash_3words(ip, ip >> 32, e->port, ns->seed) &
	       (NF_SRTP_BUCKETS - 1);
}

static u32 nf_srtp_hash_id(const struct nf_srtp_net *ns, u64 owner, u64 id)
{
	return jhash_3words(id, id >> 32, owner ^ (owner >> 32), ns->seed) &
	       (NF_SRTP_BUCKETS - 1);
}

static void nf_srtp_sweep(struct work_struct *work);

int nf_srtp_net_start(struct nf_srtp_net *ns, struct net *net)
{
	ns->net = net;
	mutex_init(&ns->mutex);
	INIT_HLIST_HEAD(&ns->owner_list);
	INIT_DELAYED_WORK(&ns->sweep, nf_srtp_sweep);
	get_random_bytes(&ns->seed, sizeof(ns->seed));
	return 0;
}

int nf_srtp_net_prepare(struct nf_srtp_net *ns)
{
	lockdep_assert_held(&ns->mutex);
	if (!ns->by_port)
		ns->by_port = kvcalloc(NF_SRTP_BUCKETS, sizeof(*ns->by_port),
				       GFP_KERNEL);
	if (!ns->by_id)
		ns->by_id = kvcalloc(NF_SRTP_BUCKETS, sizeof(*ns->by_id),
				     GFP_KERNEL);
	if (!ns->port_users)
		ns->port_users = kvcalloc(U16_MAX + 1, sizeof(u16), GFP_KERNEL);
	if (!ns->ports)
		ns->ports = bitmap_zalloc(U16_MAX + 1, GFP_KERNEL);
	if (!ns->by_port || !ns->by_id || !ns->port_users || !ns->ports)
		return -ENOMEM;
	return ns->has_hooks ? 0 : nf_srtp_hooks_start(ns);
}

static void nf_srtp_owners_free(struct nf_srtp_net *ns)
{
	struct nf_srtp_owner *o;
	struct hlist_node *tmp;

	hlist_for_each_entry_safe(o, tmp, &ns->owner_list, node) {
		hlist_del(&o->node);
		kfree(o);
	}
}

void nf_srtp_net_stop(struct nf_srtp_net *ns)
{
	cancel_delayed_work_sync(&ns->sweep);
	if (ns->has_hooks)
		nf_srtp_hooks_stop(ns);
	mutex_lock(&ns->mutex);
	nf_srtp_flush(ns, 0, 0);
	nf_srtp_owners_free(ns);
	mutex_unlock(&ns->mutex);
	/* The hooks are gone and waited for: no packet looks here. */
	kvfree(ns->by_port);
	kvfree(ns->by_id);
	kvfree(ns->port_users);
	bitmap_free(ns->ports);
}

struct nf_srtp_port *nf_srtp_port_find(const struct nf_srtp_net *ns,
				       const struct nf_srtp_end *local)
{
	struct nf_srtp_port *p;

	hlist_for_each_entry_rcu(p, &ns->by_port[nf_srtp_hash_end(ns, local)],
				 node, lockdep_is_held(&ns->mutex)) {
		if (nf_srtp_end_eq(&p->local, local))
			return p;
	}
	return NULL;
}

struct nf_srtp_flow *nf_srtp_flow_find(const struct nf_srtp_net *ns, u64 owner,
				       u64 id)
{
	struct nf_srtp_flow *f;

	lockdep_assert_held(&ns->mutex);
	if (!ns->by_id)
		return NULL;
	hlist_for_each_entry(f, &ns->by_id[nf_srtp_hash_id(ns, owner, id)],
			     by_id) {
		if (f->id == id && f->owner == owner)
			return f;
	}
	return NULL;
}

static void nf_srtp_port_link(struct nf_srtp_net *ns, struct nf_srtp_port *p)
{
	u16 port = ntohs((__force __be16)p->local.port);

	if (!port)
		return;
	hlist_add_head_rcu(&p->node,
			   &ns->by_port[nf_srtp_hash_end(ns, &p->local)]);
	if (!ns->port_users[port]++)
		set_bit(port, ns->ports);
}

static void nf_srtp_port_unlink(struct nf_srtp_net *ns, struct nf_srtp_port *p)
{
	u16 port = ntohs((__force __be16)p->local.port);

	if (!port)
		return;
	hlist_del_rcu(&p->node);
	if (!--ns->port_users[port])
		clear_bit(port, ns->ports);
}

static bool nf_srtp_port_taken(struct nf_srtp_net *ns,
			       const struct nf_srtp_port *p)
{
	u16 port = ntohs((__force __be16)p->local.port);

	return port && (nf_srtp_port_find(ns, &p->local) ||
			ns->port_users[port] == U16_MAX);
}

bool nf_srtp_flow_is_after(const struct nf_srtp_flow *f, u64 owner, u64 id)
{
	return f->owner == owner ? f->id > id : f->owner > owner;
}

/* In the order of owner and ID: a dump may go on behind a flow that went. */
static void nf_srtp_id_link(struct nf_srtp_net *ns, struct nf_srtp_flow *f)
{
	struct hlist_head *head =
		&ns->by_id[nf_srtp_hash_id(ns, f->owner, f->id)];
	struct nf_srtp_flow *g, *last = NULL;

	hlist_for_each_entry(g, head, by_id) {
		if (nf_srtp_flow_is_after(g, f->owner, f->id))
			break;
		last = g;
	}
	if (last)
		hlist_add_behind(&f->by_id, &last->by_id);
	else
		hlist_add_head(&f->by_id, head);
}

int nf_srtp_flow_link(struct nf_srtp_flow *f)
{
	struct nf_srtp_net *ns = f->ns;
	struct nf_srtp_flow *peer;

	lockdep_assert_held(&ns->mutex);
	if (nf_srtp_flow_find(ns, f->owner, f->id))
		return -EEXIST;
	if (nf_srtp_port_taken(ns, &f->port[0]) ||
	    nf_srtp_port_taken(ns, &f->port[1]))
		return -EADDRINUSE;
	if (ns->flows >= NF_SRTP_FLOWS_MAX)
		return -ENOSPC;
	peer = nf_srtp_flow_find(ns, f->owner, f->peer_id);
	/* Both say so, or neither has one: who is whose peer is never open. */
	if (peer && peer->peer_id == f->id) {
		rcu_assign_pointer(f->peer, peer);
		rcu_assign_pointer(peer->peer, f);
	}
	nf_srtp_id_link(ns, f);
	nf_srtp_port_link(ns, &f->port[0]);
	nf_srtp_port_link(ns, &f->port[1]);
	if (!ns->flows++)
		queue_delayed_work(nf_srtp_wq, &ns->sweep,
				   msecs_to_jiffies(NF_SRTP_SWEEP_MS));
	return 0;
}

static void nf_srtp_flow_close(struct nf_srtp_flow *f)
{
	struct nf_srtp_key_ref *k;
	struct nf_srtp_conf *conf;
	int i;

	conf = rcu_dereference_protected(f->conf,
					 lockdep_is_held(&f->ns->mutex));
	if (conf && conf->out)
		nf_srtp_key_close(&conf->out->state);
	/* The next key must not become the present one, behind our back, between
	 * the looks at the two.
	 */
	spin_lock_bh(&f->lock);
	for (i = 0; i < NF_SRTP_KEY_ROLES; i++) {
		k = rcu_dereference_protected(f->in[i],
					      lockdep_is_held(&f->lock));
		if (k)
			nf_srtp_key_close(&k->state);
	}
	spin_unlock_bh(&f->lock);
}

void nf_srtp_flow_hide(struct nf_srtp_flow *f)
{
	lockdep_assert_held(&f->ns->mutex);
	nf_srtp_port_unlink(f->ns, &f->port[0]);
	nf_srtp_port_unlink(f->ns, &f->port[1]);
}

void nf_srtp_flow_unlink(struct nf_srtp_flow *f)
{
	struct nf_srtp_net *ns = f->ns;
	struct nf_srtp_flow *peer;

	lockdep_assert_held(&ns->mutex);
	nf_srtp_lose(f);
	peer = rcu_dereference_protected(f->peer, true);
	if (peer) {
		nf_srtp_lose(peer);
		RCU_INIT_POINTER(peer->peer, NULL);
		RCU_INIT_POINTER(f->peer, NULL);
	}
	hlist_del_init(&f->by_id);
	ns->flows--;
	nf_srtp_flow_close(f);
	nf_srtp_stats_add(f, ns->gone);
}

static void nf_srtp_flow_free_rcu(struct rcu_head *rcu)
{
	struct nf_srtp_flow *f = container_of(rcu, struct nf_srtp_flow, rcu);
	int i;

	/* The last packet may have found itself a route. */
	for (i = 0; i < 2; i++)
		nf_srtp_route_free(
			rcu_dereference_protected(f->route[i], true));
	free_percpu(f->counters);
	kfree_sensitive(f);
}

void nf_srtp_flow_free(struct nf_srtp_flow *f)
{
	int i;

	/* A packet may be giving the keys other roles. */
	spin_lock_bh(&f->lock);
	for (i = 0; i < NF_SRTP_KEY_ROLES; i++)
		nf_srtp_key_set(f, i, NULL);
	spin_unlock_bh(&f->lock);
	nf_srtp_conf_set(f, NULL);
	call_rcu(&f->rcu, nf_srtp_flow_free_rcu);
	/* The module's end waits for the callback. */
	module_put(THIS_MODULE);
}

u32 nf_srtp_flush(struct nf_srtp_net *ns, u64 owner, u64 call)
{
	struct nf_srtp_flow *f;
	struct hlist_node *tmp;
	u32 i, count = 0;

	lockdep_assert_held(&ns->mutex);
	for (i = 0; ns->by_id && ns->flows && i < NF_SRTP_BUCKETS; i++) {
		hlist_for_each_entry_safe(f, tmp, &ns->by_id[i], by_id) {
			if ((owner && f->owner != owner) ||
			    (call && f->call != call))
				continue;
			nf_srtp_flow_hide(f);
			nf_srtp_flow_unlink(f);
			nf_srtp_flow_free(f);
			count++;
		}
	}
	return count;
}

static void nf_srtp_sweep_flow(struct nf_srtp_flow *f)
{
	struct nf_srtp_conf *conf = rcu_dereference_protected(f->conf, true);

	if (!conf->idle_ms || READ_ONCE(f->is_idle) ||
	    time_before(jiffies,
			READ_ONCE(f->last) + msecs_to_jiffies(conf->idle_ms)))
		return;
	WRITE_ONCE(f->is_idle, true);
	nf_srtp_event(f, NF_SRTP_EVENT_IDLE, NULL, false, 0);
}

static void nf_srtp_sweep_owners(struct nf_srtp_net *ns)
{
	struct nf_srtp_owner *o;
	struct hlist_node *tmp;
	u32 count;

	hlist_for_each_entry_safe(o, tmp, &ns->owner_list, node) {
		if (time_before(jiffies, o->seen + o->lease_s * HZ))
			continue;
		count = nf_srtp_flush(ns, o->id, 0);
		nf_srtp_event_expired(ns, o->id, count);
		hlist_del(&o->node);
		kfree(o);
		ns->owners--;
	}
}

static void nf_srtp_sweep(struct work_struct *work)
{
	struct nf_srtp_net *ns =
		container_of(to_delayed_work(work), struct nf_srtp_net, sweep);
	struct nf_srtp_flow *f;
	u32 i;

	mutex_lock(&ns->mutex);
	nf_srtp_sweep_owners(ns);
	for (i = 0; ns->flows && i < NF_SRTP_BUCKETS; i++) {
		hlist_for_each_entry(f, &ns->by_id[i], by_id)
			nf_srtp_sweep_flow(f);
	}
	if (ns->flows || !hlist_empty(&ns->owner_list))
		queue_delayed_work(nf_srtp_wq, &ns->sweep,
				   msecs_to_jiffies(NF_SRTP_SWEEP_MS));
	mutex_unlock(&ns->mutex);
}
