/*
 * The dispatcher: one event in, the right object's function, actions out.
 */
#include "b2bua/sccp.h"
#include "b2bua/sub.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"
#include "sip/hdr.h"
#include "sip/uri.h"

void calls_emit(struct calls *c, const struct action *a)
{
	/* Without memory the step goes on, so that state stays whole; the
	 * caller of call_step learns that actions are missing. */
	if (!c->out || actions_add(c->out, a) != 0)
		c->err = ERR_NOMEM;
}

void calls_hex(struct calls *c, char *ret, size_t len)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i += 2) {
		uint8_t b;

		entropy_fill(&c->p.entropy, &b, 1);
		ret[i] = digit[b >> 4];
		ret[i + 1] = digit[b & 15];
	}
	ret[len] = '\0';
}

void calls_branch(struct calls *c, char ret[BRANCH_LEN + 1])
{
	memcpy(ret, "z9hG4bK", 8);
	calls_hex(c, ret + 7, BRANCH_LEN - 7);
}

int obj_init(struct calls *c, struct obj *o, enum obj_kind kind)
{
	o->kind = kind;
	list_init(&o->failed);
	list_init(&o->touched);
	return slots_add(&c->objs, o, &o->self);
}

void obj_done(struct calls *c, struct obj *o)
{
	list_del(&o->failed);
	list_del(&o->touched);
	slots_del(&c->objs, o->self);
	o->self = HANDLE_NONE;
}

struct obj *obj_find(const struct calls *c, uint64_t user)
{
	return slots_find(&c->objs,
			  (struct handle){.index = (uint32_t)user,
					  .gen = (uint32_t)(user >> 32)});
}

struct leg *obj_legs(struct obj *o)
{
	if (o->kind == OBJ_CALL)
		return LIST_ENTRY(o, struct call, obj)->leg;
	if (o->kind == OBJ_SUB)
		return LIST_ENTRY(o, struct sub, obj)->leg;
	return NULL;
}

struct call *call_find(const struct calls *c, uint64_t cookie)
{
	struct obj *o = obj_find(c, cookie);

	return o && o->kind == OBJ_CALL ? LIST_ENTRY(o, struct call, obj)
					: NULL;
}

static struct relay *relay_of(struct obj *o)
{
	return LIST_ENTRY(o, struct relay, obj);
}

static struct mid *mid_of(struct obj *o)
{
	return LIST_ENTRY(o, struct mid, obj);
}

static struct reg_try *try_of(struct obj *o)
{
	return LIST_ENTRY(o, struct reg_try, obj);
}

void calls_ep_key(struct handle ep, uint8_t ret[8])
{
	uint64_t v = handle_u64(ep);

	memcpy(ret, &v, sizeof(v));
}

void *calls_wipe(void *p, size_t len)
{
	if (p)
		secret_wipe(p, len);
	return alloc_free(p);
}

struct slice calls_agent(const struct calls *c)
{
	return slice_str(c->server_name);
}

void calls_on_send(void *ctx, const struct dest *dest, struct slice bytes)
{
	struct calls *c = ctx;

	calls_emit(c, &(struct action){.kind = ACTION_SIP_SEND,
				       .call = c->cookie,
				       .dest = *dest,
				       .bytes = bytes});
}

void obj_mark_failed(struct calls *c, struct handle txn, uint64_t user,
		     enum sip_txn_fail why)
{
	struct obj *o = obj_find(c, user);
	bool is_client = true;

	if (!o)
		return;
	if (o->kind == OBJ_CALL) {
		struct call *call = LIST_ENTRY(o, struct call, obj);

		if (handle_eq(txn, call->ex.reply.txn))
			is_client = false;
		else if (!handle_eq(txn, call->ex.client))
			return; /* of an exchange that is over */
	} else if (o->kind == OBJ_RELAY) {
		is_client = handle_eq(txn, relay_of(o)->client);
	} else if (o->kind == OBJ_MID) {
		is_client = handle_eq(txn, mid_of(o)->client);
	} else {
		is_client = handle_eq(txn, try_of(o)->client);
	}
	if (is_client)
		o->client_failed = true;
	else
		o->server_failed = true;
	o->why = why;
	if (list_empty(&o->failed))
		list_append(&c->failed, &o->failed);
}

