/*
 * The asking half of an INVITE: a new call, a re-INVITE, and the request
 * that goes on to the other side.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "base/text.h"
#include "sip/hdr.h"
#include "sip/multipart.h"
#include "sip/print.h"
#include "sip/uri.h"

static const char retry_after[] = "Retry-After: 5\r\n";

void exch_done(struct exch *ex)
{
	reply_done(&ex->reply);
	calls_wipe(ex->raw, ex->raw_len);
	alloc_free(ex->cancel);
	forks_done(ex);
	rel_done(&ex->rel);
	*ex = (struct exch){.is_on = false};
}

/* A body may be anything, but a session description must not be hidden in
 * it. A multipart body with one that can be found is open by now. */
static bool is_readable(const struct sip_msg *m)
{
	struct slice type = sip_msg_value(m, SIP_HDR_CONTENT_TYPE);
	const struct sip_hdr *h = sip_msg_find_name(m, "Content-Encoding");
	struct slice session;
	struct slice session_type;
	int err;

	if (!h)
		h = sip_msg_find_name(m, "e");
	if (m->body.len > 0 && type.len == 0)
		return false; /* RFC 3261 section 20.15 */
	err = sip_body_session(type, h ? h->value : SLICE_NULL, m->body,
			       &session_type, &session);
	return err == 0 || err == ERR_NOTFOUND;
}

/* True when a body cannot be read; answered then. */
static bool refuse_body(struct calls *c, const struct event_sip *ev)
{
	if (is_readable(ev->msg))
		return false;
	sip_refuse(c, ev, 415, "no readable session description",
		   "Accept: application/sdp, multipart/mixed\r\n"
		   "Accept-Encoding: identity\r\n");
	return true;
}

uint32_t calls_of_device(const struct calls *c, struct slice device)
{
	const struct table_node *n = table_find(&c->devices, device);
	uint32_t count = 0;

	for (; n; n = table_find_next(n))
		count++;
	return count;
}

static char *uri_of(struct slice value)
{
	struct sip_nameaddr na;

	if (sip_nameaddr_parse(value, &na) != 0)
		return alloc_copy(value);
	return alloc_copy(na.uri);
}

static void leg_init(struct calls *c, struct call *call, enum side side)
{
	struct leg *leg = &call->leg[side];

	leg->is_uac = side != call->caller;
	calls_hex(c, leg->tag, TAG_LEN);
	memcpy(leg->contact_user, leg->tag, TAG_LEN + 1);
	/* Below 2^62, as RFC 8866's digits leave to us. */
	leg->sdp_id = entropy_u64(&c->p.entropy) >> 2;
	leg->sdp_version = 1;
}

struct call *call_alloc(struct calls *c)
{
	struct call *call;

	if (c->call_count >= c->p.call_limit)
		return NULL;
	call = alloc_zero(sizeof(*call));
	if (!call)
		return NULL;
	if (obj_init(c, &call->obj, OBJ_CALL) != 0)
		return alloc_free(call);
	c->call_count++;
	if (deadline_init(c, call) != 0) {
		call_free(c, call, NULL);
		return NULL;
	}
	for (int side = 0; side < 2; side++) {
		call->leg[side].call = call;
		call->leg[side].side = (enum side)side;
	}
	return call;
}

struct call *call_new(struct calls *c, const struct event_sip *ev,
		      enum side caller)
{
	struct call *call = call_alloc(c);

	if (!call)
		return NULL;
	call->caller = caller;
	call->start_ms = c->now_ms;
	leg_init(c, call, SIDE_PHONE);
	leg_init(c, call, SIDE_CORE);
	call->from = uri_of(ev->msg->from);
	call->to = uri_of(ev->msg->to);
	if (!call->from || !call->to) {
		call_free(c, call, NULL);
		return NULL;
	}
	return call;
}

/* What the call knows of its phone. */
static int set_phone(struct calls *c, struct call *call, struct slice device,
		     const struct dest *dest)
{
	call->device = alloc_copy(device);
	if (!call->device)
		return ERR_NOMEM;
	if (device.len > 0) {
		int err = table_add(&c->devices, &call->by_device,
				    slice_str(call->device));

		if (err)
			return err;
		call->has_device = true;
	}
	return leg_set_dest(c, &call->leg[SIDE_PHONE], dest);
}

