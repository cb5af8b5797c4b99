/*
 * Requests other than INVITE that pass through: inside a dialog to its other
 * leg, and the few that pass without one. Those that carry offers are in
 * mid.c.
 */
#include "b2bua/sub.h"

#include "base/alloc.h"
#include "base/text.h"
#include "sip/hdr.h"
#include "sip/uri.h"

static bool is_relayed(enum sip_method method)
{
	switch (method) {
	case SIP_METHOD_INFO:
	case SIP_METHOD_MESSAGE:
	case SIP_METHOD_NOTIFY:
	case SIP_METHOD_REFER:
	case SIP_METHOD_OPTIONS:
	case SIP_METHOD_SUBSCRIBE:
		return true;
	case SIP_METHOD_OTHER:
	case SIP_METHOD_INVITE:
	case SIP_METHOD_ACK:
	case SIP_METHOD_BYE:
	case SIP_METHOD_CANCEL:
	case SIP_METHOD_REGISTER:
	case SIP_METHOD_PRACK:
	case SIP_METHOD_UPDATE:
	case SIP_METHOD_PUBLISH:
		break;
	}
	return false;
}

void relay_free(struct calls *c, struct relay *r)
{
	obj_done(c, &r->obj);
	reply_done(&r->reply);
	alloc_free(r);
}

struct relay *relay_new(struct calls *c, const struct event_sip *ev,
			struct slice to_tag)
{
	struct relay *r = alloc_zero(sizeof(*r));

	if (r && obj_init(c, &r->obj, OBJ_RELAY) != 0)
		r = alloc_free(r);
	if (r && reply_open(c, ev, handle_u64(r->obj.self), to_tag,
			    &r->reply) != 0) {
		relay_free(c, r);
		r = NULL;
	}
	if (!r) {
		sip_refuse(c, ev, 503, "transaction limit",
			   "Retry-After: 5\r\n");
		return NULL;
	}
	r->from = ev->side;
	r->is_refer = ev->msg->method == SIP_METHOD_REFER;
	r->is_sub_event = ev->msg->method == SIP_METHOD_SUBSCRIBE ||
			  ev->msg->method == SIP_METHOD_NOTIFY;
	return r;
}

static void fill_request(struct sip_out_request *q, const struct sip_msg *m,
			 const struct sip_out_rules *rules)
{
	*q = (struct sip_out_request){
		.method = m->method_name,
		.max_forwards = m->max_forwards > 0 ? m->max_forwards - 1 : 0,
		.src = m,
		.rules = rules,
	};
}

/* Requests whose 2xx says where its sender is reached. */
static bool has_contact(enum sip_method method)
{
	return method == SIP_METHOD_SUBSCRIBE || method == SIP_METHOD_NOTIFY ||
	       method == SIP_METHOD_REFER;
}

/* A subscription to somebody's state has nothing to do with a call; outside of
 * dialogs method lists and presence groups judge it. */
static bool watches(const struct sip_msg *m)
{
	struct slice package;

	text_cut(sip_msg_value(m, SIP_HDR_EVENT), ';', &package, NULL);
	text_cut(text_trim(package), '.', &package, NULL);
	return m->method == SIP_METHOD_SUBSCRIBE &&
	       (text_ieqs(package, "presence") || text_ieqs(package, "dialog"));
}

/* NOTIFY that a trunk sends in a call though nothing there has asked for it, and
 * though its profile accepts none outside of calls: a call would be the way around
 * that. Digits by NOTIFY are agreed on otherwise (Call-Info), and are the call's. */
static bool is_unasked(struct leg *leg, const struct sip_msg *m)
{
	struct slice package;

	if (m->method != SIP_METHOD_NOTIFY || leg->side != SIDE_PHONE ||
	    !leg->trunk || !leg->trunk->policy.no_unsolicited)
		return false;
	text_cut(sip_msg_value(m, SIP_HDR_EVENT), ';', &package, NULL);
	return !leg->call->has_subscribed[SIDE_CORE] &&
	       !text_ieqs(text_trim(package), "telephone-event") &&
	       !refer_is_about(leg, m);
}

/* Things that must not be passed on now; answered then. */
static bool refuse_now(struct calls *c, struct leg *leg,
		       const struct event_sip *ev)
{
	struct call *call = leg->call;
	const struct leg *to = &call->leg[!leg->side];

	if (call->state == CALL_CANCELLING || !to->dialog.remote_tag) {
		sip_answer(c, ev, 481, "", "");
		return true;
	}
	if (!is_relayed(ev->msg->method)) {
		sip_refuse(c, ev, 501, "method", "");
		return true;
	}
	if (leg->side == SIDE_PHONE && watches(ev->msg)) {
		sip_refuse(c, ev, 489, "presence inside a call", "");
		return true;
	}
	if (is_unasked(leg, ev->msg)) {
		sip_refuse(c, ev, 481, "nobody subscribed to this", "");
		return true;
	}
	if (ev->msg->method == SIP_METHOD_REFER && !refer_room(c, leg)) {
		sip_refuse(c, ev, 503, "too many REFERs", "Retry-After: 5\r\n");
		return true;
	}
	return false;
}

