/*
 * Stages 1, 4 and 5 for trunks: whose a message is, by what its section asks
 * for, and whether the profile lets it in. A message from inside is looked at
 * for the trunk that it is meant for.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "config/config.h"
#include "proxy/pipeline.h"

static const struct config_listener *listener_of(const struct ingress *in,
						 const struct unit *u)
{
	return u->listener < in->config->listener_count
		       ? &in->config->listener[u->listener]
		       : NULL;
}

bool ingress_is_for_trunks(const struct ingress *in, const struct unit *u)
{
	const struct config_listener *l = listener_of(in, u);

	return l && l->serves == CONFIG_TRUNKS;
}

/* A connection's was found when it came up. */
static const struct config_trunk *
whose(const struct ingress *in, const struct unit *u, bool *ret_is_former)
{
	const struct config_trunk *t;

	const struct config_listener *l = listener_of(in, u);
	struct config_claim q = {.listener = u->listener,
				 .source = u->from.peer};

	*ret_is_former = u->conn && u->conn->is_former;
	if (u->conn)
		return u->conn->trunk;
	if (!l || l->serves == CONFIG_PHONES)
		return NULL;
	t = config_trunk_identify(in->config, &q);
	if (t)
		return t;
	t = formers_identify(in->formers, in->config, &q);
	*ret_is_former = t != NULL;
	return t;
}

/* By the address it came in at, or by the call manager it came from over a
 * connection that we made. */
static const struct config_trunk *by_way(const struct ingress *in,
					 const struct calls *calls,
					 const struct unit *u)
{
	const struct config *c = in->config;
	uint32_t trunk = CONFIG_TRUNK_NONE;
	uint32_t k;

	for (k = 0; k < c->call_manager_count; k++) {
		struct addr a =
			config_local_address(&c->call_manager[k], in->worker);

		if (addr_eq(&a, &u->from.local))
			trunk = c->call_manager[k].own_trunk;
	}
	if (trunk == CONFIG_TRUNK_NONE && u->from.is_reliable) {
		k = calls_manager(calls, &u->from.peer);
		if (k < c->call_manager_count)
			trunk = c->call_manager[k].own_trunk;
	}
	return trunk < c->trunk_count ? &c->trunk[trunk] : NULL;
}

static const struct config_trunk *for_whom(const struct ingress *in,
					   const struct calls *calls,
					   const struct unit *u)
{
	const struct config_trunk *t = NULL;
	struct sip_uri uri;

	if (!u->msg.is_request || u->msg.to_tag.len > 0)
		return NULL;
	if (sip_uri_parse(u->msg.ruri, &uri) == 0)
		t = config_trunk_by_host(in->config, uri.host);
	if (!t)
		t = by_way(in, calls, u);
	return t && t->direction != CONFIG_DIRECTION_IN ? t : NULL;
}

void ingress_trunk_find(const struct ingress *in, const struct calls *calls,
			struct unit *u)
{
	u->trunk = u->side == SIDE_CORE ? for_whom(in, calls, u)
					: whose(in, u, &u->is_former);
}

/* ---- what its profile allows -------------------------------------------------- */

static enum config_transport transport_of(const struct dest *d)
{
	return d->is_tls	? CONFIG_TLS
	       : d->is_reliable ? CONFIG_TCP
				: CONFIG_UDP;
}

static bool mode_allows(const struct config_trunk_profile *p,
			const struct unit *u)
{
	if (!config_profile_may_come(p, transport_of(&u->from)))
		return false;
	switch (p->security_mode) {
	case CONFIG_DEVICE_NONSECURE:
		return true;
	case CONFIG_DEVICE_AUTHENTICATED:
		return u->sig != SIG_NONSECURE;
	case CONFIG_DEVICE_ENCRYPTED:
		return u->sig == SIG_ENCRYPTED;
	}
	return false;
}

static struct trunk_gate *gate_of(const struct ingress *in,
				  const struct unit *u)
{
	return &in->gate[u->trunk->number];
}

bool ingress_trunk_rate(struct ingress *in, const struct unit *u,
			uint64_t now_ms)
{
	struct trunk_gate *g = gate_of(in, u);

	/* What ends or acknowledges something is never too much. */
	if (!u->msg.is_request || u->msg.method == SIP_METHOD_ACK ||
	    u->msg.method == SIP_METHOD_CANCEL)
		return true;
	g->count.requests++;
	if (bucket_take(&g->requests, now_ms))
		return true;
	g->count.over++;
	return false;
}

/* OPTIONS that asks whether we are there, and about nobody behind us. */
static bool is_probe(const struct unit *u)
{
	struct sip_uri uri;

	return u->msg.method == SIP_METHOD_OPTIONS && u->msg.to_tag.len == 0 &&
	       sip_uri_parse(u->msg.ruri, &uri) == 0 && uri.user.len == 0;
}

