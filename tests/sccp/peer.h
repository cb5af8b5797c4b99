/* What the SCCP test peers share besides the wire: time, errors, sockets. */
#pragma once

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* --- util.c ------------------------------------------------------------- */
/* Print like printf to stderr and exit(1). */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Monotonic time. */
uint64_t now_ms(void);
uint64_t now_us(void);
/* Print like printf to stdout, one line with the seconds since the start, and
 * flush it: scripts wait for such lines. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Read hex digits; the number of bytes, 0 when it is no hex or too long. */
size_t hex_bytes(const char *text, uint8_t *ret, size_t cap);
/* Print them; ret has room for 2 * len + 1. */
const char *hex_text(const uint8_t *b, size_t len, char *ret);
/* Read "address:port", or end the program. */
struct sockaddr_in address_of(const char *text);
/* A number that repeats itself: FNV-1a of a text. */
uint32_t hash_of(const char *text);
/* See that this many descriptors may be open, or end the program. */
void files_wanted(unsigned n);

/* --- link.c ------------------------------------------------------------- */
/* Bytes come and go; the owner of fd watches it. One thread. */
enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_HANDSHAKE, LINK_UP };

struct link {
	enum link_state state;
	int fd;
	gnutls_session_t tls; /* NULL: plain TCP */
	uint8_t *in;	      /* kept only while a message is incomplete */
	size_t in_len;
	uint8_t *out; /* what the socket did not take yet */
	size_t out_len;
	const char *why; /* it went down */
};

/* What a link says to its owner. */
enum link_event {
	LINK_MORE, /* nothing (more) to do now */
	LINK_OPEN, /* it came up */
	LINK_PDU,  /* a message is in *ret_pdu */
	LINK_CLOSED
};

/* Connect to server, from local unless NULL; with TLS if cred is not NULL.
 * priority: GnuTLS priority string, NULL = default. ticket: a session to offer,
 * NULL = none. */
struct link_params {
	struct sockaddr_in server;
	const struct sockaddr_in *local;
	gnutls_certificate_credentials_t cred;
	const char *priority;
	const gnutls_datum_t *ticket;
};
void link_connect(struct link *l, const struct link_params *p);
/* Take over an accepted plain connection. */
void link_accept(struct link *l, int fd);
/* Epoll events the link wants now. */
uint32_t link_wants(const struct link *l);
/* Call until LINK_MORE or LINK_CLOSED whenever fd is ready. */
enum link_event link_step(struct link *l, struct pdu *ret_pdu);
/* Send; false when the link is not up or its queue is full. */
bool link_send(struct link *l, const uint8_t *b, size_t len);
void link_close(struct link *l);
/* The address the link has here. */
struct in_addr link_address(const struct link *l);

/* --- media.c ------------------------------------------------------------ */
enum {
	MASTER_LEN = 30,  /* key and salt of AES-CM-128 */
	MEDIA_FRAME = 160 /* bytes of 20 ms of G.711 */
};

/* Keys of one direction; algorithm 0 is RTP. */
struct media_key {
	uint32_t algorithm; /* 1 HMAC-SHA1-32, 2 HMAC-SHA1-80 */
	uint8_t master[MASTER_LEN];
};

/* One audio stream of an endpoint: a socket, what it sends and what it hears. */
struct media;

struct media_count {
	unsigned long sent, received;
	unsigned long refused; /* no RTP, or not by our key */
	uint32_t ssrc;	       /* of the last one received */
	uint8_t payload[4];    /* its beginning */
};

/* Once, before all else here; 0 on success. */
int srtp_begin(void);
/* A socket at address (any port). name: what it says, by hash. */
struct media *media_new(struct in_addr address, const char *name);
struct media *media_free(struct media *m);
int media_fd(const struct media *m);
/* Its address and port. */
struct sockaddr_in media_address(const struct media *m);
/* Hear under key from now on; false when the key is not usable. */
bool media_receive(struct media *m, const struct media_key *key);
void media_receive_stop(struct media *m);
/* Send to there under key from now on. */
bool media_send(struct media *m, struct sockaddr_in to,
		const struct media_key *key);
void media_send_stop(struct media *m);
bool media_is_sending(const struct media *m);
/* Send what is due at now_ms; call every 20 ms. */
void media_tick(struct media *m, uint64_t now_ms);
/* Take what has arrived. */
void media_readable(struct media *m);
/* The last payload it heard, MEDIA_FRAME bytes; false when there was none. */
bool media_heard(const struct media *m, uint8_t *ret);
/* Send this payload now, MEDIA_FRAME bytes. */
void media_say(struct media *m, const uint8_t *frame);
struct media_count media_count(const struct media *m);
