/*
 * The kernel's policies and states as they are read: messages made here, whole
 * and cut, and, as root, the policies of a network namespace of our own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include <poll.h>
#include <sched.h>

#include "ipsec/watch.h"
#include "ipsec/xfrm.h"
#include "lib/run.h"
#include "loop/loop.h"

static _Alignas(16) uint8_t buf[8192];

static void set_addr(xfrm_address_t *a, const char *text)
{
	ck_assert_int_eq(inet_pton(AF_INET, text, &a->a4), 1);
}

static bool is(const struct addr *a, const char *text)
{
	struct addr b;

	return addr_parse_ip(slice_str(text), &b) == 0 && addr_ip_eq(a, &b);
}

static struct nlmsghdr *start(uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h;

	memset(buf, 0, sizeof(buf));
	h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	return h;
}

/* Towards 198.51.100.0/24, UDP to port 5060, ESP in transport mode. */
static struct nlmsghdr *policy(uint8_t dir, uint8_t proto, uint8_t optional)
{
	struct nlmsghdr *h =
		start(XFRM_MSG_NEWPOLICY, NLM_F_REQUEST | NLM_F_CREATE);
	struct xfrm_userpolicy_info *i =
		mnl_nlmsg_put_extra_header(h, sizeof(*i));
	struct xfrm_user_tmpl t = {.family = AF_INET,
				   .reqid = 7,
				   .mode = XFRM_MODE_TUNNEL,
				   .optional = optional,
				   .aalgos = ~0U,
				   .ealgos = ~0U,
				   .calgos = ~0U};

	i->sel.family = AF_INET;
	set_addr(&i->sel.saddr, "192.0.2.1");
	set_addr(&i->sel.daddr, "198.51.100.0");
	i->sel.prefixlen_s = 32;
	i->sel.prefixlen_d = 24;
	i->sel.proto = IPPROTO_UDP;
	i->sel.dport = htons(5060);
	i->sel.dport_mask = 0xffff;
	i->priority = 100;
	i->dir = dir;
	i->lft.soft_byte_limit = i->lft.hard_byte_limit = XFRM_INF;
	i->lft.soft_packet_limit = i->lft.hard_packet_limit = XFRM_INF;
	t.id.proto = proto;
	set_addr(&t.saddr, "203.0.113.1");
	set_addr(&t.id.daddr, "203.0.113.2");
	mnl_attr_put(h, XFRMA_TMPL, sizeof(t), &t);
	return h;
}

START_TEST(a_policy_is_read)
{
	struct ipsec_policy p;

	ck_assert_int_eq(
		xfrm_policy_parse(policy(XFRM_POLICY_OUT, IPPROTO_ESP, 0), &p),
		0);
	ck_assert_int_eq(p.dir, IPSEC_OUT);
	ck_assert(is(&p.src.addr, "192.0.2.1"));
	ck_assert(is(&p.dst.addr, "198.51.100.0"));
	ck_assert_uint_eq(p.src.bits, 32);
	ck_assert_uint_eq(p.dst.bits, 24);
	ck_assert_uint_eq(p.dst.port, 5060);
	ck_assert_uint_eq(p.dst.port_mask, 0xffff);
	ck_assert_uint_eq(p.src.port_mask, 0);
	ck_assert_uint_eq(p.proto, IPPROTO_UDP);
	ck_assert_uint_eq(p.priority, 100);
	ck_assert(p.has_esp && !p.is_optional && !p.is_block && p.is_tunnel);
	ck_assert_uint_eq(p.reqid, 7);
	ck_assert(is(&p.tunnel_src, "203.0.113.1"));
	ck_assert(is(&p.tunnel_dst, "203.0.113.2"));
}
END_TEST

