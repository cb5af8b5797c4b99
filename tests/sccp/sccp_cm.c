/* A call manager of plain SCCP, for tests. See usage() and cm.h. */
#include "cm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { TICK_MS = 10, BACKLOG = 4096, FILES = 20000, LINE_MAX_LEN = 1024 };

/* Who else is in the epoll set: no phone has these addresses. */
static int mark_listener, mark_stdin, mark_sip;
static int listener;

static void usage(void)
{
	(void)fputs(
		"usage: sccp-cm --listen A:P OPTION...\n"
		"  --version N        highest protocol version (17)\n"
		"  --form F           new, cm7, cm4, cm3, cm2: messages as short\n"
		"                     as servers of that age send them\n"
		"  --line NAME=NUMBER number of a device (else the last four of\n"
		"                     its name)\n"
		"  --sip A:P          SIP phones over UDP there\n"
		"  --sip-phone N=A:P  one that need not register\n"
		"  --keepalive S      interval told to phones (30)\n"
		"  --secondary S      the same for a standby (60)\n"
		"  --token-wait S     refuse tokens for so long\n"
		"  --reject NAME      that device may not register\n"
		"  --music            held parties hear music\n"
		"  --quiet            sums only; for very many phones\n"
		"  --time S           end after this (600)\n"
		"stdin: reset NAME TYPE | drop NAME | rekey NAME | fork NAME A:P\n"
		"  msg NAME MESSAGE FIELD=VALUE... | raw NAME HEX | stats NAME\n"
		"  music A:P|- (to that group, from now on)\n"
		"  mute 0|1 | token-wait S | reject NAME|- | status | echo WORD |\n"
		"  quit\n",
		stderr);
	exit(2);
}

/* --- options ------------------------------------------------------------ */
static bool number_option(const char *name, const char *value,
			  unsigned *ret_time_s)
{
	const struct {
		const char *name;
		unsigned *value;
	} numbers[] = {{"--version", &cm.version},
		       {"--keepalive", &cm.keepalive_s},
		       {"--secondary", &cm.secondary_s},
		       {"--token-wait", &cm.token_wait_s},
		       {"--time", ret_time_s}};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(name, numbers[i].name) == 0) {
			*numbers[i].value = (unsigned)strtoul(value, NULL, 10);
			return true;
		}
	return false;
}

static void form_option(const char *value)
{
	static const struct {
		const char *name;
		enum form form;
		unsigned version;
	} forms[] = {{"new", FORM_NEW, VERSION_MAX},
		     {"cm7", FORM_CM7, 11},
		     {"cm4", FORM_CM4, 5},
		     {"cm3", FORM_CM3, 3},
		     {"cm2", FORM_CM2, 3}};

	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(value, forms[i].name) == 0) {
			cm.form = forms[i].form;
			if (cm.version > forms[i].version)
				cm.version = forms[i].version;
			return;
		}
	usage();
}

static void line_option(const char *value)
{
	const char *number = strchr(value, '=');

	if (!number || cm.lines == LINES_MAX)
		die("--line NAME=NUMBER, at most %d", LINES_MAX);
	(void)snprintf(cm.line[cm.lines].name, NAME_LEN, "%.*s",
		       (int)(number - value), value);
	(void)snprintf(cm.line[cm.lines++].number, NUMBER_LEN, "%s",
		       number + 1);
}

static void watch_fd(int fd, int *what)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = what};

	if (epoll_ctl(cm.epoll, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl: %m");
}

static void listen_at(struct sockaddr_in a)
{
	int one = 1;

	cm.address = a.sin_addr;
	listener =
		socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener < 0)
		die("socket: %m");
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(listener, BACKLOG))
		die("cannot listen: %m");
	watch_fd(listener, &mark_listener);
}

