// SPDX-License-Identifier: GPL-2.0
/*
 * The family of uapi/nf_srtp.h: what a command must have, features, owners, and
 * flows that come or change. The other commands are command.c.
 */
#include "command.h"
#include "driver.h"

#include <linux/module.h>
#include <net/netns/generic.h>
#include <net/sock.h>

unsigned int nf_srtp_net_id;

#define BIT_OF(a) (1ull << NF_SRTP_A_##a)

static const u64 nf_srtp_flow_attrs =
	BIT_OF(OWNER) | BIT_OF(ID) | BIT_OF(PEER) | BIT_OF(CALL) |
	BIT_OF(LOCAL) | BIT_OF(LOCAL_RTCP) | BIT_OF(REMOTE) |
	BIT_OF(REMOTE_RTCP) | BIT_OF(LATCH) | BIT_OF(LATCH_PREFIX) |
	BIT_OF(EPOCH) | BIT_OF(FLAGS) | BIT_OF(IN) | BIT_OF(IN_NEXT) |
	BIT_OF(OUT) | BIT_OF(GRACE_MS) | BIT_OF(IDLE_MS) |
	BIT_OF(PAYLOAD_TYPES) | BIT_OF(DSCP) | BIT_OF(MARK) | BIT_OF(IFINDEX);

/* What a command must have, and what it may have beside that. */
struct nf_srtp_form {
	u64 must;
	u64 may;
};

static struct nf_srtp_form nf_srtp_form_of(u8 cmd)
{
	const u64 name = BIT_OF(OWNER) | BIT_OF(ID);

	switch (cmd) {
	case NF_SRTP_CMD_OWNER_SET:
		return (struct nf_srtp_form){BIT_OF(OWNER), BIT_OF(LEASE)};
	case NF_SRTP_CMD_FLOW_ADD:
		return (struct nf_srtp_form){name | BIT_OF(LOCAL),
					     nf_srtp_flow_attrs |
						     BIT_OF(LATCHED) |
						     BIT_OF(LATCHED_RTCP)};
	case NF_SRTP_CMD_FLOW_SET:
		return (struct nf_srtp_form){name | BIT_OF(LOCAL),
					     nf_srtp_flow_attrs};
	case NF_SRTP_CMD_FLOW_DEL:
		return (struct nf_srtp_form){name, BIT_OF(PEER)};
	case NF_SRTP_CMD_FLOW_GET:
	case NF_SRTP_CMD_PART:
		return (struct nf_srtp_form){name, 0};
	case NF_SRTP_CMD_CALL_DEL:
		return (struct nf_srtp_form){BIT_OF(OWNER) | BIT_OF(CALL), 0};
	case NF_SRTP_CMD_FLUSH:
		return (struct nf_srtp_form){BIT_OF(OWNER), 0};
	case NF_SRTP_CMD_JOIN:
		return (struct nf_srtp_form){
			name | BIT_OF(FAR_OWNER) | BIT_OF(FAR_ID), 0};
	case NF_SRTP_CMD_PACKET:
		return (struct nf_srtp_form){name | BIT_OF(SOURCE) |
						     BIT_OF(PAYLOAD),
					     BIT_OF(ON_RTCP)};
	default:
		return (struct nf_srtp_form){0, 0};
	}
}

static int nf_srtp_check_attrs(struct genl_info *info)
{
	struct nf_srtp_form form = nf_srtp_form_of(info->genlhdr->cmd);
	int i;

	for (i = 1; i <= NF_SRTP_A_MAX; i++) {
		if (info->attrs[i] && !((form.must | form.may) & 1ull << i)) {
			NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[i],
					    "not an attribute of this command");
			return -EINVAL;
		}
		if (!info->attrs[i] && (form.must & 1ull << i)) {
			NL_SET_ERR_MSG(info->extack, "an attribute is missing");
			return -EINVAL;
		}
	}
	return 0;
}