/* Runs inside the transaction table, which must not be called back: the
 * object is only marked here and dealt with at the end of the step. */
void calls_on_fail(void *ctx, struct handle txn, uint64_t user,
		   enum sip_txn_fail why)
{
	struct calls *c = ctx;

	if (!core_failed(c, txn, why))
		obj_mark_failed(c, txn, user, why);
}

static void obj_failed(struct calls *c, struct obj *o)
{
	bool is_client = o->client_failed;
	uint64_t cookie = handle_u64(o->self);

	o->client_failed = false;
	if (o->kind == OBJ_RELAY) {
		if (is_client)
			relay_failed(c, relay_of(o), o->why);
		return;
	}
	if (o->kind == OBJ_MID) {
		if (is_client)
			mid_failed(c, mid_of(o), o->why);
		return;
	}
	if (o->kind == OBJ_REG) {
		if (is_client)
			reg_failed(c, try_of(o), o->why);
		return;
	}
	if (is_client)
		invite_failed(c, call_find(c, cookie), true, o->why);
	o = obj_find(c, cookie);
	if (o && o->server_failed) {
		o->server_failed = false;
		invite_failed(c, call_find(c, cookie), false, o->why);
	}
}

static void run_failed(struct calls *c)
{
	core_run_failed(c);
	while (!list_empty(&c->failed)) {
		struct obj *o = LIST_ENTRY(c->failed.next, struct obj, failed);

		list_del(&o->failed);
		obj_failed(c, o);
		core_run_failed(c);
	}
}

void calls_begin(struct calls *c, uint64_t now_ms, struct actions *out)
{
	c->now_ms = now_ms;
	c->out = out;
	c->cookie = 0;
	c->err = 0;
	c->from_place = HANDLE_NONE;
}

int calls_end(struct calls *c)
{
	run_failed(c);
	save_touched(c);
	c->out = NULL;
	c->cookie = 0;
	return c->err;
}

static void absorb_cancel(struct calls *c, const struct event_sip *ev,
			  struct handle txn, uint64_t user)
{
	struct call *call = call_find(c, user);

	/* CANCEL is hop by hop and cannot be challenged (RFC 3261 section
	 * 22.1): only the sender of the INVITE can send it. */
	if (handle_is_none(txn)) {
		sip_answer(c, ev, 481, "", "");
		return;
	}
	if (call && handle_eq(call->ex.reply.txn, txn) &&
	    !leg_is_peer(&call->leg[call->ex.from], ev)) {
		sip_answer(c, ev, 481, "", "");
		return;
	}
	sip_answer(c, ev, 200, "", "");
	if (call && call->ex.is_on && handle_eq(call->ex.reply.txn, txn)) {
		history_message(c, call, call->ex.from, ev->msg);
		invite_cancel(c, call);
	}
}

static bool absorb(struct calls *c, const struct event_sip *ev)
{
	struct handle txn = HANDLE_NONE;
	uint64_t user = 0;
	struct leg *leg;

	switch (sip_txn_recv_request(c->txns, ev->msg, &ev->from, c->now_ms,
				     &txn, &user)) {
	case SIP_TXN_NEW:
		return false;
	case SIP_TXN_ABSORBED:
		return true;
	case SIP_TXN_ACK:
		leg = leg_find(c, ev->msg);
		if (leg && leg->call && leg_is_peer(leg, ev))
			invite_ack(c, leg, ev->msg);
		return true;
	case SIP_TXN_CANCEL:
		absorb_cancel(c, ev, txn, user);
		return true;
	}
	return false;
}

bool calls_absorb(struct calls *c, const struct event_sip *ev, uint64_t now_ms,
		  struct actions *ret_out)
{
	bool is_done;

	if (!ev->msg->is_request)
		return false;
	calls_begin(c, now_ms, ret_out);
	is_done = absorb(c, ev);
	(void)calls_end(c); /* a lost repetition is repeated by the peer */
	return is_done;
}

/* A response counts only when it comes from the side the request went to, and
 * a trunk's only from its own: a phone cannot answer for a call manager or a
 * trunk, nor ask us for credentials. */
