/* See phone_cmd.h. */
#include "phone_cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 40, FLOOD_MAX = 100000 };

static const char help[] =
	"Of phone 0, or of phone N after `@N':\n"
	" dial DIGITS | digits DIGITS | answer | hangup | hold | resume\n"
	" transfer | conference   press the key (again to complete)\n"
	" key N                   press soft key N\n"
	" wait CONDITION SECONDS  go on when it is so, or fail\n"
	" expect CONDITION        fail unless it is so now\n"
	"   registered rejected down idle calls=N state=NAME security=N\n"
	"   media=N (every stream open both ways, N more packets heard),\n"
	"   hears=N (the same, sending or not) silent srtp rtp refused=N\n"
	" mark                    count media and refusals from here\n"
	" sleep SECONDS | status | streams\n"
	" msg NAME FIELD=VALUE... any message of the table\n"
	" raw HEX | garbage BYTES SEED | flood NAME COUNT | oversize\n"
	" connect | drop | unregister | echo WORD | quit\n";

static struct waiting {
	char condition[64];
	uint64_t end_ms; /* 0: not waiting */
	bool is_sleep;
	struct phone *phone;
} waiting;

static unsigned long refused_mark;

/* --- conditions --------------------------------------------------------- */
static unsigned long refused_sum(const struct phone *p)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i])
			n += media_count(p->stream[i]->media).refused;
	return n;
}

/* is_both: they send, too. */
static bool media_flows(const struct phone *p, unsigned long packets,
			bool is_both)
{
	bool any = false;

	for (unsigned i = 0; i < STREAMS; i++) {
		const struct stream *t = p->stream[i];

		if (!t || !t->is_open)
			continue;
		any = true;
		if ((is_both && !media_is_sending(t->media)) ||
		    media_count(t->media).received - t->mark < packets)
			return false;
	}
	return any;
}

static bool media_is_silent(const struct phone *p)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i])
			return false;
	return true;
}

/* Every stream is srtp, or none is. */
static bool media_is(const struct phone *p, bool is_srtp)
{
	bool any = false;

	for (unsigned i = 0; i < STREAMS; i++) {
		const struct stream *t = p->stream[i];

		if (!t)
			continue;
		any = true;
		if ((t->is_open && (t->in.algorithm != 0) != is_srtp) ||
		    (media_is_sending(t->media) &&
		     (t->out.algorithm != 0) != is_srtp))
			return false;
	}
	return any;
}

static bool state_is(struct phone *p, const char *name)
{
	for (unsigned i = 0; i < CALLS; i++)
		if (p->call[i].ref &&
		    strcmp(call_state_name(p->call[i].state), name) == 0)
			return true;
	return false;
}

static bool is_down(const struct phone *p)
{
	for (unsigned i = 0; i < setup.servers; i++)
		if (p->server[i].link.state == LINK_UP)
			return false;
	return true;
}

static bool holds(struct phone *p, const char *condition)
{
	const char *value = strchr(condition, '=');
	size_t len = value ? (size_t)(value - condition) : strlen(condition);
	unsigned long n = value ? strtoul(++value, NULL, 10) : 1;
	struct call *c = call_find(p, 0);

#define IS(word) (len == strlen(word) && strncmp(condition, word, len) == 0)
	if (IS("registered"))
		return phone_is_registered(p);
	if (IS("rejected"))
		return setup.rejected > 0;
	if (IS("down"))
		return is_down(p);
	if (IS("idle"))
		return call_count(p) == 0;
	if (IS("calls"))
		return call_count(p) == n;
	if (IS("state") && value)
		return state_is(p, value);
	if (IS("security"))
		return c && c->security == n;
	if (IS("media") || IS("hears"))
		return media_flows(p, n, condition[0] == 'm');
	if (IS("silent"))
		return media_is_silent(p);
	if (IS("srtp") || IS("rtp"))
		return media_is(p, condition[0] == 's');
	if (IS("refused"))
		return refused_sum(p) - refused_mark <= n - !value;
	die("no such condition: %s", condition);
#undef IS
}

