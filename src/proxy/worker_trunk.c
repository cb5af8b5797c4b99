/*
 * A worker's side towards trunks: where their peers are, by which of our
 * listeners they are reached, and whose a connection is. Peers of a trunk are
 * reached by the worker it belongs to alone (config_share).
 */
#include <stdio.h>
#include <string.h>

#include "pki/cert.h"
#include "proxy/worker_int.h"

static uint32_t owner_of(uint32_t trunk, uint32_t peer)
{
	return WORKER_OWNER_TRUNK + trunk * CONFIG_PEERS_MAX + peer;
}

static uint32_t number_of(uint32_t owner)
{
	return (owner - WORKER_OWNER_TRUNK) / CONFIG_PEERS_MAX;
}

/* NULL: it is gone. */
static const struct config_trunk *trunk_of(const struct worker *w,
					   uint32_t owner)
{
	return w->trunk_at[number_of(owner)];
}

/* NULL: it is gone. */
static const struct config_peer *peer_of(const struct worker *w, uint32_t owner)
{
	const struct config_trunk *t = trunk_of(w, owner);
	uint32_t peer = (owner - WORKER_OWNER_TRUNK) % CONFIG_PEERS_MAX;

	return t && peer < t->peer_count ? &t->peer[peer] : NULL;
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
	const struct config_peer *p = peer_of(w, owner);

	*ret_name = p ? trunk_of(w, owner)->name : "";
	*ret_host = p ? p->remote.host : "";
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
	const struct config_listener *l =
		p ? listener_of(c, trunk_of(w, owner), transport,
				p->remote.addr.family)
		  : NULL;
	uint32_t k;

	if (!l)
		return ERR_NOTFOUND;
	k = (uint32_t)(l - c->listener);
	*ret = (struct worker_way){
		.owner = owner,
		.local = l->address.addr,
		.tag = WORKER_TAG_TRUNK + number_of(owner),
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

		if (!handle_is_none(p->connector) && p->is_listed &&
		    p->owner >= WORKER_OWNER_TRUNK &&
		    p->proto == TRANSPORT_TLS &&
		    worker_trunk_way(w, p->owner, CONFIG_TLS, &way) == 0)
			(void)!transport_set_creds(w->transport, p->connector,
						   way.creds);
	}
}

/* What comes over our connections to where a peer is no longer begins
 * nothing. */
static void mark_conns(struct worker *w)
{
	struct conn *c = NULL;
	size_t at = 0;

	while ((c = conns_next(&w->conns, &at, c)))
		if (c->trunk && !handle_is_none(c->origin))
			c->is_former = !worker_core_is_listed(w, c->origin);
}

void worker_trunk_set(struct worker *w, uint32_t owner,
		      const struct worker_target *t, uint32_t n)
{
	const struct config_trunk *trunk = trunk_of(w, owner);
	const struct config_peer *peer = peer_of(w, owner);
	struct core_place place[WORKER_TARGETS_MAX] = {0};
	struct event ev = {.kind = EVENT_CORE, .core = {.place = place}};
	struct worker_way way;

	if (!peer)
		return;
	ev.core.trunk = trunk->number + 1;
	ev.core.manager = (uint32_t)(peer - trunk->peer);
	if (n > 0 && worker_trunk_way(w, owner, t[0].transport, &way) == 0)
		ev.core.count = worker_core_places(w, &way, t, n, place);
	for (uint32_t i = 0; i < ev.core.count; i++) {
		place[i].manager = ev.core.manager;
		place[i].priority = peer->priority;
		(void)snprintf(place[i].name, sizeof(place[i].name), "%s",
			       trunk->name);
	}
	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
	mark_conns(w);
	worker_sweep_later(w);
}

static void start_peer(struct worker *w, const struct config_trunk *trunk,
		       uint32_t peer)
{
	const struct config_remote *r = &trunk->peer[peer].remote;
	uint32_t owner = owner_of(trunk->number, peer);
	struct worker_target t = {.transport = r->transport, .addr = r->addr};
	const struct config_listener *l;

	if (r->addr.family != ADDR_NONE) {
		worker_trunk_set(w, owner, &t, 1);
		return;
	}
	/* Addresses of the family that we speak to it from. */
	l = listener_of(w->config, trunk, r->transport, ADDR_NONE);
	if (l)
		worker_core_watch(w, owner, r, l->address.addr.family);
}

static void tell(struct worker *w)
{
	const struct config *c = w->config;

	for (uint32_t i = 0; i < c->trunk_count; i++) {
		const struct config_trunk *t = &c->trunk[i];
		struct event ev = {
			.kind = EVENT_TRUNK,
			.trunk = {.number = t->number,
				  .name = slice_str(t->name),
				  .managers = t->manager_bits,
				  /* Those that were and those that are. */
				  .places = 2 * places_of(t)}};

		ingress_trunk_policy(t, &ev.trunk.policy);
		pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
	}
}

