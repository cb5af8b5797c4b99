#include "daemon/reports_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rows.h"
#include "base/text.h"
#include "daemon/wire.h"
#include "pki/cert.h"
#include "sip/uri.h"

enum { SCCP_POS = 1 << 30 /* positions of Skinny phones: from here on */ };

void piece_send(struct piece *p, bool is_last)
{
	char *text = json_dumps(p->rows, JSON_COMPACT);

	if (text)
		p->emit(p->ctx, slice_str(text), is_last);
	free(text);
	(void)json_array_clear(p->rows);
	p->len = 2;
}

void piece_begin(struct piece *p, reports_emit_fn emit, void *ctx)
{
	*p = (struct piece){
		.emit = emit, .ctx = ctx, .rows = json_array(), .len = 2};
}

void piece_add(struct piece *p, json_t *row)
{
	char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) + 1 : 0;

	free(text);
	if (len == 0 || len > DWIRE_ROWS_MAX - 2) {
		json_decref(row); /* no memory: the table has a hole */
		return;
	}
	if (p->len + len > DWIRE_ROWS_MAX)
		piece_send(p, false);
	p->len += len;
	(void)json_array_append_new(p->rows, row);
}

void piece_end(struct piece *p)
{
	piece_send(p, true);
	json_decref(p->rows);
}

void reports_put(json_t *obj, const char *name, uint64_t v)
{
	(void)json_object_set_new(obj, name, json_integer((json_int_t)v));
}

/* Six bits of worker, 26 of generation, 21 of index: no two live calls share
 * an index. */
uint64_t reports_call_id(const struct worker *w, uint64_t cookie)
{
	return (uint64_t)worker_number(w) << 47 |
	       (cookie >> 32 & 0x3ffffff) << 21 | (cookie & 0x1fffff);
}

static void put_transport(json_t *obj, const struct transport_stats *t)
{
	json_t *refused = json_object();

	reports_put(obj, "connections", t->conns);
	reports_put(obj, "handshakes-pending", t->pending);
	reports_put(obj, "accepted", t->accepted);
	reports_put(obj, "tls-handshakes", t->tls_up);
	reports_put(obj, "tls-resumed", t->tls_resumed);
	reports_put(obj, "tls-integrity-only", t->tls_null);
	for (int i = 1; i < TLS_REFUSAL_COUNT; i++)
		if (t->tls_refused[i] > 0)
			reports_put(refused,
				    tls_refusal_str((enum tls_refusal)i),
				    t->tls_refused[i]);
	(void)json_object_set_new(obj, "tls-refused", refused);
	reports_put(obj, "connections-refused",
		    t->refused_total + t->refused_source +
			    t->refused_pending_source);
	reports_put(obj, "accept-waits", t->accept_waits);
	reports_put(obj, "timeouts",
		    t->timeout_handshake + t->timeout_first + t->timeout_rest +
			    t->timeout_idle);
}

/* One row for each place of a call manager. */
static json_t *call_managers(struct worker *w)
{
	json_t *rows = json_array();
	struct core_info info;
	uint32_t pos = 0;

	while (core_next(worker_calls(w), &pos, &info)) {
		json_t *row = json_object();
		char addr[ADDR_STR_MAX];
		enum transport_proto proto = info.dest.is_tls ? TRANSPORT_TLS
					     : info.dest.is_reliable
						     ? TRANSPORT_TCP
						     : TRANSPORT_UDP;

		(void)json_object_set_new(
			row, "name",
			json_stringn((const char *)info.name.ptr,
				     info.name.len));
		(void)json_object_set_new(
			row, "address",
			json_string(addr_str(&info.dest.peer, addr)));
		(void)json_object_set_new(
			row, "transport",
			json_string(transport_proto_str(proto)));
		reports_put(row, "priority", info.priority);
		(void)json_object_set_new(row, "state",
					  json_string(!info.is_up ? "down"
						      : info.is_settled
							      ? "up"
							      : "held"));
		reports_put(row, "failures", info.failures);
		(void)json_array_append_new(rows, row);
	}
	return rows;
}

