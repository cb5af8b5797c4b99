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
/* false: not now, nothing was done. iv: 16 bytes, used up. */
bool nf_srtp_driver_ctr(void *tfm, u8 *iv, u8 *data, u32 len);
bool nf_srtp_driver_mac(const u32 *inner, const u32 *outer, const u8 *data,
			u32 len, u8 *mac);
/* iv: 12 bytes. false: not now. */
bool nf_srtp_driver_seal(void *tfm, u8 *iv, const struct nf_srtp_piece *p);
/* 1: good, 0: the tag is wrong, negative: not now. See
 * nf_srtp_session_open.
 */
int nf_srtp_driver_open(void *tfm, u8 *iv, const struct nf_srtp_piece *p,
			bool keep, bool careful);

#endif
