/* What the programs of the bench have in common. */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

struct setup setup = {
	{ADDR_V4, {127, 0, 0, 1}, 0}, SUITE_AES_CM_128_HMAC_SHA1_80, false};

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("bench: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

void pin(unsigned cpu)
{
	const struct sched_param rt = {.sched_priority = 1};
	cpu_set_t set;

	if (setup.is_shared)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on cpu %u: two are needed", cpu);
	/* Whatever else runs here shall wait, for all parties alike. */
	(void)sched_setscheduler(0, SCHED_RR, &rt);
}

/* CPU time of all threads of pid. The scheduler's own figure: what utime and
 * stime of /proc/PID/stat are rounded from. */
uint64_t cpu_ns(pid_t pid)
{
	char path[64], line[128];
	FILE *p;
	uint64_t sum = 0;

	(void)snprintf(path, sizeof(path), "cat /proc/%d/task/*/schedstat",
		       (int)pid);
	p = popen(path, "r");
	if (!p)
		die("popen: %m");
	while (fgets(line, sizeof(line), p))
		sum += strtoull(line, NULL, 10);
	(void)pclose(p);
	return sum;
}