/* The caller's dialog from its INVITE. */
static int init_caller(struct calls *c, struct call *call,
		       const struct event_sip *ev)
{
	struct leg *leg = &call->leg[call->caller];
	int err =
		sip_dialog_init_uas(&leg->dialog, ev->msg, slice_str(leg->tag));

	if (err)
		return err;
	if (!leg->dialog.target)
		return ERR_BAD;
	leg_allow(leg, ev->msg);
	return leg_link(c, leg);
}

/* The callee's dialog: our Call-ID and tag, the identities as they look on
 * that side. */
static int init_callee(struct calls *c, struct call *call,
		       const struct sip_msg *m, struct slice target)
{
	struct leg *leg = &call->leg[!call->caller];
	struct sip_out_rules r = leg_rules(c, call, call->caller, false);
	char call_id[TOKEN_LEN + 1];
	uint8_t from[SIP_LINE_MAX];
	struct writer wf;
	struct writer wt;
	int err;

	writer_init(&wf, from, sizeof(from));
	sip_out_identity(&wf, m->from, &r.map);
	writer_init(&wt, c->msg_buf, sizeof(c->msg_buf));
	sip_out_identity(&wt, m->to, &r.map);
	if (!writer_ok(&wf) || !writer_ok(&wt))
		return ERR_LIMIT;
	calls_hex(c, call_id, TOKEN_LEN);
	err = sip_dialog_init_uac(&leg->dialog, slice_make(call_id, TOKEN_LEN),
				  writer_slice(&wf), slice_str(leg->tag),
				  writer_slice(&wt), target);
	return err ? err : leg_link(c, leg);
}

/* CANCEL is finished beforehand: request-URI, Call-ID, To, From tag, CSeq
 * number, Route and branch are the INVITE's (RFC 3261 section 9.1), and all of
 * that may have changed in the dialog by then. */
static int make_cancel(struct calls *c, struct exch *ex, const struct leg *leg,
		       const struct sip_out_request *invite)
{
	struct sip_out_request m = {
		.method = SLICE("CANCEL"),
		.branch = invite->branch,
		.dest = &leg->dest,
		.max_forwards = 70,
		.dialog = &leg->dialog,
		.cseq = invite->cseq,
	};
	struct writer w;

	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_out_request(&w, &m);
	alloc_free(ex->cancel);
	ex->cancel = alloc_copy(writer_slice(&w));
	ex->cancel_len = ex->cancel ? w.len : 0;
	memcpy(ex->cancel_branch, invite->branch.ptr, BRANCH_LEN);
	ex->cancel_branch[BRANCH_LEN] = '\0';
	return ex->cancel ? 0 : ERR_NOMEM;
}

int invite_moved(struct calls *c, struct call *call, struct handle client,
		 struct slice branch)
{
	struct exch *ex = &call->ex;
	const struct leg *leg = &call->leg[!ex->from];
	struct sip_out_request invite = {.branch = branch,
					 .cseq = leg->dialog.local_cseq};
	int err = make_cancel(c, ex, leg, &invite);

	if (err)
		return err;
	ex->client = client;
	ex->cseq_out = leg->dialog.local_cseq;
	ex->has_provisional = false; /* the last one's concern it no more */
	return 0;
}

int exch_send(struct calls *c, struct call *call, struct sip_out_request *m)
{
	struct exch *ex = &call->ex;
	struct leg *leg = &call->leg[!ex->from];
	char branch[BRANCH_LEN + 1];
	int err;

	calls_branch(c, branch);
	m->branch = slice_make(branch, BRANCH_LEN);
	ex->has_provisional = false;
	err = leg_request(c, leg, SIP_METHOD_INVITE, m,
			  handle_u64(call->obj.self), &ex->client);
	if (err)
		return err;
	ex->cseq_out = leg->dialog.local_cseq;
	m->cseq = ex->cseq_out;
	err = make_cancel(c, ex, leg, m);
	if (err) /* it could not be ended: better not begin */
		core_forget(c, ex->client);
	return err;
}

