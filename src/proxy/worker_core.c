/*
 * A worker's side towards the call managers: its endpoints, a connector for
 * each place that is reached over a stream, and the places as the call machine
 * knows them.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
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

int worker_core_make_creds(struct worker *w, const struct worker_server *s,
			   const struct tls_files *f, struct tls_creds **ret,
			   char *reterr)
{
	struct tls_creds_params p = {
		.policy = tls_policy_find(slice_str("default")),
		.purpose = TLS_PURPOSE_ANY, /* it is server and client */
	};
	struct config_identity id;
	struct tls_creds *c = NULL;
	int err = p.policy ? tls_creds_new(&p, &c) : ERR_NOTFOUND;

	for (uint32_t k = 0; !err && config_identity_at(w->config, k, &id); k++)
		if (s->manager ? id.manager == s->manager : id.sccp == s->sccp)
			err = worker_tls_identity(w, c, &id, f, reterr);
	if (!err)
		err = tls_creds_trust_files(c, f, s->trust, reterr);
	if (err) {
		tls_creds_unref(c);
		return err;
	}
	if (tls_creds_trust_count(c) == 0)
		log_warn("%s \"%s\": no certificate in %s: it cannot be "
			 "believed",
			 s->manager ? "call-manager" : "sccp-manager", s->name,
			 s->trust);
	*ret = c;
	return 0;
}

int worker_core_creds(struct worker *w, const struct tls_files *f,
		      struct tls_creds *ret[CONFIG_MANAGERS_MAX], char *reterr)
{
	const struct config *c = w->config;
	int err = 0;

