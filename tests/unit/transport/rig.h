/*
 * A transport over real sockets on loopback, and what it told; time is the
 * test's. One for each test, made and freed by its fixture.
 */
#pragma once

#include <check.h>

#include "lib/certs.h"
#include "tls/keyring.h"
#include "tls/random.h"
#include "transport/transport.h"

enum { ROUNDS = 2000, UNIT_LEN = 8 };

struct seen {
	int ups;
	int downs;
	int failed;
	int datagrams;
	struct handle conn; /* of the last conn_up */
	struct handle origin;
	uint32_t tag;
	bool is_outgoing;
	bool has_tls;
	bool has_cert;
	char reason[128];
	char text[4096]; /* all stream bytes used up */
	size_t len;
	char dgram[256];
	size_t dgram_len;
	struct dest from;
	bool eats_all; /* else units of UNIT_LEN bytes */
	bool holds;    /* on_data uses nothing up */
	bool refuses;
	bool closes;	      /* in data() */
	bool parts;	      /* conn_up closes what we have connected */
	const char *greeting; /* conn_up says it there; NULL: nothing */
	int turns;	      /* units that begin with T: they take turns */
};

/* What t tells goes into seen. */
extern const struct transport_cb cb;
extern struct loop *loop;
extern struct transport *t;
extern struct seen seen;
extern uint64_t now_ms;
extern struct test_cert *ca;
extern struct test_cert *server_cert;
extern struct test_cert *phone;
extern struct keyring *ring;

/* Fixtures; with TLS there are an authority, two certificates and their keys. */
void set_up(void);
void tear_down(void);
void set_up_tls(void);
void tear_down_tls(void);
/* t with these limits. */
void start(struct transport_limits limits);
const struct transport_stats *stats(void);
/* One round of the loop, waiting at most 10 ms for a descriptor. */
void step(void);

/* Rounds until cond; bounded. */
#define RUN_UNTIL(cond)                                             \
	do {                                                        \
		int left = ROUNDS;                                  \
		while (!(cond) && left-- > 0)                       \
			step();                                     \
		ck_assert_msg((cond), "never happened: %s", #cond); \
	} while (0)

struct addr loopback(uint16_t port);
struct handle listen_on(enum transport_proto proto, struct tls_creds *creds,
			bool is_trusted, struct addr *ret);
/* A stream of the test's own to that address. */
int dial(const struct addr *to);
void say(int fd, const char *text);
/* What has come on fd without waiting; 0 = closed, -1 = nothing. */
long hear(int fd, char *buf, size_t cap);
bool is_closed(int fd);
