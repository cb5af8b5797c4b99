/*
 * The pure files of kmod/, compiled as they are for user space, and the cipher
 * drivers that are not there, or break off.
 */
#include "shim/kmod.h"

#include "kmod/crypto.c"
#include "kmod/index.c"
#include "kmod/latch.c"
#include "kmod/rtp.c"
#include "kmod/selftest/selftest.c"
#include "kmod/soft.c"
#include "kmod/srtp.c"
#include "kmod/suite.c"

unsigned long jiffies = 1000;
u32 shim_breaks_at;

void nf_srtp_driver_refuse(bool yes)
{
	(void)yes;
}

int nf_srtp_driver_alloc(bool is_aead, const u8 *key, u32 len, void **ret)
{
	(void)is_aead;
	(void)key;
	(void)len;
	*ret = shim_breaks_at ? &shim_breaks_at : NULL;
	return 0;
}

void nf_srtp_driver_free(bool is_aead, void *tfm)
{
	(void)is_aead;
	(void)tfm;
}

/* As much of len bytes as it does before it breaks off. */
static enum nf_srtp_driven shim_drive(u8 *data, u32 len)
{
	u32 n = len < shim_breaks_at ? len : shim_breaks_at;

	for (u32 i = 0; i < n; i++)
		data[i] ^= 0x5a;
	return n ? NF_SRTP_DRIVEN_BROKEN : NF_SRTP_DRIVEN_NOT;
}

enum nf_srtp_driven nf_srtp_driver_ctr(void *tfm, u8 *iv, u8 *data, u32 len)
{
	(void)tfm;
	(void)iv;
	return shim_drive(data, len);
}

bool nf_srtp_driver_mac(const u32 *inner, const u32 *outer, const u8 *data,
			u32 len, u8 *mac)
{
	(void)inner;
	(void)outer;
	(void)data;
	(void)len;
	(void)mac;
	return false;
}

enum nf_srtp_driven nf_srtp_driver_seal(void *tfm, u8 *iv,
					const struct nf_srtp_piece *p)
{
	(void)tfm;
	(void)iv;
	return shim_drive(p->data + p->aad_len, p->len);
}

enum nf_srtp_driven nf_srtp_driver_open(void *tfm, u8 *iv,
					const struct nf_srtp_piece *p,
					bool keep, bool careful)
{
	(void)tfm;
	(void)iv;
	if (keep || careful)
		return shim_breaks_at ? NF_SRTP_DRIVEN_BROKEN
				      : NF_SRTP_DRIVEN_NOT;
	return shim_drive(p->data + p->aad_len, p->len);
}