static bool is_from_there(struct calls *c, const struct event_sip *ev)
{
	const struct dest *d = sip_txn_client_dest(c->txns, ev->msg);
	const struct trunk *t = trunk_of(c, ev);

	return d &&
	       (core_by_dest(&c->core, d) != NULL) == (ev->side == SIDE_CORE) &&
	       core_is_expected(c, ev->msg, t);
}

/* A response to an INVITE that its call has left behind. */
static void left_behind(struct calls *c, struct handle txn,
			const struct sip_msg *m)
{
	struct leg *leg = leg_find_answered(c, m);

	if (leg)
		invite_stray(c, leg, txn, m);
	else if (m->status / 100 == 2)
		late_response(c, txn, m);
}

/* A response that no transaction waits for: of a process before us, or very
 * late. */
static void on_stray(struct calls *c, const struct event_sip *ev)
{
	struct leg *leg = leg_find_answered(c, ev->msg);

	if (!leg || !leg_is_peer(leg, ev))
		return;
	/* A phone that has come back is reached where it is now. */
	if (leg->side == SIDE_PHONE && !leg->trunk &&
	    !dest_eq(&leg->dest, &ev->from) &&
	    leg_set_dest(c, leg, &ev->from) != 0)
		return;
	save_touch_leg(c, leg);
	invite_stray(c, leg, HANDLE_NONE, ev->msg);
}

void calls_deliver(struct calls *c, struct handle txn, uint64_t user,
		   const struct sip_msg *m)
{
	struct obj *o;
	struct call *call;

	o = obj_find(c, user);
	if (!o) {
		late_response(c, txn, m);
		return;
	}
	switch (o->kind) {
	case OBJ_CALL:
		call = LIST_ENTRY(o, struct call, obj);
		save_touch(c, o);
		if (handle_eq(call->ex.client, txn)) {
			history_message(c, call, !call->ex.from, m);
			invite_response(c, call, m);
		} else {
			left_behind(c, txn, m);
		}
		break;
	case OBJ_RELAY:
		call = call_find(c, handle_u64(relay_of(o)->call));
		save_touch(c, call ? &call->obj : NULL);
		if (call)
			history_message(c, call, !relay_of(o)->from, m);
		if (handle_eq(relay_of(o)->client, txn))
			relay_response(c, relay_of(o), m);
		break;
	case OBJ_MID:
		call = call_find(c, handle_u64(mid_of(o)->call));
		save_touch(c, call ? &call->obj : NULL);
		if (call)
			history_message(c, call, !mid_of(o)->from, m);
		if (handle_eq(mid_of(o)->client, txn))
			mid_response(c, mid_of(o), m);
		break;
	case OBJ_REG:
		if (handle_eq(try_of(o)->client, txn))
			reg_response(c, try_of(o), m);
		break;
	case OBJ_SUB:
	case OBJ_SCCP:
	case OBJ_SCCP_CALL:
		break; /* without transactions, or they are relays' */
	}
}

static void on_response(struct calls *c, const struct event_sip *ev)
{
	struct handle txn;
	uint64_t user;

	if (!sip_txn_client_dest(c->txns, ev->msg))
		on_stray(c, ev);
	else if (is_from_there(c, ev) &&
		 sip_txn_recv_response(c->txns, ev->msg, c->now_ms, &txn,
				       &user) == 0 &&
		 !core_response(c, txn, ev->msg))
		calls_deliver(c, txn, user, ev->msg);
}

static bool refuse_extensions(struct calls *c, const struct event_sip *ev)
{
	uint8_t buf[256];
	struct writer w;
	struct slice tag;
	size_t pos = 0;
	bool is_any = false;

	writer_init(&w, buf, sizeof(buf) - 3);
	while (sip_out_unsupported(ev->msg, &pos, &tag)) {
		writer_str(&w, is_any ? ", " : "Unsupported: ");
		writer_put(&w, tag);
		is_any = true;
	}
	if (c->p.session_s == 0 &&
	    sip_msg_has_token(ev->msg, SIP_HDR_REQUIRE, "timer")) {
		writer_str(&w, is_any ? ", timer" : "Unsupported: timer");
		is_any = true;
	}
	if (!is_any)
		return false;
	if (!writer_ok(&w))
		w.len = 0;
	else
		memcpy(buf + w.len, "\r\n", 3);
	sip_refuse(c, ev, 420, "unsupported extension",
		   w.len > 0 ? (const char *)buf : "");
	return true;
}