static void put_sccp(json_t *obj, const struct calls *c)
{
	uint32_t phones;
	uint32_t registered;
	const struct sccp_counts *n = sccp_counts(c, &phones, &registered);
	json_t *by = json_object();

	reports_put(by, "connections", phones);
	reports_put(by, "registered", registered);
	reports_put(by, "from-phones", n->from_phone);
	reports_put(by, "from-call-managers", n->from_core);
	reports_put(by, "unknown", n->unknown);
	reports_put(by, "dropped", n->dropped);
	reports_put(by, "malformed", n->malformed);
	reports_put(by, "wrong-direction", n->direction);
	reports_put(by, "unregistered", n->state);
	reports_put(by, "wrong-name", n->name);
	reports_put(by, "call-rate", n->flood);
	reports_put(by, "keys", n->keys);
	reports_put(by, "fallbacks", n->fallbacks);
	reports_put(by, "barges-refused", n->barges);
	(void)json_object_set_new(obj, "sccp", by);
}

static void put_early(json_t *obj, const struct calls *c)
{
	const struct early_counts *n = calls_early(c);
	json_t *by = json_object();

	reports_put(by, "forks", n->forks);
	reports_put(by, "forks-ended", n->forks_ended);
	reports_put(by, "forks-refused", n->forks_refused);
	reports_put(by, "reliable", n->reliable);
	reports_put(by, "reliable-repeated", n->reliable_again);
	reports_put(by, "reliable-failed", n->reliable_failed);
	(void)json_object_set_new(obj, "early-dialogs", by);
}

static void put_refusals(json_t *obj, const uint64_t *n)
{
	json_t *by = json_object();

	for (int i = 1; i < CONN_REFUSAL_COUNT; i++)
		reports_put(by, worker_refusal_str((enum conn_refusal)i), n[i]);
	(void)json_object_set_new(obj, "connections-refused-by", by);
}

/* Our own and trusted certificates that end within the days of the
 * configuration; the trusted ones of a directory count once. */
static uint64_t count_expiring(const struct worker *w)
{
	const struct config *cfg = worker_config(w);
	int64_t until = (int64_t)loop_wall_s() +
			(int64_t)cfg->expiry_warning_days * 24 * 3600;
	uint64_t n = 0;

	for (uint32_t i = 0; i < cfg->listener_count; i++) {
		const struct tls_creds *c = worker_creds(w, i);
		struct cert *cert = NULL;
		struct slice der;
		int64_t ocsp_s;

		for (unsigned k = 0; c && k < tls_creds_identity_count(c);
		     k++) {
			if (tls_creds_identity_at(c, k, &der, &ocsp_s) != 0 ||
			    cert_parse(der, &cert) != 0)
				continue;
			n += cert->not_after_s < until;
			cert = cert_free(cert);
		}
		n += c && tls_creds_trust_count(c) > 0 &&
		     tls_creds_trust_expiry(c) < until;
	}
	return n;
}

/* What is held back for want of IPsec. */
static void put_shield(json_t *row, const struct worker *w)
{
	struct shield_stats s;
	json_t *obj = json_object();

	worker_shield_stats(w, &s);
	reports_put(obj, "addresses", worker_number(w) == 0 ? s.held : 0);
	reports_put(obj, "messages-in", s.in);
	reports_put(obj, "messages-out", s.out);
	(void)json_object_set_new(row, "held-back-for-ipsec", obj);
}

void reports_status(struct worker *w, reports_emit_fn emit, void *ctx)
{
	const uint64_t *stops = pipeline_stops(worker_pipeline(w));
	json_t *row = json_object();
	json_t *refused = json_object();
	uint32_t calls;
	uint32_t bindings;
	uint32_t txns;
	uint32_t subs;
	uint64_t subs_refused;
	bool has_media;
	bool has_store;
	bool has_keys;
	struct piece p;

	calls_counts(worker_calls(w), &calls, &bindings, &txns);
	calls_subs(worker_calls(w), &subs, &subs_refused);
	worker_links(w, &has_media, &has_store, &has_keys);
	reports_put(row, "worker", worker_number(w));
	reports_put(row, "calls", calls);
	reports_put(row, "registrations", bindings);
	reports_put(row, "transactions", txns);
	reports_put(row, "subscriptions", subs);
	put_shield(row, w);
	reports_put(row, "messages", pipeline_messages(worker_pipeline(w)));
	for (int i = 1; i < STOP_COUNT; i++)
		reports_put(refused, pipeline_stop_str((enum pipeline_stop)i),
			    stops[i]);
	reports_put(refused, "subscription-limit", subs_refused);
	(void)json_object_set_new(row, "refused", refused);
	put_refusals(row, worker_refusals(w));
	put_early(row, worker_calls(w));
	put_sccp(row, worker_calls(w));
	/* All workers have the same; the monitor adds up. */
	reports_put(row, "certificates-expiring",
		    worker_number(w) == 0 ? count_expiring(w) : 0);
	(void)json_object_set_new(row, "call-managers", call_managers(w));
	reports_strangers_status(w, row);
	put_transport(row, worker_transport(w));
	(void)json_object_set_new(row, "media", json_boolean(has_media));
	(void)json_object_set_new(row, "store", json_boolean(has_store));
	(void)json_object_set_new(row, "keys", json_boolean(has_keys));
	piece_begin(&p, emit, ctx);
	piece_add(&p, row);
	piece_end(&p);
}