void relay_in_dialog(struct calls *c, struct leg *leg,
		     const struct event_sip *ev)
{
	struct call *call = leg->call;
	struct leg *to = &call->leg[!leg->side];
	struct sip_out_rules rules = leg_rules(c, call, leg->side, true);
	struct sip_out_request q;
	struct relay *r;
	uint8_t event[64];

	if (refuse_now(c, leg, ev))
		return;
	r = relay_new(c, ev, SLICE_NULL);
	if (!r)
		return;
	r->call = call->obj.self;
	r->trunk = call->leg[SIDE_PHONE].trunk;
	r->back = leg_rules(c, call, !leg->side, true).map;
	r->pass_auth = call->pass_auth;
	r->cseq_in = ev->msg->cseq;
	if (has_contact(ev->msg->method))
		memcpy(r->contact, leg->contact_user, sizeof(r->contact));
	rules.event = refer_event(leg, ev->msg, event, sizeof(event));
	fill_request(&q, ev->msg, &rules);
	if (leg_request(c, to, ev->msg->method, &q, handle_u64(r->obj.self),
			&r->client) == 0) {
		if (ev->msg->method == SIP_METHOD_SUBSCRIBE)
			call->has_subscribed[leg->side] = true;
		else if (ev->msg->method == SIP_METHOD_REFER)
			refer_add(leg, ev->msg->cseq, to->dialog.local_cseq);
		else if (ev->msg->method == SIP_METHOD_NOTIFY)
			refer_notified(leg, ev->msg);
		return;
	}
	reply_status(c, &r->reply, 503, "", "Retry-After: 5\r\n");
	relay_free(c, r);
}

/* Only who is registered may send this outside of dialogs; but by a REFER to
 * a urn: a Cisco phone asks, among other things, whether it may register. */
static bool needs_binding(const struct sip_msg *m)
{
	struct sip_nameaddr na;

	switch (m->method) {
	case SIP_METHOD_MESSAGE:
	case SIP_METHOD_SUBSCRIBE:
	case SIP_METHOD_PUBLISH:
		return true;
	case SIP_METHOD_REFER:
		return sip_nameaddr_parse(sip_msg_value(m, SIP_HDR_REFER_TO),
					  &na) != 0 ||
		       !slice_starts(na.uri, "urn:x-cisco-remotecc:");
	case SIP_METHOD_OTHER:
	case SIP_METHOD_INVITE:
	case SIP_METHOD_ACK:
	case SIP_METHOD_BYE:
	case SIP_METHOD_CANCEL:
	case SIP_METHOD_REGISTER:
	case SIP_METHOD_OPTIONS:
	case SIP_METHOD_INFO:
	case SIP_METHOD_PRACK:
	case SIP_METHOD_UPDATE:
	case SIP_METHOD_NOTIFY:
		break;
	}
	return false;
}

/* The same line of the same device, over another connection. */
static bool is_elsewhere(const struct calls *c, const struct event_sip *ev)
{
	struct sip_nameaddr na;
	struct sip_uri u;
	uint8_t aor[256];
	struct writer w;
	const struct line *l;
	struct list *n;

	if (sip_nameaddr_parse(ev->msg->from, &na) != 0 ||
	    sip_uri_parse(na.uri, &u) != 0)
		return false;
	writer_init(&w, aor, sizeof(aor));
	writer_put(&w, u.user);
	writer_u8(&w, '@');
	for (size_t i = 0; i < u.host.len; i++)
		writer_u8(&w, text_lower(u.host.ptr[i]));
	l = line_find(c, writer_slice(&w), ev->device);
	if (!l)
		return false;
	list_for_each(n, &l->bindings)
		if (LIST_ENTRY(n, struct binding, node)->is_active)
			return true;
	return false;
}

bool relay_refuse_unregistered(struct calls *c, const struct event_sip *ev)
{
	if (ev->side == SIDE_CORE || ev->trunk || !needs_binding(ev->msg) ||
	    binding_of_caller(c, ev) || is_elsewhere(c, ev))
		return false;
	sip_refuse(c, ev, 403, "not registered", "");
	return true;
}

/* Somebody behind a trunk. */
static bool trunk_target(struct calls *c, const struct event_sip *ev,
			 struct relay_target *ret)
{
	const struct core_entry *e =
		trunk_pick(c, ret->trunk, ev->msg->call_id);

	if (!e)
		return false;
	ret->dest = e->place.dest;
	ret->device = slice_str(ret->trunk->name);
	return true;
}

