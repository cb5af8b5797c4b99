/* One or many phones that speak SCCP, driven by lines on stdin. See usage(). */
#include "phone.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "phone_cmd.h"

enum {
	STDIN_KEY = 0xff, /* of slot 0xff: no phone has it */
	LINES_MAX = 8192,
	PHONES_MAX = 20000,
	FILES_SPARE = 200,
	TICK_MS = 10,
	SLOW_TICK_MS = 50
};

struct setup setup = {.version = 17, .device_type = 7, .retry_ms = 2000};

static struct phone *phones;
static unsigned phone_count_all = 1;

static void usage(void)
{
	(void)fputs(
		"usage: sccp-phone --server A:P [--server A:P ...] OPTION...\n"
		"  --name SEP...       device name (default SEP000000000001)\n"
		"  --cert F --key F    TLS with this certificate; else plain TCP\n"
		"  --priority S        GnuTLS priority string\n"
		"  --certs DIR         TLS with certificates made by load certs\n"
		"  --count N --first N many phones, named as load names them\n"
		"  --local IP          source address\n"
		"  --spread N          the N addresses from there on, by turns\n"
		"  --version N         highest protocol version (17)\n"
		"  --model N           device type (7, a 7960)\n"
		"  --register-length N length field of Register\n"
		"  --answer            answer by itself\n"
		"  --log               every message, with its fields\n"
		"  --quiet             sums only\n"
		"  --slow              connect only when told\n"
		"  --tickets           resume TLS sessions\n"
		"  --retry MS          between attempts (2000)\n"
		"  --time S            end after this, as a failure (600)\n"
		"Commands on stdin (`help'); SSLKEYLOGFILE is honoured.\n",
		stderr);
	exit(2);
}

/* --- options ------------------------------------------------------------ */
struct options {
	const char *name, *cert, *key, *certs;
	unsigned first, time_s;
};

static const char *text_option(const char *name, const char *value,
			       struct options *o)
{
	const struct {
		const char *name, **value;
	} texts[] = {{"--name", &o->name},
		     {"--cert", &o->cert},
		     {"--key", &o->key},
		     {"--certs", &o->certs},
		     {"--priority", &setup.priority}};
	const struct {
		const char *name;
		unsigned *value;
	} numbers[] = {{"--count", &phone_count_all},
		       {"--first", &o->first},
		       {"--version", &setup.version},
		       {"--model", &setup.device_type},
		       {"--spread", &setup.spread},
		       {"--register-length", &setup.register_len},
		       {"--retry", &setup.retry_ms},
		       {"--time", &o->time_s}};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(name, texts[i].name) == 0)
			return *texts[i].value = value;
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(name, numbers[i].name) == 0) {
			*numbers[i].value = (unsigned)strtoul(value, NULL, 10);
			return value;
		}
	return NULL;
}

static bool flag_option(const char *name)
{
	const struct {
		const char *name;
		bool *value;
	} flags[] = {{"--answer", &setup.is_answering},
		     {"--log", &setup.is_logging},
		     {"--quiet", &setup.is_quiet},
		     {"--slow", &setup.is_slow},
		     {"--tickets", &setup.use_tickets}};

	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(name, flags[i].name) == 0)
			return *flags[i].value = true;
	return false;
}

static void options_read(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (flag_option(argv[i]))
			continue;
		if (!value)
			usage();
		i++;
		if (strcmp(argv[i - 1], "--server") == 0) {
			if (setup.servers == SERVERS)
				die("at most %d servers", SERVERS);
			setup.server[setup.servers++] = address_of(value);
		} else if (strcmp(argv[i - 1], "--local") == 0) {
			char text[64];

			(void)snprintf(text, sizeof(text), "%s:0", value);
			setup.local = address_of(text);
			setup.has_local = true;
		} else if (!text_option(argv[i - 1], value, o)) {
			usage();
		}
	}
	if (setup.servers == 0 || phone_count_all == 0 ||
	    phone_count_all > PHONES_MAX || setup.version > VERSION_MAX)
		usage();
}

