#include "base/alloc.h"
#include "base/text.h"
#include "base/writer.h"
#include "sip/hdr.h"
#include "sip/txn_impl.h"

/* The magic cookie, with something behind it: RFC 4475 3.2.1 shows a branch
 * that is the cookie alone and identifies nothing. */
static bool has_cookie(struct slice branch)
{
	return branch.len > 7 && text_ieqs(slice_sub(branch, 0, 7), "z9hG4bK");
}

/*
 * Server keys (17.2.3): with cookie branch, sent-by and method; without it the
 * rules of RFC 2543: request-URI, From tag, Call-ID, CSeq number, first Via.
 * (To tags are left out there: an ACK has the one our response gave.) method
 * is the one to look for: INVITE for an ACK or CANCEL.
 *
 * Where the request came from is part of it: a branch must be unguessable, but
 * nothing proves that it is, and nobody shall cancel another one's call.
 */
static int make_key(struct sip_txns *t, const struct sip_msg *m,
		    const struct dest *from, struct slice method,
		    struct slice *ret)
{
	struct sip_via via;
	struct writer w;

	if (sip_via_parse(m->via, &via) != 0)
		return ERR_BAD;
	writer_init(&w, t->key, sizeof(t->key));
	writer_u8(&w, 'S');
	if (from->is_reliable)
		writer_u64be(&w, handle_u64(from->ep));
	else
		writer_bytes(&w, from->peer.ip, sizeof(from->peer.ip));
	writer_put(&w, method);
	writer_u8(&w, ' ');
	if (has_cookie(m->branch)) {
		writer_put(&w, m->branch);
		writer_u8(&w, ' ');
		for (size_t i = 0; i < via.host.len; i++)
			writer_u8(&w, text_lower(via.host.ptr[i]));
		writer_u16be(&w, via.port);
	} else {
		writer_put(&w, m->ruri);
		writer_u8(&w, ' ');
		writer_put(&w, m->from_tag);
		writer_u8(&w, ' ');
		writer_put(&w, m->call_id);
		writer_u8(&w, ' ');
		writer_u32be(&w, m->cseq);
		writer_put(&w, m->via);
	}
	if (!writer_ok(&w))
		return ERR_LIMIT;
	*ret = writer_slice(&w);
	return 0;
}

static struct txn *find(struct sip_txns *t, const struct sip_msg *m,
			const struct dest *from, struct slice method)
{
	struct slice key;

	if (make_key(t, m, from, method, &key) != 0)
		return NULL;
	return txn_find(t, key);
}

/* What a request that reaches us by two ways has in common (8.2.2.2); false
 * when it is inside a dialog or has no transaction of its own. */
static bool make_merge_key(struct sip_txns *t, const struct sip_msg *m,
			   struct slice *ret)
{
	struct writer w;

	if (m->to_tag.len > 0 || m->from_tag.len == 0 ||
	    m->method == SIP_METHOD_ACK || m->method == SIP_METHOD_CANCEL)
		return false;
	writer_init(&w, t->key, sizeof(t->key));
	writer_put(&w, m->from_tag);
	writer_u8(&w, ' ');
	writer_put(&w, m->call_id);
	writer_u8(&w, ' ');
	writer_u32be(&w, m->cseq);
	writer_put(&w, m->method_name);
	/* Several phones of a fork may all be behind us: each has a
	 * request-URI of its own. */
	writer_u8(&w, ' ');
	writer_put(&w, m->ruri);
	*ret = writer_slice(&w);
	return writer_ok(&w);
}

bool sip_txn_is_merged(struct sip_txns *t, const struct sip_msg *m)
{
	struct slice key;
	struct table_node *n;

	if (!make_merge_key(t, m, &key))
		return false;
	/* What was refused is over: its sender may have another try. */
	for (n = table_find(&t->merges, key); n; n = table_find_next(n)) {
		const struct txn *x = TABLE_ENTRY(n, struct txn, merge);

		if (x->state != TXN_COMPLETED && x->state != TXN_CONFIRMED)
			return true;
	}
	return false;
}

static int remember_merge(struct sip_txns *t, struct txn *x,
			  const struct sip_msg *m)
{
	struct slice key;
	int err;

	if (!make_merge_key(t, m, &key))
		return 0;
	x->merge_key = alloc_copy(key);
	if (!x->merge_key)
		return ERR_NOMEM;
	err = table_add(&t->merges, &x->merge,
			slice_make(x->merge_key, key.len));
	if (err)
		x->merge_key = alloc_free(x->merge_key);
	return err;
}

int sip_txn_server_new(struct sip_txns *t, const struct sip_msg *m,
		       const struct dest *dest, uint64_t user, uint64_t now_ms,
		       struct handle *ret)
{
	bool is_invite = m->method == SIP_METHOD_INVITE;
	struct slice key;
	struct txn *x;
	int err = make_key(t, m, dest, m->method_name, &key);