static void phone_moved(struct calls *c, struct call *call, enum sig_level sig)
{
	call->sig = sig;
	history_add(c, call, &(struct history_item){.what = HISTORY_MOVED});
}

static void on_dialog_request(struct calls *c, const struct event_sip *ev)
{
	struct leg *leg = leg_find(c, ev->msg);
	bool is_moved = false;
	struct call *call;
	uint64_t id;

	if (!leg)
		leg = sub_adopt(c, ev);
	if (!leg || !leg_is_peer(leg, ev)) {
		sip_answer(c, ev, 481, "", "");
		return;
	}
	if (leg->call) {
		c->cookie = handle_u64(leg->call->obj.self);
		history_message(c, leg->call, leg->side, ev->msg);
	}
	if (sip_dialog_recv(&leg->dialog, ev->msg) != 0) {
		sip_answer(c, ev, 500, "CSeq Out of Order", "");
		return;
	}
	/* A phone that came back over another path is reached there. */
	if (leg->side == SIDE_PHONE && !dest_eq(&leg->dest, &ev->from) &&
	    !(leg->trunk && trunk_has_place(leg->trunk, &leg->dest))) {
		if (leg_set_dest(c, leg, &ev->from) != 0) {
			sip_answer(c, ev, 500, "", "");
			return;
		}
		if (leg->call)
			phone_moved(c, leg->call, ev->sig);
		is_moved = true;
	}
	id = leg->call ? handle_u64(leg->call->obj.self) : 0;
	if (leg->sub)
		sub_request(c, leg, ev);
	else if (ev->msg->method == SIP_METHOD_INVITE)
		invite_again(c, leg, ev);
	else if (ev->msg->method == SIP_METHOD_BYE)
		call_bye(c, leg, ev);
	else if (ev->msg->method == SIP_METHOD_PRACK)
		prack_request(c, leg, ev);
	else if (ev->msg->method == SIP_METHOD_UPDATE)
		update_request(c, leg, ev);
	else
		relay_in_dialog(c, leg, ev);
	/* What it was not told while it was away, or over another path. */
	call = is_moved ? call_find(c, id) : NULL;
	if (call)
		security_update(c, call);
}

static void answer_options(struct calls *c, const struct event_sip *ev)
{
	struct trunk *t = ev->side == SIDE_CORE ? trunk_of(c, ev) : NULL;
	char extra[256];
	struct writer w;

	if (t && !trunk_is_up(t)) {
		sip_answer(c, ev, 503, "", "Retry-After: 10\r\n");
		return;
	}
	writer_init(&w, extra, sizeof(extra) - 1);
	writer_str(&w, "Allow: ");
	writer_str(&w, sip_out_allow());
	writer_str(&w, "\r\nAccept: application/sdp\r\nSupported: 100rel, ");
	writer_str(&w, c->p.session_s != 0 ? "timer, " : "");
	writer_str(&w, "X-cisco-srtp-fallback\r\n");
	extra[w.len] = '\0';
	sip_answer(c, ev, 200, "", extra);
}

/* True when the request-URI's user is a registered phone's token. */
static bool names_phone(const struct calls *c, const struct event_sip *ev)
{
	struct sip_uri u;

	return ev->side == SIDE_CORE && sip_uri_parse(ev->msg->ruri, &u) == 0 &&
	       binding_find(c, u.user) != NULL;
}

/* True when OPTIONS on a trunk is about somebody behind it, or behind us. */
static bool is_for_user(const struct calls *c, const struct event_sip *ev)
{
	struct sip_uri u;

	return trunk_of(c, ev) && sip_uri_parse(ev->msg->ruri, &u) == 0 &&
	       u.user.len > 0;
}

static void refuse_method(struct calls *c, const struct event_sip *ev,
			  unsigned status)
{
	char extra[256];
	struct writer w;

	writer_init(&w, extra, sizeof(extra) - 1);
	writer_str(&w, "Allow: ");
	writer_str(&w, sip_out_allow());
	writer_str(&w, "\r\n");
	extra[w.len] = '\0';
	sip_refuse(c, ev, status, "method", extra);
}

