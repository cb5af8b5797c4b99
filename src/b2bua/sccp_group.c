/*
 * Multicast: music on hold and announcements that many phones hear at once. The
 * messages have no room for keys and name a group that is inside. So a phone is
 * not told of it, and its call manager hears that it failed; where the policy
 * says so, it is told as it was said, and hears the group in the clear as long
 * as the network brings it there.
 */
#include "b2bua/sccp.h"

#include "rewrite/sccp_out.h"

enum { STATUS_ERROR = 1 };

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

static bool may_hear(const struct sccp_phone *p)
{
	return p->policy.passes_multicast &&
	       p->policy.media != MEDIA_SRTP_REQUIRE;
}

static void refuse(struct calls *c, struct sccp_phone *p,
		   const struct sccp_msg *m)
{
	enum { ACK_LEN = 24 };
	struct sccp_out *o = c->sccp.out;

	c->sccp.counts.dropped++;
	if (m->id != SCCP_START_MC_RECEPTION)
		return;
	sccp_out_make(o, SCCP_MULTICAST_RECEPTION_ACK, m->version, ACK_LEN);
	sccp_out_u32(o, SCCP_STATUS, STATUS_ERROR);
	sccp_out_u32(o, SCCP_PARTY, sccp_u32(m, SCCP_PARTY));
	sccp_out_u32(o, SCCP_CALL, sccp_u32(m, SCCP_CALL));
	sccp_send(c, p, SIDE_CORE, o);
}

void sccp_group_start(struct calls *c, struct sccp_phone *p,
		      const struct sccp_msg *m)
{
	struct sccp_group *g = find(p, m);

	if (!g)
		g = find_free(p);
	if (!may_hear(p) || !g) {
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

void sccp_group_stop(struct calls *c, struct sccp_phone *p,
		     const struct sccp_msg *m)
{
	struct sccp_group *g = find(p, m);

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
