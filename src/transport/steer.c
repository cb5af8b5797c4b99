/*
 * Which of several sockets of one address a source belongs to: a few
 * instructions in the kernel (classic BPF, SO_ATTACH_REUSEPORT_CBPF), and the
 * same in C for who wants to know. The group's program sees the packet from
 * its payload on; SKF_NET_OFF leads back to the network header.
 */
#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "transport/transport.h"

enum {
	V4_SOURCE = 12, /* offset in the IPv4 header, RFC 791 */
	V6_SOURCE = 8	/* in the IPv6 header, RFC 8200; 64 bits are used */
};

/* 2^32 divided by the golden ratio: neighbours end up far apart. */
#define MIX 0x9e3779b1u

/* Load a word of the network header. */
#define LOAD(off) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_NET_OFF + (off)))

static uint32_t word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static int attach(int fd, const struct sock_filter *code, size_t len)
{
	struct sock_fprog prog;

	/* The kernel is handed the padding too. */
	memset(&prog, 0, sizeof(prog));
	prog.len = (unsigned short)len;
	prog.filter = (struct sock_filter *)(uintptr_t)code;
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog,
			  sizeof(prog)) < 0
		       ? ERR_IO
		       : 0;
}

/* A program being written. */
struct prog {
	struct sock_filter code[BPF_MAXINSNS];
	size_t len;
};

static void put(struct prog *p, struct sock_filter i)
{
	if (p->len < BPF_MAXINSNS)
		p->code[p->len++] = i;
}

static void put_hash(struct prog *p, enum addr_family family, uint32_t count)
{
	bool is_v6 = family == ADDR_V6;

	put(p, (struct sock_filter)LOAD(is_v6 ? V6_SOURCE : V4_SOURCE));
	put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, MIX));
	if (is_v6) {
		put(p, (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0));
		put(p, (struct sock_filter)LOAD(V6_SOURCE + 4));
		put(p,
		    (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0));
		put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MUL | BPF_K,
						    MIX));
	}
	put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16));
	put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count));
	put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0));
}

/* Word by word; who differs jumps behind the rule. */
static void put_rule(struct prog *p, const struct transport_rule *r)
{
	bool is_v6 = r->net.family == ADDR_V6;
	uint32_t words = (r->bits + 31U) / 32;
	size_t jump[4];

	for (uint32_t i = 0; i < words; i++) {
		uint32_t bits = r->bits - 32 * i;
		uint32_t mask = bits >= 32 ? UINT32_MAX : ~(UINT32_MAX >> bits);

		put(p, (struct sock_filter)LOAD(
			       (is_v6 ? V6_SOURCE : V4_SOURCE) + 4 * (int)i));
		if (mask != UINT32_MAX)
			put(p, (struct sock_filter)BPF_STMT(
				       BPF_ALU | BPF_AND | BPF_K, mask));
		jump[i] = p->len;
		put(p, (struct sock_filter)BPF_JUMP(
			       BPF_JMP | BPF_JEQ | BPF_K,
			       word(r->net.ip + 4 * i) & mask, 0, 0));
	}
	put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, r->to));
	for (uint32_t i = 0; i < words; i++)
		p->code[jump[i]].jf = (uint8_t)(p->len - jump[i] - 1);
}

int transport_steer_by(int fd, enum addr_family family, uint32_t count,
		       const struct transport_rule *rule, size_t n,
		       uint32_t rest)
{
	struct prog *p;
	int err;

	if (count == 0) {
		errno = EINVAL;
		return ERR_IO;
	}
	if (n > TRANSPORT_RULES_MAX)
		return ERR_LIMIT;
	p = alloc_zero(sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		if (rule[i].net.family == family)
			put_rule(p, &rule[i]);
	if (rest < count)
		put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rest));
	else
		put_hash(p, family, count);
	err = attach(fd, p->code, p->len);
	alloc_free(p);
	return err;
}

int transport_steer(int fd, enum addr_family family, uint32_t count)
{
	return transport_steer_by(fd, family, count, NULL, 0, TRANSPORT_HASHED);
}

uint32_t transport_steered(const struct addr *source, uint32_t count)
{
	uint32_t a = word(source->ip) * MIX;

	if (source->family == ADDR_V6)
		a = (a + word(source->ip + 4)) * MIX;
	return (a >> 16) % count;
}
