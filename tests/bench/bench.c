/*
 * Runs the rows by turns, prints a table, writes bench-results.json, and
 * fails when a goal is missed. Needs its own network namespace (run.sh).
 */
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <srtp2/srtp.h>

#include "bench.h"

enum { TURNS_MAX = 15, QUEUE_TURNS = 5, ROWS_READ = 19 };

/* One measured load. */
struct load {
	const char *name;
	struct run run;
	unsigned turns;
	bool is_goal; /* false: reported only */
};

static const struct load loads[] = {
	{"10000/s", {.calls = 100, .seconds = 2}, 15, true},
	{"40000/s", {.calls = 400, .seconds = 2}, 7, false},
};

struct row {
	char name[64];
	char unit[16];
	char peer_name[40];
	double ours, peer;  /* peer < 0: a limit, not a peer */
	double ratio, goal; /* goal < 0: reported only */
	double spread;	    /* (max - min) / median of ours */
};

static struct row rows[32];
static unsigned row_count;

/*
 * Keep a processor from falling asleep between packets: a child that spins
 * when nothing else wants to run. What waking costs, and how far memory has
 * moved away meanwhile, is up to the machine (of a virtual one, to its host),
 * not to the relay, and would drown the figures.
 */
static void keep_awake(unsigned cpu)
{
	const struct sched_param idle = {0};
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die("fork: %m");
	if (pid > 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(cpu);
	if (sched_setscheduler(0, SCHED_IDLE, &idle))
		_exit(1);
	while (getppid() == parent) {
		for (unsigned i = 0; i < 100000; i++)
			__asm__ volatile("" ::: "memory");
	}
	_exit(0);
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * The lower quartile of n values, which are sorted by it. What disturbs a turn
 * (other work, a busy host below a virtual machine) only ever adds, and it
 * adds much; the median of a bad minute would be a figure of the disturbance.
 */
static double quartile(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), cmp);
	return v[n / 4];
}

static struct row *row_new(void)
{
	if (row_count == sizeof(rows) / sizeof(rows[0]))
		die("too many rows");
	return &rows[row_count++];
}

static struct row *row_add(const char *what, const char *unit,
			   const struct load *l)
{
	struct row *r = row_new();

	(void)snprintf(r->name, sizeof(r->name), "%s at %s", what, l->name);
	(void)snprintf(r->unit, sizeof(r->unit), "%s", unit);
	r->goal = -1;
	return r;
}

struct series {
	double cpu[TURNS_MAX], p50[TURNS_MAX], p99[TURNS_MAX];
	uint64_t lost;
};

static void turn(const struct subject *s, const struct load *l, double base,
		 struct series *ret, unsigned i)
{
	struct result r;

	gen_run(s, &l->run, base, &r);
	ret->cpu[i] = r.cpu_us;
	ret->p50[i] = r.p50_us;
	ret->p99[i] = r.p99_us;
	ret->lost += r.sent - r.received;
	(void)printf("  %-26s %s turn %u: %6.2f us/packet, delay p50 %5.0f us, "
		     "p99 %5.0f us, lost %llu of %llu\n",
		     s->name, l->name, i + 1, r.cpu_us, r.p50_us, r.p99_us,
		     (unsigned long long)(r.sent - r.received),
		     (unsigned long long)r.sent);
	(void)fflush(stdout);
}

static void compare(const char *what, const char *unit, const struct load *l,
		    double *ours, double *peer, double goal)
{
	struct row *r = row_add(what, unit, l);
	double m = quartile(ours, l->turns);

	(void)snprintf(r->peer_name, sizeof(r->peer_name), "%s",
		       subject_rtpengine.name);
	r->ours = m;
	r->peer = quartile(peer, l->turns);
	r->ratio = r->peer > 0 ? r->ours / r->peer : 99;
	r->goal = l->is_goal ? goal : -1;
	r->spread = m > 0 ? (ours[l->turns / 2] - ours[0]) / m : 0;
}

