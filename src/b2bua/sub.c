/*
 * Subscriptions (RFC 6665): two dialogs each, made by SUBSCRIBE, or by a
 * REFER outside of dialogs. What is asked, granted and notified passes from
 * one to the other; each ends when the other does.
 */
#include "b2bua/sub.h"

#include "base/alloc.h"
#include "base/text.h"
#include "sip/hdr.h"
#include "sip/print.h"

enum { EVENT_MAX = 128 };

void sub_free(struct calls *c, struct sub *s)
{
	save_sub_done(c, s);
	timerq_clear(&c->sub_timers, &s->timer);
	leg_done(c, &s->leg[0]);
	leg_done(c, &s->leg[1]);
	if (s->has_device)
		table_del(&c->sub_devices, &s->by_device);
	obj_done(c, &s->obj);
	alloc_free(s->device);
	alloc_free(s->event);
	alloc_free(s);
	c->sub_count--;
}

static uint32_t device_subs(const struct calls *c, struct slice device)
{
	const struct table_node *n = table_find(&c->sub_devices, device);
	uint32_t count = 0;

	for (; n; n = table_find_next(n))
		count++;
	return count;
}

static void leg_begin(struct calls *c, struct sub *s, enum side side)
{
	struct leg *leg = &s->leg[side];

	leg->sub = s;
	leg->side = side;
	leg->is_uac = side != s->subscriber;
	calls_hex(c, leg->tag, TAG_LEN);
	memcpy(leg->contact_user, leg->tag, TAG_LEN + 1);
}

bool sub_room(const struct calls *c, struct slice device)
{
	return c->sub_count < c->p.sub_limit &&
	       (device.len == 0 ||
		device_subs(c, device) < c->p.sub_device_limit);
}

struct sub *sub_new(struct calls *c, enum side subscriber, struct slice device)
{
	struct sub *s = NULL;

	if (sub_room(c, device))
		s = alloc_zero(sizeof(*s));
	if (s && obj_init(c, &s->obj, OBJ_SUB) != 0)
		s = alloc_free(s);
	if (!s) {
		c->sub_refused++;
		return NULL;
	}
	c->sub_count++;
	s->subscriber = subscriber;
	leg_begin(c, s, SIDE_PHONE);
	leg_begin(c, s, SIDE_CORE);
	s->device = alloc_copy(device);
	if (s->device && device.len > 0)
		s->has_device = table_add(&c->sub_devices, &s->by_device,
					  slice_str(s->device)) == 0;
	if (!s->device || s->has_device != (device.len > 0) ||
	    timerq_set(&c->sub_timers, &s->timer, c->now_ms + SUB_GRACE_MS)) {
		sub_free(c, s);
		return NULL;
	}
	return s;
}

/* It lives this long from now on. */
static void set_timer(struct calls *c, struct sub *s, uint64_t expires_s)
{
	if (expires_s > SUB_EXPIRES_MAX_S)
		expires_s = SUB_EXPIRES_MAX_S;
	/* It is set already, so it is only moved: no memory is needed. */
	if (timerq_set(&c->sub_timers, &s->timer,
		       c->now_ms + expires_s * 1000 + SUB_GRACE_MS) != 0)
		c->err = ERR_NOMEM;
}

/* What identifies a subscription besides its dialog: package and id. */
static char *event_of(const struct sip_msg *m)
{
	uint8_t buf[EVENT_MAX];
	struct slice package;
	struct slice params;
	struct slice id;
	struct writer w;

	if (m->method == SIP_METHOD_REFER)
		return alloc_copy((struct slice)SLICE("refer"));
	text_cut(sip_msg_value(m, SIP_HDR_EVENT), ';', &package, &params);
	writer_init(&w, buf, sizeof(buf));
	writer_put(&w, text_trim(package));
	if (sip_param(params, "id", &id)) {
		writer_str(&w, ";id=");
		writer_put(&w, id);
	}
	return writer_ok(&w) ? alloc_copy(writer_slice(&w)) : NULL;
}

