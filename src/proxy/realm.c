#include "proxy/realm.h"

#include "authn/digest.h"
#include "authn/nonce.h"
#include "base/alloc.h"
#include "base/handle.h"
#include "base/hex.h"
#include "base/list.h"
#include "base/reader.h"
#include "base/table.h"
#include "base/text.h"
#include "base/writer.h"
#include "sip/hdr.h"
#include "sip/msg.h"

enum {
	CNONCE_LEN = 16,
	WANTS_MAX = 4 /* realms of one request */
};

/* One realm that credentials are to be sent for. */
struct want {
	struct sip_cred challenge; /* or what answered one, see again() */
	enum digest_alg alg;
	const char *qop; /* "auth", "auth-int", or "" */
	uint32_t nc;
	bool is_proxy;
	bool is_challenged; /* by this response */
	char cnonce[CNONCE_LEN];
};

/* What a peer told for the next request, as a challenge that was not made:
 * "Digest realm=..., nonce=...". */
struct told {
	struct table_node node; /* in realms.tolds, by peer */
	struct list node_used;	/* in realms.used, the longest unused first */
	uint8_t *key;		/* owned */
	char *text;		/* owned */
	uint64_t turn;		/* of realms.turns, when it was used last */
	uint32_t nc;		/* of the last use; 0: none yet */
	bool is_proxy;
	bool is_registrar; /* a REGISTER was shown, and others shall not be:
			      they go on to whom they are for */
};

/* A request whose challenges are being answered. */
struct ask {
	uint64_t id; /* the call machine's */
	struct handle ticket;
	struct dest peer;
	uint8_t *text;	 /* request and response, owned: all views are of it */
	bool is_asked;	 /* there is a response */
	bool is_ahead;	 /* credentials of the request were not asked for */
	bool is_at_keys; /* the store has answered */
	char *next[WANTS_MAX]; /* owned copies of told.text that want views */
	struct slice method;
	struct slice uri;
	struct slice body;
	struct want want[WANTS_MAX];
	uint32_t count;
	uint32_t at;	     /* the one being answered */
	const char *failure; /* of one of them */
	uint8_t lines[REALM_LINE_MAX];
	size_t lines_len;
};

struct realms {
	struct realm_cb cb;
	struct entropy entropy;
	struct slots asks;
	struct table tolds;
	struct list used;
	uint64_t turns;
	struct sip_msg request; /* scratch */
	struct sip_msg response;
};

struct realms *realms_new(const struct realm_cb *cb, const struct entropy *e,
			  uint64_t seed)
{
	struct realms *r = alloc_zero(sizeof(*r));

	if (!r)
		return NULL;
	r->cb = *cb;
	r->entropy = *e;
	slots_init(&r->asks, REALM_ASKS_MAX);
	table_init(&r->tolds, REALM_NONCES_MAX, seed);
	list_init(&r->used);
	return r;
}

static struct told *told_free(struct realms *r, struct told *x)
{
	table_del(&r->tolds, &x->node);
	list_del(&x->node_used);
	alloc_free(x->key);
	alloc_free(x->text);
	return alloc_free(x);
}

static void ask_free(struct realms *r, struct ask *a)
{
	slots_del(&r->asks, a->ticket);
	alloc_free(a->text);
	for (size_t i = 0; i < WANTS_MAX; i++)
		alloc_free(a->next[i]);
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
	while (!list_empty(&r->used))
		told_free(r, LIST_ENTRY(r->used.next, struct told, node_used));
	table_done(&r->tolds);
	return alloc_free(r);
}

/* Eight hexadecimal digits (RFC 7616 section 3.4); views buf. */
static struct slice print_nc(uint32_t n, char buf[8])
{
	static const char digit[] = "0123456789abcdef";

	for (int i = 0; i < 8; i++)
		buf[i] = digit[n >> (28 - 4 * i) & 15];
	return slice_make(buf, 8);
}

static struct ask *ask_find(struct realms *r, uint64_t ticket)
{
	return slots_find(&r->asks,
			  (struct handle){.index = (uint32_t)ticket,
					  .gen = (uint32_t)(ticket >> 32)});
}

