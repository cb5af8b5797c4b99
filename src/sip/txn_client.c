#include "base/writer.h"
#include "sip/print.h"
#include "sip/txn_impl.h"

enum { BRANCH_MAX = 256, TIMER_D_MIN_MS = 32000 };

/* Timers D and K are zero over a reliable transport. */
static uint64_t life(const struct txn *x, uint64_t now_ms, uint64_t span_ms)
{
	return x->dest.is_reliable ? now_ms : now_ms + span_ms;
}

/* Client keys: branch and method, since a CANCEL has the branch of the INVITE
 * it cancels (RFC 3261 section 17.1.3). */
static int make_key(struct sip_txns *t, enum sip_method method,
		    struct slice branch, struct slice *ret)
{
	struct writer w;

	if (branch.len == 0 || branch.len > BRANCH_MAX)
		return ERR_LIMIT;
	writer_init(&w, t->key, sizeof(t->key));
	writer_u8(&w, 'C');
	writer_u8(&w, (uint8_t)method);
	writer_put(&w, branch);
	*ret = writer_slice(&w);
	return 0;
}

/* An INVITE that was answered provisionally waits without end: end that. */
static void limit(struct sip_txns *t, struct txn *x, uint64_t now_ms)
{
	if (x && x->state == TXN_PROCEEDING && x->end_ms == UINT64_MAX)
		txn_plan(t, x, UINT64_MAX, now_ms + txn_64t1(t));
}

/*
 * RFC 3261 section 9.1: when no final response comes within 64*T1 of the
 * CANCEL, the INVITE counts as cancelled and its transaction ends.
 */
static void limit_cancelled(struct sip_txns *t, struct slice branch,
			    uint64_t now_ms)
{
	struct slice key;

	if (make_key(t, SIP_METHOD_INVITE, branch, &key) == 0)
		limit(t, txn_find(t, key), now_ms);
}

void sip_txn_orphan(struct sip_txns *t, struct handle txn, uint64_t now_ms)
{
	limit(t, slots_find(&t->slots, txn), now_ms);
}

/* Send what x holds: timers A and B, E and F begin. */
static void begin(struct sip_txns *t, struct txn *x, bool is_patient,
		  uint64_t now_ms)
{
	x->interval_ms = t->p.t1_ms;
	txn_plan(t, x, x->dest.is_reliable ? UINT64_MAX : now_ms + t->p.t1_ms,
		 now_ms + (is_patient ? txn_64t1(t) : t->p.nict_ms));
	x->full_end_ms = x->end_ms;
	txn_send(t, x);
}

static bool is_patient(const struct sip_txns *t, enum sip_method method)
{
	return method == SIP_METHOD_INVITE || method == SIP_METHOD_CANCEL ||
	       t->p.nict_ms == 0;
}

int sip_txn_client_hold(struct sip_txns *t, enum sip_method method,
			struct slice branch, const struct dest *dest,
			struct slice bytes, uint64_t user, uint64_t now_ms,
			struct handle *ret)
{
	bool is_invite = method == SIP_METHOD_INVITE;
	struct slice key;
	struct txn *x;
	int err = make_key(t, method, branch, &key);

	if (err)
		return err;
	if (txn_find(t, key))
		return ERR_EXISTS;
	err = txn_new(t, is_invite ? TXN_CLIENT_INVITE : TXN_CLIENT_OTHER, key,
		      dest, &x);
	if (err)
		return err;
	err = txn_keep(x, bytes);
	if (err) {
		txn_drop(t, x);
		return err;
	}
	x->state = is_invite ? TXN_CALLING : TXN_TRYING;
	x->user = user;
	x->method = method;
	x->is_held = true;
	txn_plan(t, x, UINT64_MAX, now_ms + txn_64t1(t));
	x->full_end_ms = x->end_ms;
	*ret = x->handle;
	return 0;
}

int sip_txn_client_release(struct sip_txns *t, struct handle txn,
			   struct slice bytes, uint64_t now_ms)
{
	struct txn *x = slots_find(&t->slots, txn);
	int err;

	if (!x || !x->is_held)
		return ERR_NOTFOUND;
	err = txn_keep(x, bytes);
	if (err)
		return err;
	x->is_held = false;
	begin(t, x, is_patient(t, x->method), now_ms);
	return 0;
}

int sip_txn_client_new(struct sip_txns *t, enum sip_method method,
		       struct slice branch, const struct dest *dest,
		       struct slice bytes, uint64_t user, uint64_t now_ms,
		       struct handle *ret)
{
	int err = sip_txn_client_hold(t, method, branch, dest, bytes, user,
				      now_ms, ret);
	struct txn *x;

	if (err)
		return err;
	if (method == SIP_METHOD_CANCEL)
		limit_cancelled(t, branch, now_ms);
	x = slots_find(&t->slots, *ret);
	x->is_held = false;
	begin(t, x, is_patient(t, method), now_ms);
	return 0;
}