int invite_forward(struct calls *c, struct call *call, const struct sip_msg *m,
		   struct slice body)
{
	struct exch *ex = &call->ex;
	struct sip_out_rules rules = leg_rules(c, call, ex->from, true);
	struct sip_out_request r = {.method = SLICE("INVITE"),
				    .max_forwards = m->max_forwards - 1,
				    .src = m,
				    .rules = &rules,
				    .body = body};

	if (body.len > 0)
		r.type = (struct slice)SLICE("application/sdp");
	if (ex->rel.is_asked)
		r.extra = (struct slice)SLICE("Supported: 100rel\r\n");
	if (ex->from == SIDE_CORE) {
		rules.security = security_show(c, call);
		rules.orientation_from = call->caller == SIDE_CORE;
		if (call->policy.srtp_offer == SRTP_OFFER_CISCO_FALLBACK)
			r.extra = (struct slice)SLICE(
				"Supported: X-cisco-srtp-fallback\r\n");
	}
	return exch_send(c, call, &r);
}

static void send_trying(struct calls *c, const struct event_sip *ev,
			struct reply *r)
{
	struct writer w;
	uint64_t cookie = c->cookie;

	/* Belongs to no call: it must not wait for the media process. */
	c->cookie = 0;
	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_print_reply(&w, ev->msg, 100, SLICE_NULL, SLICE_NULL,
			&ev->from.peer);
	sip_print_body(&w, SLICE_NULL, SLICE_NULL);
	if (sip_txn_respond(c->txns, r->txn, 100, writer_slice(&w),
			    c->now_ms) != 0)
		c->err = ERR_NOMEM;
	c->cookie = cookie;
}

/* Begin the exchange: its server transaction is open after this. */
static int exch_begin(struct calls *c, struct call *call, enum side from,
		      const struct event_sip *ev, bool is_initial)
{
	struct exch *ex = &call->ex;
	int err;

	exch_done(ex);
	err = reply_open(c, ev, handle_u64(call->obj.self),
			 slice_str(call->leg[from].tag), &ex->reply);
	if (err)
		return err;
	ex->is_on = true;
	ex->is_initial = is_initial;
	ex->from = from;
	ex->cseq_in = ev->msg->cseq;
	rel_begin(&ex->rel, ev->msg);
	session_read(&ex->ask, ev->msg);
	send_trying(c, ev, &ex->reply);
	return 0;
}

void invite_refuse(struct calls *c, struct call *call, unsigned status,
		   const char *reason, const char *extra)
{
	struct exch *ex = &call->ex;

	if (!ex->is_on || ex->is_answered)
		return;
	reply_status(c, &ex->reply, status, reason, extra);
	rel_stop(c, call);
	ex->is_on = false;
}

void invite_refuse_media(struct calls *c, struct call *call,
			 const struct media_refusal *no)
{
	char extra[256];

	offer_warning(&call->ex.reply, no, extra, sizeof(extra));
	invite_refuse(c, call, no->status, "", extra);
}

/* The INVITE as it came, for a second try that differs. */
static int keep_raw(struct call *call, const struct sip_msg *m)
{
	call->ex.raw = alloc_copy(m->raw);
	call->ex.raw_len = call->ex.raw ? m->raw.len : 0;
	return call->ex.raw ? 0 : ERR_NOMEM;
}

/* From here on the call answers for itself. */
static void invite_go(struct calls *c, struct call *call,
		      const struct event_sip *ev)
{
	struct exch *ex = &call->ex;
	struct media_refusal no = {.status = 503, .why = "limit"};
	struct slice body = SLICE_NULL;
	bool is_ok = true;

	if (msg_has_sdp(ev->msg)) {
		is_ok = offer_make(c, call, ex->from, ev->msg->body, &body,
				   &no);
		ex->has_offer = is_ok;
	}
	if (is_ok && keep_raw(call, ev->msg) != 0)
		is_ok = false;
	deadline_set(c, call, DEADLINE_RING, c->now_ms + RING_MS);
	if (is_ok && invite_forward(c, call, ev->msg, body) == 0) {
		if (ex->is_initial)
			record_call(c, RECORD_CALL_START, call, NULL);
		return;
	}
	record_refused(c, ev, no.why);
	invite_refuse_media(c, call, &no);
	offer_abort(c, call);
	deadline_clear(c, call, DEADLINE_RING);
	if (ex->is_initial)
		call_free(c, call, NULL);
}