START_TEST(other_policies_are_told_apart)
{
	struct ipsec_policy p;
	struct nlmsghdr *h;
	struct xfrm_mark mark = {.v = 1, .m = 1};
	uint32_t if_id = 5;

	ck_assert_int_eq(
		xfrm_policy_parse(policy(XFRM_POLICY_IN, IPPROTO_AH, 0), &p),
		0);
	ck_assert_int_eq(p.dir, IPSEC_IN);
	ck_assert(!p.has_esp);
	ck_assert_int_eq(
		xfrm_policy_parse(policy(XFRM_POLICY_IN, IPPROTO_ESP, 1), &p),
		0);
	ck_assert(p.is_optional);
	ck_assert_int_eq(
		xfrm_policy_parse(policy(XFRM_POLICY_FWD, IPPROTO_ESP, 0), &p),
		ERR_BAD);
	h = policy(XFRM_POLICY_OUT, IPPROTO_ESP, 0);
	mnl_attr_put(h, XFRMA_MARK, sizeof(mark), &mark);
	ck_assert_int_eq(xfrm_policy_parse(h, &p), ERR_BAD);
	h = policy(XFRM_POLICY_OUT, IPPROTO_ESP, 0);
	mnl_attr_put(h, XFRMA_IF_ID, sizeof(if_id), &if_id);
	ck_assert_int_eq(xfrm_policy_parse(h, &p), ERR_BAD);
}
END_TEST

static struct nlmsghdr *state(uint16_t attr, const char *cipher, uint32_t spi)
{
	struct nlmsghdr *h = start(XFRM_MSG_NEWSA, 0);
	struct xfrm_usersa_info *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	uint8_t alg[sizeof(struct xfrm_algo_aead) + 20] = {0};

	i->family = AF_INET;
	set_addr(&i->saddr, "192.0.2.1");
	set_addr(&i->id.daddr, "198.51.100.1");
	i->id.proto = IPPROTO_ESP;
	i->id.spi = htonl(spi);
	i->reqid = 7;
	i->mode = XFRM_MODE_TRANSPORT;
	(void)strncpy((char *)alg, cipher, 63);
	mnl_attr_put(h, attr, sizeof(alg), alg);
	return h;
}

static const struct {
	uint16_t attr;
	const char *cipher;
	uint32_t spi;
	bool is_encrypted, is_dead;
} states[] = {
	{XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 1, true, false},
	{XFRMA_ALG_CRYPT, "cbc(aes)", 1, true, false},
	{XFRMA_ALG_CRYPT, "ecb(cipher_null)", 1, false, false},
	{XFRMA_ALG_AEAD, "rfc4543(gcm(aes))", 1, false, false},
	{XFRMA_ALG_AUTH, "hmac(sha256)", 1, false, false},
	{XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 0, true, true},
};

START_TEST(a_state_is_read)
{
	struct ipsec_state s;

	ck_assert_int_eq(
		xfrm_state_parse(state(states[_i].attr, states[_i].cipher,
				       states[_i].spi),
				 &s),
		0);
	ck_assert(is(&s.src, "192.0.2.1"));
	ck_assert(is(&s.dst, "198.51.100.1"));
	ck_assert(s.is_esp && !s.is_tunnel);
	ck_assert_uint_eq(s.reqid, 7);
	ck_assert_int_eq(s.is_encrypted, states[_i].is_encrypted);
	ck_assert_int_eq(s.is_dead, states[_i].is_dead);
}
END_TEST

START_TEST(a_cut_message_is_refused_or_says_less)
{
	struct nlmsghdr *h = policy(XFRM_POLICY_OUT, IPPROTO_ESP, 0);
	uint32_t len = h->nlmsg_len;
	struct ipsec_policy p;
	struct ipsec_state s;

	for (uint32_t n = NLMSG_HDRLEN; n < len; n += 4) {
		h->nlmsg_len = n;
		if (xfrm_policy_parse(h, &p) == 0)
			ck_assert(!p.has_esp);
	}
	h = state(XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 1);
	len = h->nlmsg_len;
	for (uint32_t n = NLMSG_HDRLEN; n < len - 40; n += 4) {
		h->nlmsg_len = n;
		if (xfrm_state_parse(h, &s) == 0)
			ck_assert(!s.is_encrypted);
	}
}
END_TEST

/* ---- the kernel ----------------------------------------------------------- */

/* False without the right to a namespace of our own. */
static bool enter(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return true;
	ck_assert_int_eq(errno, EPERM);
	return false;
}

