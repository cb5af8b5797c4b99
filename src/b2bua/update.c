/*
 * A new configuration reaches the machine: limits, times and names that count
 * from now on, and what becomes of each binding. Calls go on as they are.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"

int calls_update(struct calls *c, const struct calls_update *u)
{
	char *name = alloc_copy(slice_str(u->server_name));

	if (!name)
		return ERR_NOMEM;
	alloc_free(c->server_name);
	c->server_name = name;
	c->p.server_name = name;
	c->p.call_limit = u->call_limit;
	c->p.binding_limit = u->binding_limit;
	c->p.txn_limit = u->txn_limit;
	c->p.sub_limit = u->sub_limit;
	c->p.sub_device_limit = u->sub_device_limit;
	c->p.sccp.phone_limit = u->sccp_phone_limit;
	c->p.phone_managers =
		u->phone_managers ? u->phone_managers : UINT32_MAX;
	c->p.expires_min_s = u->expires_min_s;
	c->p.expires_max_s = u->expires_max_s;
	c->p.media_idle_ms = u->media_idle_ms;
	c->p.end_to_end = u->end_to_end;
	c->p.show_phone_leg = u->show_phone_leg;
	calls_limit(c);
	sip_txns_limit(c->txns, u->txn_limit);
	ports_cooldown(c->ports[SIDE_PHONE], u->port_cooldown_ms);
	ports_cooldown(c->ports[SIDE_CORE], u->port_cooldown_ms);
	return 0;
}

void binding_update(struct calls *c, const struct event_binding *ev)
{
	struct binding *b = binding_find(c, ev->token);

	if (!b)
		return;
	if (ev->policy) {
		b->policy = *ev->policy;
		b->pass_auth = ev->pass_auth;
		return;
	}
	reg_remove(c, b->line, &b, 1);
	if (b->is_active)
		record_binding(c, RECORD_UNREGISTERED, b, ev->reason);
	binding_free(c, b);
}

bool calls_has_device(const struct calls *c, struct slice device)
{
	return table_find(&c->devices, device) != NULL;
}
