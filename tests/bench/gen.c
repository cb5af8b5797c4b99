/*
 * The generator: packets are built before the clock starts; an open loop sends
 * them in ticks of 1 ms, so that each flow has its 20 ms and all of them are
 * spread; the kernel stamps what comes back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <srtp2/srtp.h>

#include "packets.h"

enum { INTERVAL_MS = 20, DRAIN_MS = 300 };

struct gen {
	struct run run;
	unsigned per_flow; /* packets */
	int fd[2];	   /* of the legs */
	struct call call[CALLS_MAX];
	struct packet *packet; /* [call][leg][n] */
	uint64_t *sent_ns;     /* the same */
	uint32_t *delay_ns;    /* of each packet that came back */
	srtp_t verifier[CALLS_MAX];
	struct result res;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static size_t index_of(const struct gen *g, unsigned call, unsigned leg,
		       unsigned n)
{
	return ((size_t)call * 2 + leg) * g->per_flow + n;
}

static void build_call(struct gen *g, unsigned c)
{
	srtp_t s = packet_oracle(&g->call[c].to_relay, ssrc_any_outbound);

	for (unsigned n = 0; n < g->per_flow; n++) {
		packet_plain(c, 0, n, &g->packet[index_of(g, c, 0, n)]);
		packet_secure(s, c, 1, n, &g->packet[index_of(g, c, 1, n)]);
	}
	(void)srtp_dealloc(s);
	if (g->run.verify)
		g->verifier[c] =
			packet_oracle(&g->call[c].from_relay, ssrc_any_inbound);
}

/*
 * One socket for all calls of a leg: what the far end's sockets cost is not
 * the relay's affair, but on one machine the relay's sending pays for it.
 */
static void open_leg(struct gen *g, unsigned leg)
{
	struct addr a = setup.host;
	struct sockaddr_storage ss;
	int on = 1, size = 8 << 20;

	a.port = (uint16_t)(GEN_PORT + 2 * leg);
	g->fd[leg] =
		socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)setsockopt(g->fd[leg], SOL_SOCKET, SO_TIMESTAMPNS, &on,
			 sizeof(on));
	(void)setsockopt(g->fd[leg], SOL_SOCKET, SO_RCVBUFFORCE, &size,
			 sizeof(size));
	if (bind(g->fd[leg], (struct sockaddr *)&ss, addr_to_sockaddr(&a, &ss)))
		die("bind %u: %m", a.port);
	for (unsigned c = 0; c < g->run.calls; c++) {
		g->call[c].self[leg] = a;
		/* for the baseline */
		g->call[c].relay[leg] = addr_with_port(&a, 9);
	}
}

static uint64_t stamp(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct timespec ts;

		if (c->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	}
	return 0;
}

static bool receive_one(struct gen *g, unsigned leg)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct timespec))];
		struct cmsghdr align;
	} control;
	uint8_t buf[PACKET_MAX + 64];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(g->fd[leg], &m, 0);
	unsigned n, c;
	size_t at;

	if (len < 12)
		return false;
	packet_which(buf, &c, &n);
	if (n >= g->per_flow || c >= g->run.calls)
		return true;
	at = index_of(g, c, 1 - leg, n);
	g->delay_ns[g->res.received++] = (uint32_t)(stamp(&m) - g->sent_ns[at]);
	if (g->run.verify && !packet_is_right(leg == 1 ? g->verifier[c] : NULL,
					      c, 1 - leg, n, buf, (int)len))
		g->res.wrong++;
	return true;
}

/*
 * Read what came back. The clock of a packet's arrival is the kernel's, so we
 * may look when it suits us; an epoll here would be work that its waker, the
 * relay, pays for.
 */
static void receive(struct gen *g)
{
	while (receive_one(g, 0) || receive_one(g, 1))
		continue;
}

static void send_one(struct gen *g, unsigned c, unsigned leg, unsigned n)
{
	size_t at = index_of(g, c, leg, n);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&g->call[c].relay[leg], &ss);

	g->sent_ns[at] = clock_ns(CLOCK_REALTIME);
	if (sendto(g->fd[leg], g->packet[at].bytes, g->packet[at].len, 0,
		   (struct sockaddr *)&ss, len) > 0)
		g->res.sent++;
}

/* Everything due in tick t: each flow has its own of the 20 ticks. */
static void send_tick(struct gen *g, unsigned t)
{
	unsigned n = t / INTERVAL_MS, phase = t % INTERVAL_MS;

	for (unsigned f = phase; f < g->run.calls * 2; f += INTERVAL_MS)
		send_one(g, f / 2, f % 2, n);
}

