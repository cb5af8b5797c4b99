/*
 * A worker's Skinny: messages off the streams of phones and call managers, who
 * a phone is, and its connection to a call manager. The call machine says when
 * that is wanted (ACTION_SCCP_LINK); here a connector is made for it, used
 * once.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "log/log.h"
#include "proxy/worker_int.h"
#include "sccp/frame.h"

/* A phone's way to a call manager, from the wish to the connection's end. */
struct sccp_link {
	struct table_node by_connector;
	struct table_node by_id;
	uint8_t key[8];
	uint64_t id;			/* the call machine's */
	bool is_question;		/* is it there? Nobody waits for it */
	struct handle connector;	/* none: it could not even be made */
	char name[CONFIG_NAME_MAX + 1]; /* the call manager's */
	uint32_t place;			/* in worker_sccp.down_until_ms */
	struct list failed; /* linked: the call machine is to hear of it */
};

/* ---- links --------------------------------------------------------------------- */

static struct sccp_link *find_link(const struct worker *w,
				   struct handle connector)
{
	uint64_t v = handle_u64(connector);
	uint8_t key[8];

	memcpy(key, &v, sizeof(v));
	return TABLE_ENTRY(
		table_find(&w->sccp.by_connector, slice_make(key, sizeof(key))),
		struct sccp_link, by_connector);
}

static struct sccp_link *find_id(const struct worker *w, uint64_t id)
{
	return TABLE_ENTRY(
		table_find(&w->sccp.by_id, slice_make(&id, sizeof(id))),
		struct sccp_link, by_id);
}

static void link_free(struct worker *w, struct sccp_link *l)
{
	struct handle h = l->connector;

	table_del(&w->sccp.by_connector, &l->by_connector);
	table_del(&w->sccp.by_id, &l->by_id);
	list_del(&l->failed);
	alloc_free(l);
	if (!handle_is_none(h))
		transport_connector_del(w->transport, h);
}

static void tell_link(struct worker *w, uint64_t id, const struct dest *d,
		      const char *manager)
{
	struct event ev = {.kind = EVENT_SCCP_LINK,
			   .link = {.id = id, .manager = slice_str(manager)}};

	if (d)
		ev.link.dest = *d;
	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
}

/* From the loop: the call machine is in the middle of something when it asks
 * for a link. */
static void tell_failed(void *arg)
{
	struct worker *w = arg;

	while (!list_empty(&w->sccp.failed)) {
		struct sccp_link *l = LIST_ENTRY(w->sccp.failed.next,
						 struct sccp_link, failed);
		uint64_t id = l->id;
		bool is_question = l->is_question;

		link_free(w, l);
		if (!is_question)
			tell_link(w, id, NULL, "");
	}
}

static void link_fail(struct worker *w, struct sccp_link *l)
{
	list_del(&l->failed);
	list_append(&w->sccp.failed, &l->failed);
	loop_work_add(w->loop, &w->sccp.failed_work);
}

/* The call manager with this number could not be reached. */
static void take_down(struct worker *w, uint32_t place)
{
	sccp_health_down(&w->sccp.health[place], loop_now_ms(w->loop));
	if (place < w->config->sccp_manager_count)
		worker_sccp_avoid(w, &w->config->sccp_manager[place]);
}

/* Is another one of this listener believed to be up, where this one is not? */
static bool is_passed_over(const struct worker *w,
			   const struct config_listener *l, uint32_t n)
{
	const struct config *c = w->config;
	uint64_t now = loop_now_ms(w->loop);
	const struct config_sccp_manager *m = config_sccp_manager_of(c, l, n);

	if (!sccp_health_is_down(&w->sccp.health[m - c->sccp_manager], now))
		return false;
	for (uint32_t i = 0; (m = config_sccp_manager_of(c, l, i)); i++)
		if (!sccp_health_is_down(&w->sccp.health[m - c->sccp_manager],
					 now))
			return true;
	return false;
}

