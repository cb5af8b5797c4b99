/*
 * A call's SIP legs: dialogs, and the messages that go over them.
 */
#include "b2bua/sub.h"

#include "base/alloc.h"
#include "base/text.h"
#include "rewrite/hosts.h"
#include "sip/hdr.h"
#include "sip/print.h"
#include "sip/uri.h"

enum {
	KEY_MAX = 512,
	CRED_MAX = 2048 /* bytes of the credentials of an ACK */
};

static struct dest response_dest(const struct event_sip *ev)
{
	struct dest d = ev->from;

	if (!d.is_reliable)
		d.peer = sip_response_addr(ev->msg, &ev->from.peer);
	return d;
}

void sip_answer(struct calls *c, const struct event_sip *ev, unsigned status,
		const char *reason, const char *extra)
{
	struct dest dest = response_dest(ev);
	struct writer w;
	struct handle txn;
	char tag[TAG_LEN + 1];
	int err;

	calls_hex(c, tag, TAG_LEN);
	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_print_reply(&w, ev->msg, status, slice_str(reason), slice_str(tag),
			&ev->from.peer);
	writer_str(&w, extra);
	if (status / 100 == 2)
		writer_put(&w, ev->auth_info);
	if (c->server_name[0])
		sip_print_hdr(&w, "Server", calls_agent(c));
	sip_print_body(&w, SLICE_NULL, SLICE_NULL);
	if (!writer_ok(&w))
		return;
	err = sip_txn_server_new(c->txns, ev->msg, &dest, 0, c->now_ms, &txn);
	if (err == ERR_EXISTS)
		return;
	if (err == 0) {
		err = sip_txn_respond(c->txns, txn, status, writer_slice(&w),
				      c->now_ms);
		if (err == 0)
			return;
		sip_txn_forget(c->txns, txn);
	}
	/* No room for a transaction: a stateless answer is better than
	 * silence, which would make the peer repeat itself. */
	calls_emit(c, &(struct action){.kind = ACTION_SIP_SEND,
				       .dest = dest,
				       .bytes = writer_slice(&w)});
}

void sip_refuse(struct calls *c, const struct event_sip *ev, unsigned status,
		const char *why, const char *extra)
{
	record_refused(c, ev, why);
	sip_answer(c, ev, status, "", extra);
}

void answer_later(struct calls *c, const struct event_sip *ev)
{
	char extra[32];
	struct writer w;

	writer_init(&w, extra, sizeof(extra) - 1);
	writer_str(&w, "Retry-After: ");
	writer_dec(&w, entropy_u32(&c->p.entropy) % 11);
	writer_str(&w, "\r\n");
	extra[w.len] = '\0';
	sip_answer(c, ev, 500, "", extra);
}

int reply_open(struct calls *c, const struct event_sip *ev, uint64_t user,
	       struct slice to_tag, struct reply *ret)
{
	struct writer w;
	struct reply r = {.dest = response_dest(ev)};
	int err;

	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_out_reply_head(&w, ev->msg, to_tag, &ev->from.peer);
	if (!writer_ok(&w))
		return ERR_LIMIT;
	r.head = alloc_copy(writer_slice(&w));
	if (!r.head)
		return ERR_NOMEM;
	r.head_len = w.len;
	r.info = ev->auth_info.len > 0 ? alloc_copy(ev->auth_info) : NULL;
	r.info_len = r.info ? ev->auth_info.len : 0;
	err = sip_txn_server_new(c->txns, ev->msg, &r.dest, user, c->now_ms,
				 &r.txn);
	if (err) {
		reply_done(&r);
		return err;
	}
	*ret = r;
	return 0;
}

static int print_reply(struct calls *c, const struct reply *r,
		       struct sip_out_response *m, struct slice *ret)
{
	struct writer w;

	m->head = slice_make(r->head, r->head_len);
	m->dest = &r->dest;
	if (m->status / 100 == 2)
		m->info = slice_make(r->info, r->info_len);
	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_out_response(&w, m);
	*ret = writer_slice(&w);
	return writer_ok(&w) ? 0 : ERR_NOMEM;
}

