// SPDX-License-Identifier: GPL-2.0
/*
 * For make bench-kernel only: what a hook costs, by the cycle counter, which
 * counts instructions in its virtual machine. Write to /proc/nf_meter
 *
 *   empty     register a hook that does nothing
 *   full      no longer
 *   watch     measure nf_srtp's hook, and rtpengine's target, from now on
 *   zero      count anew
 *   forget    no longer
 *
 * and read from it
 *
 *   hook PACKETS CYCLES    that nf_srtp's hook took
 *   target PACKETS CYCLES  the same of RTPENGINE
 *   udp PACKETS CYCLES     that NF_INET_PRE_ROUTING takes with a datagram for
 *   tcp PACKETS CYCLES     nobody, with a segment: measured when read
 */
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/timex.h>
#include <linux/udp.h>
#include <net/net_namespace.h>

enum { PACKETS = 20000, REVISIONS = 3 };

/* Instructions that do nothing, for who watches the machine from outside
 * (steps/steps.c).
 */
#define MARK(which) \
	asm volatile(".byte 0x0f, 0x1f, 0x80, 'm', 'e', 't', " which : : : "memory")

struct meter {
	u64 packets;
	u64 cycles;
};

static struct meter hook, target;
static nf_hookfn *real_hook;
static struct nf_hook_entry *watched;
static unsigned int (*real_target)(struct sk_buff *skb,
				   const struct xt_action_param *par);
static bool has_empty;

static unsigned int empty_hook(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static const struct nf_hook_ops empty = {
	.hook = empty_hook,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_PRE_ROUTING,
	.priority = NF_IP_PRI_MANGLE,
};

/* Only what it took, not what it let pass. */
static void meter_add(struct meter *m, unsigned int verdict, cycles_t start)
{
	cycles_t now = get_cycles();

	if ((verdict & NF_VERDICT_MASK) == NF_ACCEPT)
		return;
	m->cycles += now - start;
	m->packets++;
}

static unsigned int watching_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	unsigned int verdict;
	cycles_t start;

	MARK("'1'");
	start = get_cycles();
	verdict = real_hook(priv, skb, state);
	meter_add(&hook, verdict, start);
	MARK("'0'");
	return verdict;
}

static unsigned int watching_target(struct sk_buff *skb,
				    const struct xt_action_param *par)
{
	cycles_t start = get_cycles();
	unsigned int verdict = real_target(skb, par);

	meter_add(&target, verdict, start);
	return verdict;
}

/* The list of hooks must not change until forget. */
static void watch_hook(void)
{
	struct nf_hook_entries *e = rcu_dereference_protected(
		init_net.nf.hooks_ipv4[NF_INET_PRE_ROUTING], true);
	char name[64];
	int i;

	for (i = 0; e && i < e->num_hook_entries; i++) {
		snprintf(name, sizeof(name), "%ps", e->hooks[i].hook);
		if (!strncmp(name, "nf_srtp_hook4", 13)) {
			watched = &e->hooks[i];
			real_hook = watched->hook;
			WRITE_ONCE(watched->hook, watching_hook);
		}
	}
}

/* x_tables asks the target for its function with each packet. */
static void watch_target(bool yes)
{
	int i;

	for (i = 0; i < REVISIONS; i++) {
		struct xt_target *t =
			xt_request_find_target(NFPROTO_IPV4, "RTPENGINE", i);

		if (IS_ERR(t))
			continue;
		if (yes)
			real_target = t->target;
		t->target = yes ? watching_target : real_target;
		module_put(t->me);
	}
}

static struct sk_buff *packet_new(u8 protocol)
{
	struct sk_buff *skb = alloc_skb(256, GFP_KERNEL);
	struct iphdr *iph;
	struct udphdr *uh;

	if (!skb)
		return NULL;
	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->protocol = protocol;
	iph->ttl = 64;
	uh = skb_put_zero(skb, sizeof(*uh) + 160);
	uh->dest = htons(7);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = init_net.loopback_dev;
	return skb;
}

static int passed(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	return 0;
}

static void passes(struct seq_file *f, const char *name, u8 protocol)
{
	struct sk_buff *skb = packet_new(protocol);
	cycles_t start;
	int i, out = 0;

	if (!skb)
		return;
	local_bh_disable();
	start = get_cycles();
	for (i = 0; i < PACKETS; i++)
		out += nf_hook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, &init_net,
			       NULL, skb, skb->dev, NULL, passed) == 1;
	start = get_cycles() - start;
	local_bh_enable();
	kfree_skb(skb);
	if (out == PACKETS)
		seq_printf(f, "%s %d %llu\n", name, PACKETS, (u64)start);
}

static int meter_show(struct seq_file *f, void *v)
{
	seq_printf(f, "hook %llu %llu\ntarget %llu %llu\n", hook.packets,
		   hook.cycles, target.packets, target.cycles);
	passes(f, "udp", IPPROTO_UDP);
	passes(f, "tcp", IPPROTO_TCP);
	return 0;
}

static void forget(void)
{
	if (watched)
		WRITE_ONCE(watched->hook, real_hook);
	if (real_target)
		watch_target(false);
	watched = NULL;
	real_target = NULL;
	synchronize_net();
}

static int command(const char *word)
{
	if (!strcmp(word, "empty") && !has_empty) {
		has_empty = !nf_register_net_hook(&init_net, &empty);
		return has_empty ? 0 : -ENOMEM;
	}
	if (!strcmp(word, "full") && has_empty) {
		nf_unregister_net_hook(&init_net, &empty);
		has_empty = false;
		return 0;
	}
	if (!strcmp(word, "forget")) {
		forget();
		return 0;
	}
	memset(&hook, 0, sizeof(hook));
	memset(&target, 0, sizeof(target));
	MARK("'2'");
	if (!strcmp(word, "zero"))
		return 0;
	if (strcmp(word, "watch"))
		return -EINVAL;
	watch_hook();
	watch_target(true);
	return watched || real_target ? 0 : -ENOENT;
}

static ssize_t meter_write(struct file *file, const char __user *buf,
			   size_t len, loff_t *pos)
{
	char word[16];
	int err;

	if (!len || len >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, buf, len))
		return -EFAULT;
	word[len] = '\0';
	err = command(strim(word));
	return err ? err : len;
}

static int meter_open(struct inode *inode, struct file *file)
{
	return single_open(file, meter_show, NULL);
}

static const struct proc_ops meter_ops = {
	.proc_open = meter_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = meter_write,
};

static int __init meter_init(void)
{
	return proc_create("nf_meter", 0600, NULL, &meter_ops) ? 0 : -ENOMEM;
}

static void __exit meter_exit(void)
{
	remove_proc_entry("nf_meter", NULL);
	forget();
	if (has_empty)
		nf_unregister_net_hook(&init_net, &empty);
}

module_init(meter_init);
module_exit(meter_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("What a netfilter hook costs");
