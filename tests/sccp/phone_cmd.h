/* The commands of sccp-phone, a line each. */
#pragma once

#include "phone.h"

/* Begin a command; false when it says to end. The program ends when it is none
 * or what it waits for or expects is not so. */
bool command(struct phone *phones, unsigned count, char *line);
/* True when the last command has done what it does; ends the program when that
 * took too long. */
bool command_is_ready(struct phone *phones);
/* One turn of the loop (sccp_phone.c). */
void phones_serve(void);
/* Of tests/load/certs.c. */
gnutls_certificate_credentials_t *certs_phones(const char *dir, unsigned first,
					       unsigned n);
void phone_name(unsigned i, char *ret);
/* --- phone_bench.c ------------------------------------------------------ */
/* connect RATE | drop | storm | ask RATE SECONDS | sums; false when it is no
 * such command. */
bool bench_command(struct phone *phones, unsigned count, int argc, char **argv);
