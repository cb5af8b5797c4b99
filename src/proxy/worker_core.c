/*
 * A worker's side towards the call managers: its endpoints, a connector for
 * each place that is reached over a stream, and the places as the call machine
 * knows them.
 */
#include <stdio.h>
#include <string.h>

#include "log/log.h"
#include "proxy/worker_int.h"
#include "tls/creds.h"

enum transport_proto worker_proto(enum config_transport t)
{
	switch (t) {
	case CONFIG_UDP:
		return TRANSPORT_UDP;
	case CONFIG_TCP:
		return TRANSPORT_TCP;
	case CONFIG_TLS:
		break;
	}
	return TRANSPORT_TLS;
}

/* ---- endpoints ------------------------------------------------------------- */

static int make_creds(struct worker *w, uint32_t i, const struct tls_files *f,
		      struct tls_creds **ret, char *reterr)
{
	const struct config_call_manager *m = &w->config->call_manager[i];
	struct tls_creds_params p = {
		.policy = tls_policy_find(slice_str("default")),
		.purpose = TLS_PURPOSE_ANY, /* it is server and client */
	};
	struct config_identity id;
	struct tls_creds *c = NULL;
	int err = p.policy ? tls_creds_new(&p, &c) : ERR_NOTFOUND;

	for (uint32_t k = 0; !err && config_identity_at(w->config, k, &id); k++)
		if (id.manager == m)
			err = worker_tls_identity(w, c, &id, f, reterr);
	if (!err)
		err = tls_creds_trust_files(c, f, m->trust, reterr);
	if (err) {
		tls_creds_unref(c);
		return err;
	}
	if (tls_creds_trust_count(c) == 0)
		log_warn("call-manager \"%s\": no certificate in %s: it "
			 "cannot be believed",
			 m->name, m->trust);
	*ret = c;
	return 0;
}

int worker_core_creds(struct worker *w, const struct tls_files *f,
		      struct tls_creds *ret[CONFIG_MANAGERS_MAX], char *reterr)
{
	const struct config *c = w->config;
	int err = 0;

	for (uint32_t i = 0; !err && i < c->call_manager_count; i++) {
		reterr[0] = '\0';
		if (c->call_manager[i].address.transport == CONFIG_TLS)
			err = make_creds(w, i, f, &ret[i], reterr);
		if (err && reterr[0] == '\0')
			(void)snprintf(reterr, WORKER_ERR_MAX,
				       "call-manager \"%s\": %s",
				       c->call_manager[i].name, err_str(err));
	}
	return err;
}

void worker_core_set_creds(struct worker *w,
			   struct tls_creds *const creds[CONFIG_MANAGERS_MAX])
{
	const struct config *c = w->config;

	/* Whoever has no TLS is not found, and needs none. */
	for (uint32_t i = 0; i < c->core_count; i++)
		if (creds[c->core[i].manager])
			(void)!transport_set_creds(w->transport, w->core_ep[i],
						   creds[c->core[i].manager]);
	for (size_t i = 0; i < WORKER_PLACES_MAX; i++)
		if (!handle_is_none(w->place[i].connector) &&
		    creds[w->place[i].manager])
			(void)!transport_set_creds(w->transport,
						   w->place[i].connector,
						   creds[w->place[i].manager]);
	for (uint32_t i = 0; i < CONFIG_MANAGERS_MAX; i++) {
		tls_creds_unref(w->core_creds[i]);
		w->core_creds[i] = creds[i];
	}
}

static int open_endpoint(struct worker *w, uint32_t i)
{
	const struct config_core *k = &w->config->core[i];
	struct transport_listen p = {.proto = worker_proto(k->transport),
				     .fd = w->p.core_fd[i],
				     .tag = WORKER_TAG_CORE,
				     .creds = w->core_creds[k->manager],
				     .is_trusted = true};

	return transport_listen(w->transport, &p, &w->core_ep[i]);
}

/* ---- names ------------------------------------------------------------------ */

static void dns_changed(void *ctx, uint32_t id, const struct dns_place *place,
			uint32_t n)
{
	struct worker *w = ctx;
	uint32_t manager = w->dns_manager[id];
	const struct config_call_manager *m = &w->config->call_manager[manager];
	struct worker_target t[WORKER_TARGETS_MAX];
	uint32_t count = 0;
	char addr[ADDR_STR_MAX];

	for (uint32_t i = 0; i < n && count < WORKER_TARGETS_MAX; i++) {
		t[count++] = (struct worker_target){
			.transport = m->address.transport,
			.addr = place[i].addr,
			.order = place[i].priority,
			.weight = place[i].weight,
		};
		log_info("call manager name=%s host=%s is at %s priority=%u",
			 m->name, m->address.host,
			 addr_str(&place[i].addr, addr), place[i].priority);
	}
	worker_core_set(w, manager, t, count);
}

