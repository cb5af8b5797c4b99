/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's cipher drivers, chosen by hand: the crypto API's own choice for
 * a synchronous AES mode is a template that enters the vector unit once per
 * block. Tried in order, the first one that is there:
 *
 *   __ctr(aes), __gcm(aes)  the bare assembler (x86 before 6.16), which must
 *                           only be called while the vector unit may be used
 *   ctr(aes), gcm(aes)      synchronous, whatever it is
 *   NULL                    soft.c
 *
 * In user space there is none. Context: bottom halves off, except start, stop,
 * alloc and free.
 */
#ifndef _NF_SRTP_DRIVER_H
#define _NF_SRTP_DRIVER_H

#include "port.h"

struct nf_srtp_piece;

/* What became of a packet. */
enum nf_srtp_driven {
	NF_SRTP_DRIVEN_DONE,
	NF_SRTP_DRIVEN_FORGED, /* the tag is wrong */
	NF_SRTP_DRIVEN_NOT,    /* not now: nothing was done */
	/* No memory, maybe half-way: what is left of the packet is part text
	 * and part cipher, and must not be used, nor worked on again.
	 */
	NF_SRTP_DRIVEN_BROKEN
};

/* Find the drivers; -ENOMEM or what the crypto API says. */
int nf_srtp_driver_start(void);
void nf_srtp_driver_stop(void);
/* Their names, for people. */
const char *nf_srtp_driver_ctr_name(void);
const char *nf_srtp_driver_gcm_name(void);
const char *nf_srtp_driver_mac_name(void);
/* Pretend that the vector unit is busy, for the tests at load. */
void nf_srtp_driver_refuse(bool yes);

/* A keyed transform. 0 and NULL: there is no driver. */
int nf_srtp_driver_alloc(bool is_aead, const u8 *key, u32 len, void **ret);
void nf_srtp_driver_free(bool is_aead, void *tfm);
/* iv: 16 bytes, used up. */
enum nf_srtp_driven nf_srtp_driver_ctr(void *tfm, u8 *iv, u8 *data, u32 len);
/* false: not now, data is as it was. */
bool nf_srtp_driver_mac(const u32 *inner, const u32 *outer, const u8 *data,
			u32 len, u8 *mac);
/* iv: 12 bytes. */
enum nf_srtp_driven nf_srtp_driver_seal(void *tfm, u8 *iv,
					const struct nf_srtp_piece *p);
/* See nf_srtp_session_open; with keep or careful the text is as it was on any
 * answer but DONE.
 */
enum nf_srtp_driven nf_srtp_driver_open(void *tfm, u8 *iv,
					const struct nf_srtp_piece *p,
					bool keep, bool careful);

#endif
