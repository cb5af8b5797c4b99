/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flows, their keys, and where both are found.
 *
 * Who may touch what:
 *   - Commands hold nf_srtp_net.mutex: they alone add, change, join and remove.
 *   - Packets hold the RCU read lock and bottom halves off, take no reference
 *     and see pointers (__rcu) that are replaced, never changed.
 *   - nf_srtp_flow.lock (a spin lock) protects what packets learn: latches, the
 *     roles of the keys of IN. Readers of the latches use the sequence count.
 *
 * A flow goes in two steps: unlink (nobody finds it, its keys are closed), then,
 * a grace period later, free.
 */
#ifndef _NF_SRTP_FLOW_H
#define _NF_SRTP_FLOW_H

#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/refcount.h>
#include <linux/seqlock.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/net_namespace.h>

#include "latch.h"
#include "srtp.h"

/* Without lockdep old kernels do not declare it, as nobody asks. */
#ifndef HAVE_LOCKDEP_IS_HELD
#define lockdep_is_held(lock) 1
#endif

enum {
	NF_SRTP_BUCKETS = 1 << 14,
	NF_SRTP_FLOWS_MAX = 200000, /* of a namespace */
	NF_SRTP_OWNERS_MAX = 1024,  /* of a namespace, with a lease */
	NF_SRTP_GRACE_MS = 2000,
	NF_SRTP_GRACE_MAX_MS = 60000,
	NF_SRTP_SWEEP_MS = 200
};

/* A key that packets may be using. Freed by a worker, a grace period after the
 * last reference went: cipher drivers are not freed in softirqs.
 */
struct nf_srtp_key_ref {
	struct nf_srtp_key_state state;
	refcount_t ref;
	struct rcu_work free;
};

/* What a command says, replaced as a whole. */
struct nf_srtp_conf {
	struct rcu_head rcu;
	struct nf_srtp_key_ref *out; /* NULL: plain; holds a reference */
	u32 flags;		     /* NF_SRTP_F_* */
	u32 epoch;
	u32 grace_ms;
	u32 idle_ms;
	struct nf_srtp_latch_rule rule;
	bool has_payload_types;
	u8 payload_types[16];
	u8 dscp;
	u32 mark;
	u32 ifindex;
};

/* A route in use, for one destination. */
struct nf_srtp_route {
	struct rcu_head rcu;
	struct dst_entry *dst; /* holds a reference */
	u32 cookie;
	struct nf_srtp_end to;
};

struct nf_srtp_counters {
	u64_stats_t n[NF_SRTP_STAT_MAX + 1];
	struct u64_stats_sync sync;
};

/* One of the two ports of a flow, in the table of ports. */
struct nf_srtp_port {
	struct hlist_node node;
	struct nf_srtp_end local; /* port 0: there is none */
	struct nf_srtp_flow *flow;
	bool is_rtcp;
};

enum { NF_SRTP_KEY_CUR, NF_SRTP_KEY_NEXT, NF_SRTP_KEY_OLD, NF_SRTP_KEY_ROLES };

enum {
	NF_SRTP_TALLY_SRC,
	NF_SRTP_TALLY_AUTH,
	NF_SRTP_TALLY_REPLAY,
	NF_SRTP_TALLY_MTU,
	NF_SRTP_TALLY_WORN,
	NF_SRTP_TALLY_OTHER, /* EVENT_REFUSED */
	NF_SRTP_TALLIES
};

/* Events that are told once a second, with a number. */
struct nf_srtp_tallies {
	unsigned long told[NF_SRTP_TALLIES]; /* jiffies; 0: never */
	u32 count[NF_SRTP_TALLIES];	     /* since then */
};

