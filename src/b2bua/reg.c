/*
 * REGISTER relay (RFC 3261 section 10): a phone's Contact is known to the
 * call manager as a token on our own address only. A binding counts once the
 * call manager has said yes; until then, and when it says no, what was there
 * before stays as it was, so nobody takes over a line without being let in.
 */
#include "b2bua/sub.h"

#include "base/alloc.h"
#include "base/text.h"
#include "rewrite/hdr_rule.h"
#include "sip/hdr.h"
#include "sip/print.h"
#include "sip/uri.h"

enum { EXPIRES_DEFAULT_S = 3600 };

/* One Contact of the phone's REGISTER. */
struct wish {
	struct slice uri;
	struct slice params;
	uint32_t expires_s;
};

struct wishes {
	struct wish item[CONTACTS_MAX];
	uint32_t count;
	bool is_all;	 /* "*" */
	unsigned status; /* why it is refused; 0: it is not */
};

static void wish_add(struct calls *c, const struct sip_msg *m,
		     struct slice value, struct wishes *ret)
{
	struct wish *w = &ret->item[ret->count];
	struct sip_nameaddr na;
	struct sip_uri u;

	if (sip_nameaddr_parse(value, &na) != 0) {
		ret->status = 400;
		return;
	}
	*w = (struct wish){.uri = na.uri, .params = na.params};
	w->expires_s = sip_expires(m, na.params, EXPIRES_DEFAULT_S);
	if (slice_eqs(na.uri, "*")) {
		ret->is_all = true;
		if (w->expires_s != 0)
			ret->status = 400;
		return;
	}
	if (sip_uri_parse(na.uri, &u) != 0 || ret->count + 1 > CONTACTS_MAX) {
		ret->status = 400;
		return;
	}
	if (w->expires_s > 0 && w->expires_s < c->p.expires_min_s)
		ret->status = 423;
	if (w->expires_s > c->p.expires_max_s)
		w->expires_s = c->p.expires_max_s;
	ret->count++;
}

static void wishes_read(struct calls *c, const struct sip_msg *m,
			struct wishes *ret)
{
	struct slice value;
	size_t pos = 0;

	*ret = (struct wishes){.count = 0};
	while (sip_msg_next(m, SIP_HDR_CONTACT, &pos, &value) &&
	       ret->status == 0) {
		if (ret->count == CONTACTS_MAX)
			ret->status = 400;
		else
			wish_add(c, m, value, ret);
	}
	if (ret->is_all && ret->count > 0)
		ret->status = 400;
}

/* "user@domain" of To into buf, without port and password; empty: not an
 * address that can be registered. */
static struct slice aor_of(const struct sip_msg *m, uint8_t *buf, size_t cap)
{
	struct sip_nameaddr na;
	struct sip_uri u;
	struct writer w;

	if (sip_nameaddr_parse(m->to, &na) != 0 ||
	    sip_uri_parse(na.uri, &u) != 0 || u.user.len == 0)
		return SLICE_NULL;
	writer_init(&w, buf, cap);
	writer_put(&w, u.user);
	writer_u8(&w, '@');
	for (size_t i = 0; i < u.host.len; i++)
		writer_u8(&w, text_lower(u.host.ptr[i]));
	return writer_slice(&w);
}

/* What follows the URI of a Contact line of b. */
static void print_tail(struct writer *w, const struct binding *b,
		       uint64_t expires_s)
{
	writer_str(w, b->params);
	writer_str(w, ";expires=");
	writer_dec(w, expires_s);
	writer_str(w, "\r\n");
}

/* The Contact by which the call manager knows b. */
void reg_print_inside(struct writer *w, const struct binding *b,
		      uint64_t expires_s)
{
	writer_str(w, "Contact: ");
	sip_out_contact(w, &b->line->core, slice_make(b->token, TOKEN_LEN));
	print_tail(w, b, expires_s);
}

/* The Contacts of the line as the phone wrote them, with what is left. */
static void print_outside(struct calls *c, struct writer *w,
			  const struct line *l)
{
	struct list *n;

	list_for_each(n, &l->bindings) {
		const struct binding *b = LIST_ENTRY(n, struct binding, node);

		if (!b->is_active || b->expires_ms <= c->now_ms)
			continue;
		writer_str(w, "Contact: <");
		writer_str(w, b->contact);
		writer_str(w, ">");
		print_tail(w, b, (b->expires_ms - c->now_ms + 999) / 1000);
	}
}