static void on_new_request(struct calls *c, const struct event_sip *ev)
{
	if (relay_refuse_unregistered(c, ev))
		return;
	switch (ev->msg->method) {
	case SIP_METHOD_INVITE:
		invite_begin(c, ev);
		return;
	case SIP_METHOD_OPTIONS:
		if (names_phone(c, ev) || is_for_user(c, ev))
			relay_out_of_dialog(c, ev);
		else
			answer_options(c, ev);
		return;
	case SIP_METHOD_MESSAGE:
	case SIP_METHOD_PUBLISH:
		relay_out_of_dialog(c, ev);
		return;
	case SIP_METHOD_NOTIFY:
		if (ev->side == SIDE_CORE || ev->trunk)
			relay_out_of_dialog(c, ev);
		else
			sip_refuse(c, ev, 481, "no subscription", "");
		return;
	case SIP_METHOD_SUBSCRIBE:
	case SIP_METHOD_REFER:
		sub_begin(c, ev);
		return;
	case SIP_METHOD_REGISTER:
		refuse_method(c, ev, 405);
		return;
	case SIP_METHOD_BYE:
	case SIP_METHOD_INFO:
	case SIP_METHOD_PRACK:
	case SIP_METHOD_UPDATE:
		sip_answer(c, ev, 481, "", "");
		return;
	case SIP_METHOD_ACK:
	case SIP_METHOD_CANCEL:
		return; /* absorbed before; nothing answers an ACK */
	case SIP_METHOD_OTHER:
		refuse_method(c, ev, 501);
		return;
	}
}

static void on_request(struct calls *c, const struct event_sip *ev)
{
	const struct sip_msg *m = ev->msg;

	if (absorb(c, ev))
		return;
	if (m->method == SIP_METHOD_ACK || m->method == SIP_METHOD_CANCEL)
		return;
	if (m->max_forwards == 0 && m->method != SIP_METHOD_OPTIONS &&
	    m->method != SIP_METHOD_BYE) {
		sip_refuse(c, ev, 483, "too many hops", "");
		return;
	}
	if (refuse_extensions(c, ev))
		return;
	/* The same request by a second way (RFC 3261 section 8.2.2.2). A phone
	 * may repeat its REGISTER over a new connection. */
	if (m->method != SIP_METHOD_REGISTER && sip_txn_is_merged(c->txns, m)) {
		sip_refuse(c, ev, 482, "merged request", "");
		return;
	}
	if (m->method == SIP_METHOD_REGISTER && ev->side == SIDE_PHONE &&
	    !ev->trunk)
		reg_request(c, ev);
	else if (m->to_tag.len > 0)
		on_dialog_request(c, ev);
	else
		on_new_request(c, ev);
}

static void on_conn_down(struct calls *c, struct handle conn)
{
	uint8_t key[8];
	struct table_node *n;

	sip_txn_conn_down(c->txns, conn);
	run_failed(c);
	calls_ep_key(conn, key);
	/* call_end keeps a cancelling call alive, so each one's link is cut
	 * first and the loop ends. */
	while ((n = table_find(&c->leg_eps, slice_make(key, 8)))) {
		struct leg *leg = TABLE_ENTRY(n, struct leg, by_ep);

		table_del(&c->leg_eps, n);
		leg->has_ep = false;
		if (leg->sub)
			sub_conn_down(c, leg);
		else
			call_end(c, leg->call, leg, 480, "connection lost");
	}
	binding_conn_down(c, conn);
	sccp_conn_down(c, conn);
}

static void on_timer(struct calls *c)
{
	struct timerq_node *n;

	sip_txns_expire(c->txns, c->now_ms);
	run_failed(c);
	core_timer(c);
	trunk_timer(c);
	/* Looked at, not popped: a call's node is set for all its life. */
	while (timerq_next(&c->call_timers) <= c->now_ms)
		deadline_run(c, TIMERQ_ENTRY(c->call_timers.heap[0],
					     struct call, timer));
	while ((n = timerq_pop(&c->binding_timers, c->now_ms)))
		binding_timer(c, TIMERQ_ENTRY(n, struct binding, timer));
	while ((n = timerq_pop(&c->sub_timers, c->now_ms)))
		sub_timer(c, TIMERQ_ENTRY(n, struct sub, timer));
	sccp_timers(c);
}

