/*
 * What each worker has of the configuration's addresses and ports, and whether
 * there is enough of it.
 */
#include "config/build.h"

struct addr config_local_address(const struct config_call_manager *m,
				 uint32_t worker)
{
	uint32_t at = worker == m->first_worker ? 0
		      : worker == 0		? m->first_worker
						: worker;

	return addr_with_port(&m->local_address,
			      (uint16_t)(m->local_address.port + at));
}

struct config_ports config_worker_ports(const struct config_ports *all,
					uint32_t worker, uint32_t count)
{
	uint32_t pairs = (all->max - all->min + 1U) / 2 / count;
	uint32_t min = all->min + worker * pairs * 2;

	return (struct config_ports){.min = (uint16_t)min,
				     .max = (uint16_t)(min + pairs * 2 - 1)};
}

/* ---- whose trunks are ---------------------------------------------------------- */

/* Number of a worker, the same whenever it is asked: FNV-1a over the name. */
static uint32_t worker_of(const char *name, uint32_t workers)
{
	uint32_t h = 2166136261U;

	for (const char *p = name; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619U;
	return (h ^ h >> 16) % workers;
}

/* Does its source tell that a message is t's? */
static bool knows_sources(const struct config_trunk *t)
{
	for (uint32_t i = 0; i < t->peer_count; i++)
		if (t->peer[i].remote.addr.family == ADDR_NONE)
			return false;
	return t->identify != CONFIG_IDENTIFY_CERTIFICATE &&
	       t->source_count > 0;
}

/* A listener for datagrams of phones, too, among these; NULL: none. */
static const struct config_listener *shared_udp(const struct config *c,
						uint64_t bits)
{
	for (uint32_t i = 0; i < c->listener_count; i++)
		if ((bits >> i & 1) && c->listener[i].serves == CONFIG_BOTH &&
		    c->listener[i].address.transport == CONFIG_UDP)
			return &c->listener[i];
	return NULL;
}

/* A call manager can name it only at an address that is not its own, which
 * is the first worker's as call managers are told. */
static bool is_named_by_host(const struct config_trunk *t)
{
	return t->direction != CONFIG_DIRECTION_IN && t->own_bits == 0;
}

/* Listeners that have more sources than the kernel's program has room for. */
static uint64_t crowded(const struct config *c)
{
	uint32_t count[CONFIG_LISTENERS_MAX] = {0};
	uint64_t bits = 0;

	for (uint32_t i = 0; i < c->trunk_count; i++)
		for (uint32_t k = 0; k < c->listener_count; k++)
			if (c->trunk[i].listener_bits >> k & 1)
				count[k] += c->trunk[i].source_count;
	for (uint32_t k = 0; k < c->listener_count; k++)
		if (count[k] > CONFIG_STEERED_MAX)
			bits |= 1ULL << k;
	return bits;
}

/* Listeners that a trunk which must be found at any of them joins have one
 * home. group[k]: the listener that stands for k's. */
static void join_listeners(uint32_t *group, uint32_t count, uint64_t bits)
{
	uint32_t first = CONFIG_LISTENERS_MAX;

	for (uint32_t k = 0; k < count; k++) {
		uint32_t was = group[k];

		if (!(bits >> k & 1))
			continue;
		if (first == CONFIG_LISTENERS_MAX)
			first = was;
		for (uint32_t j = 0; j < count; j++)
			if (group[j] == was)
				group[j] = first;
	}
}

static uint32_t home_of(const struct config *c, const uint32_t *group,
			uint64_t bits)
{
	for (uint32_t k = 0; k < c->listener_count; k++)
		if (bits >> k & 1)
			return c->listener[group[k]].home;
	return 0;
}

void config_share(struct config *c, uint32_t workers)
{
	uint64_t full = crowded(c);
	uint64_t first = 0; /* listeners of trunks that are worker 0's */
	uint32_t group[CONFIG_LISTENERS_MAX];

	for (uint32_t k = 0; k < c->listener_count; k++)
		group[k] = k;
	for (uint32_t i = 0; i < c->trunk_count; i++) {
		struct config_trunk *t = &c->trunk[i];

		t->is_steered = knows_sources(t) && !(t->listener_bits & full);
		if (t->is_steered)
			continue;
		join_listeners(group, c->listener_count, t->listener_bits);
		if (is_named_by_host(t))
			first |= t->listener_bits;
	}
	for (uint32_t k = 0; k < c->listener_count; k++)
		c->listener[k].home =
			worker_of(c->listener[group[k]].name, workers);
	for (uint32_t k = 0; k < c->listener_count; k++)
		for (uint32_t j = 0; (first >> k & 1) && j < c->listener_count;
		     j++)
			if (group[j] == group[k])
				c->listener[j].home = 0;
	for (uint32_t i = 0; i < c->trunk_count; i++) {
		struct config_trunk *t = &c->trunk[i];

		t->worker = !t->is_steered ? home_of(c, group, t->listener_bits)
			    : is_named_by_host(t) ? 0
						  : worker_of(t->name, workers);
	}
	for (uint32_t k = 0; k < c->call_manager_count; k++) {
		struct config_call_manager *m = &c->call_manager[k];

		m->first_worker = m->own_trunk < c->trunk_count
					  ? c->trunk[m->own_trunk].worker
					  : 0;
	}
}

/* ---- the same while it runs ------------------------------------------------------ */

/* The one of running that m is, or else one whose socket it shares; NULL. */
static const struct config_call_manager *
find_place(const struct config *running, const struct config_call_manager *m)
{
	const struct config_call_manager *other = NULL;

	for (uint32_t i = 0; i < running->call_manager_count; i++) {
		const struct config_call_manager *r = &running->call_manager[i];

		if (strcmp(m->name, r->name) == 0)
			return r;
		if (addr_eq(&m->local_address, &r->local_address))
			other = r;
	}
	return other;
}

/* What is bound stays bound, and belongs to whom it did. */
static void keep_places(struct config *c, const struct config *running)
{
	for (uint32_t k = 0; k < c->listener_count; k++)
		for (uint32_t i = 0; i < running->listener_count; i++)
			if (strcmp(c->listener[k].name,
				   running->listener[i].name) == 0)
				c->listener[k].home = running->listener[i].home;
	for (uint32_t k = 0; k < c->call_manager_count; k++) {
		struct config_call_manager *m = &c->call_manager[k];
		const struct config_call_manager *was = find_place(running, m);

		if (was)
			m->first_worker = was->first_worker;
	}
}

/* The worker of a trunk that joins: where what it needs is already. */
static uint32_t place_new(const struct config *c, const struct config_trunk *t)
{
	for (uint32_t k = 0; k < c->call_manager_count; k++)
		if (t->own_bits >> k & 1)
			return c->call_manager[k].first_worker;
	for (uint32_t k = 0; !t->is_steered && k < c->listener_count; k++)
		if (t->listener_bits >> k & 1)
			return c->listener[k].home;
	return t->worker;
}

/* Why t cannot be served by its worker without a restart; NULL: it can. */
static const char *misplaced(const struct config *c,
			     const struct config_trunk *t)
{
	for (uint32_t k = 0; !t->is_steered && k < c->listener_count; k++)
		if ((t->listener_bits >> k & 1) &&
		    c->listener[k].home != t->worker)
			return "its sources do not tell whose it is, and its "
			       "listeners belong to another worker";
	for (uint32_t k = 0; k < c->call_manager_count; k++)
		if ((t->own_bits >> k & 1) &&
		    c->call_manager[k].first_worker != t->worker)
			return "the local-address of its own call-manager "
			       "belongs to another worker";
	if (is_named_by_host(t) && t->worker != 0)
		return "told by hosts alone it belongs to the first worker";
	return NULL;
}

static void complain_misplaced(struct config_report *rep,
			       const struct config_trunk *t, const char *why)
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_str(&w, "trunk \"");
	writer_str(&w, t->name);
	writer_str(&w, "\": needs a restart: ");
	writer_str(&w, why);
	config_report_add(rep, true, "workers", 0, writer_slice(&w));
}

