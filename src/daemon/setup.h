/*
 * What all roles share at start-up: the configuration, as the monitor read it,
 * travels to its children in a sealed memory file, so a child that is started
 * anew sees what its siblings see, whatever happened to the files meanwhile.
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "priv/channel.h"
#include "priv/sandbox.h"
#include "tls/files.h"

enum { SETUP_BOOT_MAX = 40 };

/* Read the configuration from files and print every message on stderr.
 * ERR_BAD when there was an error. */
MUST_CHECK int setup_load(const char *path, struct config **ret);
/* Workers that c asks for, with this machine's processors. */
uint32_t setup_workers(const struct config *c);
/* bytes (config_pack) as a sealed memory file; *ret_fd is the caller's.
 * ERR_IO. */
MUST_CHECK int setup_config_fd(struct slice bytes, int *ret_fd);
/* The same with a copy of the files of TLS, which tls_files_load reads. */
MUST_CHECK int setup_tls_fd(const struct tls_files *f, int *ret_fd);
/*
 * The configuration in a file of setup_config_fd, also inside a sandbox; fd
 * stays the caller's. What is wrong with it is logged. ERR_IO, ERR_BAD,
 * ERR_NOMEM.
 */
MUST_CHECK int setup_config_read(int fd, struct config **ret);
/* The same at the start of a role: closes fd, and ends the process when there
 * is no configuration. */
struct config *setup_config_from_fd(int fd);
/* All of a regular file or memory file, from its beginning, at most max
 * bytes, into *ret (empty before). ERR_LIMIT, ERR_IO, ERR_NOMEM. */
MUST_CHECK int setup_read_fd(int fd, size_t max, struct buf *ret);
/* A name of the present boot of the system into buf (SETUP_BOOT_MAX bytes);
 * empty: the system has none. */
void setup_boot(char *buf);
/* The journal of SRTP indices in c's state directory (media/journal.h), or in
 * memory when the disk has no room for it, logged; *ret_fd is the caller's.
 * ERR_IO, logged. */
MUST_CHECK int setup_journal_fd(const struct config *c, int *ret_fd);
/* A child's answer to the monitor's question whether it is alive: true when
 * bytes, which came over monitor, were that. */
bool setup_pong(struct channel *monitor, struct slice bytes);
/* Sandbox parameters of a role. chroot_dir may be NULL. The strings are c's. */
struct sandbox_params setup_sandbox(const struct config *c,
				    enum sandbox_role role,
				    const char *chroot_dir);
/* Initialise logging, GnuTLS and rows for a role; ends the process when that
 * fails. The last lines are kept in log_fd (log_ring_new), which is closed. */
void setup_role(const struct config *c, const char *name, int log_fd);