static const char *level_str(enum sig_level sig)
{
	return call_security_str(sig == SIG_ENCRYPTED	    ? CALL_ENCRYPTED
				 : sig == SIG_AUTHENTICATED ? CALL_AUTHENTICATED
							    : CALL_NONSECURE);
}

/* User part of a SIP URI in text; empty when it is none. */
static struct slice user_of(struct slice uri)
{
	struct sip_uri u;

	return sip_uri_parse(uri, &u) == 0 ? u.user : SLICE_NULL;
}

static bool is_device(const struct reports_filter *f, struct slice device)
{
	return f->device.len == 0 || text_ieq(f->device, device);
}

static json_t *registration(struct worker *w, uint64_t now_ms,
			    const struct binding_info *b)
{
	enum transport_proto proto;
	char peer[ADDR_STR_MAX];
	const char *subject = worker_subject(w, &b->dest, &proto);
	struct row_registration r = {
		.worker = worker_number(w),
		.device = b->device,
		.aor = b->aor,
		.contact = b->contact,
		.peer = slice_str(addr_str(&b->dest.peer, peer)),
		.transport = transport_proto_str(proto),
		.security = level_str(b->sig),
		.certificate = slice_str(subject),
		.expires_s = b->expires_ms > now_ms
				     ? (b->expires_ms - now_ms) / 1000
				     : 0,
	};

	return row_registration(&r);
}

/* A Skinny phone registers by its name, and no line. */
static json_t *sccp_registration(struct worker *w, const struct sccp_info *i)
{
	enum transport_proto proto;
	char peer[ADDR_STR_MAX];
	char text[64];
	const char *subject = worker_subject(w, &i->dest, &proto);
	struct row_registration r = {
		.worker = worker_number(w),
		.device = i->device,
		.aor = i->manager,
		.peer = slice_str(addr_str(&i->dest.peer, peer)),
		.transport = i->dest.is_tls ? "sccps" : "sccp",
		.security = level_str(i->sig),
		.certificate = slice_str(subject),
	};

	(void)snprintf(text, sizeof(text), "sccp:%s:version=%u:model=%u",
		       i->state, i->version, i->model);
	r.contact = slice_str(text);
	return row_registration(&r);
}

/* The walk goes on over Skinny phones, at positions of their own. */
static bool sccp_registrations(struct worker *w, const struct reports_filter *f,
			       uint32_t *pos, struct piece *p)
{
	uint32_t at = *pos & ~(uint32_t)SCCP_POS;
	struct sccp_info i;
	uint32_t n = 0;
	bool is_more = true;

	while (n < REPORTS_ROWS &&
	       (is_more = sccp_next(worker_calls(w), &at, &i))) {
		n++;
		if (i.device.len > 0 && !i.is_kept && is_device(f, i.device) &&
		    f->line.len == 0)
			piece_add(p, sccp_registration(w, &i));
	}
	*pos = at | SCCP_POS;
	return is_more;
}

bool reports_registrations(struct worker *w, uint64_t now_ms,
			   const struct reports_filter *f, uint32_t *pos,
			   reports_emit_fn emit, void *ctx)
{
	struct binding_info b;
	struct piece p;
	uint32_t n = 0;
	bool is_more = true;

	piece_begin(&p, emit, ctx);
	while (!(*pos & SCCP_POS) && n < REPORTS_ROWS &&
	       (is_more = bindings_next(worker_calls(w), pos, &b))) {
		struct slice user;

		text_cut(b.aor, '@', &user, NULL);
		n++; /* also a row that is left out takes time */
		if (is_device(f, b.device) &&
		    (f->line.len == 0 || slice_eq(f->line, user)))
			piece_add(&p, registration(w, now_ms, &b));
	}
	if (!is_more)
		*pos = SCCP_POS;
	if (*pos & SCCP_POS)
		is_more = sccp_registrations(w, f, pos, &p);
	piece_send(&p, !is_more);
	json_decref(p.rows);
	return is_more;
}