static int nf_srtp_check_form(struct genl_info *info)
{
	int err = nf_srtp_check_attrs(info);

	/* The refusal has a copy of the request. */
	if (err)
		nf_srtp_keys_wipe(info);
	return err;
}

struct nf_srtp_net *nf_srtp_ns(const struct net *net)
{
	return net_generic(net, nf_srtp_net_id);
}

static struct nf_srtp_owner *nf_srtp_owner_find(struct nf_srtp_net *ns, u64 id)
{
	struct nf_srtp_owner *o;

	hlist_for_each_entry(o, &ns->owner_list, node) {
		if (o->id == id)
			return o;
	}
	return NULL;
}

void nf_srtp_owner_touch(struct nf_srtp_net *ns, u64 id)
{
	struct nf_srtp_owner *o = nf_srtp_owner_find(ns, id);

	if (o)
		o->seen = jiffies;
}

struct nf_srtp_net *nf_srtp_enter(struct genl_info *info, int *err)
{
	struct nf_srtp_net *ns = nf_srtp_ns(genl_info_net(info));

	BUILD_BUG_ON(NF_SRTP_A_MAX > 63);
	*err = nf_srtp_check_form(info);
	if (*err)
		return NULL;
	mutex_lock(&ns->mutex);
	if (info->attrs[NF_SRTP_A_OWNER])
		nf_srtp_owner_touch(ns,
				    nla_get_u64(info->attrs[NF_SRTP_A_OWNER]));
	return ns;
}

struct nf_srtp_flow *nf_srtp_flow_asked(struct nf_srtp_net *ns,
					struct genl_info *info, int owner,
					int id)
{
	struct nf_srtp_flow *f =
		nf_srtp_flow_find(ns, nla_get_u64(info->attrs[owner]),
				  nla_get_u64(info->attrs[id]));

	if (!f)
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[id],
				    "no such flow");
	return f;
}

struct sk_buff *nf_srtp_answer(struct genl_info *info, u32 bytes, void **hdr)
{
	struct sk_buff *msg = genlmsg_new(bytes, GFP_KERNEL);

