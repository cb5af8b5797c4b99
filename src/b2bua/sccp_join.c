/*
 * Who is at the far end of a Skinny phone's stream, and which keys follow from
 * that. Where it is another Skinny phone of this worker, one phone sends under
 * what the other was told to hear with. Where it is somebody else's phone of
 * ours, a SIP phone or another worker's, the media process tells the key it
 * sends under, and the channel is opened anew with that. The rest is bridged,
 * or, where the policy says so, plain.
 */
#include "b2bua/sccp.h"

#include "base/secret.h"
#include "rewrite/sccp_out.h"
#include "sccp/frame.h"
#include "sccp/key.h"

/* ---- far ends --------------------------------------------------------------------- */

/* The stream of another Skinny phone of this worker at this inside address. */
struct sccp_stream *sccp_far_stream(const struct calls *c,
				    const struct sccp_stream *self,
				    const struct addr *a)
{
	uint64_t owner = stream_port_owner(c, a);
	struct obj *o = owner ? obj_find(c, owner) : NULL;
	struct list *l;

	if (!o || o->kind != OBJ_SCCP)
		return NULL;
	list_for_each(l, &LIST_ENTRY(o, struct sccp_phone, obj)->streams)
		if (sccp_stream_at(l) != self &&
		    addr_eq(&sccp_stream_at(l)->flow[SIDE_CORE].local, a))
			return sccp_stream_at(l);
	return NULL;
}

/* May the far end at a be a phone of Sallyport? Whatever is told a port of
 * ours is, be it another worker's. */
bool sccp_is_ours(const struct calls *c, const struct addr *a)
{
	return addr_ip_eq(a, &c->p.media_inside);
}

bool sccp_suite_at(const struct calls *c, const struct addr *a,
		   enum suite *ret_suite)
{
	const struct sccp_stream *s = sccp_far_stream(c, NULL, a);

	if (!s)
		return false;
	*ret_suite = s->is_plain ? SUITE_NONE : sccp_suite_of(s->phone);
	return true;
}

/* The far phone knows what this one hears with, and has gone: soon nobody
 * must. Channels that are closed meanwhile need nothing. Under a key of the far
 * phone's own nothing else is ever encrypted, so there is silence until then. */
static void forsake(struct calls *c, struct sccp_stream *s)
{
	struct flow before[2] = {s->flow[0], s->flow[1]};

	if (!s->is_borrowed)
		return;
	/* A phone that is not there cannot be told another key, either. */
	s->is_borrowed = s->is_learned || s->phone->is_kept;
	s->is_stale = true;
	sccp_update(c, s, before);
	if (s->phone->rekey_ms > c->now_ms + SCCP_REKEY_MS)
		s->phone->rekey_ms = c->now_ms + SCCP_REKEY_MS;
	sccp_arm(c, s->phone);
}

/* What s sent to is not sent to any more. */
void sccp_leave_far(struct calls *c, struct sccp_stream *s)
{
	struct sccp_stream *far =
		sccp_far_stream(c, s, &s->flow[SIDE_CORE].remote);

	if (far && far->flow[SIDE_CORE].out.suite != SUITE_NONE &&
	    flow_key_eq(&far->flow[SIDE_CORE].out, &s->flow[SIDE_PHONE].in))
		forsake(c, far);
}

/* ---- opening anew ------------------------------------------------------------------ */

bool sccp_reparse(const uint8_t *ptr, size_t len, struct sccp_msg *ret)
{
	struct sccp_pdu pdu;

	if (!ptr || sccp_frame(slice_make(ptr, len), SCCP_PDU_MAX, &pdu) != 0)
		return false;
	sccp_msg_parse(&pdu, ret);
	return true;
}

/* The channel's message as the phone is to see it, with the key it is to hear
 * with now. */
static void send_open_under(struct calls *c, struct sccp_stream *s,
			    const struct sccp_msg *m,
			    const struct flow_key *key)
{
	struct sccp_out *o = c->sccp.out;
	struct addr a = s->flow[SIDE_PHONE].local;

	sccp_out_copy(o, m);
	/* A hint where media will come from: from us. */
	if (sccp_out_key(o, key) != 0 ||
	    sccp_out_addr(o, SCCP_SRC_ADDR, SCCP_SRC_PORT, &a) != 0) {
		c->sccp.counts.dropped++;
		sccp_out_wipe(o);
		return;
	}
	sccp_send(c, s->phone, SIDE_PHONE, o);
}

void sccp_send_open(struct calls *c, struct sccp_stream *s,
		    const struct sccp_msg *m)
{
	send_open_under(c, s, m, &s->flow[SIDE_CORE].out);
}