/* Who has which number; formers count where nobody has it now. */
static void set_numbers(struct worker *w)
{
	const struct config *c = w->config;
	uint32_t n;

	for (n = 0; n < PIPELINE_TRUNKS_MAX; n++)
		w->trunk_at[n] =
			calls_trunk_is_known(w->calls, n)
				? formers_find(&w->formers,
					       calls_trunk_name(w->calls, n))
				: NULL;
	for (uint32_t i = 0; i < c->trunk_count; i++)
		w->trunk_at[c->trunk[i].number] = &c->trunk[i];
}

void worker_trunk_start(struct worker *w)
{
	const struct config *c = w->config;

	set_numbers(w);
	tell(w);
	for (uint32_t i = 0; i < c->trunk_count; i++)
		for (uint32_t k = 0; c->trunk[i].worker == w->p.number &&
				     k < c->trunk[i].peer_count;
		     k++)
			start_peer(w, &c->trunk[i], k);
}

/* ---- another configuration -------------------------------------------------------- */

int worker_trunk_prepare(struct worker *w, struct config *next)
{
	const struct config *old = w->config;
	int err = ingress_trunk_numbers(w->calls, next);

	for (uint32_t i = 0; !err && i < old->trunk_count; i++) {
		const struct config_trunk *t = &old->trunk[i];
		const struct config_trunk *now =
			config_trunk_find(next, slice_str(t->name));

		if ((!now || !config_trunk_same_sources(t, now)) &&
		    calls_trunk_is_used(w->calls, t->number))
			err = formers_add(&w->formers, w->held, t);
	}
	if (!err)
		err = pipeline_room(w->pipeline, next);
	return err ? err : worker_core_room(w, next);
}

/* Is peer k of was still the same, and reached the same way? Listeners stay. */
static bool peer_stays(const struct config *c, const struct config_trunk *was,
		       const struct config_trunk *now, uint32_t k)
{
	const struct config_remote *r = &was->peer[k].remote;

	return now && k < now->peer_count &&
	       config_remote_eq(r, &now->peer[k].remote) &&
	       listener_of(c, was, r->transport, r->addr.family) ==
		       listener_of(c, now, r->transport, r->addr.family);
}

/* A peer that stays has another priority. */
static void renew_peer(struct worker *w, const struct config_trunk *trunk,
		       uint32_t peer)
{
	if (has_name(&trunk->peer[peer]))
		worker_core_repeat(w, owner_of(trunk->number, peer));
	else
		start_peer(w, trunk, peer);
}

static void stop_peer(struct worker *w, uint32_t number, uint32_t peer)
{
	uint32_t owner = owner_of(number, peer);
	struct event ev = {.kind = EVENT_CORE,
			   .core = {.trunk = number + 1, .manager = peer}};

	worker_core_unwatch(w, owner);
	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
	for (size_t i = 0; i < w->place_cap; i++)
		if (w->place[i].owner == owner)
			w->place[i].is_listed = false;
}

static void tell_gone(struct worker *w, uint32_t number)
{
	struct event ev = {.kind = EVENT_TRUNK,
			   .trunk = {.number = number, .is_gone = true}};

	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
}

static void move_peers(struct worker *w, const struct config_trunk *was,
		       const struct config_trunk *now)
{
	uint32_t n = was ? was->number : now->number;
	bool is_mine = (now ? now : was)->worker == w->p.number;

	for (uint32_t k = 0; is_mine && was && k < was->peer_count; k++)
		if (!peer_stays(w->config, was, now, k))
			stop_peer(w, n, k);
	for (uint32_t k = 0; is_mine && now && k < now->peer_count; k++)
		if (!was || k >= was->peer_count ||
		    !peer_stays(w->config, was, now, k))
			start_peer(w, now, k);
		else if (was->peer[k].priority != now->peer[k].priority)
			renew_peer(w, now, k);
}

void worker_trunk_reload(struct worker *w, const struct config *old)
{
	const struct config *c = w->config;

	set_numbers(w);
	tell(w);
	for (uint32_t i = 0; i < old->trunk_count; i++) {
		const struct config_trunk *t = &old->trunk[i];

		if (config_trunk_find(c, slice_str(t->name)))
			continue;
		move_peers(w, t, NULL);
		tell_gone(w, t->number);
	}
	for (uint32_t i = 0; i < c->trunk_count; i++)
		move_peers(w,
			   config_trunk_find(old, slice_str(c->trunk[i].name)),
			   &c->trunk[i]);
	mark_conns(w);
}

/* ---- what is gone, but goes on ----------------------------------------------------- */

