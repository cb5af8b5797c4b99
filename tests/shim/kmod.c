/*
 * The pure files of kmod/, compiled as they are for user space, and the cipher
 * drivers that are not there.
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

void nf_srtp_driver_refuse(bool yes)
{
	(void)yes;
}

int nf_srtp_driver_alloc(bool is_aead, const u8 *key, u32 len, void **ret)
{
	(void)is_aead;
	(void)key;
	(void)len;
	*ret = NULL;
	return 0;
}

void nf_srtp_driver_free(bool is_aead, void *tfm)
{
	(void)is_aead;
	(void)tfm;
}

bool nf_srtp_driver_ctr(void *tfm, u8 *iv, u8 *data, u32 len)
{
	(void)tfm;
	(void)iv;
	(void)data;
	(void)len;
	return false;
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

bool nf_srtp_driver_seal(void *tfm, u8 *iv, const struct nf_srtp_piece *p)
{
	(void)tfm;
	(void)iv;
	(void)p;
	return false;
}

int nf_srtp_driver_open(void *tfm, u8 *iv, const struct nf_srtp_piece *p,
			bool keep, bool careful)
{
	(void)tfm;
	(void)iv;
	(void)p;
	(void)keep;
	(void)careful;
	return -1;
}
