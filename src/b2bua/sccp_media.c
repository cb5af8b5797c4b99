/*
 * Streams of Skinny phones. The call manager tells a phone to receive
 * (OpenReceiveChannel) and to send (StartMediaTransmission); both become ours:
 * the phone gets our address outside and keys of ours, the call manager our
 * address inside and none. For each direction there is one key set: where the
 * far end is another Skinny phone of this worker, what it sends under is what
 * the other was told to receive with, and nothing is opened on the way; where
 * it is somebody else's phone of ours, the media process tells the key it sends
 * under, and the channel is opened anew with it. The rest is bridged: it enters
 * encrypted and leaves plain, or the other way round.
 *
 * Opening a channel anew is a CloseReceiveChannel and an OpenReceiveChannel of
 * ours, whose acknowledgement the call manager does not hear of: our port
 * inside stays.
 */
#include "b2bua/sccp.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "sccp/frame.h"
#include "sccp/key.h"

enum { STATUS_ERROR = 1, STATUS_NO_CHANNEL = 2 };

/* ---- what p may have ------------------------------------------------------------ */

/* The suite that is used with p; NONE: none. */
enum suite sccp_suite_of(const struct sccp_phone *p)
{
	uint32_t alg;

	if (p->sig != SIG_ENCRYPTED || p->policy.media == MEDIA_RTP_ONLY ||
	    !p->traits.encrypts)
		return SUITE_NONE;
	for (uint32_t i = 0; i < p->policy.suite_count; i++)
		if (sccp_alg_of(p->policy.suite[i], &alg) == 0)
			return p->policy.suite[i];
	return SUITE_NONE;
}

bool sccp_is_secure(const struct sccp_phone *p)
{
	return sccp_suite_of(p) != SUITE_NONE;
}

bool sccp_must_refuse(const struct sccp_phone *p)
{
	return p->policy.media == MEDIA_SRTP_REQUIRE && !sccp_is_secure(p);
}

void sccp_make_key(struct calls *c, const struct sccp_phone *p,
		   struct flow_key *ret)
{
	*ret = (struct flow_key){.suite = sccp_suite_of(p)};
	if (ret->suite == SUITE_NONE)
		return;
	entropy_fill(&c->p.entropy, ret->key, suite_info(ret->suite)->key_len);
	entropy_fill(&c->p.entropy, ret->salt,
		     suite_info(ret->suite)->salt_len);
	c->sccp.counts.keys++;
}

/* ---- streams ---------------------------------------------------------------------- */

struct sccp_stream *sccp_stream_find(const struct sccp_phone *p, uint32_t party,
				     enum sccp_multicast kind)
{
	struct list *l;

	list_for_each(l, &p->streams)
		if (sccp_stream_at(l)->party == party &&
		    sccp_stream_at(l)->group == kind)
			return sccp_stream_at(l);
	return NULL;
}

static struct sccp_stream *find_stream(const struct sccp_phone *p,
				       uint32_t party)
{
	return sccp_stream_find(p, party, SCCP_NO_GROUP);
}

/* Could the acknowledgement be of k? */
static bool awaits_ack(const struct sccp_stream *k, bool is_start)
{
	return is_start ? k->is_sending : k->is_receiving;
}

/* Some phones give no party, or one of their own, in an acknowledgement. */
static struct sccp_stream *find_acked(const struct sccp_phone *p,
				      const struct sccp_msg *m, bool is_start)
{
	uint32_t party = sccp_u32(m, SCCP_PARTY);
	uint32_t call = sccp_u32(m, SCCP_CALL);
	struct sccp_stream *s = NULL;
	struct list *l;

	list_for_each(l, &p->streams)
		if (sccp_stream_at(l)->party == party &&
		    awaits_ack(sccp_stream_at(l), is_start))
			return sccp_stream_at(l);
	list_for_each(l, &p->streams) {
		struct sccp_stream *k = sccp_stream_at(l);

		if (!awaits_ack(k, is_start) || (!is_start && k->is_heard))
			continue;
		if (call != 0 && k->call != 0 && k->call != call)
			continue;
		if (s)
			return NULL; /* it could be either */
		s = k;
	}
	return s;
}

