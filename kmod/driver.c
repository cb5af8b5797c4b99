// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/scatterlist.h>
#include <crypto/aead.h>
#include <crypto/hash.h>
#include <asm/simd.h>
#include <crypto/internal/simd.h>
#include <crypto/skcipher.h>

#include "crypto.h"
#include "driver.h"
#include "rtp.h"

/* Filled in by whoever uses it: kernels that clear each variable on the stack
 * (INIT_STACK_ALL_ZERO) need not clear these for every packet.
 */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define NF_SRTP_UNSET __attribute__((uninitialized))
#endif
#endif
#ifndef NF_SRTP_UNSET
#define NF_SRTP_UNSET
#endif

enum {
	REQUEST_MAX = 512, /* bytes of a request */
	NAME_MAX_LEN = 64
};

/* A mode of AES and who does it. */
struct nf_srtp_mode {
	const char *name; /* for crypto_alloc_*; NULL: nobody */
	u32 type;
	u32 mask;
	bool needs_simd;
	char driver[NAME_MAX_LEN];
};

static const struct nf_srtp_mode nf_srtp_modes[2][2] = {
	{{"__ctr(aes)", CRYPTO_ALG_INTERNAL,
	  CRYPTO_ALG_INTERNAL | CRYPTO_ALG_ASYNC, true, ""},
	 {"ctr(aes)", 0, CRYPTO_ALG_ASYNC, false, ""}},
	{{"__gcm(aes)", CRYPTO_ALG_INTERNAL,
	  CRYPTO_ALG_INTERNAL | CRYPTO_ALG_ASYNC, true, ""},
	 {"gcm(aes)", 0, CRYPTO_ALG_ASYNC, false, ""}},
};

static struct nf_srtp_mode nf_srtp_chosen[2]; /* [is_aead] */
static struct crypto_shash *nf_srtp_sha1;     /* NULL: soft */
static bool nf_srtp_refused;

/* What AES-GCM works with, one for each processor: its request, in which some
 * drivers keep what they scatter and gather, and where a packet is opened that
 * must stay as it is. From kmalloc: of stacks and of alloc_percpu, which may be
 * mapped anywhere, no scatterlist can be made.
 */
struct nf_srtp_scratch {
	u8 request[REQUEST_MAX] CRYPTO_MINALIGN_ATTR;
	u8 data[NF_SRTP_PACKET_MAX];
};

static DEFINE_PER_CPU(struct nf_srtp_scratch *, nf_srtp_scratch);

const char *nf_srtp_driver_ctr_name(void)
{
	return nf_srtp_chosen[0].driver;
}

const char *nf_srtp_driver_gcm_name(void)
{
	return nf_srtp_chosen[1].driver;
}

const char *nf_srtp_driver_mac_name(void)
{
	return nf_srtp_sha1 ? crypto_shash_driver_name(nf_srtp_sha1) : "soft";
}

void nf_srtp_driver_refuse(bool yes)
{
	nf_srtp_refused = yes;
}

static bool nf_srtp_usable(const struct nf_srtp_mode *m)
{
	return likely(!m->needs_simd || crypto_simd_usable()) &&
	       likely(!nf_srtp_refused);
}

static int nf_srtp_alloc_ctr(const struct nf_srtp_mode *m, void **ret)
{
	struct crypto_skcipher *tfm =
		crypto_alloc_skcipher(m->name, m->type, m->mask);

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	if (crypto_skcipher_reqsize(tfm) + sizeof(struct skcipher_request) >
	    REQUEST_MAX) {
		crypto_free_skcipher(tfm);
		return -EOPNOTSUPP;
	}
	*ret = tfm;
	return 0;
}

static int nf_srtp_alloc_gcm(const struct nf_srtp_mode *m, void **ret)
{
	struct crypto_aead *tfm = crypto_alloc_aead(m->name, m->type, m->mask);

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	if (crypto_aead_reqsize(tfm) + sizeof(struct aead_request) >
	    REQUEST_MAX) {
		crypto_free_aead(tfm);
		return -EOPNOTSUPP;
	}
	*ret = tfm;
	return 0;
}

static const char *nf_srtp_tfm_driver(bool is_aead, void *tfm)
{
	if (is_aead)
		return crypto_tfm_alg_driver_name(crypto_aead_tfm(tfm));
	return crypto_tfm_alg_driver_name(crypto_skcipher_tfm(tfm));
}