static bool refuse_unusable(struct calls *c, const struct event_sip *ev)
{
	const struct sip_msg *m = ev->msg;
	struct slice value;
	size_t pos = 0;

	if (!sip_msg_next(m, SIP_HDR_CONTACT, &pos, &value)) {
		sip_refuse(c, ev, 400, "no Contact", "");
		return true;
	}
	pos = 0;
	if (m->method == SIP_METHOD_SUBSCRIBE) {
		text_cut(sip_msg_value(m, SIP_HDR_EVENT), ';', &value, NULL);
		if (text_all_token(text_trim(value)))
			return false;
		sip_refuse(c, ev, 489, "no event package", "");
		return true;
	}
	/* RFC 3515 section 2.4.2: exactly one. */
	if (sip_msg_next(m, SIP_HDR_REFER_TO, &pos, &value) &&
	    !sip_msg_next(m, SIP_HDR_REFER_TO, &pos, &value))
		return false;
	sip_refuse(c, ev, 400, "not one Refer-To", "");
	return true;
}

static uint32_t epoch_of(const struct calls *c, const struct dest *d)
{
	const struct core_entry *e = core_by_peer(&c->core, &d->peer);

	return e ? e->epoch : 0;
}

/* Both dialogs, from the request that begins it. */
static int fill(struct calls *c, struct sub *s, const struct event_sip *ev,
		const struct relay_target *t)
{
	struct leg *from = &s->leg[ev->side];
	struct leg *to = &s->leg[!ev->side];
	struct sip_out_map map =
		leg_map(&ev->from, &t->dest, to->side == SIDE_PHONE);
	struct dest dest = ev->from;
	int err;

	s->leg[SIDE_PHONE].trunk = t->trunk;
	s->pass_auth = t->pass_auth;
	s->is_refer = ev->msg->method == SIP_METHOD_REFER;
	s->fork_ms = c->now_ms + SUB_GRACE_MS;
	s->epoch = epoch_of(c, &t->dest);
	s->event = event_of(ev->msg);
	if (!s->event)
		return ERR_NOMEM;
	if (from->trunk)
		dest = trunk_reply_dest(from->trunk, &ev->from);
	err = leg_set_dest(c, from, &dest);
	if (!err)
		err = leg_set_dest(c, to, &t->dest);
	trunk_map(&map, to);
	if (!err)
		err = sip_dialog_init_uas(&from->dialog, ev->msg,
					  slice_str(from->tag));
	if (!err)
		err = leg_link(c, from);
	if (!err)
		err = relay_carrier(c, to, ev->msg, t->ruri, &map);
	if (err)
		return err;
	if (t->token.len > 0)
		memcpy(s->leg[SIDE_CORE].contact_user, t->token.ptr,
		       TOKEN_LEN + 1);
	return leg_link(c, to);
}

/* Pass ev, which came in on leg, on to the other dialog of s. */
static int pass(struct calls *c, struct sub *s, struct leg *leg,
		const struct event_sip *ev, struct slice to_tag)
{
	struct leg *to = &s->leg[!leg->side];
	uint8_t buf[64];
	struct relay *r = relay_new(c, ev, to_tag);
	int err;

	if (!r)
		return ERR_LIMIT;
	r->sub = s->obj.self;
	r->trunk = s->leg[SIDE_PHONE].trunk;
	r->pass_auth = s->pass_auth;
	r->is_initial = to_tag.len > 0;
	r->expires_s = sip_expires(ev->msg, SLICE_NULL, SUB_EXPIRES_S);
	r->cseq_in = ev->msg->cseq;
	memcpy(r->contact, leg->contact_user, sizeof(r->contact));
	err = relay_send(c, r, to, ev,
			 refer_event(leg, ev->msg, buf, sizeof(buf)));
	if (err) {
		reply_status(c, &r->reply, 503, "", "Retry-After: 5\r\n");
		relay_free(c, r);
		return err;
	}
	if (ev->msg->method == SIP_METHOD_REFER)
		refer_add(leg, ev->msg->cseq, to->dialog.local_cseq);
	if (ev->msg->method == SIP_METHOD_SUBSCRIBE)
		s->refresh = r->obj.self;
	return 0;
}