static int connect_link(struct worker *w, struct sccp_link *l,
			const struct config_sccp_manager *m)
{
	struct transport_connect cp;
	struct dest d = {.is_reliable = true};
	uint64_t v;
	int err = worker_sccp_way(w, m, &cp);

	if (err)
		return err;
	if (m->source_count > 0)
		cp.local = m->source[w->sccp.next_source++ % m->source_count];
	err = transport_connector(w->transport, &cp, &l->connector);
	if (err)
		return err;
	v = handle_u64(l->connector);
	memcpy(l->key, &v, sizeof(v));
	err = table_add(&w->sccp.by_connector, &l->by_connector,
			slice_make(l->key, sizeof(l->key)));
	d.ep = l->connector;
	/* Nothing to send yet, but somebody is to be there. */
	return err ? err : transport_send(w->transport, &d, SLICE_NULL);
}

static struct sccp_link *link_new(struct worker *w, uint64_t id)
{
	struct sccp_link *l = alloc_zero(sizeof(*l));

	if (!l)
		return NULL;
	list_init(&l->failed);
	l->id = id;
	if (table_add(&w->sccp.by_id, &l->by_id,
		      slice_make(&l->id, sizeof(l->id))) != 0)
		return alloc_free(l);
	return l;
}

static void try_link(struct worker *w, struct sccp_link *l,
		     const struct config_sccp_manager *m)
{
	l->place = (uint32_t)(m - w->config->sccp_manager);
	/* A name of the configuration fits. */
	(void)snprintf(l->name, sizeof(l->name), "%s", m->name);
	if (connect_link(w, l, m) != 0) {
		take_down(w, l->place);
		link_fail(w, l);
	}
}

static void begin_link(struct worker *w, const struct action *a)
{
	const struct config_listener *at = &w->config->listener[a->link[0]];
	const struct config_sccp_manager *m =
		config_sccp_manager_of(w->config, at, a->link[1]);
	struct sccp_link *l = link_new(w, a->id);

	/* Without memory the phone's own deadline ends it. */
	if (!l)
		return;
	if (!m || is_passed_over(w, at, a->link[1]))
		link_fail(w, l);
	else
		try_link(w, l, m);
}

void worker_sccp_ask(struct worker *w, const struct config_sccp_manager *m)
{
	/* No handle of the call machine's is so great. */
	uint64_t id = UINT64_MAX - (uint64_t)(m - w->config->sccp_manager);
	struct sccp_link *l = find_id(w, id) ? NULL : link_new(w, id);

	if (!l)
		return;
	l->is_question = true;
	try_link(w, l, m);
}

void worker_sccp_link(struct worker *w, const struct action *a)
{
	struct sccp_link *l;

	if (a->kind == ACTION_SCCP_LINK) {
		begin_link(w, a);
		return;
	}
	l = find_id(w, a->id);
	if (l)
		link_free(w, l);
}

bool worker_sccp_failed(struct worker *w, struct handle connector)
{
	struct sccp_link *l = find_link(w, connector);
	bool is_question;
	uint64_t id;

	if (!l)
		return false;
	id = l->id;
	is_question = l->is_question;
	take_down(w, l->place);
	link_free(w, l);
	if (!is_question)
		tell_link(w, id, NULL, "");
	return true;
}

bool worker_sccp_up(struct worker *w, const struct conn *c)
{
	struct sccp_link *l = find_link(w, c->origin);

	if (!l)
		return false;
	sccp_health_up(&w->sccp.health[l->place], loop_now_ms(w->loop));
	if (l->is_question)
		return false; /* it is there, that is all */
	tell_link(w, l->id, &c->dest, l->name);
	return true;
}

void worker_sccp_down(struct worker *w, struct handle connector)
{
	struct sccp_link *l = find_link(w, connector);

	if (l)
		link_free(w, l);
}