static void done(struct realms *r, struct ask *a, const char *why)
{
	struct slice realm =
		a->at < a->count ? a->want[a->at].challenge.realm : SLICE_NULL;

	r->cb.done(r->cb.ctx, a->id,
		   why ? SLICE_NULL : slice_make(a->lines, a->lines_len), why,
		   realm);
	ask_free(r, a);
}

/* Both messages into one block that a owns; the response may be empty: that is
 * not read then. ERR_BAD, ERR_NOMEM. */
static int take(struct realms *r, struct ask *a, struct slice bytes)
{
	struct reader rd;
	struct slice q;
	struct slice p;

	reader_init(&rd, bytes);
	a->is_ahead = reader_u8(&rd) != 0;
	q = reader_blob(&rd);
	p = reader_blob(&rd);
	if (!reader_end(&rd))
		return ERR_BAD;
	a->text = alloc_zero(q.len + p.len + 1);
	if (!a->text)
		return ERR_NOMEM;
	memcpy(a->text, q.ptr, q.len);
	if (p.len > 0)
		memcpy(a->text + q.len, p.ptr, p.len);
	a->is_asked = p.len > 0;
	if (sip_msg_parse(a->text, q.len, &r->request, NULL) != 0 ||
	    (a->is_asked &&
	     sip_msg_parse(a->text + q.len, p.len, &r->response, NULL) != 0))
		return ERR_BAD;
	a->method = r->request.method_name;
	a->uri = r->request.ruri;
	a->body = sip_msg_entity(&r->request);
	return 0;
}

size_t realms_nonces(const struct realms *r)
{
	return r->tolds.count;
}

/* ---- nonces to be used next --------------------------------------------------- */

enum { KEY_MAX = ADDR_STR_MAX + 8, NEXT_MAX = 2048 };

static struct slice peer_key(const struct dest *peer, char buf[KEY_MAX])
{
	char addr[ADDR_STR_MAX];
	struct writer w;

	writer_init(&w, buf, KEY_MAX);
	writer_str(&w, addr_str(&peer->peer, addr));
	writer_str(&w, peer->is_tls ? " tls" : "");
	return writer_slice(&w);
}

/* The first of this peer's, the others by next_other. */
static struct told *told_of(const struct realms *r, const struct dest *peer)
{
	char buf[KEY_MAX];

	return TABLE_ENTRY(table_find(&r->tolds, peer_key(peer, buf)),
			   struct told, node);
}

static struct told *told_other(const struct told *x)
{
	return TABLE_ENTRY(table_find_next(&x->node), struct told, node);
}

/* Does x belong to requests like m? A proxy is the same for all. */
static bool is_for(const struct told *x, const struct sip_msg *m)
{
	return x->is_proxy ||
	       x->is_registrar == (m->method == SIP_METHOD_REGISTER);
}

/* What this peer has told for requests like the one in r->request. */
static struct told *told_find(const struct realms *r, const struct dest *peer,
			      bool is_proxy, struct slice realm)
{
	struct told *x = told_of(r, peer);
	struct sip_cred c;

	for (; x; x = told_other(x))
		if (x->is_proxy == is_proxy && is_for(x, &r->request) &&
		    sip_cred_parse(slice_str(x->text), &c) == 0 &&
		    slice_eq(c.realm, realm))
			return x;
	return NULL;
}

static void put_quoted(struct writer *w, const char *name, struct slice value)
{
	writer_str(w, name);
	writer_str(w, "=\"");
	writer_put(w, value);
	writer_str(w, "\"");
}

