/*
 * Requests to call managers: each is remembered with its bytes until it is
 * answered for good, so that one that fails can be written anew for the next
 * place (RFC 3263 section 4.3) while the phone still waits. Inside of dialogs
 * a request stays with its call manager.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "sip/hdr.h"

enum {
	BUDGET_T1 = 48,
	AUTHS_MAX = 3, /* two realms one after the other, or stale nonces */
	ASK_MS = 3000  /* patience with who holds the credentials */
};

/* A request on its way to a call manager. */
struct core_req {
	struct table_node node; /* in calls.core_reqs by txn */
	struct handle txn;
	struct list failed; /* in calls.core_failed */
	enum sip_txn_fail why;
	uint64_t user; /* of the transaction; 0: nobody waits */
	enum sip_method method;
	struct trunk *trunk; /* it goes to that one's peers; NULL: inside */
	struct handle place; /* of group_of */
	uint64_t tried;	     /* places by core_bit */
	uint64_t give_up_ms; /* when the phone must have its answer */
	uint8_t *bytes;	     /* as sent, owned */
	size_t len;
	uint32_t cseq;	  /* theirs */
	struct dest dest; /* where they went */
	bool is_movable;  /* begins a dialog or needs none, and nobody has
			     said anything yet */
	bool is_probe;
	uint32_t auths; /* times its challenge was answered at this place */
	struct timerq_node ask; /* in calls.core_asks while that is asked for */
	bool is_asking;
	bool is_held;	    /* for that it has not been sent yet */
	bool is_ahead;	    /* it carries credentials nobody asked for */
	uint8_t *challenge; /* the response, owned; while is_asking */
	size_t challenge_len;
	struct slice extra; /* header lines for the next sending */
};

static struct core_req *req_find(const struct calls *c, struct handle txn)
{
	return TABLE_ENTRY(
		table_find(&c->core_reqs, slice_make(&txn, sizeof(txn))),
		struct core_req, node);
}

static void req_free(struct calls *c, struct core_req *q)
{
	table_del(&c->core_reqs, &q->node);
	list_del(&q->failed);
	timerq_clear(&c->core_asks, &q->ask);
	calls_wipe(q->bytes, q->len);
	alloc_free(q->challenge);
	alloc_free(q);
}

void core_reqs_free(struct calls *c)
{
	for (size_t i = 0; i < c->core_reqs.cap; i++)
		while (c->core_reqs.bucket[i])
			req_free(c, TABLE_ENTRY(c->core_reqs.bucket[i],
						struct core_req, node));
	table_done(&c->core_reqs);
	timerq_done(&c->core_asks);
}

void core_forget(struct calls *c, struct handle txn)
{
	struct core_req *q = req_find(c, txn);

	if (q)
		req_free(c, q);
	sip_txn_forget(c->txns, txn);
}

bool core_is_expected(const struct calls *c, const struct sip_msg *m,
		      const struct trunk *t)
{
	const struct core_req *q = req_find(c, sip_txn_client_find(c->txns, m));

	return !q || !q->trunk || q->trunk == t;
}

bool core_has_trunk(const struct calls *c, const struct trunk *t)
{
	for (size_t i = 0; i < c->core_reqs.cap; i++)
		for (struct table_node *n = c->core_reqs.bucket[i]; n;
		     n = n->next)
			if (TABLE_ENTRY(n, struct core_req, node)->trunk == t)
				return true;
	return false;
}

static struct core *group_of(struct calls *c, struct trunk *t)
{
	return t ? &t->group : &c->core;
}

/* ---- who serves whom ------------------------------------------------------ */

struct core_entry *core_pick(struct calls *c, const struct binding *b,
			     struct slice key)
{
	struct core_entry *e = NULL;

	if (b) {
		e = core_better(&c->core, b->place, b->epoch, key,
				core_others(c, NULL), c->now_ms);
		if (!e)
			e = core_get(&c->core, b->place);
	}
	return e ? e
		 : core_choose(&c->core, key, core_others(c, NULL), c->now_ms);
}

