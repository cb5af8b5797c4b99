#include "proxy/realm.h"

#include "authn/digest.h"
#include "base/alloc.h"
#include "base/handle.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/text.h"
#include "base/writer.h"
#include "sip/hdr.h"
#include "sip/msg.h"

enum { CNONCE_LEN = 16 };

static const char nc[] = "00000001"; /* each nonce is used once */

/* A challenge that is being answered. */
struct ask {
	uint64_t id; /* the call machine's */
	struct handle ticket;
	uint8_t *text; /* request and response, owned: all views are of it */
	struct slice method;
	struct slice uri;
	struct sip_cred challenge;
	enum digest_alg alg;
	bool has_qop;
	bool is_proxy;
	char cnonce[CNONCE_LEN];
};

struct realms {
	struct realm_cb cb;
	struct entropy entropy;
	struct slots asks;
	struct sip_msg request; /* scratch */
	struct sip_msg response;
};

struct realms *realms_new(const struct realm_cb *cb, const struct entropy *e)
{
	struct realms *r = alloc_zero(sizeof(*r));

	if (!r)
		return NULL;
	r->cb = *cb;
	r->entropy = *e;
	slots_init(&r->asks, REALM_ASKS_MAX);
	return r;
}

static void ask_free(struct realms *r, struct ask *a)
{
	slots_del(&r->asks, a->ticket);
	alloc_free(a->text);
	alloc_free(a);
}

struct realms *realms_free(struct realms *r)
{
	struct ask *a;
	uint32_t i = 0;

	if (!r)
		return NULL;
	while ((a = slots_next(&r->asks, &i)))
		ask_free(r, a);
	slots_done(&r->asks);
	return alloc_free(r);
}

static struct ask *ask_find(struct realms *r, uint64_t ticket)
{
	return slots_find(&r->asks,
			  (struct handle){.index = (uint32_t)ticket,
					  .gen = (uint32_t)(ticket >> 32)});
}

static void done(struct realms *r, struct ask *a, struct slice lines,
		 const char *why)
{
	r->cb.done(r->cb.ctx, a->id, lines, why, a->challenge.realm);
	ask_free(r, a);
}

/* ---- which challenge --------------------------------------------------------- */

static bool has_word(struct slice list, const char *word)
{
	struct slice item;

	while (text_next(&list, ',', &item))
		if (text_ieqs(item, word))
			return true;
	return false;
}

/* The parameter stale=true of a challenge. */
static bool is_stale(struct slice value)
{
	struct slice item;

	/* "Digest realm=...": the first item has the scheme before it, and is
	 * its own after that. */
	text_cut(value, ' ', NULL, &value);
	while (text_next(&value, ',', &item)) {
		struct slice name;
		struct slice v;

		text_cut(item, '=', &name, &v);
		if (!text_ieqs(text_trim(name), "stale"))
			continue;
		v = text_trim(v);
		return text_ieqs(v, "true") || text_ieqs(v, "\"true\"");
	}
	return false;
}

/* Did the request carry credentials of this realm already? */
static bool was_answered(const struct sip_msg *request, struct slice realm)
{
	struct sip_cred c;

	for (size_t i = 0; i < request->hdr_count; i++)
		if ((request->hdr[i].id == SIP_HDR_AUTHORIZATION ||
		     request->hdr[i].id == SIP_HDR_PROXY_AUTHORIZATION) &&
		    sip_cred_parse(request->hdr[i].value, &c) == 0 &&
		    slice_eq(c.realm, realm))
			return true;
	return false;
}

/* Take this challenge when it is better than what a holds: RFC 8760 leaves
 * the choice to us, and the strongest algorithm is the best. */
static void consider(struct ask *a, const struct sip_hdr *h, bool *has_any)
{
	struct sip_cred c;
	enum digest_alg alg;

	if (sip_cred_parse(h->value, &c) != 0 || c.realm.len == 0 ||
	    c.nonce.len == 0 || digest_alg_find(c.algorithm, &alg) != 0 ||
	    (c.qop.len > 0 && !has_word(c.qop, "auth")) ||
	    (*has_any && alg <= a->alg))
		return;
	a->challenge = c;
	a->alg = alg;
	a->has_qop = c.qop.len > 0;
	a->is_proxy = h->id == SIP_HDR_PROXY_AUTHENTICATE;
	*has_any = true;
}

/* NULL: a holds the challenge to answer; else why there is none. */
static const char *choose(struct realms *r, struct ask *a)
{
	bool has_any = false;
	bool is_old = false;

	for (size_t i = 0; i < r->response.hdr_count; i++) {
		const struct sip_hdr *h = &r->response.hdr[i];

		if (h->id != SIP_HDR_WWW_AUTHENTICATE &&
		    h->id != SIP_HDR_PROXY_AUTHENTICATE)
			continue;
		consider(a, h, &has_any);
		is_old |= is_stale(h->value);
	}
	if (!has_any)
		return "no challenge that can be answered";
	if (was_answered(&r->request, a->challenge.realm) && !is_old)
		return "the call manager refused the credentials";
	return NULL;
}

