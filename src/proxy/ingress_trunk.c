/*
 * Stages 1, 4 and 5 for trunks: whose a message is, by what its section asks
 * for, and whether the profile lets it in. A message from inside is looked at
 * for the trunk that it is meant for.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "config/config.h"
#include "proxy/pipeline.h"

uint32_t ingress_trunk_number(const struct config *c,
			      const struct config_trunk *t)
{
	return (uint32_t)(t - c->trunk);
}

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
static const struct config_trunk *whose(const struct ingress *in,
					const struct unit *u)
{
	const struct config_listener *l = listener_of(in, u);
	struct config_claim q = {.listener = u->listener,
				 .source = u->from.peer};

	if (u->conn)
		return u->conn->trunk;
	if (!l || l->serves == CONFIG_PHONES)
		return NULL;
	return config_trunk_identify(in->config, &q);
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
	if (in->config->trunk_count == 0)
		return;
	u->trunk = u->side == SIDE_CORE ? for_whom(in, calls, u) : whose(in, u);
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
	return &in->gate[ingress_trunk_number(in->config, u->trunk)];
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
	    u->msg.method != SIP_METHOD_OPTIONS) {
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
	struct sip_uri uri;

	if (!u->trunk->profile->digest)
		return false;
	/* OPTIONS that asks whether we are there is not worth a challenge:
	 * peers count it as an answer that we are, and nothing more. */
	return u->msg.method != SIP_METHOD_OPTIONS || u->msg.to_tag.len > 0 ||
	       sip_uri_parse(u->msg.ruri, &uri) != 0 || uri.user.len > 0;
}

int ingress_trunk_config(struct ingress *in, uint64_t now_ms)
{
	const struct config *c = in->config;

	if (!in->gate) {
		in->gate = alloc_array(c->trunk_count + 1U, sizeof(*in->gate));
		if (!in->gate)
			return ERR_NOMEM;
		in->gate_count = c->trunk_count;
		for (uint32_t i = 0; i < c->trunk_count; i++) {
			bucket_init(&in->gate[i].requests, 0, 1, now_ms);
			bucket_init(&in->gate[i].calls, 0, 1, now_ms);
			/* Full, whatever the burst will be. */
			in->gate[i].requests.level_ms = UINT64_MAX / 2;
			in->gate[i].calls.level_ms = UINT64_MAX / 2;
		}
	}
	/* Trunks do not come and go without a restart. */
	for (uint32_t i = 0; i < c->trunk_count && i < in->gate_count; i++) {
		const struct config_trunk_profile *p = c->trunk[i].profile;

		bucket_set(&in->gate[i].requests, p->request_rate,
			   p->request_burst);
		bucket_set(&in->gate[i].calls, p->call_rate, p->request_burst);
	}
	return 0;
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
				    .nat = p->nat};
	ingress_media_policy(&m, ret);
}