bool ingress_trunk_is_new(const struct unit *u)
{
	return u->is_former && u->msg.is_request && u->msg.to_tag.len == 0 &&
	       u->msg.method != SIP_METHOD_ACK &&
	       u->msg.method != SIP_METHOD_CANCEL;
}

enum pipeline_stop ingress_trunk_gate(struct ingress *in, const struct unit *u,
				      uint64_t now_ms)
{
	struct trunk_gate *g = gate_of(in, u);
	bool is_new = u->msg.to_tag.len == 0;

	if (!mode_allows(u->trunk->profile, u)) {
		g->count.refused++;
		return STOP_MODE;
	}
	/* That it asks whether we are there begins nothing. */
	if (is_new && u->trunk->direction == CONFIG_DIRECTION_OUT &&
	    !is_probe(u)) {
		g->count.refused++;
		return STOP_DIRECTION;
	}
	if (is_new && u->msg.method == SIP_METHOD_INVITE &&
	    !bucket_take(&g->calls, now_ms)) {
		g->count.over++;
		return STOP_TRUNK_RATE;
	}
	return STOP_NONE;
}

bool ingress_trunk_digest(const struct unit *u)
{
	/* A probe is not worth a challenge: peers count it as an answer that
	 * we are there, and nothing more. */
	return u->trunk->profile->digest && !is_probe(u);
}

/* ---- another configuration -------------------------------------------------------- */

int ingress_trunk_numbers(const struct calls *calls, struct config *next)
{
	uint32_t n;

	for (uint32_t i = 0; i < next->trunk_count; i++) {
		struct config_trunk *t = &next->trunk[i];

		t->number = calls_trunk_number(calls, slice_str(t->name));
	}
	n = 0;
	for (uint32_t i = 0; i < next->trunk_count; i++) {
		struct config_trunk *t = &next->trunk[i];

		if (t->number != UINT32_MAX)
			continue;
		while (n < PIPELINE_TRUNKS_MAX &&
		       calls_trunk_is_known(calls, n))
			n++;
		if (n == PIPELINE_TRUNKS_MAX)
			return ERR_LIMIT;
		t->number = n++;
	}
	return 0;
}

int ingress_trunk_room(struct ingress *in, const struct config *c)
{
	uint32_t count = in->gate_count;
	struct trunk_gate *g;

	for (uint32_t i = 0; i < c->trunk_count; i++)
		if (c->trunk[i].number >= count)
			count = c->trunk[i].number + 1;
	if (count == in->gate_count)
		return 0;
	g = alloc_resize(in->gate, count, sizeof(*g));
	if (!g)
		return ERR_NOMEM;
	for (uint32_t i = in->gate_count; i < count; i++)
		g[i] = (struct trunk_gate){.name = ""};
	in->gate = g;
	in->gate_count = count;
	return 0;
}

static void gate_init(struct trunk_gate *g, const char *name, uint64_t now_ms)
{
	*g = (struct trunk_gate){.name = ""};
	(void)snprintf(g->name, sizeof(g->name), "%s", name);
	bucket_init(&g->requests, 0, 1, now_ms);
	bucket_init(&g->calls, 0, 1, now_ms);
	/* Full, whatever the burst will be. */
	g->requests.level_ms = UINT64_MAX / 2;
	g->calls.level_ms = UINT64_MAX / 2;
}

void ingress_trunk_config(struct ingress *in, uint64_t now_ms)
{
	const struct config *c = in->config;

	for (uint32_t i = 0; i < c->trunk_count; i++) {
		const struct config_trunk_profile *p = c->trunk[i].profile;
		struct trunk_gate *g = &in->gate[c->trunk[i].number];

		/* The number may have been another trunk's. */
		if (strcmp(g->name, c->trunk[i].name) != 0)
			gate_init(g, c->trunk[i].name, now_ms);
		bucket_set(&g->requests, p->request_rate, p->request_burst);
		bucket_set(&g->calls, p->call_rate, p->request_burst);
	}
}

/* ---- as the call machine wants it ----------------------------------------------- */

void ingress_trunk_policy(const struct config_trunk *t, struct call_policy *ret)
{
	const struct config_trunk_profile *p = t->profile;
	struct media_terms m = {
		.policy = p->media,
		.suites = &p->suites,
		.offer_suites = &p->offer_suites,
		.srtp_offer = p->srtp_offer,
		.other_media = p->other_media,
	};

	*ret = (struct call_policy){.call_limit = p->call_limit,
				    .trusts_identity = p->trusts_identity,
				    .no_lock = !p->lock,
				    .no_unsolicited = !p->accept.notify,
				    .nat = p->nat};
	ingress_media_policy(&m, ret);
}