struct nf_srtp_flow {
	/* Read by each packet. */
	struct nf_srtp_port port[2]; /* RTP, RTCP */
	struct nf_srtp_conf __rcu *conf;
	struct nf_srtp_key_ref __rcu *in[NF_SRTP_KEY_ROLES];
	struct nf_srtp_flow __rcu *peer;
	struct nf_srtp_flow __rcu *far; /* joined with */
	struct nf_srtp_counters __percpu *counters;
	struct nf_srtp_net *ns;
	bool is_lost;	    /* what leads here is dropped, until FLOW_SET */
	bool is_idle;	    /* EVENT_IDLE was sent */
	unsigned long last; /* jiffies of the last valid packet */
	/* Written by packets when something is learned. */
	spinlock_t lock;
	seqcount_spinlock_t seq;
	struct nf_srtp_latch_state latch[2];  /* RTP, RTCP */
	unsigned long old_until;	      /* jiffies, of NF_SRTP_KEY_OLD */
	struct nf_srtp_route __rcu *route[2]; /* to this flow's party */
	struct nf_srtp_tallies tallies;
	/* Commands only. */
	struct hlist_node by_id;
	u64 owner;
	u64 id;
	union {
		struct {
			u64 peer_id;
			u64 call;
		};
		struct rcu_head rcu; /* it goes */
	};
};

/* An owner with a lease. */
struct nf_srtp_owner {
	struct hlist_node node;
	u64 id;
	u32 lease_s;
	unsigned long seen; /* jiffies */
};

/* All there is of a network namespace. */
struct nf_srtp_net {
	struct net *net;
	unsigned long *ports;	    /* a bit for each; NULL: no flow yet */
	struct hlist_head *by_port; /* NF_SRTP_BUCKETS, as ports */
	struct hlist_head *by_id;   /* NF_SRTP_BUCKETS, as ports; in order */
	u32 seed;
	bool has_hooks;
	struct mutex mutex; /* commands */
	u16 *port_users;    /* flows that have the port, with any address */
	u32 flows;
	u32 owners;
	struct hlist_head owner_list;
	u64 gone[NF_SRTP_STAT_MAX + 1]; /* counters of flows that are no more */
	struct delayed_work sweep;
	struct nf_hook_ops hooks[2];
};

extern unsigned int nf_srtp_net_id;

/* --- table.c ------------------------------------------------------------- */
/* Namespace comes and goes. */
int nf_srtp_net_start(struct nf_srtp_net *ns, struct net *net);
void nf_srtp_net_stop(struct nf_srtp_net *ns);
/* Make the tables of a namespace, on its first flow. -ENOMEM. */
int nf_srtp_net_prepare(struct nf_srtp_net *ns);
/* Flow by address, for packets. */
struct nf_srtp_port *nf_srtp_port_find(const struct nf_srtp_net *ns,
				       const struct nf_srtp_end *local);
/* Flow by name, for commands. */
struct nf_srtp_flow *nf_srtp_flow_find(const struct nf_srtp_net *ns, u64 owner,
				       u64 id);
/* Does f come behind that name, in a bucket of by_id? */
bool nf_srtp_flow_is_after(const struct nf_srtp_flow *f, u64 owner, u64 id);
/* Enter f into the tables, with its peer. -EEXIST, -EADDRINUSE, -ENOSPC. */
int nf_srtp_flow_link(struct nf_srtp_flow *f);
/* No packet finds f any more. */
void nf_srtp_flow_hide(struct nf_srtp_flow *f);
/* Nor does a command, after nf_srtp_flow_hide; its keys are closed. */
void nf_srtp_flow_unlink(struct nf_srtp_flow *f);
/* Free what was unlinked, or never linked, a grace period from now. */
void nf_srtp_flow_free(struct nf_srtp_flow *f);
/* Unlink and free all flows of an owner and, unless 0, of a call. */
u32 nf_srtp_flush(struct nf_srtp_net *ns, u64 owner, u64 call);

/* --- flow.c ---------------------------------------------------------------- */
/* Memory for a flow; NULL: none. */
struct nf_srtp_flow *nf_srtp_flow_new(struct nf_srtp_net *ns);
/* Lead two flows into each other: -ENOENT a peer is missing. */
int nf_srtp_join(struct nf_srtp_flow *f, struct nf_srtp_flow *g);
void nf_srtp_part(struct nf_srtp_flow *f);
/* f leads nowhere any more, nor does anything lead into it. */
void nf_srtp_lose(struct nf_srtp_flow *f);
/* Keys. */
struct nf_srtp_key_ref *nf_srtp_key_new(const struct nf_srtp_master *m,
					int *err);