static void flows_of(const struct calls *c, const struct sccp_stream *s,
		     struct flow ret[2])
{
	const struct sccp_phone *p = s->phone;
	struct flow *out = &ret[SIDE_PHONE];
	struct flow *in = &ret[SIDE_CORE];

	out->latch = p->policy.nat ? FLOW_LATCH_NAT : FLOW_LATCH_RESTRICTED;
	in->latch = FLOW_LATCH_OFF;
	out->is_blocked = !s->is_sending || s->is_refused;
	in->is_blocked = !s->is_receiving || !s->is_heard || s->is_refused;
	in->is_borrowed = s->is_borrowed;
	in->security = (uint8_t)sccp_security_with(c, s);
}

/* Does what another phone of this worker says leave under the key s is heard
 * with, without being that phone's own? */
static bool is_fed_now(const struct calls *c, const struct sccp_stream *s)
{
	const struct flow *in = &s->flow[SIDE_CORE];
	const struct sccp_stream *far = sccp_far_stream(c, s, &in->remote);

	return far && far->is_sending && !s->is_borrowed &&
	       addr_eq(&far->flow[SIDE_CORE].remote, &in->local);
}

/* Tell the media process what has changed since before. */
void sccp_update(struct calls *c, struct sccp_stream *s, struct flow before[2])
{
	struct action a = {.kind = ACTION_FLOW_UPDATE,
			   .call = handle_u64(s->phone->obj.self)};

	flows_of(c, s, s->flow);
	s->is_fed |= is_fed_now(c, s);
	save_touch(c, &s->phone->obj);
	for (int side = 0; side < 2; side++) {
		if (!stream_flow_eq(&before[side], &s->flow[side])) {
			a.flow[0] = s->flow[side];
			calls_emit(c, &a);
		}
		flow_wipe(&before[side]);
	}
	flow_wipe(&a.flow[0]);
}

/* The security of one stream is told in the flows of all. */
void sccp_update_all(struct calls *c, struct sccp_phone *p)
{
	struct list *l;

	list_for_each(l, &p->streams) {
		struct sccp_stream *s = sccp_stream_at(l);
		struct flow before[2] = {s->flow[0], s->flow[1]};

		sccp_update(c, s, before);
	}
	sccp_show(c, p);
}

static int stream_begin(struct calls *c, struct sccp_stream *s)
{
	uint64_t cookie = handle_u64(s->phone->obj.self);
	struct action a = {
		.kind = ACTION_FLOW_ADD, .call = cookie, .is_alone = true};
	struct addr group = s->flow[SIDE_CORE].group;
	int err = stream_ports_take(c, cookie, s->port);

	if (err)
		return err;
	for (int side = 0; side < 2; side++)
		s->flow[side] = (struct flow){
			.id = ++c->next_flow,
			.call = cookie,
			.local = addr_with_port(stream_addr(c, (enum side)side),
						s->port[side]),
		};
	s->flow[SIDE_CORE].group = group;
	s->flow[SIDE_PHONE].peer_id = s->flow[SIDE_CORE].id;
	s->flow[SIDE_CORE].peer_id = s->flow[SIDE_PHONE].id;
	/* Where a phone that only sends will be is not said: its address is
	 * that of its connection, its port what the first packet comes from. */
	s->flow[SIDE_PHONE].remote = s->phone->dest[SIDE_PHONE].peer;
	flows_of(c, s, s->flow);
	a.flow[0] = s->flow[SIDE_PHONE];
	a.flow[1] = s->flow[SIDE_CORE];
	calls_emit(c, &a);
	return 0;
}