void sip_txn_patience(struct sip_txns *t, struct handle txn, uint64_t end_ms)
{
	struct txn *x = slots_find(&t->slots, txn);

	if (x && (x->state == TXN_CALLING || x->state == TXN_TRYING) &&
	    end_ms < x->end_ms)
		txn_plan(t, x, x->again_ms, end_ms);
}

static const struct txn *find_of(struct sip_txns *t, const struct sip_msg *m)
{
	struct slice key;

	if (m->is_request || make_key(t, m->method, m->branch, &key) != 0)
		return NULL;
	return txn_find(t, key);
}

const struct dest *sip_txn_client_dest(struct sip_txns *t,
				       const struct sip_msg *m)
{
	const struct txn *x = find_of(t, m);

	return x ? &x->dest : NULL;
}

uint64_t sip_txn_client_user(struct sip_txns *t, const struct sip_msg *m)
{
	const struct txn *x = find_of(t, m);

	return x ? x->user : 0;
}

struct handle sip_txn_client_find(struct sip_txns *t, const struct sip_msg *m)
{
	const struct txn *x = find_of(t, m);

	return x ? x->handle : HANDLE_NONE;
}

void txn_client_again(struct sip_txns *t, struct txn *x, uint64_t now_ms)
{
	/* Timer A doubles without end, timer E up to T2; in Proceeding E runs
	 * at T2 (17.1.1.2, 17.1.2.2). B and F keep A from overflowing. */
	x->interval_ms *= 2;
	if (x->kind == TXN_CLIENT_OTHER &&
	    (x->interval_ms > t->p.t2_ms || x->state == TXN_PROCEEDING))
		x->interval_ms = t->p.t2_ms;
	txn_plan(t, x, now_ms + x->interval_ms, x->end_ms);
	txn_send(t, x);
}

/* Patience with an INVITE is over, but its server may have got it. */
static void leave(struct sip_txns *t, struct txn *x)
{
	uint64_t user = x->user;

	x->user = 0;
	txn_plan(t, x, UINT64_MAX, x->full_end_ms);
	t->cb.fail(t->cb.ctx, x->handle, user, SIP_TXN_FAIL_TIMEOUT);
}

void txn_client_end(struct sip_txns *t, struct txn *x)
{
	if (x->state == TXN_COMPLETED || x->state == TXN_ACCEPTED)
		txn_drop(t, x); /* timers D, K, M */
	else if (x->kind == TXN_CLIENT_INVITE && x->state == TXN_CALLING &&
		 x->end_ms < x->full_end_ms)
		leave(t, x);
	else
		txn_fail(t, x, SIP_TXN_FAIL_TIMEOUT); /* timers B, F */
}

int sip_txn_request(struct sip_txns *t, struct handle txn, struct sip_msg *ret)
{
	struct txn *x = slots_find(&t->slots, txn);

	return x && !x->is_acked &&
			       sip_msg_parse(x->bytes, x->len, ret, NULL) == 0
		       ? 0
		       : ERR_NOTFOUND;
}

/* ACK and CANCEL have request-URI, Call-ID, From, first Via, Route and CSeq
 * number of the INVITE m. */
static struct slice print_like(struct sip_txns *t, const struct sip_msg *m,
			       const char *method, struct slice to)
{
	struct writer w;

	writer_init(&w, t->ack, sizeof(t->ack));
	sip_print_request(&w, slice_str(method), m->ruri);
	sip_print_hdr(&w, "Via", m->via);
	for (size_t i = 0; i < m->hdr_count; i++)
		if (m->hdr[i].id == SIP_HDR_ROUTE)
			sip_print_hdr_copy(&w, &m->hdr[i]);
	sip_print_hdr(&w, "From", m->from);
	sip_print_hdr(&w, "To", to);
	sip_print_hdr(&w, "Call-ID", m->call_id);
	writer_str(&w, "CSeq: ");
	writer_dec(&w, m->cseq);
	writer_str(&w, " ");
	writer_str(&w, method);
	writer_str(&w, "\r\nMax-Forwards: 70\r\n");
	sip_print_body(&w, SLICE_NULL, SLICE_NULL);
	return writer_ok(&w) ? writer_slice(&w) : SLICE_NULL;
}

int sip_txn_cancel(struct sip_txns *t, struct handle txn, uint64_t now_ms)
{
	struct sip_msg *m = &t->scratch;
	const struct txn *x = slots_find(&t->slots, txn);
	struct slice bytes;
	struct dest dest;
	struct handle none;

	if (!x)
		return ERR_NOTFOUND;
	if (x->kind != TXN_CLIENT_INVITE || x->state != TXN_PROCEEDING)
		return ERR_STATE;
	if (sip_msg_parse(x->bytes, x->len, m, NULL) != 0)
		return ERR_STATE;
	bytes = print_like(t, m, "CANCEL", m->to);
	if (bytes.len == 0)
		return ERR_LIMIT;
	dest = x->dest;
	return sip_txn_client_new(t, SIP_METHOD_CANCEL, m->branch, &dest, bytes,
				  0, now_ms, &none);
}

