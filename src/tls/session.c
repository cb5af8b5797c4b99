#include "tls/session.h"

#include <errno.h>
#include <gnutls/x509.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "tls/creds_internal.h"

enum {
	FEED_MAX = 65536,   /* ciphertext not yet digested */
	OUT_MAX = 32 << 20, /* never reached: transport limits earlier */
	RECORD_MAX = 16384, /* plaintext of one record */
	WARNINGS_MAX = 16   /* warning alerts and the like in a row */
};

struct tls_session {
	gnutls_session_t gs;
	struct tls_creds *creds;
	enum tls_side side;
	char *expect_name; /* NULL = any */
	struct buf in;	   /* ciphertext from the peer */
	struct buf out;	   /* ciphertext for the peer */
	bool is_in_end;	   /* the peer will send no more */
	bool is_up;
	enum tls_refusal refusal;
	const char *reason;		  /* static text */
	gnutls_alert_description_t alert; /* for the refusal, when known */
	struct tls_facts facts;
};

const char *tls_refusal_str(enum tls_refusal r)
{
	static const char *const names[TLS_REFUSAL_COUNT] = {
		[TLS_REFUSAL_NONE] = "none",
		[TLS_REFUSAL_PROTOCOL] = "protocol",
		[TLS_REFUSAL_POLICY] = "policy",
		[TLS_REFUSAL_NO_CERT] = "no-certificate",
		[TLS_REFUSAL_UNKNOWN_CA] = "unknown-ca",
		[TLS_REFUSAL_EXPIRED] = "expired",
		[TLS_REFUSAL_NOT_YET] = "not-yet-valid",
		[TLS_REFUSAL_REVOKED] = "revoked",
		[TLS_REFUSAL_CRL_OLD] = "crl-expired",
		[TLS_REFUSAL_PURPOSE] = "purpose",
		[TLS_REFUSAL_WEAK] = "weak",
		[TLS_REFUSAL_CHAIN] = "chain",
		[TLS_REFUSAL_NAME] = "name",
		[TLS_REFUSAL_ALERT] = "alert",
		[TLS_REFUSAL_KEY] = "key",
	};

	return r < TLS_REFUSAL_COUNT && names[r] ? names[r] : "unknown";
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *buf, size_t len)
{
	struct tls_session *s = ptr;
	struct slice in = buf_slice(&s->in);

	if (in.len == 0) {
		if (s->is_in_end)
			return 0;
		gnutls_transport_set_errno(s->gs, EAGAIN);
		return -1;
	}
	if (len > in.len)
		len = in.len;
	memcpy(buf, in.ptr, len);
	buf_drop(&s->in, len);
	return (ssize_t)len;
}

static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	const struct tls_session *s = ptr;

	(void)ms;
	return s->in.len > 0 || s->is_in_end;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *buf, size_t len)
{
	struct tls_session *s = ptr;

	if (buf_add(&s->out, slice_make(buf, len), OUT_MAX) != 0) {
		gnutls_transport_set_errno(s->gs, ENOMEM);
		return -1;
	}
	return (ssize_t)len;
}

/* Nothing to digest, and nothing will come. */
static bool is_starved(const struct tls_session *s)
{
	return s->is_in_end && s->in.len == 0;
}

/*
 * GnuTLS asks for more after each record that completes no message, and once
 * at an end in the middle of a record, whatever else lies there: ask again
 * while that uses something up. before: s->in.len before the call. True when
 * the caller should go on.
 */
static bool is_again(const struct tls_session *s, int rc, size_t before)
{
	return (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED) &&
	       s->in.len > 0 && s->in.len < before;
}

