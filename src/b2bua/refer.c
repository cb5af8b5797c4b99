/*
 * The implicit subscriptions of REFER (RFC 3515): several in one dialog are
 * told apart by the CSeq number of their REFER, which differs on each leg.
 */
#include "b2bua/sub.h"

#include "base/text.h"
#include "sip/hdr.h"

struct refers *refer_of(struct leg *leg)
{
	return leg->call ? &leg->call->refers : &leg->sub->refers;
}

bool refer_room(struct calls *c, struct leg *leg)
{
	if (refer_of(leg)->count < REFERS_MAX)
		return true;
	c->sub_refused++;
	return false;
}

void refer_add(struct leg *leg, uint32_t cseq_in, uint32_t cseq_out)
{
	struct refers *r = refer_of(leg);
	struct refer_ids *ids = &r->item[r->count++];

	ids->from = leg->side;
	ids->cseq[leg->side] = cseq_in;
	ids->cseq[!leg->side] = cseq_out;
}

static void del(struct refers *r, uint32_t i)
{
	r->count--;
	memmove(&r->item[i], &r->item[i + 1],
		(r->count - i) * sizeof(r->item[0]));
}

/* The one with this number on side's leg; RFC 3515 lets the first one go
 * without: id 0. Its index, or count. */
static uint32_t find(const struct refers *r, enum side from, enum side side,
		     uint32_t id)
{
	for (uint32_t i = 0; i < r->count; i++)
		if (r->item[i].from == from &&
		    (id == 0 || r->item[i].cseq[side] == id))
			return i;
	return r->count;
}

void refer_moved(struct leg *leg, uint32_t cseq_in, uint32_t cseq_out)
{
	struct refers *r = refer_of(leg);
	uint32_t i = find(r, !leg->side, !leg->side, cseq_in);

	if (i < r->count)
		r->item[i].cseq[leg->side] = cseq_out;
}

/* RFC 4488: a 2xx may say so. */
static bool says_no_subscription(const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_msg_find_name(m, "Refer-Sub");
	struct slice value = SLICE_NULL;

	if (h)
		text_cut(h->value, ';', &value, NULL);
	return text_ieqs(text_trim(value), "false");
}

void refer_answer(struct refers *refers, enum side from, uint32_t cseq_in,
		  const struct sip_msg *m)
{
	uint32_t i = find(refers, from, from, cseq_in);

	if (i < refers->count &&
	    (!m || m->status >= 300 || says_no_subscription(m)))
		del(refers, i);
}

/* The id of "refer;id=N"; false when m is of another package. 0: none. */
static bool refer_id(const struct sip_msg *m, uint32_t *ret_id)
{
	struct slice package;
	struct slice params;
	struct slice value;
	uint64_t id = 0;

	text_cut(sip_msg_value(m, SIP_HDR_EVENT), ';', &package, &params);
	if (!text_ieqs(text_trim(package), "refer"))
		return false;
	if (sip_param(params, "id", &value) &&
	    text_dec(value, UINT32_MAX, &id) != 0)
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

/* Who sent the REFER that m, from leg, is about: it notifies the other. */
static enum side referrer(const struct leg *leg, const struct sip_msg *m)
{
	return m->method == SIP_METHOD_NOTIFY ? !leg->side : leg->side;
}

struct slice refer_event(struct leg *leg, const struct sip_msg *m, uint8_t *buf,
			 size_t cap)
{
	const struct refers *r = refer_of(leg);
	struct writer w;
	uint32_t id;
	uint32_t i;

	if (!refer_id(m, &id) || id == 0)
		return SLICE_NULL;
	i = find(r, referrer(leg, m), leg->side, id);
	if (i == r->count)
		return SLICE_NULL;
	writer_init(&w, buf, cap);
	writer_str(&w, "refer;id=");
	writer_dec(&w, r->item[i].cseq[!leg->side]);
	return writer_slice(&w);
}

bool refer_is_about(struct leg *leg, const struct sip_msg *m)
{
	const struct refers *r = refer_of(leg);
	uint32_t id;

	return refer_id(m, &id) &&
	       find(r, referrer(leg, m), leg->side, id) < r->count;
}

bool refer_is_terminated(const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_msg_find_name(m, "Subscription-State");
	struct slice state = SLICE_NULL;

	if (h)
		text_cut(h->value, ';', &state, NULL);
	return text_ieqs(text_trim(state), "terminated");
}

void refer_notified(struct leg *leg, const struct sip_msg *m)
{
	struct refers *r = refer_of(leg);
	uint32_t id;
	uint32_t i;

	if (!refer_id(m, &id) || !refer_is_terminated(m))
		return;
	i = find(r, referrer(leg, m), leg->side, id);
	if (i < r->count)
		del(r, i);
}
