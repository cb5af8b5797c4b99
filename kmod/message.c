// SPDX-License-Identifier: GPL-2.0
#include "message.h"

#include <linux/netdevice.h>

static const struct nla_policy nf_srtp_addr_policy[NF_SRTP_ADDR_MAX + 1] = {
	[NF_SRTP_ADDR_IP4] = {.type = NLA_U32},
	[NF_SRTP_ADDR_IP6] = NLA_POLICY_EXACT_LEN(16),
	[NF_SRTP_ADDR_PORT] = {.type = NLA_U16},
};

static const struct nla_policy nf_srtp_stream_policy[NF_SRTP_STREAM_MAX + 1] = {
	[NF_SRTP_STREAM_SSRC] = {.type = NLA_U32},
	[NF_SRTP_STREAM_RTP] = {.type = NLA_U64},
	[NF_SRTP_STREAM_RTCP] = {.type = NLA_U32},
};

static const struct nla_policy nf_srtp_key_policy[NF_SRTP_KEY_MAX + 1] = {
	[NF_SRTP_KEY_SUITE] = NLA_POLICY_RANGE(NLA_U16, 1, NF_SRTP_SUITE_MAX),
	[NF_SRTP_KEY_KEY] = {.type = NLA_BINARY, .len = NF_SRTP_KEY_BYTES},
	[NF_SRTP_KEY_SALT] = {.type = NLA_BINARY, .len = NF_SRTP_SALT_BYTES},
	[NF_SRTP_KEY_MKI] = {.type = NLA_BINARY, .len = NF_SRTP_MKI_BYTES},
	[NF_SRTP_KEY_STREAM] = NLA_POLICY_NESTED(nf_srtp_stream_policy),
	[NF_SRTP_KEY_FINGERPRINT] = {.type = NLA_U64},
};

const struct nla_policy nf_srtp_policy[NF_SRTP_A_MAX + 1] = {
	[NF_SRTP_A_OWNER] = NLA_POLICY_MIN(NLA_U64, 1),
	[NF_SRTP_A_ID] = NLA_POLICY_MIN(NLA_U64, 1),
	[NF_SRTP_A_PEER] = {.type = NLA_U64},
	[NF_SRTP_A_CALL] = {.type = NLA_U64},
	[NF_SRTP_A_LOCAL] = NLA_POLICY_NESTED(nf_srtp_addr_policy),
	[NF_SRTP_A_LOCAL_RTCP] = NLA_POLICY_NESTED(nf_srtp_addr_policy),
	[NF_SRTP_A_REMOTE] = NLA_POLICY_NESTED(nf_srtp_addr_policy),
	[NF_SRTP_A_REMOTE_RTCP] = NLA_POLICY_NESTED(nf_srtp_addr_policy),
	[NF_SRTP_A_LATCH] = NLA_POLICY_MAX(NLA_U8, NF_SRTP_LATCH_NAT),
	[NF_SRTP_A_LATCH_PREFIX] = NLA_POLICY_MAX(NLA_U8, 128),
	[NF_SRTP_A_EPOCH] = {.type = NLA_U32},
	[NF_SRTP_A_FLAGS] = NLA_POLICY_MASK(NLA_U32, NF_SRTP_F_ALL),
	[NF_SRTP_A_IN] = NLA_POLICY_NESTED(nf_srtp_key_policy),
	[NF_SRTP_A_IN_NEXT] = NLA_POLICY_NESTED(nf_srtp_key_policy),
	[NF_SRTP_A_OUT] = NLA_POLICY_NESTED(nf_srtp_key_policy),
	[NF_SRTP_A_GRACE_MS] = {.type = NLA_U32},
	[NF_SRTP_A_IDLE_MS] = {.type = NLA_U32},
	[NF_SRTP_A_PAYLOAD_TYPES] = NLA_POLICY_EXACT_LEN(16),
	[NF_SRTP_A_DSCP] = NLA_POLICY_MAX(NLA_U8, 63),
	[NF_SRTP_A_MARK] = {.type = NLA_U32},
	[NF_SRTP_A_IFINDEX] = {.type = NLA_U32},
	[NF_SRTP_A_LATCHED] = NLA_POLICY_NESTED(nf_srtp_addr_policy),
	[NF_SRTP_A_LATCHED_RTCP] = NLA_POLICY_NESTED(nf_srtp_addr_policy),
	[NF_SRTP_A_FAR_OWNER] = NLA_POLICY_MIN(NLA_U64, 1),
	[NF_SRTP_A_FAR_ID] = NLA_POLICY_MIN(NLA_U64, 1),
	[NF_SRTP_A_LEASE] = NLA_POLICY_MAX(NLA_U32, 32767),
	[NF_SRTP_A_SOURCE] = NLA_POLICY_NESTED(nf_srtp_addr_policy),
	[NF_SRTP_A_PAYLOAD] = {.type = NLA_BINARY, .len = NF_SRTP_PACKET_MAX},
	[NF_SRTP_A_ON_RTCP] = {.type = NLA_FLAG},
};

