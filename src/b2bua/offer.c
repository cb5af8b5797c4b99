/*
 * Offers and answers of a call (RFC 3264) as far as SIP carries them: who may
 * make one now (RFC 3261 section 13.2.1, RFC 3262 section 5, RFC 3311 section
 * 5), and what each side said last, for requests of our own that must repeat
 * it. What is in them is media.c's business.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "base/text.h"

bool msg_has_sdp(const struct sip_msg *m)
{
	struct slice type;

	text_cut(sip_msg_value(m, SIP_HDR_CONTENT_TYPE), ';', &type, NULL);
	return m->body.len > 0 && text_ieqs(text_trim(type), "application/sdp");
}

/* The INVITE's own offer was answered reliably before its 2xx. Its media stay
 * pending until then, since another callee may answer it too. */
static bool is_answered_early(const struct call *call)
{
	return call->ex.is_on && call->ex.has_answer && !call->ex.is_settled;
}

unsigned offer_busy(const struct leg *leg)
{
	const struct call *call = leg->call;
	const struct exch *ex = &call->ex;
	enum side busy;

	if (call->media.is_pending && !is_answered_early(call))
		busy = call->media.offerer;
	else if (ex->is_on && !ex->is_answered && !ex->has_answer)
		busy = ex->from;
	else
		return 0;
	/* With our own there is no request of that side. */
	return leg->side == busy && !(ex->is_on && ex->kind == EXCH_OWN) ? 500
									 : 491;
}

static int say(struct leg *leg, struct slice body)
{
	leg->saying = calls_wipe(leg->saying, leg->saying_len);
	leg->saying = alloc_copy(body);
	leg->saying_len = leg->saying ? body.len : 0;
	return leg->saying ? 0 : ERR_NOMEM;
}

bool offer_make(struct calls *c, struct call *call, enum side from,
		struct slice body, struct slice *ret_body,
		struct media_refusal *ret_no)
{
	if (is_answered_early(call)) {
		call->ex.asked = call->ex.heard;
		offer_settle(c, call);
		call->ex.is_settled = true;
	}
	if (!media_offer(c, call, from, body, ret_body, ret_no))
		return false;
	call->ex.asked = call->ex.now;
	if (say(&call->leg[from], body) == 0)
		return true;
	media_abort(c, call);
	*ret_no = (struct media_refusal){500, "out of memory"};
	return false;
}

bool offer_answer(struct calls *c, struct call *call, enum side from,
		  struct slice body, struct slice *ret_body,
		  struct media_refusal *ret_no)
{
	if (!media_answer(c, call, from, body, ret_body, ret_no))
		return false;
	/* Without memory it cannot be repeated later; that is all. */
	(void)say(&call->leg[from], body);
	return true;
}

void offer_settle(struct calls *c, struct call *call)
{
	media_settle(c, call);
	call->ex.agreed = call->ex.asked;
	for (int side = 0; side < 2; side++) {
		struct leg *leg = &call->leg[side];

		calls_wipe(leg->said, leg->said_len);
		leg->said = leg->saying;
		leg->said_len = leg->saying_len;
		leg->saying = NULL;
		leg->saying_len = 0;
	}
}

void offer_abort(struct calls *c, struct call *call)
{
	media_abort(c, call);
	for (int side = 0; side < 2; side++) {
		struct leg *leg = &call->leg[side];

		leg->saying = calls_wipe(leg->saying, leg->saying_len);
		leg->saying_len = 0;
	}
}

void offer_warning(const struct reply *r, const struct media_refusal *no,
		   char *ret, size_t cap)
{
	struct writer w;

	writer_init(&w, ret, cap - 1);
	if (no->status == 488) {
		writer_str(&w, "Warning: 399 ");
		addr_print_host(&w, &r->dest.local);
		writer_str(&w, " \"");
		writer_str(&w, no->why);
		writer_str(&w, "\"\r\n");
	} else {
		writer_str(&w, "Retry-After: 5\r\n");
	}
	ret[writer_ok(&w) ? w.len : 0] = '\0';
}