/* Who is called: a phone by its token, or else somebody behind a trunk. False:
 * answered already. */
static bool find_callee(struct calls *c, const struct event_sip *ev,
			const struct binding **ret_b, struct trunk **ret_t)
{
	struct sip_uri u;

	if (sip_uri_parse(ev->msg->ruri, &u) == 0)
		*ret_b = binding_find(c, u.user);
	if (!*ret_b)
		*ret_t = trunk_of(c, ev);
	if (*ret_t || (*ret_b && (*ret_b)->is_active))
		return true;
	sip_refuse(c, ev, 404, "unknown token", "");
	return false;
}

static int fill_from_phone(struct calls *c, struct call *call,
			   const struct event_sip *ev)
{
	uint8_t ruri[SIP_LINE_MAX];
	struct writer w;
	struct sip_out_map map;
	const struct core_entry *e;
	const struct binding *b;
	struct dest dest = ev->from;
	int err;

	struct trunk *t = trunk_of(c, ev);

	call->leg[SIDE_PHONE].trunk = t;
	if (ev->policy)
		call->policy = *ev->policy;
	call->sig = ev->sig;
	call->pass_auth = ev->pass_auth;
	call->falls_back = sip_msg_has_token(ev->msg, SIP_HDR_SUPPORTED,
					     "X-cisco-srtp-fallback");
	if (t)
		dest = trunk_reply_dest(t, &ev->from);
	err = set_phone(c, call, ev->device, &dest);
	if (err)
		return err;
	b = t ? NULL : binding_of_caller(c, ev);
	e = t ? core_pick_trunk(c, t, ev->msg->call_id)
	      : core_pick(c, b, ev->device);
	if (!e)
		return ERR_NOTFOUND;
	call->leg[SIDE_CORE].dest = e->place.dest;
	map = leg_map(&ev->from, &e->place.dest, false);
	/* A call manager knows a line by the Contact it registered. */
	if (b)
		memcpy(call->leg[SIDE_CORE].contact_user, b->token,
		       TOKEN_LEN + 1);
	err = init_caller(c, call, ev);
	if (err)
		return err;
	writer_init(&w, ruri, sizeof(ruri));
	sip_out_addr(&w, ev->msg->ruri, &map);
	return init_callee(c, call, ev->msg, writer_slice(&w));
}

/* The call manager calls somebody behind a trunk. */
static int fill_to_trunk(struct calls *c, struct call *call,
			 const struct event_sip *ev, struct trunk *t)
{
	struct leg *leg = &call->leg[SIDE_PHONE];
	const struct core_entry *e = trunk_pick(c, t, ev->msg->call_id);
	uint8_t ruri[SIP_LINE_MAX];
	struct sip_out_map map;
	struct writer w;
	int err;

	if (!e)
		return ERR_NOTFOUND;
	leg->trunk = t;
	call->policy = t->policy;
	call->sig = trunk_sig(&e->place.dest);
	err = set_phone(c, call, slice_str(t->name), &e->place.dest);
	if (err)
		return err;
	call->leg[SIDE_CORE].dest = core_reply_dest(c, &ev->from);
	err = init_caller(c, call, ev);
	if (err)
		return err;
	map = leg_rules(c, call, SIDE_CORE, false).map;
	writer_init(&w, ruri, sizeof(ruri));
	sip_out_addr(&w, ev->msg->ruri, &map);
	return init_callee(c, call, ev->msg, writer_slice(&w));
}

static int fill_from_core(struct calls *c, struct call *call,
			  const struct event_sip *ev, const struct binding *b)
{
	int err;

	call->policy = b->policy;
	call->sig = b->sig;
	call->pass_auth = b->pass_auth;
	call->falls_back = b->falls_back;
	err = set_phone(c, call, slice_str(b->line->device), &b->dest);
	if (err)
		return err;
	call->leg[SIDE_CORE].dest = core_reply_dest(c, &ev->from);
	err = init_caller(c, call, ev);
	if (err)
		return err;
	return init_callee(c, call, ev->msg, slice_str(b->contact));
}