static void traffic(struct gen *g)
{
	struct itimerspec it = {.it_interval.tv_nsec = 1000000,
				.it_value.tv_nsec = 1000000};
	int tfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	unsigned ticks = g->per_flow * INTERVAL_MS, t = 0;
	uint64_t end;

	if (tfd < 0 || timerfd_settime(tfd, 0, &it, NULL))
		die("timerfd: %m");
	while (t < ticks) {
		uint64_t due = 0;

		if (read(tfd, &due, sizeof(due)) != sizeof(due))
			die("timerfd: %m");
		for (; due > 0 && t < ticks; due--)
			send_tick(g, t++);
		receive(g);
	}
	(void)close(tfd);
	end = clock_ns(CLOCK_MONOTONIC) + DRAIN_MS * 1000000u;
	while (g->res.received < g->res.sent && clock_ns(CLOCK_MONOTONIC) < end)
		receive(g);
}

static uint64_t softirq_ns(void)
{
	unsigned long long v[7] = {0};
	FILE *f = fopen("/proc/stat", "re");

	if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &v[0],
			 &v[1], &v[2], &v[3], &v[4], &v[5], &v[6]) != 7)
		die("/proc/stat: %m");
	(void)fclose(f);
	return (v[5] + v[6]) * (1000000000u / (unsigned)sysconf(_SC_CLK_TCK));
}

/*
 * Sending on a loopback runs the receiver's half in a softirq of the sender.
 * A kernel with CONFIG_IRQ_TIME_ACCOUNTING takes that out of the process's
 * CPU time, and we add it again, less what the generator alone causes;
 * without, it is in the process's time already.
 */
static bool softirq_is_apart(void)
{
	return system("{ zcat /proc/config.gz || cat /boot/config-$(uname -r);"
		      " } 2>/dev/null | grep -q IRQ_TIME_ACCOUNTING=y") == 0;
}

static int cmp_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void percentiles(struct gen *g)
{
	size_t n = g->res.received;

	if (n == 0)
		return;
	qsort(g->delay_ns, n, sizeof(*g->delay_ns), cmp_u32);
	g->res.p50_us = g->delay_ns[n / 2] / 1e3;
	g->res.p99_us = g->delay_ns[n * 99 / 100] / 1e3;
}

static struct gen *gen_new(const struct run *r)
{
	struct gen *g = calloc(1, sizeof(*g));
	size_t n;

	if (!g)
		die("no memory");
	g->run = *r;
	g->per_flow = r->seconds * 1000 / INTERVAL_MS;
	n = (size_t)r->calls * 2 * g->per_flow;
	g->packet = calloc(n, sizeof(*g->packet));
	g->sent_ns = calloc(n, sizeof(*g->sent_ns));
	g->delay_ns = calloc(n, sizeof(*g->delay_ns));
	if (!g->packet || !g->sent_ns || !g->delay_ns)
		die("no memory");
	open_leg(g, 0);
	open_leg(g, 1);
	return g;
}

static void gen_free(struct gen *g)
{
	for (unsigned c = 0; c < g->run.calls; c++) {
		if (g->verifier[c])
			(void)srtp_dealloc(g->verifier[c]);
	}
	(void)close(g->fd[0]);
	(void)close(g->fd[1]);
	free(g->packet);
	free(g->sent_ns);
	free(g->delay_ns);
	free(g);
}

void gen_run(const struct subject *s, const struct run *r,
	     double softirq_base_us, struct result *ret)
{
	struct gen *g = gen_new(r);
	pid_t pid = s ? s->start() : getpid();
	uint64_t cpu, softirq;

	for (unsigned c = 0; c < r->calls; c++) {
		if (s)
			s->call_add(c, &g->call[c]);
		build_call(g, c);
	}
	softirq = softirq_ns();
	cpu = cpu_ns(pid);
	traffic(g);
	cpu = cpu_ns(pid) - cpu;
	softirq = softirq_ns() - softirq;
	percentiles(g);
	if (s)
		s->stop(pid);
	if (g->res.sent > 0) {
		double si = (double)softirq / 1e3 / (double)g->res.sent;

		g->res.cpu_us =
			s ? (double)cpu / 1e3 / (double)g->res.sent : si;
		if (s && si > softirq_base_us && softirq_is_apart())
			g->res.cpu_us += si - softirq_base_us;
	}
	*ret = g->res;
	gen_free(g);
}