void sub_begin(struct calls *c, const struct event_sip *ev)
{
	struct relay_target t;
	struct sub *s;
	int err;

	if (refuse_unusable(c, ev))
		return;
	if (!relay_find_target(c, ev, &t)) {
		if (t.trunk || ev->side == SIDE_PHONE)
			sip_refuse(c, ev, 503, "nobody to send it to",
				   "Retry-After: 5\r\n");
		else
			sip_refuse(c, ev, 404, "unknown token", "");
		return;
	}
	s = sub_new(c, ev->side, t.device);
	if (!s) {
		sip_refuse(c, ev, 503, "subscription limit",
			   "Retry-After: 5\r\n");
		return;
	}
	err = fill(c, s, ev, &t);
	if (err) {
		sub_free(c, s);
		if (err == ERR_BAD)
			sip_refuse(c, ev, 400, "dialog headers", "");
		else
			sip_refuse(c, ev, 503, "limit", "Retry-After: 5\r\n");
		return;
	}
	if (pass(c, s, &s->leg[ev->side], ev,
		 slice_str(s->leg[ev->side].tag)) != 0)
		sub_free(c, s);
}

/* The dialog's own subscription: others are told apart by their Event, package
 * and id (RFC 6665 section 4.5.2). */
static bool is_about(const struct sub *s, const struct sip_msg *m)
{
	struct slice package[2];
	struct slice params[2];
	struct slice id[2] = {SLICE_NULL, SLICE_NULL};

	text_cut(slice_str(s->event), ';', &package[0], &params[0]);
	text_cut(sip_msg_value(m, SIP_HDR_EVENT), ';', &package[1], &params[1]);
	for (int i = 0; i < 2; i++)
		(void)sip_param(params[i], "id", &id[i]); /* may be none */
	return text_ieq(text_trim(package[0]), text_trim(package[1])) &&
	       slice_eq(id[0], id[1]);
}

/* What a NOTIFY says about how long it goes on. */
static void notified(struct calls *c, struct sub *s, struct leg *leg,
		     const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_msg_find_name(m, "Subscription-State");
	struct slice params = SLICE_NULL;
	struct slice value;
	uint64_t expires_s;

	refer_notified(leg, m);
	if (refer_is_terminated(m)) {
		s->is_over |= s->is_refer || is_about(s, m);
		if (s->is_over && s->refers.count == 0)
			sub_free(c, s);
		return;
	}
	if (!s->is_refer && !is_about(s, m))
		return;
	if (h)
		text_cut(h->value, ';', NULL, &params);
	if (sip_param(params, "expires", &value) &&
	    text_dec(value, UINT32_MAX, &expires_s) == 0)
		set_timer(c, s, expires_s);
	else if (s->is_refer)
		set_timer(c, s, SUB_REFER_S);
}

/* Who may send what; status of the answer, 0: it may pass. */
static unsigned may_send(const struct sub *s, const struct leg *leg,
			 enum sip_method method)
{
	bool is_subscriber = leg->side == s->subscriber;

	switch (method) {
	case SIP_METHOD_SUBSCRIBE:
		return is_subscriber ? 0 : 403;
	case SIP_METHOD_NOTIFY:
		return is_subscriber ? 481 : 0;
	case SIP_METHOD_INFO:
	case SIP_METHOD_MESSAGE:
	case SIP_METHOD_OPTIONS:
	case SIP_METHOD_REFER:
		return 0;
	case SIP_METHOD_INVITE:
	case SIP_METHOD_ACK:
	case SIP_METHOD_BYE:
	case SIP_METHOD_CANCEL:
	case SIP_METHOD_PRACK:
	case SIP_METHOD_UPDATE:
		return 481;
	case SIP_METHOD_OTHER:
	case SIP_METHOD_REGISTER:
	case SIP_METHOD_PUBLISH:
		break;
	}
	return 501;
}