/* --- out ------------------------------------------------------------------ */

int nf_srtp_put_end(struct sk_buff *msg, int type, const struct nf_srtp_end *e)
{
	struct nlattr *nest = nla_nest_start(msg, type);
	int err;

	if (!nest)
		return -EMSGSIZE;
	if (e->family == AF_INET)
		err = nla_put(msg, NF_SRTP_ADDR_IP4, 4, e->ip);
	else
		err = nla_put(msg, NF_SRTP_ADDR_IP6, 16, e->ip);
	if (err ||
	    nla_put_be16(msg, NF_SRTP_ADDR_PORT, (__force __be16)e->port))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int nf_srtp_put_end_if(struct sk_buff *msg, int type,
			      const struct nf_srtp_end *e)
{
	return e->family ? nf_srtp_put_end(msg, type, e) : 0;
}

static int nf_srtp_put_stream(struct sk_buff *msg,
			      const struct nf_srtp_stream_state *st)
{
	struct nlattr *nest = nla_nest_start(msg, NF_SRTP_KEY_STREAM);

	if (!nest || nla_put_u32(msg, NF_SRTP_STREAM_SSRC, st->ssrc) ||
	    nla_put_u64_64bit(msg, NF_SRTP_STREAM_RTP, st->rtp.next,
			      NF_SRTP_STREAM_PAD) ||
	    nla_put_u32(msg, NF_SRTP_STREAM_RTCP, st->rtcp.next))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

/* Where all streams stand at one moment. */
static int nf_srtp_put_streams(struct sk_buff *msg, struct nf_srtp_key_state *k)
{
	const struct nf_srtp_stream_state *st;
	int err = 0;

	spin_lock_bh(&k->lock);
	for (st = k->streams; st && !err; st = st->next)
		err = nf_srtp_put_stream(msg, st);
	spin_unlock_bh(&k->lock);
	return err;
}

static int nf_srtp_put_key(struct sk_buff *msg, int type,
			   struct nf_srtp_key_ref *ref)
{
	struct nf_srtp_key_state *k;
	struct nlattr *nest;

	if (!ref)
		return 0;
	k = &ref->state;
	nest = nla_nest_start(msg, type);
	if (!nest || nla_put_u16(msg, NF_SRTP_KEY_SUITE, k->number) ||
	    (k->mki_len && nla_put(msg, NF_SRTP_KEY_MKI, k->mki_len, k->mki)) ||
	    nla_put_u64_64bit(msg, NF_SRTP_KEY_FINGERPRINT,
			      nf_srtp_key_print(k), NF_SRTP_KEY_PAD) ||
	    nf_srtp_put_streams(msg, k))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

int nf_srtp_put_stats(struct sk_buff *msg, const u64 *sum)
{
	struct nlattr *nest = nla_nest_start(msg, NF_SRTP_A_STATS);
	int i;

	if (!nest)
		return -EMSGSIZE;
	for (i = NF_SRTP_STAT_PAD + 1; i <= NF_SRTP_STAT_MAX; i++) {
		if (nla_put_u64_64bit(msg, i, sum[i], NF_SRTP_STAT_PAD))
			return -EMSGSIZE;
	}
	nla_nest_end(msg, nest);
	return 0;
}

static u64 nf_srtp_soft_count(const struct nf_srtp_key_ref *k)
{
	return k ? READ_ONCE(k->state.rtp.soft) + READ_ONCE(k->state.rtcp.soft)
		 : 0;
}

static int nf_srtp_put_state(struct sk_buff *msg, struct nf_srtp_flow *f,
			     const struct nf_srtp_conf *conf)
{
	u64 sum[NF_SRTP_STAT_MAX + 1] = {0};
	struct nf_srtp_latch_state latch[2];
	struct nf_srtp_flow *far;

	spin_lock_bh(&f->lock);
	memcpy(latch, f->latch, sizeof(latch));
	spin_unlock_bh(&f->lock);
	nf_srtp_stats_add(f, sum);
	rcu_read_lock();
	sum[NF_SRTP_STAT_SOFT] +=
		nf_srtp_soft_count(conf->out) +
		nf_srtp_soft_count(rcu_dereference(f->in[NF_SRTP_KEY_CUR]));
	rcu_read_unlock();
	far = rcu_dereference_protected(f->far, lockdep_is_held(&f->ns->mutex));
	if (nf_srtp_put_end_if(msg, NF_SRTP_A_REMOTE, &latch[0].signalled) ||
	    nf_srtp_put_end_if(msg, NF_SRTP_A_REMOTE_RTCP,
			       &latch[1].signalled) ||
	    nf_srtp_put_end_if(msg, NF_SRTP_A_LATCHED, &latch[0].proven) ||
	    nf_srtp_put_end_if(msg, NF_SRTP_A_LATCHED_RTCP, &latch[1].proven) ||
	    (far && (nf_srtp_put_u64(msg, NF_SRTP_A_FAR_OWNER, far->owner) ||
		     nf_srtp_put_u64(msg, NF_SRTP_A_FAR_ID, far->id))) ||
	    nf_srtp_put_u64(msg, NF_SRTP_A_AGE_MS,
			    jiffies_to_msecs(jiffies - READ_ONCE(f->last))))
		return -EMSGSIZE;
	return nf_srtp_put_stats(msg, sum);
}

static int nf_srtp_put_conf(struct sk_buff *msg,
			    const struct nf_srtp_conf *conf)
{
	if (nla_put_u8(msg, NF_SRTP_A_LATCH, conf->rule.mode) ||
	    (conf->rule.prefix &&
	     nla_put_u8(msg, NF_SRTP_A_LATCH_PREFIX, conf->rule.prefix)) ||
	    nla_put_u32(msg, NF_SRTP_A_EPOCH, conf->epoch) ||
	    nla_put_u32(msg, NF_SRTP_A_FLAGS, conf->flags) ||
	    nla_put_u32(msg, NF_SRTP_A_GRACE_MS, conf->grace_ms) ||
	    nla_put_u32(msg, NF_SRTP_A_IDLE_MS, conf->idle_ms) ||
	    (conf->has_payload_types &&
	     nla_put(msg, NF_SRTP_A_PAYLOAD_TYPES, sizeof(conf->payload_types),
		     conf->payload_types)) ||
	    nla_put_u8(msg, NF_SRTP_A_DSCP, conf->dscp) ||
	    nla_put_u32(msg, NF_SRTP_A_MARK, conf->mark) ||
	    nla_put_u32(msg, NF_SRTP_A_IFINDEX, conf->ifindex))
		return -EMSGSIZE;
	return 0;
}

/* The keys of IN that are told. Packets may give them other roles and put the
 * last reference, a grace period before they go: both are taken at one moment,
 * and kept by the RCU read lock.
 */
static int nf_srtp_put_keys(struct sk_buff *msg, struct nf_srtp_flow *f)
{
	struct nf_srtp_key_ref *cur, *next;
	int err;

	rcu_read_lock();
	spin_lock_bh(&f->lock);
	cur = rcu_dereference(f->in[NF_SRTP_KEY_CUR]);
	next = rcu_dereference(f->in[NF_SRTP_KEY_NEXT]);
	spin_unlock_bh(&f->lock);
	err = nf_srtp_put_key(msg, NF_SRTP_A_IN, cur);
	if (!err)
		err = nf_srtp_put_key(msg, NF_SRTP_A_IN_NEXT, next);
	rcu_read_unlock();
	return err;
}

int nf_srtp_put_flow(struct sk_buff *msg, struct nf_srtp_flow *f)
{
	const struct nf_srtp_conf *conf = rcu_dereference_protected(
		f->conf, lockdep_is_held(&f->ns->mutex));
	int err;

	if (nf_srtp_put_u64(msg, NF_SRTP_A_OWNER, f->owner) ||
	    nf_srtp_put_u64(msg, NF_SRTP_A_ID, f->id) ||
	    nf_srtp_put_u64(msg, NF_SRTP_A_PEER, f->peer_id) ||
	    nf_srtp_put_u64(msg, NF_SRTP_A_CALL, f->call) ||
	    nf_srtp_put_end(msg, NF_SRTP_A_LOCAL, &f->port[0].local) ||
	    nf_srtp_put_end(msg, NF_SRTP_A_LOCAL_RTCP, &f->port[1].local))
		return -EMSGSIZE;
	err = nf_srtp_put_conf(msg, conf);
	if (!err)
		err = nf_srtp_put_state(msg, f, conf);
	if (!err)
		err = nf_srtp_put_keys(msg, f);
	return err ?: nf_srtp_put_key(msg, NF_SRTP_A_OUT, conf->out);
}

/* --- in ------------------------------------------------------------------- */

int nf_srtp_get_end(struct nlattr *a, struct nf_srtp_end *ret,
		    struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_SRTP_ADDR_MAX + 1];
	int err;

	memset(ret, 0, sizeof(*ret));
	if (!a)
		return 0;
	err = nla_parse_nested(tb, NF_SRTP_ADDR_MAX, a, nf_srtp_addr_policy,
			       extack);
	if (err)
		return err;
	if (!tb[NF_SRTP_ADDR_IP4] == !tb[NF_SRTP_ADDR_IP6]) {
		NL_SET_ERR_MSG_ATTR(extack, a, "an address has one IP");
		return -EINVAL;
	}
	if (tb[NF_SRTP_ADDR_IP4]) {
		ret->family = AF_INET;
		memcpy(ret->ip, nla_data(tb[NF_SRTP_ADDR_IP4]), 4);
	} else {
		ret->family = AF_INET6;
		memcpy(ret->ip, nla_data(tb[NF_SRTP_ADDR_IP6]), 16);
	}
	if (tb[NF_SRTP_ADDR_PORT])
		ret->port = (__force u16)nla_get_be16(tb[NF_SRTP_ADDR_PORT]);
	return 0;
}

static u16 nf_srtp_port_after(u16 port)
{
	return (__force u16)htons(ntohs((__force __be16)port) + 1);
}

/* The RTCP address beside an RTP address, unless it is said. */
static int nf_srtp_get_pair(struct nlattr **attrs, int rtp, int rtcp,
			    struct nf_srtp_end *ret,
			    struct netlink_ext_ack *extack)
{
	int err = nf_srtp_get_end(attrs[rtp], &ret[0], extack);

	if (!err)
		err = nf_srtp_get_end(attrs[rtcp], &ret[1], extack);
	if (err)
		return err;
	if (attrs[rtcp] || !ret[0].family)
		return 0;
	ret[1] = ret[0];
	if (ret[0].port)
		ret[1].port = nf_srtp_port_after(ret[0].port);
	return 0;
}

static int nf_srtp_check_addresses(const struct nf_srtp_request *rq,
				   struct nlattr **attrs,
				   struct netlink_ext_ack *extack)
{
	const struct nf_srtp_end *l = rq->local, *r = rq->remote;
	const struct nf_srtp_end *p = rq->proven;
	int i;

	if (!l[0].port) {
		NL_SET_ERR_MSG(extack, "LOCAL has no port");
		return -EINVAL;
	}
	if (l[1].half[0] != l[0].half[0] || l[1].half[1] != l[0].half[1] ||
	    l[1].family != l[0].family || l[1].port == l[0].port) {
		NL_SET_ERR_MSG(extack,
			       "LOCAL_RTCP is not another port of LOCAL");
		return -EINVAL;
	}
	for (i = 0; i < 2; i++) {
		if (r[i].family && r[i].family != l[0].family) {
			NL_SET_ERR_MSG(
				extack,
				"REMOTE is of another family than LOCAL");
			return -EINVAL;
		}
		if (p[i].family && (p[i].family != l[0].family || !p[i].port)) {
			NL_SET_ERR_MSG(extack,
				       "LATCHED has no port or another family");
			return -EINVAL;
		}
	}
	if (rq->prefix > (l[0].family == AF_INET ? 32 : 128)) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[NF_SRTP_A_LATCH_PREFIX],
				    "LATCH_PREFIX is longer than the address");
		return -ERANGE;
	}
	return 0;
}