uint64_t core_others(const struct calls *c, const struct trunk *t)
{
	return core_without(&c->core, t ? t->managers : c->p.phone_managers);
}

struct core_entry *core_pick_trunk(struct calls *c, const struct trunk *t,
				   struct slice key)
{
	return core_choose(&c->core, key, core_others(c, t), c->now_ms);
}

struct dest core_reply_dest(struct calls *c, const struct dest *from)
{
	const struct core_entry *e = core_by_peer(&c->core, &from->peer);

	return e ? e->place.dest : *from;
}

static void on_change(struct calls *c, const struct core_entry *e,
		      const char *why)
{
	record_core(c, e, why);
	core_move_kick(c);
}

static void judge(struct calls *c, struct core_req *q, bool is_ok,
		  const char *why)
{
	struct core *g = group_of(c, q->trunk);
	struct core_entry *e = core_get(g, q->place);
	bool has_changed =
		e && core_result(g, e, is_ok, q->is_probe, c->now_ms);

	if (has_changed && q->trunk)
		record_trunk(c, e, why);
	else if (has_changed)
		on_change(c, e, why);
	if (q->trunk)
		trunk_rearm(c, q->trunk);
}

/*
 * Is a 503 to q the word of the place itself? REGISTER and OPTIONS end there;
 * of everything else it may be that of a trunk or gateway behind it, and who
 * dials there often must not take the place from everybody.
 */
static bool speaks_for_itself(const struct core_req *q)
{
	return q->is_probe || q->method == SIP_METHOD_REGISTER;
}

/* q was answered with this status. */
static void judge_status(struct calls *c, struct core_req *q, unsigned status)
{
	struct core *g = group_of(c, q->trunk);
	struct core_entry *e = core_get(g, q->place);

	if (status != 503 || speaks_for_itself(q)) {
		judge(c, q, status != 503, "answered");
		return;
	}
	if (e)
		core_doubt(g, e, c->now_ms);
	if (q->trunk)
		trunk_rearm(c, q->trunk);
}

/* The trunk whose request it is that goes to a call manager, or NULL. */
static const struct trunk *sender_of(const struct calls *c, uint64_t user)
{
	struct obj *o = obj_find(c, user);

	if (o && o->kind == OBJ_CALL)
		return LIST_ENTRY(o, struct call, obj)->leg[SIDE_PHONE].trunk;
	if (o && o->kind == OBJ_RELAY)
		return LIST_ENTRY(o, struct relay, obj)->trunk;
	return NULL;
}

/* What spreads phones over equal places. */
static struct slice key_of(struct calls *c, uint64_t user)
{
	struct obj *o = obj_find(c, user);

	if (o && o->kind == OBJ_CALL)
		return slice_str(LIST_ENTRY(o, struct call, obj)->device);
	if (o && o->kind == OBJ_REG)
		return slice_str(
			LIST_ENTRY(o, struct reg_try, obj)->line->device);
	return SLICE_NULL;
}

/* ---- sending --------------------------------------------------------------- */

/* While there is another place nobody waits for this one as long as the RFC
 * lets him. */
static void set_patience(struct calls *c, const struct core_req *q)
{
	uint64_t now = c->now_ms;
	uint64_t end = UINT64_MAX;
	uint32_t one = group_of(c, q->trunk)->p.try_timeout_ms;

	if (one > 0 &&
	    (q->is_probe || (q->is_movable &&
			     core_has_other(group_of(c, q->trunk), q->tried))))
		end = now + one;
	if (q->method != SIP_METHOD_INVITE && q->give_up_ms < end)
		end = q->give_up_ms;
	if (end != UINT64_MAX)
		sip_txn_patience(c->txns, q->txn, end);
}

