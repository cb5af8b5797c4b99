#include "transport/transport.h"

#include "base/alloc.h"
#include "log/log.h"
#include "tls/random.h"
#include "transport/internal.h"

enum { LOG_RATE = 5, LOG_BURST = 20 };

static uint32_t or_default(uint32_t v, uint32_t def)
{
	return v > 0 ? v : def;
}

static struct transport_limits resolve(const struct transport_limits *l)
{
	return (struct transport_limits){
		.conn_max = or_default(l->conn_max, 4096),
		.conn_source_max = or_default(l->conn_source_max, 64),
		.pending_max = or_default(l->pending_max, 512),
		.pending_source_max = or_default(l->pending_source_max, 16),
		.read_max = or_default(l->read_max, 81920),
		.write_max = or_default(l->write_max, 262144),
		.handshake_ms = or_default(l->handshake_ms, 5000),
		.first_ms = or_default(l->first_ms, 10000),
		.rest_ms = or_default(l->rest_ms, 10000),
		.idle_ms = or_default(l->idle_ms, 900000),
		.linger_ms = or_default(l->linger_ms, 2000),
		.retry_ms = or_default(l->retry_ms, 1000),
	};
}

/* Handles: listeners and connectors, what is accepted, what we connect to. */
static uint32_t handles_max(const struct transport_limits *l)
{
	return EP_MAX + 2 * l->conn_max + transport_outgoing_max(l);
}

int transport_new(const struct transport_params *p, struct transport **ret)
{
	struct transport *t = alloc_zero(sizeof(*t));
	struct entropy e = tls_entropy();

	if (!t)
		return ERR_NOMEM;
	t->scratch = alloc_array(2, SCRATCH_LEN);
	if (!t->scratch) {
		(void)alloc_free(t);
		return ERR_NOMEM;
	}
	t->loop = p->loop;
	t->cb = p->cb;
	t->ctx = p->ctx;
	t->limits = resolve(&p->limits);
	slots_init(&t->eps, handles_max(&t->limits));
	list_init(&t->conns);
	list_init(&t->waiting);
	turns_init(t);
	table_init(&t->sources, t->limits.conn_max, entropy_u64(&e));
	bucket_init(&t->log_bucket, LOG_RATE, LOG_BURST, loop_now_ms(p->loop));
	*ret = t;
	return 0;
}

void transport_set_limits(struct transport *t, const struct transport_limits *l)
{
	t->limits = resolve(l);
	t->limits.conn_max = l->conn_max; /* a share may have come to 0 */
	t->eps.limit = handles_max(&t->limits);
	t->sources.limit = t->limits.conn_max;
}

static void ep_free(struct ep *ep)
{
	switch (ep->kind) {
	case EP_LISTENER:
		listener_free((struct listener *)(void *)ep);
		break;
	case EP_DGRAM:
		dgram_free((struct dgram *)(void *)ep);
		break;
	case EP_CONNECTOR:
		connector_free((struct connector *)(void *)ep);
		break;
	case EP_CONN:
		conn_free((struct conn *)(void *)ep);
		break;
	}
}

struct transport *transport_free(struct transport *t)
{
	struct list *pos;
	struct list *tmp;
	struct ep *ep;
	uint32_t i = 0;

	if (!t)
		return NULL;
	/* First the connections, also those without a handle. */
	list_for_each_safe(pos, tmp, &t->conns)
		conn_free(LIST_ENTRY(pos, struct conn, node));
	while ((ep = slots_next(&t->eps, &i)) != NULL)
		ep_free(ep);
	turns_done(t);
	slots_done(&t->eps);
	table_done(&t->sources);
	(void)alloc_free(t->scratch);
	(void)alloc_free(t->dgrams);
	return alloc_free(t);
}

uint32_t transport_outgoing_max(const struct transport_limits *l)
{
	return EP_MAX + 2 * l->conn_max;
}

bool transport_may_log(struct transport *t)
{
	if (!bucket_take(&t->log_bucket, loop_now_ms(t->loop))) {
		t->log_muted++;
		return false;
	}
	if (t->log_muted > 0)
		log_warn("transport: similar lines were left out count=%llu",
			 (unsigned long long)t->log_muted);
	t->log_muted = 0;
	return true;
}

