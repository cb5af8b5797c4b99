/*
 * Rules about Skinny messages by their ids: let pass, drop, log, so many a second.
 * The first that names a message counts.
 */
#include "b2bua/sccp.h"

#include "base/alloc.h"

/* Is p still within the rate of rule i? Without memory it is. */
static bool is_within(struct calls *c, struct sccp_phone *p, uint32_t i)
{
	const struct sccp_params *s = &c->p.sccp;

	if (!p->rates) {
		p->rates = alloc_array(s->rule_count, sizeof(*p->rates));
		for (uint32_t k = 0; p->rates && k < s->rule_count; k++)
			bucket_init(&p->rates[k], s->rule[k].rate,
				    s->rule[k].rate ? s->rule[k].rate : 1,
				    c->now_ms);
	}
	return !p->rates || bucket_take(&p->rates[i], c->now_ms);
}

bool sccp_may_pass(struct calls *c, struct sccp_phone *p, enum side from,
		   const struct sccp_msg *m)
{
	uint32_t i = 0;

	while (i < c->p.sccp.rule_count && (m->id < c->p.sccp.rule[i].first ||
					    m->id > c->p.sccp.rule[i].last))
		i++;
	if (i == c->p.sccp.rule_count)
		return true;
	switch (c->p.sccp.rule[i].verdict) {
	case SCCP_ALLOW:
		return true;
	case SCCP_LOG:
		record_sccp_message(c, p, from, m);
		return true;
	case SCCP_RATE:
		if (is_within(c, p, i))
			return true;
		break;
	case SCCP_DROP:
		break;
	}
	c->sccp.counts.dropped++;
	return false;
}
