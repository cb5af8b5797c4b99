/*
 * Who hangs? The monitor asks its children in turn whether they are alive and
 * kills one that does not answer, so that it is started anew; the service
 * manager's watchdog asks the monitor. The question carries the log level,
 * which so reaches every process while it runs.
 */
#include <signal.h>
#include <systemd/sd-daemon.h>

#include "daemon/monitor.h"
#include "log/log.h"

enum {
	PING_MS = 5000, /* between questions */
	HANG_MS = 30000 /* patience with an answer */
};

static void ping(struct monitor *m, struct monitor_child *child)
{
	uint8_t buf[DWIRE_PING_LEN];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	dwire_ping_write(&w, (uint8_t)m->log_level);
	if (channel_send(child->channel, writer_slice(&w)) == 0 &&
	    child->asked_ms == 0)
		child->asked_ms = loop_now_ms(m->loop);
}

static void watch(struct monitor *m, struct monitor_child *child)
{
	uint64_t now = loop_now_ms(m->loop);

	if (!child->channel)
		return;
	if (child->asked_ms > 0 && now - child->asked_ms >= HANG_MS) {
		log_error("%s process does not answer: it is killed",
			  child->name);
		child->asked_ms = 0;
		proc_signal(child->proc, SIGKILL);
		return;
	}
	ping(m, child);
}

void monitor_watch_level(struct monitor *m, enum log_level level)
{
	m->log_level = level;
	log_set_level(level);
	for (uint32_t i = 0; i < MONITOR_WORKER + m->workers; i++)
		if (m->child[i].channel)
			ping(m, &m->child[i]);
}

static void on_time(void *arg)
{
	struct monitor *m = arg;

	for (uint32_t i = 0; i < MONITOR_WORKER + m->workers; i++)
		watch(m, &m->child[i]);
	if (m->watch_ms > 0)
		(void)sd_notify(0, "WATCHDOG=1");
	if (loop_timer_set(m->loop, &m->watch,
			   loop_now_ms(m->loop) + m->ping_ms) != 0)
		log_error("out of memory: nobody is watched over any more");
}

int monitor_watch_begin(struct monitor *m)
{
	uint64_t usec = 0;

	m->ping_ms = PING_MS;
	if (sd_watchdog_enabled(0, &usec) > 0) {
		m->watch_ms = usec / 1000;
		/* Three chances before the manager loses its patience. */
		if (m->watch_ms / 3 < m->ping_ms)
			m->ping_ms = m->watch_ms / 3 + 1;
	}
	loop_timer_init(&m->watch, on_time, m);
	return loop_timer_set(m->loop, &m->watch,
			      loop_now_ms(m->loop) + m->ping_ms);
}

void monitor_watch_end(struct monitor *m)
{
	if (m->loop && m->watch.fn)
		loop_timer_clear(m->loop, &m->watch);
}