static bool is_other_package(const struct sub *s, const struct sip_msg *m)
{
	struct slice ours;
	struct slice theirs;

	text_cut(slice_str(s->event), ';', &ours, NULL);
	text_cut(sip_msg_value(m, SIP_HDR_EVENT), ';', &theirs, NULL);
	return m->method == SIP_METHOD_SUBSCRIBE &&
	       !text_ieq(text_trim(ours), text_trim(theirs));
}

/* What begins something else in the dialog would pass the gates unseen, which
 * judge it outside of dialogs: the status it is refused with, or 0. */
static unsigned unjudged(const struct sub *s, const struct event_sip *ev)
{
	if (is_other_package(s, ev->msg))
		return 489;
	/* There is no call here whose party it would hand over. */
	if (ev->msg->method == SIP_METHOD_REFER && ev->trunk && !s->is_refer)
		return 403;
	return 0;
}

void sub_request(struct calls *c, struct leg *leg, const struct event_sip *ev)
{
	struct sub *s = leg->sub;
	enum sip_method method = ev->msg->method;
	unsigned status = may_send(s, leg, method);

	save_touch(c, &s->obj);
	if (!status)
		status = unjudged(s, ev);
	if (!status && method == SIP_METHOD_SUBSCRIBE && sub_is_lost(c, s)) {
		/* It need not wait to hear that nobody answers. */
		sip_answer(c, ev, 481, "", "");
		sub_free(c, s);
		return;
	}
	if (!status && !s->leg[!leg->side].dialog.remote_tag)
		status = 500; /* the other dialog is not made yet */
	if (!status &&
	    (method == SIP_METHOD_SUBSCRIBE || method == SIP_METHOD_NOTIFY) &&
	    sip_dialog_refresh(&leg->dialog, ev->msg) != 0)
		status = 400;
	if (!status && method == SIP_METHOD_REFER && !refer_room(c, leg))
		status = 503;
	if (status) {
		sip_answer(c, ev, status, "",
			   status >= 500 ? "Retry-After: 1\r\n" : "");
		return;
	}
	if (pass(c, s, leg, ev, SLICE_NULL) == 0 && method == SIP_METHOD_NOTIFY)
		notified(c, s, leg, ev->msg);
}

/* A response to SUBSCRIBE or NOTIFY after which there is no subscription
 * (RFC 6665 sections 4.1.2.2 and 4.2.2). */
static bool is_end(unsigned status)
{
	static const uint16_t ends[] = {404, 405, 408, 410, 416, 480, 481,
					482, 483, 484, 485, 489, 501, 604};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (status == ends[i])
			return true;
	return false;
}

static bool is_ours(enum sip_method method)
{
	return method == SIP_METHOD_SUBSCRIBE || method == SIP_METHOD_NOTIFY;
}

/* Has a NOTIFY made a fork of the dialog that this 2xx is of? */
static bool is_forked(struct calls *c, const struct sip_msg *m)
{
	struct table_node *n = leg_find_first(c, m->call_id, m->from_tag);

	for (; n; n = table_find_next(n))
		if (sip_dialog_match(&TABLE_ENTRY(n, struct leg, node)->dialog,
				     m))
			return true;
	return false;
}