bool command_is_ready(struct phone *phones)
{
	(void)phones;
	if (waiting.end_ms == 0)
		return true;
	if (!waiting.is_sleep && holds(waiting.phone, waiting.condition)) {
		say("%s ok %s", waiting.phone->name, waiting.condition);
		waiting.end_ms = 0;
		return true;
	}
	if (now_ms() < waiting.end_ms)
		return false;
	waiting.end_ms = 0;
	if (waiting.is_sleep)
		return true;
	call_status(waiting.phone);
	die("%s: waited in vain for %s", waiting.phone->name,
	    waiting.condition);
}

static void wait_begin(struct phone *p, const char *condition,
		       const char *seconds)
{
	waiting.phone = p;
	waiting.is_sleep = !condition;
	(void)snprintf(waiting.condition, sizeof(waiting.condition), "%s",
		       condition ? condition : "");
	waiting.end_ms = now_ms() + (uint64_t)(strtod(seconds, NULL) * 1000);
}

/* --- commands ----------------------------------------------------------- */
static void mark(struct phone *p)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i])
			p->stream[i]->mark =
				media_count(p->stream[i]->media).received;
	refused_mark = refused_sum(p);
}

static void message_by_text(struct phone *p, int argc, char **argv)
{
	const struct wire_row *row = wire_row_named(argv[1]);
	struct pdu m;

	if (!row)
		die("no message %s", argv[1]);
	pdu_init(&m, row->id, p->version);
	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			die("%s is no FIELD=VALUE", argv[i]);
		*value++ = 0;
		if (strcmp(argv[i], "cut") == 0)
			pdu_cut(&m, (uint32_t)strtoul(value, NULL, 10));
		else if (!pdu_set_any(&m, argv[i], value))
			die("%s has no %s like %s", argv[1], argv[i], value);
	}
	(void)phone_send(p, &m);
}

static void garbage(struct phone *p, unsigned long len, unsigned long seed)
{
	uint32_t x = (uint32_t)seed * 2 + 1;
	uint8_t b[4096];

	for (size_t i = 0; i < sizeof(b) && i < len; i++) {
		x = x * 1664525u + 1013904223u;
		b[i] = (uint8_t)(x >> 24);
	}
	(void)phone_send_raw(p, b, len < sizeof(b) ? len : sizeof(b));
}

static void flood(struct phone *p, const char *name, unsigned long n)
{
	const struct wire_row *row = wire_row_named(name);
	struct pdu m;
	unsigned long sent = 0;

	if (!row || n > FLOOD_MAX)
		die("flood NAME COUNT, at most %d", FLOOD_MAX);
	pdu_init(&m, row->id, p->version);
	while (sent < n && phone_send(p, &m)) {
		sent++;
		if (sent % 100 == 0)
			phones_serve();
	}
	say("%s flooded with %lu %s", p->name, sent, name);
}

static void oversize(struct phone *p)
{
	static const uint8_t head[] = {0xff, 0xff, 0xff, 0x7f, 0, 0,
				       0,    0,	   6,	 0,    0, 0};

	(void)phone_send_raw(p, head, sizeof(head));
	garbage(p, 4096, 1);
}

static void raw(struct phone *p, const char *hex)
{
	uint8_t b[512];
	size_t len = hex_bytes(hex, b, sizeof(b));

	if (len == 0)
		die("raw takes hex digits, at most %zu bytes", sizeof(b));
	(void)phone_send_raw(p, b, len);
}

