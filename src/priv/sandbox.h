/*
 * Giving up rights, in one call at the end of a role's start-up: user, groups,
 * root directory, capabilities, new privileges, core dumps, system calls.
 * Irreversible. One thread, before any other is created (libseccomp
 * synchronises later ones anyway).
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"

enum sandbox_role {
	SANDBOX_MONITOR, /* keeps the capabilities to start children */
	SANDBOX_KEYS,
	SANDBOX_KEYS_TOKEN, /* with a PKCS#11 module: files, sockets */
	SANDBOX_STORE,	    /* files below its directory */
	SANDBOX_MEDIA,	    /* datagram sockets, threads */
	SANDBOX_WORKER,	    /* stream and datagram sockets */
	SANDBOX_ROLE_COUNT
};

enum sandbox_mode {
	SANDBOX_KILL, /* a call that is not listed kills the process */
	SANDBOX_LOG,  /* it is logged by the kernel's audit and allowed */
	SANDBOX_OFF   /* no filter */
};

struct sandbox_params {
	enum sandbox_role role;
	enum sandbox_mode mode; /* forced to OFF in sanitizer builds */
	const char *user;	/* NULL = "sallyport"; ignored when not root */
	const char *group;	/* NULL = the user's group */
	const char *chroot_dir; /* NULL = none; ignored when not root; must
				   exist */
	bool keeps_net_admin;	/* media, to ask netfilter; if there is any */
};

enum { SANDBOX_ERR_MAX = 256 };

/*
 * Enter the sandbox. When not root, ids, chroot and capabilities are skipped
 * with one log line. ERR_NOTFOUND (user), ERR_IO; reterr (SANDBOX_ERR_MAX
 * bytes) says what failed, and the caller must end the process.
 */
MUST_CHECK int sandbox_enter(const struct sandbox_params *p, char *reterr);
/* For the keeper of firewall rules, which stays root: nothing but
 * CAP_NET_ADMIN and CAP_NET_RAW from here on, for what it runs too. ERR_IO. */
MUST_CHECK int sandbox_limit_keeper(void);
/* "kill", "log" or "off" from the configuration. ERR_BAD. */
MUST_CHECK int sandbox_mode_parse(struct slice s, enum sandbox_mode *ret);
/* Name of a role: "worker". */
const char *sandbox_role_str(enum sandbox_role r);