static void answer_contacts(struct calls *c, const struct event_sip *ev,
			    const struct line *l)
{
	struct writer w;

	writer_init(&w, c->body_buf, sizeof(c->body_buf) - 1);
	if (l)
		print_outside(c, &w, l);
	c->body_buf[writer_ok(&w) ? w.len : 0] = '\0';
	sip_answer(c, ev, 200, "", (const char *)c->body_buf);
}

/* Send a REGISTER of l inside. src and rules as in sip_out_request. */
int reg_send(struct calls *c, struct line *l, struct sip_out_request *m,
	     struct slice from, uint64_t user, struct handle *ret_txn)
{
	struct leg leg = {.side = SIDE_CORE, .dest = l->core};
	int err = sip_dialog_init_uac(&leg.dialog, slice_str(l->call_id), from,
				      slice_str(l->tag), slice_str(l->to),
				      slice_str(l->ruri));

	if (!err) {
		leg.dialog.local_cseq = l->cseq;
		m->method = (struct slice)SLICE("REGISTER");
		err = leg_request(c, &leg, SIP_METHOD_REGISTER, m, user,
				  ret_txn);
		l->cseq = leg.dialog.local_cseq;
	}
	sip_dialog_done(&leg.dialog);
	return err;
}

/* What call managers know of l is written for dest from now on. */
int reg_line_move(struct line *l, const struct dest *dest)
{
	struct core_map map = core_map_of(&l->core, dest);
	char **const text[] = {&l->to, &l->ruri, &l->headers};
	int err;

	if (dest_eq(&l->core, dest))
		return 0;
	err = core_map_texts(text, 3, &map);
	if (!err)
		l->core = *dest;
	return err;
}

/* The line is written for this place, up or not: a request that nobody answers
 * is of no harm. False: it cannot be. */
static bool line_at(struct calls *c, struct line *l, struct handle place)
{
	const struct core_entry *e = core_get(&c->core, place);

	return !e || reg_line_move(l, &e->place.dest) == 0;
}

/* Whether it comes to be heard or not, nobody waits for an answer. */
static void send_removal(struct calls *c, struct line *l,
			 const struct writer *contacts)
{
	struct sip_out_request m = {.max_forwards = 70,
				    .extra = writer_slice(contacts)};
	struct handle txn;

	if (reg_send(c, l, &m, slice_str(l->to), 0, &txn) != 0)
		c->err = ERR_NOMEM;
}

void reg_remove(struct calls *c, struct line *l, struct binding *const *b,
		uint32_t n)
{
	struct writer w;

	/* Where it is registered. */
	if (!line_at(c, l, b[0]->place))
		return;
	writer_init(&w, c->body_buf, sizeof(c->body_buf));
	for (uint32_t i = 0; i < n; i++)
		reg_print_inside(&w, b[i], 0);
	send_removal(c, l, &w);
}

bool reg_is_wanted(const struct calls *c, const struct reg_try *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->item[i].expires_s == 0 ||
		    slots_find(&c->bindings, t->item[i].binding))
			return true;
	return false;
}

void reg_remove_ended(struct calls *c, const struct reg_try *t,
		      const struct sip_msg *m)
{
	struct line *l = t->line;
	struct writer w;

	writer_init(&w, c->body_buf, sizeof(c->body_buf));
	for (uint32_t i = 0; i < t->count; i++) {
		const char *token = t->item[i].token;
		uint32_t asked = t->item[i].expires_s;

		if (slots_find(&c->bindings, t->item[i].binding) ||
		    asked == 0 || reg_granted(m, token, asked) == 0)
			continue;
		if (w.len == 0 && !line_at(c, l, c->from_place))
			return;
		writer_str(&w, "Contact: ");
		sip_out_contact(&w, &l->core, slice_make(token, TOKEN_LEN));
		writer_str(&w, ";expires=0\r\n");
	}
	if (w.len > 0)
		send_removal(c, l, &w);
}

