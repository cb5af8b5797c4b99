// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about flows that are there: what they know, their end, what leads
 * into what, packets that user space got for them, sums over all.
 */
#include "command.h"

#include <net/sock.h>

enum { NF_SRTP_FLOW_BYTES = 16384 /* of a message about one flow */ };

static int nf_srtp_put_answer(struct sk_buff *msg, struct genl_info *info,
			      struct nf_srtp_flow *f)
{
	void *hdr = genlmsg_put_reply(msg, info, &nf_srtp_family, 0,
				      info->genlhdr->cmd);

	if (!hdr || nf_srtp_put_flow(msg, f))
		return -EMSGSIZE;
	genlmsg_end(msg, hdr);
	return 0;
}

/* The flow that is meant, and its peer when the request names it. The number of
 * them, or an error.
 */
static int nf_srtp_find_pair(struct nf_srtp_net *ns, struct genl_info *info,
			     struct nf_srtp_flow *ret[2])
{
	struct nlattr *peer = info->attrs[NF_SRTP_A_PEER];

	ret[0] = nf_srtp_flow_asked(ns, info, NF_SRTP_A_OWNER, NF_SRTP_A_ID);
	if (!ret[0])
		return -ENOENT;
	if (!peer)
		return 1;
	ret[1] = rcu_dereference_protected(ret[0]->peer,
					   lockdep_is_held(&ns->mutex));
	if (!ret[1] || ret[1]->id != nla_get_u64(peer)) {
		NL_SET_ERR_MSG_ATTR(info->extack, peer,
				    "this is not the flow's PEER");
		return -ENOENT;
	}
	return 2;
}

/* The answer is made before the flows go, and has the last word: first nobody
 * finds them and their keys are closed, then it is written down. When there is
 * no memory for the answer nothing happens.
 */
