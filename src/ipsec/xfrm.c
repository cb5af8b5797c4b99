#include "ipsec/xfrm.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include "base/alloc.h"
#include "base/secret.h"

enum { BUF = 65536, GROW = 64 };

struct xfrm {
	struct mnl_socket *news, *dump;
	struct ipsec_policy *policy;
	struct ipsec_state *state;
	size_t policy_cap, state_cap;
	struct ipsec_view view;
	uint8_t buf[BUF];
};

/* ---- messages ------------------------------------------------------------ */

static struct addr address_of(const xfrm_address_t *a, uint16_t family)
{
	struct addr ret = {.family = ADDR_NONE};

	if (family == AF_INET) {
		ret.family = ADDR_V4;
		memcpy(ret.ip, &a->a4, 4);
	} else if (family == AF_INET6) {
		ret.family = ADDR_V6;
		memcpy(ret.ip, a->a6, 16);
	}
	return ret;
}

struct attr {
	uint16_t type;
	size_t size; /* at least */
	const void *payload;
	size_t len;
};

static int attr_match(const struct nlattr *a, void *data)
{
	struct attr *want = data;
	size_t len = mnl_attr_get_payload_len(a);

	if (mnl_attr_get_type(a) != want->type)
		return MNL_CB_OK;
	if (len >= want->size) {
		want->payload = mnl_attr_get_payload(a);
		want->len = len;
	}
	return MNL_CB_STOP;
}

/* Attribute type of h behind a head of len bytes, at least size long. */
static const void *attr_find(const struct nlmsghdr *h, size_t len,
			     uint16_t type, size_t size, size_t *ret_len)
{
	struct attr a = {.type = type, .size = size};

	(void)mnl_attr_parse(h, (unsigned)len, attr_match, &a);
	if (ret_len)
		*ret_len = a.len;
	return a.payload;
}

/* Our packets bear no mark and leave by no XFRM interface. */
static bool is_for_us(const struct nlmsghdr *h, size_t len)
{
	const void *p =
		attr_find(h, len, XFRMA_MARK, sizeof(struct xfrm_mark), NULL);
	struct xfrm_mark mark = {0};
	uint32_t if_id = 0;

	if (p)
		memcpy(&mark, p, sizeof(mark));
	p = attr_find(h, len, XFRMA_IF_ID, sizeof(if_id), NULL);
	if (p)
		memcpy(&if_id, p, sizeof(if_id));
	return (mark.v & mark.m) == 0 && if_id == 0;
}

static void read_selector(const struct xfrm_selector *s,
			  struct ipsec_policy *ret)
{
	ret->src = (struct ipsec_net){.addr = address_of(&s->saddr, s->family),
				      .bits = s->prefixlen_s,
				      .port = ntohs(s->sport),
				      .port_mask = ntohs(s->sport_mask)};
	ret->dst = (struct ipsec_net){.addr = address_of(&s->daddr, s->family),
				      .bits = s->prefixlen_d,
				      .port = ntohs(s->dport),
				      .port_mask = ntohs(s->dport_mask)};
	ret->proto = s->proto;
}

/* The templates: one that demands ESP is what protects; with several the
 * packet goes through all of them. */
static void read_templates(const struct nlmsghdr *h, size_t head,
			   struct ipsec_policy *ret)
{
	size_t len = 0;
	const uint8_t *p = attr_find(h, head, XFRMA_TMPL, 0, &len);

	for (size_t at = 0; p && at + sizeof(struct xfrm_user_tmpl) <= len;
	     at += sizeof(struct xfrm_user_tmpl)) {
		struct xfrm_user_tmpl t;

		memcpy(&t, p + at, sizeof(t));
		if (t.id.proto != IPPROTO_ESP || ret->has_esp)
			continue;
		ret->has_esp = true;
		ret->is_optional = t.optional != 0;
		ret->is_tunnel = t.mode == XFRM_MODE_TUNNEL;
		ret->reqid = t.reqid;
		ret->tunnel_src = address_of(&t.saddr, t.family);
		ret->tunnel_dst = address_of(&t.id.daddr, t.family);
	}
}