int reply_send(struct calls *c, struct reply *r, struct sip_out_response *m)
{
	struct slice bytes;
	int err = print_reply(c, r, m, &bytes);

	if (!err)
		err = sip_txn_respond(c->txns, r->txn, m->status, bytes,
				      c->now_ms);
	if (err == ERR_NOMEM) {
		c->err = err;
		if (m->status >= 200) /* nobody would answer it any more */
			sip_txn_forget(c->txns, r->txn);
	}
	return err;
}

int reply_send_kept(struct calls *c, struct reply *r,
		    struct sip_out_response *m, uint8_t **ret, size_t *ret_len)
{
	struct slice bytes;
	uint8_t *copy = NULL;
	int err = print_reply(c, r, m, &bytes);

	if (!err) {
		copy = alloc_copy(bytes);
		err = copy ? sip_txn_respond(c->txns, r->txn, m->status, bytes,
					     c->now_ms)
			   : ERR_NOMEM;
	}
	if (err) {
		if (err == ERR_NOMEM)
			c->err = err;
		calls_wipe(copy, bytes.len);
		return err;
	}
	*ret = copy;
	*ret_len = bytes.len;
	return 0;
}

void reply_status(struct calls *c, struct reply *r, unsigned status,
		  const char *reason, const char *extra)
{
	uint8_t buf[512];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_str(&w, extra);
	if (c->server_name[0])
		sip_print_hdr(&w, "Server", calls_agent(c));
	(void)reply_send(c, r, /* what is lost is in c->err */
			 &(struct sip_out_response){.status = status,
						    .reason = slice_str(reason),
						    .extra = writer_slice(&w)});
}

void reply_override(struct calls *c, struct reply *r, unsigned status)
{
	struct sip_out_response m = {.status = status,
				     .head = slice_make(r->head, r->head_len),
				     .dest = &r->dest};
	struct writer w;

	sip_txn_forget(c->txns, r->txn);
	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_out_response(&w, &m);
	if (writer_ok(&w))
		calls_emit(c, &(struct action){.kind = ACTION_SIP_SEND,
					       .call = c->cookie,
					       .dest = r->dest,
					       .bytes = writer_slice(&w)});
}

void reply_done(struct reply *r)
{
	alloc_free(r->head);
	alloc_free(r->info);
	*r = (struct reply){.head = NULL};
}

struct sip_out_map leg_map(const struct dest *from, const struct dest *to,
			   bool to_phone)
{
	/* Inside, a user of ours is one of the call manager; outside,
	 * everybody is ours. */
	return (struct sip_out_map){
		.ours = from->local,
		.ours_new = to_phone ? to->local : to->peer,
		.peer = from->peer,
		.peer_new = to->local,
		.hides_all = to_phone,
	};
}

static struct slice user_of(struct slice value)
{
	struct sip_nameaddr na;
	struct sip_uri u;

	return sip_nameaddr_parse(value, &na) == 0 &&
			       sip_uri_parse(na.uri, &u) == 0
		       ? u.user
		       : SLICE_NULL;
}

struct slice leg_identity(const struct leg *leg)
{
	return leg->side == SIDE_PHONE && !leg->trunk && leg->dialog.remote
		       ? user_of(slice_str(leg->dialog.remote))
		       : SLICE_NULL;
}

struct slice leg_identity_new(const struct event_sip *ev)
{
	return ev->side == SIDE_PHONE && ev->trunk == 0 &&
			       ev->msg->to_tag.len == 0
		       ? user_of(ev->msg->from)
		       : SLICE_NULL;
}

struct sip_out_rules leg_rules(const struct calls *c, const struct call *call,
			       enum side from, bool has_body)
{
	bool to_phone = from == SIDE_CORE;
	struct sip_out_rules r = {
		.to_phone = to_phone,
		.pass_auth = call->pass_auth,
		.trusts_identity = call->policy.trusts_identity,
		.identity = leg_identity(&call->leg[from]),
		.has_body = has_body,
		.lookup = &c->lookup,
		.map = leg_map(&call->leg[from].dest, &call->leg[!from].dest,
			       to_phone),
		.agent = calls_agent(c),
	};

	trunk_map(&r.map, &call->leg[!from]);
	return r;
}