bool relay_find_target(struct calls *c, const struct event_sip *ev,
		       struct relay_target *ret)
{
	struct sip_uri u;
	const struct binding *b;
	const struct core_entry *e;

	*ret = (struct relay_target){.device = ev->device,
				     .trunk = trunk_of(c, ev),
				     .pass_auth = ev->pass_auth};
	if (ev->side == SIDE_PHONE) {
		b = ret->trunk ? NULL : binding_of_caller(c, ev);
		e = ret->trunk
			    ? core_pick_trunk(c, ret->trunk, ev->msg->call_id)
			    : core_pick(c, b, ev->device);
		if (!e)
			return false;
		ret->dest = e->place.dest;
		if (b)
			ret->token = slice_str(b->token);
		return true;
	}
	b = sip_uri_parse(ev->msg->ruri, &u) == 0 ? binding_find(c, u.user)
						  : NULL;
	if (!b && ret->trunk)
		return trunk_target(c, ev, ret);
	ret->trunk = NULL;
	if (!b || !b->is_active)
		return false;
	ret->dest = b->dest;
	ret->ruri = slice_str(b->contact);
	ret->device = slice_str(b->line->device);
	ret->token = slice_str(b->token);
	ret->pass_auth = b->pass_auth;
	return true;
}

int relay_carrier(struct calls *c, struct leg *to, const struct sip_msg *m,
		  struct slice ruri, const struct sip_out_map *map)
{
	char call_id[TOKEN_LEN + 1];
	uint8_t from[SIP_LINE_MAX];
	struct writer wf;
	struct writer wt;
	struct writer wr;

	calls_hex(c, call_id, TOKEN_LEN);
	writer_init(&wf, from, sizeof(from));
	sip_out_identity(&wf, m->from, map);
	writer_init(&wt, c->msg_buf, sizeof(c->msg_buf));
	sip_out_identity(&wt, m->to, map);
	writer_init(&wr, c->body_buf, sizeof(c->body_buf));
	if (ruri.len == 0)
		sip_out_addr(&wr, m->ruri, map);
	else
		writer_put(&wr, ruri);
	if (!writer_ok(&wf) || !writer_ok(&wt) || !writer_ok(&wr))
		return ERR_LIMIT;
	return sip_dialog_init_uac(&to->dialog, slice_str(call_id),
				   writer_slice(&wf), slice_str(to->tag),
				   writer_slice(&wt), writer_slice(&wr));
}

/*
 * A Cisco phone obeys its registrar's orders only when they name its
 * registration, which is another one inside.
 */
static void name_registration(struct calls *c, const struct sip_msg *m,
			      struct sip_out_rules *rules)
{
	const struct binding *b;
	struct slice package;
	struct sip_uri u;

	text_cut(sip_msg_value(m, SIP_HDR_EVENT), ';', &package, NULL);
	if (!rules->to_phone || m->method != SIP_METHOD_NOTIFY ||
	    !text_ieqs(text_trim(package), "service-control") ||
	    sip_uri_parse(m->ruri, &u) != 0)
		return;
	b = binding_find(c, u.user);
	if (!b)
		return;
	rules->register_id = slice_str(b->line->call_id);
	rules->register_id_new = slice_str(b->register_id);
}

int relay_send(struct calls *c, struct relay *r, struct leg *to,
	       const struct event_sip *ev, struct slice event)
{
	bool to_phone = to->side == SIDE_PHONE;
	struct sip_out_rules rules = {
		.to_phone = to_phone,
		.pass_auth = r->pass_auth,
		.trusts_identity = r->trunk && r->trunk->policy.trusts_identity,
		.identity = to->sub ? leg_identity(&to->sub->leg[!to->side])
				    : leg_identity_new(ev),
		.has_body = true,
		.map = leg_map(&ev->from, &to->dest, to_phone),
		.lookup = &c->lookup,
		.event = event,
		.agent = calls_agent(c)};
	struct sip_out_request q;

	trunk_map(&rules.map, to);
	name_registration(c, ev->msg, &rules);
	r->back = leg_map(&to->dest, &ev->from, !to_phone);
	fill_request(&q, ev->msg, &rules);
	return leg_request(c, to, ev->msg->method, &q, handle_u64(r->obj.self),
			   &r->client);
}

