#include "media/media.h"

#include "base/alloc.h"
#include "media/choose.h"
#include "media/joins.h"
#include "media/wire.h"

struct media {
	struct media_backend *backend;
	struct joins *joins;
	struct journal *journal; /* NULL: none */
	struct addr bind[MEDIA_BIND_MAX];
	uint32_t bind_count;
	uint16_t port_min, port_max;
};

static int make_backend(const struct media_params *p,
			struct media_backend **ret)
{
	struct media_backend *socket;
	int err;

	if (p->backend_count > 0)
		return media_choose_new(p->backend, p->backend_count, ret);
	err = media_socket_new(&p->socket, &socket);
	return err ? err : media_choose_new(&socket, 1, ret);
}

static void free_backends(const struct media_params *p)
{
	for (uint32_t i = 0; i < p->backend_count; i++)
		p->backend[i]->ops->free(p->backend[i]);
}

int media_new(const struct media_params *p, struct media **ret)
{
	struct media *m = NULL;
	int err = p->bind_count > MEDIA_BIND_MAX ? ERR_LIMIT : 0;

	if (!err && !(m = alloc_zero(sizeof(*m))))
		err = ERR_NOMEM;
	if (err) {
		free_backends(p);
		return err;
	}
	for (uint32_t i = 0; i < p->bind_count; i++)
		m->bind[i] = p->bind[i];
	m->bind_count = p->bind_count;
	m->journal = p->socket.journal;
	m->port_min = p->port_min;
	m->port_max = p->port_max;
	err = make_backend(p, &m->backend);
	if (!err && !(m->joins = joins_new(m->backend)))
		err = ERR_NOMEM;
	if (err) {
		media_free(m);
		return err;
	}
	*ret = m;
	return 0;
}

struct media *media_free(struct media *m)
{
	if (!m)
		return NULL;
	joins_free(m->joins);
	if (m->backend)
		m->backend->ops->free(m->backend);
	return alloc_free(m);
}

/* A worker parses what strangers send; should one of them take it over, it
 * must not get at other ports than the relay's through us. */
static bool is_ours(const struct media *m, const struct addr *a)
{
	bool found = m->bind_count == 0;

	for (uint32_t i = 0; i < m->bind_count; i++)
		found |= addr_ip_eq(a, &m->bind[i]);
	if (m->port_min == 0)
		return found;
	return found && a->port >= m->port_min && a->port < m->port_max;
}

static int del(struct media *m, uint64_t owner, uint64_t id,
	       struct flow_stats *ret)
{
	joins_remove(m->joins, owner, id);
	return m->backend->ops->remove(m->backend, owner, id, ret);
}

/* is_old: they were there before, in a media process that is gone. */
static int add(struct media *m, uint64_t owner, const struct media_request *rq,
	       bool is_old)
{
	const struct media_backend_ops *ops = m->backend->ops;
	int err;

	for (uint32_t i = 0; i < rq->flow_count; i++) {
		if (!is_ours(m, &rq->flow[i].local))
			return ERR_DENIED;
	}
	err = is_old ? ops->revive(m->backend, owner, rq->flow, rq->flow_count)
		     : ops->add(m->backend, owner, rq->flow, rq->flow_count);
	if (err)
		return err;
	for (uint32_t i = 0; !err && i < rq->flow_count; i++)
		err = joins_add(m->joins, owner, &rq->flow[i]);
	/* All or none. */
	for (uint32_t i = 0; err && i < rq->flow_count; i++)
		(void)del(m, owner, rq->flow[i].id, NULL);
	return err;
}

static int update(struct media *m, uint64_t owner, const struct flow *f)
{
	int err = m->backend->ops->update(m->backend, owner, f);

	if (!err)
		joins_update(m->joins, owner, f);
	return err;
}

/* Running flows go on, changed where the owner knows better; a stream of which
 * anything is missing is made again as a whole. */