static size_t print_key(uint8_t *buf, struct slice call_id, struct slice tag)
{
	struct writer w;

	writer_init(&w, buf, KEY_MAX);
	writer_put(&w, call_id);
	writer_u8(&w, '\n');
	writer_put(&w, tag);
	return writer_ok(&w) ? w.len : 0;
}

int leg_link(struct calls *c, struct leg *leg)
{
	uint8_t buf[KEY_MAX];
	size_t len = print_key(buf, slice_str(leg->dialog.call_id),
			       slice_str(leg->tag));
	uint8_t *key;
	int err;

	if (len == 0)
		return ERR_LIMIT;
	key = alloc_copy(slice_make(buf, len));
	if (!key)
		return ERR_NOMEM;
	err = table_add(&c->dialogs, &leg->node, slice_make(key, len));
	if (err) {
		alloc_free(key);
		return err;
	}
	leg->key = key;
	return 0;
}

struct table_node *leg_find_first(struct calls *c, struct slice call_id,
				  struct slice tag)
{
	uint8_t buf[KEY_MAX];
	size_t len = print_key(buf, call_id, tag);

	return len > 0 ? table_find(&c->dialogs, slice_make(buf, len)) : NULL;
}

struct leg *leg_by_ids(struct calls *c, struct slice call_id, struct slice tag)
{
	return TABLE_ENTRY(leg_find_first(c, call_id, tag), struct leg, node);
}

struct leg *leg_of_ours(struct calls *c, const struct sip_msg *m)
{
	struct table_node *first = leg_find_first(c, m->call_id, m->from_tag);

	for (struct table_node *n = first; n; n = table_find_next(n)) {
		struct leg *leg = TABLE_ENTRY(n, struct leg, node);

		if (leg->dialog.remote_tag &&
		    slice_eqs(m->to_tag, leg->dialog.remote_tag))
			return leg;
	}
	return TABLE_ENTRY(first, struct leg, node);
}

struct leg *leg_find_answered(struct calls *c, const struct sip_msg *m)
{
	struct table_node *n = leg_find_first(c, m->call_id, m->from_tag);

	if (m->method != SIP_METHOD_INVITE || m->status / 100 != 2)
		return NULL;
	for (; n; n = table_find_next(n)) {
		struct leg *leg = TABLE_ENTRY(n, struct leg, node);

		if (leg->call && leg->is_confirmed &&
		    leg->call->state == CALL_UP && leg->dialog.remote_tag &&
		    slice_eqs(m->to_tag, leg->dialog.remote_tag))
			return leg;
	}
	return NULL;
}

struct leg *leg_find_ours(struct calls *c, const struct sip_msg *m)
{
	return leg_by_ids(c, m->call_id, m->to_tag);
}

struct leg *leg_find(struct calls *c, const struct sip_msg *m)
{
	struct leg *leg;

	/* Forked subscriptions differ in the peer's tag only. */
	for (struct table_node *n = leg_find_first(c, m->call_id, m->to_tag); n;
	     n = table_find_next(n)) {
		leg = TABLE_ENTRY(n, struct leg, node);
		if (sip_dialog_match(&leg->dialog, m)) {
			save_touch_leg(c, leg);
			return leg;
		}
	}
	leg = leg_find_ours(c, m);
	if (!leg || !leg->call || !fork_switch(leg, m->from_tag))
		return NULL;
	save_touch_leg(c, leg);
	return leg;
}

bool calls_party(struct calls *c, const struct sip_msg *m,
		 struct slice *ret_far, struct slice *ret_device)
{
	const struct leg *leg = NULL;
	struct call *call;

	/* A response belongs to whom its branch says, whatever else is in it. */
	if (m->is_request)
		leg = leg_by_ids(c, m->call_id, m->to_tag);
	else if ((call = call_find(c, sip_txn_client_user(c->txns, m))))
		leg = &call->leg[SIDE_PHONE];
	if (!leg || leg->side != SIDE_PHONE || !leg->dialog.local)
		return false;
	*ret_far = slice_str(leg->dialog.local);
	if (ret_device)
		*ret_device = slice_str(leg->call ? leg->call->device
						  : leg->sub->device);
	return true;
}

