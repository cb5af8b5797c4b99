// SPDX-License-Identifier: GPL-2.0
#include "flow.h"

#include <linux/module.h>
#include <linux/percpu.h>

static bool __maybe_unused nf_srtp_held(const struct nf_srtp_flow *f)
{
	return lockdep_is_held(&f->ns->mutex) || lockdep_is_held(&f->lock) ||
	       hlist_unhashed(&f->by_id);
}

#define deref(p, f) rcu_dereference_protected(p, nf_srtp_held(f))

struct nf_srtp_flow *nf_srtp_flow_new(struct nf_srtp_net *ns)
{
	struct nf_srtp_flow *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	int cpu;

	if (!f)
		return NULL;
	f->counters =
		alloc_percpu_gfp(struct nf_srtp_counters, GFP_KERNEL_ACCOUNT);
	if (!f->counters) {
		kfree(f);
		return NULL;
	}
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(f->counters, cpu)->sync);
	spin_lock_init(&f->lock);
	seqcount_spinlock_init(&f->seq, &f->lock);
	f->ns = ns;
	f->last = jiffies;
	f->port[1].is_rtcp = true;
	f->port[0].flow = f;
	f->port[1].flow = f;
	/* Flows are the reason why the module cannot go. */
	__module_get(THIS_MODULE);
	return f;
}

/* What enters f's peer leaves as far says, and through far's peer. */
static void nf_srtp_lead(struct nf_srtp_flow *f, struct nf_srtp_flow *far)
{
	rcu_assign_pointer(f->far, far);
}

int nf_srtp_join(struct nf_srtp_flow *f, struct nf_srtp_flow *g)
{
	lockdep_assert_held(&f->ns->mutex);
	if (f == g || !deref(f->peer, f) || !deref(g->peer, g) ||
	    deref(f->peer, f) == g)
		return -ENOENT;
	if (deref(f->far, f) == g)
		return 0;
	nf_srtp_part(f);
	nf_srtp_part(g);
	WRITE_ONCE(f->is_lost, false);
	WRITE_ONCE(g->is_lost, false);
	nf_srtp_lead(f, g);
	nf_srtp_lead(g, f);
	return 0;
}

void nf_srtp_part(struct nf_srtp_flow *f)
{
	struct nf_srtp_flow *far = deref(f->far, f);

	if (!far)
		return;
	nf_srtp_lead(f, NULL);
	nf_srtp_lead(far, NULL);
}

/* What was on its way to f must not be sent into the dark. */
void nf_srtp_lose(struct nf_srtp_flow *f)
{
	struct nf_srtp_flow *far = deref(f->far, f);

	if (!far)
		return;
	WRITE_ONCE(far->is_lost, true);
	nf_srtp_part(f);
}

static void nf_srtp_key_free(struct work_struct *work)
{
	struct nf_srtp_key_ref *k =
		container_of(to_rcu_work(work), struct nf_srtp_key_ref, free);

	nf_srtp_key_done(&k->state);
	kfree_sensitive(k);
}

struct nf_srtp_key_ref *nf_srtp_key_new(const struct nf_srtp_master *m,
					int *err)
{
	struct nf_srtp_key_ref *k = kzalloc(sizeof(*k), GFP_KERNEL_ACCOUNT);

	*err = k ? nf_srtp_key_init(&k->state, m) : -ENOMEM;
	if (*err) {
		kfree_sensitive(k);
		return NULL;
	}
	refcount_set(&k->ref, 1);
	INIT_RCU_WORK(&k->free, nf_srtp_key_free);
	return k;
}

struct nf_srtp_key_ref *nf_srtp_key_get(struct nf_srtp_key_ref *k)
{
	if (k)
		refcount_inc(&k->ref);
	return k;
}

void nf_srtp_key_put(struct nf_srtp_key_ref *k)
{
	if (k && refcount_dec_and_test(&k->ref))
		queue_rcu_work(nf_srtp_wq, &k->free);
}

void nf_srtp_key_set(struct nf_srtp_flow *f, int role,
		     struct nf_srtp_key_ref *k)
{
	struct nf_srtp_key_ref *old = deref(f->in[role], f);

	rcu_assign_pointer(f->in[role], k);
	nf_srtp_key_put(old);
}

void nf_srtp_conf_free(struct nf_srtp_conf *conf)
{
	if (!conf)
		return;
	nf_srtp_key_put(conf->out);
	kfree_rcu(conf, rcu);
}

void nf_srtp_conf_set(struct nf_srtp_flow *f, struct nf_srtp_conf *conf)
{
	struct nf_srtp_conf *old = deref(f->conf, f);

	rcu_assign_pointer(f->conf, conf);
	nf_srtp_conf_free(old);
}

void nf_srtp_latch_reset(struct nf_srtp_flow *f,
			 const struct nf_srtp_end *remote,
			 const struct nf_srtp_end *rtcp)
{
	spin_lock_bh(&f->lock);
	write_seqcount_begin(&f->seq);
	memset(f->latch, 0, sizeof(f->latch));
	f->latch[0].signalled = *remote;
	f->latch[1].signalled = *rtcp;
	write_seqcount_end(&f->seq);
	spin_unlock_bh(&f->lock);
}

void nf_srtp_stats_add(const struct nf_srtp_flow *f, u64 *sum)
{
	u64 n[NF_SRTP_STAT_MAX + 1];
	unsigned int start;
	int cpu, i;

	for_each_possible_cpu(cpu) {
		const struct nf_srtp_counters *c =
			per_cpu_ptr(f->counters, cpu);

		do {
			start = u64_stats_fetch_begin(&c->sync);
			for (i = 0; i <= NF_SRTP_STAT_MAX; i++)
				n[i] = u64_stats_read(&c->n[i]);
		} while (u64_stats_fetch_retry(&c->sync, start));
		for (i = 0; i <= NF_SRTP_STAT_MAX; i++)
			sum[i] += n[i];
	}
}

void nf_srtp_dest(const struct nf_srtp_flow *f, int latch,
		  struct nf_srtp_end *ret)
{
	unsigned int start;

	do {
		start = read_seqcount_begin(&f->seq);
		*ret = *nf_srtp_latch_dest(&f->latch[latch]);
	} while (read_seqcount_retry(&f->seq, start));
}