	if (!msg)
		return NULL;
	*hdr = genlmsg_put_reply(msg, info, &nf_srtp_family, 0,
				 info->genlhdr->cmd);
	if (*hdr)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

/* --- features and owners ---------------------------------------------------- */

static u32 nf_srtp_suites_mask(void)
{
	return (2u << NF_SRTP_SUITE_MAX) - 2;
}

static int nf_srtp_put_features(struct sk_buff *msg)
{
	if (nla_put_string(msg, NF_SRTP_A_VERSION, NF_SRTP_MODULE_VERSION) ||
	    nla_put_u32(msg, NF_SRTP_A_SUITES, nf_srtp_suites_mask()) ||
	    nla_put_u32(msg, NF_SRTP_A_FLOWS_MAX, NF_SRTP_FLOWS_MAX) ||
	    nla_put_u32(msg, NF_SRTP_A_SSRC_MAX, NF_SRTP_SSRC_MAX) ||
	    nla_put_u32(msg, NF_SRTP_A_WINDOW, NF_SRTP_WINDOW) ||
	    nla_put_u32(msg, NF_SRTP_A_PACKET_MAX, NF_SRTP_PACKET_MAX) ||
	    nla_put_u32(msg, NF_SRTP_A_SELFTEST, nf_srtp_selftest_passed) ||
	    nla_put_string(msg, NF_SRTP_A_DRIVER_CTR,
			   nf_srtp_driver_ctr_name()) ||
	    nla_put_string(msg, NF_SRTP_A_DRIVER_GCM,
			   nf_srtp_driver_gcm_name()) ||
	    nla_put_string(msg, NF_SRTP_A_DRIVER_MAC,
			   nf_srtp_driver_mac_name()) ||
	    nla_put_string(msg, NF_SRTP_A_HOOK,
			   nf_srtp_local_in ? "input" : "prerouting"))
		return -EMSGSIZE;
	return 0;
}

static int nf_srtp_features(struct sk_buff *skb, struct genl_info *info)
{
	int err = nf_srtp_check_form(info);
	struct sk_buff *msg;
	void *hdr;

	if (err)
		return err;
	msg = nf_srtp_answer(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!msg)
		return -ENOMEM;
	err = nf_srtp_put_features(msg);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

static int nf_srtp_lease_set(struct nf_srtp_net *ns, u64 id, u32 lease_s,
			     struct netlink_ext_ack *extack)
{
	struct nf_srtp_owner *o = nf_srtp_owner_find(ns, id);

	if (o && !lease_s) {
		hlist_del(&o->node);
		kfree(o);
		ns->owners--;
	}
	if (!lease_s)
		return 0;
	if (!o && ns->owners >= NF_SRTP_OWNERS_MAX) {
		NL_SET_ERR_MSG(extack, "too many owners with a lease");
		return -ENOSPC;
	}
	if (!o) {
		o = kzalloc(sizeof(*o), GFP_KERNEL_ACCOUNT);
		if (!o)
			return -ENOMEM;
		o->id = id;
		hlist_add_head(&o->node, &ns->owner_list);
		ns->owners++;
	}
	o->lease_s = lease_s;
	o->seen = jiffies;
	queue_delayed_work(nf_srtp_wq, &ns->sweep,
			   msecs_to_jiffies(NF_SRTP_SWEEP_MS));
	return 0;
}

static u32 nf_srtp_count_flows(struct nf_srtp_net *ns, u64 owner)
{
	struct nf_srtp_flow *f;
	u32 i, count = 0;

	for (i = 0; ns->flows && i < NF_SRTP_BUCKETS; i++) {
		hlist_for_each_entry(f, &ns->by_id[i], by_id)
			count += f->owner == owner;
	}
	return count;
}

static int nf_srtp_owner_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nf_srtp_net *ns;
	struct sk_buff *msg;
	u32 lease_s = 0;
	void *hdr;
	u64 id;
	int err;

	ns = nf_srtp_enter(info, &err);
	if (!ns)
		return err;
	id = nla_get_u64(info->attrs[NF_SRTP_A_OWNER]);
	if (info->attrs[NF_SRTP_A_LEASE])
		lease_s = nla_get_u32(info->attrs[NF_SRTP_A_LEASE]);
	msg = nf_srtp_answer(info, NLMSG_DEFAULT_SIZE, &hdr);
	err = msg ? nf_srtp_lease_set(ns, id, lease_s, info->extack) : -ENOMEM;
	if (!err &&
	    (nf_srtp_put_u64(msg, NF_SRTP_A_OWNER, id) ||
	     nla_put_u32(msg, NF_SRTP_A_LEASE, lease_s) ||
	     nla_put_u32(msg, NF_SRTP_A_FLOWS, nf_srtp_count_flows(ns, id))))
		err = -EMSGSIZE;
	mutex_unlock(&ns->mutex);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/* --- flows: add and set ------------------------------------------------------ */

/* Everything a request needs that can fail, made before anything changes. */
struct nf_srtp_change {
	struct nf_srtp_conf *conf;
	struct nf_srtp_key_ref *in; /* a reference, or NULL: plain */
	struct nf_srtp_key_ref *next;
};

static void nf_srtp_change_undo(struct nf_srtp_change *c)
{
	nf_srtp_conf_free(c->conf);
	nf_srtp_key_put(c->in);
	nf_srtp_key_put(c->next);
}

/* The key the request names, with a reference; one of have[], when it is the
 * same, with its streams.
 */
static int nf_srtp_make_key(const struct nf_srtp_key_request *rq,
			    struct nf_srtp_key_ref **have, int count,
			    struct nf_srtp_key_ref **ret,
			    struct netlink_ext_ack *extack)
{
	struct nf_srtp_key_ref *k;
	int i, err;

	*ret = NULL;
	if (!rq->is_there)
		return 0;
	for (i = 0; rq->is_same && i < count; i++) {
		if (have[i] &&
		    nf_srtp_key_print(&have[i]->state) == rq->print) {
			*ret = nf_srtp_key_get(have[i]);
			return 0;
		}
	}
	if (rq->is_same) {
		NL_SET_ERR_MSG(extack, "no key with this FINGERPRINT here");
		return -ENOENT;
	}
	k = nf_srtp_key_new(&rq->master, &err);
	if (!k)
		return err;
	for (i = 0; i < count; i++) {
		if (have[i] && nf_srtp_key_eq(&k->state, &have[i]->state)) {
			nf_srtp_key_put(k);
			*ret = nf_srtp_key_get(have[i]);
			return 0;
		}
	}
	err = nf_srtp_resume_streams(&k->state, rq->nest, extack);
	if (err) {
		nf_srtp_key_put(k);
		return err;
	}
	*ret = k;
	return 0;
}

static struct nf_srtp_conf *nf_srtp_make_conf(const struct nf_srtp_request *rq)
{
	struct nf_srtp_conf *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return NULL;
	c->flags = rq->flags;
	c->epoch = rq->epoch;
	c->grace_ms = rq->grace_ms;
	c->idle_ms = rq->idle_ms;
	c->rule.mode = rq->latch;
	c->rule.prefix = rq->prefix;
	c->dscp = rq->dscp;
	c->mark = rq->mark;
	c->ifindex = rq->ifindex;
	if (rq->payload_types) {
		c->has_payload_types = true;
		memcpy(c->payload_types, rq->payload_types,
		       sizeof(c->payload_types));
	}
	return c;
}

static int nf_srtp_make_change(const struct nf_srtp_request *rq,
			       struct nf_srtp_flow *f, struct nf_srtp_change *c,
			       struct netlink_ext_ack *extack)
{
	struct nf_srtp_key_ref *in[NF_SRTP_KEY_ROLES], *out;
	int i, err;

	memset(c, 0, sizeof(*c));
	c->conf = nf_srtp_make_conf(rq);
	if (!c->conf)
		return -ENOMEM;
	/* Keys that packets retire meanwhile live on for a grace period. */
	rcu_read_lock();
	for (i = 0; i < NF_SRTP_KEY_ROLES; i++) {
		in[i] = rcu_dereference(f->in[i]);
		if (in[i] && !refcount_inc_not_zero(&in[i]->ref))
			in[i] = NULL;
	}
	rcu_read_unlock();
	out = f->conf ? rcu_dereference_protected(f->conf, true)->out : NULL;
	err = nf_srtp_make_key(&rq->out, &out, 1, &c->conf->out, extack);
	/* A key that was retired does not come back with its streams, unless
	 * it is still there: then it does.
	 */
	if (!err)
		err = nf_srtp_make_key(&rq->in, in, NF_SRTP_KEY_ROLES, &c->in,
				       extack);
	if (!err)
		err = nf_srtp_make_key(&rq->next, in, NF_SRTP_KEY_ROLES,
				       &c->next, extack);
	for (i = 0; i < NF_SRTP_KEY_ROLES; i++)
		nf_srtp_key_put(in[i]);
	if (err)
		nf_srtp_change_undo(c);
	return err;
}

/* The keys of IN: what was there before is accepted for a while longer. */
static void nf_srtp_swap_keys(struct nf_srtp_flow *f, struct nf_srtp_change *c)
{
	struct nf_srtp_key_ref *cur;

	spin_lock_bh(&f->lock);
	cur = rcu_dereference_protected(f->in[NF_SRTP_KEY_CUR],
					lockdep_is_held(&f->lock));
	if (!c->in) {
		nf_srtp_key_set(f, NF_SRTP_KEY_OLD, NULL);
	} else if (cur && cur != c->in) {
		nf_srtp_key_set(f, NF_SRTP_KEY_OLD, nf_srtp_key_get(cur));
		WRITE_ONCE(f->old_until,
			   jiffies + msecs_to_jiffies(c->conf->grace_ms));
	}
	nf_srtp_key_set(f, NF_SRTP_KEY_NEXT, c->next == c->in ? NULL : c->next);
	if (c->next && c->next == c->in)
		nf_srtp_key_put(c->next);
	nf_srtp_key_set(f, NF_SRTP_KEY_CUR, c->in);
	spin_unlock_bh(&f->lock);
}

static int nf_srtp_add_locked(struct nf_srtp_net *ns,
			      const struct nf_srtp_request *rq,
			      struct netlink_ext_ack *extack)
{
	struct nf_srtp_change c;
	struct nf_srtp_flow *f;
	int err;

	if (nf_srtp_flow_find(ns, rq->owner, rq->id)) {
		NL_SET_ERR_MSG(extack, "the owner has a flow with this ID");
		return -EEXIST;
	}
	err = nf_srtp_net_prepare(ns);
	if (err)
		return err;
	f = nf_srtp_flow_new(ns);
	if (!f)
		return -ENOMEM;
	f->owner = rq->owner;
	f->id = rq->id;
	f->peer_id = rq->peer_id;
	f->call = rq->call;
	f->port[0].local = rq->local[0];
	f->port[1].local = rq->local[1];
	err = nf_srtp_make_change(rq, f, &c, extack);
	if (!err) {
		nf_srtp_latch_reset(f, &rq->remote[0], &rq->remote[1]);
		/* Nobody sees the flow yet. */
		f->latch[0].proven = rq->proven[0];
		f->latch[1].proven = rq->proven[1];
		nf_srtp_swap_keys(f, &c);
		nf_srtp_conf_set(f, c.conf);
		err = nf_srtp_flow_link(f);
	}
	if (err == -EADDRINUSE)
		NL_SET_ERR_MSG(extack, "LOCAL is another flow's address");
	if (err == -ENOSPC)
		NL_SET_ERR_MSG(extack, "too many flows");
	if (err)
		nf_srtp_flow_free(f);
	return err;
}

static bool nf_srtp_is_moved(const struct nf_srtp_flow *f,
			     const struct nf_srtp_request *rq)
{
	const struct nf_srtp_conf *conf = rcu_dereference_protected(
		f->conf, lockdep_is_held(&f->ns->mutex));

	return !nf_srtp_end_eq(&f->latch[0].signalled, &rq->remote[0]) ||
	       !nf_srtp_end_eq(&f->latch[1].signalled, &rq->remote[1]) ||
	       conf->rule.mode != rq->latch ||
	       conf->rule.prefix != rq->prefix || conf->epoch != rq->epoch;
}

static void nf_srtp_routes_forget(struct nf_srtp_flow *f)
{
	int i;

	spin_lock_bh(&f->lock);
	for (i = 0; i < 2; i++)
		nf_srtp_route_free(rcu_replace_pointer(
			f->route[i], NULL, lockdep_is_held(&f->lock)));
	spin_unlock_bh(&f->lock);
}

static int nf_srtp_set_locked(struct nf_srtp_net *ns,
			      const struct nf_srtp_request *rq,
			      struct netlink_ext_ack *extack)
{
	struct nf_srtp_flow *f = nf_srtp_flow_find(ns, rq->owner, rq->id);
	struct nf_srtp_change c;
	int err;

	if (!f) {
		NL_SET_ERR_MSG(extack, "no such flow");
		return -ENOENT;
	}
	if (f->peer_id != rq->peer_id ||
	    !nf_srtp_end_eq(&f->port[0].local, &rq->local[0]) ||
	    !nf_srtp_end_eq(&f->port[1].local, &rq->local[1])) {
		NL_SET_ERR_MSG(extack, "PEER and LOCAL cannot change");
		return -EOPNOTSUPP;
	}
	err = nf_srtp_make_change(rq, f, &c, extack);
	if (err)
		return err;
	if (nf_srtp_is_moved(f, rq))
		nf_srtp_latch_reset(f, &rq->remote[0], &rq->remote[1]);
	f->call = rq->call;
	nf_srtp_swap_keys(f, &c);
	nf_srtp_conf_set(f, c.conf);
	nf_srtp_routes_forget(f);
	WRITE_ONCE(f->last, jiffies);
	/* Who set it may read of the silence only now. */
	if (READ_ONCE(f->is_idle)) {
		WRITE_ONCE(f->is_idle, false);
		nf_srtp_event(f, NF_SRTP_EVENT_ACTIVE, NULL, false, 0);
	}
	WRITE_ONCE(f->is_lost, false);
	return 0;
}

static int nf_srtp_flow_put(struct genl_info *info,
			    int (*put)(struct nf_srtp_net *ns,
				       const struct nf_srtp_request *rq,
				       struct netlink_ext_ack *extack))
{
	struct nf_srtp_request rq;
	struct nf_srtp_net *ns;
	int err;

	ns = nf_srtp_enter(info, &err);
	if (!ns)
		return err;
	err = nf_srtp_request_read(info->attrs, &rq, info->extack);
	if (!err)
		err = put(ns, &rq, info->extack);
	nf_srtp_request_done(&rq);
	nf_srtp_keys_wipe(info);
	mutex_unlock(&ns->mutex);
	return err;
}

static int nf_srtp_flow_add(struct sk_buff *skb, struct genl_info *info)
{
	return nf_srtp_flow_put(info, nf_srtp_add_locked);
}

static int nf_srtp_flow_set(struct sk_buff *skb, struct genl_info *info)
{
	return nf_srtp_flow_put(info, nf_srtp_set_locked);
}

#define NF_SRTP_OP(name, handler)                           \
	{                                                   \
		.cmd = NF_SRTP_CMD_##name, .doit = handler, \
		.flags = GENL_UNS_ADMIN_PERM                \
	}

static const struct genl_ops nf_srtp_ops[] = {
	{.cmd = NF_SRTP_CMD_FEATURES, .doit = nf_srtp_features},
	NF_SRTP_OP(OWNER_SET, nf_srtp_owner_set),
	NF_SRTP_OP(FLOW_ADD, nf_srtp_flow_add),
	NF_SRTP_OP(FLOW_SET, nf_srtp_flow_set),
	NF_SRTP_OP(FLOW_DEL, nf_srtp_flow_del),
	{.cmd = NF_SRTP_CMD_FLOW_GET,
	 .doit = nf_srtp_flow_get,
	 .start = nf_srtp_dump_start,
	 .dumpit = nf_srtp_flow_dump,
	 .flags = GENL_UNS_ADMIN_PERM},
	NF_SRTP_OP(CALL_DEL, nf_srtp_call_del),
	NF_SRTP_OP(FLUSH, nf_srtp_flush_owner),
	NF_SRTP_OP(JOIN, nf_srtp_do_join),
	NF_SRTP_OP(PART, nf_srtp_do_part),
	NF_SRTP_OP(PACKET, nf_srtp_packet),
	NF_SRTP_OP(STATS_GET, nf_srtp_stats_get),
};

static const struct genl_multicast_group nf_srtp_groups[] = {
	{
		.name = NF_SRTP_GENL_EVENTS,
#ifdef HAVE_MCGRP_FLAGS
		.flags = GENL_UNS_ADMIN_PERM,
#endif
	},
};

struct genl_family nf_srtp_family __ro_after_init = {
	.name = NF_SRTP_GENL_NAME,
	.version = NF_SRTP_VERSION,
	.maxattr = NF_SRTP_A_MAX,
	.policy = nf_srtp_policy,
	.netnsok = true,
	.module = THIS_MODULE,
	.ops = nf_srtp_ops,
	.n_ops = ARRAY_SIZE(nf_srtp_ops),
#ifdef HAVE_RESV_START_OP
	.resv_start_op = NF_SRTP_CMD_UNSPEC + 1,
#endif
	.mcgrps = nf_srtp_groups,
	.n_mcgrps = ARRAY_SIZE(nf_srtp_groups),
};