static void nf_srtp_choose(bool is_aead)
{
	struct nf_srtp_mode *m = &nf_srtp_chosen[is_aead];
	void *tfm;
	int i, err;

	for (i = 0; i < 2; i++) {
		*m = nf_srtp_modes[is_aead][i];
		err = is_aead ? nf_srtp_alloc_gcm(m, &tfm)
			      : nf_srtp_alloc_ctr(m, &tfm);
		if (err)
			continue;
		strscpy(m->driver, nf_srtp_tfm_driver(is_aead, tfm),
			sizeof(m->driver));
		nf_srtp_driver_free(is_aead, tfm);
		return;
	}
	m->name = NULL;
	strscpy(m->driver, "soft", sizeof(m->driver));
}

static void nf_srtp_scratch_free(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		kfree_sensitive(per_cpu(nf_srtp_scratch, cpu));
		per_cpu(nf_srtp_scratch, cpu) = NULL;
	}
}

static int nf_srtp_scratch_alloc(void)
{
	struct nf_srtp_scratch *s;
	int cpu;

	for_each_possible_cpu(cpu) {
		s = kmalloc_node(sizeof(*s), GFP_KERNEL, cpu_to_node(cpu));
		if (!s) {
			nf_srtp_scratch_free();
			return -ENOMEM;
		}
		per_cpu(nf_srtp_scratch, cpu) = s;
	}
	return 0;
}

int nf_srtp_driver_start(void)
{
	int err = nf_srtp_scratch_alloc();

	if (err)
		return err;
	nf_srtp_choose(false);
	nf_srtp_choose(true);
	nf_srtp_sha1 = crypto_alloc_shash("sha1", 0, 0);
	if (IS_ERR(nf_srtp_sha1))
		nf_srtp_sha1 = NULL;
	/* The state is handed over as it lies in memory: see
	 * nf_srtp_sha1_finup. The tests at load would notice if it were not so.
	 */
	if (nf_srtp_sha1 &&
	    crypto_shash_descsize(nf_srtp_sha1) != sizeof(struct sha1_state)) {
		crypto_free_shash(nf_srtp_sha1);
		nf_srtp_sha1 = NULL;
	}
	return 0;
}

void nf_srtp_driver_stop(void)
{
	if (nf_srtp_sha1)
		crypto_free_shash(nf_srtp_sha1);
	nf_srtp_scratch_free();
}

int nf_srtp_driver_alloc(bool is_aead, const u8 *key, u32 len, void **ret)
{
	const struct nf_srtp_mode *m = &nf_srtp_chosen[is_aead];
	void *tfm;
	int err;

	if (!m->name) {
		*ret = NULL;
		return 0;
	}
	err = is_aead ? nf_srtp_alloc_gcm(m, &tfm) : nf_srtp_alloc_ctr(m, &tfm);
	if (err)
		return err;
	if (is_aead) {
		err = crypto_aead_setauthsize(tfm, NF_SRTP_TAG_BYTES);
		if (!err)
			err = crypto_aead_setkey(tfm, key, len);
	} else {
		err = crypto_skcipher_setkey(tfm, key, len);
	}
	if (err) {
		nf_srtp_driver_free(is_aead, tfm);
		return err;
	}
	*ret = tfm;
	return 0;
}

void nf_srtp_driver_free(bool is_aead, void *tfm)
{
	if (is_aead)
		crypto_free_aead(tfm);
	else
		crypto_free_skcipher(tfm);
}

/* A walk over a packet that crosses a page may want memory, for the block that
 * lies on both sides, when it is there: blocks before it are done by then.
 */
static enum nf_srtp_driven nf_srtp_driven(int err)
{
	if (likely(!err))
		return NF_SRTP_DRIVEN_DONE;
	return err == -EBADMSG ? NF_SRTP_DRIVEN_FORGED : NF_SRTP_DRIVEN_BROKEN;
}

enum nf_srtp_driven nf_srtp_driver_ctr(void *tfm, u8 *iv, u8 *data, u32 len)
{
	u8 mem[REQUEST_MAX] CRYPTO_MINALIGN_ATTR NF_SRTP_UNSET;
	struct skcipher_request *req = (void *)mem;
	struct scatterlist sg;

	if (!nf_srtp_usable(&nf_srtp_chosen[0]))
		return NF_SRTP_DRIVEN_NOT;
	sg_init_one(&sg, data, len);
	skcipher_request_set_tfm(req, tfm);
	skcipher_request_set_callback(req, 0, NULL, NULL);
	skcipher_request_set_crypt(req, &sg, &sg, len, iv);
	return nf_srtp_driven(crypto_skcipher_encrypt(req));
}