/* Both messages into one block that a owns. ERR_BAD, ERR_NOMEM. */
static int take(struct realms *r, struct ask *a, struct slice blobs)
{
	struct reader rd;
	struct slice q;
	struct slice p;

	reader_init(&rd, blobs);
	q = reader_blob(&rd);
	p = reader_blob(&rd);
	if (!reader_end(&rd))
		return ERR_BAD;
	a->text = alloc_zero(q.len + p.len + 1);
	if (!a->text)
		return ERR_NOMEM;
	memcpy(a->text, q.ptr, q.len);
	memcpy(a->text + q.len, p.ptr, p.len);
	if (sip_msg_parse(a->text, q.len, &r->request, NULL) != 0 ||
	    sip_msg_parse(a->text + q.len, p.len, &r->response, NULL) != 0)
		return ERR_BAD;
	a->method = r->request.method_name;
	a->uri = r->request.ruri;
	return 0;
}

void realms_ask(struct realms *r, uint64_t id, struct slice blobs)
{
	struct ask *a = alloc_zero(sizeof(*a));
	const char *why = "out of memory";

	if (!a || slots_add(&r->asks, a, &a->ticket) != 0) {
		alloc_free(a);
		r->cb.done(r->cb.ctx, id, SLICE_NULL,
			   "too many challenges at once", SLICE_NULL);
		return;
	}
	a->id = id;
	if (take(r, a, blobs) == 0) {
		why = choose(r, a);
		if (!why && r->cb.credential(r->cb.ctx, handle_u64(a->ticket),
					     a->challenge.realm) == 0)
			return;
		if (!why)
			why = "the store process is not there";
	}
	done(r, a, SLICE_NULL, why);
}

/* ---- the answer ----------------------------------------------------------------- */

void realms_credential(struct realms *r, uint64_t ticket, int err,
		       struct slice blob)
{
	struct ask *a = ask_find(r, ticket);
	uint8_t raw[CNONCE_LEN / 2];
	struct keys_check c;
	struct writer w;

	if (!a)
		return;
	if (err) {
		done(r, a, SLICE_NULL,
		     err == ERR_NOTFOUND ? NULL : "the store cannot be read");
		return;
	}
	entropy_fill(&r->entropy, raw, sizeof(raw));
	writer_init(&w, a->cnonce, sizeof(a->cnonce));
	hex_encode(&w, slice_make(raw, sizeof(raw)));
	c = (struct keys_check){.blob = blob,
				.realm = a->challenge.realm,
				.alg = (uint8_t)a->alg,
				.method = a->method,
				.uri = a->uri,
				.nonce = a->challenge.nonce};
	if (a->has_qop) {
		c.qop = slice_str("auth");
		c.nc = slice_str(nc);
		c.cnonce = slice_make(a->cnonce, CNONCE_LEN);
	}
	if (r->cb.answer(r->cb.ctx, ticket, &c) != 0)
		done(r, a, SLICE_NULL, "the keys process is not there");
}

static void put_quoted(struct writer *w, const char *name, struct slice value)
{
	writer_str(w, name);
	writer_str(w, "=\"");
	writer_put(w, value);
	writer_str(w, "\"");
}

static void print_line(struct writer *w, const struct ask *a, struct slice user,
		       struct slice response)
{
	writer_str(w, a->is_proxy ? "Proxy-Authorization: Digest "
				  : "Authorization: Digest ");
	put_quoted(w, "username", user);
	put_quoted(w, ", realm", a->challenge.realm);
	put_quoted(w, ", nonce", a->challenge.nonce);
	put_quoted(w, ", uri", a->uri);
	put_quoted(w, ", response", response);
	writer_str(w, ", algorithm=");
	writer_str(w, digest_alg_name(a->alg));
	if (a->challenge.opaque.len > 0)
		put_quoted(w, ", opaque", a->challenge.opaque);
	if (a->has_qop) {
		writer_str(w, ", qop=auth, nc=");
		writer_str(w, nc);
		put_quoted(w, ", cnonce", slice_make(a->cnonce, CNONCE_LEN));
	}
	writer_str(w, "\r\n");
}

void realms_answered(struct realms *r, uint64_t ticket, int err,
		     struct slice data)
{
	struct ask *a = ask_find(r, ticket);
	uint8_t line[REALM_LINE_MAX];
	struct slice user;
	struct slice response;
	struct reader rd;
	struct writer w;

	if (!a)
		return;
	reader_init(&rd, data);
	user = reader_blob(&rd);
	response = reader_blob(&rd);
	writer_init(&w, line, sizeof(line));
	print_line(&w, a, user, response);
	if (err || !reader_end(&rd) || !writer_ok(&w))
		done(r, a, SLICE_NULL, "the stored credentials cannot be used");
	else
		done(r, a, writer_slice(&w), NULL);
}