static int claim(struct media *m, uint64_t owner,
		 const struct media_request *rq)
{
	struct flow_stats st;
	uint32_t found = 0;
	int err = 0;

	for (uint32_t i = 0; i < rq->flow_count; i++)
		found += m->backend->ops->query(m->backend, owner,
						rq->flow[i].id, &st) == 0;
	if (found < rq->flow_count) {
		for (uint32_t i = 0; i < rq->flow_count; i++)
			(void)del(m, owner, rq->flow[i].id, NULL);
		return add(m, owner, rq, true);
	}
	for (uint32_t i = 0; !err && i < rq->flow_count; i++)
		err = update(m, owner, &rq->flow[i]);
	for (uint32_t i = 0; !err && i < rq->flow_count; i++)
		joins_claim(m->joins, owner, rq->flow[i].id);
	return err;
}

static bool is_known(void *arg, uint64_t owner, uint64_t id)
{
	const struct media *m = arg;

	return joins_has(m->joins, owner, id);
}

/* What nobody claimed goes, also what a predecessor of this process left. */
static void sweep(struct media *m, uint64_t owner)
{
	uint64_t id;

	while (joins_unclaimed(m->joins, owner, &id))
		(void)del(m, owner, id, NULL);
	m->backend->ops->sweep(m->backend, owner);
	if (m->journal)
		journal_sweep(m->journal, owner, is_known, m);
}

static void flush(struct media *m, uint64_t owner)
{
	joins_flush(m->joins, owner);
	m->backend->ops->flush(m->backend, owner);
}

static uint32_t stats(struct media *m, uint64_t owner,
		      const struct media_request *rq, struct flow_stats *ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rq->id_count; i++) {
		if (!m->backend->ops->query(m->backend, owner, rq->id[i],
					    &ret[n]))
			n++;
	}
	return n;
}

int media_request_do(struct media *m, uint64_t owner, struct slice msg,
		     struct writer *answer)
{
	const struct media_backend_ops *ops = m->backend->ops;
	struct flow_stats st[MEDIA_WIRE_STATS_MAX] = {0};
	struct media_request rq;
	uint32_t n = 0;
	int err = media_wire_read_request(msg, &rq);

	if (err)
		return ERR_BAD;
	switch (rq.op) {
	case MEDIA_OP_ADD:
		err = add(m, owner, &rq, false);
		break;
	case MEDIA_OP_UPDATE:
		err = update(m, owner, &rq.flow[0]);
		break;
	case MEDIA_OP_DEL:
		err = del(m, owner, rq.id[0], &st[0]);
		n = !err;
		break;
	case MEDIA_OP_QUERY:
		err = ops->query(m->backend, owner, rq.id[0], &st[0]);
		n = !err;
		break;
	case MEDIA_OP_FLUSH:
		flush(m, owner);
		break;
	case MEDIA_OP_DISOWN:
		joins_disown(m->joins, owner);
		break;
	case MEDIA_OP_CLAIM:
		err = claim(m, owner, &rq);
		break;
	case MEDIA_OP_SWEEP:
		sweep(m, owner);
		break;
	case MEDIA_OP_STATS:
		n = stats(m, owner, &rq, st);
		break;
	}
	media_request_wipe(&rq);
	media_wire_answer(answer, rq.req, err, st, n);
	return 0;
}

int media_unload(struct media *m, enum flow_backend which, uint32_t *ret_moved)
{
	return media_choose_unload(m->backend, which, ret_moved);
}

int media_load(struct media *m, struct media_backend *b, uint32_t *ret_moved)
{
	return media_choose_load(m->backend, b, ret_moved);
}

void media_close(struct media *m, enum flow_backend which)
{
	media_choose_close(m->backend, which);
}

bool media_flows(const struct media *m, enum flow_backend which,
		 uint32_t *ret_flows)
{
	return media_choose_flows(m->backend, which, ret_flows);
}

int media_event_fd(struct media *m)
{
	return m->backend->ops->event_fd(m->backend);
}

bool media_next_event(struct media *m, struct media_event *ret)
{
	if (joins_next_event(m->joins, ret))
		return true;
	if (!m->backend->ops->next_event(m->backend, ret))
		return false;
	/* Its owner hears of it, and soon whoever it is joined with. */
	if (ret->kind == MEDIA_EVENT_ROLLED)
		joins_rolled(m->joins, ret->owner, ret->flow);
	return true;
}
