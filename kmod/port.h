/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the pure files (index, rtp, latch, suite, soft, srtp) need of their
 * surroundings. In the kernel that is the kernel; in user space, where they
 * are tested and fuzzed, tests/shim/kmod.h. Nothing else is included there.
 */
#ifndef _NF_SRTP_PORT_H
#define _NF_SRTP_PORT_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <crypto/aes.h>
#include <crypto/algapi.h>
#ifdef HAVE_CRYPTO_SHA1_H
#include <crypto/sha1.h>
#else
#include <crypto/sha.h>
#endif
#else
#include "shim/kmod.h"
#endif

static inline u16 nf_srtp_get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static inline u32 nf_srtp_get32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static inline void nf_srtp_put32(u8 *p, u32 v)
{
	p[0] = v >> 24;
	p[1] = v >> 16;
	p[2] = v >> 8;
	p[3] = v;
}

#endif