static void dns_failed(void *ctx, uint32_t id, const char *why)
{
	struct worker *w = ctx;
	const struct config_call_manager *m =
		&w->config->call_manager[w->dns_manager[id]];

	if (worker_may_log(w))
		log_warn("call manager name=%s host=%s cannot be looked up: %s",
			 m->name, m->address.host, why);
}

/* Reads resolv.conf: before the sandbox. */
static int open_dns(struct worker *w)
{
	struct dns_params p = {.loop = w->loop,
			       .changed = dns_changed,
			       .failed = dns_failed,
			       .ctx = w};

	for (uint32_t i = 0; i < w->config->call_manager_count; i++)
		if (w->config->call_manager[i].address.addr.family == ADDR_NONE)
			return dns_new(&p, &w->dns);
	return 0;
}

static void watch_name(struct worker *w, uint32_t manager)
{
	static const enum dns_transport transports[] = {
		[CONFIG_UDP] = DNS_UDP,
		[CONFIG_TCP] = DNS_TCP,
		[CONFIG_TLS] = DNS_TLS,
	};
	const struct config_call_manager *m = &w->config->call_manager[manager];
	struct dns_watch p = {.host = m->address.host,
			      .transport = transports[m->address.transport],
			      .port = m->address.port,
			      .family = m->local_address.family};
	uint32_t id;
	int err = dns_watch(w->dns, &p, &id);

	if (err)
		log_error("call manager name=%s: its name is not looked up: %s",
			  m->name, err_str(err));
	else
		w->dns_manager[id] = manager;
}

int worker_core_open(struct worker *w, const struct tls_files *f, char *reterr)
{
	const struct config *c = w->config;
	int err = worker_core_creds(w, f, w->core_creds, reterr);

	for (uint32_t i = 0; !err && i < c->core_count; i++) {
		err = open_endpoint(w, i);
		if (err)
			(void)snprintf(reterr, WORKER_ERR_MAX,
				       "call-manager \"%s\": %s",
				       c->call_manager[c->core[i].manager].name,
				       err_str(err));
	}
	if (err)
		return err;
	err = open_dns(w);
	if (err)
		(void)snprintf(reterr, WORKER_ERR_MAX,
			       "names of call managers: resolv.conf: %s",
			       err_str(err));
	return err;
}

void worker_core_close(struct worker *w)
{
	w->dns = dns_free(w->dns);
	for (uint32_t i = 0; i < CONFIG_MANAGERS_MAX; i++)
		w->core_creds[i] = tls_creds_unref(w->core_creds[i]);
	loop_work_del(&w->lost_work);
}

/* ---- places ---------------------------------------------------------------- */

static struct worker_place *find_place(struct worker *w, uint32_t manager,
				       enum transport_proto proto,
				       const struct addr *peer)
{
	for (size_t i = 0; i < WORKER_PLACES_MAX; i++) {
		struct worker_place *p = &w->place[i];

		if (!handle_is_none(p->connector) && p->manager == manager &&
		    p->proto == proto && addr_eq(&p->peer, peer))
			return p;
	}
	return NULL;
}

static struct worker_place *free_place(struct worker *w)
{
	for (size_t i = 0; i < WORKER_PLACES_MAX; i++)
		if (handle_is_none(w->place[i].connector))
			return &w->place[i];
	return NULL;
}

/* The connector of a place; connections are shared by all that goes to the
 * same peer under the same credentials. */
static int connector_of(struct worker *w, uint32_t manager,
			enum transport_proto proto, const struct addr *peer,
			struct handle *ret)
{
	const struct config_call_manager *m = &w->config->call_manager[manager];
	struct transport_connect cp = {.proto = proto,
				       .peer = *peer,
				       .local = m->local_address,
				       .tag = WORKER_TAG_CORE};
	struct worker_place *p = find_place(w, manager, proto, peer);
	int err;

	if (p) {
		p->is_listed = true;
		*ret = p->connector;
		return 0;
	}
	p = free_place(w);
	if (!p)
		return ERR_LIMIT;
	cp.local.port = 0;
	if (proto == TRANSPORT_TLS)
		cp.creds = w->core_creds[manager];
	if (proto == TRANSPORT_TLS && m->address.addr.family == ADDR_NONE)
		cp.expect_name = m->address.host;
	err = transport_connector(w->transport, &cp, &p->connector);
	if (err)
		return err;
	p->manager = manager;
	p->proto = proto;
	p->peer = *peer;
	p->is_listed = true;
	*ret = p->connector;
	return 0;
}