/* Open the transaction of q's bytes and put q into the table. */
static int req_open(struct calls *c, struct core_req *q, struct slice branch)
{
	struct slice bytes = slice_make(q->bytes, q->len);
	int err = q->is_held ? sip_txn_client_hold(c->txns, q->method, branch,
						   &q->dest, bytes, q->user,
						   c->now_ms, &q->txn)
			     : sip_txn_client_new(c->txns, q->method, branch,
						  &q->dest, bytes, q->user,
						  c->now_ms, &q->txn);

	if (err)
		return err;
	err = table_add(&c->core_reqs, &q->node,
			slice_make(&q->txn, sizeof(q->txn)));
	if (err) {
		sip_txn_forget(c->txns, q->txn);
		return err;
	}
	set_patience(c, q);
	return 0;
}

/* RFC 3261 section 18.1.1: what no datagram holds goes another way. */
static bool is_too_large(const struct calls *c, const struct core_entry *e,
			 size_t len)
{
	return e && !handle_is_none(e->place.large.ep) &&
	       c->core.p.datagram_max > 0 && len > c->core.p.datagram_max;
}

/* Write q's request, which core_msg holds, for dest, and make that q's own. */
static int rewrite(struct calls *c, struct core_req *q, const struct dest *dest,
		   struct slice branch)
{
	struct core_rewrite r = {.was = &q->dest,
				 .dest = dest,
				 .branch = branch,
				 .cseq = q->cseq,
				 .drops_auth = q->auths > 0 || q->is_ahead,
				 .extra = q->extra};
	struct writer w;
	uint8_t *p;

	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	core_rewrite(&w, &c->core_msg, &r);
	if (!writer_ok(&w))
		return ERR_LIMIT;
	p = alloc_copy(writer_slice(&w));
	if (!p)
		return ERR_NOMEM;
	calls_wipe(q->bytes, q->len);
	q->bytes = p;
	q->len = w.len;
	q->dest = *dest;
	return 0;
}

/* ---- challenges: the question ---------------------------------------------------- */

/* What a registrar tells is for its own requests; what a proxy tells, for
 * all. */
enum { KIND_REGISTER = 1, KIND_OTHER = 2 };

static uint8_t kind_of(const struct core_req *q)
{
	return q->method == SIP_METHOD_REGISTER ? KIND_REGISTER : KIND_OTHER;
}

static void print_ask(struct writer *w, const struct core_req *q,
		      struct slice response)
{
	writer_u8(w, q->is_ahead && q->auths == 0);
	writer_blob(w, slice_make(q->bytes, q->len));
	writer_blob(w, response);
}

/* Ask for credentials of q; response: what asked for them, or empty. */
static bool ask(struct calls *c, struct core_req *q, struct slice response)
{
	struct writer w;

	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	print_ask(&w, q, response);
	if (!writer_ok(&w) ||
	    timerq_set(&c->core_asks, &q->ask, c->now_ms + ASK_MS) != 0)
		return false;
	q->is_asking = true;
	calls_emit(c, &(struct action){.kind = ACTION_AUTH,
				       .id = handle_u64(q->txn),
				       .dest = q->dest,
				       .bytes = writer_slice(&w)});
	return true;
}

/* Send a request that was held, with these header lines if there are any. */
static void release(struct calls *c, struct core_req *q, struct slice lines)
{
	struct core_entry *e = core_get(group_of(c, q->trunk), q->place);
	struct obj *o = obj_find(c, q->user);
	struct dest dest = q->dest;

	q->is_held = false;
	if (o && o->kind == OBJ_CALL)
		c->cookie = q->user;
	if (lines.len == 0) {
		if (e)
			e->wants_cred &= ~kind_of(q);
	} else if (sip_msg_parse(q->bytes, q->len, &c->core_msg, NULL) == 0) {
		q->cseq = c->core_msg.cseq;
		q->extra = lines;
		q->is_ahead = rewrite(c, q, &dest, c->core_msg.branch) == 0;
		q->extra = SLICE_NULL;
	}
	if (sip_txn_client_release(c->txns, q->txn,
				   slice_make(q->bytes, q->len),
				   c->now_ms) == ERR_NOMEM)
		c->err = ERR_NOMEM;
	set_patience(c, q);
}

