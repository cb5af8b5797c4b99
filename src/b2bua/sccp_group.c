/*
 * Multicast: music on hold and announcements that many phones hear at once. The
 * messages have no room for keys and name a group that is inside. So the relay
 * hears the group, and the phone is told of a stream of its own, with the
 * messages that do have room: StartMulticastMediaReception becomes an
 * OpenReceiveChannel, whose acknowledgement becomes the one that the call
 * manager awaits, and StartMulticastMediaTransmission a
 * StartMediaTransmission. Where the policy says so, the phone is told of the
 * group as it was said instead, and hears it in the clear as long as the
 * network brings it there.
 */
#include "b2bua/sccp.h"

#include "base/alloc.h"
#include "rewrite/sccp_out.h"

enum { STATUS_ERROR = 1 };

static void answer(struct calls *c, struct sccp_phone *p, uint32_t version,
		   uint32_t party, const uint32_t call_status[2])
{
	enum { ACK_LEN = 24 };
	struct sccp_out *o = c->sccp.out;

	sccp_out_make(o, SCCP_MULTICAST_RECEPTION_ACK, version, ACK_LEN);
	sccp_out_u32(o, SCCP_STATUS, call_status[1]);
	sccp_out_u32(o, SCCP_PARTY, party);
	sccp_out_u32(o, SCCP_CALL, call_status[0]);
	sccp_send(c, p, SIDE_CORE, o);
}

static void refuse(struct calls *c, struct sccp_phone *p,
		   const struct sccp_msg *m)
{
	c->sccp.counts.dropped++;
	if (m->id == SCCP_START_MC_RECEPTION)
		answer(c, p, m->version, sccp_u32(m, SCCP_PARTY),
		       (uint32_t[]){sccp_u32(m, SCCP_CALL), STATUS_ERROR});
}

void sccp_group_answer(struct calls *c, const struct sccp_stream *s,
		       uint32_t status)
{
	answer(c, s->phone, s->phone->header, s->party,
	       (uint32_t[]){s->call, status});
}

/* ---- relayed ---------------------------------------------------------------- */

static enum sccp_multicast kind_of(const struct sccp_msg *m)
{
	return m->id == SCCP_START_MC_RECEPTION ||
			       m->id == SCCP_STOP_MC_RECEPTION
		       ? SCCP_HEARS_GROUP
		       : SCCP_SENDS_GROUP;
}

/* m in unicast, a copy to be freed; NULL: no memory. */
static uint8_t *unicast(struct calls *c, const struct sccp_phone *p,
			const struct sccp_msg *m, struct sccp_msg *ret)
{
	enum { FULL_KEYS = 10 }; /* from this protocol version on */
	struct sccp_out *o = c->sccp.out;
	struct slice bytes;
	uint8_t *copy;

	sccp_out_unicast(o, m, p->version < FULL_KEYS);
	bytes = sccp_out_bytes(o);
	copy = alloc_copy(bytes);
	if (copy && !sccp_reparse(copy, bytes.len, ret))
		copy = alloc_free(copy);
	return copy;
}

/* Does a channel of the call manager's own have the number of m? */
static bool is_taken(const struct sccp_phone *p, const struct sccp_msg *m)
{
	const struct sccp_stream *s =
		sccp_stream_find(p, sccp_u32(m, SCCP_PARTY), SCCP_NO_GROUP);

	return s && (kind_of(m) == SCCP_HEARS_GROUP ? s->is_receiving
						    : s->is_sending);
}

static struct sccp_stream *make_stream(struct calls *c, struct sccp_phone *p,
				       const struct sccp_msg *m,
				       const struct addr *group)
{
	enum sccp_multicast kind = kind_of(m);
	uint32_t party = sccp_u32(m, SCCP_PARTY);
	struct sccp_stream *s = sccp_stream_find(p, party, kind);

	/* A membership is for as long as the flow. */
	if (s && kind == SCCP_HEARS_GROUP)
		sccp_stream_end(c, s);
	return sccp_stream_make(c, p, m, kind,
				kind == SCCP_HEARS_GROUP ? group : NULL);
}

/* May p have m's group relayed? Its ports have room for RTCP. */
static bool may_relay(const struct calls *c, const struct sccp_phone *p,
		      const struct sccp_msg *m, struct addr *ret_group)
{
	return !sccp_must_refuse(p) && !is_taken(p, m) &&
	       sccp_addr(m, SCCP_ADDR, SCCP_PORT, ret_group) == 0 &&
	       addr_is_multicast(ret_group) && ret_group->port != 0 &&
	       ret_group->port != UINT16_MAX &&
	       ret_group->family == c->p.media_inside.family;
}

