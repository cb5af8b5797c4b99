/*
 * Rows of the operator's tables as JSON objects, so that worker and tool agree
 * on their names. jansson seeds its hash from a file at the first object: call
 * rows_seed before the sandbox closes.
 */
#pragma once

#include <stdint.h>

#include <jansson.h>

#include "base/slice.h"

struct row_registration {
	uint16_t worker;
	struct slice device, aor, contact;
	struct slice peer;	  /* address:port */
	const char *transport;	  /* "tls", "tcp", "udp" */
	const char *security;	  /* "Encrypted", "Authenticated", ... */
	struct slice certificate; /* subject; empty without one */
	uint64_t expires_s;	  /* from now */
};

struct row_call {
	uint16_t worker;
	uint64_t id;
	struct slice device, from, to;
	const char *state;
	const char *security; /* Call-Info word */
	const char *suite;    /* "none" without SRTP */
	bool is_end_to_end;   /* media passes without being opened */
	const char *media;    /* the backend that relays it; "-" none yet */
	struct slice codec;
	uint64_t duration_s;
	uint64_t packets_out_in; /* phone to call manager */
	uint64_t packets_in_out;
	uint64_t srtp_errors; /* tag did not verify, or replayed */
};

struct row_user {
	struct slice user, realm;
	uint64_t created_s, changed_s; /* since 1970 */
};

struct row_cert {
	const char *listener;
	const char *use;	  /* "own" or "trust" */
	struct slice subject;	  /* trust: the directory */
	struct slice issuer;	  /* own */
	const char *const *names; /* own: DNS names, names_count */
	size_t names_count;
	const char *key;  /* "RSA 2048" */
	const char *ocsp; /* "fresh", "out of date", "-" */
	uint64_t certificates, lists, old_lists; /* trust: how many */
	int64_t expires_s; /* since 1970; trust: the first that does */
	int64_t left_s;	   /* from now; may be negative */
};

/* Seed jansson's hash; once per process, before any other call. */
void rows_seed(uint32_t seed);
/* Text of outsiders as a JSON string, the caller's; NULL: no memory. Bytes of
 * what is no UTF-8 become '?'. */
json_t *rows_text(struct slice s);
/* Row as a JSON object, the caller's reference; NULL when memory is out.
 * Text that is not UTF-8 is shown with '?' for its bytes. */
json_t *row_registration(const struct row_registration *r);
/* As row_registration. */
json_t *row_call(const struct row_call *r);
/* As row_registration. */
json_t *row_user(const struct row_user *r);
/* As row_registration. */
json_t *row_cert(const struct row_cert *r);