	if (err)
		return err;
	if (txn_find(t, key))
		return ERR_EXISTS;
	err = txn_new(t, is_invite ? TXN_SERVER_INVITE : TXN_SERVER_OTHER, key,
		      dest, &x);
	if (err)
		return err;
	err = remember_merge(t, x, m);
	if (err) {
		txn_drop(t, x);
		return err;
	}
	x->state = is_invite ? TXN_PROCEEDING : TXN_TRYING;
	x->user = user;
	/* RFC 4320: a non-INVITE answered later than 64*T1 has no client any
	 * more. An INVITE may ring as long as it likes. */
	txn_plan(t, x, UINT64_MAX,
		 is_invite ? UINT64_MAX : now_ms + txn_64t1(t));
	*ret = x->handle;
	return 0;
}

/* An ACK for x: RFC 6026 leaves the one of a 2xx to the user. */
static enum sip_txn_verdict recv_ack(struct sip_txns *t, struct txn *x,
				     uint64_t now_ms)
{
	if (x->state == TXN_ACCEPTED)
		return SIP_TXN_ACK;
	if (x->state == TXN_COMPLETED) {
		x->state = TXN_CONFIRMED;
		if (x->dest.is_reliable)
			txn_drop(t, x); /* timer I is zero */
		else
			txn_plan(t, x, UINT64_MAX, now_ms + t->p.t4_ms);
	}
	return SIP_TXN_ABSORBED;
}

/* What tells the ACK of a 2xx whose user has left. */
static bool make_await_key(struct sip_txns *t, struct slice call_id,
			   struct slice from_tag, struct slice to_tag,
			   uint32_t cseq, struct slice *ret)
{
	struct writer w;

	writer_init(&w, t->key, sizeof(t->key));
	writer_put(&w, call_id);
	writer_u8(&w, ' ');
	writer_put(&w, from_tag);
	writer_u8(&w, ' ');
	writer_put(&w, to_tag);
	writer_u8(&w, ' ');
	writer_u32be(&w, cseq);
	*ret = writer_slice(&w);
	return writer_ok(&w);
}

/* The ACK of a 2xx, if it is one that nobody else waits for. */
static bool recv_awaited(struct sip_txns *t, const struct sip_msg *m,
			 uint64_t now_ms)
{
	struct slice key;
	struct txn *x;

	if (t->awaits.count == 0 || !make_await_key(t, m->call_id, m->from_tag,
						    m->to_tag, m->cseq, &key))
		return false;
	x = TABLE_ENTRY(table_find(&t->awaits, key), struct txn, await);
	if (!x)
		return false;
	sip_txn_acked(t, x->handle, now_ms);
	return true;
}

/* A request we know came again. */
static void recv_again(struct sip_txns *t, struct txn *x)
{
	/* 17.2.1 and 17.2.2: the last response again. Not in Accepted, where
	 * the 2xx has a timer of its own, nor in Confirmed. */
	if (x->state == TXN_PROCEEDING || x->state == TXN_COMPLETED)
		txn_send(t, x);
}

enum sip_txn_verdict
sip_txn_recv_request(struct sip_txns *t, const struct sip_msg *m,
		     const struct dest *from, uint64_t now_ms,
		     struct handle *ret_txn, uint64_t *ret_user)
{
	bool is_ack = m->method == SIP_METHOD_ACK;
	bool is_cancel = m->method == SIP_METHOD_CANCEL;
	enum sip_txn_verdict verdict;
	struct txn *x;

	*ret_txn = HANDLE_NONE;
	*ret_user = 0;
	if (!is_ack) {
		x = find(t, m, from, m->method_name);
		if (x) {
			recv_again(t, x);
			return SIP_TXN_ABSORBED;
		}
		if (!is_cancel)
			return SIP_TXN_NEW;
	}
	x = find(t, m, from, slice_str("INVITE"));
	if (x) {
		*ret_txn = x->handle;
		*ret_user = x->user;
	}
	if (is_cancel)
		return SIP_TXN_CANCEL;
	verdict = x ? recv_ack(t, x, now_ms) : SIP_TXN_ACK;
	if (verdict == SIP_TXN_ACK && recv_awaited(t, m, now_ms))
		return SIP_TXN_ABSORBED;
	return verdict;
}

/*
 * INVITE server, RFC 3261 figure 7 with RFC 6026 figure 5:
 *
 *        | INVITE
 *        v            1xx: sent; INVITE again: last 1xx again
 *   Proceeding
 *        |
 *        +-- 2xx ------> Accepted   2xx again at T1, 2*T1 .. T2 until acked
 *        |                  |       L: end, or fail when no ACK came
 *        |
 *        +-- 300-699 --> Completed  G: send again; INVITE: send again
 *                           |       H: fail
 *                           | ACK
 *                           v
 *                       Confirmed   I: end
 */
