/*
 * What the tests of tls/ share: an authority, our certificates and a phone's,
 * sessions against each other over memory, and a client of GnuTLS's own that
 * can resume.
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/certs.h"
#include "tls/creds.h"
#include "tls/keyring.h"
#include "tls/random.h"
#include "tls/session.h"

enum { ROUNDS = 50 };

/* Made by peers_set_up: an authority, our certificates (ECDSA with the name
 * proxy.example, RSA without), SEP001122334455, and the keys of all. */
struct peers {
	struct test_cert *ca, *server, *rsa, *phone;
	struct keyring *ring;
};
extern struct peers peers;

static inline struct slice str(const char *s)
{
	return slice_str(s);
}

void peers_set_up(void);
void peers_tear_down(void);
/* The key of c under a name into the ring. */
void peers_add_key(const char *name, const struct test_cert *c);
/* Credentials with an identity (cert may be NULL) that trust one CA. */
struct tls_creds *peers_creds(const char *policy, const char *key,
			      const struct test_cert *cert,
			      const struct test_cert *trust,
			      struct slice ticket_key);
/* Carry bytes from one session to the other, step bytes at a time. */
void peers_carry(struct tls_session *from, struct tls_session *to, size_t step);

struct peers_result {
	int server, client;
};
/* Shake hands until both are done or it is no use. */
struct peers_result peers_shake(struct tls_session *server,
				struct tls_session *client);

struct peers_pair {
	struct tls_creds *sc, *cc;
	struct tls_session *server, *client;
};
/* A server and a client; both references are taken over. */
struct peers_pair peers_pair(struct tls_creds *sc, struct tls_creds *cc);
void peers_pair_done(struct peers_pair *p);

/* A handshake of a GnuTLS client with a server of ours. */
struct peers_visit {
	const char *priority;
	const char *name;	    /* asked for by SNI; NULL = none */
	const gnutls_datum_t *data; /* session to resume; NULL = none */
	bool without_tickets;	    /* session IDs only */
	/* afterwards */
	int server; /* the server's result */
	bool is_resumed;
	enum tls_refusal refusal;
	struct tls_facts facts;	     /* without pointers */
	gnutls_datum_t next;	     /* what can be resumed; gnutls_free */
	gnutls_pk_algorithm_t shown; /* kind of key of the server's cert */
	char shown_cn[64];	     /* its common name */
};
/* Shake hands as cert with sc. */
void peers_visit(struct tls_creds *sc, const struct test_cert *cert,
		 struct peers_visit *v);
