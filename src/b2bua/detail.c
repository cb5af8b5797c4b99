#include "b2bua/detail.h"

#include "b2bua/sccp.h"

_Static_assert((int)CALL_STREAMS_MAX >= (int)STREAMS_MAX, "all are shown");

void history_put(const struct calls *c, struct history *h,
		 const struct history_item *item)
{
	h->item[h->total % HISTORY_MAX] = *item;
	h->item[h->total % HISTORY_MAX].at_ms = c->now_ms;
	h->total++;
}

void history_add(const struct calls *c, struct call *call,
		 const struct history_item *item)
{
	history_put(c, &call->history, item);
}

void history_message(const struct calls *c, struct call *call, enum side from,
		     const struct sip_msg *m)
{
	history_add(c, call,
		    &(struct history_item){.what = m->is_request
							   ? HISTORY_REQUEST
							   : HISTORY_RESPONSE,
					   .side = from,
					   .method = m->method,
					   .status = m->status});
}

static void put(struct writer *w, const struct history_item *h)
{
	static const char *const side[] = {
		[SIDE_PHONE] = "phone", [SIDE_CORE] = "call manager"};
	const char *method = h->method == SIP_METHOD_OTHER
				     ? "request"
				     : sip_method_name(h->method);

	switch (h->what) {
	case HISTORY_REQUEST:
		writer_str(w, method);
		break;
	case HISTORY_RESPONSE:
		writer_dec(w, h->status);
		writer_str(w, " to ");
		writer_str(w, method);
		break;
	case HISTORY_OWN:
		writer_str(w, method);
		writer_str(w, " of our own to ");
		writer_str(w, side[h->side]);
		return;
	case HISTORY_SECURITY:
		writer_str(w, "phone is shown ");
		writer_str(w, h->text);
		return;
	case HISTORY_FALLBACK:
		writer_str(w, "RTP instead of SRTP: ");
		writer_str(w, h->text);
		return;
	case HISTORY_SKINNY:
		writer_str(w, h->text);
		break;
	case HISTORY_REOPENED:
		writer_str(w, "channel opened anew, ");
		writer_str(w, h->text);
		return;
	case HISTORY_MOVED:
		writer_str(w, "phone came over another connection");
		return;
	case HISTORY_RESTORED:
		writer_str(w, "taken over after a restart");
		return;
	}
	writer_str(w, " from ");
	writer_str(w, side[h->side]);
}

const char *history_str(const struct history_item *h, char *buf)
{
	struct writer w;

	writer_init(&w, buf, HISTORY_STR_MAX - 1);
	put(&w, h);
	buf[w.len] = '\0';
	return buf;
}

static struct slice text_of(const char *s)
{
	return s ? slice_str(s) : SLICE_NULL;
}

static void fill_leg(const struct leg *leg, struct call_leg *ret)
{
	*ret = (struct call_leg){
		.dest = leg->dest,
		.call_id = text_of(leg->dialog.call_id),
		.local_tag = text_of(leg->dialog.local_tag),
		.remote_tag = text_of(leg->dialog.remote_tag),
		.is_confirmed = leg->is_confirmed,
		.session_s = leg->session.interval_s,
		.is_refreshed = leg->session.is_ours,
	};
}

static void fill_stream(const struct stream *s, struct call_stream *ret)
{
	*ret = (struct call_stream){
		.is_audio = s->is_audio,
		.is_raw = s->is_raw,
		.codec = slice_str(s->codec),
		.suite = {[SIDE_PHONE] = s->flow[SIDE_PHONE].in.suite,
			  [SIDE_CORE] = s->flow[SIDE_CORE].out.suite},
		.is_borrowed = s->flow[SIDE_CORE].is_borrowed,
	};
	for (int side = 0; side < 2; side++) {
		ret->local[side] = s->flow[side].local;
		ret->remote[side] = s->flow[side].remote;
		ret->is_blocked[side] = s->flow[side].is_blocked;
		ret->is_idle[side] = s->is_idle[side];
		ret->flow[side] = s->flow[side].id;
	}
}

static void fill_history(const struct history *h, struct call_detail *ret)
{
	uint32_t lost = h->total > HISTORY_MAX ? h->total - HISTORY_MAX : 0;

	ret->history_lost = lost;
	for (uint32_t i = lost; i < h->total; i++)
		ret->history[ret->history_count++] = h->item[i % HISTORY_MAX];
}

static bool sccp_detail(const struct calls *c, uint64_t cookie,
			struct call_detail *ret)
{
	struct obj *o = obj_find(c, cookie);
	const struct sccp_call *call;

	if (!o || o->kind != OBJ_SCCP_CALL)
		return false;
	call = LIST_ENTRY(o, struct sccp_call, obj);
	*ret = (struct call_detail){.is_skinny = true, .reference = call->ref};
	sccp_call_fill(c, call, &ret->info);
	sccp_call_detail(call, ret);
	fill_history(&call->history, ret);
	return true;
}

bool calls_detail(const struct calls *c, uint64_t cookie,
		  struct call_detail *ret)
{
	const struct call *call = call_find(c, cookie);

	if (!call)
		return sccp_detail(c, cookie, ret);
	*ret = (struct call_detail){.shown = call->shown,
				    .is_shown = call->is_shown};
	call_fill(c, call, &ret->info);
	fill_leg(&call->leg[SIDE_PHONE], &ret->leg[SIDE_PHONE]);
	fill_leg(&call->leg[SIDE_CORE], &ret->leg[SIDE_CORE]);
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (call->media.stream[i].has_flows)
			fill_stream(&call->media.stream[i],
				    &ret->stream[ret->stream_count++]);
	fill_history(&call->history, ret);
	return true;
}