static int nf_srtp_check_key_lens(struct nlattr **tb, u32 number,
				  struct netlink_ext_ack *extack)
{
	const struct nf_srtp_suite_row *suite = nf_srtp_suite_find(number);

	if (!suite || !tb[NF_SRTP_KEY_KEY] || !tb[NF_SRTP_KEY_SALT]) {
		NL_SET_ERR_MSG(extack, "a key needs SUITE, KEY and SALT");
		return -EINVAL;
	}
	if (nla_len(tb[NF_SRTP_KEY_KEY]) != suite->key_len) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_SRTP_KEY_KEY],
				    "KEY is not as long as the suite's");
		return -EINVAL;
	}
	if (nla_len(tb[NF_SRTP_KEY_SALT]) != suite->salt_len) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_SRTP_KEY_SALT],
				    "SALT is not as long as the suite's");
		return -EINVAL;
	}
	return 0;
}

static void nf_srtp_wipe_key(struct nlattr *nest)
{
	struct nlattr *a;
	int left;

	nla_for_each_nested(a, nest, left) {
		if (nla_type(a) == NF_SRTP_KEY_KEY ||
		    nla_type(a) == NF_SRTP_KEY_SALT)
			memzero_explicit(nla_data(a), nla_len(a));
	}
}

void nf_srtp_keys_wipe(struct genl_info *info)
{
	struct nlattr *a;
	int left;

	/* not only what was parsed: an attribute may be there twice */
	nla_for_each_attr(a, nlmsg_attrdata(info->nlhdr, GENL_HDRLEN),
			  nlmsg_attrlen(info->nlhdr, GENL_HDRLEN), left) {
		switch (nla_type(a)) {
		case NF_SRTP_A_IN:
		case NF_SRTP_A_IN_NEXT:
		case NF_SRTP_A_OUT:
			nf_srtp_wipe_key(a);
		}
	}
}