struct sccp_stream *sccp_stream_make(struct calls *c, struct sccp_phone *p,
				     const struct sccp_msg *m,
				     enum sccp_multicast kind,
				     const struct addr *group)
{
	uint32_t party = sccp_u32(m, SCCP_PARTY);
	struct sccp_stream *s = sccp_stream_find(p, party, kind);

	if (!s) {
		if (p->stream_count >= SCCP_STREAMS_MAX)
			return NULL;
		s = alloc_zero(sizeof(*s));
		if (!s)
			return NULL;
		s->party = party;
		s->phone = p;
		s->group = kind;
		if (group)
			s->flow[SIDE_CORE].group = *group;
		if (stream_begin(c, s) != 0) {
			alloc_free(s);
			return NULL;
		}
		list_append(&p->streams, &s->node);
		p->stream_count++;
	}
	s->conf = sccp_u32(m, SCCP_CONF);
	if (sccp_u32(m, SCCP_CALL) != 0)
		s->call = sccp_u32(m, SCCP_CALL);
	if (s->call == 0)
		s->call = s->conf;
	if (sccp_has(m, SCCP_CODEC))
		s->codec = sccp_u32(m, SCCP_CODEC);
	return s;
}

/* The stream of m, made where it is new. NULL: there are too many. */
static struct sccp_stream *make_stream(struct calls *c, struct sccp_phone *p,
				       const struct sccp_msg *m)
{
	return sccp_stream_make(c, p, m, SCCP_NO_GROUP, NULL);
}

static void keep(uint8_t **ptr, size_t *len, struct slice bytes)
{
	uint8_t *copy = alloc_copy(bytes);

	*ptr = calls_wipe(*ptr, *len);
	*ptr = copy;
	*len = copy ? bytes.len : 0;
}

static void stream_free(struct calls *c, struct sccp_stream *s)
{
	(void)c;
	list_del(&s->node);
	s->phone->stream_count--;
	s->open = calls_wipe(s->open, s->open_len);
	s->start = calls_wipe(s->start, s->start_len);
	secret_wipe(s, sizeof(*s));
	alloc_free(s);
}

void sccp_stream_end(struct calls *c, struct sccp_stream *s)
{
	struct action a = {.kind = ACTION_FLOW_DEL,
			   .call = handle_u64(s->phone->obj.self)};

	for (int side = 0; side < 2; side++) {
		a.flow[0].id = s->flow[side].id;
		calls_emit(c, &a);
	}
	stream_ports_give(c, s->port);
	save_touch(c, &s->phone->obj);
	stream_free(c, s);
}

/* ---- receiving ---------------------------------------------------------------------- */

/* What the phone would have said, in its place. */
static void answer_open(struct calls *c, struct sccp_phone *p,
			const struct sccp_msg *m, uint32_t status)
{
	bool is_video = m->id == SCCP_OPEN_MM_RECEIVE;
	struct sccp_out *o = c->sccp.out;

	sccp_out_make(
		o, is_video ? SCCP_OPEN_MM_RECEIVE_ACK : SCCP_OPEN_RECEIVE_ACK,
		m->version, m->version >= SCCP_VERSION_LONG ? 48 : 32);
	sccp_out_u32(o, SCCP_STATUS, status);
	sccp_out_u32(o, SCCP_PARTY, sccp_u32(m, SCCP_PARTY));
	sccp_out_u32(o, SCCP_CALL, sccp_u32(m, SCCP_CALL));
	sccp_send(c, p, SIDE_CORE, o);
}

/* Keys inside, should there be any, never go outside nor the other way. */
static void take_key(const struct sccp_msg *m, struct flow_key *ret)
{
	*ret = (struct flow_key){.suite = SUITE_NONE};
	if (sccp_key_len(m) > 0 &&
	    sccp_key_parse(
		    slice_sub(m->bytes, m->at[SCCP_KEY], sccp_key_len(m)),
		    ret) != 0)
		*ret = (struct flow_key){.suite = SUITE_NONE};
}

