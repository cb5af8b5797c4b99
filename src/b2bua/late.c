/*
 * Responses to an INVITE that nobody waits for any more: the call has ended
 * before it rang, or another call manager was asked when this one said nothing
 * in time. Whoever rings now would ring for nobody, and who answers would wait
 * for an ACK: both are told.
 */
#include "b2bua/machine.h"

#include "sip/hdr.h"

/* PRACKs and UPDATEs that may have gone in a dialog nobody knows any more: our
 * next request in it has a higher number (RFC 3261 section 12.2.1.1). */
enum { LATE_GAP = 64 };

static int dialog_of(struct sip_dialog *d, const struct sip_msg *invite,
		     const struct sip_msg *m)
{
	struct sip_nameaddr from;
	char local[SIP_LINE_MAX];
	struct writer w;
	int err = sip_nameaddr_parse(invite->from, &from);

	if (err)
		return err;
	writer_init(&w, local, sizeof(local));
	writer_str(&w, "<");
	writer_put(&w, from.uri);
	writer_str(&w, ">");
	if (!writer_ok(&w))
		return ERR_LIMIT;
	err = sip_dialog_init_uac(d, invite->call_id, writer_slice(&w),
				  invite->from_tag, invite->to, invite->ruri);
	d->local_cseq = invite->cseq + LATE_GAP;
	return err ? err : sip_dialog_learn(d, m);
}

/* Is it the first answer of this callee? Several may have been rung. */
static bool is_first(struct calls *c, struct handle txn, struct slice tag)
{
	struct slice head = slice_sub(tag, 0, HUNG_UP_TAG_MAX);
	struct hung_up *h;

	for (uint32_t i = 0; i < HUNG_UP_MAX; i++) {
		h = &c->hung_up[i];
		if (handle_eq(h->txn, txn) && h->tag_len == tag.len &&
		    slice_eq(head, slice_make(h->tag, head.len)))
			return false;
	}
	h = &c->hung_up[c->hung_up_next++ % HUNG_UP_MAX];
	*h = (struct hung_up){.txn = txn, .tag_len = tag.len};
	memcpy(h->tag, head.ptr, head.len);
	return true;
}

/* Each 2xx gets its ACK, since the last one may be lost; a callee's first one a
 * BYE. */
static void hang_up(struct calls *c, struct handle txn, const struct sip_msg *m)
{
	struct sip_msg *invite = &c->core_msg;
	const struct dest *dest = sip_txn_client_dest(c->txns, m);
	struct leg leg = {.side = SIDE_PHONE};

	if (!dest || sip_txn_request(c->txns, txn, invite) != 0)
		return;
	leg.dest = *dest;
	if (core_by_dest(&c->core, dest))
		leg.side = SIDE_CORE;
	if (dialog_of(&leg.dialog, invite, m) == 0) {
		leg_ack(c, &leg, txn, invite->cseq, SLICE_NULL);
		if (is_first(c, txn, m->to_tag))
			leg_bye(c, &leg, NULL);
	}
	sip_dialog_done(&leg.dialog);
}

void late_response(struct calls *c, struct handle txn, const struct sip_msg *m)
{
	if (m->method != SIP_METHOD_INVITE || m->status >= 300)
		return;
	if (m->status >= 200)
		hang_up(c, txn, m);
	else if (sip_txn_cancel(c->txns, txn, c->now_ms) != 0)
		sip_txn_orphan(c->txns, txn, c->now_ms);
}