/* A place for one more of this peer's, which keeps text. */
static struct told *told_new(struct realms *r, const struct dest *peer,
			     char *text)
{
	struct told *x = alloc_zero(sizeof(*x));
	struct told *old = told_of(r, peer);
	char buf[KEY_MAX];
	struct slice key = peer_key(peer, buf);
	size_t count = 0;

	if (!x)
		return NULL;
	list_init(&x->node_used);
	for (struct told *o = old; o; o = told_other(o)) {
		if (o->turn < old->turn)
			old = o;
		count++;
	}
	/* Whoever names ever other realms makes room for himself. */
	if (count == WANTS_MAX)
		told_free(r, old);
	else if (r->tolds.count == r->tolds.limit)
		told_free(r, LIST_ENTRY(r->used.next, struct told, node_used));
	x->key = alloc_copy(key);
	if (!x->key ||
	    table_add(&r->tolds, &x->node, slice_make(x->key, key.len)) != 0) {
		alloc_free(x->key);
		return alloc_free(x);
	}
	list_append(&r->used, &x->node_used);
	x->turn = ++r->turns;
	x->text = text;
	return x;
}

/* The peer wants to see this nonce where it was shown c. */
static void told_set(struct realms *r, const struct dest *peer, bool is_proxy,
		     const struct sip_cred *c, struct slice nonce)
{
	char text[NEXT_MAX];
	struct told *x = told_find(r, peer, is_proxy, c->realm);
	struct writer w;
	char *copy;

	writer_init(&w, text, sizeof(text) - 1);
	writer_str(&w, "Digest ");
	put_quoted(&w, "realm", c->realm);
	put_quoted(&w, ", nonce", nonce);
	if (c->opaque.len > 0)
		put_quoted(&w, ", opaque", c->opaque);
	if (c->algorithm.len > 0)
		put_quoted(&w, ", algorithm", c->algorithm);
	if (c->qop.len > 0)
		put_quoted(&w, ", qop", c->qop);
	copy = writer_ok(&w) ? alloc_copy(writer_slice(&w)) : NULL;
	if (x) /* counts no more */
		told_free(r, x);
	x = copy ? told_new(r, peer, copy) : NULL;
	if (x) {
		x->is_proxy = is_proxy;
		x->is_registrar = r->request.method == SIP_METHOD_REGISTER;
	} else {
		alloc_free(copy);
	}
}

static bool is_cred(const struct sip_hdr *h, bool is_proxy)
{
	return h->id ==
	       (is_proxy ? SIP_HDR_PROXY_AUTHORIZATION : SIP_HDR_AUTHORIZATION);
}

/* The parameter nextnonce of a header. */
static struct slice next_nonce(struct slice value)
{
	struct slice item;

	while (text_next(&value, ',', &item)) {
		struct slice name;
		struct slice v;

		text_cut(item, '=', &name, &v);
		v = text_trim(v);
		if (text_ieqs(text_trim(name), "nextnonce") && v.len > 2 &&
		    v.ptr[0] == '"' && v.ptr[v.len - 1] == '"')
			return slice_sub(v, 1, v.len - 2);
	}
	return SLICE_NULL;
}

/* The credentials of this kind that the request carried, or else of the other:
 * some proxies answer with the header of servers. False: none, or several, of
 * which nobody can say whose nonce is told. */
static bool shown(const struct sip_msg *request, bool is_proxy,
		  struct sip_cred *ret, bool *ret_proxy)
{
	for (int turn = 0; turn < 2; turn++, is_proxy = !is_proxy) {
		size_t count = 0;

		for (size_t i = 0; i < request->hdr_count; i++)
			if (is_cred(&request->hdr[i], is_proxy)) {
				if (sip_cred_parse(request->hdr[i].value,
						   ret) != 0)
					return false;
				count++;
			}
		*ret_proxy = is_proxy;
		if (count > 0)
			return count == 1;
	}
	return false;
}

/* The nonces of the response, each to the credentials it follows. */
static void keep_told(struct realms *r, const struct dest *peer)
{
	for (size_t i = 0; i < r->response.hdr_count; i++) {
		const struct sip_hdr *h = &r->response.hdr[i];
		bool is_proxy = text_ieqs(h->name, "Proxy-Authentication-Info");
		struct sip_cred c;
		struct slice nonce;

		if (!is_proxy && !text_ieqs(h->name, "Authentication-Info"))
			continue;
		nonce = next_nonce(h->value);
		if (nonce.len > 0 &&
		    shown(&r->request, is_proxy, &c, &is_proxy))
			told_set(r, peer, is_proxy, &c, nonce);
	}
}

