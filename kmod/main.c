// SPDX-License-Identifier: GPL-2.0
/*
 * nf_srtp: relays RTP and SRTP in the kernel. See uapi/nf_srtp.h for what it
 * does and doc/kernel.md of Sallyport for the path of a packet through it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <net/genetlink.h>
#include <net/netns/generic.h>

#include "driver.h"
#include "flow.h"
#include "selftest/selftest.h"

#ifndef HAVE_LINUX_MODULE_H
#error "probe/run cannot compile anything: its answers are worthless"
#endif

struct workqueue_struct *nf_srtp_wq;
int nf_srtp_selftest_passed;

module_param_named(local_in, nf_srtp_local_in, bool, 0444);
MODULE_PARM_DESC(
	local_in,
	"take packets behind the INPUT rules, not before connection tracking");

static int __net_init nf_srtp_net_init(struct net *net)
{
	return nf_srtp_net_start(net_generic(net, nf_srtp_net_id), net);
}

static void __net_exit nf_srtp_net_exit(struct net *net)
{
	nf_srtp_net_stop(net_generic(net, nf_srtp_net_id));
}

/* The last packets' routes are released a grace period after their flows were,
 * and count on what IPv6 keeps of the namespace, which goes next.
 */
static void __net_exit nf_srtp_net_exit_batch(struct list_head *nets)
{
	rcu_barrier();
}

static struct pernet_operations nf_srtp_net_ops = {
	.init = nf_srtp_net_init,
	.exit = nf_srtp_net_exit,
	.exit_batch = nf_srtp_net_exit_batch,
	.id = &nf_srtp_net_id,
	.size = sizeof(struct nf_srtp_net),
};

static int __init nf_srtp_init(void)
{
	int err;

	nf_srtp_wq = alloc_workqueue("nf_srtp", WQ_UNBOUND, 0);
	if (!nf_srtp_wq)
		return -ENOMEM;
	err = nf_srtp_driver_start();
	if (err)
		goto no_driver;
	err = nf_srtp_selftest();
	if (err < 0)
		goto no_net;
	nf_srtp_selftest_passed = err;
	err = register_pernet_subsys(&nf_srtp_net_ops);
	if (err)
		goto no_net;
	err = genl_register_family(&nf_srtp_family);
	if (err)
		goto no_family;
	pr_info("%d tests passed, %s, %s, %s\n", nf_srtp_selftest_passed,
		nf_srtp_driver_ctr_name(), nf_srtp_driver_gcm_name(),
		nf_srtp_driver_mac_name());
	return 0;
no_family:
	unregister_pernet_subsys(&nf_srtp_net_ops);
no_net:
	rcu_barrier();
	flush_workqueue(nf_srtp_wq);
	nf_srtp_driver_stop();
no_driver:
	destroy_workqueue(nf_srtp_wq);
	return err;
}

static void __exit nf_srtp_exit(void)
{
	genl_unregister_family(&nf_srtp_family);
	unregister_pernet_subsys(&nf_srtp_net_ops);
	/* Flows first, then the keys they had, which the queue frees. */
	rcu_barrier();
	flush_workqueue(nf_srtp_wq);
	nf_srtp_driver_stop();
	destroy_workqueue(nf_srtp_wq);
}

module_init(nf_srtp_init);
module_exit(nf_srtp_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Relay for RTP and SRTP");
MODULE_VERSION(NF_SRTP_MODULE_VERSION);
MODULE_ALIAS_GENL_FAMILY("nf_srtp");
