/* nf_srtp's flows made without a media process: as many as there may be, as no
 * ports are bound for them. */
#include "bench.h"
#include "media/kernel_link.h"
#include "raw.h"

enum { OWNER = 1 };

/* The bench is one thread and one relay at a time. */
static struct kernel_link link_;

void raw_start(void)
{
	char why[MEDIA_WHY_MAX];

	if (kernel_link_open(&link_, why) != 0)
		die("%s", why);
}

static void make_key(struct flow_key *k, unsigned call, uint8_t seed)
{
	const struct suite_info *info = suite_info(setup.suite);

	*k = (struct flow_key){.suite = setup.suite};
	for (unsigned i = 0; i < info->key_len; i++)
		k->key[i] = (uint8_t)(seed + i * 11);
	k->key[0] = (uint8_t)call;
	k->key[1] = (uint8_t)(call >> 8);
	for (unsigned i = 0; i < info->salt_len; i++)
		k->salt[i] = (uint8_t)(seed ^ (i * 7));
}

static void flows_of(unsigned i, const struct call *c, struct flow f[2])
{
	for (unsigned leg = 0; leg < 2; leg++) {
		f[leg] = (struct flow){
			.id = i * 2 + leg + 1,
			.peer_id = i * 2 + (1 - leg) + 1,
			.call = i + 1,
			.local = c->relay[leg],
			.remote = c->self[leg],
			.latch = FLOW_LATCH_RESTRICTED,
		};
	}
	f[0].is_muxed = true;
	f[1].is_muxed = true;
	f[0].out = c->from_relay;
	f[1].in = c->to_relay;
}

static void command(struct nlmsghdr *h)
{
	if (kernel_link_do(&link_, h, NULL) != 0)
		die("nf_srtp: %s", link_.why);
}

void raw_call_add(unsigned i, struct call *c)
{
	const struct kernel_flow_options o = {0};
	struct flow f[2];

	for (unsigned leg = 0; leg < 2; leg++)
		c->relay[leg] = addr_with_port(
			&setup.host, (uint16_t)(RELAY_PORT + 4 * i + 2 * leg));
	make_key(&c->to_relay, i, 1);
	make_key(&c->from_relay, i, 101);
	flows_of(i, c, f);
	for (unsigned leg = 0; leg < 2; leg++)
		command(kernel_msg_add(link_.out, link_.family, OWNER, &f[leg],
				       &o));
}

void raw_call_rekey(unsigned i, struct call *c)
{
	const struct kernel_flow_options o = {0};
	struct flow f[2];

	make_key(&c->to_relay, i, 51);
	flows_of(i, c, f);
	command(kernel_msg_set(link_.out, link_.family, OWNER, &f[1], &o));
}

void raw_stop(void)
{
	command(kernel_msg_flush(link_.out, link_.family, OWNER));
	kernel_link_close(&link_);
}
