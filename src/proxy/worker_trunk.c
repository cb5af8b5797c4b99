/*
 * A worker's side towards trunks: where their peers are, by which of our
 * listeners they are reached, and whose a connection is. Peers of a trunk are
 * reached by the worker it belongs to alone (config_share).
 */
#include <stdio.h>

#include "pki/cert.h"
#include "proxy/worker_int.h"

static uint32_t owner_of(uint32_t trunk, uint32_t peer)
{
	return WORKER_OWNER_TRUNK + trunk * CONFIG_PEERS_MAX + peer;
}

static const struct config_trunk *trunk_of(const struct worker *w,
					   uint32_t owner)
{
	return &w->config->trunk[(owner - WORKER_OWNER_TRUNK) /
				 CONFIG_PEERS_MAX];
}

static const struct config_peer *peer_of(const struct worker *w, uint32_t owner)
{
	return &trunk_of(w, owner)
			->peer[(owner - WORKER_OWNER_TRUNK) % CONFIG_PEERS_MAX];
}

static bool has_name(const struct config_peer *p)
{
	return p->remote.addr.family == ADDR_NONE;
}

/* Addresses that the peers of t may have. */
static uint32_t places_of(const struct config_trunk *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->peer_count; i++)
		n += has_name(&t->peer[i]) ? WORKER_TARGETS_MAX : 1;
	return n;
}

size_t worker_trunk_places(const struct config *c)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->trunk_count; i++)
		n += places_of(&c->trunk[i]);
	return n;
}

bool worker_trunk_has_names(const struct config *c)
{
	for (uint32_t i = 0; i < c->trunk_count; i++)
		for (uint32_t k = 0; k < c->trunk[i].peer_count; k++)
			if (has_name(&c->trunk[i].peer[k]))
				return true;
	return false;
}

void worker_trunk_names(const struct worker *w, uint32_t owner,
			const char **ret_name, const char **ret_host)
{
	*ret_name = trunk_of(w, owner)->name;
	*ret_host = peer_of(w, owner)->remote.host;
}

/* ---- where peers are ------------------------------------------------------------ */

/* The listener that t's peers are reached from; family NONE: any. */
static const struct config_listener *
listener_of(const struct config *c, const struct config_trunk *t,
	    enum config_transport transport, enum addr_family family)
{
	for (uint32_t k = 0; k < c->listener_count; k++) {
		const struct config_listener *l = &c->listener[k];

		if ((t->listener_bits >> k & 1) &&
		    l->address.transport == transport &&
		    (family == ADDR_NONE || l->address.addr.family == family))
			return l;
	}
	return NULL;
}

int worker_trunk_way(const struct worker *w, uint32_t owner,
		     enum config_transport transport, struct worker_way *ret)
{
	const struct config *c = w->config;
	const struct config_peer *p = peer_of(w, owner);
	const struct config_listener *l = listener_of(
		c, trunk_of(w, owner), transport, p->remote.addr.family);
	uint32_t k;

	if (!l)
		return ERR_NOTFOUND;
	k = (uint32_t)(l - c->listener);
	*ret = (struct worker_way){
		.owner = owner,
		.local = l->address.addr,
		.tag = WORKER_TAG_TRUNK +
		       (owner - WORKER_OWNER_TRUNK) / CONFIG_PEERS_MAX,
		.creds = w->tls.creds[k],
		.name = has_name(p) ? p->remote.host : NULL,
		.udp = w->tls.listener[k],
	};
	return 0;
}

void worker_trunk_set_creds(struct worker *w)
{
	struct worker_way way;

	for (size_t i = 0; i < w->place_cap; i++) {
		const struct worker_place *p = &w->place[i];

		if (!handle_is_none(p->connector) &&
		    p->owner >= WORKER_OWNER_TRUNK &&
		    p->proto == TRANSPORT_TLS &&
		    worker_trunk_way(w, p->owner, CONFIG_TLS, &way) == 0)
			(void)!transport_set_creds(w->transport, p->connector,
						   way.creds);
	}
}

void worker_trunk_set(struct worker *w, uint32_t owner,
		      const struct worker_target *t, uint32_t n)
{
	const struct config_trunk *trunk = trunk_of(w, owner);
	const struct config_peer *peer = peer_of(w, owner);
	struct core_place place[WORKER_TARGETS_MAX] = {0};
	struct event ev = {
		.kind = EVENT_CORE,
		.core = {.trunk = ingress_trunk_number(w->config, trunk) + 1,
			 .manager = (uint32_t)(peer - trunk->peer),
			 .place = place}};
	struct worker_way way;

	if (n > 0 && worker_trunk_way(w, owner, t[0].transport, &way) == 0)
		ev.core.count = worker_core_places(w, &way, t, n, place);
	for (uint32_t i = 0; i < ev.core.count; i++) {
		place[i].manager = ev.core.manager;
		place[i].priority = peer->priority;
		(void)snprintf(place[i].name, sizeof(place[i].name), "%s",
			       trunk->name);
	}
	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
	worker_core_unlist(w, owner);
}