static int nf_srtp_get_key(struct nlattr *a, struct nf_srtp_key_request *ret,
			   struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_SRTP_KEY_MAX + 1];
	struct nf_srtp_master *m = &ret->master;
	int err;

	if (!a)
		return 0;
	err = nla_parse_nested(tb, NF_SRTP_KEY_MAX, a, nf_srtp_key_policy,
			       extack);
	if (err)
		return err;
	ret->is_there = true;
	if (tb[NF_SRTP_KEY_FINGERPRINT] && !tb[NF_SRTP_KEY_KEY]) {
		ret->is_same = true;
		ret->print = nla_get_u64(tb[NF_SRTP_KEY_FINGERPRINT]);
		return 0;
	}
	if (tb[NF_SRTP_KEY_SUITE])
		m->suite = nla_get_u16(tb[NF_SRTP_KEY_SUITE]);
	err = nf_srtp_check_key_lens(tb, m->suite, extack);
	if (err)
		return err;
	nla_memcpy(m->key, tb[NF_SRTP_KEY_KEY], sizeof(m->key));
	nla_memcpy(m->salt, tb[NF_SRTP_KEY_SALT], sizeof(m->salt));
	if (tb[NF_SRTP_KEY_MKI]) {
		m->mki_len = nla_len(tb[NF_SRTP_KEY_MKI]);
		memcpy(m->mki, nla_data(tb[NF_SRTP_KEY_MKI]), m->mki_len);
	}
	ret->nest = tb[NF_SRTP_KEY_STREAM] ? a : NULL;
	return 0;
}