bool leg_is_peer(const struct leg *leg, const struct event_sip *ev)
{
	if (ev->side != leg->side)
		return false;
	if (leg->side == SIDE_CORE)
		return true;
	if (handle_eq(leg->dest.ep, ev->from.ep) &&
	    (leg->dest.is_reliable ||
	     addr_ip_eq(&leg->dest.peer, &ev->from.peer)))
		return true;
	return ev->device.len > 0 &&
	       slice_eqs(ev->device,
			 leg->call ? leg->call->device : leg->sub->device);
}

int leg_set_dest(struct calls *c, struct leg *leg, const struct dest *dest)
{
	bool is_same = leg->has_ep && handle_eq(leg->dest.ep, dest->ep);

	if (leg->side == SIDE_PHONE && !is_same) {
		int err;

		if (leg->has_ep)
			table_del(&c->leg_eps, &leg->by_ep);
		leg->has_ep = false;
		/* A place's connection is made anew when it is needed. */
		if (leg->trunk && trunk_has_place(leg->trunk, dest)) {
			leg->dest = *dest;
			return 0;
		}
		calls_ep_key(dest->ep, leg->ep_key);
		err = table_add(&c->leg_eps, &leg->by_ep,
				slice_make(leg->ep_key, sizeof(leg->ep_key)));
		if (err)
			return err;
		leg->has_ep = true;
	}
	leg->dest = *dest;
	return 0;
}

int leg_move(struct leg *leg, const struct dest *was, const struct dest *now)
{
	struct core_map map = core_map_of(was, now);
	char **const text[] = {&leg->dialog.local, &leg->dialog.remote,
			       &leg->dialog.target};
	int err = core_map_texts(text, 3, &map);

	leg->dest = *now;
	return err;
}

void leg_done(struct calls *c, struct leg *leg)
{
	if (leg->key)
		table_del(&c->dialogs, &leg->node);
	leg->key = alloc_free(leg->key);
	if (leg->has_ep)
		table_del(&c->leg_eps, &leg->by_ep);
	leg->has_ep = false;
	leg->sdp = calls_wipe(leg->sdp, leg->sdp_len);
	leg->said = calls_wipe(leg->said, leg->said_len);
	leg->saying = calls_wipe(leg->saying, leg->saying_len);
	leg->ack = calls_wipe(leg->ack, leg->ack_len);
	sip_dialog_done(&leg->dialog);
}

void leg_allow(struct leg *leg, const struct sip_msg *m)
{
	if (sip_msg_find(m, SIP_HDR_ALLOW))
		leg->allows_update =
			sip_msg_has_token(m, SIP_HDR_ALLOW, "UPDATE");
}

/* Methods whose sender must say where it is reached (RFC 3261 section 12.1,
 * RFC 6665, RFC 3311, RFC 3515). */
static bool has_contact(enum sip_method method)
{
	return method == SIP_METHOD_INVITE || method == SIP_METHOD_UPDATE ||
	       method == SIP_METHOD_REFER || method == SIP_METHOD_NOTIFY ||
	       method == SIP_METHOD_SUBSCRIBE;
}

static int open_client(struct calls *c, const struct leg *leg,
		       const struct core_msg *m, struct handle *ret_txn)
{
	if (leg->side == SIDE_CORE || leg->trunk)
		return core_send(c, m, ret_txn);
	return sip_txn_client_new(c->txns, m->method, m->branch, m->dest,
				  m->bytes, m->user, c->now_ms, ret_txn);
}

/* Requests that ask for a session timer (RFC 4028): there is a session, or
 * there will be. */
static bool has_session(const struct leg *leg, enum sip_method method)
{
	return method == SIP_METHOD_INVITE ||
	       (method == SIP_METHOD_UPDATE && leg->is_confirmed);
}

bool leg_is_away(const struct leg *leg)
{
	return (leg->call || leg->sub) && leg->side == SIDE_PHONE &&
	       leg->dest.is_reliable && handle_is_none(leg->dest.ep);
}

int leg_request(struct calls *c, struct leg *leg, enum sip_method method,
		const struct sip_out_request *m, uint64_t user,
		struct handle *ret_txn)
{
	struct sip_out_request q = *m;
	char branch[BRANCH_LEN + 1];
	uint8_t extra[SIP_LINE_MAX];
	struct writer w;
	int err;