static void succeeded(struct calls *c, struct sub *s, const struct relay *r,
		      const struct sip_msg *m)
{
	struct sip_dialog *d = &s->leg[!r->from].dialog;
	int err = 0;

	/* A NOTIFY may have made the dialog before this 2xx, which may then be
	 * another notifier's, if a proxy inside asked several; or one that fell
	 * silent after its NOTIFY is left for this one. */
	if (r->is_initial &&
	    (!d->remote_tag || (r->is_moved && !is_forked(c, m)))) {
		err = sip_dialog_learn(d, m);
		d->remote_cseq = 0;
	} else if (is_ours(m->method) && sip_dialog_match(d, m))
		err = sip_dialog_refresh(d, m);
	if (err == ERR_NOMEM)
		c->err = err;
	if (m->method == SIP_METHOD_SUBSCRIBE) {
		set_timer(c, s, sip_expires(m, SLICE_NULL, r->expires_s));
		if (r->from == SIDE_PHONE)
			s->epoch = c->from_epoch;
	} else if (m->method == SIP_METHOD_REFER)
		refer_answer(&s->refers, r->from, r->cseq_in, m);
	if (s->is_refer && s->refers.count == 0)
		sub_free(c, s);
}

void sub_response(struct calls *c, struct sub *s, const struct relay *r,
		  const struct sip_msg *m)
{
	save_touch(c, &s->obj);
	if (m->status < 300) {
		succeeded(c, s, r, m);
		return;
	}
	if (r->is_initial || (is_ours(m->method) && is_end(m->status))) {
		sub_free(c, s);
		return;
	}
	if (m->method == SIP_METHOD_REFER)
		refer_answer(&s->refers, r->from, r->cseq_in, m);
}

void sub_failed(struct calls *c, struct sub *s, const struct relay *r)
{
	/* Only what asks or tells about the subscription decides about it. */
	if (r->is_initial || r->is_sub_event)
		sub_free(c, s);
	else
		refer_answer(&s->refers, r->from, r->cseq_in, NULL);
}

/* The other dialog of a forked SUBSCRIBE: a subscription of its own, whose
 * subscriber sees the fork too, by another tag. */
static struct leg *fork_sub(struct calls *c, struct leg *leg,
			    const struct event_sip *ev)
{
	struct sub *s = leg->sub;
	struct sub *f = sub_new(c, s->subscriber, slice_str(s->device));
	struct leg *to = f ? &f->leg[leg->side] : NULL;
	struct leg *back = f ? &f->leg[!leg->side] : NULL;
	const struct leg *old = &s->leg[!leg->side];
	int err;

	if (!f)
		return NULL;
	f->leg[SIDE_PHONE].trunk = s->leg[SIDE_PHONE].trunk;
	f->pass_auth = s->pass_auth;
	f->is_refer = s->is_refer;
	f->refers = s->refers;
	f->fork_ms = s->fork_ms;
	f->epoch = s->epoch;
	memcpy(to->tag, leg->tag, sizeof(to->tag));
	memcpy(to->contact_user, leg->contact_user, sizeof(to->contact_user));
	memcpy(back->contact_user, old->contact_user,
	       sizeof(back->contact_user));
	f->event = alloc_copy(slice_str(s->event));
	err = f->event ? 0 : ERR_NOMEM;
	if (!err)
		err = leg_set_dest(c, to, &leg->dest);
	if (!err)
		err = leg_set_dest(c, back, &old->dest);
	if (!err)
		err = sip_dialog_copy(&to->dialog, &leg->dialog,
				      slice_str(to->tag));
	/* Of the SUBSCRIBE, which begins this dialog too. */
	to->dialog.local_cseq = leg->dialog.local_cseq;
	if (!err)
		err = sip_dialog_adopt(&to->dialog, ev->msg);
	if (!err)
		err = sip_dialog_copy(&back->dialog, &old->dialog,
				      slice_str(back->tag));
	if (!err)
		err = leg_link(c, to);
	if (!err)
		err = leg_link(c, back);
	if (!err)
		return to;
	sub_free(c, f);
	return NULL;
}

struct leg *sub_adopt(struct calls *c, const struct event_sip *ev)
{
	struct leg *leg = leg_find_ours(c, ev->msg);

	if (ev->msg->method != SIP_METHOD_NOTIFY ||
	    ev->msg->from_tag.len == 0 || !leg || !leg->sub ||
	    leg->side == leg->sub->subscriber || !leg_is_peer(leg, ev))
		return NULL;
	if (leg->dialog.remote_tag)
		return c->now_ms < leg->sub->fork_ms ? fork_sub(c, leg, ev)
						     : NULL;
	return sip_dialog_adopt(&leg->dialog, ev->msg) == 0 ? leg : NULL;
}