/*
 * The place has told which nonce it wants to see next (RFC 7616 section 3.5):
 * credentials go with the request, unless it has its sender's, who is challenged
 * there himself.
 */
static bool goes_with_cred(struct calls *c, const struct core_req *q,
			   const struct core_entry *e)
{
	return e && (e->wants_cred & kind_of(q)) && c->p.has_realms &&
	       !q->is_probe && q->method != SIP_METHOD_CANCEL &&
	       sip_msg_parse(q->bytes, q->len, &c->core_msg, NULL) == 0 &&
	       !sip_msg_find(&c->core_msg, SIP_HDR_AUTHORIZATION) &&
	       !sip_msg_find(&c->core_msg, SIP_HDR_PROXY_AUTHORIZATION);
}

int core_send(struct calls *c, const struct core_msg *m, struct handle *ret_txn)
{
	struct core *g = group_of(c, m->trunk);
	struct core_entry *e = core_by_dest(g, m->dest);
	struct core_req *q = alloc_zero(sizeof(*q));
	int err = 0;

	if (!q)
		return ERR_NOMEM;
	list_init(&q->failed);
	q->user = m->user;
	q->trunk = m->trunk;
	q->method = m->method;
	q->dest = *m->dest;
	q->is_movable = m->is_new && !m->is_probe;
	q->is_probe = m->is_probe;
	q->give_up_ms = c->now_ms + (uint64_t)c->p.t1_ms * BUDGET_T1;
	if (e) {
		q->place = core_handle(g, e);
		q->tried = core_bit(g, e);
	}
	if (!q->trunk)
		q->tried |= core_others(c, sender_of(c, m->user));
	q->bytes = alloc_copy(m->bytes);
	q->len = m->bytes.len;
	if (!q->bytes)
		err = ERR_NOMEM;
	if (!err && is_too_large(c, e, q->len)) {
		err = sip_msg_parse(q->bytes, q->len, &c->core_msg, NULL);
		q->cseq = c->core_msg.cseq;
		if (!err)
			err = rewrite(c, q, &e->place.large, m->branch);
	}
	q->is_held = !err && goes_with_cred(c, q, e);
	if (!err)
		err = req_open(c, q, m->branch);
	if (err) {
		req_free(c, q);
		return err;
	}
	*ret_txn = q->txn;
	if (q->is_held && !ask(c, q, SLICE_NULL))
		release(c, q, SLICE_NULL);
	return 0;
}

/* ---- the next place --------------------------------------------------------- */

/* Somebody still wants the answer. */
static bool is_wanted(const struct calls *c, const struct core_req *q)
{
	struct obj *o = obj_find(c, q->user);

	if (!o)
		return q->user == 0;
	if (o->kind == OBJ_CALL) {
		const struct call *call = LIST_ENTRY(o, struct call, obj);

		return handle_eq(call->ex.client, q->txn) &&
		       !call->ex.is_cancelled;
	}
	if (o->kind == OBJ_REG)
		return reg_is_wanted(c, LIST_ENTRY(o, struct reg_try, obj));
	return true;
}

/* The dialogs and objects that know the request as it was. */
static int tell(struct calls *c, struct core_req *q, struct leg *leg,
		const struct dest *was, struct slice branch)
{
	struct obj *o = obj_find(c, q->user);

	if (leg) {
		leg->dialog.local_cseq = q->cseq;
		if (!dest_eq(was, &q->dest) && leg_move(leg, was, &q->dest))
			return ERR_NOMEM;
	}
	if (!o)
		return 0;
	switch (o->kind) {
	case OBJ_CALL:
		return invite_moved(c, LIST_ENTRY(o, struct call, obj), q->txn,
				    branch);
	case OBJ_RELAY:
		relay_moved(LIST_ENTRY(o, struct relay, obj), q->txn, &q->dest,
			    leg, q->cseq);
		return 0;
	case OBJ_REG:
		return reg_moved(LIST_ENTRY(o, struct reg_try, obj), q->txn,
				 &q->dest);
	case OBJ_MID: /* challenged: inside of dialogs nothing moves */
		LIST_ENTRY(o, struct mid, obj)->client = q->txn;
		return 0;
	case OBJ_SUB: /* its transactions are relays' */
	case OBJ_SCCP:
	case OBJ_SCCP_CALL:
		return 0;
	}
	return 0;
}