/* The same phone's binding: by instance, or by the same URI. */
static bool is_same_contact(const struct binding *b, struct slice uri,
			    struct slice instance)
{
	return slice_eqs(uri, b->contact) ||
	       (instance.len > 0 && slice_eqs(instance, b->instance));
}

/* A binding of a process before us has no connection any more: nobody loses
 * anything when the phone takes it over at once, as long as we have seen for
 * ourselves that it is the phone. */
static bool is_orphan(const struct binding *b)
{
	return handle_is_none(b->dest.ep) && !b->pass_auth;
}

static struct binding *find_contact(const struct line *l, const struct wish *w,
				    const struct dest *from)
{
	struct slice instance = SLICE_NULL;
	struct list *n;

	(void)sip_param(w->params, "+sip.instance", &instance);
	list_for_each(n, &l->bindings) {
		struct binding *b = LIST_ENTRY(n, struct binding, node);

		/* A phone that comes back over another connection gets a new
		 * binding, which replaces this one when it is accepted. */
		if (is_same_contact(b, w->uri, instance) &&
		    (w->expires_s == 0 || dest_eq(&b->dest, from) ||
		     is_orphan(b)))
			return b;
	}
	return NULL;
}

void reg_try_add(struct reg_try *t, const struct binding *b, uint32_t expires_s,
		 bool is_new)
{
	if (t->count == CONTACTS_MAX)
		return;
	t->item[t->count].binding = b->self;
	memcpy(t->item[t->count].token, b->token, sizeof(b->token));
	t->item[t->count].expires_s = expires_s;
	t->item[t->count].is_new = is_new;
	t->count++;
}

static int try_wish(struct calls *c, struct reg_try *t,
		    const struct event_sip *ev, const struct wish *w)
{
	struct binding *b = find_contact(t->line, w, &ev->from);
	bool is_new = !b;
	int err = 0;

	if (w->expires_s == 0) {
		if (b)
			reg_try_add(t, b, 0, false);
		return 0;
	}
	if (b)
		err = binding_refresh(c, b, ev, w->uri, w->params);
	else
		err = binding_new(c, t->line, ev, w->uri, w->params, &b);
	if (!err)
		reg_try_add(t, b, w->expires_s, is_new);
	return err;
}

static int try_fill(struct calls *c, struct reg_try *t,
		    const struct event_sip *ev, const struct wishes *ws)
{
	struct list *n;

	if (ws->is_all) {
		list_for_each(n, &t->line->bindings)
			reg_try_add(t, LIST_ENTRY(n, struct binding, node), 0,
				    false);
		return 0;
	}
	for (uint32_t i = 0; i < ws->count; i++) {
		int err = try_wish(c, t, ev, &ws->item[i]);

		if (err)
			return err;
	}
	return 0;
}

/* Bindings that this try made and nobody accepted. */
static void drop_new(struct calls *c, struct reg_try *t)
{
	for (uint32_t i = 0; i < t->count; i++) {
		struct binding *b =
			slots_find(&c->bindings, t->item[i].binding);

		if (b && t->item[i].is_new && !b->is_active)
			binding_free(c, b);
	}
}

void reg_try_free(struct calls *c, struct reg_try *t)
{
	drop_new(c, t);
	if (t->is_own)
		c->moving--;
	obj_done(c, &t->obj);
	reply_done(&t->reply);
	t->line->try_count--;
	line_drop(c, t->line);
	alloc_free(t);
}

static int set_line(struct calls *c, struct line *l, const struct event_sip *ev,
		    const struct core_entry *e)
{
	const struct sip_msg *m = ev->msg;
	struct sip_out_rules rules = {
		.map = {.ours = ev->from.local, .ours_new = e->place.dest.peer},
	};
	const struct sip_out_map *map = &rules.map;
	struct writer w;
	char *to;
	char *ruri;
	char *headers;

	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_out_identity(&w, m->to, map);
	to = writer_ok(&w) ? alloc_copy(writer_slice(&w)) : NULL;
	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_out_addr(&w, m->ruri, map);
	ruri = writer_ok(&w) ? alloc_copy(writer_slice(&w)) : NULL;
	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	hdr_rule_copy(&w, m, &rules);
	headers = writer_ok(&w) ? alloc_copy(writer_slice(&w)) : NULL;
	if (!to || !ruri || !headers) {
		alloc_free(to);
		alloc_free(ruri);
		alloc_free(headers);
		return ERR_NOMEM;
	}
	alloc_free(l->to);
	alloc_free(l->ruri);
	alloc_free(l->headers);
	l->to = to;
	l->ruri = ruri;
	l->headers = headers;
	l->core = e->place.dest;
	return 0;
}

