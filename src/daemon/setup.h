/*
 * What all roles share at start-up: the configuration, as the monitor read it,
 * travels to its children in a sealed memory file, so a child that is started
 * anew sees what its siblings see, whatever happened to the files meanwhile.
 */
#pragma once

#include "config/config.h"
#include "priv/sandbox.h"

/* Read the configuration from files and print every message on stderr.
 * ERR_BAD when there was an error. */
MUST_CHECK int setup_load(const char *path, struct config **ret);
/* Workers that c asks for, with this machine's processors. */
uint32_t setup_workers(const struct config *c);
/* c as a sealed memory file; *ret_fd is the caller's. ERR_IO, ERR_NOMEM. */
MUST_CHECK int setup_config_fd(const struct config *c, int *ret_fd);
/* Read what setup_config_fd made. Ends the process when that fails. */
struct config *setup_config_from_fd(int fd);
/* Sandbox parameters of a role. chroot_dir may be NULL. The strings are c's. */
struct sandbox_params setup_sandbox(const struct config *c,
				    enum sandbox_role role,
				    const char *chroot_dir);
/* Initialise logging, GnuTLS and rows for a role; ends the process when that
 * fails. */
void setup_role(const struct config *c, const char *name);