/* The dialog of the request in core_msg, and the number that follows, be it
 * there or among the REGISTERs of its line (RFC 3261 section 10.2). */
static struct leg *next_cseq(struct calls *c, struct core_req *q)
{
	struct leg *leg = leg_of_ours(c, &c->core_msg);

	q->cseq = c->core_msg.cseq;
	if (leg && leg->dialog.local_cseq > q->cseq)
		q->cseq = leg->dialog.local_cseq;
	q->cseq++;
	if (q->method == SIP_METHOD_REGISTER && !q->trunk)
		q->cseq = line_cseq(c, c->core_msg.call_id, q->cseq);
	return leg;
}

/*
 * Send q's request once more, to dest, under a new transaction. False: it
 * cannot be, and q is of no more use.
 */
static bool again(struct calls *c, struct core_req *q, const struct dest *dest)
{
	char branch[BRANCH_LEN + 1];
	struct slice b = slice_make(branch, BRANCH_LEN);
	struct handle was_txn = q->txn;
	struct dest was = q->dest;
	struct obj *o = obj_find(c, q->user);
	struct leg *leg;

	if (!is_wanted(c, q))
		return false;
	calls_branch(c, branch);
	table_del(&c->core_reqs, &q->node);
	timerq_clear(&c->core_asks, &q->ask);
	q->is_asking = false;
	q->is_held = false;
	if (o && o->kind == OBJ_CALL)
		c->cookie = q->user;
	if (sip_msg_parse(q->bytes, q->len, &c->core_msg, NULL) != 0)
		return false;
	leg = next_cseq(c, q);
	if (rewrite(c, q, dest, b) != 0 || req_open(c, q, b) != 0) {
		c->err = ERR_NOMEM;
		return false;
	}
	if (tell(c, q, leg, &was, b) != 0) {
		sip_txn_forget(c->txns, q->txn);
		c->err = ERR_NOMEM;
		return false;
	}
	/* Repetitions of its last response concern nobody. */
	(void)sip_txn_set_user(c->txns, was_txn, 0);
	return true;
}

/* q failed at its place: can it be had elsewhere? */
static bool elsewhere(struct calls *c, struct core_req *q)
{
	struct core *g = group_of(c, q->trunk);
	struct core_entry *e = core_get(g, q->place);

	/* The way for what is large was not there: better too large than not
	 * at all. */
	if (e && q->is_movable && !dest_eq(&q->dest, &e->place.dest) &&
	    dest_eq(&q->dest, &e->place.large))
		return again(c, q, &e->place.dest);
	if (!q->is_movable || c->now_ms >= q->give_up_ms ||
	    !core_has_other(g, q->tried))
		return false;
	e = core_choose(g, key_of(c, q->user), q->tried, c->now_ms);
	if (!e)
		return false;
	q->place = core_handle(g, e);
	q->tried |= core_bit(g, e);
	if (!again(c, q, &e->place.dest))
		return false;
	q->auths = 0;
	q->is_ahead = false;
	return true;
}

/* ---- challenges: the answer ------------------------------------------------------ */

/*
 * A call manager wants credentials (RFC 3261 section 22.2): who holds them is
 * asked, and the response waits. Only requests of ours to a call manager come
 * here, and only responses that came from that side (calls.c:is_from_there).
 */
