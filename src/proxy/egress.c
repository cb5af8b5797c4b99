#include "proxy/egress.h"

#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/table.h"
#include "base/text.h"
#include "base/timerq.h"

/* A call whose batch waits for the media process. */
struct waiting {
	struct table_node by_call;
	struct table_node by_number;
	struct timerq_node timer;
	struct list failed; /* linked while its failure is untold */
	uint64_t call;
	uint64_t flow[2]; /* of the request in flight */
	uint32_t number;
	bool is_failed;
	struct actions parked;
};

struct egress {
	struct egress_cb cb;
	struct table by_call;
	struct table by_number;
	struct timerq timers;
	struct list failed;
	uint32_t next_number;
};

struct egress *egress_new(const struct egress_cb *cb, uint64_t seed)
{
	struct egress *e = alloc_zero(sizeof(*e));

	if (!e)
		return NULL;
	e->cb = *cb;
	table_init(&e->by_call, EGRESS_CALLS_MAX, seed);
	table_init(&e->by_number, EGRESS_CALLS_MAX, ~seed);
	timerq_init(&e->timers);
	list_init(&e->failed);
	return e;
}

static struct slice key_of(const void *p, size_t len)
{
	return slice_make(p, len);
}

static void waiting_free(struct egress *e, struct waiting *w)
{
	table_del(&e->by_call, &w->by_call);
	table_del(&e->by_number, &w->by_number);
	timerq_clear(&e->timers, &w->timer);
	list_del(&w->failed);
	actions_done(&w->parked);
	alloc_free(w);
}

struct egress *egress_free(struct egress *e)
{
	if (!e)
		return NULL;
	for (size_t i = 0; i < e->by_call.cap; i++)
		while (e->by_call.bucket[i])
			waiting_free(e, TABLE_ENTRY(e->by_call.bucket[i],
						    struct waiting, by_call));
	table_done(&e->by_call);
	table_done(&e->by_number);
	timerq_done(&e->timers);
	return alloc_free(e);
}

static struct waiting *find_call(struct egress *e, uint64_t call)
{
	return TABLE_ENTRY(table_find(&e->by_call, key_of(&call, sizeof(call))),
			   struct waiting, by_call);
}

/* Put w, whose call and number are set, into both tables. */
static int waiting_link(struct egress *e, struct waiting *w)
{
	int err = table_add(&e->by_call, &w->by_call,
			    key_of(&w->call, sizeof(w->call)));

	if (err)
		return err;
	err = table_add(&e->by_number, &w->by_number,
			key_of(&w->number, sizeof(w->number)));
	if (err)
		table_del(&e->by_call, &w->by_call);
	return err;
}

/* The request of w failed: the machine is told, see egress_next_failed. */
static void waiting_fail(struct egress *e, struct waiting *w)
{
	timerq_clear(&e->timers, &w->timer);
	w->is_failed = true;
	list_del(&w->failed);
	list_append(&e->failed, &w->failed);
}

static struct waiting *waiting_new(struct egress *e, const struct action *a)
{
	struct waiting *w = alloc_zero(sizeof(*w));

	if (!w)
		return NULL;
	w->call = a->call;
	w->number = ++e->next_number;
	list_init(&w->failed);
	if (waiting_link(e, w) != 0)
		return alloc_free(w);
	return w;
}

static void ask_media(struct egress *e, struct waiting *w,
		      const struct action *a, uint64_t now_ms)
{
	w->flow[0] = a->flow[0].id;
	w->flow[1] = a->flow[1].id;
	if (timerq_set(&e->timers, &w->timer, now_ms + EGRESS_MEDIA_MS) != 0 ||
	    e->cb.flow_add(e->cb.ctx, w->number, a->flow) != 0)
		waiting_fail(e, w);
}

/* What needs no waiting. */
static void execute(struct egress *e, const struct action *a)
{
	switch (a->kind) {
	case ACTION_FLOW_ADD:
		break;
	case ACTION_FLOW_UPDATE:
		e->cb.flow_update(e->cb.ctx, &a->flow[0]);
		break;
	case ACTION_FLOW_DEL:
		e->cb.flow_del(e->cb.ctx, a->flow[0].id);
		break;
	case ACTION_SIP_SEND:
	case ACTION_SCCP_SEND:
		e->cb.send(e->cb.ctx, &a->dest, a->bytes);
		break;
	case ACTION_CONN_CLOSE:
		e->cb.close(e->cb.ctx, a->dest.ep);
		break;
	case ACTION_ARRIVED:
		if (e->cb.arrived)
			e->cb.arrived(e->cb.ctx, a->bytes);
		break;
	case ACTION_SCCP_LINK:
	case ACTION_SCCP_UNLINK:
		if (e->cb.link)
			e->cb.link(e->cb.ctx, a);
		break;
	case ACTION_AUTH:
	case ACTION_AUTH_INFO:
		if (e->cb.auth)
			e->cb.auth(e->cb.ctx, a);
		break;
	case ACTION_RECORD:
		e->cb.record(e->cb.ctx, a);
		break;
	case ACTION_SAVE:
	case ACTION_FORGET:
		if (e->cb.save)
			e->cb.save(e->cb.ctx, a);
		break;
	}
}

