/* See usage() for what it does and load.h for how. */
#include "load.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 20000, TIMEOUT_S = 120, IN_FLIGHT = 32 };

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("load: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static void usage(void)
{
	(void)fputs(
		"usage: load certs DIR ADDRESS\n"
		"         CA, server's and phones' keys, certificates, password\n"
		"       load devices N\n"
		"         print N device sections for sallyport.conf\n"
		"       load cm ADDRESS:PORT\n"
		"         a call manager over UDP that answers everything\n"
		"       load direct ADDRESS:PORT RATE SECONDS\n"
		"         call it directly, RATE calls a second\n"
		"       load phones DIR ADDRESS:PORT N USER [FIRST [LOCAL]]\n"
		"         N phones with certificates and password from DIR;\n"
		"         their digest user is USER, the first is number\n"
		"         FIRST, their source address:port LOCAL.\n"
		"         Commands on standard input, one answer line each:\n"
		"           connect        connect and register all in turn\n"
		"           storm          close all, connect all at once\n"
		"           tickets on|off resume TLS sessions when connecting\n"
		"           cycle SECONDS [PHONES]\n"
		"                          register again and again\n"
		"           calls RATE SECONDS\n"
		"                          INVITE, 200, ACK, BYE, 200\n"
		"           quit\n",
		stderr);
	exit(2);
}

uint64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const char *colon = strchr(text, ':');
	char ip[32];

	if (!colon || (size_t)(colon - text) >= sizeof(ip))
		die("%s is no address:port", text);
	memcpy(ip, text, (size_t)(colon - text));
	ip[colon - text] = 0;
	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1)
		die("%s is no IPv4 address", ip);
	a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	return a;
}

const char *header_of(const char *msg, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strstr(msg, "\r\n"); p;
	     p = strstr(p + 2, "\r\n")) {
		if (strncmp(p, "\r\n\r\n", 4) == 0)
			return NULL;
		if (strncasecmp(p + 2, name, len) == 0)
			return p + 2;
	}
	return NULL;
}

void param_of(const char *line, const char *name, char *ret, size_t cap)
{
	size_t end = strcspn(line, "\r"), len = strlen(name), n;

	ret[0] = 0;
	for (const char *p = line + 1; (p = strcasestr(p, name)); p += len) {
		bool is_quoted = p[len] != 0 && p[len + 1] == '"';

		if (p >= line + end)
			return;
		if (p[len] != '=' || !strchr(" ,\t", p[-1]))
			continue;
		p += len + 1 + is_quoted;
		n = strcspn(p, is_quoted ? "\"\r" : ", \r");
		if (n >= cap)
			n = cap - 1;
		memcpy(ret, p, n);
		ret[n] = 0;
		return;
	}
}

void sample(struct load *l, uint64_t begun_us)
{
	if (l->samples < SAMPLES_MAX)
		l->sample_us[l->samples++] = (uint32_t)(now_us() - begun_us);
}

static int cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(struct load *l, uint64_t begun_us)
{
	unsigned n = l->samples;

	qsort(l->sample_us, n, sizeof(*l->sample_us), cmp);
	(void)printf(
		"up=%u failed=%u resumed=%u transactions=%llu calls=%u "
		"calls_failed=%u p50_us=%u p99_us=%u seconds=%.2f %s%s%s\n",
		l->up, l->failed, l->resumed,
		(unsigned long long)l->transactions, l->calls_done,
		l->calls_failed, n ? l->sample_us[n / 2] : 0,
		n ? l->sample_us[n * 99 / 100] : 0,
		(double)(now_us() - begun_us) / 1e6,
		l->last_error[0] ? "error=\"" : "", l->last_error,
		l->last_error[0] ? "\"" : "");
	(void)fflush(stdout);
	l->failed = l->resumed = l->samples = 0;
	l->calls_begun = l->calls_done = l->calls_failed = 0;
	l->transactions = 0;
	l->last_error[0] = 0;
}

static void settle(struct load *l)
{
	uint64_t end = now_us() + (uint64_t)TIMEOUT_S * 1000000;

	while (l->busy > 0 && now_us() < end)
		phones_poll(l, 100);
	if (l->busy > 0)
		(void)snprintf(l->last_error, sizeof(l->last_error),
			       "%u phones without an answer", l->busy);
}

static void do_connect(struct load *l, unsigned in_flight)
{
	for (unsigned i = 0; i < l->phones; i++) {
		phone_connect(l, i);
		phones_poll(l, 0);
		while (l->busy >= in_flight)
			phones_poll(l, 100);
	}
	settle(l);
}

static void do_storm(struct load *l)
{
	for (unsigned i = 0; i < l->phones; i++)
		phone_close(l, i);
	do_connect(l, l->phones + 1);
}