static int configure(struct tls_session *s)
{
	struct tls_creds *c = s->creds;

	if (gnutls_priority_set(s->gs, c->priority) < 0 ||
	    gnutls_credentials_set(s->gs, GNUTLS_CRD_CERTIFICATE, c->cred) < 0)
		return ERR_UNSUPPORTED;
	if (s->side == TLS_SERVER) {
		gnutls_certificate_server_set_request(
			s->gs, c->is_peer_optional ? GNUTLS_CERT_REQUEST
						   : GNUTLS_CERT_REQUIRE);
		/* Names of authorities would not fit old phones' buffers, and
		 * tell strangers whom we trust. */
		gnutls_certificate_send_x509_rdn_sequence(s->gs, 1);
		tls_ticket_enable(s->gs, c);
	} else if (s->expect_name) {
		struct addr a;

		/* RFC 6066 section 3: addresses are not server names. */
		if (addr_parse_ip(slice_str(s->expect_name), &a) != 0 &&
		    gnutls_server_name_set(s->gs, GNUTLS_NAME_DNS,
					   s->expect_name,
					   strlen(s->expect_name)) < 0)
			return ERR_NOMEM;
	}
	gnutls_handshake_set_max_packet_length(s->gs, TLS_CHAIN_BYTES_MAX);
	gnutls_session_set_ptr(s->gs, s);
	gnutls_transport_set_ptr(s->gs, s);
	gnutls_transport_set_pull_function(s->gs, pull);
	gnutls_transport_set_pull_timeout_function(s->gs, pull_timeout);
	gnutls_transport_set_push_function(s->gs, push);
	return 0;
}

int tls_session_new(struct tls_creds *c, enum tls_side side,
		    const char *expect_name, struct tls_session **ret)
{
	struct tls_session *s = alloc_zero(sizeof(*s));
	unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;
	int err = ERR_NOMEM;

	if (!s)
		return ERR_NOMEM;
	s->side = side;
	s->creds = tls_creds_ref(c);
	s->reason = "";
	s->alert = GNUTLS_A_CLOSE_NOTIFY;
	if (expect_name) {
		s->expect_name = alloc_copy(slice_str(expect_name));
		if (!s->expect_name)
			goto out;
	}
	flags |= side == TLS_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT;
	if (side == TLS_SERVER && c->ticket_count == 0)
		flags |= GNUTLS_NO_TICKETS;
	if (gnutls_init(&s->gs, flags) < 0)
		goto out;
	err = configure(s);
	if (err)
		goto out;
	*ret = s;
	return 0;
out:
	(void)tls_session_free(s);
	return err;
}

struct tls_session *tls_session_free(struct tls_session *s)
{
	if (!s)
		return NULL;
	if (s->gs)
		gnutls_deinit(s->gs);
	(void)tls_creds_unref(s->creds);
	(void)alloc_free(s->expect_name);
	buf_done(&s->in);
	buf_done(&s->out);
	return alloc_free(s);
}

int tls_session_feed(struct tls_session *s, struct slice cipher)
{
	return buf_add(&s->in, cipher, FEED_MAX);
}

void tls_session_feed_end(struct tls_session *s)
{
	s->is_in_end = true;
}

struct slice tls_session_out(const struct tls_session *s)
{
	return buf_slice(&s->out);
}

void tls_session_sent(struct tls_session *s, size_t len)
{
	buf_drop(&s->out, len);
}