int worker_sccp_init(struct worker *w)
{
	size_t limit = (size_t)w->config->limits.connections + 64;

	table_init(&w->sccp.by_connector, limit, entropy_u64(&w->p.entropy));
	table_init(&w->sccp.by_id, limit, entropy_u64(&w->p.entropy));
	list_init(&w->sccp.failed);
	loop_work_init(&w->sccp.failed_work, tell_failed, w);
	w->sccp.name =
		alloc_array(CONFIG_SCCP_MANAGERS_MAX, sizeof(*w->sccp.name));
	if (!w->sccp.name)
		return ERR_NOMEM;
	worker_sccp_back_init(w);
	return 0;
}

void worker_sccp_done(struct worker *w)
{
	loop_work_del(&w->sccp.failed_work);
	worker_sccp_back_done(w);
	alloc_free(w->sccp.name);
	for (size_t i = 0; i < w->sccp.by_id.cap; i++) {
		struct table_node *n = w->sccp.by_id.bucket[i];

		while (n) {
			struct sccp_link *l =
				TABLE_ENTRY(n, struct sccp_link, by_id);

			n = n->next;
			alloc_free(l);
		}
	}
	table_done(&w->sccp.by_connector);
	table_done(&w->sccp.by_id);
}

/* ---- messages -------------------------------------------------------------------- */

/* A phone without a certificate says who it is; it may be so where its device
 * needs no more. */
static void name_device(struct worker *w, struct conn *c,
			const struct sccp_msg *m)
{
	const struct config_device *d;

	if (c->sig != SIG_NONSECURE ||
	    (m->id != SCCP_REGISTER && m->id != SCCP_TOKEN_REQ &&
	     m->id != SCCP_SPCP_TOKEN_REQ))
		return;
	d = config_device_find(w->config, sccp_text(m, SCCP_NAME));
	/* Skinny knows no digest: who has to prove a password cannot here. */
	if (!d || d->digest || !ingress_mode_allows(w->config, d, c->sig))
		return;
	c->device = d;
	transport_trust(w->transport, c->ep);
}

static uint32_t manager_count(const struct worker *w,
			      const struct config_listener *l)
{
	uint32_t n = 0;

	while (config_sccp_manager_of(w->config, l, n))
		n++;
	return n;
}

static void fill_phone(struct worker *w, struct conn *c,
		       const struct sccp_msg *m, struct call_policy *policy,
		       struct event_sccp *ev)
{
	const struct config_device *d = c->device;

	ev->sig = c->sig;
	ev->listener = c->listener;
	ev->manager_count = manager_count(w, &w->config->listener[c->listener]);
	if (!d || !ingress_mode_allows(w->config, d, c->sig))
		return;
	ev->device = slice_str(d->name);
	/* What it may is looked at when it says which model it is. */
	if (m->id != SCCP_REGISTER)
		return;
	ingress_sccp_policy(w->config, d, sccp_u32(m, SCCP_MODEL), policy,
			    &ev->traits);
	ev->policy = policy;
	if (config_device_asks_rights(d) && worker_may_log(w))
		log_warn("calling-rights and presence-group have no effect "
			 "over Skinny device=%s",
			 d->name);
}

long worker_sccp_data(struct worker *w, struct conn *c, struct slice bytes,
		      const char **reterr_reason)
{
	struct event ev = {.kind = EVENT_SCCP};
	struct call_policy policy;
	struct sccp_pdu pdu;
	struct sccp_msg m;
	int err = sccp_frame(bytes, SCCP_PDU_MAX, &pdu);

	if (err == ERR_MORE)
		return 0;
	if (err) {
		*reterr_reason = err == ERR_LIMIT ? "Skinny message too long"
						  : "no Skinny";
		return err;
	}
	sccp_msg_parse(&pdu, &m);
	if (c->side == SIDE_PHONE)
		name_device(w, c, &m);
	ev.sccp = (struct event_sccp){
		.msg = &m, .from = c->dest, .side = c->side};
	if (c->side == SIDE_PHONE)
		fill_phone(w, c, &m, &policy, &ev.sccp);
	if (pipeline_sccp(w->pipeline, &ev, loop_now_ms(w->loop)) != 0) {
		*reterr_reason = "too many Skinny messages";
		return ERR_LIMIT;
	}
	return (long)pdu.bytes.len;
}