static int make_dest(struct worker *w, uint32_t manager,
		     enum config_transport transport, const struct addr *peer,
		     struct dest *ret)
{
	const struct config_call_manager *m = &w->config->call_manager[manager];
	enum transport_proto proto = worker_proto(transport);

	*ret = (struct dest){
		.peer = *peer,
		.local = config_local_address(m, w->p.number),
		.is_reliable = proto != TRANSPORT_UDP,
		.is_tls = proto == TRANSPORT_TLS,
	};
	if (proto != TRANSPORT_UDP)
		return connector_of(w, manager, proto, peer, &ret->ep);
	ret->ep = w->core_ep[m->core];
	return 0;
}

void worker_core_reach(struct worker *w, struct dest *d)
{
	enum config_transport t = d->is_tls	   ? CONFIG_TLS
				  : d->is_reliable ? CONFIG_TCP
						   : CONFIG_UDP;

	d->ep = HANDLE_NONE;
	for (uint32_t i = 0; i < w->config->call_manager_count; i++) {
		struct addr local = config_local_address(
			&w->config->call_manager[i], w->p.number);
		struct dest found;

		if (addr_eq(&local, &d->local) &&
		    make_dest(w, i, t, &d->peer, &found) == 0) {
			d->ep = found.ep;
			return;
		}
	}
}

/* Connections to where the manager no longer is. */
static void drop_unlisted(struct worker *w, uint32_t manager)
{
	for (size_t i = 0; i < WORKER_PLACES_MAX; i++) {
		struct worker_place *p = &w->place[i];
		struct handle h = p->connector;

		if (handle_is_none(h) || p->manager != manager || p->is_listed)
			continue;
		*p = (struct worker_place){.manager = 0};
		transport_connector_del(w->transport, h);
		pipeline_conn_down(w->pipeline, h, loop_now_ms(w->loop));
	}
}

void worker_core_set(struct worker *w, uint32_t manager,
		     const struct worker_target *t, uint32_t n)
{
	const struct config_call_manager *m = &w->config->call_manager[manager];
	struct core_place place[WORKER_TARGETS_MAX] = {0};
	struct event ev = {.kind = EVENT_CORE, .core = {manager, place, 0}};

	for (size_t i = 0; i < WORKER_PLACES_MAX; i++)
		if (w->place[i].manager == manager)
			w->place[i].is_listed = false;
	for (uint32_t i = 0; i < n && ev.core.count < WORKER_TARGETS_MAX; i++) {
		struct core_place *p = &place[ev.core.count];

		*p = (struct core_place){.manager = manager,
					 .priority = m->priority,
					 .order = t[i].order,
					 .weight = t[i].weight};
		(void)snprintf(p->name, sizeof(p->name), "%s", m->name);
		if (make_dest(w, manager, t[i].transport, &t[i].addr,
			      &p->dest) != 0)
			continue;
		if (m->large_by_tcp && t[i].transport == CONFIG_UDP &&
		    make_dest(w, manager, CONFIG_TCP, &t[i].addr, &p->large))
			p->large.ep = HANDLE_NONE;
		ev.core.count++;
	}
	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
	drop_unlisted(w, manager);
}

void worker_core_start(struct worker *w)
{
	for (uint32_t i = 0; i < w->config->call_manager_count; i++) {
		const struct config_remote *a =
			&w->config->call_manager[i].address;
		struct worker_target t = {.transport = a->transport,
					  .addr = a->addr};

		if (a->addr.family != ADDR_NONE)
			worker_core_set(w, i, &t, 1);
		else
			watch_name(w, i);
	}
}

/* ---- connectors that cannot connect ----------------------------------------- */

static void tell_lost(void *arg)
{
	struct worker *w = arg;

	for (size_t i = 0; i < WORKER_PLACES_MAX; i++) {
		struct worker_place *p = &w->place[i];

		if (!p->is_lost)
			continue;
		p->is_lost = false;
		pipeline_conn_down(w->pipeline, p->connector,
				   loop_now_ms(w->loop));
	}
}

void worker_core_init(struct worker *w)
{
	loop_work_init(&w->lost_work, tell_lost, w);
}

void worker_core_lost(struct worker *w, struct handle ep)
{
	for (size_t i = 0; i < WORKER_PLACES_MAX; i++) {
		struct worker_place *p = &w->place[i];

		if (handle_is_none(ep) || !handle_eq(p->connector, ep))
			continue;
		p->is_lost = true;
		loop_work_add(w->loop, &w->lost_work);
	}
}
