#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <time.h>

#include "base/secret.h"
#include "base/writer.h"
#include "tls/cache.h"
#include "tls/creds_internal.h"

/*
 * GnuTLS knows one master key of tickets for a session, from which it derives
 * the key in use by time. Ours are replaced, and tickets of the old one must
 * still be taken: so the key is chosen when the client's hello is here, by the
 * name that its ticket begins with. How that name is derived is an inner matter
 * of GnuTLS (3.6.14 and later); should it change, no name fits, the newest key
 * is used, and old tickets give full handshakes.
 */

enum {
	EXT_TICKET = 35, /* RFC 5077 section 3.2 */
	EXT_PSK = 41,	 /* RFC 8446 section 4.2.11 */
	NAME_LEN = 16,	 /* of a ticket's key */
	PERIODS = 3,	 /* a derived key serves for so many lifetimes */
	LIFETIME_S = 3600
};

struct hello {
	struct slice name; /* of the key of the first ticket; or empty */
};

static int on_extension(void *ctx, unsigned id, const unsigned char *data,
			unsigned size)
{
	struct hello *h = ctx;
	struct slice s = slice_make(data, size);

	/* list length, length of the first identity */
	if (id == EXT_PSK)
		s = size > 4 ? slice_from(s, 4) : SLICE_NULL;
	if ((id == EXT_PSK || id == EXT_TICKET) && s.len >= NAME_LEN)
		h->name = slice_sub(s, 0, NAME_LEN);
	return 0;
}

/* The name of the key derived from master in a period. */
static bool is_name(struct slice name, const uint8_t *master, uint64_t period)
{
	uint8_t in[8 + TLS_TICKET_KEY_LEN];
	uint8_t out[64];
	struct writer w;
	bool is_same;

	writer_init(&w, in, sizeof(in));
	writer_u64be(&w, period);
	writer_bytes(&w, master, TLS_TICKET_KEY_LEN);
	is_same = gnutls_hash_fast(GNUTLS_DIG_SHA3_512, in, w.len, out) == 0 &&
		  slice_eq(name, slice_make(out, NAME_LEN));
	secret_wipe(in, sizeof(in));
	secret_wipe(out, sizeof(out));
	return is_same;
}

static unsigned lifetime(const struct tls_creds *c)
{
	return c->session_s > 0 ? c->session_s : LIFETIME_S;
}

static unsigned choose(const struct tls_creds *c, struct slice name)
{
	uint64_t now = (uint64_t)time(NULL) / (lifetime(c) * PERIODS);

	for (unsigned i = 0; name.len > 0 && i < c->ticket_count; i++)
		if (is_name(name, c->ticket_key[i], now) ||
		    is_name(name, c->ticket_key[i], now - 1))
			return i;
	return 0;
}

/* Before the client's hello is looked at. A second hello (RFC 8446 section
 * 4.1.4) finds the key set already, and GnuTLS refuses another. */
static int on_hello(gnutls_session_t gs, unsigned type, unsigned when,
		    unsigned incoming, const gnutls_datum_t *msg)
{
	const struct tls_creds *c = gnutls_db_get_ptr(gs);
	struct hello h = {.name = SLICE_NULL};
	gnutls_datum_t key = {.size = TLS_TICKET_KEY_LEN};

	(void)type;
	(void)when;
	(void)incoming;
	/* A hello that is broken is refused by GnuTLS itself. */
	(void)gnutls_ext_raw_parse(&h, on_extension, msg,
				   GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
	key.data = (unsigned char *)(uintptr_t)c->ticket_key[choose(c, h.name)];
	(void)gnutls_session_ticket_enable_server(gs, &key);
	return 0;
}

/* ---- sessions by ID ------------------------------------------------------- */

/* Sessions of one policy are nothing for another, as with tickets. */
static struct slice cache_key(const struct tls_creds *c, gnutls_datum_t id,
			      uint8_t buf[TLS_CACHE_KEY_MAX])
{
	struct writer w;

	writer_init(&w, buf, TLS_CACHE_KEY_MAX);
	writer_str(&w, c->policy->name);
	writer_u8(&w, 0);
	writer_bytes(&w, id.data, id.size);
	return writer_slice(&w);
}

static int store(void *ctx, gnutls_datum_t id, gnutls_datum_t data)
{
	const struct tls_creds *c = ctx;
	uint8_t buf[TLS_CACHE_KEY_MAX];

	return tls_cache_put(c->cache, cache_key(c, id, buf),
			     slice_make(data.data, data.size));
}

static gnutls_datum_t retrieve(void *ctx, gnutls_datum_t id)
{
	const struct tls_creds *c = ctx;
	uint8_t buf[TLS_CACHE_KEY_MAX];
	gnutls_datum_t ret = {.data = NULL};
	struct slice data;

	if (tls_cache_get(c->cache, cache_key(c, id, buf), &data) != 0)
		return ret;
	ret.data = gnutls_malloc(data.len);
	if (!ret.data)
		return ret;
	memcpy(ret.data, data.ptr, data.len);
	ret.size = (unsigned)data.len;
	return ret;
}

static int forget(void *ctx, gnutls_datum_t id)
{
	const struct tls_creds *c = ctx;
	uint8_t buf[TLS_CACHE_KEY_MAX];

	tls_cache_del(c->cache, cache_key(c, id, buf));
	return 0;
}

void tls_ticket_enable(gnutls_session_t gs, const struct tls_creds *c)
{
	/* GnuTLS does not change what it hands back to us. */
	void *ctx = (void *)(uintptr_t)c;

	if (c->ticket_count == 0 && !c->cache)
		return;
	gnutls_db_set_cache_expiration(gs, (int)lifetime(c));
	gnutls_db_set_ptr(gs, ctx);
	if (c->ticket_count > 0)
		gnutls_handshake_set_hook_function(
			gs, GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE,
			on_hello);
	if (c->cache) {
		gnutls_db_set_store_function(gs, store);
		gnutls_db_set_retrieve_function(gs, retrieve);
		gnutls_db_set_remove_function(gs, forget);
	}
}