static void do_cycle(struct load *l, unsigned seconds, unsigned phones)
{
	uint64_t end = now_us() + (uint64_t)seconds * 1000000;

	l->is_cycling = true;
	for (unsigned i = 0; i < phones && i < l->phones; i++) {
		if (phone_is_ready(l, i))
			phone_register(l, i);
	}
	while (now_us() < end)
		phones_poll(l, 10);
	l->is_cycling = false;
	settle(l);
}

static void do_calls(struct load *l, unsigned rate, unsigned seconds)
{
	uint64_t begun = now_us(), due = begun;
	unsigned i = 0;

	while (l->calls_begun < rate * seconds && l->up > 0) {
		uint64_t now = now_us();

		if (now < due) {
			phones_poll(l, (int)((due - now) / 1000));
			continue;
		}
		i = (i + 1) % l->phones;
		if (!phone_is_ready(l, i)) {
			phones_poll(l, 0);
			continue;
		}
		phone_call(l, i);
		due += 1000000 / rate;
		phones_poll(l, 0);
	}
	settle(l);
}

static void command(struct load *l, char *line)
{
	uint64_t begun = now_us();
	char *save, *word = strtok_r(line, " \n", &save);
	char *arg = strtok_r(NULL, " \n", &save);
	char *more = strtok_r(NULL, " \n", &save);
	unsigned a = arg ? (unsigned)strtoul(arg, NULL, 10) : 0;
	unsigned b = more ? (unsigned)strtoul(more, NULL, 10) : 0;

	if (!word)
		return;
	if (strcmp(word, "connect") == 0)
		do_connect(l, IN_FLIGHT);
	else if (strcmp(word, "storm") == 0)
		do_storm(l);
	else if (strcmp(word, "tickets") == 0)
		l->use_tickets = arg && strcmp(arg, "on") == 0;
	else if (strcmp(word, "cycle") == 0 && a > 0)
		do_cycle(l, a, b > 0 ? b : IN_FLIGHT);
	else if (strcmp(word, "calls") == 0 && a > 0 && b > 0)
		do_calls(l, a, b);
	else if (strcmp(word, "quit") == 0)
		exit(0);
	else
		(void)snprintf(l->last_error, sizeof(l->last_error),
			       "unknown command %.40s", word);
	report(l, begun);
}

/* Between commands the phones live on: what the server sends is read. */
static void phones_run(struct load *l)
{
	char line[128];

	for (;;) {
		struct pollfd pfd[2] = {{STDIN_FILENO, POLLIN, 0},
					{l->epoll, POLLIN, 0}};

		if (poll(pfd, 2, -1) < 0)
			die("poll: %m");
		if (pfd[1].revents)
			phones_poll(l, 0);
		if (!pfd[0].revents)
			continue;
		if (!fgets(line, sizeof(line), stdin))
			return;
		command(l, line);
	}
}

static void raise_files(void)
{
	struct rlimit r = {FILES, FILES};

	if (setrlimit(RLIMIT_NOFILE, &r))
		die("cannot have %d files: %m", FILES);
}

static void devices(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char name[NAME_MAX_LEN];

		phone_name(i, name);
		(void)printf("device \"%s\" {\n\tlines = { \"%u\" }\n"
			     "\tsecurity-mode = encrypted\n\tdigest = yes\n"
			     "\tdigest-user = \"load\"\n}\n",
			     name, phone_line(i));
	}
}

int main(int argc, char **argv)
{
	static struct load l;
	const char *what = argc > 1 ? argv[1] : "";

	(void)setvbuf(stdin, NULL, _IONBF, 0);
	l.sample_us = calloc(SAMPLES_MAX, sizeof(*l.sample_us));
	if (!l.sample_us)
		die("no memory");
	if (strcmp(what, "certs") == 0 && argc == 4) {
		certs_make(argv[2], argv[3]);
	} else if (strcmp(what, "devices") == 0 && argc == 3) {
		devices((unsigned)strtoul(argv[2], NULL, 10));
	} else if (strcmp(what, "cm") == 0 && argc == 3) {
		cm_run(argv[2]);
	} else if (strcmp(what, "direct") == 0 && argc == 5) {
		uint64_t begun = now_us();

		cm_direct(&l, argv[2], (unsigned)strtoul(argv[3], NULL, 10),
			  (unsigned)strtoul(argv[4], NULL, 10));
		report(&l, begun);
	} else if (strcmp(what, "phones") == 0 && argc >= 6 && argc <= 8) {
		raise_files();
		l.server = address_of(argv[3]);
		l.phones = (unsigned)strtoul(argv[4], NULL, 10);
		l.user = argv[5];
		l.first = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 0;
		l.local = argc > 7 ? argv[7] : NULL;
		l.cred = certs_phones(argv[2], l.first, l.phones);
		phones_init(&l);
		(void)puts("ready");
		(void)fflush(stdout);
		phones_run(&l);
	} else {
		usage();
	}
	return 0;
}
