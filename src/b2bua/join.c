/*
 * What the media process tells about the flows of a call: silence, and who is
 * at the far end where that is a phone of ours too.
 */
#include "b2bua/machine.h"

#include "base/secret.h"

/* The stream a flow belongs to, and its side. */
static struct stream *stream_of_flow(struct call *call, uint64_t flow,
				     enum side *ret_side)
{
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &call->media.stream[i];

		for (int side = 0; s->has_flows && side < 2; side++) {
			if (s->flow[side].id != flow)
				continue;
			*ret_side = (enum side)side;
			return s;
		}
	}
	return NULL;
}

/* A call is dead when nothing comes from anywhere; one who listens, or whose
 * phone sends nothing while he is silent, is not. What is on hold does not
 * count. */
static bool is_silent(const struct call *call)
{
	bool is_any = false;

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		const struct stream *s = &call->media.stream[i];

		for (int side = 0; s->has_flows && side < 2; side++) {
			if (s->flow[side].idle_ms == 0)
				continue;
			if (!s->is_idle[side])
				return false;
			is_any = true;
		}
	}
	return is_any;
}

static void set_far(struct calls *c, struct call *call, struct stream *s,
		    const struct event_flow *f)
{
	secret_wipe(&s->far, sizeof(s->far));
	if (f) {
		s->far.is_joined = true;
		s->far.security = f->security;
		if (f->key)
			s->far.key = *f->key;
	}
	c->cookie = handle_u64(call->obj.self);
	security_update(c, call);
}

void flow_event(struct calls *c, struct call *call, const struct event *ev)
{
	enum side side;
	struct stream *s = stream_of_flow(call, ev->flow.flow, &side);

	if (!s)
		return;
	switch (ev->kind) {
	case EVENT_FLOW_FAILED:
		call_media_lost(c, call, ev->flow.flow, false);
		break;
	case EVENT_FLOW_IDLE:
		s->is_idle[side] = true;
		if (is_silent(call))
			call_media_lost(c, call, ev->flow.flow, true);
		break;
	case EVENT_FLOW_ACTIVE:
		s->is_idle[side] = false;
		break;
	case EVENT_FLOW_JOINED:
		set_far(c, call, s, &ev->flow);
		break;
	case EVENT_FLOW_PARTED:
		set_far(c, call, s, NULL);
		break;
	case EVENT_CONN_DOWN:
	case EVENT_SIP:
	case EVENT_TIMER:
	case EVENT_FLOW_LATCHED:
	case EVENT_CORE:
	case EVENT_CALL_DROP:
	case EVENT_BINDING:
		break;
	}
}