static void tell_end(struct calls *c, struct sub *s, enum side side,
		     const char *reason)
{
	bool is_notify = s->subscriber == side;
	enum sip_method method =
		is_notify ? SIP_METHOD_NOTIFY : SIP_METHOD_SUBSCRIBE;
	uint8_t buf[EVENT_MAX + 512]; /* a configured name has at most 256 */
	struct writer w;
	struct handle txn;
	struct sip_out_request m = {
		.method = slice_str(is_notify ? "NOTIFY" : "SUBSCRIBE")};

	writer_init(&w, buf, sizeof(buf));
	sip_print_hdr(&w, "Event", slice_str(s->event));
	if (is_notify) {
		writer_str(&w, "Subscription-State: terminated;reason=");
		writer_str(&w, reason);
		writer_str(&w, "\r\n");
	} else {
		writer_str(&w, "Expires: 0\r\n");
	}
	if (c->server_name[0])
		sip_print_hdr(&w, "User-Agent", calls_agent(c));
	m.extra = writer_slice(&w);
	if (s->is_refer && is_notify) {
		m.type = (struct slice)SLICE("message/sipfrag");
		m.body = (struct slice)SLICE(
			"SIP/2.0 503 Service Unavailable\r\n");
	}
	if (leg_request(c, &s->leg[side], method, &m, 0, &txn) != 0)
		c->err = ERR_NOMEM;
}

void sub_tell_core(struct calls *c, struct sub *s)
{
	tell_end(c, s, SIDE_CORE, "noresource");
}

void sub_tell_phone(struct calls *c, struct sub *s)
{
	tell_end(c, s, SIDE_PHONE, "deactivated");
}

void sub_conn_down(struct calls *c, struct leg *leg)
{
	struct sub *s = leg->sub;
	bool is_referrer = s->is_refer && s->subscriber == SIDE_PHONE;

	/* What a REFER began ends with its next NOTIFY: 481. */
	if (s->leg[SIDE_CORE].dialog.remote_tag && !is_referrer)
		sub_tell_core(c, s);
	sub_free(c, s);
}

void sub_timer(struct calls *c, struct sub *s)
{
	sub_free(c, s);
}

/* Take a leg's dialog out of its call. */
static int move_leg(struct calls *c, struct leg *to, struct leg *from)
{
	struct dest dest = from->dest;
	int err;

	memcpy(to->tag, from->tag, sizeof(to->tag));
	memcpy(to->contact_user, from->contact_user, sizeof(to->contact_user));
	to->dialog = from->dialog;
	from->dialog = (struct sip_dialog){.call_id = NULL};
	leg_done(c, from);
	err = leg_link(c, to);
	return err ? err : leg_set_dest(c, to, &dest);
}

void sub_inherit(struct calls *c, struct call *call)
{
	struct sub *s;
	int err = 0;

	if (call->refers.count == 0 ||
	    !call->leg[SIDE_PHONE].dialog.remote_tag ||
	    !call->leg[SIDE_CORE].dialog.remote_tag)
		return;
	s = sub_new(c, call->refers.item[0].from, slice_str(call->device));
	if (!s)
		return;
	s->leg[SIDE_PHONE].trunk = call->leg[SIDE_PHONE].trunk;
	save_touch(c, &s->obj);
	s->pass_auth = call->pass_auth;
	s->is_refer = true;
	s->refers = call->refers;
	s->event = alloc_copy((struct slice)SLICE("refer"));
	for (int side = 0; side < 2 && !err; side++)
		err = move_leg(c, &s->leg[side], &call->leg[side]);
	if (err || !s->event)
		sub_free(c, s);
	else
		set_timer(c, s, SUB_GRACE_MS / 1000);
}