void realms_info(struct realms *r, const struct dest *peer, struct slice bytes)
{
	struct ask *a = alloc_zero(sizeof(*a));

	if (!a)
		return;
	if (take(r, a, bytes) == 0 && a->is_asked)
		keep_told(r, peer);
	alloc_free(a->text);
	alloc_free(a);
}

/* ---- which challenges -------------------------------------------------------- */

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

/* Did the request carry credentials for this realm and kind already? */
static bool was_answered(const struct sip_msg *request, const struct want *w)
{
	struct sip_cred c;

	for (size_t i = 0; i < request->hdr_count; i++)
		if (is_cred(&request->hdr[i], w->is_proxy) &&
		    sip_cred_parse(request->hdr[i].value, &c) == 0 &&
		    slice_eq(c.realm, w->challenge.realm))
			return true;
	return false;
}

/* What we can do of the protection a challenge offers; NULL: nothing. Without
 * the body is what every proxy on the way leaves alone. */
static const char *qop_of(struct slice offered)
{
	if (offered.len == 0)
		return "";
	if (has_word(offered, "auth"))
		return "auth";
	return has_word(offered, "auth-int") ? "auth-int" : NULL;
}

static struct want *want_of(struct ask *a, struct slice realm, bool is_proxy)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->want[i].is_proxy == is_proxy &&
		    slice_eq(a->want[i].challenge.realm, realm))
			return &a->want[i];
	return NULL;
}

/* Take this challenge when it is the first of its realm, or better than that:
 * RFC 8760 leaves the choice to us, and the strongest algorithm is best. */
static void consider(struct ask *a, const struct sip_hdr *h)
{
	bool is_proxy = h->id == SIP_HDR_PROXY_AUTHENTICATE;
	enum digest_alg alg;
	const char *qop;
	struct sip_cred c;
	struct want *w;

	if (sip_cred_parse(h->value, &c) != 0 || c.realm.len == 0 ||
	    c.nonce.len == 0 || digest_alg_find(c.algorithm, &alg) != 0)
		return;
	qop = qop_of(c.qop);
	w = want_of(a, c.realm, is_proxy);
	if (!qop || (w && alg <= w->alg) || (!w && a->count == WANTS_MAX))
		return;
	if (!w)
		w = &a->want[a->count++];
	*w = (struct want){.challenge = c,
			   .alg = alg,
			   .qop = qop,
			   .nc = 1,
			   .is_proxy = is_proxy,
			   .is_challenged = true};
}

/* The request carried credentials that were not challenged now: who asked for
 * them on the way will ask again, unless they come with the next count. */
static void again(struct realms *r, struct ask *a, const struct sip_hdr *h)
{
	bool is_proxy = h->id == SIP_HDR_PROXY_AUTHORIZATION;
	struct told *x;
	enum digest_alg alg;
	const char *qop;
	struct sip_cred c;
	uint32_t nc = 0;

	if (sip_cred_parse(h->value, &c) != 0 || c.nonce.len == 0 ||
	    want_of(a, c.realm, is_proxy) || a->count == WANTS_MAX ||
	    digest_alg_find(c.algorithm, &alg) != 0)
		return;
	qop = qop_of(c.qop);
	if (!qop ||
	    (qop[0] && (nonce_count_parse(c.nc, &nc) != 0 || nc == UINT32_MAX)))
		return;
	a->want[a->count++] = (struct want){.challenge = c,
					    .alg = alg,
					    .qop = qop,
					    .nc = nc + 1,
					    .is_proxy = is_proxy};
	/* A nonce of which others may have used that count. */
	x = told_find(r, &a->peer, is_proxy, c.realm);
	if (x && x->nc > nc)
		a->want[a->count - 1].nc = ++x->nc;
}