/*
 * The ACK of a non-2xx final response (17.1.1.3): request-URI, Call-ID, From,
 * first Via, Route and CSeq number of the INVITE, To of the response. It takes
 * the INVITE's place in x. Nothing is acknowledged when memory is out: the
 * server sends its response again and we try again.
 */
static void acknowledge(struct sip_txns *t, struct txn *x,
			const struct sip_msg *response)
{
	struct sip_msg *m = &t->scratch;
	struct slice ack;

	if (!x->is_acked) { /* the kept bytes are still the INVITE */
		if (sip_msg_parse(x->bytes, x->len, m, NULL) != 0)
			return;
		ack = print_like(t, m, "ACK", response->to);
		if (ack.len == 0 || txn_keep(x, ack) != 0)
			return;
		x->is_acked = true;
	}
	txn_send(t, x);
}

/*
 * INVITE client, RFC 3261 figure 5 with RFC 6026 figure 3:
 *
 *             | INVITE sent
 *             v          A: send again
 *   +----- Calling ----- B: fail
 *   |         | 1xx
 *   |         v
 *   |     Proceeding --- (64*T1 after a CANCEL: fail)
 *   |         |
 *   +---------+-- 2xx ------> Accepted --- M: end   (each 2xx to the user)
 *   |         |
 *   +---------+-- 300-699 --> Completed -- D: end   (ACK, again for each)
 */
static int invite_response(struct sip_txns *t, struct txn *x,
			   const struct sip_msg *m, uint64_t now_ms)
{
	uint64_t d_ms = txn_64t1(t);

	switch (x->state) {
	case TXN_CALLING:
	case TXN_PROCEEDING:
		if (m->status < 200) {
			if (x->state == TXN_CALLING)
				txn_plan(t, x, UINT64_MAX, UINT64_MAX);
			x->state = TXN_PROCEEDING;
			return 0;
		}
		if (m->status < 300) {
			x->state = TXN_ACCEPTED;
			txn_plan(t, x, UINT64_MAX, now_ms + txn_64t1(t));
			return 0;
		}
		if (d_ms < TIMER_D_MIN_MS)
			d_ms = TIMER_D_MIN_MS;
		x->state = TXN_COMPLETED;
		txn_plan(t, x, UINT64_MAX, life(x, now_ms, d_ms));
		acknowledge(t, x, m);
		return 0;
	case TXN_ACCEPTED:
		return m->status >= 200 && m->status < 300 ? 0 : ERR_EXISTS;
	case TXN_COMPLETED:
		if (m->status >= 300)
			acknowledge(t, x, m);
		return ERR_EXISTS;
	case TXN_TRYING:
	case TXN_CONFIRMED:
		break;
	}
	return ERR_EXISTS;
}

/*
 * Non-INVITE client, RFC 3261 figure 6:
 *
 *        | request sent
 *        v         E: send again
 *   +- Trying ---- F: fail
 *   |    | 1xx
 *   |    v         E: send again
 *   +- Proceeding  F: fail
 *   |
 *   +-- 200-699 --> Completed -- K: end
 */
static int other_response(struct sip_txns *t, struct txn *x,
			  const struct sip_msg *m, uint64_t now_ms)
{
	if (x->state == TXN_COMPLETED)
		return ERR_EXISTS;
	if (m->status < 200) {
		x->state = TXN_PROCEEDING;
		txn_plan(t, x, x->again_ms, x->full_end_ms);
		return 0;
	}
	x->state = TXN_COMPLETED;
	txn_plan(t, x, UINT64_MAX, life(x, now_ms, t->p.t4_ms));
	return 0;
}

int sip_txn_recv_response(struct sip_txns *t, const struct sip_msg *m,
			  uint64_t now_ms, struct handle *ret_txn,
			  uint64_t *ret_user)
{
	struct slice key;
	struct txn *x;
	int err;

	if (m->is_request || make_key(t, m->method, m->branch, &key) != 0)
		return ERR_NOTFOUND;
	x = txn_find(t, key);
	if (!x)
		return ERR_NOTFOUND;
	if (x->kind == TXN_CLIENT_INVITE)
		err = invite_response(t, x, m, now_ms);
	else
		err = other_response(t, x, m, now_ms);
	if (err)
		return err;
	*ret_txn = x->handle;
	*ret_user = x->user;
	/* Timers D and K of zero: the transaction is over at once. */
	if (x->end_ms <= now_ms && x->state == TXN_COMPLETED)
		txn_drop(t, x);
	return 0;
}