void sccp_send_start(struct calls *c, struct sccp_stream *s,
		     const struct sccp_msg *m)
{
	struct sccp_out *o = c->sccp.out;

	sccp_out_copy(o, m);
	if (sccp_out_key(o, &s->flow[SIDE_PHONE].in) != 0 ||
	    sccp_out_addr(o, SCCP_ADDR, SCCP_PORT,
			  &s->flow[SIDE_PHONE].local) != 0) {
		c->sccp.counts.dropped++;
		sccp_out_wipe(o);
		return;
	}
	sccp_send(c, s->phone, SIDE_PHONE, o);
}

/* End a channel of the phone, of our own accord. */
void sccp_send_end(struct calls *c, struct sccp_stream *s, uint32_t id)
{
	enum { END_LEN = 28 };
	struct sccp_out *o = c->sccp.out;

	sccp_out_make(o, id, s->phone->header, END_LEN);
	sccp_out_u32(o, SCCP_CONF, s->conf);
	sccp_out_u32(o, SCCP_PARTY, s->party);
	sccp_out_u32(o, SCCP_CALL, s->call);
	sccp_send(c, s->phone, SIDE_PHONE, o);
}

void sccp_switch(struct calls *c, struct sccp_stream *s)
{
	struct flow before[2] = {s->flow[0], s->flow[1]};

	if (s->has_next) {
		s->flow[SIDE_CORE].out = s->next;
		s->is_borrowed = s->is_learned = s->next_is_borrowed;
		s->is_fed = false;
	}
	s->has_next = false;
	secret_wipe(&s->next, sizeof(s->next));
	sccp_update(c, s, before);
}

uint64_t sccp_switch_due(struct calls *c, struct sccp_phone *p)
{
	uint64_t at = UINT64_MAX;
	struct list *l;

	list_for_each(l, &p->streams) {
		struct sccp_stream *s = sccp_stream_at(l);

		if (!s->has_next)
			continue;
		if (s->next_ms <= c->now_ms)
			sccp_switch(c, s);
		else if (s->next_ms < at)
			at = s->next_ms;
	}
	return at;
}

/* Close and open: the key (its suite NONE: no key) is what it hears with as soon
 * as it has said yes. Until then what goes there is under the key it has. */
static void reopen(struct calls *c, struct sccp_stream *s,
		   const struct flow_key *key, bool is_borrowed)
{
	struct sccp_msg m;

	if (!s->is_receiving || !sccp_reparse(s->open, s->open_len, &m))
		return;
	s->next = *key;
	s->next_is_borrowed = is_borrowed;
	s->has_next = true;
	s->next_ms = c->now_ms + SCCP_SWITCH_MS;
	s->is_stale = false;
	sccp_send_end(c, s,
		      s->is_video ? SCCP_CLOSE_MM_RECEIVE : SCCP_CLOSE_RECEIVE);
	s->own_opens++;
	send_open_under(c, s, &m, key);
	if (s->phone->rekey_ms > s->next_ms)
		s->phone->rekey_ms = s->next_ms;
	sccp_arm(c, s->phone);
	sccp_note(c, s->phone, s->call,
		  &(struct history_item){
			  .what = HISTORY_REOPENED,
			  .text = is_borrowed ? "with the far phone's key"
				  : key->suite == SUITE_NONE
					  ? "without a key"
					  : "with a fresh key"});
}

void sccp_rekey(struct calls *c, struct sccp_phone *p)
{
	struct list *l;

	list_for_each(l, &p->streams) {
		struct sccp_stream *s = sccp_stream_at(l);
		struct flow_key key;

		if (!s->is_stale || !s->is_receiving)
			continue;
		sccp_make_key(c, p, &key);
		reopen(c, s, &key, false);
		secret_wipe(&key, sizeof(key));
	}
	sccp_update_all(c, p);
}

/* Send under other keys, or none, without the call manager's having said so. */
static void restart(struct calls *c, struct sccp_stream *s)
{
	struct flow before[2] = {s->flow[0], s->flow[1]};
	struct sccp_msg m;

	if (!s->is_sending || !sccp_reparse(s->start, s->start_len, &m)) {
		flow_wipe(&before[0]);
		flow_wipe(&before[1]);
		return;
	}
	sccp_send_end(c, s,
		      s->is_video ? SCCP_STOP_MM_TRANSMISSION
				  : SCCP_STOP_TRANSMISSION);
	sccp_leave_far(c, s);
	sccp_sending_key(c, s, &s->flow[SIDE_PHONE].in);
	sccp_update(c, s, before);
	sccp_send_start(c, s, &m);
}

static bool follows_far(const struct sccp_stream *s)
{
	const struct sccp_phone *p = s->phone;

	return p->policy.falls_back && p->policy.media == MEDIA_SRTP_PREFER &&
	       sccp_is_secure(p);
}