/*
 * SHA-1 goes on behind one block. The driver is given whole blocks, the last
 * ones padded here, so that its buffer stays empty, and what it remembers is
 * the state of sha1_base.h: filled in and read directly, without the detour by
 * its own padding, which costs a third of a block.
 */
static int nf_srtp_sha1_from(struct shash_desc *desc, const u32 *start,
			     const u8 *data, u32 len, u8 *hash)
{
	u32 whole = round_down(len, SHA1_BLOCK_SIZE), rest = len - whole;
	u32 end = rest + 9 > SHA1_BLOCK_SIZE ? 2 * SHA1_BLOCK_SIZE
					     : SHA1_BLOCK_SIZE;
	struct sha1_state *st = shash_desc_ctx(desc);
	u8 last[2 * SHA1_BLOCK_SIZE] = {0};
	int i, err = 0;

	memcpy(st->state, start, sizeof(st->state));
	st->count = SHA1_BLOCK_SIZE;
	if (whole)
		err = crypto_shash_update(desc, data, whole);
	memcpy(last, data + whole, rest);
	last[rest] = 0x80;
	nf_srtp_put32(last + end - 4, (len + SHA1_BLOCK_SIZE) * 8);
	if (!err)
		err = crypto_shash_update(desc, last, end);
	for (i = 0; i < NF_SRTP_SHA1_WORDS; i++)
		nf_srtp_put32(hash + 4 * i, st->state[i]);
	return err;
}

bool nf_srtp_driver_mac(const u32 *inner, const u32 *outer, const u8 *data,
			u32 len, u8 *mac)
{
	u8 mem[sizeof(struct shash_desc) +
	       sizeof(struct sha1_state)] CRYPTO_MINALIGN_ATTR NF_SRTP_UNSET;
	struct shash_desc *desc = (void *)mem;

	if (unlikely(!nf_srtp_sha1 || nf_srtp_refused))
		return false;
	desc->tfm = nf_srtp_sha1;
	return !nf_srtp_sha1_from(desc, inner, data, len, mac) &&
	       !nf_srtp_sha1_from(desc, outer, mac, SHA1_DIGEST_SIZE, mac);
}

static struct aead_request *nf_srtp_aead_request(struct nf_srtp_scratch *s,
						 void *tfm,
						 const struct nf_srtp_piece *p)
{
	struct aead_request *req = (void *)s->request;

	aead_request_set_tfm(req, tfm);
	aead_request_set_callback(req, 0, NULL, NULL);
	aead_request_set_ad(req, p->aad_len);
	return req;
}

enum nf_srtp_driven nf_srtp_driver_seal(void *tfm, u8 *iv,
					const struct nf_srtp_piece *p)
{
	struct aead_request *req;
	struct scatterlist sg;

	if (!nf_srtp_usable(&nf_srtp_chosen[1]))
		return NF_SRTP_DRIVEN_NOT;
	req = nf_srtp_aead_request(this_cpu_read(nf_srtp_scratch), tfm, p);
	sg_init_one(&sg, p->data, p->aad_len + p->len + NF_SRTP_TAG_BYTES);
	aead_request_set_crypt(req, &sg, &sg, p->len, iv);
	return nf_srtp_driven(crypto_aead_encrypt(req));
}

enum nf_srtp_driven nf_srtp_driver_open(void *tfm, u8 *iv,
					const struct nf_srtp_piece *p,
					bool keep, bool careful)
{
	struct nf_srtp_scratch *s = this_cpu_read(nf_srtp_scratch);
	u32 all = p->aad_len + p->len + NF_SRTP_TAG_BYTES;
	struct scatterlist src, dst, *to = &src;
	struct aead_request *req;
	u8 *aside = NULL;
	int err;

	if (!nf_srtp_usable(&nf_srtp_chosen[1]) || all > NF_SRTP_PACKET_MAX)
		return NF_SRTP_DRIVEN_NOT;
	req = nf_srtp_aead_request(s, tfm, p);
	sg_init_one(&src, p->data, all);
	if (keep || careful) {
		aside = s->data;
		sg_init_one(&dst, aside, all);
		to = &dst;
	}
	aead_request_set_crypt(req, &src, to, p->len + NF_SRTP_TAG_BYTES, iv);
	err = crypto_aead_decrypt(req);
	if (!err && aside && !keep)
		memcpy(p->data + p->aad_len, aside + p->aad_len, p->len);
	if (aside)
		memzero_explicit(aside, all);
	return nf_srtp_driven(err);
}
