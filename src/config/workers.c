/*
 * What each worker has of the configuration's addresses and ports, and whether
 * there is enough of it.
 */
#include "config/build.h"

struct addr config_local_address(const struct config_call_manager *m,
				 uint32_t worker)
{
	return addr_with_port(&m->local_address,
			      (uint16_t)(m->local_address.port + worker));
}

struct config_ports config_worker_ports(const struct config_ports *all,
					uint32_t worker, uint32_t count)
{
	uint32_t pairs = (all->max - all->min + 1U) / 2 / count;
	uint32_t min = all->min + worker * pairs * 2;

	return (struct config_ports){.min = (uint16_t)min,
				     .max = (uint16_t)(min + pairs * 2 - 1)};
}

/* "call-manager "cm": the port of worker 2, 192.0.2.1:5072, " and why. */
static void complain(struct config_report *rep,
		     const struct config_call_manager *m, uint32_t worker,
		     const char *const part[2])
{
	char buf[CONFIG_WHY_MAX];
	char addr[ADDR_STR_MAX];
	struct addr a = config_local_address(m, worker);
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_str(&w, "call-manager \"");
	writer_str(&w, m->name);
	writer_str(&w, "\": the local address of worker ");
	writer_dec(&w, worker);
	writer_str(&w, ", ");
	writer_str(&w, addr_str(&a, addr));
	for (int i = 0; i < 2; i++)
		writer_str(&w, part[i]);
	writer_str(&w, "; choose another local-address or fewer workers");
	config_report_add(rep, true, "workers", 0, writer_slice(&w));
}

static void check_listeners(const struct config *c,
			    const struct config_call_manager *m,
			    uint32_t worker, struct config_report *rep)
{
	struct config_endpoint own = {.transport = m->address.transport,
				      .addr = config_local_address(m, worker)};

	for (uint32_t i = 0; i < c->listener_count; i++)
		if (config_is_clash(&own, &c->listener[i].address))
			complain(rep, m, worker,
				 (const char *const[2]){" is listener ",
							c->listener[i].name});
}

/* Another worker's towards another manager. Two managers may be given the same
 * local address: then each worker has one port towards both. Of each pair of
 * workers that meet, the one with the higher number is complained about. */
static void check_others(const struct config *c,
			 const struct config_call_manager *m, uint32_t worker,
			 struct config_report *rep)
{
	struct config_endpoint own = {.transport = m->address.transport,
				      .addr = config_local_address(m, worker)};

	for (uint32_t i = 0; i < c->call_manager_count; i++) {
		const struct config_call_manager *o = &c->call_manager[i];
		uint16_t other = o->local_address.port;
		struct config_endpoint theirs = {
			.transport = o->address.transport,
			.addr = addr_with_port(&o->local_address,
					       own.addr.port)};

		if (other != m->local_address.port && own.addr.port >= other &&
		    (uint32_t)(own.addr.port - other) <= worker &&
		    config_is_clash(&own, &theirs))
			complain(rep, m, worker,
				 (const char *const[2]){" is also that of "
							"call-manager ",
							o->name});
	}
}

static void check_manager(const struct config *c,
			  const struct config_call_manager *m, uint32_t workers,
			  struct config_report *rep)
{
	static const char *const none[2] = {" does not exist", ""};
	static const char *const relay[2] = {" is a relay port of media", ""};

	if (m->local_address.port + workers - 1 > UINT16_MAX) {
		complain(rep, m, UINT16_MAX + 1U - m->local_address.port, none);
		return;
	}
	/* Worker 0 has the address as it stands, which was checked. */
	for (uint32_t i = 1; i < workers; i++) {
		struct addr a = config_local_address(m, i);

		check_listeners(c, m, i, rep);
		check_others(c, m, i, rep);
		if (m->address.transport == CONFIG_UDP &&
		    config_is_media_port(&c->media, &a))
			complain(rep, m, i, relay);
	}
}

static bool has_ports(const struct config_ports *all, uint32_t workers)
{
	return (all->max - all->min + 1U) / workers >= CONFIG_WORKER_PORTS;
}

/* A peer's datagrams reach the worker that its address belongs to, but its
 * trunk is the first worker's. */
static void check_shared(const struct config *c, struct config_report *rep)
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	for (uint32_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listener[i];

		if (l->serves != CONFIG_BOTH ||
		    l->address.transport != CONFIG_UDP)
			continue;
		writer_init(&w, buf, sizeof(buf));
		writer_str(&w, "listener \"");
		writer_str(&w, l->name);
		writer_str(&w, "\": serves = both on udp: needs workers = 1; "
			       "give trunks a listener of their own");
		config_report_add(rep, true, "workers", 0, writer_slice(&w));
	}
}

int config_check_workers(const struct config *c, uint32_t workers,
			 struct config_report *rep)
{
	static const struct slice few =
		SLICE("media: ports: too few for so many workers");
	uint32_t before = rep->errors;

	for (uint32_t i = 0; i < c->call_manager_count; i++)
		check_manager(c, &c->call_manager[i], workers, rep);
	if (workers > 1)
		check_shared(c, rep);
	if (!has_ports(&c->media.outside_ports, workers) ||
	    !has_ports(&c->media.inside_ports, workers))
		config_report_add(rep, true, "workers", 0, few);
	return rep->errors > before ? ERR_BAD : 0;
}