static int invite_respond(struct sip_txns *t, struct txn *x, unsigned status,
			  uint64_t now_ms)
{
	uint64_t g_ms = x->dest.is_reliable ? UINT64_MAX : now_ms + t->p.t1_ms;

	if (x->state == TXN_PROCEEDING && status >= 200) {
		bool is_2xx = status < 300;

		x->state = is_2xx ? TXN_ACCEPTED : TXN_COMPLETED;
		x->interval_ms = t->p.t1_ms;
		/* 13.3.1.4: the 2xx is repeated over TCP too, since it crosses
		 * hops that may lose it. */
		txn_plan(t, x, is_2xx ? now_ms + t->p.t1_ms : g_ms,
			 now_ms + txn_64t1(t));
	}
	txn_send(t, x);
	return 0;
}

/*
 * Non-INVITE server, RFC 3261 figure 8 (and RFC 4320: end after 64*T1):
 *
 *        | request
 *        v
 *   +- Trying       request again: nothing
 *   |    | 1xx
 *   |    v
 *   +- Proceeding   request again: last 1xx again
 *   |
 *   +-- 200-699 --> Completed   request again: response again; J: end
 */
static int other_respond(struct sip_txns *t, struct txn *x, unsigned status,
			 uint64_t now_ms)
{
	x->state = status < 200 ? TXN_PROCEEDING : TXN_COMPLETED;
	txn_send(t, x);
	if (status < 200)
		return 0;
	if (x->dest.is_reliable)
		txn_drop(t, x); /* timer J is zero */
	else
		txn_plan(t, x, UINT64_MAX, now_ms + txn_64t1(t));
	return 0;
}

static bool may_respond(const struct txn *x, unsigned status)
{
	switch (x->state) {
	case TXN_TRYING:
	case TXN_PROCEEDING:
		return true;
	case TXN_ACCEPTED:
		return status >= 200 && status < 300;
	case TXN_CALLING:
	case TXN_COMPLETED:
	case TXN_CONFIRMED:
		break;
	}
	return false;
}

int sip_txn_respond(struct sip_txns *t, struct handle txn, unsigned status,
		    struct slice bytes, uint64_t now_ms)
{
	struct txn *x = slots_find(&t->slots, txn);
	int err;

	if (!x || (x->kind != TXN_SERVER_INVITE && x->kind != TXN_SERVER_OTHER))
		return ERR_NOTFOUND;
	if (!may_respond(x, status))
		return ERR_STATE;
	err = txn_keep(x, bytes);
	if (err)
		return err;
	if (x->kind == TXN_SERVER_INVITE)
		return invite_respond(t, x, status, now_ms);
	return other_respond(t, x, status, now_ms);
}

void sip_txn_acked(struct sip_txns *t, struct handle txn, uint64_t now_ms)
{
	struct txn *x = slots_find(&t->slots, txn);

	(void)now_ms;
	if (x && x->kind == TXN_SERVER_INVITE && x->state == TXN_ACCEPTED) {
		x->is_acked = true;
		txn_plan(t, x, UINT64_MAX, x->end_ms);
	}
}

void sip_txn_leave(struct sip_txns *t, struct handle txn,
		   const struct sip_dialog *d, uint32_t cseq)
{
	struct txn *x = slots_find(&t->slots, txn);
	struct slice key;

	if (!x || x->kind != TXN_SERVER_INVITE || x->state != TXN_ACCEPTED ||
	    x->is_acked || x->await_key || !d->remote_tag || !d->local_tag ||
	    !make_await_key(t, slice_str(d->call_id), slice_str(d->remote_tag),
			    slice_str(d->local_tag), cseq, &key))
		return;
	x->await_key = alloc_copy(key);
	if (x->await_key && table_add(&t->awaits, &x->await,
				      slice_make(x->await_key, key.len)) != 0)
		x->await_key = alloc_free(x->await_key);
}

void txn_server_again(struct sip_txns *t, struct txn *x, uint64_t now_ms)
{
	x->interval_ms *= 2;
	if (x->interval_ms > t->p.t2_ms)
		x->interval_ms = t->p.t2_ms;
	txn_plan(t, x, now_ms + x->interval_ms, x->end_ms);
	txn_send(t, x);
}

void txn_server_end(struct sip_txns *t, struct txn *x)
{
	/* Timer H, or L without an ACK: the peer never got our answer. */
	if (x->kind == TXN_SERVER_INVITE &&
	    (x->state == TXN_COMPLETED ||
	     (x->state == TXN_ACCEPTED && !x->is_acked)))
		txn_fail(t, x, SIP_TXN_FAIL_TIMEOUT);
	else
		txn_drop(t, x); /* timers I, J, L */
}