void sccp_stream_open(struct calls *c, struct sccp_stream *s,
		      const struct sccp_msg *m)
{
	struct flow before[2] = {s->flow[0], s->flow[1]};
	struct sccp_phone *p = s->phone;

	s->is_video = m->id == SCCP_OPEN_MM_RECEIVE;
	s->is_receiving = true;
	s->is_heard = false;
	s->is_borrowed = s->is_learned = s->is_stale = s->has_next = false;
	s->is_fed = false;
	s->open_id = m->id;
	keep(&s->open, &s->open_len, m->bytes);
	take_key(m, &s->flow[SIDE_CORE].in);
	sccp_make_key(c, p, &s->flow[SIDE_CORE].out);
	if (s->is_plain)
		s->flow[SIDE_CORE].out.suite = SUITE_NONE;
	sccp_update(c, s, before);
	sccp_send_open(c, s, m);
	sccp_update_all(c, p);
}

static void on_open(struct calls *c, struct sccp_phone *p,
		    const struct sccp_msg *m)
{
	bool is_video = m->id == SCCP_OPEN_MM_RECEIVE;
	struct sccp_stream *s;

	/* The phone has one channel with this number. */
	s = sccp_stream_find(p, sccp_u32(m, SCCP_PARTY), SCCP_HEARS_GROUP);
	if (s)
		sccp_stream_end(c, s);
	if (sccp_must_refuse(p) || sccp_refuses_barge(p, m) ||
	    (is_video && p->policy.other_media == OTHER_MEDIA_REJECT)) {
		answer_open(c, p, m, STATUS_NO_CHANNEL);
		return;
	}
	s = make_stream(c, p, m);
	if (s)
		sccp_stream_open(c, s, m);
	else
		answer_open(c, p, m, STATUS_NO_CHANNEL);
}

static void on_open_ack(struct calls *c, struct sccp_phone *p,
			const struct sccp_msg *m)
{
	struct sccp_stream *s = find_acked(p, m, false);
	bool is_own = s && s->own_opens > 0;
	bool is_ok = sccp_u32(m, SCCP_STATUS) == 0;
	struct sccp_out *o = c->sccp.out;
	struct addr none = {.family = ADDR_V4};
	struct flow before[2];
	struct addr a;

	if (!s) {
		/* Of a channel that is closed meanwhile. */
		c->sccp.counts.dropped++;
		return;
	}
	before[0] = s->flow[0];
	before[1] = s->flow[1];
	is_ok = is_ok && sccp_addr(m, SCCP_ADDR, SCCP_PORT, &a) == 0;
	if (is_ok) {
		s->flow[SIDE_PHONE].remote = a;
		s->is_heard = true;
	} else if (!is_own) {
		s->is_receiving = false;
	}
	sccp_update(c, s, before);
	if (is_own) {
		if (--s->own_opens == 0)
			sccp_switch(c, s);
		sccp_update_all(c, p);
		return;
	}
	if (s->group != SCCP_NO_GROUP) {
		sccp_group_answer(c, s, sccp_u32(m, SCCP_STATUS));
		if (!is_ok)
			sccp_stream_end(c, s);
		sccp_update_all(c, p);
		return;
	}
	sccp_out_copy(o, m);
	if (sccp_out_addr(o, SCCP_ADDR, SCCP_PORT,
			  is_ok ? &s->flow[SIDE_CORE].local : &none) != 0) {
		sccp_out_wipe(o);
		answer_open(c, p, m, STATUS_ERROR);
		return;
	}
	sccp_send(c, p, SIDE_CORE, o);
	sccp_update_all(c, p);
}

