#include "daemon/steer.h"

static void insert(struct steer *s, const struct transport_rule *r)
{
	size_t at = s->count;

	if (s->count == TRANSPORT_RULES_MAX)
		return;
	for (; at > 0 && s->rule[at - 1].bits < r->bits; at--)
		s->rule[at] = s->rule[at - 1];
	s->rule[at] = *r;
	s->count++;
}

static bool has(const struct steer *s, const struct transport_rule *r)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->rule[i].bits == r->bits &&
		    addr_ip_eq(&s->rule[i].net, &r->net))
			return true;
	return false;
}

void steer_fill(struct steer *s, const struct config *c, uint32_t listener,
		const struct steer *before)
{
	s->count = 0;
	for (uint32_t i = 0; i < c->trunk_count; i++) {
		const struct config_trunk *t = &c->trunk[i];

		if (!t->is_steered || !(t->listener_bits >> listener & 1))
			continue;
		for (uint32_t k = 0; k < t->source_count; k++) {
			struct transport_rule r = {
				.net = t->source[k].addr,
				.bits = (uint8_t)t->source[k].bits,
				.to = t->worker};

			insert(s, &r);
		}
	}
	for (size_t i = 0; before && i < before->count; i++)
		if (s->count < TRANSPORT_RULES_MAX && !has(s, &before->rule[i]))
			s->rule[s->count++] = before->rule[i];
}