static bool option(const char *name, const char *value, unsigned *ret_time_s)
{
	if (number_option(name, value, ret_time_s))
		return true;
	if (strcmp(name, "--listen") == 0)
		listen_at(address_of(value));
	else if (strcmp(name, "--form") == 0)
		form_option(value);
	else if (strcmp(name, "--line") == 0)
		line_option(value);
	else if (strcmp(name, "--sip") == 0)
		sip_begin(address_of(value));
	else if (strcmp(name, "--sip-phone") == 0)
		sip_phone_add(value);
	else if (strcmp(name, "--reject") == 0)
		cm.reject = value;
	else
		return false;
	return true;
}

static unsigned options_read(int argc, char **argv)
{
	unsigned time_s = 600;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--music") == 0) {
			cm.has_music = true;
		} else if (strcmp(argv[i], "--quiet") == 0) {
			cm.is_quiet = true;
		} else if (i + 1 < argc) {
			if (!option(argv[i], argv[i + 1], &time_s))
				usage();
			i++;
		} else {
			usage();
		}
	}
	if (!listener)
		usage();
	return time_s;
}

/* --- commands ----------------------------------------------------------- */
static void status(void)
{
	unsigned legs = 0;

	for (const struct leg *l = cm.legs; l; l = l->next) {
		say("STATUS leg=%u of=%s state=%u", l->ref,
		    l->phone ? l->phone->name
		    : l->sip ? "sip"
			     : "mtp",
		    l->state);
		legs++;
	}
	say("STATUS registered=%u legs=%u taken=%lu malformed=%u",
	    cm.registered, legs, cm.taken, cm.malformed);
}

static void message_by_text(struct cm_phone *p, char *name, char **save)
{
	const struct wire_row *row = name ? wire_row_named(name) : NULL;
	struct pdu m;

	if (!row)
		die("msg NAME MESSAGE FIELD=VALUE...");
	message_begin(p, &m, row->id);
	for (char *w = strtok_r(NULL, " ", save); w;
	     w = strtok_r(NULL, " ", save)) {
		char *value = strchr(w, '=');

		if (!value)
			die("%s is no FIELD=VALUE", w);
		*value++ = 0;
		if (strcmp(w, "cut") == 0)
			pdu_cut(&m, (uint32_t)strtoul(value, NULL, 10));
		else if (!pdu_set_any(&m, w, value))
			die("%s has no %s like %s", name, w, value);
	}
	message_send(p, &m);
}

static void raw(struct cm_phone *p, const char *hex)
{
	static struct pdu m;

	m.len = hex_bytes(hex, m.b, sizeof(m.b));
	if (m.len == 0)
		die("raw takes hex digits");
	(void)link_send(&p->link, m.b, m.len);
}

static void ask_statistics(struct cm_phone *p)
{
	const struct leg *l = leg_of_phone(p);
	struct pdu m;

	if (!l)
		return;
	message_begin(p, &m, 0x0107);
	pdu_set_text(&m, "dn", p->number);
	pdu_set(&m, "callReference", l->ref);
	message_send(p, &m);
}

static void phone_command(const char *what, struct cm_phone *p, char *arg,
			  char **save)
{
	struct leg *l = leg_of_phone(p);
	struct pdu m;

	if (strcmp(what, "reset") == 0) {
		message_begin(p, &m, 0x009F);
		pdu_set(&m, "type", arg ? (uint32_t)strtoul(arg, NULL, 10) : 1);
		message_send(p, &m);
	} else if (strcmp(what, "drop") == 0) {
		phone_close(p, "dropped");
	} else if (strcmp(what, "msg") == 0) {
		message_by_text(p, arg, save);
	} else if (strcmp(what, "raw") == 0 && arg) {
		raw(p, arg);
	} else if (strcmp(what, "stats") == 0) {
		ask_statistics(p);
	} else if (strcmp(what, "rekey") == 0 && l) {
		leg_rekey(l);
	} else if (strcmp(what, "fork") == 0 && arg && l) {
		media_fork(l, address_of(arg));
	} else {
		die("no such command: %s", what);
	}
}