/* True when the device has as many calls as it may; answered then. */
static bool is_busy(struct calls *c, const struct event_sip *ev,
		    struct slice device, const struct call_policy *p)
{
	if (!p || p->call_limit == 0 || device.len == 0 ||
	    calls_of_device(c, device) < p->call_limit)
		return false;
	sip_refuse(c, ev, ev->side == SIDE_PHONE ? 503 : 486,
		   "call limit of the device",
		   ev->side == SIDE_PHONE ? retry_after : "");
	return true;
}

static bool refuse_unusable(struct calls *c, const struct event_sip *ev)
{
	size_t pos = 0;
	struct slice contact;

	if (refuse_body(c, ev) || replaces_refuse(c, ev))
		return true;
	if (!sip_msg_next(ev->msg, SIP_HDR_CONTACT, &pos, &contact)) {
		sip_refuse(c, ev, 400, "no Contact", "");
		return true;
	}
	return session_refuse(c, ev);
}

void invite_begin(struct calls *c, const struct event_sip *ev)
{
	const struct binding *b = NULL;
	struct trunk *t = NULL;
	struct call *call;
	int err;

	if (refuse_unusable(c, ev))
		return;
	if (ev->side == SIDE_CORE && !find_callee(c, ev, &b, &t))
		return;
	if (b	? is_busy(c, ev, slice_str(b->line->device), &b->policy)
	    : t ? is_busy(c, ev, slice_str(t->name), &t->policy)
		: is_busy(c, ev, ev->device, ev->policy))
		return;
	call = call_new(c, ev, ev->side);
	if (!call) {
		sip_refuse(c, ev, 503, "call limit", retry_after);
		return;
	}
	err = b	  ? fill_from_core(c, call, ev, b)
	      : t ? fill_to_trunk(c, call, ev, t)
		  : fill_from_phone(c, call, ev);
	if (!err)
		err = exch_begin(c, call, ev->side, ev, true);
	if (err) {
		call_free(c, call, NULL);
		if (err == ERR_BAD)
			sip_refuse(c, ev, 400, "dialog headers", "");
		else
			sip_refuse(c, ev, 503,
				   err != ERR_NOTFOUND ? "limit"
				   : t		       ? "no peer of the trunk"
						       : "no call manager",
				   retry_after);
		return;
	}
	c->cookie = handle_u64(call->obj.self);
	history_message(c, call, ev->side, ev->msg);
	invite_go(c, call, ev);
}

/* RFC 3261 section 14.2: 500 when an INVITE from the same side is not done
 * yet, 491 when one of ours towards it is. */
static bool is_glare(struct calls *c, const struct leg *leg,
		     const struct event_sip *ev)
{
	const struct exch *ex = &leg->call->ex;
	unsigned busy = offer_busy(leg);

	if (leg->call->state == CALL_CANCELLING)
		busy = 481;
	else if (ex->is_on)
		busy = ex->from == leg->side && ex->kind != EXCH_OWN ? 500
								     : 491;
	if (busy == 500)
		answer_later(c, ev);
	else if (busy != 0)
		sip_answer(c, ev, busy, "", "");
	return busy != 0;
}

void invite_again(struct calls *c, struct leg *leg, const struct event_sip *ev)
{
	struct call *call = leg->call;

	if (is_glare(c, leg, ev))
		return;
	if (refuse_body(c, ev))
		return;
	if (session_refuse(c, ev))
		return;
	if (sip_dialog_refresh(&leg->dialog, ev->msg) != 0) {
		sip_answer(c, ev, 400, "", "");
		return;
	}
	leg_allow(leg, ev->msg);
	if (leg->side == SIDE_PHONE)
		call->falls_back = sip_msg_has_token(ev->msg, SIP_HDR_SUPPORTED,
						     "X-cisco-srtp-fallback");
	if (exch_begin(c, call, leg->side, ev, false) != 0) {
		sip_refuse(c, ev, 503, "limit", retry_after);
		return;
	}
	invite_go(c, call, ev);
}