static void stop_or_close(struct calls *c, struct sccp_phone *p,
			  const struct sccp_msg *m)
{
	struct sccp_stream *s = find_stream(p, sccp_u32(m, SCCP_PARTY));
	bool is_close =
		m->id == SCCP_CLOSE_RECEIVE || m->id == SCCP_CLOSE_MM_RECEIVE;
	struct flow before[2];

	sccp_pass(c, p, SIDE_PHONE, m);
	if (!s)
		return;
	if (!is_close)
		sccp_leave_far(c, s);
	before[0] = s->flow[0];
	before[1] = s->flow[1];
	if (is_close) {
		s->is_receiving = s->is_heard = false;
		s->is_borrowed = s->is_learned = s->has_next = false;
		s->own_opens = 0;
		s->flow[SIDE_CORE].out.suite = SUITE_NONE;
	} else {
		s->is_sending = false;
		s->is_plain = false;
		s->flow[SIDE_CORE].remote = (struct addr){.family = ADDR_NONE};
		s->flow[SIDE_PHONE].in.suite = SUITE_NONE;
	}
	if (s->is_receiving || s->is_sending) {
		sccp_update(c, s, before);
	} else {
		flow_wipe(&before[0]);
		flow_wipe(&before[1]);
		sccp_stream_end(c, s);
	}
	sccp_update_all(c, p);
}

/* ---- sending -------------------------------------------------------------------------- */

void sccp_stream_start(struct calls *c, struct sccp_stream *s,
		       const struct sccp_msg *m, const struct addr *a)
{
	struct flow before[2];

	if (s->is_sending)
		sccp_leave_far(c, s);
	before[0] = s->flow[0];
	before[1] = s->flow[1];
	s->is_video = m->id == SCCP_START_MM_TRANSMISSION;
	s->is_sending = true;
	s->is_refused = false;
	s->flow[SIDE_CORE].remote = *a;
	keep(&s->start, &s->start_len, m->bytes);
	take_key(m, &s->flow[SIDE_PHONE].out);
	sccp_follow_far(c, s);
	sccp_sending_key(c, s, &s->flow[SIDE_PHONE].in);
	sccp_update(c, s, before);
	if (!sccp_keep_out(c, s))
		sccp_send_start(c, s, m);
	sccp_update_all(c, s->phone);
}

static void on_start(struct calls *c, struct sccp_phone *p,
		     const struct sccp_msg *m)
{
	bool is_video = m->id == SCCP_START_MM_TRANSMISSION;
	struct sccp_stream *s = NULL;
	struct addr a;

	/* Nothing tells the call manager that a phone cannot send but silence;
	 * the channel to receive was refused before. */
	if (!sccp_must_refuse(p) &&
	    !(is_video && p->policy.other_media == OTHER_MEDIA_REJECT) &&
	    sccp_addr(m, SCCP_ADDR, SCCP_PORT, &a) == 0)
		s = make_stream(c, p, m);
	if (s)
		sccp_stream_start(c, s, m, &a);
	else
		c->sccp.counts.dropped++;
}

static void on_start_ack(struct calls *c, struct sccp_phone *p,
			 const struct sccp_msg *m)
{
	struct sccp_stream *s = find_acked(p, m, true);
	struct sccp_out *o = c->sccp.out;
	struct addr a = {.family = ADDR_V4};

	/* The call manager awaits none for a group. */
	if (s && s->group != SCCP_NO_GROUP)
		return;
	sccp_out_copy(o, m);
	if (s && sccp_u32(m, SCCP_STATUS) == 0)
		a = s->flow[SIDE_CORE].local;
	if (sccp_out_addr(o, SCCP_ADDR, SCCP_PORT, &a) != 0) {
		sccp_out_wipe(o);
		c->sccp.counts.dropped++;
		return;
	}
	sccp_send(c, p, SIDE_CORE, o);
}

static void on_failure(struct calls *c, struct sccp_phone *p,
		       const struct sccp_msg *m)
{
	struct sccp_stream *s = find_stream(p, sccp_u32(m, SCCP_PARTY));
	struct sccp_out *o = c->sccp.out;

	if (!s || s->flow[SIDE_CORE].remote.family == ADDR_NONE) {
		c->sccp.counts.dropped++;
		return;
	}
	sccp_out_copy(o, m);
	if (sccp_out_addr(o, SCCP_ADDR, SCCP_PORT,
			  &s->flow[SIDE_CORE].remote) == 0)
		sccp_send(c, p, SIDE_CORE, o);
	else
		sccp_out_wipe(o);
}

