/*
 * What the pure files of kmod/ need of the kernel, for user space: its integer
 * types, its names for the C library's functions, AES and SHA-1 of nettle. No
 * locks (one thread) and no cipher drivers (driver.h): everything is soft.c,
 * unless a test wants one that fails.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/aes.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>

/* nettle has macros of the same names */
#undef aes_encrypt
#undef sha1_init

#include "base/alloc.h"
#include "base/hex.h"
#include "base/secret.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

enum { GFP_KERNEL, GFP_ATOMIC, SHA1_WORKSPACE_WORDS = 1, HZ = 250 };

/* Time as the tests say. */
extern unsigned long jiffies;
/* 0: there is no driver. Else keys made now have one, which works on so many
 * bytes of a packet and then finds no memory.
 */
extern u32 shim_breaks_at;

typedef struct {
	int unused;
} spinlock_t;

static inline void shim_lock(spinlock_t *l)
{
	(void)l;
}
#define spin_lock_init(l) shim_lock(l)
#define spin_lock(l)	  shim_lock(l)
#define spin_unlock(l)	  shim_lock(l)
#define spin_lock_bh(l)	  shim_lock(l)
#define spin_unlock_bh(l) shim_lock(l)
#define local_bh_disable()
#define local_bh_enable()

#define READ_ONCE(x)	       (x)
#define WRITE_ONCE(x, v)       ((x) = (v))
#define min_t(type, a, b)      ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define ARRAY_SIZE(a)	       (sizeof(a) / sizeof((a)[0]))
#define pr_err(...)	       ((void)fprintf(stderr, __VA_ARGS__))
#define memzero_explicit       secret_wipe
#define kfree(p)	       ((void)alloc_free(p))
#define kfree_sensitive(p)     ((void)alloc_free(p))
#define kzalloc(size, how)     alloc_zero(size)
#define crypto_memneq(a, b, n) (!memeql_sec(a, b, n))

struct crypto_aes_ctx {
	bool is_long;
	union {
		struct aes128_ctx a128;
		struct aes256_ctx a256;
	};
};

static inline void aes_expandkey(struct crypto_aes_ctx *c, const u8 *key,
				 u32 len)
{
	c->is_long = len == 32;
	if (c->is_long)
		aes256_set_encrypt_key(&c->a256, key);
	else
		aes128_set_encrypt_key(&c->a128, key);
}

static inline void aes_encrypt(const struct crypto_aes_ctx *c, u8 *out,
			       const u8 *in)
{
	if (c->is_long)
		aes256_encrypt(&c->a256, 16, out, in);
	else
		aes128_encrypt(&c->a128, 16, out, in);
}

static inline void crypto_xor(u8 *to, const u8 *with, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] ^= with[i];
}

static inline void sha1_init(u32 *state)
{
	struct sha1_ctx c;

	nettle_sha1_init(&c);
	memcpy(state, c.state, sizeof(c.state));
}

static inline void sha1_transform(u32 *state, const char *block, u32 *work)
{
	(void)work;
	nettle_sha1_compress(state, (const u8 *)block);
}

/* The kernel's: 0, or -1. */
static inline int hex2bin(u8 *to, const char *hex, size_t len)
{
	return hex_decode(slice_make(hex, 2 * len), to, len) ? -1 : 0;
}