/* NULL: a holds what to answer; else why there is nothing. */
static const char *choose(struct realms *r, struct ask *a)
{
	const struct sip_msg *p = &r->response;

	for (size_t i = 0; i < p->hdr_count; i++)
		if (p->hdr[i].id == SIP_HDR_WWW_AUTHENTICATE ||
		    p->hdr[i].id == SIP_HDR_PROXY_AUTHENTICATE)
			consider(a, &p->hdr[i]);
	if (a->count == 0)
		return "no challenge that can be answered";
	/* Refused, and not for the age of the nonce. */
	for (size_t i = 0; i < p->hdr_count; i++) {
		struct sip_cred c;
		struct want *w;

		if ((p->hdr[i].id != SIP_HDR_WWW_AUTHENTICATE &&
		     p->hdr[i].id != SIP_HDR_PROXY_AUTHENTICATE) ||
		    sip_cred_parse(p->hdr[i].value, &c) != 0)
			continue;
		w = want_of(a, c.realm,
			    p->hdr[i].id == SIP_HDR_PROXY_AUTHENTICATE);
		if (w && is_stale(p->hdr[i].value))
			w->challenge.response = slice_str("stale");
	}
	for (uint32_t i = 0; i < a->count; i++) {
		struct told *x = told_find(r, &a->peer, a->want[i].is_proxy,
					   a->want[i].challenge.realm);

		a->at = i;
		/* The nonce that it told is none that it takes; that this
		 * happened says nothing about the password. */
		if (x)
			told_free(r, x);
		if (!a->is_ahead && was_answered(&r->request, &a->want[i]) &&
		    !slice_eqs(a->want[i].challenge.response, "stale"))
			return "the credentials were refused";
	}
	a->at = 0;
	for (size_t i = 0; i < r->request.hdr_count; i++)
		if (is_cred(&r->request.hdr[i], false) ||
		    is_cred(&r->request.hdr[i], true))
			again(r, a, &r->request.hdr[i]);
	return NULL;
}

/* Use x for a. What cannot be read was not told well: it is forgotten. */
static void use_told(struct realms *r, struct ask *a, struct told *x)
{
	struct want *w = &a->want[a->count];
	char *text = alloc_copy(slice_str(x->text));
	const char *qop = NULL;
	enum digest_alg alg;
	struct sip_cred c;

	if (text && sip_cred_parse(slice_str(text), &c) == 0 &&
	    digest_alg_find(c.algorithm, &alg) == 0)
		qop = qop_of(c.qop);
	if (!qop || x->nc == UINT32_MAX) {
		alloc_free(text);
		told_free(r, x);
		return;
	}
	a->next[a->count] = text;
	*w = (struct want){.challenge = c,
			   .alg = alg,
			   .qop = qop,
			   .nc = ++x->nc,
			   .is_proxy = x->is_proxy};
	a->count++;
	list_del(&x->node_used);
	list_append(&r->used, &x->node_used);
	x->turn = ++r->turns;
	if (!qop[0]) /* good for one request */
		told_free(r, x);
}

/* The request is to be sent: what has its peer told? */
static void choose_told(struct realms *r, struct ask *a)
{
	struct told *x = told_of(r, &a->peer);

	while (x && a->count < WANTS_MAX) {
		struct told *other = told_other(x);

		if (is_for(x, &r->request))
			use_told(r, a, x);
		x = other;
	}
}

/* Go on with the next realm, or end. */
static void next(struct realms *r, struct ask *a)
{
	a->is_at_keys = false;
	while (a->at < a->count) {
		if (r->cb.credential(r->cb.ctx, handle_u64(a->ticket),
				     a->want[a->at].challenge.realm) == 0)
			return;
		a->failure = "the store process is not there";
		a->at++;
	}
	/* One of several may do: who is not satisfied asks again. */
	done(r, a, a->lines_len > 0 ? NULL : a->failure);
}

void realms_ask(struct realms *r, uint64_t id, const struct dest *peer,
		struct slice bytes)
{
	struct ask *a = alloc_zero(sizeof(*a));
	const char *why = "out of memory";
	int err;

	if (!a || slots_add(&r->asks, a, &a->ticket) != 0) {
		alloc_free(a);
		r->cb.done(r->cb.ctx, id, SLICE_NULL,
			   "too many challenges at once", SLICE_NULL);
		return;
	}
	a->id = id;
	a->peer = *peer;
	err = take(r, a, bytes);
	if (!err && a->is_asked) {
		why = choose(r, a);
	} else if (!err) {
		why = NULL;
		choose_told(r, a);
	}
	if (why)
		done(r, a, why);
	else
		next(r, a);
}