/* Keys: what the user of a phone presses. */
static bool key_command(struct phone *p, const char *what, const char *arg)
{
	if (strcmp(what, "dial") == 0)
		call_dial(p, arg);
	else if (strcmp(what, "digits") == 0)
		call_digits(p, arg);
	else if (strcmp(what, "answer") == 0)
		call_answer(p);
	else if (strcmp(what, "hangup") == 0)
		call_hang_up(p);
	else if (strcmp(what, "hold") == 0)
		call_softkey(p, KEY_HOLD, call_find(p, CALL_CONNECTED));
	else if (strcmp(what, "resume") == 0)
		call_softkey(p, KEY_RESUME, call_find(p, CALL_HOLD));
	else if (strcmp(what, "transfer") == 0)
		call_softkey(p, KEY_TRANSFER, call_find(p, 0));
	else if (strcmp(what, "conference") == 0)
		call_softkey(p, KEY_CONFERENCE, call_find(p, 0));
	else if (strcmp(what, "key") == 0)
		call_softkey(p, (enum softkey)strtoul(arg, NULL, 10),
			     call_find(p, 0));
	else
		return false;
	return true;
}

static bool hostile_command(struct phone *p, int argc, char **argv)
{
	const char *arg = argc > 1 ? argv[1] : "";
	const char *second = argc > 2 ? argv[2] : "1";

	if (strcmp(argv[0], "raw") == 0)
		raw(p, arg);
	else if (strcmp(argv[0], "garbage") == 0)
		garbage(p, strtoul(arg, NULL, 10), strtoul(second, NULL, 10));
	else if (strcmp(argv[0], "flood") == 0)
		flood(p, arg, strtoul(second, NULL, 10));
	else if (strcmp(argv[0], "oversize") == 0)
		oversize(p);
	else if (strcmp(argv[0], "msg") == 0 && argc > 1)
		message_by_text(p, argc, argv);
	else
		return false;
	return true;
}

static bool script_command(struct phone *p, int argc, char **argv)
{
	if (strcmp(argv[0], "wait") == 0 && argc == 3) {
		wait_begin(p, argv[1], argv[2]);
	} else if (strcmp(argv[0], "sleep") == 0 && argc == 2) {
		wait_begin(p, NULL, argv[1]);
	} else if (strcmp(argv[0], "expect") == 0 && argc == 2) {
		call_status(p);
		if (!holds(p, argv[1]))
			die("%s: not so: %s", p->name, argv[1]);
		say("%s ok %s", p->name, argv[1]);
	} else if (strcmp(argv[0], "mark") == 0) {
		mark(p);
	} else if (strcmp(argv[0], "status") == 0) {
		call_status(p);
	} else if (strcmp(argv[0], "streams") == 0) {
		call_streams(p);
	} else if (strcmp(argv[0], "echo") == 0 && argc == 2) {
		say("%s", argv[1]);
	} else if (strcmp(argv[0], "unregister") == 0) {
		phone_unregister(p);
	} else if (strcmp(argv[0], "help") == 0) {
		(void)fputs(help, stdout);
	} else {
		return false;
	}
	return true;
}

static int words(char *line, char **ret)
{
	int n = 0;

	for (char *save = NULL, *w = strtok_r(line, " \t\r", &save);
	     w && n < WORDS; w = strtok_r(NULL, " \t\r", &save))
		ret[n++] = w;
	return n;
}

bool command(struct phone *phones, unsigned count, char *line)
{
	char *argv[WORDS];
	int argc = words(line, argv), at = 0;
	struct phone *p = phones;

	if (argc > 0 && argv[0][0] == '@') {
		unsigned long i = strtoul(argv[0] + 1, NULL, 10);

		if (i >= count)
			die("there is no phone %lu", i);
		p = &phones[i];
		at = 1;
	}
	argc -= at;
	if (argc <= 0 || argv[at][0] == '#')
		return true;
	if (strcmp(argv[at], "quit") == 0)
		return false;
	if (!key_command(p, argv[at], argc > 1 ? argv[at + 1] : "") &&
	    !hostile_command(p, argc, argv + at) &&
	    !script_command(p, argc, argv + at) &&
	    !bench_command(phones, count, argc, argv + at))
		die("no such command: %s", argv[at]);
	return true;
}