	/* Whoever waits for an answer gets one now and not after 32 s. */
	*ret_txn = HANDLE_NONE;
	if (leg_is_away(leg)) {
		leg->owes_bye = leg->trunk && method == SIP_METHOD_BYE;
		return user != 0 ? ERR_CLOSED : 0;
	}
	if (has_session(leg, method)) {
		writer_init(&w, extra, sizeof(extra));
		writer_put(&w, m->extra);
		session_ask_for(c, leg, &w);
		if (!writer_ok(&w))
			return ERR_LIMIT;
		q.extra = writer_slice(&w);
	}
	if (q.branch.len == 0) {
		calls_branch(c, branch);
		q.branch = slice_make(branch, BRANCH_LEN);
	}
	if (!q.src)
		q.max_forwards = 70;
	q.dest = &leg->dest;
	q.dialog = &leg->dialog;
	q.cseq = leg->dialog.local_cseq + 1;
	if (has_contact(method))
		q.contact_user = slice_str(leg->contact_user);
	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_out_request(&w, &q);
	if (!writer_ok(&w))
		return ERR_LIMIT;
	leg->dialog.local_cseq = q.cseq;
	save_touch_leg(c, leg);
	err = open_client(c, leg,
			  &(struct core_msg){
				  .method = method,
				  .branch = q.branch,
				  .dest = &leg->dest,
				  .bytes = writer_slice(&w),
				  .user = user,
				  .trunk = leg->trunk,
				  .is_new = !leg->dialog.remote_tag,
				  .is_probe = leg->is_probe,
			  },
			  ret_txn);
	if (!err || user != 0)
		return err;
	/* Nobody waits for the answer: once without a transaction is better
	 * than not at all. */
	calls_emit(c, &(struct action){.kind = ACTION_SIP_SEND,
				       .call = c->cookie,
				       .dest = leg->dest,
				       .bytes = writer_slice(&w)});
	return 0;
}

void leg_bye(struct calls *c, struct leg *leg, const char *reason)
{
	uint8_t buf[256];
	struct writer w;
	struct handle txn;
	struct sip_out_request m = {.method = SLICE("BYE")};
	int err;

	writer_init(&w, buf, sizeof(buf));
	if (reason) {
		/* RFC 3326. */
		writer_str(&w, "Reason: ");
		writer_str(&w, reason);
		writer_str(&w, "\r\n");
	}
	if (c->server_name[0])
		sip_print_hdr(&w, "User-Agent", calls_agent(c));
	m.extra = writer_slice(&w);
	err = leg_request(c, leg, SIP_METHOD_BYE, &m, 0, &txn);
	if (err)
		c->err = ERR_NOMEM;
}

/* The credentials of the INVITE, if its transaction is there still. */
static void print_credentials(struct calls *c, struct writer *w,
			      struct handle invite)
{
	const struct sip_msg *m = &c->core_msg;

	if (sip_txn_request(c->txns, invite, &c->core_msg) != 0)
		return;
	for (size_t i = 0; i < m->hdr_count; i++)
		if (m->hdr[i].id == SIP_HDR_AUTHORIZATION ||
		    m->hdr[i].id == SIP_HDR_PROXY_AUTHORIZATION)
			sip_print_hdr(w, sip_hdr_name(m->hdr[i].id),
				      m->hdr[i].value);
}

static void keep_ack(struct leg *leg, uint32_t cseq, struct slice bytes)
{
	/* Those of dialogs that lost are sent once each. */
	if (!leg->call || leg != &leg->call->leg[leg->side])
		return;
	calls_wipe(leg->ack, leg->ack_len);
	leg->ack = alloc_copy(bytes);
	leg->ack_len = leg->ack ? bytes.len : 0;
	leg->ack_cseq = cseq;
}