static int nf_srtp_get_keys(struct nlattr **attrs, struct nf_srtp_request *rq,
			    struct netlink_ext_ack *extack)
{
	int err;

	err = nf_srtp_get_key(attrs[NF_SRTP_A_IN], &rq->in, extack);
	if (!err)
		err = nf_srtp_get_key(attrs[NF_SRTP_A_IN_NEXT], &rq->next,
				      extack);
	if (!err)
		err = nf_srtp_get_key(attrs[NF_SRTP_A_OUT], &rq->out, extack);
	if (err)
		return err;
	if (rq->next.is_there && !rq->in.is_there) {
		NL_SET_ERR_MSG(extack, "IN_NEXT without IN");
		return -EINVAL;
	}
	if ((rq->flags & NF_SRTP_F_RAW) &&
	    (rq->in.is_there || rq->out.is_there)) {
		NL_SET_ERR_MSG(extack, "F_RAW has no keys");
		return -EINVAL;
	}
	return 0;
}

static u64 nf_srtp_u64(const struct nlattr *a)
{
	return a ? nla_get_u64(a) : 0;
}

static u32 nf_srtp_u32(const struct nlattr *a, u32 otherwise)
{
	return a ? nla_get_u32(a) : otherwise;
}

static u8 nf_srtp_u8(const struct nlattr *a)
{
	return a ? nla_get_u8(a) : 0;
}