/* ---- what an operator asks for ------------------------------------------------------ */

static bool is_meant(const struct worker *w, const struct worker_phones *of,
		     struct slice device)
{
	const struct config_device *d;

	if (device.len == 0 ||
	    (of->device.len > 0 && !text_ieq(of->device, device)))
		return false;
	if (of->pool.len == 0)
		return true;
	d = config_device_find(w->config, device);
	return d && slice_eqs(of->pool, d->pool);
}

/* Those that speak SIP; each of their bindings is asked, and one answers for
 * the phone. */
static uint32_t reset_sip(struct worker *w, const struct worker_phones *of,
			  enum phone_reset type)
{
	uint64_t now = loop_now_ms(w->loop);
	struct binding_info i;
	uint32_t pos = 0;
	uint32_t n = 0;

	while (bindings_next(w->calls, &pos, &i)) {
		struct actions out = {.item = NULL};

		if (!is_meant(w, of, i.device))
			continue;
		n += binding_reset(w->calls, i.token, type, now, &out) == 0;
		egress_run(w->egress, &out, now);
	}
	return n;
}

uint32_t worker_reset(struct worker *w, const struct worker_phones *of,
		      enum phone_reset type)
{
	uint64_t now = loop_now_ms(w->loop);
	struct sccp_info i;
	uint32_t pos = 0;
	uint32_t n = reset_sip(w, of, type);

	while (sccp_next(w->calls, &pos, &i)) {
		struct actions out = {.item = NULL};

		if (!is_meant(w, of, i.device))
			continue;
		n += sccp_reset(w->calls, i.device, type, now, &out) == 0;
		egress_run(w->egress, &out, now);
	}
	return n;
}

uint32_t worker_sccp_judge(struct worker *w)
{
	uint64_t now = loop_now_ms(w->loop);
	struct sccp_info i;
	uint32_t pos = 0;
	uint32_t n = 0;

	while (sccp_next(w->calls, &pos, &i)) {
		const struct config_device *d;
		struct actions out = {.item = NULL};
		struct sccp_traits traits = {.encrypts = true};
		struct call_policy policy;
		bool stays;

		if (i.device.len == 0)
			continue;
		d = config_device_find(w->config, i.device);
		stays = d && ingress_mode_allows(w->config, d, i.sig);
		if (stays)
			ingress_sccp_policy(w->config, d, i.model, &policy,
					    &traits);
		/* Streams without a phone stay as they are, or end. */
		if (stays && i.is_kept)
			continue;
		n += !stays && !i.is_kept;
		/* Without memory it goes on under the policy it had. */
		if (sccp_policy(w->calls, i.id, stays ? &policy : NULL, &traits,
				now, &out) != 0)
			log_error("no memory for the policy of a phone");
		egress_run(w->egress, &out, now);
	}
	return n;
}

struct sccp_params worker_sccp_params(const struct config *c)
{
	static const enum sccp_verdict verdicts[] = {
		[CONFIG_SCCP_ALLOW] = SCCP_ALLOW,
		[CONFIG_SCCP_DROP] = SCCP_DROP,
		[CONFIG_SCCP_LOG] = SCCP_LOG,
		[CONFIG_SCCP_RATE] = SCCP_RATE,
	};
	struct sccp_params p = {.version_max = c->sccp.version_max,
				.phone_limit = c->limits.connections,
				.call_rate = c->sccp.call_rate};

	for (uint32_t i = 0;
	     i < c->sccp.rules.count && p.rule_count < SCCP_RULES_MAX; i++) {
		struct config_sccp_rule r;

		/* It was checked when the configuration was built. */
		if (config_sccp_rule_parse(slice_str(c->sccp.rules.item[i]),
					   &r) == 0)
			p.rule[p.rule_count++] = (struct sccp_rule){
				.first = r.first,
				.last = r.last,
				.verdict = verdicts[r.verdict],
				.rate = r.rate};
	}
	return p;
}
