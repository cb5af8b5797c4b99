/*
 * What runs in the virtual machine of make bench-kernel (kernel-guest.sh): the
 * same packets through one relay after the other, and what each of them costs
 * the whole machine. Its clock counts instructions (kernel.sh), so the figures
 * are instructions. All of the machine's one processor is accounted for: this
 * program runs only while the relay has nothing to do, and reads what came back
 * without ever waiting for it.
 *
 *     this namespace: the relay, va ---- vb, namespace "gen": the sockets here
 *
 * The baseline, "sink", sends the same packets across the same pair of devices
 * to sockets in this namespace, and reads them there.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "packets.h"
#include "raw.h"

enum {
	KERNEL_CALLS_MAX = 5000,
	BURST = 20,	/* calls whose packets are under way at a time */
	WARM = 3,	/* packets of a flow before the clock starts, twice */
	WARM_MAX = 18,	/* the same until the relay is in the kernel */
	WARM_WAIT = 2,	/* seconds between them */
	TRIES = 100000, /* to read what is missing */
	RTCP_RR = 201
};

static const struct addr gen_ip = {ADDR_V4, {10, 9, 0, 2}, 0};

/* A subject, and whether its process has to be idle meanwhile. */
struct row {
	const char *name;
	const struct subject *subject; /* NULL: the sink, or raw */
	bool is_raw;
	bool in_kernel;
};

static const struct row rows[] = {
	{"sink", NULL, false, false},
	{"raw", NULL, true, true},
	{"nf_srtp", &subject_kernel, false, true},
	{"socket", &subject_ours, false, false},
	{"queue", &subject_queue, false, false},
	{"xt_RTPENGINE", &subject_rtpengine_kernel, false, true},
	{"rtpengine", &subject_rtpengine, false, false},
};

static struct {
	const struct row *row;
	pid_t pid; /* of the relay; 0 = none */
	unsigned calls;
	unsigned per_flow;
	int out[2], in[2]; /* of the legs; the same but for the sink */
	struct call *call;
	struct packet *packet; /* [call][leg][n] */
	srtp_t *verifier;
	uint64_t sent, received;
	bool verify;
} g;

static uint64_t clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Only while nobody else wants to run, or before everybody else. */
static void stand_back(bool yes)
{
	const struct sched_param p = {.sched_priority = yes ? 0 : 1};

	if (sched_setscheduler(0, yes ? SCHED_IDLE : SCHED_FIFO, &p))
		die("sched_setscheduler: %m");
}

/* --- sockets --------------------------------------------------------------- */

static void enter(const char *ns)
{
	int fd = open(ns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("%s: %m", ns);
	(void)close(fd);
}

static int open_socket(const struct addr *a)
{
	int size = 8 << 20, fd;
	struct sockaddr_storage ss;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&ss, addr_to_sockaddr(a, &ss)))
		die("bind %u: %m", a->port);
	return fd;
}

static void open_legs(void)
{
	struct addr a = gen_ip, sink = setup.host;
	bool is_sink = !g.row->subject && !g.row->is_raw;

	for (unsigned leg = 0; leg < 2; leg++) {
		a.port = (uint16_t)(GEN_PORT + 2 * leg);
		sink.port = a.port;
		if (is_sink)
			g.in[leg] = open_socket(&sink);
		enter("/run/netns/gen");
		g.out[leg] = open_socket(&a);
		enter("/proc/1/ns/net");
		if (!is_sink)
			g.in[leg] = g.out[leg];
		for (unsigned c = 0; c < g.calls; c++) {
			g.call[c].self[leg] = a;
			g.call[c].relay[leg] = sink;
		}
	}
}

/* --- packets ---------------------------------------------------------------- */

static struct packet *packet_of(unsigned c, unsigned leg, unsigned n)
{
	return &g.packet[((size_t)c * 2 + leg) * g.per_flow + n];
}

static void build_call(unsigned c)
{
	bool is_sink = !g.row->subject && !g.row->is_raw;
	struct call *call = &g.call[c];
	srtp_t s;

	if (is_sink)
		call->to_relay = (struct flow_key){.suite = setup.suite};
	if (is_sink)
		call->from_relay = call->to_relay;
	s = packet_oracle(&call->to_relay, ssrc_any_outbound);
	for (unsigned n = 0; n < g.per_flow; n++) {
		packet_plain(c, 0, n, packet_of(c, 0, n));
		packet_secure(s, c, 1, n, packet_of(c, 1, n));
	}
	(void)srtp_dealloc(s);
	g.verifier[c] = packet_oracle(&call->from_relay, ssrc_any_inbound);
}

