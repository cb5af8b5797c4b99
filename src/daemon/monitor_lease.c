/*
 * Limits of the whole daemon: each worker has a lease, and what one does not
 * need goes to another.
 */
#include "daemon/monitor.h"
#include "log/log.h"

_Static_assert((int)CONFIG_WORKERS_MAX <= (int)LEASE_HOLDERS_MAX,
	       "every worker has a lease");

static uint32_t limit_of(const struct config *c, enum dwire_limit which)
{
	switch (which) {
	case DWIRE_CALLS:
		return c->limits.calls;
	case DWIRE_REGISTRATIONS:
		return c->limits.registrations;
	case DWIRE_CONNECTIONS:
		return c->limits.connections;
	case DWIRE_TRANSACTIONS:
		return c->limits.transactions;
	case DWIRE_SUBSCRIPTIONS:
		return c->limits.subscriptions;
	case DWIRE_LIMITS:
		break;
	}
	return 0;
}

static void send_change(struct monitor *m, enum dwire_limit which,
			const struct lease_change *c)
{
	struct monitor_child *worker = monitor_worker(m, c->holder);
	struct dwire_msg msg = {.op = DWIRE_LEASE,
				.limit = which,
				.number = c->number,
				.amount = c->amount};
	uint8_t buf[32];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	dwire_write(&w, &msg);
	/* One that is down is told when it begins. */
	if (worker->channel &&
	    channel_send(worker->channel, writer_slice(&w)) != 0)
		log_error("%s was not told its limits", worker->name);
}

static void send_all(struct monitor *m, enum dwire_limit which)
{
	struct lease_change c;

	while (lease_next(&m->lease[which], &c))
		send_change(m, which, &c);
}

void monitor_lease_init(struct monitor *m)
{
	for (int i = 0; i < DWIRE_LIMITS; i++)
		lease_init(&m->lease[i],
			   limit_of(m->config, (enum dwire_limit)i),
			   m->workers);
}

void monitor_lease_limits(struct monitor *m)
{
	for (int i = 0; i < DWIRE_LIMITS; i++) {
		enum dwire_limit which = (enum dwire_limit)i;

		lease_limit(&m->lease[i], limit_of(m->config, which));
		send_all(m, which);
	}
}

void monitor_lease_use(struct monitor *m, uint32_t worker,
		       const struct dwire_msg *msg)
{
	lease_report(&m->lease[msg->limit], worker, msg->number, msg->amount,
		     msg->used);
	send_all(m, msg->limit);
}

void monitor_lease_start(struct monitor *m, uint32_t worker)
{
	for (int i = 0; i < DWIRE_LIMITS; i++) {
		struct lease_change c;

		lease_again(&m->lease[i], worker, &c);
		send_change(m, (enum dwire_limit)i, &c);
	}
}