static void limit(const char *what, const char *unit, const struct load *l,
		  double ours, double at_most)
{
	struct row *r = row_add(what, unit, l);

	r->ours = ours;
	r->peer = -1;
	r->ratio = ours / at_most;
	r->goal = l->is_goal ? 1.0 : -1;
}

static void measure(const struct load *l)
{
	static struct series ours, peer;
	struct result base;

	memset(&ours, 0, sizeof(ours));
	memset(&peer, 0, sizeof(peer));
	gen_run(NULL, &l->run, 0, &base);
	for (unsigned i = 0; i < l->turns; i++) {
		turn(&subject_ours, l, base.cpu_us, &ours, i);
		turn(&subject_rtpengine, l, base.cpu_us, &peer, i);
	}
	compare("relay CPU per packet RTP<->SRTP", "us", l, ours.cpu, peer.cpu,
		0.5);
	compare("relay delay p99", "us", l, ours.p99, peer.p99, 1.0);
	limit("relay delay p99 limit", "us", l, quartile(ours.p99, l->turns),
	      2000);
	/* One lost packet is one too many. */
	limit("relay lost packets", "packets", l, (double)ours.lost, 0.5);
}

/* What the detour through a queue costs, against our own sockets. */
static void measure_queue(const struct load *load, unsigned turns)
{
	const struct load with = {load->name, load->run, turns, load->is_goal};
	const struct load *l = &with;
	static struct series queue, sockets;
	struct result base;
	struct row *r;

	memset(&queue, 0, sizeof(queue));
	memset(&sockets, 0, sizeof(sockets));
	gen_run(NULL, &l->run, 0, &base);
	for (unsigned i = 0; i < l->turns; i++) {
		turn(&subject_queue, l, base.cpu_us, &queue, i);
		turn(&subject_ours, l, base.cpu_us, &sockets, i);
	}
	r = row_add("queue CPU per packet RTP<->SRTP", "us", l);
	(void)snprintf(r->peer_name, sizeof(r->peer_name), "sockets");
	r->ours = quartile(queue.cpu, l->turns);
	r->peer = quartile(sockets.cpu, l->turns);
	r->ratio = r->peer > 0 ? r->ours / r->peer : 99;
	r->goal = l->is_goal ? 2.0 : -1;
}

static void verify(const struct subject *s)
{
	struct run run = {.calls = 20, .seconds = 1, .verify = true};
	struct result r;

	gen_run(s, &run, 0, &r);
	(void)printf("  %-26s verify: %llu packets, %llu lost, %llu wrong\n",
		     s->name, (unsigned long long)r.sent,
		     (unsigned long long)(r.sent - r.received),
		     (unsigned long long)r.wrong);
	if (r.wrong > 0 || r.received != r.sent)
		die("%s does not relay correctly", s->name);
}

static bool print(void)
{
	bool ok = true;

	(void)printf("\n%-46s %8s %8s %7s %6s %7s\n", "row", "ours", "peer",
		     "ratio", "goal", "spread");
	for (unsigned i = 0; i < row_count; i++) {
		const struct row *r = &rows[i];
		bool missed = r->goal >= 0 && r->ratio > r->goal;

		(void)printf("%-46s %8.2f ", r->name, r->ours);
		if (r->peer >= 0)
			(void)printf("%8.2f ", r->peer);
		else
			(void)printf("%8s ", "-");
		(void)printf("%7.3f ", r->ratio);
		if (r->goal >= 0)
			(void)printf("%6.2f ", r->goal);
		else
			(void)printf("%6s ", "-");
		(void)printf("%6.0f%% %s\n", r->spread * 100,
			     missed ? "MISSED" : "");
		ok &= !missed;
	}
	return ok;
}