/* ---- the answer ----------------------------------------------------------------- */

static void fill_check(struct realms *r, struct ask *a, struct slice blob,
		       char nc[8], struct digest_hex *hash,
		       struct keys_check *ret)
{
	struct want *w = &a->want[a->at];
	uint8_t raw[CNONCE_LEN / 2];
	struct writer wr;

	*ret = (struct keys_check){.blob = blob,
				   .realm = w->challenge.realm,
				   .alg = (uint8_t)w->alg,
				   .method = a->method,
				   .uri = a->uri,
				   .nonce = w->challenge.nonce};
	if (!w->qop[0])
		return;
	entropy_fill(&r->entropy, raw, sizeof(raw));
	writer_init(&wr, w->cnonce, sizeof(w->cnonce));
	hex_encode(&wr, slice_make(raw, sizeof(raw)));
	ret->qop = slice_str(w->qop);
	ret->cnonce = slice_make(w->cnonce, CNONCE_LEN);
	ret->nc = print_nc(w->nc, nc);
	if (strcmp(w->qop, "auth-int") != 0)
		return;
	digest_hash(w->alg, a->body, hash);
	ret->body_hash = digest_hex_slice(hash);
}

void realms_credential(struct realms *r, uint64_t ticket, int err,
		       struct slice blob)
{
	struct ask *a = ask_find(r, ticket);
	struct digest_hex hash;
	struct keys_check c;
	char nc[8];

	if (!a)
		return;
	if (!err) {
		fill_check(r, a, blob, nc, &hash, &c);
		a->is_at_keys = true;
		if (r->cb.answer(r->cb.ctx, ticket, &c) == 0)
			return;
		a->failure = "the keys process is not there";
	} else if (err != ERR_NOTFOUND) {
		a->failure = "the store cannot be read";
	}
	a->at++;
	next(r, a);
}

void realms_lost(struct realms *r)
{
	struct ask *a;
	uint32_t i = 0;

	while ((a = slots_next(&r->asks, &i))) {
		if (a->is_at_keys)
			continue;
		/* No store can be asked for the others either. */
		a->failure = "the store process is not there";
		a->at = a->count;
		next(r, a);
	}
}

static void print_line(struct writer *w, const struct ask *a, struct slice user,
		       struct slice response)
{
	const struct want *x = &a->want[a->at];
	char nc[8];

	writer_str(w, x->is_proxy ? "Proxy-Authorization: Digest "
				  : "Authorization: Digest ");
	put_quoted(w, "username", user);
	put_quoted(w, ", realm", x->challenge.realm);
	put_quoted(w, ", nonce", x->challenge.nonce);
	put_quoted(w, ", uri", a->uri);
	put_quoted(w, ", response", response);
	writer_str(w, ", algorithm=");
	writer_str(w, digest_alg_name(x->alg));
	if (x->challenge.opaque.len > 0)
		put_quoted(w, ", opaque", x->challenge.opaque);
	if (x->qop[0]) {
		writer_str(w, ", qop=");
		writer_str(w, x->qop);
		writer_str(w, ", nc=");
		writer_put(w, print_nc(x->nc, nc));
		put_quoted(w, ", cnonce", slice_make(x->cnonce, CNONCE_LEN));
	}
	writer_str(w, "\r\n");
}

void realms_answered(struct realms *r, uint64_t ticket, int err,
		     struct slice data)
{
	struct ask *a = ask_find(r, ticket);
	struct slice user;
	struct slice response;
	struct reader rd;
	struct writer w;

	if (!a)
		return;
	reader_init(&rd, data);
	user = reader_blob(&rd);
	response = reader_blob(&rd);
	writer_init(&w, a->lines + a->lines_len,
		    sizeof(a->lines) - a->lines_len);
	print_line(&w, a, user, response);
	if (err || !reader_end(&rd) || !writer_ok(&w))
		a->failure = "the stored credentials cannot be used";
	else
		a->lines_len += w.len;
	a->at++;
	next(r, a);
}