int xfrm_policy_parse(const struct nlmsghdr *h, struct ipsec_policy *ret)
{
	struct xfrm_userpolicy_info info;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(info))
		return ERR_BAD;
	memcpy(&info, mnl_nlmsg_get_payload(h), sizeof(info));
	if ((info.dir != XFRM_POLICY_IN && info.dir != XFRM_POLICY_OUT) ||
	    info.sel.ifindex != 0 || !is_for_us(h, sizeof(info)))
		return ERR_BAD;
	*ret = (struct ipsec_policy){
		.dir = info.dir == XFRM_POLICY_IN ? IPSEC_IN : IPSEC_OUT,
		.priority = info.priority,
		.index = info.index,
		.is_block = info.action == XFRM_POLICY_BLOCK};
	read_selector(&info.sel, ret);
	read_templates(h, sizeof(info), ret);
	return 0;
}

/* Names as the kernel's crypto has them; the last authenticates only
 * (RFC 4543). */
static bool is_cipher(const char *name)
{
	return strcmp(name, "ecb(cipher_null)") != 0 &&
	       strcmp(name, "cipher_null") != 0 &&
	       strcmp(name, "rfc4543(gcm(aes))") != 0;
}

static bool has_cipher(const struct nlmsghdr *h, size_t head)
{
	static const uint16_t types[] = {XFRMA_ALG_CRYPT, XFRMA_ALG_AEAD};
	char name[sizeof(((struct xfrm_algo *)0)->alg_name) + 1] = "";

	/* Both kinds begin with the name. */
	for (size_t i = 0; i < 2; i++) {
		const void *p =
			attr_find(h, head, types[i], sizeof(name) - 1, NULL);

		if (!p)
			continue;
		memcpy(name, p, sizeof(name) - 1);
		return is_cipher(name);
	}
	return false;
}

int xfrm_state_parse(const struct nlmsghdr *h, struct ipsec_state *ret)
{
	struct xfrm_usersa_info info;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(info))
		return ERR_BAD;
	memcpy(&info, mnl_nlmsg_get_payload(h), sizeof(info));
	if (!is_for_us(h, sizeof(info)))
		return ERR_BAD;
	*ret = (struct ipsec_state){
		.src = address_of(&info.saddr, info.family),
		.dst = address_of(&info.id.daddr, info.family),
		.is_esp = info.id.proto == IPPROTO_ESP,
		.is_tunnel = info.mode == XFRM_MODE_TUNNEL,
		.is_encrypted = has_cipher(h, sizeof(info)),
		/* What is being agreed upon has no index yet. */
		.is_dead = info.id.spi == 0,
		.reqid = info.reqid};
	return 0;
}

/* ---- reading ---------------------------------------------------------------- */

static int grow(void **array, size_t *cap, size_t count, size_t size,
		size_t most)
{
	void *p;

	if (count < *cap)
		return 0;
	if (count >= most)
		return ERR_LIMIT;
	p = alloc_resize(*array, *cap * 2 + GROW, size);
	if (!p)
		return ERR_NOMEM;
	*array = p;
	*cap = *cap * 2 + GROW;
	return 0;
}

static int add_policy(struct xfrm *x, const struct nlmsghdr *h)
{
	void *array = x->policy;
	struct ipsec_policy p;
	int err;

	if (xfrm_policy_parse(h, &p) != 0)
		return 0;
	err = grow(&array, &x->policy_cap, x->view.policy_count, sizeof(p),
		   IPSEC_POLICIES_MAX);
	x->policy = array;
	if (!err)
		x->policy[x->view.policy_count++] = p;
	return err;
}

static int add_state(struct xfrm *x, const struct nlmsghdr *h)
{
	void *array = x->state;
	struct ipsec_state s;
	int err;

	if (xfrm_state_parse(h, &s) != 0)
		return 0;
	err = grow(&array, &x->state_cap, x->view.state_count, sizeof(s),
		   IPSEC_STATES_MAX);
	x->state = array;
	if (!err)
		x->state[x->view.state_count++] = s;
	return err;
}

