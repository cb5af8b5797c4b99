/*
 * One world, and phones that talk in it: what the tests of the pipeline share.
 * What they say is from 192.0.2.1's point of view; see world.h for who is who.
 */
#pragma once

#include "unit/proxy/world.h"

enum { TEXT_MAX = 4096 };

/* Of the test that runs; setup and teardown are its fixture. */
extern struct world w;
void setup(void);
void teardown(void);

/* A request of user; extra: header lines, may be empty. branch names the
 * transaction. Valid until the next call. */
const char *request(const char *method, const char *user, int branch,
		    const char *extra);
/* The same said from w.udp, or from w.phone over TLS. */
void udp(const char *method, const char *user, int branch, const char *extra);
void tls(const char *method, const char *user, int branch);
/* Exactly one message left, to where it came from, beginning with status. */
void answered(const struct dest *to, const char *status);
/* Exactly one message left: this method, to the call manager. */
void went_on(const char *method);
/* The value behind name (with its quote) in text; views text. */
struct slice param(const char *text, const char *name);
/* The value behind mark in text, up to one of end, into buf. */
const char *between(const char *text, const char *mark, const char *end,
		    char *buf, size_t cap);

struct cred {
	const char *user, *password, *nonce;
	const char *nc; /* "" = no qop */
	const char *method;
	const char *uri;       /* NULL = sip:192.0.2.1 */
	const char *algorithm; /* NULL = not named: MD5 */
	const char *body;      /* not NULL: auth-int over it */
};

/* The Authorization line that answers a challenge so; until the next call. */
const char *authorization(const struct cred *c);
/* The nonce of the 401 that was sent. */
void take_nonce(char nonce[128]);
/* A challenge is fetched; nonce gets what it says. */
void fetch_nonce(char nonce[128]);
/* REGISTER as carol with these credentials, all questions answered. */
void try_cred(const char *nonce, const char *nc, const char *password,
	      int branch);
/* One request with good credentials that is under way to the store. */
void park_one(int branch);