static int try_send(struct calls *c, struct reg_try *t,
		    const struct event_sip *ev)
{
	struct sip_out_rules rules = {
		.pass_auth = ev->pass_auth,
		.has_body = true,
		.map = leg_map(&ev->from, &t->line->core, false),
		.lookup = &c->lookup,
	};
	struct sip_out_request m = {
		.src = ev->msg,
		.rules = &rules,
		.max_forwards = ev->msg->max_forwards - 1,
	};
	struct writer w;
	struct writer wf;

	writer_init(&w, c->body_buf, sizeof(c->body_buf));
	for (uint32_t i = 0; i < t->count; i++)
		reg_print_inside(&w,
				 slots_find(&c->bindings, t->item[i].binding),
				 t->item[i].expires_s);
	/* Copied into the request's dialog before msg_buf is printed to. */
	writer_init(&wf, c->msg_buf, sizeof(c->msg_buf));
	sip_out_identity(&wf, ev->msg->from, &rules.map);
	if (!writer_ok(&w) || !writer_ok(&wf))
		return ERR_LIMIT;
	m.extra = writer_slice(&w);
	return reg_send(c, t->line, &m, writer_slice(&wf),
			handle_u64(t->obj.self), &t->client);
}

static void refuse_full(struct calls *c, const struct event_sip *ev,
			const char *why)
{
	sip_refuse(c, ev, 503, why, "Retry-After: 5\r\n");
}

static const struct binding *any_active(const struct line *l)
{
	struct list *n;

	list_for_each(n, &l->bindings) {
		const struct binding *b = LIST_ENTRY(n, struct binding, node);

		if (b->is_active)
			return b;
	}
	return NULL;
}

static void try_begin(struct calls *c, const struct event_sip *ev,
		      struct line *l, const struct wishes *ws)
{
	const struct core_entry *e = core_pick(c, any_active(l), ev->device);
	struct reg_try *t;
	char tag[TAG_LEN + 1];
	int err;

	if (!e) {
		line_drop(c, l);
		refuse_full(c, ev, "no call manager");
		return;
	}
	t = alloc_zero(sizeof(*t));
	if (!t || obj_init(c, &t->obj, OBJ_REG) != 0) {
		alloc_free(t);
		line_drop(c, l);
		refuse_full(c, ev, "registration limit");
		return;
	}
	t->line = l;
	t->dest = ev->from;
	t->pass_auth = ev->pass_auth;
	l->try_count++;
	err = set_line(c, l, ev, e);
	t->back = leg_map(&l->core, &ev->from, true);
	if (!err)
		err = try_fill(c, t, ev, ws);
	if (err) {
		reg_try_free(c, t);
		refuse_full(c, ev, "registration limit");
		return;
	}
	if (t->count == 0) {
		/* Nothing that is there is to be removed. */
		answer_contacts(c, ev, l);
		reg_try_free(c, t);
		return;
	}
	calls_hex(c, tag, TAG_LEN);
	err = reply_open(c, ev, handle_u64(t->obj.self), slice_str(tag),
			 &t->reply);
	if (err) {
		reg_try_free(c, t);
		refuse_full(c, ev, "transaction limit");
		return;
	}
	err = try_send(c, t, ev);
	if (err) {
		reply_status(c, &t->reply, 503, "", "Retry-After: 5\r\n");
		record_refused(c, ev, "transaction limit");
		reg_try_free(c, t);
	}
}