static bool former_goes_on(void *ctx, const struct config_trunk *t)
{
	struct worker *w = ctx;

	if (config_trunk_find(w->config, slice_str(t->name)))
		return calls_trunk_is_used(w->calls, t->number);
	tell_gone(w, t->number);
	return calls_trunk_is_known(w->calls, t->number);
}

static void former_gone(void *ctx, const struct config_trunk *t)
{
	struct worker *w = ctx;
	struct conn *c = NULL;
	size_t at = 0;

	while ((c = conns_next(&w->conns, &at, c))) {
		if (c->trunk != t && !(c->trunk && c->is_former &&
				       c->trunk->number == t->number))
			continue;
		c->trunk = NULL;
		transport_close(w->transport, c->ep,
				"the trunk is not there any more");
	}
	if (w->trunk_at[t->number] == t)
		w->trunk_at[t->number] = NULL;
	pipeline_forget_trunk(w->pipeline, t, loop_now_ms(w->loop));
}

struct slice worker_trunk_gone(const struct worker *w, uint32_t number)
{
	const struct config_trunk *t = w->trunk_at[number];

	return t && !config_trunk_find(w->config, slice_str(t->name))
		       ? slice_str(t->name)
		       : SLICE_NULL;
}

bool worker_trunk_sweep(struct worker *w)
{
	bool is_any =
		formers_sweep(&w->formers, former_goes_on, former_gone, w);

	is_any |= worker_core_unlist(w);
	return is_any;
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
	if (!c->trunk) {
		c->trunk = formers_identify(&w->formers, w->config, q);
		c->is_former = c->trunk != NULL;
	}
	/* Without TLS it is heard, where each request is to be refused. */
	if (c->trunk || l->serves == CONFIG_BOTH ||
	    (!q->is_tls && l->unknown == CONFIG_UNKNOWN_REFUSE))
		return CONN_REFUSAL_NONE;
	return CONN_REFUSAL_TRUNK;
}

/* We connected: to a peer, or to where one was that has calls. */
static enum conn_refusal bind_outgoing(struct worker *w, struct conn *c,
				       uint32_t number,
				       const struct config_claim *q)
{
	c->trunk = w->trunk_at[number];
	c->is_former = !worker_core_is_listed(w, c->origin);
	if (!c->trunk || (q->is_tls && !config_trunk_names(c->trunk, q->name,
							   q->name_count)))
		return CONN_REFUSAL_TRUNK;
	return CONN_REFUSAL_NONE;
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
		why = bind_outgoing(w, c, peer->tag - WORKER_TAG_TRUNK, &q);
	else
		why = bind_incoming(w, c, &q);
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

/* ---- connections under another configuration --------------------------------------- */

static bool close_conn(struct worker *w, struct conn *c, const char *why)
{
	/* conn_down follows later: its configuration may be gone then. */
	c->trunk = NULL;
	transport_close(w->transport, c->ep, why);
	return true;
}

/* A connection to a listener, of nobody: may it be somebody's now? */
static bool judge_nobodys(struct worker *w, struct conn *c)
{
	const struct config_listener *l;
	struct config_claim q = {.listener = c->listener,
				 .source = c->dest.peer};

	if (c->side == SIDE_CORE || c->listener >= w->config->listener_count)
		return false;
	l = &w->config->listener[c->listener];
	if (l->serves == CONFIG_PHONES || c->device || c->dest.is_tls ||
	    !config_trunk_identify(w->config, &q))
		return false;
	return close_conn(w, c, "its address has become a trunk's");
}

/* Do listener and source of a connection to us, which was let in, still make
 * it t's? Its certificate is not asked again. */
static bool comes_still(const struct config_trunk *t, const struct conn *c)
{
	return (t->listener_bits >> c->listener & 1) &&
	       (t->identify == CONFIG_IDENTIFY_CERTIFICATE ||
		config_trunk_has_source(t, &c->dest.peer));
}

bool worker_trunk_judge(struct worker *w, struct conn *c)
{
	const struct config_trunk *was = c->trunk;
	const struct config_trunk *now;

	if (!was)
		return judge_nobodys(w, c);
	now = config_trunk_find(w->config, slice_str(was->name));
	if (now && c->dest.is_tls && !config_trunk_same_names(was, now))
		return close_conn(w, c, "its trunk is told by other names now");
	c->trunk = now ? now : formers_find(&w->formers, slice_str(was->name));
	if (!c->trunk)
		return close_conn(w, c, "the trunk is configured no more");
	if (c->listener >= w->config->listener_count)
		return false; /* our own: mark_conns has looked */
	c->is_former = !now || !comes_still(now, c);
	if (c->is_former && !calls_trunk_is_used(w->calls, c->trunk->number))
		return close_conn(w, c, "the trunk comes from elsewhere now");
	return false;
}
