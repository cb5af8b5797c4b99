/*
 * The kernel module nf_srtp as this machine has it: why it is not there, and
 * its end. For the operator's tool, which sees what the daemon's sandbox
 * hides. Linux' own files tell: /sys/module, /lib/modules, /sys/kernel/security,
 * the firmware's variables.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { MODULE_WHY_MAX = 240 };

/*
 * Why nf_srtp is not loaded, as a sentence: no support for modules, built for
 * other kernels, headers missing, Secure Boot, not installed, only not loaded.
 * root is put before every path, "" for this machine; release is uname's.
 * False: it is loaded.
 */
bool module_why(const char *root, const char *release,
		char ret[MODULE_WHY_MAX]);
/* Take it out of the kernel. 0 or errno, ENOENT: it was not there. */
int module_unload(void);