void reg_request(struct calls *c, const struct event_sip *ev)
{
	struct wishes ws;
	uint8_t buf[256];
	struct slice aor = aor_of(ev->msg, buf, sizeof(buf));
	struct line *l;
	char extra[64];
	struct writer w;

	/* Not the de-registration that it looks like. Its sender was not
	 * challenged, so he learns nothing about the line. */
	if (sip_is_keep_alive(ev->msg)) {
		answer_contacts(c, ev, NULL);
		return;
	}
	wishes_read(c, ev->msg, &ws);
	if (aor.len == 0)
		ws.status = 400;
	if (ws.status == 423) {
		writer_init(&w, extra, sizeof(extra) - 1);
		writer_str(&w, "Min-Expires: ");
		writer_dec(&w, c->p.expires_min_s);
		writer_str(&w, "\r\n");
		extra[w.len] = '\0';
		sip_refuse(c, ev, 423, "interval too brief", extra);
		return;
	}
	if (ws.status != 0) {
		sip_refuse(c, ev, ws.status, "Contact or To", "");
		return;
	}
	l = line_find(c, aor, ev->device);
	if (ws.count == 0 && (!ws.is_all || !l)) {
		answer_contacts(c, ev, l);
		return;
	}
	l = line_make(c, aor, ev->device);
	if (!l)
		refuse_full(c, ev, "registration limit");
	else
		try_begin(c, ev, l, &ws);
}

/* What the call manager grants to token: asked when it lists no Contact at
 * all, 0 when it lists others only. */
uint32_t reg_granted(const struct sip_msg *m, const char *token, uint32_t asked)
{
	struct slice value;
	size_t pos = 0;
	bool is_any = false;
	uint32_t s;

	while (sip_msg_next(m, SIP_HDR_CONTACT, &pos, &value)) {
		struct sip_nameaddr na;
		struct sip_uri u;

		is_any = true;
		if (sip_nameaddr_parse(value, &na) != 0 ||
		    sip_uri_parse(na.uri, &u) != 0 || !slice_eqs(u.user, token))
			continue;
		s = sip_expires(m, na.params, asked);
		return s < asked ? s : asked;
	}
	s = is_any ? 0 : sip_expires(m, SLICE_NULL, asked);
	return s < asked ? s : asked;
}

void reg_replace(struct calls *c, struct line *l, const struct reg_same *now)
{
	struct list *n;
	struct list *tmp;
	bool is_last = list_empty(&l->bindings);

	/* With its last binding the line is gone. */
	for (n = l->bindings.next; !is_last; n = tmp) {
		struct binding *old = LIST_ENTRY(n, struct binding, node);

		tmp = n->next;
		is_last = tmp == &l->bindings;
		if (old == now->binding || !old->is_active ||
		    (!now->binding && old->accept_ms >= now->accept_ms) ||
		    !is_same_contact(old, now->contact, now->instance))
			continue;
		reg_remove(c, l, &old, 1);
		record_binding(c, RECORD_UNREGISTERED, old, "replaced");
		binding_free(c, old);
	}
}

/* b is registered where we are answered from, for the phone until expires_ms,
 * and is looked at at timer_ms. */
static void accept_until(struct calls *c, struct binding *b,
			 uint64_t expires_ms, uint64_t timer_ms)
{
	bool is_moved = b->is_active && !handle_eq(b->place, c->from_place);
	bool is_anew = is_moved || (b->is_active && b->epoch != c->from_epoch);
	bool is_new;

	if (expires_ms <= c->now_ms ||
	    timerq_set(&c->binding_timers, &b->timer, timer_ms) != 0) {
		if (b->is_active)
			record_binding(c, RECORD_UNREGISTERED, b, "removed");
		binding_free(c, b);
		return;
	}
	b->expires_ms = expires_ms;
	b->renew_ms = timer_ms < expires_ms ? timer_ms : 0;
	is_new = !b->is_active;
	b->is_active = true;
	b->accept_ms = c->now_ms;
	b->is_longer = false;
	b->move_ms = 0;
	b->place = c->from_place;
	b->epoch = c->from_epoch;
	record_binding(c, RECORD_REGISTERED, b,
		       is_moved ? "another call manager" : NULL);
	save_binding(c, b);
	save_follow(c, b);
	if (is_anew)
		sub_follow(c, b);
	/* What it stands for now has no other binding. */
	reg_replace(c, b->line,
		    &(struct reg_same){.binding = b,
				       .contact = slice_str(b->contact),
				       .instance = slice_str(b->instance)});
	if (is_new)
		arrive_tell(c, b);
}