static void credentials(const struct options *o)
{
	int err;

	if (o->certs) {
		setup.cred = certs_phones(o->certs, o->first, phone_count_all);
		return;
	}
	if (!o->cert)
		return;
	setup.cred = calloc(1, sizeof(*setup.cred));
	if (!setup.cred ||
	    gnutls_certificate_allocate_credentials(&setup.cred[0]))
		die("no memory");
	err = gnutls_certificate_set_x509_key_file(setup.cred[0], o->cert,
						   o->key, GNUTLS_X509_FMT_PEM);
	if (err)
		die("%s: %s", o->cert, gnutls_strerror(err));
	if (phone_count_all > 1)
		die("many phones need --certs");
}

static void phones_make(const struct options *o)
{
	phones = calloc(phone_count_all, sizeof(*phones));
	if (!phones)
		die("no memory");
	for (unsigned i = 0; i < phone_count_all; i++) {
		struct phone *p = &phones[i];

		p->index = i;
		p->version = setup.version;
		if (phone_count_all > 1 || o->certs)
			phone_name(o->first + i, p->name);
		else
			(void)snprintf(p->name, sizeof(p->name), "%s",
				       o->name ? o->name : "SEP000000000001");
	}
}

/* --- the loop ----------------------------------------------------------- */
static char lines[LINES_MAX];
static size_t lines_len;
static bool at_end;

static void stdin_readable(void)
{
	ssize_t n = read(STDIN_FILENO, lines + lines_len,
			 sizeof(lines) - lines_len);

	if (n > 0)
		lines_len += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		(void)epoll_ctl(setup.epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
		at_end = true;
	}
}

/* The next whole line, or false. */
static bool line_take(char *ret, size_t cap)
{
	char *end = memchr(lines, '\n', lines_len);
	size_t len;

	if (!end)
		return false;
	len = (size_t)(end - lines);
	if (len >= cap)
		die("a command of %zu bytes", len);
	memcpy(ret, lines, len);
	ret[len] = 0;
	lines_len -= len + 1;
	memmove(lines, end + 1, lines_len);
	return true;
}

static void poll_once(int wait_ms)
{
	struct epoll_event ev[256];
	int n = epoll_wait(setup.epoll, ev, 256, wait_ms);

	for (int k = 0; k < n; k++) {
		unsigned slot = ev[k].data.u64 & 0xff;

		if (slot == STDIN_KEY)
			stdin_readable();
		else
			phone_ready(&phones[ev[k].data.u64 >> 8], slot);
	}
}

void phones_serve(void)
{
	static uint64_t last_ms;
	uint64_t now;

	poll_once(phone_count_all > 1 ? SLOW_TICK_MS : TICK_MS);
	now = now_ms();
	for (unsigned i = 0; setup.streams > 0 && i < phone_count_all; i++)
		call_tick(&phones[i], now);
	if (now < last_ms + SLOW_TICK_MS)
		return;
	last_ms = now;
	for (unsigned i = 0; i < phone_count_all; i++)
		phone_tick(&phones[i], now);
}

static void stdin_watch(void)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = STDIN_KEY};

	(void)fcntl(STDIN_FILENO, F_SETFL,
		    fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	/* a file cannot be waited for, and need not be */
	if (epoll_ctl(setup.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev))
		while (!at_end && lines_len < sizeof(lines))
			stdin_readable();
}

int main(int argc, char **argv)
{
	struct options o = {.time_s = 600};
	uint64_t end_ms;
	char line[1024];

	options_read(argc, argv, &o);
	(void)signal(SIGPIPE, SIG_IGN);
	if (phone_count_all * setup.servers + FILES_SPARE > 1024)
		files_wanted(phone_count_all * setup.servers + FILES_SPARE);
	if (srtp_begin())
		die("libsrtp2 does not start");
	credentials(&o);
	phones_make(&o);
	setup.epoll = epoll_create1(EPOLL_CLOEXEC);
	stdin_watch();
	end_ms = now_ms() + o.time_s * 1000;
	for (;;) {
		if (now_ms() > end_ms)
			die("%u s are over", o.time_s);
		if (command_is_ready(phones) && line_take(line, sizeof(line))) {
			if (!command(phones, phone_count_all, line))
				return 0;
			continue;
		}
		if (at_end && lines_len == 0 && command_is_ready(phones))
			return 0;
		phones_serve();
	}
}