/* ---- ports that are asked for first ------------------------------------------------------ */

static void on_port_res(struct calls *c, struct sccp_phone *p,
			const struct sccp_msg *m)
{
	struct sccp_stream *s = make_stream(c, p, m);
	struct sccp_out *o = c->sccp.out;
	struct flow before[2];
	struct addr a;

	if (!s || sccp_addr(m, SCCP_ADDR, SCCP_PORT, &a) != 0) {
		c->sccp.counts.dropped++;
		return;
	}
	before[0] = s->flow[0];
	before[1] = s->flow[1];
	if (a.port != 0)
		s->flow[SIDE_PHONE].remote = a;
	sccp_update(c, s, before);
	sccp_out_copy(o, m);
	if (sccp_out_addr(o, SCCP_ADDR, SCCP_PORT, &s->flow[SIDE_CORE].local) !=
	    0) {
		sccp_out_wipe(o);
		return;
	}
	sccp_out_u32(o, SCCP_RTCP_PORT, s->flow[SIDE_CORE].local.port + 1u);
	sccp_send(c, p, SIDE_CORE, o);
}

static void on_port_close(struct calls *c, struct sccp_phone *p,
			  const struct sccp_msg *m)
{
	struct sccp_stream *s = find_stream(p, sccp_u32(m, SCCP_PARTY));

	sccp_pass(c, p, SIDE_PHONE, m);
	if (s && !s->is_receiving && !s->is_sending)
		sccp_stream_end(c, s);
}

/* ---- dispatch ------------------------------------------------------------------------------ */

static const struct {
	uint32_t id;
	enum side from;
	void (*run)(struct calls *c, struct sccp_phone *p,
		    const struct sccp_msg *m);
} handlers[] = {
	{SCCP_OPEN_RECEIVE, SIDE_CORE, on_open},
	{SCCP_OPEN_MM_RECEIVE, SIDE_CORE, on_open},
	{SCCP_CLOSE_RECEIVE, SIDE_CORE, stop_or_close},
	{SCCP_CLOSE_MM_RECEIVE, SIDE_CORE, stop_or_close},
	{SCCP_START_TRANSMISSION, SIDE_CORE, on_start},
	{SCCP_START_MM_TRANSMISSION, SIDE_CORE, on_start},
	{SCCP_STOP_TRANSMISSION, SIDE_CORE, stop_or_close},
	{SCCP_STOP_MM_TRANSMISSION, SIDE_CORE, stop_or_close},
	{SCCP_PORT_REQ, SIDE_CORE, NULL}, /* passes */
	{SCCP_PORT_CLOSE, SIDE_CORE, on_port_close},
	{SCCP_START_MC_RECEPTION, SIDE_CORE, sccp_group_start},
	{SCCP_START_MC_TRANSMISSION, SIDE_CORE, sccp_group_start},
	{SCCP_STOP_MC_RECEPTION, SIDE_CORE, sccp_group_stop},
	{SCCP_STOP_MC_TRANSMISSION, SIDE_CORE, sccp_group_stop},
	{SCCP_MULTICAST_RECEPTION_ACK, SIDE_PHONE, sccp_group_ack},
	{SCCP_OPEN_RECEIVE_ACK, SIDE_PHONE, on_open_ack},
	{SCCP_OPEN_MM_RECEIVE_ACK, SIDE_PHONE, on_open_ack},
	{SCCP_START_TRANSMISSION_ACK, SIDE_PHONE, on_start_ack},
	{SCCP_START_MM_TRANSMISSION_ACK, SIDE_PHONE, on_start_ack},
	{SCCP_TRANSMISSION_FAILURE, SIDE_PHONE, on_failure},
	{SCCP_PORT_RES, SIDE_PHONE, on_port_res},
};