static void on_flow(struct calls *c, const struct event *ev)
{
	struct obj *o = obj_find(c, ev->flow.call);

	if (o && o->kind == OBJ_CALL)
		flow_event(c, LIST_ENTRY(o, struct call, obj), ev);
	else if (o && o->kind == OBJ_SCCP)
		sccp_flow_event(c, LIST_ENTRY(o, struct sccp_phone, obj), ev);
}

static void on_drop(struct calls *c, uint64_t cookie)
{
	struct obj *o = obj_find(c, cookie);

	if (o && o->kind == OBJ_CALL)
		call_end(c, LIST_ENTRY(o, struct call, obj), NULL, 480,
			 "dropped by operator");
	else if (o && o->kind == OBJ_SCCP_CALL)
		sccp_call_drop(c, LIST_ENTRY(o, struct sccp_call, obj));
}

int call_step(struct calls *c, const struct event *ev, uint64_t now_ms,
	      struct actions *ret_out)
{
	calls_begin(c, now_ms, ret_out);
	switch (ev->kind) {
	case EVENT_CONN_DOWN:
		on_conn_down(c, ev->conn);
		break;
	case EVENT_SIP:
		if (ev->sip.msg->is_request)
			on_request(c, &ev->sip);
		else
			on_response(c, &ev->sip);
		break;
	case EVENT_SCCP:
		sccp_event(c, &ev->sccp);
		break;
	case EVENT_SCCP_LINK:
		sccp_link(c, &ev->link);
		break;
	case EVENT_TIMER:
		on_timer(c);
		break;
	case EVENT_FLOW_FAILED:
	case EVENT_FLOW_IDLE:
	case EVENT_FLOW_ACTIVE:
	case EVENT_FLOW_JOINED:
	case EVENT_FLOW_PARTED:
	case EVENT_FLOW_ROLLED:
		on_flow(c, ev);
		break;
	case EVENT_FLOW_LATCHED:
		break; /* the media process knows; nothing depends on it */
	case EVENT_CORE:
		core_set(c, &ev->core);
		break;
	case EVENT_TRUNK:
		trunk_set(c, &ev->trunk);
		break;
	case EVENT_AUTH:
		core_auth(c, &ev->auth);
		break;
	case EVENT_ARRIVED:
		arrive_told(c, ev->bytes);
		break;
	case EVENT_CALL_DROP:
		on_drop(c, ev->call);
		break;
	case EVENT_BINDING:
		binding_update(c, &ev->binding);
		break;
	}
	return calls_end(c);
}

bool calls_is_core(const struct calls *c, const struct addr *peer)
{
	return core_by_peer(&c->core, peer) != NULL;
}

uint32_t calls_manager(const struct calls *c, const struct addr *peer)
{
	const struct core_entry *e = core_by_peer(&c->core, peer);

	return e && addr_eq(&e->place.dest.peer, peer) ? e->place.manager
						       : UINT32_MAX;
}

uint64_t calls_deadline(const struct calls *c)
{
	uint64_t at = sip_txns_deadline(c->txns);

	if (timerq_next(&c->call_timers) < at)
		at = timerq_next(&c->call_timers);
	if (timerq_next(&c->binding_timers) < at)
		at = timerq_next(&c->binding_timers);
	if (timerq_next(&c->sub_timers) < at)
		at = timerq_next(&c->sub_timers);
	if (timerq_next(&c->sccp.timers) < at)
		at = timerq_next(&c->sccp.timers);
	if (core_deadline(&c->core, c->core_checked_ms) < at)
		at = core_deadline(&c->core, c->core_checked_ms);
	if (timerq_next(&c->core_asks) < at)
		at = timerq_next(&c->core_asks);
	if (timerq_next(&c->trunk_timers) < at)
		at = timerq_next(&c->trunk_timers);
	return c->move_at_ms < at ? c->move_at_ms : at;
}