int transport_ep_add(struct transport *t, struct ep *ep, enum ep_kind kind,
		     uint32_t tag)
{
	int err;

	if (kind != EP_CONN &&
	    t->ep_count >=
		    EP_MAX + (kind == EP_CONNECTOR ? t->limits.conn_max : 0))
		return ERR_LIMIT;
	err = slots_add(&t->eps, ep, &ep->h);
	if (err)
		return err;
	if (kind != EP_CONN)
		t->ep_count++;
	ep->kind = kind;
	ep->t = t;
	ep->tag = tag;
	return 0;
}

struct ep *transport_ep_find(const struct transport *t, struct handle h,
			     enum ep_kind kind)
{
	struct ep *ep = slots_find(&t->eps, h);

	return ep && ep->kind == kind ? ep : NULL;
}

static struct conn *find_conn(const struct transport *t, struct handle h)
{
	return (struct conn *)(void *)transport_ep_find(t, h, EP_CONN);
}

int transport_send(struct transport *t, const struct dest *d,
		   struct slice bytes)
{
	struct ep *ep = slots_find(&t->eps, d->ep);

	if (!ep)
		return ERR_NOTFOUND;
	switch (ep->kind) {
	case EP_CONN:
		return conn_send((struct conn *)(void *)ep, bytes);
	case EP_CONNECTOR:
		return connector_send((struct connector *)(void *)ep, bytes);
	case EP_DGRAM:
		return dgram_send((struct dgram *)(void *)ep, d, bytes);
	case EP_LISTENER:
		break;
	}
	return ERR_UNSUPPORTED;
}

void transport_close(struct transport *t, struct handle conn,
		     const char *reason)
{
	struct conn *c = find_conn(t, conn);

	if (!c)
		return;
	t->stats.closed_by_caller++;
	conn_close(c, reason);
}

void transport_resume(struct transport *t, struct handle conn)
{
	struct ep *ep = transport_ep_find(t, conn, EP_CONN);

	if (ep)
		conn_resume((struct conn *)(void *)ep);
}

void transport_trust(struct transport *t, struct handle conn)
{
	struct conn *c = find_conn(t, conn);

	if (c)
		conn_trust(c);
}

int transport_peer(const struct transport *t, struct handle conn,
		   struct transport_peer *ret)
{
	const struct conn *c = find_conn(t, conn);

	if (!c)
		return ERR_NOTFOUND;
	conn_peer(c, ret);
	return 0;
}

int transport_dest(const struct transport *t, struct handle conn,
		   struct dest *ret)
{
	const struct conn *c = find_conn(t, conn);

	if (!c)
		return ERR_NOTFOUND;
	*ret = (struct dest){.ep = c->ep.h,
			     .peer = c->peer,
			     .local = c->local,
			     .is_reliable = true,
			     .is_tls = c->proto == TRANSPORT_TLS};
	return 0;
}

int transport_local(const struct transport *t, struct handle ep,
		    struct addr *ret)
{
	const struct ep *e = slots_find(&t->eps, ep);

	if (!e)
		return ERR_NOTFOUND;
	switch (e->kind) {
	case EP_LISTENER:
		*ret = ((const struct listener *)(const void *)e)->local;
		return 0;
	case EP_DGRAM:
		*ret = ((const struct dgram *)(const void *)e)->local;
		return 0;
	case EP_CONN:
		*ret = ((const struct conn *)(const void *)e)->local;
		return 0;
	case EP_CONNECTOR:
		break;
	}
	return ERR_NOTFOUND;
}

const struct transport_stats *transport_stats(const struct transport *t)
{
	return &t->stats;
}

const char *transport_proto_str(enum transport_proto p)
{
	switch (p) {
	case TRANSPORT_UDP:
		return "udp";
	case TRANSPORT_TCP:
		return "tcp";
	case TRANSPORT_TLS:
		return "tls";
	case TRANSPORT_PROTO_COUNT:
		break;
	}
	return "unknown";
}
