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

int transport_steer(int fd, enum addr_family family, uint32_t count)
{
	const struct sock_filter v4[] = {
		LOAD(V4_SOURCE),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, MIX),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct sock_filter v6[] = {
		LOAD(V6_SOURCE),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, MIX),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		LOAD(V6_SOURCE + 4),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, MIX),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	if (count == 0) {
		errno = EINVAL;
		return ERR_IO;
	}
	if (family == ADDR_V6)
		return attach(fd, v6, sizeof(v6) / sizeof(v6[0]));
	return attach(fd, v4, sizeof(v4) / sizeof(v4[0]));
}

static uint32_t word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

uint32_t transport_steered(const struct addr *source, uint32_t count)
{
	uint32_t a = word(source->ip) * MIX;

	if (source->family == ADDR_V6)
		a = (a + word(source->ip + 4)) * MIX;
	return (a >> 16) % count;
}