static int refuse(struct tls_session *s, enum tls_refusal r, const char *why,
		  gnutls_alert_description_t alert)
{
	s->refusal = r;
	s->reason = why;
	s->alert = alert;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* The verdict bits of GnuTLS, the one that helps an operator most first: a
 * revoked or expired certificate is usually also "invalid". */
static int judge(struct tls_session *s, unsigned status)
{
	static const struct {
		unsigned bit;
		enum tls_refusal refusal;
		const char *text;
		gnutls_alert_description_t alert;
	} rows[] = {
		{GNUTLS_CERT_REVOKED, TLS_REFUSAL_REVOKED,
		 "certificate is revoked", GNUTLS_A_CERTIFICATE_REVOKED},
		{GNUTLS_CERT_SIGNER_NOT_FOUND, TLS_REFUSAL_UNKNOWN_CA,
		 "issuer of the certificate is not in the trust store",
		 GNUTLS_A_UNKNOWN_CA},
		{GNUTLS_CERT_EXPIRED, TLS_REFUSAL_EXPIRED,
		 "certificate has expired", GNUTLS_A_CERTIFICATE_EXPIRED},
		{GNUTLS_CERT_NOT_ACTIVATED, TLS_REFUSAL_NOT_YET,
		 "certificate is not valid yet", GNUTLS_A_CERTIFICATE_EXPIRED},
		{GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, TLS_REFUSAL_CRL_OLD,
		 "revocation list of the issuer has expired",
		 GNUTLS_A_CERTIFICATE_UNKNOWN},
		{GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE,
		 TLS_REFUSAL_CRL_OLD,
		 "revocation list of the issuer is from the future",
		 GNUTLS_A_CERTIFICATE_UNKNOWN},
		{GNUTLS_CERT_INSECURE_ALGORITHM, TLS_REFUSAL_WEAK,
		 "certificate chain uses an insecure algorithm or key size",
		 GNUTLS_A_BAD_CERTIFICATE},
		{GNUTLS_CERT_PURPOSE_MISMATCH, TLS_REFUSAL_PURPOSE,
		 "certificate is not meant for this purpose",
		 GNUTLS_A_UNSUPPORTED_CERTIFICATE},
		{GNUTLS_CERT_SIGNER_NOT_CA, TLS_REFUSAL_PURPOSE,
		 "issuer of the certificate is not an authority",
		 GNUTLS_A_BAD_CERTIFICATE},
		{GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, TLS_REFUSAL_CHAIN,
		 "certificate chain breaks its issuer's constraints",
		 GNUTLS_A_BAD_CERTIFICATE},
		{GNUTLS_CERT_UNEXPECTED_OWNER, TLS_REFUSAL_NAME,
		 "certificate does not carry the name we connected to",
		 GNUTLS_A_BAD_CERTIFICATE},
		{GNUTLS_CERT_SIGNATURE_FAILURE, TLS_REFUSAL_CHAIN,
		 "a signature in the certificate chain is wrong",
		 GNUTLS_A_BAD_CERTIFICATE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (status & rows[i].bit)
			return refuse(s, rows[i].refusal, rows[i].text,
				      rows[i].alert);
	return refuse(s, TLS_REFUSAL_CHAIN, "certificate chain is not valid",
		      GNUTLS_A_BAD_CERTIFICATE);
}

/* What the peer's certificate is held against besides the trust store. */
static unsigned expectations(struct tls_session *s, struct addr *ip,
			     gnutls_typed_vdata_st *data)
{
	static char oid_client[] = GNUTLS_KP_TLS_WWW_CLIENT;
	static char oid_server[] = GNUTLS_KP_TLS_WWW_SERVER;
	unsigned n = 0;

	if (s->creds->purpose != TLS_PURPOSE_ANY) {
		/* RFC 5280 section 4.2.1.12: the peer is the other one. */
		char *oid = s->side == TLS_CLIENT ? oid_server : oid_client;

		data[n].type = GNUTLS_DT_KEY_PURPOSE_OID;
		data[n].data = (unsigned char *)oid;
		data[n++].size = (unsigned)strlen(oid);
	}
	if (!s->expect_name)
		return n;
	if (addr_parse_ip(slice_str(s->expect_name), ip) == 0) {
		data[n].type = GNUTLS_DT_IP_ADDRESS;
		data[n].data = ip->ip;
		data[n++].size = ip->family == ADDR_V4 ? 4 : 16;
	} else {
		data[n].type = GNUTLS_DT_DNS_HOSTNAME;
		data[n].data = (unsigned char *)s->expect_name;
		data[n++].size = (unsigned)strlen(s->expect_name);
	}
	return n;
}

static int verify(struct tls_session *s)
{
	gnutls_typed_vdata_st data[2];
	struct addr ip;
	unsigned status = 0;
	unsigned n = 0;
	size_t bytes = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(s->gs, &n);
	int rc;

	if (!chain || n == 0) {
		if (s->side == TLS_SERVER && s->creds->is_peer_optional)
			return 0;
		return refuse(s, TLS_REFUSAL_NO_CERT,
			      "peer has sent no certificate",
			      GNUTLS_A_CERTIFICATE_REQUIRED);
	}
	for (unsigned i = 0; i < n; i++)
		bytes += chain[i].size;
	if (n > TLS_CHAIN_MAX || bytes > TLS_CHAIN_BYTES_MAX)
		return refuse(s, TLS_REFUSAL_CHAIN,
			      "certificate chain is too long",
			      GNUTLS_A_BAD_CERTIFICATE);
	rc = gnutls_certificate_verify_peers(
		s->gs, data, expectations(s, &ip, data), &status);
	if (rc < 0)
		return refuse(s, TLS_REFUSAL_CHAIN,
			      "certificate chain cannot be read",
			      GNUTLS_A_BAD_CERTIFICATE);
	if (status)
		return judge(s, status);
	if (!s->creds->is_crl_lenient &&
	    tls_creds_crl_is_old(s->creds, chain, n))
		return judge(s, GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED);
	return 0;
}

int tls_session_verify_cb(gnutls_session_t gs)
{
	return verify(gnutls_session_get_ptr(gs));
}

/* Why GnuTLS gave up, for those cases that are not about the peer's chain. */
static enum tls_refusal classify(int rc)
{
	switch (rc) {
	case GNUTLS_E_NO_CERTIFICATE_FOUND:
	case GNUTLS_E_CERTIFICATE_REQUIRED:
		return TLS_REFUSAL_NO_CERT;
	case GNUTLS_E_NO_CIPHER_SUITES:
	case GNUTLS_E_UNKNOWN_CIPHER_SUITE:
	case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
	case GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM:
	case GNUTLS_E_NO_COMMON_KEY_SHARE:
	case GNUTLS_E_INSUFFICIENT_CREDENTIALS:
	case GNUTLS_E_INAPPROPRIATE_FALLBACK:
		return TLS_REFUSAL_POLICY;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return TLS_REFUSAL_ALERT;
	case GNUTLS_E_HANDSHAKE_TOO_LARGE:
		return TLS_REFUSAL_CHAIN;
	case GNUTLS_E_PK_SIGN_FAILED:
		return TLS_REFUSAL_KEY;
	default:
		return TLS_REFUSAL_PROTOCOL;
	}
}

static int fail(struct tls_session *s, int rc)
{
	bool is_verdict = s->refusal != TLS_REFUSAL_NONE;

	if (!is_verdict) {
		s->refusal = classify(rc);
		s->reason =
			rc == GNUTLS_E_FATAL_ALERT_RECEIVED
				? gnutls_alert_get_name(gnutls_alert_get(s->gs))
				: gnutls_strerror(rc);
		if (!s->reason)
			s->reason = "unknown alert";
	}
	if (s->refusal == TLS_REFUSAL_NO_CERT)
		s->reason = "peer has sent no certificate";
	if (!is_verdict && is_starved(s))
		return ERR_CLOSED;
	if (is_verdict)
		(void)gnutls_alert_send(s->gs, GNUTLS_AL_FATAL, s->alert);
	else if (s->refusal != TLS_REFUSAL_ALERT)
		(void)gnutls_alert_send_appropriate(s->gs, rc);
	return is_verdict || s->refusal == TLS_REFUSAL_NO_CERT ? ERR_AUTH
							       : ERR_BAD;
}

static void learn(struct tls_session *s)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(s->gs, &n);
	const char *suite = gnutls_ciphersuite_get(s->gs);

	s->facts.version =
		gnutls_protocol_get_name(gnutls_protocol_get_version(s->gs));
	s->facts.suite = suite ? suite : "unknown";
	s->facts.is_null = gnutls_cipher_get(s->gs) == GNUTLS_CIPHER_NULL;
	s->facts.is_resumed = gnutls_session_is_resumed(s->gs) != 0;
	if (chain && n > 0) {
		s->facts.peer_cert = slice_make(chain[0].data, chain[0].size);
		s->facts.has_lsc = tls_creds_has_lsc(s->creds);
		s->facts.is_lsc = tls_creds_is_lsc(s->creds, chain, n);
	}
	s->is_up = true;
}

int tls_session_handshake(struct tls_session *s)
{
	int rc;

	if (s->is_up)
		return 0;
	if (s->refusal != TLS_REFUSAL_NONE)
		return ERR_BAD;
	for (int i = 0; i < WARNINGS_MAX; i++) {
		size_t before;

		do {
			before = s->in.len;
			rc = gnutls_handshake(s->gs);
		} while (is_again(s, rc, before));
		if (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED)
			return is_starved(s) ? ERR_CLOSED : ERR_MORE;
		if (rc == 0) {
			/* A ticket brings back the chain that was verified
			 * then; it may be revoked or expired by now. */
			if (gnutls_session_is_resumed(s->gs) != 0)
				rc = verify(s);
			if (rc != 0)
				return fail(s, rc);
			learn(s);
			return 0;
		}
		if (gnutls_error_is_fatal(rc) || s->refusal)
			return fail(s, rc);
	}
	s->refusal = TLS_REFUSAL_PROTOCOL;
	s->reason = "too many warning alerts";
	return ERR_BAD;
}

int tls_session_read(struct tls_session *s, void *buf, size_t cap,
		     size_t *ret_len)
{
	if (!s->is_up)
		return ERR_STATE;
	for (int i = 0; i < WARNINGS_MAX; i++) {
		size_t before;
		ssize_t n;

		do {
			before = s->in.len;
			n = gnutls_record_recv(s->gs, buf, cap);
		} while (is_again(s, (int)n, before));
		if (n > 0) {
			*ret_len = (size_t)n;
			return 0;
		}
		if (n == 0 || n == GNUTLS_E_PREMATURE_TERMINATION)
			return ERR_CLOSED;
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			return is_starved(s) ? ERR_CLOSED : ERR_MORE;
		if (n == GNUTLS_E_REHANDSHAKE) {
			(void)gnutls_alert_send(s->gs, GNUTLS_AL_FATAL,
						GNUTLS_A_NO_RENEGOTIATION);
			return ERR_BAD;
		}
		if (gnutls_error_is_fatal((int)n)) {
			if (n != GNUTLS_E_FATAL_ALERT_RECEIVED)
				(void)gnutls_alert_send_appropriate(s->gs,
								    (int)n);
			return ERR_BAD;
		}
	}
	return ERR_BAD;
}

int tls_session_write(struct tls_session *s, struct slice plain)
{
	size_t done = 0;

	if (!s->is_up)
		return ERR_STATE;
	while (done < plain.len) {
		struct slice part = slice_sub(plain, done, RECORD_MAX);
		ssize_t n = gnutls_record_send(s->gs, part.ptr, part.len);

		if (n <= 0)
			return n == GNUTLS_E_MEMORY_ERROR ? ERR_NOMEM : ERR_BAD;
		done += (size_t)n;
	}
	return 0;
}

void tls_session_bye(struct tls_session *s)
{
	if (s->is_up)
		(void)gnutls_bye(s->gs, GNUTLS_SHUT_WR);
}

const struct tls_facts *tls_session_facts(const struct tls_session *s)
{
	return s->is_up ? &s->facts : NULL;
}

enum tls_refusal tls_session_refusal(const struct tls_session *s)
{
	return s->refusal;
}

const char *tls_session_reason(const struct tls_session *s)
{
	return s->reason;
}

struct slice tls_session_refused_cert(const struct tls_session *s)
{
	unsigned n = 0;
	const gnutls_datum_t *chain;

	if (s->refusal == TLS_REFUSAL_NONE)
		return SLICE_NULL;
	chain = gnutls_certificate_get_peers(s->gs, &n);
	return chain && n > 0 ? slice_make(chain[0].data, chain[0].size)
			      : SLICE_NULL;
}

const char *tls_cert_subject(struct slice der, char *buf, size_t cap)
{
	gnutls_datum_t d = {.data = (unsigned char *)(uintptr_t)der.ptr,
			    .size = (unsigned)der.len};
	gnutls_x509_crt_t crt = NULL;
	size_t len = cap;

	if (der.len == 0 || gnutls_x509_crt_init(&crt) < 0 ||
	    gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_DER) < 0 ||
	    gnutls_x509_crt_get_dn(crt, buf, &len) < 0)
		buf[0] = '\0';
	if (crt)
		gnutls_x509_crt_deinit(crt);
	return buf;
}