void reg_accept(struct calls *c, struct binding *b, uint32_t seconds)
{
	uint64_t at_ms = c->now_ms + (uint64_t)seconds * 1000;

	accept_until(c, b, at_ms, at_ms);
}

void reg_accept_own(struct calls *c, struct binding *b, uint32_t seconds)
{
	uint64_t left_ms = b->expires_ms - c->now_ms;
	uint64_t grant_ms = (uint64_t)seconds * 1000;
	uint64_t after_ms = grant_ms < left_ms ? grant_ms / 4 * 3 : left_ms;

	accept_until(c, b, b->expires_ms, c->now_ms + after_ms);
}

/*
 * A Cisco phone takes RTP for its SRTP offers, and answers RTP to ours, only
 * when its registrar says this tag. With a device that may fall back we keep
 * that promise, whatever the call manager says.
 */
static void print_fallback(struct writer *w, const struct line *l,
			   const struct sip_msg *m)
{
	struct list *n;

	if (sip_msg_has_token(m, SIP_HDR_SUPPORTED, "X-cisco-srtp-fallback"))
		return;
	list_for_each(n, &l->bindings) {
		const struct binding *b = LIST_ENTRY(n, struct binding, node);

		if (!b->falls_back || b->policy.media != MEDIA_SRTP_PREFER)
			continue;
		writer_str(w, "Supported: X-cisco-srtp-fallback\r\n");
		return;
	}
}

static void grant(struct calls *c, struct reg_try *t, const struct sip_msg *m,
		  const struct sip_out_rules *rules)
{
	struct sip_out_response r = {.status = m->status,
				     .reason = m->reason,
				     .src = m,
				     .rules = rules};
	struct writer w;

	for (uint32_t i = 0; i < t->count; i++) {
		uint32_t asked = t->item[i].expires_s;
		struct binding *b =
			slots_find(&c->bindings, t->item[i].binding);

		if (b)
			reg_accept(c, b,
				   asked ? reg_granted(m, b->token, asked) : 0);
	}
	reg_remove_ended(c, t, m);
	writer_init(&w, c->body_buf, sizeof(c->body_buf));
	print_outside(c, &w, t->line);
	print_fallback(&w, t->line, m);
	r.extra = writer_slice(&w);
	(void)reply_send(c, &t->reply, &r); /* c->err tells */
}

/* A status that would mislead the phone: it cannot answer a challenge that
 * is not passed on, nor follow a redirection inside. */
static unsigned map_status(const struct reg_try *t, unsigned status)
{
	if ((status == 401 || status == 407) && !t->pass_auth)
		return 502;
	if (status < 400)
		return 503;
	return status;
}

void reg_response(struct calls *c, struct reg_try *t, const struct sip_msg *m)
{
	struct sip_out_rules rules = {.to_phone = true,
				      .pass_auth = t->pass_auth,
				      .has_body = true,
				      .map = t->back,
				      .lookup = &c->lookup,
				      .agent = calls_agent(c)};
	unsigned status = map_status(t, m->status);

	if (m->status < 200)
		return;
	if (t->is_own) {
		reg_move_answered(c, t, m);
		return;
	}
	if (m->status < 300) {
		grant(c, t, m, &rules);
	} else if (status != m->status) {
		reply_status(c, &t->reply, status, "", "");
	} else {
		rules.has_body = false;
		(void)reply_send(c, &t->reply,
				 &(struct sip_out_response){.status = status,
							    .reason = m->reason,
							    .src = m,
							    .rules = &rules});
	}
	reg_try_free(c, t);
}

int reg_moved(struct reg_try *t, struct handle client, const struct dest *dest)
{
	int err = reg_line_move(t->line, dest);

	if (err)
		return err;
	t->client = client;
	t->back.ours = dest->local;
	t->back.peer = dest->peer;
	return 0;
}

void reg_failed(struct calls *c, struct reg_try *t, enum sip_txn_fail why)
{
	if (t->is_own) {
		reg_move_refused(c, t);
		return;
	}
	reply_status(c, &t->reply, why == SIP_TXN_FAIL_TIMEOUT ? 504 : 503, "",
		     "");
	reg_try_free(c, t);
}