static void relay(struct calls *c, struct sccp_phone *p,
		  const struct sccp_msg *m)
{
	struct sccp_stream *s = NULL;
	uint8_t *bytes = NULL;
	struct sccp_msg as;
	struct addr group;

	if (may_relay(c, p, m, &group))
		bytes = unicast(c, p, m, &as);
	if (bytes)
		s = make_stream(c, p, m, &group);
	if (!s)
		refuse(c, p, m);
	else if (kind_of(m) == SCCP_HEARS_GROUP)
		sccp_stream_open(c, s, &as);
	else
		sccp_stream_start(c, s, &as, &group);
	alloc_free(bytes);
}

static void relay_end(struct calls *c, struct sccp_phone *p,
		      struct sccp_stream *s)
{
	sccp_send_end(c, s,
		      s->group == SCCP_HEARS_GROUP ? SCCP_CLOSE_RECEIVE
						   : SCCP_STOP_TRANSMISSION);
	sccp_stream_end(c, s);
	sccp_update_all(c, p);
}

/* ---- in the clear ----------------------------------------------------------- */

static struct sccp_group *find(struct sccp_phone *p, const struct sccp_msg *m)
{
	for (size_t i = 0; i < SCCP_GROUPS_MAX; i++)
		if (p->group[i].is_on &&
		    p->group[i].party == sccp_u32(m, SCCP_PARTY))
			return &p->group[i];
	return NULL;
}

static struct sccp_group *find_free(struct sccp_phone *p)
{
	for (size_t i = 0; i < SCCP_GROUPS_MAX; i++)
		if (!p->group[i].is_on)
			return &p->group[i];
	return NULL;
}

static void pass(struct calls *c, struct sccp_phone *p,
		 const struct sccp_msg *m)
{
	struct sccp_group *g = find(p, m);

	if (!g)
		g = find_free(p);
	if (p->policy.media == MEDIA_SRTP_REQUIRE || !g) {
		refuse(c, p, m);
		return;
	}
	*g = (struct sccp_group){.is_on = true,
				 .party = sccp_u32(m, SCCP_PARTY),
				 .call = sccp_u32(m, SCCP_CALL)};
	if (g->call == 0)
		g->call = sccp_u32(m, SCCP_CONF);
	sccp_pass(c, p, SIDE_PHONE, m);
	sccp_update_all(c, p);
}

/* ---- messages --------------------------------------------------------------- */

void sccp_group_start(struct calls *c, struct sccp_phone *p,
		      const struct sccp_msg *m)
{
	switch (p->policy.multicast) {
	case MULTICAST_RELAY:
		relay(c, p, m);
		return;
	case MULTICAST_CLEAR:
		pass(c, p, m);
		return;
	case MULTICAST_NO:
		break;
	}
	refuse(c, p, m);
}

void sccp_group_stop(struct calls *c, struct sccp_phone *p,
		     const struct sccp_msg *m)
{
	struct sccp_stream *s =
		sccp_stream_find(p, sccp_u32(m, SCCP_PARTY), kind_of(m));
	struct sccp_group *g = find(p, m);

	if (s) {
		relay_end(c, p, s);
		return;
	}
	if (!g) {
		c->sccp.counts.dropped++;
		return;
	}
	g->is_on = false;
	sccp_pass(c, p, SIDE_PHONE, m);
	sccp_update_all(c, p);
}

void sccp_group_ack(struct calls *c, struct sccp_phone *p,
		    const struct sccp_msg *m)
{
	struct sccp_group *g = find(p, m);

	if (!g) {
		c->sccp.counts.dropped++;
		return;
	}
	if (sccp_u32(m, SCCP_STATUS) != 0)
		g->is_on = false;
	sccp_pass(c, p, SIDE_CORE, m);
	sccp_update_all(c, p);
}

bool sccp_hears_group(const struct sccp_phone *p, uint32_t ref)
{
	for (size_t i = 0; i < SCCP_GROUPS_MAX; i++)
		if (p->group[i].is_on && (ref == 0 || p->group[i].call == ref))
			return true;
	return false;
}

void sccp_group_call_end(struct sccp_phone *p, uint32_t ref)
{
	for (size_t i = 0; i < SCCP_GROUPS_MAX; i++)
		if (p->group[i].call == ref)
			p->group[i].is_on = false;
}
