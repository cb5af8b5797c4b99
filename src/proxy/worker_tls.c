#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "log/log.h"
#include "pki/cert.h"
#include "proxy/worker_int.h"
#include "tls/creds.h"

enum {
	CACHE_COUNT = 4096,	    /* sessions of peers without tickets */
	CACHE_BYTES = 16 << 20,	    /* of these */
	LOOK_MS = 600 * 1000,	    /* ticket keys are asked for */
	WARN_MS = 24 * 3600 * 1000, /* dates are looked at */
	DAY_S = 24 * 3600
};

/* ---- files --------------------------------------------------------------- */

int worker_tls_files(const struct config *c, struct tls_files **ret,
		     char *reterr)
{
	struct config_identity id;
	struct tls_files *f = NULL;
	int err = tls_files_new(&f);

	(void)snprintf(reterr, WORKER_ERR_MAX, "%s", err_str(ERR_NOMEM));
	for (uint32_t i = 0; !err && config_identity_at(c, i, &id); i++) {
		err = tls_files_read(f, id.certificate, reterr);
		if (!err && id.ocsp[0])
			err = tls_files_read(f, id.ocsp, reterr);
		if (!err && id.owner)
			err = tls_files_read_dir(f, id.owner->trust, reterr);
	}
	for (uint32_t i = 0; !err && i < c->call_manager_count; i++)
		if (c->call_manager[i].address.transport == CONFIG_TLS)
			err = tls_files_read_dir(f, c->call_manager[i].trust,
						 reterr);
	for (uint32_t i = 0; !err && i < c->sccp_manager_count; i++)
		if (c->sccp_manager[i].has_tls)
			err = tls_files_read_dir(f, c->sccp_manager[i].trust,
						 reterr);
	if (err)
		(void)tls_files_free(f);
	else
		*ret = f;
	return err;
}

static int find(const struct tls_files *f, const char *path, struct slice *ret,
		char *reterr)
{
	int err = tls_files_find(f, path, ret);

	if (err)
		(void)snprintf(reterr, WORKER_ERR_MAX, "%s: not read", path);
	return err;
}

/* ---- credentials ---------------------------------------------------------- */

/* The keys process may still have a key for those who use it; whose file is
 * configured no more must not be begun with. */
static int check_key(struct worker *w, const struct config_identity *id,
		     struct slice chain, char *reterr)
{
	uint8_t name[SIGNER_KEY_ID_MAX];
	uint8_t der[KEYS_ANSWER_MAX];
	struct writer dw;
	int err = tls_chain_key_name(chain, name);

	writer_init(&dw, der, sizeof(der));
	if (!err)
		err = keys_client_pubkey(w->keys,
					 slice_make(name, sizeof(name)), &dw);
	if (err)
		(void)snprintf(reterr, WORKER_ERR_MAX,
			       "%s: %s is not its private key: %s",
			       id->certificate, id->key, err_str(err));
	return err;
}

int worker_tls_identity(struct worker *w, struct tls_creds *c,
			const struct config_identity *id,
			const struct tls_files *f, char *reterr)
{
	struct slice bytes;
	int err = find(f, id->certificate, &bytes, reterr);

	if (!err)
		err = check_key(w, id, bytes, reterr);
	if (!err)
		err = tls_creds_identity(c, id->certificate, bytes,
					 keys_client_signer(w->keys),
					 SLICE_NULL, reterr);
	if (err || !id->ocsp[0])
		return err;
	err = find(f, id->ocsp, &bytes, reterr);
	return err ? err : tls_creds_ocsp(c, id->ocsp, bytes, reterr);
}

/* For a name of the other one's; a certificate without names is for all. */
static bool share_name(const struct cert *a, const struct cert *b)
{
	for (size_t i = 0; i < a->dns_count; i++)
		if (cert_names(b, slice_str(a->dns[i])))
			return true;
	return a->dns_count == 0 || b->dns_count == 0;
}

/*
 * GnuTLS shows the first certificate that fits, and a signature with ECDSA
 * costs a fraction of one with RSA: an ECDSA certificate beside the listener's
 * own, for the same names, goes first.
 */
static bool goes_first(const struct config_identity *id,
		       const struct config_listener *l,
		       const struct tls_files *f)
{
	struct cert *own = NULL;
	struct cert *cert = NULL;
	struct slice bytes;
	bool is_first;

	is_first = !id->owner &&
		   tls_files_find(f, l->certificate, &bytes) == 0 &&
		   tls_chain_leaf(bytes, &own) == 0 &&
		   tls_files_find(f, id->certificate, &bytes) == 0 &&
		   tls_chain_leaf(bytes, &cert) == 0 &&
		   strncmp(cert->key, "EC", 2) == 0 && share_name(cert, own);
	(void)cert_free(own);
	(void)cert_free(cert);
	return is_first;
}

static int fill(struct worker *w, const struct config *cfg,
		const struct config_listener *l, const struct tls_files *f,
		struct tls_creds *c, char *reterr)
{
	struct config_identity id;
	int err = 0;