static bool ask_challenged(struct calls *c, struct core_req *q,
			   const struct sip_msg *m)
{
	if (!c->p.has_realms || q->is_probe || q->auths >= AUTHS_MAX)
		return false;
	q->challenge = alloc_copy(m->raw);
	q->challenge_len = m->raw.len;
	if (q->challenge && ask(c, q, m->raw))
		return true;
	q->challenge = alloc_free(q->challenge);
	return false;
}

/* Credentials of ours were good, and the place says which nonce it wants to see
 * next: who holds them keeps that. */
static void note_next(struct calls *c, const struct core_req *q,
		      struct core_entry *e, const struct sip_msg *m)
{
	struct writer w;
	bool is_proxy = sip_msg_find_name(m, "Proxy-Authentication-Info");

	if (!e || (q->auths == 0 && !q->is_ahead) ||
	    (!is_proxy && !sip_msg_find_name(m, "Authentication-Info")))
		return;
	e->wants_cred |= is_proxy ? KIND_REGISTER | KIND_OTHER : kind_of(q);
	writer_init(&w, c->msg_buf, sizeof(c->msg_buf));
	print_ask(&w, q, m->raw);
	if (writer_ok(&w))
		calls_emit(c, &(struct action){.kind = ACTION_AUTH_INFO,
					       .dest = q->dest,
					       .bytes = writer_slice(&w)});
}

/* Nobody knows an answer: the challenge goes on to who sent the request. */
static void deliver(struct calls *c, struct core_req *q)
{
	struct handle txn = q->txn;
	uint64_t user = q->user;
	int err = sip_msg_parse(q->challenge, q->challenge_len, &c->core_msg,
				NULL);
	uint8_t *bytes = q->challenge;

	q->challenge = NULL;
	req_free(c, q);
	if (!err)
		calls_deliver(c, txn, user, &c->core_msg);
	alloc_free(bytes);
}

void core_auth(struct calls *c, const struct event_auth *ev)
{
	struct core_req *q =
		req_find(c, (struct handle){.index = (uint32_t)ev->id,
					    .gen = (uint32_t)(ev->id >> 32)});
	struct dest dest;
	bool is_sent = false;

	if (!q || !q->is_asking)
		return;
	q->is_asking = false;
	timerq_clear(&c->core_asks, &q->ask);
	if (q->is_held) {
		release(c, q, ev->lines);
		return;
	}
	if (ev->lines.len > 0) {
		dest = q->dest;
		q->auths++;
		q->extra = ev->lines;
		is_sent = again(c, q, &dest);
		q->extra = SLICE_NULL;
	}
	if (is_sent)
		q->challenge = alloc_free(q->challenge);
	else
		deliver(c, q);
}

static void asks_expire(struct calls *c)
{
	struct timerq_node *n;

	while ((n = timerq_pop(&c->core_asks, c->now_ms))) {
		struct core_req *q = TIMERQ_ENTRY(n, struct core_req, ask);

		q->is_asking = false;
		if (q->is_held)
			release(c, q, SLICE_NULL);
		else
			deliver(c, q);
	}
}

/* What is sent again after this response never reaches the call as one. */
static void note_left(struct calls *c, const struct core_req *q)
{
	struct call *call = call_find(c, q->user);

	if (call && handle_eq(call->ex.client, q->txn))
		call->ex.has_left = true;
}

bool core_response(struct calls *c, struct handle txn, const struct sip_msg *m)
{
	struct core_req *q = req_find(c, txn);
	struct core_entry *e =
		q ? core_get(group_of(c, q->trunk), q->place) : NULL;

	if (!q)
		return false;
	note_left(c, q);
	if (!q->trunk) {
		c->from_place = q->place;
		c->from_epoch = e ? e->epoch : 0;
	}
	judge_status(c, q, m->status);
	if (m->status > 100 && m->status != 401 && m->status != 407)
		q->is_movable &= m->status == 503;
	if (m->status < 200)
		return false;
	if (m->status == 503 && elsewhere(c, q))
		return true;
	if ((m->status == 401 || m->status == 407) && ask_challenged(c, q, m))
		return true;
	note_next(c, q, e, m);
	req_free(c, q);
	return false;
}

