/*
 * tests/load: thousands of phones in one process, each with its own
 * certificate (all with one key pair, so that they are made in seconds), and
 * a call manager that answers everything. load.c reads commands, phone.c is a
 * phone, certs.c makes certificates, cm.c is the call manager and the caller
 * who asks it directly. One thread, one epoll.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NAME_MAX_LEN = 16, /* "SEP" and 12 digits */
	MSG_MAX = 4096,
	SAMPLES_MAX = 1 << 17
};

/* Everything one load process works with. */
struct load {
	struct sockaddr_in server; /* where phones connect */
	struct phone *phone;
	unsigned phones;
	unsigned first;	   /* number of phone[0] */
	const char *user;  /* digest user of all */
	const char *local; /* source address; NULL = the system's */
	int epoll;
	gnutls_certificate_credentials_t *cred; /* one per phone */
	bool use_tickets; /* offer the last session on connecting */
	/* progress, and what went wrong */
	unsigned up, failed, busy;
	unsigned resumed;
	unsigned calls_begun, calls_done, calls_failed;
	uint64_t transactions;
	bool is_cycling;     /* register again as soon as it is answered */
	uint32_t *sample_us; /* until 180; SAMPLES_MAX */
	unsigned samples;
	char last_error[160];
};

/* Of all phones; certs_make writes it to the file password. */
#define PASSWORD "load-test"

/* --- certs.c ------------------------------------------------------------ */
/* Write ca.pem, ca.key, server.pem, server.key, phone.key, password to dir; the
 * server's certificate is for address. Exits on failure. */
void certs_make(const char *dir, const char *address);
/* Credentials of n phones from number first on, signed by dir's CA. Exits on failure. */
gnutls_certificate_credentials_t *certs_phones(const char *dir, unsigned first,
					       unsigned n);
/* Device name of phone number i: NAME_MAX_LEN bytes. */
void phone_name(unsigned i, char *ret);
/* Line of phone number i. */
unsigned phone_line(unsigned i);

/* --- phone.c ------------------------------------------------------------ */
/* Make l->phones phones, not connected. */
void phones_init(struct load *l);
/* Connect phone i, and register it once connected. */
void phone_connect(struct load *l, unsigned i);
/* Close its connection; the session is kept for use_tickets. */
void phone_close(struct load *l, unsigned i);
/* Register again on the kept connection. */
void phone_register(struct load *l, unsigned i);
/* Begin a call of phone i, if it is up and has none; it ends by itself. */
void phone_call(struct load *l, unsigned i);
/* True when it is registered and neither registers nor calls. */
bool phone_is_ready(const struct load *l, unsigned i);
/* Serve the phones for at most wait_ms. */
void phones_poll(struct load *l, int wait_ms);

/* --- cm.c --------------------------------------------------------------- */
/* Answer on UDP address:port until killed. */
void cm_run(const char *address);
/* Call the call manager directly, rate calls a second for so long; fills
 * l->sample_us. */
void cm_direct(struct load *l, const char *address, unsigned rate,
	       unsigned seconds);

/* --- load.c ------------------------------------------------------------- */
/* Print like printf to stderr and exit(1). */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Monotonic time. */
uint64_t now_us(void);
/* Read "address:port". */
struct sockaddr_in address_of(const char *text);
/* Take a sample of the time until 180. */
void sample(struct load *l, uint64_t begun_us);
/* The value of parameter name="..." in a header line; "" when missing. */
void param_of(const char *line, const char *name, char *ret, size_t cap);
/* The header line that begins with name, or NULL; text is NUL-terminated. */
const char *header_of(const char *msg, const char *name);