	for (int pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; !err && config_identity_at(cfg, i, &id);
		     i++)
			if (config_identity_serves(&id, l) &&
			    goes_first(&id, l, f) == (pass == 0))
				err = worker_tls_identity(w, c, &id, f, reterr);
	return err ? err : tls_creds_trust_files(c, f, l->trust, reterr);
}

int worker_tls_creds(struct worker *w, const struct config *cfg,
		     const struct config_listener *l, const struct tls_files *f,
		     struct tls_creds **ret, char *reterr)
{
	uint8_t ticket[TLS_TICKET_KEYS_MAX * TLS_TICKET_KEY_LEN];
	struct tls_creds_params p = {
		.policy = tls_policy_find(slice_str(l->tls_policy)),
		.purpose =
			l->check_purpose ? TLS_PURPOSE_SIDE : TLS_PURPOSE_ANY,
		.is_peer_optional = l->is_peer_optional,
		.session_s = cfg->session_lifetime_min * 60,
		.cache = w->tls.cache,
		.is_crl_lenient = l->crl_expired == CONFIG_CRL_WARN,
	};
	struct tls_creds *c = NULL;
	struct writer tw;
	int err = p.policy ? 0 : ERR_NOTFOUND;

	writer_init(&tw, ticket, sizeof(ticket));
	(void)snprintf(reterr, WORKER_ERR_MAX,
		       "no answer from the keys process");
	if (!err && p.session_s > 0)
		err = keys_client_ticket(w->keys, &tw);
	p.ticket_key = writer_slice(&tw);
	if (!err)
		err = tls_creds_new(&p, &c);
	secret_wipe(ticket, sizeof(ticket));
	if (!err)
		err = fill(w, cfg, l, f, c, reterr);
	if (err) {
		tls_creds_unref(c);
		return err;
	}
	if (tls_creds_trust_count(c) == 0)
		log_warn("listener \"%s\": no certificate in %s: nobody can "
			 "connect",
			 l->name, l->trust);
	*ret = c;
	return 0;
}

/* ---- what time changes ----------------------------------------------------- */

static void warn_date(const struct worker *w, const char *listener,
		      const char *what, int64_t at_s)
{
	int64_t left = (at_s - (int64_t)time(NULL)) / DAY_S;
	char quoted[LOG_QUOTE_MAX];

	if (at_s == 0 || left >= (int64_t)w->config->expiry_warning_days)
		return;
	log_quote(slice_str(what), quoted);
	if (at_s < (int64_t)time(NULL))
		log_error("listener \"%s\": has expired: %s", listener, quoted);
	else
		log_warn("listener \"%s\": expires in %lld days: %s", listener,
			 (long long)left, quoted);
}

static void warn_dates(struct worker *w, const struct config_listener *l,
		       const struct tls_creds *c)
{
	struct cert *cert = NULL;
	struct slice der;
	int64_t ocsp_s;
	size_t old;

	for (unsigned i = 0; i < tls_creds_identity_count(c); i++) {
		if (tls_creds_identity_at(c, i, &der, &ocsp_s) != 0 ||
		    cert_parse(der, &cert) != 0)
			continue;
		warn_date(w, l->name, cert->subject, cert->not_after_s);
		if (ocsp_s != 0 && ocsp_s < (int64_t)time(NULL))
			log_warn("listener \"%s\": OCSP response is out of "
				 "date and not shown: %s",
				 l->name, cert->subject);
		cert = cert_free(cert);
	}
	warn_date(w, l->name, "a certificate in the trust directory",
		  tls_creds_trust_expiry(c));
	old = tls_creds_crl_old_count(c, (int64_t)time(NULL));
	if (old > 0)
		log_warn("listener \"%s\": revocation lists are out of date "
			 "count=%zu trust=%s",
			 l->name, old, l->trust);
}

static void warn_all(struct worker *w)
{
	for (uint32_t i = 0; i < w->config->listener_count; i++)
		if (w->tls.creds[i] && w->config->expiry_warning_days > 0)
			warn_dates(w, &w->config->listener[i], w->tls.creds[i]);
	w->tls.warned_ms = loop_now_ms(w->loop);
}

/* The keys process replaces the keys of tickets when their time has come. */
static void fetch_tickets(struct worker *w)
{
	uint8_t ticket[TLS_TICKET_KEYS_MAX * TLS_TICKET_KEY_LEN];
	struct writer tw;
	int err;

	writer_init(&tw, ticket, sizeof(ticket));
	err = keys_client_ticket(w->keys, &tw);
	for (uint32_t i = 0; i < w->config->listener_count && !err; i++)
		if (w->tls.creds[i])
			err = tls_creds_tickets(w->tls.creds[i],
						writer_slice(&tw));
	if (err)
		log_warn("the keys of session tickets stay as they are: %s",
			 err_str(err));
	secret_wipe(ticket, sizeof(ticket));
}

