/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tests that run before the module may do anything: the RFCs' vectors
 * through the drivers that will do the work, and through soft.c; the window and
 * the roll-over as tables; what forged and repeated packets must not do. The
 * same file is a test of `make check` in user space.
 */
#ifndef _NF_SRTP_SELFTEST_H
#define _NF_SRTP_SELFTEST_H

/* How many tests passed; negative: one did not, and the log says which. */
int nf_srtp_selftest(void);

#endif