	for (uint32_t i = 0; !err && i < c->call_manager_count; i++) {
		const struct config_call_manager *m = &c->call_manager[i];
		struct worker_server s = {
			.manager = m, .name = m->name, .trust = m->trust};

		reterr[0] = '\0';
		if (m->address.transport == CONFIG_TLS)
			err = worker_core_make_creds(w, &s, f, &ret[i], reterr);
		if (err && reterr[0] == '\0')
			(void)snprintf(reterr, WORKER_ERR_MAX,
				       "call-manager \"%s\": %s",
				       c->call_manager[i].name, err_str(err));
	}
	return err;
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

/* Whose name it is, for the log. */
static void names_of(const struct worker *w, uint32_t owner,
		     const char **ret_name, const char **ret_host)
{
	if (owner >= WORKER_OWNER_TRUNK) {
		worker_trunk_names(w, owner, ret_name, ret_host);
		return;
	}
	if (owner >= WORKER_OWNER_SCCP) {
		*ret_name = *ret_host = worker_sccp_host(w, owner);
		return;
	}
	*ret_name = w->config->call_manager[owner].name;
	*ret_host = w->config->call_manager[owner].address.host;
}

static enum config_transport transport_of(enum dns_transport t)
{
	return t == DNS_UDP   ? CONFIG_UDP
	       : t == DNS_TCP ? CONFIG_TCP
			      : CONFIG_TLS;
}

static void dns_changed(void *ctx, uint32_t id, const struct dns_place *place,
			uint32_t n)
{
	struct worker *w = ctx;
	uint32_t owner = w->dns_owner[id];
	bool is_trunk = owner >= WORKER_OWNER_TRUNK;
	struct worker_target t[WORKER_TARGETS_MAX];
	uint32_t count = 0;
	char addr[ADDR_STR_MAX];
	const char *name;
	const char *host;

	names_of(w, owner, &name, &host);
	for (uint32_t i = 0; i < n && count < WORKER_TARGETS_MAX; i++) {
		t[count++] = (struct worker_target){
			.transport = transport_of(w->dns_transport[id]),
			.addr = place[i].addr,
			.order = place[i].priority,
			.weight = place[i].weight,
		};
		log_info("%s name=%s host=%s is at %s priority=%u",
			 is_trunk ? "trunk" : "call manager", name, host,
			 addr_str(&place[i].addr, addr), place[i].priority);
	}
	if (owner >= WORKER_OWNER_SCCP && !is_trunk)
		worker_sccp_set(w, owner, t, count);
	else if (is_trunk)
		worker_trunk_set(w, owner, t, count);
	else
		worker_core_set(w, owner, t, count);
}

static void dns_failed(void *ctx, uint32_t id, const char *why)
{
	struct worker *w = ctx;
	uint32_t owner = w->dns_owner[id];
	const char *name;
	const char *host;

	names_of(w, owner, &name, &host);
	if (worker_may_log(w))
		log_warn("%s name=%s host=%s cannot be looked up: %s",
			 owner >= WORKER_OWNER_TRUNK ? "trunk" : "call manager",
			 name, host, why);
}

/* Reads resolv.conf: before the sandbox. */
static int open_dns(struct worker *w)
{
	struct dns_params p = {.loop = w->loop,
			       .changed = dns_changed,
			       .failed = dns_failed,
			       .ctx = w};

	bool has_names = worker_trunk_has_names(w->config);
	int err;

	for (uint32_t i = 0; i < w->config->call_manager_count; i++)
		has_names |= w->config->call_manager[i].address.addr.family ==
			     ADDR_NONE;
	for (uint32_t i = 0; i < w->config->sccp_manager_count; i++)
		has_names |= w->config->sccp_manager[i].address.addr.family ==
			     ADDR_NONE;
	err = dns_new(&p, &w->dns);
	/* A reload may bring names; without servers it is told so then. */
	return has_names || err == ERR_NOMEM ? err : 0;
}

void worker_core_repeat(struct worker *w, uint32_t owner)
{
	for (uint32_t i = 0; i < DNS_WATCHES_MAX; i++)
		if (w->dns_owner[i] == owner && w->dns_is_used[i])
			dns_repeat(w->dns, i);
}

void worker_core_unwatch(struct worker *w, uint32_t owner)
{
	for (uint32_t i = 0; i < DNS_WATCHES_MAX; i++) {
		if (w->dns_owner[i] != owner || !w->dns_is_used[i])
			continue;
		dns_unwatch(w->dns, i);
		w->dns_is_used[i] = false;
	}
}

void worker_core_watch(struct worker *w, uint32_t owner,
		       const struct config_remote *r, enum addr_family family)
{
	static const enum dns_transport transports[] = {
		[CONFIG_UDP] = DNS_UDP,
		[CONFIG_TCP] = DNS_TCP,
		[CONFIG_TLS] = DNS_TLS,
	};
	struct dns_watch p = {.host = r->host,
			      .transport = transports[r->transport],
			      .port = r->port,
			      .family = family};
	uint32_t id;
	int err = w->dns ? dns_watch(w->dns, &p, &id) : ERR_NOTFOUND;

	if (err) {
		log_error("host=%s: this name is not looked up: %s", r->host,
			  w->dns ? err_str(err)
				 : "resolv.conf could not be read when the "
				   "worker was started");
		return;
	}
	w->dns_owner[id] = owner;
	w->dns_is_used[id] = true;
	w->dns_transport[id] = p.transport;
}

int worker_core_open(struct worker *w, const struct tls_files *f, char *reterr)
{
	const struct config *c = w->config;
	int err = worker_core_creds(w, f, w->core_creds, reterr);

	if (!err)
		err = worker_sccp_creds(w, f, w->sccp.creds, reterr);
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
	for (uint32_t i = 0; i < CONFIG_SCCP_MANAGERS_MAX; i++)
		w->sccp.creds[i] = tls_creds_unref(w->sccp.creds[i]);
	loop_work_del(&w->lost_work);
	w->place = alloc_free(w->place);
	w->place_cap = 0;
}

/* ---- places ---------------------------------------------------------------- */

static struct worker_place *find_place(struct worker *w, uint32_t owner,
				       enum transport_proto proto,
				       const struct addr *peer)
{
	for (size_t i = 0; i < w->place_cap; i++) {
		struct worker_place *p = &w->place[i];

		if (!handle_is_none(p->connector) && p->owner == owner &&
		    p->proto == proto && addr_eq(&p->peer, peer))
			return p;
	}
	return NULL;
}

static struct worker_place *free_place(struct worker *w)
{
	for (size_t i = 0; i < w->place_cap; i++)
		if (handle_is_none(w->place[i].connector))
			return &w->place[i];
	return NULL;
}

/* The connector of a place; connections are shared by all that goes to the
 * same peer under the same credentials. */
static int connector_of(struct worker *w, const struct worker_way *way,
			enum transport_proto proto, const struct addr *peer,
			struct handle *ret)
{
	struct transport_connect cp = {.proto = proto,
				       .peer = *peer,
				       .local = way->local,
				       .tag = way->tag};
	struct worker_place *p = find_place(w, way->owner, proto, peer);
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
	if (proto == TRANSPORT_TLS) {
		cp.creds = way->creds;
		cp.expect_name = way->name;
	}
	err = transport_connector(w->transport, &cp, &p->connector);
	if (err)
		return err;
	p->owner = way->owner;
	p->proto = proto;
	p->peer = *peer;
	p->is_listed = true;
	*ret = p->connector;
	return 0;
}

int worker_core_dest(struct worker *w, const struct worker_way *way,
		     enum config_transport transport, const struct addr *peer,
		     struct dest *ret)
{
	enum transport_proto proto = worker_proto(transport);