struct nf_srtp_key_ref *nf_srtp_key_get(struct nf_srtp_key_ref *k);
void nf_srtp_key_put(struct nf_srtp_key_ref *k);
/* Give IN a role; takes over the reference of k (may be NULL), under f->lock
 * or before f is linked.
 */
void nf_srtp_key_set(struct nf_srtp_flow *f, int role,
		     struct nf_srtp_key_ref *k);
/* Replace what commands say; takes over conf. */
void nf_srtp_conf_set(struct nf_srtp_flow *f, struct nf_srtp_conf *conf);
void nf_srtp_conf_free(struct nf_srtp_conf *conf);
/* Forget what was learned of the sources. */
void nf_srtp_latch_reset(struct nf_srtp_flow *f,
			 const struct nf_srtp_end *remote,
			 const struct nf_srtp_end *rtcp);
/* Counters. */
static inline void nf_srtp_count(struct nf_srtp_flow *f, u32 which, u64 n)
{
	struct nf_srtp_counters *c = this_cpu_ptr(f->counters);

	u64_stats_update_begin(&c->sync);
	u64_stats_add(&c->n[which], n);
	u64_stats_update_end(&c->sync);
}

/* Sums of all processors into sum[NF_SRTP_STAT_MAX + 1]. */
void nf_srtp_stats_add(const struct nf_srtp_flow *f, u64 *sum);
/* Where packets for f's party go now. */
void nf_srtp_dest(const struct nf_srtp_flow *f, int latch,
		  struct nf_srtp_end *ret);

/* --- hook.c ---------------------------------------------------------------- */
extern bool nf_srtp_local_in; /* hook where local input is decided */
int nf_srtp_hooks_start(struct nf_srtp_net *ns);
void nf_srtp_hooks_stop(struct nf_srtp_net *ns);
/* A payload that user space got at f's port, from src. Bottom halves off.
 * -ENOMEM, -EMSGSIZE, -EAFNOSUPPORT.
 */
int nf_srtp_inject(struct nf_srtp_flow *f, const struct nf_srtp_end *src,
		   bool on_rtcp, const void *payload, u32 len);

/* --- judge.c ---------------------------------------------------------------- */
/* What is to be done with a packet that was judged. */
struct nf_srtp_way {
	struct nf_srtp_flow *in;   /* it came to this flow */
	struct nf_srtp_flow *out;  /* it leaves as this flow says */
	struct nf_srtp_flow *from; /* from this one's address; NULL: nowhere */
};

/*
 * Judge p, which came from src to a port of f, and turn it, in place, into what
 * leaves. 0: forward it, way tells how. Otherwise the counter it goes to, which
 * has been counted.
 */
int nf_srtp_judge(const struct nf_srtp_port *port,
		  const struct nf_srtp_end *src, struct nf_srtp_packet *p,
		  struct nf_srtp_way *way);

/* --- xmit.c ----------------------------------------------------------------- */
/*
 * Send skb, whose UDP payload begins at offset payload and has been
 * transformed, from a port of f to f's party. Takes skb. 0, or the counter.
 * ttl: 0, or the packet's own that must not grow.
 */
int nf_srtp_xmit(struct sk_buff *skb, u32 payload, struct nf_srtp_flow *f,
		 bool is_rtcp, u8 ttl);
void nf_srtp_route_free(struct nf_srtp_route *r);

/* --- event.c ---------------------------------------------------------------- */
/* Tell of f: kind of event, address (may be NULL), for SSRC_NEW which. Any
 * context.
 */
void nf_srtp_event(const struct nf_srtp_flow *f, u32 kind,
		   const struct nf_srtp_end *addr, bool on_rtcp, u32 ssrc);
/* Count, and tell at most once a second. mtu: of the route, for TOO_BIG. */
void nf_srtp_tally(struct nf_srtp_flow *f, u32 verdict,
		   const struct nf_srtp_end *src, u32 mtu);
void nf_srtp_event_expired(struct nf_srtp_net *ns, u64 owner, u32 flows);

/* --- netlink.c --------------------------------------------------------------- */
extern struct genl_family nf_srtp_family;

/* --- main.c ----------------------------------------------------------------- */
extern int nf_srtp_selftest_passed;
extern struct workqueue_struct *nf_srtp_wq;

#endif