static int nf_srtp_tell(struct genl_info *info, bool is_last)
{
	struct nf_srtp_flow *f[2];
	struct nf_srtp_net *ns;
	struct sk_buff *msg;
	int i, n, err;

	ns = nf_srtp_enter(info, &err);
	if (!ns)
		return err;
	n = nf_srtp_find_pair(ns, info, f);
	msg = n > 0 ? genlmsg_new(n * NF_SRTP_FLOW_BYTES, GFP_KERNEL) : NULL;
	if (!msg) {
		mutex_unlock(&ns->mutex);
		return n > 0 ? -ENOMEM : n;
	}
	for (i = 0; is_last && i < n; i++)
		nf_srtp_flow_hide(f[i]);
	for (i = 0; is_last && i < n; i++)
		nf_srtp_flow_unlink(f[i]);
	for (i = 0; !err && i < n; i++)
		err = nf_srtp_put_answer(msg, info, f[i]);
	for (i = 0; is_last && i < n; i++)
		nf_srtp_flow_free(f[i]);
	mutex_unlock(&ns->mutex);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

int nf_srtp_flow_del(struct sk_buff *skb, struct genl_info *info)
{
	return nf_srtp_tell(info, true);
}

int nf_srtp_flow_get(struct sk_buff *skb, struct genl_info *info)
{
	return nf_srtp_tell(info, false);
}

static int nf_srtp_dump_flow(struct sk_buff *msg, struct netlink_callback *cb,
			     struct nf_srtp_flow *f)
{
	void *hdr =
		genlmsg_put(msg, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			    &nf_srtp_family, NLM_F_MULTI, NF_SRTP_CMD_FLOW_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (nf_srtp_put_flow(msg, f)) {
		genlmsg_cancel(msg, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

/* How far a dump has come: what is in the bucket up to owner and id was told. */
struct nf_srtp_dump {
	u64 owner; /* 0: nothing yet */
	u64 id;
	u32 bucket;
};

static struct nf_srtp_dump *nf_srtp_dump_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct nf_srtp_dump) > sizeof(cb->ctx));
	return (void *)cb->ctx;
}

/* One bucket, behind the flow that was the last in the message before. Flows
 * come and go between two messages; those that stay are told once.
 */
static int nf_srtp_dump_bucket(struct sk_buff *msg, struct netlink_callback *cb,
			       struct nf_srtp_net *ns, struct nlattr **attrs)
{
	struct nf_srtp_dump *at = nf_srtp_dump_of(cb);
	struct nlattr *owner = attrs[NF_SRTP_A_OWNER];
	struct nlattr *call = attrs[NF_SRTP_A_CALL];
	struct nf_srtp_flow *f;

	hlist_for_each_entry(f, &ns->by_id[at->bucket], by_id) {
		if (!nf_srtp_flow_is_after(f, at->owner, at->id))
			continue;
		if ((!owner || f->owner == nla_get_u64(owner)) &&
		    (!call || f->call == nla_get_u64(call)) &&
		    nf_srtp_dump_flow(msg, cb, f))
			return -EMSGSIZE;
		at->owner = f->owner;
		at->id = f->id;
	}
	at->owner = 0;
	at->id = 0;
	return 0;
}

int nf_srtp_dump_start(struct netlink_callback *cb)
{
	/* The first message would else have less than a page. */
	cb->min_dump_alloc = NF_SRTP_FLOW_BYTES;
	return 0;
}

int nf_srtp_flow_dump(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct nf_srtp_net *ns = nf_srtp_ns(sock_net(msg->sk));
	struct nf_srtp_dump *at = nf_srtp_dump_of(cb);
	struct nlattr *attrs[NF_SRTP_A_MAX + 1];
	int err;

	err = nlmsg_parse(cb->nlh, GENL_HDRLEN, attrs, NF_SRTP_A_MAX,
			  nf_srtp_policy, cb->extack);
	if (err)
		return err;
	mutex_lock(&ns->mutex);
	if (attrs[NF_SRTP_A_OWNER])
		nf_srtp_owner_touch(ns, nla_get_u64(attrs[NF_SRTP_A_OWNER]));
	for (; ns->by_id && at->bucket < NF_SRTP_BUCKETS; at->bucket++) {
		err = nf_srtp_dump_bucket(msg, cb, ns, attrs);
		if (err)
			break;
	}
	mutex_unlock(&ns->mutex);
	/* An empty message would be the end. */
	return msg->len ?: err;
}

static int nf_srtp_answer_count(struct genl_info *info, u32 count)
{
	struct sk_buff *msg;
	void *hdr;

	msg = nf_srtp_answer(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, NF_SRTP_A_FLOWS, count)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

static int nf_srtp_flush_do(struct genl_info *info, int call)
{
	struct nf_srtp_net *ns;
	u32 count = 0;
	u64 cookie;
	int err;

	ns = nf_srtp_enter(info, &err);
	if (!ns)
		return err;
	cookie = call ? nla_get_u64(info->attrs[call]) : 0;
	/* Call 0 is no call. */
	if (!call || cookie)
		count = nf_srtp_flush(
			ns, nla_get_u64(info->attrs[NF_SRTP_A_OWNER]), cookie);
	mutex_unlock(&ns->mutex);
	return nf_srtp_answer_count(info, count);
}

int nf_srtp_call_del(struct sk_buff *skb, struct genl_info *info)
{
	return nf_srtp_flush_do(info, NF_SRTP_A_CALL);
}

int nf_srtp_flush_owner(struct sk_buff *skb, struct genl_info *info)
{
	return nf_srtp_flush_do(info, 0);
}

int nf_srtp_do_join(struct sk_buff *skb, struct genl_info *info)
{
	struct nf_srtp_flow *f, *far = NULL;
	struct nf_srtp_net *ns;
	int err;

	ns = nf_srtp_enter(info, &err);
	if (!ns)
		return err;
	f = nf_srtp_flow_asked(ns, info, NF_SRTP_A_OWNER, NF_SRTP_A_ID);
	if (f)
		far = nf_srtp_flow_asked(ns, info, NF_SRTP_A_FAR_OWNER,
					 NF_SRTP_A_FAR_ID);
	err = far ? nf_srtp_join(f, far) : -ENOENT;
	if (far && err)
		NL_SET_ERR_MSG(info->extack,
			       "both flows need a peer, and not each other");
	mutex_unlock(&ns->mutex);
	return err;
}

int nf_srtp_do_part(struct sk_buff *skb, struct genl_info *info)
{
	struct nf_srtp_flow *f;
	struct nf_srtp_net *ns;
	int err;

	ns = nf_srtp_enter(info, &err);
	if (!ns)
		return err;
	f = nf_srtp_flow_asked(ns, info, NF_SRTP_A_OWNER, NF_SRTP_A_ID);
	if (f)
		nf_srtp_part(f);
	mutex_unlock(&ns->mutex);
	return f ? 0 : -ENOENT;
}

int nf_srtp_packet(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *payload = info->attrs[NF_SRTP_A_PAYLOAD];
	bool on_rtcp = info->attrs[NF_SRTP_A_ON_RTCP];
	struct nf_srtp_end src;
	struct nf_srtp_flow *f;
	struct nf_srtp_net *ns;
	int err;

	ns = nf_srtp_enter(info, &err);
	if (!ns)
		return err;
	err = nf_srtp_get_end(info->attrs[NF_SRTP_A_SOURCE], &src,
			      info->extack);
	f = err ? NULL
		: nf_srtp_flow_asked(ns, info, NF_SRTP_A_OWNER, NF_SRTP_A_ID);
	if (!err && !f)
		err = -ENOENT;
	if (f) {
		local_bh_disable();
		rcu_read_lock();
		err = nf_srtp_inject(f, &src, on_rtcp, nla_data(payload),
				     nla_len(payload));
		rcu_read_unlock();
		local_bh_enable();
	}
	if (err == -EAFNOSUPPORT)
		NL_SET_ERR_MSG_ATTR(info->extack,
				    info->attrs[NF_SRTP_A_SOURCE],
				    "SOURCE is of another family than LOCAL");
	mutex_unlock(&ns->mutex);
	return err;
}

int nf_srtp_stats_get(struct sk_buff *skb, struct genl_info *info)
{
	u64 sum[NF_SRTP_STAT_MAX + 1];
	struct nf_srtp_flow *f;
	struct nf_srtp_net *ns;
	struct sk_buff *msg;
	u32 i, flows;
	void *hdr;
	int err;

	ns = nf_srtp_enter(info, &err);
	if (!ns)
		return err;
	memcpy(sum, ns->gone, sizeof(sum));
	flows = ns->flows;
	for (i = 0; flows && i < NF_SRTP_BUCKETS; i++) {
		hlist_for_each_entry(f, &ns->by_id[i], by_id)
			nf_srtp_stats_add(f, sum);
	}
	mutex_unlock(&ns->mutex);
	msg = nf_srtp_answer(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, NF_SRTP_A_FLOWS, flows) ||
	    nf_srtp_put_stats(msg, sum)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}