	*ret = (struct dest){
		.peer = *peer,
		.local = way->local,
		.is_reliable = proto != TRANSPORT_UDP,
		.is_tls = proto == TRANSPORT_TLS,
	};
	if (proto != TRANSPORT_UDP)
		return connector_of(w, way, proto, peer, &ret->ep);
	ret->ep = way->udp;
	return 0;
}

static struct worker_way way_of(const struct worker *w, uint32_t manager)
{
	const struct config_call_manager *m = &w->config->call_manager[manager];

	return (struct worker_way){
		.owner = manager,
		.local = config_local_address(m, w->p.number),
		.tag = WORKER_TAG_CORE,
		.creds = w->core_creds[manager],
		.name = m->address.addr.family == ADDR_NONE ? m->address.host
							    : NULL,
		.udp = m->core == CONFIG_CORE_NONE ? HANDLE_NONE
						   : w->core_ep[m->core],
	};
}

void worker_core_reach(struct worker *w, struct dest *d)
{
	enum config_transport t = d->is_tls	   ? CONFIG_TLS
				  : d->is_reliable ? CONFIG_TCP
						   : CONFIG_UDP;

	d->ep = HANDLE_NONE;
	for (uint32_t i = 0; i < w->config->call_manager_count; i++) {
		struct worker_way way = way_of(w, i);
		struct dest found;

		if (addr_eq(&way.local, &d->local) &&
		    worker_core_dest(w, &way, t, &d->peer, &found) == 0) {
			d->ep = found.ep;
			return;
		}
	}
}

bool worker_core_unlist(struct worker *w)
{
	bool is_any = false;

	for (size_t i = 0; i < w->place_cap; i++) {
		struct worker_place *p = &w->place[i];
		struct handle h = p->connector;

		if (handle_is_none(h) || p->is_listed)
			continue;
		if (calls_reach(w->calls, h)) {
			is_any = true;
			continue;
		}
		*p = (struct worker_place){.owner = 0};
		transport_connector_del(w->transport, h);
		pipeline_conn_down(w->pipeline, h, loop_now_ms(w->loop));
	}
	return is_any;
}

uint32_t worker_core_places(struct worker *w, const struct worker_way *way,
			    const struct worker_target *t, uint32_t n,
			    struct core_place *ret)
{
	uint32_t count = 0;