static void arm(struct worker *w)
{
	uint64_t at = loop_now_ms(w->loop) + LOOK_MS;

	if (loop_timer_set(w->loop, &w->tls.timer, at) != 0)
		log_error("no memory: ticket keys and dates of certificates "
			  "are not looked at any more");
}

static void on_timer(void *arg)
{
	struct worker *w = arg;

	if (w->config->session_lifetime_min > 0 && w->tls.warned_ms > 0)
		fetch_tickets(w);
	if (w->tls.warned_ms == 0 ||
	    loop_now_ms(w->loop) - w->tls.warned_ms >= WARN_MS)
		warn_all(w);
	arm(w);
}

/* ---- begin, reload, end ---------------------------------------------------- */

static bool has_tls(const struct config *c)
{
	struct config_identity id;

	return config_identity_at(c, 0, &id);
}

int worker_tls_begin(struct worker *w)
{
	loop_timer_init(&w->tls.timer, on_timer, w);
	return worker_tls_grow(w, w->config);
}

static int make_room(struct worker_tls *t, uint32_t n)
{
	struct handle *listener = alloc_array(n, sizeof(*listener));
	struct tls_creds **creds = alloc_array(n, sizeof(struct tls_creds *));

	if (!listener || !creds) {
		alloc_free(listener);
		alloc_free(creds);
		return ERR_NOMEM;
	}
	for (uint32_t i = 0; i < t->count; i++) {
		listener[i] = t->listener[i];
		creds[i] = t->creds[i];
	}
	alloc_free(t->listener);
	alloc_free(t->creds);
	t->listener = listener;
	t->creds = creds;
	t->count = n;
	return 0;
}

int worker_tls_grow(struct worker *w, const struct config *c)
{
	struct worker_tls *t = &w->tls;
	int err = c->listener_count > t->count ? make_room(t, c->listener_count)
					       : 0;

	if (err || t->is_begun || !has_tls(c))
		return err;
	/* At once, but after the listeners are open. */
	if (loop_timer_set(w->loop, &t->timer, loop_now_ms(w->loop)) != 0)
		return ERR_NOMEM;
	if (c->session_lifetime_min > 0)
		err = tls_cache_new(CACHE_COUNT, CACHE_BYTES,
				    entropy_u64(&w->p.entropy), &t->cache);
	t->is_begun = !err;
	return err;
}

void worker_tls_end(struct worker *w)
{
	struct worker_tls *t = &w->tls;

	if (!t->timer.fn)
		return;
	loop_timer_clear(w->loop, &t->timer);
	for (uint32_t i = 0; i < t->count; i++)
		tls_creds_unref(t->creds[i]);
	alloc_free(t->creds);
	alloc_free(t->listener);
	(void)tls_cache_free(t->cache);
}

/* Credentials on their way to take the place of others. */
struct fresh {
	struct tls_creds **listener;
	struct tls_creds *core[CONFIG_MANAGERS_MAX];
	struct tls_creds *sccp[CONFIG_SCCP_MANAGERS_MAX];
};

static int make_fresh(struct worker *w, const struct tls_files *f,
		      struct fresh *fresh, char *reterr)
{
	uint32_t n = w->config->listener_count;
	int err = worker_core_creds(w, f, fresh->core, reterr);

	if (!err)
		err = worker_sccp_creds(w, f, fresh->sccp, reterr);

	for (uint32_t i = 0; i < n && !err; i++)
		if (w->tls.creds[i])
			err = worker_tls_creds(w, w->config,
					       &w->config->listener[i], f,
					       &fresh->listener[i], reterr);
	return err;
}

int worker_reload_tls(struct worker *w, const struct tls_files *f, char *reterr)
{
	uint32_t n = w->tls.count;
	struct fresh fresh = {
		.listener = alloc_array(n, sizeof(struct tls_creds *))};
	int err = ERR_NOMEM;

	(void)snprintf(reterr, WORKER_ERR_MAX, "%s", err_str(err));
	if (!fresh.listener)
		return err;
	err = make_fresh(w, f, &fresh, reterr);
	for (uint32_t i = 0; i < n && !err; i++)
		if (fresh.listener[i])
			err = transport_set_creds(w->transport,
						  w->tls.listener[i],
						  fresh.listener[i]);
	if (err) {
		for (uint32_t i = 0; i < CONFIG_MANAGERS_MAX; i++)
			tls_creds_unref(fresh.core[i]);
		for (uint32_t i = 0; i < CONFIG_SCCP_MANAGERS_MAX; i++)
			tls_creds_unref(fresh.sccp[i]);
	} else {
		struct tls_creds **old = w->tls.creds;

		worker_core_set_creds(w, fresh.core);
		worker_sccp_set_creds(w, fresh.sccp);
		w->tls.creds = fresh.listener;
		fresh.listener = old;
		worker_trunk_set_creds(w);
		warn_all(w);
	}
	for (uint32_t i = 0; i < n; i++)
		tls_creds_unref(fresh.listener[i]);
	alloc_free(fresh.listener);
	return err;
}

const struct tls_creds *worker_creds(const struct worker *w, uint32_t i)
{
	return w->tls.creds[i];
}