static void json(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die("%s: %m", path);
	(void)fputs("[\n", f);
	for (unsigned i = 0; i < row_count; i++) {
		const struct row *r = &rows[i];

		(void)fprintf(f,
			      " {\"name\": \"%s\", \"unit\": \"%s\", "
			      "\"ours\": %.3f, ",
			      r->name, r->unit, r->ours);
		if (r->peer >= 0)
			(void)fprintf(f,
				      "\"peer\": %.3f, \"peer_name\": \"%s\", ",
				      r->peer, r->peer_name);
		else
			(void)fputs("\"peer\": null, \"peer_name\": null, ", f);
		(void)fprintf(f, "\"ratio\": %.4f, ", r->ratio);
		if (r->goal >= 0)
			(void)fprintf(f, "\"goal\": %.2f, ", r->goal);
		else
			(void)fputs("\"goal\": null, ", f);
		(void)fprintf(f, "\"spread\": %.4f}%s\n", r->spread,
			      i + 1 < row_count ? "," : "");
	}
	(void)fputs("]\n", f);
	if (fclose(f))
		die("%s: %m", path);
}

/* The rows that load/rows.sh and load/sccp-rows.sh measured, one a line, as it
 * says there. */
static void rows_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256];

	if (!f)
		die("%s: %m", path);
	while (fgets(line, sizeof(line), f)) {
		struct row *r = row_new();
		char peer[32];

		if (sscanf(line, "%63[^|]|%15[^|]|%lf|%31[^|]|%39[^|]|%lf|%lf",
			   r->name, r->unit, &r->ours, peer, r->peer_name,
			   &r->goal, &r->spread) != 7 ||
		    r->goal <= 0)
			die("%s: not a row: %s", path, line);
		r->peer = strcmp(peer, "-") == 0 ? -1 : strtod(peer, NULL);
		r->ratio = r->ours / (r->peer > 0 ? r->peer : r->goal);
		/* The more the better. */
		if (strcmp(r->unit, "msg/s") == 0)
			r->ratio = 1 / r->ratio;
		if (r->peer <= 0)
			r->goal = 1;
	}
	(void)fclose(f);
	if (row_count != ROWS_READ)
		die("%s: %u rows instead of %d", path, row_count, ROWS_READ);
}

/* Our relay alone, for somebody with a profiler. */
static int profile(const char *calls, const char *seconds)
{
	struct load l = {.name = "profile", .turns = 1};
	static struct series ours;

	l.run.calls = (unsigned)strtoul(calls, NULL, 10);
	l.run.seconds = (unsigned)strtoul(seconds, NULL, 10);
	if (l.run.calls > CALLS_MAX || l.run.seconds > 60)
		die("at most %d calls and 60 seconds", CALLS_MAX);
	turn(&subject_ours, &l, 0, &ours, 0);
	return 0;
}

/* The queue against our sockets, and nothing else. */
static int queue_alone(const char *text)
{
	unsigned turns = (unsigned)strtoul(text, NULL, 10);

	if (turns < 1 || turns > TURNS_MAX)
		die("1 to %d turns", TURNS_MAX);
	verify(&subject_queue);
	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		measure_queue(&loads[i], turns);
	return print() ? 0 : 1;
}

int main(int argc, char **argv)
{
	bool ok;

	if (argc != 3 && argc != 4)
		die("usage: bench RESULTS.json ROWS | "
		    "--profile CALLS SECONDS | --queue TURNS");
	if (srtp_init() != srtp_err_status_ok)
		die("srtp_init failed");
	keep_awake(CPU_GEN);
	keep_awake(CPU_RELAY);
	pin(CPU_GEN);
	if (argc == 4)
		return profile(argv[2], argv[3]);
	if (strcmp(argv[1], "--queue") == 0)
		return queue_alone(argv[2]);
	rows_read(argv[2]);
	verify(&subject_ours);
	verify(&subject_queue);
	verify(&subject_rtpengine);
	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		measure(&loads[i]);
	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		measure_queue(&loads[i], QUEUE_TURNS);
	ok = print();
	json(argv[1]);
	if (!ok)
		die("a goal was missed");
	return 0;
}
