/*
 * Somebody barges into a call: the phone that is in it mixes, with a second
 * channel in the same call (its Built In Bridge). Models whose bridge cannot do
 * that while they encrypt refuse the channel; a phone that does not encrypt may
 * not come into an encrypted call, hears a busy tone instead, and nothing of the
 * call; into others everybody may. cBarge is a conference on the call manager's
 * bridge, and like any other one.
 */
#include "b2bua/sccp.h"

#include "base/writer.h"
#include "rewrite/sccp_out.h"

static bool is_voice(const struct sccp_stream *s)
{
	return s->is_receiving && !s->is_video && s->group == SCCP_NO_GROUP;
}

/* The phone has s besides another channel of the same call, which was there
 * before and is encrypted or, is_any, whatever it is. */
static bool is_second(const struct sccp_stream *s, bool is_any)
{
	struct list *l;

	list_for_each(l, &s->phone->streams) {
		const struct sccp_stream *k = sccp_stream_at(l);

		if (k == s)
			return false; /* they stand in their order */
		if (is_voice(k) && k->call == s->call &&
		    (is_any || k->flow[SIDE_CORE].out.suite != SUITE_NONE))
			return true;
	}
	return false;
}

bool sccp_refuses_barge(const struct sccp_phone *p, const struct sccp_msg *m)
{
	struct list *l;

	if (!p->traits.refuses_barge || m->id != SCCP_OPEN_RECEIVE)
		return false;
	list_for_each(l, &p->streams) {
		const struct sccp_stream *s = sccp_stream_at(l);

		if (is_voice(s) && s->party != sccp_u32(m, SCCP_PARTY) &&
		    s->flow[SIDE_CORE].out.suite != SUITE_NONE &&
		    s->call == sccp_u32(m, SCCP_CALL))
			return true;
	}
	return false;
}

static bool is_plain_phone(const struct sccp_stream *s)
{
	return !sccp_is_secure(s->phone);
}

static void block(struct calls *c, struct sccp_stream *s)
{
	struct flow before[2] = {s->flow[0], s->flow[1]};

	s->is_refused = true;
	sccp_update(c, s, before);
}

static void play_busy(struct calls *c, struct sccp_stream *s)
{
	enum { START_TONE = 0x0082, LEN = 28, BODY = 12, LINE_BUSY = 0x23 };
	struct sccp_out *o = c->sccp.out;
	struct writer w;

	sccp_out_make(o, START_TONE, s->phone->header, LEN);
	writer_init(&w, o->buf + BODY, LEN - BODY);
	writer_u32le(&w, LINE_BUSY);
	writer_u32le(&w, 0); /* to the user */
	writer_u32le(&w, sccp_line_of(s->phone, s->call));
	writer_u32le(&w, s->call);
	sccp_send(c, s->phone, SIDE_PHONE, o);
}

bool sccp_keep_out(struct calls *c, struct sccp_stream *s)
{
	struct sccp_stream *far =
		sccp_far_stream(c, s, &s->flow[SIDE_CORE].remote);
	struct sccp_stream *guest = NULL;

	if (far && is_plain_phone(s) && is_second(far, false))
		guest = s;
	else if (far && is_plain_phone(far) && is_second(s, false))
		guest = far;
	else if (!far && s->far.is_joined &&
		 s->far.security == CALL_NONSECURE && is_second(s, false))
		far = s;
	else
		return false;
	c->sccp.counts.barges++;
	block(c, s);
	if (far != s)
		block(c, far);
	if (guest)
		play_busy(c, guest);
	return true;
}

/* Who is at the far end of s, as far as it is known. */
static enum call_security far_of(const struct calls *c,
				 const struct sccp_stream *s)
{
	if (s->group != SCCP_NO_GROUP)
		return CALL_NONSECURE;
	if (s->far.is_joined)
		return (enum call_security)s->far.security;
	return s->is_sending && !sccp_is_ours(c, &s->flow[SIDE_CORE].remote)
		       ? CALL_NONSECURE
		       : CALL_ENCRYPTED;
}

bool sccp_is_guest(const struct sccp_stream *s)
{
	return s->is_receiving && is_second(s, true);
}

enum call_security sccp_security_with(const struct calls *c,
				      const struct sccp_stream *s)
{
	enum call_security own = sccp_security_own(s->phone, s->call);
	enum call_security least = own;
	struct list *l;

	list_for_each(l, &s->phone->streams) {
		const struct sccp_stream *k = sccp_stream_at(l);

		if (k == s || k->is_video || k->is_refused ||
		    k->call != s->call || !(k->is_receiving || k->is_sending))
			continue;
		/* The shield stays, whoever comes in. */
		if (own == CALL_AUTHENTICATED && sccp_is_guest(k))
			continue;
		if (far_of(c, k) < least)
			least = far_of(c, k);
	}
	return least;
}
