/*
 * What operators and metrics see.
 */
#include "b2bua/sccp.h"

static const char *state_str(const struct call *call)
{
	switch (call->state) {
	case CALL_TRYING:
		break;
	case CALL_UP:
		return "established";
	case CALL_CANCELLING:
		return "ending";
	}
	return "ringing";
}

static const struct stream *first_stream(const struct call *call)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (call->media.stream[i].has_flows)
			return &call->media.stream[i];
	return NULL;
}

void call_fill(const struct calls *c, const struct call *call,
	       struct call_info *ret)
{
	const struct stream *s = first_stream(call);

	*ret = (struct call_info){
		.id = handle_u64(call->obj.self),
		.device = slice_str(call->device),
		.caller = slice_str(call->from),
		.callee = slice_str(call->to),
		.from_phone = call->caller == SIDE_PHONE,
		.state = state_str(call),
		.security = security_state(c, call),
		.start_ms = call->start_ms,
		.answer_ms = call->answer_ms,
		.is_end_to_end = join_is_end_to_end(c, call),
	};
	if (!s)
		return;
	ret->suite = s->is_srtp ? s->flow[SIDE_CORE].out.suite : SUITE_NONE;
	ret->codec = slice_str(s->codec);
	ret->is_joined = s->far.is_joined || join_call(c, call) != NULL;
	ret->flow_out_in = s->flow[SIDE_PHONE].id;
	ret->flow_in_out = s->flow[SIDE_CORE].id;
}

bool calls_next(const struct calls *c, uint32_t *pos, struct call_info *ret)
{
	struct obj *o;

	while ((o = slots_next(&c->objs, pos))) {
		if (o->kind == OBJ_SCCP_CALL) {
			sccp_call_fill(c, LIST_ENTRY(o, struct sccp_call, obj),
				       ret);
			return true;
		}
		if (o->kind != OBJ_CALL)
			continue;
		call_fill(c, LIST_ENTRY(o, struct call, obj), ret);
		return true;
	}
	return false;
}

static struct slice manager_of(const struct calls *c, const struct binding *b)
{
	const struct core_entry *e = &c->core.entry[b->place.index];

	/* Read only: core_get wants a group that it may change. */
	return b->place.gen != 0 && e->gen == b->place.gen
		       ? slice_str(e->place.name)
		       : SLICE_NULL;
}

bool bindings_next(const struct calls *c, uint32_t *pos,
		   struct binding_info *ret)
{
	const struct binding *b;

	while ((b = slots_next(&c->bindings, pos))) {
		if (!b->is_active)
			continue;
		*ret = (struct binding_info){
			.device = slice_str(b->line->device),
			.aor = slice_str(b->line->aor),
			.contact = slice_str(b->contact),
			.token = slice_str(b->token),
			.dest = b->dest,
			.sig = b->sig,
			.expires_ms = b->expires_ms,
			.since_ms = b->since_ms,
			.manager = manager_of(c, b),
		};
		return true;
	}
	return false;
}

void calls_counts(const struct calls *c, uint32_t *ret_calls,
		  uint32_t *ret_bindings, uint32_t *ret_txns)
{
	*ret_calls = c->call_count;
	*ret_bindings = c->bindings.count + c->sccp.registered;
	*ret_txns = sip_txns_count(c->txns);
}

void calls_subs(const struct calls *c, uint32_t *ret_count,
		uint64_t *ret_refused)
{
	*ret_count = c->sub_count;
	*ret_refused = c->sub_refused;
}

const struct early_counts *calls_early(const struct calls *c)
{
	return &c->early;
}

bool sccp_next(const struct calls *c, uint32_t *pos, struct sccp_info *ret)
{
	static const char *const phases[] = {
		[SCCP_CONNECTED] = "connected",
		[SCCP_REGISTERING] = "registering",
		[SCCP_REGISTERED] = "registered",
	};
	struct obj *o;

	while ((o = slots_next(&c->objs, pos))) {
		const struct sccp_phone *p;

		if (o->kind != OBJ_SCCP)
			continue;
		p = LIST_ENTRY(o, struct sccp_phone, obj);
		*ret = (struct sccp_info){
			.id = handle_u64(o->self),
			.device = slice_str(p->name),
			.manager = slice_str(p->manager_name),
			.dest = p->dest[SIDE_PHONE],
			.sig = p->sig,
			.state = phases[p->phase],
			.model = p->model,
			.version = p->version,
			.streams = p->stream_count,
			.since_ms = p->since_ms,
			.listener = p->listener,
			.rank = p->manager,
			.is_kept = p->is_kept,
			.is_idle = p->phase == SCCP_REGISTERED &&
				   p->call_count == 0 && p->stream_count == 0,
			.told_ms = p->told_ms,
		};
		return true;
	}
	return false;
}

const struct sccp_counts *sccp_counts(const struct calls *c,
				      uint32_t *ret_phones,
				      uint32_t *ret_registered)
{
	*ret_phones = c->sccp.count;
	*ret_registered = c->sccp.registered;
	return &c->sccp.counts;
}