/* The call that m is about, where only its stream says so, too. */
static uint32_t ref_of(const struct sccp_phone *p, const struct sccp_msg *m)
{
	const struct sccp_stream *s;

	if (sccp_u32(m, SCCP_CALL) != 0)
		return sccp_u32(m, SCCP_CALL);
	s = find_stream(p, sccp_u32(m, SCCP_PARTY));
	return s ? s->call : sccp_u32(m, SCCP_CONF);
}

static bool run(struct calls *c, struct sccp_phone *p, enum side from,
		const struct sccp_msg *m)
{
	if (!m->row || !m->row->is_media)
		return false;
	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++) {
		if (handlers[i].id != m->id || handlers[i].from != from)
			continue;
		if (!handlers[i].run)
			return false;
		sccp_note(c, p, ref_of(p, m),
			  &(struct history_item){.what = HISTORY_SKINNY,
						 .side = from,
						 .text = m->row->name});
		handlers[i].run(c, p, m);
		return true;
	}
	/* An address that nobody here can stand for. */
	c->sccp.counts.dropped++;
	return true;
}

bool sccp_media_from_core(struct calls *c, struct sccp_phone *p,
			  const struct sccp_msg *m)
{
	return run(c, p, SIDE_CORE, m);
}

bool sccp_media_from_phone(struct calls *c, struct sccp_phone *p,
			   const struct sccp_msg *m)
{
	return run(c, p, SIDE_PHONE, m);
}

void sccp_media_end(struct calls *c, struct sccp_phone *p)
{
	while (!list_empty(&p->streams)) {
		struct sccp_stream *s = sccp_stream_at(p->streams.next);

		sccp_leave_far(c, s);
		sccp_stream_end(c, s);
	}
}

void sccp_media_free(struct calls *c, struct sccp_phone *p)
{
	while (!list_empty(&p->streams))
		stream_free(c, sccp_stream_at(p->streams.next));
}

/* ---- what the media process tells -------------------------------------------------------- */

static struct sccp_stream *stream_of_flow(const struct sccp_phone *p,
					  uint64_t flow)
{
	struct list *l;

	list_for_each(l, &p->streams)
		if (sccp_stream_at(l)->flow[0].id == flow ||
		    sccp_stream_at(l)->flow[1].id == flow)
			return sccp_stream_at(l);
	return NULL;
}

/* The relay has no room: the call manager hears that the channel failed. */
static void failed(struct calls *c, struct sccp_stream *s)
{
	struct sccp_phone *p = s->phone;
	struct sccp_msg m;

	if (s->group == SCCP_HEARS_GROUP && !s->is_heard)
		sccp_group_answer(c, s, STATUS_NO_CHANNEL);
	else if (s->is_receiving && !s->is_heard &&
		 sccp_reparse(s->open, s->open_len, &m))
		answer_open(c, p, &m, STATUS_NO_CHANNEL);
	if (s->is_receiving)
		sccp_send_end(c, s,
			      s->is_video ? SCCP_CLOSE_MM_RECEIVE
					  : SCCP_CLOSE_RECEIVE);
	if (s->is_sending)
		sccp_send_end(c, s,
			      s->is_video ? SCCP_STOP_MM_TRANSMISSION
					  : SCCP_STOP_TRANSMISSION);
	sccp_stream_end(c, s);
	sccp_update_all(c, p);
}

void sccp_flow_event(struct calls *c, struct sccp_phone *p,
		     const struct event *ev)
{
	struct sccp_stream *s = stream_of_flow(p, ev->flow.flow);

	if (!s)
		return;
	c->cookie = handle_u64(p->obj.self);
	if (ev->kind == EVENT_FLOW_FAILED)
		failed(c, s);
	else if (ev->kind == EVENT_FLOW_JOINED)
		sccp_set_far(c, s, &ev->flow);
	else if (ev->kind == EVENT_FLOW_PARTED)
		sccp_set_far(c, s, NULL);
	if (p->is_kept &&
	    (ev->kind == EVENT_FLOW_IDLE || ev->kind == EVENT_FLOW_ACTIVE ||
	     ev->kind == EVENT_FLOW_FAILED))
		sccp_kept_event(c, p, ev);
}