static void send_one(unsigned c, unsigned leg, unsigned n)
{
	const struct packet *p = packet_of(c, leg, n);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&g.call[c].relay[leg], &ss);

	if (sendto(g.out[leg], p->bytes, p->len, 0, (struct sockaddr *)&ss,
		   len) != (ssize_t)p->len)
		die("sendto: %m");
	g.sent++;
}

static bool receive_one(unsigned leg)
{
	uint8_t buf[PACKET_MAX + 64];
	ssize_t len = recv(g.in[leg], buf, sizeof(buf), 0);
	unsigned c, n;

	if (len < 0)
		return false;
	if (len < 8)
		die("%zd bytes came back", len);
	g.received++;
	if (buf[1] == RTCP_RR)
		return true;
	packet_which(buf, &c, &n);
	if (g.verify &&
	    (c >= g.calls || !packet_is_right(leg ? g.verifier[c] : NULL, c,
					      1 - leg, n, buf, (int)len)))
		die("%s: packet %u of call %u, %zd bytes on leg %u, is not "
		    "what was sent",
		    g.row->name, n, c, len, leg);
	return true;
}

static void drain(void)
{
	for (unsigned i = 0; g.received < g.sent && i < TRIES; i++) {
		while (receive_one(0) || receive_one(1))
			i = 0;
		if (g.received < g.sent)
			(void)sched_yield();
	}
	if (g.received != g.sent)
		die("%s: %llu of %llu packets came back", g.row->name,
		    (unsigned long long)g.received, (unsigned long long)g.sent);
}

/* Packets from to to - 1 of all flows. */
static void traffic(unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++) {
		for (unsigned first = 0; first < g.calls; first += BURST) {
			stand_back(false);
			for (unsigned c = first;
			     c < first + BURST && c < g.calls; c++) {
				send_one(c, 0, n);
				send_one(c, 1, n);
			}
			stand_back(true);
			drain();
		}
	}
}

/* --- a run ------------------------------------------------------------------- */

/* Of all processors, since the start, in hundredths of a second. */
static unsigned long long idle_ticks(void)
{
	unsigned long long v[4] = {0};
	FILE *f = fopen("/proc/stat", "re");

	if (!f || fscanf(f, "cpu %llu %llu %llu %llu", &v[0], &v[1], &v[2],
			 &v[3]) != 4)
		die("/proc/stat: %m");
	(void)fclose(f);
	return v[3];
}

static void start(void)
{
	g.call = calloc(g.calls, sizeof(*g.call));
	g.packet = calloc((size_t)g.calls * 2 * g.per_flow, sizeof(*g.packet));
	g.verifier = calloc(g.calls, sizeof(*g.verifier));
	if (!g.call || !g.packet || !g.verifier)
		die("no memory");
	open_legs();
	if (g.row->is_raw)
		raw_start();
	if (g.row->subject)
		g.pid = g.row->subject->start();
	for (unsigned c = 0; c < g.calls; c++) {
		if (g.row->is_raw)
			raw_call_add(c, &g.call[c]);
		if (g.row->subject)
			g.row->subject->call_add(c, &g.call[c]);
		build_call(c);
	}
}

static void stop(void)
{
	if (g.row->is_raw)
		raw_stop();
	if (g.row->subject)
		g.row->subject->stop(g.pid);
}

/* Did so much of the time go by in the relay's process? */
static bool is_in_user_space(uint64_t busy, uint64_t took)
{
	return g.row->in_kernel && busy > took / 50;
}

/* The first packets are looked at, and make the relay learn what it learns:
 * rtpengine moves calls to its module by and by. Returns their number. */
static unsigned warm(void)
{
	uint64_t busy, took;
	unsigned n = WARM;

	/* what the sink gets is not from the other leg */
	g.verify = g.row->subject || g.row->is_raw;
	traffic(0, n);
	do {
		if (g.pid)
			(void)sleep(WARM_WAIT);
		busy = g.pid ? cpu_ns(g.pid) : 0;
		took = clock_ns();
		traffic(n, n + WARM);
		took = clock_ns() - took;
		busy = g.pid ? cpu_ns(g.pid) - busy : 0;
		n += WARM;
	} while (n < WARM_MAX && is_in_user_space(busy, took));
	g.verify = false;
	return n;
}

/* The first packets, which find routes and are told of, are not typical. */
static void meter_zero(void)
{
	int fd = open("/proc/nf_meter", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "zero", 4) != 4)
		die("/proc/nf_meter: %m");
	if (fd >= 0)
		(void)close(fd);
}

