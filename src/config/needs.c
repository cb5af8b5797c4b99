/*
 * What the limits of a configuration need from the system, and whether it is
 * there: descriptors of a process, relay ports, memory. What is short is a
 * warning: the daemon runs, and refuses what it has no room for.
 */
#include "config/build.h"

enum {
	FDS_OF_CALL = 4, /* RTP and RTCP on two sides */
	FDS_MORE = 128,	 /* lines to other processes, listeners, the loop */
	PORTS_OF_CALL = 2,
	FLOWS_OF_CALL = 2
};

/* Kilobytes over all processes, rounded up from what was measured: a TLS
 * connection with its registration takes 13 to 15 (doc/performance.md); a call
 * has two dialogs, its descriptions, transactions and four SRTP contexts. */
enum {
	KB_OF_CONNECTION = 24,
	KB_OF_CALL = 48,
	KB_OF_TRANSACTION = 4,
	KB_OF_SUBSCRIPTION = 4,
	KB_MORE = 65536
};

static void warn(struct config_report *rep, const char *what, uint64_t wanted,
		 const char *of, uint64_t there)
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_str(&w, what);
	writer_dec(&w, wanted);
	writer_str(&w, of);
	writer_dec(&w, there);
	config_report_add(rep, false, "limits", 0, writer_slice(&w));
}

static uint32_t count_of(const struct config_ports *p)
{
	return p->max - p->min + 1U;
}

static bool has_sccp(const struct config *c)
{
	for (uint32_t i = 0; i < c->listener_count; i++)
		if (c->listener[i].address.is_sccp)
			return true;
	return false;
}

/* A Skinny phone has a connection to a call manager of its own. */
static uint64_t fds_of_worker(const struct config *c)
{
	return (uint64_t)c->limits.connections * (has_sccp(c) ? 2 : 1) +
	       FDS_MORE;
}

static void check_sources(const struct config *c, struct config_report *rep)
{
	for (uint32_t i = 0; has_sccp(c) && i < c->sccp_manager_count; i++) {
		uint32_t n = c->sccp_manager[i].source_count;
		uint64_t ports = (uint64_t)(n ? n : 1) * CONFIG_SOURCE_PORTS;

		if (c->limits.connections > ports) {
			warn(rep, "connections: so many need ports for ",
			     c->limits.connections,
			     " connections to an sccp-manager, and its "
			     "source-addresses have ",
			     ports);
			return;
		}
	}
}

static void check_memory(const struct config *c, uint64_t memory,
			 struct config_report *rep)
{
	const struct config_limits *l = &c->limits;
	uint64_t phones = l->connections > l->registrations ? l->connections
							    : l->registrations;
	uint64_t kb = phones * KB_OF_CONNECTION +
		      (uint64_t)l->calls * KB_OF_CALL +
		      (uint64_t)l->transactions * KB_OF_TRANSACTION +
		      (uint64_t)l->subscriptions * KB_OF_SUBSCRIPTION + KB_MORE;

	if (kb > memory / 1024)
		warn(rep,
		     "connections, calls and others: all of them may need ",
		     (kb + 1023) / 1024, " MiB of memory, and there are ",
		     memory / 1024 / 1024);
}

static void check_flows(const struct config *c, struct config_report *rep)
{
	uint64_t flows = (uint64_t)c->limits.calls * FLOWS_OF_CALL;
	uint64_t looked_after = (uint64_t)CONFIG_WORKER_FLOWS *
				(c->workers > 0 ? c->workers : 1);

	if (flows > looked_after)
		warn(rep, "calls: so many have ", flows,
		     " flows, and the workers can look after ", looked_after);
	if (flows > CONFIG_NOTED_FLOWS)
		warn(rep, "calls: so many have ", flows,
		     " flows, and those that outlive the media process in its "
		     "sockets are ",
		     CONFIG_NOTED_FLOWS);
}

void config_check_needs(const struct config *c, uint64_t descriptors,
			uint64_t memory, struct config_report *rep)
{
	uint64_t worker = fds_of_worker(c);
	uint64_t media = (uint64_t)c->limits.calls * FDS_OF_CALL + FDS_MORE;
	uint64_t ports = (uint64_t)c->limits.calls * PORTS_OF_CALL;
	uint32_t out = count_of(&c->media.outside_ports);
	uint32_t in = count_of(&c->media.inside_ports);
	uint32_t least = out < in ? out : in;

	if (worker > descriptors)
		warn(rep, "connections: so many may need ", worker,
		     " descriptors in one worker, and a process may have ",
		     descriptors);
	if (media > descriptors)
		warn(rep, "calls: so many need ", media,
		     " descriptors in the media process, and a process may "
		     "have ",
		     descriptors);
	if (ports > least)
		warn(rep, "calls: so many need ", ports,
		     " relay ports on each side, and media: ports has ", least);
	check_flows(c, rep);
	check_sources(c, rep);
	check_memory(c, memory, rep);
}