/* SRTP or RTP from now on, to receive. */
static void set_plain(struct calls *c, struct sccp_stream *s, bool is_plain)
{
	struct flow_key key = {.suite = SUITE_NONE};

	s->is_plain = is_plain;
	if (is_plain)
		c->sccp.counts.fallbacks++;
	else
		sccp_make_key(c, s->phone, &key);
	reopen(c, s, &key, false);
	secret_wipe(&key, sizeof(key));
}

void sccp_follow_far(struct calls *c, struct sccp_stream *s)
{
	const struct addr *a = &s->flow[SIDE_CORE].remote;
	const struct sccp_stream *far = sccp_far_stream(c, s, a);
	bool is_plain =
		!sccp_is_ours(c, a) || (far && !sccp_is_secure(far->phone));

	/* Nobody at the far end of a group could do better. */
	if (s->group == SCCP_NO_GROUP && follows_far(s) &&
	    s->is_plain != is_plain)
		set_plain(c, s, is_plain);
}

/* ---- sending, and what the media process tells -------------------------------- */

/* What the phone of s is to send under, to whom it sends now. */
void sccp_sending_key(struct calls *c, struct sccp_stream *s,
		      struct flow_key *ret)
{
	struct sccp_stream *far =
		sccp_far_stream(c, s, &s->flow[SIDE_CORE].remote);
	enum suite suite = sccp_suite_of(s->phone);
	struct flow before[2];

	if (s->is_plain || suite == SUITE_NONE) {
		*ret = (struct flow_key){.suite = SUITE_NONE};
		return;
	}
	/* Had the relay used that key for what this phone says, and the phone
	 * begun anew in the same numbers, the keystream would come twice. */
	if (!far || !c->p.end_to_end || far->is_borrowed || far->has_next ||
	    !far->is_receiving || far->is_stale || far->is_fed ||
	    far->flow[SIDE_CORE].out.suite != suite) {
		if (far)
			far->is_fed = true;
		sccp_make_key(c, s->phone, ret);
		return;
	}
	/* From here on the relay encrypts nothing under this key itself. */
	*ret = far->flow[SIDE_CORE].out;
	before[0] = far->flow[0];
	before[1] = far->flow[1];
	far->is_borrowed = true;
	sccp_update(c, far, before);
}

/* The far phone is another worker's, or speaks SIP: it sends under a key of
 * its own, and the channel is opened anew with it, so that nothing need be
 * opened on the way. With a Skinny phone of this worker that is so already. */
/* May p be told to hear under that suite, its best or not? */
static bool may_use(const struct sccp_phone *p, enum suite suite)
{
	uint32_t alg;

	if (!sccp_is_secure(p) || sccp_alg_of(suite, &alg) != 0)
		return false;
	for (uint32_t i = 0; i < p->policy.suite_count; i++)
		if (p->policy.suite[i] == suite)
			return true;
	return false;
}

static void borrow(struct calls *c, struct sccp_stream *s)
{
	const struct flow_key *k = &s->far.key;
	const struct flow_key *has =
		s->has_next ? &s->next : &s->flow[SIDE_CORE].out;

	/* What another Skinny phone of this worker sends under is this phone's;
	 * what was learned is learned again when the far phone changes it. */
	if (!c->p.end_to_end || !s->is_receiving || s->far.is_rolled ||
	    (s->is_borrowed && !s->is_learned) || k->suite == SUITE_NONE ||
	    k->mki_len > 0 || has->suite == SUITE_NONE ||
	    !may_use(s->phone, k->suite) || flow_key_eq(k, has))
		return;
	reopen(c, s, k, true);
}

/* A phone of another worker, or a SIP phone: whether it is secure only the
 * media process tells. */
static void learn_far(struct calls *c, struct sccp_stream *s)
{
	bool is_plain = s->far.security == CALL_NONSECURE;

	if (follows_far(s) && s->is_plain != is_plain &&
	    !sccp_far_stream(c, s, &s->flow[SIDE_CORE].remote)) {
		set_plain(c, s, is_plain);
		restart(c, s);
		sccp_update_all(c, s->phone);
	}
	borrow(c, s);
}

void sccp_set_far(struct calls *c, struct sccp_stream *s,
		  const struct event_flow *f)
{
	secret_wipe(&s->far, sizeof(s->far));
	if (f) {
		s->far.is_joined = true;
		s->far.security = f->security;
		s->far.is_rolled = f->is_rolled;
		if (f->key)
			s->far.key = *f->key;
		learn_far(c, s);
		(void)sccp_keep_out(c, s);
	} else if (!sccp_far_stream(c, s, &s->flow[SIDE_CORE].remote)) {
		forsake(c, s);
	}
	/* It is told to whom its phone mixes it with, too. */
	sccp_update_all(c, s->phone);
}