void relay_out_of_dialog(struct calls *c, const struct event_sip *ev)
{
	/* Its dialog lives for one request only: it holds our ids. */
	struct leg to = {.is_uac = true, .side = !ev->side};
	struct relay_target t;
	struct sip_out_map map;
	char tag[TAG_LEN + 1];
	struct relay *r;
	int err;

	if (!relay_find_target(c, ev, &t)) {
		if (ev->side == SIDE_CORE && !t.trunk)
			sip_refuse(c, ev, 404, "unknown token", "");
		else if (ev->side == SIDE_CORE)
			sip_refuse(c, ev, 503, "no peer of the trunk",
				   "Retry-After: 5\r\n");
		else
			sip_refuse(c, ev, 503, "no call manager",
				   "Retry-After: 5\r\n");
		return;
	}
	/* A phone that did not come back after a restart yet. */
	if (to.side == SIDE_PHONE && t.dest.is_reliable &&
	    handle_is_none(t.dest.ep)) {
		sip_answer(c, ev, 480, "", "");
		return;
	}
	calls_hex(c, tag, TAG_LEN);
	r = relay_new(c, ev, slice_str(tag));
	if (!r)
		return;
	r->pass_auth = t.pass_auth;
	to.dest = t.dest;
	r->trunk = t.trunk;
	if (to.side == SIDE_PHONE)
		to.trunk = t.trunk;
	calls_hex(c, to.tag, TAG_LEN);
	memcpy(to.contact_user, to.tag, TAG_LEN + 1);
	map = leg_map(&ev->from, &to.dest, to.side == SIDE_PHONE);
	trunk_map(&map, &to);
	err = relay_carrier(c, &to, ev->msg, t.ruri, &map);
	if (!err)
		err = relay_send(c, r, &to, ev, SLICE_NULL);
	sip_dialog_done(&to.dialog);
	if (err) {
		reply_status(c, &r->reply, 503, "", "Retry-After: 5\r\n");
		relay_free(c, r);
	}
}

static unsigned map_status(const struct relay *r, unsigned status)
{
	if (status != 401 && status != 407)
		return status;
	if (r->from == SIDE_CORE)
		return 403;
	return r->pass_auth ? status : 502;
}

static void relay_end(struct calls *c, struct relay *r, const struct sip_msg *m)
{
	struct sip_out_rules rules = {
		.to_phone = r->from == SIDE_PHONE,
		.pass_auth = r->pass_auth,
		.trusts_identity = r->trunk && r->trunk->policy.trusts_identity,
		.has_body = true,
		.map = r->back,
		.lookup = &c->lookup,
		.agent = calls_agent(c)};
	struct sip_out_response p = {
		.status = m->status,
		.reason = m->reason,
		.src = m,
		.rules = &rules,
	};

	if (map_status(r, m->status) != m->status) {
		reply_status(c, &r->reply, map_status(r, m->status), "", "");
		return;
	}
	if (m->status < 300)
		p.contact_user = slice_str(r->contact);
	(void)reply_send(c, &r->reply, &p); /* c->err tells */
}

/* The subscription that r belongs to, if it still exists. */
static struct sub *sub_of(struct calls *c, const struct relay *r)
{
	struct obj *o = obj_find(c, handle_u64(r->sub));

	return o && o->kind == OBJ_SUB ? LIST_ENTRY(o, struct sub, obj) : NULL;
}

void relay_response(struct calls *c, struct relay *r, const struct sip_msg *m)
{
	struct call *call = call_find(c, handle_u64(r->call));
	struct sub *s = sub_of(c, r);

	if (m->status < 200)
		return;
	if (call)
		c->cookie = handle_u64(call->obj.self);
	if (call && m->method == SIP_METHOD_REFER)
		refer_answer(&call->refers, r->from, r->cseq_in, m);
	relay_end(c, r, m);
	if (s)
		sub_response(c, s, r, m);
	relay_free(c, r);
}

void relay_moved(struct relay *r, struct handle client, const struct dest *dest,
		 struct leg *leg, uint32_t cseq)
{
	r->client = client;
	r->is_moved = true;
	if (r->is_refer && leg)
		refer_moved(leg, r->cseq_in, cseq);
	/* Inside of a dialog nothing moves, and the map stays as it was. */
	r->back.ours = dest->local;
	r->back.peer = dest->peer;
}

/* A refresh that fails ends the subscription (sub_failed); of the statuses that
 * say so to a subscriber (RFC 6665 section 4.1.2.2) 408 and 503 are none. */
static unsigned status_of_failure(const struct sub *s, const struct relay *r,
				  enum sip_txn_fail why)
{
	if (s && r->is_sub_event && !r->is_initial && r->from == s->subscriber)
		return 481;
	return why == SIP_TXN_FAIL_TIMEOUT ? 408 : 503;
}

void relay_failed(struct calls *c, struct relay *r, enum sip_txn_fail why)
{
	struct call *call = call_find(c, handle_u64(r->call));
	struct sub *s = sub_of(c, r);

	if (r->is_refer && call)
		refer_answer(&call->refers, r->from, r->cseq_in, NULL);
	reply_status(c, &r->reply, status_of_failure(s, r, why), "", "");
	if (s)
		sub_failed(c, s, r);
	relay_free(c, r);
}