/* A transport is that of the sockets. */
static void check_transports(const struct config *c,
			     const struct config *running,
			     struct config_report *rep)
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	for (uint32_t i = 0; i < c->call_manager_count; i++) {
		const struct config_call_manager *m = &c->call_manager[i];

		/* New ones come last. */
		if (i >= running->call_manager_count ||
		    m->address.transport ==
			    running->call_manager[i].address.transport)
			continue;
		writer_init(&w, buf, sizeof(buf));
		writer_str(&w, "call-manager \"");
		writer_str(&w, m->name);
		writer_str(&w, "\": address: another transport needs a "
			       "restart");
		config_report_add(rep, true, "workers", 0, writer_slice(&w));
	}
}

int config_share_on(struct config *c, const struct config *running,
		    uint32_t workers, struct config_report *rep)
{
	uint32_t before = rep->errors;

	check_transports(c, running, rep);
	config_share(c, workers);
	keep_places(c, running);
	for (uint32_t i = 0; i < c->trunk_count; i++) {
		struct config_trunk *t = &c->trunk[i];
		const struct config_trunk *was =
			config_trunk_find(running, slice_str(t->name));
		const char *why;

		t->worker = was ? was->worker : place_new(c, t);
		why = misplaced(c, t);
		if (why)
			complain_misplaced(rep, t, why);
	}
	return rep->errors > before ? ERR_BAD : 0;
}

/* ---- is there enough? ----------------------------------------------------------- */

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

/* A datagram of a trunk whose sources are not known reaches the worker that its
 * address would belong to if it were a phone's. */
static void check_shared(const struct config *c, struct config_report *rep)
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	for (uint32_t i = 0; i < c->trunk_count; i++) {
		const struct config_trunk *t = &c->trunk[i];
		const struct config_listener *l =
			shared_udp(c, t->listener_bits);

		if (!l || knows_sources(t))
			continue;
		writer_init(&w, buf, sizeof(buf));
		writer_str(&w, "trunk \"");
		writer_str(&w, t->name);
		writer_str(&w, "\": comes by udp: at listener \"");
		writer_str(&w, l->name);
		writer_str(&w, "\", serves = both, from addresses that are not "
			       "known before: needs workers = 1, or a listener "
			       "of its own");
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
