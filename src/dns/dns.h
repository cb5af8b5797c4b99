/*
 * Where a SIP server is, by its name (RFC 3263 section 4): NAPTR for the name
 * of its SRV records, SRV for hosts and ports, A or AAAA for addresses; a name
 * with a port is an address only. Names are watched: looked up anew when what
 * was learned has lived its time, and the last good answer stays for as long
 * as no better one comes. Nothing here waits: c-ares' sockets are the loop's.
 * The servers' addresses are read from resolv.conf once, before the sandbox.
 * One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "loop/loop.h"

struct dns;

enum {
	DNS_WATCHES_MAX = 256,
	DNS_PLACES_MAX = 16,  /* addresses of one name */
	DNS_TTL_MIN_S = 5,    /* nothing is asked more often */
	DNS_TTL_MAX_S = 3600, /* nothing is believed for longer */
	DNS_RETRY_S = 10      /* after a failure */
};

enum dns_transport { DNS_UDP, DNS_TCP, DNS_TLS };

/* An address of a name. */
struct dns_place {
	struct addr addr;  /* with its port */
	uint16_t priority; /* SRV's: the lowest first; 0 without SRV */
	uint16_t weight;   /* SRV's */
};

struct dns_watch {
	const char *host; /* copied */
	enum dns_transport transport;
	uint16_t port;		 /* 0: SRV tells */
	enum addr_family family; /* ADDR_V4: A records; ADDR_V6: AAAA */
};

struct dns_params {
	struct loop *loop;   /* outlives dns */
	const char *servers; /* "127.0.0.1:5353,..." instead of resolv.conf's;
				NULL: those */
	uint32_t timeout_ms; /* of the first try; 0 = 2000 */
	/* The places of watch number id have changed; the first answer too.
	 * n is never 0. Called from the loop. */
	void (*changed)(void *ctx, uint32_t id, const struct dns_place *place,
			uint32_t n);
	/* Looking up watch id failed; why: static. What was known stays. */
	void (*failed)(void *ctx, uint32_t id, const char *why);
	void *ctx; /* for both */
};

/* Ready to look up: reads resolv.conf. ERR_NOMEM, ERR_IO. */
MUST_CHECK int dns_new(const struct dns_params *p, struct dns **ret);
/* Forget everything; takes NULL, returns NULL. */
struct dns *dns_free(struct dns *d);
/* Watch a name from now on; its number is *ret_id. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int dns_watch(struct dns *d, const struct dns_watch *w,
			 uint32_t *ret_id);
/* Say the last good answer of id again, if there is one: changed is called
 * before this returns. */
void dns_repeat(struct dns *d, uint32_t id);
/* Watch no more: nothing is said of id from now on, and the number may be given
 * to another name. */
void dns_unwatch(struct dns *d, uint32_t id);
/*
 * The least time to live (seconds) of the answers in a DNS message (RFC 1035
 * section 4.1). ERR_BAD when it is none or ends inside of a record,
 * ERR_NOTFOUND without answers. O(bytes).
 */
MUST_CHECK int dns_ttl(struct slice bytes, uint32_t *ret_s);