bool reports_call_wanted(const struct reports_filter *f,
			 const struct call_info *c)
{
	return is_device(f, c->device) &&
	       (f->line.len == 0 || slice_eq(f->line, user_of(c->caller)) ||
		slice_eq(f->line, user_of(c->callee)));
}

void reports_call(struct worker *w, uint64_t now_ms, const struct call_info *c,
		  const struct flow_stats *in, const struct flow_stats *out,
		  json_t *ret_rows)
{
	struct row_call r = {
		.worker = worker_number(w),
		.id = reports_call_id(w, c->id),
		.device = c->device,
		.from = c->caller,
		.to = c->callee,
		.state = c->state,
		.security = call_security_str(c->security),
		.suite = suite_info(c->suite)->name,
		.is_end_to_end = c->is_end_to_end,
		.media = in->id == 0 ? "-"
				     : flow_backend_str(
					       (enum flow_backend)in->backend),
		.codec = c->codec,
		.duration_s = c->answer_ms && now_ms > c->answer_ms
				      ? (now_ms - c->answer_ms) / 1000
				      : 0,
		.packets_out_in = in->rtp_packets,
		.packets_in_out = out->rtp_packets,
		.srtp_errors = in->auth_fail + in->replay,
	};

	(void)json_array_append_new(ret_rows, row_call(&r));
}

/* ---- certificates ---------------------------------------------------------- */

/* What is left of a response of the authority, for people. */
static const char *ocsp_str(int64_t until_s, int64_t now_s)
{
	if (until_s == 0)
		return "-";
	return until_s > now_s ? "fresh" : "out of date";
}

static void add_own(struct piece *p, const char *listener,
		    const struct tls_creds *c, unsigned i, int64_t now_s)
{
	struct cert *cert = NULL;
	const char *names[CERT_DNS_MAX];
	struct slice der;
	int64_t ocsp_s = 0;

	if (tls_creds_identity_at(c, i, &der, &ocsp_s) != 0 ||
	    cert_parse(der, &cert) != 0)
		return;
	for (size_t k = 0; k < cert->dns_count; k++)
		names[k] = cert->dns[k];
	piece_add(p, row_cert(&(struct row_cert){
			     .listener = listener,
			     .use = "own",
			     .subject = slice_str(cert->subject),
			     .issuer = slice_str(cert->issuer),
			     .names = names,
			     .names_count = cert->dns_count,
			     .key = cert->key,
			     .ocsp = ocsp_str(ocsp_s, now_s),
			     .expires_s = cert->not_after_s,
			     .left_s = cert->not_after_s - now_s}));
	(void)cert_free(cert);
}

static void add_trust(struct piece *p, const struct config_listener *l,
		      const struct tls_creds *c, int64_t now_s)
{
	int64_t first = tls_creds_trust_expiry(c);

	piece_add(p, row_cert(&(struct row_cert){
			     .listener = l->name,
			     .use = "trust",
			     .subject = slice_str(l->trust),
			     .key = "-",
			     .ocsp = "-",
			     .certificates = tls_creds_trust_count(c),
			     .lists = tls_creds_crl_count(c),
			     .old_lists = tls_creds_crl_old_count(c, now_s),
			     .expires_s = first,
			     .left_s = first - now_s}));
}

void reports_certs(struct worker *w, int64_t now_s, reports_emit_fn emit,
		   void *ctx)
{
	const struct config *cfg = worker_config(w);
	struct piece p;

	piece_begin(&p, emit, ctx);
	for (uint32_t i = 0; i < cfg->listener_count; i++) {
		const struct config_listener *l = &cfg->listener[i];
		const struct tls_creds *c = worker_creds(w, i);

		for (unsigned k = 0; c && k < tls_creds_identity_count(c); k++)
			add_own(&p, l->name, c, k, now_s);
		if (c)
			add_trust(&p, l, c, now_s);
	}
	piece_end(&p);
}