static void start_peer(struct worker *w, uint32_t owner)
{
	const struct config_remote *r = &peer_of(w, owner)->remote;
	struct worker_target t = {.transport = r->transport, .addr = r->addr};
	const struct config_listener *l;

	if (r->addr.family != ADDR_NONE) {
		worker_trunk_set(w, owner, &t, 1);
		return;
	}
	/* Addresses of the family that we speak to it from. */
	l = listener_of(w->config, trunk_of(w, owner), r->transport, ADDR_NONE);
	if (l)
		worker_core_watch(w, owner, r, l->address.addr.family);
}

void worker_trunk_tell(struct worker *w)
{
	const struct config *c = w->config;

	for (uint32_t i = 0; i < c->trunk_count; i++) {
		const struct config_trunk *t = &c->trunk[i];
		struct event ev = {
			.kind = EVENT_TRUNK,
			.trunk = {.number = i,
				  .name = slice_str(t->name),
				  .managers = t->manager_bits,
				  /* Those that were and those that are. */
				  .places = 2 * places_of(t)}};

		ingress_trunk_policy(t, &ev.trunk.policy);
		pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
	}
}

void worker_trunk_start(struct worker *w)
{
	const struct config *c = w->config;

	worker_trunk_tell(w);
	for (uint32_t i = 0; i < c->trunk_count; i++)
		for (uint32_t k = 0; c->trunk[i].worker == w->p.number &&
				     k < c->trunk[i].peer_count;
		     k++)
			start_peer(w, owner_of(i, k));
}

/* ---- whose connections are -------------------------------------------------------- */

/* Names in the certificate a peer has shown. */
static size_t names_of(const struct cert *cert,
		       struct slice ret[CERT_DNS_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < cert->dns_count; i++)
		ret[n++] = slice_str(cert->dns[i]);
	if (cert->cn[0])
		ret[n++] = slice_str(cert->cn);
	return n;
}

/* Somebody connected to a listener where trunks come. */
static enum conn_refusal bind_incoming(struct worker *w, struct conn *c,
				       struct config_claim *q)
{
	const struct config_listener *l = &w->config->listener[c->listener];

	c->trunk = config_trunk_identify(w->config, q);
	/* Without TLS it is heard, where each request is to be refused. */
	if (c->trunk || l->serves == CONFIG_BOTH ||
	    (!q->is_tls && l->unknown == CONFIG_UNKNOWN_REFUSE))
		return CONN_REFUSAL_NONE;
	return CONN_REFUSAL_TRUNK;
}

enum conn_refusal worker_trunk_bind(struct worker *w, struct conn *c,
				    const struct transport_peer *peer,
				    char *ret_name)
{
	const struct config *cfg = w->config;
	struct slice name[CERT_DNS_MAX + 1];
	struct config_claim q = {.listener = c->listener,
				 .source = peer->peer,
				 .is_tls = peer->tls != NULL,
				 .name = name};
	enum conn_refusal why = CONN_REFUSAL_NONE;
	struct cert *cert = NULL;

	if (!peer->is_outgoing &&
	    cfg->listener[c->listener].serves == CONFIG_PHONES)
		return CONN_REFUSAL_NONE;
	if (peer->tls && peer->tls->peer_cert.len > 0) {
		if (cert_parse(peer->tls->peer_cert, &cert) != 0)
			return CONN_REFUSAL_UNREADABLE;
		q.name_count = names_of(cert, name);
		(void)snprintf(ret_name, CERT_NAME_MAX, "%s", cert->device);
	}
	if (peer->is_outgoing)
		c->trunk = &cfg->trunk[peer->tag - WORKER_TAG_TRUNK];
	else
		why = bind_incoming(w, c, &q);
	if (peer->is_outgoing && peer->tls &&
	    !config_trunk_names(c->trunk, name, q.name_count))
		why = CONN_REFUSAL_TRUNK;
	if (c->trunk && peer->tls) {
		c->sig = peer->tls->is_null ? SIG_AUTHENTICATED : SIG_ENCRYPTED;
		if (cert)
			(void)snprintf(c->subject, sizeof(c->subject), "%s",
				       cert->subject);
		if (!why && peer->tls->is_null &&
		    c->trunk->profile->security_mode == CONFIG_DEVICE_ENCRYPTED)
			why = CONN_REFUSAL_NULL_SUITE;
	}
	/* It has shown who it is. */
	if (!why && c->trunk)
		transport_trust(w->transport, c->ep);
	cert_free(cert);
	return why;
}
