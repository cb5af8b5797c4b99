/*
 * Several callees for one INVITE (RFC 3261 sections 12.1 and 13.2.2.4). The
 * caller sees one dialog whatever happens inside; the callee's leg holds the
 * early dialog that was spoken in last, the others wait here. The first 2xx
 * wins, and whoever answers later is acknowledged and hung up.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"

static struct fork *find(const struct exch *ex, struct slice tag)
{
	for (uint32_t i = 0; i < ex->fork_count; i++)
		if (slice_eqs(tag, ex->fork[i]->tag))
			return ex->fork[i];
	return NULL;
}

static struct fork *add(struct calls *c, struct exch *ex, struct slice tag)
{
	struct fork *f;

	if (ex->fork_count == FORKS_MAX) {
		c->early.forks_refused++;
		return NULL;
	}
	f = alloc_zero(sizeof(*f));
	if (!f)
		return NULL;
	f->tag = alloc_copy(tag);
	if (!f->tag)
		return alloc_free(f);
	c->early.forks += ex->fork_count > 0;
	ex->fork[ex->fork_count++] = f;
	return f;
}

/* A dialog like d, whose other end is not known yet. */
static int copy_dialog(const struct sip_dialog *d, uint32_t cseq,
		       struct sip_dialog *ret)
{
	int err = sip_dialog_init_uac(
		ret, slice_str(d->call_id), slice_str(d->local),
		slice_str(d->local_tag), slice_str(d->remote),
		slice_str(d->target));

	ret->local_cseq = cseq;
	return err;
}

/* Make f's dialog the leg's; the one there goes back to its fork. */
static void swap_in(struct leg *leg, struct exch *ex, struct fork *f)
{
	struct sip_dialog mine = f->dialog;

	f->dialog = (struct sip_dialog){.call_id = NULL};
	if (ex->now)
		ex->now->dialog = leg->dialog;
	else
		sip_dialog_done(&leg->dialog);
	leg->dialog = mine;
	ex->now = f;
}

/* The first one takes the dialog as the INVITE left it. */
static int take_dialog(struct leg *leg, struct exch *ex, struct fork *f,
		       const struct sip_msg *m)
{
	int err;

	if (ex->now == f || !leg->dialog.remote_tag) {
		ex->now = f;
		return sip_dialog_learn(&leg->dialog, m);
	}
	if (!f->dialog.call_id) {
		err = copy_dialog(&leg->dialog, ex->cseq_out, &f->dialog);
		if (err) {
			sip_dialog_done(&f->dialog);
			return err;
		}
	}
	err = sip_dialog_learn(&f->dialog, m);
	if (!err)
		swap_in(leg, ex, f);
	return err;
}

struct fork *fork_take(struct calls *c, struct call *call,
		       const struct sip_msg *m)
{
	struct exch *ex = &call->ex;
	struct fork *f = find(ex, m->to_tag);

	if (!f)
		f = add(c, ex, m->to_tag);
	if (!f || f->is_over)
		return NULL;
	/* Inside a dialog there is nothing to choose from. */
	if (ex->is_initial && take_dialog(&call->leg[!ex->from], ex, f, m) != 0)
		return NULL;
	return f;
}

bool fork_switch(struct leg *leg, struct slice tag)
{
	struct exch *ex = &leg->call->ex;
	struct fork *f;

	if (!ex->is_on || !ex->is_initial || ex->is_answered ||
	    leg->side == ex->from)
		return false;
	f = find(ex, tag);
	if (!f || f->is_over || !f->dialog.call_id)
		return false;
	swap_in(leg, ex, f);
	return true;
}

void fork_end(struct calls *c, struct call *call, const struct sip_msg *m)
{
	struct exch *ex = &call->ex;
	struct leg *leg = &call->leg[!ex->from];
	struct leg lost = {.call = call,
			   .side = leg->side,
			   .dest = leg->dest,
			   .trunk = leg->trunk};
	struct fork *f = find(ex, m->to_tag);
	/* PRACKs may have gone there. */
	uint32_t cseq =
		f && f->dialog.call_id ? f->dialog.local_cseq : ex->cseq_out;
	int err = copy_dialog(&leg->dialog, cseq, &lost.dialog);

	if (!f)
		f = add(c, ex, m->to_tag);
	if (!err)
		err = sip_dialog_learn(&lost.dialog, m);
	if (!err) {
		leg_ack(c, &lost, ex->client, ex->cseq_out, SLICE_NULL);
		if (!f || !f->is_over) {
			leg_bye(c, &lost, NULL);
			c->early.forks_ended++;
		}
		if (f)
			f->is_over = true;
	}
	sip_dialog_done(&lost.dialog);
}

void fork_answered(struct exch *ex, struct fork *f, struct slice body)
{
	calls_wipe(f->answer, f->answer_len);
	f->answer = alloc_copy(body);
	f->answer_len = f->answer ? body.len : 0;
	ex->heard = f;
}

struct slice fork_answer(const struct exch *ex, const struct fork *f)
{
	if (!f || !f->answer)
		f = ex->heard;
	return f ? slice_make(f->answer, f->answer_len) : SLICE_NULL;
}

void forks_done(struct exch *ex)
{
	for (uint32_t i = 0; i < ex->fork_count; i++) {
		struct fork *f = ex->fork[i];

		calls_wipe(f->answer, f->answer_len);
		sip_dialog_done(&f->dialog);
		alloc_free(f->tag);
		alloc_free(f);
	}
	ex->fork_count = 0;
	ex->now = NULL;
	ex->heard = NULL;
	ex->asked = NULL;
	ex->agreed = NULL;
}
