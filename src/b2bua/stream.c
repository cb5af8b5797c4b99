/*
 * One relayed stream of a call: its ports, its two flows, and what becomes of
 * them when somebody says something new.
 */
#include "b2bua/machine.h"

#include "base/secret.h"

const struct addr *stream_addr(const struct calls *c, enum side side)
{
	return side == SIDE_PHONE ? &c->p.media_outside : &c->p.media_inside;
}

struct stream *stream_of(struct media *m, size_t line)
{
	return m->line[line] > 0 ? &m->stream[m->line[line] - 1] : NULL;
}

/* The place of a line's stream, a free one for a new line; NULL when the
 * call has as many streams as we relay. */
struct stream *stream_make(struct media *m, size_t line)
{
	struct stream *s = stream_of(m, line);

	if (s)
		return s;
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		if (m->stream[i].is_used)
			continue;
		m->line[line] = (uint8_t)(i + 1);
		m->stream[i].is_used = true;
		return &m->stream[i];
	}
	return NULL;
}

static uint64_t *owner_of(const struct calls *c, uint16_t port)
{
	return &c->port_owner[(port - c->p.inside_port_min) / 2];
}

void stream_set_codec(struct stream *s, struct slice codec)
{
	codec = slice_sub(codec, 0, sizeof(s->codec) - 1);
	memcpy(s->codec, codec.ptr ? codec.ptr : (const uint8_t *)"",
	       codec.len);
	s->codec[codec.len] = '\0';
}

void party_read(struct party *p, const struct sdp_media *m)
{
	*p = (struct party){.is_on = m->port != 0,
			    .sends = sdp_sends_media(m),
			    .wants = sdp_wants_media(m)};
	if (m->port == 0 || addr_is_any(&m->addr))
		return;
	p->rtp = m->addr;
	p->is_muxed = m->has_rtcp_mux;
	if (m->has_rtcp && !p->is_muxed && !addr_is_any(&m->rtcp))
		p->rtcp = m->rtcp;
}

static void flow_make(const struct calls *c, struct flow *f,
		      const struct party *from, const struct party *to,
		      bool is_open)
{
	f->remote = from->rtp;
	f->remote_rtcp = from->rtcp;
	f->is_muxed = from->is_muxed;
	f->is_blocked = !is_open || !from->sends || !to->wants;
	f->idle_ms = f->is_blocked ? 0 : c->p.media_idle_ms;
	f->in = (struct flow_key){.suite = SUITE_NONE};
	f->out = (struct flow_key){.suite = SUITE_NONE};
}

/*
 * Both flows as offer and answer have them. While the answer is missing they
 * are closed: a phone must not be heard in the clear because its keys are
 * not known yet.
 */
static void flows_make(const struct calls *c, const struct call *call,
		       struct stream *s, bool is_open)
{
	struct flow *out = &s->flow[SIDE_PHONE];
	struct flow *in = &s->flow[SIDE_CORE];

	flow_make(c, out, &s->next[SIDE_PHONE], &s->next[SIDE_CORE], is_open);
	flow_make(c, in, &s->next[SIDE_CORE], &s->next[SIDE_PHONE], is_open);
	out->latch = call->policy.nat ? FLOW_LATCH_NAT : FLOW_LATCH_RESTRICTED;
	in->latch = FLOW_LATCH_OFF;
	out->is_raw = in->is_raw = s->is_raw;
	in->is_borrowed = s->is_borrowed;
	in->security = (uint8_t)security_own(call);
	if (s->decided.kind == ANSWER_SRTP) {
		out->in = s->decided.peer.key;
		in->out = s->decided.own.key;
	}
}

int stream_ports_take(struct calls *c, uint64_t cookie, uint16_t port[2])
{
	int err =
		ports_take(c->ports[SIDE_PHONE], c->now_ms, &port[SIDE_PHONE]);

	if (err)
		return err;
	err = ports_take(c->ports[SIDE_CORE], c->now_ms, &port[SIDE_CORE]);
	if (err) {
		(void)ports_give(c->ports[SIDE_PHONE], c->now_ms,
				 port[SIDE_PHONE]);
		return err;
	}
	*owner_of(c, port[SIDE_CORE]) = cookie;
	return 0;
}

int stream_ports_claim(struct calls *c, uint64_t cookie, const uint16_t port[2],
		       struct flow flow[2])
{
	int err;

	if (port[SIDE_CORE] < c->p.inside_port_min ||
	    port[SIDE_CORE] > c->p.inside_port_max)
		return ERR_NOTFOUND;
	err = ports_claim(c->ports[SIDE_PHONE], port[SIDE_PHONE]);
	if (err)
		return err;
	err = ports_claim(c->ports[SIDE_CORE], port[SIDE_CORE]);
	if (err) {
		(void)ports_give(c->ports[SIDE_PHONE], 0, port[SIDE_PHONE]);
		return err;
	}
	*owner_of(c, port[SIDE_CORE]) = cookie;
	for (int side = 0; side < 2; side++) {
		flow[side].call = cookie;
		if (flow[side].id > c->next_flow)
			c->next_flow = flow[side].id;
	}
	return 0;
}