static void park(struct egress *e, struct waiting *w, const struct action *a)
{
	/* A call that floods while it waits, or no memory: it fails whole. What
	 * is no promise is kept all the same, for after the failure. */
	if (actions_add(&w->parked, a) != 0 ||
	    (w->parked.count > EGRESS_PARKED_MAX && !w->is_failed))
		waiting_fail(e, w);
}

/* Does a promise ports that do not exist: has it a media line? What ends a
 * dialog or a transaction has none, and nobody would say it again: the call
 * may be gone. A Skinny message that does is taken back by the call machine;
 * the others of its phone go on. */
static bool is_promise(const struct action *a)
{
	return a->kind == ACTION_SIP_SEND && text_find(a->bytes, "\nm=") >= 0;
}

static void run_one(struct egress *e, const struct action *a, uint64_t now_ms)
{
	struct waiting *w = a->call ? find_call(e, a->call) : NULL;

	if (w && w->is_failed && is_promise(a))
		return;
	if (w) {
		park(e, w, a);
		return;
	}
	if (a->kind != ACTION_FLOW_ADD) {
		execute(e, a);
		return;
	}
	w = waiting_new(e, a);
	if (w)
		ask_media(e, w, a, now_ms);
}

void egress_run(struct egress *e, struct actions *a, uint64_t now_ms)
{
	for (uint32_t i = 0; i < a->count; i++)
		run_one(e, &a->item[i], now_ms);
	actions_done(a);
}

void egress_answer(struct egress *e, uint32_t number, int err, uint64_t now_ms)
{
	struct waiting *w = TABLE_ENTRY(
		table_find(&e->by_number, key_of(&number, sizeof(number))),
		struct waiting, by_number);
	struct actions rest;

	if (!w || w->is_failed)
		return;
	if (err) {
		waiting_fail(e, w);
		return;
	}
	/* The rest may add flows again: then the call waits anew. */
	rest = w->parked;
	w->parked = (struct actions){.item = NULL};
	waiting_free(e, w);
	egress_run(e, &rest, now_ms);
}

void egress_media_down(struct egress *e)
{
	for (size_t i = 0; i < e->by_call.cap; i++) {
		struct table_node *n = e->by_call.bucket[i];

		for (; n; n = n->next) {
			struct waiting *w =
				TABLE_ENTRY(n, struct waiting, by_call);

			if (!w->is_failed)
				waiting_fail(e, w);
		}
	}
}

uint64_t egress_deadline(const struct egress *e)
{
	/* A failure is told at once, whoever caused it. */
	return list_empty(&e->failed) ? timerq_next(&e->timers) : 0;
}

void egress_expire(struct egress *e, uint64_t now_ms)
{
	struct timerq_node *n;

	while ((n = timerq_pop(&e->timers, now_ms)))
		waiting_fail(e, TIMERQ_ENTRY(n, struct waiting, timer));
}

/* Is a, which waited behind the flows that failed, still to be done? */
static bool still_counts(const uint64_t failed[2], const struct action *a)
{
	switch (a->kind) {
	case ACTION_FLOW_ADD:
		return a->is_alone;
	case ACTION_FLOW_UPDATE:
		return a->flow[0].id != failed[0] && a->flow[0].id != failed[1];
	case ACTION_SIP_SEND:
		return !is_promise(a);
	case ACTION_FLOW_DEL:
	case ACTION_SCCP_SEND:
	case ACTION_SCCP_LINK:
	case ACTION_SCCP_UNLINK:
	case ACTION_CONN_CLOSE:
	case ACTION_AUTH:
	case ACTION_AUTH_INFO:
	case ACTION_ARRIVED:
	case ACTION_RECORD:
	case ACTION_SAVE:
	case ACTION_FORGET:
		break;
	}
	return true;
}

bool egress_next_failed(struct egress *e, uint64_t now_ms, uint64_t *ret_call,
			uint64_t *ret_flow)
{
	struct actions rest;
	struct waiting *w;
	uint64_t flow[2];

	if (list_empty(&e->failed))
		return false;
	w = LIST_ENTRY(e->failed.next, struct waiting, failed);
	*ret_call = w->call;
	*ret_flow = w->flow[0];
	memcpy(flow, w->flow, sizeof(flow));
	rest = w->parked;
	w->parked = (struct actions){.item = NULL};
	waiting_free(e, w);
	/* The addition may have happened after all (a late answer). */
	e->cb.flow_del(e->cb.ctx, flow[0]);
	e->cb.flow_del(e->cb.ctx, flow[1]);
	/* May add other flows: then what is behind those waits anew. */
	for (uint32_t i = 0; i < rest.count; i++)
		if (still_counts(flow, &rest.item[i]))
			run_one(e, &rest.item[i], now_ms);
	actions_done(&rest);
	return true;
}

uint32_t egress_waiting(const struct egress *e)
{
	return (uint32_t)e->by_call.count;
}