void leg_ack(struct calls *c, struct leg *leg, struct handle invite,
	     uint32_t cseq, struct slice body)
{
	char branch[BRANCH_LEN + 1];
	uint8_t cred[CRED_MAX];
	struct writer w;
	struct sip_out_request m = {
		.method = SLICE("ACK"),
		.dest = &leg->dest,
		.max_forwards = 70,
		.dialog = &leg->dialog,
		.cseq = cseq,
		.body = body,
	};

	calls_branch(c, branch);
	m.branch = slice_make(branch, BRANCH_LEN);
	if (body.len > 0)
		m.type = (struct slice)SLICE("application/sdp");
	writer_init(&w, cred, sizeof(cred));
	print_credentials(c, &w, invite);
	if (writer_ok(&w))
		m.extra = writer_slice(&w);
	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	sip_out_request(&w, &m);
	if (!writer_ok(&w))
		return;
	calls_emit(c, &(struct action){.kind = ACTION_SIP_SEND,
				       .call = c->cookie,
				       .dest = leg->dest,
				       .bytes = writer_slice(&w)});
	keep_ack(leg, cseq, writer_slice(&w));
}

bool leg_ack_again(struct calls *c, const struct leg *leg,
		   const struct sip_msg *m)
{
	if (!leg->ack || leg->ack_cseq != m->cseq)
		return false;
	calls_emit(c, &(struct action){
			      .kind = ACTION_SIP_SEND,
			      .call = c->cookie,
			      .dest = leg->dest,
			      .bytes = slice_make(leg->ack, leg->ack_len)});
	return true;
}

/* Put line in place of the len bytes of w at pos. */
static void put_line(struct writer *w, size_t pos, size_t len,
		     struct slice line)
{
	size_t end = pos + len;

	if (w->len - len > w->cap - line.len) {
		w->full = true;
		return;
	}
	memmove(w->buf + pos + line.len, w->buf + end, w->len - end);
	memcpy(w->buf + pos, line.ptr, line.len);
	w->len = w->len - len + line.len;
}

/* Lines that are none of a relay's pass: a URL or a name in them may be that of a
 * host (RFC 5576 section 6.1). Our own address stands in c= and o= only. */
static void hide_hosts(struct calls *c, const struct leg *leg, struct writer *w)
{
	const struct leg *from = &leg->call->leg[!leg->side];
	bool to_phone = leg->side == SIDE_PHONE;
	struct sip_out_map map = leg_map(&from->dest, &leg->dest, to_phone);
	uint8_t buf[SIP_LINE_MAX];
	struct slice line;
	struct writer wl;

	trunk_map(&map, leg);
	map.inside = to_phone ? &c->lookup : NULL;
	for (size_t pos = 0; pos < w->len && writer_ok(w);) {
		text_cut(slice_make(w->buf + pos, w->len - pos), '\n', &line,
			 NULL);
		writer_init(&wl, buf, sizeof(buf));
		if (line.len > 0 && !strchr("com", line.ptr[0]) &&
		    !slice_starts(line, "a=crypto:"))
			hosts_copy(&wl, line, &map);
		if (wl.len > 0 && writer_ok(&wl) &&
		    !slice_eq(writer_slice(&wl), line)) {
			put_line(w, pos, line.len, writer_slice(&wl));
			line.len = wl.len;
		}
		pos += line.len + 1;
	}
}

static bool print_sdp(struct calls *c, struct leg *leg, const struct sdp *s,
		      struct slice *ret)
{
	struct writer w;

	c->edit.sess_id = leg->sdp_id;
	c->edit.sess_version = leg->sdp_version;
	writer_init(&w, c->body_buf, sizeof(c->body_buf));
	sdp_print(&w, s, &c->edit);
	hide_hosts(c, leg, &w);
	*ret = writer_slice(&w);
	return writer_ok(&w);
}

/* RFC 3264 section 8: the version grows by one with each change, and only
 * then. */
struct slice leg_sdp(struct calls *c, struct leg *leg, const struct sdp *s)
{
	struct slice body;

	if (!print_sdp(c, leg, s, &body))
		return SLICE_NULL;
	if (leg->sdp && slice_eq(body, slice_make(leg->sdp, leg->sdp_len)))
		return body;
	if (leg->sdp) {
		leg->sdp_version++;
		if (!print_sdp(c, leg, s, &body))
			return SLICE_NULL;
		leg->sdp = calls_wipe(leg->sdp, leg->sdp_len);
	}
	leg->sdp = alloc_copy(body);
	leg->sdp_len = leg->sdp ? body.len : 0;
	return body;
}