static void measure(unsigned first, unsigned turns, unsigned per_turn)
{
	for (unsigned t = 0; t < turns; t++) {
		uint64_t busy = g.pid ? cpu_ns(g.pid) : 0, count, took;
		unsigned from = first + t * per_turn;
		unsigned long long idle = idle_ticks();

		count = g.sent;
		took = clock_ns();
		traffic(from, from + per_turn);
		took = clock_ns() - took;
		count = g.sent - count;
		idle = idle_ticks() - idle;
		busy = g.pid ? cpu_ns(g.pid) - busy : 0;
		/* a tick is 10 ms */
		if (idle * 10000000 > took / 50)
			die("%s: the processor was idle for %llu of %llu ms",
			    g.row->name, idle * 10,
			    (unsigned long long)took / 1000000);
		if (is_in_user_space(busy, took))
			die("%s: packets went through user space: %llu ms",
			    g.row->name, (unsigned long long)busy / 1000000);
		(void)printf("figure packet %s %s %u %.1f\n", g.row->name,
			     suite_info(setup.suite)->name, g.calls,
			     (double)took / (double)count);
		(void)fflush(stdout);
	}
}

/* --- memory -------------------------------------------------------------------- */

/* KiB that the kernel has for itself: slabs, and what each processor has. */
static double kernel_kib(void)
{
	unsigned long long kib, sum = 0;
	char line[128];
	FILE *f;

	/* what is to be freed after a grace period, is */
	(void)sleep(2);
	f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Slab: %llu", &kib) == 1 ||
		    sscanf(line, "Percpu: %llu", &kib) == 1)
			sum += kib;
	}
	if (!f || sum == 0)
		die("/proc/meminfo: %m");
	(void)fclose(f);
	return (double)sum;
}

/* An RTCP packet under leg 1's key, or plain, through the flow and back. */
static void send_rtcp(unsigned c, unsigned leg, srtp_t s)
{
	uint8_t buf[64] = {0x80,
			   201,
			   0,
			   1,
			   0,
			   0,
			   (uint8_t)((c * 2 + leg) >> 8),
			   (uint8_t)(c * 2 + leg)};
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(&g.call[c].relay[leg], &ss);
	int len = 8;

	if (leg == 1 && srtp_protect_rtcp(s, buf, &len) != srtp_err_status_ok)
		die("srtp_protect_rtcp failed");
	if (sendto(g.out[leg], buf, (size_t)len, 0, (struct sockaddr *)&ss,
		   ss_len) != len)
		die("sendto: %m");
	g.sent++;
}

static void rtcp_all(void)
{
	for (unsigned c = 0; c < g.calls; c++) {
		srtp_t s =
			packet_oracle(&g.call[c].to_relay, ssrc_any_outbound);

		send_rtcp(c, 0, s);
		send_rtcp(c, 1, s);
		(void)srtp_dealloc(s);
		drain();
	}
}

/* What a direction of a call takes: its share of two flows, one key. */
static void memory(void)
{
	double none, used, rekeyed;

	start();
	raw_stop();
	none = kernel_kib();
	raw_start();
	for (unsigned c = 0; c < g.calls; c++)
		raw_call_add(c, &g.call[c]);
	traffic(0, 1);
	rtcp_all();
	used = kernel_kib();
	for (unsigned c = 0; c < g.calls; c++) {
		raw_call_rekey(c, &g.call[c]);
		build_call(c);
	}
	traffic(1, 2);
	rtcp_all();
	rekeyed = kernel_kib();
	stop();
	(void)printf("figure memory %s %u %.3f %.3f\n",
		     suite_info(setup.suite)->name, g.calls,
		     (used - none) / g.calls / 2,
		     (used - none) / g.calls / 2 + (rekeyed - used) / g.calls);
}

static const struct row *row_find(const char *name)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	die("no relay %s", name);
}

static unsigned number(const char *text, unsigned max)
{
	unsigned long n = strtoul(text, NULL, 10);

	if (n < 1 || n > max)
		die("%s: 1 to %u", text, max);
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	static const struct addr relay_ip = {ADDR_V4, {10, 9, 0, 1}, 0};
	unsigned turns, per_turn, turns_from;

	if (argc != 6)
		die("usage: kernel RELAY SUITE CALLS TURNS PACKETS | "
		    "memory SUITE CALLS 1 1");
	if (srtp_init() != srtp_err_status_ok)
		die("srtp_init failed");
	setup.host = relay_ip;
	setup.is_shared = true;
	if (suite_find(slice_make(argv[2], strlen(argv[2])), &setup.suite))
		die("no suite %s", argv[2]);
	g.calls = number(argv[3], KERNEL_CALLS_MAX);
	turns = number(argv[4], 20);
	per_turn = number(argv[5], 1000);
	g.row = row_find(strcmp(argv[1], "memory") == 0 ? "raw" : argv[1]);
	g.per_flow = (g.row->subject ? WARM_MAX : 2 * WARM) + turns * per_turn;
	if (strcmp(argv[1], "memory") == 0) {
		memory();
		return 0;
	}
	start();
	turns_from = warm();
	meter_zero();
	measure(turns_from, turns, per_turn);
	stop();
	return 0;
}
