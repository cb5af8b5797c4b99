/*
 * One TLS connection over memory: ciphertext is fed in and taken out by the
 * caller, no file descriptor, no clock but the wall clock of certificate
 * validity. The peer's chain is verified during the handshake (also when a
 * session is resumed); nothing is up before that. No renegotiation. One
 * thread per session. RFC 5246, RFC 8446.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"
#include "tls/creds.h"

enum tls_side { TLS_SERVER, TLS_CLIENT };

/* Why a session was refused; the name is the metric's label. */
enum tls_refusal {
	TLS_REFUSAL_NONE,
	TLS_REFUSAL_PROTOCOL,	/* not TLS, broken or forbidden TLS */
	TLS_REFUSAL_POLICY,	/* no version or suite in common */
	TLS_REFUSAL_NO_CERT,	/* peer sent no certificate */
	TLS_REFUSAL_UNKNOWN_CA, /* issuer not in the trust store */
	TLS_REFUSAL_EXPIRED,	/* certificate not valid any more */
	TLS_REFUSAL_NOT_YET,	/* certificate not valid yet */
	TLS_REFUSAL_REVOKED,	/* in a revocation list */
	TLS_REFUSAL_CRL_OLD,	/* the revocation list itself has expired */
	TLS_REFUSAL_PURPOSE,	/* extended key usage, or not a CA */
	TLS_REFUSAL_WEAK,	/* insecure algorithm or short key */
	TLS_REFUSAL_CHAIN,	/* too long, too big, bad signature */
	TLS_REFUSAL_NAME,	/* not the name we connected to */
	TLS_REFUSAL_ALERT,	/* peer refused us */
	TLS_REFUSAL_KEY,	/* our signer failed */
	TLS_REFUSAL_COUNT
};

/* Known once the handshake is done; valid while the session is. */
struct tls_facts {
	const char *version; /* "TLS1.3" */
	const char *suite;   /* "TLS_AES_256_GCM_SHA384"; in session memory */
	bool is_null;	     /* integrity only: nothing is encrypted */
	bool is_resumed;     /* by ticket or session ID */
	bool has_lsc;	     /* the trust store tells LSCs from others */
	bool is_lsc;	     /* the peer's is a locally significant one */
	struct slice peer_cert; /* DER, empty when optional and absent */
};

struct tls_session;

/*
 * New session; keeps a reference to c. expect_name (NUL-terminated, may be
 * NULL: any name; client side only): the host or address that the server's
 * certificate must carry; copied. ERR_NOMEM, ERR_UNSUPPORTED.
 */
MUST_CHECK int tls_session_new(struct tls_creds *c, enum tls_side side,
			       const char *expect_name,
			       struct tls_session **ret);
/* Wipe and free s (may be NULL); returns NULL. Says nothing to the peer. */
struct tls_session *tls_session_free(struct tls_session *s);
/* Hand over ciphertext from the peer (copied). ERR_LIMIT when more than
 * 64 KB wait undigested, ERR_NOMEM. */
MUST_CHECK int tls_session_feed(struct tls_session *s, struct slice cipher);
/* Tell s that the peer has closed its direction. */
void tls_session_feed_end(struct tls_session *s);
/* Ciphertext waiting for the peer; valid until the next call on s. */
struct slice tls_session_out(const struct tls_session *s);
/* Drop the first len bytes of tls_session_out: they were sent. */
void tls_session_sent(struct tls_session *s, size_t len);
/*
 * Go on with the handshake as far as the fed bytes allow. 0 when done,
 * ERR_MORE when ciphertext must come or go first, ERR_AUTH when the peer's
 * certificate was refused, ERR_BAD otherwise, ERR_CLOSED when the peer closed.
 * After a refusal an alert waits in tls_session_out, and tls_session_refusal
 * and tls_session_reason tell why.
 */
MUST_CHECK int tls_session_handshake(struct tls_session *s);
/*
 * Plaintext into buf (cap > 0), after the handshake. 0 and *ret_len > 0;
 * ERR_MORE when ciphertext must be fed first; ERR_CLOSED after the peer's
 * close_notify or end; ERR_BAD on a broken record or an attempt to renegotiate.
 */
MUST_CHECK int tls_session_read(struct tls_session *s, void *buf, size_t cap,
				size_t *ret_len);
/* Encrypt all of plain into tls_session_out. ERR_STATE before the handshake
 * is done, ERR_NOMEM, ERR_BAD. */
MUST_CHECK int tls_session_write(struct tls_session *s, struct slice plain);
/* Put a close_notify into tls_session_out; no write may follow. */
void tls_session_bye(struct tls_session *s);
/* Facts after the handshake, NULL before. Lifetime: the session. */
const struct tls_facts *tls_session_facts(const struct tls_session *s);
/* Why the handshake was refused; TLS_REFUSAL_NONE when it was not. */
enum tls_refusal tls_session_refusal(const struct tls_session *s);
/* The same in words, static text; "" when nothing was refused. Never
 * contains bytes of the peer. */
const char *tls_session_reason(const struct tls_session *s);
/* DER of the certificate that was refused, or empty: for the log line. */
struct slice tls_session_refused_cert(const struct tls_session *s);
/* Subject of a certificate (DER) as RFC 4514 text in buf of cap bytes, "" when
 * it cannot be read. Untrusted text: quote it in logs. Returns buf. */
const char *tls_cert_subject(struct slice der, char *buf, size_t cap);
/* Short name of a refusal ("expired"): log key and metric label. */
const char *tls_refusal_str(enum tls_refusal r);