/* False when it says to end. */
static bool command(char *line)
{
	static char rejected[NAME_LEN];
	char *save = NULL, *what = strtok_r(line, " \r", &save);
	char *name = what ? strtok_r(NULL, " ", &save) : NULL;
	struct cm_phone *p;

	if (!what || what[0] == '#')
		return true;
	if (strcmp(what, "quit") == 0)
		return false;
	if (strcmp(what, "status") == 0) {
		status();
	} else if (strcmp(what, "echo") == 0 && name) {
		say("%s", name);
	} else if (strcmp(what, "mute") == 0) {
		cm.is_mute = name && name[0] == '1';
	} else if (strcmp(what, "music") == 0 && name) {
		media_group(name[0] == '-' ? (struct sockaddr_in){0}
					   : address_of(name));
	} else if (strcmp(what, "token-wait") == 0 && name) {
		cm.token_wait_s = (unsigned)strtoul(name, NULL, 10);
	} else if (strcmp(what, "reject") == 0 && name) {
		(void)snprintf(rejected, sizeof(rejected), "%s", name);
		cm.reject = rejected;
	} else if (name && (p = phone_by_name(name))) {
		phone_command(what, p, strtok_r(NULL, " ", &save), &save);
	} else {
		say("FAILED: no command, or no such phone: %s %s", what,
		    name ? name : "");
	}
	return true;
}

/* --- the loop ----------------------------------------------------------- */
static bool stdin_readable(void)
{
	static char buf[4 * LINE_MAX_LEN];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, buf + len, sizeof(buf) - len);
	char *end;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		(void)epoll_ctl(cm.epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
	if (n <= 0)
		return true;
	len += (size_t)n;
	while ((end = memchr(buf, '\n', len))) {
		char line[LINE_MAX_LEN];
		size_t used = (size_t)(end - buf) + 1;

		(void)snprintf(line, sizeof(line), "%.*s", (int)(used - 1),
			       buf);
		len -= used;
		memmove(buf, end + 1, len);
		if (!command(line))
			return false;
	}
	return true;
}

static void accept_all(void)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		phone_new(fd);
	}
}

/* One turn; false at the end. */
static bool serve(void)
{
	struct epoll_event ev[256];
	int n = epoll_wait(cm.epoll, ev, 256, TICK_MS);

	for (int i = 0; i < n; i++) {
		void *what = ev[i].data.ptr;

		if (what == &mark_listener)
			accept_all();
		else if (what == &mark_sip)
			sip_readable();
		else if (what != &mark_stdin)
			phone_ready(what);
		else if (!stdin_readable())
			return false;
	}
	return true;
}

static void tick(void)
{
	static uint64_t next_ms;
	uint64_t now = now_ms();

	media_mix(now);
	sip_tick(now);
	if (now < next_ms)
		return;
	next_ms = now + 1000;
	phones_tick(now);
}

int main(int argc, char **argv)
{
	uint64_t end_ms;

	(void)signal(SIGPIPE, SIG_IGN);
	cm.last_ref = cm.last_party = 0x01000000;
	cm.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (srtp_begin())
		die("libsrtp2 does not start");
	end_ms = now_ms() + options_read(argc, argv) * 1000ull;
	if (cm.is_quiet)
		files_wanted(FILES);
	(void)fcntl(STDIN_FILENO, F_SETFL,
		    fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	if (sip_fd() >= 0)
		watch_fd(sip_fd(), &mark_sip);
	/* /dev/null cannot be waited for */
	{
		struct epoll_event ev = {.events = EPOLLIN,
					 .data.ptr = &mark_stdin};

		(void)epoll_ctl(cm.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev);
	}
	say("listening");
	while (now_ms() < end_ms && serve())
		tick();
	say("SUMS registered=%u taken=%lu malformed=%u", cm.registered,
	    cm.taken, cm.malformed);
	return 0;
}