	for (size_t i = 0; i < w->place_cap; i++)
		if (w->place[i].owner == way->owner)
			w->place[i].is_listed = false;
	for (uint32_t i = 0; i < n && count < WORKER_TARGETS_MAX; i++) {
		ret[count] = (struct core_place){.order = t[i].order,
						 .weight = t[i].weight};
		if (worker_core_dest(w, way, t[i].transport, &t[i].addr,
				     &ret[count].dest) == 0)
			count++;
	}
	return count;
}

void worker_core_set(struct worker *w, uint32_t manager,
		     const struct worker_target *t, uint32_t n)
{
	const struct config_call_manager *m = &w->config->call_manager[manager];
	struct core_place place[WORKER_TARGETS_MAX] = {0};
	struct event ev = {.kind = EVENT_CORE,
			   .core = {.manager = manager, .place = place}};
	struct worker_way way = way_of(w, manager);

	ev.core.count = worker_core_places(w, &way, t, n, place);
	for (uint32_t i = 0; i < ev.core.count; i++) {
		struct core_place *p = &place[i];

		p->manager = manager;
		p->priority = m->priority;
		(void)snprintf(p->name, sizeof(p->name), "%s", m->name);
		if (m->large_by_tcp && !p->dest.is_reliable &&
		    worker_core_dest(w, &way, CONFIG_TCP, &p->dest.peer,
				     &p->large))
			p->large.ep = HANDLE_NONE;
	}
	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
	if (worker_core_unlist(w))
		worker_sweep_later(w);
}

static void start_manager(struct worker *w, uint32_t i)
{
	const struct config_call_manager *m = &w->config->call_manager[i];
	const struct config_remote *a = &m->address;
	struct worker_target t = {.transport = a->transport, .addr = a->addr};

	if (a->addr.family != ADDR_NONE)
		worker_core_set(w, i, &t, 1);
	else
		worker_core_watch(w, i, a, m->local_address.family);
}

void worker_core_start(struct worker *w)
{
	for (uint32_t i = 0; i < w->config->call_manager_count; i++)
		start_manager(w, i);
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
	for (size_t i = 0; i < w->place_cap; i++)
		if (!handle_is_none(w->place[i].connector) &&
		    w->place[i].owner < CONFIG_MANAGERS_MAX &&
		    creds[w->place[i].owner])
			(void)!transport_set_creds(w->transport,
						   w->place[i].connector,
						   creds[w->place[i].owner]);
	for (uint32_t i = 0; i < CONFIG_MANAGERS_MAX; i++) {
		bool is_awaited = creds[i] && !w->core_creds[i];

		tls_creds_unref(w->core_creds[i]);
		w->core_creds[i] = creds[i];
		if (is_awaited)
			start_manager(w, i);
	}
}

void worker_core_reload(struct worker *w, const struct config *old)
{
	for (uint32_t i = 0; i < w->config->call_manager_count; i++) {
		const struct config_call_manager *m =
			&w->config->call_manager[i];
		const struct config_call_manager *was = &old->call_manager[i];
		bool is_new = i >= old->call_manager_count;

		/* Credentials come after the configuration. */
		if (is_new && m->address.transport == CONFIG_TLS)
			continue;
		if (!is_new && m->priority == was->priority &&
		    config_remote_eq(&m->address, &was->address))
			continue;
		worker_core_unwatch(w, i);
		start_manager(w, i);
	}
}

uint32_t worker_phone_managers(const struct config *c)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < c->call_manager_count; i++)
		if (c->call_manager[i].serves != CONFIG_TRUNKS)
			bits |= 1U << i;
	/* None: then nobody is to get what is nobody's. */
	return bits ? bits : 1U << 31;
}

/* ---- connectors that cannot connect ----------------------------------------- */

static void tell_lost(void *arg)
{
	struct worker *w = arg;

	for (size_t i = 0; i < w->place_cap; i++) {
		struct worker_place *p = &w->place[i];

		if (!p->is_lost)
			continue;
		p->is_lost = false;
		pipeline_conn_down(w->pipeline, p->connector,
				   loop_now_ms(w->loop));
	}
}

int worker_core_init(struct worker *w)
{
	loop_work_init(&w->lost_work, tell_lost, w);
	return worker_core_room(w, w->config);
}

int worker_core_room(struct worker *w, const struct config *c)
{
	size_t cap = WORKER_PLACES_MAX + worker_trunk_places(c);
	struct worker_place *p;

	for (size_t i = 0; i < w->place_cap; i++)
		cap += !handle_is_none(w->place[i].connector);
	if (cap <= w->place_cap)
		return 0;
	p = alloc_resize(w->place, cap, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	for (size_t i = w->place_cap; i < cap; i++)
		p[i] = (struct worker_place){.owner = 0};
	w->place = p;
	w->place_cap = cap;
	return 0;
}

bool worker_core_is_listed(const struct worker *w, struct handle connector)
{
	for (size_t i = 0; i < w->place_cap; i++)
		if (handle_eq(w->place[i].connector, connector))
			return w->place[i].is_listed;
	return false;
}

static void set_lost(struct worker *w, struct handle ep, bool is_lost)
{
	for (size_t i = 0; i < w->place_cap; i++)
		if (!handle_is_none(ep) && handle_eq(w->place[i].connector, ep))
			w->place[i].is_lost = is_lost;
}

void worker_core_lost(struct worker *w, struct handle ep)
{
	set_lost(w, ep, true);
	loop_work_add(w->loop, &w->lost_work);
}

void worker_core_down(struct worker *w, struct handle ep)
{
	/* This covers what could not be sent before: told once more, it would
	 * fail what is sent from now on. */
	set_lost(w, ep, false);
	pipeline_conn_down(w->pipeline, ep, loop_now_ms(w->loop));
}