bool core_failed(struct calls *c, struct handle txn, enum sip_txn_fail why)
{
	struct core_req *q = req_find(c, txn);

	if (!q)
		return false;
	q->why = why;
	if (list_empty(&q->failed))
		list_append(&c->core_failed, &q->failed);
	return true;
}

void core_run_failed(struct calls *c)
{
	while (!list_empty(&c->core_failed)) {
		struct core_req *q = LIST_ENTRY(c->core_failed.next,
						struct core_req, failed);
		struct handle txn = q->txn;
		enum sip_txn_fail why = q->why;
		uint64_t user = q->user;

		list_del(&q->failed);
		judge(c, q, false,
		      why == SIP_TXN_FAIL_TIMEOUT ? "no answer"
						  : "connection lost");
		if (elsewhere(c, q))
			continue;
		req_free(c, q);
		obj_mark_failed(c, txn, user, why);
	}
}

/* ---- health ------------------------------------------------------------------ */

static int probe_dialog(struct calls *c, struct leg *leg)
{
	char call_id[TOKEN_LEN + 1];
	char from[ADDR_STR_MAX + 32];
	char to[ADDR_STR_MAX + 8];
	struct writer wf;
	struct writer wt;
	struct slice target;

	calls_hex(c, call_id, TOKEN_LEN);
	calls_hex(c, leg->tag, TAG_LEN);
	writer_init(&wf, from, sizeof(from));
	writer_str(&wf, "<sip:sallyport@");
	addr_print(&wf, &leg->dest.local);
	writer_str(&wf, ">");
	writer_init(&wt, to, sizeof(to));
	writer_str(&wt, "<sip:");
	addr_print(&wt, &leg->dest.peer);
	writer_str(&wt, ">");
	target = slice_sub(writer_slice(&wt), 1, wt.len - 2);
	return sip_dialog_init_uac(&leg->dialog, slice_str(call_id),
				   writer_slice(&wf), slice_str(leg->tag),
				   writer_slice(&wt), target);
}

void core_probe(struct calls *c, struct core_entry *e, struct trunk *t)
{
	struct leg leg = {.side = t ? SIDE_PHONE : SIDE_CORE,
			  .trunk = t,
			  .is_probe = true,
			  .dest = e->place.dest};
	struct sip_out_request m = {.method = SLICE("OPTIONS")};
	struct handle txn = HANDLE_NONE;
	int err = probe_dialog(c, &leg);

	if (!err)
		err = leg_request(c, &leg, SIP_METHOD_OPTIONS, &m, 0, &txn);
	sip_dialog_done(&leg.dialog);
	if (!err && !handle_is_none(txn))
		return;
	/* No room for it: that says nothing about the call manager. */
	e->is_probing = false;
	e->probe_ms = c->now_ms + CORE_PROBE_FAST_MS;
}

void core_timer(struct calls *c)
{
	struct core_entry *e;

	asks_expire(c);
	while ((e = core_probe_next(&c->core, c->now_ms)))
		core_probe(c, e, NULL);
	for (uint32_t i = 0; i < c->core.used; i++) {
		uint64_t at = c->core.entry[i].settled_ms;

		if (at > c->core_checked_ms && at <= c->now_ms)
			core_move_kick(c);
	}
	c->core_checked_ms = c->now_ms;
	core_move_timer(c);
}

void core_set(struct calls *c, const struct event_core *ev)
{
	if (ev->trunk) {
		trunk_set_places(c, ev);
		return;
	}
	/* More places than there is room for: the first ones count. */
	if (core_set_places(&c->core, ev->manager, ev->place, ev->count,
			    c->now_ms) != 0)
		c->err = ERR_LIMIT;
	save_follow_core(c);
	core_move_kick(c);
}