static void tell_kernel(struct nlmsghdr *h)
{
	struct mnl_socket *s = mnl_socket_open(NETLINK_XFRM);
	const struct nlmsgerr *e;
	ssize_t n;

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID), 0);
	h->nlmsg_flags |= NLM_F_ACK;
	ck_assert_int_gt(mnl_socket_sendto(s, h, h->nlmsg_len), 0);
	n = mnl_socket_recvfrom(s, buf, sizeof(buf));
	ck_assert_int_gt(n, 0);
	e = mnl_nlmsg_get_payload((struct nlmsghdr *)(void *)buf);
	ck_assert_int_eq(e->error, 0);
	(void)mnl_socket_close(s);
}

START_TEST(the_kernels_policies_are_read_and_changes_heard)
{
	const struct ipsec_view *v;
	struct xfrm *x = NULL;
	struct pollfd p = {.events = POLLIN};

	if (!enter())
		return;
	ck_assert_int_eq(xfrm_open(&x), 0);
	ck_assert(!xfrm_view(x)->is_known);
	ck_assert_int_eq(xfrm_read(x), 0);
	v = xfrm_view(x);
	ck_assert(v->is_known);
	ck_assert_uint_eq(v->policy_count, 0);
	ck_assert(!xfrm_news(x));
	tell_kernel(policy(XFRM_POLICY_OUT, IPPROTO_ESP, 0));
	p.fd = xfrm_fd(x);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert(xfrm_news(x));
	ck_assert(!xfrm_news(x));
	ck_assert_int_eq(xfrm_read(x), 0);
	v = xfrm_view(x);
	ck_assert_uint_eq(v->policy_count, 1);
	ck_assert(v->policy[0].has_esp);
	ck_assert(is(&v->policy[0].dst.addr, "198.51.100.0"));
	ck_assert_int_eq(xfrm_read(x), 0);
	ck_assert_uint_eq(xfrm_view(x)->policy_count, 1);
	xfrm_close(x);
}
END_TEST

struct heard {
	struct loop *loop;
	uint32_t times;
	enum ipsec_verdict verdict[2];
};

static void on_changed(void *ctx, const enum ipsec_verdict *v, size_t count)
{
	struct heard *h = ctx;

	ck_assert_uint_eq(count, 2);
	h->verdict[0] = v[0];
	h->verdict[1] = v[1];
	h->times++;
	if (h->times == 1)
		tell_kernel(policy(XFRM_POLICY_OUT, IPPROTO_ESP, 0));
	else
		loop_stop(h->loop);
}

static struct addr ip(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_ip(slice_str(text), &a), 0);
	return a;
}

START_TEST(a_watch_tells_of_each_change)
{
	struct ipsec_flow flow[2] = {
		{.local = ip("192.0.2.1"),
		 .peer = ip("198.51.100.9"),
		 .proto = IPPROTO_UDP,
		 .peer_port = 5060},
		{.peer = ip("203.0.113.9")},
	};
	struct heard h = {.times = 0};
	struct ipsec_watch_params p = {
		.flow = flow, .count = 2, .changed = on_changed, .ctx = &h};
	struct ipsec_watch *w = NULL;

	if (!enter())
		return;
	ck_assert_int_eq(loop_new(&h.loop), 0);
	p.loop = h.loop;
	ck_assert_int_eq(ipsec_watch_new(&p, &w), 0);
	ck_assert_int_eq(loop_run(h.loop), 0);
	ck_assert_uint_eq(h.times, 2);
	/* Towards it there is a policy now, from it there is none. */
	ck_assert_int_eq(h.verdict[0], IPSEC_NO_POLICY_IN);
	ck_assert_int_eq(h.verdict[1], IPSEC_NO_POLICY_OUT);
	w = ipsec_watch_free(w);
	loop_free(h.loop);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("xfrm");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_policy_is_read);
	tcase_add_test(tc, other_policies_are_told_apart);
	tcase_add_loop_test(tc, a_state_is_read, 0,
			    (int)(sizeof(states) / sizeof(states[0])));
	tcase_add_test(tc, a_cut_message_is_refused_or_says_less);
	if (!emulation_lacks("xfrm")) {
		tcase_add_test(
			tc, the_kernels_policies_are_read_and_changes_heard);
		tcase_add_test(tc, a_watch_tells_of_each_change);
	}
	return run_case("ipsec/xfrm", tc);
}