static void nf_srtp_get_numbers(struct nlattr **attrs,
				struct nf_srtp_request *rq)
{
	rq->owner = nf_srtp_u64(attrs[NF_SRTP_A_OWNER]);
	rq->id = nf_srtp_u64(attrs[NF_SRTP_A_ID]);
	rq->peer_id = nf_srtp_u64(attrs[NF_SRTP_A_PEER]);
	rq->call = nf_srtp_u64(attrs[NF_SRTP_A_CALL]);
	rq->flags = nf_srtp_u32(attrs[NF_SRTP_A_FLAGS], 0);
	rq->epoch = nf_srtp_u32(attrs[NF_SRTP_A_EPOCH], 0);
	rq->grace_ms = nf_srtp_u32(attrs[NF_SRTP_A_GRACE_MS], NF_SRTP_GRACE_MS);
	rq->idle_ms = nf_srtp_u32(attrs[NF_SRTP_A_IDLE_MS], 0);
	rq->mark = nf_srtp_u32(attrs[NF_SRTP_A_MARK], 0);
	rq->ifindex = nf_srtp_u32(attrs[NF_SRTP_A_IFINDEX], 0);
	rq->latch = nf_srtp_u8(attrs[NF_SRTP_A_LATCH]);
	rq->prefix = nf_srtp_u8(attrs[NF_SRTP_A_LATCH_PREFIX]);
	rq->dscp = nf_srtp_u8(attrs[NF_SRTP_A_DSCP]);
	if (attrs[NF_SRTP_A_PAYLOAD_TYPES])
		rq->payload_types = nla_data(attrs[NF_SRTP_A_PAYLOAD_TYPES]);
}

int nf_srtp_request_read(struct nlattr **attrs, struct nf_srtp_request *ret,
			 struct netlink_ext_ack *extack)
{
	int err;

	memset(ret, 0, sizeof(*ret));
	nf_srtp_get_numbers(attrs, ret);
	if (ret->grace_ms > NF_SRTP_GRACE_MAX_MS) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[NF_SRTP_A_GRACE_MS],
				    "GRACE_MS is at most 60000");
		return -ERANGE;
	}
	err = nf_srtp_get_pair(attrs, NF_SRTP_A_LOCAL, NF_SRTP_A_LOCAL_RTCP,
			       ret->local, extack);
	if (!err)
		err = nf_srtp_get_pair(attrs, NF_SRTP_A_REMOTE,
				       NF_SRTP_A_REMOTE_RTCP, ret->remote,
				       extack);
	if (!err)
		err = nf_srtp_get_end(attrs[NF_SRTP_A_LATCHED], &ret->proven[0],
				      extack);
	if (!err)
		err = nf_srtp_get_end(attrs[NF_SRTP_A_LATCHED_RTCP],
				      &ret->proven[1], extack);
	if (!err)
		err = nf_srtp_check_addresses(ret, attrs, extack);
	if (!err)
		err = nf_srtp_get_keys(attrs, ret, extack);
	return err;
}

void nf_srtp_request_done(struct nf_srtp_request *rq)
{
	memzero_explicit(rq, sizeof(*rq));
}

static int nf_srtp_resume_stream(struct nf_srtp_key_state *k, struct nlattr *a,
				 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_SRTP_STREAM_MAX + 1];
	u64 rtp;
	u32 rtcp;
	int err;

	err = nla_parse_nested(tb, NF_SRTP_STREAM_MAX, a, nf_srtp_stream_policy,
			       extack);
	if (err)
		return err;
	if (!tb[NF_SRTP_STREAM_SSRC]) {
		NL_SET_ERR_MSG_ATTR(extack, a, "a STREAM has an SSRC");
		return -EINVAL;
	}
	rtp = nf_srtp_u64(tb[NF_SRTP_STREAM_RTP]);
	rtcp = nf_srtp_u32(tb[NF_SRTP_STREAM_RTCP], 0);
	if (rtp > 1ull << 48 || rtcp > 1u << 31) {
		NL_SET_ERR_MSG_ATTR(extack, a, "no such index");
		return -ERANGE;
	}
	err = nf_srtp_key_resume(k, nla_get_u32(tb[NF_SRTP_STREAM_SSRC]), rtp,
				 rtcp);
	if (err)
		NL_SET_ERR_MSG_ATTR(extack, a,
				    "too many STREAMs, or one SSRC twice");
	return err;
}

int nf_srtp_resume_streams(struct nf_srtp_key_state *k, struct nlattr *nest,
			   struct netlink_ext_ack *extack)
{
	struct nlattr *a;
	int left, err = 0;

	if (!nest)
		return 0;
	nla_for_each_nested(a, nest, left) {
		if (nla_type(a) != NF_SRTP_KEY_STREAM)
			continue;
		err = nf_srtp_resume_stream(k, a, extack);
		if (err)
			break;
	}
	return err;
}