void stream_ports_give(struct calls *c, const uint16_t port[2])
{
	for (int side = 0; side < 2; side++)
		(void)ports_give(c->ports[side], c->now_ms, port[side]);
	*owner_of(c, port[SIDE_CORE]) = 0;
}

uint64_t stream_port_owner(const struct calls *c, const struct addr *a)
{
	if (!addr_ip_eq(a, &c->p.media_inside) ||
	    a->port < c->p.inside_port_min || a->port > c->p.inside_port_max)
		return 0;
	return *owner_of(c, a->port);
}

/* Ports and flows of a stream that has none yet. */
int stream_open(struct calls *c, struct call *call, struct stream *s)
{
	uint64_t cookie = handle_u64(call->obj.self);
	struct action a = {.kind = ACTION_FLOW_ADD, .call = cookie};
	int err;

	if (s->has_flows)
		return 0;
	err = stream_ports_take(c, cookie, s->port);
	if (err)
		return err;
	for (int side = 0; side < 2; side++) {
		s->flow[side] = (struct flow){
			.id = ++c->next_flow,
			.call = cookie,
			.local = addr_with_port(stream_addr(c, (enum side)side),
						s->port[side]),
		};
	}
	s->flow[SIDE_PHONE].peer_id = s->flow[SIDE_CORE].id;
	s->flow[SIDE_CORE].peer_id = s->flow[SIDE_PHONE].id;
	flows_make(c, call, s, false);
	s->has_flows = true;
	s->is_new = true;
	a.flow[0] = s->flow[SIDE_PHONE];
	a.flow[1] = s->flow[SIDE_CORE];
	calls_emit(c, &a);
	flow_wipe(&a.flow[0]);
	flow_wipe(&a.flow[1]);
	return 0;
}

void stream_wipe(struct stream *s)
{
	answer_wipe(&s->decided);
	answer_offer_wipe(&s->theirs);
	answer_offer_wipe(&s->offer);
	s->theirs.count = 0;
	s->offer.count = 0;
	s->offer_borrowed = 0;
	s->is_borrowed = false;
	s->is_told = false;
	s->offers_mux = false;
	s->decided.kind = ANSWER_OFF;
	s->decided.reason = NULL;
	s->is_offered = false;
	s->is_new = false;
}

void stream_close(struct calls *c, struct stream *s)
{
	struct action a = {.kind = ACTION_FLOW_DEL};

	stream_wipe(s);
	s->is_agreed = false;
	s->is_srtp = false;
	if (!s->has_flows)
		return;
	for (int side = 0; side < 2; side++) {
		a.call = s->flow[side].call;
		a.flow[0].id = s->flow[side].id;
		calls_emit(c, &a);
		flow_wipe(&s->flow[side]);
	}
	stream_ports_give(c, s->port);
	s->has_flows = false;
	s->is_idle[0] = s->is_idle[1] = s->is_rolled = false;
	secret_wipe(&s->far, sizeof(s->far));
}

/* Compared as they cross the process border: no padding, nothing forgotten. */
bool stream_flow_eq(const struct flow *a, const struct flow *b)
{
	uint8_t buf[2][FLOW_BYTES_MAX];
	struct writer w[2];
	bool is_eq;

	writer_init(&w[0], buf[0], sizeof(buf[0]));
	writer_init(&w[1], buf[1], sizeof(buf[1]));
	flow_write(&w[0], a);
	flow_write(&w[1], b);
	is_eq = slice_eq(writer_slice(&w[0]), writer_slice(&w[1]));
	secret_wipe(buf, sizeof(buf));
	return is_eq;
}

void stream_update(struct calls *c, struct call *call, struct stream *s)
{
	struct flow old[2] = {s->flow[0], s->flow[1]};
	struct action a = {.kind = ACTION_FLOW_UPDATE,
			   .call = handle_u64(call->obj.self)};

	flows_make(c, call, s, true);
	if (!flow_key_eq(&old[SIDE_PHONE].in, &s->flow[SIDE_PHONE].in))
		s->is_rolled = false;
	for (int side = 0; side < 2; side++) {
		if (!stream_flow_eq(&old[side], &s->flow[side])) {
			s->is_idle[side] = false;
			a.flow[0] = s->flow[side];
			calls_emit(c, &a);
		}
		flow_wipe(&old[side]);
	}
	flow_wipe(&a.flow[0]);
}