static int take(struct xfrm *x, const struct nlmsghdr *h)
{
	if (h->nlmsg_type == XFRM_MSG_NEWPOLICY)
		return add_policy(x, h);
	return h->nlmsg_type == XFRM_MSG_NEWSA ? add_state(x, h) : 0;
}

/* An error the kernel has answered with, as errno. */
static int kernel_error(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(e->error))
		return EPROTO;
	return -e->error;
}

/* The messages of one datagram; *ret_end: the dump is over. */
static int take_all(struct xfrm *x, size_t len, bool *ret_end)
{
	const struct nlmsghdr *h =
		(const struct nlmsghdr *)(const void *)x->buf;
	int left = (int)len;
	int err = 0;

	for (; !err && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_type == NLMSG_DONE) {
			*ret_end = true;
			return 0;
		}
		if (h->nlmsg_type == NLMSG_ERROR) {
			errno = kernel_error(h);
			return ERR_IO;
		}
		err = take(x, h);
	}
	return err;
}

static int dump(struct xfrm *x, uint16_t type)
{
	struct nlmsghdr *h;
	bool is_end = false;
	int err = 0;

	memset(x->buf, 0, NLMSG_HDRLEN);
	h = mnl_nlmsg_put_header(x->buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	if (mnl_socket_sendto(x->dump, h, h->nlmsg_len) < 0)
		return ERR_IO;
	/* The kernel answers at once, or says that it does not. */
	while (!err && !is_end) {
		ssize_t n = mnl_socket_recvfrom(x->dump, x->buf, BUF);

		err = n <= 0 ? ERR_IO : take_all(x, (size_t)n, &is_end);
	}
	return err;
}

int xfrm_read(struct xfrm *x)
{
	int err;
	int saved;

	x->view = (struct ipsec_view){.is_known = false};
	err = dump(x, XFRM_MSG_GETSA);
	if (!err)
		err = dump(x, XFRM_MSG_GETPOLICY);
	saved = errno;
	secret_wipe(x->buf, BUF);
	x->view.policy = x->policy;
	x->view.state = x->state;
	x->view.is_known = !err;
	errno = saved;
	return err;
}

bool xfrm_news(struct xfrm *x)
{
	bool is_new = false;
	ssize_t n;

	/* ENOBUFS: some were lost, which is news as well. */
	while ((n = recv(mnl_socket_get_fd(x->news), x->buf, BUF,
			 MSG_DONTWAIT)) > 0 ||
	       (n < 0 && (errno == ENOBUFS || errno == EINTR)))
		is_new = true;
	secret_wipe(x->buf, BUF);
	return is_new;
}

int xfrm_fd(const struct xfrm *x)
{
	return mnl_socket_get_fd(x->news);
}

const struct ipsec_view *xfrm_view(const struct xfrm *x)
{
	return &x->view;
}

/* ---- sockets ----------------------------------------------------------------- */

static unsigned group(unsigned g)
{
	return 1U << (g - 1);
}

int xfrm_open(struct xfrm **ret)
{
	struct xfrm *x = alloc_zero(sizeof(*x));
	unsigned groups = group(XFRMNLGRP_SA) | group(XFRMNLGRP_POLICY) |
			  group(XFRMNLGRP_EXPIRE);

	if (!x)
		return ERR_NOMEM;
	x->news = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	x->dump = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	if (!x->news || !x->dump ||
	    mnl_socket_bind(x->news, groups, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_bind(x->dump, 0, MNL_SOCKET_AUTOPID) < 0) {
		int saved = errno;

		xfrm_close(x);
		errno = saved;
		return ERR_IO;
	}
	*ret = x;
	return 0;
}

struct xfrm *xfrm_close(struct xfrm *x)
{
	if (!x)
		return NULL;
	if (x->news)
		(void)mnl_socket_close(x->news);
	if (x->dump)
		(void)mnl_socket_close(x->dump);
	alloc_free(x->policy);
	alloc_free(x->state);
	return alloc_free(x);
}
